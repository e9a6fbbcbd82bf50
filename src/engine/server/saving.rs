//! Saves on disk: beside the file first, then in its place.

use std::fs::File;
use std::io::{self, BufWriter, Read, Write};
use std::path::Path;
use std::rc::Rc;

use tempfile::NamedTempFile;
use tokio::sync::mpsc;
use tokio::task::{spawn_blocking, spawn_local};

use super::Shared;
use super::snapshot::{IN_FLIGHT, hand_over, write};
use crate::engine::keyspace::Taken;
use crate::engine::saving::{DumpFile, Place, Save, TakeDump, WriteDump};

/// Puts dumps on disk.
#[derive(Debug)]
pub(super) struct OnDisk;

impl DumpFile for OnDisk {
    fn write(&mut self, place: &Place, dump: WriteDump<'_>) -> Result<(), String> {
        let mut file = BufWriter::new(beside(place).map_err(words)?);
        dump(&mut file)?;
        let file = file.into_inner().map_err(|error| error.error().to_string())?;
        put(file, place).map_err(words)
    }

    fn read(&mut self, place: &Place, take: TakeDump<'_>) -> Result<(), String> {
        let mut file = File::open(Path::new(&place.dir).join(&place.name)).map_err(words)?;
        let mut bytes = vec![0; PIECE];
        loop {
            match file.read(&mut bytes).map_err(words)? {
                0 => return Ok(()),
                read => take(bytes.get(..read).unwrap_or_default())?,
            }
        }
    }
}

/// So much of a file is read at once.
const PIECE: usize = 256 << 10;

fn words(error: io::Error) -> String {
    error.to_string()
}

/// A file that may take the dump's place.
fn beside(place: &Place) -> io::Result<NamedTempFile> {
    use std::os::unix::fs::PermissionsExt;
    let mut builder = tempfile::Builder::new();
    // What is readable of it is for the umask to say, as with servers.
    builder.prefix("temp-").suffix(".rdb").permissions(std::fs::Permissions::from_mode(0o666));
    builder.tempfile_in(&place.dir)
}

fn put(file: NamedTempFile, place: &Place) -> io::Result<()> {
    file.as_file().sync_all()?;
    file.persist(Path::new(&place.dir).join(&place.name)).map_err(|error| error.error)?;
    // The name must last, too.
    File::open(&place.dir)?.sync_all()
}

/// Begins a save in the background.
pub(super) fn begin(shared: &Rc<Shared>, save: Save) {
    let shared = shared.clone();
    spawn_local(async move {
        let written = make(&shared, &save).await;
        let mut engine = shared.engine.borrow_mut();
        engine.saved(&save, written, shared.now());
        shared.after_batch(&mut engine);
    });
}

async fn make(shared: &Rc<Shared>, save: &Save) -> Result<(), String> {
    let mut file = beside(&save.place).map_err(words)?;
    let (keys_in, keys_out) = mpsc::channel::<Vec<Taken>>(IN_FLIGHT);
    let (bytes_in, mut bytes_out) = mpsc::channel::<Result<Vec<u8>, String>>(IN_FLIGHT);
    let head = save.head.clone();
    let thread =
        std::thread::Builder::new().name("snapshot".to_owned()).spawn(move || write(&head, keys_out, &bytes_in));
    thread.map_err(words)?;
    let wanted = || shared.engine.borrow().saving.is_wanted();
    let feed = hand_over(shared, save.keys, keys_in, wanted);
    let drain = async {
        while let Some(bytes) = bytes_out.recv().await {
            file.write_all(&bytes?).map_err(words)?;
        }
        Ok::<_, String>(file)
    };
    let ((), written) = tokio::join!(feed, drain);
    let file = written?;
    if !wanted() {
        return Err("cancelled".to_owned());
    }
    let place = save.place.clone();
    // Waiting for the disk holds nobody up.
    spawn_blocking(move || put(file, &place)).await.map_err(|error| error.to_string())?.map_err(words)
}
