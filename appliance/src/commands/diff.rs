//! `diff`: what one bundle or store has that another lacks.

use super::{failed, print, reader, unwritable};
use crate::Failed;
use crate::args::Args;
use modferry_appliance::diff;
use modferry_appliance::import::{self, ImportError};
use modferry_appliance::store::{Reader, is_store};
use modferry_appliance::trust::TrustStore;
use modferry_checker::diff::{IndexFile, Side, bundles, compare, list};
use modferry_cli::print_json;
use modferry_protocol::bundle::Manifest;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};

/// One of the two, opened: what a [`Side`] borrows from.
enum Opened {
    Store(Option<(Reader, tempfile::TempDir)>),
    Bundles(Vec<(Manifest, IndexFile)>),
    List(BufReader<File>),
}

/// `diff A [B]`: without B, against the store.
pub fn diff(args: &Args, store: &Path, a: &Path, b: Option<&Path>) -> Result<(), Failed> {
    let (name_a, name_b) = (
        a.display().to_string(),
        b.unwrap_or(store).display().to_string(),
    );
    let mut opened_a = open(store, a)?;
    let mut opened_b = match b {
        Some(b) => open(store, b)?,
        None => Opened::Store(reader(store)?),
    };
    let (a, b) = (side(&name_a, &mut opened_a)?, side(&name_b, &mut opened_b)?);
    let mut out = io::BufWriter::new(io::stdout().lock());
    let summary = compare(a, b, &mut |difference| match (args.quiet, args.json) {
        (true, _) => Ok(()),
        (false, true) => {
            serde_json::to_writer(&mut out, difference)?;
            writeln!(out)
        }
        (false, false) => writeln!(out, "{difference}"),
    })
    .map_err(failed)?;
    out.flush().map_err(unwritable)?;
    drop(out);
    match args.json {
        true => print_json(&summary),
        false => print(&summary.to_string()),
    }
    .map_err(unwritable)
}

/// What the path names: a store, bundles whose manifests must be trusted here, or a list that was printed.
fn open(store: &Path, path: &Path) -> Result<Opened, Failed> {
    if path == store || is_store(path) {
        return Ok(Opened::Store(reader(path)?));
    }
    if path.is_file() {
        let unreadable = |source| {
            failed(ImportError::Input {
                path: path.into(),
                source,
            })
        };
        let mut file = BufReader::new(File::open(path).map_err(unreadable)?);
        let begins = file.fill_buf().map_err(unreadable)?;
        if begins.first().is_none_or(|byte| *byte == b'{') {
            return Ok(Opened::List(file));
        }
    }
    let policy = TrustStore::of(store).policy().map_err(failed)?;
    let found = import::find(&[PathBuf::from(path)], &policy).map_err(failed)?;
    let mut indexes = Vec::new();
    for bundle in found {
        indexes.push(bundle.index(store, &policy).map_err(failed)?);
    }
    Ok(Opened::Bundles(indexes))
}

fn side<'o>(name: &str, opened: &'o mut Opened) -> Result<Side<'o>, Failed> {
    Ok(match opened {
        Opened::Store(opened) => {
            let view = opened.as_ref().map(|(reader, _)| &**reader);
            diff::store(name, view).map_err(failed)?
        }
        Opened::Bundles(indexes) => bundles(name, indexes),
        Opened::List(file) => list(name, file),
    })
}
