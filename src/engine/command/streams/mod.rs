//! Streams and consumer groups.
//!
//! What a group's reader is given goes into the stream as what came of it: an XCLAIM for each entry, and where the group
//! stands. So a replica needs neither clocks nor to know who waits.

mod claiming;
mod entries;
mod groups;
mod reading;
#[cfg(test)]
mod tests;

use super::{Context, Flag, Keys, Outcome, Spec};
use crate::engine::args::Args;
use crate::engine::context::Origin;
use crate::engine::core::Request;
use crate::engine::dialect::Dialect;
use crate::engine::error::CommandError;
use crate::engine::events::Class;
use crate::engine::keyspace::NEVER;
use crate::engine::reply::Reply;
use crate::engine::value::{
    Blob, Decimal, Excess, GREATEST_ID, Group, LEAST_ID, NodeSize, Pending, References, Stream, Value, integer,
    next_id, previous_id,
};
use crate::rdb::StreamId;

impl Context<'_> {
    /// A consumer was made by the way, which is told since 7.0.
    fn notify_consumer(&mut self, key: &[u8]) {
        if self.engine.dialect.since(7, 0) {
            self.notify(Class::Stream, "xgroup-createconsumer", key);
        }
    }
}

use claiming::*;
use entries::*;
use groups::*;
use reading::*;

const WRITE: &[Flag] = &[Flag::Write];
const FAST_WRITE: &[Flag] = &[Flag::Write, Flag::Fast];
const BIG_WRITE: &[Flag] = &[Flag::Write, Flag::DenyOom];
const BIG_FAST_WRITE: &[Flag] = &[Flag::Write, Flag::DenyOom, Flag::Fast];
const READ: &[Flag] = &[Flag::Read];
const FAST_READ: &[Flag] = &[Flag::Read, Flag::Fast];
const SECOND: Keys = Keys::new(2, 2, 1);

pub(super) const COMMANDS: &[Spec] = &[
    Spec::new("XADD", -5, BIG_FAST_WRITE, Keys::ONE, xadd).since(5, 0),
    Spec::new("XLEN", 2, FAST_READ, Keys::ONE, xlen).since(5, 0),
    Spec::new("XRANGE", -4, READ, Keys::ONE, xrange).since(5, 0),
    Spec::new("XREVRANGE", -4, READ, Keys::ONE, xrevrange).since(5, 0),
    Spec::new("XREAD", -4, &[Flag::Read, Flag::Blocking], Keys::NONE, xread).since(5, 0),
    Spec::new("XREADGROUP", -7, &[Flag::Write, Flag::Blocking], Keys::NONE, xreadgroup).since(5, 0),
    Spec::new("XDEL", -3, FAST_WRITE, Keys::ONE, xdel).since(5, 0),
    Spec::new("XDELEX", -5, FAST_WRITE, Keys::ONE, xdelex).only(references),
    Spec::new("XTRIM", -4, WRITE, Keys::ONE, xtrim).since(5, 0),
    Spec::new("XSETID", -3, BIG_FAST_WRITE, Keys::ONE, xsetid).before(7, 0, 3).since(5, 0),
    Spec::new("XACK", -4, FAST_WRITE, Keys::ONE, xack).since(5, 0),
    Spec::new("XACKDEL", -6, FAST_WRITE, Keys::ONE, xackdel).only(references),
    Spec::new("XCLAIM", -6, FAST_WRITE, Keys::ONE, xclaim).since(5, 0),
    Spec::new("XAUTOCLAIM", -6, FAST_WRITE, Keys::ONE, xautoclaim).since(6, 2),
    Spec::new("XPENDING", -3, READ, Keys::ONE, xpending).since(5, 0),
    Spec::container("XGROUP", BIG_WRITE, SECOND).since(5, 0),
    Spec::new("XGROUP|HELP", 2, &[Flag::Loading, Flag::Stale], Keys::NONE, super::help),
    Spec::new("XGROUP|CREATE", -5, BIG_WRITE, SECOND, xgroup_create),
    Spec::new("XGROUP|SETID", -5, WRITE, SECOND, xgroup_setid),
    Spec::new("XGROUP|DESTROY", 4, WRITE, SECOND, xgroup_destroy),
    Spec::new("XGROUP|CREATECONSUMER", 5, BIG_WRITE, SECOND, xgroup_createconsumer).since(6, 2),
    Spec::new("XGROUP|DELCONSUMER", 5, WRITE, SECOND, xgroup_delconsumer),
    Spec::container("XINFO", READ, SECOND).since(5, 0),
    Spec::new("XINFO|HELP", 2, &[Flag::Loading, Flag::Stale], Keys::NONE, super::help),
    Spec::new("XINFO|STREAM", -3, READ, SECOND, xinfo_stream),
    Spec::new("XINFO|GROUPS", 3, READ, SECOND, xinfo_groups),
    Spec::new("XINFO|CONSUMERS", 4, READ, SECOND, xinfo_consumers),
];

