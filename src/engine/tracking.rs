//! Clients that keep what they have read, and are told when it changes (CLIENT TRACKING).
//!
//! The server remembers which keys a tracking client has read and tells it once when one changes; or, in broadcasting
//! mode, remembers nothing and tells of every key with one of the client's prefixes.

use std::collections::{BTreeMap, HashSet};

use foldhash::fast::RandomState;
use indexmap::IndexMap;

use super::args::Args;
use super::clients::{Session, SessionId};
use super::command::Spec;
use super::core::Engine;
use super::reply::Reply;
use super::value::Blob;

/// How a client tracks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools)]
pub(super) struct Tracking {
    /// Who is told in its place.
    pub(super) redirect: Option<SessionId>,
    /// That client has gone.
    pub(super) broken: bool,
    /// It is told of all keys with its prefixes.
    pub(super) broadcast: bool,
    /// Only what follows CLIENT CACHING YES is remembered.
    pub(super) opt_in: bool,
    /// What follows CLIENT CACHING NO is not remembered.
    pub(super) opt_out: bool,
    /// It is not told of what it changes itself.
    pub(super) no_loop: bool,
    /// CLIENT CACHING has been said, and the next command is the one that it means.
    pub(super) caching: bool,
    /// The keys of the script that runs: before 7.2 these are what its commands read.
    pub(super) script_keys: Option<Vec<Blob>>,
    /// In broadcasting mode.
    pub(super) prefixes: Vec<Blob>,
}

/// Keys that have changed since the last batch, and which session did that.
type Changed = IndexMap<Blob, Option<SessionId>, RandomState>;

/// Who is told of a prefix.
#[derive(Debug, Default)]
struct Prefix {
    clients: Vec<SessionId>,
    changed: Changed,
}

/// What all tracking clients have read, and what they listen to.
#[derive(Debug, Default)]
pub(super) struct Tracked {
    /// How many clients track.
    pub(super) clients: usize,
    keys: IndexMap<Blob, HashSet<SessionId>, RandomState>,
    items: usize,
    prefixes: BTreeMap<Blob, Prefix>,
    /// What the session whose command is running is told behind its answer; `None` for all keys.
    pending: Vec<Option<Blob>>,
}

impl Tracked {
    /// Keys, items and prefixes, for INFO.
    pub(super) fn counts(&self) -> (usize, usize, usize) {
        (self.keys.len(), self.items, self.prefixes.len())
    }

    fn forget(&mut self, key: &[u8]) -> Option<HashSet<SessionId>> {
        let sessions = self.keys.swap_remove(key)?;
        self.items -= sessions.len();
        Some(sessions)
    }
}

/// The channel on which clients of RESP2 are told.
const CHANNEL: &[u8] = b"__redis__:invalidate";

impl Engine {
    /// A session tracks from here on, or in another way.
    pub(super) fn track(&mut self, session: &mut Session, mut tracking: Tracking) {
        if let Some(before) = session.tracking.take() {
            tracking.prefixes.splice(..0, before.prefixes);
        } else {
            self.tracked.clients += 1;
        }
        if tracking.broadcast && tracking.prefixes.is_empty() {
            tracking.prefixes.push(Blob::from(&[][..]));
        }
        for prefix in &tracking.prefixes {
            let clients = &mut self.tracked.prefixes.entry(prefix.clone()).or_default().clients;
            if !clients.contains(&session.id) {
                clients.push(session.id);
            }
        }
        session.tracking = Some(Box::new(tracking));
    }

    /// A session tracks no longer. What is remembered of it is forgotten when it comes up.
    pub(super) fn untrack(&mut self, session: &mut Session) {
        let Some(tracking) = session.tracking.take() else { return };
        self.tracked.clients -= 1;
        for prefix in &tracking.prefixes {
            if let Some(known) = self.tracked.prefixes.get_mut(prefix) {
                known.clients.retain(|id| *id != session.id);
                if known.clients.is_empty() {
                    self.tracked.prefixes.remove(prefix);
                }
            }
        }
    }

    /// A tracking session has run a command that reads: its keys are remembered.
    #[cold]
    pub(super) fn remember(&mut self, session: &Session, spec: &Spec, args: Args<'_>) {
        let Some(tracking) = &session.tracking else { return };
        if tracking.broadcast || tracking.opt_in && !tracking.caching || tracking.opt_out && tracking.caching {
            return;
        }
        // Of a script that only reads its commands tell what it reads.
        if spec.may_lack_keys() {
            return;
        }
        let keys = tracking.script_keys.clone().unwrap_or_else(|| {
            let places = spec.keys_of(args).unwrap_or_default();
            places.into_iter().map(|place| Blob::from(args.get(place.index))).collect()
        });
        for key in keys {
            if self.tracked.keys.entry(key).or_default().insert(session.id) {
                self.tracked.items += 1;
            }
        }
    }

