//! What can be read of a damaged RDB, as a sound one.
//!
//! Sound records are copied as they stand, behind the same header, and a fresh EOF and checksum end them. Where a record
//! cannot be decoded, it is searched for the next byte from which on decoding goes well, and what lies between is lost:
//!
//! ```text
//! header  record  record  [damaged record  ……………]  record  record  [end missing]
//!                         R                        C
//! ```
//!
//! A key's opcodes (expiry, idle time, frequency, metadata) and its record are one unit: kept together or lost together.
//!
//! # Evidence
//!
//! Nothing marks a record's beginning, and bytes inside of values may look like records. So a candidate has to begin
//! like a record of a real dump: a key's name is text, an expiry lies within this century, a database's number is
//! small. Then it is decoded in full depth, and what is found there counts: a validated packed collection or LZF string for much,
//! a name for little, the end of the RDB at the end of the input for most. The first candidate with [`ENOUGH`] is taken.
//!
//! # Cost
//!
//! Most candidates are dismissed at a look. The others' decoding is charged to an account that is a small multiple of the
//! input's size, so that the whole stays linear; when it is used up the search is given up.

use std::collections::HashMap;
use std::io::{self, Write};

use crc_fast::{CrcAlgorithm, Digest};

use super::decoder::Decoding;
use super::error::{Fault, RdbError};
use super::explain::belongs_to_key;
use super::grammar::{Class, EOF, Header, Record, Role};
use super::machine::{Machine, Visited, Visitor};
use super::primitive::{Cursor, Head};
use super::values::{Depth, Unheard};
use super::walk::Checksum;
use crate::bounds::{SALVAGE_BUFFER, SALVAGE_FRONT, SALVAGE_TRIAL};

/// Where the damaged RDB is read, at any place.
pub trait Input {
    /// Fills the buffer from this offset on, as far as there are bytes; gives how many.
    ///
    /// # Errors
    /// Where it cannot be read.
    fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> io::Result<usize>;
    /// Bytes in all.
    fn length(&self) -> u64;
}

impl Input for &[u8] {
    fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let rest = usize::try_from(offset).ok().and_then(|offset| self.get(offset..)).unwrap_or_default();
        let size = rest.len().min(buffer.len());
        if let (Some(to), Some(from)) = (buffer.get_mut(..size), rest.get(..size)) {
            to.copy_from_slice(from);
        }
        Ok(size)
    }

    fn length(&self) -> u64 {
        self.len() as u64
    }
}

/// Bytes that could not be kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loss {
    /// The first of them, in the input.
    pub offset: u64,
    /// How many; 0 where something is missing that was never there.
    pub bytes: u64,
    /// The record that could not be read, where its leading byte could.
    pub record: Option<&'static str>,
    /// Its key, where it has one that could be read.
    pub key: Option<Vec<u8>>,
    /// What was wrong.
    pub reason: String,
}

/// What became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Salvaged {
    /// The header that was written.
    pub header: Header,
    /// It could not be read and was given or guessed.
    pub header_assumed: bool,
    /// Keys that were kept.
    pub keys: u64,
    /// Records that were kept; the opcodes of a key are counted with it.
    pub records: u64,
    /// Bytes that were written.
    pub bytes: u64,
    /// Losses, and the bytes in them.
    pub losses: u64,
    /// See there.
    pub lost_bytes: u64,
    /// The input's checksum, where the whole was read without a loss.
    pub checksum: Option<Checksum>,
    /// Kept keys that stand behind a loss and before the next SELECTDB: had one been lost, their database is another.
    pub uncertain_keys: u64,
    /// Bytes behind the RDB's end that are not its own.
    pub trailing: u64,
    /// The search was given up for its cost: there may be more to find in the last loss.
    pub gave_up: bool,
}

/// Why nothing was salvaged.
#[derive(Debug, thiserror::Error)]
pub enum SalvageError {
    /// The input or the output cannot be used.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// There are fewer bytes than a header has.
    #[error("the input ends inside the header, there is nothing to save")]
    Short,
    /// Neither a header nor anything to guess it by.
    #[error("{0}; where it is an RDB with a damaged header, say of which version: --assume REDIS0011")]
    Header(Fault),
}

/// Evidence that a candidate needs.
const ENOUGH: u32 = 28;

/// What a candidate is charged beside its bytes.
const CANDIDATE: u64 = 64;

/// Milliseconds since 1970 that are an expiry: from 2001 to 2200.
const EXPIRIES: std::ops::Range<i64> = 978_307_200_000..7_258_118_400_000;

/// Keys' names longer than this are not looked for.
const LONGEST_NAME: u64 = 1024;

