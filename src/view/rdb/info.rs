//! `rdb info`: the numbers of an RDB, as one object or as tables.

mod details;
mod prefixes;
mod text;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use indexmap::IndexMap;

use serde_json::{Map, Value, json};

use self::details::{Details, Named, Tally, size_end};
use self::prefixes::Prefixes;
use super::{bytes_value, checksum_word};
use crate::bounds::{MAX_BIGGEST, MAX_INFO_AUX, MAX_INFO_DATABASES, MAX_PREFIXES};
use crate::rdb::{Checksum, Header, Item, Key, KeyEnd, Opcode, Piece, Values};
use crate::view::report::Look;
use crate::view::terminal;

/// The longest prefix of keys that is counted under its name.
const MAX_PREFIX_LENGTH: usize = 64;

/// How much of a key's name, of an AUX field's and of its value is held.
const MAX_NAME: usize = 4096;

/// How many prefixes are shown.
const PREFIXES_SHOWN: usize = 20;

/// Sums an RDB up.
#[derive(Debug, Default)]
pub struct Info {
    header: Option<Header>,
    aux: Vec<(Vec<u8>, Vec<u8>)>,
    aux_key: Vec<u8>,
    functions: u64,
    keys: u64,
    expires: u64,
    databases: BTreeMap<u64, (u64, u64)>,
    types: Counts,
    encodings: Counts,
    /// The biggest keys so far, the smallest of them on top.
    biggest: BinaryHeap<Reverse<Big>>,
    prefixes: IndexMap<Vec<u8>, (u64, u64), foldhash::fast::RandomState>,
    /// The place in `prefixes` of the last key's: the next one mostly has the same.
    last_prefix: usize,
    checksum: Option<Checksum>,
    /// The key's name, or its beginning where it is longer than is held.
    name: Vec<u8>,
    name_is_cut: bool,
    key: Option<(u64, &'static str)>,
    details: Details,
    names: Prefixes,
}

/// Keys by type or encoding, each at its place in the enumeration.
#[derive(Debug, Default)]
struct Counts([(&'static str, u64); Self::PLACES]);

impl Counts {
    /// More than there are types or encodings.
    const PLACES: usize = 24;

    #[inline]
    fn add(&mut self, place: usize, name: &'static str) {
        if let Some(counted) = self.0.get_mut(place) {
            *counted = (name, counted.1 + 1);
        }
    }

    fn by_name(&self) -> BTreeMap<&'static str, u64> {
        self.0.iter().copied().filter(|(_, keys)| *keys > 0).collect()
    }
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Big {
    bytes: u64,
    name: Vec<u8>,
    db: u64,
    value_type: &'static str,
    elements: u64,
}

impl Info {
    /// The object of `rdb info -f json`. `bytes` are those of the RDB, `trailing` those that follow it.
    #[must_use]
    pub fn to_json(&self, bytes: u64, trailing: u64) -> Value {
        let aux: Map<String, Value> = self
            .aux
            .iter()
            .map(|(key, value)| (String::from_utf8_lossy(key).into_owned(), bytes_value(value)))
            .collect();
        json!({
            "schema": 1,
            "format": self.header.map(|header| text::family(header.format)),
            "version": self.header.map(|header| header.version),
            "aux": aux,
            "functions": self.functions,
            "keys": self.keys,
            "expires": self.expires,
            "databases": self.databases.iter().map(|(db, (keys, expires))| json!({"db": db, "keys": keys, "expires": expires})).collect::<Vec<_>>(),
            "types": self.types.by_name(),
            "encodings": self.encodings.by_name(),
            "type_bytes": by_name(&self.details.types),
            "encoding_bytes": by_name(&self.details.encodings),
            "sizes": self.details.sizes.iter().enumerate().map(|(class, tally)| json!({
                "below": size_end(class),
                "keys": tally.keys,
                "bytes": tally.bytes,
            })).collect::<Vec<_>>(),
            "expiry": self.details.expiries.map(|(nearest, farthest)| json!({
                "nearest_ms": nearest,
                "farthest_ms": farthest,
                "expired": self.details.written.map(|_| self.details.expired),
            })),
            "bytes": bytes,
            "checksum": self.checksum.map(checksum_word),
            "trailing_bytes": trailing,
            "biggest": self.biggest().iter().map(|big| json!({
                "db": big.db,
                "key": bytes_value(&big.name),
                "type": big.value_type,
                "bytes": big.bytes,
                "elements": big.elements,
            })).collect::<Vec<_>>(),
            "prefixes": self.prefixes().iter().map(|(prefix, keys, bytes)| json!({
                "prefix": bytes_value(prefix),
                "keys": keys,
                "bytes": bytes,
            })).collect::<Vec<_>>(),
            "patterns": self.names.most(PREFIXES_SHOWN).iter().map(|(pattern, tally)| json!({
                "pattern": bytes_value(pattern),
                "keys": tally.keys,
                "bytes": tally.bytes,
            })).collect::<Vec<_>>(),
            "complete": self.checksum.is_some(),
        })
    }

    /// The same for people.
    #[must_use]
    pub fn to_text(&self, name: &str, bytes: u64, trailing: u64, look: Look) -> String {
        text::draw(self, name, bytes, trailing, look)
    }

    /// All keys and their bytes.
    fn all(&self) -> Tally {
        let mut all = Tally::default();
        self.details.sizes.iter().for_each(|tally| all.join(*tally));
        all
    }

    fn biggest(&self) -> Vec<&Big> {
        let mut sorted: Vec<&Big> = self.biggest.iter().map(|Reverse(big)| big).collect();
        sorted.sort_by(|a, b| b.cmp(a));
        sorted
    }

    /// The prefixes with the most keys.
    fn prefixes(&self) -> Vec<(&[u8], u64, u64)> {
        let mut sorted: Vec<(&[u8], u64, u64)> =
            self.prefixes.iter().map(|(prefix, (keys, bytes))| (prefix.as_slice(), *keys, *bytes)).collect();
        sorted.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(b.0)));
        sorted.truncate(PREFIXES_SHOWN);
        sorted
    }

    fn count_prefix(&mut self, bytes: u64) {
        // A prefix ends with the only colon in it, so what begins with it has it.
        if let Some((prefix, (keys, total))) = self.prefixes.get_index_mut(self.last_prefix)
            && self.name.starts_with(prefix)
        {
            *keys += 1;
            *total += bytes;
            return;
        }
        let Some(end) = memchr::memchr(b':', &self.name[..self.name.len().min(MAX_PREFIX_LENGTH)]) else { return };
        let prefix = &self.name[..=end];
        if let Some((place, _, (keys, total))) = self.prefixes.get_full_mut(prefix) {
            *keys += 1;
            *total += bytes;
            self.last_prefix = place;
        } else if self.prefixes.len() < MAX_PREFIXES {
            self.prefixes.insert(prefix.to_vec(), (1, bytes));
        }
    }
}

/// As much of it as is held.
#[inline]
fn beginning(bytes: &[u8]) -> &[u8] {
    bytes.get(..MAX_NAME).unwrap_or(bytes)
}

fn by_name(named: &Named) -> Map<String, Value> {
    named.sorted().iter().map(|(name, tally)| ((*name).to_owned(), tally.bytes.into())).collect()
}

impl Values for Info {
    fn header(&mut self, header: Header) {
        self.header = Some(header);
    }

    fn record(&mut self, opcode: Opcode) {
        const FUNCTION2: u8 = 0xf5;
        self.functions += u64::from(opcode.byte == FUNCTION2);
    }

    fn key(&mut self, key: &Key<'_>) {
        if !key.name.is_empty() || key.name_length == 0 {
            self.name.clear();
            self.name.extend_from_slice(beginning(key.name));
        }
        self.name_is_cut = key.name_length > MAX_NAME as u64;
        let expires = u64::from(key.expires_at_ms.is_some());
        self.keys += 1;
        self.expires += expires;
        let room = self.databases.len() < MAX_INFO_DATABASES;
        let database = match self.databases.get_mut(&key.db) {
            None if room => Some(self.databases.entry(key.db).or_default()),
            known => known,
        };
        if let Some((keys, expiring)) = database {
            *keys += 1;
            *expiring += expires;
        }
        self.types.add(key.value_type as usize, key.value_type.name());
        self.encodings.add(key.encoding as usize, key.encoding.name());
        self.key = Some((key.db, key.value_type.name()));
        self.details.key(key);
    }

    fn key_end(&mut self, end: KeyEnd) {
        self.count_prefix(end.bytes);
        self.details.key_end(end);
        self.names.add(&self.name, end.bytes);
        let Some((db, value_type)) = self.key.take() else { return };
        let full = self.biggest.len() >= MAX_BIGGEST;
        if full && self.biggest.peek().is_some_and(|Reverse(least)| least.bytes >= end.bytes) {
            return;
        }
        if full {
            self.biggest.pop();
        }
        let name = if self.name_is_cut {
            [terminal::without_partial_character(&self.name), "…".as_bytes()].concat()
        } else {
            self.name.clone()
        };
        self.biggest.push(Reverse(Big { bytes: end.bytes, name, db, value_type, elements: end.elements }));
    }

    fn text(&mut self, item: Item, piece: Piece<'_>) {
        let target = match item {
            Item::AuxKey => &mut self.aux_key,
            Item::LongKey => &mut self.name,
            Item::AuxValue if piece.is_first() && self.aux.len() < MAX_INFO_AUX => {
                self.details.aux(&self.aux_key, piece.bytes);
                self.aux.push((self.aux_key.clone(), beginning(piece.bytes).to_vec()));
                return;
            }
            _ => return,
        };
        if piece.is_first() {
            target.clear();
            target.extend_from_slice(beginning(piece.bytes));
        }
    }

    fn end(&mut self, checksum: Checksum) {
        self.checksum = Some(checksum);
    }
}
