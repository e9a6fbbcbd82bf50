//! Replies as values of scripts, and values of scripts as replies.

use std::cell::{Cell, RefCell};

use mlua::{Lua, Table, Value};

use crate::bounds::{SCRIPT_DEPTH, SCRIPT_LOG, SCRIPT_REPLY, SCRIPT_VALUES};
use crate::engine::args;
use crate::engine::dialect::Dialect;
use crate::engine::error::CommandError;
use crate::engine::number::score_text;
use crate::engine::reply::Reply;

/// How Lua calls the type of a value.
pub(super) fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Integer(_) | Value::Number(_) => "number",
        Value::Error(_) => "userdata",
        Value::LightUserData(_) => "userdata",
        other => other.type_name(),
    }
}

/// One reply as a value; what is left of the bytes follows.
pub(super) fn to_lua(lua: &Lua, bytes: &mut &[u8]) -> mlua::Result<Value> {
    let Some((sign, line)) = take_line(bytes) else { return Ok(Value::Nil) };
    let number = || crate::engine::value::integer(line).unwrap_or(0);
    let one = |name: &str, value: Value| -> mlua::Result<Value> {
        let table = lua.create_table_with_capacity(0, 1)?;
        table.raw_set(name, value)?;
        Ok(Value::Table(table))
    };
    let text = |bytes: &[u8]| Ok::<_, mlua::Error>(Value::String(lua.create_string(bytes)?));
    match sign {
        b':' => Ok(Value::Number(number() as f64)),
        b'$' | b'*' if line == b"-1" => Ok(Value::Boolean(false)),
        b'$' => text(take_bulk(bytes, number())),
        b'=' => {
            let body = take_bulk(bytes, number());
            let parts = lua.create_table_with_capacity(0, 2)?;
            parts.raw_set("format", text(body.get(..3).unwrap_or_default())?)?;
            parts.raw_set("string", text(body.get(4..).unwrap_or_default())?)?;
            one("verbatim_string", Value::Table(parts))
        }
        b'+' => one("ok", text(line)?),
        b'-' => one("err", text(line)?),
        // What is told of an answer is not it.
        b'|' => {
            for _ in 0..number().max(0).saturating_mul(2) {
                to_lua(lua, bytes)?;
            }
            to_lua(lua, bytes)
        }
        b'_' => Ok(Value::Nil),
        b'#' => Ok(Value::Boolean(line == b"t")),
        b',' => one("double", Value::Number(args::float(line).unwrap_or(f64::NAN))),
        b'(' => one("big_number", text(line)?),
        b'*' | b'>' => {
            let length = number().max(0) as usize;
            let table = lua.create_table_with_capacity(length, 0)?;
            for index in 1..=length {
                table.raw_set(index, to_lua(lua, bytes)?)?;
            }
            Ok(Value::Table(table))
        }
        b'%' | b'~' => {
            let length = number().max(0) as usize;
            let table = lua.create_table_with_capacity(0, length)?;
            for _ in 0..length {
                let key = to_lua(lua, bytes)?;
                let value = if sign == b'%' { to_lua(lua, bytes)? } else { Value::Boolean(true) };
                if key != Value::Nil {
                    table.raw_set(key, value)?;
                }
            }
            one(if sign == b'%' { "map" } else { "set" }, Value::Table(table))
        }
        _ => Ok(Value::Nil),
    }
}

fn take_line<'a>(bytes: &mut &'a [u8]) -> Option<(u8, &'a [u8])> {
    let end = memchr::memchr(b'\n', bytes)?;
    let line = bytes.get(1..end.checked_sub(1)?)?;
    let sign = *bytes.first()?;
    *bytes = bytes.get(end + 1..)?;
    Some((sign, line))
}

fn take_bulk<'a>(bytes: &mut &'a [u8], length: i64) -> &'a [u8] {
    let length = usize::try_from(length).unwrap_or(0);
    let body = bytes.get(..length).unwrap_or_default();
    *bytes = bytes.get(length + 2..).unwrap_or_default();
    body
}

/// How a script's value is answered.
pub(super) struct Answer {
    /// Whose words.
    pub(super) dialect: Dialect,
    /// The script has asked for RESP3, so that its booleans are ones.
    pub(super) booleans: bool,
    /// How many values it has so far.
    values: Cell<usize>,
    /// Errors in it that nobody has counted.
    pub(super) errors: RefCell<Vec<CommandError>>,
}

impl Answer {
    pub(super) fn new(dialect: Dialect, booleans: bool) -> Self {
        Self { dialect, booleans, values: Cell::new(0), errors: RefCell::default() }
    }

