//! The table beside what servers tell of theirs, and the stream beside theirs.

use super::*;
use crate::engine::testing::Play;
use std::collections::HashSet;
use std::fmt::Write;

/// Commands of the servers that are not here: vector sets.
const LACKING: &str = "
    VADD VCARD VDIM VEMB VGETATTR VINFO VISMEMBER VLINKS VRANDMEMBER VREM VSETATTR VSIM ";

/// Those that are here only with the feature `scripts`.
const SCRIPTS: &str = "
    EVAL EVALSHA EVALSHA_RO EVAL_RO FCALL FCALL_RO SCRIPT SCRIPT|DEBUG SCRIPT|EXISTS SCRIPT|FLUSH SCRIPT|HELP
    SCRIPT|KILL SCRIPT|LOAD SCRIPT|SHOW ";

/// The table says what the servers say.
#[test]
fn the_table_is_the_servers() {
    let facts = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/commands.txt")).unwrap();
    let table = Table::new();
    let dialects = ["redis-6.2", "redis-7.0", "redis-8.2", "valkey-8.1", "valkey-9.1"];
    let (mut told, mut faults, mut lacking) = (HashSet::new(), Vec::new(), std::collections::BTreeSet::new());
    for line in facts.lines().filter(|line| !line.starts_with('#')) {
        let words: Vec<&str> = line.split(' ').collect();
        let [name, arity, first, last, step, flags, servers] = words[..] else { panic!("{line}") };
        let Some(spec) = table.find(name.as_bytes()) else {
            lacking.insert(name);
            continue;
        };
        for server in servers.split(',') {
            told.insert((server, spec.name));
            let dialect: Dialect = server.parse().unwrap();
            if !spec.is_told(dialect) {
                faults.push(format!("{server} has {name}"));
                continue;
            }
            let keys = spec.keys_in(dialect);
            let mut own = spec.flags_in(dialect);
            own.sort_unstable();
            let own = if own.is_empty() { "-".to_owned() } else { own.join(",") };
            let ours = format!("{} {} {} {} {own}", spec.arity_in(dialect), keys.first, keys.last, keys.step);
            let theirs = format!("{arity} {first} {last} {step} {flags}");
            if ours != theirs {
                faults.push(format!("{server}: {name} is {theirs}, here {ours}"));
            }
        }
    }
    for spec in all().filter(|spec| !spec.name.starts_with("REPLTOOL")) {
        for server in dialects {
            // Before 7.0 they do not tell of subcommands.
            let silent = server == "redis-6.2" && spec.name.contains('|');
            if spec.is_told(server.parse().unwrap()) && !silent && !told.contains(&(server, spec.name)) {
                faults.push(format!("{server} has no {}", spec.name));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    let lacking: Vec<&str> = lacking.into_iter().collect();
    let mut known: Vec<&str> = LACKING.split_ascii_whitespace().collect();
    if !cfg!(feature = "scripts") {
        known.extend(SCRIPTS.split_ascii_whitespace());
        known.sort_unstable();
    }
    assert_eq!(lacking, known);
}

#[test]
fn names_are_upper_case_and_stand_once() {
    let mut seen = HashSet::new();
    for spec in all() {
        assert_eq!(spec.name, spec.name.to_ascii_uppercase());
        assert!(spec.name.len() <= LONGEST);
        assert!(seen.insert(spec.name), "{} stands twice", spec.name);
    }
}

/// Times near now by their distance, so that they can be compared.
fn relative(stream: &str, now: i64) -> String {
    let mut text = String::new();
    for part in stream.split_inclusive(|byte: char| !byte.is_ascii_digit()) {
        let digits = part.trim_end_matches(|byte: char| !byte.is_ascii_digit());
        match digits.parse::<i64>().map(|time| time - now) {
            Ok(distance) if digits.len() == 13 && distance.abs() < 20_000_000_000 => {
                let seconds = (distance as f64 / 1000.0).round() as i64;
                let _ = if seconds == 0 { write!(text, "<now>") } else { write!(text, "<now{seconds:+}>") };
                text += &part[digits.len()..];
            }
            _ => text += part,
        }
    }
    text
}

/// Negative numbers are none.
fn is_error(answer: &str) -> bool {
    answer.starts_with('-') && answer.as_bytes().get(1).is_some_and(u8::is_ascii_uppercase)
}

/// Every command goes into the stream as each of the servers puts it there.
#[test]
fn the_stream_is_the_servers() {
    let facts = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/propagation.txt")).unwrap();
    let facts: Vec<&str> = facts.lines().filter(|line| !line.starts_with('#')).collect();
    let dialects =
        [('6', "redis-6.2"), ('7', "redis-7.0"), ('8', "redis-8.2"), ('v', "valkey-8.1"), ('w', "valkey-9.1")];
    let mut faults = Vec::new();
    for (letter, dialect) in dialects {
        let mut play = Play::new(dialect);
        let (mut answer, mut stream, mut rows) = (String::new(), String::new(), 0);
        for line in &facts {
            if let Some(command) = line.strip_prefix("> ") {
                play.now += 40;
                answer = play.run(command);
                play.engine.unblock(&mut play.session);
                stream = relative(&play.stream(), play.now).replace(" \"\"", "");
                rows += 1;
                continue;
            }
            let (servers, wanted) = line.split_once(' ').unwrap_or((line, ""));
            if !servers.contains(letter) {
                continue;
            }
            let wanted = wanted.strip_prefix("SELECT 0 | ").unwrap_or(wanted);
            let (fails, wanted) = wanted.strip_prefix('-').map_or((false, wanted), |rest| (true, rest.trim_start()));
            if stream.trim_end() != wanted || is_error(&answer) != fails {
                faults.push(format!("{dialect}, row {rows}: {wanted:?} wanted, {stream:?}, answered {answer}"));
            }
        }
    }
    assert!(faults.is_empty(), "{} differ:\n{}", faults.len(), faults.join("\n"));
}
