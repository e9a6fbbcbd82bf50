//! The servers of a replay: each an engine on a thread of its own, listening on a loopback port, doing what it is told.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::mpsc as std_mpsc;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tokio::sync::{mpsc, watch};

use super::witness::Witness;
use crate::engine::server::{Direct, Fault, Order, serve_directed};
use crate::engine::{Dialect, Engine, Process, Standing};

/// Orders that may wait.
const ORDERS: usize = 8;

/// Why a replay cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum StageError {
    /// A server did not start.
    #[error("an embedded server cannot start: {0}")]
    Start(String),
    /// A server has ended although nobody told it to.
    #[error("an embedded server has ended: {0}")]
    Ended(String),
}

/// How a server stands, as it says after each batch.
#[derive(Debug, Default)]
struct Board {
    standing: Mutex<Standing>,
    changed: Condvar,
    /// Its thread has ended, or is about to: nothing changes any more.
    ended: AtomicBool,
}

/// Says on the board that the thread ends, by a panic too.
struct Leaving(Arc<Board>);

impl Drop for Leaving {
    fn drop(&mut self) {
        // Under the lock, so that who is about to wait hears of it.
        let _standing = self.0.standing.lock().unwrap_or_else(PoisonError::into_inner);
        self.0.ended.store(true, Ordering::Relaxed);
        self.0.changed.notify_all();
    }
}

/// The time that all servers of a replay take for the present, in milliseconds since 1970.
#[derive(Clone, Debug, Default)]
pub(super) struct Present(Arc<AtomicI64>);

impl Present {
    /// It is this time now. It never goes back.
    pub(super) fn set(&self, millis: i64) {
        self.0.fetch_max(millis, Ordering::Relaxed);
    }

    /// The time.
    #[must_use]
    pub(super) fn get(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// An answer that is still to come.
#[derive(Debug)]
pub(super) struct Answer<T>(std_mpsc::Receiver<T>);

impl<T> Answer<T> {
    /// Waits for it.
    ///
    /// # Errors
    /// [`StageError::Ended`].
    pub(super) fn get(self) -> Result<T, StageError> {
        self.0.recv().map_err(|_| StageError::Ended("it answers no more".to_owned()))
    }
}

/// A server. It ends when this is dropped.
#[derive(Debug)]
pub(super) struct Actor {
    /// `None` once it has been told to end.
    orders: Option<mpsc::Sender<Order>>,
    address: SocketAddr,
    /// Whether it accepts connections.
    gate: watch::Sender<bool>,
    board: Arc<Board>,
    faults: Arc<Mutex<Vec<Fault>>>,
    /// `None` once it is known how it ended.
    thread: Option<JoinHandle<Result<(), String>>>,
}

impl Actor {
    /// Starts one. `configure` sets its engine up.
    ///
    /// # Errors
    /// [`StageError::Start`].
    pub(super) fn start(
        number: usize,
        dialect: Dialect,
        present: &Present,
        witness: &Witness,
        configure: impl FnOnce(&mut Engine) + Send + 'static,
    ) -> Result<Self, StageError> {
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let actor = Self::start_at(any, number, dialect, Some(present), witness, configure)?;
        actor.open(true);
        Ok(actor)
    }

    /// Starts one that has to do with others than those of the stage: it listens at `address`, but accepts nobody before
    /// [`Actor::open`]. Without `present` it takes the clock's time, and shows the witness its link to its master.
    ///
    /// # Errors
    /// [`StageError::Start`].
    pub(super) fn start_at(
        address: SocketAddr,
        number: usize,
        dialect: Dialect,
        present: Option<&Present>,
        witness: &Witness,
        configure: impl FnOnce(&mut Engine) + Send + 'static,
    ) -> Result<Self, StageError> {
        let (orders, receiver) = mpsc::channel(ORDERS);
        let (ready, bound) = std_mpsc::channel();
        let (gate, opened) = watch::channel(false);
        let board = Arc::new(Board::default());
        let (shown, tap, time) = (board.clone(), witness.of(number), present.map(|present| present.0.clone()));
        let faults = Arc::new(Mutex::new(Vec::new()));
        let broken = faults.clone();
        let leaving = Leaving(board.clone());
        let act = move || {
            let _leaving = leaving;
            let mut engine = Engine::new(dialect, DATABASES);
            engine.be_directed();
            let started_at = time.as_ref().map_or_else(clock, |time| time.load(Ordering::Relaxed));
            engine.process = Process { started_at, ..Process::default() };
            configure(&mut engine);
            engine.refresh();
            let watch = move |engine: &Engine| {
                *shown.standing.lock().unwrap_or_else(PoisonError::into_inner) = engine.standing();
                shown.changed.notify_all();
            };
            let direct = Direct {
                orders: Some(receiver),
                tap: Some(Box::new(tap)),
                watch: Some(Box::new(watch)),
                taps_links: time.is_none(),
                gate: Some(opened),
                time,
                faults: broken,
            };
            let done = serve_directed(engine, address, direct, Box::new(|_, _, _| {}), |bound| {
                let _ = ready.send(bound.first().copied());
            });
            done.map(drop).map_err(|error| error.to_string())
        };
        let thread = std::thread::Builder::new().name(format!("server {number}")).spawn(act);
        let thread = thread.map_err(|error| StageError::Start(error.to_string()))?;
        match bound.recv() {
            Ok(Some(address)) => Ok(Self { orders: Some(orders), address, gate, board, faults, thread: Some(thread) }),
            _ => Err(StageError::Start(last_words(thread).unwrap_or_else(|| "it listens nowhere".to_owned()))),
        }
    }

    /// Where it listens.
    #[must_use]
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Lets this go wrong on the connections that it accepts from now on, and nothing else.
    pub(super) fn break_on_purpose(&self, faults: Vec<Fault>) {
        *self.faults.lock().unwrap_or_else(PoisonError::into_inner) = faults;
    }

    /// From here on it accepts connections, or lets them wait.
    pub(super) fn open(&self, open: bool) {
        self.gate.send_replace(open);
    }

    /// Tells it to do something; returns before it is done.
    ///
    /// # Errors
    /// [`StageError::Ended`].
    pub(super) fn order(&self, order: impl FnOnce(&mut Engine) + Send + 'static) -> Result<(), StageError> {
        let sent = self.orders.as_ref().map(|orders| orders.blocking_send(Box::new(order)));
        match sent {
            Some(Ok(())) => Ok(()),
            _ => Err(StageError::Ended("it takes no orders".to_owned())),
        }
    }

    /// Asks it something.
    ///
    /// # Errors
    /// [`StageError::Ended`].
    pub(super) fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&mut Engine) -> T + Send + 'static,
    ) -> Result<T, StageError> {
        self.ask_ahead(question)?.get()
    }

