//! The format as data: which records exist in which dialect, and the steps that each is made of.
//!
//! Bytes 22, 23, 242 and 243 mean different things to Redis and Valkey, so that a record is chosen by (magic,
//! version, byte). Types 0 to 21 and the opcodes from 244 on mean one thing everywhere and are taken in any version, as
//! servers take them. From 22 to 243 the version counts, because there a wrong guess is misread and not merely refused.
//!
//! Confirmed by bytes of real servers: Redis 9 to 12 and Valkey 80; for older versions by dumps in public projects'
//! tests. The layouts of Redis 13 to 15 (KEY_META, HASH_TEMPLATE, types 26 to 33) and of Valkey 81 (UPDATE) come from
//! public descriptions only, no server was at hand.

use super::error::Fault;
use std::fmt;

/// Whose magic an RDB begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// `REDIS` and four digits: Redis, and Valkey up to 8.
    Redis,
    /// `VALKEY` and three digits: Valkey from 9.0 on.
    Valkey,
}

/// An RDB's first nine bytes: the dialect of all that follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// The magic.
    pub format: Format,
    /// The version: 1 to 15 for Redis, 80 to 81 for Valkey.
    pub version: u16,
}

impl fmt::Display for Header {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.format {
            Format::Redis => write!(f, "REDIS{:04}", self.version),
            Format::Valkey => write!(f, "VALKEY{:03}", self.version),
        }
    }
}

impl Header {
    /// Reads the nine bytes.
    ///
    /// # Errors
    /// [`Fault::NotAnRdb`], [`Fault::Envelope`], or [`Fault::Version`] outside what can be read.
    pub(super) fn parse(bytes: [u8; 9]) -> Result<Self, Fault> {
        let (format, digits) = match &bytes {
            [b'R', b'E', b'D', b'I', b'S', digits @ ..] => (Format::Redis, &digits[..]),
            [b'V', b'A', b'L', b'K', b'E', b'Y', digits @ ..] => (Format::Valkey, &digits[..]),
            [b'V', b'K', b'C', b'S', ..] => return Err(Fault::Envelope),
            _ => return Err(Fault::NotAnRdb(bytes)),
        };
        if !digits.iter().all(u8::is_ascii_digit) {
            return Err(Fault::NotAnRdb(bytes));
        }
        let version = digits.iter().fold(0, |version, digit| version * 10 + u16::from(digit - b'0'));
        let header = Self { format, version };
        match (format, version) {
            (Format::Redis, 1..=15) | (Format::Valkey, 80..=81) => Ok(header),
            _ => Err(Fault::Version(header)),
        }
    }

    /// Whether a checksum follows the EOF opcode: since version 5.
    pub(super) fn has_checksum(self) -> bool {
        self.version >= 5
    }
}

/// What a string, number or fixed field is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[rustfmt::skip]
pub(super) enum Role {
    AuxKey, AuxValue, Database, TableKeys, TableExpires, ExpirySeconds, ExpiryMilliseconds, Frequency, IdleSeconds,
    Function, Slot, SlotKeys, SlotExpires, SlotImportJob, SlotRanges, SlotFirst, SlotLast,
    MetaClasses, MetaClass, TemplateId, TemplateFields, TemplateField, UpdateArguments, UpdateArgument,
    Key, Value, Elements, Element, Members, Member, Score, Fields, Field, FieldValue, FieldExpiry, LeastExpiry,
    /// A whole collection in one packed string: zipmap, ziplist, intset or listpack, by the record's type.
    Packed,
    /// A quicklist's nodes; a node's container (1 the string is the element, 2 it is a listpack); a node.
    Nodes, Container, Node,
    StreamNodes, StreamNodeId, StreamNode, StreamLength, StreamLastId, StreamFirstId, StreamDeletedId, StreamAdded,
    Groups, GroupName, GroupLastId, GroupRead, Pending, PendingId, DeliveredAt, Deliveries,
    Consumers, ConsumerName, SeenAt, ActiveAt, Owned, OwnedId, Unowned, UnownedId,
    Dedup, Producers, Producer, ProducerItems, ProducerItem, ProducerItemId, DedupAdded, DedupRepeated,
    Slots, InsertIndexes, InsertIndex, Index, Tag, CellInteger, CellDouble, Cell,
    Rate,
    ModuleId, ModuleWhenOpcode, ModuleWhen, ModuleOpcode, ModuleSigned, ModuleUnsigned,
    ModuleFloat, ModuleDouble, ModuleString,
}

