//! A network between a replica and its master: what either says is under way for a while, and only so much goes a second.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, tcp};
use tokio::sync::{mpsc, oneshot};
use tokio::task::{LocalSet, spawn_local};
use tokio::time::{Instant, sleep_until};

use super::what_if::Network;
use crate::bounds::{NETWORK_PIECE, NETWORK_PIECES};

/// Stands between those who connect to it and one server. It ends, and its connections with it, when it is dropped.
#[derive(Debug)]
pub(super) struct Relay {
    address: SocketAddr,
    passed: Arc<Mutex<Vec<SocketAddr>>>,
    end: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Relay {
    /// One to this server. `pace` is how many times as fast as in the recording time goes by: at ten times the pace a
    /// delay is a tenth, and ten times as much goes through.
    ///
    /// # Errors
    /// There is no port for it, or no thread.
    pub(super) fn start(to: SocketAddr, network: Network, pace: f64) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let listener = runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))?;
        let address = listener.local_addr()?;
        let delay = Duration::try_from_secs_f64(network.delay.as_secs_f64() / pace).unwrap_or(Duration::MAX);
        let wire = Wire { delay, bandwidth: network.bandwidth.map(|bandwidth| bandwidth.max(1) as f64 * pace) };
        let passed = Arc::new(Mutex::new(Vec::new()));
        let (end, ended) = oneshot::channel();
        let told = passed.clone();
        let run = move || {
            let accept = async move {
                while let Ok((near, _)) = listener.accept().await {
                    spawn_local(pass(near, to, wire, told.clone()));
                }
            };
            LocalSet::new().block_on(&runtime, async {
                tokio::select! {
                    () = accept => {}
                    _ = ended => {}
                }
            });
        };
        let thread = std::thread::Builder::new().name("network".to_owned()).spawn(run)?;
        Ok(Self { address, passed, end: Some(end), thread: Some(thread) })
    }

    /// Where it listens.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many connections it has made to the server.
    pub(super) fn made(&self) -> usize {
        self.passed.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Whether a connection from this address to the server is one of those that it has made.
    pub(super) fn has_made(&self, from: SocketAddr) -> bool {
        self.passed.lock().unwrap_or_else(PoisonError::into_inner).contains(&from)
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        drop(self.end.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Less is not waited for.
const NAP: Duration = Duration::from_millis(1);

#[derive(Clone, Copy, Debug)]
struct Wire {
    delay: Duration,
    /// Bytes a second.
    bandwidth: Option<f64>,
}

/// A connection, both ways.
async fn pass(near: TcpStream, to: SocketAddr, wire: Wire, told: Arc<Mutex<Vec<SocketAddr>>>) {
    let Ok(far) = TcpStream::connect(to).await else { return };
    let _ = (near.set_nodelay(true), far.set_nodelay(true));
    if let Ok(from) = far.local_addr() {
        told.lock().unwrap_or_else(PoisonError::into_inner).push(from);
    }
    let (near_reader, near_writer) = near.into_split();
    let (far_reader, far_writer) = far.into_split();
    // One end closes, and the other hears of it when what was said before has come; then it closes too.
    tokio::join!(carry(near_reader, far_writer, wire), carry(far_reader, near_writer, wire));
}

/// Carries what is said in one direction.
async fn carry(mut reader: tcp::OwnedReadHalf, mut writer: tcp::OwnedWriteHalf, wire: Wire) {
    let (sender, mut under_way) = mpsc::channel::<(Instant, Vec<u8>)>(NETWORK_PIECES);
    let take = async move {
        let mut free = Instant::now();
        loop {
            let mut piece = vec![0; NETWORK_PIECE];
            let Ok(size @ 1..) = reader.read(&mut piece).await else { return };
            piece.truncate(size);
            if let Some(bandwidth) = wire.bandwidth {
                let takes = Duration::try_from_secs_f64(size as f64 / bandwidth).unwrap_or(Duration::MAX);
                // What a nap was too long is made good: timers are coarse.
                let now = Instant::now();
                free = later(free.max(now.checked_sub(NAP * 10).unwrap_or(now)), takes);
                if free.saturating_duration_since(now) >= NAP {
                    sleep_until(free).await;
                }
            }
            if sender.send((later(Instant::now(), wire.delay), piece)).await.is_err() {
                return;
            }
        }
    };
    let give = async move {
        while let Some((due, piece)) = under_way.recv().await {
            sleep_until(due).await;
            if writer.write_all(&piece).await.is_err() {
                return;
            }
        }
        let _ = writer.shutdown().await;
    };
    tokio::join!(take, give);
}

/// No time is so late that it could not be told.
fn later(time: Instant, by: Duration) -> Instant {
    time.checked_add(by).unwrap_or_else(|| time + Duration::from_secs(1 << 30))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};
    use std::time::Instant;

    fn ends(network: Network, pace: f64) -> (TcpStream, TcpStream, Relay) {
        let server = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let relay = Relay::start(server.local_addr().unwrap(), network, pace).unwrap();
        let near = TcpStream::connect(relay.address()).unwrap();
        let (far, from) = server.accept().unwrap();
        // It says so before it carries anything.
        (&near).write_all(b"!").unwrap();
        (&far).read_exact(&mut [0]).unwrap();
        assert!(relay.has_made(from));
        (near, far, relay)
    }

    #[test]
    fn what_is_said_is_under_way_for_a_while_in_both_directions() {
        let network = Network { delay: Duration::from_secs(2), bandwidth: None };
        // At ten times the pace a fifth of a second.
        let (mut near, mut far, _relay) = ends(network, 10.0);
        let began = Instant::now();
        near.write_all(b"there").unwrap();
        far.read_exact(&mut [0; 5]).unwrap();
        assert!(began.elapsed() >= Duration::from_millis(200));
        far.write_all(b"back").unwrap();
        near.read_exact(&mut [0; 4]).unwrap();
        assert!(began.elapsed() >= Duration::from_millis(400));
        drop(near);
        assert_eq!(far.read(&mut [0; 1]).unwrap(), 0, "the other end hears of the close");
    }

    #[test]
    fn only_so_much_goes_a_second() {
        let network = Network { delay: Duration::ZERO, bandwidth: Some(1_000_000) };
        let (mut near, mut far, _relay) = ends(network, 1.0);
        let began = Instant::now();
        std::thread::spawn(move || near.write_all(&vec![b'x'; 500_000]));
        let mut came = vec![0; 500_000];
        far.read_exact(&mut came).unwrap();
        assert!(began.elapsed() >= Duration::from_millis(400), "{:?}", began.elapsed());
        assert!(came.iter().all(|byte| *byte == b'x'));
    }
}
