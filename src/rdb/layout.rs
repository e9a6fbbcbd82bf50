//! What the entries of a packed collection are: elements, pairs, triples, or a stream's node.

use super::error::Fault;
use super::node::Node;
use super::packed::{Entries, wrong};
use super::text::{Assembler, Small};
use super::values::{Item, Piece, Values};
use crate::bounds::MAX_RDB_WHOLE;

/// How a packed collection's entries make elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// Each entry is one, of this kind.
    Each(Item),
    /// Member, score.
    Scored,
    /// Field, value.
    Pairs,
    /// Field, value, expiry in milliseconds or 0.
    Triples,
    /// A template's number, then values.
    Template,
    Node,
}

impl Shape {
    /// Entries per element.
    pub(super) fn entries(self) -> u64 {
        match self {
            Self::Each(_) | Self::Template | Self::Node => 1,
            Self::Scored | Self::Pairs => 2,
            Self::Triples => 3,
        }
    }
}

/// The place among the entries of the collection under way.
pub(super) struct Layout {
    shape: Shape,
    /// Entries of the present element that are complete.
    place: u8,
    /// The entry whose bytes come, and how many are still to come.
    left: u64,
    item: Option<Item>,
    small: Small,
    pub(super) node: Node,
}

impl Default for Layout {
    fn default() -> Self {
        Self { shape: Shape::Pairs, place: 0, left: 0, item: None, small: Small::default(), node: Node::default() }
    }
}

impl Layout {
    pub(super) fn begin(&mut self, shape: Shape) {
        self.shape = shape;
        self.place = 0;
    }

    /// All entries were told: are all elements whole?
    pub(super) fn finish<V: Values>(&mut self, values: &mut V) -> Result<(), Fault> {
        match self.shape {
            Shape::Node => {
                self.node.finish(values);
                Ok(())
            }
            Shape::Template if self.place == 0 => Err(Fault::Contradiction("a hash without its template's number")),
            Shape::Each(_) | Shape::Template => Ok(()),
            _ if self.place == 0 => Ok(()),
            _ => Err(Fault::Contradiction("the entries do not make whole pairs or triples")),
        }
    }
}

/// [`Layout`] as a sink of entries, and whom it tells.
pub(super) struct Teller<'a, V> {
    pub(super) layout: &'a mut Layout,
    pub(super) text: &'a mut Assembler,
    pub(super) values: &'a mut V,
}

/// What the next entry is.
enum Next {
    Text(Item),
    Score,
    Expiry,
    Template,
}

impl<V: Values> Teller<'_, V> {
    #[inline]
    fn next(&self) -> Next {
        match (self.layout.shape, self.layout.place) {
            (Shape::Each(item), _) => Next::Text(item),
            (Shape::Scored, 0) => Next::Text(Item::Member),
            (Shape::Scored, _) => Next::Score,
            (Shape::Triples, 2) => Next::Expiry,
            (Shape::Template, 0) => Next::Template,
            (Shape::Pairs | Shape::Triples, 0) => Next::Text(Item::Field),
            _ => Next::Text(Item::Value),
        }
    }

    /// An entry is complete.
    #[inline]
    fn advance(&mut self) {
        let layout = &mut *self.layout;
        layout.place = match (layout.shape, layout.place) {
            (Shape::Each(_) | Shape::Node, _) => 0,
            (Shape::Scored, place) => 1 - place.min(1),
            (Shape::Pairs, 0) => 1,
            (Shape::Triples, place @ 0..2) => place + 1,
            (Shape::Triples, _) => 0,
            (Shape::Template, 0) => 1,
            (Shape::Pairs, _) => {
                self.values.field_end(None);
                0
            }
            (Shape::Template, _) => {
                self.values.field_end(None);
                1
            }
        };
    }

    #[inline]
    fn end_score(&mut self) -> Result<(), Fault> {
        let score = self.layout.small.double().unwrap_or_else(|| {
            self.values.odd("a score is not a number");
            self.layout.small.leading_double()
        });
        self.values.score(score);
        self.advance();
        Ok(())
    }
}

impl<V: Values> Entries for Teller<'_, V> {
    #[inline]
    fn integer(&mut self, integer: i64) -> Result<(), Fault> {
        if self.layout.shape == Shape::Node {
            return self.layout.node.integer(integer, self.values);
        }
        match self.next() {
            Next::Text(item) => self.values.integer(item, integer),
            // Beyond 2^53 not every number is a double; servers take the nearest, too.
            Next::Score => self.values.score(integer as f64),
            Next::Expiry => self.values.field_end((integer != 0).then_some(integer)),
            Next::Template => self.values.number(Item::TemplateId, integer.cast_unsigned()),
        }
        self.advance();
        Ok(())
    }

    #[inline]
    fn begin(&mut self, length: u64) -> Result<(), Fault> {
        self.layout.left = length;
        if self.layout.shape == Shape::Node {
            self.layout.item = self.layout.node.string(length, self.values)?;
            if let Some(item) = self.layout.item {
                self.text.begin(item, length, self.values);
            }
            return if length == 0 { self.layout.node.string_end(self.values) } else { Ok(()) };
        }
        match self.next() {
            Next::Text(item) => {
                self.layout.item = Some(item);
                self.text.begin(item, length, self.values);
                if length == 0 {
                    self.advance();
                }
            }
            Next::Score => {
                self.layout.item = None;
                self.layout.small.clear();
                if length == 0 {
                    return self.end_score();
                }
            }
            Next::Expiry => return Err(wrong("needed an expiry, found a string")),
            Next::Template => return Err(wrong("needed a template's number, found a string")),
        }
        Ok(())
    }

    /// Most entries are told as they are; the others go the way of those that come in parts.
    #[inline]
    fn whole(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        if self.layout.shape != Shape::Node && bytes.len() <= MAX_RDB_WHOLE {
            match self.next() {
                Next::Text(item) => {
                    self.values.text(item, Piece::whole(bytes));
                    self.advance();
                    return Ok(());
                }
                Next::Score => {
                    self.layout.small.clear();
                    self.layout.small.feed(bytes);
                    return self.end_score();
                }
                Next::Expiry | Next::Template => {}
            }
        }
        self.begin(bytes.len() as u64)?;
        if bytes.is_empty() { Ok(()) } else { self.part(bytes) }
    }

    #[inline]
    fn part(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        self.layout.left = self.layout.left.saturating_sub(bytes.len() as u64);
        let last = self.layout.left == 0;
        match self.layout.item {
            Some(item) => self.text.feed(item, bytes, self.values),
            None if self.layout.shape == Shape::Node => self.layout.node.part(bytes)?,
            None => self.layout.small.feed(bytes),
        }
        match (last, self.layout.item) {
            (false, _) => {}
            (true, _) if self.layout.shape == Shape::Node => return self.layout.node.string_end(self.values),
            (true, Some(_)) => self.advance(),
            (true, None) => return self.end_score(),
        }
        Ok(())
    }
}
