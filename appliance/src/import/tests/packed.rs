//! Packed bundles: stores that they make are those that verbatim ones make, and what they are packed against must be held.

use super::*;
use modferry_checker::diff::{bundles, compare};
use modferry_checker::testing::TestPacking;
use modferry_protocol::bundle::{Gone, Sequence, StreamName};

fn frames_of(frame: usize) -> TestPacking {
    TestPacking::frames_of(frame)
}

/// Everything in a store but what tells one import from another: ledger, manifests, totals of streams, and the number
/// that a bundle's chunks of zips begin with.
fn content(site: &Site, bundle: &TestBundle) -> Vec<(Vec<u8>, Vec<u8>)> {
    let id = &bundle.sha256()[..8];
    let mask = |mut bytes: Vec<u8>| {
        let at = bytes.windows(8).position(|window| window == id);
        if let Some(at) = at {
            bytes[at..at + 8].fill(0);
        }
        bytes
    };
    // The ledger, its tree and manifests; the totals, which name the last manifest.
    let told = |key: &[u8]| matches!(key[0], 0x10 | 0x11 | 0x14) || key == [1, b't'];
    let pairs = site.reader().everything();
    (pairs.into_iter())
        .filter(|(key, _)| !told(key))
        .map(|(key, value)| (mask(key), mask(value)))
        .collect()
}

#[test]
fn packed_and_verbatim_bundles_make_the_same_store() {
    let (sumdb, modules) = world(60);
    let all: Vec<&TestModule> = modules.iter().collect();
    let verbatim = TestBundle::of(&sumdb, &all, &[]);
    let site = Site::new(&sumdb);
    let done = site.import_one(&verbatim).unwrap();
    assert_eq!(done.checks.unwrap().packed_zips, 0);
    let want = content(&site, &verbatim);
    assert!(want.iter().filter(|(key, _)| key[0] == 0xf0).count() == 60);
    for frame in [1, 7, 1000] {
        let packed = verbatim.clone().packed(frames_of(frame));
        let site = Site::new(&sumdb);
        let done = site.import_one(&packed).unwrap();
        assert_eq!(done.checks.unwrap().packed_zips, 60);
        assert!(content(&site, &packed) == want);
        for module in &modules {
            assert_eq!(read_zip(&site.reader(), module), module.zip);
        }
    }
}

#[test]
fn what_a_packed_bundle_carries_is_told_beside_what_a_store_holds() {
    let (sumdb, modules) = world(20);
    let all: Vec<&TestModule> = modules.iter().collect();
    let packed = TestBundle::of(&sumdb, &all, &[]).packed(frames_of(7));
    let site = Site::new(&sumdb);
    site.import_one(&TestBundle::of(&sumdb, &all[..19], &[]))
        .unwrap();
    fs::remove_dir_all(site.incoming()).unwrap();
    fs::create_dir(site.incoming()).unwrap();
    site.drop_in(&packed);
    let policy = TrustStore::of(&site.store()).policy().unwrap();
    let found = find(&[site.incoming()], &policy).unwrap();
    let index = found[0].index(&site.store(), &policy).unwrap();
    let reader = site.reader();
    let store = crate::diff::store("store", Some(&reader)).unwrap();
    let mut lines = Vec::new();
    let summary = compare(bundles("packed", &[index]), store, &mut |difference| {
        lines.push(difference.to_string());
        Ok(())
    })
    .unwrap();
    assert_eq!(lines[0], format!("- zip {}", modules[19].module));
    assert_eq!(summary.same, 19);
    assert_eq!((summary.only_a.zips, summary.only_b.zips), (1, 0));
}

/// A site with a version of a module, the bundle that brought it, and the one that brings the next, packed against it.
fn patch() -> (TestSumdb, Site, [TestBundle; 2], [TestModule; 2]) {
    let source = "package p\n\nfunc F() int { return 1 }\n".repeat(500);
    let changed = format!("{source}// patched\n");
    let old = TestModule::new(
        "example.com/p@v1.0.0",
        &[("p.go", &source), ("LICENSE", "none\n")],
    );
    let new = TestModule::new(
        "example.com/p@v1.0.1",
        &[("p.go", &changed), ("LICENSE", "none\n")],
    );
    let mut sumdb = TestSumdb::new("sum.example.com");
    sumdb.add(&old);
    let first = TestBundle::of(&sumdb, &[&old], &[]).packed(frames_of(1000));
    let size = sumdb.size();
    sumdb.add(&new);
    let second = TestBundle::of(&sumdb, &[&new], &[size])
        .less(&first, 2)
        .on(&first)
        .packed(TestPacking {
            frame: 1000,
            bases: vec![(old.module.clone(), old.zip.clone())],
        });
    let site = Site::new(&sumdb);
    site.import_one(&first).unwrap();
    (sumdb, site, [first, second], [old, new])
}

