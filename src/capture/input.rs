//! The one buffer between a capture file and its frames. It is filled by large reads; records are decoded where they
//! lie, and frames are slices of it. Only the partial record at the buffer's end is ever moved.

use crate::bounds::READ_BUFFER;
use std::io::{self, Cursor, Read};
use std::ops::Range;

/// A byte source with a window on it.
pub(super) struct Input {
    source: Box<dyn Read + Send>,
    buffer: Vec<u8>,
    /// The window: 0 <= start <= end <= buffer.len().
    start: usize,
    end: usize,
    /// The position in the source of the buffer's first byte.
    base: u64,
    /// The source has said that it is over; it is not asked again (a terminal or a growing file would go on).
    ended: bool,
}

impl Input {
    pub(super) fn new(source: Box<dyn Read + Send>) -> Self {
        Self { source, buffer: vec![0; READ_BUFFER], start: 0, end: 0, base: 0, ended: false }
    }

    /// What is in the window: at least as much as the last [`Input::need`] asked for, if that said true.
    #[inline]
    pub(super) fn available(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    /// The bytes at absolute places in the buffer, valid until the next `need` or `skip`.
    #[inline]
    pub(super) fn slice(&self, range: Range<usize>) -> &[u8] {
        &self.buffer[range]
    }

    /// The place in the buffer of the window's first byte, for [`Input::slice`].
    #[inline]
    pub(super) fn place(&self) -> usize {
        self.start
    }

    /// How many bytes of the source lie before the window.
    #[inline]
    pub(super) fn offset(&self) -> u64 {
        self.base + self.start as u64
    }

    /// Moves the window on by `count` bytes, which must be in it.
    #[inline]
    pub(super) fn consume(&mut self, count: usize) {
        debug_assert!(count <= self.end - self.start);
        self.start = (self.start + count).min(self.end);
    }

    /// Makes at least `count` bytes available; false where the source ends before. Reads no further than it must, so
    /// that a packet from a live pipe is not held up by the next one. The caller has checked `count` against a bound.
    #[inline]
    pub(super) fn need(&mut self, count: usize) -> io::Result<bool> {
        if self.end - self.start >= count { Ok(true) } else { self.fill(count) }
    }

    #[cold]
    #[inline(never)]
    fn fill(&mut self, count: usize) -> io::Result<bool> {
        self.buffer.copy_within(self.start..self.end, 0);
        self.base += self.start as u64;
        self.end -= self.start;
        self.start = 0;
        if self.buffer.len() < count {
            self.buffer.resize(count, 0);
        }
        while self.end < count && !self.ended {
            match self.source.read(&mut self.buffer[self.end..]) {
                Ok(0) => self.ended = true,
                Ok(read) => self.end += read.min(self.buffer.len() - self.end),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(self.end >= count)
    }

    /// Moves the window on by `count` bytes without ever holding them all; false where the source ends before.
    pub(super) fn skip(&mut self, mut count: u64) -> io::Result<bool> {
        while count > 0 {
            if !self.need(1)? {
                return Ok(false);
            }
            let step = (self.available().len() as u64).min(count);
            self.consume(step as usize);
            count -= step;
        }
        Ok(true)
    }

    /// The source again, from the window's first byte on: for a decompressor to be put in between.
    pub(super) fn into_reader(mut self) -> Box<dyn Read + Send> {
        self.buffer.truncate(self.end);
        self.buffer.drain(..self.start);
        Box::new(Cursor::new(self.buffer).chain(self.source))
    }
}
