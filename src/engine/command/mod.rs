//! The commands. Each group declares its own in a table beside the handlers: name, arity, flags, where the keys are, who
//! does it. Lookup, COMMAND, the checks before a command runs and the tests read these tables and nothing else.
//!
//! A handler reads and changes keys through its [`Context`] and writes the answer. It says what it changed
//! ([`Context::changed`]); if anything was, the command itself goes into the stream, unless the handler has said what
//! goes there in its place ([`Context::propagate`]).

mod bitmaps;
mod connection;
mod dump;
mod functions;
mod geo;
mod hashes;
mod hyperloglog;
mod keys;
mod lists;
mod pubsub;
mod replication;
mod scan;
mod server;
mod sets;
mod sort;
mod sorted_sets;
mod streams;
mod strings;
mod transactions;

use std::collections::HashMap;

use foldhash::fast::RandomState;

use super::args::Args;
use super::context::Context;
use super::dialect::Dialect;
use super::error::CommandError;

/// What a handler gives: the answer is written, or this is it.
pub type Outcome = Result<(), CommandError>;

/// Does a command.
pub type Handler = fn(&mut Context<'_>, Args<'_>) -> Outcome;

/// What is true of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flag {
    /// It may change keys: replicas refuse it to clients and apply it from their master.
    Write,
    /// It reads keys.
    Read,
    /// It may need more memory.
    DenyOom,
    /// It takes constant or logarithmic time.
    Fast,
    /// It may wait.
    Blocking,
    /// It runs at once even between MULTI and EXEC.
    Transaction,
    /// It is for operators.
    Admin,
    /// It may run while the dataset is being loaded.
    Loading,
    /// It may run on a replica whose data is stale.
    Stale,
    /// It may run before the client has authenticated.
    NoAuth,
    /// It publishes or subscribes.
    PubSub,
    /// Scripts may not call it.
    NoScript,
    /// It may go into the stream although it is no write: PFCOUNT, PUBLISH.
    MayReplicate,
}

impl Flag {
    /// The name that COMMAND tells; `None` for what it does not.
    fn word(self) -> Option<&'static str> {
        Some(match self {
            Self::Write => "write",
            Self::Read => "readonly",
            Self::DenyOom => "denyoom",
            Self::Fast => "fast",
            Self::Blocking => "blocking",
            Self::Admin => "admin",
            Self::Loading => "loading",
            Self::Stale => "stale",
            Self::NoAuth => "no_auth",
            Self::PubSub => "pubsub",
            Self::NoScript => "noscript",
            Self::Transaction | Self::MayReplicate => return None,
        })
    }
}

/// Where a command's keys are among its arguments, as COMMAND tells it: the first, the last (from the end if negative)
/// and the step; all 0 where there are none or where only the command can tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keys {
    /// The first key's place.
    pub first: i16,
    /// The last key's place.
    pub last: i16,
    /// From one key to the next.
    pub step: i16,
}

impl Keys {
    /// None, or not in fixed places.
    pub const NONE: Self = Self::new(0, 0, 0);
    /// The first argument.
    pub const ONE: Self = Self::new(1, 1, 1);
    /// The first two arguments.
    pub const TWO: Self = Self::new(1, 2, 1);
    /// All arguments.
    pub const ALL: Self = Self::new(1, -1, 1);

    /// From `first` to `last` by `step`.
    #[must_use]
    pub const fn new(first: i16, last: i16, step: i16) -> Self {
        Self { first, last, step }
    }
}

/// One command.
#[derive(Debug)]
pub struct Spec {
    /// The name, in upper case; a subcommand's after its container's, with `|` between.
    pub name: &'static str,
    /// How many arguments it takes, the name included; at least so many if negative.
    pub arity: i16,
    /// What is true of it.
    pub flags: &'static [Flag],
    /// Where its keys are.
    pub keys: Keys,
    /// Who does it.
    pub handler: Handler,
    /// Which servers have it. What others' clients are refused is still applied from a master.
    known: fn(Dialect) -> bool,
    /// It is a container: its subcommands do the work.
    container: bool,
}

impl Spec {
    const fn new(name: &'static str, arity: i16, flags: &'static [Flag], keys: Keys, handler: Handler) -> Self {
        Self { name, arity, flags, keys, handler, known: everywhere, container: false }
    }

    /// A command that stands only in front of its subcommands, which are declared as `NAME|SUBCOMMAND`.
    const fn container(name: &'static str) -> Self {
        Self { container: true, ..Self::new(name, -2, &[], Keys::NONE, alone) }
    }

    /// Only these servers have it.
    const fn only(self, known: fn(Dialect) -> bool) -> Self {
        Self { known, ..self }
    }

    /// Whether clients of such a server have it.
    #[must_use]
    pub fn is_known(&self, dialect: Dialect) -> bool {
        (self.known)(dialect)
    }

    /// Whether it stands in front of subcommands.
    #[must_use]
    pub fn is_container(&self) -> bool {
        self.container
    }

    /// Whether it has a flag.
    #[must_use]
    pub fn has(&self, flag: Flag) -> bool {
        self.flags.contains(&flag)
    }

    /// Which of these arguments are keys, where they are in fixed places.
    fn key_places(&self, args: Args<'_>) -> Vec<usize> {
        let Keys { first, last, step } = self.keys;
        let count = args.len() as i64;
        let last = if last < 0 { count + i64::from(last) } else { last.into() };
        if first <= 0 || step <= 0 {
            return Vec::new();
        }
        (i64::from(first)..=last.min(count - 1)).step_by(step as usize).map(|place| place as usize).collect()
    }

