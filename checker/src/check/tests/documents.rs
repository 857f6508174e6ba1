//! Vulnerability databases: taken document by document, and only as the one that the manifest names.

use super::*;
use crate::testing::{
    TestVulndb, VULNDB_MODIFIED, good_vulndb, odd_vulndbs, vulnerability, wrong_vulndbs,
};
use modferry_cli::{Exit, Failure};
use modferry_protocol::bundle::Vulndb;

const TIME: &str = VULNDB_MODIFIED;

#[test]
fn documents_go_to_the_stage_in_their_order() {
    let world = World::new();
    let bundle = world.bundle().with_vulndb(TIME, &good_vulndb().texts());
    let mut stage = MemoryStage::new();
    let report = world.check_on(&mut stage, &bundle).unwrap();
    assert_eq!((report.documents, report.zips), (5, 3));
    let (documents, snapshot) = stage.documents();
    let names: Vec<&str> = documents.iter().map(|name| name.as_str()).collect();
    let want = good_vulndb();
    assert_eq!(names, want.0.keys().collect::<Vec<_>>());
    assert_eq!(snapshot, bundle.vulndb.as_ref().map(|db| &db.snapshot));
    assert!(
        report
            .to_string()
            .contains("5  documents of a vulnerability database")
    );
}

#[test]
fn what_govulncheck_takes_is_taken() {
    let world = World::new();
    for (what, db) in odd_vulndbs() {
        let bundle = world.bundle().with_vulndb(TIME, &db.texts());
        let checked = world.check(&bundle);
        assert!(checked.is_ok(), "{what}: {checked:?}");
    }
}

#[test]
fn what_is_no_database_is_refused_and_not_to_be_copied_again() {
    let world = World::new();
    for (want, db) in wrong_vulndbs() {
        let error = world.refused(&world.bundle().with_vulndb(TIME, &db.texts()));
        let text = told(&error);
        assert!(text.contains(want), "{want}: {text}");
        signed_so(&error);
    }
    let later = "2026-11-20T08:30:01Z";
    let error = world.refused(&world.bundle().with_vulndb(later, &good_vulndb().texts()));
    let text = told(&error);
    let want =
        "it was changed last at 2026-11-20T08:30:00Z, and the manifest says 2026-11-20T08:30:01Z";
    assert!(text.contains(want), "{text}");
    signed_so(&error);
}

/// The error is one that no other copy of the bundle would mend.
#[track_caller]
fn signed_so(error: &CheckError) {
    assert_eq!(error.exit(), Exit::Damaged);
    let advice = error.advice().unwrap();
    assert!(advice.starts_with("it was signed as it is"), "{advice}");
    assert!(!advice.contains("copy "), "{advice}");
}

/// A text of a format to come.
#[test]
fn one_of_a_newer_format_wants_a_newer_modferry() {
    let world = World::new();
    let mut bundle = world.bundle().with_vulndb(TIME, &good_vulndb().texts());
    let piece = bundle.items.get_mut(&Item::Vulndb(1)).unwrap();
    let at = "modferry vulndb v".len();
    piece[at] = b'2';
    let error = world.refused(&bundle);
    let advice = error.advice().unwrap();
    assert!(advice.starts_with("use the modferry that made"), "{advice}");
}

/// In the second volume, say.
#[test]
fn the_volume_is_named_that_has_the_last_piece() {
    let world = World::new();
    let mut reports = Vec::new();
    for n in 0..40_u64 {
        let mut report = vulnerability(&format!("GO-2024-{n:04}"), "a.test/a", &[["0", ""]]);
        // Such as cannot be compressed away.
        let mut seed = n + 1;
        let noise = (0..200_000).map(|_| {
            seed = u64::wrapping_mul(seed, 6_364_136_223_846_793_005).wrapping_add(1);
            char::from(b'0' + (seed >> 58) as u8)
        });
        report["details"] = noise.collect::<String>().into();
        reports.push(report);
    }
    let mut bundle = world
        .bundle()
        .with_vulndb(TIME, &TestVulndb::new(&reports).texts());
    bundle.vulndb.as_mut().unwrap().snapshot.sha256[0] ^= 1;
    let sealed = bundle.seal_in(&[&world.key], Some(3 << 20));
    let last = (sealed.entries.iter())
        .rfind(|entry| (entry.items.iter()).any(|(item, _)| matches!(item, Item::Vulndb(_))));
    let last = last.unwrap().to_string();
    let volumes = [vec![sealed.volume], sealed.more].concat();
    let error = world.check_volumes(&mut MemoryStage::new(), &volumes);
    let error = error.unwrap_err();
    let CheckError::Vulndb { volume, entry, .. } = &error else {
        panic!("{error:?}");
    };
    assert!(entry.starts_with(&last), "{entry}: {last}");
    assert_ne!(volume, "test.000001.v001.tar");
}

#[test]
fn it_is_the_one_that_the_manifest_names() {
    let world = World::new();
    type Change = fn(&mut Vulndb);
    let changes: [Change; 2] = [
        |db| db.snapshot.documents += 1,
        |db| db.snapshot.sha256[0] ^= 1,
    ];
    for change in changes {
        let mut bundle = world.bundle().with_vulndb(TIME, &good_vulndb().texts());
        change(bundle.vulndb.as_mut().unwrap());
        let text = told(&world.refused(&bundle));
        assert!(
            text.contains("another one than the manifest names"),
            "{text}"
        );
    }
}

#[test]
fn one_that_is_not_carried_is_held_or_a_later_one() {
    let world = World::new();
    let first = world.bundle().with_vulndb(TIME, &good_vulndb().texts());
    let held = |modified: &str| {
        let mut next = world.bundle().less(&first, 2).on(&first);
        let mut db = first.vulndb.clone().unwrap();
        db.carried = false;
        db.snapshot.modified = modified.into();
        next.vulndb = Some(db);
        next
    };
    let mut stage = MemoryStage::new();
    let report = world.check_on(&mut stage, &first).unwrap();
    stage.commit(report.served);
    for fine in [TIME, "2026-11-20T08:29:59Z"] {
        assert_eq!(
            world.check_on(&mut stage, &held(fine)).unwrap().documents,
            0
        );
    }
    let error = world
        .check_on(&mut stage, &held("2026-11-20T08:30:01Z"))
        .unwrap_err();
    assert_eq!(error.exit(), Exit::Missing);
    let text = told(&error);
    assert!(
        text.contains("the vulnerability database of 2026-11-20T08:30:01Z"),
        "{text}"
    );
}