    /// A tracking session begins or ends a script.
    #[cold]
    pub(super) fn note_script(&self, session: &mut Session, spec: &Spec, args: Args<'_>, begins: bool) {
        if let Some(tracking) = &mut session.tracking
            && spec.may_lack_keys()
            && !self.dialect.since(7, 2)
        {
            let places = spec.keys_of(args).unwrap_or_default().into_iter();
            tracking.script_keys = begins.then(|| places.map(|place| Blob::from(args.get(place.index))).collect());
        }
    }

    /// A key has changed, by a session's doing or by nobody's.
    #[cold]
    pub(super) fn invalidate(&mut self, key: &[u8], by: Option<SessionId>) {
        for (prefix, known) in &mut self.tracked.prefixes {
            if key.starts_with(prefix) {
                known.changed.insert(Blob::from(key), by);
            }
        }
        self.invalidate_readers(key);
    }

    /// Those who have read a key are told that it has changed, or that it is no longer remembered.
    fn invalidate_readers(&mut self, key: &[u8]) {
        for id in self.tracked.forget(key).unwrap_or_default() {
            if id == self.running {
                self.tracked.pending.push(Some(Blob::from(key)));
            } else {
                self.tell_invalid(id, Some(key));
            }
        }
    }

    /// All keys are gone, whatever database they were in.
    pub(super) fn invalidate_all(&mut self) {
        // What is remembered of clients that track no longer goes, too.
        self.tracked.keys.clear();
        self.tracked.items = 0;
        if self.tracked.clients == 0 {
            return;
        }
        let tracking = self.clients.iter().filter(|session| session.tracking.is_some());
        let clients: Vec<SessionId> = tracking.map(|session| session.id).collect();
        clients.into_iter().for_each(|id| self.tell_invalid(id, None));
        self.tracked.pending.push(None);
    }

    /// To be called from time to time.
    pub(super) fn limit_tracked_if_any(&mut self) {
        if self.tracked.clients > 0 {
            self.running = SessionId::default();
            self.limit_tracked();
        }
    }

    /// More keys are remembered than `tracking-table-max-keys`: some are forgotten, and their readers told.
    #[cold]
    pub(super) fn limit_tracked(&mut self) {
        let most = usize::try_from(self.config.size("tracking-table-max-keys")).unwrap_or(usize::MAX);
        while most > 0 && self.tracked.keys.len() > most {
            let at = self.random.below(self.tracked.keys.len());
            let Some(key) = self.tracked.keys.get_index(at).map(|(key, _)| key.clone()) else { return };
            self.invalidate_readers(&key);
        }
    }

    /// Tells a session whose command is not running, or who listens for it, of a key that it has read, or of all keys.
    fn tell_invalid(&mut self, id: SessionId, key: Option<&[u8]>) {
        let Some(session) = self.clients.get(id) else { return };
        let Some(tracking) = session.tracking.as_deref() else { return };
        // Of single keys one in broadcasting mode is told with all others.
        if tracking.broadcast && key.is_some() {
            return;
        }
        let keys = key.map(|key| [key]);
        self.tell_reader(id, keys.as_ref().map(|keys| &keys[..]));
    }

    fn tell_reader(&mut self, id: SessionId, keys: Option<&[&[u8]]>) {
        let Some(mut session) = self.clients.take(id) else { return };
        if let Some(message) = self.message_to(&mut session, keys) {
            self.delivered.push((id, message));
        }
        self.clients.put(session);
    }

    /// What a session is told on its own connection; if another listens for it, that one is told.
    fn message_to(&mut self, session: &mut Session, keys: Option<&[&[u8]]>) -> Option<Vec<u8>> {
        let tracking = session.tracking.as_deref_mut()?;
        let Some(redirect) = tracking.redirect else {
            return session.resp3.then(|| pushed(true, keys, true));
        };
        if redirect == session.id {
            return session.resp3.then(|| pushed(true, keys, true));
        }
        if let Some(other) = self.clients.get(redirect) {
            let message = match other.resp3 {
                true => Some(pushed(true, keys, session.resp3)),
                false => other.is_listening().then(|| pushed(false, keys, session.resp3)),
            };
            self.delivered.extend(message.map(|message| (redirect, message)));
            return None;
        }
        if redirect == self.running {
            // In RESP2 it would be listening, and run no commands.
            if self.running_resp3 {
                self.heard.extend(pushed(true, keys, session.resp3));
            }
            return None;
        }
        tracking.broken = true;
        session.resp3.then(|| {
            let mut reply = Reply::new(true);
            reply.push(2);
            reply.bulk(b"tracking-redir-broken");
            reply.integer(redirect.0.cast_signed());
            reply.take()
        })
    }