    /// Whether it can have so many arguments, the name included.
    #[must_use]
    pub fn takes(&self, arguments: usize) -> bool {
        let arity = usize::from(self.arity.unsigned_abs());
        if self.arity < 0 { arguments >= arity } else { arguments == arity }
    }
}

fn everywhere(_: Dialect) -> bool {
    true
}

/// A container's handler: reached only by what has no subcommand, which lookup refuses.
fn alone(_: &mut Context<'_>, args: Args<'_>) -> Outcome {
    Err(CommandError::arity(&String::from_utf8_lossy(args.get(0))))
}

/// All tables.
const GROUPS: &[&[Spec]] = &[
    bitmaps::COMMANDS,
    connection::COMMANDS,
    dump::COMMANDS,
    functions::COMMANDS,
    geo::COMMANDS,
    hashes::COMMANDS,
    hyperloglog::COMMANDS,
    keys::COMMANDS,
    lists::COMMANDS,
    pubsub::COMMANDS,
    replication::COMMANDS,
    server::COMMANDS,
    sets::COMMANDS,
    sort::COMMANDS,
    sorted_sets::COMMANDS,
    streams::COMMANDS,
    strings::COMMANDS,
    transactions::COMMANDS,
];

/// Finds commands by their names.
#[derive(Debug)]
pub struct Table {
    by_name: HashMap<&'static [u8], &'static Spec, RandomState>,
}

/// The longest name of a command; module commands are not among them.
const LONGEST: usize = 32;

impl Table {
    pub(super) fn new() -> Self {
        Self { by_name: all().map(|spec| (spec.name.as_bytes(), spec)).collect() }
    }

    /// A command by its name, in any case.
    #[inline]
    #[must_use]
    pub fn find(&self, name: &[u8]) -> Option<&'static Spec> {
        let mut upper = [0; LONGEST];
        let upper = upper.get_mut(..name.len())?;
        upper.copy_from_slice(name);
        upper.make_ascii_uppercase();
        self.by_name.get(&*upper).copied()
    }

    /// A subcommand by its container and its name, in any case.
    #[must_use]
    pub fn find_sub(&self, container: &Spec, name: &[u8]) -> Option<&'static Spec> {
        let mut both = [0; LONGEST];
        let length = container.name.len() + 1 + name.len();
        let (first, second) = both.get_mut(..length)?.split_at_mut(container.name.len());
        first.copy_from_slice(container.name.as_bytes());
        let (bar, second) = second.split_first_mut()?;
        *bar = b'|';
        second.copy_from_slice(name);
        second.make_ascii_uppercase();
        self.by_name.get(both.get(..length)?).copied()
    }

    /// The command that these arguments call, by the first of them, and the second where that is a subcommand.
    #[inline]
    #[must_use]
    pub fn resolve(&self, args: Args<'_>) -> Option<&'static Spec> {
        let spec = self.find(args.get(0))?;
        if spec.container && args.len() > 1 { self.find_sub(spec, args.get(1)) } else { Some(spec) }
    }
}

/// All commands.
pub fn all() -> impl Iterator<Item = &'static Spec> {
    GROUPS.iter().copied().flatten()
}

/// The answer to a name that no command has.
pub(super) fn unknown(args: Args<'_>, dialect: Dialect) -> CommandError {
    let word =
        |bytes: &[u8]| String::from_utf8_lossy(bytes.get(..bytes.len().min(128)).unwrap_or_default()).into_owned();
    let quote = if dialect.since(7, 0) { '\'' } else { '`' };
    let mut text = format!("ERR unknown command {quote}{}{quote}, with args beginning with: ", word(args.get(0)));
    for argument in args.from(1) {
        if text.len() > 300 {
            break;
        }
        text += &format!("{quote}{}{quote}{}", word(argument), if dialect.since(7, 0) { " " } else { ", " });
    }
    CommandError::new(text)
}

/// The answer to a subcommand that a command does not have.
pub(super) fn unknown_subcommand(command: &str, args: Args<'_>) -> CommandError {
    let word = String::from_utf8_lossy(args.get(1)).into_owned();
    CommandError::new(format!("ERR unknown subcommand or wrong number of arguments for '{word}'. Try {command} HELP."))
}

/// The answer to a subcommand with too few or too many arguments.
pub(super) fn subcommand_arity(command: &str, args: Args<'_>) -> CommandError {
    let word = String::from_utf8_lossy(args.get(1)).to_ascii_lowercase();
    CommandError::new(format!("ERR wrong number of arguments for '{command}|{word}' command"))
}

/// The answer to a subcommand that the container has not.
pub(super) fn unknown_sub(container: &Spec, args: Args<'_>, dialect: Dialect) -> CommandError {
    let word = args.get(1);
    let word = String::from_utf8_lossy(word.get(..word.len().min(128)).unwrap_or_default());
    let name = container.name;
    CommandError::new(if dialect.since(7, 0) {
        format!("ERR unknown subcommand '{word}'. Try {name} HELP.")
    } else {
        format!("ERR Unknown subcommand or wrong number of arguments for '{word}'. Try {name} HELP.")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn names_are_upper_case_and_stand_once() {
        let mut seen = HashSet::new();
        for spec in all() {
            assert_eq!(spec.name, spec.name.to_ascii_uppercase());
            assert!(spec.name.len() <= LONGEST);
            assert!(seen.insert(spec.name), "{} stands twice", spec.name);
        }
    }
}