/// Of a name so many bytes are looked at.
const NAME: usize = 64;

/// Counts units and weighs them.
struct Units {
    decoding: Decoding<Unheard>,
    /// The unit under way.
    begin: Option<u64>,
    /// Behind the last complete one.
    good: u64,
    keys: u64,
    records: u64,
    /// Keys before a database was selected.
    before_select: u64,
    selected: bool,
    eof: Option<u64>,
    checksum: Option<Checksum>,
    evidence: u32,
    /// Of the unit under way.
    pending: u32,
    compressed: bool,
    /// On trial: what real dumps do not have counts against it.
    trial: bool,
}

impl Units {
    fn on_trial(offset: u64) -> Self {
        Self { trial: true, ..Self::new(offset) }
    }

    fn new(offset: u64) -> Self {
        Self {
            decoding: Decoding::new(Unheard, Depth::Full),
            begin: None,
            good: offset,
            keys: 0,
            records: 0,
            before_select: 0,
            selected: false,
            eof: None,
            checksum: None,
            evidence: 0,
            pending: 0,
            compressed: false,
            trial: false,
        }
    }
}

impl Visitor for Units {
    fn record(&mut self, record: &Record, at: u64) -> Visited {
        self.begin.get_or_insert(at);
        if record.class == Class::End {
            self.eof = Some(at);
        }
        self.decoding.record(record, at)
    }

    fn record_end(&mut self, record: &Record, end: u64) -> Visited {
        self.decoding.record_end(record, end)?;
        if record.class == Class::End || belongs_to_key(record) {
            return Ok(());
        }
        self.begin = None;
        self.good = end;
        self.records += 1;
        if record.class == Class::Key {
            self.keys += 1;
            self.before_select += u64::from(!self.selected);
        }
        self.evidence = self.evidence.saturating_add(std::mem::take(&mut self.pending));
        Ok(())
    }

    fn count(&mut self, role: Role, count: u64) -> Visited {
        // A key whose last element goes, goes with it.
        if self.trial && count == 0 && matches!(role, Role::Elements | Role::Members | Role::Fields | Role::Nodes) {
            return Err(Fault::Contradiction("a collection without elements"));
        }
        self.decoding.count(role, count)
    }

    fn number(&mut self, role: Role, number: u64) -> Visited {
        self.selected |= role == Role::Database;
        self.pending += match role {
            Role::Database | Role::TableKeys | Role::Slot => 2,
            Role::ModuleWhen if number == 1 || number == 2 => 8,
            _ => 0,
        };
        self.decoding.number(role, number)
    }

    fn raw(&mut self, role: Role, bytes: &[u8]) -> Visited {
        if role == Role::ExpiryMilliseconds && is_expiry(bytes) {
            self.pending += 12;
        }
        // Found by no check of structure, but servers stop loading at it.
        if role == Role::Score && is_nan(bytes) {
            return Err(Fault::Score);
        }
        self.decoding.raw(role, bytes)
    }

    fn string(&mut self, role: Role, head: Head) -> Visited {
        self.compressed = matches!(head, Head::Compressed { .. });
        self.decoding.string(role, head)
    }

    fn part(&mut self, role: Role, bytes: &[u8]) -> Visited {
        self.decoding.part(role, bytes)
    }

    fn string_end(&mut self, role: Role) -> Visited {
        self.decoding.string_end(role)?;
        self.pending = self.pending.saturating_add(match role {
            Role::Key => {
                self.decoding.key().filter(|name| is_text(name)).map_or(0, |name| 4 + name.len().min(12) as u32)
            }
            Role::AuxKey => 8,
            Role::Packed | Role::Node | Role::StreamNode => 24,
            _ if self.compressed => 16,
            _ => 0,
        });
        Ok(())
    }

    fn end(&mut self, checksums: Option<(u64, u64)>) {
        self.checksum = Some(Checksum::judge(checksums));
        self.decoding.end(checksums);
    }
}

fn is_nan(score: &[u8]) -> bool {
    score == [253] || score.first_chunk().is_some_and(|score| f64::from_le_bytes(*score).is_nan())
}

fn is_expiry(bytes: &[u8]) -> bool {
    bytes.first_chunk().is_some_and(|time| EXPIRIES.contains(&i64::from_le_bytes(*time)))
}

/// Text without control characters; its last character may be cut.
fn is_text(bytes: &[u8]) -> bool {
    let bytes = bytes.get(..NAME).unwrap_or(bytes);
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) if error.error_len().is_some() => return false,
        Err(error) => bytes.get(..error.valid_up_to()).and_then(|text| std::str::from_utf8(text).ok()).unwrap_or(""),
    };
    !text.is_empty() && !text.chars().any(char::is_control)
}

