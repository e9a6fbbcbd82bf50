//! Tests of the tracker on segments made by hand, and on random conversations.
//!
//! Every segment goes through a frame and the packet decoder, as in the program. What a receiver is told is checked as
//! it comes: positions without holes between them, slots within the bound, nothing after the end.

use std::collections::HashMap;

use etherparse::PacketBuilder;
use proptest::prelude::*;

use super::*;
use crate::bounds::{HOLE_SEGMENTS, HOLE_SEGMENTS_AND_TIME, MAX_OUT_OF_ORDER};
use crate::capture::{Frame, LinkType};
use crate::packet::{Decoded, Decoder, Flags};

/// The initial sequence numbers of both sides in most tests. The initiator's wraps around after 16 bytes.
const ISN: [u32; 2] = [u32::MAX - 16, 7000];

/// A segment to be made: the sender (0 is the side that opens), its port and its place.
#[derive(Clone, Debug)]
struct Made {
    from: usize,
    port: u16,
    sequence: u32,
    acknowledgement: Option<u32>,
    flags: Flags,
    payload: Vec<u8>,
    /// Payload bytes that the snaplen leaves.
    snaplen: Option<usize>,
    damaged: bool,
}

/// A segment with payload `bytes` whose first byte stands at `position` of its sender's direction.
fn data(from: usize, position: u32, bytes: &[u8]) -> Made {
    Made {
        from,
        port: 40_000,
        sequence: ISN[from].wrapping_add(1).wrapping_add(position),
        acknowledgement: None,
        flags: Flags::default(),
        payload: bytes.to_vec(),
        snaplen: None,
        damaged: false,
    }
}

fn syn() -> Made {
    Made { sequence: ISN[0], flags: Flags { syn: true, ..Flags::default() }, ..data(0, 0, b"") }
}

fn syn_ack() -> Made {
    let made = Made { sequence: ISN[1], flags: Flags { syn: true, ..Flags::default() }, ..data(1, 0, b"") };
    made.acknowledging(0)
}

impl Made {
    /// Acknowledges everything before `position` of the other direction.
    fn acknowledging(mut self, position: u32) -> Self {
        self.acknowledgement = Some(ISN[1 - self.from].wrapping_add(1).wrapping_add(position));
        self
    }

    fn fin(mut self) -> Self {
        self.flags.fin = true;
        self
    }

    fn rst(mut self) -> Self {
        self.flags.rst = true;
        self
    }

    fn on_port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    fn cut_to(mut self, snaplen: usize) -> Self {
        self.snaplen = Some(snaplen);
        self
    }

    /// With bytes changed on the way, so that the checksum is wrong.
    fn damaged(mut self) -> Self {
        self.damaged = true;
        self
    }

    fn frame(&self) -> Vec<u8> {
        let addresses = [[10, 0, 0, 1], [10, 0, 0, 2]];
        let ports = [self.port, 6379];
        let (own, other) = (self.from, 1 - self.from);
        let mut builder = PacketBuilder::ethernet2([2; 6], [4; 6]).ipv4(addresses[own], addresses[other], 64).tcp(
            ports[own],
            ports[other],
            self.sequence,
            65_535,
        );
        if let Some(number) = self.acknowledgement {
            builder = builder.ack(number);
        }
        if self.flags.syn {
            builder = builder.syn();
        }
        if self.flags.fin {
            builder = builder.fin();
        }
        if self.flags.rst {
            builder = builder.rst();
        }
        let mut frame = vec![0; builder.size(self.payload.len())];
        builder.write_to_slice(&mut frame, &self.payload).unwrap();
        if let (true, Some(last)) = (self.damaged, frame.last_mut()) {
            *last ^= 0x55;
        }
        if let Some(snaplen) = self.snaplen {
            frame.truncate(frame.len() - self.payload.len() + snaplen);
        }
        frame
    }
}

/// What the receiver was told of one direction.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Heard {
    /// The position of the first byte or gap.
    start: u64,
    bytes: Vec<u8>,
    /// Where, counted in bytes and gaps from `start`, and how many bytes.
    gaps: Vec<(u64, u64)>,
    next: Option<u64>,
}

