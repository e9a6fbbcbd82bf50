//! DEBUG and REPLTOOL: what tests and operators look at.

use super::{Context, Flag, Keys, Outcome, Spec, help, object, unknown_subcommand};
use crate::engine::args::Args;
use crate::engine::core::ANSWER_PEAK_RESET;
use crate::engine::error::CommandError;
use crate::engine::log::Level;
use crate::engine::saving::Reload;
use crate::engine::value::Value;

const ADMIN: &[Flag] = &[Flag::Admin, Flag::Loading, Flag::Stale, Flag::NoScript];

pub(super) const COMMANDS: &[Spec] = &[
    Spec::new("DEBUG", -2, ADMIN, Keys::NONE, debug),
    Spec::container("REPLTOOL", ADMIN, Keys::NONE),
    Spec::new("REPLTOOL|DIGEST", 2, ADMIN, Keys::NONE, digest),
    Spec::new("REPLTOOL|HELP", 2, ADMIN, Keys::NONE, help),
];

/// No container: servers look at the words themselves.
fn debug(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    match () {
        () if args.is(1, "HELP") && args.len() == 2 => help(context, args)?,
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
            let db = context.session.db;
            let entry = context.engine.keyspace.get(db, args.get(2)).ok_or(CommandError::NO_SUCH_KEY)?;
            let encoding = object::encoding(&entry.value, context.engine);
            let idle = entry.used.idle(&context.engine.keyspace.clock);
            context.reply.status(&format!(
                "Value at:0x0 refcount:1 encoding:{encoding} serializedlength:0 lru:0 lru_seconds_idle:{idle}"
            ));
        }
        () if args.is(1, "RELOAD") => reload(context, args)?,
        () if args.is(1, "SLEEP") && args.len() == 3 => {
            // What blocks the server for so long is for the server to do, once this batch is done.
            let seconds = args.float(2).unwrap_or(0.0).clamp(0.0, 3600.0);
            context.engine.sleep_for = Some(std::time::Duration::from_secs_f64(seconds));
            context.reply.ok();
        }
        () if args.is(1, "SET-ACTIVE-EXPIRE") && args.len() == 3 => {
            context.engine.active_expire = args.get(2) != b"0";
            context.reply.ok();
        }
        () if args.is(1, "SET-DISABLE-DENY-SCRIPTS") && args.len() == 3 => {
            context.engine.scripts_may_all = args.get(2) != b"0";
            context.reply.ok();
        }
        () if args.is(1, "QUICKLIST-PACKED-THRESHOLD") || args.is(1, "STRINGMATCH-LEN") => {
            context.reply.ok();
        }
        () if args.is(1, "PROTOCOL") && args.len() == 3 => protocol(context, args)?,
        () if args.is(1, "PAUSE-CRON") && args.len() == 3 => {
            context.engine.cron_paused = args.get(2) == b"1";
            context.reply.ok();
        }
        () if args.is(1, "REPLYBUFFER") && args.len() == 4 => reply_buffer(context, args)?,
        () if args.is(1, "POPULATE") && args.len() >= 3 => populate(context, args)?,
        () if args.is(1, "REPLICATE") && args.len() >= 4 => {
            let words: Vec<&[u8]> = args.from(3).collect();
            context.engine.stream.push_anywhere(words.into_iter());
            let now = context.now;
            context.engine.end_unit(now);
            context.reply.ok();
        }
        () => return Err(unknown_subcommand("DEBUG", args, context.engine.dialect)),
    }
    Ok(())
}

/// DEBUG RELOAD [NOSAVE] [NOFLUSH] [MERGE]: the data is saved and loaded.
fn reload(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let (mut how, mut saves) = (Reload { flushes: true, merges: false }, true);
    for index in 2..args.len() {
        match () {
            () if args.is(index, "MERGE") => how.merges = true,
            () if args.is(index, "NOFLUSH") => how.flushes = false,
            () if args.is(index, "NOSAVE") => saves = false,
            () => {
                return Err(CommandError::fixed(
                    "ERR DEBUG RELOAD only supports the MERGE, NOFLUSH and NOSAVE options.",
                ));
            }
        }
    }
    if saves {
        context.engine.save(context.now)?;
    }
    context.engine.reload(how, context.now).map_err(|fault| {
        context.engine.note(Level::Warning, format!("Error trying to load the RDB dump: {fault}"));
        CommandError::fixed("ERR Error trying to load the RDB dump, check server logs.")
    })?;
    context.reply.ok();
    Ok(())
}

/// DEBUG REPLYBUFFER: how room for answers follows what they need.
fn reply_buffer(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    if !context.engine.dialect.since(7, 0) {
        return Err(unknown_subcommand("DEBUG", args, context.engine.dialect));
    }
    let reset = &mut context.engine.answer_peak_reset;
    match () {
        () if args.is(2, "RESIZING") => match args.integer(3)? {
            0 => *reset = None,
            _ => *reset = Some(ANSWER_PEAK_RESET),
        },
        () if !args.is(2, "PEAK-RESET-TIME") => return Err(CommandError::SYNTAX),
        () if args.is(3, "NEVER") => *reset = None,
        () if args.is(3, "RESET") => *reset = Some(ANSWER_PEAK_RESET),
        () => *reset = Some(args.integer(3)?),
    }
    context.reply.ok();
    Ok(())
}

