//! Reading capture files: what kind of file it is, and its frames one after another.
//!
//! Opening reads as much as it takes to be sure of the format, 24 bytes of capture, and not more, so that a live pipe
//! (`tcpdump -U -w - | repltool sniff -r -`) is decoded from its first packet. A file that is sound up to a point gives
//! the frames up to there and then [`Damage`]; one that never gives a frame is an error. A header and then the end is a
//! sound capture of nothing.

use super::error::{CaptureError, Damage, DamageKind, Fault, FaultCause};
use super::input::Input;
use super::{Compression, Frame, LinkType, Record, classic, pcapng};
use crate::units::{FrameNumber, Stamp};
use std::fmt;
use std::fs::File;
use std::io::{self, IsTerminal, Read};
use std::path::Path;

/// The format of a capture file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Classic pcap, of whatever variant.
    Pcap,
    /// pcapng.
    PcapNg,
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pcap => "pcap",
            Self::PcapNg => "pcapng",
        })
    }
}

/// The two record grammars.
enum Grammar {
    Classic(classic::Classic),
    PcapNg(pcapng::PcapNg),
}

/// A capture file that is being read.
pub struct CaptureFile {
    name: String,
    input: Input,
    grammar: Grammar,
    compression: Option<Compression>,
    frames: u64,
    damage: Option<Damage>,
}

impl fmt::Debug for CaptureFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, compression, frames, damage, .. } = self;
        write!(f, "CaptureFile({name}, {}, {compression:?}, {frames} frames, {damage:?})", self.format())
    }
}

impl CaptureFile {
    /// Opens the capture at `path`; `-` is standard input.
    ///
    /// # Errors
    /// When it cannot be opened or read, or does not start with a capture's header.
    pub fn open(path: &Path) -> Result<Self, CaptureError> {
        if path.as_os_str() == "-" {
            if io::stdin().is_terminal() {
                return Err(CaptureError::Terminal);
            }
            return Self::from_reader("standard input", Box::new(io::stdin()));
        }
        let file = path.display().to_string();
        // Asked before opening: a directory opens well enough, and fails at the first read with an obscure text.
        let opened = if path.is_dir() { Err(io::ErrorKind::IsADirectory.into()) } else { File::open(path) };
        match opened {
            Ok(source) => Self::from_reader(&file, Box::new(source)),
            Err(reason) => Err(match reason.kind() {
                io::ErrorKind::NotFound => CaptureError::NotFound { file },
                io::ErrorKind::PermissionDenied => CaptureError::Permission { file },
                io::ErrorKind::IsADirectory => CaptureError::Directory { file },
                _ => CaptureError::Open { file, reason },
            }),
        }
    }

    /// Reads a capture from any source; `name` is what messages call it.
    ///
    /// # Errors
    /// When it cannot be read, or does not start with a capture's header.
    pub fn from_reader(name: &str, source: Box<dyn Read + Send>) -> Result<Self, CaptureError> {
        let failed =
            |input: &Input, reason| CaptureError::Read { file: name.to_owned(), offset: input.offset(), reason };
        let mut input = Input::new(source);
        input.need(4).map_err(|reason| failed(&input, reason))?;
        let compression = Compression::detect(input.available());
        if let Some(compression) = compression {
            input = Input::new(compression.reader(input.into_reader()));
        }
        // Not all of it need be there: what is there says what is wrong.
        input.need(classic::HEADER).map_err(|reason| failed(&input, reason))?;
        let grammar = recognise(name, input.available())?;
        if matches!(grammar, Grammar::Classic(_)) {
            input.consume(classic::HEADER);
        }
        Ok(Self { name: name.to_owned(), input, grammar, compression, frames: 0, damage: None })
    }

