//! The engine and the protocol's two ends: what replicas say and get, what the master says, who is followed.
//!
//! The ends ([`Master`], [`Replica`]) decide; what they ask for that needs no socket is done here at once, above all the
//! beginning of a snapshot, which must be of the very moment at which it was asked for. The rest becomes a [`Task`] for
//! the server.

use std::fmt::Write;

use super::clients::{Kind, Queue, Session};
use super::core::Engine;
use super::dialect::{Dialect, Family};
use super::guards::Guards;
use super::keyspace::SnapshotId;
use super::load::Loader;
use super::log::Level;
use super::value::Blob;
use crate::bounds::MAX_DATABASES;
use crate::rdb::{Checksum, Decoder, Depth, Format, Header, Need};
use crate::repl::compat::Compat;
use crate::repl::event::Replid;
use crate::repl::master::{self, BeginSnapshot, ConnectionId, DataNeeds, rdb_target};
use crate::repl::replica::{
    self, CachedMaster, Channel, Credentials, Event, Loaded, Lost, Replica, Start, Step, StreamCommand,
};
use crate::units::{Moment, Offset};

/// What the server around the engine has to do, in order.
#[derive(Debug)]
pub enum Task {
    /// Write these bytes on a client's connection.
    Write(ConnectionId, Vec<u8>),
    /// Make an RDB of this snapshot.
    Snapshot(Box<Snapshot>),
    /// Send the whole payload of this snapshot on a connection.
    SendPayload(ConnectionId, master::SnapshotId),
    /// Stop making this snapshot, or throw it away.
    DropSnapshot(master::SnapshotId),
    /// Close a client's connection once what was written for it is out.
    Close(ConnectionId),
    /// Connect to the master.
    Connect(Channel),
    /// Close the connection to the master.
    Disconnect(Channel),
    /// Write these bytes on the connection to the master.
    Transmit(Channel, Vec<u8>),
    /// Hand in what was kept of this channel's input, then read on.
    Resume(Channel),
    /// Save in the background.
    Save(Box<super::saving::Save>),
    /// A line for the log.
    Log(Level, String),
}

/// A snapshot that has begun.
#[derive(Debug)]
pub struct Snapshot {
    /// What it is for, and where in the stream it is.
    pub begin: BeginSnapshot,
    /// The version to write.
    pub header: Header,
    /// The keys; `None` where the filter wants none.
    pub keys: Option<SnapshotId>,
    /// The function libraries, unless the filter wants none.
    pub functions: Vec<Blob>,
    /// What stands in front of them.
    pub aux: Vec<(&'static str, String)>,
    /// Sizes of the databases that have keys, for RESIZEDB: number, keys, keys that expire.
    pub sizes: Vec<(u32, u64, u64)>,
}

/// The link to the master, as far as the engine has a part in it.
#[derive(Debug, Default)]
pub(super) struct Link {
    /// Where the master is.
    pub(super) master: Option<(String, u16)>,
    /// A snapshot that is being loaded.
    pub(super) loader: Option<Box<Decoder<Loader>>>,
    /// What is wrong with it.
    pub(super) load_fault: Option<String>,
    /// Whose commands the stream's are.
    /// Boxed, as the replica is: both are handed about for each command.
    pub(super) session: Option<Box<Session>>,
    /// A transaction of the stream that is not complete.
    queue: Option<Queue>,
    /// When the link went down, and when it was up again, in milliseconds since 1970.
    down_since: i64,
    /// Somebody else says when to connect and what to acknowledge.
    pub(super) directed: bool,
    /// Nothing of the stream beyond this is taken.
    pub(super) hold: Option<Offset>,
    /// See [`Standing::snapshot`](super::Standing::snapshot).
    pub(super) snapshot: Option<Header>,
    /// See [`Standing::refused`](super::Standing::refused).
    pub(super) refused: Option<String>,
    up_since: i64,
    /// For how long it was down, before that, in milliseconds.
    down_for: i64,
    /// Syncs that were begun since the last one that succeeded, and all.
    attempts: u64,
    all_attempts: u64,
}

impl Dialect {
    /// How this server speaks on a link.
    #[must_use]
    pub fn compat(self) -> Compat {
        let (major, minor, patch) = self.version;
        match self.family {
            Family::Redis => Compat::redis(major, minor),
            Family::Valkey => Compat::valkey(major, minor, patch),
        }
    }
}

impl Engine {
    /// The settings of the master's end, from the configuration.
    pub(super) fn master_settings(&self) -> master::Settings {
        let config = &self.config;
        let limit = config.output_limit("replica");
        let seconds = |name: &str| config.size(name).saturating_mul(1000);
        let two_channel = config.flag(self.dialect.two_channel_directive());
        master::Settings {
            backlog_size: config.size("repl-backlog-size"),
            backlog_ttl: seconds("repl-backlog-ttl"),
            diskless: config.flag("repl-diskless-sync"),
            diskless_delay: seconds("repl-diskless-sync-delay"),
            diskless_max_replicas: usize::try_from(config.size("repl-diskless-sync-max-replicas")).unwrap_or(0),
            ping_period: seconds("repl-ping-replica-period"),
            timeout: seconds("repl-timeout"),
            output_limit: master::OutputLimit {
                hard: limit.hard,
                soft: limit.soft,
                soft_millis: limit.soft_seconds.saturating_mul(1000),
            },
            two_channel,
            min_replicas_max_lag: seconds("min-replicas-max-lag"),
            ..master::Settings::new(self.dialect.compat())
        }
    }

