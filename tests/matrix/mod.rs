//! What a cell of the interop matrix is made of: a master and its replicas, a wire between them that can be cut, and the
//! question whether they hold the same.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking, its helpers too")]
#![allow(unreachable_pub, dead_code, reason = "it is a module of several tests")]

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU16, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::thread;
use std::time::{Duration, Instant};

use super::servers::{Client, PATIENCE, Reply, Running, Server};
use super::storm::{Words, words};

/// How long a difference may last that comes from looking at one server before something expires, at the other after.
const GRACE: Duration = Duration::from_secs(3);

/// Between two looks.
const POLL: Duration = Duration::from_millis(5);

/// A field of INFO; empty where there is none.
pub fn field<'a>(info: &'a str, name: &str) -> &'a str {
    let of = |line: &'a str| line.strip_prefix(name)?.strip_prefix(':');
    info.lines().find_map(of).unwrap_or_default()
}

/// A section of INFO.
pub fn info(client: &mut Client, section: &str) -> String {
    client.ask(&["INFO", section]).text()
}

/// A number of INFO.
#[track_caller]
pub fn count(server: &Running, section: &str, name: &str) -> i64 {
    let info = info(&mut server.client(), section);
    field(&info, name).parse().unwrap_or_else(|_| panic!("no {name} in {info}"))
}

/// Sends commands, none of which may fail.
#[track_caller]
pub fn all(server: &Running, lines: &[&str]) {
    let mut client = server.client();
    for line in lines {
        let reply = client.ask(&words(line));
        assert!(!matches!(reply, Reply::Error(_)), "{} to {}: {reply:?}", line, name(server));
    }
}

/// What it is called in messages.
pub fn name(server: &Running) -> String {
    let owner = if server.ours { "our " } else { "" };
    format!("{owner}{:?}", server.server)
}

/// A TCP connection that goes through the test, which can cut it.
pub struct Wire {
    pub port: u16,
    state: Arc<State>,
}

struct State {
    target: AtomicU16,
    connections: AtomicUsize,
    open: AtomicBool,
    ended: AtomicBool,
    pairs: Mutex<Vec<Weak<Pair>>>,
}

/// The two ends of a connection.
type Pair = [TcpStream; 2];

