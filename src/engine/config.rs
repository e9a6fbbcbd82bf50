//! Configuration: redis.conf's names, whether they come from a file, the command line or CONFIG SET.
//!
//! One table tells each directive's names, what it can be, and what it is unless said otherwise.

use std::collections::BTreeMap;

use super::dialect::Dialect;
use super::events::Wanted;
use crate::units::size;

/// What a directive's value can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// `yes` or `no`.
    Flag,
    /// A number from the first to the second.
    Number(i64, i64),
    /// A size in bytes, with a unit or without.
    Size,
    /// One of these words.
    Word(&'static [&'static str]),
    /// Anything.
    Text,
    /// Numbers from 0 to 100.
    Percentiles,
    /// A size, or so many percent of all memory.
    SizeOrPercent,
    /// Letters of kinds of events.
    Events,
    /// `seconds changes`, repeated.
    SavePoints,
    /// `class hard soft seconds`, repeated.
    OutputLimits,
}

/// When a directive can be set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Set {
    /// At any time.
    Always,
    /// At the start only.
    AtStart,
}

struct Directive {
    name: &'static str,
    /// The name before 5.0 (`slave-…`) or before 7.0 (`…-ziplist-…`).
    alias: Option<&'static str>,
    kind: Kind,
    set: Set,
    default: &'static str,
}

const fn always(name: &'static str, kind: Kind, default: &'static str) -> Directive {
    Directive { name, alias: None, kind, set: Set::Always, default }
}

const fn aliased(name: &'static str, alias: &'static str, kind: Kind, default: &'static str) -> Directive {
    Directive { name, alias: Some(alias), kind, set: Set::Always, default }
}

const fn at_start(name: &'static str, kind: Kind, default: &'static str) -> Directive {
    Directive { name, alias: None, kind, set: Set::AtStart, default }
}

const ANY: Kind = Kind::Number(0, i64::MAX);
const INT: Kind = Kind::Number(0, i32::MAX as i64);
const POSITIVE: Kind = Kind::Number(1, i32::MAX as i64);
const PORT: Kind = Kind::Number(0, 65_535);

