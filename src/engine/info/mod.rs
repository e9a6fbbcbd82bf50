//! INFO: what the engine tells of itself, in the servers' own fields.

mod layout;

pub(super) use layout::letter;

use std::fmt::Write;

use super::clients::Counts;
use super::core::Engine;
use super::dialect::Family;
use super::subscriptions::To;

/// What the process around the engine is. Times in milliseconds since 1970.
#[derive(Clone, Debug, Default)]
#[allow(missing_docs)]
pub struct Process {
    pub id: u32,
    pub run_id: String,
    pub started_at: i64,
    pub port: u16,
    pub executable: String,
    pub config_file: String,
    /// Bytes of memory in use, and the most there were, as the operating system tells them.
    pub memory: u64,
    pub memory_peak: u64,
    /// Bytes of memory in use before there were data.
    pub memory_without_data: u64,
    /// What the machine has.
    pub memory_total: u64,
    /// Processor seconds, in the system and for the user, and the same of the thread that serves.
    pub cpu: (f64, f64),
    pub cpu_main: (f64, f64),
    /// The operating system's name and version, and the machine's.
    pub system: String,
}

/// The sections, in order, and whether they are told to who asks for none or for the default.
const SECTIONS: &[(&str, bool)] = &[
    ("Server", true),
    ("Clients", true),
    ("Memory", true),
    ("Persistence", true),
    ("Stats", true),
    ("Replication", true),
    ("CPU", true),
    ("Modules", true),
    ("Commandstats", false),
    ("Errorstats", true),
    ("Latencystats", false),
    ("Cluster", true),
    ("Keyspace", true),
];

impl Engine {
    /// The sections of these names (in any case), `all`, `everything`, `default`, or none for the default.
    #[must_use]
    pub fn info<'a>(&self, names: impl Iterator<Item = &'a [u8]> + Clone, now: i64) -> String {
        let is = |word: &str| names.clone().any(|name| name.eq_ignore_ascii_case(word.as_bytes()));
        let all = is("all") || is("everything");
        let by_default = is("default") || names.clone().next().is_none();
        let mut text = String::new();
        for &(name, usual) in SECTIONS {
            let there = name != "Latencystats" || self.dialect.since(7, 0);
            if there && (all || by_default && usual || is(name)) {
                if !text.is_empty() {
                    text.push_str("\r\n");
                }
                let _ = write!(text, "# {name}\r\n");
                self.section(name, now, &mut text);
            }
        }
        text
    }

    fn section(&self, name: &str, now: i64, out: &mut String) {
        let letter = layout::letter(self.dialect);
        match name {
            "Replication" => self.replication_info(now, out),
            "Errorstats" => {
                for (code, count) in &self.stats.errors {
                    let _ = write!(out, "errorstat_{code}:count={count}\r\n");
                }
            }
            "Commandstats" => {
                self.measures.command_lines(self.dialect).iter().for_each(|line| *out += &format!("{line}\r\n"));
            }
            "Latencystats" if self.config.flag("latency-tracking") => {
                let percentiles = self.config.get("latency-tracking-info-percentiles");
                self.measures.latency_lines(percentiles).iter().for_each(|line| *out += &format!("{line}\r\n"));
            }
            "Cluster" => out.push_str("cluster_enabled:0\r\n"),
            "Keyspace" => self.keyspace_info(now, out),
            _ => {
                let fields =
                    layout::SECTIONS.iter().find(|(section, _)| *section == name).map_or(&[][..], |(_, it)| it);
                let values = Values { engine: self, now, counts: self.clients.counts() };
                for (field, _, otherwise) in fields.iter().filter(|(_, servers, _)| servers.contains(letter)) {
                    let value = values.of(field);
                    let _ = write!(out, "{field}:{}\r\n", value.as_deref().unwrap_or(otherwise));
                }
                if name == "Server" {
                    let _ = write!(out, "repltool_version:{}\r\n", env!("CARGO_PKG_VERSION"));
                }
                if name == "Stats" {
                    let stats = &self.stats;
                    let (offset, command) =
                        stats.first_unapplied.as_ref().map_or((-1, ""), |(offset, name)| (*offset, name));
                    let _ = write!(
                        out,
                        "repl_commands_not_applied:{}\r\nrepl_first_not_applied_offset:{offset}\r\nrepl_first_not_applied:{command}\r\n",
                        stats.unapplied
                    );
                }
            }
        }
    }

    fn keyspace_info(&self, now: i64, out: &mut String) {
        for db in 0..self.keyspace.databases() {
            let size = self.keyspace.size(db);
            if size.keys > 0 {
                let average = self.keyspace.average_ttl(db, now);
                let _ = write!(out, "db{db}:keys={},expires={},avg_ttl={average}", size.keys, size.volatile);
                match self.dialect.family {
                    Family::Redis if self.dialect.is_redis_since(7, 4) => out.push_str(",subexpiry=0"),
                    Family::Valkey if self.dialect.is_valkey_since(9, 0) => {
                        let _ = write!(out, ",keys_with_volatile_items={}", self.keyspace.volatile_hashes(db));
                    }
                    _ => {}
                }
                out.push_str("\r\n");
            }
        }
    }
}

