//! Commands about the connection itself.

use super::{Context, Flag, Keys, Outcome, Spec};
use crate::engine::args::Args;
use crate::engine::clients::{Closing, Kind, Replies, Session, SessionId};
use crate::engine::error::CommandError;
use crate::engine::value::Blob;

const ANYWHERE: &[Flag] = &[Flag::Fast, Flag::Loading, Flag::Stale];
const AT_ONCE: &[Flag] = &[Flag::Fast, Flag::Loading, Flag::Stale, Flag::NoScript, Flag::NoAuth, Flag::Transaction];

pub(super) const COMMANDS: &[Spec] = &[
    Spec::new("PING", -1, ANYWHERE, Keys::NONE, ping),
    Spec::new("ECHO", 2, ANYWHERE, Keys::NONE, echo),
    Spec::new("SELECT", 2, ANYWHERE, Keys::NONE, select),
    Spec::new("AUTH", -2, AT_ONCE, Keys::NONE, auth),
    Spec::new("HELLO", -1, AT_ONCE, Keys::NONE, hello),
    Spec::new("QUIT", -1, AT_ONCE, Keys::NONE, quit),
    Spec::new("RESET", 1, AT_ONCE, Keys::NONE, reset),
    Spec::new("CLIENT", -2, &[Flag::Admin, Flag::Loading, Flag::Stale, Flag::NoScript], Keys::NONE, client),
];

