//! What of the configuration every command asks for, looked up once. Above all, why a command may not run as things stand: memory, disk, replicas, the master's link, a script under way. The same is
//! asked when a command comes, of a transaction's commands when EXEC does, and of a script's.

use super::args::Args;
use super::clients::Session;
use super::command::{Flag, Spec};
use super::config::Config;
use super::core::Engine;
use super::dialect::Family;
use super::error::CommandError;
use super::eviction::NO_MEMORY;
use super::value::NodeSize;
use crate::units::Moment;

/// What the configuration says about it, looked up once.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Guards {
    /// So many replicas must be good for a write.
    min_replicas: usize,
    /// A replica that has lost its master goes on answering.
    serves_stale: bool,
    read_only: bool,
    /// How streams are packed.
    pub(super) stream_node: NodeSize,
}

impl Guards {
    pub(super) fn of(config: &Config) -> Self {
        let lag_counts = config.size("min-replicas-max-lag") > 0;
        Self {
            min_replicas: match lag_counts {
                true => usize::try_from(config.size("min-replicas-to-write")).unwrap_or(usize::MAX),
                false => 0,
            },
            serves_stale: config.flag("replica-serve-stale-data"),
            read_only: config.flag("replica-read-only"),
            stream_node: NodeSize {
                bytes: usize::try_from(config.size("stream-node-max-bytes")).unwrap_or(usize::MAX),
                entries: usize::try_from(config.number("stream-node-max-entries")).unwrap_or(0),
            },
        }
    }
}

/// Too few replicas.
pub(super) const NO_REPLICAS: CommandError = CommandError::fixed("NOREPLICAS Not enough good replicas to write.");

/// The master is away, and the data stale.
pub(super) const STALE: CommandError =
    CommandError::fixed("MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.");

impl Engine {
    /// Whether a script runs that has taken too long.
    pub(super) fn is_busy(&self) -> bool {
        #[cfg(feature = "scripts")]
        return self.busy.is_some();
        #[cfg(not(feature = "scripts"))]
        false
    }

    /// Whether the server follows a master, and takes no writes from clients.
    pub(super) fn is_read_only(&self) -> bool {
        self.is_replica() && self.guards.read_only
    }

    /// Whether too few replicas have what a write would change.
    pub(super) fn lacks_replicas(&self, now: i64) -> bool {
        self.guards.min_replicas > 0
            && !self.is_replica()
            && self.master.good_replicas(Moment::at(now)) < self.guards.min_replicas
    }

    /// Whether it is a replica that has lost its master and does not answer then.
    pub(super) fn is_stale(&self) -> bool {
        self.is_replica() && !self.guards.serves_stale && !self.replica.as_ref().is_some_and(|replica| replica.is_up())
    }

    /// Why a write may not be done, apart from memory.
    pub(super) fn refuses_writes(&self, now: i64) -> Result<(), CommandError> {
        if self.saving.failed && !self.is_replica() && self.cannot_save() {
            return Err(self.no_disk());
        }
        if self.lacks_replicas(now) {
            return Err(NO_REPLICAS);
        }
        if self.is_read_only() { Err(CommandError::READ_ONLY) } else { Ok(()) }
    }

    /// Whether a command may run as things stand.
    pub(super) fn guard(&self, session: &Session, spec: &Spec, args: Args<'_>, now: i64) -> Result<(), CommandError> {
        let executes = spec.name == "EXEC" && session.queue.is_some();
        // Whether the command is such, or one of the transaction that it is to run.
        let any = |is: &dyn Fn(&Spec) -> bool| is(spec) || (executes && self.any_queued(session, is));
        if self.full {
            // What is queued takes memory, too.
            let queues = session.queue.is_some() && !matches!(spec.name, "EXEC" | "DISCARD" | "QUIT" | "RESET");
            if queues || any(&|spec| spec.has(Flag::DenyOom)) {
                return Err(NO_MEMORY);
            }
        }
        let troubled = self.is_replica() || self.saving.failed || self.guards.min_replicas > 0;
        if troubled {
            if any(&|spec| spec.has(Flag::Write)) {
                self.refuses_writes(now)?;
            } else if spec.name == "PING" && self.saving.failed && !self.is_replica() && self.cannot_save() {
                return Err(self.no_disk());
            }
            if !self.guards.serves_stale && self.is_stale() && any(&|spec| !spec.has(Flag::Stale)) {
                return Err(STALE);
            }
        }
        if self.is_loading() && any(&|spec| !spec.has(Flag::Loading)) {
            return Err(CommandError::fixed("LOADING Redis is loading the dataset in memory"));
        }
        #[cfg(feature = "scripts")]
        if self.busy.is_some() && !self.may_run_while_busy(spec, args) {
            return Err(self.busy_error());
        }
        #[cfg(not(feature = "scripts"))]
        let _ = args;
        Ok(())
    }

    fn any_queued(&self, session: &Session, is: &dyn Fn(&Spec) -> bool) -> bool {
        let Some(queue) = &session.queue else { return false };
        (0..queue.commands.len()).any(|index| self.called(queue.get(index)).is_ok_and(is))
    }

    /// `stop-writes-on-bgsave-error`
    pub(super) fn no_disk(&self) -> CommandError {
        let cannot = match self.dialect.since(7, 0) {
            true => "it's currently unable to persist to disk",
            false => "it is currently not able to persist on disk",
        };
        let name = if self.dialect.family == Family::Valkey { "Valkey" } else { "Redis" };
        CommandError::new(format!(
            "MISCONF {name} is configured to save RDB snapshots, but {cannot}. Commands that may modify the data set are disabled, because this instance is configured to report errors during writes if RDB snapshotting fails (stop-writes-on-bgsave-error option). Please check the {name} logs for details about the RDB error."
        ))
    }
}
