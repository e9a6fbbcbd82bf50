//! Streams and consumer groups.
//!
//! What a group's reader is given goes into the stream as what came of it: an XCLAIM for each entry, and where the group
//! stands. So a replica needs neither clocks nor to know who waits.

use super::{Context, Flag, Keys, Outcome, Spec};
use crate::engine::args::Args;
use crate::engine::context::Origin;
use crate::engine::core::Request;
use crate::engine::dialect::Dialect;
use crate::engine::error::CommandError;
use crate::engine::keyspace::NEVER;
use crate::engine::reply::Reply;
use crate::engine::value::{
    Blob, Decimal, Excess, GREATEST_ID, Group, LEAST_ID, Pending, References, Stream, Value, integer, next_id,
    previous_id,
};
use crate::rdb::StreamId;

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
    fn check(&mut self, origin: Origin, adds: bool) -> Outcome {
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
            self.limit.get_or_insert(10_000);
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

fn xadd(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let key = args.get(1);
    let (mut trimming, at) = Trimming::read(context, args, 2, true)?;
    let since_7 = context.engine.dialect.since(7, 0);
    let given = match args.get(at) {
        b"*" => None,
        _ if at >= args.len() => None,
        // A number within the millisecond that is made up, since 7.0.
        text if since_7 || context.origin == Origin::Master => Some(id_and_whether_whole(text, 0)?),
        text => Some((strict_id(text, 0)?, true)),
    };
    trimming.check(context.origin, true)?;
    let words = args.len().saturating_sub(at + 1);
    if words < 2 || !words.is_multiple_of(2) {
        let old = CommandError::fixed("ERR wrong number of arguments for XADD");
        return Err(if since_7 { CommandError::arity("xadd") } else { old });
    }
    if given == Some((LEAST_ID, true)) {
        return Err(CommandError::fixed("ERR The ID specified in XADD must be greater than 0-0"));
    }
    if args.from(at + 1).map(<[u8]>::len).sum::<usize>() > LONGEST_ENTRY {
        return Err(CommandError::fixed("ERR Elements are too large to be stored"));
    }
    let last = match context.stream(key)? {
        None if trimming.no_mkstream => {
            context.reply.null();
            return Ok(());
        }
        None => LEAST_ID,
        Some(stream) => stream.last_id,
    };
    if last == GREATEST_ID {
        return Err(CommandError::fixed("ERR The stream has exhausted the last possible ID, unable to add more items"));
    }
    let now = StreamId { ms: u64::try_from(context.now).unwrap_or(0), seq: 0 };
    let id = match given {
        None if now.ms > last.ms => now,
        None => next_id(last).unwrap_or(last),
        Some((id, true)) => id,
        Some((id, false)) if id.ms == last.ms => StreamId { seq: last.seq.saturating_add(1), ..id },
        Some((id, false)) => id,
    };
    if id <= last {
        return Err(CommandError::fixed(
            "ERR The ID specified in XADD is equal or smaller than the target stream top item",
        ));
    }
    let entry = args.from(at + 1).map(Blob::from).collect();
    let stream = context.stream_or_new(key)?;
    stream.push(id, entry);
    trimming.trim(stream);
    let threshold = trimming.result(stream);
    context.changed(key, 1);
    context.signal(key);
    let text = id.to_string();
    let made = !since_7 || given.is_none_or(|(_, whole)| !whole);
    if threshold.is_some() || made {
        let mut other = Vec::with_capacity(3);
        if made {
            other.push((at, text.as_bytes()));
        }
        if let Some(threshold) = &threshold {
            other.push((trimming.sign, b"="));
            other.push((trimming.threshold, threshold.as_bytes()));
        }
        propagate_with(context, args, &other);
    }
    context.reply.bulk(text.as_bytes());
    Ok(())
}

fn xtrim(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let key = args.get(1);
    let (mut trimming, _) = Trimming::read(context, args, 2, false)?;
    trimming.check(context.origin, false)?;
    let Some(stream) = context.stream_mut(key)? else {
        context.reply.integer(0);
        return Ok(());
    };
    let removed = trimming.trim(stream);
    let threshold = trimming.result(stream);
    if removed > 0 {
        context.changed(key, removed);
        if let Some(threshold) = threshold {
            propagate_with(context, args, &[(trimming.sign, b"="), (trimming.threshold, threshold.as_bytes())]);
        }
    }
    context.reply.integer(removed.cast_signed());
    Ok(())
}

fn xlen(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let length = context.stream(args.get(1))?.map_or(0, |stream| stream.entries.len());
    context.reply.count(length);
    Ok(())
}

/// The stream of a key that is there, without a borrow of the whole context.
fn held<'a>(context: &'a Context<'_>, key: &[u8]) -> Option<&'a Stream> {
    match context.engine.keyspace.get(context.session.db, key).map(|entry| &entry.value) {
        Some(Value::Stream(stream)) => Some(stream),
        _ => None,
    }
}

fn xrange(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    range(context, args, start_id(args.get(2))?, end_id(args.get(3))?, false)
}

fn xrevrange(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    // The errors come in the order of the range, not of the arguments.
    let start = start_id(args.get(3))?;
    range(context, args, start, end_id(args.get(2))?, true)
}

fn range(context: &mut Context<'_>, args: Args<'_>, start: StreamId, end: StreamId, backwards: bool) -> Outcome {
    let (mut count, mut index) = (None, 4);
    while index < args.len() {
        if !args.is(index, "COUNT") || index + 1 >= args.len() {
            return Err(CommandError::SYNTAX);
        }
        count = Some(usize::try_from(args.integer(index + 1)?).unwrap_or(0));
        index += 2;
    }
    if context.stream(args.get(1))?.is_none() {
        context.reply.array(0);
        return Ok(());
    }
    if count == Some(0) {
        context.reply.null_array();
        return Ok(());
    }
    let mut reply = std::mem::take(context.reply);
    if let Some(stream) = held(context, args.get(1)) {
        reply_range(&mut reply, stream, start, end, count.unwrap_or(usize::MAX), backwards);
    }
    *context.reply = reply;
    Ok(())
}

fn reply_range(reply: &mut Reply, stream: &Stream, start: StreamId, end: StreamId, count: usize, backwards: bool) {
    if start > end {
        return reply.array(0);
    }
    let entries = stream.entries.range(start..=end);
    reply.array(entries.clone().take(count).count());
    if backwards {
        entries.rev().take(count).for_each(|(id, words)| reply_entry(reply, *id, words));
    } else {
        entries.take(count).for_each(|(id, words)| reply_entry(reply, *id, words));
    }
}

/// What XREAD and XREADGROUP are told.
struct Reading<'a> {
    block: Option<i64>,
    count: usize,
    group: Option<(&'a [u8], &'a [u8])>,
    no_ack: bool,
    first: usize,
    keys: usize,
}

