//! The report of a capture: one summary per link, as one JSON object or as tables.

mod json;
mod nothing;
pub(in crate::view) mod table;

use crate::capture::LinkType;
use crate::repl::observer::Totals;
use crate::repl::pipeline::FrameCounts;
use crate::repl::summary::Report;
use crate::units::Stamp;

pub use json::{link_json, write_json};
pub use nothing::nothing_found;
pub use table::{Look, to_tables};

/// What the capture itself was like.
#[derive(Clone, Debug)]
pub struct CaptureSummary {
    /// Its name as it was given.
    pub file: String,
    /// `pcap` or `pcapng`.
    pub format: String,
    /// `gzip` or `zstd`, where it was compressed.
    pub compression: Option<String>,
    /// The link types of its interfaces.
    pub link_types: Vec<LinkType>,
    /// Frames.
    pub packets: u64,
    /// Bytes of the capture, uncompressed.
    pub bytes: u64,
    /// The first frame and the last.
    pub span: Option<(Stamp, Stamp)>,
    /// Packets that the capturing side dropped, where the capture tells.
    pub dropped: Option<u64>,
    /// What is wrong with the file, in a sentence.
    pub damage: Option<String>,
    /// TCP connections.
    pub connections: u32,
}

/// All that a report says.
#[derive(Debug)]
pub struct FullReport {
    /// The capture.
    pub capture: CaptureSummary,
    /// Its links.
    pub report: Report,
    /// What became of its frames.
    pub frames: FrameCounts,
    /// Everything else in it.
    pub totals: Totals,
}
