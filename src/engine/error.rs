//! What a command answers when it fails, in the servers' own words.

use std::borrow::Cow;

use super::dialect::Dialect;

/// An error reply, without the `-` in front.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct CommandError(Cow<'static, str>);

impl CommandError {
    /// Not the type that the command is for.
    pub const WRONG_TYPE: Self = Self::fixed("WRONGTYPE Operation against a key holding the wrong kind of value");
    /// Arguments that do not fit together.
    pub const SYNTAX: Self = Self::fixed("ERR syntax error");
    /// No integer of 64 bits.
    pub const NOT_INTEGER: Self = Self::fixed("ERR value is not an integer or out of range");
    /// No number.
    pub const NOT_FLOAT: Self = Self::fixed("ERR value is not a valid float");
    /// A key that must be there is not.
    pub const NO_SUCH_KEY: Self = Self::fixed("ERR no such key");
    /// No integer of 32 bits.
    pub const NOT_INT: Self = Self::fixed("ERR value is out of range, value must between -2147483648 and 2147483647");
    /// An index beyond the ends.
    pub const OUT_OF_RANGE: Self = Self::fixed("ERR index out of range");
    /// A sum of more than 64 bits.
    pub const OVERFLOW: Self = Self::fixed("ERR increment or decrement would overflow");
    /// A count below zero.
    pub const NEGATIVE: Self = Self::fixed(Self::NEGATIVE_TEXT);
    /// The text of [`CommandError::NEGATIVE`].
    pub const NEGATIVE_TEXT: &'static str = "ERR value is out of range, must be positive";
    /// The least number of 64 bits, which has no positive.
    pub const NOT_SYMMETRIC: Self =
        Self::fixed("ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807");
    /// The least or greatest score of a range is none.
    pub const MIN_MAX: Self = Self::fixed("ERR min or max is not a float");
    /// A string that would be longer than `proto-max-bulk-len`.
    pub const TOO_LONG: Self = Self::fixed("ERR string exceeds maximum allowed size (proto-max-bulk-len)");
    /// A client writes to a replica.
    pub const READ_ONLY: Self = Self::fixed("READONLY You can't write against a read only replica.");

    /// An error with a text that is always the same.
    #[must_use]
    pub const fn fixed(text: &'static str) -> Self {
        Self(Cow::Borrowed(text))
    }

    /// An error with a text of its own.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(Cow::Owned(text))
    }

    /// A time at which nothing can expire.
    #[must_use]
    pub fn expire_time(command: &str, dialect: Dialect) -> Self {
        Self::new(match dialect.since(7, 0) {
            true => format!("ERR invalid expire time in '{command}' command"),
            false => format!("ERR invalid expire time in {command}"),
        })
    }

    /// Too few or too many arguments for this command.
    #[must_use]
    pub fn arity(command: &str) -> Self {
        Self::new(format!("ERR wrong number of arguments for '{}' command", command.to_ascii_lowercase()))
    }

    /// The text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.0
    }
}