/// Whether bytes begin like a record of a real dump. `at_end` tells that an EOF opcode there would end the input.
fn begins_well(header: Header, bytes: &[u8], at_end: bool) -> bool {
    let mut cursor = Cursor::new(bytes);
    let mut prefixed = false;
    // Opcodes of a key, at most one of each kind.
    for _ in 0..4 {
        let Ok(byte) = cursor.byte() else { return false };
        let fine = match byte {
            EOF => return !prefixed && at_end,
            0xfc => cursor.field(8).is_ok_and(is_expiry),
            0xfd => cursor.array().is_ok_and(|time| EXPIRIES.contains(&(i64::from(i32::from_le_bytes(time)) * 1000))),
            0xf8 => cursor.number().is_ok_and(|seconds| seconds < 1 << 31),
            0xf9 => cursor.byte().is_ok(),
            0xfe if !prefixed => {
                let db = cursor.number();
                return db.is_ok_and(|db| db < 1 << 14) && leads(header, &mut cursor);
            }
            0xfb if !prefixed => return number_pair(&mut cursor) && leads(header, &mut cursor),
            0xf4 if !prefixed => {
                let slot = cursor.number();
                return slot.is_ok_and(|slot| slot < 1 << 14) && number_pair(&mut cursor) && leads(header, &mut cursor);
            }
            0xfa if !prefixed => return has_text(&mut cursor),
            other => {
                return match Record::lookup(header, other) {
                    Ok(record) if record.class == Class::Key => has_text(&mut cursor),
                    Ok(_) => !prefixed,
                    Err(_) => false,
                };
            }
        };
        if !fine {
            return false;
        }
        prefixed = true;
    }
    false
}

fn number_pair(cursor: &mut Cursor<'_>) -> bool {
    cursor.number().is_ok() && cursor.number().is_ok()
}

/// Whether the next byte leads a record.
fn leads(header: Header, cursor: &mut Cursor<'_>) -> bool {
    cursor.byte().is_ok_and(|byte| Record::lookup(header, byte).is_ok())
}

/// Whether a string follows that may be a name.
fn has_text(cursor: &mut Cursor<'_>) -> bool {
    match cursor.head() {
        Ok(Head::Plain(length)) => {
            (1..=LONGEST_NAME).contains(&length) && is_text(cursor.up_to(length.min(NAME as u64)))
        }
        Ok(Head::Integer(_)) => true,
        Ok(Head::Compressed { expanded, .. }) => expanded <= LONGEST_NAME,
        Err(_) => false,
    }
}

/// Salvages the RDB that begins at the input's first byte, or near it. `assumed` is the header to take where there is
/// none. `lost` is told each loss, in order; `progress` the offset that was reached and the keys kept.
///
/// # Errors
/// [`SalvageError`]. What was written until then is no RDB.
pub fn salvage(
    input: &mut dyn Input,
    output: &mut dyn Write,
    assumed: Option<Header>,
    lost: &mut dyn FnMut(Loss),
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Salvaged, SalvageError> {
    let length = input.length();
    let mut salvage = Salvage {
        window: Window { input, base: 0, bytes: Vec::new() },
        output,
        digest: Digest::new(CrcAlgorithm::Crc64Redis),
        length,
        account: (64 << 20) + length.saturating_mul(16),
        lost,
        told: Salvaged {
            header: Header::parse(*b"REDIS0012").map_err(SalvageError::Header)?,
            header_assumed: false,
            keys: 0,
            records: 0,
            bytes: 0,
            losses: 0,
            lost_bytes: 0,
            checksum: None,
            uncertain_keys: 0,
            trailing: 0,
            gave_up: false,
        },
    };
    salvage.run(assumed, progress)?;
    Ok(salvage.told)
}

/// A part of the input that is at hand.
struct Window<'a> {
    input: &'a mut dyn Input,
    base: u64,
    bytes: Vec<u8>,
}

impl Window<'_> {
    /// Up to `size` bytes from `offset` on, fewer only at the input's end. `size` is at most half of the buffer.
    fn at(&mut self, offset: u64, size: usize) -> io::Result<&[u8]> {
        let end = self.base + self.bytes.len() as u64;
        let held = offset >= self.base && offset + size as u64 <= end;
        let at_end = (self.base..=end).contains(&offset) && end >= self.input.length();
        if !held && !at_end {
            self.bytes.resize(SALVAGE_BUFFER, 0);
            let read = self.input.read_at(offset, &mut self.bytes)?;
            self.bytes.truncate(read);
            self.base = offset;
        }
        let from = usize::try_from(offset - self.base).unwrap_or(usize::MAX);
        let rest = self.bytes.get(from..).unwrap_or_default();
        Ok(rest.get(..size).unwrap_or(rest))
    }
}

