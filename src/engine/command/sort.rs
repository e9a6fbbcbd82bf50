//! SORT, of lists, sets and sorted sets.

use std::cmp::Ordering;
use std::sync::Arc;

use super::{Context, Flag, Keys, Outcome, Spec};
use crate::engine::args::{Args, float};
use crate::engine::dialect::Dialect;
use crate::engine::error::CommandError;
use crate::engine::events::Class;
use crate::engine::keyspace::NEVER;
use crate::engine::value::{Blob, Decimal, List, Value};

pub(super) const COMMANDS: &[Spec] = &[
    Spec::new("SORT", -2, &[Flag::Write, Flag::DenyOom], Keys::ONE, sort),
    Spec::new("SORT_RO", -2, &[Flag::Read], Keys::ONE, sort_ro).since(7, 0),
];

/// What a SORT asks for.
#[derive(Default)]
struct Options<'a> {
    by: Option<&'a [u8]>,
    get: Vec<&'a [u8]>,
    offset: i64,
    /// All if negative.
    count: Option<i64>,
    descending: bool,
    alphabetical: bool,
    target: Option<&'a [u8]>,
}

impl<'a> Options<'a> {
    fn read(args: Args<'a>, may_store: bool) -> Result<Self, CommandError> {
        let (mut options, mut index) = (Self::default(), 2);
        while index < args.len() {
            let left = args.len() - index - 1;
            match () {
                () if args.is(index, "ASC") => options.descending = false,
                () if args.is(index, "DESC") => options.descending = true,
                () if args.is(index, "ALPHA") => options.alphabetical = true,
                () if args.is(index, "LIMIT") && left >= 2 => {
                    (options.offset, options.count) = (args.integer(index + 1)?, Some(args.integer(index + 2)?));
                    index += 2;
                }
                () if may_store && args.is(index, "STORE") && left >= 1 => {
                    options.target = args.find(index + 1);
                    index += 1;
                }
                () if args.is(index, "BY") && left >= 1 => {
                    options.by = args.find(index + 1);
                    index += 1;
                }
                () if args.is(index, "GET") && left >= 1 => {
                    options.get.push(args.get(index + 1));
                    index += 1;
                }
                () => return Err(CommandError::SYNTAX),
            }
            index += 1;
        }
        Ok(options)
    }

    /// The places that LIMIT leaves of so many.
    fn range(&self, length: usize) -> std::ops::Range<usize> {
        let start = usize::try_from(self.offset).unwrap_or(0).min(length);
        let count = self.count.map_or(usize::MAX, |count| usize::try_from(count).unwrap_or(usize::MAX));
        start..start.saturating_add(count).min(length)
    }
}

/// By what an element is sorted.
enum Weight {
    Number(f64),
    Text(Blob),
    /// Its pattern names nothing.
    None,
}

impl Weight {
    fn compare(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Number(one), Self::Number(other)) => one.partial_cmp(other).unwrap_or(Ordering::Equal),
            (Self::Text(one), Self::Text(other)) => one.cmp(other),
            (Self::None, Self::None) => Ordering::Equal,
            (Self::None, _) => Ordering::Less,
            (_, Self::None) => Ordering::Greater,
            _ => Ordering::Equal,
        }
    }
}

/// What an element is as a number. Blanks in front are none of it, and nothing is 0, as `strtod` has it; the parsers of the
/// newest versions know neither blanks nor hexadecimals.
fn number(text: &[u8], dialect: Dialect) -> Result<f64, CommandError> {
    let strict = dialect.is_redis_since(8, 0) || dialect.is_valkey_since(9, 0);
    let number = match text {
        [] => (!dialect.is_valkey_since(9, 0)).then_some(0.0),
        text if strict => float(text).filter(|_| !text.iter().any(|byte| matches!(byte, b'x' | b'X'))),
        text => float(text.trim_ascii_start()),
    };
    number.ok_or(CommandError::fixed("ERR One or more scores can't be converted into double"))
}

