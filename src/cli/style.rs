//! What the terminal is like: colour and width.

use std::io::IsTerminal;

use super::args::ColorChoice;

/// Whether to use colour on stdout. NO_COLOR (<https://no-color.org>) and CLICOLOR_FORCE count where nothing was said.
pub(super) fn color(choice: ColorChoice) -> bool {
    let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty() && value != "0");
    match choice {
        ColorChoice::Always => true,
        ColorChoice::Never => false,
        ColorChoice::Auto if std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty()) => false,
        ColorChoice::Auto => set("CLICOLOR_FORCE") || std::io::stdout().is_terminal(),
    }
}

/// The terminal's width, where stdout is one.
pub(super) fn width() -> Option<usize> {
    if !std::io::stdout().is_terminal() {
        return None;
    }
    terminal_size::terminal_size().map(|(terminal_size::Width(columns), _)| usize::from(columns))
}