    /// The settings of the replica's end, from the configuration.
    pub(super) fn replica_settings(&self) -> replica::Settings {
        let config = &self.config;
        let announced = config.size("replica-announce-port");
        let port = if announced > 0 { announced } else { self.process.port.into() };
        let credentials = config.text("masterauth").map(|password| Credentials {
            user: config.text("masteruser").map(str::to_owned),
            password: password.to_owned(),
        });
        replica::Settings {
            port: u16::try_from(port).unwrap_or(0),
            announce_ip: config.text("replica-announce-ip").map(str::to_owned),
            credentials,
            timeout: config.size("repl-timeout").saturating_mul(1000),
            two_channel: self.master_settings().two_channel,
            ..replica::Settings::new(self.dialect.compat())
        }
    }

    /// The configuration was changed: both ends look again.
    pub(super) fn refresh_settings(&mut self) {
        let settings = self.master_settings();
        self.master.set_settings(settings);
        let settings = self.replica_settings();
        if let Some(replica) = &mut self.replica {
            replica.set_settings(settings);
        }
        self.guards = Guards::of(&self.config);
        self.users.require(self.config.get("requirepass"));
        self.max_memory = self.config.size("maxmemory");
        self.max_bulk = usize::try_from(self.config.size("proto-max-bulk-len")).unwrap_or(usize::MAX);
        self.events = self.config.events;
        self.measures.refresh(&self.config);
        self.keyspace.clock.configure(&self.config);
    }

    /// The configuration or the process was set from outside: both ends look again.
    pub fn refresh(&mut self) {
        self.refresh_settings();
    }

    /// The unit of effects under way is complete: it goes into the stream.
    pub(super) fn end_unit(&mut self, now: i64) {
        let (stream, master) = (&mut self.stream, &mut self.master);
        if stream.has_unit() {
            stream.end_unit(self.dialect, |db, bytes| master.append(db, bytes, Moment::at(now)));
        }
    }

