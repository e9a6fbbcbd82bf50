//! ACL: who may log in, and run what.

use super::{CATEGORIES, Context, Flag, Keys, Outcome, Spec, help};
use crate::bounds::ACL_LOG_SECONDS;
use crate::engine::args::Args;
use crate::engine::clients::{Closing, Session};
use crate::engine::core::Engine;
use crate::engine::dialect::{Dialect, Family};
use crate::engine::error::CommandError;
use crate::engine::users::{Denied, Rules, merged};
use crate::engine::value::Blob;

const ADMIN: &[Flag] = &[Flag::Admin, Flag::Loading, Flag::Stale, Flag::NoScript];
const ANYWHERE: &[Flag] = &[Flag::Loading, Flag::Stale, Flag::NoScript];

pub(super) const COMMANDS: &[Spec] = &[
    Spec::container("ACL", ADMIN, Keys::NONE).since(6, 0),
    Spec::new("ACL|WHOAMI", 2, ANYWHERE, Keys::NONE, whoami),
    Spec::new("ACL|USERS", 2, ADMIN, Keys::NONE, users),
    Spec::new("ACL|LIST", 2, ADMIN, Keys::NONE, list),
    Spec::new("ACL|GETUSER", 3, ADMIN, Keys::NONE, getuser),
    Spec::new("ACL|SETUSER", -3, ADMIN, Keys::NONE, setuser),
    Spec::new("ACL|DELUSER", -3, ADMIN, Keys::NONE, deluser),
    Spec::new("ACL|DRYRUN", -4, ADMIN, Keys::NONE, dryrun).since(7, 0),
    Spec::new("ACL|GENPASS", -2, ANYWHERE, Keys::NONE, genpass),
    Spec::new("ACL|CAT", -2, ANYWHERE, Keys::NONE, cat),
    Spec::new("ACL|LOG", -2, ADMIN, Keys::NONE, log),
    Spec::new("ACL|LOAD", 2, ADMIN, Keys::NONE, load),
    Spec::new("ACL|SAVE", 2, ADMIN, Keys::NONE, save),
    Spec::new("ACL|HELP", 2, &[Flag::Loading, Flag::Stale], Keys::NONE, help),
];

fn whoami(context: &mut Context<'_>, _: Args<'_>) -> Outcome {
    let user = context.session.user.clone();
    context.reply.bulk(user.as_deref().unwrap_or(b"default"));
    Ok(())
}

fn users(context: &mut Context<'_>, _: Args<'_>) -> Outcome {
    let users = &context.engine.users;
    context.reply.array(users.iter().count());
    users.iter().for_each(|(name, _)| context.reply.bulk(name));
    Ok(())
}

fn list(context: &mut Context<'_>, _: Args<'_>) -> Outcome {
    let dialect = context.engine.dialect;
    let users = &context.engine.users;
    context.reply.array(users.iter().count());
    users.iter().for_each(|(name, user)| context.reply.bulk(user.line(name, dialect).as_bytes()));
    Ok(())
}

/// Commands, keys and channels of a user or a selector.
fn tell_rules(context: &mut Context<'_>, rules: &Rules) {
    let valkey_9 = context.engine.dialect.is_valkey_since(9, 1);
    let reply = &mut *context.reply;
    let told = [("commands", rules.told_commands()), ("keys", rules.told_keys()), ("channels", rules.told_channels())];
    for (name, text) in told {
        reply.bulk(name.as_bytes());
        reply.bulk(text.as_bytes());
    }
    if valkey_9 {
        reply.bulk(b"databases");
        reply.bulk(b"alldbs");
    }
}

