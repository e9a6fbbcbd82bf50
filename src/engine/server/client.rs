//! One connection: bytes in, batches of commands, answers out.

mod faulty;
mod room;

use std::io;
use std::rc::Rc;
use std::sync::PoisonError;
use std::time::Duration;

use tokio::net::TcpStream;

use self::room::{MOST, Room};
use super::fault::{Faults, Verdict};
use super::{Pipe, Shared};
use crate::engine::clients::{Closing, Kind, SessionId};
use crate::engine::core::Engine;
use crate::engine::reply::Reply;
use crate::engine::request::{Limits, Requests};
use crate::repl::master::ConnectionId;
use crate::units::Moment;

/// Slices of the stream that are written at once.
const SLICES: usize = 64;

/// Answers beyond this are sent before more commands of the batch are run.
const ENOUGH: usize = 1 << 20;

/// A connection's buffers.
#[derive(Default)]
pub(super) struct Connection {
    /// Bytes that came; those before `at` are done with.
    input: Vec<u8>,
    at: usize,
    requests: Requests,
    /// Answers; those before `sent` are out.
    output: Vec<u8>,
    sent: usize,
    room: Room,
    /// Nothing more is read.
    ended: bool,
    /// It is a replica's: the stream follows what is written.
    replica: bool,
    /// A stored payload is out as soon as the output is.
    payload_ends: bool,
    /// The socket took not all of the stream.
    stream_waits: bool,
    /// What goes wrong on purpose: everything that is written goes through it.
    faults: Option<Box<Faults>>,
    /// A fault wants it closed, all being out that was to be.
    cut: bool,
}

/// Serves a connection to its end.
pub(super) async fn run(shared: Rc<Shared>, id: SessionId, pipe: Rc<Pipe>) {
    // That a client goes away is no error of ours.
    let _ = serve(&shared, id, &pipe).await;
    shared.pipes.borrow_mut().remove(&id);
    pipe.drained.notify_waiters();
    let (ended, replica) = {
        let connection = pipe.connection.borrow();
        (connection.ended, connection.replica)
    };
    if let Some(tap) = &shared.direct.tap {
        tap.closed(id, ended);
    }
    let mut engine = shared.engine.borrow_mut();
    engine.leave(id);
    if replica {
        engine.master.closed(ConnectionId(id.0), Moment::at(shared.now()));
        engine.collect(shared.now());
        shared.after_batch(&mut engine);
    }
}

/// What a connection does next.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Next {
    Go,
    /// It is blocked: what comes waits.
    Wait,
    /// Answers are to be sent before more commands are run.
    Send,
    /// It waits until this time, in milliseconds since 1970.
    WaitUntil(i64),
    Close(Closing),
}

/// What a connection waits for before it goes on.
struct Wait {
    reads: bool,
    sends: bool,
    pause: Option<Duration>,
}

async fn serve(shared: &Rc<Shared>, id: SessionId, pipe: &Pipe) -> io::Result<()> {
    let socket = &pipe.socket;
    loop {
        // The connection is borrowed for so long as nothing is waited for.
        let step = pipe.connection.borrow_mut().step(shared, id, pipe)?;
        let Wait { reads, sends, pause } = match step {
            Step::End => return Ok(()),
            Step::HangUp => return faulty::hang_up(socket).await,
            Step::Again => {
                tokio::task::yield_now().await;
                continue;
            }
            Step::Wait(wait) => wait,
        };
        tokio::select! {
            biased;
            readable = socket.readable(), if reads => {
                readable?;
                pipe.connection.borrow_mut().read(shared, id, socket)?;
            }
            () = pipe.wake.notified() => {}
            writable = socket.writable(), if sends => writable?,
            // Made only where it is waited for: a timer reads the clock.
            () = async { tokio::time::sleep(pause.unwrap_or_default()).await }, if pause.is_some() => {}
        }
    }
}

