//! The embedded engine: a keyspace that follows any master, and a server whose purpose is replication.
//!
//! ```text
//!  sockets ── server ──┬── core ── command ── context ── keyspace ── value
//!                      │             └─ propagation (what goes into the stream)
//!                      └── links ── repl::{master, replica, backlog}
//! ```
//!
//! One thread owns the keyspace and everything else; what it does for one connection it does for a whole batch of
//! commands. [`Engine`] knows no sockets and no clock.

pub mod args;
pub mod command;
mod context;
mod core;
mod dialect;
mod error;
pub mod glob;
mod keyspace;
pub mod long_double;
mod propagation;
mod random;
mod reply;
#[cfg(test)]
mod testing;
pub mod value;

pub use context::{Context, Origin};
pub use core::{Audience, Engine, Queue, Request, Session, SessionId, Stats};
pub use dialect::{Dialect, Family};
pub use error::CommandError;
pub use keyspace::{Entry, Keyspace, NEVER, Size, SnapshotId, Taken};
pub use propagation::{Stream, encode};
pub use random::Random;
pub use reply::Reply;
pub use value::{Blob, Value};
