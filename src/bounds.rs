//! Every bound on memory in one place. Whatever the input's size, the program's memory is the sum of what stands here.

/// The longest packet record believed. libpcap writes at most 262,144 bytes; kernels hand up big-TCP frames of more.
/// A record header that claims more is damage, and the rest of the file cannot be trusted.
pub const MAX_FRAME: usize = 2 << 20;

/// How much of a capture file is read at once. Small enough to stay in the processor's second-level cache, so that the
/// bytes are still warm when they are decoded; a longer record makes the buffer grow up to [`MAX_FRAME`].
pub const READ_BUFFER: usize = 256 << 10;

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
