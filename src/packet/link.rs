//! Link layers: from a frame's first byte to the first byte of its IP packet.
//!
//! Formats: <https://www.tcpdump.org/linktypes.html>; Ethernet with any number of 802.1Q and 802.1ad tags up to
//! [`MAX_TAGS`], PPPoE sessions (RFC 2516).

use crate::capture::LinkType;

/// VLAN tags that may stand before the EtherType. Real networks stack two; more than this is garbage.
const MAX_TAGS: usize = 4;

const ETHERTYPE_IPV4: u16 = 0x0800;
const ETHERTYPE_IPV6: u16 = 0x86dd;
const ETHERTYPE_VLAN: u16 = 0x8100;
const ETHERTYPE_PROVIDER_VLAN: u16 = 0x88a8;
const ETHERTYPE_OLD_PROVIDER_VLAN: u16 = 0x9100;
const ETHERTYPE_PPPOE_SESSION: u16 = 0x8864;

/// What a frame carries above its link layer.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Network<'a> {
    /// An IP packet, version still to be looked at.
    Ip(&'a [u8]),
    /// Anything else.
    Other,
    /// Too short for its own headers.
    Malformed,
    /// A link type that is not decoded here.
    UnknownLinkType,
}

#[inline]
pub(super) fn network_layer(link_type: LinkType, frame: &[u8]) -> Network<'_> {
    match link_type {
        LinkType::ETHERNET => match frame.get(12..14) {
            Some(ethertype) => by_ethertype(be16(ethertype), &frame[14..]),
            None => Network::Malformed,
        },
        LinkType::NULL => match frame.first_chunk::<4>() {
            // The family is in the recording host's byte order, which the capture does not tell: try both.
            Some(family) => by_family(u32::from_le_bytes(*family).min(u32::from_be_bytes(*family)), &frame[4..]),
            None => Network::Malformed,
        },
        LinkType::LOOP => match frame.first_chunk::<4>() {
            Some(family) => by_family(u32::from_be_bytes(*family), &frame[4..]),
            None => Network::Malformed,
        },
        // 12 and 14 are DLT_RAW of some BSDs, written into files before LINKTYPE_RAW had a number.
        LinkType::RAW | LinkType::IPV4 | LinkType::IPV6 | LinkType(12 | 14) => Network::Ip(frame),
        LinkType::LINUX_SLL => match frame.get(14..16) {
            Some(protocol) => by_ethertype(be16(protocol), &frame[16..]),
            None => Network::Malformed,
        },
        LinkType::LINUX_SLL2 => match frame.get(..20) {
            Some(header) => by_ethertype(be16(&header[..2]), &frame[20..]),
            None => Network::Malformed,
        },
        _ => Network::UnknownLinkType,
    }
}

fn be16(bytes: &[u8]) -> u16 {
    u16::from_be_bytes([bytes[0], bytes[1]])
}

#[inline]
fn by_ethertype(mut ethertype: u16, mut rest: &[u8]) -> Network<'_> {
    for _ in 0..=MAX_TAGS {
        match ethertype {
            ETHERTYPE_IPV4 | ETHERTYPE_IPV6 => return Network::Ip(rest),
            ETHERTYPE_VLAN | ETHERTYPE_PROVIDER_VLAN | ETHERTYPE_OLD_PROVIDER_VLAN => match rest.get(2..4) {
                Some(inner) => {
                    ethertype = be16(inner);
                    rest = &rest[4..];
                }
                None => return Network::Malformed,
            },
            ETHERTYPE_PPPOE_SESSION => {
                return match rest.get(6..8) {
                    Some([0x00, 0x21 | 0x57]) => Network::Ip(&rest[8..]),
                    Some(_) => Network::Other,
                    None => Network::Malformed,
                };
            }
            _ => return Network::Other,
        }
    }
    Network::Malformed
}

/// AF_INET is 2 everywhere; AF_INET6 is 10 on Linux, 24 on NetBSD and OpenBSD, 28 on FreeBSD, 30 on macOS.
fn by_family(family: u32, rest: &[u8]) -> Network<'_> {
    match family {
        2 | 10 | 24 | 28 | 30 => Network::Ip(rest),
        _ => Network::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const IP: &[u8] = &[0x45, 0, 0, 20];

    fn with_header(header: &[u8]) -> Vec<u8> {
        [header, IP].concat()
    }

    #[test]
    fn each_link_type_finds_its_ip_packet() {
        let mut ethernet = vec![0; 12];
        ethernet.extend([0x08, 0x00]);
        let mut qinq = vec![0; 12];
        qinq.extend([0x88, 0xa8, 0, 200, 0x81, 0x00, 0, 100, 0x86, 0xdd]);
        let mut pppoe = vec![0; 12];
        pppoe.extend([0x88, 0x64, 0x11, 0, 0, 1, 0, 6, 0x00, 0x21]);
        let mut sll = vec![0; 14];
        sll.extend([0x08, 0x00]);
        let mut sll2 = vec![0x08, 0x00];
        sll2.resize(20, 0);
        let cases = [
            (LinkType::ETHERNET, ethernet),
            (LinkType::ETHERNET, qinq),
            (LinkType::ETHERNET, pppoe),
            (LinkType::NULL, vec![2, 0, 0, 0]),
            (LinkType::NULL, vec![0, 0, 0, 30]),
            (LinkType::LOOP, vec![0, 0, 0, 2]),
            (LinkType::RAW, vec![]),
            (LinkType(12), vec![]),
            (LinkType::LINUX_SLL, sll),
            (LinkType::LINUX_SLL2, sll2),
        ];
        for (link_type, header) in cases {
            let frame = with_header(&header);
            assert_eq!(network_layer(link_type, &frame), Network::Ip(IP), "{link_type:?}");
            for cut in 0..header.len() {
                let short = network_layer(link_type, &frame[..cut]);
                assert!(!matches!(short, Network::Ip(bytes) if !bytes.is_empty()), "{link_type:?} cut at {cut}");
            }
        }
    }

    #[test]
    fn endless_tags_are_garbage() {
        let mut frame = vec![0; 12];
        for _ in 0..64 {
            frame.extend([0x81, 0x00, 0, 1]);
        }
        assert_eq!(network_layer(LinkType::ETHERNET, &frame), Network::Malformed);
    }

    #[test]
    fn an_unknown_link_type_says_so() {
        assert_eq!(network_layer(LinkType(147), IP), Network::UnknownLinkType);
    }
}
