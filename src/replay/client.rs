//! A few questions to a real server: which one it is, and what it holds.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::time::Duration;

use crate::bounds::MAX_ASKED_REPLY;
use crate::engine::{Dialect, Family};
use crate::repl::replica::Credentials;

/// How long a connection, and each part of an answer, may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Where a server listens, as it was typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// A name or an address.
    pub host: String,
    /// Its port.
    pub port: u16,
}

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

impl Target {
    /// Its first address.
    ///
    /// # Errors
    /// The name does not resolve.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.addresses()?.first().copied().ok_or_else(|| io::Error::other("the name has no address"))
    }

    fn addresses(&self) -> io::Result<Vec<SocketAddr>> {
        let found: Vec<SocketAddr> = (self.host.as_str(), self.port).to_socket_addrs()?.collect();
        if found.is_empty() { Err(io::Error::other("the name has no address")) } else { Ok(found) }
    }
}

/// One connection.
pub(super) struct Client {
    stream: BufReader<TcpStream>,
}

impl Client {
    /// Connects to a server.
    ///
    /// # Errors
    /// The name does not resolve, or nobody accepts the connection.
    pub(super) fn connect(target: &Target) -> io::Result<Self> {
        let mut last = io::Error::other("the name has no address");
        for address in target.addresses()? {
            match TcpStream::connect_timeout(&address, PATIENCE) {
                Ok(stream) => {
                    stream.set_read_timeout(Some(PATIENCE))?;
                    stream.set_write_timeout(Some(PATIENCE))?;
                    return Ok(Self { stream: BufReader::new(stream) });
                }
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// Asks something that is answered with one string or line; says who it is where it has to.
    ///
    /// # Errors
    /// A sentence: the server's own where it refuses.
    pub(super) fn ask(&mut self, words: &[&str], credentials: Option<&Credentials>) -> Result<Vec<u8>, String> {
        match (self.say(words), credentials) {
            (Err(error), Some(credentials)) if error.starts_with("NOAUTH") => {
                let mut auth = vec!["AUTH"];
                auth.extend(credentials.user.as_deref());
                auth.push(&credentials.password);
                self.say(&auth)?;
                self.say(words)
            }
            (answer, _) => answer,
        }
    }

    fn say(&mut self, words: &[&str]) -> Result<Vec<u8>, String> {
        let mut bytes = Vec::new();
        crate::resp::encode(&mut bytes, words.iter().map(|word| word.as_bytes()));
        self.stream.get_mut().write_all(&bytes).map_err(|error| error.to_string())?;
        let line = self.line()?;
        let (sign, text) = line.split_first().ok_or("an empty answer")?;
        let shown = || String::from_utf8_lossy(text).into_owned();
        match sign {
            b'+' | b':' => Ok(text.to_vec()),
            b'-' => Err(shown()),
            b'$' => {
                let length = shown().parse::<usize>().ok().filter(|length| *length <= MAX_ASKED_REPLY);
                let length = length.ok_or_else(|| format!("an answer of {} bytes", shown()))?;
                let mut bytes = vec![0; length + 2];
                self.stream.read_exact(&mut bytes).map_err(|error| error.to_string())?;
                bytes.truncate(length);
                Ok(bytes)
            }
            _ => Err("an answer that is none of its protocol".to_owned()),
        }
    }

    /// A line without its end.
    fn line(&mut self) -> Result<Vec<u8>, String> {
        let mut line = Vec::new();
        let limit = MAX_ASKED_REPLY as u64;
        self.stream.by_ref().take(limit).read_until(b'\n', &mut line).map_err(|error| error.to_string())?;
        let line = line.strip_suffix(b"\r\n").ok_or("the connection was closed")?;
        Ok(line.to_vec())
    }

    /// Which server it is.
    ///
    /// # Errors
    /// A sentence: it does not tell.
    pub(super) fn identity(&mut self, credentials: Option<&Credentials>) -> Result<Dialect, String> {
        let info = self.ask(&["INFO", "server"], credentials)?;
        identity(&String::from_utf8_lossy(&info)).ok_or_else(|| "INFO tells no version".to_owned())
    }

    /// How often it has answered its master with an error, as far as it tells: what it could not apply.
    ///
    /// # Errors
    /// A sentence.
    pub(super) fn errors(&mut self, credentials: Option<&Credentials>) -> Result<Option<u64>, String> {
        let info = self.ask(&["INFO", "stats"], credentials)?;
        Ok(field(&String::from_utf8_lossy(&info), "unexpected_error_replies").and_then(|number| number.parse().ok()))
    }
}

/// A field of INFO.
fn field<'a>(info: &'a str, name: &str) -> Option<&'a str> {
    info.lines().find_map(|line| line.trim_end().strip_prefix(name)?.strip_prefix(':'))
}

/// The version in a section `server` of INFO. Valkey tells two: its own, and the one of Redis that it is like.
fn identity(info: &str) -> Option<Dialect> {
    let (family, version) = match (field(info, "valkey_version"), field(info, "redis_version")) {
        (Some(version), _) => (Family::Valkey, version),
        (None, version) => (Family::Redis, version?),
    };
    let mut parts = version.split('.').map(|part| part.parse().ok());
    let mut part = || parts.next().flatten();
    Some(Dialect { family, version: (part()?, part()?, part().unwrap_or(0)) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_tell_what_they_are() {
        let of = |info: &str| identity(info).map(|dialect| (dialect.to_string(), dialect.version));
        assert_eq!(of("# Server\r\nredis_version:6.2.14\r\n"), Some(("redis-6.2".to_owned(), (6, 2, 14))));
        let valkey = "# Server\r\nredis_version:7.2.4\r\nserver_name:valkey\r\nvalkey_version:9.1.2\r\n";
        assert_eq!(of(valkey), Some(("valkey-9.1".to_owned(), (9, 1, 2))));
        assert_eq!(of("redis_version:255.255.255\r\n").map(|(_, version)| version), Some((255, 255, 255)));
        assert_eq!((of("redis_version:7\r\n"), of("")), (None, None));
    }

    #[test]
    fn targets_are_written_as_they_are_typed() {
        let target = |host: &str| Target { host: host.to_owned(), port: 7 }.to_string();
        assert_eq!((target("a"), target("::1")), ("a:7".to_owned(), "[::1]:7".to_owned()));
    }
}
