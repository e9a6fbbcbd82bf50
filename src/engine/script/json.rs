//! The `cjson` library of scripts.

use std::cell::RefCell;
use std::rc::Rc;

use mlua::{Lua, Table, Value, Variadic};

use super::convert::type_name;
use super::thrown::{bad_argument, raise};
use crate::bounds::{SCRIPT_DEPTH, SCRIPT_REPLY, SCRIPT_VALUES};

/// What a module of it is set to.
#[derive(Clone, Copy)]
struct Settings {
    /// Sparse arrays become objects, and are no error.
    convert: bool,
    /// An array with so many times more places than elements is sparse…
    ratio: i64,
    /// …if it has more places than this.
    safe: i64,
    encode_depth: i64,
    decode_depth: i64,
    /// Digits of numbers.
    precision: i64,
    keep_buffer: bool,
    encode_invalid: Invalid,
    decode_invalid: bool,
    /// How many values the text under way has so far.
    values: usize,
}

/// What becomes of numbers that JSON has not.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Invalid {
    Refused,
    Written,
    Null,
}

impl Settings {
    const START: Self = Self {
        convert: false,
        ratio: 2,
        safe: 10,
        encode_depth: 1000,
        decode_depth: 1000,
        precision: 14,
        keep_buffer: true,
        encode_invalid: Invalid::Refused,
        decode_invalid: true,
        values: 0,
    };
}

/// The table of functions, with settings of its own.
pub(super) fn library(lua: &Lua) -> mlua::Result<Table> {
    let settings = Rc::new(RefCell::new(Settings::START));
    let library = lua.create_table()?;
    let own = settings.clone();
    let encode = move |lua: &Lua, arguments: Variadic<Value>| {
        let [value] = &arguments[..] else { return Err(bad_argument(lua, 1, "encode", "expected 1 argument")) };
        let mut out = Vec::new();
        let mut settings = *own.borrow();
        encode(lua, &mut settings, &mut out, value, 0)?;
        lua.create_string(&out)
    };
    library.raw_set("encode", lua.create_function(encode)?)?;
    let own = settings.clone();
    let decode = move |lua: &Lua, arguments: Variadic<Value>| {
        let [value] = &arguments[..] else { return Err(bad_argument(lua, 1, "decode", "expected 1 argument")) };
        let text = match value {
            Value::String(_) | Value::Integer(_) | Value::Number(_) => lua.coerce_string(value.clone())?,
            _ => None,
        };
        let Some(text) = text else {
            let why = format!("string expected, got {}", type_name(value));
            return Err(bad_argument(lua, 1, "decode", &why));
        };
        let text = text.as_bytes();
        if text.len() >= 2 && text.iter().take(2).any(|byte| *byte == 0) {
            return Err(raise(lua, "JSON parser does not support UTF-16 or UTF-32"));
        }
        Decoder { lua, settings: *own.borrow(), text: &text, at: 0, began: 0, depth: 0 }.whole()
    };
    library.raw_set("decode", lua.create_function(decode)?)?;
    options(lua, &library, &settings)?;
    library.raw_set("new", lua.create_function(|lua: &Lua, ()| self::library(lua))?)?;
    library.raw_set("null", Value::NULL)?;
    library.raw_set("_NAME", "cjson")?;
    library.raw_set("_VERSION", "2.1.0")?;
    Ok(library)
}

/// A number within bounds, where one is given.
fn integer(
    lua: &Lua,
    arguments: &[Value],
    index: usize,
    name: &str,
    least: i64,
    most: i64,
) -> mlua::Result<Option<i64>> {
    let value = arguments.get(index).unwrap_or(&Value::Nil);
    if *value == Value::Nil {
        return Ok(None);
    }
    let Some(number) = lua.coerce_integer(value.clone())? else {
        let why = format!("number expected, got {}", type_name(value));
        return Err(bad_argument(lua, index + 1, name, &why));
    };
    if !(least..=most).contains(&number) {
        return Err(bad_argument(lua, 1, name, &format!("expected integer between {least} and {most}")));
    }
    Ok(Some(number))
}

