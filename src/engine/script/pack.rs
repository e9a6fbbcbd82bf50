//! The `struct` library of scripts.

use mlua::{Lua, MultiValue, Table, Value, Variadic};

use super::convert::{truncated, type_name};
use super::thrown::{bad_argument, raise};
use crate::bounds::{SCRIPT_REPLY, SCRIPT_RESULTS};

/// The most bytes of an integer.
const MAX_INTEGER: usize = 32;

/// The table of functions.
pub(super) fn library(lua: &Lua) -> mlua::Result<Table> {
    let library = lua.create_table()?;
    library.raw_set("pack", lua.create_function(|lua: &Lua, arguments: Variadic<Value>| pack(lua, &arguments))?)?;
    library.raw_set("unpack", lua.create_function(|lua: &Lua, arguments: Variadic<Value>| unpack(lua, &arguments))?)?;
    library.raw_set("size", lua.create_function(|lua: &Lua, arguments: Variadic<Value>| size(lua, &arguments))?)?;
    Ok(library)
}

/// An argument as a byte string.
fn text(lua: &Lua, arguments: &[Value], index: usize, function: &str) -> mlua::Result<Vec<u8>> {
    let value = arguments.get(index);
    let text = match value {
        Some(value @ (Value::String(_) | Value::Integer(_) | Value::Number(_))) => lua.coerce_string(value.clone())?,
        _ => None,
    };
    match text {
        Some(text) => Ok(text.as_bytes().to_vec()),
        None => {
            let why = format!("string expected, got {}", value.map_or("no value", type_name));
            Err(bad_argument(lua, index + 1, function, &why))
        }
    }
}

/// An argument as a number.
fn number(lua: &Lua, arguments: &[Value], index: usize, function: &str) -> mlua::Result<f64> {
    let value = arguments.get(index);
    match lua.coerce_number(value.cloned().unwrap_or(Value::Nil))? {
        Some(number) => Ok(number),
        None => {
            let why = format!("number expected, got {}", value.map_or("nil", type_name));
            Err(bad_argument(lua, index + 1, function, &why))
        }
    }
}

/// Goes through a format.
struct Format<'a> {
    lua: &'a Lua,
    function: &'static str,
    text: &'a [u8],
    at: usize,
    big: bool,
    align: usize,
}

impl<'a> Format<'a> {
    fn new(lua: &'a Lua, function: &'static str, text: &'a [u8]) -> Self {
        // It ends where a zero stands, as strings of C do.
        let end = text.iter().position(|byte| *byte == 0).unwrap_or(text.len());
        Self { lua, function, text: text.get(..end).unwrap_or_default(), at: 0, big: false, align: 1 }
    }

    /// The next option and the size of what it stands for.
    fn next(&mut self) -> mlua::Result<Option<(u8, usize)>> {
        let Some(option) = self.text.get(self.at).copied() else { return Ok(None) };
        self.at += 1;
        let size = match option {
            b'B' | b'b' | b'x' => 1,
            b'H' | b'h' => 2,
            b'L' | b'l' | b'T' | b'd' => 8,
            b'f' => 4,
            b'c' => self.number(1)?,
            b'i' | b'I' => {
                let size = self.number(4)?;
                if size > MAX_INTEGER {
                    let text = format!("integral size {size} is larger than limit of {MAX_INTEGER}");
                    return Err(raise(self.lua, &text));
                }
                size
            }
            _ => 0,
        };
        Ok(Some((option, size)))
    }

    fn number(&mut self, otherwise: usize) -> mlua::Result<usize> {
        let digits = self.text.iter().skip(self.at).take_while(|byte| byte.is_ascii_digit()).count();
        if digits == 0 {
            return Ok(otherwise);
        }
        let text = self.text.get(self.at..self.at + digits).and_then(|text| std::str::from_utf8(text).ok());
        self.at += digits;
        let number = text.and_then(|text| text.parse::<i32>().ok()).and_then(|number| usize::try_from(number).ok());
        number.ok_or_else(|| raise(self.lua, "integral size overflow"))
    }

    /// How many bytes are left out so that what follows stands where it may.
    fn padding(&self, at: usize, option: u8, size: usize) -> usize {
        if size == 0 || option == b'c' {
            return 0;
        }
        let size = size.min(self.align);
        size.wrapping_sub(at & size.wrapping_sub(1)) & size.wrapping_sub(1)
    }

    /// An option that stands for no value.
    fn control(&mut self, option: u8) -> mlua::Result<()> {
        match option {
            b' ' => {}
            b'>' => self.big = true,
            b'<' => self.big = false,
            b'!' => {
                let align = self.number(8)?;
                if !align.is_power_of_two() {
                    return Err(raise(self.lua, &format!("alignment {align} is not a power of 2")));
                }
                self.align = align;
            }
            other => {
                let why = format!("invalid format option '{}'", other as char);
                return Err(bad_argument(self.lua, 1, self.function, &why));
            }
        }
        Ok(())
    }

    /// Bytes in this order or the other.
    fn ordered<const N: usize>(&self, mut little: [u8; N]) -> [u8; N] {
        if self.big {
            little.reverse();
        }
        little
    }
}

