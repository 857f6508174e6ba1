//! Contents, as they come: restored by the reading thread, and written to deflate streams by the workers.

use std::sync::Arc;

use modferry_protocol::bundle::{
    DeflatedTotals, Entry, Incoming, MAX_PREFIX, StoredContents, Volumes,
};

use super::{Intake, from_volume};
use crate::pipeline::Pipeline;
use crate::restore::{Frame, Parts, PrefixError};
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
        self.frames.make_room(needed, &parts.streams)?;
        let (entry, stored) = self.stored(incoming)?;
        let entry = entry.to_string();
        let damaged = |error| CheckError::damaged(&volume, &*entry, error);
        let stored = StoredContents::parse(stored).map_err(damaged)?;
        let prefix = if stored.prefix().is_empty() {
            Vec::new()
        } else {
            let needed = needed.saturating_add(MAX_PREFIX as u64);
            self.frames.make_room(needed, &parts.streams)?;
            (parts.bases.reader())
                .prefix(stored.prefix())
                .map_err(|error| match error {
                    PrefixError::Read(source) => {
                        CheckError::io("reading a zip that is held", source)
                    }
                    error => CheckError::damaged(&volume, &*entry, error),
                })?
        };
        let contents = stored.restore(&prefix, size).map_err(damaged)?;
        drop((stored, prefix));
        let frame = Frame {
            volume,
            entry,
            size,
            contents,
        };
        self.frames.submit(frame, &parts, &pipeline.workers)?;
        self.report.contents += 1;
        self.report.content_bytes += size;
        Ok(())
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
        self.frames.finish(&parts.streams)?;
        let (gave, says) = (parts.streams.totals(), parts.streams.limits());
        if gave != says {
            let what = format!(
                "its contents give {} deflate streams of {} bytes, and it says {} of {}",
                gave.streams, gave.bytes, says.streams, says.bytes
            );
            let name = self.manifest.file_name();
            return Err(CheckError::damaged(&name, "the manifest", what));
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
