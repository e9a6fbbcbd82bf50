//! Which RDB version a replica is sent: the newest that it reads, and no newer than it takes where nobody knows.
//!
//! | who asks | how it is known | reads |
//! |---|---|---|
//! | Valkey 9.0 and later | `REPLCONF version` | VALKEY080, and REDIS up to 11 |
//! | Valkey 7.2 to 8.1 | `REPLCONF version` (from 8.0) | REDIS0011 |
//! | Redis 8.0 and later | `capa rdb-channel-repl` | REDIS0012 |
//! | Redis 4.0 to 7.4 | `capa psync2` | at least REDIS0008; a 4.0 no more |
//! | Redis 2.8 and 3.2 | neither | at least REDIS0006; a 2.8 no more |
//! | redis-cli and other tools | `rdb-only`, `rdb-filter-only` | what is written to a file; they look for aux fields (7) |
//!
//! A replica that does not say what it is gets the oldest version that the data allows and that all its kind read. Real
//! masters fail where they need not: a 7.0 cannot feed a 6.2, nor a Valkey 9.1 (which then writes REDIS0011) a 7.0
//! (seen in captures: "Can't handle RDB format version", full sync after full sync for ever).
//!
//! Where something would be left out in that version (streams' counters, before 10), it is taken for a server like
//! this one until it has let go of a full sync: most are, and the others come again.

use crate::rdb::{Format, Header};

/// What is known of a replica's taste.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Reader {
    /// From `REPLCONF version`, which only Valkey's replicas send.
    pub version: Option<(u8, u8, u8)>,
    /// `capa psync2`.
    pub psync2: bool,
    /// `capa rdb-channel-repl`.
    pub rdb_channel_repl: bool,
    /// `rdb-only 1` or a filter without a version: a tool that stores the RDB.
    pub tool: bool,
    /// The newest `REDIS…` version that it may be taken to read if it is like this server; 0 where it is known not to be.
    pub likely: u16,
}

/// The oldest version of each format that can hold the data; `None` where none can.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DataNeeds {
    /// Of `REDIS…`.
    pub redis: Option<u16>,
    /// The oldest of `REDIS…` in which nothing at all is left out.
    pub redis_lossless: Option<u16>,
    /// Of `VALKEY…`.
    pub valkey: Option<u16>,
}

/// The choice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RdbTarget {
    /// What to write.
    pub header: Header,
    /// False where the replica is known not to read it, the data allowing nothing older: the sync will fail at its end.
    pub readable: bool,
}

impl Reader {
    /// The `REDIS…` versions from what it surely reads to what it may read.
    fn redis(&self) -> (u16, u16) {
        match self.version {
            Some(_) => (11, 11),
            None if self.rdb_channel_repl => (12, u16::MAX),
            None if self.tool => (9, u16::MAX),
            None if self.psync2 => (8, u16::MAX),
            None => (6, u16::MAX),
        }
    }

    /// The newest `VALKEY…` version that it reads.
    fn valkey(&self) -> Option<u16> {
        match self.version {
            Some((major, minor, _)) if (major, minor) >= (9, 2) => Some(81),
            Some((9.., ..)) => Some(80),
            _ => None,
        }
    }

    /// Whether a server of this kind reads the newest format of Valkey 9. To others Valkey 9 sends an RDB without a
    /// file
    /// in between, whatever `repl-diskless-sync` says.
    #[must_use]
    pub fn reads_valkey(&self) -> bool {
        self.valkey().is_some()
    }
}

/// Chooses; see the module.
#[must_use]
pub fn rdb_target(reader: &Reader, needs: DataNeeds) -> RdbTarget {
    let valkey = |version| Header { format: Format::Valkey, version };
    let redis = |version| Header { format: Format::Redis, version };
    if let (Some(newest), Some(needed)) = (reader.valkey(), needs.valkey)
        && needed <= newest
    {
        return RdbTarget { header: valkey(newest), readable: true };
    }
    let (sure, newest) = reader.redis();
    match (needs.redis, needs.valkey) {
        (Some(needed), _) => {
            let spares = needs.redis_lossless.map_or(0, |lossless| lossless.min(reader.likely));
            RdbTarget { header: redis(needed.max(sure).max(spares)), readable: needed <= newest }
        }
        (None, needed) => RdbTarget { header: valkey(needed.unwrap_or(80)), readable: false },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: DataNeeds = DataNeeds { redis: Some(6), redis_lossless: Some(6), valkey: Some(80) };
    const STREAMS: DataNeeds = DataNeeds { redis: Some(9), redis_lossless: Some(10), valkey: Some(80) };
    const FIELD_EXPIRY: DataNeeds = DataNeeds { redis: Some(12), redis_lossless: Some(12), valkey: Some(80) };
    const SLOT_IMPORT: DataNeeds = DataNeeds { redis: None, redis_lossless: None, valkey: Some(80) };

    #[track_caller]
    fn target(reader: Reader, needs: DataNeeds, header: &str, readable: bool) {
        let target = rdb_target(&reader, needs);
        assert_eq!((target.header.to_string().as_str(), target.readable), (header, readable));
    }

    #[test]
    fn valkey_says_what_it_is() {
        let of = |version| Reader { version: Some(version), psync2: true, ..Reader::default() };
        target(of((9, 1, 2)), PLAIN, "VALKEY080", true);
        target(of((9, 1, 2)), FIELD_EXPIRY, "VALKEY080", true);
        target(of((9, 2, 0)), PLAIN, "VALKEY081", true);
        target(of((9, 1, 2)), DataNeeds { valkey: None, ..STREAMS }, "REDIS0011", true);
        target(of((8, 1, 8)), PLAIN, "REDIS0011", true);
        target(of((8, 1, 8)), FIELD_EXPIRY, "REDIS0012", false);
    }

    #[test]
    fn others_get_the_oldest_that_the_data_allows() {
        let modern = Reader { psync2: true, ..Reader::default() };
        target(modern, PLAIN, "REDIS0008", true);
        target(modern, STREAMS, "REDIS0009", true);
        target(modern, FIELD_EXPIRY, "REDIS0012", true);
        target(modern, SLOT_IMPORT, "VALKEY080", false);
        target(Reader { likely: 9, ..modern }, STREAMS, "REDIS0009", true);
        target(Reader { likely: 12, ..modern }, STREAMS, "REDIS0010", true);
        target(Reader { likely: 12, ..modern }, PLAIN, "REDIS0008", true);
        target(Reader::default(), PLAIN, "REDIS0006", true);
        target(Reader { rdb_channel_repl: true, ..modern }, PLAIN, "REDIS0012", true);
        target(Reader { tool: true, ..Reader::default() }, PLAIN, "REDIS0009", true);
    }
}
