//! `rdb dump -f resp`: the commands that rebuild the data, as `redis-cli --pipe` sends them to a server.
//!
//! Elements go in batches, and what is long passes piece by piece as one argument of one command, whose length is known
//! before its bytes. What is needed again (a key's name, a field whose expiry follows, a member whose score does) waits
//! in a spool. Where the input breaks off, a command that is still in the buffer is taken back.

use crc_fast::{CrcAlgorithm, Digest};

use super::super::output::Output;
use super::Holding;
use super::pending::{GroupPending, Told};
use super::templates::Templates;
use crate::bounds::{COMMAND_BATCH, COMMAND_ELEMENTS, GROUP_SPOOL, SPILL_READ};
use crate::rdb::{
    Item, Key, KeyEnd, ModuleId, Number, Opcode, Pending, Piece, StreamCounters, StreamId, ValueType, Values,
};
use crate::resp::{encode_bulk, encode_head};
use crate::spill::{SpillError, Spool};

/// Writes commands.
#[derive(Debug)]
pub struct Commands {
    writer: Writer,
    /// The database selected last.
    selected: Option<u64>,
    db: u64,
    key: Text,
    value_type: ValueType,
    expires_at_ms: Option<i64>,
    batch: Batch,
    /// The field under way is in the batch and not yet counted there.
    in_batch: bool,
    /// The field or member under way.
    first: Text,
    templates: Templates,
    /// The field has been told; else it is the template's.
    named: bool,
    group_name: Text,
    group: GroupPending,
    payload: Payload,
    part: Part,
    lost: Lost,
    error: Option<SpillError>,
    /// What to go back to where the key under way turns out to be unwanted.
    before: (Option<u64>, Lost),
}

/// What the strings that come belong to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Key,
    /// A value that no command makes.
    Inexpressible,
    Template,
    Other,
}

/// How much there was that no command expresses.
#[derive(Clone, Copy, Debug, Default)]
struct Lost {
    arrays: u64,
    rate_limits: u64,
    not_numbers: u64,
    metadata: u64,
    module_aux: u64,
    access: u64,
    consumer_times: u64,
    unowned: u64,
    producers: u64,
    fields: u64,
    empty_entries: u64,
}

/// A byte string that may be long.
#[derive(Debug)]
struct Text(Spool);

impl Default for Text {
    fn default() -> Self {
        Self(Spool::new(GROUP_SPOOL))
    }
}

impl Text {
    fn take(&mut self, piece: Piece<'_>) -> Result<(), SpillError> {
        if piece.is_first() {
            self.0.clear();
        }
        self.0.append(piece.bytes)
    }

    fn set(&mut self, bytes: &[u8]) -> Result<(), SpillError> {
        self.take(Piece::whole(bytes))
    }

    /// Whether it is short enough for a batch.
    fn is_short(&self) -> bool {
        self.0.len() <= COMMAND_BATCH as u64 && self.0.in_memory().is_some()
    }

    fn short(&self) -> &[u8] {
        self.0.in_memory().unwrap_or_default()
    }
}

/// Writes RESP, and knows whether a command is whole.
#[derive(Debug)]
struct Writer {
    output: Output,
    /// A command is under way.
    open: bool,
    /// Where it begins in the buffer; `None` where a part of it was given on.
    start: Option<usize>,
}

impl Writer {
    fn begin(&mut self, arguments: u64, command: &str) {
        self.open = true;
        self.start = Some(self.output.buffer().len());
        encode_head(self.output.buffer(), b'*', arguments);
        encode_bulk(self.output.buffer(), command.as_bytes());
    }

    fn end(&mut self) {
        (self.open, self.start) = (false, None);
        self.output.relieve();
    }

    fn relieve(&mut self) {
        if self.output.buffer().len() >= 4 * COMMAND_BATCH {
            self.start = None;
            self.output.relieve();
        }
    }

    fn bulk(&mut self, bytes: &[u8]) {
        encode_bulk(self.output.buffer(), bytes);
    }

