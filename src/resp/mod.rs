//! RESP, the Redis serialization protocol: commands (arrays of bulk strings, or inline) and replies (RESP2 and RESP3).
//!
//! Grammar: <https://redis.io/docs/latest/develop/reference/protocol-spec/>. Both decoders are incremental: any split of
//! the bytes gives the same result, a byte is looked at once, and of a long value only the head is kept.

mod command;
mod encode;
mod reply;

pub use command::{Argument, Arguments, Command, CommandDecoder, Malformed, Scan, Step, scan};
pub use encode::{encode, encode_bulk, encode_head};
pub use reply::{Reply, ReplyDecoder, ReplyStep};

/// Reads the decimal number at `at` and the CRLF behind it: the number, and where the next byte stands.
/// `Ok(None)` where the bytes end too early.
#[inline]
fn number(bytes: &[u8], at: usize) -> Result<Option<(i64, usize)>, Malformed> {
    let (negative, start) = match bytes.get(at) {
        Some(b'-') => (true, at + 1),
        Some(_) => (false, at),
        None => return Ok(None),
    };
    let mut value = 0_i64;
    let mut index = start;
    loop {
        match bytes.get(index) {
            Some(digit @ b'0'..=b'9') => {
                if index - start >= MAX_DIGITS {
                    return Err(Malformed::Length);
                }
                value = value * 10 + i64::from(digit - b'0');
                index += 1;
            }
            Some(b'\r') if index > start => {
                return match bytes.get(index + 1) {
                    Some(b'\n') => Ok(Some((if negative { -value } else { value }, index + 2))),
                    Some(_) => Err(Malformed::LineEnd),
                    None => Ok(None),
                };
            }
            Some(_) => return Err(Malformed::Length),
            None => return Ok(None),
        }
    }
}

/// Digits of a length or count: as many as fit into an `i64` in any case.
const MAX_DIGITS: usize = 18;

#[cfg(test)]
mod tests;
