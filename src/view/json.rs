//! Events as JSON Lines: one object a line, its fields those of the contract.
//!
//! The lines are written by hand, not through a tree of values: a command stream gives millions of them. What the
//! events of one frame have in common is made once. Byte strings come out whole whatever they hold: as a JSON string
//! where they are UTF-8, as `{"base64":…}` where not, in `{"parts":[…]}` where they are longer than [`PART`].

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::output::Output;
use super::secrets::{MASK, Secrets, shown_of_reply};
use super::time::{Clock, write_decimal, write_seconds};
use crate::rdb::{self, Checksum};
use crate::repl::event::{Asked, Event, Kind, Phase, RdbEnd, Side, Sink, State};
use crate::resp::{Argument, Command, Reply};
use crate::tcp::How;
use crate::units::{FrameNumber, LinkNumber, Offset, Span};

/// The longest piece in which a byte string is written.
pub const PART: usize = 1 << 20;

/// What the lines are to show.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// The most bytes shown of each argument; `usize::MAX` for all.
    pub max_bytes: usize,
    /// Whether passwords are shown.
    pub show_secrets: bool,
}

/// Writes events as JSON Lines.
#[derive(Debug)]
pub struct JsonLines {
    options: Options,
    output: Output,
    clock: Clock,
    /// The beginning of a line, up to the event's name, and what it was made for.
    head: Vec<u8>,
    head_of: Option<HeadKey>,
    /// What the fields of commands begin with: `,"name":"SET","argv":["SET"`, and the name as it was sent.
    named: Vec<u8>,
    named_of: Vec<u8>,
}

/// What the beginning of a line depends on: the frame and the link determine the times.
type HeadKey = (FrameNumber, Option<LinkNumber>, Option<Side>, Phase, Option<State>);

impl JsonLines {
    /// A writer of lines.
    #[must_use]
    pub fn new(options: Options, output: Output) -> Self {
        Self {
            options,
            output,
            clock: Clock::default(),
            head: Vec::new(),
            head_of: None,
            named: br#","name":"","argv":["#.to_vec(),
            named_of: Vec::new(),
        }
    }

    /// Gives on what is buffered.
    pub fn flush(&mut self) {
        self.output.flush();
    }

    /// Where the lines go.
    #[must_use]
    pub fn output(&self) -> &Output {
        &self.output
    }

    fn make_named(&mut self, command: &Command<'_>) {
        let name = command.name();
        self.named_of.clear();
        self.named_of.extend_from_slice(name);
        self.named.clear();
        self.named.extend_from_slice(b",\"name\":");
        write_string(&mut self.named, String::from_utf8_lossy(name).to_uppercase().as_bytes());
        self.named.extend_from_slice(b",\"argv\":[");
    }

    fn make_head(&mut self, event: &Event<'_>) {
        let head = &mut self.head;
        head.clear();
        head.extend_from_slice(b"{\"time\":");
        match event.stamp.time {
            Some(time) => {
                head.push(b'"');
                self.clock.write_rfc3339(head, time);
                head.push(b'"');
            }
            None => head.extend_from_slice(b"null"),
        }
        head.extend_from_slice(b",\"elapsed\":");
        write_span(head, event.elapsed);
        head.extend_from_slice(b",\"link\":");
        write_optional(head, event.link.map(|link| u64::from(link.0)));
        head.extend_from_slice(b",\"packet\":");
        write_decimal(head, event.stamp.frame.0);
        head.extend_from_slice(b",\"from\":");
        write_word(head, event.from.map(Side::as_str));
        head.extend_from_slice(b",\"phase\":");
        write_word(head, Some(event.phase.as_str()));
        head.extend_from_slice(b",\"state\":");
        write_word(head, event.state.map(|state| state.as_str()));
        head.extend_from_slice(b",\"event\":\"");
    }
}

