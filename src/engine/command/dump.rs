//! DUMP and RESTORE: a value alone, as bytes.

use super::{Context, Flag, Keys, Outcome, Spec};
use crate::engine::args::Args;
use crate::engine::context::Origin;
use crate::engine::error::CommandError;
use crate::engine::events::Class;
use crate::engine::keyspace::NEVER;
use crate::engine::load::Loader;
use crate::engine::save;
use crate::engine::value::{Decimal, Value};
use crate::rdb::{Depth, Payload, is_unsigned};

const READ: &[Flag] = &[Flag::Read];
const WRITE: &[Flag] = &[Flag::Write, Flag::DenyOom];

pub(super) const COMMANDS: &[Spec] = &[
    Spec::new("DUMP", 2, READ, Keys::ONE, dump),
    Spec::new("RESTORE", -4, WRITE, Keys::ONE, restore),
    Spec::new("RESTORE-ASKING", -4, WRITE, Keys::ONE, restore).since(3, 0),
];

fn dump(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let header = context.engine.dialect.dump_header();
    let Some(entry) = context.entry(args.get(1)) else {
        context.reply.null();
        return Ok(());
    };
    // Only what came from a newer server's stream can be so; a server of this version could not hold it.
    let payload = save::payload(&entry.value, header).map_err(|error| CommandError::new(format!("ERR {error}")))?;
    context.reply.bulk(&payload);
    Ok(())
}

/// RESTORE's options.
#[derive(Default)]
struct Options {
    replace: bool,
    absolute: bool,
    idle: Option<i64>,
    frequency: Option<i64>,
}

impl Options {
    fn read(args: Args<'_>) -> Result<Self, CommandError> {
        const IDLE: CommandError = CommandError::fixed("ERR Invalid IDLETIME value, must be >= 0");
        const FREQUENCY: CommandError = CommandError::fixed("ERR Invalid FREQ value, must be >= 0 and <= 255");
        let (mut options, mut index) = (Self::default(), 4);
        while index < args.len() {
            let has_value = index + 1 < args.len();
            match () {
                () if args.is(index, "REPLACE") => options.replace = true,
                () if args.is(index, "ABSTTL") => options.absolute = true,
                () if args.is(index, "IDLETIME") && has_value && options.frequency.is_none() => {
                    index += 1;
                    options.idle = Some(Some(args.integer(index)?).filter(|idle| *idle >= 0).ok_or(IDLE)?);
                }
                () if args.is(index, "FREQ") && has_value && options.idle.is_none() => {
                    index += 1;
                    let within = |frequency: &i64| (0..=255).contains(frequency);
                    options.frequency = Some(Some(args.integer(index)?).filter(within).ok_or(FREQUENCY)?);
                }
                () => return Err(CommandError::SYNTAX),
            }
            index += 1;
        }
        Ok(options)
    }
}

/// The value of a payload. From a client none that is newer than what this server would write.
fn unpack(context: &Context<'_>, bytes: &[u8]) -> Result<Value, CommandError> {
    const WRONG: CommandError = CommandError::fixed("ERR DUMP payload version or checksum are wrong");
    const BAD: CommandError = CommandError::fixed("ERR Bad data format");
    let payload = Payload::parse(bytes).ok().filter(|_| !is_unsigned(bytes)).ok_or(WRONG)?;
    if context.origin == Origin::Client && !context.engine.dialect.reads_dump(payload.header) {
        return Err(WRONG);
    }
    let loader = payload.decode(Loader::new(1, None), Depth::Full).map_err(|_| BAD)?;
    let mut loaded = loader.finish();
    // An empty collection is none.
    loaded.keyspace.remove(0, b"").filter(|_| loaded.fault.is_none()).map(|entry| entry.value).ok_or(BAD)
}

