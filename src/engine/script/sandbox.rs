//! An interpreter with what scripts may see: the library of the servers, no files, no clock, bounded memory.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use mlua::state::{GcIncParams, GcMode};
use mlua::{Function, HookTriggers, Lua, LuaOptions, MultiValue, StdLib, Table, Value, Variadic, VmState};
use sha1::{Digest as _, Sha1};

use super::convert::{truncated, type_name};
use super::random::{Lrand48, MOST};
use super::thrown::{self, Thrown, bad_argument, raise};
use super::{Flags, bits, json, msgpack, pack};
use crate::bounds::{SCRIPT_FUNCTIONS, SCRIPT_LOG, SCRIPT_MEMORY, SCRIPT_SLICE};
use crate::engine::args::Ranges;
use crate::engine::dialect::Dialect;
use crate::engine::log::Level;
use crate::engine::number::{score_text, seventeen};
use crate::engine::value::Blob;
use crate::resp::{encode_bulk, encode_head};

/// What the scoped function, which is the way to the engine while a script runs, is asked for.
pub(super) const CALL: i64 = 0;
/// Whether a command may be called.
pub(super) const MAY_CALL: i64 = 1;
/// To look after others, since the script has run for a while.
pub(super) const ATTEND: i64 = 2;

/// What it answers: the value.
pub(super) const FINE: i64 = 0;
/// The text of an error that a command has answered, or that is counted.
pub(super) const ANSWERED: i64 = 1;
/// The text of an error of the call itself.
pub(super) const REFUSED: i64 = 2;

/// Effects go to replicas, and to the file that servers append to.
const TO_FILE: i64 = 1;
pub(super) const TO_REPLICAS: i64 = 2;

/// A function that a library has registered.
#[derive(Clone, Debug)]
pub(super) struct Registered {
    pub(super) name: Blob,
    pub(super) description: Option<Blob>,
    pub(super) flags: Flags,
    pub(super) work: Function,
}

/// What the functions of the sandbox and who runs it have in common.
pub(super) struct Shared {
    dialect: Dialect,
    /// Errors are tables: since 7.0.
    modern: bool,
    /// The way to the engine, while a script runs.
    way: RefCell<Option<Function>>,
    /// The command that goes there.
    pub(super) words: RefCell<Words>,
    /// Instructions run, in slices, and how many may be.
    pub(super) slices: Cell<u64>,
    pub(super) most_slices: Cell<u64>,
    pub(super) killed: Cell<bool>,
    /// Who runs it is asked after each slice, and has no other bound.
    pub(super) attended: Cell<bool>,
    /// What is said when it is.
    pub(super) killed_by: Cell<&'static str>,
    /// What is said when it has run for longer than it may.
    pub(super) bound_words: Cell<&'static str>,
    /// The script has asked for replies of RESP3.
    pub(super) resp3: Cell<bool>,
    /// Where effects go.
    pub(super) effects: Cell<i64>,
    pub(super) random: Cell<Lrand48>,
    /// The script itself goes into the stream, and not what it does; it has done something.
    pub(super) whole: Cell<bool>,
    pub(super) wrote: Cell<bool>,
    /// What the script had logged.
    pub(super) notes: RefCell<Vec<(Level, String)>>,
    /// A library is being loaded: its functions.
    registered: RefCell<Option<Vec<Registered>>>,
}

/// A command's words as they would come on the wire.
#[derive(Debug, Default)]
pub(super) struct Words {
    pub(super) wire: Vec<u8>,
    pub(super) ranges: Ranges,
}

impl Words {
    /// Puts them together; tells whether all of them are such.
    fn encode(&mut self, words: &MultiValue, dialect: Dialect) -> bool {
        self.wire.clear();
        self.ranges.clear();
        encode_head(&mut self.wire, b'*', words.len() as u64);
        for word in words {
            let length = match word {
                Value::String(text) => {
                    let text = text.as_bytes();
                    encode_bulk(&mut self.wire, &text);
                    text.len()
                }
                Value::Integer(whole) => self.number(*whole as f64, dialect),
                Value::Number(fraction) => self.number(*fraction, dialect),
                _ => return false,
            };
            let end = self.wire.len() - 2;
            self.ranges.push((end - length, end));
        }
        true
    }

    /// A number as an argument; gives its length.
    fn number(&mut self, number: f64, dialect: Dialect) -> usize {
        let text = if dialect.since(7, 2) { score_text(number, dialect) } else { seventeen(number) };
        encode_bulk(&mut self.wire, &text);
        text.len()
    }
}

