//! The `bit` library of scripts: numbers as 32 bits.

use mlua::{Lua, Table, Value, Variadic};

use super::thrown::bad_argument;

/// A number of the script as 32 bits: what is beyond them wraps around, fractions are rounded to even.
fn bits(lua: &Lua, arguments: &[Value], index: usize, function: &str) -> mlua::Result<i32> {
    let number = match arguments.get(index) {
        Some(Value::Integer(number)) => *number as f64,
        Some(Value::Number(number)) => *number,
        Some(value @ Value::String(_)) => match lua.coerce_number(value.clone())? {
            Some(number) => number,
            None => return Err(bad_argument(lua, index + 1, function, "number expected, got string")),
        },
        other => {
            let what = other.map_or("no value", super::convert::type_name);
            return Err(bad_argument(lua, index + 1, function, &format!("number expected, got {what}")));
        }
    };
    // Adding 2^52 + 2^51 rounds and leaves the number in the low bits.
    Ok((number + 6_755_399_441_055_744.0).to_bits() as i32)
}

type Unary = fn(i32) -> i32;
type Binary = fn(i32, i32) -> i32;

/// The table of functions.
pub(super) fn library(lua: &Lua) -> mlua::Result<Table> {
    let library = lua.create_table()?;
    let unary: [(&str, Unary); 3] = [("tobit", |bits| bits), ("bnot", |bits| !bits), ("bswap", i32::swap_bytes)];
    for (name, work) in unary {
        let function = move |lua: &Lua, arguments: Variadic<Value>| Ok(work(bits(lua, &arguments, 0, name)?));
        library.raw_set(name, lua.create_function(function)?)?;
    }
    let folds: [(&str, Binary); 3] = [("band", |a, b| a & b), ("bor", |a, b| a | b), ("bxor", |a, b| a ^ b)];
    for (name, work) in folds {
        let function = move |lua: &Lua, arguments: Variadic<Value>| {
            let mut all = bits(lua, &arguments, 0, name)?;
            for index in 1..arguments.len() {
                all = work(all, bits(lua, &arguments, index, name)?);
            }
            Ok(all)
        };
        library.raw_set(name, lua.create_function(function)?)?;
    }
    let shifts: [(&str, Binary); 5] = [
        ("lshift", |a, by| a.wrapping_shl(by as u32)),
        ("rshift", |a, by| (a as u32).wrapping_shr(by as u32) as i32),
        ("arshift", |a, by| a.wrapping_shr(by as u32)),
        ("rol", |a, by| a.rotate_left(by as u32 & 31)),
        ("ror", |a, by| a.rotate_right(by as u32 & 31)),
    ];
    for (name, work) in shifts {
        let function = move |lua: &Lua, arguments: Variadic<Value>| {
            Ok(work(bits(lua, &arguments, 0, name)?, bits(lua, &arguments, 1, name)?))
        };
        library.raw_set(name, lua.create_function(function)?)?;
    }
    library
        .raw_set("tohex", lua.create_function(|lua: &Lua, arguments: Variadic<Value>| hexadecimal(lua, &arguments))?)?;
    Ok(library)
}

/// Eight digits, or so many of the lowest; a negative number asks for capitals.
fn hexadecimal(lua: &Lua, arguments: &[Value]) -> mlua::Result<String> {
    let number = bits(lua, arguments, 0, "tohex")?;
    let digits = if arguments.len() > 1 { bits(lua, arguments, 1, "tohex")? } else { 8 };
    let count = digits.unsigned_abs().min(8) as usize;
    let text = if digits < 0 { format!("{number:08X}") } else { format!("{number:08x}") };
    Ok(text.get(8 - count..).unwrap_or_default().to_owned())
}
