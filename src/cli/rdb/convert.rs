//! `repltool rdb convert`: an RDB in another version, dialect or form.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::{Context, bail};

use super::source::feed;
use super::{Exit, Run, say};
use crate::cli::args::RdbConvertArgs;
use crate::cli::input::refuse_overwriting;
use crate::rdb::{Collector, Depth, Format, Header, Need, Needs, Target, Whole, WriteError, Writer};
use crate::view::terminal;

/// Keys and records that do not fit are named one by one, up to so many.
const NAMED: u64 = 10;

/// What `--to` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cli) enum To {
    /// The version of the input.
    Same,
    /// The lowest that holds every value.
    Lowest,
    /// The lowest that holds everything.
    Lossless,
    /// This one.
    Header(Header),
}

impl FromStr for To {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let lower = text.to_ascii_lowercase();
        match lower.as_str() {
            "same" => return Ok(Self::Same),
            "lowest" => return Ok(Self::Lowest),
            "lossless" => return Ok(Self::Lossless),
            _ => {}
        }
        let (format, version) = if let Some(rest) = lower.strip_prefix("redis") {
            (Format::Redis, rest)
        } else if let Some(rest) = lower.strip_prefix("valkey") {
            (Format::Valkey, rest)
        } else {
            return Err(EXPECTED.to_owned());
        };
        let header = match version.strip_prefix('-') {
            Some(server) => of_server(format, server),
            None => version.parse().ok().map(|version| Header { format, version }),
        };
        let written = |header: &Header| match header.format {
            Format::Redis => (1..=15).contains(&header.version),
            Format::Valkey => (80..=81).contains(&header.version),
        };
        header.filter(written).map(Self::Header).ok_or_else(|| EXPECTED.to_owned())
    }
}

const EXPECTED: &str = "same, lowest, lossless, an RDB version (REDIS1 to REDIS15, VALKEY80, VALKEY81) or a server's (redis-6.2, valkey-9.1)";

/// The RDB version that a server of this version writes.
fn of_server(format: Format, version: &str) -> Option<Header> {
    let mut numbers = version.split('.');
    let major: u16 = numbers.next()?.parse().ok()?;
    let minor: u16 = numbers.next().map_or(Some(0), |minor| minor.parse().ok())?;
    let (format, version) = match (format, major, minor) {
        (Format::Redis, 2, 6..) | (Format::Redis, 3, 0) => (Format::Redis, 6),
        (Format::Redis, 2, 4) => (Format::Redis, 2),
        (Format::Redis, 3, 2) => (Format::Redis, 7),
        (Format::Redis, 4, _) => (Format::Redis, 8),
        (Format::Redis, 5 | 6, _) => (Format::Redis, 9),
        (Format::Redis, 7, 0) => (Format::Redis, 10),
        (Format::Redis, 7, 2) => (Format::Redis, 11),
        (Format::Redis, 7, 4) | (Format::Redis, 8, 0..=5) => (Format::Redis, 12),
        (Format::Redis, 8, 6) => (Format::Redis, 13),
        (Format::Redis, 8, 8) => (Format::Redis, 14),
        (Format::Redis, 8, 10) => (Format::Redis, 15),
        (Format::Valkey, 7, 2) | (Format::Valkey, 8, _) => (Format::Redis, 11),
        (Format::Valkey, 9, 0..=1) => (Format::Valkey, 80),
        (Format::Valkey, 9, 2) => (Format::Valkey, 81),
        _ => return None,
    };
    Some(Header { format, version })
}

pub(super) fn run(args: &RdbConvertArgs) -> anyhow::Result<Exit> {
    let file = &args.source.file;
    refuse_overwriting(file, &args.output)?;
    let to = match args.to {
        To::Same => None,
        To::Header(header) => Some(header),
        To::Lowest | To::Lossless if file == Path::new("-") => {
            bail!("to find the lowest version the RDB is read twice, which standard input cannot be: save it to a file")
        }
        To::Lowest | To::Lossless => match survey(args)? {
            Ok(header) => Some(header),
            Err(exit) => return Ok(exit),
        },
    };
    let output = Output::create(&args.output)?;
    let mut conversion = Conversion {
        to,
        compress: !args.no_compress,
        checksum: !args.no_checksum,
        skip: args.skip,
        sink: Some(output),
        writer: None,
        unfit: 0,
        named: Vec::new(),
        error: None,
    };
    let mut run = Run::new(Collector::new(usize::MAX, |whole| conversion.take(whole)), Depth::Full);
    feed(&args.source, &mut run)?;
    run.exit(file)?;
    drop(run);
    conversion.finish(args)
}