impl Sink for JsonLines {
    #[inline]
    fn event(&mut self, event: &Event<'_>) {
        let key = Some((event.stamp.frame, event.link, event.from, event.phase, event.state));
        if self.head_of != key {
            self.make_head(event);
            self.head_of = key;
        }
        self.output.buffer().extend_from_slice(&self.head);
        if let Kind::Write { command, .. } | Kind::Command { command, .. } = event.kind
            && self.named_of != command.name()
        {
            self.make_named(command);
        }
        let mut fields = Fields { output: &mut self.output, options: self.options, named: &self.named };
        fields.write(event);
        self.output.buffer().push(b'}');
        self.output.end_line();
    }
}

/// Writes the fields of one event behind its head.
struct Fields<'a> {
    output: &'a mut Output,
    options: Options,
    named: &'a [u8],
}

impl Fields<'_> {
    #[inline]
    fn raw(&mut self, text: &str) {
        self.output.buffer().extend_from_slice(text.as_bytes());
    }

    /// The event's name, which ends the head.
    fn name(&mut self, name: &str) {
        self.raw(name);
        self.raw("\"");
    }

    fn number(&mut self, field: &str, value: Option<u64>) {
        self.raw(field);
        write_optional(self.output.buffer(), value);
    }

    fn offset(&mut self, field: &str, value: Option<Offset>) {
        self.number(field, value.map(|offset| offset.0));
    }

    fn span(&mut self, field: &str, value: Option<Span>) {
        self.raw(field);
        write_span(self.output.buffer(), value);
    }

    fn word(&mut self, field: &str, value: Option<&str>) {
        self.raw(field);
        write_word(self.output.buffer(), value);
    }

    fn text(&mut self, field: &str, value: &str) {
        self.raw(field);
        write_string(self.output.buffer(), value.as_bytes());
    }

    fn flag(&mut self, field: &str, value: bool) {
        self.raw(field);
        self.raw(if value { "true" } else { "false" });
    }

    #[inline]
    fn write(&mut self, event: &Event<'_>) {
        match event.kind {
            Kind::Write { offset, db, command } => {
                self.raw("write\",\"offset\":");
                write_optional(self.output.buffer(), offset.map(|offset| offset.0));
                self.number(",\"bytes\":", Some(command.bytes()));
                self.number(",\"db\":", db.map(u64::from));
                self.command(command);
            }
            Kind::Heartbeat { offset, bytes } => {
                self.name("heartbeat");
                self.offset(",\"offset\":", offset);
                self.number(",\"bytes\":", Some(bytes));
            }
            Kind::GetAck { offset, bytes } => {
                self.name("getack");
                self.offset(",\"offset\":", offset);
                self.number(",\"bytes\":", Some(bytes));
            }
            Kind::Ack { offset, fack, lag, delay, rtt } => {
                self.name("ack");
                self.raw(",\"offset\":");
                match u64::try_from(offset) {
                    Ok(offset) => write_decimal(self.output.buffer(), offset),
                    Err(_) => self.raw(&offset.to_string()),
                }
                self.offset(",\"fack\":", fack);
                self.number(",\"lag\":", lag);
                self.span(",\"delay\":", delay);
                self.span(",\"rtt\":", rtt);
            }
            kind => self.write_rare(event, kind),
        }
    }

    fn write_rare(&mut self, event: &Event<'_>, kind: Kind<'_>) {
        match kind {
            Kind::Connect { replica, master, rtt, midstream } => {
                self.name("connect");
                self.text(",\"replica\":", &replica.to_string());
                self.text(",\"master\":", &master.to_string());
                self.span(",\"rtt\":", rtt);
                self.flag(",\"midstream\":", midstream);
            }
            Kind::Command { command, asked } => {
                self.name("command");
                self.command(command);
                self.flag(",\"inline\":", command.inline());
                if let Some(asked) = asked {
                    self.asked(asked);
                }
            }
            Kind::Reply { to, reply, latency } => self.reply(to, reply, latency),
            Kind::FullResync { replid, offset, latency } => {
                self.name("fullresync");
                self.text(",\"replid\":", replid.as_str());
                self.offset(",\"offset\":", Some(offset));
                self.span(",\"latency\":", latency);
            }
            Kind::Continue { replid, offset, latency } => {
                self.name("continue");
                match replid {
                    Some(replid) => self.text(",\"replid\":", replid.as_str()),
                    None => self.raw(",\"replid\":null"),
                }
                self.offset(",\"offset\":", offset);
                self.span(",\"latency\":", latency);
            }
            Kind::TwoChannel { transfer, client_id, pair } => {
                self.name("two_channel");
                self.word(",\"transfer\":", Some(transfer.as_str()));
                self.number(",\"client_id\":", client_id);
                self.number(",\"pair\":", pair.map(|pair| u64::from(pair.0)));
            }
            Kind::RdbBegin { transfer, bytes, eof_mark, waited, keepalives } => {
                self.name("rdb_begin");
                self.word(",\"transfer\":", Some(transfer.as_str()));
                self.number(",\"bytes\":", bytes);
                self.raw(",\"eof_mark\":");
                match eof_mark {
                    Some(mark) => write_string(self.output.buffer(), mark.as_bytes()),
                    None => self.raw("null"),
                }
                self.span(",\"waited\":", waited);
                self.number(",\"keepalives\":", Some(keepalives));
            }
            Kind::RdbEnd(end) => self.rdb_end(end),
            Kind::Gap { bytes } => {
                self.name("gap");
                self.number(",\"bytes\":", Some(bytes));
            }
            Kind::Malformed { reason, bytes } => {
                self.name("malformed");
                self.text(",\"reason\":", reason);
                self.number(",\"bytes\":", Some(bytes));
            }
            Kind::Offsets { first, certainty } => {
                self.name("offsets");
                self.number(",\"first\":", Some(first));
                self.word(",\"certainty\":", Some(certainty.as_str()));
            }
            Kind::Note { note, text } => {
                self.name("note");
                self.word(",\"code\":", Some(note.code()));
                self.text(",\"text\":", text);
            }
            Kind::Close { by, how } => {
                self.name("close");
                self.word(",\"by\":", Some(by.map_or("capture-end", Side::as_str)));
                self.word(",\"how\":", how.map(how_word));
            }
            Kind::Write { .. } | Kind::Heartbeat { .. } | Kind::GetAck { .. } | Kind::Ack { .. } => self.write(event),
        }
    }

    fn asked(&mut self, asked: Asked) {
        self.text(",\"replid\":", asked.replid.as_str());
        self.raw(",\"offset\":");
        match asked.offset {
            Some(offset) => self.raw(&offset.to_string()),
            None => self.raw("null"),
        }
    }

    fn reply(&mut self, to: Option<&str>, reply: Reply<'_>, latency: Option<Span>) {
        self.name("reply");
        self.raw(",\"to\":");
        match to {
            Some(to) => write_string(self.output.buffer(), to.as_bytes()),
            None => self.raw("null"),
        }
        self.raw(",\"reply\":");
        let shown = if self.options.show_secrets { reply.head.len() } else { shown_of_reply(to, reply.head) };
        if shown < reply.head.len() {
            let masked = [&reply.head[..shown], b" ", MASK.as_bytes()].concat();
            write_bytes(self.output, &masked);
        } else {
            write_cut(self.output, Argument { head: reply.head, length: reply.length }, self.options.max_bytes);
        }
        self.flag(",\"error\":", reply.is_error());
        self.span(",\"latency\":", latency);
    }

    #[inline]
    fn command(&mut self, command: &Command<'_>) {
        self.output.buffer().extend_from_slice(self.named);
        let secrets = if self.options.show_secrets { Secrets::None } else { Secrets::of(command) };
        if secrets == Secrets::None {
            for (index, argument) in command.arguments().enumerate() {
                if index > 0 {
                    self.output.buffer().push(b',');
                }
                write_cut(self.output, argument, self.options.max_bytes);
            }
        } else {
            self.masked(command, secrets);
        }
        self.raw("]");
    }

    fn masked(&mut self, command: &Command<'_>, secrets: Secrets) {
        let mut before: &[u8] = b"";
        for (index, argument) in command.arguments().enumerate() {
            if index > 0 {
                self.raw(",");
            }
            if secrets.hides(index, argument.head, before) {
                write_string(self.output.buffer(), MASK.as_bytes());
            } else {
                write_cut(self.output, argument, self.options.max_bytes);
            }
            before = argument.head;
        }
    }

    fn rdb_end(&mut self, end: RdbEnd<'_>) {
        let summary = end.summary;
        self.name("rdb_end");
        self.number(",\"bytes\":", Some(end.bytes));
        self.number(",\"rdb_version\":", summary.header.map(|header| u64::from(header.version)));
        self.raw(",\"aux\":{");
        self.aux(&summary.aux);
        self.raw("}");
        self.number(",\"databases\":", Some(summary.databases));
        self.number(",\"keys\":", Some(summary.keys));
        self.number(",\"expires\":", Some(summary.expires));
        self.number(",\"functions\":", Some(summary.functions));
        self.word(",\"checksum\":", checksum_word(end.complete, summary));
        self.flag(",\"complete\":", end.complete);
        self.span(",\"duration\":", end.duration);
    }

    /// The aux fields as an object. Of a name that comes more than once (`lua`, a script each) the values make an array.
    fn aux(&mut self, aux: &[(Vec<u8>, Vec<u8>)]) {
        for (index, (name, value)) in aux.iter().enumerate() {
            if aux[..index].iter().any(|(earlier, _)| earlier == name) {
                continue;
            }
            if index > 0 {
                self.raw(",");
            }
            write_string(self.output.buffer(), String::from_utf8_lossy(name).as_bytes());
            self.raw(":");
            let more: Vec<&Vec<u8>> =
                aux[index + 1..].iter().filter(|(later, _)| later == name).map(|(_, value)| value).collect();
            if more.is_empty() {
                write_bytes(self.output, value);
                continue;
            }
            self.raw("[");
            write_bytes(self.output, value);
            for value in more {
                self.raw(",");
                write_bytes(self.output, value);
            }
            self.raw("]");
        }
    }
}

