//! `repltool replay`: a capture, played again.

use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::{Context, bail};
use signal_hook::consts::{SIGINT, SIGTERM};

use super::args::{ColorChoice, Format, ReplayArgs};
use super::input::{self, Plan};
use super::{Exit, abroad, style};
use crate::bounds::MAX_REPLAY_BACKLOG;
use crate::capture::CaptureWriter;
use crate::repl::observer::Settings;
use crate::repl::summary::SyncKind;
use crate::replay::{Director, Network, Recorder, Speed, Story, Verdict, WhatIf, Witness, show};
use crate::view::report::Look;

/// Names, options and offsets are looked at, never long values.
const KEEP: usize = 256;

pub(super) fn run(args: &ReplayArgs, color: ColorChoice) -> anyhow::Result<Exit> {
    if let Some(write) = &args.write {
        input::refuse_overwriting(&args.capture, write)?;
    }
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
    let abroad = abroad::is_meant(args)?;
    if abroad {
        story.keep_one_replica();
    }
    for cut in &args.cut_at {
        if let Err(why) = story.cut(*cut) {
            bail!("{}: {why}", args.capture.display());
        }
    }
    if what_if(args).is_of_time() && args.speed == Some(Speed::Full) {
        bail!("what becomes of links in time needs a pace: --speed 1, or another number");
    }
    if let Some(path) = &args.rdb {
        give(&mut story, path)?;
    }
    let look = Look { width: style::width().unwrap_or(Look::default().width), color: style::color(color) };
    let mut out = out(args);
    if args.dry_run {
        match args.format.chosen() {
            Format::Json => writeln!(out, "{}", show::story_json(&story))?,
            Format::Text => out.write_all(show::story_text(&story, look).as_bytes())?,
        }
        return Ok(Exit::Fine);
    }
    // From here on there are servers to be ended; a second signal ends it at once.
    let stop = Arc::new(AtomicBool::new(false));
    for (signal, status) in [(SIGINT, 130), (SIGTERM, 143)] {
        signal_hook::flag::register_conditional_shutdown(signal, status, Arc::clone(&stop))?;
        signal_hook::flag::register(signal, Arc::clone(&stop))?;
    }
    if args.find_backlog {
        return find_backlog(&mut story, args, &stop);
    }
    // Not before all is in order: what is there is lost then.
    let writer = input::writer(args.write.as_deref(), None)?;
    if abroad {
        return abroad::run(&mut story, writer, args, &stop, look);
    }
    let verdict = verdict(&mut story, writer, args, what_if(args), &stop)?;
    match args.format.chosen() {
        Format::Json => writeln!(out, "{}", show::verdict_json(&verdict))?,
        Format::Text => out.write_all(show::verdict_text(&verdict, look).as_bytes())?,
    }
    Ok(if verdict.reproduced { Exit::Fine } else { Exit::Negative })
}

/// Where the verdict goes: standard output, unless that is for the capture.
pub(super) fn out(args: &ReplayArgs) -> Box<dyn Write> {
    match args.write.as_deref() {
        Some(path) if path == Path::new("-") => Box::new(std::io::stderr()),
        _ => Box::new(std::io::stdout()),
    }
}

/// The question that is asked.
pub(super) fn what_if(args: &ReplayArgs) -> WhatIf {
    WhatIf {
        backlog: args.repl_backlog_size,
        diskless: args.diskless,
        timeout: args.repl_timeout,
        output_limit: args.client_output_buffer_limit.clone(),
        network: Network { delay: args.delay.unwrap_or_default(), bandwidth: args.bandwidth },
    }
}

/// Reads the RDB with which the story begins where the capture has none.
fn give(story: &mut Story, path: &Path) -> anyhow::Result<()> {
    let mut file = File::open(path).with_context(|| path.display().to_string())?;
    let mut piece = vec![0; PIECE];
    loop {
        match file.read(&mut piece).with_context(|| path.display().to_string())? {
            0 => return Ok(()),
            size => story.tapes.give(piece.get(..size).unwrap_or_default())?,
        }
    }
}

