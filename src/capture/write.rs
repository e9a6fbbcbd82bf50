//! Writing captures, for `-w`: classic pcap, or pcapng where the path ends in `.pcapng`. Both are written in
//! little-endian order.
//!
//! Classic pcap has one link type and one precision for the whole file, so its header waits for the first frame and takes
//! them from it. pcapng gets an interface per link type, each with nanosecond time. A frame without a time gets time 0.

use super::{Format, Frame, LinkType};
use crate::bounds::DEFAULT_SNAPLEN;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

/// Why a capture cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The file cannot be created.
    #[error("{file} cannot be written: {reason}; name another file with -w")]
    Create {
        /// The path as given.
        file: String,
        /// What the operating system said.
        reason: io::Error,
    },
    /// Writing failed part of the way.
    #[error("writing {file} failed after {frames} packets: {reason}; free some space or name another file with -w")]
    Write {
        /// The file's name.
        file: String,
        /// How many packets were written, or at least buffered, before.
        frames: u64,
        /// What the operating system said.
        reason: io::Error,
    },
    /// Classic pcap cannot hold frames of two link types.
    #[error(
        "{file} cannot hold packet {packet}, of link type {second}: a pcap file has one link type, here {first}; give -w a \
         name that ends in .pcapng"
    )]
    SecondLinkType {
        /// The file's name.
        file: String,
        /// The number of the frame refused.
        packet: u64,
        /// The link type of the file.
        first: String,
        /// The link type of the frame.
        second: String,
    },
}

impl WriteError {
    /// Whether the reader of a pipe has gone, which ends a program quietly.
    #[must_use]
    pub fn is_broken_pipe(&self) -> bool {
        matches!(self, Self::Create { reason, .. } | Self::Write { reason, .. } if reason.kind() == io::ErrorKind::BrokenPipe)
    }
}

/// Writes frames to a capture file. Call [`CaptureWriter::finish`] at the end: dropping it flushes too, but cannot say
/// whether that went well, and leaves a file of no frames without a header.
pub struct CaptureWriter {
    name: String,
    output: BufWriter<Box<dyn Write + Send>>,
    format: Format,
    /// Those written so far: at most one in classic pcap; in pcapng the index is the interface's number.
    link_types: Vec<LinkType>,
    /// Classic pcap: whether the fraction counts nanoseconds.
    nanoseconds: bool,
    frames: u64,
}

impl std::fmt::Debug for CaptureWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "CaptureWriter({}, {}, {} frames)", self.name, self.format, self.frames)
    }
}

impl CaptureWriter {
    /// Creates the file at `path`, or truncates it; `-` is standard output.
    ///
    /// # Errors
    /// When the file cannot be created.
    pub fn create(path: &Path) -> Result<Self, WriteError> {
        let format = match path.extension() {
            Some(extension) if extension.eq_ignore_ascii_case("pcapng") => Format::PcapNg,
            _ => Format::Pcap,
        };
        let standard = path.as_os_str() == "-";
        let name = if standard { "standard output".to_owned() } else { path.display().to_string() };
        let opened = if standard { standard_output() } else { File::create(path).map(|file| Box::new(file) as _) };
        match opened {
            Ok(output) => Ok(Self::to_writer(&name, output, format)),
            Err(reason) => Err(WriteError::Create { file: name, reason }),
        }
    }

    /// Writes to any sink; `name` is what messages call it.
    #[must_use]
    pub fn to_writer(name: &str, output: Box<dyn Write + Send>, format: Format) -> Self {
        let output = BufWriter::with_capacity(256 << 10, output);
        Self { name: name.to_owned(), output, format, link_types: Vec::new(), nanoseconds: false, frames: 0 }
    }

    /// Appends a frame.
    ///
    /// # Errors
    /// When the output fails, or classic pcap is given a second link type; the frame then is not in the file.
    pub fn write(&mut self, frame: &Frame<'_>) -> Result<(), WriteError> {
        if self.format == Format::Pcap
            && let Some(first) = self.link_types.first().copied().filter(|first| *first != frame.link_type)
        {
            let (file, packet) = (self.name.clone(), frame.stamp.frame.0);
            return Err(WriteError::SecondLinkType { file, packet, first: told(first), second: told(frame.link_type) });
        }
        let written = match self.format {
            Format::Pcap => self.write_classic(frame),
            Format::PcapNg => self.write_pcapng(frame),
        };
        self.checked(written)?;
        self.frames += 1;
        Ok(())
    }

    /// Hands everything written so far to the operating system, so that a reader of the growing file sees it.
    ///
    /// # Errors
    /// When the output fails.
    pub fn flush(&mut self) -> Result<(), WriteError> {
        let flushed = self.output.flush();
        self.checked(flushed)
    }