/// How a run ended in vain.
#[derive(Debug, Default)]
pub(super) struct Failure {
    /// What is wrong.
    pub(super) text: String,
    /// Where: the chunk's name and the line.
    pub(super) place: Option<(String, String)>,
    /// It is told as it is, for it is none of a script's making.
    pub(super) raw: bool,
    /// A command has counted it.
    pub(super) counted: bool,
}

/// One interpreter.
pub(super) struct Sandbox {
    pub(super) lua: Lua,
    pub(super) shared: Rc<Shared>,
    compile: Function,
    /// What runs a script, with tables of words or with the words themselves, and what calls a function.
    runs: [Function; 4],
    register: Function,
}

impl std::fmt::Debug for Sandbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sandbox").field("memory", &self.lua.used_memory()).finish_non_exhaustive()
    }
}

impl Sandbox {
    /// One for scripts, or for libraries of functions.
    pub(super) fn new(dialect: Dialect, for_functions: bool) -> mlua::Result<Self> {
        let libraries = StdLib::TABLE | StdLib::STRING | StdLib::MATH;
        let lua = Lua::new_with(libraries, LuaOptions::new().catch_rust_panics(false))?;
        lua.set_memory_limit(SCRIPT_MEMORY)?;
        let shared = Rc::new(Shared {
            dialect,
            modern: dialect.since(7, 0),
            way: RefCell::new(None),
            words: RefCell::default(),
            slices: Cell::new(0),
            most_slices: Cell::new(u64::MAX),
            killed: Cell::new(false),
            attended: Cell::new(false),
            killed_by: Cell::new(""),
            bound_words: Cell::new("Script killed: it has run for too long"),
            resp3: Cell::new(false),
            effects: Cell::new(TO_FILE | TO_REPLICAS),
            random: Cell::new(Lrand48::START),
            whole: Cell::new(false),
            wrote: Cell::new(false),
            notes: RefCell::default(),
            registered: RefCell::default(),
        });
        let meter = shared.clone();
        lua.set_global_hook(HookTriggers::new().every_nth_instruction(SCRIPT_SLICE), move |lua, _| meter.slice(lua))?;
        let native = native(&lua, &shared, for_functions)?;
        let prelude = lua.load(include_str!("prelude.lua")).set_name(format!("={}", thrown::PRELUDE));
        let (compile, runs, register) = prelude.call((lua.globals(), native, shared.modern))?;
        // What was needed only to make it.
        lua.gc_collect()?;
        Ok(Self { lua, shared, compile, runs, register })
    }