/// Deletions that mind the groups' references.
fn references(dialect: Dialect) -> bool {
    dialect.is_redis_since(8, 2)
}

/// Whether the group's place goes into the stream beside what was read.
fn tells_place(dialect: Dialect) -> bool {
    dialect.is_redis_since(7, 4) || dialect.is_valkey_since(8, 0)
}

const INVALID_ID: CommandError = CommandError::fixed("ERR Invalid stream ID specified as stream command argument");

/// The longest entry that servers take.
const LONGEST_ENTRY: usize = 1 << 30;

/// A number as `strtoull` takes one, where it is no canonical decimal.
fn number(text: &[u8]) -> Option<u64> {
    if let Some(number) = integer(text) {
        return u64::try_from(number).ok();
    }
    let text = std::str::from_utf8(text).ok()?.trim_start_matches([' ', '\t', '\n', '\x0b', '\x0c', '\r']);
    text.parse().ok()
}

/// An id; what is behind the milliseconds may be missing. The flag tells whether it was said, and not as `*`.
fn id_and_whether_whole(text: &[u8], missing: u64) -> Result<(StreamId, bool), CommandError> {
    if text.len() > 127 {
        return Err(INVALID_ID);
    }
    let (ms, seq) = match text.iter().position(|byte| *byte == b'-') {
        Some(at) => {
            let (ms, seq) = text.split_at(at);
            (ms, seq.get(1..))
        }
        None => (text, None),
    };
    let ms = number(ms).ok_or(INVALID_ID)?;
    match seq {
        None => Ok((StreamId { ms, seq: missing }, true)),
        Some(b"*") => Ok((StreamId { ms, seq: 0 }, false)),
        Some(seq) => Ok((StreamId { ms, seq: number(seq).ok_or(INVALID_ID)? }, true)),
    }
}

/// An id, neither `-` nor `+`.
fn strict_id(text: &[u8], missing: u64) -> Result<StreamId, CommandError> {
    match id_and_whether_whole(text, missing)? {
        (id, true) => Ok(id),
        _ => Err(INVALID_ID),
    }
}

fn id(text: &[u8], missing: u64) -> Result<StreamId, CommandError> {
    match text {
        b"-" => Ok(LEAST_ID),
        b"+" => Ok(GREATEST_ID),
        _ => strict_id(text, missing),
    }
}

/// The first id of a range; `(` in front leaves it out.
fn start_id(text: &[u8]) -> Result<StreamId, CommandError> {
    match text {
        [b'(', text @ ..] => {
            next_id(strict_id(text, 0)?).ok_or(CommandError::fixed("ERR invalid start ID for the interval"))
        }
        _ => id(text, 0),
    }
}

fn end_id(text: &[u8]) -> Result<StreamId, CommandError> {
    match text {
        [b'(', text @ ..] => {
            previous_id(strict_id(text, u64::MAX)?).ok_or(CommandError::fixed("ERR invalid end ID for the interval"))
        }
        _ => id(text, u64::MAX),
    }
}

fn reply_id(reply: &mut Reply, id: StreamId) {
    reply.bulk(id.to_string().as_bytes());
}

fn reply_words(reply: &mut Reply, words: &[Blob]) {
    reply.array(words.len());
    for word in words {
        reply.bulk(word);
    }
}

fn reply_entry(reply: &mut Reply, id: StreamId, words: &[Blob]) {
    reply.array(2);
    reply_id(reply, id);
    reply_words(reply, words);
}

/// What XADD and XTRIM are told about trimming.
#[derive(Default)]
struct Trimming {
    excess: Option<Excess>,
    approximately: bool,
    limit: Option<u64>,
    references: References,
    /// Where `~` and the threshold stand.
    sign: usize,
    threshold: usize,
    no_mkstream: bool,
}

