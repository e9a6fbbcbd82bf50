//! `repltool replay`: a capture, played again.

use std::io::Write;

use anyhow::{Context, bail};

use super::args::{ColorChoice, Format, ReplayArgs};
use super::input::{self, Plan};
use super::{Exit, style};
use crate::repl::observer::Settings;
use crate::replay::{Director, Recorder, Verdict, Witness, show};
use crate::view::report::Look;

/// Names, options and offsets are looked at, never long values.
const KEEP: usize = 256;

pub(super) fn run(args: &ReplayArgs, color: ColorChoice) -> anyhow::Result<Exit> {
    let writer = input::writer(args.write.as_deref(), Some(&args.capture))?;
    let settings = Settings { keep: KEEP, clients: false };
    let plan = Plan { path: &args.capture, filter: &args.filter, writer: None, count: None, settings };
    let recorder = Recorder::new(!args.dry_run);
    let passed = input::pass(plan, recorder, |recorder| recorder.error().is_some())?;
    let recorder = passed.pipeline.observer.sink;
    if let Some(error) = recorder.error() {
        bail!("{error}");
    }
    let mut story = recorder.into_story(&args.links, args.compat);
    if let Some(missing) = args.links.iter().find(|link| !has(&story, **link)) {
        bail!("{}: there is no link {missing}", args.capture.display());
    }
    let look = Look { width: style::width().unwrap_or(Look::default().width), color: style::color(color) };
    let mut stdout = std::io::stdout().lock();
    if args.dry_run {
        match args.format.chosen() {
            Format::Json => writeln!(stdout, "{}", show::story_json(&story))?,
            Format::Text => stdout.write_all(show::story_text(&story, look).as_bytes())?,
        }
        return Ok(Exit::Fine);
    }
    let witness = Witness::new(writer);
    let played = Director::new(&mut story, witness.clone(), args.speed).play();
    let played = played.with_context(|| args.capture.display().to_string())?;
    let seen = witness.finish()?;
    let verdict = Verdict::new(&story, played, &seen);
    match args.format.chosen() {
        Format::Json => writeln!(stdout, "{}", show::verdict_json(&verdict))?,
        Format::Text => stdout.write_all(show::verdict_text(&verdict, look).as_bytes())?,
    }
    Ok(if verdict.reproduced { Exit::Fine } else { Exit::Negative })
}

fn has(story: &crate::replay::Story, link: u32) -> bool {
    let is = |summary: &crate::repl::summary::LinkSummary| {
        summary.link.0 == link || summary.pair.is_some_and(|pair| pair.0 == link)
    };
    story.scenes.iter().any(|scene| is(&scene.link)) || story.left.iter().any(|left| is(&left.link))
}
