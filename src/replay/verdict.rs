//! Did it come out the same? Each recorded link against the replayed one, fact by fact.

use std::fmt::Display;

use super::abroad::{Part, excuse, remark};
use super::run::{Outcome, Played};
use super::story::{Scene, Story};
use super::witness::Witness;
use crate::engine::Dialect;
use crate::repl::event::Side;
use crate::repl::summary::{LinkSummary, StreamSummary, SyncKind};
use crate::units::{FrameNumber, Offset};

/// Something that came out otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// What, in the words of the report's fields.
    pub what: &'static str,
    /// As it was recorded.
    pub recorded: String,
    /// As it was replayed.
    pub replayed: String,
    /// The offset at which it first shows, where it has one.
    pub offset: Option<Offset>,
    /// The frame of the recording.
    pub packet: Option<FrameNumber>,
}

/// One link.
#[derive(Clone, Debug)]
pub struct LinkVerdict {
    /// As it was recorded.
    pub recorded: LinkSummary,
    /// It is not in the recording: what follows a cut that was asked for.
    pub imagined: bool,
    /// As it was replayed; `None` where it was not.
    pub replayed: Option<LinkSummary>,
    /// What differs.
    pub differences: Vec<Difference>,
    /// Why it was not replayed, or not all of it; what else the reader should know.
    pub notes: Vec<String>,
    /// Whether all of it was asked to come out the same.
    pub covered: bool,
}

impl LinkVerdict {
    /// Whether it came out as it was recorded.
    #[must_use]
    pub fn same(&self) -> bool {
        self.replayed.is_some() && self.differences.is_empty()
    }
}

/// The whole.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// The links, in the order of their numbers.
    pub links: Vec<LinkVerdict>,
    /// The dialect of the digests, and those of the last link's master and replica; `None` where none can be claimed.
    pub digest: Option<(Dialect, String, String)>,
    /// What the digest does not cover, and other words about the whole.
    pub notes: Vec<String>,
    /// Whether everything that was replayed came out as it was recorded, and something was.
    pub reproduced: bool,
}

impl Verdict {
    /// Judges.
    #[must_use]
    pub fn new(story: &Story, played: Played, seen: &[LinkSummary]) -> Self {
        let mut links: Vec<LinkVerdict> = Vec::new();
        for (scene, outcome) in story.scenes.iter().zip(&played.outcomes) {
            let number = outcome.connection.map(Witness::link);
            let replayed = number.and_then(|number| seen.iter().find(|link| link.link == number));
            let mut judged = judge(scene, outcome, replayed, played.part);
            judged.differences.iter_mut().for_each(|difference| locate(difference, story, scene, replayed));
            links.push(judged);
            let returns = outcome.returns.iter().map(|number| Witness::link(*number));
            for number in returns.collect::<Vec<_>>() {
                links.extend(seen.iter().find(|link| link.link == number && !link.rdb_channel).map(|link| {
                    LinkVerdict {
                        recorded: scene.link.clone(),
                        imagined: true,
                        replayed: Some(link.clone()),
                        differences: vec![told("course", "no return", "the replica came back by itself")],
                        notes: Vec::new(),
                        covered: true,
                    }
                }));
            }
        }
        for left in &story.left {
            links.push(LinkVerdict {
                recorded: left.link.clone(),
                imagined: false,
                replayed: None,
                differences: Vec::new(),
                notes: vec![left.why.clone()],
                covered: false,
            });
        }
        links.sort_by_key(|link| link.recorded.link);
        let mut notes: Vec<String> = remark(played.part).map(str::to_owned).into_iter().collect();
        let (mut digest, mut foreign) = (played.digests, false);
        if let Some((count, offset, name)) = played.unapplied {
            notes.push(format!(
                "{count} commands could not be applied, the first of them {name} before offset {offset}: the keyspaces are not covered"
            ));
            digest = None;
            foreign = !is_scripts_or_modules(&name);
        }
        if played.synthetic {
            notes.push("the replay is synthetic in part: the keyspaces are not covered".to_owned());
            digest = None;
        }
        if played.groundless {
            notes.push("the capture lacks the data with which it began: the keyspaces are not covered".to_owned());
            digest = None;
        }
        let equal = digest.as_ref().is_none_or(|(_, master, replica)| master == replica);
        let ended =
            story.scenes.iter().max_by_key(|scene| scene.granted.frame).is_some_and(|scene| scene.applied == scene.end);
        if !equal && ended {
            notes.push("master and replica hold different data in the end".to_owned());
        }
        if links.iter().all(|link| link.replayed.is_none()) {
            notes.push("nothing of the capture could be replayed".to_owned());
        }
        let played = |link: &&LinkVerdict| link.replayed.is_some() || link.covered;
        let reproduced = links.iter().any(|link| link.replayed.is_some())
            && links.iter().filter(played).all(LinkVerdict::same)
            && (equal || !ended)
            && !foreign;
        Self { links, digest, notes, reproduced }
    }
}

