//! Databases as they lie about.

#![allow(clippy::unwrap_used)]
use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use modferry_checker::testing::{Packing, TestVulndb, archive_of, vulnerability as report};
use modferry_cli::Failure;

use super::*;
use crate::upstream::http::{HttpOptions, Retry};
use crate::upstream::testing::{Answer, TestServer};

struct Site {
    dir: tempfile::TempDir,
    cache: Cache,
    http: Http,
}

impl Site {
    fn new() -> Site {
        let dir = tempfile::tempdir().unwrap();
        let cache = Cache::open(&dir.path().join("cache")).unwrap();
        let options = HttpOptions {
            retry: Retry {
                attempts: 1,
                ..Retry::default()
            },
            ..HttpOptions::default()
        };
        let http = Http::new(options).unwrap();
        Site { dir, cache, http }
    }

    /// The ids of the reports in the database that these settings name.
    fn ids(&self, yaml: &str) -> Result<Vec<String>, String> {
        let mut config: VulndbConfig = modferry_cli::parse_config("test", yaml).unwrap();
        config.in_folder(self.dir.path());
        let database = at_hand(Some(&config), &self.http, &self.cache);
        let database = database.map_err(|error| modferry_cli::in_one_line(&error))?;
        let database = database.unwrap();
        Ok(database
            .reports()
            .iter()
            .map(|report| report.id().to_owned())
            .collect())
    }

    fn put(&self, name: &str, bytes: &[u8]) {
        std::fs::write(self.dir.path().join(name), bytes).unwrap();
    }
}