/// All directives. Defaults are those of redis.conf for 7.0; [`Config::new`] has what differs.
const DIRECTIVES: &[Directive] = &[
    // Network.
    at_start("bind", Kind::Text, "127.0.0.1"),
    at_start("port", PORT, "6379"),
    at_start("tcp-backlog", INT, "511"),
    at_start("unixsocket", Kind::Text, ""),
    always("protected-mode", Kind::Flag, "yes"),
    always("timeout", INT, "0"),
    always("tcp-keepalive", INT, "300"),
    always("maxclients", POSITIVE, "10000"),
    // Who may do what.
    always("requirepass", Kind::Text, ""),
    at_start("enable-debug-command", Kind::Word(&["no", "yes", "local"]), "yes"),
    at_start("enable-protected-configs", Kind::Word(&["no", "yes", "local"]), "no"),
    at_start("enable-module-command", Kind::Word(&["no", "yes", "local"]), "no"),
    always("acllog-max-len", INT, "128"),
    at_start("aclfile", Kind::Text, ""),
    always("acl-pubsub-default", Kind::Word(&["resetchannels", "allchannels"]), "resetchannels"),
    // General.
    at_start("daemonize", Kind::Flag, "no"),
    at_start("supervised", Kind::Word(&["no", "auto", "upstart", "systemd"]), "no"),
    at_start("pidfile", Kind::Text, ""),
    at_start("logfile", Kind::Text, ""),
    always("loglevel", Kind::Word(&["debug", "verbose", "notice", "warning", "nothing"]), "notice"),
    at_start("databases", POSITIVE, "16"),
    at_start("always-show-logo", Kind::Flag, "no"),
    at_start("set-proc-title", Kind::Flag, "yes"),
    always("shutdown-timeout", INT, "10"),
    always("key-load-delay", Kind::Number(i32::MIN as i64, i32::MAX as i64), "0"),
    always("hz", Kind::Number(1, 500), "10"),
    always("dynamic-hz", Kind::Flag, "yes"),
    always("io-threads", Kind::Number(1, 128), "1"),
    at_start("cluster-enabled", Kind::Flag, "no"),
    // Snapshots.
    always("save", Kind::SavePoints, ""),
    always("dir", Kind::Text, "."),
    always("dbfilename", Kind::Text, "dump.rdb"),
    always("rdbcompression", Kind::Flag, "yes"),
    at_start("rdbchecksum", Kind::Flag, "yes"),
    always("rdb-del-sync-files", Kind::Flag, "no"),
    always("rdb-save-incremental-fsync", Kind::Flag, "yes"),
    always("stop-writes-on-bgsave-error", Kind::Flag, "yes"),
    always("sanitize-dump-payload", Kind::Word(&["no", "yes", "clients"]), "no"),
    always("appendonly", Kind::Flag, "no"),
    always("appendfsync", Kind::Word(&["always", "everysec", "no"]), "everysec"),
    // Replication.
    aliased("masterauth", "primaryauth", Kind::Text, ""),
    aliased("masteruser", "primaryuser", Kind::Text, ""),
    aliased("replica-serve-stale-data", "slave-serve-stale-data", Kind::Flag, "yes"),
    aliased("replica-read-only", "slave-read-only", Kind::Flag, "yes"),
    aliased("replica-priority", "slave-priority", INT, "100"),
    aliased("replica-announce-ip", "slave-announce-ip", Kind::Text, ""),
    aliased("replica-announce-port", "slave-announce-port", PORT, "0"),
    always("replica-announced", Kind::Flag, "yes"),
    aliased("replica-lazy-flush", "slave-lazy-flush", Kind::Flag, "no"),
    aliased("replica-ignore-maxmemory", "slave-ignore-maxmemory", Kind::Flag, "yes"),
    always("repl-diskless-sync", Kind::Flag, "yes"),
    always("repl-diskless-sync-delay", INT, "5"),
    always("repl-diskless-sync-max-replicas", INT, "0"),
    always("repl-diskless-load", Kind::Word(&["disabled", "on-empty-db", "swapdb", "flush-before-load"]), "disabled"),
    aliased("repl-ping-replica-period", "repl-ping-slave-period", POSITIVE, "10"),
    always("repl-timeout", POSITIVE, "60"),
    always("repl-disable-tcp-nodelay", Kind::Flag, "no"),
    always("repl-backlog-size", Kind::Size, "1048576"),
    always("repl-backlog-ttl", ANY, "3600"),
    always("replica-full-sync-buffer-limit", Kind::Size, "0"),
    always("repl-rdb-channel", Kind::Flag, "no"),
    always("dual-channel-replication-enabled", Kind::Flag, "no"),
    aliased("min-replicas-to-write", "min-slaves-to-write", INT, "0"),
    aliased("min-replicas-max-lag", "min-slaves-max-lag", INT, "10"),
    always("import-mode", Kind::Flag, "no"),
    always("propagation-error-behavior", Kind::Word(&["ignore", "panic", "panic-on-replicas"]), "ignore"),
    // Memory and limits.
    always("maxmemory", Kind::Size, "0"),
    always(
        "maxmemory-policy",
        Kind::Word(&[
            "volatile-lru",
            "volatile-lfu",
            "volatile-random",
            "volatile-ttl",
            "allkeys-lru",
            "allkeys-lfu",
            "allkeys-random",
            "noeviction",
        ]),
        "noeviction",
    ),
    always("maxmemory-samples", POSITIVE, "5"),
    always("maxmemory-eviction-tenacity", Kind::Number(0, 100), "10"),
    always("maxmemory-clients", Kind::SizeOrPercent, "0"),
    always("lfu-log-factor", INT, "10"),
    always("lfu-decay-time", INT, "1"),
    always(
        "client-output-buffer-limit",
        Kind::OutputLimits,
        "normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60",
    ),
    always("client-query-buffer-limit", Kind::Size, "1073741824"),
    always("proto-max-bulk-len", Kind::Size, "536870912"),
    // Freeing.
    always("lazyfree-lazy-eviction", Kind::Flag, "no"),
    always("lazyfree-lazy-expire", Kind::Flag, "no"),
    always("lazyfree-lazy-server-del", Kind::Flag, "no"),
    always("lazyfree-lazy-user-del", Kind::Flag, "no"),
    always("lazyfree-lazy-user-flush", Kind::Flag, "no"),
    // Observation.
    always("slowlog-log-slower-than", Kind::Number(-1, i64::MAX), "10000"),
    always("slowlog-max-len", ANY, "128"),
    always("latency-monitor-threshold", ANY, "0"),
    always("latency-tracking", Kind::Flag, "yes"),
    always("latency-tracking-info-percentiles", Kind::Percentiles, "50 99 99.9"),
    always("tracking-table-max-keys", ANY, "1000000"),
    always("notify-keyspace-events", Kind::Events, ""),
    aliased("busy-reply-threshold", "lua-time-limit", ANY, "5000"),
    // How small collections are packed, which an RDB shows.
    aliased("hash-max-listpack-entries", "hash-max-ziplist-entries", ANY, "512"),
    aliased("hash-max-listpack-value", "hash-max-ziplist-value", ANY, "64"),
    aliased("list-max-listpack-size", "list-max-ziplist-size", Kind::Number(i32::MIN as i64, i32::MAX as i64), "-2"),
    always("list-compress-depth", INT, "0"),
    always("set-max-intset-entries", ANY, "512"),
    always("set-max-listpack-entries", ANY, "128"),
    always("set-max-listpack-value", ANY, "64"),
    aliased("zset-max-listpack-entries", "zset-max-ziplist-entries", ANY, "128"),
    aliased("zset-max-listpack-value", "zset-max-ziplist-value", ANY, "64"),
    always("hll-sparse-max-bytes", ANY, "3000"),
    always("stream-node-max-bytes", Kind::Size, "4096"),
    always("stream-node-max-entries", ANY, "100"),
    always("activerehashing", Kind::Flag, "yes"),
    always("active-expire-effort", Kind::Number(1, 10), "1"),
];

