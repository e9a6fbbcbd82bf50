//! `rdb keys`: a line a key, without its value.

use super::super::json::write_bytes;
use super::super::output::Output;
use super::super::terminal;
use super::{Holding, number, word};
use crate::rdb::{Item, Key, KeyEnd, Piece, Values};

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
    key: Option<Told>,
}

#[derive(Clone, Copy, Debug)]
struct Told {
    db: u64,
    value_type: &'static str,
    encoding: &'static str,
    rdb_type: u8,
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
        Self { form, output, name: Vec::new(), key: None }
    }

    /// Where the lines go.
    pub fn output_mut(&mut self) -> &mut Output {
        &mut self.output
    }

    fn json(&mut self, key: Told, end: KeyEnd) {
        let output = &mut self.output;
        number(output, "{\"db\":", Some(key.db.into()));
        output.buffer().extend_from_slice(b",\"key\":");
        write_bytes(output, &self.name);
        word(output, ",\"type\":", key.value_type);
        word(output, ",\"encoding\":", key.encoding);
        number(output, ",\"rdb_type\":", Some(key.rdb_type.into()));
        number(output, ",\"expires_at_ms\":", key.expires_at_ms.map(Into::into));
        number(output, ",\"bytes\":", Some(end.bytes.into()));
        number(output, ",\"elements\":", Some(end.elements.into()));
        number(output, ",\"idle\":", key.idle.map(Into::into));
        number(output, ",\"freq\":", key.freq.map(Into::into));
        output.buffer().push(b'}');
    }

    /// RFC 4180; what is no number and no word of ours is quoted, bytes that are no UTF-8 as `\xNN`.
    fn csv(&mut self, key: Told, end: KeyEnd) {
        let optional = |value: Option<i128>| value.map_or_else(String::new, |value| value.to_string());
        let line = format!(
            "{},\"{}\",{},{},{},{},{},{},{},{}",
            key.db,
            terminal::safe(&self.name).replace('"', "\"\""),
            key.value_type,
            key.encoding,
            key.rdb_type,
            optional(key.expires_at_ms.map(Into::into)),
            end.bytes,
            end.elements,
            optional(key.idle.map(Into::into)),
            optional(key.freq.map(Into::into)),
        );
        self.output.buffer().extend_from_slice(line.as_bytes());
    }

    fn text(&mut self, key: Told, end: KeyEnd) {
        let expires = key.expires_at_ms.map_or_else(|| "-".to_owned(), |expires| expires.to_string());
        let line = format!(
            "{:<3} {:<7} {:<10} {:>11} {:>10} {:>14}  ",
            key.db, key.value_type, key.encoding, end.bytes, end.elements, expires
        );
        self.output.buffer().extend_from_slice(line.as_bytes());
        terminal::push_word(self.output.buffer(), &self.name, false);
    }
}

/// A key's line is written at its end.
impl Holding for Keys {
    fn hold(&mut self) {}

    fn release(&mut self) {}

    fn discard(&mut self) {
        self.key = None;
    }
}

impl Values for Keys {
    fn text(&mut self, item: Item, piece: Piece<'_>) {
        if item == Item::LongKey {
            if piece.is_first() {
                self.name.clear();
            }
            self.name.extend_from_slice(piece.bytes);
        }
    }

    fn integer(&mut self, _: Item, _: i64) {}

    fn key(&mut self, key: &Key<'_>) {
        if !key.name.is_empty() || key.name_length == 0 {
            self.name.clear();
            self.name.extend_from_slice(key.name);
        }
        self.key = Some(Told {
            db: key.db,
            value_type: key.value_type.name(),
            encoding: key.encoding.name(),
            rdb_type: key.rdb_type,
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