struct Salvage<'a> {
    window: Window<'a>,
    output: &'a mut dyn Write,
    digest: Digest,
    length: u64,
    /// Bytes that trials may still take beyond the first ones.
    account: u64,
    lost: &'a mut dyn FnMut(Loss),
    told: Salvaged,
}

impl Salvage<'_> {
    fn run(&mut self, assumed: Option<Header>, progress: &mut dyn FnMut(u64, u64)) -> Result<(), SalvageError> {
        let (header, mut start) = self.header(assumed)?;
        self.told.header = header;
        self.write(header.to_string().as_bytes())?;
        let mut whole = start == 9 && !self.told.header_assumed;
        let mut templates = HashMap::new();
        if self.told.header_assumed {
            // The damage may go on behind the header.
            start = self.resume_at(header, start, "the header cannot be read", &templates)?.unwrap_or(self.length);
        }
        loop {
            let mut machine = match whole {
                true => Machine::new(Units::new(0)),
                false => Machine::resumed(Units::new(start), header, start, std::mem::take(&mut templates)),
            };
            let begin = if whole { 0 } else { start };
            let error = self.copy_from(&mut machine, begin, start, progress)?;
            let units = machine.visitor();
            self.told.keys += units.keys;
            self.told.records += units.records;
            if begin > 0 && self.told.losses > 0 {
                self.told.uncertain_keys += units.before_select;
            }
            let (good, eof, checksum) = (units.good, units.eof, units.checksum);
            let good = good.max(start);
            let (record, key) = (machine.record(), units.decoding.key().map(<[u8]>::to_vec));
            let loss = match error {
                Some(error) => {
                    let record = error.record.map(|(_, name)| name);
                    let key = key.filter(|_| record.is_some());
                    Loss { offset: good, bytes: 0, record, key, reason: error.fault.to_string() }
                }
                None if machine.ended() => {
                    let end = machine.offset();
                    let wrong = matches!(checksum, Some(Checksum::Bad { .. }));
                    let at = eof.unwrap_or(end);
                    let more = if end < self.length && (wrong || !whole) && checksum != Some(Checksum::Off) {
                        self.search(header, at + 1, machine.templates())?
                    } else {
                        None
                    };
                    let Some(next) = more else {
                        self.told.checksum = checksum.filter(|_| whole);
                        self.told.trailing = self.length - end;
                        break;
                    };
                    self.lose(Loss {
                        offset: at,
                        bytes: next - at,
                        record: Some("EOF"),
                        key: None,
                        reason: "records follow it, so it is not the end".to_owned(),
                    });
                    (templates, start, whole) = (machine.templates().clone(), next, false);
                    continue;
                }
                None => {
                    let record = record.map(|(_, name)| name);
                    let key = key.filter(|_| record.is_some());
                    let reason = "the input ends before the RDB does".to_owned();
                    Loss { offset: good, bytes: 0, record, key, reason }
                }
            };
            // All was read, only the end is missing.
            let next = match eof {
                Some(_) => None,
                None if good >= self.length => None,
                None => self.search_behind(header, good, machine.templates())?,
            };
            self.lose(Loss { bytes: next.unwrap_or(self.length).saturating_sub(good), ..loss });
            let Some(next) = next else { break };
            (templates, start, whole) = (machine.templates().clone(), next, false);
        }
        self.finish()
    }

    /// Decodes from `begin` and copies the sound units behind `start`. Gives what was wrong, if anything.
    fn copy_from(
        &mut self,
        machine: &mut Machine<Units>,
        begin: u64,
        start: u64,
        progress: &mut dyn FnMut(u64, u64),
    ) -> io::Result<Option<RdbError>> {
        let (mut at, mut copied) = (begin, start);
        loop {
            let bytes = self.window.at(at, SALVAGE_BUFFER / 2)?;
            if bytes.is_empty() || machine.ended() {
                return Ok(None);
            }
            at += bytes.len() as u64;
            let pushed = machine.push(bytes);
            let good = machine.visitor().good;
            while copied < good {
                let size = usize::try_from(good - copied).unwrap_or(usize::MAX).min(SALVAGE_BUFFER / 2);
                let bytes = self.window.at(copied, size)?;
                if bytes.is_empty() {
                    break;
                }
                self.digest.update(bytes);
                self.output.write_all(bytes)?;
                copied += bytes.len() as u64;
                self.told.bytes += bytes.len() as u64;
            }
            progress(at, self.told.keys + machine.visitor().keys);
            if let Err(error) = pushed {
                return Ok(Some(error));
            }
        }
    }

    /// Reads the header; where there is none, looks for one further on, or takes what is assumed or can be guessed. Gives
    /// where records begin.
    fn header(&mut self, assumed: Option<Header>) -> Result<(Header, u64), SalvageError> {
        let front = self.window.at(0, SALVAGE_FRONT)?.to_vec();
        let at = |offset: usize| front.get(offset..).and_then(<[u8]>::first_chunk::<9>).copied();
        let fault = match Header::parse(at(0).ok_or(SalvageError::Short)?) {
            Ok(header) => return Ok((header, 9)),
            // What is whole and cannot be read is not damaged.
            Err(fault @ Fault::Envelope) => return Err(SalvageError::Header(fault)),
            Err(fault) => fault,
        };
        if let Some(header) = assumed {
            self.told.header_assumed = true;
            return Ok((header, 0));
        }
        // Behind something else.
        let offsets = 1..front.len().saturating_sub(9);
        let found = offsets.clone().find_map(|offset| Some((offset, Header::parse(at(offset)?).ok()?)));
        if let Some((offset, header)) = found {
            self.lose(Loss {
                offset: 0,
                bytes: offset as u64,
                record: None,
                key: None,
                reason: "the RDB begins behind it".to_owned(),
            });
            return Ok((header, offset as u64 + 9));
        }
        let header = guess(&front).ok_or(SalvageError::Header(fault))?;
        self.told.header_assumed = true;
        Ok((header, 0))
    }

    /// Where records begin that were not reached in a sound way, with what lies before as a loss.
    fn resume_at(
        &mut self,
        header: Header,
        from: u64,
        reason: &str,
        templates: &HashMap<u64, u64>,
    ) -> io::Result<Option<u64>> {
        let next = self.search(header, from, templates)?;
        let bytes = next.unwrap_or(self.length) - from;
        self.lose(Loss { offset: from, bytes, record: None, key: None, reason: reason.to_owned() });
        Ok(next)
    }

    /// The first record behind the damage at `good`. A key directly behind what looks like its expiry, whose opcode is
    /// damaged, is not taken: without it the key would never expire.
    fn search_behind(&mut self, header: Header, good: u64, templates: &HashMap<u64, u64>) -> io::Result<Option<u64>> {
        let mut from = good + 1;
        while let Some(next) = self.search(header, from, templates)? {
            if !self.lacks_expiry(good, next)? {
                return Ok(Some(next));
            }
            from = next + 1;
        }
        Ok(None)
    }

    /// Whether a time stands where the expiry of the record at `next` would, with a byte for its opcode before it, and
    /// perhaps a frequency (2 bytes) or an idle time (2, 3 or 6 bytes) behind it.
    fn lacks_expiry(&mut self, good: u64, next: u64) -> io::Result<bool> {
        const WIDEST: u64 = 9 + 6;
        let from = good.max(next.saturating_sub(WIDEST));
        let size = usize::try_from(next - from).unwrap_or(0);
        let bytes = self.window.at(from, size + 1)?;
        let Some((first, before)) = bytes.split_last().filter(|(_, before)| before.len() == size) else {
            return Ok(false);
        };
        // What has an expiry of its own, and what is no key.
        if matches!(first, 0xf4 | 0xf5 | 0xf7 | 0xfa..=0xff) {
            return Ok(false);
        }
        Ok([0, 2, 3, 6].into_iter().any(|behind| {
            let Some((before, other)) = size.checked_sub(behind).and_then(|end| before.split_at_checked(end)) else {
                return false;
            };
            let own = matches!((other.first(), behind), (None, 0) | (Some(0xf9), 2) | (Some(0xf8), _));
            let time = before.last_chunk::<9>().and_then(|opcode| opcode.get(1..));
            own && time.is_some_and(is_expiry)
        }))
    }

    /// The first byte from `from` on at which a record is believed to begin.
    fn search(&mut self, header: Header, from: u64, templates: &HashMap<u64, u64>) -> io::Result<Option<u64>> {
        let checksum = if header.has_checksum() { 8 } else { 0 };
        // Most often the next record is near: a small block first.
        let (mut block, mut span) = (from, SALVAGE_TRIAL);
        while block < self.length && !self.told.gave_up {
            // Of each block the candidates are picked first, since a trial may move the window.
            let bytes = self.window.at(block, span)?;
            span = (span * 4).min(SALVAGE_BUFFER / 4);
            if bytes.is_empty() {
                break;
            }
            let size = bytes.len().saturating_sub(NAME + 32).max(1);
            let length = self.length;
            let mut candidates = Vec::new();
            for (place, at) in (0..size).zip(block..) {
                let rest = bytes.get(place..).unwrap_or_default();
                if begins_well(header, rest, at + 1 + checksum == length) {
                    candidates.push(at);
                }
            }
            let last = block + bytes.len() as u64 >= self.length;
            if last {
                let tail = (size..bytes.len()).zip(block + size as u64..);
                candidates.extend(
                    tail.filter(|(place, at)| {
                        begins_well(header, bytes.get(*place..).unwrap_or_default(), at + 1 + checksum == length)
                    })
                    .map(|(_, at)| at),
                );
            }
            for at in candidates {
                if self.try_at(header, at, templates)? {
                    return Ok(Some(at));
                }
            }
            if last {
                break;
            }
            block += size as u64;
        }
        Ok(None)
    }

    /// Whether there is enough evidence that a record begins here.
    fn try_at(&mut self, header: Header, at: u64, templates: &HashMap<u64, u64>) -> io::Result<bool> {
        let mut machine = Machine::resumed(Units::on_trial(at), header, at, templates.clone());
        let (mut offset, mut charged) = (at, at);
        let mut size = SALVAGE_TRIAL;
        loop {
            let bytes = self.window.at(offset, size)?;
            let read = bytes.len();
            let pushed = machine.push(bytes);
            offset += read as u64;
            let units = machine.visitor();
            if units.evidence >= ENOUGH {
                return Ok(true);
            }
            // What leads to the end where the input ends is believed.
            let checksum = if header.has_checksum() { 8 } else { 0 };
            if units.eof.is_some_and(|eof| eof + 1 + checksum == self.length) {
                return Ok(true);
            }
            let taken = machine.offset().saturating_sub(charged);
            charged += taken;
            self.account = self.account.saturating_sub(taken + CANDIDATE);
            if self.account == 0 {
                self.told.gave_up = true;
            }
            if pushed.is_err() || machine.ended() || read == 0 || self.told.gave_up {
                return Ok(false);
            }
            size = SALVAGE_BUFFER / 4;
        }
    }

    fn lose(&mut self, loss: Loss) {
        self.told.losses += 1;
        self.told.lost_bytes += loss.bytes;
        (self.lost)(loss);
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.digest.update(bytes);
        self.told.bytes += bytes.len() as u64;
        self.output.write_all(bytes)
    }

    fn finish(&mut self) -> Result<(), SalvageError> {
        self.write(&[EOF])?;
        if self.told.header.has_checksum() {
            let checksum = self.digest.finalize().to_le_bytes();
            self.told.bytes += checksum.len() as u64;
            self.output.write_all(&checksum)?;
        }
        self.output.flush()?;
        Ok(())
    }
}