impl<'a> Reading<'a> {
    fn read(args: Args<'a>, name: &str, of_group: bool) -> Result<Self, CommandError> {
        let mut found = Self { block: None, count: usize::MAX, group: None, no_ack: false, first: 0, keys: 0 };
        let mut index = 1;
        while index < args.len() {
            let more = args.len() - index - 1;
            match () {
                () if args.is(index, "BLOCK") && more >= 1 => {
                    let timeout = integer(args.get(index + 1))
                        .ok_or(CommandError::fixed("ERR timeout is not an integer or out of range"))?;
                    if timeout < 0 {
                        return Err(CommandError::fixed("ERR timeout is negative"));
                    }
                    found.block = Some(timeout);
                    index += 1;
                }
                () if args.is(index, "COUNT") && more >= 1 => {
                    let count = args.integer(index + 1)?;
                    found.count = usize::try_from(count).ok().filter(|count| *count > 0).unwrap_or(usize::MAX);
                    index += 1;
                }
                () if args.is(index, "STREAMS") && more >= 1 => {
                    found.first = index + 1;
                    let left = args.len() - found.first;
                    if !left.is_multiple_of(2) {
                        return Err(CommandError::new(format!("ERR {name}")));
                    }
                    found.keys = left / 2;
                    break;
                }
                () if args.is(index, "GROUP") && more >= 2 => {
                    if !of_group {
                        return Err(CommandError::fixed(
                            "ERR The GROUP option is only supported by XREADGROUP. You called XREAD instead.",
                        ));
                    }
                    found.group = Some((args.get(index + 1), args.get(index + 2)));
                    index += 2;
                }
                () if args.is(index, "NOACK") => {
                    if !of_group {
                        return Err(CommandError::fixed(
                            "ERR The NOACK option is only supported by XREADGROUP. You called XREAD instead.",
                        ));
                    }
                    found.no_ack = true;
                }
                () => return Err(CommandError::SYNTAX),
            }
            index += 1;
        }
        if found.first == 0 {
            return Err(CommandError::SYNTAX);
        }
        if of_group && found.group.is_none() {
            return Err(CommandError::fixed("ERR Missing GROUP option for XREADGROUP"));
        }
        Ok(found)
    }

    /// To wait, if that was asked for: then the words of `again` are run later.
    fn wait(&self, context: &mut Context<'_>, args: Args<'_>, again: &[(usize, String)]) {
        let Some(timeout) = self.block else { return context.reply.null_array() };
        let keys = args.from(self.first).take(self.keys).map(Blob::from).collect();
        let until = (timeout > 0).then(|| context.now.saturating_add(timeout));
        context.request = Some(if again.is_empty() {
            Request::Block { keys, until }
        } else {
            let word = |(index, word)| match again.iter().find(|(at, _)| *at == index) {
                Some((_, other)) => Blob::from(other.as_str()),
                None => Blob::from(word),
            };
            Request::BlockAs { keys, until, words: args.from(0).enumerate().map(word).collect() }
        });
    }
}

fn unbalanced(dialect: Dialect, name: &str) -> String {
    let symbols = match name {
        _ if !dialect.since(7, 2) => {
            return "Unbalanced XREAD list of streams: for each stream key an ID or '$' must be specified.".to_owned();
        }
        "xreadgroup" => " or '>'",
        _ if dialect.is_redis_since(7, 4) => ", '+', or '$'",
        _ => " or '$'",
    };
    format!("Unbalanced '{name}' list of streams: for each stream key an ID{symbols} must be specified.")
}

fn xread(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let reading = Reading::read(args, &unbalanced(context.engine.dialect, "xread"), false)?;
    // `+` is the last entry, since Redis 7.4 and Valkey 8.
    let knows_last = context.engine.dialect.is_redis_since(7, 4) || context.engine.dialect.is_valkey_since(8, 0);
    let (mut after, mut again) = (Vec::with_capacity(reading.keys), Vec::new());
    for (number, key) in args.from(reading.first).take(reading.keys).enumerate() {
        let at = reading.first + reading.keys + number;
        let stream = context.stream(key)?;
        after.push(match args.get(at) {
            b"$" => {
                let last = stream.map_or(LEAST_ID, |stream| stream.last_id);
                again.push((at, last.to_string()));
                Some(last)
            }
            b"+" if !knows_last => return Err(INVALID_ID),
            b"+" if stream.is_some_and(|stream| !stream.entries.is_empty()) => {
                let top = stream.map_or(LEAST_ID, Stream::top_id);
                previous_id(top)
            }
            b"+" => Some(LEAST_ID),
            b">" => {
                return Err(CommandError::fixed(
                    "ERR The > ID can be specified only when calling XREADGROUP using the GROUP <group> <consumer> option.",
                ));
            }
            text => Some(strict_id(text, 0)?),
        });
    }
    let mut reply = std::mem::take(context.reply);
    let keys = args.from(reading.first).zip(after);
    let has_more = |(key, after): &(&[u8], Option<StreamId>)| {
        held(context, key).is_some_and(|stream| !stream.entries.is_empty() && Some(stream.top_id()) > *after)
    };
    let served: Vec<_> = keys.filter(has_more).collect();
    if !served.is_empty() {
        begin_streams(&mut reply, served.len());
        for (key, after) in served {
            begin_stream(&mut reply, key);
            let start = after.map_or(Some(LEAST_ID), next_id).unwrap_or(GREATEST_ID);
            if let Some(stream) = held(context, key) {
                reply_range(&mut reply, stream, start, GREATEST_ID, reading.count, false);
            }
        }
        *context.reply = reply;
        return Ok(());
    }
    *context.reply = reply;
    reading.wait(context, args, &again);
    Ok(())
}

fn begin_streams(reply: &mut Reply, count: usize) {
    if reply.is_resp3() { reply.map(count) } else { reply.array(count) }
}

fn begin_stream(reply: &mut Reply, key: &[u8]) {
    if !reply.is_resp3() {
        reply.array(2);
    }
    reply.bulk(key);
}

fn no_group(key: &[u8], group: &[u8], more: &str) -> CommandError {
    let (key, group) = (String::from_utf8_lossy(key), String::from_utf8_lossy(group));
    CommandError::new(format!("NOGROUP No such key '{key}' or consumer group '{group}'{more}"))
}

/// A claim as it goes into the stream.
fn propagate_claim(context: &mut Context<'_>, args: &Claimed<'_>, id: &[u8], pending: &Pending, last: StreamId) {
    let (mut time, mut count) = (Decimal::new(), Decimal::new());
    let last = last.to_string();
    context.propagate(&[
        b"XCLAIM",
        args.key,
        args.group,
        &pending.consumer,
        b"0",
        id,
        b"TIME",
        time.format(pending.delivered_ms).as_bytes(),
        b"RETRYCOUNT",
        count.format(pending.count).as_bytes(),
        b"FORCE",
        b"JUSTID",
        b"LASTID",
        last.as_bytes(),
    ]);
}

/// Whose entries change hands.
struct Claimed<'a> {
    key: &'a [u8],
    group: &'a [u8],
}

/// Where a group stands, as it goes into the stream.
fn propagate_place(context: &mut Context<'_>, claimed: &Claimed<'_>, last: StreamId, entries_read: Option<u64>) {
    let last = last.to_string();
    let words: &[&[u8]] = &[b"XGROUP", b"SETID", claimed.key, claimed.group, last.as_bytes()];
    if context.engine.dialect.since(7, 0) {
        let read = entries_read.map_or_else(|| "-1".to_owned(), |read| read.to_string());
        context.propagate(&[words, &[b"ENTRIESREAD", read.as_bytes()]].concat());
    } else {
        context.propagate(words);
    }
}

fn xreadgroup(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let dialect = context.engine.dialect;
    let reading = Reading::read(args, &unbalanced(dialect, "xreadgroup"), true)?;
    let (group, consumer) = reading.group.unwrap_or_default();
    let mut from = Vec::with_capacity(reading.keys);
    for (number, key) in args.from(reading.first).take(reading.keys).enumerate() {
        if context.stream(key)?.is_none_or(|stream| !stream.groups.contains_key(group)) {
            return Err(no_group(key, group, " in XREADGROUP with GROUP option"));
        }
        from.push(match args.get(reading.first + reading.keys + number) {
            b">" => None,
            b"$" => {
                return Err(CommandError::fixed(
                    "ERR The $ ID is meaningless in the context of XREADGROUP: you want to read the history of this consumer by specifying a proper ID, or use the > ID to get new messages. The $ ID would just return an empty result set.",
                ));
            }
            text => Some(strict_id(text, 0)?),
        });
    }
    context.keep_from_stream();
    let mut reply = std::mem::take(context.reply);
    let (before, mut parts, mut served) = (reply.take(), Reply::new(reply.is_resp3()), 0);
    for (key, from) in args.from(reading.first).zip(from) {
        served += usize::from(read_one(context, &reading, &mut parts, &Claimed { key, group }, consumer, from)?);
    }
    reply.raw(&before);
    if served > 0 {
        begin_streams(&mut reply, served);
        reply.raw(parts.bytes());
        *context.reply = reply;
    } else {
        *context.reply = reply;
        reading.wait(context, args, &[]);
    }
    Ok(())
}

