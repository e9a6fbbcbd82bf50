//! `rdb diff`: in which keys two dumps differ, a line each.
//!
//! Of each dump every key's print is kept, sorted by database and name, on disk where there are many; then the two are
//! gone through side by side. So the memory does not depend on the dumps, and the lines come in the order of the names.

use super::super::amount;
use super::super::json::write_bytes;
use super::super::output::Output;
use super::super::terminal;
use super::{number, time, word};
use crate::bounds::{DIFF_BUFFERS, DIFF_RECORDS, MAX_RDB_WHOLE};
use crate::rdb::{KeyName, KeyPrint, Prints};
use crate::spill::{SortBounds, Sorted, Sorter, SpillError};

/// Collects the prints of a dump's keys.
#[derive(Debug)]
pub struct Keyspace {
    sorter: Sorter,
    key: Vec<u8>,
    value: Vec<u8>,
    error: Option<SpillError>,
}

impl Default for Keyspace {
    fn default() -> Self {
        Self::new(SortBounds { records: DIFF_RECORDS, buffers: DIFF_BUFFERS })
    }
}

impl Keyspace {
    /// Collects within these bounds.
    #[must_use]
    pub fn new(bounds: SortBounds) -> Self {
        Self { sorter: Sorter::new(bounds), key: Vec::new(), value: Vec::new(), error: None }
    }

    /// What was collected, sorted.
    ///
    /// # Errors
    /// When a temporary file could not be used, now or earlier.
    pub fn sorted(self) -> Result<SortedKeyspace, SpillError> {
        match self.error {
            Some(error) => Err(error),
            None => Ok(SortedKeyspace { sorted: self.sorter.finish()?, key: Vec::new(), value: Vec::new() }),
        }
    }

    fn push(&mut self) {
        if self.error.is_none() {
            self.error = self.sorter.push(&self.key, &self.value).err();
        }
    }
}

/// What the sorted records' keys begin with where they are function libraries.
const LIBRARY: u8 = 0;

impl Prints for Keyspace {
    fn key(&mut self, name: KeyName<'_>, print: &KeyPrint) {
        self.key.clear();
        push_db(&mut self.key, name.db);
        self.key.extend_from_slice(name.head);
        if let Some((length, hash)) = name.rest {
            self.key.extend_from_slice(&length.to_be_bytes());
            self.key.extend_from_slice(&hash.to_be_bytes());
        }
        self.value.clear();
        self.value.extend_from_slice(&name.offset.to_le_bytes());
        print.encode(&mut self.value);
        self.push();
    }

    fn function(&mut self, name: &[u8], code: u128) {
        self.key.clear();
        self.key.push(LIBRARY);
        self.key.extend_from_slice(name);
        self.value.clear();
        self.value.extend_from_slice(&code.to_le_bytes());
        self.push();
    }
}

/// Numbers below it are one byte in front of a name, so that the names' beginnings decide most comparisons.
const SMALL: u64 = 240;

/// A database's number in a form whose bytes have the numbers' order, none beginning with [`LIBRARY`].
fn push_db(out: &mut Vec<u8>, db: u64) {
    if db < SMALL {
        return out.push(db as u8 + 1);
    }
    let bytes = db.to_be_bytes();
    let significant = bytes.get(db.leading_zeros() as usize / 8..).unwrap_or_default();
    out.push(SMALL as u8 + significant.len() as u8);
    out.extend_from_slice(significant);
}

fn take_db(key: &[u8]) -> Option<(u64, &[u8])> {
    let (&first, rest) = key.split_first()?;
    match u64::from(first).checked_sub(SMALL + 1) {
        None => Some((u64::from(first) - 1, rest)),
        Some(more) => {
            let (bytes, rest) = rest.split_at_checked(more as usize + 1)?;
            Some((bytes.iter().fold(0, |db, &byte| db << 8 | u64::from(byte)), rest))
        }
    }
}

/// A dump's keys in the order of their databases and names.
#[derive(Debug)]
pub struct SortedKeyspace {
    sorted: Sorted,
    /// The record that is next.
    key: Vec<u8>,
    value: Vec<u8>,
}

/// Why two dumps cannot be compared.
#[derive(Debug, thiserror::Error)]
pub enum DiffError {
    /// A temporary file could not be used.
    #[error(transparent)]
    Spill(#[from] SpillError),
    /// A dump has a key twice.
    #[error("key {key} of database {db} is there twice, the second time at byte {offset}; no server loads that")]
    Twice {
        /// Which of the two dumps: 0 or 1.
        side: usize,
        /// The database.
        db: u64,
        /// The name, safe to print.
        key: String,
        /// Offset of the second record.
        offset: u64,
    },
}

impl SortedKeyspace {
    /// Goes on to the next record; tells whether there is one.
    fn advance(&mut self, side: usize) -> Result<bool, DiffError> {
        let Some(record) = self.sorted.next()? else {
            self.key.clear();
            self.value.clear();
            return Ok(false);
        };
        if record.key == self.key
            && let Subject::Key { db, name, .. } = Subject::of(record.key)
        {
            let offset = record.value.first_chunk().map_or(0, |offset| u64::from_le_bytes(*offset));
            return Err(DiffError::Twice { side, db, key: terminal::safe(name), offset });
        }
        self.key.clear();
        self.key.extend_from_slice(record.key);
        self.value.clear();
        self.value.extend_from_slice(record.value);
        Ok(true)
    }

