//! Bounded memory for what may be larger: beyond a bound, bytes go to temporary files without a name.
//!
//! [`Spool`] keeps bytes in the order in which they came; [`Sorter`] gives records back in the order of their keys. Both
//! cost no file as long as the bound is not reached, and their files are gone with them, whatever becomes of the process.
//! The files lie in the directory that TMPDIR names, else in the system's own.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::PathBuf;
use std::sync::mpsc::{self, SyncSender};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;

use crate::bounds::{SPILL_AHEAD, SPILL_READ, SPILL_RUNS};

/// A temporary file that could not be used.
#[derive(Debug, thiserror::Error)]
#[error("a temporary file in {} cannot be {doing}: {error} (TMPDIR chooses the directory)", folder.display())]
pub struct SpillError {
    /// The directory that holds it.
    pub folder: PathBuf,
    /// `made`, `written` or `read`.
    pub doing: &'static str,
    /// What the system says.
    #[source]
    pub error: io::Error,
}

impl SpillError {
    fn new(doing: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |error| Self { folder: std::env::temp_dir(), doing, error }
    }
}

/// Bytes for a file, and whoever waits for them to be there.
#[derive(Debug)]
struct Writing {
    file: Arc<File>,
    at: u64,
    bytes: Vec<u8>,
    progress: Arc<Progress>,
}

/// How far a spool's file has got.
#[derive(Debug, Default)]
struct Progress {
    /// Bytes that were dealt with, and the first error.
    state: Mutex<(u64, Option<io::Error>)>,
    changed: Condvar,
}

impl Progress {
    /// Counts bytes that were written, or not.
    fn add(&self, bytes: u64, written: io::Result<()>) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.0 += bytes;
        if let Err(error) = written {
            state.1.get_or_insert(error);
        }
        self.changed.notify_all();
    }

    /// The first error there was, once.
    fn check(&self) -> io::Result<()> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).1.take().map_or(Ok(()), Err)
    }

    /// Waits until so many bytes were dealt with.
    fn wait(&self, bytes: u64) -> io::Result<()> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let mut state = self.changed.wait_while(state, |state| state.0 < bytes).unwrap_or_else(PoisonError::into_inner);
        state.1.take().map_or(Ok(()), Err)
    }
}

/// Writes the files of spools in a thread of its own, so that who fills them need not wait for the system to copy. At most
/// [`SPILL_AHEAD`] pieces wait for it, all spools together; it ends when the last spool that uses it is gone.
#[derive(Clone, Debug)]
pub struct Behind {
    sender: SyncSender<Writing>,
    spare: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Behind {
    /// Starts the thread.
    ///
    /// # Errors
    /// When the system has no thread to give.
    pub fn start() -> io::Result<Self> {
        let (sender, jobs) = mpsc::sync_channel::<Writing>(SPILL_AHEAD);
        let spare = Arc::new(Mutex::new(Vec::new()));
        let done = Arc::clone(&spare);
        thread::Builder::new().name("spill".to_owned()).spawn(move || {
            while let Ok(Writing { file, at, mut bytes, progress }) = jobs.recv() {
                progress.add(bytes.len() as u64, write_at(&file, at, &bytes));
                bytes.clear();
                done.lock().unwrap_or_else(PoisonError::into_inner).push(bytes);
            }
        })?;
        Ok(Self { sender, spare })
    }

    /// A buffer that was written, to be filled again.
    fn spare(&self) -> Vec<u8> {
        self.spare.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default()
    }
}

fn write_at(mut file: &File, at: u64, bytes: &[u8]) -> io::Result<()> {
    file.seek(SeekFrom::Start(at)).and_then(|_| file.write_all(bytes))
}

/// Bytes in order. Up to the bound they are held in memory; from then on they go to a file, and only the latest are held.
#[derive(Debug)]
pub struct Spool {
    bound: usize,
    file: Option<Arc<File>>,
    /// Who writes the file, unless the spool does it itself.
    behind: Option<Behind>,
    progress: Arc<Progress>,
    /// Bytes in the file.
    filed: u64,
    /// Those behind them. Invariant: no longer than the bound, unless a file could not be used.
    tail: Vec<u8>,
}

impl Spool {
    /// A spool that holds at most `bound` bytes in memory.
    #[must_use]
    pub fn new(bound: usize) -> Self {
        Self { bound, file: None, behind: None, progress: Arc::default(), filed: 0, tail: Vec::new() }
    }

