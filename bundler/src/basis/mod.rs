//! What an export builds on: what the destination is known to hold, which is left out.
//!
//! Known is, in this order: what a person says for this export; what the newest receipt says; where nothing comes
//! back, that all bundles have arrived. Each comes to a set of the stream's bundles ([`Sequences`]), which the state
//! remembers with the new bundle. So a bundle's own word on what it builds on counts for those after it: once a
//! bundle was built on nothing, what was exported before it counts as held no more, until a receipt says so.
//!
//! A receipt is taken by its word: bundles exported after it count as not arrived, and what they carried
//! is carried again, until the next receipt. What a person says for an export is newer knowledge than every receipt taken
//! before, so from then on those count no more.
//!
//! [`Holdings`] is what such a set comes to, and [`Portion`] what is left to carry.

mod claims;
mod holdings;
mod portion;
mod receipt;
#[cfg(test)]
pub(crate) mod testing;

use std::path::Path;

use modferry_cli::{Exit, Fault};
use modferry_protocol::bundle::{Basis as Named, MAX_MANIFEST, Sequence, Sequences};
use modferry_protocol::note::VerifierKey;
use modferry_protocol::receipt::Receipt;
use modferry_protocol::sumdb::{DbName, TreeHead};

use crate::error::Error;
use crate::files;
use crate::settings::Config;
use crate::state::{BuiltOn, Chosen, Exported, State, manifest_of};

pub use claims::{Claims, carried_since};
pub use holdings::{Holdings, Name, Parts};
pub use portion::{Portion, Share};

/// What an export builds on.
#[derive(Clone, Debug, Default)]
pub struct Basis {
    /// The bundles that count as arrived, and who says so.
    pub built_on: BuiltOn,
    /// In words: what was used, and why.
    pub words: String,
    /// Tree heads that the destination has served, as far as it has said so.
    pub heads: Vec<(DbName, TreeHead)>,
    /// What the bundles from this one on carried is carried again.
    pub again_from: Option<Sequence>,
    /// Things to tell.
    pub notes: Vec<String>,
}

impl Basis {
    /// As the manifest names it: the newest bundle that counts as arrived.
    pub fn named(&self, exported: &[Exported]) -> Named {
        let newest = exported
            .iter()
            .rev()
            .find(|bundle| self.built_on.bundles.contains(bundle.sequence()));
        match newest {
            None => Named::None,
            Some(bundle) => Named::Bundle {
                sequence: bundle.sequence(),
                manifest_sha256: bundle.manifest.sha256(),
            },
        }
    }

    /// The largest tree of that database that the destination is known to have a head of; 0 if none.
    pub fn tree_size(&self, exported: &[Exported], db: &DbName) -> u64 {
        let arrived = exported
            .iter()
            .filter(|bundle| self.built_on.bundles.contains(bundle.sequence()));
        arrived
            .flat_map(|bundle| &bundle.manifest.heads)
            .chain(&self.heads)
            .filter(|(name, _)| name == db)
            .map(|(_, head)| head.size)
            .max()
            .unwrap_or(0)
    }

    fn new(chosen: Chosen, bundles: Sequences, words: impl Into<String>) -> Basis {
        Basis {
            built_on: BuiltOn { chosen, bundles },
            words: words.into(),
            ..Basis::default()
        }
    }

    fn with_heads(mut self, receipt: &Receipt) -> Basis {
        self.heads.clone_from(&receipt.heads);
        self
    }
}

/// Finds out what this export builds on. With `keep`, a receipt that is named is kept in the state.
pub fn choose(
    config: &Config,
    state: &State,
    exported: &[Exported],
    keep: bool,
) -> Result<Basis, Error> {
    let key = config.receipt_key.as_deref();
    if let Some(first) = config.cumulative_from {
        return again_from(first, state, exported);
    }
    if let Some(named) = config.basis.as_deref() {
        return by_hand(named, key, state, exported);
    }
    // What a person has said after the receipt was taken is newer than the receipt.
    let (mut kept, mut superseded) = (receipt::newest(state)?, None);
    if let Some(taken) = &kept {
        for bundle in exported.iter().filter(|b| b.sequence() >= taken.before) {
            if bundle
                .built_on()?
                .is_some_and(|on| on.chosen == Chosen::Hand)
            {
                superseded = Some(bundle.sequence());
            }
        }
    }
    let mut notes = Vec::new();
    if let Some(by) = superseded {
        if config.receipt.is_none() {
            notes.push(format!(
                "the newest receipt is from before bundle {by}, whose basis was named by hand: it counts no more"
            ));
        }
        kept = None;
    }
    if let Some(path) = config.receipt.as_deref() {
        kept = Some(receipt::take(
            path,
            key,
            state,
            exported,
            kept.as_ref(),
            keep,
        )?);
    }
    let mut basis = match kept {
        Some(taken) => by_receipt(&taken, state, exported)?,
        None => all_so_far(state, exported)?,
    };
    basis.notes.splice(0..0, notes);
    Ok(basis)
}

/// The key that the destination's receipts and wants files are signed with, if it is known.
pub fn receipt_key(config: &Config, state: &State) -> Result<Option<VerifierKey>, Error> {
    receipt::known_key(config.receipt_key.as_deref(), state)
}

fn all_so_far(state: &State, exported: &[Exported]) -> Result<Basis, Error> {
    let Some(last) = exported.last() else {
        let words = "nothing: it is the stream's first bundle";
        return Ok(Basis::new(Chosen::Exported, Sequences::new(), words));
    };
    let bundles = state.left_behind(last)?;
    let words = format!(
        "what was exported so far ({}), as no receipt came back",
        counted(&bundles)
    );
    Ok(Basis::new(Chosen::Exported, bundles, words))
}

