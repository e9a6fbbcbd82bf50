//! Tests of both decoders: what they say of whole input, and that no split of the input changes it.

use super::*;
use proptest::prelude::*;

/// What a decoder made of some input, in a form that can be compared.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Seen {
    Command(Vec<Vec<u8>>, bool, u64),
    Newline,
    Malformed(Malformed),
}

fn commands(pieces: &[&[u8]]) -> Vec<Seen> {
    let mut decoder = CommandDecoder::new(usize::MAX);
    let mut seen = Vec::new();
    for piece in pieces {
        let mut input = *piece;
        loop {
            match decoder.next(&mut input) {
                Step::Command(command) => {
                    let arguments = command.arguments().map(|argument| argument.head.to_vec()).collect::<Vec<_>>();
                    assert_eq!(arguments.len(), command.count());
                    assert_eq!(arguments.first().map_or(&[][..], |name| name), command.name());
                    seen.push(Seen::Command(arguments, command.inline(), command.bytes()));
                }
                Step::Newline => seen.push(Seen::Newline),
                Step::Malformed { reason, .. } => {
                    seen.push(Seen::Malformed(reason));
                    return seen;
                }
                Step::NeedMore => break,
            }
        }
    }
    seen
}

fn replies(pieces: &[&[u8]]) -> Vec<Result<Vec<u8>, Malformed>> {
    let mut decoder = ReplyDecoder::new(usize::MAX);
    let mut seen = Vec::new();
    for piece in pieces {
        let mut input = *piece;
        loop {
            match decoder.next(&mut input) {
                ReplyStep::Reply(reply) => {
                    assert_eq!(reply.head.len() as u64, reply.length);
                    seen.push(Ok(reply.head.to_vec()));
                }
                ReplyStep::Malformed { reason, .. } => {
                    seen.push(Err(reason));
                    return seen;
                }
                ReplyStep::NeedMore => break,
            }
        }
    }
    seen
}

fn array(words: &[&[u8]]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        bytes.extend(format!("${}\r\n", word.len()).as_bytes());
        bytes.extend(*word);
        bytes.extend(b"\r\n");
    }
    bytes
}

fn command(words: &[&[u8]]) -> Seen {
    Seen::Command(words.iter().map(|word| word.to_vec()).collect(), false, array(words).len() as u64)
}

fn inline(words: &[&[u8]], bytes: u64) -> Seen {
    Seen::Command(words.iter().map(|word| word.to_vec()).collect(), true, bytes)
}

#[test]
fn a_stream_is_taken_apart() {
    let mut input = array(&[b"SELECT", b"0"]);
    input.extend(b"*1\r\n$4\r\nping\r\n\n");
    input.extend(array(&[b"SET", b"key:000000000001", b""]));
    input.extend(b"PING\r\nREPLCONF listening-port 6380\r\n");
    assert_eq!(
        commands(&[&input]),
        [
            command(&[b"SELECT", b"0"]),
            command(&[b"ping"]),
            Seen::Newline,
            command(&[b"SET", b"key:000000000001", b""]),
            inline(&[b"PING"], 6),
            inline(&[b"REPLCONF", b"listening-port", b"6380"], 30),
        ]
    );
}

#[test]
fn inline_quotes_are_those_of_redis() {
    let input = b"SET \"a\\x41\\n\" 'it\\'s'\r\n";
    assert_eq!(commands(&[input]), [inline(&[b"SET", b"aA\n", b"it's"], input.len() as u64)]);
    assert_eq!(commands(&[b"SET \"a\r\n"]), [Seen::Malformed(Malformed::Quotes)]);
}

#[test]
fn impossible_lengths_are_refused_at_once() {
    for input in [&b"*99999999999\r\n"[..], b"*1\r\n$-5\r\n", b"*1\r\n$99999999999999\r\n", b"*x\r\n", b"*1\r\n:1\r\n"]
    {
        assert!(matches!(commands(&[input])[..], [Seen::Malformed(_)]), "{}", input.escape_ascii());
    }
    assert_eq!(commands(&[b"*1\r\n$1\r\nabc"]), [Seen::Malformed(Malformed::LineEnd)]);
}

#[test]
fn long_arguments_keep_their_head() {
    let mut decoder = CommandDecoder::new(4);
    let whole = array(&[b"SET", b"k", &[b'v'; 1000]]);
    let (first, mut second) = whole.split_at(100);
    assert!(matches!(decoder.next(&mut &first[..]), Step::NeedMore));
    let Step::Command(command) = decoder.next(&mut second) else { panic!("no command") };
    let value = command.arguments().nth(2).unwrap();
    assert_eq!((value.head, value.length), (&b"vvvv"[..], 1000));
}

