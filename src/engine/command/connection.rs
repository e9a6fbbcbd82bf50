//! Commands about the connection itself.

use super::keys::database;
use super::{Context, Flag, Keys, Outcome, Spec};
use crate::engine::args::Args;
use crate::engine::clients::Closing;
use crate::engine::error::CommandError;
use crate::engine::value::Blob;

const ANYWHERE: &[Flag] = &[Flag::Fast, Flag::Loading, Flag::Stale];
const LEAVING: &[Flag] =
    &[Flag::Fast, Flag::Loading, Flag::Stale, Flag::NoScript, Flag::NoAuth, Flag::Transaction, Flag::Listening];
const AT_ONCE: &[Flag] = &[Flag::Fast, Flag::Loading, Flag::Stale, Flag::NoScript, Flag::NoAuth, Flag::Transaction];

pub(super) const COMMANDS: &[Spec] = &[
    Spec::new("PING", -1, &[Flag::Fast, Flag::Listening], Keys::NONE, ping),
    Spec::new("ECHO", 2, ANYWHERE, Keys::NONE, echo),
    Spec::new("SELECT", 2, ANYWHERE, Keys::NONE, select),
    Spec::new("AUTH", -2, AT_ONCE, Keys::NONE, auth),
    Spec::new("HELLO", -1, AT_ONCE, Keys::NONE, hello).since(6, 0),
    Spec::new("QUIT", -1, LEAVING, Keys::NONE, quit),
    Spec::new("RESET", 1, LEAVING, Keys::NONE, reset).since(6, 2),
];

fn ping(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    match args.len() {
        // Among messages it looks like one.
        1 | 2 if context.session.is_listening() && !context.session.resp3 => {
            context.reply.array(2);
            context.reply.bulk(b"pong");
            context.reply.bulk(args.get(1));
        }
        1 => context.reply.raw(b"+PONG\r\n"),
        2 => context.reply.bulk(args.get(1)),
        _ => return Err(CommandError::arity("ping")),
    }
    Ok(())
}

fn echo(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    context.reply.bulk(args.get(1));
    Ok(())
}

fn select(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    context.session.db = database(context, args, 1)?;
    context.reply.ok();
    Ok(())
}

fn auth(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    match args.len() {
        2 => {
            if context.engine.users.get(b"default").is_some_and(|user| user.any_password) {
                return Err(CommandError::fixed(
                    "ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?",
                ));
            }
            authenticate(context, b"default", args.get(1))?;
        }
        3 => authenticate(context, args.get(1), args.get(2))?,
        _ => return Err(CommandError::SYNTAX),
    }
    context.reply.ok();
    Ok(())
}

fn authenticate(context: &mut Context<'_>, user: &[u8], password: &[u8]) -> Outcome {
    if context.engine.users.admits(user, password) {
        context.session.user = Some(Blob::from(user));
        return Ok(());
    }
    let now = context.now;
    context.engine.note_denial(context.session, "auth", b"AUTH", user, now);
    Err(CommandError::fixed("WRONGPASS invalid username-password pair or user is disabled."))
}

fn hello(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let protocol = match args.find(1) {
        None => None,
        Some(b"2") => Some(false),
        Some(b"3") => Some(true),
        Some(other) if crate::engine::value::integer(other).is_none() => {
            return Err(CommandError::fixed("ERR Protocol version is not an integer or out of range"));
        }
        Some(_) => return Err(CommandError::fixed("NOPROTO unsupported protocol version")),
    };
    let (mut index, mut name) = (2, None);
    while index < args.len() {
        if args.is(index, "AUTH") && index + 2 < args.len() {
            authenticate(context, args.get(index + 1), args.get(index + 2))?;
            index += 3;
        } else if args.is(index, "SETNAME") && index + 1 < args.len() {
            name = Some(checked_name(args.get(index + 1))?);
            index += 2;
        } else {
            let option = String::from_utf8_lossy(args.get(index)).into_owned();
            return Err(CommandError::new(format!("ERR Syntax error in HELLO option '{option}'")));
        }
    }
    if !context.engine.is_admitted(context.session) {
        return Err(CommandError::fixed(
            "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO <proto> AUTH <user> <pass> option can be used to authenticate the client and select the RESP protocol version at the same time",
        ));
    }
    if let Some(name) = name {
        context.session.name = name;
    }
    if let Some(resp3) = protocol {
        context.session.resp3 = resp3;
        context.reply.speak_resp3(resp3);
    }
    let role = if context.engine.is_replica() { "replica" } else { "master" };
    let dialect = context.engine.dialect;
    let reply = &mut *context.reply;
    reply.map(7);
    reply.bulk(b"server");
    reply.bulk(if dialect.is_valkey_since(0, 0) { b"valkey" } else { b"redis" });
    reply.bulk(b"version");
    reply.bulk(dialect.own_version().as_bytes());
    reply.bulk(b"proto");
    reply.integer(if context.session.resp3 { 3 } else { 2 });
    reply.bulk(b"id");
    reply.integer(context.session.id.0 as i64);
    reply.bulk(b"mode");
    reply.bulk(b"standalone");
    reply.bulk(b"role");
    reply.bulk(role.as_bytes());
    reply.bulk(b"modules");
    reply.array(0);
    Ok(())
}

fn quit(context: &mut Context<'_>, _: Args<'_>) -> Outcome {
    context.session.closing = Some(Closing::AfterReply);
    context.reply.ok();
    Ok(())
}

fn reset(context: &mut Context<'_>, _: Args<'_>) -> Outcome {
    context.engine.unwatch(context.session);
    context.engine.unsubscribe_all(context.session);
    context.engine.unmonitor(context.session);
    context.engine.untrack(context.session);
    context.session.reset();
    context.reply.speak_resp3(false);
    context.reply.status("RESET");
    Ok(())
}

/// A name as CLIENT SETNAME takes it: printable, without blanks.
pub(super) fn checked_name(name: &[u8]) -> Result<Blob, CommandError> {
    if name.iter().all(|byte| (b'!'..=b'~').contains(byte)) {
        Ok(name.into())
    } else {
        Err(CommandError::fixed("ERR Client names cannot contain spaces, newlines or special characters."))
    }
}
