//! Whose bundles are read: the local policy, and the one place where a manifest becomes a trusted one.
//!
//! A policy comes from the machine that reads, never from a bundle. It can be strict or stricter; there is no
//! value of it that accepts an unsigned manifest, and no flag beside it.
//!
//! What can travel is a [`TrustNote`]: a change of the keys, signed by as many of those that are trusted already as
//! the policy asks for. A [`Keyring`] judges it.

mod keyring;
mod note;
mod thresholds;

pub use keyring::{AcceptedNote, AppliedNote, Judged, Keyring, NoteRefused};
pub use note::{MAX_TRUST_NOTE, MAX_TRUST_NUMBER, TrustNote, TrustNoteError};
pub use thresholds::{MAX_REQUIRED, Thresholds};

use crate::bundle::{MAX_MANIFEST, Manifest, ManifestError};
use crate::module::ModulePath;
use crate::module::pattern::match_prefix_patterns;
use crate::note::{KeyError, NoteError, SUM_GOLANG_ORG, Signatory, VerifierKey};
use crate::sumdb::DbName;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Which bundle keys are trusted, how many of them must have signed, and which checksum databases count.
#[derive(Clone, Debug)]
pub struct Policy {
    bundle_keys: Vec<VerifierKey>,
    thresholds: Thresholds,
    sumdbs: Vec<VerifierKey>,
    private: Private,
    remembered: Arc<BTreeSet<[u8; 32]>>,
}

/// Who vouches for private modules.
#[derive(Clone, Debug)]
enum Private {
    /// These keys, each for modules of these patterns.
    By(BTreeMap<String, Vec<String>>),
    /// That is decided elsewhere.
    LeftOpen,
}

impl Default for Private {
    fn default() -> Private {
        Private::By(BTreeMap::new())
    }
}

fn matches(patterns: &[String], path: &ModulePath) -> bool {
    (patterns.iter()).any(|pattern| match_prefix_patterns(pattern, path.as_str()))
}

/// Why a policy is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// A policy that would trust what nobody signed.
    #[error("a policy asks for at least one signature")]
    NoThreshold,
    /// One bundle key under two names: its owner alone would give two signatures.
    #[error("one bundle key under two names, {0} and {1}")]
    TwoNames(String, String),
    /// Two different keys under one checksum database's name.
    #[error("two different keys for the checksum database {0}")]
    TwoKeys(String),
    /// The built-in key does not parse: a mistake in this program.
    #[error("the built-in key of sum.golang.org")]
    BuiltIn(#[source] KeyError),
}

