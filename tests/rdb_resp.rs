//! `repltool rdb dump -f resp` into a real server: it must hold then what a server holds that has loaded the dump.
//!
//! Needs redis-server and redis-cli, 7.0 or later.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, its helpers too")]

use std::fs;
use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

/// How long anything may take on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server that does not outlive its test.
struct Server {
    child: Child,
    port: String,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Server {
    /// A server that has loaded `dump.rdb` in `folder`, if it is there.
    fn start(folder: &Path) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let child = Command::new("redis-server")
            .args(["--port", &port.to_string(), "--save", "", "--enable-debug-command", "yes", "--dir"])
            .arg(folder)
            .args(["--stream-node-max-entries", "3", "--proto-max-bulk-len", "1gb"])
            .stdout(Stdio::null())
            .spawn()
            .expect("redis-server must be installed");
        let server = Self { child, port: port.to_string() };
        let until = Instant::now() + PATIENCE;
        while TcpStream::connect(("127.0.0.1", port)).is_err() || server.ask(&["PING"]) != "PONG" {
            assert!(Instant::now() < until, "redis-server does not answer on {port}");
            thread::yield_now();
        }
        server
    }

    fn ask(&self, command: &[&str]) -> String {
        let output = Command::new("redis-cli").args(["-p", &self.port]).args(command).output().unwrap();
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// Sends commands; gives what redis-cli says of the replies.
    fn pipe(&self, commands: &[u8]) -> String {
        let mut child = Command::new("redis-cli")
            .args(["-p", &self.port, "--pipe"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (mut stdin, commands) = (child.stdin.take().unwrap(), commands.to_vec());
        let writer = thread::spawn(move || stdin.write_all(&commands));
        let Output { stdout, stderr, .. } = child.wait_with_output().unwrap();
        writer.join().unwrap().unwrap();
        String::from_utf8_lossy(&[stdout, stderr].concat()).into_owned()
    }
}

fn run(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_repltool")).arg("rdb").args(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

/// Rebuilds a dump in an empty server and compares it with one that has loaded it. Gives what the two still differ in,
/// and what was said on standard error.
fn rebuilt(rdb: &Path) -> (Vec<Value>, String) {
    let folder = tempfile::tempdir().unwrap();
    let sub = |name: &str| {
        let path = folder.path().join(name);
        fs::create_dir(&path).unwrap();
        path
    };
    let (loaded_in, built_in) = (sub("loaded"), sub("built"));
    fs::copy(rdb, loaded_in.join("dump.rdb")).unwrap();
    let (loaded, built) = (Server::start(&loaded_in), Server::start(&built_in));
    let commands = run(&["dump", "-f", "resp", rdb.to_str().unwrap()]);
    assert_eq!(commands.status.code(), Some(0), "{}", text(&commands.stderr));
    let said = built.pipe(&commands.stdout);
    assert!(said.contains("errors: 0"), "{said}");
    let digest = loaded.ask(&["DEBUG", "DIGEST"]);
    assert!(digest.len() == 40 && digest.bytes().any(|digit| digit != b'0'), "{digest}");
    assert_eq!(built.ask(&["DEBUG", "DIGEST"]), digest);
    for server in [&loaded, &built] {
        assert_eq!(server.ask(&["SAVE"]), "OK");
    }
    let saved = [loaded_in, built_in].map(|folder| folder.join("dump.rdb").to_str().unwrap().to_owned());
    let diff = run(&["diff", "--json", &saved[0], &saved[1]]);
    let differences = text(&diff.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    (differences, text(&commands.stderr).to_owned())
}

/// A consumer was seen when the command came, not when the dump says.
fn only_times_differ(differences: &[Value]) {
    for difference in differences {
        assert_eq!(difference["what"], serde_json::json!(["consumer-times"]), "{difference}");
    }
}

#[test]
fn a_server_of_all_types_is_rebuilt() {
    let rdb = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/rdb/redis70_alltypes.rdb");
    let (differences, _) = rebuilt(&rdb);
    only_times_differ(&differences);
}

#[test]
fn what_is_long_or_many_or_odd_is_rebuilt() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    let mut commands = Vec::new();
    let mut command = |arguments: &[&[u8]]| {
        write!(commands, "*{}\r\n", arguments.len()).unwrap();
        for argument in arguments {
            write!(commands, "${}\r\n", argument.len()).unwrap();
            commands.extend_from_slice(argument);
            commands.extend_from_slice(b"\r\n");
        }
    };
    let long: Vec<u8> = (0..(1 << 20) + 77_u32).map(|place| (place.wrapping_mul(0x9e37_79b1) >> 24) as u8).collect();
    let middling = vec![b'm'; 100_000];
    command(&[b"SELECT", b"3"]);
    command(&[b"SET", b"long", &long]);
    command(&[b"SET", &long, b"long name"]);
    command(&[b"RPUSH", b"list", b"", &long, b"12", &middling, b"after"]);
    command(&[b"SADD", b"set", &long, b"1", &middling, b""]);
    command(&[b"HSET", b"hash", b"", b"", &long, b"v", b"f", &long, &middling, &middling, b"g", b"w"]);
    command(&[b"ZADD", b"zset", b"-0", b"zero", b"inf", &long, b"1e300", b"big", b"0.1", &middling, b"-17.5", b""]);
    for number in 0..1000_u32 {
        let text = number.to_string();
        command(&[b"RPUSH", b"many", text.as_bytes()]);
        command(&[b"HSET", b"fields", text.as_bytes(), &[text.as_bytes(), b"!"].concat()]);
        command(&[b"ZADD", b"scores", format!("{}", f64::from(number) / 3.0).as_bytes(), text.as_bytes()]);
        command(&[b"XADD", b"stream", format!("{}-1", number + 1).as_bytes(), b"f", text.as_bytes(), b"", b"\xff\r\n"]);
    }
    command(&[b"XDEL", b"stream", b"1000-1"]);
    command(&[b"XADD", b"stream", b"5000-0", &long, &long]);
    command(&[b"PEXPIREAT", b"stream", b"99999999999999"]);
    command(&[b"XGROUP", b"CREATE", b"stream", &middling, b"5-1"]);
    command(&[b"XGROUP", b"CREATE", b"stream", b"g", b"0", b"ENTRIESREAD", b"0"]);
    command(&[b"XREADGROUP", b"GROUP", b"g", b"one", b"COUNT", b"300", b"STREAMS", b"stream", b">"]);
    command(&[b"XREADGROUP", b"GROUP", b"g", &middling, b"COUNT", b"5", b"STREAMS", b"stream", b">"]);
    command(&[b"XCLAIM", b"stream", b"g", b"two", b"0", b"7-1", b"RETRYCOUNT", b"9"]);
    command(&[b"XGROUP", b"CREATECONSUMER", b"stream", b"g", b"idle"]);
    command(&[b"XGROUP", b"CREATE", b"empty", b"g", b"0", b"MKSTREAM"]);
    command(&[b"XGROUP", b"CREATE", b"nothing", b"g", b"0", b"MKSTREAM"]);
    command(&[b"XGROUP", b"DESTROY", b"nothing", b"g"]);
    command(&[b"XADD", b"emptied", b"7-7", b"f", b"v"]);
    command(&[b"XDEL", b"emptied", b"7-7"]);
    command(&[b"FUNCTION", b"LOAD", b"#!lua name=mylib\nredis.register_function('f', function() return 1 end)"]);
    let said = server.pipe(&commands);
    assert!(said.contains("errors: 0"), "{said}");
    assert_eq!(server.ask(&["SAVE"]), "OK");
    let (differences, stderr) = rebuilt(&folder.path().join("dump.rdb"));
    only_times_differ(&differences);
    assert!(stderr.contains("times at which consumers were seen (4)"), "{stderr}");
}

/// A list's record of so many elements.
fn rdb_of_a_list(elements: u32) -> Vec<u8> {
    let mut rdb = b"REDIS0006\xfe\x00\x01\x04list\x80".to_vec();
    rdb.extend_from_slice(&elements.to_be_bytes());
    for number in 0..elements {
        rdb.extend_from_slice(b"\x04");
        rdb.extend_from_slice(format!("{number:04}").as_bytes());
    }
    rdb.extend_from_slice(b"\xff\0\0\0\0\0\0\0\0");
    rdb
}

#[test]
fn batches_are_bounded_and_cut_input_gives_whole_commands() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("dump.rdb");
    let rdb = rdb_of_a_list(200);
    fs::write(&path, &rdb).unwrap();
    let whole = run(&["dump", "-f", "resp", path.to_str().unwrap()]).stdout;
    let heads: Vec<&str> = text(&whole).lines().filter(|line| line.starts_with('*')).collect();
    assert_eq!(heads, ["*2", "*66", "*66", "*66", "*10"]);
    for cut in [30, rdb.len() / 2, rdb.len() - 12] {
        fs::write(&path, &rdb[..cut]).unwrap();
        let output = run(&["dump", "-f", "resp", path.to_str().unwrap()]);
        assert_eq!(output.status.code(), Some(2));
        assert!(whole.starts_with(&output.stdout));
        let rest = text(&whole[output.stdout.len()..]);
        assert!(rest.starts_with('*'), "{cut}: {rest}");
    }
}

#[test]
fn a_modules_value_is_restored_and_the_inexpressible_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("dump.rdb");
    // Module 0x41 x 9, version 3: signed -1, double 1.5, the string "abc" as LZF would be told, plain here.
    let id = (0..9).fold(0_u64, |id, _| id << 6 | 4) << 10 | 3;
    let value = [
        &[7, 0x81][..],
        &id.to_be_bytes(),
        &[1, 0x81],
        &u64::MAX.to_be_bytes(),
        &[4],
        &1.5_f64.to_le_bytes(),
        &[5, 3],
        b"abc",
        &[0],
    ]
    .concat();
    let rdb = [b"REDIS0014\xfe\x02\x07\x01m", &value[1..], b"\x21\x01r\x05\xff\0\0\0\0\0\0\0\0"].concat();
    fs::write(&path, &rdb).unwrap();
    let output = run(&["dump", "-f", "resp", path.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let payload = [&value[..], &[8, 0]].concat();
    let checksum = crc_fast::checksum(crc_fast::CrcAlgorithm::Crc64Redis, &payload).to_le_bytes();
    let length = payload.len() + 8;
    let head = format!("*2\r\n$6\r\nSELECT\r\n$1\r\n2\r\n*4\r\n$7\r\nRESTORE\r\n$1\r\nm\r\n$1\r\n0\r\n${length}\r\n");
    assert_eq!(output.stdout, [head.as_bytes(), &payload, &checksum, b"\r\n"].concat());
    assert!(text(&output.stderr).contains("no command expresses: rate limits (1)"), "{}", text(&output.stderr));
}

/// The commands in RESP, each as its arguments.
fn commands_of(mut resp: &[u8]) -> Vec<Vec<Vec<u8>>> {
    fn head(resp: &mut &[u8], kind: u8) -> usize {
        let end = resp.iter().position(|byte| *byte == b'\r').unwrap();
        let (line, rest) = resp.split_at(end);
        assert_eq!(line[0], kind);
        *resp = rest.strip_prefix(b"\r\n").unwrap();
        text(&line[1..]).parse().unwrap()
    }
    let mut commands = Vec::new();
    while !resp.is_empty() {
        let mut command = Vec::new();
        for _ in 0..head(&mut resp, b'*') {
            let size = head(&mut resp, b'$');
            command.push(resp[..size].to_vec());
            resp = resp[size..].strip_prefix(b"\r\n").unwrap();
        }
        commands.push(command);
    }
    commands
}

/// Commands with their databases, those that select one left away.
fn placed(commands: Vec<Vec<Vec<u8>>>) -> Vec<(Vec<u8>, Vec<Vec<u8>>)> {
    let mut selected = b"none".to_vec();
    let mut placed = Vec::new();
    for command in commands {
        if command[0] == b"SELECT" {
            assert_ne!(selected, command[1], "selected already");
            selected.clone_from(&command[1]);
        } else {
            placed.push((selected.clone(), command));
        }
    }
    placed
}

#[test]
fn filters_give_the_commands_of_the_keys_that_are_wanted() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/rdb");
    for name in ["redis70_alltypes.rdb", "redis62_alltypes.rdb", "valkey91_nochecksum.rdb", "redis82_cluster.rdb"] {
        let path = folder.join(name);
        let path = path.to_str().unwrap();
        let all = run(&["dump", "-f", "resp", path]);
        let all = placed(commands_of(&all.stdout));
        let mut sizes = Vec::new();
        for options in [
            &["--min-bytes", "30"][..],
            &["--min-bytes", "100"],
            &["--min-bytes", "3000"],
            &["--min-bytes", "1gb"],
            &["--type", "stream"],
            &["--type", "hash,zset", "--min-bytes", "200"],
            &["--match", "*[a-m]*", "--min-bytes", "40"],
            &["--match", "s*"],
        ] {
            let keys = run(&[&["keys", "--json", path], options].concat());
            let wanted: Vec<(String, Value)> = text(&keys.stdout)
                .lines()
                .map(|line| serde_json::from_str::<Value>(line).unwrap())
                .map(|key| (key["db"].to_string(), key["key"].clone()))
                .collect();
            let is_wanted = |(db, command): &(Vec<u8>, Vec<Vec<u8>>)| {
                let at = if command[0] == b"XGROUP" { 2 } else { 1 };
                let key = std::str::from_utf8(&command[at]).map_or_else(
                    |_| {
                        use base64::Engine;
                        serde_json::json!({"base64": base64::engine::general_purpose::STANDARD.encode(&command[at])})
                    },
                    Into::into,
                );
                command[0] != b"FUNCTION" && wanted.contains(&(text(db).to_owned(), key))
            };
            let expected: Vec<_> = all.iter().filter(|command| is_wanted(command)).cloned().collect();
            let output = run(&[&["dump", "-f", "resp", path], options].concat());
            assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
            let found = commands_of(&output.stdout);
            let last = found.last().map(|command| command[0].clone());
            assert_ne!(last.as_deref(), Some(&b"SELECT"[..]), "{options:?}: nothing follows");
            assert!(placed(found) == expected, "{name} {options:?}");
            sizes.push(expected.len());
        }
        assert!(sizes.iter().filter(|size| (1..all.len()).contains(size)).count() >= 5, "{sizes:?}");
    }
}

#[test]
fn what_is_left_out_is_not_selected_nor_said_to_be_lost() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("dump.rdb");
    let big = "b".repeat(50);
    let set = |name: &str, value: &str| {
        [&[0, name.len() as u8][..], name.as_bytes(), &[value.len() as u8], value.as_bytes()].concat()
    };
    // The small keys: a list whose elements wait in a batch, a hash, a rate limit, and strings in databases of their own.
    let rdb = [
        b"REDIS0014\xfe\x00",
        &set("a", "small")[..],
        b"\xfe\x01\x01\x01l\x02\x01x\x01y",
        &set("b", &big),
        b"\x21\x01r\x05",
        b"\x04\x01h\x01\x01f\x01v",
        b"\xfe\x02",
        &set("c", "small"),
        b"\xfe\x01",
        &set("d", &big),
        b"\xfe\x00",
        &set("e", &big),
        b"\xff\0\0\0\0\0\0\0\0",
    ]
    .concat();
    fs::write(&path, rdb).unwrap();
    let dump = |options: &[&str]| {
        let output = run(&[&["dump", "-f", "resp", path.to_str().unwrap()], options].concat());
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        (text(&output.stdout).to_owned(), text(&output.stderr).to_owned())
    };
    let select = |db: u8| format!("*2\r\n$6\r\nSELECT\r\n$1\r\n{db}\r\n");
    let command = |key: &str| format!("*3\r\n$3\r\nSET\r\n$1\r\n{key}\r\n$50\r\n{big}\r\n");
    let expected = [select(1), command("b"), command("d"), select(0), command("e")].concat();
    assert_eq!(dump(&["--min-bytes", "40"]), (expected, String::new()));
    let (commands, said) = dump(&["--match", "[lr]"]);
    assert_eq!(commands, select(1) + "*4\r\n$5\r\nRPUSH\r\n$1\r\nl\r\n$1\r\nx\r\n$1\r\ny\r\n");
    assert!(said.contains("rate limits (1)"), "{said}");
    assert_eq!(
        dump(&["--type", "hash"]),
        (select(1) + "*4\r\n$4\r\nHSET\r\n$1\r\nh\r\n$1\r\nf\r\n$1\r\nv\r\n", String::new())
    );
}