impl Heard {
    fn step(&mut self, position: Position, length: u64) -> u64 {
        let expected = *self.next.get_or_insert(position.0);
        if self.bytes.is_empty() && self.gaps.is_empty() {
            self.start = position.0;
        }
        assert_eq!(position.0, expected, "positions leave no hole");
        assert!(length > 0, "nothing is told about no bytes");
        self.next = Some(expected + length);
        expected - self.start
    }

    fn lost(&self) -> u64 {
        self.gaps.iter().map(|(_, bytes)| bytes).sum()
    }

    /// All positions that were told of.
    fn told(&self) -> u64 {
        self.next.map_or(0, |next| next - self.start)
    }
}

/// Listens to a tracker.
#[derive(Debug, Default)]
struct Ear {
    heard: HashMap<u32, [Heard; 2]>,
    /// Deliveries in their order: the connection, the direction, the place in it, the length.
    order: Vec<(u32, Direction, u64, usize)>,
    finished: Vec<(u32, Option<Ending>)>,
    slots: HashMap<usize, u32>,
}

impl Ear {
    fn enter(&mut self, connection: &Connection, direction: Direction) -> &mut Heard {
        let number = connection.number.0;
        assert!(connection.slot < MAX_CONNECTIONS);
        assert_eq!(*self.slots.entry(connection.slot).or_insert(number), number, "one connection in a slot at a time");
        &mut self.heard.entry(number).or_default()[direction.index()]
    }
}

impl Receiver for Ear {
    fn data(&mut self, connection: &Connection, direction: Direction, position: Position, bytes: &[u8], _: Stamp) {
        let heard = self.enter(connection, direction);
        let place = heard.step(position, bytes.len() as u64);
        heard.bytes.extend_from_slice(bytes);
        self.order.push((connection.number.0, direction, place, bytes.len()));
    }

    fn gap(&mut self, connection: &Connection, direction: Direction, position: Position, bytes: u64, _: Stamp) {
        let heard = self.enter(connection, direction);
        let place = heard.step(position, bytes);
        heard.gaps.push((place, bytes));
    }

    fn finished(&mut self, connection: &Connection, ending: Option<Ending>, _: Stamp) {
        self.enter(connection, Direction::FromInitiator);
        self.slots.remove(&connection.slot);
        assert!(self.finished.iter().all(|(number, _)| *number != connection.number.0), "a connection ends once");
        self.finished.push((connection.number.0, ending));
    }
}

/// A capture as it happens: a frame a millisecond.
#[derive(Debug, Default)]
struct Wire {
    decoder: Decoder,
    tracker: Tracker,
    ear: Ear,
    frames: u64,
    millis: u64,
}

impl Wire {
    /// One that has seen a handshake.
    fn open() -> Self {
        let mut wire = Self::default();
        wire.send([syn(), syn_ack(), data(0, 0, b"").acknowledging(0)]);
        wire
    }

    fn send(&mut self, segments: impl IntoIterator<Item = Made>) {
        for made in segments {
            let bytes = made.frame();
            self.frames += 1;
            self.millis += 1;
            let stamp = self.stamp();
            let frame =
                Frame { stamp, link_type: LinkType::ETHERNET, original_length: bytes.len() as u32, data: &bytes };
            let Decoded::Segment(segment) = self.decoder.decode(&frame) else { panic!("{made:?} is no segment") };
            self.tracker.push(&segment, stamp, &mut self.ear);
        }
    }

    fn stamp(&self) -> Stamp {
        let time = Timestamp { nanos: self.millis * 1_000_000, digits: 6 };
        Stamp { frame: FrameNumber(self.frames), time: Some(time) }
    }

    fn finish(&mut self) {
        self.tracker.finish(&mut self.ear);
    }

    /// What connection 1 has brought in the direction of side `from`.
    fn heard(&self, from: usize) -> Heard {
        self.ear.heard.get(&1).map(|heard| heard[from].clone()).unwrap_or_default()
    }

    fn bytes(&self, from: usize) -> String {
        String::from_utf8(self.heard(from).bytes).unwrap()
    }

    fn gaps(&self, from: usize) -> Vec<(u64, u64)> {
        self.heard(from).gaps
    }
}

