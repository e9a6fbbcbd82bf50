//! A capture file through the pipeline.

use std::path::Path;

use anyhow::{Context, bail};

use crate::capture::{CaptureFile, CaptureWriter, Filter};
use crate::repl::observer::Settings;
use crate::repl::{Pipeline, Sink};

/// How many frames pass before it is asked again whether anyone still reads the output.
const FRAMES_BETWEEN_CHECKS: u64 = 1024;

/// What to do with a file's frames.
pub(super) struct Plan<'a> {
    pub(super) path: &'a Path,
    pub(super) filter: &'a [String],
    pub(super) writer: Option<CaptureWriter>,
    /// Stop after so many frames that the filter let pass.
    pub(super) count: Option<u64>,
    pub(super) settings: Settings,
}

/// A file that has passed.
pub(super) struct Passed<S> {
    pub(super) file: CaptureFile,
    pub(super) pipeline: Pipeline<S>,
}

/// Makes a filter, or says why that expression is none.
pub(super) fn filter(words: &[String]) -> anyhow::Result<Option<Filter>> {
    let expression = words.join(" ");
    if expression.trim().is_empty() {
        return Ok(None);
    }
    let filter = Filter::new(&expression).map_err(|error| with_hint(error.into(), words))?;
    Ok(Some(filter))
}

/// Who writes a file's name where a filter belongs means `-r`.
pub(super) fn with_hint(error: anyhow::Error, words: &[String]) -> anyhow::Error {
    match words {
        [word] if Path::new(word).is_file() => anyhow::anyhow!("{error} (to read the file {word}: -r {word})"),
        _ => error,
    }
}

/// Passes a file's frames through the pipeline to the end, or until `stopped` says that nobody listens any more.
pub(super) fn pass<S: Sink>(plan: Plan<'_>, sink: S, stopped: impl Fn(&S) -> bool) -> anyhow::Result<Passed<S>> {
    let mut file = CaptureFile::open(plan.path)?;
    let mut filter = filter(plan.filter)?;
    let mut writer = plan.writer;
    let mut pipeline = Pipeline::new(plan.settings, sink);
    let mut passed = 0;
    while let Some(frame) = file.next_frame()? {
        if let Some(filter) = &mut filter
            && !filter.matches(&frame).map_err(|error| with_hint(error.into(), plan.filter))?
        {
            continue;
        }
        if let Some(writer) = &mut writer {
            writer.write(&frame)?;
        }
        pipeline.push(&frame);
        passed += 1;
        if plan.count.is_some_and(|count| passed >= count) {
            break;
        }
        if passed % FRAMES_BETWEEN_CHECKS == 0 && stopped(&pipeline.observer.sink) {
            break;
        }
    }
    if let Some(dropped) = file.dropped().filter(|&dropped| dropped > 0) {
        pipeline.observer.capture_loss(dropped);
    }
    pipeline.finish();
    if let Some(writer) = writer {
        writer.finish()?;
    }
    Ok(Passed { file, pipeline })
}

/// Refuses to write to the file that is being read.
pub(super) fn refuse_overwriting(read: &Path, write: &Path) -> anyhow::Result<()> {
    let same = read == write && read != Path::new("-")
        || matches!((read.canonicalize(), write.canonicalize()), (Ok(a), Ok(b)) if a == b);
    if same {
        bail!("{} is the file that is being read: write to another file", write.display());
    }
    Ok(())
}

/// Opens the file behind `-w`, unless it is the one that is being read.
pub(super) fn writer(write: Option<&Path>, read: Option<&Path>) -> anyhow::Result<Option<CaptureWriter>> {
    let Some(write) = write else { return Ok(None) };
    if let Some(read) = read {
        refuse_overwriting(read, write)?;
    }
    let writer = CaptureWriter::create(write).with_context(|| "-w".to_owned())?;
    Ok(Some(writer))
}
