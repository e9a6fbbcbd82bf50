//! Sets.

use std::sync::Arc;

use super::{Context, Flag, Keys, Outcome, Spec, scan};
use crate::bounds;
use crate::engine::args::Args;
use crate::engine::error::CommandError;
use crate::engine::events::Class;
use crate::engine::keyspace::NEVER;
use crate::engine::reply::Reply;
use crate::engine::value::{Blob, Set, Value};

const GROW: &[Flag] = &[Flag::Write, Flag::DenyOom];
const FAST_WRITE: &[Flag] = &[Flag::Write, Flag::Fast];
const READ: &[Flag] = &[Flag::Read];
const FAST_READ: &[Flag] = &[Flag::Read, Flag::Fast];

pub(super) const COMMANDS: &[Spec] = &[
    Spec::new("SADD", -3, &[Flag::Write, Flag::DenyOom, Flag::Fast], Keys::ONE, sadd),
    Spec::new("SREM", -3, FAST_WRITE, Keys::ONE, srem),
    Spec::new("SISMEMBER", 3, FAST_READ, Keys::ONE, sismember),
    Spec::new("SMISMEMBER", -3, FAST_READ, Keys::ONE, smismember).since(6, 2),
    Spec::new("SMEMBERS", 2, READ, Keys::ONE, smembers),
    Spec::new("SCARD", 2, FAST_READ, Keys::ONE, scard),
    Spec::new("SMOVE", 4, FAST_WRITE, Keys::TWO, smove),
    Spec::new("SPOP", -2, FAST_WRITE, Keys::ONE, spop),
    Spec::new("SRANDMEMBER", -2, READ, Keys::ONE, srandmember),
    Spec::new("SINTER", -2, READ, Keys::ALL, sinter),
    Spec::new("SINTERCARD", -3, READ, Keys::NONE, sintercard).since(7, 0),
    Spec::new("SUNION", -2, READ, Keys::ALL, sunion),
    Spec::new("SDIFF", -2, READ, Keys::ALL, sdiff),
    Spec::new("SINTERSTORE", -3, GROW, Keys::ALL, sinterstore),
    Spec::new("SUNIONSTORE", -3, GROW, Keys::ALL, sunionstore),
    Spec::new("SDIFFSTORE", -3, GROW, Keys::ALL, sdiffstore),
    Spec::new("SSCAN", -3, READ, Keys::ONE, sscan),
];

fn sadd(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let key = args.get(1);
    let set = context.set_or_new(key)?;
    let before = set.len();
    for member in args.from(2) {
        // A member that is there already needs no copy of its bytes.
        if !set.contains(member) {
            set.insert(member.into());
        }
    }
    let added = set.len() - before;
    if added > 0 {
        context.changed(key, added as u64);
        context.notify(Class::Set, "sadd", key);
    }
    context.reply.count(added);
    Ok(())
}

fn srem(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let key = args.get(1);
    let present = context.set(key)?.is_some_and(|set| args.from(2).any(|member| set.contains(member)));
    let mut removed = 0;
    if present && let Some(set) = context.set_mut(key)? {
        removed = args.from(2).filter(|member| set.swap_remove(*member)).count();
        context.notify(Class::Set, "srem", key);
        context.settle(key);
        context.changed(key, removed as u64);
    }
    context.reply.count(removed);
    Ok(())
}

fn sismember(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let present = context.set(args.get(1))?.is_some_and(|set| set.contains(args.get(2)));
    context.reply.flag(present);
    Ok(())
}

fn smismember(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    context.answer(|context, reply| {
        let set = context.set(args.get(1))?;
        reply.array(args.len() - 2);
        args.from(2).for_each(|member| reply.flag(set.is_some_and(|set| set.contains(member))));
        Ok(())
    })
}

fn smembers(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    context.answer(|context, reply| {
        let set = context.set(args.get(1))?;
        reply.set(set.map_or(0, Set::len));
        set.into_iter().flatten().for_each(|member| reply.bulk(member));
        Ok(())
    })
}

fn scard(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let count = context.set(args.get(1))?.map_or(0, Set::len);
    context.reply.count(count);
    Ok(())
}

