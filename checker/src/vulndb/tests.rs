//! What is a database, and what is none.

#![allow(clippy::unwrap_used)]
use super::*;
use crate::testing::{
    TestVulndb, VULNDB_MODIFIED, good_vulndb, odd_vulndbs, vulnerability, wrong_vulndbs,
};

fn check(db: &TestVulndb) -> Result<Timestamp, VulndbError> {
    let mut check = VulndbCheck::default();
    for (name, json) in &db.0 {
        check.document(&name.parse().unwrap(), json)?;
    }
    check.whole()
}

#[test]
fn what_agrees_with_itself_is_taken() {
    assert_eq!(in_seconds(check(&good_vulndb()).unwrap()), VULNDB_MODIFIED);
    for (what, db) in odd_vulndbs() {
        let modified = check(&db).unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!(in_seconds(modified), VULNDB_MODIFIED, "{what}");
    }
}

#[test]
fn what_does_not_agree_with_itself_is_refused() {
    let wrong = wrong_vulndbs();
    assert!(wrong.len() > 30);
    for (want, db) in wrong {
        let error = modferry_cli::in_one_line(&check(&db).unwrap_err());
        assert!(error.contains(want), "{want}: {error}");
    }
}

#[test]
fn the_last_change_is_that_of_the_newest_report() {
    let reports = ["2026-11-20T08:30:00.25Z", "2026-11-20T08:30:00Z"].map(|modified| {
        let mut report = vulnerability(
            &format!("GO-2024-{:04}", modified.len()),
            "a.test/a",
            &[["0", ""]],
        );
        report["modified"] = modified.into();
        report
    });
    let mut db = TestVulndb::new(&reports);
    let put = |db: &mut TestVulndb, modified: &str| {
        let json = format!(r#"{{"modified":"{modified}"}}"#);
        db.0.insert("index/db".into(), json.into());
    };
    put(&mut db, "2026-11-20T08:30:00.25Z");
    // Manifests have whole seconds.
    assert_eq!(in_seconds(check(&db).unwrap()), "2026-11-20T08:30:00Z");
    for other in ["2026-11-20T08:30:00.5Z", "2026-11-20T08:30:00Z"] {
        put(&mut db, other);
        let error = check(&db).unwrap_err();
        assert!(matches!(error, VulndbError::NotNewest { .. }), "{error}");
    }
}

#[test]
fn reports_are_about_so_many_modules_and_no_more() {
    let report = |id: &str, modules: std::ops::Range<usize>| {
        let affected: Vec<String> = modules
            .map(|n| format!(r#"{{"package":{{"name":"m{n}"}}}}"#))
            .collect();
        let affected = affected.join(",");
        format!(r#"{{"id":"{id}","modified":"{VULNDB_MODIFIED}","affected":[{affected}]}}"#)
    };
    let mut check = VulndbCheck::default();
    let mut give = |id: &str, modules| {
        let name = format!("ID/{id}").parse().unwrap();
        check
            .document(&name, report(id, modules).as_bytes())
            .map(drop)
    };
    let half = MAX_AFFECTED / 2;
    give("GO-2024-0001", 0..half).unwrap();
    give("GO-2024-0002", 0..MAX_AFFECTED - half).unwrap();
    let error = give("GO-2024-0003", 0..1).unwrap_err();
    assert_eq!(
        error.to_string(),
        "its reports are about more than 262144 modules together"
    );
}

#[test]
fn an_error_shows_the_beginning_of_a_value_without_control_characters() {
    let mut db = good_vulndb();
    let long = format!("\u{1b}]0;owned\u{7}{}", "x".repeat(10_000));
    db.put("index/db", &serde_json::json!({ "modified": long }));
    let error = check(&db).unwrap_err().to_string();
    assert!(error.contains(r"\u{1b}]0;owned\u{7}xxx"), "{error}");
    assert!(error.len() < 200, "{error}");
}