    /// A session's command has run: what it is told of keys that it has read stands behind the answer.
    #[cold]
    pub(super) fn tell_pending(&mut self, session: &mut Session, reply: &mut Reply) {
        for key in std::mem::take(&mut self.tracked.pending) {
            let Some(tracking) = &session.tracking else { continue };
            if key.is_some() && (tracking.broadcast || tracking.no_loop) {
                continue;
            }
            let keys = key.as_deref().map(|key| [key]);
            if let Some(message) = self.message_to(session, keys.as_ref().map(|keys| &keys[..])) {
                reply.raw(&message);
            }
        }
    }

    /// Whether something waits for [`Engine::tell_pending`].
    #[inline]
    pub(super) fn has_pending(&self) -> bool {
        !self.tracked.pending.is_empty()
    }

    /// Those in broadcasting mode are told of all that has changed since this was called last; to be called after each
    /// batch.
    pub fn broadcast_changes(&mut self) {
        if self.tracked.clients == 0 {
            return;
        }
        let mut all = Vec::new();
        for known in self.tracked.prefixes.values_mut().filter(|known| !known.changed.is_empty()) {
            all.push((known.clients.clone(), std::mem::take(&mut known.changed)));
        }
        for (clients, changed) in all {
            for id in clients {
                let tracking = self.clients.get(id).and_then(|session| session.tracking.as_deref());
                let Some(no_loop) = tracking.map(|tracking| tracking.no_loop) else { continue };
                let told = changed.iter().filter(|(_, by)| !no_loop || **by != Some(id));
                let keys: Vec<&[u8]> = told.map(|(key, _)| &key[..]).collect();
                if !keys.is_empty() {
                    self.tell_reader(id, Some(&keys));
                }
            }
        }
    }

    /// The session's command was not CLIENT CACHING, so that what that said has been used up.
    #[inline]
    pub(super) fn use_caching_up(session: &mut Session) {
        let queues = session.queue.is_some();
        let by_client = session.command.starts_with("CLIENT");
        if let Some(tracking) = &mut session.tracking
            && !queues
            && !by_client
        {
            tracking.caching = false;
        }
    }
}

/// A message about these keys, or about all: pushed in RESP3, published in RESP2. All keys are a null in the protocol
/// of the session that tracks.
fn pushed(resp3: bool, keys: Option<&[&[u8]]>, null_of_resp3: bool) -> Vec<u8> {
    let mut reply = Reply::new(resp3);
    if resp3 {
        reply.push(2);
        reply.bulk(b"invalidate");
    } else {
        reply.array(3);
        reply.bulk(b"message");
        reply.bulk(CHANNEL);
    }
    match keys {
        Some(keys) => {
            reply.array(keys.len());
            keys.iter().for_each(|key| reply.bulk(key));
        }
        None => reply.raw(if null_of_resp3 { b"_\r\n" } else { b"$-1\r\n" }),
    }
    reply.take()
}

#[cfg(test)]
mod tests {
    use crate::engine::clients::{Session, SessionId};
    use crate::engine::testing::Play;

    /// Lines that another session says.
    fn other(play: &mut Play, id: u64, lines: &[&str]) {
        let session = play.engine.clients.take(SessionId(id));
        let session =
            session.map_or_else(|| Session::new(SessionId(id), String::new(), String::new(), play.now), |known| *known);
        let own = std::mem::replace(&mut play.session, session);
        lines.iter().for_each(|line| drop(play.run(line)));
        let session = std::mem::replace(&mut play.session, own);
        play.engine.clients.put(session);
        play.engine.broadcast_changes();
    }

    fn heard(play: &mut Play) -> Vec<(u64, String)> {
        let heard = play.engine.take_delivered().into_iter();
        heard.map(|(id, bytes)| (id.0, String::from_utf8(bytes).unwrap().replace("\r\n", " "))).collect()
    }

    /// A session with another's number, in RESP3.
    fn play() -> Play {
        let mut play = Play::new("redis-7.0");
        play.session.id = SessionId(1);
        play.run("HELLO 3");
        play
    }

    const ABOUT_A: &str = ">2 $10 invalidate *1 $1 a ";

