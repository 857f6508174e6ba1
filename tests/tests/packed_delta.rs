//! New versions of a module that is there already: they are carried as what changed, and whatever becomes of the versions
//! that they are packed against, the command that a refused import prints makes a bundle that imports.

#![allow(clippy::unwrap_used)]

use modferry_tests::{golang::Go, run::Finished, site::Site, upstream::Answer};

/// Files of each version.
const FILES: u32 = 120;

/// One file in so many changes from a version to the next.
const STEP: u32 = 40;

/// `example.com/big@v1.0.N`
fn big(version: u32) -> String {
    format!("example.com/big@v1.0.{version}")
}

/// Source as people write it, more or less: different for each seed, and a line of it for each revision.
fn source(seed: u32, revision: u32) -> String {
    let mut text = String::from("package big\n");
    let mut state = u64::from(seed) + 1;
    for line in 0..60 {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let (name, number) = (state >> 44, state >> 20 & 0xffff);
        text += &format!(
            "\nfunc f{seed}_{line}_{name:x}(a int) int {{ return a*{number} + {line} }}\n"
        );
        if line == 30 && revision > 0 {
            text += &format!("\nconst Revision{seed} = {revision}\n");
        }
    }
    text
}

/// The files of a version; of those that changed in it, the revision is its number.
fn files(version: u32) -> Vec<(String, String)> {
    (0..FILES)
        .map(|file| {
            let changed = (1..=version)
                .rev()
                .find(|version| file % STEP == version % STEP);
            (format!("f{file}.go"), source(file, changed.unwrap_or(0)))
        })
        .collect()
}

fn publish(site: &Site, version: u32) {
    let mut txtar = String::from("-- go.mod --\nmodule example.com/big\n\ngo 1.21\n");
    for (name, text) in files(version) {
        txtar += &format!("-- {name} --\n{text}");
    }
    site.upstream.add(&big(version), &txtar);
}

fn site(versions: u32) -> Site {
    let site = Site::new();
    (0..versions).for_each(|version| publish(&site, version));
    site
}

/// Only what is named is carried: the newest version beside it would be the next week's.
const NAMED_ONLY: [&str; 2] = ["--newest", "none"];

/// Exports these versions of the module in the stream `platform`; the bundle's folder.
#[track_caller]
fn export(site: &mut Site, versions: &[u32], more: &[&str]) -> String {
    let modules: Vec<String> = versions.iter().map(|version| big(*version)).collect();
    let mut args: Vec<&str> = modules.iter().map(String::as_str).collect();
    args.extend(["--stream", "platform", "--pack", "fast"]);
    args.extend(NAMED_ONLY);
    args.extend(more);
    let (exported, out) = site.export(&args);
    exported.ok();
    out
}

#[track_caller]
fn inspect(site: &Site, bundle: &str) -> serde_json::Value {
    site.bundler(&["inspect", bundle, "--json"]).ok().json()
}

#[track_caller]
fn bases(site: &Site, bundle: &str) -> u64 {
    inspect(site, bundle)["bases"].as_u64().unwrap()
}

/// The bytes that zips take in a bundle, whether packed or not.
#[track_caller]
fn packed_bytes(site: &Site, bundle: &str) -> u64 {
    let told = inspect(site, bundle);
    let kinds = told["kinds"].as_array().unwrap();
    let of_zips = kinds.iter().filter(|kind| {
        let name = kind["kind"].as_str().unwrap();
        name.contains("zips") || name.contains("contents")
    });
    of_zips
        .map(|kind| kind["carried_bytes"].as_u64().unwrap())
        .sum()
}

/// Runs the command that a refused import tells to run, word by word, and imports what it makes.
#[track_caller]
fn run_the_cure(site: &mut Site, refused: &Finished) {
    let at = refused.stderr.find("modferry-bundler export ");
    let from = at.unwrap_or_else(|| panic!("no command to run\n{refused}"));
    let line = refused.stderr[from..].lines().next().unwrap();
    let words: Vec<&str> = line.split(' ').skip(2).collect();
    let (exported, cure) = site.export(&words);
    exported.ok();
    site.appliance(&["import", &cure]).ok();
}

/// Whether the go command gets these versions, with every bit as upstream has it.
#[track_caller]
fn assert_served(site: &Site, client: &str, versions: &[u32]) {
    let server = site.serve();
    let go = site.go(&server, client);
    for version in versions {
        let downloaded = go
            .run(&["mod", "download", "-json", &big(*version)])
            .ok()
            .json();
        let zip = std::fs::read(downloaded["Zip"].as_str().unwrap()).unwrap();
        assert!(
            zip == site.upstream.artifact(&big(*version), "zip"),
            "{version}"
        );
    }
}

