//! What became of each link: the fold over its events.
//!
//! Nothing here looks at bytes. Whatever a report says of a link, a reader of the events could have summed up.

use std::collections::HashMap;

use super::event::{Asked, Certainty, Event, Kind, Phase, RdbEnd, Replid, Side, Sink, Transfer};
use super::notes::Note;
use super::words;
use crate::bounds::{MAX_COMMAND_NAMES, MAX_LINKS_LISTED, MAX_NOTES_LISTED, MAX_REFUSED_LISTED};
use crate::packet::Endpoint;
use crate::rdb;
use crate::resp::{Command, Reply};
use crate::tcp::How;
use crate::units::{FrameNumber, LinkNumber, Offset, Span, Stamp};

/// How the login went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Auth {
    /// None was sent, none was asked for.
    #[default]
    None,
    /// Accepted.
    Ok,
    /// Refused.
    Failed,
    /// Asked for, and none was sent.
    Missing,
}

impl Auth {
    /// `none`, `ok`, `failed` or `missing`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Ok => "ok",
            Self::Failed => "failed",
            Self::Missing => "missing",
        }
    }
}

/// What kind of sync it came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SyncKind {
    /// A snapshot and the stream after it.
    Full,
    /// The stream from where the replica stood.
    Partial,
    /// The master refused, or turned the replica away before it could ask.
    Refused,
    /// None.
    #[default]
    None,
}

impl SyncKind {
    /// `full`, `partial`, `refused` or `none`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Partial => "partial",
            Self::Refused => "refused",
            Self::None => "none",
        }
    }
}

/// The sync of a link.
#[derive(Clone, Debug, Default)]
pub struct SyncSummary {
    /// What it came to.
    pub kind: SyncKind,
    /// How the RDB travelled.
    pub transfer: Option<Transfer>,
    /// What the last PSYNC asked for; of a two-channel sync what the one asked for that it answered.
    pub asked: Option<Asked>,
    /// The history that the master answered with.
    pub replid: Option<Replid>,
    /// The offset before the stream's first byte.
    pub offset: Option<Offset>,
    /// The reply that refused.
    pub error: Option<String>,
}

/// The RDB of a link.
#[derive(Clone, Debug)]
pub struct RdbSummary {
    /// The link on which it travelled.
    pub link: LinkNumber,
    /// How it travelled.
    pub transfer: Transfer,
    /// Bytes that travelled.
    pub bytes: u64,
    /// What the walk over it found.
    pub summary: rdb::Summary,
    /// Whether the capture has all of it.
    pub complete: bool,
    /// From PSYNC to its first byte.
    pub waited: Option<Span>,
    /// From its first byte to its last.
    pub duration: Option<Span>,
}

/// The stream of a link.
#[derive(Clone, Debug)]
pub struct StreamSummary {
    /// The number of its first byte.
    pub first: Option<u64>,
    /// The offset after its last.
    pub last: Option<Offset>,
    /// How sure both are.
    pub certainty: Certainty,
    /// Its bytes, those that the capture lacks included.
    pub bytes: u64,
    /// Its commands.
    pub commands: u64,
    /// The commands by name, the most frequent first.
    pub by_command: CommandCounts,
    /// Newlines inside it.
    pub newlines: u64,
}

impl Default for StreamSummary {
    fn default() -> Self {
        Self {
            first: None,
            last: None,
            certainty: Certainty::Unknown,
            bytes: 0,
            commands: 0,
            by_command: CommandCounts::default(),
            newlines: 0,
        }
    }
}

/// The ACKs of a link.
#[derive(Clone, Copy, Debug, Default)]
pub struct AckSummary {
    /// How many.
    pub count: u64,
    /// The last one's offset.
    pub last: i64,
    /// The most bytes that one left uncovered.
    pub max_lag: Option<u64>,
    /// The greatest age of an uncovered byte.
    pub max_delay: Option<Span>,
}

/// A stretch of a link's time.
#[derive(Clone, Copy, Debug)]
pub struct PhaseSummary {
    /// Which.
    pub phase: Phase,
    /// Its beginning.
    pub start: Stamp,
    /// Its end.
    pub end: Stamp,
}

/// A diagnosis of a link or of the capture.
#[derive(Clone, Debug)]
pub struct NoteSummary {
    /// Which.
    pub note: Note,
    /// Cause and evidence.
    pub text: String,
    /// The frame that showed it.
    pub packet: FrameNumber,
}

