//! Snapshots for replicas: made off the thread that serves, sent at the pace of those who read them.
//!
//! The keyspace gives a snapshot's keys in portions between other work; a thread of its own compresses and writes them.
//! What is in flight between the two is bounded, and so is what waits for the slowest replica: then nothing more is
//! taken from the keyspace.

use std::cell::Cell;
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::rc::Rc;

use tokio::sync::mpsc;
use tokio::task::spawn_local;

use super::{Pipe, Shared};
use crate::engine::clients::SessionId;
use crate::engine::keyspace::{SnapshotId as Walk, Taken};
use crate::engine::log::Level;
use crate::engine::replication::Snapshot;
use crate::engine::save::{DumpWriter, Head};
use crate::repl::master::{self, ConnectionId, Form};
use crate::units::Moment;

/// Keys that are taken from the keyspace at a time.
const KEYS: usize = 256;

/// Portions of keys, and of bytes, that may be in flight.
pub(super) const IN_FLIGHT: usize = 4;

/// Bytes that may wait for a replica before the next are made.
const AHEAD: usize = 1 << 20;

/// Bytes that are read of a stored payload at once.
const PIECE: u64 = 64 << 10;

/// A snapshot that is being made, or is whole and stored.
pub(super) struct Making {
    file: Option<Rc<File>>,
    length: Cell<u64>,
}

/// A stored payload on its way to one replica.
pub(super) struct Payload {
    file: Rc<File>,
    at: u64,
    length: u64,
}

impl Payload {
    /// Appends the next piece to `out`; tells whether that was the last.
    pub(super) fn next(&mut self, out: &mut Vec<u8>) -> io::Result<bool> {
        let size = (self.length - self.at).min(PIECE) as usize;
        let start = out.len();
        out.resize(start + size, 0);
        if let Some(room) = out.get_mut(start..) {
            self.file.read_exact_at(room, self.at)?;
        }
        self.at += size as u64;
        Ok(self.at == self.length)
    }
}

/// Begins to make a snapshot.
pub(super) fn begin(shared: &Rc<Shared>, snapshot: Snapshot) {
    let file = match snapshot.begin.form {
        Form::Diskless => None,
        Form::Stored => match tempfile::tempfile() {
            Ok(file) => Some(Rc::new(file)),
            Err(error) => {
                shared.note(Level::Warning, &format!("A snapshot cannot be stored: {error}"));
                let shared = shared.clone();
                spawn_local(async move { failed(&shared, &snapshot) });
                return;
            }
        },
    };
    let making = Rc::new(Making { file, length: Cell::new(0) });
    shared.snapshots.borrow_mut().insert(snapshot.begin.id, making.clone());
    spawn_local(make(shared.clone(), snapshot, making));
}

/// Sends a stored snapshot on a connection.
pub(super) fn send(shared: &Rc<Shared>, connection: ConnectionId, id: master::SnapshotId) {
    let snapshots = shared.snapshots.borrow();
    let pipes = shared.pipes.borrow();
    if let (Some(making), Some(pipe)) = (snapshots.get(&id), pipes.get(&SessionId(connection.0)))
        && let Some(file) = &making.file
    {
        *pipe.payload.borrow_mut() = Some(Payload { file: file.clone(), at: 0, length: making.length.get() });
        pipe.wake.notify_one();
    }
}

fn failed(shared: &Rc<Shared>, snapshot: &Snapshot) {
    let mut engine = shared.engine.borrow_mut();
    if let Some(keys) = snapshot.keys {
        engine.keyspace.end_snapshot(keys);
    }
    engine.master.snapshot_failed(snapshot.begin.id, Moment::at(shared.now()));
    engine.collect(shared.now());
    shared.after_batch(&mut engine);
}