fn getuser(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let dialect = context.engine.dialect;
    let Some(user) = context.engine.users.get(args.get(2)).cloned() else {
        context.reply.null_array();
        return Ok(());
    };
    let since_7 = dialect.since(7, 0);
    let reply = &mut *context.reply;
    reply.map(if dialect.is_valkey_since(9, 1) { 7 } else { 5 + usize::from(since_7) });
    let flags = user.flags(dialect);
    reply.bulk(b"flags");
    reply.set(flags.len());
    flags.iter().for_each(|flag| reply.bulk(flag.as_bytes()));
    reply.bulk(b"passwords");
    reply.array(user.passwords.len());
    user.passwords.iter().for_each(|digest| reply.bulk(digest.as_bytes()));
    if !since_7 {
        reply.bulk(b"commands");
        reply.bulk(user.root.told_commands().as_bytes());
        for (name, patterns) in [("keys", user.root.key_patterns()), ("channels", user.root.channel_patterns())] {
            reply.bulk(name.as_bytes());
            reply.array(patterns.len());
            patterns.iter().for_each(|pattern| reply.bulk(pattern));
        }
        return Ok(());
    }
    tell_rules(context, &user.root);
    context.reply.bulk(b"selectors");
    context.reply.array(user.selectors.len());
    for rules in &user.selectors {
        context.reply.map(if dialect.is_valkey_since(9, 1) { 4 } else { 3 });
        tell_rules(context, rules);
    }
    Ok(())
}

fn setuser(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let engine = &mut *context.engine;
    let rules = match engine.dialect.since(7, 0) {
        true => merged(args.from(3)),
        false => args.from(3).map(<[u8]>::to_vec).collect(),
    };
    if let Some(rule) = rules.iter().find(|rule| rule.starts_with(b"(") && !rule.ends_with(b")"))
        && engine.dialect.since(7, 0)
    {
        let rule = String::from_utf8_lossy(rule);
        return Err(CommandError::new(format!("ERR Unmatched parenthesis in acl selector starting at '{rule}'.")));
    }
    let all_channels = engine.new_users_have_all_channels();
    let changed = engine.users.change(args.get(2), rules.iter().map(|rule| &rule[..]), engine.dialect, all_channels);
    changed.map_err(|error| CommandError::new(format!("ERR {error}")))?;
    context.reply.ok();
    Ok(())
}

/// Who is deleted is cut off.
fn deluser(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    if args.from(2).any(|name| name == b"default") {
        return Err(CommandError::fixed("ERR The 'default' user cannot be removed"));
    }
    let mut deleted = 0;
    for name in args.from(2).filter(|name| context.engine.users.get(name).is_some()).collect::<Vec<_>>() {
        context.engine.users.remove(name);
        deleted += 1;
        cut_off(context, name);
    }
    context.reply.count(deleted);
    Ok(())
}

fn cut_off(context: &mut Context<'_>, name: &[u8]) {
    let is_theirs = |session: &Session| session.user.as_deref() == Some(name);
    for session in context.engine.clients.iter_mut().filter(|session| is_theirs(session)) {
        session.closing = Some(Closing::Now);
        context.engine.killed.push(session.id);
    }
    if is_theirs(context.session) {
        context.session.closing = Some(Closing::AfterReply);
    }
}

fn dryrun(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let dialect = context.engine.dialect;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let name = text(args.get(2));
    let user = context.engine.users.get(args.get(2)).cloned();
    let user = user.ok_or_else(|| CommandError::new(format!("ERR User '{name}' not found")))?;
    let called = args.skip(3);
    let spec = context.engine.called(called);
    let spec = spec.map_err(|_| CommandError::new(format!("ERR Command '{}' not found", text(called.get(0)))))?;
    if !spec.takes_in(called.len(), dialect) {
        return Err(CommandError::arity(spec.name));
    }
    let who = if dialect.since(7, 2) { format!("User {name}") } else { "This user".to_owned() };
    match user.check(spec, called) {
        Ok(()) => context.reply.ok(),
        Err(denied) => {
            let what = match denied {
                Denied::Command => format!("run the '{}' command", spec.name.to_ascii_lowercase()),
                Denied::Key(place) => format!("access the '{}' key", text(called.get(place))),
                Denied::Channel(place) => format!("access the '{}' channel", text(called.get(place))),
            };
            context.reply.bulk(format!("{who} has no permissions to {what}").as_bytes());
        }
    }
    Ok(())
}

