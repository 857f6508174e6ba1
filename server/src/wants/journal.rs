//! The folder with the server's two files, and nothing else's.
//!
//! A file is written beside its place, synced, renamed over the old one, and the folder synced: so after a kill or a
//! power cut there is the old one or the new one. The name beside it is always the same, so that nothing is left to pile
//! up. A lock keeps a second server out, which would write over what this one has.
//!
//! A file that cannot be read is set aside under another name, told of, and begun anew: what it counted is lost, and
//! serving goes on.

use std::fs::{self, File, OpenOptions, Permissions, TryLockError};
use std::io::{self, BufWriter, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use modferry_appliance::wants::kept::{FORMAT, Kept, PRIVATE, PUBLIC};
use modferry_appliance::wants::{Missed, MissedError};
use modferry_cli::in_one_line;

use super::table::Table;

/// Why there is no place for what was missed.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The system does not let the server write there.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// What was being done.
        action: &'static str,
        /// To what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Another server has its files there.
    #[error("another server keeps its wants in {}", .0.display())]
    Taken(PathBuf),
}

/// The folder, and the lock on it.
pub struct Journal {
    folder: PathBuf,
    _lock: File,
}

impl Journal {
    /// Takes the folder, which is made if need be.
    pub fn open(folder: &Path) -> Result<Journal, JournalError> {
        let io = |action, path: &Path| {
            let path = path.to_owned();
            move |source| JournalError::Io {
                action,
                path,
                source,
            }
        };
        if !folder.is_dir() {
            fs::create_dir(folder).map_err(io("make the folder", folder))?;
            // Those of the group read it: the appliance's user.
            let group = Permissions::from_mode(0o750);
            fs::set_permissions(folder, group).map_err(io("make the folder", folder))?;
        }
        let path = folder.join("lock");
        let lock = (OpenOptions::new().write(true).create(true).truncate(false))
            .open(&path)
            .map_err(io("open", &path))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(JournalError::Taken(folder.into())),
            Err(TryLockError::Error(source)) => return Err(io("lock", &path)(source)),
        }
        Ok(Journal {
            folder: folder.into(),
            _lock: lock,
        })
    }

    /// What was kept, of public and private names together, and how many requests were left out before.
    pub fn load(&self) -> (Vec<Missed>, u64) {
        let (mut wants, mut left_out) = (Vec::new(), 0);
        for name in [PUBLIC, PRIVATE] {
            let path = self.folder.join(name);
            match Kept::read(&path) {
                Ok(None) => {}
                Ok(Some(kept)) => {
                    wants.extend(kept.wants);
                    // Both files have the same count.
                    left_out = left_out.max(kept.left_out);
                }
                Err(error) => self.set_aside(&path, &error),
            }
        }
        (wants, left_out)
    }

    fn set_aside(&self, path: &Path, error: &MissedError) {
        let mut aside = path.to_owned().into_os_string();
        aside.push(".damaged");
        let moved = fs::rename(path, &aside);
        let error = in_one_line(error);
        let aside = Path::new(&aside).display();
        match moved {
            Ok(()) => tracing::warn!(%error, %aside, "what was missed so far is lost: set aside"),
            Err(failed) => {
                tracing::warn!(%error, %failed, "what was missed so far is lost, and written over");
            }
        }
    }

    /// Writes both files.
    pub fn save(&self, table: &Table, now: u64) -> io::Result<()> {
        for (name, private) in [(PUBLIC, false), (PRIVATE, true)] {
            let kept = Kept {
                format: FORMAT,
                written: now,
                left_out: table.left_out(),
                wants: table.kept(private),
            };
            self.write(name, &kept)?;
        }
        File::open(&self.folder)?.sync_all()
    }

    fn write(&self, name: &str, kept: &Kept) -> io::Result<()> {
        let beside = self.folder.join(format!("{name}.new"));
        let mut file = BufWriter::new(File::create(&beside)?);
        kept.write(&mut file)?;
        file.flush()?;
        // Whatever the umask says: the appliance's user is in the group.
        file.get_ref()
            .set_permissions(Permissions::from_mode(0o640))?;
        file.get_ref().sync_all()?;
        fs::rename(&beside, self.folder.join(name))
    }
}