/// Reads one stream for a group's consumer; tells whether there was an answer: the history always is one.
fn read_one(
    context: &mut Context<'_>,
    reading: &Reading<'_>,
    reply: &mut Reply,
    claimed: &Claimed<'_>,
    consumer: &[u8],
    from: Option<StreamId>,
) -> Result<bool, CommandError> {
    let (now, dialect) = (context.now, context.engine.dialect);
    let Some(stream) = context.stream_mut(claimed.key)? else { return Ok(false) };
    let Stream { entries, groups, .. } = stream;
    let Some(group) = groups.get_mut(claimed.group) else { return Ok(false) };
    let has_more = entries.last_key_value().is_some_and(|(top, _)| *top > group.last_id);
    if from.is_none() && !has_more && !dialect.since(7, 2) {
        return Ok(false);
    }
    let (known, is_new) = group.consumer(consumer, now);
    known.seen_ms = now;
    if let Some(after) = from {
        begin_stream(reply, claimed.key);
        let ids: Vec<StreamId> = match next_id(after) {
            Some(start) => known.pending.range(start..).take(reading.count).copied().collect(),
            None => Vec::new(),
        };
        reply.array(ids.len());
        for id in ids {
            match entries.get(&id) {
                Some(words) => reply_entry(reply, id, words),
                None => {
                    reply.array(2);
                    reply_id(reply, id);
                    reply.null_array();
                }
            }
            if let Some(pending) = group.pending.get_mut(&id).filter(|_| entries.contains_key(&id)) {
                pending.delivered_ms = now;
                pending.count += 1;
            }
        }
        if is_new && reading.no_ack {
            propagate_consumer(context, claimed, consumer);
        }
        context.changes += 1;
        return Ok(true);
    }
    let start = next_id(group.last_id).filter(|_| has_more);
    let Some(start) = start else {
        if is_new && reading.no_ack {
            propagate_consumer(context, claimed, consumer);
        }
        return Ok(false);
    };
    group.consumer(consumer, now).0.active_ms = now;
    begin_stream(reply, claimed.key);
    let ids: Vec<StreamId> = entries.range(start..).take(reading.count).map(|(id, _)| *id).collect();
    reply.array(ids.len());
    let mut delivered = Vec::with_capacity(ids.len());
    for id in ids {
        if let Some(words) = stream.entries.get(&id) {
            reply_entry(reply, id, words);
        }
        let Some(group) = stream.groups.get(claimed.group) else { continue };
        let entries_read = stream.entries_read_with(group, id, dialect);
        let Some(group) = stream.groups.get_mut(claimed.group) else { continue };
        group.entries_read = entries_read;
        group.last_id = id;
        if !reading.no_ack {
            let pending = Pending { consumer: consumer.into(), delivered_ms: now, count: 1 };
            group.deliver(id, pending.clone());
            delivered.push((id, pending));
        }
    }
    let place = stream.groups.get(claimed.group).map(|group| (group.last_id, group.entries_read));
    if is_new && reading.no_ack {
        propagate_consumer(context, claimed, consumer);
    }
    for (id, pending) in delivered {
        propagate_claim(context, claimed, id.to_string().as_bytes(), &pending, id);
    }
    if let Some((last, entries_read)) = place
        && (reading.no_ack || tells_place(dialect))
    {
        propagate_place(context, claimed, last, entries_read);
    }
    context.changed(claimed.key, 1);
    Ok(true)
}

fn propagate_consumer(context: &mut Context<'_>, claimed: &Claimed<'_>, consumer: &[u8]) {
    context.propagate(&[b"XGROUP", b"CREATECONSUMER", claimed.key, claimed.group, consumer]);
}

/// The ids from this argument on, `count` of them.
fn ids(args: Args<'_>, from: usize, count: usize) -> Result<Vec<StreamId>, CommandError> {
    args.from(from).take(count).map(|text| strict_id(text, 0)).collect()
}

fn delete(stream: &mut Stream, id: StreamId) -> bool {
    let deleted = stream.remove(id);
    if deleted {
        stream.max_deleted_id = stream.max_deleted_id.max(id);
    }
    deleted
}

fn xdel(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let key = args.get(1);
    if context.stream(key)?.is_none() {
        context.reply.integer(0);
        return Ok(());
    }
    let ids = ids(args, 2, usize::MAX)?;
    let mut deleted = 0;
    if let Some(stream) = context.stream_mut(key)? {
        deleted = ids.into_iter().filter(|id| delete(stream, *id)).count();
    }
    if deleted > 0 {
        context.changed(key, deleted as u64);
    }
    context.reply.count(deleted);
    Ok(())
}

/// `[KEEPREF|DELREF|ACKED] IDS numids id…`
fn ids_and_references(args: Args<'_>, from: usize) -> Result<(References, usize, usize), CommandError> {
    let (mut references, mut found, mut index) = (None, None, from);
    while index < args.len() {
        if let Some(word) = reference_word(args, index) {
            if references.replace(word).is_some() {
                return Err(CommandError::SYNTAX);
            }
            index += 1;
        } else if args.is(index, "IDS") && index + 1 < args.len() && found.is_none() {
            let count = args.integer(index + 1).ok().and_then(|count| usize::try_from(count).ok());
            let count = count.filter(|count| *count > 0);
            let count = count.ok_or(CommandError::fixed("ERR Number of IDs must be a positive integer"))?;
            if args.len() - index - 2 < count {
                return Err(CommandError::fixed("ERR The `numids` parameter must match the number of arguments"));
            }
            found = Some((index + 2, count));
            index += 2 + count;
        } else {
            return Err(CommandError::SYNTAX);
        }
    }
    let (first, count) = found.ok_or(CommandError::SYNTAX)?;
    Ok((references.unwrap_or_default(), first, count))
}

fn xdelex(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let key = args.get(1);
    context.stream(key)?;
    let (references, first, count) = ids_and_references(args, 2)?;
    if context.stream(key)?.is_none() {
        reply_numbers(context, &vec![-1; count]);
        return Ok(());
    }
    let ids = ids(args, first, count)?;
    let mut answers = Vec::with_capacity(ids.len());
    let mut changes = 0;
    match context.stream_mut(key)? {
        None => {}
        Some(stream) => {
            for id in ids {
                answers.push(match references {
                    References::Acknowledged if !stream.is_acknowledged(id) => 2,
                    _ if !stream.entries.contains_key(&id) => -1,
                    _ => {
                        if references == References::Delete {
                            stream.forget(id);
                        }
                        delete(stream, id);
                        changes += 1;
                        1
                    }
                });
            }
        }
    }
    if changes > 0 {
        context.changed(key, changes);
    }
    reply_numbers(context, &answers);
    Ok(())
}

fn reply_numbers(context: &mut Context<'_>, numbers: &[i64]) {
    context.reply.array(numbers.len());
    for number in numbers {
        context.reply.integer(*number);
    }
}

fn xackdel(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let (key, name) = (args.get(1), args.get(2));
    context.stream(key)?;
    let (references, first, count) = ids_and_references(args, 3)?;
    if context.stream(key)?.is_none_or(|stream| !stream.groups.contains_key(name)) {
        reply_numbers(context, &vec![-1; count]);
        return Ok(());
    }
    let ids = ids(args, first, count)?;
    let mut answers = Vec::with_capacity(ids.len());
    let mut changes = 0;
    match context.stream_mut(key)? {
        Some(stream) if stream.groups.contains_key(name) => {
            for id in ids {
                if stream.groups.get_mut(name).and_then(|group| group.acknowledge(id)).is_none() {
                    answers.push(-1);
                    continue;
                }
                changes += 1;
                if references == References::Acknowledged && !stream.is_acknowledged(id) {
                    answers.push(2);
                    continue;
                }
                if references == References::Delete {
                    stream.forget(id);
                }
                delete(stream, id);
                answers.push(1);
            }
        }
        _ => {}
    }
    if changes > 0 {
        context.changed(key, changes);
    }
    reply_numbers(context, &answers);
    Ok(())
}

