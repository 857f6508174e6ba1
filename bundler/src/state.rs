//! What the bundler remembers of a stream: its bundles' manifests and indexes, and the newest tree head of
//! each checksum database. It is what makes the next bundle the next one, and a fork visible.
//!
//! Everything in it is written whole and synced. One lock per folder: two exports of one stream at once
//! would both be its next bundle, so the second waits.

use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use modferry_protocol::bundle::{
    IndexReader, Item, MAX_INDEX, MAX_MANIFEST, Manifest, Sequence, StreamName,
};
use modferry_protocol::sumdb::{DbName, SignedHead, TreeHead};

use crate::error::Error;
use crate::files;
use crate::sumdb::spec::SumdbSpec;

/// A stream's state folder.
#[derive(Debug)]
pub struct State {
    folder: PathBuf,
    stream: StreamName,
    /// Held as long as this value lives.
    _lock: Option<File>,
}

/// A bundle that was exported before.
#[derive(Clone, Debug)]
pub struct Exported {
    /// Its manifest.
    pub manifest: Manifest,
    /// Its index's file.
    pub index: PathBuf,
}

impl State {
    /// Opens the folder to write to it: waits for another export of the same stream to end, and says so.
    pub fn open(
        folder: &Path,
        stream: &StreamName,
        waiting: impl FnOnce(&str),
    ) -> Result<State, Error> {
        files::make_folders(&folder.join(BUNDLES)).map_err(Error::file("make", folder))?;
        let path = folder.join("lock");
        let lock = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .read(true)
            .open(&path)
            .map_err(Error::file("open", &path))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let holder = fs::read_to_string(&path).unwrap_or_default();
                waiting(&format!(
                    "waiting for another export ({}) that holds {}",
                    holder.trim(),
                    path.display()
                ));
                lock.lock().map_err(Error::file("lock", &path))?;
            }
            Err(TryLockError::Error(source)) => return Err(Error::file("lock", &path)(source)),
        }
        // Only for whoever waits to read; the lock itself is what counts.
        let _ = lock.set_len(0);
        let _ = (&lock).write_all(format!("pid {}", std::process::id()).as_bytes());
        Ok(State {
            folder: folder.to_owned(),
            stream: stream.clone(),
            _lock: Some(lock),
        })
    }

    /// Opens the folder to read it, whether or not it is there.
    pub fn read(folder: &Path, stream: &StreamName) -> State {
        State {
            folder: folder.to_owned(),
            stream: stream.clone(),
            _lock: None,
        }
    }

    /// Where evidence of a fork goes.
    pub fn evidence(&self) -> PathBuf {
        self.folder.join("evidence")
    }

    /// The stream's bundles, in their order.
    pub fn exported(&self) -> Result<Vec<Exported>, Error> {
        let folder = self.folder.join(BUNDLES);
        let mut exported = Vec::new();
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(exported),
            Err(error) => return Err(Error::file("read", &folder)(error)),
        };
        for entry in entries {
            let path = entry.map_err(Error::file("read", &folder))?.path();
            if path
                .extension()
                .is_none_or(|extension| extension != "manifest")
            {
                continue;
            }
            let note =
                files::read_bounded(&path, MAX_MANIFEST).map_err(Error::file("read", &path))?;
            let manifest = manifest_of(&note)
                .map_err(|what| Error::usage(format!("{} is damaged: {what}", path.display())))?;
            if manifest.stream == self.stream {
                exported.push(Exported {
                    manifest,
                    index: path.with_extension("index"),
                });
            }
        }
        exported.sort_by_key(|bundle| bundle.manifest.sequence);
        Ok(exported)
    }

    /// The sequence number of the next bundle.
    pub fn next(&self) -> Result<Sequence, Error> {
        match self.exported()?.last() {
            None => Ok(Sequence::FIRST),
            Some(last) => last
                .manifest
                .sequence
                .next()
                .ok_or_else(|| Error::usage("the stream's sequence numbers are used up")),
        }
    }

    /// The heads of this database that the stream's bundles shipped.
    pub fn shipped(&self, db: &DbName) -> Result<Vec<TreeHead>, Error> {
        let mut heads: Vec<TreeHead> = self
            .exported()?
            .iter()
            .flat_map(|bundle| &bundle.manifest.heads)
            .filter(|(name, _)| name == db)
            .map(|(_, head)| *head)
            .collect();
        heads.dedup();
        Ok(heads)
    }

    /// Calls `each` with every item that the stream's bundles carried.
    pub fn each_carried(&self, mut each: impl FnMut(Item)) -> Result<(), Error> {
        for bundle in self.exported()? {
            let path = &bundle.index;
            let index = match files::read_bounded(path, MAX_INDEX) {
                Ok(index) => index,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(Error::file("read", path)(error)),
            };
            for entry in IndexReader::new(index.as_slice()) {
                for (item, _) in entry?.items {
                    each(item);
                }
            }
        }
        Ok(())
    }

    /// Notes a bundle whose files are about to get their names. It counts once it is [remembered](Self::remember).
    pub fn intend(&self, manifest: &Manifest, note: &[u8], index: &[u8]) -> Result<(), Error> {
        let path = self.folder.join(BUNDLES).join(manifest.file_name());
        let index_path = path.with_extension("index");
        files::write_durably(&index_path, index).map_err(Error::file("write", &index_path))?;
        let pending = path.with_extension(PENDING);
        files::write_durably(&pending, note).map_err(Error::file("write", &pending))
    }

    /// The bundle of this number that a run was about to finish, and its manifest as it was signed.
    pub fn pending(&self, sequence: Sequence) -> Result<Option<(Manifest, Vec<u8>)>, Error> {
        let name = self.stream.manifest_file(sequence);
        let path = self.folder.join(BUNDLES).join(name).with_extension(PENDING);
        let note = match files::read_bounded(&path, MAX_MANIFEST) {
            Ok(note) => note,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Error::file("read", &path)(error)),
        };
        Ok(manifest_of(&note).ok().map(|manifest| (manifest, note)))
    }

    /// Remembers an exported bundle that was [intended](Self::intend): a manifest here means that it exists.
    pub fn remember(&self, manifest: &Manifest, note: &[u8]) -> Result<(), Error> {
        let path = self.folder.join(BUNDLES).join(manifest.file_name());
        files::write_durably(&path, note).map_err(Error::file("write", &path))?;
        let _ = fs::remove_file(path.with_extension(PENDING));
        Ok(())
    }

    /// The newest head of the database that a run before this one saw.
    pub fn head(&self, spec: &SumdbSpec) -> Result<Option<SignedHead>, Error> {
        let path = self.head_path(&spec.name);
        let note = match files::read_bounded(&path, MAX_MANIFEST) {
            Ok(note) => note,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Error::file("read", &path)(error)),
        };
        SignedHead::open(&note, &spec.key)
            .map(Some)
            .map_err(|source| {
                Error::usage_because(format!("{} is damaged", path.display()), source)
            })
    }

    /// Remembers the newest head.
    pub fn keep_head(&self, spec: &SumdbSpec, head: &SignedHead) -> Result<(), Error> {
        let path = self.head_path(&spec.name);
        files::write_durably(&path, head.note()).map_err(Error::file("write", &path))
    }

    fn head_path(&self, db: &DbName) -> PathBuf {
        // A database's name may have slashes and no underscore that a slash could become.
        self.folder
            .join("heads")
            .join(db.as_str().replace('/', "+"))
    }
}