#[test]
fn in_order_across_the_wrap_of_sequence_numbers() {
    let mut wire = Wire::open();
    wire.send((0..10).map(|i| data(0, i * 5, b"abcde").acknowledging(0)));
    assert_eq!(wire.bytes(0), "abcde".repeat(10), "given at once, not kept");
    assert_eq!((wire.heard(0).start, wire.heard(0).told()), (0, 50));
    wire.send([data(1, 0, b"xyz").acknowledging(50)]);
    wire.finish();
    assert_eq!((wire.bytes(0).len(), wire.bytes(1)), (50, "xyz".into()));
    assert_eq!(wire.ear.finished, [(1, None)]);
}

#[test]
fn out_of_order_and_duplicates() {
    let mut wire = Wire::open();
    wire.send([data(0, 20, b"uvwxy"), data(0, 10, b"klmnopqrst")]);
    assert_eq!(wire.bytes(0), "");
    wire.send([data(0, 10, b"klmnopqrst"), data(0, 0, b"abcdefghij")]);
    assert_eq!(wire.bytes(0), "abcdefghijklmnopqrstuvwxy");
    wire.send([data(0, 0, b"abcdefghij"), data(0, 20, b"uvwxy"), data(0, 25, b"z")]);
    assert_eq!(wire.bytes(0), "abcdefghijklmnopqrstuvwxyz");
    assert_eq!(wire.gaps(0), []);
}

#[test]
fn overlaps_with_other_boundaries() {
    let mut wire = Wire::open();
    wire.send([data(0, 0, b"abcdef"), data(0, 3, b"defghi"), data(0, 12, b"mno"), data(0, 7, b"hijklmnopq")]);
    assert_eq!(wire.bytes(0), "abcdefghijklmnopq");
    wire.send([data(0, 30, b"4"), data(0, 20, b"0123"), data(0, 25, b"567"), data(0, 17, b"rst0123456789")]);
    assert_eq!(wire.bytes(0), "abcdefghijklmnopqrst01234567894");
}

#[test]
fn of_conflicting_copies_the_first_wins() {
    let mut wire = Wire::open();
    // Delivered bytes stay.
    wire.send([data(0, 0, b"aaaa"), data(0, 2, b"bbbb")]);
    assert_eq!(wire.bytes(0), "aaaabb");
    // Waiting bytes stay, too; a later copy only fills what is missing around them.
    wire.send([data(0, 10, b"cc"), data(0, 8, b"dddddd"), data(0, 6, b"eeeeeeeeee")]);
    assert_eq!(wire.bytes(0), "aaaabbeeddccddee");
    assert_eq!(wire.gaps(0), []);
}

#[test]
fn keep_alive_probes_are_no_data() {
    let mut wire = Wire::open();
    wire.send([data(0, 0, b"abc"), data(1, 0, b"xyz").acknowledging(3)]);
    // One byte of garbage before the next one, or none.
    wire.send([
        data(0, 2, b"\0").acknowledging(3),
        data(0, 2, b"").acknowledging(3),
        data(1, 2, b"\0").acknowledging(3),
    ]);
    wire.send([data(0, 3, b"def").acknowledging(3)]);
    assert_eq!((wire.bytes(0), wire.bytes(1)), ("abcdef".into(), "xyz".into()));

    // At the beginning of what is seen of a connection nothing but the acknowledgement tells.
    let mut wire = Wire::default();
    wire.send([data(0, 500, b"").acknowledging(100), data(1, 100, b"").acknowledging(500)]);
    wire.send([data(0, 499, b"\0").acknowledging(100), data(1, 100, b"").acknowledging(500)]);
    wire.send([data(0, 500, b"abc").acknowledging(100)]);
    wire.finish();
    assert_eq!(wire.bytes(0), "abc");
}

#[test]
fn a_probe_that_is_the_first_packet_of_its_direction_is_no_data() {
    let mut wire = Wire::default();
    wire.send([
        data(1, 100, b"").acknowledging(500),
        data(0, 499, b"\0").acknowledging(100),
        data(0, 500, b"abc").acknowledging(100),
    ]);
    wire.finish();
    // Without a SYN the first sender counts as the initiator.
    assert_eq!(wire.bytes(1), "abc");
}

#[test]
fn an_earlier_copy_frees_what_a_later_one_made_wait() {
    let mut wire = Wire::open();
    // Sent: a1, b1 (knowing a1), a1 again (knowing b1). Captured: the copy, b1, the original.
    wire.send([
        data(0, 0, b"a1").acknowledging(2),
        data(1, 0, b"b1").acknowledging(2),
        data(0, 0, b"a1").acknowledging(0),
    ]);
    assert_eq!((wire.bytes(0), wire.bytes(1)), ("a1".into(), "b1".into()));
}

