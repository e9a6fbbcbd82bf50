//! How fast the floors are, one on top of the other: reading frames, reassembly, the observer, each view; and the walk
//! through an RDB. The captures are made here: a command stream at MTU 1500, and a full sync of 1 KB strings.
//!
//! `cargo bench`, or `cargo bench -- json` for some. Compare runs by their ratios: machines are noisy. To measure whole
//! processes on a real recording, time `repltool report` and `repltool sniff -r` on one.

use std::hint::black_box;
use std::io::{self, Cursor};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use etherparse::PacketBuilder;
use repltool::capture::{CaptureFile, CaptureWriter, Format, Frame, LinkType};
use repltool::repl::observer::Settings;
use repltool::repl::summary::Summaries;
use repltool::repl::{Event, Pipeline, Sink};
use repltool::tcp::{Connection, Direction, Ending, Receiver, Tracker};
use repltool::units::{FrameNumber, Position, Stamp, Timestamp};
use repltool::view::json::{self, JsonLines};
use repltool::view::output::Output;
use repltool::view::text::{self, Text};
use repltool::{packet, rdb};
use std::sync::{Arc, Mutex};

/// The size of each capture, about.
const SIZE: usize = 32 << 20;

/// TCP payload of a full frame at MTU 1500, timestamps option included.
const SEGMENT: usize = 1448;

/// A capture in memory.
#[derive(Clone, Default)]
struct Memory(Arc<Mutex<Vec<u8>>>);

impl io::Write for Memory {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Makes a capture of one connection, byte by byte of both sides.
struct Recorder {
    writer: CaptureWriter,
    memory: Memory,
    frames: u64,
    sequence: [u32; 2],
}

impl Recorder {
    fn new() -> Self {
        let memory = Memory::default();
        let writer = CaptureWriter::to_writer("memory", Box::new(memory.clone()), Format::Pcap);
        Self { writer, memory, frames: 0, sequence: [1000, 5000] }
    }

    /// One side (0 is the replica) sends bytes, in as many segments as they need.
    fn send(&mut self, side: usize, bytes: &[u8]) {
        for payload in bytes.chunks(SEGMENT) {
            let ports = [40_000, 6379];
            let builder = PacketBuilder::ethernet2([0; 6], [0; 6])
                .ipv4([127, 0, 0, 1], [127, 0, 0, 1], 64)
                .tcp(ports[side], ports[1 - side], self.sequence[side], 65_000)
                .ack(self.sequence[1 - side]);
            let mut frame = Vec::with_capacity(builder.size(payload.len()));
            builder.write(&mut frame, payload).unwrap();
            self.sequence[side] = self.sequence[side].wrapping_add(payload.len() as u32);
            self.frames += 1;
            let time = Timestamp { nanos: 1_700_000_000_000_000_000 + self.frames * 10_000, digits: 6 };
            let stamp = Stamp { frame: FrameNumber(self.frames), time: Some(time) };
            let original_length = frame.len() as u32;
            self.writer.write(&Frame { stamp, link_type: LinkType::ETHERNET, original_length, data: &frame }).unwrap();
        }
    }

