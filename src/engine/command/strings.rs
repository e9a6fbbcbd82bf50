//! Strings.

use super::{Context, Flag, Keys, Outcome, Spec};
use crate::engine::args::Args;
use crate::engine::context::Origin;
use crate::engine::error::CommandError;
use crate::engine::events::Class;
use crate::engine::keyspace::NEVER;
use crate::engine::long_double::LongDouble;
use crate::engine::value::{Decimal, Text, Value, integer};

const WRITE: &[Flag] = &[Flag::Write, Flag::DenyOom];
const FAST_WRITE: &[Flag] = &[Flag::Write, Flag::DenyOom, Flag::Fast];
const FAST_READ: &[Flag] = &[Flag::Read, Flag::Fast];

pub(super) const COMMANDS: &[Spec] = &[
    Spec::new("GET", 2, FAST_READ, Keys::ONE, get),
    Spec::new("SET", -3, WRITE, Keys::ONE, set),
    Spec::new("SETNX", 3, FAST_WRITE, Keys::ONE, setnx),
    Spec::new("SETEX", 4, WRITE, Keys::ONE, setex),
    Spec::new("PSETEX", 4, WRITE, Keys::ONE, psetex),
    Spec::new("GETSET", 3, FAST_WRITE, Keys::ONE, getset),
    Spec::new("GETDEL", 2, &[Flag::Write, Flag::Fast], Keys::ONE, getdel).since(6, 2),
    Spec::new("GETEX", -2, &[Flag::Write, Flag::Fast], Keys::ONE, getex).since(6, 2),
    Spec::new("MGET", -2, FAST_READ, Keys::ALL, mget),
    Spec::new("MSET", -3, WRITE, Keys::new(1, -1, 2), mset),
    Spec::new("MSETNX", -3, WRITE, Keys::new(1, -1, 2), msetnx),
    Spec::new("INCR", 2, FAST_WRITE, Keys::ONE, incr),
    Spec::new("DECR", 2, FAST_WRITE, Keys::ONE, decr),
    Spec::new("INCRBY", 3, FAST_WRITE, Keys::ONE, incrby),
    Spec::new("DECRBY", 3, FAST_WRITE, Keys::ONE, decrby),
    Spec::new("APPEND", 3, FAST_WRITE, Keys::ONE, append),
    Spec::new("STRLEN", 2, FAST_READ, Keys::ONE, strlen),
    Spec::new("GETRANGE", 4, &[Flag::Read], Keys::ONE, getrange),
    Spec::new("SUBSTR", 4, &[Flag::Read], Keys::ONE, getrange),
    Spec::new("SETRANGE", 4, WRITE, Keys::ONE, setrange),
    Spec::new("INCRBYFLOAT", 3, FAST_WRITE, Keys::ONE, incrbyfloat),
    Spec::new("LCS", -3, &[Flag::Read], Keys::TWO, lcs).since(7, 0),
    Spec::new("STRALGO", -2, &[Flag::Read], Keys::NONE, stralgo).since(6, 0).only(|dialect| !dialect.since(7, 0)),
    Spec::new("DELIFEQ", 3, &[Flag::Write, Flag::Fast], Keys::ONE, delifeq)
        .only(|dialect| dialect.is_valkey_since(9, 0)),
    Spec::new("MSETEX", -4, WRITE, Keys::NONE, msetex)
        .only(|dialect| dialect.is_valkey_since(9, 1) || dialect.is_redis_since(8, 4)),
    Spec::new("DELEX", -2, &[Flag::Write, Flag::Fast], Keys::ONE, delex).only(|dialect| dialect.is_redis_since(8, 4)),
];

/// `proto-max-bulk-len`: strings do not grow beyond it.
const LONGEST: u64 = 512 << 20;

fn get(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    answer(context, args.get(1))
}

/// Answers with a key's string or null.
fn answer(context: &mut Context<'_>, key: &[u8]) -> Outcome {
    // The reply is written while the value is borrowed, so it is taken out of the context for so long.
    let mut reply = std::mem::take(context.reply);
    let outcome = context.reading(|context| {
        context.string(key).map(|text| match text {
            Some(text) => reply.bulk(text.bytes(&mut Decimal::new())),
            None => reply.null(),
        })
    });
    *context.reply = reply;
    outcome
}

/// How SETs' and GETEX's times are given.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Clock {
    Seconds,
    Milliseconds,
    UnixSeconds,
    UnixMilliseconds,
}

impl Clock {
    fn of(args: Args<'_>, index: usize) -> Option<Self> {
        [
            ("EX", Self::Seconds),
            ("PX", Self::Milliseconds),
            ("EXAT", Self::UnixSeconds),
            ("PXAT", Self::UnixMilliseconds),
        ]
        .into_iter()
        .find_map(|(word, clock)| args.is(index, word).then_some(clock))
    }

    /// The time in milliseconds since 1970.
    fn time(self, number: i64, context: &Context<'_>, command: &str) -> Result<i64, CommandError> {
        let now = context.now;
        let invalid = || CommandError::expire_time(command, context.engine.dialect);
        if number <= 0 {
            return Err(invalid());
        }
        let milliseconds = match self {
            Self::Seconds | Self::UnixSeconds => number.checked_mul(1000).ok_or_else(invalid)?,
            Self::Milliseconds | Self::UnixMilliseconds => number,
        };
        match self {
            Self::Seconds | Self::Milliseconds => milliseconds.checked_add(now).ok_or_else(invalid),
            Self::UnixSeconds | Self::UnixMilliseconds => Ok(milliseconds),
        }
    }
}