async fn make(shared: Rc<Shared>, snapshot: Snapshot, making: Rc<Making>) {
    let id = snapshot.begin.id;
    let head = {
        let engine = shared.engine.borrow();
        Head {
            header: snapshot.header,
            compress: engine.config.flag("rdbcompression"),
            checksum: engine.config.flag("rdbchecksum"),
            aux: snapshot.aux.clone(),
            functions: snapshot.functions.clone(),
            sizes: snapshot.sizes.clone(),
            uses: engine.told_uses(),
        }
    };
    let (keys_in, keys_out) = mpsc::channel::<Vec<Taken>>(IN_FLIGHT);
    let (bytes_in, mut bytes_out) = mpsc::channel::<Result<Vec<u8>, String>>(IN_FLIGHT);
    let thread =
        std::thread::Builder::new().name("snapshot".to_owned()).spawn(move || write(&head, keys_out, &bytes_in));
    if let Err(error) = thread {
        shared.note(Level::Warning, &format!("A snapshot cannot be made: {error}"));
        return failed(&shared, &snapshot);
    }
    let wanted = || shared.snapshots.borrow().contains_key(&id);
    let feed = async {
        if let Some(walk) = snapshot.keys {
            hand_over(&shared, walk, keys_in, wanted).await;
        }
    };
    let drain = async {
        while let Some(bytes) = bytes_out.recv().await {
            let bytes = match bytes {
                Ok(bytes) => bytes,
                Err(fault) => return Err(fault),
            };
            if !wanted() {
                return Err("nobody wants it any more".to_owned());
            }
            match &making.file {
                Some(file) => {
                    (&**file).write_all(&bytes).map_err(|error| error.to_string())?;
                    making.length.set(making.length.get() + bytes.len() as u64);
                }
                None => give(&shared, id, &bytes).await,
            }
        }
        Ok(())
    };
    // The channel of keys must be closed by whoever feeds it, with or without keys.
    let ((), done) = tokio::join!(feed, drain);
    let mut engine = shared.engine.borrow_mut();
    if let Some(keys) = snapshot.keys {
        engine.keyspace.end_snapshot(keys);
    }
    match done {
        Ok(()) if making.file.is_some() => {
            shared.note(Level::Notice, "Background saving terminated with success");
            engine.master.snapshot_ready(id, making.length.get(), Moment::at(shared.now()));
        }
        Ok(()) => {
            shared.note(Level::Notice, "Background RDB transfer terminated with success");
            engine.master.snapshot_finished(id, Moment::at(shared.now()));
            shared.snapshots.borrow_mut().remove(&id);
        }
        Err(fault) => {
            if wanted() {
                shared.note(Level::Warning, &format!("A snapshot failed: {fault}"));
            }
            shared.snapshots.borrow_mut().remove(&id);
            engine.master.snapshot_failed(id, Moment::at(shared.now()));
        }
    }
    engine.collect(shared.now());
    shared.after_batch(&mut engine);
}

/// Gives bytes to all who get this snapshot, and waits for those who lag.
async fn give(shared: &Rc<Shared>, id: master::SnapshotId, bytes: &[u8]) {
    let receivers: Vec<Rc<Pipe>> = {
        let engine = shared.engine.borrow();
        let pipes = shared.pipes.borrow();
        engine.master.receivers(id).filter_map(|id| pipes.get(&SessionId(id.0)).cloned()).collect()
    };
    for pipe in &receivers {
        pipe.out.borrow_mut().extend_from_slice(bytes);
        pipe.waiting.set(pipe.waiting.get() + bytes.len());
        pipe.wake.notify_one();
    }
    for pipe in &receivers {
        while pipe.waiting.get() > AHEAD && Rc::strong_count(pipe) > 1 {
            pipe.drained.notified().await;
        }
    }
}

/// Collects what a writer writes.
#[derive(Default)]
struct Bytes(Vec<u8>);

impl Write for Bytes {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Bytes that are handed over at a time.
const PORTION: usize = 64 << 10;

/// Hands the keys of a snapshot over to the writing thread, as long as it is wanted.
pub(super) async fn hand_over(
    shared: &Rc<Shared>,
    walk: Walk,
    keys: mpsc::Sender<Vec<Taken>>,
    wanted: impl Fn() -> bool,
) {
    loop {
        let mut batch = Vec::with_capacity(KEYS);
        let more = shared.engine.borrow_mut().keyspace.next_of_snapshot(walk, KEYS, |taken| batch.push(taken));
        if !wanted() || (!batch.is_empty() && keys.send(batch).await.is_err()) || !more {
            return;
        }
        // Others have their turn.
        tokio::task::yield_now().await;
    }
}

/// The writing thread.
pub(super) fn write(head: &Head, mut keys: mpsc::Receiver<Vec<Taken>>, bytes: &mpsc::Sender<Result<Vec<u8>, String>>) {
    if let Err(fault) = write_all(head, &mut keys, bytes) {
        let _ = bytes.blocking_send(Err(fault));
    }
}

fn write_all(
    head: &Head,
    keys: &mut mpsc::Receiver<Vec<Taken>>,
    bytes: &mpsc::Sender<Result<Vec<u8>, String>>,
) -> Result<(), String> {
    let mut writer = DumpWriter::new(Bytes::default(), head)?;
    while let Some(batch) = keys.blocking_recv() {
        for taken in batch {
            writer.key(&taken)?;
            if writer.sink().0.len() >= PORTION {
                let portion = std::mem::take(&mut writer.sink().0);
                bytes.blocking_send(Ok(portion)).map_err(|_| "nobody takes it".to_owned())?;
            }
        }
    }
    let rest = writer.finish()?;
    bytes.blocking_send(Ok(rest.0)).map_err(|_| "nobody takes it".to_owned())
}

impl Shared {
    /// All of a stored payload went out on a connection.
    pub(super) fn payload_sent(self: &Rc<Self>, connection: ConnectionId) {
        let mut engine = self.engine.borrow_mut();
        engine.master.payload_written(connection, Moment::at(self.now()));
        engine.collect(self.now());
        self.after_batch(&mut engine);
    }
}
