//! The interop matrix: `serve` and real servers, each as the other's master and replica, over one channel and two, with
//! and without a disk, through a storm of writes, cuts, overruns, chains, passwords, restarts and failovers. After each
//! step both hold the same.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking, its helpers too")]

mod matrix;
mod servers;
mod storm;

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use matrix::{Wire, agree, all, follow, name, syncs, wait_up};
use servers::{Running, Server, until};
use storm::Storm;

/// What all are started with: nothing is waited for that need not be.
const PROMPT: &[&str] = &["--repl-diskless-sync-delay", "0", "--repl-ping-replica-period", "1"];

/// A replica's and a master's settings in a cell.
#[derive(Clone, Copy, Debug)]
struct Transfer {
    two_channel: bool,
    diskless: bool,
    /// `repl-diskless-load`
    load: &'static str,
}

/// All ways in which an RDB travels between servers of this kind.
fn transfers(server: Server) -> Vec<Transfer> {
    let mut transfers = Vec::new();
    for two_channel in [false, true] {
        for (diskless, load) in [(false, "on-empty-db"), (true, "swapdb"), (true, "disabled")] {
            let has_two = !matches!(server, Server::Redis62 | Server::Redis70);
            if !two_channel || (has_two && diskless) {
                transfers.push(Transfer { two_channel, diskless, load });
            }
        }
    }
    transfers
}

fn configure(server: &Running, transfer: Transfer) {
    let flag = |is: bool| if is { "yes" } else { "no" };
    let two = flag(transfer.two_channel);
    all(
        server,
        &[
            &format!("CONFIG SET repl-diskless-sync {}", flag(transfer.diskless)),
            &format!("CONFIG SET repl-diskless-load {}", transfer.load),
            "CONFIG SET repl-backlog-size 1mb",
        ],
    );
    match server.server {
        Server::Redis82 => all(server, &[&format!("CONFIG SET repl-rdb-channel {two}")]),
        Server::Valkey81 | Server::Valkey91 => {
            all(server, &[&format!("CONFIG SET dual-channel-replication-enabled {two}")]);
        }
        Server::Redis62 | Server::Redis70 => {}
    }
}

/// More than the backlog holds, and some to spare.
fn overrun(master: &Running) {
    let value = "x".repeat(60_000);
    let mut client = master.client();
    for number in 0..40 {
        client.ask(&["SET", &format!("big:{}", number % 3), &value]);
    }
}

/// A cell: a sync in the midst of a storm, cuts, an overrun.
fn cell(master: &Running, replica: &Running, transfer: Transfer, seed: u64) {
    let cell = format!("{} under {}, {transfer:?}", name(replica), name(master));
    let started = std::time::Instant::now();
    for server in [master, replica] {
        all(server, &["REPLICAOF NO ONE", "FLUSHALL"]);
        configure(server, transfer);
    }
    let wire = Wire::to(master);
    let mut storm = Storm::new(seed, master);
    storm.blow(master, 240);
    let (full, _) = syncs(master);
    follow(replica, wire.port);
    storm.blow(master, 240);
    wait_up(replica);
    storm.blow(master, 240);
    agree(&format!("{cell}, first sync"), master, &[replica]);
    let synced = syncs(master).0;
    assert!(synced > full, "{cell}: no full sync");
    // The link is killed from either end, or by the network: what was missed is asked for.
    let kills: [(&str, &dyn Fn()); 3] = [
        ("the master kills it", &|| all(master, &["CLIENT KILL TYPE replica"])),
        ("the replica kills it", &|| all(replica, &["CLIENT KILL TYPE master"])),
        ("it is cut", &|| wire.cut()),
    ];
    for (how, kill) in kills {
        let before = syncs(master);
        storm.blow(master, 60);
        kill();
        storm.blow(master, 60);
        until(&format!("{cell}, {how}: a partial sync"), || {
            let now = syncs(master);
            assert!(now.0 == before.0, "{cell}, {how}: a full sync\n{}", matrix::last_lines(master));
            now.1 > before.1
        });
        storm.blow(master, 30);
        agree(&format!("{cell}, {how}"), master, &[replica]);
    }
    // More is missed than the backlog has.
    let before = syncs(master);
    wire.close();
    storm.blow(master, 60);
    overrun(master);
    wire.open();
    until(&format!("{cell}: a full sync"), || syncs(master).0 > before.0);
    storm.blow(master, 60);
    agree(&format!("{cell}, overrun"), master, &[replica]);
    println!("{cell}: {:?}", started.elapsed());
}

