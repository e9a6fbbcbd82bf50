//! The machine that takes pushed bytes through the grammar.
//!
//! ```text
//! Header ──9 bytes──▶ Records ──EOF opcode──▶ Checksum ──8 bytes──▶ End
//!                                   └────────version < 5─────────────▲
//! ```
//!
//! Within Records the place is a stack of lists of steps, each with the number of times it is still to be done, and
//! at most one string whose bytes pass. The stack is as deep as the grammar nests (group, consumer, pending entry),
//! never as deep as the input wishes.
//!
//! A step is taken whole or not at all. Where a pushed slice ends inside a primitive, its bytes are carried to the
//! next push and read again there together with what follows; a primitive is short, so that this is the only copy and
//! the only byte looked at twice. A string's bytes are no primitive: they pass by count. Hence any split of the same
//! bytes takes the same steps and meets the same fault at the same offset.

use super::error::{Fault, RdbError};
use super::grammar::{Class, Header, KEY, MODULE_PAYLOADS, Op, Record, Role, STRING};
use super::primitive::{Cursor, Head, LONGEST, Stop};
use crate::bounds::{MAX_RDB_TEMPLATES, RDB_CHECKSUM_SLICE};
use crc_fast::{CrcAlgorithm, Digest};
use std::collections::HashMap;

/// What became of pushed bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// How many of the bytes belong to the RDB; all of them unless it has ended.
    pub consumed: usize,
    /// Whether the RDB has ended: after its checksum or, below version 5, after its EOF opcode. What follows is not
    /// its own.
    pub ended: bool,
}

/// What a visitor answers: a fault ends the walk and is located by the machine, at the primitive just read, or at the
/// head of the string whose bytes pass.
pub(super) type Visited = Result<(), Fault>;

/// Is told what an RDB holds, in order, as it passes. What it does not care for costs nothing.
pub(super) trait Visitor {
    /// The dialect.
    fn header(&mut self, _header: Header) {}
    /// What is told next stands at this offset: a primitive's first byte, a string's head, and then the bytes behind the
    /// head that are there. Told anew for each step, so that the end of one is the place of the next (or the end that
    /// [`Visitor::record_end`] has).
    #[inline]
    fn place(&mut self, _at: u64) {}
    /// A record begins, its leading byte at this offset.
    fn record(&mut self, _record: &Record, _at: u64) -> Visited {
        Ok(())
    }
    /// The record is complete, up to this offset. (The EOF opcode's as well, before the checksum.)
    fn record_end(&mut self, _record: &Record, _end: u64) -> Visited {
        Ok(())
    }
    /// So many elements follow: not to be believed before they do.
    fn count(&mut self, _role: Role, _count: u64) -> Visited {
        Ok(())
    }
    /// A number in the length encoding.
    fn number(&mut self, _role: Role, _number: u64) -> Visited {
        Ok(())
    }
    /// A field of fixed size, whole.
    fn raw(&mut self, _role: Role, _bytes: &[u8]) -> Visited {
        Ok(())
    }
    /// A short plain string is there whole. A visitor that answers `true` has taken it; else it is told as any other.
    #[inline]
    fn whole(&mut self, _role: Role, _bytes: &[u8]) -> Result<bool, Fault> {
        Ok(false)
    }
    /// A string begins.
    fn string(&mut self, _role: Role, _head: Head) -> Visited {
        Ok(())
    }
    /// Some of its stored bytes, still compressed if they are.
    fn part(&mut self, _role: Role, _bytes: &[u8]) -> Visited {
        Ok(())
    }
    /// The string is complete.
    fn string_end(&mut self, _role: Role) -> Visited {
        Ok(())
    }
    /// The RDB has ended, with the stored and the computed checksum if its version has one.
    fn end(&mut self, _checksums: Option<(u64, u64)>) {}
}

/// The state, named for what is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Header,
    Records(Header),
    Checksum,
    /// With the stored checksum, from version 5 on.
    End(Option<u64>),
}

