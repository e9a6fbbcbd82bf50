//! Lists, sets, sorted sets and hashes.

use std::io::Write;

use super::needs::Need;
use super::out::{Bytes, canonical};
use super::packed::{Entry, Pack, intset};
use super::{KeyMeta, Writer, Written};
use crate::bounds::{MAX_RDB_NODE_HELD, RDB_LIST_NODE};
use crate::rdb::grammar::Format;

/// What going once through a collection's elements tells.
#[derive(Clone, Copy, Default)]
struct Survey {
    count: usize,
    longest: usize,
}

impl Survey {
    fn of<B: AsRef<[u8]>>(elements: impl Iterator<Item = B>) -> Self {
        elements.fold(Self::default(), |mut survey, element| {
            survey.count += 1;
            survey.see(element.as_ref());
            survey
        })
    }

    #[inline]
    fn see(&mut self, bytes: &[u8]) {
        self.longest = self.longest.max(bytes.len());
    }

    /// An empty collection is never packed: servers refuse it so.
    fn is_within(self, entries: usize, value: usize) -> bool {
        self.count > 0 && self.count <= entries && self.longest <= value
    }
}

/// Where a list's nodes end: as much as 8 KiB hold, a longer element alone.
#[derive(Default)]
struct Nodes {
    size: usize,
}

impl Nodes {
    /// An element follows: does it begin a node?
    fn begins(&mut self, element: &[u8]) -> bool {
        let room = Pack::room(element);
        let begins = self.size == 0 || self.size + room > RDB_LIST_NODE;
        self.size = if begins { room } else { self.size + room };
        begins
    }
}

