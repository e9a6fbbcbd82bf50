//! Replication: what replicas say, who is followed, who has what.

use super::{Context, Flag, Keys, Outcome, Spec};
use crate::engine::args::Args;
use crate::engine::clients::{Blocked, BlockedOn, Queue};
use crate::engine::error::CommandError;
use crate::engine::log::Level;
use crate::repl::master::FailoverRequest;
use crate::units::{Moment, Offset};

const ADMIN: &[Flag] = &[Flag::Admin, Flag::Stale, Flag::NoScript];
const ANYTIME: &[Flag] = &[Flag::Admin, Flag::Loading, Flag::Stale, Flag::NoScript];

pub(super) const COMMANDS: &[Spec] = &[
    Spec::new("REPLICAOF", 3, ADMIN, Keys::NONE, replicaof).since(5, 0),
    Spec::new("SLAVEOF", 3, ADMIN, Keys::NONE, replicaof),
    Spec::new("REPLCONF", -1, ANYTIME, Keys::NONE, replconf),
    Spec::new("PSYNC", -3, &[Flag::Admin, Flag::NoScript], Keys::NONE, replconf),
    Spec::new("SYNC", 1, &[Flag::Admin, Flag::NoScript], Keys::NONE, replconf),
    Spec::new("ROLE", 1, &[Flag::Fast, Flag::Loading, Flag::Stale, Flag::NoScript], Keys::NONE, role),
    Spec::new("WAIT", 3, &[Flag::Blocking], Keys::NONE, wait).since(3, 0),
    Spec::new("WAITAOF", 4, &[Flag::Blocking], Keys::NONE, waitaof).since(7, 2),
    Spec::new("FAILOVER", -1, ADMIN, Keys::NONE, failover).since(6, 2),
];

fn replicaof(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let now = context.now;
    let by = context.session.line(now, context.engine.dialect);
    if args.is(1, "NO") && args.is(2, "ONE") {
        context.engine.unfollow(now);
        context.engine.note(Level::Notice, format!("REPLICAOF NO ONE (user request from '{by}')"));
        context.reply.ok();
        return Ok(());
    }
    let invalid = CommandError::fixed("ERR Invalid master port");
    let port = match context.engine.dialect.since(7, 0) {
        true => args.integer(2).map_err(|_| invalid.clone())?,
        false => args.integer(2)?,
    };
    let port = u16::try_from(port).map_err(|_| invalid)?;
    let host = String::from_utf8_lossy(args.get(1)).into_owned();
    if context.engine.followed().is_some_and(|followed| *followed == (host.clone(), port)) {
        context.reply.status("OK Already connected to specified master");
        return Ok(());
    }
    let start = context.engine.own_place();
    context.engine.follow(&host, port, start, now);
    context.engine.note(Level::Notice, format!("REPLICAOF {host}:{port} enabled (user request from '{by}')"));
    context.reply.ok();
    Ok(())
}

/// REPLCONF, PSYNC and SYNC: the master's end answers.
fn replconf(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let words: Vec<&[u8]> = args.from(0).collect();
    let pending = !context.reply.is_empty();
    let answer = context.engine.replica_command(context.session, &words, pending, context.now);
    context.reply.raw(&answer);
    Ok(())
}

fn role(context: &mut Context<'_>, _: Args<'_>) -> Outcome {
    let engine = &*context.engine;
    let reply = &mut *context.reply;
    if let (Some((host, port)), Some(replica)) = (engine.followed(), engine.replica.as_ref()) {
        reply.array(5);
        reply.bulk(b"slave");
        reply.bulk(host.as_bytes());
        reply.integer((*port).into());
        reply.bulk(replica.role_state().as_bytes());
        reply.integer(if replica.is_up() { replica.applied().0 as i64 } else { -1 });
        return Ok(());
    }
    let replicas: Vec<_> =
        engine.master.replicas(Moment::at(context.now)).filter(|replica| replica.state == "online").collect();
    reply.array(3);
    reply.bulk(b"master");
    reply.integer(engine.master.offset().0 as i64);
    reply.array(replicas.len());
    for replica in replicas {
        reply.array(3);
        reply.bulk(replica.host.as_bytes());
        reply.bulk(replica.port.to_string().as_bytes());
        reply.bulk(replica.offset.to_string().as_bytes());
    }
    Ok(())
}

fn wait(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    if context.engine.is_replica() {
        return Err(CommandError::fixed(
            "ERR WAIT cannot be used with replica instances. Please also note that writes to replicas are just local and are not propagated.",
        ));
    }
    let count = usize::try_from(args.integer(1)?).unwrap_or(0);
    let until = wait_until(context, args, 2)?;
    let offset = context.engine.master.offset();
    let have = context.engine.master.acknowledged(offset);
    if have >= count || context.is_in_transaction() {
        context.reply.count(have);
        return Ok(());
    }
    wait_for(context, count, offset, until, false);
    Ok(())
}

