use super::*;
use proptest::prelude::*;

const ID: &str = "0123456789abcdef0123456789abcdef01234567";
const WRONG: &str = "fedcba9876543210fedcba9876543210fedcba98";
const MARK: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab";
const INCR: &str = "*2\r\n$4\r\nINCR\r\n$1\r\na\r\n";

/// What others see of a connection: bytes, pauses, the end; and what was told, apart.
#[derive(Debug, Default, PartialEq, Eq)]
struct Seen {
    wire: Vec<String>,
    told: Vec<String>,
}

fn faults(names: &[&str]) -> Faults {
    let faults: Vec<Fault> = names.iter().map(|name| name.parse().unwrap()).collect();
    Faults::new(&faults)
}

/// Carries out all steps, waiting as long as it takes.
fn see(faults: &mut Faults) -> Seen {
    let (mut seen, mut now, mut bytes) = (Seen::default(), Moment(1000), Vec::new());
    let flush = |bytes: &mut Vec<u8>, wire: &mut Vec<String>| {
        if !bytes.is_empty() {
            wire.push(String::from_utf8(std::mem::take(bytes)).unwrap());
        }
    };
    loop {
        match faults.next(now) {
            Some(Step::Write(more)) => bytes.extend(more),
            Some(Step::Tell { fault, what }) => seen.told.push(format!("{fault}: {what}")),
            Some(Step::Close) => {
                flush(&mut bytes, &mut seen.wire);
                seen.wire.push("closed".to_owned());
                return seen;
            }
            Some(Step::Wait(_)) => panic!("a wait is no step to carry out"),
            None => {
                flush(&mut bytes, &mut seen.wire);
                let Some(wake) = faults.wake() else { return seen };
                assert!(wake > now && faults.next(Moment(wake.0 - 1)).is_none());
                seen.wire.push(format!("{} ms", wake.since(now)));
                now = wake;
            }
        }
    }
}

/// One that has asked for a full sync.
fn syncing(names: &[&str]) -> Faults {
    let mut faults = faults(names);
    assert_eq!(faults.command(&[b"PSYNC", b"?", b"-1"], 0), Verdict::NONE);
    faults
}

fn diskless() -> String {
    format!("+FULLRESYNC {ID} 100\r\n$EOF:{MARK}\r\nREDIS aaa{MARK}")
}

fn stored() -> String {
    format!("\n+FULLRESYNC {ID} 100\r\n\n$9\r\nREDIS aaa")
}

/// What is seen of a sync and of two commands behind it, with these faults.
fn whole(names: &[&str], sync: &str) -> Seen {
    let mut faults = syncing(names);
    faults.written(sync.as_bytes());
    faults.stream(101, INCR.as_bytes());
    faults.stream(101 + INCR.len() as u64, INCR.as_bytes());
    see(&mut faults)
}

#[test]
fn names_are_read_and_written() {
    for name in [
        "cut-rdb:1000",
        "cut-offset:1",
        "no-reply:REPLCONF capa",
        "reply:PSYNC:-ERR a: b",
        "delay:handshake:250ms",
        "delay:sync:1s",
        "delay:rdb:5m",
        "delay:stream:0s",
        "wrong-replid",
        "offset-skew:-10",
        "stream-newlines",
        "lose-first-ack",
        "late-eof-mark:2s",
    ] {
        assert_eq!(name.parse::<Fault>().unwrap().to_string(), name);
        assert!(NAMES.contains(name.split(':').next().unwrap()));
    }
    assert_eq!("cut-rdb:64kb".parse(), Ok(Fault::CutRdb(65_536)));
    assert_eq!("late-eof-mark".parse(), Ok(Fault::LateEofMark(LATE)));
    assert_eq!("no-reply: replconf  CAPA ".parse(), Ok(Fault::NoReply("replconf CAPA".into())));
}

