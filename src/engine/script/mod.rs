//! Scripts and functions, in Lua 5.1 as servers have it.
//!
//! ```text
//!  EVAL ── Scripts ── Sandbox (an interpreter, made when the first script comes)
//!             │          └─ redis, cjson, cmsgpack, struct, bit: `api` of the sandbox
//!             └─ run ──── calls commands for a script, as EXEC does for a transaction
//! ```
//!
//! What a script does goes into the stream as the commands that it called, one unit together. Masters before 5.0, and
//! those of before 7.0 that were told so, put the script itself there: a replica runs it again, by the rules that made
//! it come out the same (the same random numbers, replies in order).

mod bits;
mod convert;
mod json;
mod msgpack;
mod pack;
mod random;
mod run;
mod sandbox;
#[cfg(test)]
mod tests;
mod thrown;

use std::collections::{BTreeMap, HashMap};

use mlua::Function;

use self::sandbox::{Registered, Sandbox};
use super::dialect::{Dialect, Family};
use super::error::CommandError;
use super::libraries::Libraries;
use super::value::Blob;
use crate::bounds::{SCRIPT_LOAD_SLICES, SCRIPT_SLICES, SCRIPT_TEXTS, SCRIPTS_COMPILED};

pub(super) use self::run::{Caller, eval, fcall};
use self::sandbox::sha1_hex;

/// What a script or a function says of itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Flags(u8);

impl Flags {
    pub(super) const NO_WRITES: Self = Self(1);
    pub(super) const ALLOW_OOM: Self = Self(2);
    pub(super) const ALLOW_STALE: Self = Self(4);
    pub(super) const NO_CLUSTER: Self = Self(8);
    pub(super) const ALLOW_CROSS_SLOT: Self = Self(16);

    const NAMES: [(&str, Self); 5] = [
        ("no-writes", Self::NO_WRITES),
        ("allow-oom", Self::ALLOW_OOM),
        ("allow-stale", Self::ALLOW_STALE),
        ("no-cluster", Self::NO_CLUSTER),
        ("allow-cross-slot-keys", Self::ALLOW_CROSS_SLOT),
    ];

    /// The flag of this name, in any case or not.
    fn of(name: &[u8], any_case: bool) -> Option<Self> {
        let same =
            |known: &str| if any_case { known.as_bytes().eq_ignore_ascii_case(name) } else { known.as_bytes() == name };
        Self::NAMES.iter().find(|(known, _)| same(known)).map(|(_, flag)| *flag)
    }

    fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether it has this one.
    pub(super) fn has(self, flag: Self) -> bool {
        self.0 & flag.0 != 0
    }

    /// The names of those that are set, in the order in which servers tell them.
    pub(super) fn names(self) -> impl Iterator<Item = &'static str> + Clone {
        const ORDER: [Flags; 5] =
            [Flags::NO_WRITES, Flags::ALLOW_OOM, Flags::ALLOW_STALE, Flags::NO_CLUSTER, Flags::ALLOW_CROSS_SLOT];
        let name = |flag: Flags| Self::NAMES.iter().find(|(_, known)| *known == flag).map_or("", |(name, _)| name);
        ORDER.into_iter().filter(move |flag| self.has(*flag)).map(name)
    }
}

/// Whether a library or a function may be called so.
fn is_name(name: &[u8]) -> bool {
    !name.is_empty() && name.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
}

/// A script's digest, in lower case.
type Sha = [u8; 40];

/// A script that has come.
#[derive(Debug)]
struct Cached {
    text: Blob,
    /// What its first line says; `None` where it has none, and the old rules hold.
    flags: Option<Flags>,
    /// It was loaded, and not only run once.
    loaded: bool,
}

/// An interpreter and what is compiled in it.
#[derive(Debug, Default)]
struct Side {
    sandbox: Option<Sandbox>,
    compiled: HashMap<Sha, Function>,
}

/// A library that is compiled.
#[derive(Debug)]
struct Library {
    code: Blob,
    functions: Vec<Registered>,
}

/// A function: its name, what it is for, its flags.
pub(super) struct Told<'a> {
    pub(super) name: &'a [u8],
    pub(super) description: Option<&'a [u8]>,
    pub(super) flags: Flags,
}

/// All scripts and what runs them.
#[derive(Debug)]
pub struct Scripts {
    cached: HashMap<Sha, Cached>,
    /// Bytes of their texts.
    bytes: usize,
    /// For the clients' scripts, and for those of the master's stream, which are of another time.
    own: Side,
    masters: Side,
    functions: Option<Sandbox>,
    libraries: BTreeMap<Blob, Library>,
    /// How far the libraries had come when these were compiled.
    synced: Option<u64>,
    /// So many slices of instructions a script may run.
    most_slices: u64,
    /// The script that a client ran last, and its digest: often it runs it again.
    last: Option<(Blob, Ready)>,
}