    /// Gives a replica's command, or one that may make a client a replica, to the master's end. What it answers on this
    /// connection is given back.
    pub(super) fn replica_command(
        &mut self,
        session: &mut Session,
        words: &[&[u8]],
        pending: bool,
        now: i64,
    ) -> Vec<u8> {
        let id = ConnectionId(session.id.0);
        self.master.introduce(id, host(&session.peer), Moment::at(now));
        let known = self.replica_names.entry(id).or_insert_with(|| (host(&session.peer).to_owned(), 0));
        for pair in words.get(1..).unwrap_or_default().chunks_exact(2) {
            if let [option, value] = pair
                && option.eq_ignore_ascii_case(b"listening-port")
            {
                known.1 = super::value::integer(value).and_then(|port| u16::try_from(port).ok()).unwrap_or(0);
            }
        }
        if !words.first().is_some_and(|name| name.eq_ignore_ascii_case(b"REPLCONF")) && session.kind != Kind::Replica {
            let name = self.replica_name(id);
            self.note(Level::Notice, format!("Replica {name} asks for synchronization"));
        }
        let _ = self.master.command(id, words, pending, Moment::at(now));
        if !words.first().is_some_and(|name| name.eq_ignore_ascii_case(b"REPLCONF")) {
            session.kind = Kind::Replica;
        }
        self.collect(now);
        let mut answer = Vec::new();
        self.tasks.retain(|task| match task {
            Task::Write(connection, bytes) if *connection == id => {
                answer.extend_from_slice(bytes);
                false
            }
            _ => true,
        });
        answer
    }

    /// Time has passed for the ends.
    pub fn tick_links(&mut self, now: i64) {
        self.master.tick(Moment::at(now));
        if let Some(replica) = &mut self.replica
            && !self.link.directed
        {
            replica.tick(Moment::at(now));
        }
        self.collect(now);
    }

    /// When [`Engine::tick_links`] is to be called at the latest, in milliseconds since 1970.
    #[must_use]
    pub fn links_wake(&self) -> i64 {
        // One that is directed has no cron, whose time would be over and over again.
        let replica = self.replica.as_deref().filter(|_| !self.link.directed).and_then(Replica::next_wake);
        let wake = replica.map_or(self.master.next_wake(), |wake| wake.min(self.master.next_wake()));
        i64::try_from(wake.0).unwrap_or(i64::MAX)
    }

    /// Takes what the ends want done: what needs no socket is done, the rest becomes tasks.
    pub fn collect(&mut self, now: i64) {
        if let Some(replica) = &mut self.replica {
            replica.send_due_acks();
        }
        loop {
            if let Some(action) = self.master.poll() {
                self.master_action(action, now);
            } else if let Some(action) = self.replica.as_deref_mut().and_then(Replica::poll) {
                self.replica_action(action, now);
            } else {
                return;
            }
        }
    }

    fn master_action(&mut self, action: master::Action, now: i64) {
        use master::Action;
        let task = match action {
            Action::Write { connection, bytes } => Task::Write(connection, bytes),
            Action::BeginSnapshot(begin) => Task::Snapshot(Box::new(self.begin_snapshot(begin, now))),
            Action::SendPayload { connection, snapshot } => Task::SendPayload(connection, snapshot),
            Action::DropSnapshot(id) => Task::DropSnapshot(id),
            Action::Close { connection, reason } => {
                let name = self.replica_name(connection);
                self.note(Level::Warning, format!("Replica {name} is disconnected: {reason}."));
                Task::Close(connection)
            }
            Action::Promoted => {
                self.become_master(now);
                return;
            }
            Action::PauseWrites => {
                self.pause(i64::MAX, true);
                return;
            }
            Action::ResumeWrites => {
                self.unpause();
                return;
            }
            Action::Follow { host, port } => {
                let own = self.master.as_cached();
                self.link.master = Some((host, port));
                self.set_replica(true);
                self.master.demote();
                if let Some(replica) = &mut self.replica {
                    replica.follow_failover(own, Moment::at(now));
                }
                return;
            }
            Action::Tell(told) => {
                self.note_told(&told);
                return;
            }
        };
        self.tasks.push_back(task);
    }

