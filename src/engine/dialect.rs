//! Which server the engine is like: what it says its version is, how it rewrites commands for the stream, how it sums
//! its keys up in DEBUG DIGEST.

use std::fmt;
use std::str::FromStr;

use crate::rdb::{Format, Header};

/// Which of the two families.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// Redis.
    Redis,
    /// Valkey, whose versions begin where Redis 7.2 ends.
    Valkey,
}

/// A server and its version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Dialect {
    /// The family.
    pub family: Family,
    /// Major, minor and patch.
    pub version: (u8, u8, u8),
}

impl Dialect {
    /// Redis 7.0, in Debian 12: what the engine is like unless told otherwise.
    pub const DEFAULT: Self = Self { family: Family::Redis, version: (7, 0, 15) };

    /// The versions that are known byte for byte, by the names that `--compat` takes.
    const KNOWN: &[(&str, Self)] = &[
        ("redis-2.8", Self::redis(2, 8, 24)),
        ("redis-3.2", Self::redis(3, 2, 13)),
        ("redis-4.0", Self::redis(4, 0, 14)),
        ("redis-5.0", Self::redis(5, 0, 14)),
        ("redis-6.0", Self::redis(6, 0, 20)),
        ("redis-6.2", Self::redis(6, 2, 14)),
        ("redis-7.0", Self::redis(7, 0, 15)),
        ("redis-7.2", Self::redis(7, 2, 6)),
        ("redis-7.4", Self::redis(7, 4, 1)),
        ("redis-8.2", Self::redis(8, 2, 3)),
        ("valkey-8.1", Self::valkey(8, 1, 8)),
        ("valkey-9.1", Self::valkey(9, 1, 2)),
    ];

    const fn redis(major: u8, minor: u8, patch: u8) -> Self {
        Self { family: Family::Redis, version: (major, minor, patch) }
    }

    const fn valkey(major: u8, minor: u8, patch: u8) -> Self {
        Self { family: Family::Valkey, version: (major, minor, patch) }
    }

    /// The names that can be asked for.
    pub fn names() -> impl Iterator<Item = &'static str> {
        Self::KNOWN.iter().map(|(name, _)| *name)
    }

    /// Whether it is Redis of this version or a later one. Valkey is not.
    #[must_use]
    pub fn is_redis_since(self, major: u8, minor: u8) -> bool {
        self.family == Family::Redis && (self.version.0, self.version.1) >= (major, minor)
    }

    /// Whether it is Valkey of this version or a later one.
    #[must_use]
    pub fn is_valkey_since(self, major: u8, minor: u8) -> bool {
        self.family == Family::Valkey && (self.version.0, self.version.1) >= (major, minor)
    }

    /// Whether it has what Redis had at this version, 7.2 at the latest: so has all of Valkey.
    #[must_use]
    pub fn since(self, major: u8, minor: u8) -> bool {
        self.family == Family::Valkey || self.is_redis_since(major, minor)
    }

    /// Whether fields of hashes can expire: Redis 7.4, Valkey 9.0.
    #[must_use]
    pub fn has_field_expiry(self) -> bool {
        self.is_redis_since(7, 4) || self.is_valkey_since(9, 0)
    }

    /// The RDB version in which it writes what DUMP gives.
    #[must_use]
    pub fn dump_header(self) -> Header {
        let redis = |version| Header { format: Format::Redis, version };
        match self.version {
            _ if self.is_valkey_since(9, 0) => Header { format: Format::Valkey, version: 80 },
            _ if self.family == Family::Valkey => redis(11),
            (7, 4.., _) | (8.., ..) => redis(12),
            (7, 2.., _) => redis(11),
            (7, ..) => redis(10),
            (5.., ..) => redis(9),
            (4, ..) => redis(8),
            (3, 2.., _) => redis(7),
            _ => redis(6),
        }
    }

    /// Whether it takes such a payload from a client: none newer than its own, and of Redis none that is newer than
    /// where the families parted.
    #[must_use]
    pub fn reads_dump(self, header: Header) -> bool {
        let own = self.dump_header();
        match (own.format, header.format) {
            (Format::Valkey, Format::Redis) => header.version <= 11,
            (Format::Redis, Format::Valkey) => false,
            _ => header.version <= own.version,
        }
    }

    /// The directive that says whether syncs may use two connections.
    #[must_use]
    pub fn two_channel_directive(self) -> &'static str {
        match self.family {
            Family::Redis => "repl-rdb-channel",
            Family::Valkey => "dual-channel-replication-enabled",
        }
    }

    /// The version as HELLO, INFO and AUX fields tell it. Valkey tells the Redis version that it is compatible with
    /// under Redis's name.
    #[must_use]
    pub fn redis_version(self) -> String {
        match self.family {
            Family::Redis => self.own_version(),
            Family::Valkey => "7.2.4".to_owned(),
        }
    }

    /// The family's own version.
    #[must_use]
    pub fn own_version(self) -> String {
        let (major, minor, patch) = self.version;
        format!("{major}.{minor}.{patch}")
    }
}

impl FromStr for Dialect {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let lower = text.to_ascii_lowercase();
        Self::KNOWN
            .iter()
            .find(|(name, _)| *name == lower || name.strip_prefix("redis-") == Some(&lower))
            .map(|(_, dialect)| *dialect)
            .ok_or_else(|| format!("one of {}", Self::names().collect::<Vec<_>>().join(", ")))
    }
}

impl fmt::Display for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let family = match self.family {
            Family::Redis => "redis",
            Family::Valkey => "valkey",
        };
        write!(f, "{family}-{}.{}", self.version.0, self.version.1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_and_written() {
        for name in Dialect::names() {
            assert_eq!(name.parse::<Dialect>().unwrap().to_string(), name);
        }
        assert_eq!("7.0".parse::<Dialect>().unwrap(), Dialect::DEFAULT);
        assert!("redis-1.0".parse::<Dialect>().is_err());
    }

    #[test]
    fn valkey_has_what_redis_had() {
        let valkey: Dialect = "valkey-8.1".parse().unwrap();
        assert!(valkey.since(7, 2) && !valkey.is_redis_since(7, 2) && !valkey.has_field_expiry());
    }
}
