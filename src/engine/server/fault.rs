//! Faults: what breaks the protocol on purpose, at an event of the protocol, so that what others make of it can be seen.
//!
//! A [`Fault`] is what was asked for. A connection has its own [`Faults`]: told what comes and what is about to be
//! written, they give [`Step`]s to carry out instead. No socket and no clock here; however what is written is cut, the
//! steps put the same bytes and pauses on the wire.

use std::collections::VecDeque;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::resp::{CommandDecoder, Step as Scanned};
use crate::units::{self, Moment};

/// A part of what a master sends to a replica.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Phase {
    /// The answers from the first REPLCONF on.
    Handshake,
    /// What is said from PSYNC or SYNC on, before an RDB.
    Sync,
    /// The payload, and the line in front of it.
    Rdb,
    /// The stream.
    Stream,
}

impl Phase {
    const ALL: [(&'static str, Self); 4] =
        [("handshake", Self::Handshake), ("sync", Self::Sync), ("rdb", Self::Rdb), ("stream", Self::Stream)];

    fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, phase)| *phase == self).map_or("", |(name, _)| name)
    }
}

/// Something that goes wrong on purpose. Each happens once on every connection where it can, a cut at an offset once for
/// every replica.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Fault {
    /// The connection is closed after so many bytes of the RDB.
    CutRdb(u64),
    /// The connection is closed when the stream's byte of this number has been sent. Within a command, the replica will ask
    /// for that byte again: it gets it then.
    CutOffset(u64),
    /// The command that begins with these words gets no answer. PSYNC and SYNC are not carried out then.
    NoReply(String),
    /// It gets this line for an answer.
    Reply(String, String),
    /// What is sent first in this phase, and with it what follows, waits so long.
    Delay(Phase, Duration),
    /// Another replication id is told than the true one, by +FULLRESYNC, +CONTINUE or `$ENDOFF:`.
    WrongReplid,
    /// The offset at which a full sync begins is told so much too high, by +FULLRESYNC or `$ENDOFF:`.
    OffsetSkew(i64),
    /// A newline goes in front of every command of the stream: those who read it count it, and the master does not.
    StreamNewlines,
    /// The first ACK is not heard.
    LoseFirstAck,
    /// The mark behind a diskless RDB comes so much later than the RDB.
    LateEofMark(Duration),
}

/// How late a mark is unless it is said.
const LATE: Duration = Duration::from_secs(1);

/// All that there are, as they are written.
const NAMES: &str = "cut-rdb:BYTES, cut-offset:N, no-reply:COMMAND, reply:COMMAND:TEXT, delay:PHASE:DURATION, wrong-replid, \
offset-skew:N, stream-newlines, lose-first-ack, late-eof-mark[:DURATION]";

