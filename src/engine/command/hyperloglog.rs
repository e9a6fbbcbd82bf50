//! HyperLogLogs, to the byte: they are strings, and DEBUG DIGEST sees how they lie.
//!
//! 16 bytes of head: `HYLL`, the encoding (0 dense, 1 sparse), three zeros, and the cardinality as it was counted last,
//! little-endian, whose highest bit says that it is out of date. Then the 16,384 registers: dense in six bits each, the
//! lowest bits first; sparse as runs of
//!
//! ```text
//! 00xxxxxx             ZERO   x + 1 registers of 0
//! 01xxxxxx yyyyyyyy    XZERO  the same, up to 16,384
//! 1vvvvvxx             VAL    x + 1 registers of v + 1
//! ```

use super::{Context, Flag, Keys, Outcome, Spec};
use crate::engine::args::Args;
use crate::engine::context::Origin;
use crate::engine::error::CommandError;
use crate::engine::events::Class;
use crate::engine::keyspace::NEVER;
use crate::engine::value::{Decimal, Text, Value};

pub(super) const COMMANDS: &[Spec] = &[
    Spec::new("PFADD", -2, &[Flag::Write, Flag::DenyOom, Flag::Fast], Keys::ONE, pfadd),
    Spec::new("PFCOUNT", -2, &[Flag::Read, Flag::MayReplicate], Keys::ALL, pfcount),
    Spec::new("PFMERGE", -2, &[Flag::Write, Flag::DenyOom], Keys::ALL, pfmerge),
    Spec::new("PFDEBUG", 3, &[Flag::Write, Flag::DenyOom, Flag::Admin], Keys::new(2, 2, 1), pfdebug).before(7, 0, -3),
    Spec::new("PFSELFTEST", 1, &[Flag::Admin], Keys::NONE, pfselftest),
];

const HEAD: usize = 16;
const ENCODING: usize = 4;
const CARDINALITY: std::ops::Range<usize> = 8..16;
const REGISTERS: usize = 1 << 14;
const BITS: usize = 6;
const DENSE: usize = HEAD + REGISTERS * BITS / 8;
/// The bits of a hash beyond those that choose the register; a register is at most one more.
const REST: u32 = 50;
/// `hll-sparse-max-bytes`: what would grow beyond it becomes dense.
const SPARSE_MOST: usize = 3000;
const ZERO_LONGEST: usize = 64;
const VAL_LONGEST: usize = 4;
const VAL_GREATEST: u8 = 32;

const INVALID: CommandError = CommandError::fixed("WRONGTYPE Key is not a valid HyperLogLog string value.");
const CORRUPTED: CommandError = CommandError::fixed("INVALIDOBJ Corrupted HLL object detected");

/// MurmurHash64A, for little-endian words.
fn murmur(bytes: &[u8], seed: u64) -> u64 {
    const M: u64 = 0xc6a4_a793_5bd1_e995;
    let mut hash = seed ^ (bytes.len() as u64).wrapping_mul(M);
    let (words, tail) = bytes.as_chunks::<8>();
    for word in words {
        let mut word = u64::from_le_bytes(*word).wrapping_mul(M);
        word ^= word >> 47;
        hash = (hash ^ word.wrapping_mul(M)).wrapping_mul(M);
    }
    if !tail.is_empty() {
        let mut word = [0; 8];
        word.iter_mut().zip(tail).for_each(|(place, byte)| *place = *byte);
        hash = (hash ^ u64::from_le_bytes(word)).wrapping_mul(M);
    }
    hash ^= hash >> 47;
    hash = hash.wrapping_mul(M);
    hash ^ hash >> 47
}

/// The register of an element, and what it must be at least.
fn pattern(element: &[u8]) -> (usize, u8) {
    let hash = murmur(element, 0xadc8_3b19);
    let register = hash as usize & (REGISTERS - 1);
    let rest = hash >> 14 | 1 << REST;
    (register, rest.trailing_zeros() as u8 + 1)
}

/// One run of the sparse encoding.
#[derive(Clone, Copy)]
struct Run {
    value: u8,
    registers: usize,
    bytes: usize,
}

impl Run {
    fn at(bytes: &[u8], place: usize) -> Option<Self> {
        let first = *bytes.get(place)?;
        Some(match first >> 6 {
            0 => Self { value: 0, registers: usize::from(first) + 1, bytes: 1 },
            1 => {
                let second = *bytes.get(place + 1)?;
                let registers = (usize::from(first & 0x3f) << 8 | usize::from(second)) + 1;
                Self { value: 0, registers, bytes: 2 }
            }
            _ => Self { value: (first >> 2 & 0x1f) + 1, registers: usize::from(first & 3) + 1, bytes: 1 },
        })
    }

