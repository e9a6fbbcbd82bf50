//! Hashes, and the expiry of their fields (Redis 7.4, Valkey 9).
//!
//! A field that has expired is not there for clients and is there for the master's stream. Redis deletes it when it is
//! asked for, Valkey only in its own time; both say so with HDEL, and until then HLEN counts it.

use super::{Context, Flag, Keys, Outcome, Spec};
use crate::engine::args::Args;
use crate::engine::context::Origin;
use crate::engine::dialect::{Dialect, Family};
use crate::engine::error::CommandError;
use crate::engine::events::Class;
use crate::engine::keyspace::NEVER;
use crate::engine::long_double::LongDouble;
use crate::engine::value::{Blob, Decimal, Field, Hash, integer};

const FAST_READ: &[Flag] = &[Flag::Read, Flag::Fast];
const READ: &[Flag] = &[Flag::Read];
const FAST_WRITE: &[Flag] = &[Flag::Write, Flag::Fast];
const BIG_WRITE: &[Flag] = &[Flag::Write, Flag::DenyOom, Flag::Fast];

pub(super) const COMMANDS: &[Spec] = &[
    Spec::new("HSET", -4, BIG_WRITE, Keys::ONE, hset),
    Spec::new("HMSET", -4, BIG_WRITE, Keys::ONE, hmset),
    Spec::new("HSETNX", 4, BIG_WRITE, Keys::ONE, hsetnx),
    Spec::new("HGET", 3, FAST_READ, Keys::ONE, hget),
    Spec::new("HMGET", -3, FAST_READ, Keys::ONE, hmget),
    Spec::new("HGETALL", 2, READ, Keys::ONE, hgetall),
    Spec::new("HKEYS", 2, READ, Keys::ONE, hkeys),
    Spec::new("HVALS", 2, READ, Keys::ONE, hvals),
    Spec::new("HLEN", 2, FAST_READ, Keys::ONE, hlen),
    Spec::new("HSTRLEN", 3, FAST_READ, Keys::ONE, hstrlen).since(3, 2),
    Spec::new("HEXISTS", 3, FAST_READ, Keys::ONE, hexists),
    Spec::new("HDEL", -3, FAST_WRITE, Keys::ONE, hdel),
    Spec::new("HINCRBY", 4, BIG_WRITE, Keys::ONE, hincrby),
    Spec::new("HINCRBYFLOAT", 4, BIG_WRITE, Keys::ONE, hincrbyfloat),
    Spec::new("HRANDFIELD", -2, READ, Keys::ONE, hrandfield).since(6, 2),
    Spec::new("HSCAN", -3, READ, Keys::ONE, hscan),
    Spec::new("HEXPIRE", -6, FAST_WRITE, Keys::ONE, hexpire).only(Dialect::has_field_expiry),
    Spec::new("HPEXPIRE", -6, FAST_WRITE, Keys::ONE, hpexpire).only(Dialect::has_field_expiry),
    Spec::new("HEXPIREAT", -6, FAST_WRITE, Keys::ONE, hexpireat).only(Dialect::has_field_expiry),
    Spec::new("HPEXPIREAT", -6, FAST_WRITE, Keys::ONE, hpexpireat).only(Dialect::has_field_expiry),
    Spec::new("HPERSIST", -5, FAST_WRITE, Keys::ONE, hpersist).only(Dialect::has_field_expiry),
    Spec::new("HTTL", -5, FAST_READ, Keys::ONE, httl).only(Dialect::has_field_expiry),
    Spec::new("HPTTL", -5, FAST_READ, Keys::ONE, hpttl).only(Dialect::has_field_expiry),
    Spec::new("HEXPIRETIME", -5, FAST_READ, Keys::ONE, hexpiretime).only(Dialect::has_field_expiry),
    Spec::new("HPEXPIRETIME", -5, FAST_READ, Keys::ONE, hpexpiretime).only(Dialect::has_field_expiry),
    Spec::new("HGETEX", -5, FAST_WRITE, Keys::ONE, hgetex).only(moves_fields),
    Spec::new("HGETDEL", -5, FAST_WRITE, Keys::ONE, hgetdel).only(moves_deletions),
    Spec::new("HSETEX", -6, BIG_WRITE, Keys::ONE, hsetex).only(moves_fields),
];

fn moves_fields(dialect: Dialect) -> bool {
    dialect.is_redis_since(8, 0) || dialect.is_valkey_since(9, 0)
}

fn moves_deletions(dialect: Dialect) -> bool {
    dialect.is_redis_since(8, 0) || dialect.is_valkey_since(9, 1)
}

