//! The engine on sockets.
//!
//! One thread does it all: every connection is a task of a single-threaded runtime, and the engine lies in a cell that each
//! of them borrows for one batch of commands, never across an await. So there are no locks and no queues between a
//! command and its answer, and what a batch puts into the stream goes to the replicas in one piece.

#[cfg(feature = "scripts")]
mod attend;
mod client;
mod courier;
mod direct;
mod fault;
mod limits;
mod link;
mod listen;
mod process;
mod saving;
mod snapshot;

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, HashSet};
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::{LocalSet, spawn_local};

pub use direct::{Direct, Order, Tap, Watch};
pub use fault::{Fault, Phase};
pub use listen::addresses;

use super::clients::{Closing, SessionId};
use super::core::{Engine, Stop};
use super::log::Level;
use super::replication::Task;
use crate::repl::master;
use crate::repl::replica::Start;

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

/// Is told what happens, for a log: how much it matters, the role's letter (`M` or `S`), and a sentence.
pub type Log = Box<dyn Fn(Level, char, &str)>;

/// What connections and the cron share.
struct Shared {
    engine: RefCell<Engine>,
    pipes: RefCell<HashMap<SessionId, Rc<Pipe>>>,
    /// Something may be due before the next tick: the end, above all.
    stirred: Notify,
    log: Log,
    /// `M` or `S`, for the log.
    role: Cell<char>,
    /// When memory and processor time were looked at, in milliseconds since 1970.
    measured: Cell<i64>,
    /// When connections' buffers were looked at, in milliseconds since 1970.
    relaxed: Cell<i64>,
    /// Snapshots being made or sent.
    snapshots: RefCell<HashMap<master::SnapshotId, Rc<snapshot::Making>>>,
    /// The connections to the master.
    links: RefCell<link::Links>,
    direct: Direct,
    /// Where connections come.
    listeners: listen::Listeners,
    /// Replicas that were cut at an offset, and by which fault.
    cuts: RefCell<HashSet<(String, Fault)>>,
}

/// A connection: its socket, what is written for it by others than its own commands, and how it is woken.
struct Pipe {
    socket: TcpStream,
    /// Its buffers.
    connection: RefCell<client::Connection>,
    out: RefCell<Vec<u8>>,
    wake: Notify,
    /// It is to be closed once all is out.
    closes: Cell<bool>,
    /// A stored payload that goes out behind `out`.
    payload: RefCell<Option<snapshot::Payload>>,
    /// How many bytes wait to be sent, `out` included.
    waiting: Cell<usize>,
    /// Is told when fewer wait.
    drained: Notify,
    /// Since when more waits than a soft limit allows, in milliseconds since 1970; 0 for not.
    over_since: Cell<i64>,
    /// It waits for its socket to take more, or for a fault to let something go: news of the stream do not help it on.
    full: Cell<bool>,
}

impl Pipe {
    fn new(socket: TcpStream, connection: client::Connection) -> Self {
        Self {
            socket,
            connection: RefCell::new(connection),
            out: RefCell::default(),
            wake: Notify::default(),
            closes: Cell::default(),
            payload: RefCell::default(),
            waiting: Cell::default(),
            drained: Notify::default(),
            over_since: Cell::default(),
            full: Cell::default(),
        }
    }
}

impl Shared {
    /// The time, in milliseconds since 1970: the clock's, or what it is told.
    fn now(&self) -> i64 {
        if let Some(time) = &self.direct.time {
            return time.load(std::sync::atomic::Ordering::Relaxed);
        }
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
    }

    /// A line for the log.
    fn note(&self, level: Level, text: &str) {
        (self.log)(level, self.role.get(), text);
    }

    fn deliver(&self, id: SessionId, bytes: &[u8]) {
        if let Some(pipe) = self.pipes.borrow().get(&id) {
            pipe.out.borrow_mut().extend_from_slice(bytes);
            pipe.wake.notify_one();
        }
    }