    /// An argument or a piece of it.
    fn piece(&mut self, piece: Piece<'_>) {
        let out = self.output.buffer();
        if piece.is_first() {
            encode_head(out, b'$', piece.total);
        }
        out.extend_from_slice(piece.bytes);
        if piece.is_last() {
            out.extend_from_slice(b"\r\n");
        }
        self.relieve();
    }

    fn text(&mut self, text: &mut Text) -> Result<(), SpillError> {
        if let Some(bytes) = text.0.in_memory() {
            self.bulk(bytes);
            self.relieve();
            return Ok(());
        }
        self.spool(&mut text.0)
    }

    fn spool(&mut self, spool: &mut Spool) -> Result<(), SpillError> {
        encode_head(self.output.buffer(), b'$', spool.len());
        let mut reader = spool.reader();
        loop {
            let bytes = reader.take(SPILL_READ)?;
            if bytes.is_empty() {
                break;
            }
            self.output.buffer().extend_from_slice(bytes);
            self.relieve();
        }
        self.output.buffer().extend_from_slice(b"\r\n");
        Ok(())
    }

    /// A number as an argument.
    fn number(&mut self, number: impl std::fmt::Display) {
        push_number(self.output.buffer(), number);
    }
}

fn push_number(out: &mut Vec<u8>, number: impl std::fmt::Display) {
    encode_bulk(out, number.to_string().as_bytes());
}

/// Elements of a collection that will be one command.
#[derive(Debug, Default)]
struct Batch {
    command: &'static str,
    arguments: Vec<u8>,
    count: u64,
    elements: usize,
    /// Whole commands that come after it.
    after: Vec<u8>,
}

/// A value in the form that RESTORE takes.
#[derive(Debug)]
struct Payload {
    spool: Spool,
    digest: Digest,
}

impl Default for Payload {
    fn default() -> Self {
        Self { spool: Spool::new(GROUP_SPOOL), digest: Digest::new(CrcAlgorithm::Crc64Redis) }
    }
}

/// The leading byte of a module's value, MODULE_2.
const MODULE: u8 = 7;
/// The RDB version in a module value's payload: the first that has MODULE_2, so that no server finds it too new.
const PAYLOAD_VERSION: u16 = 8;

impl Payload {
    fn begin(&mut self, leading: u8) -> Result<(), SpillError> {
        self.spool.clear();
        self.digest = Digest::new(CrcAlgorithm::Crc64Redis);
        self.push(&[leading])
    }

    fn push(&mut self, bytes: &[u8]) -> Result<(), SpillError> {
        self.digest.update(bytes);
        self.spool.append(bytes)
    }

    /// A number in the length encoding.
    fn length(&mut self, number: u64) -> Result<(), SpillError> {
        match number {
            0..0x40 => self.push(&[number as u8]),
            _ => {
                let [a, b, c, d, e, f, g, h] = number.to_be_bytes();
                self.push(&[0x81, a, b, c, d, e, f, g, h])
            }
        }
    }

    /// The version and the checksum of all before it.
    fn end(&mut self) -> Result<(), SpillError> {
        self.push(&PAYLOAD_VERSION.to_le_bytes())?;
        self.spool.append(&self.digest.finalize().to_le_bytes())
    }
}

impl Commands {
    /// A writer of commands.
    #[must_use]
    pub fn new(output: Output) -> Self {
        Self {
            writer: Writer { output, open: false, start: None },
            selected: None,
            db: 0,
            key: Text::default(),
            value_type: ValueType::String,
            expires_at_ms: None,
            batch: Batch::default(),
            in_batch: false,
            first: Text::default(),
            templates: Templates::default(),
            named: false,
            group_name: Text::default(),
            group: GroupPending::default(),
            payload: Payload::default(),
            part: Part::Other,
            lost: Lost::default(),
            error: None,
            before: (None, Lost::default()),
        }
    }

    /// Where the commands go.
    pub fn output_mut(&mut self) -> &mut Output {
        &mut self.writer.output
    }