/// `fin` or `rst`.
#[must_use]
pub fn how_word(how: How) -> &'static str {
    match how {
        How::Fin => "fin",
        How::Rst => "rst",
    }
}

/// The checksum's verdict, where there is one to give.
#[must_use]
pub fn checksum_word(complete: bool, summary: &rdb::Summary) -> Option<&'static str> {
    let checksum = summary.checksum.filter(|&checksum| complete && checksum != Checksum::Absent)?;
    Some(super::rdb::checksum_word(checksum))
}

#[inline]
fn write_optional(out: &mut Vec<u8>, value: Option<u64>) {
    match value {
        Some(value) => write_decimal(out, value),
        None => out.extend_from_slice(b"null"),
    }
}

fn write_span(out: &mut Vec<u8>, span: Option<Span>) {
    match span {
        Some(span) => write_seconds(out, span),
        None => out.extend_from_slice(b"null"),
    }
}

/// A word of our own that needs no escapes.
fn write_word(out: &mut Vec<u8>, word: Option<&str>) {
    match word {
        Some(word) => {
            out.push(b'"');
            out.extend_from_slice(word.as_bytes());
            out.push(b'"');
        }
        None => out.extend_from_slice(b"null"),
    }
}

/// An argument, at most `max` bytes of it.
#[inline]
fn write_cut(output: &mut Output, argument: Argument<'_>, max: usize) {
    let shown = argument.head.len().min(max);
    if shown as u64 == argument.length {
        return write_bytes(output, argument.head);
    }
    output.buffer().extend_from_slice(b"{\"head\":");
    write_bytes(output, &argument.head[..boundary(argument.head, shown)]);
    let out = output.buffer();
    out.extend_from_slice(b",\"bytes\":");
    write_decimal(out, argument.length);
    out.push(b'}');
}