/// Directives that patterns do not match.
const HIDDEN: &[&str] = &["key-load-delay"];

/// How much of output may wait for a client of a class before it is cut off.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OutputLimit {
    /// At once, in bytes; 0 for never.
    pub hard: u64,
    /// After so long, in bytes; 0 for never.
    pub soft: u64,
    /// So long, in seconds.
    pub soft_seconds: u64,
}

/// What a directive cannot be set to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// There is no such directive.
    #[error("there is no directive {0}")]
    Unknown(String),
    /// It can be set at the start only.
    #[error("can't set immutable config")]
    Immutable,
    /// Not a value for it; what would be one.
    #[error("{0}")]
    Invalid(String),
}

/// The values of all directives.
#[derive(Clone, Debug)]
pub struct Config {
    values: BTreeMap<&'static str, String>,
    dialect: Dialect,
    /// What `notify-keyspace-events` says, of which CONFIG GET does not tell all.
    pub(super) events: Wanted,
}

fn directive(name: &str) -> Option<&'static Directive> {
    let is = |other: &str| other.eq_ignore_ascii_case(name);
    DIRECTIVES.iter().find(|directive| is(directive.name) || directive.alias.is_some_and(is))
}

impl Config {
    /// The defaults of this server.
    #[must_use]
    pub fn new(dialect: Dialect) -> Self {
        let values = DIRECTIVES.iter().map(|directive| (directive.name, directive.default.to_owned())).collect();
        let mut config = Self { values, dialect, events: Wanted::default() };
        let mut differs = |holds: bool, name: &'static str, value: &str| {
            if holds {
                config.values.insert(name, value.to_owned());
            }
        };
        differs(!dialect.since(7, 0), "repl-diskless-sync", "no");
        differs(dialect.is_valkey_since(8, 1), "repl-backlog-size", "10485760");
        differs(dialect.is_redis_since(8, 2), "repl-rdb-channel", "yes");
        for name in ["eviction", "expire", "server-del", "user-del", "user-flush"] {
            let name = directive(&format!("lazyfree-lazy-{name}")).map_or("lazyfree-lazy-expire", |found| found.name);
            differs(dialect.is_valkey_since(8, 0), name, "yes");
        }
        differs(dialect.is_valkey_since(8, 0), "replica-lazy-flush", "yes");
        differs(!dialect.since(7, 0), "hash-max-listpack-entries", "512");
        config
    }

    /// All directives' names, and the older name of those that have one.
    pub fn names() -> impl Iterator<Item = (&'static str, Option<&'static str>)> {
        DIRECTIVES.iter().map(|directive| (directive.name, directive.alias))
    }

    /// A directive's value by one of its names; empty where there is none.
    #[must_use]
    pub fn get(&self, name: &str) -> &str {
        // Who asks by the present name, as all code here does, need not search the table.
        let value = self.values.get(name).or_else(|| self.values.get(directive(name)?.name));
        value.map_or("", String::as_str)
    }

    /// Whether a directive is `yes`.
    #[must_use]
    pub fn flag(&self, name: &str) -> bool {
        self.get(name) == "yes"
    }

    /// A number or a size.
    #[must_use]
    pub fn number(&self, name: &str) -> i64 {
        self.get(name).parse().unwrap_or(0)
    }

    /// A number or a size that is not negative.
    #[must_use]
    pub fn size(&self, name: &str) -> u64 {
        u64::try_from(self.number(name)).unwrap_or(0)
    }

    /// A text, if it is not empty.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        Some(self.get(name)).filter(|text| !text.is_empty())
    }

    /// The limit for a class of clients: `normal`, `replica`, `pubsub`.
    #[must_use]
    pub fn output_limit(&self, class: &str) -> OutputLimit {
        let class = if class == "replica" { "slave" } else { class };
        let words: Vec<&str> = self.get("client-output-buffer-limit").split(' ').collect();
        let found = words.chunks_exact(4).find(|words| words.first() == Some(&class));
        let number = |index: usize| found.and_then(|words| words.get(index)?.parse().ok()).unwrap_or(0);
        OutputLimit { hard: number(1), soft: number(2), soft_seconds: number(3) }
    }

    /// All names, aliases too, that a pattern matches, with their values.
    pub fn matching<'a>(&'a self, pattern: &'a [u8]) -> impl Iterator<Item = (&'static str, &'a str)> {
        let pattern = pattern.to_ascii_lowercase();
        DIRECTIVES
            .iter()
            .flat_map(|directive| std::iter::once(directive.name).chain(directive.alias))
            // What is for tests is told only to who knows its name.
            .filter(move |name| match HIDDEN.contains(name) {
                true => pattern == name.as_bytes(),
                false => super::glob::matches(&pattern, name.as_bytes()),
            })
            .map(|name| (name, self.get(name)))
    }

    /// Sets a directive as the configuration file and the command line do: any of them.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn set_at_start(&mut self, name: &str, value: &str) -> Result<(), ConfigError> {
        let directive = directive(name).ok_or_else(|| ConfigError::Unknown(name.to_owned()))?;
        self.put(directive, value)
    }

    /// Sets a directive while the server runs; gives its present name.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn set(&mut self, name: &str, value: &str) -> Result<&'static str, ConfigError> {
        let directive = directive(name).ok_or_else(|| ConfigError::Unknown(name.to_owned()))?;
        // Since 7.0 servers listen elsewhere where they are told to.
        let moves = matches!(directive.name, "port" | "bind") && self.dialect.since(7, 0);
        if directive.set == Set::AtStart && !moves {
            return Err(ConfigError::Immutable);
        }
        if directive.name == "appendonly" && value.eq_ignore_ascii_case("yes") {
            return Err(invalid("Unable to turn on AOF. Check server logs."));
        }
        self.put(directive, value)?;
        Ok(directive.name)
    }

    /// A configuration file's text with the present values: lines of what has not changed, comments and what is not
    /// known here stay as they are; what has changed takes its line's place, and what has no line comes at the end. The
    /// master is named where one is followed. Users, where some are given, take the places of those in the file.
    #[must_use]
    pub fn rewritten(
        &self,
        text: &str,
        dialect: Dialect,
        master: Option<&(String, u16)>,
        users: Option<&[String]>,
    ) -> String {
        let defaults = Self::new(dialect);
        let mut before = Self::new(dialect);
        before.read(text, |_| true);
        let line_of = |name: &str| format!("{name} {}", quoted(self.get(name)));
        let follow = |word: &str| master.map(|(host, port)| format!("{word} {host} {port}"));
        let (mut lines, mut written): (Vec<String>, Vec<&'static str>) = (Vec::new(), Vec::new());
        let mut follows = false;
        let mut users = users.map(<[String]>::iter);
        for line in text.lines() {
            let words = split(line.as_bytes()).filter(|_| !line.trim_start().starts_with('#'));
            let name = words.as_ref().and_then(|words| words.first()).map(|name| String::from_utf8_lossy(name));
            let Some(name) = name else {
                lines.push(line.to_owned());
                continue;
            };
            if name.eq_ignore_ascii_case("replicaof") || name.eq_ignore_ascii_case("slaveof") {
                if !std::mem::replace(&mut follows, true) {
                    lines.extend(follow(&name));
                }
                continue;
            }
            if let Some(users) = &mut users
                && name.eq_ignore_ascii_case("user")
            {
                lines.extend(users.next().map(|user| format!("user {user}")));
                continue;
            }
            match directive(&name).map(|directive| directive.name) {
                Some(known) if self.get(known) == before.get(known) => {
                    written.push(known);
                    lines.push(line.to_owned());
                }
                Some(known) if written.contains(&known) => {}
                Some(known) => {
                    written.push(known);
                    lines.push(line_of(known));
                }
                None => lines.push(line.to_owned()),
            }
        }
        let mut more: Vec<String> = DIRECTIVES
            .iter()
            .map(|directive| directive.name)
            .filter(|name| !written.contains(name) && self.get(name) != defaults.get(name))
            .map(line_of)
            .collect();
        if !follows {
            more.extend(follow(if dialect.since(5, 0) { "replicaof" } else { "slaveof" }));
        }
        more.extend(users.into_iter().flatten().map(|user| format!("user {user}")));
        const MARK: &str = "# Generated by CONFIG REWRITE";
        if !more.is_empty() && !lines.iter().any(|line| line == MARK) {
            lines.push(MARK.to_owned());
        }
        lines.extend(more);
        lines.iter().map(|line| format!("{line}\n")).collect()
    }

    fn put(&mut self, directive: &'static Directive, value: &str) -> Result<(), ConfigError> {
        let value = match directive.kind {
            Kind::Text => value.to_owned(),
            Kind::Flag => match value.to_ascii_lowercase() {
                word if word == "yes" || word == "no" => word,
                _ => return Err(invalid("argument must be 'yes' or 'no'")),
            },
            Kind::Word(words) => {
                let word = value.to_ascii_lowercase();
                let list = || invalid(&format!("argument(s) must be one of the following: {}", words.join(", ")));
                if words.contains(&&*word) { word } else { return Err(list()) }
            }
            Kind::Number(low, high) => {
                let number: i64 = value.parse().map_err(|_| invalid("argument couldn't be parsed into an integer"))?;
                if !(low..=high).contains(&number) {
                    return Err(invalid(&format!("argument must be between {low} and {high} inclusive")));
                }
                number.to_string()
            }
            Kind::Size => size(value).map_err(|_| invalid("argument must be a memory value"))?.to_string(),
            Kind::SavePoints => {
                let numbers: Option<Vec<u64>> = value.split_ascii_whitespace().map(|word| word.parse().ok()).collect();
                let numbers = numbers.filter(|numbers| {
                    numbers.len().is_multiple_of(2) && numbers.iter().step_by(2).all(|seconds| *seconds > 0)
                });
                let numbers = numbers.ok_or_else(|| invalid("Invalid save parameters"))?;
                numbers.iter().map(u64::to_string).collect::<Vec<_>>().join(" ")
            }
            Kind::OutputLimits => self.output_limits(value)?,
            Kind::SizeOrPercent => match value.strip_suffix('%') {
                Some(number) => {
                    let number: u64 =
                        number.parse().map_err(|_| invalid("argument must be a memory or percent value"))?;
                    if number > 100 {
                        return Err(invalid("percentage argument must be less or equal to 100"));
                    }
                    format!("{number}%")
                }
                None => size(value).map_err(|_| invalid("argument must be a memory or percent value"))?.to_string(),
            },
            Kind::Percentiles => {
                let number = |word: &str| word.parse::<f64>().ok().filter(|number| (0.0..=100.0).contains(number));
                let numbers: Option<Vec<f64>> = value.split_ascii_whitespace().map(number).collect();
                let wrong = "latency-tracking-info-percentiles should contain values between 0 and 100";
                let numbers = numbers.ok_or_else(|| invalid(wrong))?;
                numbers.iter().map(f64::to_string).collect::<Vec<_>>().join(" ")
            }
            Kind::Events => {
                let wanted = Wanted::read(value, self.dialect);
                let wrong = || invalid("Invalid event class character. Use 'Ag$lshzxeKEtmdn'.");
                self.events = wanted.ok_or_else(wrong)?;
                self.events.letters()
            }
        };
        self.values.insert(directive.name, value);
        Ok(())
    }

    /// The classes named get new limits, the others keep theirs.
    fn output_limits(&self, value: &str) -> Result<String, ConfigError> {
        let words: Vec<&str> = value.split_ascii_whitespace().collect();
        if words.is_empty() || !words.len().is_multiple_of(4) {
            return Err(invalid("Wrong number of arguments in buffer limit configuration."));
        }
        let mut limits: Vec<(&str, OutputLimit)> =
            ["normal", "slave", "pubsub"].into_iter().map(|class| (class, self.output_limit(class))).collect();
        for words in words.chunks_exact(4) {
            let [class, hard, soft, seconds] = words else { continue };
            let class = if class.eq_ignore_ascii_case("replica") { "slave" } else { class };
            let number = |text: &str| {
                size(text)
                    .map_err(|_| invalid("Error in hard, soft or soft_seconds setting in buffer limit configuration."))
            };
            let limit = OutputLimit { hard: number(hard)?, soft: number(soft)?, soft_seconds: number(seconds)? };
            let known = limits.iter_mut().find(|(name, _)| name.eq_ignore_ascii_case(class));
            known.ok_or_else(|| invalid("Invalid client class specified in buffer limit configuration."))?.1 = limit;
        }
        let texts = limits
            .iter()
            .map(|(class, OutputLimit { hard, soft, soft_seconds })| format!("{class} {hard} {soft} {soft_seconds}"));
        Ok(texts.collect::<Vec<_>>().join(" "))
    }

    /// Reads a configuration file. Gives the lines that could not be taken, each with its number and the reason; what
    /// is not known is skipped. Directives that stand for themselves (`replicaof`, `include`, `user`, …) are handed to
    /// `other`, which tells whether it takes them.
    pub fn read(&mut self, text: &str, mut other: impl FnMut(&[String]) -> bool) -> Vec<(usize, String)> {
        let mut complaints = Vec::new();
        let mut saves: Option<String> = None;
        for (index, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let mut complain = |reason: String| complaints.push((index + 1, reason));
            let Some(words) = split(line.as_bytes()) else {
                complain("unbalanced quotes".to_owned());
                continue;
            };
            let words: Vec<String> = words.iter().map(|word| String::from_utf8_lossy(word).into_owned()).collect();
            let Some((name, values)) = words.split_first() else { continue };
            let mut value = values.join(" ");
            // Save points add up; an empty one clears those before it.
            if name.eq_ignore_ascii_case("save") {
                let before = saves.take().filter(|_| !value.is_empty()).unwrap_or_default();
                value = format!("{before} {value}").trim().to_owned();
                saves = Some(value.clone());
            }
            match self.set_at_start(name, &value) {
                Ok(()) => {}
                Err(ConfigError::Unknown(name)) => {
                    if !other(&words) {
                        complain(format!("there is no directive {name} here"));
                    }
                }
                Err(error) => complain(format!("{name}: {error}")),
            }
        }
        complaints
    }
}