    /// What a batch has brought about is carried out: what the protocol's ends want, connections that others are to close,
    /// the end.
    fn after_batch(self: &Rc<Self>, engine: &mut Engine) {
        if let Some(sleep) = engine.sleep_for.take() {
            // That nothing is served meanwhile is what was asked for.
            std::thread::sleep(sleep);
            // Those who wait are served by the clock of afterwards: what they wait for may have expired.
            engine.serve_waiting(self.now());
        }
        self.role.set(if engine.is_replica() { 'S' } else { 'M' });
        engine.serve_acknowledged();
        engine.broadcast_changes();
        for (id, bytes) in engine.take_delivered() {
            self.deliver(id, &bytes);
        }
        while let Some(task) = engine.tasks.pop_front() {
            self.carry_out(task, engine);
        }
        for id in engine.master.writable() {
            // One whose socket is full would wake itself by its own batch, again and again.
            if let Some(pipe) = self.pipes.borrow().get(&SessionId(id.0)).filter(|pipe| !pipe.full.get()) {
                pipe.wake.notify_one();
            }
        }
        for id in engine.killed.drain(..).chain(engine.woken.drain(..)) {
            if let Some(pipe) = self.pipes.borrow().get(&id) {
                pipe.wake.notify_one();
            }
        }
        if engine.stop.is_some() {
            self.stirred.notify_one();
        }
        if let Some(watch) = &self.direct.watch {
            watch(engine);
        }
    }

    fn carry_out(self: &Rc<Self>, task: Task, engine: &mut Engine) {
        match task {
            Task::Write(connection, bytes) => self.deliver(SessionId(connection.0), &bytes),
            Task::Close(connection) => {
                let id = SessionId(connection.0);
                if let Some(session) = engine.clients.get_mut(id) {
                    session.closing = Some(Closing::AfterReply);
                    engine.killed.push(id);
                } else if let Some(pipe) = self.pipes.borrow().get(&id) {
                    // Its own batch is under way.
                    pipe.closes.set(true);
                    pipe.wake.notify_one();
                }
            }
            Task::Snapshot(snapshot) => snapshot::begin(self, *snapshot),
            Task::SendPayload(connection, id) => snapshot::send(self, connection, id),
            Task::DropSnapshot(id) => {
                self.snapshots.borrow_mut().remove(&id);
            }
            Task::Connect(channel) => link::connect(self, channel, engine.followed().cloned()),
            Task::Disconnect(channel) => link::disconnect(self, channel),
            Task::Transmit(channel, bytes) => link::transmit(self, channel, &bytes),
            Task::Resume(channel) => link::resume(self, channel),
            Task::Save(save) => saving::begin(self, *save),
            Task::Log(level, line) => self.note(level, &line),
        }
    }

    /// Connections give back room that they do not need.
    fn relax_buffers(&self, engine: &mut Engine, now: i64) {
        let reset = engine.answer_peak_reset;
        for (id, pipe) in &*self.pipes.borrow() {
            if let (Ok(mut connection), Some(session)) = (pipe.connection.try_borrow_mut(), engine.clients.get_mut(*id))
            {
                connection.relax(session, now, reset);
            }
        }
    }

    /// What is done ten times a second, and when the ends want it.
    fn tick(self: &Rc<Self>) {
        let mut engine = self.engine.borrow_mut();
        let now = self.now();
        engine.sample_rates(now);
        if now - self.relaxed.get() >= RELAXED_EVERY {
            self.relaxed.set(now);
            self.relax_buffers(&mut engine, now);
        }
        if now - self.measured.get() >= MEASURED_EVERY {
            self.measured.set(now);
            process::measure(&mut engine.process);
        }
        engine.tick_links(now);
        if engine.cron_paused {
            return self.after_batch(&mut engine);
        }
        engine.limit_tracked_if_any();
        engine.time_out_blocked(now, &mut |id, bytes| self.deliver(id, bytes));
        if engine.limits_memory() {
            engine.evict(now);
        }
        if engine.active_expire && engine.deletes_expired(now) {
            let began = ticks();
            engine.expire_some(now, EXPIRED_PER_TICK);
            engine.spiked("expire-cycle", ticks() - began, now);
            engine.serve_ready(now, &mut |id, bytes| self.deliver(id, bytes));
        }
        engine.save_if_due(now);
        self.after_batch(&mut engine);
        self.cut_off_slow(&mut engine, now);
    }
}

/// How often connections' buffers are looked at, in milliseconds.
const RELAXED_EVERY: i64 = 500;

/// A clock that only goes forward, in nanoseconds.
fn ticks() -> u64 {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    START.elapsed().as_nanos() as u64
}

/// How often memory and processor time are looked at, in milliseconds.
const MEASURED_EVERY: i64 = 1000;

