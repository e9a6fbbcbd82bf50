//! The servers of a replay: each an engine on a thread of its own, listening on a loopback port, doing what it is told.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::mpsc as std_mpsc;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use super::witness::Witness;
use crate::engine::server::{Direct, Order, serve_directed};
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

/// A server.
#[derive(Debug)]
pub(super) struct Actor {
    orders: mpsc::Sender<Order>,
    address: SocketAddr,
    board: Arc<Board>,
    thread: JoinHandle<Result<(), String>>,
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
        let (orders, receiver) = mpsc::channel(ORDERS);
        let (ready, address) = std_mpsc::channel();
        let board = Arc::new(Board::default());
        let (shown, tap, time) = (board.clone(), witness.of(number), present.0.clone());
        let act = move || {
            let mut engine = Engine::new(dialect, DATABASES);
            engine.be_directed();
            engine.process = Process { started_at: time.load(Ordering::Relaxed), ..Process::default() };
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
                time: Some(time),
            };
            let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
            let done = serve_directed(engine, any, direct, Box::new(|_, _, _| {}), |bound| {
                let _ = ready.send(bound.first().copied());
            });
            done.map(drop).map_err(|error| error.to_string())
        };
        let thread = std::thread::Builder::new().name(format!("server {number}")).spawn(act);
        let thread = thread.map_err(|error| StageError::Start(error.to_string()))?;
        match address.recv() {
            Ok(Some(address)) => Ok(Self { orders, address, board, thread }),
            _ => Err(StageError::Start(thread.join().ok().and_then(Result::err).unwrap_or_default())),
        }
    }

    /// Where it listens.
    #[must_use]
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Tells it to do something; returns before it is done.
    ///
    /// # Errors
    /// [`StageError::Ended`].
    pub(super) fn order(&self, order: impl FnOnce(&mut Engine) + Send + 'static) -> Result<(), StageError> {
        self.orders.blocking_send(Box::new(order)).map_err(|_| StageError::Ended("it takes no orders".to_owned()))
    }

    /// Asks it something.
    ///
    /// # Errors
    /// [`StageError::Ended`].
    pub(super) fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&mut Engine) -> T + Send + 'static,
    ) -> Result<T, StageError> {
        let (sender, answer) = std_mpsc::channel();
        self.order(move |engine| {
            let _ = sender.send(question(engine));
        })?;
        answer.recv().map_err(|_| StageError::Ended("it answers no more".to_owned()))
    }

    /// How it stands.
    #[must_use]
    pub(super) fn standing(&self) -> Standing {
        self.board.standing.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits until this is so, or nothing has changed for `patience`; tells whether it is.
    pub(super) fn wait(&self, patience: Duration, mut so: impl FnMut(&Standing) -> bool) -> bool {
        let mut standing = self.board.standing.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut before, mut until) = (standing.clone(), Instant::now() + patience);
        while !so(&standing) {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            standing = self.board.changed.wait_timeout(standing, left).unwrap_or_else(PoisonError::into_inner).0;
            if *standing != before {
                before = standing.clone();
                until = Instant::now() + patience;
            }
        }
        true
    }

    /// Ends it.
    pub(super) fn end(self) {
        drop(self.orders);
        let _ = self.thread.join();
    }
}

/// As many as any recording selects, and more are made where it selects more.
const DATABASES: usize = 16;
