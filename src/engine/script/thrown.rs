//! Errors that functions of this side raise in scripts, and what an error at the end of a script says.

use mlua::{Error, Lua, LuaString, Value};

/// What is raised. A script that catches it sees a string, or a table as `redis.call` raises one since 7.0.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{text}")]
pub(super) struct Thrown {
    /// The text.
    pub(super) text: String,
    /// It is a table for scripts, whose `err` the text is.
    pub(super) is_table: bool,
    /// It is counted already.
    pub(super) counted: bool,
}

impl Thrown {
    /// A string.
    pub(super) fn text(text: String) -> Error {
        Error::external(Self { text, is_table: false, counted: false })
    }

    /// A table.
    pub(super) fn table(text: String, counted: bool) -> Error {
        Error::external(Self { text, is_table: true, counted })
    }
}

/// The name of the chunk that makes the sandbox, which no error tells of.
pub(super) const PRELUDE: &str = "prelude";

/// A place in a script.
pub(super) struct Place {
    /// The chunk's name as it was given.
    pub(super) source: String,
    /// The chunk's name as errors have it.
    pub(super) short: String,
    /// The line; `None` where Lua knows none.
    pub(super) line: Option<usize>,
}

/// What happens at a level of the stack, if a script does; `None` beyond the last one.
fn level(lua: &Lua, level: usize) -> Option<Option<Place>> {
    lua.inspect_stack(level, |debug| {
        let source = debug.source();
        let text = source.source.as_deref().unwrap_or_default();
        let short = source.short_src.as_deref().unwrap_or_default();
        let of_script = !matches!(text, "=[C]" | "=(tail call)") && short != PRELUDE;
        of_script.then(|| Place { source: text.to_owned(), short: short.to_owned(), line: debug.current_line() })
    })
}

/// Where the script stands that has called the function that runs, or in which the error was raised whose handler runs.
pub(super) fn place(lua: &Lua) -> Option<Place> {
    (0..PLACES).map_while(|at| level(lua, at)).flatten().next()
}

/// So many levels are looked at for one of a script: functions that call functions of the script may stand above it.
const PLACES: usize = 16;

/// An error with the place in front, as `luaL_error` raises it.
pub(super) fn raise(lua: &Lua, text: &str) -> Error {
    let place = place(lua).and_then(|place| place.line.map(|line| format!("{}:{line}: ", place.short)));
    Thrown::text(place.unwrap_or_default() + text)
}

/// An argument that is not as it must be.
pub(super) fn bad_argument(lua: &Lua, place: usize, function: &str, why: &str) -> Error {
    raise(lua, &format!("bad argument #{place} to '{function}' ({why})"))
}

/// What a script sees of an error that it has caught.
pub(super) fn plain(lua: &Lua, value: Value, modern: bool) -> mlua::Result<Value> {
    let error = match value {
        Value::Error(error) => error,
        Value::String(text) => return placed(lua, text),
        value => return Ok(value),
    };
    match error.downcast_ref::<Thrown>() {
        Some(thrown) if thrown.is_table && modern => {
            let table = lua.create_table()?;
            table.raw_set("err", thrown.text.as_str())?;
            if thrown.counted {
                table.raw_set("ignore_error_stats_update", true)?;
            }
            Ok(Value::Table(table))
        }
        Some(thrown) => Ok(Value::String(lua.create_string(&thrown.text)?)),
        None => Ok(Value::String(lua.create_string(words(&error))?)),
    }
}

/// A function of Lua's own takes the sandbox for its caller where that stands in front of it: the script is that.
fn placed(lua: &Lua, text: LuaString) -> mlua::Result<Value> {
    let bytes = text.as_bytes();
    let Some(rest) = bytes.strip_prefix(PRELUDE.as_bytes()).and_then(|rest| rest.strip_prefix(b":")) else {
        drop(bytes);
        return Ok(Value::String(text));
    };
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let Some(rest) = rest.get(digits..).and_then(|rest| rest.strip_prefix(b": ")) else {
        drop(bytes);
        return Ok(Value::String(text));
    };
    let place = place(lua).and_then(|place| place.line.map(|line| format!("{}:{line}: ", place.short)));
    let text = [place.unwrap_or_default().as_bytes(), rest].concat();
    Ok(Value::String(lua.create_string(text)?))
}

/// The words of an error of the interpreter's own.
pub(super) fn words(error: &Error) -> String {
    match error {
        Error::RuntimeError(text) | Error::MemoryError(text) => text.clone(),
        Error::SyntaxError { message, .. } => message.clone(),
        Error::CallbackError { cause, .. } => words(cause),
        Error::ExternalError(error) => error.to_string(),
        other => other.to_string(),
    }
}
