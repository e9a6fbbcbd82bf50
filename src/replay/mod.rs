//! A capture, played again: the servers that it shows are rebuilt, connected and fed as they were, and it is said whether
//! it came out the same.
//!
//! ```text
//!  capture ── repl::observer ── story (who followed whom, when, from where) ── run ── stage (engines on sockets)
//!                                  └─ tape (payloads, streams)                   │        │
//!                                                          verdict ◄── repl::observer ◄── witness (frames) ── -w
//! ```

mod abroad;
mod client;
mod cut;
mod network;
mod picture;
mod run;
pub mod show;
mod stage;
mod story;
mod tape;
mod verdict;
mod what_if;
mod witness;

pub use abroad::{Part, Partner};
pub use client::Target;
pub use run::{Director, Outcome, Played, RunError, Speed};
pub use stage::StageError;
pub use story::{Left, Node, Recorder, Scene, Story};
pub use verdict::{Difference, LinkVerdict, Verdict};
pub use what_if::{Cut, Network, WhatIf};
pub use witness::Witness;