    /// The next frame, or `None` at the end of what can be read; [`CaptureFile::damage`] then says whether that is the
    /// end of the file. The frame's bytes are lent until the next call.
    ///
    /// # Errors
    /// When the file is damaged before its first frame; after that error comes `None`.
    #[inline]
    pub fn next_frame(&mut self) -> Result<Option<Frame<'_>>, CaptureError> {
        if self.damage.is_some() {
            return Ok(None);
        }
        let next = match &mut self.grammar {
            Grammar::Classic(classic) => classic.next(&mut self.input),
            Grammar::PcapNg(pcapng) => pcapng.next(&mut self.input),
        };
        let Record { time, link_type, original_length, data } = match next {
            Ok(Some(record)) => record,
            Ok(None) => return Ok(None),
            Err(fault) => return self.stop(*fault).map(|()| None),
        };
        self.frames += 1;
        let stamp = Stamp { frame: FrameNumber(self.frames), time };
        Ok(Some(Frame { stamp, link_type, original_length, data: self.input.slice(data) }))
    }

    /// Ends the reading at damage, which is an error where nothing came before it.
    #[cold]
    fn stop(&mut self, fault: Fault) -> Result<(), CaptureError> {
        let offset = fault.offset;
        let system = matches!(&fault.cause, FaultCause::Read(error) if error.raw_os_error().is_some());
        let first = self.frames == 0;
        // The error takes the operating system's answer along; the damage keeps its text.
        let (kind, reason) = match fault.cause {
            FaultCause::Read(reason) if system && first => {
                let (file, text) = (self.name.clone(), reason.to_string());
                self.damage = Some(self.damage_at(offset, DamageKind::Unreadable, text));
                return Err(CaptureError::Read { file, offset, reason });
            }
            _ => fault.describe(),
        };
        self.damage = Some(self.damage_at(offset, kind, reason.clone()));
        if first {
            return Err(CaptureError::NothingReadable { file: self.name.clone(), offset, reason });
        }
        Ok(())
    }

    fn damage_at(&self, offset: u64, kind: DamageKind, reason: String) -> Damage {
        let (file, packets) = (self.name.clone(), self.frames);
        Damage { file, offset, compressed: self.compression.is_some(), kind, reason, packets }
    }

    /// What messages call the file.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The file's format, under any compression.
    #[must_use]
    pub fn format(&self) -> Format {
        match self.grammar {
            Grammar::Classic(_) => Format::Pcap,
            Grammar::PcapNg(_) => Format::PcapNg,
        }
    }

    /// How the file is compressed, if it is.
    #[must_use]
    pub fn compression(&self) -> Option<Compression> {
        self.compression
    }

    /// The link types declared so far, each once, in order. Classic pcap has its one from the start; pcapng declares them
    /// on the way, so before the first frame there may be none.
    #[must_use]
    pub fn link_types(&self) -> &[LinkType] {
        match &self.grammar {
            Grammar::Classic(classic) => &classic.link_types,
            Grammar::PcapNg(pcapng) => &pcapng.link_types,
        }
    }

    /// How many packets the recorder lost, as far as the file has told by now: the sum of the interfaces' last pcapng
    /// statistics (`isb_ifdrop` and `isb_osdrop`), or of the packets' own drop counts. `None` where it does not tell,
    /// as classic pcap never does.
    #[must_use]
    pub fn dropped(&self) -> Option<u64> {
        match &self.grammar {
            Grammar::Classic(_) => None,
            Grammar::PcapNg(pcapng) => pcapng.dropped(),
        }
    }

    /// How many bytes of capture, after decompression, have been consumed: headers and all.
    #[must_use]
    pub fn bytes_read(&self) -> u64 {
        self.input.offset()
    }

    /// How many frames have been delivered.
    #[must_use]
    pub fn frames(&self) -> u64 {
        self.frames
    }

    /// Where the file stops being readable, once that place has been reached.
    #[must_use]
    pub fn damage(&self) -> Option<&Damage> {
        self.damage.as_ref()
    }
}

/// Which grammar the first bytes call for, or why none does.
fn recognise(name: &str, head: &[u8]) -> Result<Grammar, CaptureError> {
    let file = name.to_owned();
    if head.is_empty() {
        return Err(CaptureError::Empty { file });
    }
    if pcapng::detect(head) {
        return Ok(Grammar::PcapNg(pcapng::PcapNg::default()));
    }
    let cut = |format| CaptureError::CutHeader { file: name.to_owned(), format, bytes: head.len() as u64 };
    if classic::detect(head) {
        let Some(header) = head.first_chunk::<{ classic::HEADER }>() else { return Err(cut("pcap")) };
        return match classic::Classic::parse(header) {
            Some(classic) if classic.version.0 == 2 => Ok(Grammar::Classic(classic)),
            Some(classic) => {
                let (major, minor) = classic.version;
                Err(CaptureError::Version { file, format: "pcap", major, minor, known: "2.4" })
            }
            None => Err(cut("pcap")),
        };
    }
    if head.len() < pcapng::HEADER && head.starts_with(&[0x0a, 0x0d, 0x0d, 0x0a]) {
        return Err(cut("pcapng"));
    }
    let (looks_like, hint) = look(head);
    Err(CaptureError::NotACapture { file, looks_like, hint })
}

const CONVERT: &str = "convert it with `editcap FILE out.pcapng`";
const UNPACK: &str = "unpack it first, or pack it with gzip or zstd";
const RECORD: &str = "name a pcap or pcapng file, as `tcpdump -w FILE` records";
const RDB: &str = "inspect it with `repltool rdb info FILE`";