    fn replica_action(&mut self, action: replica::Action, now: i64) {
        use replica::Action;
        let task = match action {
            Action::Connect(channel) => {
                if let Some((host, port)) = self.link.master.clone().filter(|_| channel == Channel::Main) {
                    self.note(Level::Notice, format!("Connecting to MASTER {host}:{port}"));
                    self.note(Level::Notice, "MASTER <-> REPLICA sync started".to_owned());
                }
                Task::Connect(channel)
            }
            Action::Disconnect(channel) => {
                if channel == Channel::Main {
                    self.link.queue = None;
                }
                Task::Disconnect(channel)
            }
            Action::Transmit { channel, bytes } => Task::Transmit(channel, bytes),
            Action::BeginLoad { length, .. } => {
                let what = match length {
                    Some(bytes) => format!("receiving {bytes} bytes from master to memory"),
                    None => "receiving streamed RDB from master with EOF to memory".to_owned(),
                };
                self.note(Level::Notice, format!("MASTER <-> REPLICA sync: {what}"));
                self.begin_load();
                return;
            }
            Action::EndLoad => {
                self.end_load(now);
                return;
            }
            Action::AbortLoad => {
                self.link.loader = None;
                self.set_loading(false);
                return;
            }
            Action::Resume(channel) => Task::Resume(channel),
            Action::Tell(event) => {
                self.master.follow(&event, Moment::at(now));
                match &event {
                    Event::PsyncRefused { reply, .. } => {
                        self.link.refused.get_or_insert_with(|| format!("the master answers PSYNC with {reply}"));
                    }
                    Event::Lost(lost) => {
                        (self.link.down_since, self.link.attempts) = (now, 0);
                        if *lost != Lost::Unfollowed {
                            self.link.refused.get_or_insert_with(|| lost.to_string());
                        }
                    }
                    Event::Synced { .. } | Event::Continued { .. } => {
                        self.link.down_for += (now - self.link.down_since).max(0);
                        self.link.up_since = now;
                    }
                    _ => {}
                }
                self.note_event(&event);
                return;
            }
        };
        self.tasks.push_back(task);
    }

    /// What the data needs of an RDB's version.
    fn needs(&self, functions: bool) -> DataNeeds {
        let mut needs = self.keyspace.needs();
        if functions && !self.functions.is_empty() {
            needs.add(Need::Functions);
        }
        let lowest = |format| needs.lowest(format).ok().map(|header| header.version);
        DataNeeds {
            redis: lowest(Format::Redis),
            redis_lossless: needs.lossless(Format::Redis).ok().map(|header| header.version),
            valkey: lowest(Format::Valkey),
        }
    }

    fn begin_snapshot(&mut self, begin: BeginSnapshot, now: i64) -> Snapshot {
        let target = match begin.form {
            master::Form::Diskless => "replicas sockets",
            master::Form::Stored => "disk",
        };
        self.note(Level::Notice, format!("Starting BGSAVE for SYNC with target: {target}"));
        let wants_keys = begin.filter.is_none();
        let wants_functions = begin.filter.is_none_or(|filter| filter.functions);
        let needs = if wants_keys {
            self.needs(wants_functions)
        } else {
            let redis = Some(if wants_functions && !self.functions.is_empty() { 10 } else { 6 });
            DataNeeds { redis, redis_lossless: redis, valkey: Some(80) }
        };
        let target = rdb_target(&begin.reader, needs);
        self.link.snapshot = Some(target.header);
        Snapshot {
            header: target.header,
            functions: if wants_functions { self.functions.values().cloned().collect() } else { Vec::new() },
            aux: self.aux(Some((begin.replid, begin.offset, begin.stream_db)), now),
            sizes: if wants_keys { self.sizes() } else { Vec::new() },
            keys: wants_keys.then(|| self.keyspace.begin_snapshot()),
            begin,
        }
    }

    /// Sizes of the databases that have keys, for RESIZEDB: number, keys, keys that expire.
    pub(super) fn sizes(&self) -> Vec<(u32, u64, u64)> {
        let sizes = (0..self.keyspace.databases()).map(|db| (db as u32, self.keyspace.size(db)));
        let sizes = sizes.filter(|(_, size)| size.keys > 0);
        sizes.map(|(db, size)| (db, size.keys as u64, size.volatile as u64)).collect()
    }

