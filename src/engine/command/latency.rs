//! SLOWLOG and LATENCY: what took long.

use std::fmt::Write;

use super::{Context, Flag, Keys, Outcome, Spec, help};
use crate::engine::args::Args;
use crate::engine::dialect::Dialect;
use crate::engine::error::CommandError;
use crate::engine::measure::{Slow, Spikes};

const ADMIN: &[Flag] = &[Flag::Admin, Flag::Loading, Flag::Stale, Flag::NoScript];
const OPERATOR: &[Flag] = &[Flag::Admin, Flag::Loading, Flag::Stale];
const ANYTIME: &[Flag] = &[Flag::Loading, Flag::Stale];

pub(super) const COMMANDS: &[Spec] = &[
    Spec::container("SLOWLOG", OPERATOR, Keys::NONE),
    Spec::new("SLOWLOG|GET", -2, OPERATOR, Keys::NONE, slowlog_get),
    Spec::new("SLOWLOG|LEN", 2, OPERATOR, Keys::NONE, slowlog_len),
    Spec::new("SLOWLOG|RESET", 2, OPERATOR, Keys::NONE, slowlog_reset),
    Spec::new("SLOWLOG|HELP", 2, ANYTIME, Keys::NONE, help).since(5, 0),
    Spec::container("COMMANDLOG", OPERATOR, Keys::NONE).only(logs_more),
    Spec::new("COMMANDLOG|GET", 4, OPERATOR, Keys::NONE, commandlog_get).only(logs_more),
    Spec::new("COMMANDLOG|LEN", 3, OPERATOR, Keys::NONE, commandlog_len).only(logs_more),
    Spec::new("COMMANDLOG|RESET", 3, OPERATOR, Keys::NONE, commandlog_reset).only(logs_more),
    Spec::new("COMMANDLOG|HELP", 2, ANYTIME, Keys::NONE, help).only(logs_more),
    Spec::container("LATENCY", ADMIN, Keys::NONE),
    Spec::new("LATENCY|LATEST", 2, ADMIN, Keys::NONE, latest),
    Spec::new("LATENCY|HISTORY", 3, ADMIN, Keys::NONE, history),
    Spec::new("LATENCY|RESET", -2, ADMIN, Keys::NONE, reset),
    Spec::new("LATENCY|GRAPH", 3, ADMIN, Keys::NONE, graph),
    Spec::new("LATENCY|DOCTOR", 2, ADMIN, Keys::NONE, doctor),
    Spec::new("LATENCY|HISTOGRAM", -2, ADMIN, Keys::NONE, histogram).since(7, 0),
    Spec::new("LATENCY|HELP", 2, ANYTIME, Keys::NONE, help).since(5, 0),
];

fn logs_more(dialect: Dialect) -> bool {
    dialect.is_valkey_since(8, 1)
}

/// Entries told unless a number is given.
const USUAL: usize = 10;

/// How many entries are wanted; all if -1.
fn entries(args: Args<'_>, dialect: Dialect) -> Result<usize, CommandError> {
    let number = match dialect.since(7, 0) {
        true => args.at_least(2, -1, "ERR count should be greater than or equal to -1")?,
        // Before, what is negative is none.
        false => args.integer(2)?.max(0),
    };
    Ok(usize::try_from(number).unwrap_or(usize::MAX))
}

fn tell_slow(context: &mut Context<'_>, count: usize) {
    let slow = &context.engine.measures.slow;
    let reply = &mut *context.reply;
    reply.array(slow.len().min(count));
    for Slow { id, at, microseconds, words, peer, name } in slow.iter().take(count) {
        reply.array(6);
        reply.integer(id.cast_signed());
        reply.integer(*at);
        reply.integer(microseconds.cast_signed());
        reply.array(words.len());
        words.iter().for_each(|word| reply.bulk(word));
        reply.bulk(peer.as_bytes());
        reply.bulk(name);
    }
}

fn slowlog_get(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let count = match args.len() {
        2 => USUAL,
        3 => entries(args, context.engine.dialect)?,
        _ => return Err(CommandError::arity("slowlog|get")),
    };
    tell_slow(context, count);
    Ok(())
}

fn slowlog_len(context: &mut Context<'_>, _: Args<'_>) -> Outcome {
    context.reply.count(context.engine.measures.slow.len());
    Ok(())
}

fn slowlog_reset(context: &mut Context<'_>, _: Args<'_>) -> Outcome {
    context.engine.measures.slow.clear();
    context.reply.ok();
    Ok(())
}

/// Which of Valkey's logs: commands that took long, or that or whose answers were large. Only the first is kept here.
fn is_slow(args: Args<'_>, index: usize) -> Result<bool, CommandError> {
    match () {
        () if args.is(index, "SLOW") => Ok(true),
        () if args.is(index, "LARGE-REQUEST") || args.is(index, "LARGE-REPLY") => Ok(false),
        () => Err(CommandError::fixed("ERR type should be one of the following: slow, large-request, large-reply")),
    }
}

fn commandlog_get(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let count = entries(args, context.engine.dialect)?;
    let count = if is_slow(args, 3)? { count } else { 0 };
    tell_slow(context, count);
    Ok(())
}

fn commandlog_len(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let count = if is_slow(args, 2)? { context.engine.measures.slow.len() } else { 0 };
    context.reply.count(count);
    Ok(())
}

fn commandlog_reset(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    if is_slow(args, 2)? {
        context.engine.measures.slow.clear();
    }
    context.reply.ok();
    Ok(())
}

