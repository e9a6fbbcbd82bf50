//! Who may log in, and what they may do.
//!
//! (Rules, and how they are told, compared with Redis 6.2.14, 7.0.15 and 8.2.3, Valkey 9.1.2.)

use std::collections::BTreeMap;
use std::fmt::Write;

use sha2::{Digest as _, Sha256};

use super::args::Args;
use super::command::{self, CATEGORIES, Flag, Spec};
use super::dialect::{Dialect, Family};
use super::glob;
use super::value::Blob;

/// A rule that cannot be applied: the rule and why not, in the servers' words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Error in ACL SETUSER modifier '{rule}': {reason}")]
pub struct RuleError {
    /// The rule.
    pub rule: String,
    /// Why not.
    pub reason: &'static str,
}

const SYNTAX: &str = "Syntax error";
const UNKNOWN: &str = "Unknown command or category name in ACL";

/// What a user may not do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Denied {
    /// Run the command.
    Command,
    /// Touch the key that stands at this place.
    Key(usize),
    /// Publish on the channel at this place, or listen to it.
    Channel(usize),
}

/// A pattern of keys, and what may be done with them.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Keys {
    pattern: Blob,
    reads: bool,
    writes: bool,
}

/// Commands, keys and channels that go together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Rules {
    keys: Vec<Keys>,
    all_keys: bool,
    channels: Vec<Blob>,
    all_channels: bool,
    /// Commands that may be run, by their places among all commands.
    commands: Vec<bool>,
    /// What is not known yet may be run as well.
    all_commands: bool,
    /// Commands that may be run with these first arguments only.
    first: Vec<(usize, Blob)>,
    /// The rules about commands since the last about all, without the sign, and whether it was `+`.
    told: Vec<(String, bool)>,
}

impl Rules {
    /// Nothing is allowed; channels are as `acl-pubsub-default` has it.
    fn new(all_channels: bool) -> Self {
        Self {
            keys: Vec::new(),
            all_keys: false,
            channels: Vec::new(),
            all_channels,
            commands: vec![false; command::all().count()],
            all_commands: false,
            first: Vec::new(),
            told: Vec::new(),
        }
    }

    fn is_unlimited(&self) -> bool {
        self.all_keys && self.all_channels && self.all_commands && self.told.is_empty()
    }

    fn set_all_commands(&mut self, may: bool) {
        self.commands.fill(may);
        self.all_commands = may;
        self.first.clear();
        self.told.clear();
    }

    fn set(&mut self, spec: &Spec, may: bool) {
        if let Some(place) = self.commands.get_mut(spec.index) {
            *place = may;
        }
        self.first.retain(|(index, _)| *index != spec.index);
    }

