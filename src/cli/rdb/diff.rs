//! `repltool rdb diff`: two RDBs, read at the same time, compared by what they hold.

use std::path::Path;
use std::thread;

use anyhow::{Context, anyhow, bail};

use super::source::feed;
use super::{Run, finish, output};
use crate::cli::args::{Format, RdbDiffArgs, RdbSource};
use crate::cli::{Exit, say};
use crate::rdb::{Depth, Fingerprints};
use crate::view::rdb::{Diff, DiffError, Keyspace, SortedKeyspace};

pub(super) fn run(args: &RdbDiffArgs) -> anyhow::Result<Exit> {
    let stdin = Path::new("-");
    if args.a == stdin && args.b == stdin {
        bail!("only one of the two can come from standard input");
    }
    let (a, b) = thread::scope(|scope| {
        let a = scope.spawn(|| read(&args.a, args.link_a));
        let b = read(&args.b, args.link_b);
        (a.join().unwrap_or_else(|_| Err(anyhow!("{} could not be read", args.a.display()))), b)
    });
    let (mut a, mut b) = match (a, b) {
        (Ok(a), Ok(b)) => (a, b),
        (Err(error), Ok(_)) | (Ok(_), Err(error)) => return Err(error),
        (Err(first), Err(second)) => {
            say(&format!("{first:#}"));
            return Err(second);
        }
    };
    let mut diff = Diff::new(output(), args.format.chosen() == Format::Json);
    let compared = diff.compare(&mut a, &mut b);
    finish(diff.output_mut())?;
    let counts = compared.map_err(|error| match error {
        DiffError::Twice { side, .. } => {
            let file = if side == 0 { &args.a } else { &args.b };
            anyhow::Error::new(error).context(file.display().to_string())
        }
        DiffError::Spill(_) => error.into(),
    })?;
    Ok(if counts.are_same() { Exit::Fine } else { Exit::Negative })
}

/// The keys of an RDB. One that is damaged is not compared: what could not be read would look as if it were missing.
fn read(file: &Path, link: Option<u32>) -> anyhow::Result<SortedKeyspace> {
    let source = RdbSource { file: file.to_owned(), link };
    let mut run = Run::new(Fingerprints::new(Keyspace::default()), Depth::Full);
    feed(&source, &mut run)?;
    run.exit(file)?;
    let prints = run.decoder.into_values().inner;
    prints.into_sink().sorted().with_context(|| file.display().to_string())
}
