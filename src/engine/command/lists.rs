//! Lists.
//!
//! The commands that wait (BLPOP, BRPOP, BLMOVE, BRPOPLPUSH, BLMPOP) ask for it with `Request::Block` and answer nothing.
//! In vain they have waited, BLPOP, BRPOP and BLMPOP answer the null array, BLMOVE and BRPOPLPUSH the null string.

use super::{Context, Flag, Keys, Outcome, Spec};
use crate::engine::args::Args;
use crate::engine::error::CommandError;
use crate::engine::events::Class;
use crate::engine::value::{Blob, Decimal, List};

const WRITE: &[Flag] = &[Flag::Write];
const GROW: &[Flag] = &[Flag::Write, Flag::DenyOom];
const FAST_GROW: &[Flag] = &[Flag::Write, Flag::DenyOom, Flag::Fast];
const FAST_WRITE: &[Flag] = &[Flag::Write, Flag::Fast];
const READ: &[Flag] = &[Flag::Read];
const WAIT: &[Flag] = &[Flag::Write, Flag::Blocking];
const WAIT_GROW: &[Flag] = &[Flag::Write, Flag::DenyOom, Flag::Blocking];

pub(super) const COMMANDS: &[Spec] = &[
    Spec::new("LPUSH", -3, FAST_GROW, Keys::ONE, lpush),
    Spec::new("RPUSH", -3, FAST_GROW, Keys::ONE, rpush),
    Spec::new("LPUSHX", -3, FAST_GROW, Keys::ONE, lpushx),
    Spec::new("RPUSHX", -3, FAST_GROW, Keys::ONE, rpushx),
    Spec::new("LPOP", -2, FAST_WRITE, Keys::ONE, lpop),
    Spec::new("RPOP", -2, FAST_WRITE, Keys::ONE, rpop),
    Spec::new("LLEN", 2, &[Flag::Read, Flag::Fast], Keys::ONE, llen),
    Spec::new("LRANGE", 4, READ, Keys::ONE, lrange),
    Spec::new("LINDEX", 3, READ, Keys::ONE, lindex),
    Spec::new("LSET", 4, GROW, Keys::ONE, lset),
    Spec::new("LINSERT", 5, GROW, Keys::ONE, linsert),
    Spec::new("LREM", 4, WRITE, Keys::ONE, lrem),
    Spec::new("LTRIM", 4, WRITE, Keys::ONE, ltrim),
    Spec::new("LPOS", -3, READ, Keys::ONE, lpos).since(6, 0),
    Spec::new("LMOVE", 5, GROW, Keys::TWO, lmove).since(6, 2),
    Spec::new("RPOPLPUSH", 3, GROW, Keys::TWO, rpoplpush),
    Spec::new("LMPOP", -4, WRITE, Keys::NONE, lmpop).since(7, 0),
    Spec::new("BLPOP", -3, WAIT, Keys::new(1, -2, 1), blpop),
    Spec::new("BRPOP", -3, WAIT, Keys::new(1, -2, 1), brpop),
    Spec::new("BLMOVE", 6, WAIT_GROW, Keys::TWO, blmove).since(6, 2),
    Spec::new("BRPOPLPUSH", 4, WAIT_GROW, Keys::TWO, brpoplpush),
    Spec::new("BLMPOP", -5, WAIT, Keys::NONE, blmpop).since(7, 0),
];

/// An end of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Left,
    Right,
}

impl End {
    fn read(args: Args<'_>, index: usize) -> Result<Self, CommandError> {
        match () {
            () if args.is(index, "LEFT") => Ok(Self::Left),
            () if args.is(index, "RIGHT") => Ok(Self::Right),
            () => Err(CommandError::SYNTAX),
        }
    }

    fn push(self, list: &mut List, element: Blob) {
        match self {
            Self::Left => list.push_front(element),
            Self::Right => list.push_back(element),
        }
    }

    fn pop(self, list: &mut List) -> Option<Blob> {
        match self {
            Self::Left => list.pop_front(),
            Self::Right => list.pop_back(),
        }
    }