#[test]
fn a_patch_release_costs_about_its_diff() {
    let mut site = site(2);
    let first = export(&mut site, &[0], &[]);
    site.appliance(&["import", &first]).ok();
    let second = export(&mut site, &[0, 1], &[]);
    assert_eq!((bases(&site, &first), bases(&site, &second)), (0, 1));

    // The files that changed, compressed with what they were at hand, as `zstd --patch-from` does it.
    let (old, new) = (files(0), files(1));
    let changed: Vec<_> = old
        .iter()
        .zip(&new)
        .filter(|(old, new)| old != new)
        .collect();
    assert_eq!(changed.len(), (FILES / STEP) as usize);
    let before: String = changed.iter().map(|(old, _)| old.1.as_str()).collect();
    let after: String = changed.iter().map(|(_, new)| new.1.as_str()).collect();
    let mut patch = zstd::bulk::Compressor::with_dictionary(19, before.as_bytes()).unwrap();
    let patch = patch.compress(after.as_bytes()).unwrap().len() as u64;

    let whole = packed_bytes(&site, &first);
    let update = packed_bytes(&site, &second);
    // Besides the diff the recipe of all files has to be carried.
    let recipe = 4 * u64::from(FILES);
    assert!(
        update <= 3 * patch + recipe,
        "{update} for a diff of {patch}"
    );
    assert!(update < whole / 20, "{update} after {whole}");
    site.appliance(&["import", &second]).ok();
    assert_served(&site, "developer", &[0, 1]);

    // By itself it costs what it costs.
    let whole_again = export(&mut site, &[1], &["--basis", "none"]);
    assert_eq!(bases(&site, &whole_again), 0);
    assert!(packed_bytes(&site, &whole_again) > whole * 9 / 10);
}

#[test]
fn a_lost_bundle_that_a_later_one_is_packed_against_is_made_up_for() {
    let mut site = site(3);
    let first = export(&mut site, &[0], &[]);
    site.appliance(&["import", &first]).ok();
    export(&mut site, &[1], &[]);
    let third = export(&mut site, &[2], &[]);
    assert_eq!(bases(&site, &third), 1);
    let before = site.appliance(&["status", "--json"]).ok().json();
    for command in ["verify", "import"] {
        let refused = site.appliance(&[command, &third]).expect(5);
        refused.says(&big(1));
    }
    assert_eq!(before, site.appliance(&["status", "--json"]).ok().json());
    let refused = site.appliance(&["import", &third]).expect(5);
    run_the_cure(&mut site, &refused);
    assert_served(&site, "developer", &[0, 1, 2]);
}

#[test]
fn what_is_pruned_may_be_packed_against_in_the_same_bundle() {
    let mut site = site(4);
    for version in 0..4 {
        let bundle = export(&mut site, &[version], &["--prune"]);
        let told = inspect(&site, &bundle);
        let expected = u64::from(version > 0);
        assert_eq!(told["bases"], expected, "{version}");
        assert_eq!(told["tombstones"], expected, "{version}");
        site.appliance(&["import", &bundle]).ok();
        site.appliance(&["gc", "--yes"]).ok();
        assert_served(&site, &format!("developer-{version}"), &[version]);
    }
}

#[test]
fn a_late_bundle_whose_base_was_removed_is_told_and_cured() {
    let mut site = site(3);
    let first = export(&mut site, &[0], &[]);
    site.appliance(&["import", &first]).ok();
    let late = export(&mut site, &[1], &[]);
    // It was thought to be lost, and the version that it is packed against was given up.
    let third = export(&mut site, &[1, 2], &["--basis", "1", "--prune"]);
    site.appliance(&["import", &third]).ok();
    site.appliance(&["gc", "--yes"]).ok();
    let refused = site.appliance(&["import", &late]).expect(5).says(&big(0));
    run_the_cure(&mut site, &refused);
    assert_served(&site, "developer", &[1, 2]);
}

