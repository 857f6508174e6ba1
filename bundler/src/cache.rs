//! What was downloaded, kept from run to run, in the layout of a module cache's download folder
//! (`GOMODCACHE/cache/download`), so that it can itself be served as a `file://` upstream.
//!
//! Nothing in it is believed: a zip and a go.mod count if they hash to the checksum database's record, an
//! info if it is the one that was stored (its SHA-256 lies beside it) and names its version, lookups and
//! tiles if they prove. Files appear by rename, whole, so two runs at once only ever do work twice, and
//! what a killed run had finished is there for the next. They are not synced: after a power cut a file
//! that lost its bytes is noticed like any other damage, and fetched again.

use std::fs::{self, File};
use std::io::{self, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use modferry_protocol::h1::H1;
use modferry_protocol::module::ModuleVersion;
use modferry_protocol::zip::{self, MAX_GO_MOD, ReadAt, ZipError};
use sha2::{Digest, Sha256};

use crate::files;
use crate::upstream::http::Sink;

/// The largest `.info` that is taken, in bytes: what the other side takes.
pub const MAX_INFO: u64 = modferry_checker::MAX_INFO;

/// A temporary file that nobody has touched for so long was left by a run that was killed.
const STALE: Duration = Duration::from_secs(24 * 3600);

/// The folder.
#[derive(Clone, Debug)]
pub struct Cache {
    root: PathBuf,
}

/// A zip in the cache that was just verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ZipFile {
    /// Where it is.
    pub path: PathBuf,
    /// Bytes.
    pub size: u64,
    /// SHA-256 of the file.
    pub sha256: [u8; 32],
    /// The module's hash.
    pub h1: H1,
}

impl Cache {
    /// Opens the folder, making it if need be, and clears away what killed runs left half done.
    pub fn open(root: &Path) -> io::Result<Cache> {
        let cache = Cache {
            root: root.to_owned(),
        };
        let temp = cache.temp_folder();
        fs::create_dir_all(&temp)?;
        for entry in fs::read_dir(&temp)? {
            let entry = entry?;
            let touched = entry.metadata().and_then(|meta| meta.modified());
            if touched.is_ok_and(|at| {
                SystemTime::now()
                    .duration_since(at)
                    .is_ok_and(|age| age > STALE)
            }) {
                let _ = fs::remove_file(entry.path());
            }
        }
        Ok(cache)
    }

    /// The folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Where a module's file lies: `kind` is `info`, `mod` or `zip`.
    pub fn path(&self, module: &ModuleVersion, kind: &str) -> PathBuf {
        let folder = self.root.join(module.path().escaped());
        folder
            .join("@v")
            .join(format!("{}.{kind}", module.version().escaped()))
    }

    /// A file below the checksum databases' folder.
    pub fn sumdb_path(&self, name: &str, path: &str) -> PathBuf {
        self.root
            .join("sumdb")
            .join(name)
            .join(path.trim_start_matches('/'))
    }

    /// A file's bytes; `None` if it is not there or is larger than `limit`.
    pub fn read(&self, path: &Path, limit: u64) -> io::Result<Option<Vec<u8>>> {
        match files::read_bounded(path, limit) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) => match error.kind() {
                io::ErrorKind::NotFound | io::ErrorKind::FileTooLarge => Ok(None),
                _ => Err(error),
            },
        }
    }

    /// Stores a file whole.
    pub fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let mut temp = self.temp()?;
        temp.write_all(bytes)?;
        self.persist(temp, path)
    }

    /// A temporary file on the cache's file system.
    pub fn temp(&self) -> io::Result<tempfile::NamedTempFile> {
        files::temp_in(&self.temp_folder())
    }

    /// Gives a finished temporary file its name.
    pub fn persist(&self, temp: tempfile::NamedTempFile, path: &Path) -> io::Result<()> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        temp.persist(path).map_err(|error| error.error)?;
        Ok(())
    }

    /// The stored `.mod`, unverified.
    pub fn go_mod(&self, module: &ModuleVersion) -> io::Result<Option<Vec<u8>>> {
        self.read(&self.path(module, "mod"), MAX_GO_MOD)
    }

    /// The stored `.info`, if it is still what was stored.
    pub fn info(&self, module: &ModuleVersion) -> io::Result<Option<Vec<u8>>> {
        let Some(bytes) = self.read(&self.path(module, "info"), MAX_INFO)? else {
            return Ok(None);
        };
        let sum = self.read(&self.path(module, INFO_SUM), 64)?;
        Ok((sum.as_deref() == Some(hex(&Sha256::digest(&bytes)).as_bytes())).then_some(bytes))
    }

    /// Stores an `.info` and its SHA-256.
    pub fn write_info(&self, module: &ModuleVersion, bytes: &[u8]) -> io::Result<()> {
        self.write(&self.path(module, "info"), bytes)?;
        let sum = hex(&Sha256::digest(bytes));
        self.write(&self.path(module, INFO_SUM), sum.as_bytes())
    }

    /// The stored zip, hashed and checked; `None` if there is none.
    pub fn zip(
        &self,
        module: &ModuleVersion,
        checker: &mut zip::Checker,
    ) -> io::Result<Option<Result<ZipFile, ZipError>>> {
        let path = self.path(module, "zip");
        let mut file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let mut hasher = Sha256::new();
        let size = io::copy(&mut file, &mut hasher)?;
        let checked = checker.check(module, &FileAt::new(file)?);
        Ok(Some(checked.map(|facts| ZipFile {
            path,
            size,
            sha256: hasher.finalize().into(),
            h1: facts.h1,
        })))
    }

    fn temp_folder(&self) -> PathBuf {
        self.root.join(".modferry-tmp")
    }
}

