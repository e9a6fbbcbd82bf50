//! Reading capture files: what kind of file it is, and its frames one after another.
//!
//! Opening reads as much as it takes to be sure of the format, 24 bytes of capture, and not more, so that a live pipe
//! (`tcpdump -U -w - | repltool sniff -r -`) is decoded from its first packet. A file that is sound up to a point gives
//! the frames up to there and then [`Damage`]; one that never gives a frame is an error. A header and then the end is a
//! sound capture of nothing.

use super::error::{CaptureError, Damage, DamageKind, Fault, FaultCause};
use super::input::Input;
use super::{Compression, Frame, LinkType, Record, classic, pcapng};
use crate::units::{FrameNumber, Stamp};
use std::fmt;
use std::fs::File;
use std::io::{self, IsTerminal, Read};
use std::path::Path;

/// The format of a capture file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Classic pcap, of whatever variant.
    Pcap,
    /// pcapng.
    PcapNg,
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pcap => "pcap",
            Self::PcapNg => "pcapng",
        })
    }
}

/// The two record grammars.
enum Grammar {
    Classic(classic::Classic),
    PcapNg(pcapng::PcapNg),
}

/// A capture file that is being read.
pub struct CaptureFile {
    name: String,
    input: Input,
    grammar: Grammar,
    compression: Option<Compression>,
    frames: u64,
    damage: Option<Damage>,
}

impl fmt::Debug for CaptureFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, compression, frames, damage, .. } = self;
        write!(f, "CaptureFile({name}, {}, {compression:?}, {frames} frames, {damage:?})", self.format())
    }
}

impl CaptureFile {
    /// Opens the capture at `path`; `-` is standard input.
    ///
    /// # Errors
    /// When it cannot be opened or read, or does not start with a capture's header.
    pub fn open(path: &Path) -> Result<Self, CaptureError> {
        if path.as_os_str() == "-" {
            if io::stdin().is_terminal() {
                return Err(CaptureError::Terminal);
            }
            return Self::from_reader("standard input", Box::new(io::stdin()));
        }
        let file = path.display().to_string();
        // Asked before opening: a directory opens well enough, and fails at the first read with an obscure text.
        let opened = if path.is_dir() { Err(io::ErrorKind::IsADirectory.into()) } else { File::open(path) };
        match opened {
            Ok(source) => Self::from_reader(&file, Box::new(source)),
            Err(reason) => Err(match reason.kind() {
                io::ErrorKind::NotFound => CaptureError::NotFound { file },
                io::ErrorKind::PermissionDenied => CaptureError::Permission { file },
                io::ErrorKind::IsADirectory => CaptureError::Directory { file },
                _ => CaptureError::Open { file, reason },
            }),
        }
    }

    /// Reads a capture from any source; `name` is what messages call it.
    ///
    /// # Errors
    /// When it cannot be read, or does not start with a capture's header.
    pub fn from_reader(name: &str, source: Box<dyn Read + Send>) -> Result<Self, CaptureError> {
        let failed =
            |input: &Input, reason| CaptureError::Read { file: name.to_owned(), offset: input.offset(), reason };
        let mut input = Input::new(source);
        input.need(4).map_err(|reason| failed(&input, reason))?;
        let compression = Compression::detect(input.available());
        if let Some(compression) = compression {
            input = Input::new(compression.reader(input.into_reader()));
        }
        // Not all of it need be there: what is there says what is wrong.
        input.need(classic::HEADER).map_err(|reason| failed(&input, reason))?;
        let grammar = recognise(name, input.available())?;
        if matches!(grammar, Grammar::Classic(_)) {
            input.consume(classic::HEADER);
        }
        Ok(Self { name: name.to_owned(), input, grammar, compression, frames: 0, damage: None })
    }

