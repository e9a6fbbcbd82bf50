//! Snapshots: who shares one, when it begins, in which form it travels, and what its end means to those it is for.
//!
//! One is made at a time. Replicas that come while it is made in the form of a file share it if it is of their kind,
//! from its offset on; all others wait for the next. A diskless one waits `repl-diskless-sync-delay` for more to come,
//! since nobody can join it once its bytes flow.

use super::target::Reader;
use super::{Action, CloseReason, Connection, ConnectionId, Master, Settings, State, Told, Upstream, Waiting};
use crate::repl::compat::TwoChannel;
use crate::repl::event::Replid;
use crate::units::{Moment, Offset};

/// Names a snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SnapshotId(pub u64);

/// What the RDB is to hold besides its aux fields, from `REPLCONF rdb-filter-only`. Keys never are among it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Filter {
    /// Function libraries.
    pub functions: bool,
}

/// How the payload travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// It is made whole first, and [`Master::snapshot_ready`] tells its length; the machine writes the `$<length>` line
    /// and then
    /// asks for it by [`Action::SendPayload`], connection by connection.
    Stored,
    /// It goes to all the connections as it is made. The machine has written the `$EOF:` line, and writes the mark
    /// at [`Master::snapshot_finished`].
    Diskless,
}

/// A snapshot to be taken now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BeginSnapshot {
    /// Its name.
    pub id: SnapshotId,
    /// Who will read it: [`super::rdb_target`] tells the version, once the needs of the data are known.
    pub reader: Reader,
    /// What is wanted of the data; `None` for all of it.
    pub filter: Option<Filter>,
    /// How it travels.
    pub form: Form,
    /// For the aux field `repl-id`.
    pub replid: Replid,
    /// For the aux field `repl-offset`.
    pub offset: Offset,
    /// For the aux field `repl-stream-db`.
    pub stream_db: u32,
    /// Whom it is for. Others may join a stored one: [`Master::receivers`] has them all.
    pub connections: Vec<ConnectionId>,
}

/// Those with the same can share a snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Sort {
    reader: Reader,
    filter: Option<Filter>,
    channel: Option<TwoChannel>,
}

#[derive(Debug)]
pub(super) struct Snapshot {
    id: SnapshotId,
    sort: Sort,
    form: Form,
    offset: Offset,
    replid: Replid,
    mark: Replid,
    /// A stored one is whole: others cannot join it any more, and the next one can begin.
    ready: bool,
}

impl Master {
    /// Whether a snapshot is being made: who asks for a full sync now may get that one.
    #[must_use]
    pub fn is_saving(&self) -> bool {
        self.snapshots.iter().any(|snapshot| !snapshot.ready)
    }

    fn sort_of(&self, connection: &Connection) -> Sort {
        let facts = &connection.facts;
        let mut reader = connection.reader();
        let unknown = reader.psync2 && reader.version.is_none() && !reader.rdb_channel_repl && !reader.tool;
        if unknown && !self.refusing.contains(&connection.place()) {
            reader.likely = self.settings.compat.rdb_version;
        }
        let channel = if facts.rdb_channel { self.settings.compat.two_channel } else { None };
        match channel {
            Some(TwoChannel::RdbChannel) => {
                if let Some(main) = facts.main.and_then(|main| self.connections.get(&main)) {
                    reader = main.reader();
                }
            }
            // Valkey 8.0 to 9.0 don't tell their version on this connection.
            Some(TwoChannel::DualChannel) if reader.version.is_none() => reader.version = Some((8, 0, 0)),
            _ => {}
        }
        Sort { reader, filter: facts.filter, channel }
    }

    /// The snapshot being made.
    fn active(&self) -> Option<&Snapshot> {
        self.snapshots.iter().find(|snapshot| !snapshot.ready)
    }

    /// A replica needs a snapshot: perhaps the one being made will do.
    pub(super) fn join_or_wait(&mut self, id: ConnectionId, now: Moment) {
        let Some(connection) = self.connections.get(&id) else { return };
        let sort = self.sort_of(connection);
        let joined = self.active().filter(|snapshot| {
            let held = self.backlog.as_ref().is_some_and(|backlog| backlog.holds(snapshot.offset.next_byte()));
            snapshot.form == Form::Stored && snapshot.sort == sort && sort.channel.is_none() && held
        });
        if let Some(snapshot) = joined {
            let (snapshot, replid, offset) = (snapshot.id, snapshot.replid, snapshot.offset);
            self.grant(id, snapshot, replid, offset, now);
        } else {
            self.start_waiting(now);
        }
    }

    /// The group that the next snapshot is for, and when it is to begin.
    fn next_group(&self) -> Option<(Sort, Vec<ConnectionId>, Moment)> {
        if self.active().is_some() {
            return None;
        }
        let waiting = || {
            self.connections.iter().filter_map(|(&id, connection)| match connection.state {
                State::WaitBgsaveStart { since } => Some((id, connection, since)),
                _ => None,
            })
        };
        let (_, leader, _) = waiting().min_by_key(|&(_, _, since)| since)?;
        let sort = self.sort_of(leader);
        let group: Vec<_> = waiting().filter(|(_, connection, _)| self.sort_of(connection) == sort).collect();
        let oldest = group.iter().map(|&(_, _, since)| since).min()?;
        let Settings { diskless, diskless_max_replicas: enough, diskless_delay: delay, .. } = self.settings;
        let many = enough > 0 && group.len() >= enough;
        let waits = diskless && leader.facts.eof && !many;
        let at = if waits { oldest.after(delay) } else { oldest };
        Some((sort, group.into_iter().map(|(id, ..)| id).collect(), at))
    }

