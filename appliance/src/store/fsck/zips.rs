//! Zips' bytes, in the order in which they lie on the disk: each is read once, or twice where it is large.

use super::{Run, keys};
use crate::store::scratch::Scratch;
use crate::store::view::scan;
use crate::store::{CHUNK, InStore, StoreError, View, Zip};
use modferry_cli::in_one_line;
use modferry_protocol::bundle::FileName;
use modferry_protocol::module::ModuleVersion;
use modferry_protocol::zip::Checker;
use sha2::{Digest, Sha256};
use std::fmt;

/// A zip of up to so many bytes is checked in memory; a larger one is read from the store once more.
pub const IN_MEMORY: u64 = if cfg!(test) { 2 << 20 } else { 32 << 20 };

/// Notes to whom the chunks of a zip belong.
pub(super) fn note(zips: &Scratch, of: &Owner, zip: &Zip) -> Result<(), StoreError> {
    let at = keys::chunk(&zip.bundle, zip.number, 0);
    let name = of.key();
    if let Some(other) = zips.get(&at[..13])? {
        let other = Owner::of_key(&other)?;
        return Err(StoreError::damaged(format!("{other} has the same chunks")));
    }
    zips.put(&at[..13], &name)
}

/// Whose chunks they are: a zip's, or a file's.
#[derive(Clone, Debug)]
pub(super) enum Owner {
    Zip(ModuleVersion),
    File(FileName),
}

impl Owner {
    fn key(&self) -> Vec<u8> {
        match self {
            Owner::Zip(module) => keys::zip(module),
            Owner::File(name) => keys::file(name),
        }
    }

    fn of_key(key: &[u8]) -> Result<Owner, StoreError> {
        match keys::parse(key) {
            Some(keys::Named::Zip(module)) => Ok(Owner::Zip(module)),
            Some(keys::Named::File(name)) => Ok(Owner::File(name)),
            _ => Err(StoreError::damaged("the name of a zip or a file")),
        }
    }

    fn place(&self, view: &View) -> Result<Option<Zip>, StoreError> {
        match self {
            Owner::Zip(module) => view.zip(module),
            Owner::File(name) => view.file(name),
        }
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Owner::Zip(module) => write!(f, "zip {module}"),
            Owner::File(name) => write!(f, "file {name}"),
        }
    }
}

/// A zip or a file whose chunks are going by.
struct UnderWay {
    /// What its chunks' keys begin with.
    prefix: Vec<u8>,
    /// Whose it is; `None` if nobody's.
    owner: Option<(Owner, Zip)>,
    sha256: Sha256,
    /// Its bytes, if they are few.
    bytes: Vec<u8>,
    size: u64,
    chunks: u32,
}

