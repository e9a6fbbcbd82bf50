//! Arbitrary bytes as what both sides of one connection say.
//!
//! The first byte's lowest bit says whether the capture has the connection's beginning. After it come pieces: a byte
//! whose highest bit is the direction, whose next one says that the capture lacks the piece, and whose rest is its
//! length less one; then its bytes.

#![no_main]

use std::io::sink;

use etherparse::PacketBuilder;
use libfuzzer_sys::fuzz_target;
use repltool::capture::{Frame, LinkType};
use repltool::repl::{Pipeline, Settings};
use repltool::units::{FrameNumber, Stamp, Timestamp};
use repltool::view::json::{JsonLines, Options};
use repltool::view::output::Output;

struct Wire {
    pipeline: Pipeline<JsonLines>,
    next: [u32; 2],
    frames: u64,
}

impl Wire {
    fn send(&mut self, from: usize, syn: bool, payload: &[u8]) {
        let (addresses, ports) = ([[10, 0, 0, 1], [10, 0, 0, 2]], [40_000, 6379]);
        let mut builder = PacketBuilder::ethernet2([2; 6], [4; 6]).ipv4(addresses[from], addresses[1 - from], 64).tcp(
            ports[from],
            ports[1 - from],
            self.next[from],
            65_535,
        );
        if syn {
            builder = builder.syn();
        }
        if !syn || from == 1 {
            builder = builder.ack(self.next[1 - from]);
        }
        let mut data = vec![0; builder.size(payload.len())];
        if builder.write_to_slice(&mut data, payload).is_err() {
            return;
        }
        self.next[from] = self.next[from].wrapping_add(payload.len() as u32 + u32::from(syn));
        self.frames += 1;
        let time = Some(Timestamp { nanos: self.frames * 1_000_000, digits: 6 });
        let stamp = Stamp { frame: FrameNumber(self.frames), time };
        let original_length = data.len() as u32;
        self.pipeline.push(&Frame { stamp, link_type: LinkType::ETHERNET, original_length, data: &data });
    }
}

fuzz_target!(|bytes: &[u8]| {
    let Some((first, mut rest)) = bytes.split_first() else { return };
    let lines =
        JsonLines::new(Options { max_bytes: 1 << 20, show_secrets: false }, Output::new(Box::new(sink()), false));
    let pipeline = Pipeline::new(Settings { keep: 1 << 20, clients: true }, lines);
    let mut wire = Wire { pipeline, next: [100, 900], frames: 0 };
    if first & 1 == 1 {
        wire.send(0, true, b"");
        wire.send(1, true, b"");
        wire.send(0, false, b"");
    }
    while let Some((head, after)) = rest.split_first() {
        let from = usize::from(head >> 7);
        let (payload, after) = after.split_at((usize::from(head & 0x3f) + 1).min(after.len()));
        rest = after;
        if head & 0x40 != 0 {
            wire.next[from] = wire.next[from].wrapping_add(payload.len() as u32);
        } else {
            wire.send(from, false, payload);
        }
    }
    wire.pipeline.finish();
});
