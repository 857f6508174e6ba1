//! Known vulnerabilities: what a plan and an export say of them, and the policy that refuses them.
#![allow(clippy::unwrap_used)]

mod common;

use common::{Done, World, write};
use modferry_checker::testing::{Packing, TestVulndb, VULNDB_MODIFIED, vulnerability};
use serde_json::{Value, json};

/// `m.test/d` is carried whole in v1.5.0; of v1.1.0 only the go.mod is read.
const GRAPH: &str = "
    m.test/a@v1.0.0 go1.16 -> m.test/b@v1.0.0 m.test/c@v1.0.0
    m.test/b@v1.0.0 go1.16 -> m.test/d@v1.5.0
    m.test/c@v1.0.0 go1.16 -> m.test/d@v1.1.0
    m.test/d@v1.1.0 go1.16 ->
    m.test/d@v1.5.0 go1.16 ->
";

fn db() -> TestVulndb {
    TestVulndb::new(&[
        // Of d only the version that is not carried whole.
        vulnerability("GO-2024-0001", "m.test/d", &[["0", "1.2.0"]]),
        vulnerability("GO-2024-0002", "m.test/d", &[["1.3.0", "1.5.1"]]),
        vulnerability("GO-2024-0003", "m.test/b", &[["0", ""]]),
        vulnerability("GO-2024-0004", "m.test/e", &[["0", ""]]),
    ])
}

fn world() -> World {
    let world = World::of(GRAPH);
    db().write(&world.path("vulndb"));
    world
}

fn settings(world: &World, text: &str) {
    write(&world.path("modferry.yaml"), text.as_bytes());
}

const ARGS: [&str; 3] = ["--config", "modferry.yaml", "m.test/a@v1.0.0"];

fn plan(world: &World, more: &[&str]) -> Done {
    world.run(&[&["plan"], &ARGS[..], more].concat())
}

fn export(world: &World, more: &[&str]) -> Done {
    world.export(&[&ARGS[..], more].concat())
}

fn json_of(done: &Done) -> Value {
    serde_json::from_str(&done.stdout).unwrap_or_else(|error| panic!("{error}: {done:?}"))
}

#[test]
fn a_plan_lists_them_with_what_the_versions_are_there_for() {
    let world = world();
    settings(&world, "vulndb: vulndb\n");
    let told = plan(&world, &[]).ok();
    let told = told
        .tells("\n        1  vulnerability database, of 2026-11-20T08:30:00Z with 7 documents, ");
    let want = format!(
        "known vulnerabilities, by the database of {VULNDB_MODIFIED} with 4 reports: 2 in 2 module versions that are carried \
         whole\n  m.test/b@v1.0.0 (m.test/a@v1.0.0)\n    GO-2024-0003 (CVE-2024-0003), not fixed yet: What is wrong with \
         m.test/b\n  m.test/d@v1.5.0 (m.test/a@v1.0.0 -> m.test/b@v1.0.0)\n    GO-2024-0002 (CVE-2024-0002), fixed in \
         v1.5.1: What is wrong with m.test/d\n"
    );
    let told = told.tells(&want);
    assert!(!told.stdout.contains("GO-2024-0001"), "{}", told.stdout);
    let known = &json_of(&plan(&world, &["--json"]).ok())["vulnerabilities"];
    assert_eq!(known["database"], VULNDB_MODIFIED);
    assert_eq!(known["reports"], 4);
    assert_eq!(
        known["modules"][1],
        json!({
            "module": "m.test/d@v1.5.0", "state": "new", "what": "build",
            "chain": ["m.test/a@v1.0.0", "m.test/b@v1.0.0"],
            "vulnerabilities": [{
                "id": "GO-2024-0002", "aliases": ["CVE-2024-0002"], "summary": "What is wrong with m.test/d",
                "fixed": "v1.5.1", "accepted": false,
            }],
        })
    );
    assert_eq!(known["modules"].as_array().unwrap().len(), 2);
}

