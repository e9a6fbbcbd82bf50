//! CLIENT: who is connected, and what is done about them.

use super::{Context, Flag, Keys, Outcome, Spec, help};
use crate::engine::args::Args;
use crate::engine::clients::{Closing, Kind, Replies, Session, SessionId};
use crate::engine::command::connection::checked_name;
use crate::engine::dialect::Dialect;
use crate::engine::error::CommandError;
use crate::engine::tracking::Tracking;
use crate::engine::value::{Blob, integer};

const ADMIN: &[Flag] = &[Flag::Admin, Flag::Loading, Flag::Stale, Flag::NoScript];
const ANYWHERE: &[Flag] = &[Flag::Loading, Flag::Stale, Flag::NoScript];

const VALKEY: fn(Dialect) -> bool = |dialect| dialect.is_valkey_since(8, 0);

pub(super) const COMMANDS: &[Spec] = &[
    Spec::container("CLIENT", ADMIN, Keys::NONE),
    Spec::new("CLIENT|ID", 2, ANYWHERE, Keys::NONE, id).since(5, 0),
    Spec::new("CLIENT|INFO", 2, ANYWHERE, Keys::NONE, info).since(6, 2),
    Spec::new("CLIENT|LIST", -2, ADMIN, Keys::NONE, list),
    Spec::new("CLIENT|KILL", -3, ADMIN, Keys::NONE, kill).before(7, 0, -2),
    Spec::new("CLIENT|GETNAME", 2, ANYWHERE, Keys::NONE, getname),
    Spec::new("CLIENT|SETNAME", 3, ANYWHERE, Keys::NONE, setname),
    Spec::new("CLIENT|SETINFO", 4, ANYWHERE, Keys::NONE, setinfo).since(7, 2),
    Spec::new("CLIENT|REPLY", 3, ANYWHERE, Keys::NONE, reply).since(3, 2),
    Spec::new("CLIENT|NO-EVICT", 3, ADMIN, Keys::NONE, no_evict).since(7, 0),
    Spec::new("CLIENT|NO-TOUCH", 3, ANYWHERE, Keys::NONE, no_touch).since(7, 2),
    Spec::new("CLIENT|PAUSE", -3, ADMIN, Keys::NONE, pause),
    Spec::new("CLIENT|UNPAUSE", 2, ADMIN, Keys::NONE, unpause).since(6, 2),
    Spec::new("CLIENT|UNBLOCK", -3, ADMIN, Keys::NONE, unblock).since(5, 0),
    Spec::new("CLIENT|TRACKING", -3, ANYWHERE, Keys::NONE, tracking).since(6, 0),
    Spec::new("CLIENT|CACHING", 3, ANYWHERE, Keys::NONE, caching).since(6, 0),
    Spec::new("CLIENT|GETREDIR", 2, ANYWHERE, Keys::NONE, getredir).since(6, 0),
    Spec::new("CLIENT|TRACKINGINFO", 2, ANYWHERE, Keys::NONE, trackinginfo).since(6, 2),
    Spec::new("CLIENT|CAPA", -3, ANYWHERE, Keys::NONE, capa).only(VALKEY),
    Spec::new("CLIENT|IMPORT-SOURCE", 3, ANYWHERE, Keys::NONE, import_source)
        .only(|dialect| dialect.is_valkey_since(8, 1)),
    Spec::new("CLIENT|HELP", 2, &[Flag::Loading, Flag::Stale], Keys::NONE, help).since(5, 0),
];

fn id(context: &mut Context<'_>, _: Args<'_>) -> Outcome {
    context.reply.integer(context.session.id.0 as i64);
    Ok(())
}

fn info(context: &mut Context<'_>, _: Args<'_>) -> Outcome {
    let line = context.session.line(context.now, context.engine.dialect) + "\n";
    context.reply.verbatim(line.as_bytes());
    Ok(())
}

