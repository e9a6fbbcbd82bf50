//! Sorted sets.
//!
//! The commands that wait (BZPOPMIN, BZPOPMAX, BZMPOP) ask for it with `Request::Block` and answer nothing. In vain they
//! have waited, they all answer the null array.

mod combination;
#[cfg(test)]
mod tests;

use std::ops::Range;
use std::sync::Arc;

use super::lists::{count_option, range};
use super::sets::{choose, limit_option, random_count};
use super::{Context, Flag, Keys, Outcome, Spec, scan};
use crate::engine::args::{Args, float};
use crate::engine::context::Origin;
use crate::engine::dialect::Dialect;
use crate::engine::error::CommandError;
use crate::engine::events::Class;
use crate::engine::keyspace::NEVER;
use crate::engine::number::{score_text, seventeen};
use crate::engine::reply::Reply;
use crate::engine::value::{Blob, Decimal, Scored, Set, SortedSet, Value};

use combination::*;

const GROW: &[Flag] = &[Flag::Write, Flag::DenyOom];
const FAST_GROW: &[Flag] = &[Flag::Write, Flag::DenyOom, Flag::Fast];
const WRITE: &[Flag] = &[Flag::Write];
const FAST_WRITE: &[Flag] = &[Flag::Write, Flag::Fast];
const READ: &[Flag] = &[Flag::Read];
const FAST_READ: &[Flag] = &[Flag::Read, Flag::Fast];
const WAIT: &[Flag] = &[Flag::Write, Flag::Blocking];
const FAST_WAIT: &[Flag] = &[Flag::Write, Flag::Fast, Flag::Blocking];

pub(super) const COMMANDS: &[Spec] = &[
    Spec::new("ZADD", -4, FAST_GROW, Keys::ONE, zadd),
    Spec::new("ZINCRBY", 4, FAST_GROW, Keys::ONE, zincrby),
    Spec::new("ZREM", -3, FAST_WRITE, Keys::ONE, zrem),
    Spec::new("ZCARD", 2, FAST_READ, Keys::ONE, zcard),
    Spec::new("ZSCORE", 3, FAST_READ, Keys::ONE, zscore),
    Spec::new("ZMSCORE", -3, FAST_READ, Keys::ONE, zmscore).since(6, 2),
    Spec::new("ZRANK", -3, FAST_READ, Keys::ONE, zrank).before(7, 2, 3),
    Spec::new("ZREVRANK", -3, FAST_READ, Keys::ONE, zrevrank).before(7, 2, 3),
    Spec::new("ZCOUNT", 4, FAST_READ, Keys::ONE, zcount),
    Spec::new("ZLEXCOUNT", 4, FAST_READ, Keys::ONE, zlexcount),
    Spec::new("ZRANGE", -4, READ, Keys::ONE, zrange),
    Spec::new("ZREVRANGE", -4, READ, Keys::ONE, zrevrange),
    Spec::new("ZRANGEBYSCORE", -4, READ, Keys::ONE, zrangebyscore),
    Spec::new("ZREVRANGEBYSCORE", -4, READ, Keys::ONE, zrevrangebyscore),
    Spec::new("ZRANGEBYLEX", -4, READ, Keys::ONE, zrangebylex),
    Spec::new("ZREVRANGEBYLEX", -4, READ, Keys::ONE, zrevrangebylex),
    Spec::new("ZRANGESTORE", -5, GROW, Keys::TWO, zrangestore).since(6, 2),
    Spec::new("ZREMRANGEBYRANK", 4, WRITE, Keys::ONE, zremrangebyrank),
    Spec::new("ZREMRANGEBYSCORE", 4, WRITE, Keys::ONE, zremrangebyscore),
    Spec::new("ZREMRANGEBYLEX", 4, WRITE, Keys::ONE, zremrangebylex),
    Spec::new("ZUNION", -3, READ, Keys::NONE, zunion).since(6, 2),
    Spec::new("ZINTER", -3, READ, Keys::NONE, zinter).since(6, 2),
    Spec::new("ZDIFF", -3, READ, Keys::NONE, zdiff).since(6, 2),
    Spec::new("ZINTERCARD", -3, READ, Keys::NONE, zintercard).since(7, 0),
    Spec::new("ZUNIONSTORE", -4, GROW, Keys::ONE, zunionstore),
    Spec::new("ZINTERSTORE", -4, GROW, Keys::ONE, zinterstore),
    Spec::new("ZDIFFSTORE", -4, GROW, Keys::ONE, zdiffstore).since(6, 2),
    Spec::new("ZPOPMIN", -2, FAST_WRITE, Keys::ONE, zpopmin).since(5, 0),
    Spec::new("ZPOPMAX", -2, FAST_WRITE, Keys::ONE, zpopmax).since(5, 0),
    Spec::new("ZMPOP", -4, WRITE, Keys::NONE, zmpop).since(7, 0),
    Spec::new("BZPOPMIN", -3, FAST_WAIT, Keys::new(1, -2, 1), bzpopmin).since(5, 0),
    Spec::new("BZPOPMAX", -3, FAST_WAIT, Keys::new(1, -2, 1), bzpopmax).since(5, 0),
    Spec::new("BZMPOP", -5, WAIT, Keys::NONE, bzmpop).since(7, 0),
    Spec::new("ZRANDMEMBER", -2, READ, Keys::ONE, zrandmember).since(6, 2),
    Spec::new("ZSCAN", -3, READ, Keys::ONE, zscan),
];