/// Goes once through the RDB for the version that it needs.
fn survey(args: &RdbConvertArgs) -> anyhow::Result<Result<Header, Exit>> {
    let (mut needs, mut own) = (Needs::default(), None);
    let take = |whole: Whole| match whole {
        Whole::Header(header) => own = Some(header),
        Whole::Key(entry) => needs.merge(entry.needs()),
        Whole::Aux(key, _) if key == SLOT_INFO => needs.add(Need::SlotInfo),
        Whole::Aux(..) => needs.add(Need::Aux),
        Whole::Function(_) => needs.add(Need::Functions),
        Whole::Resize(..) => needs.add(Need::TableSizes),
        Whole::Slot { .. } => needs.add(Need::SlotInfo),
        Whole::ModuleAux { .. } => needs.add(Need::ModuleAux),
        Whole::SlotImport { .. } => needs.add(Need::SlotImport),
        Whole::Update(_) => needs.add(Need::Update),
        Whole::Select(_) | Whole::TooLarge { .. } | Whole::End(_) => {}
    };
    let mut run = Run::new(Collector::new(usize::MAX, take), Depth::Full);
    feed(&args.source, &mut run)?;
    run.exit(&args.source.file)?;
    drop(run);
    let least = |format| if args.to == To::Lowest { needs.lowest(format) } else { needs.lossless(format) };
    // Up to 11 both families read what Redis wrote; above, a dump stays in its own.
    let family = match (least(Format::Redis), own) {
        (Ok(header), _) if header.version <= 11 => return Ok(Ok(header)),
        (_, Some(own)) => own.format,
        (_, None) => Format::Redis,
    };
    match least(family) {
        Ok(header) => Ok(Ok(header)),
        Err(need) => bail!("{}: no version of its family holds {need}", args.source.file.display()),
    }
}

const SLOT_INFO: &[u8] = b"slot-info";

/// An RDB on its way from one form to another.
struct Conversion {
    to: Option<Header>,
    compress: bool,
    checksum: bool,
    skip: bool,
    /// The output, until the input's version is known and the writer has it.
    sink: Option<Output>,
    writer: Option<Writer<Output>>,
    /// Keys and other records that do not fit, and the first of them with the reason.
    unfit: u64,
    named: Vec<String>,
    /// Why writing has ended.
    error: Option<WriteError>,
}

impl Conversion {
    fn take(&mut self, whole: Whole) {
        if self.error.is_some() {
            return;
        }
        match self.write(&whole) {
            Ok(()) => {}
            Err(error @ (WriteError::Unfit { .. } | WriteError::TooLong)) => {
                self.unfit += 1;
                if self.unfit <= NAMED {
                    self.named.push(format!("{}: {error}", name(&whole)));
                }
            }
            Err(error) => self.error = Some(error),
        }
    }

    fn write(&mut self, whole: &Whole) -> Result<(), WriteError> {
        if let (Whole::Header(own), Some(sink)) = (whole, self.sink.take()) {
            let target = Target { header: self.to.unwrap_or(*own), compress: self.compress, checksum: self.checksum };
            self.writer = Some(Writer::new(sink, target)?);
        }
        let Some(writer) = &mut self.writer else { return Ok(()) };
        match whole {
            Whole::Aux(key, value) => match slot_info(key, value) {
                Some([slot, keys, expires, volatile]) => writer.slot_info(slot, keys, expires, Some(volatile)),
                None => writer.aux(key, value),
            },
            Whole::Function(code) => writer.function(code),
            // The decoder takes 31 bits only.
            Whole::Select(db) => writer.select(u32::try_from(*db).unwrap_or(u32::MAX)),
            Whole::Resize(keys, expires) => writer.resize(*keys, *expires),
            Whole::Slot { slot, keys, expires } => writer.slot_info(*slot, *keys, *expires, None),
            Whole::ModuleAux { id, when, parts } => writer.module_aux(*id, *when, parts),
            Whole::SlotImport { job, ranges } => writer.slot_import(job, ranges),
            Whole::Update(arguments) => writer.update(arguments),
            Whole::Key(entry) => writer.value(&entry.meta(), &entry.value),
            Whole::Header(_) | Whole::TooLarge { .. } | Whole::End(_) => Ok(()),
        }
    }

    fn finish(mut self, args: &RdbConvertArgs) -> anyhow::Result<Exit> {
        let path = args.output.display();
        if let Some(error) = self.error.take() {
            return Err(error).with_context(|| format!("{path} cannot be written"));
        }
        let file = args.source.file.display();
        let Some(writer) = self.writer.take() else { bail!("{file}: no RDB in it") };
        for named in &self.named {
            say(&format!("{file}: {named}"));
        }
        if self.unfit > NAMED {
            say(&format!("{file}: and {} more", self.unfit - NAMED));
        }
        if self.unfit > 0 && !self.skip {
            bail!(
                "{file}: {} of its records do not fit, so that nothing was written (--skip leaves them out)",
                self.unfit
            );
        }
        let lost: Vec<&str> = writer.lost().iter().map(Need::words).collect();
        if !lost.is_empty() {
            say(&format!("{file}: left out, since the version asked for cannot hold it: {}", lost.join("; ")));
        }
        let output = writer.finish().with_context(|| format!("{path} cannot be written"))?;
        output.keep().with_context(|| format!("{path} cannot be written"))?;
        Ok(Exit::Fine)
    }
}

