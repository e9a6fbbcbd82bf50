//! CONFIG: directives read, set and written back.

use super::{Context, Flag, Keys, Outcome, Spec, help};
use crate::engine::args::Args;
use crate::engine::config::{Config, ConfigError};
use crate::engine::error::CommandError;
use crate::engine::glob;
use crate::engine::log::Level;

const ADMIN: &[Flag] = &[Flag::Admin, Flag::Loading, Flag::Stale, Flag::NoScript];

pub(super) const COMMANDS: &[Spec] = &[
    Spec::container("CONFIG", ADMIN, Keys::NONE),
    Spec::new("CONFIG|GET", -3, ADMIN, Keys::NONE, get).before(7, 0, 3),
    Spec::new("CONFIG|SET", -4, ADMIN, Keys::NONE, set).before(7, 0, 4),
    Spec::new("CONFIG|RESETSTAT", 2, ADMIN, Keys::NONE, resetstat),
    Spec::new("CONFIG|REWRITE", 2, ADMIN, Keys::NONE, rewrite),
    Spec::new("CONFIG|HELP", 2, &[Flag::Loading, Flag::Stale], Keys::NONE, help).since(5, 0),
];

fn get(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let mut found: Vec<(&'static str, String)> = Vec::new();
    for pattern in args.from(2) {
        for (name, value) in context.engine.config.matching(pattern) {
            if !found.iter().any(|(known, _)| *known == name) {
                found.push((name, value.to_owned()));
            }
        }
    }
    let master = context.engine.followed().map_or_else(String::new, |(host, port)| format!("{host} {port}"));
    for name in ["replicaof", "slaveof"] {
        if args.from(2).any(|pattern| glob::matches(&pattern.to_ascii_lowercase(), name.as_bytes())) {
            found.push((name, master.clone()));
        }
    }
    context.reply.map(found.len());
    for (name, value) in found {
        context.reply.bulk(name.as_bytes());
        context.reply.bulk(value.as_bytes());
    }
    Ok(())
}

/// All or nothing.
fn set(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    if !args.len().is_multiple_of(2) {
        return Err(CommandError::SYNTAX);
    }
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let since_7 = context.engine.dialect.since(7, 0);
    let mut changed = context.engine.config.clone();
    let mut seen: Vec<&'static str> = Vec::new();
    for (name, value) in args.from(2).step_by(2).zip(args.from(3).step_by(2)) {
        let (name, value) = (text(name), text(value));
        let fault = match changed.set(&name, &value) {
            Ok(canonical) if seen.contains(&canonical) => ConfigError::Invalid("duplicate parameter".to_owned()),
            Ok(canonical) => {
                seen.push(canonical);
                continue;
            }
            Err(error) => error,
        };
        return Err(CommandError::new(match fault {
            ConfigError::Unknown(_) if since_7 => {
                format!("ERR Unknown option or number of arguments for CONFIG SET - '{name}'")
            }
            ConfigError::Unknown(_) | ConfigError::Immutable if !since_7 => {
                format!("ERR Unsupported CONFIG parameter: {name}")
            }
            error if since_7 => format!("ERR CONFIG SET failed (possibly related to argument '{name}') - {error}"),
            // Limits had no words of their own then.
            _ if name.eq_ignore_ascii_case("client-output-buffer-limit") => {
                format!("ERR Invalid argument '{value}' for CONFIG SET '{name}'")
            }
            error => {
                let error = error.to_string().replace("argument(s) must", "argument must");
                format!("ERR Invalid argument '{value}' for CONFIG SET '{name}' - {error}")
            }
        }));
    }
    listen_elsewhere(context, &changed)?;
    context.engine.config = changed;
    context.engine.refresh_settings();
    context.reply.ok();
    Ok(())
}

/// `bind` and `port`, where they are others than before.
fn listen_elsewhere(context: &mut Context<'_>, changed: &Config) -> Outcome {
    let engine = &mut *context.engine;
    let differs = |name: &str| engine.config.get(name) != changed.get(name);
    let (name, why) = match () {
        () if differs("port") => ("port", "Unable to listen on this port. Check server logs."),
        () if differs("bind") => ("bind", "Failed to bind to specified addresses."),
        () => return Ok(()),
    };
    let port = u16::try_from(changed.number("port")).unwrap_or(0);
    let listening = engine.listening.clone();
    let moved =
        listening.map_or_else(|| Err("nobody listens here".to_owned()), |it| it.listen(changed.get("bind"), port));
    match moved {
        Ok(()) => {
            engine.process.port = port;
            Ok(())
        }
        Err(error) => {
            engine.note(Level::Warning, format!("Listening elsewhere: {error}"));
            Err(CommandError::new(format!("ERR CONFIG SET failed (possibly related to argument '{name}') - {why}")))
        }
    }
}

fn resetstat(context: &mut Context<'_>, _: Args<'_>) -> Outcome {
    context.engine.reset_stats();
    context.reply.ok();
    Ok(())
}

/// Writes the configuration into its file: what was in it stays where it was.
fn rewrite(context: &mut Context<'_>, _: Args<'_>) -> Outcome {
    let engine = &mut *context.engine;
    let file =
        engine.config_file.as_ref().ok_or(CommandError::fixed("ERR The server is running without a config file"))?;
    let failed = |error: String| CommandError::new(format!("ERR Rewriting config file: {error}"));
    let before = file.read().map_err(failed)?;
    // Users are in the ACL file, if there is one.
    let users: Option<Vec<String>> = engine.dialect.since(6, 0).then(|| match engine.acl_file {
        Some(_) => Vec::new(),
        None => {
            let lines = engine.users.iter().map(|(name, user)| user.line(name, engine.dialect));
            lines.map(|line| line.strip_prefix("user ").unwrap_or(&line).to_owned()).collect()
        }
    });
    let after = engine.config.rewritten(&before, engine.dialect, engine.followed(), users.as_deref());
    if let Some(file) = &mut engine.config_file {
        file.write(&after).map_err(failed)?;
    }
    context.reply.ok();
    Ok(())
}