/// WAITAOF numlocal numreplicas timeout. There is no append-only file here; replicas tell of theirs.
fn waitaof(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let local = args.integer(1)?;
    if !(0..=1).contains(&local) {
        return Err(CommandError::fixed("ERR value is out of range, must be between 0 and 1"));
    }
    let count = args.at_least(2, 0, CommandError::NEGATIVE_TEXT)?;
    let until = wait_until(context, args, 3)?;
    if context.engine.is_replica() {
        return Err(CommandError::fixed(
            "ERR WAITAOF cannot be used with replica instances. Please also note that writes to replicas are just local and are not propagated.",
        ));
    }
    if local > 0 {
        return Err(CommandError::fixed("ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled."));
    }
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    let offset = context.engine.master.offset();
    let have = context.engine.master.fsynced(offset);
    if have >= count || context.is_in_transaction() {
        context.reply.array(2);
        context.reply.integer(0);
        context.reply.count(have);
        return Ok(());
    }
    wait_for(context, count, offset, until, true);
    Ok(())
}

/// A timeout in milliseconds as a time; 0 is for ever.
fn wait_until(context: &Context<'_>, args: Args<'_>, index: usize) -> Result<Option<i64>, CommandError> {
    let timeout =
        args.integer(index).map_err(|_| CommandError::fixed("ERR timeout is not an integer or out of range"))?;
    if timeout < 0 {
        return Err(CommandError::fixed("ERR timeout is negative"));
    }
    Ok((timeout > 0).then(|| context.now.saturating_add(timeout)))
}

fn wait_for(context: &mut Context<'_>, count: usize, offset: Offset, until: Option<i64>, on_disk: bool) {
    let on = BlockedOn::Replicas { count, offset: offset.0, on_disk };
    context.session.blocked = Some(Blocked { until, on, command: Queue::default() });
    context.engine.awaits_replicas.push(context.session.id);
    context.engine.request_acks(context.now);
}

fn failover(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let now = Moment::at(context.now);
    let error = |text: &str| CommandError::new(format!("ERR {text}"));
    if args.len() == 2 && args.is(1, "ABORT") {
        context.engine.master.abort_failover(now).map_err(error)?;
    } else {
        let (mut request, mut index) = (FailoverRequest::default(), 1);
        while index < args.len() {
            match () {
                () if args.is(index, "TO") && index + 2 < args.len() => {
                    let port = u16::try_from(args.integer(index + 2)?).map_err(|_| CommandError::NOT_INTEGER)?;
                    request.target = Some((String::from_utf8_lossy(args.get(index + 1)).into_owned(), port));
                    index += 3;
                }
                () if args.is(index, "TIMEOUT") && index + 1 < args.len() => {
                    let timeout = u64::try_from(args.integer(index + 1)?).ok().filter(|timeout| *timeout > 0);
                    request.timeout =
                        Some(timeout.ok_or(CommandError::fixed("ERR FAILOVER timeout must be greater than 0"))?);
                    index += 2;
                }
                () if args.is(index, "FORCE") => {
                    request.force = true;
                    index += 1;
                }
                () => return Err(CommandError::SYNTAX),
            }
        }
        context.engine.master.failover(request, now).map_err(error)?;
    }
    context.engine.collect(context.now);
    context.reply.ok();
    Ok(())
}

impl crate::engine::Engine {
    /// Asks the replicas for ACKs.
    fn request_acks(&mut self, now: i64) {
        self.master.request_acks(Moment::at(now));
        self.collect(now);
    }

    /// Answers those whose WAIT is over because enough replicas have it.
    pub(in crate::engine) fn serve_acknowledged(&mut self) {
        let (clients, master, delivered) = (&mut self.clients, &self.master, &mut self.delivered);
        self.awaits_replicas.retain(|id| {
            let Some(session) = clients.get_mut(*id) else { return false };
            let Some(Blocked { on: BlockedOn::Replicas { count, offset, on_disk }, .. }) = session.blocked else {
                return false;
            };
            let have = if on_disk { master.fsynced(Offset(offset)) } else { master.acknowledged(Offset(offset)) };
            if have >= count {
                session.blocked = None;
                let answer = if on_disk { format!("*2\r\n:0\r\n:{have}\r\n") } else { format!(":{have}\r\n") };
                delivered.push((*id, answer.into_bytes()));
            }
            have < count
        });
    }
}
