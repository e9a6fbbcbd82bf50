//! INFO: what the engine tells of itself, in the servers' own fields.

use std::fmt::Write;

use super::core::Engine;
use super::dialect::Family;

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
    /// Processor seconds, in the system and for the user.
    pub cpu: (f64, f64),
}

/// Writes a section's fields.
type Section = fn(&Engine, i64, &mut String);

/// The sections, in order.
const SECTIONS: &[(&str, Section)] = &[
    ("Server", server),
    ("Clients", clients),
    ("Memory", memory),
    ("Persistence", persistence),
    ("Stats", stats),
    ("Replication", replication),
    ("CPU", cpu),
    ("Modules", |_, _, _| {}),
    ("Errorstats", errors),
    ("Cluster", |_, _, out| out.push_str("cluster_enabled:0\r\n")),
    ("Keyspace", keyspace),
];

impl Engine {
    /// The sections of these names (in any case), `all`, `everything`, `default`, or none for the default.
    #[must_use]
    pub fn info<'a>(&self, names: impl Iterator<Item = &'a [u8]> + Clone, now: i64) -> String {
        let is = |word: &str| names.clone().any(|name| name.eq_ignore_ascii_case(word.as_bytes()));
        let all = is("all") || is("everything");
        let default = is("default") || names.clone().next().is_none();
        let mut text = String::new();
        for (name, write) in SECTIONS {
            if all || default || is(name) {
                if !text.is_empty() {
                    text.push_str("\r\n");
                }
                let _ = write!(text, "# {name}\r\n");
                write(self, now, &mut text);
            }
        }
        text
    }
}

/// Writes `name:value` lines.
macro_rules! fields {
    ($out:ident, $($name:literal : $value:expr),+ $(,)?) => {{
        $( let _ = write!($out, concat!($name, ":{}\r\n"), $value); )+
    }};
}

fn server(engine: &Engine, now: i64, out: &mut String) {
    let dialect = engine.dialect;
    let process = &engine.process;
    let uptime = (now - process.started_at).max(0) / 1000;
    fields!(out, "redis_version": dialect.redis_version());
    if dialect.family == Family::Valkey {
        fields!(out, "server_name": "valkey", "valkey_version": dialect.own_version(), "valkey_release_stage": "ga");
    }
    let mode = if dialect.family == Family::Valkey { "server_mode" } else { "redis_mode" };
    fields!(out, "redis_git_sha1": "00000000", "redis_git_dirty": 0, "redis_build_id": "repltool");
    let _ = write!(out, "{mode}:standalone\r\n");
    fields!(
        out,
        "os": std::env::consts::OS,
        "arch_bits": usize::BITS,
        "monotonic_clock": "POSIX clock_gettime",
        "multiplexing_api": "tokio",
        "process_id": process.id,
        "process_supervised": "no",
        "run_id": process.run_id,
        "tcp_port": process.port,
        "server_time_usec": now * 1000,
        "uptime_in_seconds": uptime,
        "uptime_in_days": uptime / 86_400,
        "hz": engine.config.get("hz"),
        "configured_hz": engine.config.get("hz"),
        "lru_clock": (now / 1000) & 0x00ff_ffff,
        "executable": process.executable,
        "config_file": process.config_file,
        "io_threads_active": 0,
        "repltool_version": env!("CARGO_PKG_VERSION"),
    );
}

fn clients(engine: &Engine, _: i64, out: &mut String) {
    let counts = engine.clients.counts();
    fields!(
        out,
        "connected_clients": counts.normal,
        "cluster_connections": 0,
        "maxclients": engine.config.get("maxclients"),
        "client_recent_max_input_buffer": 0,
        "client_recent_max_output_buffer": counts.longest_output,
        "blocked_clients": counts.blocked,
        "tracking_clients": 0,
        "clients_in_timeout_table": counts.blocked_with_timeout,
    );
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

fn memory(engine: &Engine, _: i64, out: &mut String) {
    let process = &engine.process;
    let maxmemory = engine.config.size("maxmemory");
    fields!(
        out,
        "used_memory": process.memory,
        "used_memory_human": human(process.memory),
        "used_memory_rss": process.memory,
        "used_memory_rss_human": human(process.memory),
        "used_memory_peak": process.memory_peak,
        "used_memory_peak_human": human(process.memory_peak),
        "used_memory_dataset": process.memory,
        "maxmemory": maxmemory,
        "maxmemory_human": human(maxmemory),
        "maxmemory_policy": engine.config.get("maxmemory-policy"),
        "mem_fragmentation_ratio": "1.00",
        "mem_allocator": "system",
        "lazyfree_pending_objects": 0,
    );
}

fn persistence(engine: &Engine, _: i64, out: &mut String) {
    fields!(
        out,
        "loading": u8::from(engine.is_loading()),
        "async_loading": 0,
        "current_cow_size": 0,
        "current_save_keys_processed": 0,
        "current_save_keys_total": 0,
        "rdb_changes_since_last_save": engine.stats.changes,
        "rdb_bgsave_in_progress": 0,
        "rdb_last_save_time": engine.process.started_at / 1000,
        "rdb_last_bgsave_status": "ok",
        "rdb_last_bgsave_time_sec": -1,
        "rdb_current_bgsave_time_sec": -1,
        "rdb_saves": 0,
        "aof_enabled": 0,
        "aof_rewrite_in_progress": 0,
        "aof_rewrite_scheduled": 0,
        "aof_last_bgrewrite_status": "ok",
        "aof_last_write_status": "ok",
    );
}

fn stats(engine: &Engine, _: i64, out: &mut String) {
    let (stats, syncs) = (&engine.stats, engine.master.stats());
    fields!(
        out,
        "total_connections_received": engine.clients.accepted(),
        "total_commands_processed": stats.commands,
        "instantaneous_ops_per_sec": stats.commands_per_second,
        "total_net_input_bytes": stats.bytes_in,
        "total_net_output_bytes": stats.bytes_out,
        "rejected_connections": stats.rejected,
        "sync_full": syncs.full,
        "sync_partial_ok": syncs.partial_ok,
        "sync_partial_err": syncs.partial_err,
        "expired_keys": stats.expired_keys,
        "evicted_keys": 0,
        "keyspace_hits": stats.hits,
        "keyspace_misses": stats.misses,
        "pubsub_channels": 0,
        "pubsub_patterns": 0,
        "total_error_replies": stats.errors.values().sum::<u64>(),
        "repl_commands_not_applied": stats.unapplied,
        "repl_first_not_applied_offset": stats.first_unapplied.as_ref().map_or(-1, |(offset, _)| *offset),
        "repl_first_not_applied": stats.first_unapplied.as_ref().map_or("", |(_, name)| name),
    );
}

fn replication(engine: &Engine, now: i64, out: &mut String) {
    engine.replication_info(now, out);
}

fn cpu(engine: &Engine, _: i64, out: &mut String) {
    let (system, user) = engine.process.cpu;
    let _ = write!(out, "used_cpu_sys:{system:.6}\r\nused_cpu_user:{user:.6}\r\n");
}

fn errors(engine: &Engine, _: i64, out: &mut String) {
    for (code, count) in &engine.stats.errors {
        let _ = write!(out, "errorstat_{code}:count={count}\r\n");
    }
}

fn keyspace(engine: &Engine, _: i64, out: &mut String) {
    for db in 0..engine.keyspace.databases() {
        let size = engine.keyspace.size(db);
        if size.keys > 0 {
            let _ = write!(out, "db{db}:keys={},expires={},avg_ttl=0\r\n", size.keys, size.volatile);
        }
    }
}