/// The score that a set keeps of a member: since 7.0 a listpack has no negative zero. (Seen on 7.0.15, 8.2.3, valkey
/// 8.1.8, 9.1.2.)
fn kept(score: f64, set: &SortedSet, member: &[u8], dialect: Dialect) -> f64 {
    if is_negative_zero(score) && dialect.since(7, 0) && set.stays_compact(member) { 0.0 } else { score }
}

fn is_negative_zero(score: f64) -> bool {
    score == 0.0 && score.is_sign_negative()
}

/// Options of ZADD.
#[derive(Clone, Copy, Default)]
struct Adding {
    only_new: bool,
    only_old: bool,
    only_greater: bool,
    only_less: bool,
    increment: bool,
}

/// What became of one member.
#[derive(Clone, Copy, PartialEq)]
enum Added {
    /// A condition did not hold.
    Not,
    /// It had this score already.
    Same(f64),
    New(f64),
    Changed(f64),
}

impl Adding {
    fn allows(self, before: Option<f64>, score: f64) -> bool {
        match before {
            None => !self.only_old,
            Some(before) => {
                !(self.only_new || self.only_greater && score <= before || self.only_less && score >= before)
            }
        }
    }

    fn add(self, set: &mut SortedSet, member: &[u8], score: f64, dialect: Dialect) -> Result<Added, CommandError> {
        let before = set.score(member);
        if self.only_new && before.is_some() {
            return Ok(Added::Not);
        }
        let score = match before {
            Some(before) if self.increment => before + score,
            _ => score,
        };
        if score.is_nan() {
            return Err(CommandError::fixed("ERR resulting score is not a number (NaN)"));
        }
        if !self.allows(before, score) {
            return Ok(Added::Not);
        }
        if before == Some(score) {
            return Ok(Added::Same(score));
        }
        set.insert(member, kept(score, set, member, dialect));
        Ok(if before.is_some() { Added::Changed(score) } else { Added::New(score) })
    }
}

fn zadd(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let (mut adding, mut tells_changed, mut index) = (Adding::default(), false, 2);
    loop {
        match () {
            () if args.is(index, "NX") => adding.only_new = true,
            () if args.is(index, "XX") => adding.only_old = true,
            () if args.is(index, "GT") => adding.only_greater = true,
            () if args.is(index, "LT") => adding.only_less = true,
            () if args.is(index, "CH") => tells_changed = true,
            () if args.is(index, "INCR") => adding.increment = true,
            () => break,
        }
        index += 1;
    }
    let pairs = args.skip(index);
    if pairs.is_empty() || !pairs.len().is_multiple_of(2) {
        return Err(CommandError::SYNTAX);
    }
    if adding.only_new && adding.only_old {
        return Err(CommandError::fixed("ERR XX and NX options at the same time are not compatible"));
    }
    if usize::from(adding.only_new) + usize::from(adding.only_greater) + usize::from(adding.only_less) > 1 {
        return Err(CommandError::fixed("ERR GT, LT, and/or NX options at the same time are not compatible"));
    }
    if adding.increment && pairs.len() > 2 {
        return Err(CommandError::fixed("ERR INCR option supports a single increment-element pair"));
    }
    // All scores are read before anything is added. One pair, the common case, needs no room for that.
    let first = pairs.float(0)?;
    let others = (2..pairs.len()).step_by(2).map(|at| pairs.float(at)).collect::<Result<Vec<_>, _>>()?;
    let scores = std::iter::once(first).chain(others);
    add(context, args.get(1), adding, tells_changed, pairs.from(1).step_by(2).zip(scores))
}