    /// Keeps a rule to be told, in place of those that it makes void.
    fn tell(&mut self, name: &str, may: bool) {
        let within =
            |known: &str| known.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('|'));
        self.told.retain(|(known, _)| !within(known));
        self.told.push((name.to_owned(), may));
    }

    /// A rule about commands, keys or channels; `false` where it is none of them.
    fn apply(&mut self, rule: &[u8], dialect: Dialect) -> Result<bool, &'static str> {
        match rule.to_ascii_lowercase().as_slice() {
            b"allkeys" | b"~*" => (self.all_keys, self.keys) = (true, Vec::new()),
            b"resetkeys" => (self.all_keys, self.keys) = (false, Vec::new()),
            b"allchannels" | b"&*" => (self.all_channels, self.channels) = (true, Vec::new()),
            b"resetchannels" => (self.all_channels, self.channels) = (false, Vec::new()),
            b"allcommands" | b"+@all" => self.set_all_commands(true),
            b"nocommands" | b"-@all" => self.set_all_commands(false),
            // Of databases Valkey 9.1 has rules; here all may use all.
            b"alldbs" if dialect.is_valkey_since(9, 1) => {}
            _ => match rule {
                [b'~', pattern @ ..] => self.add_keys(pattern, true, true)?,
                [b'%', rest @ ..] if dialect.since(7, 0) => {
                    let at = rest.iter().position(|byte| *byte == b'~').filter(|at| *at > 0).ok_or(SYNTAX)?;
                    let (letters, pattern) = rest.split_at(at);
                    let known = |byte: &u8| matches!(byte.to_ascii_uppercase(), b'R' | b'W');
                    if !letters.iter().all(known) {
                        return Err(SYNTAX);
                    }
                    let has = |letter: u8| letters.iter().any(|byte| byte.to_ascii_uppercase() == letter);
                    self.add_keys(pattern.get(1..).unwrap_or_default(), has(b'R'), has(b'W'))?;
                }
                [b'&', pattern @ ..] => {
                    if self.all_channels {
                        return Err(
                            "Adding a pattern after the * pattern (or the 'allchannels' flag) is not valid and does not have any effect. Try 'resetchannels' to start with an empty list of channels",
                        );
                    }
                    if !self.channels.iter().any(|known| **known == *pattern) {
                        self.channels.push(pattern.into());
                    }
                }
                [sign @ (b'+' | b'-'), b'@', name @ ..] => self.set_category(name, *sign == b'+', dialect)?,
                [sign @ (b'+' | b'-'), name @ ..] => self.set_command(name, *sign == b'+', dialect)?,
                _ => return Ok(false),
            },
        }
        Ok(true)
    }

    fn add_keys(&mut self, pattern: &[u8], reads: bool, writes: bool) -> Result<(), &'static str> {
        if self.all_keys {
            return Err(
                "Adding a pattern after the * pattern (or the 'allkeys' flag) is not valid and does not have any effect. Try 'resetkeys' to start with an empty list of patterns",
            );
        }
        match self.keys.iter_mut().find(|known| *known.pattern == *pattern) {
            Some(known) => (known.reads, known.writes) = (known.reads || reads, known.writes || writes),
            None => self.keys.push(Keys { pattern: pattern.into(), reads, writes }),
        }
        Ok(())
    }

    fn set_category(&mut self, name: &[u8], may: bool, dialect: Dialect) -> Result<(), &'static str> {
        let name = name.to_ascii_lowercase();
        let category = CATEGORIES.iter().find(|known| known.as_bytes() == name).ok_or(UNKNOWN)?;
        for spec in command::all().filter(|spec| spec.is_known(dialect) && spec.is_in(category, dialect)) {
            self.set(spec, may);
        }
        self.tell(&format!("@{category}"), may);
        Ok(())
    }

    fn set_command(&mut self, name: &[u8], may: bool, dialect: Dialect) -> Result<(), &'static str> {
        let name = std::str::from_utf8(name).map_err(|_| UNKNOWN)?;
        let upper = name.to_ascii_uppercase();
        let find = |name: &str| command::all().find(|spec| spec.name == name && spec.is_known(dialect));
        match (find(&upper), upper.split_once('|')) {
            // Before 7.0 a subcommand was a first argument.
            (Some(spec), parts) if parts.is_none() || dialect.since(7, 0) => {
                self.set(spec, may);
                spec.subcommands().for_each(|sub| self.set(sub, may));
            }
            (_, Some((first, argument))) if may && !argument.is_empty() => {
                let spec = find(first).ok_or(UNKNOWN)?;
                if spec.is_container() && dialect.since(7, 0) {
                    return Err(UNKNOWN);
                }
                if argument.contains('|') {
                    return Err("Allowing first-arg of a subcommand is not supported");
                }
                self.first.push((spec.index, argument.as_bytes().into()));
                if !dialect.since(7, 0) {
                    let subs = spec.subcommands().filter(|sub| sub.name == upper);
                    subs.collect::<Vec<_>>().into_iter().for_each(|sub| self.set(sub, true));
                }
            }
            _ => return Err(UNKNOWN),
        }
        self.tell(&name.to_ascii_lowercase(), may);
        Ok(())
    }

    /// Whether it allows a command with its arguments.
    fn check(&self, spec: &Spec, args: Args<'_>) -> Result<(), Denied> {
        let first = || {
            let allowed = |argument: &Blob| args.get(1).eq_ignore_ascii_case(argument);
            self.first.iter().any(|(index, argument)| *index == spec.index && allowed(argument))
        };
        if !self.commands.get(spec.index).copied().unwrap_or(self.all_commands) && !spec.has(Flag::NoAuth) && !first() {
            return Err(Denied::Command);
        }
        if !self.all_keys && spec.has_keys() {
            for place in spec.keys_of(args).unwrap_or_default() {
                let access = spec.access_to(place, args);
                let key = args.get(place.index);
                let allows = |keys: &Keys| {
                    (keys.reads || !access.reads())
                        && (keys.writes || !access.writes())
                        && glob::matches(&keys.pattern, key)
                };
                if !self.keys.iter().any(allows) {
                    return Err(Denied::Key(place.index));
                }
            }
        }
        if !self.all_channels && spec.has(Flag::PubSub) {
            let (places, literally) = match spec.name {
                "PUBLISH" | "SPUBLISH" => (1..2, false),
                "SUBSCRIBE" | "SSUBSCRIBE" => (1..args.len(), false),
                "PSUBSCRIBE" => (1..args.len(), true),
                _ => (0..0, false),
            };
            for place in places {
                let channel = args.get(place);
                // Who listens to a pattern must be allowed just that.
                let allows = |pattern: &Blob| match literally {
                    true => **pattern == *channel,
                    false => glob::matches(pattern, channel),
                };
                if !self.channels.iter().any(allows) {
                    return Err(Denied::Channel(place));
                }
            }
        }
        Ok(())
    }

    /// The rules about keys, as they are told.
    pub(super) fn told_keys(&self) -> String {
        if self.all_keys {
            return "~*".to_owned();
        }
        let told = self.keys.iter().map(|keys| {
            let sign = match (keys.reads, keys.writes) {
                (true, true) => "~",
                (true, false) => "%R~",
                _ => "%W~",
            };
            format!("{sign}{}", String::from_utf8_lossy(&keys.pattern))
        });
        told.collect::<Vec<_>>().join(" ")
    }

    /// The patterns of keys, as they were told before 7.0.
    pub(super) fn key_patterns(&self) -> Vec<Blob> {
        if self.all_keys {
            vec![Blob::from(&b"*"[..])]
        } else {
            self.keys.iter().map(|keys| keys.pattern.clone()).collect()
        }
    }

    /// The rules about channels, as they are told.
    pub(super) fn told_channels(&self) -> String {
        if self.all_channels {
            return "&*".to_owned();
        }
        let told = self.channels.iter().map(|pattern| format!("&{}", String::from_utf8_lossy(pattern)));
        told.collect::<Vec<_>>().join(" ")
    }

    /// The patterns of channels, as they were told before 7.0.
    pub(super) fn channel_patterns(&self) -> Vec<Blob> {
        if self.all_channels { vec![Blob::from(&b"*"[..])] } else { self.channels.clone() }
    }

    /// The rules about commands, as they are told.
    pub(super) fn told_commands(&self) -> String {
        let mut text = if self.all_commands { "+@all" } else { "-@all" }.to_owned();
        for (name, may) in &self.told {
            let _ = write!(text, " {}{name}", if *may { '+' } else { '-' });
        }
        text
    }

    /// All of them, as ACL LIST tells them.
    fn told_all(&self) -> String {
        let mut parts = vec![self.told_keys()];
        if !self.all_channels {
            parts.push("resetchannels".to_owned());
        }
        parts.extend([self.told_channels(), self.told_commands()]);
        parts.retain(|part| !part.is_empty());
        parts.join(" ")
    }
}

