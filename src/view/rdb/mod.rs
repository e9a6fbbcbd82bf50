//! What an RDB holds, for people and programs: its keys, its values, its numbers.

mod commands;
mod diff;
mod dump;
mod explain;
mod filter;
mod glob;
mod info;
mod keys;
mod modules;
mod pending;
mod salvage;
mod templates;

pub use commands::Commands;
pub use diff::{Counts, Diff, DiffError, Keyspace, SortedKeyspace};
pub use dump::Dump;
pub use explain::{Explanation, listed_json, listed_text};
pub use filter::{Filter, Filtered, Holding};
pub use glob::{Glob, Reached};
pub use info::Info;
pub use keys::{KeyForm, Keys};
pub use salvage::Losses;

use super::json::write_string;
use super::output::Output;
use super::time::write_decimal;
use crate::rdb::Checksum;

/// A checksum's verdict as a word: `ok`, `bad`, `off`, or `absent` below version 5.
#[must_use]
pub fn checksum_word(checksum: Checksum) -> &'static str {
    match checksum {
        Checksum::Ok => "ok",
        Checksum::Bad { .. } => "bad",
        Checksum::Off => "off",
        Checksum::Absent => "absent",
    }
}

/// Appends `,"field":` and a number, or `null`.
#[inline(always)]
fn number(output: &mut Output, field: &str, value: Option<u64>) {
    let out = output.buffer();
    out.extend_from_slice(field.as_bytes());
    match value {
        Some(value) => write_decimal(out, value),
        None => out.extend_from_slice(b"null"),
    }
}

/// The same with a time, which may be one before 1970.
#[inline]
fn time(output: &mut Output, field: &str, value: Option<i64>) {
    let out = output.buffer();
    out.extend_from_slice(field.as_bytes());
    match value {
        Some(value) => out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes()),
        None => out.extend_from_slice(b"null"),
    }
}

/// A part of a line that the next line mostly has as well, and what it was made of.
#[derive(Debug)]
struct Repeated<T> {
    of: Option<T>,
    text: Vec<u8>,
}

impl<T> Default for Repeated<T> {
    fn default() -> Self {
        Self { of: None, text: Vec::new() }
    }
}

impl<T: Copy + PartialEq> Repeated<T> {
    /// Appends the part that is made of this; `make` makes it where the last was made of something else.
    #[inline]
    fn write(&mut self, output: &mut Output, of: T, make: impl FnOnce(&mut Vec<u8>)) {
        if self.of != Some(of) {
            self.of = Some(of);
            self.text.clear();
            make(&mut self.text);
        }
        output.buffer().extend_from_slice(&self.text);
    }
}

/// Appends `,"field":` and a word.
fn word(output: &mut Output, field: &str, value: &str) {
    let out = output.buffer();
    out.extend_from_slice(field.as_bytes());
    write_string(out, value.as_bytes());
}

/// A byte string as a value of the contract.
fn bytes_value(bytes: &[u8]) -> serde_json::Value {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.into(),
        Err(_) => {
            use base64::Engine;
            serde_json::json!({"base64": base64::engine::general_purpose::STANDARD.encode(bytes)})
        }
    }
}
