//! `rdb dump -f json`: a line a record, values whole.
//!
//! Elements are written as they come, and long lines given on before they are whole. So the writer keeps what would
//! close the line: where the input breaks off in the middle of a key, a line that is still in the buffer is taken back,
//! and one that has been given on in part is closed.
//!
//! A module's value is the list of the values that the module has saved, lossless: `{"module":…,"version":…,"values":[…]}`.
//! Of two modules it is also read for what it is ([`ModuleView`]): RedisJSON's document in `json`, a vector set's elements
//! and vectors, the numbers that VEMB answers, in `vectorset`. The elements stand in the order of the file.
//!
//! A sparse array is a list of `[index, cell]`, with `insert_index` beside it where it has one.
//!
//! What only newer servers write: a stream has `idempotence` (the ids by which producers make XADD idempotent), a record
//! `hash_template` `id` and `fields`, `key_meta` `classes`, `update` `argv`, `slot_import` `job` and `ranges`.

use super::super::json::{write_bytes, write_string};
use super::super::output::Output;
use super::modules::ModuleView;
use super::pending::{GroupPending, Told};
use super::templates::Templates;
use super::{Holding, Repeated, checksum_word, number, time, word};
use crate::bounds::SPILL_READ;
use crate::rdb::{
    Checksum, Encoding, Item, Key, KeyEnd, ModuleId, Number, Opcode, Pending, Piece, StreamCounters, StreamId,
    ValueType, Values,
};
use crate::spill::SpillError;

/// Writes each record as a line.
#[derive(Debug)]
pub struct Dump {
    output: Output,
    /// Where the line under way begins in the buffer; `None` where a part of it was given on already.
    start: Option<usize>,
    /// What closes the line under way, the innermost last.
    open: Vec<u8>,
    /// A comma is due before the next element.
    comma: bool,
    keys: u64,
    line: Line,
    db: u64,
    group: GroupPending,
    /// A temporary file could not be used.
    error: Option<SpillError>,
    templates: Templates,
    module: ModuleView,
    /// A field has been written whose value follows.
    named: bool,
    /// Members are followed by their scores.
    pairs: bool,
    /// Where the next cell of an array would be inserted.
    insert_index: Option<u64>,
    /// The beginning of a key's line, and its type and encoding.
    head: Repeated<u64>,
    packing: Repeated<(ValueType, Encoding)>,
}

/// What the line under way is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Line {
    None,
    Key,
    Record(u8),
}

impl Dump {
    /// A writer of lines.
    #[must_use]
    pub fn new(output: Output) -> Self {
        Self {
            output,
            start: None,
            open: Vec::new(),
            comma: false,
            keys: 0,
            line: Line::None,
            db: 0,
            group: GroupPending::default(),
            error: None,
            templates: Templates::default(),
            module: ModuleView::default(),
            named: false,
            pairs: false,
            insert_index: None,
            head: Repeated::default(),
            packing: Repeated::default(),
        }
    }

    /// Where the lines go.
    pub fn output_mut(&mut self) -> &mut Output {
        &mut self.output
    }

    /// The first temporary file that could not be used; what should have been in it is missing in the lines.
    pub fn take_error(&mut self) -> Option<SpillError> {
        self.error.take().or_else(|| self.group.take_error()).or_else(|| self.module.take_error())
    }

    /// The input has broken off: what has begun is taken back or closed.
    pub fn break_off(&mut self) {
        match (self.line, self.start) {
            (Line::None, _) => {}
            (_, Some(start)) => self.output.buffer().truncate(start),
            (_, None) => {
                while let Some(closer) = self.open.pop() {
                    self.output.buffer().push(closer);
                }
                self.output.end_line();
            }
        }
        self.line = Line::None;
    }

    fn begin(&mut self, line: Line) {
        self.line = line;
        self.start = Some(self.output.buffer().len());
        self.open.clear();
        self.open.push(b'}');
        self.comma = false;
    }

    /// Begins a key's line, up to its name.
    fn begin_key(&mut self, db: u64) {
        self.begin(Line::Key);
        self.head.write(&mut self.output, db, |head| {
            head.extend_from_slice(format!("{{\"record\":\"key\",\"db\":{db},\"key\":").as_bytes());
        });
    }