fn getname(context: &mut Context<'_>, _: Args<'_>) -> Outcome {
    let name = &context.session.name;
    context.reply.bulk_or_null((!name.is_empty()).then_some(name));
    Ok(())
}

fn setname(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    context.session.name = checked_name(args.get(2))?;
    context.reply.ok();
    Ok(())
}

fn setinfo(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let name = String::from_utf8_lossy(args.get(2)).into_owned();
    let value = || {
        checked_name(args.get(3)).map_err(|_| {
            CommandError::new(format!("ERR {name} cannot contain spaces, newlines or special characters."))
        })
    };
    match () {
        () if args.is(2, "LIB-NAME") => context.session.library.0 = value()?,
        () if args.is(2, "LIB-VER") => context.session.library.1 = value()?,
        () => return Err(CommandError::new(format!("ERR Unrecognized option '{name}'"))),
    }
    context.reply.ok();
    Ok(())
}

fn reply(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    context.session.replies = match () {
        () if args.is(2, "ON") => Replies::On,
        () if args.is(2, "OFF") => Replies::Off,
        () if args.is(2, "SKIP") => Replies::SkipNext,
        () => return Err(CommandError::SYNTAX),
    };
    if context.session.replies == Replies::On {
        context.reply.ok();
    }
    Ok(())
}

fn on_or_off(args: Args<'_>) -> Result<bool, CommandError> {
    match () {
        () if args.is(2, "ON") => Ok(true),
        () if args.is(2, "OFF") => Ok(false),
        () => Err(CommandError::SYNTAX),
    }
}

fn no_evict(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    context.session.no_evict = on_or_off(args)?;
    context.reply.ok();
    Ok(())
}

fn no_touch(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    context.session.no_touch = on_or_off(args)?;
    context.reply.ok();
    Ok(())
}

/// CLIENT CAPA capability …: what the client can do; what is not known does no harm.
fn capa(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    if args.from(2).any(|word| word.eq_ignore_ascii_case(b"redirect")) {
        context.session.follows_redirects = true;
    }
    context.reply.ok();
    Ok(())
}

/// CLIENT IMPORT-SOURCE ON|OFF: what has expired is there for a client that brings data in.
fn import_source(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    if !args.is(2, "OFF") && !context.engine.imports() {
        return Err(CommandError::fixed("ERR Server is not in import mode"));
    }
    context.session.imports = on_or_off(args)?;
    context.reply.ok();
    Ok(())
}

fn pause(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let writes_only = match args.len() {
        3 => false,
        4 if args.is(3, "WRITE") => true,
        4 if args.is(3, "ALL") => false,
        4 => return Err(CommandError::fixed("ERR CLIENT PAUSE mode must be WRITE or ALL")),
        _ => return Err(CommandError::SYNTAX),
    };
    let invalid = CommandError::fixed("ERR timeout is not an integer or out of range");
    let milliseconds = args.integer(2).map_err(|_| invalid.clone())?;
    if milliseconds < 0 {
        return Err(CommandError::fixed("ERR timeout is negative"));
    }
    let until = milliseconds.checked_add(context.now).ok_or(invalid)?;
    context.engine.pause(until, writes_only);
    context.reply.ok();
    Ok(())
}

fn unpause(context: &mut Context<'_>, _: Args<'_>) -> Outcome {
    context.engine.unpause();
    context.reply.ok();
    Ok(())
}

fn unblock(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let with_error = match args.len() {
        3 => false,
        4 if args.is(3, "TIMEOUT") => false,
        4 if args.is(3, "ERROR") => true,
        4 => return Err(CommandError::fixed("ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR")),
        _ => return Err(CommandError::SYNTAX),
    };
    let id = args.integer(2)?;
    let unblocked = u64::try_from(id).is_ok_and(|id| context.engine.unblock_client(SessionId(id), with_error));
    context.reply.flag(unblocked);
    Ok(())
}

