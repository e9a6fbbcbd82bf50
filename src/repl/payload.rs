//! The framing of an RDB on the wire, and where it ends.
//!
//! `$<length>` tells its length. `$EOF:<mark>` does not: the RDB's own structure does, and the mark must follow. A
//! search for the mark would be a guess, since a value may contain it (masters use one mark for many syncs, and later
//! as their replid). Only where the structure cannot be walked any more, because the capture lacks a part of it or
//! because it is of a kind that we do not know, the end is found as real replicas find it: the mark is the last that
//! the master sends before the replica's first ACK.

use super::event::Transfer;
use super::words::EOF_MARK_LENGTH;
use crate::rdb;
use crate::units::Stamp;

#[derive(Debug)]
pub(super) struct Payload {
    pub(super) transfer: Transfer,
    pub(super) begun: Stamp,
    form: Form,
    walk: Box<rdb::Walk>,
    /// Bytes that travelled, the lost ones included, the mark not.
    bytes: u64,
    lost: u64,
    fault: Option<String>,
}

#[derive(Debug)]
enum Form {
    /// `left` bytes are still to come.
    Length { left: u64, walking: bool },
    /// The walk tells where the RDB ends.
    Walking { mark: [u8; EOF_MARK_LENGTH] },
    /// The RDB has ended; so many bytes of the mark have come.
    Marking { mark: [u8; EOF_MARK_LENGTH], matched: usize },
    /// The walk has lost its footing: the last bytes are kept, for they may be the mark.
    Tail { mark: [u8; EOF_MARK_LENGTH], tail: Vec<u8> },
}

/// Whether the payload has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    More,
    Ended,
}

impl Payload {
    pub(super) fn of_length(transfer: Transfer, length: u64, begun: Stamp) -> Self {
        Self::new(transfer, Form::Length { left: length, walking: true }, begun)
    }

    pub(super) fn until_mark(transfer: Transfer, mark: [u8; EOF_MARK_LENGTH], begun: Stamp) -> Self {
        Self::new(transfer, Form::Walking { mark }, begun)
    }