/// Whether a command is one that servers put into the stream and that needs more than an engine to be applied.
fn is_scripts_or_modules(name: &str) -> bool {
    name.contains('.')
        || ["EVAL", "EVALSHA", "FCALL", "VADD", "VREM", "VSETATTR"].iter().any(|known| name.eq_ignore_ascii_case(known))
}

fn judge(scene: &Scene, outcome: &Outcome, replayed: Option<&LinkSummary>, part: Option<Part>) -> LinkVerdict {
    let recorded = &scene.link;
    let mut found = Vec::new();
    for fault in &outcome.faults {
        found.push(told("course", "otherwise", fault));
    }
    if let Some(replayed) = replayed.filter(|_| !scene.imagined) {
        compare(scene, recorded, replayed, &mut found);
    }
    contradictions(scene, &mut found);
    for missed in &outcome.missed_acks {
        let packet = scene.acks.iter().find(|(_, offset)| offset == missed).map(|(frame, _)| *frame);
        found.push(Difference {
            offset: Some(*missed),
            packet,
            ..told("acks", &format!("an ACK of {missed}"), "no command ends there")
        });
    }
    if let Some((frame, offset)) = scene.acks.iter().find(|(_, offset)| *offset > scene.applied) {
        found.push(Difference {
            offset: Some(*offset),
            packet: Some(*frame),
            ..told(
                "acks",
                &format!("an ACK of {offset}"),
                &format!("no more than {} that the replica can have applied", scene.applied),
            )
        });
    }
    if let Some((frame, from)) = scene.malformed {
        let end = if from == Side::Master { "master" } else { "replica" };
        found.push(Difference {
            packet: Some(frame),
            ..told("course", &format!("the {end} said what is none of the protocol"), "nothing like it")
        });
    }
    let backwards = scene.acks.windows(2).find(|pair| pair[1].1 < pair[0].1);
    if let Some([_, (frame, offset)]) = backwards {
        found.push(Difference {
            offset: Some(*offset),
            packet: Some(*frame),
            ..told("acks", &format!("an ACK of {offset} after a higher one"), "ACKs that only grow")
        });
    }
    for (recorded, replayed) in &outcome.inconsistent {
        found.push(Difference {
            offset: Some(scene.start),
            packet: Some(scene.granted.frame),
            ..told("data", recorded, replayed)
        });
    }
    if let Some(contradiction) = &outcome.contradiction {
        let word = |word: &[u8]| String::from_utf8_lossy(word).into_owned();
        let what = match &contradiction.command {
            Some((name, key)) if !key.is_empty() => {
                format!("byte {} of the stream, in {} {}", contradiction.byte, word(name), word(key))
            }
            Some((name, _)) => format!("byte {} of the stream, in {}", contradiction.byte, word(name)),
            None => format!("byte {} of the stream", contradiction.byte),
        };
        found.push(Difference {
            offset: Some(Offset::before_byte(contradiction.byte)),
            packet: contradiction.frame.map(FrameNumber),
            ..told("stream.bytes", &what, &format!("another one, as link {} has it", contradiction.other))
        });
    }
    let mut notes = outcome.notes.clone();
    notes.extend(scene.lacks.clone());
    excuse(part, &outcome.uncompared, (recorded, replayed), &mut found, &mut notes);
    if scene.imagined {
        found.push(told("course", "no cut", "what came of it"));
    } else if scene.cut {
        let what = match scene.cut_rdb {
            Some(bytes) => format!("a cut after {bytes} bytes of the RDB, as asked for"),
            None => format!("a cut at offset {}, as asked for", scene.end),
        };
        let packet = scene.closed.map(|stamp| stamp.frame);
        found.push(Difference { offset: Some(scene.end), packet, ..told("course", "no cut", &what) });
    }
    LinkVerdict {
        recorded: recorded.clone(),
        imagined: scene.imagined,
        replayed: replayed.cloned(),
        differences: found,
        notes,
        covered: true,
    }
}