/// A list of steps under way. Invariants: left >= 1 and next <= steps.len().
#[derive(Clone, Copy, Debug)]
struct Frame {
    steps: &'static [Op],
    next: usize,
    left: u64,
}

/// A string whose stored bytes pass.
#[derive(Clone, Copy, Debug)]
struct Body {
    role: Role,
    /// Bytes still to come.
    left: u64,
    /// Offset of the string's head.
    at: u64,
}

/// See the module's text.
pub(super) struct Machine<V> {
    visitor: V,
    place: Place,
    /// The record under way, or the last one, and which of the two.
    record: Record,
    recording: bool,
    record_at: u64,
    stack: Vec<Frame>,
    body: Option<Body>,
    /// The first bytes of a primitive that the last push cut. Invariant: carried < LONGEST.
    carry: [u8; LONGEST],
    carried: usize,
    /// Bytes taken so far, the carried ones included.
    offset: u64,
    digest: Digest,
    /// Offset after the EOF opcode, where the checksummed bytes end.
    covered: Option<u64>,
    remembered: u64,
    /// Fields of each hash template by its number.
    templates: HashMap<u64, u64>,
    template: u64,
    /// The offset to blame for the fault just met, where it is not that of the step's first byte.
    blamed: Option<u64>,
    failed: Option<RdbError>,
}

impl<V: Visitor> Machine<V> {
    pub(super) fn new(visitor: V) -> Self {
        Self {
            visitor,
            place: Place::Header,
            record: STRING,
            recording: false,
            record_at: 0,
            stack: Vec::with_capacity(8),
            body: None,
            carry: [0; LONGEST],
            carried: 0,
            offset: 0,
            digest: Digest::new(CrcAlgorithm::Crc64Redis),
            covered: None,
            remembered: 0,
            templates: HashMap::new(),
            template: 0,
            blamed: None,
            failed: None,
        }
    }

    /// A machine behind the header: what comes are records, at offset 0.
    pub(super) fn of_records(visitor: V, header: Header) -> Self {
        Self { place: Place::Records(header), ..Self::new(visitor) }
    }

    /// Whether a record may begin now: nothing is under way or carried.
    pub(super) fn between_records(&self) -> bool {
        matches!(self.place, Place::Records(_)) && self.stack.is_empty() && self.body.is_none() && self.carried == 0
    }

    /// A machine that begins in the middle: at `offset`, where a record is taken to begin. Its checksum covers only what
    /// it is given.
    pub(super) fn resumed(visitor: V, header: Header, offset: u64, templates: HashMap<u64, u64>) -> Self {
        Self { place: Place::Records(header), offset, templates, ..Self::new(visitor) }
    }

    /// The hash templates that were defined so far, by number.
    pub(super) fn templates(&self) -> &HashMap<u64, u64> {
        &self.templates
    }

    pub(super) fn visitor(&self) -> &V {
        &self.visitor
    }

    pub(super) fn visitor_mut(&mut self) -> &mut V {
        &mut self.visitor
    }

    pub(super) fn into_visitor(self) -> V {
        self.visitor
    }

    /// The record under way, or that of the fault: its offset and name.
    pub(super) fn record(&self) -> Option<(u64, &'static str)> {
        self.recording.then_some((self.record_at, self.record.name))
    }

    /// Bytes taken so far; after a fault, the bytes before it.
    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    pub(super) fn ended(&self) -> bool {
        matches!(self.place, Place::End(_))
    }

