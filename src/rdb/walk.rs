//! The walk through an RDB for its end, its counts and its checksum.

use super::error::{Fault, RdbError};
use super::grammar::{AUX, Class, FUNCTION, Header, Record, Role};
use super::lzf;
use super::machine::{Machine, Progress, Visited, Visitor};
use super::primitive::Head;
use crate::bounds::{MAX_RDB_AUX, MAX_RDB_AUX_KEPT, MAX_RDB_DATABASES};
use std::collections::HashSet;

/// The verdict on the eight bytes after the EOF opcode, CRC-64/Redis (Jones) of everything before them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checksum {
    /// It is right.
    Ok,
    /// It is wrong: the RDB is damaged, although it could be walked to its end.
    Bad {
        /// The checksum in the RDB.
        stored: u64,
        /// The checksum of the bytes that came.
        computed: u64,
    },
    /// Eight zero bytes: the writer had `rdbchecksum no`.
    Off,
    /// The version is below 5 and has none.
    Absent,
}

impl Checksum {
    /// The verdict on the stored and the computed one, if the version has any.
    pub(super) fn judge(checksums: Option<(u64, u64)>) -> Self {
        match checksums {
            None => Self::Absent,
            Some((0, _)) => Self::Off,
            Some((stored, computed)) if stored == computed => Self::Ok,
            Some((stored, computed)) => Self::Bad { stored, computed },
        }
    }
}

/// What a walk has read so far. Counts are of complete records.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Magic and version; `None` while fewer than 9 bytes have come.
    pub header: Option<Header>,
    /// The AUX records kept, in order, decoded: key and value.
    pub aux: Vec<(Vec<u8>, Vec<u8>)>,
    /// How many more AUX records there were, beyond [`MAX_RDB_AUX_KEPT`] or longer than [`MAX_RDB_AUX`] bytes.
    pub aux_left_out: u64,
    /// Distinct databases that hold at least one key.
    pub databases: u64,
    /// Keys.
    pub keys: u64,
    /// Keys with an expiry.
    pub expires: u64,
    /// Function libraries (FUNCTION2 records).
    pub functions: u64,
    /// The checksum's verdict; `None` before the end.
    pub checksum: Option<Checksum>,
    /// Bytes of the RDB taken; after an error, those before the primitive that could not be read.
    pub bytes: u64,
    /// Whether the RDB's end was reached.
    pub complete: bool,
}

/// A resumable walk through one RDB. Memory is bounded by the constants in [`crate::bounds`], whatever comes.
///
/// ```
/// use repltool::rdb::{Checksum, Walk};
/// let mut walk = Walk::new();
/// let mut stream: &[u8] = b"REDIS0004\xfe\x00\x00\x03key\x05value\xffnot the RDB's";
/// let progress = walk.push(stream)?;
/// stream = &stream[progress.consumed..];
/// assert!(progress.ended);
/// assert_eq!(stream, b"not the RDB's");
/// assert_eq!((walk.summary().keys, walk.summary().checksum), (1, Some(Checksum::Absent)));
/// # Ok::<(), repltool::rdb::RdbError>(())
/// ```
pub struct Walk {
    machine: Machine<Collector>,
}

impl std::fmt::Debug for Walk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Walk").field("summary", self.summary()).finish_non_exhaustive()
    }
}

impl Default for Walk {
    fn default() -> Self {
        Self::new()
    }
}

impl Walk {
    /// A walk that waits for the magic.
    #[must_use]
    pub fn new() -> Self {
        Self { machine: Machine::new(Collector::default()) }
    }

    /// Takes the next bytes, of any number. After the end nothing more is consumed.
    ///
    /// # Errors What the format does not allow or this program does not know, with its place; the same again at every
    /// later call. A wrong checksum is no error but [`Checksum::Bad`] in the summary.
    pub fn push(&mut self, bytes: &[u8]) -> Result<Progress, RdbError> {
        let progress = self.machine.push(bytes);
        let taken = self.machine.offset();
        self.machine.visitor_mut().summary.bytes = taken;
        progress
    }

    /// What was read so far; of a cut or damaged RDB, what was read before.
    #[must_use]
    pub fn summary(&self) -> &Summary {
        &self.machine.visitor().summary
    }
}