fn xsetid(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    // Counts beside the id, since 7.0.
    if args.len() > 3 && context.origin == Origin::Client && !context.engine.dialect.since(7, 0) {
        return Err(CommandError::arity("xsetid"));
    }
    let (key, last) = (args.get(1), strict_id(args.get(2), 0)?);
    let (mut added, mut deleted, mut index) = (None, LEAST_ID, 3);
    while index < args.len() {
        if args.is(index, "ENTRIESADDED") && index + 1 < args.len() {
            let negative = |_| CommandError::fixed("ERR entries_added must be positive");
            added = Some(u64::try_from(args.integer(index + 1)?).map_err(negative)?);
        } else if args.is(index, "MAXDELETEDID") && index + 1 < args.len() {
            deleted = strict_id(args.get(index + 1), 0)?;
            if last < deleted {
                return Err(CommandError::fixed(
                    "ERR The ID specified in XSETID is smaller than the provided max_deleted_entry_id",
                ));
            }
        } else {
            return Err(CommandError::SYNTAX);
        }
        index += 2;
    }
    let minds_deleted = context.engine.dialect.since(7, 2);
    let stream = context.stream(key)?.ok_or(CommandError::NO_SUCH_KEY)?;
    if minds_deleted && last < stream.max_deleted_id {
        return Err(CommandError::fixed("ERR The ID specified in XSETID is smaller than current max_deleted_entry_id"));
    }
    if !stream.entries.is_empty() {
        if last < stream.top_id() {
            return Err(CommandError::fixed(
                "ERR The ID specified in XSETID is smaller than the target stream top item",
            ));
        }
        if added.is_some_and(|added| added < stream.entries.len() as u64) {
            return Err(CommandError::fixed(
                "ERR The entries_added specified in XSETID is smaller than the target stream length",
            ));
        }
    }
    if let Some(stream) = context.stream_mut(key)? {
        stream.last_id = last;
        stream.entries_added = added.unwrap_or(stream.entries_added);
        if deleted != LEAST_ID {
            stream.max_deleted_id = deleted;
        }
    }
    context.changed(key, 1);
    context.reply.ok();
    Ok(())
}

fn xack(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let (key, name) = (args.get(1), args.get(2));
    if context.stream(key)?.is_none_or(|stream| !stream.groups.contains_key(name)) {
        context.reply.integer(0);
        return Ok(());
    }
    let ids = ids(args, 3, usize::MAX)?;
    let mut acknowledged = 0;
    if let Some(group) = context.stream_mut(key)?.and_then(|stream| stream.groups.get_mut(name)) {
        acknowledged = ids.into_iter().filter(|id| group.acknowledge(*id).is_some()).count();
    }
    if acknowledged > 0 {
        context.changed(key, acknowledged as u64);
    }
    context.reply.count(acknowledged);
    Ok(())
}

/// What XCLAIM is told behind the ids.
struct Claim {
    min_idle: i64,
    ids: Vec<StreamId>,
    delivered_ms: i64,
    count: Option<u64>,
    force: bool,
    just_ids: bool,
    last_id: StreamId,
}

impl Claim {
    fn read(args: Args<'_>, now: i64) -> Result<Self, CommandError> {
        let number = |index, what: &str| {
            integer(args.get(index)).ok_or_else(|| CommandError::new(format!("ERR Invalid {what} argument for XCLAIM")))
        };
        let min_idle = number(4, "min-idle-time")?.max(0);
        let ids: Vec<StreamId> = args.from(5).map_while(|text| strict_id(text, 0).ok()).collect();
        let mut claim =
            Self { min_idle, ids, delivered_ms: now, count: None, force: false, just_ids: false, last_id: LEAST_ID };
        let (mut index, mut time) = (5 + claim.ids.len(), None);
        while index < args.len() {
            let more = index + 1 < args.len();
            match () {
                () if args.is(index, "FORCE") => claim.force = true,
                () if args.is(index, "JUSTID") => claim.just_ids = true,
                () if args.is(index, "IDLE") && more => {
                    time = Some(now.saturating_sub(number(index + 1, "IDLE option")?));
                    index += 1;
                }
                () if args.is(index, "TIME") && more => {
                    time = Some(number(index + 1, "TIME option")?);
                    index += 1;
                }
                () if args.is(index, "RETRYCOUNT") && more => {
                    claim.count = u64::try_from(number(index + 1, "RETRYCOUNT option")?).ok();
                    index += 1;
                }
                () if args.is(index, "LASTID") && more => {
                    claim.last_id = strict_id(args.get(index + 1), 0)?;
                    index += 1;
                }
                () => {
                    let word = String::from_utf8_lossy(args.get(index));
                    return Err(CommandError::new(format!("ERR Unrecognized XCLAIM option '{word}'")));
                }
            }
            index += 1;
        }
        // A time that cannot be is taken for now.
        claim.delivered_ms = time.filter(|time| (0..=now).contains(time)).unwrap_or(now);
        Ok(claim)
    }
}

fn xclaim(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let claimed = Claimed { key: args.get(1), group: args.get(2) };
    let consumer = args.get(3);
    if context.stream(claimed.key)?.is_none_or(|stream| !stream.groups.contains_key(claimed.group)) {
        return Err(no_group(claimed.key, claimed.group, ""));
    }
    // A master's clock is not ours: it says when.
    let (now, dialect, origin) = (context.now, context.engine.dialect, context.origin);
    let claim = Claim::read(args, if origin == Origin::Master { i64::MAX } else { now })?;
    context.keep_from_stream();
    let Some(stream) = context.stream_mut(claimed.key)? else { return Ok(()) };
    let Stream { entries, groups, .. } = stream;
    let Some(group) = groups.get_mut(claimed.group) else { return Ok(()) };
    let mut place = false;
    if claim.last_id > group.last_id {
        group.last_id = claim.last_id;
        place = true;
    }
    let mut created = false;
    // Since 7.2 the consumer is made even where nothing is claimed.
    if dialect.since(7, 2) && origin == Origin::Client {
        let (known, is_new) = group.consumer(consumer, now);
        (known.seen_ms, created) = (now, is_new);
    }
    let (mut effects, mut given) = (Vec::new(), Vec::new());
    // Before 7.0 an entry that was deleted stayed pending and went from hand to hand.
    let claims_deleted = !dialect.since(7, 0);
    for (id, text) in claim.ids.into_iter().zip(args.from(5)) {
        let claimable = claims_deleted && group.pending.contains_key(&id);
        if !entries.contains_key(&id) && !claimable {
            if let Some(pending) = group.acknowledge(id) {
                effects.push((text, pending));
                place = false;
            }
            continue;
        }
        let before = group.pending.get(&id);
        if before.is_none() && !claim.force {
            continue;
        }
        if before.is_some_and(|before| now.saturating_sub(before.delivered_ms) < claim.min_idle) {
            continue;
        }
        let count = match claim.count {
            Some(count) => count,
            None => before.map_or(1, |before| before.count) + u64::from(!claim.just_ids),
        };
        let (known, is_new) = group.consumer(consumer, now);
        (known.seen_ms, known.active_ms) = (now, now);
        created |= is_new;
        let delivered_ms = if claim.delivered_ms == i64::MAX { now } else { claim.delivered_ms };
        let pending = Pending { consumer: consumer.into(), delivered_ms, count };
        group.deliver(id, pending.clone());
        effects.push((text, pending));
        given.push((id, (!claim.just_ids).then(|| entries.get(&id).cloned())));
        place = false;
    }
    let (last, entries_read) = (group.last_id, group.entries_read);
    if !effects.is_empty() || created || place {
        context.changed(claimed.key, 1);
    }
    for (id, pending) in &effects {
        propagate_claim(context, &claimed, id, pending, last);
    }
    if place {
        propagate_place(context, &claimed, last, entries_read);
    }
    reply_claimed(context, &given);
    Ok(())
}

