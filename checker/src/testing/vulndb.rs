//! Small vulnerability databases: whole, or wrong in one chosen way.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};

use super::zip::{Packing, archive_of};

/// When a database of tests was last changed.
pub const VULNDB_MODIFIED: &str = "2026-11-20T08:30:00Z";

/// The documents of a database, by their names.
#[derive(Clone, Debug)]
pub struct TestVulndb(pub BTreeMap<String, Vec<u8>>);

/// A report of that id about versions of a module: `[introduced, fixed]` for each range, where an empty `fixed` is none.
pub fn vulnerability(id: &str, module: &str, ranges: &[[&str; 2]]) -> Value {
    let mut events = Vec::new();
    for [introduced, fixed] in ranges {
        events.push(json!({ "introduced": introduced }));
        if !fixed.is_empty() {
            events.push(json!({ "fixed": fixed }));
        }
    }
    json!({
        "schema_version": "1.3.1",
        "id": id,
        "modified": VULNDB_MODIFIED,
        "published": "2026-11-01T00:00:00Z",
        "aliases": [id.replace("GO-", "CVE-")],
        "summary": format!("What is wrong with {module}"),
        "details": "At length.",
        "affected": [{
            "package": { "name": module, "ecosystem": "Go" },
            "ranges": [{ "type": "SEMVER", "events": events }],
            "ecosystem_specific": { "imports": [{ "path": module, "symbols": ["Do"] }] },
        }],
        "references": [{ "type": "WEB", "url": "https://reports.test/1" }],
    })
}

/// A database of two reports that is whole.
pub fn good_vulndb() -> TestVulndb {
    TestVulndb::new(&[
        vulnerability("GO-2024-0001", "a.test/a", &[["0", ""]]),
        vulnerability("GO-2024-0002", "a.test/b", &[["0", ""]]),
    ])
}

/// Such as govulncheck takes, though they are not written as the public one is.
pub fn odd_vulndbs() -> Vec<(&'static str, TestVulndb)> {
    let mut all = vec![("no report", TestVulndb::new(&[]))];
    let mut with = |what, name: &str, document: Value| {
        let mut db = good_vulndb();
        db.put(name, &document);
        all.push((what, db));
    };
    let first = json!({ "id": "GO-2024-0001", "modified": VULNDB_MODIFIED, "fixed": null });
    let second = json!({ "id": "GO-2024-0002", "modified": "2026-11-20T10:30:00+02:00" });
    with(
        "a module without a report",
        "index/modules",
        json!([
            { "path": "example.com/none", "vulns": null },
            { "path": "a.test/a", "vulns": [first] },
            { "path": "a.test/b", "vulns": [second] },
            { "path": "example.com/nothing" },
        ]),
    );
    with(
        "a report with nothing in it",
        "ID/GO-2024-0001",
        json!({ "id": "GO-2024-0001", "modified": VULNDB_MODIFIED }),
    );
    let mut nulls = json!({ "id": "GO-2024-0001", "modified": VULNDB_MODIFIED });
    for field in [
        "schema_version",
        "published",
        "withdrawn",
        "aliases",
        "summary",
        "details",
        "affected",
        "references",
        "credits",
        "database_specific",
    ] {
        nulls[field] = Value::Null;
    }
    with("a report of nulls", "ID/GO-2024-0001", nulls);
    for (no_reports, index) in [("null", "index/modules"), ("null too", "index/vulns")] {
        let mut db = TestVulndb::new(&[]);
        db.put(index, &Value::Null);
        all.push((no_reports, db));
    }
    all
}

