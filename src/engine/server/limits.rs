//! Clients that do not read: how much may wait for them, and for how long.

use std::rc::Rc;

use super::{Pipe, Shared};
use crate::engine::clients::{Closing, Kind, Session};
use crate::engine::config::OutputLimit;
use crate::engine::core::Engine;
use crate::engine::log::Level;

impl Shared {
    /// Cuts off clients for whom more waits than `client-output-buffer-limit` allows those of their class. What waits for
    /// replicas is for the master's end to judge.
    pub(super) fn cut_off_slow(self: &Rc<Self>, engine: &mut Engine, now: i64) {
        let limits = [engine.config.output_limit("normal"), engine.config.output_limit("pubsub")];
        if limits.iter().all(|limit| limit.hard == 0 && limit.soft == 0) {
            return;
        }
        let mut cut = Vec::new();
        for (id, pipe) in &*self.pipes.borrow() {
            let Some(session) = engine.clients.get_mut(*id) else { continue };
            let limit = match session.kind() {
                Kind::Normal => limits[0],
                Kind::PubSub => limits[1],
                Kind::Replica | Kind::Master => continue,
            };
            if session.closing.is_none() && is_over(limit, pipe, session, now) {
                session.closing = Some(Closing::Now);
                cut.push((*id, session.line(now, engine.dialect)));
            }
        }
        for (id, line) in cut {
            engine.stats.cut_for_output += 1;
            self.note(
                Level::Warning,
                &format!("Client {line} scheduled to be closed ASAP for overcoming of output buffer limits."),
            );
            if let Some(pipe) = self.pipes.borrow().get(&id) {
                pipe.wake.notify_one();
            }
        }
    }
}

/// Whether too much waits, or has for too long.
fn is_over(limit: OutputLimit, pipe: &Pipe, session: &mut Session, now: i64) -> bool {
    let waits = (pipe.waiting.get().max(session.output) + pipe.out.borrow().len()) as u64;
    session.output = usize::try_from(waits).unwrap_or(usize::MAX);
    if limit.hard > 0 && waits >= limit.hard {
        return true;
    }
    if limit.soft == 0 || waits < limit.soft {
        pipe.over_since.set(0);
        return false;
    }
    if pipe.over_since.get() == 0 {
        pipe.over_since.set(now);
    }
    now - pipe.over_since.get() > i64::try_from(limit.soft_seconds.saturating_mul(1000)).unwrap_or(i64::MAX)
}