impl<W: Write> Writer<W> {
    /// A list, from its head to its tail.
    ///
    /// # Errors
    /// [`WriteError::Unfit`](super::WriteError::Unfit), and the sink's.
    pub fn list<I>(&mut self, key: &KeyMeta<'_>, elements: I) -> Written
    where
        I: IntoIterator<Item: AsRef<[u8]>> + Clone,
    {
        let survey = Survey::of(elements.clone().into_iter());
        self.demand_length(survey.count.max(survey.longest))?;
        match self.version() {
            // A plain list is read by every version; its elements need not be held.
            _ if survey.count == 0 => self.each(key, 1, survey.count, elements),
            10.. => self.quicklist(key, elements, false),
            7.. if survey.longest <= MAX_RDB_NODE_HELD => self.quicklist(key, elements, true),
            2..7 if survey.is_within(self.limits.list_entries, self.limits.list_value) => {
                self.begin_key(key, 10)?;
                let mut pack = Pack::new(true);
                elements.into_iter().for_each(|element| pack.text(element.as_ref()));
                Ok(self.out.string(pack.finish())?)
            }
            _ => self.each(key, 1, survey.count, elements),
        }
    }

    /// A list in nodes: ziplists, or listpacks and plain nodes for what is longer than a node.
    fn quicklist<I>(&mut self, key: &KeyMeta<'_>, elements: I, ziplist: bool) -> Written
    where
        I: IntoIterator<Item: AsRef<[u8]>> + Clone,
    {
        let mut nodes = Nodes::default();
        let count = elements.clone().into_iter().filter(|element| nodes.begins(element.as_ref())).count();
        self.begin_key(key, if ziplist { 14 } else { 18 })?;
        self.out.count(count)?;
        let (mut pack, mut nodes) = (Pack::new(ziplist), Nodes::default());
        for element in elements {
            let element = element.as_ref();
            if nodes.begins(element) {
                self.node(&mut pack, ziplist)?;
            }
            if !ziplist && Pack::room(element) > RDB_LIST_NODE {
                self.out.number(1)?;
                self.out.string(element)?;
                nodes = Nodes::default();
            } else {
                pack.text(element);
            }
        }
        self.node(&mut pack, ziplist)
    }

    /// Writes a packed node, if it holds anything.
    fn node(&mut self, pack: &mut Pack, ziplist: bool) -> Written {
        if !pack.is_empty() {
            if !ziplist {
                self.out.number(2)?;
            }
            self.out.string(pack.finish())?;
            pack.clear();
        }
        Ok(())
    }

    /// A count, and strings one by one.
    fn each<I>(&mut self, key: &KeyMeta<'_>, rdb_type: u8, count: usize, elements: I) -> Written
    where
        I: IntoIterator<Item: AsRef<[u8]>>,
    {
        self.begin_key(key, rdb_type)?;
        self.out.count(count)?;
        for element in elements {
            self.out.string(element.as_ref())?;
        }
        Ok(())
    }

    /// A set.
    ///
    /// # Errors
    /// [`WriteError::Unfit`](super::WriteError::Unfit), and the sink's.
    pub fn set<I>(&mut self, key: &KeyMeta<'_>, members: I) -> Written
    where
        I: IntoIterator<Item: AsRef<[u8]>> + Clone,
    {
        let survey = Survey::of(members.clone().into_iter());
        self.demand_length(survey.count.max(survey.longest))?;
        // No integer's text is longer than this.
        if self.version() >= 2 && survey.is_within(self.limits.set_intset_entries, 20) {
            let integers: Option<Vec<i64>> =
                members.clone().into_iter().map(|member| canonical(member.as_ref())).collect();
            if let Some(mut integers) = integers {
                integers.sort_unstable();
                if integers.is_sorted_by(|a, b| a < b) {
                    self.begin_key(key, 11)?;
                    return Ok(self.out.string(&intset(&integers))?);
                }
            }
        }
        if self.version() >= 11 && survey.is_within(self.limits.set_entries, self.limits.set_value) {
            self.begin_key(key, 20)?;
            let mut pack = Pack::new(false);
            members.into_iter().for_each(|member| pack.text(member.as_ref()));
            return Ok(self.out.string(pack.finish())?);
        }
        self.each(key, 2, survey.count, members)
    }

    /// A sorted set: members and scores in any order. Servers write descending ones, which load fastest.
    ///
    /// # Errors
    /// [`WriteError::Unfit`](super::WriteError::Unfit), and the sink's.
    pub fn sorted_set<I, B>(&mut self, key: &KeyMeta<'_>, members: I) -> Written
    where
        I: IntoIterator<Item = (B, f64)> + Clone,
        B: AsRef<[u8]>,
    {
        let mut survey = Survey::default();
        let mut numbers = true;
        for (member, score) in members.clone() {
            survey.count += 1;
            survey.see(member.as_ref());
            numbers &= !score.is_nan();
        }
        self.demand_length(survey.count.max(survey.longest))?;
        let version = self.version();
        if version >= 2 && numbers && survey.is_within(self.limits.zset_entries, self.limits.zset_value) {
            self.begin_key(key, if version >= 10 { 17 } else { 12 })?;
            let mut sorted: Vec<(B, f64)> = members.into_iter().collect();
            // -0 and 0 are one score; then the members decide.
            sorted.sort_by(|(a, low), (b, high)| {
                low.partial_cmp(high).unwrap_or(std::cmp::Ordering::Equal).then_with(|| a.as_ref().cmp(b.as_ref()))
            });
            let mut pack = Pack::new(version < 10);
            for (member, score) in sorted {
                pack.text(member.as_ref());
                pack.push(Entry::text(score_text(score).as_bytes()));
            }
            return Ok(self.out.string(pack.finish())?);
        }
        self.begin_key(key, if version >= 8 { 5 } else { 3 })?;
        self.out.count(survey.count)?;
        for (member, score) in members {
            self.out.string(member.as_ref())?;
            if version >= 8 {
                self.out.put(&score.to_le_bytes())?;
            } else {
                self.text_double(score)?;
            }
        }
        Ok(())
    }

    /// A double as versions below 8 have it.
    fn text_double(&mut self, score: f64) -> Written {
        match score {
            _ if score.is_nan() => self.out.byte(253)?,
            f64::INFINITY => self.out.byte(254)?,
            f64::NEG_INFINITY => self.out.byte(255)?,
            _ => {
                let text = score_text(score);
                // Far below 253 bytes: 17 digits, a sign, a point and an exponent.
                self.out.byte(text.len() as u8)?;
                self.out.put(text.as_bytes())?;
            }
        }
        Ok(())
    }

    /// A hash: fields, values, and when the field expires, in milliseconds since 1970.
    ///
    /// # Errors
    /// [`WriteError::Unfit`](super::WriteError::Unfit), where a field expires below REDIS0012, and the sink's.
    pub fn hash<I, F, V>(&mut self, key: &KeyMeta<'_>, fields: I) -> Written
    where
        I: IntoIterator<Item = (F, V, Option<i64>)> + Clone,
        F: AsRef<[u8]>,
        V: AsRef<[u8]>,
    {
        let mut survey = Survey::default();
        let mut least: Option<i64> = None;
        for (field, value, expiry) in fields.clone() {
            survey.count += 1;
            survey.see(field.as_ref());
            survey.see(value.as_ref());
            least = [least, expiry].into_iter().flatten().min();
        }
        self.demand_length(survey.count.max(survey.longest))?;
        if least.is_some() {
            self.demand(Need::FieldExpiry)?;
        }
        let version = self.version();
        let small = survey.is_within(self.limits.hash_entries, self.limits.hash_value);
        match (least, self.target.header.format) {
            (None, _) if small && version >= 4 => {
                self.begin_key(key, if version >= 10 { 16 } else { 13 })?;
                let mut pack = Pack::new(version < 10);
                for (field, value, _) in fields {
                    pack.text(field.as_ref());
                    pack.text(value.as_ref());
                }
                Ok(self.out.string(pack.finish())?)
            }
            (None, _) => {
                self.begin_key(key, 4)?;
                self.out.count(survey.count)?;
                for (field, value, _) in fields {
                    self.out.string(field.as_ref())?;
                    self.out.string(value.as_ref())?;
                }
                Ok(())
            }
            (Some(_), Format::Valkey) => {
                self.begin_key(key, 22)?;
                self.out.count(survey.count)?;
                for (field, value, expiry) in fields {
                    self.out.string(field.as_ref())?;
                    self.out.string(value.as_ref())?;
                    // -1 is none; the millisecond before is as long past.
                    let expiry = expiry.map_or(-1, |expiry| if expiry == -1 { -2 } else { expiry });
                    self.out.put(&expiry.to_le_bytes())?;
                }
                Ok(())
            }
            // In the packed form 0 is none and nothing is before it.
            (Some(least @ 1..), Format::Redis) if small => {
                self.begin_key(key, 25)?;
                self.out.put(&least.to_le_bytes())?;
                let mut sorted: Vec<(F, V, Option<i64>)> = fields.into_iter().collect();
                sorted.sort_by_key(|(.., expiry)| expiry.unwrap_or(i64::MAX));
                let mut pack = Pack::new(false);
                for (field, value, expiry) in sorted {
                    pack.text(field.as_ref());
                    pack.text(value.as_ref());
                    pack.push(Entry::Integer(expiry.unwrap_or(0)));
                }
                Ok(self.out.string(pack.finish())?)
            }
            (Some(least), Format::Redis) => {
                self.begin_key(key, 24)?;
                self.out.put(&least.to_le_bytes())?;
                self.out.count(survey.count)?;
                for (field, value, expiry) in fields {
                    self.out.number(
                        expiry.map_or(0, |expiry| expiry.wrapping_sub(least).cast_unsigned().saturating_add(1)),
                    )?;
                    self.out.string(field.as_ref())?;
                    self.out.string(value.as_ref())?;
                }
                Ok(())
            }
        }
    }
}

/// A score's shortest text that `strtod` reads back as the same number.
fn score_text(score: f64) -> String {
    match score.abs() {
        f64::INFINITY => if score > 0.0 { "inf" } else { "-inf" }.to_owned(),
        0.0 => if score.is_sign_negative() { "-0" } else { "0" }.to_owned(),
        1e-5..1e17 => score.to_string(),
        _ => format!("{score:e}"),
    }
}