fn invalid(text: &str) -> ConfigError {
    ConfigError::Invalid(text.to_owned())
}

/// A value as it stands in a configuration file.
fn quoted(value: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\'' | b'\\' | b'#');
    // Values of several words stand as they are.
    if !value.is_empty() && value.bytes().all(|byte| plain(byte) || byte == b' ') && value.trim() == value {
        return value.to_owned();
    }
    let mut text = String::from("\"");
    for byte in value.bytes() {
        match byte {
            b'"' | b'\\' => text.extend(['\\', char::from(byte)]),
            b' '..=b'~' => text.push(char::from(byte)),
            other => text += &format!("\\x{other:02x}"),
        }
    }
    text + "\""
}

/// Splits a line into words: blanks separate, double quotes join and know `\n`, `\xHH` and the like, single quotes join
/// and know `\'`. `None` where a quote is left open or something follows one at once. (`sdssplitargs` of the servers.)
#[must_use]
pub fn split(line: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut words = Vec::new();
    let mut rest = line.trim_ascii_start();
    while let Some((&first, after)) = rest.split_first() {
        let (word, left) = match first {
            b'"' => double_quoted(after)?,
            b'\'' => single_quoted(after)?,
            _ => bare(rest)?,
        };
        words.push(word);
        rest = left.trim_ascii_start();
    }
    Some(words)
}

