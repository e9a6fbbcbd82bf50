//! The one definition of the command line: help, man pages and completions are made from it.

use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

use crate::engine::server::Fault;
use crate::engine::{Config, Dialect};
use crate::replay::{Cut, Speed, Target};
use crate::units;

/// Makes the Redis and Valkey replication protocol visible and repeatable.
#[derive(Debug, Parser)]
#[command(name = "repltool", version, propagate_version = true, max_term_width = 100)]
#[command(
    after_help = "Exit codes: 0 fine, 1 a negative verdict, 2 trouble (usage, input, permission, not a capture)."
)]
pub struct Args {
    /// When to use colour. NO_COLOR and CLICOLOR_FORCE are honoured.
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto", hide_possible_values = false)]
    pub(super) color: ColorChoice,

    #[command(subcommand)]
    pub(super) command: Command,
}

/// When to use colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum ColorChoice {
    /// When the output is a terminal.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// The form of the output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// For people.
    Text,
    /// For programs: JSON Lines from sniff, one object from report.
    Json,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    Sniff(SniffArgs),
    Report(ReportArgs),
    Extract(ExtractArgs),
    /// Look into an RDB: a dump file, an AOF with a preamble, raw PSYNC bytes, standard input, or out of a capture.
    #[command(subcommand)]
    Rdb(RdbCommand),
    Replay(ReplayArgs),
    Serve(ServeArgs),
    /// Print shell completions.
    Completions {
        /// The shell.
        shell: Shell,
    },
    /// Print the man page, of repltool or of one command.
    Man {
        /// The command; repltool's own page without it.
        command: Option<String>,
    },
}

/// The options about the output's form.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(super) struct FormatArgs {
    /// The form of the output.
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    format: Format,

    /// Short for `--format json`.
    #[arg(long, conflicts_with = "format")]
    json: bool,
}

impl FormatArgs {
    pub(super) fn chosen(self) -> Format {
        if self.json { Format::Json } else { self.format }
    }
}

/// Show replication as it happens, live or from a capture file: handshake, sync, RDB, stream, ACKs.
///
/// Every TCP connection in the capture is looked at, and those that carry replication are shown, whatever their port:
/// one line per protocol step, with the replication offset of every command. FILTER is an expression as tcpdump takes
/// it; tcpdump's own options -c, -s, -B, -D, -l, -w, -n and -T RESP work here too.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  repltool sniff -i lo port 6000                live, on the loopback interface
  repltool sniff -r capture.pcap                from a file; pcap and pcapng, also gzip- or zstd-compressed
  repltool sniff -i lo -f json port 6000 | jq -c 'select(.event == \"ack\")'
  tcpdump -i eth0 -w - port 6379 | repltool sniff -r -")]
pub(super) struct SniffArgs {
    /// Capture live on this interface; `any` is all of them.
    #[arg(short, long, value_name = "INTERFACE", conflicts_with = "read")]
    pub(super) interface: Option<String>,

    /// Read a capture file instead; `-` is standard input.
    #[arg(short, long, value_name = "FILE")]
    pub(super) read: Option<PathBuf>,

    /// Also write the packets seen to a file: pcap, or pcapng where its name ends so; `-` is standard output, and then
    /// nothing else is printed.
    #[arg(short, long, value_name = "FILE")]
    pub(super) write: Option<PathBuf>,

    /// Stop after this many packets.
    #[arg(short, long, value_name = "PACKETS", value_parser = clap::value_parser!(u64).range(1..))]
    pub(super) count: Option<u64>,

    /// Capture at most this many bytes of each packet (live only; 0 is all).
    #[arg(short, long, value_name = "BYTES", default_value_t = 0)]
    pub(super) snaplen: u32,

    /// The kernel's capture buffer: KiB as in tcpdump, or with a unit (64mb). Live only; 32 MiB unless given.
    #[arg(short = 'B', long, value_name = "SIZE", value_parser = buffer_size)]
    pub(super) buffer_size: Option<usize>,

    /// List the interfaces to capture on.
    #[arg(short = 'D', long, conflicts_with_all = ["interface", "read"])]
    pub(super) list_interfaces: bool,

