//! Packed collections: one string that holds all elements of a small value, or of a node of a large one.
//!
//! ```text
//! listpack  u32 bytes, u16 entries, entries, ff       entry: encoding and data, then its own size, backwards
//! ziplist   u32 bytes, u32 last, u16 entries, …, ff   entry: the size of the one before it, encoding, data
//! intset    u32 width, u32 integers, the integers     in ascending order
//! zipmap    u8 fields, (size field size slack value slack)*, ff
//! ```
//! All little-endian where nothing else is said; 65535 entries (254 fields) stand for "count them".
//!
//! [`Blob`] reads one off portions of its bytes, already decompressed, entry by entry: it holds no more of it than a cut
//! head of an entry, however long the collection or one of its strings is. All that a server might trust is checked:
//! the sizes in heads, entries and backwards, the counts, the end mark and that nothing follows it.

mod intset;
mod listpack;
mod ziplist;
mod zipmap;

use super::carry::Carry;
use super::error::Fault;

/// Which packing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Listpack,
    Ziplist,
    Intset,
    Zipmap,
}

impl Form {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Listpack => "listpack",
            Self::Ziplist => "ziplist",
            Self::Intset => "intset",
            Self::Zipmap => "zipmap",
        }
    }
}

/// Is told the entries. A fault made by [`wrong`] is located by the [`Blob`].
pub(super) trait Entries {
    /// What is told next begins at this byte of the collection.
    #[inline]
    fn place(&mut self, _inside: u64) {}
    /// An entry that is a number.
    fn integer(&mut self, integer: i64) -> Result<(), Fault>;
    /// An entry of so many bytes begins; they follow in parts, none if it is empty.
    fn begin(&mut self, length: u64) -> Result<(), Fault>;
    /// Some of its bytes.
    fn part(&mut self, bytes: &[u8]) -> Result<(), Fault>;
    /// An entry whose bytes are at hand.
    #[inline]
    fn whole(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        self.begin(bytes.len() as u64)?;
        if bytes.is_empty() { Ok(()) } else { self.part(bytes) }
    }
}

/// Damage whose place the [`Blob`] knows.
pub(super) const fn wrong(damage: &'static str) -> Fault {
    Fault::Packed { form: "", inside: 0, damage }
}

/// Named for what comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Head,
    Entry,
    /// So many bytes of an entry's string.
    Body(u64),
    /// What follows an entry's string: a listpack entry's size, a zipmap value's slack.
    Tail,
    Done,
}

/// One packed collection under way.
pub(super) struct Blob {
    form: Form,
    state: State,
    /// Bytes in all, and those before the present window.
    length: u64,
    before: u64,
    /// Entries in the head, if they are told there, and entries seen.
    announced: Option<u64>,
    entries: u64,
    /// Listpack: the size of the entry under way. Ziplist: that of the one before.
    size: u64,
    /// Ziplist: where the last entry begins according to the head, and to what was seen.
    last: u64,
    last_seen: u64,
    /// Intset: bytes per integer, and the greatest so far.
    width: usize,
    greatest: Option<i64>,
    /// Zipmap: a field's value is next; its slack.
    value: bool,
    slack: u64,
    /// Only the count is wanted.
    count_only: bool,
    carry: Carry,
}

impl Default for Blob {
    fn default() -> Self {
        Self {
            form: Form::Listpack,
            state: State::Done,
            length: 0,
            before: 0,
            announced: None,
            entries: 0,
            size: 0,
            last: 0,
            last_seen: 0,
            width: 0,
            greatest: None,
            value: false,
            slack: 0,
            count_only: false,
            carry: Carry::default(),
        }
    }
}

/// What a step gives: the bytes it took; `None` where the window is too short for it.
type Step = Result<Option<usize>, Fault>;

impl Blob {
    /// A collection of so many bytes begins.
    pub(super) fn begin(&mut self, form: Form, length: u64, count_only: bool) {
        (self.form, self.length, self.count_only) = (form, length, count_only);
        (self.state, self.before, self.announced, self.entries) = (State::Head, 0, None, 0);
        (self.size, self.last, self.last_seen) = (0, 0, 0);
        (self.width, self.greatest) = (0, None);
        (self.value, self.slack) = (false, 0);
        self.carry.clear();
    }

