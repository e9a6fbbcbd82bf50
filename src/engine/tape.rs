//! An engine that is fed: its data and its stream come from a recording, as if that were its master.
//!
//! Towards its own replicas it is what the recorded master was: it has the recorded replid, stands at the recorded offset,
//! and passes the recorded stream on byte for byte, as any replica does that has replicas. Of its own accord it does
//! nothing: it expires no keys and writes no PINGs, since the recorded stream says it all.

use std::collections::VecDeque;

use super::clients::{Closing, SessionId};
use super::core::Engine;
use crate::rdb::Header;
use crate::repl::event::Transfer;
use crate::repl::master;
use crate::repl::replica::{CachedMaster, Channel, Event, Replica, Start};
use crate::units::{Moment, Offset};

/// How an engine's link to its master stands, for who directs it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// The replica's state, as servers name it.
    pub state: &'static str,
    /// The offset at which the sync under way was granted, or that of what has been applied.
    pub granted: Option<Offset>,
    /// What has been taken of the stream.
    pub taken: Offset,
    /// What has been applied.
    pub applied: Offset,
    /// Whether the link is CONNECTED.
    pub up: bool,
    /// `master_repl_offset`
    pub offset: Offset,
    /// Its replicas.
    pub followers: Vec<Follower>,
    /// Whether a snapshot is being made.
    pub saving: bool,
    /// Commands that could not be applied, and the first of them: the offset after it, and its name.
    pub unapplied: u64,
    /// See [`Standing::unapplied`].
    pub first_unapplied: Option<(i64, String)>,
    /// ACKs of the script that were never true, and how many are still to come.
    pub missed_acks: Vec<Offset>,
    /// See [`Standing::missed_acks`].
    pub due_acks: usize,
    /// The version in which the last snapshot for a replica was written.
    pub snapshot: Option<Header>,
    /// Bytes that its master has sent, payloads included.
    pub received: u64,
    /// What the master refused with, or why the link to it is over; of several the first since it was told to follow.
    pub refused: Option<String>,
}

/// A replica as its master sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Follower {
    /// Its connection.
    pub connection: SessionId,
    /// The port that it announced; 0 where it did not.
    pub port: u16,
    /// The last offset that it acknowledged.
    pub ack: Offset,
    /// Bytes of the stream that it has still to be sent.
    pub pending: u64,
    /// Its sync is under way or done, and the stream goes on from the offset that it was told.
    pub granted: bool,
    /// It has acknowledged something since: so it has loaded what it was sent.
    pub acked: bool,
}

impl Engine {
    /// From here on it does nothing by itself: it neither connects again nor acknowledges nor expires.
    pub fn be_directed(&mut self) {
        self.link.directed = true;
        self.active_expire = false;
    }

    /// It follows its master by itself, or does not any more: it acknowledges, times out and connects again as its own time
    /// goes by.
    pub fn follow_by_itself(&mut self, by_itself: bool) {
        self.link.directed = !by_itself;
    }

    /// Sets a directive as its configuration file would; what cannot be set stays as it is.
    pub fn directive(&mut self, name: &str, value: &str) {
        if self.config.set_at_start(name, value).is_ok() {
            self.refresh();
        }
    }

    /// Whether it has two-channel syncs, in the words of its dialect.
    pub fn two_channel(&mut self, on: bool) {
        self.directive(self.dialect.two_channel_directive(), if on { "yes" } else { "no" });
    }

    /// The database that the stream of its master is in.
    #[must_use]
    pub fn stream_db(&self) -> u32 {
        self.replica.as_deref().map_or(0, Replica::db)
    }

    /// How the link to its master stands.
    #[must_use]
    pub fn standing(&self) -> Standing {
        let replica = self.replica.as_deref();
        Standing {
            state: replica.map_or("", Replica::state_name),
            granted: replica.and_then(Replica::granted),
            taken: replica.map_or(Offset(0), Replica::taken),
            applied: replica.map_or(Offset(0), Replica::applied),
            up: replica.is_some_and(Replica::is_up),
            offset: self.master.offset(),
            followers: self.followers(),
            saving: self.master.is_saving(),
            unapplied: self.stats.unapplied,
            first_unapplied: self.stats.first_unapplied.clone(),
            missed_acks: replica.map_or_else(Vec::new, |replica| replica.missed_acks().to_vec()),
            due_acks: replica.map_or(0, Replica::due_acks),
            snapshot: self.link.snapshot,
            received: self.stats.link_bytes_in,
            refused: self.link.refused.clone(),
        }
    }

