//! A vulnerability database, as it comes: piece by piece, document by document, each of them looked at before it goes to the
//! stage.
//!
//! Nothing vouches for what a report says but the bundle's signature. What can be known is looked at: that the
//! whole is what the manifest names, byte for byte; that the documents are a database that agrees with itself ([`VulndbCheck`]); and that
//! the time of the last change is the manifest's, since that decides which of two databases is served.
//!
//! What is wrong here was signed so: each entry's bytes are those of the index by now. So the advice is not to copy them again.

use modferry_protocol::bundle::{Item, Manifest, Snapshot, SnapshotReader};

use crate::prove::Missing;
use crate::vulndb::{VulndbCheck, in_seconds};
use crate::{CheckError, Report, Stage};

/// What came of a database so far.
#[derive(Default)]
pub(super) struct Documents {
    reader: SnapshotReader,
    check: VulndbCheck,
    /// Volume and entry of the last piece.
    last: (String, String),
}

impl Documents {
    /// Takes the next piece.
    pub(super) fn piece<S: Stage>(
        &mut self,
        (volume, entry): (&str, &str),
        item: &Item,
        piece: &[u8],
        stage: &mut S,
    ) -> Result<(), CheckError> {
        self.last = (volume.into(), format!("{entry}, {item}"));
        let documents = self.reader.piece(piece).map_err(|e| self.wrong(e))?;
        for (name, json) in documents {
            (self.check.document(&name, json)).map_err(|e| self.wrong(e))?;
            stage.document(&name, json).map_err(CheckError::stage)?;
        }
        Ok(())
    }

    /// All pieces are in: they are the snapshot that the manifest names. One that is not carried must be held, or a later
    /// one.
    pub(super) fn are_in<S: Stage>(
        &mut self,
        manifest: &Manifest,
        stage: &mut S,
        missing: &mut Missing,
        report: &mut Report,
    ) -> Result<(), CheckError> {
        let Some(vulndb) = &manifest.vulndb else {
            return Ok(());
        };
        let named = &vulndb.snapshot;
        if !vulndb.carried {
            let held = stage.held_vulndb().map_err(CheckError::stage)?;
            if held.is_none_or(|held| held.modified < named.modified) {
                missing.vulndb(named);
            }
            return Ok(());
        }
        self.are_whole(named)?;
        stage.vulndb(named).map_err(CheckError::stage)?;
        report.documents = named.documents;
        Ok(())
    }

    fn are_whole(&mut self, named: &Snapshot) -> Result<(), CheckError> {
        let modified = std::mem::take(&mut self.check).whole();
        let modified = in_seconds(modified.map_err(|e| self.wrong(e))?);
        if modified != named.modified {
            return Err(self.wrong(format!(
                "it was changed last at {modified}, and the manifest says {}",
                named.modified
            )));
        }
        match std::mem::take(&mut self.reader).finish(&modified) == *named {
            true => Ok(()),
            false => Err(self.wrong("it is another one than the manifest names")),
        }
    }

    fn wrong(&self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> CheckError {
        let (volume, entry) = &self.last;
        CheckError::Vulndb {
            volume: volume.clone(),
            entry: entry.clone(),
            source: source.into(),
        }
    }
}
