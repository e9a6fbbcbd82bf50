//! Publishing and listening.

use super::{Context, Flag, Keys, Outcome, Spec, help};
use crate::engine::args::Args;
use crate::engine::clients::Replies;
use crate::engine::context::Origin;
use crate::engine::error::CommandError;
use crate::engine::glob;
use crate::engine::reply::Reply;
use crate::engine::subscriptions::{To, tell};

const PUBLISH: &[Flag] = &[Flag::PubSub, Flag::Loading, Flag::Stale, Flag::Fast, Flag::MayReplicate];
const LISTEN: &[Flag] = &[Flag::PubSub, Flag::Loading, Flag::Stale, Flag::NoScript, Flag::Listening];
const LOOK: &[Flag] = &[Flag::PubSub, Flag::Loading, Flag::Stale];

pub(super) const COMMANDS: &[Spec] = &[
    Spec::new("PUBLISH", 3, PUBLISH, Keys::NONE, publish),
    Spec::new("SPUBLISH", 3, PUBLISH, Keys::ONE, spublish).since(7, 0),
    Spec::new("SUBSCRIBE", -2, LISTEN, Keys::NONE, subscribe),
    Spec::new("UNSUBSCRIBE", -1, LISTEN, Keys::NONE, unsubscribe),
    Spec::new("PSUBSCRIBE", -2, LISTEN, Keys::NONE, psubscribe),
    Spec::new("PUNSUBSCRIBE", -1, LISTEN, Keys::NONE, punsubscribe),
    Spec::new("SSUBSCRIBE", -2, LISTEN, Keys::ALL, ssubscribe).since(7, 0),
    Spec::new("SUNSUBSCRIBE", -1, LISTEN, Keys::ALL, sunsubscribe).since(7, 0),
    Spec::container("PUBSUB", LOOK, Keys::NONE),
    Spec::new("PUBSUB|CHANNELS", -2, LOOK, Keys::NONE, channels),
    Spec::new("PUBSUB|NUMSUB", -2, LOOK, Keys::NONE, numsub),
    Spec::new("PUBSUB|NUMPAT", 2, LOOK, Keys::NONE, numpat),
    Spec::new("PUBSUB|SHARDCHANNELS", -2, LOOK, Keys::NONE, shardchannels).since(7, 0),
    Spec::new("PUBSUB|SHARDNUMSUB", -2, LOOK, Keys::NONE, shardnumsub).since(7, 0),
    Spec::new("PUBSUB|HELP", 2, &[Flag::Loading, Flag::Stale], Keys::NONE, help).since(6, 2),
];

fn publish(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    pass_on(context, args, false)
}

fn spublish(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    pass_on(context, args, true)
}

fn pass_on(context: &mut Context<'_>, args: Args<'_>, sharded: bool) -> Outcome {
    let mut own = Reply::new(context.session.resp3);
    let receivers = context.engine.publish((context.session, &mut own), args.get(1), args.get(2), sharded);
    // What is published at a replica stays there.
    if context.origin == Origin::Master || !context.engine.is_replica() {
        context.changes += 1;
    }
    // It comes whether an answer does or not.
    if context.session.replies != Replies::On {
        context.engine.heard.extend(own.take());
    }
    // Since 7.2 what one hears of one's own comes behind the answer.
    let behind = context.engine.dialect.since(7, 2);
    if !behind {
        context.reply.raw(own.bytes());
    }
    context.reply.count(receivers);
    if behind {
        context.reply.raw(own.bytes());
    }
    Ok(())
}

fn subscribe(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    begin(context, args, To::Channel)
}

fn psubscribe(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    begin(context, args, To::Pattern)
}

fn ssubscribe(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    begin(context, args, To::Shard)
}

fn unsubscribe(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    end(context, args, To::Channel)
}

fn punsubscribe(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    end(context, args, To::Pattern)
}

fn sunsubscribe(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    end(context, args, To::Shard)
}

/// To how many channels and patterns the session listens, or to how many shards' channels.
fn count(context: &Context<'_>, to: To) -> usize {
    let listens = &context.session.listens;
    if to == To::Shard { listens.shards.len() } else { listens.count() }
}

fn begin(context: &mut Context<'_>, args: Args<'_>, to: To) -> Outcome {
    for name in args.from(1) {
        context.engine.subscribe(context.session, to, name);
        let count = count(context, to);
        tell(context.reply, to.words().0, Some(name), count);
    }
    Ok(())
}

fn end(context: &mut Context<'_>, args: Args<'_>, to: To) -> Outcome {
    let listens = &context.session.listens;
    let all = match to {
        To::Channel => listens.channels.clone(),
        To::Pattern => listens.patterns.clone(),
        To::Shard => listens.shards.clone(),
    };
    let names: Vec<&[u8]> =
        if args.len() > 1 { args.from(1).collect() } else { all.iter().map(|name| &name[..]).collect() };
    if names.is_empty() {
        let count = count(context, to);
        tell(context.reply, to.words().1, None, count);
    }
    for name in names {
        context.engine.unsubscribe(context.session, to, name);
        let count = count(context, to);
        tell(context.reply, to.words().1, Some(name), count);
    }
    Ok(())
}

fn channels(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    tell_channels(context, args, To::Channel)
}

fn shardchannels(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    tell_channels(context, args, To::Shard)
}

