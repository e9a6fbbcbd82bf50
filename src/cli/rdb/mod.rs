//! `repltool rdb`: what an RDB holds, and whether it is sound.

mod convert;
mod diff;
mod explain;
mod filter;
mod progress;
mod salvage;
pub(super) mod source;
mod watched;

use std::io::{self, IsTerminal, Write};
use std::path::Path;

use anyhow::bail;
use serde_json::json;

pub(super) use self::convert::To;
use self::source::{Taker, feed};
use self::watched::Watched;
use super::args::{ColorChoice, DumpFormat, Format, KeysFormat, RdbArgs, RdbCommand, RdbDumpArgs, RdbKeysArgs};
use super::{Exit, say, style};
use crate::rdb::{Checksum, Decoder, Depth, RdbError, Unheard, Values};
use crate::view::output::Output;
use crate::view::rdb::{Commands, Dump, Filtered, Holding, Info, KeyForm, Keys, checksum_word};
use crate::view::report::Look;
use crate::view::terminal;

pub(super) fn run(command: &RdbCommand, color: ColorChoice) -> anyhow::Result<Exit> {
    match command {
        RdbCommand::Info(args) => info(args, color),
        RdbCommand::Keys(args) => keys(args),
        RdbCommand::Dump(args) => dump(args),
        RdbCommand::Check(args) => check(args),
        RdbCommand::Convert(args) => convert::run(args),
        RdbCommand::Diff(args) => diff::run(args),
        RdbCommand::Explain(args) => explain::run(args),
        RdbCommand::Salvage(args) => salvage::run(args),
    }
}

/// A decoder under way, with the error that has stopped it.
struct Run<V> {
    decoder: Decoder<Watched<V>>,
    error: Option<RdbError>,
    /// Is told how far the decoder has come, after each portion.
    advanced: fn(&mut V, u64),
    /// Lines are printed while it goes on.
    prints: bool,
}

/// What is wrong with an RDB.
struct Corruption {
    offset: u64,
    record: Option<&'static str>,
    key: Option<Vec<u8>>,
    reason: String,
}

impl<V: Values> Run<V> {
    fn new(inner: V, depth: Depth) -> Self {
        Self { decoder: Decoder::new(Watched::new(inner), depth), error: None, advanced: |_, _| {}, prints: false }
    }

    /// What is wrong, if anything, now that the input has ended.
    fn verdict(&self) -> Option<Corruption> {
        let record = self.decoder.record().map(|(_, name)| name);
        let key = || self.decoder.key().map(<[u8]>::to_vec);
        if let Some(error) = &self.error {
            return Some(Corruption { offset: error.offset, record, key: key(), reason: error.fault.to_string() });
        }
        if !self.decoder.ended() {
            let reason = "the input ends before the RDB does".to_owned();
            return Some(Corruption { offset: self.decoder.offset(), record, key: key(), reason });
        }
        match self.decoder.values().checksum {
            Some(Checksum::Bad { stored, computed }) => Some(Corruption {
                offset: self.decoder.offset().saturating_sub(8),
                record: None,
                key: None,
                reason: format!("the checksum is {stored:016x}, the bytes before it give {computed:016x}"),
            }),
            _ => None,
        }
    }

    /// Says what servers load although it contradicts itself.
    fn say_oddities(&self, path: &Path) {
        let values = self.decoder.values();
        if let Some(odd) = values.odd {
            let name = terminal::safe(path.display().to_string().as_bytes());
            say(&format!("{name}: {odd} ({} such oddities, which servers load)", values.oddities));
        }
    }

    /// The exit of a command that is no check: trouble where something is wrong, and words about it.
    fn exit(&self, path: &Path) -> anyhow::Result<Exit> {
        self.say_oddities(path);
        match self.verdict() {
            None => Ok(Exit::Fine),
            Some(corruption) => bail!("{}: {}", path.display(), corruption.sentence(self.decoder.keys())),
        }
    }
}

impl<V: Holding> Run<Filtered<V>> {
    fn filtered(inner: Filtered<V>, depth: Depth) -> Self {
        Self { advanced: Filtered::reached, prints: true, ..Self::new(inner, depth) }
    }
}

impl Corruption {
    fn sentence(&self, keys: u64) -> String {
        let record = self.record.map_or_else(String::new, |record| format!(" in a {record} record"));
        let key = self.key.as_ref().map_or_else(String::new, |key| format!(", key {}", terminal::safe(key)));
        format!("corrupt at byte {}{record}{key}: {}; {keys} keys were read before it", self.offset, self.reason)
    }
}

impl<V: Values> Taker for Run<V> {
    fn keys(&self) -> Option<u64> {
        Some(self.decoder.keys())
    }

    fn prints(&self) -> bool {
        self.prints
    }

    fn take(&mut self, bytes: &[u8]) -> usize {
        if self.error.is_some() {
            return bytes.len();
        }
        match self.decoder.push(bytes) {
            Ok(progress) => {
                let offset = self.decoder.offset();
                (self.advanced)(&mut self.decoder.values_mut().inner, offset);
                progress.consumed
            }
            Err(error) => {
                self.error = Some(error);
                bytes.len()
            }
        }
    }
}

