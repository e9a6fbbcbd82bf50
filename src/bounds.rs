//! Every bound on memory in one place. Whatever the input's size, the program's memory is the sum of what stands here.

/// The longest packet record believed. libpcap writes at most 262,144 bytes; kernels hand up big-TCP frames of more.
/// A record header that claims more is damage, and the rest of the file cannot be trusted.
pub const MAX_FRAME: usize = 2 << 20;

/// How much of a capture file is read at once. Small enough to stay in the processor's second-level cache, so that the
/// bytes are still warm when they are decoded; a longer record makes the buffer grow up to [`MAX_FRAME`].
pub const READ_BUFFER: usize = 256 << 10;

/// The longest packet that is put together from IP fragments: what IPv4's length field can say.
pub const MAX_FRAGMENTED_PACKET: usize = 65_535;

/// How many packets may wait for their other fragments at a time; with the bound above, 4 MiB.
pub const MAX_FRAGMENTED_PACKETS: usize = 64;

/// Connections remembered at a time. Beyond it the one that ended first is forgotten, then one that was long quiet.
pub const MAX_CONNECTIONS: usize = 16_384;

/// Bytes of one direction of a connection that may wait behind a hole before it is declared a gap.
pub const MAX_OUT_OF_ORDER: usize = 1 << 20;

/// The same over all connections.
pub const MAX_OUT_OF_ORDER_TOTAL: usize = 6 << 20;

/// A hole that the receiver has acknowledged is a gap once this many more segments of its connection were seen.
pub const HOLE_SEGMENTS: u32 = 128;

/// …or once this many were seen, and [`HOLE_NANOS`] have passed.
pub const HOLE_SEGMENTS_AND_TIME: u32 = 16;

/// See [`HOLE_SEGMENTS_AND_TIME`].
pub const HOLE_NANOS: u64 = 5_000_000_000;

/// Bytes that are held back because they acknowledge what the capture has not shown are let go after so many segments…
pub const HOLD_SEGMENTS: u32 = 48;

/// …or so many, and [`HOLE_NANOS`] have passed.
pub const HOLD_SEGMENTS_AND_TIME: u32 = 8;

/// Where the SYN is missing, bytes up to so far before the first ones seen are taken for late ones…
pub const START_WINDOW: u32 = 1 << 20;

/// …for so many segments of the connection…
pub const START_SEGMENTS: u32 = 10;

/// …or for so long.
pub const START_NANOS: u64 = 100_000_000;

/// A longer hole than this, which the receiver has not acknowledged, comes of a damaged sequence number.
pub const BELIEVABLE_HOLE: u64 = 4 << 20;

/// How long a connection that has shown its end (a RST, or both FINs) waits for late packets: so many frames…
pub const LINGER_FRAMES: u64 = 256;

/// …or so long, whichever is first.
pub const LINGER_NANOS: u64 = 200_000_000;

/// How long a connection that the responder has closed waits for the initiator to do so, too: so many frames…
pub const HALF_CLOSED_FRAMES: u64 = 100_000;

/// …or so long. A replica or client says nothing more to a server that has closed the connection.
pub const HALF_CLOSED_NANOS: u64 = 2_000_000_000;

/// The longest argument of a command that is believed, in bytes. Servers take 512 MiB unless `proto-max-bulk-len` says
/// more; a length beyond this is garbage in which the decoder must not lose itself.
pub const MAX_BULK: i64 = 4 << 30;

/// The most arguments of a command: what redis-server takes from its own master is an `int`, real commands stay far
/// below this.
pub const MAX_ARGUMENTS: i64 = 16 << 20;

/// Arguments of a command in the slow log, and bytes of one, as redis-server has it.
pub const SLOWLOG_ARGUMENTS: usize = 32;
/// See [`SLOWLOG_ARGUMENTS`].
pub const SLOWLOG_ARGUMENT: usize = 128;

/// A denial that comes again within so many seconds is counted, not written down anew, as redis-server has it.
pub const ACL_LOG_SECONDS: i64 = 60;

/// Keys of each database by which the memory that the data take is estimated.
pub const MEMORY_SAMPLES: usize = 64;

