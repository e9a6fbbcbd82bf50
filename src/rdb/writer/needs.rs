//! Which version of the format a content needs.

use std::fmt;

use crate::rdb::grammar::{Format, Header};

/// The oldest version that [`Needs::lowest`] gives: that of Redis 2.6 to 3.0, the first with a checksum and with
/// everything that strings, lists, sets, sorted sets and hashes need. What is older has no user.
const OLDEST: u16 = 6;

/// Something that not every version can hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Need {
    /// An expiry beyond what 32 bits of seconds tell, 2038.
    LateExpiry,
    /// A string or collection of 2^32 bytes or elements, or more.
    LongLength,
    /// A module's value.
    Modules,
    /// What a module says beside the keys.
    ModuleAux,
    /// A stream.
    Streams,
    /// A function library.
    Functions,
    /// A hash's field that expires.
    FieldExpiry,
    /// Values that modules attach to keys (Redis 8.6).
    Metadata,
    /// A rate limit.
    RateLimit,
    /// A pending stream entry that no consumer has (Redis 8.8).
    Unowned,
    /// A sparse array (Redis 8.8).
    Array,
    /// A slot that is being imported (Valkey 9).
    SlotImport,
    /// A command between the keys (Valkey 9.2).
    Update,
    // From here on what is left out where it cannot be held.
    /// Facts about the dump: AUX fields.
    Aux,
    /// An expiry that is no whole second.
    Milliseconds,
    /// Idle times and frequencies.
    Access,
    /// A stream's first and greatest deleted id and number of entries ever added; how far a group has read.
    StreamCounters,
    /// When a stream's consumer was last given an entry.
    ConsumerActivity,
    /// How many keys each slot has.
    SlotInfo,
    /// The numbers of keys of a database.
    TableSizes,
    /// What makes XADD idempotent (Redis 8.6).
    Producers,
}

impl Need {
    const ALL: [Self; 21] = [
        Self::LateExpiry,
        Self::LongLength,
        Self::Modules,
        Self::ModuleAux,
        Self::Streams,
        Self::Functions,
        Self::FieldExpiry,
        Self::Metadata,
        Self::RateLimit,
        Self::Unowned,
        Self::Array,
        Self::SlotImport,
        Self::Update,
        Self::Aux,
        Self::Milliseconds,
        Self::Access,
        Self::StreamCounters,
        Self::ConsumerActivity,
        Self::SlotInfo,
        Self::TableSizes,
        Self::Producers,
    ];

    /// The first version of the dialect that holds it; `None` where none does.
    #[must_use]
    pub fn since(self, format: Format) -> Option<u16> {
        let (redis, valkey) = match self {
            Self::LateExpiry | Self::Milliseconds => (Some(3), Some(80)),
            Self::Aux | Self::TableSizes => (Some(7), Some(80)),
            Self::LongLength => (Some(8), Some(80)),
            // The first servers with modules wrote MODULE_PRE_GA; MODULE_2 came with the same version.
            Self::Modules => (Some(8), Some(80)),
            Self::Streams | Self::ModuleAux | Self::Access => (Some(9), Some(80)),
            Self::Functions | Self::StreamCounters => (Some(10), Some(80)),
            Self::ConsumerActivity | Self::SlotInfo => (Some(11), Some(80)),
            Self::FieldExpiry => (Some(12), Some(80)),
            Self::Producers | Self::Metadata | Self::RateLimit => (Some(13), None),
            Self::Unowned | Self::Array => (Some(14), None),
            Self::SlotImport => (None, Some(80)),
            Self::Update => (None, Some(81)),
        };
        match format {
            Format::Redis => redis,
            Format::Valkey => valkey,
        }
    }

    /// Whether a version that cannot hold it is refused. Else it is left out: no key's value is another without it.
    #[must_use]
    pub fn is_hard(self) -> bool {
        (self as u8) < Self::Aux as u8
    }

