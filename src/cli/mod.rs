//! From what was typed to a run: arguments, settings, exit codes. One file per subcommand.
//!
//! Errors come up as values and are printed in one place, [`main`]: one sentence on stderr.

mod abroad;
mod args;
mod extract;
mod generate;
mod input;
mod live;
mod rdb;
mod replay;
mod report;
mod serve;
mod sniff;
mod style;
mod view;

use std::io;
use std::process::ExitCode;

use clap::Parser;

pub use args::{Args, command};

/// The exit codes, as grep, cmp and diff have them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// All went well.
    Fine = 0,
    /// A negative verdict.
    Negative = 1,
    /// Usage, input or output, permission, not a capture.
    Trouble = 2,
}

/// Parses the arguments, runs the command, prints what went wrong, and gives the exit code.
#[must_use]
pub fn main() -> ExitCode {
    let args = Args::parse();
    let done = match args.command {
        args::Command::Sniff(sniff) => sniff::run(&sniff, args.color),
        args::Command::Report(report) => report::run(&report, args.color),
        args::Command::Extract(extract) => extract::run(&extract),
        args::Command::Rdb(command) => rdb::run(&command, args.color),
        args::Command::Replay(replay) => replay::run(&replay, args.color),
        args::Command::Serve(args) => serve::run(&args),
        args::Command::Completions { shell } => generate::completions(shell),
        args::Command::Man { command } => generate::man(command.as_deref()),
    };
    let code = match done {
        Ok(code) => code,
        Err(error) if is_broken_pipe(&error) => Exit::Fine,
        Err(error) => {
            say(&format!("{error:#}"));
            Exit::Trouble
        }
    };
    ExitCode::from(code as u8)
}

/// Whether a reader that went away (`| head`) is all that happened.
fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .any(|cause| cause.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe))
}

/// Says a sentence to the person at the terminal. That stderr may be closed is no reason to fail.
fn say(sentence: &str) {
    use io::Write;
    let _ = writeln!(io::stderr().lock(), "repltool: {sentence}");
}
