//! The commands. Each group declares its own in a table beside the handlers: name, arity, flags, where the keys are, who
//! does it. Lookup, COMMAND, the checks before a command runs and the tests read these tables and nothing else.
//!
//! A handler reads and changes keys through its [`Context`] and writes the answer. It says what it changed
//! ([`Context::changed`]); if anything was, the command itself goes into the stream, unless the handler has said what
//! goes there in its place ([`Context::propagate`]).

mod acl;
mod bitmaps;
mod categories;
mod client;
mod configuration;
mod connection;
mod debug;
mod docs;
mod dump;
mod functions;
mod geo;
mod hashes;
mod help;
mod hyperloglog;
mod keys;
mod latency;
mod lists;
mod lolwut;
mod memory;
mod migrate;
mod object;
mod places;
mod pubsub;
mod replication;
mod scan;
#[cfg(feature = "scripts")]
mod scripts;
mod server;
mod sets;
mod sort;
mod sorted_sets;
mod streams;
mod strings;
mod told;
mod transactions;

pub(super) use acl::Denial;
pub(super) use categories::CATEGORIES;

use std::collections::HashMap;
use std::sync::LazyLock;

use foldhash::fast::RandomState;

use super::args::Args;
use super::context::Context;
use super::dialect::Dialect;
use super::error::CommandError;
use help::help;

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
    /// A client that listens to channels may call it.
    Listening,
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
            Self::Transaction | Self::MayReplicate | Self::Listening => return None,
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
#[derive(Clone, Debug)]
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
    /// Its place among all commands.
    pub(super) index: usize,
    /// However it is called, it takes next to no time for each of its arguments.
    pub(super) quick: bool,
    /// It is called by its container's name and its own.
    sub: bool,
    /// It uses the keys that it looks for.
    pub(super) touches: bool,
    /// Which servers have it: those from this version on, and of them these. What others' clients are refused is still
    /// applied from a master.
    since: (u8, u8),
    known: fn(Dialect) -> bool,
    /// How many arguments it takes before a version, where that is not the same.
    earlier: Option<((u8, u8), i16)>,
    /// How many it takes since Valkey 9.0, where that is not the same.
    later: Option<i16>,
    /// It is a container: its subcommands do the work.
    container: bool,
}

impl Spec {
    const fn new(name: &'static str, arity: i16, flags: &'static [Flag], keys: Keys, handler: Handler) -> Self {
        Self {
            name,
            arity,
            flags,
            keys,
            handler,
            index: 0,
            quick: false,
            sub: false,
            touches: true,
            since: (0, 0),
            known: everywhere,
            earlier: None,
            later: None,
            container: false,
        }
    }

    /// A command that stands only in front of its subcommands, which are declared as `NAME|SUBCOMMAND`. Its flags and keys
    /// are those of before 7.0, when a subcommand had none of its own.
    const fn container(name: &'static str, flags: &'static [Flag], keys: Keys) -> Self {
        Self { container: true, ..Self::new(name, -2, flags, keys, alone) }
    }

    /// Servers have it from this version on.
    const fn since(self, major: u8, minor: u8) -> Self {
        Self { since: (major, minor), ..self }
    }

    /// Only these servers have it.
    const fn only(self, known: fn(Dialect) -> bool) -> Self {
        Self { known, ..self }
    }

    /// Before this version it took so many arguments.
    const fn before(self, major: u8, minor: u8, arity: i16) -> Self {
        Self { earlier: Some(((major, minor), arity)), ..self }
    }

    /// Since Valkey 9.0 it takes so many arguments.
    const fn since_valkey_9(self, arity: i16) -> Self {
        Self { later: Some(arity), ..self }
    }

    /// Whether clients of such a server have it.
    #[must_use]
    pub fn is_known(&self, dialect: Dialect) -> bool {
        dialect.since(self.since.0, self.since.1) && (self.known)(dialect)
    }

