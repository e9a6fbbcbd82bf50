//! Runs a script for a client or for the master: calls commands for it, answers with what it gives, and sees to its
//! effects.

use std::rc::Rc;

use mlua::{Lua, Value};

use super::convert::{Answer, to_lua};
use super::random::Lrand48;
use super::sandbox::{ANSWERED, ATTEND, CALL, FINE, Failure, REFUSED, Shared, TO_REPLICAS, coded};
use super::{Flags, OLD, Ready, Scripts, digest};
use crate::engine::args::Args;
use crate::engine::busy::Begun;
use crate::engine::command::{Flag, Outcome, Spec};
use crate::engine::context::{Context, Origin};
use crate::engine::core::answer_nothing;
use crate::engine::dialect::{Dialect, Family};
use crate::engine::error::CommandError;
use crate::engine::eviction::NO_MEMORY;
use crate::engine::guards::{NO_REPLICAS, STALE};
use crate::engine::reply::Reply;
use crate::engine::value::Blob;

/// Who calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::engine) enum Caller {
    /// EVAL: the text comes along.
    Eval,
    /// EVALSHA: the digest does.
    EvalSha,
}

/// The keys among the arguments from the third on, and the others.
fn split(args: Args<'_>, of_function: bool) -> Result<usize, CommandError> {
    let count = crate::engine::value::integer(args.get(2));
    let count = match count {
        Some(count) => count,
        None if of_function => return Err(CommandError::fixed("ERR Bad number of keys provided")),
        None => return Err(CommandError::NOT_INTEGER),
    };
    match usize::try_from(count) {
        Err(_) => Err(CommandError::fixed("ERR Number of keys can't be negative")),
        Ok(count) if count > args.len() - 3 => {
            Err(CommandError::fixed("ERR Number of keys can't be greater than number of args"))
        }
        Ok(count) => Ok(count),
    }
}

/// EVAL and its like.
pub(in crate::engine) fn eval(context: &mut Context<'_>, args: Args<'_>, caller: Caller, read_only: bool) -> Outcome {
    let keys = split(args, false)?;
    let of_master = context.origin == Origin::Master;
    let mut scripts = std::mem::take(&mut context.engine.scripts);
    let outcome = eval_with(&mut scripts, context, args, caller, read_only, keys, of_master);
    context.engine.scripts = scripts;
    outcome
}

fn eval_with(
    scripts: &mut Scripts,
    context: &mut Context<'_>,
    args: Args<'_>,
    caller: Caller,
    read_only: bool,
    keys: usize,
    of_master: bool,
) -> Outcome {
    let dialect = context.engine.dialect;
    let ready = match caller {
        Caller::Eval => scripts.ready_by_text(args.get(1), dialect, of_master)?,
        Caller::EvalSha => {
            let sha = digest(args.get(1)).ok_or_else(|| super::no_script(dialect))?;
            scripts.ready(sha, dialect, of_master)?
        }
    };
    let Ready { sha, work, flags } = ready;
    let named = std::str::from_utf8(&sha).unwrap_or_default();
    check(context, flags, read_only)?;
    let functions = scripts.functions();
    let side = if of_master { &scripts.masters } else { &scripts.own };
    let Some(sandbox) = &side.sandbox else {
        return Err(CommandError::fixed("ERR no interpreter"));
    };
    let rules = if of_master { OLD } else { dialect };
    let whole = of_master || !dialect.since(5, 0);
    if !rules.since(7, 0) {
        sandbox.shared.random.set(Lrand48::seeded(0));
    }
    sandbox.shared.whole.set(whole);
    sandbox.shared.most_slices.set(scripts.most_slices);
    let what = What { args, name: named.as_bytes(), of_function: false, functions };
    let mut run = Run::new(context, sandbox.shared.clone(), rules, flags, read_only, what);
    let before = run.begin();
    let words = args.from(3);
    let value = sandbox.run(&work, true, words.clone().take(keys), words.skip(keys), |lua, asked| run.way(lua, asked));
    let outcome = run.end(before, value, named);
    let whole = sandbox.shared.whole.get();
    if !whole {
        context.keep_from_stream();
    } else if context.changes > 0 && caller == Caller::EvalSha {
        // Who has not seen the script must see it now.
        let text = scripts.text(sha.as_slice()).cloned().unwrap_or_default();
        let words: Vec<&[u8]> = [&b"EVAL"[..], &text].into_iter().chain(args.from(2)).collect();
        context.propagate(&words);
    }
    outcome
}