/// What fields are told from.
struct Values<'a> {
    engine: &'a Engine,
    now: i64,
    counts: Counts,
}

impl Values<'_> {
    /// A field's value; `None` where there is nothing to tell.
    fn of(&self, field: &str) -> Option<String> {
        let engine = self.engine;
        let (process, stats, config, counts) = (&engine.process, &engine.stats, &engine.config, &self.counts);
        let text = |text: &str| Some(text.to_owned());
        let flag = |holds: bool| Some(u8::from(holds).to_string());
        let seconds = |seconds: f64| Some(format!("{seconds:.6}"));
        let uptime = (self.now - process.started_at).max(0) / 1000;
        let number: u64 = match field {
            "redis_version" => return Some(engine.dialect.redis_version()),
            "server_name" => return text("valkey"),
            "valkey_version" => return Some(engine.dialect.own_version()),
            "redis_git_sha1" => return text("00000000"),
            "redis_build_id" => return text("repltool"),
            "os" => return text(&process.system),
            "arch_bits" => usize::BITS.into(),
            "process_id" => process.id.into(),
            "run_id" => return text(&process.run_id),
            "tcp_port" => process.port.into(),
            "server_time_usec" => u64::try_from(self.now).unwrap_or(0) * 1000,
            "uptime_in_seconds" => uptime.unsigned_abs(),
            "uptime_in_days" => uptime.unsigned_abs() / 86_400,
            "hz" | "configured_hz" | "clients_hz" => config.size("hz"),
            "lru_clock" => u64::try_from(self.now / 1000).unwrap_or(0) & 0x00ff_ffff,
            "executable" => return text(&process.executable),
            "config_file" => return text(&process.config_file),
            "listener0" => {
                let bind: Vec<String> = config.get("bind").split(' ').map(|name| format!("bind={name}")).collect();
                return Some(format!("name=tcp,{},port={}", bind.join(","), process.port));
            }
            "connected_clients" => counts.normal as u64 + 1,
            "maxclients" => config.size("maxclients"),
            "client_recent_max_output_buffer" => counts.longest_output as u64,
            "blocked_clients" => counts.blocked as u64,
            "clients_in_timeout_table" => counts.blocked_with_timeout as u64,
            "pubsub_clients" => counts.listening as u64,
            "watching_clients" => counts.watching as u64,
            "total_watched_keys" => counts.watched_keys as u64,
            "total_blocking_keys" => engine.awaited_keys() as u64,
            "used_memory" | "allocator_allocated" => engine.used_memory(),
            "used_memory_human" => return Some(human(engine.used_memory())),
            "evicted_keys" => stats.evicted_keys,
            "used_memory_rss" | "allocator_active" | "allocator_resident" => process.memory,
            "used_memory_rss_human" => return Some(human(process.memory)),
            "used_memory_peak" => process.memory_peak,
            "used_memory_peak_human" => return Some(human(process.memory_peak)),
            "used_memory_peak_perc" => return Some(percent(process.memory, process.memory_peak)),
            "used_memory_dataset" => process.memory,
            "used_memory_dataset_perc" => return text("100.00%"),
            "total_system_memory" => process.memory_total,
            "total_system_memory_human" => return Some(human(process.memory_total)),
            #[cfg(feature = "scripts")]
            "number_of_cached_scripts" => engine.scripts.counts().0 as u64,
            #[cfg(feature = "scripts")]
            "used_memory_scripts_eval" => engine.scripts.counts().1 as u64,
            #[cfg(feature = "scripts")]
            "number_of_functions" => engine.scripts.functions() as u64,
            #[cfg(feature = "scripts")]
            "used_memory_lua" | "used_memory_vm_eval" => engine.scripts.memory().0 as u64,
            #[cfg(feature = "scripts")]
            "used_memory_vm_functions" => engine.scripts.memory().1 as u64,
            "number_of_libraries" => engine.functions.len() as u64,
            "maxmemory" => config.size("maxmemory"),
            "maxmemory_human" => return Some(human(config.size("maxmemory"))),
            "maxmemory_policy" => return text(config.get("maxmemory-policy")),
            "mem_replication_backlog" | "mem_total_replication_buffers" => {
                engine.master.backlog().map_or(0, |backlog| backlog.histlen())
            }
            "loading" => return flag(engine.is_loading()),
            "rdb_changes_since_last_save" => engine.saving.changes,
            "rdb_bgsave_in_progress" => return flag(engine.is_saving()),
            "rdb_last_save_time" => (engine.last_save() / 1000).unsigned_abs(),
            "rdb_last_bgsave_status" => return text(if engine.saving.failed { "err" } else { "ok" }),
            "rdb_last_bgsave_time_sec" => return Some(engine.saving.seconds.unwrap_or(-1).to_string()),
            "rdb_current_bgsave_time_sec" => {
                let passed = engine.saving.since().map_or(-1, |since| (self.now - since).max(0) / 1000);
                return Some(passed.to_string());
            }
            "rdb_saves" => engine.saving.count,
            "rdb_last_load_keys_loaded" => engine.saving.loaded.0,
            "rdb_last_load_keys_expired" => engine.saving.loaded.1,
            "total_connections_received" => engine.clients.accepted(),
            "total_commands_processed" => stats.commands,
            "instantaneous_ops_per_sec" => stats.rates.commands.per_second(),
            "total_net_input_bytes" => stats.bytes_in + stats.link_bytes_in,
            "total_net_output_bytes" => stats.bytes_out + stats.stream_bytes_out,
            "total_net_repl_input_bytes" => stats.link_bytes_in,
            "total_net_repl_output_bytes" => stats.stream_bytes_out,
            "instantaneous_input_kbps" => return Some(kilobytes(&stats.rates.bytes_in)),
            "instantaneous_output_kbps" => return Some(kilobytes(&stats.rates.bytes_out)),
            "instantaneous_input_repl_kbps" => return Some(kilobytes(&stats.rates.link_bytes_in)),
            "instantaneous_output_repl_kbps" => return Some(kilobytes(&stats.rates.stream_bytes_out)),
            "rejected_connections" => stats.rejected,
            "sync_full" => engine.master.stats().full,
            "sync_partial_ok" => engine.master.stats().partial_ok,
            "sync_partial_err" => engine.master.stats().partial_err,
            "expired_keys" => stats.expired_keys,
            "expired_subkeys" | "expired_fields" => stats.expired_fields,
            "keyspace_hits" => stats.hits,
            "keyspace_misses" => stats.misses,
            "pubsub_channels" => engine.subscriptions.of(To::Channel).len() as u64,
            "pubsub_patterns" => engine.subscriptions.of(To::Pattern).len() as u64,
            "pubsubshard_channels" => engine.subscriptions.of(To::Shard).len() as u64,
            "total_error_replies" => stats.errors.values().sum(),
            "client_output_buffer_limit_disconnections" => stats.cut_for_output,
            "acl_access_denied_auth" => stats.errors.get("WRONGPASS").copied().unwrap_or(0),
            "acl_access_denied_cmd" => stats.errors.get("NOPERM").copied().unwrap_or(0),
            "lazyfreed_objects" => stats.freed_lazily,
            "tracking_clients" => engine.tracked.clients as u64,
            "tracking_total_keys" => engine.tracked.counts().0 as u64,
            "tracking_total_items" => engine.tracked.counts().1 as u64,
            "tracking_total_prefixes" => engine.tracked.counts().2 as u64,
            "used_cpu_sys" => return seconds(process.cpu.0),
            "used_cpu_user" => return seconds(process.cpu.1),
            "used_cpu_sys_main_thread" => return seconds(process.cpu_main.0),
            "used_cpu_user_main_thread" => return seconds(process.cpu_main.1),
            _ => return None,
        };
        Some(number.to_string())
    }
}