/// Keys of a database that are looked at for the one to evict, whatever `maxmemory-samples` says.
pub const MAX_EVICTION_SAMPLES: u64 = 64;

/// Keys that are evicted at once, so that others have their turn.
pub const EVICTED_AT_ONCE: usize = 1000;

/// Samples of one event that the latency monitor keeps, as redis-server has it.
pub const LATENCY_SAMPLES: usize = 160;

/// The longest inline command, as redis-server has it (`PROTO_INLINE_MAX_SIZE`).
pub const MAX_INLINE: usize = 64 << 10;

/// Of a command that does not lie in one slice, so many arguments are kept…
pub const MAX_KEPT_ARGUMENTS: usize = 64 << 10;

/// …and so many bytes, unless all of it was asked for.
pub const MAX_KEPT_COMMAND: usize = 4 << 20;

/// How deep a reply may nest; COMMAND DOCS, the deepest, has 8 levels.
pub const MAX_REPLY_DEPTH: usize = 32;

/// How much of a reply's line is looked at for its type and number.
pub const MAX_REPLY_LINE: usize = 64;

/// Deliveries of a stream whose times are remembered until the replica has acknowledged them; more are joined.
pub const MAX_ARRIVALS: usize = 512;

/// Ends of commands that are remembered while the offsets of a stream are still to be inferred from ACKs.
pub const MAX_BOUNDARIES: usize = 4096;

/// Bytes of a connection that are kept while it is not yet known what the connection is.
pub const MAX_UNDECIDED: usize = 256 << 10;

/// The same over all connections; beyond it, those that bring more are judged by what they have brought.
pub const MAX_UNDECIDED_TOTAL: usize = 4 << 20;

/// Bytes of a connection's each direction that are looked at to tell what it is.
pub const MAX_PREFIX: usize = 4 << 10;

/// Commands of one link that may wait for their replies.
pub const MAX_EXPECTED: usize = 1024;

/// The longest `$…` line in front of a payload; Valkey's `$ENDOFF:` has up to 110 bytes.
pub const MAX_PAYLOAD_HEADER: usize = 256;

/// How much of a reply is kept. Protected mode's refusal has 1,067 bytes.
pub const MAX_REPLY_KEPT: usize = 16 << 10;
/// The longest pcapng block that is held whole: a packet of [`MAX_FRAME`] bytes and its options. Longer blocks of kinds
/// that we don't read are skipped piece by piece; a longer packet is damage.
pub const MAX_BLOCK: usize = MAX_FRAME + (128 << 10);

/// The most interfaces that one pcapng section may declare. Real captures have a handful; each costs some 40 bytes.
pub const MAX_INTERFACES: usize = 1 << 16;

/// The largest zstd window accepted, which is what the decoder holds: the limit of the `zstd` command itself, and what
/// `zstd --long` makes.
pub const ZSTD_WINDOW: u64 = 128 << 20;

/// Packet bytes in one batch of a live capture.
pub const LIVE_BATCH: usize = 1 << 20;

/// Packets in one batch of a live capture: with tiny packets a batch is full by this number.
pub const LIVE_BATCH_PACKETS: usize = 8192;

/// How many batches a live capture has in all, being filled, queued or decoded: 64 MiB of packets, of which a decoder
/// that gets its share of a processor needs two or three. When all are in use the capture thread waits, so that the
/// kernel's ring absorbs the burst and its counter tells of any loss.
pub const LIVE_BATCHES: usize = 64;

/// The kernel's ring for a live capture unless the user asks for another size, in bytes.
pub const LIVE_KERNEL_BUFFER: usize = 32 << 20;

/// The snaplen unless the user asks for another: tcpdump's default, and libpcap's maximum.
pub const DEFAULT_SNAPLEN: u32 = 262_144;
/// A length or count inside an RDB that is not believed: 2^40. No server holds a string of a tebibyte or a collection
/// of so many elements, while damage easily announces one.
pub const MAX_RDB_LENGTH: u64 = 1 << 40;

/// The longest key or value of an RDB's AUX record that is kept, in bytes after decompression.
pub const MAX_RDB_AUX: usize = 4 << 10;