/// FCALL and FCALL_RO.
pub(in crate::engine) fn fcall(context: &mut Context<'_>, args: Args<'_>, read_only: bool) -> Outcome {
    let dialect = context.engine.dialect;
    let mut scripts = std::mem::take(&mut context.engine.scripts);
    scripts.sync(&context.engine.functions, dialect);
    let outcome = fcall_with(&scripts, context, args, read_only);
    context.engine.scripts = scripts;
    context.keep_from_stream();
    outcome
}

fn fcall_with(scripts: &Scripts, context: &mut Context<'_>, args: Args<'_>, read_only: bool) -> Outcome {
    let dialect = context.engine.dialect;
    let function = scripts.function(args.get(1)).ok_or(CommandError::fixed("ERR Function not found"))?;
    let keys = split(args, true)?;
    check(context, Some(function.flags), read_only)?;
    let Some(sandbox) = &scripts.functions else { return Err(CommandError::fixed("ERR no interpreter")) };
    sandbox.shared.whole.set(false);
    sandbox.shared.most_slices.set(scripts.most_slices);
    let name = String::from_utf8_lossy(&function.name).into_owned();
    let what = What { args, name: &function.name, of_function: true, functions: scripts.functions() };
    let mut run = Run::new(context, sandbox.shared.clone(), dialect, Some(function.flags), read_only, what);
    let before = run.begin();
    let words = args.from(3);
    let (keys, rest) = (words.clone().take(keys), words.skip(keys));
    let value = sandbox.run(&function.work, false, keys, rest, |lua, asked| run.way(lua, asked));
    run.end(before, value, &name)
}

/// Whether a script that says what it does may run at all.
fn check(context: &Context<'_>, flags: Option<Flags>, read_only: bool) -> Outcome {
    let (engine, of_master) = (&*context.engine, context.origin == Origin::Master);
    let stale = !of_master && engine.is_stale();
    let Some(flags) = flags else { return if stale { Err(STALE) } else { Ok(()) } };
    let valkey = engine.dialect.family == Family::Valkey;
    if stale && !flags.has(Flags::ALLOW_STALE) {
        return Err(CommandError::fixed(
            "MASTERDOWN Link with MASTER is down, replica-serve-stale-data is set to 'no' and 'allow-stale' flag is not set on the script.",
        ));
    }
    if !flags.has(Flags::NO_WRITES) {
        if !of_master && engine.is_read_only() {
            return Err(CommandError::fixed("READONLY Can not run script with write flag on readonly replica"));
        }
        if !of_master && engine.saving.failed && !engine.is_replica() && engine.cannot_save() {
            return Err(CommandError::new(format!(
                "MISCONF {} is configured to save RDB snapshots, but it's currently unable to persist to disk. Writable scripts are blocked. Use 'no-writes' flag for read only scripts.",
                if valkey { "Valkey" } else { "Redis" }
            )));
        }
        if read_only {
            return Err(CommandError::fixed("ERR Can not execute a script with write flag using *_ro command."));
        }
        if !of_master && engine.lacks_replicas(context.now) {
            return Err(NO_REPLICAS);
        }
    }
    if !of_master && !flags.has(Flags::ALLOW_OOM) && !flags.has(Flags::NO_WRITES) && engine.full {
        return Err(CommandError::fixed(
            "OOM allow-oom flag is not set on the script, can not run it when used memory > 'maxmemory'",
        ));
    }
    Ok(())
}

/// What runs.
#[derive(Clone, Copy)]
struct What<'a> {
    /// The command that runs it.
    args: Args<'a>,
    /// The function's name, or the script's digest.
    name: &'a [u8],
    of_function: bool,
    /// How many functions there are.
    functions: usize,
}

