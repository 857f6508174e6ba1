//! What is left on disk for those who were not there.

use super::*;
use crate::import::report;

fn reports(site: &Site) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(report::folder(&site.store()))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn each_import_leaves_a_report_that_shows_every_check() {
    let (sumdb, modules) = world(3);
    let site = Site::new(&sumdb);
    let done = site
        .import_one(&TestBundle::of(&sumdb, &[&modules[0], &modules[1]], &[]))
        .unwrap();
    let names = ["000001-test.000001.json", "000001-test.000001.txt"];
    assert_eq!(reports(&site), names);
    let path = done.report.unwrap();
    assert!(path.ends_with(names[1]), "{}", path.display());
    let text = fs::read_to_string(&path).unwrap();
    for part in [
        "imported (stream test, bundle 1",
        "signed by site+",
        "        2  zips (",
        "        2  go.mod files have the h1",
        "new: 2 module versions",
        "committed in ",
        &done.manifest_sha256,
    ] {
        assert!(text.contains(part), "{part:?} is not in {text}");
    }
    let json = fs::read(path.with_extension("json")).unwrap();
    let json: serde_json::Value = serde_json::from_slice(&json).unwrap();
    assert_eq!(json["outcome"], "imported");
    assert_eq!(json["checks"]["mods"], 2);
    assert!(
        json["checks"]["signers"][0]
            .as_str()
            .unwrap()
            .starts_with("site+")
    );
    assert!(json["commit_seconds"].as_f64().unwrap() > 0.0);
    // Nothing else is a report: neither a verification nor the same once more.
    site.verify().unwrap();
    assert_eq!(site.import().unwrap()[0].outcome, Outcome::AlreadyImported);
    assert_eq!(reports(&site), names);
}

#[test]
fn a_report_that_a_kill_took_is_written_again_from_the_ledger() {
    let (sumdb, modules) = world(3);
    let site = Site::new(&sumdb);
    site.import_one(&TestBundle::of(&sumdb, &[&modules[0]], &[]))
        .unwrap();
    let folder = report::folder(&site.store());
    fs::remove_file(folder.join("000001-test.000001.txt")).unwrap();
    fs::write(folder.join(".tmp12345"), b"half a rep").unwrap();
    site.import().unwrap();
    assert_eq!(
        reports(&site),
        ["000001-test.000001.json", "000001-test.000001.txt"]
    );
    let text = fs::read_to_string(folder.join("000001-test.000001.txt")).unwrap();
    for part in [
        "written from the ledger",
        "signed by site+",
        "        1  zips\n",
    ] {
        assert!(text.contains(part), "{part:?} is not in {text}");
    }
}

#[test]
fn an_import_whose_report_cannot_be_written_is_an_import() {
    let (sumdb, modules) = world(3);
    let site = Site::new(&sumdb);
    site.import_one(&TestBundle::of(&sumdb, &[&modules[0]], &[]))
        .unwrap();
    let folder = report::folder(&site.store());
    fs::remove_dir_all(&folder).unwrap();
    std::os::unix::fs::symlink("/dev/null", &folder).unwrap();
    let mut second = TestBundle::of(&sumdb, &[&modules[1]], &[]);
    second.sequence = modferry_protocol::bundle::Sequence::new(2).unwrap();
    // What is no folder cannot be swept either: that is said before anything is imported.
    assert!(matches!(
        site.import_one(&second),
        Err(ImportError::Input { .. })
    ));
    fs::remove_file(&folder).unwrap();
    std::os::unix::fs::symlink("not-there", &folder).unwrap();
    let done = site.import_one(&second).unwrap();
    assert_eq!((done.outcome, done.report), (Outcome::Imported, None));
    assert!(done.notes.last().unwrap().contains("report could not be"));
}
