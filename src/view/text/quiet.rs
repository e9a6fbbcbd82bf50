//! Signs of life, folded: a link on which nothing happens shows a line for a whole run of heartbeats and ACKs.
//!
//! An ACK says nothing new where no command has come since the last one and the lag is what it was: that is what a
//! quiet link's replica sends once a second. The first ACK, one that answers GETACK, and one whose lag changes are told.

use super::page::Head;
use super::words::{count, duration};
use crate::repl::event::Side;
use crate::units::{Offset, Span, Stamp};

/// A lag that a heartbeat or two explain.
const HEARTBEATS_LAG: u64 = 64;
/// The length of `REPLCONF GETACK *`, which the ACK that answers it never covers.
const GETACK_BYTES: u64 = 37;
/// A run in progress is told after so long at first, then after twice as long each time, up to…
const FIRST_PATIENCE: u64 = 1_000_000_000;
const LAST_PATIENCE: u64 = 64_000_000_000;

/// What an ACK tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ack {
    pub(super) offset: Offset,
    pub(super) fack: Option<Offset>,
    pub(super) lag: Option<u64>,
    pub(super) delay: Option<Span>,
    pub(super) rtt: Option<Span>,
}

impl Ack {
    /// Whether it tells no more than the last one did.
    pub(super) fn repeats(&self, last: &Self) -> bool {
        let same_lag = match (self.lag, last.lag) {
            (Some(lag), Some(last)) => lag == last || lag.max(last) <= HEARTBEATS_LAG,
            (None, None) => true,
            _ => false,
        };
        let step = self.offset.0.checked_sub(last.offset.0);
        self.rtt.is_none() && same_lag && step.is_some_and(|step| step <= HEARTBEATS_LAG)
    }

    /// In words.
    pub(super) fn words(&self, first: bool) -> String {
        let mut text = "ACK  ".to_owned();
        if first {
            text.push_str("the replica is online: ");
        }
        text.push_str(&match self.lag {
            Some(GETACK_BYTES) if self.rtt.is_some() => "has applied all that came before GETACK".to_owned(),
            Some(0) => "has applied all that was sent".to_owned(),
            Some(lag) => format!("{} behind", count(lag, "byte")),
            None => "has applied all up to here".to_owned(),
        });
        if let (Some(1..), Some(delay), None) = (self.lag, self.delay, self.rtt) {
            text.push_str(&format!(", the oldest sent {} ago", duration(delay)));
        }
        if let Some(fack) = self.fack {
            text.push_str(&format!("; on disk: {fack}"));
        }
        if let Some(rtt) = self.rtt {
            text.push_str(&format!("; answers GETACK after {}", duration(rtt)));
        }
        text
    }
}

/// A run of signs of life.
#[derive(Debug, Default)]
pub(super) struct Quiet {
    pings: u64,
    newlines: u64,
    nudges: u64,
    acks: u64,
    ack: Option<Ack>,
    offset: Option<Offset>,
    bounds: Option<(Stamp, Stamp)>,
    head: Option<Head>,
    patience: u64,
}

/// A sign of life.
#[derive(Clone, Copy, Debug)]
pub(super) enum Sign {
    Heartbeat { offset: Option<Offset>, bytes: u64 },
    Ack(Ack),
}

impl Quiet {
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.bounds.is_none()
    }

    pub(super) fn add(&mut self, head: Head, stamp: Stamp, sign: Sign) {
        match sign {
            Sign::Ack(ack) => {
                self.acks += 1;
                self.ack = Some(ack);
                self.offset = Some(ack.offset);
            }
            Sign::Heartbeat { .. } if head.from == Some(Side::Replica) => self.nudges += 1,
            Sign::Heartbeat { offset, bytes } => {
                self.offset = offset;
                if bytes == 1 {
                    self.newlines += 1;
                } else {
                    self.pings += 1;
                }
            }
        }
        self.bounds = Some((self.bounds.map_or(stamp, |(first, _)| first), stamp));
        self.head = Some(head);
    }

    /// Whether the run is old enough at `now` to be told although it may go on; the next one has to be older.
    pub(super) fn is_due(&mut self, now: u64) -> bool {
        let begun = self.bounds.and_then(|(first, _)| first.time);
        let patience = self.patience.max(FIRST_PATIENCE);
        let due = begun.is_some_and(|begun| now.saturating_sub(begun.nanos) >= patience);
        if due {
            self.patience = (patience * 2).min(LAST_PATIENCE);
        }
        due
    }

    /// Something else happens: the next run is told as soon as the first one was.
    pub(super) fn stir(&mut self) {
        self.patience = 0;
    }

    /// Ends the run. Gives the line that it has become.
    pub(super) fn take(&mut self) -> Option<(Head, Option<Offset>, String)> {
        let (first, last) = self.bounds.take()?;
        let head = self.head.take()?;
        let text = self.words(last.since(first));
        let single = self.pings + self.newlines + self.nudges + self.acks == 1;
        let taken = std::mem::take(self);
        self.patience = taken.patience;
        Some((if single { head } else { head.told() }, taken.offset, text))
    }

    fn words(&self, lasted: Option<Span>) -> String {
        let signs = self.pings + self.newlines + self.nudges + self.acks;
        if signs == 1 {
            return match &self.ack {
                Some(ack) => ack.words(false),
                None => heartbeat(self.nudges == 1, self.newlines + self.nudges == 1),
            };
        }
        let mut parts = Vec::new();
        if self.pings > 0 {
            parts.push(count(self.pings, "heartbeat"));
        }
        if self.newlines > 0 {
            parts.push(format!("{} inside the stream", count(self.newlines, "newline")));
        }
        if self.nudges > 0 {
            parts.push(format!("{} from the replica (busy loading)", count(self.nudges, "newline")));
        }
        if let Some(ack) = &self.ack {
            let lag = ack.lag.map_or_else(|| "unknown".to_owned(), |lag| lag.to_string());
            let mut standing = format!("{} (offset {}, lag {lag}", count(self.acks, "ACK"), ack.offset);
            if let (Some(1..), Some(delay)) = (ack.lag, ack.delay) {
                standing.push_str(&format!(" for {}", duration(delay)));
            }
            if let Some(fack) = ack.fack {
                standing.push_str(&format!(", on disk {fack}"));
            }
            parts.push(standing + ")");
        }
        let lasted = lasted.map_or_else(String::new, |lasted| format!(" in {}", duration(lasted)));
        format!("... {}{lasted}", parts.join(", "))
    }
}

/// A single heartbeat in words.
pub(super) fn heartbeat(of_replica: bool, newline: bool) -> String {
    let text = match (of_replica, newline) {
        (true, _) => "newline  the replica is busy loading, and alive",
        (false, true) => "newline  a keep-alive inside the stream; it counts",
        (false, false) => "PING  heartbeat: the master is alive",
    };
    text.to_owned()
}