/// How many AUX records of one RDB are kept; Redis 6.2 writes each cached script as one, clusters each slot.
pub const MAX_RDB_AUX_KEPT: usize = 256;

/// How many hash templates (Redis 8.10) of one RDB are kept: 16 bytes each.
pub const MAX_RDB_TEMPLATES: usize = 1 << 16;

/// How many of an RDB's database numbers are kept, 8 bytes each, so that none is counted twice.
pub const MAX_RDB_DATABASES: usize = 1 << 16;

/// How many bytes of a pushed RDB are walked before their checksum is taken: few enough to be still in the cache then.
pub const RDB_CHECKSUM_SLICE: usize = 64 << 10;

/// Two-channel syncs whose connections are remembered.
pub const MAX_PAIRS: usize = 256;

/// Replicas whose attempts and syncs are remembered.
pub const MAX_PEERS: usize = 1024;

/// Different ends of a replica's attempts that are counted.
pub const MAX_ENDINGS: usize = 8;

/// Streams whose last database is remembered after their link has ended.
pub const MAX_DATABASES_REMEMBERED: usize = 64;

/// Notes about encrypted connections that are told one by one; all are counted.
pub const MAX_TLS_NOTES: u64 = 16;

/// Different names of commands that a report counts per link. Valkey 9.1 has some 420; more are no server's.
pub const MAX_COMMAND_NAMES: usize = 1024;

/// Links without a sync that a report lists one by one; more are folded.
pub const MAX_REFUSED_LISTED: usize = 1000;

/// Links that a report lists one by one.
pub const MAX_LINKS_LISTED: usize = 5_000;

/// Notes, phases or capabilities that a report lists of one link, and notes of the whole capture.
pub const MAX_NOTES_LISTED: usize = 64;
/// Bytes of lines of one link that the text view holds back while the link may be one of a reconnect storm.
pub const MAX_HELD_LINES: usize = 16 << 10;

/// Steps of a link that are compared with those of earlier ones for the same purpose, 8 bytes each.
pub const MAX_STEPS: usize = 64;

/// Ways to fail that are remembered of one replica's host at one master…
pub const MAX_STORIES: usize = 8;

/// …and the hosts of which they are.
pub const MAX_STORY_HOSTS: usize = 256;

/// The longest byte string of an RDB that is told whole.
pub const MAX_RDB_WHOLE: usize = 1 << 20;

/// A longer one is told in pieces of so many bytes, the last one shorter.
pub const RDB_PIECE: usize = 256 << 10;

/// How much LZF data expands to before it is passed on; the 8 KiB that it may refer back to come on top.
pub const RDB_EXPANSION: usize = 64 << 10;

/// The most bytes of field names that a stream's node may have for its entries to share, 8 per name included; they are
/// held while the node is decoded. Nodes have some 100 entries of all the same fields.
pub const MAX_RDB_SHARED_FIELDS: usize = 2 << 20;
/// The biggest keys that `rdb info` names.
pub const MAX_BIGGEST: usize = 10;

/// Prefixes of keys that `rdb info` counts; keys of later ones are in the totals only.
pub const MAX_PREFIXES: usize = 4096;

/// AUX fields that `rdb info` lists.
pub const MAX_INFO_AUX: usize = 256;

/// Databases that `rdb info` lists.
pub const MAX_INFO_DATABASES: usize = 65_536;

/// How much of a string is compressed at a time when an RDB is written; what it makes of it is held.
pub const RDB_COMPRESSION_BLOCK: usize = 64 << 10;

/// Bytes of an RDB in the making that are held before they are checksummed and given on.
pub const RDB_WRITE_BUFFER: usize = 32 << 10;

/// A node of a list is closed before it grows beyond so many bytes: `list-max-listpack-size -2`.
pub const RDB_LIST_NODE: usize = 8 << 10;

/// A node of a stream is closed before it grows beyond so many bytes: `stream-node-max-bytes`.
pub const RDB_STREAM_NODE: usize = 4 << 10;

