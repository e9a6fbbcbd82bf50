//! Keys of any type: their presence, names and expiry.

use super::{Context, Flag, Keys, Outcome, Spec};
use crate::engine::args::Args;
use crate::engine::context::Origin;
use crate::engine::error::CommandError;
use crate::engine::events::Class;
use crate::engine::keyspace::NEVER;
use crate::engine::value::{Blob, Decimal};

const WRITE: &[Flag] = &[Flag::Write];
const FAST_WRITE: &[Flag] = &[Flag::Write, Flag::Fast];
const READ: &[Flag] = &[Flag::Read];
const FAST_READ: &[Flag] = &[Flag::Read, Flag::Fast];

pub(super) const COMMANDS: &[Spec] = &[
    Spec::new("DEL", -2, WRITE, Keys::ALL, del),
    Spec::new("UNLINK", -2, FAST_WRITE, Keys::ALL, del).since(4, 0),
    Spec::new("EXISTS", -2, FAST_READ, Keys::ALL, exists),
    Spec::new("TOUCH", -2, FAST_READ, Keys::ALL, exists).since(3, 2),
    Spec::new("TYPE", 2, FAST_READ, Keys::ONE, type_of),
    Spec::new("EXPIRE", -3, FAST_WRITE, Keys::ONE, expire).before(7, 0, 3),
    Spec::new("PEXPIRE", -3, FAST_WRITE, Keys::ONE, pexpire).before(7, 0, 3),
    Spec::new("EXPIREAT", -3, FAST_WRITE, Keys::ONE, expireat).before(7, 0, 3),
    Spec::new("PEXPIREAT", -3, FAST_WRITE, Keys::ONE, pexpireat).before(7, 0, 3),
    Spec::new("PERSIST", 2, FAST_WRITE, Keys::ONE, persist),
    Spec::new("TTL", 2, FAST_READ, Keys::ONE, ttl),
    Spec::new("PTTL", 2, FAST_READ, Keys::ONE, pttl),
    Spec::new("EXPIRETIME", 2, FAST_READ, Keys::ONE, expiretime).since(7, 0),
    Spec::new("PEXPIRETIME", 2, FAST_READ, Keys::ONE, pexpiretime).since(7, 0),
    Spec::new("RENAME", 3, WRITE, Keys::TWO, rename),
    Spec::new("RENAMENX", 3, FAST_WRITE, Keys::TWO, renamenx),
    Spec::new("MOVE", 3, FAST_WRITE, Keys::ONE, move_key),
    Spec::new("COPY", -3, &[Flag::Write, Flag::DenyOom], Keys::TWO, copy).since(6, 2),
    Spec::new("SWAPDB", 3, FAST_WRITE, Keys::NONE, swapdb).since(4, 0),
    Spec::new("FLUSHDB", -1, WRITE, Keys::NONE, flushdb),
    Spec::new("FLUSHALL", -1, WRITE, Keys::NONE, flushall),
    Spec::new("DBSIZE", 1, FAST_READ, Keys::NONE, dbsize),
    Spec::new("KEYS", 2, READ, Keys::NONE, keys),
    Spec::new("SCAN", -2, READ, Keys::NONE, scan),
    Spec::new("RANDOMKEY", 1, READ, Keys::NONE, randomkey),
];

/// A value of more parts than this is freed in the background by servers.
const FREED_AT_ONCE: usize = 64;

fn del(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let mut deleted = 0;
    let lazily = args.is(0, "UNLINK") || context.engine.config.flag("lazyfree-lazy-user-del");
    for key in args.from(1) {
        if let Some(entry) = context.take(key) {
            context.engine.stats.freed_lazily += u64::from(lazily && entry.value.parts() > FREED_AT_ONCE);
            context.changed(key, 1);
            context.notify(Class::Generic, "del", key);
            deleted += 1;
        }
    }
    context.reply.count(deleted);
    Ok(())
}

fn exists(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let count = args.from(1).filter(|key| context.exists(key)).count();
    context.reply.count(count);
    Ok(())
}

fn type_of(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let name = context.value(args.get(1)).map_or("none", |value| value.type_name());
    context.reply.status(name);
    Ok(())
}

fn expire(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let base = context.now;
    set_expiry(context, args, 1000, base, "expire")
}

fn pexpire(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let base = context.now;
    set_expiry(context, args, 1, base, "pexpire")
}

fn expireat(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    set_expiry(context, args, 1000, 0, "expireat")
}

fn pexpireat(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    set_expiry(context, args, 1, 0, "pexpireat")
}

