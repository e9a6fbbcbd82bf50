//! The engine without its server: state, and the execution of one command. It knows no sockets; time is told to it.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::rc::Rc;
use std::sync::Arc;

use super::args::{Args, Ranges};
#[cfg(feature = "scripts")]
use super::busy::{Attendant, Busy};
use super::clients::{Blocked, BlockedOn, Clients, Kind, Queue, Session, SessionId};
use super::command::{self, Flag, Spec};
use super::config::Config;
use super::context::{Context, Origin};
use super::courier::Courier;
use super::dialect::{Dialect, Family};
use super::error::CommandError;
use super::events::{Class, Wanted};
use super::guards::Guards;
use super::info::{Process, Rates};
use super::keyspace::Keyspace;
use super::libraries::Libraries;
use super::log::Level;
use super::measure::Measures;
use super::propagation::Stream;
use super::random::Random;
use super::replication::{Link, Task};
use super::reply::Reply;
use super::saving::Saving;
#[cfg(feature = "scripts")]
use super::script::Scripts;
use super::subscriptions::Subscriptions;
use super::tracking::Tracked;
use super::users::{Denied, Users};
use super::value::{Blob, Value};
use crate::bounds::MAX_DATABASES;
use crate::repl::master::{self, ConnectionId, Master};
use crate::repl::replica::{self, CachedMaster, Channel, Replica};
use crate::units::Offset;

/// Who watches a key, and whether it had expired before they did.
type Watchers = HashMap<SessionId, bool>;

/// What a command asks of the server around the engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// To answer later, when one of these keys of the session's database has something, and to run the command again
    /// then.
    Block {
        /// The keys.
        keys: Vec<Blob>,
        /// Until when, in milliseconds since 1970; `None` for ever.
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
}

/// Why the server is to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stop {
    /// Who has asked for it: a command or a signal.
    pub asked_by: &'static str,
}

/// The configuration file, which the engine has others read and write.
pub trait ConfigFile: std::fmt::Debug + Send {
    /// The text as it is now.
    ///
    /// # Errors
    /// Why not.
    fn read(&self) -> Result<String, String>;

    /// Puts a text in its place.
    ///
    /// # Errors
    /// Why not.
    fn write(&mut self, text: &str) -> Result<(), String>;
}

/// Where connections come, which the engine has others see to.
pub trait Listening: std::fmt::Debug {
    /// Listens on these addresses, written as `bind` has them, and on no others; on none where there are none or the port
    /// is 0.
    ///
    /// # Errors
    /// Why not; it goes on listening where it did.
    fn listen(&self, bind: &str, port: u16) -> Result<(), String>;
}