fn by_receipt(
    taken: &receipt::Taken,
    state: &State,
    exported: &[Exported],
) -> Result<Basis, Error> {
    let receipt = &taken.receipt;
    let bundles = receipt::bundles(receipt, &taken.path, state, exported)?;
    let created = &receipt.created;
    let words = match bundles.is_empty() {
        true => format!("the receipt of {created}: nothing of this stream has arrived"),
        false => format!("the receipt of {created} ({})", counted(&bundles)),
    };
    let newer: Sequences = exported
        .iter()
        .map(Exported::sequence)
        .filter(|sequence| !bundles.contains(*sequence))
        .filter(|sequence| bundles.last().is_none_or(|last| *sequence > last))
        .collect();
    let mut basis = Basis::new(Chosen::Receipt, bundles, words).with_heads(receipt);
    if let Some(last) = newer.last() {
        basis.notes.push(format!(
            "the receipt does not tell of what was exported since ({}): what that carried is carried again; \
             --basis {last} counts it as arrived",
            counted(&newer)
        ));
    }
    Ok(basis)
}

fn again_from(first: Sequence, state: &State, exported: &[Exported]) -> Result<Basis, Error> {
    // A number that was passed over is none to be lost, but those after it may be.
    if exported.last().is_none_or(|last| last.sequence() < first) {
        find(first, state, exported)?;
    }
    let before = exported
        .iter()
        .rev()
        .find(|bundle| bundle.sequence() < first);
    let bundles = match before {
        Some(bundle) => state.left_behind(bundle)?,
        None => Sequences::new(),
    };
    let words = match bundles.is_empty() {
        true => format!("nothing: what bundles {first} and later carried is carried again"),
        false => format!(
            "{}; what bundles {first} and later carried is carried again",
            counted(&bundles)
        ),
    };
    let mut basis = Basis::new(Chosen::Hand, bundles, words);
    basis.again_from = Some(first);
    Ok(basis)
}

fn by_hand(
    named: &str,
    key: Option<&Path>,
    state: &State,
    exported: &[Exported],
) -> Result<Basis, Error> {
    let hand = |bundles| {
        let words = format!("{} (--basis {named})", counted(&bundles));
        Basis::new(Chosen::Hand, bundles, words)
    };
    if named == "none" {
        let words = "nothing: it is whole by itself (--basis none)";
        return Ok(Basis::new(Chosen::Hand, Sequences::new(), words));
    }
    if let Ok(sequence) = named.parse() {
        let bundle = find(sequence, state, exported)?;
        return Ok(hand(state.left_behind(bundle)?));
    }
    let path = Path::new(named);
    let note = files::read_bounded(path, MAX_MANIFEST).map_err(|source| {
        if source.kind() == std::io::ErrorKind::NotFound {
            return Error::usage(format!(
                "--basis {named}: want none, a bundle's number, or the file of a manifest or a receipt, and there is \
                 no such file"
            ));
        }
        Error::file("read", path)(source)
    })?;
    if note.starts_with(b"modferry receipt ") {
        let opened = receipt::open(path, key, state)?;
        let bundles = receipt::bundles(&opened.receipt, path, state, exported)?;
        return Ok(hand(bundles).with_heads(&opened.receipt));
    }
    let manifest = manifest_of(&note).map_err(|what| {
        Error::usage_because(format!("{named} is neither a manifest nor a receipt"), what)
    })?;
    let stream = state.stream();
    if manifest.stream != *stream {
        return Err(Fault::new(
            Exit::Usage,
            format!(
                "{named} is of stream {}, and this export is of stream {stream}: a bundle builds on its own stream",
                manifest.stream
            ),
        )
        .advise(format!("name a bundle of {stream}, or say --stream {}", manifest.stream))
        .into());
    }
    let bundle = find(manifest.sequence, state, exported)?;
    if bundle.manifest != manifest {
        return Err(Fault::new(
            Exit::Usage,
            format!(
                "{named} is another bundle {} of stream {stream} than the one that this state has",
                manifest.sequence
            ),
        )
        .advise("use the state folder that it was exported with (--state), or --basis none")
        .into());
    }
    Ok(hand(state.left_behind(bundle)?))
}

/// The bundle of that number, of this state.
fn find<'e>(
    sequence: Sequence,
    state: &State,
    exported: &'e [Exported],
) -> Result<&'e Exported, Error> {
    let found = exported.iter().find(|bundle| bundle.sequence() == sequence);
    found.ok_or_else(|| {
        let known: Sequences = exported.iter().map(Exported::sequence).collect();
        let stream = state.stream();
        let known = match known.is_empty() {
            true => format!("it knows no bundle of {stream}"),
            false => format!("of {stream} it knows {}", counted(&known)),
        };
        Fault::new(
            Exit::Usage,
            format!("this state does not know bundle {sequence} of stream {stream}: {known}"),
        )
        .advise("use the state folder that it was exported with (--state), or --basis none")
        .into()
    })
}

/// `bundle 1`, `bundles 1-4,6`, `nothing`.
fn counted(bundles: &Sequences) -> String {
    let mut ranges = bundles.ranges();
    match (ranges.next(), ranges.next()) {
        (None, _) => "nothing".into(),
        (Some((first, last)), None) if first == last => format!("bundle {bundles}"),
        _ => format!("bundles {bundles}"),
    }
}

#[cfg(test)]
mod tests;