/// A script under way.
struct Run<'a, 'e> {
    context: &'a mut Context<'e>,
    shared: Rc<Shared>,
    /// By whose rules.
    rules: Dialect,
    read_only: bool,
    /// Memory does not matter to it.
    allow_oom: bool,
    what: What<'a>,
    /// The dialect of all others.
    dialect: Dialect,
    /// It has called a command whose answer is not always the same.
    random: bool,
    /// It has called a command that writes.
    wrote: bool,
    /// MULTI is in the stream.
    opened: bool,
    /// It runs inside a transaction.
    in_transaction: bool,
    /// The database of who runs it.
    own_db: usize,
    changed: u64,
    reply: Vec<u8>,
}

/// The session as it was before the script.
struct Before {
    db: usize,
    resp3: bool,
    executes: bool,
    dialect: Dialect,
    changes: u64,
}

impl<'a, 'e> Run<'a, 'e> {
    fn new(
        context: &'a mut Context<'e>,
        shared: Rc<Shared>,
        rules: Dialect,
        flags: Option<Flags>,
        read_only: bool,
        what: What<'a>,
    ) -> Self {
        let allow_oom = flags.is_some_and(|flags| flags.has(Flags::ALLOW_OOM) || flags.has(Flags::NO_WRITES));
        let dialect = context.engine.dialect;
        shared.attended.set(context.engine.attendant.is_some());
        let read_only = read_only || flags.is_some_and(|flags| flags.has(Flags::NO_WRITES));
        shared.wrote.set(false);
        Self {
            context,
            shared,
            rules,
            read_only,
            allow_oom,
            what,
            dialect,
            random: false,
            wrote: false,
            opened: false,
            in_transaction: false,
            own_db: 0,
            changed: 0,
            reply: Vec::new(),
        }
    }

    fn begin(&mut self) -> Before {
        let Context { engine, session, .. } = &mut *self.context;
        let before = Before {
            db: session.db,
            resp3: session.resp3,
            executes: session.executes,
            dialect: engine.dialect,
            changes: engine.stats.changes,
        };
        session.resp3 = false;
        session.executes = true;
        (self.in_transaction, self.own_db) = (before.executes, before.db);
        engine.dialect = self.rules;
        before
    }

    /// Answers.
    fn end(mut self, before: Before, value: Result<Value, Failure>, name: &str) -> Outcome {
        let Context { engine, session, .. } = &mut *self.context;
        (session.db, session.resp3, session.executes) = (before.db, before.resp3, before.executes);
        engine.dialect = before.dialect;
        engine.stream.set_muted(false);
        engine.is_idle_again();
        if self.opened {
            engine.stream.push(before.db, [&b"EXEC"[..]].into_iter());
        }
        for (level, text) in self.shared.notes.take() {
            engine.note(level, text);
        }
        self.changed = engine.stats.changes - before.changes;
        if self.shared.whole.get() {
            // They are told again as those of the script.
            engine.stats.changes = before.changes;
            self.context.changes += self.changed;
        }
        let failure = match value {
            Ok(value) => {
                let answer = Answer::new(self.rules, self.shared.resp3.get());
                let written = self.context.reply.len();
                match answer.write(self.context.reply, &value) {
                    Ok(()) => {
                        for error in answer.errors.take() {
                            self.context.engine.count_error(&error);
                        }
                        return Ok(());
                    }
                    Err(error) => {
                        self.context.reply.truncate(written);
                        Failure { text: super::thrown::words(&error), raw: true, ..Failure::default() }
                    }
                }
            }
            Err(failure) => failure,
        };
        let error = CommandError::new(self.words(&failure, name));
        // What has been done stays done, so that this is an answer, and no failure of the command.
        self.context.reply.error(&error);
        if !failure.counted {
            self.context.engine.count_error(&error);
        }
        Ok(())
    }

    fn words(&self, failure: &Failure, name: &str) -> String {
        let Failure { text, place, raw, .. } = failure;
        if !self.rules.since(7, 0) {
            return format!("ERR Error running script (call to f_{name}): {text}");
        }
        if *raw {
            let cut: String = text.chars().take(100).collect();
            return format!("ERR Error running script {name}, {cut}");
        }
        match place {
            Some((source, line)) if self.rules.is_valkey_since(9, 0) => format!("{text} script: on {source}:{line}."),
            Some((source, line)) => format!("{text} script: {name}, on {source}:{line}."),
            None => text.clone(),
        }
    }