#[test]
fn a_patch_release_is_put_together_from_what_the_store_holds() {
    let (_, site, [_, patch], [old, new]) = patch();
    site.drop_in(&patch);
    let verified = site.verify().unwrap();
    let checks = verified.last().unwrap().checks.as_ref().unwrap();
    assert_eq!((checks.bases, checks.packed_zips), (1, 1));
    let done = site.import_one(&patch).unwrap();
    let text = done.to_string();
    assert!(
        text.contains("1  zip that this bundle is packed against is held with those bytes"),
        "{text}"
    );
    let checks = done.checks.unwrap();
    assert_eq!((checks.bases, checks.deflated), (1, 1));
    for module in [&old, &new] {
        assert_eq!(read_zip(&site.reader(), module), module.zip);
    }
}

#[test]
fn a_base_that_gc_has_removed_is_missing_until_a_bundle_on_nothing_comes() {
    let (sumdb, site, [first, mut patch], [old, new]) = patch();
    // The stream gives it up, and then somebody exports against it all the same.
    let gives_up = TestBundle::of(&sumdb, &[], &[sumdb.size() - 1])
        .less(&first, 2)
        .on(&first)
        .without([(old.module.clone(), Gone::All)]);
    site.import_one(&gives_up).unwrap();
    let store = Store::open(&site.store(), "test", false).unwrap();
    store.find_gone(|_| Ok(())).unwrap().commit().unwrap();
    drop(store);
    patch.sequence = Sequence::new(3).unwrap();
    let error = site.import_one(&patch).unwrap_err();
    assert_eq!(error.exit(), Exit::Missing);
    let ImportError::Refused { source, .. } = &error else {
        panic!("{error:?}");
    };
    let text = source.to_string();
    assert!(text.contains("zip example.com/p@v1.0.0"), "{text}");
    assert!(
        error
            .advice()
            .unwrap()
            .ends_with("modferry-bundler export --stream test --basis none"),
        "{:?}",
        error.advice()
    );
    // The cure.
    let mut whole = TestBundle::of(&sumdb, &[&new], &[]).packed(frames_of(1000));
    whole.sequence = Sequence::new(4).unwrap();
    site.import_one(&whole).unwrap();
    assert_eq!(read_zip(&site.reader(), &new), new.zip);
}

#[test]
fn a_base_that_is_held_in_other_bytes_is_told_and_cured() {
    let (sumdb, _, [_, patch], [old, new]) = patch();
    // Another stream brought the same files in another zip: the same h1, other bytes.
    let mut other = old.clone();
    let place = &modferry_protocol::zip::places(&other.zip).unwrap()[0];
    // The time in a local header, which nobody reads.
    other.zip[place.header_offset as usize + 10] ^= 1;
    let mut first = TestBundle::of(&sumdb, &[&other], &[]);
    first.stream = StreamName::new("other").unwrap();
    let site = Site::new(&sumdb);
    site.import_one(&first).unwrap();
    assert_eq!(read_zip(&site.reader(), &old), other.zip);
    let error = site.import_one(&patch).unwrap_err();
    assert_eq!(error.exit(), Exit::Missing);
    let advice = error.advice().unwrap();
    assert!(advice.contains("are held here in other bytes"), "{advice}");
    assert!(
        advice.ends_with("export --stream test --basis none --no-deltas"),
        "{advice}"
    );
    assert!(advice.contains("`deltas: false`"), "{advice}");
    let whole = TestBundle::of(&sumdb, &[&old, &new], &[]).packed(frames_of(1000));
    site.import_one(&whole).unwrap();
    assert_eq!(read_zip(&site.reader(), &new), new.zip);
    assert_eq!(
        read_zip(&site.reader(), &old),
        other.zip,
        "what was served stays"
    );
}

/// Whether the store is told of, and not the bundle, by an import and by a verification; what is said of the zip.
#[track_caller]
fn the_store_is_damaged(site: &Site, patch: &TestBundle, old: &TestModule) -> String {
    site.drop_in(patch);
    let verified = site.verify().unwrap_err();
    let error = site.import_one(patch).unwrap_err();
    let mut said = String::new();
    for error in [verified, error] {
        assert_eq!(error.exit(), Exit::Other, "{error:?}");
        let advice = error.advice().unwrap();
        assert!(
            advice.contains("`modferry-appliance fsck`"),
            "{advice}: {error:?}"
        );
        let ImportError::Refused { source, .. } = error else {
            panic!("{error:?}")
        };
        let what = format!(
            "zip {}, which is held here and which this bundle is packed against, is damaged",
            old.module
        );
        assert_eq!(source.to_string(), what);
        said = std::error::Error::source(&source).unwrap().to_string();
    }
    said
}