/// A size for people, as servers write it: `1.50M`.
fn human(bytes: u64) -> String {
    let value = bytes as f64;
    match bytes {
        0..1024 => format!("{bytes}B"),
        1024..0x10_0000 => format!("{:.2}K", value / 1024.0),
        0x10_0000..0x4000_0000 => format!("{:.2}M", value / 1_048_576.0),
        _ => format!("{:.2}G", value / 1_073_741_824.0),
    }
}

fn percent(part: u64, whole: u64) -> String {
    format!("{:.2}%", if whole == 0 { 0.0 } else { part as f64 / whole as f64 * 100.0 })
}

fn kilobytes(rate: &Rate) -> String {
    format!("{:.2}", rate.per_second() as f64 / 1024.0)
}

/// How fast a count grows: the mean of the last sixteen samples, as servers have it.
#[derive(Clone, Debug, Default)]
pub struct Rate {
    samples: [u64; 16],
    next: usize,
    count: u64,
    at: i64,
}

impl Rate {
    /// The count as it is at this time, in milliseconds since 1970.
    pub fn sample(&mut self, count: u64, now: i64) {
        let passed = now - self.at;
        if self.at > 0
            && passed > 0
            && let Some(place) = self.samples.get_mut(self.next)
        {
            *place = count.saturating_sub(self.count) * 1000 / passed.unsigned_abs();
            self.next = (self.next + 1) % self.samples.len();
        }
        (self.count, self.at) = (count, now);
    }