    /// A text as a function.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn compile(&self, text: &[u8], name: &str) -> Result<Function, String> {
        let made = self.lua.create_string(text).and_then(|text| self.compile.call::<(Value, Value)>((text, name)));
        match made {
            Ok((Value::Function(made), _)) => Ok(made),
            Ok((_, Value::String(problem))) => Err(problem.to_string_lossy()),
            Ok(_) => Err("not enough memory".to_owned()),
            Err(error) => Err(thrown::words(&error)),
        }
    }

    /// Runs a script, or a function of a library; `way` does what it asks for.
    pub(super) fn run<'a>(
        &self,
        work: &Function,
        is_script: bool,
        keys: impl ExactSizeIterator<Item = &'a [u8]>,
        arguments: impl ExactSizeIterator<Item = &'a [u8]>,
        way: impl FnMut(&Lua, i64) -> mlua::Result<(i64, Value)>,
    ) -> Result<Value, Failure> {
        self.begin();
        let [run, run_few, call, call_few] = &self.runs;
        let (with_tables, with_words) = if is_script { (run, run_few) } else { (call, call_few) };
        let (first, second) = (keys.len(), arguments.len());
        let ended = self.lua.scope(|scope| {
            self.shared.way.replace(Some(scope.create_function_mut(way)?));
            if first + second <= FEW {
                let words = keys.chain(arguments).map(|word| self.lua.create_string(word));
                let words: mlua::Result<Variadic<_>> = words.collect();
                return with_words.call::<(bool, Value)>((work, first, words?));
            }
            with_tables.call::<(bool, Value)>((work, self.list(keys)?, self.list(arguments)?))
        });
        self.shared.way.replace(None);
        self.tidy();
        self.ended(ended)
    }

    /// Runs a library of functions, which registers them.
    pub(super) fn load(&self, work: &Function) -> Result<Vec<Registered>, Failure> {
        self.begin();
        self.shared.registered.replace(Some(Vec::new()));
        let ended = self.register.call::<(bool, Value)>(work);
        let registered = self.shared.registered.replace(None).unwrap_or_default();
        self.tidy();
        self.ended(ended).map(|_| registered)
    }

    fn begin(&self) {
        // What stands there from the beginning is most of what a small script's garbage is looked for in.
        look_for_garbage(&self.lua, if self.lua.used_memory() < SMALL { 120 } else { 200 });
        self.shared.slices.set(0);
        self.shared.killed.set(false);
        self.shared.resp3.set(false);
        self.shared.effects.set(TO_FILE | TO_REPLICAS);
    }

    /// This Lua does not tidy up for want of memory, so that is done in time.
    fn tidy(&self) {
        if self.lua.used_memory() > SCRIPT_MEMORY / 4 {
            let _ = self.lua.gc_collect();
        }
    }

    fn list<'a>(&self, words: impl Iterator<Item = &'a [u8]>) -> mlua::Result<Table> {
        let table = self.lua.create_table_with_capacity(words.size_hint().0, 0)?;
        for (index, word) in words.enumerate() {
            table.raw_set(index + 1, self.lua.create_string(word)?)?;
        }
        Ok(table)
    }

    fn ended(&self, ended: mlua::Result<(bool, Value)>) -> Result<Value, Failure> {
        let raw = |text: String| Failure { text, raw: true, ..Failure::default() };
        match ended {
            Ok((true, value)) => Ok(value),
            Ok((false, value)) => Err(self.failure(value).unwrap_or_else(|error| raw(thrown::words(&error)))),
            Err(error) => Err(raw(thrown::words(&error))),
        }
    }

    fn failure(&self, value: Value) -> mlua::Result<Failure> {
        let text =
            |value: Value| Ok::<_, mlua::Error>(self.lua.coerce_string(value)?.map(|text| text.to_string_lossy()));
        let Value::Table(table) = value else {
            let text = match value {
                Value::String(_) | Value::Integer(_) | Value::Number(_) => text(value)?,
                _ => None,
            };
            let text = text.unwrap_or_else(|| "execution failure".to_owned());
            return Ok(Failure { text, raw: true, ..Failure::default() });
        };
        let field = |name: &str| match table.raw_get(name)? {
            value @ (Value::String(_) | Value::Integer(_) | Value::Number(_)) => text(value),
            _ => Ok(None),
        };
        Ok(Failure {
            text: field("err")?.unwrap_or_else(|| "ERR unknown error".to_owned()),
            place: field("source")?.zip(field("line")?),
            raw: false,
            counted: table.raw_get::<Value>("ignore_error_stats_update")? == Value::Boolean(true),
        })
    }
}

/// So many words are handed over one by one.
const FEW: usize = 100;

/// Garbage is looked for again when so many percent are in use of what was when it had been.
fn look_for_garbage(lua: &Lua, percent: i32) {
    lua.gc_set_mode(GcMode::Incremental(GcIncParams::default().pause(percent)));
}

/// An interpreter that takes so much at most is looked through half as often, in bytes.
const SMALL: usize = 4 << 20;

impl Shared {
    /// So many instructions more have run.
    fn slice(&self, lua: &Lua) -> mlua::Result<VmState> {
        if lua.used_memory() > SMALL {
            look_for_garbage(lua, 200);
        }
        self.slices.set(self.slices.get() + 1);
        if !self.killed.get() {
            let way = if self.attended.get() { self.way.borrow().clone() } else { None };
            match way {
                // It kills the script, if that is to end.
                Some(way) => drop(way.call::<(i64, Value)>(ATTEND)),
                None if self.slices.get() > self.most_slices.get() => {
                    self.kill(self.bound_words.get());
                }
                None => {}
            }
        }
        if self.killed.get() { Err(self.killed_error()) } else { Ok(VmState::Continue) }
    }

    /// Ends the script, whatever it does to go on.
    pub(super) fn kill(&self, words: &'static str) {
        self.killed.set(true);
        self.killed_by.set(words);
    }

    fn killed_error(&self) -> mlua::Error {
        if self.modern {
            Thrown::table(format!("ERR {}", self.killed_by.get()), false)
        } else {
            Thrown::text(self.killed_by.get().to_owned())
        }
    }

    /// An error of a function of `redis`.
    fn problem(&self, text: &str) -> mlua::Error {
        let text = match text.strip_prefix("redis.") {
            Some(rest) if self.dialect.is_valkey_since(8, 0) => &format!("server.{rest}"),
            _ if self.dialect.is_valkey_since(8, 0) => {
                &text.replace("redis.register_function", "server.register_function")
            }
            _ => text,
        };
        if self.modern { Thrown::table(format!("ERR {text}"), false) } else { Thrown::text(text.to_owned()) }
    }

