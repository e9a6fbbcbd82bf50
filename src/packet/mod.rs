//! From a frame to a TCP segment: link layer, IP version 4 or 6, fragments, TCP header.
//!
//! Everything here is lax on purpose. A sniffer sees frames that a snaplen cut, that carry an Ethernet trailer, whose
//! lengths the network card was going to fill in (TCP segmentation offload leaves IPv4's total length 0), and whose
//! checksums are not there yet. What can be read is read; what the wire carried but the capture lacks is told by
//! [`Segment::wire_length`].

mod checksum;
mod fragments;
mod link;

use std::fmt;
use std::net::Ipv6Addr;

use etherparse::{IpNumber, Ipv6ExtensionSlice, LaxIpPayloadSlice, LaxIpv4Slice, LaxIpv6Slice, TcpHeaderSlice};

use crate::capture::{Frame, LinkType};
pub use checksum::Checksum;
use fragments::{FragmentKey, Fragments};

/// One end of a TCP connection. IPv4 addresses are kept in their IPv6-mapped form, so that a key is one plain number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Endpoint {
    /// The address, `::ffff:a.b.c.d` for IPv4.
    pub address: u128,
    /// The TCP port.
    pub port: u16,
}

impl Endpoint {
    /// The address alone, as people write it: IPv4 dotted, IPv6 without brackets.
    #[must_use]
    pub fn host(&self) -> std::net::IpAddr {
        Ipv6Addr::from_bits(self.address).to_canonical()
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        std::net::SocketAddr::new(self.host(), self.port).fmt(f)
    }
}

/// The TCP flags that matter for reassembly.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flags {
    /// SYN: the connection opens, the sequence number is the one before the first byte.
    pub syn: bool,
    /// ACK: the acknowledgement number means something.
    pub ack: bool,
    /// FIN: the sender has no more bytes after these.
    pub fin: bool,
    /// RST: the connection is torn down.
    pub rst: bool,
}

/// One TCP segment, as far as the capture has it.
#[derive(Clone, Copy, Debug)]
pub struct Segment<'a> {
    /// Who sent it.
    pub source: Endpoint,
    /// Whom it was sent to.
    pub destination: Endpoint,
    /// The sequence number of the first payload byte (of the SYN itself where that flag is set).
    pub sequence: u32,
    /// The next sequence number that the sender expects from the other side; meaningless without [`Flags::ack`].
    pub acknowledgement: u32,
    /// The flags.
    pub flags: Flags,
    /// The payload bytes that the capture has.
    pub payload: &'a [u8],
    /// How many payload bytes the segment had on the wire: more than `payload.len()` where a snaplen cut the frame.
    pub wire_length: u32,
    /// The TCP header and payload, for the checksum.
    tcp: &'a [u8],
}

impl Segment<'_> {
    /// Checks the TCP checksum. Cheap where the sender left it to the network card, a pass over the bytes otherwise.
    #[must_use]
    pub fn checksum(&self) -> Checksum {
        if self.payload.len() as u64 != u64::from(self.wire_length) {
            return Checksum::Unknown;
        }
        checksum::verify(self.source.address, self.destination.address, self.tcp)
    }
}

/// What a frame turned out to be.
#[derive(Debug)]
pub enum Decoded<'a> {
    /// A TCP segment.
    Segment(Segment<'a>),
    /// Sound or at least readable, but nothing that carries TCP: ARP, UDP, an IP fragment that waits for the others.
    Other,
    /// The link type is one that we do not decode.
    UnknownLinkType(LinkType),
    /// Headers that contradict themselves or that the snaplen cut away.
    Malformed,
}

/// Decodes frames. Keeps the IP fragments that wait for their other parts, within the bounds of `bounds`.
#[derive(Debug, Default)]
pub struct Decoder {
    fragments: Fragments,
}

impl Decoder {
    /// A decoder without any fragments.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Decodes one frame. The segment borrows from the frame, or from the decoder where it had to be put together.
    #[inline]
    pub fn decode<'a>(&'a mut self, frame: &Frame<'a>) -> Decoded<'a> {
        match link::network_layer(frame.link_type, frame.data) {
            link::Network::Ip(bytes) => match Packet::parse(bytes) {
                Some(packet) => self.packet(packet),
                None => Decoded::Malformed,
            },
            link::Network::Other => Decoded::Other,
            link::Network::Malformed => Decoded::Malformed,
            link::Network::UnknownLinkType => Decoded::UnknownLinkType(frame.link_type),
        }
    }

    fn packet<'a>(&'a mut self, packet: Packet<'a>) -> Decoded<'a> {
        let Some(fragment) = packet.fragment else { return packet.transport() };
        if packet.payload.len() != packet.wire {
            return Decoded::Malformed;
        }
        let key = FragmentKey {
            source: packet.source,
            destination: packet.destination,
            identification: fragment.identification,
            protocol: packet.protocol.0,
        };
        match self.fragments.push(key, fragment.offset, fragment.more, packet.payload) {
            Some(whole) => Packet { payload: whole, wire: whole.len(), fragment: None, ..packet }.transport(),
            None => Decoded::Other,
        }
    }
}

