//! A server that somebody directs: a replay tells it what to do between two batches, what time it is, and looks on.

use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::atomic::AtomicI64;
use std::sync::{Arc, Mutex};

use tokio::sync::{mpsc, watch};

use super::{Fault, Shared};
use crate::engine::clients::SessionId;
use crate::engine::core::Engine;

/// What is done to the engine.
pub type Order = Box<dyn FnOnce(&mut Engine) + Send>;

/// Sees what passes on the connections that others have made to this server, and where it is to on those to its master. The
/// peer is the end that connected: on those to a master it is this server.
pub trait Tap {
    /// A connection was accepted.
    fn opened(&self, id: SessionId, peer: SocketAddr, local: SocketAddr);
    /// Bytes were read, or written.
    fn passed(&self, id: SessionId, from_peer: bool, bytes: &[u8]);
    /// It is over.
    fn closed(&self, id: SessionId, by_peer: bool);
}

/// Looks at the engine.
pub type Watch = Box<dyn Fn(&Engine)>;

/// What a server has beside its engine where it is directed.
#[derive(Default)]
pub struct Direct {
    /// Orders; the server ends when their sender is dropped.
    pub orders: Option<mpsc::Receiver<Order>>,
    /// Who sees what passes.
    pub tap: Option<Box<dyn Tap>>,
    /// It sees the connections to the master as well.
    pub taps_links: bool,
    /// Connections are accepted while this is true; always without it.
    pub gate: Option<watch::Receiver<bool>>,
    /// Is shown the engine after each batch.
    pub watch: Option<Watch>,
    /// The time, in milliseconds since 1970, in place of the clock's.
    pub time: Option<Arc<AtomicI64>>,
    /// What goes wrong on purpose, on every connection that others make from then on.
    pub faults: Arc<Mutex<Vec<Fault>>>,
}

impl std::fmt::Debug for Direct {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Direct").field("time", &self.time).finish_non_exhaustive()
    }
}

impl Shared {
    pub(super) fn obey(self: &Rc<Self>, order: Order) {
        let mut engine = self.engine.borrow_mut();
        order(&mut engine);
        engine.collect(self.now());
        self.after_batch(&mut engine);
    }
}
