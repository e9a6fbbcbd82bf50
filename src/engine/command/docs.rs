//! COMMAND DOCS, and what of COMMAND INFO only people and libraries ask for: tips, places of keys.
//!
//! `docs.txt` has it, line by line. Places of keys stand there as `flags/begin/find`, several with `;` between: it begins
//! at the argument `i1`, behind the word `kSTREAMS:1` that is looked for from an argument on, or is unknown, `u`; keys are
//! in a range, `r` and the last, the step and the limit; or counted, `n` and where the number is, the first and the step.
//! An argument is `name:type` and what is true of it:
//!
//! ```text
//! =WORD      it follows this word, or is it          @6.2.0  since when
//! ~text      how it is shown, if not by its name     !2.8.12 since when it is deprecated
//! #0         a key: which of the places              ? * +   optional, several, each with the word
//! (…)        what it is made of, with blanks between
//! ```
//!
//! What is no letter, digit, `-` or `_` is written as `%` and two hexadecimal digits.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::Spec;
use crate::engine::dialect::Dialect;
use crate::engine::info::letter;
use crate::engine::reply::Reply;

const TEXT: &str = include_str!("docs.txt");

/// What there is about a command: what it is for, and for which servers what they tell.
struct Entry {
    summary: &'static str,
    rows: Vec<(&'static str, &'static str)>,
}

static ENTRIES: LazyLock<HashMap<&'static str, Entry>> = LazyLock::new(|| {
    let mut entries = HashMap::new();
    let mut last = "";
    for line in TEXT.lines().filter(|line| !line.starts_with('#')) {
        match line.strip_prefix(' ') {
            Some(row) => {
                let row = row.split_once(' ').unwrap_or((row, ""));
                if let Some(Entry { rows, .. }) = entries.get_mut(last) {
                    rows.push(row);
                }
            }
            None => {
                let (name, summary) = line.split_once(' ').unwrap_or((line, ""));
                entries.insert(name, Entry { summary, rows: Vec::new() });
                last = name;
            }
        }
    }
    entries
});

/// What a server tells of a command, field by field; `-` where there is nothing.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Doc {
    summary: &'static str,
    since: &'static str,
    group: &'static str,
    complexity: &'static str,
    flags: &'static str,
    deprecated: &'static str,
    replaced_by: &'static str,
    tips: &'static str,
    keys: &'static str,
    arguments: &'static str,
}

/// What a server of this kind tells, or another one where it has a command that this version had not yet.
pub(super) fn find(spec: &Spec, dialect: Dialect) -> Option<Doc> {
    let entry = ENTRIES.get(spec.name)?;
    let own = entry.rows.iter().find(|(servers, _)| servers.contains(letter(dialect)));
    let (_, row) = own.or(entry.rows.first())?;
    let mut fields = row.splitn(9, ' ');
    let mut field = || fields.next().filter(|text| *text != "-").unwrap_or_default();
    Some(Doc {
        summary: entry.summary,
        since: field(),
        group: field(),
        complexity: field(),
        flags: field(),
        deprecated: field(),
        replaced_by: field(),
        tips: field(),
        keys: field(),
        arguments: field(),
    })
}

fn parts(text: &str, between: char) -> impl Iterator<Item = &str> + Clone {
    text.split(between).filter(|part| !part.is_empty())
}

impl Doc {
    /// A command's entry in COMMAND DOCS, its subcommands' with it.
    pub(super) fn tell(&self, spec: &Spec, dialect: Dialect, reply: &mut Reply) {
        let subcommands: Vec<(&Spec, Self)> = spec
            .subcommands()
            .filter(|sub| sub.is_told(dialect))
            .filter_map(|sub| Some((sub, find(sub, dialect)?)))
            .collect();
        let texts =
            [("summary", self.summary), ("since", self.since), ("group", self.group), ("complexity", self.complexity)];
        let replaced = parts(self.replaced_by, ',').map(|word| format!("`{}`", word.replace('_', " ")));
        let replaced = replaced.collect::<Vec<_>>().join(" or ");
        let later = [("deprecated_since", self.deprecated), ("replaced_by", &replaced)];
        let is_there = |(_, text): &&(&str, &str)| !text.is_empty();
        let arguments = arguments(self.arguments);
        reply.map(
            texts.iter().chain(&later).filter(is_there).count()
                + [!self.flags.is_empty(), !arguments.is_empty(), !subcommands.is_empty()]
                    .iter()
                    .filter(|there| **there)
                    .count(),
        );
        let tell = |reply: &mut Reply, fields: &[(&str, &str)]| {
            for (name, text) in fields.iter().filter(is_there) {
                reply.bulk(name.as_bytes());
                reply.bulk(text.as_bytes());
            }
        };
        tell(reply, &texts);
        if !self.flags.is_empty() {
            reply.bulk(b"doc_flags");
            tell_words(reply, self.flags);
        }
        tell(reply, &later);
        if !arguments.is_empty() {
            reply.bulk(b"arguments");
            reply.array(arguments.len());
            arguments.iter().for_each(|argument| argument.tell(dialect, reply));
        }
        if !subcommands.is_empty() {
            reply.bulk(b"subcommands");
            reply.map(subcommands.len());
            for (sub, doc) in subcommands {
                reply.bulk(sub.name.to_ascii_lowercase().as_bytes());
                doc.tell(sub, dialect, reply);
            }
        }
    }