/// CLIENT TRACKING ON|OFF [REDIRECT id] [PREFIX prefix …] [BCAST] [OPTIN] [OPTOUT] [NOLOOP]
fn tracking(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let mut wanted = Tracking::default();
    let mut index = 3;
    while index < args.len() {
        let more = index + 1 < args.len();
        match () {
            () if args.is(index, "REDIRECT") && more => {
                index += 1;
                if wanted.redirect.is_some() {
                    return Err(CommandError::fixed("ERR A client can only redirect to a single other client"));
                }
                let id = SessionId(args.integer(index)?.cast_unsigned());
                if id != context.session.id && context.engine.clients.get(id).is_none() {
                    return Err(CommandError::fixed("ERR The client ID you want redirect to does not exist"));
                }
                wanted.redirect = Some(id);
            }
            () if args.is(index, "PREFIX") && more => {
                index += 1;
                wanted.prefixes.push(args.get(index).into());
            }
            () if args.is(index, "BCAST") => wanted.broadcast = true,
            () if args.is(index, "OPTIN") => wanted.opt_in = true,
            () if args.is(index, "OPTOUT") => wanted.opt_out = true,
            () if args.is(index, "NOLOOP") => wanted.no_loop = true,
            () => return Err(CommandError::SYNTAX),
        }
        index += 1;
    }
    if on_or_off(args)? {
        check_tracking(&wanted, context.session.tracking.as_deref())?;
        context.engine.track(context.session, wanted);
    } else {
        context.engine.untrack(context.session);
    }
    context.reply.ok();
    Ok(())
}

/// Whether the options go together, and with what the client has said before.
fn check_tracking(wanted: &Tracking, before: Option<&Tracking>) -> Outcome {
    let error = |text| Err(CommandError::fixed(text));
    if !wanted.broadcast && !wanted.prefixes.is_empty() {
        return error("ERR PREFIX option requires BCAST mode to be enabled");
    }
    if before.is_some_and(|before| before.broadcast != wanted.broadcast) {
        return error(
            "ERR You can't switch BCAST mode on/off before disabling tracking for this client, and then re-enabling it with a different mode.",
        );
    }
    if wanted.broadcast && (wanted.opt_in || wanted.opt_out) {
        return error("ERR OPTIN and OPTOUT are not compatible with BCAST");
    }
    if wanted.opt_in && wanted.opt_out {
        return error("ERR You can't specify both OPTIN mode and OPTOUT mode");
    }
    if before.is_some_and(|before| wanted.opt_in && before.opt_out || wanted.opt_out && before.opt_in) {
        return error(
            "ERR You can't switch OPTIN/OPTOUT mode before disabling tracking for this client, and then re-enabling it with a different mode.",
        );
    }
    let overlap = |one: &Blob, other: &Blob| one.starts_with(other) || other.starts_with(one);
    let overlaps = |one: &[u8], what: &str, other: &[u8]| {
        let (one, other) = (String::from_utf8_lossy(one), String::from_utf8_lossy(other));
        Err(CommandError::new(format!(
            "ERR Prefix '{one}' overlaps with {what} prefix '{other}'. Prefixes for a single client must not overlap."
        )))
    };
    for (at, prefix) in wanted.prefixes.iter().enumerate() {
        let known = before.map_or(&[][..], |before| &before.prefixes[..]);
        if let Some(other) = known.iter().find(|other| overlap(prefix, other)) {
            return overlaps(prefix, "an existing", other);
        }
        if let Some(other) = wanted.prefixes.iter().skip(at + 1).find(|other| overlap(prefix, other)) {
            return overlaps(prefix, "another provided", other);
        }
    }
    Ok(())
}