#[test]
fn a_new_syn_on_the_same_ports_is_a_new_connection() {
    // The initial sequence number is the same again: after a second it is another connection.
    let mut wire = Wire::open();
    wire.send([data(0, 0, b"first").acknowledging(0)]);
    wire.millis += 1500;
    wire.send([syn(), syn_ack(), data(0, 0, b"second").acknowledging(0)]);
    assert_eq!(wire.tracker.connections(), 2);
    assert_eq!(wire.ear.finished, [(1, None)]);
    assert_eq!((wire.bytes(0), wire.ear.heard[&2][0].bytes.as_slice()), ("first".into(), &b"second"[..]));
    // Another number is another connection at once.
    wire.send([Made { sequence: 99, ..syn() }]);
    assert_eq!(wire.tracker.connections(), 3);
}

#[test]
fn a_copy_of_the_syn_is_the_same_connection() {
    let mut wire = Wire::default();
    wire.send([syn(), syn()]);
    wire.millis += 3000;
    // No data yet: a retransmission, however late.
    wire.send([syn(), syn_ack(), syn_ack(), data(0, 0, b"abc").acknowledging(0)]);
    // Data has flowed, but this comes at once after it.
    let mut quick = Wire::open();
    quick.send([data(0, 0, b"abc").acknowledging(0), syn(), data(0, 3, b"def").acknowledging(0)]);
    assert_eq!((wire.tracker.connections(), quick.tracker.connections()), (1, 1));
    assert_eq!((wire.bytes(0), quick.bytes(0)), ("abc".into(), "abcdef".into()));
}

#[test]
fn without_a_syn_the_first_bytes_may_come_late() {
    let mut wire = Wire::default();
    wire.send([data(0, 5010, b"klmno"), data(0, 5005, b"fghij"), data(0, 5000, b"abcde")]);
    wire.finish();
    assert_eq!((wire.bytes(0), wire.gaps(0)), ("abcdefghijklmno".into(), vec![]));
    let mut wire = Wire::default();
    wire.send([data(0, 5000, b"abcde")]);
    wire.millis += 1000;
    wire.send([data(0, 5005, b"fghij")]);
    assert_eq!(wire.bytes(0), "abcdefghij", "nothing waits for ever");
}

#[test]
fn a_syn_that_comes_after_the_first_bytes_still_counts() {
    let mut wire = Wire::default();
    wire.send([data(0, 0, b"abc"), syn(), data(0, 3, b"def")]);
    wire.finish();
    assert_eq!((wire.tracker.connections(), wire.bytes(0)), (1, "abcdef".into()));
    assert_eq!((wire.heard(0).start, wire.gaps(0)), (0, vec![]));
}

#[test]
fn both_fins_end_a_connection() {
    let mut wire = Wire::open();
    wire.send([data(0, 0, b"abc").acknowledging(0).fin()]);
    assert!(wire.ear.finished.is_empty());
    wire.send([data(1, 0, b"xyz").acknowledging(4).fin()]);
    let [(1, Some(ending))] = wire.ear.finished[..] else { panic!("{:?}", wire.ear.finished) };
    assert_eq!((ending.by, ending.how, ending.stamp.frame), (Direction::FromInitiator, How::Fin, FrameNumber(4)));
    // What comes late belongs to nobody, and opens nothing.
    wire.send([data(0, 4, b"").acknowledging(4), data(0, 0, b"abc").acknowledging(0)]);
    wire.finish();
    assert_eq!((wire.tracker.connections(), wire.ear.finished.len()), (1, 1));
}

#[test]
fn a_fin_before_its_bytes_waits_for_them() {
    let mut wire = Wire::open();
    wire.send([data(0, 3, b"def").fin(), data(1, 0, b"").acknowledging(0).fin()]);
    assert!(wire.ear.finished.is_empty());
    wire.send([data(0, 0, b"abc")]);
    assert_eq!((wire.bytes(0), wire.ear.finished.len()), ("abcdef".into(), 1));
}

