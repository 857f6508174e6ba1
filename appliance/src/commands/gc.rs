//! `gc`: removes what no stream's selection names any more, after showing what.

use super::status::waiting;
use super::{failed, print, say, unwritable};
use crate::Failed;
use crate::args::{Args, Gc};
use modferry_appliance::import;
use modferry_appliance::store::{Extent, Found, FoundFile, Store, StoreError};
use modferry_cli::{Exit, Fault, bytes, count, print_json};
use serde_json::{Map, Value, json};
use std::io::{self, IsTerminal, Write};
use std::path::Path;

pub fn gc(args: &Args, store: &Path, what: &Gc) -> Result<(), Failed> {
    let store = Store::open(store, "gc", what.wait).map_err(failed)?;
    if what.volumes {
        return volumes(args, &store, what.yes);
    }
    if what.vulndb {
        return vulndb(args, &store, what.yes);
    }
    let mut printed = Ok(());
    let collection = store.find_gone(|found| {
        if printed.is_ok() {
            printed = match args.json {
                true => print_json(&as_json(found)),
                false => print(&as_text(found)),
            };
        }
        Ok::<(), StoreError>(())
    });
    let collection = collection.map_err(failed)?;
    printed.map_err(unwritable)?;
    for file in collection.files() {
        match args.json {
            true => print_json(&file_as_json(file)),
            false => print(&file_as_text(file)),
        }
        .map_err(unwritable)?;
    }
    if collection.is_empty() {
        drop(collection);
        store.reclaim().map_err(failed)?; // what an interrupted one left
        let none = json!({ "removed": null });
        return say(args, &none, || "nothing is gone: nothing to do".into());
    }
    let removed = collection.removed().clone();
    if !args.json {
        let all = format!(
            "{}: {} ({}), {}; {} wholly; {} ({})",
            count(collection.versions(), "module version"),
            count(removed.zips, "zip"),
            bytes(removed.zip_bytes),
            count(removed.mods, "go.mod file"),
            count(removed.modules, "module"),
            count(removed.files, "file"),
            bytes(removed.file_bytes)
        );
        print(&all).map_err(unwritable)?;
    }
    if !what.yes && !agreed() {
        let fault = Fault::new(Exit::Usage, "nothing was removed");
        return Err(failed(
            fault.advise("to remove what is shown: modferry-appliance gc --yes"),
        ));
    }
    let entry = collection.commit().map_err(failed)?;
    let left = store.reclaim().map_err(failed)?;
    store.tidy();
    say(
        args,
        &json!({ "removed": removed, "entry": entry.number, "files_left": left }),
        || {
            let mut text = format!("removed; entry {} of the ledger", entry.number);
            if left > 0 {
                text += "\n  its room on the disk is not free yet: run gc again";
            }
            text
        },
    )
}

/// `gc --volumes`: those that wait for others which will never come.
fn volumes(args: &Args, store: &Store, yes: bool) -> Result<(), Failed> {
    let pending = import::pending(store.dir()).map_err(failed)?;
    if pending.is_empty() {
        let none = json!({ "removed_volumes": [] });
        return say(args, &none, || {
            "no volumes are staged: nothing to do".into()
        });
    }
    if !args.json {
        for bundle in &pending {
            print(&waiting(bundle)).map_err(unwritable)?;
        }
    }
    if !yes && !agreed() {
        let fault = Fault::new(Exit::Usage, "nothing was removed");
        return Err(failed(fault.advise(
            "to remove what is shown: modferry-appliance gc --volumes --yes",
        )));
    }
    let removed = import::abandon(store).map_err(failed)?;
    say(args, &json!({ "removed_volumes": removed }), || {
        "removed: to import these bundles, all their volumes are needed again".into()
    })
}

