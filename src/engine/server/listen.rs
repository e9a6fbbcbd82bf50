//! Where connections come: from the start on, and elsewhere once CONFIG SET says so.

use std::cell::RefCell;
use std::net::{SocketAddr, ToSocketAddrs};
use std::rc::{Rc, Weak};

use tokio::net::TcpListener;
use tokio::task::{JoinHandle, spawn_local};

use super::{Shared, accept};
use crate::engine::core::Listening;

/// The addresses of `bind`, with the port, each with whether it may be missing: it has a `-` in front. `*` is any.
///
/// # Errors
/// A name that is none, and must not be missing.
pub fn addresses(bind: &str, port: u16) -> Result<Vec<(SocketAddr, bool)>, String> {
    let mut found = Vec::new();
    for word in bind.split_ascii_whitespace() {
        let optional = word.starts_with('-');
        let name = match word.trim_start_matches('-') {
            "*" => "0.0.0.0",
            "::*" => "::",
            name => name,
        };
        match (name, port).to_socket_addrs() {
            Ok(addresses) => found.extend(addresses.map(|address| (address, optional))),
            Err(_) if optional => {}
            Err(error) => return Err(format!("{name}: {error}")),
        }
    }
    Ok(found)
}

/// A socket, and the task that takes connections from it.
#[derive(Debug)]
struct Open {
    /// Where it was to listen: what was asked for, not what the system chose.
    address: SocketAddr,
    #[cfg(feature = "scripts")]
    listener: Rc<TcpListener>,
    task: JoinHandle<()>,
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Listeners(RefCell<Vec<Open>>);

impl Listeners {
    /// Takes connections from a socket.
    pub(super) fn add(&self, shared: &Rc<Shared>, address: SocketAddr, listener: Rc<TcpListener>) {
        let task = spawn_local(accept(shared.clone(), listener.clone()));
        self.0.borrow_mut().push(Open {
            address,
            #[cfg(feature = "scripts")]
            listener,
            task,
        });
    }

    /// The sockets.
    #[cfg(feature = "scripts")]
    pub(super) fn sockets(&self) -> Vec<Rc<TcpListener>> {
        self.0.borrow().iter().map(|open| open.listener.clone()).collect()
    }
}

/// Listens elsewhere when the engine says so.
pub(super) struct Elsewhere(pub(super) Weak<Shared>);

impl std::fmt::Debug for Elsewhere {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Elsewhere")
    }
}

impl Listening for Elsewhere {
    fn listen(&self, bind: &str, port: u16) -> Result<(), String> {
        let Some(shared) = self.0.upgrade() else { return Err("the server has ended".to_owned()) };
        let wanted = if port == 0 { Vec::new() } else { addresses(bind, port)? };
        let known = |address: SocketAddr| shared.listeners.0.borrow().iter().any(|open| open.address == address);
        let mut fresh = Vec::new();
        for (address, optional) in wanted.iter().filter(|(address, _)| !known(*address)) {
            match bound(*address) {
                Ok(listener) => fresh.push((*address, listener)),
                Err(_) if *optional => {}
                Err(error) => return Err(format!("{address}: {error}")),
            }
        }
        shared.listeners.0.borrow_mut().retain(|open| {
            let stays = wanted.iter().any(|(address, _)| *address == open.address);
            if !stays {
                // The socket closes with its task.
                open.task.abort();
            }
            stays
        });
        for (address, listener) in fresh {
            shared.listeners.add(&shared, address, Rc::new(listener));
        }
        Ok(())
    }
}

fn bound(address: SocketAddr) -> std::io::Result<TcpListener> {
    let listener = std::net::TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    TcpListener::from_std(listener)
}