    #[inline]
    fn raw(&mut self, text: &str) {
        self.output.buffer().extend_from_slice(text.as_bytes());
    }

    #[inline]
    fn open(&mut self, opener: &str, closer: u8) {
        self.raw(opener);
        self.open.push(closer);
        self.comma = false;
    }

    #[inline]
    fn close(&mut self) {
        if let Some(closer) = self.open.pop() {
            self.output.buffer().push(closer);
        }
        self.comma = true;
    }

    #[inline]
    fn separate(&mut self) {
        if self.comma {
            self.output.buffer().push(b',');
        }
        self.comma = true;
        self.relieve();
    }

    fn relieve(&mut self) {
        if self.output.buffer().len() >= 256 << 10 {
            self.start = None;
            self.output.relieve();
        }
    }

    /// What the module's values are, behind them.
    fn module_view(&mut self) -> Result<(), SpillError> {
        let mut module = std::mem::take(&mut self.module);
        if let Some(spool) = module.end() {
            self.close();
            let mut reader = spool.reader();
            loop {
                let bytes = reader.take(SPILL_READ)?;
                if bytes.is_empty() {
                    break;
                }
                self.output.buffer().extend_from_slice(bytes);
                self.relieve();
            }
        }
        self.module = module;
        Ok(())
    }

    /// A byte string, or a piece of one.
    #[inline]
    fn bytes(&mut self, piece: Piece<'_>) {
        if piece.is_first() && piece.is_last() {
            return write_bytes(&mut self.output, piece.bytes);
        }
        if piece.is_first() {
            self.open("{\"parts\":[", b'}');
            self.open.push(b']');
        }
        self.separate();
        write_bytes(&mut self.output, piece.bytes);
        if piece.is_last() {
            self.close();
            self.close();
        }
    }

    /// An element, or what one is made of.
    #[inline]
    fn element(&mut self, item: Item, piece: Piece<'_>) {
        if piece.is_first() {
            self.begin_element(item);
        }
        self.bytes(piece);
        if piece.is_last() {
            self.end_element(item);
        }
    }

    #[inline]
    fn begin_element(&mut self, item: Item) {
        self.separate();
        // A member's score and a field's value follow it inside one element.
        if item == Item::Field || (item == Item::Member && self.pairs) {
            self.open("[", b']');
        }
        if item == Item::Value && !std::mem::take(&mut self.named) {
            self.template_field();
        }
    }

    #[inline]
    fn end_element(&mut self, item: Item) {
        self.comma = true;
        self.named = item == Item::Field;
    }

    fn end(&mut self) {
        while let Some(closer) = self.open.pop() {
            self.output.buffer().push(closer);
        }
        self.output.end_line();
        self.line = Line::None;
    }

    fn id(&mut self, id: StreamId) {
        let mut digits = itoa::Buffer::new();
        self.raw("\"");
        self.raw(digits.format(id.ms));
        self.raw("-");
        self.raw(digits.format(id.seq));
        self.raw("\"");
    }

    /// The field of a value that its hash's template names.
    fn template_field(&mut self) {
        self.open("[", b']');
        match self.templates.next() {
            Some(field) => write_bytes(&mut self.output, field),
            None => self.output.buffer().extend_from_slice(b"null"),
        }
        self.raw(",");
    }

    /// Closes what is open inside the innermost `depth` ones; the line itself is the first.
    fn close_to(&mut self, depth: usize) {
        while self.open.len() > depth {
            self.close();
        }
    }

    /// The beginning of a list in a record, unless it has begun.
    fn begin_list(&mut self, opener: &str) {
        if self.open.len() <= IN_LINE {
            self.open(opener, b']');
        }
    }

    /// A string that only newer records or values have.
    fn newer(&mut self, item: Item, piece: Piece<'_>) {
        if piece.is_first() {
            match item {
                Item::UpdateArgument => self.begin_list(",\"argv\":["),
                Item::SlotImportJob => self.raw(",\"job\":"),
                Item::Producer => self.close_to(IN_PRODUCERS),
                _ => {}
            }
            if item != Item::SlotImportJob {
                self.separate();
            }
            match item {
                Item::Producer => self.open("{\"producer\":", b'}'),
                Item::ProducerItem => self.open("[", b']'),
                _ => {}
            }
        }
        self.bytes(piece);
        if piece.is_last() {
            match item {
                Item::SlotImportJob => self.open(",\"ranges\":[", b']'),
                Item::Producer => self.open(",\"items\":[", b']'),
                _ => {}
            }
        }
    }

