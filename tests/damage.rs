//! Bad input: what the program says and how it exits, and that no damage to a capture makes the library panic or hang.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, its helpers too")]

use std::io::{self, Cursor, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use etherparse::PacketBuilder;
use repltool::capture::{CaptureFile, CaptureWriter, Format, Frame, LinkType};
use repltool::repl::{Pipeline, Settings};
use repltool::units::{FrameNumber, Stamp, Timestamp};
use repltool::view::json::{JsonLines, Options};

const ID: &str = "8ea2e4d2c4b0a1f9d1c0b7e6a5f4d3c2b1a09f8e";

/// A sink for a capture's bytes.
#[derive(Clone, Debug, Default)]
struct Bytes(Arc<Mutex<Vec<u8>>>);

impl io::Write for Bytes {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A conversation over one connection: who speaks (0 opens it), and what is said.
fn capture(format: Format, said: &[(usize, Vec<u8>)]) -> Vec<u8> {
    let bytes = Bytes::default();
    let mut writer = CaptureWriter::to_writer("made", Box::new(bytes.clone()), format);
    let mut next = [100_u32, 900];
    let mut number = 0;
    let mut write = |from: usize, syn: bool, payload: &[u8]| {
        let (addresses, ports) = ([[10, 0, 0, 1], [10, 0, 0, 2]], [40_000, 6379]);
        let (own, other) = (from, 1 - from);
        let mut builder = PacketBuilder::ethernet2([2; 6], [4; 6]).ipv4(addresses[own], addresses[other], 64).tcp(
            ports[own],
            ports[other],
            next[own],
            65_535,
        );
        if syn {
            builder = builder.syn();
        }
        if !syn || from == 1 {
            builder = builder.ack(next[other]);
        }
        let mut data = vec![0; builder.size(payload.len())];
        builder.write_to_slice(&mut data, payload).unwrap();
        next[own] += payload.len() as u32 + u32::from(syn);
        number += 1;
        let time = Timestamp { nanos: 1_700_000_000_000_000_000 + number * 1_000_000, digits: 6 };
        let stamp = Stamp { frame: FrameNumber(number), time: Some(time) };
        let original_length = data.len() as u32;
        writer.write(&Frame { stamp, link_type: LinkType::ETHERNET, original_length, data: &data }).unwrap();
    };
    write(0, true, b"");
    write(1, true, b"");
    write(0, false, b"");
    for (from, words) in said {
        for part in words.chunks(1448) {
            write(*from, false, part);
        }
    }
    writer.finish().unwrap();
    bytes.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

fn say(line: &str) -> Vec<u8> {
    let words: Vec<&str> = line.split(' ').collect();
    let arguments: String = words.iter().map(|word| format!("${}\r\n{word}\r\n", word.len())).collect();
    format!("*{}\r\n{arguments}", words.len()).into_bytes()
}

/// A replica's whole story: handshake, a small RDB, and so many commands of the stream.
fn replication(format: Format, commands: usize) -> Vec<u8> {
    let rdb = b"REDIS0009\xfa\x09redis-ver\x055.0.0\xfe\x00\xfb\x01\x00\x00\x01k\x01v\xff\0\0\0\0\0\0\0\0";
    let payload = [format!("${}\r\n", rdb.len()).as_bytes(), rdb].concat();
    let stream = (0..commands).flat_map(|i| say(&format!("SET key:{i} value:{i}"))).collect();
    let said = [
        (0, say("PING")),
        (1, b"+PONG\r\n".to_vec()),
        (0, say("REPLCONF listening-port 6380")),
        (1, b"+OK\r\n".to_vec()),
        (0, say("PSYNC ? -1")),
        (1, format!("+FULLRESYNC {ID} 1000\r\n\n").into_bytes()),
        (1, payload),
        (0, say("REPLCONF ACK 1000")),
        (1, stream),
        (0, say("REPLCONF ACK 1000")),
    ];
    capture(format, &said)
}

fn ordinary_client() -> Vec<u8> {
    capture(Format::Pcap, &[(0, say("GET k")), (1, b"$1\r\nv\r\n".to_vec())])
}

/// Numbers that look random and are the same in every run (SplitMix64).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }
}

fn repltool(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_repltool"));
    command.args(arguments).env_remove("RUST_BACKTRACE").stdin(Stdio::null());
    command
}

fn sniff(path: &Path) -> Output {
    repltool(&["sniff", "-f", "json", "-r", path.to_str().unwrap()]).output().unwrap()
}

/// Holds an exit code, and one sentence on stderr, of which this is a part.
#[track_caller]
fn assert_says(output: &Output, code: i32, part: &str) {
    let stderr = String::from_utf8(output.stderr.clone()).unwrap();
    assert_eq!(output.status.code(), Some(code), "{stderr}");
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    assert!(stderr.starts_with("repltool: ") && stderr.ends_with('\n'), "{stderr}");
    assert!(stderr.contains(part) && !stderr.contains("panicked"), "{stderr}");
}

/// A folder of its own for a test's files.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }
}

#[test]
fn what_is_no_capture_is_trouble() {
    let folder = Folder::new();
    let mut numbers = Numbers(1);
    let random: Vec<u8> = (0..4000).map(|_| numbers.next() as u8).collect();
    let header = &ordinary_client()[..24];
    let cases: [(&str, &[u8], &str); 7] = [
        ("empty.pcap", b"", "is empty"),
        ("random.pcap", &random, "is not a capture"),
        ("picture.png", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01", "PNG"),
        ("dump.rdb", b"REDIS0011\xfa\x09redis-ver\x057.2.4\xff\0\0\0\0\0\0\0\0", "RDB"),
        ("short.pcap", &header[..11], "11 bytes"),
        ("garbage.pcap", &[header, &[0xff; 500]].concat(), "no readable packet"),
        ("text.pcap", b"What is this?\n", "is not a capture"),
    ];
    for (name, bytes, part) in cases {
        let path = folder.file(name, bytes);
        let output = sniff(&path);
        assert_says(&output, 2, part);
        assert_says(&output, 2, name);
        assert!(output.stdout.is_empty());
        assert_says(&repltool(&["report", path.to_str().unwrap(), "-f", "json"]).output().unwrap(), 2, part);
    }
}

#[test]
fn what_is_no_file_is_trouble() {
    let folder = Folder::new();
    assert_says(&sniff(folder.0.path()), 2, "is a directory");
    assert_says(&sniff(&folder.0.path().join("nothing.pcap")), 2, "no such file");
}

#[cfg(unix)]
#[test]
fn a_file_without_permission_is_trouble() {
    use std::os::unix::fs::PermissionsExt;
    let folder = Folder::new();
    let path = folder.file("secret.pcap", &ordinary_client());
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o000)).unwrap();
    // To root every file is readable.
    if std::fs::File::open(&path).is_err() {
        assert_says(&sniff(&path), 2, "secret.pcap");
    }
}