fn genpass(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let bits = match args.len() {
        2 => 256,
        3 => args.integer(2)?,
        _ => return Err(CommandError::arity("acl|genpass")),
    };
    if !(1..=4096).contains(&bits) {
        return Err(CommandError::fixed(
            "ERR ACL GENPASS argument must be the number of bits for the output password, a positive number up to 4096",
        ));
    }
    let digits = (bits as usize).div_ceil(4);
    let random = &mut context.engine.random;
    let mut password = String::new();
    while password.len() < digits {
        password += &format!("{:016x}", random.bits());
    }
    context.reply.bulk(password.get(..digits).unwrap_or_default().as_bytes());
    Ok(())
}

fn cat(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let dialect = context.engine.dialect;
    match args.len() {
        2 => {
            context.reply.array(CATEGORIES.len());
            CATEGORIES.iter().for_each(|category| context.reply.bulk(category.as_bytes()));
        }
        3 => {
            let word = String::from_utf8_lossy(args.get(2)).to_ascii_lowercase();
            if !CATEGORIES.contains(&word.as_str()) {
                let word = String::from_utf8_lossy(args.get(2));
                return Err(CommandError::new(format!("ERR Unknown category '{word}'")));
            }
            let told = super::all().filter(|spec| spec.is_told(dialect) && spec.is_in(&word, dialect));
            let names: Vec<String> = told.map(|spec| spec.name.to_ascii_lowercase()).collect();
            context.reply.array(names.len());
            names.iter().for_each(|name| context.reply.bulk(name.as_bytes()));
        }
        _ => return Err(CommandError::SYNTAX),
    }
    Ok(())
}

/// Something that a user was denied.
#[derive(Clone, Debug)]
pub(in crate::engine) struct Denial {
    count: u64,
    reason: &'static str,
    place: &'static str,
    object: Blob,
    user: Blob,
    created: i64,
    updated: i64,
    client: String,
    id: u64,
}

impl Engine {
    /// Reads the users from the ACL file in place of those that there are.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn load_users(&mut self) -> Result<(), String> {
        let Some(file) = &self.acl_file else { return Ok(()) };
        let text = file.read()?;
        let all_channels = self.new_users_have_all_channels();
        self.users.load(&text, self.dialect, all_channels)
    }

    /// Whether new users may listen to all channels.
    pub(in crate::engine) fn new_users_have_all_channels(&self) -> bool {
        !self.dialect.since(7, 0) || self.config.get("acl-pubsub-default") == "allchannels"
    }

    /// Writes down that a user was denied something.
    #[cold]
    pub(in crate::engine) fn note_denial(
        &mut self,
        session: &Session,
        reason: &'static str,
        object: &[u8],
        user: &[u8],
        now: i64,
    ) {
        let place = match () {
            () if session.executes || session.queue.is_some() => "multi",
            () => "toplevel",
        };
        let is_same = |known: &Denial| {
            known.reason == reason
                && known.place == place
                && *known.object == *object
                && *known.user == *user
                && now - known.updated <= ACL_LOG_SECONDS * 1000
        };
        let client = session.line(now, self.dialect);
        if let Some(at) = self.denials.iter().position(is_same)
            && let Some(mut known) = self.denials.remove(at)
        {
            (known.count, known.updated, known.client) = (known.count + 1, now, client);
            self.denials.push_front(known);
            return;
        }
        let (id, object, user) = (self.next_denial, Blob::from(object), Blob::from(user));
        self.next_denial += 1;
        self.denials.push_front(Denial {
            count: 1,
            reason,
            place,
            object,
            user,
            created: now,
            updated: now,
            client,
            id,
        });
        self.denials.truncate(usize::try_from(self.config.size("acllog-max-len")).unwrap_or(usize::MAX));
    }
}