    /// Where this server stands in which stream, and the database that the stream is in: for an RDB on disk. A master
    /// whose stream nobody has ever heard has no such place.
    pub(super) fn own_stream_place(&self) -> Option<(Replid, Offset, u32)> {
        if !self.is_replica() {
            let place = self.master.as_cached();
            return self.master.backlog().map(|_| (place.replid, place.offset, place.db));
        }
        let replica = self.replica.as_ref()?;
        let known = replica.is_up() || replica.cached().is_some();
        let db = replica.cached().map_or(replica.db(), |cached| cached.db);
        known.then(|| (self.master.history().replid(), self.master.offset(), db))
    }

    /// An RDB has told where the stream stood in which it was saved. A replica asks its master to go on from there. A
    /// master writes another stream from here on, and since 7.0 it lets those go on who have all of the old one.
    pub fn resume_at(&mut self, place: CachedMaster, replica: bool) {
        if replica {
            self.master.resume(place.replid, place.offset);
            self.resumes = Some(place);
        } else if self.dialect.since(7, 0) {
            self.master.resume_as_another(place.replid, place.offset);
        }
    }

    /// The AUX fields that servers write in front of the data. (Seen on 6.2 to 9.1.)
    pub(super) fn aux(&self, place: Option<(Replid, Offset, u32)>, now: i64) -> Vec<(&'static str, String)> {
        let version = if self.dialect.is_valkey_since(8, 0) { "valkey-ver" } else { "redis-ver" };
        let aof = if self.dialect.since(7, 0) { "aof-base" } else { "aof-preamble" };
        let mut aux = vec![
            (version, self.dialect.own_version()),
            ("redis-bits", usize::BITS.to_string()),
            ("ctime", (now / 1000).to_string()),
            ("used-mem", self.process.memory.to_string()),
        ];
        if let Some((replid, offset, db)) = place {
            aux.push(("repl-stream-db", db.to_string()));
            aux.push(("repl-id", replid.to_string()));
            aux.push(("repl-offset", offset.0.to_string()));
        }
        aux.push((aof, "0".to_owned()));
        aux
    }

    /// REPLICAOF: follows a master from here on.
    pub fn follow(&mut self, host: &str, port: u16, start: Start, now: i64) {
        self.link.master = Some((host.to_owned(), port));
        self.link.down_since = now;
        self.link.queue = None;
        self.set_replica(true);
        self.master.demote();
        let settings = self.replica_settings();
        if let Some(replica) = &mut self.replica {
            replica.set_settings(settings);
            replica.follow(start, Moment::at(now));
        }
        self.collect(now);
    }

    /// Where a server that is told to follow begins: a master asks to go on from its own place, a replica from its
    /// master's.
    #[must_use]
    pub fn own_place(&self) -> Start {
        if self.is_replica() { Start::AsBefore } else { Start::At(self.master.as_cached()) }
    }

    /// REPLICAOF NO ONE.
    pub fn unfollow(&mut self, now: i64) {
        if self.is_replica() {
            self.master.promote(Moment::at(now));
            self.collect(now);
        }
    }

    /// It follows nobody any more.
    fn become_master(&mut self, now: i64) {
        if let Some(replica) = &mut self.replica {
            replica.unfollow(Moment::at(now));
        }
        self.link.master = None;
        self.link.queue = None;
        self.set_replica(false);
        let history = self.master.history();
        let shifted = history.replid2().zip(history.second_repl_offset()).map(|(before, valid)| {
            format!(
                "Setting secondary replication ID to {before}, valid up to offset: {valid}. New replication ID is {}",
                history.replid()
            )
        });
        if let Some(line) = shifted {
            self.note(Level::Notice, line);
        }
        self.note(Level::Notice, "MASTER MODE enabled".to_owned());
    }