/// On which condition SET sets.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Condition<'a> {
    Always,
    Absent,
    Present,
    Equal(&'a [u8]),
}

struct SetOptions<'a> {
    condition: Condition<'a>,
    get: bool,
    keep: bool,
    expires_at: Option<i64>,
    clock: Option<Clock>,
    /// Where the time stands.
    time: usize,
}

fn set_options<'a>(context: &Context<'_>, args: Args<'a>) -> Result<SetOptions<'a>, CommandError> {
    let mut options =
        SetOptions { condition: Condition::Always, get: false, keep: false, expires_at: None, clock: None, time: 0 };
    let mut index = 3;
    while index < args.len() {
        let unconditional = options.condition == Condition::Always;
        if args.is(index, "NX") && unconditional {
            options.condition = Condition::Absent;
        } else if args.is(index, "XX") && unconditional {
            options.condition = Condition::Present;
        } else if args.is(index, "IFEQ") && unconditional && index + 1 < args.len() && context.knows_ifeq() {
            options.condition = Condition::Equal(args.get(index + 1));
            index += 1;
        } else if args.is(index, "GET") {
            options.get = true;
        } else if args.is(index, "KEEPTTL") && options.clock.is_none() {
            options.keep = true;
        } else if let Some(clock) = Clock::of(args, index).filter(|_| !options.keep && options.clock.is_none()) {
            if index + 1 >= args.len() {
                return Err(CommandError::SYNTAX);
            }
            (options.clock, options.time) = (Some(clock), index + 1);
            index += 1;
        } else {
            return Err(CommandError::SYNTAX);
        }
        index += 1;
    }
    // Until 7.0 the two excluded each other.
    if options.get && options.condition == Condition::Absent && !context.engine.dialect.since(7, 0) {
        return Err(CommandError::SYNTAX);
    }
    if let Some(clock) = options.clock {
        options.expires_at = Some(clock.time(args.integer(options.time)?, context, "set")?);
    }
    Ok(options)
}

fn set(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let (key, value) = (args.get(1), args.get(2));
    let options = set_options(context, args)?;
    let answered = context.reply.len();
    if options.get {
        answer(context, key)?;
    }
    let holds = match options.condition {
        Condition::Always => true,
        Condition::Absent => !context.exists(key),
        Condition::Present => context.exists(key),
        Condition::Equal(wanted) => context.string(key)?.is_some_and(|text| text.bytes(&mut Decimal::new()) == wanted),
    };
    if !holds {
        if !options.get {
            context.reply.null();
        }
        return Ok(());
    }
    let expires_at = match options.expires_at {
        Some(expires_at) => expires_at,
        None if options.keep => context.entry(key).and_then(|entry| entry.expires_at()).unwrap_or(NEVER),
        None => {
            // A key that has expired is deleted first, and said so.
            context.make_way(key);
            NEVER
        }
    };
    if options.expires_at.is_some_and(|expires_at| set_in_the_past(context, key, expires_at)) {
        if !options.get {
            context.reply.ok();
        }
        return Ok(());
    }
    context.put(key, value.into(), expires_at);
    context.changed(key, 1);
    context.notify(Class::String, "set", key);
    if let Some(expires_at) = options.expires_at {
        context.notify(Class::Generic, "expire", key);
        propagate_set(context, args, expires_at, options.clock);
    } else if options.get {
        without_get(context, args);
    }
    if context.reply.len() == answered && !options.get {
        context.reply.ok();
    }
    Ok(())
}

/// A time goes into the stream as it will be, so that a replica needs no clock: since 7.0 as a date, in 6.2 what was said
/// in seconds in milliseconds, before as it was said. A date in milliseconds is passed on with all else that was said
/// since 7.2. (Seen on 2.8 to 9.1.)
fn propagate_set(context: &mut Context<'_>, args: Args<'_>, expires_at: i64, clock: Option<Clock>) {
    let dialect = context.engine.dialect;
    if dialect.since(7, 2) && clock == Some(Clock::UnixMilliseconds) || !dialect.since(6, 2) {
        return;
    }
    let mut decimal = Decimal::new();
    let relative = matches!(clock, Some(Clock::Seconds | Clock::Milliseconds)) && !dialect.since(7, 0);
    let (word, time) = match relative {
        true => (&b"PX"[..], expires_at.saturating_sub(context.now)),
        false => (&b"PXAT"[..], expires_at),
    };
    context.propagate(&[b"SET", args.get(1), args.get(2), word, decimal.format(time).as_bytes()]);
}

/// Valkey does not give a key a value that would have expired already: what there is goes. Redis gives it and finds it
/// expired later. (Seen on 6.2 to 9.1.)
fn set_in_the_past(context: &mut Context<'_>, key: &[u8], expires_at: i64) -> bool {
    let past = context.engine.dialect.is_valkey_since(8, 0)
        && context.origin == Origin::Client
        && !context.engine.is_replica()
        && expires_at <= context.now;
    if past && context.take(key).is_some() {
        context.changed(key, 1);
        context.notify_past(key);
        let word = context.delete_word();
        context.propagate(&[word, key]);
    }
    past
}

