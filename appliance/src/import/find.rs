//! From paths to bundles: what was given is looked at, and what belongs together is put together.
//!
//! Names of files only say where to look. What belongs to which bundle is told by the manifest at the front of each
//! volume: volumes with the same manifest text are of one bundle, wherever they lie. But where a name says that
//! a file is a volume of one bundle, and the file says that it is of another, someone has mixed two exports up. Such
//! a volume is refused by name, and never joined with either.
//!
//! A path may be a folder of bundles, a manifest (then its volumes beside it count), a volume (then the manifest beside
//! it counts), a pattern of such, or `-` for a volume on standard input.

use super::bundle::{BadVolume, Bundle, front, read_manifest};
use super::{ImportError, glob};
use modferry_checker::{from_read, split_note, united_note};
use modferry_cli::folder_of;
use modferry_protocol::bundle::{Sequence, StreamName};
use modferry_protocol::note::NoteError;
use modferry_protocol::trust::{Accepted, Policy, TrustError};
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

/// The bundles that the paths name, in the order in which they are to be taken: by stream and sequence as their manifests
/// say. Those whose manifest `policy` does not accept come behind, and those of pipes last.
pub fn find(paths: &[PathBuf], policy: &Policy) -> Result<Vec<Bundle>, ImportError> {
    let mut files = Files::default();
    for path in &glob::expand(paths)? {
        files.add(path)?;
    }
    let mut bundles = files.bundles(policy)?;
    bundles.extend(files.pipes.into_iter().map(Bundle::pipe));
    Ok(bundles)
}

/// The files that were given, none twice.
#[derive(Debug, Default)]
pub(super) struct Files {
    manifests: BTreeSet<PathBuf>,
    volumes: BTreeSet<PathBuf>,
    /// What can be read once only; `None` is standard input.
    pipes: Vec<Option<PathBuf>>,
}

impl Files {
    /// A bundle's files, as somebody else has found them.
    pub(super) fn of(manifest: PathBuf, volumes: impl IntoIterator<Item = PathBuf>) -> Self {
        Self {
            manifests: [manifest].into(),
            volumes: volumes.into_iter().collect(),
            pipes: Vec::new(),
        }
    }

    fn add(&mut self, path: &Path) -> Result<(), ImportError> {
        if path.as_os_str() == "-" {
            self.pipes.push(None);
        } else if path.is_dir() {
            self.add_folder(path)?;
        } else if path.exists() && !path.is_file() {
            self.pipes.push(Some(path.into()));
        } else if is_manifest(path) {
            self.manifests.insert(path.into());
            self.volumes.extend(volumes_beside(path)?);
        } else {
            let manifest = VolumeName::of(path).map(|name| name.manifest());
            self.manifests
                .extend(manifest.filter(|path| path.is_file()));
            self.volumes.insert(path.into());
        }
        Ok(())
    }

    fn add_folder(&mut self, folder: &Path) -> Result<(), ImportError> {
        let mut any = false;
        let shown = |path: &PathBuf| !is_hidden(path) && path.is_file();
        for path in files_in(folder)?.into_iter().filter(shown) {
            let set = if is_manifest(&path) {
                &mut self.manifests
            } else if VolumeName::of(&path).is_some() {
                &mut self.volumes
            } else {
                continue;
            };
            any = true;
            set.insert(path);
        }
        match any {
            true => Ok(()),
            false => Err(ImportError::Nothing {
                path: folder.into(),
            }),
        }
    }

    /// What of the files is of which bundle.
    pub(super) fn bundles(&self, policy: &Policy) -> Result<Vec<Bundle>, ImportError> {
        let mut groups = Groups(Vec::new());
        for path in &self.manifests {
            let note = read_manifest(path)?;
            let group = groups.of_text(&note);
            group.notes.push((path.clone(), note));
            group.manifests.push(path.clone());
        }
        let mut unreadable = Vec::new();
        for path in &self.volumes {
            match front(path)? {
                Ok(note) => {
                    let group = groups.of_text(&note);
                    group.notes.push((path.clone(), note));
                    group.volumes.push(path.clone());
                }
                Err(error) => unreadable.push((path, error)),
            }
        }
        for group in &mut groups.0 {
            group.unite(policy);
        }
        groups.refuse_foreign();
        for (path, error) in unreadable {
            let name = file_name(path);
            let owner = VolumeName::of(path).and_then(|name| groups.owner(&name.manifest()));
            match owner {
                Some(owner) => groups.0[owner].bad.push(BadVolume {
                    name,
                    path: Some(path.clone()),
                    what: vec![error.to_string()],
                }),
                None => {
                    let error = from_read(&name, error);
                    return Err(ImportError::refused(&name, error, None));
                }
            }
        }
        groups.0.retain(|group| !group.is_empty());
        groups.0.sort_by_key(|group| {
            let place = group.accepted.as_ref().map(|accepted| {
                let manifest = accepted.manifest();
                (manifest.stream.to_string(), manifest.sequence)
            });
            (place.is_none(), place)
        });
        Ok(groups.0.into_iter().map(Group::into_bundle).collect())
    }
}

