//! PSYNC and SYNC: the checks in the servers' order, and the choice between a partial sync and a full one.

use super::{ConnectionId, Master, NoPartial, State, Told, Upstream};
use crate::repl::backlog::Backlog;
use crate::repl::compat::TwoChannel;
use crate::repl::event::Replid;
use crate::repl::replica::Event;
use crate::repl::words;
use crate::units::{Moment, Offset};

const NO_INTEGER: &str = "-ERR value is not an integer or out of range\r\n";
const FAILING_OVER: &str = "-NOMASTERLINK Can't SYNC while failing over\r\n";
const NO_MASTER_LINK: &str = "-NOMASTERLINK Can't SYNC while not connected with my master\r\n";
const PENDING_OUTPUT: &str = "-ERR SYNC and PSYNC are invalid with pending output\r\n";
const NEEDS_EOF: &str = "-ERR Filtered replica requires EOF capability\r\n";
const FAILOVER_TO_MASTER: &str = "-ERR PSYNC FAILOVER can't be sent to a master.\r\n";
const FAILOVER_REPLID: &str = "-ERR PSYNC FAILOVER replid must match my replid.\r\n";

impl Master {
    pub(super) fn sync(&mut self, id: ConnectionId, words: &[&[u8]], pending_output: bool, now: Moment) {
        self.connections.entry(id).or_insert_with(|| super::Connection::new(now));
        let psync = words.first().is_some_and(|name| name.eq_ignore_ascii_case(b"PSYNC"));
        if (psync && words.len() < 3) || (!psync && words.len() != 1) {
            let name = if psync { "psync" } else { "sync" };
            return self.write(id, format!("-ERR wrong number of arguments for '{name}' command\r\n"));
        }
        if words.get(3).is_some_and(|word| word.eq_ignore_ascii_case(b"FAILOVER"))
            && let Err(error) = self.take_over(words.get(1).copied().unwrap_or_default(), now)
        {
            return self.write(id, error);
        }
        let facts = self.connections.get(&id).map(|connection| &connection.facts);
        let filtered = facts.is_some_and(|facts| facts.filter.is_some() && !facts.eof);
        let refusal = if self.failover.in_progress() {
            Some(FAILING_OVER)
        } else if self.upstream == (Upstream::Replica { up: false }) {
            Some(NO_MASTER_LINK)
        } else if pending_output {
            Some(PENDING_OUTPUT)
        } else if filtered {
            Some(NEEDS_EOF)
        } else {
            None
        };
        if let Some(refusal) = refusal {
            return self.write(id, refusal);
        }
        if psync {
            let replid = Replid::from_wire(words.get(1).copied().unwrap_or_default());
            let Some(byte) = words.get(2).and_then(|word| words::decimal(word)) else {
                return self.write(id, NO_INTEGER);
            };
            match self.can_continue(id, &replid, byte) {
                Ok(byte) => return self.continue_at(id, byte, now),
                Err(why) => {
                    // `?` asks for a full sync on purpose.
                    if replid.as_str() != "?" {
                        self.stats.partial_err += 1;
                        self.tell(Told::NoPartial { connection: id, replid, byte, why });
                    }
                }
            }
        }
        self.full_sync(id, !psync, now);
    }

