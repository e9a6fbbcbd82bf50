//! Where frames come from and where they go: capture files, live interfaces, filters and the writer behind `-w`.

mod classic;
mod compressed;
mod error;
mod file;
mod filter;
mod input;
#[cfg(feature = "live")]
pub mod live;
mod pcapng;
mod write;

pub use compressed::Compression;
pub use error::{CaptureError, Damage, DamageKind};
pub use file::{CaptureFile, Format};
pub use filter::{Filter, FilterError};
pub use write::{CaptureWriter, WriteError};

/// Whether a file with these first bytes is a capture, compressed or not.
#[must_use]
pub fn is_capture(head: &[u8]) -> bool {
    classic::detect(head) || pcapng::detect(head) || Compression::detect(head).is_some()
}

use crate::units::{Stamp, Timestamp};
use std::ops::Range;

/// One frame of a capture, as it was recorded.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    /// Its number and time.
    pub stamp: Stamp,
    /// What its first byte is: the capture's link-layer type, one per interface in pcapng.
    pub link_type: LinkType,
    /// Its length on the wire; more than `data.len()` where the snaplen cut it.
    pub original_length: u32,
    /// The bytes that were recorded.
    pub data: &'a [u8],
}

/// A link-layer header type, numbered as in capture files (the `LINKTYPE_` registry, <https://www.tcpdump.org/linktypes.html>).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LinkType(pub u16);

impl LinkType {
    /// BSD loopback: a 4-byte address family in the byte order of the recording host.
    pub const NULL: Self = Self(0);
    /// Ethernet.
    pub const ETHERNET: Self = Self(1);
    /// Raw IP, version from the first nibble. 12 and 14 are what some systems wrote before 101 was assigned.
    pub const RAW: Self = Self(101);
    /// OpenBSD loopback: a 4-byte address family in network byte order.
    pub const LOOP: Self = Self(108);
    /// Linux "cooked" capture, version 1.
    pub const LINUX_SLL: Self = Self(113);
    /// Raw IPv4.
    pub const IPV4: Self = Self(228);
    /// Raw IPv6.
    pub const IPV6: Self = Self(229);
    /// Linux "cooked" capture, version 2.
    pub const LINUX_SLL2: Self = Self(276);

    /// The registry's name, without its prefix, or `None` for a type that we do not decode.
    #[must_use]
    pub fn name(self) -> Option<&'static str> {
        Some(match self {
            Self::NULL => "NULL",
            Self::ETHERNET => "ETHERNET",
            Self(12 | 14) | Self::RAW => "RAW",
            Self::LOOP => "LOOP",
            Self::LINUX_SLL => "LINUX_SLL",
            Self::IPV4 => "IPV4",
            Self::IPV6 => "IPV6",
            Self::LINUX_SLL2 => "LINUX_SLL2",
            _ => return None,
        })
    }
}

/// A frame as a file grammar found it: what [`Frame`] has, but for its number, and with the bytes as a place in the
/// input's buffer.
#[derive(Debug)]
struct Record {
    time: Option<Timestamp>,
    link_type: LinkType,
    original_length: u32,
    data: Range<usize>,
}

/// The captured and the original length of a frame without the `fcs` bytes of its frame check sequence, which end it and
/// so are the first to fall to a snaplen. An original length below the captured one is a recorder's slip and raised.
#[inline]
fn without_fcs(captured: u32, original: u32, fcs: u32) -> (u32, u32) {
    let original = original.max(captured);
    let there = fcs.saturating_sub(original - captured);
    (captured.saturating_sub(there), original.saturating_sub(fcs))
}