    #[command(flatten)]
    pub(super) format: FormatArgs,

    /// Show ordinary clients' commands and replies too.
    #[arg(long)]
    pub(super) clients: bool,

    /// Show passwords instead of ********.
    #[arg(long)]
    pub(super) show_secrets: bool,

    /// Show at most this many bytes of each argument, with a unit if need be (64kb); 0 is all. Text shows 256 unless
    /// told otherwise, JSON 1mb.
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub(super) max_bytes: Option<usize>,

    /// Show what is folded otherwise: heartbeats, equal ACKs, repeated connections.
    #[arg(short, long, action = ArgAction::Count)]
    pub(super) verbose: u8,

    /// Write each line as soon as it is whole. Live captures do so anyway.
    #[arg(short = 'l', long)]
    pub(super) line_buffered: bool,

    /// Accepted for tcpdump's sake: addresses and ports are never resolved to names.
    #[arg(short = 'n', action = ArgAction::Count)]
    pub(super) no_names: u8,

    /// Accepted for tcpdump's sake: everything is taken for RESP where it is.
    #[arg(short = 'T', value_name = "TYPE", value_parser = packet_type)]
    pub(super) packet_type: Option<String>,

    /// A filter expression as tcpdump takes it, its words anywhere on the line.
    #[arg(value_name = "FILTER")]
    pub(super) filter: Vec<String>,
}

/// Sum up a capture: one summary per replication link, what happened, why, how long, how far behind.
#[derive(Debug, clap::Args)]
pub(super) struct ReportArgs {
    /// The capture; `-` is standard input.
    #[arg(value_name = "CAPTURE")]
    pub(super) capture: PathBuf,

    #[command(flatten)]
    pub(super) format: FormatArgs,

    /// A filter expression as tcpdump takes it.
    #[arg(value_name = "FILTER")]
    pub(super) filter: Vec<String>,
}

/// Reproduce a capture: its servers are rebuilt from it, connected and fed as they were, over loopback TCP.
///
/// The master begins with the recorded RDB, replid and offset, and passes the recorded stream on; the replica does what
/// the recorded one did. The servers take the recording's time for theirs and do nothing by themselves. Then each link is
/// compared with the recorded one: sync, transfer, replid, offsets, keys, commands, ACKs, and where there is a second
/// RDB, that with what the stream has made of the first. Exit 0 where all came out as recorded, 1 where not.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  repltool replay capture.pcap
  repltool replay capture.pcap --dry-run            the story, without playing it
  repltool replay capture.pcap -f json | jq '.links[] | select(.same | not).differences'
  repltool replay capture.pcap -w again.pcap && repltool report again.pcap
  repltool replay capture.pcap --cut-at 20000 --repl-backlog-size 16kb
  repltool replay capture.pcap --find-backlog
  repltool replay capture.pcap --to 10.0.0.5:6379 --as replica    does a real master answer as the recorded one did?
  repltool replay capture.pcap --listen 7000 --as master          wait for a real replica's REPLICAOF, and feed it
  repltool replay capture.pcap --listen 7000,7001 --as master     the same with two, one after the other")]
#[command(group = clap::ArgGroup::new("real").args(["to", "listen"]))]
pub(super) struct ReplayArgs {
    /// The capture; `-` is standard input.
    #[arg(value_name = "CAPTURE")]
    pub(super) capture: PathBuf,

    /// Only this link, by its number in the report; more than one by repeating the option.
    #[arg(long = "link", value_name = "N")]
    pub(super) links: Vec<u32>,

    /// How fast: `max`, or so many times as fast as it was recorded; 1 where it is asked what becomes of links in time.
    #[arg(long, value_name = "SPEED", value_parser = speed, hide_default_value = true)]
    pub(super) speed: Option<Speed>,

    /// Tell the story, and do not play it.
    #[arg(long)]
    pub(super) dry_run: bool,

    /// Write the replayed conversation to this capture.
    #[arg(short = 'w', long = "write", value_name = "FILE", conflicts_with = "dry_run")]
    pub(super) write: Option<PathBuf>,