/// A script that can be run.
#[derive(Clone, Debug)]
struct Ready {
    sha: Sha,
    work: Function,
    flags: Option<Flags>,
}

impl Default for Scripts {
    fn default() -> Self {
        Self {
            cached: HashMap::new(),
            bytes: 0,
            own: Side::default(),
            masters: Side::default(),
            functions: None,
            libraries: BTreeMap::new(),
            synced: None,
            most_slices: SCRIPT_SLICES,
            last: None,
        }
    }
}

/// The rules by which masters ran scripts that they put into the stream.
const OLD: Dialect = Dialect { family: Family::Redis, version: (6, 2, 14) };

impl Scripts {
    /// How many scripts are cached, and of how many bytes.
    pub(super) fn counts(&self) -> (usize, usize) {
        (self.cached.len(), self.bytes)
    }

    /// Bytes that the interpreters use: of scripts, and of functions.
    pub(super) fn memory(&self) -> (usize, usize) {
        let used = |sandbox: Option<&Sandbox>| sandbox.map_or(0, |sandbox| sandbox.lua.used_memory());
        let scripts = used(self.own.sandbox.as_ref()) + used(self.masters.sandbox.as_ref());
        (scripts, used(self.functions.as_ref()))
    }

    /// Whether a script of this digest is cached.
    pub(super) fn has(&self, sha: &[u8]) -> bool {
        digest(sha).is_some_and(|sha| self.cached.contains_key(&sha))
    }

    /// The text of a script.
    pub(super) fn text(&self, sha: &[u8]) -> Option<&Blob> {
        self.cached.get(&digest(sha)?).map(|cached| &cached.text)
    }

    /// Forgets all scripts.
    pub(super) fn flush(&mut self) {
        self.last = None;
        self.cached.clear();
        self.bytes = 0;
        self.own = Side::default();
        self.masters = Side::default();
    }

    /// Forgets all functions.
    pub(super) fn flush_functions(&mut self) {
        self.functions = None;
        self.libraries.clear();
        self.synced = None;
    }

    fn side(&mut self, of_master: bool) -> &mut Side {
        if of_master { &mut self.masters } else { &mut self.own }
    }

