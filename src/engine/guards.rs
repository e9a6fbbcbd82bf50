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
    /// Keys stay when they expire, as those of a replica do (Valkey's `import-mode`).
    imports: bool,
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
            imports: config.flag("import-mode"),
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

    /// Whether somebody brings data in, so that keys stay when they expire.
    pub(super) fn imports(&self) -> bool {
        self.guards.imports
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
        if session.follows_redirects
            && let Some((host, port)) = self.followed()
        {
            let reads = !session.reads_replica;
            if any(&|spec| spec.has(Flag::Write) || reads && spec.has(Flag::Read)) {
                return Err(CommandError::new(format!("REDIRECT {host}:{port}")));
            }
        }
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

#[cfg(test)]
mod tests {
    use crate::engine::testing::Play;

    /// Lines beside their answers, whatever goes into the stream.
    #[track_caller]
    fn answers(play: &mut Play, rows: &[(&str, &str)]) {
        for (line, answer) in rows {
            assert_eq!(play.run(line), *answer, "{line}");
        }
    }

    // All asked of redis-server 7.0.15.

    #[test]
    fn a_transaction_is_refused_as_its_commands_would_be() {
        let mut play = Play::new("redis-7.0");
        let no_replicas = "NOREPLICAS Not enough good replicas to write.";
        play.rows(&[("MULTI", "OK", ""), ("INCR x", "QUEUED", ""), ("PING", "QUEUED", "")]);
        play.run("SELECT 0");
        play.engine.config.set("min-replicas-to-write", "1").unwrap();
        play.engine.refresh();
        answers(
            &mut play,
            &[
                ("EXEC", &format!("-EXECABORT Transaction discarded because of: {no_replicas}")),
                ("EXEC", "-ERR EXEC without MULTI"),
                ("SET x 1", &format!("-{no_replicas}")),
                ("GET x", "(nil)"),
                ("MULTI", "OK"),
                ("SET x 1", &format!("-{no_replicas}")),
                ("EXEC", "-EXECABORT Transaction discarded because of previous errors."),
                ("MULTI", "OK"),
                ("GET x", "QUEUED"),
                ("EXEC", "[(nil)]"),
            ],
        );
    }

    /// Asked of Valkey 8.1.8 and 9.1.2.
    #[test]
    fn a_replica_sends_clients_to_its_master() {
        let redirect = "-REDIRECT 127.0.0.1:7803";
        for dialect in ["valkey-8.1", "valkey-9.1"] {
            let mut play = Play::new(dialect);
            answers(
                &mut play,
                &[
                    ("CLIENT CAPA foo redirect", "OK"),
                    ("GET k", "(nil)"),
                    ("REPLICAOF 127.0.0.1 7803", "OK"),
                    ("GET k", redirect),
                    ("SET k v", redirect),
                    ("DBSIZE", redirect),
                    ("PING", "PONG"),
                    ("READONLY", "OK"),
                    ("GET k", "(nil)"),
                    ("SET k v", redirect),
                    ("READWRITE", "OK"),
                    ("MULTI", "OK"),
                    ("GET k", redirect),
                    ("EXEC", "-EXECABORT Transaction discarded because of previous errors."),
                    ("RESET", "RESET"),
                    ("GET k", redirect),
                ],
            );
            assert!(play.run("CLIENT INFO").contains(" capa=r db=0"), "{dialect}");
        }
        let mut play = Play::new("redis-8.2");
        assert_eq!(play.run("CLIENT CAPA redirect"), "-ERR unknown subcommand 'CAPA'. Try CLIENT HELP.");
    }

    /// Asked of Valkey 8.1.8.
    #[test]
    fn who_imports_sees_what_has_expired() {
        let mut play = Play::new("valkey-8.1");
        answers(
            &mut play,
            &[
                ("CLIENT IMPORT-SOURCE OFF", "OK"),
                ("CLIENT IMPORT-SOURCE ON", "-ERR Server is not in import mode"),
                ("CONFIG SET import-mode yes", "OK"),
                ("CLIENT IMPORT-SOURCE x", "-ERR syntax error"),
                ("CLIENT IMPORT-SOURCE ON", "OK"),
                ("SET k v PX 1", "OK"),
            ],
        );
        assert!(play.run("CLIENT INFO").contains(" flags=I capa= "));
        play.now += 10;
        play.stream();
        play.rows(&[
            ("GET k", "v", ""),
            ("CLIENT IMPORT-SOURCE off", "OK", ""),
            ("GET k", "(nil)", ""),
            ("DBSIZE", "1", ""),
            ("CLIENT IMPORT-SOURCE ON", "OK", ""),
            ("KEYS *", "[k]", ""),
            ("TTL k", "0", ""),
            ("CONFIG SET import-mode no", "OK", ""),
            ("GET k", "(nil)", "UNLINK k"),
            ("DBSIZE", "0", ""),
        ]);
    }

    #[test]
    fn memory_is_asked_about_once_more() {
        let mut play = Play::new("redis-7.0");
        let full = "OOM command not allowed when used memory > 'maxmemory'.";
        answers(&mut play, &[("SET k v", "OK"), ("MULTI", "OK"), ("SET x 1", "QUEUED"), ("GET x", "QUEUED")]);
        play.engine.config.set("maxmemory", "1").unwrap();
        play.engine.refresh();
        answers(
            &mut play,
            &[
                ("EXEC", &format!("-EXECABORT Transaction discarded because of: {full}")),
                ("MULTI", "OK"),
                // What is queued takes memory, whatever it would do.
                ("GET k", &format!("-{full}")),
                ("DISCARD", "OK"),
                ("GET k", "v"),
                ("SET k w", &format!("-{full}")),
            ],
        );
    }

    #[test]
    fn what_cannot_be_queued_breaks_the_transaction() {
        for line in ["SAVE", "SHUTDOWN"] {
            let mut play = Play::new("redis-7.0");
            answers(
                &mut play,
                &[
                    ("MULTI", "OK"),
                    (line, "-ERR Command not allowed inside a transaction"),
                    ("EXEC", "-EXECABORT Transaction discarded because of previous errors."),
                ],
            );
        }
    }

    #[test]
    fn a_stale_replica_answers_if_it_is_to() {
        let mut play = Play::new("redis-7.0");
        let stale = "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.";
        answers(
            &mut play,
            &[
                ("CONFIG SET replica-serve-stale-data no", "OK"),
                ("SET x 1", "OK"),
                ("MULTI", "OK"),
                ("GET x", "QUEUED"),
            ],
        );
        let now = play.now;
        let start = play.engine.own_place();
        play.engine.follow("127.0.0.1", 1, start, now);
        answers(
            &mut play,
            &[
                ("EXEC", &format!("-EXECABORT Transaction discarded because of: {stale}")),
                ("GET x", &format!("-{stale}")),
                ("MULTI", "OK"),
                ("GET x", &format!("-{stale}")),
                ("DISCARD", "OK"),
            ],
        );
        #[cfg(feature = "scripts")]
        answers(
            &mut play,
            &[
                ("EVAL \"return 1\" 0", &format!("-{stale}")),
                (
                    "EVAL \"#!lua\\nreturn 1\" 0",
                    "-MASTERDOWN Link with MASTER is down, replica-serve-stale-data is set to 'no' and 'allow-stale' flag is not set on the script.",
                ),
                ("EVAL \"#!lua flags=allow-stale,no-writes\\nreturn 1\" 0", "1"),
            ],
        );
        #[cfg(feature = "scripts")]
        {
            let said = play.run("EVAL \"#!lua flags=allow-stale,no-writes\\nreturn redis.call('get', 'x')\" 1 x");
            assert!(said.starts_with("-ERR Can not execute the command on a stale replica script: "), "{said}");
        }
    }

    #[cfg(feature = "scripts")]
    #[test]
    fn scripts_are_held_to_it() {
        let mut play = Play::new("redis-7.0");
        let flagged = |flags: &str, body: &str| format!("EVAL \"#!lua{flags}\\n{body}\" 1 x");
        play.run("SET k v");
        play.engine.config.set("maxmemory", "1").unwrap();
        play.engine.refresh();
        let begins = |play: &mut Play, line: &str, answer: &str| {
            let said = play.run(line);
            assert!(said.starts_with(answer), "{line}: {said}");
        };
        let no_flag = "-OOM allow-oom flag is not set on the script, can not run it when used memory > 'maxmemory'";
        begins(&mut play, &flagged("", "return 1"), no_flag);
        begins(&mut play, &flagged(" flags=no-writes", "return 1"), "1");
        begins(&mut play, &flagged(" flags=allow-oom", "return redis.call('set', KEYS[1], 1)"), "OK");
        let set = "EVAL \"return redis.call('set', KEYS[1], 1)\" 1 x";
        begins(&mut play, set, "-OOM command not allowed when used memory > 'maxmemory'. script: ");
        // Once it has written it goes on.
        begins(&mut play, "EVAL \"redis.call('del', 'y') return redis.call('set', KEYS[1], 2)\" 1 x", "OK");
        play.engine.config.set("maxmemory", "0").unwrap();
        play.engine.config.set("min-replicas-to-write", "1").unwrap();
        play.engine.refresh();
        begins(&mut play, &flagged("", "return 1"), "-NOREPLICAS Not enough good replicas to write.");
        begins(&mut play, &flagged(" flags=no-writes", "return 1"), "1");
        begins(&mut play, set, "-NOREPLICAS Not enough good replicas to write. script: ");
        begins(&mut play, "EVAL \"return redis.call('get', KEYS[1])\" 1 x", "2");
    }

    #[test]
    fn a_watched_key_that_had_expired_is_none() {
        let mut play = Play::new("redis-7.0");
        play.engine.active_expire = false;
        let stale = |play: &mut Play| {
            play.run("SET k v PX 1");
            play.now += 10;
            play.run("WATCH k");
        };
        // Deleted now or looked for, it is gone as it was before.
        for line in ["DEL k", "EXISTS k", "FLUSHDB", "SWAPDB 0 1", "PING"] {
            stale(&mut play);
            play.run(line);
            answers(&mut play, &[("MULTI", "OK"), ("PING", "QUEUED"), ("EXEC", "[PONG]")]);
        }
        // One that expires later has changed, and so has one that is set.
        play.run("SET k v PX 1");
        play.run("WATCH k");
        play.now += 10;
        answers(&mut play, &[("MULTI", "OK"), ("PING", "QUEUED"), ("EXEC", "(nil)")]);
        stale(&mut play);
        play.run("SET k w");
        answers(&mut play, &[("MULTI", "OK"), ("PING", "QUEUED"), ("EXEC", "(nil)")]);
    }

    #[test]
    fn swapped_databases_change_what_is_watched() {
        let mut play = Play::new("redis-7.0");
        for (before, broken) in [("SET k v", true), ("PING", false)] {
            play.run("FLUSHALL");
            answers(&mut play, &[("WATCH k", "OK")]);
            play.run("UNWATCH");
            play.run(before);
            play.run("WATCH k");
            play.run("SWAPDB 0 1");
            let answer = if broken { "(nil)" } else { "[PONG]" };
            answers(&mut play, &[("MULTI", "OK"), ("PING", "QUEUED"), ("EXEC", answer)]);
        }
        answers(&mut play, &[("FLUSHALL", "OK"), ("SELECT 1", "OK"), ("SET k v", "OK"), ("SELECT 0", "OK")]);
        answers(&mut play, &[("WATCH k", "OK"), ("SWAPDB 0 1", "OK"), ("MULTI", "OK"), ("EXEC", "(nil)")]);
    }
}