    /// The input has broken off: a command that has begun is taken back. Gives whether that was too late, so that the
    /// output ends inside a command.
    pub fn break_off(&mut self) -> bool {
        let open = std::mem::take(&mut self.writer.open);
        match self.writer.start.take() {
            Some(start) => {
                self.writer.output.buffer().truncate(start);
                false
            }
            None => open,
        }
    }

    /// The first temporary file that could not be used, after which nothing more was written.
    pub fn take_error(&mut self) -> Option<SpillError> {
        self.error.take().or_else(|| self.group.take_error())
    }

    /// What no command expresses, in words; `None` where there was nothing of the kind.
    #[must_use]
    pub fn lost(&self) -> Option<String> {
        let lost = &self.lost;
        let words: Vec<String> = [
            (lost.arrays, "arrays"),
            (lost.rate_limits, "rate limits"),
            (lost.not_numbers, "scores that are no numbers"),
            (lost.fields, "fields whose template is not held"),
            (lost.metadata, "keys' metadata"),
            (lost.module_aux, "modules' auxiliary records"),
            (lost.access, "idle times and access counters"),
            (lost.consumer_times, "times at which consumers were seen"),
            (lost.unowned, "pending entries without a consumer"),
            (lost.producers, "producers of streams"),
            (lost.empty_entries, "stream entries without fields"),
        ]
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, things)| format!("{things} ({count})"))
        .collect();
        (!words.is_empty()).then(|| words.join(", "))
    }

    fn keep(&mut self, done: Result<(), SpillError>) {
        if let Err(error) = done {
            self.error.get_or_insert(error);
        }
    }

    /// Begins a command about the key.
    fn begin(&mut self, arguments: u64, command: &str) -> Result<(), SpillError> {
        self.writer.begin(arguments, command);
        self.writer.text(&mut self.key)
    }

    /// Writes what is batched.
    fn flush(&mut self) -> Result<(), SpillError> {
        if self.batch.count > 0 {
            self.begin(2 + self.batch.count, self.batch.command)?;
            self.writer.output.buffer().extend_from_slice(&self.batch.arguments);
            self.writer.output.buffer().extend_from_slice(&self.batch.after);
            self.writer.end();
        }
        self.batch.arguments.clear();
        self.batch.after.clear();
        (self.batch.count, self.batch.elements) = (0, 0);
        Ok(())
    }

    /// An element is batched: so many arguments more.
    fn batched(&mut self, arguments: u64) -> Result<(), SpillError> {
        self.batch.count += arguments;
        self.batch.elements += 1;
        let size = self.batch.arguments.len() + self.batch.after.len();
        if self.batch.elements >= COMMAND_ELEMENTS || size >= COMMAND_BATCH { self.flush() } else { Ok(()) }
    }

    /// An element that is one argument.
    fn element(&mut self, command: &'static str, piece: Piece<'_>) -> Result<(), SpillError> {
        if piece.total <= COMMAND_BATCH as u64 {
            self.batch.command = command;
            encode_bulk(&mut self.batch.arguments, piece.bytes);
            return self.batched(1);
        }
        if piece.is_first() {
            self.flush()?;
            self.begin(3, command)?;
        }
        self.writer.piece(piece);
        if piece.is_last() {
            self.writer.end();
        }
        Ok(())
    }

    fn hash_value(&mut self, piece: Piece<'_>) -> Result<(), SpillError> {
        if piece.is_first() && !std::mem::take(&mut self.named) {
            match self.templates.next() {
                Some(field) => self.first.set(field)?,
                None => {
                    self.lost.fields += 1;
                    self.first.0.clear();
                }
            }
        }
        if piece.total <= COMMAND_BATCH as u64 && self.first.is_short() {
            self.batch.command = "HSET";
            encode_bulk(&mut self.batch.arguments, self.first.short());
            encode_bulk(&mut self.batch.arguments, piece.bytes);
            self.in_batch = true;
            return Ok(());
        }
        if piece.is_first() {
            self.flush()?;
            self.begin(4, "HSET")?;
            self.writer.text(&mut self.first)?;
        }
        self.writer.piece(piece);
        if piece.is_last() {
            self.writer.end();
        }
        Ok(())
    }

    fn end_field(&mut self, expires_at_ms: Option<i64>) -> Result<(), SpillError> {
        let batched = std::mem::take(&mut self.in_batch);
        if let Some(ms) = expires_at_ms {
            self.made_expiry(ms, batched)?;
        }
        if batched { self.batched(2) } else { Ok(()) }
    }

    /// The command about a field's expiry: behind the batch that the field is in, or at once.
    fn made_expiry(&mut self, ms: i64, batched: bool) -> Result<(), SpillError> {
        if batched && self.key.is_short() {
            let after = &mut self.batch.after;
            encode_head(after, b'*', 6);
            for argument in [b"HPEXPIREAT", self.key.short(), ms.to_string().as_bytes(), b"FIELDS", b"1"] {
                encode_bulk(after, argument);
            }
            encode_bulk(after, self.first.short());
            return Ok(());
        }
        if batched {
            self.batch.count += 2;
            self.in_batch = false;
            self.flush()?;
        }
        self.begin(6, "HPEXPIREAT")?;
        self.writer.number(ms);
        self.writer.bulk(b"FIELDS");
        self.writer.bulk(b"1");
        self.writer.text(&mut self.first)?;
        self.writer.end();
        Ok(())
    }

    fn scored(&mut self, score: f64) -> Result<(), SpillError> {
        if score.is_nan() {
            self.lost.not_numbers += 1;
            return Ok(());
        }
        // The shortest text that is read as the same double.
        let text = format!("{score:?}");
        if self.first.is_short() {
            self.batch.command = "ZADD";
            encode_bulk(&mut self.batch.arguments, text.as_bytes());
            encode_bulk(&mut self.batch.arguments, self.first.short());
            return self.batched(2);
        }
        self.flush()?;
        self.begin(4, "ZADD")?;
        self.writer.bulk(text.as_bytes());
        self.writer.text(&mut self.first)?;
        self.writer.end();
        Ok(())
    }

    /// What is told of the stream after its entries: its numbers, and that it exists although it may be empty.
    fn set_id(&mut self, counters: &StreamCounters) -> Result<(), SpillError> {
        if counters.length == 0 {
            for (arguments, subcommand) in [(6, "CREATE"), (4, "DESTROY")] {
                self.writer.begin(arguments, "XGROUP");
                self.writer.bulk(subcommand.as_bytes());
                self.writer.text(&mut self.key)?;
                self.writer.bulk(b"repltool");
                if arguments == 6 {
                    self.writer.bulk(b"0");
                    self.writer.bulk(b"MKSTREAM");
                }
                self.writer.end();
            }
        }
        let known = counters.entries_added.zip(counters.max_deleted_id);
        self.begin(if known.is_some() { 7 } else { 3 }, "XSETID")?;
        self.writer.number(counters.last_id);
        if let Some((added, deleted)) = known {
            self.writer.bulk(b"ENTRIESADDED");
            self.writer.number(added);
            self.writer.bulk(b"MAXDELETEDID");
            self.writer.number(deleted);
        }
        self.writer.end();
        Ok(())
    }

    fn create_group(&mut self, last_id: StreamId, entries_read: Option<u64>) -> Result<(), SpillError> {
        self.group.begin();
        self.writer.begin(if entries_read.is_some() { 7 } else { 5 }, "XGROUP");
        self.writer.bulk(b"CREATE");
        self.writer.text(&mut self.key)?;
        self.writer.text(&mut self.group_name)?;
        self.writer.number(last_id);
        if let Some(read) = entries_read {
            self.writer.bulk(b"ENTRIESREAD");
            self.writer.number(read);
        }
        self.writer.end();
        Ok(())
    }

    fn end_group(&mut self, group: &mut GroupPending) -> Result<(), SpillError> {
        group.each_consumer(|told, names| {
            if let Told::Consumer { name, .. } = told {
                self.lost.consumer_times += 1;
                self.writer.begin(5, "XGROUP");
                self.writer.bulk(b"CREATECONSUMER");
                self.writer.text(&mut self.key)?;
                self.writer.text(&mut self.group_name)?;
                names.read(name, |piece| self.writer.piece(piece))?;
                self.writer.end();
            }
            Ok(())
        })?;
        group.each_pending(|entry, owner, names| {
            let Some(owner) = owner else {
                self.lost.unowned += 1;
                return Ok(());
            };
            self.begin(12, "XCLAIM")?;
            self.writer.text(&mut self.group_name)?;
            names.read(owner, |piece| self.writer.piece(piece))?;
            self.writer.bulk(b"0");
            self.writer.number(entry.id);
            self.writer.bulk(b"TIME");
            self.writer.number(entry.delivered_ms);
            self.writer.bulk(b"RETRYCOUNT");
            self.writer.number(entry.count);
            self.writer.bulk(b"JUSTID");
            self.writer.bulk(b"FORCE");
            self.writer.end();
            Ok(())
        })
    }

    fn end_value(&mut self) -> Result<(), SpillError> {
        self.flush()?;
        if self.value_type == ValueType::Module {
            self.payload.length(0)?;
            self.payload.end()?;
            self.begin(4, "RESTORE")?;
            self.writer.bulk(b"0");
            self.writer.spool(&mut self.payload.spool)?;
            self.writer.end();
        }
        if let Some(ms) = self.expires_at_ms {
            self.begin(3, "PEXPIREAT")?;
            self.writer.number(ms);
            self.writer.end();
        }
        Ok(())
    }

    /// A string of a key's value.
    fn value_text(&mut self, item: Item, piece: Piece<'_>) -> Result<(), SpillError> {
        match item {
            Item::String => {
                if piece.is_first() {
                    self.begin(3, "SET")?;
                }
                self.writer.piece(piece);
                if piece.is_last() {
                    self.writer.end();
                }
            }
            Item::Element => self.element("RPUSH", piece)?,
            Item::Member if self.value_type == ValueType::Set => self.element("SADD", piece)?,
            Item::Member => self.first.take(piece)?,
            Item::Field => {
                self.named = true;
                self.first.take(piece)?;
            }
            Item::Value => self.hash_value(piece)?,
            Item::StreamField | Item::StreamValue if self.writer.open => self.writer.piece(piece),
            Item::GroupName => self.group_name.take(piece)?,
            Item::ConsumerName => self.group.name(piece),
            Item::Producer if piece.is_last() => self.lost.producers += 1,
            Item::ModuleString => {
                if piece.is_first() {
                    self.payload.length(5)?;
                    self.payload.length(piece.total)?;
                }
                self.payload.push(piece.bytes)?;
            }
            _ => {}
        }
        Ok(())
    }

    fn module_value(&mut self, value: Number) -> Result<(), SpillError> {
        match value {
            Number::Signed(value) => {
                self.payload.length(1)?;
                self.payload.length(value.cast_unsigned())
            }
            Number::Unsigned(value) => {
                self.payload.length(2)?;
                self.payload.length(value)
            }
            Number::Float(value) => {
                self.payload.length(3)?;
                self.payload.push(&value.to_le_bytes())
            }
            Number::Double(value) => {
                self.payload.length(4)?;
                self.payload.push(&value.to_le_bytes())
            }
        }
    }

    fn select_database(&mut self) {
        if self.selected != Some(self.db) {
            self.selected = Some(self.db);
            self.writer.begin(2, "SELECT");
            self.writer.number(self.db);
            self.writer.end();
        }
    }
}