/// What has one manifest text.
struct Group {
    text: Vec<u8>,
    /// What was found, and in which file.
    notes: Vec<(PathBuf, Vec<u8>)>,
    /// The manifest with all the signatures that were found; the first one as it is where they do not go together.
    note: Vec<u8>,
    accepted: Option<Accepted>,
    manifests: Vec<PathBuf>,
    volumes: Vec<PathBuf>,
    bad: Vec<BadVolume>,
}

impl Group {
    fn unite(&mut self, policy: &Policy) {
        let notes = std::mem::take(&mut self.notes);
        self.note = united(&notes);
        self.accepted = policy.accept(&self.note).ok();
        if self.accepted.is_some() {
            return;
        }
        // One damaged signature would spoil the others: the file that has it is bad, and not the bundle.
        let (bad, good): (Vec<_>, Vec<_>) = notes
            .into_iter()
            .partition(|(_, note)| has_false_signature(policy, note));
        if bad.is_empty() {
            return;
        }
        let note = united(&good);
        let Ok(accepted) = policy.accept(&note) else {
            return;
        };
        (self.note, self.accepted) = (note, Some(accepted));
        for (path, _) in bad {
            self.volumes.retain(|other| *other != path);
            self.manifests.retain(|other| *other != path);
            self.bad.push(BadVolume {
                name: file_name(&path),
                what: vec!["a signature on its manifest is damaged, or false".into()],
                path: Some(path),
            });
        }
    }

    fn is_empty(&self) -> bool {
        self.volumes.is_empty() && self.manifests.is_empty() && self.bad.is_empty()
    }

    fn into_bundle(self) -> Bundle {
        let first = self.volumes.first().or(self.manifests.first());
        let name = match (&self.accepted, &self.volumes[..]) {
            (Some(accepted), volumes) if volumes.len() > 1 => {
                let manifest = accepted.manifest();
                format!("{}.{:06}", manifest.stream, manifest.sequence.get())
            }
            _ => first.map(|path| file_name(path)).unwrap_or_default(),
        };
        Bundle::of_files(name, self.note, self.volumes, self.bad)
    }
}

/// One text with all the signatures that were found.
fn united(notes: &[(PathBuf, Vec<u8>)]) -> Vec<u8> {
    let mut notes = notes.iter().map(|(_, note)| note);
    let mut all = notes.next().cloned().unwrap_or_default();
    for note in notes {
        // What is no signed note, or has too many signatures, adds none: the policy decides by what there is.
        if let Ok(united) = united_note(&all, Some(note)) {
            all = united;
        }
    }
    all
}

/// Whether the note is spoilt by itself: not only by too few signatures, or by those of strangers.
fn has_false_signature(policy: &Policy, note: &[u8]) -> bool {
    match policy.accept(note) {
        Err(TrustError::Untrusted(error)) => !matches!(error, NoteError::Untrusted(_)),
        _ => false,
    }
}

struct Groups(Vec<Group>);

impl Groups {
    /// The group of the note's text. What is no note is a text by itself, which no policy accepts.
    fn of_text(&mut self, note: &[u8]) -> &mut Group {
        let text = split_note(note).map_or(note, |(text, _)| text);
        let known = self.0.iter().position(|group| group.text == text);
        let at = known.unwrap_or_else(|| {
            self.0.push(Group {
                text: text.into(),
                notes: Vec::new(),
                note: Vec::new(),
                accepted: None,
                manifests: Vec::new(),
                volumes: Vec::new(),
                bad: Vec::new(),
            });
            self.0.len() - 1
        });
        &mut self.0[at]
    }

