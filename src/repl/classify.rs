//! What a connection is, by its content.
//!
//! Where the SYN was seen, the side that opened the connection speaks first and its commands tell: PING and AUTH are
//! what everybody begins with, REPLCONF, PSYNC and SYNC are a replica's. Where it was not, either side may be the
//! replica, and the capture may begin anywhere: an ACK or a GETACK tells them apart.

use crate::bounds::MAX_UNDECIDED;
use crate::packet::Endpoint;
use crate::resp::{Command, CommandDecoder, Step};
use crate::tcp::Direction;

use super::notes::{refuses_login, turns_away};

/// What was found out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Not enough was seen.
    Wait,
    /// A link; the bytes in this direction are the replica's.
    Link(Direction, Opening),
    /// An ordinary client; the bytes in this direction are its.
    Client(Direction),
    /// Something that is not RESP.
    Foreign(Foreign),
}

/// What of a link the capture begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Opening {
    /// Its handshake.
    Handshake,
    /// Something later.
    Midstream,
}

/// Connections that speak something else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Foreign {
    /// A TLS handshake or record.
    Tls,
    /// The bus between the nodes of a cluster.
    ClusterBus,
    /// Anything else.
    Unknown,
}

/// The beginning of one direction, as far as it was kept.
#[derive(Debug, Default)]
pub(super) struct Prefix {
    pub(super) bytes: Vec<u8>,
    /// All bytes of the direction, kept or not.
    pub(super) length: u64,
}

/// How one direction's bytes begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Speech {
    Silent,
    /// Commands with which a replica begins, and others too: nothing decisive yet.
    Greeting,
    /// A PING and then an AUTH: what a replica does that has a password; clients log in first.
    Login,
    /// A handshake's REPLCONF, PSYNC or SYNC.
    Replica,
    /// REPLCONF ACK: a replica in the midst of the stream.
    Acking,
    /// REPLCONF GETACK, or a lower-case `ping`: a master's stream.
    Stream,
    /// A command of another kind.
    Command,
    /// `+FULLRESYNC` and its kind: a master's answer, perhaps after other replies.
    Granting,
    /// A reply of the kind that servers turn a connection away with.
    TurningAway,
    /// Replies, one of which refuses a login.
    RefusingLogin,
    /// Replies.
    Replies,
    /// The beginning of something RESP.
    Unfinished,
    Tls,
    ClusterBus,
    Other,
}

/// Judges a connection by what both directions have brought so far. `at_end` says that nothing more will come.
pub(super) fn classify(
    prefixes: &[Prefix; 2],
    syn_seen: bool,
    initiator: Endpoint,
    responder: Endpoint,
    at_end: bool,
) -> Verdict {
    let speech = [speech(&prefixes[0].bytes), speech(&prefixes[1].bytes)];
    for (kind, foreign) in [(Speech::Tls, Foreign::Tls), (Speech::ClusterBus, Foreign::ClusterBus)] {
        if speech.contains(&kind) {
            return Verdict::Foreign(foreign);
        }
    }
    for direction in Direction::BOTH {
        match (speech[direction.index()], speech[direction.other().index()]) {
            (Speech::Replica, _) => return Verdict::Link(direction, Opening::Handshake),
            (Speech::Acking, _) => return Verdict::Link(direction, Opening::Midstream),
            (Speech::Granting, _) => return Verdict::Link(direction.other(), Opening::Handshake),
            // Before 6.2 a replica says nothing more after its login was refused.
            (Speech::Login, Speech::RefusingLogin) => return Verdict::Link(direction, Opening::Handshake),
            // An ordinary client may well send a lower-case ping, but it gets an answer.
            (Speech::Stream, Speech::Silent) if !syn_seen => {
                return Verdict::Link(direction.other(), Opening::Midstream);
            }
            (Speech::Greeting | Speech::Login | Speech::Silent, Speech::TurningAway)
                if !syn_seen || direction == Direction::FromInitiator =>
            {
                return Verdict::Link(direction, Opening::Handshake);
            }
            _ => {}
        }
    }
    let total = prefixes[0].length.max(prefixes[1].length);
    let enough = at_end || total > MAX_UNDECIDED as u64;
    if syn_seen {
        of_client(speech, prefixes, enough)
    } else {
        of_strangers(speech, initiator, responder, enough, at_end)
    }
}