/// Counts for INFO.
#[derive(Clone, Debug, Default)]
#[allow(missing_docs)]
pub struct Stats {
    pub commands: u64,
    /// Bytes from clients and replicas, to clients, from the master, and of the stream to replicas.
    pub bytes_in: u64,
    pub bytes_out: u64,
    pub link_bytes_in: u64,
    pub stream_bytes_out: u64,
    pub rates: Rates,
    /// Connections that were cut since too much waited for them.
    pub cut_for_output: u64,
    pub rejected: u64,
    pub expired_keys: u64,
    pub expired_fields: u64,
    pub evicted_keys: u64,
    /// Values that servers would free in the background.
    pub freed_lazily: u64,
    pub hits: u64,
    pub misses: u64,
    /// Changes of keys.
    pub changes: u64,
    /// Commands of a master that could not be applied, and the first of them: the offset before it, and its name.
    pub unapplied: u64,
    pub first_unapplied: Option<(i64, String)>,
    /// Error replies by their first word.
    pub errors: BTreeMap<String, u64>,
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
    /// The end for this server's replicas.
    pub master: Master,
    /// The end for this server's master; absent only while it is at work.
    pub(super) replica: Option<Box<Replica>>,
    pub(super) link: Link,
    /// What the server is to do.
    pub tasks: VecDeque<Task>,
    /// Room for the places of a command's arguments.
    pub(super) ranges: Ranges,
    /// Answers to clients whose wait has ended, until the server sends them.
    pub(super) delivered: Vec<(SessionId, Vec<u8>)>,
    /// Function libraries.
    pub functions: Libraries,
    /// Scripts, and what runs them.
    #[cfg(feature = "scripts")]
    pub scripts: Scripts,
    /// The configuration.
    pub config: Config,
    /// Who is connected.
    pub clients: Clients,
    /// Who may log in.
    pub users: Users,
    /// What users were denied, the newest first.
    pub(super) denials: VecDeque<command::Denial>,
    pub(super) next_denial: u64,
    /// Where ACL SAVE writes.
    pub acl_file: Option<Box<dyn ConfigFile>>,
    /// What the process is.
    pub process: Process,
    /// Looks at the process anew.
    pub(super) look: Option<fn(&mut Process)>,
    /// Counts.
    pub stats: Stats,
    /// How often commands run, and for how long.
    pub(super) measures: Measures,
    /// For SPOP and the like.
    pub random: Random,
    /// How the data and its file stand to each other.
    pub saving: Saving,
    /// Where the stream stood in which the first RDB was saved: a replica goes on from there.
    pub resumes: Option<CachedMaster>,
    /// Who hears what is published.
    pub(super) subscriptions: Subscriptions,
    /// Which events of keys are published (`notify-keyspace-events`).
    pub(super) events: Wanted,
    /// What tracking clients have read.
    pub(super) tracked: Tracked,
    /// The session whose command is running, or ran last, and whether it speaks RESP3.
    pub(super) running: SessionId,
    pub(super) running_resp3: bool,
    /// Messages to the session whose command is running, until its answer is written.
    pub(super) heard: Vec<u8>,
    /// Where CONFIG REWRITE writes.
    pub config_file: Option<Box<dyn ConfigFile>>,
    /// Listens elsewhere.
    pub listening: Option<Rc<dyn Listening>>,
    follows: bool,
    loading: bool,
    /// What is done ten times a second is not done (DEBUG PAUSE-CRON).
    pub(super) cron_paused: bool,
    /// How long what a client's answers have needed counts for the room that is kept for them, in milliseconds; for ever
    /// if it is not said (DEBUG REPLYBUFFER).
    pub(super) answer_peak_reset: Option<i64>,
    /// Whether keys are deleted once they expire, not only when they are asked for (DEBUG SET-ACTIVE-EXPIRE).
    pub active_expire: bool,
    /// `maxmemory`, in bytes; 0 for no limit.
    pub(super) max_memory: u64,
    /// `proto-max-bulk-len`, at hand.
    pub(super) max_bulk: usize,
    /// Commands wait: until when, and whether only writes do (CLIENT PAUSE).
    paused: Option<(i64, bool)>,
    /// There was too much in memory when the command under way came, and nothing to be done about it.
    pub(super) full: bool,
    /// What the configuration says of when commands may not run.
    pub(super) guards: Guards,
    /// Looks after the clients while a script runs on.
    #[cfg(feature = "scripts")]
    pub(super) attendant: Option<Rc<dyn Attendant>>,
    /// Who opens connections for it.
    pub(super) courier: Option<Rc<dyn Courier>>,
    /// A script runs, for longer than clients are let wait.
    #[cfg(feature = "scripts")]
    pub(super) busy: Option<Busy>,
    /// Scripts may call every command (DEBUG SET-DISABLE-DENY-SCRIPTS).
    pub(super) scripts_may_all: bool,
    /// Connections that are to be closed at once.
    pub killed: Vec<SessionId>,
    /// Connections whose commands need wait no longer.
    pub(super) woken: Vec<SessionId>,
    /// Somebody has asked for the end.
    pub stop: Option<Stop>,
    /// How long to do nothing once the present batch is done (DEBUG SLEEP).
    pub sleep_for: Option<std::time::Duration>,
    /// Who watches which keys, and whose transaction must fail.
    watched: HashMap<(usize, Blob), Watchers>,
    broken: HashSet<SessionId>,
    /// Who waits for which keys, in the order in which they came; and the keys that have got something.
    awaited: HashMap<(usize, Blob), VecDeque<SessionId>>,
    ready: VecDeque<(usize, Blob)>,
    /// So many of them read for a consumer group: they wait no longer if their stream goes.
    group_readers: usize,
    /// Where replicas say that they listen.
    pub(super) replica_names: HashMap<ConnectionId, (String, u16)>,
    /// Who sees every command.
    pub(super) monitors: Vec<SessionId>,
    /// A script runs, and somebody sees every command.
    pub(super) scripting: bool,
    /// A command runs that ran before and had to wait.
    pub(super) reruns: bool,
    /// Who waits for replicas, or did.
    pub(super) awaits_replicas: Vec<SessionId>,
    table: command::Table,
}

impl Engine {
    /// An empty engine.
    #[must_use]
    pub fn new(dialect: Dialect, databases: usize) -> Self {
        let mut random = Random::new();
        let mut engine = Self {
            keyspace: Keyspace::new(databases),
            master: Master::new(master::Settings::new(dialect.compat()), random.bits()),
            replica: Some(Box::new(Replica::new(replica::Settings::new(dialect.compat())))),
            link: Link::default(),
            tasks: VecDeque::new(),
            ranges: Ranges::new(),
            delivered: Vec::new(),
            dialect,
            stream: Stream::default(),
            functions: Libraries::default(),
            #[cfg(feature = "scripts")]
            scripts: Scripts::default(),
            config: Config::new(dialect),
            clients: Clients::default(),
            users: Users::default(),
            denials: VecDeque::new(),
            next_denial: 0,
            acl_file: None,
            process: Process::default(),
            look: None,
            stats: Stats::default(),
            measures: Measures::new(),
            random,
            saving: Saving::default(),
            resumes: None,
            subscriptions: Subscriptions::default(),
            events: Wanted::default(),
            tracked: Tracked::default(),
            running: SessionId::default(),
            running_resp3: false,
            heard: Vec::new(),
            config_file: None,
            listening: None,
            follows: false,
            loading: false,
            active_expire: true,
            cron_paused: false,
            answer_peak_reset: Some(ANSWER_PEAK_RESET),
            max_memory: 0,
            max_bulk: usize::MAX,
            paused: None,
            full: false,
            guards: Guards::default(),
            scripts_may_all: false,
            #[cfg(feature = "scripts")]
            attendant: None,
            courier: None,
            #[cfg(feature = "scripts")]
            busy: None,
            killed: Vec::new(),
            woken: Vec::new(),
            stop: None,
            sleep_for: None,
            watched: HashMap::new(),
            broken: HashSet::new(),
            awaited: HashMap::new(),
            ready: VecDeque::new(),
            group_readers: 0,
            replica_names: HashMap::new(),
            monitors: Vec::new(),
            scripting: false,
            reruns: false,
            awaits_replicas: Vec::new(),
            table: command::Table::new(),
        };
        engine.refresh_settings();
        engine
    }