fn smove(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let (source, target, member) = (args.get(1), args.get(2), args.get(3));
    let Some(present) = context.set(source)?.map(|set| set.contains(member)) else {
        context.reply.flag(false);
        return Ok(());
    };
    context.set(target)?;
    if present && source != target {
        if let Some(set) = context.set_mut(source)? {
            set.swap_remove(member);
        }
        context.notify(Class::Set, "srem", source);
        context.settle(source);
        let added = context.set_or_new(target)?.insert(member.into());
        context.changed(source, 1);
        if added {
            context.changed(target, 0);
            context.notify(Class::Set, "sadd", target);
        }
    }
    context.reply.flag(present);
    Ok(())
}

fn spop(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let key = args.get(1);
    match args.len() {
        2 => {}
        3 => return spop_some(context, args),
        _ => return Err(CommandError::SYNTAX),
    }
    let Some(length) = context.set(key)?.map(Set::len) else {
        context.reply.null();
        return Ok(());
    };
    let at = context.engine.random.below(length);
    if let Some(member) = context.set_mut(key)?.and_then(|set| set.swap_remove_index(at)) {
        context.notify(Class::Set, "spop", key);
        context.settle(key);
        context.changed(key, 1);
        context.propagate(&[b"SREM", key, &member]);
        context.reply.bulk(&member);
    }
    Ok(())
}

/// SPOP with a count: what it took is removed by name on replicas, and a set that it took as a whole is deleted.
fn spop_some(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let key = args.get(1);
    let count = usize::try_from(args.at_least(2, 0, CommandError::NEGATIVE_TEXT)?).unwrap_or(usize::MAX);
    let length = context.set(key)?.map_or(0, Set::len);
    if count == 0 || length == 0 {
        context.reply.set(0);
        return Ok(());
    }
    if count >= length {
        context.answer(|context, reply| {
            let set = context.set(key)?;
            reply.set(length);
            set.into_iter().flatten().for_each(|member| reply.bulk(member));
            Ok(())
        })?;
        context.notify(Class::Set, "spop", key);
        context.take(key);
        context.notify(Class::Generic, "del", key);
        context.changed(key, length as u64);
        let word = context.delete_word();
        context.propagate(&[word, key]);
        return Ok(());
    }
    let mut random = context.engine.random.clone();
    let mut taken: Vec<Blob> = Vec::with_capacity(count);
    if let Some(set) = context.set_mut(key)? {
        taken.extend((0..count).filter_map(|_| {
            let at = random.below(set.len());
            set.swap_remove_index(at)
        }));
    }
    context.engine.random = random;
    context.changed(key, taken.len() as u64);
    context.notify(Class::Set, "spop", key);
    context.reply.set(taken.len());
    taken.iter().for_each(|member| context.reply.bulk(member));
    propagate_removal(context, key, &taken);
    Ok(())
}

/// Until 7.0 each member has a SREM of its own, all of them in a transaction; since 7.2 up to 1024 share one.
fn propagate_removal(context: &mut Context<'_>, key: &[u8], taken: &[Blob]) {
    let (shared, wrapped) = (context.engine.dialect.since(7, 2), context.engine.dialect.since(7, 0));
    for part in taken.chunks(if shared { 1024 } else { 1 }) {
        let mut words: Vec<&[u8]> = vec![b"SREM", key];
        words.extend(part.iter().map(|member| &**member));
        context.propagate(&words);
    }
    if !wrapped && taken.len() > 1 {
        context.engine.stream.mark_transaction();
    }
}

fn srandmember(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let key = args.get(1);
    match args.len() {
        2 => {
            let length = context.set(key)?.map_or(0, Set::len);
            let at = context.engine.random.below(length);
            let member = context.set(key)?.and_then(|set| set.get_index(at)).cloned();
            context.reply.bulk_or_null(member.as_deref());
            return Ok(());
        }
        3 => {}
        _ => return Err(CommandError::SYNTAX),
    }
    let count = random_count(args, 2)?;
    let set = shared(context, key)?.unwrap_or_default();
    let chosen = choose(context, set.len(), count);
    context.reply.array(chosen.len());
    for member in chosen.into_iter().filter_map(|at| set.get_index(at)) {
        context.reply.bulk(member);
    }
    Ok(())
}

