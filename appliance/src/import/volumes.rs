//! The volumes of one bundle: which are at hand, and what is done while some are not.
//!
//! When all are at hand, given or staged before, the bundle is read straight from where they are. When not, each that was
//! given is examined by itself while it is copied into the store, so that the next run needs only the others. A
//! damaged one is named with everything that is wrong with it, and the others are kept all the same: a good copy of
//! just that one finishes.

use super::ImportError;
use super::bundle::{BadVolume, Front, Opened, unreadable, which};
use super::done::VolumesTold;
use super::find::{VolumeName, file_name};
use super::staged::{self, Staged};
use modferry_checker::volume::examine;
use modferry_checker::{CheckError, Progress};
use modferry_cli::in_one_line;
use modferry_protocol::bundle::{self, Manifest, ReadError, VolumeText};
use modferry_protocol::trust::Accepted;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

/// The volumes at hand, by number.
pub(super) struct AtHand {
    places: BTreeMap<u32, Place>,
    /// What those that were given say of themselves.
    texts: BTreeMap<u32, VolumeText>,
    /// How many the bundle has.
    of: u32,
    /// Those that are none of it or damaged, as far as is known.
    pub(super) bad: Vec<BadVolume>,
}

enum Place {
    Given(PathBuf),
    Staged(PathBuf),
    /// Read once; `None` when that was done.
    Pipe(Option<Box<dyn Read>>),
}

impl AtHand {
    /// What was given, and what is staged of the same cut.
    pub(super) fn of(
        opened: &mut Opened,
        staged: &Staged,
        scratch: &Path,
        bundle: &str,
    ) -> Result<Self, ImportError> {
        let mut at_hand = Self {
            places: BTreeMap::new(),
            texts: BTreeMap::new(),
            of: 0,
            bad: std::mem::take(&mut opened.bad),
        };
        for path in std::mem::take(&mut opened.volumes) {
            let file = File::open(&path).map_err(unreadable(&path))?;
            match which(file, &opened.accepted, scratch) {
                Ok(text) => at_hand.add(bundle, &text, Place::Given(path))?,
                Err(ReadError::Io { source, .. }) => return Err(unreadable(&path)(source)),
                Err(ReadError::Spool(source)) => return Err(unreadable(scratch)(source)),
                Err(error) => at_hand.bad.push(BadVolume {
                    name: file_name(&path),
                    path: Some(path),
                    what: vec![error.to_string()],
                }),
            }
        }
        if let Some(pipe) = opened.pipe.take() {
            let looked = Front::of(pipe, |front| which(front, &opened.accepted, scratch));
            let (text, pipe) = looked.map_err(|error| {
                let error = modferry_checker::from_read(bundle, error);
                ImportError::refused(bundle, error, None)
            })?;
            at_hand.add(bundle, &text, Place::Pipe(Some(pipe)))?;
        }
        at_hand.add_staged(staged, &opened.accepted, scratch, bundle)?;
        Ok(at_hand)
    }

    fn add(&mut self, bundle: &str, text: &VolumeText, place: Place) -> Result<(), ImportError> {
        if let Place::Given(path) = &place
            && let Some(name) = VolumeName::of(path)
            && name.names_a_bundle()
            && name.number != text.number
        {
            self.bad.push(BadVolume {
                name: file_name(path),
                what: vec![format!(
                    "it is volume {}, not what its name says",
                    text.number
                )],
                path: Some(path.clone()),
            });
            return Ok(());
        }
        if self.of != 0 && self.of != text.of {
            return Err(ImportError::Cuts {
                bundle: bundle.into(),
                one: self.of,
                other: text.of,
            });
        }
        self.of = text.of;
        if let Entry::Vacant(vacant) = self.places.entry(text.number) {
            vacant.insert(place);
            self.texts.insert(text.number, text.clone());
        }
        Ok(())
    }

