//! What a capture tells, as a story: who followed whom, from where to where, in what order.
//!
//! Nothing here runs anything. A [`Recorder`] hears the events of a capture and keeps the payloads and streams; of what it
//! has heard it makes a [`Story`]: nodes (servers, known by the address they listen on) and scenes (links that came to a
//! sync), each with the frame at which the sync was granted and the one at which the link ended.

use std::collections::HashMap;

use super::tape::{Lineages, Recording, Tapes};
use crate::bounds::{MAX_REPLAY_SERVERS, MAX_REPLAYED_ACKS};
use crate::engine::{Dialect, Family};
use crate::packet::Endpoint;
use crate::repl::event::{Asked, Event, Kind, Phase, Replid, Side, Sink, Transfer};
use crate::repl::summary::{LinkSummary, Report, Summaries, SyncKind};
use crate::spill::SpillError;
use crate::units::{FrameNumber, LinkNumber, Offset, Stamp};

/// What a partial sync sends within so many nanoseconds, and before the first ACK, lay in the backlog.
const BURST_NANOS: u64 = 20_000_000;

/// Hears a capture.
#[derive(Debug)]
pub struct Recorder {
    summaries: Summaries,
    heard: HashMap<LinkNumber, Heard, foldhash::fast::RandomState>,
    /// Where each master is among `highs`.
    masters: HashMap<Endpoint, usize>,
    /// The highest offset that each master has sent to anyone.
    highs: Vec<u64>,
    tapes: Tapes,
    now: Stamp,
    error: Option<SpillError>,
}

/// What is heard of a link beside its summary.
#[derive(Clone, Debug, Default)]
struct Heard {
    /// The master's place among the recorder's.
    master: Option<usize>,
    granted: Option<Stamp>,
    closed: Option<Stamp>,
    /// What the first PSYNC asked for: that of a two-channel sync is followed by another.
    asked: Option<Asked>,
    /// It wants an RDB and nothing else, as redis-cli's --rdb and --functions-rdb do.
    tool: bool,
    acks: Vec<(FrameNumber, Offset)>,
    /// The highest offset that the master had sent to anyone when it granted the sync.
    high: u64,
    /// The offset after the last command of the stream.
    decoded: Option<Offset>,
    /// Bytes of the stream are missing, and no whole command has come since.
    in_hole: bool,
    /// The offset after what came at once.
    burst: Option<u64>,
    burst_over: bool,
    /// The first frame in which an end said what is none of the protocol.
    malformed: Option<(FrameNumber, Side)>,
}

impl Recorder {
    /// One that has heard nothing. With `keeps` it keeps what is needed to run the story.
    #[must_use]
    pub fn new(keeps: bool) -> Self {
        Self {
            summaries: Summaries::new(),
            heard: HashMap::default(),
            masters: HashMap::new(),
            highs: Vec::new(),
            tapes: if keeps { Tapes::that_keep() } else { Tapes::that_count() },
            now: Stamp::default(),
            error: None,
        }
    }

    /// The first temporary file that could not be used.
    #[must_use]
    pub fn error(&self) -> Option<&SpillError> {
        self.error.as_ref()
    }

    /// What it has heard. `only` are the links that are wanted, all where it is empty; `assumed` is the version of
    /// servers of which the capture does not tell any.
    #[must_use]
    pub fn into_story(self, only: &[u32], assumed: Option<Dialect>) -> Story {
        Story::new(self.summaries.into_report(), &self.heard, self.tapes, only, assumed)
    }