    pub(super) fn next_snapshot_time(&self) -> Option<Moment> {
        self.next_group().map(|(_, _, at)| at)
    }

    /// Begins the next snapshot if its time has come.
    pub(super) fn start_waiting(&mut self, now: Moment) {
        while let Some((sort, group, at)) = self.next_group()
            && at <= now
        {
            self.begin(sort, group, now);
        }
    }

    fn begin(&mut self, sort: Sort, mut group: Vec<ConnectionId>, now: Moment) {
        // The main connection of a two-channel sync may be gone while its other half waited.
        if sort.channel == Some(TwoChannel::RdbChannel) {
            let connections = &self.connections;
            let (whole, torn): (Vec<_>, Vec<_>) = group.into_iter().partition(|id| {
                let main = connections.get(id).and_then(|rdb| rdb.facts.main);
                main.and_then(|main| connections.get(&main))
                    .is_some_and(|main| matches!(main.state, State::WaitRdbChannel { .. }))
            });
            for id in torn {
                self.close(id, CloseReason::OtherChannelLost, now);
            }
            group = whole;
        }
        if group.is_empty() {
            return;
        }
        let eof = group.iter().all(|id| self.connections.get(id).is_some_and(|connection| connection.facts.eof));
        let old_version = self.settings.compat.old_versions_diskless && !sort.reader.reads_valkey();
        let wanted = self.settings.diskless || sort.filter.is_some() || sort.channel.is_some() || old_version;
        let form = if eof && wanted { Form::Diskless } else { Form::Stored };
        let (replid, offset) = (self.history.replid(), self.offset());
        let stream_db = self.selected;
        if self.upstream == Upstream::TopLevel {
            // What is written from now on is for one who starts in database 0, or wherever the RDB says.
            self.selected = None;
        }
        self.snapshot_count += 1;
        let id = SnapshotId(self.snapshot_count);
        let mark = self.ids.mark();
        self.snapshots.push(Snapshot { id, sort, form, offset, replid, mark, ready: false });
        for &connection in &group {
            self.grant(connection, id, replid, offset, now);
            if form == Form::Diskless {
                self.write(connection, format!("$EOF:{mark}\r\n"));
            }
        }
        self.actions.push_back(Action::BeginSnapshot(BeginSnapshot {
            id,
            reader: sort.reader,
            filter: sort.filter,
            form,
            replid,
            offset,
            stream_db: stream_db.unwrap_or(0),
            connections: group,
        }));
    }

    /// The replica gets this snapshot, and the stream from its offset on.
    fn grant(&mut self, id: ConnectionId, snapshot: SnapshotId, replid: Replid, offset: Offset, now: Moment) {
        let db = self.selected.map_or(-1, i64::from);
        let Some(connection) = self.connections.get_mut(&id) else { return };
        connection.state = State::WaitBgsaveEnd { snapshot };
        connection.next = offset.next_byte();
        connection.progress = now;
        connection.loads = true;
        let (main, rdb_channel) = (connection.facts.main, connection.facts.rdb_channel);
        let two_channel = if rdb_channel { self.settings.compat.two_channel } else { None };
        if !connection.pre_psync {
            self.write(id, format!("+FULLRESYNC {replid} {offset}\r\n"));
        }
        match two_channel {
            Some(TwoChannel::RdbChannel) => {
                if let Some(main) = main.and_then(|main| self.connections.get_mut(&main)) {
                    main.state = State::SendBulkAndStream;
                    main.next = offset.next_byte();
                    main.ack_time = now;
                }
            }
            Some(TwoChannel::DualChannel) => {
                self.waiting.push(Waiting { rdb: id, byte: offset.next_byte(), until: None });
                self.write(id, format!("$ENDOFF:{offset} {replid} {db} {id}\r\n"));
            }
            None => {}
        }
    }

    /// The connections that the payload of this snapshot goes to.
    pub fn receivers(&self, snapshot: SnapshotId) -> impl Iterator<Item = ConnectionId> {
        let of_it = move |connection: &Connection| connection.state.snapshot() == Some(snapshot);
        self.connections.iter().filter(move |(_, connection)| of_it(connection)).map(|(&id, _)| id)
    }

    /// A stored snapshot is whole, and so many bytes long.
    pub fn snapshot_ready(&mut self, id: SnapshotId, length: u64, now: Moment) {
        let Some(snapshot) = self.snapshots.iter_mut().find(|snapshot| snapshot.id == id) else { return };
        snapshot.ready = true;
        let receivers: Vec<_> = self.receivers(id).collect();
        for receiver in receivers {
            if let Some(connection) = self.connections.get_mut(&receiver) {
                connection.state = State::SendBulk { snapshot: id };
                connection.progress = now;
            }
            self.write(receiver, format!("${length}\r\n"));
            self.actions.push_back(Action::SendPayload { connection: receiver, snapshot: id });
        }
        self.start_waiting(now);
    }