fn ours_as_master(server: Server) {
    let (master, replica) = (server.serve(PROMPT), server.start(PROMPT));
    for (index, transfer) in transfers(server).into_iter().enumerate() {
        cell(&master, &replica, transfer, index as u64 + 1);
    }
}

fn ours_as_replica(server: Server) {
    let (master, replica) = (server.start(PROMPT), server.serve(PROMPT));
    for (index, transfer) in transfers(server).into_iter().enumerate() {
        cell(&master, &replica, transfer, index as u64 + 101);
    }
}

/// A server of our own or a real one.
fn begin(server: Server, ours: bool, options: &[&str]) -> Running {
    let options = [PROMPT, options].concat();
    if ours { server.serve(&options) } else { server.start(&options) }
}

/// No PING: it would take the stream further on one side of a failover than on the other.
const SILENT: &[&str] = &["--repl-ping-replica-period", "3600"];

fn replid(server: &Running) -> String {
    let info = matrix::info(&mut server.client(), "replication");
    matrix::field(&info, "master_replid").to_owned()
}

/// A master, its replica, and that one's replica: real and ours by turns.
fn chain(server: Server, ours_in_the_middle: bool) {
    let [top, middle, bottom] = [0, 1, 2].map(|at| begin(server, ours_in_the_middle == (at == 1), &[]));
    let cell = format!("{} under {} under {}", name(&bottom), name(&middle), name(&top));
    let (upper, lower) = (Wire::to(&top), Wire::to(&middle));
    for server in [&top, &middle, &bottom] {
        configure(server, Transfer { two_channel: false, diskless: true, load: "disabled" });
    }
    let mut storm = Storm::new(31, &top);
    storm.blow(&top, 200);
    follow(&bottom, lower.port);
    follow(&middle, upper.port);
    storm.blow(&top, 200);
    wait_up(&middle);
    wait_up(&bottom);
    storm.blow(&top, 200);
    let both = [&middle, &bottom];
    agree(&cell, &top, &both);
    assert_eq!(both.map(replid), [replid(&top), replid(&top)], "{cell}");
    // Either link is cut, and both: no full sync.
    let before = [&top, &middle].map(syncs);
    for (above, below) in [(true, false), (false, true), (true, true)] {
        storm.blow(&top, 50);
        if above {
            upper.cut();
        }
        if below {
            lower.cut();
        }
        storm.blow(&top, 50);
        agree(&format!("{cell}, cut above {above}, below {below}"), &top, &both);
    }
    let after = [&top, &middle].map(syncs);
    assert_eq!(before.map(|it| it.0), after.map(|it| it.0), "{cell}: a full sync");
    assert!(before[0].1 + 1 < after[0].1 && before[1].1 + 1 < after[1].1, "{cell}: {before:?} {after:?}");
    // The middle needs everything, so the bottom does.
    upper.close();
    storm.blow(&top, 50);
    overrun(&top);
    upper.open();
    until(&format!("{cell}: full syncs"), || {
        let now = [&top, &middle].map(syncs);
        now[0].0 > after[0].0 && now[1].0 > after[1].0
    });
    storm.blow(&top, 50);
    agree(&format!("{cell}, overrun"), &top, &both);
    // The bottom follows the top: it goes on where it is.
    let before = syncs(&top);
    follow(&bottom, upper.port);
    wait_up(&bottom);
    storm.blow(&top, 50);
    agree(&format!("{cell}, side by side"), &top, &both);
    assert_eq!((before.0, before.1 + 1), syncs(&top), "{cell}: moving up was no partial sync");
}