/// An entry that was claimed: only its id where that was asked for, else its words, unless it was deleted.
type Given = (StreamId, Option<Option<Box<[Blob]>>>);

fn reply_claimed(context: &mut Context<'_>, given: &[Given]) {
    context.reply.array(given.len());
    for (id, words) in given {
        match words {
            Some(Some(words)) => reply_entry(context.reply, *id, words),
            Some(None) => context.reply.null(),
            None => reply_id(context.reply, *id),
        }
    }
}

fn xautoclaim(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let claimed = Claimed { key: args.get(1), group: args.get(2) };
    let consumer = args.get(3);
    let invalid = CommandError::fixed("ERR Invalid min-idle-time argument for XAUTOCLAIM");
    let min_idle = integer(args.get(4)).ok_or(invalid)?.max(0);
    let start = start_id(args.get(5))?;
    let (mut count, mut just_ids, mut index) = (100_usize, false, 6);
    while index < args.len() {
        if args.is(index, "COUNT") && index + 1 < args.len() {
            let wrong = CommandError::fixed("ERR COUNT must be > 0");
            let number = integer(args.get(index + 1)).and_then(|number| usize::try_from(number).ok());
            count = number.filter(|number| (1..=1 << 59).contains(number)).ok_or(wrong)?;
            index += 1;
        } else if args.is(index, "JUSTID") {
            just_ids = true;
        } else {
            return Err(CommandError::SYNTAX);
        }
        index += 1;
    }
    if context.stream(claimed.key)?.is_none_or(|stream| !stream.groups.contains_key(claimed.group)) {
        return Err(no_group(claimed.key, claimed.group, ""));
    }
    let (now, dialect) = (context.now, context.engine.dialect);
    context.keep_from_stream();
    let Some(stream) = context.stream_mut(claimed.key)? else { return Ok(()) };
    let Stream { entries, groups, .. } = stream;
    let Some(group) = groups.get_mut(claimed.group) else { return Ok(()) };
    let mut created = false;
    if dialect.since(7, 2) {
        let (known, is_new) = group.consumer(consumer, now);
        (known.seen_ms, created) = (now, is_new);
    }
    // Ten are looked at for each that may be given.
    let (mut attempts, mut cursor) = (count.saturating_mul(10), Some(start));
    let (mut effects, mut given, mut gone) = (Vec::new(), Vec::new(), Vec::new());
    let mut next = LEAST_ID;
    while let Some(from) = cursor {
        let Some((id, before)) = group.pending.range(from..).next() else { break };
        let id = *id;
        if attempts == 0 || count == 0 {
            next = id;
            break;
        }
        attempts -= 1;
        cursor = next_id(id);
        if !entries.contains_key(&id) && dialect.since(7, 0) {
            if let Some(pending) = group.acknowledge(id) {
                effects.push((id, pending));
                gone.push(id);
            }
            count -= 1;
            continue;
        }
        if now.saturating_sub(before.delivered_ms) < min_idle {
            continue;
        }
        let times = before.count + u64::from(!just_ids);
        let (known, is_new) = group.consumer(consumer, now);
        (known.seen_ms, known.active_ms) = (now, now);
        created |= is_new;
        let pending = Pending { consumer: consumer.into(), delivered_ms: now, count: times };
        group.deliver(id, pending.clone());
        effects.push((id, pending));
        given.push((id, (!just_ids).then(|| entries.get(&id).cloned())));
        count -= 1;
    }
    let last = group.last_id;
    if !effects.is_empty() || created {
        context.changed(claimed.key, 1);
    }
    for (id, pending) in &effects {
        propagate_claim(context, &claimed, id.to_string().as_bytes(), pending, last);
    }
    let since_7 = dialect.since(7, 0);
    context.reply.array(if since_7 { 3 } else { 2 });
    reply_id(context.reply, next);
    reply_claimed(context, &given);
    if since_7 {
        context.reply.array(gone.len());
        for id in gone {
            reply_id(context.reply, id);
        }
    }
    Ok(())
}

fn xpending(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let (key, name) = (args.get(1), args.get(2));
    if args.len() != 3 && !(6..=9).contains(&args.len()) {
        return Err(CommandError::SYNTAX);
    }
    let (mut first, mut min_idle) = (3, 0);
    let mut wanted = None;
    if args.len() >= 6 {
        if args.is(3, "IDLE") {
            min_idle = args.integer(4)?;
            if args.len() < 8 {
                return Err(CommandError::SYNTAX);
            }
            first = 5;
        }
        let count = usize::try_from(args.integer(first + 2)?).unwrap_or(0);
        wanted = Some((start_id(args.get(first))?, end_id(args.get(first + 1))?, count));
    }
    if context.stream(key)?.is_none_or(|stream| !stream.groups.contains_key(name)) {
        return Err(no_group(key, name, ""));
    }
    let now = context.now;
    let mut reply = std::mem::take(context.reply);
    if let Some(group) = held(context, key).and_then(|stream| stream.groups.get(name)) {
        match wanted {
            None => reply_pending(&mut reply, group),
            Some((start, end, count)) => {
                let of = args.find(first + 3);
                let mine = |pending: &Pending| of.is_none_or(|name| *pending.consumer == *name);
                let old = |pending: &Pending| min_idle <= 0 || now.saturating_sub(pending.delivered_ms) >= min_idle;
                let entries: Vec<_> = if start > end {
                    Vec::new()
                } else {
                    group.pending.range(start..=end).filter(|(_, it)| mine(it) && old(it)).take(count).collect()
                };
                reply.array(entries.len());
                for (id, pending) in entries {
                    reply.array(4);
                    reply_id(&mut reply, *id);
                    reply.bulk(&pending.consumer);
                    reply.integer(now.saturating_sub(pending.delivered_ms).max(0));
                    reply.integer(pending.count.cast_signed());
                }
            }
        }
    }
    *context.reply = reply;
    Ok(())
}

/// XPENDING without a range.
fn reply_pending(reply: &mut Reply, group: &Group) {
    reply.array(4);
    reply.count(group.pending.len());
    match (group.pending.first_key_value(), group.pending.last_key_value()) {
        (Some((first, _)), Some((last, _))) => {
            reply_id(reply, *first);
            reply_id(reply, *last);
            let busy = group.consumers.iter().filter(|(_, consumer)| !consumer.pending.is_empty());
            reply.array(busy.clone().count());
            for (name, consumer) in busy {
                reply.array(2);
                reply.bulk(name);
                reply.bulk_integer(consumer.pending.len() as i64);
            }
        }
        _ => {
            reply.null();
            reply.null();
            reply.null_array();
        }
    }
}

/// MKSTREAM and ENTRIESREAD.
fn group_options(context: &Context<'_>, args: Args<'_>, creates: bool) -> Result<(bool, Option<u64>), CommandError> {
    let dialect = context.engine.dialect;
    let counts = context.origin == Origin::Master || dialect.since(7, 0);
    let (mut makes, mut entries_read, mut index) = (false, None, 5);
    while index < args.len() {
        if creates && args.is(index, "MKSTREAM") {
            makes = true;
        } else if counts && args.is(index, "ENTRIESREAD") && index + 1 < args.len() {
            entries_read = match args.integer(index + 1)? {
                -1 => None,
                number => Some(
                    u64::try_from(number)
                        .map_err(|_| CommandError::fixed("ERR value for ENTRIESREAD must be positive or -1"))?,
                ),
            };
            index += 1;
        } else {
            return Err(wrong_options(args, "XGROUP", dialect));
        }
        index += 1;
    }
    Ok((makes, entries_read))
}

