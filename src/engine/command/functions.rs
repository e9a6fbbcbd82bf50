//! Function libraries: kept by name, listed, dumped and passed on. What runs them is in [`crate::engine::script`]; where
//! that is not built in, they are only kept: what functions do reaches a replica as the commands that they ran.

use std::collections::BTreeMap;

use super::{Context, Flag, Keys, Outcome, Spec};
use crate::engine::args::Args;
use crate::engine::context::Origin;
use crate::engine::error::CommandError;
use crate::engine::glob;
#[cfg(feature = "scripts")]
use crate::engine::reply::Reply;
use crate::engine::value::Blob;
use crate::rdb::{Decoder, Depth, Item, Piece, Values, is_unsigned, seal, unseal};

const WRITE: &[Flag] = &[Flag::Write, Flag::NoScript];
const BIG_WRITE: &[Flag] = &[Flag::Write, Flag::DenyOom, Flag::NoScript];
const READ: &[Flag] = &[Flag::NoScript];

pub(super) const COMMANDS: &[Spec] = &[
    Spec::container("FUNCTION", READ, Keys::NONE).since(7, 0),
    Spec::new("FUNCTION|HELP", 2, &[Flag::Loading, Flag::Stale], Keys::NONE, super::help),
    Spec::new("FUNCTION|LOAD", -3, BIG_WRITE, Keys::NONE, load),
    Spec::new("FUNCTION|DELETE", 3, WRITE, Keys::NONE, delete),
    Spec::new("FUNCTION|FLUSH", -2, WRITE, Keys::NONE, flush),
    Spec::new("FUNCTION|RESTORE", -3, BIG_WRITE, Keys::NONE, restore),
    Spec::new("FUNCTION|LIST", -2, READ, Keys::NONE, list),
    Spec::new("FUNCTION|DUMP", 2, READ, Keys::NONE, dump),
    Spec::new("FUNCTION|STATS", 2, READ, Keys::NONE, stats),
    Spec::new("FUNCTION|KILL", 2, READ, Keys::NONE, kill),
];

/// The name in the first line of a library: `#!lua name=mylib`.
fn name_of(code: &[u8]) -> Result<Blob, CommandError> {
    let missing = CommandError::fixed("ERR Missing library metadata");
    let rest = code.strip_prefix(b"#!").ok_or(missing)?;
    let end = rest.iter().position(|byte| *byte == b'\n');
    let line = end.and_then(|end| rest.get(..end)).ok_or(CommandError::fixed("ERR Invalid library metadata"))?;
    // Words may stand in quotes, as in a configuration file.
    let words = crate::engine::config::split(line).ok_or(CommandError::fixed("ERR Invalid library metadata"))?;
    let mut words = words.iter().map(Vec::as_slice);
    let engine =
        if line.first().is_some_and(u8::is_ascii_whitespace) { &[][..] } else { words.next().unwrap_or_default() };
    let mut name: Option<&[u8]> = None;
    for word in words {
        let value = word.split_at_checked(5).filter(|(key, _)| key.eq_ignore_ascii_case(b"name="));
        let Some((_, value)) = value else {
            let word = String::from_utf8_lossy(word);
            return Err(CommandError::new(format!("ERR Invalid metadata value given: {word}")));
        };
        if name.replace(value).is_some() {
            return Err(CommandError::fixed("ERR Invalid metadata value, name argument was given multiple times"));
        }
    }
    let name = name.ok_or(CommandError::fixed("ERR Library name was not given"))?;
    if name.is_empty() || !name.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_') {
        return Err(CommandError::fixed(
            "ERR Library names can only contain letters, numbers, or underscores(_) and must be at least one character long",
        ));
    }
    if !engine.eq_ignore_ascii_case(b"lua") {
        let engine = String::from_utf8_lossy(engine);
        return Err(CommandError::new(format!("ERR Engine '{engine}' not found")));
    }
    Ok(name.into())
}