#[test]
fn without_a_database_nothing_is_said_and_with_one_none_is_an_answer() {
    let world = world();
    settings(&world, "stream: default\n");
    let told = plan(&world, &[]).ok();
    assert!(!told.stdout.contains("vulnerabilities"), "{}", told.stdout);
    assert_eq!(
        json_of(&plan(&world, &["--json"]).ok())["vulnerabilities"],
        Value::Null
    );
    let other = TestVulndb::new(&[vulnerability("GO-2024-0004", "m.test/e", &[["0", ""]])]);
    write(&world.path("other.zip"), &other.zip(Packing::Deflated));
    plan(&world, &["--vulndb", "other.zip"])
        .ok()
        .tells("with 1 report: none in what is carried whole\n");
}

#[test]
fn an_export_tells_how_many_it_carries() {
    let world = world();
    settings(&world, "vulndb: vulndb\n");
    let line = "with 4 reports: 2 in 2 module versions that are carried whole\n";
    let told = export(&world, &[]).ok().tells(line);
    assert!(
        !told.stdout.contains("GO-2024"),
        "a plan names them: {}",
        told.stdout
    );
    // They are there, as the database is, and nothing new comes of a second one.
    let plan = json_of(&plan(&world, &["--json"]).ok());
    assert_eq!(
        (&plan["vulndb"]["new"], &plan["nothing_new"]),
        (&json!(false), &json!(true))
    );
    let again = export(&world, &["--json"]).ok();
    let known = &json_of(&again)["vulnerabilities"]["modules"];
    assert_eq!(
        (&known[0]["state"], &known[1]["state"]),
        (&json!("held"), &json!("held"))
    );
}

#[test]
fn a_policy_refuses_them_by_id_and_with_what_mends_them() {
    let world = world();
    settings(&world, "vulndb: vulndb\npolicy:\n  vulnerable: refuse\n");
    for done in [plan(&world, &[]).exits(2), export(&world, &[]).exits(2)] {
        done.says(
            "m.test/d@v1.5.0: zip: refused by policy: GO-2024-0002 (CVE-2024-0002), fixed in v1.5.1: ask for a version that \
             has it mended, or accept it in the policy (required by m.test/a@v1.0.0 -> m.test/b@v1.0.0)",
        )
        .says("m.test/b@v1.0.0: zip: refused by policy: GO-2024-0003 (CVE-2024-0003), not fixed yet")
        .says("the policy refuses 2 things");
    }
    assert_eq!(world.out(), Vec::<String>::new());
    plan(&world, &[])
        .exits(2)
        .tells("m.test/d@v1.5.0, refused (m.test/a@v1.0.0 -> m.test/b@v1.0.0)");
    export(&world, &["--keep-going"])
        .exits(2)
        .tells("4 reports: none in what is carried whole");
    assert_eq!(
        world.carried("out", "zip"),
        "m.test/a@v1.0.0 m.test/c@v1.0.0"
    );
    let manifest = std::fs::read_to_string(world.path("out/default.000001.manifest")).unwrap();
    assert!(
        manifest.contains("\nmissing m.test/d v1.5.0 policy-vulnerable\n"),
        "{manifest}"
    );
}

#[test]
fn what_is_accepted_by_any_of_its_names_is_carried() {
    let world = world();
    settings(
        &world,
        "vulndb: vulndb\npolicy:\n  vulnerable: refuse\n  accept: [CVE-2024-0002, GO-2024-0009]\n",
    );
    let note =
        "note: the policy accepts GO-2024-0009, and the vulnerability database has no such report";
    plan(&world, &[])
        .exits(2)
        .tells(note)
        .tells("GO-2024-0002 (CVE-2024-0002), fixed in v1.5.1, accepted: What is wrong")
        .says("the policy refuses 1 thing");
    export(&world, &["--accept", "GO-2024-0003"]).ok();
    assert!(world.carried("out", "zip").contains("m.test/d@v1.5.0"));
    // What is there is not judged again, and told.
    settings(&world, "vulndb: vulndb\npolicy:\n  vulnerable: refuse\n");
    export(&world, &[]).ok().tells(
        "note: the destination holds m.test/b@v1.0.0 already, which has known vulnerabilities: GO-2024-0003 \
         (CVE-2024-0003), not fixed yet\n",
    );
    settings(&world, "policy:\n  accept: [\"2024\"]\n");
    plan(&world, &[]).exits(2).says("names no vulnerability");
}

#[test]
fn a_database_alone_is_something_to_carry() {
    let world = world();
    settings(&world, "vulndb: vulndb\n");
    let alone = ["--config", "modferry.yaml"];
    world
        .export(&alone)
        .ok()
        .tells("with 4 reports: none in what is carried whole");
    assert!(
        world
            .items("out")
            .iter()
            .any(|item| item.starts_with("vulndb")),
        "{:?}",
        world.items("out")
    );
}