/// The visitor behind [`Walk`]: counts, and keeps the AUX strings.
#[derive(Default)]
struct Collector {
    summary: Summary,
    aux_key: Collected,
    aux_value: Collected,
    /// An expiry was read and waits for its key.
    expiry: bool,
    /// The database selected last; 0 where none was.
    database: u64,
    /// Whether it was counted since it was selected.
    counted: bool,
    databases: HashSet<u64>,
}

impl Collector {
    fn collected(&mut self, role: Role) -> Option<&mut Collected> {
        match role {
            Role::AuxKey => Some(&mut self.aux_key),
            Role::AuxValue => Some(&mut self.aux_value),
            _ => None,
        }
    }

    fn end_aux(&mut self) {
        let (key, value) = (std::mem::take(&mut self.aux_key), std::mem::take(&mut self.aux_value));
        match (key.kept, value.kept) {
            (Some(key), Some(value)) if self.summary.aux.len() < MAX_RDB_AUX_KEPT => {
                self.summary.aux.push((key, value))
            }
            _ => self.summary.aux_left_out += 1,
        }
    }

    fn end_key(&mut self) {
        self.summary.keys += 1;
        self.summary.expires += u64::from(std::mem::take(&mut self.expiry));
        if !self.counted {
            self.counted = true;
            // Beyond the bound a database that comes again is counted again; servers write each once.
            let full = self.databases.len() >= MAX_RDB_DATABASES;
            if (full && !self.databases.contains(&self.database)) || (!full && self.databases.insert(self.database)) {
                self.summary.databases += 1;
            }
        }
    }
}

impl Visitor for Collector {
    fn header(&mut self, header: Header) {
        self.summary.header = Some(header);
    }

    #[inline]
    fn record_end(&mut self, record: &Record, _end: u64) -> Visited {
        match record.byte {
            _ if record.class == Class::Key => self.end_key(),
            AUX => self.end_aux(),
            FUNCTION => self.summary.functions += 1,
            _ => {}
        }
        Ok(())
    }

    #[inline]
    fn number(&mut self, role: Role, number: u64) -> Visited {
        if role == Role::Database {
            self.database = number;
            self.counted = false;
        }
        Ok(())
    }

    #[inline]
    fn raw(&mut self, role: Role, bytes: &[u8]) -> Visited {
        match role {
            // Servers hold "no expiry" as -1 and so read one of -1 milliseconds.
            Role::ExpiryMilliseconds => self.expiry = bytes != [0xff; 8],
            Role::ExpirySeconds => self.expiry = true,
            _ => {}
        }
        Ok(())
    }

    #[inline]
    fn string(&mut self, role: Role, head: Head) -> Visited {
        if let Some(collected) = self.collected(role) {
            *collected = Collected::begin(head);
        }
        Ok(())
    }

    #[inline]
    fn part(&mut self, role: Role, bytes: &[u8]) -> Visited {
        if let Some(kept) = self.collected(role).and_then(|collected| collected.kept.as_mut()) {
            kept.extend_from_slice(bytes);
        }
        Ok(())
    }

    #[inline]
    fn string_end(&mut self, role: Role) -> Visited {
        match self.collected(role) {
            Some(collected) => collected.expand(),
            None => Ok(()),
        }
    }

    fn end(&mut self, checksums: Option<(u64, u64)>) {
        self.summary.complete = true;
        self.summary.checksum = Some(Checksum::judge(checksums));
    }
}

/// A string small enough to keep. Invariant: kept is `None` where the string is longer than [`MAX_RDB_AUX`], stored or
/// expanded.
#[derive(Default)]
struct Collected {
    kept: Option<Vec<u8>>,
    /// The size to expand to, of LZF data.
    expanded: Option<usize>,
}

impl Collected {
    fn begin(head: Head) -> Self {
        let bounded = |size: u64| usize::try_from(size).ok().filter(|size| *size <= MAX_RDB_AUX);
        match head {
            Head::Integer(number) => Self { kept: Some(number.to_string().into_bytes()), expanded: None },
            Head::Plain(length) => Self { kept: bounded(length).map(|_| Vec::new()), expanded: None },
            Head::Compressed { compressed, expanded } => {
                let expanded = bounded(compressed).and(bounded(expanded));
                Self { kept: expanded.map(|_| Vec::new()), expanded }
            }
        }
    }

    fn expand(&mut self) -> Result<(), Fault> {
        if let (Some(kept), Some(expanded)) = (&mut self.kept, self.expanded) {
            *kept = lzf::expand(kept, expanded)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