    /// An element of a stream ends at this offset.
    fn streamed(&mut self, link: LinkNumber, offset: Option<Offset>, bytes: u64, now: Stamp) {
        let Some(Offset(offset)) = offset else { return };
        let heard = self.heard.entry(link).or_default();
        heard.decoded = Some(Offset(offset));
        if std::mem::take(&mut heard.in_hole) {
            self.tapes.resumed(link, Offset(offset.saturating_sub(bytes)));
        }
        if let Some(high) = heard.master.and_then(|master| self.highs.get_mut(master)) {
            *high = offset.max(*high);
        }
        if let Some(granted) = heard.granted.filter(|_| heard.acks.is_empty() && !heard.burst_over) {
            if now.since(granted).is_some_and(|span| span.nanos <= BURST_NANOS) {
                heard.burst = Some(offset);
            } else {
                heard.burst_over = true;
            }
        }
    }

    fn rare(&mut self, link: LinkNumber, event: &Event<'_>) {
        match event.kind {
            Kind::Connect { master, .. } => {
                let known = *self.masters.entry(master).or_insert(self.highs.len());
                if known == self.highs.len() {
                    self.highs.push(0);
                }
                self.heard.entry(link).or_default().master = Some(known);
            }
            Kind::Command { asked: Some(asked), .. } => {
                self.heard.entry(link).or_default().asked.get_or_insert(asked);
            }
            Kind::Command { command, .. } if command.is("REPLCONF") => {
                let names = command.arguments().skip(1).step_by(2);
                let is_tools = |name: &[u8]| {
                    [&b"rdb-only"[..], b"rdb-filter-only"].iter().any(|known| name.eq_ignore_ascii_case(known))
                };
                if names.map(|name| name.head).any(is_tools) {
                    self.heard.entry(link).or_default().tool = true;
                }
            }
            Kind::FullResync { .. } | Kind::Continue { .. } | Kind::RdbBegin { .. } | Kind::TwoChannel { .. } => {
                let heard = self.heard.entry(link).or_default();
                if heard.granted.is_none() {
                    heard.granted = Some(event.stamp);
                    heard.high = heard.master.and_then(|master| self.highs.get(master)).copied().unwrap_or(0);
                }
            }
            Kind::Gap { bytes } if event.from == Some(Side::Master) && event.phase == Phase::Stream => {
                let heard = self.heard.entry(link).or_default();
                heard.in_hole = self.tapes.gap(link, bytes, heard.decoded);
            }
            Kind::Malformed { .. } => {
                if let Some(from) = event.from {
                    self.heard.entry(link).or_default().malformed.get_or_insert((event.stamp.frame, from));
                }
            }
            Kind::Close { by, .. } => {
                let heard = self.heard.entry(link).or_default();
                heard.closed = by.map(|_| event.stamp);
            }
            _ => {}
        }
    }
}

impl Sink for Recorder {
    fn event(&mut self, event: &Event<'_>) {
        self.now = event.stamp;
        self.summaries.event(event);
        let Some(link) = event.link.filter(|_| event.phase != Phase::Client) else { return };
        match event.kind {
            Kind::Write { offset, command, .. } => self.streamed(link, offset, command.bytes(), event.stamp),
            Kind::GetAck { offset, bytes } => self.streamed(link, offset, bytes, event.stamp),
            Kind::Heartbeat { offset, bytes } if event.from == Some(Side::Master) => {
                self.streamed(link, offset, bytes, event.stamp);
            }
            Kind::Ack { offset, .. } => {
                let acks = &mut self.heard.entry(link).or_default().acks;
                if let Ok(offset) = u64::try_from(offset)
                    && acks.len() < MAX_REPLAYED_ACKS
                {
                    acks.push((event.stamp.frame, Offset(offset)));
                }
            }
            _ => self.rare(link, event),
        }
    }

    fn payload(&mut self, link: LinkNumber, bytes: &[u8]) {
        if let Err(error) = self.tapes.payload(link, bytes) {
            self.error.get_or_insert(error);
        }
    }

    fn stream(&mut self, link: LinkNumber, bytes: &[u8]) {
        if let Err(error) = self.tapes.stream(link, bytes, self.now) {
            self.error.get_or_insert(error);
        }
    }
}