/// The SYN was seen: the initiator is the client.
fn of_client(speech: [Speech; 2], prefixes: &[Prefix; 2], enough: bool) -> Verdict {
    match speech {
        [Speech::Command | Speech::Stream, _] => Verdict::Client(Direction::FromInitiator),
        // A health check: it asked for nothing but a PONG.
        [Speech::Greeting | Speech::Login, Speech::Other] => Verdict::Foreign(Foreign::Unknown),
        [Speech::Greeting | Speech::Login, _] if enough => Verdict::Client(Direction::FromInitiator),
        [Speech::Silent, Speech::Silent] => Verdict::Wait,
        [Speech::Other, Speech::Replies | Speech::RefusingLogin] => Verdict::Client(Direction::FromInitiator),
        [Speech::Other, _] => Verdict::Foreign(Foreign::Unknown),
        // Only the server's side is in the capture: a stream of which the handshake is missing, or replies. An array for
        // an answer reads like a command; a master would have answered a handshake first.
        [Speech::Silent, Speech::Stream] if enough => Verdict::Link(Direction::FromInitiator, Opening::Midstream),
        [Speech::Silent, Speech::Replies | Speech::RefusingLogin | Speech::Command] if enough => {
            Verdict::Client(Direction::FromInitiator)
        }
        [Speech::Silent | Speech::Unfinished, _] if enough && prefixes[0].length + prefixes[1].length > 0 => {
            Verdict::Foreign(Foreign::Unknown)
        }
        _ => Verdict::Wait,
    }
}

/// The SYN was not seen: either side may be the client.
fn of_strangers(speech: [Speech; 2], initiator: Endpoint, responder: Endpoint, enough: bool, at_end: bool) -> Verdict {
    // A PING that got its PONG may still be a replica's.
    let commands = |speech| {
        matches!(speech, Speech::Command | Speech::Stream)
            || (enough && matches!(speech, Speech::Greeting | Speech::Login))
    };
    let answers = |speech| matches!(speech, Speech::Replies | Speech::RefusingLogin | Speech::TurningAway);
    for direction in Direction::BOTH {
        if commands(speech[direction.index()]) && answers(speech[direction.other().index()]) {
            return Verdict::Client(direction);
        }
    }
    if !enough {
        return Verdict::Wait;
    }
    for direction in Direction::BOTH {
        // So many commands without an answer: a stream whose replica's side is not in the capture, or an ordinary client
        // whose server's side is not. Servers listen on lower ports than those that clients are given.
        let (from, to) =
            if direction == Direction::FromInitiator { (initiator, responder) } else { (responder, initiator) };
        let silent = speech[direction.other().index()] == Speech::Silent;
        match speech[direction.index()] {
            Speech::Command if silent && from.port > to.port => return Verdict::Client(direction),
            Speech::Command | Speech::Stream if silent => {
                return Verdict::Link(direction.other(), Opening::Midstream);
            }
            _ => {}
        }
    }
    // Servers listen on lower ports than those that clients are given.
    let client = if responder.port <= initiator.port { Direction::FromInitiator } else { Direction::FromResponder };
    match (speech[client.index()], speech[client.other().index()]) {
        (Speech::Silent, Speech::Silent) => Verdict::Wait,
        // Perhaps an RDB of which the capture lacks the beginning: the replica's first ACK will tell.
        (Speech::Other | Speech::Silent, Speech::Other | Speech::Silent) if !at_end => Verdict::Wait,
        (Speech::Other, _) | (_, Speech::Other) => Verdict::Foreign(Foreign::Unknown),
        _ => Verdict::Client(client),
    }
}

