//! Commands about the server: what it can do, its state, its end.

use super::docs::Doc;
use super::places::Place;
use super::{Context, Flag, Keys, NO_CLUSTER, Outcome, Spec, help};
use crate::engine::args::Args;
use crate::engine::core::Stop;
use crate::engine::dialect::{Dialect, Family};
use crate::engine::error::CommandError;
use crate::engine::glob;
use crate::engine::log::Level;

const ADMIN: &[Flag] = &[Flag::Admin, Flag::Loading, Flag::Stale, Flag::NoScript];
const ANYTIME: &[Flag] = &[Flag::Loading, Flag::Stale];
const ANYWHERE: &[Flag] = &[Flag::Fast, Flag::Loading, Flag::Stale];

const CLUSTER: &[Flag] = &[Flag::Admin, Flag::Stale];
const MODULE: &[Flag] = &[Flag::Admin, Flag::NoScript];

const VALKEY_9: fn(Dialect) -> bool = |dialect| dialect.is_valkey_since(9, 0);

pub(super) const COMMANDS: &[Spec] = &[
    Spec::new("INFO", -1, ANYTIME, Keys::NONE, info),
    Spec { arity: -1, handler: command, ..Spec::container("COMMAND", ANYTIME, Keys::NONE) },
    Spec::new("COMMAND|COUNT", 2, ANYTIME, Keys::NONE, count),
    Spec::new("COMMAND|LIST", -2, ANYTIME, Keys::NONE, list).since(7, 0),
    Spec::new("COMMAND|INFO", -2, ANYTIME, Keys::NONE, command_info),
    Spec::new("COMMAND|DOCS", -2, ANYTIME, Keys::NONE, docs).since(7, 0),
    Spec::new("COMMAND|GETKEYS", -3, ANYTIME, Keys::NONE, getkeys).before(7, 2, -4),
    Spec::new("COMMAND|GETKEYSANDFLAGS", -3, ANYTIME, Keys::NONE, getkeysandflags).since(7, 0).before(7, 2, -4),
    Spec::new("COMMAND|HELP", 2, ANYTIME, Keys::NONE, help).since(5, 0),
    Spec::new("TIME", 1, ANYWHERE, Keys::NONE, time),
    Spec::new("LASTSAVE", 1, ANYWHERE, Keys::NONE, lastsave),
    Spec::new("MONITOR", 1, ADMIN, Keys::NONE, monitor),
    Spec::new("SAVE", 1, &[Flag::Admin, Flag::NoScript], Keys::NONE, save),
    Spec::new("BGSAVE", -1, &[Flag::Admin, Flag::NoScript], Keys::NONE, bgsave),
    Spec::new("SHUTDOWN", -1, ADMIN, Keys::NONE, shutdown),
    Spec::container("MODULE", MODULE, Keys::NONE).since(4, 0),
    Spec::new("MODULE|LIST", 2, MODULE, Keys::NONE, module_list),
    Spec::new("MODULE|LOAD", -3, MODULE, Keys::NONE, module_load),
    Spec::new("MODULE|LOADEX", -3, MODULE, Keys::NONE, module_load).since(7, 0),
    Spec::new("MODULE|UNLOAD", 3, MODULE, Keys::NONE, module_unload),
    Spec::new("MODULE|HELP", 2, ANYTIME, Keys::NONE, help).since(5, 0),
    Spec::new("BGREWRITEAOF", 1, &[Flag::Admin, Flag::NoScript], Keys::NONE, bgrewriteaof),
    Spec::container("CLUSTER", &[Flag::Admin, Flag::Stale], Keys::NONE).since(3, 0),
    Spec::new("CLUSTER|ADDSLOTS", -3, CLUSTER, Keys::NONE, no_cluster),
    Spec::new("CLUSTER|ADDSLOTSRANGE", -4, CLUSTER, Keys::NONE, no_cluster).since(7, 0),
    Spec::new("CLUSTER|BUMPEPOCH", 2, CLUSTER, Keys::NONE, no_cluster),
    Spec::new("CLUSTER|CANCELSLOTMIGRATIONS", 2, CLUSTER, Keys::NONE, no_cluster).only(VALKEY_9),
    Spec::new("CLUSTER|COUNT-FAILURE-REPORTS", 3, CLUSTER, Keys::NONE, no_cluster),
    Spec::new("CLUSTER|COUNTKEYSINSLOT", 3, &[Flag::Stale], Keys::NONE, no_cluster),
    Spec::new("CLUSTER|DELSLOTS", -3, CLUSTER, Keys::NONE, no_cluster),
    Spec::new("CLUSTER|DELSLOTSRANGE", -4, CLUSTER, Keys::NONE, no_cluster).since(7, 0),
    Spec::new("CLUSTER|FAILOVER", -2, CLUSTER, Keys::NONE, no_cluster),
    Spec::new("CLUSTER|FLUSHSLOT", -3, &[Flag::Admin, Flag::Write], Keys::NONE, no_cluster).only(VALKEY_9),
    Spec::new("CLUSTER|FLUSHSLOTS", 2, CLUSTER, Keys::NONE, no_cluster),
    Spec::new("CLUSTER|FORGET", 3, CLUSTER, Keys::NONE, no_cluster),
    Spec::new("CLUSTER|GETKEYSINSLOT", 4, &[Flag::Stale], Keys::NONE, no_cluster),
    Spec::new("CLUSTER|GETSLOTMIGRATIONS", 2, CLUSTER, Keys::NONE, no_cluster).only(VALKEY_9),
    // Its lines are not told either where there is no cluster.
    Spec::new("CLUSTER|HELP", 2, ANYTIME, Keys::NONE, no_cluster).since(5, 0),
    Spec::new("CLUSTER|INFO", 2, &[Flag::Stale], Keys::NONE, no_cluster),
    Spec::new("CLUSTER|KEYSLOT", 3, &[Flag::Stale], Keys::NONE, keyslot),
    Spec::new("CLUSTER|LINKS", 2, &[Flag::Stale], Keys::NONE, no_cluster).since(7, 0),
    Spec::new("CLUSTER|MEET", -4, CLUSTER, Keys::NONE, no_cluster),
    Spec::new("CLUSTER|MIGRATESLOTS", -4, CLUSTER, Keys::NONE, no_cluster).only(VALKEY_9),
    Spec::new("CLUSTER|MYID", 2, &[Flag::Stale], Keys::NONE, no_cluster),
    Spec::new("CLUSTER|MYSHARDID", 2, &[Flag::Stale], Keys::NONE, no_cluster).since(7, 2),
    Spec::new("CLUSTER|NODES", 2, &[Flag::Stale], Keys::NONE, no_cluster),
    Spec::new("CLUSTER|REPLICAS", 3, CLUSTER, Keys::NONE, no_cluster),
    Spec::new("CLUSTER|REPLICATE", 3, CLUSTER, Keys::NONE, no_cluster).since_valkey_9(-3),
    Spec::new("CLUSTER|RESET", -2, &[Flag::Admin, Flag::Stale, Flag::NoScript], Keys::NONE, no_cluster),
    Spec::new("CLUSTER|SAVECONFIG", 2, CLUSTER, Keys::NONE, no_cluster),
    Spec::new("CLUSTER|SET-CONFIG-EPOCH", 3, CLUSTER, Keys::NONE, no_cluster),
    Spec::new("CLUSTER|SETSLOT", -4, CLUSTER, Keys::NONE, no_cluster),
    Spec::new("CLUSTER|SHARDS", 2, &[Flag::Stale], Keys::NONE, no_cluster).since(7, 0),
    Spec::new("CLUSTER|SLAVES", 3, CLUSTER, Keys::NONE, no_cluster),
    Spec::new("CLUSTER|SLOT-STATS", -4, &[Flag::Stale, Flag::Loading], Keys::NONE, no_cluster)
        .only(|dialect| dialect.is_redis_since(8, 2) || dialect.is_valkey_since(8, 0)),
    Spec::new("CLUSTER|SLOTS", 2, &[Flag::Stale], Keys::NONE, no_cluster),
    Spec::new("CLUSTER|SYNCSLOTS", -3, CLUSTER, Keys::NONE, no_cluster).only(VALKEY_9),
    Spec::new("CLUSTERSCAN", -2, &[Flag::Read], Keys::ONE, no_cluster).only(|dialect| dialect.is_valkey_since(9, 1)),
    Spec::new("READONLY", 1, ANYWHERE, Keys::NONE, readonly).since(3, 0),
    Spec::new("READWRITE", 1, ANYWHERE, Keys::NONE, readonly).since(3, 0),
    Spec::new("ASKING", 1, &[Flag::Fast], Keys::NONE, no_cluster).since(3, 0),
];