/// `gc --vulndb`: the database that is served, so that any other one can come in.
fn vulndb(args: &Args, store: &Store, yes: bool) -> Result<(), Failed> {
    let Some(held) = store.vulndb().map_err(failed)? else {
        let none = json!({ "dropped_vulndb": null });
        return say(args, &none, || {
            "no vulnerability database is held: nothing to do".into()
        });
    };
    let modified = &held.snapshot.modified;
    if !args.json {
        let all = format!(
            "goes: the vulnerability database of {modified}, which bundle {} of {} brought: {}",
            held.sequence,
            held.stream,
            count(held.snapshot.documents, "document")
        );
        print(&all).map_err(unwritable)?;
    }
    if !yes && !agreed() {
        let fault = Fault::new(Exit::Usage, "nothing was removed");
        return Err(failed(fault.advise(
            "to drop what is shown: modferry-appliance gc --vulndb --yes",
        )));
    }
    let entry = store.drop_vulndb().map_err(failed)?;
    let number = entry.map(|entry| entry.number);
    say(
        args,
        &json!({ "dropped_vulndb": modified, "entry": number }),
        || {
            let entry = number.unwrap_or_default();
            format!(
                "dropped; entry {entry} of the ledger\n  the next bundle that carries one brings it in, whatever its time"
            )
        },
    )
}

/// Asks, where there is someone to answer.
fn agreed() -> bool {
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        return false;
    }
    let mut answer = String::new();
    let asked =
        write!(io::stderr(), "remove all of it? [y/N] ").and_then(|()| io::stderr().flush());
    asked
        .and_then(|()| io::stdin().read_line(&mut answer))
        .is_ok()
        && matches!(answer.trim(), "y" | "Y" | "yes")
}

fn goes(found: &Found) -> &'static str {
    match (found.goes(), found.stays) {
        (false, _) => "nothing",
        (true, Extent::Nothing) => "all",
        (true, _) => "zip",
    }
}

fn word(extent: Extent) -> &'static str {
    match extent {
        Extent::Nothing => "nothing",
        Extent::Mod => "go.mod",
        Extent::Zip => "zip",
    }
}

fn as_json(found: &Found) -> Value {
    let claims: Map<String, Value> = (found.claims.iter())
        .map(|(stream, claim)| {
            let says = json!({ "names": word(claim.extent), "since": claim.sequence });
            (stream.clone(), says)
        })
        .collect();
    json!({
        "module": found.module.path().as_str(),
        "version": found.module.version().as_str(),
        "goes": goes(found),
        "zip_bytes": found.zip_bytes,
        "streams": claims,
    })
}

fn file_as_json(file: &FoundFile) -> Value {
    let claims: Map<String, Value> = (file.claims.iter())
        .map(|(stream, claim)| {
            let names = claim.extent > Extent::Nothing;
            let says = json!({ "names": names, "since": claim.sequence });
            (stream.clone(), says)
        })
        .collect();
    json!({
        "file": file.name.as_str(),
        "goes": file.goes,
        "bytes": file.bytes,
        "streams": claims,
    })
}

fn file_as_text(file: &FoundFile) -> String {
    let says: Vec<String> = (file.claims.iter())
        .map(|(stream, claim)| match claim.extent {
            Extent::Nothing => format!(
                "{stream} no longer names it since bundle {}",
                claim.sequence
            ),
            _ => format!("{stream} names it since bundle {}", claim.sequence),
        })
        .collect();
    let what = match file.goes {
        true => format!("goes: the file {} ({})", file.name, bytes(file.bytes)),
        false => format!("kept: the file {}", file.name),
    };
    format!("{what}\n  {}", says.join(", "))
}

fn as_text(found: &Found) -> String {
    let says: Vec<String> = (found.claims.iter())
        .map(|(stream, claim)| match claim.extent {
            Extent::Nothing => format!(
                "{stream} no longer names it since bundle {}",
                claim.sequence
            ),
            extent => format!(
                "{stream} names its {} since bundle {}",
                word(extent),
                claim.sequence
            ),
        })
        .collect();
    let what = match (found.goes(), found.stays) {
        (false, _) => format!("kept: {}", found.module),
        (true, Extent::Nothing) => format!("goes: {} ({})", found.module, bytes(found.zip_bytes)),
        (true, _) => format!(
            "goes: the zip of {} ({}); its go.mod stays",
            found.module,
            bytes(found.zip_bytes)
        ),
    };
    format!("{what}\n  {}", says.join(", "))
}
