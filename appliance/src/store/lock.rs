//! The store's lock: one import at a time, and the second one is told who holds it.
//!
//! It is an `flock` on STORE/lock, which the kernel drops with the process however that ends: a kill
//! leaves no stale lock. The file's text is only for people. Readers take no lock.

use super::StoreError;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::Path;

/// How much of the holder's description is read.
const MAX_HOLDER: u64 = 512;

/// Held until it is dropped.
#[derive(Debug)]
pub struct Lock {
    file: File,
}

impl Lock {
    /// Takes the lock of the store in `store`, which must be there. `command` tells others what for.
    /// Where another holds it: waits if `wait`, and else fails with [`StoreError::InUse`].
    pub fn take(store: &Path, command: &str, wait: bool) -> Result<Self, StoreError> {
        let path = store.join("lock");
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false) // the holder's text
            .open(&path)
            .map_err(StoreError::io("open the lock", &path))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) if wait => {
                tracing::info!(holder = %holder(&mut file), "waiting for the store");
                file.lock().map_err(StoreError::io("lock", &path))?;
            }
            Err(TryLockError::WouldBlock) => {
                return Err(StoreError::InUse {
                    store: store.into(),
                    holder: holder(&mut file),
                });
            }
            Err(TryLockError::Error(source)) => {
                return Err(StoreError::io("lock", &path)(source));
            }
        }
        let text = format!(
            "pid {} since {:.0} {command}\n",
            std::process::id(),
            jiff::Timestamp::now()
        );
        let described = file
            .set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| file.write_all(text.as_bytes()));
        described.map_err(StoreError::io("write the lock", &path))?;
        Ok(Self { file })
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Only for people's eyes: the lock itself goes with the file.
        let _ = self.file.set_len(0);
    }
}

fn holder(file: &mut File) -> String {
    let mut text = String::new();
    let read = file.take(MAX_HOLDER).read_to_string(&mut text);
    match (read, text.trim()) {
        (Ok(_), holder) if !holder.is_empty() => holder.into(),
        _ => "another process".into(),
    }
}