    /// The recorded RDB begins.
    pub fn tape_begin(&mut self) {
        self.begin_load();
    }

    /// Some of its bytes.
    pub fn tape_load(&mut self, rdb: &[u8]) {
        self.load(rdb);
    }

    /// It has come whole; the stream goes on from this place, or from the one that the RDB tells.
    ///
    /// # Errors
    /// What is wrong with it; the old data stays.
    pub fn tape_loaded(&mut self, place: CachedMaster, now: i64) -> Result<(), String> {
        let loaded = self.take_loaded().unwrap_or_else(|| Err("none has come".to_owned()))?;
        let place = CachedMaster { db: loaded.stream_db.unwrap_or(place.db), ..place };
        let (replid, offset) = (Some(place.replid), Some(place.offset));
        let at = Moment::at(now);
        self.master.follow(&Event::FullSync { replid, offset, transfer: Transfer::Disk }, at);
        self.follow_tape(place, now);
        self.master.follow(&Event::Synced { replid, offset, db: place.db }, at);
        Ok(())
    }

    /// It has come whole, and is the data from here on; the place in the stream stays as it is.
    ///
    /// # Errors
    /// What is wrong with it; the old data stays.
    pub fn tape_data(&mut self) -> Result<(), String> {
        self.take_loaded().unwrap_or_else(|| Err("none has come".to_owned())).map(drop)
    }

    /// The stream goes on from this place with the data that there is. Under another replid than before the old one
    /// becomes the second, as after a promotion.
    pub fn tape_go_on(&mut self, place: CachedMaster, now: i64) {
        self.follow_tape(place, now);
        self.master.follow(&Event::Continued { replid: place.replid, offset: place.offset }, Moment::at(now));
    }

    fn follow_tape(&mut self, place: CachedMaster, now: i64) {
        self.link.master = None;
        self.set_replica(true);
        self.master.demote();
        if let Some(replica) = &mut self.replica {
            replica.follow_unconnected(place, Moment::at(now));
            // Nobody is there to hear them.
            replica.script_acks(Some(VecDeque::new()));
        }
    }

    /// The next bytes of the recorded stream.
    pub fn tape(&mut self, bytes: &[u8], now: i64) {
        let _ = self.from_master(Channel::Main, bytes, now);
    }

    /// Follows a master that is a server, acknowledging at these offsets only, or as it likes.
    pub fn follow_directed(
        &mut self,
        host: &str,
        port: u16,
        start: Start,
        acks: Option<VecDeque<Offset>>,
        hold: Option<Offset>,
        now: i64,
    ) {
        (self.link.hold, self.link.refused) = (hold, None);
        self.follow(host, port, start, now);
        if let Some(replica) = &mut self.replica {
            replica.script_acks(acks);
        }
    }

    /// Tells its master what it has applied, as replicas do each second.
    pub fn acknowledge(&mut self, now: i64) {
        if let Some(replica) = &mut self.replica {
            replica.acknowledge();
        }
        self.collect(now);
    }

    /// From here on replicas get full syncs only, or what they ask for.
    pub fn deny_partial(&mut self, on: bool) {
        self.master.deny_partial(on);
    }

    /// Where a replica listens: what it announced, and else where it comes from; no port where it told none.
    #[must_use]
    pub fn follower_address(&self, id: SessionId) -> Option<(String, u16)> {
        let mut replicas = self.master.replicas(Moment(0));
        replicas.find(|replica| replica.connection.0 == id.0).map(|replica| (replica.host, replica.port))
    }

    /// From here on who comes must say this password, and as this user where it is not the default one.
    pub fn require(&mut self, user: Option<&str>, password: &str) {
        match user.filter(|user| *user != "default") {
            None => self.directive("requirepass", password),
            Some(user) => {
                let secret = format!(">{password}");
                let rules: [&[u8]; 4] = [b"on", secret.as_bytes(), b"+@all", b"~*"];
                let _ = self.users.change(user.as_bytes(), rules.into_iter(), self.dialect, true);
            }
        }
    }