/// What a connection's task does next.
enum Step {
    Wait(Wait),
    /// To look again, others having had their turn.
    Again,
    End,
    /// A fault has it closed.
    HangUp,
}

impl Connection {
    /// One that has come, with the faults that are due to it.
    pub(super) fn new(shared: &Shared) -> Self {
        let faults = shared.direct.faults.lock().unwrap_or_else(PoisonError::into_inner);
        let faults = (!faults.is_empty()).then(|| Box::new(Faults::new(&faults)));
        Self { faults, ..Self::default() }
    }

    /// Whether it is a client's on which nothing goes wrong on purpose.
    #[cfg(feature = "scripts")]
    pub(super) fn is_plain(&self) -> bool {
        !self.replica && self.faults.is_none() && !self.ended
    }

    /// Takes what a client has said while a script runs, and answers.
    #[cfg(feature = "scripts")]
    pub(super) fn hear(
        &mut self,
        shared: &Rc<Shared>,
        engine: &mut Engine,
        (id, pipe): (SessionId, &Pipe),
        bytes: &[u8],
        socket: &mut std::net::TcpStream,
    ) {
        self.input.drain(..self.at);
        self.at = 0;
        self.input.extend_from_slice(bytes);
        engine.stats.bytes_in += bytes.len() as u64;
        self.run_batch(shared, engine, id, pipe);
        // The runtime, which does not get its turn, would not say that the socket takes something. What fails here fails
        // again where somebody looks.
        let _ = self.send(shared, |bytes| io::Write::write(socket, bytes), id);
    }

    /// Runs what has come, sends what is ready; tells what is to be waited for.
    fn step(&mut self, shared: &Rc<Shared>, id: SessionId, pipe: &Pipe) -> io::Result<Step> {
        let next = self.batch(shared, id, pipe);
        self.send_all(shared, &pipe.socket, id, pipe)?;
        if self.cut {
            return Ok(Step::HangUp);
        }
        let next = if pipe.closes.get() { Next::Close(Closing::AfterReply) } else { next };
        match next {
            Next::Close(Closing::Now) => return Ok(Step::End),
            Next::Close(Closing::AfterReply) if self.sent == self.output.len() && !self.held() => {
                return Ok(Step::End);
            }
            _ => {}
        }
        let sends = self.sent < self.output.len() || self.stream_waits;
        pipe.full.set(sends || self.held());
        if next == Next::Send && !sends && !self.held() {
            // All went at once, so that nothing would wake this task for the commands that are left.
            return Ok(Step::Again);
        }
        // Not for a pause's sake either.
        if self.ended && !sends {
            return Ok(Step::End);
        }
        // What a blocked client says waits in the socket, but for so much as tells that it has gone.
        let reads = match next {
            _ if self.ended => false,
            Next::Go => true,
            Next::Wait | Next::Send | Next::WaitUntil(_) => self.input.len() - self.at < MOST,
            Next::Close(_) => false,
        };
        if reads {
            self.input.drain(..self.at);
            self.at = 0;
        }
        let pause = match next {
            Next::WaitUntil(until) => Some(Duration::from_millis(u64::try_from(until - shared.now()).unwrap_or(0))),
            _ => None,
        };
        let fault = self.faults.is_some().then(|| self.fault_pause(shared.now())).flatten();
        let pause = [pause, fault].into_iter().flatten().min();
        Ok(Step::Wait(Wait { reads, sends, pause }))
    }

    /// Reads what has come.
    fn read(&mut self, shared: &Shared, id: SessionId, socket: &TcpStream) -> io::Result<()> {
        let room = self.room.make(&mut self.input);
        let read = match socket.try_read_buf(&mut self.input) {
            Ok(read) => {
                self.room.read(read, room, self.input.len());
                read
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error),
        };
        if read == 0 {
            self.ended = true;
            return Ok(());
        }
        let mut engine = shared.engine.borrow_mut();
        engine.stats.bytes_in += read as u64;
        if let Some(session) = engine.clients.get_mut(id) {
            session.bytes_in += read as u64;
        }
        drop(engine);
        if let Some(tap) = &shared.direct.tap {
            let new = self.input.len() - read;
            tap.passed(id, true, self.input.get(new..).unwrap_or_default());
        }
        Ok(())
    }