    /// A spool whose file is written by another thread. An error is told when it is next filled or read.
    #[must_use]
    pub fn behind(bound: usize, behind: Behind) -> Self {
        Self { behind: Some(behind), ..Self::new(bound) }
    }

    /// How many bytes it has.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.filed + self.tail.len() as u64
    }

    /// Whether it has none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All bytes, where none had to go to a file.
    #[must_use]
    pub fn in_memory(&self) -> Option<&[u8]> {
        self.file.is_none().then_some(&self.tail)
    }

    /// Forgets all bytes, the file too.
    pub fn clear(&mut self) {
        self.tail.clear();
        self.file = None;
        self.progress = Arc::default();
        self.filed = 0;
    }

    /// Adds bytes at the end.
    ///
    /// # Errors
    /// When the temporary file cannot be made or written, as on a full disk.
    pub fn append(&mut self, bytes: &[u8]) -> Result<(), SpillError> {
        if self.tail.len() + bytes.len() > self.bound {
            self.file_away()?;
            if bytes.len() > self.bound {
                return self.write(bytes);
            }
        }
        self.tail.extend_from_slice(bytes);
        Ok(())
    }

    fn file_away(&mut self) -> Result<(), SpillError> {
        if self.tail.is_empty() {
            return Ok(());
        }
        if let Some(behind) = self.behind.clone() {
            self.progress.check().map_err(SpillError::new("written"))?;
            let (file, at, progress) = (self.file()?, self.filed, Arc::clone(&self.progress));
            let bytes = std::mem::replace(&mut self.tail, behind.spare());
            self.filed += bytes.len() as u64;
            let lost = |_| io::Error::from(io::ErrorKind::BrokenPipe);
            let job = Writing { file, at, bytes, progress };
            return behind.sender.send(job).map_err(lost).map_err(SpillError::new("written"));
        }
        let tail = std::mem::take(&mut self.tail);
        let written = self.write(&tail);
        self.tail = tail;
        if written.is_ok() {
            self.tail.clear();
        }
        written
    }

    fn file(&mut self) -> Result<Arc<File>, SpillError> {
        if let Some(file) = &self.file {
            return Ok(Arc::clone(file));
        }
        let file = Arc::new(tempfile::tempfile().map_err(SpillError::new("made"))?);
        Ok(Arc::clone(self.file.insert(file)))
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), SpillError> {
        let file = self.file()?;
        self.settle("written")?;
        write_at(&file, self.filed, bytes).map_err(SpillError::new("written"))?;
        self.filed += bytes.len() as u64;
        self.progress.add(bytes.len() as u64, Ok(()));
        Ok(())
    }

    /// Waits until all that is filed is in the file.
    fn settle(&self, doing: &'static str) -> Result<(), SpillError> {
        if self.behind.is_some() { self.progress.wait(self.filed).map_err(SpillError::new(doing)) } else { Ok(()) }
    }

    /// Copies bytes from `offset` on; gives how many, fewer than there is room for only at the end.
    ///
    /// # Errors
    /// When the temporary file cannot be read.
    pub fn read_at(&mut self, offset: u64, into: &mut [u8]) -> Result<usize, SpillError> {
        let mut done = 0;
        if offset < self.filed {
            self.settle("written")?;
        }
        if let Some(mut file) = self.file.as_deref()
            && offset < self.filed
        {
            let wanted = usize::try_from(self.filed - offset).map_or(into.len(), |left| left.min(into.len()));
            let place = into.get_mut(..wanted).unwrap_or_default();
            file.seek(SeekFrom::Start(offset)).and_then(|_| file.read_exact(place)).map_err(SpillError::new("read"))?;
            done = wanted;
        }
        let behind = usize::try_from((offset + done as u64).saturating_sub(self.filed)).unwrap_or(usize::MAX);
        let from = self.tail.get(behind..).unwrap_or_default();
        let place = into.get_mut(done..).unwrap_or_default();
        let wanted = from.len().min(place.len());
        for (to, from) in place.iter_mut().zip(from) {
            *to = *from;
        }
        Ok(done + wanted)
    }