#[test]
fn a_policy_without_a_database_is_an_error_and_no_silence() {
    let world = world();
    settings(&world, "policy:\n  vulnerable: refuse\n");
    for done in [plan(&world, &[]).exits(2), export(&world, &[]).exits(2)] {
        done.says("no vulnerability database is at hand")
            .says("--vulndb");
    }
    plan(&world, &["--vulnerable", "tell"]).ok();
    settings(&world, "stream: default\n");
    plan(&world, &["--vulndb", "vulndb", "--vulnerable", "refuse"])
        .exits(2)
        .says("GO-2024-0002");
}

/// A database of that day, whose reports say so, too.
fn db_of(modified: &str, mut reports: Vec<Value>) -> TestVulndb {
    for report in &mut reports {
        report["modified"] = modified.into();
    }
    let mut db = TestVulndb::new(&reports);
    db.put("index/db", &json!({ "modified": modified }));
    db
}

#[test]
fn a_policy_does_not_believe_a_database_that_knows_less() {
    let world = world();
    let policy = "policy:\n  vulnerable: refuse\n";
    settings(&world, policy);
    let about = |module| vec![vulnerability("GO-2024-0004", module, &[["0", ""]])];
    let old = db_of("2024-05-01T00:00:00Z", about("m.test/e"));
    old.write(&world.path("old"));
    db_of("2026-11-20T08:30:01Z", Vec::new()).write(&world.path("empty"));
    let both = |vulndb: &str| {
        let flags = ["--vulndb", vulndb];
        [plan(&world, &flags), export(&world, &flags)]
    };
    // Without a report it would refuse nothing, however new it is.
    for done in both("empty") {
        done.exits(2)
            .says("the vulnerability database at hand, of 2026-11-20T08:30:01Z, has no reports")
            .says("or say --vulnerable tell");
    }
    // An old one that no bundle has gone past is believed, and its age told.
    plan(&world, &["--vulndb", "old"])
        .ok()
        .tells("note: the vulnerability database is of 2024-05-01T00:00:00Z, ");
    let accept = [
        "--vulndb",
        "vulndb",
        "--accept",
        "GO-2024-0002",
        "--accept",
        "GO-2024-0003",
    ];
    export(&world, &accept).ok();
    // The stream's bundle was made with a newer one: whatever a bundle is built on, that one knew more.
    for basis in [&[][..], &["--basis", "none"]] {
        let flags = [&["m.test/d@v1.1.0", "--vulndb", "old"], basis].concat();
        for done in [plan(&world, &flags), export(&world, &flags)] {
            done.exits(2).says(
                "is of 2024-05-01T00:00:00Z, older than the one that a bundle of this stream was made with, of \
                 2026-11-20T08:30:00Z",
            );
        }
    }
    let told = plan(&world, &["--vulndb", "old", "--vulnerable", "tell"]);
    told.ok().tells("that one stays");
    // One of the same time is not older.
    plan(&world, &accept).ok();
}