/// One link.
#[derive(Clone, Debug)]
pub struct LinkSummary {
    /// Its number.
    pub link: LinkNumber,
    /// The replica's end.
    pub replica: Endpoint,
    /// The master's end.
    pub master: Endpoint,
    /// Its first packet.
    pub opened: Stamp,
    /// Whether the capture began later.
    pub midstream: bool,
    /// Whether it carried the RDB of a two-channel sync rather than the stream.
    pub rdb_channel: bool,
    /// The link that carried the other channel.
    pub pair: Option<LinkNumber>,
    /// The port that the replica says it listens on.
    pub replica_port: Option<u16>,
    /// The version that the replica tells (Valkey).
    pub replica_version: Option<String>,
    /// What the replica says it can do.
    pub capa: Vec<String>,
    /// The login.
    pub auth: Auth,
    /// The sync.
    pub sync: SyncSummary,
    /// The RDB, where one travelled.
    pub rdb: Option<RdbSummary>,
    /// The stream, where one travelled.
    pub stream: Option<StreamSummary>,
    /// The ACKs, where there were any.
    pub acks: Option<AckSummary>,
    /// The phases in their order.
    pub phases: Vec<PhaseSummary>,
    /// How many gaps the capture has in it, both directions.
    pub gaps: u64,
    /// How many bytes those are.
    pub gap_bytes: u64,
    /// How many of them are of the stream.
    pub stream_gaps: u64,
    /// Who ended it and how.
    pub closed: (Option<Side>, Option<How>),
    /// Diagnoses.
    pub notes: Vec<NoteSummary>,
    /// How much weight `sync.error` has: a refused PSYNC says more than a refused PING.
    error_rank: u8,
    /// Where the stream begins, once told by an event about it.
    told_first: Option<(u64, Certainty)>,
}

/// Links of one storm that are counted, not listed.
#[derive(Clone, Debug)]
pub struct Folded {
    /// How many.
    pub count: u64,
    /// The replica's address, whatever its port.
    pub replica: Endpoint,
    /// The master.
    pub master: Endpoint,
    /// The reply that ended them.
    pub error: Option<String>,
}

/// Folds events into summaries.
#[derive(Debug, Default)]
pub struct Summaries {
    links: Vec<LinkSummary>,
    folded: Vec<Folded>,
    notes: Vec<NoteSummary>,
    index: HashMap<LinkNumber, usize, foldhash::fast::RandomState>,
    /// The link of the previous event and its place: the next one is most often of the same.
    recent: Option<(LinkNumber, usize)>,
    refused: usize,
}

/// A report's material: the links in the order of their numbers, and what is said of the whole capture.
#[derive(Debug)]
pub struct Report {
    /// The links.
    pub links: Vec<LinkSummary>,
    /// Links that are counted only.
    pub folded: Vec<Folded>,
    /// Diagnoses that belong to no link.
    pub notes: Vec<NoteSummary>,
}

impl Sink for Summaries {
    #[inline]
    fn event(&mut self, event: &Event<'_>) {
        if event.phase == Phase::Client {
            return;
        }
        let Some(number) = event.link else {
            if let Kind::Note { note, text } = event.kind
                && self.notes.len() < MAX_NOTES_LISTED
            {
                self.notes.push(NoteSummary { note, text: text.to_owned(), packet: event.stamp.frame });
            }
            return;
        };
        match self.recent {
            Some((recent, at)) if recent == number => self.links[at].fold(event),
            _ => self.fold_elsewhere(number, event),
        }
        if matches!(event.kind, Kind::Close { .. }) {
            self.closed(number);
        }
    }
}

