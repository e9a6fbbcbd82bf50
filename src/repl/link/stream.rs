//! The master's direction from the stream on: commands and their offsets, and how to find one's footing after a loss.

use super::{Context, Down, Link};
use crate::repl::event::{Certainty, Kind, Phase, Side, Sink};
use crate::repl::words;
use crate::resp::{Command, Scan, Step, scan};
use crate::units::Stamp;

impl Link {
    /// The stream begins with the next byte; `begun` says that it has begun already.
    pub(super) fn begin_stream(&mut self, begun: bool, now: Stamp) {
        self.down = Down::Stream;
        self.stream_begun = begun;
        self.expected.clear();
        self.head.phase = Phase::Stream;
        self.ledger.begin_unknown(now);
    }

    #[inline]
    pub(super) fn read_stream<S: Sink>(&mut self, input: &mut &[u8], cx: &mut Context<'_, S>) {
        self.stream_begun = true;
        self.ledger.arrive(input.len() as u64, cx.stamp);
        let whole = *input;
        let Self { head, stream, ledger, database, in_transaction, .. } = self;
        let elapsed = cx.stamp.since(head.opened);
        let malformed = loop {
            match stream.next(input) {
                Step::Command(command) => {
                    let bytes = command.bytes();
                    ledger.advance(bytes);
                    let offset = ledger.offset();
                    let kind = match Known::of(&command) {
                        Known::Other => Kind::Write { offset, db: *database, command: &command },
                        Known::Ping => Kind::Heartbeat { offset, bytes },
                        Known::GetAck => {
                            ledger.asked_for_ack(ledger.decoded() - bytes, cx.stamp);
                            Kind::GetAck { offset, bytes }
                        }
                        Known::Select => {
                            *database =
                                command.argument(1).and_then(words::count).and_then(|db| u32::try_from(db).ok());
                            Kind::Write { offset, db: *database, command: &command }
                        }
                        Known::Multi => {
                            *in_transaction = true;
                            Kind::Write { offset, db: *database, command: &command }
                        }
                        Known::Exec => {
                            *in_transaction = false;
                            Kind::Write { offset, db: *database, command: &command }
                        }
                    };
                    cx.sink.event(&head.event_at(cx.stamp, elapsed, Some(Side::Master), kind));
                    if !*in_transaction {
                        ledger.boundary();
                    }
                }
                Step::Newline => {
                    ledger.advance(1);
                    let kind = Kind::Heartbeat { offset: ledger.offset(), bytes: 1 };
                    cx.sink.event(&head.event_at(cx.stamp, elapsed, Some(Side::Master), kind));
                }
                Step::NeedMore => return cx.sink.stream(head.number, whole),
                Step::Malformed { reason, bytes } => break (reason, bytes),
            }
        };
        cx.sink.stream(head.number, &whole[..whole.len() - input.len()]);
        let (reason, bytes) = malformed;
        let reason = reason.to_string();
        cx.sink.event(&head.event(cx.stamp, Some(Side::Master), Kind::Malformed { reason: &reason, bytes }));
        self.ledger.catch_up(input.len() as u64);
        self.forget_context();
        self.down = Down::Lost;
        // The rest is looked through for a footing; it has been counted as seen already.
        self.ledger.unsee(input.len() as u64);
    }

    /// After a loss it is not known whether SELECT, MULTI or EXEC were among what is missing.
    pub(super) fn forget_context(&mut self) {
        self.database = None;
        self.in_transaction = false;
    }

    /// Bytes of the master's direction are missing.
    pub(super) fn lose<S: Sink>(&mut self, bytes: u64, cx: &mut Context<'_, S>) {
        match &mut self.down {
            Down::Stream => {
                // It has begun, even if its first byte is missing.
                self.stream_begun = true;
                self.ledger.arrive(bytes, cx.stamp);
                if bytes <= self.stream.skippable() {
                    return self.stream.skip(bytes);
                }
                self.stream.reset();
                self.ledger.catch_up(0);
                self.forget_context();
                self.down = Down::Lost;
            }
            Down::Payload(payload) => {
                if let Some(beyond) = payload.lose(bytes) {
                    self.end_payload(cx);
                    self.begin_stream(false, cx.stamp);
                    if beyond > 0 {
                        self.stream_begun = true;
                        self.ledger.arrive(beyond, cx.stamp);
                        self.ledger.catch_up(0);
                        self.forget_context();
                        self.down = Down::Lost;
                    }
                }
            }
            Down::Replies => {
                self.replies.reset();
                self.header.clear();
                self.expected.clear();
                self.down = Down::Lost;
            }
            Down::Lost => {
                if self.stream_begun {
                    self.ledger.arrive(bytes, cx.stamp);
                    self.ledger.catch_up(0);
                }
            }
        }
    }

