//! Opaque files, as they come: straight to the stage, hashed on the way. And what a bundle says of those that it does not carry: which it
//! builds on, and which it takes back.

use std::collections::BTreeSet;
use std::io::{self, Read};

use modferry_protocol::bundle::{FileName, Incoming, Item, ReadError, Volumes, file_sha256};

use super::{Intake, from_volume};
use crate::prove::Missing;
use crate::{CheckError, Progress, Report, Stage};

/// What a bundle says of files that it does not carry. There are at most [`MAX_FILES`](modferry_protocol::bundle::MAX_FILES)
/// of either.
#[derive(Default)]
pub(super) struct KeptFiles {
    needed: BTreeSet<FileName>,
    gone: BTreeSet<FileName>,
}

impl KeptFiles {
    /// A file that is needed must be held with those very bytes.
    pub(super) fn need<S: Stage>(
        &mut self,
        name: &FileName,
        sha256: &[u8],
        stage: &mut S,
        missing: &mut Missing,
        report: &mut Report,
    ) -> Result<(), CheckError> {
        self.needed.insert(name.clone());
        let held = stage.held_file(name).map_err(CheckError::stage)?;
        if held.is_some() && held == file_sha256(sha256) {
            report.needed_files += 1;
            return stage.needed_file(name).map_err(CheckError::stage);
        }
        missing.add(&Item::File(name.clone()));
        Ok(())
    }

    /// What is taken back must not be needed. All that is needed must have come.
    pub(super) fn take_back<S: Stage>(
        &mut self,
        name: &FileName,
        (volume, entry): (&str, &str),
        stage: &mut S,
        report: &mut Report,
    ) -> Result<(), CheckError> {
        if self.needed.contains(name) {
            let what = format!("it takes back the file {name}, and it is needed");
            return Err(CheckError::damaged(volume, entry, what));
        }
        self.gone.insert(name.clone());
        report.gone_files += 1;
        stage.gone_file(name).map_err(CheckError::stage)
    }
}

impl<S: Stage> Intake<'_, S> {
    /// Takes a file. A name has the same bytes for good.
    pub(super) fn file<V: Volumes>(&mut self, incoming: Incoming<'_, V>) -> Result<(), CheckError> {
        let entry = incoming.entry();
        let (size, sha256) = (entry.stored, entry.sha256);
        let [(Item::File(name), _)] = entry.items.as_slice() else {
            let volume = self.manifest.volume_file_name(incoming.volume());
            return Err(CheckError::damaged(
                &volume,
                entry.to_string(),
                "it is not one file",
            ));
        };
        let name = name.clone();
        if self.kept_files.gone.contains(&name) || self.kept_files.needed.contains(&name) {
            let volume = self.manifest.volume_file_name(incoming.volume());
            let what = format!("it carries the file {name}, and takes it back or needs it");
            return Err(CheckError::damaged(&volume, entry.to_string(), what));
        }
        let held = self.stage.held_file(&name).map_err(CheckError::stage)?;
        if held.is_some_and(|held| held != sha256) {
            return Err(CheckError::OtherFile { name });
        }
        let mut body = Body {
            incoming,
            progress: self.progress,
            failed: None,
        };
        let kept = self.stage.put_file(&name, size, &sha256, &mut body);
        let named = |error| from_volume(self.manifest, error);
        if let Some(error) = body.failed {
            return Err(named(error));
        }
        kept.map_err(CheckError::stage)?;
        body.incoming.finish().map_err(named)?;
        self.report.files += 1;
        self.report.file_bytes += size;
        Ok(())
    }
}

/// An entry's bytes, for a stage; what goes wrong with them is the entry's fault and not the stage's.
struct Body<'p, 'v, V: Volumes> {
    incoming: Incoming<'v, V>,
    progress: &'p dyn Progress,
    failed: Option<ReadError>,
}

impl<V: Volumes> Read for Body<'_, '_, V> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match self.incoming.read(buf) {
            Ok(n) => {
                self.progress.advance(n as u64);
                Ok(n)
            }
            Err(error) => {
                self.failed = Some(error);
                Err(io::Error::other("the volume cannot be read on"))
            }
        }
    }
}
