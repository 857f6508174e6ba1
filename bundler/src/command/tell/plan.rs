//! What an export would come to, and why it carries what it carries.

use std::collections::BTreeMap;

use modferry_cli::{bytes, count, print_json};
use serde_json::json;

use super::{in_one_line, missing, notes, say, stdout, time_to_carry, vulnerable};
use crate::command::flags::Cli;
use crate::error::Error;
use crate::fetch::Level;
use crate::plan::Plan;
use crate::plan::why::{Reasons, why};
use crate::select::exclude::Exclude;
use crate::select::resolve::Unanswered;
use crate::settings::Config;

/// `plan`
pub fn plan(plan: &Plan, config: &Config, list: bool, cli: &Cli) -> Result<(), Error> {
    if cli.json {
        let items: Vec<_> = plan
            .list
            .iter()
            .map(|(module, level, new, size)| json!({ "module": module, "zip": *level == Level::Whole, "new": new, "zip_bytes": size }))
            .collect();
        let mut value = serde_json::to_value(plan).map_err(|error| stdout(error.into()))?;
        if let Some(object) = value.as_object_mut() {
            object.insert("list".into(), items.into());
            let missing = missing(&plan.failures, &plan.unanswered);
            object.insert("missing".into(), missing.into());
        }
        return print_json(&value).map_err(stdout);
    }
    let mut text = String::new();
    if list {
        text += &listed(plan);
    }
    let unknown = match plan.unsized_zips {
        0 => String::new(),
        zips => format!(
            ", and {} whose size upstream does not say",
            count(zips, "zip")
        ),
    };
    text += &match plan.nothing_new {
        true => format!("an export would find nothing new in {}", plan.stream),
        false => format!("an export would write {} {}", plan.stream, plan.sequence),
    };
    text += &format!(
        ", built on {}:\n\
         {:>9}  modules with zips, of {} selected: {}{unknown}\n\
         {:>9}  of those zips to fetch, {}; the cache has the others\n\
         {:>9}  further go.mod files for version selection, of {} selected\n\
         {:>9}  tiles of the checksum database, {} before they are compressed\n",
        plan.basis,
        plan.new_modules,
        plan.modules,
        bytes(plan.new_zip_bytes),
        plan.new_modules - plan.cached_zips,
        bytes(plan.fetch_bytes),
        plan.new_go_mods,
        plan.go_mods,
        plan.new_tiles,
        bytes(plan.new_tile_bytes),
    );
    text += &files(plan);
    text += &vulndb(plan);
    if !plan.nothing_new {
        text += &format!(
            "           about {} to carry{}: an estimate by {}\n",
            bytes(plan.carried_bytes_estimate),
            time_to_carry(config, plan.carried_bytes_estimate),
            plan.estimated_by
        );
    }
    if !plan.tombstones.is_empty() {
        text += &format!(
            "{:>9}  module versions taken back, which are selected no more\n",
            plan.tombstones.len()
        );
    }
    if !plan.gone_files.is_empty() {
        text += &format!(
            "{:>9}  other files taken back, which are selected no more\n",
            plan.gone_files.len()
        );
    }
    text += &unavailable(plan);
    if let Some(size) = plan.tree_size {
        let records = count(size, "record");
        text += &format!("           the checksum database's tree has {records} or more\n");
    }
    text += &licences(plan);
    text += &vulnerable::listed(plan.known.as_ref());
    for (module, why) in &plan.withdrawn.retracted {
        text += &format!("retracted by its authors: {module}{}\n", in_one_line(why));
    }
    for (module, why) in &plan.withdrawn.deprecated {
        text += &format!("deprecated by its authors: {module}{}\n", in_one_line(why));
    }
    if plan.withdrawn.newest_unknown > 0 {
        text += &format!(
            "whether authors have retracted or deprecated it is not known of {}: their newest versions are not looked for \
             (newest: all does that)\n",
            count(plan.withdrawn.newest_unknown, "module")
        );
    }
    if !cli.quiet {
        text += &notes(&plan.notes);
    }
    text += "What tests of dependencies need, which a named module's own go.sum tells, is found by export only.\n";
    say(&text)
}

fn files(plan: &Plan) -> String {
    let files = &plan.files;
    if files.files == 0 {
        return String::new();
    }
    let unknown = match files.unknown_sizes {
        0 => String::new(),
        count => format!(", and {count} whose size is not known"),
    };
    format!(
        "{:>9}  other files, of {} named: {}{unknown}; {} to fetch\n",
        files.new,
        files.files,
        bytes(files.new_bytes),
        bytes(files.fetch_bytes),
    )
}

