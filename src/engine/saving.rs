//! Saving to disk: what is saved when, and what INFO tells of it.
//!
//! SAVE and SHUTDOWN write at once, through a [`DumpFile`] that the server gives; BGSAVE and the save points begin a
//! [`Save`], which the server writes while commands go on.

use std::io::Write;

use super::core::Engine;
use super::error::CommandError;
use super::keyspace::{NEVER, SnapshotId};
use super::load::Loader;
use super::log::Level;
use super::replication::Task;
use super::save::{DumpWriter, Head};
use crate::rdb::{Decoder, Depth, Header};

/// Where a dump goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// `dir`
    pub dir: String,
    /// `dbfilename`
    pub name: String,
}

/// Writes an RDB's bytes into the sink that it is given.
pub type WriteDump<'a> = &'a mut dyn FnMut(&mut dyn Write) -> Result<(), String>;

/// Takes an RDB's bytes.
pub type TakeDump<'a> = &'a mut dyn FnMut(&[u8]) -> Result<(), String>;

/// What DEBUG RELOAD does with what is there.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reload {
    /// It goes first.
    pub(super) flushes: bool,
    /// What is loaded may replace what is there.
    pub(super) merges: bool,
}

/// The file that SAVE writes, which the engine has others write.
pub trait DumpFile: std::fmt::Debug + Send {
    /// Has a dump written, whole or not at all.
    ///
    /// # Errors
    /// Why not.
    fn write(&mut self, place: &Place, dump: WriteDump<'_>) -> Result<(), String>;

    /// Gives the file's bytes piece by piece, until the taker wants no more.
    ///
    /// # Errors
    /// Why it cannot be read, or what the taker says.
    fn read(&mut self, place: &Place, take: TakeDump<'_>) -> Result<(), String>;
}

/// A save in the background that has begun.
#[derive(Debug)]
pub struct Save {
    /// What stands in front of the keys.
    pub head: Head,
    /// The keys.
    pub keys: SnapshotId,
    /// Where it goes.
    pub place: Place,
}

/// How the data and the file stand to each other. Times in milliseconds since 1970.
#[derive(Debug, Default)]
pub struct Saving {
    /// Who writes; nobody can save without.
    pub file: Option<Box<dyn DumpFile>>,
    /// Changes since the last save.
    pub changes: u64,
    /// When it was saved last; 0 for never since the start.
    pub last: i64,
    /// The last save in the background failed.
    pub failed: bool,
    /// How long the last one in the background took, in seconds.
    pub seconds: Option<i64>,
    /// How often it was saved.
    pub count: u64,
    /// Keys that the first RDB held, and those of them that had expired.
    pub loaded: (u64, u64),
    /// Since when one is under way, and what was changed before it.
    under_way: Option<(i64, u64)>,
    /// It is to be stopped.
    cancelled: bool,
    /// One is to begin as soon as it can.
    scheduled: bool,
    /// When one was tried last.
    tried: i64,
}

impl Saving {
    /// When the save under way began.
    #[must_use]
    pub fn since(&self) -> Option<i64> {
        self.under_way.map(|(since, _)| since)
    }

    /// Whether the save under way is still wanted.
    #[must_use]
    pub fn is_wanted(&self) -> bool {
        !self.cancelled
    }

    /// The data is in the file as it was `before` changes ago.
    fn done(&mut self, before: u64, now: i64) {
        self.changes = self.changes.saturating_sub(before);
        self.last = now;
        self.count += 1;
    }
}

/// After a save in the background has failed the next waits so long, in milliseconds.
const RETRY: i64 = 5000;

/// The answer where one is under way.
const IN_PROGRESS: CommandError = CommandError::fixed("ERR Background save already in progress");

impl Engine {
    /// `save`: so many seconds after the last save, if so many changes were made.
    fn save_points(&self) -> impl Iterator<Item = (i64, u64)> {
        let mut numbers = self.config.get("save").split_ascii_whitespace();
        std::iter::from_fn(move || Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?)))
    }

    /// When it was saved last, or began.
    #[must_use]
    pub fn last_save(&self) -> i64 {
        if self.saving.last > 0 { self.saving.last } else { self.process.started_at }
    }

    /// Whether writes are refused since the data cannot be saved (`stop-writes-on-bgsave-error`).
    #[must_use]
    pub fn cannot_save(&self) -> bool {
        self.saving.failed && self.config.flag("stop-writes-on-bgsave-error") && self.save_points().next().is_some()
    }

