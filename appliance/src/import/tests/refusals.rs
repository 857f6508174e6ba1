//! What is not imported, and what is said of it.

use super::*;
use std::os::unix::fs::MetadataExt;

#[test]
fn a_fork_is_refused_and_both_heads_are_kept() {
    let (base, modules) = world(100);
    let (mut sumdb, mut forked) = (base.clone(), base);
    sumdb.pad(200, "what one is shown");
    let site = Site::new(&sumdb);
    site.import_one(&TestBundle::of(&sumdb, &[&modules[0]], &[]))
        .unwrap();
    let before = site.totals();

    forked.pad(300, "what another is shown");
    let other = [TestModule::numbered(1000)];
    forked.add(&other[0]);
    let bundle = TestBundle::of(&forked, &[&other[0]], &[300]);
    let refused = site.import_one(&bundle).unwrap_err();
    assert_eq!(refused.exit(), Exit::Sumdb);
    let ImportError::Refused {
        evidence: Some(evidence),
        source,
        ..
    } = &refused
    else {
        panic!("{refused:?}")
    };
    assert!(matches!(**source, CheckError::Fork { .. }), "{source}");
    assert!(
        refused
            .advice()
            .unwrap()
            .contains(&evidence.display().to_string())
    );
    assert_eq!(
        fs::read(evidence.join("held.note")).unwrap(),
        sumdb.signed(&sumdb.head_at(300))
    );
    assert_eq!(
        fs::read(evidence.join("offered.note")).unwrap(),
        forked.signed(&forked.head_at(forked.size()))
    );
    assert_eq!(site.totals(), before);
    assert_eq!(site.reader().head_size(sumdb.db()).unwrap(), Some(300));
    // Once more: what is kept already is not touched, and what is not whole is made so.
    let name = evidence.file_name().unwrap().to_str().unwrap();
    let sizes = format!("-300-{}-", forked.size());
    assert!(name.contains(&sizes), "{name}");
    let number = |name| fs::metadata(evidence.join(name)).unwrap().ino();
    let before = (number("held.note"), number("offered.note"));
    fs::write(evidence.join("offered.note"), b"cut sho").unwrap();
    site.import_one(&bundle).unwrap_err();
    assert_eq!(number("held.note"), before.0);
    assert_ne!(number("offered.note"), before.1, "replaced by renaming");
    assert_eq!(
        fs::read(evidence.join("offered.note")).unwrap(),
        forked.signed(&forked.head_at(forked.size()))
    );
    assert_eq!(fs::read_dir(evidence).unwrap().count(), 2);
}

#[test]
fn a_damaged_bundle_changes_nothing_and_is_named() {
    let (sumdb, modules) = world(40);
    let site = Site::new(&sumdb);
    site.import_one(&TestBundle::at(&sumdb, 10, &[&modules[0]], &[]))
        .unwrap();
    let before = site.totals();
    let all: Vec<_> = modules.iter().collect();
    let mut bundle = TestBundle::of(&sumdb, &all, &[10]);
    bundle.sequence = modferry_protocol::bundle::Sequence::new(2).unwrap();
    fs::remove_dir_all(site.incoming()).unwrap();
    fs::create_dir(site.incoming()).unwrap();
    let sealed = site.drop_in(&bundle);
    let volume = site.incoming().join("test.000002.v001.tar");
    let last = sealed.volume.len() - 1024 - 512 - 10;
    for at in [sealed.volume.len() / 2, last] {
        let mut bytes = sealed.volume.clone();
        bytes[at] ^= 1;
        fs::write(&volume, &bytes).unwrap();
        for refused in [site.import().unwrap_err(), site.verify().unwrap_err()] {
            assert_eq!(refused.exit(), Exit::Damaged);
            let text = refused.to_string();
            let named = "the bundle is not accepted: test.000002.v001.tar: entry 0000";
            assert!(text.starts_with(named), "{text}");
        }
        fs::write(&volume, &sealed.volume[..at]).unwrap();
        assert_eq!(site.import().unwrap_err().exit(), Exit::Damaged);
    }
    assert_eq!(site.totals(), before);
    fs::write(&volume, &sealed.volume).unwrap();
    site.import().unwrap();
    assert_eq!(site.totals().counts.versions, 40);
}

#[test]
fn without_a_key_or_with_another_nothing_is_read() {
    let (sumdb, modules) = world(3);
    let site = Site::new(&sumdb);
    let bundle = TestBundle::of(&sumdb, &[&modules[0]], &[]);
    site.drop_in(&bundle);
    let trust = TrustStore::of(&site.store());
    trust.remove("site").unwrap();
    let refused = site.import().unwrap_err();
    assert_eq!(refused.exit(), Exit::Untrusted);
    assert!(refused.advice().unwrap().contains("trust add"));
    assert!(
        !site.store().join("db").exists(),
        "no store is made for nobody"
    );
    trust
        .add(Kind::Bundle, &key("site").verifier().to_string())
        .unwrap();
    assert_eq!(site.import().unwrap_err().exit(), Exit::Untrusted);
    assert_eq!(site.verify().unwrap_err().exit(), Exit::Untrusted);
    assert_eq!(site.totals(), Totals::default());
}