    /// A connection to the master has been made, or is over, or could not be made.
    pub fn link_changed(&mut self, channel: Channel, connected: bool, now: i64) {
        if channel == Channel::Main {
            self.link.session = None;
            if let Some((host, port)) = self.link.master.as_ref().filter(|_| connected) {
                let peer = format!("{host}:{port}");
                self.link.attempts += 1;
                self.link.all_attempts += 1;
                let id = self.clients.next_id();
                let session = Session { kind: Kind::Master, ..Session::new(id, peer, String::new(), now) };
                self.link.session = Some(Box::new(session));
            }
        }
        if let Some(replica) = &mut self.replica {
            if connected {
                replica.connected(channel, Moment::at(now));
            } else {
                replica.closed(channel, Moment::at(now));
            }
        }
        self.collect(now);
    }

    /// Takes bytes that the master has sent; gives how many were taken. What is left is to be handed in again after
    /// [`Task::Resume`], and nothing read until then.
    pub fn from_master(&mut self, channel: Channel, bytes: &[u8], now: i64) -> usize {
        let mut taken = 0;
        loop {
            self.collect(now);
            let Some(mut replica) = self.replica.take() else { return bytes.len() };
            let mut input = bytes.get(taken..).unwrap_or_default();
            if let Some(hold) = self.link.hold.filter(|_| channel == Channel::Main && replica.is_up()) {
                let allowed = usize::try_from(hold.0.saturating_sub(replica.taken().0)).unwrap_or(usize::MAX);
                input = input.get(..allowed.min(input.len())).unwrap_or_default();
            }
            let before = input.len();
            let (mut more, mut applies) = (true, false);
            match replica.next(channel, &mut input, Moment::at(now)) {
                Step::Again => {}
                Step::NeedMore | Step::Full => more = false,
                Step::Load(rdb) => self.load(rdb),
                Step::Stream(bytes) => self.master.stage(bytes),
                Step::Command(command) => {
                    self.apply_command(&command, now);
                    applies = true;
                }
            }
            taken += before - input.len();
            if applies {
                self.master.commit(replica.applied(), replica.db(), Moment::at(now));
            }
            self.replica = Some(replica);
            if !more {
                self.collect(now);
                return taken;
            }
        }
    }

    pub(super) fn load(&mut self, rdb: &[u8]) {
        if let Some(loader) = &mut self.link.loader
            && self.link.load_fault.is_none()
            && let Err(error) = loader.push(rdb)
        {
            self.link.load_fault = Some(error.to_string());
        }
    }

    /// All of the RDB has come: it takes the old data's place if it is sound.
    fn end_load(&mut self, now: i64) {
        let Some(loaded) = self.take_loaded() else { return };
        let Some(replica) = &mut self.replica else { return };
        match loaded {
            Ok(loaded) => replica.loaded(loaded, Moment::at(now)),
            Err(fault) => replica.load_failed(&fault, Moment::at(now)),
        }
    }

    /// Puts what was loaded in the old data's place, if it is sound; gives what its AUX fields tell, or what is wrong
    /// with it. `None` where nothing was being loaded.
    pub(super) fn take_loaded(&mut self) -> Option<Result<Loaded, String>> {
        let decoder = self.link.loader.take()?;
        self.set_loading(false);
        let fault = self.link.load_fault.take();
        let ended = decoder.ended();
        let loaded = decoder.into_values().finish();
        let fault = match loaded.checksum {
            _ if fault.is_some() => fault,
            _ if !ended => Some("it ends too early".to_owned()),
            Some(Checksum::Bad { .. }) if self.config.flag("rdbchecksum") => Some("its checksum is wrong".to_owned()),
            _ => loaded.fault.clone(),
        };
        if let Some(fault) = fault {
            return Some(Err(fault));
        }
        let aux = |name: &str| {
            let found = loaded.aux.iter().find(|(key, _)| key == name.as_bytes())?;
            String::from_utf8(found.1.clone()).ok()
        };
        let place = aux("repl-id")
            .zip(aux("repl-offset").and_then(|offset| offset.parse().ok()))
            .map(|(id, offset)| (Replid::from_wire(id.as_bytes()), Offset(offset)));
        let stream_db = aux("repl-stream-db").and_then(|db| db.parse().ok());
        let databases = 0..loaded.keyspace.databases();
        let keys: usize = databases.map(|db| loaded.keyspace.size(db).keys).sum();
        let line = format!("Done loading RDB, keys loaded: {keys}, keys expired: {}.", loaded.expired);
        self.note(Level::Notice, line);
        self.keyspace.replace(loaded.keyspace);
        self.functions.replace(loaded.functions);
        self.load_scripts(&loaded.aux);
        Some(Ok(Loaded { stream_db, place }))
    }