#[test]
fn what_the_database_comes_to_is_in_what_a_plan_estimates() {
    let world = world();
    // Of about 300 kB that do not shrink.
    let reports = (1..=100_u64).map(|n| {
        let mut report = vulnerability(&format!("GO-2024-{n:04}"), "m.test/e", &[["0", ""]]);
        let mut state = n;
        let noise = std::iter::repeat_with(|| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            format!("{:08x}", state >> 32)
        });
        report["details"] = noise.take(700).collect::<String>().into();
        report
    });
    TestVulndb::new(&reports.collect::<Vec<_>>()).write(&world.path("large"));
    settings(&world, "stream: default\n");
    let planned = |more: &[&str]| json_of(&plan(&world, &[more, &["--json"]].concat()).ok());
    let estimate = |plan: &Value| plan["carried_bytes_estimate"].as_u64().unwrap();
    let (without, with) = (planned(&[]), planned(&["--vulndb", "large"]));
    let carried = with["vulndb"]["carried_bytes"].as_u64().unwrap();
    assert!(carried > 250_000, "{carried}");
    assert!(with["vulndb"]["bytes"].as_u64().unwrap() > carried);
    assert_eq!(estimate(&with), estimate(&without) + carried);
    let limit = ["--max-bundle-size", "200 kB"];
    let note = "that is more than the policy (max-size: bundle) allows";
    let small = plan(&world, &limit).ok();
    assert!(!small.stdout.contains(note), "{}", small.stdout);
    plan(&world, &[&limit[..], &["--vulndb", "large"]].concat())
        .ok()
        .tells(note);
    // As an export has it, beside what is small.
    let without = json_of(
        &world
            .export_into("without", &[&ARGS[..], &["--json"]].concat())
            .ok(),
    );
    let args = ["--vulndb", "large", "--basis", "none", "--json"];
    let with = json_of(&export(&world, &args).ok());
    let bytes = |export: &Value| export["carried_bytes"].as_u64().unwrap();
    let more = bytes(&with) - bytes(&without);
    // What is small is packed in other places.
    assert!(more.abs_diff(carried) < 4096, "{more} {carried}");
    // What the destination holds is not carried.
    let again = planned(&["--vulndb", "large"]);
    assert_eq!(again["vulndb"]["carried_bytes"], 0);
}

#[test]
fn a_databases_words_do_nothing_to_a_terminal() {
    let world = world();
    let mut report = vulnerability("GO-2024-0002", "m.test/d", &[["0", ""]]);
    report["aliases"] = json!(["CVE-2024-1\u{1b}]0;owned\u{7}\u{202e}"]);
    report["summary"] = json!("What\u{1b}[2J is \u{202e}wrong");
    TestVulndb::new(&[report]).write(&world.path("odd"));
    settings(&world, "vulndb: odd\n");
    let shown = plan(&world, &[]).ok();
    export(&world, &[]).ok();
    settings(&world, "vulndb: odd\npolicy:\n  vulnerable: refuse\n");
    let note = "the destination holds m.test/d@v1.5.0 already, which has known vulnerabilities: GO-2024-0002 \
                (CVE-2024-1\\u{1b}]0;owned\\u{7}\\u{202e}), not fixed yet\n";
    let none_new = export(&world, &[]).ok().tells(note);
    let planned = plan(&world, &[]).ok().tells(note);
    let written = export(&world, &["m.test/d@v1.1.0", "--keep-going"]);
    let refused = plan(&world, &["--basis", "none"]).exits(2);
    for done in [shown, none_new, planned, written, refused] {
        for text in [&done.stdout, &done.stderr] {
            let does = |c: char| c.is_control() && c != '\n' || c == '\u{202e}';
            assert!(!text.contains(does), "{text:?}");
        }
    }
}

#[test]
fn a_database_that_is_not_whole_stops_everything() {
    let world = world();
    settings(&world, "vulndb: vulndb\n");
    std::fs::remove_file(world.path("vulndb/ID/GO-2024-0004.json")).unwrap();
    for done in [plan(&world, &[]).exits(4), export(&world, &[]).exits(4)] {
        done.says("vulndb is no Go vulnerability database that can be used: index/modules.json names GO-2024-0004");
    }
    assert_eq!(world.out(), Vec::<String>::new());
    plan(&world, &["--vulndb", "nowhere"])
        .exits(2)
        .says("cannot read nowhere");
}

#[test]
fn a_zip_has_the_hash_that_is_said() {
    let world = world();
    let zip = db().zip(Packing::Deflated);
    write(&world.path("vulndb.zip"), &zip);
    let with = |hash: &str| format!("vulndb: {{path: vulndb.zip, sha256: {hash}}}\n");
    settings(&world, &with(&"0".repeat(64)));
    plan(&world, &[]).exits(4).says("vulndb: its SHA-256 is ");
    let told = plan(&world, &[]);
    let hash = told.stderr.split("its SHA-256 is ").nth(1).unwrap()[..64].to_owned();
    settings(&world, &with(&hash));
    plan(&world, &[]).ok().tells("GO-2024-0002");
    let flags = ["--vulndb", "vulndb.zip", "--vulndb-sha256"];
    plan(&world, &[&flags[..], &["0".repeat(64).as_str()]].concat()).exits(4);
    plan(&world, &[&flags[..], &["12"]].concat())
        .exits(2)
        .says("64 hexadecimal digits");
    plan(&world, &flags[1..]).exits(2);
}
