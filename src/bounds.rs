//! Every bound on memory in one place. Whatever the input's size, the program's memory is the sum of what stands here.

/// The longest packet record believed. libpcap writes at most 262,144 bytes; kernels hand up big-TCP frames of more.
/// A record header that claims more is damage, and the rest of the file cannot be trusted.
pub const MAX_FRAME: usize = 2 << 20;

/// How much of a capture file is read at once. Small enough to stay in the processor's second-level cache, so that the
/// bytes are still warm when they are decoded; a longer record makes the buffer grow up to [`MAX_FRAME`].
pub const READ_BUFFER: usize = 256 << 10;

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

/// How many batches a live capture has in all, being filled, queued or decoded: 16 MiB of packets. When all are in use
/// the capture thread waits, so that the kernel's ring absorbs the burst and its counter tells of any loss.
pub const LIVE_BATCHES: usize = 16;

/// The kernel's ring for a live capture unless the user asks for another size, in bytes.
pub const LIVE_KERNEL_BUFFER: usize = 32 << 20;

/// The snaplen unless the user asks for another: tcpdump's default, and libpcap's maximum.
pub const DEFAULT_SNAPLEN: u32 = 262_144;