impl Context<'_> {
    /// Whether a field is there for who asks.
    fn sees(&self, field: &Field) -> bool {
        self.origin == Origin::Master || !field.is_expired(self.now)
    }

    /// Whether expired fields are deleted by whoever finds them.
    fn deletes_expired_fields(&self) -> bool {
        self.origin == Origin::Client && !self.engine.is_replica() && self.engine.dialect.family == Family::Redis
    }

    /// A field, if it is there for who asks.
    fn field(&mut self, key: &[u8], name: &[u8]) -> Result<Option<Field>, CommandError> {
        let Some(field) = self.hash(key)?.and_then(|hash| hash.get(name)).cloned() else { return Ok(None) };
        if self.sees(&field) {
            return Ok(Some(field));
        }
        if self.deletes_expired_fields() {
            self.drop_expired(key, name)?;
        }
        Ok(None)
    }

    /// Deletes a field that has expired and tells the replicas.
    fn drop_expired(&mut self, key: &[u8], name: &[u8]) -> Outcome {
        if self.hash_mut(key)?.and_then(|hash| hash.remove(name)).is_some() {
            self.engine.stats.expired_fields += 1;
            self.engine.stream.push(self.session.db, [&b"HDEL"[..], key, name].into_iter());
            self.engine.touch(self.session.db, key);
            self.notify(Class::Hash, "hexpired", key);
            self.settle(key);
            self.note_fields(key);
        }
        Ok(())
    }

    fn note_fields(&mut self, key: &[u8]) {
        self.engine.keyspace.note_fields(self.session.db, key);
    }

    /// The fields of a key that are there for who asks.
    fn visible(&mut self, key: &[u8]) -> Result<Vec<(Blob, Blob)>, CommandError> {
        let (origin, now) = (self.origin, self.now);
        let Some(hash) = self.hash(key)? else { return Ok(Vec::new()) };
        let there = hash.fields.iter().filter(|(_, field)| origin == Origin::Master || !field.is_expired(now));
        Ok(there.map(|(name, field)| (name.clone(), field.value.clone())).collect())
    }
}

/// Sets fields from `first` on; gives how many are new.
fn set_fields(context: &mut Context<'_>, args: Args<'_>, first: usize) -> Result<usize, CommandError> {
    let key = args.get(1);
    // To Valkey a field that has expired is a new one.
    let valkey = context.engine.dialect.family == Family::Valkey && context.origin == Origin::Client;
    let now = context.now;
    let hash = context.hash_or_new(key)?;
    let volatile = hash.volatile > 0;
    let (mut created, mut fields) = (0, 0);
    for (name, value) in args.from(first).step_by(2).zip(args.from(first + 1).step_by(2)) {
        let before = hash.insert(name, value.into(), NEVER);
        created += usize::from(before.is_none_or(|before| valkey && before.is_expired(now)));
        fields += 1;
    }
    if volatile {
        context.note_fields(key);
    }
    context.changed(key, fields);
    context.notify(Class::Hash, "hset", key);
    Ok(created)
}

fn hset(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    if !args.len().is_multiple_of(2) {
        return Err(CommandError::arity("hset"));
    }
    let created = set_fields(context, args, 2)?;
    context.reply.count(created);
    Ok(())
}

fn hmset(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    if !args.len().is_multiple_of(2) {
        return Err(CommandError::arity("hmset"));
    }
    set_fields(context, args, 2)?;
    context.reply.ok();
    Ok(())
}

/// Whether a field is in the hash, but not for who asks.
fn is_expired(context: &mut Context<'_>, key: &[u8], name: &[u8]) -> Result<bool, CommandError> {
    let (now, master) = (context.now, context.origin == Origin::Master);
    let field = context.hash(key)?.and_then(|hash| hash.get(name));
    Ok(!master && field.is_some_and(|field| field.is_expired(now)))
}

fn hsetnx(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let (key, name, value) = (args.get(1), args.get(2), args.get(3));
    let expired = is_expired(context, key, name)?;
    let absent = context.field(key, name)?.is_none();
    if absent {
        context.hash_or_new(key)?.insert(name, value.into(), NEVER);
        context.changed(key, 1);
        context.notify(Class::Hash, "hset", key);
        if expired {
            context.note_fields(key);
            if context.engine.dialect.family == Family::Valkey {
                context.propagate(&[b"HSET", key, name, value]);
            }
        }
    }
    context.reply.flag(absent);
    Ok(())
}

fn hget(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let field = context.field(args.get(1), args.get(2))?;
    context.reply.bulk_or_null(field.as_ref().map(|field| &*field.value));
    Ok(())
}

fn hmget(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    context.hash(args.get(1))?;
    context.reply.array(args.len() - 2);
    for name in args.from(2) {
        let field = context.field(args.get(1), name)?;
        context.reply.bulk_or_null(field.as_ref().map(|field| &*field.value));
    }
    Ok(())
}

