//! MULTI, EXEC and WATCH.

use super::{Context, Flag, Keys, Outcome, Spec};
use crate::engine::args::Args;
use crate::engine::clients::Queue;
use crate::engine::context::Origin;
use crate::engine::core::answer_nothing;
use crate::engine::error::CommandError;

pub(super) const COMMANDS: &[Spec] = &[
    Spec::new("MULTI", 1, FLAGS, Keys::NONE, multi),
    Spec::new("EXEC", 1, &[Flag::Loading, Flag::Stale, Flag::NoScript, Flag::Transaction], Keys::NONE, exec),
    Spec::new("DISCARD", 1, FLAGS, Keys::NONE, discard),
    Spec::new("WATCH", -2, FLAGS, Keys::ALL, watch),
    Spec::new("UNWATCH", 1, &[Flag::Fast, Flag::Loading, Flag::Stale, Flag::NoScript], Keys::NONE, unwatch),
];

const FLAGS: &[Flag] = &[Flag::Fast, Flag::Loading, Flag::Stale, Flag::NoScript, Flag::Transaction];

fn multi(context: &mut Context<'_>, _: Args<'_>) -> Outcome {
    if context.session.queue.is_some() {
        return Err(CommandError::fixed("ERR MULTI calls can not be nested"));
    }
    context.session.queue = Some(Queue::default());
    context.reply.ok();
    Ok(())
}

fn discard(context: &mut Context<'_>, _: Args<'_>) -> Outcome {
    if context.session.queue.take().is_none() {
        return Err(CommandError::fixed("ERR DISCARD without MULTI"));
    }
    context.engine.unwatch(context.session);
    context.reply.ok();
    Ok(())
}

fn exec(context: &mut Context<'_>, _: Args<'_>) -> Outcome {
    let Some(queue) = context.session.queue.take() else {
        return Err(CommandError::fixed("ERR EXEC without MULTI"));
    };
    let broken = context.engine.is_broken(context.session, context.now);
    context.engine.unwatch(context.session);
    if queue.broken {
        return Err(CommandError::fixed("EXECABORT Transaction discarded because of previous errors."));
    }
    if broken {
        context.reply.null_array();
        return Ok(());
    }
    context.engine.stream.mark_transaction();
    context.reply.array(queue.commands.len());
    context.session.executes = true;
    for index in 0..queue.commands.len() {
        let args = queue.get(index);
        match context.engine.called(args) {
            Ok(spec) => {
                let before = context.reply.len();
                let asked = context.engine.run(spec, context.session, args, context.reply, Origin::Client, context.now);
                // Nothing waits inside a transaction: who would have to gets nothing at once.
                if asked.is_some() && context.reply.len() == before {
                    answer_nothing(args, context.reply);
                }
            }
            Err(error) => context.reply.error(&error),
        }
    }
    context.session.executes = false;
    Ok(())
}

fn watch(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    if context.session.queue.is_some() {
        return Err(CommandError::fixed("ERR WATCH inside MULTI is not allowed"));
    }
    for key in args.from(1) {
        context.engine.watch(context.session, key, context.now);
    }
    context.reply.ok();
    Ok(())
}

fn unwatch(context: &mut Context<'_>, _: Args<'_>) -> Outcome {
    context.engine.unwatch(context.session);
    context.reply.ok();
    Ok(())
}
