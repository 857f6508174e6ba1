//! Zips of bundles that were verified before, as far as later bundles of the same run are packed against them.
//!
//! A run over a whole stream would otherwise have to keep every zip of it. So the lists of bases are read first, of
//! bundles whose manifest is accepted; what they name is kept as it passes by, in an unlinked temporary file a bundle.
//! A list that cannot be read names nothing here: its bundle's own verification tells what is wrong with it.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::Arc;

use modferry_checker::HeldZip;
use modferry_protocol::bundle::{BasesReader, Item, ReadError, Volume};
use modferry_protocol::module::ModuleVersion;
use modferry_protocol::trust::Policy;
use modferry_protocol::zip::ReadAt;

use super::shelf;
use crate::basis::Name;
use crate::bundle::Bundle;

/// The zips that any of these bundles is packed against.
pub(super) fn wanted(bundles: &[Bundle], policy: &Policy) -> HashSet<Name> {
    let mut wanted = HashSet::new();
    for bundle in bundles.iter().filter(|bundle| bundle.manifest.bases > 0) {
        let _ = bases(bundle, policy, &mut wanted);
    }
    wanted
}

/// Why a list of bases is not read on.
enum Unread {
    Untrusted,
    Read,
    /// Nothing behind what was read is a list of bases.
    Done,
}

impl From<ReadError> for Unread {
    fn from(_: ReadError) -> Unread {
        Unread::Read
    }
}

fn bases(bundle: &Bundle, policy: &Policy, wanted: &mut HashSet<Name>) -> Result<(), Unread> {
    let accepted = policy.accept(&bundle.note).map_err(|_| Unread::Untrusted)?;
    let mut volumes = shelf(bundle);
    let first = volumes(1).map_err(|_| Unread::Read)?;
    let spool = tempfile::tempfile().map_err(|_| Unread::Read)?;
    let volume = Volume::open(first)?.trust(&accepted)?.index(spool)?;
    let mut entries = volume.entries(volumes)?;
    let mut reader = BasesReader::new();
    while let Some(incoming) = entries.next()? {
        // Items are in order, and packs are small where nothing large has come yet.
        if incoming
            .entry()
            .items
            .iter()
            .all(|(item, _)| *item > Item::Bases(u32::MAX))
        {
            break;
        }
        incoming.small_items(|item, bytes| match item {
            Item::Bases(_) => {
                let lines = reader.text(bytes).map_err(|_| Unread::Read)?;
                wanted.extend(lines.iter().map(|base| Name::of(&base.module)));
                Ok(())
            }
            item if item > Item::Bases(u32::MAX) => Err(Unread::Done),
            _ => Ok(()),
        })?;
    }
    Ok(())
}

/// The zips of one bundle that are wanted, or of all bundles that were taken in.
#[derive(Debug, Default)]
pub(super) struct Kept {
    zips: HashMap<Name, ([u8; 32], KeptZip)>,
    /// Where this bundle's are, and how many bytes it has.
    file: Option<(Arc<File>, u64)>,
}

impl Kept {
    /// Keeps a zip, in a file in that folder.
    pub(super) fn keep(
        &mut self,
        module: &ModuleVersion,
        sha256: &[u8; 32],
        body: &mut dyn Read,
        folder: &Path,
    ) -> io::Result<()> {
        let (file, offset) = match &self.file {
            Some((file, end)) => (file.clone(), *end),
            None => (Arc::new(tempfile::tempfile_in(folder)?), 0),
        };
        let mut end = offset;
        let mut buf = vec![0; 1 << 20];
        loop {
            let n = body.read(&mut buf)?;
            if n == 0 {
                break;
            }
            file.write_all_at(&buf[..n], end)?;
            end += n as u64;
        }
        let zip = KeptZip {
            file: file.clone(),
            offset,
            size: end - offset,
        };
        self.zips.insert(Name::of(module), (*sha256, zip));
        self.file = Some((file, end));
        Ok(())
    }

    /// Takes in those of a bundle that was found right; what is there stays, as it does in a store.
    pub(super) fn take_in(&mut self, brought: Kept) {
        for (name, kept) in brought.zips {
            self.zips.entry(name).or_insert(kept);
        }
    }

    pub(super) fn find(&self, module: &ModuleVersion, sha256: &[u8; 32]) -> HeldZip<KeptZip> {
        match self.zips.get(&Name::of(module)) {
            None => HeldZip::None,
            Some((held, _)) if held != sha256 => HeldZip::Other,
            Some((_, zip)) => HeldZip::Same(zip.clone()),
        }
    }
}

/// A zip in a temporary file.
#[derive(Clone, Debug)]
pub(super) struct KeptZip {
    file: Arc<File>,
    offset: u64,
    size: u64,
}

impl ReadAt for KeptZip {
    fn size(&self) -> u64 {
        self.size
    }

    fn read_exact_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        let past = || io::Error::from(io::ErrorKind::UnexpectedEof);
        let end = offset.checked_add(buf.len() as u64).ok_or_else(past)?;
        match end <= self.size {
            true => self.file.read_exact_at(buf, self.offset + offset),
            false => Err(past()),
        }
    }
}