impl Summaries {
    /// An empty fold.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn fold_elsewhere(&mut self, number: LinkNumber, event: &Event<'_>) {
        if let Kind::Connect { replica, master, midstream, .. } = event.kind {
            let summary = LinkSummary::new(number, replica, master, midstream, event.stamp);
            self.index.insert(number, self.links.len());
            self.links.push(summary);
        }
        if let Some(&at) = self.index.get(&number) {
            self.recent = Some((number, at));
            self.links[at].fold(event);
        }
    }

    /// A link is over. Of the many refused ones of a storm, and of more links than a report can list, only the count
    /// and the reply that ended them are kept.
    fn closed(&mut self, number: LinkNumber) {
        let Some(&at) = self.index.get(&number) else { return };
        let link = &self.links[at];
        let refused = matches!(link.sync.kind, SyncKind::Refused | SyncKind::None) && link.stream.is_none();
        let listed = if refused { self.refused < MAX_REFUSED_LISTED } else { self.links.len() <= MAX_LINKS_LISTED };
        if listed {
            self.refused += usize::from(refused);
            return;
        }
        // What comes after the close (a storm's note) is kept with the capture's notes.
        let link = self.links.swap_remove(at);
        self.index.remove(&number);
        self.recent = None;
        if let Some(moved) = self.links.get(at) {
            self.index.insert(moved.link, at);
        }
        let replica = Endpoint { port: 0, ..link.replica };
        let same = |folded: &&mut Folded| {
            folded.replica == replica && folded.master == link.master && folded.error == link.sync.error
        };
        if let Some(folded) = self.folded.iter_mut().find(same) {
            folded.count += 1;
        } else if self.folded.len() < MAX_REFUSED_LISTED {
            self.folded.push(Folded { count: 1, replica, master: link.master, error: link.sync.error });
        }
    }

    /// The report, the two connections of each two-channel sync joined.
    #[must_use]
    pub fn into_report(mut self) -> Report {
        self.links.sort_by_key(|link| link.link);
        for at in 0..self.links.len() {
            self.links[at].settle();
        }
        for at in 0..self.links.len() {
            let Some(pair) = self.links[at].pair else { continue };
            if let Ok(other) = self.links.binary_search_by_key(&pair, |link| link.link) {
                let (main, rdb) = if self.links[at].rdb_channel { (other, at) } else { (at, other) };
                join(&mut self.links, main, rdb);
            }
        }
        for link in &mut self.links {
            link.settle_offsets();
        }
        Report { links: self.links, folded: self.folded, notes: self.notes }
    }
}

/// What one connection of a two-channel sync tells is true of both.
fn join(links: &mut [LinkSummary], main: usize, rdb: usize) {
    links[main].pair = Some(links[rdb].link);
    links[rdb].pair = Some(links[main].link);
    if links[main].rdb.is_none() {
        links[main].rdb = links[rdb].rdb.clone();
    }
    if links[rdb].sync.kind == SyncKind::Full {
        links[main].sync.replid = links[rdb].sync.replid;
        links[main].sync.offset = links[rdb].sync.offset;
    }
}

impl LinkSummary {
    fn new(link: LinkNumber, replica: Endpoint, master: Endpoint, midstream: bool, opened: Stamp) -> Self {
        Self {
            link,
            replica,
            master,
            opened,
            midstream,
            rdb_channel: false,
            pair: None,
            replica_port: None,
            replica_version: None,
            capa: Vec::new(),
            auth: Auth::None,
            sync: SyncSummary::default(),
            rdb: None,
            stream: None,
            acks: None,
            phases: Vec::new(),
            gaps: 0,
            gap_bytes: 0,
            stream_gaps: 0,
            closed: (None, None),
            notes: Vec::new(),
            error_rank: 0,
            told_first: None,
        }
    }

    #[inline]
    fn fold(&mut self, event: &Event<'_>) {
        match self.phases.last_mut() {
            Some(last) if last.phase == event.phase => last.end = event.stamp,
            _ => self.begin_phase(event),
        }
        match event.kind {
            Kind::Write { offset, command, .. } => {
                let stream = self.stream.get_or_insert_default();
                stream.take(offset, command.bytes());
                stream.commands += 1;
                stream.by_command.count(command.name());
            }
            Kind::Heartbeat { offset, bytes } if event.from == Some(Side::Master) => {
                let stream = self.stream.get_or_insert_default();
                stream.take(offset, bytes);
                if bytes == 1 {
                    stream.newlines += 1;
                } else {
                    stream.commands += 1;
                    stream.by_command.count(b"PING");
                }
            }
            Kind::GetAck { offset, bytes } => {
                let stream = self.stream.get_or_insert_default();
                stream.take(offset, bytes);
                stream.commands += 1;
                stream.by_command.count(b"REPLCONF");
            }
            Kind::Ack { offset, lag, delay, .. } => {
                let acks = self.acks.get_or_insert_default();
                acks.count += 1;
                acks.last = offset;
                acks.max_lag = acks.max_lag.max(lag);
                acks.max_delay = acks.max_delay.max(delay);
            }
            _ => self.fold_rare(event),
        }
    }

    /// A phase lasts until the next one begins.
    fn begin_phase(&mut self, event: &Event<'_>) {
        if let Some(last) = self.phases.last_mut() {
            last.end = event.stamp;
        }
        if self.phases.len() < MAX_NOTES_LISTED {
            self.phases.push(PhaseSummary { phase: event.phase, start: event.stamp, end: event.stamp });
        }
    }