/// A server of the story.
#[derive(Clone, Debug)]
pub struct Node {
    /// Where it listens, as far as the capture tells.
    pub address: Endpoint,
    /// What it is, as far as the capture tells.
    pub dialect: Dialect,
    /// Whether that was told, not assumed.
    pub told: bool,
}

/// A link that came to a sync.
#[derive(Clone, Debug)]
pub struct Scene {
    /// As it was recorded.
    pub link: LinkSummary,
    /// The master's number among the story's nodes.
    pub master: usize,
    /// The replica's.
    pub replica: usize,
    /// The frame in which the sync was granted; of a link that began before the capture, its first.
    pub granted: Stamp,
    /// The frame that ended the link.
    pub closed: Option<Stamp>,
    /// What the replica asked for first.
    pub asked: Option<Asked>,
    /// The history.
    pub replid: Replid,
    /// The offset from which the stream goes on.
    pub start: Offset,
    /// The offset after the last byte of the stream that can be played.
    pub end: Offset,
    /// So much of it the replica has applied, according to its next PSYNC.
    pub applied: Offset,
    /// The offset at which the master stood when it granted a partial sync, as far as the capture tells.
    pub stood: Offset,
    /// The ACKs.
    pub acks: Vec<(FrameNumber, Offset)>,
    /// The link on which the RDB came, if it did whole.
    pub rdb: Option<LinkNumber>,
    /// The first frame in which an end said what is none of the protocol, and which end: that is not said again.
    pub malformed: Option<(FrameNumber, Side)>,
    /// Bytes of the stream that the capture lacks, or what else keeps all of it from being played.
    pub lacks: Option<String>,
    /// It is cut before its end, as was asked for.
    pub cut: bool,
    /// It is cut when so many bytes of the RDB have been sent, as was asked for.
    pub cut_rdb: Option<u64>,
    /// It is not in the recording: what follows a cut that was asked for.
    pub imagined: bool,
}

impl Scene {
    /// Whether the replica comes back with a place in the master's history: what a backlog is for.
    #[must_use]
    pub fn comes_back(&self, lineages: &Lineages) -> bool {
        self.link.sync.kind == SyncKind::Partial || self.is_overrun(lineages)
    }

    /// Whether its replica can have the RDB on a connection of its own.
    pub(super) fn can_two_channel(&self) -> bool {
        self.link.capa.iter().any(|capa| capa == "rdb-channel-repl" || capa == "dual-channel")
    }

    /// The ACKs of what the replica can have applied.
    pub(super) fn true_acks(&self) -> impl Iterator<Item = Offset> {
        self.acks.iter().map(|(_, offset)| *offset).filter(|offset| *offset <= self.applied)
    }

    /// Whether what the replica asks for is of the history that the master has: then the master had lost it.
    #[must_use]
    pub fn is_overrun(&self, lineages: &Lineages) -> bool {
        self.link.sync.kind == SyncKind::Full
            && self.asked.is_some_and(|asked| lineages.same(&asked.replid, &self.replid))
    }
}

/// A link of which nothing is replayed, and why.
#[derive(Clone, Debug)]
pub struct Left {
    /// As it was recorded.
    pub link: LinkSummary,
    /// The reason, in a sentence.
    pub why: String,
}

/// See the module.
#[derive(Debug)]
pub struct Story {
    /// The servers.
    pub nodes: Vec<Node>,
    /// The links that are played, in the order in which their syncs were granted.
    pub scenes: Vec<Scene>,
    /// The others.
    pub left: Vec<Left>,
    /// Which replids are of one history.
    pub lineages: Lineages,
    /// Payloads and streams.
    pub tapes: Tapes,
}