/// A node of one element or entry that is bigger than this is not put together but passed on part by part, and so not
/// compressed.
pub const MAX_RDB_NODE_HELD: usize = 1 << 20;
/// The longest line that a replica accepts in a master's replies. Protected mode's refusal has 1,067 bytes.
pub const MAX_REPLY_LINE_HELD: usize = 16 << 10;

/// What a block of the replication buffer holds at least, unless a sixteenth of the backlog is less
/// (`PROTO_REPLY_CHUNK_BYTES` in the servers' source).
pub const BACKLOG_BLOCK: usize = 16 << 10;

/// The smallest backlog. redis-server accepts less, but makes no use of it.
pub const MIN_BACKLOG: u64 = 1;

/// What a replica holds of the main connection's stream while the RDB comes over the other one, unless told otherwise:
/// the servers' hard limit for a replica's output. Beyond it the replica reads no further until it has loaded.
pub const DUAL_CHANNEL_BUFFER: usize = 256 << 20;

/// How many pieces of spools wait at most for the thread that writes them to files.
pub const SPILL_AHEAD: usize = 4;

/// Capabilities, addresses and versions from REPLCONF are kept up to this length each, as redis-server does for
/// addresses (`NET_HOST_STR_LEN`).
pub const MAX_REPLCONF_VALUE: usize = 256;
/// How much of a temporary file is read or written at once.
pub const SPILL_READ: usize = 32 << 10;

/// How many sorted runs, each with a file of its own, are merged at once.
pub const SPILL_RUNS: usize = 64;

/// How much of a function library's code is kept to find its name in the first line.
pub const MAX_LIBRARY_HEAD: usize = 4 << 10;

/// Fields of hash templates whose hashes are held while keys are compared, 16 bytes each; beyond it a field is known by
/// its place only.
pub const MAX_TEMPLATE_PRINTS: usize = 1 << 18;

/// What `rdb diff` holds of each dump's keys until they are sorted and written to a temporary file…
pub const DIFF_RECORDS: usize = 12 << 20;

/// …and of the sorted ones while they are merged.
pub const DIFF_BUFFERS: usize = 4 << 20;

/// What of a consumer group's pending entries, of its consumers and of their names waits in memory, each, while the
/// group is written; more goes to a temporary file.
pub const GROUP_SPOOL: usize = 256 << 10;

/// What is held to sort a group's pending entries by their ids, and again to merge what was sorted.
pub const GROUP_SORT: usize = 1 << 20;

/// Names of fields that hash templates have, held while values are written: 8 bytes each included.
pub const MAX_TEMPLATE_FIELDS: usize = 1 << 20;

/// Elements of a collection that `rdb dump -f resp` gives in one command…
pub const COMMAND_ELEMENTS: usize = 64;

/// …and bytes of them, unless one alone has more.
pub const COMMAND_BATCH: usize = 64 << 10;
/// Output about a key that is held back until its size is known; what is more goes to a temporary file.
pub const MAX_HELD_OUTPUT: usize = 1 << 20;

/// Parts of a record that `rdb explain` shows: the first ones…
pub const EXPLAINED_FIRST: usize = 40;

/// …those up to the byte asked for…
pub const EXPLAINED_BEFORE: usize = 20;

/// …and those behind it.
pub const EXPLAINED_AFTER: usize = 20;

/// Bytes of a string that are shown of it.
pub const EXPLAINED_TEXT: usize = 64;

/// How much of a damaged RDB is at hand while it is salvaged.
pub const SALVAGE_BUFFER: usize = 1 << 20;

/// So many bytes from a candidate on are decoded at once to see whether a record begins there.
pub const SALVAGE_TRIAL: usize = 4 << 10;

/// Where a header is looked for that does not stand at the beginning.
pub const SALVAGE_FRONT: usize = 64 << 10;

/// Losses that `rdb salvage` lists one by one; all are counted.
pub const MAX_LOSSES_LISTED: usize = 10_000;

/// Replicas that are remembered for having let go of a full sync, by host and port.
pub const REFUSING_REPLICAS: usize = 1 << 10;

/// How many members SRANDMEMBER and its like give at most when they may give the same ones again (a negative count).
pub const RANDOM_MEMBERS: i64 = 1 << 24;