/// Adds members and answers.
fn add<'a>(
    context: &mut Context<'_>,
    key: &[u8],
    adding: Adding,
    tells_changed: bool,
    pairs: impl Iterator<Item = (&'a [u8], f64)>,
) -> Outcome {
    let dialect = context.engine.dialect;
    let (mut new, mut changed, mut last) = (0_usize, 0_usize, Added::Not);
    if !adding.only_old || context.sorted_set(key)?.is_some() {
        let set = context.sorted_set_or_new(key)?;
        for (member, score) in pairs {
            last = adding.add(set, member, score, dialect)?;
            match last {
                Added::New(_) => new += 1,
                Added::Changed(_) => changed += 1,
                Added::Not | Added::Same(_) => {}
            }
        }
    }
    if new + changed > 0 {
        context.changed(key, (new + changed) as u64);
        context.signal(key);
        context.notify(Class::SortedSet, if adding.increment { "zincr" } else { "zadd" }, key);
    }
    match last {
        Added::Not if adding.increment => context.reply.null(),
        Added::Same(score) | Added::New(score) | Added::Changed(score) if adding.increment => tell(context, score),
        _ => context.reply.count(if tells_changed { new + changed } else { new }),
    }
    Ok(())
}

/// Answers with a score.
fn tell(context: &mut Context<'_>, score: f64) {
    let text = score_text(score, context.engine.dialect);
    context.reply.double(&text);
}

fn zincrby(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let adding = Adding { increment: true, ..Adding::default() };
    // It is ZADD INCR to the servers, which takes these for options that lack their pair.
    if ["NX", "XX", "GT", "LT", "CH", "INCR"].iter().any(|option| args.is(2, option)) {
        return Err(CommandError::SYNTAX);
    }
    let score = args.float(2)?;
    add(context, args.get(1), adding, false, std::iter::once((args.get(3), score)))
}

/// Adds members and answers as ZADD does, for GEOADD.
pub(super) fn zadd_all<'a>(
    context: &mut Context<'_>,
    key: &[u8],
    (only_new, only_old): (bool, bool),
    tells_changed: bool,
    pairs: impl Iterator<Item = (&'a [u8], f64)>,
) -> Outcome {
    add(context, key, Adding { only_new, only_old, ..Adding::default() }, tells_changed, pairs)
}

fn zrem(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let key = args.get(1);
    let present = context.sorted_set(key)?.is_some_and(|set| args.from(2).any(|member| set.score(member).is_some()));
    let mut removed = 0;
    if present && let Some(set) = context.sorted_set_mut(key)? {
        removed = args.from(2).filter(|member| set.remove(member).is_some()).count();
        context.notify(Class::SortedSet, "zrem", key);
        context.settle(key);
        context.changed(key, removed as u64);
    }
    context.reply.count(removed);
    Ok(())
}

fn zcard(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let count = context.sorted_set(args.get(1))?.map_or(0, SortedSet::len);
    context.reply.count(count);
    Ok(())
}

fn zscore(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    match context.sorted_set(args.get(1))?.and_then(|set| set.score(args.get(2))) {
        Some(score) => tell(context, score),
        None => context.reply.null(),
    }
    Ok(())
}

fn zmscore(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let dialect = context.engine.dialect;
    context.answer(|context, reply| {
        let set = context.sorted_set(args.get(1))?;
        reply.array(args.len() - 2);
        for member in args.from(2) {
            match set.and_then(|set| set.score(member)) {
                Some(score) => reply.double(&score_text(score, dialect)),
                None => reply.null(),
            }
        }
        Ok(())
    })
}

fn zrank(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    rank(context, args, false, "zrank")
}

fn zrevrank(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    rank(context, args, true, "zrevrank")
}