    /// What if: cut the link when its replica has applied this offset, when packet:N has come, or when so many bytes of the
    /// RDB have; it comes back by itself. More than one by repeating the option.
    #[arg(long, value_name = "OFFSET|packet:N|rdb:BYTES", value_parser = cut)]
    pub(super) cut_at: Vec<Cut>,

    /// What if: with this backlog, not one in which everything holds that held. For bytes that the capture lacks others
    /// stand, as many as there were.
    #[arg(long, value_name = "SIZE", value_parser = units::size)]
    pub(super) repl_backlog_size: Option<u64>,

    /// What if: full syncs over one connection are diskless, or go by a file.
    #[arg(long, value_name = "yes|no", value_parser = yes_or_no)]
    pub(super) diskless: Option<bool>,

    /// What if: the ends give each other up after so many seconds without a word.
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=2_147_483_647))]
    pub(super) repl_timeout: Option<u64>,

    /// What if: a master drops replicas for whom this much waits, as in redis.conf: 'replica 256mb 64mb 60'.
    #[arg(long, value_name = "LIMIT", value_parser = output_limit)]
    pub(super) client_output_buffer_limit: Option<String>,

    /// What if: each byte is under way so long, in either direction, as in 250ms.
    #[arg(long, value_name = "DURATION", value_parser = units::duration)]
    pub(super) delay: Option<Duration>,

    /// What if: no more than so many bytes go in a second, in either direction, as in 100kb.
    #[arg(long, value_name = "SIZE", value_parser = bandwidth)]
    pub(super) bandwidth: Option<u64>,

    /// What the master held where the capture begins after the sync: an RDB file.
    #[arg(long, value_name = "FILE", conflicts_with = "dry_run")]
    pub(super) rdb: Option<PathBuf>,

    /// Find the smallest backlog with which the replicas' returns are partial syncs, those that overran it included.
    #[arg(long, conflicts_with_all = ["dry_run", "write", "repl_backlog_size"])]
    pub(super) find_backlog: bool,

    /// Do what the recorded replica did to this real master; several, by commas or by repeating the option, one after the
    /// other. It is asked as the recorded one was, in the first place with the recorded history and offset; what is
    /// compared is whether it answers with a full or a partial sync, and how the RDB travels.
    #[arg(long, value_name = "HOST:PORT", value_delimiter = ',', value_parser = target, requires = "part")]
    #[arg(conflicts_with_all = ["cut_at", "repl_backlog_size", "find_backlog"])]
    pub(super) to: Vec<Target>,

    /// Wait here for a real replica, and feed it the recorded master's side at the recorded offsets; several, one after
    /// the other. Afterwards it is asked for its DEBUG DIGEST. Without a host on 127.0.0.1.
    #[arg(long, value_name = "[HOST:]PORT", value_delimiter = ',', value_parser = listen, requires = "part")]
    #[arg(conflicts_with = "find_backlog")]
    pub(super) listen: Vec<Target>,

    /// The side that is played, a real server having the other: `replica` with --to, `master` with --listen.
    #[arg(long = "as", value_name = "SIDE", requires = "real")]
    pub(super) part: Option<PartArg>,

    /// The password between master and replica: said to the master of --to, asked of the replica of --listen.
    #[arg(long, value_name = "PASSWORD", requires = "real")]
    pub(super) masterauth: Option<String>,

    /// The user whose password that is.
    #[arg(long, value_name = "USER", requires = "masterauth")]
    pub(super) masteruser: Option<String>,

    /// Which server those are of which the capture does not tell: redis-2.8 to redis-8.2, valkey-8.1 or valkey-9.1.
    #[arg(long, value_name = "SERVER")]
    pub(super) compat: Option<Dialect>,

    #[command(flatten)]
    pub(super) format: FormatArgs,

    /// A filter expression as tcpdump takes it.
    #[arg(value_name = "FILTER")]
    pub(super) filter: Vec<String>,
}

/// A side of a replay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum PartArg {
    /// The recorded replica's.
    Replica,
    /// The recorded master's.
    Master,
}

