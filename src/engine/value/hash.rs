//! Hashes, and the expiry of their fields.

use std::collections::BTreeSet;

use foldhash::fast::RandomState;
use indexmap::IndexMap;

use super::Blob;
use crate::engine::keyspace::NEVER;

/// A field's value, and when the field expires.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// The value.
    pub value: Blob,
    /// In milliseconds since 1970; [`NEVER`](crate::engine::NEVER) where it does not.
    pub expires_at: i64,
}

impl Field {
    /// Whether it has expired at this time.
    #[inline]
    #[must_use]
    pub fn is_expired(&self, now: i64) -> bool {
        self.expires_at != NEVER && now > self.expires_at
    }
}

/// A hash. Fields are numbered densely, which is what HRANDFIELD and HSCAN want.
#[derive(Clone, Debug, Default)]
pub struct Hash {
    /// The fields.
    pub fields: IndexMap<Blob, Field, RandomState>,
    /// How many fields have an expiry.
    pub volatile: usize,
    /// Which fields expire, the soonest first; made when it is first wanted, since most hashes have none.
    due: BTreeSet<(i64, Blob)>,
}

/// Of a hash so long at most the fields keep their order when one goes: so short servers keep them as a list.
const ORDERED: usize = 512;

impl Hash {
    /// How many fields there are, expired or not.
    #[must_use]
    pub fn len(&self) -> usize {
        self.fields.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// A field, expired or not.
    #[inline]
    #[must_use]
    pub fn get(&self, field: &[u8]) -> Option<&Field> {
        self.fields.get(field)
    }

    /// Gives a field a value and an expiry ([`NEVER`] for none); gives what it had.
    pub fn insert(&mut self, field: &[u8], value: Blob, expires_at: i64) -> Option<Field> {
        let fresh = Field { value, expires_at };
        let before = match self.fields.get_mut(field) {
            Some(place) => Some(std::mem::replace(place, fresh)),
            None => self.fields.insert(field.into(), fresh),
        };
        self.note(field, before.as_ref().map_or(NEVER, |before| before.expires_at), expires_at);
        before
    }

    /// Sets when a field expires ([`NEVER`] for not at all); tells whether there is one.
    pub fn set_expiry(&mut self, field: &[u8], expires_at: i64) -> bool {
        let Some(place) = self.fields.get_mut(field) else { return false };
        let before = std::mem::replace(&mut place.expires_at, expires_at);
        self.note(field, before, expires_at);
        true
    }

    /// Takes a field out.
    pub fn remove(&mut self, field: &[u8]) -> Option<Field> {
        let short = self.fields.len() <= ORDERED;
        let gone = if short { self.fields.shift_remove(field) } else { self.fields.swap_remove(field) }?;
        self.note(field, gone.expires_at, NEVER);
        Some(gone)
    }

    fn note(&mut self, field: &[u8], before: i64, after: i64) {
        if before == after {
            return;
        }
        // What a loader has put in is not in the order yet.
        if self.due.len() != self.volatile {
            let volatile = self.fields.iter().filter(|(_, field)| field.expires_at != NEVER);
            self.due = volatile.map(|(name, field)| (field.expires_at, name.clone())).collect();
            self.volatile = self.due.len();
            return;
        }
        if before != NEVER {
            self.due.remove(&(before, field.into()));
        }
        if after != NEVER {
            self.due.insert((after, field.into()));
        }
        self.volatile = self.due.len();
    }

    /// When the first field expires.
    #[must_use]
    pub fn next_due(&self) -> Option<i64> {
        if self.due.len() == self.volatile {
            return self.due.first().map(|(at, _)| *at);
        }
        self.fields.values().map(|field| field.expires_at).filter(|at| *at != NEVER).min()
    }

    /// The fields that have expired at this time, at most so many, the soonest first.
    #[must_use]
    pub fn expired(&self, now: i64, limit: usize) -> Vec<Blob> {
        if self.due.len() == self.volatile {
            return self.due.iter().take_while(|(at, _)| now > *at).take(limit).map(|(_, name)| name.clone()).collect();
        }
        let expired = self.fields.iter().filter(|(_, field)| field.is_expired(now));
        expired.take(limit).map(|(name, _)| name.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_due_is_known(steps in prop::collection::vec((0..4_u8, 0..12_u8, 0..30_i64), 0..80), loaded in any::<bool>()) {
            let mut hash = Hash::default();
            if loaded {
                let field = Field { value: "x".into(), expires_at: 7 };
                hash.fields.insert("loaded".into(), field);
                hash.volatile = 1;
            }
            for (kind, name, at) in steps {
                let name = [name];
                match kind {
                    0 => drop(hash.insert(&name, "v".into(), NEVER)),
                    1 => drop(hash.insert(&name, "v".into(), at)),
                    2 => drop(hash.set_expiry(&name, at)),
                    _ => drop(hash.remove(&name)),
                }
                let volatile: Vec<i64> = hash.fields.values().map(|field| field.expires_at).filter(|at| *at != NEVER).collect();
                prop_assert_eq!(hash.volatile, volatile.len());
                prop_assert_eq!(hash.next_due(), volatile.iter().min().copied());
                prop_assert_eq!(hash.expired(15, 99).len(), volatile.iter().filter(|at| **at < 15).count());
            }
        }
    }
}