/// How one direction's bytes begin. Only so far is read as needed to tell.
fn speech(bytes: &[u8]) -> Speech {
    match bytes {
        // A replica that loads its data says nothing but newlines.
        _ if bytes.iter().all(|&byte| byte == b'\n') => Speech::Silent,
        // A TLS record: handshake, alert or data, major version 3.
        [0x15..=0x17, 0x03, 0x00..=0x04, ..] => Speech::Tls,
        [b'R', b'C', b'm', b'b', ..] => Speech::ClusterBus,
        [b'*' | b'\n', ..] => of_commands(bytes),
        [b'+' | b'-' | b':' | b'$' | b'%' | b'~' | b'>' | b'_' | b'#' | b',' | b'(' | b'=' | b'!' | b'|', ..] => {
            of_replies(bytes)
        }
        // What may become "RCmb".
        b"R" | b"RC" | b"RCm" => Speech::Unfinished,
        [first, ..] if first.is_ascii_alphabetic() => of_commands(bytes),
        _ => Speech::Other,
    }
}

fn of_commands(bytes: &[u8]) -> Speech {
    let mut decoder = CommandDecoder::new(64);
    let mut input = bytes;
    let mut greeted = false;
    let mut pinged = false;
    let mut greeting = Speech::Greeting;
    loop {
        let rest = input;
        match decoder.next(&mut input) {
            Step::Newline => {}
            Step::NeedMore if greeted => return greeting,
            Step::NeedMore => return of_beginning(rest),
            Step::Malformed { .. } => return Speech::Other,
            Step::Command(command) => {
                if !(command.is("PING") || command.is("AUTH")) {
                    return of_command(&command);
                }
                // redis-server 6.2 and later, and Valkey, send the stream's heartbeat in lower case; no replica does.
                if command.name() == b"ping" && !command.inline() && !greeted {
                    return Speech::Stream;
                }
                if pinged && command.is("AUTH") {
                    greeting = Speech::Login;
                }
                pinged |= command.is("PING");
                greeted = true;
            }
        }
    }
}

/// A command of which only the beginning was kept: its name may be enough.
fn of_beginning(bytes: &[u8]) -> Speech {
    let Some(name) = name_of_beginning(bytes) else { return Speech::Unfinished };
    let decisive: [&[u8]; 5] = [b"PING", b"AUTH", b"REPLCONF", b"PSYNC", b"SYNC"];
    if decisive.iter().any(|known| name.eq_ignore_ascii_case(known)) { Speech::Unfinished } else { of_name(name) }
}

/// The first argument of an array of bulk strings, where it is there as a whole.
fn name_of_beginning(bytes: &[u8]) -> Option<&[u8]> {
    fn line(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
        let end = bytes.windows(2).position(|pair| pair == b"\r\n")?;
        Some((&bytes[..end], &bytes[end + 2..]))
    }
    let (_, rest) = line(bytes.strip_prefix(b"*")?)?;
    let (length, rest) = line(rest.strip_prefix(b"$")?)?;
    let length: usize = std::str::from_utf8(length).ok()?.parse().ok()?;
    rest.get(..length)
}

/// What a command's name tells that is none of a handshake's.
fn of_name(name: &[u8]) -> Speech {
    // What a subscriber is sent looks like commands, too.
    let pushes: [&[u8]; 9] = [
        b"message",
        b"pmessage",
        b"smessage",
        b"subscribe",
        b"psubscribe",
        b"ssubscribe",
        b"unsubscribe",
        b"punsubscribe",
        b"sunsubscribe",
    ];
    if pushes.contains(&name) {
        return Speech::Replies;
    }
    let readable = name.iter().all(|byte| byte.is_ascii_graphic()) && !name.is_empty();
    if readable { Speech::Command } else { Speech::Other }
}