/// `host:7000`, `[::1]:7000`.
fn target(text: &str) -> Result<Target, String> {
    let wrong = || "HOST:PORT, such as 127.0.0.1:6379 or [::1]:6379".to_owned();
    let (host, port) = text.rsplit_once(':').ok_or_else(wrong)?;
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let host = bare.unwrap_or(host);
    let port = port.parse().map_err(|_| wrong())?;
    if host.is_empty() || (bare.is_none() && host.contains(':')) {
        return Err(wrong());
    }
    Ok(Target { host: host.to_owned(), port })
}

/// The same, or a port only.
fn listen(text: &str) -> Result<Target, String> {
    match text.parse() {
        Ok(port) => Ok(Target { host: "127.0.0.1".to_owned(), port }),
        Err(_) => target(text).map_err(|wrong| format!("a port, or {wrong}")),
    }
}

fn cut(text: &str) -> Result<Cut, String> {
    let (number, cut): (&str, fn(u64) -> Cut) = match text.strip_prefix("packet:") {
        Some(packet) => (packet, Cut::Packet),
        None => (text, Cut::Offset),
    };
    if let Some(bytes) = text.strip_prefix("rdb:") {
        return units::size(bytes).map(Cut::Rdb).map_err(str::to_owned);
    }
    number.parse().map(cut).map_err(|_| "an offset, packet:N or rdb:BYTES".to_owned())
}

fn yes_or_no(text: &str) -> Result<bool, String> {
    match text {
        "yes" => Ok(true),
        "no" => Ok(false),
        _ => Err("yes or no".to_owned()),
    }
}

/// A limit as redis.conf has it; the class may be left out.
fn output_limit(text: &str) -> Result<String, String> {
    let text = if text.starts_with(|first: char| first.is_ascii_digit()) {
        format!("replica {text}")
    } else {
        text.to_owned()
    };
    let mut config = Config::new(Dialect::DEFAULT);
    let name = "client-output-buffer-limit";
    config.set_at_start(name, &text).map_err(|_| "a limit is as in 'replica 256mb 64mb 60'".to_owned())?;
    Ok(text)
}

fn bandwidth(text: &str) -> Result<u64, String> {
    match units::size(text).map_err(str::to_owned)? {
        0 => Err("nothing would ever come".to_owned()),
        bandwidth => Ok(bandwidth),
    }
}

fn speed(text: &str) -> Result<Speed, String> {
    if text == "max" {
        return Ok(Speed::Full);
    }
    match text.parse::<f64>() {
        Ok(times) if times.is_finite() && times > 0.0 => Ok(Speed::Times(times)),
        _ => Err("max, or a number above 0, such as 1 or 10".to_owned()),
    }
}

/// Carve the RDB or the replication stream of a link out of a capture, byte for byte.
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("what").args(["rdb", "stream"]).required(true).multiple(true))]
#[command(after_help = "\
Examples:
  repltool extract capture.pcap --rdb dump.rdb
  repltool extract capture.pcap --link 3 --stream - | redis-cli --pipe")]
pub(super) struct ExtractArgs {
    /// The capture; it is read twice, so it cannot be standard input.
    #[arg(value_name = "CAPTURE")]
    pub(super) capture: PathBuf,

    /// The link, by the number that sniff and report give it. Needed where several could be meant.
    #[arg(short, long, value_name = "N")]
    pub(super) link: Option<u32>,

    /// Write the RDB here; `-` is standard output. Of a sync over two connections either one's number will do.
    #[arg(long, value_name = "FILE")]
    pub(super) rdb: Option<PathBuf>,

    /// Write the replication stream here; `-` is standard output.
    #[arg(long, value_name = "FILE")]
    pub(super) stream: Option<PathBuf>,

    /// A filter expression as tcpdump takes it.
    #[arg(value_name = "FILTER")]
    pub(super) filter: Vec<String>,
}