/// How many members SRANDMEMBER and its like are asked for; below zero some may come more than once.
pub(super) fn random_count(args: Args<'_>, index: usize) -> Result<i64, CommandError> {
    match args.integer(index)? {
        i64::MIN => Err(CommandError::NOT_SYMMETRIC),
        // Servers would begin to answer and never come to an end.
        ..0 if args.integer(index)? < -bounds::RANDOM_MEMBERS => Err(CommandError::fixed("ERR value is out of range")),
        count => Ok(count),
    }
}

/// Places of a collection at random: different ones if `count` is positive, any if it is negative.
pub(super) fn choose(context: &mut Context<'_>, length: usize, count: i64) -> Vec<usize> {
    let random = &mut context.engine.random;
    let wanted = usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX);
    if length == 0 {
        return Vec::new();
    }
    if count < 0 {
        return (0..wanted).map(|_| random.below(length)).collect();
    }
    if wanted >= length {
        return (0..length).collect();
    }
    // Of many the few that are wanted are drawn by their numbers; else all are shuffled as far as is needed.
    if wanted < length / 4 {
        let mut chosen = indexmap::IndexSet::with_capacity(wanted);
        while chosen.len() < wanted {
            chosen.insert(random.below(length));
        }
        return chosen.into_iter().collect();
    }
    let mut places: Vec<usize> = (0..length).collect();
    for at in 0..wanted {
        places.swap(at, at + random.below(length - at));
    }
    places.truncate(wanted);
    places
}

/// A key's set, shared.
fn shared(context: &mut Context<'_>, key: &[u8]) -> Result<Option<Arc<Set>>, CommandError> {
    match context.value(key) {
        None => Ok(None),
        Some(Value::Set(set)) => Ok(Some(Arc::clone(set))),
        Some(_) => Err(CommandError::WRONG_TYPE),
    }
}

/// The sets of some keys; `None` for what is not there.
type Sets = Vec<Option<Arc<Set>>>;

fn sets<'k>(context: &mut Context<'_>, keys: impl Iterator<Item = &'k [u8]>) -> Result<Sets, CommandError> {
    context.reading_to_store(|context| keys.map(|key| shared(context, key)).collect())
}

/// What sets have in common, given to `visit` until it says that it has enough.
fn intersect(sets: &Sets, mut visit: impl FnMut(&Blob) -> bool) {
    let all: Option<Vec<&Set>> = sets.iter().map(Option::as_deref).collect();
    let Some(mut all) = all else { return };
    all.sort_by_key(|set| set.len());
    let Some((least, others)) = all.split_first() else { return };
    for member in least.iter() {
        if others.iter().all(|set| set.contains(member)) && !visit(member) {
            return;
        }
    }
}

fn intersection(sets: &Sets) -> Set {
    let mut found = Set::default();
    intersect(sets, |member| found.insert(member.clone()));
    found
}

fn union(sets: &Sets) -> Set {
    let mut found = Set::default();
    for set in sets.iter().flatten() {
        found.extend(set.iter().cloned());
    }
    found
}

fn difference(sets: &Sets) -> Set {
    let Some((Some(first), others)) = sets.split_first() else { return Set::default() };
    first.iter().filter(|member| !others.iter().flatten().any(|set| set.contains(*member))).cloned().collect()
}

fn answer(reply: &mut Reply, set: &Set) {
    reply.set(set.len());
    set.iter().for_each(|member| reply.bulk(member));
}

/// Puts a result in a key's place: nothing where the result is empty.
fn store(context: &mut Context<'_>, key: &[u8], set: Set, event: &str) {
    let count = set.len();
    let before = context.exists(key);
    if count > 0 {
        context.put(key, Value::Set(Arc::new(set)), NEVER);
        context.changed(key, 1);
        context.notify(Class::Set, event, key);
    } else if before {
        context.take(key);
        context.changed(key, 1);
        context.notify(Class::Generic, "del", key);
    }
    context.reply.count(count);
}

