//! `repltool serve` to programs that know nothing of it: redis-cli's own modes, redis-py, node-redis and the crate `redis`.

// The helpers are no tests themselves, so that the tests' exemption does not reach them.
#![allow(clippy::unwrap_used, clippy::panic)]

mod servers;

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use servers::{Running, Server};

const SERVERS: [Server; 3] = [Server::Redis70, Server::Redis82, Server::Valkey91];

fn well(what: &str, output: &Output) -> String {
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{what}: {out}\n{err}");
    out.into_owned()
}

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients").join(name)
}

/// A folder for what is fetched once, filled whole or not at all; `None` where `fill` could not.
fn fetched(name: &str, fill: impl FnOnce(&Path) -> bool) -> Option<PathBuf> {
    let home = Path::new(env!("CARGO_TARGET_TMPDIR")).join("clients");
    std::fs::create_dir_all(&home).unwrap();
    let there = home.join(name);
    if !there.exists() {
        let partial = tempfile::tempdir_in(&home).unwrap();
        if !fill(partial.path()) {
            return None;
        }
        std::fs::rename(partial.keep(), &there).unwrap();
    }
    Some(there)
}

#[test]
fn redis_py_takes_it_for_a_server() {
    let library = fetched("redis-py-8", |folder| {
        let mut pip = Command::new("python3");
        pip.args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--no-deps",
            "--only-binary=:all:",
        ]);
        well("pip", &pip.arg("--target").arg(folder).arg("redis==8.1.0").output().unwrap());
        true
    });
    let library = library.unwrap();
    for server in SERVERS {
        let ours = server.serve(&[]);
        let mut python = Command::new("python3");
        python.env("PYTHONPATH", &library).arg(script("redis_py.py")).arg(ours.port.to_string());
        assert_eq!(well(&format!("{server:?}"), &python.output().unwrap()), "all well\n");
    }
}

#[test]
fn node_redis_takes_it_for_a_server() {
    // Unlike Python, node is nothing that the tests may ask for.
    let library = fetched("node-redis-6", |folder| {
        let mut npm = Command::new("npm");
        npm.args(["install", "--silent", "--no-audit", "--no-fund", "--prefix"]).arg(folder).arg("redis@6.3.1");
        npm.output().is_ok_and(|output| output.status.success())
    });
    let Some(library) = library else {
        eprintln!("there is no npm here, or it cannot fetch: node-redis is not tried");
        return;
    };
    std::fs::copy(script("node_redis.mjs"), library.join("node_redis.mjs")).unwrap();
    for server in SERVERS {
        let ours = server.serve(&[]);
        let mut node = Command::new("node");
        node.arg(library.join("node_redis.mjs")).arg(ours.port.to_string());
        assert_eq!(well(&format!("{server:?}"), &node.output().unwrap()), "all well\n");
    }
}

fn cli(server: &Running, arguments: &[&str]) -> Command {
    let mut command = Command::new("redis-cli");
    command.args(["-p", &server.port.to_string()]).args(arguments);
    command
}

fn said(server: &Running, arguments: &[&str]) -> String {
    well(&arguments.join(" "), &cli(server, arguments).stdin(Stdio::null()).output().unwrap())
}