    /// A number that only newer values have. The others are part of what is told in another way.
    fn newer_number(&mut self, item: Item, value: u64) {
        let text = match item {
            Item::Index => {
                self.separate();
                return self.open(&format!("[{value},"), b']');
            }
            Item::InsertIndex => {
                self.insert_index = Some(value);
                return;
            }
            Item::Rate => {
                self.separate();
                format!("{value}")
            }
            Item::DedupDuration => {
                self.close();
                self.open(",\"idempotence\":{", b'}');
                format!("\"duration\":{value}")
            }
            Item::DedupEntries => format!(",\"entries\":{value},\"producers\":["),
            Item::ProducerItemMs => format!(",\"{value}-"),
            Item::ProducerItemSeq => format!("{value}\""),
            Item::DedupAdded => {
                self.close_to(IN_PRODUCERS - 1);
                format!(",\"added\":{value}")
            }
            Item::DedupRepeated => format!(",\"repeated\":{value}"),
            _ => return,
        };
        match item {
            Item::DedupEntries => self.open(&text, b']'),
            _ => self.raw(&text),
        }
        if item == Item::ProducerItemSeq {
            self.close();
        }
    }

    fn pending_entries(&mut self, group: &mut GroupPending) -> Result<(), SpillError> {
        self.open(",\"pel\":[", b']');
        group.each_pending(|pending, owner, names| {
            self.separate();
            self.open("[", b']');
            self.id(pending.id);
            self.raw(&format!(",{},{},", pending.delivered_ms, pending.count));
            match owner {
                Some(owner) => names.read(owner, |piece| self.bytes(piece))?,
                None => self.raw("null"),
            }
            self.close();
            Ok(())
        })?;
        self.close();
        Ok(())
    }

    fn consumers(&mut self, group: &mut GroupPending) -> Result<(), SpillError> {
        self.open(",\"consumers\":[", b']');
        let mut under_way = false;
        group.each_consumer(|told, names| {
            match told {
                Told::Consumer { name, seen_ms, active_ms } => {
                    if std::mem::replace(&mut under_way, true) {
                        self.close();
                        self.close();
                    }
                    self.separate();
                    self.open("{\"name\":", b'}');
                    names.read(name, |piece| self.bytes(piece))?;
                    time(&mut self.output, ",\"seen_ms\":", Some(seen_ms));
                    time(&mut self.output, ",\"active_ms\":", active_ms);
                    self.open(",\"pel\":[", b']');
                }
                Told::Owned(id) => {
                    self.separate();
                    self.id(id);
                }
            }
            Ok(())
        })?;
        if under_way {
            self.close();
            self.close();
        }
        self.close();
        Ok(())
    }

    fn optional_id(&mut self, field: &str, id: Option<StreamId>) {
        self.raw(field);
        match id {
            Some(id) => self.id(id),
            None => self.raw("null"),
        }
    }
}

/// Appends a double as JSON can have it: what is no number there is a word.
pub(super) fn write_double(out: &mut Vec<u8>, value: f64) {
    // All whole numbers below are exact, and have no exponent.
    const WHOLE: f64 = 1e15;
    if value.abs() < WHOLE && value.trunc().to_bits() == value.to_bits() && value.to_bits() != (-0.0f64).to_bits() {
        out.extend_from_slice(itoa::Buffer::new().format(value as i64).as_bytes());
        out.extend_from_slice(b".0");
    } else if value.is_finite() {
        out.extend_from_slice(zmij::Buffer::new().format_finite(value).as_bytes());
    } else {
        let word: &[u8] = match value {
            f64::INFINITY => b"\"inf\"",
            f64::NEG_INFINITY => b"\"-inf\"",
            _ => b"\"nan\"",
        };
        out.extend_from_slice(word);
    }
}

impl Holding for Dump {
    fn hold(&mut self) {
        self.output.hold();
    }