/// GET is no concern of a replica.
fn without_get(context: &mut Context<'_>, args: Args<'_>) {
    let words: Vec<&[u8]> = args
        .from(0)
        .enumerate()
        .filter(|(index, word)| *index < 3 || !word.eq_ignore_ascii_case(b"GET"))
        .map(|(_, word)| word)
        .collect();
    context.propagate(&words);
}

fn setnx(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let absent = !context.exists(args.get(1));
    if absent {
        context.put(args.get(1), args.get(2).into(), NEVER);
        context.changed(args.get(1), 1);
        context.notify(Class::String, "set", args.get(1));
    }
    context.reply.flag(absent);
    Ok(())
}

fn setex(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    set_with_time(context, args, Clock::Seconds, "setex")
}

fn psetex(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    set_with_time(context, args, Clock::Milliseconds, "psetex")
}

fn set_with_time(context: &mut Context<'_>, args: Args<'_>, clock: Clock, command: &str) -> Outcome {
    let expires_at = clock.time(args.integer(2)?, context, command)?;
    let (key, value) = (args.get(1), args.get(3));
    context.make_way(key);
    context.put(key, value.into(), expires_at);
    context.changed(key, 1);
    context.notify(Class::String, "set", key);
    context.notify(Class::Generic, "expire", key);
    let dialect = context.engine.dialect;
    if dialect.since(7, 0) {
        context.propagate(&[b"SET", key, value, b"PXAT", Decimal::new().format(expires_at).as_bytes()]);
    } else if dialect.since(6, 2) {
        let left = expires_at.saturating_sub(context.now);
        context.propagate(&[b"SET", key, value, b"PX", Decimal::new().format(left).as_bytes()]);
    }
    context.reply.ok();
    Ok(())
}

fn getset(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    answer(context, args.get(1))?;
    context.put(args.get(1), args.get(2).into(), NEVER);
    context.changed(args.get(1), 1);
    context.notify(Class::String, "set", args.get(1));
    context.propagate(&[b"SET", args.get(1), args.get(2)]);
    Ok(())
}

fn getdel(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    answer(context, args.get(1))?;
    if context.take(args.get(1)).is_some() {
        context.changed(args.get(1), 1);
        context.notify(Class::Generic, "del", args.get(1));
        // It was asked for, so that Valkey says DEL, too.
        context.propagate(&[b"DEL", args.get(1)]);
    }
    Ok(())
}

fn getex(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let key = args.get(1);
    let expires_at = match args.len() {
        2 => None,
        3 if args.is(2, "PERSIST") => Some(NEVER),
        4 => {
            let clock = Clock::of(args, 2).ok_or(CommandError::SYNTAX)?;
            // Only Valkey since 9.0 looks at the time before it looks for the key. (Seen on 6.2 to 9.1.)
            if !context.engine.dialect.is_valkey_since(9, 0) && context.string(key)?.is_none() {
                return answer(context, key);
            }
            Some(clock.time(args.integer(3)?, context, "getex")?)
        }
        _ => return Err(CommandError::SYNTAX),
    };
    answer(context, key)?;
    let Some(entry) = context.entry(key) else { return Ok(()) };
    let before = entry.expires_at().unwrap_or(NEVER);
    match expires_at {
        None => {}
        Some(NEVER) if before == NEVER => {}
        Some(NEVER) => {
            context.set_expiry(key, NEVER);
            context.changed(key, 1);
            context.notify(Class::Generic, "persist", key);
            context.propagate(&[b"PERSIST", key]);
        }
        Some(expires_at) if expires_at <= context.now && context.origin == Origin::Client => {
            context.take(key);
            context.changed(key, 1);
            context.notify_past(key);
            let word = context.delete_word();
            context.propagate(&[word, key]);
        }
        Some(expires_at) => {
            context.set_expiry(key, expires_at);
            context.changed(key, 1);
            context.notify(Class::Generic, "expire", key);
            // What was said in seconds goes on in milliseconds, since 7.0 as a date.
            let relative = args.is(2, "EX") || args.is(2, "PX");
            let (word, time) = match relative && !context.engine.dialect.since(7, 0) {
                true => (&b"PEXPIRE"[..], expires_at.saturating_sub(context.now)),
                false => (&b"PEXPIREAT"[..], expires_at),
            };
            context.propagate(&[word, key, Decimal::new().format(time).as_bytes()]);
        }
    }
    Ok(())
}

fn mget(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    context.reply.array(args.len() - 1);
    for key in args.from(1) {
        // Another type is no string, and no error.
        if answer(context, key).is_err() {
            context.reply.null();
        }
    }
    Ok(())
}

fn mset(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    if args.len().is_multiple_of(2) {
        return Err(CommandError::arity("mset"));
    }
    put_all(context, args);
    context.reply.ok();
    Ok(())
}

fn msetnx(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    if args.len().is_multiple_of(2) {
        return Err(CommandError::arity("msetnx"));
    }
    let free = args.from(1).step_by(2).all(|key| !context.exists(key));
    if free {
        put_all(context, args);
    }
    context.reply.flag(free);
    Ok(())
}

fn put_all(context: &mut Context<'_>, args: Args<'_>) {
    for (key, value) in args.from(1).step_by(2).zip(args.from(2).step_by(2)) {
        context.make_way(key);
        context.put(key, value.into(), NEVER);
        context.changed(key, 1);
        context.notify(Class::String, "set", key);
    }
}

