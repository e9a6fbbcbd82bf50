//! Who is connected: what the engine keeps of each connection, and CLIENT LIST.

use std::collections::HashMap;
use std::fmt::Write;

use foldhash::fast::RandomState;

use super::args::{Args, Ranges};
use super::dialect::Dialect;
use super::reply::Reply;
use super::tracking::Tracking;
use super::value::Blob;
use crate::resp::encode;

/// Names a session: the number that CLIENT ID tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(pub u64);

/// What a connection is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kind {
    /// A client.
    #[default]
    Normal,
    /// A replica that has asked for a sync.
    Replica,
    /// The master.
    Master,
    /// A client that listens to channels: told by what it listens to, never set.
    PubSub,
}

/// Whether a client wants answers (CLIENT REPLY).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Replies {
    /// It does.
    #[default]
    On,
    /// It does not.
    Off,
    /// Not to the next command.
    SkipNext,
}

/// What the engine keeps of one connection.
#[derive(Debug, Default)]
pub struct Session {
    /// As CLIENT ID tells it.
    pub id: SessionId,
    /// The selected database.
    pub db: usize,
    /// The transaction that is being queued.
    pub queue: Option<Queue>,
    /// EXEC is running its transaction.
    pub executes: bool,
    /// A script is calling a command for it.
    pub in_script: bool,
    /// Keys that were WATCHed.
    pub watched: Vec<(usize, Blob)>,
    /// What it is.
    pub kind: Kind,
    /// The other end's address, and our own: `ip:port`.
    pub peer: String,
    /// See `peer`.
    pub local: String,
    /// CLIENT SETNAME's name.
    pub name: Blob,
    /// CLIENT SETINFO's library name and version.
    pub library: (Blob, Blob),
    /// When it came and when it last said something, in milliseconds since 1970.
    pub since: i64,
    /// See `since`.
    pub active: i64,
    /// The user that it has authenticated as.
    pub user: Option<Blob>,
    /// Whether it speaks RESP3.
    pub resp3: bool,
    /// Whether it wants answers.
    pub replies: Replies,
    /// The last command's name.
    pub command: &'static str,
    /// What it waits for.
    pub blocked: Option<Blocked>,
    /// Its next command waits for the end of a pause.
    pub paused: bool,
    /// Bytes that came from it and are not done with, and what there is room for.
    pub input: (usize, usize),
    /// It is to be closed: at once, or once what is written for it is out.
    pub closing: Option<Closing>,
    /// Answer bytes that wait to be sent.
    pub output: usize,
    /// The room for answers that is kept, in bytes, and how much of it they have needed lately.
    pub answer_room: (usize, usize),
    /// What it listens to.
    pub listens: Listens,
    /// CLIENT NO-EVICT and CLIENT NO-TOUCH.
    pub no_evict: bool,
    /// See `no_evict`.
    pub no_touch: bool,
    /// It goes where `-REDIRECT` tells it to (CLIENT CAPA redirect), unless it wants to read from this replica (READONLY).
    pub follows_redirects: bool,
    /// See `follows_redirects`.
    pub reads_replica: bool,
    /// It brings data in (CLIENT IMPORT-SOURCE).
    pub imports: bool,
    /// How it tracks what it reads, if it does.
    pub(super) tracking: Option<Box<Tracking>>,
    /// It sees every command (MONITOR).
    pub monitors: bool,
    /// Bytes that came from it and went to it, and commands that it ran.
    pub bytes_in: u64,
    /// See `bytes_in`.
    pub bytes_out: u64,
    /// See `bytes_in`.
    pub commands: u64,
}

/// Whether what a command answers is pushed.
fn is_pushed(command: &str) -> bool {
    matches!(command, "SUBSCRIBE" | "UNSUBSCRIBE" | "PSUBSCRIBE" | "PUNSUBSCRIBE" | "SSUBSCRIBE" | "SUNSUBSCRIBE")
}

/// What a session listens to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listens {
    /// Channels.
    pub channels: Vec<Blob>,
    /// Patterns.
    pub patterns: Vec<Blob>,
    /// Channels of shards, which here are channels of another name space.
    pub shards: Vec<Blob>,
}

impl Listens {
    /// How many channels and patterns, those of shards aside.
    #[must_use]
    pub fn count(&self) -> usize {
        self.channels.len() + self.patterns.len()
    }
}

/// When a connection is to be closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closing {
    /// What is written for it may be lost.
    Now,
    /// Once it is out.
    AfterReply,
}

/// What a client waits for.
#[derive(Debug)]
pub struct Blocked {
    /// Until when, in milliseconds since 1970; `None` for ever.
    pub until: Option<i64>,
    /// For what.
    pub on: BlockedOn,
    /// The command that waits.
    pub command: Queue,
}

/// What a client may wait for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BlockedOn {
    /// One of these keys to have something.
    Keys(Vec<(usize, Blob)>),
    /// So many replicas to have acknowledged this offset.
    Replicas {
        /// How many.
        count: usize,
        /// The offset.
        offset: u64,
        /// To have it on disk.
        on_disk: bool,
    },
}

