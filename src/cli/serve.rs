//! `repltool serve`: the embedded engine as a server.

use std::fs;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use super::args::{RdbSource, Role, ServeArgs};
use super::rdb::source::{Taker, feed};
use super::{Exit, say};
use crate::engine::load::Loader;
use crate::engine::server::{self, serve};
use crate::engine::{Config, ConfigFile, Engine, Keyspace, Level, Process, Random};
use crate::rdb::{Checksum, Decoder, Depth, RdbError};
use crate::repl::event::Replid;
use crate::repl::replica::CachedMaster;
use crate::units::{Offset, Timestamp};
use crate::view::time::Clock;

pub(super) fn run(args: &ServeArgs) -> anyhow::Result<Exit> {
    let (config, replicaof, users) = configure(args)?;
    let usual = Config::new(args.compat);
    // Who names a file, a folder or save points wants what is there.
    let saves = ["dir", "dbfilename", "save"].iter().any(|name| config.get(name) != usual.get(name));
    match (args.role, &replicaof) {
        (Some(Role::Replica), None) => bail!("a replica needs a master: say --replicaof HOST PORT"),
        (Some(Role::Master), Some(_)) => {
            bail!("a master follows nobody: leave --replicaof away, or say --role replica")
        }
        _ => {}
    }
    let addresses = addresses(&config)?;
    let databases = usize::try_from(config.number("databases")).unwrap_or(16);
    let mut engine = Engine::new(args.compat, databases);
    engine.config = config;
    for (name, rules) in users {
        let rules = rules.iter().map(String::as_bytes);
        let all_channels = engine.config.get("acl-pubsub-default") == "allchannels";
        let changed = engine.users.change(name.as_bytes(), rules, args.compat, all_channels);
        changed.with_context(|| format!("user {name}"))?;
    }
    let port = u16::try_from(engine.config.number("port")).unwrap_or(0);
    engine.process = process(port);
    if let Some(path) = &args.config {
        let path = fs::canonicalize(path).unwrap_or_else(|_| path.clone());
        engine.process.config_file = path.display().to_string();
        engine.config_file = Some(Box::new(File(path)));
    }
    if let Some(path) = engine.config.text("aclfile").map(PathBuf::from) {
        engine.acl_file = Some(Box::new(File(path)));
        engine.load_users().map_err(|error| anyhow::anyhow!("aclfile: {error}"))?;
    }
    // Where it works: a name of its own, as servers tell it.
    if let Ok(dir) = fs::canonicalize(engine.config.get("dir")) {
        engine.config.set_at_start("dir", &dir.display().to_string())?;
    }
    if engine.config.flag("appendonly") {
        say("there is no append-only file here: --appendonly yes is taken for no");
        engine.config.set_at_start("appendonly", "no")?;
    }
    let own = Path::new(engine.config.get("dir")).join(engine.config.get("dbfilename"));
    let own = Some(own).filter(|file| saves && file.is_file());
    if let Some(file) = args.rdb.as_ref().or(args.load.as_ref()).or(own.as_ref()) {
        seed(&mut engine, file, args, replicaof.is_some())?;
    }
    engine.refresh();
    let role = if replicaof.is_some() { "replica" } else { "master" };
    serve(engine, &addresses, replicaof, args.faults.clone(), Box::new(log), |bound| {
        let list: Vec<String> = bound.iter().map(ToString::to_string).collect();
        let mut stdout = io::stdout().lock();
        // That nobody reads it is no reason not to serve.
        let _ = writeln!(stdout, "ready: {role} on {}", list.join(", ")).and_then(|()| stdout.flush());
    })?;
    Ok(Exit::Fine)
}

/// Takes an RDB as it is read.
struct Seed {
    decoder: Decoder<Loader>,
    error: Option<RdbError>,
}

impl Taker for Seed {
    fn take(&mut self, bytes: &[u8]) -> usize {
        match self.decoder.push(bytes) {
            Ok(progress) => progress.consumed,
            Err(error) => {
                self.error = Some(error);
                bytes.len()
            }
        }
    }
}

/// Fills the engine with an RDB's keys; with a capture's, its place in the stream is taken, too.
fn seed(engine: &mut Engine, file: &Path, args: &ServeArgs, replica: bool) -> anyhow::Result<()> {
    let name = file.display();
    let now = engine.process.started_at;
    let loader = engine.loader(args.load.is_some(), now);
    let mut seed = Seed { decoder: Decoder::new(loader, Depth::Full), error: None };
    feed(&RdbSource { file: file.to_owned(), link: args.link }, &mut seed)?;
    if let Some(error) = seed.error {
        return Err(error).with_context(|| name.to_string());
    }
    if !seed.decoder.ended() {
        bail!("{name}: the RDB is cut");
    }
    let loaded = seed.decoder.into_values().finish();
    if let Some(Checksum::Bad { .. }) = loaded.checksum {
        bail!("{name}: the RDB's checksum is wrong");
    }
    if let Some(fault) = &loaded.fault {
        bail!("{name}: {fault}");
    }
    let aux = |key: &str| {
        let (_, value) = loaded.aux.iter().find(|(name, _)| name == key.as_bytes())?;
        Some(String::from_utf8_lossy(value).into_owned())
    };
    let place = aux("repl-id").zip(aux("repl-offset").and_then(|offset| offset.parse().ok()));
    let place = place.map(|(id, offset)| CachedMaster {
        replid: Replid::from_wire(id.as_bytes()),
        offset: Offset(offset),
        db: aux("repl-stream-db").and_then(|db| db.parse().ok()).unwrap_or(0),
    });
    match place {
        Some(place) if args.load.is_some() => engine.master.resume(place.replid, place.offset),
        Some(place) => engine.resume_at(place, replica),
        None if args.load.is_some() => {
            say(&format!("{name}: the RDB does not tell its place in the stream; a new history begins"));
        }
        None => {}
    }
    let keys = |keyspace: &Keyspace| (0..keyspace.databases()).map(|db| keyspace.size(db).keys).sum::<usize>();
    engine.functions.replace(loaded.functions);
    engine.load_scripts(&loaded.aux);
    engine.keyspace.replace(loaded.keyspace);
    // What has expired goes, and who continues the stream is told so; a replica waits for its master to say it.
    let all = keys(&engine.keyspace) + usize::try_from(loaded.expired).unwrap_or(0);
    if !replica && args.load.is_none() {
        engine.expire_some(now, usize::MAX);
    }
    let keys = keys(&engine.keyspace);
    let expired = if all > keys { format!(", {} had expired", all - keys) } else { String::new() };
    engine.saving.loaded = (keys as u64, (all - keys) as u64);
    say(&format!("{name}: {keys} keys loaded{expired}"));
    Ok(())
}

