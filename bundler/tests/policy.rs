//! What a site's policy refuses: a plan lists it, an export carries none of it.
#![allow(clippy::unwrap_used)]

mod common;

use std::fs;

use common::{Done, World, write};
use jiff::{Timestamp, ToSpan};
use modferry_checker::testing::TestModule;
use serde_json::Value;

const ISC: &str = "Permission to use, copy, modify, and/or distribute this software for any purpose with or without fee is \
     hereby granted, provided that the above copyright notice and this permission notice appear in all copies.";

/// A module with these requirements and files, made so many days ago.
fn add(world: &mut World, name: &str, requires: &[&str], files: &[(&str, &str)], days: i64) {
    let (path, version) = name.split_once('@').unwrap();
    let mut go_mod = format!("module {path}\n\ngo 1.16\n");
    for require in requires {
        go_mod += &format!("\nrequire {}\n", require.replace('@', " "));
    }
    let mut all = vec![("go.mod", go_mod.as_str()), ("a.go", "package a\n")];
    all.extend(files);
    let mut module = TestModule::new(name, &all);
    let time = Timestamp::now().checked_sub((days * 24).hours()).unwrap();
    let time = time.strftime("%Y-%m-%dT%H:%M:%SZ");
    module.info = format!(r#"{{"Version":"{version}","Time":"{time}"}}"#).into();
    world.add(&module);
}

/// `m.test/a` requires `m.test/b`, which requires `m.test/c`; all of them old, under the ISC licence.
fn world() -> World {
    let mut world = World::new();
    let licence = [("LICENSE", ISC)];
    add(
        &mut world,
        "m.test/a@v1.0.0",
        &["m.test/b@v1.2.0"],
        &licence,
        900,
    );
    add(
        &mut world,
        "m.test/b@v1.2.0",
        &["m.test/c@v1.0.0"],
        &licence,
        800,
    );
    add(&mut world, "m.test/c@v1.0.0", &[], &licence, 700);
    world.publish();
    world
}

fn policy(world: &World, text: &str) {
    write(
        &world.path("modferry.yaml"),
        format!("policy:\n{text}").as_bytes(),
    );
}

fn plan(world: &World) -> Done {
    world.run(&["plan", "--config", "modferry.yaml", "m.test/a@v1.0.0"])
}

fn export(world: &World, more: &[&str]) -> Done {
    world.export(&[&["--config", "modferry.yaml", "m.test/a@v1.0.0"], more].concat())
}

/// Both refuse, for the same reason, and nothing is written; kept going, only the rest is.
#[track_caller]
fn refuses(world: &World, module: &str, words: &[&str], rest: &str) {
    for done in [plan(world).exits(2), export(world, &[]).exits(2)] {
        let line = done
            .stderr
            .lines()
            .find(|line| line.contains(&format!("{module}: zip: ")));
        let line = line.unwrap_or_else(|| panic!("{}", done.stderr));
        for words in words {
            assert!(line.contains(words), "{words:?}: {line}");
        }
    }
    assert_eq!(world.out(), Vec::<String>::new());
    let done = export(world, &["--keep-going"]).exits(2);
    assert!(
        done.stderr.contains("the policy refuses"),
        "{}",
        done.stderr
    );
    assert_eq!(world.carried("out", "zip"), rest);
    assert!(
        world.carried("out", "mod").contains(module),
        "its go.mod selects versions"
    );
    fs::remove_dir_all(world.path("out")).unwrap();
    fs::remove_dir_all(world.path(".local")).unwrap();
}

#[test]
fn what_is_denied_is_not_carried() {
    let world = world();
    policy(&world, "  deny:\n    - m.test/b@>=1.2 <1.3\n");
    let words = [
        "deny m.test/b@>=1.2 <1.3",
        "change deny in the policy",
        "(required by m.test/a@v1.0.0)",
    ];
    refuses(
        &world,
        "m.test/b@v1.2.0",
        &words,
        "m.test/a@v1.0.0 m.test/c@v1.0.0",
    );

    let kept = export(&world, &["--keep-going", "--json"]).exits(2);
    let kept: Value = serde_json::from_str(&kept.stdout).unwrap();
    assert_eq!(kept["missing"][0]["reason"], "policy-deny");
    let manifest = fs::read_to_string(world.path("out/default.000001.manifest")).unwrap();
    assert!(
        manifest.contains("\nmissing m.test/b v1.2.0 policy-deny\n"),
        "{manifest}"
    );

    // Another version of it is none of the policy's business.
    policy(&world, "  deny: [m.test/b@<1.2]\n");
    plan(&world).ok();
    // What a flag denies comes on top.
    let flag = [
        "plan",
        "--basis",
        "none",
        "--config",
        "modferry.yaml",
        "--deny",
        "m.test/c",
        "m.test/a@v1.0.0",
    ];
    world
        .run(&flag)
        .exits(2)
        .says("m.test/c@v1.0.0: zip: refused by policy: deny m.test/c");
    policy(&world, "  deny: [m.test/b]\n");
    world
        .run(&flag)
        .exits(2)
        .says("m.test/b@v1.2.0: zip: refused by policy: deny m.test/b");
}

#[test]
fn what_the_destination_holds_is_told_and_not_refused() {
    let world = world();
    policy(&world, "  deny: []\n");
    export(&world, &[]).ok();
    policy(&world, "  deny: [m.test/b]\n");
    let planned = plan(&world).ok();
    assert!(
        planned.stdout.contains(
            "note: the destination holds m.test/b@v1.2.0 already, which deny m.test/b is about"
        ),
        "{}",
        planned.stdout
    );
}

#[test]
fn what_was_published_yesterday_waits() {
    let mut world = world();
    add(&mut world, "m.test/young@v1.0.0", &[], &[], 3);
    // Its commit claims to be old, but nobody had asked for it before the young one was there.
    add(&mut world, "m.test/backdated@v1.0.0", &[], &[], 2000);
    world.publish();
    let ask = |days: &str, modules: &[&str]| {
        world.run(
            &[
                &["plan", "--newest", "none", "--minimum-age", days],
                modules,
            ]
            .concat(),
        )
    };
    let (young, backdated) = ("m.test/young@v1.0.0", "m.test/backdated@v1.0.0");
    ask("14", &["m.test/a@v1.0.0"]).ok();
    ask("2", &[young]).ok();
    ask("14", &[young])
        .exits(2)
        .says("minimum-age is 14 days: made on ");
    ask("14", &[backdated]).ok();
    ask("14", &[young, backdated, "m.test/a@v1.0.0"])
        .exits(2)
        .says("m.test/backdated@v1.0.0: zip: refused by policy: minimum-age is 14 days: said to be made on ")
        .says("its record stands behind that of m.test/young@v1.0.0")
        .says("the policy refuses 2 things");
    ask("2", &[young, backdated]).ok();

    policy(&world, "  minimum-age: 750\n");
    let words = [
        "minimum-age is 750 days: made on ",
        "or wait",
        "(required by m.test/a@v1.0.0 -> m.test/b@v1.2.0)",
    ];
    refuses(
        &world,
        "m.test/c@v1.0.0",
        &words,
        "m.test/a@v1.0.0 m.test/b@v1.2.0",
    );
}

#[test]
fn a_newest_version_that_is_refused_keeps_nothing_back() {
    let mut world = world();
    add(&mut world, "m.test/a@v1.1.0", &[], &[], 3);
    world.publish();
    write(&world.path("up/m.test/a/@v/list"), b"v1.0.0\nv1.1.0\n");
    let note = "not carried, and nothing that was asked for needs it: m.test/a@v1.1.0: refused by policy: minimum-age is 14 days: ";
    policy(&world, "  minimum-age: 14\n");
    let planned = plan(&world).ok();
    assert!(planned.stdout.contains(note), "{}", planned.stdout);
    export(&world, &[]).ok().tells(note);
    let old = "m.test/a@v1.0.0 m.test/b@v1.2.0 m.test/c@v1.0.0";
    assert_eq!(world.carried("out", "zip"), old);
    // Who names it is refused, though it is the newest, too.
    let named = ["--config", "modferry.yaml", "m.test/a@v1.1.0"];
    world
        .export_into("named", &named)
        .exits(2)
        .says("m.test/a@v1.1.0: zip: refused by policy: minimum-age is 14 days: ");
    // Where it is not refused, it comes along.
    policy(&world, "  minimum-age: 2\n");
    export(&world, &[]).ok();
    assert!(world.carried("out", "zip").contains("m.test/a@v1.1.0"));
}

#[test]
fn of_what_is_needed_for_its_go_mod_the_zip_is_only_nice_to_have() {
    let mut world = world();
    add(&mut world, "m.test/c@v1.1.0", &[], &[], 3);
    world.publish();
    write(&world.path("up/m.test/c/@v/list"), b"v1.0.0\nv1.1.0\n");
    let hashes = |name: &str| {
        let record = world.sumdb.record(&common::version(name)).unwrap();
        (record.zip().to_string(), record.go_mod().to_string())
    };
    let (old, new) = (hashes("m.test/c@v1.0.0"), hashes("m.test/c@v1.1.0"));
    let sums = format!(
        "m.test/c v1.0.0 {}\nm.test/c v1.0.0/go.mod {}\nm.test/c v1.1.0/go.mod {}\n",
        old.0, old.1, new.1
    );
    write(&world.path("go.sum"), sums.as_bytes());
    let ask = ["--go-sum", "go.sum", "--newest", "all", "--minimum-age"];
    // The go.sum needs the new one's go.mod; its zip is the newest version's.
    world
        .export(&[&ask[..], &["14"]].concat())
        .ok()
        .tells("needs it: m.test/c@v1.1.0: refused by policy: minimum-age");
    assert_eq!(world.carried("out", "zip"), "m.test/c@v1.0.0");
    let both = "m.test/c@v1.0.0 m.test/c@v1.1.0";
    assert_eq!(world.carried("out", "mod"), both);
    let again = [&ask[..], &["2", "--basis", "none"]].concat();
    world.export_into("all", &again).ok();
    assert_eq!(world.carried("all", "zip"), both);
}

#[test]
fn licences_are_known_of_what_is_in_the_cache() {
    let mut world = world();
    add(
        &mut world,
        "m.test/d@v1.0.0",
        &["m.test/a@v1.0.0"],
        &[],
        100,
    );
    world.publish();
    policy(&world, "  licences: [ISC, unknown]\n");
    let asked = [
        "plan",
        "--json",
        "--config",
        "modferry.yaml",
        "m.test/d@v1.0.0",
    ];
    let planned =
        |world: &World| -> Value { serde_json::from_str(&world.run(&asked).stdout).unwrap() };
    assert_eq!(planned(&world)["unread_licences"], 4);
    let out = [
        "--config",
        "modferry.yaml",
        "m.test/d@v1.0.0",
        "--newest",
        "none",
    ];
    world.export(&out).ok();
    fs::remove_dir_all(world.path("out")).unwrap();
    fs::remove_dir_all(world.path(".local")).unwrap();
    let known = planned(&world);
    assert_eq!(
        (&known["unread_licences"], &known["fetch_bytes"]),
        (&0.into(), &0.into())
    );
    assert_eq!(
        known["licences"],
        serde_json::json!({ "ISC": 3, "unknown": 1 })
    );

    policy(&world, "  licences: [ISC]\n");
    world
        .run(&asked)
        .exits(2)
        .says("m.test/d@v1.0.0: zip: refused by policy: licence unknown");
    world
        .export(&out)
        .exits(2)
        .says("add to licences in the policy");
    assert_eq!(world.out(), Vec::<String>::new());
    policy(&world, "  licences: [MIT, unknown]\n");
    world
        .export(&out)
        .exits(2)
        .says("the policy refuses 3 things");
    // An export fetches what it does not know yet, and decides before it signs.
    world
        .export(&[&out[..], &["--cache", "fresh"]].concat())
        .exits(2)
        .says("licence ISC");
    assert_eq!(world.out(), Vec::<String>::new());
}

#[test]
fn zips_and_bundles_have_a_size() {
    let mut world = world();
    let noise: String = (0..40_000_u32)
        .map(|n| format!("{:08x}", n.wrapping_mul(2_654_435_761)))
        .collect();
    add(
        &mut world,
        "m.test/large@v1.0.0",
        &[],
        &[("noise", &noise)],
        100,
    );
    world.publish();
    let size = fs::metadata(world.path("up/m.test/large/@v/v1.0.0.zip"))
        .unwrap()
        .len();
    let ask = |command: &[&str], limit: u64, flag: &str| {
        let limit = limit.to_string();
        let args = [
            command,
            &["m.test/large@v1.0.0", "--pack", "none", flag, &limit],
        ]
        .concat();
        world.run(&args)
    };
    let export = ["export", "--key", "site.key", "--out", "out"];
    ask(&["plan"], size, "--max-zip-size").ok();
    ask(&["plan"], size - 1, "--max-zip-size")
        .exits(2)
        .says("its zip has ");
    ask(&export, size - 1, "--max-zip-size")
        .exits(2)
        .says("raise max-size in the policy");
    assert_eq!(world.out(), Vec::<String>::new());

    let told = ask(&["plan"], size, "--max-bundle-size").ok();
    assert!(
        told.stdout.contains("an export will refuse to write it"),
        "{}",
        told.stdout
    );
    ask(&export, size, "--max-bundle-size")
        .exits(2)
        .says("the bundle would have ");
    assert_eq!(world.out(), Vec::<String>::new());
    ask(&export, size + 100_000, "--max-bundle-size").ok();
}

#[test]
fn a_wrong_policy_is_told_with_its_place() {
    let world = world();
    for (text, place, words) in [
        ("  deny:\n    - m.test/b@latest\n", ":3:", "say versions"),
        ("  minimum-age: -1\n", ":2:16: ", "a number of days"),
        ("  licences: [MIT, Apache]\n", ":2:", "Apache-2.0"),
        ("  max-size:\n    zips: 4\n", ":3:", "unknown field `zips`"),
        ("  allow: [m.test/b]\n", ":2:", "unknown field `allow`"),
    ] {
        policy(&world, text);
        plan(&world)
            .exits(2)
            .says(&format!("modferry.yaml{place}"))
            .says(words);
    }
}