/// Where a recorded RDB says of itself another history or place than the master said of it.
fn contradictions(scene: &Scene, found: &mut Vec<Difference>) {
    let (Some(rdb), SyncKind::Full) = (&scene.link.rdb, scene.link.sync.kind) else { return };
    let aux = |key: &[u8]| {
        let (_, value) = rdb.summary.aux.iter().find(|(name, _)| name == key)?;
        Some(String::from_utf8_lossy(value).into_owned())
    };
    let at = |difference: Difference| Difference {
        offset: Some(scene.start),
        packet: Some(scene.granted.frame),
        ..difference
    };
    if let Some(id) = aux(b"repl-id").filter(|id| !id.eq_ignore_ascii_case(scene.replid.as_str())) {
        found.push(at(told("sync.replid", scene.replid.as_str(), &format!("{id}, as the RDB has it"))));
    }
    if let Some(offset) = aux(b"repl-offset").filter(|offset| *offset != scene.start.to_string()) {
        found.push(at(told("sync.offset", &scene.start.to_string(), &format!("{offset}, as the RDB has it"))));
    }
}

/// A fact that differs shows first where it comes about: one of the sync or the RDB with these, one of the stream where one of
/// the two streams ends.
fn locate(difference: &mut Difference, story: &Story, scene: &Scene, replayed: Option<&LinkSummary>) {
    if difference.offset.is_some() || difference.packet.is_some() || scene.imagined {
        return;
    }
    if !difference.what.starts_with("stream.") {
        (difference.offset, difference.packet) = (Some(scene.start), Some(scene.granted.frame));
        return;
    }
    let last = |link: &LinkSummary| link.stream.as_ref().and_then(|stream| stream.last).unwrap_or(scene.start);
    let until = replayed.map_or(scene.start, last).min(last(&scene.link)).max(scene.start);
    let moment = story.tapes.moment(scene.link.link, until.0 - scene.start.0);
    (difference.offset, difference.packet) = (Some(until), moment.map(|(frame, _)| FrameNumber(frame)));
}

fn told(what: &'static str, recorded: &str, replayed: &str) -> Difference {
    Difference { what, recorded: recorded.to_owned(), replayed: replayed.to_owned(), offset: None, packet: None }
}

/// Notes what differs between two facts.
fn fact<T: PartialEq + Display>(
    found: &mut Vec<Difference>,
    what: &'static str,
    recorded: Option<T>,
    replayed: Option<T>,
) {
    if recorded != replayed {
        let words = |fact: Option<T>| fact.map_or_else(|| "none".to_owned(), |fact| fact.to_string());
        found.push(told(what, &words(recorded), &words(replayed)));
    }
}

fn compare(scene: &Scene, recorded: &LinkSummary, replayed: &LinkSummary, found: &mut Vec<Difference>) {
    let (was, is) = (&recorded.sync, &replayed.sync);
    // A link of which the capture lacks the beginning can only be gone on with.
    if was.kind != SyncKind::None {
        fact(found, "sync.kind", Some(was.kind.as_str()), Some(is.kind.as_str()));
        fact(found, "sync.transfer", was.transfer.map(|it| it.as_str()), is.transfer.map(|it| it.as_str()));
        let lower = |replid: crate::repl::event::Replid| replid.as_str().to_ascii_lowercase();
        fact(found, "sync.replid", was.replid.map(lower), is.replid.map(lower));
        fact(found, "sync.offset", was.offset, is.offset);
    }
    if let (Some(was), Some(is)) = (&recorded.rdb, &replayed.rdb) {
        fact(found, "rdb.keys", Some(was.summary.keys), Some(is.summary.keys));
        fact(found, "rdb.expires", Some(was.summary.expires), Some(is.summary.expires));
        fact(found, "rdb.functions", Some(was.summary.functions), Some(is.summary.functions));
    }
    if scene.lacks.is_none() && !scene.cut {
        let none = StreamSummary::default();
        let (was, is) = (recorded.stream.as_ref().unwrap_or(&none), replayed.stream.as_ref().unwrap_or(&none));
        fact(found, "stream.first_offset", was.first.filter(|_| was.bytes > 0), is.first.filter(|_| is.bytes > 0));
        fact(found, "stream.last_offset", was.last.filter(|_| was.bytes > 0), is.last.filter(|_| is.bytes > 0));
        fact(found, "stream.bytes", Some(was.bytes), Some(is.bytes));
        fact(found, "stream.commands", Some(was.commands), Some(is.commands));
        fact(found, "stream.newlines", Some(was.newlines), Some(is.newlines));
        let names = |stream: &StreamSummary| {
            let words: Vec<String> =
                stream.by_command.sorted().into_iter().map(|(name, n)| format!("{name} {n}")).collect();
            words.join(", ")
        };
        fact(found, "stream.by_command", Some(names(was)), Some(names(is)));
    }
}