#[derive(Debug, Subcommand)]
pub(super) enum RdbCommand {
    /// Sum it up: version, databases, types, encodings, the biggest keys, prefixes.
    Info(RdbArgs),
    /// List its keys, a line each.
    Keys(RdbKeysArgs),
    Dump(RdbDumpArgs),
    /// Check all of it: structure, checksum, every packed value. Exit 1 where it is corrupt.
    Check(RdbArgs),
    /// Write it anew in another version, dialect or form, as for an older server. What that cannot hold is named, key by
    /// key. Takes the memory of its largest key.
    Convert(RdbConvertArgs),
    Diff(RdbDiffArgs),
    Explain(RdbExplainArgs),
    Salvage(RdbSalvageArgs),
}

/// Where an RDB comes from.
#[derive(Debug, clap::Args)]
pub(super) struct RdbSource {
    /// The RDB: a file of any of the kinds, or `-` for standard input.
    #[arg(value_name = "FILE")]
    pub(super) file: PathBuf,

    /// Of a capture, the link whose RDB is meant; needed where it holds several.
    #[arg(short, long, value_name = "N")]
    pub(super) link: Option<u32>,
}

/// The arguments of most commands about an RDB.
#[derive(Debug, clap::Args)]
pub(super) struct RdbArgs {
    #[command(flatten)]
    pub(super) source: RdbSource,

    #[command(flatten)]
    pub(super) format: FormatArgs,
}

/// Compare two RDBs by what they hold: a line for each key that differs. Exit 1 where any does.
///
/// Databases, names, types, values, expiries and function libraries count. How a file has it does not: encodings, order,
/// compression, RDB version, Redis or Valkey; nor do idle times and AUX fields, nor what only one of the two versions can
/// express. Damaged input is not compared. Dumps larger than memory are sorted in temporary files (TMPDIR).
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  repltool rdb diff monday.rdb tuesday.rdb
  repltool rdb diff --json before.rdb after.pcap --link-b 3 | jq -r 'select(.change == \"removed\").key'")]
pub(super) struct RdbDiffArgs {
    /// The first RDB: a file of any of the kinds, or `-` for standard input.
    #[arg(value_name = "A")]
    pub(super) a: PathBuf,

    /// The second one.
    #[arg(value_name = "B")]
    pub(super) b: PathBuf,

    /// Where A is a capture, the link whose RDB is meant.
    #[arg(long, value_name = "N")]
    pub(super) link_a: Option<u32>,

    /// Where B is a capture, the link whose RDB is meant.
    #[arg(long, value_name = "N")]
    pub(super) link_b: Option<u32>,

    #[command(flatten)]
    pub(super) format: FormatArgs,
}

/// Which keys are wanted. With any of these options, dump leaves out all records that are no keys, except the last,
/// `end`, which counts the keys that were written.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Only some keys (dump then leaves out all other records but the last)")]
pub(super) struct RdbFilterArgs {
    /// Keys whose names a pattern has, as KEYS and SCAN take it: * ? [a-z] [^x], \ before a sign that stands for itself.
    #[arg(long = "match", value_name = "GLOB")]
    pub(super) pattern: Option<std::ffi::OsString>,

    /// Keys of this type; more than one with commas, or by repeating the option.
    #[arg(long = "type", value_name = "TYPE", value_delimiter = ',')]
    pub(super) types: Vec<KeyType>,

    /// Keys of this database; more than one with commas, or by repeating the option.
    #[arg(long = "db", value_name = "N", value_delimiter = ',')]
    pub(super) databases: Vec<u64>,

    /// Keys that have an expiry, or have none.
    #[arg(long, value_name = "WHETHER")]
    pub(super) expires: Option<YesNo>,

    /// Keys that take at least so many bytes of the file, with a unit if need be (64kb).
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub(super) min_bytes: Option<usize>,
}

/// A type of keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum KeyType {
    /// Strings.
    String,
    /// Lists.
    List,
    /// Sets.
    Set,
    /// Sorted sets.
    Zset,
    /// Hashes.
    Hash,
    /// Streams.
    Stream,
    /// What modules keep, vector sets too.
    Module,
    /// Sparse arrays.
    Array,
    /// Rate limits.
    Gcra,
}

/// Yes or no.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum YesNo {
    /// They have.
    Yes,
    /// They have not.
    No,
}

