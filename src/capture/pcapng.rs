//! The pcapng format (draft-ietf-opsawg-pcapng): a sequence of blocks, each framed by its length at both ends.
//!
//! ```text
//! block:  type 4 | length 4 | body … (padded to 4) | length 4          length counts all of it
//! ```
//!
//! A Section Header Block starts a section and sets its byte order; interfaces are numbered from 0 within it, in the
//! order of their Interface Description Blocks. Packets come in Enhanced Packet Blocks, in Simple Packet Blocks (of
//! interface 0, without a time), or in the obsolete Packet Blocks. Everything else is skipped.
//!
//! Blocks that occur a few times per file are left to pcap-parser. Packet blocks are decoded here: pcap-parser allocates
//! a list of options for each, and takes a packet longer than its block for one that has not been read yet.

use super::error::Fault;
use super::input::Input;
use super::{LinkType, Record, without_fcs};
use crate::bounds::{MAX_BLOCK, MAX_FRAME, MAX_INTERFACES};
use crate::units::Timestamp;
use pcap_parser::{
    PcapError, PcapNGOption, parse_interfacedescriptionblock_be, parse_interfacedescriptionblock_le,
    parse_interfacestatisticsblock_be, parse_interfacestatisticsblock_le, parse_option_be, parse_option_le,
    parse_sectionheaderblock,
};

/// The Section Header Block's type reads the same in both byte orders, and is the file's magic number.
const SECTION_HEADER: u32 = 0x0a0d_0d0a;
const INTERFACE_DESCRIPTION: u32 = 1;
/// Obsolete, as the format's appendix A has it.
const PACKET: u32 = 2;
const SIMPLE_PACKET: u32 = 3;
const INTERFACE_STATISTICS: u32 = 5;
const ENHANCED_PACKET: u32 = 6;

/// The bytes that must be there to tell a pcapng file: type, length and byte-order magic of the first section.
pub(super) const HEADER: usize = 12;

/// Whether a file with these first bytes is a pcapng.
pub(super) fn detect(head: &[u8]) -> bool {
    head.starts_with(&SECTION_HEADER.to_be_bytes())
        && matches!(head.get(8..12), Some([0x1a, 0x2b, 0x3c, 0x4d] | [0x4d, 0x3c, 0x2b, 0x1a]))
}

/// What one interface's packets have in common.
#[derive(Debug)]
struct Interface {
    link_type: LinkType,
    /// The most bytes kept of a packet; 0 for all.
    snaplen: u32,
    clock: Clock,
    /// The length of the frame check sequence in bytes.
    fcs: u32,
    /// What its last Interface Statistics Block says was dropped; the counters are totals, so the last one stands.
    dropped: Option<u64>,
}

/// How an interface counts time.
#[derive(Debug)]
struct Clock {
    unit: Unit,
    /// Added to every time: `if_tsoffset`, in nanoseconds.
    offset: i128,
    digits: u8,
}

/// One tick of a clock.
#[derive(Debug)]
enum Unit {
    /// This many nanoseconds, which is 10^(9-k).
    Nanos(u64),
    /// Finer than a nanosecond: this many ticks make one.
    Ticks(u64),
    /// 2^-k seconds.
    Binary(u32),
}

impl Clock {
    /// The clock of `if_tsresol`: 10^-k seconds, or 2^-k where the top bit is set, with k in the low 7 bits.
    fn new(resolution: u8, offset_seconds: i64) -> Self {
        let exponent = u32::from(resolution & 0x7f);
        let unit = if resolution & 0x80 != 0 {
            Unit::Binary(exponent)
        } else if exponent <= 9 {
            Unit::Nanos(10u64.pow(9 - exponent))
        } else {
            // 10^20 and up exceed the counter: no tick of such a clock ever makes a nanosecond.
            Unit::Ticks(10u64.checked_pow(exponent - 9).unwrap_or(u64::MAX))
        };
        Self { unit, offset: i128::from(offset_seconds) * 1_000_000_000, digits: exponent.min(9) as u8 }
    }