    fn val(value: u8, registers: usize) -> u8 {
        0x80 | value.wrapping_sub(1) << 2 | registers.wrapping_sub(1) as u8
    }
}

/// Some runs that take another's place.
#[derive(Default)]
struct Runs {
    bytes: [u8; 5],
    length: usize,
}

impl Runs {
    fn push(&mut self, byte: u8) {
        if let Some(place) = self.bytes.get_mut(self.length) {
            *place = byte;
            self.length += 1;
        }
    }

    fn zeros(&mut self, registers: usize) {
        let number = registers.wrapping_sub(1);
        if registers > ZERO_LONGEST {
            self.push(0x40 | (number >> 8) as u8);
            self.push(number as u8);
        } else if registers > 0 {
            self.push(number as u8);
        }
    }

    fn values(&mut self, value: u8, registers: usize) {
        if registers > 0 {
            self.push(Run::val(value, registers));
        }
    }
}

fn is_dense(bytes: &[u8]) -> bool {
    bytes.get(ENCODING) == Some(&0)
}

/// What a new one is: sparse, all zeros, with a cardinality that is right.
fn empty() -> Vec<u8> {
    let mut bytes = vec![0; HEAD];
    if let Some(magic) = bytes.first_chunk_mut() {
        *magic = *b"HYLL\x01";
    }
    bytes.extend_from_slice(&[0x7f, 0xff]);
    bytes
}

fn check(bytes: &[u8]) -> Outcome {
    let sound = bytes.len() >= HEAD
        && bytes.starts_with(b"HYLL")
        && bytes.get(ENCODING).is_some_and(|encoding| *encoding == 1 || *encoding == 0 && bytes.len() == DENSE);
    if sound { Ok(()) } else { Err(INVALID) }
}

fn cardinality(bytes: &[u8]) -> Option<u64> {
    let stored = bytes.get(CARDINALITY)?.try_into().ok().map(u64::from_le_bytes)?;
    (stored >> 63 == 0).then_some(stored)
}

fn put_cardinality(bytes: &mut [u8], cardinality: u64) {
    if let Some(place) = bytes.get_mut(CARDINALITY) {
        place.copy_from_slice(&cardinality.to_le_bytes());
    }
}

fn outdate(bytes: &mut [u8]) {
    if let Some(last) = bytes.get_mut(CARDINALITY.end - 1) {
        *last |= 0x80;
    }
}

/// Calls `give` for each run of equal registers that is not 0.
fn runs(bytes: &[u8], mut give: impl FnMut(usize, usize, u8)) -> Outcome {
    if is_dense(bytes) {
        let registers = bytes.get(HEAD..).unwrap_or_default();
        // Three bytes hold four registers.
        let (threes, _) = registers.as_chunks::<3>();
        for (at, [a, b, c]) in threes.iter().enumerate() {
            let word = u32::from(*a) | u32::from(*b) << 8 | u32::from(*c) << 16;
            for register in 0..4 {
                let value = (word >> (BITS * register)) as u8 & 0x3f;
                if value > 0 {
                    give(4 * at + register, 1, value);
                }
            }
        }
        return Ok(());
    }
    let (mut place, mut first) = (HEAD, 0);
    while place < bytes.len() {
        let run = Run::at(bytes, place).ok_or(CORRUPTED)?;
        if first + run.registers > REGISTERS {
            return Err(CORRUPTED);
        }
        if run.value > 0 {
            give(first, run.registers, run.value);
        }
        (place, first) = (place + run.bytes, first + run.registers);
    }
    if first == REGISTERS { Ok(()) } else { Err(CORRUPTED) }
}

fn set_dense(bytes: &mut [u8], register: usize, value: u8) -> bool {
    let bit = register * BITS;
    let (place, shift) = (HEAD + bit / 8, bit % 8);
    let low = bytes.get(place).copied().unwrap_or(0);
    let high = bytes.get(place + 1).copied().unwrap_or(0);
    let word = u16::from_le_bytes([low, high]);
    if (word >> shift & 0x3f) as u8 >= value {
        return false;
    }
    let word = word & !(0x3f << shift) | u16::from(value) << shift;
    let [low, high] = word.to_le_bytes();
    if let Some(byte) = bytes.get_mut(place) {
        *byte = low;
    }
    if let Some(byte) = bytes.get_mut(place + 1) {
        *byte = high;
    }
    true
}