    /// Asks it something, and does not wait for the answer yet.
    ///
    /// # Errors
    /// [`StageError::Ended`].
    pub(super) fn ask_ahead<T: Send + 'static>(
        &self,
        question: impl FnOnce(&mut Engine) -> T + Send + 'static,
    ) -> Result<Answer<T>, StageError> {
        let (sender, answer) = std_mpsc::channel();
        self.order(move |engine| {
            let _ = sender.send(question(engine));
        })?;
        Ok(Answer(answer))
    }

    /// How it stands.
    #[must_use]
    pub(super) fn standing(&self) -> Standing {
        self.board.standing.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits until this is so, nothing has changed for `patience`, or `stop` is set; tells whether it is so. It is looked
    /// each `glance` at least.
    pub(super) fn wait(
        &self,
        patience: Duration,
        glance: Duration,
        stop: &AtomicBool,
        mut so: impl FnMut(&Standing) -> bool,
    ) -> bool {
        let mut standing = self.board.standing.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut before, mut until) = (standing.clone(), Instant::now() + patience);
        while !so(&standing) {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() || stop.load(Ordering::Relaxed) || self.board.ended.load(Ordering::Relaxed) {
                return false;
            }
            // Nobody notifies of a signal.
            let left = left.min(glance);
            standing = self.board.changed.wait_timeout(standing, left).unwrap_or_else(PoisonError::into_inner).0;
            if *standing != before {
                before = standing.clone();
                until = Instant::now() + patience;
            }
        }
        true
    }

    /// Ends it.
    ///
    /// # Errors
    /// [`StageError::Ended`], where it had ended otherwise before.
    pub(super) fn end(mut self) -> Result<(), StageError> {
        drop(self.orders.take());
        self.thread.take().and_then(last_words).map_or(Ok(()), |words| Err(StageError::Ended(words)))
    }
}

impl Drop for Actor {
    fn drop(&mut self) {
        drop(self.orders.take());
        // No thread outlives the replay, whatever ended that.
        self.thread.take().and_then(last_words);
    }
}

/// The clock's time, in milliseconds since 1970.
pub(super) fn clock() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// Waits for a server's thread; tells what went wrong with it, if something did.
fn last_words(thread: JoinHandle<Result<(), String>>) -> Option<String> {
    match thread.join() {
        Ok(done) => done.err(),
        Err(panic) => {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
            Some(format!("a bug in it: {}", text.unwrap_or("it panicked")))
        }
    }
}

/// How often it is looked whether a signal has come.
pub(super) const GLANCE: Duration = Duration::from_millis(100);

/// As many as any recording selects, and more are made where it selects more.
const DATABASES: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    fn actor() -> Actor {
        Actor::start(0, Dialect::DEFAULT, &Present::default(), &Witness::new(None).unwrap(), |_| {}).unwrap()
    }

    #[test]
    #[allow(clippy::panic)]
    fn a_server_that_panics_is_no_hang() {
        let (actor, began) = (actor(), Instant::now());
        actor.order(|_| panic!("it had to happen")).unwrap();
        assert!(!actor.wait(Duration::from_secs(60), GLANCE, &AtomicBool::new(false), |_| false));
        assert!(actor.ask(|_| ()).is_err() && actor.order(|_| ()).is_err());
        assert!(began.elapsed() < Duration::from_secs(30));
        let said = actor.end().unwrap_err().to_string();
        assert_eq!(said, "an embedded server has ended: a bug in it: it had to happen");
    }

    #[test]
    fn nobody_waits_once_it_is_to_stop() {
        let (actor, stop) = (actor(), AtomicBool::new(true));
        assert!(!actor.wait(Duration::from_secs(60), GLANCE, &stop, |_| false));
        actor.end().unwrap();
    }

    #[test]
    fn nobody_is_let_in_before_the_gate_is_open() {
        let (any, witness) = (SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), Witness::new(None).unwrap());
        let actor = Actor::start_at(any, 0, Dialect::DEFAULT, Some(&Present::default()), &witness, |_| {}).unwrap();
        let come = || std::net::TcpStream::connect(actor.address()).unwrap();
        let _first = come();
        actor.ask(|_| ()).unwrap();
        assert_eq!(witness.connections(), 0);
        actor.open(true);
        while witness.connections() == 0 {
            std::thread::yield_now();
        }
        actor.open(false);
        let _second = come();
        actor.ask(|_| ()).unwrap();
        assert_eq!(witness.connections(), 1);
        actor.end().unwrap();
    }

    #[test]
    fn a_server_ends_with_who_directs_it() {
        let actor = actor();
        let board = Arc::downgrade(&actor.board);
        drop(actor);
        assert!(board.upgrade().is_none(), "its thread is gone");
    }
}
