//! Zips, as they come: filled from the volume or put together from recipes, checked by the workers, taken in order.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use modferry_protocol::bundle::{
    Incoming, Item, MAX_PACK_RESTORED, MAX_PACK_STORED, MAX_RECIPE_WEIGHT, StoredRecipes, Volumes,
};
use modferry_protocol::zip::{ReadAt, ZipError};

use super::{Intake, from_volume, temp_file};
use crate::pipeline::{Body, Checked, IN_FLIGHT, Pipeline, SPOOL_ABOVE, Ticket};
use crate::restore::{BaseError, Unfit};
use crate::{CheckError, Stage};

/// Bytes of a zip read at a time.
const PIECE: usize = 1 << 20;

// A pack of recipes, the heaviest of them and its zip have room when nothing else is under way; and so has the pack as
// it is stored beside what it is restored to.
const _: () = {
    assert!(MAX_PACK_RESTORED + MAX_RECIPE_WEIGHT + SPOOL_ABOVE <= IN_FLIGHT);
    assert!(MAX_PACK_STORED + MAX_PACK_RESTORED <= IN_FLIGHT);
};

impl<'env, S: Stage> Intake<'_, S>
where
    S::HeldZip: 'env,
{
    pub(super) fn zip<V: Volumes>(
        &mut self,
        mut incoming: Incoming<'_, V>,
        pipeline: &mut Pipeline<'env>,
    ) -> Result<(), CheckError> {
        let volume = self.manifest.volume_file_name(incoming.volume());
        let entry = incoming.entry();
        let [(Item::Zip(module), size)] = entry.items.as_slice() else {
            return Err(CheckError::damaged(
                &volume,
                entry.to_string(),
                "it is not one zip",
            ));
        };
        let size = *size;
        self.lists.carries(&entry.items[0].0)?;
        let ticket = Ticket {
            module: module.clone(),
            sha256: entry.sha256,
            volume,
            entry: entry.to_string(),
            packed: false,
        };
        self.prover.zip_is_accompanied(self.stage, &ticket.module)?;

        let mut body = self.body(size, pipeline)?;
        match &mut body {
            Body::Memory { buffer, size } => self.fill(&mut incoming, &mut buffer[..*size])?,
            Body::Spooled { file, .. } => self.spool(&mut incoming, file)?,
        }
        incoming
            .finish()
            .map_err(|error| from_volume(self.manifest, error))?;
        pipeline.submit(ticket, body)?;
        self.take_results_at_hand(pipeline)
    }

    /// Takes a pack of recipes, and has each of its zips put together.
    ///
    /// Its memory is set aside before it is taken: what the pack has, as stored and as restored, and as much as the heaviest
    /// recipe takes while it is decoded. What a recipe really weighs then goes along with it, and is set aside anew for
    /// the next one.
    pub(super) fn recipes<V: Volumes>(
        &mut self,
        incoming: Incoming<'_, V>,
        pipeline: &mut Pipeline<'env>,
    ) -> Result<(), CheckError> {
        let volume = self.manifest.volume_file_name(incoming.volume());
        let as_stored = incoming.entry().stored;
        self.set_aside(as_stored, pipeline)?;
        let (entry, stored) = self.stored(incoming)?;
        let damaged = |error| CheckError::damaged(&volume, entry.to_string(), error);
        let restored = StoredRecipes::restored_size(&stored).map_err(damaged)?;
        self.set_aside(restored, pipeline)?;
        let mut recipes = StoredRecipes::restore(&entry, &stored).map_err(damaged)?;
        drop(stored);
        pipeline.pool.release(as_stored);
        self.set_aside(MAX_RECIPE_WEIGHT, pipeline)?;
        while let Some((module, zip, recipe)) = recipes.next().map_err(damaged)? {
            self.lists.carries(&Item::Zip(module.clone()))?;
            self.prover.zip_is_accompanied(self.stage, &module)?;
            let weight = recipe.weight();
            let body = self.body(zip.size, pipeline)?;
            let ticket = Ticket {
                entry: format!("{entry}: zip {module}"),
                module,
                sha256: zip.sha256,
                volume: volume.clone(),
                packed: true,
            };
            let parts = self.parts()?;
            pipeline.restore(ticket, body, recipe, weight, parts)?;
            self.take_results_at_hand(pipeline)?;
            self.set_aside(weight, pipeline)?;
        }
        pipeline.pool.release(restored + MAX_RECIPE_WEIGHT);
        Ok(())
    }

    /// Sets bytes of the account aside, once there is room.
    fn set_aside(&mut self, bytes: u64, pipeline: &mut Pipeline<'env>) -> Result<(), CheckError> {
        while !pipeline.pool.reserve(bytes) {
            self.take_result_for_room(pipeline)?;
        }
        Ok(())
    }

    /// A place in the pipeline, and a body for a zip of that size, once there is room.
    fn body(&mut self, size: u64, pipeline: &mut Pipeline<'env>) -> Result<Body, CheckError> {
        while !pipeline.has_place() {
            self.take_result_for_room(pipeline)?;
        }
        if size > SPOOL_ABOVE {
            self.set_aside(SPOOL_ABOVE, pipeline)?;
            let file = temp_file(&self.folder)?;
            return Ok(Body::Spooled { file, size });
        }
        loop {
            if let Some(buffer) = pipeline.pool.take(size) {
                let size = size as usize;
                return Ok(Body::Memory { buffer, size });
            }
            self.take_result_for_room(pipeline)?;
        }
    }

    fn take_results_at_hand(&mut self, pipeline: &mut Pipeline<'env>) -> Result<(), CheckError> {
        while pipeline.is_ready() {
            self.take_result(pipeline)?;
        }
        Ok(())
    }

    fn take_result_for_room(&mut self, pipeline: &mut Pipeline<'env>) -> Result<(), CheckError> {
        if self.take_result(pipeline)? {
            return Ok(());
        }
        // Everything has been given back but what a pack of recipes takes, so one more zip has room.
        Err(CheckError::io(
            "checking zips",
            std::io::Error::other("the account of buffers is wrong"),
        ))
    }

    pub(super) fn fill<V: Volumes>(
        &self,
        incoming: &mut Incoming<'_, V>,
        mut buf: &mut [u8],
    ) -> Result<(), CheckError> {
        while !buf.is_empty() {
            // Pieces, so that progress moves within a large zip, too.
            let piece = buf.len().min(PIECE);
            let n = incoming
                .read(&mut buf[..piece])
                .map_err(|error| from_volume(self.manifest, error))?;
            if n == 0 {
                break; // `finish` says what is wrong
            }
            self.progress.advance(n as u64);
            buf = &mut buf[n..];
        }
        Ok(())
    }

    fn spool<V: Volumes>(
        &self,
        incoming: &mut Incoming<'_, V>,
        file: &File,
    ) -> Result<(), CheckError> {
        let mut piece = vec![0; PIECE];
        let mut offset = 0;
        loop {
            let n = incoming
                .read(&mut piece)
                .map_err(|error| from_volume(self.manifest, error))?;
            if n == 0 {
                return Ok(());
            }
            file.write_all_at(&piece[..n], offset)
                .map_err(|source| self.temporary("writing", source))?;
            offset += n as u64;
            self.progress.advance(n as u64);
        }
    }

    fn temporary(&self, doing: &str, source: io::Error) -> CheckError {
        let folder = self.folder.display();
        CheckError::io(format!("{doing} a temporary file in {folder}"), source)
    }

    /// Takes the next zip's result and keeps the zip; `false` when none is under way.
    pub(super) fn take_result(
        &mut self,
        pipeline: &mut Pipeline<'env>,
    ) -> Result<bool, CheckError> {
        let Some(Checked {
            ticket,
            body,
            facts,
        }) = pipeline.next()?
        else {
            return Ok(false);
        };
        let Ticket {
            module,
            sha256,
            volume,
            entry,
            packed,
        } = ticket;
        let facts = facts.map_err(|error| match error {
            // Its bytes were right when they were hashed: it is their temporary copy that fails.
            Unfit::Zip(ZipError::Read { source, .. }) => self.temporary("reading", source),
            Unfit::Io(source) => {
                let doing = format!("putting zip {module} together");
                BaseError::told(source, &volume, &entry, doing)
            }
            error @ Unfit::Zip(_) => CheckError::damaged(&volume, &*entry, error),
            error => self.at_fault(CheckError::damaged(&volume, &*entry, error)),
        })?;
        self.prover.zip(self.stage, &module, &facts)?;
        let size = body.size();
        let same = body
            .hand_over(&sha256, |reader| {
                self.stage.put_zip(&module, &facts, size, &sha256, reader)
            })
            .map_err(CheckError::stage)?;
        if !same {
            let what = "its temporary copy is no longer what was checked, or was not kept whole";
            return Err(CheckError::damaged(&volume, entry, what));
        }
        self.report.zips += 1;
        self.report.packed_zips += u64::from(packed);
        self.report.zip_bytes += size;
        self.report.unpacked_bytes += facts.unpacked;
        pipeline.give_back(body);
        Ok(true)
    }
}
