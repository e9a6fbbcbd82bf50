//! Commands off a client's bytes, which may be cut anywhere.
//!
//! A command in RESP form stays where it lies: its arguments are ranges of the connection's buffer. What was found of one
//! that is not whole yet is remembered, so that no byte is looked at twice however many arguments it has.

use super::args::{Args, Ranges};
use super::config::split;
use crate::bounds::MAX_INLINE;

/// Limits of what a client may send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Arguments of a command.
    pub arguments: usize,
    /// Bytes of one argument: `proto-max-bulk-len`.
    pub argument: usize,
}

impl Limits {
    /// What a client may send before it has authenticated, since 6.2.
    pub const STRANGER: Self = Self { arguments: 10, argument: 16 << 10 };
}

/// What is wrong with a client's bytes, in the servers' words. The connection is closed after it is told.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("ERR Protocol error: {0}")]
pub struct ProtocolError(String);

/// Where the reader stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Place {
    /// Between two commands.
    #[default]
    Start,
    /// In a command: so many arguments are still to come, the next one's `$` stands here.
    Arguments { left: usize, at: usize },
}

/// Reads commands.
#[derive(Debug, Default)]
pub struct Requests {
    place: Place,
    ranges: Ranges,
    /// An inline command's words, one behind the other.
    words: Vec<u8>,
    inline: bool,
}

/// A line's number and the place behind the line; `None` where the line is not whole.
type Line = Option<(i64, usize)>;

impl Requests {
    /// Looks for a command at the beginning of `bytes`, which must begin with what the last call left there. Gives its
    /// length; [`Requests::args`] has its arguments, none if it is an empty line or an empty array.
    ///
    /// # Errors
    /// [`ProtocolError`].
    pub fn next(&mut self, bytes: &[u8], limits: Limits) -> Result<Option<usize>, ProtocolError> {
        if self.place == Place::Start {
            self.ranges.clear();
            self.inline = false;
            match bytes.first() {
                None => return Ok(None),
                Some(b'*') => {
                    let error = || ProtocolError("invalid multibulk length".to_owned());
                    let Some((count, at)) = line(bytes, 1, "too big mbulk count string")? else { return Ok(None) };
                    let left = match usize::try_from(count) {
                        Ok(count) if count <= limits.arguments => count,
                        Ok(_) if limits == Limits::STRANGER => {
                            return Err(ProtocolError("unauthenticated multibulk length".to_owned()));
                        }
                        Ok(_) => return Err(error()),
                        Err(_) if count == i64::MIN => return Err(error()),
                        Err(_) => 0,
                    };
                    self.place = Place::Arguments { left, at };
                }
                Some(_) => return self.inline(bytes),
            }
        }
        self.arguments(bytes, limits)
    }

    /// Goes on with the arguments of a command in RESP form.
    fn arguments(&mut self, bytes: &[u8], limits: Limits) -> Result<Option<usize>, ProtocolError> {
        while let Place::Arguments { left, at } = self.place {
            if left == 0 {
                self.place = Place::Start;
                return Ok(Some(at));
            }
            match bytes.get(at) {
                None => return Ok(None),
                Some(b'$') => {}
                Some(other) => {
                    return Err(ProtocolError(format!("expected '$', got '{}'", char::from(*other))));
                }
            }
            let Some((length, from)) = line(bytes, at + 1, "too big bulk count string")? else { return Ok(None) };
            let length = match usize::try_from(length) {
                Ok(length) if length <= limits.argument => length,
                Ok(_) if limits == Limits::STRANGER => {
                    return Err(ProtocolError("unauthenticated bulk length".to_owned()));
                }
                _ => return Err(ProtocolError("invalid bulk length".to_owned())),
            };
            // The line end behind it is not looked at, as in the servers.
            if bytes.len() < from + length + 2 {
                return Ok(None);
            }
            self.ranges.push((from, from + length));
            self.place = Place::Arguments { left: left - 1, at: from + length + 2 };
        }
        Ok(None)
    }

    /// A line of words.
    fn inline(&mut self, bytes: &[u8]) -> Result<Option<usize>, ProtocolError> {
        let Some(end) = memchr::memchr(b'\n', bytes) else {
            if bytes.len() > MAX_INLINE {
                return Err(ProtocolError("too big inline request".to_owned()));
            }
            return Ok(None);
        };
        self.inline = true;
        self.words.clear();
        let line = bytes.get(..end).unwrap_or_default();
        let words = split(line).ok_or_else(|| ProtocolError("unbalanced quotes in request".to_owned()))?;
        words.iter().for_each(|word| self.word(word));
        Ok(Some(end + 1))
    }