/// NX, XX, GT and LT of the EXPIRE family, since 7.0.
#[derive(Default)]
struct When {
    absent: bool,
    present: bool,
    later: bool,
    sooner: bool,
}

impl When {
    fn read(args: Args<'_>) -> Result<Self, CommandError> {
        let mut when = Self::default();
        for index in 3..args.len() {
            match () {
                () if args.is(index, "NX") => when.absent = true,
                () if args.is(index, "XX") => when.present = true,
                () if args.is(index, "GT") => when.later = true,
                () if args.is(index, "LT") => when.sooner = true,
                () => {
                    let option = String::from_utf8_lossy(args.get(index)).into_owned();
                    return Err(CommandError::new(format!("ERR Unsupported option {option}")));
                }
            }
        }
        if when.absent && (when.present || when.later || when.sooner) {
            return Err(CommandError::fixed("ERR NX and XX, GT or LT options at the same time are not compatible"));
        }
        if when.later && when.sooner {
            return Err(CommandError::fixed("ERR GT and LT options at the same time are not compatible"));
        }
        Ok(when)
    }

    fn allows(&self, before: Option<i64>, expires_at: i64) -> bool {
        !(self.absent && before.is_some()
            || self.present && before.is_none()
            || self.later && before.is_none_or(|before| expires_at <= before)
            || self.sooner && before.is_some_and(|before| expires_at >= before))
    }
}

fn set_expiry(context: &mut Context<'_>, args: Args<'_>, unit: i64, base: i64, command: &str) -> Outcome {
    let key = args.get(1);
    let when = When::read(args)?;
    let dialect = context.engine.dialect;
    let invalid = || CommandError::expire_time(command, dialect);
    let expires_at = args.integer(2)?.checked_mul(unit).and_then(|time| time.checked_add(base)).ok_or_else(invalid)?;
    let Some(entry) = context.entry(key) else {
        context.reply.flag(false);
        return Ok(());
    };
    let before = entry.expires_at();
    if !when.allows(before, expires_at) {
        context.reply.flag(false);
        return Ok(());
    }
    // A replica leaves it to its master to delete what has expired.
    if expires_at <= context.now && context.origin == Origin::Client {
        context.take(key);
        context.changed(key, 1);
        context.notify_past(key);
        let word = context.delete_word();
        context.propagate(&[word, key]);
    } else {
        context.set_expiry(key, expires_at);
        context.changed(key, 1);
        context.notify(Class::Generic, "expire", key);
        if context.engine.dialect.since(7, 0) {
            context.propagate(&[b"PEXPIREAT", key, Decimal::new().format(expires_at).as_bytes()]);
        }
    }
    context.reply.flag(true);
    Ok(())
}

fn persist(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let key = args.get(1);
    let volatile = context.entry(key).is_some_and(|entry| entry.expires_at().is_some());
    if volatile {
        context.set_expiry(key, NEVER);
        context.changed(key, 1);
        context.notify(Class::Generic, "persist", key);
    }
    context.reply.flag(volatile);
    Ok(())
}

fn ttl(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    // Rounded to the nearest second.
    tell_expiry(context, args, |expires_at, now| expires_at.saturating_sub(now).max(0).saturating_add(500) / 1000)
}

fn pttl(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    tell_expiry(context, args, |expires_at, now| expires_at.saturating_sub(now).max(0))
}

fn expiretime(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    tell_expiry(context, args, |expires_at, _| {
        // Rounded to the nearest second, without a sign in between.
        (expires_at.wrapping_add(500).cast_unsigned() / 1000).cast_signed()
    })
}

fn pexpiretime(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    tell_expiry(context, args, |expires_at, _| expires_at)
}

fn tell_expiry(context: &mut Context<'_>, args: Args<'_>, tell: fn(i64, i64) -> i64) -> Outcome {
    let now = context.now;
    let answer = match context.entry(args.get(1)).map(|entry| entry.expires_at()) {
        None => -2,
        Some(None) => -1,
        Some(Some(expires_at)) => tell(expires_at, now),
    };
    context.reply.integer(answer);
    Ok(())
}

fn rename(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    rename_to(context, args.get(1), args.get(2))?;
    context.reply.ok();
    Ok(())
}

fn renamenx(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    if !context.exists(args.get(1)) {
        return Err(CommandError::NO_SUCH_KEY);
    }
    let free = !context.exists(args.get(2));
    if free {
        rename_to(context, args.get(1), args.get(2))?;
    }
    context.reply.flag(free);
    Ok(())
}

