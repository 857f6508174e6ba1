//! Bundles that are dropped, with no one there.

use super::*;
use crate::import::spool;

#[test]
fn the_spool_sorts_what_is_dropped() {
    let (sumdb, modules) = world(600);
    let site = Site::new(&sumdb);
    let spool = site.dir.path().join("spool");
    let incoming = spool.join("incoming");
    fs::create_dir_all(&incoming).unwrap();
    let first = TestBundle::at(&sumdb, 300, &[&modules[0]], &[]);
    let second = TestBundle::of(&sumdb, &[&modules[0], &modules[500]], &[300]).less(&first, 2);
    let mut copying = TestBundle::of(&sumdb, &[&modules[3]], &[300]);
    copying.sequence = modferry_protocol::bundle::Sequence::new(3).unwrap();
    site.drop_into(&incoming, &second);
    site.drop_into(&incoming, &first);
    let sealed = site.drop_into(&incoming, &copying);
    let volume = incoming.join("test.000003.v001.tar");
    fs::write(&volume, &sealed.volume[..sealed.volume.len() - 512]).unwrap();
    // One that nobody trusted signed, and one whose bytes are wrong.
    let mut foreign = first.clone();
    foreign.stream = "foreign".parse().unwrap();
    let foreign_site = Site {
        dir: tempfile::tempdir().unwrap(),
        key: key("site"),
    };
    foreign_site.drop_into(&incoming, &foreign);
    let mut wrong = first.clone();
    wrong.stream = "wrong".parse().unwrap();
    let mut bytes = site.drop_into(&incoming, &wrong).volume;
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(incoming.join("wrong.000001.v001.tar"), bytes).unwrap();
    fs::write(incoming.join("README"), b"not a bundle").unwrap();

    let run = || {
        let session = Session::begin(&site.store(), false).unwrap();
        let mut told = Vec::new();
        spool::run(&session, &spool, &NoProgress, |spooled| {
            told.push(spool::report_text(spooled))
        })
        .unwrap();
        told.sort();
        told
    };
    let told = run();
    assert_eq!(told.len(), 5, "{told:#?}");
    assert!(
        told[0].starts_with("foreign.000001: refused: "),
        "{told:#?}"
    );
    assert!(
        told[1].starts_with("test.000001.v001.tar: imported"),
        "{told:#?}"
    );
    assert!(
        told[2].starts_with("test.000002.v001.tar: imported"),
        "{told:#?}"
    );
    assert!(told[3].starts_with("test.000003: waiting: "), "{told:#?}");
    assert!(told[4].starts_with("wrong.000001: refused: "), "{told:#?}");
    let names = |folder: &str| {
        let mut names: Vec<_> = fs::read_dir(spool.join(folder))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    };
    assert_eq!(
        names("incoming"),
        ["README", "test.000003.manifest", "test.000003.v001.tar"]
    );
    assert_eq!(names("done").len(), 2 * 4);
    assert_eq!(
        names("refused")[..4],
        [
            "foreign.000001.manifest",
            "foreign.000001.report.json",
            "foreign.000001.report.txt",
            "foreign.000001.v001.tar"
        ]
    );
    let report = fs::read(spool.join("refused/wrong.000001.report.json")).unwrap();
    let report: serde_json::Value = serde_json::from_slice(&report).unwrap();
    assert_eq!(
        (report["spool"].as_str(), report["exit"].as_u64()),
        (Some("refused"), Some(4))
    );

    fs::write(&volume, &sealed.volume).unwrap(); // the copy is done
    let told = run();
    assert!(
        told[0].starts_with("test.000003.v001.tar: imported"),
        "{told:#?}"
    );
    assert_eq!(site.totals().imports, 3);
}

#[test]
fn the_spool_keeps_bundles_when_the_fault_is_not_theirs() {
    let (sumdb, modules) = world(3);
    let site = Site::new(&sumdb);
    let spool = site.dir.path().join("spool");
    fs::create_dir_all(spool.join("incoming")).unwrap();
    site.drop_into(
        &spool.join("incoming"),
        &TestBundle::of(&sumdb, &[&modules[0]], &[]),
    );
    let _held = Session::begin(&site.store(), false).unwrap();
    assert!(Session::begin(&site.store(), false).is_err());
    assert_eq!(fs::read_dir(spool.join("incoming")).unwrap().count(), 2);
}
