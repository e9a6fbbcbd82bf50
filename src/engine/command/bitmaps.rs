//! Strings as arrays of bits. Bit 0 is the highest of the first byte.

use super::{Context, Flag, Keys, Outcome, Spec};
use crate::engine::args::Args;
use crate::engine::context::Origin;
use crate::engine::dialect::Dialect;
use crate::engine::error::CommandError;
use crate::engine::events::Class;
use crate::engine::keyspace::NEVER;
use crate::engine::value::{Decimal, Text, Value, integer};

const WRITE: &[Flag] = &[Flag::Write, Flag::DenyOom];
const READ: &[Flag] = &[Flag::Read];
const FAST_READ: &[Flag] = &[Flag::Read, Flag::Fast];

pub(super) const COMMANDS: &[Spec] = &[
    Spec::new("SETBIT", 4, WRITE, Keys::ONE, setbit),
    Spec::new("GETBIT", 3, FAST_READ, Keys::ONE, getbit),
    Spec::new("BITCOUNT", -2, READ, Keys::ONE, bitcount),
    Spec::new("BITPOS", -3, READ, Keys::ONE, bitpos),
    Spec::new("BITOP", -4, WRITE, Keys::new(2, -1, 1), bitop),
    Spec::new("BITFIELD", -2, WRITE, Keys::ONE, bitfield).since(3, 2),
    Spec::new("BITFIELD_RO", -2, FAST_READ, Keys::ONE, bitfield_ro).since(6, 0),
];

/// `proto-max-bulk-len`, which no bit may lie beyond.
const LONGEST: u64 = 512 << 20;

/// A bit's place; `#` in front counts in fields of `width` bits.
fn offset(context: &Context<'_>, argument: &[u8], width: Option<u64>) -> Result<u64, CommandError> {
    let invalid = CommandError::fixed("ERR bit offset is not an integer or out of range");
    let (digits, width) = match (argument, width) {
        ([b'#', digits @ ..], Some(width)) => (digits, width),
        _ => (argument, 1),
    };
    let offset = integer(digits).and_then(|number| u64::try_from(number).ok()?.checked_mul(width));
    // A master may be configured to take longer ones.
    let most = if context.origin == Origin::Master { 8 * LONGEST * 8 } else { 8 * LONGEST };
    offset.filter(|offset| *offset < most).ok_or(invalid)
}

/// A string with room for a bit, made where there is none; and whether it grew.
fn room<'a>(context: &'a mut Context<'_>, key: &[u8], bit: u64) -> Result<(&'a mut Vec<u8>, bool), CommandError> {
    let is_new = context.string(key)?.is_none();
    let bytes = context.string_or_new(key)?.growing();
    let length = usize::try_from(bit / 8 + 1).map_err(|_| CommandError::TOO_LONG)?;
    let grows = bytes.len() < length;
    if grows {
        bytes.resize(length, 0);
    }
    Ok((bytes, is_new || grows))
}

/// Whether a write that changes nothing is none. Before 7.0 it went into the stream.
fn counts_changes(dialect: Dialect) -> bool {
    dialect.since(7, 0)
}

fn setbit(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let key = args.get(1);
    let bit = offset(context, args.get(2), None)?;
    let on = match args.get(3) {
        b"0" => 0,
        b"1" => 1,
        _ => return Err(CommandError::fixed("ERR bit is not an integer or out of range")),
    };
    let always = !counts_changes(context.engine.dialect);
    let (bytes, grew) = room(context, key, bit)?;
    let before = bits(bytes, bit, 1);
    put_bits(bytes, bit, 1, on);
    if grew || before != on || always {
        context.changed(key, 1);
        context.notify(Class::String, "setbit", key);
    }
    context.reply.flag(before == 1);
    Ok(())
}

fn getbit(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let bit = offset(context, args.get(2), None)?;
    let mut decimal = Decimal::new();
    let value = context.string(args.get(1))?.map_or(0, |text| bits(text.bytes(&mut decimal), bit, 1));
    context.reply.flag(value == 1);
    Ok(())
}

