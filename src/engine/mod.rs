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
#[cfg(feature = "scripts")]
pub(crate) mod busy;
mod changes;
mod clients;
pub mod command;
mod config;
mod context;
mod core;
pub mod courier;
mod dialect;
mod digest;
mod error;
mod events;
mod eviction;
pub mod geohash;
pub mod glob;
mod guards;
mod info;
mod keyspace;
mod libraries;
pub mod load;
mod log;
pub mod long_double;
mod measure;
mod monitors;
pub mod number;
mod partial_sort;
mod propagation;
mod random;
mod replication;
mod reply;
pub mod request;
pub mod save;
pub mod saving;
#[cfg(feature = "scripts")]
mod script;
pub mod server;
mod subscriptions;
mod tape;
mod tell;
#[cfg(test)]
mod testing;
mod tracking;
mod users;
mod uses;
pub mod value;

pub use changes::{Changes, Printed};
pub use clients::{Blocked, BlockedOn, Clients, Closing, Counts, Kind, Queue, Replies, Session, SessionId};
pub use config::{Config, ConfigError, OutputLimit, split};
pub use context::{Context, Origin};
pub use core::{ConfigFile, Engine, Listening, Request, Stats};
pub use dialect::{Dialect, Family};
pub use digest::Digest;
pub use error::CommandError;
pub use info::{Process, Rate, Rates};
pub use keyspace::{Entry, Keyspace, NEVER, Size, SnapshotId, Taken};
pub use libraries::Libraries;
pub use log::Level;
pub use propagation::Stream;
pub use random::Random;
pub use replication::{Snapshot, Task};
pub use reply::Reply;
#[cfg(feature = "scripts")]
pub use script::Scripts;
pub use tape::{Follower, Standing};
pub use tell::tell;
pub use users::{User, Users};
pub use uses::{Clock, Use};
pub use value::{Blob, Value};