#[test]
fn a_reset_ends_a_connection_after_a_moment() {
    let mut wire = Wire::open();
    wire.send([
        data(1, 3, b"xyz").acknowledging(0),
        data(1, 6, b"").acknowledging(0).rst(),
        data(1, 0, b"uvw").acknowledging(0),
    ]);
    assert_eq!(wire.bytes(1), "uvwxyz", "late packets still count");
    let soon = wire.stamp().time.unwrap();
    wire.tracker.tick(soon, &mut wire.ear);
    assert!(wire.ear.finished.is_empty());
    wire.tracker.tick(Timestamp { nanos: soon.nanos + LINGER_NANOS, ..soon }, &mut wire.ear);
    let [(1, Some(ending))] = wire.ear.finished[..] else { panic!("{:?}", wire.ear.finished) };
    assert_eq!((ending.by, ending.how, ending.stamp.frame), (Direction::FromResponder, How::Rst, FrameNumber(5)));
}

#[test]
fn a_reset_of_nothing_is_no_connection() {
    let mut wire = Wire::default();
    wire.send([data(0, 0, b"").rst()]);
    assert_eq!(wire.tracker.connections(), 0);
}

#[test]
fn what_the_snaplen_cut_is_a_gap() {
    let mut wire = Wire::open();
    wire.send([data(0, 0, b"abcdefghij").cut_to(4), data(0, 10, b"klm"), data(0, 20, b"uvwxyz").cut_to(0)]);
    assert_eq!((wire.bytes(0), wire.gaps(0)), ("abcdklm".into(), vec![(4, 6)]));
    // Cut, and out of order.
    wire.send([data(0, 16, b"qrst").cut_to(1), data(0, 13, b"nop").cut_to(2)]);
    assert_eq!(wire.bytes(0), "abcdklmnoq");
    assert_eq!(wire.gaps(0), [(4, 6), (15, 1), (17, 3), (20, 6)]);
}

#[test]
fn a_whole_copy_after_a_cut_one_in_waiting_fills_nothing_twice() {
    let mut wire = Wire::open();
    wire.send([data(0, 5, b"fghij").cut_to(2), data(0, 5, b"fghij"), data(0, 0, b"abcde")]);
    wire.finish();
    assert_eq!(wire.heard(0).told(), 10);
    assert!(wire.bytes(0).starts_with("abcdefg"));
}

#[test]
fn an_acknowledged_hole_becomes_a_gap_after_the_bound() {
    let mut wire = Wire::open();
    wire.send([data(0, 3, b"def"), data(1, 0, b"").acknowledging(6)]);
    wire.send((0..HOLE_SEGMENTS - 3).map(|_| data(1, 0, b"").acknowledging(6)));
    assert_eq!((wire.bytes(0), wire.gaps(0)), (String::new(), vec![]), "it may still come");
    wire.send((0..3).map(|_| data(1, 0, b"").acknowledging(6)));
    assert_eq!((wire.bytes(0), wire.gaps(0)), ("def".into(), vec![(0, 3)]));
    // Too late now.
    wire.send([data(0, 0, b"abc"), data(0, 6, b"ghi")]);
    assert_eq!((wire.bytes(0), wire.gaps(0)), ("defghi".into(), vec![(0, 3)]));
}

#[test]
fn an_acknowledged_hole_becomes_a_gap_after_fewer_segments_and_some_seconds() {
    let mut wire = Wire::open();
    wire.send([data(0, 3, b"def"), data(1, 0, b"").acknowledging(6)]);
    wire.millis += 6000;
    wire.send((0..HOLE_SEGMENTS_AND_TIME - 3).map(|_| data(1, 0, b"").acknowledging(6)));
    assert_eq!(wire.gaps(0), []);
    wire.send((0..3).map(|_| data(1, 0, b"").acknowledging(6)));
    assert_eq!((wire.bytes(0), wire.gaps(0)), ("def".into(), vec![(0, 3)]));
}

#[test]
fn a_hole_that_nobody_acknowledged_is_waited_for() {
    let mut wire = Wire::open();
    wire.send([data(0, 3, b"def")]);
    wire.millis += 60_000;
    wire.send((0..2 * HOLE_SEGMENTS).map(|_| data(1, 0, b"").acknowledging(0)));
    assert_eq!((wire.bytes(0), wire.gaps(0)), (String::new(), vec![]));
    wire.send([data(0, 0, b"abc")]);
    assert_eq!((wire.bytes(0), wire.gaps(0)), ("abcdef".into(), vec![]));
}

