//! Function libraries: their text by name.

use std::collections::BTreeMap;

use super::value::Blob;

/// All libraries, and how often they have changed, so that who has compiled them knows when to look again.
#[derive(Clone, Debug, Default)]
pub struct Libraries {
    codes: BTreeMap<Blob, Blob>,
    changes: u64,
}

impl std::ops::Deref for Libraries {
    type Target = BTreeMap<Blob, Blob>;

    fn deref(&self) -> &BTreeMap<Blob, Blob> {
        &self.codes
    }
}

impl Libraries {
    /// How often they have changed.
    #[must_use]
    pub fn changes(&self) -> u64 {
        self.changes
    }

    /// Others in place of all.
    pub fn replace(&mut self, codes: BTreeMap<Blob, Blob>) {
        self.codes = codes;
        self.changes += 1;
    }

    /// One more, or one in place of that of its name.
    pub fn insert(&mut self, name: Blob, code: Blob) {
        self.codes.insert(name, code);
        self.changes += 1;
    }

    /// Takes one out; tells whether there was one.
    pub fn remove(&mut self, name: &[u8]) -> bool {
        self.changes += 1;
        self.codes.remove(name).is_some()
    }
}