fn caching(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let Some(tracking) = &mut context.session.tracking else {
        return Err(CommandError::fixed(
            "ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode enabled",
        ));
    };
    let (holds, wrong) = match () {
        () if args.is(2, "YES") => {
            (tracking.opt_in, "ERR CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode.")
        }
        () if args.is(2, "NO") => {
            (tracking.opt_out, "ERR CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode.")
        }
        () => return Err(CommandError::SYNTAX),
    };
    if !holds {
        return Err(CommandError::fixed(wrong));
    }
    tracking.caching = true;
    context.reply.ok();
    Ok(())
}

/// Who is told in its place: 0 for nobody, -1 where it does not track.
fn redirection(session: &Session) -> i64 {
    let tracking = session.tracking.as_ref();
    tracking.map_or(-1, |tracking| tracking.redirect.map_or(0, |id| id.0.cast_signed()))
}

fn getredir(context: &mut Context<'_>, _: Args<'_>) -> Outcome {
    context.reply.integer(redirection(context.session));
    Ok(())
}

fn trackinginfo(context: &mut Context<'_>, _: Args<'_>) -> Outcome {
    let mut flags = vec!["off"];
    if let Some(tracking) = &context.session.tracking {
        flags = vec!["on"];
        let mut flag = |holds: bool, word| flags.extend(holds.then_some(word));
        flag(tracking.broadcast, "bcast");
        flag(tracking.opt_in, "optin");
        flag(tracking.opt_in && tracking.caching, "caching-yes");
        flag(tracking.opt_out, "optout");
        flag(tracking.opt_out && tracking.caching, "caching-no");
        flag(tracking.no_loop, "noloop");
        flag(tracking.broken, "broken_redirect");
    }
    let redirect = redirection(context.session);
    let prefixes = context.session.tracking.as_ref().map_or(&[][..], |tracking| &tracking.prefixes[..]);
    let reply = &mut *context.reply;
    reply.map(3);
    reply.bulk(b"flags");
    reply.set(flags.len());
    flags.iter().for_each(|word| reply.bulk(word.as_bytes()));
    reply.bulk(b"redirect");
    reply.integer(redirect);
    reply.bulk(b"prefixes");
    reply.array(prefixes.len());
    prefixes.iter().for_each(|prefix| reply.bulk(prefix));
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
    /// Connected for more than so many seconds.
    older_than: Option<i64>,
    /// Whether the session that asks is spared.
    skip_me: bool,
}

impl Filter {
    /// CLIENT LIST's: a type, or ids.
    fn of_list(args: Args<'_>, dialect: Dialect) -> Result<Self, CommandError> {
        let mut filter = Self::default();
        match args.len() {
            2 => {}
            4 if args.is(2, "TYPE") => filter.kind = Some(kind(args.get(3))?),
            4.. if args.is(2, "ID") => {
                for word in args.from(3) {
                    let id = integer(word).and_then(|id| u64::try_from(id).ok());
                    let error =
                        if dialect.is_valkey_since(8, 1) { "ERR syntax error" } else { "ERR Invalid client ID" };
                    filter.ids.push(SessionId(id.ok_or(CommandError::fixed(error))?));
                }
            }
            _ => return Err(CommandError::SYNTAX),
        }
        Ok(filter)
    }