const MODULE_AUX: u8 = 0xf7;

impl Holding for Commands {
    fn hold(&mut self) {
        self.before = (self.selected, self.lost);
        self.writer.output.hold();
    }

    fn release(&mut self) {
        let held = self.writer.output.buffer().len();
        self.writer.output.release();
        if self.writer.output.buffer().len() < held {
            self.writer.start = None;
        }
    }

    fn discard(&mut self) {
        (self.selected, self.lost) = self.before;
        self.writer.output.discard();
        (self.writer.open, self.writer.start) = (false, None);
        self.batch = Batch::default();
        self.in_batch = false;
        self.group = GroupPending::default();
        self.part = Part::Other;
    }
}

impl Values for Commands {
    fn select(&mut self, db: u64) {
        self.db = db;
    }

    fn record(&mut self, opcode: Opcode) {
        self.part = if opcode.name == "HASH_TEMPLATE" { Part::Template } else { Part::Other };
        self.lost.metadata += u64::from(opcode.name == "KEY_META");
        self.lost.module_aux += u64::from(opcode.byte == MODULE_AUX);
    }

    fn key(&mut self, key: &Key<'_>) {
        if !key.name.is_empty() || key.name_length == 0 {
            let done = self.key.set(key.name);
            self.keep(done);
        }
        self.db = key.db;
        (self.value_type, self.expires_at_ms) = (key.value_type, key.expires_at_ms);
        self.lost.access += u64::from(key.idle.is_some() || key.freq.is_some());
        self.part = Part::Key;
        self.named = false;
        match key.value_type {
            ValueType::Array => self.lost.arrays += 1,
            ValueType::RateLimit => self.lost.rate_limits += 1,
            _ => return self.select_database(),
        }
        self.part = Part::Inexpressible;
    }

