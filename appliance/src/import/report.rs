//! The report of each import, for those who were not there: STORE/reports/NNNNNN-STREAM.SEQ.txt and .json.
//!
//! It says who signed, every check that was made with the number of things that passed it, what is new, and how long each
//! step took. NNNNNN is the number of the import, so that the reports are in the order of what happened. The ledger
//! has the same facts and is what counts: a report that is lost (the power went right behind the commit) is
//! written again from it when the same bundle is imported once more, and one that cannot be written fails no import.

use super::{Done, Outcome};
use crate::store::{Import, LedgerEntry, StoreError, View};
use modferry_cli::{bytes, count};
use serde_json::json;
use std::fs::{self, DirBuilder, File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;

/// Where the reports are.
pub fn folder(store: &Path) -> PathBuf {
    store.join("reports")
}

/// Writes the report of an import that has just been committed. Says so in its notes if that fails.
pub(super) fn keep(store: &Path, done: &mut Done) {
    let Some(number) = done.import.filter(|_| done.outcome == Outcome::Imported) else {
        return;
    };
    let name = name(number, &done.stream, done.sequence);
    let json = serde_json::to_string_pretty(&json!(done)).unwrap_or_default();
    match write(&folder(store), &name, &done.to_string(), &json) {
        Ok(path) => done.report = Some(path),
        Err(error) => done.notes.push(format!(
            "its report could not be written to {}: {error}",
            folder(store).display()
        )),
    }
}

/// Writes the report of an import that was committed before, if it is not there: from the ledger.
pub(super) fn recover(store: &Path, view: &View, number: u64) -> Result<(), StoreError> {
    let Some(entry) = view.ledger(number)? else {
        return Ok(());
    };
    let Some(import) = entry.import() else {
        return Ok(());
    };
    let name = name(number, &import.source.stream, import.source.sequence);
    let there = |extension| folder(store).join(format!("{name}.{extension}")).is_file();
    if there("txt") && there("json") {
        return Ok(());
    }
    let json = serde_json::to_string_pretty(&entry).unwrap_or_default();
    if let Err(error) = write(&folder(store), &name, &from_ledger(&entry, import), &json) {
        tracing::warn!(%error, folder = %folder(store).display(), "cannot write the report of an earlier import");
    }
    Ok(())
}

fn name(number: u64, stream: &str, sequence: u64) -> String {
    format!("{number:06}-{stream}.{sequence:06}")
}

/// What the ledger has, in lines. The check's own words went with the process that made it; its figures did not.
fn from_ledger(entry: &LedgerEntry, import: &Import) -> String {
    let source = &import.source;
    let mut text = format!(
        "stream {}, bundle {}, made {}: imported {} as number {}\nmanifest {}\nsigned by {}\n\
         this report was written from the ledger: the import ended before it could write its own\n",
        source.stream,
        source.sequence,
        source.created,
        entry.time,
        entry.number,
        import.manifest_sha256,
        source.signers.join(", ")
    );
    if let Some(checks) = source.report.as_object() {
        for (check, figure) in checks.iter().filter(|(_, figure)| figure.is_number()) {
            text += &format!("{:>9}  {}\n", figure.to_string(), check.replace('_', " "));
        }
    }
    let added = &import.added;
    text + &format!(
        "new: {}, {} ({}), {}, {}, {}, {}",
        count(added.versions, "module version"),
        count(added.zips, "zip"),
        bytes(added.zip_bytes),
        count(added.mods, "go.mod file"),
        count(added.records, "record"),
        count(added.tiles, "tile"),
        count(added.heads, "tree head")
    )
}

/// Both files, each whole or not at all; the text last, whose path is given.
fn write(folder: &Path, name: &str, text: &str, json: &str) -> io::Result<PathBuf> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o750)
        .create(folder)?;
    let mut path = PathBuf::new();
    for (extension, content) in [("json", json), ("txt", text)] {
        let mut file = NamedTempFile::new_in(folder)?;
        file.write_all(content.as_bytes())?;
        file.write_all(b"\n")?;
        file.as_file()
            .set_permissions(Permissions::from_mode(0o640))?;
        file.as_file().sync_all()?;
        path = folder.join(format!("{name}.{extension}"));
        file.persist(&path).map_err(|error| error.error)?;
    }
    File::open(folder)?.sync_all()?;
    Ok(path)
}

/// What a killed import left of a report that it was writing.
pub(super) fn sweep(reports: &Path) -> io::Result<()> {
    let entries = match fs::read_dir(reports) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(".tmp") {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}
