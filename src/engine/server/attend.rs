//! Clients while a script runs on: the thread is inside of a connection's batch, far below its task, so that no other task
//! can run. What they send is read straight from their sockets here, and what may run is run.

use std::io::{ErrorKind, Read};
use std::net::TcpStream;
use std::os::fd::{AsFd, OwnedFd};
use std::rc::{Rc, Weak};
use std::time::{Duration, Instant};

use super::{Pipe, Shared, enter_with};
use crate::engine::busy::Attendant;
use crate::engine::clients::SessionId;
use crate::engine::core::Engine;

/// The server, for a script that runs on.
pub(super) struct Attending {
    shared: Weak<Shared>,
    /// When it may look again: as much time goes to the script as to looking.
    next: std::cell::Cell<Option<Instant>>,
}

/// Between two looks, at least.
const PAUSE: Duration = Duration::from_millis(1);

/// So much is read of a connection at a look.
const READ: usize = 16 << 10;

impl std::fmt::Debug for Attending {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Attending").finish_non_exhaustive()
    }
}

impl Attending {
    pub(super) fn new(shared: &Rc<Shared>) -> Self {
        Self { shared: Rc::downgrade(shared), next: std::cell::Cell::new(None) }
    }
}

impl Attendant for Attending {
    fn now(&self) -> i64 {
        self.shared.upgrade().map_or(0, |shared| shared.now())
    }

    fn attend(&self, engine: &mut Engine) {
        let Some(shared) = self.shared.upgrade() else { return };
        let began = Instant::now();
        if self.next.get().is_some_and(|next| began < next) {
            return;
        }
        admit_new(&shared, engine);
        let pipes: Vec<(SessionId, Rc<Pipe>)> =
            shared.pipes.borrow().iter().map(|(id, pipe)| (*id, pipe.clone())).collect();
        for (id, pipe) in pipes {
            hear(&shared, engine, id, &pipe);
        }
        while let Some((level, line)) = engine.take_note() {
            shared.note(level, &line);
        }
        let ended = Instant::now();
        self.next.set(Some(ended + PAUSE.max(ended - began)));
    }
}

/// A socket beside the runtime, which takes no notice of it.
fn beside(socket: &impl AsFd) -> Option<OwnedFd> {
    socket.as_fd().try_clone_to_owned().ok()
}

fn admit_new(shared: &Rc<Shared>, engine: &mut Engine) {
    if shared.direct.gate.is_some() {
        return;
    }
    for listener in shared.listeners.sockets() {
        let Some(listener) = beside(&*listener).map(std::net::TcpListener::from) else { continue };
        while let Ok((stream, _)) = listener.accept() {
            let stream = stream.set_nonblocking(true).and_then(|()| tokio::net::TcpStream::from_std(stream));
            if let Ok(stream) = stream {
                enter_with(shared, engine, stream);
            }
        }
    }
}

fn hear(shared: &Rc<Shared>, engine: &mut Engine, id: SessionId, pipe: &Pipe) {
    // The one whose batch this is waits for its script.
    let Ok(mut connection) = pipe.connection.try_borrow_mut() else { return };
    if !connection.is_plain() {
        return;
    }
    let Some(mut socket) = beside(&pipe.socket).map(TcpStream::from) else { return };
    let mut bytes = [0; READ];
    let read = match socket.read(&mut bytes) {
        Ok(read) => read,
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => 0,
        Err(_) => return,
    };
    // That it has gone is for its task to find.
    if read > 0 {
        let bytes = bytes.get(..read).unwrap_or_default();
        connection.hear(shared, engine, (id, pipe), bytes, &mut socket);
        pipe.wake.notify_one();
    }
}