fn log(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let count = match args.len() {
        3 if args.is(2, "RESET") => {
            context.engine.denials.clear();
            context.reply.ok();
            return Ok(());
        }
        2 => 10,
        _ => usize::try_from(args.integer(2)?.max(0)).unwrap_or(usize::MAX),
    };
    let more = context.engine.dialect.since(7, 2);
    let (now, reply) = (context.now, &mut *context.reply);
    let denials = &context.engine.denials;
    reply.array(denials.len().min(count));
    for denial in denials.iter().take(count) {
        reply.map(if more { 10 } else { 7 });
        reply.bulk(b"count");
        reply.integer(denial.count.cast_signed());
        for (name, value) in [
            ("reason", denial.reason.as_bytes()),
            ("context", denial.place.as_bytes()),
            ("object", &denial.object),
            ("username", &denial.user),
        ] {
            reply.bulk(name.as_bytes());
            reply.bulk(value);
        }
        reply.bulk(b"age-seconds");
        reply.double(format!("{:.3}", (now - denial.created) as f64 / 1000.0).as_bytes());
        reply.bulk(b"client-info");
        reply.bulk(denial.client.as_bytes());
        if more {
            let numbers = [
                ("entry-id", denial.id.cast_signed()),
                ("timestamp-created", denial.created),
                ("timestamp-last-updated", denial.updated),
            ];
            for (name, number) in numbers {
                reply.bulk(name.as_bytes());
                reply.integer(number);
            }
        }
    }
    Ok(())
}

/// Without `aclfile` there is nothing to load or save.
fn no_file(dialect: Dialect) -> CommandError {
    CommandError::fixed(match dialect.family {
        Family::Redis => {
            "ERR This Redis instance is not configured to use an ACL file. You may want to specify users via the ACL SETUSER command and then issue a CONFIG REWRITE (assuming you have a Redis configuration file set) in order to store users in the Redis configuration."
        }
        Family::Valkey => {
            "ERR This instance is not configured to use an ACL file. You may want to specify users via the ACL SETUSER command and then issue a CONFIG REWRITE (assuming you have a configuration file set) in order to store users in the configuration."
        }
    })
}

fn load(context: &mut Context<'_>, _: Args<'_>) -> Outcome {
    let engine = &mut *context.engine;
    let file = engine.acl_file.as_ref().ok_or_else(|| no_file(engine.dialect))?;
    let text = file.read().map_err(|error| CommandError::new(format!("ERR Error loading ACLs: {error}")))?;
    let before = engine.users.clone();
    let all_channels = engine.new_users_have_all_channels();
    let loaded = engine.users.load(&text, engine.dialect, all_channels);
    loaded.map_err(|faults| {
        let kept = "WARNING: ACL errors detected, no change to the previously active ACL rules was performed";
        CommandError::new(format!("ERR {faults}{kept}"))
    })?;
    // Whose rules have changed must log in anew.
    let changed: Vec<Blob> = before
        .iter()
        .filter(|(name, user)| ***name != *b"default" && context.engine.users.get(name) != Some(user))
        .map(|(name, _)| name.clone())
        .collect();
    changed.iter().for_each(|name| cut_off(context, name));
    context.reply.ok();
    Ok(())
}