    /// Staged volumes fill the gaps. Those of another cut are passed over where what was given is whole by itself.
    ///
    /// Two cuts can have as many volumes, so a volume that was given takes the place of a staged one that is another:
    /// otherwise one wrong volume, once staged, would be in the way of the right one.
    fn add_staged(
        &mut self,
        staged: &Staged,
        accepted: &Accepted,
        scratch: &Path,
        bundle: &str,
    ) -> Result<(), ImportError> {
        let Some(of) = staged.of()? else {
            return Ok(());
        };
        if self.is_complete() {
            return Ok(());
        }
        if self.of != 0 && self.of != of {
            return Err(ImportError::Cuts {
                bundle: bundle.into(),
                one: of,
                other: self.of,
            });
        }
        self.of = of;
        let waiting = staged.volumes()?;
        let is_there = |number| self.places.contains_key(&number) || waiting.contains_key(&number);
        let complete = (1..=of).all(is_there);
        for (number, path) in waiting {
            match self.places.get(&number) {
                // All are at hand, so nothing is copied.
                Some(Place::Given(_)) if complete => continue,
                Some(_) if !self.says_the_same(number, &path, accepted, scratch) => continue,
                _ => {}
            }
            if let Some(Place::Pipe(Some(mut pipe))) = self.places.remove(&number) {
                drain(&mut pipe);
            }
            // It was examined when it was staged: what was given of the same need not be copied again.
            self.places.insert(number, Place::Staged(path));
        }
        Ok(())
    }

    /// Whether a staged volume has the same of the bundle as the one that was given.
    fn says_the_same(
        &self,
        number: u32,
        staged: &Path,
        accepted: &Accepted,
        scratch: &Path,
    ) -> bool {
        let Ok(file) = File::open(staged) else {
            return false;
        };
        let has = |text: &VolumeText| (text.entries, text.extents.clone());
        let waits = which(file, accepted, scratch).ok();
        waits.as_ref().map(has) == self.texts.get(&number).map(has)
    }

    /// Whether what failed can be looked at again: not what came through a pipe.
    pub(super) fn can_be_read_again(&self) -> bool {
        !(self.places.values()).any(|place| matches!(place, Place::Pipe(_)))
    }

    /// Fails if any volume is bad, and names all of them.
    pub(super) fn refuse_bad(&mut self, bundle: &str) -> Result<(), ImportError> {
        match self.bad.is_empty() {
            true => Ok(()),
            false => Err(ImportError::BadVolumes {
                bundle: bundle.into(),
                kept: self.places.len(),
                bad: std::mem::take(&mut self.bad),
            }),
        }
    }

    /// What there is and what is not, for people.
    pub(super) fn told(&self, bundle: &str, opened: &Opened) -> Result<VolumesTold, ImportError> {
        if self.places.is_empty() {
            // A manifest alone: of how many volumes its bundle is, only a volume says.
            return Err(ImportError::NoVolume {
                bundle: bundle.into(),
                volume: opened.manifest().volume_file_name(1),
            });
        }
        Ok(VolumesTold {
            of: self.of,
            at_hand: self.numbers(),
            to_come: self.to_come(opened.manifest()),
        })
    }

    /// The names of the volumes that are not at hand.
    pub(super) fn to_come(&self, manifest: &Manifest) -> Vec<String> {
        staged::to_come(manifest, self.of, |number| {
            self.places.contains_key(&number)
        })
    }

    /// Whether nothing of it is staged.
    pub(super) fn all_given(&self) -> bool {
        !(self.places.values()).any(|place| matches!(place, Place::Staged(_)))
    }

    /// How many volumes the bundle has; 0 where none of them can tell.
    pub(super) fn count(&self) -> u32 {
        self.of
    }

    /// Whether every volume is there.
    pub(super) fn is_complete(&self) -> bool {
        self.of != 0 && self.places.len() as u32 == self.of
    }

    /// The numbers of those that are there.
    pub(super) fn numbers(&self) -> Vec<u32> {
        self.places.keys().copied().collect()
    }

