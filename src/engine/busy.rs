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
