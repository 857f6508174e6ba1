//! `list`: the module versions that the store serves, the queries that it answers, the vulnerability database, and the files.

use super::{failed, print, reader, unwritable};
use crate::Failed;
use crate::args::Args;
use modferry_appliance::store::{Answered, HeldVulndb, Reader, StoreError, Zip, hex};
use modferry_cli::{bytes, count, print_json};
use modferry_protocol::bundle::FileName;
use modferry_protocol::module::ModuleVersion;
use serde_json::json;
use std::io;
use std::path::Path;

pub fn list(args: &Args, store: &Path, prefixes: &[String], all: bool) -> Result<(), Failed> {
    let Some((reader, _log)) = reader(store)? else {
        return Ok(());
    };
    let everything = [String::new()];
    let prefixes = if prefixes.is_empty() {
        &everything[..]
    } else {
        prefixes
    };
    for prefix in prefixes {
        let mut printed = Ok(());
        // Versions of one module come together, in the order of bytes; people want semver's.
        let mut versions: Vec<ModuleVersion> = Vec::new();
        let listed = reader.each_mod(prefix, |module| {
            if versions
                .last()
                .is_some_and(|last| last.path() != module.path())
            {
                let ready = std::mem::take(&mut versions);
                print_module(args, &reader, ready, all, &mut printed)?;
            }
            versions.push(module);
            Ok(())
        });
        listed.map_err(failed)?;
        print_module(args, &reader, versions, all, &mut printed).map_err(failed)?;
        let listed = reader.each_answer(prefix, |answer| {
            if printed.is_ok() {
                printed = print_answer(args, &answer, &answer.module()?);
            }
            Ok(())
        });
        listed.map_err(failed)?;
        printed.map_err(unwritable)?;
    }
    if everything == prefixes
        && let Some(held) = reader.vulndb().map_err(failed)?
    {
        print_vulndb(args, &held).map_err(unwritable)?;
    }
    let mut printed = Ok(());
    let listed = reader.each_file(|name, file| {
        // Files belong to no module.
        if printed.is_ok() && everything == prefixes {
            printed = print_file(args, &name, &file);
        }
        Ok(())
    });
    listed.map_err(failed)?;
    printed.map_err(unwritable)
}

fn print_vulndb(args: &Args, held: &HeldVulndb) -> io::Result<()> {
    let (snapshot, sha256) = (&held.snapshot, hex(&held.snapshot.sha256));
    match args.json {
        true => print_json(&json!({
            "vulnerability_database": snapshot.modified,
            "documents": snapshot.documents,
            "sha256": sha256,
            "stream": held.stream,
            "sequence": held.sequence,
        })),
        false => print(&format!(
            "vulnerability database of {} ({}, SHA-256 {sha256})",
            snapshot.modified,
            count(snapshot.documents, "document")
        )),
    }
}

fn print_file(args: &Args, name: &FileName, file: &Zip) -> io::Result<()> {
    let sha256 = hex(&file.sha256);
    match args.json {
        true => print_json(&json!({
            "file": name.as_str(),
            "size": file.size,
            "sha256": sha256,
        })),
        false => print(&format!(
            "file {name} ({}, SHA-256 {sha256})",
            bytes(file.size)
        )),
    }
}

/// A query, what it is answered, and since when: a branch may have moved on.
fn print_answer(args: &Args, answer: &Answered, module: &ModuleVersion) -> io::Result<()> {
    let (query, asked) = (&answer.query, answer.asked());
    match args.json {
        true => print_json(&json!({
            "module": query.path().as_str(),
            "query": query.revision().as_str(),
            "version": module.version().as_str(),
            "asked": asked,
            "stream": answer.stream,
            "sequence": answer.sequence,
        })),
        false => print(&format!(
            "{query} is {} (asked {asked}, bundle {} {})",
            module.version(),
            answer.stream,
            answer.sequence
        )),
    }
}

fn print_module(
    args: &Args,
    reader: &Reader,
    mut versions: Vec<ModuleVersion>,
    all: bool,
    printed: &mut io::Result<()>,
) -> Result<(), StoreError> {
    versions.sort();
    for module in versions {
        let zip = reader.zip(&module)?;
        if (zip.is_none() && !all) || printed.is_err() {
            continue;
        }
        *printed = match (args.json, &zip) {
            (true, _) => print_json(&json!({
                "module": module.path().as_str(),
                "version": module.version().as_str(),
                "size": zip.as_ref().map(|zip| zip.size),
                "sha256": zip.as_ref().map(|zip| hex(&zip.sha256)),
                "h1": zip.as_ref().map(|zip| zip.h1.to_string()),
            })),
            (false, Some(_)) => print(&module.to_string()),
            (false, None) => print(&format!("{module} (go.mod only)")),
        };
    }
    Ok(())
}
