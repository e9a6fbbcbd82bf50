//! The floors of ARCHITECTURE.md, held by a test: it reads the paths in `src/**/*.rs` and fails on an arrow that runs
//! up or across, on tokio below the engine, and on a clock read where time must come with the data.
//!
//! Test code is exempt: files named `tests.rs` or below a folder `tests`, and items under `#[cfg(test)]`.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, its helpers too")]

use std::fmt;
use std::path::{Path, PathBuf};

/// The floors, lowest first. Modules of one floor do not use each other.
const FLOORS: &[&[&str]] = &[
    &["units", "bounds"],
    &["capture", "spill"],
    &["packet"],
    &["tcp", "resp", "rdb"],
    &["repl"],
    &["engine", "view"],
    &["replay"],
    &["cli"],
];

/// Modules that use less than the floors would allow: RESP and RDB know nothing of what carries them.
const CONFINED: &[(&str, &[&str])] =
    &[("spill", &["bounds"]), ("resp", &["units", "bounds"]), ("rdb", &["units", "bounds"])];

const MAY_USE_TOKIO: &[&str] = &["engine", "replay", "cli"];
const MAY_READ_THE_CLOCK: &[&str] = &["capture", "engine", "replay", "cli"];

/// Something that a source uses and must not.
#[derive(Debug, PartialEq, Eq)]
struct Wrong {
    file: String,
    line: usize,
    arrow: String,
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.arrow)
    }
}

fn floor_of(module: &str) -> Option<usize> {
    FLOORS.iter().position(|floor| floor.contains(&module))
}

fn may_use(module: &str, used: &str) -> bool {
    if module == used {
        return true;
    }
    if let Some((_, allowed)) = CONFINED.iter().find(|(name, _)| *name == module) {
        return allowed.contains(&used);
    }
    match (floor_of(module), floor_of(used)) {
        (Some(own), Some(other)) => other < own,
        _ => false,
    }
}

/// A word or a sign of the source, and its line.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Token {
    text: String,
    line: usize,
}

/// The source's tokens without comments, and with literals left out. `::` is one token, every other sign is its own.
fn tokens(source: &str) -> Vec<Token> {
    let bytes: Vec<char> = source.chars().collect();
    let (mut found, mut at, mut line) = (Vec::new(), 0, 1);
    let ahead = |at: usize| bytes.get(at).copied().unwrap_or('\0');
    while at < bytes.len() {
        let start = at;
        match bytes[at] {
            '/' if ahead(at + 1) == '/' => {
                while at < bytes.len() && bytes[at] != '\n' {
                    at += 1;
                }
            }
            '/' if ahead(at + 1) == '*' => {
                let mut depth = 0;
                loop {
                    match (ahead(at), ahead(at + 1)) {
                        ('/', '*') => (depth, at) = (depth + 1, at + 2),
                        ('*', '/') => (depth, at) = (depth - 1, at + 2),
                        _ => at += 1,
                    }
                    if depth == 0 || at >= bytes.len() {
                        break;
                    }
                }
            }
            '"' => at = end_of_string(&bytes, at + 1),
            'r' | 'b' if raw_string(&bytes, at).is_some() => at = raw_string(&bytes, at).unwrap_or(at + 1),
            // A character, not a lifetime.
            '\'' if ahead(at + 1) == '\\' => {
                at += 3;
                while at < bytes.len() && bytes[at] != '\'' {
                    at += 1;
                }
                at += 1;
            }
            '\'' if ahead(at + 2) == '\'' => at += 3,
            ':' if ahead(at + 1) == ':' => {
                found.push(Token { text: "::".into(), line });
                at += 2;
            }
            first if first.is_alphanumeric() || first == '_' => {
                while at < bytes.len() && (bytes[at].is_alphanumeric() || bytes[at] == '_') {
                    at += 1;
                }
                found.push(Token { text: bytes[start..at].iter().collect(), line });
            }
            sign => {
                if !sign.is_whitespace() {
                    found.push(Token { text: sign.into(), line });
                }
                at += 1;
            }
        }
        line += bytes[start..at.min(bytes.len())].iter().filter(|&&sign| sign == '\n').count();
    }
    found
}

/// The place behind a string whose first character stands at `at`.
fn end_of_string(bytes: &[char], mut at: usize) -> usize {
    while at < bytes.len() && bytes[at] != '"' {
        at += if bytes[at] == '\\' { 2 } else { 1 };
    }
    at + 1
}