    fn fold_rare(&mut self, event: &Event<'_>) {
        match event.kind {
            Kind::Command { command, asked } => self.command(command, asked),
            Kind::Reply { to, reply, .. } => self.reply(to, reply),
            Kind::FullResync { replid, offset, .. } => {
                self.sync.kind = SyncKind::Full;
                self.sync.replid = Some(replid);
                self.sync.offset = Some(offset);
            }
            Kind::Continue { replid, offset, .. } => {
                if self.sync.kind != SyncKind::Full {
                    self.sync.kind = SyncKind::Partial;
                }
                self.sync.replid = replid.or(self.sync.replid).or(self.sync.asked.map(|asked| asked.replid));
                self.sync.offset = offset;
            }
            Kind::TwoChannel { transfer, pair, .. } => {
                self.sync.kind = SyncKind::Full;
                self.sync.transfer = Some(transfer);
                self.rdb_channel = event.from == Some(Side::Replica);
                self.pair = pair;
            }
            Kind::RdbBegin { transfer, waited, .. } => {
                self.sync.kind = SyncKind::Full;
                self.sync.transfer = Some(transfer);
                let summary = rdb::Summary::default();
                let (link, bytes, complete, duration) = (self.link, 0, false, None);
                self.rdb = Some(RdbSummary { link, transfer, bytes, summary, complete, waited, duration });
            }
            Kind::RdbEnd(end) => self.rdb_end(end),
            Kind::Gap { bytes } => {
                self.gaps += 1;
                self.gap_bytes += bytes;
                if event.phase == Phase::Stream && event.from == Some(Side::Master) {
                    self.stream_gaps += bytes;
                }
            }
            Kind::Offsets { first, certainty } => self.told_first = Some((first, certainty)),
            Kind::Note { note, text } => {
                self.notes.push(NoteSummary { note, text: text.to_owned(), packet: event.stamp.frame });
            }
            Kind::Close { by, how } => {
                self.closed = (by, how);
                self.settle();
            }
            _ => {}
        }
    }

    fn rdb_end(&mut self, end: RdbEnd<'_>) {
        if let Some(rdb) = &mut self.rdb {
            rdb.bytes = end.bytes;
            rdb.summary = end.summary.clone();
            rdb.complete = end.complete;
            rdb.duration = end.duration;
        }
    }

    fn command(&mut self, command: &Command<'_>, asked: Option<Asked>) {
        // After the answer that a second channel brings the RDB, Valkey's replica asks for the stream after it.
        let granted = matches!(self.sync.transfer, Some(Transfer::RdbChannel | Transfer::DualChannel));
        if asked.is_some() && !(granted && self.sync.asked.is_some()) {
            self.sync.asked = asked;
        }
        if !command.is("REPLCONF") {
            return;
        }
        let mut arguments = command.arguments().skip(1);
        while let (Some(option), Some(value)) = (arguments.next(), arguments.next()) {
            let text = || String::from_utf8_lossy(value.head).into_owned();
            match option.head.to_ascii_lowercase().as_slice() {
                b"listening-port" => {
                    self.replica_port = words::count(value.head).and_then(|port| u16::try_from(port).ok());
                }
                b"version" => self.replica_version = Some(text()),
                b"capa" if self.capa.len() < MAX_NOTES_LISTED && !self.capa.contains(&text()) => self.capa.push(text()),
                _ => {}
            }
        }
    }

    fn reply(&mut self, to: Option<&str>, reply: Reply<'_>) {
        let error = reply.is_error();
        let no_auth = reply.head.starts_with(b"-NOAUTH") || reply.head.starts_with(b"-ERR operation not permitted");
        match to {
            Some("AUTH") => self.auth = if error { Auth::Failed } else { Auth::Ok },
            _ if no_auth && self.auth == Auth::None => self.auth = Auth::Missing,
            _ => {}
        }
        let rank = match to {
            Some("PSYNC" | "SYNC") => 4,
            Some("AUTH") => 3,
            None => 2,
            Some("PING") => 1,
            Some(_) => 0,
        };
        if error && rank > 0 && rank >= self.error_rank {
            self.error_rank = rank;
            self.sync.error = Some(String::from_utf8_lossy(reply.head).into_owned());
        }
    }

