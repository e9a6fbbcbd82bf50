//! For the tests of commands: an engine, one session, words in and words out.

use super::args::{Args, Ranges};
use super::clients::{Blocked, BlockedOn, Session};
use super::core::Engine;
use super::reply::Reply;
use super::value::Blob;
use crate::repl::event::Replid;
use crate::resp::encode;
use crate::units::Offset;

/// An engine and one client, at a time that stands still until it is moved.
pub(super) struct Play {
    pub(super) engine: Engine,
    pub(super) session: Session,
    pub(super) now: i64,
    /// How far the stream was looked at.
    seen: u64,
}

/// Splits a line into words as redis-cli does.
pub(super) fn words(line: &str) -> Vec<Vec<u8>> {
    super::config::split(line.as_bytes()).unwrap_or_else(|| panic!("open quotes: {line}"))
}

/// A command's bytes and where its words stand.
fn command(words: &[Vec<u8>]) -> (Vec<u8>, Ranges) {
    let mut bytes = Vec::new();
    encode(&mut bytes, words.iter().map(Vec::as_slice));
    let (mut ranges, mut at) = (Ranges::new(), 0);
    at += format!("*{}\r\n", words.len()).len();
    for word in words {
        at += format!("${}\r\n", word.len()).len();
        ranges.push((at, at + word.len()));
        at += word.len() + 2;
    }
    (bytes, ranges)
}

/// What a session waits for, and the words that are run then where they are others than it said.
fn waits(blocked: &Blocked, words: &[Vec<u8>]) -> String {
    let BlockedOn::Keys(places) = &blocked.on else { return format!("{blocked:?}") };
    let keys: Vec<&Blob> = places.iter().map(|(_, key)| key).collect();
    let again: Vec<Blob> = blocked.command.get(0).from(0).map(Blob::from).collect();
    let until = blocked.until;
    if again.iter().map(|word| &word[..]).eq(words.iter().map(Vec::as_slice)) {
        return format!("Block {{ keys: {keys:?}, until: {until:?} }}");
    }
    format!("BlockAs {{ keys: {keys:?}, until: {until:?}, words: {again:?} }}")
}

impl Play {
    pub(super) fn new(dialect: &str) -> Self {
        let mut engine = Engine::new(dialect.parse().unwrap(), 16);
        // With a backlog, so that the stream is written.
        engine.master.resume(Replid::from_wire(&[b'a'; 40]), Offset(0));
        Self { engine, session: Session::default(), now: 1_700_000_000_000, seen: 0 }
    }

    /// Runs a line; gives the answer, its lines joined by blanks without lengths, as `redis-cli --no-raw` would show
    /// roughly: `(nil)`, numbers, `[a b]`.
    pub(super) fn run(&mut self, line: &str) -> String {
        let words = words(line);
        let (bytes, ranges) = command(&words);
        let mut reply = Reply::default();
        let args = Args::new(&bytes, &ranges, Some(&bytes));
        self.engine.execute(&mut self.session, args, &mut reply, self.now);
        match self.engine.unblock(&mut self.session) {
            Some(blocked) => waits(&blocked, &words),
            None => shown(&mut reply.bytes()),
        }
    }

    /// Runs lines, each beside what it answers and what goes into the stream.
    #[track_caller]
    pub(super) fn rows(&mut self, rows: &[(&str, &str, &str)]) {
        for (line, answer, stream) in rows {
            assert_eq!((self.run(line).as_str(), self.stream().as_str()), (*answer, *stream), "{line}");
        }
    }

    /// Runs a line; gives the byte string that it answers.
    pub(super) fn bulk(&mut self, line: &str) -> Vec<u8> {
        let (bytes, ranges) = command(&words(line));
        let mut reply = Reply::default();
        self.engine.execute(&mut self.session, Args::new(&bytes, &ranges, Some(&bytes)), &mut reply, self.now);
        let end = reply.bytes().windows(2).position(|pair| pair == b"\r\n").expect("a line") + 2;
        reply.bytes()[end..reply.len() - 2].to_vec()
    }

    /// Runs a line; gives the answer's bytes.
    pub(super) fn raw(&mut self, line: &str) -> String {
        self.answer(line, Reply::new(false))
    }

    /// Runs a line; gives the answer's bytes in RESP3.
    pub(super) fn raw3(&mut self, line: &str) -> String {
        self.answer(line, Reply::new(true))
    }

    fn answer(&mut self, line: &str, mut reply: Reply) -> String {
        let (bytes, ranges) = command(&words(line));
        self.engine.execute(&mut self.session, Args::new(&bytes, &ranges, Some(&bytes)), &mut reply, self.now);
        String::from_utf8_lossy(reply.bytes()).into_owned()
    }

    /// Runs a line as if the master had said it.
    pub(super) fn apply(&mut self, line: &str) -> bool {
        let words = words(line);
        let (bytes, ranges) = command(&words);
        self.engine.apply(&mut self.session, Args::new(&bytes, &ranges, Some(&bytes)), self.now)
    }

    /// What went into the stream since this was asked last: words by blanks, commands by ` | `, without SELECT 0 at the
    /// beginning.
    pub(super) fn stream(&mut self) -> String {
        let backlog = self.engine.master.backlog().unwrap();
        let bytes = backlog.read(self.seen + 1).collect::<Vec<_>>().concat();
        self.seen = backlog.offset().0;
        let (mut rest, mut commands) = (&bytes[..], Vec::new());
        while !rest.is_empty() {
            commands.push(shown(&mut rest).trim_matches(['[', ']']).to_owned());
        }
        if commands.first().is_some_and(|first| first == "SELECT 0") {
            commands.remove(0);
        }
        commands.join(" | ")
    }
}

/// One value as words.
fn shown(bytes: &mut &[u8]) -> String {
    let end = bytes.windows(2).position(|pair| pair == b"\r\n").expect("a line");
    let (line, rest) = (&bytes[..end], &bytes[end + 2..]);
    *bytes = rest;
    let text = String::from_utf8(line[1..].to_vec()).unwrap();
    let number = || text.parse::<i64>().unwrap();
    match line[0] {
        b'$' | b'=' if number() < 0 => "(nil)".into(),
        b'$' | b'=' => {
            let (body, rest) = bytes.split_at(number() as usize);
            *bytes = &rest[2..];
            match std::str::from_utf8(body) {
                Ok(text) if !text.is_empty() && !text.contains(['\0', '\r', '\n']) => text.to_owned(),
                _ => format!("\"{}\"", body.escape_ascii()),
            }
        }
        b'*' | b'~' | b'>' if number() < 0 => "(nil)".into(),
        b'*' | b'~' | b'>' => {
            format!("[{}]", (0..number()).map(|_| shown(bytes)).collect::<Vec<_>>().join(" "))
        }
        b'%' => format!("[{}]", (0..2 * number()).map(|_| shown(bytes)).collect::<Vec<_>>().join(" ")),
        b'_' => "(nil)".into(),
        b'-' => format!("-{text}"),
        _ => text,
    }
}

#[test]
fn lines_are_split_as_redis_cli_splits_them() {
    assert_eq!(
        words("SET \"a b\" \"\\x00\\n\" \"\""),
        [b"SET".to_vec(), b"a b".to_vec(), b"\0\n".to_vec(), Vec::new()]
    );
}