fn db() -> TestVulndb {
    TestVulndb::new(&[
        report("GO-2024-0001", "a.test/a", &[["0", ""]]),
        report("GO-2024-0002", "a.test/b", &[["0", ""]]),
    ])
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

const IDS: [&str; 2] = ["GO-2024-0001", "GO-2024-0002"];

#[test]
fn a_zip_is_read_in_either_packing() {
    let site = Site::new();
    for packing in [Packing::Stored, Packing::Deflated] {
        site.put("vulndb.zip", &db().zip(packing));
        assert_eq!(site.ids("vulndb.zip").unwrap(), IDS);
    }
    let hash = |bytes: &[u8]| hex(&Sha256::digest(bytes));
    let right = hash(&db().zip(Packing::Deflated));
    assert_eq!(
        site.ids(&format!("{{path: vulndb.zip, sha256: {right}}}"))
            .unwrap(),
        IDS
    );
    let wrong = hash(b"other");
    let error = site
        .ids(&format!("{{path: vulndb.zip, sha256: {wrong}}}"))
        .unwrap_err();
    assert!(
        error.contains(&format!("vulndb: its SHA-256 is {right}")),
        "{error}"
    );
}

#[test]
fn a_folder_is_read_compressed_or_not() {
    let site = Site::new();
    let folder = site.dir.path().join("db");
    db().write(&folder);
    // What web servers have beside it.
    std::fs::write(folder.join("index/index.html"), "<html>").unwrap();
    std::fs::write(folder.join("ID/index.json"), "{}").unwrap();
    assert_eq!(site.ids("db").unwrap(), IDS);
    assert_eq!(
        site.ids(&format!("file://{}", folder.display())).unwrap(),
        IDS
    );
    for name in ["index/modules", "ID/GO-2024-0002"] {
        let plain = folder.join(format!("{name}.json"));
        let bytes = std::fs::read(&plain).unwrap();
        std::fs::write(folder.join(format!("{name}.json.gz")), gzip(&bytes)).unwrap();
        assert_eq!(site.ids("db").unwrap(), IDS, "{name} in both forms");
        std::fs::remove_file(plain).unwrap();
        assert_eq!(site.ids("db").unwrap(), IDS, "{name}.json.gz alone");
    }
    let error = site
        .ids(&format!("{{path: db, sha256: {}}}", "00".repeat(32)))
        .unwrap_err();
    assert!(
        error.contains("db is a folder: only a zip has a SHA-256"),
        "{error}"
    );
    std::fs::remove_file(folder.join("ID/GO-2024-0001.json")).unwrap();
    let error = site.ids("db").unwrap_err();
    assert!(error.contains("db is no Go vulnerability database that can be used: index/modules.json names GO-2024-0001"), "{error}");
}

#[test]
fn a_compressed_document_is_bounded_by_what_it_comes_to() {
    let site = Site::new();
    let folder = site.dir.path().join("db");
    db().write(&folder);
    std::fs::remove_file(folder.join("index/db.json")).unwrap();
    let limit = usize::try_from(MAX_DOCUMENT).unwrap();
    let of = |size: usize| {
        let text = br#"{"modified":"2026-11-20T08:30:00Z"}"#;
        let mut text = text.to_vec();
        text.resize(size, b' ');
        gzip(&text)
    };
    std::fs::write(folder.join("index/db.json.gz"), of(limit)).unwrap();
    assert_eq!(site.ids("db").unwrap(), IDS);
    std::fs::write(folder.join("index/db.json.gz"), of(limit + 1)).unwrap();
    let error = site.ids("db").unwrap_err();
    assert!(
        error.contains("index/db: more than 8388608 bytes"),
        "{error}"
    );
}

#[test]
fn names_in_a_zip_are_names_of_documents_or_nothing() {
    let site = Site::new();
    let db = db();
    let mut files: Vec<(String, Vec<u8>)> =
        db.0.into_iter()
            .map(|(name, bytes)| (format!("{name}.json"), bytes))
            .collect();
    for odd in [
        "../ID/GO-2024-0003.json",
        "/ID/GO-2024-0003.json",
        "ID/",
        "ID/index.json",
        "README",
        "\u{e4}",
    ] {
        files.push((odd.to_owned(), Vec::new()));
    }
    let zip = |files: &[(String, Vec<u8>)]| {
        let files: Vec<(&str, &[u8])> = files
            .iter()
            .map(|(name, bytes)| (name.as_str(), bytes.as_slice()))
            .collect();
        archive_of(&files, Packing::Deflated)
    };
    site.put("vulndb.zip", &zip(&files));
    assert_eq!(site.ids("vulndb.zip").unwrap(), IDS);
    files.push(("ID/GO-2024-0001.json".into(), Vec::new()));
    site.put("vulndb.zip", &zip(&files));
    let error = site.ids("vulndb.zip").unwrap_err();
    assert!(error.contains("ID/GO-2024-0001 is there twice"), "{error}");
}

#[test]
fn a_zip_that_is_none_or_damaged_is_refused() {
    let site = Site::new();
    site.put("vulndb.zip", b"PK and no more");
    let error = site.ids("vulndb.zip").unwrap_err();
    assert!(
        error.contains("its zip cannot be read: not a zip archive"),
        "{error}"
    );
    // A byte of the first document's content.
    let mut zip = db().zip(Packing::Stored);
    let at = zip.windows(10).position(|ten| ten == b"At length.");
    let at = at.unwrap();
    zip[at] ^= 1;
    site.put("vulndb.zip", &zip);
    let error = site.ids("vulndb.zip").unwrap_err();
    assert!(
        error.contains("cannot be unpacked: its length or its checksum"),
        "{error}"
    );
    let large = std::fs::File::create(site.dir.path().join("vulndb.zip")).unwrap();
    large.set_len(MAX_ZIP).unwrap();
    let error = site.ids("vulndb.zip").unwrap_err();
    assert!(error.contains("not a zip archive"), "{error}");
    large.set_len(MAX_ZIP + 1).unwrap();
    let error = site.ids("vulndb.zip").unwrap_err();
    assert!(error.contains("larger than 67108864 bytes"), "{error}");
}

#[test]
fn a_server_has_it_as_one_zip() {
    let site = Site::new();
    let zip = db().zip(Packing::Deflated);
    let body = zip.clone();
    let server = TestServer::new(move |asked| match asked.path.as_str() {
        "/db/vulndb.zip" | "/other.zip" => Answer::ok(body.clone()),
        _ => Answer::status(404),
    });
    for url in ["/db", "/db/", "/db/vulndb.zip", "/other.zip"] {
        assert_eq!(
            site.ids(&format!("{}{url}", server.url)).unwrap(),
            IDS,
            "{url}"
        );
    }
    let error = site.ids(&format!("{}/nothing", server.url)).unwrap_err();
    assert!(error.contains("/nothing/vulndb.zip: 404"), "{error}");
    // Of a known hash it is kept, and of no other.
    let asked = server.paths().len();
    let hash = hex(&Sha256::digest(&zip));
    let known = format!("{{url: '{}/db', sha256: {hash}}}", server.url);
    for _ in 0..2 {
        assert_eq!(site.ids(&known).unwrap(), IDS);
    }
    assert_eq!(server.paths().len(), asked + 1);
    let kept = site.cache.root().join("vulndb").join(format!("{hash}.zip"));
    std::fs::write(&kept, b"damaged").unwrap();
    assert_eq!(site.ids(&known).unwrap(), IDS);
    assert_eq!(
        std::fs::read_dir(kept.parent().unwrap()).unwrap().count(),
        1
    );
    let error = site.ids("http://vuln.invalid/").unwrap_err();
    assert!(error.contains("over plain http anybody"), "{error}");
}

/// What to do about a database that cannot be used.
fn advice(site: &Site, name: &str) -> String {
    let config = VulndbConfig {
        place: Place::Path(site.dir.path().join(name)),
        sha256: None,
    };
    let error = at_hand(Some(&config), &site.http, &site.cache).unwrap_err();
    assert_eq!(error.exit(), Exit::Damaged);
    error.advice().unwrap()
}

#[test]
fn a_database_that_cannot_be_used_is_damaged_and_none_is_none() {
    let site = Site::new();
    site.put("vulndb.zip", b"");
    assert!(advice(&site, "vulndb.zip").starts_with("copy or fetch it again"));
    assert!(at_hand(None, &site.http, &site.cache).unwrap().is_none());
}

#[test]
fn a_database_past_a_limit_is_not_to_be_copied_again() {
    let site = Site::new();
    let mut large = db();
    let limit = usize::try_from(MAX_DOCUMENT).unwrap();
    large.0.insert("index/db".into(), vec![b' '; limit + 1]);
    large.write(&site.dir.path().join("large"));
    site.put("large.zip", &large.zip(Packing::Deflated));
    for name in ["large", "large.zip"] {
        let advice = advice(&site, name);
        assert!(advice.contains("use a newer modferry"), "{advice}");
        assert!(!advice.contains("copy"), "{advice}");
    }
}

#[test]
fn a_database_of_the_far_future_is_refused() {
    let site = Site::new();
    let mut later = report("GO-2024-0001", "a.test/a", &[["0", ""]]);
    later["modified"] = "9999-01-01T00:00:00Z".into();
    TestVulndb::new(&[later]).write(&site.dir.path().join("later"));
    assert!(advice(&site, "later").starts_with("set this machine's clock right"));
}