fn load(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let (mut replace, last) = (false, args.len() - 1);
    for index in 2..last {
        if !args.is(index, "REPLACE") {
            let word = String::from_utf8_lossy(args.get(index));
            return Err(CommandError::new(format!("ERR Unknown option given: {word}")));
        }
        replace = true;
    }
    let code = args.get(last);
    let name = name_of(code)?;
    if !replace && context.engine.functions.contains_key(&name) {
        let name = String::from_utf8_lossy(&name);
        return Err(CommandError::new(format!("ERR Library '{name}' already exists")));
    }
    #[cfg(feature = "scripts")]
    if context.origin == Origin::Client {
        let engine = &mut *context.engine;
        engine.scripts.check_library(&name, code, &engine.functions, engine.dialect)?;
    }
    context.engine.functions.insert(name.clone(), code.into());
    context.changes += 1;
    context.reply.bulk(&name);
    Ok(())
}

fn delete(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    if !context.engine.functions.remove(args.get(2)) {
        return Err(CommandError::fixed("ERR Library not found"));
    }
    context.changes += 1;
    context.reply.ok();
    Ok(())
}

fn flush(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    match args.len() {
        2 => {}
        3 if args.is(2, "SYNC") || args.is(2, "ASYNC") => {}
        3 => return Err(CommandError::fixed("ERR FUNCTION FLUSH only supports SYNC|ASYNC option")),
        _ => return Err(wrong_options(args)),
    }
    context.engine.functions.replace(BTreeMap::new());
    #[cfg(feature = "scripts")]
    context.engine.scripts.flush_functions();
    context.changes += 1;
    context.reply.ok();
    Ok(())
}

fn wrong_options(args: Args<'_>) -> CommandError {
    let word = args.get(1);
    let word = String::from_utf8_lossy(word.get(..word.len().min(128)).unwrap_or_default());
    CommandError::new(format!("ERR unknown subcommand or wrong number of arguments for '{word}'. Try FUNCTION HELP."))
}

/// The opcode of a library in an RDB.
const FUNCTION2: u8 = 245;

fn dump(context: &mut Context<'_>, _: Args<'_>) -> Outcome {
    let mut payload = Vec::new();
    for code in context.engine.functions.values() {
        payload.push(FUNCTION2);
        match code.len() {
            length @ 0..64 => payload.push(length as u8),
            length @ 64..0x4000 => payload.extend_from_slice(&(length as u16 | 0x4000).to_be_bytes()),
            length => {
                payload.push(0x81);
                payload.extend_from_slice(&(length as u64).to_be_bytes());
            }
        }
        payload.extend_from_slice(code);
    }
    seal(&mut payload, context.engine.dialect.dump_header().version);
    context.reply.bulk(&payload);
    Ok(())
}

/// Gathers the libraries of a payload.
#[derive(Default)]
struct Libraries {
    codes: Vec<Vec<u8>>,
    /// Something else is in it.
    foreign: bool,
}

impl Values for Libraries {
    fn text(&mut self, item: Item, piece: Piece<'_>) {
        if item != Item::Function {
            self.foreign = true;
            return;
        }
        if piece.is_first() {
            self.codes.push(Vec::new());
        }
        if let Some(code) = self.codes.last_mut() {
            code.extend_from_slice(piece.bytes);
        }
    }
}

/// The libraries of what FUNCTION DUMP gave.
fn unpack(payload: &[u8], newest: u16) -> Result<BTreeMap<Blob, Blob>, CommandError> {
    let wrong = CommandError::fixed("ERR DUMP payload version or checksum are wrong");
    let (body, version) = unseal(payload).map_err(|_| wrong.clone())?;
    if version > newest || is_unsigned(payload) {
        return Err(wrong);
    }
    // An RDB around it, whose checksum of zeros says that it has none.
    let mut decoder = Decoder::new(Libraries::default(), Depth::Full);
    let rdb = [&b"REDIS0010"[..], body, &[0xff, 0, 0, 0, 0, 0, 0, 0, 0]].concat();
    let failed = CommandError::fixed("ERR failed loading functions");
    decoder.push(&rdb).map_err(|_| failed.clone())?;
    let ended = decoder.ended();
    let libraries = decoder.into_values();
    if !ended || libraries.foreign {
        return Err(CommandError::fixed("ERR given type is not a function"));
    }
    libraries.codes.into_iter().map(|code| Ok((name_of(&code)?, Blob::from(code)))).collect()
}

