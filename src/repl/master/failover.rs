//! FAILOVER: a master hands its office to one of its replicas without losing a byte.
//!
//! ```text
//!  None ──FAILOVER──► WaitForSync ──a replica has acknowledged everything──► InProgress ──+CONTINUE──► None
//!                      │ writes paused      (or the time is over, with FORCE)    │ it is asked by PSYNC … FAILOVER
//!                      └─ timeout, ABORT ─► None                                 └─ refused, ABORT: master again ─►
//! None
//! ```

use super::{Action, ConnectionId, Master, State, Upstream};
use crate::repl::replica::CachedMaster;
use crate::units::Moment;

/// `FAILOVER [TO host port [FORCE]] [TIMEOUT milliseconds]`
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FailoverRequest {
    /// The replica that is to take over; any for `None`.
    pub target: Option<(String, u16)>,
    /// Whether it is to take over after the timeout even if it has not everything.
    pub force: bool,
    /// Milliseconds to wait for the replica.
    pub timeout: Option<u64>,
}

#[derive(Debug)]
pub(super) enum Failover {
    None,
    WaitForSync { request: FailoverRequest, until: Option<Moment> },
    InProgress,
}

impl Failover {
    pub(super) fn in_progress(&self) -> bool {
        !matches!(self, Self::None)
    }

    pub(super) fn deadline(&self) -> Option<Moment> {
        match self {
            Self::WaitForSync { until, .. } => *until,
            _ => None,
        }
    }
}

impl Master {
    /// `master_failover_state`
    #[must_use]
    pub fn failover_state(&self) -> &'static str {
        match self.failover {
            Failover::None => "no-failover",
            Failover::WaitForSync { .. } => "waiting-for-sync",
            Failover::InProgress => "failover-in-progress",
        }
    }

    /// FAILOVER.
    ///
    /// # Errors
    /// The text behind `-ERR ` of the command's reply.
    pub fn failover(&mut self, request: FailoverRequest, now: Moment) -> Result<(), &'static str> {
        if self.failover.in_progress() {
            return Err("FAILOVER already in progress.");
        }
        if self.upstream != Upstream::TopLevel {
            return Err("FAILOVER is not valid when server is a replica.");
        }
        if !self.has_replicas() {
            return Err("FAILOVER requires connected replicas.");
        }
        if request.force && (request.timeout.is_none() || request.target.is_none()) {
            return Err("FAILOVER with force option requires both a timeout and target HOST and IP.");
        }
        if let Some((host, port)) = &request.target {
            match self.find_replica(host, *port) {
                None => return Err("FAILOVER target HOST and PORT is not a replica."),
                Some(id) if !self.is_online(id) => return Err("FAILOVER target replica is not online."),
                Some(_) => {}
            }
        }
        let until = request.timeout.map(|timeout| now.after(timeout));
        self.failover = Failover::WaitForSync { request, until };
        self.actions.push_back(Action::PauseWrites);
        self.tick_failover(now);
        Ok(())
    }

    /// FAILOVER ABORT.
    ///
    /// # Errors
    /// As [`Master::failover`].
    pub fn abort_failover(&mut self, now: Moment) -> Result<(), &'static str> {
        if !self.failover.in_progress() {
            return Err("No failover in progress.");
        }
        self.failover_over(now);
        Ok(())
    }

    fn find_replica(&self, host: &str, port: u16) -> Option<ConnectionId> {
        let mut replicas = self.connections.iter().filter(|(_, connection)| connection.state.is_replica());
        let found = replicas.find(|(_, connection)| {
            let named = connection.facts.ip.as_deref().unwrap_or(&connection.peer);
            connection.facts.port == port && named == host
        });
        found.map(|(&id, _)| id)
    }

    fn is_online(&self, id: ConnectionId) -> bool {
        self.connections.get(&id).is_some_and(|connection| matches!(connection.state, State::Online { .. }))
    }

    pub(super) fn tick_failover(&mut self, now: Moment) {
        let Failover::WaitForSync { request, until } = &self.failover else { return };
        if until.is_some_and(|until| now >= until) {
            match request.target.clone() {
                Some((host, port)) if request.force => self.hand_over(host, port),
                _ => self.failover_over(now),
            }
            return;
        }
        let offset = self.offset();
        let target = request.target.as_ref().map(|(host, port)| self.find_replica(host, *port));
        let ready = self.connections.iter().find(|&(&id, connection)| {
            let wanted = target.is_none_or(|target| target == Some(id));
            wanted && matches!(connection.state, State::Online { .. }) && connection.ack == offset
        });
        if let Some((_, connection)) = ready {
            let host = connection.facts.ip.clone().unwrap_or_else(|| connection.peer.clone());
            let port = connection.facts.port;
            self.hand_over(host, port);
        }
    }

    fn hand_over(&mut self, host: String, port: u16) {
        self.failover = Failover::InProgress;
        self.demote();
        self.actions.push_back(Action::Follow { host, port });
    }

    /// The replica has taken over, and this server is its replica.
    pub(super) fn failover_settled(&mut self) {
        if matches!(self.failover, Failover::InProgress) {
            self.failover = Failover::None;
            self.actions.push_back(Action::ResumeWrites);
        }
    }

    /// The replica does not take over.
    pub(super) fn failover_refused(&mut self, now: Moment) {
        if matches!(self.failover, Failover::InProgress) {
            self.failover_over(now);
        }
    }

    /// It comes to nothing: this server is the master, or again so.
    fn failover_over(&mut self, now: Moment) {
        if matches!(std::mem::replace(&mut self.failover, Failover::None), Failover::InProgress) {
            self.promote(now);
        }
        self.actions.push_back(Action::ResumeWrites);
    }

    /// This server's own place in its stream, as a place in a master's that it is to follow now: so a master that is
    /// told REPLICAOF
    /// asks to continue, which its new master can grant if it was its replica.
    #[must_use]
    pub fn as_cached(&self) -> CachedMaster {
        CachedMaster { replid: self.history.replid(), offset: self.offset(), db: self.selected.unwrap_or(0) }
    }
}
