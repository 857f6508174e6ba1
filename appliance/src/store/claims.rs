//! Claims: how much of each module version each stream's selection names, and since which of its bundles.
//!
//! What a bundle carries or needs raises its stream's claim; only a tombstone lowers it. So the order in which bundles
//! come in makes no difference but for tombstones: what a bundle names that comes late counts for nothing where a later
//! bundle of the same stream has given it up, and counts where none has. What no stream claims any more
//! is *gone*: it is served on as before, counted in the totals, and removed by `gc`, never by an import.
//!
//! What is held is claimed as long as some stream claims it: of several streams the highest level counts. Opaque files are claimed
//! by the same rule, wholly or not at all.

mod before;

use super::scratch::Scratch;
use super::view::scan;
use super::{Draft, StoreError, Totals, View, keys};
use modferry_protocol::bundle::{FileName, Gone, Level};
use modferry_protocol::module::ModuleVersion;

/// How much of a module version: what a stream claims, or what a store holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Extent {
    /// Nothing.
    Nothing,
    /// Its `.mod`, and its `.info` where it has one.
    Mod,
    /// That and its zip.
    Zip,
}

impl From<Level> for Extent {
    fn from(level: Level) -> Self {
        match level {
            Level::Mod => Self::Mod,
            Level::Zip => Self::Zip,
        }
    }
}

/// What one stream says of a module version, or of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claim {
    /// How much its selection names.
    pub extent: Extent,
    /// The bundle that said so, by its number in the stream.
    pub sequence: u64,
    /// The newest bundle that has given any of it up; 0 if none ever did. What bundles before it name counts no more.
    pub given_up: u64,
}

impl Claim {
    fn encode(self) -> [u8; 17] {
        let mut value = [0; 17];
        value[0] = self.extent as u8;
        value[1..9].copy_from_slice(&self.sequence.to_be_bytes());
        value[9..].copy_from_slice(&self.given_up.to_be_bytes());
        value
    }

    pub(super) fn decode(value: &[u8]) -> Result<Self, StoreError> {
        let damaged = || StoreError::damaged(format!("a claim of {} bytes", value.len()));
        let value: &[u8; 17] = value.try_into().map_err(|_| damaged())?;
        let [extent, numbers @ ..] = *value;
        let extent = match extent {
            0 => Extent::Nothing,
            1 => Extent::Mod,
            2 => Extent::Zip,
            _ => return Err(damaged()),
        };
        let numbers = u128::from_be_bytes(numbers);
        Ok(Self {
            extent,
            sequence: (numbers >> 64) as u64,
            given_up: numbers as u64,
        })
    }
}

/// What a bundle says of a module version.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Word {
    /// It carries that much.
    carries: Option<Extent>,
    /// It needs that much.
    needs: Option<Extent>,
    /// Its selection has given up more than that.
    leaves: Option<Extent>,
}

impl Word {
    /// The claim after this word of bundle `sequence`.
    fn after(self, old: Option<Claim>, sequence: u64) -> Option<Claim> {
        let before = old.map(|old| old.extent);
        let mut given_up = old.map_or(0, |old| old.given_up);
        let mut extent = before.unwrap_or(Extent::Nothing);
        // A tombstone that comes late is refused long before; it has nothing to say here either.
        if let Some(leaves) = self.leaves
            && old.is_none_or(|old| old.sequence.max(given_up) <= sequence)
        {
            (extent, given_up) = (leaves, sequence);
        }
        if given_up <= sequence {
            let named = [self.carries, self.needs].into_iter().flatten();
            extent = named.fold(extent, Extent::max);
        }
        Some(Claim {
            extent,
            sequence: match old {
                Some(old) if old.extent == extent => old.sequence,
                _ => sequence,
            },
            given_up,
        })
    }

    /// As it lies in the scratch database between being said and the commit.
    fn encode(self) -> [u8; 2] {
        let byte = |extent: Option<Extent>| extent.map_or(u8::MAX, |extent| extent as u8);
        [byte(self.needs), byte(self.leaves)]
    }

    fn decode(value: Option<&[u8]>) -> Self {
        let extent = |at: usize| match value.and_then(|value| value.get(at)) {
            Some(0) => Some(Extent::Nothing),
            Some(1) => Some(Extent::Mod),
            Some(2) => Some(Extent::Zip),
            _ => None,
        };
        Self {
            carries: None,
            needs: extent(0),
            leaves: extent(1),
        }
    }
}

