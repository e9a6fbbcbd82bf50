//! repltool: the Redis and Valkey replication protocol, visible and repeatable.
//!
//! Data goes one way, and each floor knows only the floors below it:
//!
//! ```text
//!  capture file, stdin ─┐
//!  live interface ──────┴─ Frame ─ packet ─ Segment ─ tcp ─ bytes | gap | end, per direction
//!                                                            │
//!                  repl::observer  (resp and rdb decoders inside, the offset ledger)
//!                                                            │ Event
//!                          ┌─────────────────┬───────────────┴────┬───────────────┐
//!                     view::text        view::json       repl::summary ─ report   replay::story
//!                                                                                 │
//!  sockets ⇄ engine::server ⇄ repl::{master, replica} ⇄ engine::{keyspace, …} ◄───┘
//! ```
//!
//! From the ground up: [`units`] and [`bounds`]; [`capture`], and beside it [`spill`]; [`packet`]; [`tcp`], and beside it
//! [`resp`] and [`rdb`], which know nothing of TCP; [`repl`]; [`engine`] and [`view`];
//! [`replay`]; [`cli`]. Everything from [`packet`] to [`repl`] is
//! without sockets, clocks and files. ARCHITECTURE.md says why.

#![warn(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::dbg_macro,
    clippy::todo,
    clippy::unimplemented
)]

pub mod bounds;
pub mod capture;
pub mod cli;
pub mod engine;
pub mod packet;
pub mod rdb;
pub mod repl;
pub mod replay;
pub mod resp;
pub mod spill;
pub mod tcp;
pub mod units;
pub mod view;
