//! The interop matrix: `serve` and real servers, each as the other's master and replica, over one channel and two, with
//! and without a disk, through a storm of writes, cuts, overruns, chains, passwords, restarts and failovers. After each
//! step both hold the same.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking, its helpers too")]

mod matrix;
mod servers;
mod storm;

use matrix::{Wire, agree, all, follow, name, syncs, until, wait_up};
use servers::{Running, Server};
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
        for (diskless, load) in [(false, "disabled"), (true, "swapdb"), (true, "disabled"), (false, "on-empty-db")] {
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

macro_rules! cells {
    ($($server:ident $master:ident $replica:ident,)+) => {
        $(
            #[test]
            fn $master() {
                ours_as_master(Server::$server);
            }

            #[test]
            fn $replica() {
                ours_as_replica(Server::$server);
            }
        )+
    };
}

cells! {
    Redis62 redis_62_follows_ours ours_follows_redis_62,
    Redis70 redis_70_follows_ours ours_follows_redis_70,
    Redis82 redis_82_follows_ours ours_follows_redis_82,
    Valkey81 valkey_81_follows_ours ours_follows_valkey_81,
    Valkey91 valkey_91_follows_ours ours_follows_valkey_91,
}

/// What real servers reach among themselves is what is demanded.
#[test]
#[ignore = "it is about the matrix, not about us"]
fn real_follows_real() {
    for server in Server::ALL {
        let (master, replica) = (server.start(PROMPT), server.start(PROMPT));
        let outcome = std::panic::catch_unwind(|| cell(&master, &replica, transfers(server)[0], 7));
        println!("{server:?}: {}", if outcome.is_ok() { "equal" } else { "differs" });
    }
}