    /// Writes a value as the reply that it stands for.
    pub(super) fn write(&self, reply: &mut Reply, value: &Value) -> mlua::Result<()> {
        self.value(reply, value, 0)
    }

    fn value(&self, reply: &mut Reply, value: &Value, depth: usize) -> mlua::Result<()> {
        if depth > SCRIPT_DEPTH {
            reply.error(&CommandError::fixed("ERR reached lua stack limit"));
            return Ok(());
        }
        self.values.set(self.values.get() + 1);
        if reply.len() > SCRIPT_REPLY || self.values.get() > SCRIPT_VALUES {
            return Err(mlua::Error::runtime("the script's answer is too long"));
        }
        match value {
            Value::String(text) => reply.bulk(&text.as_bytes()),
            Value::Boolean(truth) if self.booleans => reply.boolean(*truth),
            Value::Boolean(true) => reply.integer(1),
            Value::Integer(number) => reply.integer(*number),
            Value::Number(number) => reply.integer(truncated(*number)),
            Value::Table(table) => self.table(reply, table, depth)?,
            _ => reply.null(),
        }
        Ok(())
    }

    fn table(&self, reply: &mut Reply, table: &Table, depth: usize) -> mlua::Result<()> {
        if let Value::String(text) = table.raw_get("err")? {
            let error = CommandError::new(text.to_string_lossy());
            reply.error(&error);
            if self.dialect.since(7, 0)
                && table.raw_get::<Value>("ignore_error_stats_update")? != Value::Boolean(true)
                && self.errors.borrow().len() < SCRIPT_LOG
            {
                self.errors.borrow_mut().push(error);
            }
            return Ok(());
        }
        if let Value::String(text) = table.raw_get("ok")? {
            reply.status(&text.to_string_lossy().replace(['\r', '\n'], " "));
            return Ok(());
        }
        if self.dialect.since(6, 0) && self.special(reply, table, depth)? {
            return Ok(());
        }
        let (at, mut length) = (reply.len(), 0);
        loop {
            let element: Value = table.raw_get(length + 1)?;
            if element == Value::Nil {
                break;
            }
            self.value(reply, &element, depth + 1)?;
            length += 1;
        }
        reply.head_at(at, b'*', length);
        Ok(())
    }

    /// The types of RESP3, told by the one field that such a table has.
    fn special(&self, reply: &mut Reply, table: &Table, depth: usize) -> mlua::Result<bool> {
        match table.raw_get("double")? {
            Value::Integer(number) => reply.double(&score_text(number as f64, self.dialect)),
            Value::Number(number) => reply.double(&score_text(number, self.dialect)),
            _ => return self.aggregate(reply, table, depth),
        }
        Ok(true)
    }

    fn aggregate(&self, reply: &mut Reply, table: &Table, depth: usize) -> mlua::Result<bool> {
        if !self.dialect.since(7, 0) {
            return self.map_or_set(reply, table, depth);
        }
        if let Value::String(text) = table.raw_get("big_number")? {
            reply.big_number(&text.to_string_lossy().replace(['\r', '\n'], " "));
            return Ok(true);
        }
        if let Value::Table(parts) = table.raw_get("verbatim_string")?
            && let (Value::String(format), Value::String(text)) = (parts.raw_get("format")?, parts.raw_get("string")?)
        {
            reply.verbatim_of(&format.as_bytes(), &text.as_bytes());
            return Ok(true);
        }
        self.map_or_set(reply, table, depth)
    }

    fn map_or_set(&self, reply: &mut Reply, table: &Table, depth: usize) -> mlua::Result<bool> {
        for (name, sign, each) in [("map", b'%', 2), ("set", b'~', 1)] {
            let Value::Table(inner) = table.raw_get(name)? else { continue };
            let (at, mut length) = (reply.len(), 0);
            for pair in inner.pairs::<Value, Value>() {
                let (key, value) = pair?;
                self.value(reply, &key, depth + 1)?;
                if each == 2 {
                    self.value(reply, &value, depth + 1)?;
                }
                length += 1;
            }
            match reply.is_resp3() {
                true => reply.head_at(at, sign, length),
                false => reply.head_at(at, b'*', length * each),
            }
            return Ok(true);
        }
        Ok(false)
    }
}

/// A number as C casts it: what is beyond 64 bits is the least of them.
pub(super) fn truncated(number: f64) -> i64 {
    const BEYOND: f64 = 9_223_372_036_854_775_808.0;
    if (-BEYOND..BEYOND).contains(&number) { number as i64 } else { i64::MIN }
}
