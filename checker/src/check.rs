//! The one loop: opens a bundle's volumes, has its manifest accepted, and takes its entries in, in the order of trust.

mod contents;
mod documents;
mod files;
mod zips;

use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use modferry_protocol::bundle::{Encoding, Incoming, Item, Manifest, ReadError, Volume, Volumes};
use modferry_protocol::sumdb::DbName;
use modferry_protocol::trust::Policy;

use crate::lists::Lists;
use crate::note::united_note;
use crate::pipeline::Pipeline;
use crate::prove::Prover;
use crate::restore::{Base, Frames, Parts};
use crate::spool::default_folder;
use crate::workers::with_workers;
use crate::{CheckError, Progress, Report, Stage, content};
use documents::Documents;
use files::KeptFiles;

/// Reads a bundle's volumes, each from its first byte to its last, hands what they carry to `stage`, and proves it.
///
/// `sidecar` is the manifest file beside the volumes, where there is one: its text must be the first volume's own, and
/// the signatures of both count. Nothing but the manifest is read before `policy` accepts them.
///
/// When this returns a report, every check has passed for everything that is staged. When it returns an
/// error, what is staged is worth nothing, and it is the stage's owner who throws it away.
pub fn check<V: Volumes, S: Stage>(
    mut volumes: V,
    sidecar: Option<&[u8]>,
    policy: &Policy,
    stage: &mut S,
    progress: &dyn Progress,
) -> Result<Report, CheckError> {
    let begun = Instant::now();
    progress.step("reading the manifest");
    let first = volumes
        .open(1)
        .map_err(|source| CheckError::io("opening the first volume", source))?;
    let volume = Volume::open(first).map_err(|error| from_read("the volume", error))?;
    let note = united_note(volume.manifest_note(), sidecar)?;
    let accepted = policy
        .accept(&note)
        .map_err(|source| CheckError::Untrusted { source })?;
    let manifest = accepted.manifest().clone();
    known_databases(&manifest, policy)?;
    let signers = accepted.signers().iter().map(ToString::to_string);
    let mut report = Report::new(manifest.clone(), signers.collect());
    let named = |error: ReadError| from_volume(&manifest, error);
    let volume = volume.trust(&accepted).map_err(named)?;

    progress.step("checking the index");
    let folder = stage.scratch().unwrap_or_else(default_folder);
    let volume = volume.index(temp_file(&folder)?).map_err(named)?;
    stage
        .files_come(volume.files())
        .map_err(CheckError::stage)?;
    let mut entries = volume.entries(volumes).map_err(named)?;

    progress.step("reading the entries");
    progress.total(manifest.totals.carried_bytes);
    let prover = Prover::new(&manifest, policy, accepted.signers());
    let mut intake = Intake {
        manifest: &manifest,
        lists: Lists::new(&manifest, &folder, prover.dbs().to_vec()),
        folder,
        stage,
        progress,
        report: &mut report,
        prover,
        documents: Documents::default(),
        kept_files: KeptFiles::default(),
        bases: Vec::new(),
        frames: Frames::default(),
        parts: None,
        all_contents: false,
    };
    with_workers(|workers| {
        let mut pipeline = Pipeline::new(workers);
        while let Some(incoming) = entries.next().map_err(named)? {
            intake.entry(incoming, &mut pipeline)?;
        }
        while intake.take_result(&mut pipeline)? {}
        // Contents that no zip is made of.
        intake.small_things_are_in()?;
        intake.contents_are_in()
    })?;
    intake.report.volumes = entries.volume().of.into();
    entries.finish().map_err(named)?;

    intake.prover.all_that_is_named_came(intake.stage)?;
    intake.nothing_is_missing()?;
    report.stage_time = begun.elapsed().saturating_sub(report.prove_time);
    Ok(report)
}

/// What takes the entries in.
struct Intake<'a, S: Stage> {
    manifest: &'a Manifest,
    lists: Lists<'a>,
    folder: PathBuf,
    stage: &'a mut S,
    progress: &'a dyn Progress,
    report: &'a mut Report,
    prover: Prover<'a>,
    /// The vulnerability database, as it comes.
    documents: Documents,
    /// The files that are needed, and those that are taken back.
    kept_files: KeptFiles,
    /// The bases that were found, in the order of their list, until contents or recipes come.
    bases: Vec<Base<S::HeldZip>>,
    frames: Frames,
    /// What packed zips are put together from, from the first contents or recipes on.
    parts: Option<Arc<Parts<S::HeldZip>>>,
    /// Whether no contents come any more.
    all_contents: bool,
}

