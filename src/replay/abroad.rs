//! A story with a real server on one side: which part of it is played, and what of it can be asked to come out the same.

use super::client::Target;
use super::story::{Left, Scene, Story};
use super::verdict::Difference;
use crate::rdb::Format;
use crate::repl::event::Transfer;
use crate::repl::replica::Credentials;
use crate::repl::summary::LinkSummary;

/// The side that is played; a real server has the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The recorded replica's.
    Replica,
    /// The recorded master's.
    Master,
}

/// The real server of a replay.
#[derive(Clone, Debug)]
pub struct Partner {
    /// What is said to it, or asked of it.
    pub credentials: Option<Credentials>,
    /// Where it listens, or where it is waited for.
    pub place: Target,
}

impl Story {
    /// Keeps one replica's links, those of the first; whoever it followed in the recording, it is one master now.
    pub fn keep_one_replica(&mut self) {
        let Some((master, replica, link)) =
            self.scenes.first().map(|scene| (scene.master, scene.replica, scene.link.link))
        else {
            return;
        };
        let (kept, others): (Vec<Scene>, Vec<Scene>) =
            std::mem::take(&mut self.scenes).into_iter().partition(|scene| scene.replica == replica);
        let why = format!("one replica is played, that of link {link}");
        self.left.extend(others.into_iter().map(|scene| Left { link: scene.link, why: why.clone() }));
        self.scenes = kept;
        for scene in &mut self.scenes {
            scene.master = master;
        }
    }
}

/// Why a real replica cannot have the recorded transfer: it did not say that it can, or what it reads travels otherwise.
fn unable(recorded: &LinkSummary, replayed: &LinkSummary) -> Option<String> {
    let transfer = recorded.sync.transfer.filter(|transfer| Some(*transfer) != replayed.sync.transfer)?;
    let needed = match transfer {
        Transfer::Disk => {
            let format = |link: &LinkSummary| Some(link.rdb.as_ref()?.summary.header?.format);
            let older = (format(recorded), format(replayed)) == (Some(Format::Valkey), Some(Format::Redis));
            let why = "the replica reads older RDBs only, which a Valkey 9 sends without a file in between";
            return older.then(|| why.to_owned());
        }
        Transfer::Diskless => "eof",
        Transfer::RdbChannel => "rdb-channel-repl",
        Transfer::DualChannel => "dual-channel",
    };
    let has = replayed.capa.iter().any(|capa| capa == needed);
    (!has)
        .then(|| format!("the replica did not say `capa {needed}`: it cannot have the transfer {}", transfer.as_str()))
}

/// What holds for all links.
pub(super) fn remark(part: Option<Part>) -> Option<&'static str> {
    (part == Some(Part::Replica))
        .then_some("what the real master holds, calls its history and writes is its own: it is shown, and not compared")
}

/// Takes out of what differs in a link what a real server was not asked for, and says so.
pub(super) fn excuse(
    part: Option<Part>,
    uncompared: &[&str],
    (recorded, replayed): (&LinkSummary, Option<&LinkSummary>),
    found: &mut Vec<Difference>,
    notes: &mut Vec<String>,
) {
    found.retain(|difference| !uncompared.iter().any(|what| difference.what.starts_with(what)));
    let why = replayed.filter(|_| part == Some(Part::Master)).and_then(|replayed| unable(recorded, replayed));
    if let Some(why) = why {
        found.retain(|difference| difference.what != "sync.transfer");
        notes.push(why);
    }
}