    /// Reads all of it from the beginning.
    pub fn reader(&mut self) -> SpoolReader<'_> {
        SpoolReader { spool: self, cursor: Cursor::default() }
    }
}

/// Reads a [`Spool`] in order.
#[derive(Debug)]
pub struct SpoolReader<'a> {
    spool: &'a mut Spool,
    cursor: Cursor,
}

impl SpoolReader<'_> {
    /// The next `size` bytes; fewer at the end.
    ///
    /// # Errors
    /// When the temporary file cannot be read.
    pub fn take(&mut self, size: usize) -> Result<&[u8], SpillError> {
        self.cursor.fill(self.spool, size)?;
        Ok(self.cursor.take(size))
    }

    /// The next eight bytes as a little-endian number; `None` at the end.
    ///
    /// # Errors
    /// When the temporary file cannot be read.
    pub fn number(&mut self) -> Result<Option<u64>, SpillError> {
        Ok(self.take(8)?.first_chunk().map(|bytes| u64::from_le_bytes(*bytes)))
    }
}

/// A place in a spool, and what was read from there.
#[derive(Debug, Default)]
struct Cursor {
    /// Offset in the spool of what is to be read next.
    next: u64,
    buffer: Vec<u8>,
    /// The part of the buffer that was not taken yet. Invariant: from <= to <= buffer.len().
    from: usize,
    to: usize,
}

impl Cursor {
    /// Reads until `size` bytes can be taken, or all there are.
    #[inline]
    fn fill(&mut self, spool: &mut Spool, size: usize) -> Result<(), SpillError> {
        if self.to - self.from >= size { Ok(()) } else { self.read(spool, size) }
    }

    fn read(&mut self, spool: &mut Spool, size: usize) -> Result<(), SpillError> {
        self.buffer.copy_within(self.from..self.to, 0);
        (self.from, self.to) = (0, self.to - self.from);
        // Of what is announced no more is believed than there is.
        let left = spool.len().saturating_sub(self.next);
        let left = usize::try_from(left).unwrap_or(usize::MAX).saturating_add(self.to);
        let room = size.max(SPILL_READ).min(left);
        if self.buffer.len() < room {
            self.buffer.resize(room, 0);
        }
        let read = spool.read_at(self.next, self.buffer.get_mut(self.to..).unwrap_or_default())?;
        self.next += read as u64;
        self.to += read;
        Ok(())
    }

    #[inline]
    fn take(&mut self, size: usize) -> &[u8] {
        let begin = self.from;
        self.from = self.to.min(begin.saturating_add(size));
        self.buffer.get(begin..self.from).unwrap_or_default()
    }
}

/// What a [`Sorter`] may hold, in bytes.
#[derive(Clone, Copy, Debug)]
pub struct SortBounds {
    /// Records that wait to be sorted, their index included.
    pub records: usize,
    /// Buffers in front of the sorted runs while they are merged. A single record may be longer, which leaves two runs
    /// at a time.
    pub buffers: usize,
}

/// Sorts records by their keys, byte by byte; records of the same key stay in the order in which they came.
///
/// Records are collected up to the bound, sorted, and written as a run to a file. When there are as many runs as can be
/// merged at once they become one longer run, and those of the same length one that is longer still, so that each record
/// is written as often as the number of runs has digits.
#[derive(Debug)]
pub struct Sorter {
    bounds: SortBounds,
    batch: Batch,
    /// Runs by how often they were merged, the oldest first.
    levels: Vec<Vec<Run>>,
    /// With what all keys begin, so that comparisons begin behind it.
    common: Vec<u8>,
    longest: usize,
    count: u64,
}

/// A record's lengths stand in front of it.
const HEAD: usize = 8;

/// So much at most is looked at for what all keys begin with.
const MAX_COMMON: usize = 256;

/// Eight bytes of a key, behind what it shares with all others, as a number that has their order; zeros where it ends.
#[inline]
fn prefix(key: &[u8], common: usize) -> u64 {
    let rest = key.get(common..).unwrap_or_default();
    if let Some(bytes) = rest.first_chunk() {
        return u64::from_be_bytes(*bytes);
    }
    rest.iter().zip((0..8).rev()).fold(0, |number, (&byte, place)| number | u64::from(byte) << (8 * place))
}