/// Keys that expire at a time; more wait for the next tick.
const EXPIRED_PER_TICK: usize = 10_000;

/// Between two ticks.
const TICK: Duration = Duration::from_millis(100);

/// Serves until somebody asks for the end: SHUTDOWN, SIGTERM or SIGINT. With a master, it is followed from the
/// beginning, asking for everything. `faults` go wrong on purpose. `ready` is called with the addresses once
/// connections are accepted.
///
/// # Errors
/// [`ServeError`], before anything is served.
pub fn serve(
    engine: Engine,
    addresses: &[SocketAddr],
    master: Option<(String, u16)>,
    faults: Vec<Fault>,
    log: Log,
    ready: impl FnOnce(&[SocketAddr]),
) -> Result<Stop, ServeError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(ServeError::Start)?;
    let local = LocalSet::new();
    let direct = Direct { faults: Arc::new(Mutex::new(faults)), ..Direct::default() };
    local.block_on(&runtime, run(engine, addresses, master, log, direct, ready))
}

/// Serves as [`serve`] does, but directed by somebody else, until the sender of orders is dropped. No signals are heard.
///
/// # Errors
/// [`ServeError`], before anything is served.
pub fn serve_directed(
    engine: Engine,
    address: SocketAddr,
    direct: Direct,
    log: Log,
    ready: impl FnOnce(&[SocketAddr]),
) -> Result<Stop, ServeError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(ServeError::Start)?;
    let local = LocalSet::new();
    local.block_on(&runtime, run(engine, &[address], None, log, direct, ready))
}