/// A boolean or one of these words, where one is given: the word's place.
fn choice(lua: &Lua, arguments: &[Value], index: usize, name: &str, words: &[&str]) -> mlua::Result<Option<usize>> {
    match arguments.get(index) {
        None | Some(Value::Nil) => Ok(None),
        Some(Value::Boolean(truth)) => Ok(Some(usize::from(*truth))),
        Some(Value::String(text)) => {
            let text = text.to_string_lossy();
            match words.iter().position(|word| *word == text) {
                Some(place) => Ok(Some(place)),
                None => Err(bad_argument(lua, index + 1, name, &format!("invalid option '{text}'"))),
            }
        }
        Some(other) => {
            let why = format!("string expected, got {}", type_name(other));
            Err(bad_argument(lua, index + 1, name, &why))
        }
    }
}

const MOST: i64 = i32::MAX as i64;

fn too_many(lua: &Lua, name: &str, arguments: &[Value], most: usize) -> mlua::Result<()> {
    if arguments.len() > most {
        return Err(bad_argument(lua, most + 1, name, "found too many arguments"));
    }
    Ok(())
}

/// The functions that set and tell.
fn options(lua: &Lua, library: &Table, settings: &Rc<RefCell<Settings>>) -> mlua::Result<()> {
    let own = settings.clone();
    let sparse = move |lua: &Lua, arguments: Variadic<Value>| {
        let name = "encode_sparse_array";
        too_many(lua, name, &arguments, 3)?;
        let mut settings = own.borrow_mut();
        if let Some(place) = choice(lua, &arguments, 0, name, &["off", "on"])? {
            settings.convert = place == 1;
        }
        settings.ratio = integer(lua, &arguments, 1, name, 0, MOST)?.unwrap_or(settings.ratio);
        settings.safe = integer(lua, &arguments, 2, name, 0, MOST)?.unwrap_or(settings.safe);
        Ok((settings.convert, settings.ratio, settings.safe))
    };
    library.raw_set("encode_sparse_array", lua.create_function(sparse)?)?;
    type Field = fn(&mut Settings) -> &mut i64;
    let numbers: [(&'static str, Field, i64); 3] = [
        ("encode_max_depth", |settings| &mut settings.encode_depth, MOST),
        ("decode_max_depth", |settings| &mut settings.decode_depth, MOST),
        ("encode_number_precision", |settings| &mut settings.precision, 14),
    ];
    for (name, field, most) in numbers {
        let own = settings.clone();
        let set = move |lua: &Lua, arguments: Variadic<Value>| {
            too_many(lua, name, &arguments, 1)?;
            let mut settings = own.borrow_mut();
            let field = field(&mut settings);
            *field = integer(lua, &arguments, 0, name, 1, most)?.unwrap_or(*field);
            Ok(*field)
        };
        library.raw_set(name, lua.create_function(set)?)?;
    }
    let own = settings.clone();
    let keep = move |lua: &Lua, arguments: Variadic<Value>| {
        too_many(lua, "encode_keep_buffer", &arguments, 1)?;
        let mut settings = own.borrow_mut();
        if let Some(place) = choice(lua, &arguments, 0, "encode_keep_buffer", &["off", "on"])? {
            settings.keep_buffer = place == 1;
        }
        Ok(settings.keep_buffer)
    };
    library.raw_set("encode_keep_buffer", lua.create_function(keep)?)?;
    let own = settings.clone();
    let encode_invalid = move |lua: &Lua, arguments: Variadic<Value>| {
        let name = "encode_invalid_numbers";
        too_many(lua, name, &arguments, 1)?;
        let mut settings = own.borrow_mut();
        match choice(lua, &arguments, 0, name, &["off", "on", "null"])? {
            Some(0) => settings.encode_invalid = Invalid::Refused,
            Some(1) => settings.encode_invalid = Invalid::Written,
            Some(_) => settings.encode_invalid = Invalid::Null,
            None => {}
        }
        Ok(match settings.encode_invalid {
            Invalid::Refused => Value::Boolean(false),
            Invalid::Written => Value::Boolean(true),
            Invalid::Null => Value::String(lua.create_string("null")?),
        })
    };
    library.raw_set("encode_invalid_numbers", lua.create_function(encode_invalid)?)?;
    let own = settings.clone();
    let decode_invalid = move |lua: &Lua, arguments: Variadic<Value>| {
        too_many(lua, "decode_invalid_numbers", &arguments, 1)?;
        let mut settings = own.borrow_mut();
        if let Some(place) = choice(lua, &arguments, 0, "decode_invalid_numbers", &["off", "on"])? {
            settings.decode_invalid = place == 1;
        }
        Ok(settings.decode_invalid)
    };
    library.raw_set("decode_invalid_numbers", lua.create_function(decode_invalid)?)
}

fn refused(lua: &Lua, value: &Value, why: &str) -> mlua::Error {
    raise(lua, &format!("Cannot serialise {}: {why}", type_name(value)))
}

fn encode(lua: &Lua, settings: &mut Settings, out: &mut Vec<u8>, value: &Value, depth: i64) -> mlua::Result<()> {
    settings.values += 1;
    if out.len() > SCRIPT_REPLY || settings.values > SCRIPT_VALUES {
        return Err(raise(lua, "not enough memory"));
    }
    match value {
        Value::String(text) => string(out, &text.as_bytes()),
        Value::Integer(number) => self::number(lua, settings, out, *number as f64, value)?,
        Value::Number(number) => self::number(lua, settings, out, *number, value)?,
        Value::Boolean(truth) => out.extend_from_slice(if *truth { b"true" } else { b"false" }),
        Value::Nil => out.extend_from_slice(b"null"),
        Value::LightUserData(pointer) if pointer.0.is_null() => out.extend_from_slice(b"null"),
        Value::Table(table) => {
            let depth = depth + 1;
            if depth > settings.encode_depth || depth > SCRIPT_DEPTH as i64 {
                return Err(raise(lua, &format!("Cannot serialise, excessive nesting ({depth})")));
            }
            match array_length(lua, settings, table)? {
                Some(length) if length > 0 => array(lua, settings, out, table, length, depth)?,
                _ => object(lua, settings, out, table, depth)?,
            }
        }
        other => return Err(refused(lua, other, "type not supported")),
    }
    Ok(())
}

/// How many places an array has; `None` where it is none.
fn array_length(lua: &Lua, settings: &Settings, table: &Table) -> mlua::Result<Option<i64>> {
    let (mut most, mut count) = (0_i64, 0_i64);
    for pair in table.pairs::<Value, Value>() {
        match pair?.0 {
            Value::Integer(index) if index >= 1 => most = most.max(index),
            Value::Number(index) if index >= 1.0 && index.floor() == index => most = most.max(index as i64),
            _ => return Ok(None),
        }
        count += 1;
    }
    if settings.ratio > 0 && most > count.saturating_mul(settings.ratio) && most > settings.safe {
        if !settings.convert {
            return Err(refused(lua, &Value::Table(table.clone()), "excessively sparse array"));
        }
        return Ok(None);
    }
    Ok(Some(most))
}

fn array(
    lua: &Lua,
    settings: &mut Settings,
    out: &mut Vec<u8>,
    table: &Table,
    length: i64,
    depth: i64,
) -> mlua::Result<()> {
    out.push(b'[');
    for index in 1..=length {
        if index > 1 {
            out.push(b',');
        }
        encode(lua, settings, out, &table.raw_get(index)?, depth)?;
    }
    out.push(b']');
    Ok(())
}

fn object(lua: &Lua, settings: &mut Settings, out: &mut Vec<u8>, table: &Table, depth: i64) -> mlua::Result<()> {
    out.push(b'{');
    let start = out.len();
    for pair in table.pairs::<Value, Value>() {
        let (key, value) = pair?;
        if out.len() > start {
            out.push(b',');
        }
        match &key {
            Value::String(text) => string(out, &text.as_bytes()),
            Value::Integer(_) | Value::Number(_) => {
                out.push(b'"');
                let number = if let Value::Integer(number) = key { number as f64 } else { key.as_f64().unwrap_or(0.0) };
                self::number(lua, settings, out, number, &key)?;
                out.push(b'"');
            }
            other => return Err(refused(lua, other, "table key must be a number or string")),
        }
        out.push(b':');
        encode(lua, settings, out, &value, depth)?;
    }
    out.push(b'}');
    Ok(())
}

fn string(out: &mut Vec<u8>, text: &[u8]) {
    out.reserve(text.len() + 2);
    out.push(b'"');
    for byte in text {
        let short = match byte {
            b'"' | b'\\' | b'/' => *byte,
            8 => b'b',
            9 => b't',
            10 => b'n',
            12 => b'f',
            13 => b'r',
            0..32 | 127 => {
                out.extend_from_slice(format!("\\u{byte:04x}").as_bytes());
                continue;
            }
            _ => {
                out.push(*byte);
                continue;
            }
        };
        out.extend_from_slice(&[b'\\', short]);
    }
    out.push(b'"');
}

fn number(lua: &Lua, settings: &mut Settings, out: &mut Vec<u8>, number: f64, value: &Value) -> mlua::Result<()> {
    if !number.is_finite() {
        match settings.encode_invalid {
            Invalid::Refused => return Err(refused(lua, value, "must not be NaN or Inf")),
            Invalid::Null => out.extend_from_slice(b"null"),
            Invalid::Written if number.is_nan() => out.extend_from_slice(b"nan"),
            Invalid::Written => out.extend_from_slice(if number > 0.0 { b"inf" } else { b"-inf" }),
        }
        return Ok(());
    }
    out.extend_from_slice(general(number, settings.precision.max(1) as usize).as_bytes());
    Ok(())
}

/// As C's `%.*g`.
fn general(number: f64, digits: usize) -> String {
    if number == 0.0 {
        return if number.is_sign_negative() { "-0".to_owned() } else { "0".to_owned() };
    }
    let scientific = format!("{number:.*e}", digits - 1);
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let trimmed = |text: &str| match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text.to_owned(),
    };
    if exponent < -4 || exponent >= digits as i32 {
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{}e{sign}{:02}", trimmed(mantissa), exponent.abs());
    }
    trimmed(&format!("{number:.*}", (digits as i32 - 1 - exponent).max(0) as usize))
}

