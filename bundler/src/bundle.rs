//! A bundle as it lies there: its volumes, wherever they are, and its manifest's file.
//!
//! Files are found by their names and believed by their contents. What is in a folder under a bundle's name must be
//! of that bundle: a volume that was left of another one, or that has another's name, is refused by name, and never
//! passed over or taken along.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use modferry_checker::diff::IndexFile;
use modferry_checker::united_note;
use modferry_cli::{Exit, Fault};
use modferry_protocol::bundle::{MAX_MANIFEST, Manifest, Sequence, StreamName};
use modferry_protocol::note;

use crate::error::Error;
use crate::files;
use crate::front::{Front, damaged};

/// A bundle's files.
#[derive(Debug)]
pub struct Bundle {
    /// What it is.
    pub manifest: Manifest,
    /// The manifest with all the signatures there are, of its file and of the volumes.
    pub note: Vec<u8>,
    /// The manifest's files, if there are any.
    pub sidecars: Vec<PathBuf>,
    /// The index.
    pub index: IndexFile,
    /// The volumes that are there, one at least, by their numbers.
    pub volumes: Vec<Front>,
    /// Whether each of them was named by itself, so that it may be meant that others are not there.
    pub volumes_named: bool,
}

impl Bundle {
    /// How many volumes there should be.
    pub fn of(&self) -> u32 {
        self.volumes.first().map_or(0, |front| front.volume.of)
    }

    /// The volumes that are not there, by number.
    pub fn missing(&self) -> Vec<u32> {
        let has = |number: &u32| self.volume(*number).is_some();
        (1..=self.of()).filter(|number| !has(number)).collect()
    }

    /// The volume of that number.
    pub fn volume(&self, number: u32) -> Option<&Front> {
        self.volumes
            .iter()
            .find(|front| front.volume.number == number)
    }

    /// How people know it: by its only volume's file, or by its manifest's name.
    pub fn name(&self) -> String {
        match &self.volumes[..] {
            [only] => only.path.display().to_string(),
            _ => self.manifest.file_name(),
        }
    }

    /// For what needs all volumes: says which are not there.
    pub fn all_are_there(&self) -> Result<(), Error> {
        let missing = self.missing();
        if missing.is_empty() {
            return Ok(());
        }
        let names: Vec<String> = missing
            .iter()
            .map(|number| self.manifest.volume_file_name(*number))
            .collect();
        Err(Fault::new(
            Exit::Missing,
            format!(
                "bundle {} {} has {} volumes, and {} of them are not here: {}",
                self.manifest.stream,
                self.manifest.sequence,
                self.of(),
                missing.len(),
                names.join(", ")
            ),
        )
        .advise("name the folders of all its volumes, or copy them into one")
        .into())
    }
}

/// The bundles that the paths name, by stream and sequence: each path a volume, a manifest, or a folder of bundles. The
/// volumes of one bundle may be in several folders.
pub fn find(paths: &[PathBuf]) -> Result<Vec<Bundle>, Error> {
    let mut found = Found::default();
    for path in paths {
        found.path(path)?;
    }
    found
        .0
        .into_values()
        .map(Parts::bundle)
        .collect::<Result<_, _>>()
}

/// Files by the bundle whose names they have.
#[derive(Default)]
struct Found(BTreeMap<(StreamName, Sequence), Parts>);

#[derive(Default)]
struct Parts {
    sidecars: Vec<(PathBuf, Vec<u8>)>,
    volumes: Vec<Front>,
    index: Option<IndexFile>,
    /// Whether any was found in a folder.
    gathered: bool,
}

impl Found {
    fn path(&mut self, path: &Path) -> Result<(), Error> {
        let meta = std::fs::metadata(path).map_err(Error::file("read", path))?;
        if meta.is_dir() {
            return self.folder(path);
        }
        if !has_extension(path, "manifest") {
            return self.volume(path, false);
        }
        let stem = path.file_stem().unwrap_or_default().to_string_lossy();
        let folder = modferry_cli::folder_of(path);
        let volumes: Vec<PathBuf> = listed(folder)?
            .into_iter()
            .filter(|file| volume_name(file).is_some_and(|(bundle, _)| bundle == stem))
            .collect();
        if volumes.is_empty() {
            let first = format!("{stem}.v001.tar");
            return Err(Fault::new(
                Exit::Missing,
                format!("{} is not there", folder.join(first).display()),
            )
            .advise("copy the volume into the manifest's folder")
            .into());
        }
        self.sidecar(path)?;
        volumes.iter().try_for_each(|file| self.volume(file, true))
    }

    fn folder(&mut self, folder: &Path) -> Result<(), Error> {
        let files = listed(folder)?;
        let volumes: Vec<&PathBuf> = files
            .iter()
            .filter(|file| volume_name(file).is_some())
            .collect();
        if volumes.is_empty() {
            return Err(Fault::new(Exit::Missing, format!("{} has no bundle in it", folder.display()))
                .advise("a bundle is STREAM.SEQ.manifest and STREAM.SEQ.v001.tar; modferry-bundler export writes them")
                .into());
        }
        for file in volumes {
            self.volume(file, true)?;
        }
        Ok(())
    }