    /// The text of an error of a call itself, which before 7.0 told its place.
    fn refusal(&self, lua: &Lua, text: &str) -> String {
        if self.modern {
            return coded(text);
        }
        match thrown::place(lua) {
            Some(place) => {
                format!("{}: {}: {text}", place.source, place.line.map_or(-1, |line| line as i64))
            }
            None => text.to_owned(),
        }
    }

    /// A command's words are put where who does it looks for them.
    fn say_words(&self, arguments: &MultiValue) -> Result<(), &'static str> {
        let say = |words| Err(super::say(self.dialect, words));
        if arguments.is_empty() {
            return say([
                "Please specify at least one argument for redis.call()",
                "Please specify at least one argument for this redis lib call",
                "Please specify at least one argument for this call",
            ]);
        }
        if !self.words.borrow_mut().encode(arguments, self.dialect) {
            return say([
                "Lua redis() command arguments must be strings or integers",
                "Lua redis lib command arguments must be strings or integers",
                "Command arguments must be strings or integers",
            ]);
        }
        Ok(())
    }

    /// `redis.call` and `redis.pcall`.
    fn ask(&self, lua: &Lua, arguments: MultiValue, raises: bool) -> mlua::Result<Value> {
        let way = self.way.borrow();
        let Some(way) = way.as_ref() else {
            return Err(self.problem("redis.call/pcall can only be called inside a script invocation"));
        };
        let (answer, value) = match self.say_words(&arguments) {
            Ok(()) => {
                // They are on their way already, and need no room on the stack of the next call.
                drop(arguments);
                way.call::<(i64, Value)>(CALL)?
            }
            Err(problem) => (REFUSED, Value::String(lua.create_string(problem)?)),
        };
        if answer == FINE {
            return Ok(value);
        }
        let text = value.as_string().map(|text| text.to_string_lossy()).unwrap_or_default();
        let text = match answer {
            REFUSED => self.refusal(lua, &text),
            _ if self.modern => coded(&format!("-{text}")),
            _ => text,
        };
        let counted = self.modern && (answer == ANSWERED || !arguments_missing(&text));
        if raises {
            return Err(if self.modern { Thrown::table(text, counted) } else { Thrown::text(text) });
        }
        self.error_table(lua, &text, counted)
    }

    fn error_table(&self, lua: &Lua, text: &str, counted: bool) -> mlua::Result<Value> {
        let table = lua.create_table()?;
        table.raw_set("err", text)?;
        if counted {
            table.raw_set("ignore_error_stats_update", true)?;
        }
        Ok(Value::Table(table))
    }
}

fn arguments_missing(text: &str) -> bool {
    text.starts_with("ERR Please specify at least")
        || text.starts_with("ERR Lua redis lib command arguments")
        || text.starts_with("ERR Command arguments must be")
}

/// An error with a code in front: its own where it began with `-`, else ERR.
pub(super) fn coded(text: &str) -> String {
    match text.strip_prefix('-') {
        Some(rest) => match rest.split_once(' ') {
            Some((code, message)) => format!("{code} {}", message.trim_matches(['\r', '\n'])),
            None => format!("ERR {}", rest.trim_matches(['\r', '\n'])),
        },
        None => format!("ERR {}", text.trim_matches(['\r', '\n'])),
    }
}

/// What the prelude is given.
fn native(lua: &Lua, shared: &Rc<Shared>, for_functions: bool) -> mlua::Result<Table> {
    let native = lua.create_table()?;
    let own = shared.clone();
    let plain = move |lua: &Lua, value: Value| {
        if own.killed.get() {
            return Err(own.killed_error());
        }
        thrown::plain(lua, value, own.modern)
    };
    native.raw_set("plain", lua.create_function(plain)?)?;
    let own = shared.clone();
    native.raw_set("handler", lua.create_function(move |lua: &Lua, value: Value| handler(lua, value, own.modern))?)?;
    // Where a table is changed by a function the servers' words have no place in front.
    let refuse = |lua: &Lua, words: MultiValue| -> mlua::Result<()> {
        let words_alone = Thrown::text("Attempt to modify a readonly table".to_owned());
        Err(if words.is_empty() { words_alone } else { raise(lua, "Attempt to modify a readonly table") })
    };
    native.raw_set("refuse", lua.create_function(refuse)?)?;
    native.raw_set("missing", lua.create_function(|lua: &Lua, (_, key): (Value, Value)| missing(lua, key))?)?;
    let libraries = lua.create_table()?;
    libraries.raw_set("bit", bits::library(lua)?)?;
    libraries.raw_set("cjson", json::library(lua)?)?;
    libraries.raw_set("cmsgpack", msgpack::library(lua)?)?;
    libraries.raw_set("struct", pack::library(lua)?)?;
    if shared.dialect.since(7, 4) {
        let os = lua.create_table()?;
        let own = shared.clone();
        // There is no clock here: time passes as the script does something.
        let clock = move |_: &Lua, _: MultiValue| Ok(own.slices.get() as f64 * f64::from(SCRIPT_SLICE) / 1e8);
        os.raw_set("clock", lua.create_function(clock)?)?;
        libraries.raw_set("os", os)?;
    }
    let redis = api(lua, shared, for_functions)?;
    if shared.dialect.is_valkey_since(8, 0) {
        libraries.raw_set("server", redis.clone())?;
    }
    libraries.raw_set("redis", redis)?;
    native.raw_set("libraries", libraries)?;
    native.raw_set("math", math(lua, shared)?)?;
    if for_functions {
        let loading = lua.create_table()?;
        let redis = lua.create_table()?;
        versions_and_log(lua, shared, &redis)?;
        let own = shared.clone();
        let register = move |lua: &Lua, arguments: Variadic<Value>| own.register(lua, &arguments);
        redis.raw_set("register_function", lua.create_function(register)?)?;
        if shared.dialect.is_valkey_since(8, 0) {
            loading.raw_set("server", redis.clone())?;
        }
        loading.raw_set("redis", redis)?;
        native.raw_set("loading", loading)?;
    }
    Ok(native)
}