/// How much of an RDB is read at once.
const PIECE: usize = 64 << 10;

/// Plays the story once.
fn verdict(
    story: &mut Story,
    writer: Option<CaptureWriter>,
    args: &ReplayArgs,
    what_if: WhatIf,
    stop: &AtomicBool,
) -> anyhow::Result<Verdict> {
    let witness = Witness::new(writer)?;
    let pace = if what_if.is_of_time() { Speed::Times(1.0) } else { Speed::Full };
    let played = Director::new(story, witness.clone(), args.speed.unwrap_or(pace), what_if, stop).play();
    // What was written until then can be read, whatever ended it.
    let seen = witness.finish();
    let played = played.with_context(|| args.capture.display().to_string())?;
    let seen = seen?;
    Ok(Verdict::new(story, played, &seen))
}

/// What servers make of any smaller one.
const LEAST_BACKLOG: u64 = 16 << 10;

/// Plays the story with one backlog after the other, until the smallest that holds is found.
fn find_backlog(story: &mut Story, args: &ReplayArgs, stop: &AtomicBool) -> anyhow::Result<Exit> {
    let returns = |story: &Story| story.scenes.iter().filter(|scene| scene.comes_back(&story.lineages)).count();
    let wanted = returns(story);
    if wanted == 0 {
        bail!("{}: no replica comes back in it with a place that its master could go on from", args.capture.display());
    }
    let mut holds = |size: u64| -> anyhow::Result<bool> {
        let verdict = verdict(story, None, args, WhatIf { backlog: Some(size), ..what_if(args) }, stop)?;
        let partial = |link: &&crate::replay::LinkVerdict| {
            link.replayed.as_ref().is_some_and(|link| link.sync.kind == SyncKind::Partial)
        };
        Ok(verdict.links.iter().filter(partial).count() >= wanted)
    };
    let mut most = LEAST_BACKLOG;
    while most < MAX_REPLAY_BACKLOG && !holds(most)? {
        most *= 2;
    }
    let mut least = most / 2;
    while most > LEAST_BACKLOG && most - least > 1 {
        let middle = least + (most - least) / 2;
        if holds(middle)? {
            most = middle;
        } else {
            least = middle;
        }
    }
    let found = Some(most).filter(|most| *most < MAX_REPLAY_BACKLOG);
    let mut stdout = std::io::stdout().lock();
    match (args.format.chosen(), found) {
        (Format::Json, found) => {
            let object =
                serde_json::json!({"schema": 1, "returns": wanted, "repl_backlog_size": found, "least": LEAST_BACKLOG});
            writeln!(stdout, "{object}")?;
        }
        (Format::Text, Some(LEAST_BACKLOG)) => {
            writeln!(stdout, "any backlog holds: servers have none below {LEAST_BACKLOG} bytes")?;
        }
        (Format::Text, Some(found)) => {
            let returns = if wanted == 1 { "the return is a partial sync" } else { "all returns are partial syncs" };
            writeln!(
                stdout,
                "--repl-backlog-size {found} is the smallest with which {returns} ({wanted} in the capture)"
            )?;
        }
        (Format::Text, None) => {
            writeln!(
                stdout,
                "no backlog below {MAX_REPLAY_BACKLOG} makes partial syncs of all returns ({wanted} in the capture)"
            )?;
        }
    }
    Ok(if found.is_some() { Exit::Fine } else { Exit::Negative })
}

fn has(story: &Story, link: u32) -> bool {
    let is = |summary: &crate::repl::summary::LinkSummary| {
        summary.link.0 == link || summary.pair.is_some_and(|pair| pair.0 == link)
    };
    story.scenes.iter().any(|scene| is(&scene.link)) || story.left.iter().any(|left| is(&left.link))
}