fn incr(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    add(context, args.get(1), 1)
}

fn decr(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    add(context, args.get(1), -1)
}

fn incrby(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    add(context, args.get(1), args.integer(2)?)
}

fn decrby(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    // The least number has no positive; before 7.0 it was its own, and is on a master's stream. (Seen on 6.2 to 9.1.)
    let wraps = context.origin == Origin::Master || !context.engine.dialect.since(7, 0);
    let number = match args.integer(2)? {
        i64::MIN if wraps => i64::MIN,
        number => number.checked_neg().ok_or(CommandError::fixed("ERR decrement would overflow"))?,
    };
    add(context, args.get(1), number)
}

fn add(context: &mut Context<'_>, key: &[u8], number: i64) -> Outcome {
    let before = match context.string(key)? {
        Some(text) => text.integer().ok_or(CommandError::NOT_INTEGER)?,
        None => 0,
    };
    let sum = before.checked_add(number).ok_or(CommandError::OVERFLOW)?;
    match context.value_mut(key) {
        Some(value) => *value = Value::String(Text::Integer(sum)),
        None => context.put(key, Value::String(Text::Integer(sum)), NEVER),
    }
    context.changed(key, 1);
    context.notify(Class::String, "incrby", key);
    context.reply.integer(sum);
    Ok(())
}

fn append(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let (key, more) = (args.get(1), args.get(2));
    let length = context.string(key)?.map_or(0, Text::len);
    if (length + more.len()) as u64 > LONGEST {
        return Err(CommandError::TOO_LONG);
    }
    if length == 0 && !context.exists(key) {
        context.put(key, more.into(), NEVER);
    } else {
        context.string_or_new(key)?.growing().extend_from_slice(more);
    }
    context.changed(key, 1);
    context.notify(Class::String, "append", key);
    context.reply.count(length + more.len());
    Ok(())
}

fn strlen(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let length = context.string(args.get(1))?.map_or(0, Text::len);
    context.reply.count(length);
    Ok(())
}

fn getrange(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let (start, end) = (args.integer(2)?, args.integer(3)?);
    let mut decimal = Decimal::new();
    let part = match context.string(args.get(1))? {
        Some(text) => {
            let bytes = text.bytes(&mut decimal);
            let length = bytes.len() as i64;
            if start < 0 && end < 0 && start > end {
                Vec::new()
            } else {
                let place = |index: i64| if index < 0 { (length + index).max(0) } else { index };
                let (start, end) = (place(start), place(end).min(length - 1));
                let range = usize::try_from(start).unwrap_or(0)..usize::try_from(end + 1).unwrap_or(0);
                bytes.get(range).unwrap_or_default().to_vec()
            }
        }
        None => Vec::new(),
    };
    context.reply.bulk(&part);
    Ok(())
}

fn setrange(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let (key, part) = (args.get(1), args.get(3));
    let offset = usize::try_from(args.integer(2)?).map_err(|_| CommandError::fixed("ERR offset is out of range"))?;
    let length = context.string(key)?.map_or(0, Text::len);
    if part.is_empty() {
        context.reply.count(length);
        return Ok(());
    }
    let end = offset.saturating_add(part.len());
    if end as u64 > LONGEST {
        return Err(CommandError::TOO_LONG);
    }
    let bytes = context.string_or_new(key)?.growing();
    if bytes.len() < end {
        bytes.resize(end, 0);
    }
    if let Some(place) = bytes.get_mut(offset..end) {
        place.copy_from_slice(part);
    }
    let length = bytes.len();
    context.changed(key, 1);
    context.notify(Class::String, "setrange", key);
    context.reply.count(length);
    Ok(())
}

fn incrbyfloat(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let (key, mut decimal) = (args.get(1), Decimal::new());
    let before = match context.string(key)? {
        Some(text) => LongDouble::parse(text.bytes(&mut decimal)).ok_or(CommandError::NOT_FLOAT)?,
        None => LongDouble::ZERO,
    };
    let number = LongDouble::parse(args.get(2)).ok_or(CommandError::NOT_FLOAT)?;
    let sum = before.plus(number).filter(|sum| sum.is_finite());
    let text = sum.ok_or(CommandError::fixed("ERR increment would produce NaN or Infinity"))?.to_text();
    // The servers keep it as text, whole or not.
    let sum = Value::String(Text::Bytes(text.as_bytes().into()));
    match context.value_mut(key) {
        Some(value) => *value = sum,
        None => context.put(key, sum, NEVER),
    }
    context.changed(key, 1);
    context.notify(Class::String, "incrbyfloat", key);
    // A replica's arithmetic may be another's. KEEPTTL since 6.0.
    let words: &[&[u8]] = &[b"SET", key, text.as_bytes(), b"KEEPTTL"];
    let known = if context.engine.dialect.since(6, 0) { 4 } else { 3 };
    context.propagate(words.get(..known).unwrap_or(words));
    context.reply.bulk(text.as_bytes());
    Ok(())
}

/// The longest table that LCS makes, in cells of four bytes each.
const LCS_CELLS: usize = 64 << 20;

/// What is told of the longest common subsequence.
#[derive(Default)]
struct Common {
    only_length: bool,
    ranges: bool,
    with_lengths: bool,
    least: i64,
}