    /// Whether COMMAND tells it there. Before 7.0 a few words were understood before the table was looked at.
    fn is_told(&self, dialect: Dialect) -> bool {
        self.is_known(dialect) && (self.name != "QUIT" || dialect.since(7, 0))
    }

    /// How many arguments it takes in such a server, the name included; at least so many if negative.
    #[must_use]
    pub fn arity_in(&self, dialect: Dialect) -> i16 {
        match self.earlier {
            Some(((major, minor), arity)) if !dialect.since(major, minor) => arity,
            _ if dialect.is_valkey_since(9, 0) => self.later.unwrap_or(self.arity),
            _ => self.arity,
        }
    }

    /// The flags that COMMAND tells in such a server.
    fn flags_in(&self, dialect: Dialect) -> Vec<&'static str> {
        if self.container && !self.runs_alone() && dialect.since(7, 0) {
            return Vec::new();
        }
        told::flags(self, dialect)
    }

    /// The keys' places as COMMAND tells them in such a server.
    fn keys_in(&self, dialect: Dialect) -> Keys {
        if self.container && dialect.since(7, 0) { Keys::NONE } else { self.keys }
    }

    /// It does something without a subcommand, too.
    fn runs_alone(&self) -> bool {
        self.arity == -1
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

    /// Whether an argument is nobody's business: a password, as a rule.
    pub(super) fn is_secret(&self, args: Args<'_>, index: usize) -> bool {
        let follows =
            |word: &str, count: usize| (1..=count).any(|back| index > back + 1 && args.is(index - back, word));
        match self.name {
            "AUTH" => index >= 1,
            "ACL|SETUSER" => index >= 2,
            "HELLO" => follows("AUTH", 2),
            "MIGRATE" => index > 6 && (follows("AUTH", 1) || follows("AUTH2", 2)),
            "CONFIG|SET" => {
                let names = ["MASTERAUTH", "MASTERUSER", "PRIMARYAUTH", "PRIMARYUSER", "REQUIREPASS"];
                index >= 3 && !index.is_multiple_of(2) && names.iter().any(|name| args.is(index - 1, name))
            }
            _ => false,
        }
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

    /// Whether it can have so many arguments, the name included, in any version.
    #[must_use]
    pub fn takes(&self, arguments: usize) -> bool {
        fits(self.arity, arguments) || self.earlier.is_some_and(|(_, arity)| fits(arity, arguments))
    }

    /// Whether it can have so many in such a server.
    #[must_use]
    pub fn takes_in(&self, arguments: usize, dialect: Dialect) -> bool {
        fits(self.arity_in(dialect), arguments)
    }

    /// The subcommands of a container.
    pub(super) fn subcommands(&self) -> impl Iterator<Item = &'static Spec> + Clone {
        let container = self.name;
        let is_sub = move |name: &str| name.strip_prefix(container).is_some_and(|rest| rest.starts_with('|'));
        all().filter(move |spec| is_sub(spec.name))
    }
}

fn fits(arity: i16, arguments: usize) -> bool {
    let least = usize::from(arity.unsigned_abs());
    if arity < 0 { arguments >= least } else { arguments == least }
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
    acl::COMMANDS,
    bitmaps::COMMANDS,
    client::COMMANDS,
    configuration::COMMANDS,
    connection::COMMANDS,
    debug::COMMANDS,
    dump::COMMANDS,
    functions::COMMANDS,
    geo::COMMANDS,
    hashes::COMMANDS,
    hyperloglog::COMMANDS,
    keys::COMMANDS,
    latency::COMMANDS,
    lists::COMMANDS,
    lolwut::COMMANDS,
    memory::COMMANDS,
    migrate::COMMANDS,
    object::COMMANDS,
    pubsub::COMMANDS,
    replication::COMMANDS,
    #[cfg(feature = "scripts")]
    scripts::COMMANDS,
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

    /// What a first word calls: a command, or a container; a subcommand's full name calls nothing.
    #[inline]
    #[must_use]
    pub fn find_first(&self, word: &[u8]) -> Option<&'static Spec> {
        self.find(word).filter(|spec| !spec.sub)
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
        let spec = self.find_first(args.get(0))?;
        if spec.container && args.len() > 1 { self.find_sub(spec, args.get(1)) } else { Some(spec) }
    }
}