fn make_dense(bytes: &mut Vec<u8>) -> Outcome {
    if is_dense(bytes) {
        return Ok(());
    }
    let mut dense = vec![0; DENSE];
    dense.iter_mut().zip(bytes.iter()).take(HEAD).for_each(|(place, byte)| *place = *byte);
    if let Some(encoding) = dense.get_mut(ENCODING) {
        *encoding = 0;
    }
    runs(bytes, |first, registers, value| {
        for register in first..first + registers {
            set_dense(&mut dense, register, value);
        }
    })?;
    *bytes = dense;
    Ok(())
}

/// Raises a register; tells whether it was less.
fn set(bytes: &mut Vec<u8>, register: usize, value: u8) -> Result<bool, CommandError> {
    if is_dense(bytes) {
        return Ok(set_dense(bytes, register, value));
    }
    if value > VAL_GREATEST {
        make_dense(bytes)?;
        return Ok(set_dense(bytes, register, value));
    }
    let (mut place, mut before, mut first) = (HEAD, HEAD, 0);
    let run = loop {
        let run = Run::at(bytes, place).ok_or(CORRUPTED)?;
        if register < first + run.registers {
            break run;
        }
        (before, place, first) = (place, place + run.bytes, first + run.registers);
    };
    if run.value >= value {
        return Ok(false);
    }
    if run.registers == 1 && run.bytes == 1 {
        if let Some(byte) = bytes.get_mut(place) {
            *byte = Run::val(value, 1);
        }
    } else {
        let mut split = Runs::default();
        let (left, right) = (register - first, first + run.registers - 1 - register);
        if run.value == 0 {
            split.zeros(left);
            split.values(value, 1);
            split.zeros(right);
        } else {
            split.values(run.value, left);
            split.values(value, 1);
            split.values(run.value, right);
        }
        if split.length > run.bytes && bytes.len() + split.length - run.bytes > SPARSE_MOST {
            make_dense(bytes)?;
            return Ok(set_dense(bytes, register, value));
        }
        let split = split.bytes.get(..split.length).unwrap_or_default();
        bytes.splice(place..place + run.bytes, split.iter().copied());
    }
    join(bytes, before);
    outdate(bytes);
    Ok(true)
}

/// Joins neighbours of one value, as far as servers look: five steps from the run before the one that changed.
fn join(bytes: &mut Vec<u8>, from: usize) {
    let mut place = from;
    for _ in 0..5 {
        let Some(run) = Run::at(bytes, place) else { return };
        if run.value > 0
            && let Some(next) = Run::at(bytes, place + 1)
            && next.value == run.value
            && run.registers + next.registers <= VAL_LONGEST
        {
            if let Some(byte) = bytes.get_mut(place + 1) {
                *byte = Run::val(run.value, run.registers + next.registers);
            }
            bytes.remove(place);
        } else {
            place += run.bytes;
        }
    }
}

/// The cardinality that registers of these values mean: how many there are of each value is all that counts. (Ertl's
/// estimator, in the operations and their order that servers use: the result is stored.)
fn estimate(histogram: &[u32; 64]) -> u64 {
    let registers = REGISTERS as f64;
    let of = |value: usize| f64::from(histogram.get(value).copied().unwrap_or(0));
    let mut z = registers * tau((registers - of(REST as usize + 1)) / registers);
    for value in (1..=REST as usize).rev() {
        z += of(value);
        z *= 0.5;
    }
    z += registers * sigma(of(0) / registers);
    (0.721_347_520_444_481_7 * registers * registers / z).round() as u64
}

fn tau(mut x: f64) -> f64 {
    if x == 0.0 || x == 1.0 {
        return 0.0;
    }
    let (mut y, mut z) = (1.0, 1.0 - x);
    loop {
        x = x.sqrt();
        let before = z;
        y *= 0.5;
        z -= (1.0 - x) * (1.0 - x) * y;
        if before == z {
            return z / 3.0;
        }
    }
}

fn sigma(mut x: f64) -> f64 {
    if x == 1.0 {
        return f64::INFINITY;
    }
    let (mut y, mut z) = (1.0, x);
    loop {
        x *= x;
        let before = z;
        z += x * y;
        y += y;
        if before == z {
            return z;
        }
    }
}

