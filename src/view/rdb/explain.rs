//! `rdb explain`: a record's parts in words.

use serde_json::{Map, Value, json};

use super::super::amount::count;
use super::super::terminal;
use super::super::time::utc;
use super::{bytes_value, checksum_word};
use crate::rdb::{Checksum, Detail, Explained, Listed, Part, Place, Stored};

/// What is to be told of a byte.
#[derive(Clone, Debug)]
pub struct Explanation<'a> {
    /// The input's name.
    pub file: &'a str,
    /// The byte asked for; `None` where only damage is explained.
    pub offset: Option<u64>,
    /// Bytes of the RDB that could be read.
    pub bytes: u64,
    /// Whether its end was reached.
    pub ended: bool,
    /// The record.
    pub record: &'a Explained,
    /// What is wrong with the RDB, and at which byte.
    pub damage: Option<(u64, String)>,
}

impl Explanation<'_> {
    /// Whether the record holds the byte, as far as that can be told.
    #[must_use]
    pub fn is_found(&self) -> bool {
        match (&self.damage, self.offset) {
            // How long a damaged record is, is not known; the byte at which it is found wrong is its own.
            (Some((at, _)), Some(offset)) => self.record.holds && offset <= *at,
            (None, Some(_)) => self.record.holds && self.record.end.is_some(),
            (_, None) => false,
        }
    }

    /// The object of `-f json`.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let here = self.offset.filter(|_| self.is_found()).and_then(|offset| self.record.part_at(offset));
        let shown = self.is_found() || self.damage.is_some();
        let record = self.record;
        let parts: Vec<Value> =
            record.parts().enumerate().map(|(index, part)| part_json(part, here == Some(index))).collect();
        json!({
            "schema": 1,
            "offset": self.offset,
            "found": self.is_found(),
            "record": shown.then(|| json!({
                "record": record.record,
                "offset": record.begin,
                "bytes": record.end.map(|end| end - record.begin),
                "number": record.number,
                "db": record.key.as_ref().map(|_| record.db),
                "key": record.key.as_deref().map(bytes_value),
            })),
            "parts": if shown { parts } else { Vec::new() },
            "left_out": record.left_out,
            "left_out_after": record.left_out_after,
            "bytes": self.bytes,
            "error": self.damage.as_ref().map(|(offset, reason)| json!({"offset": offset, "reason": reason})),
        })
    }

    /// The same for people.
    #[must_use]
    pub fn to_text(&self) -> String {
        let name = terminal::safe(self.file.as_bytes());
        let mut text = format!("{name}: {}\n", self.sentence());
        if !self.is_found() && self.damage.is_none() {
            return text;
        }
        text.push('\n');
        let here = self.offset.filter(|_| self.is_found()).and_then(|offset| self.record.part_at(offset));
        let rows: Vec<Row> = self.record.parts().map(Row::of).collect();
        let width = |cell: fn(&Row) -> &str| rows.iter().map(|row| cell(row).len()).max().unwrap_or(0);
        let (at, hex, length) = (width(|row| &row.at), width(|row| &row.hex), width(|row| &row.length));
        for (index, row) in rows.iter().enumerate() {
            if index == self.record.first.len() && self.record.left_out > 0 {
                text += &format!("  … {} left out\n", count(self.record.left_out, "part"));
            }
            let mark = if here == Some(index) { '>' } else { ' ' };
            let line = format!("{mark} {:>at$}  {:>hex$}  {:>length$}  {}", row.at, row.hex, row.length, row.words);
            text += line.trim_end();
            text.push('\n');
        }
        if self.record.left_out_after > 0 {
            text += &format!("  … {} left out\n", count(self.record.left_out_after, "part"));
        }
        if let Some((offset, reason)) = &self.damage {
            text += &format!("\nwrong at byte {offset} ({offset:#x}): {reason}\n");
        }
        text
    }

    fn sentence(&self) -> String {
        let record = self.record;
        let begin = record.begin;
        let key = record.key.as_ref().map_or_else(String::new, |key| {
            let mut quoted = Vec::new();
            terminal::push_word(&mut quoted, key, false);
            format!(", key {} in db {}", String::from_utf8_lossy(&quoted), record.db)
        });
        let number = record.number + 1;
        let Some(offset) = self.offset else {
            return match (&self.damage, record.record) {
                (Some(_), Some(kind)) => format!("the {kind} record at byte {begin} is damaged (record {number}{key})"),
                _ => format!("what begins at byte {begin} is no record"),
            };
        };
        let hex = format!("byte {offset} ({offset:#x})");
        match (self.is_found(), &self.damage, record.record, record.end) {
            (true, _, Some(what @ ("header" | "checksum")), _) => format!("{hex} is in the {what}"),
            (true, None, Some(kind), Some(end)) => {
                format!(
                    "{hex} is in the {kind} record at byte {begin}, {} (record {number}{key})",
                    count(end - begin, "byte")
                )
            }
            (true, _, Some(kind), _) => {
                format!("{hex} is in the {kind} record at byte {begin}, which is damaged (record {number}{key})")
            }
            (true, _, None, _) => format!("{hex} should begin a record, record {number}"),
            (false, Some((at, _)), ..) => {
                format!("{hex} is behind the damage at byte {at}, from where on nothing can be told for sure")
            }
            (false, None, ..) => format!("{hex} is behind the RDB, which has {}", count(self.bytes, "byte")),
        }
    }
}