fn of_command(command: &Command<'_>) -> Speech {
    if command.is("PSYNC") || command.is("SYNC") {
        return Speech::Replica;
    }
    if !command.is("REPLCONF") {
        return of_name(command.name());
    }
    match command.argument(1) {
        Some(option) if option.eq_ignore_ascii_case(b"ACK") => Speech::Acking,
        Some(option) if option.eq_ignore_ascii_case(b"GETACK") => Speech::Stream,
        _ => Speech::Replica,
    }
}

fn of_replies(bytes: &[u8]) -> Speech {
    if turns_away(bytes) {
        return Speech::TurningAway;
    }
    let grants: [&[u8]; 6] =
        [b"+FULLRESYNC ", b"+CONTINUE", b"+RDBCHANNELSYNC", b"+DUALCHANNELSYNC", b"$EOF:", b"$ENDOFF:"];
    let mut lines = bytes.split(|&byte| byte == b'\n');
    if lines.any(|line| grants.iter().any(|grant| line.starts_with(grant))) {
        return Speech::Granting;
    }
    let refused = bytes.split(|&byte| byte == b'\n').any(refuses_login);
    if refused { Speech::RefusingLogin } else { Speech::Replies }
}

/// Whether these bytes, which begin a segment, are a replica's ACK.
pub(super) fn acknowledges(bytes: &[u8]) -> bool {
    bytes.first() == Some(&b'*') && bytes.len() < 512 && of_commands(bytes) == Speech::Acking
}

