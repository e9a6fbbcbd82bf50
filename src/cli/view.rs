//! What a run needs of a view besides taking events.

use crate::repl::Sink;
#[cfg(feature = "live")]
use crate::units::Timestamp;
use crate::view::json::JsonLines;
use crate::view::output::Output;
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
    /// Where the lines go, and whether they still get there.
    fn lines(&self) -> &Output;
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

    fn lines(&self) -> &Output {
        self.output()
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

    fn lines(&self) -> &Output {
        self.output()
    }
}