impl FromStr for Fault {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, argument) = text.split_once(':').map_or((text, None), |(name, argument)| (name, Some(argument)));
        let needed = |what: &str| argument.ok_or_else(|| format!("{name} needs {what}"));
        let plain = |fault: Self| match argument {
            None => Ok(fault),
            Some(_) => Err(format!("{name} takes no argument")),
        };
        match name {
            "cut-rdb" => {
                let bytes = needed("a number of bytes, as in cut-rdb:1000")?;
                units::size(bytes).map(Self::CutRdb).map_err(str::to_owned)
            }
            "cut-offset" => match needed("an offset, as in cut-offset:1000")?.parse() {
                Ok(offset) if offset > 0 => Ok(Self::CutOffset(offset)),
                _ => Err("cut-offset needs an offset from 1 on: a number".to_owned()),
            },
            "no-reply" => command(needed("a command, as in no-reply:PSYNC")?).map(Self::NoReply),
            "reply" => match needed("a command and a line, as in reply:PSYNC:-LOADING")?.split_once(':') {
                None => Err("reply needs a line behind the command, as in reply:PSYNC:-LOADING".to_owned()),
                Some((_, line)) if line.contains(['\r', '\n']) => Err("reply needs one line".to_owned()),
                Some((words, line)) => Ok(Self::Reply(command(words)?, line.to_owned())),
            },
            "delay" => {
                let argument = needed("a phase and a duration, as in delay:rdb:5s")?;
                let Some((phase, time)) = argument.split_once(':') else {
                    return Err("delay needs a duration behind the phase, as in delay:rdb:5s".to_owned());
                };
                match Phase::ALL.iter().find(|(name, _)| *name == phase) {
                    Some((_, phase)) => Ok(Self::Delay(*phase, units::duration(time)?)),
                    None => Err(format!("'{phase}' is no phase: handshake, sync, rdb or stream")),
                }
            }
            "wrong-replid" => plain(Self::WrongReplid),
            "offset-skew" => match needed("a number, as in offset-skew:-10")?.parse() {
                Ok(skew) if skew != 0 => Ok(Self::OffsetSkew(skew)),
                _ => Err("offset-skew needs a number that is not 0".to_owned()),
            },
            "stream-newlines" => plain(Self::StreamNewlines),
            "lose-first-ack" => plain(Self::LoseFirstAck),
            "late-eof-mark" => argument.map_or(Ok(LATE), units::duration).map(Self::LateEofMark),
            _ => Err(format!("no fault is called '{name}': there are {NAMES}")),
        }
    }
}

/// A command's first words.
fn command(text: &str) -> Result<String, String> {
    let words: Vec<&str> = text.split_ascii_whitespace().collect();
    if words.is_empty() { Err("a command is needed, as in PSYNC".to_owned()) } else { Ok(words.join(" ")) }
}

/// Written in the largest unit that is exact.
fn written(time: Duration) -> String {
    match time.as_millis() {
        millis if millis % 60_000 == 0 && millis > 0 => format!("{}m", millis / 60_000),
        millis if millis % 1000 == 0 => format!("{}s", millis / 1000),
        millis => format!("{millis}ms"),
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CutRdb(bytes) => write!(f, "cut-rdb:{bytes}"),
            Self::CutOffset(offset) => write!(f, "cut-offset:{offset}"),
            Self::NoReply(command) => write!(f, "no-reply:{command}"),
            Self::Reply(command, line) => write!(f, "reply:{command}:{line}"),
            Self::Delay(phase, time) => write!(f, "delay:{}:{}", phase.name(), written(*time)),
            Self::WrongReplid => f.write_str("wrong-replid"),
            Self::OffsetSkew(skew) => write!(f, "offset-skew:{skew}"),
            Self::StreamNewlines => f.write_str("stream-newlines"),
            Self::LoseFirstAck => f.write_str("lose-first-ack"),
            Self::LateEofMark(time) => write!(f, "late-eof-mark:{}", written(*time)),
        }
    }
}

/// What to do on the connection next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Write these bytes, and say how many went: [`Faults::wrote`].
    Write(Vec<u8>),
    /// A fault happens: for the log.
    Tell {
        /// Which.
        fault: Fault,
        /// What it does, as a sentence.
        what: String,
    },
    /// Write nothing for so long.
    Wait(Duration),
    /// Close it, since nothing more is to be sent.
    Close,
}

/// What becomes of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Verdict {
    /// It is carried out.
    pub(super) runs: bool,
    /// What is answered in place of its own answer.
    pub(super) answer: Option<Vec<u8>>,
}

impl Verdict {
    /// Nothing goes wrong.
    pub(super) const NONE: Self = Self { runs: true, answer: None };
}

/// Where the bytes that are written belong.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum Place {
    /// Answers to a client, or to a replica's handshake.
    #[default]
    Answers,
    /// Lines, from PSYNC on.
    Lines,
    /// The payload whose length was told: so many bytes are to come.
    Stored(u64),
    /// The payload that ends with this mark.
    Diskless(Vec<u8>),
    /// What is behind the payload.
    Behind,
}

