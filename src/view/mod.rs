//! Events and summaries for people and for programs. Every view draws from the same types and re-derives nothing.

pub mod amount;
pub mod json;
pub mod output;
pub mod rdb;
pub mod report;
pub mod secrets;
pub mod terminal;
pub mod text;
pub mod time;