/// Commands that may take long although they are flagged as fast: they take as many elements as they are told. SET is
/// not flagged so, and is.
const NOT_QUICK: &[&str] = &["LPOP", "RPOP", "SPOP", "ZPOPMAX", "ZPOPMIN", "ZREMRANGEBYRANK", "UNLINK"];

/// Commands that look for keys without using them, as OBJECT does.
const UNTOUCHED: &[&str] =
    &["DEBUG", "EXISTS", "EXPIRETIME", "MEMORY|USAGE", "PEXPIRETIME", "PTTL", "TTL", "TYPE", "WATCH"];

static ALL: LazyLock<Vec<Spec>> = LazyLock::new(|| {
    let numbered = |(index, spec): (usize, &Spec)| {
        let quick = spec.name == "SET" || spec.has(Flag::Fast) && !NOT_QUICK.contains(&spec.name);
        let touches = !(UNTOUCHED.contains(&spec.name) || spec.name.starts_with("OBJECT|"));
        Spec { index, quick, sub: spec.name.contains('|'), touches, ..spec.clone() }
    };
    GROUPS.iter().copied().flatten().enumerate().map(numbered).collect()
});

/// All commands.
pub fn all() -> impl Iterator<Item = &'static Spec> + Clone {
    ALL.iter()
}

/// There is no cluster here.
const NO_CLUSTER: CommandError = CommandError::fixed("ERR This instance has cluster support disabled");

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

/// The answer to a subcommand that a command without a table of them does not have, or not with so many arguments.
pub(super) fn unknown_subcommand(command: &str, args: Args<'_>, dialect: Dialect) -> CommandError {
    let word = args.get(1);
    let word = String::from_utf8_lossy(word.get(..word.len().min(128)).unwrap_or_default());
    let unknown = if dialect.since(7, 0) { "unknown" } else { "Unknown" };
    CommandError::new(format!(
        "ERR {unknown} subcommand or wrong number of arguments for '{word}'. Try {command} HELP."
    ))
}

/// The answer to a subcommand that the container has not.
pub(super) fn unknown_sub(container: &Spec, args: Args<'_>, dialect: Dialect) -> CommandError {
    let word = args.get(1);
    let word = String::from_utf8_lossy(word.get(..word.len().min(128)).unwrap_or_default());
    let name = container.name;
    // Of clusters nothing else was looked at first.
    if name == "CLUSTER" && !dialect.since(7, 0) {
        return NO_CLUSTER;
    }
    CommandError::new(if dialect.since(7, 0) {
        format!("ERR unknown subcommand '{word}'. Try {name} HELP.")
    } else {
        format!("ERR Unknown subcommand or wrong number of arguments for '{word}'. Try {name} HELP.")
    })
}

/// Pops from the first of the keys named from this argument on that has something; tells whether there was one.
type PopOfMany = fn(&mut Context<'_>, Args<'_>, usize) -> Result<bool, CommandError>;

/// `LMPOP` and `ZMPOP`.
fn pop_at_once(context: &mut Context<'_>, args: Args<'_>, pop: PopOfMany) -> Outcome {
    if !pop(context, args, 1)? {
        context.reply.null_array();
    }
    Ok(())
}

/// `BLMPOP` and `BZMPOP`, which have a timeout in front.
fn pop_or_wait(context: &mut Context<'_>, args: Args<'_>, pop: PopOfMany) -> Outcome {
    let until = args.timeout(1, context.now, context.engine.dialect)?;
    if !pop(context, args, 2)? {
        context.block(args.keys(2, "")?.0, until);
    }
    Ok(())
}

#[cfg(test)]
mod tests;