    fn word(&mut self, word: &[u8]) {
        let from = self.words.len();
        self.words.extend_from_slice(word);
        self.ranges.push((from, self.words.len()));
    }

    /// The arguments of the command that was found at the beginning of `bytes`, `length` long.
    #[must_use]
    pub fn args<'a>(&'a self, bytes: &'a [u8], length: usize) -> Args<'a> {
        if self.inline {
            Args::new(&self.words, &self.ranges, None)
        } else {
            Args::new(bytes, &self.ranges, bytes.get(..length))
        }
    }

    /// The command that was just found is to be found again: it is not to be run yet.
    pub fn again(&mut self) {
        self.place = Place::Start;
    }

    /// Whether it stands between two commands.
    #[must_use]
    pub fn is_at_start(&self) -> bool {
        self.place == Place::Start
    }
}

/// A number up to CRLF.
fn line(bytes: &[u8], from: usize, too_long: &str) -> Result<Line, ProtocolError> {
    let rest = bytes.get(from..).unwrap_or_default();
    let Some(end) = memchr::memchr(b'\r', rest) else {
        return if rest.len() > MAX_INLINE { Err(ProtocolError(too_long.to_owned())) } else { Ok(None) };
    };
    if rest.len() < end + 2 {
        return Ok(None);
    }
    // What is no number becomes one that is refused.
    let number = rest.get(..end).and_then(super::value::integer).unwrap_or(i64::MIN);
    Ok(Some((number, from + end + 2)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LIMITS: Limits = Limits { arguments: 1000, argument: 1 << 20 };

    /// All commands of some bytes that come in pieces, as words.
    fn read(bytes: &[u8], size: usize) -> Result<Vec<Vec<Vec<u8>>>, ProtocolError> {
        let (mut requests, mut buffer, mut commands) = (Requests::default(), Vec::new(), Vec::new());
        for piece in bytes.chunks(size.max(1)) {
            buffer.extend_from_slice(piece);
            while let Some(length) = requests.next(&buffer, LIMITS)? {
                let args = requests.args(&buffer, length);
                commands.push(args.from(0).map(<[u8]>::to_vec).collect());
                buffer.drain(..length);
            }
        }
        Ok(commands)
    }

    #[test]
    fn both_forms_however_they_are_cut() {
        let bytes = b"*2\r\n$3\r\nGET\r\n$1\r\nk\r\nPING\r\n\r\nSET a \"b c\"\n*0\r\n*-1\r\n*1\r\n$4\r\nPING\r\n";
        let words = |text: &str| text.split('|').map(|word| word.as_bytes().to_vec()).collect::<Vec<_>>();
        let wanted = vec![words("GET|k"), words("PING"), vec![], words("SET|a|b c"), vec![], vec![], words("PING")];
        for size in 1..bytes.len() {
            assert_eq!(read(bytes, size), Ok(wanted.clone()), "{size}");
        }
    }

    #[test]
    fn bytes_of_a_line_stay_what_they_are() {
        let words = vec![vec![b"SET".to_vec(), b"k".to_vec(), vec![0x80], vec![0xff]]];
        assert_eq!(read(b"SET k \"\\x80\" \xff\r\n", 100), Ok(words));
    }

    #[test]
    fn what_is_wrong_is_said_in_the_servers_words() {
        for (bytes, error) in [
            ("*x\r\n", "invalid multibulk length"),
            ("*1001\r\n", "invalid multibulk length"),
            ("*1\r\n:3\r\n", "expected '$', got ':'"),
            ("*1\r\n$-1\r\n", "invalid bulk length"),
            ("*1\r\n$1048577\r\n", "invalid bulk length"),
            ("SET \"a\n", "unbalanced quotes in request"),
        ] {
            assert_eq!(read(bytes.as_bytes(), 3), Err(ProtocolError(error.to_owned())), "{bytes}");
        }
        assert!(read("x".repeat(70_000).as_bytes(), 1000).is_err());
        assert!(read(format!("*{}", "1".repeat(70_000)).as_bytes(), 1000).is_err());
    }

    proptest! {
        #[test]
        fn no_bytes_do_harm(bytes in prop::collection::vec(prop_oneof![Just(b'*'), Just(b'$'), Just(b'\r'), Just(b'\n'), Just(b'1'), any::<u8>()], 0..200), size in 1..20_usize) {
            let _ = read(&bytes, size);
        }
    }
}
