//! A script that runs on and on. The thread that runs it has everything, so that clients wait; once it has taken longer than
//! they are let (`busy-reply-threshold`), it looks after them between two slices of its instructions: they are told that
//! the server is busy, and may end the script.

use super::clients::SessionId;
use super::command::{Flag, Spec};
use super::core::Engine;
use super::dialect::Family;
use super::error::CommandError;
use super::log::Level;
use super::propagation::Stream;
use super::reply::Reply;
use super::value::Blob;
use super::{args::Args, context::Origin};

/// Looks after clients while a script runs.
pub trait Attendant: std::fmt::Debug {
    /// The time, in milliseconds since 1970.
    fn now(&self) -> i64;

    /// Hears what clients say, runs what may run now, answers.
    fn attend(&self, engine: &mut Engine);
}

/// A script under way that has taken too long.
#[derive(Debug)]
pub(super) struct Busy {
    /// It is a function.
    of_function: bool,
    /// It came in the master's stream.
    of_master: bool,
    /// It has written something, so that it cannot be ended as if it had not run.
    pub(super) wrote: bool,
    /// Somebody has ended it.
    killed: bool,
    /// For FUNCTION STATS: the function's name, the command, since when in milliseconds since 1970.
    pub(super) name: Blob,
    pub(super) command: Vec<Blob>,
    pub(super) since: i64,
    /// When this was looked at last.
    pub(super) now: i64,
    /// How many functions there are.
    pub(super) functions: usize,
}

/// What of the engine is the script's, while others have it.
struct Laid {
    stream: Stream,
    running: (SessionId, bool),
    heard: Vec<u8>,
    full: bool,
}

impl Engine {
    /// Who looks after the clients while a script runs on.
    pub fn set_attendant(&mut self, attendant: std::rc::Rc<dyn Attendant>) {
        self.attendant = Some(attendant);
    }

    /// A script has run for a while: if that is too long by now, clients are looked after. Gives the words with which the
    /// script is ended, if it is.
    pub(super) fn attend(&mut self, begun: &dyn Fn() -> Begun) -> Option<&'static str> {
        let attendant = self.attendant.clone()?;
        let now = attendant.now();
        if self.busy.is_none() {
            let begun = begun();
            let threshold = self.config.number("busy-reply-threshold");
            if threshold <= 0 || now - begun.since < threshold {
                return None;
            }
            self.warn_of(&begun, now);
            self.busy = Some(begun.busy(now));
        }
        if let Some(busy) = &mut self.busy {
            busy.now = now;
            busy.wrote = begun().wrote;
        }
        let laid = Laid {
            stream: std::mem::take(&mut self.stream),
            running: (self.running, self.running_resp3),
            heard: std::mem::take(&mut self.heard),
            full: self.full,
        };
        attendant.attend(self);
        self.stream = laid.stream;
        (self.running, self.running_resp3) = laid.running;
        (self.heard, self.full) = (laid.heard, laid.full);
        if self.stop.is_some() {
            return Some("Script killed: the server ends");
        }
        let busy = self.busy.as_ref().filter(|busy| busy.killed)?;
        Some(match busy.of_function {
            true => FUNCTION_KILLED,
            false if self.dialect.family == Family::Valkey => SCRIPT_KILLED_BY_VALKEY,
            false => SCRIPT_KILLED,
        })
    }

    /// A script has ended: clients need no longer be told of it.
    pub(super) fn is_idle_again(&mut self) {
        if self.busy.take().is_some() && self.stop.is_some() {
            // What it did is half of what it was to do, and nobody asked for that to be kept.
            self.stream.forget();
        }
    }

    #[cold]
    fn warn_of(&mut self, begun: &Begun, now: i64) {
        let elapsed = now - begun.since;
        let name = String::from_utf8_lossy(&begun.name).into_owned();
        let kill = if begun.of_function { "FUNCTION KILL" } else { "SCRIPT KILL" };
        self.note(
            Level::Warning,
            format!(
                "Slow script detected: still in execution after {elapsed} milliseconds. You can try killing the script using the {kill} command. Script name is: {name}."
            ),
        );
    }

    /// What a client is told meanwhile.
    pub(super) fn busy_error(&self) -> CommandError {
        let server = if self.dialect.family == Family::Valkey { "Valkey" } else { "Redis" };
        let of_function = self.busy.as_ref().is_some_and(|busy| busy.of_function);
        let kill = if of_function { "FUNCTION KILL" } else { "SCRIPT KILL" };
        CommandError::new(format!(
            "BUSY {server} is busy running a script. You can only call {kill} or SHUTDOWN NOSAVE."
        ))
    }

    /// Whether a command may run meanwhile.
    pub(super) fn may_run_while_busy(&self, spec: &Spec, args: Args<'_>) -> bool {
        match spec.name {
            // Since 7.0 it answers itself.
            "SHUTDOWN" => args.from(1).any(|word| word.eq_ignore_ascii_case(b"NOSAVE")),
            _ => !spec.has(Flag::Write) && spec.runs_while_busy(self.dialect),
        }
    }

    /// SCRIPT KILL, FUNCTION KILL.
    pub(super) fn kill_script(&mut self, function: bool) -> Result<(), CommandError> {
        let Some(busy) = &mut self.busy else {
            return Err(CommandError::fixed("NOTBUSY No scripts in execution right now."));
        };
        if busy.of_master {
            return Err(CommandError::fixed(
                "UNKILLABLE The busy script was sent by a master instance in the context of replication and cannot be killed.",
            ));
        }
        if busy.wrote {
            return Err(CommandError::fixed(
                "UNKILLABLE Sorry the script already executed write commands against the dataset. You can either wait the script termination or kill the server in a hard way using the SHUTDOWN NOSAVE command.",
            ));
        }
        if busy.of_function != function {
            return Err(self.busy_error());
        }
        busy.killed = true;
        Ok(())
    }
}