    /// An RDB is to be loaded, beside the data that there is.
    pub(super) fn begin_load(&mut self) {
        let databases = self.keyspace.databases();
        let loader = Loader::new(databases, None).by_clock(self.keyspace.clock);
        self.link.loader = Some(Box::new(Decoder::new(loader, Depth::Full)));
        self.link.load_fault = None;
        self.set_loading(true);
    }

    /// Applies a command of the stream, or puts it into the transaction under way.
    fn apply_command(&mut self, command: &StreamCommand<'_>, now: i64) {
        let mut ranges = std::mem::take(&mut self.ranges);
        ranges.clear();
        let bytes = command.command.locate(&mut ranges);
        let args = super::args::Args::new(bytes, &ranges, None);
        let mut session = self.link.session.take().unwrap_or_default();
        session.db = command.db as usize;
        // A later one would cost memory for all before it.
        let exists = session.db < MAX_DATABASES;
        self.keyspace.grow((session.db + 1).min(MAX_DATABASES));
        let is = |name: &str| args.is(0, name);
        if is("MULTI") {
            self.link.queue = Some(Queue::default());
        } else if is("EXEC") {
            if let Some(queue) = self.link.queue.take() {
                // A SELECT inside changes the database for what follows it.
                session.db = queue.db;
                for index in 0..queue.commands.len() {
                    self.apply_or_note(&mut session, queue.get(index), command.after, now);
                }
            }
        } else if let Some(queue) = &mut self.link.queue {
            if queue.commands.is_empty() {
                queue.db = session.db;
            }
            queue.push(args.from(0));
        } else if is("SELECT") && exists || is("PING") || is("REPLCONF") || is("SCRIPT") {
            // SCRIPT LOAD and FLUSH, which masters before 7.0 pass on, are about no key.
        } else {
            self.apply_or_note(&mut session, args, command.after, now);
        }
        self.link.session = Some(session);
        self.ranges = ranges;
        self.serve_waiting(now);
    }

    fn apply_or_note(&mut self, session: &mut Session, args: super::args::Args<'_>, after: Offset, now: i64) {
        if !self.apply(session, args, now) {
            let name =
                String::from_utf8_lossy(args.get(0).get(..args.get(0).len().min(64)).unwrap_or_default()).into_owned();
            if self.stats.first_unapplied.is_none() {
                self.stats.first_unapplied = Some((i64::try_from(after.0).unwrap_or(i64::MAX), name.clone()));
            }
            self.note(
                Level::Warning,
                format!(
                    "the master's command '{name}' before offset {after} could not be applied: the dataset lacks it"
                ),
            );
        }
    }