fn wrong_options(args: Args<'_>, container: &str, dialect: Dialect) -> CommandError {
    let (word, unknown) = (args.get(1), if dialect.since(7, 0) { "unknown" } else { "Unknown" });
    let word = String::from_utf8_lossy(word.get(..word.len().min(128)).unwrap_or_default());
    CommandError::new(format!(
        "ERR {unknown} subcommand or wrong number of arguments for '{word}'. Try {container} HELP."
    ))
}

const NO_STREAM: CommandError = CommandError::fixed(
    "ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the MKSTREAM option to create an empty stream automatically.",
);

/// A group of a stream to change.
fn group_mut<'a>(context: &'a mut Context<'_>, args: Args<'_>) -> Result<&'a mut Group, CommandError> {
    let (key, name) = (args.get(2), args.get(3));
    let stream = context.stream(key)?.ok_or(NO_STREAM)?;
    if !stream.groups.contains_key(name) {
        return Err(unknown_group(key, name));
    }
    context.stream_mut(key)?.and_then(|stream| stream.groups.get_mut(name)).ok_or(NO_STREAM)
}

fn unknown_group(key: &[u8], name: &[u8]) -> CommandError {
    let (key, name) = (String::from_utf8_lossy(key), String::from_utf8_lossy(name));
    CommandError::new(format!("NOGROUP No such consumer group '{name}' for key name '{key}'"))
}

/// Redis 8 takes no more for read than has been added; others believe whatever they are told. (Seen on 7.0 to 9.1.)
fn bounded_read(entries_read: Option<u64>, stream: &Stream, dialect: Dialect) -> Option<u64> {
    entries_read.map(|read| if dialect.is_redis_since(8, 0) { read.min(stream.entries_added) } else { read })
}

fn xgroup_create(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let (key, name) = (args.get(2), args.get(3));
    let (makes, entries_read) = group_options(context, args, true)?;
    let dialect = context.engine.dialect;
    let stream = context.stream(key)?;
    if stream.is_none() && !makes {
        return Err(NO_STREAM);
    }
    let last_id = match args.get(4) {
        b"$" => stream.map_or(LEAST_ID, |stream| stream.last_id),
        text => strict_id(text, 0)?,
    };
    let taken = stream.is_some_and(|stream| stream.groups.contains_key(name));
    if taken {
        return Err(CommandError::fixed("BUSYGROUP Consumer Group name already exists"));
    }
    if stream.is_none() {
        context.put(key, Value::Stream(std::sync::Arc::default()), NEVER);
    }
    if let Some(stream) = context.stream_mut(key)? {
        let entries_read = bounded_read(entries_read, stream, dialect);
        stream.groups.insert(name.into(), Group { last_id, entries_read, ..Group::default() });
    }
    context.changed(key, 1);
    context.reply.ok();
    Ok(())
}

fn xgroup_setid(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let key = args.get(2);
    let (_, entries_read) = group_options(context, args, false)?;
    let dialect = context.engine.dialect;
    let stream = context.stream(key)?;
    let last = stream.map(|stream| stream.last_id);
    let entries_read = stream.and_then(|stream| bounded_read(entries_read, stream, dialect));
    group_mut(context, args)?;
    let last_id = match args.get(4) {
        b"$" => last.unwrap_or_default(),
        text => strict_id(text, 0)?,
    };
    let group = group_mut(context, args)?;
    (group.last_id, group.entries_read) = (last_id, entries_read);
    context.changed(key, 1);
    context.reply.ok();
    Ok(())
}

fn xgroup_destroy(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let (key, name) = (args.get(2), args.get(3));
    let there = context.stream(key)?.ok_or(NO_STREAM)?.groups.contains_key(name);
    if there {
        if let Some(stream) = context.stream_mut(key)? {
            stream.groups.remove(name);
        }
        context.changed(key, 1);
        // Who waits for the group learns that it is gone.
        context.signal(key);
    }
    context.reply.flag(there);
    Ok(())
}

fn xgroup_createconsumer(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let now = context.now;
    let (_, is_new) = group_mut(context, args)?.consumer(args.get(4), now);
    if is_new {
        context.changed(args.get(2), 1);
    }
    context.reply.flag(is_new);
    Ok(())
}

fn xgroup_delconsumer(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let group = group_mut(context, args)?;
    let gone = group.consumers.remove(args.get(4));
    let pending = gone.as_ref().map_or(0, |consumer| consumer.pending.len());
    for id in gone.iter().flat_map(|consumer| &consumer.pending) {
        group.pending.remove(id);
    }
    // Before 7.0 whether there was one or not.
    if gone.is_some() || !context.engine.dialect.since(7, 0) {
        context.changed(args.get(2), 1);
    }
    context.reply.count(pending);
    Ok(())
}

/// An id, or the number of entries, or null.
fn reply_known(reply: &mut Reply, number: Option<u64>) {
    match number {
        Some(number) => reply.integer(number.cast_signed()),
        None => reply.null(),
    }
}

fn xinfo_stream(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let key = args.get(2);
    let full = args.len() > 3;
    let mut count = 10;
    if full {
        if !args.is(3, "FULL") || !matches!(args.len(), 4 | 6) || args.len() == 6 && !args.is(4, "COUNT") {
            return Err(wrong_options(args, "XINFO", context.engine.dialect));
        }
        if args.len() == 6 {
            count = match args.integer(5)? {
                ..0 => 10,
                0 => usize::MAX,
                number => usize::try_from(number).unwrap_or(usize::MAX),
            };
        }
    }
    let dialect = context.engine.dialect;
    context.stream(key)?.ok_or(CommandError::NO_SUCH_KEY)?;
    let mut reply = std::mem::take(context.reply);
    if let Some(stream) = held(context, key) {
        let since_7 = dialect.since(7, 0);
        reply.map(if full { 6 } else { 7 } + if since_7 { 3 } else { 0 });
        reply.bulk(b"length");
        reply.count(stream.entries.len());
        reply.bulk(b"radix-tree-keys");
        reply.count(stream.node_count());
        // The inner nodes of the servers' tree are not kept here: that of one key has two.
        reply.bulk(b"radix-tree-nodes");
        reply.count(stream.node_count() + 1);
        reply.bulk(b"last-generated-id");
        reply_id(&mut reply, stream.last_id);
        if since_7 {
            reply.bulk(b"max-deleted-entry-id");
            reply_id(&mut reply, stream.max_deleted_id);
            reply.bulk(b"entries-added");
            reply.integer(stream.entries_added.cast_signed());
            reply.bulk(b"recorded-first-entry-id");
            reply_id(&mut reply, stream.first_id());
        }
        if full {
            reply.bulk(b"entries");
            reply_range(&mut reply, stream, LEAST_ID, GREATEST_ID, count, false);
            reply.bulk(b"groups");
            reply.array(stream.groups.len());
            for (name, group) in &stream.groups {
                reply_group_in_full(&mut reply, stream, name, group, count, dialect);
            }
        } else {
            reply.bulk(b"groups");
            reply.count(stream.groups.len());
            for (name, entry) in
                [("first-entry", stream.entries.first_key_value()), ("last-entry", stream.entries.last_key_value())]
            {
                reply.bulk(name.as_bytes());
                match entry {
                    Some((id, words)) => reply_entry(&mut reply, *id, words),
                    None => reply.null(),
                }
            }
        }
    }
    *context.reply = reply;
    Ok(())
}

