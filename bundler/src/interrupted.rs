//! Settles what a run that was killed left: a bundle that it had as good as finished is one.
//!
//! The order in which [`write`](crate::write) commits makes that safe: once the state has noted a pending bundle, all
//! of its files are synced and wait for their names. If the number were given to another bundle while these files may lie
//! somewhere, two bundles would be one number of the stream.

use std::fs::File;
use std::io::{self, BufReader};
use std::path::PathBuf;

use modferry_protocol::bundle::{MAX_MANIFEST, Volume};

use crate::error::Error;
use crate::files;
use crate::hidden::withdraw;
use crate::state::State;

/// What became of a run before this one.
#[derive(Debug)]
pub enum Interrupted {
    /// It left nothing.
    No,
    /// The bundle that it had as good as finished, by its manifest's file name: it counts now.
    Finished(String),
    /// The folder that it wrote into, which is not there: the bundle may be, or not.
    OutOfReach(PathBuf),
}

/// Settles what a run that was killed had begun. Where the first volume stands with exactly the manifest that the
/// state noted before the files got their names, all of them stand, and the bundle is finished: its manifest's file is
/// written if it is not there, and the state learns of it. Other volumes of it alone are removed: they would be
/// a bundle that is never whole. Whatever else stands there is not touched.
pub fn settle(state: &State) -> Result<Interrupted, Error> {
    let Some(pending) = state.pending(state.next()?)? else {
        return Ok(Interrupted::No);
    };
    let (manifest, note) = (&pending.manifest, &pending.note);
    if !pending.folder.is_dir() {
        return Ok(Interrupted::OutOfReach(pending.folder));
    }
    let volume = pending.folder.join(manifest.volume_file_name(1));
    let Ok(file) = File::open(&volume) else {
        withdraw(&pending.folder, manifest, note)?;
        return Ok(Interrupted::No);
    };
    if !Volume::open(BufReader::new(file)).is_ok_and(|found| found.manifest_note() == note) {
        return Ok(Interrupted::No);
    }
    let sidecar = pending.folder.join(manifest.file_name());
    match files::read_bounded(&sidecar, MAX_MANIFEST) {
        Ok(found) if found == *note => {}
        Ok(_) => return Ok(Interrupted::No),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            files::write_durably(&sidecar, note).map_err(Error::file("write", &sidecar))?;
        }
        Err(source) => return Err(Error::file("read", &sidecar)(source)),
    }
    state.remember(manifest, note)?;
    Ok(Interrupted::Finished(manifest.file_name()))
}