fn latest(context: &mut Context<'_>, _: Args<'_>) -> Outcome {
    let spikes = &context.engine.measures.spikes;
    // Valkey tells of the sum and the number, too.
    let more = context.engine.dialect.is_valkey_since(8, 1);
    let reply = &mut *context.reply;
    reply.array(spikes.len());
    for (event, Spikes { samples, longest }) in spikes {
        let (at, last) = samples.back().copied().unwrap_or_default();
        reply.array(if more { 6 } else { 4 });
        reply.bulk(event.as_bytes());
        reply.integer(at);
        reply.integer(last.cast_signed());
        reply.integer(longest.cast_signed());
        if more {
            reply.integer(samples.iter().map(|(_, took)| took).sum::<u64>().cast_signed());
            reply.count(samples.len());
        }
    }
    Ok(())
}

fn spikes<'a>(context: &'a Context<'_>, event: &[u8]) -> Option<(&'static str, &'a Spikes)> {
    let mut all = context.engine.measures.spikes.iter();
    all.find(|(name, _)| name.as_bytes().eq_ignore_ascii_case(event)).map(|(name, spikes)| (*name, spikes))
}

fn history(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let samples = spikes(context, args.get(2)).map(|(_, spikes)| spikes.samples.clone()).unwrap_or_default();
    context.reply.array(samples.len());
    for (at, took) in samples {
        context.reply.array(2);
        context.reply.integer(at);
        context.reply.integer(took.cast_signed());
    }
    Ok(())
}

fn reset(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let spikes = &mut context.engine.measures.spikes;
    let before = spikes.len();
    match args.len() {
        2 => spikes.clear(),
        _ => spikes.retain(|event, _| !args.from(2).any(|word| word.eq_ignore_ascii_case(event.as_bytes()))),
    }
    context.reply.count(before - spikes.len());
    Ok(())
}

/// Rows of a graph.
const ROWS: u64 = 4;

fn graph(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let now = context.now / 1000;
    let Some((event, Spikes { samples, longest })) = spikes(context, args.get(2)) else {
        let event = String::from_utf8_lossy(args.get(2));
        return Err(CommandError::new(format!("ERR No samples available for event '{event}'")));
    };
    let most = samples.iter().map(|(_, took)| *took).max().unwrap_or(0);
    let least = samples.iter().map(|(_, took)| *took).min().unwrap_or(0);
    let mut text = format!("{event} - high {most} ms, low {least} ms (all time high {longest} ms)\n");
    text += &"-".repeat(80);
    text.push('\n');
    // A column for each sample, as high as it took long; under it how long ago that was.
    let height = |took: u64| 1 + (took - least) * (ROWS - 1) / (most - least).max(1);
    for row in (1..=ROWS).rev() {
        let column = |took: u64| match height(took) {
            high if high == row => '#',
            high if high > row => '|',
            _ => ' ',
        };
        text.extend(samples.iter().map(|(_, took)| column(*took)));
        text.push('\n');
    }
    let ages: Vec<String> = samples.iter().map(|(at, _)| age(now - at)).collect();
    text.push('\n');
    for row in 0..ages.iter().map(String::len).max().unwrap_or(0) {
        text.extend(ages.iter().map(|age| age.as_bytes().get(row).map_or(' ', |letter| char::from(*letter))));
        text.push('\n');
    }
    context.reply.verbatim(text.as_bytes());
    Ok(())
}

/// Seconds in their greatest unit.
fn age(seconds: i64) -> String {
    match seconds {
        ..60 => format!("{}s", seconds.max(0)),
        60..3600 => format!("{}m", seconds / 60),
        3600..86_400 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86_400),
    }
}

fn doctor(context: &mut Context<'_>, _: Args<'_>) -> Outcome {
    let measures = &context.engine.measures;
    let mut text = String::new();
    match measures.threshold {
        None => {
            text += "The latency monitor is off: CONFIG SET latency-monitor-threshold <milliseconds> turns it on.\n"
        }
        Some(threshold) if measures.spikes.is_empty() => {
            let _ = writeln!(text, "Nothing has taken {threshold} ms or more since the monitor was turned on.");
        }
        Some(threshold) => {
            let _ = writeln!(text, "What has taken {threshold} ms or more:");
            for (number, (event, Spikes { samples, longest })) in measures.spikes.iter().enumerate() {
                let count = samples.len() as u64;
                let mean = samples.iter().map(|(_, took)| took).sum::<u64>() / count.max(1);
                let _ = writeln!(
                    text,
                    "{}. {event}: {count} spikes, {mean} ms on average, {longest} ms at most.",
                    number + 1
                );
            }
            text += match measures.spikes.contains_key("command") {
                true => "SLOWLOG GET tells which commands took long.\n",
                false => "Many keys that expire at once, or large ones, take their time.\n",
            };
        }
    }
    context.reply.verbatim(text.as_bytes());
    Ok(())
}

/// LATENCY HISTOGRAM [command …]: of all, or of these and their subcommands.
fn histogram(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let measures = &context.engine.measures;
    let mut wanted: Vec<&'static Spec> = Vec::new();
    if args.len() == 2 {
        wanted.extend(super::all());
    }
    for name in args.from(2) {
        if let Some(spec) = context.engine.command(name) {
            wanted.push(spec);
            wanted.extend(spec.subcommands());
        }
    }
    let found: Vec<_> = wanted.into_iter().filter_map(|spec| Some((spec, measures.histogram(spec)?))).collect();
    context.reply.map(found.len());
    for (spec, (calls, steps)) in found {
        context.reply.bulk(spec.name.to_ascii_lowercase().as_bytes());
        context.reply.map(2);
        context.reply.bulk(b"calls");
        context.reply.integer(calls.cast_signed());
        context.reply.bulk(b"histogram_usec");
        context.reply.map(steps.len());
        for (microseconds, count) in steps {
            context.reply.integer(microseconds.cast_signed());
            context.reply.integer(count.cast_signed());
        }
    }
    Ok(())
}