    /// Completes the file: one without frames gets its header, and is then a sound capture of nothing (Ethernet, for
    /// want of a better guess, in classic pcap).
    ///
    /// # Errors
    /// When the output fails.
    pub fn finish(mut self) -> Result<(), WriteError> {
        if self.link_types.is_empty() {
            let written = match self.format {
                Format::Pcap => self.classic_header(LinkType::ETHERNET),
                Format::PcapNg => self.section_header(),
            };
            self.checked(written)?;
        }
        self.flush()
    }

    /// How many frames have been written.
    #[must_use]
    pub fn frames(&self) -> u64 {
        self.frames
    }

    fn checked(&self, result: io::Result<()>) -> Result<(), WriteError> {
        result.map_err(|reason| WriteError::Write { file: self.name.clone(), frames: self.frames, reason })
    }

    fn classic_header(&mut self, link_type: LinkType) -> io::Result<()> {
        let magic: u32 = if self.nanoseconds { 0xa1b2_3c4d } else { 0xa1b2_c3d4 };
        self.output.write_all(&magic.to_le_bytes())?;
        self.output.write_all(&[2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0])?;
        self.numbers(&[DEFAULT_SNAPLEN, u32::from(link_type.0)])
    }

    fn write_classic(&mut self, frame: &Frame<'_>) -> io::Result<()> {
        let time = frame.stamp.time;
        if self.link_types.is_empty() {
            self.nanoseconds = time.is_some_and(|time| time.digits > 6);
            self.classic_header(frame.link_type)?;
            self.link_types.push(frame.link_type);
        }
        let nanos = time.map_or(0, |time| time.nanos);
        // The format's 32 bits last until 2106; what is later is put at the end of time.
        let seconds = u32::try_from(nanos / 1_000_000_000).unwrap_or(u32::MAX);
        let fraction = (nanos % 1_000_000_000) as u32 / if self.nanoseconds { 1 } else { 1000 };
        self.numbers(&[seconds, fraction, length(frame), frame.original_length])?;
        self.output.write_all(frame.data)
    }

    /// The Section Header Block, of unknown length (-1) and without options.
    fn section_header(&mut self) -> io::Result<()> {
        self.numbers(&[0x0a0d_0d0a, 28, 0x1a2b_3c4d, 1, u32::MAX, u32::MAX, 28])
    }

    /// An Interface Description Block with no limit on the length and `if_tsresol` 9: nanoseconds.
    fn interface(&mut self, link_type: LinkType) -> io::Result<()> {
        self.numbers(&[1, 32, u32::from(link_type.0), 0])?;
        self.output.write_all(&[9, 0, 1, 0, 9, 0, 0, 0, 0, 0, 0, 0])?;
        self.numbers(&[32])
    }

    fn write_pcapng(&mut self, frame: &Frame<'_>) -> io::Result<()> {
        if self.link_types.is_empty() {
            self.section_header()?;
        }
        let known = self.link_types.iter().position(|known| *known == frame.link_type);
        let interface = match known {
            Some(interface) => interface,
            None => {
                self.interface(frame.link_type)?;
                self.link_types.push(frame.link_type);
                self.link_types.len() - 1
            }
        };
        let nanos = frame.stamp.time.map_or(0, |time| time.nanos);
        let padding = frame.data.len().next_multiple_of(4) - frame.data.len();
        let block = length(frame).saturating_add(padding as u32 + 32);
        let (high, low) = ((nanos >> 32) as u32, nanos as u32);
        self.numbers(&[6, block, interface as u32, high, low, length(frame), frame.original_length])?;
        self.output.write_all(frame.data)?;
        self.output.write_all(&[0; 3][..padding])?;
        self.numbers(&[block])
    }

    fn numbers(&mut self, numbers: &[u32]) -> io::Result<()> {
        numbers.iter().try_for_each(|number| self.output.write_all(&number.to_le_bytes()))
    }
}

/// How many bytes of the frame there are. Frames are bounded far below 4 GiB where they are made.
fn length(frame: &Frame<'_>) -> u32 {
    frame.data.len() as u32
}

/// A link type as its name, or its number where we have no name for it.
fn told(link_type: LinkType) -> String {
    link_type.name().map_or_else(|| link_type.0.to_string(), str::to_owned)
}

/// Standard output without the line buffering of `io::stdout`, which has no place in binary data.
#[cfg(unix)]
fn standard_output() -> io::Result<Box<dyn Write + Send>> {
    use std::os::fd::AsFd;
    Ok(Box::new(File::from(io::stdout().as_fd().try_clone_to_owned()?)))
}

