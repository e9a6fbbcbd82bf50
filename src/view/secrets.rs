//! Which arguments of a command are passwords. They are shown as [`MASK`] in every view unless asked for.

use crate::resp::Command;

/// What stands in a secret's place.
pub const MASK: &str = "********";

/// Which arguments of one command are secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Secrets {
    /// None.
    None,
    /// Every argument behind the name.
    AllButName,
    /// One, or two that stand together: from the first index on, so many.
    At(usize, usize),
    /// Every argument from this index on that begins with `>`, `<`, `#` or `!` (the passwords of ACL SETUSER).
    AclRules(usize),
    /// The values of CONFIG SET's pairs whose names are passwords'.
    Config,
}

impl Secrets {
    /// Finds the secrets of a command.
    #[inline]
    #[must_use]
    pub fn of(command: &Command<'_>) -> Self {
        let name = command.name();
        // Nearly every command is told to be harmless by its first letter and length.
        match (name.first().map(u8::to_ascii_uppercase), name.len()) {
            (Some(b'A'), 4) if command.is("AUTH") => Self::AllButName,
            (Some(b'A'), 3) if command.is("ACL") => Self::of_acl(command),
            (Some(b'H'), 5) if command.is("HELLO") => Self::behind(command, &["AUTH"], 2),
            (Some(b'M'), 7) if command.is("MIGRATE") => Self::of_migrate(command),
            (Some(b'C'), 6) if command.is("CONFIG") => match command.argument(1) {
                Some(word) if word.eq_ignore_ascii_case(b"SET") => Self::Config,
                _ => Self::None,
            },
            _ => Self::None,
        }
    }

    fn of_acl(command: &Command<'_>) -> Self {
        match command.argument(1) {
            Some(word) if word.eq_ignore_ascii_case(b"SETUSER") => Self::AclRules(3),
            _ => Self::None,
        }
    }

    /// `length` arguments behind the first of these words.
    fn behind(command: &Command<'_>, words: &[&str], length: usize) -> Self {
        let found = command
            .arguments()
            .position(|argument| words.iter().any(|word| argument.head.eq_ignore_ascii_case(word.as_bytes())));
        found.map_or(Self::None, |at| Self::At(at + 1, length))
    }

    /// `MIGRATE host port key db timeout … AUTH password` or `… AUTH2 user password`. The words may also be keys: then
    /// one argument too many is masked, which is the better mistake.
    fn of_migrate(command: &Command<'_>) -> Self {
        match Self::behind(command, &["AUTH2"], 2) {
            Self::None => Self::behind(command, &["AUTH"], 1),
            found => found,
        }
    }

    /// Whether argument `index` with this content is secret; `before` is the argument in front of it.
    #[must_use]
    pub fn hides(self, index: usize, content: &[u8], before: &[u8]) -> bool {
        match self {
            Self::None => false,
            Self::AllButName => index > 0,
            Self::At(at, length) => (at..at + length).contains(&index),
            Self::AclRules(from) => index >= from && matches!(content.first(), Some(b'>' | b'<' | b'#' | b'!')),
            Self::Config => index >= 3 && index % 2 == 1 && is_password_option(before),
        }
    }
}

/// The configuration directives that hold a password or a user for one.
fn is_password_option(name: &[u8]) -> bool {
    let options: [&[u8]; 5] =
        [b"requirepass", b"masterauth", b"primaryauth", b"tls-key-file-pass", b"tls-client-key-file-pass"];
    options.iter().any(|option| option.eq_ignore_ascii_case(name))
}

/// An error reply that repeats what was sent: a server without AUTH (renamed, or too old) quotes the password. Gives how
/// much of the reply may be shown; the rest is to be masked.
#[must_use]
pub fn shown_of_reply(to: Option<&str>, reply: &[u8]) -> usize {
    if !matches!(to, Some("AUTH" | "HELLO" | "ACL" | "CONFIG" | "MIGRATE")) || reply.first() != Some(&b'-') {
        return reply.len();
    }
    let quoting = b"with args beginning with:";
    memchr::memmem::find(reply, quoting).map_or(reply.len(), |at| at + quoting.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resp::{CommandDecoder, Step};

    /// The command's words, secret ones masked.
    fn shown(line: &str) -> String {
        let mut decoder = CommandDecoder::new(usize::MAX);
        let line = format!("{line}\r\n");
        let Step::Command(command) = decoder.next(&mut line.as_bytes()) else { panic!("no command: {line}") };
        let secrets = Secrets::of(&command);
        let words: Vec<&[u8]> = command.arguments().map(|argument| argument.head).collect();
        let word = |index: usize| String::from_utf8(words[index].to_vec()).unwrap();
        let masked = |index: usize| {
            let before = if index == 0 { b"" } else { words[index - 1] };
            if secrets.hides(index, words[index], before) { MASK.to_owned() } else { word(index) }
        };
        (0..words.len()).map(masked).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn passwords_are_masked() {
        let cases = [
            ("AUTH secret", "AUTH ********"),
            ("auth user secret", "auth ******** ********"),
            ("HELLO 3 AUTH user secret SETNAME me", "HELLO 3 AUTH ******** ******** SETNAME me"),
            ("MIGRATE h 1 k 0 5 AUTH secret", "MIGRATE h 1 k 0 5 AUTH ********"),
            ("MIGRATE h 1 k 0 5 AUTH2 user secret KEYS a", "MIGRATE h 1 k 0 5 AUTH2 ******** ******** KEYS a"),
            ("CONFIG SET maxmemory 1 requirepass secret", "CONFIG SET maxmemory 1 requirepass ********"),
            ("CONFIG SET MasterAuth secret", "CONFIG SET MasterAuth ********"),
            ("ACL SETUSER u on >secret ~* +@all", "ACL SETUSER u on ******** ~* +@all"),
            ("SET auth secret", "SET auth secret"),
            ("CONFIG GET requirepass", "CONFIG GET requirepass"),
        ];
        for (line, expected) in cases {
            assert_eq!(shown(line), expected);
        }
    }

    #[test]
    fn a_reply_that_quotes_the_password_is_cut() {
        let reply = b"-ERR unknown command 'AUTH', with args beginning with: 'secret' ";
        let shown = shown_of_reply(Some("AUTH"), reply);
        assert!(!String::from_utf8_lossy(&reply[..shown]).contains("secret"));
        assert_eq!(shown_of_reply(Some("PSYNC"), reply), reply.len());
    }
}
