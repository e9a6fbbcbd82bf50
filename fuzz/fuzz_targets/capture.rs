//! Arbitrary bytes as a capture file, through the whole pipeline into JSON Lines.

#![no_main]

use std::io::{Cursor, sink};

use libfuzzer_sys::fuzz_target;
use repltool::capture::CaptureFile;
use repltool::repl::{Pipeline, Settings};
use repltool::view::json::{JsonLines, Options};
use repltool::view::output::Output;

fuzz_target!(|bytes: &[u8]| {
    let Ok(mut file) = CaptureFile::from_reader("fuzz", Box::new(Cursor::new(bytes.to_vec()))) else { return };
    let lines =
        JsonLines::new(Options { max_bytes: 1 << 20, show_secrets: false }, Output::new(Box::new(sink()), false));
    let mut pipeline = Pipeline::new(Settings { keep: 1 << 20, clients: true }, lines);
    while let Ok(Some(frame)) = file.next_frame() {
        pipeline.push(&frame);
    }
    pipeline.finish();
});