/// A user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Whether the user may log in at all.
    pub enabled: bool,
    /// Whether any password will do.
    pub any_password: bool,
    /// The digests of its passwords, in hexadecimal digits.
    pub(super) passwords: Vec<String>,
    /// Whether payloads that it sends are looked at, where somebody has said so.
    sanitize: Option<bool>,
    pub(super) root: Rules,
    pub(super) selectors: Vec<Rules>,
}

impl User {
    /// A user that may do nothing.
    fn new(all_channels: bool) -> Self {
        Self {
            enabled: false,
            any_password: false,
            passwords: Vec::new(),
            sanitize: None,
            root: Rules::new(all_channels),
            selectors: Vec::new(),
        }
    }

    fn apply(&mut self, rule: &[u8], dialect: Dialect, all_channels: bool) -> Result<(), &'static str> {
        match rule.to_ascii_lowercase().as_slice() {
            b"on" => self.enabled = true,
            b"off" => self.enabled = false,
            b"nopass" => (self.any_password, self.passwords) = (true, Vec::new()),
            b"resetpass" => (self.any_password, self.passwords) = (false, Vec::new()),
            b"sanitize-payload" => self.sanitize = Some(true),
            b"skip-sanitize-payload" => self.sanitize = Some(false),
            b"clearselectors" if dialect.since(7, 0) => self.selectors.clear(),
            b"reset" => {
                *self = Self::new(all_channels);
                self.sanitize = (dialect.family == Family::Redis).then_some(true);
            }
            _ => match rule {
                [b'>', password @ ..] => self.add_password(hexadecimal(password)),
                [b'#', digest @ ..] => self.add_password(checked_digest(digest)?),
                [b'<', password @ ..] => self.remove_password(&hexadecimal(password))?,
                [b'!', digest @ ..] => self.remove_password(&checked_digest(digest)?)?,
                [b'(', inner @ .., b')'] if dialect.since(7, 0) => {
                    let mut rules = Rules::new(all_channels);
                    for rule in inner.split(u8::is_ascii_whitespace).filter(|rule| !rule.is_empty()) {
                        if !rules.apply(rule, dialect)? {
                            return Err(SYNTAX);
                        }
                    }
                    self.selectors.push(rules);
                }
                _ => {
                    if !self.root.apply(rule, dialect)? {
                        return Err(SYNTAX);
                    }
                }
            },
        }
        Ok(())
    }

    fn add_password(&mut self, digest: String) {
        self.any_password = false;
        if !self.passwords.contains(&digest) {
            self.passwords.push(digest);
        }
    }

    fn remove_password(&mut self, digest: &str) -> Result<(), &'static str> {
        let before = self.passwords.len();
        self.passwords.retain(|known| known != digest);
        if self.passwords.len() == before {
            return Err("The password you are trying to remove from the user does not exist");
        }
        Ok(())
    }

    /// Whether it may run a command with these arguments; of several reasons against it the last counts that was come to.
    pub(super) fn check(&self, spec: &Spec, args: Args<'_>) -> Result<(), Denied> {
        let mut denied = match self.root.check(spec, args) {
            Ok(()) => return Ok(()),
            Err(denied) => denied,
        };
        for rules in &self.selectors {
            match rules.check(spec, args) {
                Ok(()) => return Ok(()),
                Err(other) => denied = denied.max(other),
            }
        }
        Err(denied)
    }

    fn is_unlimited(&self) -> bool {
        self.root.is_unlimited()
    }

    /// Its flags, as ACL GETUSER tells them.
    pub(super) fn flags(&self, dialect: Dialect) -> Vec<&'static str> {
        let mut flags = vec![if self.enabled { "on" } else { "off" }];
        let mut flag = |holds: bool, word| flags.extend(holds.then_some(word));
        if !dialect.since(7, 0) {
            flag(self.root.all_keys, "allkeys");
            flag(self.root.all_channels, "allchannels");
            flag(self.root.all_commands && self.root.told.is_empty(), "allcommands");
        }
        flag(self.any_password, "nopass");
        let usual = dialect.is_redis_since(7, 2).then_some(true);
        match self.sanitize.or(usual) {
            Some(true) => flag(true, "sanitize-payload"),
            Some(false) => flag(true, "skip-sanitize-payload"),
            None => {}
        }
        flags
    }

    /// Its line in ACL LIST.
    pub(super) fn line(&self, name: &[u8], dialect: Dialect) -> String {
        let mut text = format!("user {}", String::from_utf8_lossy(name));
        let flags = self.flags(dialect).into_iter();
        for flag in flags.filter(|flag| !flag.starts_with("all")) {
            let _ = write!(text, " {flag}");
        }
        for digest in &self.passwords {
            let _ = write!(text, " #{digest}");
        }
        let _ = write!(text, " {}", self.root.told_all());
        if !dialect.since(7, 0) && self.root.all_channels {
            return text;
        }
        for rules in &self.selectors {
            let _ = write!(text, " ({})", rules.told_all());
        }
        text
    }
}