fn rename_to(context: &mut Context<'_>, from: &[u8], to: &[u8]) -> Outcome {
    if !context.exists(from) {
        return Err(CommandError::NO_SUCH_KEY);
    }
    if from == to {
        return Ok(());
    }
    // What was there is deleted, so that the key is a new one.
    let replaced = context.take(to);
    if let Some(entry) = context.take(from) {
        let name = entry.value.type_name();
        let expires_at = entry.expires_at().unwrap_or(NEVER);
        context.put(to, entry.value, expires_at);
        context.keep_use(to, &entry.used);
        context.changed(from, 1);
        context.changed(to, 0);
        context.signal(to);
        context.notify(Class::Generic, "rename_from", from);
        context.notify(Class::Generic, "rename_to", to);
        if let Some(replaced) = replaced {
            context.notify_overwritten(to, replaced.value.type_name(), name);
        }
    }
    Ok(())
}

/// A database by its number in an argument.
pub(super) fn database(context: &Context<'_>, args: Args<'_>, index: usize) -> Result<usize, CommandError> {
    within(context, args.int(index)?)
}

/// A database by its number.
fn within(context: &Context<'_>, number: i32) -> Result<usize, CommandError> {
    let number = usize::try_from(number).ok().filter(|number| *number < context.engine.keyspace.databases());
    number.ok_or(CommandError::fixed("ERR DB index is out of range"))
}

fn move_key(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let (key, from) = (args.get(1), context.session.db);
    let to = database(context, args, 2)?;
    if from == to {
        return Err(CommandError::fixed("ERR source and destination objects are the same"));
    }
    let free = !context.in_database(to, |context| context.exists(key));
    let moved = if free { context.take(key) } else { None };
    if let Some(entry) = &moved {
        let expires_at = entry.expires_at().unwrap_or(NEVER);
        let value = entry.value.clone();
        context.in_database(to, |context| {
            context.put(key, value, expires_at);
            context.keep_use(key, &entry.used);
            context.changed(key, 0);
            context.signal(key);
        });
        context.changed(key, 1);
        context.notify(Class::Generic, "move_from", key);
        context.in_database(to, |context| context.notify(Class::Generic, "move_to", key));
    }
    context.reply.flag(moved.is_some());
    Ok(())
}

fn copy(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let (from, to) = (args.get(1), args.get(2));
    let (mut db, mut replace, mut index) = (context.session.db, false, 3);
    while index < args.len() {
        if args.is(index, "REPLACE") {
            replace = true;
        } else if args.is(index, "DB") && index + 1 < args.len() {
            index += 1;
            db = database(context, args, index)?;
        } else {
            return Err(CommandError::SYNTAX);
        }
        index += 1;
    }
    if db == context.session.db && from == to {
        return Err(CommandError::fixed("ERR source and destination objects are the same"));
    }
    let source = context.entry(from).cloned();
    let taken = context.in_database(db, |context| context.exists(to));
    let copied = source.filter(|_| replace || !taken);
    let copies = copied.is_some();
    if let Some(entry) = copied {
        let expires_at = entry.expires_at().unwrap_or(NEVER);
        context.in_database(db, |context| {
            let (replaced, name) = (context.take(to), entry.value.type_name());
            context.put(to, entry.value, expires_at);
            context.changed(to, 1);
            context.signal(to);
            context.notify(Class::Generic, "copy_to", to);
            if let Some(replaced) = replaced {
                context.notify_overwritten(to, replaced.value.type_name(), name);
            }
        });
    }
    context.reply.flag(copies);
    Ok(())
}

fn swapdb(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let number = |index, which: &str| {
        let invalid = || CommandError::new(format!("ERR invalid {which} DB index"));
        args.int(index).map_err(|_| invalid())
    };
    let (one, other) = (number(1, "first")?, number(2, "second")?);
    let (one, other) = (within(context, one)?, within(context, other)?);
    let now = context.now;
    context.engine.swap(one, other, now);
    context.changes += 1;
    context.reply.ok();
    Ok(())
}

/// FLUSHDB and FLUSHALL take SYNC or ASYNC; both are done at once.
fn flush_mode(args: Args<'_>) -> Outcome {
    match args.len() {
        1 => Ok(()),
        2 if args.is(1, "SYNC") || args.is(1, "ASYNC") => Ok(()),
        _ => Err(CommandError::SYNTAX),
    }
}

fn flushdb(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    flush_mode(args)?;
    let db = context.session.db;
    // Before 7.0 nothing was told of a database that was empty.
    let told = context.engine.dialect.since(7, 0) || context.engine.keyspace.size(db).keys > 0;
    context.engine.flush(db, context.now);
    context.engine.invalidate_all();
    context.changes += u64::from(told);
    context.reply.ok();
    Ok(())
}

