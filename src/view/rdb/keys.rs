//! `rdb keys`: a line a key, without its value.
//!
//! A line is written at the key's end. Until then the name is held; one that comes in pieces waits in a spool, and is
//! written from there piece by piece.

use super::super::json::{is_plain, write_bytes};
use super::super::output::Output;
use super::super::terminal;
use super::super::time::write_decimal;
use super::{Holding, Repeated, number, time};
use crate::bounds::{GROUP_SPOOL, RDB_PIECE};
use crate::rdb::{Encoding, Item, Key, KeyEnd, Piece, ValueType, Values};
use crate::spill::{SpillError, Spool};

/// The form of the lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyForm {
    /// One JSON object a line.
    Json,
    /// Comma-separated values with a head, names quoted where need be.
    Csv,
    /// Columns for people.
    Text,
}

/// Writes a line for each key.
#[derive(Debug)]
pub struct Keys {
    form: KeyForm,
    output: Output,
    /// The key under way: what is told of it at its beginning.
    name: Vec<u8>,
    /// The name where it is a long one, else empty.
    long: Spool,
    key: Option<Told>,
    /// A temporary file could not be used.
    error: Option<SpillError>,
    /// What a line says of the database, and of the packing.
    head: Repeated<u64>,
    packing: Repeated<Packing>,
}

/// Type, encoding and the record's leading byte.
type Packing = (ValueType, Encoding, u8);

#[derive(Clone, Copy, Debug)]
struct Told {
    db: u64,
    packing: Packing,
    expires_at_ms: Option<i64>,
    idle: Option<u64>,
    freq: Option<u8>,
}

impl Keys {
    /// A writer of lines.
    #[must_use]
    pub fn new(form: KeyForm, mut output: Output) -> Self {
        match form {
            KeyForm::Json => {}
            KeyForm::Csv => {
                output
                    .buffer()
                    .extend_from_slice(b"db,key,type,encoding,rdb_type,expires_at_ms,bytes,elements,idle,freq");
                output.end_line();
            }
            KeyForm::Text => {
                output.buffer().extend_from_slice(b"db  type    encoding         bytes   elements  expires_at_ms  key");
                output.end_line();
            }
        }
        Self {
            form,
            output,
            name: Vec::new(),
            long: Spool::new(GROUP_SPOOL),
            key: None,
            error: None,
            head: Repeated::default(),
            packing: Repeated::default(),
        }
    }

    /// Where the lines go.
    pub fn output_mut(&mut self) -> &mut Output {
        &mut self.output
    }

    /// The first temporary file that could not be used; the name that should have been in it is missing in its line.
    pub fn take_error(&mut self) -> Option<SpillError> {
        self.error.take()
    }

    fn json(&mut self, key: Told, end: KeyEnd) {
        let output = &mut self.output;
        self.head
            .write(output, key.db, |out| out.extend_from_slice(format!("{{\"db\":{},\"key\":", key.db).as_bytes()));
        if self.long.is_empty() {
            write_bytes(output, &self.name);
        } else {
            write_long(self.form, &mut self.long, output, &mut self.error);
        }
        self.packing.write(output, key.packing, |out| {
            let (value_type, encoding, byte) = (key.packing.0.name(), key.packing.1.name(), key.packing.2);
            for part in [",\"type\":\"", value_type, "\",\"encoding\":\"", encoding, "\",\"rdb_type\":"] {
                out.extend_from_slice(part.as_bytes());
            }
            write_decimal(out, byte.into());
        });
        time(output, ",\"expires_at_ms\":", key.expires_at_ms);
        number(output, ",\"bytes\":", Some(end.bytes));
        number(output, ",\"elements\":", Some(end.elements));
        if key.idle.is_none() && key.freq.is_none() {
            output.buffer().extend_from_slice(b",\"idle\":null,\"freq\":null}");
        } else {
            number(output, ",\"idle\":", key.idle);
            number(output, ",\"freq\":", key.freq.map(Into::into));
            output.buffer().push(b'}');
        }
    }

    /// RFC 4180; what is no number and no word of ours is quoted, bytes that are no UTF-8 as `\xNN`.
    fn csv(&mut self, key: Told, end: KeyEnd) {
        let output = &mut self.output;
        self.head.write(output, key.db, |out| out.extend_from_slice(format!("{},\"", key.db).as_bytes()));
        if !self.long.is_empty() {
            write_long(self.form, &mut self.long, output, &mut self.error);
        } else if is_plain(&self.name) {
            output.buffer().extend_from_slice(&self.name);
        } else {
            output.buffer().extend_from_slice(terminal::safe(&self.name).replace('"', "\"\"").as_bytes());
        }
        self.packing.write(output, key.packing, |out| {
            let (value_type, encoding, byte) = (key.packing.0.name(), key.packing.1.name(), key.packing.2);
            for part in ["\",", value_type, ",", encoding, ","] {
                out.extend_from_slice(part.as_bytes());
            }
            write_decimal(out, byte.into());
            out.push(b',');
        });
        let out = output.buffer();
        if let Some(expires) = key.expires_at_ms {
            out.extend_from_slice(itoa::Buffer::new().format(expires).as_bytes());
        }
        out.push(b',');
        write_decimal(out, end.bytes);
        out.push(b',');
        write_decimal(out, end.elements);
        out.push(b',');
        if let Some(idle) = key.idle {
            write_decimal(out, idle);
        }
        out.push(b',');
        if let Some(freq) = key.freq {
            write_decimal(out, freq.into());
        }
    }