#[test]
fn signatures_of_the_sidecar_count() {
    let (sumdb, modules) = world(3);
    let site = Site::new(&sumdb);
    let second = key("second");
    let trust = TrustStore::of(&site.store());
    trust
        .add(Kind::Bundle, &second.verifier().to_string())
        .unwrap();
    trust.require(2, None).unwrap();
    let sealed = site.drop_in(&TestBundle::of(&sumdb, &[&modules[0]], &[]));
    assert_eq!(site.import().unwrap_err().exit(), Exit::Untrusted);
    let both = modferry_protocol::note::add_signature(&sealed.manifest, &second).unwrap();
    fs::write(site.incoming().join("test.000001.manifest"), both).unwrap();
    let done = &site.import().unwrap()[0];
    assert_eq!(done.checks.as_ref().unwrap().signers.len(), 2);
    let ledger = site.reader().ledger(1).unwrap().unwrap();
    let import = ledger.import().unwrap();
    assert!(import.source.manifest.contains("second"));
}

#[test]
fn a_sidecar_of_another_bundle_is_refused() {
    let (sumdb, modules) = world(3);
    let site = Site::new(&sumdb);
    let other = TestBundle::of(&sumdb, &[&modules[1]], &[]).seal(&[&site.key]);
    site.drop_in(&TestBundle::of(&sumdb, &[&modules[0]], &[]));
    fs::write(site.incoming().join("test.000001.manifest"), other.manifest).unwrap();
    assert_eq!(site.import().unwrap_err().exit(), Exit::Damaged);
}

#[test]
fn a_lost_sidecar_is_no_loss_and_a_lost_volume_is() {
    let (sumdb, modules) = world(3);
    let site = Site::new(&sumdb);
    site.drop_in(&TestBundle::of(&sumdb, &[&modules[0]], &[]));
    let manifest = site.incoming().join("test.000001.manifest");
    let volume = site.incoming().join("test.000001.v001.tar");
    let aside = site.dir.path().join("aside");
    fs::rename(&volume, &aside).unwrap();
    let refused = site.import().unwrap_err();
    assert!(matches!(refused, ImportError::NoVolume { .. }));
    assert_eq!(refused.exit(), Exit::Missing);
    fs::rename(&aside, &volume).unwrap();
    fs::remove_file(manifest).unwrap();
    site.import().unwrap();
    fs::remove_file(&volume).unwrap();
    assert!(matches!(site.import(), Err(ImportError::Nothing { .. })));
    // One that is none is named, whether something says whose it should be or not.
    fs::write(&volume, b"").unwrap();
    let refused = site.import().unwrap_err();
    assert_eq!(refused.exit(), Exit::Damaged);
    let text = modferry_cli::in_one_line(&refused);
    assert!(text.contains("test.000001.v001.tar"), "{text}");
}

#[test]
fn no_room_is_said_before_anything_is_written() {
    let (sumdb, modules) = world(3);
    let site = Site::new(&sumdb);
    let mut bundle = TestBundle::of(&sumdb, &[&modules[0]], &[]);
    let entries = bundle.entries();
    let listed: Vec<_> = entries.into_iter().map(|(entry, _)| entry).collect();
    let mut manifest = bundle.manifest(&listed, b"");
    manifest.totals.zip_bytes = 1 << 60;
    manifest.totals.carried_bytes = (1 << 60) + 5;
    let need = needed(&manifest);
    assert!(need > 1 << 60);
    let refused = room::check(&site.store(), "b", &manifest).unwrap_err();
    assert_eq!(refused.exit(), Exit::NoRoom);
    assert!(
        refused.to_string().contains("1152 PB") || refused.to_string().contains("b needs about")
    );
    // Zips above a size lie in the staging folder once more while they are checked, three of them at most.
    let need_with = |zip_bytes| {
        let mut manifest = manifest.clone();
        manifest.totals.zip_bytes = zip_bytes;
        manifest.totals.carried_bytes = zip_bytes;
        needed(&manifest) - zip_bytes
    };
    let (spooled, most) = (modferry_checker::SPOOL_ABOVE, 500 << 20);
    let small = need_with(spooled);
    for (zip_bytes, copies) in [
        (spooled + 1, spooled + 1),
        (3 * most, 3 * most),
        (3 * most + 1, 3 * most),
        (1 << 60, 3 * most),
    ] {
        assert_eq!(need_with(zip_bytes), small + copies, "{zip_bytes}");
    }
    // What packed zips are put together from lies there, too, for a while.
    let before = needed(&manifest);
    manifest.deflated.streams = 1000;
    manifest.deflated.bytes = 1 << 40;
    assert_eq!(needed(&manifest) - before, 1000 * 53 + (1 << 40));
    // So do the places of bases' entries.
    let before = needed(&manifest);
    manifest.bases = 10;
    assert_eq!(needed(&manifest) - before, 10 * (32 << 10));
    manifest.deflated.bytes = u64::MAX;
    assert_eq!(needed(&manifest), u64::MAX);
    manifest.totals.zip_bytes = u64::MAX;
    manifest.totals.tiles = u64::MAX;
    assert_eq!(needed(&manifest), u64::MAX, "no overflow");
    bundle.missing.clear();
}

#[test]
fn an_import_in_the_way_is_named() {
    let (sumdb, _) = world(3);
    let site = Site::new(&sumdb);
    let _session = Session::begin(&site.store(), false).unwrap();
    let refused = Session::begin(&site.store(), false).err().unwrap();
    assert_eq!(refused.exit(), Exit::InUse);
    assert!(
        refused
            .to_string()
            .contains(&format!("pid {}", std::process::id())),
        "{refused}"
    );
}

#[test]
fn a_key_that_was_removed_while_an_import_waited_is_not_trusted() {
    let (sumdb, _) = world(3);
    let site = Site::new(&sumdb);
    let waited = || {
        TrustStore::of(&site.store()).remove("site").unwrap();
        crate::store::Store::open_or_create(&site.store(), "import", true)
    };
    let refused = Session::begin_with(&site.store(), waited).err().unwrap();
    assert_eq!(refused.exit(), Exit::Untrusted);
}