fn hgetall(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let fields = context.visible(args.get(1))?;
    context.reply.map(fields.len());
    for (name, value) in fields {
        context.reply.bulk(&name);
        context.reply.bulk(&value);
    }
    Ok(())
}

fn hkeys(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let fields = context.visible(args.get(1))?;
    context.reply.array(fields.len());
    fields.iter().for_each(|(name, _)| context.reply.bulk(name));
    Ok(())
}

fn hvals(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let fields = context.visible(args.get(1))?;
    context.reply.array(fields.len());
    fields.iter().for_each(|(_, value)| context.reply.bulk(value));
    Ok(())
}

fn hlen(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let length = context.hash(args.get(1))?.map_or(0, Hash::len);
    context.reply.count(length);
    Ok(())
}

fn hstrlen(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let length = context.field(args.get(1), args.get(2))?.map_or(0, |field| field.value.len());
    context.reply.count(length);
    Ok(())
}

fn hexists(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let there = context.field(args.get(1), args.get(2))?.is_some();
    context.reply.flag(there);
    Ok(())
}

fn hdel(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let key = args.get(1);
    let valkey = context.engine.dialect.family == Family::Valkey && context.origin == Origin::Client;
    let now = context.now;
    if context.hash(key)?.is_none() {
        context.reply.integer(0);
        return Ok(());
    }
    let (mut deleted, mut volatile) = (0_u64, false);
    if let Some(hash) = context.hash_mut(key)? {
        volatile = hash.volatile > 0;
        for name in args.from(2) {
            // Valkey leaves what has expired to its own time.
            if valkey && hash.get(name).is_some_and(|field| field.is_expired(now)) {
                continue;
            }
            deleted += u64::from(hash.remove(name).is_some());
        }
    }
    if deleted > 0 {
        context.notify(Class::Hash, "hdel", key);
        context.settle(key);
        if volatile {
            context.note_fields(key);
        }
        context.changed(key, deleted);
    }
    context.reply.integer(deleted.cast_signed());
    Ok(())
}

/// Puts a sum in a field's place; its expiry stays.
fn put_sum(
    context: &mut Context<'_>,
    (key, name): (&[u8], &[u8]),
    before: Option<&Field>,
    text: &[u8],
    event: &str,
) -> Outcome {
    let expires_at = before.map_or(NEVER, |field| field.expires_at);
    let hash = context.hash_or_new(key)?;
    hash.insert(name, text.into(), expires_at);
    if hash.volatile > 0 || expires_at != NEVER {
        context.note_fields(key);
    }
    context.changed(key, 1);
    context.notify(Class::Hash, event, key);
    Ok(())
}

fn hincrby(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let (key, name) = (args.get(1), args.get(2));
    let number = args.integer(3)?;
    let expired = is_expired(context, key, name)?;
    let before = context.field(key, name)?;
    let value = match &before {
        Some(field) => integer(&field.value).ok_or(CommandError::fixed("ERR hash value is not an integer"))?,
        None => 0,
    };
    let sum = value.checked_add(number).ok_or(CommandError::OVERFLOW)?;
    let mut decimal = Decimal::new();
    let text = decimal.format(sum).as_bytes();
    put_sum(context, (key, name), before.as_ref(), text, "hincrby")?;
    if expired {
        context.note_fields(key);
        if context.engine.dialect.family == Family::Valkey {
            context.propagate(&[b"HSET", key, name, text]);
        }
    }
    context.reply.integer(sum);
    Ok(())
}

fn hincrbyfloat(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let (key, name) = (args.get(1), args.get(2));
    let number = LongDouble::parse(args.get(3)).ok_or(CommandError::NOT_FLOAT)?;
    if !number.is_finite() {
        return Err(CommandError::fixed("ERR value is NaN or Infinity"));
    }
    let expired = is_expired(context, key, name)?;
    let before = context.field(key, name)?;
    let value = match &before {
        Some(field) => LongDouble::parse(&field.value).ok_or(CommandError::fixed("ERR hash value is not a float"))?,
        None => LongDouble::ZERO,
    };
    let sum = value.plus(number).filter(|sum| sum.is_finite());
    let text = sum.ok_or(CommandError::fixed("ERR increment would produce NaN or Infinity"))?.to_text();
    put_sum(context, (key, name), before.as_ref(), text.as_bytes(), "hincrbyfloat")?;
    if expired {
        context.note_fields(key);
    }
    if context.engine.dialect.is_redis_since(8, 0) {
        context.propagate(&[b"HSETEX", key, b"KEEPTTL", b"FIELDS", b"1", name, text.as_bytes()]);
    } else if let Some(expires_at) = before.map(|field| field.expires_at).filter(|at| *at != NEVER) {
        let mut time = Decimal::new();
        let time = time.format(expires_at).as_bytes();
        context.propagate(&[b"HSETEX", key, b"PXAT", time, b"FIELDS", b"1", name, text.as_bytes()]);
    } else {
        context.propagate(&[b"HSET", key, name, text.as_bytes()]);
    }
    context.reply.bulk(text.as_bytes());
    Ok(())
}

