//! `repltool rdb salvage`: what can be read of a damaged RDB.

use std::fs::File;
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::Path;

use anyhow::{Context, bail};

use super::progress::Progress;
use super::source::{Taker, feed, in_file};
use super::{Exit, print};
use crate::cli::args::{Format, RdbSalvageArgs, RdbSource};
use crate::cli::input::refuse_overwriting;
use crate::rdb::{Input, Salvaged, salvage};
use crate::view::rdb::Losses;

/// A file from one place on.
struct Section {
    file: File,
    base: u64,
    length: u64,
}

impl Input for Section {
    fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.file.seek(SeekFrom::Start(self.base + offset))?;
        let mut read = 0;
        while read < buffer.len() {
            match self.file.read(&mut buffer[read..]) {
                Ok(0) => break,
                Ok(bytes) => read += bytes,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(read)
    }

    fn length(&self) -> u64 {
        self.length
    }
}

/// Writes what cannot be read twice to a file that can.
struct Spool {
    file: File,
    error: Option<io::Error>,
}

impl Taker for Spool {
    fn take(&mut self, bytes: &[u8]) -> usize {
        if self.error.is_none() {
            self.error = self.file.write_all(bytes).err();
        }
        bytes.len()
    }

    fn takes_cut(&self) -> bool {
        true
    }

    fn is_done(&self) -> bool {
        self.error.is_some()
    }
}

fn input(source: &RdbSource) -> anyhow::Result<Section> {
    let (file, base) = match in_file(&source.file)? {
        Some(_) if source.link.is_some() => {
            bail!("{} is no capture: --link has no meaning for it", source.file.display())
        }
        Some(found) => found,
        None => {
            let file = tempfile::tempfile().context("a temporary file cannot be made")?;
            let mut spool = Spool { file, error: None };
            feed(source, &mut spool)?;
            if let Some(error) = spool.error {
                return Err(error).context("a temporary file cannot be written");
            }
            (spool.file, 0)
        }
    };
    let length = file.metadata()?.len().saturating_sub(base);
    Ok(Section { file, base, length })
}

pub(super) fn run(args: &RdbSalvageArgs) -> anyhow::Result<Exit> {
    let (path, to) = (args.source.file.as_path(), args.output.as_path());
    refuse_overwriting(path, to)?;
    let mut input = input(&args.source)?;
    let mut losses = Losses::default();
    let into_stdout = to == Path::new("-");
    let told = if into_stdout {
        save(&mut input, &mut io::stdout().lock(), args, &mut losses)?
    } else if to.exists() && !to.is_file() {
        let mut file = File::create(to).with_context(|| format!("{} cannot be written", to.display()))?;
        save(&mut input, &mut file, args, &mut losses)?
    } else {
        // A file of that name is there only when it is whole.
        let folder = to.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let mut file = new_file(folder).with_context(|| format!("{} cannot be written", to.display()))?;
        let told = save(&mut input, file.as_file_mut(), args, &mut losses)?;
        file.persist(to).with_context(|| format!("{} cannot be written", to.display()))?;
        told
    };
    let (from, output) = (path.display().to_string(), to.display().to_string());
    let text = match args.format.chosen() {
        Format::Text => losses.to_text(&told, &from, &output),
        Format::Json => losses.to_json(&told, &output).to_string(),
    };
    if into_stdout {
        writeln!(io::stderr().lock(), "{}", text.trim_end()).ok();
    } else {
        print(text.trim_end())?;
    }
    Ok(if Losses::verdict(&told) { Exit::Negative } else { Exit::Fine })
}

/// A file without its name yet, with the rights that a new file has.
fn new_file(folder: &Path) -> io::Result<tempfile::NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".repltool-salvage-");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    builder.tempfile_in(folder)
}

fn save(
    input: &mut Section,
    output: &mut dyn Write,
    args: &RdbSalvageArgs,
    losses: &mut Losses,
) -> anyhow::Result<Salvaged> {
    let mut progress = Progress::new(Some(input.length), false);
    let mut output = BufWriter::with_capacity(256 << 10, output);
    let mut lost = |loss| losses.add(loss);
    let saved = salvage(input, &mut output, args.assume, &mut lost, &mut |bytes, keys| progress.at(bytes, Some(keys)));
    saved.with_context(|| format!("{}", args.source.file.display()))
}