#[derive(Debug)]
struct Armed {
    fault: Fault,
    fired: bool,
}

/// The faults of one connection.
#[derive(Debug)]
pub(super) struct Faults {
    armed: Vec<Armed>,
    place: Place,
    /// Phases that begin so many bytes further on in what is written.
    turns: VecDeque<(usize, Phase)>,
    /// A handshake has begun.
    shaking: bool,
    /// It is a replica's: PSYNC or SYNC came.
    replica: bool,
    /// A phase in which nothing is sent yet.
    starting: Option<Phase>,
    /// A line, or what may be a mark, that is not whole.
    carry: Vec<u8>,
    /// Bytes of the payload so far.
    payload: u64,
    /// Finds the commands of the stream; `None` once they cannot be told apart.
    commands: Option<CommandDecoder>,
    streams: bool,
    steps: VecDeque<Step>,
    /// The first step, if it is to wait, is over then.
    until: Option<Moment>,
    /// Nothing is sent any more behind the steps that there are.
    over: bool,
}

impl Faults {
    pub(super) fn new(faults: &[Fault]) -> Self {
        Self {
            armed: faults.iter().map(|fault| Armed { fault: fault.clone(), fired: false }).collect(),
            place: Place::Answers,
            turns: VecDeque::new(),
            shaking: false,
            replica: false,
            starting: None,
            carry: Vec::new(),
            payload: 0,
            commands: Some(CommandDecoder::new(0)),
            streams: false,
            steps: VecDeque::new(),
            until: None,
            over: false,
        }
    }

    /// The first fault that has not happened and is meant: it happens now.
    fn fire<T>(&mut self, meant: impl Fn(&Fault) -> Option<T>) -> Option<(Fault, T)> {
        for armed in self.armed.iter_mut().filter(|armed| !armed.fired) {
            if let Some(found) = meant(&armed.fault) {
                armed.fired = true;
                return Some((armed.fault.clone(), found));
            }
        }
        None
    }

    /// This one does not happen, or not again.
    pub(super) fn spare(&mut self, fault: &Fault) {
        self.armed.iter_mut().filter(|armed| armed.fault == *fault).for_each(|armed| armed.fired = true);
    }

    /// Whether some of the stream was given.
    pub(super) fn streams(&self) -> bool {
        self.streams
    }

    fn tell(&mut self, fault: Fault, what: String) {
        self.steps.push_back(Step::Tell { fault, what });
    }

    /// A command has come. `ahead` bytes of answers before its own have still to be given to [`Faults::written`].
    pub(super) fn command(&mut self, words: &[&[u8]], ahead: usize) -> Verdict {
        let is = |index: usize, word: &str| words.get(index).is_some_and(|it| it.eq_ignore_ascii_case(word.as_bytes()));
        let (replconf, syncs) = (is(0, "REPLCONF"), is(0, "PSYNC") || is(0, "SYNC"));
        if replconf && is(1, "ACK") {
            let lost =
                if self.replica { self.fire(|fault| (*fault == Fault::LoseFirstAck).then_some(())) } else { None };
            let Some((fault, ())) = lost else { return Verdict::NONE };
            let offset = words.get(2).map_or_else(String::new, |offset| offset.escape_ascii().to_string());
            self.tell(fault, format!("the ACK of offset {offset} is not heard"));
            return Verdict { runs: false, answer: Some(Vec::new()) };
        }
        if replconf && !self.shaking && !self.replica {
            self.shaking = true;
            self.turns.push_back((ahead, Phase::Handshake));
        }
        let begins = |command: &str| command.split(' ').enumerate().all(|(index, word)| is(index, word));
        let answered = self.fire(|fault| match fault {
            Fault::NoReply(command) if begins(command) => Some(Vec::new()),
            Fault::Reply(command, line) if begins(command) => Some(format!("{line}\r\n").into_bytes()),
            _ => None,
        });
        let runs = answered.is_none() || !syncs;
        if runs && syncs && !self.replica {
            self.replica = true;
            self.turns.push_back((ahead, Phase::Sync));
        }
        let answer = answered.map(|(fault, answer)| {
            let name = words.iter().take(2).map(|word| word.escape_ascii().to_string()).collect::<Vec<_>>().join(" ");
            let what = match answer.trim_ascii_end() {
                [] => format!("{name} gets no answer"),
                line => format!("{name} is answered {}", line.escape_ascii()),
            };
            self.tell(fault, if runs { what } else { format!("{what} and is not carried out") });
            answer
        });
        Verdict { runs, answer }
    }