    /// The section of INFO.
    pub(super) fn replication_info(&self, now: i64, out: &mut String) {
        macro_rules! line {
            ($($format:tt)+) => {{ let _ = write!(out, $($format)+); out.push_str("\r\n"); }};
        }
        let at = Moment::at(now);
        line!("role:{}", if self.is_replica() { "slave" } else { "master" });
        if let (Some((host, port)), Some(replica)) = (&self.link.master, &self.replica) {
            let up = replica.is_up();
            line!("master_host:{host}");
            line!("master_port:{port}");
            line!("master_link_status:{}", if up { "up" } else { "down" });
            let last_io = if up { replica.last_io_seconds(at) as i64 } else { -1 };
            line!("master_last_io_seconds_ago:{last_io}");
            line!("master_sync_in_progress:{}", u8::from(replica.state_name() == "TRANSFER"));
            let (read, applied) = (replica.read().0, replica.applied().0);
            if self.dialect.since(6, 2) {
                line!("slave_read_repl_offset:{read}");
            }
            line!("slave_repl_offset:{applied}");
            if self.dialect.is_redis_since(8, 0) {
                line!("replica_full_sync_buffer_size:0");
                line!("replica_full_sync_buffer_peak:0");
                line!("master_current_sync_attempts:{}", self.link.attempts);
                line!("master_total_sync_attempts:{}", self.link.all_attempts);
                let since = if up { (now - self.link.up_since).max(0) / 1000 } else { -1 };
                line!("master_link_up_since_seconds:{since}");
                let down = if up { 0 } else { (now - self.link.down_since).max(0) };
                line!("total_disconnect_time_sec:{}", (self.link.down_for + down) / 1000);
            } else if self.dialect.is_valkey_since(8, 0) {
                line!("replicas_repl_buffer_size:0");
                line!("replicas_repl_buffer_peak:0");
            }
            if !up {
                line!("master_link_down_since_seconds:{}", (now - self.link.down_since).max(0) / 1000);
            }
            line!("slave_priority:{}", self.config.get("replica-priority"));
            line!("slave_read_only:{}", u8::from(self.config.flag("replica-read-only")));
            if self.dialect.since(6, 2) {
                line!("replica_announced:{}", u8::from(self.config.flag("replica-announced")));
            }
        }
        line!("connected_slaves:{}", self.master.replicas(at).count());
        if self.config.size("min-replicas-to-write") > 0 {
            line!("min_slaves_good_slaves:{}", self.master.good_replicas(at));
        }
        for (number, replica) in self.master.replicas(at).enumerate() {
            let kind =
                if self.dialect.is_valkey_since(8, 1) { format!(",type={}", replica.kind) } else { String::new() };
            line!(
                "slave{number}:ip={},port={},state={},offset={},lag={}{kind}",
                replica.host,
                replica.port,
                replica.state,
                replica.offset,
                replica.lag
            );
        }
        if self.dialect.is_valkey_since(8, 0) {
            line!("replicas_waiting_psync:0");
        }
        let history = self.master.history();
        line!("master_failover_state:{}", self.master.failover_state());
        line!("master_replid:{}", history.replid());
        let zeros = "0".repeat(40);
        line!("master_replid2:{}", history.replid2().map_or(zeros, |id| id.to_string()));
        line!("master_repl_offset:{}", self.master.offset());
        line!("second_repl_offset:{}", history.second_repl_offset().map_or(-1, |offset| offset as i64));
        let backlog = self.master.backlog();
        line!("repl_backlog_active:{}", u8::from(backlog.is_some()));
        line!("repl_backlog_size:{}", self.config.get("repl-backlog-size"));
        line!("repl_backlog_first_byte_offset:{}", backlog.map_or(0, |backlog| backlog.first_byte()));
        line!("repl_backlog_histlen:{}", backlog.map_or(0, |backlog| backlog.histlen()));
        // Ours alone: no server has such.
        if let Some((offset, name)) = &self.stats.first_unapplied {
            line!("unapplied_commands:{}", self.stats.unapplied);
            line!("first_unapplied_command:{} before offset {offset}", name.escape_default());
        }
    }

    /// The master that is followed.
    #[must_use]
    pub fn followed(&self) -> Option<&(String, u16)> {
        self.link.master.as_ref()
    }
}

/// `ip:port` without the port.
fn host(peer: &str) -> &str {
    peer.rsplit_once(':').map_or(peer, |(host, _)| host.trim_matches(['[', ']']))
}
