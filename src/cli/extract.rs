//! `repltool extract`: the RDB or the stream of a link, byte for byte.
//!
//! The capture is read twice: first for the summary of each link, which tells what there is and which is meant; then for
//! the bytes.

use std::fs::File;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::Path;

use anyhow::{Context, bail};

use super::args::ExtractArgs;
use super::input::{self, Plan};
use super::{Exit, say};
use crate::repl::event::{Event, Kind, Sink};
use crate::repl::observer::Settings;
use crate::repl::summary::{LinkSummary, Summaries};
use crate::repl::words::EOF_MARK_LENGTH;
use crate::units::LinkNumber;

/// Extracting looks at no argument.
const SETTINGS: Settings = Settings { keep: 256, clients: false };

pub(super) fn run(args: &ExtractArgs) -> anyhow::Result<Exit> {
    if args.capture == Path::new("-") {
        bail!("extract reads a capture twice and so cannot take standard input: save it to a file first");
    }
    for path in args.rdb.iter().chain(&args.stream) {
        input::refuse_overwriting(&args.capture, path)?;
    }
    let plan = || Plan { path: &args.capture, filter: &args.filter, writer: None, count: None, settings: SETTINGS };
    let first = input::pass(plan(), Summaries::new(), |_| false)?;
    let links = first.pipeline.observer.sink.into_report().links;
    let name = first.file.name().to_owned();
    let damage = first.file.damage().map(ToString::to_string);
    let rdb = args
        .rdb
        .as_deref()
        .map(|path| Ok::<_, anyhow::Error>((path, rdb_link(&links, args.link, &name)?)))
        .transpose()?;
    let stream = args
        .stream
        .as_deref()
        .map(|path| Ok::<_, anyhow::Error>((path, stream_link(&links, args.link, &name)?)))
        .transpose()?;
    if matches!((&rdb, &stream), (Some((a, _)), Some((b, _))) if a == b) {
        bail!("--rdb and --stream need two different files");
    }
    let carver = Carver {
        rdb: rdb.map(|(path, link)| Carving::create(path, link)).transpose()?,
        stream: stream.map(|(path, link)| Carving::create(path, link)).transpose()?,
    };
    let carver = input::pass(plan(), carver, Carver::has_failed)?.pipeline.observer.sink;
    let written: Vec<String> = [("RDB", carver.rdb), ("stream", carver.stream)]
        .into_iter()
        .filter_map(|(what, carving)| Some((what, carving?)))
        .map(|(what, carving)| carving.finish(what))
        .collect::<anyhow::Result<_>>()?;
    if let Some(damage) = damage {
        say(&damage);
    }
    if io::stderr().is_terminal() {
        written.iter().for_each(|sentence| say(sentence));
    }
    Ok(Exit::Fine)
}

/// The link on which the RDB that is meant travelled, whole.
pub(super) fn rdb_link(links: &[LinkSummary], wanted: Option<u32>, name: &str) -> anyhow::Result<LinkNumber> {
    if let Some(number) = wanted {
        let link = find(links, number, name)?;
        return match &link.rdb {
            None => bail!("{name}: no RDB travelled on link {number}{}", others(&with_rdb(links), "those with one")),
            Some(rdb) if !rdb.complete => {
                bail!("{name}: the capture has only {} bytes of link {number}'s RDB, not all of it", rdb.bytes)
            }
            Some(rdb) => Ok(rdb.link),
        };
    }
    let candidates = with_rdb(links);
    match candidates[..] {
        [] => bail!("{name}: no RDB in it that travelled whole"),
        [link] => Ok(link.rdb.as_ref().map_or(link.link, |rdb| rdb.link)),
        _ => bail!("{name}: several RDBs in it, say which with --link:{}", list(&candidates)),
    }
}

/// The link whose stream is meant.
fn stream_link(links: &[LinkSummary], wanted: Option<u32>, name: &str) -> anyhow::Result<LinkNumber> {
    let has_stream = |link: &&LinkSummary| link.stream.as_ref().is_some_and(|stream| stream.bytes > 0);
    let candidates: Vec<&LinkSummary> = links.iter().filter(has_stream).collect();
    let link = match (wanted, &candidates[..]) {
        (Some(number), _) => find(links, number, name)?,
        (None, []) => bail!("{name}: no replication stream in it"),
        (None, [link]) => *link,
        (None, _) => bail!("{name}: several streams in it, say which with --link:{}", list(&candidates)),
    };
    if !has_stream(&link) {
        bail!("{name}: no stream travelled on link {}{}", link.link, others(&candidates, "those with one"));
    }
    if link.stream_gaps > 0 {
        bail!("{name}: the capture lacks {} bytes of link {}'s stream", link.stream_gaps, link.link);
    }
    Ok(link.link)
}

fn find<'a>(links: &'a [LinkSummary], number: u32, name: &str) -> anyhow::Result<&'a LinkSummary> {
    let found = links.iter().find(|link| link.link.0 == number);
    found.with_context(|| {
        let all: Vec<&LinkSummary> = links.iter().collect();
        format!("{name}: there is no link {number}{}", others(&all, "the links"))
    })
}

