//! `repltool report`: the summary of a capture.

use std::io::{BufWriter, Write};

use super::args::{ColorChoice, Format, ReportArgs};
use super::input::{self, Passed, Plan};
use super::{Exit, style};
use crate::repl::observer::Settings;
use crate::repl::summary::Summaries;
use crate::view::report::{CaptureSummary, FullReport, Look, to_tables, write_json};

/// Reports look at names, options and offsets, never at long values.
const KEEP: usize = 256;

pub(super) fn run(args: &ReportArgs, color: ColorChoice) -> anyhow::Result<Exit> {
    let settings = Settings { keep: KEEP, clients: false };
    let plan = Plan { path: &args.capture, filter: &args.filter, writer: None, count: None, settings };
    let full = summed_up(input::pass(plan, Summaries::new(), |_| false)?);
    let mut stdout = BufWriter::new(std::io::stdout().lock());
    match args.format.chosen() {
        Format::Json => write_json(&full, &mut stdout)?,
        Format::Text => {
            let width = style::width().unwrap_or(Look::default().width);
            stdout.write_all(to_tables(&full, Look { width, color: style::color(color) }).as_bytes())?;
        }
    }
    stdout.flush()?;
    Ok(Exit::Fine)
}

fn summed_up(passed: Passed<Summaries>) -> FullReport {
    let Passed { file, pipeline } = passed;
    let capture = CaptureSummary {
        file: file.name().to_owned(),
        format: file.format().to_string(),
        compression: file.compression().map(|compression| compression.to_string()),
        link_types: file.link_types().to_vec(),
        packets: file.frames(),
        bytes: file.bytes_read(),
        span: pipeline.span(),
        dropped: file.dropped(),
        damage: file.damage().map(ToString::to_string),
        connections: pipeline.connections(),
    };
    let (frames, totals) = (pipeline.counts(), pipeline.observer.totals());
    FullReport { capture, report: pipeline.observer.sink.into_report(), frames, totals }
}
