//! Where an RDB comes from: whatever the file is, its RDB's bytes are handed on as they are read.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use anyhow::{Context, bail};

use super::progress::Progress;
use crate::bounds::{MAX_PAYLOAD_HEADER, READ_BUFFER};
use crate::capture::is_capture;
use crate::cli::args::RdbSource;
use crate::cli::extract::rdb_link;
use crate::cli::input::{self, Plan};
use crate::repl::event::{Event, Sink};
use crate::repl::observer::Settings;
use crate::repl::summary::{LinkSummary, Summaries};
use crate::repl::words::{self, PayloadHeader};
use crate::units::LinkNumber;

/// Takes an RDB's bytes. Gives how many belonged to it; fewer than there were means that it has ended.
pub(in crate::cli) trait Taker {
    fn take(&mut self, bytes: &[u8]) -> usize;

    /// Keys found so far, for the person who waits.
    fn keys(&self) -> Option<u64> {
        None
    }

    /// Whether it prints while it takes.
    fn prints(&self) -> bool {
        false
    }

    /// Whether a capture's RDB may lack its end or parts.
    fn takes_cut(&self) -> bool {
        false
    }

    /// Whether it has all that it wants.
    fn is_done(&self) -> bool {
        false
    }
}

/// Hands an RDB to `taker`. Gives how many bytes of the file follow it.
pub(in crate::cli) fn feed(source: &RdbSource, taker: &mut dyn Taker) -> anyhow::Result<u64> {
    let (path, link) = (source.file.as_path(), source.link);
    let name = path.display().to_string();
    let mut total = None;
    let mut reader: Box<dyn Read> = if path == Path::new("-") {
        Box::new(io::stdin())
    } else {
        if path.is_dir() {
            bail!("{name} is a directory; name a file in it");
        }
        let file = File::open(path).with_context(|| format!("{name} cannot be read"))?;
        total = file.metadata().ok().filter(std::fs::Metadata::is_file).map(|metadata| metadata.len());
        Box::new(file)
    };
    let mut progress = Progress::new(total, taker.prints());
    let mut buffer = vec![0; READ_BUFFER];
    let length = fill(&mut *reader, &mut buffer).with_context(|| format!("{name} cannot be read"))?;
    let head = &buffer[..length];
    if is_capture(head) {
        if path == Path::new("-") {
            bail!("a capture is read twice and so cannot come from standard input: save it to a file first");
        }
        return from_capture(path, link, taker);
    }
    if link.is_some() {
        bail!("{name} is no capture: --link has no meaning for it");
    }
    let rest = match behind_header(head) {
        Some(start) => &head[start..],
        // An RDB, or something that the decoder will refuse at its first byte.
        None => head,
    };
    let mut read = length as u64;
    let taken = taker.take(rest);
    let mut trailing = (rest.len() - taken) as u64;
    loop {
        progress.at(read, taker.keys());
        if taker.is_done() {
            return Ok(trailing);
        }
        let length = fill(&mut *reader, &mut buffer).with_context(|| format!("{name} cannot be read"))?;
        if length == 0 {
            return Ok(trailing);
        }
        read += length as u64;
        let taken = if trailing == 0 { taker.take(&buffer[..length]) } else { 0 };
        trailing += (length - taken) as u64;
    }
}

/// Where in a file its RDB begins; `None` where it is no plain file of an RDB and has to be passed through [`feed`].
pub(super) fn in_file(path: &Path) -> anyhow::Result<Option<(File, u64)>> {
    let name = path.display();
    if path == Path::new("-") || !path.is_file() {
        return Ok(None);
    }
    let mut file = File::open(path).with_context(|| format!("{name} cannot be read"))?;
    let mut head = vec![0; READ_BUFFER];
    let length = fill(&mut file, &mut head).with_context(|| format!("{name} cannot be read"))?;
    let head = &head[..length];
    Ok((!is_capture(head)).then(|| (file, behind_header(head).unwrap_or(0) as u64)))
}

/// Reads until the buffer is full or the input ends.
fn fill(reader: &mut dyn Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut length = 0;
    while length < buffer.len() {
        match reader.read(&mut buffer[length..]) {
            Ok(0) => break,
            Ok(read) => length += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(length)
}

/// Of what a master sends after PSYNC or SYNC, where the RDB begins: behind newlines, replies and the payload's header.
fn behind_header(head: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        let rest = head.get(at..)?;
        let end = memchr::memchr(b'\n', &rest[..rest.len().min(MAX_PAYLOAD_HEADER)])?;
        let line = rest[..end].trim_ascii_end();
        at += end + 1;
        match line.first() {
            None | Some(b'+' | b'-') => {}
            Some(b'$') => match words::payload_header(line)? {
                PayloadHeader::EndOffset { .. } => {}
                PayloadHeader::Length(_) | PayloadHeader::EofMark(_) => return Some(at),
            },
            Some(_) => return None,
        }
    }
}

fn from_capture(path: &Path, link: Option<u32>, taker: &mut dyn Taker) -> anyhow::Result<u64> {
    let settings = Settings { keep: 256, clients: false };
    let plan = || Plan { path, filter: &[], writer: None, count: None, settings };
    let first = input::pass(plan(), Summaries::new(), |_| false)?;
    let links = first.pipeline.observer.sink.into_report().links;
    let link = match taker.takes_cut().then(|| cut_link(&links, link)).flatten() {
        Some(cut) => cut,
        None => rdb_link(&links, link, first.file.name())?,
    };
    let progress = Progress::new(None, taker.prints());
    let sink = FromLink { link, taker, read: 0, progress };
    input::pass(plan(), sink, |sink| sink.taker.is_done())?;
    Ok(0)
}

/// The link whose RDB is meant, where that did not travel whole.
fn cut_link(links: &[LinkSummary], wanted: Option<u32>) -> Option<LinkNumber> {
    let mut cut = links.iter().filter_map(|link| link.rdb.as_ref().map(|rdb| (link, rdb)));
    match wanted {
        Some(wanted) => cut.find(|(link, rdb)| link.link.0 == wanted && !rdb.complete).map(|(_, rdb)| rdb.link),
        None => match (cut.next(), cut.next()) {
            (Some((_, rdb)), None) => Some(rdb.link),
            _ => None,
        },
    }
}

/// Takes the payload of one link.
struct FromLink<'a> {
    link: LinkNumber,
    taker: &'a mut dyn Taker,
    /// Bytes of the payload so far.
    read: u64,
    progress: Progress,
}

impl Sink for FromLink<'_> {
    fn event(&mut self, _: &Event<'_>) {}

    fn payload(&mut self, link: LinkNumber, bytes: &[u8]) {
        if link == self.link {
            self.taker.take(bytes);
            self.read += bytes.len() as u64;
            self.progress.at(self.read, self.taker.keys());
        }
    }
}