/// Passwords and users.
fn auth(server: Server, ours_is_master: bool) {
    let (master, replica) = (begin(server, ours_is_master, &[]), begin(server, !ours_is_master, &[]));
    let cell = format!("{} under {} with a password", name(&replica), name(&master));
    let mut storm = Storm::new(41, &master);
    storm.blow(&master, 60);
    all(&master, &["CONFIG SET requirepass sesame"]);
    master.password.set(Some("sesame"));
    all(&replica, &["CONFIG SET masterauth wrong"]);
    let wire = Wire::to(&master);
    follow(&replica, wire.port);
    until(&format!("{cell}: it is tried again"), || wire.connections() > 1);
    let info = matrix::info(&mut replica.client(), "replication");
    assert_eq!(matrix::field(&info, "master_link_status"), "down", "{cell}");
    all(&replica, &["CONFIG SET masterauth sesame"]);
    wait_up(&replica);
    storm.blow(&master, 60);
    agree(&cell, &master, &[&replica]);
    // A user who may do no more than that.
    let cell = format!("{} under {} with a user", name(&replica), name(&master));
    all(&master, &["ACL SETUSER follower on >open +psync +replconf +ping"]);
    all(&replica, &["REPLICAOF NO ONE", "CONFIG SET masteruser follower", "CONFIG SET masterauth open"]);
    follow(&replica, wire.port);
    wait_up(&replica);
    storm.blow(&master, 60);
    agree(&cell, &master, &[&replica]);
    if !matches!(server, Server::Redis62 | Server::Redis70) {
        let transfer = Transfer { two_channel: true, diskless: true, load: "disabled" };
        [&master, &replica].into_iter().for_each(|server| configure(server, transfer));
        all(&master, &["ACL SETUSER follower +sync"]);
        all(&replica, &["REPLICAOF NO ONE", "SET other 1"]);
        follow(&replica, wire.port);
        wait_up(&replica);
        storm.blow(&master, 60);
        agree(&format!("{cell} over two channels"), &master, &[&replica]);
    }
}

/// Servers go and come again.
fn restarts(server: Server) {
    let master = begin(server, true, SILENT);
    let wire = Wire::to(&master);
    let replica = begin(server, false, &[]);
    let mut storm = Storm::new(51, &master);
    storm.blow(&master, 200);
    follow(&replica, wire.port);
    wait_up(&replica);
    storm.blow(&master, 100);
    let cell = format!("{} under {}", name(&replica), name(&master));
    agree(&format!("{cell}, restarts"), &master, &[&replica]);
    // A real replica saves its place in the stream.
    let before = syncs(&master);
    let folder = replica.shut_down();
    storm.blow(&master, 100);
    let port = wire.port.to_string();
    let following = [PROMPT, &["--replicaof", "127.0.0.1", &port]].concat();
    let replica = server.start_in(folder, &following);
    wait_up(&replica);
    storm.blow(&master, 100);
    agree(&format!("{cell}, the replica has been restarted"), &master, &[&replica]);
    assert_eq!((before.0, before.1 + 1), syncs(&master), "{cell}: the restart was no partial sync");
    // Our master begins anew with what was saved of it; from 7.0 on it goes on with its history, as real ones do.
    let expected = if server == Server::Redis62 { (1, 0) } else { (0, 1) };
    let dump = replica.save();
    drop(master);
    let master = begin(server, true, &["--rdb", dump.to_str().unwrap()]);
    wire.lead_to(&master);
    until(&format!("{cell}: a sync"), || syncs(&master) != (0, 0));
    wait_up(&replica);
    Storm::new(52, &master).blow(&master, 100);
    agree(&format!("{cell}, the master has been restarted"), &master, &[&replica]);
    assert_eq!(syncs(&master), expected, "{cell}: full and partial syncs");
    drop((master, replica, wire));

    let master = begin(server, false, SILENT);
    let wire = Wire::to(&master);
    let port = wire.port.to_string();
    let following = ["--replicaof", "127.0.0.1", &port];
    let mut storm = Storm::new(53, &master);
    storm.blow(&master, 200);
    let replica = begin(server, true, &following);
    let cell = format!("{} under {}", name(&replica), name(&master));
    wait_up(&replica);
    storm.blow(&master, 100);
    agree(&format!("{cell}, restarts"), &master, &[&replica]);
    drop(replica);
    storm.blow(&master, 100);
    let replica = begin(server, true, &following);
    wait_up(&replica);
    agree(&format!("{cell}, the replica has been restarted"), &master, &[&replica]);
    assert_eq!(syncs(&master).0, 2, "{cell}");
    // From 7.0 on a master that was saved goes on with its history.
    let folder = master.shut_down();
    let master = server.start_in(folder, PROMPT);
    wire.lead_to(&master);
    until(&format!("{cell}: a sync"), || syncs(&master) != (0, 0));
    wait_up(&replica);
    Storm::new(54, &master).blow(&master, 100);
    agree(&format!("{cell}, the master has been restarted"), &master, &[&replica]);
    assert_eq!(syncs(&master), expected, "{cell}: full and partial syncs");
}

