//! Hashes, and the expiry of their fields.

use foldhash::fast::RandomState;
use indexmap::IndexMap;

use super::Blob;

/// A field's value, and when the field expires.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// The value.
    pub value: Blob,
    /// In milliseconds since 1970; [`NEVER`](crate::engine::NEVER) where it does not.
    pub expires_at: i64,
}

/// A hash. Fields are numbered densely, which is what HRANDFIELD and HSCAN want.
#[derive(Clone, Debug, Default)]
pub struct Hash {
    /// The fields.
    pub fields: IndexMap<Blob, Field, RandomState>,
    /// How many fields have an expiry.
    pub volatile: usize,
}