fn ping(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    match args.len() {
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
    let db = usize::try_from(args.integer(1)?).ok().filter(|db| *db < context.engine.keyspace.databases());
    context.session.db = db.ok_or(CommandError::fixed("ERR DB index is out of range"))?;
    context.reply.ok();
    Ok(())
}

fn auth(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    match args.len() {
        2 => {
            if context.engine.config.text("requirepass").is_none() {
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
    if context.engine.users.admits(user, password, context.engine.config.text("requirepass")) {
        context.session.user = Some(Blob::from(user));
        return Ok(());
    }
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
    context.session.reset();
    context.reply.speak_resp3(false);
    context.reply.status("RESET");
    Ok(())
}

/// A name as CLIENT SETNAME takes it: printable, without blanks.
fn checked_name(name: &[u8]) -> Result<Blob, CommandError> {
    if name.iter().all(|byte| (b'!'..=b'~').contains(byte)) {
        Ok(name.into())
    } else {
        Err(CommandError::fixed("ERR Client names cannot contain spaces, newlines or special characters."))
    }
}

fn client(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let exactly =
        |count: usize| if args.len() == count { Ok(()) } else { Err(super::subcommand_arity("client", args)) };
    match () {
        () if args.is(1, "ID") => {
            exactly(2)?;
            context.reply.integer(context.session.id.0 as i64);
        }
        () if args.is(1, "GETNAME") => {
            exactly(2)?;
            let name = &context.session.name;
            context.reply.bulk_or_null((!name.is_empty()).then_some(name));
        }
        () if args.is(1, "SETNAME") => {
            exactly(3)?;
            context.session.name = checked_name(args.get(2))?;
            context.reply.ok();
        }
        () if args.is(1, "SETINFO") => {
            exactly(4)?;
            let value = checked_name(args.get(3)).map_err(|_| {
                CommandError::fixed("ERR lib-name cannot contain spaces, newlines or special characters.")
            })?;
            match () {
                () if args.is(2, "LIB-NAME") => context.session.library.0 = value,
                () if args.is(2, "LIB-VER") => context.session.library.1 = value,
                () => {
                    let option = String::from_utf8_lossy(args.get(2)).into_owned();
                    return Err(CommandError::new(format!("ERR Unrecognized option '{option}'")));
                }
            }
            context.reply.ok();
        }
        () if args.is(1, "INFO") => {
            exactly(2)?;
            let line = context.session.line(context.now) + "\n";
            context.reply.verbatim(line.as_bytes());
        }
        () if args.is(1, "LIST") => list(context, args)?,
        () if args.is(1, "KILL") => kill(context, args)?,
        () if args.is(1, "REPLY") => {
            exactly(3)?;
            context.session.replies = match () {
                () if args.is(2, "ON") => Replies::On,
                () if args.is(2, "OFF") => Replies::Off,
                () if args.is(2, "SKIP") => Replies::SkipNext,
                () => return Err(CommandError::SYNTAX),
            };
            if context.session.replies == Replies::On {
                context.reply.ok();
            }
        }
        () if args.is(1, "NO-EVICT") || args.is(1, "NO-TOUCH") => {
            exactly(3)?;
            if !args.is(2, "ON") && !args.is(2, "OFF") {
                return Err(CommandError::SYNTAX);
            }
            context.reply.ok();
        }
        () if args.is(1, "PAUSE") => {
            let milliseconds = args.integer(2).ok().filter(|time| *time >= 0);
            let until = milliseconds.and_then(|time| time.checked_add(context.now));
            let until = until.ok_or(CommandError::fixed("ERR timeout is not an integer or out of range"))?;
            let writes_only = match args.len() {
                3 => false,
                4 if args.is(3, "WRITE") => true,
                4 if args.is(3, "ALL") => false,
                _ => return Err(CommandError::SYNTAX),
            };
            context.engine.pause(until, writes_only);
            context.reply.ok();
        }
        () if args.is(1, "UNPAUSE") => {
            exactly(2)?;
            context.engine.unpause();
            context.reply.ok();
        }
        () => return Err(super::unknown_subcommand("CLIENT", args)),
    }
    Ok(())
}

/// Which sessions CLIENT LIST and CLIENT KILL mean.
#[derive(Default)]
struct Filter {
    ids: Vec<SessionId>,
    peer: Option<Vec<u8>>,
    local: Option<Vec<u8>>,
    kind: Option<Kind>,
    user: Option<Blob>,
    /// Whether the session that asks is spared.
    skip_me: bool,
}

impl Filter {
    fn read(args: Args<'_>, from: usize) -> Result<Self, CommandError> {
        let mut filter = Self { skip_me: true, ..Self::default() };
        let mut index = from;
        while index < args.len() {
            let value = args.find(index + 1).ok_or(CommandError::SYNTAX)?;
            match () {
                () if args.is(index, "ID") => {
                    // LIST takes several.
                    let mut at = index + 1;
                    while let Some(id) = args.find(at).and_then(crate::engine::value::integer) {
                        let id = u64::try_from(id).ok().filter(|id| *id > 0);
                        filter
                            .ids
                            .push(SessionId(id.ok_or(CommandError::fixed("ERR client-id should be greater than 0"))?));
                        at += 1;
                    }
                    if at == index + 1 {
                        return Err(CommandError::fixed("ERR client-id should be greater than 0"));
                    }
                    index = at;
                    continue;
                }
                () if args.is(index, "ADDR") => filter.peer = Some(value.to_vec()),
                () if args.is(index, "LADDR") => filter.local = Some(value.to_vec()),
                () if args.is(index, "USER") => filter.user = Some(value.into()),
                () if args.is(index, "SKIPME") => match () {
                    () if args.is(index + 1, "YES") => filter.skip_me = true,
                    () if args.is(index + 1, "NO") => filter.skip_me = false,
                    () => return Err(CommandError::SYNTAX),
                },
                () if args.is(index, "TYPE") => {
                    filter.kind = Some(match value.to_ascii_lowercase().as_slice() {
                        b"normal" => Kind::Normal,
                        b"slave" | b"replica" => Kind::Replica,
                        b"master" | b"primary" => Kind::Master,
                        b"pubsub" => Kind::PubSub,
                        other => {
                            let other = String::from_utf8_lossy(other).into_owned();
                            return Err(CommandError::new(format!("ERR Unknown client type '{other}'")));
                        }
                    });
                }
                () => return Err(CommandError::SYNTAX),
            }
            index += 2;
        }
        Ok(filter)
    }

    fn means(&self, session: &Session) -> bool {
        let user = session.user.as_deref().unwrap_or(b"default");
        (self.ids.is_empty() || self.ids.contains(&session.id))
            && self.peer.as_ref().is_none_or(|peer| session.peer.as_bytes() == peer)
            && self.local.as_ref().is_none_or(|local| session.local.as_bytes() == local)
            && self.kind.is_none_or(|kind| session.kind == kind)
            && self.user.as_ref().is_none_or(|wanted| user == &wanted[..])
    }
}

fn list(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let filter = Filter::read(args, 2)?;
    let mut sessions: Vec<&Session> =
        context.engine.clients.iter().chain([&*context.session]).filter(|session| filter.means(session)).collect();
    sessions.sort_by_key(|session| session.id);
    let lines: String = sessions.iter().map(|session| session.line(context.now) + "\n").collect();
    context.reply.verbatim(lines.as_bytes());
    Ok(())
}

fn kill(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let old_form = args.len() == 3;
    let filter = match args.len() {
        3 => Filter { peer: Some(args.get(2).to_vec()), ..Filter::default() },
        4.. => Filter::read(args, 2)?,
        _ => return Err(super::subcommand_arity("client", args)),
    };
    let mut killed = 0;
    for session in context.engine.clients.iter_mut().filter(|session| filter.means(session)) {
        session.closing = Some(Closing::Now);
        context.engine.killed.push(session.id);
        killed += 1;
    }
    if filter.kind == Some(Kind::Master) && context.engine.kill_link(context.now) {
        killed += 1;
    }
    if !filter.skip_me && filter.means(context.session) {
        context.session.closing = Some(Closing::AfterReply);
        killed += 1;
    }
    match (old_form, killed) {
        (true, 0) => return Err(CommandError::fixed("ERR No such client")),
        (true, _) => context.reply.ok(),
        (false, killed) => context.reply.count(killed),
    }
    Ok(())
}
