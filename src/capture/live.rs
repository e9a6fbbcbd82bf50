//! Live capture through libpcap, beside the decoding.
//!
//! ```text
//!  kernel ring ── capture thread ── batches ──▶ decoder
//!                        ▲                         │
//!                        └──── emptied batches ────┘
//! ```
//!
//! The capture thread does nothing but copy packets out of the kernel's ring, so that a decoder that is slow for a moment
//! loses none. There are [`LIVE_BATCHES`] batches and no more: when all are in use the thread waits, the ring fills, and
//! the kernel counts what it must drop. A batch goes out when it is full or when the ring has no more for now; the kernel
//! hands over what it has at the latest `timeout_ms` after it came.
//!
//! Stopping: on Linux libpcap waits for packets without any timeout (since TPACKET_V3, kernel 3.19), so a flag alone
//! would not be seen on a quiet interface; `pcap_breakloop` wakes the thread, and [`LiveSource`] calls it.

use super::filter::{link_type, reason};
use super::{FilterError, Frame, LinkType};
use crate::bounds::{DEFAULT_SNAPLEN, LIVE_BATCH, LIVE_BATCH_PACKETS, LIVE_BATCHES, LIVE_KERNEL_BUFFER};
use crate::units::{FrameNumber, Stamp, Timestamp};
use pcap::{Active, BreakLoop, Capture, Device, Packet};
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender, SyncSender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// How often the kernel's counters are read, at most. Reading them costs a system call and a look into /sys.
const STATISTICS_INTERVAL: Duration = Duration::from_millis(500);

/// How long the thread waits for an empty batch before it looks at the stop flag again.
const STOP_INTERVAL: Duration = Duration::from_millis(20);

/// Packets taken from the ring before the thread looks at the stop flag again: libpcap's own "all there are" has no end
/// on a busy interface.
const PACKETS_AT_ONCE: usize = 4096;

/// Why a live capture does not start, or stops.
#[derive(Clone, Debug, thiserror::Error)]
pub enum LiveError {
    /// The user may not capture.
    #[error(
        "capturing on {interface} is not permitted: it needs root or CAP_NET_RAW; use sudo, or once: sudo setcap \
         cap_net_raw,cap_net_admin=eip $(command -v repltool)"
    )]
    Permission {
        /// The interface's name.
        interface: String,
    },
    /// There is no such interface.
    #[error("there is no interface \"{interface}\"; repltool sniff -D lists those there are")]
    NoInterface {
        /// The interface as given.
        interface: String,
    },
    /// The filter does not compile.
    #[error(transparent)]
    Filter(#[from] FilterError),
    /// Opening failed for another reason.
    #[error(
        "capturing on {interface} failed to start: {reason}; check the interface with `ip link`, and the sizes given"
    )]
    Open {
        /// The interface's name.
        interface: String,
        /// libpcap's text.
        reason: String,
    },
    /// The capture broke off.
    #[error(
        "capturing on {interface} broke off after {packets} packets: {reason}; check that the interface is still up"
    )]
    Broke {
        /// The interface's name.
        interface: String,
        /// How many packets came before.
        packets: u64,
        /// libpcap's text.
        reason: String,
    },
    /// The interfaces cannot be listed.
    #[error("the interfaces cannot be listed: {reason}; try as root")]
    List {
        /// libpcap's text.
        reason: String,
    },
}

/// A network interface, for `-D`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    /// Its name, for `-i`.
    pub name: String,
    /// libpcap's description, where it has one.
    pub description: Option<String>,
    /// Its addresses.
    pub addresses: Vec<IpAddr>,
    /// Whether it is up.
    pub up: bool,
    /// Whether it is the loopback interface.
    pub loopback: bool,
}

/// The interfaces that can be captured on, in libpcap's order: the first is what tcpdump takes when none is named, and
/// `-i N` counts in this order from 1.
///
/// # Errors
/// When libpcap cannot list them.
pub fn interfaces() -> Result<Vec<Interface>, LiveError> {
    let devices = Device::list().map_err(|error| LiveError::List { reason: reason(&error) })?;
    Ok(devices
        .into_iter()
        .map(|device| Interface {
            up: device.flags.is_up(),
            loopback: device.flags.is_loopback(),
            addresses: device.addresses.iter().map(|address| address.addr).collect(),
            name: device.name,
            description: device.desc,
        })
        .collect())
}