    /// Sends what is written for the connection, then a stored payload, then the stream, each as far as it goes.
    fn send_all(&mut self, shared: &Rc<Shared>, writer: &TcpStream, id: SessionId, pipe: &Pipe) -> io::Result<()> {
        if let Some(mut faults) = self.faults.take() {
            let sent = self.send_through(&mut faults, shared, writer, id, pipe);
            self.faults = Some(faults);
            return sent;
        }
        loop {
            self.output.append(&mut pipe.out.borrow_mut());
            let before = self.output.len() - self.sent;
            self.room.answers(before);
            self.send(shared, |bytes| writer.try_write(bytes), id)?;
            let left = self.output.len() - self.sent;
            if left < before && !self.replica {
                let sent = (before - left) as u64;
                let mut engine = shared.engine.borrow_mut();
                engine.stats.bytes_out += sent;
                if let Some(session) = engine.clients.get_mut(id) {
                    session.bytes_out += sent;
                    session.output = left;
                    session.answer_room = self.room.told(&self.output);
                }
            }
            pipe.waiting.set(left);
            if left < before {
                pipe.drained.notify_waiters();
                if self.replica {
                    shared.engine.borrow_mut().master.payload_progress(ConnectionId(id.0), Moment::at(shared.now()));
                }
            }
            if left > 0 {
                return Ok(());
            }
            if self.take_payload(shared, id, pipe)? {
                continue;
            }
            return if self.replica { self.send_stream(shared, writer, id) } else { Ok(()) };
        }
    }

    /// Takes what goes behind the output and before the stream: the next piece of a stored payload, or the news that all
    /// of it is out. Tells whether there was something.
    fn take_payload(&mut self, shared: &Rc<Shared>, id: SessionId, pipe: &Pipe) -> io::Result<bool> {
        if std::mem::take(&mut self.payload_ends) {
            shared.payload_sent(ConnectionId(id.0));
            return Ok(true);
        }
        let mut payload = pipe.payload.borrow_mut();
        let Some(under_way) = payload.as_mut() else { return Ok(false) };
        if under_way.next(&mut self.output)? {
            *payload = None;
            self.payload_ends = true;
        }
        Ok(true)
    }