impl Common {
    /// Reads the option at a place; tells how many words it has, 0 where it is none.
    fn read(&mut self, args: Args<'_>, index: usize) -> Result<usize, CommandError> {
        match () {
            () if args.is(index, "IDX") => self.ranges = true,
            () if args.is(index, "LEN") => self.only_length = true,
            () if args.is(index, "WITHMATCHLEN") => self.with_lengths = true,
            () if args.is(index, "MINMATCHLEN") && index + 1 < args.len() => {
                self.least = args.integer(index + 1)?.max(0);
                return Ok(2);
            }
            () => return Ok(0),
        }
        Ok(1)
    }
}

/// A key's string, to compare with another's.
fn text_to_compare(context: &mut Context<'_>, key: &[u8]) -> Result<Vec<u8>, CommandError> {
    let wrong = CommandError::fixed("ERR The specified keys must contain string values");
    let text = context.string(key).map_err(|_| wrong)?;
    Ok(text.map_or_else(Vec::new, |text| text.bytes(&mut Decimal::new()).to_vec()))
}

fn lcs(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let a = text_to_compare(context, args.get(1))?;
    let b = text_to_compare(context, args.get(2))?;
    let (mut options, mut index) = (Common::default(), 3);
    while index < args.len() {
        index += Some(options.read(args, index)?).filter(|words| *words > 0).ok_or(CommandError::SYNTAX)?;
    }
    tell_common(context, &a, &b, &options)
}

/// STRALGO LCS, which 7.0 made LCS of: of two keys or of two strings.
fn stralgo(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    if !args.is(1, "LCS") {
        return Err(CommandError::SYNTAX);
    }
    let (mut options, mut texts, mut index) = (Common::default(), None, 2);
    while index < args.len() {
        let words = options.read(args, index)?;
        let of_keys = args.is(index, "KEYS");
        match () {
            () if words > 0 => index += words,
            () if (of_keys || args.is(index, "STRINGS")) && index + 2 < args.len() => {
                if texts.is_some() {
                    return Err(CommandError::fixed("ERR Either use STRINGS or KEYS"));
                }
                let (a, b) = (args.get(index + 1), args.get(index + 2));
                texts = Some(match of_keys {
                    true => (text_to_compare(context, a)?, text_to_compare(context, b)?),
                    false => (a.to_vec(), b.to_vec()),
                });
                index += 3;
            }
            () => return Err(CommandError::SYNTAX),
        }
    }
    let missing = "ERR Please specify two strings: STRINGS or KEYS options are mandatory";
    let (a, b) = texts.ok_or(CommandError::fixed(missing))?;
    tell_common(context, &a, &b, &options)
}

fn tell_common(context: &mut Context<'_>, a: &[u8], b: &[u8], options: &Common) -> Outcome {
    let Common { only_length, ranges, with_lengths, least } = *options;
    if ranges && only_length {
        return Err(CommandError::fixed("ERR If you want both the length and indexes, please just use IDX."));
    }
    let width = b.len() + 1;
    let cells = (a.len() + 1).checked_mul(width).filter(|cells| *cells <= LCS_CELLS);
    let cells = cells
        .ok_or(CommandError::fixed("ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len"))?;
    let mut lengths = vec![0_u32; cells];
    let at = |lengths: &[u32], i: usize, j: usize| lengths.get(i * width + j).copied().unwrap_or(0);
    for (i, x) in a.iter().enumerate() {
        for (j, y) in b.iter().enumerate() {
            let length =
                if x == y { at(&lengths, i, j) + 1 } else { at(&lengths, i, j + 1).max(at(&lengths, i + 1, j)) };
            if let Some(cell) = lengths.get_mut((i + 1) * width + j + 1) {
                *cell = length;
            }
        }
    }
    let length = at(&lengths, a.len(), b.len());
    if only_length {
        context.reply.integer(length.into());
        return Ok(());
    }
    // Backwards from the end, as servers go, so that it is the same one of several.
    let (mut i, mut j) = (a.len(), b.len());
    let mut found = Vec::with_capacity(length as usize);
    let mut runs: Vec<(usize, usize, usize)> = Vec::new();
    while i > 0 && j > 0 {
        let (x, y) = (a.get(i - 1), b.get(j - 1));
        if x == y {
            found.extend(x);
            match runs.last_mut() {
                Some((first, second, length)) if *first == i && *second == j => {
                    (*first, *second, *length) = (i - 1, j - 1, *length + 1);
                }
                _ => runs.push((i - 1, j - 1, 1)),
            }
            (i, j) = (i - 1, j - 1);
        } else if at(&lengths, i - 1, j) > at(&lengths, i, j - 1) {
            i -= 1;
        } else {
            j -= 1;
        }
    }
    if !ranges {
        found.reverse();
        context.reply.bulk(&found);
        return Ok(());
    }
    runs.retain(|(.., length)| *length as i64 >= least);
    context.reply.map(2);
    context.reply.bulk(b"matches");
    context.reply.array(runs.len());
    for (first, second, length) in runs {
        context.reply.array(if with_lengths { 3 } else { 2 });
        for start in [first, second] {
            context.reply.array(2);
            context.reply.count(start);
            context.reply.count(start + length - 1);
        }
        if with_lengths {
            context.reply.count(length);
        }
    }
    context.reply.bulk(b"len");
    context.reply.integer(length.into());
    Ok(())
}