fn sinter(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let set = intersection(&sets(context, args.from(1))?);
    answer(context.reply, &set);
    Ok(())
}

fn sunion(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let set = union(&sets(context, args.from(1))?);
    answer(context.reply, &set);
    Ok(())
}

fn sdiff(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let set = difference(&sets(context, args.from(1))?);
    answer(context.reply, &set);
    Ok(())
}

fn sinterstore(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let set = intersection(&sets(context, args.from(2))?);
    store(context, args.get(1), set, "sinterstore");
    Ok(())
}

fn sunionstore(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let set = union(&sets(context, args.from(2))?);
    store(context, args.get(1), set, "sunionstore");
    Ok(())
}

fn sdiffstore(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let set = difference(&sets(context, args.from(2))?);
    store(context, args.get(1), set, "sdiffstore");
    Ok(())
}

fn sintercard(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let count = args.at_least(1, 1, "ERR numkeys should be greater than 0")?;
    if count > args.len() as i64 - 2 {
        return Err(CommandError::fixed("ERR Number of keys can't be greater than number of args"));
    }
    let (keys, index) = args.keys(1, "")?;
    let limit = limit_option(args, index)?;
    let sets = sets(context, keys)?;
    let mut found = 0;
    intersect(&sets, |_| {
        found += 1;
        found < limit
    });
    context.reply.count(found);
    Ok(())
}

/// `[LIMIT n]` at the end of SINTERCARD and ZINTERCARD; 0 is without limit.
pub(super) fn limit_option(args: Args<'_>, mut index: usize) -> Result<usize, CommandError> {
    let mut limit = 0;
    while index < args.len() {
        if !args.is(index, "LIMIT") || index + 1 >= args.len() {
            return Err(CommandError::SYNTAX);
        }
        limit = args.at_least(index + 1, 0, "ERR LIMIT can't be negative")?;
        index += 2;
    }
    Ok(if limit == 0 { usize::MAX } else { usize::try_from(limit).unwrap_or(usize::MAX) })
}