    /// The version that this server writes, or the oldest beyond it that holds the data.
    fn saved_version(&self) -> Header {
        let own = self.dialect.dump_header();
        let mut needs = self.keyspace.needs();
        if !self.functions.is_empty() {
            needs.add(crate::rdb::Need::Functions);
        }
        match needs.lowest(own.format) {
            Ok(lowest) if lowest.version > own.version => lowest,
            _ => own,
        }
    }

    fn save_place(&self) -> Place {
        Place { dir: self.config.get("dir").to_owned(), name: self.config.get("dbfilename").to_owned() }
    }

    fn save_head(&self, now: i64) -> Head {
        Head {
            header: self.saved_version(),
            compress: self.config.flag("rdbcompression"),
            checksum: self.config.flag("rdbchecksum"),
            aux: self.aux(self.own_stream_place(), now),
            functions: self.functions.values().cloned().collect(),
            sizes: self.sizes(),
            uses: self.told_uses(),
        }
    }

    /// Saves at once.
    pub(super) fn save(&mut self, now: i64) -> Result<(), CommandError> {
        if self.saving.under_way.is_some() {
            return Err(IN_PROGRESS);
        }
        self.save_now(now).map_err(|fault| {
            self.note(Level::Warning, format!("Error saving DB on disk: {fault}"));
            CommandError::fixed("ERR")
        })
    }

    fn save_now(&mut self, now: i64) -> Result<(), String> {
        let Some(mut file) = self.saving.file.take() else { return Err("nobody writes files here".to_owned()) };
        let (place, head) = (self.save_place(), self.save_head(now));
        let keys = self.keyspace.begin_snapshot();
        let keyspace = &mut self.keyspace;
        let written = file.write(&place, &mut |sink| {
            let mut writer = DumpWriter::new(sink, &head)?;
            let mut fault = None;
            while keyspace.next_of_snapshot(keys, 1, |taken| fault = writer.key(&taken).err()) {
                if let Some(fault) = fault.take() {
                    return Err(fault);
                }
            }
            fault.map_or(Ok(()), Err)?;
            writer.finish().map(drop)
        });
        self.keyspace.end_snapshot(keys);
        self.saving.file = Some(file);
        written?;
        self.saving.done(self.saving.changes, now);
        self.saving.failed = false;
        self.note(Level::Notice, "DB saved on disk".to_owned());
        Ok(())
    }

    /// Takes an RDB's keys beside those that there are; with `expires` what has expired at this time is left out, as
    /// masters do.
    #[must_use]
    pub fn loader(&mut self, expires: bool, now: i64) -> Loader {
        self.keyspace.clock.set(now);
        Loader::new(self.keyspace.databases(), expires.then_some(now)).by_clock(self.keyspace.clock)
    }

    /// Loads what was saved (DEBUG RELOAD).
    pub(super) fn reload(&mut self, how: Reload, now: i64) -> Result<(), String> {
        let Some(mut file) = self.saving.file.take() else { return Err("nobody reads files here".to_owned()) };
        let place = self.save_place();
        let mut decoder = Decoder::new(self.loader(true, now), Depth::Full);
        let read = file.read(&place, &mut |bytes| match decoder.push(bytes) {
            Ok(_) => Ok(()),
            Err(error) => Err(error.to_string()),
        });
        self.saving.file = Some(file);
        read?;
        if !decoder.ended() {
            return Err("it ends too early".to_owned());
        }
        let mut loaded = decoder.into_values().finish();
        if let Some(fault) = loaded.fault.take() {
            return Err(fault);
        }
        if !how.flushes {
            let there = |db: usize, key: &[u8]| self.keyspace.get(db, key).is_some();
            let keys = |db| loaded.keyspace.iter(db).map(|(key, _)| key);
            let twice = (0..self.keyspace.databases()).find_map(|db| keys(db).find(|key| there(db, key)));
            if let Some(key) = twice.filter(|_| !how.merges) {
                return Err(format!("the key '{}' is there already", key.escape_ascii()));
            }
            let library = loaded.functions.keys().find(|name| self.functions.contains_key(*name));
            if let Some(name) = library.filter(|_| !how.merges) {
                return Err(format!("the library '{}' is there already", name.escape_ascii()));
            }
            for db in 0..self.keyspace.databases() {
                let all: Vec<_> = loaded.keyspace.iter(db).map(|(key, entry)| (key.clone(), entry.clone())).collect();
                for (key, entry) in all {
                    let expires_at = entry.expires_at().unwrap_or(NEVER);
                    self.keyspace.insert(db, &key, entry.value, expires_at);
                    if let Some(loaded) = self.keyspace.get(db, &key) {
                        loaded.used.copy(&entry.used);
                    }
                }
            }
            let mut functions = (*self.functions).clone();
            functions.extend(loaded.functions);
            self.functions.replace(functions);
            return Ok(());
        }
        for db in 0..self.keyspace.databases() {
            self.flush(db, now);
        }
        self.keyspace.replace(loaded.keyspace);
        self.functions.replace(loaded.functions);
        self.saving.changes = 0;
        Ok(())
    }

