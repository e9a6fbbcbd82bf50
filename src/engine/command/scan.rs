//! The SCAN family over densely numbered elements.
//!
//! A cursor is the number of elements still to be visited: the walk goes from the last element down, and a removal moves
//! the last one, which was visited, into the hole. So whatever is there all the time is given, and some things twice.

use crate::engine::args::Args;
use crate::engine::error::CommandError;
use crate::engine::glob;

/// Cursor and options of a SCAN.
pub(super) struct Options<'a> {
    cursor: u64,
    count: usize,
    pattern: Option<&'a [u8]>,
    type_name: Option<&'a [u8]>,
    /// HSCAN's NOVALUES.
    pub(super) no_values: bool,
}

impl<'a> Options<'a> {
    /// Reads the cursor at `index` and what follows it. TYPE is for keys only.
    pub(super) fn read(args: Args<'a>, index: usize, of_keys: bool) -> Result<Self, CommandError> {
        let invalid = CommandError::fixed("ERR invalid cursor");
        let cursor = std::str::from_utf8(args.get(index)).ok().and_then(|text| text.parse().ok()).ok_or(invalid)?;
        let mut options = Self { cursor, count: 10, pattern: None, type_name: None, no_values: false };
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
                () => return Err(CommandError::SYNTAX),
            }
            index += 2;
        }
        Ok(options)
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