/// A line of the table.
struct Row {
    at: String,
    hex: String,
    length: String,
    words: String,
}

impl Row {
    fn of(part: &Part) -> Self {
        let (at, hex) = match part.place {
            Place::File(at) => (at.to_string(), format!("{at:#x}")),
            Place::Expanded(at) => (format!("+{at}"), "expanded".to_owned()),
        };
        let indent = if part.nested { "  " } else { "" };
        Self { at, hex, length: part.length.to_string(), words: format!("{indent}{}", words(part)) }
    }
}

/// Quoted, with a sign where it is only the beginning.
fn quoted(beginning: &[u8], length: u64) -> String {
    let cut = (beginning.len() as u64) < length;
    let text = terminal::safe(beginning).replace('"', "\\\"");
    format!("\"{text}{}\"", if cut { "…" } else { "" })
}

fn time(milliseconds: i64) -> String {
    utc(milliseconds).map_or_else(String::new, |time| format!("{time}, "))
}

fn words(part: &Part) -> String {
    let what = part.what;
    match &part.detail {
        Detail::Header(header) => format!("{what} {header}: the dialect of all that follows"),
        Detail::Leading { byte, name, .. } => format!("{what} {byte:#04x}: {name}"),
        Detail::Count(number) => format!("{what}: {number} ({})", number_words(*number, part.length)),
        Detail::Number(number) if part.nested || part.length == 0 => format!("{what}: {number}"),
        Detail::Number(number) => format!("{what}: {number} ({})", number_words(*number, part.length)),
        Detail::Integer(number) => format!("{what}: {number}"),
        Detail::Double(number) => format!("{what}: {number}"),
        Detail::Milliseconds(-1) => format!("{what}: none (-1)"),
        Detail::Milliseconds(time_ms) => format!("{what}: {}{time_ms} ms since 1970", time(*time_ms)),
        Detail::Seconds(seconds) => format!("{what}: {}{seconds} s since 1970", time(seconds.saturating_mul(1000))),
        Detail::Id(id) => format!("{what}: {id}"),
        Detail::Module(id) => {
            format!("{what}: {}, encoding version {}", String::from_utf8_lossy(&id.name()), id.version())
        }
        Detail::Raw(bytes) if bytes.is_empty() => what.to_owned(),
        Detail::Raw(bytes) => {
            let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            format!("{what}: 0x{hex}")
        }
        Detail::Text { stored, head, length, beginning, packed } => {
            let head = head_words(*stored, *head, *length);
            match packed {
                Some(packed) => format!("{what}: {packed} of {} ({head})", count(*length, "byte")),
                None if head.is_empty() => format!("{what} {}", quoted(beginning, *length)),
                None => format!("{what} {} ({head})", quoted(beginning, *length)),
            }
        }
        Detail::Checksum(checksum) => match checksum {
            Checksum::Ok => format!("{what}: right, CRC-64 of all bytes before it"),
            Checksum::Off => format!("{what}: 0, the writer had rdbchecksum no"),
            Checksum::Absent => format!("{what}: none"),
            Checksum::Bad { stored, computed } => {
                format!("{what}: {stored:016x}, but the bytes before it give {computed:016x}")
            }
        },
    }
}