    /// Ends the link to its master, and keeps its place.
    pub fn hang_up(&mut self, now: i64) {
        if let Some(replica) = &mut self.replica {
            replica.unfollow(Moment::at(now));
        }
        self.link.hold = None;
        self.collect(now);
    }

    fn followers(&self) -> Vec<Follower> {
        let replicas = self.master.replicas(Moment(0));
        let follower = |replica: master::ReplicaInfo| Follower {
            connection: SessionId(replica.connection.0),
            port: replica.port,
            ack: replica.offset,
            pending: replica.pending,
            acked: replica.acked,
            granted: replica.kind != "rdb-channel" && !matches!(replica.state, "wait_bgsave" | "handshake"),
        };
        replicas.map(follower).collect()
    }

    /// Closes a client's or a replica's connection at once.
    pub fn drop_client(&mut self, id: SessionId) {
        if let Some(session) = self.clients.get_mut(id) {
            session.closing = Some(Closing::Now);
            self.killed.push(id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bounds::MAX_DATABASES;
    use crate::engine::Dialect;
    use crate::repl::event::Replid;

    fn fed(words: &[&[&str]]) -> Engine {
        let mut engine = Engine::new(Dialect::DEFAULT, 16);
        engine.be_directed();
        let replid = Replid::from_wire(&[b'a'; Replid::LENGTH]);
        engine.tape_go_on(CachedMaster { replid, offset: Offset(100), db: 0 }, 1);
        let mut bytes = Vec::new();
        for words in words {
            crate::resp::encode(&mut bytes, words.iter().map(|word| word.as_bytes()));
        }
        engine.tape(&bytes, 1);
        assert!(engine.standing().up);
        assert_eq!(engine.standing().taken, Offset(100 + bytes.len() as u64));
        engine
    }

    #[test]
    fn a_database_of_a_great_number_costs_no_memory() {
        let engine = fed(&[&["SELECT", "4000000000"], &["SET", "a", "1"], &["SELECT", "70000"], &["SET", "a", "1"]]);
        assert!(engine.keyspace.databases() <= MAX_DATABASES);
        let keys: usize = (0..engine.keyspace.databases()).map(|db| engine.keyspace.size(db).keys).sum();
        assert_eq!((keys, engine.standing().unapplied), (0, 4));
    }

    #[test]
    fn a_recorded_stream_does_not_operate_the_server() {
        let engine = fed(&[&["DEBUG", "SLEEP", "3600"], &["SHUTDOWN", "NOSAVE"], &["SET", "a", "1"]]);
        assert!(engine.stop.is_none() && engine.sleep_for.is_none());
        assert_eq!((engine.keyspace.size(0).keys, engine.standing().unapplied), (1, 2));
    }

    #[test]
    fn a_directed_replica_wakes_nobody() {
        let mut engine = fed(&[]);
        // The recording's time leaps ahead, and then stands: what is due must have been done by then.
        engine.tick_links(60_000);
        assert!(engine.links_wake() > 60_000, "{}", engine.links_wake());
    }

    #[test]
    fn what_cannot_be_applied_is_told_with_its_place() {
        let engine = fed(&[&["VADD", "k", "FP32", "1234", "e"], &["SET", "k", "v"]]);
        let mut info = String::new();
        engine.replication_info(0, &mut info);
        assert!(info.ends_with("unapplied_commands:1\r\nfirst_unapplied_command:VADD before offset 148\r\n"), "{info}");
    }

    #[test]
    fn the_stream_passes_verbatim_and_the_replid_is_the_recorded_one() {
        let engine = fed(&[&["SET", "k", "v"]]);
        let standing = engine.standing();
        assert_eq!((standing.offset, standing.taken), (standing.applied, standing.applied));
        assert_eq!(engine.master.history().replid().as_str(), "a".repeat(Replid::LENGTH));
        assert_eq!(engine.keyspace.size(0).keys, 1);
    }
}