/// What a word is, and what is left behind it.
type Split<'a> = Option<(Vec<u8>, &'a [u8])>;

/// A blank or nothing must follow a quote.
fn closed(word: Vec<u8>, rest: &[u8]) -> Split<'_> {
    rest.first().is_none_or(u8::is_ascii_whitespace).then_some((word, rest))
}

fn double_quoted(mut rest: &[u8]) -> Split<'_> {
    let mut word = Vec::new();
    loop {
        let (&byte, after) = rest.split_first()?;
        rest = after;
        match byte {
            b'"' => return closed(word, rest),
            b'\\' => {
                let digits = rest.strip_prefix(b"x").and_then(|rest| rest.split_first_chunk::<2>());
                let number = digits.and_then(|(digits, after)| {
                    let digits = std::str::from_utf8(digits).ok().filter(|digits| !digits.starts_with('+'))?;
                    Some((u8::from_str_radix(digits, 16).ok()?, after))
                });
                let (&escaped, after) = rest.split_first()?;
                (rest, word) = match number {
                    Some((number, after)) => (after, pushed(word, number)),
                    None => {
                        let meant = match escaped {
                            b'n' => b'\n',
                            b'r' => b'\r',
                            b't' => b'\t',
                            b'b' => 8,
                            b'a' => 7,
                            other => other,
                        };
                        (after, pushed(word, meant))
                    }
                };
            }
            other => word.push(other),
        }
    }
}