    fn print(&self) -> Option<KeyPrint> {
        KeyPrint::decode(self.value.get(8..)?)
    }
}

/// What a line is about.
#[derive(Clone, Copy)]
enum Subject<'a> {
    Library(&'a [u8]),
    Key {
        db: u64,
        name: &'a [u8],
        /// The name's length, where it is longer than what is told of it.
        length: Option<u64>,
    },
}

impl<'a> Subject<'a> {
    fn of(key: &'a [u8]) -> Self {
        if let [LIBRARY, name @ ..] = key {
            return Self::Library(name);
        }
        let (db, name) = take_db(key).unwrap_or_default();
        match name.split_at_checked(MAX_RDB_WHOLE) {
            Some((head, rest)) if !rest.is_empty() => {
                Self::Key { db, name: head, length: rest.first_chunk().map(|length| u64::from_be_bytes(*length)) }
            }
            _ => Self::Key { db, name, length: None },
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Change {
    Added,
    Removed,
    Changed,
}

/// How many keys and libraries there are of which kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Only in the second dump.
    pub added: u64,
    /// Only in the first.
    pub removed: u64,
    /// In both, and not the same.
    pub changed: u64,
    /// The same in both.
    pub same: u64,
    /// Function libraries that are in one dump only, or have other code in the other.
    pub libraries: u64,
}

impl Counts {
    /// Whether the dumps hold the same.
    #[must_use]
    pub fn are_same(&self) -> bool {
        self.added + self.removed + self.changed + self.libraries == 0
    }
}

/// Compares two dumps and writes the differences.
#[derive(Debug)]
pub struct Diff {
    output: Output,
    json: bool,
    counts: Counts,
}

impl Diff {
    /// A writer of lines: JSON objects, or lines for people.
    #[must_use]
    pub fn new(output: Output, json: bool) -> Self {
        Self { output, json, counts: Counts::default() }
    }

    /// Where the lines go.
    pub fn output_mut(&mut self) -> &mut Output {
        &mut self.output
    }

    /// Goes through both dumps.
    ///
    /// # Errors
    /// When a temporary file cannot be read, or a dump has a key twice.
    pub fn compare(&mut self, a: &mut SortedKeyspace, b: &mut SortedKeyspace) -> Result<Counts, DiffError> {
        let (mut in_a, mut in_b) = (a.advance(0)?, b.advance(1)?);
        while in_a || in_b {
            let order = match (in_a, in_b) {
                (true, true) => a.key.cmp(&b.key),
                (true, false) => std::cmp::Ordering::Less,
                _ => std::cmp::Ordering::Greater,
            };
            if order.is_lt() {
                self.difference(Subject::of(&a.key), Some(a), None);
            } else if order.is_gt() {
                self.difference(Subject::of(&b.key), None, Some(b));
            } else {
                self.compare_key(a, b);
            }
            if order.is_le() {
                in_a = a.advance(0)?;
            }
            if order.is_ge() {
                in_b = b.advance(1)?;
            }
            if self.output.error().is_some() {
                break;
            }
        }
        if !self.json {
            let Counts { added, removed, changed, same, libraries } = self.counts;
            let mut text = if self.counts.are_same() {
                format!("the same: {}", amount::count(same, "key"))
            } else {
                format!("{added} added, {removed} removed, {changed} changed, {same} the same")
            };
            if libraries > 0 {
                text += &format!("; {libraries} of the function libraries differ");
            }
            self.output.buffer().extend_from_slice(text.as_bytes());
            self.output.end_line();
        }
        Ok(self.counts)
    }

    fn compare_key(&mut self, a: &SortedKeyspace, b: &SortedKeyspace) {
        // The offsets in front of the prints need not be the same.
        let subject = Subject::of(&a.key);
        let same = match subject {
            Subject::Library(_) => a.value == b.value,
            Subject::Key { .. } => match (a.print(), b.print()) {
                (Some(a), Some(b)) => a == b || a.differences(&b).is_empty(),
                _ => false,
            },
        };
        match (same, subject) {
            (false, _) => self.difference(subject, Some(a), Some(b)),
            (true, Subject::Key { .. }) => self.counts.same += 1,
            (true, Subject::Library(_)) => {}
        }
    }

    fn difference(&mut self, subject: Subject<'_>, a: Option<&SortedKeyspace>, b: Option<&SortedKeyspace>) {
        let change = match (a, b) {
            (None, _) => Change::Added,
            (_, None) => Change::Removed,
            _ => Change::Changed,
        };
        if let Subject::Library(name) = subject {
            self.counts.libraries += 1;
            self.library(change, name);
            return self.output.end_line();
        }
        match change {
            Change::Added => self.counts.added += 1,
            Change::Removed => self.counts.removed += 1,
            Change::Changed => self.counts.changed += 1,
        }
        let (a, b) = (a.and_then(SortedKeyspace::print), b.and_then(SortedKeyspace::print));
        if self.json {
            self.json_key(change, subject, a.as_ref(), b.as_ref());
        } else {
            self.text_key(change, subject, a.as_ref(), b.as_ref());
        }
        self.output.end_line();
    }

    /// A library is no key: so that nobody counts it among those added or removed, its line is a change of the dump's
    /// functions, and `what` tells which.
    fn library(&mut self, change: Change, name: &[u8]) {
        let (sign, what, words) = match change {
            Change::Added => ("+", "function-added", "only in the second"),
            Change::Removed => ("-", "function-removed", "only in the first"),
            Change::Changed => ("~", "function-code", "code"),
        };
        if self.json {
            let out = self.output.buffer();
            out.extend_from_slice(b"{\"change\":\"changed\",\"db\":null,\"key\":");
            write_bytes(&mut self.output, name);
            let rest = format!(",\"type\":\"function\",\"what\":[\"{what}\"]}}");
            self.output.buffer().extend_from_slice(rest.as_bytes());
        } else {
            let out = self.output.buffer();
            out.extend_from_slice(format!("{sign} function library ").as_bytes());
            terminal::push_word(out, name, false);
            out.extend_from_slice(format!("  {words}").as_bytes());
        }
    }

    fn json_key(&mut self, change: Change, subject: Subject<'_>, a: Option<&KeyPrint>, b: Option<&KeyPrint>) {
        let Subject::Key { db, name, length } = subject else { return };
        let output = &mut self.output;
        let changed = match change {
            Change::Added => "added",
            Change::Removed => "removed",
            Change::Changed => "changed",
        };
        word(output, "{\"change\":", changed);
        number(output, ",\"db\":", Some(db));
        output.buffer().extend_from_slice(b",\"key\":");
        if let Some(length) = length {
            output.buffer().extend_from_slice(b"{\"head\":");
            write_bytes(output, name);
            number(output, ",\"bytes\":", Some(length));
            output.buffer().push(b'}');
        } else {
            write_bytes(output, name);
        }
        word(output, ",\"type\":", b.or(a).map_or("", |print| print.value_type.name()));
        output.buffer().extend_from_slice(b",\"what\":[");
        let what = a.zip(b).map(|(a, b)| a.differences(b)).unwrap_or_default();
        for (place, difference) in what.iter().enumerate() {
            word(output, if place == 0 { "" } else { "," }, difference.name());
        }
        output.buffer().push(b']');
        for (field, print) in [(",\"a\":", a), (",\"b\":", b)] {
            output.buffer().extend_from_slice(field.as_bytes());
            match print {
                None => output.buffer().extend_from_slice(b"null"),
                Some(print) => {
                    word(output, "{\"type\":", print.value_type.name());
                    number(output, ",\"elements\":", Some(print.elements));
                    time(output, ",\"expires_at_ms\":", print.expires_at_ms);
                    output.buffer().push(b'}');
                }
            }
        }
        output.buffer().push(b'}');
    }

    fn text_key(&mut self, change: Change, subject: Subject<'_>, a: Option<&KeyPrint>, b: Option<&KeyPrint>) {
        let Subject::Key { db, name, length } = subject else { return };
        let sign = match change {
            Change::Added => '+',
            Change::Removed => '-',
            Change::Changed => '~',
        };
        let out = self.output.buffer();
        out.extend_from_slice(format!("{sign} db {db} ").as_bytes());
        terminal::push_word(out, name, length.is_some());
        if let Some(length) = length {
            out.extend_from_slice(format!("{} ({length} bytes)", terminal::ELLIPSIS).as_bytes());
        }
        let described = |print: &KeyPrint| {
            let expiry = print.expires_at_ms.map_or_else(String::new, |ms| format!(", expires at {ms}"));
            let elements = match print.value_type.name() {
                "string" | "module" | "gcra" => String::new(),
                _ => format!(" of {}", print.elements),
            };
            format!("{}{elements}{expiry}", print.value_type.name())
        };
        let words = match (a, b) {
            (Some(a), Some(b)) => {
                let what: Vec<&str> = a.differences(b).into_iter().map(|difference| difference.name()).collect();
                let (before, after) = (described(a), described(b));
                let both = if before == after { before } else { format!("{before} -> {after}") };
                format!("{} ({both})", what.join(", "))
            }
            (Some(print), None) | (None, Some(print)) => described(print),
            (None, None) => String::new(),
        };
        out.extend_from_slice(format!("  {words}").as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn databases_keep_their_order_and_come_back() {
        let numbers = [0, 1, 9, 239, 240, 255, 256, 65_535, 65_536, u64::from(u32::MAX), u64::MAX];
        let keys = numbers.map(|db| {
            let mut key = Vec::new();
            push_db(&mut key, db);
            assert_ne!(key[0], LIBRARY);
            key.extend_from_slice(b"name");
            assert_eq!(take_db(&key), Some((db, &b"name"[..])));
            key
        });
        assert!(keys.is_sorted());
    }
}
