//! Commands about the server: its configuration, its state, its end.

use super::{Context, Flag, Keys, Outcome, Spec};
use crate::engine::args::Args;
use crate::engine::config::ConfigError;
use crate::engine::core::Stop;
use crate::engine::error::CommandError;
use crate::engine::value::{Text, Value};

const ADMIN: &[Flag] = &[Flag::Admin, Flag::Loading, Flag::Stale, Flag::NoScript];
const ANYWHERE: &[Flag] = &[Flag::Fast, Flag::Loading, Flag::Stale];
const READ: &[Flag] = &[Flag::Read];

pub(super) const COMMANDS: &[Spec] = &[
    Spec::new("CONFIG", -2, ADMIN, Keys::NONE, config),
    Spec::new("INFO", -1, &[Flag::Loading, Flag::Stale], Keys::NONE, info),
    Spec::new("COMMAND", -1, &[Flag::Loading, Flag::Stale], Keys::NONE, command),
    Spec::new("TIME", 1, ANYWHERE, Keys::NONE, time),
    Spec::new("LASTSAVE", 1, ANYWHERE, Keys::NONE, lastsave),
    Spec::new("SHUTDOWN", -1, ADMIN, Keys::NONE, shutdown),
    Spec::new("DEBUG", -2, ADMIN, Keys::NONE, debug),
    Spec::new("REPLTOOL", -2, ADMIN, Keys::NONE, repltool),
    Spec::new("OBJECT", -2, READ, Keys::new(2, 2, 1), object),
    Spec::new("MEMORY", -2, READ, Keys::NONE, memory),
    Spec::new("ACL", -2, ADMIN, Keys::NONE, acl),
    Spec::new("SLOWLOG", -2, ADMIN, Keys::NONE, slowlog),
    Spec::new("LATENCY", -2, ADMIN, Keys::NONE, latency),
    Spec::new("MODULE", -2, ADMIN, Keys::NONE, module),
];

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn config(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    match () {
        () if args.is(1, "GET") && args.len() > 2 => {
            let mut found: Vec<(&'static str, String)> = Vec::new();
            for pattern in args.from(2) {
                for (name, value) in context.engine.config.matching(pattern) {
                    if !found.iter().any(|(known, _)| *known == name) {
                        found.push((name, value.to_owned()));
                    }
                }
            }
            context.reply.map(found.len());
            for (name, value) in found {
                context.reply.bulk(name.as_bytes());
                context.reply.bulk(value.as_bytes());
            }
        }
        () if args.is(1, "SET") && args.len() >= 4 => config_set(context, args)?,
        () if args.is(1, "RESETSTAT") && args.len() == 2 => {
            let stats = std::mem::take(&mut context.engine.stats);
            // What a master said and could not be applied stays: the keyspace lacks it.
            context.engine.stats.unapplied = stats.unapplied;
            context.engine.stats.first_unapplied = stats.first_unapplied;
            context.reply.ok();
        }
        () if args.is(1, "REWRITE") && args.len() == 2 => {
            return Err(CommandError::fixed("ERR The server is running without a config file"));
        }
        () if ["GET", "SET", "RESETSTAT", "REWRITE"].iter().any(|word| args.is(1, word)) => {
            return Err(super::subcommand_arity("config", args));
        }
        () => return Err(super::unknown_subcommand("CONFIG", args)),
    }
    Ok(())
}

/// All or nothing.
fn config_set(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    if !args.len().is_multiple_of(2) {
        return Err(CommandError::fixed("ERR wrong number of arguments for 'config|set' command"));
    }
    let mut changed = context.engine.config.clone();
    for (name, value) in args.from(2).step_by(2).zip(args.from(3).step_by(2)) {
        let (name, value) = (text(name), text(value));
        if let Err(error) = changed.set(&name, &value) {
            let since_7 = context.engine.dialect.since(7, 0);
            return Err(CommandError::new(match error {
                ConfigError::Unknown(_) if since_7 => {
                    format!("ERR Unknown option or number of arguments for CONFIG SET - '{name}'")
                }
                ConfigError::Unknown(_) | ConfigError::Immutable if !since_7 => {
                    format!("ERR Unsupported CONFIG parameter: {name}")
                }
                error if since_7 => {
                    format!("ERR CONFIG SET failed (possibly related to argument '{name}') - {error}")
                }
                error => format!("ERR Invalid argument '{value}' for CONFIG SET '{name}' - {error}"),
            }));
        }
    }
    context.engine.config = changed;
    context.engine.refresh_settings();
    context.reply.ok();
    Ok(())
}

fn info(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let text = context.engine.info(args.from(1), context.now);
    context.reply.verbatim(text.as_bytes());
    Ok(())
}

fn command(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let dialect = context.engine.dialect;
    let all = || super::all().filter(move |spec| spec.is_known(dialect) && !spec.name.contains('|'));
    match () {
        () if args.len() == 1 => {
            context.reply.array(all().count());
            all().for_each(|spec| tell(context, Some(spec)));
        }
        () if args.is(1, "COUNT") => context.reply.count(all().count()),
        () if args.is(1, "LIST") => {
            context.reply.array(all().count());
            all().for_each(|spec| context.reply.bulk(spec.name.to_ascii_lowercase().as_bytes()));
        }
        () if args.is(1, "INFO") => {
            context.reply.array(args.len() - 2);
            for name in args.from(2) {
                let spec = context.engine.command(name).filter(|spec| spec.is_known(dialect));
                tell(context, spec);
            }
        }
        () if args.is(1, "DOCS") => context.reply.map(0),
        () if args.is(1, "GETKEYS") && args.len() > 2 => {
            let called = args.skip(2);
            let spec = context.engine.command(called.get(0));
            let spec = spec.ok_or(CommandError::fixed("ERR Invalid command specified"))?;
            if !spec.takes(called.len()) {
                return Err(CommandError::fixed("ERR Invalid number of arguments specified for command"));
            }
            let places = spec.key_places(called);
            if places.is_empty() {
                return Err(CommandError::fixed("ERR The command has no key arguments"));
            }
            context.reply.array(places.len());
            places.iter().for_each(|place| context.reply.bulk(called.get(*place)));
        }
        () => return Err(super::unknown_subcommand("COMMAND", args)),
    }
    Ok(())
}

/// A command as COMMAND has it: name, arity, flags, keys, and four arrays that are empty here.
fn tell(context: &mut Context<'_>, spec: Option<&Spec>) {
    let modern = context.engine.dialect.since(7, 0);
    let reply = &mut *context.reply;
    let Some(spec) = spec else {
        reply.null_array();
        return;
    };
    reply.array(if modern { 10 } else { 7 });
    reply.bulk(spec.name.to_ascii_lowercase().as_bytes());
    reply.integer(spec.arity.into());
    reply.set(spec.flags.iter().filter(|flag| flag.word().is_some()).count());
    spec.flags.iter().filter_map(|flag| flag.word()).for_each(|word| reply.status(word));
    reply.integer(spec.keys.first.into());
    reply.integer(spec.keys.last.into());
    reply.integer(spec.keys.step.into());
    for _ in 0..if modern { 4 } else { 1 } {
        reply.set(0);
    }
}

fn time(context: &mut Context<'_>, _: Args<'_>) -> Outcome {
    let now = context.now;
    context.reply.array(2);
    context.reply.bulk_integer(now / 1000);
    context.reply.bulk_integer(now % 1000 * 1000);
    Ok(())
}

fn lastsave(context: &mut Context<'_>, _: Args<'_>) -> Outcome {
    context.reply.integer(context.engine.process.started_at / 1000);
    Ok(())
}

fn shutdown(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    if args.from(1).any(|word| word.eq_ignore_ascii_case(b"ABORT")) {
        return Err(CommandError::fixed("ERR No shutdown in progress."));
    }
    for word in args.from(1) {
        if !["NOSAVE", "SAVE", "NOW", "FORCE"].iter().any(|known| word.eq_ignore_ascii_case(known.as_bytes())) {
            return Err(CommandError::SYNTAX);
        }
    }
    context.engine.stop = Some(Stop { asked_by: "SHUTDOWN" });
    Ok(())
}

fn debug(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    match () {
        () if args.is(1, "DIGEST") && args.len() == 2 => {
            let digest = context.engine.digest(context.engine.dialect, context.now);
            context.reply.status(&digest.to_string());
        }
        () if args.is(1, "DIGEST-VALUE") => {
            context.reply.array(args.len() - 2);
            let db = context.session.db;
            for key in args.from(2) {
                let digest = context.engine.digest_value(db, key, context.engine.dialect, context.now);
                context.reply.status(&digest.to_string());
            }
        }
        () if args.is(1, "OBJECT") && args.len() == 3 => {
            let entry = context.entry(args.get(2)).ok_or(CommandError::NO_SUCH_KEY)?;
            let encoding = encoding(&entry.value);
            context.reply.status(&format!(
                "Value at:0x0 refcount:1 encoding:{encoding} serializedlength:0 lru:0 lru_seconds_idle:0"
            ));
        }
        () if args.is(1, "SLEEP") && args.len() == 3 => {
            // What blocks the server for so long is for the server to do, once this batch is done.
            let seconds = args.float(2)?.clamp(0.0, 3600.0);
            context.engine.sleep_for = Some(std::time::Duration::from_secs_f64(seconds));
            context.reply.ok();
        }
        () if args.is(1, "SET-ACTIVE-EXPIRE") && args.len() == 3 => {
            context.engine.active_expire = args.get(2) != b"0";
            context.reply.ok();
        }
        () if args.is(1, "JMAP") || args.is(1, "QUICKLIST-PACKED-THRESHOLD") || args.is(1, "STRINGMATCH-LEN") => {
            context.reply.ok();
        }
        () if args.is(1, "POPULATE") && args.len() >= 3 => populate(context, args)?,
        () if args.is(1, "REPLICATE") && args.len() >= 4 => {
            let words: Vec<&[u8]> = args.from(3).collect();
            context.engine.stream.push_anywhere(words.into_iter());
            let now = context.now;
            context.engine.end_unit(now);
            context.reply.ok();
        }
        () => return Err(super::unknown_subcommand("DEBUG", args)),
    }
    Ok(())
}

/// DEBUG POPULATE count [prefix] [size]: keys that are not told to replicas.
fn populate(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let count = usize::try_from(args.integer(2)?).map_err(|_| CommandError::NOT_INTEGER)?;
    let prefix = args.find(3).unwrap_or(b"key");
    let size = match args.find(4) {
        Some(_) => usize::try_from(args.integer(4)?).map_err(|_| CommandError::NOT_INTEGER)?,
        None => 0,
    };
    for number in 0..count {
        let key = [prefix, b":", number.to_string().as_bytes()].concat();
        if context.exists(&key) {
            continue;
        }
        let mut value = format!("value:{number}").into_bytes();
        if size > 0 {
            value.resize(size, 0);
        }
        context.put(&key, Value::from(&value[..]), crate::engine::NEVER);
    }
    context.keep_from_stream();
    context.reply.ok();
    Ok(())
}

fn repltool(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    match () {
        () if args.is(1, "DIGEST") && args.len() == 2 => {
            let digest = context.engine.strong_digest();
            context.reply.status(&digest);
        }
        () => return Err(super::unknown_subcommand("REPLTOOL", args)),
    }
    Ok(())
}

/// The name that OBJECT ENCODING gives. Values have one form each here; what is told is how a server would hold one of
/// this size.
fn encoding(value: &Value) -> &'static str {
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

fn object(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    if args.len() != 3 {
        return Err(super::subcommand_arity("object", args));
    }
    let Some(entry) = context.entry(args.get(2)) else {
        context.reply.null();
        return Ok(());
    };
    let encoding = encoding(&entry.value);
    match () {
        () if args.is(1, "ENCODING") => context.reply.bulk(encoding.as_bytes()),
        () if args.is(1, "REFCOUNT") => context.reply.integer(1),
        () if args.is(1, "IDLETIME") || args.is(1, "FREQ") => context.reply.integer(0),
        () => return Err(super::unknown_subcommand("OBJECT", args)),
    }
    Ok(())
}

fn memory(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    match () {
        () if args.is(1, "USAGE") && args.len() >= 3 => match context.entry(args.get(2)) {
            Some(entry) => {
                let bytes = 64 + args.get(2).len() + entry.value.weight();
                context.reply.count(bytes);
            }
            None => context.reply.null(),
        },
        () if args.is(1, "DOCTOR") => context.reply.verbatim(b"Sam, I detected no memory issues in this instance."),
        () if args.is(1, "PURGE") => context.reply.ok(),
        () => return Err(super::unknown_subcommand("MEMORY", args)),
    }
    Ok(())
}

fn acl(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    match () {
        () if args.is(1, "WHOAMI") => {
            let user = context.session.user.clone();
            context.reply.bulk(user.as_deref().unwrap_or(b"default"));
        }
        () if args.is(1, "USERS") => {
            let mut names: Vec<Vec<u8>> = context.engine.users.iter().map(|(name, _)| name.to_vec()).collect();
            if !names.iter().any(|name| name == b"default") {
                names.insert(0, b"default".to_vec());
            }
            context.reply.array(names.len());
            names.iter().for_each(|name| context.reply.bulk(name));
        }
        () if args.is(1, "SETUSER") && args.len() >= 3 => {
            let rules = args.from(3);
            context.engine.users.change(args.get(2), rules).map_err(|rule| {
                CommandError::new(format!("ERR Error in ACL SETUSER modifier '{rule}': Syntax error"))
            })?;
            context.reply.ok();
        }
        () if args.is(1, "DELUSER") && args.len() >= 3 => {
            let deleted = args.from(2).filter(|name| context.engine.users.remove(name)).count();
            context.reply.count(deleted);
        }
        () if args.is(1, "CAT") => context.reply.array(0),
        () => return Err(super::unknown_subcommand("ACL", args)),
    }
    Ok(())
}

fn slowlog(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    match () {
        () if args.is(1, "GET") => context.reply.array(0),
        () if args.is(1, "LEN") => context.reply.integer(0),
        () if args.is(1, "RESET") => context.reply.ok(),
        () => return Err(super::unknown_subcommand("SLOWLOG", args)),
    }
    Ok(())
}

fn latency(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    match () {
        () if args.is(1, "LATEST") || args.is(1, "HISTORY") => context.reply.array(0),
        () if args.is(1, "RESET") => context.reply.integer(0),
        () => return Err(super::unknown_subcommand("LATENCY", args)),
    }
    Ok(())
}

fn module(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    if !args.is(1, "LIST") {
        return Err(super::unknown_subcommand("MODULE", args));
    }
    context.reply.array(0);
    Ok(())
}