impl Sorter {
    /// A sorter within these bounds.
    #[must_use]
    pub fn new(bounds: SortBounds) -> Self {
        Self { bounds, batch: Batch::default(), levels: Vec::new(), common: Vec::new(), longest: 0, count: 0 }
    }

    /// How many records it has.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Forgets all records.
    pub fn clear(&mut self) {
        self.batch.clear();
        self.levels.clear();
        (self.longest, self.count) = (0, 0);
    }

    /// Adds a record. Key and value are each shorter than 4 GiB; what is beyond is cut off.
    ///
    /// # Errors
    /// When a temporary file cannot be used.
    pub fn push(&mut self, key: &[u8], value: &[u8]) -> Result<(), SpillError> {
        let size = HEAD + key.len() + value.len();
        if !self.batch.index.is_empty() && self.batch.size() + size + size_of::<Entry>() > self.bounds.records {
            self.spill()?;
        }
        if self.count == 0 {
            self.common.clear();
            self.common.extend_from_slice(key.get(..key.len().min(MAX_COMMON)).unwrap_or_default());
        } else if !key.starts_with(&self.common) {
            let same = self.common.iter().zip(key).take_while(|(a, b)| a == b).count();
            self.common.truncate(same);
        }
        self.longest = self.longest.max(size);
        self.count += 1;
        self.batch.push(key, value, self.bounds.records);
        Ok(())
    }

    /// How many runs are merged at once.
    fn fan_in(&self) -> usize {
        (self.bounds.buffers / self.longest.max(SPILL_READ)).clamp(2, SPILL_RUNS)
    }

    /// Makes a run of what is collected, and longer runs of as many as there may be.
    fn spill(&mut self) -> Result<(), SpillError> {
        self.batch.sort(self.common.len());
        let mut run = Run::default();
        for at in 0..self.batch.index.len() {
            run.spool.append(self.batch.stored(at))?;
        }
        self.batch.clear();
        let fan_in = self.fan_in();
        for level in 0.. {
            if self.levels.len() == level {
                self.levels.push(Vec::new());
            }
            let Some(runs) = self.levels.get_mut(level) else { break };
            runs.push(run);
            if runs.len() < fan_in {
                break;
            }
            run = merge(std::mem::take(runs), self.common.len())?;
        }
        Ok(())
    }

    /// All records, sorted.
    ///
    /// # Errors
    /// When a temporary file cannot be used.
    pub fn finish(mut self) -> Result<Sorted, SpillError> {
        if self.levels.is_empty() {
            self.batch.sort(self.common.len());
            return Ok(Sorted { batch: self.batch, next: 0, merge: None });
        }
        if !self.batch.index.is_empty() {
            self.spill()?;
        }
        let fan_in = self.fan_in();
        let mut runs: Vec<Run> = std::mem::take(&mut self.levels).into_iter().rev().flatten().collect();
        while runs.len() > fan_in {
            // The latest are the shortest.
            let latest = runs.split_off(runs.len() - (runs.len() - fan_in + 1).min(fan_in));
            let merged = merge(latest, self.common.len())?;
            runs.push(merged);
        }
        Ok(Sorted { batch: Batch::default(), next: 0, merge: Some(Merge::new(runs, self.common.len())?) })
    }
}

/// Records in memory.
#[derive(Debug, Default)]
struct Batch {
    bytes: Vec<u8>,
    index: Vec<Entry>,
}

/// A record's place, and once they are sorted the [`prefix`] of its key, which decides most comparisons.
#[derive(Clone, Copy, Debug)]
struct Entry {
    prefix: u64,
    at: usize,
}

impl Batch {
    fn size(&self) -> usize {
        self.bytes.len() + self.index.len() * size_of::<Entry>()
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.index.clear();
    }