    #[inline]
    fn time(&self, ticks: u64) -> Timestamp {
        let nanos = match self.unit {
            Unit::Nanos(nanos) => u128::from(ticks) * u128::from(nanos),
            Unit::Ticks(per_nano) => u128::from(ticks / per_nano),
            Unit::Binary(exponent) => (u128::from(ticks) * 1_000_000_000) >> exponent,
        };
        let shifted = (nanos as i128 + self.offset).clamp(0, i128::from(u64::MAX));
        Timestamp { nanos: shifted as u64, digits: self.digits }
    }
}

/// The state of reading: the current section, and what is kept across sections.
#[derive(Debug, Default)]
pub(super) struct PcapNg {
    big_endian: bool,
    /// The current section's.
    interfaces: Vec<Interface>,
    /// Of all sections, each once, in the order of their first interface.
    pub(super) link_types: Vec<LinkType>,
    /// Dropped packets by the statistics of earlier sections.
    dropped_before: Option<u64>,
    /// Dropped packets as counted packet by packet; used where no statistics came.
    dropped_between: Option<u64>,
}

/// What a packet block says of its packet.
struct Packet {
    interface: u32,
    ticks: Option<u64>,
    captured: u32,
    original: u32,
    /// Where the bytes start in the block.
    data: usize,
    /// Lost since the packet before, where told.
    dropped: Option<u64>,
    /// The length of its frame check sequence, where told; else the interface's holds.
    fcs: Option<u32>,
}

impl PcapNg {
    /// How many packets the recorder lost, as far as the blocks read so far tell.
    pub(super) fn dropped(&self) -> Option<u64> {
        self.section_dropped().or(self.dropped_between)
    }

    #[inline]
    fn number(&self, bytes: &[u8], at: usize) -> u32 {
        let mut number = [0; 4];
        number.copy_from_slice(&bytes[at..at + 4]);
        if self.big_endian { u32::from_be_bytes(number) } else { u32::from_le_bytes(number) }
    }

    fn short(&self, bytes: &[u8], at: usize) -> u16 {
        let number = [bytes[at], bytes[at + 1]];
        if self.big_endian { u16::from_be_bytes(number) } else { u16::from_le_bytes(number) }
    }

    /// The next packet; `None` at the end.
    #[inline]
    pub(super) fn next(&mut self, input: &mut Input) -> Result<Option<Record>, Box<Fault>> {
        loop {
            let offset = input.offset();
            if !input.need(HEADER).map_err(|error| Fault::read(offset, error))? {
                return if input.available().is_empty() { Ok(None) } else { Err(Fault::cut(offset)) };
            }
            let head = &input.available()[..HEADER];
            let kind = self.number(head, 0);
            match kind {
                SECTION_HEADER => self.section(input)?,
                INTERFACE_DESCRIPTION | INTERFACE_STATISTICS => {
                    let length = self.hold(input, kind)?;
                    let block = &input.available()[..length];
                    if kind == INTERFACE_DESCRIPTION {
                        self.interface(block, offset)?;
                    } else {
                        self.statistics(block);
                    }
                    input.consume(length);
                }
                ENHANCED_PACKET | SIMPLE_PACKET | PACKET => {
                    let length = self.hold(input, kind)?;
                    let record = self.packet(kind, &input.available()[..length], offset, input.place())?;
                    input.consume(length);
                    return Ok(Some(record));
                }
                _ => self.skip(input)?,
            }
        }
    }

    /// Checks the length in a block's head against the format's rules and `least`.
    #[inline]
    fn length(&self, head: &[u8], least: u32, offset: u64) -> Result<usize, Box<Fault>> {
        let length = self.number(head, 4);
        if length < least || !length.is_multiple_of(4) {
            let reason = format!("a block claims {length} bytes, and must be a multiple of 4 from {least} bytes up");
            return Err(Fault::unreadable(offset, reason));
        }
        Ok(length as usize)
    }

