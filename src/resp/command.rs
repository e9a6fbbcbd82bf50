//! Commands: `*<n>\r\n` and n bulk strings `$<length>\r\n<bytes>\r\n`, or one inline line of words.
//!
//! [`scan`] finds the end of a command that lies whole in one slice, which is the common case: the command is then a
//! view of those bytes. One that is cut by the end of the slice goes through [`CommandDecoder`]'s slow path, which
//! keeps its place in the grammar and the head of each argument.

use super::number;
use crate::bounds::{MAX_ARGUMENTS, MAX_BULK, MAX_INLINE, MAX_KEPT_ARGUMENTS, MAX_KEPT_COMMAND};

/// What is wrong with bytes that should have been a command or a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// A length or a count is no number, or no possible one.
    #[error("a length that is no possible number")]
    Length,
    /// `\r\n` was due.
    #[error("no CRLF where one was due")]
    LineEnd,
    /// A `$` was due in front of an argument.
    #[error("no `$` in front of an argument")]
    Bulk,
    /// An inline command is longer than servers accept.
    #[error("an inline command without an end")]
    InlineTooLong,
    /// An inline command's quotes are not balanced.
    #[error("an inline command with unbalanced quotes")]
    Quotes,
    /// A byte that begins no RESP type.
    #[error("a byte that begins no RESP value")]
    Type,
    /// Aggregates nested deeper than any server sends.
    #[error("values nested too deep")]
    Depth,
}

/// What [`scan`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scan {
    /// A whole command.
    Complete {
        /// Its bytes.
        length: usize,
        /// Its arguments, the name included; 0 for `*0` and `*-1`.
        count: usize,
        /// Where its name stands.
        name: (usize, usize),
    },
    /// The beginning of one.
    Incomplete,
}

/// Looks for one command in array form at the start of `bytes`, which must begin with `*`.
///
/// # Errors
/// Where the bytes cannot be the beginning of a command.
#[inline]
pub fn scan(bytes: &[u8]) -> Result<Scan, Malformed> {
    let (count, mut at) = match bytes.get(1..4) {
        // Nearly all commands have less than ten arguments.
        Some(&[digit @ b'0'..=b'9', b'\r', b'\n']) => (i64::from(digit - b'0'), 4),
        _ => match number(bytes, 1)? {
            Some(found) => found,
            None => return Ok(Scan::Incomplete),
        },
    };
    if count > MAX_ARGUMENTS {
        return Err(Malformed::Length);
    }
    let count = usize::try_from(count).unwrap_or(0);
    let mut name = (at, at);
    for index in 0..count {
        let Some((from, until)) = bulk(bytes, at)? else { return Ok(Scan::Incomplete) };
        if index == 0 {
            name = (from, until);
        }
        at = until + 2;
    }
    Ok(Scan::Complete { length: at, count, name })
}

/// One bulk string at `at`: where its bytes begin and end. `Ok(None)` where it is not all there.
#[inline]
fn bulk(bytes: &[u8], at: usize) -> Result<Option<(usize, usize)>, Malformed> {
    // Nearly all lengths have one digit or two.
    let (length, from) = match bytes.get(at..at + 5) {
        Some(&[b'$', digit @ b'0'..=b'9', b'\r', b'\n', _]) => (usize::from(digit - b'0'), at + 4),
        Some(&[b'$', tens @ b'0'..=b'9', ones @ b'0'..=b'9', b'\r', b'\n']) => {
            (usize::from(tens - b'0') * 10 + usize::from(ones - b'0'), at + 5)
        }
        _ => match bulk_header(bytes, at)? {
            Some(header) => header,
            None => return Ok(None),
        },
    };
    let until = from.saturating_add(length);
    match bytes.get(until..until.saturating_add(2)) {
        Some(b"\r\n") => Ok(Some((from, until))),
        Some(_) => Err(Malformed::LineEnd),
        None if bytes.get(until).is_some_and(|&byte| byte != b'\r') => Err(Malformed::LineEnd),
        None => Ok(None),
    }
}

/// A `$<length>` line of any length: the length, and where the bytes begin.
#[cold]
fn bulk_header(bytes: &[u8], at: usize) -> Result<Option<(usize, usize)>, Malformed> {
    match bytes.get(at) {
        Some(b'$') => match number(bytes, at + 1)? {
            Some((length @ 0..=MAX_BULK, from)) => Ok(Some((usize::try_from(length).unwrap_or(usize::MAX), from))),
            Some(_) => Err(Malformed::Length),
            None => Ok(None),
        },
        Some(_) => Err(Malformed::Bulk),
        None => Ok(None),
    }
}