    /// CLIENT KILL's, in the form with names.
    fn of_kill(context: &Context<'_>, args: Args<'_>) -> Result<Self, CommandError> {
        let dialect = context.engine.dialect;
        if args.len() < 4 {
            return Err(CommandError::SYNTAX);
        }
        let mut filter = Self { skip_me: true, ..Self::default() };
        let mut index = 2;
        while index < args.len() {
            let value = args.find(index + 1).ok_or(CommandError::SYNTAX)?;
            match () {
                () if args.is(index, "ID") => {
                    let least = if dialect.since(7, 0) { 1 } else { i64::MIN };
                    let error = match dialect.since(7, 0) {
                        true => "ERR client-id should be greater than 0",
                        false => "ERR value is not an integer or out of range",
                    };
                    let id = args.at_least(index + 1, least, error)?;
                    filter.ids.push(SessionId(u64::try_from(id).unwrap_or(0)));
                    // Valkey takes several.
                    while dialect.is_valkey_since(8, 1)
                        && let Some(id) = args.find(index + 2).and_then(integer)
                    {
                        filter.ids.push(SessionId(u64::try_from(id).unwrap_or(0)));
                        index += 1;
                    }
                }
                () if args.is(index, "ADDR") => filter.peer = Some(value.to_vec()),
                () if args.is(index, "LADDR") && dialect.since(6, 2) => filter.local = Some(value.to_vec()),
                () if args.is(index, "USER") => {
                    if value != b"default" && context.engine.users.get(value).is_none() {
                        let name = String::from_utf8_lossy(value);
                        return Err(CommandError::new(format!("ERR No such user '{name}'")));
                    }
                    filter.user = Some(value.into());
                }
                () if args.is(index, "MAXAGE") && dialect.since(7, 4) => {
                    let error = "ERR maxage is not an integer or out of range";
                    filter.older_than = Some(args.at_least(index + 1, i64::MIN, error)?);
                }
                () if args.is(index, "SKIPME") => match () {
                    () if args.is(index + 1, "YES") => filter.skip_me = true,
                    () if args.is(index + 1, "NO") => filter.skip_me = false,
                    () => return Err(CommandError::SYNTAX),
                },
                () if args.is(index, "TYPE") => filter.kind = Some(kind(value)?),
                () => return Err(CommandError::SYNTAX),
            }
            index += 2;
        }
        Ok(filter)
    }

    fn means(&self, session: &Session, now: i64) -> bool {
        let user = session.user.as_deref().unwrap_or(b"default");
        (self.ids.is_empty() || self.ids.contains(&session.id))
            && self.peer.as_ref().is_none_or(|peer| session.peer.as_bytes() == peer)
            && self.local.as_ref().is_none_or(|local| session.local.as_bytes() == local)
            && self.kind.is_none_or(|kind| session.kind() == kind)
            && self.older_than.is_none_or(|seconds| (now - session.since) / 1000 >= seconds)
            && self.user.as_ref().is_none_or(|wanted| user == &wanted[..])
    }
}

fn kind(word: &[u8]) -> Result<Kind, CommandError> {
    Ok(match word.to_ascii_lowercase().as_slice() {
        b"normal" => Kind::Normal,
        b"slave" | b"replica" => Kind::Replica,
        b"master" | b"primary" => Kind::Master,
        b"pubsub" => Kind::PubSub,
        _ => {
            let word = String::from_utf8_lossy(word);
            return Err(CommandError::new(format!("ERR Unknown client type '{word}'")));
        }
    })
}

fn list(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let dialect = context.engine.dialect;
    let filter = Filter::of_list(args, dialect)?;
    let all = context.engine.clients.iter().chain([&*context.session]).chain(context.engine.master_session());
    let mut sessions: Vec<&Session> = all.filter(|session| filter.means(session, context.now)).collect();
    sessions.sort_by_key(|session| session.id);
    let lines: String = sessions.iter().map(|session| session.line(context.now, dialect) + "\n").collect();
    context.reply.verbatim(lines.as_bytes());
    Ok(())
}

fn kill(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let old_form = args.len() == 3;
    let filter = match old_form {
        true => Filter { peer: Some(args.get(2).to_vec()), ..Filter::default() },
        false => Filter::of_kill(context, args)?,
    };
    let mut killed = 0;
    let now = context.now;
    for session in context.engine.clients.iter_mut().filter(|session| filter.means(session, now)) {
        session.closing = Some(Closing::Now);
        context.engine.killed.push(session.id);
        killed += 1;
    }
    if context.engine.master_session().is_some_and(|session| filter.means(session, now)) {
        context.engine.kill_master_link(now);
        killed += 1;
    }
    if !filter.skip_me && filter.means(context.session, now) {
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