    /// What a push here is called, and a pop.
    fn events(self) -> (&'static str, &'static str) {
        match self {
            Self::Left => ("lpush", "lpop"),
            Self::Right => ("rpush", "rpop"),
        }
    }

    fn lower_word(self) -> &'static [u8] {
        match self {
            Self::Left => b"left",
            Self::Right => b"right",
        }
    }

    /// The command that pops here.
    fn pop_word(self) -> &'static [u8] {
        match self {
            Self::Left => b"LPOP",
            Self::Right => b"RPOP",
        }
    }
}

fn lpush(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    push(context, args, End::Left, false)
}

fn rpush(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    push(context, args, End::Right, false)
}

fn lpushx(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    push(context, args, End::Left, true)
}

fn rpushx(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    push(context, args, End::Right, true)
}

fn push(context: &mut Context<'_>, args: Args<'_>, end: End, only_if_there: bool) -> Outcome {
    let key = args.get(1);
    if only_if_there && context.list(key)?.is_none() {
        context.reply.flag(false);
        return Ok(());
    }
    let list = context.list_or_new(key)?;
    for element in args.from(2) {
        end.push(list, element.into());
    }
    let length = list.len();
    context.changed(key, args.len() as u64 - 2);
    context.signal(key);
    context.notify(Class::List, end.events().0, key);
    context.reply.count(length);
    Ok(())
}

fn lpop(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    pop(context, args, End::Left, "lpop")
}

fn rpop(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    pop(context, args, End::Right, "rpop")
}

fn pop(context: &mut Context<'_>, args: Args<'_>, end: End, name: &str) -> Outcome {
    let key = args.get(1);
    if args.len() > 3 {
        return Err(CommandError::arity(name));
    }
    if args.len() == 2 {
        match pop_one(context, key, end)? {
            Some(element) => context.reply.bulk(&element),
            None => context.reply.null(),
        }
        return Ok(());
    }
    let count = args.at_least(2, 0, CommandError::NEGATIVE_TEXT)?;
    match context.list(key)? {
        Some(_) => {
            pop_some(context, key, end, count)?;
        }
        None => context.reply.null_array(),
    }
    Ok(())
}

/// Takes one element.
fn pop_one(context: &mut Context<'_>, key: &[u8], end: End) -> Result<Option<Blob>, CommandError> {
    let Some(list) = context.list_mut(key)? else { return Ok(None) };
    let element = end.pop(list);
    let emptied = list.is_empty();
    if element.is_some() {
        context.changed(key, 1);
        context.notify(Class::List, end.events().1, key);
    }
    if emptied {
        context.settle(key);
    }
    Ok(element)
}

/// Takes so many elements at most and answers with them; gives how many there were.
fn pop_some(context: &mut Context<'_>, key: &[u8], end: End, count: i64) -> Result<usize, CommandError> {
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    let taken = context.answer(|context, reply| {
        let Some(list) = context.list_mut(key)? else { return Ok(0) };
        let count = count.min(list.len());
        reply.array(count);
        for _ in 0..count {
            if let Some(element) = end.pop(list) {
                reply.bulk(&element);
            }
        }
        Ok(count)
    })?;
    if taken > 0 {
        context.notify(Class::List, end.events().1, key);
        context.settle(key);
        context.changed(key, 1);
    }
    Ok(taken)
}

fn llen(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let length = context.list(args.get(1))?.map_or(0, List::len);
    context.reply.count(length);
    Ok(())
}

/// The elements from one index to another, both included and counted from the end if negative, as a range of places.
pub(super) fn range(start: i64, end: i64, length: usize) -> std::ops::Range<usize> {
    let total = i64::try_from(length).unwrap_or(i64::MAX);
    let place = |index: i64| if index < 0 { total.saturating_add(index).max(0) } else { index };
    // An end before the beginning is not cut to it.
    let last = if end < 0 { total.saturating_add(end) } else { end };
    let (start, end) = (place(start), last.min(total - 1).saturating_add(1));
    if start >= end { 0..0 } else { start as usize..end as usize }
}

fn lrange(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let (start, end) = (args.integer(2)?, args.integer(3)?);
    context.answer(|context, reply| {
        let Some(list) = context.list(args.get(1))? else {
            reply.array(0);
            return Ok(());
        };
        let range = range(start, end, list.len());
        reply.array(range.len());
        for element in list.range(range) {
            reply.bulk(element);
        }
        Ok(())
    })
}