    /// Whether it follows a master.
    #[must_use]
    pub fn is_replica(&self) -> bool {
        self.follows
    }

    /// It follows a master from here on, or no longer.
    pub fn set_replica(&mut self, replica: bool) {
        self.follows = replica;
    }

    /// Whether the dataset is being loaded.
    #[must_use]
    pub fn is_loading(&self) -> bool {
        self.loading
    }

    /// The dataset is being loaded, or no longer.
    pub fn set_loading(&mut self, loading: bool) {
        self.loading = loading;
    }

    /// Commands, or those that write, wait until this time, in milliseconds since 1970. The later of two pauses counts, and
    /// the stricter.
    pub(super) fn pause(&mut self, until: i64, writes_only: bool) {
        let (before, only) = self.paused.unwrap_or((until, true));
        self.paused = Some((until.max(before), writes_only && only));
    }

    /// Commands wait no longer.
    pub(super) fn unpause(&mut self) {
        self.paused = None;
        self.woken.extend(self.clients.iter().filter(|session| session.paused).map(|session| session.id));
    }

    /// Until when a command waits.
    pub(super) fn paused_until(&mut self, session: &Session, args: Args<'_>, now: i64) -> Option<i64> {
        let (until, writes_only) = self.paused?;
        if now >= until {
            self.paused = None;
            return None;
        }
        // What functions say of themselves must be known.
        #[cfg(feature = "scripts")]
        self.scripts.sync(&self.functions, self.dialect);
        // What is refused is refused at once.
        let spec = self.admit(session, args, now).ok()?;
        (!writes_only || self.may_write(session, spec, args)).then_some(until)
    }

    /// Whether a command may put something into the stream, as far as that can be told before it runs.
    fn may_write(&self, session: &Session, spec: &Spec, args: Args<'_>) -> bool {
        match &session.queue {
            Some(queue) if spec.name == "EXEC" => (0..queue.commands.len()).any(|index| {
                let args = queue.get(index);
                self.table.resolve(args).is_some_and(|spec| self.may_write_alone(spec, args))
            }),
            _ => self.may_write_alone(spec, args),
        }
    }

    fn may_write_alone(&self, spec: &Spec, args: Args<'_>) -> bool {
        #[cfg(feature = "scripts")]
        if self.scripts.writes_nothing(spec.name, args, self.dialect) {
            return false;
        }
        let _ = args;
        // Scripts went to replicas by their texts before 7.0.
        let loads = spec.name.starts_with("SCRIPT") && self.dialect.since(7, 0);
        spec.has(Flag::Write) || spec.has(Flag::MayReplicate) && !loads
    }

    /// Whether commands wait, so that nothing is to change by itself either.
    pub(super) fn is_paused(&self, now: i64) -> bool {
        self.paused.is_some_and(|(until, _)| now < until)
    }

    /// Whether keys are deleted once they expire: a replica leaves that to its master.
    pub(super) fn deletes_expired(&self, now: i64) -> bool {
        !self.is_replica() && !self.imports() && !self.is_paused(now)
    }

    /// Whether a session need not authenticate, or has.
    #[must_use]
    pub fn is_admitted(&self, session: &Session) -> bool {
        session.user.is_some() || self.lets_anybody_in()
    }

    /// Whether who comes is admitted without a password.
    #[must_use]
    pub fn lets_anybody_in(&self) -> bool {
        self.users.is_open()
    }