fn tell_channels(context: &mut Context<'_>, args: Args<'_>, to: To) -> Outcome {
    if args.len() > 3 {
        return Err(CommandError::SYNTAX);
    }
    let wanted = |name: &[u8]| args.find(2).is_none_or(|pattern| glob::matches(pattern, name));
    let names = context.engine.subscriptions.of(to).keys().filter(|name| wanted(name));
    context.reply.array(names.clone().count());
    names.for_each(|name| context.reply.bulk(name));
    Ok(())
}

fn numsub(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    tell_numbers(context, args, To::Channel)
}

fn shardnumsub(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    tell_numbers(context, args, To::Shard)
}

fn tell_numbers(context: &mut Context<'_>, args: Args<'_>, to: To) -> Outcome {
    context.reply.array(2 * (args.len() - 2));
    for name in args.from(2) {
        context.reply.bulk(name);
        let listeners = context.engine.subscriptions.of(to).get(name).map_or(0, Vec::len);
        context.reply.count(listeners);
    }
    Ok(())
}

fn numpat(context: &mut Context<'_>, _: Args<'_>) -> Outcome {
    context.reply.count(context.engine.subscriptions.of(To::Pattern).len());
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::engine::clients::SessionId;
    use crate::engine::testing::Play;

    fn heard(play: &mut Play) -> Vec<(u64, String)> {
        let heard = play.engine.take_delivered().into_iter();
        heard.map(|(id, bytes)| (id.0, String::from_utf8(bytes).unwrap().replace("\r\n", " "))).collect()
    }

    #[test]
    fn subscribing_is_told_in_the_servers_words() {
        // Asked of redis-server 7.0.15.
        let mut play = Play::new("redis-7.0");
        for (line, answer) in [
            ("UNSUBSCRIBE", "*3\r\n$11\r\nunsubscribe\r\n$-1\r\n:0\r\n"),
            ("SUBSCRIBE a b", "*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n*3\r\n$9\r\nsubscribe\r\n$1\r\nb\r\n:2\r\n"),
            ("PSUBSCRIBE p*", "*3\r\n$10\r\npsubscribe\r\n$2\r\np*\r\n:3\r\n"),
            ("SSUBSCRIBE sh", "*3\r\n$10\r\nssubscribe\r\n$2\r\nsh\r\n:1\r\n"),
            ("SUBSCRIBE a", "*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:3\r\n"),
            ("UNSUBSCRIBE zz", "*3\r\n$11\r\nunsubscribe\r\n$2\r\nzz\r\n:3\r\n"),
            ("PING", "*2\r\n$4\r\npong\r\n$0\r\n\r\n"),
            ("PING x", "*2\r\n$4\r\npong\r\n$1\r\nx\r\n"),
            (
                "GET k",
                "-ERR Can't execute 'get': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context\r\n",
            ),
            ("RESET", "+RESET\r\n"),
            ("PUBSUB NUMPAT", ":0\r\n"),
            ("PUBSUB NUMSUB a", "*2\r\n$1\r\na\r\n:0\r\n"),
        ] {
            assert_eq!(play.raw(line), answer, "{line}");
        }
    }

    #[test]
    fn ones_own_message_comes_before_or_behind_the_answer() {
        for (dialect, answer) in [
            ("redis-7.0", ">3\r\n$7\r\nmessage\r\n$1\r\na\r\n$1\r\nm\r\n:1\r\n"),
            ("redis-8.2", ":1\r\n>3\r\n$7\r\nmessage\r\n$1\r\na\r\n$1\r\nm\r\n"),
        ] {
            let mut play = Play::new(dialect);
            play.session.resp3 = true;
            assert_eq!(play.raw3("SUBSCRIBE a"), ">3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n");
            assert_eq!(play.raw3("PUBLISH a m"), answer, "{dialect}");
        }
    }

    #[test]
    fn what_is_published_reaches_listeners_and_replicas() {
        let mut play = Play::new("redis-7.0");
        let other = |play: &mut Play, id: u64, lines: &[&str]| {
            let session = crate::engine::Session::new(SessionId(id), String::new(), String::new(), play.now);
            let own = std::mem::replace(&mut play.session, session);
            lines.iter().for_each(|line| drop(play.run(line)));
            let session = std::mem::replace(&mut play.session, own);
            play.engine.clients.put(session);
        };
        other(&mut play, 5, &["SUBSCRIBE c", "PSUBSCRIBE ?"]);
        other(&mut play, 6, &["SSUBSCRIBE c"]);
        assert_eq!((play.run("PUBLISH c m"), play.stream()), ("2".into(), "PUBLISH c m".into()));
        let message = |id| (id, "*3 $7 message $1 c $1 m ".to_owned());
        assert_eq!(heard(&mut play), [message(5), (5, "*4 $8 pmessage $1 ? $1 c $1 m ".to_owned())]);
        assert_eq!((play.run("SPUBLISH c m"), play.stream()), ("1".into(), "SPUBLISH c m".into()));
        assert_eq!(heard(&mut play), [(6, "*3 $8 smessage $1 c $1 m ".to_owned())]);
        assert_eq!(play.run("PUBSUB CHANNELS"), "[c]");
        assert_eq!(play.run("PUBSUB SHARDNUMSUB c d"), "[c 1 d 0]");
        // A replica's listeners hear what the master's stream brings; what is published at it stays there.
        play.engine.set_replica(true);
        assert!(play.apply("PUBLISH c m"));
        assert_eq!(heard(&mut play).len(), 2);
        assert_eq!((play.run("PUBLISH c m"), play.stream()), ("2".into(), String::new()));
        heard(&mut play);
        play.engine.leave(SessionId(5));
        assert_eq!(play.run("PUBLISH c m"), "0");
    }
}