    /// A volume, and the manifest beside it.
    fn volume(&mut self, path: &Path, gathered: bool) -> Result<(), Error> {
        let (front, index) = Front::read(path)?;
        let (manifest, number) = (&front.manifest, front.volume.number);
        if let Some((stem, named)) = volume_name(path) {
            let of_contents = manifest.volume_file_name(number);
            if volume_name(Path::new(&of_contents)) != Some((stem, named)) {
                return Err(foreign(
                    path,
                    &format!("it is {of_contents} by what is in it"),
                ));
            }
        }
        let sidecar = modferry_cli::folder_of(path).join(manifest.file_name());
        let key = (manifest.stream.clone(), manifest.sequence);
        let parts = self.0.entry(key).or_default();
        if parts.volumes.iter().any(|known| known.path == front.path) {
            return Ok(());
        }
        parts.volumes.push(front);
        parts.index.get_or_insert(index);
        parts.gathered |= gathered;
        if sidecar.exists() {
            self.sidecar(&sidecar)?;
        }
        Ok(())
    }

    fn sidecar(&mut self, path: &Path) -> Result<(), Error> {
        let note = files::read_bounded(path, MAX_MANIFEST).map_err(Error::file("read", path))?;
        let manifest = note::text(&note)
            .map_err(|error| error.to_string())
            .and_then(|text| Manifest::parse(text).map_err(|error| error.to_string()))
            .map_err(|what| damaged(path, what))?;
        let parts = self
            .0
            .entry((manifest.stream, manifest.sequence))
            .or_default();
        if !parts.sidecars.iter().any(|(known, _)| known == path) {
            parts.sidecars.push((path.to_owned(), note));
        }
        Ok(())
    }
}

impl Parts {
    /// The bundle, if all of it is of one.
    fn bundle(mut self) -> Result<Bundle, Error> {
        self.volumes.sort_by_key(|front| front.volume.number);
        let (Some(first), Some(index)) = (self.volumes.first(), self.index) else {
            let path = self.sidecars.first().map(|(path, _)| path.as_path());
            let path = path.unwrap_or(Path::new("the manifest"));
            return Err(foreign(path, "no volume beside it is of its bundle"));
        };
        let text = |note: &[u8]| note::text(note).map(str::to_owned).unwrap_or_default();
        // What was signed last is in the manifest's file; so it says which bundle this is.
        let (whose, note) = match self.sidecars.first() {
            Some((path, note)) => (path, note),
            None => (&first.path, &first.note),
        };
        let (own, manifest) = (text(note), first.manifest.clone());
        let mut united = note.clone();
        for (path, note) in &self.sidecars {
            if text(note) != own {
                return Err(other_bundle(path, whose));
            }
            united = united_note(&united, Some(note))?;
        }
        let of = first.volume.of;
        for (at, front) in self.volumes.iter().enumerate() {
            if text(&front.note) != own {
                return Err(other_bundle(&front.path, whose));
            }
            if front.volume.of != of {
                return Err(foreign(
                    &front.path,
                    &format!(
                        "it is one of {} volumes, and {} is one of {of}: the bundle was cut twice",
                        front.volume.of,
                        first.path.display()
                    ),
                ));
            }
            if let Some(twin) = self.volumes[..at]
                .iter()
                .find(|other| other.volume.number == front.volume.number)
            {
                return Err(foreign(
                    &front.path,
                    &format!("{} is the same volume", twin.path.display()),
                ));
            }
            united = united_note(&united, Some(&front.note))?;
        }
        Ok(Bundle {
            manifest,
            note: united,
            sidecars: self.sidecars.into_iter().map(|(path, _)| path).collect(),
            index,
            volumes: self.volumes,
            volumes_named: !self.gathered,
        })
    }
}

fn other_bundle(path: &Path, whose: &Path) -> Error {
    foreign(
        path,
        &format!("its manifest is not that of {}", whose.display()),
    )
}

/// A file that does not belong where it lies.
fn foreign(path: &Path, what: &str) -> Error {
    Fault::new(
        Exit::Damaged,
        format!("{} does not belong to this bundle: {what}", path.display()),
    )
    .advise("take it away, or look which of them is the right one (modferry-bundler inspect FILE)")
    .into()
}

/// The files of a folder that are not hidden, by name.
fn listed(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(Error::file("read", folder))? {
        let entry = entry.map_err(Error::file("read", folder))?;
        if !entry.file_name().as_encoded_bytes().starts_with(b".") {
            files.push(entry.path());
        }
    }
    files.sort();
    Ok(files)
}

/// What lies in the folder under a bundle's name: its manifest's file, and any volume.
pub fn files_named(
    folder: &Path,
    stream: &StreamName,
    sequence: Sequence,
) -> Result<Vec<PathBuf>, Error> {
    let manifest = stream.manifest_file(sequence);
    let stem = manifest.trim_end_matches(".manifest");
    let is_of = |file: &PathBuf| {
        volume_name(file).is_some_and(|(bundle, _)| bundle == stem)
            || file.file_name().is_some_and(|name| *name == *manifest)
    };
    Ok(listed(folder)?.into_iter().filter(is_of).collect())
}

/// `STREAM.SEQ` and the volume's digits, if the file has a volume's name.
fn volume_name(path: &Path) -> Option<(&str, &str)> {
    let name = path.file_name()?.to_str()?.strip_suffix(".tar")?;
    let (stem, number) = name.rsplit_once(".v")?;
    let digits = number.len() >= 3 && number.bytes().all(|byte| byte.is_ascii_digit());
    (digits && stem.contains('.')).then_some((stem, number))
}

fn has_extension(path: &Path, extension: &str) -> bool {
    path.extension().is_some_and(|has| has == extension)
}