#[test]
fn a_base_that_is_held_with_other_bytes_is_told_and_cured() {
    let mut site = site(3);
    // Another stream brought the same files in a zip of other bytes: here, with a comment at its end.
    let mut other = site.upstream.artifact(&big(0), "zip");
    let at = other.len() - 2;
    other.splice(at.., *b"\x04\0none");
    let path = "/example.com/big/@v/v1.0.0.zip";
    site.upstream.answer_instead(path, &[Answer::Bytes(other)]);
    let cache = site.path("other-cache");
    let named = big(0);
    let mut args = vec![&*named, "--stream", "tools", "--cache", &cache];
    args.extend(NAMED_ONLY);
    let (exported, tools) = site.export(&args);
    exported.ok();
    site.upstream.answer_truthfully();
    site.appliance(&["import", &tools]).ok();

    let first = export(&mut site, &[0], &[]);
    site.appliance(&["import", &first]).ok();
    let second = export(&mut site, &[1], &[]);
    assert_eq!(bases(&site, &second), 1);
    let refused = site.appliance(&["import", &second]).expect(5);
    let refused = refused.says(&big(0)).says("other bytes");
    run_the_cure(&mut site, &refused);
    // It lasts, with the key that the advice names.
    let third = export(&mut site, &[2], &["--no-deltas"]);
    assert_eq!(bases(&site, &third), 0);
    site.appliance(&["import", &third]).ok();
    assert_served(&site, "developer", &[1, 2]);
}

#[test]
fn a_stream_is_packed_against_its_own_bundles_and_those_a_receipt_tells_of() {
    let mut site = site(3);
    let first = export(&mut site, &[0], &[]);
    site.appliance(&["import", &first]).ok();
    // Of what another stream brought this one knows nothing.
    let named = big(1);
    let mut args = vec![&*named, "--stream", "tools", "--pack", "fast"];
    args.extend(NAMED_ONLY);
    let (exported, tools) = site.export(&args);
    exported.ok();
    assert_eq!(bases(&site, &tools), 0);

    let second = export(&mut site, &[1], &[]);
    assert_eq!(bases(&site, &second), 1);
    let receipt = site.path("platform.receipt");
    site.appliance(&["receipt", "--out", &receipt]).ok();
    let key = site.path("store/identity.pub");
    let args = ["--receipt", &receipt, "--receipt-key", &key];
    let third = export(&mut site, &[2], &args);
    assert_eq!(bases(&site, &third), 1);
    // The second never comes, and the third is not packed against it.
    site.appliance(&["import", &third]).ok();
    assert_served(&site, "developer", &[0, 2]);
}

#[test]
fn a_lost_cache_costs_bytes_and_nothing_else() {
    let mut site = site(2);
    let first = export(&mut site, &[0], &[]);
    site.appliance(&["import", &first]).ok();
    let empty = site.path("empty-cache");
    let named = big(1);
    let mut args = vec![
        &*named, "--stream", "platform", "--pack", "fast", "--cache", &empty,
    ];
    args.extend(NAMED_ONLY);
    let (exported, second) = site.export(&args);
    exported
        .ok()
        .says("1 zips that the destination holds are not in the cache");
    assert_eq!(bases(&site, &second), 0);
    site.appliance(&["import", &second]).ok();
    assert_served(&site, "developer", &[0, 1]);
}

/// A program that prints what it takes of each release up to this one; without the standard library, which would take
/// longer to build than all else here.
fn program(version: u32) -> String {
    let names: Vec<String> = (1..=version)
        .map(|of| format!("big.Revision{of}"))
        .collect();
    let names = names.join(", ");
    format!("package main\n\nimport \"example.com/big\"\n\nfunc main() {{ println({names}) }}\n")
}

#[test]
fn a_developer_upgrades_from_one_weekly_bundle_to_the_next() {
    let mut site = site(3);
    let mut developer: Option<Go> = None;
    for (week, printed) in [(1, "1\n"), (2, "1 2\n")] {
        let bundle = export(&mut site, &[week], &[]);
        assert_eq!(bases(&site, &bundle), u64::from(week > 1));
        site.appliance(&["import", &bundle]).ok();
        let server = site.serve();
        let go = match developer.take() {
            Some(go) => go.behind(&server),
            None => site.go(&server, "developer"),
        };
        if week == 1 {
            go.file("go.mod", "module example.com/project\n\ngo 1.21\n");
        }
        go.file("main.go", &program(week));
        go.run(&["get", &big(week)]).ok();
        go.run(&["build", "-o", "program", "."]).ok();
        let built = go.project().join("program");
        let output = std::process::Command::new(built).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stderr), printed);
        developer = Some(go);
    }
}