    /// `PSYNC <id> <byte> FAILOVER`: the master hands its office over.
    fn take_over(&mut self, replid: &[u8], now: Moment) -> Result<(), &'static str> {
        if self.upstream == Upstream::TopLevel {
            return Err(FAILOVER_TO_MASTER);
        }
        if !Replid::from_wire(replid).matches(&self.history.replid()) {
            return Err(FAILOVER_REPLID);
        }
        self.promote(now);
        Ok(())
    }

    /// Whether all of the stream from `byte` on can be given to one who knows the history as `replid`.
    fn can_continue(&self, id: ConnectionId, replid: &Replid, byte: i64) -> Result<u64, NoPartial> {
        if !self.history.shares(replid, byte) {
            let old = self.history.replid2().is_some_and(|second| second.matches(replid));
            return Err(if old { NoPartial::SecondOffset } else { NoPartial::History });
        }
        let backlog = self.backlog.as_ref().ok_or(NoPartial::NoBacklog)?;
        let number = u64::try_from(byte).map_err(|_| NoPartial::Window)?;
        // What is held for the main connection of a two-channel sync may be out of the window.
        let rdb = self.connections.get(&id).and_then(|connection| connection.facts.rdb);
        let held = self.waiting.iter().any(|waiting| Some(waiting.rdb) == rdb && waiting.byte <= number);
        let covered = backlog.covers(byte) && !self.denies_partial;
        if covered || (held && backlog.holds(number)) { Ok(number) } else { Err(NoPartial::Window) }
    }

    /// From here on every PSYNC is answered with a full sync, or none is on purpose: a replay has recorded ones to be so.
    pub fn deny_partial(&mut self, on: bool) {
        self.denies_partial = on;
    }

    fn continue_at(&mut self, id: ConnectionId, byte: u64, now: Moment) {
        let end = self.offset().next_byte();
        let replid = self.history.replid();
        let Some(connection) = self.connections.get_mut(&id) else { return };
        connection.next = byte;
        let place = connection.place();
        connection.ack = Offset(0);
        connection.acked = false;
        connection.ack_time = now;
        let main_channel = connection.facts.rdb.is_some_and(|rdb| self.waiting.iter().any(|w| w.rdb == rdb));
        connection.state = if main_channel { State::BgRdbLoad } else { State::Online { await_ack: false } };
        let line = if connection.facts.psync2 { format!("+CONTINUE {replid}\r\n") } else { "+CONTINUE\r\n".to_owned() };
        if main_channel {
            let rdb = connection.facts.rdb;
            self.waiting.retain(|waiting| Some(waiting.rdb) != rdb);
        }
        // Whatever it was given last, it has loaded.
        self.refusing.remove(&place);
        self.stats.partial_ok += 1;
        self.write(id, line);
        self.tell(Told::Partial { connection: id, byte, bytes: end.saturating_sub(byte) });
    }

    fn full_sync(&mut self, id: ConnectionId, pre_psync: bool, now: Moment) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        let facts = &connection.facts;
        let two_channel = if self.settings.two_channel && self.settings.diskless && !facts.rdb_channel && !pre_psync {
            match self.settings.compat.two_channel {
                Some(TwoChannel::RdbChannel) if facts.rdb_channel_repl && facts.filter.is_none() => {
                    Some(TwoChannel::RdbChannel)
                }
                Some(TwoChannel::DualChannel) if facts.dual_channel && facts.filter.is_none() => {
                    Some(TwoChannel::DualChannel)
                }
                _ => None,
            }
        } else {
            None
        };
        connection.pre_psync = pre_psync;
        connection.ack = Offset(0);
        connection.acked = false;
        connection.ack_time = now;
        connection.progress = now;
        match two_channel {
            Some(TwoChannel::RdbChannel) => {
                connection.state = State::WaitRdbChannel { since: now };
                self.begin_history();
                self.write(id, format!("+RDBCHANNELSYNC {id}\r\n"));
            }
            Some(TwoChannel::DualChannel) => {
                self.begin_history();
                self.write(id, "+DUALCHANNELSYNC\r\n");
            }
            None => {
                connection.state = State::WaitBgsaveStart { since: now };
                self.stats.full += 1;
                self.begin_history();
                self.join_or_wait(id, now);
            }
        }
    }

    /// The first replica: from now on the stream is kept, and has a name that nobody can have known before.
    fn begin_history(&mut self) {
        if self.backlog.is_some() {
            return;
        }
        let replid = self.ids.draw();
        self.history.adopt(replid);
        self.recreate_backlog(self.offset.advanced_by(self.settings.compat.first_offset));
        self.selected = None;
        self.tell(Told::BacklogCreated { replid });
    }

    /// REPLICAOF: this server follows another one from now on, or another one than before.
    pub fn demote(&mut self) {
        self.upstream = Upstream::Replica { up: false };
        self.unstage();
    }

    /// REPLICAOF NO ONE: this server goes on by itself, under a new id, and its replicas ask again.
    pub fn promote(&mut self, now: Moment) {
        self.unstage();
        let at = self.offset();
        let replid = self.ids.draw();
        self.history.shift(replid, at);
        self.upstream = Upstream::TopLevel;
        self.selected = None;
        self.cut_replicas(now);
        self.alone_since = now;
        self.actions.push_back(super::Action::Promoted);
    }

    /// What the other end of this server, its replica's machine, has gone through. To be told of every one of its
    /// events, in order.
    pub fn follow(&mut self, event: &Event, now: Moment) {
        match *event {
            Event::FullSync { .. } => {
                self.failover_settled();
                self.cut_replicas(now);
                // The data that the old history is about goes: nobody may continue it here.
                self.offset = self.offset();
                self.backlog = None;
            }
            Event::Synced { replid, offset, .. } => {
                if let Some((replid, offset)) = replid.zip(offset) {
                    self.history.adopt(replid);
                    self.recreate_backlog(offset);
                } else {
                    // By SYNC, and the RDB did not say: a history of our own, from here on.
                    let replid = self.ids.draw();
                    self.history.adopt(replid);
                    self.recreate_backlog(Offset(0));
                }
                self.cut_replicas(now);
                self.upstream = Upstream::Replica { up: true };
            }
            Event::Continued { replid, offset } => {
                self.failover_settled();
                if self.backlog.is_none() || self.offset() != offset {
                    self.history.adopt(replid);
                    self.recreate_backlog(offset);
                    self.cut_replicas(now);
                } else if !replid.matches(&self.history.replid()) {
                    self.history.shift(replid, offset);
                    self.cut_replicas(now);
                }
                self.upstream = Upstream::Replica { up: true };
            }
            Event::PsyncRefused { .. } => self.failover_refused(now),
            Event::Lost { .. } => {
                self.unstage();
                if let Upstream::Replica { up } = &mut self.upstream {
                    *up = false;
                }
            }
            _ => {}
        }
    }

    fn unstage(&mut self) {
        if let Some(backlog) = &mut self.backlog {
            backlog.unstage();
        }
    }

    /// Bytes of the stream that came from this server's master; see [`Master::commit`].
    pub fn stage(&mut self, bytes: &[u8]) {
        if let Some(backlog) = &mut self.backlog {
            backlog.stage(bytes);
        }
    }

    /// The stream has been applied up to `offset`: so far it goes on to this server's own replicas, verbatim.
    /// `db` is the database that the stream is in then.
    pub fn commit(&mut self, offset: Offset, db: u32, now: Moment) {
        let Some(backlog) = &mut self.backlog else { return };
        self.selected = Some(db);
        if offset > backlog.offset() {
            backlog.commit(offset);
            self.trim();
            self.check_limits(now);
        }
    }

    pub(super) fn free_backlog(&mut self, now: Moment) {
        let ttl = self.settings.backlog_ttl;
        // One that began with a backlog has waited for replicas since its first look.
        if self.alone_since == Moment(0) {
            self.alone_since = now;
        }
        let due = ttl > 0 && now.since(self.alone_since) > ttl;
        if due && self.upstream == Upstream::TopLevel && !self.has_replicas() && self.waiting.is_empty() {
            let Some(backlog) = self.backlog.take() else { return };
            self.offset = backlog.offset();
            let replid = self.ids.draw();
            self.history.adopt(replid);
            self.tell(Told::BacklogFreed);
        }
    }

    /// How far the backlog reaches, for a look from outside.
    #[must_use]
    pub fn window(&self) -> Option<(u64, u64)> {
        self.backlog.as_ref().map(|backlog: &Backlog| (backlog.first_byte(), backlog.histlen()))
    }
}