/// Files that people hand to a capture reader: how they start, what they are, and what to do with them.
const STRANGERS: &[(&[u8], &str, &str)] = &[
    (b"snoop\0\0\0", "a Solaris snoop capture", CONVERT),
    (b"btsnoop\0", "a Bluetooth btsnoop log", RECORD),
    (b"GMBU", "a Microsoft Network Monitor 2 capture", CONVERT),
    (b"RTSS", "a Microsoft Network Monitor 1 capture", CONVERT),
    (b"XCP\0", "a NetXRay or Windows Sniffer capture", CONVERT),
    (b"TRSNIFF data", "a DOS Sniffer capture", CONVERT),
    (b"iptrace ", "an AIX iptrace capture", CONVERT),
    (b"REDIS0", "an RDB file", RDB),
    (b"VALKEY", "an RDB file (of Valkey)", RDB),
    (b"\x1f\x8b", "gzip data inside compressed data", UNPACK),
    (b"\x28\xb5\x2f\xfd", "zstd data inside compressed data", UNPACK),
    (b"\xfd7zXZ\0", "xz-compressed data", UNPACK),
    (b"BZh", "bzip2-compressed data", UNPACK),
    (b"\x04\x22\x4d\x18", "lz4-compressed data", UNPACK),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive", UNPACK),
    (b"PK\x03\x04", "a ZIP archive", UNPACK),
    (b"\x89PNG", "a PNG image", RECORD),
    (b"\xff\xd8\xff", "a JPEG image", RECORD),
    (b"%PDF", "a PDF document", RECORD),
    (b"\x7fELF", "an ELF program", RECORD),
    (b"SQLite format 3", "an SQLite database", RECORD),
];