    /// Opens them, in order, for a check.
    pub(super) fn open(&mut self) -> Opening<'_> {
        Opening(self)
    }

    /// Bytes of the files that would be copied into the store.
    pub(super) fn to_copy(&self) -> Result<u64, ImportError> {
        let mut bytes = 0;
        for place in self.places.values() {
            if let Place::Given(path) = place {
                bytes += fs::metadata(path).map_err(unreadable(path))?.len();
            }
        }
        Ok(bytes)
    }

    /// Examines each volume by itself. One that is damaged is none at hand any more, and is named with all that is wrong
    /// with it. The others, where `staged` is given, are copied there unless they are there already.
    pub(super) fn examine(
        &mut self,
        accepted: &Accepted,
        staged: Option<&Staged>,
        scratch: &Path,
        progress: &dyn Progress,
    ) -> Result<(), ImportError> {
        for number in self.numbers() {
            let Some(place) = self.places.remove(&number) else {
                continue;
            };
            let name = accepted.manifest().volume_file_name(number);
            progress.step(&format!("examining {name}"));
            let (input, path): (Box<dyn Read>, _) = match place {
                Place::Given(path) => (open(&path)?, Some(path)),
                Place::Staged(path) => {
                    let what = examined(open(&path)?, accepted, scratch, progress, &name)?;
                    if what.is_empty() {
                        self.places.insert(number, Place::Staged(path));
                    } else {
                        // It was whole when it was copied: the store's disk has lost it.
                        if let Some(staged) = staged {
                            staged.remove(number)?;
                        }
                        let path = Some(path);
                        self.bad.push(BadVolume { name, path, what });
                    }
                    continue;
                }
                Place::Pipe(Some(pipe)) => (pipe, None),
                Place::Pipe(None) => continue, // it was read, and cannot be again
            };
            let kept = match staged {
                None => {
                    let what = examined(input, accepted, scratch, progress, &name)?;
                    // What came through a pipe was at hand, though it cannot be read once more.
                    let place = path.clone().map_or(Place::Pipe(None), Place::Given);
                    (what, Some(place))
                }
                Some(staged) => {
                    let mut file = staged.incoming()?;
                    let mut failed = None;
                    let copy = Copying {
                        input,
                        to: file.as_file_mut(),
                        failed: &mut failed,
                    };
                    let what = examined(copy, accepted, scratch, progress, &name);
                    if let Some(source) = failed {
                        // The copy's fault, and not the volume's.
                        return Err(unreadable(file.path())(source));
                    }
                    let what = what?;
                    let place = match what.is_empty() {
                        true => Some(Place::Staged(staged.show(file, number, self.of)?)),
                        false => None,
                    };
                    (what, place)
                }
            };
            match kept {
                (what, Some(place)) if what.is_empty() => {
                    self.places.insert(number, place);
                }
                (what, _) => {
                    let name = path.as_deref().map_or(name, file_name);
                    self.bad.push(BadVolume { name, path, what });
                }
            }
        }
        Ok(())
    }
}

/// Takes the rest of a pipe: whoever sends must not see a broken one where nothing is wrong.
pub(super) fn drain(pipe: &mut dyn Read) {
    let _ = io::copy(pipe, &mut io::sink());
}

/// Everything that is wrong with a volume, a line each.
fn examined(
    input: impl Read,
    accepted: &Accepted,
    scratch: &Path,
    progress: &dyn Progress,
    name: &str,
) -> Result<Vec<String>, ImportError> {
    let index = tempfile::tempfile_in(scratch).map_err(unreadable(scratch))?;
    let counted = Counted { input, progress };
    match examine(name, counted, accepted, index) {
        Ok(examined) => {
            let parts = examined.damaged.iter();
            let mut lines: Vec<_> = parts
                .map(|part| format!("{}: {}", part.part, part.what))
                .collect();
            if examined.more > 0 {
                lines.push(format!("and {} more", examined.more));
            }
            Ok(lines)
        }
        Err(error @ CheckError::Damaged { .. }) => Ok(vec![in_one_line(&error)]),
        Err(error) => Err(ImportError::refused(name, error, None)),
    }
}

fn open(path: &Path) -> Result<Box<dyn Read>, ImportError> {
    Ok(Box::new(File::open(path).map_err(unreadable(path))?))
}

/// Gives the volumes to a check.
pub(super) struct Opening<'a>(&'a mut AtHand);

impl bundle::Volumes for Opening<'_> {
    type Reader = Box<dyn Read>;

    fn open(&mut self, number: u32) -> io::Result<Box<dyn Read>> {
        match self.0.places.get_mut(&number) {
            Some(Place::Given(path) | Place::Staged(path)) => Ok(Box::new(File::open(path)?)),
            Some(Place::Pipe(pipe)) => pipe
                .take()
                .ok_or_else(|| io::Error::other("a pipe is read once")),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }
}

/// Writes down what is read.
struct Copying<'f, R> {
    input: R,
    to: &'f mut File,
    /// Why it could not be written, if it could not.
    failed: &'f mut Option<io::Error>,
}

impl<R: Read> Read for Copying<'_, R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.input.read(buf)?;
        if let Err(error) = self.to.write_all(&buf[..n]) {
            let kind = error.kind();
            *self.failed = Some(error);
            return Err(kind.into());
        }
        Ok(n)
    }
}

/// Tells how far it is.
struct Counted<'p, R> {
    input: R,
    progress: &'p dyn Progress,
}

impl<R: Read> Read for Counted<'_, R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.input.read(buf)?;
        self.progress.advance(n as u64);
        Ok(n)
    }
}
