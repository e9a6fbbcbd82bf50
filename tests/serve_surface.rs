//! `repltool serve` as those see it who work with it: Sentinel, subscribers, operators.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "servers/mod.rs"]
mod servers;

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;

use servers::{Client, Reply, Server, free_port, until};
use tempfile::TempDir;

/// A process with a log, ended with this.
struct Process {
    child: Child,
    port: u16,
    folder: TempDir,
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Process {
    fn start(mut command: Command, port: u16, folder: TempDir) -> Self {
        let log = File::create(folder.path().join("log")).unwrap();
        command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        let process = Self { child: command.spawn().unwrap(), port, folder };
        until("an answer to PING", || {
            let stream = TcpStream::connect(("127.0.0.1", port));
            stream.is_ok_and(|stream| Client::new(stream).try_ask(&["PING"]).is_ok())
        });
        process
    }

    /// `repltool serve` with these words.
    fn serve(words: &[&str]) -> Self {
        Self::serve_in(tempfile::tempdir().unwrap(), words)
    }

    fn serve_in(folder: TempDir, words: &[&str]) -> Self {
        let port = free_port();
        let mut command = Command::new(env!("CARGO_BIN_EXE_repltool"));
        command.arg("serve").args(words).args(["--port", &port.to_string()]).current_dir(folder.path());
        Self::start(command, port, folder)
    }

    fn client(&self) -> Client {
        Client::new(TcpStream::connect(("127.0.0.1", self.port)).unwrap())
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// A field of INFO.
    fn info(&self, field: &str) -> String {
        info(&mut self.client(), field)
    }
}

fn info(client: &mut Client, field: &str) -> String {
    let text = client.ask(&["INFO", "all"]).text();
    let line = text.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    line.unwrap_or_default().to_owned()
}

fn client(port: u16) -> Client {
    Client::new(TcpStream::connect(("127.0.0.1", port)).unwrap())
}

/// A Sentinel that watches the master at this port, alone.
fn sentinel(master: u16) -> Process {
    let folder = tempfile::tempdir().unwrap();
    let port = free_port();
    let file = folder.path().join("sentinel.conf");
    let text = format!(
        "port {port}\nbind 127.0.0.1\ndir {}\nsentinel monitor it 127.0.0.1 {master} 1\nsentinel down-after-milliseconds it 1000\nsentinel failover-timeout it 10000\n",
        folder.path().display()
    );
    fs::write(&file, text).unwrap();
    let mut command = Command::new(Server::Redis70.binary());
    command.arg(&file).arg("--sentinel");
    Process::start(command, port, folder)
}

/// A field of what Sentinel knows of the master.
fn known(sentinel: &Process, field: &str) -> String {
    let fields = sentinel.client().ask(&["SENTINEL", "MASTER", "it"]).array();
    let texts: Vec<String> = fields.into_iter().map(Reply::text).collect();
    texts.chunks(2).find(|pair| pair[0] == field).map(|pair| pair[1].clone()).unwrap_or_default()
}

fn follows(port: u16, master: u16) -> bool {
    let client = &mut client(port);
    info(client, "master_port") == master.to_string() && info(client, "master_link_status") == "up"
}

/// Kills the master that Sentinel watches, and waits until one of the replicas is in its place and the others follow it.
fn failover(master: u16, kill: impl FnOnce(), replicas: &[u16]) {
    let sentinel = sentinel(master);
    let count = replicas.len().to_string();
    until("Sentinel finds the replicas", || {
        known(&sentinel, "num-slaves") == count && known(&sentinel, "flags") == "master"
    });
    until("the replicas are told of as sound", || {
        let told = sentinel.client().ask(&["SENTINEL", "REPLICAS", "it"]).array();
        told.into_iter().all(|replica| {
            let texts: Vec<String> = replica.array().into_iter().map(Reply::text).collect();
            let has = |name: &str, value: &str| texts.chunks(2).any(|pair| pair[0] == name && pair[1] == value);
            has("flags", "slave") && has("master-link-status", "ok")
        })
    });
    assert_eq!(client(master).ask(&["SET", "before", "1"]), Reply::Status("OK".into()));
    for replica in replicas {
        until("the write before", || client(*replica).ask(&["GET", "before"]) == Reply::Bulk(Some(b"1".to_vec())));
    }
    kill();
    let mut new = 0;
    until("Sentinel names another master", || {
        let address = sentinel.client().ask(&["SENTINEL", "GET-MASTER-ADDR-BY-NAME", "it"]).array();
        new = address.into_iter().nth(1).unwrap().text().parse().unwrap();
        new != master
    });
    assert!(replicas.contains(&new));
    until("it is a master", || info(&mut client(new), "role") == "master");
    assert_eq!(client(new).ask(&["SET", "after", "2"]), Reply::Status("OK".into()));
    for replica in replicas.iter().filter(|replica| **replica != new) {
        until("the others follow it", || follows(*replica, new));
        until("the write after", || client(*replica).ask(&["GET", "after"]) == Reply::Bulk(Some(b"2".to_vec())));
    }
    until("Sentinel is content", || known(&sentinel, "flags") == "master");
}

fn replica_of(port: u16) -> Process {
    let replica = Process::serve(&["--role", "replica", "--replicaof", "127.0.0.1", &port.to_string()]);
    until("the link", || follows(replica.port, port));
    replica
}

#[test]
fn sentinel_replaces_our_master_by_our_replica() {
    let master = Process::serve(&["--role", "master", "--repl-diskless-sync-delay", "0"]);
    let replicas = [replica_of(master.port), replica_of(master.port)];
    let (port, ports) = (master.port, [replicas[0].port, replicas[1].port]);
    failover(port, move || drop(master), &ports);
}

#[test]
fn sentinel_replaces_our_master_by_a_real_replica() {
    let master = Process::serve(&["--role", "master", "--repl-diskless-sync-delay", "0"]);
    let port = master.port;
    let real = Server::Redis70.start(&["--replicaof", "127.0.0.1", &port.to_string()]);
    until("the link", || follows(real.port, port));
    failover(port, move || drop(master), &[real.port]);
}

#[test]
fn sentinel_replaces_a_real_master_by_our_replica() {
    let real = Server::Redis70.start(&["--repl-diskless-sync-delay", "0"]);
    let port = real.port;
    let replicas = [replica_of(port), replica_of(port)];
    let ports = [replicas[0].port, replicas[1].port];
    failover(port, move || drop(real), &ports);
}

#[test]
fn listeners_at_a_replica_hear_the_master() {
    let master = Process::serve(&["--role", "master", "--repl-diskless-sync-delay", "0"]);
    let replica = replica_of(master.port);
    let mut listener = replica.client();
    listener.ask(&["SUBSCRIBE", "news"]);
    assert_eq!(master.client().ask(&["PUBLISH", "news", "hello"]), Reply::Integer(0));
    let texts: Vec<String> = listener.reply().unwrap().array().into_iter().map(Reply::text).collect();
    assert_eq!(texts, ["message", "news", "hello"]);
    assert_eq!(listener.ask(&["PING"]).array()[0], Reply::Bulk(Some(b"pong".to_vec())));
}

#[test]
fn who_does_not_read_is_cut_off() {
    let server = Process::serve(&["--role", "master", "--client-output-buffer-limit", "normal 1kb 0 0 pubsub 1mb 0 0"]);
    let mut control = server.client();
    // Answers that nobody reads. How much of them waits here depends on what the socket takes, but a little does.
    let mut deaf = TcpStream::connect(("127.0.0.1", server.port)).unwrap();
    control.ask(&["SET", "big", &"x".repeat(1 << 20)]);
    deaf.write_all("GET big\r\n".repeat(64).as_bytes()).unwrap();
    until("the client is cut off", || server.log().contains("overcoming of output buffer limits"));
    until("it is gone", || !control.ask(&["CLIENT", "LIST"]).text().contains("cmd=get"));
    // Messages that nobody reads.
    let mut listener = TcpStream::connect(("127.0.0.1", server.port)).unwrap();
    listener.write_all(b"SUBSCRIBE loud\r\n").unwrap();
    until("it listens", || control.ask(&["PUBLISH", "loud", "x"]) == Reply::Integer(1));
    until("the listener is cut off", || {
        control.ask(&["PUBLISH", "loud", &"x".repeat(1 << 20)]);
        control.ask(&["PUBLISH", "loud", "x"]) == Reply::Integer(0)
    });
    assert_eq!(server.log().matches("scheduled to be closed ASAP for overcoming of output buffer limits").count(), 2);
}

#[test]
fn a_replica_that_does_not_read_holds_nobody_up() {
    let serve = Process::serve(&["--client-output-buffer-limit", "replica 0 0 0"]);
    let mut replica = TcpStream::connect(("127.0.0.1", serve.port)).unwrap();
    replica.write_all(b"PSYNC ? -1\r\n").unwrap();
    let mut client = serve.client();
    until("the replica streams", || {
        // It has its RDB, which is small, in its socket.
        let _ = replica.write_all(b"REPLCONF ACK 0\r\n");
        serve.info("slave0").contains("state=online")
    });
    // More than sockets hold.
    let value = "v".repeat(1 << 20);
    for number in 0..64 {
        assert_eq!(client.ask(&["SET", &format!("key:{number}"), &value]), Reply::Status("OK".into()));
    }
    assert_eq!(serve.client().ask(&["PING"]), Reply::Status("PONG".into()));
    // And all of it is there once it reads.
    let reads = thread::spawn(move || {
        let (mut buffer, mut seen) = (vec![0; 1 << 16], 0);
        while seen < 64 << 20 {
            seen += replica.read(&mut buffer).unwrap();
        }
    });
    reads.join().unwrap();
}

#[test]
fn long_answers_to_many_commands_come_whole() {
    let server = Process::serve(&["--role", "master"]);
    let mut client = server.client();
    client.ask(&["SET", "big", &"x".repeat(1 << 20)]);
    let commands: Vec<Vec<Vec<u8>>> = (0..64).map(|_| vec![b"GET".to_vec(), b"big".to_vec()]).collect();
    assert_eq!(client.all(&commands).len(), 64);
}

/// An address of this machine that is not the loopback's; no packet is sent to find it.
fn outward() -> Option<SocketAddr> {
    let socket = UdpSocket::bind("0.0.0.0:0").ok()?;
    socket.connect("192.0.2.1:9").ok()?;
    socket.local_addr().ok().filter(|address| !address.ip().is_loopback() && !address.ip().is_unspecified())
}

#[test]
fn strangers_are_let_in_only_on_purpose() {
    let server = Process::serve(&["--role", "master", "--bind", "0.0.0.0"]);
    let Some(address) = outward() else { return };
    let there = SocketAddr::new(address.ip(), server.port);
    let mut text = String::new();
    TcpStream::connect(there).unwrap().read_to_string(&mut text).unwrap();
    assert!(text.starts_with("-DENIED Redis is running in protected mode"), "{text}");
    server.client().ask(&["CONFIG", "SET", "protected-mode", "no"]);
    assert_eq!(Client::new(TcpStream::connect(there).unwrap()).ask(&["PING"]), Reply::Status("PONG".into()));
}

#[test]
fn no_more_clients_than_maxclients() {
    let server = Process::serve(&["--role", "master"]);
    let mut first = server.client();
    until("the client that asked for an answer is gone", || info(&mut first, "connected_clients") == "1");
    first.ask(&["CONFIG", "SET", "maxclients", "2"]);
    let mut second = server.client();
    assert_eq!(second.ask(&["PING"]), Reply::Status("PONG".into()));
    let mut text = String::new();
    TcpStream::connect(("127.0.0.1", server.port)).unwrap().read_to_string(&mut text).unwrap();
    assert_eq!(text, "-ERR max number of clients reached\r\n");
}

#[test]
fn the_configuration_file_is_rewritten() {
    let folder = tempfile::tempdir().unwrap();
    let path: PathBuf = folder.path().join("redis.conf");
    fs::write(&path, "# mine\nmaxclients 100\n").unwrap();
    let server = Process::serve_in(folder, &[path.to_str().unwrap(), "--role", "master"]);
    let mut client = server.client();
    client.ask(&["CONFIG", "SET", "maxclients", "200"]);
    assert_eq!(client.ask(&["CONFIG", "REWRITE"]), Reply::Status("OK".into()));
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.starts_with("# mine\nmaxclients 200\n# Generated by CONFIG REWRITE\nport "), "{text}");
    client.ask(&["REPLICAOF", "127.0.0.1", "1"]);
    client.ask(&["CONFIG", "REWRITE"]);
    assert!(fs::read_to_string(&path).unwrap().contains("\nreplicaof 127.0.0.1 1\n"));
}

#[test]
fn users_are_rewritten_and_come_back() {
    let folder = tempfile::tempdir().unwrap();
    let path: PathBuf = folder.path().join("redis.conf");
    fs::write(&path, "user alice on >secret ~a* +get\n# mine\nuser bob off\n").unwrap();
    let words = [path.to_str().unwrap(), "--role", "master", "--compat", "redis-7.0"];
    let server = Process::serve_in(folder, &words);
    let mut client = server.client();
    client.ask(&["ACL", "SETUSER", "carol", "on", "nopass", "~*", "+@all"]);
    client.ask(&["ACL", "DELUSER", "bob"]);
    assert_eq!(client.ask(&["CONFIG", "REWRITE"]), Reply::Status("OK".into()));
    let text = fs::read_to_string(&path).unwrap();
    let alice =
        "user alice on #2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b ~a* resetchannels -@all +get";
    let carol = "user carol on nopass ~* resetchannels +@all";
    assert!(text.starts_with(&format!("{alice}\n# mine\n{carol}\n# Generated by CONFIG REWRITE\n")), "{text}");
    assert!(text.ends_with("\nuser default on nopass ~* &* +@all\n"), "{text}");
    // The file is one to begin with.
    let again = Process::serve(&words);
    let mut client = again.client();
    let Reply::Array(Some(users)) = client.ask(&["ACL", "LIST"]) else { panic!("no list") };
    assert_eq!(users.len(), 3);
    assert_eq!(users.first(), Some(&Reply::Bulk(Some(alice.into()))));
}

#[test]
fn it_listens_elsewhere_when_it_is_told_to() {
    // Asked of Redis 7.0.15 and Valkey 9.1.2.
    let server = Process::serve(&["--role", "master", "--compat", "redis-7.0"]);
    let mut client = server.client();
    let failed = |name: &str, why: &str| {
        Reply::Error(format!("ERR CONFIG SET failed (possibly related to argument '{name}') - {why}"))
    };
    let other = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let taken = other.local_addr().unwrap().port().to_string();
    let refused = failed("port", "Unable to listen on this port. Check server logs.");
    assert_eq!(client.ask(&["CONFIG", "SET", "port", &taken]), refused);
    let refused = failed("bind", "Failed to bind to specified addresses.");
    assert_eq!(client.ask(&["CONFIG", "SET", "bind", "192.0.2.1"]), refused);
    assert_eq!(server.client().ask(&["PING"]), Reply::Status("PONG".into()));
    let port = free_port();
    assert_eq!(
        client.ask(&["CONFIG", "SET", "port", &port.to_string(), "maxclients", "50"]),
        Reply::Status("OK".into())
    );
    let mut moved = Client::new(TcpStream::connect(("127.0.0.1", port)).unwrap());
    assert_eq!(moved.ask(&["PING"]), Reply::Status("PONG".into()));
    until("the old port to be closed", || TcpStream::connect(("127.0.0.1", server.port)).is_err());
    // Who is there stays.
    let info = client.ask(&["INFO", "server"]).bytes();
    assert!(String::from_utf8_lossy(&info).contains(&format!("tcp_port:{port}\r\n")));
    assert_eq!(client.ask(&["CONFIG", "SET", "bind", "127.0.0.1 127.0.0.2 -192.0.2.1"]), Reply::Status("OK".into()));
    let mut second = Client::new(TcpStream::connect(("127.0.0.2", port)).unwrap());
    assert_eq!(second.ask(&["PING"]), Reply::Status("PONG".into()));
    assert_eq!(client.ask(&["CONFIG", "SET", "port", "0"]), Reply::Status("OK".into()));
    until("all ports to be closed", || TcpStream::connect(("127.0.0.2", port)).is_err());
    assert_eq!(client.ask(&["PING"]), Reply::Status("PONG".into()));
}

#[test]
fn signals_stop_it_and_the_log_has_its_form() {
    for signal in ["TERM", "INT"] {
        let master = Process::serve(&["--role", "master", "--repl-diskless-sync-delay", "0"]);
        let mut replica = replica_of(master.port);
        let pid = replica.child.id();
        let lines = [
            format!("{pid}:S "),
            format!("* Connecting to MASTER 127.0.0.1:{}", master.port),
            "* MASTER <-> REPLICA sync started".into(),
            "* Non blocking connect for SYNC fired the event.".into(),
            "* Full resync from master: ".into(),
            "* Done loading RDB, keys loaded: 0, keys expired: 0.".into(),
            "* MASTER <-> REPLICA sync: Finished with success".into(),
        ];
        for line in lines {
            assert!(replica.log().contains(&line), "{line}: {}", replica.log());
        }
        let name = format!("127.0.0.1:{}", replica.port);
        for line in [
            format!("{}:M ", master.child.id()),
            format!("* Replica {name} asks for synchronization"),
            "* Starting BGSAVE for SYNC with target: replicas sockets".into(),
            format!("* Synchronization with replica {name} succeeded"),
        ] {
            until(&line, || master.log().contains(&line));
        }
        let signalled = Command::new("kill").args([&format!("-{signal}"), &pid.to_string()]).status().unwrap();
        assert!(signalled.success());
        let status = replica.child.wait().unwrap();
        assert!(status.success(), "{status}");
        assert!(replica.log().contains(&format!("* Received SIG{signal} scheduling shutdown...")));
        until("the master tells", || master.log().contains(&format!("* Connection with replica {name} lost.")));
        assert_eq!(master.info("connected_slaves"), "0");
    }
}

fn error(reply: Reply) -> String {
    match reply {
        Reply::Error(text) => text,
        other => panic!("{other:?}"),
    }
}

#[cfg(feature = "scripts")]
#[test]
fn a_script_that_runs_on_leaves_clients_an_answer() {
    let mut server = Process::serve(&[]);
    let (mut runs, mut knows) = (server.client(), server.client());
    knows.ask(&["CONFIG", "SET", "busy-reply-threshold", "20"]);
    runs.send(&["EVAL", "while true do end", "0"]);
    until(
        "the server says that it is busy",
        || matches!(knows.ask(&["PING"]), Reply::Error(text) if text.starts_with("BUSY Redis is busy running a script.")),
    );
    // Who comes only now is heard, too.
    let mut comes = server.client();
    assert!(error(comes.ask(&["GET", "k"])).starts_with("BUSY "));
    assert_eq!(comes.ask(&["SCRIPT", "KILL"]), Reply::Status("OK".into()));
    assert!(error(runs.reply().unwrap()).starts_with("ERR Script killed by user with SCRIPT KILL"));
    for client in [&mut runs, &mut knows, &mut comes] {
        assert_eq!(client.ask(&["PING"]), Reply::Status("PONG".into()));
    }
    assert!(server.log().contains("Slow script detected: still in execution after "));
    runs.send(&["EVAL", "redis.call('set', KEYS[1], 'v') while true do end", "1", "k"]);
    until("it is busy again", || matches!(knows.ask(&["PING"]), Reply::Error(_)));
    assert!(error(knows.ask(&["SCRIPT", "KILL"])).starts_with("UNKILLABLE "));
    knows.send(&["SHUTDOWN", "NOSAVE"]);
    until("it ends", || server.child.try_wait().unwrap().is_some());
}

#[test]
fn a_groups_reader_is_told_that_its_stream_is_gone() {
    // Asked of Redis 7.0.15 and 8.2.3.
    let gone = "UNBLOCKED the stream key no longer exists";
    let no_group = "NOGROUP No such key 's' or consumer group 'g' in XREADGROUP with GROUP option";
    let wrong = "WRONGTYPE Operation against a key holding the wrong kind of value";
    for (compat, deleted, replaced) in [("redis-7.0", gone, gone), ("redis-8.2", no_group, wrong)] {
        let server = Process::serve(&["--compat", compat]);
        let (mut waits, mut acts) = (server.client(), server.client());
        for (lines, told) in
            [(&[&["DEL", "s"][..]][..], deleted), (&[&["FLUSHALL"]], deleted), (&[&["SET", "s", "v"]], replaced)]
        {
            acts.ask(&["DEL", "s"]);
            acts.ask(&["XGROUP", "CREATE", "s", "g", "$", "MKSTREAM"]);
            waits.send(&["XREADGROUP", "GROUP", "g", "c", "BLOCK", "0", "STREAMS", "s", ">"]);
            until("it waits", || info(&mut acts, "blocked_clients") == "1");
            for line in lines {
                acts.ask(line);
            }
            assert_eq!(error(waits.reply().unwrap()), told, "{compat}: {lines:?}");
        }
        // Who waits for something else at the key goes on waiting.
        acts.ask(&["DEL", "s"]);
        waits.send(&["BLPOP", "s", "0"]);
        until("it waits again", || info(&mut acts, "blocked_clients") == "1");
        acts.ask(&["DEL", "s"]);
        acts.ask(&["XADD", "s", "*", "f", "v"]);
        acts.ask(&["DEL", "s"]);
        acts.ask(&["RPUSH", "s", "v"]);
        let popped: Vec<String> = waits.reply().unwrap().array().into_iter().map(Reply::text).collect();
        assert_eq!(popped, ["s", "v"]);
    }
}

#[test]
fn who_waits_is_served_by_swapped_databases_and_by_the_clock_behind_a_sleep() {
    let server = Process::serve(&[]);
    let (mut waits, mut acts) = (server.client(), server.client());
    let waiting = |acts: &mut Client| until("it waits", || info(acts, "blocked_clients") == "1");
    acts.ask(&["SELECT", "1"]);
    acts.ask(&["RPUSH", "k", "v"]);
    waits.send(&["BRPOP", "k", "0"]);
    waiting(&mut acts);
    acts.ask(&["SWAPDB", "1", "0"]);
    let popped: Vec<String> = waits.reply().unwrap().array().into_iter().map(Reply::text).collect();
    assert_eq!(popped, ["k", "v"]);
    // What has expired by the end of a transaction that slept was never there for those who wait.
    acts.ask(&["SELECT", "0"]);
    acts.ask(&["DEBUG", "SET-ACTIVE-EXPIRE", "0"]);
    waits.send(&["BRPOP", "k", "0"]);
    waiting(&mut acts);
    for line in [&["MULTI"][..], &["RPUSH", "k", "v"], &["PEXPIRE", "k", "20"], &["DEBUG", "SLEEP", "0.1"], &["EXEC"]] {
        acts.ask(line);
    }
    assert_eq!(info(&mut acts, "blocked_clients"), "1");
    acts.ask(&["RPUSH", "k", "w"]);
    let popped: Vec<String> = waits.reply().unwrap().array().into_iter().map(Reply::text).collect();
    assert_eq!(popped, ["k", "w"]);
}

#[test]
fn keys_migrate_to_real_servers_and_back() {
    let (ours, real) = (Process::serve(&[]), Server::Redis70.start(&[]));
    let (mut here, mut there) = (ours.client(), real.client());
    here.ask(&["SET", "s", "text", "PX", "100000"]);
    here.ask(&["RPUSH", "l", "a", "b"]);
    let digest = |client: &mut Client| client.ask(&["DEBUG", "DIGEST"]).text();
    let before = digest(&mut here);
    let moved = |from: &mut Client, to: u16| {
        from.ask(&["MIGRATE", "127.0.0.1", &to.to_string(), "", "0", "5000", "KEYS", "s", "nokey", "l"])
    };
    assert_eq!(moved(&mut here, real.port), Reply::Status("OK".into()));
    assert_eq!((here.ask(&["DBSIZE"]), digest(&mut there)), (Reply::Integer(0), before.clone()));
    assert!((1..=100_000).contains(&there.ask(&["PTTL", "s"]).integer()));
    assert_eq!(moved(&mut there, ours.port), Reply::Status("OK".into()));
    assert_eq!((there.ask(&["DBSIZE"]), digest(&mut here)), (Reply::Integer(0), before));
    assert_eq!(moved(&mut there, ours.port), Reply::Status("NOKEY".into()));
    // To itself: it cannot answer while it asks.
    let asked = here.ask(&["MIGRATE", "127.0.0.1", &ours.port.to_string(), "s", "1", "50"]);
    assert_eq!(error(asked), "IOERR error or timeout reading to target instance");
    assert_eq!(here.ask(&["EXISTS", "s"]), Reply::Integer(1));
}