#[test]
fn the_end_of_the_capture_gives_what_waits() {
    let mut wire = Wire::open();
    wire.send([data(0, 3, b"def"), data(0, 10, b"klm"), data(1, 2, b"z")]);
    wire.finish();
    assert_eq!((wire.bytes(0), wire.gaps(0)), ("defklm".into(), vec![(0, 3), (6, 4)]));
    assert_eq!((wire.bytes(1), wire.gaps(1)), ("z".into(), vec![(0, 2)]));
    assert_eq!(wire.ear.finished, [(1, None)]);
}

#[test]
fn waiting_bytes_are_bounded() {
    let mut wire = Wire::open();
    let piece = vec![b'x'; 60_000];
    let pieces = MAX_OUT_OF_ORDER / piece.len() + 1;
    for i in 0..pieces {
        assert_eq!(wire.gaps(0), [], "piece {i}");
        wire.send([data(0, 5 + (i * piece.len()) as u32, &piece)]);
    }
    assert_eq!((wire.bytes(0).len(), wire.gaps(0)), (pieces * piece.len(), vec![(0, 5)]));
}

#[test]
fn waiting_bytes_are_bounded_over_all_connections() {
    let mut wire = Wire::default();
    let piece = vec![b'x'; 60_000];
    for port in 1..=200 {
        wire.send([syn().on_port(port), data(0, 5, &piece).on_port(port)]);
        assert!(wire.tracker.waiting <= MAX_OUT_OF_ORDER_TOTAL);
    }
    wire.finish();
    assert_eq!(wire.tracker.waiting, 0);
    assert!(wire.ear.heard.values().all(|[heard, _]| heard.bytes == piece && heard.gaps == [(0, 5)]));
}

#[test]
fn the_table_of_connections_is_bounded() {
    let mut wire = Wire::default();
    let ports = MAX_CONNECTIONS as u16 + 500;
    for port in 0..ports {
        // One of them lives on: it must not be the one that makes room.
        wire.send([syn().on_port(port + 1), data(0, u32::from(port) * 3, b"abc")]);
    }
    let connections = usize::from(ports) + usize::from(ports < 40_000);
    assert_eq!(wire.tracker.connections() as usize, connections);
    assert!(wire.tracker.flows.len() <= MAX_CONNECTIONS && wire.tracker.slots.len() <= MAX_CONNECTIONS);
    assert_eq!(wire.ear.finished.len(), connections - MAX_CONNECTIONS);
    let busy = &wire.ear.heard[&2][0];
    assert_eq!((busy.told(), busy.lost()), (3 * u64::from(ports), 0));
}

#[test]
fn a_reply_that_was_captured_before_its_request_is_told_after_it() {
    let mut wire = Wire::open();
    wire.send([data(1, 0, b"+PONG").acknowledging(4), data(0, 0, b"PING").acknowledging(0)]);
    wire.send([data(0, 4, b"SYNC").acknowledging(5)]);
    let order: Vec<_> = wire.ear.order.iter().map(|&(_, direction, place, _)| (direction.index(), place)).collect();
    assert_eq!(order, [(0, 0), (1, 0), (0, 4)]);
}

#[test]
fn a_reply_whose_request_never_comes_is_told_in_the_end() {
    let mut wire = Wire::open();
    wire.send([data(1, 0, b"+PONG").acknowledging(4)]);
    for i in 0..100 {
        wire.send([data(1, 5 + i, b"\n").acknowledging(4)]);
    }
    assert_eq!(wire.gaps(0), [(0, 4)]);
    assert_eq!((wire.bytes(1).len(), wire.gaps(1)), (105, vec![]));
}

#[test]
fn a_damaged_copy_gives_way_to_a_good_one() {
    let mut wire = Wire::open();
    wire.send((0..4).map(|i| data(0, i, b"a").acknowledging(0)));
    wire.send([data(0, 4, b"bbbb").acknowledging(0).damaged()]);
    assert_eq!(wire.bytes(0), "aaaa", "held back");
    wire.send([data(0, 8, b"cc").acknowledging(0), data(0, 4, b"bbbb").acknowledging(0)]);
    assert_eq!((wire.bytes(0), wire.gaps(0)), ("aaaabbbbcc".into(), vec![]));
}