/// The value that a pattern names for an element: `#` the element itself, `key*` a string, `key*->field` a field.
fn look_up(context: &mut Context<'_>, pattern: &[u8], element: &Blob) -> Option<Blob> {
    if pattern == b"#" {
        return Some(element.clone());
    }
    let star = memchr::memchr(b'*', pattern)?;
    let (before, after) = (pattern.get(..star)?, pattern.get(star + 1..)?);
    let arrow = memchr::memmem::find(after, b"->").filter(|at| at + 2 < after.len());
    let (after, field) = match arrow {
        Some(at) => (after.get(..at)?, after.get(at + 2..)),
        None => (after, None),
    };
    let key = [before, element, after].concat();
    match (context.value(&key)?, field) {
        (Value::String(text), None) => Some(text.bytes(&mut Decimal::new()).into()),
        (Value::Hash(hash), Some(field)) => hash.fields.get(field).map(|field| field.value.clone()),
        _ => None,
    }
}

fn sort(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    run(context, args, true)
}

fn sort_ro(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    run(context, args, false)
}

fn run(context: &mut Context<'_>, args: Args<'_>, may_store: bool) -> Outcome {
    let mut options = Options::read(args, may_store)?;
    let in_script = context.session.in_script;
    let mut sorts = options.by.is_none_or(|pattern| pattern.contains(&b'*'));
    context.reading_to_store(|context| context.exists(args.get(1)));
    context.counts = false;
    let mut elements: Vec<Blob> = match context.value(args.get(1)) {
        None => Vec::new(),
        Some(Value::List(list)) if !sorts && options.descending => list.iter().rev().cloned().collect(),
        Some(Value::List(list)) => list.iter().cloned().collect(),
        Some(Value::Set(set)) => {
            // What is stored, or a script sees, must be the same on every replica, and sets have no order.
            if !sorts && (options.target.is_some() || in_script) {
                (sorts, options.alphabetical, options.by) = (true, true, None);
            }
            set.iter().cloned().collect()
        }
        Some(Value::SortedSet(set)) => {
            let mut members: Vec<Blob> = set.ranked().iter().map(|scored| scored.member.clone()).collect();
            if !sorts && options.descending {
                members.reverse();
            }
            members
        }
        Some(_) => return Err(CommandError::WRONG_TYPE),
    };
    if sorts {
        elements = sorted(context, elements, &options)?;
    }
    let range = options.range(elements.len());
    let elements = elements.get(range).unwrap_or_default();
    let mut found: Vec<Option<Blob>> = Vec::with_capacity(elements.len() * options.get.len().max(1));
    for element in elements {
        if options.get.is_empty() {
            found.push(Some(element.clone()));
        }
        for pattern in &options.get {
            found.push(look_up(context, pattern, element));
        }
    }
    match options.target {
        Some(target) => store(context, target, found),
        None => {
            context.reply.array(found.len());
            found.iter().for_each(|value| context.reply.bulk_or_null(value.as_deref()));
        }
    }
    Ok(())
}

fn sorted(context: &mut Context<'_>, elements: Vec<Blob>, options: &Options<'_>) -> Result<Vec<Blob>, CommandError> {
    let dialect = context.engine.dialect;
    let mut weighed = Vec::with_capacity(elements.len());
    for element in elements {
        let text = match options.by {
            Some(pattern) => look_up(context, pattern, &element),
            None => Some(element.clone()),
        };
        let weight = match text {
            Some(text) if options.alphabetical => Weight::Text(text),
            Some(text) => Weight::Number(number(&text, dialect)?),
            None if options.alphabetical => Weight::None,
            None => Weight::Number(0.0),
        };
        weighed.push((weight, element));
    }
    weighed.sort_by(|(weight, element), (other, its)| {
        let order = weight.compare(other);
        // Of equal numbers the elements decide; of equal texts nothing does.
        let order = if options.alphabetical { order } else { order.then_with(|| element.cmp(its)) };
        if options.descending { order.reverse() } else { order }
    });
    Ok(weighed.into_iter().map(|(_, element)| element).collect())
}