    fn push(&mut self, key: &[u8], value: &[u8], bound: usize) {
        let key = key.get(..key.len().min(u32::MAX as usize)).unwrap_or_default();
        let value = value.get(..value.len().min(u32::MAX as usize)).unwrap_or_default();
        // A vector that doubles could hold twice the bound.
        let needed = self.bytes.len() + HEAD + key.len() + value.len();
        if needed > self.bytes.capacity() {
            let wanted = (2 * self.bytes.capacity()).clamp(needed, needed.max(bound));
            self.bytes.reserve_exact(wanted - self.bytes.len());
        }
        self.index.push(Entry { prefix: 0, at: self.bytes.len() });
        self.bytes.extend_from_slice(&(key.len() as u32).to_le_bytes());
        self.bytes.extend_from_slice(&(value.len() as u32).to_le_bytes());
        self.bytes.extend_from_slice(key);
        self.bytes.extend_from_slice(value);
    }

    fn sort(&mut self, common: usize) {
        let Self { bytes, index } = self;
        let key = |entry: &Entry| record(bytes.get(entry.at..).unwrap_or_default()).key;
        for entry in &mut *index {
            entry.prefix = prefix(key(entry), common);
        }
        index.sort_unstable_by(|a, b| {
            a.prefix.cmp(&b.prefix).then_with(|| key(a).cmp(key(b))).then_with(|| a.at.cmp(&b.at))
        });
    }

    /// The bytes of the record at this place in the order, its lengths included.
    fn stored(&self, place: usize) -> &[u8] {
        let from = self.index.get(place).and_then(|entry| self.bytes.get(entry.at..)).unwrap_or_default();
        from.get(..stored_length(from)).unwrap_or_default()
    }
}

/// The length of the record that begins here, its lengths included.
#[inline]
fn stored_length(bytes: &[u8]) -> usize {
    lengths(bytes).map_or(0, |(key, value)| HEAD + key + value)
}

#[inline]
fn lengths(bytes: &[u8]) -> Option<(usize, usize)> {
    let (key, rest) = bytes.split_first_chunk()?;
    let value = rest.first_chunk()?;
    Some((u32::from_le_bytes(*key) as usize, u32::from_le_bytes(*value) as usize))
}

/// The record that begins here.
#[inline]
fn record(bytes: &[u8]) -> Record<'_> {
    let Some((key, value)) = lengths(bytes) else { return Record::default() };
    let value_at = HEAD + key;
    Record {
        key: bytes.get(HEAD..value_at).unwrap_or_default(),
        value: bytes.get(value_at..value_at + value).unwrap_or_default(),
    }
}

/// A record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Record<'a> {
    /// What it is sorted by.
    pub key: &'a [u8],
    /// What came with it.
    pub value: &'a [u8],
}

/// Records in a file, sorted, and the place up to which they were read.
#[derive(Debug)]
struct Run {
    spool: Spool,
    cursor: Cursor,
    /// That of the next record's key.
    prefix: u64,
}

impl Default for Run {
    fn default() -> Self {
        Self { spool: Spool::new(SPILL_READ), cursor: Cursor::default(), prefix: 0 }
    }
}

impl Run {
    /// The record that is next.
    #[inline]
    fn record(&self) -> Record<'_> {
        record(self.left())
    }

    #[inline]
    fn left(&self) -> &[u8] {
        self.cursor.buffer.get(self.cursor.from..self.cursor.to).unwrap_or_default()
    }

    /// Has the next record in the buffer; tells whether there is one.
    fn load(&mut self, common: usize) -> Result<bool, SpillError> {
        self.cursor.fill(&mut self.spool, HEAD)?;
        let length = stored_length(self.left());
        self.cursor.fill(&mut self.spool, length)?;
        self.prefix = prefix(self.record().key, common);
        Ok(length > 0)
    }

    fn pass(&mut self, common: usize) -> Result<bool, SpillError> {
        let length = stored_length(self.left());
        self.cursor.take(length);
        self.load(common)
    }
}

fn merge(runs: Vec<Run>, common: usize) -> Result<Run, SpillError> {
    let (mut merge, mut merged) = (Merge::new(runs, common)?, Run::default());
    while let Some(run) = merge.front()? {
        let length = stored_length(run.left());
        merged.spool.append(run.left().get(..length).unwrap_or_default())?;
    }
    Ok(merged)
}

/// Several runs on the way to be one.
#[derive(Debug)]
struct Merge {
    /// All of them, the oldest first.
    runs: Vec<Run>,
    /// A heap of those that have records left, the one with the least record on top.
    heap: Vec<usize>,
    /// The record on top was given.
    given: bool,
    /// So many bytes are the same in all keys.
    common: usize,
}

