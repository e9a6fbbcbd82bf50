//! Connections for the engine's MIGRATE. The server serves nobody meanwhile, as it must be: the keys are neither here nor
//! there.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::time::Duration;

use crate::engine::courier::{Courier, Line};

/// A line is an answer to AUTH, SELECT or RESTORE; no server says more than this.
const LONGEST: u64 = 64 << 10;

/// Opens TCP connections.
#[derive(Debug)]
pub(super) struct Tcp;

impl Courier for Tcp {
    fn open(&self, host: &str, port: u16, patience: Duration) -> Option<Box<dyn Line>> {
        let mut addresses = (host, port).to_socket_addrs().ok()?;
        let stream = addresses.find_map(|address| TcpStream::connect_timeout(&address, patience).ok())?;
        stream.set_nodelay(true).ok()?;
        stream.set_read_timeout(Some(patience)).ok()?;
        stream.set_write_timeout(Some(patience)).ok()?;
        Some(Box::new(Stream(BufReader::new(stream))))
    }
}

struct Stream(BufReader<TcpStream>);

impl Line for Stream {
    fn say(&mut self, bytes: &[u8]) -> bool {
        self.0.get_mut().write_all(bytes).is_ok()
    }

    fn hear(&mut self) -> Option<Vec<u8>> {
        let mut line = Vec::new();
        (&mut self.0).take(LONGEST).read_until(b'\n', &mut line).ok()?;
        line.strip_suffix(b"\r\n").map(<[u8]>::to_vec)
    }
}