fn delifeq(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let (key, wanted) = (args.get(1), args.get(2));
    let equal = context.string(key)?.is_some_and(|text| text.bytes(&mut Decimal::new()) == wanted);
    delete_if(context, key, equal)
}

fn delete_if(context: &mut Context<'_>, key: &[u8], holds: bool) -> Outcome {
    if holds {
        context.take(key);
        context.changed(key, 1);
        context.notify(Class::Generic, "del", key);
        context.propagate(&[b"DEL", key]);
    }
    context.reply.flag(holds);
    Ok(())
}

/// DELEX of Redis 8.4: IFEQ and IFNE by value. (Its digests are not known here.)
fn delex(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let key = args.get(1);
    let holds = match args.len() {
        2 => context.exists(key),
        4 => {
            let equal = context.string(key)?.map(|text| text.bytes(&mut Decimal::new()) == args.get(3));
            match equal {
                _ if !args.is(2, "IFEQ") && !args.is(2, "IFNE") => return Err(CommandError::SYNTAX),
                None => false,
                Some(equal) => equal == args.is(2, "IFEQ"),
            }
        }
        _ => return Err(CommandError::arity("delex")),
    };
    delete_if(context, key, holds)
}

fn msetex(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let count = integer(args.get(1)).filter(|count| (1..=1 << 31).contains(count));
    let count = count.and_then(|count| usize::try_from(count).ok());
    let count = count.ok_or(CommandError::fixed("ERR invalid numkeys value or out of range"))?;
    let end = count.checked_mul(2).and_then(|words| words.checked_add(2)).filter(|end| *end <= args.len());
    let end = end.ok_or(CommandError::SYNTAX)?;
    let (mut condition, mut expires_at, mut keep, mut clock_at) = (None, None, false, 0);
    let mut index = end;
    while index < args.len() {
        let free = expires_at.is_none() && !keep;
        match Clock::of(args, index) {
            Some(clock) if free && index + 1 < args.len() => {
                clock_at = index;
                expires_at = Some(clock.time(args.integer(index + 1)?, context, "msetex")?);
                index += 1;
            }
            None if args.is(index, "NX") && condition.is_none() => condition = Some(false),
            None if args.is(index, "XX") && condition.is_none() => condition = Some(true),
            None if args.is(index, "KEEPTTL") && free => keep = true,
            _ => return Err(CommandError::SYNTAX),
        }
        index += 1;
    }
    let pairs = args.from(2).step_by(2).zip(args.from(3).step_by(2)).take(count);
    if let Some(wanted) = condition
        && !pairs.clone().all(|(key, _)| context.exists(key) == wanted)
    {
        context.reply.flag(false);
        return Ok(());
    }
    for (key, value) in pairs {
        let before = context.entry(key).and_then(|entry| entry.expires_at()).filter(|_| keep);
        context.put(key, value.into(), expires_at.or(before).unwrap_or(NEVER));
        context.changed(key, 1);
        context.notify(Class::String, "set", key);
        if expires_at.is_some() {
            context.notify(Class::Generic, "expire", key);
        }
    }
    if let Some(expires_at) = expires_at {
        let mut decimal = Decimal::new();
        let time = decimal.format(expires_at).as_bytes();
        let words: Vec<&[u8]> = args
            .from(0)
            .enumerate()
            .map(|(index, word)| match index {
                _ if index == clock_at => &b"PXAT"[..],
                _ if index == clock_at + 1 => time,
                _ => word,
            })
            .collect();
        context.propagate(&words);
    }
    context.reply.flag(true);
    Ok(())
}

impl Context<'_> {
    /// SET IFEQ and DELIFEQ are Valkey's, since 8.1 and 9.0.
    fn knows_ifeq(&self) -> bool {
        self.origin == Origin::Master || self.engine.dialect.is_valkey_since(8, 1)
    }
}

#[cfg(test)]
mod tests {
    use crate::engine::testing::Play;

    #[test]
    fn set_and_what_it_puts_into_the_stream() {
        let mut play = Play::new("redis-7.0");
        let rows = [
            ("SET k v", "OK", "SET k v"),
            ("SET k v NX", "(nil)", ""),
            ("SET k v2 XX GET", "v", "SET k v2 XX"),
            ("SET k v3 KEEPTTL", "OK", "SET k v3 KEEPTTL"),
            ("SET k v EX 100", "OK", "SET k v PXAT 1700000100000"),
            ("SETEX k 100 v", "OK", "SET k v PXAT 1700000100000"),
            ("PSETEX k 1 v", "OK", "SET k v PXAT 1700000000001"),
            ("SETNX k 1", "0", ""),
            ("SETNX nx 1", "1", "SETNX nx 1"),
            ("GETEX k EX 50", "v", "PEXPIREAT k 1700000050000"),
            ("GETEX k PERSIST", "v", "PERSIST k"),
            ("GETEX k", "v", ""),
            ("GETDEL k", "v", "DEL k"),
            ("GETSET k z", "(nil)", "SET k z"),
            ("SET k v PXAT 1000", "OK", "SET k v PXAT 1000"),
            ("SET k v EX 0", "-ERR invalid expire time in 'set' command", ""),
            ("SET k v EX 1 PX 1", "-ERR syntax error", ""),
            ("MSET a 1 b 2", "OK", "MSET a 1 b 2"),
            ("MSETNX a 1 c 2", "0", ""),
            ("MGET a b c", "[1 2 (nil)]", ""),
        ];
        play.rows(&rows);
    }