/// The place behind the raw string that begins at `at` (`r"…"`, `r#"…"#`, `br"…"`), if one does.
fn raw_string(bytes: &[char], at: usize) -> Option<usize> {
    let mut start = at + usize::from(bytes[at] == 'b');
    if bytes.get(start) != Some(&'r') {
        return None;
    }
    start += 1;
    let hashes = bytes[start..].iter().take_while(|&&sign| sign == '#').count();
    if bytes.get(start + hashes) != Some(&'"') {
        return None;
    }
    let end: Vec<char> = std::iter::once('"').chain(std::iter::repeat_n('#', hashes)).collect();
    let body = start + hashes + 1;
    let length = bytes[body..].windows(end.len()).position(|window| window == end)?;
    Some(body + length + end.len())
}

/// Leaves out the items under `#[cfg(test)]`.
fn without_tests(tokens: &[Token]) -> Vec<Token> {
    let attribute = ["#", "[", "cfg", "(", "test", ")", "]"];
    let (mut kept, mut at) = (Vec::new(), 0);
    while at < tokens.len() {
        let here = tokens[at..].iter().map(|token| token.text.as_str()).take(attribute.len());
        if !here.eq(attribute) {
            kept.push(tokens[at].clone());
            at += 1;
            continue;
        }
        at += attribute.len();
        // The item ends with a semicolon, or with the brace that closes its first one.
        let mut depth = 0;
        while at < tokens.len() {
            match tokens[at].text.as_str() {
                "{" | "(" | "[" => depth += 1,
                "}" | ")" | "]" => depth -= 1,
                _ => {}
            }
            let ends = depth == 0 && matches!(tokens[at].text.as_str(), ";" | "}");
            at += 1;
            if ends {
                break;
            }
        }
    }
    kept
}

/// The first words of the paths that follow `tokens[at..]`, where a `::` has just passed: one, or those of a group.
fn heads(tokens: &[Token], at: usize) -> Vec<&Token> {
    match tokens.get(at) {
        Some(token) if token.text == "{" => {
            let (mut depth, mut begins, mut found) = (0, true, Vec::new());
            for token in &tokens[at..] {
                match token.text.as_str() {
                    "{" => depth += 1,
                    "}" => depth -= 1,
                    "," => begins = depth == 1,
                    _ if begins && depth == 1 => {
                        found.push(token);
                        begins = false;
                    }
                    _ => {}
                }
                if depth == 0 {
                    break;
                }
            }
            found
        }
        Some(token) => vec![token],
        None => Vec::new(),
    }
}

/// The modules that lead to a file below `src/`: `repl/link.rs` is `["repl", "link"]`.
fn modules_of(file: &str) -> Vec<&str> {
    let mut parts: Vec<&str> = file.trim_end_matches(".rs").split('/').collect();
    if matches!(parts.last(), Some(&("mod" | "lib" | "main"))) {
        parts.pop();
    }
    parts
}

/// What is wrong in one source, whose path is given as below `src/`.
fn check(file: &str, source: &str) -> Vec<Wrong> {
    let modules = modules_of(file);
    // lib.rs and main.rs stand above all.
    let Some(&module) = modules.first() else { return Vec::new() };
    let mut wrong = Vec::new();
    let mut blame = |token: &Token, arrow: String| wrong.push(Wrong { file: file.to_owned(), line: token.line, arrow });
    let tokens = without_tests(&tokens(source));
    if floor_of(module).is_none() {
        blame(
            &Token { text: String::new(), line: 1 },
            format!("{module} has no floor: give it one in tests/floors.rs"),
        );
        return wrong;
    }
    let is = |at: usize, text: &str| tokens.get(at).is_some_and(|token| token.text == text);
    for (at, token) in tokens.iter().enumerate() {
        let follows_path = at > 0 && is(at - 1, "::");
        match token.text.as_str() {
            "crate" | "repltool" if !follows_path && is(at + 1, "::") => {
                for head in heads(&tokens, at + 2) {
                    if !may_use(module, &head.text) {
                        blame(head, format!("{module} -> {}", head.text));
                    }
                }
            }
            // A chain of `super` may lead out of the file's own floor. Inside inline modules it leads less far than is
            // taken here, which only matters to a chain as long as the file is deep.
            "super" if !follows_path => {
                let (mut end, mut ups) = (at, 1);
                while is(end + 1, "::") && is(end + 2, "super") {
                    (end, ups) = (end + 2, ups + 1);
                }
                if ups >= modules.len() && is(end + 1, "::") {
                    for head in heads(&tokens, end + 2) {
                        if !may_use(module, &head.text) {
                            blame(head, format!("{module} -> {}", head.text));
                        }
                    }
                }
            }
            "tokio" if is(at + 1, "::") && !MAY_USE_TOKIO.contains(&module) => {
                blame(token, format!("{module} -> tokio"));
            }
            clock @ ("SystemTime" | "Instant") if !MAY_READ_THE_CLOCK.contains(&module) => {
                blame(token, format!("{module} -> std::time::{clock}"));
            }
            _ => {}
        }
    }
    wrong
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    let mut entries: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn no_arrow_runs_up() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    assert!(files.len() > 20, "the sources are found");
    let mut wrong = Vec::new();
    for path in &files {
        let file = path.strip_prefix(&root).unwrap().to_str().unwrap().replace('\\', "/");
        if file.split('/').any(|part| part == "tests.rs" || part == "tests") {
            continue;
        }
        wrong.extend(check(&file, &std::fs::read_to_string(path).unwrap()));
    }
    let lines: Vec<String> = wrong.iter().map(|wrong| format!("src/{wrong}")).collect();
    assert!(lines.is_empty(), "arrows that run up or across:\n{}", lines.join("\n"));
}

