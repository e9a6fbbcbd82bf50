//! MONITOR: who sees every command, and what of it.
//!
//! (Lines compared with those of Redis 6.2.14, 7.0.15 and 8.2.3.)

use std::fmt::Write;

use super::args::Args;
use super::clients::Session;
use super::command::{Flag, Spec};
use super::core::Engine;

/// In place of what nobody is to see.
const REDACTED: &str = " \"(redacted)\"";

impl Engine {
    /// A session sees every command from here on.
    pub(super) fn monitor(&mut self, session: &mut Session) {
        if !std::mem::replace(&mut session.monitors, true) {
            self.monitors.push(session.id);
        }
    }

    /// A session sees commands no longer.
    pub(super) fn unmonitor(&mut self, session: &mut Session) {
        if std::mem::take(&mut session.monitors) {
            self.monitors.retain(|id| *id != session.id);
        }
    }

    /// Whether a command is shown before it runs: what a script does comes behind it.
    pub(super) fn is_shown_early(spec: &Spec) -> bool {
        spec.name.starts_with("EVAL") || spec.name.starts_with("FCALL")
    }

    /// Shows a command that runs now, or has run.
    #[cold]
    pub(super) fn show(&mut self, spec: &Spec, session: &Session, args: Args<'_>, early: bool, now: i64) {
        if spec.has(Flag::Admin) || self.reruns || early != Self::is_shown_early(spec) {
            return;
        }
        // It was no command like others then.
        if spec.name == "QUIT" && !self.dialect.since(7, 0) {
            return;
        }
        // Of a script's commands it is the script's language that calls.
        let peer = if self.scripting && !early { "lua" } else { &session.peer };
        let mut line = format!("+{}.{:06} [{} {}]", now / 1000, now % 1000 * 1000, session.db, peer);
        for (index, word) in args.from(0).enumerate() {
            if spec.is_secret(args, index) {
                line += REDACTED;
                continue;
            }
            line += " \"";
            for byte in word {
                match byte {
                    b'"' | b'\\' => line.extend(['\\', char::from(*byte)]),
                    b'\n' => line += "\\n",
                    b'\r' => line += "\\r",
                    b'\t' => line += "\\t",
                    7 => line += "\\a",
                    8 => line += "\\b",
                    b' '..=b'~' => line.push(char::from(*byte)),
                    other => {
                        let _ = write!(line, "\\x{other:02x}");
                    }
                }
            }
            line.push('"');
        }
        line += "\r\n";
        // Who leaves hears nothing more.
        let left = session.closing.map(|_| session.id);
        for id in self.monitors.iter().filter(|id| Some(**id) != left) {
            self.delivered.push((*id, line.clone().into_bytes()));
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::engine::clients::{Session, SessionId};
    use crate::engine::testing::Play;

    /// What another client sees of these lines, without the time.
    fn seen(dialect: &str, lines: &[&str]) -> Vec<String> {
        let mut play = Play::new(dialect);
        let session = Session::new(SessionId(9), String::new(), String::new(), play.now);
        let own = std::mem::replace(&mut play.session, session);
        assert_eq!(play.run("MONITOR"), "OK");
        let monitor = std::mem::replace(&mut play.session, own);
        play.engine.clients.put(monitor);
        play.session.peer = "10.0.0.1:5".to_owned();
        lines.iter().for_each(|line| drop(play.run(line)));
        let all = play.engine.take_delivered().into_iter().map(|(id, bytes)| {
            assert_eq!(id, SessionId(9));
            let line = String::from_utf8(bytes).unwrap();
            line.strip_prefix("+1700000000.000000 ").unwrap().trim_end().to_owned()
        });
        all.collect()
    }

    const LINES: &[&str] = &[
        "multi",
        "set a 1",
        "get a",
        "exec",
        "nosuch",
        "get",
        "config get port",
        "blpop zz 1",
        "select 99",
        "SELECT 2",
        "multi",
        "discard",
        "get \"\\x00\\xff\\n\\\"\\\\\"",
        "auth user secret",
        "hello 2 auth user secret setname x",
        "quit",
    ];

    #[test]
    fn commands_are_shown_as_servers_show_them() {
        let wanted = |logins: &[&str]| {
            let lines = [
                "[0 10.0.0.1:5] \"multi\"".to_owned(),
                "[0 10.0.0.1:5] \"set\" \"a\" \"1\"".to_owned(),
                "[0 10.0.0.1:5] \"get\" \"a\"".to_owned(),
                "[0 10.0.0.1:5] \"exec\"".to_owned(),
                "[0 10.0.0.1:5] \"blpop\" \"zz\" \"1\"".to_owned(),
                "[0 10.0.0.1:5] \"select\" \"99\"".to_owned(),
                "[2 10.0.0.1:5] \"SELECT\" \"2\"".to_owned(),
                "[2 10.0.0.1:5] \"multi\"".to_owned(),
                "[2 10.0.0.1:5] \"discard\"".to_owned(),
                "[2 10.0.0.1:5] \"get\" \"\\x00\\xff\\n\\\"\\\\\"".to_owned(),
            ];
            let logins = logins.iter().map(|line| (*line).to_owned());
            lines.into_iter().chain(logins).collect::<Vec<_>>()
        };
        let logins = [
            "[2 10.0.0.1:5] \"auth\" \"(redacted)\" \"(redacted)\"",
            "[2 10.0.0.1:5] \"hello\" \"2\" \"auth\" \"(redacted)\" \"(redacted)\" \"setname\" \"x\"",
        ];
        let quit = "[2 10.0.0.1:5] \"quit\"";
        assert_eq!(seen("redis-7.0", LINES), wanted(&[logins[0], logins[1], quit]));
        assert_eq!(seen("redis-6.2", LINES), wanted(&logins));
    }

    #[test]
    fn who_monitors_has_no_keys_until_reset() {
        let mut play = Play::new("redis-7.0");
        for (line, answer) in [
            ("MONITOR", "OK"),
            ("GET k", "-ERR Replica can't interact with the keyspace"),
            ("PING", "PONG"),
            ("RESET", "RESET"),
            ("GET k", "(nil)"),
        ] {
            assert_eq!(play.run(line), answer, "{line}");
        }
        let seen = play.engine.take_delivered();
        assert_eq!(seen.len(), 1, "{seen:?}");
        play.run("MONITOR");
        assert_eq!(play.raw("MONITOR"), "");
        let session = std::mem::take(&mut play.session);
        let id = session.id;
        play.engine.clients.put(session);
        play.engine.leave(id);
        play.run("PING");
        assert!(play.engine.take_delivered().is_empty());
    }
}