/// Commands between MULTI and EXEC.
#[derive(Debug, Default)]
pub struct Queue {
    /// The commands' bytes, one behind the other, as arrays of bulk strings.
    pub bytes: Vec<u8>,
    /// For each its arguments in `bytes`, and where it ends.
    pub commands: Vec<(Ranges, usize)>,
    /// One of them could not be queued, so EXEC must fail.
    pub broken: bool,
    /// The database in which the first of them runs, where that is not the session's.
    pub db: usize,
}

impl Queue {
    /// Adds a command by its words.
    pub fn push<'a>(&mut self, words: impl ExactSizeIterator<Item = &'a [u8]> + DoubleEndedIterator + Clone) {
        encode(&mut self.bytes, words.clone());
        // Where the words stand is found from behind: each is followed by CRLF, and its length is known.
        let mut end = self.bytes.len();
        let mut ranges: Ranges = Vec::with_capacity(words.len());
        for word in words.rev() {
            let until = end - 2;
            let from = until - word.len();
            ranges.push((from, until));
            end = from - "$\r\n".len() - digits(word.len());
        }
        ranges.reverse();
        self.commands.push((ranges, self.bytes.len()));
    }

    /// A command by its place; without words where there is none.
    #[must_use]
    pub fn get(&self, index: usize) -> Args<'_> {
        let start = index.checked_sub(1).and_then(|before| self.commands.get(before)).map_or(0, |(_, end)| *end);
        match self.commands.get(index) {
            Some((ranges, end)) => Args::new(&self.bytes, ranges, self.bytes.get(start..*end)),
            None => Args::new(&[], &[], None),
        }
    }
}

fn digits(number: usize) -> usize {
    number.checked_ilog10().unwrap_or(0) as usize + 1
}

impl Session {
    /// A connection that has come at this time.
    #[must_use]
    pub fn new(id: SessionId, peer: String, local: String, now: i64) -> Self {
        Self { id, peer, local, since: now, active: now, ..Self::default() }
    }

    /// What RESET makes of it: as it came, but for its addresses and its number, and what it can do.
    pub fn reset(&mut self) {
        let (peer, local) = (std::mem::take(&mut self.peer), std::mem::take(&mut self.local));
        *self = Self {
            active: self.active,
            output: self.output,
            answer_room: self.answer_room,
            follows_redirects: self.follows_redirects,
            imports: self.imports,
            ..Self::new(self.id, peer, local, self.since)
        };
    }

    /// Takes a command's answer back that is not wanted, by what the session wanted before the command. What is pushed
    /// comes all the same.
    #[inline]
    pub(super) fn hush(&mut self, command: &str, before: Replies, reply: &mut Reply, answer_at: usize) {
        if before == Replies::On || is_pushed(command) {
            return;
        }
        match before {
            Replies::Off if self.replies == Replies::Off => reply.truncate(answer_at),
            // One that said CLIENT REPLY ON wants that answered.
            Replies::SkipNext if self.replies != Replies::On => {
                reply.truncate(answer_at);
                if command != "CLIENT|REPLY" {
                    self.replies = Replies::On;
                }
            }
            _ => {}
        }
    }

    /// Whether it listens to anything.
    #[must_use]
    pub fn is_listening(&self) -> bool {
        self.listens.count() + self.listens.shards.len() > 0
    }

    /// What it is, as CLIENT LIST and output limits have it.
    #[must_use]
    pub fn kind(&self) -> Kind {
        if self.kind == Kind::Normal && self.is_listening() { Kind::PubSub } else { self.kind }
    }