/// So many bits from this one on, as a number; bits behind the end are 0.
fn bits(bytes: &[u8], first: u64, width: u64) -> u64 {
    let mut value = 0;
    let (mut bit, end) = (first, first + width);
    while bit < end {
        let byte = usize::try_from(bit / 8).ok().and_then(|place| bytes.get(place)).copied().unwrap_or(0);
        let taken = (8 - bit % 8).min(end - bit);
        let part = u64::from(byte) >> (8 - bit % 8 - taken) & ((1 << taken) - 1);
        value = value << taken | part;
        bit += taken;
    }
    value
}

/// Writes the lowest `width` bits of a number from this bit on.
fn put_bits(bytes: &mut [u8], first: u64, width: u64, value: u64) {
    let (mut bit, end) = (first, first + width);
    while bit < end {
        let taken = (8 - bit % 8).min(end - bit);
        let shift = 8 - bit % 8 - taken;
        let mask = (1_u64 << taken) - 1;
        let part = value >> (end - bit - taken) & mask;
        if let Some(byte) = usize::try_from(bit / 8).ok().and_then(|place| bytes.get_mut(place)) {
            *byte = *byte & !((mask << shift) as u8) | (part << shift) as u8;
        }
        bit += taken;
    }
}

/// A range as BITCOUNT and BITPOS take one: from the end if negative, both ends included, cut to what is there. Gives
/// bits, the end excluded; `None` where it is empty.
fn range(start: i64, end: i64, in_bits: bool, length: usize) -> Option<(u64, u64)> {
    let length = length as i64 * if in_bits { 8 } else { 1 };
    let place = |index: i64| if index < 0 { index.saturating_add(length).max(0) } else { index };
    let (start, end) = (place(start), place(end).min(length - 1));
    if start > end {
        return None;
    }
    let unit = if in_bits { 1 } else { 8 };
    Some((start as u64 * unit, (end as u64 + 1) * unit))
}

/// BYTE or BIT.
fn unit(args: Args<'_>, index: usize) -> Result<bool, CommandError> {
    match () {
        () if index >= args.len() || args.is(index, "BYTE") => Ok(false),
        () if args.is(index, "BIT") => Ok(true),
        () => Err(CommandError::SYNTAX),
    }
}

/// Until 7.0 a missing key, or one of another type, is told before the arguments are looked at.
fn looks_first(context: &Context<'_>) -> bool {
    !context.engine.dialect.since(7, 2)
}

fn bitcount(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let dialect = context.engine.dialect;
    if looks_first(context) && context.string(args.get(1))?.is_none() {
        context.reply.integer(0);
        return Ok(());
    }
    let (start, end, in_bits) = match args.len() {
        2 => (0, -1, false),
        // The end may be missing since Valkey 8.0, the unit be said since 7.0.
        3 if dialect.is_valkey_since(8, 0) => (args.integer(2)?, -1, false),
        4 => (args.integer(2)?, args.integer(3)?, false),
        5 if dialect.since(7, 0) => (args.integer(2)?, args.integer(3)?, unit(args, 4)?),
        _ => return Err(CommandError::SYNTAX),
    };
    let mut decimal = Decimal::new();
    let count = match context.string(args.get(1))? {
        Some(text) if !(start < 0 && end < 0 && start > end) => {
            let bytes = text.bytes(&mut decimal);
            range(start, end, in_bits, bytes.len()).map_or(0, |(start, end)| ones(bytes, start, end))
        }
        _ => 0,
    };
    context.reply.integer(count.cast_signed());
    Ok(())
}

/// How many bits are set from `start` to before `end`.
fn ones(bytes: &[u8], start: u64, end: u64) -> u64 {
    let first_whole = start.div_ceil(8).min(end / 8);
    let last_whole = (end / 8).max(first_whole);
    if start / 8 == end / 8 {
        return bits(bytes, start, end - start).count_ones().into();
    }
    let whole = bytes.get(first_whole as usize..last_whole as usize).unwrap_or_default();
    let (words, rest) = whole.as_chunks::<8>();
    let middle: u64 = words.iter().map(|word| u64::from(u64::from_ne_bytes(*word).count_ones())).sum::<u64>()
        + rest.iter().map(|byte| u64::from(byte.count_ones())).sum::<u64>();
    let ends = bits(bytes, start, first_whole * 8 - start).count_ones()
        + bits(bytes, last_whole * 8, end - last_whole * 8).count_ones();
    middle + u64::from(ends)
}