/// All users.
#[derive(Clone, Debug)]
pub struct Users {
    users: BTreeMap<Blob, User>,
    /// Some may not do everything, or must say who they are: what they do is looked at.
    restricted: bool,
    /// Who comes may stay without a password.
    open: bool,
    /// The `requirepass` that the default user has from.
    required: String,
}

impl Default for Users {
    fn default() -> Self {
        let mut user = User::new(true);
        (user.enabled, user.any_password, user.root.all_keys) = (true, true, true);
        user.root.set_all_commands(true);
        let users = BTreeMap::from([(Blob::from(&b"default"[..]), user)]);
        Self { users, restricted: false, open: true, required: String::new() }
    }
}

impl Users {
    fn refresh(&mut self) {
        self.restricted = self.users.values().any(|user| !user.is_unlimited());
        self.open = self.users.get(&b"default"[..]).is_some_and(|user| user.enabled && user.any_password);
    }

    /// Whether who comes is the default user without a password.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.open
    }

    /// Whether somebody may not do everything.
    #[inline]
    #[must_use]
    pub fn are_restricted(&self) -> bool {
        self.restricted
    }

    /// `requirepass` says so: where it has changed, the default user has this password, or none.
    pub fn require(&mut self, password: &str) {
        if self.required == password {
            return;
        }
        password.clone_into(&mut self.required);
        if let Some(user) = self.users.get_mut(&b"default"[..]) {
            user.passwords.clear();
            user.any_password = password.is_empty();
            if !password.is_empty() {
                user.add_password(hexadecimal(password.as_bytes()));
            }
        }
        self.refresh();
    }

    /// Whether a user with this password may log in.
    #[must_use]
    pub fn admits(&self, name: &[u8], password: &[u8]) -> bool {
        let digest = hexadecimal(password);
        self.users.get(name).is_some_and(|user| {
            user.enabled
                && (user.any_password || user.passwords.iter().any(|known| same(known.as_bytes(), digest.as_bytes())))
        })
    }

    /// A user.
    #[must_use]
    pub fn get(&self, name: &[u8]) -> Option<&User> {
        self.users.get(name)
    }

    /// All users.
    pub fn iter(&self) -> impl Iterator<Item = (&Blob, &User)> {
        self.users.iter()
    }

    /// Takes a user out; tells whether there was one.
    pub fn remove(&mut self, name: &[u8]) -> bool {
        let removed = self.users.remove(name).is_some();
        self.refresh();
        removed
    }

    /// Applies rules to a user, as ACL SETUSER and the `user` directive have them: all or none. A new user may do
    /// nothing, and listen to all channels where `all_channels` says so.
    ///
    /// # Errors
    /// [`RuleError`].
    pub fn change<'a>(
        &mut self,
        name: &[u8],
        rules: impl Iterator<Item = &'a [u8]>,
        dialect: Dialect,
        all_channels: bool,
    ) -> Result<(), RuleError> {
        let mut user = self.users.get(name).cloned().unwrap_or_else(|| User::new(all_channels));
        for rule in rules {
            let error = |reason| RuleError { rule: String::from_utf8_lossy(rule).into_owned(), reason };
            user.apply(rule, dialect, all_channels).map_err(error)?;
        }
        self.users.insert(name.into(), user);
        self.refresh();
        Ok(())
    }

    /// The users of an ACL file in place of all that there are.
    ///
    /// # Errors
    /// What is wrong with which line.
    pub(super) fn load(&mut self, text: &str, dialect: Dialect, all_channels: bool) -> Result<(), String> {
        let mut loaded = Self { required: self.required.clone(), ..Self::default() };
        let mut faults = String::new();
        for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            let number = number + 1;
            let words: Vec<&[u8]> = line.split_ascii_whitespace().map(str::as_bytes).collect();
            let Some((name, rules)) = words.strip_prefix(&[&b"user"[..]]).and_then(|rest| rest.split_first()) else {
                let _ = write!(faults, "{number}: should start with user keyword. ");
                continue;
            };
            let rules = merged(rules.iter().copied());
            // A file says all of a user.
            loaded.users.insert((*name).into(), User::new(all_channels));
            if let Err(error) = loaded.change(name, rules.iter().map(|rule| &rule[..]), dialect, all_channels) {
                let _ = write!(faults, "{number}: {}. ", error.reason);
            }
        }
        if faults.is_empty() {
            *self = loaded;
            return Ok(());
        }
        Err(faults)
    }
}

