//! How much room a connection's buffers keep: what its commands and answers have needed lately, and little while it is idle.

use super::Connection;
use crate::engine::clients::Session;

/// So much is read at once at first; up to `MOST` where that is filled.
pub(super) const READ: usize = 16 << 10;

/// So much is read at once at most.
pub(super) const MOST: usize = 64 << 10;

/// An input buffer up to this size is kept while it is used (Redis 7.0's PROTO_RESIZE_THRESHOLD).
const INPUT_KEPT: usize = 32 << 10;

/// So long, in milliseconds, a connection says nothing before its input buffer is given back (Redis 7.0).
const IDLE: i64 = 2000;

/// Room for answers that is always kept (Redis 7.0's PROTO_REPLY_MIN_BYTES).
const LEAST_ANSWERS: usize = 1 << 10;

/// What servers tell of as a client's fixed buffer goes up to this.
const FIXED: usize = 16 << 10;

/// What a connection's buffers have needed.
#[derive(Debug)]
pub(super) struct Room {
    /// So much is read at once.
    at_once: usize,
    /// The most that the input has held since it was looked at.
    input: usize,
    /// The most that the output has held since `since`.
    output: usize,
    /// In milliseconds since 1970.
    since: i64,
}

impl Default for Room {
    fn default() -> Self {
        Self { at_once: READ, input: 0, output: 0, since: 0 }
    }
}

impl Room {
    /// Makes room for what is read next, and tells how much there is.
    pub(super) fn make(&self, input: &mut Vec<u8>) -> usize {
        input.reserve(self.at_once);
        input.capacity() - input.len()
    }

    /// So much has come where there was room for so much.
    pub(super) fn read(&mut self, read: usize, room: usize, holds: usize) {
        if read == room {
            self.at_once = (self.at_once * 2).min(MOST);
        }
        self.input = self.input.max(holds);
    }

    /// So much is to be sent.
    pub(super) fn answers(&mut self, holds: usize) {
        self.output = self.output.max(holds);
    }

    /// What CLIENT LIST tells: the fixed part of the room for answers, and the most of it that was needed.
    pub(super) fn told(&self, output: &Vec<u8>) -> (usize, usize) {
        (output.capacity().clamp(LEAST_ANSWERS, FIXED), self.output.min(FIXED))
    }
}

impl Connection {
    /// How many bytes are not done with, and how many more there is room for.
    pub(super) fn room_for_input(&self) -> (usize, usize) {
        let waits = self.input.len() - self.at;
        (waits, self.input.capacity() - waits)
    }

    /// Gives back room that the connection has not needed lately. `reset` is how long what its answers have needed counts,
    /// in milliseconds; for ever if it is not said.
    pub(in crate::engine::server) fn relax(&mut self, session: &mut Session, now: i64, reset: Option<i64>) {
        let waits = self.input.len() - self.at;
        if waits == 0 && now - session.active > IDLE {
            (self.input, self.at, self.room.at_once) = (Vec::new(), 0, READ);
        } else if self.input.capacity() > INPUT_KEPT && self.room.input < self.input.capacity() / 2 {
            self.input.drain(..self.at);
            self.at = 0;
            self.input.shrink_to(self.room.input);
            self.room.at_once = READ;
        }
        self.room.input = self.input.len();
        session.input = self.room_for_input();
        if self.output.is_empty() && self.room.output < self.output.capacity() / 2 {
            self.output.shrink_to(LEAST_ANSWERS.max(self.room.output + 1));
        }
        if reset.is_some_and(|reset| now - self.room.since >= reset) {
            (self.room.output, self.room.since) = (self.output.len(), now);
        }
        session.answer_room = self.room.told(&self.output);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn came(connection: &mut Connection, bytes: usize) {
        let mut left = bytes;
        while left > 0 {
            let room = connection.room.make(&mut connection.input);
            let read = left.min(room);
            connection.input.resize(connection.input.len() + read, b'x');
            connection.room.read(read, room, connection.input.len());
            left -= read;
        }
        connection.input.clear();
    }

    fn answered(connection: &mut Connection, bytes: usize) {
        connection.output.resize(bytes, b'x');
        connection.room.answers(bytes);
        connection.output.clear();
    }

    #[test]
    fn an_idle_clients_input_is_given_back() {
        let (mut connection, mut session) = (Connection::default(), Session::default());
        came(&mut connection, 100);
        connection.relax(&mut session, 2000, Some(5000));
        assert!((READ..INPUT_KEPT).contains(&session.input.1));
        connection.relax(&mut session, 2001, Some(5000));
        assert_eq!((connection.input.capacity(), session.input), (0, (0, 0)));
        // What has not all come stays.
        connection.input.extend_from_slice(b"*1\r\n");
        connection.relax(&mut session, 9999, Some(5000));
        assert_eq!(connection.input, b"*1\r\n");
    }

    #[test]
    fn room_for_a_long_argument_goes_when_short_ones_follow() {
        let (mut connection, mut session) = (Connection::default(), Session::default());
        came(&mut connection, 400_000);
        assert_eq!(connection.room.at_once, MOST);
        connection.relax(&mut session, 1, Some(5000));
        assert!(session.input.1 >= 400_000);
        came(&mut connection, 100);
        connection.relax(&mut session, 2, Some(5000));
        assert!(session.input.1 < INPUT_KEPT && connection.room.at_once == READ);
    }

    #[test]
    fn room_for_answers_is_what_they_needed_of_late() {
        let (mut connection, mut session) = (Connection::default(), Session::default());
        answered(&mut connection, 30_000);
        connection.relax(&mut session, 5000, Some(5000));
        assert_eq!(session.answer_room, (FIXED, 0));
        answered(&mut connection, 2000);
        connection.relax(&mut session, 5001, Some(5000));
        assert_eq!((connection.output.capacity(), session.answer_room), (2001, (2001, 2000)));
        answered(&mut connection, 5);
        connection.relax(&mut session, 10_000, None);
        assert_eq!(session.answer_room, (2001, 2000));
        connection.relax(&mut session, 10_000, Some(5000));
        connection.relax(&mut session, 10_001, Some(5000));
        assert_eq!(session.answer_room, (LEAST_ANSWERS, 0));
    }
}
