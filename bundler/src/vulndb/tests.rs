//! What is a database, and what it says of module versions.

#![allow(clippy::unwrap_used)]
use modferry_checker::testing::{
    TestVulndb, VULNDB_MODIFIED as MODIFIED, odd_vulndbs, vulnerability as report, wrong_vulndbs,
};
use serde_json::{Value, json};

use super::testing::{database as of, documents};
use super::*;

fn now() -> Timestamp {
    "2026-11-21T00:00:00Z".parse().unwrap()
}

/// The findings of a module version: ids, and what mends them.
fn found(database: &Database, module: &str) -> Vec<(String, Option<String>)> {
    let findings = database.findings(&module.parse().unwrap(), now());
    let all = findings.into_iter();
    all.map(|finding| (finding.report.id().to_owned(), finding.fixed))
        .collect()
}

fn one(id: &str, fixed: &str) -> Vec<(String, Option<String>)> {
    vec![(id.into(), (!fixed.is_empty()).then(|| fixed.into()))]
}

#[test]
fn a_database_is_read_and_given_back_as_published() {
    let db = TestVulndb::new(&[
        report("GO-2024-0002", "a.test/b", &[["0", ""]]),
        report("GO-2024-0001", "a.test/a", &[["0", "1.2.0"]]),
    ]);
    let database = Database::new(documents(&db)).unwrap();
    assert_eq!(database.modified, MODIFIED.parse().unwrap());
    let documents = database.documents();
    let documents: Vec<(&str, &[u8])> = documents
        .map(|(name, json)| (name.as_str(), json))
        .collect();
    let want =
        db.0.iter()
            .map(|(name, bytes)| (name.as_str(), bytes.as_slice()));
    assert_eq!(documents, want.collect::<Vec<_>>());
    assert!(documents.is_sorted());
    let first = &database.reports()[0];
    assert_eq!(first.id(), "GO-2024-0001");
    assert_eq!(first.aliases(), ["CVE-2024-0001"]);
    assert_eq!(first.summary(), "What is wrong with a.test/a");
    // A database may have no reports at all.
    assert_eq!(of(&[]).reports(), []);
}

#[test]
fn versions_within_a_range_are_found_and_what_mends_them() {
    let database = of(&[
        report(
            "GO-2024-0001",
            "a.test/a",
            &[["0", "1.2.0"], ["1.4.0", "1.4.3"]],
        ),
        report("GO-2024-0002", "a.test/a", &[["1.4.1", ""]]),
        report("GO-2024-0003", "a.test/other", &[["0", ""]]),
    ]);
    let both = |fixed: &str| [one("GO-2024-0001", fixed), one("GO-2024-0002", "")].concat();
    for (version, want) in [
        ("v1.1.9", one("GO-2024-0001", "v1.2.0")),
        ("v1.2.0-rc.1", one("GO-2024-0001", "v1.2.0")),
        ("v1.2.0", vec![]),
        ("v1.4.0-0.20200101000000-abcdefabcdef", vec![]),
        ("v1.4.0", one("GO-2024-0001", "v1.4.3")),
        ("v1.4.1", both("v1.4.3")),
        ("v1.4.3", one("GO-2024-0002", "")),
    ] {
        assert_eq!(
            found(&database, &format!("a.test/a@{version}")),
            want,
            "{version}"
        );
    }
    assert_eq!(found(&database, "a.test/A@v1.1.9"), []);
}

#[test]
fn a_fix_that_has_it_again_is_none() {
    let mut twice = report("GO-2024-0001", "a.test/a", &[["0", "1.2.0"]]);
    let more =
        json!({ "type": "SEMVER", "events": [{ "introduced": "1.1.0" }, { "fixed": "1.3.0" }] });
    twice["affected"][0]["ranges"]
        .as_array_mut()
        .unwrap()
        .push(more);
    let database = of(&[twice]);
    assert_eq!(
        found(&database, "a.test/a@v1.0.0"),
        one("GO-2024-0001", "v1.3.0")
    );
}

#[test]
fn a_report_that_was_withdrawn_counts_for_nothing() {
    let mut withdrawn = report("GO-2024-0001", "a.test/a", &[["0", ""]]);
    for (at, counts) in [
        ("2026-11-20T23:59:59Z", false),
        ("2026-11-21T00:00:00Z", true),
    ] {
        withdrawn["withdrawn"] = at.into();
        let found = found(&of(&[withdrawn.clone()]), "a.test/a@v1.0.0");
        assert_eq!(!found.is_empty(), counts, "{at}");
    }
}