#[cfg(not(unix))]
fn standard_output() -> io::Result<Box<dyn Write + Send>> {
    Ok(Box::new(io::stdout()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::CaptureFile;
    use crate::units::{FrameNumber, Stamp, Timestamp};

    fn frame(number: u64, nanos: u64, digits: u8, link_type: LinkType, data: &[u8]) -> Frame<'_> {
        let time = Some(Timestamp { nanos, digits });
        Frame { stamp: Stamp { frame: FrameNumber(number), time }, link_type, original_length: 70, data }
    }

    /// A frame as tests compare it: nanoseconds, digits, link type, original length, bytes.
    type Seen = (u64, u8, LinkType, u32, Vec<u8>);

    /// What the file at `path` holds, and its format.
    fn read(path: &Path) -> (Vec<Seen>, Format) {
        let mut file = CaptureFile::open(path).unwrap();
        let mut seen = Vec::new();
        while let Some(frame) = file.next_frame().unwrap() {
            let time = frame.stamp.time.unwrap();
            seen.push((time.nanos, time.digits, frame.link_type, frame.original_length, frame.data.to_vec()));
        }
        assert_eq!(file.damage(), None);
        (seen, file.format())
    }

    #[test]
    fn what_is_written_is_read_again() {
        let directory = tempfile::tempdir().unwrap();
        let nanos = 1_700_000_000_123_456_789;
        let cases = [("a.pcap", 9, nanos, 9, Format::Pcap), ("b", 6, nanos - 789, 6, Format::Pcap)];
        let pcapng = [("c.pcapng", 6, nanos - 789, 9, Format::PcapNg), ("d.PCAPNG", 9, nanos, 9, Format::PcapNg)];
        for (name, digits, nanos, digits_read, format) in cases.into_iter().chain(pcapng) {
            let path = directory.path().join(name);
            let mut writer = CaptureWriter::create(&path).unwrap();
            for length in 0..7 {
                let data = &b"seven b"[..length];
                writer.write(&frame(1, nanos, digits, LinkType::LINUX_SLL2, data)).unwrap();
            }
            assert_eq!(writer.frames(), 7);
            writer.finish().unwrap();
            let (seen, format_read) = read(&path);
            assert_eq!(format_read, format);
            for (length, frame) in seen.iter().enumerate() {
                let expected = b"seven b"[..length].to_vec();
                assert_eq!(*frame, (nanos, digits_read, LinkType::LINUX_SLL2, 70, expected));
            }
        }
    }

    #[test]
    fn a_second_link_type_needs_pcapng() {
        let directory = tempfile::tempdir().unwrap();
        let (first, second) = (frame(1, 1, 9, LinkType::ETHERNET, b"a"), frame(2, 2, 9, LinkType::RAW, b"b"));
        let path = directory.path().join("two.pcap");
        let mut writer = CaptureWriter::create(&path).unwrap();
        writer.write(&first).unwrap();
        let text = writer.write(&second).unwrap_err().to_string();
        let expected = "two.pcap cannot hold packet 2, of link type RAW: a pcap file has one link type, here ETHERNET; give \
                        -w a name that ends in .pcapng";
        assert!(text.ends_with(expected), "{text}");
        writer.finish().unwrap();
        assert_eq!(read(&path).0.len(), 1);
        let path = directory.path().join("two.pcapng");
        let mut writer = CaptureWriter::create(&path).unwrap();
        for frame in [&first, &second, &first] {
            writer.write(frame).unwrap();
        }
        writer.finish().unwrap();
        let types: Vec<_> = read(&path).0.into_iter().map(|frame| frame.2).collect();
        assert_eq!(types, [LinkType::ETHERNET, LinkType::RAW, LinkType::ETHERNET]);
    }

    #[test]
    fn no_frames_make_a_sound_capture_and_no_time_is_zero() {
        let directory = tempfile::tempdir().unwrap();
        for name in ["empty.pcap", "empty.pcapng"] {
            let path = directory.path().join(name);
            CaptureWriter::create(&path).unwrap().finish().unwrap();
            assert_eq!(read(&path).0, []);
            let mut writer = CaptureWriter::create(&path).unwrap();
            let mut timeless = frame(1, 0, 0, LinkType::ETHERNET, b"x");
            timeless.stamp.time = None;
            writer.write(&timeless).unwrap();
            writer.flush().unwrap();
            assert_eq!(read(&path).0[0].0, 0);
        }
    }

    #[test]
    fn a_path_that_cannot_be_written_is_named() {
        let text = CaptureWriter::create(Path::new("/nonexistent/out.pcap")).unwrap_err().to_string();
        assert!(text.starts_with("/nonexistent/out.pcap cannot be written: No such file"), "{text}");
    }
}