impl<'env, S: Stage> Intake<'_, S>
where
    S::HeldZip: 'env,
{
    fn entry<V: Volumes>(
        &mut self,
        incoming: Incoming<'_, V>,
        pipeline: &mut Pipeline<'env>,
    ) -> Result<(), CheckError> {
        let stored = incoming.entry().stored;
        match incoming.entry().encoding {
            Encoding::Zstd => {
                self.pack(incoming)?;
                self.progress.advance(stored);
            }
            Encoding::Contents => {
                self.small_things_are_in()?;
                self.contents(incoming, pipeline)?;
            }
            Encoding::Recipes => {
                self.small_things_are_in()?;
                self.contents_are_in()?;
                pipeline.workers.all_rebuilt();
                self.recipes(incoming, pipeline)?;
            }
            Encoding::Raw if matches!(incoming.entry().items[..], [(Item::File(_), _)]) => {
                self.small_things_are_in()?;
                self.contents_are_in()?;
                pipeline.workers.all_rebuilt();
                while self.take_result(pipeline)? {}
                self.file(incoming)?;
            }
            Encoding::Raw => {
                self.small_things_are_in()?;
                self.contents_are_in()?;
                pipeline.workers.all_rebuilt();
                self.zip(incoming, pipeline)?;
            }
        }
        self.report.entries += 1;
        self.report.entry_bytes += stored;
        Ok(())
    }

    fn pack<V: Volumes>(&mut self, incoming: Incoming<'_, V>) -> Result<(), CheckError> {
        let Intake {
            manifest,
            lists,
            stage,
            report,
            prover,
            bases,
            documents,
            kept_files,
            ..
        } = self;
        let volume = manifest.volume_file_name(incoming.volume());
        let entry = incoming.entry().to_string();
        incoming
            .small_items(|item, bytes| {
                content::check(&item, bytes)
                    .map_err(|e| CheckError::damaged(&volume, &*entry, e))?;
                match &item {
                    Item::Needs(_) => lists.need(&item, bytes, *stage, prover.missing(), report)?,
                    Item::Bases(_) => {
                        let missing = prover.missing();
                        lists.base(&item, bytes, *stage, missing, bases, report)?;
                    }
                    Item::Tombstones(_) => lists.take_back(&item, bytes, *stage, report)?,
                    Item::NeededFile(name) => {
                        kept_files.need(name, bytes, *stage, prover.missing(), report)?;
                    }
                    Item::GoneFile(name) => {
                        kept_files.take_back(name, (&volume, &entry), *stage, report)?;
                    }
                    Item::Trust(number) => {
                        report.trust_notes += 1;
                        (stage.trust_note(*number, bytes)).map_err(CheckError::stage)?;
                    }
                    Item::Vulndb(_) => documents.piece((&volume, &entry), &item, bytes, *stage)?,
                    _ => {
                        lists.carries(&item)?;
                        report.infos += u64::from(matches!(item, Item::Info(_)));
                        stage.put(&item, bytes).map_err(CheckError::stage)?;
                    }
                }
                Ok(())
            })
            .map_err(|stopped| match stopped {
                Stopped::Read(error) => from_volume(manifest, error),
                Stopped::Check(error) => error,
            })
    }

    /// Whatever proves the zips has come: a fork is found before gigabytes are read.
    fn small_things_are_in(&mut self) -> Result<(), CheckError> {
        if !self.prover.has_begun() {
            self.lists.are_whole()?;
            self.progress
                .step("proving tiles, records and go.mod files");
            let begun = Instant::now();
            self.prover.prove_small_things(self.stage, self.report)?;
            self.report.prove_time = begun.elapsed();
            let missing = self.prover.missing();
            (self.documents).are_in(self.manifest, self.stage, missing, self.report)?;
            if self.lists.lacks() {
                // What the zips would lack besides comes with the cure: no need to read gigabytes for its names.
                self.nothing_is_missing()?;
            }
            self.progress.step(match self.manifest.totals.contents {
                0 => "reading the zips",
                _ => "reading the contents",
            });
        }
        Ok(())
    }

    fn nothing_is_missing(&mut self) -> Result<(), CheckError> {
        (self.prover.missing()).none_or_error(self.manifest, self.stage)
    }
}

/// Why the reading of a pack stopped.
enum Stopped {
    Read(ReadError),
    Check(CheckError),
}

impl From<ReadError> for Stopped {
    fn from(error: ReadError) -> Stopped {
        Stopped::Read(error)
    }
}

impl From<CheckError> for Stopped {
    fn from(error: CheckError) -> Stopped {
        Stopped::Check(error)
    }
}

fn known_databases(manifest: &Manifest, policy: &Policy) -> Result<(), CheckError> {
    let unknown = |db: &&DbName| policy.sumdb(db).is_none();
    match manifest.heads.iter().map(|(db, _)| db).find(unknown) {
        Some(db) => Err(CheckError::UnknownDb { db: db.clone() }),
        None => Ok(()),
    }
}

pub(crate) fn temp_file(folder: &std::path::Path) -> Result<File, CheckError> {
    tempfile::tempfile_in(folder).map_err(|source| {
        CheckError::io(
            format!("making a temporary file in {}", folder.display()),
            source,
        )
    })
}

/// The same of a bundle whose manifest is accepted: the error has the volume's number, the manifest its name.
pub(crate) fn from_volume(manifest: &Manifest, error: ReadError) -> CheckError {
    from_read(
        &manifest.volume_file_name(error.volume().unwrap_or(1)),
        error,
    )
}

/// What the reader says, in the words that name the volume, the entry, and what is wrong with it.
pub fn from_read(volume: &str, error: ReadError) -> CheckError {
    match error {
        ReadError::Damaged { entry, what, .. } => CheckError::damaged(volume, entry, what),
        ReadError::Truncated { entry, .. } => {
            CheckError::damaged(volume, entry, "the volume ends in it")
        }
        ReadError::Unexpected {
            expected, found, ..
        } => CheckError::damaged(volume, expected, format!("{found} is in its place")),
        ReadError::Io { entry, source, .. } => CheckError::damaged(volume, entry, source),
        ReadError::Absent { of, source, .. } => CheckError::NoVolume {
            volume: volume.into(),
            of,
            source,
        },
        ReadError::Index(source) => CheckError::damaged(volume, "index", source),
        ReadError::Spool(source) => CheckError::io("keeping the index in a temporary file", source),
        ReadError::Unfinished { ref entry } => CheckError::damaged(volume, entry.clone(), error),
        other @ ReadError::Foreign { .. } => CheckError::damaged(volume, "manifest", other),
    }
}

#[cfg(test)]
mod tests;
