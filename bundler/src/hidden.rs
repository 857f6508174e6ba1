//! A bundle's files under hidden names: what is being written, until all of it is and the files get their names.

use std::fs::File;
use std::io::{self, BufReader, BufWriter};
use std::path::{Path, PathBuf};

use modferry_protocol::bundle::{Manifest, Volume, VolumeFiles, VolumePlan};
use tempfile::NamedTempFile;

use crate::bundle::files_named;
use crate::error::Error;
use crate::files;

/// The volumes of one bundle in their folder, in order, each under a hidden name.
pub(crate) struct HiddenVolumes<'f> {
    folder: &'f Path,
    /// Those that are whole, and synced.
    pub(crate) done: Vec<NamedTempFile>,
}

impl<'f> HiddenVolumes<'f> {
    /// None yet.
    pub(crate) fn new(folder: &'f Path) -> Self {
        Self {
            folder,
            done: Vec::new(),
        }
    }
}

impl VolumeFiles for HiddenVolumes<'_> {
    type File = BufWriter<NamedTempFile>;

    fn create(&mut self, _: &VolumePlan) -> io::Result<Self::File> {
        let temp = files::held_temp_in(self.folder)?;
        Ok(BufWriter::with_capacity(1 << 20, temp))
    }

    fn done(&mut self, _: &VolumePlan, file: Self::File) -> io::Result<()> {
        let temp = file.into_inner().map_err(io::IntoInnerError::into_error)?;
        temp.as_file().sync_all()?;
        self.done.push(temp);
        Ok(())
    }
}

/// A file that did not get its name. `AlreadyExists`: another one has it.
#[derive(Debug)]
pub(crate) struct Unnamed {
    /// The name.
    pub(crate) path: PathBuf,
    /// Why it did not.
    pub(crate) source: io::Error,
}

/// Gives a bundle's files their names, those of volumes from the last to the first, and then the manifest's: so the
/// first volume under its name says that all of them are there, and the manifest that the bundle is whole. Gives their
/// paths, the manifest's first. If one of them cannot have its name, none keeps it.
pub(crate) fn publish(
    folder: &Path,
    manifest: &Manifest,
    sidecar: NamedTempFile,
    volumes: Vec<NamedTempFile>,
) -> Result<Vec<PathBuf>, Unnamed> {
    let mut files: Vec<PathBuf> = Vec::new();
    for (temp, path) in in_order(folder, manifest, sidecar, volumes) {
        if let Err(source) = files::persist_new_durably(temp, &path) {
            // The first volume's name goes first, for it says that the others are there.
            for file in files.iter().rev() {
                let _ = std::fs::remove_file(file);
            }
            return Err(Unnamed { path, source });
        }
        files.push(path);
    }
    files.reverse();
    Ok(files)
}

/// The files and the names that they get, in the order in which they get them.
fn in_order<T>(
    folder: &Path,
    manifest: &Manifest,
    sidecar: T,
    volumes: Vec<T>,
) -> Vec<(T, PathBuf)> {
    let named = (1..)
        .zip(volumes)
        .map(|(number, file)| (file, folder.join(manifest.volume_file_name(number))));
    let mut all: Vec<_> = named.collect();
    all.reverse();
    all.push((sidecar, folder.join(manifest.file_name())));
    all
}

/// Takes away what a run that was killed while it published has left: volumes under their names with exactly this
/// manifest, and no first one, so that they never were a bundle. Nothing else is touched.
pub(crate) fn withdraw(folder: &Path, manifest: &Manifest, note: &[u8]) -> Result<(), Error> {
    for path in files_named(folder, &manifest.stream, manifest.sequence)? {
        let file = File::open(&path).map_err(Error::file("read", &path))?;
        if Volume::open(BufReader::new(file)).is_ok_and(|volume| volume.manifest_note() == note) {
            std::fs::remove_file(&path).map_err(Error::file("remove", &path))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn manifest() -> Manifest {
        crate::testing::manifest("platform", 1)
    }

    fn names(folder: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(folder).unwrap();
        let mut names: Vec<String> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn the_first_volume_comes_behind_the_others_and_the_manifest_last() {
        let order = in_order(Path::new(""), &manifest(), 'm', vec!['1', '2', '3']);
        let (files, paths): (String, Vec<PathBuf>) = order.into_iter().unzip();
        assert_eq!(files, "321m");
        assert_eq!(paths[2], Path::new("platform.000001.v001.tar"));
        assert_eq!(paths[3], Path::new("platform.000001.manifest"));
    }

    #[test]
    fn all_files_get_their_names_or_none_does() {
        let dir = tempfile::tempdir().unwrap();
        let temp = || files::held_temp_in(dir.path()).unwrap();
        let publish = || {
            publish(
                dir.path(),
                &manifest(),
                temp(),
                vec![temp(), temp(), temp()],
            )
        };
        for number in [1, 2, 3] {
            let taken = dir.path().join(manifest().volume_file_name(number));
            std::fs::write(&taken, "another's").unwrap();
            let unnamed = publish().unwrap_err();
            assert_eq!(unnamed.source.kind(), io::ErrorKind::AlreadyExists);
            assert_eq!(unnamed.path, taken);
            assert_eq!(std::fs::read_to_string(&taken).unwrap(), "another's");
            assert_eq!(names(dir.path()).len(), 1, "{:?}", names(dir.path()));
            std::fs::remove_file(taken).unwrap();
        }
        let files = publish().unwrap();
        assert_eq!(files.len(), 4);
        assert!(files[0].ends_with("platform.000001.manifest"), "{files:?}");
        assert!(files[1].ends_with("platform.000001.v001.tar"), "{files:?}");
        assert_eq!(names(dir.path()).len(), 4);
    }
}