impl Story {
    fn new(
        report: Report,
        heard: &HashMap<LinkNumber, Heard, foldhash::fast::RandomState>,
        tapes: Tapes,
        only: &[u32],
        assumed: Option<Dialect>,
    ) -> Self {
        let mut story =
            Self { nodes: Vec::new(), scenes: Vec::new(), left: Vec::new(), lineages: Lineages::default(), tapes };
        let wanted = |link: &LinkSummary| {
            only.is_empty() || only.contains(&link.link.0) || link.pair.is_some_and(|pair| only.contains(&pair.0))
        };
        for link in &report.links {
            if let (Some(asked), Some(replid), SyncKind::Partial) = (link.sync.asked, link.sync.replid, link.sync.kind)
            {
                story.lineages.join(&asked.replid, &replid);
            }
        }
        let links: Vec<LinkSummary> =
            report.links.into_iter().filter(|link| !link.rdb_channel && wanted(link)).collect();
        for link in links {
            let heard = heard.get(&link.link).cloned().unwrap_or_default();
            match story.scene(&link, heard, assumed) {
                Ok(scene) => story.scenes.push(scene),
                Err(why) => story.left.push(Left { link, why }),
            }
        }
        story.scenes.sort_by_key(|scene| scene.granted.frame);
        story.split();
        story.settle_applied();
        story.settle_dialects(assumed);
        for scene in &story.scenes {
            let first = scene.start.next_byte();
            story.tapes.place(scene.link.link, story.lineages.root(&scene.replid), first);
        }
        story
    }

    fn scene(&mut self, link: &LinkSummary, heard: Heard, assumed: Option<Dialect>) -> Result<Scene, String> {
        let stream = link.stream.as_ref();
        let midstream = link.sync.kind == SyncKind::None;
        match link.sync.kind {
            SyncKind::Refused => {
                let error = link.sync.error.as_deref().unwrap_or("nothing");
                return Err(format!("the master refused with {error}"));
            }
            SyncKind::None if stream.is_none_or(|stream| stream.first.is_none()) => {
                return Err("no sync came about".to_owned());
            }
            _ => {}
        }
        // Of a stream whose sync the capture lacks, the history has no name that is known.
        if heard.tool {
            return Err("it is no replica: it asked for an RDB as redis-cli does".to_owned());
        }
        if link.sync.kind == SyncKind::Full && heard.asked.is_none() {
            return Err("it synced by SYNC, which tells no offsets".to_owned());
        }
        let replid = link.sync.replid.unwrap_or_else(|| Replid::from_wire("0".repeat(Replid::LENGTH).as_bytes()));
        let rdb = link.rdb.as_ref();
        if link.sync.kind == SyncKind::Full {
            match rdb {
                None => return Err("the RDB never came".to_owned()),
                Some(rdb) if !rdb.complete && link.gaps > 0 => {
                    return Err("the capture lacks bytes of its RDB".to_owned());
                }
                Some(rdb) if !rdb.complete => return Err(format!("only {} bytes of its RDB came", rdb.bytes)),
                Some(_) => {}
            }
        }
        let first = stream.and_then(|stream| stream.first);
        let start = match (link.sync.offset, first) {
            (Some(offset), _) => offset,
            (None, Some(first)) => Offset::before_byte(first),
            (None, None) => return Err("its offsets are not known".to_owned()),
        };
        let mut end = stream.and_then(|stream| stream.last).unwrap_or(start).max(start);
        let mut lacks = None;
        let mut holes: Vec<(u64, u64)> = Vec::new();
        if link.stream_gaps > 0 {
            self.tapes.settle(link.link, start);
            let recording = self.tapes.get(link.link);
            end = start.advanced_by(recording.map_or(0, Recording::whole)).min(end);
            holes = recording.iter().flat_map(|recording| recording.holes()).collect();
            let reach = match stream.and_then(|stream| stream.last) {
                Some(last) if end < last => format!("; it is played up to offset {end} only"),
                _ => String::new(),
            };
            let filled = match holes.first() {
                Some((from, _)) => {
                    format!(", and others stand for what is not whole from offset {} on", start.advanced_by(*from))
                }
                None => String::new(),
            };
            lacks = Some(format!("the capture lacks {} bytes of the stream{filled}{reach}", link.stream_gaps));
        }
        let in_hole = |offset: Offset| {
            let place = offset.0.saturating_sub(start.0);
            holes.iter().any(|(from, to)| *from < place && place < *to)
        };
        let replica = Endpoint { port: link.replica_port.unwrap_or(0), ..link.replica };
        let replica = if replica.port == 0 { link.replica } else { replica };
        let is_new = |end: &&Endpoint| self.nodes.iter().all(|node| node.address != **end);
        let strangers = [link.master, replica].iter().filter(is_new).count();
        if self.nodes.len() + strangers > MAX_REPLAY_SERVERS {
            return Err(format!("more than {MAX_REPLAY_SERVERS} servers take part, and this is one more"));
        }
        let (master, replica) = (self.node(link.master, assumed), self.node(replica, assumed));
        let granted = if midstream { link.opened } else { heard.granted.unwrap_or(link.opened) };
        let mut acks = heard.acks;
        // A replica cannot have applied what did not come.
        acks.retain(|(_, offset)| lacks.is_none() || (*offset <= end && !in_hole(*offset)));
        Ok(Scene {
            link: link.clone(),
            master,
            replica,
            granted,
            closed: heard.closed,
            asked: heard.asked,
            replid,
            start,
            end,
            applied: end,
            stood: Offset(heard.burst.unwrap_or(0).max(heard.high).max(start.0)),
            acks,
            rdb: rdb.filter(|rdb| rdb.complete).map(|rdb| rdb.link),
            malformed: heard.malformed,
            lacks,
            cut: false,
            cut_rdb: None,
            imagined: false,
        })
    }