    /// The tips, as COMMAND INFO has them.
    pub(super) fn tell_tips(&self, reply: &mut Reply) {
        reply.set(parts(self.tips, ',').count());
        parts(self.tips, ',').for_each(|tip| reply.bulk(tip.as_bytes()));
    }

    /// Where the keys are, as COMMAND INFO has it.
    pub(super) fn tell_keys(&self, reply: &mut Reply) {
        let places = parts(self.keys, ';');
        reply.set(places.clone().count());
        for place in places {
            let mut halves = place.split('/');
            let mut half = || halves.next().unwrap_or_default();
            reply.map(3);
            reply.bulk(b"flags");
            tell_words(reply, half());
            reply.bulk(b"begin_search");
            tell_search(reply, half());
            reply.bulk(b"find_keys");
            tell_search(reply, half());
        }
    }
}

fn tell_words(reply: &mut Reply, words: &str) {
    reply.set(parts(words, ',').count());
    parts(words, ',').for_each(|word| reply.status(word));
}

/// How keys are found, or where to begin.
fn tell_search(reply: &mut Reply, search: &str) {
    let (kind, values) = search.split_at_checked(1).unwrap_or_default();
    let (kind, fields): (&str, &[&str]) = match kind {
        "i" => ("index", &["index"]),
        "k" => ("keyword", &["keyword", "startfrom"]),
        "r" => ("range", &["lastkey", "keystep", "limit"]),
        "n" => ("keynum", &["keynumidx", "firstkey", "keystep"]),
        _ => ("unknown", &[]),
    };
    reply.map(2);
    reply.bulk(b"type");
    reply.bulk(kind.as_bytes());
    reply.bulk(b"spec");
    reply.map(fields.len());
    for (field, value) in fields.iter().zip(values.split(':')) {
        reply.bulk(field.as_bytes());
        match value.parse() {
            Ok(number) => reply.integer(number),
            Err(_) => reply.bulk(value.as_bytes()),
        }
    }
}

/// An argument of a command.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Argument {
    name: String,
    kind: &'static str,
    word: Option<String>,
    shown: Option<String>,
    since: Option<String>,
    deprecated: Option<String>,
    key: Option<i64>,
    flags: Vec<&'static str>,
    parts: Vec<Argument>,
}

/// Reads arguments up to the end, or to the bracket that closes them.
fn arguments(text: &str) -> Vec<Argument> {
    Reader { rest: text }.arguments()
}

struct Reader<'a> {
    rest: &'a str,
}

impl Reader<'_> {
    fn arguments(&mut self) -> Vec<Argument> {
        let mut found = Vec::new();
        loop {
            self.rest = self.rest.trim_start_matches(' ');
            if self.rest.is_empty() {
                return found;
            }
            if let Some(rest) = self.rest.strip_prefix(')') {
                self.rest = rest;
                return found;
            }
            found.push(self.argument());
        }
    }

    /// Letters, digits and what goes with them, and what was written as `%xx`.
    fn word(&mut self) -> String {
        let ends = |sign: char| !(sign.is_ascii_alphanumeric() || "-_.%".contains(sign));
        let (word, rest) = self.rest.split_at(self.rest.find(ends).unwrap_or(self.rest.len()));
        self.rest = rest;
        let mut pieces = word.split('%');
        let mut text = pieces.next().unwrap_or_default().to_owned();
        for piece in pieces {
            let (digits, after) = piece.split_at_checked(2).unwrap_or((piece, ""));
            text.extend(u8::from_str_radix(digits, 16).ok().map(char::from));
            text += after;
        }
        text
    }

    fn sign(&mut self) -> Option<char> {
        let sign = self.rest.chars().next().filter(|sign| !" )".contains(*sign))?;
        self.rest = self.rest.get(sign.len_utf8()..).unwrap_or_default();
        Some(sign)
    }

    fn argument(&mut self) -> Argument {
        let mut argument = Argument { name: self.word(), ..Argument::default() };
        self.sign();
        argument.kind = match self.sign() {
            Some('s') => "string",
            Some('i') => "integer",
            Some('d') => "double",
            Some('k') => "key",
            Some('p') => "pattern",
            Some('t') => "unix-time",
            Some('-') => "pure-token",
            Some('|') => "oneof",
            _ => "block",
        };
        while let Some(sign) = self.sign() {
            match sign {
                '=' => argument.word = Some(self.word()),
                '~' => argument.shown = Some(self.word()),
                '@' => argument.since = Some(self.word()),
                '!' => argument.deprecated = Some(self.word()),
                '#' => argument.key = self.word().parse().ok(),
                '?' => argument.flags.push("optional"),
                '*' => argument.flags.push("multiple"),
                '+' => argument.flags.push("multiple_token"),
                '(' => argument.parts = self.arguments(),
                _ => {}
            }
        }
        argument
    }
}

