//! The value types by their leading byte: Redis type, packing, and what a packed string holds.

use super::grammar::{Record, Role};
use super::layout::Shape;
use super::packed::Form;
use super::values::{Encoding, Item, ValueType};

/// What a record's value is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kind {
    pub(super) value_type: ValueType,
    pub(super) encoding: Encoding,
    /// The packing of its packed strings, and what their entries are.
    pub(super) packed: Option<(Form, Shape)>,
}

impl Kind {
    const fn new(value_type: ValueType, encoding: Encoding) -> Self {
        Self { value_type, encoding, packed: None }
    }

    const fn packed(value_type: ValueType, encoding: Encoding, form: Form, shape: Shape) -> Self {
        Self { value_type, encoding, packed: Some((form, shape)) }
    }

    /// Of a plain string, until its head is read.
    pub(super) const STRING: Self = Self::new(ValueType::String, Encoding::Plain);

    /// The kind of a key's record. Byte 22 is a hash to both families.
    pub(super) fn of(record: &Record) -> Self {
        use Encoding as E;
        use Form::{Intset, Listpack, Ziplist, Zipmap};
        use Shape::{Each, Pairs, Scored, Triples};
        use ValueType::{Hash, List, Set, SortedSet};
        match record.byte {
            0 => Self::STRING,
            1 => Self::new(List, E::LinkedList),
            2 => Self::new(Set, E::Hashtable),
            3 | 5 => Self::new(SortedSet, E::Skiplist),
            9 => Self::packed(Hash, E::Zipmap, Zipmap, Pairs),
            10 => Self::packed(List, E::Ziplist, Ziplist, Each(Item::Element)),
            11 => Self::packed(Set, E::Intset, Intset, Each(Item::Member)),
            12 => Self::packed(SortedSet, E::Ziplist, Ziplist, Scored),
            13 => Self::packed(Hash, E::Ziplist, Ziplist, Pairs),
            14 => Self::packed(List, E::Quicklist, Ziplist, Each(Item::Element)),
            15 | 19 | 21 | 26 | 27 => Self::packed(ValueType::Stream, E::Stream, Listpack, Shape::Node),
            16 => Self::packed(Hash, E::Listpack, Listpack, Pairs),
            17 => Self::packed(SortedSet, E::Listpack, Listpack, Scored),
            18 => Self::packed(List, E::Quicklist2, Listpack, Each(Item::Element)),
            20 => Self::packed(Set, E::Listpack, Listpack, Each(Item::Member)),
            23 | 25 => Self::packed(Hash, E::ListpackEx, Listpack, Triples),
            28 => Self::new(ValueType::Array, E::Array),
            30 => Self::packed(Hash, E::Template, Listpack, Shape::Template),
            32 => Self::new(Hash, E::Template),
            33 => Self::new(ValueType::RateLimit, E::RateLimit),
            7 => Self::new(ValueType::Module, E::Module),
            // 4, 22 and 24; the grammar lets no other byte be a key's.
            _ => Self::new(Hash, E::Hashtable),
        }
    }
}

/// As what a string or number of this role is told; `None` where it is told otherwise or not at all.
#[inline]
pub(super) fn item(role: Role) -> Option<Item> {
    Some(match role {
        Role::Value => Item::String,
        Role::Element => Item::Element,
        Role::Member => Item::Member,
        Role::Field => Item::Field,
        Role::FieldValue => Item::Value,
        Role::AuxKey => Item::AuxKey,
        Role::AuxValue => Item::AuxValue,
        Role::Function => Item::Function,
        Role::GroupName => Item::GroupName,
        Role::ConsumerName => Item::ConsumerName,
        Role::Producer => Item::Producer,
        Role::ProducerItem => Item::ProducerItem,
        Role::ModuleString => Item::ModuleString,
        Role::ModuleWhen => Item::ModuleWhen,
        Role::Cell => Item::Cell,
        Role::Index => Item::Index,
        Role::InsertIndex => Item::InsertIndex,
        Role::Rate => Item::Rate,
        Role::TableKeys => Item::TableKeys,
        Role::TableExpires => Item::TableExpires,
        Role::Slot => Item::Slot,
        Role::SlotKeys => Item::SlotKeys,
        Role::SlotExpires => Item::SlotExpires,
        Role::SlotImportJob => Item::SlotImportJob,
        Role::SlotFirst => Item::SlotFirst,
        Role::SlotLast => Item::SlotLast,
        Role::TemplateId => Item::TemplateId,
        Role::TemplateField => Item::TemplateField,
        Role::UpdateArgument => Item::UpdateArgument,
        Role::DedupAdded => Item::DedupAdded,
        Role::DedupRepeated => Item::DedupRepeated,
        _ => return None,
    })
}