/// Words with those of one selector joined; one that is not closed stays as it is.
pub(super) fn merged<'a>(words: impl Iterator<Item = &'a [u8]>) -> Vec<Vec<u8>> {
    let mut rules: Vec<Vec<u8>> = Vec::new();
    let mut open = false;
    for word in words {
        match rules.last_mut().filter(|_| open) {
            Some(rule) => {
                rule.push(b' ');
                rule.extend_from_slice(word);
            }
            None => {
                open = word.starts_with(b"(");
                rules.push(word.to_vec());
            }
        }
        open &= !word.ends_with(b")");
    }
    rules
}

/// What is kept of a password.
fn hexadecimal(password: &[u8]) -> String {
    Sha256::digest(password).iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn checked_digest(digest: &[u8]) -> Result<String, &'static str> {
    let right = digest.len() == 64 && digest.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let text = std::str::from_utf8(digest).ok().filter(|_| right).map(str::to_owned);
    text.ok_or("The password hash must be exactly 64 characters and contain only lowercase hexadecimal characters")
}

/// Compares in a time that does not tell where the difference is.
fn same(known: &[u8], given: &[u8]) -> bool {
    known.len() == given.len() && known.iter().zip(given).fold(0, |different, (a, b)| different | (a ^ b)) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_and_rules() {
        let mut users = Users::default();
        assert!(users.admits(b"default", b"anything") && users.is_open());
        users.require("right");
        assert!(!users.admits(b"default", b"wrong") && users.admits(b"default", b"right") && !users.is_open());
        users.require("");
        assert!(users.is_open() && !users.admits(b"repl", b"x"));
        let rules = ["on", ">secret", "+psync", "+replconf", "+ping", "~*"];
        let words = rules.iter().map(|rule| rule.as_bytes());
        users.change(b"repl", words, Dialect::DEFAULT, false).unwrap();
        assert!(users.admits(b"repl", b"secret") && !users.admits(b"repl", b"secre"));
        assert!(users.are_restricted());
        let failed = users.change(b"repl", [&b"nonsense"[..]].into_iter(), Dialect::DEFAULT, false);
        assert_eq!(failed.unwrap_err().to_string(), "Error in ACL SETUSER modifier 'nonsense': Syntax error");
    }
}
