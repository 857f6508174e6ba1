//! `wants`: what was asked for and is not here; as a list, and as a signed file that is carried back.

use super::{failed, print, reader, say, unwritable, write_note};
use crate::Failed;
use crate::args::{Args, Wants};
use modferry_appliance::identity::identity;
use modferry_appliance::wants::{Filter, Listed, Listing, file, list};
use modferry_cli::wants::{self as format, Time};
use modferry_cli::{Exit, Fault, count, print_json};
use modferry_protocol::note::SigningKey;
use serde_json::json;
use std::fmt::Write as _;
use std::path::Path;

pub fn wants(args: &Args, store: &Path, folder: &Path, what: &Wants) -> Result<(), Failed> {
    if let Some(path) = &what.sign {
        return sign(args, store, path, what);
    }
    if let Some(path) = &what.out
        && !what.overwrite
        && path.symlink_metadata().is_ok()
    {
        return Err(failed(exists(path)));
    }
    let reader = reader(store)?;
    let view = reader.as_ref().map(|(reader, _log)| &**reader);
    let filter = Filter {
        patterns: what.patterns.join(","),
        since: what.since.unwrap_or(0),
        at_least: what.at_least,
        private: what.private,
        again: what.again,
        guesses: what.guesses,
    };
    let listing = list(folder, store, view, &filter).map_err(failed)?;
    match &what.out {
        Some(path) => write(args, store, path, what, listing),
        None if what.forget => forget(args, store, listing),
        None => show(args, what, &listing),
    }
}

/// The list itself, those that were asked for most often first.
fn show(args: &Args, what: &Wants, listing: &Listing) -> Result<(), Failed> {
    let mut wants: Vec<&Listed> = listing.wants.iter().collect();
    wants.sort_by_key(|listed| std::cmp::Reverse(listed.missed.asked));
    for listed in wants {
        let entry = listed.entry();
        let or: Vec<&str> = entry.or.iter().map(|path| path.as_str()).collect();
        let time = |time: Option<Time>| time.map(|time| time.to_string());
        let told = if args.json {
            print_json(&json!({
                "want": entry.want, "or": or, "private": entry.private, "parts": listed.missed.parts, "asked": entry.asked,
                "first": time(entry.first), "last": time(entry.last), "only_go_mods": listed.only_go_mods,
            }))
        } else {
            let last = time(entry.last).unwrap_or_default();
            let day = last.split('T').next().unwrap_or_default();
            let mut line = format!("{:>6}  {day}  {}", listed.missed.asked, entry.want);
            if let Some(note) = &entry.note {
                let _ = write!(line, " ({note})");
            }
            if !or.is_empty() {
                let _ = write!(line, "\n{:20}or {}", "", or.join(", "));
            }
            print(&line)
        };
        told.map_err(unwritable)?;
    }
    if args.quiet && !args.json {
        return Ok(());
    }
    let told = json!({
        "wanted": listing.wants.len(), "filtered": listing.filtered, "told_before": listing.told_before,
        "here": listing.here, "guesses": listing.guesses, "others": listing.others,
        "not_of_one": listing.not_of_one,
        "left_out": listing.left_out, "written": listing.written.map(|time| time.to_string()),
    });
    say(args, &told, || summary(listing, what.private))
}