/// Dimensions of a vector set's vectors beyond which its values are only listed: what servers take at most.
pub const MAX_VECTOR: usize = 1 << 16;

/// How many ACKs that were never true a replay names.
pub const MAX_MISSED_ACKS: usize = 64;

/// How many servers take part in a replay at most: each is a thread with sockets of its own.
pub const MAX_REPLAY_SERVERS: usize = 256;

/// How many ACKs of a link a replay sends as they were recorded; later ones it leaves out.
pub const MAX_REPLAYED_ACKS: usize = 1 << 20;

/// How much of a link's payload, and of its stream, a replay holds in memory.
pub const TAPE_SPOOL: usize = 1 << 20;

/// Bytes of a recording that are played at once.
pub const REPLAY_PIECE: usize = 128 << 10;

/// How far a replayed master may be ahead of its replicas.
pub const REPLAY_AHEAD: u64 = 8 << 20;

/// How many frames of a link's stream a replay knows one by one; later ones it knows by their times.
pub const MAX_FINE_MARKS: usize = 1 << 20;

/// The longest stand-in command of a replay, in bytes of its payload.
pub const STAND_IN: u64 = 64 << 10;

/// How many keys a replay lists that differ between a recorded RDB and what the stream has made.
pub const MAX_KEYS_LISTED: usize = 20;

/// How many pieces of what passed in a replay wait to be read by the witness; servers wait when there are more.
pub const WITNESS_PIECES: usize = 1 << 8;

/// How many holes of a stream a replay fills; it goes no further than to the next one.
pub const MAX_HOLES: usize = 1 << 12;

/// The largest backlog that a replay gives a server, and so the most that stands for what a capture lacks.
pub const MAX_REPLAY_BACKLOG: u64 = 1 << 30;

/// How often a replica connects by itself on one recorded link before a replay waits for it no longer.
pub const MAX_RETURNS: usize = 32;

/// Bytes that a network with a delay or a bandwidth carries at once.
pub const NETWORK_PIECE: usize = 16 << 10;

/// How many such pieces are under way in one direction at most: a sender waits then, as TCP's would.
pub const NETWORK_PIECES: usize = 1 << 10;

/// More databases than any server is configured with: each costs memory as soon as a later one has a key.
pub const MAX_DATABASES: usize = 1 << 16;

/// The longest answer of a real server to what a replay asks of it: INFO's section `server`, a digest.
pub const MAX_ASKED_REPLY: usize = 1 << 20;

/// Memory of an interpreter of scripts: what they hold, and what they have let go of and is not tidied up yet.
pub const SCRIPT_MEMORY: usize = 256 << 20;

/// After so many instructions an interpreter is looked after.
pub const SCRIPT_SLICE: u32 = 100_000;

/// So many slices a script may run that nobody ends.
pub const SCRIPT_SLICES: u64 = 20_000;

/// So many slices a library of functions may take to register them.
pub const SCRIPT_LOAD_SLICES: u64 = 500;

/// How deep values of scripts may be nested where they become something else: replies, JSON, MessagePack.
pub const SCRIPT_DEPTH: usize = 1000;

/// The longest reply, JSON or packed text that a script makes.
pub const SCRIPT_REPLY: usize = 256 << 20;

/// How many values a reply or a JSON text of a script has at most, each counted as often as it stands there. (Tests reach
/// that sooner.)
pub const SCRIPT_VALUES: usize = if cfg!(test) { 1 << 16 } else { 1 << 22 };

/// How many values a function gives back to a script at most.
pub const SCRIPT_RESULTS: usize = 7000;

/// How many lines of a script's run are logged.
pub const SCRIPT_LOG: usize = 1000;

/// How many functions a library has at most.
pub const SCRIPT_FUNCTIONS: usize = 10_000;

/// Scripts that are kept compiled; others are compiled again when they are called.
pub const SCRIPTS_COMPILED: usize = 4096;

/// Bytes of scripts that are kept for EVALSHA although they were only run, and not loaded.
pub const SCRIPT_TEXTS: usize = 64 << 20;