/// An IP packet of either version, its headers read.
#[derive(Clone, Copy)]
struct Packet<'a> {
    source: u128,
    destination: u128,
    protocol: IpNumber,
    payload: &'a [u8],
    /// The payload's length on the wire.
    wire: usize,
    fragment: Option<Fragment>,
}

/// A packet's place in the packet that it is a fragment of.
#[derive(Clone, Copy)]
struct Fragment {
    identification: u32,
    /// In bytes.
    offset: usize,
    more: bool,
}

impl<'a> Packet<'a> {
    #[inline]
    fn parse(bytes: &'a [u8]) -> Option<Self> {
        match bytes.first()? >> 4 {
            4 => Self::version_4(bytes),
            6 => Self::version_6(bytes),
            _ => None,
        }
    }

    fn version_4(bytes: &'a [u8]) -> Option<Self> {
        let (ip, None) = LaxIpv4Slice::from_slice(bytes).ok()? else { return None };
        let (header, payload) = (ip.header(), ip.payload());
        let fragment = payload.fragmented.then(|| Fragment {
            identification: u32::from(header.identification()),
            offset: usize::from(header.fragments_offset().value()) * 8,
            more: header.more_fragments(),
        });
        Some(Self {
            source: header.source_addr().to_ipv6_mapped().to_bits(),
            destination: header.destination_addr().to_ipv6_mapped().to_bits(),
            protocol: payload.ip_number,
            payload: payload.payload,
            wire: wire_length(payload, bytes, header.total_len().into()),
            fragment,
        })
    }

    fn version_6(bytes: &'a [u8]) -> Option<Self> {
        let (ip, None) = LaxIpv6Slice::from_slice(bytes).ok()? else { return None };
        let (header, payload) = (ip.header(), ip.payload());
        let fragment = if payload.fragmented {
            let header = ip.extensions().clone().into_iter().find_map(|extension| match extension {
                Ipv6ExtensionSlice::Fragment(fragment) => Some(fragment.to_header()),
                _ => None,
            })?;
            Some(Fragment {
                identification: header.identification,
                offset: usize::from(header.fragment_offset.value()) * 8,
                more: header.more_fragments,
            })
        } else {
            None
        };
        Some(Self {
            source: header.source_addr().to_bits(),
            destination: header.destination_addr().to_bits(),
            protocol: payload.ip_number,
            payload: payload.payload,
            wire: wire_length(payload, bytes, usize::from(header.payload_length()) + IPV6_HEADER),
            fragment,
        })
    }

    fn transport(self) -> Decoded<'a> {
        match self.protocol {
            IpNumber::TCP => tcp(self.source, self.destination, self.payload, self.wire),
            IpNumber::UDP => vxlan(self.payload),
            _ => Decoded::Other,
        }
    }
}

/// The length of IPv6's fixed header, which its length field does not count.
const IPV6_HEADER: usize = 40;

/// The payload's length on the wire: what the header says where the capture has less. A total of 0, or of less than
/// the headers, means that the card was going to cut the packet up: then the capture has all of it.
fn wire_length(payload: &LaxIpPayloadSlice<'_>, packet: &[u8], total: usize) -> usize {
    if payload.incomplete { total.saturating_sub(packet.len() - payload.payload.len()) } else { payload.payload.len() }
}

/// Looks into a VXLAN tunnel, one level deep: an overlay network's own capture shows the replication only in there.
/// Fragments inside the tunnel are not put together.
fn vxlan(udp: &[u8]) -> Decoded<'_> {
    let (Some(port), Some(header)) = (udp.get(2..4), udp.get(8..16)) else { return Decoded::Other };
    let valid_network_id = header[0] & 0x08 != 0;
    if port != VXLAN_PORT.to_be_bytes() || !valid_network_id {
        return Decoded::Other;
    }
    let link::Network::Ip(inner) = link::network_layer(LinkType::ETHERNET, &udp[16..]) else { return Decoded::Other };
    match Packet::parse(inner) {
        Some(inner) if inner.protocol == IpNumber::TCP && inner.fragment.is_none() => inner.transport(),
        _ => Decoded::Other,
    }
}

/// UDP's destination port for VXLAN (RFC 7348).
const VXLAN_PORT: u16 = 4789;

#[inline]
fn tcp(source: u128, destination: u128, bytes: &[u8], wire: usize) -> Decoded<'_> {
    let Ok(header) = TcpHeaderSlice::from_slice(bytes) else { return Decoded::Malformed };
    let header_length = header.slice().len();
    let Some(payload) = bytes.get(header_length..) else { return Decoded::Malformed };
    Decoded::Segment(Segment {
        source: Endpoint { address: source, port: header.source_port() },
        destination: Endpoint { address: destination, port: header.destination_port() },
        sequence: header.sequence_number(),
        acknowledgement: header.acknowledgment_number(),
        flags: Flags { syn: header.syn(), ack: header.ack(), fin: header.fin(), rst: header.rst() },
        payload,
        wire_length: u32::try_from(wire.saturating_sub(header_length)).unwrap_or(u32::MAX),
        tcp: bytes,
    })
}