    /// By how much a second.
    #[must_use]
    pub fn per_second(&self) -> u64 {
        self.samples.iter().sum::<u64>() / self.samples.len() as u64
    }
}

/// Rates for INFO.
#[derive(Clone, Debug, Default)]
#[allow(missing_docs)]
pub struct Rates {
    pub commands: Rate,
    pub bytes_in: Rate,
    pub bytes_out: Rate,
    pub link_bytes_in: Rate,
    pub stream_bytes_out: Rate,
}

impl Engine {
    /// Rates are taken anew; to be called ten times a second.
    pub fn sample_rates(&mut self, now: i64) {
        self.keyspace.clock.set(now);
        let stats = &mut self.stats;
        let rates = &mut stats.rates;
        rates.commands.sample(stats.commands, now);
        rates.bytes_in.sample(stats.bytes_in, now);
        rates.bytes_out.sample(stats.bytes_out, now);
        rates.link_bytes_in.sample(stats.link_bytes_in, now);
        rates.stream_bytes_out.sample(stats.stream_bytes_out, now);
    }
}

#[cfg(test)]
mod tests {
    use crate::engine::testing::Play;

    fn sections(play: &mut Play, line: &str) -> String {
        let text = String::from_utf8(play.bulk(line)).unwrap();
        let heads: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("# ")).collect();
        heads.join(" ")
    }

    #[test]
    fn sections_are_chosen_as_servers_choose_them() {
        let mut play = Play::new("redis-7.0");
        let usual = "Server Clients Memory Persistence Stats Replication CPU Modules Errorstats Cluster Keyspace";
        let all = "Server Clients Memory Persistence Stats Replication CPU Modules Commandstats Errorstats Latencystats Cluster Keyspace";
        for (line, heads) in [
            ("INFO", usual),
            ("INFO default", usual),
            ("INFO everything", all),
            ("INFO all replication", all),
            ("INFO SERVER clients", "Server Clients"),
            ("INFO nonsense", ""),
            ("INFO nonsense replication", "Replication"),
        ] {
            assert_eq!(sections(&mut play, line), heads, "{line}");
        }
        let mut play = Play::new("redis-6.2");
        assert_eq!(play.run("INFO server clients"), "-ERR syntax error");
        assert_eq!(sections(&mut play, "INFO server"), "Server");
    }

    #[test]
    fn hits_and_misses_are_counted() {
        let mut play = Play::new("redis-7.0");
        for line in ["SET k v", "GET k", "GET nokey", "EXISTS k", "MGET k nokey", "HGET nokey f"] {
            play.run(line);
        }
        assert_eq!((play.engine.stats.hits, play.engine.stats.misses), (3, 3));
    }

    #[test]
    fn a_rate_is_the_mean_of_samples() {
        let mut rate = super::Rate::default();
        for tick in 0..=16 {
            rate.sample(tick * 10, 1_000_000 + tick as i64 * 100);
        }
        assert_eq!(rate.per_second(), 100);
    }

    /// The replication section, field by field, as the servers have it.
    #[test]
    fn replication_is_told_as_servers_tell_it() {
        let fields = |play: &mut Play| {
            let text = String::from_utf8(play.bulk("INFO replication")).unwrap();
            text.lines().filter_map(|line| Some(line.split_once(':')?.0.to_owned())).collect::<Vec<_>>().join(" ")
        };
        let end = "master_failover_state master_replid master_replid2 master_repl_offset second_repl_offset repl_backlog_active repl_backlog_size repl_backlog_first_byte_offset repl_backlog_histlen";
        let link = "role master_host master_port master_link_status master_last_io_seconds_ago master_sync_in_progress slave_read_repl_offset slave_repl_offset";
        let replica = "slave_priority slave_read_only replica_announced connected_slaves";
        for (dialect, more, waiting) in [
            ("redis-6.2", "", ""),
            ("redis-7.0", "", ""),
            (
                "redis-8.2",
                " replica_full_sync_buffer_size replica_full_sync_buffer_peak master_current_sync_attempts master_total_sync_attempts master_link_up_since_seconds total_disconnect_time_sec",
                "",
            ),
            ("valkey-8.1", " replicas_repl_buffer_size replicas_repl_buffer_peak", " replicas_waiting_psync"),
            ("valkey-9.1", " replicas_repl_buffer_size replicas_repl_buffer_peak", " replicas_waiting_psync"),
        ] {
            let mut play = Play::new(dialect);
            assert_eq!(fields(&mut play), format!("role connected_slaves{waiting} {end}"), "{dialect}");
            play.run("REPLICAOF 127.0.0.1 6379");
            let wanted = format!("{link}{more} master_link_down_since_seconds {replica}{waiting} {end}");
            assert_eq!(fields(&mut play), wanted, "{dialect}");
        }
    }
}
