//! Lines of text on a page of a given width: headings, labelled fields, wrapped prose.

use super::Look;
use super::words::{GLUE, cut};

/// Prose wider than this is hard to read, however wide the terminal.
const PROSE: usize = 120;

/// The width of a label with the blanks around it.
const LABEL: usize = 12;

const BOLD: &str = "\x1b[1m";
const YELLOW: &str = "\x1b[33m";
const CYAN: &str = "\x1b[36m";

/// A text that grows line by line.
pub(in crate::view) struct Page {
    text: String,
    look: Look,
}

impl Page {
    pub(in crate::view) fn new(look: Look) -> Self {
        Self { text: String::new(), look }
    }

    pub(in crate::view) fn finish(self) -> String {
        self.text.replace(GLUE, " ")
    }

    /// Columns that a table may take.
    pub(in crate::view) fn width(&self) -> usize {
        self.look.width
    }

    pub(in crate::view) fn blank(&mut self) {
        self.text.push('\n');
    }

    /// A line as it stands, for tables.
    pub(in crate::view) fn line(&mut self, text: &str) {
        self.styled("", text);
        self.text.push('\n');
    }

    /// A line that leads what comes after it.
    pub(in crate::view) fn heading(&mut self, text: &str) {
        for line in wrapped(text, self.prose(0)) {
            self.styled(BOLD, &line);
            self.text.push('\n');
        }
    }

    /// The line over a table.
    pub(in crate::view) fn table_head(&mut self, text: &str) {
        self.styled(BOLD, text);
        self.text.push('\n');
    }

    /// A line cut to the width, for what is less than a row of a table.
    pub(in crate::view) fn cut_line(&mut self, text: &str) {
        let width = self.look.width;
        self.line(&cut(text, width));
    }

    /// Prose.
    pub(in crate::view) fn text(&mut self, text: &str) {
        for line in wrapped(text, self.prose(0)) {
            self.line(&line);
        }
    }

    /// Prose behind a label.
    pub(in crate::view) fn field(&mut self, label: &str, text: &str) {
        self.labelled(CYAN, label, text);
    }

    /// Prose behind a label that is to be seen.
    pub(in crate::view) fn warning(&mut self, label: &str, text: &str) {
        self.labelled(YELLOW, label, text);
    }

    fn labelled(&mut self, style: &str, label: &str, text: &str) {
        let mut label = format!("  {label}");
        for line in wrapped(text, self.prose(LABEL)) {
            let blanks = LABEL.saturating_sub(label.chars().count()).max(1);
            self.styled(style, &label);
            self.text.extend(std::iter::repeat_n(' ', blanks));
            self.text.push_str(&line);
            self.text.push('\n');
            label.clear();
        }
    }

    fn prose(&self, indent: usize) -> usize {
        self.look.width.min(PROSE).saturating_sub(indent).max(20)
    }

    fn styled(&mut self, style: &str, text: &str) {
        if self.look.color && !style.is_empty() && !text.is_empty() {
            for part in [style, text, "\x1b[0m"] {
                self.text.push_str(part);
            }
        } else {
            self.text.push_str(text);
        }
    }
}

/// Broken between words into lines of at most `width` characters; a longer word has a line of its own.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    let mut length = 0;
    for word in text.split(' ') {
        let word_length = word.chars().count();
        if length > 0 && length + 1 + word_length > width {
            lines.push(std::mem::take(&mut line));
            length = 0;
        }
        if length > 0 {
            line.push(' ');
            length += 1;
        }
        line.push_str(word);
        length += word_length;
    }
    lines.push(line);
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prose_is_wrapped_between_words() {
        assert_eq!(wrapped("the quick brown fox", 9), ["the quick", "brown fox"]);
        assert_eq!(wrapped("unbreakable word", 5), ["unbreakable", "word"]);
        assert_eq!(wrapped("", 5), [""]);
    }

    #[test]
    fn colour_adds_and_replaces_nothing() {
        let draw = |color| {
            let mut page = Page::new(Look { width: 40, color });
            page.heading("Link 1");
            page.field("stream", "70 commands and some more words to wrap");
            page.finish()
        };
        let plain = draw(true).replace(BOLD, "").replace(CYAN, "").replace("\x1b[0m", "");
        assert_ne!(draw(true), plain);
        assert_eq!(draw(false), plain);
    }
}