    /// A command by its name, in any case.
    #[must_use]
    pub fn command(&self, name: &[u8]) -> Option<&'static Spec> {
        self.table.find(name)
    }

    /// Runs one command of a client, or queues it; its effects are in the stream afterwards. If it has to wait, there is
    /// no answer, and the session is marked.
    pub fn execute(&mut self, session: &mut Session, args: Args<'_>, reply: &mut Reply, now: i64) {
        (self.running, self.running_resp3) = (session.id, session.resp3);
        if self.tracked.clients > 0 {
            self.limit_tracked();
        }
        // Nothing goes while a script is at work on it.
        self.full = self.limits_memory() && !self.is_busy() && !self.evict(now);
        // Nothing of it was asked for by this command, so that it stands before the answer.
        if self.has_pending() {
            self.tell_pending(session, reply);
        }
        let (wanted, answer_at) = (session.replies, reply.len());
        let spec = match self.admit(session, args, now) {
            Ok(spec) => spec,
            Err(error) => {
                let error = self.refused(session, args, error);
                reply.error(&error);
                session.hush("", wanted, reply, answer_at);
                self.count_error(&error);
                if let Ok(spec) = self.called(args) {
                    self.measures.reject(spec);
                }
                if error.text().starts_with("NOPERM") {
                    self.note_refusal(session, args, now);
                }
                return;
            }
        };
        session.command = spec.name;
        session.active = now;
        if session.queue.is_some() && !spec.has(Flag::Transaction) {
            if let Some(queue) = &mut session.queue {
                queue.push(args.from(0));
            }
            reply.raw(b"+QUEUED\r\n");
            session.hush("", wanted, reply, answer_at);
            return;
        }
        let request = self.run(spec, session, args, reply, Origin::Client, now);
        self.end_unit(now);
        session.hush(spec.name, wanted, reply, answer_at);
        if !self.heard.is_empty() {
            self.tell_heard(reply, answer_at);
        }
        if self.has_pending() {
            self.tell_pending(session, reply);
        }
        if session.tracking.is_some() {
            Self::use_caching_up(session);
        }
        if let Some(request) = request {
            self.wait(session, args, request, None);
        }
    }

    /// A command is refused: a transaction that it should have been queued in must fail, and one that it should have run
    /// is thrown away.
    #[cold]
    fn refused(&mut self, session: &mut Session, args: Args<'_>, error: CommandError) -> CommandError {
        if self.command(args.get(0)).is_none_or(|spec| spec.name != "EXEC") {
            if let Some(queue) = &mut session.queue {
                queue.broken = true;
            }
            return error;
        }
        session.queue = None;
        self.unwatch(session);
        // The general code is no part of what is wrong.
        let why = error.text().strip_prefix("ERR ").unwrap_or(error.text());
        CommandError::new(format!("EXECABORT Transaction discarded because of: {why}"))
    }

    /// The command that these arguments call in any version.
    #[cfg(feature = "scripts")]
    pub(super) fn known(&self, args: Args<'_>) -> Option<&'static Spec> {
        self.table.resolve(args)
    }

    /// The command that a client calls.
    pub(in crate::engine) fn called(&self, args: Args<'_>) -> Result<&'static Spec, CommandError> {
        let first = self.table.find_first(args.get(0)).filter(|spec| spec.is_known(self.dialect));
        let first = first.ok_or_else(|| command::unknown(args, self.dialect))?;
        if !first.is_container() || args.len() < 2 {
            return Ok(first);
        }
        let sub = self.table.find_sub(first, args.get(1)).filter(|spec| spec.is_known(self.dialect));
        sub.ok_or_else(|| command::unknown_sub(first, args, self.dialect))
    }

    /// Whether a client may run a command.
    fn admit(&self, session: &Session, args: Args<'_>, now: i64) -> Result<&'static Spec, CommandError> {
        let spec = self.called(args)?;
        if !spec.takes_in(args.len(), self.dialect) {
            // Before 7.0 a subcommand's arity was its handler's to check, and told as if it were unknown.
            return Err(match self.table.find(args.get(0)).filter(|first| first.is_container()) {
                Some(container) if args.len() > 1 && !self.dialect.since(7, 0) => {
                    command::unknown_sub(container, args, self.dialect)
                }
                _ => CommandError::arity(spec.name),
            });
        }
        if session.queue.is_some() && spec.is_denied_in_transactions(self.dialect) {
            return Err(match self.dialect.is_valkey_since(9, 0) {
                true => {
                    let name = spec.name.to_ascii_lowercase();
                    CommandError::new(format!("ERR Command '{name}' not allowed inside a transaction"))
                }
                false => CommandError::fixed("ERR Command not allowed inside a transaction"),
            });
        }
        if !spec.has(Flag::NoAuth) && !self.is_admitted(session) {
            return Err(CommandError::fixed("NOAUTH Authentication required."));
        }
        if self.users.are_restricted() {
            self.permit(session, spec, args)?;
        }
        // Who listens to channels in RESP2 has no other place for answers.
        if session.is_listening() && !session.resp3 && !spec.has(Flag::Listening) {
            let sharded = if self.dialect.since(7, 0) { "|S" } else { "" };
            return Err(CommandError::new(format!(
                "ERR Can't execute '{}': only (P{sharded})SUBSCRIBE / (P{sharded})UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context",
                spec.name.to_ascii_lowercase()
            )));
        }
        self.guard(session, spec, args, now)?;
        if session.monitors && (spec.has(Flag::Write) || spec.has(Flag::Read)) {
            return Err(CommandError::fixed(match self.dialect.since(7, 0) {
                true => "ERR Replica can't interact with the keyspace",
                false => "ERR Replica can't interract with the keyspace",
            }));
        }
        Ok(spec)
    }

    /// Whether the rules of its user allow a session this command.
    pub(super) fn permit(&self, session: &Session, spec: &Spec, args: Args<'_>) -> Result<(), CommandError> {
        let name = session.user.as_deref().unwrap_or(b"default");
        let Some(user) = self.users.get(name) else { return Ok(()) };
        user.check(spec, args).map_err(|denied| match denied {
            Denied::Command => self.no_permission(session, spec),
            Denied::Key(_) => self.no_access("one of the keys used as arguments", "a key"),
            Denied::Channel(_) => self.no_access("one of the channels used as arguments", "a channel"),
        })
    }

    fn no_access(&self, old: &str, new: &str) -> CommandError {
        CommandError::new(match self.dialect.since(7, 2) {
            true => format!("NOPERM No permissions to access {new}"),
            false => format!("NOPERM this user has no permissions to access {old}"),
        })
    }

    /// Writes down what a session was denied.
    #[cold]
    pub(super) fn note_refusal(&mut self, session: &Session, args: Args<'_>, now: i64) {
        let name = session.user.clone().unwrap_or_else(|| Blob::from(&b"default"[..]));
        let Ok(spec) = self.called(args) else { return };
        let Some(Err(denied)) = self.users.get(&name).map(|user| user.check(spec, args)) else { return };
        let (reason, object) = match denied {
            Denied::Command => ("command", Blob::from(spec.name.to_ascii_lowercase().as_bytes())),
            Denied::Key(place) => ("key", Blob::from(args.get(place))),
            Denied::Channel(place) => ("channel", Blob::from(args.get(place))),
        };
        self.note_denial(session, reason, &object, &name, now);
    }

    /// The words differ from version to version. (Seen on 6.2, 7.0, 7.2.)
    fn no_permission(&self, session: &Session, spec: &Spec) -> CommandError {
        let command = spec.name.to_ascii_lowercase();
        if self.dialect.since(7, 2) {
            let user = String::from_utf8_lossy(session.user.as_deref().unwrap_or(b"default")).into_owned();
            return CommandError::new(format!("NOPERM User {user} has no permissions to run the '{command}' command"));
        }
        let tail = if self.dialect.since(7, 0) { "" } else { " or its subcommand" };
        CommandError::new(format!("NOPERM this user has no permissions to run the '{command}' command{tail}"))
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
        // Without a backlog there is no stream, and effects are nobody's.
        self.stream.set_idle(self.master.backlog().is_none());
        let written = reply.len();
        let monitored = !self.monitors.is_empty();
        if monitored {
            self.show(spec, session, args, true, now);
            self.scripting |= Self::is_shown_early(spec);
        }
        let counts = origin == Origin::Client && spec.has(Flag::Read);
        let touches = spec.touches && (!session.no_touch || spec.name == "TOUCH");
        self.keyspace.clock.set(now);
        let began = self.measures.begin(spec, args);
        if session.tracking.is_some() {
            self.note_script(session, spec, args, true);
        }
        session.commands += 1;
        let mut context = Context {
            engine: self,
            session,
            reply,
            origin,
            now,
            changes: 0,
            effects_told: false,
            counts,
            touches,
            used: 0,
            request: None,
        };
        let outcome = (spec.handler)(&mut context, args);
        let Context { changes, effects_told, request, .. } = context;
        if session.tracking.is_some() {
            self.note_script(session, spec, args, false);
            if spec.has(Flag::Read) && origin == Origin::Client {
                self.remember(session, spec, args);
            }
        }
        // Who waits has not run.
        if request.is_none()
            && let Some(nanoseconds) =
                self.measures.end(spec, began, outcome.is_err() || reply.bytes().get(written) == Some(&b'-'))
        {
            self.measured(spec, nanoseconds, args, session, now);
        }
        if monitored {
            self.scripting &= !Self::is_shown_early(spec);
            self.show(spec, session, args, false, now);
        }
        if let Err(error) = outcome {
            reply.truncate(written);
            reply.error(&error);
            self.count_error(&error);
            return None;
        }
        self.stats.changes += changes;
        self.saving.changes += changes;
        let goes_on = spec.has(Flag::Write) || spec.has(Flag::MayReplicate);
        if changes > 0 && !effects_told && origin == Origin::Client && goes_on {
            match args.wire() {
                Some(wire) => self.stream.push_wire(session.db, wire),
                None => self.stream.push(session.db, args.from(0)),
            }
        }
        request
    }

    /// Runs a command that the master has put into the stream. Gives whether it could be applied: what is for operators
    /// (SHUTDOWN, DEBUG SLEEP) is for those of this server.
    pub fn apply(&mut self, session: &mut Session, args: Args<'_>, now: i64) -> bool {
        let is_for_operators =
            |spec: &Spec| spec.has(Flag::Admin) && !spec.has(Flag::Write) && !spec.has(Flag::MayReplicate);
        match self.table.resolve(args) {
            Some(spec) if spec.takes(args.len()) && !is_for_operators(spec) && session.db < MAX_DATABASES => {
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

    #[cold]
    pub(super) fn count_error(&mut self, error: &CommandError) {
        let code = error.text().split(' ').next().unwrap_or("ERR");
        let errors = &mut self.stats.errors;
        // What scripts and clients make up must not fill the memory.
        if errors.len() < MOST_ERRORS || errors.contains_key(code) {
            *errors.entry(code.to_owned()).or_default() += 1;
        }
    }

    /// Deletes a key that has expired and tells the replicas.
    pub(super) fn expire(&mut self, db: usize, key: &[u8]) {
        if self.keyspace.remove(db, key).is_some() {
            self.stats.expired_keys += 1;
            self.stream.push(db, [self.delete_word(), key].into_iter());
            // It is nobody's doing, whoever finds it.
            self.touch_by_nobody(db, key);
            self.notify(db, Class::Expired, "expired", key);
        }
    }

    /// Deletes expired keys, at most so many; gives how many there were. Only masters do.
    pub fn expire_some(&mut self, now: i64, limit: usize) -> usize {
        let mut expired = 0;
        self.stream.set_idle(self.master.backlog().is_none());
        for db in 0..self.keyspace.databases() {
            while expired < limit
                && let Some(key) = self.keyspace.next_expired(db, now)
            {
                self.expire(db, &key);
                self.end_unit(now);
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
        self.notify(db, Class::Hash, "hexpired", key);
        if emptied {
            self.keyspace.remove(db, key);
            self.notify(db, Class::Generic, "del", key);
        }
        self.touch(db, key);
        match self.dialect.family {
            // Each is an effect of its own…
            Family::Redis => {
                for field in &fields {
                    self.stream.push(db, [&b"HDEL"[..], key, field].into_iter());
                    self.end_unit(now);
                }
            }
            // …or one for all, and where none is left Valkey says that of the key, too.
            Family::Valkey => {
                let words: Vec<&[u8]> = [&b"HDEL"[..], key].into_iter().chain(fields.iter().map(|it| &**it)).collect();
                self.stream.push(db, words.into_iter());
                if emptied {
                    self.stream.push(db, [self.delete_word(), key].into_iter());
                }
                self.end_unit(now);
            }
        }
        self.stats.expired_fields += fields.len() as u64;
        fields.len()
    }

    /// Empties a database.
    pub(super) fn flush(&mut self, db: usize, now: i64) {
        if !self.watched.is_empty() {
            self.touch_all(db, None, now);
        }
        self.keyspace.clear(db);
        self.touch_all_awaited(db);
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
        self.touch_watched(db, key);
        if self.tracked.clients > 0 {
            self.invalidate(key, Some(self.running));
        }
        if self.group_readers > 0 {
            self.touch_awaited(db, key);
        }
    }

    /// A key has gone without anybody's doing.
    pub(super) fn touch_by_nobody(&mut self, db: usize, key: &[u8]) {
        if self.tracked.clients > 0 {
            self.invalidate(key, None);
        }
        if self.group_readers > 0 {
            self.touch_awaited(db, key);
        }
        self.touch_watched(db, key);
    }

    /// A key has changed on which somebody waits for a group: if it is no stream any more, they are told.
    #[cold]
    fn touch_awaited(&mut self, db: usize, key: &[u8]) {
        let is_stream = |value: &Value| matches!(value, Value::Stream(_));
        if self.dialect.since(7, 0) && !self.keyspace.get(db, key).is_some_and(|entry| is_stream(&entry.value)) {
            self.signal(db, key);
        }
    }

    /// All keys of a database are others now: those who wait for one that is there are served, and those who wait on a group
    /// are told if it is no stream any more.
    fn touch_all_awaited(&mut self, db: usize) {
        let keys: Vec<Blob> = self.awaited.keys().filter(|(at, _)| *at == db).map(|(_, key)| key.clone()).collect();
        for key in keys {
            if self.keyspace.get(db, &key).is_some() {
                self.signal(db, &key);
            } else if self.group_readers > 0 {
                self.touch_awaited(db, &key);
            }
        }
    }

    #[inline]
    fn touch_watched(&mut self, db: usize, key: &[u8]) {
        if !self.watched.is_empty() {
            self.break_watched(db, key);
        }
    }

    fn break_watched(&mut self, db: usize, key: &[u8]) {
        let Some(watchers) = self.watched.get_mut(&(db, Blob::from(key))) else { return };
        let there = self.keyspace.get(db, key).is_some();
        for (id, expired) in watchers {
            if !*expired {
                self.broken.insert(*id);
            } else if !there {
                // It had expired before it was watched, and is only deleted now: that changes nothing.
                *expired = false;
            }
        }
    }

    /// What a database holds goes, and what another one holds comes in its place, if that is said.
    fn touch_all(&mut self, db: usize, by: Option<usize>, now: i64) {
        let by = |key: &[u8]| by.and_then(|by| self.keyspace.get(by, key));
        for ((_, key), watchers) in self.watched.iter_mut().filter(|((at, _), _)| *at == db) {
            let (before, after) = (self.keyspace.get(db, key).is_some(), by(key));
            if !before && after.is_none() {
                continue;
            }
            let stale = after.is_some_and(|entry| entry.is_expired(now));
            for (id, expired) in watchers {
                match *expired {
                    true if after.is_none() => *expired = false,
                    true if stale => {}
                    false if !before && stale && self.dialect.since(7, 0) => *expired = true,
                    _ => {
                        self.broken.insert(*id);
                    }
                }
            }
        }
    }

    /// SWAPDB: who watches a key of either sees it change if it is there before or after.
    pub(super) fn swap(&mut self, one: usize, other: usize, now: i64) {
        if one != other && !self.watched.is_empty() {
            self.touch_all(one, Some(other), now);
            self.touch_all(other, Some(one), now);
        }
        self.keyspace.swap(one, other);
        self.touch_all_awaited(one);
        self.touch_all_awaited(other);
    }

    /// A session wants to know whether a key changes.
    pub(super) fn watch(&mut self, session: &mut Session, key: &[u8], now: i64) {
        let place = (session.db, Blob::from(key));
        let stale = || self.keyspace.get(session.db, key).is_some_and(|entry| entry.is_expired(now));
        // Before 7.0 a key that had expired already was one that expired later.
        let stale = self.dialect.since(7, 0) && stale();
        let watchers = self.watched.entry(place.clone()).or_default();
        if let Entry::Vacant(vacant) = watchers.entry(session.id) {
            vacant.insert(stale);
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

    /// Whether a key that the session watches has changed, or has expired since.
    pub(super) fn is_broken(&self, session: &Session, now: i64) -> bool {
        let expired = |place: &(usize, Blob)| {
            let known = self.watched.get(place).and_then(|watchers| watchers.get(&session.id)).copied();
            known == Some(false) && self.keyspace.get(place.0, &place.1).is_some_and(|entry| entry.is_expired(now))
        };
        self.broken.contains(&session.id) || session.watched.iter().any(expired)
    }

    /// A key has something that a blocked client may wait for.
    #[inline]
    pub(super) fn signal(&mut self, db: usize, key: &[u8]) {
        if !self.awaited.is_empty() {
            let place = (db, Blob::from(key));
            if self.awaited.contains_key(&place) && !self.ready.contains(&place) {
                self.ready.push_back(place);
            }
        }
    }

    /// A session waits, as its command has asked for: for so long, or as long as it was to wait before.
    fn wait(&mut self, session: &mut Session, args: Args<'_>, request: Request, before: Option<Option<i64>>) {
        let mut command = Queue::default();
        let (keys, until) = match request {
            Request::Block { keys, until } => {
                command.push(args.from(0));
                (keys, until)
            }
            Request::BlockAs { keys, until, words } => {
                command.push(words.iter().map(|word| &word[..]));
                (keys, until)
            }
        };
        self.block(session, command, keys, before.unwrap_or(until));
    }

    /// A session waits: its command is kept, to be run again when one of the keys has something.
    fn block(&mut self, session: &mut Session, command: Queue, keys: Vec<Blob>, until: Option<i64>) {
        self.group_readers += usize::from(reads_for_group(command.get(0)));
        let mut places: Vec<(usize, Blob)> = Vec::with_capacity(keys.len());
        for key in keys {
            let place = (session.db, key);
            if !places.contains(&place) {
                self.awaited.entry(place.clone()).or_default().push_back(session.id);
                places.push(place);
            }
        }
        session.blocked = Some(Blocked { until, on: BlockedOn::Keys(places), command });
    }

    /// A session waits no longer: it has what it waited for, its time is over, or it is gone.
    pub fn unblock(&mut self, session: &mut Session) -> Option<Blocked> {
        let blocked = session.blocked.take()?;
        if let BlockedOn::Keys(places) = &blocked.on {
            self.group_readers =
                self.group_readers.saturating_sub(usize::from(reads_for_group(blocked.command.get(0))));
            for place in places {
                if let Some(sessions) = self.awaited.get_mut(place) {
                    sessions.retain(|id| *id != session.id);
                    if sessions.is_empty() {
                        self.awaited.remove(place);
                    }
                }
            }
        }
        Some(blocked)
    }

    /// Serves those who wait for keys that have got something; `deliver` gets their answers. To be called after each
    /// command.
    #[inline]
    pub fn serve_ready(&mut self, now: i64, deliver: &mut dyn FnMut(SessionId, &[u8])) {
        // What a script is doing is not done yet.
        if self.is_busy() {
            return;
        }
        while let Some(place) = self.ready.pop_front() {
            self.serve_place(&place, now, deliver);
        }
    }

    fn serve_place(&mut self, place: &(usize, Blob), now: i64, deliver: &mut dyn FnMut(SessionId, &[u8])) {
        let waiting: Vec<SessionId> = self.awaited.get(place).into_iter().flatten().copied().collect();
        for id in waiting {
            let found = self.keyspace.get(place.0, &place.1).map(|entry| entry.value.type_name());
            let of_group = |args: Args<'_>| self.group_readers > 0 && reads_for_group(args);
            let awaits = |session: &Session| {
                let first = session.blocked.as_ref().map(|blocked| blocked.command.get(0));
                first.is_some_and(|args| found == Some(awaited_type(args.get(0))) || of_group(args))
            };
            if !self.clients.get(id).is_some_and(awaits) {
                continue;
            }
            let Some(mut session) = self.clients.take(id) else { continue };
            if let Some(blocked) = self.unblock(&mut session) {
                let mut reply = Reply::new(session.resp3);
                let args = blocked.command.get(0);
                if found != Some("stream") && reads_for_group(args) && !self.dialect.since(7, 2) {
                    let gone = CommandError::fixed("UNBLOCKED the stream key no longer exists");
                    reply.error(&gone);
                    self.count_error(&gone);
                } else if let Some(spec) = self.command(args.get(0)) {
                    // The database of then counts, not the one selected meanwhile; nothing can be selected while waiting.
                    self.reruns = true;
                    (self.running, self.running_resp3) = (session.id, session.resp3);
                    let request = self.run(spec, &mut session, args, &mut reply, Origin::Client, now);
                    self.reruns = false;
                    self.end_unit(now);
                    if !self.heard.is_empty() {
                        self.tell_heard(&mut reply, 0);
                    }
                    if self.has_pending() {
                        self.tell_pending(&mut session, &mut reply);
                    }
                    if let Some(request) = request {
                        // It keeps its time, though not its turn.
                        self.wait(&mut session, args, request, Some(blocked.until));
                    }
                }
                if !reply.is_empty() {
                    deliver(id, reply.bytes());
                }
            }
            self.clients.put(session);
        }
    }

    /// Answers those whose time is over.
    pub fn time_out_blocked(&mut self, now: i64, deliver: &mut dyn FnMut(SessionId, &[u8])) {
        let is_over = |session: &&Session| {
            session.blocked.as_ref().is_some_and(|blocked| blocked.until.is_some_and(|until| now >= until))
        };
        let over: Vec<SessionId> = self.clients.iter().filter(is_over).map(|session| session.id).collect();
        for id in over {
            let Some(mut session) = self.clients.take(id) else { continue };
            if let Some(blocked) = self.unblock(&mut session) {
                let mut reply = Reply::new(session.resp3);
                self.answer_in_vain(&blocked, &mut reply);
                self.count_in_vain(&blocked);
                deliver(id, reply.bytes());
            }
            self.clients.put(session);
        }
    }

    /// What a command answers that has waited in vain.
    fn answer_in_vain(&self, blocked: &Blocked, reply: &mut Reply) {
        match &blocked.on {
            BlockedOn::Keys(_) => answer_nothing(blocked.command.get(0), reply),
            BlockedOn::Replicas { offset, on_disk: false, .. } => {
                reply.count(self.master.acknowledged(Offset(*offset)));
            }
            BlockedOn::Replicas { offset, .. } => {
                // Nothing is on disk here.
                reply.array(2);
                reply.integer(0);
                reply.count(self.master.fsynced(Offset(*offset)));
            }
        }
    }

    /// A command that has waited in vain has run nevertheless.
    fn count_in_vain(&mut self, blocked: &Blocked) {
        if let Some(spec) = self.table.resolve(blocked.command.get(0)) {
            self.measures.end(spec, None, false);
        }
    }

    /// Serves those who wait for keys that have got something; their answers wait for the server.
    pub(super) fn serve_waiting(&mut self, now: i64) {
        if !self.ready.is_empty() {
            let mut delivered = std::mem::take(&mut self.delivered);
            self.serve_ready(now, &mut |id, bytes| delivered.push((id, bytes.to_vec())));
            self.delivered = delivered;
        }
    }

    /// Answers to clients whose wait has ended.
    pub fn take_delivered(&mut self) -> Vec<(SessionId, Vec<u8>)> {
        std::mem::take(&mut self.delivered)
    }

    /// Forgets all of a connection that is gone.
    pub fn leave(&mut self, id: SessionId) {
        if let Some(mut session) = self.clients.take(id) {
            self.unblock(&mut session);
            self.unwatch(&mut session);
            self.unsubscribe_all(&mut session);
            self.unmonitor(&mut session);
            self.untrack(&mut session);
            if self.running == id {
                self.running = SessionId::default();
            }
            let connection = ConnectionId(id.0);
            if session.kind == Kind::Replica {
                let name = self.replica_name(connection);
                self.note(Level::Notice, format!("Connection with replica {name} lost."));
            }
            self.replica_names.remove(&connection);
        }
    }

    /// CLIENT UNBLOCK: a waiting client is answered as if its time were over, or with an error. Gives whether it waited.
    pub(super) fn unblock_client(&mut self, id: SessionId, with_error: bool) -> bool {
        let Some(mut session) = self.clients.take(id) else { return false };
        let blocked = self.unblock(&mut session);
        if let Some(blocked) = &blocked {
            let mut reply = Reply::new(session.resp3);
            if with_error {
                reply.error(&CommandError::fixed("UNBLOCKED client unblocked via CLIENT UNBLOCK"));
            } else {
                self.answer_in_vain(blocked, &mut reply);
            }
            self.delivered.push((id, reply.take()));
        }
        self.clients.put(session);
        blocked.is_some()
    }

    /// The link to the master, as CLIENT LIST has it, while there is one.
    pub(super) fn master_session(&self) -> Option<&Session> {
        self.link.session.as_deref().filter(|session| session.kind == Kind::Master)
    }

    /// CLIENT KILL of the link to the master: it is made anew.
    pub(super) fn kill_master_link(&mut self, now: i64) {
        self.tasks.push_back(Task::Disconnect(Channel::Main));
        self.link_changed(Channel::Main, false, now);
    }

    /// How many keys somebody waits for.
    pub(super) fn awaited_keys(&self) -> usize {
        self.awaited.len()
    }

    /// Counts begin again at zero.
    pub(super) fn reset_stats(&mut self) {
        let before = std::mem::take(&mut self.stats);
        // What a master said and could not be applied stays: the keyspace lacks it.
        self.stats.unapplied = before.unapplied;
        self.measures.reset();
        self.stats.first_unapplied = before.first_unapplied;
    }
}

/// What a command that waits has to find: something else at its key leaves it waiting.
fn awaited_type(name: &[u8]) -> &'static str {
    match name {
        [b'B' | b'b', b'Z' | b'z', ..] => "zset",
        [b'B' | b'b', ..] => "list",
        _ => "stream",
    }
}

/// Whether it is a consumer group's command: it ends when its stream does.
fn reads_for_group(args: Args<'_>) -> bool {
    args.is(0, "XREADGROUP")
}

/// What a command answers that would have to wait for a key, and does not or no longer.
pub(super) fn answer_nothing(args: Args<'_>, reply: &mut Reply) {
    if args.is(0, "BLMOVE") || args.is(0, "BRPOPLPUSH") { reply.null() } else { reply.null_array() }
}

/// Different first words of error replies that are counted, as Redis has it since 7.2.
const MOST_ERRORS: usize = 128;

/// What a client's answers have needed counts for so long, in milliseconds (Redis 7.0).
pub(super) const ANSWER_PEAK_RESET: i64 = 5000;