/// What to capture, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveOptions {
    /// The interface's name, or its number in [`interfaces`] from 1; `any` is all of them (on Linux).
    pub interface: String,
    /// A filter expression for the kernel; empty for everything.
    pub filter: String,
    /// The most bytes kept of a packet: 1 to 262,144.
    pub snaplen: u32,
    /// The size of the kernel's ring, in bytes.
    pub buffer_bytes: usize,
    /// Whether packets for other hosts are captured too; not possible, and not tried, on `any`.
    pub promiscuous: bool,
    /// How long the kernel may hold packets back to hand over many at once, in milliseconds, from 1.
    pub timeout_ms: u32,
}

impl Default for LiveOptions {
    fn default() -> Self {
        Self {
            interface: "any".to_owned(),
            filter: String::new(),
            snaplen: DEFAULT_SNAPLEN,
            buffer_bytes: LIVE_KERNEL_BUFFER,
            promiscuous: true,
            timeout_ms: 10,
        }
    }
}

/// The counters of a live capture, from its start, as the kernel has them. On Linux's loopback interface each packet counts
/// twice, sent and received, although libpcap delivers it once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Packets that passed the kernel's filter; on Linux those dropped by the kernel are among them.
    pub received: u64,
    /// Packets that found the ring full.
    pub dropped_by_kernel: u64,
    /// Packets that the interface or its driver dropped, captured or not.
    pub dropped_by_interface: u64,
}

/// An opened capture that does not run yet.
pub struct LiveCapture {
    capture: Capture<Active>,
    interface: String,
    link_type: LinkType,
}

impl std::fmt::Debug for LiveCapture {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "LiveCapture({}, {:?})", self.interface, self.link_type)
    }
}

/// Decimal digits of a live capture's times. Only where nanoseconds are sure to be had are they asked for: the crate
/// does not tell whether the device accepted.
const DIGITS: u8 = if cfg!(target_os = "linux") { 9 } else { 6 };

impl LiveCapture {
    /// Opens the interface and sets the filter; packets collect in the kernel's ring from here on.
    ///
    /// # Errors
    /// When the user may not capture, there is no such interface, or the filter is bad.
    pub fn open(options: &LiveOptions) -> Result<Self, LiveError> {
        let interface = named(&options.interface);
        let promiscuous = options.promiscuous && interface != "any";
        let mut opened = activate(options, &interface, promiscuous);
        if promiscuous && opened.as_ref().is_err_and(|error| matches!(blame(&interface, error), LiveError::Open { .. }))
        {
            // Where promiscuous mode is not supported libpcap only warns, which the crate takes for a failure.
            opened = activate(options, &interface, false);
        }
        let mut capture = opened.map_err(|error| blame(&interface, &error))?;
        let link_type = link_type(capture.get_datalink());
        let expression = options.filter.trim();
        if !expression.is_empty() {
            capture.filter(expression, true).map_err(|error| FilterError::Bad {
                expression: expression.to_owned(),
                link_type: link_type.name().map_or_else(|| link_type.0.to_string(), str::to_owned),
                reason: reason(&error),
            })?;
        }
        Ok(Self { capture, interface, link_type })
    }

    /// The interface's name.
    #[must_use]
    pub fn interface(&self) -> &str {
        &self.interface
    }

    /// What the frames' first byte is.
    #[must_use]
    pub fn link_type(&self) -> LinkType {
        self.link_type
    }

    /// Starts the capture thread. `stop` may be set by anyone, a signal handler too; it takes effect at the next
    /// [`LiveSource::next_batch`].
    ///
    /// # Errors
    /// When the thread cannot be started.
    pub fn start(mut self, stop: Arc<AtomicBool>) -> Result<LiveSource, LiveError> {
        let waker = self.capture.breakloop_handle();
        // One message per batch, and the end: sending never blocks.
        let (batches, queue) = mpsc::sync_channel(LIVE_BATCHES + 1);
        let (recycle, emptied) = mpsc::channel();
        let statistics = Arc::new(Mutex::new(Statistics::default()));
        let (interface, link_type) = (self.interface.clone(), self.link_type);
        let pump = Pump {
            link_type,
            stop: Arc::clone(&stop),
            current: None,
            made: 0,
            packets: 0,
            batches,
            emptied,
            recycle,
            statistics: Arc::clone(&statistics),
            gone: false,
            waited: false,
        };
        let spawned =
            thread::Builder::new().name("capture".to_owned()).spawn(move || run(self.capture, pump, &self.interface));
        match spawned {
            Ok(_) => Ok(LiveSource { queue, stop, waker, statistics, link_type, over: false }),
            Err(error) => Err(LiveError::Open { interface, reason: error.to_string() }),
        }
    }
}