fn process(port: u16) -> Process {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    let executable = std::env::current_exe().map(|path| path.display().to_string()).unwrap_or_default();
    Process {
        id: std::process::id(),
        port,
        executable,
        run_id: String::from_utf8_lossy(&Random::new().hexadecimal()).into_owned(),
        started_at: i64::try_from(since.as_millis()).unwrap_or(0),
        ..Process::default()
    }
}

/// A user's name and rules.
type User = (String, Vec<String>);

/// Where the master is.
type Master = (String, u16);

/// The configuration from the file and the options, the master to follow, and users.
fn configure(args: &ServeArgs) -> anyhow::Result<(Config, Option<Master>, Vec<User>)> {
    let mut config = Config::new(args.compat);
    let (mut master, mut users) = (None, Vec::new());
    if let Some(path) = &args.config {
        let text = fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))?;
        let complaints = config.read(&text, |words| {
            let is = |name: &str| words[0].eq_ignore_ascii_case(name);
            match words {
                [_, host, port] if is("replicaof") || is("slaveof") => master = Some((host.clone(), port.clone())),
                [_, name, rules @ ..] if is("user") => users.push((name.clone(), rules.to_vec())),
                _ => return false,
            }
            true
        });
        for (line, complaint) in complaints {
            say(&format!("{}, line {line}: {complaint}; skipped", path.display()));
        }
    }
    for (name, value) in &args.directives.0 {
        config.set_at_start(name, value).with_context(|| format!("--{name} {value}"))?;
    }
    if let Some([host, port]) = args.replicaof.as_deref() {
        master = Some((host.clone(), port.clone()));
    }
    let master = match master {
        None => None,
        Some((host, _)) if host.eq_ignore_ascii_case("no") => None,
        Some((host, port)) => {
            let port = port.parse().with_context(|| format!("{port} is no port"))?;
            Some((host, port))
        }
    };
    Ok((config, master, users))
}

/// Where to listen. A leading `-` allows that an address is not there; `*` is any.
fn addresses(config: &Config) -> anyhow::Result<Vec<SocketAddr>> {
    let port = u16::try_from(config.number("port")).unwrap_or(0);
    let found = server::addresses(config.get("bind"), port).map_err(|error| anyhow::anyhow!("--bind {error}"))?;
    let found: Vec<SocketAddr> = found.into_iter().map(|(address, _)| address).collect();
    if found.is_empty() {
        bail!("no address to listen on: say --bind ADDRESS");
    }
    Ok(found)
}

/// A line in redis-server's style: process, role, time, level, sentence. Times are those of UTC.
fn log(level: Level, role: char, line: &str) {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    let time = Timestamp { nanos: u64::try_from(since.as_nanos()).unwrap_or(0), digits: 3 };
    let mut text = Vec::new();
    Clock::default().write_rfc3339(&mut text, time);
    let text = String::from_utf8_lossy(&text);
    let (date, clock) = text.trim_end_matches('Z').split_once('T').unwrap_or_default();
    let mut parts = date.split('-');
    let (year, month, day) = (parts.next(), parts.next(), parts.next());
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let month = month.and_then(|month| MONTHS.get(month.parse::<usize>().ok()?.checked_sub(1)?)).unwrap_or(&"???");
    let (day, year) = (day.unwrap_or_default(), year.unwrap_or_default());
    let _ = writeln!(
        io::stderr().lock(),
        "{}:{role} {day} {month} {year} {clock} {} {line}",
        std::process::id(),
        level.sign()
    );
}

/// The configuration file on disk.
#[derive(Debug)]
struct File(PathBuf);

impl ConfigFile for File {
    fn read(&self) -> Result<String, String> {
        fs::read_to_string(&self.0).map_err(|error| error.to_string())
    }

    fn write(&mut self, text: &str) -> Result<(), String> {
        // Whole or not at all: beside it first, then in its place.
        let folder = self.0.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let write = || -> io::Result<()> {
            let mut file = tempfile::NamedTempFile::new_in(folder)?;
            file.write_all(text.as_bytes())?;
            file.as_file().set_permissions(fs::metadata(&self.0)?.permissions())?;
            file.as_file().sync_all()?;
            file.persist(&self.0)?;
            Ok(())
        };
        write().map_err(|error| error.to_string())
    }
}