#[test]
fn a_store_that_is_damaged_is_told_and_not_a_bundle() {
    let (_, site, [_, patch], [old, new]) = patch();
    let places = modferry_protocol::zip::places(&old.zip).unwrap();
    let of = |name: &str| {
        let is_it = |place: &&modferry_protocol::zip::Place| place.name.ends_with(name.as_bytes());
        places.iter().find(is_it).unwrap()
    };
    let changed = |at: u64| {
        let mut zip = old.zip.clone();
        zip[at as usize] ^= 1;
        Some(zip)
    };
    let directory = places.last().unwrap().data.end;
    let lost = "the store is damaged: chunk 0 of the zip with SHA-256 ";
    let hash = "its bytes do not have the SHA-256 any more that they had when they were taken in";
    for (chunk, want) in [
        // What the new zip has, too; what a frame is compressed against; and how much of it there is.
        (changed(of("LICENSE").data.start), hash),
        (changed(of("p.go").data.start + 20), hash),
        (changed(directory + 20), hash),
        (changed(directory + 24), hash),
        // No entry, no directory, nothing at all.
        (
            changed(of("LICENSE").header_offset),
            "its directory names an entry where there is none",
        ),
        (
            changed(old.zip.len() as u64 - 22),
            "not a zip archive: no end-of-directory record",
        ),
        (Some(old.zip[..100].to_vec()), lost),
        (None, lost),
    ] {
        let put = |chunk: Option<&[u8]>| {
            let store = Store::open(&site.store(), "test", false).unwrap();
            let zip = store.zip(&old.module).unwrap().unwrap();
            let key = crate::store::keys::chunk(&zip.bundle, zip.number, 0);
            match chunk {
                Some(chunk) => store.database().put(key, chunk).unwrap(),
                None => store.database().delete(key).unwrap(),
            }
        };
        put(chunk.as_deref());
        let said = the_store_is_damaged(&site, &patch, &old);
        assert!(said.starts_with(want), "{said}");
        put(Some(&old.zip));
    }
    site.import_one(&patch).unwrap();
    assert_eq!(read_zip(&site.reader(), &new), new.zip);
}

/// Changes a byte of the zip in the store's files.
fn damage(site: &Site, zip: &[u8]) {
    let mut damaged = 0;
    for file in fs::read_dir(site.store().join("db")).unwrap() {
        let path = file.unwrap().path();
        let mut bytes = fs::read(&path).unwrap();
        if let Some(at) = bytes.windows(64).position(|window| *window == zip[..64]) {
            bytes[at + 50] ^= 1;
            fs::write(&path, bytes).unwrap();
            damaged += 1;
        }
    }
    assert_eq!(damaged, 1);
}

#[test]
fn a_file_of_the_store_that_is_damaged_is_told_and_not_a_bundle() {
    let (_, site, [_, patch], [old, _]) = patch();
    damage(&site, &old.zip);
    let said = the_store_is_damaged(&site, &patch, &old);
    assert_eq!(said, "cannot read a zip from the store");
}

#[test]
fn a_damaged_zip_keeps_no_other_bundle_out() {
    let (_, site, _, [old, _]) = patch();
    let open = || Store::open(&site.store(), "test", false).unwrap();
    let [mut alike, before, behind] = [[7; 32], [0; 32], [0xff; 32]];
    {
        let store = open();
        let zip = store.zip(&old.module).unwrap().unwrap();
        alike[..zip.bundle.len()].copy_from_slice(&zip.bundle);
        let refused = store.draft(&alike).err().unwrap();
        assert!(refused.to_string().contains("begins alike"), "{refused}");
    }
    damage(&site, &old.zip);
    let store = open();
    // Its zips' chunks would lie before, or behind, those of the bundle that is damaged.
    for manifest in [before, behind] {
        if let Err(error) = store.draft(&manifest) {
            panic!("{error:?}");
        }
    }
    // Where that one has to be read it is told as what it is.
    let error = store.draft(&alike).err().unwrap();
    let advice = error.advice().unwrap();
    assert!(
        advice.contains("`modferry-appliance fsck`"),
        "{advice}: {error:?}"
    );
}