fn restore(context: &mut Context<'_>, args: Args<'_>) -> Outcome {
    const BUSY: CommandError = CommandError::fixed("BUSYKEY Target key name already exists.");
    let key = args.get(1);
    let options = Options::read(args)?;
    if !options.replace && context.exists(key) {
        return Err(BUSY);
    }
    let mut time = args.integer(2)?;
    if time < 0 {
        return Err(CommandError::fixed("ERR Invalid TTL value, must be >= 0"));
    }
    let value = unpack(context, args.get(3))?;
    let replaced = options.replace && context.take(key).is_some();
    if time != 0 && !options.absolute {
        // Beyond 64 bits it is before 1970, as servers have it.
        time = time.wrapping_add(context.now);
    }
    context.reply.ok();
    // A replica leaves it to its master to delete what has expired.
    if time != 0 && time <= context.now && context.origin == Origin::Client {
        if replaced {
            context.changed(key, 1);
            context.notify(Class::Generic, "del", key);
            let word = context.delete_word();
            context.propagate(&[word, key]);
        }
        return Ok(());
    }
    context.put(key, value, if time == 0 { NEVER } else { time });
    let keyspace = &context.engine.keyspace;
    if let Some(entry) = keyspace.get(context.session.db, key) {
        let idle = options.idle.and_then(|idle| u64::try_from(idle).ok());
        let frequency = options.frequency.and_then(|frequency| u8::try_from(frequency).ok());
        entry.used.restore(idle, frequency, &keyspace.clock);
    }
    context.changed(key, 1);
    context.signal(key);
    context.notify(Class::Generic, "restore", key);
    if time != 0 && !options.absolute && context.engine.dialect.since(7, 0) {
        let mut decimal = Decimal::new();
        let expires_at = decimal.format(time).as_bytes();
        let mut words: Vec<&[u8]> = args.from(0).collect();
        if let Some(word) = words.get_mut(2) {
            *word = expires_at;
        }
        words.push(b"ABSTTL");
        context.propagate(&words);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::engine::testing::Play;

    /// DUMP of the string `x` by each server, asked of them.
    const DUMPED: [(&str, &str); 5] = [
        ("redis-6.2", r"\x00\x01x\x09\x00\xf2r\xd7\x93\xe9n+a"),
        ("redis-7.0", r"\x00\x01x\x0a\x00\x22\x80\x86_\xbd\xe8H\xd0"),
        ("redis-8.2", r"\x00\x01x\x0c\x00\xe9\xf6\xb2\x9fG\xc2\xd6\x99"),
        ("valkey-8.1", r"\x00\x01x\x0b\x00K_;,@w\xa1Y"),
        ("valkey-9.1", r"\x00\x01xP\x00\xed\xaaO\xce#\xba/$"),
    ];

    #[test]
    fn what_is_dumped_is_what_the_servers_dump() {
        for (dialect, dumped) in DUMPED {
            let mut play = Play::new(dialect);
            play.run("SET k x");
            assert_eq!(play.bulk("DUMP k"), crate::engine::testing::words(&format!("\"{dumped}\""))[0], "{dialect}");
        }
        // The same for a number and for lists, packed as each version packs them.
        for (dialect, number, list) in [
            (
                "redis-6.2",
                r"\x00\xc190\x09\x00Mf\xbb\xeb\xc7zk\x08",
                r"\x0e\x01\x11\x11\x00\x00\x00\x0d\x00\x00\x00\x02\x00\x00\x01a\x03\x01b\xff\x09\x00T6\x08\xec\x97\x04dJ",
            ),
            (
                "valkey-9.1",
                r"\x00\xc190P\x00R\xbe#\xb6\x0d\xaeoM",
                r"\x12\x01\x02\x0d\x0d\x00\x00\x00\x02\x00\x81a\x02\x81b\x02\xffP\x00\xa7\xc1\xc3\x18\x8d\x13\xdcE",
            ),
        ] {
            let mut play = Play::new(dialect);
            play.run("SET i 12345");
            play.run("RPUSH l a b");
            let bytes = |text: &str| crate::engine::testing::words(&format!("\"{text}\"")).remove(0);
            assert_eq!(play.bulk("DUMP i"), bytes(number), "{dialect}");
            assert_eq!(play.bulk("DUMP l"), bytes(list), "{dialect}");
        }
    }

    #[test]
    fn options_and_errors_are_the_servers() {
        for (dialect, dumped) in DUMPED {
            let mut play = Play::new(dialect);
            let delete = if dialect.starts_with("valkey") { "UNLINK" } else { "DEL" };
            let broken = dumped.replacen("x", "y", 3);
            // Servers do not take a payload without a checksum.
            let unsigned = r"\x00\x01x\x06\x00\x00\x00\x00\x00\x00\x00\x00\x00";
            let at = play.now + 5000;
            play.run("SET k x");
            play.stream();
            let absolute = |options: &str| {
                if dialect == "redis-6.2" {
                    format!("RESTORE r 5000 D{options}")
                } else {
                    format!("RESTORE r {at} D{options} ABSTTL")
                }
            };
            for (line, answer, stream) in [
                ("RESTORE k 0 D", "-BUSYKEY Target key name already exists.", String::new()),
                ("RESTORE k x D", "-BUSYKEY Target key name already exists.", String::new()),
                ("RESTORE r 0 B", "-ERR DUMP payload version or checksum are wrong", String::new()),
                ("RESTORE r 0 Z", "-ERR DUMP payload version or checksum are wrong", String::new()),
                ("RESTORE r 0 x", "-ERR DUMP payload version or checksum are wrong", String::new()),
                ("RESTORE r -1 D", "-ERR Invalid TTL value, must be >= 0", String::new()),
                ("RESTORE r x D", "-ERR value is not an integer or out of range", String::new()),
                ("RESTORE r 0 D FOO", "-ERR syntax error", String::new()),
                ("RESTORE r 0 D IDLETIME -1", "-ERR Invalid IDLETIME value, must be >= 0", String::new()),
                ("RESTORE r 0 D IDLETIME x", "-ERR value is not an integer or out of range", String::new()),
                ("RESTORE r 0 D FREQ 256", "-ERR Invalid FREQ value, must be >= 0 and <= 255", String::new()),
                ("RESTORE r 0 D FREQ 1 IDLETIME 1", "-ERR syntax error", String::new()),
                ("RESTORE r 0 D FREQ", "-ERR syntax error", String::new()),
                ("RESTORE r 9223372036854775807 D", "OK", String::new()),
                ("RESTORE r 1000 D ABSTTL", "OK", String::new()),
                ("EXISTS r", "0", String::new()),
                ("RESTORE r 5000 D", "OK", absolute("")),
                ("PTTL r", "5000", String::new()),
                ("RESTORE r 5000 D REPLACE IDLETIME 10", "OK", absolute(" REPLACE IDLETIME 10")),
                ("RESTORE r 1000 D ABSTTL", "-BUSYKEY Target key name already exists.", String::new()),
                ("RESTORE r 1000 D ABSTTL REPLACE", "OK", format!("{delete} r")),
                ("RESTORE r 0 D replace absttl freq 3", "OK", "RESTORE r 0 D replace absttl freq 3".into()),
                ("RESTORE-ASKING q 0 D", "OK", "RESTORE-ASKING q 0 D".into()),
                ("GET q", "x", String::new()),
            ] {
                let typed = |text: &str| {
                    text.replace(" Z", &format!(" \"{unsigned}\""))
                        .replace(" D", &format!(" \"{dumped}\""))
                        .replace(" B", &format!(" \"{broken}\""))
                };
                let answered = play.run(&typed(line));
                let payload = crate::engine::testing::words(&format!("\"{dumped}\"")).remove(0);
                let shown = format!("\"{}\"", payload.escape_ascii());
                let streamed = play.stream().replace(&shown, "D");
                assert_eq!((answered.as_str(), streamed), (answer, stream), "{dialect}: {line}");
            }
        }
    }

    #[test]
    fn newer_payloads_are_for_replicas_only() {
        let (_, newest) = DUMPED[4];
        let line = format!("RESTORE k 0 \"{newest}\"");
        let mut play = Play::new("redis-7.0");
        assert_eq!(play.run(&line), "-ERR DUMP payload version or checksum are wrong");
        assert!(play.apply(&line));
        assert_eq!(play.run("GET k"), "x");
    }

    #[test]
    fn an_expired_key_of_the_master_is_kept_for_it() {
        let (_, dumped) = DUMPED[1];
        let mut play = Play::new("redis-7.0");
        assert!(play.apply(&format!("RESTORE k 1000 \"{dumped}\" ABSTTL")));
        assert_eq!((play.engine.keyspace.size(0).keys, play.run("GET k")), (1, "(nil)".into()));
    }

    #[test]
    fn every_type_comes_back_as_it_was() {
        let mut play = Play::new("redis-8.2");
        for line in [
            "SET s hello",
            "RPUSH l a b c",
            "SADD set 1 2 x",
            "ZADD z 1 a 2.5 b",
            "HSET h f v g w",
            "HPEXPIREAT h 1800000000000 FIELDS 1 f",
            "XADD st 1-1 a b",
            "XGROUP CREATE st g 0",
            "XREADGROUP GROUP g c STREAMS st >",
            "PFADD hll a b c",
        ] {
            assert!(!play.run(line).starts_with('-'), "{line}");
        }
        for key in ["s", "l", "set", "z", "h", "st", "hll"] {
            let dumped = play.bulk(&format!("DUMP {key}"));
            let digest = play.run(&format!("DEBUG DIGEST-VALUE {key}"));
            let quoted: String = dumped.iter().map(|byte| format!("\\x{byte:02x}")).collect();
            assert_eq!(play.run(&format!("RESTORE {key} 0 \"{quoted}\" REPLACE")), "OK", "{key}");
            assert_eq!(play.run(&format!("DEBUG DIGEST-VALUE {key}")), digest, "{key}");
            assert_eq!(play.bulk(&format!("DUMP {key}")), dumped, "{key}");
        }
    }

    #[test]
    fn a_modules_value_is_written_back_byte_for_byte() {
        // Type 7, the id of a module that nobody knows, an unsigned number, a string, the end.
        let mut payload =
            vec![7, 0x81, 0x0b, 0xb1, 0x2f, 0x4a, 0x5b, 0x6c, 0x7d, 0x01, 2, 5, 5, 3, b'a', b'b', b'c', 0];
        crate::rdb::seal(&mut payload, 10);
        let quoted: String = payload.iter().map(|byte| format!("\\x{byte:02x}")).collect();
        let mut play = Play::new("redis-7.0");
        assert!(play.apply(&format!("RESTORE m 0 \"{quoted}\"")));
        assert_eq!(play.bulk("DUMP m"), payload);
    }
}
