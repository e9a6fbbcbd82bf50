//! LOLWUT: a picture, and the version below it.

use super::{Context, Flag, Keys, Outcome, Spec};
use crate::engine::args::Args;

pub(super) const COMMANDS: &[Spec] =
    &[Spec::new("LOLWUT", -1, &[Flag::Read, Flag::Fast], Keys::NONE, lolwut).since(5, 0)];

/// Width of the sea between the two servers, in letters.
const SEA: usize = 40;

/// A master, its replica, and a command on its way over the waves.
fn picture(context: &mut Context<'_>) -> String {
    let random = &mut context.engine.random;
    let command = ["SET k v", "INCR n", "LPUSH l a", "DEL k", "PING", "EXPIRE k 9"];
    let command = command.get(random.below(command.len())).copied().unwrap_or_default();
    let at = random.below(SEA - command.len() - 5);
    let boat = format!("{}\\_{command}_/>", " ".repeat(at));
    let wave = |random: &mut crate::engine::random::Random| -> String {
        (0..SEA).map(|_| ['~', '~', '-', '^', ' '].get(random.below(5)).copied().unwrap_or('~')).collect()
    };
    let (near, far) = (wave(random), wave(random));
    format!(
        " ________  {:SEA$}  _________\n| master | {boat:SEA$} | replica |\n|________|~{near}~|_________|\n  \\____/  ~{far}~  \\_____/\n",
        ""
    )
}

/// LOLWUT [VERSION version] […]: of a version that is known for no picture there is none.
fn lolwut(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let named = args.is(1, "VERSION") && args.len() > 2;
    let shows = !named || matches!(args.integer(2)?, 5 | 6);
    let dialect = context.engine.dialect;
    // Valkey kept Redis's name there until 9.0.
    let renamed = dialect.is_valkey_since(9, 0);
    let text = match (shows, renamed) {
        (true, false) => format!("{}\nRedis ver. {}\n", picture(context), dialect.own_version()),
        (true, true) => format!("{}\nValkey ver. {}\n", picture(context), dialect.own_version()),
        (false, false) => format!("Redis ver. {}\n", dialect.own_version()),
        (false, true) => format!("Valkey ver.{}\n", dialect.own_version()),
    };
    context.reply.verbatim(text.as_bytes());
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::engine::testing::Play;

    #[test]
    fn the_version_stands_below_the_picture() {
        // Asked of Redis 6.2.14 and Valkey 8.1.8 and 9.1.2.
        for (dialect, line, alone) in [
            ("redis-6.2", "Redis ver. 6.2.14", "Redis ver. 6.2.14"),
            ("valkey-8.1", "Redis ver. 8.1.8", "Redis ver. 8.1.8"),
            ("valkey-9.1", "Valkey ver. 9.1.2", "Valkey ver.9.1.2"),
        ] {
            let mut play = Play::new(dialect);
            for _ in 0..50 {
                let text = String::from_utf8(play.bulk("LOLWUT VERSION 5 1 2")).unwrap();
                assert_eq!(text.lines().last(), Some(line), "{dialect}");
                assert!(text.contains("| replica |"), "{text}");
                let widths: Vec<usize> = text.lines().skip(1).take(2).map(str::len).collect();
                assert_eq!(widths[0], widths[1], "{text}");
            }
            assert_eq!(play.bulk("LOLWUT version 4"), format!("{alone}\n").into_bytes(), "{dialect}");
            let wrong = "-ERR value is not an integer or out of range";
            assert_eq!(play.run("LOLWUT VERSION x"), wrong, "{dialect}");
        }
    }
}
