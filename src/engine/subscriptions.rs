//! Who hears what is published.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use super::clients::{Session, SessionId};
use super::core::Engine;
use super::glob;
use super::reply::Reply;
use super::value::Blob;

/// Names a kind of subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum To {
    /// A channel.
    Channel,
    /// All channels that a pattern matches.
    Pattern,
    /// A channel of a shard.
    Shard,
}

impl To {
    /// What begins, what ends it, what a message through it is called.
    pub(super) fn words(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Channel => ("subscribe", "unsubscribe", "message"),
            Self::Pattern => ("psubscribe", "punsubscribe", "pmessage"),
            Self::Shard => ("ssubscribe", "sunsubscribe", "smessage"),
        }
    }
}

type Listeners = HashMap<Blob, Vec<SessionId>, RandomState>;

/// All listeners, in the order in which they came.
#[derive(Debug, Default)]
pub(super) struct Subscriptions {
    channels: Listeners,
    patterns: Listeners,
    shards: Listeners,
}

impl Subscriptions {
    pub(super) fn of(&self, to: To) -> &Listeners {
        match to {
            To::Channel => &self.channels,
            To::Pattern => &self.patterns,
            To::Shard => &self.shards,
        }
    }

    fn of_mut(&mut self, to: To) -> &mut Listeners {
        match to {
            To::Channel => &mut self.channels,
            To::Pattern => &mut self.patterns,
            To::Shard => &mut self.shards,
        }
    }
}

fn listens(session: &mut Session, to: To) -> &mut Vec<Blob> {
    match to {
        To::Channel => &mut session.listens.channels,
        To::Pattern => &mut session.listens.patterns,
        To::Shard => &mut session.listens.shards,
    }
}

/// What is told of a subscription that has begun or ended.
pub(super) fn tell(reply: &mut Reply, word: &str, name: Option<&[u8]>, count: usize) {
    reply.push(3);
    reply.bulk(word.as_bytes());
    reply.bulk_or_null(name);
    reply.count(count);
}

impl Engine {
    /// A session listens from here on.
    pub(super) fn subscribe(&mut self, session: &mut Session, to: To, name: &[u8]) {
        let own = listens(session, to);
        if !own.iter().any(|known| &known[..] == name) {
            let name = Blob::from(name);
            own.push(name.clone());
            self.subscriptions.of_mut(to).entry(name).or_default().push(session.id);
        }
    }

    /// A session no longer listens.
    pub(super) fn unsubscribe(&mut self, session: &mut Session, to: To, name: &[u8]) {
        listens(session, to).retain(|known| &known[..] != name);
        let all = self.subscriptions.of_mut(to);
        if let Some(sessions) = all.get_mut(name) {
            sessions.retain(|id| *id != session.id);
            if sessions.is_empty() {
                all.remove(name);
            }
        }
    }

    /// A session listens to nothing any more.
    pub(super) fn unsubscribe_all(&mut self, session: &mut Session) {
        for to in [To::Channel, To::Pattern, To::Shard] {
            for name in listens(session, to).clone() {
                self.unsubscribe(session, to, &name);
            }
        }
    }

    /// Passes a message on; gives to how many. What the session that publishes hears itself is written to `own`.
    pub(super) fn publish(
        &mut self,
        own: (&Session, &mut Reply),
        channel: &[u8],
        message: &[u8],
        sharded: bool,
    ) -> usize {
        let (session, reply) = own;
        let mut receivers = 0;
        let to = if sharded { To::Shard } else { To::Channel };
        let (clients, delivered) = (&self.clients, &mut self.delivered);
        let mut pass = |ids: &[SessionId], words: &[&[u8]]| {
            for id in ids {
                receivers += 1;
                let write = |reply: &mut Reply| {
                    reply.push(words.len());
                    words.iter().for_each(|word| reply.bulk(word));
                };
                if *id == session.id {
                    write(reply);
                } else if let Some(listener) = clients.get(*id) {
                    let mut message = Reply::new(listener.resp3);
                    write(&mut message);
                    delivered.push((*id, message.take()));
                }
            }
        };
        if let Some(ids) = self.subscriptions.of(to).get(channel) {
            pass(ids, &[to.words().2.as_bytes(), channel, message]);
        }
        if !sharded {
            for (pattern, ids) in &self.subscriptions.patterns {
                if glob::matches(pattern, channel) {
                    pass(ids, &[b"pmessage", pattern, channel, message]);
                }
            }
        }
        receivers
    }
}
