//! The fields of hash templates, which stand before the hashes that have them.

use std::collections::HashMap;

use crate::bounds::MAX_TEMPLATE_FIELDS;
use crate::rdb::Piece;

/// Remembers them, as far as the bound goes.
#[derive(Debug, Default)]
pub(super) struct Templates {
    fields: HashMap<u64, Vec<Vec<u8>>>,
    bytes: usize,
    /// The template that is defined or used, and the place of the next field in it.
    template: u64,
    place: usize,
}

impl Templates {
    /// A template is defined or used.
    pub(super) fn begin(&mut self, template: u64) {
        (self.template, self.place) = (template, 0);
    }

    /// Its next field. One that is too long is not remembered, nor are those behind it.
    pub(super) fn define(&mut self, piece: Piece<'_>) {
        let size = piece.bytes.len() + 8;
        if piece.is_first() && piece.is_last() && self.bytes.saturating_add(size) <= MAX_TEMPLATE_FIELDS {
            self.bytes += size;
            self.fields.entry(self.template).or_default().push(piece.bytes.to_vec());
        } else {
            self.bytes = usize::MAX;
        }
    }

    /// The field of the next value; `None` where it is not remembered.
    pub(super) fn next(&mut self) -> Option<&[u8]> {
        let place = self.place;
        self.place += 1;
        self.fields.get(&self.template)?.get(place).map(Vec::as_slice)
    }
}
