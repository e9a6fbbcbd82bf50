//! ACL: who may log in, and run what.

use super::{Context, Flag, Keys, Outcome, Spec, help};
use crate::engine::args::Args;
use crate::engine::dialect::Family;
use crate::engine::error::CommandError;

const ADMIN: &[Flag] = &[Flag::Admin, Flag::Loading, Flag::Stale, Flag::NoScript];
const ANYWHERE: &[Flag] = &[Flag::Loading, Flag::Stale, Flag::NoScript];

pub(super) const COMMANDS: &[Spec] = &[
    Spec::container("ACL", ADMIN, Keys::NONE).since(6, 0),
    Spec::new("ACL|WHOAMI", 2, ANYWHERE, Keys::NONE, whoami),
    Spec::new("ACL|USERS", 2, ADMIN, Keys::NONE, users),
    Spec::new("ACL|SETUSER", -3, ADMIN, Keys::NONE, setuser),
    Spec::new("ACL|DELUSER", -3, ADMIN, Keys::NONE, deluser),
    Spec::new("ACL|CAT", -2, ANYWHERE, Keys::NONE, cat),
    Spec::new("ACL|LOG", -2, ADMIN, Keys::NONE, log),
    Spec::new("ACL|LOAD", 2, ADMIN, Keys::NONE, no_file),
    Spec::new("ACL|SAVE", 2, ADMIN, Keys::NONE, no_file),
    Spec::new("ACL|HELP", 2, &[Flag::Loading, Flag::Stale], Keys::NONE, help),
];

fn whoami(context: &mut Context<'_>, _: Args<'_>) -> Outcome {
    let user = context.session.user.clone();
    context.reply.bulk(user.as_deref().unwrap_or(b"default"));
    Ok(())
}

fn users(context: &mut Context<'_>, _: Args<'_>) -> Outcome {
    let mut names: Vec<Vec<u8>> = context.engine.users.iter().map(|(name, _)| name.to_vec()).collect();
    if context.engine.users.get(b"default").is_none() {
        names.push(b"default".to_vec());
        names.sort();
    }
    context.reply.array(names.len());
    names.iter().for_each(|name| context.reply.bulk(name));
    Ok(())
}

fn setuser(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let rules = args.from(3);
    context
        .engine
        .users
        .change(args.get(2), rules)
        .map_err(|rule| CommandError::new(format!("ERR Error in ACL SETUSER modifier '{rule}': Syntax error")))?;
    context.reply.ok();
    Ok(())
}

fn deluser(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    if args.from(2).any(|name| name == b"default") {
        return Err(CommandError::fixed("ERR The 'default' user cannot be removed"));
    }
    let deleted = args.from(2).filter(|name| context.engine.users.remove(name)).count();
    context.reply.count(deleted);
    Ok(())
}

/// Rules name commands, not categories, here.
fn cat(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    match args.len() {
        2 => context.reply.array(0),
        3 => {
            let word = String::from_utf8_lossy(args.get(2));
            return Err(CommandError::new(format!("ERR Unknown category '{word}'")));
        }
        _ => return Err(CommandError::SYNTAX),
    }
    Ok(())
}

/// Nothing is written down.
fn log(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    match args.len() {
        3 if args.is(2, "RESET") => context.reply.ok(),
        2 => context.reply.array(0),
        _ => {
            args.integer(2)?;
            context.reply.array(0);
        }
    }
    Ok(())
}

fn no_file(context: &mut Context<'_>, _: Args<'_>) -> Outcome {
    Err(CommandError::fixed(match context.engine.dialect.family {
        Family::Redis => {
            "ERR This Redis instance is not configured to use an ACL file. You may want to specify users via the ACL SETUSER command and then issue a CONFIG REWRITE (assuming you have a Redis configuration file set) in order to store users in the Redis configuration."
        }
        Family::Valkey => {
            "ERR This instance is not configured to use an ACL file. You may want to specify users via the ACL SETUSER command and then issue a CONFIG REWRITE (assuming you have a configuration file set) in order to store users in the configuration."
        }
    }))
}
