//! OBJECT and MEMORY: how a key's value is held.

use super::{Context, Flag, Keys, Outcome, Spec, help};
use crate::engine::args::Args;
use crate::engine::error::CommandError;
use crate::engine::value::{Text, Value};

const READ: &[Flag] = &[Flag::Read];
const HELP: &[Flag] = &[Flag::Loading, Flag::Stale];
const SECOND: Keys = Keys::new(2, 2, 1);

pub(super) const COMMANDS: &[Spec] = &[
    Spec::container("OBJECT", READ, SECOND),
    Spec::new("OBJECT|ENCODING", 3, READ, SECOND, tell_encoding),
    Spec::new("OBJECT|REFCOUNT", 3, READ, SECOND, refcount),
    Spec::new("OBJECT|IDLETIME", 3, READ, SECOND, idletime),
    Spec::new("OBJECT|FREQ", 3, READ, SECOND, freq).since(4, 0),
    Spec::new("OBJECT|HELP", 2, HELP, Keys::NONE, help).since(6, 2),
    Spec::container("MEMORY", READ, Keys::NONE).since(4, 0),
    Spec::new("MEMORY|USAGE", -3, READ, SECOND, usage),
    Spec::new("MEMORY|DOCTOR", 2, &[], Keys::NONE, doctor),
    Spec::new("MEMORY|PURGE", 2, &[], Keys::NONE, purge),
    Spec::new("MEMORY|HELP", 2, HELP, Keys::NONE, help),
];

/// The name that OBJECT ENCODING gives. Values have one form each here; what is told is how a server would hold one of
/// this size.
pub(super) fn encoding(value: &Value) -> &'static str {
    match value {
        Value::String(Text::Integer(_)) => "int",
        Value::String(text) if text.len() <= 44 => "embstr",
        Value::String(_) => "raw",
        Value::List(list) if list.iter().map(|element| element.len() + 11).sum::<usize>() <= 8192 => "listpack",
        Value::List(_) => "quicklist",
        Value::Set(set)
            if set.len() <= 512 && set.iter().all(|member| crate::engine::value::integer(member).is_some()) =>
        {
            "intset"
        }
        Value::Set(set) if set.len() <= 128 && set.iter().all(|member| member.len() <= 64) => "listpack",
        Value::Set(_) => "hashtable",
        Value::SortedSet(set) if set.len() <= 128 && set.ranked().iter().all(|scored| scored.member.len() <= 64) => {
            "listpack"
        }
        Value::SortedSet(_) => "skiplist",
        Value::Hash(hash)
            if hash.fields.len() <= 512
                && hash.fields.iter().all(|(name, field)| name.len() <= 64 && field.value.len() <= 64) =>
        {
            if hash.volatile > 0 { "listpackex" } else { "listpack" }
        }
        Value::Hash(_) => "hashtable",
        Value::Stream(_) => "stream",
        Value::Opaque(_) => "raw",
    }
}

/// Answers with something of a key; nothing where there is none.
fn of_key(context: &mut Context<'_>, args: Args<'_>, tell: impl FnOnce(&mut Context<'_>) -> Outcome) -> Outcome {
    if context.exists(args.get(2)) {
        return tell(context);
    }
    context.reply.null();
    Ok(())
}

fn tell_encoding(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let name = context.value(args.get(2)).map(encoding);
    context.reply.bulk_or_null(name.map(str::as_bytes));
    Ok(())
}

fn refcount(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    of_key(context, args, |context| {
        context.reply.integer(1);
        Ok(())
    })
}

/// Nothing is evicted here, so nobody counts.
fn idletime(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let counts_uses = context.engine.config.get("maxmemory-policy").ends_with("-lfu");
    of_key(context, args, |context| match counts_uses {
        true => Err(CommandError::fixed(
            "ERR An LFU maxmemory policy is selected, idle time not tracked. Please note that when switching between policies at runtime LRU and LFU data will take some time to adjust.",
        )),
        false => {
            context.reply.integer(0);
            Ok(())
        }
    })
}

fn freq(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let counts_uses = context.engine.config.get("maxmemory-policy").ends_with("-lfu");
    of_key(context, args, |context| match counts_uses {
        true => {
            context.reply.integer(0);
            Ok(())
        }
        false => Err(CommandError::fixed(
            "ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note that when switching between policies at runtime LRU and LFU data will take some time to adjust.",
        )),
    })
}

fn usage(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    match args.len() {
        3 => {}
        5 if args.is(3, "SAMPLES") => {
            if args.integer(4)? < 0 {
                return Err(CommandError::SYNTAX);
            }
        }
        _ => return Err(CommandError::SYNTAX),
    }
    let key = args.get(2);
    match context.value(key).map(Value::weight) {
        Some(weight) => context.reply.count(64 + key.len() + weight),
        None => context.reply.null(),
    }
    Ok(())
}

fn doctor(context: &mut Context<'_>, _: Args<'_>) -> Outcome {
    context.reply.verbatim(
        b"Sam, I detected no memory issues in this instance. I can only account for what occurs on this base.\n",
    );
    Ok(())
}

fn purge(context: &mut Context<'_>, _: Args<'_>) -> Outcome {
    context.reply.ok();
    Ok(())
}
