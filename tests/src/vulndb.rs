//! Small Go vulnerability databases, as a folder in the layout that vuln.go.dev publishes.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

/// A report of our own making: which functions of a package are vulnerable, and since when they no longer are.
#[derive(Clone, Copy, Debug)]
pub struct Report {
    /// Its ID.
    pub id: &'static str,
    /// The module.
    pub module: &'static str,
    /// The package.
    pub package: &'static str,
    /// The functions.
    pub symbols: &'static [&'static str],
    /// The first version without it, without a `v`.
    pub fixed: &'static str,
}

impl Report {
    fn osv(&self, modified: &str) -> Value {
        json!({
            "schema_version": "1.3.1",
            "id": self.id,
            "modified": modified,
            "published": "2026-01-01T00:00:00Z",
            "aliases": [self.id.replace("GO-", "CVE-")],
            "summary": format!("What is wrong with {}", self.package),
            "details": "At length, on\nseveral lines.",
            "affected": [{
                "package": { "name": self.module, "ecosystem": "Go" },
                "ranges": [{ "type": "SEMVER", "events": [{ "introduced": "0" }, { "fixed": self.fixed }] }],
                "ecosystem_specific": { "imports": [{ "path": self.package, "symbols": self.symbols }] },
            }],
            "database_specific": { "url": format!("https://pkg.go.dev/vuln/{}", self.id), "review_status": "REVIEWED" },
        })
    }
}

/// The documents of a database, by name: that was last changed then, with these reports.
pub fn documents(modified: &str, reports: &[Report]) -> BTreeMap<String, Vec<u8>> {
    let mut documents = BTreeMap::new();
    let mut modules: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
    let mut vulns = Vec::new();
    for report in reports {
        let osv = report.osv(modified);
        let text = serde_json::to_vec_pretty(&osv).unwrap();
        documents.insert(format!("ID/{}", report.id), text);
        let vuln = json!({ "id": report.id, "modified": modified, "fixed": report.fixed });
        modules.entry(report.module).or_default().push(vuln);
        vulns.push(json!({ "id": report.id, "modified": modified, "aliases": osv["aliases"] }));
    }
    let modules: Vec<Value> = (modules.into_iter())
        .map(|(path, vulns)| json!({ "path": path, "vulns": vulns }))
        .collect();
    for (name, document) in [
        ("index/db", json!({ "modified": modified })),
        ("index/modules", json!(modules)),
        ("index/vulns", json!(vulns)),
    ] {
        documents.insert(name.into(), document.to_string().into_bytes());
    }
    documents
}

/// Writes them into a folder, which has nothing else then.
pub fn write(folder: &Path, documents: &BTreeMap<String, Vec<u8>>) -> PathBuf {
    let _ = std::fs::remove_dir_all(folder);
    for (name, json) in documents {
        let file = folder.join(format!("{name}.json"));
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, json).unwrap();
    }
    folder.to_path_buf()
}

/// Two databases, the second of which takes the place of the first: one report stays, one goes, and one is new.
pub fn two() -> [BTreeMap<String, Vec<u8>>; 2] {
    let report = |id| Report {
        id,
        module: "example.com/first0",
        package: "example.com/first0",
        symbols: &["Do"],
        fixed: "1.1.0",
    };
    let [stays, goes, comes] = IDS.map(report);
    [
        documents("2026-11-19T12:00:00Z", &[stays, goes]),
        documents("2026-11-20T12:00:00Z", &[stays, comes]),
    ]
}

/// What govulncheck may ask for where the one or the other is held.
pub fn paths_of_two() -> Vec<String> {
    let reports = IDS.map(|id| format!("ID/{id}"));
    let indexes = ["index/db", "index/modules", "index/vulns"].map(str::to_owned);
    let names = reports.into_iter().chain(indexes);
    names
        .flat_map(|name| ["json", "json.gz"].map(|form| format!("/vulndb/{name}.{form}")))
        .collect()
}

/// The reports of the two.
const IDS: [&str; 3] = ["GO-2026-0001", "GO-2026-0002", "GO-2026-0003"];