    /// Loads a script; gives its digest.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn load(&mut self, text: &[u8], dialect: Dialect, of_master: bool) -> Result<String, CommandError> {
        let sha = sha1_hex(text);
        let key = digest(sha.as_bytes()).unwrap_or([0; 40]);
        self.admit(key, text, dialect, of_master, true)?;
        Ok(sha)
    }

    /// Sees to it that a script is cached.
    fn admit(
        &mut self,
        sha: Sha,
        text: &[u8],
        dialect: Dialect,
        of_master: bool,
        loaded: bool,
    ) -> Result<Option<Flags>, CommandError> {
        if let Some(cached) = self.cached.get_mut(&sha) {
            cached.loaded |= loaded;
            return Ok(cached.flags);
        }
        let (flags, skip) = if dialect.since(7, 0) && !of_master { shebang(text, dialect)? } else { (None, 0) };
        let made = self.make(text.get(skip..).unwrap_or_default(), dialect, of_master)?;
        if self.bytes + text.len() > SCRIPT_TEXTS {
            self.last = None;
            self.cached.retain(|_, cached| cached.loaded);
            self.bytes = self.cached.values().map(|cached| cached.text.len()).sum();
        }
        self.bytes += text.len();
        self.cached.insert(sha, Cached { text: text.into(), flags, loaded });
        self.side(of_master).compiled.insert(sha, made);
        Ok(flags)
    }

    /// A script by its text, ready to run.
    ///
    /// # Errors
    /// What is wrong with it.
    fn ready_by_text(&mut self, text: &[u8], dialect: Dialect, of_master: bool) -> Result<Ready, CommandError> {
        if let Some((_, last)) = self.last.as_ref().filter(|(known, _)| !of_master && &known[..] == text) {
            return Ok(last.clone());
        }
        let sha = digest(sha1_hex(text).as_bytes()).unwrap_or([0; 40]);
        self.admit(sha, text, dialect, of_master, false)?;
        let ready = self.ready(sha, dialect, of_master)?;
        if !of_master {
            self.last = Some((text.into(), ready.clone()));
        }
        Ok(ready)
    }

    /// Compiles a script.
    fn make(&mut self, text: &[u8], dialect: Dialect, of_master: bool) -> Result<Function, CommandError> {
        let rules = if of_master { OLD } else { dialect };
        let side = self.side(of_master);
        if side.compiled.len() >= SCRIPTS_COMPILED {
            side.compiled.clear();
        }
        let sandbox = match &mut side.sandbox {
            Some(sandbox) => sandbox,
            empty => empty.insert(Sandbox::new(rules, false).map_err(no_interpreter)?),
        };
        sandbox
            .compile(text, "@user_script")
            .map_err(|problem| CommandError::new(format!("ERR Error compiling script (new function): {problem}")))
    }

    /// A cached script, ready to run.
    fn ready(&mut self, sha: Sha, dialect: Dialect, of_master: bool) -> Result<Ready, CommandError> {
        let cached = self.cached.get(&sha).ok_or_else(|| no_script(dialect))?;
        let (flags, text) = (cached.flags, cached.text.clone());
        if let Some(made) = self.side(of_master).compiled.get(&sha) {
            return Ok(Ready { sha, work: made.clone(), flags });
        }
        // Compiled for the other side, or dropped to make room.
        let skip = if flags.is_some() { shebang(&text, dialect)?.1 } else { 0 };
        let made = self.make(text.get(skip..).unwrap_or_default(), dialect, of_master)?;
        self.side(of_master).compiled.insert(sha, made.clone());
        Ok(Ready { sha, work: made, flags })
    }

    /// Compiles the libraries that have come since, and drops those that are gone. Those that cannot be compiled have no
    /// functions.
    pub(super) fn sync(&mut self, libraries: &Libraries, dialect: Dialect) {
        if self.synced == Some(libraries.changes()) {
            return;
        }
        self.synced = Some(libraries.changes());
        self.libraries.retain(|name, library| libraries.get(name) == Some(&library.code));
        for (name, code) in libraries.iter() {
            if !self.libraries.contains_key(name) {
                let functions = self.compile_library(code, dialect).unwrap_or_default();
                self.libraries.insert(name.clone(), Library { code: code.clone(), functions });
            }
        }
    }

    fn compile_library(&mut self, code: &[u8], dialect: Dialect) -> Result<Vec<Registered>, CommandError> {
        let sandbox = match &mut self.functions {
            Some(sandbox) => sandbox,
            empty => empty.insert(Sandbox::new(dialect, true).map_err(no_interpreter)?),
        };
        let start = code.iter().position(|byte| *byte == b'\n').unwrap_or(code.len());
        let body = code.get(start..).unwrap_or_default();
        let made = sandbox.compile(body, "@user_function");
        let made = made.map_err(|problem| CommandError::new(format!("ERR Error compiling function: {problem}")))?;
        sandbox.shared.most_slices.set(SCRIPT_LOAD_SLICES);
        sandbox.shared.bound_words.set("FUNCTION LOAD timeout");
        sandbox.shared.attended.set(false);
        let registered = sandbox.load(&made);
        registered.map_err(|failure| {
            let text = failure.text;
            let of_name = text.contains("names can only contain") || text.contains("already exists in the library");
            CommandError::new(match of_name && dialect.is_valkey_since(9, 0) {
                true => text,
                false => format!("ERR Error registering functions: {text}"),
            })
        })
    }

    /// Whether a library can be loaded in place of the one of its name.
    ///
    /// # Errors
    /// Why not: it cannot be compiled, it has no functions, or another library has one of that name.
    pub(super) fn check_library(
        &mut self,
        name: &[u8],
        code: &[u8],
        libraries: &Libraries,
        dialect: Dialect,
    ) -> Result<(), CommandError> {
        self.sync(libraries, dialect);
        let functions = self.compile_library(code, dialect)?;
        if functions.is_empty() {
            return Err(CommandError::fixed("ERR No functions registered"));
        }
        let others = || self.libraries.iter().filter(|(other, _)| &other[..] != name);
        let taken = |function: &&Registered| {
            others().any(|(_, library)| {
                library.functions.iter().any(|other| other.name.eq_ignore_ascii_case(&function.name))
            })
        };
        if let Some(function) = functions.iter().find(taken) {
            let name = String::from_utf8_lossy(&function.name);
            return Err(CommandError::new(format!("ERR Function {name} already exists")));
        }
        Ok(())
    }

    /// Whether these libraries can be loaded beside those.
    ///
    /// # Errors
    /// As [`Scripts::check_library`].
    pub(super) fn check_libraries(
        &mut self,
        wanted: &BTreeMap<Blob, Blob>,
        beside: BTreeMap<Blob, Blob>,
        dialect: Dialect,
    ) -> Result<(), CommandError> {
        let mut all = Libraries::default();
        all.replace(beside);
        for (name, code) in wanted {
            // Those that stand for this check only must not be taken for the real ones.
            self.synced = None;
            self.check_library(name, code, &all, dialect)?;
            all.insert(name.clone(), code.clone());
        }
        self.synced = None;
        Ok(())
    }

    /// The functions of a library, to be told.
    pub(super) fn told(&self, library: &[u8]) -> Vec<Told<'_>> {
        let functions = self.libraries.get(library).map_or(&[][..], |library| &library.functions);
        functions
            .iter()
            .map(|function| Told {
                name: &function.name,
                description: function.description.as_deref(),
                flags: function.flags,
            })
            .collect()
    }

    /// Whether this is a call of a script or function that has said that it does not write.
    pub(super) fn writes_nothing(&self, command: &str, args: super::args::Args<'_>, dialect: Dialect) -> bool {
        let flags = match command {
            "EVAL" if dialect.since(7, 0) => shebang(args.get(1), dialect).ok().and_then(|(flags, _)| flags),
            "EVALSHA" => digest(args.get(1)).and_then(|sha| self.cached.get(&sha)?.flags),
            "FCALL" => self.function(args.get(1)).map(|function| function.flags),
            _ => None,
        };
        flags.is_some_and(|flags| flags.has(Flags::NO_WRITES))
    }

    /// How many functions there are.
    pub(super) fn functions(&self) -> usize {
        self.libraries.values().map(|library| library.functions.len()).sum()
    }

    fn function(&self, name: &[u8]) -> Option<&Registered> {
        self.libraries
            .values()
            .flat_map(|library| &library.functions)
            .find(|function| function.name.eq_ignore_ascii_case(name))
    }
}

