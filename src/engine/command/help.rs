//! `CONTAINER HELP`: what there is, and what it is for.
//!
//! What stands in front of each explanation, in which order and where, is the servers' (asked of Redis 6.2.14, 7.0.15 and
//! 8.2.3, Valkey 8.1.8 and 9.1.2); the explanations are not.

use super::{Context, Outcome};
use crate::engine::args::Args;
use crate::engine::error::CommandError;
use crate::engine::info::letter;

/// A subcommand with its arguments; the servers that tell of it, by the letters of `info::layout`; what it is for, line
/// by line.
type Row = (&'static str, &'static str, &'static str);

const ALL: &str = "678vw";

const HELP: Row = ("HELP", ALL, "These lines.");

const HELPS: &[(&str, &[Row])] = &[
    (
        "ACL",
        &[
            (
                "CAT [<category>]",
                ALL,
                "The categories of commands, or, with one of them,\nthe commands that are in it.",
            ),
            ("DELUSER <username> [<username> ...]", ALL, "Removes users; their connections are closed."),
            (
                "DRYRUN <username> <command> [<arg> ...]",
                "78vw",
                "Whether the user could run the command, which is not run.",
            ),
            ("GETUSER <username>", ALL, "All that is known of a user."),
            ("GENPASS [<bits>]", ALL, "A random password of so many bits, 256 if not told,\nin hexadecimal digits."),
            ("LIST", ALL, "Every user as a line of a configuration file."),
            ("LOAD", ALL, "Takes the users of the ACL file in place of those there are."),
            ("LOG [<count> | RESET]", ALL, "The latest refusals, or none from here on."),
            ("SAVE", ALL, "Writes the users into the ACL file."),
            ("SETUSER <username> <attribute> [<attribute> ...]", "678v", "Makes a user or changes one."),
            ("SETUSER <username> <rule> [<rule> ...]", "w", "Makes a user or changes one."),
            ("USERS", ALL, "The names of all users."),
            ("WHOAMI", ALL, "The user of this connection."),
            HELP,
        ],
    ),
    (
        "CLIENT",
        &[
            ("CACHING (YES|NO)", ALL, "Whether the keys of the next command are tracked (OPTIN, OPTOUT)."),
            (
                "CAPA <option> [options...]",
                "vw",
                "Says what the client can do:\n* REDIRECT\n  Go where a replica sends it.",
            ),
            ("GETREDIR", ALL, "The client that gets this one's invalidations."),
            ("GETNAME", ALL, "The name of this connection."),
            ("ID", ALL, "The number of this connection."),
            ("INFO", ALL, "The line of this connection in CLIENT LIST."),
            ("KILL <ip:port>", ALL, "Closes the connection from that address."),
            (
                "KILL <option> <value> [<option> <value> [...]]",
                ALL,
                "Closes all connections for which every condition holds:\n* ADDR (<ip:port>|<unixsocket>:0)\n  It comes from there.\n* LADDR (<ip:port>|<unixsocket>:0)\n  It came in there.\n* TYPE (NORMAL|MASTER|REPLICA|PUBSUB)\n  It is such a one.\n* USER <username>\n  It has authenticated so.\n* SKIPME (YES|NO)\n  It is not this one, unless NO is said.\n* ID <clientid>\n  It has that number.",
            ),
            (
                "LIST [options ...]",
                ALL,
                "A line for each connection, or for some:\n* TYPE (NORMAL|MASTER|REPLICA|PUBSUB)\n  Those that are such.",
            ),
            ("UNPAUSE", ALL, "Ends the pause of CLIENT PAUSE."),
            ("PAUSE <timeout> [WRITE|ALL]", ALL, "Commands, or those that write, wait for so many milliseconds."),
            ("REPLY (ON|OFF|SKIP)", ALL, "Whether this connection is answered."),
            ("SETNAME <name>", ALL, "Gives this connection a name."),
            (
                "UNBLOCK <clientid> [TIMEOUT|ERROR]",
                ALL,
                "Ends a client's wait, as if its time were over or with an error.",
            ),
            (
                "TRACKING (ON|OFF) [REDIRECT <id>] [BCAST] [PREFIX <prefix> [...]]",
                ALL,
                "Whether this client hears of changes of what it has read, or of all keys,\nor has another hear of them.",
            ),
            ("TRACKINGINFO", ALL, "How this client tracks keys."),
            ("NO-EVICT (ON|OFF)", "78vw", "Whether this client is spared when clients take too much memory."),
            ("SETINFO <option> <value>", "8vw", "Says which library speaks here:\n* LIB-NAME\n* LIB-VER"),
            ("NO-TOUCH (ON|OFF)", "8vw", "Whether what this client reads does not count as used."),
            (
                "IMPORT-SOURCE (ON|OFF)",
                "vw",
                "Whether this client brings data in, and sees what has expired,\nwhile import-mode is on.",
            ),
            HELP,
        ],
    ),
    (
        "COMMAND",
        &[
            ("(no subcommand)", ALL, "What is known of every command."),
            ("COUNT", ALL, "How many commands there are."),
            ("LIST", "78vw", "The names of commands."),
            ("INFO [<command-name> ...]", ALL, "What is known of these commands, or of all."),
            ("DOCS [<command-name> ...]", "78vw", "What these commands, or all, are for."),
            ("GETKEYS <full-command>", ALL, "The keys among the arguments of a command."),
            ("GETKEYSANDFLAGS <full-command>", "78vw", "The same, and what the command does with each."),
            HELP,
        ],
    ),
    (
        "COMMANDLOG",
        &[
            (
                "GET <count> <type>",
                "vw",
                "The latest entries, -1 for all, of a type:\n* slow\n* large-request\n* large-reply\nAn entry is\n* its number, a time, microseconds or bytes,\n  the command, the client and its name",
            ),
            ("LEN <type>", "vw", "How many entries of a type there are."),
            ("RESET <type>", "vw", "Removes the entries of a type."),
            HELP,
        ],
    ),
    (
        "CONFIG",
        &[
            ("GET <pattern>", ALL, "The directives that match the pattern, and their values."),
            ("SET <directive> <value>", ALL, "Gives a directive another value."),
            ("RESETSTAT", ALL, "Has INFO's counts begin anew."),
            ("REWRITE", ALL, "Writes the values into the configuration file."),
            HELP,
        ],
    ),
    (
        "DEBUG",
        &[
            ("DIGEST", ALL, "A sum of all data."),
            ("DIGEST-VALUE <key> [<key> ...]", ALL, "A sum of each key's value."),
            ("OBJECT <key>", "678", "How a key's value is held."),
            ("OBJECT <key> [fast]", "vw", "How a key's value is held."),
            (
                "POPULATE <count> [<prefix>] [<size>]",
                ALL,
                "Makes so many strings, key:0 and so on, with the number as\nvalue, of a size if one is told.",
            ),
            (
                "PROTOCOL <type>",
                ALL,
                "An answer of a type of the protocol: string, integer, double,\nnull, array, set, map, attrib, push, verbatim, true, false.",
            ),
            (
                "RELOAD [option ...]",
                ALL,
                "Saves the data and loads them:\n* MERGE\n  What is loaded takes the place of a key that is there.\n* NOFLUSH\n  What is there stays.\n* NOSAVE\n  Nothing is saved before.",
            ),
            ("REPLICATE <string>", "78vw", "Puts a command into the stream to replicas."),
            ("SET-ACTIVE-EXPIRE <0|1>", ALL, "Whether keys that expire go before somebody asks for them."),
            ("SLEEP <seconds>", ALL, "Does nothing for so long."),
            ("PAUSE-CRON <0|1>", ALL, "Whether what is done at times is not done."),
            HELP,
        ],
    ),
    (
        "FUNCTION",
        &[
            ("LOAD [REPLACE] <FUNCTION CODE>", ALL, "Takes a library in."),
            ("DELETE <LIBRARY NAME>", ALL, "Removes a library."),
            (
                "LIST [LIBRARYNAME PATTERN] [WITHCODE]",
                ALL,
                "The libraries, or those that match a pattern:\n* name\n* engine\n* functions, with flags\n* code, if it is asked for",
            ),
            (
                "STATS",
                ALL,
                "The function that runs:\n* its name\n* its command\n* for how many milliseconds\nand what engines there are.",
            ),
            ("KILL", ALL, "Ends the function that runs."),
            ("FLUSH [ASYNC|SYNC]", ALL, "Removes all libraries:\n* ASYNC: later\n* SYNC: at once"),
            ("DUMP", ALL, "All libraries as a payload for RESTORE."),
            (
                "RESTORE <PAYLOAD> [FLUSH|APPEND|REPLACE]",
                ALL,
                "Takes a payload's libraries in:\n* FLUSH: in place of all\n* APPEND: beside those that there are\n* REPLACE: also in place of one of the same name",
            ),
            HELP,
        ],
    ),
    (
        "LATENCY",
        &[
            ("DOCTOR", ALL, "What can be said about latency."),
            ("GRAPH <event>", ALL, "An event's history as a picture."),
            ("HISTORY <event>", ALL, "When an event took long, and how long."),
            ("LATEST", ALL, "Each event's latest time and its longest."),
            ("RESET [<event> ...]", ALL, "Forgets the history of events, of all\nif none is named."),
            ("HISTOGRAM [COMMAND ...]", "78vw", "How often commands took how long,\nadded up."),
            HELP,
        ],
    ),
    (
        "MEMORY",
        &[
            ("DOCTOR", ALL, "What stands out about the memory."),
            ("MALLOC-STATS", ALL, "What the allocator tells."),
            ("PURGE", ALL, "Gives memory back to the operating system."),
            ("STATS", ALL, "What takes how much memory."),
            (
                "USAGE <key> [SAMPLES <count>]",
                ALL,
                "How many bytes a key and its value take, by so many of its elements:\n5 if not told.",
            ),
            HELP,
        ],
    ),
    (
        "MODULE",
        &[
            ("LIST", ALL, "The modules that are loaded."),
            ("LOAD <path> [<arg> ...]", ALL, "Loads a module with arguments."),
            (
                "LOADEX <path> [[CONFIG NAME VALUE] [CONFIG NAME VALUE]] [ARGS ...]",
                "78vw",
                "Loads a module with its configuration and arguments.",
            ),
            ("UNLOAD <name>", ALL, "Takes a module out."),
            HELP,
        ],
    ),
    (
        "OBJECT",
        &[
            ("ENCODING <key>", ALL, "In which form a server would hold\nthe key's value."),
            ("FREQ <key>", ALL, "How often the key was used, as a number that rises\never more slowly."),
            ("IDLETIME <key>", ALL, "For how many seconds, about,\nthe key was not used."),
            ("REFCOUNT <key>", ALL, "How many keys, about,\nshare the value."),
            HELP,
        ],
    ),
    (
        "PUBSUB",
        &[
            ("CHANNELS [<pattern>]", ALL, "The channels somebody listens to, or those that match a pattern."),
            ("NUMPAT", ALL, "How many patterns are listened to."),
            ("NUMSUB [<channel> ...]", ALL, "How many listen to each of these channels, those of patterns\naside."),
            ("SHARDCHANNELS [<pattern>]", "78vw", "The shards' channels somebody listens to."),
            ("SHARDNUMSUB [<shardchannel> ...]", "78vw", "How many listen to each of these shards' channels."),
            HELP,
        ],
    ),
    ("REPLTOOL", &[("DIGEST", ALL, "A sum of all data that is hard to forge, whatever server this is like."), HELP]),
    (
        "SCRIPT",
        &[
            ("DEBUG (YES|SYNC|NO)", "678v", "Whether scripts of this connection are debugged."),
            (
                "DEBUG (YES|SYNC|NO) [<engine_name>]",
                "w",
                "Whether scripts of this connection are debugged,\nthose of one engine.",
            ),
            ("EXISTS <sha1> [<sha1> ...]", ALL, "Whether scripts of these digests are cached."),
            ("FLUSH [ASYNC|SYNC]", ALL, "Forgets all scripts:\n* ASYNC: later\n* SYNC: at once"),
            ("KILL", ALL, "Ends the script that runs."),
            ("LOAD <script>", ALL, "Caches a script without running it."),
            ("SHOW <sha1>", "vw", "The text of a script."),
            HELP,
        ],
    ),
    (
        "SLOWLOG",
        &[
            (
                "GET [<count>]",
                ALL,
                "The latest entries, 10 if not told, -1 for all. An entry is\n* its number, a time, microseconds, the command,\n  the client and its name",
            ),
            ("LEN", ALL, "How many entries there are."),
            ("RESET", ALL, "Removes all entries."),
            HELP,
        ],
    ),
    (
        "XGROUP",
        &[
            (
                "CREATE <key> <groupname> <id|$> [option]",
                ALL,
                "Makes a group that has read up to an ID. Options:\n* MKSTREAM\n  Makes the stream if there is none.",
            ),
            ("CREATECONSUMER <key> <groupname> <consumer>", ALL, "Makes a consumer in a group."),
            ("DELCONSUMER <key> <groupname> <consumer>", ALL, "Removes a consumer from a group."),
            ("DESTROY <key> <groupname>", ALL, "Removes a group."),
            ("SETID <key> <groupname> <id|$>", "6", "Says up to which ID a group has read."),
            (
                "SETID <key> <groupname> <id|$> [ENTRIESREAD entries_read]",
                "78vw",
                "Says up to which ID a group has read, and how many entries.",
            ),
            HELP,
        ],
    ),
    (
        "XINFO",
        &[
            ("CONSUMERS <key> <groupname>", ALL, "The consumers of a group."),
            ("GROUPS <key>", ALL, "The groups of a stream."),
            ("STREAM <key> [FULL [COUNT <count>]", ALL, "All that is known of a stream."),
            HELP,
        ],
    ),
];

/// `CONTAINER HELP`.
pub(super) fn help(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let dialect = context.engine.dialect;
    let container = context.engine.command(args.get(0)).ok_or(CommandError::SYNTAX)?;
    let rows = HELPS.iter().find(|(name, _)| *name == container.name).map_or(&[][..], |(_, rows)| *rows);
    // Older versions than those that were asked do not have all of it.
    let is_known = |row: &&Row| {
        let word = row.0.split(' ').next().unwrap_or_default();
        let sub = container
            .subcommands()
            .find(|sub| sub.name.ends_with(word) && sub.name.len() == container.name.len() + 1 + word.len());
        row.1.contains(letter(dialect)) && sub.is_none_or(|sub| sub.is_known(dialect))
    };
    let mut lines = vec![format!("{} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:", container.name)];
    for (heading, _, what) in rows.iter().filter(is_known) {
        lines.push((*heading).to_owned());
        lines.extend(what.lines().map(|line| format!("    {line}")));
    }
    context.reply.array(lines.len());
    lines.iter().for_each(|line| context.reply.status(line));
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::engine::command::all;
    use crate::engine::testing::Play;

    fn lines(play: &mut Play, container: &str) -> Vec<String> {
        let answer = play.raw(&format!("{container} HELP"));
        assert!(answer.starts_with('*'), "{container}: {answer}");
        answer.lines().skip(1).map(|line| line.trim_start_matches('+').to_owned()).collect()
    }

    #[test]
    fn what_is_told_is_what_there_is() {
        for dialect in ["redis-4.0", "redis-5.0", "redis-6.2", "redis-7.0", "redis-8.2", "valkey-8.1", "valkey-9.1"] {
            let mut play = Play::new(dialect);
            let known: Vec<_> = all().filter(|spec| spec.is_known(play.engine.dialect)).collect();
            let is_there = |name: &str| known.iter().any(|spec| spec.name == name);
            let helped = known.iter().filter_map(|spec| spec.name.strip_suffix("|HELP"));
            let helped = helped.filter(|name| *name != "CLUSTER" && is_there(name));
            for container in helped {
                let lines = lines(&mut play, container);
                let head = format!("{container} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:");
                assert_eq!(lines[0], head, "{dialect}");
                assert_eq!(lines[lines.len() - 2..], ["HELP".to_owned(), "    These lines.".to_owned()], "{dialect}");
                let told: Vec<&str> = lines[1..]
                    .iter()
                    .filter(|line| !line.starts_with(' '))
                    .map(|line| line.split(' ').next().unwrap())
                    .collect();
                for spec in &known {
                    if let Some((_, sub)) = spec.name.split_once('|').filter(|(name, _)| *name == container) {
                        // 6.2 tells of no more than it had then.
                        assert!(told.contains(&sub), "{dialect}: {container} {sub}");
                    }
                }
                let known_sub = |word: &str| known.iter().any(|spec| spec.name == format!("{container}|{word}"));
                for word in told.iter().filter(|word| **word != "(no") {
                    assert!(known_sub(word), "{dialect}: {container} {word}");
                }
            }
        }
    }

    #[test]
    fn an_explanation_stands_below_each() {
        let mut play = Play::new("redis-7.0");
        assert_eq!(
            lines(&mut play, "CONFIG"),
            [
                "CONFIG <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
                "GET <pattern>",
                "    The directives that match the pattern, and their values.",
                "SET <directive> <value>",
                "    Gives a directive another value.",
                "RESETSTAT",
                "    Has INFO's counts begin anew.",
                "REWRITE",
                "    Writes the values into the configuration file.",
                "HELP",
                "    These lines.",
            ]
        );
        assert_eq!(play.run("CONFIG HELP x"), "-ERR wrong number of arguments for 'config|help' command");
        assert!(lines(&mut play, "DEBUG").contains(&"DIGEST".to_owned()));
    }
}