/// A byte string, lossless.
#[inline]
pub(super) fn write_bytes(output: &mut Output, bytes: &[u8]) {
    if bytes.len() <= PART {
        return write_string(output.buffer(), bytes);
    }
    output.buffer().extend_from_slice(b"{\"parts\":[");
    let mut rest = bytes;
    while !rest.is_empty() {
        let (part, after) = rest.split_at(boundary(rest, PART.min(rest.len())));
        write_string(output.buffer(), part);
        if !after.is_empty() {
            output.buffer().push(b',');
        }
        output.relieve();
        rest = after;
    }
    output.buffer().extend_from_slice(b"]}");
}

/// The place at or before `at` where no character of a UTF-8 text is cut; `at` itself where it is no such text.
fn boundary(bytes: &[u8], at: usize) -> usize {
    let is_inner = |byte: &u8| byte & 0xc0 == 0x80;
    let mut place = at;
    while place > 0 && at - place < 3 && bytes.get(place).is_some_and(is_inner) {
        place -= 1;
    }
    if bytes.get(place).is_some_and(is_inner) || place == 0 { at } else { place }
}

/// A byte string of at most [`PART`] bytes.
#[inline]
pub(super) fn write_string(out: &mut Vec<u8>, bytes: &[u8]) {
    if is_plain(bytes) {
        out.reserve(bytes.len() + 2);
        out.push(b'"');
        out.extend_from_slice(bytes);
        out.push(b'"');
    } else {
        write_escaped(out, bytes);
    }
}