fn activate(options: &LiveOptions, interface: &str, promiscuous: bool) -> Result<Capture<Active>, pcap::Error> {
    let signed = |number: usize| i32::try_from(number).unwrap_or(i32::MAX);
    let inactive = Capture::from_device(interface)?
        .promisc(promiscuous)
        .snaplen(signed(options.snaplen.clamp(1, DEFAULT_SNAPLEN) as usize))
        .buffer_size(signed(options.buffer_bytes))
        // 0 would mean to wait for ever on some systems.
        .timeout(signed(options.timeout_ms.max(1) as usize));
    let inactive = if DIGITS == 9 { inactive.precision(pcap::Precision::Nano) } else { inactive };
    inactive.open()
}

/// The name of the interface that is meant: a number counts as tcpdump's `-D` does, unless it is a name.
fn named(given: &str) -> String {
    let Ok(number) = given.parse::<usize>() else { return given.to_owned() };
    let list = interfaces().unwrap_or_default();
    if list.iter().any(|interface| interface.name == given) {
        return given.to_owned();
    }
    let chosen = number.checked_sub(1).and_then(|index| list.into_iter().nth(index));
    chosen.map_or_else(|| given.to_owned(), |interface| interface.name)
}

/// What libpcap's failure to open means. The crate gives libpcap's text without its code, so the text must do.
fn blame(interface: &str, error: &pcap::Error) -> LiveError {
    let (interface, reason) = (interface.to_owned(), reason(error));
    let says = |words: &[&str]| words.iter().any(|word| reason.contains(word));
    if says(&["ermission", "not permitted", "CAP_NET_RAW", "EPERM"]) {
        LiveError::Permission { interface }
    } else if says(&["No such device", "doesn't exist", "does not exist", "SIOCGIFHWADDR", "internal null"]) {
        LiveError::NoInterface { interface }
    } else {
        LiveError::Open { interface, reason }
    }
}

/// The memory of a batch, which goes round.
#[derive(Debug, Default)]
struct Store {
    bytes: Vec<u8>,
    packets: Vec<Kept>,
}

/// A packet in a batch; its bytes follow those of the one before.
#[derive(Debug)]
struct Kept {
    nanos: u64,
    captured: u32,
    original: u32,
}

impl Store {
    fn has_room(&self, bytes: usize) -> bool {
        self.packets.len() < LIVE_BATCH_PACKETS && self.bytes.len() + bytes <= LIVE_BATCH
    }

    fn keep(&mut self, packet: &Packet<'_>) {
        let time = packet.header.ts;
        // The fraction is in nanoseconds where that precision was asked for, whatever the field's name.
        let fraction = time.tv_usec as u64 * if DIGITS == 9 { 1 } else { 1000 };
        let nanos = (time.tv_sec as u64).saturating_mul(1_000_000_000).saturating_add(fraction);
        // Bounded by the snaplen, and at the least one batch holds one packet.
        self.bytes.extend_from_slice(packet.data);
        self.packets.push(Kept { nanos, captured: packet.data.len() as u32, original: packet.header.len });
    }
}

/// Packets as they came, in one piece of memory that returns to the capture thread when the batch is dropped.
#[derive(Debug)]
pub struct Batch {
    store: Store,
    /// How many packets came before this batch.
    before: u64,
    link_type: LinkType,
    statistics: Statistics,
    recycle: Sender<Store>,
}

