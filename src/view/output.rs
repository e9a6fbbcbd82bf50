//! Where all output goes: one buffer in front of one writer, given on line by line where somebody watches.
//!
//! `println!` panics when the reader of a pipe goes away; here that is an error to be looked at once ([`Output::error`]),
//! and everything written after it is dropped.

use std::io::{self, Write};

/// A buffered writer that remembers its first error.
pub struct Output {
    writer: Box<dyn Write + Send>,
    buffer: Vec<u8>,
    error: Option<io::Error>,
    line_by_line: bool,
}

impl std::fmt::Debug for Output {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Output")
            .field("buffered", &self.buffer.len())
            .field("error", &self.error)
            .finish_non_exhaustive()
    }
}

impl Output {
    /// The buffer is given on when it is this long.
    const CHUNK: usize = 64 << 10;

    /// `line_by_line` gives every line on as soon as it is whole.
    #[must_use]
    pub fn new(writer: Box<dyn Write + Send>, line_by_line: bool) -> Self {
        Self { writer, buffer: Vec::with_capacity(Self::CHUNK + 4096), error: None, line_by_line }
    }

    /// Where the next bytes are appended.
    #[inline]
    pub fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.buffer
    }

    /// A line is whole.
    #[inline]
    pub fn end_line(&mut self) {
        self.buffer.push(b'\n');
        if self.line_by_line || self.buffer.len() >= Self::CHUNK {
            self.flush();
        }
    }

    /// Gives on what is buffered although no line has ended: in the middle of a value that is longer than the buffer
    /// ought to grow.
    #[inline]
    pub fn relieve(&mut self) {
        if self.buffer.len() >= Self::CHUNK {
            self.pass_on();
        }
    }

    /// Gives on what is buffered.
    pub fn flush(&mut self) {
        self.pass_on();
        if self.error.is_none()
            && let Err(error) = self.writer.flush()
        {
            self.error = Some(error);
        }
    }

    fn pass_on(&mut self) {
        if self.error.is_none()
            && let Err(error) = self.writer.write_all(&self.buffer)
        {
            self.error = Some(error);
        }
        self.buffer.clear();
    }

    /// The first error with its place in words, where there was one.
    ///
    /// # Errors
    /// What [`Output::error`] gives.
    pub fn result(&self) -> io::Result<()> {
        match &self.error {
            Some(error) => Err(io::Error::new(error.kind(), format!("standard output: {error}"))),
            None => Ok(()),
        }
    }

    /// The first error, after which nothing was written any more.
    #[must_use]
    pub fn error(&self) -> Option<&io::Error> {
        self.error.as_ref()
    }
}
