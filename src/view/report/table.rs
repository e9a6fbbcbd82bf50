//! The report as tables for people.

use super::FullReport;

/// The whole report as text.
#[must_use]
pub fn to_tables(_full: &FullReport) -> String {
    String::new()
}
