//! Log lines in the words that people know from redis-server.

use super::core::Engine;
use super::replication::Task;
use crate::repl::event::Replid;
use crate::repl::master::{ConnectionId, NoPartial, Told};
use crate::repl::replica::{Event, Lost};

/// How much a line matters, and the sign that it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// What happens as it should: `*`.
    Notice,
    /// What should be looked at: `#`.
    Warning,
}

impl Level {
    /// The sign in a line.
    #[must_use]
    pub fn sign(self) -> char {
        match self {
            Self::Notice => '*',
            Self::Warning => '#',
        }
    }
}

impl Engine {
    /// Puts a line into the log.
    pub(super) fn note(&mut self, level: Level, text: String) {
        self.tasks.push_back(Task::Log(level, text));
    }

    /// The next line that waits to be logged, if there is one.
    #[cfg(feature = "scripts")]
    pub(super) fn take_note(&mut self) -> Option<(Level, String)> {
        let at = self.tasks.iter().position(|task| matches!(task, Task::Log(..)))?;
        match self.tasks.remove(at) {
            Some(Task::Log(level, line)) => Some((level, line)),
            _ => None,
        }
    }

    /// `ip:port` of a replica, as it announced itself.
    pub(super) fn replica_name(&self, connection: ConnectionId) -> String {
        match self.replica_names.get(&connection) {
            Some((host, port)) => format!("{host}:{port}"),
            None => connection.to_string(),
        }
    }

    /// A fact of the master's end.
    pub(super) fn note_told(&mut self, told: &Told) {
        let ids = |engine: &Self| {
            let history = engine.master.history();
            let second = history.replid2().map_or_else(|| "0".repeat(40), |id| id.to_string());
            format!("'{}' and '{second}'", history.replid())
        };
        let line = match told {
            Told::Partial { connection, byte, bytes } => format!(
                "Partial resynchronization request from {} accepted. Sending {bytes} bytes of backlog starting from offset {byte}.",
                self.replica_name(*connection)
            ),
            Told::NoPartial { replid, why: NoPartial::History, .. } => format!(
                "Partial resynchronization not accepted: Replication ID mismatch (Replica asked for '{replid}', my replication IDs are {})",
                ids(self)
            ),
            Told::NoPartial { replid, byte, why: NoPartial::SecondOffset, .. } => format!(
                "Partial resynchronization not accepted: Requested offset for second ID was {byte}, but I can reply up to {} ('{replid}')",
                self.master.history().second_repl_offset().unwrap_or(0)
            ),
            Told::NoPartial { connection, byte, .. } => format!(
                "Unable to partial resync with replica {} for lack of backlog (Replica request was: {byte}).",
                self.replica_name(*connection)
            ),
            Told::BacklogCreated { replid } => {
                format!("Replication backlog created, my new replication IDs are '{replid}' and '{}'", "0".repeat(40))
            }
            Told::BacklogFreed => {
                let seconds = self.config.get("repl-backlog-ttl");
                format!("Replication backlog freed after {seconds} seconds without connected replicas.")
            }
            Told::Online { connection } => {
                format!("Synchronization with replica {} succeeded", self.replica_name(*connection))
            }
        };
        self.note(Level::Notice, line);
    }

    /// A fact of the replica's end.
    pub(super) fn note_event(&mut self, event: &Event) {
        let known = |replid: &Option<Replid>| replid.map_or_else(|| "?".to_owned(), |id| id.to_string());
        let (level, line) = match event {
            Event::Shrugged { option, reply } => {
                (Level::Notice, format!("(Non critical) Master does not understand REPLCONF {option}: {reply}"))
            }
            Event::FullSync { replid, offset, .. } => {
                let offset = offset.map_or_else(|| "?".to_owned(), |offset| offset.to_string());
                (Level::Notice, format!("Full resync from master: {}:{offset}", known(replid)))
            }
            Event::Synced { .. } => (Level::Notice, "MASTER <-> REPLICA sync: Finished with success".to_owned()),
            Event::Continued { .. } => {
                self.note(Level::Notice, "Successful partial resynchronization with master.".to_owned());
                let line = "MASTER <-> REPLICA sync: Master accepted a Partial Resynchronization.";
                (Level::Notice, line.to_owned())
            }
            Event::PsyncRefused { reply, .. } => {
                (Level::Warning, format!("Unexpected reply to PSYNC from master: {reply}"))
            }
            Event::Lost(Lost::Closed) => (Level::Warning, "Connection with master lost.".to_owned()),
            Event::Lost(Lost::Timeout(state)) => {
                (Level::Warning, format!("MASTER timeout: no data nor PING received... (in state {state})"))
            }
            Event::Lost(reason) => (Level::Warning, format!("Connection with master lost: {reason}.")),
        };
        self.note(level, line);
    }
}