    fn text(&mut self, key: Told, end: KeyEnd) {
        let output = &mut self.output;
        self.head.write(output, key.db, |out| out.extend_from_slice(format!("{:<3} ", key.db).as_bytes()));
        self.packing.write(output, key.packing, |out| {
            let (value_type, encoding) = (key.packing.0.name(), key.packing.1.name());
            out.extend_from_slice(format!("{value_type:<7} {encoding:<10} ").as_bytes());
        });
        let (out, mut digits) = (output.buffer(), itoa::Buffer::new());
        right(out, 11, digits.format(end.bytes));
        right(out, 11, digits.format(end.elements));
        right(out, 15, key.expires_at_ms.map_or("-", |expires| digits.format(expires)));
        out.extend_from_slice(b"  ");
        if self.long.is_empty() {
            terminal::push_word(out, &self.name, false);
        } else {
            write_long(self.form, &mut self.long, output, &mut self.error);
        }
    }
}

/// Writes a long name, as the same name would be written in one piece, except that for people it always has quotes.
fn write_long(form: KeyForm, name: &mut Spool, output: &mut Output, error: &mut Option<SpillError>) {
    let (opener, closer) = match form {
        KeyForm::Json => ("{\"parts\":[", "]}"),
        KeyForm::Csv => ("", ""),
        KeyForm::Text => ("\"", "\""),
    };
    output.buffer().extend_from_slice(opener.as_bytes());
    let (mut piece, mut offset) = (vec![0; RDB_PIECE], 0);
    while offset < name.len() {
        let size = match name.read_at(offset, &mut piece) {
            Ok(size) => size,
            Err(failed) => {
                error.get_or_insert(failed);
                break;
            }
        };
        let read = piece.get(..size).unwrap_or_default();
        // Not inside a character, unless there is nothing else.
        let whole = if offset + (size as u64) < name.len() { terminal::without_partial_character(read) } else { read };
        let bytes = if whole.is_empty() { read } else { whole };
        match form {
            KeyForm::Json => {
                if offset > 0 {
                    output.buffer().push(b',');
                }
                write_bytes(output, bytes);
            }
            KeyForm::Csv => {
                output.buffer().extend_from_slice(terminal::safe(bytes).replace('"', "\"\"").as_bytes());
            }
            KeyForm::Text => terminal::push_quoted(output.buffer(), bytes),
        }
        output.relieve();
        offset += bytes.len().max(1) as u64;
    }
    output.buffer().extend_from_slice(closer.as_bytes());
}

impl Holding for Keys {
    fn hold(&mut self) {}

    fn release(&mut self) {}

    fn discard(&mut self) {
        self.key = None;
    }
}

/// Appends a number at the right of so many cells; from the second column on one of them is the gap to the one before.
#[inline]
fn right(out: &mut Vec<u8>, width: usize, number: &str) {
    const BLANKS: &[u8; 16] = &[b' '; 16];
    let gap = width.saturating_sub(number.len());
    out.extend_from_slice(BLANKS.get(..gap).unwrap_or_default());
    out.extend_from_slice(number.as_bytes());
}

impl Values for Keys {
    fn text(&mut self, item: Item, piece: Piece<'_>) {
        if item == Item::LongKey {
            if piece.is_first() {
                self.long.clear();
            }
            if let Err(error) = self.long.append(piece.bytes) {
                self.error.get_or_insert(error);
            }
        }
    }

    fn integer(&mut self, _: Item, _: i64) {}

    fn key(&mut self, key: &Key<'_>) {
        if !key.name.is_empty() || key.name_length == 0 {
            self.name.clear();
            self.name.extend_from_slice(key.name);
            if !self.long.is_empty() {
                self.long.clear();
            }
        }
        self.key = Some(Told {
            db: key.db,
            packing: (key.value_type, key.encoding, key.rdb_type),
            expires_at_ms: key.expires_at_ms,
            idle: key.idle,
            freq: key.freq,
        });
    }

    fn key_end(&mut self, end: KeyEnd) {
        let Some(key) = self.key.take() else { return };
        match self.form {
            KeyForm::Json => self.json(key, end),
            KeyForm::Csv => self.csv(key, end),
            KeyForm::Text => self.text(key, end),
        }
        self.output.end_line();
    }
}