    /// Makes a whole block of `kind` available, checks both its lengths, and gives them.
    #[inline]
    fn hold(&self, input: &mut Input, kind: u32) -> Result<usize, Box<Fault>> {
        let offset = input.offset();
        let least = match kind {
            SECTION_HEADER => 28,
            INTERFACE_DESCRIPTION => 20,
            INTERFACE_STATISTICS => 24,
            SIMPLE_PACKET => 16,
            _ => 32,
        };
        let length = self.length(input.available(), least, offset)?;
        if length > MAX_BLOCK {
            let reason = format!("a block claims {length} bytes, and none of its kind is over {MAX_BLOCK}");
            return Err(Fault::unreadable(offset, reason));
        }
        if !input.need(length).map_err(|error| Fault::read(offset, error))? {
            return Err(Fault::cut(offset));
        }
        self.trailer(input.available(), length, offset)?;
        Ok(length)
    }

    /// The length at a block's end must repeat the one at its start. `block` ends with it or goes on after it.
    #[inline]
    fn trailer(&self, block: &[u8], length: usize, offset: u64) -> Result<(), Box<Fault>> {
        let trailer = self.number(block, length - 4);
        if trailer as usize == length {
            return Ok(());
        }
        let reason = format!("a block is {length} bytes long at its start and {trailer} at its end");
        Err(Fault::unreadable(offset, reason))
    }

    /// Passes over a block of a kind that we don't read, whatever its length.
    fn skip(&mut self, input: &mut Input) -> Result<(), Box<Fault>> {
        let offset = input.offset();
        let length = self.length(input.available(), 12, offset)?;
        let there = input.skip(length as u64 - 4).and_then(|skipped| Ok(skipped && input.need(4)?));
        if !there.map_err(|error| Fault::read(offset, error))? {
            return Err(Fault::cut(offset));
        }
        let trailer = self.number(input.available(), 0);
        if trailer as usize != length {
            let reason = format!("a block is {length} bytes long at its start and {trailer} at its end");
            return Err(Fault::unreadable(offset, reason));
        }
        input.consume(4);
        Ok(())
    }

    /// Starts a section: its byte order, and interfaces counted anew.
    fn section(&mut self, input: &mut Input) -> Result<(), Box<Fault>> {
        let offset = input.offset();
        // The byte-order magic comes after the length, which cannot be read without it.
        self.big_endian = match input.available().get(8..12) {
            Some([0x1a, 0x2b, 0x3c, 0x4d]) => true,
            Some([0x4d, 0x3c, 0x2b, 0x1a]) => false,
            _ => return Err(Fault::unreadable(offset, "a section has no byte-order magic".to_owned())),
        };
        let length = self.hold(input, SECTION_HEADER)?;
        let parsed = parse_sectionheaderblock(&input.available()[..length]);
        match parsed {
            Ok((_, block)) if block.major_version == 1 => {}
            Ok((_, block)) => {
                let (major, minor) = (block.major_version, block.minor_version);
                let reason = format!("a section is of version {major}.{minor}, and only 1.0 is known");
                return Err(Fault::unreadable(offset, reason));
            }
            Err(error) => return Err(malformed("section header", &error, offset)),
        }
        self.dropped_before = self.section_dropped();
        self.interfaces.clear();
        input.consume(length);
        Ok(())
    }

    /// What the statistics of this and all earlier sections say.
    fn section_dropped(&self) -> Option<u64> {
        let told = self.interfaces.iter().filter_map(|interface| interface.dropped);
        told.fold(self.dropped_before, |sum, dropped| Some(sum.unwrap_or(0).saturating_add(dropped)))
    }