    /// Entries seen or, where only the count is wanted, told. A zipmap's fields and values count as two.
    pub(super) fn entries(&self) -> u64 {
        match self.announced {
            Some(announced) if self.count_only => announced,
            _ => self.entries,
        }
    }

    /// Takes the next bytes; tells whether more are wanted.
    pub(super) fn feed<E: Entries>(&mut self, bytes: &[u8], entries: &mut E) -> Result<bool, Fault> {
        if self.carry.is_empty() {
            let taken = self.take(bytes, bytes.len(), entries)?;
            self.carry.keep(bytes.get(taken..).unwrap_or_default());
        } else {
            let mut carry = self.carry;
            let fed = carry.feed(bytes, |window, until| self.take(window, until, entries));
            self.carry = carry;
            fed?;
        }
        Ok(!self.counted())
    }

    /// Takes whole steps; see [`Carry::feed`].
    #[inline]
    fn take<E: Entries>(&mut self, window: &[u8], until: usize, entries: &mut E) -> Result<usize, Fault> {
        let taken = match self.form {
            Form::Listpack => self.run(window, until, |blob, rest, place| {
                entries.place(place);
                listpack::step(blob, rest, place, entries)
            }),
            Form::Ziplist => self.run(window, until, |blob, rest, place| {
                entries.place(place);
                ziplist::step(blob, rest, place, entries)
            }),
            Form::Intset => self.run(window, until, |blob, rest, place| {
                entries.place(place);
                intset::step(blob, rest, place, entries)
            }),
            Form::Zipmap => self.run(window, until, |blob, rest, place| {
                entries.place(place);
                zipmap::step(blob, rest, place, entries)
            }),
        }?;
        self.before += taken as u64;
        Ok(taken)
    }

    /// Whether the count is all that is wanted, and known.
    #[inline]
    fn counted(&self) -> bool {
        self.count_only && self.announced.is_some()
    }

    /// The string is at its end.
    pub(super) fn finish(&mut self) -> Result<(), Fault> {
        if self.state == State::Done || self.counted() {
            return Ok(());
        }
        Err(Fault::Packed {
            form: self.form.name(),
            inside: self.length,
            damage: "the string ends before its end mark",
        })
    }

    #[inline]
    fn run(
        &mut self,
        window: &[u8],
        until: usize,
        mut step: impl FnMut(&mut Self, &[u8], u64) -> Step,
    ) -> Result<usize, Fault> {
        let mut position = 0;
        while position < until {
            if self.counted() {
                return Ok(window.len());
            }
            let place = self.before + position as u64;
            match step(self, window.get(position..).unwrap_or_default(), place) {
                Ok(Some(taken)) => position += taken,
                Ok(None) => break,
                Err(fault) => return Err(self.locate(fault, place)),
            }
        }
        Ok(position)
    }

    #[cold]
    fn locate(&self, fault: Fault, inside: u64) -> Fault {
        match fault {
            Fault::Packed { form: "", damage, .. } => Fault::Packed { form: self.form.name(), inside, damage },
            other => other,
        }
    }

    /// Lets an entry's string pass; `next` follows it.
    #[inline]
    fn body<E: Entries>(&mut self, left: u64, rest: &[u8], next: State, entries: &mut E) -> Step {
        let size = usize::try_from(left).map_or(rest.len(), |left| left.min(rest.len()));
        entries.part(rest.get(..size).unwrap_or_default())?;
        let left = left - size as u64;
        self.state = if left == 0 { next } else { State::Body(left) };
        Ok(Some(size))
    }

    /// The end mark is read: it must be the last byte, and the count right.
    fn end(&mut self, place: u64) -> Step {
        if place + 1 != self.length {
            return Err(wrong("an end mark before the end"));
        }
        if self.announced.is_some_and(|announced| announced != self.entries) {
            return Err(wrong("another number of entries than the head says"));
        }
        self.state = State::Done;
        Ok(Some(1))
    }
}

const TRAILING: Fault = wrong("bytes after the end");
const TOO_LONG: Fault = wrong("an entry is longer than what is left");