impl Trimming {
    /// Reads options from `index` on; gives where they end. For XADD that is at the id.
    fn read(
        context: &Context<'_>,
        args: Args<'_>,
        mut index: usize,
        adds: bool,
    ) -> Result<(Self, usize), CommandError> {
        let mut found = Self::default();
        let all = context.origin == Origin::Master || references(context.engine.dialect);
        let mut chosen = false;
        while index < args.len() {
            let more = args.len() - index - 1;
            match () {
                () if adds && args.get(index) == b"*" => break,
                () if more > 0 && (args.is(index, "MAXLEN") || args.is(index, "MINID")) => {
                    if found.excess.is_some() {
                        return Err(CommandError::fixed(
                            "ERR syntax error, MAXLEN and MINID options at the same time are not compatible",
                        ));
                    }
                    let by_length = args.is(index, "MAXLEN");
                    found.approximately = false;
                    if more >= 2 && matches!(args.get(index + 1), b"~" | b"=") {
                        found.approximately = args.get(index + 1) == b"~";
                        found.sign = index + 1;
                        index += 1;
                    }
                    index += 1;
                    found.threshold = index;
                    found.excess = Some(if by_length {
                        let length = u64::try_from(args.integer(index)?);
                        Excess::Length(
                            length.map_err(|_| CommandError::fixed("ERR The MAXLEN argument must be >= 0."))?,
                        )
                    } else {
                        Excess::Before(id(args.get(index), 0)?)
                    });
                }
                () if more > 0 && args.is(index, "LIMIT") => {
                    let limit = u64::try_from(args.integer(index + 1)?);
                    let invalid = |_| CommandError::fixed("ERR The LIMIT argument must be >= 0.");
                    found.limit = Some(limit.map_err(invalid)?);
                    index += 1;
                }
                () if adds && args.is(index, "NOMKSTREAM") => found.no_mkstream = true,
                () if all && !chosen && reference_word(args, index).is_some() => {
                    chosen = true;
                    found.references = reference_word(args, index).unwrap_or_default();
                }
                () if adds => break,
                () => return Err(CommandError::SYNTAX),
            }
            index += 1;
        }
        Ok((found, index))
    }

    /// What must be wrong only once the id of an XADD was read.
    fn check(&mut self, origin: Origin, adds: bool, node: NodeSize) -> Outcome {
        if self.limit.is_some_and(|limit| limit > 0) && self.excess.is_none() {
            return Err(CommandError::fixed(
                "ERR syntax error, LIMIT cannot be used without specifying a trimming strategy",
            ));
        }
        if !adds && self.excess.is_none() {
            return Err(CommandError::fixed("ERR syntax error, XTRIM must be called with a trimming strategy"));
        }
        if origin == Origin::Master {
            self.limit = None;
        } else if self.limit.is_some() && !self.approximately {
            return Err(CommandError::fixed("ERR syntax error, LIMIT cannot be used without the special ~ option"));
        } else if self.approximately {
            // A hundred nodes' worth, or a number where nodes have no bound.
            let most = if node.entries > 0 { (node.entries as u64).saturating_mul(100) } else { 10_000 };
            self.limit.get_or_insert(most.min(1_000_000));
        }
        Ok(())
    }

    fn trim(&self, stream: &mut Stream) -> u64 {
        let Some(excess) = self.excess else { return 0 };
        stream.trim(excess, self.approximately, self.limit.unwrap_or(0), self.references)
    }

    /// The threshold at which an exact trimming comes to the same, where it was approximate.
    fn result(&self, stream: &Stream) -> Option<String> {
        self.approximately.then(|| match self.excess {
            Some(Excess::Before(_)) => stream.first_packed_id().to_string(),
            _ => stream.entries.len().to_string(),
        })
    }
}

fn reference_word(args: Args<'_>, index: usize) -> Option<References> {
    [("KEEPREF", References::Keep), ("DELREF", References::Delete), ("ACKED", References::Acknowledged)]
        .into_iter()
        .find_map(|(word, references)| args.is(index, word).then_some(references))
}

/// The command with some words in others' places.
fn propagate_with(context: &mut Context<'_>, args: Args<'_>, other: &[(usize, &[u8])]) {
    let words: Vec<&[u8]> = args
        .from(0)
        .enumerate()
        .map(|(index, word)| other.iter().find(|(at, _)| *at == index).map_or(word, |(_, other)| other))
        .collect();
    context.propagate(&words);
}