    #[test]
    fn times_before_7_0_go_into_the_stream_as_they_were_said() {
        for (dialect, stream) in [("redis-6.0", "SET k v EX 3600"), ("redis-6.2", "SET k v PX 3600000")] {
            let mut play = Play::new(dialect);
            play.run("SET k v EX 3600");
            assert_eq!(play.stream(), stream);
        }
    }

    #[test]
    fn a_key_that_has_expired_is_deleted_before_it_is_written() {
        let mut play = Play::new("redis-7.0");
        play.run("SET ex3 1 PX 30");
        play.stream();
        play.now += 31;
        play.run("SET ex3 2");
        assert_eq!(play.stream(), "MULTI | DEL ex3 | SET ex3 2 | EXEC");
        play.run("SET ex4 1 PX 30");
        play.stream();
        play.now += 31;
        assert_eq!((play.run("GET ex4").as_str(), play.stream().as_str()), ("(nil)", "DEL ex4"));
    }

    #[test]
    fn a_replica_hides_what_has_expired_and_waits_for_its_master() {
        let mut play = Play::new("redis-7.0");
        play.engine.set_replica(true);
        assert!(play.apply("SET k v PXAT 1700000000010"));
        play.now += 11;
        assert_eq!(
            (play.run("GET k").as_str(), play.run("DBSIZE").as_str(), play.run("KEYS *").as_str()),
            ("(nil)", "1", "[]")
        );
        assert!(play.apply("APPEND k w"));
        play.now -= 11;
        assert_eq!(play.run("GET k"), "vw");
        assert!(play.apply("DEL k"));
        assert_eq!((play.run("DBSIZE").as_str(), play.stream().as_str()), ("0", ""));
    }

    #[test]
    fn numbers_and_bytes_in_place() {
        let mut play = Play::new("redis-7.0");
        for (line, answer) in [
            ("INCR n", "1"),
            ("INCRBY n 9", "10"),
            ("APPEND n 5", "3"),
            ("DECR n", "104"),
            ("DECRBY n -9223372036854775808", "-ERR decrement would overflow"),
            ("INCRBY n 9223372036854775807", "-ERR increment or decrement would overflow"),
            ("SETRANGE s 2 xy", "4"),
            ("GET s", "\"\\x00\\x00xy\""),
            ("GETRANGE s -2 -1", "xy"),
            ("GETRANGE s 3 1", "\"\""),
            ("SETRANGE s 536870912 x", "-ERR string exceeds maximum allowed size (proto-max-bulk-len)"),
            ("INCR s", "-ERR value is not an integer or out of range"),
        ] {
            assert_eq!(play.run(line), answer, "{line}");
        }
    }

    #[test]
    fn transactions_are_one_unit_and_fail_when_watched_keys_change() {
        let mut play = Play::new("redis-7.0");
        for (line, answer) in [("MULTI", "OK"), ("SET a 1", "QUEUED"), ("INCR a", "QUEUED"), ("EXEC", "[OK 2]")] {
            assert_eq!(play.run(line), answer);
        }
        assert_eq!(play.stream(), "MULTI | SET a 1 | INCR a | EXEC");
        let mut other = crate::engine::Session { id: crate::engine::SessionId(2), ..Default::default() };
        play.run("WATCH a");
        std::mem::swap(&mut play.session, &mut other);
        play.run("SET a 5");
        std::mem::swap(&mut play.session, &mut other);
        for (line, answer) in [("MULTI", "OK"), ("SET a 1", "QUEUED"), ("EXEC", "(nil)"), ("GET a", "5")] {
            assert_eq!(play.run(line), answer);
        }
        play.run("MULTI");
        assert_eq!(play.run("NOSUCH"), "-ERR unknown command 'NOSUCH', with args beginning with: ");
        assert_eq!(play.run("CONFIG|GET x"), "-ERR unknown command 'CONFIG|GET', with args beginning with: 'x' ");
        assert_eq!(play.run("EXEC"), "-EXECABORT Transaction discarded because of previous errors.");
    }

    #[test]
    fn what_is_wrong_is_looked_for_in_the_servers_order() {
        // Asked of Redis 6.2.14, 7.0.15 and 8.2.3, Valkey 8.1.8 and 9.1.2.
        let big = "-ERR value is out of range, value must between -2147483648 and 2147483647";
        for (dialect, quoted) in
            [("redis-6.2", "getex"), ("redis-7.0", "'getex' command"), ("valkey-9.1", "'getex' command")]
        {
            let mut play = Play::new(dialect);
            let invalid = format!("-ERR invalid expire time in {quoted}");
            let early = dialect == "valkey-9.1";
            play.run("RPUSH l a");
            play.run("SET k v");
            play.stream();
            play.rows(&[
                ("SET k v XX PX 0.5 extra", "-ERR syntax error", ""),
                ("SET k v EX 0 NX XX", "-ERR syntax error", ""),
                ("SET no v XX EX 0", &invalid.replace("getex", "set"), ""),
                ("GETEX no EX 0", if early { &invalid } else { "(nil)" }, ""),
                (
                    "GETEX l EX 0",
                    if early { &invalid } else { "-WRONGTYPE Operation against a key holding the wrong kind of value" },
                    "",
                ),
                ("GETEX k EX 0", &invalid, ""),
                ("EXPIRE k 9223372036854775807", &invalid.replace("getex", "expire"), ""),
                ("SELECT 2147483648", big, ""),
                ("SELECT 20", "-ERR DB index is out of range", ""),
                ("MOVE k 9223372036854775807", big, ""),
                ("COPY k b DB 9223372036854775807", big, ""),
                ("SWAPDB 0 9223372036854775807", "-ERR invalid second DB index", ""),
            ]);
        }
    }

