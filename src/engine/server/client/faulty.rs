//! A connection on which things go wrong on purpose: what is written goes through its [`Faults`].

use std::io;
use std::net::Shutdown;
use std::os::fd::AsFd;
use std::rc::Rc;
use std::time::Duration;

use tokio::net::TcpStream;

use super::{Connection, MOST};
use crate::bounds::REFUSING_REPLICAS;
use crate::engine::clients::SessionId;
use crate::engine::log::Level;
use crate::engine::server::fault::{Fault, Faults, Step};
use crate::engine::server::{Pipe, Shared};
use crate::repl::master::ConnectionId;
use crate::units::Moment;

/// How long the other end of a connection that was cut may take to close it.
const LINGER: Duration = Duration::from_secs(1);

/// Closes a connection so that all that was sent arrives: a close with bytes unread would be a reset, and that throws away
/// what is on its way.
pub(super) async fn hang_up(socket: &TcpStream) -> io::Result<()> {
    std::net::TcpStream::from(socket.as_fd().try_clone_to_owned()?).shutdown(Shutdown::Write)?;
    let mut unheard = vec![0; MOST];
    let drained = async {
        loop {
            socket.readable().await?;
            match socket.try_read(&mut unheard) {
                Ok(0) => return Ok(()),
                Err(error) if error.kind() != io::ErrorKind::WouldBlock => return Err(error),
                _ => {}
            }
        }
    };
    let _ = tokio::time::timeout(LINGER, drained).await;
    Ok(())
}

impl Connection {
    /// Whether a fault holds something back.
    pub(super) fn held(&self) -> bool {
        self.faults.as_ref().is_some_and(|faults| faults.busy())
    }

    /// For how long it does; `now` in milliseconds since 1970.
    pub(super) fn fault_pause(&self, now: i64) -> Option<Duration> {
        let wake = self.faults.as_ref()?.wake()?;
        Some(Duration::from_millis(wake.since(Moment::at(now)).max(1)))
    }

    /// As [`Connection::send_all`] does, but what is sent is what the faults make of it.
    pub(super) fn send_through(
        &mut self,
        faults: &mut Faults,
        shared: &Rc<Shared>,
        writer: &TcpStream,
        id: SessionId,
        pipe: &Pipe,
    ) -> io::Result<()> {
        self.stream_waits = false;
        loop {
            self.output.append(&mut pipe.out.borrow_mut());
            faults.written(&self.output);
            self.output.clear();
            let sent = self.carry_out(faults, shared, writer, id)?;
            let waiting = faults.pending();
            let fewer = waiting < pipe.waiting.replace(waiting);
            if fewer || sent > 0 {
                pipe.drained.notify_waiters();
                let mut engine = shared.engine.borrow_mut();
                if self.replica {
                    engine.master.payload_progress(ConnectionId(id.0), Moment::at(shared.now()));
                } else {
                    engine.stats.bytes_out += sent as u64;
                    if let Some(session) = engine.clients.get_mut(id) {
                        session.bytes_out += sent as u64;
                        session.output = waiting;
                    }
                }
            }
            if faults.busy() {
                return Ok(());
            }
            if self.take_payload(shared, id, pipe)? {
                continue;
            }
            if !self.replica || !take_stream(faults, shared, ConnectionId(id.0)) {
                return Ok(());
            }
        }
    }

    /// Carries out what can be now; gives how many bytes were sent.
    fn carry_out(
        &mut self,
        faults: &mut Faults,
        shared: &Shared,
        writer: &TcpStream,
        id: SessionId,
    ) -> io::Result<usize> {
        let mut all = 0;
        while let Some(step) = faults.next(Moment::at(shared.now())) {
            match step {
                Step::Write(mut bytes) => match writer.try_write(&bytes) {
                    Ok(sent) => {
                        if let Some(tap) = &shared.direct.tap {
                            tap.passed(id, false, bytes.get(..sent).unwrap_or_default());
                        }
                        all += sent;
                        bytes.drain(..sent);
                        faults.unwritten(bytes);
                    }
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                        self.stream_waits = true;
                        faults.unwritten(bytes);
                        break;
                    }
                    Err(error) => return Err(error),
                },
                Step::Tell { fault, what } => {
                    let engine = shared.engine.borrow();
                    let connection = ConnectionId(id.0);
                    let name = match engine.clients.get(id).filter(|_| !engine.replica_names.contains_key(&connection))
                    {
                        Some(session) => session.peer.clone(),
                        None => engine.replica_name(connection),
                    };
                    shared.note(Level::Warning, &format!("Fault {fault}, {name}: {what}"));
                    let mut cuts = shared.cuts.borrow_mut();
                    if matches!(fault, Fault::CutOffset(_)) && cuts.len() < REFUSING_REPLICAS {
                        cuts.insert((name, fault));
                    }
                }
                Step::Close => {
                    self.cut = true;
                    break;
                }
                Step::Wait(_) => {}
            }
        }
        Ok(all)
    }
}

/// Gives the faults some of the stream; tells whether there was any.
fn take_stream(faults: &mut Faults, shared: &Shared, connection: ConnectionId) -> bool {
    let mut engine = shared.engine.borrow_mut();
    let Some(first) = engine.master.next_byte(connection) else { return false };
    if !faults.streams() {
        let name = engine.replica_name(connection);
        shared.cuts.borrow().iter().filter(|(cut, _)| *cut == name).for_each(|(_, fault)| faults.spare(fault));
    }
    let mut bytes = Vec::new();
    for slice in engine.master.stream(connection) {
        bytes.extend_from_slice(slice.get(..MOST - bytes.len()).unwrap_or(slice));
        if bytes.len() == MOST {
            break;
        }
    }
    if bytes.is_empty() {
        return false;
    }
    faults.stream(first, &bytes);
    engine.stats.stream_bytes_out += bytes.len() as u64;
    engine.master.stream_written(connection, bytes.len());
    true
}
