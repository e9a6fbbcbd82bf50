//! Compressed captures: gzip (RFC 1952) and zstd (RFC 8878), told by their first bytes, so that a name's ending does
//! not matter and standard input works alike. Both formats allow several members (frames) one after another, which is
//! what appending a capture or a parallel compressor makes; they decompress to one stream.
//!
//! A cut stream gives everything that its bytes decode to, and then an error of kind `UnexpectedEof`.

use crate::bounds::ZSTD_WINDOW;
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};
use std::fmt;
use std::io::{self, BufRead, BufReader, Read};

/// How a capture file is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// RFC 1952.
    Gzip,
    /// RFC 8878.
    Zstd,
}

impl fmt::Display for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        })
    }
}

impl Compression {
    /// What the first bytes of a file say. A zstd file may start with a skippable frame (RFC 8878, 3.1.2), whose magic
    /// number has 16 variants; `pzstd` writes one.
    pub(super) fn detect(head: &[u8]) -> Option<Self> {
        match head {
            [0x1f, 0x8b, ..] => Some(Self::Gzip),
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Some(Self::Zstd),
            _ => None,
        }
    }

    /// A reader of what `source` decompresses to.
    pub(super) fn reader(self, source: Box<dyn Read + Send>) -> Box<dyn Read + Send> {
        match self {
            Self::Gzip => Box::new(GzipReader(flate2::read::MultiGzDecoder::new(source))),
            Self::Zstd => Box::new(ZstdReader::new(source)),
        }
    }
}

/// Adds to flate2's terse errors what they are about.
struct GzipReader<R>(flate2::read::MultiGzDecoder<R>);

impl<R: Read> Read for GzipReader<R> {
    fn read(&mut self, target: &mut [u8]) -> io::Result<usize> {
        self.0.read(target).map_err(|error| match error.kind() {
            io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput => {
                io::Error::new(error.kind(), format!("the gzip data are damaged ({error})"))
            }
            _ => error,
        })
    }
}

/// `ruzstd`'s frame decoder over as many frames as the source has. (Its own `StreamingDecoder` stops after the first
/// frame, and drops what it has decoded when the input ends early.)
struct ZstdReader<R: Read> {
    source: BufReader<R>,
    decoder: FrameDecoder,
    in_frame: bool,
    /// What ended the current frame early; told once everything decoded before it has been handed out.
    failure: Option<io::Error>,
    over: bool,
}

/// An empty raw block with the "last block" bit, and a checksum nobody looks at: it ends a broken frame for the decoder,
/// which otherwise keeps back a whole window (up to 8 MiB by default) of good data.
const LAST_BLOCK: [u8; 7] = [1, 0, 0, 0, 0, 0, 0];

impl<R: Read> ZstdReader<R> {
    fn new(source: R) -> Self {
        let mut decoder = FrameDecoder::new();
        decoder.set_max_window_size(ZSTD_WINDOW);
        Self {
            source: BufReader::with_capacity(128 << 10, source),
            decoder,
            in_frame: false,
            failure: None,
            over: false,
        }
    }

    /// Opens the next frame, past skippable ones; false at the end of the source.
    fn next_frame(&mut self) -> io::Result<bool> {
        loop {
            if self.source.fill_buf()?.is_empty() {
                return Ok(false);
            }
            match self.decoder.reset(&mut self.source) {
                Ok(()) => return Ok(true),
                Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame { length, .. })) => {
                    let skipped = io::copy(&mut self.source.by_ref().take(length.into()), &mut io::sink())?;
                    if skipped < u64::from(length) {
                        return Err(io::ErrorKind::UnexpectedEof.into());
                    }
                }
                Err(error) => return Err(self.explain(&error)),
            }
        }
    }

    /// Decodes the next block of the current frame, or notes why it cannot be and ends the frame.
    fn next_block(&mut self) {
        let block = BlockDecodingStrategy::UptoBlocks(1);
        if let Err(error) = self.decoder.decode_blocks(&mut self.source, block) {
            self.failure = Some(self.explain(&error));
            // Should even this fail, what is kept back is lost, and the failure is told all the same.
            let _ = self.decoder.decode_blocks(&LAST_BLOCK[..], BlockDecodingStrategy::UptoBlocks(1));
        }
    }

    /// Ends the current frame: its checksum (the low half of an XXH64), where it has one, must be right.
    fn end_frame(&mut self) -> io::Result<()> {
        self.in_frame = false;
        match (self.decoder.get_checksum_from_data(), self.decoder.get_calculated_checksum()) {
            (Some(told), Some(computed)) if told != computed => {
                Err(io::Error::new(io::ErrorKind::InvalidData, "the zstd data are damaged (wrong checksum)"))
            }
            _ => Ok(()),
        }
    }

    /// The decoder's error as one of the two that matter: the input ended, or it is damaged.
    fn explain(&mut self, error: &FrameDecoderError) -> io::Error {
        if self.source.fill_buf().is_ok_and(<[u8]>::is_empty) {
            return io::ErrorKind::UnexpectedEof.into();
        }
        let reason = match error {
            // In this place its text is a raw number.
            FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::BadMagicNumber(_)) => {
                "no frame starts where one should".to_owned()
            }
            other => other.to_string(),
        };
        io::Error::new(io::ErrorKind::InvalidData, format!("the zstd data are damaged ({reason})"))
    }

    fn read_some(&mut self, target: &mut [u8]) -> io::Result<usize> {
        loop {
            if !self.in_frame {
                if !self.next_frame()? {
                    return Ok(0);
                }
                self.in_frame = true;
            }
            if self.decoder.can_collect() > 0 {
                return self.decoder.read(target);
            }
            if let Some(failure) = self.failure.take() {
                return Err(failure);
            }
            if self.decoder.is_finished() {
                self.end_frame()?;
            } else {
                self.next_block();
            }
        }
    }
}

impl<R: Read> Read for ZstdReader<R> {
    fn read(&mut self, target: &mut [u8]) -> io::Result<usize> {
        if self.over || target.is_empty() {
            return Ok(0);
        }
        let read = self.read_some(target);
        self.over = match &read {
            Ok(count) => *count == 0,
            Err(error) => error.kind() != io::ErrorKind::Interrupted,
        };
        read
    }
}