#[test]
fn redis_clis_modes_work() {
    let ours = Server::Redis70.serve(&[]);
    // 5000 commands through the pipe.
    let mut pipe = cli(&ours, &["--pipe"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut bytes = Vec::new();
    for number in 0..5000 {
        let key = format!("key:{number}");
        bytes.extend(format!("*3\r\n$3\r\nSET\r\n${}\r\n{key}\r\n$5\r\nvalue\r\n", key.len()).bytes());
    }
    pipe.stdin.take().unwrap().write_all(&bytes).unwrap();
    let told = well("--pipe", &pipe.wait_with_output().unwrap());
    assert!(told.contains("errors: 0, replies: 5000"), "{told}");

    assert_eq!(said(&ours, &["DBSIZE"]), "5000\n");
    said(&ours, &["RPUSH", "long", "a", "b", "c", "d"]);
    said(&ours, &["HSET", "wide", "f", "v", "g", "w"]);
    assert_eq!(said(&ours, &["--scan", "--pattern", "key:*"]).lines().count(), 5000);
    assert_eq!(said(&ours, &["--scan", "--pattern", "l?ng"]), "long\n");
    let told = said(&ours, &["--bigkeys"]);
    assert!(told.contains("Biggest   list found '\"long\"' has 4 items"), "{told}");
    assert!(told.contains("Sampled 5002 keys in the keyspace!"), "{told}");
    let told = said(&ours, &["--memkeys"]);
    assert!(told.contains("Sampled 5002 keys in the keyspace!") && told.contains("bytes"), "{told}");
    assert_eq!(said(&ours, &["--csv", "LRANGE", "long", "0", "1"]), "\"a\",\"b\"\n");
    assert_eq!(said(&ours, &["--json", "HGETALL", "wide"]), "{\"f\":\"v\",\"g\":\"w\"}\n");
    assert_eq!(said(&ours, &["-3", "HGETALL", "wide"]), "f v\ng w\n");
    assert_eq!(said(&ours, &["-r", "3", "INCR", "n"]), "1\n2\n3\n");

    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    std::fs::write(file("get.lua"), "return redis.call('lindex', KEYS[1], ARGV[1])").unwrap();
    assert_eq!(said(&ours, &["--eval", &file("get.lua"), "long", ",", "2"]), "c\n");
    said(&ours, &["FUNCTION", "LOAD", "#!lua name=lib\nredis.register_function('f', function() return 1 end)"]);
    for mode in ["--rdb", "--functions-rdb"] {
        said(&ours, &[mode, &file(mode)]);
        let checked =
            Command::new(env!("CARGO_BIN_EXE_repltool")).args(["rdb", "check", &file(mode)]).output().unwrap();
        well(mode, &checked);
    }

    // These go on until they are ended.
    for (mode, wanted) in [(&["--stat", "-i", "0.05"][..], "5003"), (&["--latency-dist", "-i", "0.1"], "")] {
        let mut child = cli(&ours, mode).stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        assert!(lines.map_while(Result::ok).any(|line| line.trim_start().starts_with(wanted)), "{mode:?}");
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let told = said(&ours, &["--latency", "--raw", "-i", "0.1"]);
    assert_eq!(told.split_whitespace().count(), 4, "{told}");

    let mut monitor = cli(&ours, &["MONITOR"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(monitor.stdout.take().unwrap()).lines().map_while(Result::ok);
    assert_eq!(lines.next().as_deref(), Some("OK"));
    said(&ours, &["GET", "key:1"]);
    assert!(lines.any(|line| line.ends_with("\"GET\" \"key:1\"")));
    monitor.kill().unwrap();
    monitor.wait().unwrap();
}

#[test]
fn the_crate_redis_takes_it_for_a_server() {
    use redis::Commands;
    for server in SERVERS {
        let ours = server.serve(&[]);
        for protocol in ["resp2", "resp3"] {
            let url = format!("redis://127.0.0.1:{}/?protocol={protocol}", ours.port);
            let client = redis::Client::open(url).unwrap();
            let mut connection = client.get_connection().unwrap();
            redis::cmd("FLUSHALL").exec(&mut connection).unwrap();
            let () = connection.set("a", 1).unwrap();
            assert_eq!(connection.incr::<_, _, i64>("a", 41).unwrap(), 42);
            assert_eq!(connection.get::<_, Option<String>>("no").unwrap(), None);
            let () = connection.hset_multiple("h", &[("f", 1), ("g", 2)]).unwrap();
            let all: std::collections::BTreeMap<String, i64> = connection.hgetall("h").unwrap();
            assert_eq!(all.into_iter().collect::<Vec<_>>(), [("f".to_owned(), 1), ("g".to_owned(), 2)]);
            let () = connection.zadd_multiple("z", &[(1.5, "m"), (2.0, "n")]).unwrap();
            let ranked: Vec<(String, f64)> = connection.zrange_withscores("z", 0, -1).unwrap();
            assert_eq!(ranked, [("m".to_owned(), 1.5), ("n".to_owned(), 2.0)]);
            let mut pipe = redis::pipe();
            pipe.atomic().incr("n", 1).incr("n", 1).lpush("l", "x").ignore();
            assert_eq!(pipe.query::<(i64, i64)>(&mut connection).unwrap(), (1, 2));
            let keys: Vec<String> = connection.scan_match("*").unwrap().map(Result::unwrap).collect();
            assert_eq!(keys.len(), 5);
            let wrong = connection.lpush::<_, _, i64>("a", "x").unwrap_err();
            assert_eq!(wrong.code(), Some("WRONGTYPE"));
            let mut listener = client.get_connection().unwrap();
            let mut listener = listener.as_pubsub();
            listener.subscribe("news").unwrap();
            assert_eq!(connection.publish::<_, _, i64>("news", "hello").unwrap(), 1);
            assert_eq!(listener.get_message().unwrap().get_payload::<String>().unwrap(), "hello");
        }
    }
}