fn count(bytes: &[u8]) -> Result<u64, CommandError> {
    let (mut histogram, mut raised) = ([0_u32; 64], 0);
    runs(bytes, |_, registers, value| {
        if let Some(count) = histogram.get_mut(usize::from(value)) {
            *count += registers as u32;
        }
        raised += registers;
    })?;
    histogram[0] = (REGISTERS - raised) as u32;
    Ok(estimate(&histogram))
}

/// A key's bytes, checked; `None` where the key is not there.
fn read<T>(
    context: &mut Context<'_>,
    key: &[u8],
    then: impl FnOnce(&[u8]) -> Result<T, CommandError>,
) -> Result<Option<T>, CommandError> {
    let mut decimal = Decimal::new();
    let Some(text) = context.string(key)? else { return Ok(None) };
    let bytes = text.bytes(&mut decimal);
    check(bytes)?;
    then(bytes).map(Some)
}

/// Makes sure that there is one; tells whether it is new.
fn make(context: &mut Context<'_>, key: &[u8]) -> Result<bool, CommandError> {
    let is_new = read(context, key, |_| Ok(()))?.is_none();
    if is_new {
        context.put(key, Value::String(Text::Growing(empty().into())), NEVER);
    }
    Ok(is_new)
}

fn pfadd(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let key = args.get(1);
    let mut updated = u64::from(make(context, key)?);
    let is_new = updated > 0;
    // Most elements change nothing; then nothing need be copied for a snapshot either, but to know it takes a write.
    let bytes = context.string_or_new(key)?.growing();
    let mut outcome = Ok(());
    for element in args.from(2) {
        let (register, value) = pattern(element);
        match set(bytes, register, value) {
            Ok(changed) => updated += u64::from(changed),
            Err(error) => {
                outcome = Err(error);
                break;
            }
        }
    }
    if updated > 0 {
        outdate(bytes);
        context.changed(key, updated);
        context.notify(Class::String, "pfadd", key);
    }
    debug_assert!(!is_new || outcome.is_ok());
    outcome?;
    context.reply.flag(updated > 0);
    Ok(())
}

fn pfcount(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let number = if args.len() == 2 { count_one(context, args.get(1))? } else { count_union(context, args)? };
    context.reply.integer(number.cast_signed());
    Ok(())
}

fn count_one(context: &mut Context<'_>, key: &[u8]) -> Result<u64, CommandError> {
    // Before 7.0 it looked for the key as a command does that writes.
    context.counts &= context.engine.dialect.since(7, 0);
    let Some((known, number)) = read(context, key, |bytes| match cardinality(bytes) {
        Some(known) => Ok((true, known)),
        None => Ok((false, count(bytes)?)),
    })?
    else {
        return Ok(0);
    };
    // It is stored, and the replicas store it, too. A replica that is only asked leaves the key as its master has it.
    if !known && (context.origin == Origin::Master || !context.engine.is_replica()) {
        put_cardinality(context.string_or_new(key)?.growing(), number);
        context.changed(key, 1);
    }
    Ok(number)
}

/// The greatest of each register over some keys, and whether one of them is dense.
fn union<'a>(context: &mut Context<'_>, keys: impl Iterator<Item = &'a [u8]>) -> Result<(Vec<u8>, bool), CommandError> {
    let (mut greatest, mut dense) = (vec![0_u8; REGISTERS], false);
    for key in keys {
        context.reading(|context| {
            read(context, key, |bytes| {
                dense |= is_dense(bytes);
                runs(bytes, |first, registers, value| {
                    for register in greatest.iter_mut().skip(first).take(registers) {
                        *register = value.max(*register);
                    }
                })
            })
        })?;
    }
    Ok((greatest, dense))
}

fn count_union(context: &mut Context<'_>, args: Args<'_>) -> Result<u64, CommandError> {
    let (greatest, _) = union(context, args.from(1))?;
    let mut histogram = [0; 64];
    for value in greatest {
        if let Some(count) = histogram.get_mut(usize::from(value)) {
            *count += 1;
        }
    }
    Ok(estimate(&histogram))
}

fn pfmerge(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let key = args.get(1);
    let (greatest, dense) = union(context, args.from(1))?;
    make(context, key)?;
    let bytes = context.string_or_new(key)?.growing();
    if dense {
        make_dense(bytes)?;
    }
    for (register, value) in greatest.into_iter().enumerate().filter(|(_, value)| *value > 0) {
        set(bytes, register, value)?;
    }
    outdate(bytes);
    context.changed(key, 1);
    context.notify(Class::String, "pfadd", key);
    context.reply.ok();
    Ok(())
}

