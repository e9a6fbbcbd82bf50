//! What links have to do with one another: the two connections of one sync, the syncs that follow each other, the
//! databases that streams were left in.

use std::collections::{HashMap, VecDeque};

use super::event::{Replid, Transfer};
use crate::bounds::{MAX_DATABASES_REMEMBERED, MAX_ENDINGS, MAX_PAIRS, MAX_PEERS};
use crate::packet::Endpoint;
use crate::units::{LinkNumber, Offset, Stamp};

/// A link's part in a two-channel sync.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Channel {
    /// None: everything travels on one connection.
    #[default]
    None,
    /// It carries the stream.
    Main { transfer: Transfer },
    /// It carries the RDB; `main` is the other one, once found.
    Rdb { transfer: Transfer, main: Option<LinkNumber> },
}

/// The ends of a link: replica's, master's.
type Ends = (Endpoint, Endpoint);

/// A two-channel sync whose connections have to find each other.
#[derive(Debug)]
struct Pair {
    ends: Ends,
    port: Option<u16>,
    transfer: Transfer,
    client_id: Option<u64>,
    main: Option<LinkNumber>,
    rdb: Option<LinkNumber>,
    database: Option<u32>,
    /// What the RDB's connection has told.
    base: Option<(Replid, Offset)>,
}

impl Pair {
    /// Whether a connection with these ends can be the one that is missing here.
    fn fits(&self, ends: Ends, port: Option<u16>, transfer: Transfer, client_id: Option<u64>) -> bool {
        let same_or_unknown = |a: Option<u64>, b: Option<u64>| a.is_none() || b.is_none() || a == b;
        self.transfer == transfer
            && self.ends.1 == ends.1
            && self.ends.0.address == ends.0.address
            && same_or_unknown(client_id, self.client_id)
            && same_or_unknown(port.map(u64::from), self.port.map(u64::from))
    }
}

/// What the RDB's connection has told and the main one must learn.
#[derive(Clone, Copy, Debug)]
pub(super) struct Announcement {
    pub(super) main: LinkNumber,
    pub(super) replid: Replid,
    pub(super) base: Offset,
}

/// What becomes of one link, for the story of its replica.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) ends: Ends,
    pub(super) port: Option<u16>,
    pub(super) number: LinkNumber,
    pub(super) stamp: Stamp,
    /// A sync was granted.
    pub(super) synced: bool,
    /// The replica has acknowledged the stream.
    pub(super) connected: bool,
    pub(super) rdb_channel: bool,
    /// One of the ends closed it; else the capture ended.
    pub(super) closed: bool,
    pub(super) reset: bool,
    pub(super) error: Option<String>,
}

/// The attempts of one replica host at one master.
#[derive(Debug, Default)]
struct Attempts {
    /// Those that ended without a sync, in the present burst.
    burst: u32,
    burst_began: Stamp,
    /// The first of those that `total` counts.
    first: Stamp,
    last: Stamp,
    storm: bool,
    total: u32,
    endings: Vec<(String, u32)>,
    last_link: LinkNumber,
}

/// The full syncs of one replica from one master.
#[derive(Debug, Default)]
struct FullSyncs {
    granted: u32,
    /// How many in a row ended before the replica followed the stream.
    failed: u32,
    first_failed: Stamp,
    since: Stamp,
    last_end: String,
}

/// So many attempts within [`STORM_NANOS`] are a storm. Replicas that behave try once a second.
const STORM_ATTEMPTS: u32 = 10;
const STORM_NANOS: u64 = 5_000_000_000;

/// So many full syncs in a row that came to nothing are a loop.
const LOOP_SYNCS: u32 = 2;

/// State over all links.
#[derive(Debug, Default)]
pub(super) struct Shared {
    pairs: VecDeque<Pair>,
    pub(super) announcements: Vec<Announcement>,
    attempts: HashMap<(u128, Endpoint), Attempts, foldhash::fast::RandomState>,
    syncs: HashMap<(u128, Option<u16>, Endpoint), FullSyncs, foldhash::fast::RandomState>,
    databases: VecDeque<(Replid, Offset, u32)>,
}