#[test]
fn what_is_no_fault_is_told_why() {
    for (text, why) in [
        ("cut", format!("no fault is called 'cut': there are {NAMES}")),
        ("cut-rdb", "cut-rdb needs a number of bytes, as in cut-rdb:1000".into()),
        ("cut-rdb:x", "a size is a number with k, kb, m, mb, g or gb, as in 64mb".into()),
        ("cut-offset", "cut-offset needs an offset, as in cut-offset:1000".into()),
        ("cut-offset:0", "cut-offset needs an offset from 1 on: a number".into()),
        ("no-reply", "no-reply needs a command, as in no-reply:PSYNC".into()),
        ("no-reply: ", "a command is needed, as in PSYNC".into()),
        ("reply:PSYNC", "reply needs a line behind the command, as in reply:PSYNC:-LOADING".into()),
        ("reply:PSYNC:a\nb", "reply needs one line".into()),
        ("delay:rdb", "delay needs a duration behind the phase, as in delay:rdb:5s".into()),
        ("delay:load:5s", "'load' is no phase: handshake, sync, rdb or stream".into()),
        ("delay:rdb:5", "a duration is a number with ms, s or m, as in 250ms".into()),
        ("delay:rdb:s", "a duration is a number with ms, s or m, as in 250ms".into()),
        ("late-eof-mark:99999999999999999999m", "a duration is a number with ms, s or m, as in 250ms".into()),
        ("wrong-replid:1", "wrong-replid takes no argument".into()),
        ("offset-skew:0", "offset-skew needs a number that is not 0".into()),
    ] {
        assert_eq!(text.parse::<Fault>(), Err(why), "{text}");
    }
}

#[test]
fn without_an_occasion_nothing_changes() {
    for sync in [diskless(), stored()] {
        let seen = whole(&["cut-rdb:1000", "cut-offset:5", "no-reply:GET", "lose-first-ack"], &sync);
        assert_eq!(seen, Seen { wire: vec![format!("{sync}{INCR}{INCR}")], told: vec![] });
    }
}

#[test]
fn the_connection_is_cut_within_the_rdb() {
    let seen = whole(&["cut-rdb:6"], &diskless());
    assert_eq!(seen.wire, [format!("+FULLRESYNC {ID} 100\r\n$EOF:{MARK}\r\nREDIS "), "closed".into()]);
    assert_eq!(seen.told, ["cut-rdb:6: the connection is closed after 6 bytes of the RDB"]);
    let seen = whole(&["cut-rdb:9"], &stored());
    assert_eq!(seen.wire, [stored(), "closed".into()]);
    // The mark is no part of it.
    let seen = whole(&["cut-rdb:9"], &diskless());
    assert_eq!(seen.wire, [diskless().strip_suffix(MARK).unwrap().to_owned(), "closed".into()]);
    for sync in [diskless(), stored()] {
        let seen = whole(&["cut-rdb:0"], &sync);
        assert_eq!(seen.wire, [sync.split("REDIS").next().unwrap().to_owned(), "closed".into()]);
        assert_eq!(whole(&["cut-rdb:10"], &sync).told, [""; 0]);
    }
}

#[test]
fn the_connection_is_cut_at_an_offset() {
    let both = format!("{INCR}{INCR}");
    for cut in 101..=100 + both.len() {
        let seen = whole(&[&format!("cut-offset:{cut}")], &stored());
        assert_eq!(seen.wire, [format!("{}{}", stored(), &both[..cut - 100]), "closed".into()]);
        assert_eq!(seen.told, [format!("cut-offset:{cut}: the connection is closed after offset {cut} of the stream")]);
    }
    // Who goes on behind it is not cut again.
    let mut again = faults(&["cut-offset:100"]);
    again.command(&[b"PSYNC", ID.as_bytes(), b"101"], 0);
    again.written(format!("+CONTINUE {ID}\r\n").as_bytes());
    again.stream(101, INCR.as_bytes());
    assert_eq!(see(&mut again).wire, [format!("+CONTINUE {ID}\r\n{INCR}")]);
    let mut spared = syncing(&["cut-offset:110", "cut-offset:120"]);
    spared.spare(&Fault::CutOffset(110));
    assert!(!spared.streams());
    spared.stream(101, INCR.as_bytes());
    assert!(spared.streams());
    assert_eq!(see(&mut spared).wire, [&INCR[..20], "closed"]);
}