impl Wire {
    /// A wire to this server.
    pub fn to(server: &Running) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (open, ended) = (AtomicBool::new(true), AtomicBool::new(false));
        let target = AtomicU16::new(server.port);
        let state = Arc::new(State { target, connections: AtomicUsize::new(0), open, ended, pairs: Mutex::default() });
        let shared = state.clone();
        thread::spawn(move || {
            for client in listener.incoming() {
                if shared.ended.load(Ordering::SeqCst) {
                    return;
                }
                let Ok(client) = client else { continue };
                shared.connections.fetch_add(1, Ordering::SeqCst);
                // Under the lock, so that a cut misses none.
                let mut pairs = lock(&shared.pairs);
                if !shared.open.load(Ordering::SeqCst) {
                    continue;
                }
                let Ok(server) = TcpStream::connect(("127.0.0.1", shared.target.load(Ordering::SeqCst))) else {
                    continue;
                };
                let _ = client.set_nodelay(true).and_then(|()| server.set_nodelay(true));
                let pair = Arc::new([client, server]);
                pairs.retain(|pair| pair.strong_count() > 0);
                pairs.push(Arc::downgrade(&pair));
                for from in [0, 1] {
                    let pair = pair.clone();
                    thread::spawn(move || pass_on(&pair[from], &pair[1 - from]));
                }
            }
        });
        Self { port, state }
    }

    /// Cuts what there is; what comes then is connected.
    pub fn cut(&self) {
        for pair in lock(&self.state.pairs).drain(..) {
            pair.upgrade().iter().flat_map(|pair| pair.iter()).for_each(shut);
        }
    }

    /// How many connections have come.
    pub fn connections(&self) -> usize {
        self.state.connections.load(Ordering::SeqCst)
    }

    /// Leads to another server from now on.
    pub fn lead_to(&self, server: &Running) {
        self.state.target.store(server.port, Ordering::SeqCst);
    }

    /// Cuts what there is, and connects nobody any more.
    pub fn close(&self) {
        self.state.open.store(false, Ordering::SeqCst);
        self.cut();
    }

    /// Connects again.
    pub fn open(&self) {
        self.state.open.store(true, Ordering::SeqCst);
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.state.ended.store(true, Ordering::SeqCst);
        self.cut();
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

/// A test that has failed elsewhere does not matter here.
fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

fn shut(socket: &TcpStream) {
    let _ = socket.shutdown(Shutdown::Both);
}

fn pass_on(mut from: &TcpStream, mut to: &TcpStream) {
    let mut buffer = vec![0; 64 << 10];
    while let Ok(read @ 1..) = from.read(&mut buffer) {
        if to.write_all(&buffer[..read]).is_err() {
            break;
        }
    }
    shut(from);
    shut(to);
}

/// Tells a server to follow whoever is at this port.
#[track_caller]
pub fn follow(replica: &Running, port: u16) {
    all(replica, &[&format!("REPLICAOF 127.0.0.1 {port}")]);
}

/// Waits until a server's link to its master is up.
#[track_caller]
pub fn wait_up(replica: &Running) {
    let mut client = replica.client();
    let end = Instant::now() + PATIENCE;
    while field(&info(&mut client, "replication"), "master_link_status") != "up" {
        assert!(
            Instant::now() < end,
            "{}: the link does not come up: {}\n{}",
            name(replica),
            info(&mut client, "replication"),
            last_lines(replica)
        );
        thread::sleep(POLL);
    }
}

/// The end of its log.
pub fn last_lines(server: &Running) -> String {
    let log = server.log();
    let lines: Vec<&str> = log.lines().collect();
    lines[lines.len().saturating_sub(25)..].join("\n")
}

/// A server's offset in the stream, from both of INFO's fields where it has both.
fn offset(client: &mut Client) -> Option<i64> {
    let info = info(client, "replication");
    let own = field(&info, "master_repl_offset").parse().unwrap();
    match field(&info, "slave_repl_offset") {
        "" => Some(own),
        _ if field(&info, "master_link_status") != "up" => None,
        applied if applied.parse() == Ok(own) => Some(own),
        _ => None,
    }
}

/// Demands that the replicas come to hold what the master holds, to the byte, the millisecond, the group.
#[track_caller]
pub fn agree(cell: &str, master: &Running, replicas: &[&Running]) {
    let mut clients: Vec<(&Running, Client)> =
        std::iter::once(&master).chain(replicas).map(|it| (*it, it.client())).collect();
    let end = Instant::now() + PATIENCE;
    let mut differs_since = None;
    let mixed = replicas.iter().any(|replica| replica.server != master.server);
    loop {
        let before: Vec<_> = clients.iter_mut().map(|(_, client)| offset(client)).collect();
        let level = before[0].is_some() && before.iter().all(|offset| *offset == before[0]);
        if level {
            let views: Vec<View> = clients.iter_mut().map(|(_, client)| View::of(client)).collect();
            let details = views.iter().all(|view| view.digest == views[0].digest && view.sizes == views[0].sizes);
            let details: Vec<_> = if details {
                clients.iter_mut().map(|(it, client)| details_of(it, client, mixed)).collect()
            } else {
                Vec::new()
            };
            let after: Vec<_> = clients.iter_mut().map(|(_, client)| offset(client)).collect();
            // Nothing has come meanwhile: what differs now differs for ever, but for what was just expiring.
            if before == after {
                // Of 6.2 no time can be asked for.
                let mut told = details.iter().filter(|it| !(mixed && it.is_empty()));
                let first = told.next();
                let same = told.all(|it| Some(it) == first);
                if same && views.iter().all(|view| *view == views[0]) {
                    return;
                }
                let settled = *differs_since.get_or_insert_with(Instant::now) + GRACE;
                if Instant::now() > settled && details.is_empty() {
                    let index = views.iter().position(|view| *view != views[0]).unwrap();
                    let (other, view, own) = (clients[index].0, &views[index], &views[0]);
                    let differ = differences(&mut clients, index);
                    panic!(
                        "{cell}: {} holds other than {}: {view:?}, not {own:?}: {differ}\n{}",
                        name(other),
                        name(master),
                        last_lines(if other.ours { other } else { master })
                    );
                }
                if Instant::now() > settled {
                    let mut differ = String::new();
                    for key in details.iter().flat_map(BTreeMap::keys).collect::<BTreeSet<_>>() {
                        let of: Vec<_> = details.iter().map(|it| it.get(key)).collect();
                        if of.iter().any(|it| *it != of[0]) {
                            differ = format!("{differ}\n{key}: {of:#?}");
                        }
                    }
                    panic!("{cell}: the data is the same, but not all of it: {differ}");
                }
            }
        }
        assert!(
            Instant::now() < end,
            "{cell}: not level in time, the master at {:?}: {}",
            before,
            replicas.iter().map(|it| info(&mut it.client(), "replication") + &last_lines(it)).collect::<String>()
        );
        thread::sleep(POLL);
    }
}

/// What can be asked in a moment.
#[derive(Debug, PartialEq, Eq)]
struct View {
    digest: String,
    sizes: Vec<i64>,
}

/// Databases that a storm uses.
const DATABASES: usize = 16;

impl View {
    fn of(client: &mut Client) -> Self {
        let digest = client.ask(&["DEBUG", "DIGEST"]).text();
        let commands: Vec<Words> =
            (0..DATABASES).flat_map(|db| [words(&format!("SELECT {db}")), words("DBSIZE")]).collect();
        let sizes = client.all(&commands).into_iter().skip(1).step_by(2).map(Reply::integer).collect();
        Self { digest, sizes }
    }
}

/// Keys of the selected database.
fn keys(client: &mut Client) -> Vec<Vec<u8>> {
    let mut keys: Vec<Vec<u8>> = client.ask(&["KEYS", "*"]).array().into_iter().map(Reply::bytes).collect();
    keys.sort();
    keys
}

fn command(words: &[&[u8]]) -> Words {
    words.iter().map(|word| word.to_vec()).collect()
}

/// What digests do not cover: expiry times, groups, functions.
fn details_of(server: &Running, client: &mut Client, mixed: bool) -> BTreeMap<String, String> {
    let mut details = BTreeMap::new();
    let since70 = server.server != Server::Redis62;
    let fields = matches!(server.server, Server::Redis82 | Server::Valkey91);
    for db in 0..DATABASES {
        client.ask(&["SELECT", &db.to_string()]);
        let keys = keys(client);
        let types = client.many(&keys.iter().map(|key| command(&[b"TYPE", key])).collect::<Vec<_>>());
        if since70 {
            let asked = client.many(&keys.iter().map(|key| command(&[b"PEXPIRETIME", key])).collect::<Vec<_>>());
            for (key, reply) in keys.iter().zip(asked) {
                details.insert(format!("{db} {} expires", key.escape_ascii()), shown(&reply));
            }
        }
        for (key, kind) in keys.iter().zip(types) {
            let name = format!("{db} {}", key.escape_ascii());
            match kind.text().as_str() {
                "hash" if fields && !mixed => {
                    let mut names: Vec<_> =
                        client.ask(&[b"HKEYS", &key[..]]).array().into_iter().map(Reply::bytes).collect();
                    names.sort();
                    let count = names.len().to_string();
                    let asked = [b"HPEXPIRETIME", &key[..], b"FIELDS", count.as_bytes()];
                    let asked: Words = asked.iter().map(|word| word.to_vec()).chain(names.iter().cloned()).collect();
                    // Of a hash that has just expired there is nothing to tell.
                    let Reply::Array(Some(times)) = client.ask(&asked) else { continue };
                    for (field, expires) in names.iter().zip(times) {
                        details.insert(format!("{name} {} expires", field.escape_ascii()), shown(&expires));
                    }
                }
                "stream" if !mixed => {
                    let stream = client.ask(&command(&[b"XINFO", b"STREAM", key, b"FULL", b"COUNT", b"0"]));
                    details.insert(name, shown(&shared_facts(server.server, stream)));
                }
                _ => {}
            }
        }
    }
    if since70 && !mixed {
        for library in client.ask(&["FUNCTION", "LIST", "WITHCODE"]).array() {
            // Ours keeps the code, and does not know which functions it makes.
            let library = library.array();
            let of = |name: &str| {
                let at = library.iter().position(|it| *it == Reply::Bulk(Some(name.into()))).unwrap();
                shown(&library[at + 1])
            };
            details.insert(format!("library {}", of("library_name")), of("library_code"));
        }
    }
    client.ask(&["SELECT", "0"]);
    details
}

/// A stream's facts without those that are a server's own: how its tree looks, when it saw a consumer, consumers who
/// own nothing (their coming is not told), and before 7.2 what a group has read.
fn shared_facts(server: Server, reply: Reply) -> Reply {
    let Reply::Array(Some(elements)) = reply else { return reply };
    let counts = !matches!(server, Server::Redis62 | Server::Redis70);
    let mut kept = Vec::new();
    let mut elements = elements.into_iter();
    while let Some(element) = elements.next() {
        let is = |names: &[&str]| matches!(&element, Reply::Bulk(Some(it)) if names.iter().any(|name| it == name.as_bytes()));
        if is(&["radix-tree-keys", "radix-tree-nodes", "seen-time", "active-time"])
            || !counts && is(&["entries-read", "lag"])
        {
            elements.next();
        } else if is(&["consumers"]) {
            let consumers = elements.next().unwrap().array().into_iter().map(|it| shared_facts(server, it));
            let nothing = |it: &Reply| shown(it).contains("pel-count 0");
            kept.extend([element, Reply::Array(Some(consumers.filter(|it| !nothing(it)).collect()))]);
        } else {
            kept.push(shared_facts(server, element));
        }
    }
    Reply::Array(Some(kept))
}

/// Which keys differ, for people.
fn differences(clients: &mut [(&Running, Client)], other: usize) -> String {
    let mut found = String::new();
    for db in 0..DATABASES {
        let of = |client: &mut Client| {
            client.ask(&["SELECT", &db.to_string()]);
            let keys = keys(client);
            let digests =
                client.many(&keys.iter().map(|key| command(&[b"DEBUG", b"DIGEST-VALUE", key])).collect::<Vec<_>>());
            let times = client.many(&keys.iter().map(|key| command(&[b"PTTL", key])).collect::<Vec<_>>());
            let digests = digests.into_iter().zip(times).map(|(digest, time)| {
                // Whether it expires counts in the digest of all, not when.
                let time = time.integer();
                format!("{digest:?} {}", if time < 0 { time } else { 1 })
            });
            keys.into_iter().zip(digests).collect::<BTreeMap<_, _>>()
        };
        let (ours, theirs) = (of(&mut clients[0].1), of(&mut clients[other].1));
        for key in ours.keys().chain(theirs.keys().filter(|key| !ours.contains_key(*key))) {
            if ours.get(key) != theirs.get(key) {
                for index in [0, other] {
                    let it = &mut clients[index].1;
                    let kind = it.ask(&[b"TYPE", &key[..]]).text();
                    let key: &[u8] = key;
                    let value = match kind.as_str() {
                        "string" => it.ask(&[b"GET", key]),
                        "list" => it.ask(&[b"LRANGE", key, b"0", b"-1"]),
                        "set" => it.ask(&[b"SMEMBERS", key]),
                        "zset" => it.ask(&[b"ZRANGE", key, b"0", b"-1", b"WITHSCORES"]),
                        "hash" => it.ask(&[b"HGETALL", key]),
                        "stream" => it.ask(&[b"XRANGE", key, b"-", b"+"]),
                        _ => Reply::Bulk(None),
                    };
                    let of = if index == 0 { &ours } else { &theirs };
                    let digest = of.get(key);
                    found = format!("{found}\n{db} {} {kind} {digest:?}: {}", key.escape_ascii(), shown(&value));
                }
            }
        }
    }
    found
}

fn shown(reply: &Reply) -> String {
    match reply {
        Reply::Bulk(Some(bytes)) => bytes.escape_ascii().to_string(),
        Reply::Array(Some(elements)) => {
            let elements: Vec<String> = elements.iter().map(shown).collect();
            format!("({})", elements.join(" "))
        }
        Reply::Integer(number) => number.to_string(),
        other => format!("{other:?}"),
    }
}

/// The full and the partial syncs that a master has granted.
pub fn syncs(master: &Running) -> (i64, i64) {
    (count(master, "stats", "sync_full"), count(master, "stats", "sync_partial_ok"))
}