    /// What it is, in an error's words.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::LateExpiry => "an expiry after 2038",
            Self::LongLength => "4 GiB or 2^32 elements, or more",
            Self::Modules => "a module's value",
            Self::ModuleAux => "what a module says beside the keys",
            Self::Streams => "a stream",
            Self::Functions => "a function library",
            Self::FieldExpiry => "hash fields that expire",
            Self::Producers => "a stream's idempotent producers",
            Self::Metadata => "modules' metadata of a key",
            Self::RateLimit => "a rate limit",
            Self::Unowned => "a stream's pending entries without a consumer",
            Self::Array => "an array",
            Self::SlotImport => "a slot's import",
            Self::Update => "an update between the keys",
            Self::Aux => "AUX fields",
            Self::Milliseconds => "milliseconds of expiries",
            Self::Access => "idle times and frequencies",
            Self::StreamCounters => "streams' counters beyond length and last id, groups' numbers of entries read",
            Self::ConsumerActivity => "the times when consumers were active",
            Self::SlotInfo => "slots' numbers of keys",
            Self::TableSizes => "databases' numbers of keys",
        }
    }

    /// Whether this version holds it.
    #[must_use]
    pub fn is_held_by(self, header: Header) -> bool {
        self.since(header.format).is_some_and(|since| since <= header.version)
    }
}

impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.words())
    }
}

/// All that a content needs, added up as it comes.
///
/// ```
/// use repltool::rdb::{Format, Header, Need, Needs};
/// let mut needs = Needs::default();
/// needs.add(Need::Streams);
/// assert_eq!(needs.lowest(Format::Redis), Ok(Header { format: Format::Redis, version: 9 }));
/// needs.add(Need::FieldExpiry);
/// assert_eq!(needs.lowest(Format::Valkey), Ok(Header { format: Format::Valkey, version: 80 }));
/// assert_eq!(needs.missing(Header { format: Format::Redis, version: 11 }).next(), Some(Need::FieldExpiry));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Needs(u32);

impl Needs {
    /// One more.
    #[inline]
    pub fn add(&mut self, need: Need) {
        self.0 |= 1 << need as u8;
    }

    /// All of another content as well.
    pub fn merge(&mut self, other: Self) {
        self.0 |= other.0;
    }

    /// Whether it is among them.
    #[must_use]
    pub fn contains(self, need: Need) -> bool {
        self.0 & (1 << need as u8) != 0
    }

    /// Whether nothing is needed.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// One by one.
    pub fn iter(self) -> impl Iterator<Item = Need> {
        Need::ALL.into_iter().filter(move |need| self.contains(*need))
    }

    /// Those that this version cannot hold.
    pub fn missing(self, header: Header) -> impl Iterator<Item = Need> {
        self.iter().filter(move |need| !need.is_held_by(header))
    }

    /// The lowest version of the dialect, at least 6, that holds every key; what [`Need::is_hard`] is not said of may be
    /// left out.
    ///
    /// # Errors
    /// What no version of the dialect holds.
    pub fn lowest(self, format: Format) -> Result<Header, Need> {
        self.least(format, Need::is_hard)
    }

    /// The lowest version of the dialect, at least 6, that holds everything.
    ///
    /// # Errors
    /// What no version of the dialect holds, and must not be left out.
    pub fn lossless(self, format: Format) -> Result<Header, Need> {
        self.least(format, |_| true)
    }

    fn least(self, format: Format, counts: impl Fn(Need) -> bool) -> Result<Header, Need> {
        let mut version = match format {
            Format::Redis => OLDEST,
            Format::Valkey => 80,
        };
        for need in self.iter().filter(|need| counts(*need)) {
            match need.since(format) {
                Some(since) => version = version.max(since),
                None if need.is_hard() => return Err(need),
                None => {}
            }
        }
        Ok(Header { format, version })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_are_listed_in_order() {
        for (place, need) in Need::ALL.into_iter().enumerate() {
            assert_eq!(need as usize, place);
        }
    }

    #[test]
    fn what_may_be_left_out_does_not_raise_the_lowest() {
        let mut needs = Needs::default();
        assert_eq!(needs.lowest(Format::Redis).unwrap().version, 6);
        needs.add(Need::Streams);
        needs.add(Need::ConsumerActivity);
        assert_eq!(needs.lowest(Format::Redis).unwrap().version, 9);
        assert_eq!(needs.lossless(Format::Redis).unwrap().version, 11);
        needs.add(Need::SlotImport);
        assert_eq!(needs.lowest(Format::Redis), Err(Need::SlotImport));
        needs.add(Need::Array);
        assert_eq!(needs.lowest(Format::Valkey), Err(Need::Array));
    }
}
