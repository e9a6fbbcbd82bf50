//! Pages made from hand-made events: what no small capture has.

use super::*;
use crate::packet::Endpoint;
use crate::repl::event::{Event, Kind, Phase, Side, Sink};
use crate::repl::notes::Note;
use crate::repl::observer::Totals;
use crate::repl::pipeline::FrameCounts;
use crate::repl::summary::Summaries;
use crate::resp::Reply;
use crate::tcp::How;
use crate::units::{FrameNumber, LinkNumber, Offset, Span, Stamp};

fn stamp(frame: u64) -> Stamp {
    let time = Timestamp { nanos: 1_795_316_300_000_000_000 + frame * 1_000_000, digits: 6 };
    Stamp { frame: FrameNumber(frame), time: Some(time) }
}

fn endpoint(last: u8, port: u16) -> Endpoint {
    Endpoint { address: std::net::Ipv4Addr::new(10, 0, 0, last).to_ipv6_mapped().to_bits(), port }
}

/// Events told one after the other, a frame each.
#[derive(Default)]
struct Story {
    summaries: Summaries,
    frame: u64,
    link: u32,
}

impl Story {
    fn tell(&mut self, phase: Phase, from: Option<Side>, kind: Kind<'_>) {
        self.frame += 1;
        let link = (self.link > 0).then_some(LinkNumber(self.link));
        let event = Event { stamp: stamp(self.frame), elapsed: None, link, from, phase, state: None, kind };
        self.summaries.event(&event);
    }

    fn open(&mut self, midstream: bool) {
        self.link += 1;
        let replica = endpoint(7, 40_000 + u16::try_from(self.link).unwrap());
        let kind = Kind::Connect { replica, master: endpoint(1, 6379), rtt: None, midstream };
        self.tell(Phase::Connect, None, kind);
    }

    fn refused(&mut self, error: &str) {
        self.open(false);
        let reply = Reply { head: error.as_bytes(), length: error.len() as u64 };
        self.tell(Phase::Sync, Some(Side::Master), Kind::Reply { to: Some("PSYNC"), reply, latency: None });
        self.tell(Phase::Close, None, Kind::Close { by: Some(Side::Master), how: Some(How::Rst) });
    }

    fn midstream(&mut self) {
        self.open(true);
        let note = Kind::Note { note: Note::Midstream, text: "the capture begins in the middle of this link" };
        self.tell(Phase::Connect, None, note);
        let offset = Some(Offset(123_456_789_026));
        self.tell(Phase::Stream, Some(Side::Master), Kind::Heartbeat { offset, bytes: 14 });
        let (lag, delay) = (Some(70_000), Some(Span { nanos: 2_300_000_000, digits: 6 }));
        let ack = Kind::Ack { offset: 123_456_719_026, fack: None, lag, delay, rtt: None };
        self.tell(Phase::Stream, Some(Side::Replica), ack);
        self.tell(Phase::Stream, Some(Side::Master), Kind::Gap { bytes: 1448 });
    }

    fn page(self, totals: Totals, width: usize) -> String {
        let capture = CaptureSummary {
            file: "story\x1b[31m.pcapng".to_owned(),
            format: "pcapng".to_owned(),
            compression: Some("zstd".to_owned()),
            link_types: Vec::new(),
            packets: self.frame,
            bytes: 123_456,
            span: Some((stamp(1), stamp(self.frame.max(1)))),
            dropped: Some(0),
            damage: None,
            connections: self.link,
        };
        let full = FullReport { capture, report: self.summaries.into_report(), frames: FrameCounts::default(), totals };
        to_tables(&full, Look { width, color: false })
    }
}

#[test]
fn midstream_far_behind_and_with_gaps() {
    let mut story = Story::default();
    story.midstream();
    let clients = Tally { connections: 3, bytes: 4096 };
    let cluster_bus = Tally { connections: 1, bytes: 12 };
    insta::assert_snapshot!(story.page(Totals { clients, cluster_bus, silent: 2, ..Totals::default() }, 100));
}

#[test]
fn refused_in_turns_with_a_reply_that_attacks_the_terminal() {
    let mut story = Story::default();
    for _ in 0..3 {
        story.refused("-LOADING Redis is loading the dataset in memory");
        story.refused("-ERR \x1b]0;owned\x07 \u{202e}txt");
    }
    story.midstream();
    story.refused("-LOADING Redis is loading the dataset in memory");
    insta::assert_snapshot!(story.page(Totals::default(), 100));
}

#[test]
fn a_storm_too_large_to_list() {
    let mut story = Story::default();
    for _ in 0..4000 {
        story.refused("-LOADING Redis is loading the dataset in memory");
    }
    story.link = 0;
    let text = "4000 connections from 10.0.0.7 that came to nothing";
    story.tell(Phase::Close, None, Kind::Note { note: Note::ReconnectStorm, text });
    insta::assert_snapshot!(story.page(Totals::default(), 100));
}

#[test]
fn a_narrow_terminal_loses_columns_and_no_link() {
    let mut story = Story::default();
    story.midstream();
    let page = story.page(Totals::default(), 60);
    assert!(page.lines().all(|line| line.chars().count() <= 60), "{page}");
    insta::assert_snapshot!(page);
}

#[test]
fn nothing_was_found() {
    let tls = Tally { connections: 2, bytes: 999 };
    insta::assert_snapshot!(Story::default().page(Totals { tls, silent: 1, ..Totals::default() }, 100));
}