/// Master and replica change places, by REPLICAOF and by FAILOVER; another replica goes along.
fn failover(server: Server, ours_is_master: bool) {
    let one = begin(server, ours_is_master, SILENT);
    let other = begin(server, !ours_is_master, SILENT);
    let third = begin(server, false, SILENT);
    let cell = format!("{} and {} change places", name(&one), name(&other));
    Storm::new(61, &one).blow(&one, 150);
    follow(&other, one.port);
    follow(&third, one.port);
    wait_up(&other);
    wait_up(&third);
    Storm::new(62, &one).blow(&one, 150);
    agree(&cell, &one, &[&other, &third]);
    let full = || syncs(&one).0 + syncs(&other).0;
    let before = full();
    for (round, (old, new)) in [(&one, &other), (&other, &one)].into_iter().enumerate() {
        let cell = format!("{cell}, round {round}");
        let id = replid(old);
        all(new, &["REPLICAOF NO ONE"]);
        follow(old, new.port);
        follow(&third, new.port);
        wait_up(old);
        wait_up(&third);
        assert_ne!(id, replid(new), "{cell}");
        let info = matrix::info(&mut new.client(), "replication");
        assert_eq!(matrix::field(&info, "master_replid2"), id, "{cell}");
        Storm::new(63, new).blow(new, 150);
        agree(&cell, new, &[old, &third]);
        assert_eq!(full(), before, "{cell}: a full sync");
    }
    for (round, (old, new)) in [(&one, &other), (&other, &one)].into_iter().enumerate() {
        let cell = format!("{cell} by FAILOVER, round {round}");
        let (mut writer, mut asks) = (old.client(), old.client());
        writer.ask(&["SET", "before", "the failover"]);
        all(old, &[&format!("FAILOVER TO 127.0.0.1 {} TIMEOUT 30000", new.port)]);
        until(&format!("{cell}: it is over"), || {
            let info = matrix::info(&mut asks, "replication");
            matrix::field(&info, "role") == "slave" && matrix::field(&info, "master_failover_state") == "no-failover"
        });
        wait_up(old);
        follow(&third, new.port);
        wait_up(&third);
        Storm::new(64, new).blow(new, 150);
        agree(&cell, new, &[old, &third]);
        assert_eq!(full(), before, "{cell}: a full sync");
    }
}

/// Replicas of all kinds at once, where real masters would send what half of them cannot read.
#[test]
fn all_kinds_follow_ours() {
    for server in [Server::Redis82, Server::Valkey91, Server::Redis70] {
        let master = server.serve(PROMPT);
        let mut storm = Storm::plain(71, &master);
        storm.blow(&master, 300);
        let replicas = Server::ALL.map(|server| server.start(PROMPT));
        let all_of_them: Vec<&Running> = replicas.iter().collect();
        replicas.iter().for_each(|replica| follow(replica, master.port));
        storm.blow(&master, 200);
        replicas.iter().for_each(wait_up);
        storm.blow(&master, 200);
        agree("all kinds", &master, &all_of_them);
        for diskless in ["yes", "no"] {
            all(&master, &[&format!("CONFIG SET repl-diskless-sync {diskless}")]);
            let before = syncs(&master).0;
            replicas.iter().for_each(|replica| all(replica, &["REPLICAOF NO ONE", "SET other 1"]));
            replicas.iter().for_each(|replica| follow(replica, master.port));
            replicas.iter().for_each(wait_up);
            storm.blow(&master, 100);
            agree(&format!("all kinds, diskless {diskless}"), &master, &all_of_them);
            // 6.2 may have been taken for a newer one at first.
            assert!((5..=6).contains(&(syncs(&master).0 - before)));
        }
    }
}