    /// Takes note of an interface.
    fn interface(&mut self, block: &[u8], offset: u64) -> Result<(), Box<Fault>> {
        if self.interfaces.len() >= MAX_INTERFACES {
            let reason = format!("the section declares more than {MAX_INTERFACES} interfaces");
            return Err(Fault::unreadable(offset, reason));
        }
        let parsed = if self.big_endian {
            parse_interfacedescriptionblock_be(block)
        } else {
            parse_interfacedescriptionblock_le(block)
        };
        let (_, description) = parsed.map_err(|error| malformed("interface description", &error, offset))?;
        let options = &description.options;
        // if_tsresol; the time unit is a microsecond where it is absent.
        let resolution = option(options, 9).and_then(|value| value.first().copied()).unwrap_or(6);
        // if_tsoffset: pcap-parser reads it in little-endian order whatever the section's.
        let offset_seconds = option(options, 14).and_then(|value| self.long(value)).unwrap_or(0) as i64;
        let link_type = LinkType(description.linktype.0 as u16);
        let fcs = option(options, 13).and_then(|value| value.first().copied()).map_or(0, fcs_bytes);
        self.interfaces.push(Interface {
            link_type,
            snaplen: description.snaplen,
            clock: Clock::new(resolution, offset_seconds),
            fcs,
            dropped: None,
        });
        if !self.link_types.contains(&link_type) {
            self.link_types.push(link_type);
        }
        Ok(())
    }

    /// Takes note of the drops that an Interface Statistics Block tells: `isb_ifdrop` and `isb_osdrop`. Statistics that
    /// cannot be read, or are of no interface, cost nothing but themselves.
    fn statistics(&mut self, block: &[u8]) {
        let parsed = if self.big_endian {
            parse_interfacestatisticsblock_be(block)
        } else {
            parse_interfacestatisticsblock_le(block)
        };
        let Ok((_, statistics)) = parsed else { return };
        let told = [5, 7].into_iter().filter_map(|code| option(&statistics.options, code));
        let dropped = told.filter_map(|value| self.long(value)).reduce(u64::saturating_add);
        if let (Some(interface), Some(dropped)) = (self.interfaces.get_mut(statistics.if_id as usize), dropped) {
            interface.dropped = Some(dropped);
        }
    }

    /// An option's value as a 64-bit number.
    fn long(&self, value: &[u8]) -> Option<u64> {
        let bytes = *value.first_chunk::<8>()?;
        Some(if self.big_endian { u64::from_be_bytes(bytes) } else { u64::from_le_bytes(bytes) })
    }

    /// The record of a packet block, which starts at `place` in the buffer.
    #[inline]
    fn packet(&mut self, kind: u32, block: &[u8], offset: u64, place: usize) -> Result<Record, Box<Fault>> {
        let packet = match kind {
            SIMPLE_PACKET => self.simple(block),
            _ => self.enhanced(kind, block),
        };
        let Some(interface) = self.interfaces.get(packet.interface as usize) else {
            let (number, known) = (packet.interface, self.interfaces.len());
            let reason = format!("a packet is of interface {number}, and the section declares {known}");
            return Err(Fault::unreadable(offset, reason));
        };
        if packet.captured as usize > (block.len() - 4 - packet.data).min(MAX_FRAME) {
            let (captured, length) = (packet.captured, block.len());
            let reason = format!("a packet claims {captured} bytes, and its block has {length}");
            return Err(Fault::unreadable(offset, reason));
        }
        let (kept, original) = without_fcs(packet.captured, packet.original, packet.fcs.unwrap_or(interface.fcs));
        if let Some(dropped) = packet.dropped {
            self.dropped_between = Some(self.dropped_between.unwrap_or(0).saturating_add(dropped));
        }
        let start = place + packet.data;
        Ok(Record {
            time: packet.ticks.map(|ticks| interface.clock.time(ticks)),
            link_type: interface.link_type,
            original_length: original,
            data: start..start + kept as usize,
        })
    }