/// DEBUG PROTOCOL type: an answer of each type, for those who write clients.
fn protocol(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let dialect = context.engine.dialect;
    let reply = &mut *context.reply;
    match args.get(2).to_ascii_lowercase().as_slice() {
        b"string" => reply.bulk(b"Hello World"),
        b"integer" => reply.integer(12_345),
        b"double" if dialect.since(7, 0) => reply.double(b"3.141"),
        b"double" => reply.double(b"3.1415926535900001"),
        b"null" => reply.null(),
        b"array" => {
            reply.array(3);
            (0..3).for_each(|number| reply.integer(number));
        }
        b"set" => {
            reply.set(3);
            (0..3).for_each(|number| reply.integer(number));
        }
        b"map" => {
            reply.map(3);
            for number in 0..3 {
                reply.integer(number);
                reply.boolean(number == 1);
            }
        }
        b"attrib" => {
            if reply.is_resp3() {
                reply.raw(b"|1\r\n");
                reply.bulk(b"key-popularity");
                reply.array(2);
                reply.bulk(b"key:123");
                reply.integer(90);
            }
            // Attributes are not what is answered.
            reply.bulk(b"Some real reply following the attribute");
        }
        b"push" if !reply.is_resp3() => {
            return Err(CommandError::fixed("ERR RESP2 is not supported by this command"));
        }
        b"push" => {
            // Since 7.2 what is pushed waits for the answer.
            let pushed_first = !dialect.since(7, 2);
            let answer = b"Some real reply following the push reply";
            if !pushed_first {
                reply.bulk(answer);
            }
            reply.push(2);
            reply.bulk(b"server-cpu-usage");
            reply.integer(42);
            if pushed_first {
                reply.bulk(answer);
            }
        }
        b"verbatim" => reply.verbatim(b"This is a verbatim\nstring"),
        b"bignum" => reply.big_number("1234567999999999999999999999999999999"),
        b"true" => reply.boolean(true),
        b"false" => reply.boolean(false),
        _ => {
            return Err(CommandError::fixed(
                "ERR Wrong protocol type name. Please use one of the following: string|integer|double|bignum|null|array|set|map|attrib|push|verbatim|true|false",
            ));
        }
    }
    Ok(())
}

/// DEBUG POPULATE count [prefix] [size]: keys that are not told to replicas.
fn populate(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let count = args.at_least(2, 0, CommandError::NEGATIVE_TEXT)?;
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

fn digest(context: &mut Context<'_>, _: Args<'_>) -> Outcome {
    let digest = context.engine.strong_digest();
    context.reply.status(&digest);
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::engine::saving::{DumpFile, Place, TakeDump, WriteDump};
    use crate::engine::testing::Play;

    /// A file in memory.
    #[derive(Debug, Default)]
    struct InMemory(Vec<u8>);

    impl DumpFile for InMemory {
        fn write(&mut self, _: &Place, dump: WriteDump<'_>) -> Result<(), String> {
            self.0.clear();
            dump(&mut self.0)
        }

        fn read(&mut self, _: &Place, take: TakeDump<'_>) -> Result<(), String> {
            self.0.chunks(7).try_for_each(take)
        }
    }

    #[test]
    fn the_data_are_loaded_as_they_were_saved() {
        let mut play = Play::new("redis-7.0");
        play.engine.saving.file = Some(Box::<InMemory>::default());
        for line in ["SET s v PX 500", "HSET h f v", "SELECT 3", "RPUSH l a b", "SELECT 0"] {
            play.run(line);
        }
        let digest = play.run("DEBUG DIGEST");
        play.stream();
        play.rows(&[("DEBUG RELOAD", "OK", ""), ("SADD new x", "1", "SADD new x")]);
        play.rows(&[
            // What is there is in the way, unless it may be replaced.
            ("DEBUG RELOAD NOSAVE NOFLUSH", "-ERR Error trying to load the RDB dump, check server logs.", ""),
            ("DEBUG RELOAD NOSAVE NOFLUSH MERGE", "OK", ""),
            ("SCARD new", "1", ""),
            ("DEBUG RELOAD NOSAVE", "OK", ""),
            ("SCARD new", "0", ""),
            ("DEBUG RELOAD FOO", "-ERR DEBUG RELOAD only supports the MERGE, NOFLUSH and NOSAVE options.", ""),
        ]);
        assert_eq!(play.run("DEBUG DIGEST"), digest);
        play.now += 1000;
        play.rows(&[("DEBUG RELOAD NOSAVE", "OK", ""), ("DBSIZE", "1", "")]);
    }

    /// Asked of Redis 7.0.15.
    #[test]
    fn uses_are_saved_where_the_policy_minds() {
        for (policy, line, saved, lost) in
            [("allkeys-lru", "OBJECT IDLETIME k", "30", "0"), ("volatile-lfu", "OBJECT FREQ k", "7", "5")]
        {
            let mut play = Play::new("redis-7.0");
            play.engine.saving.file = Some(Box::<InMemory>::default());
            play.run(&format!("CONFIG SET maxmemory-policy {policy} lfu-log-factor 0"));
            play.rows(&[("SET k v", "OK", "SET k v"), ("GET k", "v", ""), ("GET k", "v", "")]);
            play.now += 30_000;
            play.rows(&[("DEBUG RELOAD", "OK", ""), (line, saved, "")]);
            // Of others nothing is told.
            play.run("CONFIG SET maxmemory-policy allkeys-random");
            play.run("DEBUG RELOAD");
            play.run(&format!("CONFIG SET maxmemory-policy {policy}"));
            play.rows(&[("DEBUG RELOAD NOSAVE", "OK", ""), (line, lost, "")]);
        }
    }
}