fn rank(context: &mut Context<'_>, args: Args<'_>, reverse: bool, name: &str) -> Outcome {
    let member = args.get(2);
    let with_score = args.len() > 3;
    if args.len() > 4 || (with_score && !context.engine.dialect.since(7, 2)) {
        return Err(CommandError::arity(name));
    }
    if with_score && !args.is(3, "WITHSCORE") {
        return Err(CommandError::SYNTAX);
    }
    let found = context.sorted_set(args.get(1))?.and_then(|set| {
        let rank = set.rank(member)?;
        Some((if reverse { set.len() - 1 - rank } else { rank }, set.score(member)?))
    });
    match found {
        Some((rank, score)) if with_score => {
            context.reply.array(2);
            context.reply.count(rank);
            tell(context, score);
        }
        Some((rank, _)) => context.reply.count(rank),
        None if with_score => context.reply.null_array(),
        None => context.reply.null(),
    }
    Ok(())
}

/// An end of a range of members.
#[derive(Clone, Copy)]
enum Lex<'a> {
    Least,
    Greatest,
    Closed(&'a [u8]),
    Open(&'a [u8]),
}

impl<'a> Lex<'a> {
    fn read(text: &'a [u8]) -> Result<Self, CommandError> {
        match text {
            b"-" => Ok(Self::Least),
            b"+" => Ok(Self::Greatest),
            [b'[', member @ ..] => Ok(Self::Closed(member)),
            [b'(', member @ ..] => Ok(Self::Open(member)),
            _ => Err(CommandError::fixed("ERR min or max not valid string range item")),
        }
    }

    /// Whether a member is before this as the beginning of a range.
    fn is_after(self, member: &[u8]) -> bool {
        match self {
            Self::Least => false,
            Self::Greatest => true,
            Self::Closed(least) => member < least,
            Self::Open(least) => member <= least,
        }
    }

    /// Whether a member is not behind this as the end of a range.
    fn reaches(self, member: &[u8]) -> bool {
        match self {
            Self::Least => false,
            Self::Greatest => true,
            Self::Closed(most) => member <= most,
            Self::Open(most) => member < most,
        }
    }
}

/// An end of a range of scores.
#[derive(Clone, Copy)]
struct Edge {
    score: f64,
    open: bool,
}

impl Edge {
    fn read(text: &[u8], dialect: Dialect) -> Result<Self, CommandError> {
        let (number, open) = match text {
            [b'(', number @ ..] => (number, true),
            number => (number, false),
        };
        // Nothing is 0, as `strtod` has it. What else it takes, blanks in front and digits to the base of 16, the parsers
        // of the newest versions refuse. (Seen on 6.2 to 9.1.)
        let strict = dialect.is_redis_since(8, 0) || dialect.is_valkey_since(9, 0);
        let score = match number {
            [] => Some(0.0),
            _ if strict && number.iter().any(|byte| matches!(byte, b'x' | b'X')) => None,
            _ if strict => float(number),
            _ => float(number.trim_ascii_start()),
        };
        Ok(Self { score: score.ok_or(CommandError::MIN_MAX)?, open })
    }

    fn is_after(self, score: f64) -> bool {
        if self.open { score <= self.score } else { score < self.score }
    }

    fn reaches(self, score: f64) -> bool {
        if self.open { score < self.score } else { score <= self.score }
    }
}

/// By what a range is told.
#[derive(Clone, Copy, PartialEq, Eq)]
enum By {
    Rank,
    Score,
    Lex,
}

/// A part of a sorted set.
#[derive(Clone, Copy)]
enum Part<'a> {
    /// Ranks, counted from the end if negative.
    Rank(i64, i64),
    Score(Edge, Edge),
    Lex(Lex<'a>, Lex<'a>),
}

impl<'a> Part<'a> {
    fn read(by: By, low: &'a [u8], high: &'a [u8], dialect: Dialect) -> Result<Self, CommandError> {
        let number = |text| crate::engine::value::integer(text).ok_or(CommandError::NOT_INTEGER);
        Ok(match by {
            By::Rank => Self::Rank(number(low)?, number(high)?),
            By::Score => Self::Score(Edge::read(low, dialect)?, Edge::read(high, dialect)?),
            By::Lex => Self::Lex(Lex::read(low)?, Lex::read(high)?),
        })
    }

