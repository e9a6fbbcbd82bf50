//! `repltool serve` and its data on disk: saved, loaded by real servers, and gone on with after a restart.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "servers/mod.rs"]
mod servers;

use std::fs::File;
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use servers::{Client, Reply, Server, free_port, until};

/// Ours, working in a folder; ended with this.
struct Ours {
    child: Child,
    port: u16,
}

impl Drop for Ours {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Ours {
    fn start(folder: &Path, port: u16, words: &[&str]) -> Self {
        let log = File::options().create(true).append(true).open(folder.join("log")).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_repltool"));
        command.arg("serve").args(["--port", &port.to_string(), "--dir"]).arg(folder).args(words);
        command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        let ours = Self { child: command.spawn().unwrap(), port };
        until("an answer to PING", || {
            let stream = TcpStream::connect(("127.0.0.1", port));
            stream.is_ok_and(|stream| Client::new(stream).try_ask(&["PING"]).is_ok())
        });
        ours
    }

    fn client(&self) -> Client {
        Client::new(TcpStream::connect(("127.0.0.1", self.port)).unwrap())
    }

    fn info(&self, field: &str) -> String {
        info(&mut self.client(), field)
    }

    /// Ends it with these words.
    fn shut_down(mut self, words: &[&str]) {
        let said = self.client().try_ask(words);
        assert!(said.is_err(), "it does not shut down: {said:?}");
        assert!(self.child.wait().unwrap().success());
    }
}

fn info(client: &mut Client, field: &str) -> String {
    let text = client.ask(&["INFO", "all"]).text();
    let line = text.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    line.unwrap_or_default().to_owned()
}

fn ok(client: &mut Client, line: &str) {
    let reply = client.ask(&line.split(' ').collect::<Vec<_>>());
    assert!(!matches!(reply, Reply::Error(_)), "{line}: {reply:?}");
}

fn digest(client: &mut Client) -> String {
    client.ask(&["DEBUG", "DIGEST"]).text()
}

/// Keys of every type.
const KEYS: &[&str] = &[
    "SET s hello",
    "SET n 12345 EX 100000",
    "RPUSH l a b 3",
    "SADD i 1 2 3",
    "SADD st a b",
    "ZADD z 1.5 a 2 b",
    "HSET h f v g w",
    "XADD x 1-1 f v",
    "XGROUP CREATE x g 0",
    "SELECT 3",
    "SET other db",
    "SELECT 0",
];

#[test]
fn real_servers_load_what_is_saved() {
    for server in Server::ALL {
        let folder = tempfile::tempdir().unwrap();
        let ours = Ours::start(folder.path(), free_port(), &["--compat", server.compat()]);
        let mut client = ours.client();
        KEYS.iter().for_each(|line| ok(&mut client, line));
        assert_eq!(ours.info("rdb_changes_since_last_save"), "17", "{server:?}");
        assert_eq!(client.ask(&["SAVE"]), Reply::Status("OK".into()));
        assert_eq!(ours.info("rdb_changes_since_last_save"), "0");
        let real = server.load(&folder.path().join("dump.rdb"), &[]).unwrap();
        assert_eq!(digest(&mut real.client()), digest(&mut client), "{server:?}");
        // In the background.
        ok(&mut client, "SET late 1");
        assert_eq!(client.ask(&["BGSAVE"]), Reply::Status("Background saving started".into()));
        until("it is saved", || ours.info("rdb_bgsave_in_progress") == "0");
        assert_eq!(
            (ours.info("rdb_last_bgsave_status"), ours.info("rdb_changes_since_last_save")),
            ("ok".into(), "0".into())
        );
        let real = server.load(&folder.path().join("dump.rdb"), &[]).unwrap();
        assert_eq!(digest(&mut real.client()), digest(&mut client), "{server:?}");
        let digest_before = digest(&mut client);
        ours.shut_down(&["SHUTDOWN"]);
        let again = Ours::start(folder.path(), free_port(), &["--compat", server.compat()]);
        assert_eq!(digest(&mut again.client()), digest_before);
    }
}

#[test]
fn it_is_saved_when_and_only_when_it_is_to_be() {
    let folder = tempfile::tempdir().unwrap();
    let dump = folder.path().join("dump.rdb");
    let ours = Ours::start(folder.path(), free_port(), &[]);
    ok(&mut ours.client(), "SET k v");
    ours.shut_down(&["SHUTDOWN"]);
    assert!(!dump.exists());
    let ours = Ours::start(folder.path(), free_port(), &["--save", "1", "2"]);
    ok(&mut ours.client(), "MSET k v");
    assert_eq!(ours.info("rdb_saves"), "0");
    ok(&mut ours.client(), "SET k2 v");
    until("the save point", || ours.info("rdb_saves") == "1");
    assert!(dump.exists());
    ok(&mut ours.client(), "SET k3 v");
    ours.shut_down(&["SHUTDOWN", "NOSAVE"]);
    let ours = Ours::start(folder.path(), free_port(), &["--save", "1000", "1000"]);
    assert_eq!(
        (ours.client().ask(&["DBSIZE"]), ours.info("rdb_last_load_keys_loaded")),
        (Reply::Integer(2), "2".into())
    );
    ok(&mut ours.client(), "SET k3 v");
    ours.shut_down(&["SHUTDOWN"]);
    let ours = Ours::start(folder.path(), free_port(), &[]);
    assert_eq!(ours.client().ask(&["DBSIZE"]), Reply::Integer(3));
    let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|file| file.unwrap().file_name()).collect();
    assert_eq!(left.len(), 2, "{left:?}");
}

