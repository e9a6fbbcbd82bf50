//! Every bound on memory in one place. Whatever the input's size, the program's memory is the sum of what stands here.

/// The longest packet record believed. libpcap writes at most 262,144 bytes; kernels hand up big-TCP frames of more.
/// A record header that claims more is damage, and the rest of the file cannot be trusted.
pub const MAX_FRAME: usize = 2 << 20;

/// How much of a capture file is read at once. Small enough to stay in the processor's second-level cache, so that the
/// bytes are still warm when they are decoded; a longer record makes the buffer grow up to [`MAX_FRAME`].
pub const READ_BUFFER: usize = 256 << 10;
