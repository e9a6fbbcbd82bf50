//! What a run needs of a view besides taking events.

use std::io;

use crate::repl::Sink;
#[cfg(feature = "live")]
use crate::units::Timestamp;
use crate::view::json::JsonLines;
use crate::view::text::Text;

/// A view that lines go through.
pub(super) trait View: Sink {
    /// Gives on what is buffered, what was held back included: there will be no more.
    fn flush(&mut self);
    /// Gives on the lines that are whole.
    #[cfg(feature = "live")]
    fn pass_on(&mut self);
    /// It is `now`, and nothing has come for a while.
    #[cfg(feature = "live")]
    fn tick(&mut self, now: Timestamp);
    /// The first error of the output.
    fn error(&self) -> Option<&io::Error>;
}

impl View for JsonLines {
    fn flush(&mut self) {
        Self::flush(self);
    }

    #[cfg(feature = "live")]
    fn tick(&mut self, _: Timestamp) {}

    #[cfg(feature = "live")]
    fn pass_on(&mut self) {
        Self::flush(self);
    }

    fn error(&self) -> Option<&io::Error> {
        self.output().error()
    }
}

impl View for Text {
    fn flush(&mut self) {
        Self::flush(self);
    }

    #[cfg(feature = "live")]
    fn tick(&mut self, now: Timestamp) {
        self.tick_at(now);
    }

    #[cfg(feature = "live")]
    fn pass_on(&mut self) {
        self.output_mut().flush();
    }

    fn error(&self) -> Option<&io::Error> {
        self.output().error()
    }
}
