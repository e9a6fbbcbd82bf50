//! Who may log in.

use std::collections::BTreeMap;

use super::value::Blob;

/// A user's rules.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct User {
    /// Whether the user may log in at all.
    pub enabled: bool,
    /// Whether any password will do.
    pub any_password: bool,
    /// Its passwords.
    pub passwords: Vec<Blob>,
    /// Whether it may run commands that no rule names.
    pub all_commands: bool,
    /// Commands that it may or may not run, the last rule about one counts.
    pub commands: Vec<(Blob, bool)>,
}

/// All users but the one that is called "default" and has `requirepass`'s password, unless it was changed here.
#[derive(Clone, Debug, Default)]
pub struct Users {
    users: BTreeMap<Blob, User>,
}

impl Users {
    /// Whether a user with this password may log in.
    #[must_use]
    pub fn admits(&self, name: &[u8], password: &[u8], default_password: Option<&str>) -> bool {
        match self.users.get(name) {
            Some(user) => {
                user.enabled && (user.any_password || user.passwords.iter().any(|known| same(known, password)))
            }
            None => name == b"default" && default_password.is_none_or(|known| same(known.as_bytes(), password)),
        }
    }

    /// A user, if there is one with rules of its own.
    #[must_use]
    pub fn get(&self, name: &[u8]) -> Option<&User> {
        self.users.get(name)
    }

    /// All users with rules of their own.
    pub fn iter(&self) -> impl Iterator<Item = (&Blob, &User)> {
        self.users.iter()
    }

    /// Takes a user out; tells whether there was one.
    pub fn remove(&mut self, name: &[u8]) -> bool {
        self.users.remove(name).is_some()
    }

    /// Applies rules to a user, as ACL SETUSER and the `user` directive have them; those about keys, channels and
    /// categories other than `@all` are taken and mean nothing.
    ///
    /// # Errors
    /// The rule that is none.
    pub fn change<'a>(&mut self, name: &[u8], rules: impl Iterator<Item = &'a [u8]>) -> Result<(), String> {
        let mut user = self.users.get(name).cloned().unwrap_or_else(|| User {
            // The default user may do everything from the beginning.
            enabled: name == b"default",
            all_commands: name == b"default",
            any_password: name == b"default",
            ..User::default()
        });
        for rule in rules {
            user.apply(rule)?;
        }
        self.users.insert(name.into(), user);
        Ok(())
    }
}

impl User {
    fn apply(&mut self, rule: &[u8]) -> Result<(), String> {
        match rule.to_ascii_lowercase().as_slice() {
            b"on" => self.enabled = true,
            b"off" => self.enabled = false,
            b"nopass" => (self.any_password, self.passwords) = (true, Vec::new()),
            b"resetpass" => (self.any_password, self.passwords) = (false, Vec::new()),
            b"reset" => *self = Self::default(),
            b"allcommands" | b"+@all" => (self.all_commands, self.commands) = (true, Vec::new()),
            b"nocommands" | b"-@all" => (self.all_commands, self.commands) = (false, Vec::new()),
            b"allkeys"
            | b"resetkeys"
            | b"allchannels"
            | b"resetchannels"
            | b"sanitize-payload"
            | b"skip-sanitize-payload"
            | b"clearselectors" => {}
            _ => match rule {
                [b'>', password @ ..] => {
                    self.any_password = false;
                    self.passwords.push(password.into());
                }
                [b'<', password @ ..] => self.passwords.retain(|known| &known[..] != password),
                [b'~' | b'&' | b'%' | b'(', ..] => {}
                [b'+' | b'-', b'@', ..] => {}
                [sign @ (b'+' | b'-'), command @ ..] if !command.is_empty() => {
                    self.commands.push((command.to_ascii_uppercase().into(), *sign == b'+'));
                }
                _ => return Err(String::from_utf8_lossy(rule).into_owned()),
            },
        }
        Ok(())
    }

    /// Whether it may run a command (its name in upper case).
    #[must_use]
    pub fn may_run(&self, command: &str) -> bool {
        let rule = self.commands.iter().rev().find(|(name, _)| &name[..] == command.as_bytes());
        rule.map_or(self.all_commands, |(_, may)| *may)
    }
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
        assert!(users.admits(b"default", b"anything", None));
        assert!(
            !users.admits(b"default", b"wrong", Some("right")) && users.admits(b"default", b"right", Some("right"))
        );
        assert!(!users.admits(b"repl", b"x", None));
        let rules = ["on", ">secret", "+psync", "+replconf", "+ping", "~*"];
        users.change(b"repl", rules.iter().map(|rule| rule.as_bytes())).unwrap();
        assert!(users.admits(b"repl", b"secret", None) && !users.admits(b"repl", b"secre", None));
        let user = users.get(b"repl").unwrap();
        assert!(user.may_run("PSYNC") && !user.may_run("GET"));
        assert_eq!(users.change(b"repl", [&b"nonsense"[..]].into_iter()), Err("nonsense".to_owned()));
    }
}