fn store(context: &mut Context<'_>, key: &[u8], found: Vec<Option<Blob>>) {
    let count = found.len();
    let before = context.exists(key);
    if count > 0 {
        let list: List = found.into_iter().map(|value| value.unwrap_or_else(|| Blob::from(&[][..]))).collect();
        context.put(key, Value::List(Arc::new(list)), NEVER);
        context.changed(key, count as u64);
        context.signal(key);
        context.notify(Class::List, "sortstore", key);
    } else if before {
        context.take(key);
        context.changed(key, 1);
        context.notify(Class::Generic, "del", key);
    }
    context.reply.count(count);
}

#[cfg(test)]
mod tests {
    use crate::engine::testing::Play;

    #[test]
    fn answers_and_effects() {
        let mut play = Play::new("redis-7.0");
        for line in ["RPUSH l 3 1 2 x", "RPUSH n 3 1 2 \"\" \" 5\"", "SET w_1 10", "SET w_2 5", "RPUSH m 1 2 3"] {
            play.run(line);
        }
        for line in ["HSET h_1 f 9", "HSET h_2 f 8", "SADD s c b a", "ZADD z 3 a 2 b 1 c"] {
            play.run(line);
        }
        play.stream();
        let rows = [
            ("SORT l", "-ERR One or more scores can't be converted into double", ""),
            ("SORT l ALPHA DESC LIMIT 1 2", "[3 2]", ""),
            ("SORT n", "[\"\" 1 2 3  5]", ""),
            ("SORT no", "[]", ""),
            ("SORT no STORE d", "0", ""),
            ("SORT l LIMIT 1", "-ERR syntax error", ""),
            ("SORT_RO l STORE d", "-ERR syntax error", ""),
            ("SORT m BY w_* GET # GET w_* GET nope", "[3 (nil) (nil) 2 5 (nil) 1 10 (nil)]", ""),
            ("SORT m BY w_* GET # GET w_* STORE d", "6", "SORT m BY w_* GET # GET w_* STORE d"),
            ("LRANGE d 0 -1", "[3 \"\" 2 5 1 10]", ""),
            ("SORT m BY nosort DESC", "[3 2 1]", ""),
            ("SORT s BY nosort STORE d", "3", "SORT s BY nosort STORE d"),
            ("LRANGE d 0 -1", "[a b c]", ""),
            ("SORT z BY nosort DESC", "[a b c]", ""),
            ("SORT z BY nosort LIMIT 1 1", "[b]", ""),
            ("SORT z BY w_*", "[a b c]", ""),
            ("SORT w_1", "-WRONGTYPE Operation against a key holding the wrong kind of value", ""),
            ("SORT m LIMIT 5 10", "[]", ""),
            ("SORT m LIMIT -1 2", "[1 2]", ""),
            ("SORT m LIMIT 1 -1", "[2 3]", ""),
            ("SORT m BY w_* ALPHA", "[3 1 2]", ""),
            ("SORT m BY w_* ALPHA DESC", "[2 1 3]", ""),
            ("SORT m STORE m", "3", "SORT m STORE m"),
            ("SORT no STORE d", "0", "SORT no STORE d"),
            ("EXISTS d", "0", ""),
        ];
        play.rows(&rows);
        // "->" with nothing behind it is part of the key.
        assert_eq!(play.run("SORT m BY h_*->f GET h_*->f GET h_*-> GET w_*->f").split(' ').count(), 9);
    }

    #[test]
    fn numbers_of_the_newest_versions() {
        let refused = "-ERR One or more scores can't be converted into double";
        for (dialect, empty, blank, hexadecimal) in [
            ("redis-7.0", "[\"\"]", "[ 5]", "[0x10]"),
            ("redis-8.2", "[\"\"]", refused, refused),
            ("valkey-8.1", "[\"\"]", "[ 5]", "[0x10]"),
            ("valkey-9.1", refused, refused, refused),
        ] {
            let mut play = Play::new(dialect);
            for (key, element, answer) in [("e", "\"\"", empty), ("b", "\" 5\"", blank), ("x", "0x10", hexadecimal)] {
                play.run(&format!("RPUSH {key} {element}"));
                assert_eq!(play.run(&format!("SORT {key}")), answer, "{dialect} {key}");
            }
        }
    }
}