    /// The next frame, or `None` at the end of what can be read; [`CaptureFile::damage`] then says whether that is the
    /// end of the file. The frame's bytes are lent until the next call.
    ///
    /// # Errors
    /// When the file is damaged before its first frame; after that error comes `None`.
    #[inline]
    pub fn next_frame(&mut self) -> Result<Option<Frame<'_>>, CaptureError> {
        if self.damage.is_some() {
            return Ok(None);
        }
        let next = match &mut self.grammar {
            Grammar::Classic(classic) => classic.next(&mut self.input),
            Grammar::PcapNg(pcapng) => pcapng.next(&mut self.input),
        };
        let Record { time, link_type, original_length, data } = match next {
            Ok(Some(record)) => record,
            Ok(None) => return Ok(None),
            Err(fault) => return self.stop(*fault).map(|()| None),
        };
        self.frames += 1;
        let stamp = Stamp { frame: FrameNumber(self.frames), time };
        Ok(Some(Frame { stamp, link_type, original_length, data: self.input.slice(data) }))
    }

    /// Ends the reading at damage, which is an error where nothing came before it.
    #[cold]
    fn stop(&mut self, fault: Fault) -> Result<(), CaptureError> {
        let offset = fault.offset;
        let system = matches!(&fault.cause, FaultCause::Read(error) if error.raw_os_error().is_some());
        let first = self.frames == 0;
        // The error takes the operating system's answer along; the damage keeps its text.
        let (kind, reason) = match fault.cause {
            FaultCause::Read(reason) if system && first => {
                let (file, text) = (self.name.clone(), reason.to_string());
                self.damage = Some(self.damage_at(offset, DamageKind::Unreadable, text));
                return Err(CaptureError::Read { file, offset, reason });
            }
            _ => fault.describe(),
        };
        self.damage = Some(self.damage_at(offset, kind, reason.clone()));
        if first {
            return Err(CaptureError::NothingReadable { file: self.name.clone(), offset, reason });
        }
        Ok(())
    }

    fn damage_at(&self, offset: u64, kind: DamageKind, reason: String) -> Damage {
        let (file, packets) = (self.name.clone(), self.frames);
        Damage { file, offset, compressed: self.compression.is_some(), kind, reason, packets }
    }

    /// What messages call the file.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The file's format, under any compression.
    #[must_use]
    pub fn format(&self) -> Format {
        match self.grammar {
            Grammar::Classic(_) => Format::Pcap,
            Grammar::PcapNg(_) => Format::PcapNg,
        }
    }

    /// How the file is compressed, if it is.
    #[must_use]
    pub fn compression(&self) -> Option<Compression> {
        self.compression
    }

    /// The link types declared so far, each once, in order. Classic pcap has its one from the start; pcapng declares them
    /// on the way, so before the first frame there may be none.
    #[must_use]
    pub fn link_types(&self) -> &[LinkType] {
        match &self.grammar {
            Grammar::Classic(classic) => &classic.link_types,
            Grammar::PcapNg(pcapng) => &pcapng.link_types,
        }
    }

    /// How many packets the recorder lost, as far as the file has told by now: the sum of the interfaces' last pcapng
    /// statistics (`isb_ifdrop` and `isb_osdrop`), or of the packets' own drop counts. `None` where it does not tell,
    /// as classic pcap never does.
    #[must_use]
    pub fn dropped(&self) -> Option<u64> {
        match &self.grammar {
            Grammar::Classic(_) => None,
            Grammar::PcapNg(pcapng) => pcapng.dropped(),
        }
    }

    /// How many bytes of capture, after decompression, have been consumed: headers and all.
    #[must_use]
    pub fn bytes_read(&self) -> u64 {
        self.input.offset()
    }

    /// How many frames have been delivered.
    #[must_use]
    pub fn frames(&self) -> u64 {
        self.frames
    }

    /// Where the file stops being readable, once that place has been reached.
    #[must_use]
    pub fn damage(&self) -> Option<&Damage> {
        self.damage.as_ref()
    }
}