impl Role {
    /// What a bounded number is, in an error's words.
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::Database => "a database number",
            Self::Container => "a quicklist container",
            Self::InsertIndexes => "an insert index flag",
            Self::Tag => "an array tag",
            Self::ModuleWhenOpcode | Self::ModuleOpcode => "a module opcode",
            _ => "a number",
        }
    }
}

/// One step of a record. Every step but [`Op::RepeatRemembered`] takes at least one byte, so that a list of steps
/// repeated any number of times ends with the bytes.
#[derive(Clone, Copy, Debug)]
pub(super) enum Op {
    /// A string.
    String(Role),
    /// A string of exactly so many bytes.
    StringOf(Role, u64),
    /// A number in the length encoding, any 64 bits.
    Number(Role),
    /// The same, from the second to the third.
    Bounded(Role, u64, u64),
    /// So many bytes as they stand.
    Raw(Role, u8),
    /// A double of version 1: a byte for the text's length and the text, or 253 nan, 254 +inf, 255 -inf.
    TextDouble(Role),
    /// A count, and so often these steps.
    Repeat(Role, &'static [Op]),
    /// A number that chooses one of these lists of steps.
    Choice(Role, &'static [&'static [Op]]),
    /// A count that a later step of the same record needs; any steps may stand between.
    Remember(Role),
    /// The remembered count's times these steps.
    RepeatRemembered(&'static [Op]),
    /// Module opcodes (lengths), each with its payload, until opcode 0.
    ModuleOpcodes,
    /// The number of a hash template that is defined here.
    TemplateId,
    /// Its fields' count, and so often these steps.
    TemplateFields(&'static [Op]),
    /// The number of a template defined before, then so often as it has fields these steps.
    TemplateValues(&'static [Op]),
    /// `*<count>\r\n`, and so often these steps.
    RespArray(&'static [Op]),
    /// `$<length>\r\n` and so many bytes; the line end behind them is a step of its own.
    RespBulk(Role),
    /// `\r\n`.
    LineEnd,
}

/// What the end of a record means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// A value type: the key comes first, then the steps.
    Key,
    /// An opcode.
    Opcode,
    /// The opcode after which nothing comes but the checksum.
    End,
}

/// One kind of record.
#[derive(Clone, Copy, Debug)]
pub(super) struct Record {
    /// The leading byte.
    pub(super) byte: u8,
    /// The name in the servers' sources, without their prefixes.
    pub(super) name: &'static str,
    pub(super) class: Class,
    /// The steps after the leading byte (and the key).
    pub(super) steps: &'static [Op],
}

/// The steps before a value's.
pub(super) const KEY: &[Op] = &[Op::String(Role::Key)];

/// The record that most dumps mostly consist of; the machine has a fast lane for it.
pub(super) const STRING: Record =
    Record { byte: 0, name: "STRING", class: Class::Key, steps: &[Op::String(Role::Value)] };

/// The opcode whose end is the RDB's.
pub(super) const EOF: u8 = 0xff;
/// A FUNCTION2 record: one function library.
pub(super) const FUNCTION: u8 = 0xf5;
/// A SELECTDB record.
pub(super) const SELECT: u8 = 0xfe;
/// An AUX record.
pub(super) const AUX: u8 = 0xfa;

impl Record {
    /// The record that `byte` leads in this dialect.
    ///
    /// # Errors
    /// [`Fault::UnknownRecord`], or [`Fault::UnreadableRecord`] where a name but no sure layout is known.
    pub(super) fn lookup(header: Header, byte: u8) -> Result<Self, Fault> {
        match byte {
            0..=21 => settled_type(header, byte),
            22..=243 => disputed(header, byte),
            244..=255 => settled_opcode(byte),
        }
    }
}

const fn key(byte: u8, name: &'static str, steps: &'static [Op]) -> Record {
    Record { byte, name, class: Class::Key, steps }
}

const fn opcode(byte: u8, name: &'static str, steps: &'static [Op]) -> Record {
    Record { byte, name, class: Class::Opcode, steps }
}

/// Types that mean the same in all dialects, whatever the version.
fn settled_type(header: Header, byte: u8) -> Result<Record, Fault> {
    use Op::{ModuleOpcodes, Number, Raw, Repeat, String, TextDouble};
    use Role::{Element, Elements, Field, FieldValue, Fields, Member, Members, ModuleId, Node, Nodes, Packed, Score};
    Ok(match byte {
        0 => STRING,
        1 => key(1, "LIST", &[Repeat(Elements, &[String(Element)])]),
        2 => key(2, "SET", &[Repeat(Members, &[String(Member)])]),
        3 => key(3, "ZSET", &[Repeat(Members, &[String(Member), TextDouble(Score)])]),
        4 => key(4, "HASH", &[Repeat(Fields, &[String(Field), String(FieldValue)])]),
        5 => key(5, "ZSET_2", &[Repeat(Members, &[String(Member), Raw(Score, 8)])]),
        6 => return Err(unreadable(6, "MODULE_PRE_GA", "only the module itself can tell where its value ends")),
        7 => key(7, "MODULE_2", &[Number(ModuleId), ModuleOpcodes]),
        9 => key(9, "HASH_ZIPMAP", &[String(Packed)]),
        10 => key(10, "LIST_ZIPLIST", &[String(Packed)]),
        11 => key(11, "SET_INTSET", &[String(Packed)]),
        12 => key(12, "ZSET_ZIPLIST", &[String(Packed)]),
        13 => key(13, "HASH_ZIPLIST", &[String(Packed)]),
        14 => key(14, "LIST_QUICKLIST", &[Repeat(Nodes, &[String(Node)])]),
        15 => key(15, "STREAM_LISTPACKS", STREAM_1),
        16 => key(16, "HASH_LISTPACK", &[String(Packed)]),
        17 => key(17, "ZSET_LISTPACK", &[String(Packed)]),
        18 => key(18, "LIST_QUICKLIST_2", &[Repeat(Nodes, &[Op::Bounded(Role::Container, 1, 2), String(Node)])]),
        19 => key(19, "STREAM_LISTPACKS_2", STREAM_2),
        20 => key(20, "SET_LISTPACK", &[String(Packed)]),
        21 => key(21, "STREAM_LISTPACKS_3", STREAM_3),
        _ => return Err(Fault::UnknownRecord(byte, header)),
    })
}

/// Opcodes that mean the same in all dialects, whatever the version.
fn settled_opcode(byte: u8) -> Result<Record, Fault> {
    use Op::{Bounded, ModuleOpcodes, Number, Raw, String};
    use Role::{
        AuxKey, AuxValue, Database, ExpiryMilliseconds, ExpirySeconds, Frequency, IdleSeconds, TableExpires, TableKeys,
    };
    Ok(match byte {
        // Valkey writes its slots as AUX but reads this one (and ignores it).
        0xf4 => opcode(0xf4, "SLOT_INFO", &[Number(Role::Slot), Number(Role::SlotKeys), Number(Role::SlotExpires)]),
        FUNCTION => opcode(FUNCTION, "FUNCTION2", &[String(Role::Function)]),
        0xf6 => {
            return Err(unreadable(
                0xf6,
                "FUNCTION_PRE_GA",
                "only release candidates of 7.0 wrote it, servers refuse it",
            ));
        }
        // The opcode before "when" must be that of an unsigned number.
        0xf7 => opcode(
            0xf7,
            "MODULE_AUX",
            &[Number(Role::ModuleId), Bounded(Role::ModuleWhenOpcode, 2, 2), Number(Role::ModuleWhen), ModuleOpcodes],
        ),
        0xf8 => opcode(0xf8, "IDLE", &[Number(IdleSeconds)]),
        0xf9 => opcode(0xf9, "FREQ", &[Raw(Frequency, 1)]),
        AUX => opcode(AUX, "AUX", &[String(AuxKey), String(AuxValue)]),
        0xfb => opcode(0xfb, "RESIZEDB", &[Number(TableKeys), Number(TableExpires)]),
        0xfc => opcode(0xfc, "EXPIRETIME_MS", &[Raw(ExpiryMilliseconds, 8)]),
        0xfd => opcode(0xfd, "EXPIRETIME", &[Raw(ExpirySeconds, 4)]),
        // Servers hold a database's number as a C int.
        SELECT => opcode(SELECT, "SELECTDB", &[Bounded(Database, 0, i32::MAX as u64)]),
        _ => Record { byte: EOF, name: "EOF", class: Class::End, steps: &[] },
    })
}

/// What depends on the magic and the version.
fn disputed(header: Header, byte: u8) -> Result<Record, Fault> {
    use Format::{Redis, Valkey};
    use Op::{Number, Raw, Repeat, String};
    use Role::{Field, FieldExpiry, FieldValue, Fields, LeastExpiry, Packed};
    Ok(match (header.format, header.version, byte) {
        // Redis 7.4's release candidates: the expiry is absolute, 0 for none, and comes before the field.
        (Redis, 12.., 22) => key(
            22,
            "HASH_METADATA_PRE_GA",
            &[Repeat(Fields, &[Number(FieldExpiry), String(Field), String(FieldValue)])],
        ),
        (Redis, 12.., 23) => key(23, "HASH_LISTPACK_EX_PRE_GA", &[String(Packed)]),
        // Relative to the least expiry, plus one, 0 for none.
        (Redis, 12.., 24) => key(
            24,
            "HASH_METADATA",
            &[Raw(LeastExpiry, 8), Repeat(Fields, &[Number(FieldExpiry), String(Field), String(FieldValue)])],
        ),
        (Redis, 12.., 25) => key(25, "HASH_LISTPACK_EX", &[Raw(LeastExpiry, 8), String(Packed)]),
        (Redis, 13.., 26) => key(26, "STREAM_LISTPACKS_4", STREAM_4),
        (Redis, 14.., 27) => key(27, "STREAM_LISTPACKS_5", STREAM_5),
        (Redis, 14.., 28) => key(28, "ARRAY", ARRAY),
        (Redis, 15.., 29) => return Err(unreadable(29, "HASH_TEMPLATE_LISTPACK", CONTRADICTION)),
        (Redis, 15.., 30) => key(30, "HASH_TEMPLATE_LISTPACK_REF", &[String(Packed)]),
        (Redis, 15.., 31) => return Err(unreadable(31, "HASH_TEMPLATE_ARRAY", CONTRADICTION)),
        (Redis, 15.., 32) => key(32, "HASH_TEMPLATE_ARRAY_REF", &[Op::TemplateValues(&[String(FieldValue)])]),
        // Seen in one tree only; which version began with it is not known, 12 did not have it.
        (Redis, 13.., 33) => key(33, "GCRA", &[Number(Role::Rate)]),
        (Redis, 15.., 242) => {
            opcode(242, "HASH_TEMPLATE", &[Op::TemplateId, Op::TemplateFields(&[String(Role::TemplateField)])])
        }
        (Redis, 13.., 243) => {
            opcode(243, "KEY_META", &[Repeat(Role::MetaClasses, &[Raw(Role::MetaClass, 4), Op::ModuleOpcodes])])
        }
        // Valkey's expiry is absolute, -1 for none, and comes after the value.
        (Valkey, _, 22) => {
            key(22, "HASH_2", &[Repeat(Fields, &[String(Field), String(FieldValue), Raw(FieldExpiry, 8)])])
        }
        (Valkey, 81.., 23) => return Err(unreadable(23, "PATH_HASH", "no public description of it is known")),
        (Valkey, 81.., 242) => {
            opcode(242, "UPDATE", &[Op::RespArray(&[Op::RespBulk(Role::UpdateArgument), Op::LineEnd])])
        }
        // A shorter job name must be refused, as the servers do.
        (Valkey, _, 243) => opcode(
            243,
            "SLOT_IMPORT",
            &[
                Op::StringOf(Role::SlotImportJob, 40),
                Repeat(Role::SlotRanges, &[Number(Role::SlotFirst), Number(Role::SlotLast)]),
            ],
        ),
        _ => return Err(Fault::UnknownRecord(byte, header)),
    })
}

const CONTRADICTION: &str = "public descriptions of it contradict each other";

fn unreadable(byte: u8, name: &'static str, reason: &'static str) -> Fault {
    Fault::UnreadableRecord { byte, name, reason }
}

/// The payloads of module opcodes: 0 ends, 1 signed, 2 unsigned, 3 float, 4 double, 5 string.
pub(super) const MODULE_PAYLOADS: &[&[Op]] = &[
    &[],
    &[Op::Number(Role::ModuleSigned)],
    &[Op::Number(Role::ModuleUnsigned)],
    &[Op::Raw(Role::ModuleFloat, 4)],
    &[Op::Raw(Role::ModuleDouble, 8)],
    &[Op::String(Role::ModuleString)],
];

/// A sparse array; an insert index stands only where the flag before it is 1. Cells by tag: 0 string, 1 integer, 2
/// double, 3 short string.
const ARRAY: &[Op] = &[
    Op::Remember(Role::Slots),
    Op::Choice(Role::InsertIndexes, &[&[], &[Op::Number(Role::InsertIndex)]]),
    Op::RepeatRemembered(&[Op::Number(Role::Index), Op::Choice(Role::Tag, ARRAY_CELLS)]),
];

const ARRAY_CELLS: &[&[Op]] = &[
    &[Op::String(Role::Cell)],
    &[Op::Raw(Role::CellInteger, 8)],
    &[Op::Raw(Role::CellDouble, 8)],
    &[Op::String(Role::Cell)],
];

// A stream is a radix tree of nodes (their listpacks' entries relative to the node's id), then its counters, then its
// consumer groups, each with a list of pending entries whose ids its consumers repeat. An id is a length for each
// half in the counters and 16 bytes, big-endian, elsewhere.

const NODES: Op = Op::Repeat(Role::StreamNodes, &[Op::StringOf(Role::StreamNodeId, 16), Op::String(Role::StreamNode)]);
const LENGTH: Op = Op::Number(Role::StreamLength);
const LAST: Op = Op::Number(Role::StreamLastId);
const FIRST: Op = Op::Number(Role::StreamFirstId);
const DELETED: Op = Op::Number(Role::StreamDeletedId);
const ADDED: Op = Op::Number(Role::StreamAdded);

const GROUP_NAME: Op = Op::String(Role::GroupName);
const GROUP_LAST: Op = Op::Number(Role::GroupLastId);
const GROUP_READ: Op = Op::Number(Role::GroupRead);
const PENDING: Op = Op::Repeat(
    Role::Pending,
    &[Op::Raw(Role::PendingId, 16), Op::Raw(Role::DeliveredAt, 8), Op::Number(Role::Deliveries)],
);
const OWNED: Op = Op::Repeat(Role::Owned, &[Op::Raw(Role::OwnedId, 16)]);
const SEEN: Op = Op::Raw(Role::SeenAt, 8);
const ACTIVE: Op = Op::Raw(Role::ActiveAt, 8);
const CONSUMER_NAME: Op = Op::String(Role::ConsumerName);
const CONSUMERS_1: Op = Op::Repeat(Role::Consumers, &[CONSUMER_NAME, SEEN, OWNED]);
const CONSUMERS_3: Op = Op::Repeat(Role::Consumers, &[CONSUMER_NAME, SEEN, ACTIVE, OWNED]);
/// Since 5: entries that were handed back and have no consumer.
const UNOWNED: Op = Op::Repeat(Role::Unowned, &[Op::Raw(Role::UnownedId, 16)]);

const GROUPS_1: Op = Op::Repeat(Role::Groups, &[GROUP_NAME, GROUP_LAST, GROUP_LAST, PENDING, CONSUMERS_1]);
const GROUPS_2: Op = Op::Repeat(Role::Groups, &[GROUP_NAME, GROUP_LAST, GROUP_LAST, GROUP_READ, PENDING, CONSUMERS_1]);
const GROUPS_3: Op = Op::Repeat(Role::Groups, &[GROUP_NAME, GROUP_LAST, GROUP_LAST, GROUP_READ, PENDING, CONSUMERS_3]);
const GROUPS_5: Op =
    Op::Repeat(Role::Groups, &[GROUP_NAME, GROUP_LAST, GROUP_LAST, GROUP_READ, PENDING, CONSUMERS_3, UNOWNED]);

/// Since 4: the ids by which producers make XADD idempotent. One public reader has a flat list here, two have this one.
const PRODUCERS: Op = Op::Repeat(
    Role::Producers,
    &[
        Op::String(Role::Producer),
        Op::Repeat(
            Role::ProducerItems,
            &[Op::String(Role::ProducerItem), Op::Number(Role::ProducerItemId), Op::Number(Role::ProducerItemId)],
        ),
    ],
);
const DEDUP: Op = Op::Number(Role::Dedup);
const DEDUP_ADDED: Op = Op::Number(Role::DedupAdded);
const DEDUP_REPEATED: Op = Op::Number(Role::DedupRepeated);

const STREAM_1: &[Op] = &[NODES, LENGTH, LAST, LAST, GROUPS_1];
const STREAM_2: &[Op] = &[NODES, LENGTH, LAST, LAST, FIRST, FIRST, DELETED, DELETED, ADDED, GROUPS_2];
const STREAM_3: &[Op] = &[NODES, LENGTH, LAST, LAST, FIRST, FIRST, DELETED, DELETED, ADDED, GROUPS_3];
#[rustfmt::skip]
const STREAM_4: &[Op] = &[
    NODES, LENGTH, LAST, LAST, FIRST, FIRST, DELETED, DELETED, ADDED, GROUPS_3,
    DEDUP, DEDUP, PRODUCERS, DEDUP_ADDED, DEDUP_REPEATED,
];
#[rustfmt::skip]
const STREAM_5: &[Op] = &[
    NODES, LENGTH, LAST, LAST, FIRST, FIRST, DELETED, DELETED, ADDED, GROUPS_5,
    DEDUP, DEDUP, PRODUCERS, DEDUP_ADDED, DEDUP_REPEATED,
];

#[cfg(test)]
mod tests {
    use super::*;

    fn name(header: &[u8; 9], byte: u8) -> Result<&'static str, Fault> {
        Record::lookup(Header::parse(*header)?, byte).map(|record| record.name)
    }

    #[test]
    fn headers() {
        assert_eq!(Header::parse(*b"REDIS0012"), Ok(Header { format: Format::Redis, version: 12 }));
        assert_eq!(Header::parse(*b"VALKEY080"), Ok(Header { format: Format::Valkey, version: 80 }));
        for (format, version, bytes) in
            [(Format::Redis, 0, b"REDIS0000"), (Format::Redis, 16, b"REDIS0016"), (Format::Valkey, 82, b"VALKEY082")]
        {
            assert_eq!(Header::parse(*bytes), Err(Fault::Version(Header { format, version })));
        }
        assert_eq!(Header::parse(*b"REDISabcd"), Err(Fault::NotAnRdb(*b"REDISabcd")));
        assert_eq!(Header::parse(*b"VKCS\x01\x01\0\0R"), Err(Fault::Envelope));
    }

    #[test]
    fn disputed_bytes_follow_the_dialect() {
        assert_eq!(name(b"REDIS0012", 22), Ok("HASH_METADATA_PRE_GA"));
        assert_eq!(name(b"VALKEY080", 22), Ok("HASH_2"));
        assert_eq!(name(b"REDIS0013", 243), Ok("KEY_META"));
        assert_eq!(name(b"VALKEY080", 243), Ok("SLOT_IMPORT"));
        assert_eq!(name(b"REDIS0015", 242), Ok("HASH_TEMPLATE"));
        assert_eq!(name(b"VALKEY081", 242), Ok("UPDATE"));
        for (header, byte) in [(b"REDIS0011", 22), (b"REDIS0012", 26), (b"REDIS0012", 243), (b"REDIS0014", 242)] {
            assert!(matches!(name(header, byte), Err(Fault::UnknownRecord(..))), "{byte}");
        }
        for (header, byte) in [(b"VALKEY080", 23), (b"VALKEY080", 24), (b"VALKEY080", 242), (b"VALKEY081", 33)] {
            assert!(matches!(name(header, byte), Err(Fault::UnknownRecord(..))), "{byte}");
        }
        for (header, byte) in
            [(b"REDIS0012", 6), (b"REDIS0010", 246), (b"REDIS0015", 29), (b"REDIS0015", 31), (b"VALKEY081", 23)]
        {
            assert!(matches!(name(header, byte), Err(Fault::UnreadableRecord { .. })), "{byte}");
        }
    }

    /// The machine's loops end because no list of steps can be gone through without taking a byte.
    #[test]
    fn every_repeated_list_takes_bytes() {
        fn check(steps: &[Op], repeated: bool) {
            assert!(!repeated || steps.iter().any(|op| !matches!(op, Op::RepeatRemembered(_))));
            for op in steps {
                match op {
                    Op::Repeat(_, steps) | Op::RepeatRemembered(steps) | Op::TemplateFields(steps) => {
                        check(steps, true)
                    }
                    Op::TemplateValues(steps) | Op::RespArray(steps) => check(steps, true),
                    Op::Choice(_, lists) => lists.iter().for_each(|steps| check(steps, false)),
                    _ => {}
                }
            }
        }
        for header in [b"REDIS0015", b"VALKEY081"].map(|bytes| Header::parse(*bytes).unwrap()) {
            (0..=255)
                .filter_map(|byte| Record::lookup(header, byte).ok())
                .for_each(|record| check(record.steps, false));
        }
    }
}