/// Explain the bytes: the record at an offset with all its parts in words, or without --offset the list of records.
///
/// Offsets are those in the RDB, from its magic on. Of a record with very many parts the first ones and those around the
/// byte are shown. Exit 2 where no record holds the byte: it is behind the RDB's end, or behind damage.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  repltool rdb explain dump.rdb                    the records: offset, bytes, name, key
  repltool rdb explain dump.rdb --offset 57        the record that holds byte 57, and what this byte is
  repltool rdb explain dump.rdb --offset 0x39 -f json")]
pub(super) struct RdbExplainArgs {
    #[command(flatten)]
    pub(super) source: RdbSource,

    /// The byte, from 0 at the magic; hexadecimal with 0x.
    #[arg(short, long, value_name = "N", value_parser = offset)]
    pub(super) offset: Option<u64>,

    /// List at most so many records.
    #[arg(long, value_name = "RECORDS")]
    pub(super) limit: Option<u64>,

    #[command(flatten)]
    pub(super) format: FormatArgs,
}

/// Write all of it: a JSON object a record, or the commands that rebuild the data.
///
/// The commands are for an empty server. What no command expresses, such as the times at which consumers were seen, is
/// named on standard error; module values need their module there. Streams' pending entries whose entry is deleted are
/// dropped by servers from 7.0 on.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  repltool rdb dump dump.rdb | jq -r 'select(.type == \"hash\").key'
  repltool rdb dump -f resp dump.rdb | redis-cli --pipe")]
pub(super) struct RdbDumpArgs {
    #[command(flatten)]
    pub(super) source: RdbSource,

    /// The form of the output.
    #[arg(short, long, value_name = "FORMAT", default_value = "json")]
    pub(super) format: DumpFormat,

    /// Short for `--format json`.
    #[arg(long, conflicts_with = "format")]
    pub(super) json: bool,

    #[command(flatten)]
    pub(super) filter: RdbFilterArgs,
}

/// The form of a dump.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum DumpFormat {
    /// JSON Lines.
    Json,
    /// Commands in RESP.
    Resp,
}

/// Save what can be read of a damaged or cut RDB, as a sound one, and list what was lost.
///
/// Sound records are copied as they stand; where one is damaged, the next is searched that can be read. A key is kept whole
/// with its expiry or not at all. What a record says cannot be judged: where only the checksum is wrong, some value may be
/// altered. A sorted set with a score that is no number, at which servers stop loading, counts as damaged. Keys whose
/// names are no text are not found directly behind damage. If a SELECTDB was lost, the keys behind it are put into the
/// database before; where two such have one name, servers refuse the result.
///
/// Exit 0 where nothing was lost, 1 where something was lost or the checksum was wrong, 2 where there is no result.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  repltool rdb salvage damaged.rdb -o saved.rdb
  repltool rdb salvage damaged.rdb -o saved.rdb -f json | jq -c '.lost[]'
  repltool rdb salvage cut.pcap --link 3 -o saved.rdb         what arrived of a broken transfer")]
pub(super) struct RdbSalvageArgs {
    #[command(flatten)]
    pub(super) source: RdbSource,

    /// Write the result here; `-` is standard output, and the list then goes to standard error.
    #[arg(short, long, value_name = "OUT")]
    pub(super) output: PathBuf,

    /// The header of an RDB whose own is damaged, as REDIS0011 or VALKEY080. Unless given it is guessed by the server's version.
    #[arg(long, value_name = "HEADER", value_parser = header)]
    pub(super) assume: Option<crate::rdb::Header>,

    #[command(flatten)]
    pub(super) format: FormatArgs,
}

/// The arguments of `rdb keys`.
#[derive(Debug, clap::Args)]
pub(super) struct RdbKeysArgs {
    #[command(flatten)]
    pub(super) source: RdbSource,

    #[command(flatten)]
    pub(super) filter: RdbFilterArgs,

    /// The form of the output.
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    pub(super) format: KeysFormat,

    /// Short for `--format json`.
    #[arg(long, conflicts_with = "format")]
    pub(super) json: bool,
}