fn reply_group_in_full(reply: &mut Reply, stream: &Stream, name: &[u8], group: &Group, count: usize, dialect: Dialect) {
    let since_7 = dialect.since(7, 0);
    reply.map(if since_7 { 7 } else { 5 });
    reply.bulk(b"name");
    reply.bulk(name);
    reply.bulk(b"last-delivered-id");
    reply_id(reply, group.last_id);
    if since_7 {
        reply.bulk(b"entries-read");
        reply_known(reply, group.entries_read);
        reply.bulk(b"lag");
        reply_known(reply, stream.lag(group, dialect));
    }
    reply.bulk(b"pel-count");
    reply.count(group.pending.len());
    reply.bulk(b"pending");
    reply.array(group.pending.len().min(count));
    for (id, pending) in group.pending.iter().take(count) {
        reply.array(4);
        reply_id(reply, *id);
        reply.bulk(&pending.consumer);
        reply.integer(pending.delivered_ms);
        reply.integer(pending.count.cast_signed());
    }
    reply.bulk(b"consumers");
    reply.array(group.consumers.len());
    for (name, consumer) in &group.consumers {
        reply.map(if dialect.since(7, 2) { 5 } else { 4 });
        reply.bulk(b"name");
        reply.bulk(name);
        reply.bulk(b"seen-time");
        reply.integer(consumer.seen_ms);
        if dialect.since(7, 2) {
            reply.bulk(b"active-time");
            reply.integer(consumer.active_ms);
        }
        reply.bulk(b"pel-count");
        reply.count(consumer.pending.len());
        reply.bulk(b"pending");
        reply.array(consumer.pending.len().min(count));
        for id in consumer.pending.iter().take(count) {
            let pending = group.pending.get(id);
            reply.array(3);
            reply_id(reply, *id);
            reply.integer(pending.map_or(0, |pending| pending.delivered_ms));
            reply.integer(pending.map_or(0, |pending| pending.count.cast_signed()));
        }
    }
}

fn xinfo_groups(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let dialect = context.engine.dialect;
    let since_7 = dialect.since(7, 0);
    context.stream(args.get(2))?.ok_or(CommandError::NO_SUCH_KEY)?;
    let mut reply = std::mem::take(context.reply);
    if let Some(stream) = held(context, args.get(2)) {
        reply.array(stream.groups.len());
        for (name, group) in &stream.groups {
            reply.map(if since_7 { 6 } else { 4 });
            reply.bulk(b"name");
            reply.bulk(name);
            reply.bulk(b"consumers");
            reply.count(group.consumers.len());
            reply.bulk(b"pending");
            reply.count(group.pending.len());
            reply.bulk(b"last-delivered-id");
            reply_id(&mut reply, group.last_id);
            if since_7 {
                reply.bulk(b"entries-read");
                reply_known(&mut reply, group.entries_read);
                reply.bulk(b"lag");
                reply_known(&mut reply, stream.lag(group, dialect));
            }
        }
    }
    *context.reply = reply;
    Ok(())
}

fn xinfo_consumers(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let (key, name) = (args.get(2), args.get(3));
    let (now, since_7_2) = (context.now, context.engine.dialect.since(7, 2));
    let stream = context.stream(key)?.ok_or(CommandError::NO_SUCH_KEY)?;
    if !stream.groups.contains_key(name) {
        return Err(unknown_group(key, name));
    }
    let mut reply = std::mem::take(context.reply);
    if let Some(group) = held(context, key).and_then(|stream| stream.groups.get(name)) {
        reply.array(group.consumers.len());
        for (name, consumer) in &group.consumers {
            reply.map(if since_7_2 { 4 } else { 3 });
            reply.bulk(b"name");
            reply.bulk(name);
            reply.bulk(b"pending");
            reply.count(consumer.pending.len());
            reply.bulk(b"idle");
            reply.integer(now.saturating_sub(consumer.seen_ms).max(0));
            if since_7_2 {
                reply.bulk(b"inactive");
                let active = consumer.active_ms;
                reply.integer(if active < 0 { -1 } else { now.saturating_sub(active).max(0) });
            }
        }
    }
    *context.reply = reply;
    Ok(())
}

#[cfg(test)]
mod tests {

    use crate::engine::testing::Play;

    fn play(dialect: &str, rows: &[(&str, &str, &str)]) -> Play {
        let mut play = Play::new(dialect);
        play.rows(rows);
        play
    }

    #[test]
    fn adding_and_trimming() {
        // Asked of redis-server 7.0.15.
        play(
            "redis-7.0",
            &[
                ("XADD st 0-0 f v", "-ERR The ID specified in XADD must be greater than 0-0", ""),
                ("XADD st 0-1 f v", "0-1", "XADD st 0-1 f v"),
                (
                    "XADD st 0-1 f v",
                    "-ERR The ID specified in XADD is equal or smaller than the target stream top item",
                    "",
                ),
                ("XADD st 5 f v", "5-0", "XADD st 5 f v"),
                ("XADD st 5-* f v", "5-1", "XADD st 5-1 f v"),
                ("XADD st MAXLEN ~ 2 LIMIT 3 7 f v", "7-0", "XADD st MAXLEN = 4 LIMIT 3 7 f v"),
                ("XADD st MAXLEN = 2 8 f v", "8-0", "XADD st MAXLEN = 2 8 f v"),
                ("XADD st MINID ~ 8 LIMIT 10 10 a b", "10-0", "XADD st MINID = 0-1 LIMIT 10 10 a b"),
                (
                    "XADD st MAXLEN 2 LIMIT 3 11 f v",
                    "-ERR syntax error, LIMIT cannot be used without the special ~ option",
                    "",
                ),
                ("XADD no NOMKSTREAM * a b", "(nil)", ""),
                ("XADD st * f v", "1700000000000-0", "XADD st 1700000000000-0 f v"),
                ("XTRIM st MAXLEN ~ 1", "0", ""),
                ("XTRIM st MAXLEN 1", "3", "XTRIM st MAXLEN 1"),
                ("XRANGE st - +", "[[1700000000000-0 [f v]]]", ""),
                ("XDEL st 1700000000000-0 5", "1", "XDEL st 1700000000000-0 5"),
                ("XLEN st", "0", ""),
                ("TYPE st", "stream", ""),
                ("XADD st KEEPREF 1 a b", "-ERR Invalid stream ID specified as stream command argument", ""),
                (
                    "XADD st 9999999999999999999999 a b",
                    "-ERR Invalid stream ID specified as stream command argument",
                    "",
                ),
                ("XADD st 9999999999999 a", "-ERR wrong number of arguments for 'xadd' command", ""),
            ],
        );
    }

    #[test]
    fn approximate_trimming_removes_nodes_of_servers() {
        let mut play = Play::new("redis-7.0");
        for number in 1..=250 {
            play.run(&format!("XADD st {number} f {number}"));
        }
        play.stream();
        // Nodes of 100, 100 and 50 entries.
        assert_eq!((play.run("XTRIM st MAXLEN ~ 120"), play.stream()), ("100".into(), "XTRIM st MAXLEN = 150".into()));
        assert_eq!((play.run("XTRIM st MINID ~ 200"), play.stream()), ("0".into(), String::new()));
        assert_eq!((play.run("XTRIM st MINID ~ 201"), play.stream()), ("100".into(), "XTRIM st MINID = 201-0".into()));
        // Nodes of 4096 bytes: 40 entries of some 100.
        let long = "v".repeat(95);
        for number in 1..=100 {
            play.run(&format!("XADD big {number} f {long}"));
        }
        // Asked of redis-server 7.0.15.
        assert_eq!(play.run("XTRIM big MAXLEN ~ 1"), "76");
    }