    /// These bytes would be written now: answers, lines, a payload.
    pub(super) fn written(&mut self, mut bytes: &[u8]) {
        loop {
            let next = self.turns.front().copied().filter(|(at, _)| *at <= bytes.len());
            let (before, behind) = bytes.split_at(next.map_or(bytes.len(), |(at, _)| at));
            for (at, _) in &mut self.turns {
                *at -= before.len();
            }
            self.place(before);
            let Some((_, phase)) = next else { return };
            self.turns.pop_front();
            bytes = behind;
            self.starting = Some(phase);
            if phase == Phase::Sync {
                self.place = Place::Lines;
            }
        }
    }

    /// The same, the place being what it is at the beginning.
    fn place(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() && !self.over {
            let taken = match &mut self.place {
                Place::Answers | Place::Behind => {
                    self.emit(bytes);
                    bytes.len()
                }
                Place::Lines => self.line(bytes),
                Place::Stored(left) => {
                    let part = bytes.len().min(usize::try_from(*left).unwrap_or(usize::MAX));
                    *left -= part as u64;
                    if *left == 0 {
                        self.place = Place::Behind;
                    }
                    self.rdb(bytes.get(..part).unwrap_or_default());
                    part
                }
                Place::Diskless(mark) => {
                    let mark = mark.clone();
                    self.diskless(bytes, &mark)
                }
            };
            bytes = bytes.get(taken..).unwrap_or_default();
        }
    }

    /// Takes what there is of a line, and tells how much that was.
    fn line(&mut self, bytes: &[u8]) -> usize {
        let Some(end) = memchr::memchr(b'\n', bytes) else {
            self.carry.extend_from_slice(bytes);
            return bytes.len();
        };
        let mut line = std::mem::take(&mut self.carry);
        line.extend_from_slice(bytes.get(..=end).unwrap_or_default());
        let text = String::from_utf8_lossy(&line).into_owned();
        let words: Vec<&str> = text.split_ascii_whitespace().collect();
        match words.as_slice() {
            ["+FULLRESYNC", replid, offset] => {
                let (replid, offset) = (self.replid(replid), self.offset(offset));
                self.emit_told(&line, &format!("+FULLRESYNC {replid} {offset}\r\n"));
            }
            ["+CONTINUE", replid] => {
                let replid = self.replid(replid);
                self.emit_told(&line, &format!("+CONTINUE {replid}\r\n"));
            }
            [offset, replid, db, id] if offset.starts_with("$ENDOFF:") => {
                let (replid, offset) = (self.replid(replid), self.offset(offset.trim_start_matches("$ENDOFF:")));
                self.emit_told(&line, &format!("$ENDOFF:{offset} {replid} {db} {id}\r\n"));
            }
            [header] if header.starts_with('$') => {
                self.starting = Some(Phase::Rdb);
                self.emit(&line);
                let header = header.trim_start_matches('$');
                self.place = match header.strip_prefix("EOF:") {
                    Some(mark) => Place::Diskless(mark.as_bytes().to_vec()),
                    None => Place::Stored(header.parse().unwrap_or(0)),
                };
                // It may be that not even one byte is to come.
                self.rdb(&[]);
            }
            _ => self.emit(&line),
        }
        end + 1
    }