    /// Does what a script asks for.
    fn way(&mut self, lua: &Lua, asked: i64) -> mlua::Result<(i64, Value)> {
        if asked == ATTEND {
            self.attend();
            return Ok((FINE, Value::Nil));
        }
        let text = |text: &str| Ok::<_, mlua::Error>(Value::String(lua.create_string(text)?));
        let words = self.shared.words.take();
        let args = Args::new(&words.wire, &words.ranges, Some(&words.wire));
        let answer = match asked {
            CALL => match self.find(args) {
                Ok(spec) => self.call(lua, spec, args),
                Err(problem) => {
                    self.count_refused(args, &problem);
                    Ok((REFUSED, text(&problem)?))
                }
            },
            _ => match self.context.engine.called(args) {
                Ok(spec) => Ok((FINE, Value::Boolean(self.may_run(spec, args)))),
                Err(_) => {
                    let redis = "Invalid command passed to redis.acl_check_cmd()";
                    let valkey = "Invalid command passed to server.acl_check_cmd()";
                    Ok((REFUSED, text(self.say([redis, redis, valkey]))?))
                }
            },
        };
        self.shared.words.replace(words);
        answer
    }

    /// Since 7.0 what a script is refused counts as what a client is.
    #[cold]
    fn count_refused(&mut self, args: Args<'_>, problem: &str) {
        if !self.rules.since(7, 0) || self.context.origin == Origin::Master {
            return;
        }
        self.context.engine.count_error(&CommandError::new(coded(problem)));
        if let Ok(spec) = self.context.engine.called(args) {
            self.context.engine.measures.reject(spec);
        }
    }

    /// The script has run for a while: others are looked after, if that is too long.
    fn attend(&mut self) {
        let Context { engine, session, origin, now, .. } = &mut *self.context;
        let (what, wrote) = (self.what, self.wrote);
        let (resp3, executes) = (session.resp3, session.executes);
        engine.dialect = self.dialect;
        let killed = engine.attend(&|| Begun {
            of_function: what.of_function,
            origin: *origin,
            wrote,
            name: what.name.into(),
            command: what.args.from(0).map(Blob::from).collect(),
            since: *now,
            functions: what.functions,
        });
        engine.dialect = self.rules;
        (session.resp3, session.executes) = (resp3, executes);
        if let Some(words) = killed {
            self.shared.kill(words);
        }
    }

    fn may_run(&self, spec: &Spec, args: Args<'_>) -> bool {
        let engine = &*self.context.engine;
        !engine.users.are_restricted() || engine.permit(self.context.session, spec, args).is_ok()
    }