/// The arguments of `rdb convert`.
#[derive(Debug, clap::Args)]
pub(super) struct RdbConvertArgs {
    #[command(flatten)]
    pub(super) source: RdbSource,

    /// Where the RDB goes, `-` for standard output. A file appears only when it is whole.
    #[arg(short, long, value_name = "OUT")]
    pub(super) output: PathBuf,

    /// The version: `same` as the input's; `lowest`, the oldest that holds every value; `lossless`, the oldest that
    /// holds everything; an RDB version, REDIS9 or VALKEY80; or the one that a server writes, redis-6.2 or valkey-9.1.
    #[arg(long, value_name = "VERSION", default_value = "same")]
    pub(super) to: super::rdb::To,

    /// Leave the strings uncompressed.
    #[arg(long)]
    pub(super) no_compress: bool,

    /// Write eight zero bytes in the checksum's place, which servers take for none.
    #[arg(long)]
    pub(super) no_checksum: bool,

    /// Leave out the keys and other records that the version cannot hold, instead of writing nothing.
    #[arg(long)]
    pub(super) skip: bool,
}

/// The form of a list of keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum KeysFormat {
    /// For people.
    Text,
    /// JSON Lines.
    Json,
    /// Comma-separated values.
    Csv,
}

/// Run the embedded engine as a server that clients and replicas, masters and Sentinels talk to.
///
/// It keeps its data in memory and saves to disk when it is told to (SAVE, BGSAVE, SHUTDOWN SAVE) or where --save names
/// points. With --dir, --dbfilename or --save it begins with the dump that is there. Every directive of redis.conf that
/// it knows can be given as an option of the same name, and CONFIG GET and SET answer to the same names.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  repltool serve --role master --port 6000
  repltool serve --role replica --replicaof 127.0.0.1 6000 --port 6001
  repltool serve --rdb dump.rdb --compat valkey-9.1 --repl-backlog-size 64mb
  repltool serve --role master --fault cut-rdb:1000 --fault 'reply:PSYNC:-LOADING'")]
pub(super) struct ServeArgs {
    /// A configuration file in redis.conf's syntax; options override it.
    #[arg(value_name = "CONFIG")]
    pub(super) config: Option<PathBuf>,

    /// What it begins as. A replica needs --replicaof, here or in the configuration file.
    #[arg(long, value_name = "ROLE")]
    pub(super) role: Option<Role>,

    /// Follow this master.
    #[arg(long, alias = "slaveof", num_args = 2, value_names = ["HOST", "PORT"])]
    pub(super) replicaof: Option<Vec<String>>,

    /// Begin with this RDB: a dump, or whatever `repltool rdb` reads.
    #[arg(long, value_name = "FILE", conflicts_with = "load")]
    pub(super) rdb: Option<PathBuf>,

    /// Begin with the full sync in this capture: its keys, its replid and its offset.
    #[arg(long, value_name = "CAPTURE")]
    pub(super) load: Option<PathBuf>,

    /// Of a capture with several full syncs, the link whose sync is meant.
    #[arg(long, value_name = "N", requires = "load")]
    pub(super) link: Option<u32>,

    /// Which server to be like: redis-6.2, redis-7.0, redis-7.2, redis-7.4, redis-8.2, valkey-8.1 or valkey-9.1.
    #[arg(long, value_name = "SERVER", default_value = "redis-7.0")]
    pub(super) compat: Dialect,

    /// Break the protocol on purpose towards replicas and clients, and log when: cut-rdb:BYTES, cut-offset:N,
    /// no-reply:COMMAND, reply:COMMAND:TEXT, delay:PHASE:DURATION (handshake, sync, rdb, stream), wrong-replid,
    /// offset-skew:N, stream-newlines, lose-first-ack or late-eof-mark[:DURATION]. Each happens once on every
    /// connection, cut-offset once for every replica.
    #[arg(long = "fault", value_name = "NAME[:ARG]")]
    pub(super) faults: Vec<Fault>,

    #[command(flatten)]
    pub(super) directives: Directives,
}

/// What a server begins as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Role {
    /// It takes writes.
    Master,
    /// It follows a master.
    #[value(alias = "slave")]
    Replica,
}