#[track_caller]
fn assert_wrong(file: &str, source: &str, expected: &[(usize, &str)]) {
    let wrong = check(file, source);
    let found: Vec<(usize, &str)> = wrong.iter().map(|wrong| (wrong.line, wrong.arrow.as_str())).collect();
    assert_eq!(found, expected, "{file}: {source}");
}

#[test]
fn the_test_can_fail() {
    assert_wrong("tcp/half.rs", "use std::fmt;\nuse crate::repl::Event;\n", &[(2, "tcp -> repl")]);
    assert_wrong(
        "resp/mod.rs",
        "use crate::{\n    bounds::MAX,\n    tcp::{Flow, packet},\n    rdb,\n};",
        &[(3, "resp -> tcp"), (4, "resp -> rdb")],
    );
    assert_wrong("rdb/walk.rs", "fn f() { crate::packet::f() }", &[(1, "rdb -> packet")]);
    assert_wrong("rdb/fingerprint.rs", "use crate::spill::Sorter;", &[(1, "rdb -> spill")]);
    assert_wrong("spill.rs", "use crate::{capture, units};", &[(1, "spill -> capture"), (1, "spill -> units")]);
    assert_wrong("units.rs", "use crate::bounds::MAX;", &[(1, "units -> bounds")]);
    assert_wrong("view/text/mod.rs", "use super::super::cli::Exit;", &[(1, "view -> cli")]);
    assert_wrong("view/json.rs", "use crate::engine::Link;", &[(1, "view -> engine")]);
    assert_wrong(
        "repl/link.rs",
        "use tokio::net;\nlet now = std::time::Instant::now();",
        &[(1, "repl -> tokio"), (2, "repl -> std::time::Instant")],
    );
    assert_wrong("packet/mod.rs", "use std::time::{Duration, SystemTime};", &[(1, "packet -> std::time::SystemTime")]);
    assert_wrong("novel/mod.rs", "", &[(1, "novel has no floor: give it one in tests/floors.rs")]);
    assert_wrong(
        "capture/mod.rs",
        "#[cfg(test)]\nmod tests { use crate::cli; }\nuse crate::cli;",
        &[(3, "capture -> cli")],
    );
    let shown = check("tcp/half.rs", "use crate::repl::Event;")[0].to_string();
    assert_eq!(shown, "tcp/half.rs:1: tcp -> repl");
}

#[test]
fn what_is_allowed_is_not_blamed() {
    let sources = [
        ("repl/link.rs", "use crate::tcp::Connection;\nuse super::super::resp;\nuse super::ledger::Ledger;"),
        ("tcp/half.rs", "// use crate::repl::Event;\n/* crate::cli:: /* nested */ crate::view:: */ let a = 'a';"),
        ("tcp/half.rs", "let text = \"crate::repl::\\\" Instant\"; let raw = r#\"crate::\"cli::\"#; let q = '\"';"),
        ("tcp/half.rs", "#[cfg(test)]\nmod tests {\n    use crate::repl::Event;\n    fn f() {}\n}\n"),
        ("tcp/half.rs", "#[cfg(test)]\nuse crate::repl::Event;\n#[cfg(test)]\nmod tests;\nfn f<'a>(x: &'a str) {}"),
        ("view/json.rs", "use crate::repl::{Event, view_of};"),
        ("capture/live.rs", "use std::time::Instant;"),
        ("cli/mod.rs", "use tokio::runtime; use crate::replay;"),
        ("main.rs", "repltool::cli::main()"),
        ("lib.rs", "pub mod cli;"),
    ];
    for (file, source) in sources {
        assert_wrong(file, source, &[]);
    }
}