fn pfdebug(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let key = args.get(2);
    let dense = read(context, key, |bytes| Ok(is_dense(bytes)))?
        .ok_or(CommandError::fixed("ERR The specified key does not exist"))?;
    match () {
        () if args.is(1, "ENCODING") => context.reply.status(if dense { "dense" } else { "sparse" }),
        () if args.is(1, "GETREG") => {
            if !dense {
                make_dense(context.string_or_new(key)?.growing())?;
                context.changed(key, 1);
            }
            let (registers, _) = union(context, std::iter::once(key))?;
            context.reply.array(registers.len());
            for register in registers {
                context.reply.integer(register.into());
            }
        }
        () if args.is(1, "TODENSE") => {
            if !dense {
                make_dense(context.string_or_new(key)?.growing())?;
                context.changed(key, 1);
            }
            context.reply.flag(!dense);
        }
        () if args.is(1, "DECODE") => {
            if dense {
                return Err(CommandError::fixed("ERR HLL encoding is not sparse"));
            }
            let text = read(context, key, decode)?.unwrap_or_default();
            context.reply.bulk(text.as_bytes());
        }
        () => {
            let word = String::from_utf8_lossy(args.get(1));
            return Err(CommandError::new(format!("ERR Unknown PFDEBUG subcommand '{word}'")));
        }
    }
    Ok(())
}

/// The sparse encoding as text: `Z:500 v:1,1 z:5`.
fn decode(bytes: &[u8]) -> Result<String, CommandError> {
    let (mut place, mut words) = (HEAD, Vec::new());
    while place < bytes.len() {
        let run = Run::at(bytes, place).ok_or(CORRUPTED)?;
        let Run { value, registers, bytes } = run;
        words.push(match (value, bytes) {
            (0, 1) => format!("z:{registers}"),
            (0, _) => format!("Z:{registers}"),
            _ => format!("v:{value},{registers}"),
        });
        place += bytes;
    }
    Ok(words.join(" "))
}

fn pfselftest(context: &mut Context<'_>, _: Args<'_>) -> Outcome {
    context.reply.ok();
    Ok(())
}

#[cfg(test)]
mod tests {

    use crate::engine::testing::Play;

    #[test]
    fn bytes_are_those_of_servers() {
        // Asked of redis-server 7.0.15.
        let mut play = Play::new("redis-7.0");
        play.rows(&[
            ("PFADD h", "1", "PFADD h"),
            ("GET h", r#""HYLL\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x80\x7f\xff""#, ""),
            ("PFADD h", "0", ""),
            ("PFADD h a b c", "1", "PFADD h a b c"),
            ("PFADD h a", "0", ""),
            ("PFCOUNT h", "3", "PFCOUNT h"),
            ("PFCOUNT h", "3", ""),
            ("PFADD h", "0", ""),
            ("PFCOUNT h none", "3", ""),
            ("PFCOUNT none", "0", ""),
            ("PFMERGE m h none", "OK", "PFMERGE m h none"),
            ("PFDEBUG ENCODING m", "sparse", ""),
            ("PFDEBUG TODENSE m", "1", "PFDEBUG TODENSE m"),
            ("PFDEBUG TODENSE m", "0", ""),
            ("STRLEN m", "12304", ""),
            ("PFDEBUG DECODE m", "-ERR HLL encoding is not sparse", ""),
            ("PFDEBUG DECODE none", "-ERR The specified key does not exist", ""),
            ("SET s x", "OK", "SET s x"),
            ("PFADD s x", "-WRONGTYPE Key is not a valid HyperLogLog string value.", ""),
        ]);
    }

    #[test]
    fn a_replica_that_is_asked_leaves_the_key_as_it_is() {
        let mut play = Play::new("redis-7.0");
        play.engine.set_replica(true);
        assert!(play.apply("PFADD h a"));
        let before = play.run("GET h");
        assert_eq!((play.run("PFCOUNT h"), play.run("GET h")), ("1".into(), before.clone()));
        assert!(play.apply("PFCOUNT h"));
        assert_ne!(play.run("GET h"), before);
    }

    #[test]
    fn damaged_ones_are_refused() {
        let mut play = Play::new("redis-7.0");
        for runs in [r"\x41", r"\x7f\xff\x00", "", r"\x00"] {
            play.run(&format!(r#"SET h "HYLL\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x80{runs}""#));
            assert_eq!(play.run("PFCOUNT h"), "-INVALIDOBJ Corrupted HLL object detected", "{runs}");
            assert_eq!(play.run("PFMERGE m h"), "-INVALIDOBJ Corrupted HLL object detected", "{runs}");
        }
    }
}