impl Shared {
    /// The main connection of a two-channel sync presents itself; gives the other one where that was captured first.
    pub(super) fn offer(
        &mut self,
        ends: Ends,
        port: Option<u16>,
        main: LinkNumber,
        transfer: Transfer,
        client_id: Option<u64>,
    ) -> Option<LinkNumber> {
        let found =
            self.pairs.iter_mut().rev().find(|pair| pair.main.is_none() && pair.fits(ends, port, transfer, client_id));
        if let Some(pair) = found {
            pair.main = Some(main);
            if let Some((replid, base)) = pair.base {
                self.announcements.push(Announcement { main, replid, base });
            }
            return pair.rdb;
        }
        self.remember(Pair {
            ends,
            port,
            transfer,
            client_id,
            main: Some(main),
            rdb: None,
            database: None,
            base: None,
        });
        None
    }

    /// The RDB's connection presents itself; gives the main one where the capture has it. Redis names the main
    /// connection's client id; Valkey's is the latest of the same replica that still waits.
    pub(super) fn join(
        &mut self,
        ends: Ends,
        port: Option<u16>,
        rdb: LinkNumber,
        transfer: Transfer,
        client_id: Option<u64>,
    ) -> Option<LinkNumber> {
        let found =
            self.pairs.iter_mut().rev().find(|pair| pair.rdb.is_none() && pair.fits(ends, port, transfer, client_id));
        if let Some(pair) = found {
            pair.rdb = Some(rdb);
            return pair.main;
        }
        self.remember(Pair { ends, port, transfer, client_id, main: None, rdb: Some(rdb), database: None, base: None });
        None
    }

    fn remember(&mut self, pair: Pair) {
        if self.pairs.len() == MAX_PAIRS {
            self.pairs.pop_front();
        }
        self.pairs.push_back(pair);
    }

    /// The RDB's connection has told where the stream of the main one begins.
    pub(super) fn announce(&mut self, rdb: LinkNumber, replid: Replid, base: Offset, database: Option<u32>) {
        let Some(pair) = self.pairs.iter_mut().find(|pair| pair.rdb == Some(rdb)) else { return };
        pair.database = database;
        pair.base = Some((replid, base));
        if let Some(main) = pair.main {
            self.announcements.push(Announcement { main, replid, base });
        }
    }

    /// The database in which the stream of this main connection begins.
    pub(super) fn database_of_pair(&self, main: LinkNumber) -> Option<u32> {
        self.pairs.iter().rev().find(|pair| pair.main == Some(main))?.database
    }

    /// A full sync is granted. Gives words where it is one more of a loop.
    pub(super) fn full_sync(&mut self, ends: Ends, port: Option<u16>, stamp: Stamp) -> Option<String> {
        make_room(&mut self.syncs);
        let syncs = self.syncs.entry((ends.0.address, port, ends.1)).or_default();
        syncs.granted += 1;
        syncs.since = stamp;
        if syncs.failed < LOOP_SYNCS {
            return None;
        }
        let span = stamp.since(syncs.first_failed);
        Some(format!(
            "full sync after full sync: this is number {} of this replica{}, and the {} before it came to nothing; the last one {}",
            syncs.granted,
            span.map_or_else(String::new, |span| format!(" in {:.1} s", span.seconds())),
            syncs.failed,
            syncs.last_end,
        ))
    }

    /// A link is over. Gives words where it makes a storm.
    pub(super) fn ended(&mut self, outcome: Outcome) -> Option<String> {
        if outcome.rdb_channel {
            return None;
        }
        self.account_sync(&outcome);
        self.account_attempt(outcome)
    }

    fn account_sync(&mut self, outcome: &Outcome) {
        let (replica, master) = outcome.ends;
        let Some(syncs) = self.syncs.get_mut(&(replica.address, outcome.port, master)) else { return };
        if outcome.connected {
            syncs.failed = 0;
        } else if outcome.synced && outcome.closed {
            if syncs.failed == 0 {
                syncs.first_failed = syncs.since;
            }
            syncs.failed += 1;
            syncs.last_end = match &outcome.error {
                Some(error) => format!("ended with {error}"),
                None if outcome.reset => "ended with a reset".to_owned(),
                None => "was closed before the replica followed the stream".to_owned(),
            };
        }
    }

