//! What goes into the replication stream.
//!
//! A command has effects: as a rule itself, word for word; sometimes other commands, which say what came of it (`SET …
//! PXAT`, `SREM` for SPOP), before it the DEL of a key found expired; often nothing. The effects of one command, one
//! transaction or one script are a unit: if there are several, they go between MULTI and EXEC, since a replica must not
//! be seen between them. SELECT goes before the first and wherever the database changes.

use super::dialect::Dialect;
use crate::resp::encode;

/// Gathers effects; a unit that is complete is handed on piece by piece with the database that each piece works on, so that
/// whoever writes the stream can put SELECT in front.
#[derive(Debug, Default)]
pub struct Stream {
    /// The unit under way: its commands' bytes, and for each its end among them and its database.
    bytes: Vec<u8>,
    ends: Vec<(usize, Option<u32>)>,
    /// The unit is a transaction that a client made.
    transaction: bool,
    /// Nobody listens and nothing is kept.
    idle: bool,
    /// What is done now is not to be told.
    muted: bool,
}

impl Stream {
    /// Whether effects are to be kept: a master without replicas and backlog writes no stream.
    pub fn set_idle(&mut self, idle: bool) {
        self.idle = idle;
    }

    /// Effects are not to be told until this is taken back: a script has asked for that, or is told itself.
    pub fn set_muted(&mut self, muted: bool) {
        self.muted = muted;
    }

    /// An effect that is a command as it came on the wire.
    pub fn push_wire(&mut self, db: usize, wire: &[u8]) {
        if !self.idle && !self.muted {
            self.bytes.extend_from_slice(wire);
            self.ends.push((self.bytes.len(), Some(db as u32)));
        }
    }

    /// An effect by its words.
    pub fn push<'a>(&mut self, db: usize, words: impl ExactSizeIterator<Item = &'a [u8]>) {
        self.push_in(Some(db as u32), words);
    }

    /// An effect that is of no database: FUNCTION, PUBLISH.
    pub fn push_anywhere<'a>(&mut self, words: impl ExactSizeIterator<Item = &'a [u8]>) {
        self.push_in(None, words);
    }

    fn push_in<'a>(&mut self, db: Option<u32>, words: impl ExactSizeIterator<Item = &'a [u8]>) {
        if !self.idle && !self.muted {
            encode(&mut self.bytes, words);
            self.ends.push((self.bytes.len(), db));
        }
    }

    /// The unit under way is a client's transaction.
    pub fn mark_transaction(&mut self) {
        self.transaction = true;
    }

    /// Whether a unit is under way: it has effects, or is a transaction that may yet have none.
    #[must_use]
    pub fn has_unit(&self) -> bool {
        self.transaction || !self.ends.is_empty()
    }

    /// How many effects the unit under way has.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.ends.len()
    }

    /// The unit under way is not to be told.
    pub fn forget(&mut self) {
        self.transaction = false;
        self.bytes.clear();
        self.ends.clear();
    }

    /// The unit is complete: hands it on.
    pub fn end_unit(&mut self, dialect: Dialect, mut give: impl FnMut(Option<u32>, &[u8])) {
        let transaction = std::mem::take(&mut self.transaction);
        let Some(&(_, first)) = self.ends.first() else { return };
        // Since 7.0 several effects are always one unit, and a transaction of one is none; before, MULTI is what the
        // client said. Until 7.0 the SELECT comes before it.
        let modern = dialect.since(7, 0);
        let wrapped = if modern { self.ends.len() > 1 } else { transaction };
        if wrapped {
            give(if dialect.since(7, 2) { None } else { first }, b"*1\r\n$5\r\nMULTI\r\n");
        }
        let mut start = 0;
        for &(end, db) in &self.ends {
            give(db, self.bytes.get(start..end).unwrap_or_default());
            start = end;
        }
        if wrapped {
            give(None, b"*1\r\n$4\r\nEXEC\r\n");
        }
        self.bytes.clear();
        self.ends.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A unit's commands, `n:` in front of those of database n.
    fn unit(stream: &mut Stream, dialect: Dialect) -> String {
        let mut commands = Vec::new();
        stream.end_unit(dialect, |db, bytes| {
            let text = String::from_utf8(bytes.to_vec()).unwrap();
            let words: Vec<&str> = text.split("\r\n").filter(|line| !line.starts_with(['*', '$'])).collect();
            commands.push(db.map_or_else(String::new, |db| format!("{db}:")) + words.join(" ").trim());
        });
        commands.join(" | ")
    }

    fn push(stream: &mut Stream, db: usize, text: &str) {
        stream.push(db, text.split(' ').map(str::as_bytes).collect::<Vec<_>>().into_iter());
    }

    #[test]
    fn several_effects_are_a_transaction() {
        let mut stream = Stream::default();
        push(&mut stream, 0, "SET a 1");
        assert_eq!(unit(&mut stream, Dialect::DEFAULT), "0:SET a 1");
        push(&mut stream, 0, "DEL b");
        push(&mut stream, 3, "SET b 1");
        assert_eq!(unit(&mut stream, Dialect::DEFAULT), "0:MULTI | 0:DEL b | 3:SET b 1 | EXEC");
        push(&mut stream, 2, "DEL b");
        push(&mut stream, 3, "SET b 1");
        assert_eq!(unit(&mut stream, "redis-7.2".parse().unwrap()), "MULTI | 2:DEL b | 3:SET b 1 | EXEC");
        assert_eq!(unit(&mut stream, Dialect::DEFAULT), "");
    }

    #[test]
    fn before_7_0_a_transaction_is_what_the_client_made_one() {
        let old: Dialect = "redis-6.2".parse().unwrap();
        let mut stream = Stream::default();
        push(&mut stream, 0, "DEL b");
        push(&mut stream, 0, "SET b 1");
        assert_eq!(unit(&mut stream, old), "0:DEL b | 0:SET b 1");
        push(&mut stream, 1, "SET c 1");
        stream.mark_transaction();
        assert_eq!(unit(&mut stream, old), "1:MULTI | 1:SET c 1 | EXEC");
        // One without effects is none, and does not make one of what comes next.
        stream.mark_transaction();
        assert!(stream.has_unit());
        assert_eq!(unit(&mut stream, old), "");
        push(&mut stream, 1, "SET d 1");
        assert_eq!(unit(&mut stream, old), "1:SET d 1");
    }

    #[test]
    fn nothing_is_kept_for_nobody() {
        let mut stream = Stream::default();
        stream.set_idle(true);
        push(&mut stream, 0, "SET a 1");
        assert_eq!(unit(&mut stream, Dialect::DEFAULT), "");
    }
}