    /// The ranks that it has in a set.
    fn ranks(self, set: &SortedSet) -> Range<usize> {
        let ranked = set.ranked();
        let (start, end) = match self {
            Self::Rank(start, end) => return range(start, end, set.len()),
            Self::Score(least, most) => (
                ranked.partition(|scored| least.is_after(scored.score)),
                ranked.partition(|scored| most.reaches(scored.score)),
            ),
            Self::Lex(least, most) if set.is_compact() => return by_lex(set, least, most),
            Self::Lex(least, most) => (
                ranked.partition(|scored| least.is_after(&scored.member)),
                ranked.partition(|scored| most.reaches(&scored.member)),
            ),
        };
        start..end.max(start)
    }
}

/// The members from one to another as servers find them in a listpack, one after the other: where not all scores are
/// equal, which is what these ranges are for, what is found depends on how it is looked for.
fn by_lex(set: &SortedSet, least: Lex<'_>, most: Lex<'_>) -> Range<usize> {
    let members = || set.ranked().iter().map(|scored| &*scored.member);
    let outside = |first: &[u8], last: &[u8]| least.is_after(last) || !most.reaches(first);
    match (members().next(), set.ranked().range(set.len().saturating_sub(1)..set.len()).next()) {
        (Some(first), Some(last)) if !outside(first, &last.member) => {}
        _ => return 0..0,
    }
    let start = members().take_while(|member| least.is_after(member)).count();
    let length = members().skip(start).take_while(|member| most.reaches(member)).count();
    start..start + length
}

/// What a ZRANGE asks for.
struct Query<'a> {
    part: Part<'a>,
    reverse: bool,
    with_scores: bool,
    offset: i64,
    limit: i64,
}

impl<'a> Query<'a> {
    /// Reads what begins with the key at `index`. What the command's name says already cannot be said by an option.
    fn read(
        args: Args<'a>,
        index: usize,
        by: Option<By>,
        reverse: Option<bool>,
        stores: bool,
        dialect: Dialect,
    ) -> Result<Self, CommandError> {
        let (mut by, mut reverses) = (by, reverse);
        let (mut with_scores, mut offset, mut limit) = (false, 0, -1);
        let (low, high) = (args.get(index + 1), args.get(index + 2));
        let mut index = index + 3;
        while index < args.len() {
            match () {
                () if !stores && args.is(index, "WITHSCORES") => with_scores = true,
                () if args.is(index, "LIMIT") && index + 2 < args.len() => {
                    (offset, limit) = (args.integer(index + 1)?, args.integer(index + 2)?);
                    index += 2;
                }
                () if reverses.is_none() && args.is(index, "REV") => reverses = Some(true),
                () if by.is_none() && args.is(index, "BYLEX") => by = Some(By::Lex),
                () if by.is_none() && args.is(index, "BYSCORE") => by = Some(By::Score),
                () => return Err(CommandError::SYNTAX),
            }
            index += 1;
        }
        let (by, reverse) = (by.unwrap_or(By::Rank), reverses.unwrap_or(false));
        if limit != -1 && by == By::Rank {
            return Err(CommandError::fixed(
                "ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX",
            ));
        }
        if with_scores && by == By::Lex {
            return Err(CommandError::fixed("ERR syntax error, WITHSCORES not supported in combination with BYLEX"));
        }
        // Backwards the greater end is named first.
        let (low, high) = if reverse && by != By::Rank { (high, low) } else { (low, high) };
        let part = Part::read(by, low, high, dialect)?;
        if by == By::Rank {
            (offset, limit) = (0, -1);
        }
        Ok(Self { part, reverse, with_scores, offset, limit })
    }

    /// The ranks that are asked for, ascending.
    fn ranks(&self, set: &SortedSet) -> Range<usize> {
        let found = match self.part {
            Part::Rank(start, end) if self.reverse => {
                let backwards = range(start, end, set.len());
                if backwards.is_empty() { 0..0 } else { set.len() - backwards.end..set.len() - backwards.start }
            }
            part => part.ranks(set),
        };
        let Ok(offset) = usize::try_from(self.offset) else { return 0..0 };
        let limit = usize::try_from(self.limit).unwrap_or(usize::MAX);
        if self.reverse {
            let end = found.end.saturating_sub(offset).max(found.start);
            end.saturating_sub(limit).max(found.start)..end
        } else {
            let start = found.start.saturating_add(offset).min(found.end);
            start..start.saturating_add(limit).min(found.end)
        }
    }
}