fn hrandfield(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let key = args.get(1);
    if context.deletes_expired_fields() {
        let now = context.now;
        let expired = context.hash(key)?.map_or_else(Vec::new, |hash| hash.expired(now, usize::MAX));
        for name in expired.iter().rev() {
            context.drop_expired(key, name)?;
        }
    }
    if args.len() == 2 {
        let fields = context.visible(key)?;
        let index = context.engine.random.below(fields.len());
        context.reply.bulk_or_null(fields.get(index).map(|(name, _)| &**name));
        return Ok(());
    }
    let count = args.integer(2)?;
    let with_values = match args.len() {
        3 => false,
        4 if args.is(3, "WITHVALUES") => true,
        _ => return Err(CommandError::SYNTAX),
    };
    if count == i64::MIN {
        return Err(CommandError::fixed(
            "ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807",
        ));
    }
    if with_values && !(-i64::MAX / 2..=i64::MAX / 2).contains(&count) {
        return Err(CommandError::fixed("ERR value is out of range"));
    }
    let mut fields = context.visible(key)?;
    let mut chosen = Vec::new();
    if count < 0 {
        if !fields.is_empty() {
            for _ in 0..count.unsigned_abs().min(MOST_CHOSEN) {
                let index = context.engine.random.below(fields.len());
                chosen.extend(fields.get(index).cloned());
            }
        }
    } else {
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        // Each choice moves a field to the front; all of them are given as they lie.
        for at in 0..count.min(fields.len()) {
            if count < fields.len() {
                let other = at + context.engine.random.below(fields.len() - at);
                fields.swap(at, other);
            }
        }
        fields.truncate(count);
        chosen = fields;
    }
    let resp3 = context.reply.is_resp3();
    context.reply.array(if with_values && !resp3 { 2 * chosen.len() } else { chosen.len() });
    for (name, value) in chosen {
        if with_values && resp3 {
            context.reply.array(2);
        }
        context.reply.bulk(&name);
        if with_values {
            context.reply.bulk(&value);
        }
    }
    Ok(())
}

/// More random fields than this are not given at once: an answer is held whole.
const MOST_CHOSEN: u64 = 1 << 24;

/// A hash of so many fields at most is short: `hash-max-listpack-entries`.
const SHORT: usize = 512;

fn hscan(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let options = super::scan::Options::read(args, 2, false)?;
    let dialect = context.engine.dialect;
    if options.no_values && !dialect.is_redis_since(7, 4) && !dialect.is_valkey_since(8, 0) {
        return Err(CommandError::SYNTAX);
    }
    let (origin, now) = (context.origin, context.now);
    let (next, found) = match context.hash(args.get(1))? {
        None => (0, Vec::new()),
        Some(hash) => {
            let visit = |index| {
                let (name, field) = hash.fields.get_index(index)?;
                let there = origin == Origin::Master || !field.is_expired(now);
                (there && options.matches(name)).then(|| (name.clone(), field.value.clone()))
            };
            // Servers give a short one whole.
            if hash.len() <= SHORT {
                (0, (0..hash.len()).filter_map(visit).collect())
            } else {
                options.walk(hash.len(), visit)
            }
        }
    };
    context.reply.array(2);
    context.reply.bulk(next.to_string().as_bytes());
    context.reply.array(if options.no_values { found.len() } else { 2 * found.len() });
    for (name, value) in found {
        context.reply.bulk(&name);
        if !options.no_values {
            context.reply.bulk(&value);
        }
    }
    Ok(())
}

/// Which words an error about `numfields` has.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wording {
    Expire,
    Tell,
    Other,
    Set,
}