/// What is claimed.
#[derive(Clone, Copy)]
enum Subject<'a> {
    Module(&'a ModuleVersion),
    /// Of a file there is all, as of a zip, or nothing.
    File(&'a FileName),
}

impl Subject<'_> {
    fn key(self, stream: &str) -> Vec<u8> {
        match self {
            Subject::Module(module) => keys::claim(module, stream),
            Subject::File(name) => keys::file_claim(name, stream),
        }
    }

    /// What the store says; of files in a store of an older schema also what was made of it a moment ago.
    fn claims(self, view: &View, scratch: &Scratch) -> Result<Vec<(String, Claim)>, StoreError> {
        match self {
            Subject::Module(module) => view.claims(module),
            Subject::File(name) => {
                let mut claims = view.file_claims(name)?;
                if !view.knows_file_claims()? {
                    scan(&scratch.0, &keys::file_claims(name), |key, value| {
                        claims.extend(file_claim(key, value)?);
                        Ok(())
                    })?;
                }
                Ok(claims)
            }
        }
    }

    fn held(self, view: &View) -> Result<Extent, StoreError> {
        match self {
            Subject::Module(module) => view.extent(module),
            Subject::File(name) => Ok(match view.pinned(&keys::file(name))? {
                Some(_) => Extent::Zip,
                None => Extent::Nothing,
            }),
        }
    }

    /// Of how many something is gone.
    fn gone(self, totals: &mut Totals) -> &mut u64 {
        match self {
            Subject::Module(_) => &mut totals.gone,
            Subject::File(_) => &mut totals.gone_files,
        }
    }

    /// The most that any stream but `except` claims.
    fn claimed_by_others(
        self,
        view: &View,
        scratch: &Scratch,
        except: &str,
    ) -> Result<Extent, StoreError> {
        let claims = self.claims(view, scratch)?.into_iter();
        let others = claims.filter(|(stream, _)| stream != except);
        Ok(others
            .map(|(_, claim)| claim.extent)
            .max()
            .unwrap_or(Extent::Nothing))
    }
}

/// The stream and its claim on a file, from a key under which one lies; a word under the prefix of the claims is none.
fn file_claim(key: &[u8], value: &[u8]) -> Result<Option<(String, Claim)>, StoreError> {
    match keys::parse(key) {
        Some(keys::Named::FileClaim(_, stream)) if !stream.is_empty() => {
            Ok(Some((stream, Claim::decode(value)?)))
        }
        _ => Ok(None),
    }
}

impl View {
    /// What each stream says of a file, by the streams' names; streams that never named it are not there.
    pub fn file_claims(&self, name: &FileName) -> Result<Vec<(String, Claim)>, StoreError> {
        let mut claims = Vec::new();
        self.scan(&keys::file_claims(name), |key, value| {
            claims.extend(file_claim(key, value)?);
            Ok(())
        })?;
        Ok(claims)
    }

    /// What each stream says of a module version, by the streams' names; streams that never named it are not there.
    pub fn claims(&self, module: &ModuleVersion) -> Result<Vec<(String, Claim)>, StoreError> {
        let mut claims = Vec::new();
        self.scan(&keys::claims(module), |key, value| {
            if let Some(keys::Named::Claim(_, stream)) = keys::parse(key) {
                claims.push((stream, Claim::decode(value)?));
            }
            Ok(())
        })?;
        Ok(claims)
    }

    /// How much of a module version is held.
    pub fn extent(&self, module: &ModuleVersion) -> Result<Extent, StoreError> {
        Ok(if self.pinned(&keys::zip(module))?.is_some() {
            Extent::Zip
        } else if self.has_go_mod(module)? || self.has_info(module)? {
            Extent::Mod
        } else {
            Extent::Nothing
        })
    }
}