/// The dialect, by the server's version in the AUX fields that a dump begins with.
fn guess(front: &[u8]) -> Option<Header> {
    let version = |name: &[u8]| {
        let behind = memchr::memmem::find(front, name)? + name.len();
        let length = usize::from(*front.get(behind)?);
        let text = std::str::from_utf8(front.get(behind + 1..)?.get(..length)?).ok()?;
        let mut parts = text.split('.');
        let major: u16 = parts.next()?.parse().ok()?;
        let minor: u16 = parts.next().and_then(|minor| minor.parse().ok()).unwrap_or(0);
        Some((major, minor))
    };
    let bytes: &[u8; 9] = match (version(b"valkey-ver"), version(b"redis-ver")) {
        (Some((9.., 0..=1)), _) => b"VALKEY080",
        (Some((9.., _)), _) => b"VALKEY081",
        (Some(_), _) => b"REDIS0011",
        (None, Some((..=3, _))) => b"REDIS0007",
        (None, Some((4, _))) => b"REDIS0008",
        (None, Some((5 | 6, _))) => b"REDIS0009",
        (None, Some((7, ..=1))) => b"REDIS0010",
        (None, Some((7, 2 | 3))) => b"REDIS0011",
        (None, Some(_)) => b"REDIS0012",
        (None, None) => return None,
    };
    Header::parse(*bytes).ok()
}