    #[test]
    fn the_ends_of_64_bits() {
        // Asked of the same servers.
        let least = "DECRBY k -9223372036854775808";
        let rows = [("SET k 5", "OK", "SET k 5"), (least, "-9223372036854775803", least)];
        Play::new("redis-6.2").rows(&rows);
        let mut play = Play::new("redis-7.0");
        play.rows(&[(least, "-ERR decrement would overflow", ""), ("SET k 5", "OK", "SET k 5")]);
        assert!(play.apply(least));
        assert_eq!(play.run("GET k"), "-9223372036854775803");
        play.run("PEXPIREAT k 9223372036854775807");
        assert_eq!(play.run("EXPIRETIME k"), "9223372036854776");
        assert_eq!(play.run("TTL k"), ((i64::MAX - play.now) / 1000 + 1).to_string());
        // A sum of INCRBYFLOAT is text.
        play.run("SET f 1");
        assert_eq!((play.run("INCRBYFLOAT f 1"), play.run("OBJECT ENCODING f")), ("2".into(), "embstr".into()));
        assert_eq!(play.run("INCR f"), "3");
    }

    #[test]
    fn sums_matches_and_conditions() {
        // Asked of redis-server 7.0.15.
        let mut play = Play::new("redis-7.0");
        play.rows(&[
            ("INCRBYFLOAT f 1.5", "1.5", "SET f 1.5 KEEPTTL"),
            ("INCRBYFLOAT f 0.1", "1.6", "SET f 1.6 KEEPTTL"),
            ("INCRBYFLOAT f inf", "-ERR increment would produce NaN or Infinity", ""),
            ("INCRBYFLOAT f x", "-ERR value is not a valid float", ""),
            ("MSET a ohmytext b mynewtext", "OK", "MSET a ohmytext b mynewtext"),
            ("LCS a b", "mytext", ""),
            ("LCS a b LEN", "6", ""),
            ("LCS a b IDX", "[matches [[[4 7] [5 8]] [[2 3] [0 1]]] len 6]", ""),
            ("LCS a b IDX MINMATCHLEN 4 WITHMATCHLEN", "[matches [[[4 7] [5 8] 4]] len 6]", ""),
            ("LCS a none", "\"\"", ""),
            ("DELIFEQ a x", "-ERR unknown command 'DELIFEQ', with args beginning with: 'a' 'x' ", ""),
        ]);
        // Asked of redis-server 6.2.14.
        let mut play = Play::new("redis-6.2");
        let missing = "-ERR Please specify two strings: STRINGS or KEYS options are mandatory";
        play.rows(&[
            ("MSET a ohmytext b mynewtext", "OK", "MSET a ohmytext b mynewtext"),
            ("SADD set x", "1", "SADD set x"),
            ("STRALGO LCS KEYS a b", "mytext", ""),
            ("STRALGO lcs len strings ab b", "1", ""),
            (
                "STRALGO LCS STRINGS ohmytext mynewtext IDX MINMATCHLEN 4 WITHMATCHLEN",
                "[matches [[[4 7] [5 8] 4]] len 6]",
                "",
            ),
            ("STRALGO LCS", missing, ""),
            ("STRALGO LCS LEN", missing, ""),
            ("STRALGO LCS STRINGS a b KEYS c d", "-ERR Either use STRINGS or KEYS", ""),
            (
                "STRALGO LCS STRINGS a b LEN IDX",
                "-ERR If you want both the length and indexes, please just use IDX.",
                "",
            ),
            ("STRALGO LCS KEYS set a", "-ERR The specified keys must contain string values", ""),
            ("STRALGO LCS KEYS a", "-ERR syntax error", ""),
            ("STRALGO LCS STRINGS a b FOO", "-ERR syntax error", ""),
            ("STRALGO LCS STRINGS a b IDX MINMATCHLEN", "-ERR syntax error", ""),
            ("STRALGO LCS STRINGS a b IDX MINMATCHLEN x", "-ERR value is not an integer or out of range", ""),
            ("STRALGO FOO KEYS a b", "-ERR syntax error", ""),
            ("COMMAND GETKEYS STRALGO LCS IDX KEYS a b", "[a b]", ""),
            ("LCS a b", "-ERR unknown command `LCS`, with args beginning with: `a`, `b`, ", ""),
        ]);
        let mut play = Play::new("valkey-9.1");
        play.rows(&[
            ("SET a x", "OK", "SET a x"),
            ("SET a y IFEQ x", "OK", "SET a y IFEQ x"),
            ("DELIFEQ a x", "0", ""),
            ("DELIFEQ a y", "1", "DEL a"),
            ("MSETEX 2 a 1 b 2 EX 100", "1", "MSETEX 2 a 1 b 2 PXAT 1700000100000"),
            ("MSETEX 1 a 1 NX", "0", ""),
            ("MSETEX 2 a 1", "-ERR syntax error", ""),
        ]);
    }
}