#[test]
fn a_capture_without_replication_is_fine_and_says_so() {
    let folder = Folder::new();
    let client = ordinary_client();
    assert_says(&sniff(&folder.file("header.pcap", &client[..24])), 0, "no replication found in 0 packets");
    assert_says(&sniff(&folder.file("client.pcap", &client)), 0, "1 ordinary client");
    let empty = capture(Format::PcapNg, &[]);
    assert_says(&sniff(&folder.file("silent.pcapng", &empty)), 0, "no replication found in 3 packets");
}

#[test]
fn a_sound_capture_is_fine_without_a_word() {
    let folder = Folder::new();
    for (name, format) in [("sound.pcap", Format::Pcap), ("sound.pcapng", Format::PcapNg)] {
        let output = sniff(&folder.file(name, &replication(format, 10)));
        assert_eq!((output.status.code(), output.stderr.len()), (Some(0), 0));
        let lines = String::from_utf8(output.stdout).unwrap();
        assert_eq!(lines.matches("\"event\":\"write\"").count(), 10, "{lines}");
    }
}

#[test]
fn a_cut_capture_gives_what_is_there_and_says_so() {
    let folder = Folder::new();
    for (name, format) in [("cut.pcap", Format::Pcap), ("cut.pcapng", Format::PcapNg)] {
        let whole = replication(format, 200);
        let output = sniff(&folder.file(name, &whole[..whole.len() - 60]));
        assert_says(&output, 0, "cut");
        assert!(String::from_utf8(output.stdout).unwrap().contains("\"offset\":1000"));
    }
}