/// How many, and how many are not told, and why.
fn summary(listing: &Listing, private: bool) -> String {
    let wanted = listing.wants.len();
    let mut text = match (wanted, listing.written) {
        (0, None) => "nothing is wanted: the server has missed nothing yet".into(),
        (0, Some(_)) => "nothing is wanted".into(),
        (_, _) => format!("{wanted} wanted: times asked, last time, what"),
    };
    let mut line = |what: &str, all: u64, words: &str| {
        if all > 0 {
            let _ = write!(text, "\n  {what}: {all} {words}");
        }
    };
    let left = "left out";
    line(left, listing.here as u64, "that came in meanwhile");
    line(
        left,
        listing.guesses as u64,
        "asked for by the way only: packages of modules that are here, and paths above such (--guesses)",
    );
    line(
        left,
        listing.told_before as u64,
        "written out or turned down before, and not asked for since (--again)",
    );
    line(
        left,
        listing.filtered as u64,
        "that do not match what was asked for",
    );
    line(
        left,
        listing.not_of_one as u64,
        "of more than one version each: no go command asks for that",
    );
    if listing.others > 0 {
        let others = match private {
            true => count(listing.others, "public want") + ", listed without --private",
            false => count(listing.others, "private want") + ", which --private lists",
        };
        let _ = write!(text, "\n  kept apart: {others}");
    }
    if listing.left_out > 0 {
        let requests = count(listing.left_out, "request");
        let _ = write!(
            text,
            "\n  not taken down: {requests}, by the server's limits"
        );
    }
    text
}

/// What stands in a file counts as told, and a person may have edited it: it is not lost without a word.
fn exists(path: &Path) -> Fault {
    let what = format!(
        "{} exists: what is wanted is not written over it",
        path.display()
    );
    Fault::new(Exit::Usage, what).advise(
        "choose another name; or write over it with --overwrite, and with --again to list what it has once more",
    )
}

/// Writes the signed file, and notes what is in it.
fn write(
    args: &Args,
    store: &Path,
    path: &Path,
    what: &Wants,
    mut listing: Listing,
) -> Result<(), Failed> {
    let key = own_key(args, store, what)?;
    let wants = std::mem::take(&mut listing.wants);
    let written = file(path, wants, what.site.as_deref(), what.follow, &key).map_err(failed)?;
    write_note(path, &written.note)?;
    for listed in &written.wants {
        listing.told.add(&listed.missed);
    }
    listing.told.write(store).map_err(failed)?;
    let (wants, left) = (written.wants.len(), written.without_room);
    let told = json!({
        "file": path, "wants": wants, "without_room": left, "key": key.verifier().to_string(),
    });
    say(args, &told, || {
        let mut text = signed(path, wants, &key);
        if left > 0 {
            let _ = write!(
                text,
                "\n  {left} more, asked for least often, have no room in one file: write a second one now, they are in it"
            );
        }
        text
    })
}

/// Turns down what is listed.
fn forget(args: &Args, store: &Path, mut listing: Listing) -> Result<(), Failed> {
    for listed in &listing.wants {
        listing.told.add(&listed.missed);
    }
    listing.told.write(store).map_err(failed)?;
    let forgotten = listing.wants.len();
    say(args, &json!({ "forgotten": forgotten }), || {
        let are = if forgotten == 1 { "is" } else { "are" };
        let wants = count(forgotten, "want");
        format!("{wants} {are} left out from now on, until somebody asks again")
    })
}

/// Signs a file that a person has changed, or typed.
fn sign(args: &Args, store: &Path, path: &Path, what: &Wants) -> Result<(), Failed> {
    let bytes = format::read(path).map_err(failed)?;
    let key = own_key(args, store, what)?;
    let (wants, note) = format::sign(path, &bytes, &key).map_err(failed)?;
    write_note(path, &note)?;
    let wants = wants.wants.len();
    let told = json!({ "file": path, "wants": wants, "key": key.verifier().to_string() });
    say(args, &told, || signed(path, wants, &key))
}

fn signed(path: &Path, wants: usize, key: &SigningKey) -> String {
    let wants = match wants {
        0 => "empty, nothing is wanted".into(),
        wants => count(wants, "want"),
    };
    let (path, key) = (path.display(), key.verifier().short_name());
    format!("{path}: {wants}, signed by {key}")
}

/// The store's own key, told of where it is new.
fn own_key(args: &Args, store: &Path, what: &Wants) -> Result<SigningKey, Failed> {
    let (key, new) = identity(store, what.name.as_deref()).map_err(failed)?;
    if new {
        super::tell_new_key(args, store, &key.verifier());
    }
    Ok(key)
}