/// Whether a client that has been taken for an ordinary one begins to speak as a replica with these bytes, which
/// begin a segment: some tools say CLIENT SETNAME or INFO first.
pub(super) fn turns_replica(bytes: &[u8]) -> bool {
    matches!(bytes.first(), Some(b'*' | b'R' | b'r' | b'P' | b'p' | b'S' | b's'))
        && bytes.len() < 512
        && of_commands(bytes) == Speech::Replica
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(from_initiator: &[u8], from_responder: &[u8], syn_seen: bool, at_end: bool) -> Verdict {
        let prefix = |bytes: &[u8]| Prefix { bytes: bytes.to_vec(), length: bytes.len() as u64 };
        let ends = [40000, 6379].map(|port| Endpoint { address: 1, port });
        classify(&[prefix(from_initiator), prefix(from_responder)], syn_seen, ends[0], ends[1], at_end)
    }

    const REPLICA: Verdict = Verdict::Link(Direction::FromInitiator, Opening::Handshake);
    const PING: &[u8] = b"*1\r\n$4\r\nPING\r\n";
    const ACK: &[u8] = b"*3\r\n$8\r\nREPLCONF\r\n$3\r\nACK\r\n$1\r\n0\r\n";
    const GETACK: &[u8] = b"*3\r\n$8\r\nREPLCONF\r\n$6\r\nGETACK\r\n$1\r\n*\r\n";
    const GET: &[u8] = b"*2\r\n$3\r\nGET\r\n$1\r\nk\r\n";

    #[test]
    fn a_replica_is_known_by_its_second_word() {
        assert_eq!(judge(PING, b"", true, false), Verdict::Wait);
        assert_eq!(judge(PING, b"+PONG\r\n", true, false), Verdict::Wait);
        assert_eq!(judge(b"PING\r\nREPLCONF listening-port 1\r\n", b"+PONG\r\n", true, false), REPLICA);
        assert_eq!(judge(b"SYNC\r\n", b"", true, false), REPLICA);
        assert_eq!(judge(GET, b"", true, false), Verdict::Client(Direction::FromInitiator));
    }

    #[test]
    fn one_that_is_turned_away_is_a_link() {
        assert_eq!(judge(PING, b"-LOADING Redis is loading the dataset in memory\r\n", true, false), REPLICA);
        assert_eq!(judge(b"", b"-DENIED Redis is running in protected mode", true, false), REPLICA);
        assert_eq!(judge(PING, b"-NOAUTH Authentication required.\r\n", true, false), Verdict::Wait);
    }

    #[test]
    fn a_refused_login_is_a_link_where_a_ping_came_first() {
        let login = b"*2\r\n$4\r\nAUTH\r\n$1\r\nx\r\n";
        let refused = b"-NOAUTH Authentication required.\r\n-ERR invalid password\r\n";
        assert_eq!(judge(&[PING, login].concat(), refused, true, false), REPLICA);
        let client = Verdict::Client(Direction::FromInitiator);
        assert_eq!(judge(login, b"-ERR invalid password\r\n", true, true), client);
    }

    #[test]
    fn a_client_that_tries_a_second_password_is_no_link() {
        let logins = b"*2\r\n$4\r\nAUTH\r\n$1\r\nx\r\n*2\r\n$4\r\nAUTH\r\n$1\r\ny\r\n";
        let refused = b"-WRONGPASS invalid username-password pair or user is disabled.\r\n";
        let client = Verdict::Client(Direction::FromInitiator);
        assert_eq!(judge(logins, &refused.repeat(2), true, true), client);
        assert_eq!(judge(logins, &refused.repeat(2), false, true), client);
    }

    #[test]
    fn a_command_longer_than_what_is_kept_is_known_by_its_name() {
        let mut set = b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$20000\r\n".to_vec();
        set.resize(4096, 0x6b);
        assert_eq!(judge(&set, b"", true, false), Verdict::Client(Direction::FromInitiator));
        assert_eq!(judge(&set, b"+OK\r\n", false, false), Verdict::Client(Direction::FromInitiator));
        assert_eq!(judge(b"", &set, false, true), Verdict::Link(Direction::FromInitiator, Opening::Midstream));
        assert_eq!(judge(b"*3\r\n$8\r\nREPLCONF\r\n$3\r\n", b"", true, false), Verdict::Wait);
    }

    #[test]
    fn midstream_the_side_with_the_server_s_port_is_the_master() {
        // The capture has only what went to the server (`dst port 6379`), or only what came from it.
        assert_eq!(judge(GET, b"", false, true), Verdict::Client(Direction::FromInitiator));
        assert_eq!(judge(b"", GET, false, true), Verdict::Link(Direction::FromInitiator, Opening::Midstream));
    }

    #[test]
    fn an_array_for_an_answer_is_no_stream() {
        // Only the server's side of a connection from its SYN on: what HGETALL is answered with reads like a command.
        let array = b"*2\r\n$5\r\nfield\r\n$5\r\nvalue\r\n";
        assert_eq!(judge(b"", array, true, true), Verdict::Client(Direction::FromInitiator));
    }

    #[test]
    fn midstream_the_ack_tells_who_is_who() {
        let master = Verdict::Link(Direction::FromResponder, Opening::Midstream);
        assert_eq!(judge(GET, ACK, false, false), master);
        assert_eq!(judge(GETACK, b"", false, false), master);
        assert_eq!(judge(GET, b"$1\r\nv\r\n", false, false), Verdict::Client(Direction::FromInitiator));
        assert_eq!(judge(b"\x12\x34", ACK, false, false), master);
        let much = vec![0x12; MAX_UNDECIDED + 1];
        assert_eq!(judge(&much, b"\n", false, false), Verdict::Wait);
        assert_eq!(judge(&much, &[b"\n", ACK].concat(), false, false), master);
    }

    #[test]
    fn foreign_tongues() {
        assert_eq!(judge(b"\x16\x03\x01\x02", b"", true, false), Verdict::Foreign(Foreign::Tls));
        assert_eq!(judge(b"RCmb\0\0", b"", true, false), Verdict::Foreign(Foreign::ClusterBus));
        assert_eq!(judge(b"\x00\x01", b"", true, false), Verdict::Foreign(Foreign::Unknown));
    }
}