/// Says where an error was raised: since 7.0 in a table, before in front of the text.
fn handler(lua: &Lua, value: Value, modern: bool) -> mlua::Result<Value> {
    let value = thrown::plain(lua, value, modern)?;
    let place = thrown::place(lua);
    let source = place.as_ref().map(|place| place.source.as_str());
    let line = place.as_ref().map(|place| place.line.map_or(-1, |line| line as i64));
    if !modern {
        let text = match value {
            Value::String(_) | Value::Integer(_) | Value::Number(_) => lua.coerce_string(value)?,
            other => {
                let what = type_name(&other);
                let text = format!(
                    "@err_handler_def:9: err_handler_def:9: attempt to concatenate local 'err' (a {what} value)"
                );
                return Ok(Value::String(lua.create_string(text)?));
            }
        };
        let text = text.map(|text| text.to_string_lossy()).unwrap_or_default();
        return Ok(Value::String(lua.create_string(match source.zip(line) {
            Some((source, line)) => format!("{source}:{line}: {text}"),
            None => text,
        })?));
    }
    let table = match value {
        Value::Table(table) if table.metatable().is_none() => table,
        value => {
            let table = lua.create_table()?;
            let text = match &value {
                Value::String(_) | Value::Integer(_) | Value::Number(_) => {
                    lua.coerce_string(value.clone())?.map(|text| text.to_string_lossy()).unwrap_or_default()
                }
                Value::Nil => "nil".to_owned(),
                Value::Boolean(truth) => truth.to_string(),
                Value::Table(inner) => {
                    let text: Value = inner.raw_get("err")?;
                    table.raw_set("err", text)?;
                    String::new()
                }
                other => format!("{}: {:p}", type_name(other), other.to_pointer()),
            };
            if !value.is_table() {
                table.raw_set("err", format!("ERR {text}"))?;
            }
            table
        }
    };
    if let Some((source, line)) = source.zip(line) {
        table.raw_set("source", source)?;
        table.raw_set("line", line)?;
    }
    Ok(Value::Table(table))
}

fn missing(lua: &Lua, key: Value) -> mlua::Result<()> {
    let name = match key {
        Value::String(_) | Value::Integer(_) | Value::Number(_) => lua.coerce_string(key)?,
        _ => return Err(raise(lua, "Second argument to luaProtectedTableError must be a string or number")),
    };
    let name = name.map(|name| name.to_string_lossy()).unwrap_or_default();
    Err(raise(lua, &format!("Script attempted to access nonexistent global variable '{name}'")))
}