/// How members are answered: RESP3 has a pair for each member and its score.
fn answer_members<'m>(
    reply: &mut Reply,
    count: usize,
    members: impl Iterator<Item = (&'m Blob, f64)>,
    with_scores: bool,
    dialect: Dialect,
) {
    let pairs = with_scores && reply.is_resp3();
    reply.array(if with_scores && !pairs { 2 * count } else { count });
    for (member, score) in members {
        if pairs {
            reply.array(2);
        }
        reply.bulk(member);
        if with_scores {
            reply.double(&score_text(score, dialect));
        }
    }
}

fn answer_query(context: &mut Context<'_>, args: Args<'_>, by: Option<By>, reverse: Option<bool>) -> Outcome {
    let dialect = context.engine.dialect;
    let query = Query::read(args, 1, by, reverse, false, dialect)?;
    context.answer(|context, reply| {
        let Some(set) = context.sorted_set(args.get(1))? else {
            reply.array(0);
            return Ok(());
        };
        let ranks = query.ranks(set);
        let count = ranks.len();
        let members = set.ranked().range(ranks).map(|scored| (&scored.member, scored.score));
        if query.reverse {
            answer_members(reply, count, members.rev(), query.with_scores, dialect);
        } else {
            answer_members(reply, count, members, query.with_scores, dialect);
        }
        Ok(())
    })
}

fn zrange(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    answer_query(context, args, None, None)
}

fn zrevrange(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    answer_query(context, args, Some(By::Rank), Some(true))
}

fn zrangebyscore(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    answer_query(context, args, Some(By::Score), Some(false))
}

fn zrevrangebyscore(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    answer_query(context, args, Some(By::Score), Some(true))
}

fn zrangebylex(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    answer_query(context, args, Some(By::Lex), Some(false))
}

fn zrevrangebylex(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    answer_query(context, args, Some(By::Lex), Some(true))
}

fn zrangestore(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let query = Query::read(args, 2, None, None, true, context.engine.dialect)?;
    let dialect = context.engine.dialect;
    let mut found = SortedSet::default();
    context.reading_to_store(|context| context.exists(args.get(2)));
    if let Some(set) = context.sorted_set(args.get(2))? {
        let ranks = query.ranks(set);
        // Servers add one after the other, to a listpack for as long as it is one.
        let compact = ranks.len() <= SortedSet::COMPACT;
        let mut add = |scored: &Scored| {
            let score = scored.score;
            let score = if compact { kept(score, &found, &scored.member, dialect) } else { score };
            found.insert(&scored.member, score);
        };
        let members = set.ranked().range(ranks);
        if query.reverse { members.rev().for_each(&mut add) } else { members.for_each(&mut add) }
    }
    store(context, args.get(1), found, "zrangestore");
    Ok(())
}

/// Puts a result in a key's place and answers with its size: nothing where the result is empty.
pub(super) fn store(context: &mut Context<'_>, key: &[u8], mut set: SortedSet, event: &str) {
    let count = set.len();
    let before = context.exists(key);
    if count > 0 {
        if context.engine.dialect.since(7, 0) && set.is_compact() {
            let negative = set.ranked().iter().filter(|scored| is_negative_zero(scored.score));
            for member in negative.map(|scored| scored.member.clone()).collect::<Vec<_>>() {
                set.insert(&member, 0.0);
            }
        }
        context.put(key, Value::SortedSet(Arc::new(set)), NEVER);
        context.changed(key, 1);
        context.signal(key);
        context.notify(Class::SortedSet, event, key);
    } else if before {
        context.take(key);
        context.changed(key, 1);
        context.notify(Class::Generic, "del", key);
    }
    context.reply.count(count);
}

fn zcount(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    count(context, args, By::Score)
}

fn zlexcount(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    count(context, args, By::Lex)
}

fn count(context: &mut Context<'_>, args: Args<'_>, by: By) -> Outcome {
    let part = Part::read(by, args.get(2), args.get(3), context.engine.dialect)?;
    let count = context.sorted_set(args.get(1))?.map_or(0, |set| part.ranks(set).len());
    context.reply.count(count);
    Ok(())
}