    /// Writes a line as it has become, or just as it was.
    fn emit_told(&mut self, line: &[u8], told: &str) {
        // A fault's words stand before what it does.
        self.emit(if line.trim_ascii_end() == told.trim_ascii_end().as_bytes() { line } else { told.as_bytes() });
    }

    /// The id to tell.
    fn replid(&mut self, replid: &str) -> String {
        let Some((fault, ())) = self.fire(|fault| (*fault == Fault::WrongReplid).then_some(())) else {
            return replid.to_owned();
        };
        let other = |sign: char| sign.to_digit(16).and_then(|digit| char::from_digit(15 - digit, 16)).unwrap_or(sign);
        let wrong: String = replid.chars().map(other).collect();
        self.tell(fault, format!("the replication id {wrong} is told in place of {replid}"));
        wrong
    }

    /// The offset to tell.
    fn offset(&mut self, offset: &str) -> String {
        let Ok(number) = offset.parse::<u64>() else { return offset.to_owned() };
        let skewed = self.fire(|fault| match fault {
            Fault::OffsetSkew(skew) => Some(number.saturating_add_signed(*skew)),
            _ => None,
        });
        let Some((fault, skewed)) = skewed else { return offset.to_owned() };
        self.tell(fault, format!("the offset {skewed} is told in place of {offset}"));
        skewed.to_string()
    }

    /// Bytes of the payload.
    fn rdb(&mut self, bytes: &[u8]) {
        let end = self.payload + bytes.len() as u64;
        let cut = self.fire(|fault| match fault {
            Fault::CutRdb(at) if *at <= end => Some(*at),
            _ => None,
        });
        if let Some((fault, at)) = cut {
            let part = usize::try_from(at.saturating_sub(self.payload)).unwrap_or(usize::MAX).min(bytes.len());
            self.emit(bytes.get(..part).unwrap_or_default());
            self.cut(fault, format!("the connection is closed after {at} bytes of the RDB"));
            return;
        }
        self.payload = end;
        self.emit(bytes);
    }

    /// Bytes of a payload that ends with a mark; tells how many were taken.
    fn diskless(&mut self, bytes: &[u8], mark: &[u8]) -> usize {
        let carried = self.carry.len();
        let mut data = std::mem::take(&mut self.carry);
        data.extend_from_slice(bytes);
        if let Some(at) = memchr::memmem::find(&data, mark) {
            self.place = Place::Behind;
            self.rdb(data.get(..at).unwrap_or_default());
            if self.over {
                return bytes.len();
            }
            let late = self.fire(|fault| match fault {
                Fault::LateEofMark(time) => Some(*time),
                _ => None,
            });
            if let Some((fault, time)) = late {
                self.tell(fault, format!("the mark behind the RDB comes {} late", written(time)));
                self.steps.push_back(Step::Wait(time));
            }
            self.emit(mark);
            return at + mark.len() - carried;
        }
        // What may be the beginning of the mark waits for more.
        let longest = mark.len().saturating_sub(1).min(data.len());
        let kept =
            (1..=longest).rev().find(|&length| data.ends_with(mark.get(..length).unwrap_or_default())).unwrap_or(0);
        self.carry = data.split_off(data.len() - kept);
        self.rdb(&data);
        bytes.len()
    }

    /// These bytes of the stream would be written now; `first` is the number of the first of them.
    pub(super) fn stream(&mut self, first: u64, bytes: &[u8]) {
        if self.over || bytes.is_empty() {
            return;
        }
        if !std::mem::replace(&mut self.streams, true) {
            self.starting = Some(Phase::Stream);
        }
        let behind = first.saturating_add(bytes.len() as u64);
        let cut = self.fire(|fault| match fault {
            Fault::CutOffset(at) if (first..behind).contains(at) => Some(*at),
            _ => None,
        });
        let part = match &cut {
            Some((_, at)) => usize::try_from(at - first).unwrap_or(usize::MAX).saturating_add(1),
            None => bytes.len(),
        };
        self.stream_part(first, bytes.get(..part).unwrap_or(bytes));
        if let Some((fault, at)) = cut {
            self.cut(fault, format!("the connection is closed after offset {at} of the stream"));
        }
    }