impl Run<'_> {
    /// Checks every chunk of every zip. `zips` says whose they are. What it still has where the scan ended is read
    /// zip by zip: all that lies behind a block that cannot be read, and what has no chunks at all.
    pub(super) fn zips(&mut self, zips: &Scratch) -> Result<(), StoreError> {
        let mut checker = Checker::new();
        let mut under_way: Option<UnderWay> = None;
        let mut count = 0;
        let all = self.each(&keys::all_chunks(), "zips", |run, key, chunk| {
            run.fsck.progress.advance(chunk.len() as u64);
            let Some((prefix, number)) = key.split_last_chunk::<4>() else {
                return run.found("a chunk's key that is none");
            };
            if under_way.as_ref().is_none_or(|zip| zip.prefix != prefix) {
                if let Some(done) = under_way.take() {
                    count += u64::from(done.owner.is_some());
                    run.zip(&mut checker, done);
                }
                let owner = run.owner(zips, prefix);
                let owner = run.sound(|| "a zip's owner".into(), owner).flatten();
                if owner.is_none() {
                    run.found(format!(
                        "chunks that are no zip's: {}",
                        crate::store::hex(prefix)
                    ));
                }
                under_way = Some(UnderWay {
                    prefix: prefix.to_vec(),
                    owner,
                    sha256: Sha256::new(),
                    bytes: Vec::new(),
                    size: 0,
                    chunks: 0,
                });
            }
            if let Some(zip) = &mut under_way {
                zip.take(u32::from_be_bytes(*number), chunk);
            }
        });
        match under_way {
            Some(last) if all => {
                count += u64::from(last.owner.is_some());
                self.zip(&mut checker, last);
            }
            // It may not have been seen to its end.
            Some(UnderWay {
                owner: Some((owner, zip)),
                ..
            }) => note(zips, &owner, &zip)?,
            _ => {}
        }
        scan(&zips.0, &[], |_, name| {
            let owner = Owner::of_key(name)?;
            count += 1;
            self.alone(&mut checker, &owner);
            Ok(())
        })?;
        self.checked(
            "zips have their SHA-256, keep the rules, and have their h1; files have their SHA-256",
            count,
        );
        Ok(())
    }

    fn owner(&self, zips: &Scratch, prefix: &[u8]) -> Result<Option<(Owner, Zip)>, StoreError> {
        let Some(name) = zips.get(prefix)? else {
            return Ok(None);
        };
        zips.delete(prefix)?;
        let owner = Owner::of_key(&name)?;
        Ok(owner.place(self.view)?.map(|zip| (owner, zip)))
    }

    /// Checks a zip by its place, and not as it comes by.
    fn alone(&mut self, checker: &mut Checker, owner: &Owner) {
        let what = || owner.to_string();
        let Some(Some(zip)) = self.sound(what, owner.place(self.view)) else {
            return;
        };
        let mut sha256 = Sha256::new();
        for n in 0..zip.chunks() {
            match self.sound(what, self.view.chunk(&zip, n)) {
                Some(chunk) => sha256.update(chunk.as_deref().unwrap_or_default()),
                None => return,
            }
        }
        self.content(checker, owner, &zip, &sha256.finalize().into(), None);
    }

    fn zip(&mut self, checker: &mut Checker, read: UnderWay) {
        let Some((owner, zip)) = read.owner else {
            return;
        };
        if (read.size, read.chunks) != (zip.size, zip.chunks()) {
            return self.found(format!(
                "{owner}: {} chunks with {} bytes are there, of {} with {}",
                read.chunks,
                read.size,
                zip.chunks(),
                zip.size
            ));
        }
        let sha256 = read.sha256.finalize().into();
        let bytes = (zip.size <= IN_MEMORY).then_some(read.bytes);
        self.content(checker, &owner, &zip, &sha256, bytes);
    }

    /// Checks what is in a zip: from memory, or from the store once more.
    fn content(
        &mut self,
        checker: &mut Checker,
        owner: &Owner,
        zip: &Zip,
        sha256: &[u8; 32],
        bytes: Option<Vec<u8>>,
    ) {
        if *sha256 != zip.sha256 {
            return self.found(format!("{owner}: its bytes have another SHA-256"));
        }
        let Owner::Zip(module) = owner else {
            return; // nothing more is known of a file
        };
        let checked = match bytes {
            Some(bytes) => checker.check(module, &bytes),
            None => checker.check(module, &InStore::new(self.view, zip)),
        };
        match checked {
            Ok(facts) if facts == zip.facts() => {}
            Ok(facts) => self.found(format!(
                "zip {module}: it has {}, and is noted with {}",
                facts.h1, zip.h1
            )),
            Err(error) => self.found(format!("zip {module}: {}", in_one_line(&error))),
        }
    }
}

impl UnderWay {
    fn take(&mut self, number: u32, chunk: &[u8]) {
        let Some((_, zip)) = &self.owner else { return };
        let small = zip.size <= IN_MEMORY;
        // One that is out of order or has another length is not counted, and shows in the sum.
        let expected = (zip.size.saturating_sub(self.size)).min(CHUNK as u64);
        self.chunks += u32::from(number == self.chunks && chunk.len() as u64 == expected);
        self.size += chunk.len() as u64;
        self.sha256.update(chunk);
        if small && self.size <= IN_MEMORY {
            self.bytes.extend_from_slice(chunk);
        }
    }
}