/// redis.conf's directives as options, from the engine's own table.
#[derive(Clone, Debug, Default)]
pub(super) struct Directives(pub(super) Vec<(String, String)>);

impl clap::FromArgMatches for Directives {
    fn from_arg_matches(matches: &clap::ArgMatches) -> Result<Self, clap::Error> {
        let given = |name: &'static str| {
            let words: Vec<String> = matches.get_many::<String>(name)?.cloned().collect();
            Some((name.to_owned(), words.join(" ")))
        };
        Ok(Self(Config::names().filter_map(|(name, _)| given(name)).collect()))
    }

    fn update_from_arg_matches(&mut self, matches: &clap::ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl clap::Args for Directives {
    fn augment_args(command: clap::Command) -> clap::Command {
        Config::names().fold(command, |command, (name, alias)| {
            let several = matches!(name, "bind" | "save" | "client-output-buffer-limit");
            let argument = clap::Arg::new(name)
                .long(name)
                .value_name("VALUE")
                .num_args(if several { 1..=64 } else { 1..=1 })
                .help_heading("Directives of redis.conf")
                // As in a configuration file, the last one counts.
                .overrides_with(name)
                .aliases(alias);
            command.arg(argument)
        })
    }

    fn augment_args_for_update(command: clap::Command) -> clap::Command {
        Self::augment_args(command)
    }
}

/// The command line's definition, for what is made from it.
#[must_use]
pub fn command() -> clap::Command {
    use clap::CommandFactory;
    Args::command()
}

fn packet_type(text: &str) -> Result<String, String> {
    if text.eq_ignore_ascii_case("resp") { Ok(text.to_owned()) } else { Err("only RESP is spoken here".to_owned()) }
}

fn header(text: &str) -> Result<crate::rdb::Header, String> {
    text.parse().map_err(|fault: crate::rdb::Fault| fault.to_string())
}

/// An offset in decimal, or in hexadecimal.
fn offset(text: &str) -> Result<u64, String> {
    let parsed = match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(digits) => u64::from_str_radix(digits, 16),
        None => text.parse(),
    };
    parsed.map_err(|_| "an offset is a number, hexadecimal with 0x".to_owned())
}

/// A size as redis.conf writes it.
fn size(text: &str) -> Result<usize, String> {
    let bytes = units::size(text).map_err(str::to_owned)?;
    usize::try_from(bytes).map_err(|_| units::TOO_LARGE.to_owned())
}

/// A buffer's size: without a unit in KiB, as tcpdump has it.
fn buffer_size(text: &str) -> Result<usize, String> {
    let bytes = if text.bytes().all(|byte| byte.is_ascii_digit()) { size(&format!("{text}kb"))? } else { size(text)? };
    // libpcap takes an int.
    if bytes == 0 || bytes > i32::MAX as usize { Err("between 1 KiB and 2 GiB".to_owned()) } else { Ok(bytes) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definition_is_sound() {
        command().debug_assert();
    }

    #[test]
    fn sizes_are_those_of_redis_conf() {
        assert_eq!(size("64kb"), Ok(65_536));
        assert_eq!(size("1k"), Ok(1000));
        assert_eq!(size("1GB"), Ok(1 << 30));
        assert_eq!(size("5"), Ok(5));
        for bad in ["", "kb", "5x", "-1", "99999999999gb"] {
            assert!(size(bad).is_err(), "{bad}");
        }
        assert_eq!(buffer_size("4096"), Ok(4 << 20));
        assert_eq!(buffer_size("64mb"), Ok(64 << 20));
        assert!(buffer_size("0").is_err());
    }

    #[test]
    fn tcpdumps_own_line_is_understood() {
        let line = "repltool sniff tcp -i lo -nn port 6000 -T RESP";
        let args = Args::try_parse_from(line.split(' ')).unwrap();
        let Command::Sniff(sniff) = args.command else { panic!("not sniff") };
        assert_eq!(sniff.filter.join(" "), "tcp port 6000");
        assert_eq!(sniff.interface.as_deref(), Some("lo"));
    }
}