    /// `type | length | original | bytes … | length`: how many bytes were kept follows from the interface's snaplen.
    fn simple(&self, block: &[u8]) -> Packet {
        let original = self.number(block, 8);
        let room = (block.len() - 16) as u32;
        let snaplen = self.interfaces.first().map_or(0, |interface| interface.snaplen);
        let limit = if snaplen == 0 { room } else { room.min(snaplen) };
        Packet {
            interface: 0,
            ticks: None,
            captured: original.min(limit),
            original,
            data: 12,
            dropped: None,
            fcs: None,
        }
    }

    /// `type | length | interface | ticks high, low | captured | original | bytes … | options | length`. The obsolete
    /// Packet Block has 16 bits each of interface and drop count in the interface's place; its options start alike.
    #[inline]
    fn enhanced(&self, kind: u32, block: &[u8]) -> Packet {
        let (interface, dropped) = if kind == PACKET {
            // 0xffff stands for an unknown count.
            let count = self.short(block, 10);
            (u32::from(self.short(block, 8)), (count != u16::MAX).then_some(u64::from(count)))
        } else {
            (self.number(block, 8), None)
        };
        let captured = self.number(block, 20);
        let mut packet = Packet {
            interface,
            ticks: Some(u64::from(self.number(block, 12)) << 32 | u64::from(self.number(block, 16))),
            captured,
            original: self.number(block, 24),
            data: 28,
            dropped,
            fcs: None,
        };
        // A packet that its block cannot hold is found out by the caller.
        let options = (captured as usize).checked_next_multiple_of(4).and_then(|padded| padded.checked_add(28));
        if let Some(options) = options.and_then(|start| block[..block.len() - 4].get(start..)).filter(|o| !o.is_empty())
        {
            self.packet_options(options, kind, &mut packet);
        }
        packet
    }

    /// The options that change a packet: its flags word (2), whose bits 5 to 8 are the length of the frame check sequence
    /// in bytes, or 0 where unknown; and `epb_dropcount` (4), which the obsolete block does not have.
    fn packet_options(&self, mut options: &[u8], kind: u32, packet: &mut Packet) {
        loop {
            let parsed: nom::IResult<_, PcapNGOption<'_>, PcapError<&[u8]>> =
                if self.big_endian { parse_option_be(options) } else { parse_option_le(options) };
            let Ok((rest, option)) = parsed else { return };
            match (option.code.0, option.value()) {
                (0, _) => return,
                (2, value) if value.len() >= 4 => {
                    let fcs = (self.number(value, 0) >> 5) & 0xf;
                    packet.fcs = (fcs != 0).then_some(fcs);
                }
                (4, value) if kind == ENHANCED_PACKET => packet.dropped = self.long(value),
                _ => {}
            }
            options = rest;
        }
    }
}

/// The bytes of the first option with this code, without padding.
fn option<'a>(options: &'a [PcapNGOption<'_>], code: u16) -> Option<&'a [u8]> {
    options.iter().take_while(|option| option.code.0 != 0).find(|option| option.code.0 == code)?.as_bytes().ok()
}

/// The length in bytes that an `if_fcslen` means. The draft says bits and gives 4 as its example, which recorders wrote
/// and Wireshark reads as bytes: no check sequence has 8 bits or fewer, so both can be told apart.
fn fcs_bytes(value: u8) -> u32 {
    u32::from(if value > 8 { value / 8 } else { value })
}

#[cold]
fn malformed(what: &str, error: &nom::Err<PcapError<&[u8]>>, offset: u64) -> Box<Fault> {
    // pcap-parser's own text would print the whole input.
    let kind = match error {
        nom::Err::Error(PcapError::NomError(_, kind)) | nom::Err::Failure(PcapError::NomError(_, kind)) => {
            kind.description()
        }
        _ => "incomplete",
    };
    Fault::unreadable(offset, format!("the {what} is malformed ({kind})"))
}
