//! The `cmsgpack` library of scripts.

use mlua::{Lua, MultiValue, Table, Value, Variadic};

use super::convert::type_name;
use super::thrown::{bad_argument, raise};
use crate::bounds::{SCRIPT_DEPTH, SCRIPT_REPLY, SCRIPT_RESULTS};

/// Tables that are nested deeper are packed as nil.
const MAX_NESTING: usize = 16;

/// The table of functions.
pub(super) fn library(lua: &Lua) -> mlua::Result<Table> {
    let library = lua.create_table()?;
    let pack = |lua: &Lua, arguments: Variadic<Value>| {
        if arguments.is_empty() {
            return Err(bad_argument(lua, 0, "pack", "MessagePack pack needs input."));
        }
        let mut out = Vec::new();
        for value in arguments.iter() {
            pack(lua, &mut out, value, 0)?;
        }
        lua.create_string(&out)
    };
    library.raw_set("pack", lua.create_function(pack)?)?;
    let unpack = |lua: &Lua, arguments: Variadic<Value>| unpack(lua, &arguments, "unpack", 0, 0);
    library.raw_set("unpack", lua.create_function(unpack)?)?;
    let one = |lua: &Lua, arguments: Variadic<Value>| {
        let offset = integer(lua, &arguments, 1, "unpack_one", Some(0))?;
        self::unpack(lua, &arguments, "unpack_one", 1, offset)
    };
    library.raw_set("unpack_one", lua.create_function(one)?)?;
    let limit = |lua: &Lua, arguments: Variadic<Value>| {
        let limit = integer(lua, &arguments, 1, "unpack_limit", None)?;
        let offset = integer(lua, &arguments, 2, "unpack_limit", Some(0))?;
        self::unpack(lua, &arguments, "unpack_limit", limit, offset)
    };
    library.raw_set("unpack_limit", lua.create_function(limit)?)?;
    library.raw_set("_NAME", "cmsgpack")?;
    library.raw_set("_VERSION", "lua-cmsgpack 0.4.0")?;
    library.raw_set("_COPYRIGHT", "Copyright (C) 2012, Salvatore Sanfilippo")?;
    library.raw_set("_DESCRIPTION", "MessagePack C implementation for Lua")?;
    Ok(library)
}

fn integer(lua: &Lua, arguments: &[Value], index: usize, name: &str, otherwise: Option<i64>) -> mlua::Result<i64> {
    let value = arguments.get(index).unwrap_or(&Value::Nil);
    if let (Value::Nil, Some(otherwise)) = (value, otherwise) {
        return Ok(otherwise);
    }
    match lua.coerce_integer(value.clone())? {
        Some(number) => Ok(number),
        None => {
            let why = format!("number expected, got {}", arguments.get(index).map_or("no value", type_name));
            Err(bad_argument(lua, index + 1, name, &why))
        }
    }
}

fn pack(lua: &Lua, out: &mut Vec<u8>, value: &Value, level: usize) -> mlua::Result<()> {
    if out.len() > SCRIPT_REPLY {
        return Err(raise(lua, "not enough memory"));
    }
    match value {
        Value::String(text) => bytes(out, &text.as_bytes()),
        Value::Boolean(truth) => out.push(if *truth { 0xc3 } else { 0xc2 }),
        Value::Integer(number) => whole(out, *number),
        Value::Number(number) if *number as i64 as f64 == *number && *number < i64::MAX as f64 => {
            whole(out, *number as i64);
        }
        Value::Number(number) => {
            let short = *number as f32;
            if f64::from(short) == *number {
                out.push(0xca);
                out.extend_from_slice(&short.to_be_bytes());
            } else {
                out.push(0xcb);
                out.extend_from_slice(&number.to_be_bytes());
            }
        }
        Value::Table(table) if level < MAX_NESTING => pack_table(lua, out, table, level)?,
        _ => out.push(0xc0),
    }
    Ok(())
}