    fn node(&mut self, address: Endpoint, assumed: Option<Dialect>) -> usize {
        if let Some(at) = self.nodes.iter().position(|node| node.address == address) {
            return at;
        }
        self.nodes.push(Node { address, dialect: assumed.unwrap_or(Dialect::DEFAULT), told: false });
        self.nodes.len() - 1
    }

    /// Up to 3.2 a replica writes a stream of its own for its replicas, under a replid of its own: there it is a node of
    /// its own, beside the one that follows its master.
    fn split(&mut self) {
        let mut twins: Vec<(usize, Replid, usize)> = Vec::new();
        for at in 0..self.scenes.len() {
            let Some(scene) = self.scenes.get(at) else { continue };
            let (master, replid, granted) = (scene.master, scene.replid, scene.granted.frame);
            let apart = self.scenes.iter().any(|other| {
                other.replica == master
                    && other.granted.frame < granted
                    && other.closed.is_none_or(|closed| closed.frame > granted)
                    && !self.lineages.same(&other.replid, &replid)
            });
            let known = twins.iter().find(|(of, lineage, _)| *of == master && lineage.matches(&replid));
            let twin = match known {
                Some((.., twin)) => *twin,
                None if apart => {
                    let Some(node) = self.nodes.get(master).cloned() else { continue };
                    self.nodes.push(node);
                    twins.push((master, replid, self.nodes.len() - 1));
                    self.nodes.len() - 1
                }
                None => continue,
            };
            if let Some(scene) = self.scenes.get_mut(at) {
                scene.master = twin;
            }
        }
    }

    /// What a replica had applied when its link ended, its next PSYNC tells.
    fn settle_applied(&mut self) {
        for at in 0..self.scenes.len() {
            let Some(scene) = self.scenes.get(at) else { continue };
            let next = self.scenes.iter().skip(at + 1).find(|next| next.replica == scene.replica);
            let asked = next.and_then(|next| next.asked);
            let Some(asked) = asked.filter(|asked| self.lineages.same(&asked.replid, &scene.replid)) else { continue };
            let Some(byte) = asked.offset.and_then(|byte| u64::try_from(byte).ok()) else { continue };
            let applied = Offset::before_byte(byte);
            if let Some(scene) = self.scenes.get_mut(at)
                && (scene.start..scene.end).contains(&applied)
            {
                scene.applied = applied;
            }
        }
    }