    /// Its line in CLIENT LIST, as this server writes it. What servers tell of their buffers is 0 here where there is no
    /// such buffer.
    #[must_use]
    pub fn line(&self, now: i64, dialect: Dialect) -> String {
        let mut flags = String::new();
        let mut flag = |holds: bool, letter: char| {
            if holds {
                flags.push(letter);
            }
        };
        flag(self.kind == Kind::Replica, 'S');
        flag(self.monitors, 'O');
        flag(self.kind == Kind::Master, 'M');
        flag(self.is_listening(), 'P');
        flag(self.queue.is_some(), 'x');
        let tracking = self.tracking.as_deref();
        flag(self.blocked.is_some() || self.paused, 'b');
        flag(tracking.is_some(), 't');
        flag(tracking.is_some_and(|tracking| tracking.broken), 'R');
        flag(tracking.is_some_and(|tracking| tracking.broadcast), 'B');
        flag(self.closing == Some(Closing::AfterReply), 'c');
        flag(self.closing == Some(Closing::Now), 'A');
        flag(self.no_evict && dialect.since(7, 0), 'e');
        flag(self.no_touch && dialect.since(7, 2), 'T');
        flag(self.imports, 'I');
        if flags.is_empty() {
            flags.push('N');
        }
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let (modern, recent) = (dialect.since(7, 0), dialect.since(7, 4));
        let valkey = dialect.is_valkey_since(8, 0);
        // Of a command in a container, the container was told before 7.0.
        let command = match self.command {
            "" => "NULL".to_owned(),
            name if !modern => name.split('|').next().unwrap_or_default().to_ascii_lowercase(),
            name => name.to_ascii_lowercase(),
        };
        let queued = match (&self.queue, valkey && !self.watched.is_empty()) {
            (Some(queue), _) => queue.commands.len() as i64,
            (None, true) => 0,
            (None, false) => -1,
        };
        let queued_bytes = self.queue.as_ref().map_or(0, |queue| queue.bytes.len());
        let user = self.user.as_deref().map_or_else(|| "default".to_owned(), text);
        let mut line = format!(
            "id={} addr={} laddr={} fd={} name={} age={} idle={} flags={flags}",
            self.id.0,
            self.peer,
            self.local,
            self.id.0 + 7,
            text(&self.name),
            (now - self.since).max(0) / 1000,
            (now - self.active).max(0) / 1000,
        );
        let mut add = |holds: bool, name: &str, value: &dyn std::fmt::Display| {
            if holds {
                let _ = write!(line, " {name}={value}");
            }
        };
        add(valkey, "capa", &(if self.follows_redirects { "r" } else { "" }));
        add(true, "db", &self.db);
        add(true, "sub", &self.listens.channels.len());
        add(true, "psub", &self.listens.patterns.len());
        add(modern, "ssub", &self.listens.shards.len());
        add(true, "multi", &queued);
        add(recent, "watch", &self.watched.len());
        add(true, "qbuf", &self.input.0);
        add(true, "qbuf-free", &self.input.1);
        add(true, "argv-mem", &0);
        add(modern, "multi-mem", &queued_bytes);
        add(modern, "rbs", &self.answer_room.0);
        add(modern, "rbp", &self.answer_room.1);
        add(true, "obl", &self.output);
        add(true, "oll", &0);
        add(true, "omem", &0);
        add(true, "tot-mem", &(queued_bytes + self.output.max(self.answer_room.0) + self.input.0 + self.input.1));
        add(true, "events", &"r");
        add(true, "cmd", &command);
        add(true, "user", &user);
        let redirect = tracking.map(|tracking| tracking.redirect.map_or(0, |id| id.0.cast_signed()));
        add(true, "redir", &redirect.unwrap_or(-1));
        add(modern, "resp", &(if self.resp3 { 3 } else { 2 }));
        add(dialect.since(7, 2), "lib-name", &text(&self.library.0));
        add(dialect.since(7, 2), "lib-ver", &text(&self.library.1));
        add(dialect.is_redis_since(8, 0), "io-thread", &0);
        add(recent, "tot-net-in", &self.bytes_in);
        add(recent, "tot-net-out", &self.bytes_out);
        add(recent, "tot-cmds", &self.commands);
        line
    }
}

/// How many connections of which kind there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Counts {
    pub normal: usize,
    pub blocked: usize,
    pub blocked_with_timeout: usize,
    pub listening: usize,
    pub watching: usize,
    pub watched_keys: usize,
    pub longest_output: usize,
}

/// All connections but the one whose command is running, which holds its own session meanwhile.
#[derive(Debug, Default)]
pub struct Clients {
    sessions: HashMap<SessionId, Box<Session>, RandomState>,
    last: u64,
    accepted: u64,
}

impl Clients {
    /// The next session's number.
    pub fn next_id(&mut self) -> SessionId {
        self.last += 1;
        self.accepted += 1;
        SessionId(self.last)
    }

    /// How many connections there ever were.
    #[must_use]
    pub fn accepted(&self) -> u64 {
        self.accepted
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.sessions.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.sessions.is_empty()
    }

    /// Puts a session in, back after its command or for the first time.
    pub fn put(&mut self, session: impl Into<Box<Session>>) {
        let session = session.into();
        self.sessions.insert(session.id, session);
    }

    /// Takes a session out, to run its command or for good.
    pub fn take(&mut self, id: SessionId) -> Option<Box<Session>> {
        self.sessions.remove(&id)
    }

    /// A session.
    #[must_use]
    pub fn get(&self, id: SessionId) -> Option<&Session> {
        self.sessions.get(&id).map(|session| &**session)
    }

    /// A session, to change.
    pub fn get_mut(&mut self, id: SessionId) -> Option<&mut Session> {
        self.sessions.get_mut(&id).map(|session| &mut **session)
    }

    /// All sessions.
    pub fn iter(&self) -> impl Iterator<Item = &Session> {
        self.sessions.values().map(|session| &**session)
    }

    /// All sessions, to change.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut Session> {
        self.sessions.values_mut().map(|session| &mut **session)
    }

    /// How many of which kind there are.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for session in self.sessions.values() {
            counts.normal += usize::from(!matches!(session.kind, Kind::Replica | Kind::Master));
            if let Some(blocked) = &session.blocked {
                counts.blocked += 1;
                counts.blocked_with_timeout += usize::from(blocked.until.is_some());
            }
            counts.blocked += usize::from(session.paused);
            counts.listening += usize::from(session.is_listening());
            counts.watching += usize::from(!session.watched.is_empty());
            counts.watched_keys += session.watched.len();
            counts.longest_output = counts.longest_output.max(session.output);
        }
        counts
    }
}