/// The links that carried an RDB themselves, whole.
fn with_rdb(links: &[LinkSummary]) -> Vec<&LinkSummary> {
    let carried = |link: &&LinkSummary| link.rdb.as_ref().is_some_and(|rdb| rdb.complete && rdb.link == link.link);
    links.iter().filter(carried).collect()
}

fn others(links: &[&LinkSummary], what: &str) -> String {
    match links {
        [] => String::new(),
        _ => format!("; {what}:{}", list(links)),
    }
}

/// The candidates, as many as a person wants to read.
fn list(links: &[&LinkSummary]) -> String {
    const SHOWN: usize = 12;
    let describe = |link: &&LinkSummary| {
        let rdb = link.rdb.as_ref().map_or_else(String::new, |rdb| format!(", RDB of {} bytes", rdb.bytes));
        let stream =
            link.stream.as_ref().map_or_else(String::new, |stream| format!(", stream of {} bytes", stream.bytes));
        format!(" {} ({}{rdb}{stream})", link.link, link.replica)
    };
    let mut text = links.iter().take(SHOWN).map(describe).collect::<Vec<_>>().join(",");
    if links.len() > SHOWN {
        text += &format!(" and {} more", links.len() - SHOWN);
    }
    text
}

/// A file in the making.
struct Carving {
    link: LinkNumber,
    path: String,
    writer: Box<dyn Write + Send>,
    written: u64,
    /// The last bytes, held back because they may turn out to be the transfer's mark.
    tail: Vec<u8>,
    done: bool,
    error: Option<io::Error>,
}

impl Carving {
    fn create(path: &Path, link: LinkNumber) -> anyhow::Result<Self> {
        let writer: Box<dyn Write + Send> = if path == Path::new("-") {
            Box::new(io::stdout())
        } else {
            Box::new(File::create(path).with_context(|| format!("{} cannot be written", path.display()))?)
        };
        let writer = Box::new(BufWriter::with_capacity(1 << 18, writer));
        Ok(Self {
            link,
            path: path.display().to_string(),
            writer,
            written: 0,
            tail: Vec::new(),
            done: false,
            error: None,
        })
    }

    fn write(&mut self, bytes: &[u8]) {
        if self.error.is_none() && !self.done {
            self.error = self.writer.write_all(bytes).err();
            self.written += bytes.len() as u64;
        }
    }

    /// Writes all but what may be a mark.
    fn write_but_tail(&mut self, bytes: &[u8]) {
        let mut tail = std::mem::take(&mut self.tail);
        let fresh = bytes.len().saturating_sub(EOF_MARK_LENGTH);
        if fresh > 0 {
            self.write(&tail);
            self.write(&bytes[..fresh]);
            tail.clear();
            tail.extend_from_slice(&bytes[fresh..]);
        } else {
            tail.extend_from_slice(bytes);
            let over = tail.len().saturating_sub(EOF_MARK_LENGTH);
            self.write(&tail[..over]);
            tail.drain(..over);
        }
        self.tail = tail;
    }

    /// The transfer has ended; `bytes` of what came were its own.
    fn end(&mut self, bytes: u64) {
        let tail = std::mem::take(&mut self.tail);
        let left = usize::try_from(bytes.saturating_sub(self.written)).unwrap_or(usize::MAX).min(tail.len());
        self.write(&tail[..left]);
        self.done = true;
    }

    fn finish(mut self, what: &str) -> anyhow::Result<String> {
        let error = self.error.take().or_else(|| self.writer.flush().err());
        if let Some(error) = error {
            return Err(error).with_context(|| format!("{} cannot be written", self.path));
        }
        Ok(format!("link {}: {what} of {} bytes written to {}", self.link, self.written, self.path))
    }
}

/// Takes the bytes of the links that were asked for.
struct Carver {
    rdb: Option<Carving>,
    stream: Option<Carving>,
}

impl Carver {
    fn has_failed(&self) -> bool {
        [&self.rdb, &self.stream].into_iter().flatten().any(|carving| carving.error.is_some())
    }
}

impl Sink for Carver {
    fn event(&mut self, event: &Event<'_>) {
        if let (Kind::RdbEnd(end), Some(rdb)) = (event.kind, &mut self.rdb)
            && event.link == Some(rdb.link)
        {
            rdb.end(end.bytes);
        }
    }

    fn payload(&mut self, link: LinkNumber, bytes: &[u8]) {
        if let Some(rdb) = self.rdb.as_mut().filter(|rdb| rdb.link == link) {
            rdb.write_but_tail(bytes);
        }
    }

    fn stream(&mut self, link: LinkNumber, bytes: &[u8]) {
        if let Some(stream) = self.stream.as_mut().filter(|stream| stream.link == link) {
            stream.write(bytes);
        }
    }
}