fn pack_table(lua: &Lua, out: &mut Vec<u8>, table: &Table, level: usize) -> mlua::Result<()> {
    let (mut most, mut count, mut is_array) = (0_i64, 0_i64, true);
    for pair in table.pairs::<Value, Value>() {
        match pair?.0 {
            Value::Integer(index) if (1..=i64::from(i32::MAX)).contains(&index) => most = most.max(index),
            _ => is_array = false,
        }
        count += 1;
    }
    if is_array && most == count {
        head(out, count as usize, 0x90, 0xdc);
        for index in 1..=count {
            pack(lua, out, &table.raw_get(index)?, level + 1)?;
        }
    } else {
        head(out, count as usize, 0x80, 0xde);
        for pair in table.pairs::<Value, Value>() {
            let (key, value) = pair?;
            pack(lua, out, &key, level + 1)?;
            pack(lua, out, &value, level + 1)?;
        }
    }
    Ok(())
}

/// How many follow: in the byte itself, in two bytes, in four.
fn head(out: &mut Vec<u8>, count: usize, fixed: u8, two: u8) {
    match count {
        0..=15 => out.push(fixed | count as u8),
        16..=0xffff => {
            out.push(two);
            out.extend_from_slice(&(count as u16).to_be_bytes());
        }
        _ => {
            out.push(two + 1);
            out.extend_from_slice(&(count as u32).to_be_bytes());
        }
    }
}

fn bytes(out: &mut Vec<u8>, text: &[u8]) {
    match text.len() {
        length @ 0..32 => out.push(0xa0 | length as u8),
        length @ 32..=0xff => out.extend_from_slice(&[0xd9, length as u8]),
        length @ 0x100..=0xffff => {
            out.push(0xda);
            out.extend_from_slice(&(length as u16).to_be_bytes());
        }
        length => {
            out.push(0xdb);
            out.extend_from_slice(&(length as u32).to_be_bytes());
        }
    }
    out.extend_from_slice(text);
}

fn whole(out: &mut Vec<u8>, number: i64) {
    match number {
        -32..=127 => out.push(number as u8),
        128..=0xff => out.extend_from_slice(&[0xcc, number as u8]),
        0x100..=0xffff => {
            out.push(0xcd);
            out.extend_from_slice(&(number as u16).to_be_bytes());
        }
        0x1_0000..=0xffff_ffff => {
            out.push(0xce);
            out.extend_from_slice(&(number as u32).to_be_bytes());
        }
        0x1_0000_0000.. => {
            out.push(0xcf);
            out.extend_from_slice(&number.to_be_bytes());
        }
        -128..-32 => out.extend_from_slice(&[0xd0, number as u8]),
        -32768..-128 => {
            out.push(0xd1);
            out.extend_from_slice(&(number as i16).to_be_bytes());
        }
        -0x8000_0000..-32768 => {
            out.push(0xd2);
            out.extend_from_slice(&(number as i32).to_be_bytes());
        }
        _ => {
            out.push(0xd3);
            out.extend_from_slice(&number.to_be_bytes());
        }
    }
}

fn unpack(lua: &Lua, arguments: &[Value], name: &str, limit: i64, offset: i64) -> mlua::Result<MultiValue> {
    let first = arguments.first();
    let text = match first {
        Some(value @ (Value::String(_) | Value::Integer(_) | Value::Number(_))) => lua.coerce_string(value.clone())?,
        _ => None,
    };
    let Some(text) = text else {
        let why = format!("string expected, got {}", first.map_or("no value", type_name));
        return Err(bad_argument(lua, 1, name, &why));
    };
    let text = text.as_bytes();
    let everything = limit == 0 && offset == 0;
    if offset < 0 || limit < 0 {
        let text =
            format!("Invalid request to unpack with offset of {} and limit of {}.", offset as i32, text.len() as i32);
        return Err(raise(lua, &text));
    }
    let rest = usize::try_from(offset).ok().and_then(|offset| text.get(offset..));
    let Some(rest) = rest else {
        let text = format!("Start offset {} greater than input length {}.", offset as i32, text.len() as i32);
        return Err(raise(lua, &text));
    };
    let mut cursor = Cursor { lua, rest };
    let mut values = Vec::new();
    while !cursor.rest.is_empty() && (everything || (values.len() as i64) < limit) {
        values.push(cursor.value(0)?);
        if values.len() > SCRIPT_RESULTS {
            return Err(cursor.overflow());
        }
    }
    if !everything {
        let next = if cursor.rest.is_empty() { -1 } else { (text.len() - cursor.rest.len()) as i64 };
        values.insert(0, Value::Integer(next));
    }
    Ok(MultiValue::from_vec(values))
}