    /// The command, if the script may call it.
    fn find(&mut self, args: Args<'_>) -> Result<&'static Spec, String> {
        let modern = self.rules.since(7, 0);
        let engine = &*self.context.engine;
        let of_master = self.context.origin == Origin::Master;
        let told = |words| Err(self.say(words).to_owned());
        let spec = if of_master { engine.known(args).ok_or(None) } else { engine.called(args).map_err(Some) };
        let spec = match spec {
            Ok(spec) => spec,
            // It says what it would say to a client, of a command that has subcommands.
            Err(Some(error)) if self.rules.is_valkey_since(9, 0) && error.text().contains("subcommand") => {
                return Err(format!("-{}", error.text()));
            }
            Err(_) => {
                return told([
                    "Unknown Redis command called from Lua script",
                    "Unknown Redis command called from script",
                    "Unknown command called from script",
                ]);
            }
        };
        let fits = if of_master { spec.takes(args.len()) } else { spec.takes_in(args.len(), self.rules) };
        if !fits {
            return told([
                "Wrong number of args calling Redis command From Lua script",
                "Wrong number of args calling Redis command from script",
                "Wrong number of args calling command from script",
            ]);
        }
        if spec.is_denied_to_scripts(self.rules) && !engine.scripts_may_all {
            let new = "This Redis command is not allowed from script";
            let valkey =
                if self.rules.is_valkey_since(9, 0) { "This Valkey command is not allowed from script" } else { new };
            return told(["This Redis command is not allowed from scripts", new, valkey]);
        }
        if !of_master && !spec.has(Flag::Stale) && engine.is_stale() && modern {
            return Err("Can not execute the command on a stale replica".to_owned());
        }
        if !of_master && !self.may_run(spec, args) {
            return Err(self.no_permission(spec));
        }
        let writes = spec.has(Flag::Write);
        if self.read_only && (writes || spec.has(Flag::MayReplicate)) {
            return Err("Write commands are not allowed from read-only scripts.".to_owned());
        }
        if writes && !(self.wrote && modern) {
            if self.shared.whole.get() && self.random && !of_master {
                return Err("Write commands not allowed after non deterministic commands. Call redis.replicate_commands() at the start of your script in order to switch to single commands replication mode.".to_owned());
            }
            if !of_master && let Err(error) = engine.refuses_writes(self.context.now) {
                return Err(format!("-{}", error.text()));
            }
        }
        if spec.has(Flag::DenyOom) && !self.wrote && !self.allow_oom && !of_master && engine.full {
            return Err(format!("-{}", NO_MEMORY.text()));
        }
        Ok(spec)
    }

    /// The words of before 7.0, those since then, Valkey's.
    fn say(&self, words: [&'static str; 3]) -> &'static str {
        super::say(self.rules, words)
    }

    fn no_permission(&self, spec: &Spec) -> String {
        if !self.rules.since(7, 2) {
            return "The user executing the script can't run this command or subcommand".to_owned();
        }
        let user = String::from_utf8_lossy(self.context.session.user.as_deref().unwrap_or(b"default")).into_owned();
        let command = spec.name.to_ascii_lowercase();
        format!("ACL failure in script: User {user} has no permissions to run the '{command}' command")
    }

    fn call(&mut self, lua: &Lua, spec: &'static Spec, args: Args<'_>) -> mlua::Result<(i64, Value)> {
        self.random |= spec.is_random();
        let whole = self.shared.whole.get();
        let goes = !whole && self.shared.effects.get() & TO_REPLICAS != 0;
        if spec.has(Flag::Write) {
            self.wrote = true;
            self.shared.wrote.set(true);
            self.open(whole);
        }
        let Context { engine, session, origin, now, .. } = &mut *self.context;
        engine.stream.set_muted(!goes);
        let mut reply = Reply::over(std::mem::take(&mut self.reply), self.shared.resp3.get());
        session.resp3 = self.shared.resp3.get();
        session.in_script = true;
        let asked = engine.run(spec, session, args, &mut reply, *origin, *now);
        session.resp3 = false;
        session.in_script = false;
        if asked.is_some() && reply.is_empty() {
            answer_nothing(args, &mut reply);
        }
        let bytes = reply.take();
        let mut rest = &bytes[..];
        let answer = match bytes.first() {
            Some(b'-') => {
                let line = bytes.split(|byte| *byte == b'\r').next().and_then(|line| line.get(1..)).unwrap_or_default();
                (ANSWERED, Value::String(lua.create_string(line)?))
            }
            _ => {
                let value = to_lua(lua, &mut rest)?;
                if whole
                    && spec.is_sorted_for_scripts()
                    && let Value::Table(list) = &value
                {
                    sort(list)?;
                }
                (FINE, value)
            }
        };
        self.reply = bytes;
        self.reply.clear();
        Ok(answer)
    }

    /// Before 7.0 a script's first write put MULTI into the stream, whatever came of it.
    fn open(&mut self, whole: bool) {
        if self.opened
            || self.in_transaction
            || whole
            || self.shared.effects.get() == 0
            || self.rules.since(7, 0)
            || self.context.origin == Origin::Master
        {
            return;
        }
        self.opened = true;
        let engine = &mut *self.context.engine;
        engine.stream.set_idle(engine.master.backlog().is_none());
        engine.stream.set_muted(false);
        engine.stream.push(self.own_db, [&b"MULTI"[..]].into_iter());
    }
}

/// Puts a list of strings in order.
fn sort(list: &mlua::Table) -> mlua::Result<()> {
    let mut words: Vec<Value> = list.sequence_values().collect::<mlua::Result<_>>()?;
    let key = |value: &Value| value.as_string().map(|text| text.as_bytes().to_vec());
    words.sort_by_cached_key(key);
    for (index, word) in words.into_iter().enumerate() {
        list.raw_set(index + 1, word)?;
    }
    Ok(())
}