/// Such as are refused, each for another reason: what an error says of it.
pub fn wrong_vulndbs() -> Vec<(&'static str, TestVulndb)> {
    let other = "2026-11-19T00:00:00Z";
    let entry = |id: &str, modified: &str| json!({ "id": id, "modified": modified });
    let first = entry("GO-2024-0001", VULNDB_MODIFIED);
    let second = entry("GO-2024-0002", VULNDB_MODIFIED);
    let module = |path: &str, vulns: &[&Value]| json!({ "path": path, "vulns": vulns });
    let a = module("a.test/a", &[&first]);
    let report = |field: &str, value: Value| {
        let mut report = vulnerability("GO-2024-0001", "a.test/a", &[["0", ""]]);
        report[field] = value;
        ("ID/GO-2024-0001", report)
    };
    let put = |name: &'static str, document: Value| (name, document);
    let wrong: Vec<((&str, Value), &str)> = vec![
        (
            put("index/db", json!({})),
            "index/db.json is not what the format says: missing field `modified`",
        ),
        (
            put("index/db", json!({ "modified": "today" })),
            "index/db.json: modified: \"today\" is no time",
        ),
        (
            put("index/db", json!({ "modified": "1969-12-31T23:59:59Z" })),
            "index/db.json: modified: \"1969-12-31T23:59:59Z\" is no time since 1970",
        ),
        (
            put("index/db", json!({ "modified": "2026-11-21T08:30:00Z" })),
            "index/db.json: modified: 2026-11-21T08:30:00Z, and the report that was changed last is of 2026-11-20T08:30:00Z",
        ),
        (
            put("index/db", json!({ "modified": other })),
            "index/db.json: modified: 2026-11-19T00:00:00Z, and the report that was changed last is of 2026-11-20T08:30:00Z",
        ),
        (
            put("index/vulns", json!([first])),
            "ID/GO-2024-0002.json is there, and index/vulns.json does not name it",
        ),
        (
            put(
                "index/vulns",
                json!([first, second, entry("GO-2024-0009", VULNDB_MODIFIED)]),
            ),
            "index/vulns.json names GO-2024-0009, and ID/GO-2024-0009.json is not there",
        ),
        (
            put(
                "index/vulns",
                json!([first, second, entry("../evil", VULNDB_MODIFIED)]),
            ),
            "index/vulns.json: id: \"../evil\" is no id of a report",
        ),
        (
            put("index/vulns", json!([first, entry("GO-2024-0002", other)])),
            "ID/GO-2024-0002.json: modified: 2026-11-20T08:30:00Z, and index/vulns.json says 2026-11-19T00:00:00Z",
        ),
        (
            put("index/vulns", json!([first, entry("GO-2024-0002", "")])),
            "index/vulns.json: modified: \"\" is no time",
        ),
        (
            put("index/vulns", json!({ "id": 1 })),
            "index/vulns.json is not what the format says",
        ),
        (
            put("index/modules", json!([a])),
            "ID/GO-2024-0002.json is about \"a.test/b\", and index/modules.json does not say so",
        ),
        (
            put("index/modules", Value::Null),
            "ID/GO-2024-0001.json is about \"a.test/a\", and index/modules.json does not say so",
        ),
        (
            put(
                "index/modules",
                json!([
                    a,
                    module(
                        "a.test/b",
                        &[&second, &entry("GO-2024-0009", VULNDB_MODIFIED)]
                    )
                ]),
            ),
            "index/modules.json names GO-2024-0009, and",
        ),
        (
            put(
                "index/modules",
                json!([a, module("a.test/b", &[&entry("GO-2024-0002", other)])]),
            ),
            "and index/modules.json says 2026-11-19T00:00:00Z",
        ),
        (
            put(
                "index/modules",
                json!([a, module("a.test/b", &[&entry("GO-1", VULNDB_MODIFIED)])]),
            ),
            "index/modules.json: id: \"GO-1\" is no id",
        ),
        (
            put("index/modules", json!([{ "vulns": [] }])),
            "index/modules.json is not what the format says: missing field `path`",
        ),
        (
            put(
                "index/modules",
                json!([{ "path": "a.test/a", "vulns": [{ "id": "GO-2024-0001", "modified": VULNDB_MODIFIED, "fixed": 1 }] }]),
            ),
            "index/modules.json is not what the format says: invalid type: integer `1`, expected a string",
        ),
        (
            report("id", "GO-2024-0003".into()),
            "ID/GO-2024-0001.json: id: \"GO-2024-0003\" is no id of the report of that name",
        ),
        (
            report("modified", 7.into()),
            "ID/GO-2024-0001.json is not what the format says: invalid type: integer `7`, expected a string at line 1",
        ),
        (
            report("modified", "2026-11-20 08:30:00Z".into()),
            "ID/GO-2024-0001.json: modified: \"2026-11-20 08:30:00Z\" is no time",
        ),
        (
            report("published", "2026-11-20T08:30:00Z[UTC]".into()),
            "ID/GO-2024-0001.json: published: \"2026-11-20T08:30:00Z[UTC]\" is no time",
        ),
        (
            report("withdrawn", "yesterday".into()),
            "ID/GO-2024-0001.json: withdrawn: \"yesterday\" is no time",
        ),
        (
            report("aliases", json!("CVE-2024-1")),
            "expected a sequence",
        ),
        (report("details", json!(["a"])), "expected a string"),
        (
            report("affected", json!([{ "package": {} }])),
            "missing field `name`",
        ),
        (
            report(
                "affected",
                json!([{ "package": { "name": "a.test/a", "ecosystem": 1 } }]),
            ),
            "expected a string",
        ),
        (
            report(
                "affected",
                json!([{ "package": { "name": "a.test/a" }, "ranges": [{ "type": "SEMVER", "events": [{ "fixed": 1 }] }] }]),
            ),
            "expected a string",
        ),
        (
            report(
                "affected",
                json!([{ "package": { "name": "a.test/a" }, "ecosystem_specific": { "imports": [{ "symbols": "Do" }] } }]),
            ),
            "expected a sequence",
        ),
        (
            report("references", json!([{ "url": 1 }])),
            "expected a string",
        ),
        (
            report("credits", json!([{ "name": 1 }])),
            "expected a string",
        ),
        (
            report("database_specific", json!({ "review_status": "MAYBE" })),
            "unknown variant `MAYBE`",
        ),
    ];
    let mut all = Vec::new();
    for ((name, document), what) in wrong {
        let mut db = good_vulndb();
        db.put(name, &document);
        all.push((what, db));
    }
    for (name, what) in [
        ("index/db", "it has no index/db.json"),
        ("index/modules", "it has no index/modules.json"),
        ("index/vulns", "it has no index/vulns.json"),
    ] {
        let mut db = good_vulndb();
        db.0.remove(name);
        all.push((what, db));
    }
    for (name, text, what) in [
        (
            "ID/GO-2024-0001",
            "x",
            "ID/GO-2024-0001.json is not what the format says",
        ),
        ("index/vulns", "[] x", "trailing characters"),
        (
            "index/db",
            r#"{"modified":"2026-11-20T08:30:00Z","modified":"2027-11-20T08:30:00Z"}"#,
            "duplicate field `modified`",
        ),
    ] {
        let mut db = good_vulndb();
        db.0.insert(name.into(), text.into());
        all.push((what, db));
    }
    all
}