fn restore(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let (mut flushes, mut replaces) = (false, false);
    match args.len() {
        3 => {}
        4 if args.is(3, "APPEND") => {}
        4 if args.is(3, "REPLACE") => replaces = true,
        4 if args.is(3, "FLUSH") => flushes = true,
        4 => {
            return Err(CommandError::fixed(
                "ERR Wrong restore policy given, value should be either FLUSH, APPEND or REPLACE.",
            ));
        }
        _ => return Err(wrong_options(args)),
    }
    let newest = if context.origin == Origin::Master { u16::MAX } else { context.engine.dialect.dump_header().version };
    let libraries = unpack(args.get(2), newest)?;
    let mut together = if flushes { BTreeMap::new() } else { (*context.engine.functions).clone() };
    if flushes {
        // Nothing of before is left to be in the way.
    } else if !replaces && let Some(name) = libraries.keys().find(|name| context.engine.functions.contains_key(*name)) {
        let name = String::from_utf8_lossy(name);
        return Err(CommandError::new(format!("ERR Library {name} already exists")));
    }
    #[cfg(feature = "scripts")]
    if context.origin == Origin::Client {
        let kept = together.iter().filter(|(name, _)| !libraries.contains_key(*name));
        let kept = kept.map(|(name, code)| (name.clone(), code.clone())).collect();
        let dialect = context.engine.dialect;
        context.engine.scripts.check_libraries(&libraries, kept, dialect)?;
    }
    together.extend(libraries);
    context.engine.functions.replace(together);
    context.changes += 1;
    context.reply.ok();
    Ok(())
}

/// FUNCTION LIST. The functions of a library are known to Lua only, so where that is lacking none is listed.
fn list(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let (mut pattern, mut with_code, mut index) = (None, false, 2);
    while index < args.len() {
        if !with_code && args.is(index, "WITHCODE") {
            with_code = true;
        } else if pattern.is_none() && args.is(index, "LIBRARYNAME") {
            index += 1;
            let missing = CommandError::fixed("ERR library name argument was not given");
            pattern = Some(args.find(index).ok_or(missing)?);
        } else {
            let word = String::from_utf8_lossy(args.get(index));
            return Err(CommandError::new(format!("ERR Unknown argument {word}")));
        }
        index += 1;
    }
    #[cfg(feature = "scripts")]
    {
        let engine = &mut *context.engine;
        engine.scripts.sync(&engine.functions, engine.dialect);
    }
    let wanted = |name: &Blob| pattern.is_none_or(|pattern| glob::matches(pattern, name));
    let libraries = context.engine.functions.iter().filter(|(name, _)| wanted(name));
    context.reply.array(libraries.clone().count());
    for (name, code) in libraries {
        context.reply.map(if with_code { 4 } else { 3 });
        context.reply.bulk(b"library_name");
        context.reply.bulk(name);
        context.reply.bulk(b"engine");
        context.reply.bulk(b"LUA");
        context.reply.bulk(b"functions");
        #[cfg(feature = "scripts")]
        functions(context.reply, &context.engine.scripts.told(name));
        #[cfg(not(feature = "scripts"))]
        context.reply.array(0);
        if with_code {
            context.reply.bulk(b"library_code");
            context.reply.bulk(code);
        }
    }
    Ok(())
}

