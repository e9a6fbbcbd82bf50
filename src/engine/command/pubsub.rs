//! PUBLISH. Who subscribes is known to the server around the engine, which fills [`Audience`] in.

use super::{Context, Flag, Keys, Outcome, Spec};
use crate::engine::args::Args;
use crate::engine::context::Origin;
use crate::engine::core::Audience;

const FLAGS: &[Flag] = &[Flag::PubSub, Flag::Loading, Flag::Stale, Flag::Fast, Flag::MayReplicate];

pub(super) const COMMANDS: &[Spec] = &[
    Spec::new("PUBLISH", 3, FLAGS, Keys::NONE, publish),
    Spec::new("SPUBLISH", 3, FLAGS, Keys::ONE, spublish).only(|dialect| dialect.since(7, 0)),
];

fn publish(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    tell(context, args, false)
}

fn spublish(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    tell(context, args, true)
}

fn tell(context: &mut Context<'_>, args: Args<'_>, sharded: bool) -> Outcome {
    let audience: Option<&mut Box<dyn Audience>> = context.engine.audience.as_mut();
    let receivers = audience.map_or(0, |audience| audience.publish(args.get(1), args.get(2), sharded));
    // What is published at a replica stays there.
    if context.origin == Origin::Master || !context.engine.is_replica() {
        context.changes += 1;
    }
    context.reply.count(receivers);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::testing::Play;
    use std::sync::{Arc, Mutex};

    type Heard = Vec<(Vec<u8>, bool)>;

    #[derive(Debug)]
    struct Three(Arc<Mutex<Heard>>);

    impl Audience for Three {
        fn publish(&mut self, channel: &[u8], _: &[u8], sharded: bool) -> usize {
            self.0.lock().unwrap().push((channel.to_vec(), sharded));
            3
        }
    }

    #[test]
    fn what_is_published_reaches_the_audience_and_the_replicas() {
        let mut play = Play::new("redis-7.0");
        assert_eq!((play.run("PUBLISH c m"), play.stream()), ("0".into(), "PUBLISH c m".into()));
        let heard = Arc::new(Mutex::new(Heard::new()));
        play.engine.audience = Some(Box::new(Three(heard.clone())));
        assert_eq!((play.run("SPUBLISH c m"), play.stream()), ("3".into(), "SPUBLISH c m".into()));
        play.engine.set_replica(true);
        assert_eq!((play.run("PUBLISH d m"), play.stream()), ("3".into(), String::new()));
        assert!(play.apply("PUBLISH e m"));
        let wanted = [(b"c".to_vec(), true), (b"d".to_vec(), false), (b"e".to_vec(), false)];
        assert_eq!(*heard.lock().unwrap(), wanted);
    }
}
