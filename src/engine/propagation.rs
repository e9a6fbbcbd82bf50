//! What goes into the replication stream.
//!
//! A command has effects: as a rule itself, word for word; sometimes other commands, which say what came of it (`SET …
//! PXAT`, `SREM` for SPOP), before it the DEL of a key found expired; often nothing. The effects of one command, one
//! transaction or one script are a unit: if there are several, they go between MULTI and EXEC, since a replica must not
//! be seen between them. SELECT goes before the first and wherever the database changes.

use super::dialect::Dialect;

/// Gathers effects and writes the stream.
#[derive(Debug, Default)]
pub struct Stream {
    /// What the stream has and the backlog has not yet.
    out: Vec<u8>,
    /// The database that the stream is in; `None` where the next command needs a SELECT in any case.
    selected: Option<usize>,
    /// The unit under way: its commands' bytes, and for each its end among them and its database.
    bytes: Vec<u8>,
    ends: Vec<(usize, Option<usize>)>,
    /// The unit is a transaction that a client made.
    transaction: bool,
    /// Nobody listens and nothing is kept.
    idle: bool,
}

impl Stream {
    /// Whether effects are to be kept: a master without replicas and backlog writes no stream.
    pub fn set_idle(&mut self, idle: bool) {
        self.idle = idle;
    }

    /// The next command needs a SELECT: a new replica begins at database 0, a new history anywhere.
    pub fn forget_database(&mut self) {
        self.selected = None;
    }

    /// The database that the stream is in, where it is known.
    #[must_use]
    pub fn selected(&self) -> Option<usize> {
        self.selected
    }

    /// The stream goes on in this database: a replica that has become master, or a snapshot's aux field.
    pub fn continue_in(&mut self, db: Option<usize>) {
        self.selected = db;
    }

    /// An effect that is a command as it came on the wire.
    pub fn push_wire(&mut self, db: usize, wire: &[u8]) {
        if !self.idle {
            self.bytes.extend_from_slice(wire);
            self.ends.push((self.bytes.len(), Some(db)));
        }
    }

    /// An effect by its words.
    pub fn push<'a>(&mut self, db: usize, words: impl ExactSizeIterator<Item = &'a [u8]>) {
        self.push_in(Some(db), words);
    }

    /// An effect that is of no database: FUNCTION, PUBLISH.
    pub fn push_anywhere<'a>(&mut self, words: impl ExactSizeIterator<Item = &'a [u8]>) {
        self.push_in(None, words);
    }

    fn push_in<'a>(&mut self, db: Option<usize>, words: impl ExactSizeIterator<Item = &'a [u8]>) {
        if !self.idle {
            encode(&mut self.bytes, words);
            self.ends.push((self.bytes.len(), db));
        }
    }

    /// The unit under way is a client's transaction.
    pub fn mark_transaction(&mut self) {
        self.transaction = true;
    }

    /// How many effects the unit under way has.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.ends.len()
    }

    /// The unit is complete.
    pub fn end_unit(&mut self, dialect: Dialect) {
        let transaction = std::mem::take(&mut self.transaction);
        if self.ends.is_empty() {
            return;
        }
        // Since 7.0 several effects are always one unit, and a transaction of one is none; before, MULTI is what the
        // client said, and the SELECT comes before it.
        let wrapped = if dialect.since(7, 0) { self.ends.len() > 1 } else { transaction };
        if wrapped {
            if !dialect.since(7, 0)
                && let Some(&(_, Some(db))) = self.ends.first()
            {
                self.select(db);
            }
            self.out.extend_from_slice(b"*1\r\n$5\r\nMULTI\r\n");
        }
        let (bytes, ends) = (std::mem::take(&mut self.bytes), std::mem::take(&mut self.ends));
        let mut start = 0;
        for &(end, db) in &ends {
            if let Some(db) = db {
                self.select(db);
            }
            self.out.extend_from_slice(bytes.get(start..end).unwrap_or_default());
            start = end;
        }
        if wrapped {
            self.out.extend_from_slice(b"*1\r\n$4\r\nEXEC\r\n");
        }
        (self.bytes, self.ends) = (bytes, ends);
        self.bytes.clear();
        self.ends.clear();
    }

    fn select(&mut self, db: usize) {
        if self.selected != Some(db) {
            self.selected = Some(db);
            encode(&mut self.out, [&b"SELECT"[..], itoa::Buffer::new().format(db).as_bytes()].into_iter());
        }
    }

    /// What was written since it was taken last.
    #[must_use]
    pub fn written(&self) -> &[u8] {
        &self.out
    }

    /// It was passed on.
    pub fn clear(&mut self) {
        self.out.clear();
    }
}

/// Writes a command as an array of bulk strings.
pub fn encode<'a>(out: &mut Vec<u8>, words: impl ExactSizeIterator<Item = &'a [u8]>) {
    let mut decimal = itoa::Buffer::new();
    out.push(b'*');
    out.extend_from_slice(decimal.format(words.len()).as_bytes());
    out.extend_from_slice(b"\r\n");
    for word in words {
        out.push(b'$');
        out.extend_from_slice(decimal.format(word.len()).as_bytes());
        out.extend_from_slice(b"\r\n");
        out.extend_from_slice(word);
        out.extend_from_slice(b"\r\n");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(stream: &Stream) -> String {
        let text = String::from_utf8(stream.written().to_vec()).unwrap();
        text.split("\r\n").filter(|line| !line.starts_with(['*', '$'])).collect::<Vec<_>>().join(" ").trim().to_owned()
    }

    fn push(stream: &mut Stream, db: usize, text: &str) {
        stream.push(db, text.split(' ').map(str::as_bytes).collect::<Vec<_>>().into_iter());
    }

    #[test]
    fn several_effects_are_a_transaction() {
        let mut stream = Stream::default();
        push(&mut stream, 0, "SET a 1");
        stream.end_unit(Dialect::DEFAULT);
        push(&mut stream, 0, "DEL b");
        push(&mut stream, 3, "SET b 1");
        stream.end_unit(Dialect::DEFAULT);
        stream.end_unit(Dialect::DEFAULT);
        assert_eq!(words(&stream), "SELECT 0 SET a 1 MULTI DEL b SELECT 3 SET b 1 EXEC");
    }

    #[test]
    fn before_7_0_a_transaction_is_what_the_client_made_one() {
        let old: Dialect = "redis-6.2".parse().unwrap();
        let mut stream = Stream::default();
        push(&mut stream, 0, "DEL b");
        push(&mut stream, 0, "SET b 1");
        stream.end_unit(old);
        push(&mut stream, 1, "SET c 1");
        stream.mark_transaction();
        stream.end_unit(old);
        assert_eq!(words(&stream), "SELECT 0 DEL b SET b 1 SELECT 1 MULTI SET c 1 EXEC");
    }

    #[test]
    fn nothing_is_kept_for_nobody() {
        let mut stream = Stream::default();
        stream.set_idle(true);
        push(&mut stream, 0, "SET a 1");
        stream.end_unit(Dialect::DEFAULT);
        assert!(stream.written().is_empty());
    }
}
