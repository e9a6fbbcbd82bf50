//! The connections to the master: one, or two where the RDB has its own.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::task::{AbortHandle, spawn_local};

use super::Shared;
use crate::engine::clients::SessionId;
use crate::engine::log::Level;
use crate::repl::replica::Channel;

/// How much is read at once.
const READ: usize = 256 << 10;

/// How long a connection may take to be made.
const CONNECT: Duration = Duration::from_secs(10);

/// Both connections, those that there are.
#[derive(Default)]
pub(super) struct Links {
    main: Option<Link>,
    rdb: Option<Link>,
}

struct Link {
    task: AbortHandle,
    pipe: Rc<LinkPipe>,
}

/// What is to be written on a connection, and how it is woken.
#[derive(Default)]
struct LinkPipe {
    out: std::cell::RefCell<Vec<u8>>,
    wake: Notify,
    /// What was kept of the input can be handed in again.
    resumed: Cell<bool>,
}

impl Links {
    fn get(&mut self, channel: Channel) -> &mut Option<Link> {
        match channel {
            Channel::Main => &mut self.main,
            Channel::Rdb => &mut self.rdb,
        }
    }
}

/// Connects to the master, in place of a connection that there may be.
pub(super) fn connect(shared: &Rc<Shared>, channel: Channel, master: Option<(String, u16)>) {
    disconnect(shared, channel);
    let pipe = Rc::new(LinkPipe::default());
    let task = spawn_local(run(shared.clone(), channel, master, pipe.clone()));
    *shared.links.borrow_mut().get(channel) = Some(Link { task: task.abort_handle(), pipe });
}

/// Closes a connection to the master.
pub(super) fn disconnect(shared: &Rc<Shared>, channel: Channel) {
    let link = shared.links.borrow_mut().get(channel).take();
    if let Some(link) = link {
        // What is written is sent, if it goes at once; the task may be the one that runs, and ends by itself then.
        link.task.abort();
    }
}

/// Writes on a connection to the master.
pub(super) fn transmit(shared: &Rc<Shared>, channel: Channel, bytes: &[u8]) {
    if let Some(link) = shared.links.borrow_mut().get(channel) {
        link.pipe.out.borrow_mut().extend_from_slice(bytes);
        link.pipe.wake.notify_one();
    }
}

/// Hands in what was kept of a connection's input, and reads on.
pub(super) fn resume(shared: &Rc<Shared>, channel: Channel) {
    if let Some(link) = shared.links.borrow_mut().get(channel) {
        link.pipe.resumed.set(true);
        link.pipe.wake.notify_one();
    }
}

/// A connection to the master on which somebody looks. Whatever ends it, its end is seen.
struct Tapped {
    shared: Rc<Shared>,
    id: SessionId,
    by_master: Cell<bool>,
}

impl Tapped {
    fn new(shared: &Rc<Shared>, stream: &TcpStream) -> Option<Self> {
        let tap = shared.direct.tap.as_ref().filter(|_| shared.direct.taps_links)?;
        let (own, master) = (stream.local_addr().ok()?, stream.peer_addr().ok()?);
        let id = shared.engine.borrow_mut().clients.next_id();
        tap.opened(id, own, master);
        Some(Self { shared: shared.clone(), id, by_master: Cell::new(false) })
    }

    /// Bytes were written, or read; none were read where the master has closed it.
    fn passed(&self, from_us: bool, bytes: &[u8]) {
        if bytes.is_empty() {
            self.by_master.set(!from_us);
        } else if let Some(tap) = &self.shared.direct.tap {
            tap.passed(self.id, from_us, bytes);
        }
    }
}

impl Drop for Tapped {
    fn drop(&mut self) {
        if let Some(tap) = &self.shared.direct.tap {
            tap.closed(self.id, !self.by_master.get());
        }
    }
}

async fn run(shared: Rc<Shared>, channel: Channel, master: Option<(String, u16)>, pipe: Rc<LinkPipe>) {
    if let Some((host, port)) = master {
        match tokio::time::timeout(CONNECT, TcpStream::connect((host.as_str(), port))).await {
            Ok(Ok(stream)) => {
                let _ = stream.set_nodelay(true);
                shared.note(Level::Notice, "Non blocking connect for SYNC fired the event.");
                let tapped = Tapped::new(&shared, &stream);
                changed(&shared, channel, true);
                let _ = serve(&shared, channel, stream, &pipe, tapped.as_ref()).await;
            }
            Ok(Err(error)) => shared.note(Level::Warning, &format!("Error condition on socket for SYNC: {error}")),
            Err(_) => shared.note(Level::Warning, &format!("Timeout connecting to the MASTER {host}:{port}")),
        }
    }
    // A connection that was closed on purpose has been replaced, or there is none.
    let ours = shared.links.borrow_mut().get(channel).as_ref().is_some_and(|link| Rc::ptr_eq(&link.pipe, &pipe));
    if ours {
        changed(&shared, channel, false);
    }
}

fn changed(shared: &Rc<Shared>, channel: Channel, connected: bool) {
    let mut engine = shared.engine.borrow_mut();
    engine.link_changed(channel, connected, shared.now());
    shared.after_batch(&mut engine);
}

async fn serve(
    shared: &Rc<Shared>,
    channel: Channel,
    mut stream: TcpStream,
    pipe: &LinkPipe,
    tapped: Option<&Tapped>,
) -> std::io::Result<()> {
    let (mut reader, writer) = stream.split();
    let (mut input, mut output): (Vec<u8>, Vec<u8>) = (Vec::with_capacity(READ), Vec::new());
    loop {
        output.append(&mut pipe.out.borrow_mut());
        let mut sent = 0;
        while sent < output.len() {
            match writer.try_write(output.get(sent..).unwrap_or_default()) {
                Ok(more) => {
                    if let Some(tapped) = tapped {
                        tapped.passed(true, output.get(sent..sent + more).unwrap_or_default());
                    }
                    sent += more;
                }
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        output.drain(..sent);
        // What could not be taken waits until the other channel is so far.
        let full = !input.is_empty() && !pipe.resumed.get();
        tokio::select! {
            biased;
            () = pipe.wake.notified() => {}
            writable = writer.writable(), if !output.is_empty() => writable?,
            read = async { if input.capacity() - input.len() < READ / 2 { input.reserve(READ); } reader.read_buf(&mut input).await }, if !full => {
                let read = read?;
                if let Some(tapped) = tapped {
                    tapped.passed(false, input.get(input.len() - read..).unwrap_or_default());
                }
                if read == 0 {
                    return Ok(());
                }
            }
        }
        // Resumed, it may have something to say though nothing is left of the input.
        if pipe.resumed.take() || (!input.is_empty() && !full) {
            let mut engine = shared.engine.borrow_mut();
            let taken = engine.from_master(channel, &input, shared.now());
            engine.stats.link_bytes_in += taken as u64;
            input.drain(..taken);
            shared.after_batch(&mut engine);
        }
    }
}