fn bitpos(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let wanted = args.integer(2)?;
    if wanted != 0 && wanted != 1 {
        return Err(CommandError::fixed("ERR The bit argument must be 1 or 0."));
    }
    if looks_first(context) && context.string(args.get(1))?.is_none() {
        context.reply.integer(-wanted);
        return Ok(());
    }
    let most = if context.engine.dialect.since(7, 0) { 6 } else { 5 };
    if args.len() > most {
        return Err(CommandError::SYNTAX);
    }
    let start = if args.len() > 3 { args.integer(3)? } else { 0 };
    let in_bits = unit(args, 5)?;
    let end = if args.len() > 4 { args.integer(4)? } else { -1 };
    let mut decimal = Decimal::new();
    let Some(text) = context.string(args.get(1))? else {
        context.reply.integer(-wanted);
        return Ok(());
    };
    let bytes = text.bytes(&mut decimal);
    let answer = match range(start, end, in_bits, bytes.len()) {
        None => -1,
        Some((start, end)) => match position(bytes, start, end, wanted == 1) {
            Some(bit) => bit.cast_signed(),
            // Behind the string all is 0, but only where the range is open.
            None if wanted == 0 && args.len() < 5 => end.cast_signed(),
            None => -1,
        },
    };
    context.reply.integer(answer);
    Ok(())
}

/// The first bit of a kind from `start` to before `end`.
fn position(bytes: &[u8], start: u64, end: u64, wanted: bool) -> Option<u64> {
    let mut bit = start;
    while bit < end {
        if bit.is_multiple_of(8) {
            let boring = if wanted { 0 } else { 0xff };
            let rest = bytes.get((bit / 8) as usize..end.div_ceil(8) as usize).unwrap_or_default();
            bit += 8 * rest.iter().take_while(|byte| **byte == boring).count() as u64;
            if bit >= end {
                return None;
            }
        }
        if (bits(bytes, bit, 1) == 1) == wanted {
            return Some(bit);
        }
        bit += 1;
    }
    None
}

/// What BITOP does with the bits of one place.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Operation {
    And,
    Or,
    Xor,
    Not,
    /// In the first and in none of the others. This and the following since Redis 8.2.
    Diff,
    /// In one of the others and not in the first.
    Diff1,
    /// In the first and in one of the others.
    AndOr,
    /// In exactly one.
    One,
}

impl Operation {
    fn read(args: Args<'_>) -> Option<(Self, &'static str)> {
        [
            (Self::And, "AND"),
            (Self::Or, "OR"),
            (Self::Xor, "XOR"),
            (Self::Not, "NOT"),
            (Self::Diff, "DIFF"),
            (Self::Diff1, "DIFF1"),
            (Self::AndOr, "ANDOR"),
            (Self::One, "ONE"),
        ]
        .into_iter()
        .find(|(_, name)| args.is(1, name))
    }
}

fn bitop(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let all = context.origin == Origin::Master || context.engine.dialect.is_redis_since(8, 2);
    let (operation, name) = Operation::read(args)
        .filter(|(operation, _)| {
            all || matches!(operation, Operation::And | Operation::Or | Operation::Xor | Operation::Not)
        })
        .ok_or(CommandError::SYNTAX)?;
    match operation {
        Operation::Not if args.len() != 4 => {
            return Err(CommandError::fixed("ERR BITOP NOT must be called with a single source key."));
        }
        Operation::Diff | Operation::Diff1 | Operation::AndOr if args.len() < 5 => {
            let text = format!("ERR BITOP {name} must be called with at least two source keys.");
            return Err(CommandError::new(text));
        }
        _ => {}
    }
    let (key, mut sources) = (args.get(2), Vec::with_capacity(args.len() - 3));
    for source in args.from(3) {
        // Shared or short: a clone costs no copy of a long string.
        sources.push(context.reading(|context| context.string(source).map(|text| text.cloned()))?);
    }
    let length = sources.iter().flatten().map(Text::len).max().unwrap_or(0);
    if length == 0 {
        if context.take(key).is_some() {
            context.changed(key, 1);
            context.notify(Class::Generic, "del", key);
        }
    } else {
        let result = combine(operation, &sources, length);
        context.exists(key);
        context.put(key, Value::String(Text::Growing(result.into())), NEVER);
        context.changed(key, 1);
        context.notify(Class::String, "set", key);
    }
    context.reply.count(length);
    Ok(())
}