    /// Which server each node is: what its own RDBs tell, or its own REPLCONF version; else what it can do, and else what
    /// the other end is.
    fn settle_dialects(&mut self, assumed: Option<Dialect>) {
        let told: Vec<(usize, Dialect)> =
            self.scenes.iter().filter_map(|scene| Some((scene.master, by_rdb(scene)?))).collect();
        let versions = self.scenes.iter().filter_map(|scene| Some((scene.replica, by_version(scene)?)));
        for (node, dialect) in told.into_iter().chain(versions.collect::<Vec<_>>()) {
            if let Some(node) = self.nodes.get_mut(node).filter(|node| !node.told) {
                (node.dialect, node.told) = (dialect, true);
            }
        }
        for scene in &self.scenes {
            let other = self.nodes.get(scene.master).filter(|node| node.told).map(|node| node.dialect);
            if let Some(node) = self.nodes.get_mut(scene.replica).filter(|node| !node.told) {
                let base = assumed.or(other).unwrap_or(node.dialect);
                node.dialect = by_abilities(base, &scene.link.capa);
            }
        }
        for scene in &self.scenes {
            let other = self.nodes.get(scene.replica).map(|node| node.dialect);
            if let (Some(node), Some(other), None) =
                (self.nodes.get_mut(scene.master).filter(|node| !node.told), other, assumed)
            {
                node.dialect = other;
            }
        }
    }
}

/// `7.0.15` of a family.
fn version(family: Family, text: &[u8]) -> Option<Dialect> {
    let text = std::str::from_utf8(text).ok()?;
    let mut parts = text.split('.').map(str::parse::<u8>);
    let mut part = || parts.next()?.ok();
    let (major, minor) = (part()?, part()?);
    Some(Dialect { family, version: (major, minor, part().unwrap_or(0)) })
}

/// The version that wrote the RDB, or the oldest that writes such ones.
fn by_rdb(scene: &Scene) -> Option<Dialect> {
    let summary = &scene.link.rdb.as_ref()?.summary;
    let aux = |key: &[u8]| summary.aux.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_slice());
    if let Some(dialect) = aux(b"valkey-ver").and_then(|text| version(Family::Valkey, text)) {
        return Some(dialect);
    }
    if let Some(dialect) = aux(b"redis-ver").and_then(|text| version(Family::Redis, text)) {
        return Some(dialect);
    }
    // Versions before 3.2 wrote no AUX fields.
    summary.header.filter(|header| header.version <= 6).and_then(|_| "redis-2.8".parse().ok())
}

fn by_version(scene: &Scene) -> Option<Dialect> {
    version(Family::Valkey, scene.link.replica_version.as_deref()?.as_bytes())
}

/// The dialect, or one of another version that says of itself what this replica has said.
fn by_abilities(base: Dialect, capa: &[String]) -> Dialect {
    let has = |word: &str| capa.iter().any(|capa| capa == word);
    let named = |name: &str| name.parse().unwrap_or(base);
    match () {
        () if has("rdb-channel-repl") && !base.is_redis_since(8, 0) => named("redis-8.2"),
        () if has("dual-channel") && !base.is_valkey_since(8, 0) => named("valkey-8.1"),
        () if has("psync2") && !base.since(4, 0) => named("redis-7.0"),
        () if !has("psync2") && base.since(4, 0) => named(if has("eof") { "redis-3.2" } else { "redis-2.8" }),
        () => base,
    }
}

/// Whether the sync came over two connections.
#[must_use]
pub(super) fn is_two_channel(transfer: Option<Transfer>) -> bool {
    matches!(transfer, Some(Transfer::RdbChannel | Transfer::DualChannel))
}