/// `math.random` and `math.randomseed`.
fn math(lua: &Lua, shared: &Rc<Shared>) -> mlua::Result<Table> {
    let math = lua.create_table()?;
    let integer = |lua: &Lua, arguments: &[Value], index: usize, name: &str| {
        let value = arguments.get(index);
        match lua.coerce_number(value.cloned().unwrap_or(Value::Nil))? {
            Some(number) => Ok(truncated(number) as i32),
            None => {
                let why = format!("number expected, got {}", value.map_or("no value", type_name));
                Err(bad_argument(lua, index + 1, name, &why))
            }
        }
    };
    let own = shared.clone();
    let random = move |lua: &Lua, arguments: Variadic<Value>| {
        let mut random = own.random.get();
        let drawn = f64::from(random.next() % MOST) / f64::from(MOST);
        own.random.set(random);
        let (least, most) = match arguments.len() {
            0 => return Ok(drawn),
            1 => (1, integer(lua, &arguments, 0, "random")?),
            2 => (integer(lua, &arguments, 0, "random")?, integer(lua, &arguments, 1, "random")?),
            _ => return Err(raise(lua, "wrong number of arguments")),
        };
        if least > most {
            return Err(bad_argument(lua, arguments.len(), "random", "interval is empty"));
        }
        let count = f64::from(most.wrapping_sub(least).wrapping_add(1));
        Ok((drawn * count).floor() + f64::from(least))
    };
    math.raw_set("random", lua.create_function(random)?)?;
    let own = shared.clone();
    let seed = move |lua: &Lua, arguments: Variadic<Value>| {
        own.random.set(Lrand48::seeded(integer(lua, &arguments, 0, "randomseed")?));
        Ok(())
    };
    math.raw_set("randomseed", lua.create_function(seed)?)?;
    Ok(math)
}

fn versions_and_log(lua: &Lua, shared: &Rc<Shared>, redis: &Table) -> mlua::Result<()> {
    for (level, name) in ["LOG_DEBUG", "LOG_VERBOSE", "LOG_NOTICE", "LOG_WARNING"].into_iter().enumerate() {
        redis.raw_set(name, level)?;
    }
    let own = shared.clone();
    redis.raw_set("log", lua.create_function(move |lua: &Lua, words: Variadic<Value>| own.log(lua, &words))?)?;
    if shared.modern {
        let number =
            |version: &str| version.split('.').fold(0, |sum, part| sum << 8 | part.parse::<i64>().unwrap_or(0));
        let version = shared.dialect.redis_version();
        redis.raw_set("REDIS_VERSION_NUM", number(&version))?;
        redis.raw_set("REDIS_VERSION", version)?;
        if shared.dialect.is_valkey_since(8, 0) {
            let version = shared.dialect.own_version();
            redis.raw_set("SERVER_NAME", "valkey")?;
            redis.raw_set("VALKEY_VERSION_NUM", number(&version))?;
            redis.raw_set("VALKEY_VERSION", version)?;
        }
    }
    Ok(())
}

/// The table `redis`.
fn api(lua: &Lua, shared: &Rc<Shared>, for_functions: bool) -> mlua::Result<Table> {
    let redis = lua.create_table()?;
    let own = shared.clone();
    redis.raw_set("call", lua.create_function(move |lua: &Lua, words: MultiValue| own.ask(lua, words, true))?)?;
    let own = shared.clone();
    redis.raw_set("pcall", lua.create_function(move |lua: &Lua, words: MultiValue| own.ask(lua, words, false))?)?;
    versions_and_log(lua, shared, &redis)?;
    let own = shared.clone();
    let sha1hex = move |lua: &Lua, words: Variadic<Value>| {
        let [value] = &words[..] else { return Err(own.problem("wrong number of arguments")) };
        let text = match value {
            Value::String(_) | Value::Integer(_) | Value::Number(_) => lua.coerce_string(value.clone())?,
            _ => None,
        };
        Ok(sha1_hex(&text.map(|text| text.as_bytes().to_vec()).unwrap_or_default()))
    };
    redis.raw_set("sha1hex", lua.create_function(sha1hex)?)?;
    let own = shared.clone();
    let error_reply = move |lua: &Lua, words: Variadic<Value>| {
        let [Value::String(text)] = &words[..] else {
            return own.error_table(lua, &own.refusal(lua, "wrong number or type of arguments"), false);
        };
        let text = text.to_string_lossy();
        let text = match own.modern {
            true if text.starts_with('-') => coded(&text),
            true => coded(&format!("-{text}")),
            false => text,
        };
        own.error_table(lua, &text, false)
    };
    redis.raw_set("error_reply", lua.create_function(error_reply)?)?;
    let own = shared.clone();
    let status_reply = move |lua: &Lua, words: Variadic<Value>| {
        let [Value::String(text)] = &words[..] else {
            return own.error_table(lua, &own.refusal(lua, "wrong number or type of arguments"), false);
        };
        let table = lua.create_table()?;
        table.raw_set("ok", text)?;
        Ok(Value::Table(table))
    };
    redis.raw_set("status_reply", lua.create_function(status_reply)?)?;
    let constants =
        [("REPL_NONE", 0), ("REPL_AOF", TO_FILE), ("REPL_SLAVE", TO_REPLICAS), ("REPL_REPLICA", TO_REPLICAS)];
    for (name, value) in constants {
        redis.raw_set(name, value)?;
    }
    redis.raw_set("REPL_ALL", TO_FILE | TO_REPLICAS)?;
    let own = shared.clone();
    redis.raw_set(
        "set_repl",
        lua.create_function(move |lua: &Lua, words: Variadic<Value>| own.set_repl(lua, &words))?,
    )?;
    if shared.dialect.since(6, 0) {
        let own = shared.clone();
        let setresp = move |lua: &Lua, words: Variadic<Value>| own.set_resp(lua, &words);
        redis.raw_set("setresp", lua.create_function(setresp)?)?;
    }
    if shared.modern {
        let own = shared.clone();
        let check = move |lua: &Lua, words: MultiValue| own.acl_check(lua, words);
        redis.raw_set("acl_check_cmd", lua.create_function(check)?)?;
    }
    if !for_functions {
        redis.raw_set("breakpoint", lua.create_function(|_: &Lua, _: MultiValue| Ok(false))?)?;
        redis.raw_set("debug", lua.create_function(|_: &Lua, _: MultiValue| Ok(()))?)?;
        let own = shared.clone();
        // A script's effects can no longer be told once one of them has not been.
        let replicate = move |_: &Lua, _: MultiValue| {
            let in_time = own.modern || !own.wrote.get();
            own.whole.set(own.whole.get() && !in_time);
            Ok(in_time)
        };
        redis.raw_set("replicate_commands", lua.create_function(replicate)?)?;
    }
    Ok(redis)
}