    /// Takes the next bytes.
    ///
    /// # Errors
    /// The first fault, again at every later call.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Result<Progress, RdbError> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        let mut consumed = 0;
        for slice in bytes.chunks(RDB_CHECKSUM_SLICE) {
            if self.ended() {
                break;
            }
            match self.advance(slice) {
                Ok(taken) => consumed += taken,
                Err(error) => {
                    self.offset = error.offset;
                    self.failed = Some(error.clone());
                    return Err(error);
                }
            }
        }
        Ok(Progress { consumed, ended: self.ended() })
    }

    /// Walks one slice, checksums it, and gives how many of its bytes are the RDB's.
    fn advance(&mut self, slice: &[u8]) -> Result<usize, RdbError> {
        let base = self.offset;
        let taken = self.walk(slice, base)?;
        self.offset = base + taken as u64;
        let covered = match self.covered {
            Some(covered) => usize::try_from(covered.saturating_sub(base)).map_or(taken, |covered| covered.min(taken)),
            None => taken,
        };
        if covered > 0 {
            self.digest.update(slice.get(..covered).unwrap_or_default());
        }
        if let Place::End(stored) = self.place {
            self.visitor.end(stored.map(|stored| (stored, self.digest.finalize())));
        }
        Ok(taken)
    }

    /// Goes on with what is carried and then with the slice, which begins at offset `base`. Gives how many of the
    /// slice's bytes are the RDB's; those that a cut primitive begins with are, and are carried.
    fn walk(&mut self, slice: &[u8], base: u64) -> Result<usize, RdbError> {
        let mut begin = 0;
        if self.carried > 0 {
            // Together with so many new bytes the cut primitive is whole, or the slice is at its end.
            let mut joint = [0; 2 * LONGEST];
            let size = self.carried + slice.len().min(LONGEST);
            for (to, from) in joint.iter_mut().zip(self.carry.iter().take(self.carried).chain(slice)) {
                *to = *from;
            }
            let joint = joint.get(..size).unwrap_or_default();
            let taken = self.run(joint, base - self.carried as u64, self.carried)?;
            if taken < self.carried {
                self.keep(joint);
                return Ok(slice.len());
            }
            begin = taken - self.carried;
            self.carried = 0;
        }
        let rest = slice.get(begin..).unwrap_or_default();
        let taken = self.run(rest, base + begin as u64, usize::MAX)?;
        if self.ended() {
            return Ok(begin + taken);
        }
        self.keep(rest.get(taken..).unwrap_or_default());
        Ok(slice.len())
    }

    fn keep(&mut self, cut: &[u8]) {
        debug_assert!(cut.len() < LONGEST, "a primitive of {} bytes was not read", cut.len());
        self.carried = cut.len().min(LONGEST);
        for (to, from) in self.carry.iter_mut().zip(cut) {
            *to = *from;
        }
    }

    /// Takes steps until the window starves them, the position passes `until`, or the RDB ends; gives the position
    /// then.
    fn run(&mut self, window: &[u8], base: u64, until: usize) -> Result<usize, RdbError> {
        let mut cursor = Cursor::new(window);
        while cursor.position() < until {
            let start = cursor.position();
            let stepped = match self.place {
                Place::Records(header) => self.step(&mut cursor, base, header),
                Place::Header => self.read_header(&mut cursor),
                Place::Checksum => {
                    cursor.array().map(|stored| self.place = Place::End(Some(u64::from_le_bytes(stored))))
                }
                Place::End(_) => break,
            };
            match stepped {
                Ok(()) => {}
                Err(Stop::Starved) => {
                    cursor.rewind(start);
                    break;
                }
                Err(Stop::Fault(fault)) => {
                    return Err(RdbError {
                        offset: self.blamed.unwrap_or(base + start as u64),
                        record: self.recording.then_some((self.record_at, self.record.name)),
                        fault,
                    });
                }
            }
        }
        Ok(cursor.position())
    }

    fn read_header(&mut self, cursor: &mut Cursor<'_>) -> Result<(), Stop> {
        let header = Header::parse(cursor.array()?)?;
        self.visitor.header(header);
        self.place = Place::Records(header);
        Ok(())
    }

    #[inline]
    fn step(&mut self, cursor: &mut Cursor<'_>, base: u64, header: Header) -> Result<(), Stop> {
        self.visitor.place(base + cursor.position() as u64);
        if self.body.is_some() {
            return self.pass(cursor);
        }
        match self.stack.last().copied() {
            Some(frame) => self.go_round(frame, cursor, base),
            None if self.whole_string(cursor, base)? => Ok(()),
            None => self.begin(cursor, base, header),
        }
    }

    /// Goes through the list under way, round after round, while its steps are of the common kinds and come whole: only
    /// then is the stack touched. Any other step is taken alone.
    fn go_round(&mut self, from: Frame, cursor: &mut Cursor<'_>, base: u64) -> Result<(), Stop> {
        let mut frame = from;
        let other = loop {
            let at = base + cursor.position() as u64;
            self.visitor.place(at);
            match frame.steps.get(frame.next) {
                Some(op) if self.take_whole(op, cursor, base).map_err(|fault| self.blame(at, fault))? => {
                    frame.next += 1
                }
                Some(op) => break op,
                None if frame.left == 1 => return self.end_list(at),
                None => (frame.next, frame.left) = (0, frame.left - 1),
            }
        };
        if (frame.next, frame.left) == (from.next, from.left) {
            return self.take(other, cursor, base);
        }
        if let Some(last) = self.stack.last_mut() {
            *last = frame;
        }
        Ok(())
    }

    /// The list under way is done, and with the last of them the record.
    fn end_list(&mut self, at: u64) -> Result<(), Stop> {
        self.stack.pop();
        if self.stack.is_empty() {
            self.visitor.record_end(&self.record, at).map_err(|fault| self.blame(at, fault))?;
            self.recording = false;
        }
        Ok(())
    }

    /// Takes a step of a common kind that the slice holds whole; `false`, and nothing read, where it is another.
    #[inline]
    fn take_whole(&mut self, op: &Op, cursor: &mut Cursor<'_>, base: u64) -> Result<bool, Fault> {
        match *op {
            Op::String(role) => {
                let Some(bytes) = cursor.plain() else { return Ok(false) };
                self.visit_plain(role, bytes, base + cursor.position() as u64)?;
            }
            Op::Raw(role, size) => {
                let Ok(bytes) = cursor.field(size.into()) else { return Ok(false) };
                self.visitor.raw(role, bytes)?;
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Lets a string's bytes pass.
    fn pass(&mut self, cursor: &mut Cursor<'_>) -> Result<(), Stop> {
        let Some(body) = &mut self.body else { return Ok(()) };
        let part = cursor.up_to(body.left);
        if part.is_empty() && body.left > 0 {
            return Err(Stop::Starved);
        }
        body.left -= part.len() as u64;
        let Body { role, left, at } = *body;
        let mut visited = if part.is_empty() { Ok(()) } else { self.visitor.part(role, part) };
        if left == 0 {
            self.body = None;
            visited = visited.and_then(|()| self.visitor.string_end(role));
        }
        visited.map_err(|fault| self.blame(at, fault))
    }

    fn blame(&mut self, offset: u64, fault: Fault) -> Stop {
        self.blamed = Some(offset);
        Stop::Fault(fault)
    }

    /// The fast lane: a STRING record of two short plain strings that the slice holds whole. Anything else is left
    /// unread for the steps to take, whatever is wrong with it.
    #[inline]
    fn whole_string(&mut self, cursor: &mut Cursor<'_>, base: u64) -> Result<bool, Stop> {
        let mut ahead = *cursor;
        if ahead.byte() != Ok(STRING.byte) {
            return Ok(false);
        }
        let key_at = ahead.position();
        let Some(key) = ahead.plain() else { return Ok(false) };
        let value_at = ahead.position();
        let Some(value) = ahead.plain() else { return Ok(false) };
        let at = base + cursor.position() as u64;
        let end = base + ahead.position() as u64;
        *cursor = ahead;
        (self.record, self.recording, self.record_at) = (STRING, true, at);
        self.visitor.record(&STRING, at).map_err(|fault| self.blame(at, fault))?;
        self.visitor.place(base + key_at as u64);
        let key_end = base + value_at as u64;
        self.visit_plain(Role::Key, key, key_end).map_err(|fault| self.blame(base + key_at as u64, fault))?;
        self.visitor.place(key_end);
        self.visit_plain(Role::Value, value, end).map_err(|fault| self.blame(key_end, fault))?;
        self.visitor.record_end(&STRING, end).map_err(|fault| self.blame(end, fault))?;
        self.recording = false;
        Ok(true)
    }

    /// Tells of a plain string that is there whole, up to `end`.
    #[inline]
    fn visit_plain(&mut self, role: Role, bytes: &[u8], end: u64) -> Visited {
        if self.visitor.whole(role, bytes)? {
            return Ok(());
        }
        self.visitor.string(role, Head::Plain(bytes.len() as u64))?;
        self.visitor.place(end - bytes.len() as u64);
        if !bytes.is_empty() {
            self.visitor.part(role, bytes)?;
        }
        self.visitor.string_end(role)
    }

    /// Reads a record's leading byte.
    fn begin(&mut self, cursor: &mut Cursor<'_>, base: u64, header: Header) -> Result<(), Stop> {
        let at = base + cursor.position() as u64;
        let record = Record::lookup(header, cursor.byte()?)?;
        self.record = record;
        self.record_at = at;
        self.recording = true;
        self.visitor.record(&record, at)?;
        match record.class {
            Class::End => {
                self.visitor.record_end(&record, at + 1)?;
                self.recording = false;
                self.covered = Some(at + 1);
                self.place = if header.has_checksum() { Place::Checksum } else { Place::End(None) };
            }
            Class::Opcode => self.repeat(record.steps, 1),
            Class::Key => {
                self.repeat(record.steps, 1);
                // A short key, as most are, needs no step.
                match cursor.plain() {
                    Some(key) => {
                        self.visitor.place(at + 1);
                        let end = base + cursor.position() as u64;
                        self.visit_plain(Role::Key, key, end).map_err(|fault| self.blame(at + 1, fault))?;
                    }
                    None => self.repeat(KEY, 1),
                }
            }
        }
        Ok(())
    }

    /// Puts a list of steps on the stack; one that asks for nothing is left out.
    #[inline]
    fn repeat(&mut self, steps: &'static [Op], times: u64) {
        if times > 0 && !steps.is_empty() {
            self.stack.push(Frame { steps, next: 0, left: times });
        }
    }

    /// The step is done: the list under way goes on to the next.
    #[inline]
    fn done(&mut self) {
        if let Some(frame) = self.stack.last_mut() {
            frame.next += 1;
        }
    }

    /// Takes one step. Nothing changes before all of its bytes are read.
    #[inline]
    fn take(&mut self, op: &'static Op, cursor: &mut Cursor<'_>, base: u64) -> Result<(), Stop> {
        let at = base + cursor.position() as u64;
        match *op {
            Op::String(role) => {
                let head = cursor.head()?;
                self.begin_string(role, head, at)?;
                // What is there of the bytes need not wait for the next step.
                if head.stored() == 0 || !cursor.rest().is_empty() {
                    self.visitor.place(base + cursor.position() as u64);
                    return self.pass(cursor);
                }
            }
            Op::Number(role) => {
                self.visitor.number(role, cursor.number()?)?;
                self.done();
            }
            Op::Raw(role, size) => {
                self.visitor.raw(role, cursor.field(size.into())?)?;
                self.done();
            }
            Op::Repeat(role, steps) => {
                let count = cursor.count()?;
                self.visitor.count(role, count)?;
                self.done();
                self.repeat(steps, count);
            }
            rare => return self.take_rare(rare, cursor, at),
        }
        Ok(())
    }

    /// A string's head is read; the bytes behind it pass from here on.
    fn begin_string(&mut self, role: Role, head: Head, at: u64) -> Result<(), Stop> {
        self.visitor.string(role, head)?;
        self.body = Some(Body { role, left: head.stored(), at });
        self.done();
        Ok(())
    }

    /// The steps that only some records have.
    fn take_rare(&mut self, op: Op, cursor: &mut Cursor<'_>, at: u64) -> Result<(), Stop> {
        match op {
            Op::String(_) | Op::Number(_) | Op::Raw(..) | Op::Repeat(..) => {}
            Op::StringOf(role, needed) => {
                let head = cursor.head()?;
                check_size(head, needed)?;
                self.begin_string(role, head, at)?;
            }
            Op::Bounded(role, low, high) => {
                let found = cursor.number()?;
                if found < low || found > high {
                    return Err(Fault::OutOfRange { what: role.words(), low, high, found }.into());
                }
                self.visitor.number(role, found)?;
                self.done();
            }
            Op::TextDouble(role) => self.take_text_double(role, cursor, at)?,
            Op::Choice(role, lists) => {
                let found = cursor.number()?;
                let steps = choose(role, lists, found)?;
                self.visitor.number(role, found)?;
                self.done();
                self.repeat(steps, 1);
            }
            Op::Remember(role) => {
                let count = cursor.count()?;
                self.visitor.count(role, count)?;
                self.remembered = count;
                self.done();
            }
            Op::RepeatRemembered(steps) => {
                self.done();
                self.repeat(steps, self.remembered);
            }
            Op::ModuleOpcodes => {
                let found = cursor.number()?;
                let steps = choose(Role::ModuleOpcode, MODULE_PAYLOADS, found)?;
                self.visitor.number(Role::ModuleOpcode, found)?;
                // Opcode 0 ends the list; any other leaves this step to be taken again.
                if steps.is_empty() {
                    self.done();
                }
                self.repeat(steps, 1);
            }
            Op::TemplateId | Op::TemplateFields(_) | Op::TemplateValues(_) => self.take_template(op, cursor)?,
            Op::RespArray(steps) => {
                let count = cursor.resp_line(b'*')?;
                self.visitor.count(Role::UpdateArguments, count)?;
                self.done();
                self.repeat(steps, count);
            }
            Op::RespBulk(role) => {
                let head = Head::Plain(cursor.resp_line(b'$')?);
                self.begin_string(role, head, at)?;
            }
            Op::LineEnd => {
                if cursor.array()? != *b"\r\n" {
                    return Err(Fault::Resp("a bulk string is longer than announced").into());
                }
                self.done();
            }
        }
        Ok(())
    }

    /// 253 to 255 stand for themselves, whole; less is the length of the text that passes as a string.
    fn take_text_double(&mut self, role: Role, cursor: &mut Cursor<'_>, at: u64) -> Result<(), Stop> {
        match cursor.byte()? {
            special @ 253..=255 => {
                self.visitor.raw(role, &[special])?;
                self.done();
                Ok(())
            }
            length => self.begin_string(role, Head::Plain(length.into()), at),
        }
    }

    /// A template's fields are counted where it is defined and expected where it is used.
    fn take_template(&mut self, op: Op, cursor: &mut Cursor<'_>) -> Result<(), Stop> {
        match op {
            Op::TemplateFields(steps) => {
                let fields = cursor.count()?;
                if self.templates.len() >= MAX_RDB_TEMPLATES {
                    return Err(Fault::TooManyTemplates.into());
                }
                self.visitor.count(Role::TemplateFields, fields)?;
                self.templates.insert(self.template, fields);
                self.done();
                self.repeat(steps, fields);
            }
            Op::TemplateValues(steps) => {
                let template = cursor.number()?;
                let fields = *self.templates.get(&template).ok_or(Fault::UnknownTemplate(template))?;
                self.visitor.number(Role::TemplateId, template)?;
                self.visitor.count(Role::Fields, fields)?;
                self.done();
                self.repeat(steps, fields);
            }
            _ => {
                let template = cursor.number()?;
                if self.templates.contains_key(&template) {
                    return Err(Fault::RepeatedTemplate(template).into());
                }
                self.visitor.number(Role::TemplateId, template)?;
                self.template = template;
                self.done();
            }
        }
        Ok(())
    }
}

/// The list of steps for a number that chooses one.
fn choose(role: Role, lists: &'static [&'static [Op]], found: u64) -> Result<&'static [Op], Fault> {
    let high = (lists.len() as u64).saturating_sub(1);
    let list = usize::try_from(found).ok().and_then(|index| lists.get(index));
    list.copied().ok_or(Fault::OutOfRange { what: role.words(), low: 0, high, found })
}