fn zremrangebyrank(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    remove_part(context, args, By::Rank)
}

fn zremrangebyscore(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    remove_part(context, args, By::Score)
}

fn zremrangebylex(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    remove_part(context, args, By::Lex)
}

fn remove_part(context: &mut Context<'_>, args: Args<'_>, by: By) -> Outcome {
    let key = args.get(1);
    let part = Part::read(by, args.get(2), args.get(3), context.engine.dialect)?;
    let ranks = context.sorted_set(key)?.map_or(0..0, |set| part.ranks(set));
    let removed = ranks.len();
    if removed > 0 {
        let event = match by {
            By::Rank => "zremrangebyrank",
            By::Score => "zremrangebyscore",
            By::Lex => "zremrangebylex",
        };
        remove_ranks(context, key, ranks, false, event)?;
        context.changed(key, removed as u64);
    }
    context.reply.count(removed);
    Ok(())
}

/// Takes the members of these ranks out; gives them in the order in which they went.
fn remove_ranks(
    context: &mut Context<'_>,
    key: &[u8],
    ranks: Range<usize>,
    reverse: bool,
    event: &str,
) -> Result<Vec<Scored>, CommandError> {
    let Some(set) = context.sorted_set_mut(key)? else { return Ok(Vec::new()) };
    let mut taken: Vec<Scored> = set.ranked().range(ranks).cloned().collect();
    if reverse {
        taken.reverse();
    }
    for scored in &taken {
        set.remove(&scored.member);
    }
    context.notify(Class::SortedSet, event, key);
    context.settle(key);
    Ok(taken)
}

/// The least or the greatest.
#[derive(Clone, Copy)]
enum Side {
    Min,
    Max,
}

impl Side {
    fn read(args: Args<'_>, index: usize) -> Result<Self, CommandError> {
        match () {
            () if args.is(index, "MIN") => Ok(Self::Min),
            () if args.is(index, "MAX") => Ok(Self::Max),
            () => Err(CommandError::SYNTAX),
        }
    }

    /// The command that pops here.
    fn pop_word(self) -> &'static [u8] {
        match self {
            Self::Min => b"ZPOPMIN",
            Self::Max => b"ZPOPMAX",
        }
    }

    /// Takes so many members at most.
    fn pop(self, context: &mut Context<'_>, key: &[u8], count: i64) -> Result<Vec<Scored>, CommandError> {
        let Some(length) = context.sorted_set(key)?.map(SortedSet::len) else { return Ok(Vec::new()) };
        let count = usize::try_from(count).unwrap_or(usize::MAX).min(length);
        if count == 0 {
            return Ok(Vec::new());
        }
        let taken = match self {
            Self::Min => remove_ranks(context, key, 0..count, false, "zpopmin")?,
            Self::Max => remove_ranks(context, key, length - count..length, true, "zpopmax")?,
        };
        context.changed(key, taken.len() as u64);
        Ok(taken)
    }
}

fn zpopmin(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    pop(context, args, Side::Min)
}

fn zpopmax(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    pop(context, args, Side::Max)
}

fn pop(context: &mut Context<'_>, args: Args<'_>, side: Side) -> Outcome {
    let dialect = context.engine.dialect;
    let count = match args.len() {
        2 => None,
        3 if dialect.since(7, 0) => Some(args.at_least(2, 0, CommandError::NEGATIVE_TEXT)?),
        // Before, who wanted nothing got it, whatever the key held.
        3 if args.integer(2)? <= 0 => {
            context.reply.array(0);
            return Ok(());
        }
        3 => Some(args.integer(2)?),
        _ => return Err(CommandError::SYNTAX),
    };
    let taken = side.pop(context, args.get(1), count.unwrap_or(1))?;
    // One that was not counted stands alone in RESP3, too.
    match (count, taken.first()) {
        (None, Some(scored)) => {
            context.reply.array(2);
            context.reply.bulk(&scored.member);
            tell(context, scored.score);
        }
        _ => {
            let members = taken.iter().map(|scored| (&scored.member, scored.score));
            answer_members(context.reply, taken.len(), members, true, dialect);
        }
    }
    Ok(())
}

fn zmpop(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    super::pop_at_once(context, args, pop_of_many)
}

