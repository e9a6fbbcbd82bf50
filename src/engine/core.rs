//! The engine without its server: state, and the execution of one command. It knows no sockets; time is told to it.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use super::args::{Args, Ranges};
use super::command::{self, Flag, Spec};
use super::context::{Context, Origin};
use super::dialect::{Dialect, Family};
use super::error::CommandError;
use super::keyspace::Keyspace;
use super::propagation::Stream;
use super::random::Random;
use super::reply::Reply;
use super::value::{Blob, Value};

/// Names a session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(pub u64);

/// What the engine keeps of one connection.
#[derive(Debug, Default)]
pub struct Session {
    /// As CLIENT ID tells it.
    pub id: SessionId,
    /// The selected database.
    pub db: usize,
    /// The transaction that is being queued.
    pub queue: Option<Queue>,
    /// Keys that were WATCHed.
    pub watched: Vec<(usize, Blob)>,
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
}

/// What only the server around the engine can do for a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// To answer later, when one of these keys has something, and to run the command again then.
    Block {
        /// The keys, of the session's database.
        keys: Vec<Blob>,
        /// Until when, in milliseconds since 1970.
        until: Option<i64>,
    },
    /// The same, and to run these words then in place of the command: `$` of XREAD means the end as it is now.
    BlockAs {
        /// The keys, of the session's database.
        keys: Vec<Blob>,
        /// Until when, in milliseconds since 1970.
        until: Option<i64>,
        /// The command to run.
        words: Vec<Blob>,
    },
    /// To close the connection once the answer is out.
    Close,
    /// To answer by what stands beyond one command: replication, other clients, the process.
    Serve,
}

/// Those who have subscribed to channels: the server knows them.
pub trait Audience: std::fmt::Debug + Send {
    /// Passes a message on; gives to how many. `sharded` is SPUBLISH's.
    fn publish(&mut self, channel: &[u8], message: &[u8], sharded: bool) -> usize;
}

/// Counts for INFO.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Stats {
    pub commands: u64,
    pub expired_keys: u64,
    pub expired_fields: u64,
    pub hits: u64,
    pub misses: u64,
    /// Commands of a master that could not be applied.
    pub unapplied: u64,
}

/// The state of all databases and what belongs to them.
#[derive(Debug)]
pub struct Engine {
    /// The keys.
    pub keyspace: Keyspace,
    /// Which server it is like.
    pub dialect: Dialect,
    /// What goes to replicas.
    pub stream: Stream,
    /// Function libraries: their text by name.
    pub functions: BTreeMap<Blob, Blob>,
    /// Counts.
    pub stats: Stats,
    /// For SPOP and the like.
    pub random: Random,
    /// Who hears what is published.
    pub audience: Option<Box<dyn Audience>>,
    replica: bool,
    /// Who watches which keys, and whose transaction must fail.
    watched: HashMap<(usize, Blob), HashSet<SessionId>>,
    broken: HashSet<SessionId>,
    /// Keys that somebody waits for, by how many; and those that have got something.
    awaited: HashMap<(usize, Blob), usize>,
    ready: Vec<(usize, Blob)>,
    table: command::Table,
}

impl Engine {
    /// An empty engine.
    #[must_use]
    pub fn new(dialect: Dialect, databases: usize) -> Self {
        Self {
            keyspace: Keyspace::new(databases),
            dialect,
            stream: Stream::default(),
            functions: BTreeMap::new(),
            stats: Stats::default(),
            random: Random::new(),
            audience: None,
            replica: false,
            watched: HashMap::new(),
            broken: HashSet::new(),
            awaited: HashMap::new(),
            ready: Vec::new(),
            table: command::Table::new(),
        }
    }

    /// Whether it follows a master.
    #[must_use]
    pub fn is_replica(&self) -> bool {
        self.replica
    }

    /// It follows a master from here on, or no longer.
    pub fn set_replica(&mut self, replica: bool) {
        self.replica = replica;
    }