/// Stdout, given on in large pieces.
fn output() -> Output {
    Output::new(Box::new(io::stdout()), io::stdout().is_terminal())
}

fn finish(output: &mut Output) -> anyhow::Result<()> {
    output.flush();
    Ok(output.result()?)
}

fn print(text: &str) -> anyhow::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    stdout.write_all(b"\n")?;
    stdout.flush()?;
    Ok(())
}

fn info(args: &RdbArgs, color: ColorChoice) -> anyhow::Result<Exit> {
    let mut run = Run::new(Info::default(), Depth::Statistics);
    let trailing = feed(&args.source, &mut run)?;
    let (info, bytes) = (&run.decoder.values().inner, run.decoder.offset());
    match args.format.chosen() {
        Format::Json => print(&info.to_json(bytes, trailing).to_string())?,
        Format::Text => {
            let look = Look { width: style::width().unwrap_or(Look::default().width), color: style::color(color) };
            let name = args.source.file.display().to_string();
            print(info.to_text(&name, bytes, trailing, look).trim_end())?;
        }
    }
    run.exit(&args.source.file)
}

fn keys(args: &RdbKeysArgs) -> anyhow::Result<Exit> {
    let form = match args.format {
        KeysFormat::Json => KeyForm::Json,
        _ if args.json => KeyForm::Json,
        KeysFormat::Csv => KeyForm::Csv,
        KeysFormat::Text => KeyForm::Text,
    };
    let keys = Filtered::new(Keys::new(form, output()), filter::of(&args.filter));
    let mut run = Run::filtered(keys, Depth::Statistics);
    feed(&args.source, &mut run)?;
    let keys = &mut run.decoder.values_mut().inner.inner;
    finish(keys.output_mut())?;
    if let Some(error) = keys.take_error() {
        return Err(error.into());
    }
    run.exit(&args.source.file)
}

fn dump(args: &RdbDumpArgs) -> anyhow::Result<Exit> {
    if args.format == DumpFormat::Resp {
        return commands(args);
    }
    let dump = Dump::new(output().with_spill(tempfile::tempfile));
    let mut run = Run::filtered(Filtered::new(dump, filter::of(&args.filter)), Depth::Full);
    feed(&args.source, &mut run)?;
    let ended = run.decoder.ended();
    let dump = &mut run.decoder.values_mut().inner;
    if !ended && dump.break_off() {
        dump.inner.break_off();
    }
    finish(dump.inner.output_mut())?;
    if let Some(error) = dump.inner.take_error() {
        return Err(error.into());
    }
    run.exit(&args.source.file)
}

fn commands(args: &RdbDumpArgs) -> anyhow::Result<Exit> {
    let commands = Commands::new(output().with_spill(tempfile::tempfile));
    let mut run = Run::filtered(Filtered::new(commands, filter::of(&args.filter)), Depth::Full);
    feed(&args.source, &mut run)?;
    let ended = run.decoder.ended();
    let filtered = &mut run.decoder.values_mut().inner;
    if !ended && filtered.break_off() && filtered.inner.break_off() {
        say("the output ends inside a command, which the server will not carry out");
    }
    let commands = &mut filtered.inner;
    finish(commands.output_mut())?;
    if let Some(error) = commands.take_error() {
        return Err(error.into());
    }
    if let Some(lost) = commands.lost() {
        say(&format!("{}: no command expresses: {lost}", args.source.file.display()));
    }
    run.exit(&args.source.file)
}

fn check(args: &RdbArgs) -> anyhow::Result<Exit> {
    let mut run = Run::new(Unheard, Depth::Full);
    feed(&args.source, &mut run)?;
    let corruption = run.verdict();
    let (keys, bytes) = (run.decoder.keys(), run.decoder.offset());
    let checksum = run.decoder.values().checksum.map(checksum_word);
    match args.format.chosen() {
        Format::Json => {
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            let error = corruption.as_ref().map(|found| {
                json!({
                    "offset": found.offset,
                    "record": found.record,
                    "key": found.key.as_deref().map(text),
                    "reason": found.reason,
                })
            });
            print(
                &json!({
                    "ok": corruption.is_none(),
                    "keys": keys,
                    "bytes": bytes,
                    "checksum": checksum,
                    "error": error,
                    "oddities": run.decoder.values().oddities,
                })
                .to_string(),
            )?;
        }
        Format::Text => {
            let name = terminal::safe(args.source.file.display().to_string().as_bytes());
            print(&match &corruption {
                None => {
                    format!("{name}: sound: {keys} keys in {bytes} bytes, checksum {}", checksum.unwrap_or("absent"))
                }
                Some(found) => format!("{name}: {}", found.sentence(keys)),
            })?;
            run.say_oddities(&args.source.file);
        }
    }
    Ok(if corruption.is_none() { Exit::Fine } else { Exit::Negative })
}