fn pack(lua: &Lua, arguments: &[Value]) -> mlua::Result<mlua::LuaString> {
    let format = text(lua, arguments, 0, "pack")?;
    let mut format = Format::new(lua, "pack", &format);
    let (mut out, mut argument) = (Vec::new(), 1);
    while let Some((option, size)) = format.next()? {
        out.resize(out.len() + format.padding(out.len(), option, size), 0);
        match option {
            b'b' | b'B' | b'h' | b'H' | b'l' | b'L' | b'T' | b'i' | b'I' => {
                let number = number(lua, arguments, argument, "pack")?;
                argument += 1;
                let value = if number < 0.0 || number < 9.2e18 { truncated(number) as u64 } else { number as u64 };
                let start = out.len();
                // What is longer than 64 bits is filled with zeros, negative or not.
                out.extend(value.to_le_bytes().into_iter().chain(std::iter::repeat(0)).take(size));
                if format.big
                    && let Some(bytes) = out.get_mut(start..)
                {
                    bytes.reverse();
                }
            }
            b'x' => out.push(0),
            b'f' => {
                let number = number(lua, arguments, argument, "pack")? as f32;
                out.extend_from_slice(&format.ordered(number.to_le_bytes()));
                argument += 1;
            }
            b'd' => {
                let number = number(lua, arguments, argument, "pack")?;
                out.extend_from_slice(&format.ordered(number.to_le_bytes()));
                argument += 1;
            }
            b'c' | b's' => {
                let text = text(lua, arguments, argument, "pack")?;
                argument += 1;
                let size = if size == 0 { text.len() } else { size };
                let Some(part) = text.get(..size) else {
                    return Err(bad_argument(lua, argument + 1, "pack", "string too short"));
                };
                out.extend_from_slice(part);
                if option == b's' {
                    out.push(0);
                }
            }
            other => format.control(other)?,
        }
        if out.len() > SCRIPT_REPLY {
            return Err(raise(lua, "not enough memory"));
        }
    }
    lua.create_string(&out)
}

fn unpack(lua: &Lua, arguments: &[Value]) -> mlua::Result<MultiValue> {
    let short = || bad_argument(lua, 2, "unpack", "data string too short");
    let format = text(lua, arguments, 0, "unpack")?;
    let data = text(lua, arguments, 1, "unpack")?;
    let first = match arguments.get(2) {
        None | Some(Value::Nil) => 1.0,
        Some(_) => number(lua, arguments, 2, "unpack")?,
    };
    let Some(mut at) = usize::try_from(truncated(first)).ok().and_then(|first| first.checked_sub(1)) else {
        return Err(bad_argument(lua, 3, "unpack", "offset must be 1 or greater"));
    };
    let mut format = Format::new(lua, "unpack", &format);
    let mut values: Vec<Value> = Vec::new();
    while let Some((option, mut size)) = format.next()? {
        at = at.checked_add(format.padding(at, option, size)).ok_or_else(short)?;
        let end = |size: usize| at.checked_add(size).filter(|end| *end <= data.len());
        let piece = end(size).and_then(|end| data.get(at..end)).ok_or_else(short)?;
        if values.len() > SCRIPT_RESULTS {
            return Err(raise(lua, "stack overflow (too many results)"));
        }
        match option {
            b'b' | b'B' | b'h' | b'H' | b'l' | b'L' | b'T' | b'i' | b'I' => {
                values.push(Value::Number(whole(piece, format.big, option.is_ascii_lowercase())));
            }
            b'x' => {}
            b'f' => {
                let bytes = piece.try_into().map_err(|_| short())?;
                values.push(Value::Number(f64::from(f32::from_le_bytes(format.ordered(bytes)))));
            }
            b'd' => {
                let bytes = piece.try_into().map_err(|_| short())?;
                values.push(Value::Number(f64::from_le_bytes(format.ordered(bytes))));
            }
            b'c' => {
                let mut piece = piece;
                if size == 0 {
                    let before = match values.pop() {
                        Some(Value::Integer(number)) => Some(number as f64),
                        Some(Value::Number(number)) => Some(number),
                        Some(Value::String(text)) => lua.coerce_number(Value::String(text))?,
                        _ => None,
                    };
                    let before = before.ok_or_else(|| raise(lua, "format 'c0' needs a previous size"))?;
                    size = usize::try_from(truncated(before)).unwrap_or(usize::MAX);
                    piece = end(size).and_then(|end| data.get(at..end)).ok_or_else(short)?;
                }
                values.push(Value::String(lua.create_string(piece)?));
            }
            b's' => {
                let rest = data.get(at..).unwrap_or_default();
                let length = rest.iter().position(|byte| *byte == 0);
                let length = length.ok_or_else(|| raise(lua, "unfinished string in data"))?;
                values.push(Value::String(lua.create_string(rest.get(..length).unwrap_or_default())?));
                size = length + 1;
            }
            other => format.control(other)?,
        }
        at += size;
    }
    values.push(Value::Integer(at as i64 + 1));
    Ok(MultiValue::from_vec(values))
}

/// An integer of any length, of which the low 64 bits count.
fn whole(bytes: &[u8], big: bool, signed: bool) -> f64 {
    let add = |sum: u64, byte: &u8| sum << 8 | u64::from(*byte);
    let value = if big { bytes.iter().fold(0, add) } else { bytes.iter().rev().fold(0, add) };
    if !signed {
        return value as f64;
    }
    let shift = 64_u32.saturating_sub(8 * bytes.len() as u32);
    ((value.wrapping_shl(shift)) as i64 >> shift.min(63)) as f64
}

fn size(lua: &Lua, arguments: &[Value]) -> mlua::Result<i64> {
    let format = text(lua, arguments, 0, "size")?;
    let mut format = Format::new(lua, "size", &format);
    let mut at = 0_usize;
    while let Some((option, size)) = format.next()? {
        at = at.saturating_add(format.padding(at, option, size));
        match option {
            b's' => return Err(bad_argument(lua, 1, "size", "option 's' has no fixed size")),
            b'c' if size == 0 => return Err(bad_argument(lua, 1, "size", "option 'c0' has no fixed size")),
            other if !other.is_ascii_alphanumeric() => format.control(other)?,
            _ => {}
        }
        at = at.saturating_add(size);
    }
    Ok(at as i64)
}
