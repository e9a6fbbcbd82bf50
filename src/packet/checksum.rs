//! The TCP checksum (RFC 9293, section 3.1), and what a capture on the sending host has in its place.

/// What a segment's checksum says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checksum {
    /// It is right.
    Valid,
    /// The field holds the sum of the pseudo header alone: the sender left the rest to the network card, as Linux does
    /// on loopback and on every card with offload. It says nothing about the bytes.
    Offloaded,
    /// It is wrong.
    Bad,
    /// The capture lacks some of the bytes that it covers.
    Unknown,
}

/// Where the checksum stands in the TCP header.
const FIELD: std::ops::Range<usize> = 16..18;

pub(super) fn verify(source: u128, destination: u128, tcp: &[u8]) -> Checksum {
    let Some(field) = tcp.get(FIELD) else { return Checksum::Unknown };
    let pseudo = pseudo_header(source, destination, tcp.len());
    if u16::from_be_bytes([field[0], field[1]]) == fold(pseudo) {
        return Checksum::Offloaded;
    }
    // The sum over everything, the field included, is all ones where it is right.
    if fold(pseudo + sum(tcp)) == 0xffff { Checksum::Valid } else { Checksum::Bad }
}

fn is_v4(address: u128) -> bool {
    address >> 32 == 0xffff
}

/// The pseudo header's sum. IPv4 and IPv6 differ only in the address bytes: lengths and protocol add up alike.
fn pseudo_header(source: u128, destination: u128, length: usize) -> u64 {
    let mask = if is_v4(source) && is_v4(destination) { u128::from(u32::MAX) } else { u128::MAX };
    let protocol = 6;
    sum(&(source & mask).to_be_bytes()) + sum(&(destination & mask).to_be_bytes()) + protocol + length as u64
}

/// Adds big-endian 16-bit words. The ones' complement sum does not care for the byte order (RFC 1071, section 2 B): so
/// little-endian words of 32 bits are added into 64, which compilers make vectors of, and the bytes are swapped at the
/// end. It cannot overflow below 16 GiB.
fn sum(bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks::<4>();
    let mut last = [0; 4];
    last[..rest.len()].copy_from_slice(rest);
    let total: u64 = words.iter().map(|word| u64::from(u32::from_le_bytes(*word))).sum();
    u64::from(fold(total + u64::from(u32::from_le_bytes(last))).swap_bytes())
}

fn fold(mut total: u64) -> u16 {
    while total > 0xffff {
        total = (total & 0xffff) + (total >> 16);
    }
    total as u16
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    fn address(last: u8) -> u128 {
        Ipv4Addr::new(10, 0, 0, last).to_ipv6_mapped().to_bits()
    }

    fn segment(payload: &[u8]) -> Vec<u8> {
        let header = etherparse::TcpHeader::new(6379, 40000, 7, 1000);
        let checksum = header.calc_checksum_ipv4_raw([10, 0, 0, 1], [10, 0, 0, 2], payload).unwrap();
        let mut bytes = header.to_bytes().to_vec();
        bytes[FIELD].copy_from_slice(&checksum.to_be_bytes());
        bytes.extend(payload);
        bytes
    }

    #[test]
    fn agrees_with_the_reference() {
        for length in 0..70 {
            let payload: Vec<u8> = (0..length).map(|i| (i * 37) as u8).collect();
            let mut bytes = segment(&payload);
            assert_eq!(verify(address(1), address(2), &bytes), Checksum::Valid, "{length} bytes");
            bytes[4] ^= 0x10;
            assert_eq!(verify(address(1), address(2), &bytes), Checksum::Bad, "{length} bytes");
        }
    }

    #[test]
    fn the_pseudo_header_alone_is_offload() {
        let mut bytes = segment(b"*1\r\n$4\r\nping\r\n");
        let pseudo = fold(pseudo_header(address(1), address(2), bytes.len()));
        bytes[FIELD].copy_from_slice(&pseudo.to_be_bytes());
        assert_eq!(verify(address(1), address(2), &bytes), Checksum::Offloaded);
    }
}