/// Why a manifest is not trusted.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// More bytes than a manifest may have.
    #[error("manifest of {0} bytes: want at most {MAX_MANIFEST}")]
    TooLong(usize),
    /// No signature by a trusted key, or one that is false.
    #[error("the manifest's signatures do not make it trusted")]
    Untrusted(#[source] NoteError),
    /// Fewer different trusted keys than the policy asks for.
    #[error("{} of the {want} trusted signatures that the policy asks for ({})", .signers.len(), list(.signers))]
    TooFew {
        /// How many trusted keys must have signed.
        want: usize,
        /// Those that have.
        signers: Vec<Signatory>,
    },
    /// It is signed as it should be, and this version cannot read it.
    #[error("the manifest is signed by a trusted key, but is not as the format has it")]
    Manifest(#[source] ManifestError),
}

fn list(signers: &[Signatory]) -> String {
    let names: Vec<String> = signers.iter().map(ToString::to_string).collect();
    names.join(", ")
}

impl Policy {
    /// A policy that asks for as many different ones of `bundle_keys` to have signed as `thresholds` says, a number
    /// where that is the same for every stream. It knows the checksum databases whose keys are in `sumdbs`, and sum.golang.org, whose key is built in.
    ///
    /// A signature names its key by a hash that has the key's name in it, so that one secret under two names would
    /// count as two signers: such keys are refused, and not silently counted once.
    pub fn new(
        bundle_keys: Vec<VerifierKey>,
        thresholds: impl Into<Thresholds>,
        mut sumdbs: Vec<VerifierKey>,
    ) -> Result<Self, PolicyError> {
        let thresholds = thresholds.into();
        if thresholds.least() == 0 {
            return Err(PolicyError::NoThreshold);
        }
        for (n, key) in bundle_keys.iter().enumerate() {
            let other_name = |other: &&VerifierKey| {
                other.name() != key.name() && other.fingerprint() == key.fingerprint()
            };
            if let Some(other) = bundle_keys[..n].iter().find(other_name) {
                return Err(PolicyError::TwoNames(
                    other.name().to_owned(),
                    key.name().to_owned(),
                ));
            }
        }
        sumdbs.push(SUM_GOLANG_ORG.parse().map_err(PolicyError::BuiltIn)?);
        sumdbs.sort_by(|a, b| a.name().cmp(b.name()));
        sumdbs.dedup();
        if let Some(pair) = sumdbs
            .windows(2)
            .find(|pair| pair[0].name() == pair[1].name())
        {
            return Err(PolicyError::TwoKeys(pair[0].name().to_owned()));
        }
        Ok(Self {
            bundle_keys,
            thresholds,
            sumdbs,
            private: Private::default(),
            remembered: Arc::default(),
        })
    }

    /// The keys whose signatures count, in the order given.
    pub fn bundle_keys(&self) -> &[VerifierKey] {
        &self.bundle_keys
    }

    /// How many different keys must have signed.
    pub fn thresholds(&self) -> &Thresholds {
        &self.thresholds
    }

    /// The checksum databases' keys, sorted by name.
    pub fn sumdbs(&self) -> &[VerifierKey] {
        &self.sumdbs
    }

    /// The key of that checksum database, if it is known.
    pub fn sumdb(&self, name: &DbName) -> Option<&VerifierKey> {
        self.sumdbs.iter().find(|key| key.name() == name.as_str())
    }

    /// Who may vouch for private modules: key's `NAME+HASH`, and the glob patterns of the module paths that this key alone
    /// can bring without a checksum database. Without this, nobody may.
    pub fn allow_private(&mut self, by: BTreeMap<String, Vec<String>>) {
        self.private = Private::By(by);
    }

    /// Takes pins of private modules for what they are, whatever the names: for whoever looks at a bundle and does not take it in.
    pub fn leave_private_to_the_destination(&mut self) {
        self.private = Private::LeftOpen;
    }

    /// Whether one of these signers may vouch for the module, so that it comes without a checksum database.
    pub fn admits_private(&self, path: &ModulePath, signers: &[Signatory]) -> bool {
        match &self.private {
            Private::LeftOpen => true,
            Private::By(by) => signers.iter().any(|signer| {
                let patterns = by.get(&signer.to_string());
                patterns.is_some_and(|patterns| matches(patterns, path))
            }),
        }
    }

    /// Whether the module is private here, whoever may vouch for it: then no checksum database does.
    pub fn names_private(&self, path: &ModulePath) -> bool {
        match &self.private {
            Private::LeftOpen => false,
            Private::By(by) => by.values().any(|patterns| matches(patterns, path)),
        }
    }

    /// Has the policy accept these manifests whoever has signed them: by the SHA-256 of their texts, each of which was
    /// accepted here before, and taken in.
    ///
    /// It is for whoever takes bundles in, and only finds so that such a bundle is in already. Keys change, and a bundle
    /// may bring the very note that revokes the key which signed it: importing it again must still be no error.
    pub fn remember(&mut self, accepted: impl IntoIterator<Item = [u8; 32]>) {
        Arc::make_mut(&mut self.remembered).extend(accepted);
    }

    /// Checks the signatures over a manifest, and only then reads it.
    ///
    /// Which stream it is of, and so how many signatures it needs, only the manifest says. It is read once it has as
    /// many as the least demanding stream needs: fewer are enough for none.
    pub fn accept(&self, note: &[u8]) -> Result<Accepted, TrustError> {
        if note.len() as u64 > MAX_MANIFEST {
            return Err(TrustError::TooLong(note.len()));
        }
        match self.accept_signed(note) {
            Err(TrustError::Untrusted(NoteError::Untrusted(_)) | TrustError::TooFew { .. })
                if let Some(text) = self.remembered_text(note) =>
            {
                Ok(Accepted {
                    manifest: Manifest::parse(text).map_err(TrustError::Manifest)?,
                    signers: Vec::new(),
                })
            }
            judged => judged,
        }
    }

    fn remembered_text<'n>(&self, note: &'n [u8]) -> Option<&'n str> {
        use sha2::Digest as _;
        let text = crate::note::text(note).ok()?;
        let sha256: [u8; 32] = sha2::Sha256::digest(text).into();
        self.remembered.contains(&sha256).then_some(text)
    }

    fn accept_signed(&self, note: &[u8]) -> Result<Accepted, TrustError> {
        let opened = crate::note::open(note, &self.bundle_keys).map_err(TrustError::Untrusted)?;
        let signers = opened.signers;
        let enough = |signers: Vec<Signatory>, want| match signers.len() < want {
            true => Err(TrustError::TooFew { want, signers }),
            false => Ok(signers),
        };
        let signers = enough(signers, self.thresholds.least())?;
        let manifest = Manifest::parse(opened.text).map_err(TrustError::Manifest)?;
        let signers = enough(signers, self.thresholds.of(&manifest.stream))?;
        Ok(Accepted { manifest, signers })
    }
}

/// A manifest that a policy accepted, and whose signatures made it do so.
///
/// Only [`Policy::accept`] makes one: holding it is the proof.
#[derive(Clone, Debug)]
pub struct Accepted {
    manifest: Manifest,
    signers: Vec<Signatory>,
}

impl Accepted {
    /// The manifest.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The trusted keys that signed it, each once; none where it was accepted from [memory](Policy::remember).
    pub fn signers(&self) -> &[Signatory] {
        &self.signers
    }
}