/// A decoded command: a view of the wire's bytes, or of what the decoder kept of it.
#[derive(Clone, Copy, Debug)]
pub struct Command<'a> {
    form: Form<'a>,
    count: usize,
    bytes: u64,
}

#[derive(Clone, Copy, Debug)]
enum Form<'a> {
    Wire { bytes: &'a [u8], name: (usize, usize) },
    Kept(&'a Kept),
}

/// One argument of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Argument<'a> {
    /// Its beginning: all of it unless `length` says otherwise.
    pub head: &'a [u8],
    /// Its length on the wire.
    pub length: u64,
}

impl<'a> Command<'a> {
    /// The command's name as it was sent (its case is the sender's); empty for `*0`.
    #[inline]
    #[must_use]
    pub fn name(&self) -> &'a [u8] {
        match self.form {
            Form::Wire { bytes, name } => bytes.get(name.0..name.1).unwrap_or_default(),
            Form::Kept(kept) => kept.arguments.first().map_or(&[], |argument| kept.head(argument)),
        }
    }

    /// Whether the name is `name` (which must be in upper case), whatever the case it was sent in.
    #[inline]
    #[must_use]
    pub fn is(&self, name: &str) -> bool {
        self.name().eq_ignore_ascii_case(name.as_bytes())
    }

    /// The number of arguments, the name included.
    #[must_use]
    pub fn count(&self) -> usize {
        self.count
    }

    /// The number of bytes on the wire, framing included.
    #[inline]
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Whether it was sent as an inline line.
    #[must_use]
    pub fn inline(&self) -> bool {
        matches!(self.form, Form::Kept(kept) if kept.inline)
    }

    /// The arguments, the name first. Of a command with more than [`MAX_KEPT_ARGUMENTS`] that was split over segments,
    /// the later ones are missing; [`Command::count`] tells.
    #[must_use]
    pub fn arguments(&self) -> Arguments<'a> {
        match self.form {
            Form::Wire { bytes, name } => {
                let first = if self.count == 0 { bytes.len() } else { header_before(bytes, name.0) };
                Arguments { form: self.form, at: first }
            }
            Form::Kept(_) => Arguments { form: self.form, at: 0 },
        }
    }

    /// Appends where each argument stands in the bytes that are given back; those of a command that was kept in part
    /// ([`Command::arguments`]) are cut.
    pub fn locate(&self, ranges: &mut Vec<(usize, usize)>) -> &'a [u8] {
        match self.form {
            Form::Wire { bytes, .. } => {
                let mut at = self.arguments().at;
                while let Ok(Some((from, until))) = bulk(bytes, at) {
                    ranges.push((from, until));
                    at = until + 2;
                }
                bytes
            }
            Form::Kept(kept) => {
                ranges.extend(kept.arguments.iter().map(|argument| (argument.start, argument.start + argument.kept)));
                &kept.heap
            }
        }
    }

    /// The bytes of argument `index`, as far as they were kept.
    #[must_use]
    pub fn argument(&self, index: usize) -> Option<&'a [u8]> {
        self.arguments().nth(index).map(|argument| argument.head)
    }
}

/// Where the `$` of the bulk string stands whose bytes begin at `from`.
fn header_before(bytes: &[u8], from: usize) -> usize {
    memchr::memrchr(b'$', &bytes[..from]).unwrap_or(0)
}

/// The arguments of a command, in order.
#[derive(Clone, Debug)]
pub struct Arguments<'a> {
    form: Form<'a>,
    at: usize,
}

impl<'a> Iterator for Arguments<'a> {
    type Item = Argument<'a>;

    #[inline]
    fn next(&mut self) -> Option<Argument<'a>> {
        match self.form {
            Form::Wire { bytes, .. } => {
                let (from, until) = bulk(bytes, self.at).ok()??;
                self.at = until + 2;
                Some(Argument { head: &bytes[from..until], length: (until - from) as u64 })
            }
            Form::Kept(kept) => {
                let argument = kept.arguments.get(self.at)?;
                self.at += 1;
                Some(Argument { head: kept.head(argument), length: argument.length })
            }
        }
    }
}