    fn key_end(&mut self, _: KeyEnd) {
        if self.part == Part::Key {
            let done = self.end_value();
            self.keep(done);
        }
        self.part = Part::Other;
    }

    fn text(&mut self, item: Item, piece: Piece<'_>) {
        let done = match (item, self.part) {
            (Item::LongKey, _) => self.key.take(piece),
            (_, Part::Key) => self.value_text(item, piece),
            (Item::TemplateField, Part::Template) => {
                self.templates.define(piece);
                Ok(())
            }
            (Item::Function, _) => {
                if piece.is_first() {
                    self.writer.begin(4, "FUNCTION");
                    self.writer.bulk(b"LOAD");
                    self.writer.bulk(b"REPLACE");
                }
                self.writer.piece(piece);
                if piece.is_last() {
                    self.writer.end();
                }
                Ok(())
            }
            _ => Ok(()),
        };
        self.keep(done);
    }

    fn number(&mut self, item: Item, value: u64) {
        if item == Item::TemplateId {
            self.templates.begin(value);
        }
    }

    fn score(&mut self, score: f64) {
        let done = self.scored(score);
        self.keep(done);
    }

    fn field_end(&mut self, expires_at_ms: Option<i64>) {
        let done = self.end_field(expires_at_ms);
        self.keep(done);
    }

