//! The engine on sockets.
//!
//! One thread does it all: every connection is a task of a single-threaded runtime, and the engine lies in a cell that each
//! of them borrows for one batch of commands, never across an await. So there are no locks and no queues between a
//! command and its answer, and what a batch puts into the stream goes to the replicas in one piece.

mod client;

use std::cell::RefCell;
use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::{LocalSet, spawn_local};

use super::clients::SessionId;
use super::core::{Engine, Stop};

/// Why the server cannot run.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// An address cannot be listened on.
    #[error("cannot listen on {0}: {1}")]
    Listen(String, io::Error),
    /// The runtime cannot be started.
    #[error("cannot start: {0}")]
    Start(io::Error),
}

/// Is told what happens, for a log.
pub type Log = Box<dyn Fn(&str)>;

/// What connections and the cron share.
struct Shared {
    engine: RefCell<Engine>,
    pipes: RefCell<HashMap<SessionId, Rc<Pipe>>>,
    /// Something may be due before the next tick: the end, above all.
    stirred: Notify,
    log: Log,
}

/// What is written for a connection by others than its own commands, and how it is woken.
#[derive(Default)]
struct Pipe {
    out: RefCell<Vec<u8>>,
    wake: Notify,
}

/// The time, in milliseconds since 1970.
fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

impl Shared {
    fn deliver(&self, id: SessionId, bytes: &[u8]) {
        if let Some(pipe) = self.pipes.borrow().get(&id) {
            pipe.out.borrow_mut().extend_from_slice(bytes);
            pipe.wake.notify_one();
        }
    }

    /// What a batch has brought about is carried out: connections that others are to close, the end.
    fn after_batch(&self, engine: &mut Engine) {
        engine.stream.clear();
        for id in engine.killed.drain(..) {
            if let Some(pipe) = self.pipes.borrow().get(&id) {
                pipe.wake.notify_one();
            }
        }
        if engine.stop.is_some() {
            self.stirred.notify_one();
        }
    }

    /// What is done ten times a second.
    fn tick(&self) {
        let mut engine = self.engine.borrow_mut();
        let now = now();
        engine.time_out_blocked(now, &mut |id, bytes| self.deliver(id, bytes));
        if engine.active_expire && !engine.is_replica() {
            engine.expire_some(now, EXPIRED_PER_TICK);
            engine.serve_ready(now, &mut |id, bytes| self.deliver(id, bytes));
        }
        self.after_batch(&mut engine);
    }
}

/// Keys that expire at a time; more wait for the next tick.
const EXPIRED_PER_TICK: usize = 10_000;

/// Between two ticks.
const TICK: Duration = Duration::from_millis(100);

/// Serves until somebody asks for the end: SHUTDOWN, SIGTERM or SIGINT. `ready` is called with the addresses once
/// connections are accepted.
///
/// # Errors
/// [`ServeError`], before anything is served.
pub fn serve(
    engine: Engine,
    addresses: &[SocketAddr],
    log: Log,
    ready: impl FnOnce(&[SocketAddr]),
) -> Result<Stop, ServeError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(ServeError::Start)?;
    let local = LocalSet::new();
    local.block_on(&runtime, run(engine, addresses, log, ready))
}

async fn run(
    engine: Engine,
    addresses: &[SocketAddr],
    log: Log,
    ready: impl FnOnce(&[SocketAddr]),
) -> Result<Stop, ServeError> {
    let mut listeners = Vec::new();
    for address in addresses {
        let listener =
            TcpListener::bind(address).await.map_err(|error| ServeError::Listen(address.to_string(), error))?;
        listeners.push(listener);
    }
    let bound: Vec<SocketAddr> = listeners.iter().filter_map(|listener| listener.local_addr().ok()).collect();
    let shared =
        Rc::new(Shared { engine: RefCell::new(engine), pipes: RefCell::default(), stirred: Notify::new(), log });
    for listener in listeners {
        spawn_local(accept(shared.clone(), listener));
    }
    ready(&bound);
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut end = std::pin::pin!(signalled());
    loop {
        tokio::select! {
            _ = ticks.tick() => shared.tick(),
            () = shared.stirred.notified() => {}
            asked_by = &mut end => shared.engine.borrow_mut().stop = Some(Stop { asked_by }),
        }
        let sleep = shared.engine.borrow_mut().sleep_for.take();
        if let Some(sleep) = sleep {
            // That nothing is served meanwhile is what was asked for.
            std::thread::sleep(sleep);
        }
        if let Some(stop) = shared.engine.borrow().stop {
            (shared.log)(&format!("{} asks for the end", stop.asked_by));
            return Ok(stop);
        }
    }
}

/// Waits for a signal to end.
async fn signalled() -> &'static str {
    use tokio::signal::unix::{SignalKind, signal};
    match (signal(SignalKind::terminate()), signal(SignalKind::interrupt())) {
        (Ok(mut terminate), Ok(mut interrupt)) => tokio::select! {
            _ = terminate.recv() => "SIGTERM",
            _ = interrupt.recv() => "SIGINT",
        },
        _ => std::future::pending().await,
    }
}

async fn accept(shared: Rc<Shared>, listener: TcpListener) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => enter(&shared, stream),
            Err(error) => {
                // Out of file descriptors, as a rule: some become free when connections end.
                (shared.log)(&format!("a connection could not be accepted: {error}"));
                tokio::time::sleep(TICK).await;
            }
        }
    }
}

/// A connection has come.
fn enter(shared: &Rc<Shared>, stream: TcpStream) {
    let _ = stream.set_nodelay(true);
    let address =
        |address: io::Result<SocketAddr>| address.map_or_else(|_| "?:0".to_owned(), |address| address.to_string());
    let (peer, local) = (address(stream.peer_addr()), address(stream.local_addr()));
    let mut engine = shared.engine.borrow_mut();
    let most = usize::try_from(engine.config.number("maxclients")).unwrap_or(usize::MAX);
    if engine.clients.len() >= most {
        engine.stats.rejected += 1;
        let _ = stream.try_write(b"-ERR max number of clients reached\r\n");
        return;
    }
    let id = engine.clients.next_id();
    engine.clients.put(super::clients::Session::new(id, peer, local, now()));
    let pipe = Rc::new(Pipe::default());
    shared.pipes.borrow_mut().insert(id, pipe.clone());
    spawn_local(client::run(shared.clone(), stream, id, pipe));
}