/// `FIELDS numfields field…` at `index`, to the end: gives where the fields begin and how many words they are.
fn fields_at(
    context: &Context<'_>,
    args: Args<'_>,
    index: usize,
    each: usize,
    wording: Wording,
) -> Result<(usize, usize), CommandError> {
    let valkey = context.engine.dialect.family == Family::Valkey;
    if !args.is(index, "FIELDS") {
        return Err(if valkey {
            CommandError::SYNTAX
        } else {
            CommandError::fixed("ERR Mandatory argument FIELDS is missing or not at the right position")
        });
    }
    let number = integer(args.get(index + 1));
    let (few, many) = match wording {
        Wording::Tell if valkey => (CommandError::SYNTAX, CommandError::SYNTAX),
        _ if valkey => {
            let error =
                CommandError::fixed("ERR numfields should be greater than 0 and match the provided number of fields");
            (error.clone(), error)
        }
        Wording::Set => (CommandError::fixed("ERR invalid number of fields"), CommandError::arity("hsetex")),
        _ => {
            let few = if wording == Wording::Expire {
                "ERR Parameter `numFields` should be greater than 0"
            } else {
                "ERR Number of fields must be a positive integer"
            };
            let many = "ERR The `numfields` parameter must match the number of arguments";
            (CommandError::fixed(few), CommandError::fixed(many))
        }
    };
    if valkey && number.is_none() {
        return Err(CommandError::NOT_INTEGER);
    }
    let count =
        number.filter(|count| *count >= 1 && (wording != Wording::Set || *count <= i64::from(i32::MAX))).ok_or(few)?;
    let count = usize::try_from(count).unwrap_or(usize::MAX).saturating_mul(each);
    if count != args.len() - index - 2 {
        return Err(many);
    }
    Ok((index + 2, count))
}

fn hexpire(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let base = context.now;
    expire_fields(context, args, 1000, base, "hexpire")
}

fn hpexpire(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let base = context.now;
    expire_fields(context, args, 1, base, "hpexpire")
}

fn hexpireat(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    expire_fields(context, args, 1000, 0, "hexpireat")
}

fn hpexpireat(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    expire_fields(context, args, 1, 0, "hpexpireat")
}

/// The latest time that Redis takes for a field: 46 bits of milliseconds.
const LATEST: i64 = (1 << 46) - 1;