/// Which grammar the first bytes call for, or why none does.
fn recognise(name: &str, head: &[u8]) -> Result<Grammar, CaptureError> {
    let file = name.to_owned();
    if head.is_empty() {
        return Err(CaptureError::Empty { file });
    }
    if pcapng::detect(head) {
        return Ok(Grammar::PcapNg(pcapng::PcapNg::default()));
    }
    let cut = |format| CaptureError::CutHeader { file: name.to_owned(), format, bytes: head.len() as u64 };
    if classic::detect(head) {
        let Some(header) = head.first_chunk::<{ classic::HEADER }>() else { return Err(cut("pcap")) };
        return match classic::Classic::parse(header) {
            Some(classic) if classic.version.0 == 2 => Ok(Grammar::Classic(classic)),
            Some(classic) => {
                let (major, minor) = classic.version;
                Err(CaptureError::Version { file, format: "pcap", major, minor, known: "2.4" })
            }
            None => Err(cut("pcap")),
        };
    }
    if head.len() < pcapng::HEADER && head.starts_with(&[0x0a, 0x0d, 0x0d, 0x0a]) {
        return Err(cut("pcapng"));
    }
    let (looks_like, hint) = look(head);
    Err(CaptureError::NotACapture { file, looks_like, hint })
}

const CONVERT: &str = "convert it with `editcap FILE out.pcapng`";
const UNPACK: &str = "unpack it first, or pack it with gzip or zstd";
const RECORD: &str = "name a pcap or pcapng file, as `tcpdump -w FILE` records";
const RDB: &str = "inspect it with `repltool rdb info FILE`";

/// Files that people hand to a capture reader: how they start, what they are, and what to do with them.
const STRANGERS: &[(&[u8], &str, &str)] = &[
    (b"snoop\0\0\0", "a Solaris snoop capture", CONVERT),
    (b"btsnoop\0", "a Bluetooth btsnoop log", RECORD),
    (b"GMBU", "a Microsoft Network Monitor 2 capture", CONVERT),
    (b"RTSS", "a Microsoft Network Monitor 1 capture", CONVERT),
    (b"XCP\0", "a NetXRay or Windows Sniffer capture", CONVERT),
    (b"TRSNIFF data", "a DOS Sniffer capture", CONVERT),
    (b"iptrace ", "an AIX iptrace capture", CONVERT),
    (b"REDIS0", "an RDB file", RDB),
    (b"VALKEY", "an RDB file (of Valkey)", RDB),
    (b"\x1f\x8b", "gzip data inside compressed data", UNPACK),
    (b"\x28\xb5\x2f\xfd", "zstd data inside compressed data", UNPACK),
    (b"\xfd7zXZ\0", "xz-compressed data", UNPACK),
    (b"BZh", "bzip2-compressed data", UNPACK),
    (b"\x04\x22\x4d\x18", "lz4-compressed data", UNPACK),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive", UNPACK),
    (b"PK\x03\x04", "a ZIP archive", UNPACK),
    (b"\x89PNG", "a PNG image", RECORD),
    (b"\xff\xd8\xff", "a JPEG image", RECORD),
    (b"%PDF", "a PDF document", RECORD),
    (b"\x7fELF", "an ELF program", RECORD),
    (b"SQLite format 3", "an SQLite database", RECORD),
];

/// What a file that is no capture looks like, and what to do with it.
fn look(head: &[u8]) -> (String, &'static str) {
    if let Some((_, what, hint)) = STRANGERS.iter().find(|(magic, ..)| head.starts_with(magic)) {
        return ((*what).to_owned(), hint);
    }
    let text = head.iter().all(|byte| matches!(byte, b'\t' | b'\n' | b'\r' | b' '..=b'~'));
    match head {
        [b'*', b'0'..=b'9', ..] if text => ("an append-only file (RESP commands)".to_owned(), RECORD),
        _ if text => ("text (what tcpdump prints, perhaps)".to_owned(), RECORD),
        _ => {
            let bytes: Vec<String> = head.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
            (format!("nothing known ({})", bytes.join(" ")), RECORD)
        }
    }
}