impl Batch {
    /// The frames in order.
    pub fn frames(&self) -> impl Iterator<Item = Frame<'_>> {
        let mut rest = &self.store.bytes[..];
        self.store.packets.iter().zip(self.before + 1..).map(move |(kept, number)| {
            let (data, after) = rest.split_at((kept.captured as usize).min(rest.len()));
            rest = after;
            Frame {
                stamp: Stamp {
                    frame: FrameNumber(number),
                    time: Some(Timestamp { nanos: kept.nanos, digits: DIGITS }),
                },
                link_type: self.link_type,
                original_length: kept.original,
                data,
            }
        })
    }

    /// How many frames there are; at least one.
    #[must_use]
    pub fn count(&self) -> usize {
        self.store.packets.len()
    }

    /// The counters when the batch was sent, at most half a second old.
    #[must_use]
    pub fn statistics(&self) -> Statistics {
        self.statistics
    }
}

impl Drop for Batch {
    fn drop(&mut self) {
        // The thread may have ended, and then the memory is just freed.
        let _ = self.recycle.send(std::mem::take(&mut self.store));
    }
}

/// What [`LiveSource::next_batch`] brings.
#[derive(Debug)]
pub enum Event {
    /// Packets.
    Batch(Batch),
    /// None within the time given.
    Idle,
    /// The capture is over: it was stopped, or (with an error) it broke off.
    End(Option<LiveError>),
}

/// What goes through the queue.
enum Message {
    Batch(Batch),
    End(Option<LiveError>),
}

/// A running live capture, seen from the decoder. Dropping it stops the capture.
pub struct LiveSource {
    queue: Receiver<Message>,
    stop: Arc<AtomicBool>,
    waker: BreakLoop,
    statistics: Arc<Mutex<Statistics>>,
    link_type: LinkType,
    over: bool,
}

impl std::fmt::Debug for LiveSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "LiveSource({:?}, {:?})", self.link_type, self.statistics())
    }
}

impl LiveSource {
    /// The next batch, waited for at most `timeout`. After the stop flag was set, the batches already captured come
    /// first, then the end.
    pub fn next_batch(&mut self, timeout: Duration) -> Event {
        if self.over {
            return Event::End(None);
        }
        if self.stop.load(Ordering::Relaxed) {
            self.waker.breakloop();
        }
        match self.queue.recv_timeout(timeout) {
            Ok(Message::Batch(batch)) => Event::Batch(batch),
            Err(RecvTimeoutError::Timeout) => Event::Idle,
            Ok(Message::End(error)) => {
                self.over = true;
                Event::End(error)
            }
            Err(RecvTimeoutError::Disconnected) => {
                self.over = true;
                Event::End(None)
            }
        }
    }

    /// Asks the capture to end; [`Event::End`] comes after what was captured already.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
        self.waker.breakloop();
    }

    /// The counters, at most half a second behind while packets come, and final after [`Event::End`].
    #[must_use]
    pub fn statistics(&self) -> Statistics {
        *locked(&self.statistics)
    }

    /// What the frames' first byte is.
    #[must_use]
    pub fn link_type(&self) -> LinkType {
        self.link_type
    }
}

impl Drop for LiveSource {
    fn drop(&mut self) {
        // The thread is not waited for: it owns all that it needs, and ends by itself.
        self.stop();
    }
}

fn locked(statistics: &Mutex<Statistics>) -> MutexGuard<'_, Statistics> {
    // Numbers are whole at any time, whoever panicked while holding them.
    statistics.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The capture thread's end of the queue.
struct Pump {
    link_type: LinkType,
    stop: Arc<AtomicBool>,
    /// The batch being filled.
    current: Option<Store>,
    /// Batches made so far: 0 <= made <= LIVE_BATCHES.
    made: usize,
    packets: u64,
    batches: SyncSender<Message>,
    emptied: Receiver<Store>,
    /// A copy goes with every batch.
    recycle: Sender<Store>,
    statistics: Arc<Mutex<Statistics>>,
    /// Nobody listens any more, or the capture was stopped while it waited.
    gone: bool,
    /// It had to wait for an empty batch, and so the ring may have run over meanwhile.
    waited: bool,
}

impl Pump {
    fn stopped(&self) -> bool {
        self.gone || self.stop.load(Ordering::Relaxed)
    }

    fn take(&mut self, packet: &Packet<'_>) {
        if self.current.as_ref().is_some_and(|store| !store.has_room(packet.data.len())) {
            self.send();
        }
        if self.current.is_none() {
            self.current = self.empty();
        }
        if let Some(store) = &mut self.current {
            store.keep(packet);
            self.packets += 1;
        }
    }

