//! `repltool sniff`: events as they happen, from an interface or a file.

use std::io;
use std::path::Path;

use super::args::{ColorChoice, Format, SniffArgs};
use super::input::{self, Plan};
use super::view::View;
use super::{Exit, live, say, style};
use crate::repl::observer::Settings;
use crate::view::json::{self, JsonLines};
use crate::view::output::Output;
use crate::view::report::nothing_found;
use crate::view::text::{self, Text};

/// How many bytes of an argument JSON shows unless told otherwise.
const JSON_BYTES: usize = 1 << 20;

/// The same for text.
const TEXT_BYTES: usize = 256;

pub(super) fn run(args: &SniffArgs, color: ColorChoice) -> anyhow::Result<Exit> {
    if args.list_interfaces {
        return live::list();
    }
    let max_bytes = |default| match args.max_bytes.unwrap_or(default) {
        0 => usize::MAX,
        bytes => bytes,
    };
    // Packets on stdout leave no room for lines there.
    let stdout: Box<dyn io::Write + Send> =
        if args.write.as_deref() == Some(Path::new("-")) { Box::new(io::sink()) } else { Box::new(io::stdout()) };
    let output = Output::new(stdout, args.line_buffered);
    match args.format.chosen() {
        Format::Json => {
            let options = json::Options { max_bytes: max_bytes(JSON_BYTES), show_secrets: args.show_secrets };
            let settings = Settings { keep: options.max_bytes, clients: args.clients };
            watch(args, settings, JsonLines::new(options, output))
        }
        Format::Text => {
            let options = text::Options {
                color: style::color(color),
                width: style::width(),
                verbosity: args.verbose,
                max_bytes: max_bytes(TEXT_BYTES),
                show_secrets: args.show_secrets,
                clients: args.clients,
            };
            let settings = Settings { keep: options.max_bytes, clients: args.clients };
            watch(args, settings, Text::new(options, output))
        }
    }
}

fn watch<V: View>(args: &SniffArgs, settings: Settings, view: V) -> anyhow::Result<Exit> {
    let Some(path) = &args.read else { return live::run(args, settings, view) };
    let writer = input::writer(args.write.as_deref(), Some(path))?;
    let plan = Plan { path, filter: &args.filter, writer, count: args.count, settings };
    let mut passed = input::pass(plan, view, |view| view.lines().error().is_some())?;
    let counts = passed.pipeline.counts();
    let observer = &mut passed.pipeline.observer;
    observer.sink.flush();
    observer.sink.lines().result()?;
    if let Some(damage) = passed.file.damage() {
        say(&damage.to_string());
    }
    if observer.totals().links == 0 {
        let found = nothing_found(passed.file.frames(), counts, observer.totals());
        say(&format!("{}: {found}", passed.file.name()));
    }
    Ok(Exit::Fine)
}