fn bzmpop(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    super::pop_or_wait(context, args, pop_of_many)
}

/// `numkeys key … MIN|MAX [COUNT n]`: pops from the first of the sorted sets that there is, and answers so; tells
/// whether there was one.
fn pop_of_many(context: &mut Context<'_>, args: Args<'_>, index: usize) -> Result<bool, CommandError> {
    let (keys, index) = args.keys(index, "ERR numkeys should be greater than 0")?;
    let side = Side::read(args, index)?;
    let count = count_option(args, index + 1)?;
    for key in keys {
        let taken = side.pop(context, key, count)?;
        if taken.is_empty() {
            continue;
        }
        context.reply.array(2);
        context.reply.bulk(key);
        context.reply.array(taken.len());
        for scored in &taken {
            context.reply.array(2);
            context.reply.bulk(&scored.member);
            tell(context, scored.score);
        }
        context.propagate(&[side.pop_word(), key, Decimal::new().format(taken.len()).as_bytes()]);
        return Ok(true);
    }
    Ok(false)
}

fn bzpopmin(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    pop_or_wait(context, args, Side::Min)
}

fn bzpopmax(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    pop_or_wait(context, args, Side::Max)
}

fn pop_or_wait(context: &mut Context<'_>, args: Args<'_>, side: Side) -> Outcome {
    let last = args.len() - 1;
    let until = args.timeout(last, context.now, context.engine.dialect)?;
    let keys = args.until(last).from(1);
    for key in keys.clone() {
        if let Some(scored) = side.pop(context, key, 1)?.first() {
            context.reply.array(3);
            context.reply.bulk(key);
            context.reply.bulk(&scored.member);
            tell(context, scored.score);
            let word = side.pop_word();
            // To who has waited 6.2 says it in small letters. (Seen on 6.2.14.)
            if context.engine.reruns && !context.engine.dialect.since(7, 0) {
                context.propagate(&[&word.to_ascii_lowercase(), key]);
            } else {
                context.propagate(&[word, key]);
            }
            return Ok(());
        }
    }
    context.block(keys, until);
    Ok(())
}

fn zrandmember(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let key = args.get(1);
    let dialect = context.engine.dialect;
    if args.len() == 2 {
        let length = context.sorted_set(key)?.map_or(0, SortedSet::len);
        let at = context.engine.random.below(length);
        let member = context.sorted_set(key)?.and_then(|set| set.by_index(at)).map(|(member, _)| member.clone());
        context.reply.bulk_or_null(member.as_deref());
        return Ok(());
    }
    let count = random_count(args, 2)?;
    let with_scores = args.len() > 3;
    if args.len() > 4 || (with_scores && !args.is(3, "WITHSCORES")) {
        return Err(CommandError::SYNTAX);
    }
    let length = context.sorted_set(key)?.map_or(0, SortedSet::len);
    let chosen = choose(context, length, count);
    context.answer(|context, reply| {
        let set = context.sorted_set(key)?;
        let members = chosen.iter().filter_map(|at| set?.by_index(*at));
        answer_members(reply, chosen.len(), members, with_scores, dialect);
        Ok(())
    })
}

fn zscan(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    scan::check_cursor(args, 2)?;
    let dialect = context.engine.dialect;
    context.answer(|context, reply| {
        let of_master = context.origin == Origin::Master;
        let Some(set) = context.sorted_set(args.get(1))? else {
            scan::answer_nothing(reply);
            return Ok(());
        };
        let mut options = scan::Options::read(args, 2, false)?;
        let no_scores = options.no_scores && (of_master || dialect.is_valkey_since(8, 1));
        options.no_scores &= !no_scores;
        options.refuse_no_values(dialect)?;
        let (next, found) =
            options.walk(set.len(), |index| set.by_index(index).filter(|(member, _)| options.matches(member)));
        let compact = set.is_compact();
        reply.array(2);
        reply.bulk(next.to_string().as_bytes());
        reply.array(if no_scores { found.len() } else { 2 * found.len() });
        for (member, score) in found {
            reply.bulk(member);
            if !no_scores {
                // What is no listpack tells its scores in the old way in all versions.
                reply.bulk(&if compact { score_text(score, dialect) } else { seventeen(score) });
            }
        }
        Ok(())
    })
}