/// The place that an index means, counted from the end if it is negative.
fn place(index: i64, length: usize) -> Option<usize> {
    match usize::try_from(index) {
        Ok(index) => (index < length).then_some(index),
        Err(_) => length.checked_sub(usize::try_from(index.unsigned_abs()).ok()?),
    }
}

fn lindex(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let element = match context.list(args.get(1))? {
        Some(list) => {
            let index = args.integer(2)?;
            place(index, list.len()).and_then(|at| list.get(at)).cloned()
        }
        None => None,
    };
    context.reply.bulk_or_null(element.as_deref());
    Ok(())
}

fn lset(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let key = args.get(1);
    let length = context.list(key)?.ok_or(CommandError::NO_SUCH_KEY)?.len();
    let index = args.integer(2)?;
    // Since 7.2 servers take 32 bits of the index and forget the others.
    let index = if context.engine.dialect.since(7, 2) { i64::from(index as i32) } else { index };
    let at = place(index, length).ok_or(CommandError::OUT_OF_RANGE)?;
    if let Some(element) = context.list_mut(key)?.and_then(|list| list.get_mut(at)) {
        *element = args.get(3).into();
    }
    context.changed(key, 1);
    context.notify(Class::List, "lset", key);
    context.reply.ok();
    Ok(())
}

fn linsert(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let (key, pivot) = (args.get(1), args.get(3));
    let after = match () {
        () if args.is(2, "AFTER") => 1,
        () if args.is(2, "BEFORE") => 0,
        () => return Err(CommandError::SYNTAX),
    };
    let Some(list) = context.list(key)? else {
        context.reply.integer(0);
        return Ok(());
    };
    let Some(at) = list.iter().position(|element| **element == *pivot) else {
        context.reply.integer(-1);
        return Ok(());
    };
    let length = list.len() + 1;
    if let Some(list) = context.list_mut(key)? {
        list.insert(at + after, args.get(4).into());
    }
    context.changed(key, 1);
    context.notify(Class::List, "linsert", key);
    context.reply.count(length);
    Ok(())
}

fn lrem(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let (key, element) = (args.get(1), args.get(3));
    let count = args.integer(2)?;
    if count == i64::MIN && context.engine.dialect.since(7, 2) {
        return Err(CommandError::NOT_SYMMETRIC);
    }
    let limit = if count == 0 { usize::MAX } else { usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX) };
    let matching = context.list(key)?.map_or(0, |list| list.iter().filter(|other| ***other == *element).count());
    let removed = matching.min(limit);
    if removed > 0
        && let Some(list) = context.list_mut(key)?
    {
        // From the end, those in front of the last ones stay.
        let stay = if count < 0 { matching - removed } else { 0 };
        let mut seen = 0;
        list.retain(|other| {
            if **other != *element {
                return true;
            }
            seen += 1;
            seen <= stay || seen > stay + removed
        });
        context.notify(Class::List, "lrem", key);
        context.settle(key);
        context.changed(key, removed as u64);
    }
    context.reply.count(removed);
    Ok(())
}

fn ltrim(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let key = args.get(1);
    let (start, end) = (args.integer(2)?, args.integer(3)?);
    if let Some(length) = context.list(key)?.map(List::len) {
        let kept = range(start, end, length);
        let removed = length - kept.len();
        if removed > 0
            && let Some(list) = context.list_mut(key)?
        {
            list.truncate(kept.end);
            list.drain(..kept.start);
        }
        // Redis tells those who watch it even where nothing is trimmed. (Seen on 6.2 to 9.1.)
        if removed > 0 || !context.engine.dialect.is_valkey_since(8, 0) {
            context.notify(Class::List, "ltrim", key);
            context.settle(key);
            context.changed(key, removed as u64);
        }
    }
    context.reply.ok();
    Ok(())
}

