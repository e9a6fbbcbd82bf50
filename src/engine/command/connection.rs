//! Commands about the connection itself.

use super::{Context, Flag, Keys, Outcome, Spec};
use crate::engine::args::Args;
use crate::engine::error::CommandError;

pub(super) const COMMANDS: &[Spec] = &[
    Spec::new("PING", -1, &[Flag::Fast, Flag::Loading, Flag::Stale], Keys::NONE, ping),
    Spec::new("ECHO", 2, &[Flag::Fast, Flag::Loading, Flag::Stale], Keys::NONE, echo),
    Spec::new("SELECT", 2, &[Flag::Fast, Flag::Loading, Flag::Stale], Keys::NONE, select),
];

fn ping(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    match args.len() {
        1 => context.reply.raw(b"+PONG\r\n"),
        2 => context.reply.bulk(args.get(1)),
        _ => return Err(CommandError::arity("ping")),
    }
    Ok(())
}

fn echo(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    context.reply.bulk(args.get(1));
    Ok(())
}

fn select(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let db = usize::try_from(args.integer(1)?).ok().filter(|db| *db < context.engine.keyspace.databases());
    context.session.db = db.ok_or(CommandError::fixed("ERR DB index is out of range"))?;
    context.reply.ok();
    Ok(())
}
