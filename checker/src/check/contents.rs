//! Contents, as they come: restored by the reading thread, and written to deflate streams by the workers.

use std::sync::Arc;

use modferry_protocol::bundle::{
    DeflatedTotals, Entry, Incoming, MAX_PREFIX, StoredContents, Volumes,
};

use super::{Intake, from_volume};
use crate::pipeline::Pipeline;
use crate::restore::{BaseError, Frame, Parts, PrefixError};
use crate::{CheckError, Stage};

impl<'env, S: Stage> Intake<'_, S>
where
    S::HeldZip: 'env,
{
    /// Takes a frame of contents, and has its deflate streams written.
    pub(super) fn contents<V: Volumes>(
        &mut self,
        incoming: Incoming<'_, V>,
        pipeline: &mut Pipeline<'env>,
    ) -> Result<(), CheckError> {
        let parts = self.parts()?;
        let size = incoming.entry().restored();
        let volume = self.manifest.volume_file_name(incoming.volume());
        let needed = incoming.entry().stored.saturating_add(size);
        self.make_room(needed, &parts)?;
        let (entry, stored) = self.stored(incoming)?;
        let entry = entry.to_string();
        let damaged = |error| CheckError::damaged(&volume, &*entry, error);
        let stored = StoredContents::parse(stored).map_err(damaged)?;
        let prefix = if stored.prefix().is_empty() {
            Vec::new()
        } else {
            let needed = needed.saturating_add(MAX_PREFIX as u64);
            self.make_room(needed, &parts)?;
            (parts.bases.reader())
                .prefix(stored.prefix())
                .map_err(|error| match error {
                    PrefixError::Read(source) => {
                        let doing = "reading what zips are packed against".into();
                        BaseError::told(source, &volume, &entry, doing)
                    }
                    error => self.at_fault(CheckError::damaged(&volume, &*entry, error)),
                })?
        };
        let contents = stored
            .restore(&prefix, size)
            .map_err(|error| self.at_fault(damaged(error)))?;
        drop((stored, prefix));
        let frame = Frame {
            volume,
            entry,
            size,
            contents,
        };
        let submitted = self.frames.submit(frame, &parts, &pipeline.workers);
        submitted.map_err(|error| self.at_fault(error))?;
        self.report.contents += 1;
        self.report.content_bytes += size;
        Ok(())
    }

    /// Waits until so many bytes have room beside the frames under way.
    fn make_room(&mut self, bytes: u64, parts: &Parts<S::HeldZip>) -> Result<(), CheckError> {
        let made = self.frames.make_room(bytes, &parts.streams);
        made.map_err(|error| self.at_fault(error))
    }

    /// What is wrong where something that was put together is: the bundle, as the error has it, or what the destination
    /// holds, if that is no longer what it was. It hashes what was read of that, as it does once at most: an import
    /// ends here.
    pub(super) fn at_fault(&self, error: CheckError) -> CheckError {
        match (&error, &self.parts) {
            (CheckError::Damaged { .. }, Some(parts)) => parts.bases.damaged().unwrap_or(error),
            _ => error,
        }
    }

    /// All contents are in: what they gave must be what the manifest says.
    pub(super) fn contents_are_in(&mut self) -> Result<(), CheckError> {
        if self.all_contents {
            return Ok(());
        }
        self.all_contents = true;
        if self.parts.is_none() && self.manifest.deflated == DeflatedTotals::default() {
            return Ok(()); // nothing is packed
        }
        let parts = self.parts()?;
        let finished = self.frames.finish(&parts.streams);
        finished.map_err(|error| self.at_fault(error))?;
        let (gave, says) = (parts.streams.totals(), parts.streams.limits());
        if gave != says {
            let what = format!(
                "its contents give {} deflate streams of {} bytes, and it says {} of {}",
                gave.streams, gave.bytes, says.streams, says.bytes
            );
            let name = self.manifest.file_name();
            return Err(self.at_fault(CheckError::damaged(&name, "the manifest", what)));
        }
        self.report.deflated = gave.streams;
        self.report.deflated_bytes = gave.bytes;
        self.progress.step("reading the zips");
        Ok(())
    }

    /// What zips are put together from. The list of bases must be in.
    pub(super) fn parts(&mut self) -> Result<Arc<Parts<S::HeldZip>>, CheckError> {
        if let Some(parts) = &self.parts {
            return Ok(parts.clone());
        }
        let bases = std::mem::take(&mut self.bases);
        let parts = Arc::new(Parts::new(self.manifest, bases, &self.folder)?);
        Ok(self.parts.insert(parts).clone())
    }

    /// An entry's stored bytes, whose hash is right. There are no more than its encoding allows.
    pub(super) fn stored<V: Volumes>(
        &self,
        mut incoming: Incoming<'_, V>,
    ) -> Result<(Entry, Vec<u8>), CheckError> {
        let mut stored = vec![0; incoming.entry().stored as usize];
        self.fill(&mut incoming, &mut stored)?;
        let entry = (incoming.finish()).map_err(|error| from_volume(self.manifest, error))?;
        Ok((entry, stored))
    }
}