/// What is kept of a command that does not lie in one slice.
#[derive(Debug, Default)]
struct Kept {
    heap: Vec<u8>,
    arguments: Vec<KeptArgument>,
    inline: bool,
}

#[derive(Clone, Copy, Debug)]
struct KeptArgument {
    start: usize,
    kept: usize,
    length: u64,
}

impl Kept {
    fn head(&self, argument: &KeptArgument) -> &[u8] {
        self.heap.get(argument.start..argument.start + argument.kept).unwrap_or_default()
    }

    fn clear(&mut self) {
        self.heap.clear();
        self.arguments.clear();
        self.inline = false;
        if self.heap.capacity() > KEEP_CAPACITY {
            self.heap.shrink_to(KEEP_CAPACITY);
        }
        if self.arguments.capacity() > KEEP_CAPACITY / size_of::<KeptArgument>() {
            self.arguments.shrink_to(KEEP_CAPACITY / size_of::<KeptArgument>());
        }
    }
}

/// A buffer that grew beyond this is given back once the command that needed it is done.
const KEEP_CAPACITY: usize = 64 << 10;

/// What [`CommandDecoder::next`] found.
#[derive(Debug)]
pub enum Step<'a> {
    /// A command.
    Command(Command<'a>),
    /// A newline on its own: what both ends send to keep a quiet link alive.
    Newline,
    /// The input is used up; the beginning of a command may be kept.
    NeedMore,
    /// The bytes are no command. The decoder is at its start again; `bytes` were used up for nothing.
    Malformed {
        /// What is wrong.
        reason: Malformed,
        /// How many bytes the broken command has taken, in this slice and before it.
        bytes: u64,
    },
}

#[derive(Debug, Default)]
enum State {
    /// Between two commands.
    #[default]
    Start,
    /// In `*<n>\r\n`.
    Count,
    /// In `$<length>\r\n`, this many arguments still to come.
    Length { left: usize },
    /// In an argument's bytes.
    Body { left: usize, missing: u64 },
    /// In the CRLF behind an argument; `seen` says whether the CR has come.
    BodyEnd { left: usize, seen: bool },
    /// In an inline line.
    Inline,
}

/// Decodes commands from slices that may be cut anywhere.
#[derive(Debug)]
pub struct CommandDecoder {
    state: State,
    kept: Kept,
    /// A header line that the slice's end has cut.
    line: Vec<u8>,
    /// Bytes of the present command so far.
    taken: u64,
    count: usize,
    /// How much of each argument is kept where a command does not lie in one slice.
    keep: usize,
}

impl CommandDecoder {
    /// A decoder that keeps at least the first `keep` bytes of each argument (`usize::MAX`: all of it).
    #[must_use]
    pub fn new(keep: usize) -> Self {
        Self { state: State::Start, kept: Kept::default(), line: Vec::new(), taken: 0, count: 0, keep }
    }

    /// Whether it stands between two commands.
    #[must_use]
    pub fn is_at_start(&self) -> bool {
        matches!(self.state, State::Start)
    }

    /// Forgets a command that has begun.
    pub fn reset(&mut self) {
        self.state = State::Start;
        self.taken = 0;
    }

    /// Bytes that the command in the making has taken so far.
    #[must_use]
    pub fn taken(&self) -> u64 {
        self.taken
    }

    /// How many of the bytes to come are known to be inside an argument. A gap of at most so many does not cost the
    /// decoder its footing.
    #[must_use]
    pub fn skippable(&self) -> u64 {
        match self.state {
            State::Body { missing, .. } => missing,
            _ => 0,
        }
    }

    /// Steps over `bytes` bytes that are missing from the capture; at most [`CommandDecoder::skippable`].
    pub fn skip(&mut self, bytes: u64) {
        if let State::Body { left, missing } = self.state {
            let bytes = bytes.min(missing);
            self.taken += bytes;
            self.state = match missing - bytes {
                0 => State::BodyEnd { left, seen: false },
                missing => State::Body { left, missing },
            };
        }
    }