    fn stream_entry(&mut self, id: StreamId, pairs: u64) {
        // An entry that its node has left incomplete.
        self.break_off();
        if pairs == 0 {
            self.lost.empty_entries += 1;
            return;
        }
        let done = self.begin(3 + 2 * pairs, "XADD");
        self.writer.number(id);
        self.keep(done);
    }

    fn stream_entry_end(&mut self) {
        if self.writer.open {
            self.writer.end();
        }
    }

    fn stream(&mut self, counters: &StreamCounters) {
        self.break_off();
        let done = self.set_id(counters);
        self.keep(done);
    }

    fn group(&mut self, last_id: StreamId, entries_read: Option<u64>) {
        let done = self.create_group(last_id, entries_read);
        self.keep(done);
    }

    fn pending(&mut self, pending: Pending) {
        self.group.pending(pending);
    }

    fn consumer(&mut self, seen_ms: i64, active_ms: Option<i64>) {
        self.group.consumer(seen_ms, active_ms);
    }

    fn owned(&mut self, id: StreamId) {
        self.group.owned(id);
    }

    fn group_end(&mut self) {
        let mut group = std::mem::take(&mut self.group);
        let done = self.end_group(&mut group);
        self.keep(done);
        self.keep(group.take_error().map_or(Ok(()), Err));
        self.group = group;
    }

    fn module(&mut self, id: ModuleId) {
        if self.part == Part::Key {
            let done = self.payload.begin(MODULE).and_then(|()| self.payload.length(id.0));
            self.keep(done);
        }
    }

    fn module_number(&mut self, value: Number) {
        if self.part == Part::Key {
            let done = self.module_value(value);
            self.keep(done);
        }
    }
}
