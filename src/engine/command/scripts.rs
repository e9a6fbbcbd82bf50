//! EVAL and its like, SCRIPT, FCALL. What they run is in [`crate::engine::script`].

use super::{Context, Flag, Keys, Outcome, Spec};
use crate::engine::args::Args;
use crate::engine::context::Origin;
use crate::engine::error::CommandError;
use crate::engine::script::{self, Caller};

const EVAL: &[Flag] = &[Flag::Stale, Flag::NoScript, Flag::MayReplicate];
const EVAL_RO: &[Flag] = &[Flag::Read, Flag::Stale, Flag::NoScript];
const SCRIPT: &[Flag] = &[Flag::NoScript];

pub(super) const COMMANDS: &[Spec] = &[
    Spec::new("EVAL", -3, EVAL, Keys::NONE, eval),
    Spec::new("EVALSHA", -3, EVAL, Keys::NONE, evalsha),
    Spec::new("EVAL_RO", -3, EVAL_RO, Keys::NONE, eval_ro).since(7, 0),
    Spec::new("EVALSHA_RO", -3, EVAL_RO, Keys::NONE, evalsha_ro).since(7, 0),
    Spec::new("FCALL", -3, EVAL, Keys::NONE, fcall).since(7, 0),
    Spec::new("FCALL_RO", -3, EVAL_RO, Keys::NONE, fcall_ro).since(7, 0),
    Spec::container("SCRIPT", &[Flag::NoScript, Flag::MayReplicate], Keys::NONE),
    Spec::new("SCRIPT|DEBUG", 3, SCRIPT, Keys::NONE, debug).since_valkey_9(-3),
    Spec::new("SCRIPT|EXISTS", -3, SCRIPT, Keys::NONE, exists).before(7, 0, -2),
    Spec::new("SCRIPT|FLUSH", -2, &[Flag::NoScript, Flag::MayReplicate], Keys::NONE, flush),
    Spec::new("SCRIPT|HELP", 2, &[Flag::Loading, Flag::Stale], Keys::NONE, super::help),
    Spec::new("SCRIPT|KILL", 2, SCRIPT, Keys::NONE, kill),
    Spec::new("SCRIPT|LOAD", 3, &[Flag::Stale, Flag::NoScript, Flag::MayReplicate], Keys::NONE, load),
    Spec::new("SCRIPT|SHOW", 3, SCRIPT, Keys::NONE, show).only(|dialect| dialect.is_valkey_since(8, 0)),
];

fn eval(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    script::eval(context, args, Caller::Eval, false)
}

fn evalsha(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    script::eval(context, args, Caller::EvalSha, false)
}

fn eval_ro(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    script::eval(context, args, Caller::Eval, true)
}

fn evalsha_ro(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    script::eval(context, args, Caller::EvalSha, true)
}

fn fcall(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    script::fcall(context, args, false)
}

fn fcall_ro(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    script::fcall(context, args, true)
}

/// There is no debugger: who asks for none has that.
fn debug(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    if args.is(2, "YES") || args.is(2, "SYNC") {
        return Err(CommandError::fixed("ERR SCRIPT DEBUG is not supported"));
    }
    if !args.is(2, "NO") {
        return Err(CommandError::fixed("ERR Use SCRIPT DEBUG YES/SYNC/NO"));
    }
    context.reply.ok();
    Ok(())
}

fn exists(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    context.reply.array(args.len() - 2);
    for sha in args.from(2) {
        context.reply.flag(context.engine.scripts.has(sha));
    }
    Ok(())
}

/// Before 7.0 replicas had the master's scripts.
fn goes_on(context: &mut Context<'_>) {
    if !context.engine.dialect.since(7, 0) {
        context.changes += 1;
    }
}

fn flush(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    if args.len() > 3 || (args.len() == 3 && !args.is(2, "SYNC") && !args.is(2, "ASYNC")) {
        return Err(CommandError::fixed("ERR SCRIPT FLUSH only support SYNC|ASYNC option"));
    }
    context.engine.scripts.flush();
    goes_on(context);
    context.reply.ok();
    Ok(())
}

fn load(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let dialect = context.engine.dialect;
    let sha = context.engine.scripts.load(args.get(2), dialect, context.origin == Origin::Master)?;
    goes_on(context);
    context.reply.bulk(sha.as_bytes());
    Ok(())
}

fn show(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let text = context.engine.scripts.text(args.get(2));
    let text = text.ok_or_else(|| script::no_script(context.engine.dialect))?;
    context.reply.bulk(text);
    Ok(())
}

fn kill(context: &mut Context<'_>, _: Args<'_>) -> Outcome {
    context.engine.kill_script(false)?;
    context.reply.ok();
    Ok(())
}