    /// Sends what of the stream is not sent yet, straight from where all replicas have it.
    fn send_stream(&mut self, shared: &Shared, writer: &TcpStream, id: SessionId) -> io::Result<()> {
        let (session, id) = (id, ConnectionId(id.0));
        let mut engine = shared.engine.borrow_mut();
        self.stream_waits = false;
        loop {
            let slices: Vec<io::IoSlice<'_>> = engine.master.stream(id).take(SLICES).map(io::IoSlice::new).collect();
            if slices.is_empty() {
                return Ok(());
            }
            match writer.try_write_vectored(&slices) {
                Ok(written) => {
                    if let Some(tap) = &shared.direct.tap {
                        let mut left = written;
                        for slice in &slices {
                            let part = slice.get(..left.min(slice.len())).unwrap_or_default();
                            tap.passed(session, false, part);
                            left -= part.len();
                        }
                    }
                    drop(slices);
                    engine.stats.stream_bytes_out += written as u64;
                    engine.master.stream_written(id, written);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.stream_waits = true;
                    return Ok(());
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Sends what is ready, as much as goes.
    fn send(
        &mut self,
        shared: &Shared,
        mut write: impl FnMut(&[u8]) -> io::Result<usize>,
        id: SessionId,
    ) -> io::Result<()> {
        while self.sent < self.output.len() {
            let waiting = self.output.get(self.sent..).unwrap_or_default();
            match write(waiting) {
                Ok(sent) => {
                    if let Some(tap) = &shared.direct.tap {
                        tap.passed(id, false, waiting.get(..sent).unwrap_or_default());
                    }
                    self.sent += sent;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        self.output.clear();
        self.sent = 0;
        if self.output.capacity() > ENOUGH {
            self.output.shrink_to(MOST);
        }
        Ok(())
    }

    /// Runs the commands that are whole.
    fn batch(&mut self, shared: &Rc<Shared>, id: SessionId, pipe: &Pipe) -> Next {
        let mut engine = shared.engine.borrow_mut();
        let next = self.run_batch(shared, &mut engine, id, pipe);
        shared.after_batch(&mut engine);
        next
    }

    fn run_batch(&mut self, shared: &Rc<Shared>, engine: &mut Engine, id: SessionId, pipe: &Pipe) -> Next {
        let Some(mut session) = engine.clients.take(id) else { return Next::Close(Closing::Now) };
        let now = shared.now();
        session.paused = false;
        // What others wrote for it came before the answers to what it says now.
        self.output.append(&mut pipe.out.borrow_mut());
        let mut reply = Reply::over(std::mem::take(&mut self.output), session.resp3);
        let known = Limits { arguments: 1 << 20, argument: engine.max_bulk };
        let next = loop {
            if let Some(closing) = session.closing {
                break Next::Close(closing);
            }
            if session.blocked.is_some() {
                break Next::Wait;
            }
            // DEBUG SLEEP: what comes behind it waits.
            if engine.sleep_for.is_some() || reply.len() - self.sent > ENOUGH {
                break Next::Send;
            }
            let limits = if engine.is_admitted(&session) { known } else { Limits::STRANGER };
            let bytes = self.input.get(self.at..).unwrap_or_default();
            let length = match self.requests.next(bytes, limits) {
                Ok(Some(length)) => length,
                Ok(None) => break Next::Go,
                Err(error) => {
                    reply.error(&crate::engine::CommandError::new(error.to_string()));
                    session.closing = Some(Closing::AfterReply);
                    continue;
                }
            };
            let args = self.requests.args(bytes, length);
            if session.kind == Kind::Replica {
                let words: Vec<&[u8]> = args.from(0).collect();
                if words.is_empty() {
                    engine.master.newline(ConnectionId(id.0), Moment::at(now));
                } else {
                    let pending = reply.len() > self.sent;
                    let faults = self.faults.as_mut();
                    let verdict = faults.map_or(Verdict::NONE, |faults| faults.command(&words, reply.len()));
                    if verdict.runs {
                        let answer = engine.replica_command(&mut session, &words, pending, now);
                        reply.raw(verdict.answer.as_ref().unwrap_or(&answer));
                    } else {
                        reply.raw(&verdict.answer.unwrap_or_default());
                    }
                }
                self.at += length;
                continue;
            }
            if !args.is_empty() {
                if let Some(until) = engine.paused_until(&session, args, now) {
                    self.requests.again();
                    session.paused = true;
                    break Next::WaitUntil(until);
                }
                let before = reply.len();
                let verdict = match &mut self.faults {
                    None => Verdict::NONE,
                    Some(faults) => faults.command(&args.from(0).collect::<Vec<_>>(), before),
                };
                session.input = self.room_for_input();
                if verdict.runs {
                    engine.execute(&mut session, args, &mut reply, now);
                }
                if let Some(answer) = verdict.answer {
                    reply.truncate(before);
                    reply.raw(&answer);
                }
                if engine.sleep_for.is_none() {
                    engine.serve_ready(now, &mut |id, bytes| shared.deliver(id, bytes));
                }
            }
            self.at += length;
        };
        self.output = reply.take();
        self.replica = session.kind == Kind::Replica;
        session.output = self.output.len() - self.sent;
        session.input = self.room_for_input();
        engine.clients.put(session);
        next
    }
}