impl TestVulndb {
    /// A database of these reports, with the indexes that they come to.
    pub fn new(reports: &[Value]) -> TestVulndb {
        let mut modules: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
        let mut vulns = Vec::new();
        let mut documents = BTreeMap::new();
        for report in reports {
            let said = json!({ "id": report["id"], "modified": report["modified"] });
            for affected in report["affected"].as_array().into_iter().flatten() {
                let module = affected["package"]["name"].as_str().unwrap();
                modules.entry(module).or_default().push(said.clone());
            }
            vulns.push(said);
            let name = format!("ID/{}", report["id"].as_str().unwrap());
            documents.insert(name, report.to_string().into_bytes());
        }
        let modules = modules
            .into_iter()
            .map(|(path, vulns)| json!({ "path": path, "vulns": vulns }));
        let mut db = TestVulndb(documents);
        let newest = reports
            .iter()
            .filter_map(|report| report["modified"].as_str());
        let newest = newest.max().unwrap_or(VULNDB_MODIFIED);
        db.put("index/db", &json!({ "modified": newest }));
        db.put("index/modules", &modules.collect());
        db.put("index/vulns", &vulns.into());
        db
    }

    /// Each document's name and its bytes, in order.
    pub fn texts(&self) -> Vec<(&str, &str)> {
        let documents = self.0.iter();
        documents
            .map(|(name, json)| (&**name, std::str::from_utf8(json).unwrap()))
            .collect()
    }

    /// The same, with a document in another's place.
    pub fn put(&mut self, name: &str, document: &Value) {
        self.0
            .insert(name.into(), document.to_string().into_bytes());
    }

    /// A zip of them.
    pub fn zip(&self, packing: Packing) -> Vec<u8> {
        let names: Vec<String> = self.0.keys().map(|name| format!("{name}.json")).collect();
        let contents = self.0.values().map(Vec::as_slice);
        let files: Vec<(&str, &[u8])> = names.iter().map(String::as_str).zip(contents).collect();
        archive_of(&files, packing)
    }

    /// A folder of them.
    pub fn write(&self, folder: &Path) {
        for (name, bytes) in &self.0 {
            let path = folder.join(format!("{name}.json"));
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, bytes).unwrap();
        }
    }
}