fn flushall(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    flush_mode(args)?;
    for db in 0..context.engine.keyspace.databases() {
        context.engine.flush(db, context.now);
    }
    context.engine.invalidate_all();
    context.changes += 1;
    context.reply.ok();
    Ok(())
}

fn dbsize(context: &mut Context<'_>, _: Args<'_>) -> Outcome {
    let size = context.engine.keyspace.size(context.session.db);
    context.reply.count(size.keys);
    Ok(())
}

fn keys(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let (now, db) = (context.expired_by(), context.session.db);
    let pattern = args.get(1);
    let found: Vec<Blob> = context
        .engine
        .keyspace
        .iter(db)
        .filter(|(key, entry)| !entry.is_expired(now) && crate::engine::glob::matches(pattern, key))
        .map(|(key, _)| key.clone())
        .collect();
    context.reply.array(found.len());
    for key in found {
        context.reply.bulk(&key);
    }
    Ok(())
}

fn scan(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let (now, db) = (context.expired_by(), context.session.db);
    let options = super::scan::Options::read(args, 1, true)?;
    let keyspace = &context.engine.keyspace;
    let mut expired = Vec::new();
    let (next, found) = options.walk(keyspace.size(db).keys, |index| {
        let (key, entry) = keyspace.by_index(db, index)?;
        if !options.wants_type(entry.value.type_name()) || !options.matches(key) {
            return None;
        }
        if entry.is_expired(now) {
            expired.push(key.clone());
            return None;
        }
        Some(key.clone())
    });
    expired.iter().for_each(|key| context.expire_met(key));
    context.reply.array(2);
    context.reply.bulk(next.to_string().as_bytes());
    context.reply.array(found.len());
    for key in found {
        context.reply.bulk(&key);
    }
    Ok(())
}

fn randomkey(context: &mut Context<'_>, _: Args<'_>) -> Outcome {
    let (now, db) = (context.expired_by(), context.session.db);
    let mut keys = context.engine.keyspace.size(db).keys;
    for _ in 0..100 {
        let index = context.engine.random.below(keys);
        match context.engine.keyspace.by_index(db, index) {
            Some((key, entry)) if !entry.is_expired(now) => {
                context.reply.bulk(key);
                return Ok(());
            }
            Some((key, _)) => {
                let key = key.clone();
                context.expire_met(&key);
                keys = context.engine.keyspace.size(db).keys;
            }
            None => break,
        }
    }
    context.reply.null();
    Ok(())
}

impl Context<'_> {
    /// A walk through the keys has met one that has expired: a master deletes it. That is an effect of its own, and none of
    /// a unit with others'.
    fn expire_met(&mut self, key: &[u8]) {
        if self.engine.deletes_expired(self.now) {
            self.engine.expire(self.session.db, key);
            if !self.is_in_transaction() {
                self.engine.end_unit(self.now);
            }
        }
    }

    /// Does something in another database.
    fn in_database<T>(&mut self, db: usize, act: impl FnOnce(&mut Self) -> T) -> T {
        let own = std::mem::replace(&mut self.session.db, db);
        let done = act(self);
        self.session.db = own;
        done
    }
}

#[cfg(test)]
mod tests {
    use crate::engine::testing::Play;

    #[test]
    fn a_walk_deletes_what_has_expired_one_by_one() {
        // Asked of redis-server 7.0.15.
        let mut play = Play::new("redis-7.0");
        let fill = |play: &mut Play| {
            for line in ["SET a v PX 1", "SET b v PX 1", "SADD c v", "PEXPIRE c 1"] {
                play.run(line);
            }
            play.now += 10;
            play.stream();
        };
        fill(&mut play);
        play.rows(&[
            ("SCAN 0 MATCH none", "[0 []]", ""),
            ("SCAN 0 TYPE set", "[0 []]", "DEL c"),
            ("SCAN 0", "[0 []]", "DEL b | DEL a"),
        ]);
        fill(&mut play);
        assert_eq!(play.run("RANDOMKEY"), "(nil)");
        let mut gone: Vec<String> = play.stream().split(" | ").map(str::to_owned).collect();
        gone.sort();
        assert_eq!(gone, ["DEL a", "DEL b", "DEL c"]);
        // A transaction is one unit, whatever is in it.
        fill(&mut play);
        play.run("MULTI");
        play.run("SCAN 0");
        assert_eq!(play.run("EXEC"), "[[0 []]]");
        assert_eq!(play.stream(), "MULTI | DEL c | DEL b | DEL a | EXEC");
    }
}