/// What is said where it cannot be saved, as redis-server 7.0.15 says it.
#[test]
fn what_cannot_be_saved_is_not_lost() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("taken")).unwrap();
    let ours = Ours::start(folder.path(), free_port(), &["--dbfilename", "taken", "--save", "1000", "1000"]);
    let mut client = ours.client();
    ok(&mut client, "SET k v");
    assert_eq!(client.ask(&["SAVE"]), Reply::Error("ERR".into()));
    assert_eq!(client.ask(&["SHUTDOWN"]), Reply::Error("ERR Errors trying to SHUTDOWN. Check logs.".into()));
    ok(&mut client, "BGSAVE");
    until("it has failed", || ours.info("rdb_last_bgsave_status") == "err");
    let Reply::Error(refusal) = client.ask(&["SET", "k", "w"]) else { panic!("it writes") };
    assert!(refusal.starts_with("MISCONF Redis is configured to save RDB snapshots, but it's currently unable"));
    let refused = client.ask(&["CONFIG", "SET", "appendonly", "yes"]);
    let words =
        "ERR CONFIG SET failed (possibly related to argument 'appendonly') - Unable to turn on AOF. Check server logs.";
    assert_eq!(refused, Reply::Error(words.into()));
    assert_eq!(client.ask(&["BGSAVE", "NOW"]), Reply::Error("ERR syntax error".into()));
    ok(&mut client, "CONFIG SET dbfilename free.rdb");
    ok(&mut client, "SAVE");
    ok(&mut client, "SET k w");
}

#[test]
fn our_replica_goes_on_after_a_restart() {
    for server in [Server::Redis70, Server::Valkey91] {
        let master = server.start(&["--repl-diskless-sync-delay", "0"]);
        let folder = tempfile::tempdir().unwrap();
        let port = master.port.to_string();
        let words = ["--compat", server.compat(), "--replicaof", "127.0.0.1", &port];
        let ours = Ours::start(folder.path(), free_port(), &words);
        let up = |ours: &Ours| until("the link is up", || ours.info("master_link_status") == "up");
        up(&ours);
        let mut client = master.client();
        KEYS.iter().for_each(|line| ok(&mut client, line));
        ok(&mut client, "SELECT 5");
        ok(&mut client, "SET in five");
        let same = |ours: &Ours| {
            let (mut one, mut other) = (master.client(), ours.client());
            until("it has everything", || digest(&mut one) == digest(&mut other));
        };
        same(&ours);
        ours.shut_down(&["SHUTDOWN", "SAVE"]);
        ok(&mut client, "SET meanwhile five");
        let ours = Ours::start(folder.path(), free_port(), &words);
        up(&ours);
        same(&ours);
        let info = |field: &str| info(&mut master.client(), field);
        assert_eq!((info("sync_partial_ok"), info("sync_full")), ("1".into(), "1".into()), "{server:?}");
    }
}

#[test]
fn a_real_replica_goes_on_after_our_masters_restart() {
    for server in [Server::Redis70, Server::Redis82, Server::Valkey91] {
        let (folder, port) = (tempfile::tempdir().unwrap(), free_port());
        let words = ["--compat", server.compat(), "--repl-diskless-sync-delay", "0"];
        let ours = Ours::start(folder.path(), port, &words);
        let replica = server.start(&["--replicaof", "127.0.0.1", &port.to_string()]);
        let up = || until("the link is up", || info(&mut replica.client(), "master_link_status") == "up");
        up();
        let mut client = ours.client();
        KEYS.iter().for_each(|line| ok(&mut client, line));
        ok(&mut client, "SET short lived PX 300");
        let offset = |client: &mut Client| info(client, "master_repl_offset");
        until("it has everything", || offset(&mut ours.client()) == offset(&mut replica.client()));
        ours.shut_down(&["SHUTDOWN", "SAVE"]);
        let mut reader = replica.client();
        until("a key has expired", || reader.ask(&["GET", "short"]) == Reply::Bulk(None));
        let ours = Ours::start(folder.path(), port, &words);
        ok(&mut ours.client(), "SET after restart");
        up();
        until("the write after", || reader.ask(&["GET", "after"]) == Reply::Bulk(Some(b"restart".to_vec())));
        assert_eq!((ours.info("sync_partial_ok"), ours.info("sync_full")), ("1".into(), "0".into()), "{server:?}");
        assert_eq!(digest(&mut reader), digest(&mut ours.client()), "{server:?}");
        assert_eq!(reader.ask(&["DBSIZE"]), ours.client().ask(&["DBSIZE"]));
    }
}
