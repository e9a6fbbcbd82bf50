//! repltool: the Redis/Valkey replication protocol, visible and repeatable.

pub mod bounds;
pub mod capture;
pub mod rdb;
pub mod units;
