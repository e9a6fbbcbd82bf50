//! How the engine speaks to another server while one of its commands runs: MIGRATE. It knows no sockets, so that somebody
//! around it has to carry what it says.

use std::rc::Rc;
use std::time::Duration;

use super::core::Engine;

/// Opens connections for the engine.
pub trait Courier: std::fmt::Debug {
    /// A connection to a host's port on which each read and write may take so long; none where the host is not known or
    /// does not answer.
    fn open(&self, host: &str, port: u16, patience: Duration) -> Option<Box<dyn Line>>;
}

/// A connection.
pub trait Line {
    /// Writes all of it, and tells whether that was possible.
    fn say(&mut self, bytes: &[u8]) -> bool;

    /// The next line that comes, without its end; none when none comes in time.
    fn hear(&mut self) -> Option<Vec<u8>>;
}

impl Engine {
    /// Who opens connections; without one MIGRATE finds nobody.
    pub fn set_courier(&mut self, courier: Rc<dyn Courier>) {
        self.courier = Some(courier);
    }
}