fn check_size(head: Head, needed: u64) -> Result<(), Fault> {
    let found = match head {
        Head::Plain(length) => length,
        Head::Compressed { expanded, .. } => expanded,
        // No decimal text of 32 bits is as long as any of the fixed sizes (16 and 40).
        Head::Integer(number) => decimal_length(number),
    };
    if found == needed { Ok(()) } else { Err(Fault::StringSize { needed, found }) }
}

fn decimal_length(number: i64) -> u64 {
    let digits = number.unsigned_abs().checked_ilog10().unwrap_or(0) + 1;
    u64::from(digits) + u64::from(number < 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Writes down what it is told, a string's parts joined, and faults at the event of this number.
    #[derive(Default)]
    struct Recorder {
        events: Vec<String>,
        bytes: Vec<u8>,
        fault_at: usize,
    }

    impl Recorder {
        fn note(&mut self, event: String) -> Visited {
            self.events.push(event);
            if self.events.len() == self.fault_at { Err(Fault::LzfData("is refused here")) } else { Ok(()) }
        }
    }

    impl Visitor for Recorder {
        fn record(&mut self, record: &Record, at: u64) -> Visited {
            self.note(format!("{at} {}", record.name))
        }
        fn record_end(&mut self, record: &Record, _end: u64) -> Visited {
            self.note(format!("end of {}", record.name))
        }
        fn count(&mut self, role: Role, count: u64) -> Visited {
            self.note(format!("{role:?} x {count}"))
        }
        fn number(&mut self, role: Role, number: u64) -> Visited {
            self.note(format!("{role:?} {number}"))
        }
        fn raw(&mut self, role: Role, bytes: &[u8]) -> Visited {
            self.note(format!("{role:?} {bytes:?}"))
        }
        fn string(&mut self, role: Role, head: Head) -> Visited {
            self.note(format!("{role:?} {head:?}"))
        }
        fn part(&mut self, _role: Role, bytes: &[u8]) -> Visited {
            assert!(!bytes.is_empty());
            self.bytes.extend_from_slice(bytes);
            Ok(())
        }
        fn string_end(&mut self, role: Role) -> Visited {
            let bytes = std::mem::take(&mut self.bytes);
            self.note(format!("{role:?} = {}", bytes.escape_ascii()))
        }
    }

    const SAMPLE: &[u8] = b"REDIS0012\xfe\x01\x00\x01k\x01v\x00\x01i\xc0\x07\x04\x01h\x01\x02f1\x00\
        \x03\x01z\x02\x01a\x031.5\x01b\xfd\x07\x01m\x01\x01\x05\x05\x02ab\x00\xff\0\0\0\0\0\0\0\0";

    fn walk(size: usize, fault_at: usize) -> (Option<RdbError>, Vec<String>) {
        let mut machine = Machine::new(Recorder { fault_at, ..Recorder::default() });
        let error = SAMPLE.chunks(size).find_map(|piece| machine.push(piece).err());
        (error, machine.visitor.events)
    }

    #[test]
    fn a_visitor_hears_all_in_order() {
        let (error, events) = walk(SAMPLE.len(), 0);
        assert_eq!(error, None);
        let hash = [
            "21 HASH",
            "Key Plain(1)",
            "Key = h",
            "Fields x 1",
            "Field Plain(2)",
            "Field = f1",
            "FieldValue Plain(0)",
            "FieldValue = ",
            "end of HASH",
        ];
        assert!(events.windows(hash.len()).any(|window| window == hash), "{events:#?}");
        assert_eq!(events.last().unwrap(), "end of EOF");
    }

    #[test]
    fn a_visitor_hears_and_faults_alike_however_the_bytes_are_cut() {
        let events = walk(SAMPLE.len(), 0).1.len();
        for fault_at in 0..=events {
            let whole = walk(SAMPLE.len(), fault_at);
            assert_eq!(whole.0.is_some(), fault_at > 0);
            for size in 1..40 {
                assert_eq!(walk(size, fault_at), whole, "pieces of {size}, fault at event {fault_at}");
            }
        }
    }
}