#[test]
fn a_damaged_copy_that_the_receiver_acknowledged_was_the_captures_fault() {
    let mut wire = Wire::open();
    wire.send((0..4).map(|i| data(0, i, b"a").acknowledging(0)));
    wire.send([data(0, 4, b"bbbb").acknowledging(0).damaged(), data(1, 0, b"").acknowledging(8)]);
    assert_eq!((wire.heard(0).bytes.len(), wire.gaps(0)), (8, vec![]));
}

#[test]
fn where_checksums_are_wrong_as_a_rule_nothing_is_held_back() {
    let mut wire = Wire::default();
    wire.send([syn().damaged(), syn_ack().damaged()]);
    wire.send((0..4).map(|i| data(0, 2 * i, b"ab").acknowledging(0).damaged()));
    assert_eq!(wire.heard(0).bytes.len(), 8);
}

#[test]
fn a_checksum_that_is_right_by_chance_makes_the_others_no_worse() {
    let mut wire = Wire::default();
    wire.send([syn().damaged(), syn_ack().damaged()]);
    wire.send((0..4).map(|i| data(0, 2 * i, b"ab").acknowledging(0).damaged()));
    wire.send([data(0, 8, b"ab").acknowledging(0)]);
    wire.send((5..9).map(|i| data(0, 2 * i, b"ab").acknowledging(0).damaged()));
    assert_eq!(wire.heard(0).bytes.len(), 18);
}

/// The byte at a place of a direction: what a receiver must be told there.
fn pattern(from: usize, place: u64) -> u8 {
    ((place.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 37) as u8) ^ (from as u8 * 0x5a)
}

fn patterned(from: usize, range: std::ops::Range<u64>) -> Vec<u8> {
    range.map(|place| pattern(from, place)).collect()
}

/// One turn of a random conversation: the sender, the payload, the copies that follow, the order within eight frames.
#[derive(Clone, Debug)]
struct Turn {
    from: usize,
    length: u64,
    /// Where the payload is split into two segments.
    split: Option<u64>,
    /// The capture has its segments twice.
    twice: bool,
    /// Bytes before and into this payload are sent once more, a while later and with a newer acknowledgement.
    again: Option<(u64, u64)>,
    lost: bool,
    shuffle: u64,
}

fn turns() -> impl Strategy<Value = Vec<Turn>> {
    let turn = (
        0..2_usize,
        prop_oneof![4 => 1..20_u64, 2 => 1..1460_u64, 1 => Just(1)],
        prop::option::weighted(0.3, any::<u64>()),
        prop::bool::weighted(0.1),
        prop::option::weighted(0.3, (0..3000_u64, any::<u64>())),
        prop::bool::weighted(0.15),
        any::<u64>(),
    )
        .prop_map(|(from, length, split, twice, again, lost, shuffle)| Turn {
            from,
            length,
            split: split.map(|at| at % length),
            twice,
            again: again.map(|(before, into)| (before, into % (length + 1))),
            lost,
            shuffle,
        });
    prop::collection::vec(turn, 1..120)
}

/// A segment of a conversation.
struct Sent {
    made: Made,
    /// The capture that has losses lacks it.
    lost: bool,
    /// It repeats what was sent before.
    again: bool,
}

/// The segments of a conversation in the order in which they were sent; what each side has sent in all; and for each
/// byte how much its sender had received before it.
struct Conversation {
    segments: Vec<Sent>,
    totals: [u64; 2],
    received: [Vec<u64>; 2],
}

/// A retransmission is captured after what it repeats: it is sent so many segments later, and frames do not change
/// places over a longer distance.
const WINDOW: usize = 8;

