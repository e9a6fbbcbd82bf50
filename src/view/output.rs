//! Where all output goes: one buffer in front of one writer, given on line by line where somebody watches.
//!
//! `println!` panics when the reader of a pipe goes away; here that is an error to be looked at once ([`Output::error`]),
//! and everything written after it is dropped.

use std::fs::File;
use std::io::{self, Seek, Write};

use crate::bounds::MAX_HELD_OUTPUT;

/// A buffered writer that remembers its first error.
pub struct Output {
    writer: Box<dyn Write + Send>,
    buffer: Vec<u8>,
    error: Option<io::Error>,
    line_by_line: bool,
    /// Where in the buffer begins what is held back.
    held: Option<usize>,
    /// What makes a file for held output that is longer than the buffer ought to be; the file, and its bytes.
    make_spill: Option<fn() -> io::Result<File>>,
    spill: Option<File>,
    spilled: u64,
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
        Self {
            writer,
            buffer: Vec::with_capacity(Self::CHUNK + 4096),
            error: None,
            line_by_line,
            held: None,
            make_spill: None,
            spill: None,
            spilled: 0,
        }
    }

    /// With a way to make the file in which output is held back ([`Output::hold`]) beyond
    /// [`MAX_HELD_OUTPUT`] bytes. Without it, held output grows in memory.
    #[must_use]
    pub fn with_spill(self, make_spill: fn() -> io::Result<File>) -> Self {
        Self { make_spill: Some(make_spill), ..self }
    }

    /// What is written from here on is held back until [`Output::release`] or [`Output::discard`] decides about it.
    pub fn hold(&mut self) {
        self.held = Some(self.buffer.len());
    }

    /// What is held is wanted.
    pub fn release(&mut self) {
        if self.held.take().is_none() {
            return;
        }
        if self.spilled > 0 {
            let given = give_back(self.spill.as_mut(), &mut *self.writer);
            self.note(given);
            self.spilled = 0;
        }
        if self.line_by_line || self.buffer.len() >= Self::CHUNK {
            self.flush();
        }
    }

    /// What is held was never written.
    pub fn discard(&mut self) {
        let Some(from) = self.held.take() else { return };
        self.buffer.truncate(from);
        if self.spilled > 0 {
            self.spilled = 0;
            let emptied = self.spill.as_mut().map_or(Ok(()), empty);
            self.note(emptied);
        }
    }

    fn note(&mut self, done: io::Result<()>) {
        if let (Err(error), None) = (done, &self.error) {
            self.error = Some(error);
        }
    }

    /// The bytes at which the buffer is given on.
    fn limit(&self) -> usize {
        match (self.held, self.make_spill) {
            (None, _) => Self::CHUNK,
            (Some(_), Some(_)) => MAX_HELD_OUTPUT,
            (Some(_), None) => usize::MAX,
        }
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
        match self.held {
            None if self.line_by_line || self.buffer.len() >= Self::CHUNK => self.flush(),
            None => {}
            Some(_) => self.relieve(),
        }
    }

    /// Gives on what is buffered although no line has ended: in the middle of a value that is longer than the buffer
    /// ought to grow.
    #[inline]
    pub fn relieve(&mut self) {
        if self.buffer.len() >= self.limit() {
            self.pass_on();
        }
    }

    /// Gives on what is buffered; what is held, to the file for it.
    pub fn flush(&mut self) {
        self.pass_on();
        if self.error.is_none()
            && let Err(error) = self.writer.flush()
        {
            self.error = Some(error);
        }
    }

    fn pass_on(&mut self) {
        if self.error.is_none() {
            let (free, held) = self.buffer.split_at(self.held.unwrap_or(self.buffer.len()));
            let mut done = self.writer.write_all(free);
            if done.is_ok() && !held.is_empty() {
                done = keep(&mut self.spill, self.make_spill, held);
                self.spilled += held.len() as u64;
            }
            self.note(done);
        }
        self.held = self.held.map(|_| 0);
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

/// Appends to the file, which is made where there is none yet.
fn keep(spill: &mut Option<File>, make: Option<fn() -> io::Result<File>>, bytes: &[u8]) -> io::Result<()> {
    let named = |error: io::Error| io::Error::new(error.kind(), format!("a temporary file: {error}"));
    if let (None, Some(make)) = (&spill, make) {
        *spill = Some(make().map_err(named)?);
    }
    spill.as_mut().map_or(Ok(()), |file| file.write_all(bytes).map_err(named))
}

fn give_back(spill: Option<&mut File>, writer: &mut dyn Write) -> io::Result<()> {
    let Some(file) = spill else { return Ok(()) };
    file.rewind()?;
    io::copy(file, writer)?;
    empty(file)
}

fn empty(file: &mut File) -> io::Result<()> {
    file.set_len(0)?;
    file.rewind()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn held_lines_come_in_their_place_or_not_at_all() {
        for (line_by_line, size) in [(false, 10), (true, 10), (false, 100_000), (true, 3 * MAX_HELD_OUTPUT)] {
            let written = Written::default();
            let mut output = Output::new(Box::new(written.clone()), line_by_line).with_spill(tempfile::tempfile);
            let mut expected = Vec::new();
            for number in 0..6u8 {
                let line = vec![b'0' + number; size];
                if number > 0 {
                    output.hold();
                }
                for part in line.chunks(50_000) {
                    output.buffer().extend_from_slice(part);
                    output.relieve();
                    assert!(output.buffer().len() <= MAX_HELD_OUTPUT + 50_000);
                }
                output.end_line();
                if number % 2 == 1 {
                    output.discard();
                } else {
                    output.release();
                    expected.extend([&line[..], b"\n"].concat());
                }
            }
            output.flush();
            output.result().unwrap();
            assert!(*written.0.lock().unwrap() == expected, "{size}");
        }
    }
}