/// What is written to a pipe while somebody reads it.
fn through_a_pipe(site: &Site, volume: &[u8]) -> Result<Done, ImportError> {
    let pipe = site.dir.path().join("pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.unwrap().success());
    let session = Session::begin(&site.store(), false).unwrap();
    let done = std::thread::scope(|scope| {
        scope.spawn(|| fs::write(&pipe, volume).unwrap());
        session.import(&Bundle::pipe(Some(pipe.clone())), &NoProgress)
    });
    fs::remove_file(pipe).unwrap();
    done
}

#[test]
fn a_packed_bundle_comes_in_volumes_and_through_pipes() {
    let (sumdb, modules) = world(30);
    let all: Vec<&TestModule> = modules.iter().collect();
    let bundle = TestBundle::of(&sumdb, &all, &[]).packed(frames_of(10));
    let site = Site::new(&sumdb);
    let whole = bundle.seal(&[&site.key]).volume.len() as u64;
    let sealed = bundle.seal_in(&[&site.key], Some(whole * 2 / 3));
    let mut volumes = vec![&sealed.volume];
    volumes.extend(&sealed.more);
    assert!(volumes.len() > 1);
    // The last one first: recipes wait for contents.
    let first = volumes.remove(0);
    for volume in volumes.iter().rev() {
        assert_eq!(
            through_a_pipe(&site, volume).unwrap().outcome,
            Outcome::Staged
        );
    }
    let done = through_a_pipe(&site, first).unwrap();
    assert_eq!(done.outcome, Outcome::Imported);
    assert_eq!(done.checks.unwrap().packed_zips, 30);
    for module in &modules {
        assert_eq!(read_zip(&site.reader(), module), module.zip);
    }
}

#[test]
fn a_report_has_what_was_carried_and_what_was_made_of_it() {
    let (sumdb, modules) = world(40);
    let all: Vec<&TestModule> = modules.iter().collect();
    let bundle = TestBundle::of(&sumdb, &all, &[]).packed(frames_of(25));
    let site = Site::new(&sumdb);
    let done = site.import_one(&bundle).unwrap();
    let checks = done.checks.as_ref().unwrap();
    let zip_bytes: usize = modules.iter().map(|module| module.zip.len()).sum();
    assert_eq!(checks.zip_bytes, zip_bytes as u64);
    assert!(checks.entry_bytes < checks.zip_bytes, "{checks:?}");
    assert_eq!(checks.zips, 40);
    let listed = bundle.entries();
    let frames = (listed.iter().flat_map(|(entry, _)| &entry.items))
        .filter(|(item, _)| matches!(item, Item::Contents(_)));
    let (frames, restored): (Vec<_>, Vec<u64>) = frames.cloned().unzip();
    assert!(frames.len() > 1);
    let (frames, restored) = (frames.len() as u64, restored.iter().sum::<u64>());
    assert_eq!((checks.contents, checks.content_bytes), (frames, restored));
    let path = done.report.clone().unwrap();
    let read = |path: &Path| fs::read_to_string(path).unwrap();
    let lines = [
        format!("{frames:>9}  frames of contents ("),
        format!("{:>9}  deflate streams (", checks.deflated),
        "       40  zips were put together from them".into(),
        "       40  zips (".into(),
        "        0  zips that this bundle is packed against".into(),
    ];
    let text = read(&path);
    for line in &lines {
        assert!(text.contains(line.as_str()), "{line:?} is not in {text}");
    }
    let figures = |path: &Path, at: &str| {
        let json: serde_json::Value = serde_json::from_str(&read(path)).unwrap();
        let checks = json.pointer(at).unwrap();
        let figure = |name: &str| checks[name].as_u64().unwrap();
        [
            figure("entry_bytes"),
            figure("contents"),
            figure("content_bytes"),
            figure("deflated"),
            figure("deflated_bytes"),
            figure("packed_zips"),
            figure("bases"),
            figure("zip_bytes"),
        ]
    };
    let want = [
        checks.entry_bytes,
        frames,
        restored,
        checks.deflated,
        checks.deflated_bytes,
        40,
        0,
        checks.zip_bytes,
    ];
    assert_eq!(figures(&path.with_extension("json"), "/checks"), want);
    // The same of one that is written again from the ledger.
    fs::remove_file(&path).unwrap();
    site.import().unwrap();
    let text = read(&path);
    for (count, what) in [(frames, "contents"), (40, "packed zips"), (0, "bases")] {
        let line = format!("{count:>9}  {what}\n");
        assert!(text.contains(&line), "{line:?} is not in {text}");
    }
    assert_eq!(figures(&path.with_extension("json"), "/report"), want);
}