fn sscan(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    scan::check_cursor(args, 2)?;
    let Some(set) = shared(context, args.get(1))? else {
        scan::answer_nothing(context.reply);
        return Ok(());
    };
    let options = scan::Options::read(args, 2, false)?;
    options.refuse_no_values(context.engine.dialect)?;
    let (next, found) = options.walk(set.len(), |index| set.get_index(index).filter(|member| options.matches(member)));
    context.reply.array(2);
    context.reply.bulk(next.to_string().as_bytes());
    context.reply.array(found.len());
    found.iter().for_each(|member| context.reply.bulk(member));
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::engine::testing::Play;

    #[test]
    fn answers_and_effects() {
        let mut play = Play::new("redis-7.0");
        let rows = [
            ("SADD s a b c a", "3", "SADD s a b c a"),
            ("SADD s a", "0", ""),
            ("SADD t b c d", "3", "SADD t b c d"),
            ("SREM s z", "0", ""),
            ("SREM no z", "0", ""),
            ("SREM s b b", "1", "SREM s b b"),
            ("SADD s b", "1", "SADD s b"),
            ("SISMEMBER s a", "1", ""),
            ("SMISMEMBER s a z", "[1 0]", ""),
            ("SMISMEMBER no a z", "[0 0]", ""),
            ("SCARD s", "3", ""),
            ("SINTERCARD 2 s t", "2", ""),
            ("SINTERCARD 2 s t LIMIT 1", "1", ""),
            ("SINTERCARD 2 s t LIMIT -1", "-ERR LIMIT can't be negative", ""),
            ("SINTERCARD 2 s", "-ERR Number of keys can't be greater than number of args", ""),
            ("SINTERCARD 0 s", "-ERR numkeys should be greater than 0", ""),
            ("SDIFF s t", "[a]", ""),
            ("SDIFF no s", "[]", ""),
            ("SINTER s no", "[]", ""),
            ("SET x 1", "OK", "SET x 1"),
            ("SINTER no x", "-WRONGTYPE Operation against a key holding the wrong kind of value", ""),
            ("SINTERSTORE x s no", "0", "SINTERSTORE x s no"),
            ("SINTERSTORE x s no", "0", ""),
            ("SDIFFSTORE d s t", "1", "SDIFFSTORE d s t"),
            ("SUNIONSTORE d s t", "4", "SUNIONSTORE d s t"),
            ("SMOVE s m a", "1", "SMOVE s m a"),
            ("SMOVE s m a", "0", ""),
            ("SMOVE s s b", "1", ""),
            ("SMOVE no s b", "0", ""),
            ("SPOP no", "(nil)", ""),
            ("SPOP no 3", "[]", ""),
            ("SPOP s 1 2", "-ERR syntax error", ""),
            ("SPOP s -1", "-ERR value is out of range, must be positive", ""),
            ("SPOP m", "a", "SREM m a"),
            ("EXISTS m", "0", ""),
            ("SRANDMEMBER no 3", "[]", ""),
            ("SRANDMEMBER no", "(nil)", ""),
            ("SRANDMEMBER s -9000000000", "-ERR value is out of range", ""),
            ("SSCAN s x", "-ERR invalid cursor", ""),
            ("SSCAN no 0 FOO", "[0 []]", ""),
        ];
        play.rows(&rows);
    }

    #[test]
    fn what_was_popped_at_random_is_removed_by_name() {
        for (dialect, effects, all) in [
            ("redis-6.2", "MULTI | SREM s A | SREM s B | EXEC", "DEL s"),
            ("redis-7.0", "MULTI | SREM s A | SREM s B | EXEC", "DEL s"),
            ("redis-8.2", "SREM s A B", "DEL s"),
            ("valkey-9.1", "SREM s A B", "UNLINK s"),
        ] {
            let mut play = Play::new(dialect);
            play.run("SADD s 1 2 3 4 5");
            play.stream();
            let popped = play.run("SPOP s 2");
            let (a, b) = popped.trim_matches(['[', ']']).split_once(' ').unwrap();
            assert_eq!(play.stream(), effects.replace('A', a).replace('B', b));
            assert_eq!(play.run(&format!("SMISMEMBER s {a} {b}")), "[0 0]");
            assert_eq!(
                (play.run("SCARD s").as_str(), play.run("SPOP s 3").len(), play.stream().as_str()),
                ("3", 7, all)
            );
        }
    }

    #[test]
    fn who_is_chosen_at_random() {
        let mut play = Play::new("redis-7.0");
        play.run(&format!("SADD s {}", (0..100).map(|n| n.to_string()).collect::<Vec<_>>().join(" ")));
        let mut chosen = |line: &str| {
            let answer = play.run(line);
            let mut words: Vec<String> = answer.trim_matches(['[', ']']).split(' ').map(str::to_owned).collect();
            let all = words.len();
            words.sort();
            words.dedup();
            (all, words.len())
        };
        assert_eq!(chosen("SRANDMEMBER s 10"), (10, 10));
        assert_eq!(chosen("SRANDMEMBER s 90"), (90, 90));
        assert_eq!(chosen("SRANDMEMBER s 1000"), (100, 100));
        let (all, different) = chosen("SRANDMEMBER s -1000");
        assert!(all == 1000 && different > 90, "{different}");
        assert_eq!(chosen("SMEMBERS s"), (100, 100));
    }

    #[test]
    fn a_scan_gives_all_that_stays() {
        let mut play = Play::new("redis-7.0");
        play.run(&format!("SADD s {}", (0..100).map(|n| n.to_string()).collect::<Vec<_>>().join(" ")));
        let (mut cursor, mut seen) = ("0".to_owned(), std::collections::BTreeSet::new());
        loop {
            let answer = play.run(&format!("SSCAN s {cursor} COUNT 7 MATCH *"));
            let (next, members) = answer[1..answer.len() - 2].split_once(" [").unwrap();
            seen.extend(members.split(' ').map(|member| member.parse::<u32>().unwrap()));
            play.run(&format!("SREM s {}", 200 + seen.len()));
            cursor = next.to_owned();
            if cursor == "0" {
                break;
            }
        }
        assert_eq!(seen.len(), 100);
    }
}