fn save(context: &mut Context<'_>, _: Args<'_>) -> Outcome {
    let engine = &mut *context.engine;
    let lines: String = engine.users.iter().map(|(name, user)| user.line(name, engine.dialect) + "\n").collect();
    let file = engine.acl_file.as_mut().ok_or_else(|| no_file(engine.dialect))?;
    file.write(&lines).map_err(|_| {
        CommandError::fixed(
            "ERR There was an error trying to save the ACLs. Please check the server logs for more information",
        )
    })?;
    context.reply.ok();
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::engine::testing::Play;

    #[test]
    fn rules_are_told_and_kept_as_in_the_servers() {
        // Asked of redis-server 8.2.3.
        let mut play = Play::new("redis-8.2");
        for (line, answer) in [
            ("ACL LIST", "[user default on nopass sanitize-payload ~* &* +@all]"),
            ("ACL SETUSER a on >pw ~x* %R~r* %W~w* &c* +get +set +client|list -@dangerous +@read -get", "OK"),
            ("ACL SETUSER a (+mget ~z*)", "OK"),
            (
                "ACL GETUSER a",
                "[flags [on sanitize-payload] passwords [30c952fab122c3f9759f02a6d95c3758b246b4fee239957b2d4fee46e26170c4] commands -@all +set +client|list -@dangerous +@read -get keys ~x* %R~r* %W~w* channels &c* selectors [[commands -@all +mget keys ~z* channels \"\"]]]",
            ),
            (
                "ACL SETUSER c +foo",
                "-ERR Error in ACL SETUSER modifier '+foo': Unknown command or category name in ACL",
            ),
            ("ACL SETUSER c %Z~x", "-ERR Error in ACL SETUSER modifier '%Z~x': Syntax error"),
            ("ACL SETUSER c (+get", "-ERR Unmatched parenthesis in acl selector starting at '(+get'."),
            (
                "ACL SETUSER c -get|x",
                "-ERR Error in ACL SETUSER modifier '-get|x': Unknown command or category name in ACL",
            ),
            ("ACL SETUSER c +config -config|get", "OK"),
            ("ACL GETUSER nosuch", "(nil)"),
            ("ACL DRYRUN a set x1 v", "OK"),
            ("ACL DRYRUN a set r1 v", "User a has no permissions to access the 'r1' key"),
            ("ACL DRYRUN a getrange r1 0 1", "OK"),
            ("ACL DRYRUN a mget z1", "OK"),
            ("ACL DRYRUN a get z1", "User a has no permissions to run the 'get' command"),
            ("ACL DRYRUN nosuch get k", "-ERR User 'nosuch' not found"),
            ("ACL DRYRUN a set", "-ERR wrong number of arguments for 'set' command"),
            ("ACL CAT nosuch", "-ERR Unknown category 'nosuch'"),
            ("ACL DELUSER c nosuch", "1"),
            ("ACL USERS", "[a default]"),
        ] {
            assert_eq!(play.run(line), answer, "{line}");
        }
        assert_eq!(play.run("ACL GENPASS").len(), 64);
        assert_eq!(play.run("ACL GENPASS 5").len(), 2);
    }

    #[test]
    fn what_is_denied_is_refused_and_written_down() {
        let mut play = Play::new("redis-7.0");
        for (line, answer) in [
            ("ACL SETUSER u on >pw ~a* &ch +get +set +publish +acl|log +@scripting", "OK"),
            ("AUTH u wrong", "-WRONGPASS invalid username-password pair or user is disabled."),
            ("AUTH u pw", "OK"),
            ("SET a 1", "OK"),
            ("SET b 1", "-NOPERM this user has no permissions to access one of the keys used as arguments"),
            ("SET b 1", "-NOPERM this user has no permissions to access one of the keys used as arguments"),
            ("PUBLISH x m", "-NOPERM this user has no permissions to access one of the channels used as arguments"),
            ("DEL a", "-NOPERM this user has no permissions to run the 'del' command"),
        ] {
            assert_eq!(play.run(line), answer, "{line}");
        }
        let log = play.run("ACL LOG");
        let entries: Vec<&str> = log.split("count ").skip(1).collect();
        let head = |entry: &str| entry.split(" age-seconds").next().unwrap().to_owned();
        let heads: Vec<String> = entries.iter().map(|entry| head(entry)).collect();
        assert_eq!(
            heads,
            [
                "1 reason command context toplevel object del username u",
                "1 reason channel context toplevel object x username u",
                "2 reason key context toplevel object b username u",
                "1 reason auth context toplevel object AUTH username u",
            ]
        );
        assert_eq!(play.run("ACL LOG RESET"), "OK");
        assert_eq!(play.run("ACL LOG"), "[]");
    }
}