fn pushed(mut word: Vec<u8>, byte: u8) -> Vec<u8> {
    word.push(byte);
    word
}

fn single_quoted(mut rest: &[u8]) -> Split<'_> {
    let mut word = Vec::new();
    loop {
        if let Some(after) = rest.strip_prefix(b"\\'") {
            word.push(b'\'');
            rest = after;
            continue;
        }
        let (&byte, after) = rest.split_first()?;
        rest = after;
        match byte {
            b'\'' => return closed(word, rest),
            other => word.push(other),
        }
    }
}

/// A word that begins without a quote; one may begin in it.
fn bare(mut rest: &[u8]) -> Split<'_> {
    let mut word = Vec::new();
    while let Some((&byte, after)) = rest.split_first() {
        let quoted = match byte {
            b'"' => double_quoted(after)?,
            b'\'' => single_quoted(after)?,
            byte if byte.is_ascii_whitespace() => break,
            byte => {
                word.push(byte);
                rest = after;
                continue;
            }
        };
        word.extend_from_slice(&quoted.0);
        return Some((word, quoted.1));
    }
    Some((word, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_can_be_set() {
        for name in Dialect::names() {
            let config = Config::new(name.parse().unwrap());
            for directive in DIRECTIVES {
                let value = config.get(directive.name).to_owned();
                assert_eq!(config.clone().set_at_start(directive.name, &value), Ok(()), "{}", directive.name);
            }
        }
    }

    #[test]
    fn old_names_mean_the_same() {
        let mut config = Config::new(Dialect::DEFAULT);
        config.set("slave-read-only", "no").unwrap();
        assert!(!config.flag("replica-read-only"));
        config.set("client-output-buffer-limit", "slave 536870912 536870912 0").unwrap();
        let limit = config.output_limit("replica");
        assert_eq!((limit.hard, limit.soft, limit.soft_seconds), (536_870_912, 536_870_912, 0));
        assert_eq!(config.output_limit("pubsub").hard, 33_554_432);
        config.set("client-output-buffer-limit", "replica 1mb 64kb 5 normal 1 2 3").unwrap();
        assert_eq!(config.output_limit("replica").hard, 1 << 20);
        assert_eq!(config.output_limit("normal").soft, 2);
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let mut config = Config::new(Dialect::DEFAULT);
        assert_eq!(config.set("databases", "7000"), Err(ConfigError::Immutable));
        assert_eq!(config.set("port", "1"), Ok("port"));
        let mut old = Config::new("redis-6.2".parse().unwrap());
        assert_eq!(old.set("port", "1"), Err(ConfigError::Immutable));
        assert!(matches!(config.set("nothing", "1"), Err(ConfigError::Unknown(_))));
        for (name, value) in [
            ("repl-timeout", "0"),
            ("repl-timeout", "x"),
            ("repl-backlog-size", "1x"),
            ("appendonly", "maybe"),
            ("client-output-buffer-limit", "slave 1 2"),
        ] {
            assert!(matches!(config.set(name, value), Err(ConfigError::Invalid(_))), "{name} {value}");
        }
    }

    #[test]
    fn a_file_is_read_and_its_faults_named() {
        let mut config = Config::new(Dialect::DEFAULT);
        let mut others = Vec::new();
        let text = "# comment\nport 7000\nslaveof 127.0.0.1 6379\nrequirepass \"a \\x41\"\nclient-output-buffer-limit slave 1 2 3\nnonsense 1\nhz x\nrequirepass \"open\n";
        let complaints = config.read(text, |words| {
            others.push(words.join(" "));
            words[0] == "slaveof"
        });
        assert_eq!(config.get("port"), "7000");
        assert_eq!(config.get("requirepass"), "a A");
        assert_eq!(others, ["slaveof 127.0.0.1 6379", "nonsense 1"]);
        assert_eq!(complaints.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [6, 7, 8]);
    }

    #[test]
    fn words_and_quotes() {
        let words = |line: &str| {
            let words = split(line.as_bytes())?;
            Some(words.iter().map(|word| word.escape_ascii().to_string()).collect::<Vec<_>>().join("|"))
        };
        assert_eq!(words("a 'b c' \"d\\n\" ''").as_deref(), Some("a|b c|d\\n|"));
        assert_eq!(words("\"\\x80\\xzz\" 'it\\'s' a\"b c\"").as_deref(), Some("\\x80xzz|it\\'s|ab c"));
        for open in ["\"a", "'a", "\"a\"b", "\"a\\"] {
            assert_eq!(words(open), None, "{open}");
        }
        assert_eq!(split(b"\xff \"\xfe\""), Some(vec![vec![0xff], vec![0xfe]]));
    }

    #[test]
    fn a_file_is_rewritten_in_place() {
        let text = "# mine\nport 7000\nslaveof 10.0.0.1 6379\nslave-priority 100\nfoo bar\nmaxclients 5\n";
        let mut config = Config::new(Dialect::DEFAULT);
        config.read(text, |_| true);
        config.set("replica-priority", "10").unwrap();
        config.set("requirepass", "a \"b").unwrap();
        let master = ("10.0.0.2".to_owned(), 6380);
        let after = config.rewritten(text, Dialect::DEFAULT, Some(&master), None);
        let wanted = "# mine\nport 7000\nslaveof 10.0.0.2 6380\nreplica-priority 10\nfoo bar\nmaxclients 5\n# Generated by CONFIG REWRITE\nrequirepass \"a \\\"b\"\n";
        assert_eq!(after, wanted);
        let mut again = Config::new(Dialect::DEFAULT);
        again.read(&after, |_| true);
        assert_eq!(again.get("requirepass"), "a \"b");
        assert_eq!(
            config.rewritten(&after, Dialect::DEFAULT, None, None),
            wanted.replace("slaveof 10.0.0.2 6380\n", "")
        );
    }

    /// Asked of Redis 6.2.14, 7.0.15 and 8.2.3, Valkey 9.1.2.
    #[test]
    fn users_take_the_places_of_users() {
        let config = Config::new(Dialect::DEFAULT);
        let text = "# mine\nuser default on nopass ~* +@all\nUSER alice on >secret\nfoo bar\nuser bob off\n";
        let users = ["a on", "b off"].map(str::to_owned);
        let wanted = "# mine\nuser a on\nuser b off\nfoo bar\n";
        assert_eq!(config.rewritten(text, Dialect::DEFAULT, None, Some(&users)), wanted);
        let users = ["a", "b", "c", "d"].map(str::to_owned);
        let after = config.rewritten(text, Dialect::DEFAULT, None, Some(&users));
        assert_eq!(after, "# mine\nuser a\nuser b\nfoo bar\nuser c\n# Generated by CONFIG REWRITE\nuser d\n");
        // Those of an ACL file are none of this one's.
        assert_eq!(config.rewritten(text, Dialect::DEFAULT, None, Some(&[])), "# mine\nfoo bar\n");
        assert_eq!(config.rewritten(text, Dialect::DEFAULT, None, None), text);
    }
}
