//! The commands: each calls the library and prints what it says, for people or as JSON.

mod diff;
mod evidence;
mod fsck;
mod gc;
mod list;
mod receipt;
mod status;
mod trust;
mod wants;

pub use diff::diff;
pub use evidence::evidence;
pub use fsck::fsck;
pub use gc::gc;
pub use list::list;
pub use receipt::receipt;
pub use status::status;
pub use trust::trust;
pub use wants::wants;

use crate::Failed;
use crate::args::{Args, Import};
use crate::progress::progress;
use modferry_appliance::import::spool;
use modferry_appliance::import::{self, Done, Session};
use modferry_appliance::store::{Reader, StoreError};
use modferry_appliance::trust::TrustStore;
use modferry_checker::Report;
use modferry_cli::{Exit, Fault, folder_of, print_json};
use modferry_protocol::note::VerifierKey;
use serde::Serialize;
use serde_json::json;
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// `import PATH…` and `import --spool DIR`.
pub fn import(args: &Args, store: &Path, what: &Import) -> Result<ExitCode, Failed> {
    let session = Session::begin(store, what.wait).map_err(failed)?;
    let code = match &what.spool {
        Some(spool) => from_spool(args, &session, spool)?,
        None => {
            let bundles = import::find(&what.paths, &session.policy()).map_err(failed)?;
            let mut incomplete = None;
            for bundle in &bundles {
                let bar = progress(args.json || args.quiet);
                let done = session.import(bundle, &*bar).map_err(failed)?;
                drop(bar);
                tell(args, &done)?;
                incomplete = incomplete.or(done.incomplete());
            }
            if let Some(error) = incomplete {
                return Err(failed(error));
            }
            ExitCode::SUCCESS
        }
    };
    session.end();
    Ok(code)
}

/// Exits with the code of the worst bundle, so that a service that does this is seen to fail.
fn from_spool(args: &Args, session: &Session, folder: &Path) -> Result<ExitCode, Failed> {
    let mut printed = Ok(());
    let code = spool::run(session, folder, &*progress(true), |spooled| {
        let told = match args.json {
            true => print_json(spooled),
            false => print(&spool::report_text(spooled)),
        };
        printed = std::mem::replace(&mut printed, Ok(())).and(told);
    })
    .map_err(failed)?;
    printed.map_err(unwritable)?;
    Ok(ExitCode::from(code))
}

/// `verify PATH…`.
pub fn verify(
    args: &Args,
    store: &Path,
    paths: &[PathBuf],
    fingerprint: bool,
) -> Result<(), Failed> {
    let policy = TrustStore::of(store).policy().map_err(failed)?;
    let bundles = import::find(paths, &policy).map_err(failed)?;
    for bundle in bundles {
        let bar = progress(args.json || args.quiet);
        let mut all = Vec::new();
        import::verify(store, &[bundle], &*bar, |done| all.push(done)).map_err(failed)?;
        drop(bar);
        for done in &all {
            match &done.checks {
                Some(report) if fingerprint => tell_fingerprint(args, report)?,
                _ => tell(args, done)?,
            }
        }
    }
    Ok(())
}

/// `verify --fingerprint`: what two people compare, once everything else has been checked.
fn tell_fingerprint(args: &Args, report: &Report) -> Result<(), Failed> {
    let manifest = &report.manifest;
    let (stream, sequence) = (manifest.stream.to_string(), manifest.sequence.get());
    let (spoken, signers) = (manifest.spoken().to_string(), &report.signers);
    let told = json!({
        "stream": stream, "sequence": sequence, "fingerprint": spoken, "signers": signers,
    });
    say(args, &told, || {
        format!(
            "{spoken}  {stream} {sequence}, signed by {}",
            signers.join(", ")
        )
    })
}

fn tell(args: &Args, done: &Done) -> Result<(), Failed> {
    say(args, done, || done.to_string())
}

/// Prints a result: as JSON where that is asked for, and else as text, with a line's end.
fn say<T: Serialize>(args: &Args, value: &T, text: impl FnOnce() -> String) -> Result<(), Failed> {
    match args.json {
        true => print_json(value),
        false => print(&text()),
    }
    .map_err(unwritable)
}

fn print(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{text}")?;
    out.flush()
}

/// Opens the store to look at, `None` where nothing was imported yet. The folder has RocksDB's log and goes
/// with the reader.
fn reader(store: &Path) -> Result<Option<(Reader, tempfile::TempDir)>, Failed> {
    let log = tempfile::tempdir().map_err(|error| {
        let fault = Fault::new(Exit::Other, "cannot make a temporary folder");
        failed(fault.because(error))
    })?;
    match Reader::open(store, log.path()) {
        Err(StoreError::Empty { .. }) => Ok(None),
        opened => Ok(Some((opened.map_err(failed)?, log))),
    }
}

/// Says, beside the result, which may go into a pipe, that the bundler has to get the public half of a new key.
fn tell_new_key(args: &Args, store: &Path, key: &VerifierKey) {
    if !args.quiet {
        eprintln!(
            "the store has a key of its own now; give {}/identity.pub to the bundler once\n  fingerprint {}",
            store.display(),
            key.fingerprint()
        );
    }
}

/// Writes what is signed into a file, whole or not at all: one that is half on a stick would be refused where it is
/// carried to.
fn write_note(path: &Path, note: &[u8]) -> Result<(), Failed> {
    let write = || -> io::Result<()> {
        let mut file = tempfile::NamedTempFile::new_in(folder_of(path))?;
        file.write_all(note)?;
        let readable = PermissionsExt::from_mode(0o644);
        file.as_file().set_permissions(readable)?;
        file.as_file().sync_all()?;
        file.persist(path)?;
        Ok(())
    };
    write().map_err(|error| {
        let fault = Fault::new(Exit::Other, format!("cannot write {}", path.display()));
        failed(fault.because(error))
    })
}

fn failed(error: impl modferry_cli::Failure + 'static) -> Failed {
    Box::new(error)
}

/// A result that no one could be told. A reader that has seen enough (`| head`) is no failure of ours, but
/// the command ends all the same.
fn unwritable(error: io::Error) -> Failed {
    failed(Fault::new(Exit::Other, "cannot write to standard output").because(error))
}
