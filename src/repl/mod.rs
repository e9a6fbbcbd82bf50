//! The replication protocol, sans-IO: its words, the framing of its payloads, and the observer that follows both
//! directions of a link and tells what it sees as [`event`]s.
//!
//! What the protocol is like is told in `ARCHITECTURE.md`; each file names the servers and versions that its facts were
//! seen on.

pub mod backlog;
pub mod compat;
pub mod event;
pub mod history;
pub mod master;
pub mod notes;
pub mod observer;
pub mod pipeline;
pub mod replica;
pub mod summary;
pub mod words;

mod classify;
mod ledger;
mod link;
mod payload;
mod peers;

#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_ends;

pub use event::{Event, Kind, Phase, Side, Sink};
pub use notes::Note;
pub use observer::{Observer, Settings, Totals};
pub use pipeline::Pipeline;
