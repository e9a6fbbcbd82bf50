//! A capture without replication: a sentence that says what there was instead.

use crate::repl::observer::Totals;
use crate::repl::pipeline::FrameCounts;

/// The sentence, without the capture's name before it and the full stop after it. `frames` are all frames of the
/// capture, those included that a filter kept out of `counts`.
#[must_use]
pub fn nothing_found(frames: u64, counts: FrameCounts, totals: Totals) -> String {
    let mut seen = Vec::new();
    let mut count = |number: u64, one: &str, many: &str| match number {
        0 => {}
        1 => seen.push(format!("1 {one}")),
        _ => seen.push(format!("{number} {many}")),
    };
    count(totals.clients.connections, "ordinary client", "ordinary clients");
    count(totals.tls.connections, "connection encrypted with TLS", "connections encrypted with TLS");
    count(totals.cluster_bus.connections, "connection of a cluster bus", "connections of a cluster bus");
    count(totals.unknown.connections, "connection of another protocol", "connections of other protocols");
    count(totals.silent, "connection without a word", "connections without a word");
    if counts.frames > 0 && counts.unknown_link == counts.frames {
        let link_type = counts.unknown_link_type.map_or(0, |link_type| link_type.0);
        return format!(
            "no replication found: link-layer type {link_type} is not one that repltool decodes (Ethernet, loopback, raw IP, Linux cooked)"
        );
    }
    if seen.is_empty() {
        return format!("no replication found in {frames} packets, and no TCP connection");
    }
    format!("no replication found in {frames} packets, but {}", seen.join(", "))
}