impl Merge {
    fn new(mut runs: Vec<Run>, common: usize) -> Result<Self, SpillError> {
        let mut heap = Vec::with_capacity(runs.len());
        for (number, run) in runs.iter_mut().enumerate() {
            if run.load(common)? {
                heap.push(number);
            }
        }
        let mut merge = Self { runs, heap, given: false, common };
        for place in (0..merge.heap.len() / 2).rev() {
            merge.sink(place);
        }
        Ok(merge)
    }

    /// The run whose next record is the least that was not given yet.
    fn front(&mut self) -> Result<Option<&Run>, SpillError> {
        if std::mem::replace(&mut self.given, true)
            && let Some(&top) = self.heap.first()
            && let Some(run) = self.runs.get_mut(top)
        {
            if !run.pass(self.common)? {
                self.heap.swap_remove(0);
            }
            self.sink(0);
        }
        Ok(self.heap.first().and_then(|&top| self.runs.get(top)))
    }

    fn is_before(&self, a: usize, b: usize) -> bool {
        let (Some(first), Some(second)) = (self.runs.get(a), self.runs.get(b)) else { return false };
        first
            .prefix
            .cmp(&second.prefix)
            .then_with(|| first.record().key.cmp(second.record().key))
            .then(a.cmp(&b))
            .is_lt()
    }

    /// Lets what stands at this place of the heap go down to where it belongs.
    fn sink(&mut self, mut place: usize) {
        while let Some(&own) = self.heap.get(place) {
            let mut child = 2 * place + 1;
            let (Some(&left), right) = (self.heap.get(child), self.heap.get(child + 1)) else { return };
            let mut least = left;
            if let Some(&right) = right
                && self.is_before(right, left)
            {
                (child, least) = (child + 1, right);
            }
            if !self.is_before(least, own) {
                return;
            }
            self.heap.swap(place, child);
            place = child;
        }
    }
}

/// Gives sorted records, one after the other.
#[derive(Debug)]
pub struct Sorted {
    batch: Batch,
    next: usize,
    merge: Option<Merge>,
}