    fn account_attempt(&mut self, outcome: Outcome) -> Option<String> {
        if !outcome.closed || (outcome.synced && outcome.connected) {
            return None;
        }
        let (replica, master) = outcome.ends;
        make_room(&mut self.attempts);
        let attempts = self.attempts.entry((replica.address, master)).or_default();
        let now = outcome.stamp;
        if now.since(attempts.burst_began).is_none_or(|span| span.nanos > STORM_NANOS) && !attempts.storm
            || now.since(attempts.last).is_none_or(|span| span.nanos > STORM_NANOS)
        {
            attempts.burst = 0;
            attempts.burst_began = now;
        }
        if attempts.total == 0 {
            attempts.first = now;
        }
        attempts.last = now;
        attempts.burst += 1;
        attempts.total += 1;
        attempts.last_link = outcome.number;
        let ending = match outcome.error {
            Some(error) => error,
            None if outcome.reset => "a reset".to_owned(),
            None if outcome.synced => "a sync that led to no stream".to_owned(),
            None => "no reply".to_owned(),
        };
        if let Some((_, count)) = attempts.endings.iter_mut().find(|(known, _)| *known == ending) {
            *count += 1;
        } else if attempts.endings.len() < MAX_ENDINGS {
            attempts.endings.push((ending, 1));
        }
        if attempts.burst < STORM_ATTEMPTS || attempts.storm {
            return None;
        }
        attempts.storm = true;
        Some(attempts.describe(replica, master))
    }

    /// The storms of the whole capture, in words, with their totals.
    pub(super) fn storms(&self) -> Vec<String> {
        let mut storms: Vec<_> = self.attempts.iter().filter(|(_, attempts)| attempts.storm).collect();
        storms.sort_by_key(|(_, attempts)| attempts.last_link);
        storms
            .into_iter()
            .map(|(&(address, master), attempts)| attempts.describe(Endpoint { address, port: 0 }, master))
            .collect()
    }

    /// A stream was left in this database at this offset.
    pub(super) fn remember_database(&mut self, replid: Replid, offset: Offset, database: u32) {
        if self.databases.len() == MAX_DATABASES_REMEMBERED {
            self.databases.pop_front();
        }
        self.databases.push_back((replid, offset, database));
    }

    /// The database in which a stream goes on that was left at this offset.
    pub(super) fn database_at(&self, replid: Replid, offset: Offset) -> Option<u32> {
        let found = self.databases.iter().rev().find(|(id, at, _)| id.matches(&replid) && *at == offset)?;
        Some(found.2)
    }
}

impl Attempts {
    fn describe(&self, replica: Endpoint, master: Endpoint) -> String {
        let span = self.last.since(self.first);
        let mut endings: Vec<&(String, u32)> = self.endings.iter().collect();
        endings.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        let (ending, count) = endings.first().map_or(("", 0), |(ending, count)| (ending.as_str(), *count));
        format!(
            "{} connections from {} to {master}{} that came to nothing; {count} of them ended with {ending}",
            self.total,
            replica.host(),
            span.map_or_else(String::new, |span| format!(" in {:.3} s", span.seconds())),
        )
    }
}

/// Forgets one entry where the map has reached its bound.
fn make_room<K: Copy + Eq + std::hash::Hash, V>(map: &mut HashMap<K, V, foldhash::fast::RandomState>) {
    if map.len() >= MAX_PEERS
        && let Some(&key) = map.keys().next()
    {
        map.remove(&key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::{FrameNumber, Timestamp};

    #[test]
    fn syncs_that_came_to_nothing_do_not_end_with_no_reply() {
        let ends = [40000, 6379].map(|port| Endpoint { address: 1, port });
        let outcome = || Outcome {
            ends: (ends[0], ends[1]),
            port: None,
            number: LinkNumber::default(),
            stamp: Stamp { frame: FrameNumber(1), time: Some(Timestamp { nanos: 1, digits: 6 }) },
            synced: true,
            connected: false,
            rdb_channel: false,
            closed: true,
            reset: false,
            error: None,
        };
        let mut shared = Shared::default();
        let words = (0..STORM_ATTEMPTS).find_map(|_| shared.ended(outcome())).expect("a storm");
        assert!(words.ends_with("10 of them ended with a sync that led to no stream"), "{words}");
    }
}