fn info(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    // Before 7.0 there was one section at a time.
    if args.len() > 2 && !context.engine.dialect.since(7, 0) {
        return Err(CommandError::SYNTAX);
    }
    if let Some(look) = context.engine.look {
        look(&mut context.engine.process);
    }
    let text = context.engine.info(args.from(1), context.now);
    context.reply.verbatim(text.as_bytes());
    Ok(())
}

/// What clients of this server have, subcommands aside.
fn all(context: &Context<'_>) -> impl Iterator<Item = &'static Spec> + Clone + use<> {
    let dialect = context.engine.dialect;
    super::all().filter(move |spec| spec.is_told(dialect) && !spec.name.contains('|'))
}

fn command(context: &mut Context<'_>, _: Args<'_>) -> Outcome {
    let all = all(context);
    context.reply.array(all.clone().count());
    all.for_each(|spec| tell(context, Some(spec)));
    Ok(())
}

fn count(context: &mut Context<'_>, _: Args<'_>) -> Outcome {
    context.reply.count(all(context).count());
    Ok(())
}

/// COMMAND LIST [FILTERBY MODULE name | ACLCAT category | PATTERN pattern]: subcommands, too.
fn list(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let dialect = context.engine.dialect;
    let all = super::all().filter(|spec| spec.is_told(dialect));
    let named = |spec: &Spec| spec.name.to_ascii_lowercase();
    let names: Vec<String> = match args.len() {
        2 => all.map(named).collect(),
        5 if args.is(2, "FILTERBY") && args.is(3, "PATTERN") => {
            let pattern = args.get(4).to_ascii_lowercase();
            all.map(named).filter(|name| glob::matches(&pattern, name.as_bytes())).collect()
        }
        5 if args.is(2, "FILTERBY") && args.is(3, "ACLCAT") => {
            let category = String::from_utf8_lossy(args.get(4)).to_ascii_lowercase();
            all.filter(|spec| spec.is_in(&category, dialect)).map(named).collect()
        }
        // No module brings commands.
        5 if args.is(2, "FILTERBY") && args.is(3, "MODULE") => Vec::new(),
        _ => return Err(CommandError::SYNTAX),
    };
    context.reply.array(names.len());
    names.iter().for_each(|name| context.reply.bulk(name.as_bytes()));
    Ok(())
}

fn command_info(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let dialect = context.engine.dialect;
    if args.len() == 2 {
        return command(context, args);
    }
    context.reply.array(args.len() - 2);
    for name in args.from(2) {
        let with_subcommands = dialect.since(7, 0) || !name.contains(&b'|');
        let spec = context.engine.command(name).filter(|spec| with_subcommands && spec.is_told(dialect));
        tell(context, spec);
    }
    Ok(())
}

/// COMMAND DOCS [name …]: what is not known is left out.
fn docs(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let dialect = context.engine.dialect;
    let specs: Vec<&Spec> = match args.len() {
        2 => all(context).collect(),
        _ => {
            args.from(2).filter_map(|name| context.engine.command(name)).filter(|spec| spec.is_told(dialect)).collect()
        }
    };
    let found: Vec<(&Spec, Doc)> =
        specs.into_iter().filter_map(|spec| Some((spec, super::docs::find(spec, dialect)?))).collect();
    context.reply.map(found.len());
    for (spec, doc) in found {
        context.reply.bulk(spec.name.to_ascii_lowercase().as_bytes());
        doc.tell(spec, dialect, context.reply);
    }
    Ok(())
}

/// The command that COMMAND GETKEYS is asked about, and its keys.
fn keys_asked(context: &Context<'_>, called: Args<'_>) -> Result<(&'static Spec, Vec<Place>), CommandError> {
    let dialect = context.engine.dialect;
    let spec = context.engine.called(called).map_err(|_| CommandError::fixed("ERR Invalid command specified"))?;
    if !spec.has_keys() {
        return Err(CommandError::fixed("ERR The command has no key arguments"));
    }
    if !spec.takes_in(called.len(), dialect) {
        return Err(CommandError::fixed("ERR Invalid number of arguments specified for command"));
    }
    match spec.keys_of(called) {
        Some(places) if !places.is_empty() || spec.may_lack_keys() && dialect.since(7, 0) => Ok((spec, places)),
        None => Err(CommandError::fixed("ERR Invalid arguments specified for command")),
        Some(_) => Err(CommandError::fixed("ERR The command has no key arguments")),
    }
}

fn getkeys(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let called = args.skip(2);
    let (_, places) = keys_asked(context, called)?;
    context.reply.array(places.len());
    places.iter().for_each(|place| context.reply.bulk(called.get(place.index)));
    Ok(())
}

fn getkeysandflags(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let called = args.skip(2);
    let (spec, places) = keys_asked(context, called)?;
    context.reply.array(places.len());
    for place in places {
        let access = spec.access_to(place, called);
        context.reply.array(2);
        context.reply.bulk(called.get(place.index));
        context.reply.set(access.words().count());
        access.words().for_each(|word| context.reply.status(word));
    }
    Ok(())
}

/// A command as COMMAND has it: name, arity, flags, keys, categories; tips, places of keys, and its subcommands.
fn tell(context: &mut Context<'_>, spec: Option<&Spec>) {
    let dialect = context.engine.dialect;
    let reply = &mut *context.reply;
    let Some(spec) = spec else {
        reply.null_array();
        return;
    };
    reply.array(if dialect.since(7, 0) { 10 } else { 7 });
    reply.bulk(spec.name.to_ascii_lowercase().as_bytes());
    reply.integer(spec.arity_in(dialect).into());
    let flags = spec.flags_in(dialect);
    reply.set(flags.len());
    flags.iter().for_each(|word| reply.status(word));
    let keys = spec.keys_in(dialect);
    reply.integer(keys.first.into());
    reply.integer(keys.last.into());
    reply.integer(keys.step.into());
    reply.set(spec.categories(dialect).count());
    spec.categories(dialect).for_each(|category| reply.status(&format!("@{category}")));
    if dialect.since(7, 0) {
        let doc = super::docs::find(spec, dialect).unwrap_or_default();
        doc.tell_tips(reply);
        doc.tell_keys(reply);
        let subcommands = spec.subcommands().filter(|sub| sub.is_told(dialect));
        match subcommands.clone().count() {
            // An empty array since 7.2.
            0 if !dialect.since(7, 2) => reply.set(0),
            count => reply.array(count),
        }
        subcommands.for_each(|sub| tell(context, Some(sub)));
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
    context.reply.integer(context.engine.last_save() / 1000);
    Ok(())
}

/// From here on this client sees every command. Who does already gets no answer.
fn monitor(context: &mut Context<'_>, _: Args<'_>) -> Outcome {
    if context.is_in_transaction() && context.engine.dialect.since(6, 2) {
        return Err(CommandError::fixed("ERR MONITOR isn't allowed for DENY BLOCKING client"));
    }
    if !context.session.monitors {
        context.engine.monitor(context.session);
        context.reply.ok();
    }
    Ok(())
}

fn save(context: &mut Context<'_>, _: Args<'_>) -> Outcome {
    context.engine.save(context.now)?;
    context.reply.ok();
    Ok(())
}

/// BGSAVE [SCHEDULE], and of Valkey 8.1 BGSAVE CANCEL.
fn bgsave(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    match args.len() {
        1 => {}
        2 if args.is(1, "SCHEDULE") => {}
        2 if args.is(1, "CANCEL") && context.engine.dialect.is_valkey_since(8, 1) => {
            match context.engine.cancel_save() {
                Some(true) => context.reply.status("Background saving cancelled"),
                Some(false) => context.reply.status("Scheduled background saving cancelled"),
                None => {
                    return Err(CommandError::fixed("ERR Background saving is currently not in progress or scheduled"));
                }
            }
            return Ok(());
        }
        _ => return Err(CommandError::SYNTAX),
    }
    // Since 7.0 not in the midst of a transaction, but right after it.
    if context.is_in_transaction() && context.engine.dialect.since(7, 0) && !context.engine.is_saving() {
        context.engine.schedule_save();
        context.reply.status("Background saving scheduled");
        return Ok(());
    }
    context.engine.save_in_background(context.now)?;
    context.reply.status("Background saving started");
    Ok(())
}

fn shutdown(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    if context.engine.dialect.since(7, 0) && args.from(1).any(|word| word.eq_ignore_ascii_case(b"ABORT")) {
        return Err(CommandError::fixed("ERR No shutdown in progress."));
    }
    for word in args.from(1) {
        if !["NOSAVE", "SAVE", "NOW", "FORCE"].iter().any(|known| word.eq_ignore_ascii_case(known.as_bytes())) {
            return Err(CommandError::SYNTAX);
        }
    }
    let says = |known: &str| args.from(1).any(|word| word.eq_ignore_ascii_case(known.as_bytes()));
    let wanted = match (says("SAVE"), says("NOSAVE")) {
        (true, true) => return Err(CommandError::SYNTAX),
        (true, false) => Some(true),
        (false, true) => Some(false),
        (false, false) => None,
    };
    context.engine.note(Level::Notice, "User requested shutdown...".to_owned());
    if context.engine.save_at_the_end(wanted, context.now).is_err() && !says("FORCE") {
        return Err(CommandError::fixed("ERR Errors trying to SHUTDOWN. Check logs."));
    }
    context.engine.stop = Some(Stop { asked_by: "SHUTDOWN" });
    Ok(())
}

fn module_list(context: &mut Context<'_>, _: Args<'_>) -> Outcome {
    context.reply.array(0);
    Ok(())
}

/// There is no loader of shared libraries: none can be loaded.
fn module_load(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    check_modules_allowed(context)?;
    let path = String::from_utf8_lossy(args.get(2)).into_owned();
    context.engine.note(Level::Warning, format!("Module {path} failed to load: this server takes no modules"));
    Err(CommandError::fixed("ERR Error loading the extension. Please check the server logs."))
}

fn module_unload(context: &mut Context<'_>, _: Args<'_>) -> Outcome {
    check_modules_allowed(context)?;
    Err(CommandError::fixed("ERR Error unloading module: no such module with that name"))
}

/// `enable-module-command`, since 7.0.
fn check_modules_allowed(context: &Context<'_>) -> Outcome {
    let local = || {
        let peer = context.session.peer.as_str();
        peer.is_empty() || peer.starts_with(['/', '@']) || peer.starts_with("127.") || peer.starts_with("[::1]")
    };
    let allowed = match context.engine.config.get("enable-module-command") {
        _ if !context.engine.dialect.since(7, 0) => true,
        "yes" => true,
        "local" => local(),
        _ => false,
    };
    match allowed {
        true => Ok(()),
        false => Err(CommandError::fixed(
            "ERR MODULE command not allowed. If the enable-module-command option is set to \"local\", you can run it from a local connection, otherwise you need to set this option in the configuration file, and then restart the server.",
        )),
    }
}

/// There is no append-only file to rewrite.
fn bgrewriteaof(_: &mut Context<'_>, _: Args<'_>) -> Outcome {
    Err(CommandError::fixed("ERR This server keeps no append only file, so that there is none to rewrite"))
}

/// Valkey 9.1 tells a key's slot although there is no cluster.
fn keyslot(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    if !context.engine.dialect.is_valkey_since(9, 1) {
        return no_cluster(context, args);
    }
    context.reply.integer(slot(args.get(2)).into());
    Ok(())
}

/// The slot of a key: what stands between the first `{` and the next `}` counts, if that is anything; of it the CRC-16
/// with the polynomial 0x1021 (XMODEM), modulo 16384.
fn slot(key: &[u8]) -> u16 {
    let tag = key.iter().position(|byte| *byte == b'{').and_then(|open| {
        let rest = key.get(open + 1..)?;
        rest.get(..rest.iter().position(|byte| *byte == b'}')?)
    });
    let sum = tag.filter(|tag| !tag.is_empty()).unwrap_or(key).iter().fold(0_u16, |sum, byte| {
        (0..8).fold(sum ^ u16::from(*byte) << 8, |sum, _| sum << 1 ^ if sum & 0x8000 == 0 { 0 } else { 0x1021 })
    });
    sum % 16_384
}

fn no_cluster(_: &mut Context<'_>, _: Args<'_>) -> Outcome {
    Err(NO_CLUSTER)
}

/// Only in a cluster is it more than nothing; Valkey does not mind, and takes it for a client that reads from a replica
/// in place of being sent to its master.
fn readonly(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    match context.engine.dialect.family {
        Family::Redis => no_cluster(context, args),
        Family::Valkey => {
            context.session.reads_replica = args.is(0, "READONLY");
            context.reply.ok();
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::engine::testing::Play;

    const ALL: [&str; 5] = ["redis-6.2", "redis-7.0", "redis-8.2", "valkey-8.1", "valkey-9.1"];

    // All asked of Redis 6.2.14, 7.0.15 and 8.2.3, Valkey 8.1.8 and 9.1.2.

    #[test]
    fn modules_are_not_loaded() {
        let refused = "-ERR MODULE command not allowed. If the enable-module-command option is set to \"local\", you can run it from a local connection, otherwise you need to set this option in the configuration file, and then restart the server.";
        for dialect in ALL {
            let mut play = Play::new(dialect);
            let old = dialect == "redis-6.2";
            let failed = "-ERR Error loading the extension. Please check the server logs.";
            assert_eq!(play.run("MODULE LOAD /none.so"), if old { failed } else { refused }, "{dialect}");
            for allowed in ["yes", "local"] {
                play.engine.config.set_at_start("enable-module-command", allowed).unwrap();
                assert_eq!(play.run("MODULE LOAD /none.so a b"), failed, "{dialect}");
                let gone = "-ERR Error unloading module: no such module with that name";
                assert_eq!(play.run("MODULE UNLOAD none"), gone, "{dialect}");
                if !old {
                    assert_eq!(play.run("MODULE LOADEX /none.so CONFIG a b ARGS c"), failed, "{dialect}");
                }
            }
            play.session.peer = "10.0.0.1:5000".to_owned();
            assert_eq!(play.run("MODULE UNLOAD none").contains("not allowed"), !old, "{dialect}");
            assert_eq!(play.run("MODULE LIST"), "[]", "{dialect}");
        }
    }

    #[test]
    fn there_is_no_cluster() {
        let disabled = "-ERR This instance has cluster support disabled";
        for dialect in ALL {
            let mut play = Play::new(dialect);
            for line in ["CLUSTER INFO", "CLUSTER HELP", "CLUSTER REPLICATE x", "ASKING"] {
                assert_eq!(play.run(line), disabled, "{dialect}: {line}");
            }
            let (old, newest) = (dialect == "redis-6.2", dialect == "valkey-9.1");
            let unknown = |word| {
                if old { disabled.to_owned() } else { format!("-ERR unknown subcommand '{word}'. Try CLUSTER HELP.") }
            };
            let arity = |word| {
                if old {
                    disabled.to_owned()
                } else {
                    format!("-ERR wrong number of arguments for 'cluster|{word}' command")
                }
            };
            assert_eq!(play.run("CLUSTER FOO"), unknown("FOO"), "{dialect}");
            assert_eq!(play.run("CLUSTER KEYSLOT"), arity("keyslot"), "{dialect}");
            assert_eq!(play.run("CLUSTER KEYSLOT foo"), if newest { "12182" } else { disabled }, "{dialect}");
            let syncslots = if newest { disabled.to_owned() } else { unknown("SYNCSLOTS") };
            assert_eq!(play.run("CLUSTER SYNCSLOTS x"), syncslots, "{dialect}");
            assert_eq!(play.run("CLUSTERSCAN 0") == disabled, newest, "{dialect}");
            assert!(play.run("BGREWRITEAOF").starts_with("-ERR This server keeps no append only file"), "{dialect}");
        }
    }

    #[test]
    fn slots_are_the_servers() {
        for (key, slot) in [
            ("foo", 12_182),
            ("{foo}bar", 12_182),
            ("a{foo}{bar}", 12_182),
            ("foo{}", 5542),
            ("", 0),
            ("123456789", 12_739),
        ] {
            assert_eq!(super::slot(key.as_bytes()), slot, "{key}");
        }
    }
}