#[test]
fn a_gap_inside_an_argument_costs_nothing_but_its_bytes() {
    let mut decoder = CommandDecoder::new(usize::MAX);
    let whole = array(&[b"SET", b"k", &[b'v'; 1000]]);
    assert!(matches!(decoder.next(&mut &whole[..100]), Step::NeedMore));
    assert_eq!(decoder.skippable(), 1000 - (100 - (whole.len() - 1002)) as u64);
    decoder.skip(500);
    let mut rest = &whole[600..];
    let Step::Command(command) = decoder.next(&mut rest) else { panic!("no command") };
    assert_eq!(command.bytes(), whole.len() as u64);
    let value = command.arguments().nth(2).unwrap();
    assert_eq!(value.length, 1000);
    assert_eq!(value.head.len(), 100 - (whole.len() - 1002));
}

#[test]
fn replies_of_every_type() {
    let input = b"+PONG\r\n-ERR no\r\n:12\r\n$5\r\nhello\r\n$-1\r\n*2\r\n:1\r\n*1\r\n+x\r\n%1\r\n+k\r\n#t\r\n*0\r\n|1\r\n+a\r\n,1.5\r\n_\r\n>1\r\n+m\r\n";
    let seen = replies(&[input]);
    let texts: Vec<String> = seen.iter().map(|reply| reply.as_ref().unwrap().escape_ascii().to_string()).collect();
    assert_eq!(
        texts,
        [
            "+PONG",
            "-ERR no",
            ":12",
            r"$5\r\nhello",
            "$-1",
            r"*2\r\n:1\r\n*1\r\n+x",
            r"%1\r\n+k\r\n#t",
            "*0",
            r"|1\r\n+a\r\n,1.5\r\n_",
            r">1\r\n+m",
        ]
    );
}

#[test]
fn nesting_has_an_end() {
    let deep = b"*1\r\n".repeat(1000);
    assert_eq!(replies(&[&deep]), [Err(Malformed::Depth)]);
}

prop_compose! {
    fn any_stream()(parts in prop::collection::vec(prop_oneof![
        prop::collection::vec(prop::collection::vec(any::<u8>(), 0..30), 1..5)
            .prop_map(|words| array(&words.iter().map(Vec::as_slice).collect::<Vec<_>>())),
        Just(b"\n".to_vec()),
        Just(b"PING\r\n".to_vec()),
        Just(b"*1\r\n$4\r\nping\r\n".to_vec()),
        prop::collection::vec(any::<u8>(), 0..6),
    ], 0..12)) -> Vec<u8> { parts.concat() }
}

/// Cuts `bytes` at the places given, whatever they are.
fn cut(bytes: &[u8], places: &[usize]) -> Vec<Vec<u8>> {
    let mut places: Vec<usize> = places.iter().map(|place| place % (bytes.len() + 1)).collect();
    places.push(0);
    places.push(bytes.len());
    places.sort_unstable();
    places.windows(2).map(|pair| bytes[pair[0]..pair[1]].to_vec()).collect()
}

proptest! {
    #[test]
    fn no_split_changes_the_commands(bytes in any_stream(), places in prop::collection::vec(any::<usize>(), 0..8)) {
        let whole: Vec<Seen> = commands(&[&bytes]).into_iter().filter(|seen| !matches!(seen, Seen::Malformed(_))).collect();
        let pieces = cut(&bytes, &places);
        let pieces: Vec<&[u8]> = pieces.iter().map(Vec::as_slice).collect();
        let split: Vec<Seen> = commands(&pieces).into_iter().filter(|seen| !matches!(seen, Seen::Malformed(_))).collect();
        prop_assert_eq!(whole, split);
    }

    #[test]
    fn no_split_changes_the_replies(bytes in prop::collection::vec(prop::sample::select(b"+-:$*%|0123\r\n\r\n".to_vec()), 0..60),
                                    places in prop::collection::vec(any::<usize>(), 0..8)) {
        let pieces = cut(&bytes, &places);
        let pieces: Vec<&[u8]> = pieces.iter().map(Vec::as_slice).collect();
        prop_assert_eq!(replies(&[&bytes]), replies(&pieces));
    }
}

/// A replica must not miss one: SREM of 99 500 members comes in many slices.
#[test]
fn who_wants_all_gets_all_arguments() {
    let words: Vec<String> = (0..100_000).map(|number| number.to_string()).collect();
    let mut wire = Vec::new();
    super::encode(&mut wire, words.iter().map(String::as_bytes));
    let (first, second) = wire.split_at(wire.len() / 2);
    let mut decoder = CommandDecoder::new(usize::MAX);
    let mut input = first;
    assert!(matches!(decoder.next(&mut input), Step::NeedMore));
    let mut input = second;
    let Step::Command(command) = decoder.next(&mut input) else { panic!("a command") };
    let mut ranges = Vec::new();
    let bytes = command.locate(&mut ranges);
    assert_eq!(ranges.len(), words.len());
    assert!(ranges.iter().zip(&words).all(|(&(from, until), word)| &bytes[from..until] == word.as_bytes()));
}