    /// Asked of Redis 7.0.15 and 8.2.3, Valkey 8.1.8 and 9.1.2.
    #[test]
    fn what_is_pushed_comes_without_answers() {
        let mut play = play();
        let (told, message) = (ABOUT_A.replace(' ', "\r\n"), ">3\r\n$7\r\nmessage\r\n$2\r\nch\r\n$1\r\nx\r\n");
        for (line, answer) in [
            ("CLIENT TRACKING ON", "+OK\r\n"),
            ("GET a", "_\r\n"),
            ("CLIENT REPLY OFF", ""),
            ("SET a 1", &told),
            ("GET a", ""),
            ("FOO", ""),
            ("SUBSCRIBE ch", ">3\r\n$9\r\nsubscribe\r\n$2\r\nch\r\n:1\r\n"),
            ("FOO", ""),
            ("PUBLISH ch x", message),
            ("CLIENT REPLY ON", "+OK\r\n"),
            ("GET a", "$1\r\n1\r\n"),
            ("CLIENT REPLY SKIP", ""),
            ("SET a 2", &told),
            ("PING", "+PONG\r\n"),
            ("CLIENT REPLY SKIP", ""),
            ("CLIENT REPLY ON", "+OK\r\n"),
            ("CLIENT REPLY OFF", ""),
            ("MULTI", ""),
            ("PING", ""),
            ("EXEC", ""),
        ] {
            assert_eq!(play.raw3(line), answer, "{line}");
        }
    }

    #[test]
    fn who_has_read_a_key_is_told_once() {
        let mut play = play();
        other(&mut play, 2, &["HELLO 3", "CLIENT TRACKING ON", "GET a", "GET b"]);
        play.run("SET a 1");
        play.run("SET a 2");
        assert_eq!(heard(&mut play), [(2, ABOUT_A.to_owned())]);
        assert_eq!(play.engine.tracked.counts(), (1, 1, 0));
        play.run("FLUSHALL");
        assert_eq!(heard(&mut play), [(2, ">2 $10 invalidate _ ".to_owned())]);
        other(&mut play, 2, &["GET a", "CLIENT TRACKING OFF"]);
        play.run("SET a 3");
        assert_eq!((heard(&mut play), play.engine.tracked.clients), (vec![], 0));
    }

    #[test]
    fn what_a_session_changes_itself_stands_behind_its_answer() {
        let mut play = play();
        play.run("CLIENT TRACKING ON");
        play.run("HSET a f v");
        play.run("HGET a f");
        assert_eq!(play.raw3("HDEL a f"), ":1\r\n>2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\na\r\n");
        play.run("CLIENT TRACKING ON NOLOOP");
        play.run("GET a");
        assert_eq!(play.raw3("SET a 1"), "+OK\r\n");
    }

    #[test]
    fn another_listens_until_it_has_gone() {
        let mut play = play();
        other(&mut play, 3, &["SUBSCRIBE __redis__:invalidate"]);
        other(&mut play, 2, &["CLIENT TRACKING ON REDIRECT 3", "GET a"]);
        play.run("SET a 1");
        let message = "*3 $7 message $20 __redis__:invalidate *1 $1 a ".to_owned();
        assert_eq!(heard(&mut play), [(3, message)]);
        play.engine.leave(SessionId(3));
        other(&mut play, 2, &["HELLO 3", "GET a"]);
        play.run("SET a 1");
        assert_eq!(heard(&mut play), [(2, ">2 $21 tracking-redir-broken :3 ".to_owned())]);
    }

    #[test]
    fn prefixes_are_told_once_a_batch_and_not_of_own_changes_without_loops() {
        let mut play = play();
        other(&mut play, 2, &["HELLO 3", "CLIENT TRACKING ON BCAST PREFIX a PREFIX c NOLOOP", "SET a 1"]);
        assert_eq!(heard(&mut play), []);
        for line in ["SET a 1", "SET a 2", "SET b 1"] {
            play.run(line);
        }
        play.engine.broadcast_changes();
        assert_eq!(heard(&mut play), [(2, ABOUT_A.to_owned())]);
        assert_eq!(play.engine.tracked.counts(), (0, 0, 2));
    }

    #[test]
    fn caching_is_of_the_next_command_and_a_script_reads_all_its_keys() {
        let mut play = play();
        other(&mut play, 2, &["HELLO 3", "CLIENT TRACKING ON OPTIN", "GET b", "CLIENT CACHING YES", "GET a", "GET c"]);
        for line in ["SET a 1", "SET b 1", "SET c 1"] {
            play.run(line);
        }
        assert_eq!(heard(&mut play), [(2, ABOUT_A.to_owned())]);
        if cfg!(feature = "scripts") {
            other(&mut play, 4, &["HELLO 3", "CLIENT TRACKING ON", "EVAL \"redis.call('get', 'x')\" 1 a"]);
            play.run("SET a 2");
            assert_eq!(heard(&mut play), [(4, ABOUT_A.to_owned())]);
        }
    }

    #[test]
    fn no_more_keys_are_remembered_than_the_limit() {
        let mut play = play();
        other(&mut play, 2, &["HELLO 3", "CLIENT TRACKING ON", "MGET a b c"]);
        play.run("CONFIG SET tracking-table-max-keys 1");
        play.run("PING");
        assert_eq!((heard(&mut play).len(), play.engine.tracked.counts().0), (2, 1));
    }
}
