//! Keys in memory told as a decoder tells those of a file, so that whatever hears a file hears them as well.

use super::keyspace::{Entry, NEVER};
use super::value::{Blob, Decimal, Value};
use crate::rdb::{self, Encoding, Item, Key, KeyEnd, ModulePart, Number, Piece, StreamCounters, ValueType, Values};

/// Tells a byte string.
fn text(values: &mut impl Values, item: Item, bytes: &[u8]) {
    values.text(item, Piece::whole(bytes));
}

/// Tells a key and its value.
pub fn tell(values: &mut impl Values, db: usize, name: &Blob, entry: &Entry) {
    let value_type = match &entry.value {
        Value::String(_) => ValueType::String,
        Value::List(_) => ValueType::List,
        Value::Set(_) => ValueType::Set,
        Value::SortedSet(_) => ValueType::SortedSet,
        Value::Hash(_) => ValueType::Hash,
        Value::Stream(_) => ValueType::Stream,
        Value::Opaque(value) => value.value_type(),
    };
    values.key(&Key {
        db: db as u64,
        name,
        name_length: name.len() as u64,
        value_type,
        // How it is packed is no part of what it means.
        encoding: Encoding::Plain,
        rdb_type: 0,
        expires_at_ms: entry.expires_at(),
        idle: None,
        freq: None,
        offset: 0,
    });
    let elements = tell_value(values, &entry.value);
    values.key_end(KeyEnd { elements: elements as u64, bytes: 0 });
}

/// Gives the number of elements.
fn tell_value(values: &mut impl Values, value: &Value) -> usize {
    match value {
        Value::String(string) => {
            text(values, Item::String, string.bytes(&mut Decimal::new()));
            1
        }
        Value::List(list) => {
            list.iter().for_each(|element| text(values, Item::Element, element));
            list.len()
        }
        Value::Set(set) => {
            set.iter().for_each(|member| text(values, Item::Member, member));
            set.len()
        }
        Value::SortedSet(set) => {
            for scored in set.ranked().iter() {
                text(values, Item::Member, &scored.member);
                values.score(scored.score);
            }
            set.len()
        }
        Value::Hash(hash) => {
            for (name, field) in &hash.fields {
                text(values, Item::Field, name);
                text(values, Item::Value, &field.value);
                values.field_end((field.expires_at != NEVER).then_some(field.expires_at));
            }
            hash.fields.len()
        }
        Value::Stream(stream) => {
            for (id, words) in &stream.entries {
                values.stream_entry(*id, words.len() as u64 / 2);
                for (index, word) in words.iter().enumerate() {
                    let item = if index % 2 == 0 { Item::StreamField } else { Item::StreamValue };
                    text(values, item, word);
                }
                values.stream_entry_end();
            }
            values.stream(&StreamCounters {
                length: stream.entries.len() as u64,
                last_id: stream.last_id,
                first_id: Some(stream.entries.keys().next().copied().unwrap_or_default()),
                max_deleted_id: Some(stream.max_deleted_id),
                entries_added: Some(stream.entries_added),
            });
            for (name, group) in &stream.groups {
                text(values, Item::GroupName, name);
                values.group(group.last_id, group.entries_read);
                for (id, pending) in &group.pending {
                    let (delivered_ms, count) = (pending.delivered_ms, pending.count);
                    values.pending(rdb::Pending { id: *id, delivered_ms, count });
                }
                for (name, consumer) in &group.consumers {
                    text(values, Item::ConsumerName, name);
                    values.consumer(consumer.seen_ms, Some(consumer.active_ms));
                    consumer.pending.iter().for_each(|id| values.owned(*id));
                    values.consumer_end();
                }
                values.group_end();
            }
            stream.entries.len()
        }
        Value::Opaque(value) => {
            tell_opaque(values, value);
            1
        }
    }
}

fn tell_opaque(values: &mut impl Values, value: &rdb::Value) {
    match value {
        rdb::Value::Module(id, parts) => {
            values.module(*id);
            for part in parts {
                match part {
                    ModulePart::Signed(number) => values.module_number(Number::Signed(*number)),
                    ModulePart::Unsigned(number) => values.module_number(Number::Unsigned(*number)),
                    ModulePart::Float(number) => values.module_number(Number::Float(*number)),
                    ModulePart::Double(number) => values.module_number(Number::Double(*number)),
                    ModulePart::String(bytes) => text(values, Item::ModuleString, bytes),
                }
            }
        }
        rdb::Value::Array(array) => {
            for (index, cell) in &array.slots {
                values.number(Item::Index, *index);
                match cell {
                    rdb::Cell::String(bytes) => text(values, Item::Cell, bytes),
                    rdb::Cell::Integer(number) => values.cell_number(Number::Signed(*number)),
                    rdb::Cell::Double(number) => values.cell_number(Number::Double(*number)),
                }
            }
        }
        rdb::Value::RateLimit(rate) => values.number(Item::Rate, *rate),
        // The loader makes no others.
        _ => {}
    }
}
