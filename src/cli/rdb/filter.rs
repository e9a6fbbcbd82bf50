//! Which keys were asked for.

use crate::cli::args::{KeyType, RdbFilterArgs, YesNo};
use crate::rdb::ValueType;
use crate::view::rdb::{Filter, Glob};

pub(super) fn of(args: &RdbFilterArgs) -> Filter {
    Filter {
        name: args.pattern.as_ref().map(|pattern| Glob::new(pattern.as_encoded_bytes())),
        types: args.types.iter().map(|&wanted| value_type(wanted)).collect(),
        databases: args.databases.clone(),
        expires: args.expires.map(|expires| expires == YesNo::Yes),
        min_bytes: args.min_bytes.map(|size| size as u64),
    }
}

fn value_type(wanted: KeyType) -> ValueType {
    match wanted {
        KeyType::String => ValueType::String,
        KeyType::List => ValueType::List,
        KeyType::Set => ValueType::Set,
        KeyType::Zset => ValueType::SortedSet,
        KeyType::Hash => ValueType::Hash,
        KeyType::Stream => ValueType::Stream,
        KeyType::Module => ValueType::Module,
        KeyType::Array => ValueType::Array,
        KeyType::Gcra => ValueType::RateLimit,
    }
}