    /// An empty batch, waited for where all are in use; `None` when the capture is stopped meanwhile.
    fn empty(&mut self) -> Option<Store> {
        loop {
            if let Ok(store) = self.emptied.try_recv() {
                return Some(cleared(store));
            }
            if self.made < LIVE_BATCHES {
                self.made += 1;
                return Some(Store::default());
            }
            if self.stopped() {
                self.gone = true;
                return None;
            }
            self.waited = true;
            if let Ok(store) = self.emptied.recv_timeout(STOP_INTERVAL) {
                return Some(cleared(store));
            }
        }
    }

    /// Sends what has been captured and not been sent.
    fn send(&mut self) {
        let Some(store) = self.current.take() else { return };
        let batch = Batch {
            before: self.packets - store.packets.len() as u64,
            store,
            link_type: self.link_type,
            statistics: *locked(&self.statistics),
            recycle: self.recycle.clone(),
        };
        self.gone |= self.batches.send(Message::Batch(batch)).is_err();
    }
}

fn cleared(mut store: Store) -> Store {
    store.bytes.clear();
    store.packets.clear();
    store
}

/// libpcap's counters have 32 bits, which a busy link fills in an hour: only their growth is used.
#[derive(Default)]
struct Counters {
    last: [u32; 3],
}

impl Counters {
    fn read(&mut self, capture: &mut Capture<Active>, statistics: &Mutex<Statistics>) {
        // Counters that cannot be read stay as they were: no reason to give up a capture that works.
        let Ok(told) = capture.stats() else { return };
        let now = [told.received, told.dropped, told.if_dropped];
        let grown = |index: usize| u64::from(now[index].wrapping_sub(self.last[index]));
        let mut statistics = locked(statistics);
        statistics.received += grown(0);
        statistics.dropped_by_kernel += grown(1);
        statistics.dropped_by_interface += grown(2);
        self.last = now;
    }
}