impl Busy {
    /// As FUNCTION STATS tells it.
    pub(super) fn tell(&self, reply: &mut Reply) {
        reply.map(3);
        reply.bulk(b"name");
        reply.bulk(&self.name);
        reply.bulk(b"command");
        reply.array(self.command.len());
        self.command.iter().for_each(|word| reply.bulk(word));
        reply.bulk(b"duration_ms");
        reply.integer(self.now - self.since);
    }
}

/// What the script that was killed answers.
const SCRIPT_KILLED: &str = "Script killed by user with SCRIPT KILL...";
const SCRIPT_KILLED_BY_VALKEY: &str = "Script killed by user with SCRIPT KILL.";
const FUNCTION_KILLED: &str = "Script killed by user with FUNCTION KILL.";

/// A script that runs.
pub(super) struct Begun {
    pub(super) of_function: bool,
    pub(super) origin: Origin,
    pub(super) wrote: bool,
    /// The function's name, or the script's digest.
    pub(super) name: Blob,
    pub(super) command: Vec<Blob>,
    pub(super) since: i64,
    pub(super) functions: usize,
}

impl Begun {
    fn busy(self, now: i64) -> Busy {
        Busy {
            of_function: self.of_function,
            of_master: self.origin == Origin::Master,
            wrote: self.wrote,
            killed: false,
            name: self.name,
            command: self.command,
            since: self.since,
            now,
            functions: self.functions,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};
    use std::collections::VecDeque;
    use std::rc::Rc;

    use super::*;
    use crate::engine::args::Ranges;
    use crate::engine::clients::Session;
    use crate::engine::reply::Reply;
    use crate::engine::testing::{Play, words};

    /// A client who says one thing each time it is heard, a millisecond later.
    #[derive(Debug, Default)]
    struct Speaker {
        now: Cell<i64>,
        lines: RefCell<VecDeque<&'static str>>,
        heard: RefCell<Vec<String>>,
        session: RefCell<Session>,
    }

    impl Attendant for Speaker {
        fn now(&self) -> i64 {
            self.now.set(self.now.get() + 1);
            self.now.get()
        }

        fn attend(&self, engine: &mut Engine) {
            let line = self.lines.borrow_mut().pop_front();
            let words = words(line.expect("something to say"));
            let bytes = words.concat();
            let mut ranges = Ranges::new();
            for word in &words {
                let from = ranges.last().map_or(0, |(_, until)| *until);
                ranges.push((from, from + word.len()));
            }
            let mut reply = Reply::default();
            let args = Args::new(&bytes, &ranges, None);
            engine.execute(&mut self.session.borrow_mut(), args, &mut reply, self.now.get());
            self.heard.borrow_mut().push(String::from_utf8_lossy(reply.bytes()).trim_end().to_owned());
        }
    }

    /// Runs a script while somebody says these lines; gives what they are answered, and the script.
    fn meanwhile(play: &mut Play, script: &str, lines: &[&'static str]) -> (Vec<String>, String) {
        let speaker = Rc::new(Speaker { now: Cell::new(play.now), ..Speaker::default() });
        speaker.lines.borrow_mut().extend(lines);
        play.engine.set_attendant(speaker.clone());
        let answer = play.run(script);
        assert!(speaker.lines.borrow().is_empty() && !play.engine.is_busy());
        (speaker.heard.take(), answer)
    }

    const ENDLESS: &str = "EVAL \"while true do end\" 0";

    #[test]
    fn clients_are_told_and_may_end_a_script() {
        // Asked of Redis 6.2.14, 7.0.15 and 8.2.3, Valkey 8.1.8 and 9.1.2.
        let sha = "694a5fe1ddb97a4c6a1bf299d9537c7d3d0f84e7";
        let killed = |by: &str| format!("-ERR Script killed by user with SCRIPT KILL{by}");
        for (dialect, server, answer) in [
            (
                "redis-6.2",
                "Redis",
                format!(
                    "-ERR Error running script (call to f_{sha}): @user_script:1: Script killed by user with SCRIPT KILL..."
                ),
            ),
            ("redis-7.0", "Redis", killed(&format!("... script: {sha}, on @user_script:1."))),
            ("redis-8.2", "Redis", killed(&format!("... script: {sha}, on @user_script:1."))),
            ("valkey-8.1", "Valkey", killed(&format!(". script: {sha}, on @user_script:1."))),
            ("valkey-9.1", "Valkey", killed(". script: on @user_script:1.")),
        ] {
            let mut play = Play::new(dialect);
            play.run("CONFIG SET lua-time-limit 5");
            let lines = ["PING", "MULTI", "INCR x", "EXEC", "SHUTDOWN", "WATCH x", "SCRIPT KILL"];
            let (heard, ended) = meanwhile(&mut play, ENDLESS, &lines);
            let busy =
                format!("BUSY {server} is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.");
            let refused = format!("-{busy}");
            let aborted = format!("-EXECABORT Transaction discarded because of: {busy}");
            assert_eq!(heard, [&refused, "+OK", &refused, &aborted, &refused, "+OK", "+OK"], "{dialect}");
            assert_eq!(ended, answer, "{dialect}");
            assert_eq!(play.run("SCRIPT KILL"), "-NOTBUSY No scripts in execution right now.");
            assert_eq!(play.run("PING"), "PONG");
        }
    }

    #[test]
    fn a_script_cannot_catch_its_end() {
        let mut play = Play::new("redis-7.0");
        play.run("CONFIG SET lua-time-limit 5");
        for script in [
            "EVAL \"while true do pcall(function() while true do end end) end\" 0",
            "EVAL \"local f = coroutine.wrap(function() while true do end end) while true do pcall(f) end\" 0",
        ] {
            let (heard, ended) = meanwhile(&mut play, script, &["PING", "SCRIPT KILL"]);
            assert_eq!(heard[1], "+OK");
            assert!(ended.starts_with("-ERR Script killed by user"), "{ended}");
        }
    }

    #[test]
    fn what_has_written_cannot_be_undone_but_by_the_end() {
        let mut play = Play::new("redis-7.0");
        play.run("CONFIG SET lua-time-limit 5");
        play.run("SET other 1");
        play.stream();
        let script = "EVAL \"redis.call('set', KEYS[1], 'v') while true do end\" 1 k";
        let (heard, _) = meanwhile(&mut play, script, &["SCRIPT KILL", "GET k", "SHUTDOWN NOSAVE"]);
        assert!(heard[0].starts_with("-UNKILLABLE Sorry the script already executed write commands"), "{heard:?}");
        assert!(heard[1].starts_with("-BUSY "), "{heard:?}");
        // Half of what it was to do is not what replicas hear last.
        assert!(play.engine.stop.is_some());
        assert_eq!(play.stream(), "");
    }

    #[test]
    fn functions_are_ended_by_their_own_name_and_told() {
        let mut play = Play::new("redis-7.0");
        play.run("CONFIG SET busy-reply-threshold 5");
        play.run(r##"FUNCTION LOAD "#!lua name=l\nredis.register_function('f', function() while true do end end)""##);
        let lines = ["FUNCTION STATS", "SCRIPT KILL", "FUNCTION KILL"];
        let (heard, ended) = meanwhile(&mut play, "FCALL f 0", &lines);
        assert!(
            heard[0].contains("running_script\r\n*6\r\n$4\r\nname\r\n$1\r\nf\r\n$7\r\ncommand\r\n*3\r\n$5\r\nFCALL")
        );
        assert_eq!(
            heard[1],
            "-BUSY Redis is busy running a script. You can only call FUNCTION KILL or SHUTDOWN NOSAVE."
        );
        assert_eq!(heard[2], "+OK");
        assert_eq!(ended, "-ERR Script killed by user with FUNCTION KILL. script: f, on @user_function:2.");
    }

    #[test]
    fn what_a_script_does_is_one_unit_whoever_is_heard_meanwhile() {
        let mut play = Play::new("redis-7.0");
        play.run("CONFIG SET lua-time-limit 5");
        play.stream();
        let script = "EVAL \"redis.call('set', 'a', 1) for i = 1, 3000000 do end redis.call('set', 'b', 2)\" 0";
        let speaker = Rc::new(Speaker { now: Cell::new(play.now), ..Speaker::default() });
        speaker.lines.borrow_mut().extend(["PING"; 1000]);
        play.engine.set_attendant(speaker.clone());
        assert_eq!(play.run(script), "(nil)");
        assert!(speaker.heard.borrow().len() > 2);
        assert_eq!(
            play.stream(),
            "MULTI | SET a 1 | SET b 2 | EXEC".to_lowercase().replace("multi", "MULTI").replace("exec", "EXEC")
        );
    }
}