    /// Takes the next command off the front of `input`.
    #[inline]
    pub fn next<'s, 'i: 's>(&'s mut self, input: &mut &'i [u8]) -> Step<'s> {
        if matches!(self.state, State::Start) {
            match input.first() {
                Some(b'*') => match scan(input) {
                    Ok(Scan::Complete { length, count, name }) => {
                        let (bytes, rest) = input.split_at(length);
                        *input = rest;
                        return Step::Command(Command {
                            form: Form::Wire { bytes, name },
                            count,
                            bytes: length as u64,
                        });
                    }
                    Ok(Scan::Incomplete) => {}
                    Err(reason) => {
                        // The offending byte's place matters less than that the next `*` is looked for soon.
                        *input = &input[1..];
                        return Step::Malformed { reason, bytes: 1 };
                    }
                },
                Some(b'\n') => {
                    *input = &input[1..];
                    return Step::Newline;
                }
                Some(_) => {}
                None => return Step::NeedMore,
            }
            self.begin(input[0]);
        }
        self.slowly(input)
    }

    fn begin(&mut self, first: u8) {
        self.kept.clear();
        self.line.clear();
        self.taken = 0;
        self.count = 0;
        self.state = if first == b'*' { State::Count } else { State::Inline };
    }

    /// The decoder's slow path: on from wherever the last slice ended.
    fn slowly<'s>(&'s mut self, input: &mut &[u8]) -> Step<'s> {
        loop {
            let done = match self.state {
                State::Start => return Step::NeedMore,
                State::Count | State::Length { .. } | State::Inline => match self.take_line(input) {
                    Ok(true) => self.end_line(),
                    Ok(false) => return Step::NeedMore,
                    Err(reason) => Err(reason),
                },
                State::Body { left, missing } => {
                    if input.is_empty() {
                        return Step::NeedMore;
                    }
                    self.take_body(input, left, missing);
                    Ok(false)
                }
                State::BodyEnd { left, seen } => match self.take_byte(input) {
                    None => return Step::NeedMore,
                    Some(b'\r') if !seen => {
                        self.state = State::BodyEnd { left, seen: true };
                        Ok(false)
                    }
                    Some(b'\n') if seen => {
                        self.state = State::Length { left: left - 1 };
                        Ok(left == 1)
                    }
                    Some(_) => Err(Malformed::LineEnd),
                },
            };
            match done {
                Ok(false) => {}
                Ok(true) => {
                    self.state = State::Start;
                    if self.kept.inline && self.count == 0 {
                        return Step::Newline;
                    }
                    let command = Command { form: Form::Kept(&self.kept), count: self.count, bytes: self.taken };
                    self.taken = 0;
                    return Step::Command(command);
                }
                Err(reason) => {
                    self.state = State::Start;
                    return Step::Malformed { reason, bytes: std::mem::take(&mut self.taken) };
                }
            }
        }
    }

    fn take_byte(&mut self, input: &mut &[u8]) -> Option<u8> {
        let (&byte, rest) = input.split_first()?;
        *input = rest;
        self.taken += 1;
        Some(byte)
    }

    /// Collects a header or inline line up to its newline.
    fn take_line(&mut self, input: &mut &[u8]) -> Result<bool, Malformed> {
        let end = memchr::memchr(b'\n', input);
        let (part, rest) = input.split_at(end.map_or(input.len(), |end| end + 1));
        *input = rest;
        self.taken += part.len() as u64;
        self.line.extend_from_slice(&part[..part.len().min(MAX_INLINE + 1 - self.line.len().min(MAX_INLINE))]);
        let limit = if matches!(self.state, State::Inline) { MAX_INLINE } else { MAX_HEADER };
        if self.line.len() > limit {
            return Err(if limit == MAX_INLINE { Malformed::InlineTooLong } else { Malformed::Length });
        }
        Ok(end.is_some())
    }

    /// A line is whole: what does it say? Gives true where it was the command's last.
    fn end_line(&mut self) -> Result<bool, Malformed> {
        let line = std::mem::take(&mut self.line);
        let done = match self.state {
            State::Count => match number(&line, 1)? {
                Some((count, end)) if count <= MAX_ARGUMENTS && end == line.len() => {
                    self.count = usize::try_from(count).unwrap_or(0);
                    self.state = State::Length { left: self.count };
                    Ok(self.count == 0)
                }
                _ => Err(Malformed::Length),
            },
            State::Length { left } => {
                if line.first() != Some(&b'$') {
                    return Err(Malformed::Bulk);
                }
                match number(&line, 1)? {
                    Some((length @ 0..=MAX_BULK, end)) if end == line.len() => {
                        self.begin_argument(length as u64, left);
                        Ok(false)
                    }
                    _ => Err(Malformed::Length),
                }
            }
            _ => self.end_inline(&line).map(|()| true),
        };
        self.line = line;
        self.line.clear();
        done
    }

    fn begin_argument(&mut self, length: u64, left: usize) {
        if self.keep == usize::MAX || self.kept.arguments.len() < MAX_KEPT_ARGUMENTS {
            self.kept.arguments.push(KeptArgument { start: self.kept.heap.len(), kept: 0, length });
        }
        self.state = match length {
            0 => State::BodyEnd { left, seen: false },
            missing => State::Body { left, missing },
        };
    }

    fn take_body(&mut self, input: &mut &[u8], left: usize, missing: u64) {
        let length = usize::try_from(missing).unwrap_or(usize::MAX).min(input.len());
        let (body, rest) = input.split_at(length);
        *input = rest;
        self.taken += length as u64;
        let index = self.count - left;
        let heap = &mut self.kept.heap;
        if let Some(argument) = self.kept.arguments.get_mut(index) {
            // What a gap left out leaves a hole: the head ends there.
            let whole_so_far = argument.kept as u64 == argument.length - missing;
            let limit = if self.keep == usize::MAX {
                usize::MAX
            } else {
                self.keep.min(MAX_KEPT_COMMAND.saturating_sub(heap.len()))
            };
            if whole_so_far && argument.kept < self.keep {
                let part = &body[..body.len().min((self.keep - argument.kept).min(limit))];
                heap.extend_from_slice(part);
                argument.kept += part.len();
            }
        }
        self.state = match missing - length as u64 {
            0 => State::BodyEnd { left, seen: false },
            missing => State::Body { left, missing },
        };
    }

    /// Splits an inline command into its words, quotes and escapes as redis-server's `sdssplitargs` has them.
    fn end_inline(&mut self, line: &[u8]) -> Result<(), Malformed> {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        self.kept.inline = true;
        let mut at = 0;
        loop {
            while line.get(at).is_some_and(u8::is_ascii_whitespace) {
                at += 1;
            }
            if at >= line.len() {
                break;
            }
            let start = self.kept.heap.len();
            at = word(line, at, &mut self.kept.heap)?;
            let length = self.kept.heap.len() - start;
            self.kept.arguments.push(KeptArgument { start, kept: length, length: length as u64 });
        }
        self.count = self.kept.arguments.len();
        Ok(())
    }
}