/// What a file that is no capture looks like, and what to do with it.
fn look(head: &[u8]) -> (String, &'static str) {
    if let Some((_, what, hint)) = STRANGERS.iter().find(|(magic, ..)| head.starts_with(magic)) {
        return ((*what).to_owned(), hint);
    }
    let text = head.iter().all(|byte| matches!(byte, b'\t' | b'\n' | b'\r' | b' '..=b'~'));
    match head {
        [b'*', b'0'..=b'9', ..] if text => ("an append-only file (RESP commands)".to_owned(), RECORD),
        _ if text => ("text (what tcpdump prints, perhaps)".to_owned(), RECORD),
        _ => {
            let bytes: Vec<String> = head.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
            (format!("nothing known ({})", bytes.join(" ")), RECORD)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bounds::{MAX_FRAME, READ_BUFFER};
    use crate::units::Timestamp;
    use proptest::prelude::*;
    use std::io::{Cursor, Write};

    /// A frame as tests compare it: time, link type, original length, bytes.
    type Seen = (Option<Timestamp>, u16, u32, Vec<u8>);

    /// Writes numbers in either byte order.
    #[derive(Clone, Copy)]
    struct Order {
        big: bool,
    }

    const LITTLE: Order = Order { big: false };
    const BIG: Order = Order { big: true };

    impl Order {
        fn long(self, number: u32) -> [u8; 4] {
            if self.big { number.to_be_bytes() } else { number.to_le_bytes() }
        }

        fn short(self, number: u16) -> [u8; 2] {
            if self.big { number.to_be_bytes() } else { number.to_le_bytes() }
        }

        fn wide(self, number: u64) -> [u8; 8] {
            if self.big { number.to_be_bytes() } else { number.to_le_bytes() }
        }

        fn longs(self, numbers: &[u32]) -> Vec<u8> {
            numbers.iter().flat_map(|number| self.long(*number)).collect()
        }

        fn pcap(self, magic: u32, network: u32) -> Vec<u8> {
            [self.longs(&[magic]), self.short(2).to_vec(), self.short(4).to_vec(), self.longs(&[0, 0, 65535, network])]
                .concat()
        }

        fn record(self, seconds: u32, fraction: u32, original: u32, data: &[u8]) -> Vec<u8> {
            [self.longs(&[seconds, fraction, data.len() as u32, original]), data.to_vec()].concat()
        }

        fn block(self, kind: u32, body: &[u8]) -> Vec<u8> {
            let length = 12 + body.len().next_multiple_of(4) as u32;
            let padding = vec![0; body.len().next_multiple_of(4) - body.len()];
            [&self.longs(&[kind, length]), body, &padding, &self.longs(&[length])].concat()
        }

        fn section(self) -> Vec<u8> {
            let body = [&self.long(0x1a2b_3c4d)[..], &self.short(1), &self.short(0), &[0xff; 8]].concat();
            self.block(0x0a0d_0d0a, &body)
        }

        fn option(self, code: u16, value: &[u8]) -> Vec<u8> {
            let padding = vec![0; value.len().next_multiple_of(4) - value.len()];
            [&self.short(code)[..], &self.short(value.len() as u16), value, &padding].concat()
        }

        fn interface(self, link_type: u16, snaplen: u32, options: &[u8]) -> Vec<u8> {
            self.block(1, &[&self.short(link_type)[..], &self.short(0), &self.long(snaplen), options].concat())
        }

        fn enhanced(self, interface: u32, ticks: u64, original: u32, data: &[u8], options: &[u8]) -> Vec<u8> {
            let head = self.longs(&[interface, (ticks >> 32) as u32, ticks as u32, data.len() as u32, original]);
            let padding = vec![0; data.len().next_multiple_of(4) - data.len()];
            self.block(6, &[&head, data, &padding, options].concat())
        }

        fn statistics(self, interface: u32, interface_drops: u64, system_drops: u64) -> Vec<u8> {
            let options =
                [self.option(5, &self.wide(interface_drops)), self.option(7, &self.wide(system_drops))].concat();
            self.block(5, &[self.longs(&[interface, 0, 0]), options].concat())
        }
    }

    fn time(nanos: u64, digits: u8) -> Option<Timestamp> {
        Some(Timestamp { nanos, digits })
    }

    fn open(bytes: &[u8]) -> Result<CaptureFile, CaptureError> {
        CaptureFile::from_reader("t.pcap", Box::new(Cursor::new(bytes.to_vec())))
    }

    fn drain(file: &mut CaptureFile) -> Result<Vec<Seen>, CaptureError> {
        let mut seen = Vec::new();
        while let Some(frame) = file.next_frame()? {
            assert_eq!(frame.stamp.frame.0, seen.len() as u64 + 1);
            seen.push((frame.stamp.time, frame.link_type.0, frame.original_length, frame.data.to_vec()));
        }
        assert_eq!(file.frames(), seen.len() as u64);
        Ok(seen)
    }

    /// All frames of a sound capture.
    fn frames(bytes: &[u8]) -> Vec<Seen> {
        let mut file = open(bytes).unwrap();
        let seen = drain(&mut file).unwrap();
        assert_eq!(file.damage(), None);
        assert_eq!(file.bytes_read(), bytes.len() as u64);
        seen
    }

    /// The message of a capture that cannot be read.
    fn refusal(bytes: &[u8]) -> String {
        open(bytes).and_then(|mut file| drain(&mut file)).unwrap_err().to_string()
    }

    #[test]
    fn classic_pcap_in_every_variant() {
        let nine = b"nine byte".to_vec();
        for order in [LITTLE, BIG] {
            for (magic, digits, nanos) in [(0xa1b2_c3d4, 6, 5_000_007_000), (0xa1b2_3c4d, 9, 5_000_000_007)] {
                let bytes =
                    [order.pcap(magic, 113), order.record(5, 7, 60, &nine), order.record(5, 7, 0, b"")].concat();
                let expected = [(time(nanos, digits), 113, 60, nine.clone()), (time(nanos, digits), 113, 0, vec![])];
                assert_eq!(frames(&bytes), expected);
            }
            let header = order.longs(&[5, 7, 9, 60, 0xdead, 0xbeef]);
            let modified = [order.pcap(0xa1b2_cd34, 1), header, nine.clone()].concat();
            assert_eq!(frames(&modified), [(time(5_000_007_000, 6), 1, 60, nine.clone())]);
        }
    }

    #[test]
    fn a_header_alone_is_a_sound_empty_capture() {
        assert_eq!(frames(&LITTLE.pcap(0xa1b2_c3d4, 1)), []);
        assert_eq!(frames(&BIG.section()), []);
        assert_eq!(frames(&[LITTLE.section(), LITTLE.interface(1, 0, &[])].concat()), []);
    }

    #[test]
    fn the_frame_check_sequence_is_stripped() {
        // 2 words of 16 bits, told by the top of the network field.
        let header = LITTLE.pcap(0xa1b2_c3d4, 0x2400_0001);
        let whole = LITTLE.record(0, 0, 8, b"dataFCS!");
        let snapped = LITTLE.record(0, 0, 8, b"dataFC");
        let short = LITTLE.record(0, 0, 12, b"dat");
        let seen = frames(&[header, whole, snapped, short].concat());
        let bytes: Vec<_> = seen.iter().map(|(_, link, original, data)| (*link, *original, &data[..])).collect();
        assert_eq!(bytes, [(1, 4, &b"data"[..]), (1, 4, b"data"), (1, 8, b"dat")]);
        // The bits mean nothing without the flag.
        let plain = [LITTLE.pcap(0xa1b2_c3d4, 0x2000_0001), LITTLE.record(0, 0, 4, b"data")].concat();
        assert_eq!(frames(&plain)[0].3, b"data");
        for (value, flags, kept) in [(4, 0, 4), (32, 0, 4), (0, 0, 8), (0, 4 << 5, 4), (4, 2 << 5, 6)] {
            let interface = BIG.interface(1, 0, &BIG.option(13, &[value]));
            let options = [BIG.option(1, b"a comment"), BIG.option(2, &BIG.long(flags))].concat();
            let packet = BIG.enhanced(0, 0, 8, b"dataFCS!", &options);
            assert_eq!(frames(&[BIG.section(), interface, packet].concat())[0].3.len(), kept, "{value} {flags}");
        }
    }

    fn time_of(resolution: &[u8], offset: i64, ticks: u64) -> Option<Timestamp> {
        let order = BIG;
        let options = [order.option(9, resolution), order.option(14, &order.wide(offset as u64))].concat();
        let bytes = [order.section(), order.interface(1, 0, &options), order.enhanced(0, ticks, 1, b"x", &[])].concat();
        frames(&bytes)[0].0
    }

    #[test]
    fn pcapng_clocks() {
        assert_eq!(time_of(&[6], 0, 5_000_007), time(5_000_007_000, 6));
        assert_eq!(time_of(&[], 0, 5_000_007), time(5_000_007_000, 6));
        assert_eq!(time_of(&[9], 0, 7), time(7, 9));
        assert_eq!(time_of(&[0], 0, 7), time(7_000_000_000, 0));
        assert_eq!(time_of(&[12], 0, 7_999), time(7, 9));
        assert_eq!(time_of(&[0x7f], 0, u64::MAX), time(1, 9));
        assert_eq!(time_of(&[0x80 | 9], 0, 512 + 256), time(1_500_000_000, 9));
        assert_eq!(time_of(&[0x80 | 4], 0, 1), time(62_500_000, 4));
        assert_eq!(time_of(&[0xff], 0, u64::MAX), time(0, 9));
        assert_eq!(time_of(&[0], 3, 7), time(10_000_000_000, 0));
        assert_eq!(time_of(&[0], -3, 7), time(4_000_000_000, 0));
        assert_eq!(time_of(&[0], i64::MIN, 7), time(0, 0));
        assert_eq!(time_of(&[0], i64::MAX, u64::MAX), time(u64::MAX, 0));
    }

    /// A pcapng of everything: two sections of opposite byte orders, several interfaces, every kind of block.
    fn everything() -> Vec<u8> {
        let (one, two) = (LITTLE, BIG);
        let obsolete = [&two.short(1)[..], &two.short(3), &two.longs(&[0, 9, 3, 3]), b"old"].concat();
        [
            one.section(),
            one.interface(1, 4, &one.option(2, b"eth0")),
            one.interface(101, 0, &one.option(9, &[9])),
            one.block(4, b"name resolution"),
            one.enhanced(0, 1, 100, b"abcd", &[]),
            one.enhanced(1, 2, 5, b"abcde", &one.option(1, b"comment")),
            one.block(3, &[&one.long(9)[..], b"simp"].concat()),
            one.block(0xbad, b"custom"),
            one.statistics(0, 5, 0),
            one.statistics(0, 7, 2),
            one.statistics(9, 100, 100),
            two.section(),
            two.interface(1, 0, &[]),
            two.interface(276, 0, &[]),
            two.block(2, &obsolete),
            two.block(0x8000_0001, &[7; 400]),
            two.block(3, &[&two.long(3)[..], b"sim"].concat()),
            two.statistics(1, 1, 0),
        ]
        .concat()
    }

    #[test]
    fn pcapng_of_every_block() {
        let bytes = everything();
        let expected: [Seen; 5] = [
            (time(1000, 6), 1, 100, b"abcd".to_vec()),
            (time(2, 9), 101, 5, b"abcde".to_vec()),
            (None, 1, 9, b"simp".to_vec()),
            (time(9000, 6), 276, 3, b"old".to_vec()),
            (None, 1, 3, b"sim".to_vec()),
        ];
        assert_eq!(frames(&bytes), expected);
        let mut file = open(&bytes).unwrap();
        assert_eq!((file.format(), file.link_types(), file.dropped()), (Format::PcapNg, &[][..], None));
        drain(&mut file).unwrap();
        assert_eq!(file.link_types(), [LinkType(1), LinkType(101), LinkType(276)]);
        // The last statistics of an interface count, and drop counts of packets only where there are none.
        assert_eq!(file.dropped(), Some(7 + 2 + 1));
    }

    #[test]
    fn packets_own_drop_counts() {
        let order = LITTLE;
        let count = |number: u64| order.option(4, &order.wide(number));
        let packets = [order.enhanced(0, 0, 1, b"x", &count(2)), order.enhanced(0, 0, 1, b"x", &count(3))].concat();
        let mut file = open(&[order.section(), order.interface(1, 0, &[]), packets].concat()).unwrap();
        drain(&mut file).unwrap();
        assert_eq!(file.dropped(), Some(5));
    }

    fn classic() -> Vec<u8> {
        let records = (0..40u32).map(|index| LITTLE.record(index, 1, 2000, &vec![index as u8; index as usize * 3]));
        [vec![LITTLE.pcap(0xa1b2_c3d4, 1)], records.collect()].concat().concat()
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn zstd(bytes: &[u8]) -> Vec<u8> {
        ruzstd::encoding::compress_to_vec(bytes, ruzstd::encoding::CompressionLevel::Fastest)
    }

    #[test]
    fn a_cut_at_any_byte_gives_a_prefix() {
        for bytes in [classic(), everything(), gzip(&classic()), zstd(&classic())] {
            let whole = drain(&mut open(&bytes).unwrap()).unwrap();
            for cut in 0..bytes.len() {
                let Ok(mut file) = open(&bytes[..cut]) else { continue };
                match drain(&mut file) {
                    Ok(seen) => assert_eq!(seen, whole[..seen.len()]),
                    Err(error) => assert!(matches!(error, CaptureError::NothingReadable { .. }), "{error}"),
                }
                if let Some(damage) = file.damage() {
                    assert_eq!(damage.kind, DamageKind::Cut, "{damage}");
                    assert!(file.next_frame().unwrap().is_none());
                }
            }
        }
    }

    #[test]
    fn damage_says_where_and_what_came_before() {
        let mut bytes = classic();
        bytes.truncate(bytes.len() - 1);
        let mut file = open(&bytes).unwrap();
        assert_eq!(drain(&mut file).unwrap().len(), 39);
        let start = bytes.len() - 116 - 16;
        let expected = format!(
            "t.pcap is cut at byte {start}: the file ends inside the record that starts there; the 39 packets before it \
             were read"
        );
        assert_eq!(file.damage().unwrap().to_string(), expected);
        bytes[start + 11] = 0x7f;
        let mut file = open(&bytes).unwrap();
        assert_eq!(drain(&mut file).unwrap().len(), 39);
        let expected = format!(
            "t.pcap is unreadable from byte {start} on: a record claims {} bytes, and no packet is over \
             {MAX_FRAME}; the 39 packets before it were read",
            (0x7f << 24) + 117
        );
        assert_eq!(file.damage().unwrap().to_string(), expected);
    }

    #[test]
    fn nothing_readable_after_the_header_is_an_error_once() {
        let bytes = [LITTLE.pcap(0xa1b2_c3d4, 1), vec![0xff; 40]].concat();
        let mut file = open(&bytes).unwrap();
        let text = file.next_frame().unwrap_err().to_string();
        assert!(
            text.starts_with("t.pcap has a valid header but no readable packet at byte 24: a record claims "),
            "{text}"
        );
        assert!(file.next_frame().unwrap().is_none());
        assert!(file.damage().is_some());
        let cut = [LITTLE.section(), LITTLE.interface(1, 0, &[]), vec![6, 0, 0, 0, 32]].concat();
        assert!(
            refusal(&cut).contains("no readable packet at byte 48: the file ends inside the record"),
            "{}",
            refusal(&cut)
        );
    }

    #[test]
    fn impossible_pcapng_blocks_are_damage() {
        let order = LITTLE;
        let sound = [order.section(), order.interface(1, 0, &[]), order.enhanced(0, 0, 1, b"x", &[])].concat();
        let mut trailer = order.block(6, &[0; 20]);
        *trailer.last_mut().unwrap() = 1;
        let mut skipped = order.block(0xbad, &[0; 20]);
        *skipped.last_mut().unwrap() = 1;
        let oversized = order.block(6, &order.longs(&[0, 0, 0, 9, 9]));
        let alien = order.longs(&[0x0a0d_0d0a, 28, 0, 0, 0, 0, 28]);
        let cases: [(&[u8], &str); 9] = [
            (&order.longs(&[6, 8, 0]), "claims 8 bytes"),
            (&order.longs(&[6, 35, 0]), "claims 35 bytes"),
            (&order.longs(&[0xbad, 8, 0]), "claims 8 bytes"),
            (&order.longs(&[6, 0x7fff_fffc, 0]), "none of its kind is over"),
            (&trailer, "32 bytes long at its start"),
            (&skipped, "32 bytes long at its start"),
            (&oversized, "claims 9 bytes"),
            (&order.enhanced(7, 0, 1, b"x", &[]), "of interface 7, and the section declares 1"),
            (&alien, "no byte-order magic"),
        ];
        for (block, expected) in cases {
            let mut file = open(&[&sound, block].concat()).unwrap();
            assert_eq!(drain(&mut file).unwrap().len(), 1);
            let damage = file.damage().unwrap();
            assert_eq!((damage.kind, damage.offset), (DamageKind::Unreadable, sound.len() as u64), "{damage}");
            assert!(damage.reason.contains(expected), "{damage}");
        }
    }

    #[test]
    fn long_records_grow_the_buffer_up_to_the_bound() {
        let long = vec![7; MAX_FRAME];
        let between = vec![8; READ_BUFFER - 10];
        let records = [&between, &long, &between].map(|data| LITTLE.record(0, 0, data.len() as u32, data)).concat();
        let seen = frames(&[LITTLE.pcap(0xa1b2_c3d4, 1), records].concat());
        assert!([&between, &long, &between].into_iter().eq(seen.iter().map(|frame| &frame.3)));
        let packet = BIG.enhanced(0, 0, MAX_FRAME as u32, &long, &[]);
        let skipped = BIG.block(0xbad, &vec![9; 3 * MAX_FRAME]);
        let bytes = [BIG.section(), BIG.interface(1, 0, &[]), skipped, packet].concat();
        assert_eq!(frames(&bytes)[0].3, long);
    }

    /// Gives 1 to 7 bytes at a time, and an interruption now and then.
    struct Trickle {
        bytes: Cursor<Vec<u8>>,
        turn: usize,
    }

    impl Read for Trickle {
        fn read(&mut self, target: &mut [u8]) -> io::Result<usize> {
            self.turn += 1;
            if self.turn.is_multiple_of(11) {
                return Err(io::ErrorKind::Interrupted.into());
            }
            let most = (self.turn % 7 + 1).min(target.len());
            self.bytes.read(&mut target[..most])
        }
    }

    #[test]
    fn a_trickle_gives_the_same_frames() {
        for bytes in [classic(), everything(), gzip(&classic()), zstd(&everything())] {
            let whole = drain(&mut open(&bytes).unwrap()).unwrap();
            let source = Trickle { bytes: Cursor::new(bytes), turn: 0 };
            let mut file = CaptureFile::from_reader("pipe", Box::new(source)).unwrap();
            assert_eq!(drain(&mut file).unwrap(), whole);
            assert_eq!(file.damage(), None);
        }
    }

    #[test]
    fn a_pipe_is_not_read_beyond_the_frame_asked_for() {
        let (reader, mut writer) = io::pipe().unwrap();
        writer.write_all(&LITTLE.pcap(0xa1b2_c3d4, 1)).unwrap();
        let mut file = CaptureFile::from_reader("pipe", Box::new(reader)).unwrap();
        for _ in 0..3 {
            // Were the reader to wait for more, this would hang.
            writer.write_all(&LITTLE.record(1, 1, 4, b"data")).unwrap();
            assert_eq!(file.next_frame().unwrap().unwrap().data, b"data");
        }
        drop(writer);
        assert!(file.next_frame().unwrap().is_none() && file.damage().is_none());
    }

    #[test]
    fn compressed_captures_of_several_members() {
        let bytes = classic();
        let whole = frames(&bytes);
        let (front, back) = bytes.split_at(777);
        let skippable = [&[0x5a, 0x2a, 0x4d, 0x18, 3, 0, 0, 0][..], b"any"].concat();
        let cases = [
            (Compression::Gzip, gzip(&bytes)),
            (Compression::Gzip, [gzip(front), gzip(back)].concat()),
            (Compression::Zstd, zstd(&bytes)),
            (Compression::Zstd, [skippable.clone(), zstd(front), skippable, zstd(b""), zstd(back)].concat()),
        ];
        for (compression, packed) in cases {
            let mut file = open(&packed).unwrap();
            assert_eq!(drain(&mut file).unwrap(), whole);
            assert_eq!((file.damage(), file.compression()), (None, Some(compression)));
            assert_eq!(file.bytes_read(), bytes.len() as u64);
        }
    }

    #[test]
    fn a_cut_or_damaged_compressed_capture_gives_what_can_be_had() {
        let data: Vec<u8> = (0..60_000u32).map(|index| (index.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
        let records = data.chunks(1500).map(|chunk| LITTLE.record(0, 0, 1500, chunk)).collect::<Vec<_>>().concat();
        let bytes = [LITTLE.pcap(0xa1b2_c3d4, 1), records].concat();
        for (name, packed) in
            [("gzip", gzip(&bytes)), ("zstd", [zstd(&bytes[..30_000]), zstd(&bytes[30_000..])].concat())]
        {
            let mut file = open(&packed[..packed.len() - 2000]).unwrap();
            let seen = drain(&mut file).unwrap();
            assert!((15..40).contains(&seen.len()), "{name} {}", seen.len());
            let damage = file.damage().unwrap();
            assert!(damage.kind == DamageKind::Cut && damage.compressed, "{damage}");
            assert!(damage.to_string().contains("the compressed data end inside the record"), "{damage}");
            // What follows is no member of either format.
            let mut file = open(&[&packed[..], b"garbage at the end"].concat()).unwrap();
            assert_eq!(drain(&mut file).unwrap().len(), 40);
            let damage = file.damage().unwrap().to_string();
            assert!(damage.contains(&format!("the {name} data are damaged (")), "{damage}");
        }
    }

    #[test]
    fn strangers_are_named() {
        let cases: [(&[u8], &str); 14] = [
            (b"", "t.pcap is empty; a capture starts with a header"),
            (b"\x89PNG\r\n\x1a\n", "a PNG image"),
            (b"\x7fELF\x02\x01", "an ELF program"),
            (b"PK\x03\x04zip", "a ZIP archive"),
            (b"REDIS0011\xfa\x09", "an RDB file; inspect it with `repltool rdb info FILE`"),
            (b"VALKEY080\xfa", "an RDB file (of Valkey)"),
            (b"*2\r\n$6\r\nSELECT\r\n", "an append-only file (RESP commands)"),
            (b"12:00:00.000000 IP 127.0.0.1", "text (what tcpdump prints, perhaps)"),
            (b"snoop\0\0\0\0\0\0\x02", "a Solaris snoop capture; convert it with `editcap"),
            (b"GMBU\x02\0", "a Microsoft Network Monitor 2 capture"),
            (b"XCP\x002.00", "a NetXRay or Windows Sniffer capture"),
            (b"btsnoop\0\0\0\0\x01", "a Bluetooth btsnoop log"),
            (b"\x01\x02\x03\x04\x05", "nothing known (01 02 03 04)"),
            (&[0xd4, 0xc3, 0xb2, 0xa1, 2, 0], "t.pcap ends after 6 bytes, inside the pcap header"),
        ];
        for (bytes, expected) in cases {
            let text = refusal(bytes);
            assert!(text.contains(expected) && text.starts_with("t.pcap "), "{text}");
        }
        assert!(refusal(&[0x0a, 0x0d, 0x0d, 0x0a, 28]).contains("ends after 5 bytes, inside the pcapng header"));
        assert!(refusal(&gzip(b"REDIS0011")).contains("an RDB file"));
        assert!(refusal(&gzip(b"")).contains("is empty"));
        assert!(refusal(&zstd(&gzip(b"x"))).contains("gzip data inside compressed data"));
        let mut future = LITTLE.pcap(0xa1b2_c3d4, 1);
        future[4] = 3;
        assert!(refusal(&future).contains("pcap version 3.4"));
    }

    #[test]
    fn paths_that_cannot_be_opened() {
        let directory = tempfile::tempdir().unwrap();
        let missing = directory.path().join("missing.pcap");
        let text = CaptureFile::open(&missing).unwrap_err().to_string();
        assert!(text.ends_with("missing.pcap: no such file; check the path (`-` reads standard input)"), "{text}");
        let text = CaptureFile::open(directory.path()).unwrap_err().to_string();
        assert!(text.ends_with("is a directory; name a capture file in it"), "{text}");
        let sound = directory.path().join("sound");
        std::fs::write(&sound, classic()).unwrap();
        assert_eq!(drain(&mut CaptureFile::open(&sound).unwrap()).unwrap().len(), 40);
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_end(start in 0..6usize, bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
            let starts = [
                Vec::new(),
                LITTLE.pcap(0xa1b2_c3d4, 1),
                [BIG.section(), BIG.interface(1, 0, &[])].concat(),
                LITTLE.section(),
                vec![0x1f, 0x8b, 8, 0],
                vec![0x28, 0xb5, 0x2f, 0xfd],
            ];
            let bytes = [starts[start].clone(), bytes].concat();
            if let Ok(mut file) = open(&bytes) {
                let _ = drain(&mut file);
            }
        }

        #[test]
        fn flipped_bits_end(which in 0..4usize, flips in proptest::collection::vec((any::<usize>(), 0..8u8), 1..20)) {
            let mut bytes = [classic(), everything(), gzip(&everything()), zstd(&classic())][which].clone();
            for (at, bit) in flips {
                let at = at % bytes.len();
                bytes[at] ^= 1 << bit;
            }
            if let Ok(mut file) = open(&bytes) {
                let _ = drain(&mut file);
            }
        }
    }
}