    /// Begins a save in the background.
    pub(super) fn save_in_background(&mut self, now: i64) -> Result<(), CommandError> {
        if self.is_saving() {
            return Err(IN_PROGRESS);
        }
        self.note(Level::Notice, "Background saving started".to_owned());
        let (place, head) = (self.save_place(), self.save_head(now));
        let keys = self.keyspace.begin_snapshot();
        self.saving.under_way = Some((now, self.saving.changes));
        (self.saving.scheduled, self.saving.cancelled, self.saving.tried) = (false, false, now);
        self.tasks.push_back(Task::Save(Box::new(Save { head, keys, place })));
        Ok(())
    }

    /// Whether an RDB is being made, for a file or for replicas.
    #[must_use]
    pub fn is_saving(&self) -> bool {
        self.saving.under_way.is_some() || self.master.is_saving()
    }

    /// One is to begin as soon as it can.
    pub(super) fn schedule_save(&mut self) {
        self.saving.scheduled = true;
    }

    /// BGSAVE CANCEL. Gives what there was to cancel: one under way, or one that was to begin.
    pub(super) fn cancel_save(&mut self) -> Option<bool> {
        if self.saving.under_way.is_some() {
            self.saving.cancelled = true;
            return Some(true);
        }
        std::mem::take(&mut self.saving.scheduled).then_some(false)
    }

    /// The save in the background is over.
    pub fn saved(&mut self, save: &Save, written: Result<(), String>, now: i64) {
        self.keyspace.end_snapshot(save.keys);
        let Some((since, before)) = self.saving.under_way.take() else { return };
        self.saving.seconds = Some((now - since).max(0) / 1000);
        match written {
            Ok(()) => {
                self.saving.done(before, now);
                self.saving.failed = false;
                self.note(Level::Notice, "Background saving terminated with success".to_owned());
            }
            Err(_) if self.saving.cancelled => {
                self.note(Level::Warning, "Background saving terminated by signal 10".to_owned());
            }
            Err(fault) => {
                self.saving.failed = true;
                self.note(Level::Warning, format!("Background saving error: {fault}"));
            }
        }
    }

    /// Begins a save where a save point or somebody wants one; to be called ten times a second.
    pub fn save_if_due(&mut self, now: i64) {
        if self.saving.file.is_none() || self.is_loading() || self.is_saving() {
            return;
        }
        let (changes, passed) = (self.saving.changes, now - self.last_save());
        let due = |(seconds, least): &(i64, u64)| changes >= *least && passed > seconds.saturating_mul(1000);
        let may = !self.saving.failed || now - self.saving.tried > RETRY;
        let point = if may { self.save_points().find(due) } else { None };
        if let Some((seconds, least)) = point {
            self.note(Level::Notice, format!("{least} changes in {seconds} seconds. Saving..."));
        }
        if point.is_some() || self.saving.scheduled {
            let _ = self.save_in_background(now);
        }
    }

    /// The end is near: the data is saved if that is wanted (`None` where nobody has said, and the save points do), and
    /// the server may end unless that fails.
    ///
    /// # Errors
    /// Why it cannot be saved.
    pub fn save_at_the_end(&mut self, wanted: Option<bool>, now: i64) -> Result<(), String> {
        if !wanted.unwrap_or_else(|| self.save_points().next().is_some()) {
            return Ok(());
        }
        if self.saving.under_way.is_some() {
            self.note(Level::Warning, "There is a child saving an .rdb. Killing it!".to_owned());
            self.saving.cancelled = true;
        }
        self.note(Level::Notice, "Saving the final RDB snapshot before exiting.".to_owned());
        self.save_now(now).inspect_err(|fault| {
            self.note(Level::Warning, format!("Error trying to save the DB, can't exit: {fault}"));
        })
    }
}