/// Whether every byte is printable ASCII other than `"` and `\`. Eight bytes at a time: a byte's high bit is set in
/// `bad` where it is below 0x20, equals one of the two, is DEL, or is not ASCII.
#[inline]
pub(super) fn is_plain(bytes: &[u8]) -> bool {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    let zero_bytes = |word: u64| word.wrapping_sub(ONES) & !word & HIGH;
    let bad = |word: u64| {
        (word.wrapping_sub(ONES * 0x20) & !word & HIGH)
            | zero_bytes(word ^ (ONES * u64::from(b'"')))
            | zero_bytes(word ^ (ONES * u64::from(b'\\')))
            | zero_bytes(word ^ (ONES * 0x7f))
            | (word & HIGH)
    };
    // The last eight may overlap those before: no byte is left over.
    let Some(last) = bytes.last_chunk::<8>() else { return bytes.iter().all(|&byte| is_plain_byte(byte)) };
    let (words, _) = bytes.as_chunks::<8>();
    words.iter().fold(bad(u64::from_le_bytes(*last)), |found, word| found | bad(u64::from_le_bytes(*word))) == 0
}

#[cold]
fn write_escaped(out: &mut Vec<u8>, bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        out.extend_from_slice(b"{\"base64\":\"");
        let start = out.len();
        out.resize(start + bytes.len().div_ceil(3) * 4, 0);
        let written = STANDARD.encode_slice(bytes, &mut out[start..]).unwrap_or(0);
        out.truncate(start + written);
        out.extend_from_slice(b"\"}");
        return;
    };
    out.push(b'"');
    let mut rest = text;
    while let Some(at) = rest.bytes().position(|byte| !is_plain_byte(byte)) {
        let (plain, unusual) = rest.split_at(at);
        out.extend_from_slice(plain.as_bytes());
        let mut characters = unusual.chars();
        if let Some(character) = characters.next() {
            write_character(out, character);
        }
        rest = characters.as_str();
    }
    out.extend_from_slice(rest.as_bytes());
    out.push(b'"');
}

/// Whether a byte stands for itself in a JSON string, whatever its neighbours.
#[inline]
fn is_plain_byte(byte: u8) -> bool {
    (0x20..0x7f).contains(&byte) && byte != b'"' && byte != b'\\'
}