/// The capture thread.
fn run(mut capture: Capture<Active>, mut pump: Pump, interface: &str) {
    let mut counters = Counters::default();
    let mut read_at = Instant::now();
    let mut failure = None;
    while !pump.stopped() {
        if let Err(error) = capture.dispatch(Some(PACKETS_AT_ONCE), |packet| pump.take(&packet)) {
            // Stopping shows as an error without a text.
            if !pump.stopped() && error != pcap::Error::TimeoutExpired {
                let (interface, packets) = (interface.to_owned(), pump.packets);
                failure = Some(LiveError::Broke { interface, packets, reason: reason(&error) });
                break;
            }
        }
        // After a wait at once: a burst may have been the last traffic for long, and its losses be known only now.
        if std::mem::take(&mut pump.waited) || read_at.elapsed() >= STATISTICS_INTERVAL {
            counters.read(&mut capture, &pump.statistics);
            read_at = Instant::now();
        }
        pump.send();
    }
    counters.read(&mut capture, &pump.statistics);
    pump.send();
    // Nobody may be there to hear it.
    let _ = pump.batches.send(Message::End(failure));
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};

    fn options(filter: String) -> LiveOptions {
        LiveOptions { interface: "lo".to_owned(), filter, ..LiveOptions::default() }
    }

    fn open(filter: String) -> LiveCapture {
        match LiveCapture::open(&options(filter)) {
            Ok(capture) => capture,
            Err(error) => panic!("this test captures on lo and must run as root: {error}"),
        }
    }

    fn exchange(listener: &TcpListener, message: &[u8]) {
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut server, _) = listener.accept().unwrap();
        client.write_all(message).unwrap();
        let mut received = vec![0; message.len()];
        server.read_exact(&mut received).unwrap();
        assert_eq!(received, message);
    }

    #[test]
    fn a_tcp_exchange_on_loopback_comes_within_a_moment() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let capture = open(format!("tcp port {port}"));
        assert_eq!((capture.interface(), capture.link_type()), ("lo", LinkType::ETHERNET));
        let stop = Arc::new(AtomicBool::new(false));
        let mut source = capture.start(Arc::clone(&stop)).unwrap();
        let begun = Instant::now();
        exchange(&listener, b"*1\r\n$4\r\nPING\r\n");
        let mut numbers = Vec::new();
        let mut seen_after = None;
        while begun.elapsed() < Duration::from_secs(5) && seen_after.is_none() {
            let Event::Batch(batch) = source.next_batch(Duration::from_millis(100)) else { continue };
            assert!(batch.count() > 0);
            for frame in batch.frames() {
                numbers.push(frame.stamp.frame.0);
                assert_eq!(frame.stamp.time.unwrap().digits, DIGITS);
                assert_eq!(frame.original_length as usize, frame.data.len());
                if frame.data.ends_with(b"PING\r\n") {
                    seen_after = Some(begun.elapsed());
                }
            }
        }
        let seen_after = seen_after.expect("the PING was captured");
        assert!(seen_after < Duration::from_millis(500), "took {seen_after:?}");
        assert_eq!(numbers, (1..=numbers.len() as u64).collect::<Vec<_>>());
        stop.store(true, Ordering::Relaxed);
        assert!(ends(&mut source));
        assert!(source.statistics().received >= 4);
        assert_eq!(source.statistics().dropped_by_kernel, 0);
    }

    fn ends(source: &mut LiveSource) -> bool {
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(3) {
            if let Event::End(error) = source.next_batch(Duration::from_millis(50)) {
                return error.is_none();
            }
        }
        false
    }

    #[test]
    fn a_quiet_capture_is_idle_and_can_be_stopped() {
        let mut source = open("tcp port 1 and udp port 1 or icmp[0] == 99".to_owned())
            .start(Arc::new(AtomicBool::new(false)))
            .unwrap();
        assert!(matches!(source.next_batch(Duration::from_millis(30)), Event::Idle));
        source.stop();
        assert!(ends(&mut source));
        assert!(matches!(source.next_batch(Duration::ZERO), Event::End(None)));
    }

    #[test]
    fn a_decoder_that_holds_its_batches_stops_the_thread_not_the_memory() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let mut source = open(format!("tcp port {port}")).start(Arc::new(AtomicBool::new(false))).unwrap();
        let mut held = Vec::new();
        let begun = Instant::now();
        while held.len() < LIVE_BATCHES && begun.elapsed() < Duration::from_secs(10) {
            exchange(&listener, &[b'x'; 4000]);
            if let Event::Batch(batch) = source.next_batch(Duration::from_millis(50)) {
                held.push(batch);
            }
        }
        assert_eq!(held.len(), LIVE_BATCHES);
        exchange(&listener, b"more");
        assert!(matches!(source.next_batch(Duration::from_millis(100)), Event::Idle));
        held.clear();
        assert!(matches!(source.next_batch(Duration::from_millis(500)), Event::Batch(_)));
        source.stop();
        assert!(ends(&mut source));
    }

    #[test]
    fn errors_say_what_to_do() {
        let missing = LiveOptions { interface: "nosuch0".to_owned(), ..LiveOptions::default() };
        let error = LiveCapture::open(&missing).unwrap_err();
        assert_eq!(error.to_string(), "there is no interface \"nosuch0\"; repltool sniff -D lists those there are");
        let error = LiveCapture::open(&options("prot 1".to_owned())).unwrap_err();
        let text = error.to_string();
        assert!(matches!(error, LiveError::Filter(_)), "{text}");
        assert!(text.starts_with("the filter \"prot 1\" does not compile for link type ETHERNET: "), "{text}");
        let refused =
            pcap::Error::PcapError("Attempt to create packet socket failed - CAP_NET_RAW may be required".into());
        assert!(blame("lo", &refused).to_string().contains("sudo setcap cap_net_raw"));
    }

    #[test]
    fn the_interfaces_are_listed() {
        let list = interfaces().unwrap();
        let loopback = list.iter().find(|interface| interface.loopback).expect("a loopback interface");
        assert!(loopback.up && loopback.addresses.iter().all(IpAddr::is_loopback));
        assert_eq!(named("1"), list[0].name);
        assert_eq!(named("9999"), "9999");
    }

    #[test]
    fn any_is_captured_without_promiscuous_mode() {
        let any = LiveOptions { filter: "tcp port 1".to_owned(), ..LiveOptions::default() };
        let capture = LiveCapture::open(&any).unwrap();
        assert!(matches!(capture.link_type(), LinkType::LINUX_SLL | LinkType::LINUX_SLL2));
    }
}
