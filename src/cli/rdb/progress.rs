//! How far a long run has come, for the person who waits: one line on stderr, where that is a terminal.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

use crate::view::amount::{count, size};

/// A run that is over sooner shows nothing.
const PATIENCE: Duration = Duration::from_secs(1);

/// The line is drawn anew so often.
const REDRAWN: Duration = Duration::from_millis(200);

/// The line, drawn from time to time and cleared at the end.
pub(super) struct Progress {
    /// Nobody watches, or the data goes to the same terminal.
    off: bool,
    /// Bytes of the input, where that is known.
    total: Option<u64>,
    begun: Instant,
    drawn: Option<Instant>,
}

impl Progress {
    /// `prints` tells that data is written to stdout all the while: on one terminal the two would be in each other's way.
    pub(super) fn new(total: Option<u64>, prints: bool) -> Self {
        let off = !io::stderr().is_terminal() || (prints && io::stdout().is_terminal());
        Self { off, total: total.filter(|total| *total > 0), begun: Instant::now(), drawn: None }
    }

    /// So many bytes of the input have been read, and so many keys found in them.
    pub(super) fn at(&mut self, bytes: u64, keys: Option<u64>) {
        if self.off {
            return;
        }
        let now = Instant::now();
        let running = now - self.begun;
        if running < PATIENCE || self.drawn.is_some_and(|drawn| now - drawn < REDRAWN) {
            return;
        }
        self.drawn = Some(now);
        let columns = terminal_size::terminal_size_of(io::stderr())
            .map_or(80, |(terminal_size::Width(columns), _)| usize::from(columns));
        let line: String = line(bytes, self.total, keys, running).chars().take(columns.saturating_sub(1)).collect();
        let mut stderr = io::stderr().lock();
        let _ = write!(stderr, "\r{line}\x1b[K");
        let _ = stderr.flush();
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.drawn.is_some() {
            let mut stderr = io::stderr().lock();
            let _ = write!(stderr, "\r\x1b[K");
            let _ = stderr.flush();
        }
    }
}

fn line(bytes: u64, total: Option<u64>, keys: Option<u64>, running: Duration) -> String {
    let speed = (bytes as f64 / running.as_secs_f64().max(0.001)) as u64;
    let share = match total {
        // What grows while it is read is never more than all of it.
        Some(total) => format!(
            "{:>3}%  {} of {}",
            (u128::from(bytes) * 100 / u128::from(total)).min(100),
            size(bytes),
            size(total)
        ),
        None => size(bytes),
    };
    let keys = keys.map_or_else(String::new, |keys| format!(", {}", count(keys, "key")));
    format!("{share}, {}/s{keys}", size(speed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_tells_how_far_and_how_fast() {
        let two = Duration::from_secs(2);
        assert_eq!(line(512 << 20, Some(1 << 30), Some(1), two), " 50%  512.0 MiB of 1.0 GiB, 256.0 MiB/s, 1 key");
        assert_eq!(line(4 << 20, None, Some(70), two), "4.0 MiB, 2.0 MiB/s, 70 keys");
        assert_eq!(line(3 << 20, Some(1 << 20), None, two), "100%  3.0 MiB of 1.0 MiB, 1.5 MiB/s");
    }
}