impl Draft<'_> {
    /// The bundle says that the destination holds that much of a module version, and that its selection names it.
    pub fn needed(&mut self, module: &ModuleVersion, level: Level) -> Result<(), StoreError> {
        self.say(module, |word| word.needs = Some(level.into()))
    }

    /// The bundle says that its selection names this no longer.
    pub fn gone(&mut self, module: &ModuleVersion, gone: Gone) -> Result<(), StoreError> {
        let leaves = match gone {
            Gone::Zip => Extent::Mod,
            Gone::All => Extent::Nothing,
        };
        self.say(module, |word| word.leaves = Some(leaves))
    }

    /// The bundle says that the destination holds the file, and that its selection names it.
    pub fn needed_file(&mut self, name: &FileName) -> Result<(), StoreError> {
        self.say_of(keys::file_claims(name), |word| {
            word.needs = Some(Extent::Zip)
        })
    }

    /// The bundle says that its selection names the file no longer.
    pub fn gone_file(&mut self, name: &FileName) -> Result<(), StoreError> {
        let nothing = Some(Extent::Nothing);
        self.say_of(keys::file_claims(name), |word| word.leaves = nothing)
    }

    fn say(
        &self,
        module: &ModuleVersion,
        change: impl FnOnce(&mut Word),
    ) -> Result<(), StoreError> {
        self.say_of(keys::claims(module), change)
    }

    /// Notes a word under the prefix of the claims on something, which is no claim's key: no stream has an empty name.
    fn say_of(&self, key: Vec<u8>, change: impl FnOnce(&mut Word)) -> Result<(), StoreError> {
        let mut word = Word::decode(self.scratch.get(&key)?.as_deref());
        change(&mut word);
        self.scratch.put(&key, &word.encode())
    }

    /// Turns what the bundle carries and says into its stream's claims, and keeps count of what is gone.
    pub(super) fn claim(
        &self,
        stream: &str,
        sequence: u64,
        totals: &mut Totals,
    ) -> Result<(), StoreError> {
        // Each module version once: by its zip, else its .mod, else its .info, else by what was only said of it.
        let scratch = &self.scratch;
        let kinds = keys::MODULE_KINDS;
        for n in (0..kinds.len()).rev() {
            let extent = if n + 1 == kinds.len() {
                Extent::Zip
            } else {
                Extent::Mod
            };
            scan(&scratch.0, &kinds[n..=n], |key, _| {
                let module = keys::parse_module(&key[1..])
                    .ok_or_else(|| StoreError::damaged("a key that names no module version"))?;
                for &kind in &kinds[n + 1..] {
                    if scratch.get(&keys::of_kind(kind, &module))?.is_some() {
                        return Ok(());
                    }
                }
                let said = keys::claims(&module);
                let mut word = Word::decode(scratch.get(&said)?.as_deref());
                word.carries = Some(extent);
                scratch.delete(&said)?;
                self.take(Subject::Module(&module), word, (stream, sequence), totals)
            })?;
        }
        scan(&scratch.0, &keys::all_claims(), |key, value| {
            let Some(module) = keys::parse_claims(key) else {
                return Ok(()); // a claim, which this very loop has made
            };
            scratch.delete(key)?;
            let word = Word::decode(Some(value));
            self.take(Subject::Module(&module), word, (stream, sequence), totals)
        })?;
        self.claim_files_of_before(totals)?;
        self.claim_files((stream, sequence), totals)
    }

    /// The same of files.
    fn claim_files(&self, bundle: (&str, u64), totals: &mut Totals) -> Result<(), StoreError> {
        let scratch = &self.scratch;
        scan(&scratch.0, &keys::all_files(), |key, _| {
            let Some(keys::Named::File(name)) = keys::parse(key) else {
                return Err(StoreError::damaged("a file's key that names none"));
            };
            let carries = Word {
                carries: Some(Extent::Zip),
                ..Word::default()
            };
            self.take(Subject::File(&name), carries, bundle, totals)
        })?;
        // A file that is carried is neither needed nor given up by the same bundle.
        scan(&scratch.0, &keys::all_file_claims(), |key, value| {
            let Some(name) = keys::parse_file_claims(key) else {
                return Ok(()); // a claim, which this very loop has made
            };
            scratch.delete(key)?;
            let word = Word::decode(Some(value));
            self.take(Subject::File(&name), word, bundle, totals)
        })
    }

    fn take(
        &self,
        subject: Subject<'_>,
        word: Word,
        (stream, sequence): (&str, u64),
        totals: &mut Totals,
    ) -> Result<(), StoreError> {
        let held: &View = self.store;
        let key = subject.key(stream);
        // Of files that a store of an older schema holds, it was made a moment ago.
        let old = match held.pinned(&key)? {
            Some(value) => Some(Claim::decode(&value)?),
            None => (self.scratch.get(&key)?.as_deref().map(Claim::decode)).transpose()?,
        };
        let new = word.after(old, sequence);
        if new == old && word.carries.is_none() {
            return Ok(());
        }
        if let Some(new) = new.filter(|new| Some(*new) != old) {
            self.scratch.put(&key, &new.encode())?;
        }
        let before = subject.held(held)?;
        let after = before.max(word.carries.unwrap_or(Extent::Nothing));
        // Others' claims are looked for only where they decide.
        let own = |claim: Option<Claim>| claim.map_or(Extent::Nothing, |claim| claim.extent);
        let (own_before, own_after) = (own(old), own(new));
        if own_before >= before && own_after >= after {
            return Ok(());
        }
        let others = subject.claimed_by_others(held, &self.scratch, stream)?;
        let is_gone = |own: Extent, held: Extent| own.max(others) < held;
        let gone = subject.gone(totals);
        *gone -= u64::from(is_gone(own_before, before));
        *gone += u64::from(is_gone(own_after, after));
        Ok(())
    }
}

#[cfg(test)]
mod tests;