    #[test]
    fn groups_and_what_goes_into_the_stream() {
        let claim = |consumer: &str, id: &str, count: u8, last: &str| {
            format!("XCLAIM st g {consumer} 0 {id} TIME 1700000000000 RETRYCOUNT {count} FORCE JUSTID LASTID {last}")
        };
        play(
            "redis-7.0",
            &[
                ("XGROUP CREATE st g 0", super::NO_STREAM.text().replacen("ERR", "-ERR", 1).as_str(), ""),
                ("XGROUP CREATE st g 0 MKSTREAM", "OK", "XGROUP CREATE st g 0 MKSTREAM"),
                ("XGROUP CREATE st g 0", "-BUSYGROUP Consumer Group name already exists", ""),
                ("XGROUP FOO st", "-ERR unknown subcommand 'FOO'. Try XGROUP HELP.", ""),
                ("XGROUP", "-ERR wrong number of arguments for 'xgroup' command", ""),
                ("XGROUP CREATE st", "-ERR wrong number of arguments for 'xgroup|create' command", ""),
                ("XADD st 1 f v", "1-0", "XADD st 1 f v"),
                ("XADD st 2 f v", "2-0", "XADD st 2 f v"),
                ("XADD st 3 f v", "3-0", "XADD st 3 f v"),
                ("XREADGROUP GROUP g c COUNT 1 STREAMS st >", "[[st [[1-0 [f v]]]]]", &claim("c", "1-0", 1, "1-0")),
                ("XREADGROUP GROUP g c STREAMS st 0", "[[st [[1-0 [f v]]]]]", ""),
                (
                    "XREADGROUP GROUP g d NOACK STREAMS st >",
                    "[[st [[2-0 [f v]] [3-0 [f v]]]]]",
                    "MULTI | XGROUP CREATECONSUMER st g d | XGROUP SETID st g 3-0 ENTRIESREAD 3 | EXEC",
                ),
                ("XREADGROUP GROUP g e STREAMS st >", "(nil)", ""),
                ("XPENDING st g", "[1 1-0 1-0 [[c 1]]]", ""),
                ("XCLAIM st g d 0 1", "[[1-0 [f v]]]", &claim("d", "1", 3, "3-0")),
                ("XCLAIM st g d 1000 1", "[]", ""),
                ("XCLAIM st g c 0 9 LASTID 7", "[]", "XGROUP SETID st g 7-0 ENTRIESREAD 3"),
                ("XDEL st 1", "1", "XDEL st 1"),
                ("XAUTOCLAIM st g c 0 0", "[0-0 [] [1-0]]", &claim("d", "1-0", 3, "7-0")),
                ("XINFO GROUPS st", "[[name g consumers 2 pending 0 last-delivered-id 7-0 entries-read 3 lag 0]]", ""),
                ("XACK st g 1", "0", ""),
                ("XGROUP DELCONSUMER st g d", "0", "XGROUP DELCONSUMER st g d"),
                ("XGROUP DESTROY st g", "1", "XGROUP DESTROY st g"),
                (
                    "XREADGROUP GROUP g c STREAMS st >",
                    "-NOGROUP No such key 'st' or consumer group 'g' in XREADGROUP with GROUP option",
                    "",
                ),
            ],
        );
    }

    #[test]
    fn since_7_4_the_place_of_the_group_is_told() {
        let mut play = play(
            "redis-8.2",
            &[
                ("XADD st 1 f v", "1-0", "XADD st 1 f v"),
                ("XADD st 2 f v", "2-0", "XADD st 2 f v"),
                ("XTRIM st MAXLEN 1", "1", "XTRIM st MAXLEN 1"),
                ("XGROUP CREATE st g 0 ENTRIESREAD 0", "OK", "XGROUP CREATE st g 0 ENTRIESREAD 0"),
            ],
        );
        play.run("XREADGROUP GROUP g c STREAMS st >");
        assert!(play.stream().ends_with(" | XGROUP SETID st g 2-0 ENTRIESREAD 2 | EXEC"));
    }

    #[test]
    fn more_than_was_added_cannot_be_read() {
        for (server, read) in [("redis-7.0", "5"), ("redis-8.2", "1"), ("valkey-9.1", "5")] {
            let mut play = Play::new(server);
            play.run("XADD st 1 f v");
            for line in ["XGROUP CREATE st g 0 ENTRIESREAD 5", "XGROUP SETID st g 0 ENTRIESREAD 5"] {
                assert_eq!(play.run(line), "OK");
                let group = play.run("XINFO GROUPS st");
                assert!(group.contains(&format!("entries-read {read} ")), "{server}, {line}: {group}");
            }
        }
    }

    #[test]
    fn references_of_groups() {
        // Asked of redis-server 8.2.3.
        play(
            "redis-8.2",
            &[
                ("XADD st 1 f v", "1-0", "XADD st 1 f v"),
                ("XADD st 2 f v", "2-0", "XADD st 2 f v"),
                ("XGROUP CREATE st g 1", "OK", "XGROUP CREATE st g 1"),
                ("XDELEX st ACKED IDS 2 1 2", "[1 2]", "XDELEX st ACKED IDS 2 1 2"),
                ("XDELEX st IDS 2 5", "-ERR The `numids` parameter must match the number of arguments", ""),
                ("XDELEX no IDS 1 x", "[-1]", ""),
                (
                    "XCLAIM st g c 0 2 FORCE JUSTID TIME 5",
                    "[2-0]",
                    "XCLAIM st g c 0 2 TIME 5 RETRYCOUNT 1 FORCE JUSTID LASTID 1-0",
                ),
                ("XACKDEL st g ACKED IDS 1 2", "[2]", "XACKDEL st g ACKED IDS 1 2"),
                ("XADD st DELREF MAXLEN = 1 3 f v", "3-0", "XADD st DELREF MAXLEN = 1 3 f v"),
                ("XLEN st", "1", ""),
            ],
        );
    }

    #[test]
    fn who_waits_waits_for_what_comes_after_now() {
        let mut play = Play::new("redis-7.0");
        play.run("XADD st 1 f v");
        let request = play.run("XREAD BLOCK 10 STREAMS st $");
        assert!(request.contains(r#"until: Some(1700000000010)"#) && request.contains(r#""1-0"]"#), "{request}");
        assert_eq!(play.run("XREAD STREAMS st 0"), "[[st [[1-0 [f v]]]]]");
        assert_eq!(play.run("XREAD STREAMS st $"), "(nil)");
    }

    #[test]
    fn a_masters_claims_are_applied_as_they_are() {
        let mut play = Play::new("redis-7.0");
        for line in [
            "XADD st 1 f v",
            "XGROUP CREATE st g 0",
            "XCLAIM st g c 0 1-0 TIME 1800000000000 RETRYCOUNT 4 FORCE JUSTID LASTID 1-0",
            "XADD st MAXLEN = 1 LIMIT 10 2 a b",
            "XADD st KEEPREF MAXLEN 1 3 a b",
        ] {
            assert!(play.apply(line));
        }
        assert_eq!(play.run("XPENDING st g"), "[1 1-0 1-0 [[c 1]]]");
        assert_eq!(play.run("XRANGE st - +"), "[[3-0 [a b]]]");
    }

    #[test]
    fn before_7_0_there_are_no_counts() {
        // Asked of redis-server 6.2.14.
        let mut play = play(
            "redis-6.2",
            &[
                ("XADD st 5 f v", "5-0", "XADD st 5-0 f v"),
                ("XADD st 5-* f v", "-ERR Invalid stream ID specified as stream command argument", ""),
                ("XADD st 6 f", "-ERR wrong number of arguments for 'xadd' command", ""),
                ("XSETID st 100-1 ENTRIESADDED 50", "-ERR wrong number of arguments for 'xsetid' command", ""),
                ("XSETID st 100-1", "OK", "XSETID st 100-1"),
                (
                    "XGROUP CREATE st g 0 ENTRIESREAD 3",
                    "-ERR Unknown subcommand or wrong number of arguments for 'CREATE'. Try XGROUP HELP.",
                    "",
                ),
            ],
        );
        assert!(play.apply("XSETID st 101-1 ENTRIESADDED 50 MAXDELETEDID 7"));
        assert_eq!(
            play.run("XSETID st 4"),
            "-ERR The ID specified in XSETID is smaller than the target stream top item"
        );
    }
}
