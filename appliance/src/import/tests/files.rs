//! Opaque files in bundles: what several streams name, and how many a store takes.

use super::*;
use crate::store::{Event, MAX_HELD_FILES, Source, keys};
use modferry_protocol::bundle::{FileName, Sequence, StreamName, needed_file};
use sha2::{Digest as _, Sha256};

fn name(name: &str) -> FileName {
    name.parse().unwrap()
}

/// A bundle of a stream that carries nothing but these items.
struct Streams {
    site: Site,
    whole: TestBundle,
}

impl Streams {
    fn new() -> Self {
        let (sumdb, modules) = world(1);
        Self {
            site: Site::new(&sumdb),
            whole: TestBundle::of(&sumdb, &[&modules[0]], &[]),
        }
    }

    fn bundle(&self, stream: &str, sequence: u64, items: &[(Item, &[u8])]) -> TestBundle {
        let mut bundle = self.whole.clone();
        bundle.stream = StreamName::new(stream).unwrap();
        bundle.sequence = Sequence::new(sequence).unwrap();
        for (item, bytes) in items {
            bundle.items.insert(item.clone(), bytes.to_vec());
        }
        match sequence {
            1 => bundle,
            // What takes back and needs builds on something.
            _ => bundle.on(&self.bundle(stream, sequence - 1, &[])),
        }
    }

    fn import(&self, stream: &str, sequence: u64, items: &[(Item, &[u8])]) {
        let bundle = self.bundle(stream, sequence, items);
        self.site.import_one(&bundle).unwrap();
    }

    fn gc(&self) -> Vec<String> {
        let session = Session::begin(&self.site.store(), false).unwrap();
        let found = session.store.find_gone(|_| Ok(())).unwrap();
        if found.files().iter().all(|file| !file.goes) {
            return Vec::new();
        }
        match found.commit().unwrap().event {
            Event::Gc(removed) => removed.names,
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn what_a_stream_carried_and_another_had_brought_outlives_the_other() {
    let streams = Streams::new();
    let file = |called: &str| Item::File(name(called));
    streams.import("x", 1, &[(file("both"), b"both"), (file("x-only"), b"x")]);
    // Carried once more by a stream that knows nothing of the first.
    streams.import("y", 1, &[(file("both"), b"both")]);
    // All that this one carries is its own.
    streams.import("z", 1, &[(file("z-only"), b"z")]);
    let session = Session::begin(&streams.site.store(), false).unwrap();
    let db = session.store.database();
    db.put(keys::SCHEMA_KEY, b"modferry store 3").unwrap();
    for called in ["both", "x-only", "z-only"] {
        for stream in ["x", "y", "z"] {
            db.delete(keys::file_claim(&name(called), stream)).unwrap();
        }
    }
    drop(session);
    let gone = |called: &str| (Item::GoneFile(name(called)), &[][..]);
    // The very import that makes the claims gives some up.
    streams.import("x", 2, &[gone("both"), gone("x-only")]);
    let claims = |called: &str| {
        let claims = streams.site.reader().file_claims(&name(called)).unwrap();
        let claims = claims.into_iter();
        claims
            .map(|(stream, claim)| (stream, claim.extent > crate::store::Extent::Nothing))
            .collect::<Vec<_>>()
    };
    assert_eq!(claims("both"), [("x".into(), false), ("y".into(), true)]);
    // Of z all that it carried is known. What y carried is not, so it may be any.
    assert_eq!(claims("x-only"), [("x".into(), false), ("y".into(), true)]);
    assert_eq!(claims("z-only"), [("y".into(), true), ("z".into(), true)]);
    assert_eq!(streams.site.totals().gone_files, 0);
    assert_eq!(streams.gc(), Vec::<String>::new());
    let sha256: [u8; 32] = Sha256::digest(b"both").into();
    let needed = needed_file(&sha256);
    streams.import("y", 2, &[(Item::NeededFile(name("both")), &needed[..])]);
    streams.import("y", 3, &[gone("both"), gone("x-only")]);
    assert_eq!(streams.site.totals().gone_files, 2);
    assert_eq!(streams.gc(), ["file both", "file x-only"]);
}

#[test]
fn files_without_a_place_are_refused_before_anything_is_read() {
    let streams = Streams::new();
    let session = Session::begin(&streams.site.store(), false).unwrap();
    let mut draft = session.store.draft(&[7; 32]).unwrap();
    let sha256: [u8; 32] = Sha256::digest(b"f").into();
    for n in 1..MAX_HELD_FILES {
        let held = name(&format!("held-{n}"));
        draft.put_file(&held, 1, &sha256, &mut &b"f"[..]).unwrap();
    }
    let source = Source {
        stream: "other".into(),
        sequence: 1,
        ..Source::default()
    };
    draft.commit(source).unwrap();
    drop(session);
    let held = (Item::File(name("held-1")), &b"f"[..]);
    let new = |called: &str| (Item::File(name(called)), &b"new"[..]);
    let one = streams.bundle("x", 1, &[held.clone(), new("a")]);
    let two = streams.bundle("x", 1, &[held, new("a"), new("b")]);

    // Whoever reads on finds the damage at the end.
    let drop_in = |bundle: &TestBundle, damaged: bool| {
        let site = &streams.site;
        fs::remove_dir_all(site.incoming()).unwrap();
        fs::create_dir(site.incoming()).unwrap();
        site.drop_in(bundle);
        if damaged {
            let volume = site
                .incoming()
                .join(bundle.stream.volume_file(bundle.sequence, 1));
            let mut bytes = fs::read(&volume).unwrap();
            let at = bytes
                .windows(3)
                .rposition(|window| window == b"new")
                .unwrap();
            bytes[at] ^= 1;
            fs::write(volume, bytes).unwrap();
        }
    };
    for (bundle, exit) in [(&one, Exit::Damaged), (&two, Exit::NoRoom)] {
        drop_in(bundle, true);
        assert_eq!(streams.site.import().unwrap_err().exit(), exit);
        assert_eq!(streams.site.verify().unwrap_err().exit(), exit);
    }
    drop_in(&two, false);
    let error = streams.site.import().unwrap_err();
    assert!(error.advice().unwrap().contains("modferry-appliance gc"));
    drop_in(&one, false);
    streams.site.verify().unwrap();
    streams.site.import().unwrap();
    assert_eq!(streams.site.totals().counts.files, MAX_HELD_FILES);
}
