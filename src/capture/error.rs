//! What can be wrong with a capture file, in two kinds. A [`CaptureError`] means that there is nothing to work with: no
//! file, no capture, no packet. [`Damage`] means that the file is sound up to a point and was read up to there.
//!
//! Every message is one sentence that names the file and says what to do; the underlying `io::Error` is part of the
//! text, not a `source()`, so that printing the chain does not say it twice.

use std::fmt;
use std::io;

/// Why a capture cannot be read at all.
#[derive(Debug, thiserror::Error)]
pub enum CaptureError {
    /// The path does not exist.
    #[error("{file}: no such file; check the path (`-` reads standard input)")]
    NotFound {
        /// The path as given.
        file: String,
    },
    /// The user may not read the file.
    #[error("{file} may not be read by this user (permission denied); run as its owner or with sudo")]
    Permission {
        /// The path as given.
        file: String,
    },
    /// The path is a directory.
    #[error("{file} is a directory; name a capture file in it")]
    Directory {
        /// The path as given.
        file: String,
    },
    /// `-` was given, and standard input is a terminal.
    #[error("standard input is a terminal; name a capture file, or pipe one in (`tcpdump -U -w - | repltool …`)")]
    Terminal,
    /// Opening failed for another reason.
    #[error("{file} cannot be opened: {reason}; check the path and the file system")]
    Open {
        /// The path as given.
        file: String,
        /// What the operating system said.
        reason: io::Error,
    },
    /// Reading failed before the first packet.
    #[error("{file} cannot be read at byte {offset}: {reason}; check the device, or record the capture anew")]
    Read {
        /// The file's name.
        file: String,
        /// Where reading stopped, in bytes from the start of the (uncompressed) data.
        offset: u64,
        /// What the operating system, or the decompressor, said.
        reason: io::Error,
    },
    /// Nothing in it.
    #[error("{file} is empty; a capture starts with a header, so its writer died early or still buffers (tcpdump -U)")]
    Empty {
        /// The file's name.
        file: String,
    },
    /// Something else than a capture.
    #[error("{file} is not a capture: its first bytes look like {looks_like}; {hint}")]
    NotACapture {
        /// The file's name.
        file: String,
        /// What its first bytes say.
        looks_like: String,
        /// What to do with such a file.
        hint: &'static str,
    },
    /// Shorter than a capture's header.
    #[error("{file} ends after {bytes} bytes, inside the {format} header; its writer was killed: record it anew")]
    CutHeader {
        /// The file's name.
        file: String,
        /// The format whose header began.
        format: &'static str,
        /// How many bytes there are.
        bytes: u64,
    },
    /// A version of the format that nobody has defined.
    #[error(
        "{file} says that it is {format} version {major}.{minor} (byte 4), and only {known} is known; it is damaged, or \
         needs converting with `editcap`"
    )]
    Version {
        /// The file's name.
        file: String,
        /// The format's name.
        format: &'static str,
        /// The version it claims.
        major: u16,
        /// The minor version it claims.
        minor: u16,
        /// The version that exists.
        known: &'static str,
    },
    /// A sound header, and then nothing that makes a packet.
    #[error("{file} has a valid header but no readable packet at byte {offset}: {reason}; record it anew")]
    NothingReadable {
        /// The file's name.
        file: String,
        /// Where the first unreadable record starts.
        offset: u64,
        /// What is wrong with it.
        reason: String,
    },
}

/// How a capture is damaged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DamageKind {
    /// It ends in the middle of a record: its writer was killed, or the disk was full.
    Cut,
    /// The bytes from there on make no sense, or cannot be read.
    Unreadable,
}

/// Where a capture stops being readable. What came before was delivered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// The file's name.
    pub file: String,
    /// The start of the first record that could not be read, in bytes from the start of the (uncompressed) data.
    pub offset: u64,
    /// Whether `offset` counts decompressed bytes.
    pub compressed: bool,
    /// Cut, or unreadable.
    pub kind: DamageKind,
    /// What is wrong, as part of a sentence.
    pub reason: String,
    /// How many packets were read before it.
    pub packets: u64,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, offset, packets, reason, .. } = self;
        let unit = if self.compressed { "uncompressed byte" } else { "byte" };
        match self.kind {
            DamageKind::Cut => write!(f, "{file} is cut at {unit} {offset}: {reason}")?,
            DamageKind::Unreadable => write!(f, "{file} is unreadable from {unit} {offset} on: {reason}")?,
        }
        match packets {
            0 => Ok(()),
            1 => write!(f, "; the packet before it was read"),
            _ => write!(f, "; the {packets} packets before it were read"),
        }
    }
}

/// What a grammar reports when it cannot go on, before it is put in a sentence.
#[derive(Debug)]
pub(super) struct Fault {
    /// The start of the record that could not be read.
    pub(super) offset: u64,
    /// What is wrong with it.
    pub(super) cause: FaultCause,
}

/// What is wrong with a record.
#[derive(Debug)]
pub(super) enum FaultCause {
    /// The data end inside it.
    Cut,
    /// It contradicts the format.
    Unreadable(String),
    /// The source failed while it was read.
    Read(io::Error),
}

impl Fault {
    #[cold]
    pub(super) fn cut(offset: u64) -> Box<Self> {
        Box::new(Self { offset, cause: FaultCause::Cut })
    }

    #[cold]
    pub(super) fn unreadable(offset: u64, reason: String) -> Box<Self> {
        Box::new(Self { offset, cause: FaultCause::Unreadable(reason) })
    }

    #[cold]
    pub(super) fn read(offset: u64, error: io::Error) -> Box<Self> {
        Box::new(Self { offset, cause: FaultCause::Read(error) })
    }

    /// The damage in words: its kind, and a clause for [`Damage::reason`].
    pub(super) fn describe(self) -> (DamageKind, String) {
        match self.cause {
            FaultCause::Cut => (DamageKind::Cut, "the file ends inside the record that starts there".to_owned()),
            FaultCause::Unreadable(reason) => (DamageKind::Unreadable, reason),
            FaultCause::Read(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                (DamageKind::Cut, "the compressed data end inside the record that starts there".to_owned())
            }
            FaultCause::Read(error) => (DamageKind::Unreadable, error.to_string()),
        }
    }
}
