//! What the bundler remembers of a stream: its bundles, and the newest tree head of each checksum database. It is
//! what makes the next bundle the next one, small, and a fork visible.
//!
//! ```text
//! bundles/STREAM.SEQ.manifest      the bundle exists: written last
//! bundles/STREAM.SEQ.index         what it carried
//! bundles/STREAM.SEQ.tombstones    what it took back, if anything
//! bundles/STREAM.SEQ.queries       what it answered to queries, if anything
//! bundles/STREAM.SEQ.basis         the bundles that it was built on
//! bundles/STREAM.SEQ.pending       its manifest, from before its files got their names until it exists
//! bundles/STREAM.SEQ.folder        where they were to get them
//! receipts/                        what the destination has said (crate::basis::receipt)
//! heads/DB, evidence/, lock
//! ```
//!
//! Everything in it is written whole and synced. One lock per folder: two exports of one stream at once
//! would both be its next bundle, so the second waits.

mod exported;

use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use modferry_cli::{Exit, Fault};
use modferry_protocol::bundle::{MAX_MANIFEST, Manifest, Sequence, Sequences, StreamName};
use modferry_protocol::sumdb::{DbName, SignedHead, TreeHead};

use exported::{BUILT_ON, INDEX, QUERIES, TOMBSTONES};
pub use exported::{BuiltOn, Chosen, Exported};

use crate::answers::{self, Carried};
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

/// A bundle whose files are about to get their names.
#[derive(Clone, Copy, Debug)]
pub struct Intent<'i> {
    /// What it is.
    pub manifest: &'i Manifest,
    /// The manifest as it was signed.
    pub note: &'i [u8],
    /// Its index.
    pub index: &'i [u8],
    /// The texts of its tombstones.
    pub tombstones: &'i [Vec<u8>],
    /// What it answers to queries.
    pub answers: &'i [Carried],
    /// What it was built on.
    pub built_on: &'i BuiltOn,
    /// The folder that its files are in.
    pub folder: &'i Path,
}

/// A bundle that a run was about to finish.
#[derive(Clone, Debug)]
pub struct Pending {
    /// What it is.
    pub manifest: Manifest,
    /// The manifest as it was signed.
    pub note: Vec<u8>,
    /// Where its files were to get their names.
    pub folder: PathBuf,
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
            let manifest = manifest_of(&note).map_err(|what| damaged(&path, &what))?;
            if manifest.stream == self.stream {
                exported.push(Exported { manifest, path });
            }
        }
        exported.sort_by_key(|bundle| bundle.manifest.sequence);
        Ok(exported)
    }

    /// The sequence number of the next bundle.
    pub fn next(&self) -> Result<Sequence, Error> {
        match self.exported()?.last() {
            None => Ok(Sequence::FIRST),
            Some(last) => last.manifest.sequence.next().ok_or_else(State::used_up),
        }
    }

    /// The error where there is no next bundle.
    pub fn used_up() -> Error {
        Error::usage("the stream's sequence numbers are used up")
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

    /// The bundles that a destination holds once it has taken this one in: it, and what it was built on.
    pub fn left_behind(&self, bundle: &Exported) -> Result<Sequences, Error> {
        let mut bundles = match bundle.built_on()? {
            Some(built_on) => built_on.bundles,
            None => Sequences::new(),
        };
        bundles.insert(bundle.sequence());
        Ok(bundles)
    }

    /// Notes a bundle whose files are about to get their names. It counts once it is [remembered](Self::remember).
    pub fn intend(&self, intent: &Intent<'_>) -> Result<(), Error> {
        use std::os::unix::ffi::OsStrExt as _;
        let path = self.bundle_path(intent.manifest.sequence);
        let write = |kind: &str, bytes: &[u8]| {
            let path = path.with_extension(kind);
            files::write_durably(&path, bytes).map_err(Error::file("write", &path))
        };
        write(INDEX, intent.index)?;
        write(TOMBSTONES, &intent.tombstones.concat())?;
        write(QUERIES, answers::encode(intent.answers).as_bytes())?;
        write(BUILT_ON, intent.built_on.encode().as_bytes())?;
        let folder = fs::canonicalize(intent.folder);
        let folder = folder.map_err(Error::file("find", intent.folder))?;
        write(FOLDER, folder.as_os_str().as_bytes())?;
        write(PENDING, intent.note)
    }

    /// The bundle of this number that a run was about to finish.
    pub fn pending(&self, sequence: Sequence) -> Result<Option<Pending>, Error> {
        use std::os::unix::ffi::OsStringExt as _;
        let path = self.bundle_path(sequence);
        let read = |kind: &str| {
            let path = path.with_extension(kind);
            match files::read_bounded(&path, MAX_MANIFEST) {
                Ok(note) => Ok(Some(note)),
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
                Err(error) => Err(Error::file("read", &path)(error)),
            }
        };
        let (Some(note), Some(folder)) = (read(PENDING)?, read(FOLDER)?) else {
            return Ok(None);
        };
        Ok(manifest_of(&note).ok().map(|manifest| Pending {
            manifest,
            note,
            folder: std::ffi::OsString::from_vec(folder).into(),
        }))
    }

    /// Remembers an exported bundle that was [intended](Self::intend): a manifest here means that it exists.
    pub fn remember(&self, manifest: &Manifest, note: &[u8]) -> Result<(), Error> {
        let path = self.bundle_path(manifest.sequence);
        files::write_durably(&path, note).map_err(Error::file("write", &path))?;
        for kind in [PENDING, FOLDER] {
            let _ = fs::remove_file(path.with_extension(kind));
        }
        Ok(())
    }

    fn bundle_path(&self, sequence: Sequence) -> PathBuf {
        let name = self.stream.manifest_file(sequence);
        self.folder.join(BUNDLES).join(name)
    }

    /// Where receipts are kept.
    pub fn receipts(&self) -> PathBuf {
        self.folder.join("receipts")
    }

    /// The stream.
    pub fn stream(&self) -> &StreamName {
        &self.stream
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
const FOLDER: &str = "folder";

/// A file of the state that is not what was written there, and what becomes of the stream then.
pub(crate) fn damaged(path: &Path, what: &str) -> Error {
    let fault = Fault::new(
        Exit::Usage,
        format!("{} is damaged: {what}", path.display()),
    );
    let advice = "put the stream's state folder back from a backup, or begin a stream of another name (--stream), whose \
                  first bundle is whole";
    fault.advise(advice).into()
}

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
    use modferry_protocol::sumdb::Hash;

    fn manifest(stream: &str, sequence: u64, size: u64) -> Manifest {
        Manifest {
            heads: vec![(
                DbName::new("sum.example.org").unwrap(),
                TreeHead {
                    size,
                    hash: Hash([7; 32]),
                },
            )],
            ..crate::testing::manifest(stream, sequence)
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
            let state = State::read(dir.path(), &manifest.stream);
            let intent = Intent {
                manifest: &manifest,
                note,
                index: b"modferry index v1\n",
                tombstones: &[],
                answers: &[],
                built_on: &BuiltOn::default(),
                folder: dir.path(),
            };
            state.intend(&intent).unwrap();
            let pending = state.pending(manifest.sequence).unwrap().unwrap();
            assert_eq!(pending.note, note);
            assert_eq!(pending.folder, dir.path().canonicalize().unwrap());
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