    fn release(&mut self) {
        let held = self.output.buffer().len();
        self.output.release();
        if self.output.buffer().len() < held {
            self.start = None;
        }
    }

    fn discard(&mut self) {
        self.output.discard();
        self.open.clear();
        self.line = Line::None;
        self.group = GroupPending::default();
        self.module.clear();
    }
}

/// A double as text.
fn double(value: f64) -> String {
    let mut out = Vec::new();
    write_double(&mut out, value);
    String::from_utf8(out).unwrap_or_default()
}

/// So many are open where only the line is, and directly in a stream's list of producers: the line, its value, what the
/// value has of idempotence, the list.
const IN_LINE: usize = 1;
const IN_PRODUCERS: usize = 4;

const AUX: u8 = 0xfa;
const FUNCTION2: u8 = 0xf5;
const MODULE_AUX: u8 = 0xf7;
const SLOT_INFO: u8 = 0xf4;

impl Values for Dump {
    fn record(&mut self, opcode: Opcode) {
        self.begin(Line::Record(opcode.byte));
        let name = match opcode.byte {
            AUX => "aux".to_owned(),
            FUNCTION2 => "function".to_owned(),
            MODULE_AUX => "module_aux".to_owned(),
            SLOT_INFO => "slot_info".to_owned(),
            _ => opcode.name.to_ascii_lowercase(),
        };
        word(&mut self.output, "{\"record\":", &name);
    }

    fn record_end(&mut self, _: Opcode) {
        self.end();
    }

    fn select(&mut self, db: u64) {
        self.db = db;
    }

    fn key(&mut self, key: &Key<'_>) {
        // A long name has come in pieces and is written.
        if !key.name.is_empty() || key.name_length == 0 {
            self.begin_key(key.db);
            write_bytes(&mut self.output, key.name);
        }
        self.packing.write(&mut self.output, (key.value_type, key.encoding), |packing| {
            let (value_type, encoding) = (key.value_type.name(), key.encoding.name());
            for part in [",\"type\":\"", value_type, "\",\"encoding\":\"", encoding, "\",\"expires_at_ms\":"] {
                packing.extend_from_slice(part.as_bytes());
            }
        });
        if key.expires_at_ms.is_none() && key.idle.is_none() && key.freq.is_none() {
            self.raw("null,\"idle\":null,\"freq\":null");
        } else {
            time(&mut self.output, "", key.expires_at_ms);
            number(&mut self.output, ",\"idle\":", key.idle);
            number(&mut self.output, ",\"freq\":", key.freq.map(Into::into));
        }
        self.raw(",\"value\":");
        self.pairs = key.value_type == ValueType::SortedSet;
        match key.value_type {
            ValueType::String | ValueType::Module => {}
            ValueType::Stream => {
                self.open("{", b'}');
                self.open("\"entries\":[", b']');
            }
            _ => self.open("[", b']'),
        }
    }

    fn key_end(&mut self, _: KeyEnd) {
        self.keys += 1;
        if let Some(index) = self.insert_index.take() {
            self.close_to(IN_LINE);
            self.raw(&format!(",\"insert_index\":{index}"));
        }
        if self.module.is_under_way()
            && let Err(error) = self.module_view()
        {
            self.error.get_or_insert(error);
        }
        self.end();
    }

    fn text(&mut self, item: Item, piece: Piece<'_>) {
        match item {
            Item::LongKey => {
                if piece.is_first() {
                    self.begin_key(self.db);
                }
                self.bytes(piece);
            }
            Item::String => self.bytes(piece),
            Item::Member | Item::Field | Item::Element | Item::StreamField | Item::StreamValue | Item::Value => {
                self.element(item, piece)
            }
            Item::Cell => {
                self.element(item, piece);
                if piece.is_last() {
                    self.close();
                }
            }
            Item::GroupName => {
                if piece.is_first() {
                    self.separate();
                    self.open("{\"name\":", b'}');
                }
                self.bytes(piece);
            }
            Item::ConsumerName => self.group.name(piece),
            Item::TemplateField => {
                self.templates.define(piece);
                self.newer(item, piece);
            }
            Item::ModuleString => {
                self.module.string(piece);
                if piece.is_first() {
                    self.separate();
                    self.open("{\"string\":", b'}');
                }
                self.bytes(piece);
                if piece.is_last() {
                    self.close();
                }
            }
            Item::AuxKey => {
                self.raw(",\"key\":");
                self.bytes(piece);
            }
            Item::AuxValue if piece.is_first() => {
                self.raw(",\"value\":");
                self.bytes(piece);
            }
            Item::Function if piece.is_first() => {
                self.raw(",\"code\":");
                self.bytes(piece);
            }
            Item::AuxValue | Item::Function => self.bytes(piece),
            other => self.newer(other, piece),
        }
    }