fn conversation(turns: &[Turn]) -> Conversation {
    let mut sent = [0_u64; 2];
    let mut received = [Vec::new(), Vec::new()];
    let mut segments = Vec::new();
    let mut later = VecDeque::new();
    let piece = |from: usize, range: std::ops::Range<u64>, acknowledged: u64| {
        data(from, range.start as u32, &patterned(from, range)).acknowledging(acknowledged as u32)
    };
    for turn in turns {
        let from = turn.from;
        let (start, other) = (sent[from], sent[1 - from]);
        let end = start + turn.length;
        let split = start + turn.split.unwrap_or(0);
        for range in [start..split, split..end] {
            if !range.is_empty() {
                for _ in 0..=usize::from(turn.twice) {
                    segments.push(Sent { made: piece(from, range.clone(), other), lost: turn.lost, again: false });
                }
            }
        }
        sent[from] = end;
        received[from].extend((0..turn.length).map(|_| other));
        if let Some((before, into)) = turn.again {
            later.push_back((segments.len() + WINDOW, from, start.saturating_sub(before)..start + into));
        }
        while later.front().is_some_and(|(due, ..)| *due <= segments.len()) {
            let Some((_, from, range)) = later.pop_front() else { break };
            if !range.is_empty() && range.end - range.start <= 1460 {
                segments.push(Sent { made: piece(from, range, sent[1 - from]), lost: turn.lost, again: true });
            }
        }
    }
    // The last words are never lost, so that both ends are known.
    for from in 0..2 {
        let start = sent[from];
        segments.push(Sent { made: piece(from, start..start + 3, sent[1 - from]), lost: false, again: false });
        sent[from] += 3;
        received[from].extend([sent[1 - from]; 3]);
    }
    Conversation { segments, totals: sent, received }
}

/// Mixes the frames of each window.
fn shuffled(mut frames: Vec<Made>, turns: &[Turn]) -> Vec<Made> {
    for (window, turn) in frames.chunks_mut(WINDOW).zip(turns.iter().cycle()) {
        let mut seed = turn.shuffle;
        for i in (1..window.len()).rev() {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            window.swap(i, (seed >> 33) as usize % (i + 1));
        }
    }
    frames
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, ..ProptestConfig::default() })]

    #[test]
    fn a_receiver_sees_what_was_sent_whatever_order_and_copies_the_capture_has(turns in turns()) {
        let conversation = conversation(&turns);
        let frames = conversation.segments.iter().map(|sent| sent.made.clone()).collect();
        let mut wire = Wire::open();
        wire.send(shuffled(frames, &turns));
        wire.finish();
        for from in 0..2 {
            let heard = wire.heard(from);
            prop_assert_eq!(&heard.gaps, &[]);
            prop_assert!(heard.start == 0 && heard.bytes == patterned(from, 0..conversation.totals[from]));
        }
        // Nobody hears an answer before the question.
        let mut told = [0; 2];
        for &(_, direction, place, length) in &wire.ear.order {
            let from = direction.index();
            let needed = conversation.received[from][place as usize + length - 1];
            prop_assert!(told[1 - from] >= needed, "{}..+{} of side {} before {}", place, length, from, needed);
            told[from] = place + length as u64;
        }
    }

    #[test]
    fn with_losses_bytes_and_gaps_add_up(turns in turns()) {
        let conversation = conversation(&turns);
        let captured: Vec<&Sent> = conversation.segments.iter().filter(|sent| !sent.lost).collect();
        let places = |again: bool| {
            let mut places = [0, 1].map(|from: usize| vec![false; conversation.totals[from] as usize]);
            for Sent { made, .. } in captured.iter().filter(|sent| again || !sent.again) {
                let start = made.sequence.wrapping_sub(ISN[made.from]).wrapping_sub(1) as usize;
                places[made.from][start..start + made.payload.len()].fill(true);
            }
            places
        };
        // A retransmission may come after its bytes have been given up.
        let (at_once, at_all) = (places(false), places(true));
        let frames = captured.iter().map(|sent| sent.made.clone()).collect();
        let mut wire = Wire::open();
        wire.send(shuffled(frames, &turns));
        wire.finish();
        for from in 0..2 {
            let heard = wire.heard(from);
            prop_assert_eq!((heard.start, heard.told()), (0, conversation.totals[from]));
            prop_assert_eq!(heard.bytes.len() as u64 + heard.lost(), conversation.totals[from]);
            let mut there = vec![true; conversation.totals[from] as usize];
            for &(place, bytes) in &heard.gaps {
                there[place as usize..(place + bytes) as usize].fill(false);
            }
            for place in 0..there.len() {
                prop_assert!(there[place] >= at_once[from][place], "{} of side {} was there", place, from);
                prop_assert!(there[place] <= at_all[from][place], "{} of side {} was not there", place, from);
            }
            let places = (0..conversation.totals[from]).filter(|&place| there[place as usize]);
            let expected: Vec<u8> = places.map(|place| pattern(from, place)).collect();
            prop_assert!(heard.bytes == expected);
        }
    }
}