/// The longest `*` or `$` line: a sign, [`super::MAX_DIGITS`] digits, CRLF, and some to spare.
const MAX_HEADER: usize = 32;

/// Appends one word of an inline command to `heap`; gives the place behind it.
fn word(line: &[u8], mut at: usize, heap: &mut Vec<u8>) -> Result<usize, Malformed> {
    let mut quote = None;
    while let Some(&byte) = line.get(at) {
        at += 1;
        match quote {
            None if byte.is_ascii_whitespace() => return Ok(at),
            None if byte == b'"' || byte == b'\'' => quote = Some(byte),
            Some(mark) if byte == mark => {
                return match line.get(at) {
                    None => Ok(at),
                    Some(next) if next.is_ascii_whitespace() => Ok(at),
                    Some(_) => Err(Malformed::Quotes),
                };
            }
            Some(b'"') if byte == b'\\' => at = escape(line, at, heap),
            Some(b'\'') if byte == b'\\' && line.get(at) == Some(&b'\'') => {
                heap.push(b'\'');
                at += 1;
            }
            _ => heap.push(byte),
        }
    }
    if quote.is_some() { Err(Malformed::Quotes) } else { Ok(at) }
}

/// The escape behind a backslash inside double quotes; gives the place behind it.
fn escape(line: &[u8], at: usize, heap: &mut Vec<u8>) -> usize {
    let hex = |index: usize| line.get(index).and_then(|&digit| char::from(digit).to_digit(16));
    if line.get(at) == Some(&b'x')
        && let (Some(high), Some(low)) = (hex(at + 1), hex(at + 2))
    {
        heap.push((high * 16 + low) as u8);
        return at + 3;
    }
    match line.get(at) {
        Some(&byte) => {
            heap.push(match byte {
                b'n' => b'\n',
                b'r' => b'\r',
                b't' => b'\t',
                b'b' => 8,
                b'a' => 7,
                other => other,
            });
            at + 1
        }
        None => at,
    }
}
