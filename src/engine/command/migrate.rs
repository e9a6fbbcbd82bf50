//! MIGRATE: keys go to another server, and are gone here once it has them.

use std::time::Duration;

use super::{Context, Flag, Keys, Outcome, Spec};
use crate::engine::args::Args;
use crate::engine::courier::Line;
use crate::engine::error::CommandError;
use crate::engine::events::Class;
use crate::engine::save;
use crate::engine::value::Decimal;
use crate::resp::encode;

pub(super) const COMMANDS: &[Spec] = &[Spec::new("MIGRATE", -6, &[Flag::Write], Keys::new(3, 3, 1), migrate)];

/// A command for the other server may take so long, in milliseconds, if it is not said.
const PATIENCE: i64 = 1000;

const UNREACHABLE: CommandError = CommandError::fixed("IOERR error or timeout connecting to the client");
const UNWRITABLE: CommandError = CommandError::fixed("IOERR error or timeout writing to target instance");
// The words are the servers'.
const UNREADABLE: CommandError = CommandError::fixed("IOERR error or timeout reading to target instance");

/// What is said behind the timeout.
#[derive(Default)]
struct Options<'a> {
    copy: bool,
    replace: bool,
    /// AUTH, and its words.
    login: Vec<&'a [u8]>,
    /// Where the keys begin, if KEYS is said.
    keys: Option<usize>,
}

impl<'a> Options<'a> {
    fn read(args: Args<'a>) -> Result<Self, CommandError> {
        const NAMED_TWICE: CommandError =
            CommandError::fixed("ERR When using MIGRATE KEYS option, the key argument must be set to the empty string");
        let (mut options, mut index) = (Self::default(), 6);
        while index < args.len() {
            let follow = args.len() - index - 1;
            match () {
                () if args.is(index, "COPY") => options.copy = true,
                () if args.is(index, "REPLACE") => options.replace = true,
                () if args.is(index, "AUTH") && follow >= 1 => {
                    options.login = vec![b"AUTH", args.get(index + 1)];
                    index += 1;
                }
                () if args.is(index, "AUTH2") && follow >= 2 => {
                    options.login = vec![b"AUTH", args.get(index + 1), args.get(index + 2)];
                    index += 2;
                }
                () if args.is(index, "KEYS") => {
                    if !args.get(3).is_empty() {
                        return Err(NAMED_TWICE);
                    }
                    options.keys = Some(index + 1);
                    break;
                }
                () => return Err(CommandError::SYNTAX),
            }
            index += 1;
        }
        Ok(options)
    }
}

fn migrate(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let options = Options::read(args)?;
    let patience = match args.integer(5)? {
        patience if patience > 0 => patience,
        _ => PATIENCE,
    };
    let db = args.integer(4)?;
    let named: Vec<&[u8]> = match options.keys {
        Some(first) => args.from(first).collect(),
        None => vec![args.get(3)],
    };
    let keys: Vec<&[u8]> = named.into_iter().filter(|key| context.exists(key)).collect();
    if keys.is_empty() {
        context.reply.status("NOKEY");
        return Ok(());
    }
    let host = String::from_utf8_lossy(args.get(1)).into_owned();
    let port = args.integer(2).ok().and_then(|port| u16::try_from(port).ok());
    let patience = Duration::from_millis(patience.unsigned_abs());
    let courier = context.engine.courier.clone();
    let mut line =
        courier.zip(port).and_then(|(courier, port)| courier.open(&host, port, patience)).ok_or(UNREACHABLE)?;
    let (moved, outcome) = carry(context, &options, db, &keys, &mut *line);
    // What is there is gone here, whatever became of the rest.
    if !options.copy && !moved.is_empty() {
        for key in &moved {
            context.take(key);
            context.changed(key, 1);
            context.notify(Class::Generic, "del", key);
        }
        let words: Vec<&[u8]> = std::iter::once(&b"DEL"[..]).chain(moved).collect();
        context.propagate(&words);
    }
    outcome?;
    context.reply.ok();
    Ok(())
}

/// Says the keys to the other server; gives those that it has taken, and what went wrong.
fn carry<'a>(
    context: &mut Context<'_>,
    options: &Options<'_>,
    db: i64,
    keys: &[&'a [u8]],
    line: &mut dyn Line,
) -> (Vec<&'a [u8]>, Outcome) {
    let mut bytes = Vec::new();
    let mut number = Decimal::new();
    if !options.login.is_empty() {
        encode(&mut bytes, options.login.iter().copied());
    }
    encode(&mut bytes, [&b"SELECT"[..], number.format(db).as_bytes()].into_iter());
    let header = context.engine.dialect.dump_header();
    for key in keys {
        let now = context.now;
        let Some(entry) = context.entry(key) else { continue };
        let left = entry.expires_at().map_or(0, |time| (time - now).max(1));
        let payload = match save::payload(&entry.value, header) {
            Ok(payload) => payload,
            Err(error) => return (Vec::new(), Err(CommandError::new(format!("ERR {error}")))),
        };
        let words = [&b"RESTORE"[..], key, number.format(left).as_bytes(), &payload, b"REPLACE"];
        encode(&mut bytes, words.into_iter().take(if options.replace { 5 } else { 4 }));
        if !line.say(&bytes) {
            return (Vec::new(), Err(UNWRITABLE));
        }
        bytes.clear();
    }
    // What it answered to AUTH and SELECT counts for every key.
    let mut refused = None;
    for _ in 0..1 + usize::from(!options.login.is_empty()) {
        let Some(answer) = line.hear() else { return (Vec::new(), Err(UNREADABLE)) };
        refused = refused.or_else(|| refusal(&answer));
    }
    let stays = refused.is_some();
    let mut moved = Vec::with_capacity(keys.len());
    for key in keys {
        let Some(answer) = line.hear() else { return (moved, Err(refused.unwrap_or(UNREADABLE))) };
        match refusal(&answer) {
            Some(error) => refused = refused.or(Some(error)),
            None if !stays => moved.push(*key),
            None => {}
        }
    }
    (moved, refused.map_or(Ok(()), Err))
}

