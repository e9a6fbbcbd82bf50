//! The classic pcap format (draft-ietf-opsawg-pcap): a 24-byte header, then records of a 16-byte header and the bytes.
//!
//! ```text
//! header:  magic 4 | major 2 | minor 2 | thiszone 4 | sigfigs 4 | snaplen 4 | network 4
//! record:  seconds 4 | fraction 4 | captured 4 | original 4 | captured × byte
//! ```
//!
//! The magic number tells the byte order of all numbers and the variant: `a1b2c3d4` counts microseconds, `a1b23c4d`
//! nanoseconds, and `a1b2cd34` (Kuznetsov's modified pcap, of old Linux systems) has 8 more bytes per record header.
//! `thiszone` is zero in practice and ignored, as libpcap does. Of `network`, the low 16 bits are the link type; bit 26
//! says that the top 4 bits are the length, in 16-bit words, of the frame check sequence that ends each frame.

use super::error::Fault;
use super::input::Input;
use super::{LinkType, Record, without_fcs};
use crate::bounds::MAX_FRAME;
use crate::units::Timestamp;
use pcap_parser::parse_pcap_header;

/// The length of the file's header, in bytes.
pub(super) const HEADER: usize = 24;

/// Set in `network` where the frame check sequence's length is given (`LT_FCS_LENGTH_PRESENT` of libpcap).
const FCS_PRESENT: u32 = 1 << 26;

/// Whether a file with these first bytes is a classic pcap.
pub(super) fn detect(head: &[u8]) -> bool {
    let Some(magic) = head.first_chunk::<4>() else { return false };
    const MAGICS: [u32; 3] = [0xa1b2_c3d4, 0xa1b2_3c4d, 0xa1b2_cd34];
    MAGICS.contains(&u32::from_be_bytes(*magic)) || MAGICS.contains(&u32::from_le_bytes(*magic))
}

/// What the header says, which is all there is to know for reading the records.
#[derive(Debug)]
pub(super) struct Classic {
    big_endian: bool,
    /// The length of a record's header: 16, or 24 in the modified format.
    record_header: usize,
    /// Nanoseconds in one unit of the fraction: 1000, or 1.
    nanos_per_unit: u64,
    /// Decimal digits of the fraction: 6, or 9.
    digits: u8,
    /// The length of the frame check sequence in bytes: 0 to 30.
    fcs: u32,
    pub(super) link_types: [LinkType; 1],
    pub(super) version: (u16, u16),
}

impl Classic {
    /// Reads the header; `None` where `header` is not one.
    pub(super) fn parse(header: &[u8; HEADER]) -> Option<Self> {
        let mut header = *header;
        // pcap-parser knows the modified format in little-endian order only: it is given the standard magic instead.
        let modified = matches!(header[..4], [0xa1, 0xb2, 0xcd, 0x34] | [0x34, 0xcd, 0xb2, 0xa1]);
        let big_endian = header[0] == 0xa1;
        if modified {
            let magic = 0xa1b2_c3d4_u32;
            header[..4].copy_from_slice(&if big_endian { magic.to_be_bytes() } else { magic.to_le_bytes() });
        }
        let (_, parsed) = parse_pcap_header(&header).ok()?;
        let network = parsed.network.0 as u32;
        let fcs = if network & FCS_PRESENT == 0 { 0 } else { (network >> 28) * 2 };
        let nanosecond = parsed.is_nanosecond_precision();
        Some(Self {
            big_endian,
            record_header: if modified { 24 } else { 16 },
            nanos_per_unit: if nanosecond { 1 } else { 1000 },
            digits: if nanosecond { 9 } else { 6 },
            fcs,
            link_types: [LinkType(network as u16)],
            version: (parsed.version_major, parsed.version_minor),
        })
    }

    #[inline]
    fn number(&self, bytes: &[u8], at: usize) -> u32 {
        let mut number = [0; 4];
        number.copy_from_slice(&bytes[at..at + 4]);
        if self.big_endian { u32::from_be_bytes(number) } else { u32::from_le_bytes(number) }
    }

    /// The next record; `None` at the end. The length is checked before the record is waited for, which is why
    /// pcap-parser's `parse_pcap_frame` does not fit here.
    #[inline]
    pub(super) fn next(&mut self, input: &mut Input) -> Result<Option<Record>, Box<Fault>> {
        let header = self.record_header;
        let offset = input.offset();
        if !input.need(header).map_err(|error| Fault::read(offset, error))? {
            return if input.available().is_empty() { Ok(None) } else { Err(Fault::cut(offset)) };
        }
        let bytes = &input.available()[..header];
        let (seconds, fraction) = (self.number(bytes, 0), self.number(bytes, 4));
        let (captured, original) = (self.number(bytes, 8), self.number(bytes, 12));
        let length = captured as usize;
        if length > MAX_FRAME {
            let reason = format!("a record claims {captured} bytes, and no packet is over {MAX_FRAME}");
            return Err(Fault::unreadable(offset, reason));
        }
        if !input.need(header + length).map_err(|error| Fault::read(offset, error))? {
            return Err(Fault::cut(offset));
        }
        let start = input.place() + header;
        input.consume(header + length);
        let (kept, original) = without_fcs(captured, original, self.fcs);
        let nanos = u64::from(seconds) * 1_000_000_000 + u64::from(fraction) * self.nanos_per_unit;
        Ok(Some(Record {
            time: Some(Timestamp { nanos, digits: self.digits }),
            link_type: self.link_types[0],
            original_length: original,
            data: start..start + kept as usize,
        }))
    }
}
