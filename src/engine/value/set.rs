//! Sets.

use std::ops::{Deref, DerefMut};

use foldhash::fast::RandomState;
use indexmap::IndexSet;

use super::{Blob, integer};

/// A set. Members are numbered densely, which is what SPOP, SRANDMEMBER and SSCAN want.
#[derive(Clone, Debug, Default)]
pub struct Set {
    members: IndexSet<Blob, RandomState>,
    /// A member was no integer once: servers do not go back to keeping integers then.
    general: bool,
}

impl Set {
    /// Whether servers keep it as integers, if it is not too large.
    #[must_use]
    pub fn is_integers(&self) -> bool {
        !self.general
    }

    /// How many members there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// Adds a member; tells whether it is a new one.
    #[inline]
    pub fn insert(&mut self, member: Blob) -> bool {
        self.general = self.general || integer(&member).is_none();
        self.members.insert(member)
    }
}

impl Deref for Set {
    type Target = IndexSet<Blob, RandomState>;

    fn deref(&self) -> &Self::Target {
        &self.members
    }
}

impl DerefMut for Set {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.members
    }
}

impl FromIterator<Blob> for Set {
    fn from_iter<T: IntoIterator<Item = Blob>>(members: T) -> Self {
        let mut set = Self::default();
        set.extend(members);
        set
    }
}

impl Extend<Blob> for Set {
    fn extend<T: IntoIterator<Item = Blob>>(&mut self, members: T) {
        for member in members {
            self.insert(member);
        }
    }
}

impl IntoIterator for Set {
    type Item = Blob;
    type IntoIter = indexmap::set::IntoIter<Blob>;

    fn into_iter(self) -> Self::IntoIter {
        self.members.into_iter()
    }
}

impl<'a> IntoIterator for &'a Set {
    type Item = &'a Blob;
    type IntoIter = indexmap::set::Iter<'a, Blob>;

    fn into_iter(self) -> Self::IntoIter {
        self.members.iter()
    }
}