fn lpos(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let (mut rank, mut count, mut most, mut index) = (1_i64, None, 0_usize, 3);
    while index < args.len() {
        if index + 1 >= args.len() {
            return Err(CommandError::SYNTAX);
        }
        let number = |negative: &'static str| {
            let number = args.integer(index + 1).ok().and_then(|number| usize::try_from(number).ok());
            number.ok_or(CommandError::fixed(negative))
        };
        if args.is(index, "RANK") {
            rank = args.integer(index + 1)?;
            check_rank(context, rank)?;
        } else if args.is(index, "COUNT") {
            count = Some(number("ERR COUNT can't be negative")?);
        } else if args.is(index, "MAXLEN") {
            most = number("ERR MAXLEN can't be negative")?;
        } else {
            return Err(CommandError::SYNTAX);
        }
        index += 2;
    }
    let limit = if most == 0 { usize::MAX } else { most };
    let wanted = match count {
        None => 1,
        Some(0) => usize::MAX,
        Some(count) => count,
    };
    let element = args.get(2);
    // Before 7.2 the least rank is below every count of matches, like -1. (Seen on 6.2 and 7.0.)
    let skip = if rank == i64::MIN { 0 } else { usize::try_from(rank.unsigned_abs() - 1).unwrap_or(usize::MAX) };
    let places: Vec<usize> = match context.list(args.get(1))? {
        Some(list) => {
            let is_it = |(_, other): &(usize, &Blob)| ***other == *element;
            let elements = list.iter().enumerate();
            let place = |(place, _)| place;
            if rank > 0 {
                elements.take(limit).filter(is_it).map(place).skip(skip).take(wanted).collect()
            } else {
                elements.rev().take(limit).filter(is_it).map(place).skip(skip).take(wanted).collect()
            }
        }
        None => Vec::new(),
    };
    match (count, places.first()) {
        (None, Some(place)) => context.reply.count(*place),
        (None, None) => context.reply.null(),
        (Some(_), _) => {
            context.reply.array(places.len());
            places.iter().for_each(|place| context.reply.count(*place));
        }
    }
    Ok(())
}

fn check_rank(context: &Context<'_>, rank: i64) -> Outcome {
    match rank {
        0 if context.engine.dialect.since(7, 0) => Err(CommandError::fixed(
            "ERR RANK can't be zero: use 1 to start from the first match, 2 from the second ... \
             or use negative to start from the end of the list",
        )),
        0 => Err(CommandError::fixed(
            "ERR RANK can't be zero: use 1 to start from the first match, 2 from the second, ...",
        )),
        i64::MIN if context.engine.dialect.since(7, 2) => Err(CommandError::NOT_SYMMETRIC),
        _ => Ok(()),
    }
}

fn lmove(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let (from, to) = (End::read(args, 3)?, End::read(args, 4)?);
    match move_one(context, args, from, to)? {
        Some(element) => context.reply.bulk(&element),
        None => context.reply.null(),
    }
    Ok(())
}

fn rpoplpush(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    match move_one(context, args, End::Right, End::Left)? {
        Some(element) => context.reply.bulk(&element),
        None => context.reply.null(),
    }
    Ok(())
}

/// Moves an element from the first key to the second; gives it, or `None` where there is none.
fn move_one(context: &mut Context<'_>, args: Args<'_>, from: End, to: End) -> Result<Option<Blob>, CommandError> {
    let (source, target) = (args.get(1), args.get(2));
    if context.list(source)?.is_none() {
        return Ok(None);
    }
    context.list(target)?;
    let Some(element) = context.list_mut(source)?.and_then(|list| from.pop(list)) else { return Ok(None) };
    to.push(context.list_or_new(target)?, element.clone());
    context.notify(Class::List, to.events().0, target);
    context.notify(Class::List, from.events().1, source);
    context.settle(source);
    context.changed(source, 1);
    context.changed(target, 0);
    context.signal(target);
    Ok(Some(element))
}

fn lmpop(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    super::pop_at_once(context, args, pop_of_many)
}

fn blmpop(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    super::pop_or_wait(context, args, pop_of_many)
}