/// Reads one text.
struct Decoder<'a> {
    lua: &'a Lua,
    settings: Settings,
    text: &'a [u8],
    at: usize,
    /// Where the last token began.
    began: usize,
    depth: i64,
}

/// What stands in a text.
enum Token {
    Sign(u8),
    String(Vec<u8>),
    Number(f64),
    Boolean(bool),
    Null,
    End,
    Wrong(&'static str),
}

impl Token {
    fn name(&self) -> &'static str {
        match self {
            Self::Sign(b'{') => "T_OBJ_BEGIN",
            Self::Sign(b'}') => "T_OBJ_END",
            Self::Sign(b'[') => "T_ARR_BEGIN",
            Self::Sign(b']') => "T_ARR_END",
            Self::Sign(b':') => "T_COLON",
            Self::Sign(_) => "T_COMMA",
            Self::String(_) => "T_STRING",
            Self::Number(_) => "T_NUMBER",
            Self::Boolean(_) => "T_BOOLEAN",
            Self::Null => "T_NULL",
            Self::End => "T_END",
            Self::Wrong(why) => why,
        }
    }
}

impl Decoder<'_> {
    fn whole(&mut self) -> mlua::Result<Value> {
        let token = self.token();
        let value = self.value(token)?;
        match self.token() {
            Token::End => Ok(value),
            other => Err(self.expected("the end", &other)),
        }
    }

    fn expected(&self, what: &str, found: &Token) -> mlua::Error {
        let text = format!("Expected {what} but found {} at character {}", found.name(), self.began + 1);
        raise(self.lua, &text)
    }

    fn peek(&self, ahead: usize) -> u8 {
        self.text.get(self.at + ahead).copied().unwrap_or(0)
    }

    fn rest(&self) -> &[u8] {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn token(&mut self) -> Token {
        while matches!(self.peek(0), b' ' | b'\t' | b'\n' | b'\r') {
            self.at += 1;
        }
        self.began = self.at;
        match self.peek(0) {
            // A text ends where a zero stands, as strings of C do.
            0 => Token::End,
            sign @ (b'{' | b'}' | b'[' | b']' | b':' | b',') => {
                self.at += 1;
                Token::Sign(sign)
            }
            b'"' => self.string(),
            b'-' | b'0'..=b'9' => {
                if !self.settings.decode_invalid && self.is_invalid_number() {
                    return Token::Wrong("invalid number");
                }
                self.number()
            }
            _ => self.word(),
        }
    }

    fn word(&mut self) -> Token {
        let words: [(&[u8], Token); 3] =
            [(b"true", Token::Boolean(true)), (b"false", Token::Boolean(false)), (b"null", Token::Null)];
        for (word, token) in words {
            if self.rest().starts_with(word) {
                self.at += word.len();
                return token;
            }
        }
        if self.settings.decode_invalid
            && matches!(self.peek(0), b'+' | b'i' | b'I' | b'n' | b'N')
            && self.is_invalid_number()
        {
            return self.number();
        }
        Token::Wrong("invalid token")
    }

    /// A number that JSON does not have, although C reads it.
    fn is_invalid_number(&self) -> bool {
        if self.peek(0) == b'+' {
            return true;
        }
        let skip = usize::from(self.peek(0) == b'-');
        match self.peek(skip) {
            b'0' => matches!(self.peek(skip + 1), b'x' | b'X' | b'0'..=b'9'),
            b'1'..=b'9' => false,
            _ => {
                let word = self.text.get(self.at + skip..self.at + skip + 3).unwrap_or_default();
                word.eq_ignore_ascii_case(b"inf") || word.eq_ignore_ascii_case(b"nan")
            }
        }
    }

    /// What `strtod` reads here.
    fn number(&mut self) -> Token {
        let rest = self.rest();
        let sign = usize::from(matches!(rest.first(), Some(b'-' | b'+')));
        let negative = rest.first() == Some(&b'-');
        let body = rest.get(sign..).unwrap_or_default();
        let signed = |number: f64| if negative { -number } else { number };
        let starts = |word: &[u8]| body.get(..word.len()).is_some_and(|head| head.eq_ignore_ascii_case(word));
        let (length, number) = if starts(b"infinity") {
            (8, f64::INFINITY)
        } else if starts(b"inf") {
            (3, f64::INFINITY)
        } else if starts(b"nan") {
            (3, f64::NAN)
        } else if starts(b"0x") && body.get(2).is_some_and(u8::is_ascii_hexdigit) {
            let digits = body.iter().skip(2).take_while(|byte| byte.is_ascii_hexdigit()).count();
            let value = body
                .iter()
                .skip(2)
                .take(digits)
                .fold(0.0, |sum, byte| sum * 16.0 + f64::from((*byte as char).to_digit(16).unwrap_or(0)));
            (2 + digits, value)
        } else {
            let length = decimal_length(body);
            let text = body.get(..length).and_then(|text| std::str::from_utf8(text).ok());
            match text.and_then(|text| text.parse().ok()) {
                Some(number) => (length, number),
                None => return Token::Wrong("invalid number"),
            }
        };
        self.at += sign + length;
        Token::Number(signed(number))
    }

    fn string(&mut self) -> Token {
        self.at += 1;
        let mut out = Vec::new();
        loop {
            match self.peek(0) {
                b'"' => break,
                0 => {
                    self.began = self.at;
                    return Token::Wrong("unexpected end of string");
                }
                b'\\' => {
                    let plain = match self.peek(1) {
                        byte @ (b'"' | b'\\' | b'/') => byte,
                        b'b' => 8,
                        b't' => 9,
                        b'n' => 10,
                        b'f' => 12,
                        b'r' => 13,
                        b'u' => match self.escape() {
                            Some((letter, length)) => {
                                out.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes());
                                self.at += length;
                                continue;
                            }
                            None => {
                                self.began = self.at;
                                return Token::Wrong("invalid unicode escape code");
                            }
                        },
                        _ => {
                            self.began = self.at;
                            return Token::Wrong("invalid escape code");
                        }
                    };
                    out.push(plain);
                    self.at += 2;
                }
                byte => {
                    out.push(byte);
                    self.at += 1;
                }
            }
        }
        self.at += 1;
        Token::String(out)
    }

    fn hexadecimal(&self, ahead: usize) -> Option<u32> {
        let digits = self.text.get(self.at + ahead..self.at + ahead + 4)?;
        digits.iter().try_fold(0, |sum, byte| Some(sum * 16 + (*byte as char).to_digit(16)?))
    }

    /// `\uXXXX`, or two of them, and how long they are.
    fn escape(&self) -> Option<(char, usize)> {
        let first = self.hexadecimal(2)?;
        if first & 0xf800 != 0xd800 {
            return Some((char::from_u32(first)?, 6));
        }
        if first & 0x400 != 0 || self.peek(6) != b'\\' || self.peek(7) != b'u' {
            return None;
        }
        let second = self.hexadecimal(8)?;
        if second & 0xfc00 != 0xdc00 {
            return None;
        }
        Some((char::from_u32(((first & 0x3ff) << 10 | second & 0x3ff) + 0x10000)?, 12))
    }

    fn value(&mut self, token: Token) -> mlua::Result<Value> {
        Ok(match token {
            Token::String(text) => Value::String(self.lua.create_string(&text)?),
            Token::Number(number) => Value::Number(number),
            Token::Boolean(truth) => Value::Boolean(truth),
            Token::Null => Value::NULL,
            Token::Sign(b'{') => self.object()?,
            Token::Sign(b'[') => self.array()?,
            other => return Err(self.expected("value", &other)),
        })
    }

    fn descend(&mut self) -> mlua::Result<()> {
        self.depth += 1;
        if self.depth <= self.settings.decode_depth && self.depth <= SCRIPT_DEPTH as i64 {
            return Ok(());
        }
        let text = format!("Found too many nested data structures ({}) at character {}", self.depth, self.at);
        Err(raise(self.lua, &text))
    }

    fn object(&mut self) -> mlua::Result<Value> {
        self.descend()?;
        let table = self.lua.create_table()?;
        let mut token = self.token();
        if !matches!(token, Token::Sign(b'}')) {
            loop {
                let Token::String(key) = token else { return Err(self.expected("object key string", &token)) };
                token = self.token();
                if !matches!(token, Token::Sign(b':')) {
                    return Err(self.expected("colon", &token));
                }
                token = self.token();
                let value = self.value(token)?;
                table.raw_set(self.lua.create_string(&key)?, value)?;
                token = self.token();
                match token {
                    Token::Sign(b'}') => break,
                    Token::Sign(b',') => token = self.token(),
                    other => return Err(self.expected("comma or object end", &other)),
                }
            }
        }
        self.depth -= 1;
        Ok(Value::Table(table))
    }

    fn array(&mut self) -> mlua::Result<Value> {
        self.descend()?;
        let table = self.lua.create_table()?;
        let mut token = self.token();
        if !matches!(token, Token::Sign(b']')) {
            let mut index = 1;
            loop {
                let value = self.value(token)?;
                table.raw_set(index, value)?;
                index += 1;
                match self.token() {
                    Token::Sign(b']') => break,
                    Token::Sign(b',') => token = self.token(),
                    other => return Err(self.expected("comma or array end", &other)),
                }
            }
        }
        self.depth -= 1;
        Ok(Value::Table(table))
    }
}

/// How many bytes are a decimal number: digits with a point, an exponent.
fn decimal_length(text: &[u8]) -> usize {
    let digits = |from: usize| text.iter().skip(from).take_while(|byte| byte.is_ascii_digit()).count();
    let mut length = digits(0);
    if text.get(length) == Some(&b'.') {
        length += 1 + digits(length + 1);
    }
    if matches!(text.get(length), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(text.get(length + 1), Some(b'+' | b'-')));
        let exponent = digits(length + 1 + sign);
        if exponent > 0 {
            length += 1 + sign + exponent;
        }
    }
    length
}
