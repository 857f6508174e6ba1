//! `fsck`: proves that the store is sound, and that its history was not rewritten.

use super::{failed, say};
use crate::Failed;
use crate::args::{Args, Fsck as Flags};
use crate::progress::progress;
use modferry_appliance::store::fsck::{Damaged, Fsck, Report, parse_head};
use modferry_appliance::store::{Reader, StoreError};
use modferry_appliance::trust::{Kind, TrustStore};
use modferry_cli::{Exit, Fault};
use modferry_protocol::note::VerifierKey;
use std::fmt::Write as _;
use std::path::Path;

pub fn fsck(args: &Args, store: &Path, what: &Flags) -> Result<(), Failed> {
    let ledger_head = match &what.ledger_head {
        None => None,
        Some(text) => Some(parse_head(text).ok_or_else(|| {
            let fault = Fault::new(Exit::Usage, format!("{text:?} is no ledger's head"));
            failed(fault.advise("give the size and the root as `status` shows them, in one argument: --ledger-head 'SIZE ROOT'"))
        })?),
    };
    let scratch = tempfile::tempdir().map_err(|error| {
        let fault = Fault::new(Exit::Other, "cannot make a temporary folder");
        failed(fault.because(error))
    })?;
    let reader = Reader::open(store, &scratch.path().join("log")).map_err(failed_to_open)?;
    let sumdbs = sumdbs(store)?;
    let bar = progress(args.json || args.quiet);
    let fsck = Fsck {
        view: &reader,
        sumdbs: &sumdbs,
        ledger_head,
        quick: what.quick,
        scratch: scratch.path(),
        progress: &*bar,
    };
    let report = fsck.run().map_err(failed)?;
    drop(bar);
    say(args, &report, || text(&report))?;
    report.sound().map_err(failed)?;
    Ok(())
}

/// The keys of the checksum databases that are trusted, and the one that is built in.
fn sumdbs(store: &Path) -> Result<Vec<VerifierKey>, Failed> {
    let keys = TrustStore::of(store).list().map_err(failed)?;
    let of_sumdbs = keys.iter().filter(|key| key.kind == Kind::Sumdb);
    // They were parsed when they were read.
    Ok(of_sumdbs.filter_map(|key| key.key.parse().ok()).collect())
}

/// A database that cannot be opened is damaged, unless the failure is the system's.
fn failed_to_open(error: StoreError) -> Failed {
    match &error {
        StoreError::Rocks { source, .. } if error.is_corruption() => {
            let findings = vec![format!("{error}: {source}")];
            failed(Damaged {
                damaged: 1,
                findings,
            })
        }
        _ => failed(error),
    }
}

fn text(report: &Report) -> String {
    let mut text = format!("ledger head: {}", report.ledger);
    // Writing to a String cannot fail.
    for check in &report.checks {
        let _ = write!(text, "\n{:>9}  {}", check.count, check.what);
    }
    if report.quick {
        text += "\n  note: the zips' bytes were not read (--quick)";
    }
    for note in &report.notes {
        let _ = write!(text, "\n  note: {note}");
    }
    if report.damaged == 0 {
        text += "\nnothing is wrong";
    }
    text
}