    /// A command by its name, in any case.
    #[must_use]
    pub fn command(&self, name: &[u8]) -> Option<&'static Spec> {
        self.table.find(name)
    }

    /// Runs one command of a client, or queues it; its effects are in the stream afterwards.
    pub fn execute(&mut self, session: &mut Session, args: Args<'_>, reply: &mut Reply, now: i64) -> Option<Request> {
        let spec = match self.admit(session, args) {
            Ok(spec) => spec,
            Err(error) => {
                if let Some(queue) = &mut session.queue {
                    queue.broken = true;
                }
                reply.error(&error);
                return None;
            }
        };
        if session.queue.is_some() && !spec.has(Flag::Transaction) {
            enqueue(session, args);
            reply.raw(b"+QUEUED\r\n");
            return None;
        }
        let request = self.run(spec, session, args, reply, Origin::Client, now);
        self.stream.end_unit(self.dialect);
        request
    }

    /// The command that a client calls.
    pub(super) fn called(&self, args: Args<'_>) -> Result<&'static Spec, CommandError> {
        let first = self.table.find(args.get(0)).filter(|spec| spec.is_known(self.dialect));
        let first = first.ok_or_else(|| command::unknown(args, self.dialect))?;
        if !first.is_container() || args.len() < 2 {
            return Ok(first);
        }
        let sub = self.table.find_sub(first, args.get(1)).filter(|spec| spec.is_known(self.dialect));
        sub.ok_or_else(|| command::unknown_sub(first, args, self.dialect))
    }

    /// Whether a client may run a command.
    fn admit(&self, session: &Session, args: Args<'_>) -> Result<&'static Spec, CommandError> {
        let spec = self.called(args)?;
        if !spec.takes(args.len()) {
            // Before 7.0 a subcommand's arity was its handler's to check, and told as if it were unknown.
            return Err(match self.table.find(args.get(0)).filter(|first| first.is_container()) {
                Some(container) if args.len() > 1 && !self.dialect.since(7, 0) => {
                    command::unknown_sub(container, args, self.dialect)
                }
                _ => CommandError::arity(spec.name),
            });
        }
        if self.replica && spec.has(Flag::Write) {
            return Err(CommandError::READ_ONLY);
        }
        let _ = session;
        Ok(spec)
    }

    /// Runs a command; what it changes is in the unit of effects under way.
    pub(super) fn run(
        &mut self,
        spec: &'static Spec,
        session: &mut Session,
        args: Args<'_>,
        reply: &mut Reply,
        origin: Origin,
        now: i64,
    ) -> Option<Request> {
        self.stats.commands += 1;
        let written = reply.len();
        let mut context =
            Context { engine: self, session, reply, origin, now, changes: 0, effects_told: false, request: None };
        let outcome = (spec.handler)(&mut context, args);
        let Context { changes, effects_told, request, .. } = context;
        if let Err(error) = outcome {
            reply.truncate(written);
            reply.error(&error);
            return None;
        }
        let goes_on = spec.has(Flag::Write) || spec.has(Flag::MayReplicate);
        if changes > 0 && !effects_told && origin == Origin::Client && goes_on {
            match args.wire() {
                Some(wire) => self.stream.push_wire(session.db, wire),
                None => self.stream.push(session.db, args.from(0)),
            }
        }
        request
    }

    /// Runs a command that the master has put into the stream. Gives whether it could be applied.
    pub fn apply(&mut self, session: &mut Session, args: Args<'_>, now: i64) -> bool {
        match self.table.resolve(args) {
            Some(spec) if spec.takes(args.len()) => {
                let mut reply = Reply::mute();
                self.run(spec, session, args, &mut reply, Origin::Master, now);
                true
            }
            _ => {
                self.stats.unapplied += 1;
                false
            }
        }
    }

    /// Deletes a key that has expired and tells the replicas.
    pub(super) fn expire(&mut self, db: usize, key: &[u8]) {
        if self.keyspace.remove(db, key).is_some() {
            self.stats.expired_keys += 1;
            self.stream.push(db, [self.delete_word(), key].into_iter());
            self.touch(db, key);
        }
    }

    /// Deletes expired keys, at most so many; gives how many there were. Only masters do.
    pub fn expire_some(&mut self, now: i64, limit: usize) -> usize {
        let mut expired = 0;
        for db in 0..self.keyspace.databases() {
            while expired < limit
                && let Some(key) = self.keyspace.next_expired(db, now)
            {
                self.expire(db, &key);
                self.stream.end_unit(self.dialect);
                expired += 1;
            }
            while expired < limit
                && let Some(key) = self.keyspace.next_expired_field(db, now)
            {
                expired += self.expire_fields(db, &key, now, limit - expired).max(1);
            }
        }
        expired
    }

    /// Deletes fields of a hash that have expired, at most so many, and tells the replicas; gives how many there were.
    fn expire_fields(&mut self, db: usize, key: &[u8], now: i64, limit: usize) -> usize {
        let Some(Value::Hash(hash)) = self.keyspace.value_mut(db, key) else {
            self.keyspace.note_fields(db, key);
            return 0;
        };
        let fields = hash.expired(now, limit);
        let hash = Arc::make_mut(hash);
        for field in &fields {
            hash.remove(field);
        }
        let emptied = hash.is_empty();
        self.keyspace.note_fields(db, key);
        if fields.is_empty() {
            return 0;
        }
        if emptied {
            self.keyspace.remove(db, key);
        }
        self.touch(db, key);
        match self.dialect.family {
            // Each is an effect of its own…
            Family::Redis => {
                for field in &fields {
                    self.stream.push(db, [&b"HDEL"[..], key, field].into_iter());
                    self.stream.end_unit(self.dialect);
                }
            }
            // …or one for all, and where none is left Valkey says that of the key, too.
            Family::Valkey => {
                let words: Vec<&[u8]> = [&b"HDEL"[..], key].into_iter().chain(fields.iter().map(|it| &**it)).collect();
                self.stream.push(db, words.into_iter());
                if emptied {
                    self.stream.push(db, [self.delete_word(), key].into_iter());
                }
                self.stream.end_unit(self.dialect);
            }
        }
        self.stats.expired_fields += fields.len() as u64;
        fields.len()
    }

    /// Empties a database.
    pub(super) fn flush(&mut self, db: usize) {
        if !self.watched.is_empty() {
            let places: Vec<_> = self.watched.keys().filter(|(at, _)| *at == db).cloned().collect();
            for (db, key) in places {
                if self.keyspace.get(db, &key).is_some() {
                    self.touch(db, &key);
                }
            }
        }
        self.keyspace.clear(db);
    }

    /// Valkey frees lazily unless told otherwise, and says so in the stream.
    pub(super) fn delete_word(&self) -> &'static [u8] {
        match self.dialect.family {
            Family::Valkey => b"UNLINK",
            Family::Redis => b"DEL",
        }
    }

    /// A key has changed: transactions of those who watch it fail.
    #[inline]
    pub(super) fn touch(&mut self, db: usize, key: &[u8]) {
        if !self.watched.is_empty()
            && let Some(sessions) = self.watched.get(&(db, Blob::from(key)))
        {
            self.broken.extend(sessions);
        }
    }

    /// A session wants to know whether a key changes.
    pub(super) fn watch(&mut self, session: &mut Session, key: &[u8]) {
        let place = (session.db, Blob::from(key));
        if self.watched.entry(place.clone()).or_default().insert(session.id) {
            session.watched.push(place);
        }
    }

    /// A session no longer wants to know.
    pub fn unwatch(&mut self, session: &mut Session) {
        self.broken.remove(&session.id);
        for place in session.watched.drain(..) {
            if let Some(sessions) = self.watched.get_mut(&place) {
                sessions.remove(&session.id);
                if sessions.is_empty() {
                    self.watched.remove(&place);
                }
            }
        }
    }

    /// Whether a key that the session watches has changed.
    pub(super) fn is_broken(&self, session: &Session) -> bool {
        self.broken.contains(&session.id)
    }

    /// A key has something that a blocked client may wait for.
    #[inline]
    pub(super) fn signal(&mut self, db: usize, key: &[u8]) {
        if !self.awaited.is_empty() {
            let place = (db, Blob::from(key));
            if self.awaited.contains_key(&place) && !self.ready.contains(&place) {
                self.ready.push(place);
            }
        }
    }

    /// A session waits for a key, or no longer.
    pub fn await_key(&mut self, db: usize, key: &Blob, waits: bool) {
        let place = (db, key.clone());
        let count = self.awaited.get(&place).copied().unwrap_or(0);
        match if waits { count + 1 } else { count.saturating_sub(1) } {
            0 => self.awaited.remove(&place),
            count => self.awaited.insert(place, count),
        };
    }

    /// The keys that got something since this was asked last.
    pub fn take_ready(&mut self) -> Vec<(usize, Blob)> {
        std::mem::take(&mut self.ready)
    }
}

/// Puts a command into the session's queue.
fn enqueue(session: &mut Session, args: Args<'_>) {
    let Some(queue) = &mut session.queue else { return };
    let start = queue.bytes.len();
    super::propagation::encode(&mut queue.bytes, args.from(0));
    // Where the words stand is found from behind: each is followed by CRLF, and its length is known.
    let mut end = queue.bytes.len();
    let mut ranges: Ranges = Vec::with_capacity(args.len());
    for word in args.from(0).rev() {
        let until = end - 2;
        let from = until - word.len();
        ranges.push((from, until));
        end = from - (3 + digits(word.len()));
    }
    ranges.reverse();
    debug_assert!(end >= start);
    queue.commands.push((ranges, queue.bytes.len()));
}

fn digits(number: usize) -> usize {
    number.checked_ilog10().unwrap_or(0) as usize + 1
}