    fn integer(&mut self, item: Item, integer: i64) {
        let mut digits = itoa::Buffer::new();
        let digits = digits.format(integer);
        match item {
            Item::Member | Item::Field | Item::Element | Item::Value => {
                self.begin_element(item);
                let out = self.output.buffer();
                out.push(b'"');
                out.extend_from_slice(digits.as_bytes());
                out.push(b'"');
                self.end_element(item);
            }
            _ => self.text(item, Piece::whole(digits.as_bytes())),
        }
    }

    fn number(&mut self, item: Item, value: u64) {
        if item == Item::TemplateId {
            self.templates.begin(value);
        }
        if !matches!(self.line, Line::Record(_)) {
            return self.newer_number(item, value);
        }
        match item {
            Item::MetaClass => {
                self.begin_list(",\"classes\":[");
                self.close_to(IN_LINE + 1);
                self.separate();
                self.open(&format!("{{\"class\":{value}"), b'}');
                return self.open(",\"values\":[", b']');
            }
            Item::SlotFirst => {
                self.separate();
                return self.open(&format!("[{value}"), b']');
            }
            Item::SlotLast => {
                self.raw(&format!(",{value}"));
                return self.close();
            }
            _ => {}
        }
        if !matches!(item, Item::TableKeys | Item::TableExpires) {
            let name = match item {
                Item::TemplateId => "id".to_owned(),
                Item::Slot => "slot".to_owned(),
                Item::SlotKeys => "keys".to_owned(),
                Item::SlotExpires => "expires".to_owned(),
                Item::ModuleWhen => "when".to_owned(),
                other => format!("{other:?}"),
            };
            self.raw(&format!(",\"{name}\":{value}"));
            match item {
                Item::ModuleWhen => self.open(",\"values\":[", b']'),
                Item::TemplateId => self.open(",\"fields\":[", b']'),
                _ => {}
            }
        }
    }

    fn score(&mut self, score: f64) {
        self.raw(",");
        write_double(self.output.buffer(), score);
        self.close();
    }

    fn field_end(&mut self, expires_at_ms: Option<i64>) {
        if expires_at_ms.is_some() {
            time(&mut self.output, ",", expires_at_ms);
        } else {
            self.raw(",null");
        }
        self.close();
    }

    fn stream_entry(&mut self, id: StreamId, _: u64) {
        self.separate();
        self.open("[", b']');
        self.id(id);
        self.raw(",");
        self.open("[", b']');
    }

    fn stream_entry_end(&mut self) {
        self.close();
        self.close();
    }

    fn stream(&mut self, counters: &StreamCounters) {
        self.close();
        number(&mut self.output, ",\"length\":", Some(counters.length));
        self.optional_id(",\"last_id\":", Some(counters.last_id));
        self.optional_id(",\"first_id\":", counters.first_id);
        self.optional_id(",\"max_deleted_id\":", counters.max_deleted_id);
        number(&mut self.output, ",\"entries_added\":", counters.entries_added);
        self.open(",\"groups\":[", b']');
    }

    fn group(&mut self, last_id: StreamId, entries_read: Option<u64>) {
        self.group.begin();
        self.optional_id(",\"last_id\":", Some(last_id));
        number(&mut self.output, ",\"entries_read\":", entries_read);
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
        let done = self.pending_entries(&mut group).and_then(|()| self.consumers(&mut group));
        if let Some(error) = done.err().or_else(|| group.take_error()) {
            self.error.get_or_insert(error);
        }
        self.group = group;
        self.close();
    }