/// A character that may need an escape.
fn write_character(out: &mut Vec<u8>, character: char) {
    match character {
        '"' => out.extend_from_slice(b"\\\""),
        '\\' => out.extend_from_slice(b"\\\\"),
        '\n' => out.extend_from_slice(b"\\n"),
        '\r' => out.extend_from_slice(b"\\r"),
        '\t' => out.extend_from_slice(b"\\t"),
        // What a terminal could take for an order, the C1 controls and the marks of direction included.
        '\0'..='\x1f'
        | '\x7f'..='\u{9f}'
        | '\u{61c}'
        | '\u{200e}'
        | '\u{200f}'
        | '\u{202a}'..='\u{202e}'
        | '\u{2066}'..='\u{2069}' => {
            const DIGITS: &[u8; 16] = b"0123456789abcdef";
            let digit = |shift: u32| DIGITS[(character as usize >> shift) & 15];
            out.extend_from_slice(&[b'\\', b'u', digit(12), digit(8), digit(4), digit(0)]);
        }
        _ => out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::Value;
    use std::sync::{Arc, Mutex};

    #[derive(Clone, Default)]
    struct Shared(Arc<Mutex<Vec<u8>>>);

    impl std::io::Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn written(write: impl FnOnce(&mut Output)) -> Vec<u8> {
        let shared = Shared::default();
        let mut output = Output::new(Box::new(shared.clone()), false);
        write(&mut output);
        output.flush();
        std::mem::take(&mut *shared.0.lock().unwrap())
    }

    /// The bytes that a JSON value of the contract's forms stands for.
    fn bytes_of(value: &Value) -> Vec<u8> {
        match value {
            Value::String(text) => text.clone().into_bytes(),
            Value::Object(object) => match (object.get("base64"), object.get("parts")) {
                (Some(Value::String(text)), None) => STANDARD.decode(text).unwrap(),
                (None, Some(Value::Array(parts))) => parts.iter().flat_map(bytes_of).collect(),
                _ => panic!("neither base64 nor parts: {value}"),
            },
            _ => panic!("no byte string: {value}"),
        }
    }

    proptest! {
        #[test]
        fn byte_strings_are_lossless(bytes in prop_oneof![
            prop::collection::vec(any::<u8>(), 0..40),
            any::<String>().prop_map(String::into_bytes),
            "[ -~]{0,40}".prop_map(String::into_bytes),
        ]) {
            let json = written(|output| write_bytes(output, &bytes));
            prop_assert!(json.iter().all(|&byte| byte >= 0x20 && byte != 0x7f));
            let value: Value = serde_json::from_slice(&json).unwrap();
            prop_assert_eq!(bytes_of(&value), bytes);
        }

        #[test]
        fn plain_means_plain(bytes in prop::collection::vec(any::<u8>(), 0..20)) {
            let expected = bytes.iter().all(|&byte| (0x20..0x7f).contains(&byte) && byte != b'"' && byte != b'\\');
            prop_assert_eq!(is_plain(&bytes), expected);
        }
    }

    #[test]
    fn long_values_come_in_parts_cut_between_characters() {
        let text = "ä".repeat(PART);
        let json = written(|output| write_bytes(output, text.as_bytes()));
        let value: Value = serde_json::from_slice(&json).unwrap();
        let parts = value["parts"].as_array().unwrap();
        assert!(parts.iter().all(Value::is_string));
        assert_eq!(bytes_of(&value), text.as_bytes());
    }

    #[test]
    fn a_command_without_a_name_is_an_object_too() {
        use crate::repl::event::Phase;
        use crate::resp::{CommandDecoder, Step};
        use crate::units::Stamp;

        let mut decoder = CommandDecoder::new(usize::MAX);
        let mut input = &b"*0\r\n"[..];
        let Step::Command(command) = decoder.next(&mut input) else { panic!("no command") };
        let shared = Shared::default();
        let options = Options { max_bytes: 100, show_secrets: false };
        let mut lines = JsonLines::new(options, Output::new(Box::new(shared.clone()), false));
        let kind = Kind::Write { offset: None, db: None, command: &command };
        let (stamp, phase) = (Stamp::default(), Phase::Stream);
        lines.event(&Event { stamp, elapsed: None, link: None, from: None, phase, state: None, kind });
        lines.flush();
        let value: Value = serde_json::from_slice(&shared.0.lock().unwrap()).unwrap();
        assert_eq!((&value["name"], &value["argv"]), (&Value::from(""), &Value::Array(Vec::new())));
    }

    #[test]
    fn a_cut_argument_tells_its_length() {
        let argument = Argument { head: b"hello", length: 1000 };
        let json = written(|output| write_cut(output, argument, 3));
        assert_eq!(json, br#"{"head":"hel","bytes":1000}"#);
    }
}