impl Argument {
    fn tell(&self, dialect: Dialect, reply: &mut Reply) {
        // Since 7.2 what stands for itself is shown by its name.
        let is_shown = dialect.since(7, 2) && !["oneof", "block"].contains(&self.kind);
        let shown = self.shown.as_ref().or(is_shown.then_some(&self.name)).filter(|_| dialect.since(7, 2));
        let texts = [
            ("token", self.word.as_ref()),
            ("since", self.since.as_ref()),
            ("deprecated_since", self.deprecated.as_ref()),
        ];
        let more = [shown.is_some(), self.key.is_some(), !self.flags.is_empty(), !self.parts.is_empty()];
        let count =
            texts.iter().filter(|(_, text)| text.is_some()).count() + more.iter().filter(|there| **there).count();
        reply.map(2 + count);
        reply.bulk(b"name");
        reply.bulk(self.name.as_bytes());
        reply.bulk(b"type");
        reply.bulk(self.kind.as_bytes());
        if let Some(shown) = shown {
            reply.bulk(b"display_text");
            reply.bulk(shown.as_bytes());
        }
        if let Some(key) = self.key {
            reply.bulk(b"key_spec_index");
            reply.integer(key);
        }
        for (name, text) in texts {
            if let Some(text) = text {
                reply.bulk(name.as_bytes());
                reply.bulk(text.as_bytes());
            }
        }
        if !self.flags.is_empty() {
            reply.bulk(b"flags");
            reply.set(self.flags.len());
            self.flags.iter().for_each(|flag| reply.status(flag));
        }
        if !self.parts.is_empty() {
            reply.bulk(b"arguments");
            reply.array(self.parts.len());
            self.parts.iter().for_each(|part| part.tell(dialect, reply));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::testing::Play;

    #[test]
    fn every_command_is_told_of() {
        for dialect in ["redis-7.0", "redis-8.2", "valkey-8.1", "valkey-9.1"] {
            let dialect: Dialect = dialect.parse().unwrap();
            for spec in super::super::all().filter(|spec| spec.is_told(dialect)) {
                let doc = find(spec, dialect).unwrap_or_else(|| panic!("{}", spec.name));
                assert!(!doc.summary.is_empty() && !doc.since.is_empty() && !doc.group.is_empty(), "{}", spec.name);
                let entry = &ENTRIES[spec.name];
                let own = entry.rows.iter().filter(|(servers, _)| servers.contains(letter(dialect)));
                assert_eq!(own.count(), 1, "{dialect}: {}", spec.name);
                // Keys are where the table has them.
                let first = parts(doc.keys, ';').next().and_then(|place| place.split('/').nth(1)?.strip_prefix('i'));
                let told = first.map_or(0, |first| first.parse().unwrap());
                let keys = spec.keys_in(dialect);
                assert!(keys.first == 0 || keys.first == told, "{dialect}: {} {told}", spec.name);
            }
        }
    }

    #[test]
    fn arguments_are_read() {
        let found = arguments("key:k#0 a:|@6.2.0?(b:-=%7e c:[(d:s e:i)) f:s~g%2fh!2.8.12*+");
        assert_eq!(found.len(), 3);
        assert_eq!((found[0].kind, found[0].key), ("key", Some(0)));
        assert_eq!((found[1].since.as_deref(), &found[1].flags[..]), (Some("6.2.0"), &["optional"][..]));
        assert_eq!(found[1].parts[0].word.as_deref(), Some("~"));
        assert_eq!(found[1].parts[1].parts[1].kind, "integer");
        assert_eq!((found[2].shown.as_deref(), found[2].flags.len()), (Some("g/h"), 2));
        // What is not well formed ends all the same.
        assert_eq!(arguments("a:s((((").len(), 1);
        assert_eq!(arguments(")x").len(), 0);
    }

    #[test]
    fn a_document_has_the_servers_shape() {
        // Asked of Redis 7.0.15 and Valkey 9.1.2.
        let mut play = Play::new("redis-7.0");
        assert_eq!(
            play.raw3("COMMAND DOCS getset nope"),
            "%1\r\n$6\r\ngetset\r\n%8\r\n$7\r\nsummary\r\n$35\r\nSets a string and gives what it was\r\n$5\r\nsince\r\n$5\r\n1.0.0\r\n$5\r\ngroup\r\n$6\r\nstring\r\n$10\r\ncomplexity\r\n$4\r\nO(1)\r\n$9\r\ndoc_flags\r\n~1\r\n+deprecated\r\n$16\r\ndeprecated_since\r\n$5\r\n6.2.0\r\n$11\r\nreplaced_by\r\n$5\r\n`SET`\r\n$9\r\narguments\r\n*2\r\n%3\r\n$4\r\nname\r\n$3\r\nkey\r\n$4\r\ntype\r\n$3\r\nkey\r\n$14\r\nkey_spec_index\r\n:0\r\n%2\r\n$4\r\nname\r\n$5\r\nvalue\r\n$4\r\ntype\r\n$6\r\nstring\r\n"
        );
        let object = play.raw3("COMMAND DOCS object");
        assert!(
            object.contains("$11\r\nsubcommands\r\n%5\r\n$15\r\nobject|encoding\r\n%5\r\n$7\r\nsummary\r\n"),
            "{object}"
        );
        assert_eq!(play.run("COMMAND DOCS nope"), "[]");
        assert!(play.raw3("COMMAND DOCS config|get").starts_with("%1\r\n$10\r\nconfig|get\r\n%5\r\n"));
        let all = play.raw3("COMMAND DOCS");
        assert!(all.starts_with(&format!("%{}\r\n", play.run("COMMAND COUNT"))));
        let mut play = Play::new("valkey-9.1");
        let copy = "%6\r\n$4\r\nname\r\n$7\r\nreplace\r\n$4\r\ntype\r\n$10\r\npure-token\r\n$12\r\ndisplay_text\r\n$7\r\nreplace\r\n$5\r\ntoken\r\n$7\r\nREPLACE\r\n";
        assert!(play.raw3("COMMAND DOCS restore").contains(copy));
        let mut play = Play::new("redis-6.2");
        assert!(play.run("COMMAND DOCS").starts_with("-ERR"));
    }

    #[test]
    fn tips_and_places_have_the_servers_shape() {
        // Asked of Redis 7.0.15.
        let mut play = Play::new("redis-7.0");
        assert_eq!(
            play.raw3("COMMAND INFO dbsize"),
            "*1\r\n*10\r\n$6\r\ndbsize\r\n:1\r\n~2\r\n+readonly\r\n+fast\r\n:0\r\n:0\r\n:0\r\n~3\r\n+@keyspace\r\n+@read\r\n+@fast\r\n~2\r\n$25\r\nrequest_policy:all_shards\r\n$23\r\nresponse_policy:agg_sum\r\n~0\r\n~0\r\n"
        );
        let places = "~1\r\n%3\r\n$5\r\nflags\r\n~1\r\n+RO\r\n$12\r\nbegin_search\r\n%2\r\n$4\r\ntype\r\n$5\r\nindex\r\n$4\r\nspec\r\n%1\r\n$5\r\nindex\r\n:2\r\n$9\r\nfind_keys\r\n%2\r\n$4\r\ntype\r\n$5\r\nrange\r\n$4\r\nspec\r\n%3\r\n$7\r\nlastkey\r\n:0\r\n$7\r\nkeystep\r\n:1\r\n$5\r\nlimit\r\n:0\r\n~0\r\n";
        let answer = play.raw3("COMMAND INFO object|freq");
        assert!(answer.ends_with(places), "{answer}");
        let answer = play.raw3("COMMAND INFO xread");
        let keyword =
            "$7\r\nkeyword\r\n$4\r\nspec\r\n%2\r\n$7\r\nkeyword\r\n$7\r\nSTREAMS\r\n$9\r\nstartfrom\r\n:1\r\n";
        assert!(answer.contains(keyword), "{answer}");
    }

    #[test]
    fn lists_are_filtered() {
        let mut play = Play::new("redis-7.0");
        play.rows(&[
            ("COMMAND LIST FILTERBY MODULE foo", "[]", ""),
            ("COMMAND LIST FILTERBY ACLCAT foo", "[]", ""),
            ("COMMAND LIST FILTERBY ACLCAT @string", "[]", ""),
            ("COMMAND LIST FILTERBY PATTERN XLEN", "[xlen]", ""),
            ("COMMAND LIST FILTERBY PATTERN config|g*", "[config|get]", ""),
            ("COMMAND LIST FILTERBY ACLCAT HyperLogLog", "[pfadd pfcount pfmerge pfdebug pfselftest]", ""),
            ("COMMAND LIST FILTERBY FOO x", "-ERR syntax error", ""),
            ("COMMAND LIST FILTERBY PATTERN", "-ERR syntax error", ""),
            ("COMMAND LIST FOO", "-ERR syntax error", ""),
        ]);
    }
}