/// What an answer says if it is an error.
fn refusal(answer: &[u8]) -> Option<CommandError> {
    let text = String::from_utf8_lossy(answer.strip_prefix(b"-")?);
    Some(CommandError::new(format!("ERR Target instance replied with error: {text}")))
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::collections::VecDeque;
    use std::rc::Rc;

    use super::*;
    use crate::engine::courier::Courier;
    use crate::engine::testing::Play;

    /// A server that answers what it is told to, and what it heard.
    #[derive(Debug, Default)]
    struct Target {
        answers: RefCell<VecDeque<&'static str>>,
        heard: RefCell<Vec<u8>>,
        deaf: bool,
    }

    struct Open(Rc<Target>);

    impl Line for Open {
        fn say(&mut self, bytes: &[u8]) -> bool {
            self.0.heard.borrow_mut().extend_from_slice(bytes);
            !self.0.deaf
        }

        fn hear(&mut self) -> Option<Vec<u8>> {
            self.0.answers.borrow_mut().pop_front().map(|line| line.as_bytes().to_vec())
        }
    }

    #[derive(Debug)]
    struct To(Rc<Target>);

    impl Courier for To {
        fn open(&self, host: &str, port: u16, patience: Duration) -> Option<Box<dyn Line>> {
            assert_eq!(patience, Duration::from_millis(50));
            (host == "there" && port == 7).then(|| Box::new(Open(self.0.clone())) as Box<dyn Line>)
        }
    }

    fn to(play: &mut Play, answers: &[&'static str]) -> Rc<Target> {
        let target = Rc::new(Target { answers: RefCell::new(answers.iter().copied().collect()), ..Target::default() });
        play.engine.set_courier(Rc::new(To(target.clone())));
        target
    }

    #[test]
    fn keys_go_and_are_deleted_here() {
        // Asked of redis-server 7.0.15.
        let mut play = Play::new("redis-7.0");
        play.run("MSET a 1 b 2");
        play.run("SET e 3 PX 5000");
        play.stream();
        let target = to(&mut play, &["+OK", "+OK"]);
        play.rows(&[("MIGRATE there 7 e 9 50 REPLACE", "OK", "DEL e"), ("EXISTS e", "0", "")]);
        let heard = String::from_utf8_lossy(&target.heard.borrow()).into_owned();
        assert!(heard.starts_with("*2\r\n$6\r\nSELECT\r\n$1\r\n9\r\n*5\r\n$7\r\nRESTORE\r\n$1\r\ne\r\n$4\r\n5000\r\n"));
        assert!(heard.ends_with("\r\n$7\r\nREPLACE\r\n"));
        // One is refused: the other is gone nevertheless.
        to(&mut play, &["+OK", "-BUSYKEY Target key name already exists.", "+OK"]);
        play.rows(&[
            (
                "MIGRATE there 7 '' 0 50 KEYS a nokey b",
                "-ERR Target instance replied with error: BUSYKEY Target key name already exists.",
                "DEL b",
            ),
            ("EXISTS a b", "1", ""),
        ]);
        let target = to(&mut play, &["+OK", "+OK", "+OK"]);
        play.rows(&[("MIGRATE there 7 a 0 50 COPY AUTH2 user word", "OK", ""), ("EXISTS a", "1", "")]);
        assert!(target.heard.borrow().starts_with(b"*3\r\n$4\r\nAUTH\r\n$4\r\nuser\r\n$4\r\nword\r\n"));
    }

    #[test]
    fn what_does_not_arrive_stays() {
        let mut play = Play::new("redis-7.0");
        let unread = "-IOERR error or timeout reading to target instance";
        play.run("MSET a 1 b 2");
        play.stream();
        play.rows(&[("MIGRATE there 7 a 0 50", "-IOERR error or timeout connecting to the client", "")]);
        for (answers, line, answer, stream) in [
            (&["-NOAUTH no", "-NOAUTH no"][..], "a 0 50", "-ERR Target instance replied with error: NOAUTH no", ""),
            (&["-ERR no", "+OK", "+OK"], "a 0 50 AUTH x", "-ERR Target instance replied with error: ERR no", ""),
            (&[], "a 0 50", unread, ""),
            (&["+OK"], "a 0 50", unread, ""),
            (&["+OK", "+OK"], "'' 0 50 KEYS a b", unread, "DEL a"),
            (&[], "a 0 50", "NOKEY", ""),
            (&[], "b 0 x", "-ERR value is not an integer or out of range", ""),
            (&[], "b x 50", "-ERR value is not an integer or out of range", ""),
            (&[], "b 0 50 AUTH", "-ERR syntax error", ""),
            (
                &[],
                "b 0 50 KEYS b",
                "-ERR When using MIGRATE KEYS option, the key argument must be set to the empty string",
                "",
            ),
            (&[], "'' 0 50 KEYS", "NOKEY", ""),
        ] {
            to(&mut play, answers);
            play.rows(&[(&format!("MIGRATE there 7 {line}"), answer, stream)]);
        }
        to(&mut play, &[]);
        play.rows(&[("MIGRATE elsewhere 7 b 0 50", "-IOERR error or timeout connecting to the client", "")]);
        let deaf = Rc::new(Target { deaf: true, ..Target::default() });
        play.engine.set_courier(Rc::new(To(deaf)));
        play.rows(&[("MIGRATE there 7 b 0 50", "-IOERR error or timeout writing to target instance", "")]);
    }
}