/// Which record it is, for people.
fn name(whole: &Whole) -> String {
    match whole {
        Whole::Key(entry) => {
            let kind = entry.value.value_type().name();
            format!("db {}, {kind} key {}", entry.db, terminal::safe(&entry.name))
        }
        Whole::Function(code) => {
            let first = code.split(|byte| *byte == b'\n').next().unwrap_or_default();
            format!("function library {}", terminal::safe(first.get(..80).unwrap_or(first)))
        }
        Whole::ModuleAux { id, .. } => format!("what module {} says beside the keys", terminal::safe(&id.name())),
        Whole::SlotImport { .. } => "a SLOT_IMPORT record".to_owned(),
        Whole::Update(_) => "an UPDATE record".to_owned(),
        _ => "a record".to_owned(),
    }
}

/// The numbers of Valkey's AUX field: slot, keys, keys that expire, and since 9.1 keys with fields that expire.
fn slot_info(key: &[u8], value: &[u8]) -> Option<[u64; 4]> {
    if key != SLOT_INFO {
        return None;
    }
    let numbers = std::str::from_utf8(value).ok()?.split(',').map(|number| number.parse().ok());
    let numbers: Vec<u64> = numbers.collect::<Option<_>>()?;
    match numbers[..] {
        [slot, keys, expires] => Some([slot, keys, expires, 0]),
        [slot, keys, expires, volatile] => Some([slot, keys, expires, volatile]),
        _ => None,
    }
}

/// A file that appears under its name only when it is whole, or standard output.
enum Output {
    Stdout(io::Stdout),
    /// What is no regular file (a device, a pipe) cannot be replaced and is written as it is.
    Direct(File),
    Partial {
        file: File,
        partial: PathBuf,
        path: PathBuf,
    },
}

impl Output {
    fn create(path: &Path) -> anyhow::Result<Self> {
        if path == Path::new("-") {
            return Ok(Self::Stdout(io::stdout()));
        }
        let cannot = || format!("{} cannot be written", path.display());
        if fs::metadata(path).is_ok_and(|found| !found.is_file()) {
            return Ok(Self::Direct(File::create(path).with_context(cannot)?));
        }
        let mut name = std::ffi::OsString::from(".");
        name.push(path.file_name().with_context(cannot)?);
        name.push(format!(".{}.part", std::process::id()));
        let partial = path.with_file_name(name);
        let file = File::create(&partial).with_context(cannot)?;
        Ok(Self::Partial { file, partial, path: path.to_owned() })
    }

    /// It is whole.
    fn keep(mut self) -> io::Result<()> {
        self.flush()?;
        match &self {
            Self::Partial { partial, path, .. } => fs::rename(partial, path),
            _ => Ok(()),
        }
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        if let Self::Partial { partial, .. } = self {
            // Where it was kept it has this name no longer.
            let _ = fs::remove_file(partial);
        }
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Stdout(stdout) => stdout.write(bytes),
            Self::Direct(file) | Self::Partial { file, .. } => file.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Stdout(stdout) => stdout.flush(),
            Self::Direct(file) | Self::Partial { file, .. } => file.flush(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_by_many_names() {
        let to = |text: &str| text.parse::<To>();
        let redis = |version| Ok(To::Header(Header { format: Format::Redis, version }));
        let valkey = |version| Ok(To::Header(Header { format: Format::Valkey, version }));
        assert_eq!(to("lowest"), Ok(To::Lowest));
        assert_eq!(to("REDIS9"), redis(9));
        assert_eq!(to("redis0011"), redis(11));
        assert_eq!(to("VALKEY80"), valkey(80));
        assert_eq!(to("VALKEY080"), valkey(80));
        assert_eq!(to("redis-6.2"), redis(9));
        assert_eq!(to("redis-6.2.14"), redis(9));
        assert_eq!(to("redis-7.0"), redis(10));
        assert_eq!(to("redis-8.2"), redis(12));
        assert_eq!(to("valkey-8.1"), redis(11));
        assert_eq!(to("valkey-9.1"), valkey(80));
        for bad in ["", "9", "redis", "redis0", "redis16", "valkey79", "redis-1.0", "redis-7.1", "valkey-7", "keydb-6"]
        {
            assert!(to(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn slot_infos() {
        assert_eq!(slot_info(b"slot-info", b"0,1,0"), Some([0, 1, 0, 0]));
        assert_eq!(slot_info(b"slot-info", b"9,1,0,7"), Some([9, 1, 0, 7]));
        assert_eq!(slot_info(b"slot-info", b"9,x,0"), None);
        assert_eq!(slot_info(b"other", b"0,1,0"), None);
    }
}
