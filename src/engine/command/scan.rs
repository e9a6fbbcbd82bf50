//! The SCAN family over densely numbered elements.
//!
//! A cursor is the number of elements still to be visited: the walk goes from the last element down, and a removal moves
//! the last one, which was visited, into the hole. So whatever is there all the time is given, and some things twice.

use crate::engine::args::Args;
use crate::engine::dialect::Dialect;
use crate::engine::error::CommandError;
use crate::engine::glob;
use crate::engine::reply::Reply;

/// Checks the cursor at `index`, which servers do before they look at the key.
pub(super) fn check_cursor(args: Args<'_>, index: usize) -> Result<u64, CommandError> {
    let cursor = std::str::from_utf8(args.get(index)).ok().and_then(|text| text.parse().ok());
    cursor.ok_or(CommandError::fixed("ERR invalid cursor"))
}

/// Answers for a key that is not there.
pub(super) fn answer_nothing(reply: &mut Reply) {
    reply.array(2);
    reply.bulk(b"0");
    reply.array(0);
}

/// Cursor and options of a SCAN.
pub(super) struct Options<'a> {
    cursor: u64,
    count: usize,
    pattern: Option<&'a [u8]>,
    type_name: Option<&'a [u8]>,
    /// HSCAN's NOVALUES.
    pub(super) no_values: bool,
    /// ZSCAN's NOSCORES.
    pub(super) no_scores: bool,
}

impl<'a> Options<'a> {
    /// Reads the cursor at `index` and what follows it. TYPE is for keys only.
    pub(super) fn read(args: Args<'a>, index: usize, of_keys: bool) -> Result<Self, CommandError> {
        let cursor = check_cursor(args, index)?;
        let mut options =
            Self { cursor, count: 10, pattern: None, type_name: None, no_values: false, no_scores: false };
        let mut index = index + 1;
        while index < args.len() {
            let value = args.find(index + 1).ok_or(CommandError::SYNTAX);
            match () {
                () if args.is(index, "COUNT") && value.is_ok() => {
                    let count = args.integer(index + 1)?;
                    options.count =
                        usize::try_from(count).ok().filter(|count| *count > 0).ok_or(CommandError::SYNTAX)?;
                }
                () if args.is(index, "MATCH") => options.pattern = Some(value?),
                () if args.is(index, "TYPE") && of_keys => options.type_name = Some(value?),
                () if args.is(index, "NOVALUES") && !of_keys => {
                    options.no_values = true;
                    index += 1;
                    continue;
                }
                () if args.is(index, "NOSCORES") && !of_keys => {
                    options.no_scores = true;
                    index += 1;
                    continue;
                }
                () => return Err(CommandError::SYNTAX),
            }
            index += 2;
        }
        Ok(options)
    }

    /// NOVALUES is HSCAN's, NOSCORES ZSCAN's: all other commands refuse them.
    pub(super) fn refuse_no_values(&self, dialect: Dialect) -> Result<(), CommandError> {
        let known = dialect.is_redis_since(7, 4) || dialect.is_valkey_since(8, 0);
        match (self.no_values, self.no_scores) {
            (true, _) if known => Err(CommandError::fixed("ERR NOVALUES option can only be used in HSCAN")),
            (true, _) => Err(CommandError::SYNTAX),
            (_, true) if dialect.is_valkey_since(8, 1) => {
                Err(CommandError::fixed("ERR NOSCORES option can only be used in ZSCAN"))
            }
            (_, true) => Err(CommandError::SYNTAX),
            _ => Ok(()),
        }
    }

    pub(super) fn matches(&self, name: &[u8]) -> bool {
        self.pattern.is_none_or(|pattern| glob::matches(pattern, name))
    }

    pub(super) fn wants_type(&self, name: &str) -> bool {
        self.type_name.is_none_or(|wanted| wanted.eq_ignore_ascii_case(name.as_bytes()))
    }

    /// Visits the next elements of `total`; gives the next cursor, 0 at the end, and what `visit` found.
    pub(super) fn walk<T>(&self, total: usize, mut visit: impl FnMut(usize) -> Option<T>) -> (usize, Vec<T>) {
        let start = match usize::try_from(self.cursor).unwrap_or(usize::MAX) {
            0 => total,
            cursor => cursor.min(total),
        };
        let end = start.saturating_sub(self.count);
        (end, (end..start).rev().filter_map(&mut visit).collect())
    }
}