fn combine(operation: Operation, sources: &[Option<Text>], length: usize) -> Vec<u8> {
    let mut result = vec![0; length];
    // In how many: of ONE, the places that were in more than one.
    let mut more = if operation == Operation::One { vec![0; length] } else { Vec::new() };
    let mut first = Vec::new();
    for (number, source) in sources.iter().enumerate() {
        let mut decimal = Decimal::new();
        let bytes = source.as_ref().map_or(&[][..], |text| text.bytes(&mut decimal));
        let padded = bytes.iter().copied().chain(std::iter::repeat(0));
        match operation {
            Operation::Diff | Operation::Diff1 | Operation::AndOr if number == 0 => {
                first = bytes.to_vec();
                first.resize(length, 0);
            }
            Operation::And if number > 0 => result.iter_mut().zip(padded).for_each(|(to, from)| *to &= from),
            Operation::Xor => result.iter_mut().zip(padded).for_each(|(to, from)| *to ^= from),
            Operation::Not => result.iter_mut().zip(padded).for_each(|(to, from)| *to = !from),
            Operation::One => {
                for ((to, more), from) in result.iter_mut().zip(&mut more).zip(padded) {
                    *more |= *to & from;
                    *to |= from;
                }
            }
            _ => result.iter_mut().zip(padded).for_each(|(to, from)| *to |= from),
        }
    }
    match operation {
        Operation::Diff => result.iter_mut().zip(&first).for_each(|(others, first)| *others = first & !*others),
        Operation::Diff1 => result.iter_mut().zip(&first).for_each(|(others, first)| *others &= !first),
        Operation::AndOr => result.iter_mut().zip(&first).for_each(|(others, first)| *others &= first),
        Operation::One => result.iter_mut().zip(&more).for_each(|(to, more)| *to &= !more),
        _ => {}
    }
    result
}

/// What happens to a number that does not fit its field.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Overflow {
    Wrap,
    Saturate,
    Fail,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Action {
    Get,
    Set(i64),
    Add(i64),
}

struct Field {
    signed: bool,
    width: u64,
    bit: u64,
    action: Action,
    overflow: Overflow,
}

fn bitfield(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    work_on_fields(context, args, false)
}

fn bitfield_ro(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    work_on_fields(context, args, true)
}

fn fields(context: &Context<'_>, args: Args<'_>) -> Result<Vec<Field>, CommandError> {
    let (mut fields, mut overflow, mut index) = (Vec::new(), Overflow::Wrap, 2);
    while index < args.len() {
        let left = args.len() - index - 1;
        let words = match () {
            () if args.is(index, "GET") && left >= 2 => 2,
            () if (args.is(index, "SET") || args.is(index, "INCRBY")) && left >= 3 => 3,
            () if args.is(index, "OVERFLOW") && left >= 1 => {
                overflow = match () {
                    () if args.is(index + 1, "WRAP") => Overflow::Wrap,
                    () if args.is(index + 1, "SAT") => Overflow::Saturate,
                    () if args.is(index + 1, "FAIL") => Overflow::Fail,
                    () => return Err(CommandError::fixed("ERR Invalid OVERFLOW type specified")),
                };
                index += 2;
                continue;
            }
            () => return Err(CommandError::SYNTAX),
        };
        let (signed, width) = field_type(args.get(index + 1))?;
        let bit = offset(context, args.get(index + 2), Some(width))?;
        let action = match words {
            2 => Action::Get,
            _ if args.is(index, "SET") => Action::Set(args.integer(index + 3)?),
            _ => Action::Add(args.integer(index + 3)?),
        };
        fields.push(Field { signed, width, bit, action, overflow });
        index += words + 1;
    }
    Ok(fields)
}

/// `i16`, `u8`.
fn field_type(argument: &[u8]) -> Result<(bool, u64), CommandError> {
    let parsed = match argument {
        [b'i', digits @ ..] => integer(digits).filter(|width| (1..=64).contains(width)).map(|width| (true, width)),
        [b'u', digits @ ..] => integer(digits).filter(|width| (1..=63).contains(width)).map(|width| (false, width)),
        _ => None,
    };
    let (signed, width) = parsed.ok_or(CommandError::fixed(
        "ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is.",
    ))?;
    Ok((signed, width.cast_unsigned()))
}

