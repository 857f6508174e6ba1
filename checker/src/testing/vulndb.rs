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
        db.put("index/db", &json!({ "modified": VULNDB_MODIFIED }));
        db.put("index/modules", &modules.collect());
        db.put("index/vulns", &vulns.into());
        db
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
