//! repltool: the Redis/Valkey replication protocol, visible and repeatable.

pub mod bounds;
pub mod capture;
pub mod cli;
pub mod packet;
pub mod rdb;
pub mod repl;
pub mod resp;
pub mod tcp;
pub mod units;
pub mod view;