/// `numkeys key … LEFT|RIGHT [COUNT n]`: pops from the first of the lists that there is, and answers so; tells whether
/// there was one.
fn pop_of_many(context: &mut Context<'_>, args: Args<'_>, index: usize) -> Result<bool, CommandError> {
    let (keys, index) = args.keys(index, "ERR numkeys should be greater than 0")?;
    let end = End::read(args, index)?;
    let count = count_option(args, index + 1)?;
    for key in keys {
        if context.list(key)?.is_some() {
            context.reply.array(2);
            context.reply.bulk(key);
            let taken = pop_some(context, key, end, count)?;
            context.propagate(&[end.pop_word(), key, Decimal::new().format(taken).as_bytes()]);
            return Ok(true);
        }
    }
    Ok(false)
}

/// `[COUNT n]` at the end of LMPOP and ZMPOP.
pub(super) fn count_option(args: Args<'_>, index: usize) -> Result<i64, CommandError> {
    let follow = args.len() - index.min(args.len());
    if follow == 0 {
        return Ok(1);
    }
    if follow == 1 || !args.is(index, "COUNT") {
        return Err(CommandError::SYNTAX);
    }
    // The count is looked at before what may be too much behind it.
    let count = args.at_least(index + 1, 1, "ERR count should be greater than 0")?;
    if follow == 2 { Ok(count) } else { Err(CommandError::SYNTAX) }
}

fn blpop(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    pop_or_wait(context, args, End::Left)
}

fn brpop(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    pop_or_wait(context, args, End::Right)
}

fn pop_or_wait(context: &mut Context<'_>, args: Args<'_>, end: End) -> Outcome {
    let last = args.len() - 1;
    let until = args.timeout(last, context.now, context.engine.dialect)?;
    let keys = args.until(last).from(1);
    for key in keys.clone() {
        if let Some(element) = pop_one(context, key, end)? {
            context.reply.array(2);
            context.reply.bulk(key);
            context.reply.bulk(&element);
            context.propagate(&[end.pop_word(), key]);
            return Ok(());
        }
    }
    context.block(keys, until);
    Ok(())
}

fn blmove(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let (from, to) = (End::read(args, 3)?, End::read(args, 4)?);
    let until = args.timeout(5, context.now, context.engine.dialect)?;
    let (mut where_from, mut where_to) = (args.get(3), args.get(4));
    if context.engine.reruns && !context.engine.dialect.since(7, 2) {
        // Who has waited is served in words of the server's own. (Seen on 6.2.14 and 7.0.15.)
        (where_from, where_to) = (from.lower_word(), to.lower_word());
    }
    let words = [b"LMOVE", args.get(1), args.get(2), where_from, where_to];
    move_or_wait(context, args, from, to, until, &words)
}

fn brpoplpush(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let until = args.timeout(3, context.now, context.engine.dialect)?;
    let words = [b"RPOPLPUSH", args.get(1), args.get(2)];
    move_or_wait(context, args, End::Right, End::Left, until, &words)
}