    /// All of a stored payload has been written on this connection.
    pub fn payload_written(&mut self, connection: ConnectionId, now: Moment) {
        if matches!(self.connections.get(&connection), Some(Connection { state: State::SendBulk { .. }, .. })) {
            self.received(connection, false, now);
            self.drop_unneeded_snapshots();
        }
    }

    /// Some of a payload has been written on this connection: it is not stuck.
    pub fn payload_progress(&mut self, connection: ConnectionId, now: Moment) {
        if let Some(connection) = self.connections.get_mut(&connection) {
            connection.progress = now;
        }
    }

    /// All bytes of a diskless snapshot have been given to its receivers' connections to write.
    pub fn snapshot_finished(&mut self, id: SnapshotId, now: Moment) {
        let Some(at) = self.snapshots.iter().position(|snapshot| snapshot.id == id) else { return };
        let receivers: Vec<_> = self.receivers(id).collect();
        let mark = self.snapshots.remove(at).mark;
        for receiver in receivers {
            self.write(receiver, mark.as_str());
            self.received(receiver, true, now);
        }
        self.start_waiting(now);
    }

    /// The snapshot cannot be made, or not in a version that the replicas would read.
    pub fn snapshot_failed(&mut self, id: SnapshotId, now: Moment) {
        let Some(at) = self.snapshots.iter().position(|snapshot| snapshot.id == id) else { return };
        let receivers: Vec<_> = self.receivers(id).collect();
        self.snapshots.remove(at);
        for receiver in receivers {
            self.close(receiver, CloseReason::SnapshotFailed, now);
        }
        self.start_waiting(now);
    }

    /// A replica has been given all of its RDB.
    fn received(&mut self, id: ConnectionId, diskless: bool, now: Moment) {
        let grace = now.after(self.settings.dual_channel_grace);
        let Some(connection) = self.connections.get_mut(&id) else { return };
        connection.progress = now;
        connection.ack_time = now;
        if connection.facts.rdb_channel {
            // Its replica closes it.
            connection.state = State::RdbTransmitted;
            if let Some(waiting) = self.waiting.iter_mut().find(|waiting| waiting.rdb == id) {
                waiting.until = Some(grace);
            }
        } else if connection.facts.rdb_only {
            connection.state = State::RdbTransmitted;
            self.close(id, CloseReason::RdbOnlyDone, now);
        } else {
            connection.state = State::Online { await_ack: diskless };
            if !diskless {
                self.tell(Told::Online { connection: id });
            }
        }
    }

    pub(super) fn drop_unneeded_snapshots(&mut self) {
        let unneeded: Vec<_> = self
            .snapshots
            .iter()
            .map(|snapshot| snapshot.id)
            .filter(|&id| self.receivers(id).next().is_none())
            .collect();
        self.snapshots.retain(|snapshot| !unneeded.contains(&snapshot.id));
        self.actions.extend(unneeded.into_iter().map(Action::DropSnapshot));
    }

    /// A newline a second while the replica waits for a payload that does not flow yet.
    pub(super) fn send_keepalives(&mut self) {
        let stored = |id| self.snapshots.iter().any(|snapshot| snapshot.id == id && snapshot.form == Form::Stored);
        let waits = |connection: &Connection| match connection.state {
            State::WaitBgsaveStart { .. } => true,
            State::WaitBgsaveEnd { snapshot } => stored(snapshot),
            _ => false,
        };
        let waiting: Vec<_> = self.connections.iter().filter(|(_, c)| waits(c)).map(|(&id, _)| id).collect();
        for connection in waiting {
            self.write(connection, "\n");
        }
    }

    /// Lets go of replicas from which nothing has been heard for too long.
    pub(super) fn drop_silent(&mut self, now: Moment) {
        let timeout = self.settings.timeout;
        let diskless = |id| self.snapshots.iter().any(|snapshot| snapshot.id == id && snapshot.form == Form::Diskless);
        let silent = |connection: &Connection| {
            let last = match connection.state {
                State::Online { .. } if !connection.pre_psync => connection.ack_time,
                State::WaitBgsaveEnd { snapshot } if diskless(snapshot) => connection.progress,
                State::WaitRdbChannel { since } => since,
                State::RdbTransmitted => connection.progress,
                _ => return false,
            };
            now.since(last) > timeout
        };
        let silent: Vec<_> = self.connections.iter().filter(|(_, c)| silent(c)).map(|(&id, _)| id).collect();
        for connection in silent {
            self.close(connection, CloseReason::Timeout, now);
        }
    }

    /// Holds the stream no longer for main connections that did not come.
    pub(super) fn end_waiting(&mut self, now: Moment) {
        let before = self.waiting.len();
        self.waiting.retain(|waiting| waiting.until.is_none_or(|until| now <= until));
        if self.waiting.len() != before {
            self.trim();
        }
    }
}
