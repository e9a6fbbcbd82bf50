//! The protocol's own words: the lines by which master and replica agree on a sync.

use nom::branch::alt;
use nom::bytes::complete::{tag, tag_no_case, take_while};
use nom::character::complete::{char, digit1, space0};
use nom::combinator::{all_consuming, map, map_res, opt, recognize};
use nom::sequence::{pair, preceded};
use nom::{IResult, Parser};

use super::event::{Asked, Replid};
use crate::resp::Command;
use crate::units::Offset;

/// The length of the mark behind `$EOF:`, `RDB_EOF_MARK_SIZE` in the servers' source.
pub const EOF_MARK_LENGTH: usize = 40;

/// A master's answer to PSYNC or SYNC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// `+FULLRESYNC <replid> <offset>`
    FullResync(Replid, Offset),
    /// `+CONTINUE [<replid>]`; the id is sent to replicas with `capa psync2`.
    Continue(Option<Replid>),
    /// `+RDBCHANNELSYNC <client id>`: Redis 8.
    RdbChannelSync(Option<u64>),
    /// `+DUALCHANNELSYNC`: Valkey 8.
    DualChannelSync,
}

/// The line in front of an RDB, without its CRLF.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PayloadHeader {
    /// `$<length>`
    Length(u64),
    /// `$EOF:<mark>`
    EofMark([u8; EOF_MARK_LENGTH]),
    /// `$ENDOFF:<offset> <replid> <db> <client id>`: Valkey's RDB channel; the `$EOF:` line follows.
    EndOffset {
        /// The offset at the snapshot.
        offset: Offset,
        /// The master's history.
        replid: Replid,
        /// The stream's database; `None` where none was selected (-1).
        db: Option<u32>,
        /// The id that the main connection has to name.
        client_id: u64,
    },
}

fn unsigned(input: &[u8]) -> IResult<&[u8], u64> {
    map_res(digit1, |digits: &[u8]| std::str::from_utf8(digits).unwrap_or_default().parse()).parse(input)
}

fn signed(input: &[u8]) -> IResult<&[u8], i64> {
    map_res(recognize(pair(opt(char('-')), digit1)), |digits: &[u8]| {
        std::str::from_utf8(digits).unwrap_or_default().parse()
    })
    .parse(input)
}

fn word(input: &[u8]) -> IResult<&[u8], &[u8]> {
    take_while(|byte: u8| byte != b' ').parse(input)
}

/// Reads a status line as an answer to PSYNC; `None` where it is another.
#[must_use]
pub fn answer(line: &[u8]) -> Option<Answer> {
    let full = map((preceded(tag_no_case("+FULLRESYNC "), word), preceded(char(' '), unsigned)), |(id, offset)| {
        Answer::FullResync(Replid::from_wire(id), Offset(offset))
    });
    let partial = map(preceded(tag_no_case("+CONTINUE"), preceded(space0, word)), |id: &[u8]| {
        Answer::Continue((!id.is_empty()).then(|| Replid::from_wire(id)))
    });
    let rdb_channel = map(preceded(tag("+RDBCHANNELSYNC"), preceded(space0, opt(unsigned))), Answer::RdbChannelSync);
    let dual_channel = map(tag("+DUALCHANNELSYNC"), |_| Answer::DualChannelSync);
    let (_, answer) =
        all_consuming(alt((full, partial, rdb_channel, dual_channel))).parse(line.trim_ascii_end()).ok()?;
    Some(answer)
}

/// Reads the line in front of an RDB (without its CRLF); `None` where it is none.
#[must_use]
pub fn payload_header(line: &[u8]) -> Option<PayloadHeader> {
    if let Some(mark) = line.strip_prefix(b"$EOF:") {
        return Some(PayloadHeader::EofMark(mark.try_into().ok()?));
    }
    let end_offset = map(
        (
            preceded(tag("$ENDOFF:"), unsigned),
            preceded(char(' '), word),
            preceded(char(' '), signed),
            preceded(char(' '), unsigned),
        ),
        |(offset, id, db, client_id)| PayloadHeader::EndOffset {
            offset: Offset(offset),
            replid: Replid::from_wire(id),
            db: u32::try_from(db).ok(),
            client_id,
        },
    );
    let length = map(preceded(char('$'), unsigned), PayloadHeader::Length);
    let (_, header) = all_consuming(alt((length, end_offset))).parse(line).ok()?;
    Some(header)
}

/// What a PSYNC asks for; `None` for any other command.
#[must_use]
pub fn asked(command: &Command<'_>) -> Option<Asked> {
    if !command.is("PSYNC") {
        return None;
    }
    let replid = Replid::from_wire(command.argument(1)?);
    let offset = command.argument(2).and_then(decimal);
    Some(Asked { replid, offset })
}

/// A decimal number that fills the whole argument.
#[must_use]
pub fn decimal(bytes: &[u8]) -> Option<i64> {
    all_consuming(signed).parse(bytes).ok().map(|(_, number)| number)
}

/// A decimal number without a sign that fills the whole argument.
#[must_use]
pub fn count(bytes: &[u8]) -> Option<u64> {
    all_consuming(unsigned).parse(bytes).ok().map(|(_, number)| number)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "8ea2e4d2c4b0a1f9d1c0b7e6a5f4d3c2b1a09f8e";

    #[test]
    fn answers() {
        let id = Replid::from_wire(ID.as_bytes());
        let cases: &[(String, Option<Answer>)] = &[
            (format!("+FULLRESYNC {ID} 0"), Some(Answer::FullResync(id, Offset(0)))),
            (format!("+FULLRESYNC {ID} 184467440737095516160"), None),
            (format!("+CONTINUE {ID}"), Some(Answer::Continue(Some(id)))),
            ("+CONTINUE".into(), Some(Answer::Continue(None))),
            ("+RDBCHANNELSYNC 6".into(), Some(Answer::RdbChannelSync(Some(6)))),
            ("+DUALCHANNELSYNC".into(), Some(Answer::DualChannelSync)),
            ("+OK".into(), None),
            ("+PONG".into(), None),
        ];
        for (line, expected) in cases {
            assert_eq!(answer(line.as_bytes()), *expected, "{line}");
        }
    }

    #[test]
    fn headers() {
        let mark = *b"aaaaaaaaaabbbbbbbbbbccccccccccdddddddddd";
        let id = Replid::from_wire(ID.as_bytes());
        let end = |db| PayloadHeader::EndOffset { offset: Offset(7), replid: id, db, client_id: 6 };
        let cases: &[(String, Option<PayloadHeader>)] = &[
            ("$19995".into(), Some(PayloadHeader::Length(19995))),
            (format!("$EOF:{}", std::str::from_utf8(&mark).unwrap()), Some(PayloadHeader::EofMark(mark))),
            ("$EOF:short".into(), None),
            (format!("$ENDOFF:7 {ID} -1 6"), Some(end(None))),
            (format!("$ENDOFF:7 {ID} 3 6"), Some(end(Some(3)))),
            ("$-1".into(), None),
            ("$".into(), None),
        ];
        for (line, expected) in cases {
            assert_eq!(payload_header(line.as_bytes()), *expected, "{line}");
        }
    }
}