const BUNDLES: &str = "bundles";
const PENDING: &str = "pending";

/// The manifest in a note, whose signatures are not looked at.
pub fn manifest_of(note: &[u8]) -> Result<Manifest, String> {
    let text = std::str::from_utf8(note).map_err(|error| error.to_string())?;
    let end = text.find("\n\n").map_or(text.len(), |end| end + 1);
    Manifest::parse(&text[..end]).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use modferry_protocol::bundle::{Basis, Digest, Totals};
    use modferry_protocol::sumdb::Hash;

    fn manifest(stream: &str, sequence: u64, size: u64) -> Manifest {
        Manifest {
            stream: StreamName::new(stream).unwrap(),
            sequence: Sequence::new(sequence).unwrap(),
            created: "2026-11-21T09:00:00Z".into(),
            basis: Basis::None,
            needs: 0,
            tombstones: 0,
            heads: vec![(
                DbName::new("sum.example.org").unwrap(),
                TreeHead {
                    size,
                    hash: Hash([7; 32]),
                },
            )],
            totals: Totals::default(),
            index: Digest {
                size: 18,
                sha256: [0; 32],
            },
            missing: Vec::new(),
        }
    }

    #[test]
    fn a_stream_goes_on_where_it_was() {
        let dir = tempfile::tempdir().unwrap();
        let stream = StreamName::new("platform").unwrap();
        let state = State::open(dir.path(), &stream, |_| {}).unwrap();
        assert_eq!(state.next().unwrap(), Sequence::FIRST);
        for (stream, sequence, size) in [("platform", 1, 10), ("other", 9, 5), ("platform", 2, 20)]
        {
            let manifest = manifest(stream, sequence, size);
            let note = manifest.encode() + "\nsignature\n";
            let note = note.as_bytes();
            state
                .intend(&manifest, note, b"modferry index v1\n")
                .unwrap();
            let of_this = manifest.stream == state.stream;
            let pending = state.pending(manifest.sequence).unwrap();
            assert_eq!(pending.is_some_and(|(_, kept)| kept == note), of_this);
            state.remember(&manifest, note).unwrap();
            assert!(state.pending(manifest.sequence).unwrap().is_none());
        }
        assert_eq!(state.next().unwrap().get(), 3);
        let db = DbName::new("sum.example.org").unwrap();
        let sizes: Vec<u64> = state
            .shipped(&db)
            .unwrap()
            .iter()
            .map(|head| head.size)
            .collect();
        assert_eq!(sizes, [10, 20]);
        assert!(
            state
                .shipped(&DbName::new("sum.golang.org").unwrap())
                .unwrap()
                .is_empty()
        );
    }

    #[test]
    fn a_folder_that_is_not_there_holds_nothing() {
        let state = State::read(
            Path::new("/nonexistent/state"),
            &StreamName::new("s").unwrap(),
        );
        assert!(state.exported().unwrap().is_empty());
        assert_eq!(state.next().unwrap(), Sequence::FIRST);
    }

    #[test]
    fn the_second_export_waits_for_the_first() {
        let dir = tempfile::tempdir().unwrap();
        let stream = StreamName::new("s").unwrap();
        let first = State::open(dir.path(), &stream, |_| panic!("nobody holds it")).unwrap();
        let (told, hears) = std::sync::mpsc::channel();
        std::thread::scope(|scope| {
            let (path, stream) = (dir.path(), &stream);
            let second = scope.spawn(move || {
                State::open(path, stream, |text| told.send(text.to_owned()).unwrap()).map(drop)
            });
            let text = hears.recv().unwrap();
            assert!(
                text.contains(&format!("pid {}", std::process::id())),
                "{text}"
            );
            drop(first);
            second.join().unwrap().unwrap();
        });
    }
}