#[test]
fn toolchains_are_what_go_itself_is_called() {
    let database = of(&[
        report(
            "GO-2024-0001",
            "stdlib",
            &[["0", "1.21.5"], ["1.22.0-0", "1.22.0-rc.2"]],
        ),
        report("GO-2024-0002", "toolchain", &[["1.22.0-0", "1.22.1"]]),
    ]);
    let go = |version: &str| {
        found(
            &database,
            &format!("golang.org/toolchain@v0.0.1-{version}.linux-amd64"),
        )
    };
    assert_eq!(go("go1.20"), one("GO-2024-0001", "go1.21.5"));
    assert_eq!(go("go1.21.4"), one("GO-2024-0001", "go1.21.5"));
    assert_eq!(go("go1.21.10"), []);
    let both = [
        one("GO-2024-0001", "go1.22rc2"),
        one("GO-2024-0002", "go1.22.1"),
    ]
    .concat();
    assert_eq!(go("go1.22rc1"), both);
    assert_eq!(go("go1.22rc2"), one("GO-2024-0002", "go1.22.1"));
    assert_eq!(go("go1.22.0"), one("GO-2024-0002", "go1.22.1"));
    assert_eq!(go("go1.22.1"), []);
}

#[test]
fn what_lists_say_null_is_empty() {
    let mut plain = report("GO-2024-0001", "a.test/a", &[]);
    plain["aliases"] = Value::Null;
    plain["affected"][0]["ranges"] = Value::Null;
    let database = of(&[plain.clone()]);
    // Without a range all versions are affected.
    assert_eq!(found(&database, "a.test/a@v1.9.0"), one("GO-2024-0001", ""));
    plain["affected"] = Value::Null;
    assert_eq!(of(&[plain]).reports()[0].modules().len(), 0);
}

#[test]
fn what_importers_take_is_taken_and_what_they_refuse_is_refused() {
    for (what, db) in odd_vulndbs() {
        let database = Database::new(documents(&db));
        assert!(database.is_ok(), "{what}: {database:?}");
    }
    for (want, db) in wrong_vulndbs() {
        let error = Database::new(documents(&db)).unwrap_err();
        let error = modferry_cli::in_one_line(&error);
        assert!(error.contains(want), "{want}: {error}");
    }
}

#[test]
fn a_time_that_has_not_come_is_refused_but_for_a_day() {
    let at = |modified: &str| {
        let mut later = report("GO-2024-0001", "a.test/a", &[["0", ""]]);
        later["modified"] = modified.into();
        of(&[later]).of_the_past(now())
    };
    at("2026-11-22T00:00:00Z").unwrap();
    let error = at("2026-11-22T00:00:00.000000001Z").unwrap_err();
    assert_eq!(
        error.to_string(),
        "it says that it was changed last at 2026-11-22T00:00:00.000000001Z, and by the clock here it is 2026-11-21T00:00:00Z"
    );
    assert!(error.advice().contains("clock"));
}

/// The findings of govulncheck about generated module versions: see tests/vectors/vulndb.
#[test]
fn govulncheck_finds_the_same() {
    let lines = include_str!("../../tests/vectors/vulndb.jsonl").lines();
    let lines: Vec<Value> = lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let (reports, asked) = lines.split_at(lines.partition_point(|line| !line["report"].is_null()));
    let reports: Vec<Value> = reports.iter().map(|line| line["report"].clone()).collect();
    let database = of(&reports);
    assert!(asked.len() > 100);
    for line in asked {
        let module = line["module"].as_str().unwrap();
        let want: Vec<(String, Option<String>)> =
            serde_json::from_value::<Vec<String>>(line["found"].clone())
                .unwrap()
                .iter()
                .map(|found| match found.split_once(' ') {
                    Some((id, fixed)) if module.starts_with("golang.org/toolchain@") => {
                        (id.to_owned(), Some(affects::go_name(fixed)))
                    }
                    Some((id, fixed)) => (id.to_owned(), Some(fixed.to_owned())),
                    None => (found.clone(), None),
                })
                .collect();
        assert_eq!(found(&database, module), want, "{module}");
    }
}