fn expire_fields(context: &mut Context<'_>, args: Args<'_>, unit: i64, base: i64, command: &str) -> Outcome {
    let key = args.get(1);
    let redis = context.engine.dialect.family == Family::Redis;
    let invalid = || CommandError::new(format!("ERR invalid expire time in '{command}' command"));
    if redis {
        context.hash(key)?;
    }
    let number = args.integer(2)?;
    if number < 0 {
        return Err(if redis { CommandError::fixed("ERR invalid expire time, must be >= 0") } else { invalid() });
    }
    let expires_at = number.checked_mul(unit).and_then(|time| time.checked_add(base)).ok_or_else(invalid)?;
    if redis && expires_at > LATEST {
        return Err(invalid());
    }
    let conditions = ["NX", "XX", "GT", "LT"];
    let condition = conditions.into_iter().find(|word| args.is(3, word));
    let at = if condition.is_some() { 4 } else { 3 };
    if !redis && !args.is(at, "FIELDS") {
        if condition.is_some() && conditions.into_iter().any(|word| args.is(4, word)) {
            return Err(CommandError::fixed("ERR NX and XX, GT or LT options at the same time are not compatible"));
        }
        let word = String::from_utf8_lossy(args.get(at)).into_owned();
        return Err(CommandError::new(format!("ERR Unsupported option {word}")));
    }
    let (first, count) = fields_at(context, args, at, 1, Wording::Expire)?;
    context.hash(key)?;
    let mut answers = Vec::with_capacity(count);
    let (mut set, mut gone): (Vec<&[u8]>, Vec<&[u8]>) = (Vec::new(), Vec::new());
    // A replica leaves it to its master to delete what has expired.
    let past = expires_at <= context.now && context.origin == Origin::Client;
    let hidden = context.origin == Origin::Client && !redis;
    let now = context.now;
    match context.hash_mut(key)? {
        None => answers.resize(count, -2),
        Some(hash) => {
            for name in args.from(first) {
                let Some(before) = hash.get(name).filter(|field| !(hidden && field.is_expired(now))) else {
                    answers.push(-2);
                    continue;
                };
                let before = before.expires_at;
                let holds = match condition {
                    Some("NX") => before == NEVER,
                    Some("XX") => before != NEVER,
                    Some("GT") => before != NEVER && expires_at > before,
                    Some("LT") => before == NEVER || expires_at < before,
                    _ => true,
                };
                answers.push(match (holds, past) {
                    (false, _) => 0,
                    (true, true) => {
                        hash.remove(name);
                        gone.push(name);
                        2
                    }
                    (true, false) => {
                        hash.set_expiry(name, expires_at);
                        set.push(name);
                        1
                    }
                });
            }
        }
    }
    let changes = set.len() + gone.len();
    if changes > 0 {
        if !gone.is_empty() {
            context.notify(Class::Hash, if redis { "hdel" } else { "hexpired" }, key);
        }
        if !set.is_empty() {
            context.notify(Class::Hash, "hexpire", key);
        }
        context.settle(key);
        context.note_fields(key);
        context.changed(key, changes as u64);
        if !gone.is_empty() {
            propagate_deletion(context, key, &gone);
        }
        if !set.is_empty() {
            // Redis names those that were set, Valkey what it was told; both keep the condition.
            let all: Vec<&[u8]> = if redis { set } else { args.from(first).collect() };
            propagate_times(context, key, expires_at, condition, &all);
        }
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

/// HDEL of fields: Redis says it of each.
fn propagate_deletion(context: &mut Context<'_>, key: &[u8], fields: &[&[u8]]) {
    if context.engine.dialect.family == Family::Redis {
        for field in fields {
            context.propagate(&[b"HDEL", key, field]);
        }
    } else {
        let words: Vec<&[u8]> = [&b"HDEL"[..], key].into_iter().chain(fields.iter().copied()).collect();
        context.propagate(&words);
    }
}

/// HPEXPIREAT of fields.
fn propagate_times(context: &mut Context<'_>, key: &[u8], expires_at: i64, condition: Option<&str>, fields: &[&[u8]]) {
    let (mut time, mut count) = (Decimal::new(), Decimal::new());
    let (time, count) = (time.format(expires_at).as_bytes(), count.format(fields.len()).as_bytes());
    let head = [&b"HPEXPIREAT"[..], key, time].into_iter().chain(condition.map(str::as_bytes));
    let words = head.chain([&b"FIELDS"[..], count]).chain(fields.iter().copied());
    context.propagate(&words.collect::<Vec<_>>());
}

fn hpersist(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let key = args.get(1);
    if context.engine.dialect.family == Family::Redis {
        context.hash(key)?;
    }
    let (first, count) = fields_at(context, args, 2, 1, Wording::Other)?;
    context.hash(key)?;
    let (now, master) = (context.now, context.origin == Origin::Master);
    let mut answers = Vec::with_capacity(count);
    let mut changes = 0;
    match context.hash_mut(key)? {
        None => answers.resize(count, -2),
        Some(hash) => {
            for name in args.from(first) {
                answers.push(match hash.get(name) {
                    None => -2,
                    Some(field) if !master && field.is_expired(now) => -2,
                    Some(field) if field.expires_at == NEVER => -1,
                    Some(_) => {
                        hash.set_expiry(name, NEVER);
                        changes += 1;
                        1
                    }
                });
            }
        }
    }
    if changes > 0 {
        context.note_fields(key);
        context.changed(key, changes);
        context.notify(Class::Hash, "hpersist", key);
    }
    reply_numbers(context, &answers);
    Ok(())
}

/// Milliseconds as seconds: Redis rounds up, Valkey to the nearest.
fn in_seconds(milliseconds: i64, family: Family) -> i64 {
    milliseconds.saturating_add(if family == Family::Redis { 999 } else { 500 }) / 1000
}

fn httl(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let family = context.engine.dialect.family;
    tell_expiry(context, args, |expires_at, now| in_seconds((expires_at - now).max(0), family))
}

fn hpttl(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    tell_expiry(context, args, |expires_at, now| (expires_at - now).max(0))
}

fn hexpiretime(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let family = context.engine.dialect.family;
    tell_expiry(context, args, |expires_at, _| in_seconds(expires_at, family))
}

fn hpexpiretime(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    tell_expiry(context, args, |expires_at, _| expires_at)
}

fn tell_expiry(context: &mut Context<'_>, args: Args<'_>, tell: impl Fn(i64, i64) -> i64) -> Outcome {
    if context.engine.dialect.family == Family::Redis {
        context.hash(args.get(1))?;
    }
    let (first, count) = fields_at(context, args, 2, 1, Wording::Tell)?;
    let (now, master) = (context.now, context.origin == Origin::Master);
    let answers = match context.hash(args.get(1))? {
        None => vec![-2; count],
        Some(hash) => {
            let answer = |name| match hash.get(name) {
                None => -2,
                Some(field) if !master && field.is_expired(now) => -2,
                Some(field) if field.expires_at == NEVER => -1,
                Some(field) => tell(field.expires_at, now),
            };
            args.from(first).map(answer).collect()
        }
    };
    reply_numbers(context, &answers);
    Ok(())
}

/// What HGETEX and HSETEX are told in front of FIELDS.
#[derive(Default)]
struct Options {
    expires_at: Option<i64>,
    persist: bool,
    keep: bool,
    /// FNX, FXX.
    fields: Option<bool>,
    /// NX, XX, of the key: Valkey's.
    key: Option<bool>,
    end: usize,
}

impl Options {
    fn read(context: &Context<'_>, args: Args<'_>, sets: bool, command: &str) -> Result<Self, CommandError> {
        let (mut found, mut index) = (Self::default(), 2);
        let valkey = context.engine.dialect.family == Family::Valkey || context.origin == Origin::Master;
        let invalid = || CommandError::new(format!("ERR invalid expire time in '{command}' command"));
        let misplaced = CommandError::fixed("ERR Mandatory argument FIELDS is missing or not at the right position");
        while index < args.len() && !args.is(index, "FIELDS") {
            let free = found.expires_at.is_none() && !found.persist && !found.keep;
            let clock = [("EX", 1000, true), ("PX", 1, true), ("EXAT", 1000, false), ("PXAT", 1, false)]
                .into_iter()
                .find(|(word, ..)| args.is(index, word));
            match clock {
                Some((_, unit, relative)) if free && index + 1 < args.len() => {
                    if valkey && args.is(index + 1, "FIELDS") {
                        return Err(CommandError::SYNTAX);
                    }
                    let number = args.integer(index + 1)?;
                    if number < 0 {
                        let negative = CommandError::fixed("ERR invalid expire time, must be >= 0");
                        return Err(if valkey { invalid() } else { negative });
                    }
                    let base = if relative { context.now } else { 0 };
                    let time = number.checked_mul(unit).and_then(|time| time.checked_add(base));
                    let latest = if valkey { i64::MAX } else { LATEST };
                    found.expires_at = Some(time.filter(|time| *time <= latest).ok_or_else(invalid)?);
                    index += 1;
                }
                None if free && !sets && args.is(index, "PERSIST") => found.persist = true,
                None if free && sets && args.is(index, "KEEPTTL") => found.keep = true,
                None if sets && found.fields.is_none() && args.is(index, "FNX") => found.fields = Some(false),
                None if sets && found.fields.is_none() && args.is(index, "FXX") => found.fields = Some(true),
                None if sets && valkey && found.key.is_none() && args.is(index, "NX") => found.key = Some(false),
                None if sets && valkey && found.key.is_none() && args.is(index, "XX") => found.key = Some(true),
                _ if valkey => return Err(CommandError::SYNTAX),
                _ if !sets => return Err(misplaced),
                Some(_) => return Err(ONE_TIME),
                None if args.is(index, "KEEPTTL") => return Err(ONE_TIME),
                None if args.is(index, "FNX") || args.is(index, "FXX") => {
                    return Err(CommandError::fixed("ERR Only one of FXX or FNX arguments can be specified"));
                }
                None => {
                    let word = String::from_utf8_lossy(args.get(index)).into_owned();
                    return Err(CommandError::new(format!("ERR unknown argument: {word}")));
                }
            }
            index += 1;
        }
        found.end = index;
        Ok(found)
    }
}

const ONE_TIME: CommandError =
    CommandError::fixed("ERR Only one of EX, PX, EXAT, PXAT or KEEPTTL arguments can be specified");

fn hgetex(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let key = args.get(1);
    if context.engine.dialect.family == Family::Redis {
        context.hash(key)?;
    }
    let options = Options::read(context, args, false, "hgetex")?;
    let (first, count) = fields_at(context, args, options.end, 1, Wording::Other)?;
    context.hash(key)?;
    context.reply.array(count);
    let mut there: Vec<(&[u8], i64)> = Vec::with_capacity(count);
    for name in args.from(first) {
        let field = context.field(key, name)?;
        context.reply.bulk_or_null(field.as_ref().map(|field| &*field.value));
        if let Some(field) = field {
            there.push((name, field.expires_at));
        }
    }
    if options.persist {
        there.retain(|(_, before)| *before != NEVER);
    } else if options.expires_at.is_none() {
        return Ok(());
    }
    let names: Vec<&[u8]> = there.into_iter().map(|(name, _)| name).collect();
    if names.is_empty() {
        return Ok(());
    }
    // Redis says what it was told, unless that is a deletion.
    let redis = context.engine.dialect.family == Family::Redis;
    let told: Vec<&[u8]> = if redis { args.from(first).collect() } else { names.clone() };
    let expires_at = options.expires_at.unwrap_or(NEVER);
    let past = expires_at != NEVER && expires_at <= context.now && context.origin == Origin::Client;
    if let Some(hash) = context.hash_mut(key)? {
        for name in &names {
            if past {
                hash.remove(name);
            } else {
                hash.set_expiry(name, expires_at);
            }
        }
    }
    let event = match options.persist {
        _ if past => "hdel",
        true => "hpersist",
        false => "hexpire",
    };
    context.notify(Class::Hash, event, key);
    context.settle(key);
    context.note_fields(key);
    context.changed(key, names.len() as u64);
    if past {
        propagate_deletion(context, key, &names);
    } else if options.persist {
        let mut count = Decimal::new();
        let head = [&b"HPERSIST"[..], key, b"FIELDS", count.format(told.len()).as_bytes()];
        context.propagate(&head.into_iter().chain(told).collect::<Vec<_>>());
    } else {
        propagate_times(context, key, expires_at, None, &told);
    }
    Ok(())
}

fn hgetdel(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let key = args.get(1);
    context.hash(key)?;
    let (first, count) = fields_at(context, args, 2, 1, Wording::Other)?;
    context.reply.array(count);
    let mut gone: Vec<&[u8]> = Vec::with_capacity(count);
    for name in args.from(first) {
        let field = context.field(key, name)?;
        context.reply.bulk_or_null(field.as_ref().map(|field| &*field.value));
        if field.is_some() {
            if let Some(hash) = context.hash_mut(key)? {
                hash.remove(name);
            }
            gone.push(name);
        }
    }
    if !gone.is_empty() {
        context.notify(Class::Hash, "hdel", key);
        context.settle(key);
        context.note_fields(key);
        context.changed(key, gone.len() as u64);
        if context.engine.dialect.family == Family::Redis {
            let words = [&b"HDEL"[..], key].into_iter().chain(args.from(first));
            context.propagate(&words.collect::<Vec<_>>());
        }
    }
    Ok(())
}

fn hsetex(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let key = args.get(1);
    let options = Options::read(context, args, true, "hsetex")?;
    let (first, count) = fields_at(context, args, options.end, 2, Wording::Set)?;
    let there = context.hash(key)?.is_some();
    if options.key.is_some_and(|wanted| wanted != there) {
        context.reply.flag(false);
        return Ok(());
    }
    if let Some(wanted) = options.fields {
        for name in args.from(first).step_by(2) {
            if context.field(key, name)?.is_some() != wanted {
                context.reply.flag(false);
                return Ok(());
            }
        }
    }
    let valkey = context.engine.dialect.family == Family::Valkey && context.origin == Origin::Client;
    let expires_at = options.expires_at.unwrap_or(NEVER);
    let now = context.now;
    if expires_at != NEVER && expires_at <= now && context.origin == Origin::Client {
        return set_in_the_past(context, args, first);
    }
    let mut stale: Vec<&[u8]> = Vec::new();
    let hash = context.hash_or_new(key)?;
    for (name, value) in args.from(first).step_by(2).zip(args.from(first + 1).step_by(2)) {
        let before = hash.get(name);
        let expires_at = match before {
            Some(before) if options.keep && valkey && before.is_expired(now) => {
                stale.push(name);
                NEVER
            }
            Some(before) if options.keep => before.expires_at,
            _ => expires_at,
        };
        hash.insert(name, value.into(), expires_at);
    }
    context.note_fields(key);
    context.changed(key, (count / 2) as u64);
    context.notify(Class::Hash, "hset", key);
    if options.expires_at.is_some() {
        context.notify(Class::Hash, "hexpire", key);
    }
    if !stale.is_empty() {
        propagate_deletion(context, key, &stale);
        context.effects_told = false;
    }
    if let Some(expires_at) = options.expires_at {
        let mut time = Decimal::new();
        let time = time.format(expires_at).as_bytes();
        let condition = args
            .from(2)
            .take(options.end - 2)
            .find(|word| word.eq_ignore_ascii_case(b"FNX") || word.eq_ignore_ascii_case(b"FXX"));
        let mut words: Vec<&[u8]> = vec![b"HSETEX", key];
        words.extend(condition.filter(|_| !valkey));
        words.extend([&b"PXAT"[..], time]);
        words.extend(args.from(options.end));
        context.propagate(&words);
    } else if valkey && (options.fields.is_some() || options.key.is_some()) {
        let mut words: Vec<&[u8]> = vec![b"HSETEX", key];
        words.extend(options.keep.then_some(&b"KEEPTTL"[..]));
        words.extend(args.from(options.end));
        context.propagate(&words);
    }
    context.reply.flag(true);
    Ok(())
}

/// A time that has passed is a deletion.
fn set_in_the_past(context: &mut Context<'_>, args: Args<'_>, first: usize) -> Outcome {
    let key = args.get(1);
    let mut gone: Vec<&[u8]> = Vec::new();
    // To Redis they are set and deleted, so that it says so of new ones, too.
    let redis = context.engine.dialect.family == Family::Redis;
    match context.hash_mut(key)? {
        Some(hash) => {
            gone.extend(args.from(first).step_by(2).filter(|name| hash.remove(name).is_some() || redis));
        }
        None if redis => gone.extend(args.from(first).step_by(2)),
        None => {}
    }
    if !gone.is_empty() {
        context.notify(Class::Hash, if redis { "hdel" } else { "hexpired" }, key);
        context.settle(key);
        context.note_fields(key);
        context.changed(key, gone.len() as u64);
        propagate_deletion(context, key, &gone);
    }
    context.reply.flag(true);
    Ok(())
}

#[cfg(test)]
mod tests;