/// The digest that names a script, in lower case.
pub(super) fn sha1_hex(text: &[u8]) -> String {
    let digit = |value: u8| char::from_digit(value.into(), 16).unwrap_or('0');
    Sha1::digest(text).iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

impl Shared {
    fn log(&self, lua: &Lua, words: &[Value]) -> mlua::Result<()> {
        let [level, rest @ ..] = words else {
            return Err(self.problem("redis.log() requires two arguments or more."));
        };
        if rest.is_empty() {
            return Err(self.problem("redis.log() requires two arguments or more."));
        }
        let Some(level) = lua.coerce_number(level.clone())? else {
            return Err(self.problem("First argument must be a number (log level)."));
        };
        let level = match truncated(level) {
            // These are never logged here.
            0 | 1 => return Ok(()),
            2 => Level::Notice,
            3 => Level::Warning,
            _ => {
                return Err(self.problem(if self.dialect.since(7, 2) {
                    "Invalid log level."
                } else {
                    "Invalid debug level."
                }));
            }
        };
        let mut text = String::new();
        for (index, word) in rest.iter().enumerate() {
            if let Value::String(_) | Value::Integer(_) | Value::Number(_) = word
                && let Some(word) = lua.coerce_string(word.clone())?
            {
                if index > 0 {
                    text.push(' ');
                }
                text += &word.to_string_lossy();
            }
        }
        let mut notes = self.notes.borrow_mut();
        if notes.len() < SCRIPT_LOG {
            notes.push((level, text.chars().take(1024).collect()));
        }
        Ok(())
    }

    fn set_repl(&self, lua: &Lua, words: &[Value]) -> mlua::Result<()> {
        if self.way.borrow().is_none() {
            return Err(self.problem("redis.set_repl can only be called inside a script invocation"));
        }
        let [value] = words else {
            let count = if self.dialect.since(7, 2) { "one argument" } else { "two arguments" };
            return Err(self.problem(&format!("redis.set_repl() requires {count}.")));
        };
        let flags = lua.coerce_number(value.clone())?.map_or(0, truncated);
        if flags & !(TO_FILE | TO_REPLICAS) != 0 {
            return Err(self.problem("Invalid replication flags. Use REPL_AOF, REPL_REPLICA, REPL_ALL or REPL_NONE."));
        }
        self.effects.set(flags);
        Ok(())
    }

    fn set_resp(&self, lua: &Lua, words: &[Value]) -> mlua::Result<()> {
        if self.way.borrow().is_none() {
            return Err(self.problem("redis.setresp can only be called inside a script invocation"));
        }
        let [value] = words else { return Err(self.problem("redis.setresp() requires one argument.")) };
        match lua.coerce_number(value.clone())?.map(truncated) {
            Some(2) => self.resp3.set(false),
            Some(3) => self.resp3.set(true),
            _ => return Err(self.problem("RESP version must be 2 or 3.")),
        }
        Ok(())
    }

    fn acl_check(&self, lua: &Lua, words: MultiValue) -> mlua::Result<Value> {
        let way = self.way.borrow().clone();
        let Some(way) = way else {
            return Err(self.problem("redis.acl_check_cmd can only be called inside a script invocation"));
        };
        if words.is_empty() {
            let redis = "Please specify at least one argument for this redis lib call";
            let words = [redis, redis, "Please specify at least one argument for this call"];
            return Err(self.problem(super::say(self.dialect, words)));
        }
        if let Err(problem) = self.say_words(&words) {
            return Err(self.problem(problem));
        }
        drop(words);
        let (answer, value) = way.call::<(i64, Value)>(MAY_CALL)?;
        match answer {
            FINE => Ok(value),
            _ => Err(self.problem(&lua.coerce_string(value)?.map(|text| text.to_string_lossy()).unwrap_or_default())),
        }
    }

    /// `redis.register_function`.
    fn register(&self, lua: &Lua, words: &[Value]) -> mlua::Result<()> {
        let mut registered = self.registered.borrow_mut();
        let Some(registered) = registered.as_mut() else {
            return Err(self.problem("redis.register_function can only be called on FUNCTION LOAD command"));
        };
        let function = match words {
            [one] => self.named(lua, one)?,
            [name, work] => {
                let name = blob(lua, name)?;
                let name =
                    name.ok_or_else(|| self.problem("first argument to redis.register_function must be a string"))?;
                let Value::Function(work) = work else {
                    return Err(self.problem("second argument to redis.register_function must be a function"));
                };
                Registered { name, description: None, flags: Flags::default(), work: work.clone() }
            }
            _ => return Err(self.problem("wrong number of arguments to redis.register_function")),
        };
        if !super::is_name(&function.name) {
            let kind = if self.dialect.since(7, 2) { "Function" } else { "Library" };
            let text = format!(
                "{kind} names can only contain letters, numbers, or underscores(_) and must be at least one character long"
            );
            return Err(self.problem(&text));
        }
        if registered.iter().any(|other| other.name.eq_ignore_ascii_case(&function.name)) {
            return Err(self.problem("Function already exists in the library"));
        }
        if registered.len() >= SCRIPT_FUNCTIONS {
            return Err(self.problem("too many functions in one library"));
        }
        registered.push(function);
        Ok(())
    }

    fn named(&self, lua: &Lua, table: &Value) -> mlua::Result<Registered> {
        let problem = |text: &str| self.problem(text);
        let Value::Table(table) = table else {
            return Err(problem(
                "calling redis.register_function with a single argument is only applicable to Lua table (representing named arguments).",
            ));
        };
        let (mut name, mut description, mut work, mut flags) = (None, None, None, Flags::default());
        for pair in table.pairs::<Value, Value>() {
            let (key, value) = pair?;
            let key = blob(lua, &key)?;
            let key =
                key.ok_or_else(|| problem("named argument key given to redis.register_function is not a string"))?;
            match &*key.to_ascii_lowercase() {
                b"function_name" => {
                    let text = blob(lua, &value)?;
                    name = Some(text.ok_or_else(|| {
                        problem("function_name argument given to redis.register_function must be a string")
                    })?);
                }
                b"description" => {
                    let text = blob(lua, &value)?;
                    description = Some(text.ok_or_else(|| {
                        problem("description argument given to redis.register_function must be a string")
                    })?);
                }
                b"callback" => match value {
                    Value::Function(function) => work = Some(function),
                    _ => {
                        return Err(problem("callback argument given to redis.register_function must be a function"));
                    }
                },
                b"flags" => {
                    let Value::Table(words) = value else {
                        return Err(problem(
                            "flags argument to redis.register_function must be a table representing function flags",
                        ));
                    };
                    let mut index = 1;
                    loop {
                        let word: Value = words.raw_get(index)?;
                        if word == Value::Nil {
                            break;
                        }
                        let word = blob(lua, &word)?.and_then(|word| Flags::of(&word, true));
                        flags = flags.and(word.ok_or_else(|| problem("unknown flag given"))?);
                        index += 1;
                    }
                }
                _ => return Err(problem("unknown argument given to redis.register_function")),
            }
        }
        let name = name.ok_or_else(|| problem("redis.register_function must get a function name argument"))?;
        let work = work.ok_or_else(|| problem("redis.register_function must get a callback argument"))?;
        Ok(Registered { name, description, flags, work })
    }
}

/// A string, or a number's text.
fn blob(lua: &Lua, value: &Value) -> mlua::Result<Option<Blob>> {
    Ok(match value {
        Value::String(_) | Value::Integer(_) | Value::Number(_) => {
            lua.coerce_string(value.clone())?.map(|text| Blob::from(&*text.as_bytes()))
        }
        _ => None,
    })
}