impl Sorted {
    /// The next record; `None` after the last.
    ///
    /// # Errors
    /// When a temporary file cannot be read.
    #[allow(clippy::should_implement_trait, reason = "what it gives borrows from it, and it may fail")]
    pub fn next(&mut self) -> Result<Option<Record<'_>>, SpillError> {
        if let Some(merge) = &mut self.merge {
            return Ok(merge.front()?.map(Run::record));
        }
        let place = self.next;
        self.next += 1;
        Ok((place < self.batch.index.len()).then(|| record(self.batch.stored(place))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_spool_gives_back_what_came() {
        let behind = Behind::start().unwrap();
        let all = [0, 1, 10, 1000, 1 << 20].map(|bound| [(bound, None), (bound, Some(behind.clone()))]);
        for (bound, behind) in all.into_iter().flatten() {
            let mut spool = behind.map_or_else(|| Spool::new(bound), |behind| Spool::behind(bound, behind));
            let mut all = Vec::new();
            for round in 0..300_usize {
                let bytes = vec![round as u8; round % 40];
                spool.append(&bytes).unwrap();
                all.extend_from_slice(&bytes);
            }
            assert_eq!(spool.len(), all.len() as u64);
            assert_eq!(spool.in_memory().is_none(), bound < all.len(), "{bound}");
            assert!(spool.tail.capacity() <= 2 * bound.max(8) || bound >= all.len());
            let (mut reader, mut read) = (spool.reader(), Vec::new());
            for size in (1..).map(|size| size % 77) {
                let taken = reader.take(size).unwrap();
                if taken.is_empty() && size > 0 {
                    break;
                }
                read.extend_from_slice(taken);
            }
            assert_eq!(read, all);
            for offset in [0, 5, 999, 1001, 5000, all.len() - 3, all.len(), all.len() + 9] {
                let mut some = [0; 50];
                let size = spool.read_at(offset as u64, &mut some).unwrap();
                let expected = all.get(offset..).unwrap_or_default();
                assert_eq!(&some[..size], &expected[..expected.len().min(50)]);
            }
            spool.clear();
            assert_eq!((spool.len(), spool.file.is_none()), (0, true));
            spool.append(b"again").unwrap();
            assert_eq!(spool.reader().take(100).unwrap(), b"again");
        }
    }

    #[test]
    fn an_error_behind_is_told_once_and_nobody_waits_for_ever() {
        let mut spool = Spool::behind(4, Behind::start().unwrap());
        // A file that cannot be written.
        spool.file = Some(Arc::new(File::open("/dev/null").unwrap()));
        spool.append(b"0123").unwrap();
        spool.append(b"4567").unwrap();
        let mut some = [0; 8];
        let error = spool.read_at(0, &mut some).unwrap_err();
        assert_eq!(error.doing, "written");
    }

    #[test]
    fn a_length_is_not_believed_before_the_bytes_are_there() {
        let mut spool = Spool::new(4);
        spool.append(b"0123456789").unwrap();
        let mut reader = spool.reader();
        assert_eq!(reader.take(usize::MAX).unwrap(), b"0123456789");
        assert!(reader.cursor.buffer.len() <= SPILL_READ);
        assert_eq!(reader.number().unwrap(), None);
    }

    #[test]
    fn an_error_names_the_directory() {
        let error = SpillError::new("written")(io::Error::from(io::ErrorKind::StorageFull));
        let text = error.to_string();
        assert!(text.contains(&*std::env::temp_dir().to_string_lossy()) && text.contains("written"), "{text}");
    }

    type Pair = (Vec<u8>, Vec<u8>);

    fn sorted(bounds: SortBounds, records: &[Pair]) -> (Vec<Pair>, usize) {
        let mut sorter = Sorter::new(bounds);
        let mut files = 0;
        for (key, value) in records {
            sorter.push(key, value).unwrap();
            files = files.max(sorter.levels.iter().map(Vec::len).sum());
            assert!(sorter.batch.size() <= bounds.records.max(sorter.longest + size_of::<Entry>()));
        }
        assert_eq!(sorter.count(), records.len() as u64);
        let (mut sorted, mut found) = (sorter.finish().unwrap(), Vec::new());
        while let Some(record) = sorted.next().unwrap() {
            found.push((record.key.to_vec(), record.value.to_vec()));
        }
        assert!(sorted.next().unwrap().is_none());
        (found, files)
    }

    #[test]
    fn many_runs_are_merged_in_several_rounds() {
        let bounds = SortBounds { records: 100, buffers: 3 * SPILL_READ };
        let records: Vec<Pair> = (0..5000_u32)
            .map(|number| (number.wrapping_mul(0x9e37_79b1).to_be_bytes().to_vec(), number.to_le_bytes().to_vec()))
            .collect();
        let (found, files) = sorted(bounds, &records);
        let mut expected = records.clone();
        expected.sort();
        assert_eq!(found, expected);
        assert!((3..40).contains(&files), "{files}");
    }

    #[test]
    fn long_records_leave_few_runs_at_a_time() {
        let bounds = SortBounds { records: 1000, buffers: 2 * SPILL_READ };
        let records: Vec<Pair> =
            (0..20_u8).rev().map(|number| (vec![number; 70_000], vec![number; usize::from(number) * 9000])).collect();
        let (found, _) = sorted(bounds, &records);
        let mut expected = records.clone();
        expected.sort();
        assert!(found == expected);
    }

    proptest! {
        #[test]
        fn sorting_is_that_of_a_stable_sort(
            keys in prop::collection::vec(prop::collection::vec(0..3_u8, 0..11), 0..300),
            common in prop::collection::vec(0..3_u8, 0..300),
            records in 0..2000_usize,
            buffers in 1..6_usize,
        ) {
            let records_in: Vec<Pair> =
                keys.into_iter().enumerate().map(|(number, key)| ([&common[..], &key].concat(), number.to_le_bytes().to_vec())).collect();
            let (found, _) = sorted(SortBounds { records, buffers: buffers * SPILL_READ }, &records_in);
            let mut expected = records_in;
            expected.sort_by(|a, b| a.0.cmp(&b.0));
            prop_assert_eq!(found, expected);
        }
    }
}