#[cfg(feature = "scripts")]
fn functions(reply: &mut Reply, functions: &[crate::engine::script::Told<'_>]) {
    reply.array(functions.len());
    for function in functions {
        reply.map(3);
        reply.bulk(b"name");
        reply.bulk(function.name);
        reply.bulk(b"description");
        reply.bulk_or_null(function.description);
        reply.bulk(b"flags");
        let flags = function.flags.names();
        reply.set(flags.clone().count());
        flags.for_each(|flag| reply.status(flag));
    }
}

fn stats(context: &mut Context<'_>, _: Args<'_>) -> Outcome {
    let count = context.engine.functions.len();
    #[cfg(feature = "scripts")]
    let functions = match &context.engine.busy {
        Some(busy) => busy.functions,
        None => {
            let engine = &mut *context.engine;
            engine.scripts.sync(&engine.functions, engine.dialect);
            engine.scripts.functions()
        }
    };
    #[cfg(not(feature = "scripts"))]
    let functions = 0;
    let reply = &mut *context.reply;
    reply.map(2);
    reply.bulk(b"running_script");
    #[cfg(feature = "scripts")]
    match &context.engine.busy {
        Some(busy) => busy.tell(reply),
        None => reply.null(),
    }
    #[cfg(not(feature = "scripts"))]
    reply.null();
    reply.bulk(b"engines");
    reply.map(1);
    reply.bulk(b"LUA");
    reply.map(2);
    reply.bulk(b"libraries_count");
    reply.count(count);
    reply.bulk(b"functions_count");
    reply.count(functions);
    Ok(())
}

#[cfg(feature = "scripts")]
fn kill(context: &mut Context<'_>, _: Args<'_>) -> Outcome {
    context.engine.kill_script(true)?;
    context.reply.ok();
    Ok(())
}

#[cfg(not(feature = "scripts"))]
fn kill(_: &mut Context<'_>, _: Args<'_>) -> Outcome {
    Err(CommandError::fixed("NOTBUSY No scripts in execution right now."))
}

#[cfg(test)]
mod tests {
    use crate::engine::testing::Play;

    /// A library's only function as FUNCTION LIST tells it.
    fn told(name: &str) -> String {
        if cfg!(feature = "scripts") { format!("[[name {name} description (nil) flags []]]") } else { "[]".into() }
    }

    #[test]
    fn libraries_are_kept_and_passed_on() {
        // Asked of redis-server 7.0.15.
        let mut play = Play::new("redis-7.0");
        let load = r##"FUNCTION LOAD "#!lua name=lib1\nredis.register_function('f', function() end)""##;
        play.rows(&[
            (load, "lib1", &load.replace('\'', "\\'")),
            (load, "-ERR Library 'lib1' already exists", ""),
            (r##"FUNCTION LOAD FOO "#!lua name=lib1\nx""##, "-ERR Unknown option given: FOO", ""),
            ("FUNCTION LOAD x", "-ERR Missing library metadata", ""),
            ("FUNCTION LOAD #!lua", "-ERR Invalid library metadata", ""),
            (r##"FUNCTION LOAD "#!lua\nx""##, "-ERR Library name was not given", ""),
            (r##"FUNCTION LOAD "#!foo name=x\n""##, "-ERR Engine 'foo' not found", ""),
            (r##"FUNCTION LOAD "#!lua name=x y=2\n""##, "-ERR Invalid metadata value given: y=2", ""),
            ("FUNCTION LIST", &format!("[[library_name lib1 engine LUA functions {}]]", told("f")), ""),
            ("FUNCTION LIST LIBRARYNAME x*", "[]", ""),
            ("FUNCTION DELETE foo", "-ERR Library not found", ""),
            ("FUNCTION DELETE lib1", "OK", "FUNCTION DELETE lib1"),
            ("FUNCTION FLUSH FOO", "-ERR FUNCTION FLUSH only supports SYNC|ASYNC option", ""),
            ("FUNCTION RESTORE x", "-ERR DUMP payload version or checksum are wrong", ""),
            ("FUNCTION DUMP", r#""\n\x00]\x9b\\@\x0f\x7f\xa2\xda""#, ""),
            ("FUNCTION FOO", "-ERR unknown subcommand 'FOO'. Try FUNCTION HELP.", ""),
        ]);
    }

    #[test]
    fn what_is_dumped_can_be_restored() {
        let mut play = Play::new("redis-7.0");
        play.run(r##"FUNCTION LOAD "#!lua name=a\nredis.register_function('f', function() end)""##);
        let long = format!(
            r##"FUNCTION LOAD "#!lua name=b\nredis.register_function('g', function() end) --{}""##,
            "x".repeat(20_000)
        );
        assert_eq!(play.run(&long), "b");
        let dumped = play.run("FUNCTION DUMP");
        let line = format!("FUNCTION RESTORE {dumped}");
        assert_eq!(play.run(&line), "-ERR Library a already exists");
        assert_eq!(play.run(&format!("{line} REPLACE")), "OK");
        play.run("FUNCTION FLUSH");
        assert_eq!(play.run(&line), "OK");
        assert_eq!(play.run("FUNCTION DUMP"), dumped);
        assert_eq!(play.run(&format!("{line} FLUSH")), "OK");
        assert_eq!(
            play.run("FUNCTION LIST"),
            format!(
                "[[library_name a engine LUA functions {}] [library_name b engine LUA functions {}]]",
                told("f"),
                told("g")
            )
        );
    }
}