async fn run(
    mut engine: Engine,
    addresses: &[SocketAddr],
    master: Option<(String, u16)>,
    log: Log,
    mut direct: Direct,
    ready: impl FnOnce(&[SocketAddr]),
) -> Result<Stop, ServeError> {
    let mut orders = direct.orders.take();
    engine.measure_by(ticks);
    engine.look = Some(process::measure);
    if orders.is_none() {
        engine.saving.file = Some(Box::new(saving::OnDisk));
    }
    let mut listeners = Vec::new();
    for address in addresses {
        let listener =
            TcpListener::bind(address).await.map_err(|error| ServeError::Listen(address.to_string(), error))?;
        // A port that the system has chosen is the one it is known by from here on.
        let address = if address.port() == 0 { listener.local_addr().unwrap_or(*address) } else { *address };
        listeners.push((address, Rc::new(listener)));
    }
    let bound: Vec<SocketAddr> = listeners.iter().filter_map(|(_, listener)| listener.local_addr().ok()).collect();
    let shared = Rc::new(Shared {
        engine: RefCell::new(engine),
        pipes: RefCell::default(),
        stirred: Notify::new(),
        log,
        role: Cell::new('M'),
        measured: Cell::new(0),
        relaxed: Cell::new(0),
        snapshots: RefCell::default(),
        links: RefCell::default(),
        direct,
        listeners: listen::Listeners::default(),
        cuts: RefCell::default(),
    });
    if orders.is_none() {
        shared.engine.borrow_mut().set_courier(Rc::new(courier::Tcp));
    }
    // Where time is told and not read, a script has its bound instead.
    #[cfg(feature = "scripts")]
    if orders.is_none() {
        shared.engine.borrow_mut().set_attendant(Rc::new(attend::Attending::new(&shared)));
    }
    for fault in shared.direct.faults.lock().unwrap_or_else(PoisonError::into_inner).iter() {
        shared.note(Level::Warning, &format!("Fault {fault}: will break the protocol on purpose"));
    }
    for (address, listener) in listeners {
        shared.listeners.add(&shared, address, listener);
    }
    if orders.is_none() {
        let elsewhere = listen::Elsewhere(Rc::downgrade(&shared));
        shared.engine.borrow_mut().listening = Some(Rc::new(elsewhere));
    }
    ready(&bound);
    if let Some((host, port)) = master {
        let mut engine = shared.engine.borrow_mut();
        let start = engine.resumes.take().map_or(Start::Nothing, Start::At);
        engine.follow(&host, port, start, shared.now());
        shared.after_batch(&mut engine);
    }
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut end = std::pin::pin!(signalled());
    let directed = orders.is_some();
    loop {
        // The ends may want to be woken before the next tick.
        let wake = u64::try_from(shared.engine.borrow().links_wake() - shared.now()).unwrap_or(0).max(1);
        tokio::select! {
            _ = ticks.tick() => shared.tick(),
            () = tokio::time::sleep(Duration::from_millis(wake)), if wake < TICK.as_millis() as u64 => shared.tick(),
            () = shared.stirred.notified() => {}
            order = next_order(&mut orders), if directed => match order {
                Some(order) => shared.obey(order),
                None => return Ok(Stop { asked_by: "whoever directs it" }),
            },
            asked_by = &mut end, if !directed => {
                shared.note(Level::Notice, &format!("Received {asked_by} scheduling shutdown..."));
                let mut engine = shared.engine.borrow_mut();
                match engine.save_at_the_end(None, shared.now()) {
                    Ok(()) => engine.stop = Some(Stop { asked_by }),
                    Err(_) => {
                        engine.note(
                            Level::Warning,
                            format!("{asked_by} received but errors trying to shut down the server, check the logs for more information"),
                        );
                        end.set(signalled());
                    }
                }
                shared.after_batch(&mut engine);
            }
        }
        if let Some(stop) = shared.engine.borrow().stop {
            shared.note(Level::Warning, "Bye bye...");
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

async fn next_order(orders: &mut Option<tokio::sync::mpsc::Receiver<Order>>) -> Option<Order> {
    orders.as_mut()?.recv().await
}

async fn accept(shared: Rc<Shared>, listener: Rc<TcpListener>) {
    let mut gate = shared.direct.gate.clone();
    loop {
        let accepted = match &mut gate {
            None => listener.accept().await,
            Some(gate) => {
                if gate.wait_for(|open| *open).await.is_err() {
                    return;
                }
                tokio::select! {
                    biased;
                    _ = gate.wait_for(|open| !open) => continue,
                    accepted = listener.accept() => accepted,
                }
            }
        };
        match accepted {
            Ok((stream, _)) => enter(&shared, stream),
            Err(error) => {
                // Out of file descriptors, as a rule: some become free when connections end.
                shared.note(Level::Warning, &format!("Accepting client connection: {error}"));
                tokio::time::sleep(TICK).await;
            }
        }
    }
}

/// What a stranger is told in protected mode.
const PROTECTED: &[u8] = b"-DENIED Redis is running in protected mode because protected mode is enabled and no password is set for the default user. In this mode connections are only accepted from the loopback interface. To let others in, set a password with --requirepass or CONFIG SET requirepass, or say --protected-mode no.\r\n";

/// A connection has come.
fn enter(shared: &Rc<Shared>, stream: TcpStream) {
    let mut engine = shared.engine.borrow_mut();
    enter_with(shared, &mut engine, stream);
}

fn enter_with(shared: &Rc<Shared>, engine: &mut Engine, stream: TcpStream) {
    let _ = stream.set_nodelay(true);
    let address =
        |address: io::Result<SocketAddr>| address.map_or_else(|_| "?:0".to_owned(), |address| address.to_string());
    let (peer, local) = (address(stream.peer_addr()), address(stream.local_addr()));
    let ends = stream.peer_addr().and_then(|peer| Ok((peer, stream.local_addr()?)));
    // Whoever comes from elsewhere must be let in on purpose.
    let local_peer = stream.peer_addr().is_ok_and(|address| address.ip().to_canonical().is_loopback());
    if !local_peer && engine.config.flag("protected-mode") && engine.lets_anybody_in() {
        engine.stats.rejected += 1;
        let _ = stream.try_write(PROTECTED);
        return;
    }
    let most = usize::try_from(engine.config.number("maxclients")).unwrap_or(usize::MAX);
    if engine.clients.len() >= most {
        engine.stats.rejected += 1;
        let _ = stream.try_write(b"-ERR max number of clients reached\r\n");
        return;
    }
    let id = engine.clients.next_id();
    engine.clients.put(super::clients::Session::new(id, peer, local, shared.now()));
    if let (Some(tap), Ok((peer, local))) = (&shared.direct.tap, ends) {
        tap.opened(id, peer, local);
    }
    let connection = client::Connection::new(shared);
    let pipe = Rc::new(Pipe::new(stream, connection));
    shared.pipes.borrow_mut().insert(id, pipe.clone());
    spawn_local(client::run(shared.clone(), id, pipe));
}