#[test]
fn commands_are_not_answered_or_otherwise() {
    let mut some = faults(&["no-reply:replconf CAPA", "reply:PSYNC:-LOADING", "reply:get:+x"]);
    let no = |line: &[u8], runs| Verdict { runs, answer: Some(line.to_vec()) };
    assert_eq!(some.command(&[b"REPLCONF", b"listening-port", b"1"], 0), Verdict::NONE);
    assert_eq!(some.command(&[b"REPLCONF", b"capa", b"eof"], 0), no(b"", true));
    assert_eq!(some.command(&[b"REPLCONF", b"capa", b"eof"], 0), Verdict::NONE);
    assert_eq!(some.command(&[b"GET"], 0), no(b"+x\r\n", true));
    assert_eq!(some.command(&[b"psync", b"?", b"-1"], 0), no(b"-LOADING\r\n", false));
    // That PSYNC was none, so that what is written still is an answer.
    some.written(b"$1\r\na\r\n");
    assert_eq!(some.command(&[b"PSYNC", b"?", b"-1"], 0), Verdict::NONE);
    let seen = see(&mut some);
    assert_eq!(seen.wire, ["$1\r\na\r\n"]);
    let told = [
        "no-reply:replconf CAPA: REPLCONF capa gets no answer",
        "reply:get:+x: GET is answered +x",
        "reply:PSYNC:-LOADING: psync ? is answered -LOADING and is not carried out",
    ];
    assert_eq!(seen.told, told);
}

#[test]
fn each_phase_can_be_late() {
    let play = |phase: &str| {
        let mut faults = faults(&[&format!("delay:{phase}:3s")]);
        let mut ahead = String::new();
        for (words, answer) in [("PING", "+PONG\r\n"), ("REPLCONF a b", "+OK\r\n"), ("REPLCONF c d", "+OK\r\n")] {
            faults.command(&words.split(' ').map(str::as_bytes).collect::<Vec<_>>(), ahead.len());
            ahead.push_str(answer);
        }
        // It was all in one batch.
        faults.command(&[b"SYNC"], ahead.len());
        faults.written(format!("{ahead}{}", diskless()).as_bytes());
        faults.stream(101, INCR.as_bytes());
        faults.stream(101, INCR.as_bytes());
        let seen = see(&mut faults);
        assert_eq!(seen.told, [format!("delay:{phase}:3s: what is sent in the phase {phase} waits 3s")]);
        assert_eq!(seen.wire.len(), 3, "{seen:?}");
        assert_eq!(seen.wire[1], "3000 ms");
        assert_eq!(
            format!("{}{}", seen.wire[0], seen.wire[2]),
            format!("+PONG\r\n+OK\r\n+OK\r\n{}{INCR}{INCR}", diskless())
        );
        seen.wire[2].chars().take(5).collect::<String>()
    };
    assert_eq!(play("handshake"), "+OK\r\n");
    assert_eq!(play("sync"), "+FULL");
    assert_eq!(play("rdb"), "$EOF:");
    assert_eq!(play("stream"), "*2\r\n$");
}

#[test]
fn another_place_in_the_stream_is_told() {
    let seen = whole(&["wrong-replid", "offset-skew:-3"], &stored());
    assert!(seen.wire[0].starts_with(&format!("\n+FULLRESYNC {WRONG} 97\r\n\n$9\r\n")), "{seen:?}");
    let told = [
        format!("wrong-replid: the replication id {WRONG} is told in place of {ID}"),
        "offset-skew:-3: the offset 97 is told in place of 100".into(),
    ];
    assert_eq!(seen.told, told);
    let seen = whole(&["wrong-replid", "offset-skew:5"], &format!("+CONTINUE {ID}\r\n"));
    assert_eq!(seen.wire, [format!("+CONTINUE {WRONG}\r\n{INCR}{INCR}")]);
    let seen = whole(&["wrong-replid", "offset-skew:5"], &format!("$ENDOFF:100 {ID} 0 7\r\n$EOF:{MARK}\r\n{MARK}"));
    assert!(seen.wire[0].starts_with(&format!("$ENDOFF:105 {WRONG} 0 7\r\n$EOF:")), "{seen:?}");
    let seen = whole(&["wrong-replid", "offset-skew:5"], "+CONTINUE\r\n");
    assert_eq!(seen, Seen { wire: vec![format!("+CONTINUE\r\n{INCR}{INCR}")], told: vec![] });
}

#[test]
fn newlines_stand_before_every_command() {
    let seen = whole(&["stream-newlines"], &stored());
    assert_eq!(seen.wire, [format!("{}\n{INCR}\n{INCR}", stored())]);
    assert_eq!(seen.told, ["stream-newlines: newlines that only the replica counts come after offset 100"]);
    // One who begins within a command cannot be told where the next is.
    let mut within = syncing(&["stream-newlines"]);
    within.stream(1, b"R\r\n$1\r\na\r\n");
    within.stream(11, INCR.as_bytes());
    assert_eq!(see(&mut within), Seen { wire: vec![format!("R\r\n$1\r\na\r\n{INCR}")], told: vec![] });
}