#[test]
fn from_standard_input_the_same_holds() {
    let folder = Folder::new();
    let from = |bytes: &[u8]| {
        let path = folder.file("input", bytes);
        repltool(&["sniff", "-f", "json", "-r", "-"]).stdin(std::fs::File::open(path).unwrap()).output().unwrap()
    };
    assert_says(&from(b""), 2, "is empty");
    assert_says(&from(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"), 2, "PNG");
    assert_says(&from(&ordinary_client()), 0, "1 ordinary client");
}

#[test]
fn a_closed_pipe_ends_the_program_quietly() {
    let folder = Folder::new();
    // More lines than a pipe and the program's buffer hold.
    let path = folder.file("long.pcap", &replication(Format::Pcap, 20_000));
    for read in [0, 100] {
        let mut child = repltool(&["sniff", "-f", "json", "-r", path.to_str().unwrap()])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdout = child.stdout.take().unwrap();
        let mut beginning = vec![0; read];
        stdout.read_exact(&mut beginning).unwrap();
        drop(stdout);
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(0));
        assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    }
}

/// A capture through the whole library. Whatever it is, this ends, and soon.
fn pass(what: &str, bytes: &[u8]) {
    let begun = Instant::now();
    let options = Options { max_bytes: 1 << 20, show_secrets: false };
    let output = repltool::view::output::Output::new(Box::new(io::sink()), false);
    let settings = Settings { keep: 1 << 20, clients: true };
    let mut pipeline = Pipeline::new(settings, JsonLines::new(options, output));
    if let Ok(mut file) = CaptureFile::from_reader("damaged", Box::new(Cursor::new(bytes.to_vec()))) {
        while let Ok(Some(frame)) = file.next_frame() {
            pipeline.push(&frame);
        }
    }
    pipeline.finish();
    let taken = begun.elapsed();
    assert!(taken < Duration::from_secs(10), "{what} took {taken:?}");
}

/// The captures to be damaged: made ones, and the smaller ones of testdata.
fn captures() -> Vec<(String, Vec<u8>)> {
    let mut all = vec![
        ("replication.pcap".to_owned(), replication(Format::Pcap, 300)),
        ("replication.pcapng".to_owned(), replication(Format::PcapNg, 300)),
        ("client.pcap".to_owned(), ordinary_client()),
    ];
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata")];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = std::fs::read_dir(&folder) else { continue };
        for path in entries.map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
            } else if path.to_string_lossy().contains(".pcap") && path.metadata().unwrap().len() < 1 << 20 {
                all.push((path.display().to_string(), std::fs::read(path).unwrap()));
            }
        }
    }
    all.sort();
    all
}

/// So many runs over all captures together, however many there are.
const RUNS: usize = 600;

#[test]
fn captures_cut_anywhere() {
    let all = captures();
    for (name, bytes) in &all {
        let runs = (RUNS / all.len()).max(8);
        let ends = (0..runs).map(|i| i * bytes.len() / runs).chain(0..bytes.len().min(100));
        for end in ends {
            pass(&format!("{name} cut at {end}"), &bytes[..end]);
        }
    }
}

#[test]
fn captures_with_bytes_changed_at_random() {
    let all = captures();
    for (name, bytes) in &all {
        let mut numbers = Numbers(bytes.len() as u64);
        for run in 0..(RUNS / all.len()).max(8) {
            let mut damaged = bytes.clone();
            // From one byte up to one in a hundred.
            for _ in 0..=numbers.below(1 + bytes.len() / 100) {
                damaged[numbers.below(bytes.len())] = numbers.next() as u8;
            }
            pass(&format!("{name}, damage {run}"), &damaged);
        }
    }
}

#[test]
fn captures_with_pieces_left_out_or_doubled() {
    let all = captures();
    for (name, bytes) in &all {
        let mut numbers = Numbers(7 + bytes.len() as u64);
        for run in 0..(RUNS / all.len()).max(8) {
            let from = numbers.below(bytes.len());
            let until = from + numbers.below(bytes.len() - from);
            let damaged = if run % 2 == 0 {
                [&bytes[..from], &bytes[until..]].concat()
            } else {
                [&bytes[..until], &bytes[from..]].concat()
            };
            pass(&format!("{name}, piece {from}..{until}"), &damaged);
        }
    }
}