const INFO_SUM: &str = "info.sha256";

/// Lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A file read at offsets, as zips are.
pub struct FileAt {
    file: File,
    size: u64,
}

impl FileAt {
    /// The file with its present size.
    pub fn new(file: File) -> io::Result<FileAt> {
        let size = file.metadata()?.len();
        Ok(FileAt { file, size })
    }
}

impl ReadAt for FileAt {
    fn size(&self) -> u64 {
        self.size
    }
    fn read_exact_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        self.file.read_exact_at(buf, offset)
    }
}

/// A download into a temporary file, hashed on the way.
pub struct Download {
    file: tempfile::NamedTempFile,
    hasher: Sha256,
    size: u64,
}

impl Download {
    /// Into this file.
    pub fn new(file: tempfile::NamedTempFile) -> Download {
        Download {
            file,
            hasher: Sha256::new(),
            size: 0,
        }
    }

    /// The file, its size and its SHA-256.
    pub fn finish(self) -> (tempfile::NamedTempFile, u64, [u8; 32]) {
        (self.file, self.size, self.hasher.finalize().into())
    }
}

impl Sink for Download {
    fn restart(&mut self) -> io::Result<()> {
        self.file.as_file().set_len(0)?;
        self.file.seek(SeekFrom::Start(0))?;
        self.hasher = Sha256::new();
        self.size = 0;
        Ok(())
    }
    fn take(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.hasher.update(bytes);
        self.size += bytes.len() as u64;
        self.file.write_all(bytes)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn module() -> ModuleVersion {
        ModuleVersion::parse("example.com/Up", "v1.0.0").unwrap()
    }

    #[test]
    fn files_lie_where_a_module_cache_has_them() {
        let dir = tempfile::tempdir().unwrap();
        let cache = Cache::open(dir.path()).unwrap();
        let path = cache.path(&module(), "mod");
        assert_eq!(path, dir.path().join("example.com/!up/@v/v1.0.0.mod"));
        assert_eq!(cache.go_mod(&module()).unwrap(), None);
        cache.write(&path, b"module example.com/Up\n").unwrap();
        assert_eq!(
            cache.go_mod(&module()).unwrap().unwrap(),
            b"module example.com/Up\n"
        );
        assert_eq!(
            cache.sumdb_path("sum.golang.org", "/tile/8/0/001"),
            dir.path().join("sumdb/sum.golang.org/tile/8/0/001")
        );
    }

    #[test]
    fn an_info_counts_only_as_it_was_stored() {
        let dir = tempfile::tempdir().unwrap();
        let cache = Cache::open(dir.path()).unwrap();
        cache.write_info(&module(), b"{}").unwrap();
        assert_eq!(cache.info(&module()).unwrap().unwrap(), b"{}");
        fs::write(cache.path(&module(), "info"), b"{ }").unwrap();
        assert_eq!(cache.info(&module()).unwrap(), None);
        cache.write_info(&module(), b"{}").unwrap();
        fs::remove_file(cache.path(&module(), INFO_SUM)).unwrap();
        assert_eq!(cache.info(&module()).unwrap(), None);
    }

    #[test]
    fn only_what_is_old_is_cleared_away() {
        let dir = tempfile::tempdir().unwrap();
        let temp = Cache::open(dir.path()).unwrap().temp_folder();
        let (old, new) = (temp.join("old"), temp.join("new"));
        let file = File::create(&old).unwrap();
        file.set_modified(SystemTime::now() - STALE - Duration::from_secs(60))
            .unwrap();
        fs::write(&new, b"x").unwrap();
        Cache::open(dir.path()).unwrap();
        assert!(!old.exists() && new.exists());
    }

    #[test]
    fn a_download_that_starts_again_keeps_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let cache = Cache::open(dir.path()).unwrap();
        let mut download = Download::new(cache.temp().unwrap());
        download.take(b"half of something").unwrap();
        download.restart().unwrap();
        download.take(b"whole").unwrap();
        let (file, size, sha256) = download.finish();
        assert_eq!(fs::read(file.path()).unwrap(), b"whole");
        assert_eq!((size, sha256), (5, Sha256::digest(b"whole").into()));
    }
}
