//! Replies: one value of any RESP2 or RESP3 type, nested as deep as servers nest.

use super::{Malformed, number};
use crate::bounds::{MAX_BULK, MAX_REPLY_DEPTH, MAX_REPLY_LINE};

/// One whole reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reply<'a> {
    /// Its beginning as it stood on the wire, without the last CRLF.
    pub head: &'a [u8],
    /// Its length on the wire without the last CRLF; more than `head.len()` where it was long.
    pub length: u64,
}

impl Reply<'_> {
    /// Whether it is an error (`-…`, or RESP3's `!…`).
    #[must_use]
    pub fn is_error(&self) -> bool {
        matches!(self.head.first(), Some(b'-' | b'!'))
    }
}

/// What [`ReplyDecoder::next`] found.
#[derive(Debug)]
pub enum ReplyStep<'a> {
    /// A reply.
    Reply(Reply<'a>),
    /// The input is used up.
    NeedMore,
    /// The bytes are no reply.
    Malformed {
        /// What is wrong.
        reason: Malformed,
        /// How many bytes the broken reply has taken.
        bytes: u64,
    },
}

/// Decodes replies from slices that may be cut anywhere.
#[derive(Debug)]
pub struct ReplyDecoder {
    /// The beginning of the present reply, as on the wire.
    head: Vec<u8>,
    taken: u64,
    /// The line being read, for its type and number; long simple strings are not kept beyond the bound.
    line: Vec<u8>,
    line_length: usize,
    /// Bytes of a bulk string still to pass, its CRLF included.
    body: u64,
    /// How many values are still to come at each level.
    open: Vec<u64>,
    keep: usize,
}

impl ReplyDecoder {
    /// A decoder that keeps the first `keep` bytes of a reply.
    #[must_use]
    pub fn new(keep: usize) -> Self {
        Self { head: Vec::new(), taken: 0, line: Vec::new(), line_length: 0, body: 0, open: Vec::new(), keep }
    }

    /// Whether it stands between two replies.
    #[must_use]
    pub fn is_at_start(&self) -> bool {
        self.taken == 0
    }

    /// Forgets a reply that has begun.
    pub fn reset(&mut self) {
        self.taken = 0;
        self.line.clear();
        self.line_length = 0;
        self.body = 0;
        self.open.clear();
    }

    /// Takes the next reply off the front of `input`.
    pub fn next<'s>(&'s mut self, input: &mut &[u8]) -> ReplyStep<'s> {
        if self.taken == 0 {
            self.head.clear();
        }
        while !input.is_empty() {
            if self.body > 0 {
                let length = usize::try_from(self.body).unwrap_or(usize::MAX).min(input.len());
                self.take(input, length);
                self.body -= length as u64;
                if self.body > 0 {
                    break;
                }
                if self.close_value() {
                    return self.finish();
                }
                continue;
            }
            let newline = memchr::memchr(b'\n', input);
            let length = newline.map_or(input.len(), |at| at + 1);
            let room = MAX_REPLY_LINE.saturating_sub(self.line.len());
            self.line.extend_from_slice(&input[..length.min(room)]);
            self.line_length += length;
            self.take(input, length);
            if newline.is_none() {
                break;
            }
            match self.end_line() {
                Ok(false) => {}
                Ok(true) => return self.finish(),
                Err(reason) => {
                    let bytes = self.taken;
                    self.reset();
                    return ReplyStep::Malformed { reason, bytes };
                }
            }
        }
        ReplyStep::NeedMore
    }

    fn take(&mut self, input: &mut &[u8], length: usize) {
        let (part, rest) = input.split_at(length);
        *input = rest;
        self.taken += length as u64;
        let room = self.keep.saturating_sub(self.head.len());
        self.head.extend_from_slice(&part[..length.min(room)]);
    }

    fn finish(&mut self) -> ReplyStep<'_> {
        let length = self.taken.saturating_sub(2);
        self.reset();
        let kept = usize::try_from(length).unwrap_or(usize::MAX).min(self.head.len());
        ReplyStep::Reply(Reply { head: &self.head[..kept], length })
    }

    /// A line is whole; gives true where the reply is, too.
    fn end_line(&mut self) -> Result<bool, Malformed> {
        let line = std::mem::take(&mut self.line);
        self.line_length = 0;
        let kind = line.first().copied().unwrap_or(b'\n');
        let done = match kind {
            b'+' | b'-' | b':' | b',' | b'#' | b'(' | b'_' | b'.' => Ok(self.close_value()),
            b'$' | b'=' | b'!' | b'*' | b'~' | b'>' | b'%' | b'|' => match number(&line, 1)? {
                Some((count, end)) if end == line.len() && count <= MAX_BULK => self.open_value(kind, count),
                _ => Err(Malformed::Length),
            },
            _ => Err(Malformed::Type),
        };
        self.line = line;
        self.line.clear();
        done
    }

    fn open_value(&mut self, kind: u8, count: i64) -> Result<bool, Malformed> {
        let Ok(count) = u64::try_from(count) else { return Ok(self.close_value()) };
        let values = match kind {
            b'$' | b'=' | b'!' => {
                self.body = count + 2;
                return Ok(false);
            }
            b'%' => count * 2,
            // Attributes stand in front of the value that they belong to.
            b'|' => count * 2 + 1,
            _ => count,
        };
        if values == 0 {
            return Ok(self.close_value());
        }
        if self.open.len() >= MAX_REPLY_DEPTH {
            return Err(Malformed::Depth);
        }
        self.open.push(values);
        Ok(false)
    }

    /// A value is whole: closes the aggregates that it was the last value of. Gives true where none is left open.
    fn close_value(&mut self) -> bool {
        while let Some(left) = self.open.last_mut() {
            *left -= 1;
            if *left > 0 {
                return false;
            }
            self.open.pop();
        }
        true
    }
}