    /// The bundle that files of this name belong to: the manifest's beside it, or the first of which a volume is called so.
    /// One that is accepted comes before one that is not: its text is what somebody trusted has signed.
    fn owner(&self, manifest: &Path) -> Option<usize> {
        let beside = |group: &Group| group.manifests.iter().any(|path| path == manifest);
        let alike = |group: &Group| {
            let mut names = group.volumes.iter().filter_map(|path| VolumeName::of(path));
            names.any(|other| other.manifest() == manifest)
        };
        let accepted = |group: &Group| group.accepted.is_some();
        let groups = || self.0.iter();
        (groups().position(|group| accepted(group) && beside(group)))
            .or_else(|| groups().position(|group| accepted(group) && alike(group)))
            .or_else(|| groups().position(beside))
    }

    /// Takes away the files whose names say that they are of another bundle than they are.
    fn refuse_foreign(&mut self) {
        let mut foreign = Vec::new();
        for (at, group) in self.0.iter().enumerate() {
            for path in &group.manifests {
                let owner = self.owner(path).unwrap_or(at);
                if owner != at {
                    let what = "its text is not that of the manifest in the volumes beside it";
                    foreign.push((path.clone(), at, owner, what.to_owned()));
                }
            }
            for path in &group.volumes {
                let Some(name) = VolumeName::of(path) else {
                    continue;
                };
                let is = match &group.accepted {
                    Some(accepted) => accepted.manifest().file_name(),
                    None => "a bundle that is not trusted here".into(),
                };
                let owner = self.owner(&name.manifest()).unwrap_or(at);
                let named_otherwise =
                    group.accepted.is_some() && name.names_a_bundle() && name.file() != is;
                if owner != at || named_otherwise {
                    let what = format!("it belongs to another bundle than its name says: to {is}");
                    foreign.push((path.clone(), at, owner, what));
                }
            }
        }
        for (path, at, owner, what) in foreign {
            self.0[at].volumes.retain(|other| *other != path);
            self.0[at].manifests.retain(|other| *other != path);
            self.0[owner].bad.push(BadVolume {
                name: file_name(&path),
                what: vec![what],
                path: Some(path),
            });
        }
    }
}

/// `STEM.vNNN.tar`: what a volume's name says, without its being believed.
pub(super) struct VolumeName {
    folder: PathBuf,
    stem: String,
    /// The number.
    pub(super) number: u32,
}

impl VolumeName {
    pub(super) fn of(path: &Path) -> Option<Self> {
        let name = path.file_name()?.to_str()?.strip_suffix(".tar")?;
        let (stem, number) = name.rsplit_once(".v")?;
        let digits = number.len() >= 3 && number.bytes().all(|byte| byte.is_ascii_digit());
        Some(Self {
            folder: path.parent()?.into(),
            stem: stem.into(),
            number: number.parse().ok().filter(|_| digits)?,
        })
    }

    /// The manifest's path beside it.
    pub(super) fn manifest(&self) -> PathBuf {
        self.folder.join(self.file())
    }

    fn file(&self) -> String {
        format!("{}.manifest", self.stem)
    }

    /// Whether it is called as an export calls volumes, `STREAM.SEQ`, and not as a person has called it.
    pub(super) fn names_a_bundle(&self) -> bool {
        let parts = self.stem.rsplit_once('.');
        parts.is_some_and(|(stream, sequence)| {
            let sequence = sequence.trim_start_matches('0').parse::<Sequence>();
            StreamName::new(stream).is_ok() && sequence.is_ok()
        })
    }
}

/// The volumes that are called like a manifest, in its folder.
pub(super) fn volumes_beside(manifest: &Path) -> Result<Vec<PathBuf>, ImportError> {
    let mut volumes = files_in(folder_of(manifest))?;
    let stem = manifest.file_stem();
    volumes.retain(|path| {
        VolumeName::of(path).is_some_and(|name| stem == Some(OsStr::new(&name.stem)))
    });
    Ok(volumes)
}

fn files_in(folder: &Path) -> Result<Vec<PathBuf>, ImportError> {
    let failed = |source| ImportError::Input {
        path: folder.into(),
        source,
    };
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        files.push(entry.map_err(failed)?.path());
    }
    Ok(files)
}

/// Whether nobody has given it this name: what a copy under way is called, or what macOS lays beside each file on
/// disks that are not its own.
fn is_hidden(path: &Path) -> bool {
    (path.file_name()).is_some_and(|name| name.as_encoded_bytes().starts_with(b"."))
}

fn is_manifest(path: &Path) -> bool {
    path.extension() == Some(OsStr::new("manifest"))
}

pub(super) fn file_name(path: &Path) -> String {
    let name = path.file_name().unwrap_or(path.as_os_str());
    name.to_string_lossy().into_owned()
}