fn vulndb(plan: &Plan) -> String {
    let Some(vulndb) = &plan.vulndb else {
        return String::new();
    };
    let carried = match vulndb.new {
        true => format!(", {} after", bytes(vulndb.carried_bytes)),
        false => String::new(),
    };
    format!(
        "{:>9}  vulnerability database, of {} with {} documents, {} before it is compressed{carried}\n",
        usize::from(vulndb.new),
        vulndb.modified,
        vulndb.documents,
        bytes(vulndb.bytes),
    )
}

/// `--each`
fn listed(plan: &Plan) -> String {
    let mut text = String::new();
    for (module, level, new, size) in &plan.list {
        let kind = if *level == Level::Whole { "zip" } else { "mod" };
        let size = size.map_or_else(|| "-".into(), |size| size.to_string());
        let new = if *new { "new" } else { "held" };
        text += &format!("{kind} {module} {size} {new}\n");
    }
    for (module, what) in &plan.tombstones {
        text += &format!("{what} {module} - taken back\n");
    }
    for name in &plan.gone_files {
        text += &format!("file {name} - taken back\n");
    }
    text
}

/// What cannot be had, counted by reasons. Each is told with the error that the command ends in.
fn unavailable(plan: &Plan) -> String {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    let of_modules = plan
        .failures
        .iter()
        .map(|failure| failure.why.reason.words());
    for words in of_modules.chain(plan.unanswered.iter().map(Unanswered::words)) {
        *counts.entry(words).or_default() += 1;
    }
    let counts = counts.iter();
    counts
        .map(|(words, count)| format!("{count:>9}  things that cannot be carried: {words}\n"))
        .collect()
}

fn licences(plan: &Plan) -> String {
    if plan.licences.is_empty() {
        return String::new();
    }
    let counts = plan.licences.iter();
    let counts: Vec<String> = counts.map(|(id, count)| format!("{id} {count}")).collect();
    let unread = match plan.unread_licences {
        0 => String::new(),
        modules => format!(
            "; of {} not known, for want of zips in the cache",
            count(modules, "module")
        ),
    };
    format!("licences: {}{unread}\n", counts.join(", "))
}

/// `plan --why`
pub fn plan_why(plan: &Plan, asked: &[Exclude], cli: &Cli) -> Result<(), Error> {
    let answers: Vec<Reasons<'_>> = asked.iter().map(|asked| why(plan, asked)).collect();
    if cli.json {
        let answers = answers.iter().map(|answer| {
            let found = answer.found.iter().map(|(module, because)| {
                json!({
                    "module": module.to_string(), "chain": because.chain, "what": because.what,
                    "text": because.what.words(),
                    "selected": because.selected.as_ref().map(ToString::to_string),
                })
            });
            let others: Vec<String> = answer.others.iter().map(ToString::to_string).collect();
            json!({ "asked": answer.asked.to_string(), "found": found.collect::<Vec<_>>(), "other_versions": others })
        });
        let missing = missing(&plan.failures, &plan.unanswered);
        return print_json(&json!({ "why": answers.collect::<Vec<_>>(), "missing": missing }))
            .map_err(stdout);
    }
    let mut text = String::new();
    for answer in &answers {
        text += &in_words(answer);
    }
    let lacking = plan.failures.len() + plan.unanswered.len();
    if lacking > 0 {
        text += &format!(
            "note: {} cannot be had, and what that requires is not known: see plan without --why\n",
            count(lacking, "thing")
        );
    }
    say(&text)
}

fn in_words(answer: &Reasons<'_>) -> String {
    let mut text = String::new();
    for (module, because) in &answer.found {
        text += &format!("{module}\n");
        for (depth, step) in because.chain.iter().enumerate() {
            let wants = if depth == 0 { "" } else { "requires " };
            text += &format!("  {}{wants}{step}\n", "  ".repeat(depth));
        }
        let depth = "  ".repeat(because.chain.len());
        text += &format!("  {depth}{module}: {}\n", because.what.words());
        if let Some(selected) = &because.selected {
            text += &format!("  {depth}not selected: {} is\n", selected.version());
        }
    }
    if answer.found.is_empty() {
        let asked = answer.asked;
        text += &match answer.others.is_empty() {
            true => format!("{asked} is not selected: nothing that is asked for requires it\n"),
            false => {
                let others: Vec<String> = answer.others.iter().map(ToString::to_string).collect();
                format!(
                    "{asked} is not selected, and nothing asks for it; asked for: {}\n",
                    others.join(", ")
                )
            }
        };
    }
    text
}