/// Reads values one behind the other.
struct Cursor<'a> {
    lua: &'a Lua,
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    fn overflow(&self) -> mlua::Error {
        let why = "stack overflow (too many return values at once; use unpack_one or unpack_limit instead.)";
        raise(self.lua, why)
    }

    fn take(&mut self, count: usize) -> mlua::Result<&'a [u8]> {
        match self.rest.split_at_checked(count) {
            Some((taken, rest)) => {
                self.rest = rest;
                Ok(taken)
            }
            None => Err(raise(self.lua, "Missing bytes in input.")),
        }
    }

    /// An unsigned number of so many bytes.
    fn unsigned(&mut self, bytes: usize) -> mlua::Result<u64> {
        Ok(self.take(bytes)?.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte)))
    }

    fn signed(&mut self, bytes: usize) -> mlua::Result<f64> {
        let shift = 64 - 8 * bytes as u32;
        Ok(((self.unsigned(bytes)? << shift) as i64 >> shift) as f64)
    }

    fn text(&mut self, length: u64) -> mlua::Result<Value> {
        let text = self.take(usize::try_from(length).unwrap_or(usize::MAX))?;
        Ok(Value::String(self.lua.create_string(text)?))
    }

    fn value(&mut self, depth: usize) -> mlua::Result<Value> {
        if depth > SCRIPT_DEPTH {
            return Err(raise(self.lua, "stack overflow (in function mp_decode_to_lua_array)"));
        }
        let [kind] = self.take(1)? else { return Ok(Value::Nil) };
        Ok(match kind {
            0xc0 => Value::Nil,
            0xc2 => Value::Boolean(false),
            0xc3 => Value::Boolean(true),
            0xca => Value::Number(f64::from(f32::from_bits(self.unsigned(4)? as u32))),
            0xcb => Value::Number(f64::from_bits(self.unsigned(8)?)),
            0xcc..=0xcf => Value::Number(self.unsigned(1 << (kind - 0xcc))? as f64),
            0xd0..=0xd3 => Value::Number(self.signed(1 << (kind - 0xd0))?),
            0xd9..=0xdb => {
                let length = self.unsigned(1 << (kind - 0xd9))?;
                self.text(length)?
            }
            0xdc | 0xdd => {
                let count = self.unsigned(2 << (kind - 0xdc))?;
                self.array(count, depth)?
            }
            0xde | 0xdf => {
                let count = self.unsigned(2 << (kind - 0xde))?;
                self.map(count, depth)?
            }
            0x00..=0x7f => Value::Integer(i64::from(*kind)),
            0xe0.. => Value::Integer(i64::from(*kind as i8)),
            0xa0..=0xbf => self.text(u64::from(kind & 0x1f))?,
            0x90..=0x9f => self.array(u64::from(kind & 0xf), depth)?,
            0x80..=0x8f => self.map(u64::from(kind & 0xf), depth)?,
            _ => return Err(raise(self.lua, "Bad data format in input.")),
        })
    }

    fn array(&mut self, count: u64, depth: usize) -> mlua::Result<Value> {
        let table = self.lua.create_table()?;
        for index in 1..=count {
            table.raw_set(index, self.value(depth + 1)?)?;
        }
        Ok(Value::Table(table))
    }

    fn map(&mut self, count: u64, depth: usize) -> mlua::Result<Value> {
        let table = self.lua.create_table()?;
        for _ in 0..count {
            let key = self.value(depth + 1)?;
            let value = self.value(depth + 1)?;
            match key {
                Value::Nil => return Err(raise(self.lua, "table index is nil")),
                Value::Number(number) if number.is_nan() => return Err(raise(self.lua, "table index is NaN")),
                key => table.raw_set(key, value)?,
            }
        }
        Ok(Value::Table(table))
    }
}