/// The words of before 7.0, those since then, Valkey's.
fn say(dialect: Dialect, words: [&'static str; 3]) -> &'static str {
    let [old, new, valkey] = words;
    match dialect.family {
        Family::Valkey => valkey,
        Family::Redis if dialect.since(7, 0) => new,
        Family::Redis => old,
    }
}

/// No script has this digest.
pub(super) fn no_script(dialect: Dialect) -> CommandError {
    let redis = "NOSCRIPT No matching script. Please use EVAL.";
    CommandError::fixed(say(dialect, [redis, redis, "NOSCRIPT No matching script."]))
}

#[cold]
fn no_interpreter(error: mlua::Error) -> CommandError {
    CommandError::new(format!("ERR no interpreter can be made: {}", thrown::words(&error)))
}

/// A digest in any case.
fn digest(text: &[u8]) -> Option<Sha> {
    let mut sha: Sha = text.try_into().ok()?;
    sha.make_ascii_lowercase();
    Some(sha)
}

/// What the first line of a script says, and how long it is without its end.
fn shebang(text: &[u8], dialect: Dialect) -> Result<(Option<Flags>, usize), CommandError> {
    if !text.starts_with(b"#!") {
        return Ok((None, 0));
    }
    let end = text.iter().position(|byte| *byte == b'\n');
    let end = end.ok_or(CommandError::fixed("ERR Invalid script shebang"))?;
    let words = super::config::split(text.get(..end).unwrap_or_default());
    let words = words.filter(|words| !words.is_empty());
    let words = words.ok_or(CommandError::fixed("ERR Invalid engine in script shebang"))?;
    let word = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (engine, options) = words.split_first().map_or((&[][..], &[][..]), |(first, rest)| (&first[..], rest));
    if engine != b"#!lua" && dialect.family == Family::Valkey {
        let engine = word(engine.strip_prefix(b"#!").unwrap_or_default());
        return Err(CommandError::new(format!("ERR Could not find scripting engine '{engine}'")));
    }
    if engine != b"#!lua" {
        return Err(CommandError::new(format!("ERR Unexpected engine in script shebang: {}", word(engine))));
    }
    let mut flags = Flags::default();
    for option in options {
        let Some(names) = option.strip_prefix(b"flags=") else {
            return Err(CommandError::new(format!("ERR Unknown lua shebang option: {}", word(option))));
        };
        if names.is_empty() {
            continue;
        }
        for name in names.split(|byte| *byte == b',') {
            match Flags::of(name, false) {
                Some(flag) => flags = flags.and(flag),
                None => {
                    return Err(CommandError::new(format!("ERR Unexpected flag in script shebang: {}", word(name))));
                }
            }
        }
    }
    Ok((Some(flags), end))
}