    /// Looks for something to stand on at the beginning of what has just come, or for a command in it.
    pub(super) fn find_footing<S: Sink>(&mut self, input: &mut &[u8], cx: &mut Context<'_, S>) {
        let in_stream = self.stream_begun;
        if !in_stream && is_reply(input) {
            self.down = Down::Replies;
            return;
        }
        let found = find_command(input);
        let skipped = found.unwrap_or(input.len());
        if in_stream {
            self.ledger.arrive(skipped as u64, cx.stamp);
            self.ledger.catch_up(0);
            self.ledger.boundary();
            cx.sink.stream(self.head.number, &input[..skipped]);
        }
        *input = &input[skipped..];
        if found.is_some() {
            let certain = in_stream || self.ledger.certainty() != Certainty::Exact;
            if !certain {
                // The line that told the offset has come, but not where the stream began: the base is not to be used.
                self.ledger.forget_base(cx.stamp);
            }
            self.begin_stream(true, cx.stamp);
        }
    }
}

/// Whether bytes begin like a reply of the handshake, or like the header of a payload.
fn is_reply(bytes: &[u8]) -> bool {
    let starts: [&[u8]; 8] = [
        b"+OK\r\n",
        b"+PONG\r\n",
        b"+FULLRESYNC ",
        b"+CONTINUE",
        b"+RDBCHANNELSYNC",
        b"+DUALCHANNELSYNC",
        b"$EOF:",
        b"$ENDOFF:",
    ];
    // An error begins with its code: `-ERR `, `-NOAUTH `.
    let is_error = bytes.first() == Some(&b'-')
        && bytes.len() > 4
        && bytes[1..4].iter().all(u8::is_ascii_uppercase)
        && bytes.iter().take(256).all(|byte| byte.is_ascii_graphic() || b" \r\n".contains(byte));
    is_error || starts.iter().any(|start| bytes.starts_with(start)) || is_payload(bytes)
}

/// Whether bytes begin with a payload's header and the magic of an RDB.
fn is_payload(bytes: &[u8]) -> bool {
    let digits = bytes.iter().skip(1).take_while(|byte| byte.is_ascii_digit()).count();
    let magic = bytes.get(digits + 3..).unwrap_or_default();
    bytes.first() == Some(&b'$') && digits > 0 && (magic.starts_with(b"REDIS") || magic.starts_with(b"VALKEY"))
}

/// Where in `bytes` a command begins: behind a newline or at the very beginning, whole and followed by another one (or
/// by the end of the bytes), or reaching beyond their end with a readable name.
pub(super) fn find_command(bytes: &[u8]) -> Option<usize> {
    memchr::memchr_iter(b'*', bytes).find(|&at| {
        let starts_line = at == 0 || bytes[at - 1] == b'\n';
        starts_line && is_command(&bytes[at..])
    })
}

fn is_command(bytes: &[u8]) -> bool {
    match scan(bytes) {
        Ok(Scan::Complete { length, count, name }) => {
            count > 0 && is_name(&bytes[name.0..name.1]) && matches!(bytes.get(length), None | Some(b'*' | b'\n'))
        }
        Ok(Scan::Incomplete) => {
            let mut lines = bytes.split(|&byte| byte == b'\n');
            let name = lines.nth(2).unwrap_or_default();
            name.last() == Some(&b'\r') && is_name(&name[..name.len() - 1])
        }
        Err(_) => false,
    }
}

/// Names of commands are letters, and dots, dashes and the like in modules' names.
fn is_name(bytes: &[u8]) -> bool {
    (1..=32).contains(&bytes.len())
        && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || b"._-|".contains(byte))
        && bytes[0].is_ascii_alphabetic()
}

/// The commands of the stream that the link itself heeds.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Known {
    Select,
    Multi,
    Exec,
    Ping,
    GetAck,
    Other,
}

impl Known {
    #[inline]
    fn of(command: &Command<'_>) -> Self {
        // The length alone tells most commands apart from these.
        match command.name().len() {
            4 if command.is("PING") => Self::Ping,
            4 if command.is("EXEC") => Self::Exec,
            5 if command.is("MULTI") => Self::Multi,
            6 if command.is("SELECT") => Self::Select,
            8 if command.is("REPLCONF")
                && command.argument(1).is_some_and(|word| word.eq_ignore_ascii_case(b"GETACK")) =>
            {
                Self::GetAck
            }
            _ => Self::Other,
        }
    }
}