/// How a length or number is written that takes so many bytes.
fn number_words(number: u64, bytes: u64) -> String {
    match bytes {
        1 => format!("{number:#04x}, 6 bits"),
        2 => format!("0x{:04x}, 14 bits", number | 0x4000),
        5 => format!("0x80 and {number:08x}, 32 bits"),
        9 => format!("0x81 and {number:016x}, 64 bits"),
        other => count(other, "byte"),
    }
}

/// What stands in front of a string's bytes.
fn head_words(stored: Stored, head: u64, length: u64) -> String {
    match (stored, head) {
        (Stored::Plain, 0) => String::new(),
        (Stored::Plain, head) => format!("length {length}: {}", number_words(length, head)),
        (Stored::Integer(_), 2) => "0xc0, an integer of 8 bits".to_owned(),
        (Stored::Integer(_), 3) => "0xc1, an integer of 16 bits".to_owned(),
        (Stored::Integer(_), _) => "0xc2, an integer of 32 bits".to_owned(),
        (Stored::Lzf(compressed), _) => format!("0xc3, LZF: {compressed} bytes expand to {length}"),
    }
}

fn part_json(part: &Part, here: bool) -> Value {
    let (offset, expanded) = match part.place {
        Place::File(at) => (Some(at), None),
        Place::Expanded(at) => (None, Some(at)),
    };
    let mut object = Map::new();
    let mut set = |name: &str, value: Value| object.insert(name.to_owned(), value);
    set("offset", offset.into());
    if expanded.is_some() {
        set("expanded_offset", expanded.into());
    }
    set("bytes", part.length.into());
    set("what", part.what.into());
    match &part.detail {
        Detail::Header(header) => set("value", header.to_string().into()),
        Detail::Leading { byte, name, .. } => {
            set("byte", (*byte).into());
            set("value", (*name).into())
        }
        Detail::Count(number) | Detail::Number(number) => set("value", (*number).into()),
        Detail::Integer(number) => set("value", (*number).into()),
        Detail::Double(number) => set(
            "value",
            serde_json::Number::from_f64(*number).map_or_else(|| number.to_string().to_lowercase().into(), Value::from),
        ),
        Detail::Milliseconds(time) => {
            set("time", utc(*time).into());
            set("value", (*time).into())
        }
        Detail::Seconds(time) => {
            set("time", utc(time.saturating_mul(1000)).into());
            set("value", (*time).into())
        }
        Detail::Id(id) => set("value", id.to_string().into()),
        Detail::Module(id) => {
            set("version", id.version().into());
            set("value", String::from_utf8_lossy(&id.name()).into())
        }
        Detail::Raw(bytes) if bytes.is_empty() => set("value", Value::Null),
        Detail::Raw(bytes) => set("value", bytes_value(bytes)),
        Detail::Text { stored, length, beginning, packed, .. } => {
            let (stored, compressed) = match stored {
                Stored::Plain => ("plain", None),
                Stored::Integer(_) => ("int", None),
                Stored::Lzf(compressed) => ("lzf", Some(*compressed)),
            };
            set("stored", stored.into());
            if compressed.is_some() {
                set("compressed", compressed.into());
            }
            set("length", (*length).into());
            match packed {
                Some(packed) => set("packed", (*packed).into()),
                None if (beginning.len() as u64) < *length => {
                    set("value", json!({"head": bytes_value(beginning), "bytes": length}))
                }
                None => set("value", bytes_value(beginning)),
            }
        }
        Detail::Checksum(checksum) => {
            if let Checksum::Bad { stored, computed } = checksum {
                set("stored", format!("{stored:016x}").into());
                set("computed", format!("{computed:016x}").into());
            }
            set("value", checksum_word(*checksum).into())
        }
    };
    set("here", here.into());
    Value::Object(object)
}

/// A line of the list of records, for people.
#[must_use]
pub fn listed_text(listed: &Listed) -> String {
    let key = listed.key.as_deref().map_or_else(String::new, terminal::safe);
    format!("{:>10} {:>10}  {:<20} {:>3}  {key}", listed.offset, listed.bytes, listed.record, listed.db)
        .trim_end()
        .to_owned()
}

/// The same for programs.
#[must_use]
pub fn listed_json(listed: &Listed) -> Value {
    json!({
        "offset": listed.offset,
        "bytes": listed.bytes,
        "record": listed.record,
        "db": listed.db,
        "key": listed.key.as_deref().map(bytes_value),
    })
}