fn work_on_fields(context: &mut Context<'_>, args: Args<'_>, only_reads: bool) -> Outcome {
    let fields = fields(context, args)?;
    let key = args.get(1);
    let last = fields.iter().filter(|field| field.action != Action::Get).map(|field| field.bit + field.width - 1).max();
    let Some(last) = last else {
        let mut decimal = Decimal::new();
        let text = context.string(key)?.cloned();
        let bytes = text.as_ref().map_or(&[][..], |text| text.bytes(&mut decimal));
        context.reply.array(fields.len());
        for field in fields {
            context.reply.integer(field.read(bytes));
        }
        return Ok(());
    };
    if only_reads {
        return Err(CommandError::fixed("ERR BITFIELD_RO only supports the GET subcommand"));
    }
    let always = !counts_changes(context.engine.dialect);
    let mut answers = Vec::with_capacity(fields.len());
    let (bytes, grew) = room(context, key, last)?;
    let mut changes = 0;
    for field in fields {
        let before = field.read(bytes);
        let (value, answer) = match field.action {
            Action::Get => (None, Some(before)),
            Action::Set(number) => {
                let value = field.fit(number, 0);
                (value, value.map(|_| before))
            }
            Action::Add(number) => {
                let value = field.fit(before, number);
                (value, value)
            }
        };
        if let Some(value) = value {
            put_bits(bytes, field.bit, field.width, value.cast_unsigned());
            changes += u64::from(grew || value != before);
        }
        changes += u64::from(always && field.action != Action::Get);
        answers.push(answer);
    }
    if changes > 0 {
        context.changed(key, changes);
        context.notify(Class::String, "setbit", key);
    }
    context.reply.array(answers.len());
    for answer in answers {
        match answer {
            Some(number) => context.reply.integer(number),
            None => context.reply.null(),
        }
    }
    Ok(())
}

impl Field {
    fn read(&self, bytes: &[u8]) -> i64 {
        self.extend(bits(bytes, self.bit, self.width).cast_signed())
    }

    /// The lowest bits of a number as one of this field.
    fn extend(&self, number: i64) -> i64 {
        let unused = 64 - self.width as u32;
        if self.signed {
            number << unused >> unused
        } else {
            (number.cast_unsigned() << unused >> unused).cast_signed()
        }
    }