    fn module(&mut self, id: ModuleId) {
        // A module's aux record tells next whether it stands before or after the keys.
        let aux = self.line == Line::Record(MODULE_AUX);
        if aux {
            self.raw(",\"module\":");
        } else {
            self.module.begin(id);
            self.open("{\"module\":", b'}');
        }
        write_string(self.output.buffer(), &id.name());
        number(&mut self.output, ",\"version\":", Some(id.version().into()));
        if !aux {
            self.open(",\"values\":[", b']');
        }
    }

    fn module_number(&mut self, value: Number) {
        self.module.number(value);
        self.separate();
        let text = match value {
            Number::Signed(value) => format!("{{\"sint\":\"{value}\"}}"),
            Number::Unsigned(value) => format!("{{\"uint\":\"{value}\"}}"),
            Number::Float(value) => format!("{{\"float\":{}}}", double(value.into())),
            Number::Double(value) => format!("{{\"double\":{}}}", double(value)),
        };
        self.raw(&text);
    }

    fn cell_number(&mut self, value: Number) {
        self.separate();
        let text = match value {
            Number::Signed(value) => value.to_string(),
            Number::Unsigned(value) => value.to_string(),
            Number::Float(value) => double(value.into()),
            Number::Double(value) => double(value),
        };
        self.raw(&text);
        self.close();
    }

    fn end(&mut self, checksum: Checksum) {
        self.begin(Line::None);
        self.open.clear();
        word(&mut self.output, "{\"record\":\"end\",\"checksum\":", checksum_word(checksum));
        number(&mut self.output, ",\"keys\":", Some(self.keys));
        self.raw("}");
        self.output.end_line();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn same(value: f64) {
        let expected = match value {
            value if value.is_nan() => "\"nan\"".to_owned(),
            f64::INFINITY => "\"inf\"".to_owned(),
            f64::NEG_INFINITY => "\"-inf\"".to_owned(),
            value => serde_json::Number::from_f64(value).unwrap().to_string(),
        };
        assert_eq!(double(value), expected);
        if value.is_finite() {
            assert_eq!(double(value).parse::<f64>().unwrap().to_bits(), value.to_bits());
        }
    }

    #[test]
    fn doubles_are_as_serde_writes_them() {
        for value in [0.0, 1.0, 17.5, 1e14, 999_999_999_999_999.0, 1e15, 1e16, 2f64.powi(53), 1e300, 5e-324, f64::NAN] {
            same(value);
            same(-value);
        }
        same(f64::INFINITY);
        same(f64::NEG_INFINITY);
    }

    #[derive(Clone, Default)]
    struct Lines(std::sync::Arc<std::sync::Mutex<Vec<u8>>>);

    impl std::io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_sparse_array_keeps_its_places() {
        let lines = Lines::default();
        let output = Output::new(Box::new(lines.clone()), false);
        let mut decoder = crate::rdb::Decoder::new(Dump::new(output), crate::rdb::Depth::Full);
        // Three cells at 0, 7 and 300, a string, an integer and a double; the next goes to 9. Then one without.
        let three = b"\x1c\x01a\x03\x01\x09\x00\x00\x02hi\x07\x01\x05\0\0\0\0\0\0\0\x41\x2c\x02\0\0\0\0\0\0\xf8\x3f";
        let one = b"\x1c\x01b\x01\x00\x02\x03\x01x";
        let rdb = [&b"REDIS0014"[..], three, one, b"\xff\0\0\0\0\0\0\0\0"].concat();
        assert!(decoder.push(&rdb).unwrap().ended);
        decoder.values_mut().output_mut().flush();
        let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
        let values: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(values[0]["value"], serde_json::json!([[0, "hi"], [7, 5], [300, 1.5]]));
        assert_eq!((&values[0]["insert_index"], &values[1]["insert_index"]), (&9.into(), &serde_json::Value::Null));
        assert_eq!(values[1]["value"], serde_json::json!([[2, "x"]]));
    }

    proptest! {
        #[test]
        fn any_double_is_read_back(bits in any::<u64>(), whole in any::<i32>(), hundredths in any::<i32>()) {
            same(f64::from_bits(bits));
            same(whole.into());
            same(f64::from(hundredths) / 100.0);
        }
    }
}