impl std::str::FromStr for Header {
    type Err = Fault;

    /// Reads what a header's display gives: `REDIS0011`, `VALKEY080`.
    fn from_str(text: &str) -> Result<Self, Fault> {
        let bytes = text.as_bytes();
        match <[u8; 9]>::try_from(bytes) {
            Ok(bytes) => Self::parse(bytes),
            Err(_) => Err(Fault::NotAnRdb(bytes.first_chunk().copied().unwrap_or(*b"(shorter)"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Salvages; gives the result, what is told, the losses.
    fn run(bytes: &[u8], assumed: Option<Header>) -> (Vec<u8>, Salvaged, Vec<Loss>) {
        let (mut out, mut losses) = (Vec::new(), Vec::new());
        let mut input = bytes;
        let told = salvage(&mut input, &mut out, assumed, &mut |loss| losses.push(loss), &mut |_, _| {}).unwrap();
        (out, told, losses)
    }

    #[track_caller]
    fn check(rdb: &[u8]) -> (u64, Checksum) {
        #[derive(Default)]
        struct Verdict(Option<Checksum>);
        impl super::super::Values for Verdict {
            fn end(&mut self, checksum: Checksum) {
                self.0 = Some(checksum);
            }
        }
        let mut decoder = super::super::Decoder::new(Verdict::default(), Depth::Full);
        let progress = decoder.push(rdb).unwrap();
        assert!(progress.ended && progress.consumed == rdb.len());
        (decoder.keys(), decoder.values().0.unwrap())
    }

    fn string(name: &str, value: &str) -> Vec<u8> {
        [&[0, name.len() as u8][..], name.as_bytes(), &[value.len() as u8], value.as_bytes()].concat()
    }

    fn with_checksum(mut rdb: Vec<u8>) -> Vec<u8> {
        let mut digest = Digest::new(CrcAlgorithm::Crc64Redis);
        digest.update(&rdb);
        rdb.extend_from_slice(&digest.finalize().to_le_bytes());
        rdb
    }

    /// A sound dump of these records.
    fn dump(records: &[Vec<u8>]) -> Vec<u8> {
        with_checksum([b"REDIS0011".to_vec(), records.concat(), vec![EOF]].concat())
    }

    fn records() -> Vec<Vec<u8>> {
        let expiring = [&[0xfc][..], &4_102_444_800_000i64.to_le_bytes(), &string("session:1", "abcdefgh")].concat();
        vec![
            b"\xfa\x09redis-ver\x057.2.4".to_vec(),
            b"\xfe\x00".to_vec(),
            string("user:1:name", "somebody"),
            expiring,
            string("user:2:name", "somebody else"),
            string("counter", "12"),
            string("greeting", "hello"),
        ]
    }

    #[test]
    fn a_sound_dump_is_copied() {
        let sound = dump(&records());
        let (out, told, losses) = run(&sound, None);
        assert!(out == sound);
        assert_eq!((told.keys, told.losses, losses.len(), told.checksum), (5, 0, 0, Some(Checksum::Ok)));
        // Without the checksum it is written anew.
        let mut off = sound.clone();
        let end = off.len() - 8;
        off[end..].fill(0);
        let (out, told, _) = run(&off, None);
        assert!(out == sound);
        assert_eq!((told.losses, told.checksum), (0, Some(Checksum::Off)));
    }

    #[test]
    fn a_damaged_record_is_lost_with_its_opcodes_and_no_other() {
        for (damaged, kept) in [(2, 4), (3, 4), (4, 4), (5, 4), (6, 4)] {
            let mut records = records();
            let whole = dump(&records);
            let before: usize = records[..damaged].iter().map(Vec::len).sum();
            let (size, record) = (records[damaged].len() as u64, &mut records[damaged]);
            // Its type becomes one that does not exist.
            let place = if record[0] == 0xfc { 9 } else { 0 };
            record[place] = 0x50;
            let bytes = dump(&records);
            let (out, told, losses) = run(&bytes, None);
            assert_eq!(check(&out), (kept, Checksum::Ok), "{damaged}");
            assert_eq!((losses.len(), losses[0].offset, losses[0].bytes), (1, 9 + before as u64, size), "{damaged}");
            assert!(losses[0].reason.contains("80"), "{}", losses[0].reason);
            assert_eq!(told.bytes, out.len() as u64);
            assert_eq!(out.len() as u64 + size, whole.len() as u64);
        }
    }

    #[test]
    fn a_key_does_not_outlive_its_expiry() {
        let mut records = records();
        // The opcode of the expiry is damaged: the key behind it could be read.
        records[3][0] = 0x50;
        let size = records[3].len() as u64;
        let (out, told, losses) = run(&dump(&records), None);
        assert_eq!((check(&out).0, told.lost_bytes, losses.len()), (4, size, 1));
    }

    #[test]
    fn a_score_at_which_servers_stop_is_damage() {
        let mut records = records();
        records.insert(4, [&b"zsetm"[..], &f64::NAN.to_le_bytes()].concat());
        let (out, told, losses) = run(&dump(&records), None);
        assert_eq!((check(&out).0, told.losses, losses[0].key.as_deref()), (5, 1, Some(&b"zset"[..])));
    }

    #[test]
    fn a_length_that_swallows_the_rest_costs_one_record() {
        let mut records = records();
        // The value is announced as 4 GiB.
        records[4] = [&b"\x00\x0buser:2:name\x80\xff\xff\xff\xff"[..], b"somebody else"].concat();
        let (out, told, losses) = run(&dump(&records), None);
        assert_eq!((check(&out), told.keys), ((4, Checksum::Ok), 4));
        assert_eq!((losses[0].record, losses[0].key.as_deref()), (Some("STRING"), Some(&b"user:2:name"[..])));
        assert_eq!(told.uncertain_keys, 2);
    }

    #[test]
    fn a_cut_dump_is_whole_up_to_its_last_key() {
        let sound = dump(&records());
        for cut in 9..sound.len() {
            let (out, told, losses) = run(&sound[..cut], None);
            let (keys, checksum) = check(&out);
            assert_eq!((keys, checksum, losses.len()), (told.keys, Checksum::Ok, 1), "{cut}");
            assert_eq!(losses[0].offset + losses[0].bytes, cut as u64);
        }
    }

    #[test]
    fn a_wrong_checksum_alone_loses_nothing_and_is_told() {
        let mut bytes = dump(&records());
        let value = bytes.windows(5).position(|window| window == b"hello").unwrap();
        bytes[value] ^= 1;
        let (out, told, losses) = run(&bytes, None);
        assert_eq!(check(&out), (5, Checksum::Ok));
        assert!(losses.is_empty() && matches!(told.checksum, Some(Checksum::Bad { .. })));
    }

    #[test]
    fn what_follows_an_rdb_is_left_alone() {
        let sound = dump(&records());
        let (out, told, _) = run(&[&sound[..], b"*1\r\n$4\r\nPING\r\n"].concat(), None);
        assert!(out == sound);
        assert_eq!((told.losses, told.trailing), (0, 14));
    }

    #[test]
    fn an_end_that_is_none_is_passed() {
        let mut records = records();
        records[4][0] = EOF;
        let (out, told, losses) = run(&dump(&records), None);
        assert_eq!((check(&out).0, told.losses, losses[0].record), (4, 1, Some("EOF")));
    }

    #[test]
    fn a_header_is_guessed_assumed_or_found_further_on() {
        let sound = dump(&records());
        let mut bytes = sound.clone();
        bytes[..9].copy_from_slice(b"xEDIS0011");
        let (out, told, _) = run(&bytes, None);
        assert!(told.header_assumed);
        assert_eq!((check(&out), told.header.to_string()), ((5, Checksum::Ok), "REDIS0011".to_owned()));
        let (out, told, _) = run(&bytes, Some("REDIS0012".parse().unwrap()));
        assert_eq!((check(&out).0, told.header.to_string()), (5, "REDIS0012".to_owned()));
        let (out, told, losses) = run(&[b"HTTP/1.1 200\r\n\r\n", &sound[..]].concat(), None);
        assert!(out == sound && !told.header_assumed);
        assert_eq!((losses[0].offset, losses[0].bytes), (0, 16));
        let mut input: &[u8] = b"no such format at all";
        let error = salvage(&mut input, &mut Vec::new(), None, &mut |_| {}, &mut |_, _| {}).unwrap_err();
        assert!(error.to_string().contains("--assume"), "{error}");
    }

    #[test]
    fn records_that_only_look_so_are_not_believed() {
        // Behind a damaged record, the end of a stream with many zeros: "", "" and "" -> "\0" are no keys.
        let mut records = records();
        records.insert(4, b"\x50\x00\x00\x01\x00\x00\x00\x01\x00\x00\x01\x00".to_vec());
        let (out, told, _) = run(&dump(&records), None);
        assert_eq!((check(&out).0, told.lost_bytes), (5, 12));
    }

    proptest! {
        #[test]
        fn whatever_comes_the_result_is_sound(
            damage in prop::collection::vec((9usize..160, any::<u8>()), 0..6),
            cut in 9usize..200,
        ) {
            let mut bytes = dump(&records());
            for (place, byte) in damage {
                if let Some(target) = bytes.get_mut(place) {
                    *target = byte;
                }
            }
            bytes.truncate(cut.max(9));
            let (out, told, losses) = run(&bytes, None);
            let (keys, checksum) = check(&out);
            prop_assert_eq!((keys, checksum), (told.keys, Checksum::Ok));
            prop_assert_eq!(told.losses, losses.len() as u64);
            // Losses stand in order and nothing is lost twice.
            let mut at = 0;
            for loss in &losses {
                prop_assert!(loss.offset >= at);
                at = loss.offset + loss.bytes;
            }
            prop_assert!(at <= bytes.len() as u64);
        }
    }
}