fn move_or_wait(
    context: &mut Context<'_>,
    args: Args<'_>,
    from: End,
    to: End,
    until: Option<i64>,
    words: &[&[u8]],
) -> Outcome {
    match move_one(context, args, from, to)? {
        Some(element) => {
            context.reply.bulk(&element);
            context.propagate(words);
        }
        None => context.block(std::iter::once(args.get(1)), until),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::engine::testing::Play;

    #[test]
    fn answers_and_effects() {
        let mut play = Play::new("redis-7.0");
        let rows = [
            ("RPUSH l a b c a b", "5", "RPUSH l a b c a b"),
            ("LPUSHX no a", "0", ""),
            ("LPOS l a RANK -1", "3", ""),
            ("LPOS l a COUNT 0 RANK -1", "[3 0]", ""),
            ("LPOS l b RANK 2 MAXLEN 4", "(nil)", ""),
            ("LPOS l z COUNT 1", "[]", ""),
            ("LRANGE l -3 -1", "[c a b]", ""),
            ("LRANGE l 1 -100", "[]", ""),
            ("LINDEX l -5", "a", ""),
            ("LINDEX l -6", "(nil)", ""),
            ("LINDEX l x", "-ERR value is not an integer or out of range", ""),
            ("LINDEX no x", "(nil)", ""),
            ("LSET l -1 z", "OK", "LSET l -1 z"),
            ("LSET l 5 z", "-ERR index out of range", ""),
            ("LSET no x z", "-ERR no such key", ""),
            ("LINSERT l AFTER b y", "6", "LINSERT l AFTER b y"),
            ("LINSERT l AFTER q y", "-1", ""),
            ("LREM l -1 a", "1", "LREM l -1 a"),
            ("LREM l -9223372036854775808 q", "0", ""),
            ("LRANGE l 0 -1", "[a b y c z]", ""),
            ("LTRIM l 0 -1", "OK", ""),
            ("LTRIM l 1 3", "OK", "LTRIM l 1 3"),
            ("LPOP l 0", "[]", ""),
            ("LPOP no 0", "(nil)", ""),
            ("LPOP l -1", "-ERR value is out of range, must be positive", ""),
            ("LMOVE l l LEFT RIGHT", "b", "LMOVE l l LEFT RIGHT"),
            ("RPOPLPUSH l m", "b", "RPOPLPUSH l m"),
            ("LMPOP 3 no l m RIGHT COUNT 9", "[l [c y]]", "RPOP l 2"),
            ("LMPOP 1 m LEFT", "[m [b]]", "LPOP m 1"),
            ("LMPOP 1 m LEFT", "(nil)", ""),
            ("LMPOP 2 m LEFT", "-ERR syntax error", ""),
            ("LMPOP 1 m LEFT COUNT 0", "-ERR count should be greater than 0", ""),
            ("LMPOP 1 m LEFT COUNT -1 more", "-ERR count should be greater than 0", ""),
            ("LMPOP 1 m LEFT COUNT 1 COUNT 1", "-ERR syntax error", ""),
            ("DBSIZE", "0", ""),
        ];
        play.rows(&rows);
    }

    #[test]
    fn who_cannot_be_served_waits() {
        let mut play = Play::new("redis-7.0");
        let until = |at: &str, keys: &str| format!("Block {{ keys: [{keys}], until: {at} }}");
        for (line, keys, at) in [
            ("BLPOP a b 1.5", r#""a", "b""#, "Some(1700000001500)"),
            ("BRPOP a 0", r#""a""#, "None"),
            ("BLMOVE a b LEFT RIGHT 0.0001", r#""a""#, "Some(1700000000001)"),
            ("BRPOPLPUSH a b 0", r#""a""#, "None"),
            ("BLMPOP 1 2 a b LEFT", r#""a", "b""#, "Some(1700000001000)"),
        ] {
            assert_eq!((play.run(line), play.stream()), (until(at, keys), String::new()), "{line}");
        }
        play.run("RPUSH b 1 2 3 4 5 6");
        play.stream();
        play.rows(&[
            ("BLPOP a b 1", "[b 1]", "LPOP b"),
            ("BRPOP a b 1", "[b 6]", "RPOP b"),
            ("BLMOVE b c LEFT RIGHT 1", "2", "LMOVE b c LEFT RIGHT"),
            ("BRPOPLPUSH b c 1", "5", "RPOPLPUSH b c"),
            ("BLMPOP 1 2 a b LEFT COUNT 5", "[b [3 4]]", "LPOP b 2"),
            ("BLPOP c -1", "-ERR timeout is negative", ""),
            ("BLPOP c x", "-ERR timeout is not a float or out of range", ""),
            ("BLPOP c 1e300", "-ERR timeout is negative", ""),
        ]);
    }

    #[test]
    fn an_index_of_lset_has_32_bits_since_7_2() {
        for (dialect, answer) in [("redis-7.0", "-ERR index out of range"), ("redis-8.2", "OK"), ("valkey-8.1", "OK")] {
            let mut play = Play::new(dialect);
            play.run("RPUSH l a b");
            assert_eq!(play.run("LSET l 9223372036854775807 z"), answer);
        }
    }

    #[test]
    fn nothing_waits_in_a_transaction() {
        let mut play = Play::new("redis-7.0");
        for line in ["MULTI", "BLPOP a 0", "BLMOVE a b LEFT LEFT 0"] {
            play.run(line);
        }
        assert_eq!(play.raw("EXEC"), "*2\r\n*-1\r\n$-1\r\n");
    }
}
