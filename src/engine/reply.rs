//! Replies, in RESP2 or RESP3.

use super::error::CommandError;

/// Writes replies one behind the other.
#[derive(Debug, Default)]
pub struct Reply {
    bytes: Vec<u8>,
    resp3: bool,
    /// Nobody listens: what a master says is never answered.
    mute: bool,
}

impl Reply {
    /// For a client that has said HELLO 3 or not.
    #[must_use]
    pub fn new(resp3: bool) -> Self {
        Self { bytes: Vec::new(), resp3, mute: false }
    }

    /// Goes on behind what is written already.
    #[must_use]
    pub fn over(bytes: Vec<u8>, resp3: bool) -> Self {
        Self { bytes, resp3, mute: false }
    }

    /// For nobody.
    #[must_use]
    pub fn mute() -> Self {
        Self { bytes: Vec::new(), resp3: false, mute: true }
    }

    /// Which protocol is spoken from here on.
    pub fn speak_resp3(&mut self, resp3: bool) {
        self.resp3 = resp3;
    }

    /// Whether RESP3 is spoken.
    #[must_use]
    pub fn is_resp3(&self) -> bool {
        self.resp3
    }

    /// What was written.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Takes what was written away.
    pub fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.bytes)
    }

    /// Forgets what was written beyond the first `length` bytes.
    pub fn truncate(&mut self, length: usize) {
        self.bytes.truncate(length);
    }

    /// Puts bytes that are replies already in between.
    pub fn insert(&mut self, place: usize, bytes: &[u8]) {
        if !self.mute {
            let place = place.min(self.bytes.len());
            self.bytes.splice(place..place, bytes.iter().copied());
        }
    }

    /// How much was written.
    #[must_use]
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether nothing was written.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Bytes that are replies already.
    #[inline]
    pub fn raw(&mut self, bytes: &[u8]) {
        if !self.mute {
            self.bytes.extend_from_slice(bytes);
        }
    }

    #[inline]
    fn head(&mut self, sign: u8, number: i64) {
        if !self.mute {
            self.bytes.push(sign);
            self.bytes.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
            self.bytes.extend_from_slice(b"\r\n");
        }
    }

    /// `+OK`
    #[inline]
    pub fn ok(&mut self) {
        self.raw(b"+OK\r\n");
    }

    /// A status. It must not have a line's end in it.
    pub fn status(&mut self, text: &str) {
        self.raw(b"+");
        self.raw(text.as_bytes());
        self.raw(b"\r\n");
    }

    /// An error. What would end its line becomes blanks.
    pub fn error(&mut self, error: &CommandError) {
        self.raw(b"-");
        for byte in error.text().bytes() {
            self.raw(&[if matches!(byte, b'\r' | b'\n') { b' ' } else { byte }]);
        }
        self.raw(b"\r\n");
    }

    /// A number.
    #[inline]
    pub fn integer(&mut self, number: i64) {
        self.head(b':', number);
    }

    /// A number of things.
    #[inline]
    pub fn count(&mut self, number: usize) {
        self.integer(i64::try_from(number).unwrap_or(i64::MAX));
    }

    /// 1 or 0. (Commands that tell a boolean do so as a number in RESP3, too.)
    #[inline]
    pub fn flag(&mut self, flag: bool) {
        self.integer(flag.into());
    }

    /// A byte string.
    #[inline]
    pub fn bulk(&mut self, bytes: &[u8]) {
        self.head(b'$', bytes.len() as i64);
        self.raw(bytes);
        self.raw(b"\r\n");
    }

    /// A number as a byte string.
    pub fn bulk_integer(&mut self, number: i64) {
        self.bulk(itoa::Buffer::new().format(number).as_bytes());
    }

    /// No byte string.
    #[inline]
    pub fn null(&mut self) {
        self.raw(if self.resp3 { b"_\r\n" } else { b"$-1\r\n" });
    }

    /// No array.
    pub fn null_array(&mut self) {
        self.raw(if self.resp3 { b"_\r\n" } else { b"*-1\r\n" });
    }

    /// A byte string or none.
    #[inline]
    pub fn bulk_or_null(&mut self, bytes: Option<&[u8]>) {
        match bytes {
            Some(bytes) => self.bulk(bytes),
            None => self.null(),
        }
    }

    /// An array of so many values, which follow.
    #[inline]
    pub fn array(&mut self, length: usize) {
        self.head(b'*', length as i64);
    }

    /// A map of so many pairs, which follow; an array of twice as many values in RESP2.
    pub fn map(&mut self, pairs: usize) {
        if self.resp3 { self.head(b'%', pairs as i64) } else { self.array(2 * pairs) }
    }

    /// A set of so many values, which follow; an array in RESP2.
    pub fn set(&mut self, length: usize) {
        if self.resp3 { self.head(b'~', length as i64) } else { self.array(length) }
    }

    /// An out-of-band message of so many values, which follow; an array in RESP2.
    pub fn push(&mut self, length: usize) {
        if self.resp3 { self.head(b'>', length as i64) } else { self.array(length) }
    }

    /// A score or distance: a double in RESP3, its text in RESP2.
    pub fn double(&mut self, text: &[u8]) {
        if self.resp3 {
            self.raw(b",");
            self.raw(text);
            self.raw(b"\r\n");
        } else {
            self.bulk(text);
        }
    }

    /// True or false, which is 1 or nothing in RESP2.
    pub fn boolean(&mut self, truth: bool) {
        match (self.resp3, truth) {
            (true, true) => self.raw(b"#t\r\n"),
            (true, false) => self.raw(b"#f\r\n"),
            (false, truth) => self.flag(truth),
        }
    }

    /// The digits of a number too large for 64 bits.
    pub fn big_number(&mut self, digits: &str) {
        if self.resp3 {
            self.raw(b"(");
            self.raw(digits.as_bytes());
            self.raw(b"\r\n");
        } else {
            self.bulk(digits.as_bytes());
        }
    }

    /// The head of an aggregate of so many values, which have been written already from this place on.
    #[cfg(feature = "scripts")]
    pub fn head_at(&mut self, place: usize, sign: u8, length: usize) {
        if !self.mute {
            let head = format!("{}{length}\r\n", sign as char);
            let place = place.min(self.bytes.len());
            self.bytes.splice(place..place, head.into_bytes());
        }
    }

    /// Text for people: INFO, CLIENT LIST.
    pub fn verbatim(&mut self, text: &[u8]) {
        self.verbatim_of(b"txt", text);
    }

    /// Text of a kind that three letters name.
    pub fn verbatim_of(&mut self, kind: &[u8], text: &[u8]) {
        if self.resp3 {
            let mut letters = *b"   ";
            letters.iter_mut().zip(kind).for_each(|(place, letter)| *place = *letter);
            self.head(b'=', text.len() as i64 + 4);
            self.raw(&letters);
            self.raw(b":");
            self.raw(text);
            self.raw(b"\r\n");
        } else {
            self.bulk(text);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(resp3: bool, write: impl Fn(&mut Reply)) -> String {
        let mut reply = Reply::new(resp3);
        write(&mut reply);
        String::from_utf8(reply.take()).unwrap()
    }

    #[test]
    fn both_protocols() {
        let write = |reply: &mut Reply| {
            reply.map(1);
            reply.null();
            reply.double(b"1.5");
            reply.verbatim(b"x");
        };
        assert_eq!(written(false, write), "*2\r\n$-1\r\n$3\r\n1.5\r\n$1\r\nx\r\n");
        assert_eq!(written(true, write), "%1\r\n_\r\n,1.5\r\n=5\r\ntxt:x\r\n");
    }

    #[test]
    fn an_error_stays_on_its_line() {
        let error = CommandError::new("ERR unknown\r\n+OK".to_owned());
        assert_eq!(written(false, |reply| reply.error(&error)), "-ERR unknown  +OK\r\n");
    }

    #[test]
    fn a_master_is_not_answered() {
        let mut reply = Reply::mute();
        reply.array(2);
        reply.bulk(b"x");
        reply.error(&CommandError::SYNTAX);
        assert!(reply.is_empty());
    }
}