#[test]
fn one_ack_is_lost() {
    let mut some = faults(&["lose-first-ack"]);
    // Who is no replica says it in vain anyway.
    assert_eq!(some.command(&[b"REPLCONF", b"ACK", b"1"], 0), Verdict::NONE);
    some.command(&[b"PSYNC", b"?", b"-1"], 0);
    assert_eq!(some.command(&[b"REPLCONF", b"ACK", b"5"], 0), Verdict { runs: false, answer: Some(vec![]) });
    assert_eq!(some.command(&[b"REPLCONF", b"ACK", b"5"], 0), Verdict::NONE);
    assert_eq!(see(&mut some).told, ["lose-first-ack: the ACK of offset 5 is not heard"]);
}

#[test]
fn the_mark_comes_late() {
    let seen = whole(&["late-eof-mark:2s"], &diskless());
    let before = diskless().strip_suffix(MARK).unwrap().to_owned();
    assert_eq!(seen.wire, [before, "2000 ms".into(), format!("{MARK}{INCR}{INCR}")]);
    assert_eq!(seen.told, ["late-eof-mark:2s: the mark behind the RDB comes 2s late"]);
    assert_eq!(whole(&["late-eof-mark"], &stored()).told, [""; 0]);
}

#[test]
fn what_did_not_go_comes_again() {
    let mut some = faults(&["wrong-replid"]);
    some.written(b"+OK\r\n");
    let Some(Step::Write(bytes)) = some.next(Moment(0)) else { panic!() };
    assert_eq!((some.pending(), some.busy()), (0, false));
    some.unwritten(bytes[2..].to_vec());
    some.written(b"+X\r\n");
    assert_eq!((some.pending(), some.busy()), (7, true));
    assert_eq!(see(&mut some).wire, ["K\r\n+X\r\n"]);
}

proptest! {
    #[test]
    fn cuts_change_nothing(
        stored_form: bool,
        cuts in prop::collection::vec(0..160_usize, 0..6),
        parts in prop::collection::vec(1..60_usize, 0..4),
        chosen in prop::sample::subsequence(vec!["cut-rdb:5", "cut-offset:110", "wrong-replid", "offset-skew:9", "stream-newlines", "late-eof-mark:1s", "delay:handshake:1s", "delay:sync:1s", "delay:rdb:1s", "delay:stream:1s"], 0..6),
    ) {
        let answers = "+OK\r\n+OK\r\n";
        let written = format!("{answers}{}", if stored_form { stored() } else { diskless() });
        let stream = format!("{INCR}{INCR}{INCR}");
        let asked = || {
            let mut faults = faults(&chosen);
            faults.command(&[b"REPLCONF", b"a", b"b"], 5);
            faults.command(&[b"PSYNC", b"?", b"-1"], answers.len());
            faults
        };
        let mut at_once = asked();
        at_once.written(written.as_bytes());
        at_once.stream(101, stream.as_bytes());
        let mut cut = asked();
        let mut places: Vec<usize> = cuts.iter().map(|place| (*place).min(written.len())).chain([0, written.len()]).collect();
        places.sort_unstable();
        for pair in places.windows(2) {
            cut.written(&written.as_bytes()[pair[0]..pair[1]]);
        }
        let mut first = 101;
        let mut rest = stream.as_bytes();
        for part in parts.iter().copied().chain([stream.len()]) {
            let (part, behind) = rest.split_at(part.min(rest.len()));
            cut.stream(first, part);
            (first, rest) = (first + part.len() as u64, behind);
        }
        prop_assert_eq!(see(&mut at_once), see(&mut cut));
    }

    #[test]
    fn no_bytes_do_harm(
        pieces in prop::collection::vec(prop::collection::vec(prop_oneof![Just(b'$'), Just(b'\n'), Just(b'+'), Just(b'*'), Just(b'1'), any::<u8>()], 0..30), 0..8),
    ) {
        let mut some = syncing(&["cut-rdb:5", "stream-newlines", "late-eof-mark", "offset-skew:1"]);
        for piece in &pieces {
            some.written(piece);
            some.stream(u64::MAX - 3, piece);
        }
    }
}