    fn finish(self) -> Vec<u8> {
        self.writer.finish().unwrap();
        std::mem::take(&mut *self.memory.0.lock().unwrap())
    }
}

fn handshake(recorder: &mut Recorder) {
    recorder.send(0, b"*3\r\n$8\r\nREPLCONF\r\n$4\r\ncapa\r\n$3\r\neof\r\n");
    recorder.send(1, b"+OK\r\n");
    recorder.send(0, b"*3\r\n$5\r\nPSYNC\r\n$1\r\n?\r\n$2\r\n-1\r\n");
    recorder.send(1, b"+FULLRESYNC aaaaaaaaaaaaaaaaaaaabbbbbbbbbbbbbbbbbbbb 0\r\n");
}

/// An RDB of strings of `length` bytes, its checksum off.
fn strings(total: usize, length: usize) -> Vec<u8> {
    let mut bytes = b"REDIS0011\xfe\x00".to_vec();
    let mut number = 0;
    while bytes.len() < total {
        let key = format!("key:{number:012}");
        bytes.extend([0, key.len() as u8]);
        bytes.extend(key.as_bytes());
        match length {
            0..64 => bytes.push(length as u8),
            _ => bytes.extend([0x40 | (length >> 8) as u8, length as u8]),
        }
        bytes.resize(bytes.len() + length, b'v');
        number += 1;
    }
    bytes.extend(b"\xff\0\0\0\0\0\0\0\0");
    bytes
}

/// A stream of SETs with values of 50 bytes.
fn stream_capture() -> Vec<u8> {
    let mut recorder = Recorder::new();
    handshake(&mut recorder);
    recorder.send(1, b"$18\r\nREDIS0009\xff\0\0\0\0\0\0\0\0");
    let mut commands = Vec::new();
    let value = "x".repeat(50);
    for number in 0..SIZE / 93 {
        commands.extend(format!("*3\r\n$3\r\nSET\r\n$16\r\nkey:{number:012}\r\n$50\r\n{value}\r\n").as_bytes());
    }
    recorder.send(1, &commands);
    recorder.finish()
}

fn sync_capture() -> Vec<u8> {
    let mut recorder = Recorder::new();
    handshake(&mut recorder);
    let mark = "5a1ba13e".repeat(5);
    recorder.send(1, format!("$EOF:{mark}\r\n").as_bytes());
    recorder.send(1, &strings(SIZE, 1024));
    recorder.send(1, mark.as_bytes());
    recorder.finish()
}

fn open(capture: &Arc<[u8]>) -> CaptureFile {
    CaptureFile::from_reader("memory", Box::new(Cursor::new(Arc::clone(capture)))).unwrap()
}

fn pass<S: Sink>(capture: &Arc<[u8]>, sink: S) -> Pipeline<S> {
    let mut file = open(capture);
    let mut pipeline = Pipeline::new(Settings { keep: 1024, clients: false }, sink);
    while let Some(frame) = file.next_frame().unwrap() {
        pipeline.push(&frame);
    }
    pipeline.finish();
    pipeline
}

/// A receiver that only counts.
#[derive(Default)]
struct Counter(u64);

impl Receiver for Counter {
    fn data(&mut self, _: &Connection, _: Direction, _: Position, bytes: &[u8], _: Stamp) {
        self.0 += bytes.len() as u64;
    }

    fn gap(&mut self, _: &Connection, _: Direction, _: Position, _: u64, _: Stamp) {}

    fn finished(&mut self, _: &Connection, _: Option<Ending>, _: Stamp) {}
}

fn output() -> Output {
    Output::new(Box::new(io::sink()), false)
}

fn json_view() -> JsonLines {
    JsonLines::new(json::Options { max_bytes: 1 << 20, show_secrets: false }, output())
}

fn text_view() -> Text {
    let options =
        text::Options { color: false, width: None, verbosity: 0, max_bytes: 256, show_secrets: false, clients: false };
    Text::new(options, output())
}

fn captures(criterion: &mut Criterion) {
    for (name, capture) in [("stream", stream_capture()), ("sync", sync_capture())] {
        let capture: Arc<[u8]> = capture.into();
        let mut group = criterion.benchmark_group(name);
        group.throughput(Throughput::Bytes(capture.len() as u64)).sample_size(20);
        group.bench_function("frames", |bench| {
            bench.iter(|| {
                let mut file = open(&capture);
                while let Some(frame) = file.next_frame().unwrap() {
                    black_box(frame);
                }
            });
        });
        group.bench_function("tcp", |bench| {
            bench.iter(|| {
                let (mut file, mut counter) = (open(&capture), Counter::default());
                let (mut decoder, mut tracker) = (packet::Decoder::new(), Tracker::new());
                while let Some(frame) = file.next_frame().unwrap() {
                    if let packet::Decoded::Segment(segment) = decoder.decode(&frame) {
                        tracker.push(&segment, frame.stamp, &mut counter);
                    }
                }
                tracker.finish(&mut counter);
                counter.0
            });
        });
        group.bench_function("events", |bench| {
            bench.iter(|| {
                let mut count = 0_u64;
                pass(&capture, |event: &Event<'_>| {
                    black_box(event);
                    count += 1;
                });
                count
            });
        });
        group.bench_function("report", |bench| {
            bench.iter(|| pass(&capture, Summaries::new()).observer.sink.into_report().links.len());
        });
        group.bench_function("json", |bench| bench.iter(|| pass(&capture, json_view()).observer.sink.flush()));
        group.bench_function("text", |bench| bench.iter(|| pass(&capture, text_view()).observer.sink.flush()));
        group.finish();
    }
}

fn walks(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("rdb");
    for (name, length) in [("strings of 1 KB", 1024), ("strings of 10 bytes", 10)] {
        let dump = strings(SIZE, length);
        group.throughput(Throughput::Bytes(dump.len() as u64)).sample_size(20);
        group.bench_function(name, |bench| {
            bench.iter(|| {
                let mut walk = rdb::Walk::new();
                for piece in dump.chunks(SEGMENT) {
                    walk.push(piece).unwrap();
                }
                walk.summary().keys
            });
        });
    }
    group.finish();
}

criterion_group!(benches, captures, walks);
criterion_main!(benches);