    /// Says what the sync came to, all replies having been seen.
    fn settle(&mut self) {
        // A PING that was answered by -NOAUTH is no refusal where the login followed.
        if self.error_rank <= 1 && self.auth == Auth::Ok {
            self.sync.error = None;
        }
        match self.sync.kind {
            SyncKind::Full | SyncKind::Partial => self.sync.error = None,
            SyncKind::None | SyncKind::Refused if self.sync.error.is_some() => self.sync.kind = SyncKind::Refused,
            _ => {}
        }
        // SYNC has no line that tells the history; the RDB does.
        if self.sync.kind == SyncKind::Full
            && self.sync.replid.is_none()
            && let Some(rdb) = self.rdb.as_ref().filter(|rdb| rdb.complete)
        {
            let aux =
                |key: &[u8]| rdb.summary.aux.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_slice());
            self.sync.replid = aux(b"repl-id").map(Replid::from_wire);
            self.sync.offset = aux(b"repl-offset").and_then(words::count).map(Offset);
        }
    }

    fn settle_offsets(&mut self) {
        let told = self.told_first;
        let base = self.sync.offset.filter(|_| !self.rdb_channel);
        let gaps = self.gaps > 0;
        let Some(stream) = &mut self.stream else { return };
        match (told, base) {
            (Some((first, certainty)), _) => {
                stream.first = Some(first);
                stream.certainty = certainty;
            }
            (None, Some(base)) if stream.last.is_some() => {
                stream.first = Some(base.next_byte());
                stream.certainty = Certainty::Exact;
            }
            _ => {}
        }
        let Some(first) = stream.first else { return };
        match stream.last {
            Some(last) => stream.bytes = (last.0 + 1).saturating_sub(first),
            None if gaps => {}
            None => stream.last = Some(Offset::before_byte(first).advanced_by(stream.bytes)),
        }
    }
}

impl StreamSummary {
    #[inline]
    fn take(&mut self, offset: Option<Offset>, bytes: u64) {
        self.bytes += bytes;
        if offset.is_some() {
            self.last = offset;
        }
    }
}

/// Counts commands by name, the case of which does not matter.
#[derive(Clone, Debug, Default)]
pub struct CommandCounts {
    counts: Vec<(Vec<u8>, u64)>,
    /// The previous name as it was sent, and its place: most often the next one is the same.
    recent: (Vec<u8>, usize),
    /// Where names of a hash were found last; checked before it is believed.
    places: Vec<u16>,
    /// Commands whose names came after the bound was reached.
    others: u64,
}

impl CommandCounts {
    const PLACES: usize = 256;

    #[inline]
    fn count(&mut self, name: &[u8]) {
        if self.recent.0 == name
            && let Some((_, count)) = self.counts.get_mut(self.recent.1)
        {
            *count += 1;
            return;
        }
        self.count_other(name);
    }

    fn count_other(&mut self, name: &[u8]) {
        let place = Self::place(name);
        let at = match self.places.get(place) {
            Some(&at)
                if self.counts.get(usize::from(at)).is_some_and(|(known, _)| known.eq_ignore_ascii_case(name)) =>
            {
                Some(usize::from(at))
            }
            _ => self.look_up(name, place),
        };
        match at {
            Some(at) => {
                self.counts[at].1 += 1;
                self.recent.0.clear();
                self.recent.0.extend_from_slice(name);
                self.recent.1 = at;
            }
            None => self.others += 1,
        }
    }

    /// A hash that takes `a` and `A` for the same.
    #[inline]
    fn place(name: &[u8]) -> usize {
        let mut hash = name.len() as u32;
        for &byte in name.iter().take(16) {
            hash = hash.wrapping_mul(31).wrapping_add(u32::from(byte & 0x1f));
        }
        (hash % Self::PLACES as u32) as usize
    }

    /// The place of a name, made where it is new; `None` where there are too many.
    fn look_up(&mut self, name: &[u8], place: usize) -> Option<usize> {
        self.places.resize(Self::PLACES, u16::MAX);
        let at = match self.counts.iter().position(|(known, _)| known.eq_ignore_ascii_case(name)) {
            Some(at) => at,
            None if self.counts.len() < MAX_COMMAND_NAMES => {
                self.counts.push((name.to_ascii_uppercase(), 0));
                self.counts.len() - 1
            }
            None => return None,
        };
        self.places[place] = u16::try_from(at).unwrap_or(u16::MAX);
        Some(at)
    }

    /// Names and counts, the most frequent first, equal ones by name.
    #[must_use]
    pub fn sorted(&self) -> Vec<(String, u64)> {
        let mut sorted: Vec<(String, u64)> =
            self.counts.iter().map(|(name, count)| (String::from_utf8_lossy(name).into_owned(), *count)).collect();
        sorted.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        sorted
    }

    /// Commands that are in the total but not under a name, because there were too many names.
    #[must_use]
    pub fn others(&self) -> u64 {
        self.others
    }
}