    fn new(transfer: Transfer, form: Form, begun: Stamp) -> Self {
        Self { transfer, begun, form, walk: Box::new(rdb::Walk::new()), bytes: 0, lost: 0, fault: None }
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(super) fn summary(&self) -> &rdb::Summary {
        self.walk.summary()
    }

    /// Whether all of it was there. Only to be asked once it has ended.
    pub(super) fn complete(&self) -> bool {
        self.lost == 0
    }

    /// What is wrong with the RDB's structure, told once.
    pub(super) fn take_fault(&mut self) -> Option<String> {
        self.fault.take()
    }

    fn walk(&mut self, bytes: &[u8]) -> Option<rdb::Progress> {
        match self.walk.push(bytes) {
            Ok(progress) => Some(progress),
            Err(error) => {
                self.fault = Some(error.to_string());
                None
            }
        }
    }

    /// Takes what belongs to the payload off the front of `input`.
    pub(super) fn push(&mut self, input: &mut &[u8]) -> Progress {
        loop {
            match &mut self.form {
                Form::Length { left, walking } => {
                    let length = usize::try_from(*left).unwrap_or(usize::MAX).min(input.len());
                    let (part, rest) = input.split_at(length);
                    *input = rest;
                    *left -= length as u64;
                    let (ended, walks) = (*left == 0, *walking);
                    self.bytes += length as u64;
                    let walks_on = walks && self.walk(part).is_some_and(|progress| !progress.ended);
                    if let Form::Length { walking, .. } = &mut self.form {
                        *walking = walks_on;
                    }
                    return if ended { Progress::Ended } else { Progress::More };
                }
                Form::Walking { mark } => {
                    let mark = *mark;
                    match self.walk(input) {
                        Some(progress) => {
                            *input = &input[progress.consumed..];
                            self.bytes += progress.consumed as u64;
                            if !progress.ended {
                                return Progress::More;
                            }
                            self.form = Form::Marking { mark, matched: 0 };
                        }
                        None => self.form = Form::Tail { mark, tail: Vec::new() },
                    }
                }
                Form::Marking { mark, matched } => {
                    let length = (EOF_MARK_LENGTH - *matched).min(input.len());
                    let (part, rest) = input.split_at(length);
                    if part == &mark[*matched..*matched + length] {
                        *matched += length;
                        *input = rest;
                        return if *matched == EOF_MARK_LENGTH { Progress::Ended } else { Progress::More };
                    }
                    let (mark, tail) = (*mark, mark[..*matched].to_vec());
                    self.bytes += tail.len() as u64;
                    self.fault = Some("the RDB's own end is not followed by the transfer's mark".to_owned());
                    self.form = Form::Tail { mark, tail };
                }
                Form::Tail { .. } => return self.push_tail(input),
            }
        }
    }

    /// Without the walk: the mark counts where it is the last of what was sent, or where the stream follows it.
    fn push_tail(&mut self, input: &mut &[u8]) -> Progress {
        let Form::Tail { mark, tail } = &mut self.form else { return Progress::More };
        if tail[..] == mark[..] && matches!(input.first(), Some(b'*' | b'\n')) {
            return self.end_at_tail();
        }
        if let Some(at) = memchr::memmem::find(input, mark)
            && input.get(at + EOF_MARK_LENGTH) == Some(&b'*')
        {
            self.bytes += at as u64;
            *input = &input[at + EOF_MARK_LENGTH..];
            return Progress::Ended;
        }
        self.bytes += input.len() as u64;
        let fresh = &input[input.len().saturating_sub(EOF_MARK_LENGTH)..];
        tail.extend_from_slice(fresh);
        tail.drain(..tail.len().saturating_sub(EOF_MARK_LENGTH));
        *input = &[];
        Progress::More
    }

    fn end_at_tail(&mut self) -> Progress {
        self.bytes -= EOF_MARK_LENGTH as u64;
        Progress::Ended
    }

    /// `bytes` bytes are missing from the capture. Gives how many of them belong to what follows the payload, where
    /// that is known to have ended among them.
    pub(super) fn lose(&mut self, bytes: u64) -> Option<u64> {
        let within = match &self.form {
            Form::Length { left, .. } => bytes.min(*left),
            _ => bytes,
        };
        self.lost += within;
        self.bytes += within;
        match &mut self.form {
            Form::Length { left, walking } => {
                *left -= within;
                *walking = false;
                if *left == 0 { Some(bytes - within) } else { None }
            }
            Form::Walking { mark } | Form::Marking { mark, .. } => {
                self.form = Form::Tail { mark: *mark, tail: Vec::new() };
                None
            }
            Form::Tail { tail, .. } => {
                tail.clear();
                None
            }
        }
    }

    /// The replica has sent its first ACK, so the master has sent all of the payload, and of a payload that ends with
    /// a mark nothing after it. Gives true where that ends it.
    pub(super) fn acknowledged(&mut self) -> bool {
        let Form::Tail { mark, tail } = &self.form else { return false };
        if tail[..] == mark[..] {
            self.end_at_tail();
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MARK: [u8; EOF_MARK_LENGTH] = *b"5a1ba13e5a1ba13e5a1ba13e5a1ba13e5a1ba13e";

    /// A sound RDB without a checksum, with one key whose value is the mark.
    fn rdb() -> Vec<u8> {
        let mut bytes = b"REDIS0009\xfe\x00\x00\x01k\x28".to_vec();
        bytes.extend(MARK);
        bytes.extend(b"\xff\0\0\0\0\0\0\0\0");
        bytes
    }

    fn diskless() -> Payload {
        Payload::until_mark(Transfer::Diskless, MARK, Stamp::default())
    }

    #[test]
    fn a_value_that_holds_the_mark_does_not_end_the_transfer() {
        let wire = [&rdb()[..], &MARK, b"*1\r\n"].concat();
        for cut in 0..wire.len() {
            let mut payload = diskless();
            let (mut first, mut second) = wire.split_at(cut);
            let early = payload.push(&mut first);
            if early == Progress::More {
                assert!(first.is_empty());
                assert_eq!(payload.push(&mut second), Progress::Ended, "cut at {cut}");
                assert_eq!(second, b"*1\r\n");
            }
            assert_eq!(payload.bytes(), rdb().len() as u64);
            assert!(payload.complete());
            assert_eq!(payload.summary().keys, 1);
        }
    }

    #[test]
    fn after_a_loss_the_mark_counts_only_at_the_end() {
        let rdb = rdb();
        let mut payload = diskless();
        assert_eq!(payload.push(&mut &rdb[..10]), Progress::More);
        assert_eq!(payload.lose(3), None);
        assert_eq!(payload.push(&mut &rdb[13..]), Progress::More);
        assert_eq!(payload.push(&mut &MARK[..]), Progress::More);
        assert!(payload.acknowledged());
        assert_eq!(payload.bytes(), rdb.len() as u64);
        assert!(!payload.complete());
    }

    #[test]
    fn a_loss_may_reach_beyond_an_announced_length() {
        let mut payload = Payload::of_length(Transfer::Disk, 100, Stamp::default());
        assert_eq!(payload.push(&mut &rdb()[..20]), Progress::More);
        assert_eq!(payload.lose(95), Some(15));
        assert_eq!(payload.bytes(), 100);
    }
}