/// redis-cli takes dumps and follows, redis-benchmark writes.
#[test]
fn tools_work_with_ours() {
    let master = Server::Redis70.serve(PROMPT);
    let replica = Server::Redis70.start(PROMPT);
    follow(&replica, master.port);
    wait_up(&replica);
    Storm::new(81, &master).blow(&master, 300);
    let port = master.port.to_string();
    let run = |program: &str, arguments: &[&str]| {
        let output = Command::new(program).args(["-p", &port]).args(arguments).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{program} {arguments:?}: {said}");
    };
    let folder = tempfile::tempdir().unwrap();
    let dump = folder.path().join("cli.rdb");
    until("a dump by redis-cli has the same data", || {
        run("redis-cli", &["--rdb", dump.to_str().unwrap()]);
        let loaded = Server::Redis70.load(&dump, &[]).unwrap();
        let digest = |of: &Running| of.client().ask(&["DEBUG", "DIGEST"]).text();
        digest(&master) == digest(&loaded)
    });
    run("redis-cli", &["--functions-rdb", dump.to_str().unwrap()]);
    let loaded = Server::Redis70.load(&dump, &[]).unwrap();
    assert_eq!(loaded.client().ask(&["DBSIZE"]).integer(), 0);
    // It shows the stream as it comes.
    let mut child = Command::new("redis-cli").args(["-p", &port, "--replica"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    until("redis-cli follows", || matrix::count(&master, "replication", "connected_slaves") == 2);
    all(&master, &["SET shown 1"]);
    assert!(lines.any(|line| line.unwrap().contains("\"shown\"")));
    child.kill().unwrap();
    child.wait().unwrap();
    let tests = "ping,set,get,incr,lpush,rpush,lpop,rpop,sadd,hset,spop,zadd,zpopmin,lrange,mset";
    run("redis-benchmark", &["-q", "-t", tests, "-n", "4000", "-P", "8", "-r", "1000"]);
    run("redis-benchmark", &["-q", "-t", tests, "-n", "2000", "-c", "20"]);
    agree("under redis-benchmark", &master, &[&replica]);
}

/// Storm after storm, in both directions, with another seed each: `STORM_SEED=5 cargo test --test serve_matrix -- --ignored`.
#[test]
#[ignore = "it takes minutes, and finds what the cells' short storms miss"]
fn long_storms() {
    for server in Server::ALL {
        for ours_is_master in [true, false] {
            let (master, replica) = (begin(server, ours_is_master, &[]), begin(server, !ours_is_master, &[]));
            follow(&replica, master.port);
            wait_up(&replica);
            for round in 0..10 {
                Storm::new(1000 + round, &master).blow(&master, 1000);
                agree(&format!("{} under {}, storm {round}", name(&replica), name(&master)), &master, &[&replica]);
            }
        }
    }
}

macro_rules! cells {
    ($($server:ident $kind:ident,)+) => {
        $(
            mod $kind {
                use super::*;

                #[test]
                fn follows_ours() {
                    ours_as_master(Server::$server);
                }

                #[test]
                fn is_followed_by_ours() {
                    ours_as_replica(Server::$server);
                }

                #[test]
                fn in_chains() {
                    chain(Server::$server, true);
                    chain(Server::$server, false);
                }

                #[test]
                fn with_passwords() {
                    auth(Server::$server, true);
                    auth(Server::$server, false);
                }

                #[test]
                fn restarted() {
                    restarts(Server::$server);
                }

                #[test]
                fn changes_places_with_ours() {
                    failover(Server::$server, true);
                    failover(Server::$server, false);
                }
            }
        )+
    };
}

cells! {
    Redis62 redis_62,
    Redis70 redis_70,
    Redis82 redis_82,
    Valkey81 valkey_81,
    Valkey91 valkey_91,
}