    /// A sum as it fits into the field; `None` where it does not and that is a failure. Where a number beyond 64 bits
    /// would be needed to tell, it is wrong in the way of servers.
    fn fit(&self, number: i64, more: i64) -> Option<i64> {
        let (over, under, greatest, least) = if self.signed {
            let greatest = (u64::MAX >> 1 >> (64 - self.width)).cast_signed();
            let least = -greatest - 1;
            let (up, down) = (greatest.wrapping_sub(number), least.wrapping_sub(number));
            let narrow = self.width < 64;
            let over = number > greatest || narrow && more > up || number >= 0 && more > 0 && more > up;
            let under = number < least || narrow && more < down || number < 0 && more < 0 && more < down;
            (over, under, greatest, least)
        } else {
            let greatest = (1_i64 << self.width).wrapping_sub(1);
            let (up, down) = (greatest.wrapping_sub(number), number.wrapping_neg());
            let over = number.cast_unsigned() > greatest.cast_unsigned() || more > 0 && more > up;
            (over, more < 0 && more < down, greatest, 0)
        };
        if !over && !under {
            return Some(number.wrapping_add(more));
        }
        match self.overflow {
            Overflow::Wrap => Some(self.extend(number.wrapping_add(more))),
            Overflow::Saturate => Some(if over { greatest } else { least }),
            Overflow::Fail => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::testing::Play;
    use proptest::prelude::*;

    #[test]
    fn bits_and_what_goes_into_the_stream() {
        // Asked of redis-server 7.0.15.
        let mut play = Play::new("redis-7.0");
        play.rows(&[
            ("SETBIT b 7 1", "0", "SETBIT b 7 1"),
            ("SETBIT b 7 1", "1", ""),
            ("SETBIT b 100 0", "0", "SETBIT b 100 0"),
            ("SETBIT b 50 0", "0", ""),
            ("SETBIT b 4294967296 1", "-ERR bit offset is not an integer or out of range", ""),
            ("SETBIT b 1 2", "-ERR bit is not an integer or out of range", ""),
            ("GETBIT b 7", "1", ""),
            ("BITCOUNT b 7 7 BIT", "1", ""),
            ("BITCOUNT b 1 2 FOO", "-ERR syntax error", ""),
            ("BITCOUNT nokey 1 2 FOO", "0", ""),
            (r#"SET full "\xff\xff""#, "OK", r#"SET full "\xff\xff""#),
            ("BITPOS full 0", "16", ""),
            ("BITPOS full 0 0 -1", "-1", ""),
            ("BITPOS full 1 3 9 BIT", "3", ""),
            ("BITPOS nokey 0", "0", ""),
            ("BITPOS nokey 1", "-1", ""),
            ("BITOP NOT d a b", "-ERR BITOP NOT must be called with a single source key.", ""),
            ("BITOP DIFF d a b", "-ERR syntax error", ""),
            ("BITOP NOT d full", "2", "BITOP NOT d full"),
            ("GET d", r#""\x00\x00""#, ""),
            ("BITOP AND d nokey", "0", "BITOP AND d nokey"),
            ("BITOP AND d nokey", "0", ""),
            ("BITFIELD bf SET u8 0 255 GET i8 0", "[0 -1]", "BITFIELD bf SET u8 0 255 GET i8 0"),
            (
                "BITFIELD bf INCRBY u8 0 1 OVERFLOW SAT INCRBY u8 0 -1",
                "[0 0]",
                "BITFIELD bf INCRBY u8 0 1 OVERFLOW SAT INCRBY u8 0 -1",
            ),
            ("BITFIELD bf OVERFLOW FAIL INCRBY u8 0 -1", "[(nil)]", ""),
            ("BITFIELD bf GET u8 #0", "[0]", ""),
            ("BITFIELD_RO bf SET u8 0 0", "-ERR BITFIELD_RO only supports the GET subcommand", ""),
        ]);
    }

    #[test]
    fn dialects_differ() {
        let mut old = Play::new("redis-6.2");
        for (line, stream) in [
            ("SETBIT b 1 0", "SETBIT b 1 0"),
            ("SETBIT b 1 0", "SETBIT b 1 0"),
            ("BITFIELD b OVERFLOW FAIL SET u1 0 5", "BITFIELD b OVERFLOW FAIL SET u1 0 5"),
        ] {
            old.run(line);
            assert_eq!(old.stream(), stream);
        }
        assert_eq!(old.run("BITCOUNT b 0 1 BIT"), "-ERR syntax error");
        let mut new = Play::new("redis-8.2");
        new.run(r#"SET x "\x0f""#);
        new.run(r#"SET y "\x05""#);
        new.run(r#"SET z "\x14""#);
        for (name, value) in [("DIFF", "\"\\n\""), ("DIFF1", "\x10"), ("ANDOR", "\x05"), ("ONE", "\x1a")] {
            assert_eq!(new.run(&format!("BITOP {name} d x y z")), "1");
            assert_eq!(new.run("GET d"), value, "{name}");
        }
        assert_eq!(new.run("BITPOS nokey 1 x"), "-ERR value is not an integer or out of range");
        assert_eq!(new.run("BITOP DIFF d x"), "-ERR BITOP DIFF must be called with at least two source keys.");
    }

    proptest! {
        #[test]
        fn counting_and_finding_are_as_bit_by_bit(bytes in prop::collection::vec(any::<u8>(), 0..40), a in 0..330_u64, b in 0..330_u64) {
            let (start, end) = (a.min(b).min(8 * bytes.len() as u64), a.max(b).min(8 * bytes.len() as u64));
            let all: Vec<u64> = (start..end).filter(|bit| bytes[(bit / 8) as usize] >> (7 - bit % 8) & 1 == 1).collect();
            prop_assert_eq!(ones(&bytes, start, end), all.len() as u64);
            prop_assert_eq!(position(&bytes, start, end, true), all.first().copied());
            let first = (start..end).find(|bit| !all.contains(bit));
            prop_assert_eq!(position(&bytes, start, end, false), first);
        }
    }
}