    fn stream_part(&mut self, first: u64, bytes: &[u8]) {
        let wanted = self.armed.iter().find(|armed| armed.fault == Fault::StreamNewlines).map(|armed| armed.fired);
        let (Some(fired), Some(mut decoder)) = (wanted, self.commands.take()) else { return self.emit(bytes) };
        let (mut rest, mut out, mut found) = (bytes, Vec::with_capacity(bytes.len()), None);
        let mut lost = false;
        while let Some(sign) = rest.first() {
            let at = bytes.len() - rest.len();
            if decoder.is_at_start() && !lost {
                // Masters write nothing else there: else it began within a command.
                lost = !matches!(sign, b'*' | b'\n');
                if *sign == b'*' {
                    out.push(b'\n');
                    found.get_or_insert(at as u64);
                }
            }
            lost |= matches!(decoder.next(&mut rest), Scanned::Malformed { .. });
            out.extend_from_slice(bytes.get(at..bytes.len() - rest.len()).unwrap_or_default());
        }
        if !lost {
            self.commands = Some(decoder);
        }
        if let Some(at) = found.filter(|_| !fired) {
            let fired = self.fire(|fault| (*fault == Fault::StreamNewlines).then_some(()));
            if let Some((fault, ())) = fired {
                let offset = first.saturating_add(at).saturating_sub(1);
                self.tell(fault, format!("newlines that only the replica counts come after offset {offset}"));
            }
        }
        self.emit(&out);
    }

    fn cut(&mut self, fault: Fault, what: String) {
        self.tell(fault, what);
        self.steps.push_back(Step::Close);
        self.over = true;
    }

    /// Bytes that go out as they are.
    fn emit(&mut self, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        if let Some(phase) = self.starting.take() {
            let late = self.fire(|fault| match fault {
                Fault::Delay(late, time) if *late == phase => Some(*time),
                _ => None,
            });
            if let Some((fault, time)) = late {
                self.tell(fault, format!("what is sent in the phase {} waits {}", phase.name(), written(time)));
                self.steps.push_back(Step::Wait(time));
            }
        }
        match self.steps.back_mut() {
            Some(Step::Write(last)) => last.extend_from_slice(bytes),
            _ => self.steps.push_back(Step::Write(bytes.to_vec())),
        }
    }

    /// The step to take now; `None` where there is none, or one waits. What is told is told once.
    pub(super) fn next(&mut self, now: Moment) -> Option<Step> {
        loop {
            match self.steps.front()? {
                Step::Wait(time) => {
                    let millis = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
                    if now < *self.until.get_or_insert(now.after(millis)) {
                        return None;
                    }
                    self.until = None;
                    self.steps.pop_front();
                }
                Step::Tell { .. } | Step::Write(_) => return self.steps.pop_front(),
                Step::Close => return Some(Step::Close),
            }
        }
    }

    /// What of a [`Step::Write`] could not be written: it comes again.
    pub(super) fn unwritten(&mut self, bytes: Vec<u8>) {
        if !bytes.is_empty() {
            self.steps.push_front(Step::Write(bytes));
        }
    }

    /// When [`Faults::next`] is to be asked again, if something waits.
    pub(super) fn wake(&self) -> Option<Moment> {
        self.until
    }

    /// Bytes that were given and are not written.
    pub(super) fn pending(&self) -> usize {
        self.steps.iter().map(|step| if let Step::Write(bytes) = step { bytes.len() } else { 0 }).sum()
    }

    /// Whether a step is left.
    pub(super) fn busy(&self) -> bool {
        !self.steps.is_empty()
    }
}

#[cfg(test)]
mod tests;
