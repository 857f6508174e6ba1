//! Bundles of several volumes: joined, staged over several runs, damaged, foreign.

use super::*;
use crate::import::{Pending, abandon, pending};

mod media;

/// A site, and a bundle in volumes that are not given yet.
struct Cut {
    site: Site,
    sumdb: TestSumdb,
    modules: Vec<TestModule>,
    bundle: TestBundle,
    sealed: Sealed,
}

impl Cut {
    fn new() -> Self {
        let (sumdb, modules) = world(120);
        let site = Site::new(&sumdb);
        let all: Vec<_> = modules.iter().collect();
        let bundle = TestBundle::of(&sumdb, &all, &[]);
        let sealed = bundle.seal_in(&[&site.key], Some(64 << 10));
        assert!(sealed.more.len() >= 2, "{}", sealed.more.len());
        Self {
            site,
            sumdb,
            modules,
            bundle,
            sealed,
        }
    }

    fn of(&self) -> u32 {
        self.sealed.more.len() as u32 + 1
    }

    fn bytes(&self, number: u32) -> &[u8] {
        match number {
            1 => &self.sealed.volume,
            _ => &self.sealed.more[number as usize - 2],
        }
    }

    fn name(&self, number: u32) -> String {
        self.bundle.stream.volume_file(self.bundle.sequence, number)
    }

    fn path(&self, number: u32) -> PathBuf {
        self.site.incoming().join(self.name(number))
    }

    /// Empties the folder for bundles, and puts these volumes there.
    fn give(&self, numbers: impl IntoIterator<Item = u32>) {
        fs::remove_dir_all(self.site.incoming()).unwrap();
        fs::create_dir(self.site.incoming()).unwrap();
        for number in numbers {
            fs::write(self.path(number), self.bytes(number)).unwrap();
        }
    }

    fn give_manifest(&self) {
        let name = self.bundle.stream.manifest_file(self.bundle.sequence);
        fs::write(self.site.incoming().join(name), &self.sealed.manifest).unwrap();
    }

    fn import(&self) -> Result<Done, ImportError> {
        self.site.import().map(|mut done| done.remove(0))
    }

    #[track_caller]
    fn is_in(&self, done: Result<Done, ImportError>) {
        assert_eq!(done.unwrap().outcome, Outcome::Imported);
        let reader = self.site.reader();
        for module in &self.modules {
            assert_served(&reader, &self.sumdb, module);
        }
        assert_eq!(pending(&self.site.store()).unwrap(), []);
        assert_eq!(
            fs::read_dir(self.site.store().join("volumes")).map_or(0, Iterator::count),
            0
        );
    }

    fn staged(&self) -> Vec<u32> {
        pending(&self.site.store())
            .unwrap()
            .pop()
            .map_or(Vec::new(), |pending| pending.staged)
    }
}

#[test]
fn volumes_at_hand_are_imported_from_where_they_are() {
    let cut = Cut::new();
    cut.give(1..=cut.of());
    let mut read_only = fs::metadata(cut.site.incoming()).unwrap().permissions();
    read_only.set_readonly(true);
    fs::set_permissions(cut.site.incoming(), read_only).unwrap();
    let done = cut.import();
    // Nothing was copied: no folder for staged volumes was ever made.
    assert!(!cut.site.store().join("volumes").exists());
    cut.is_in(done);
    let again = cut.import().unwrap();
    assert_eq!(again.outcome, Outcome::AlreadyImported);
}

#[test]
fn volumes_come_one_by_one_in_any_order() {
    let cut = Cut::new();
    let order: Vec<u32> = (1..=cut.of()).rev().collect();
    for (n, number) in order[..order.len() - 1].iter().enumerate() {
        cut.give([*number]);
        let done = cut.import().unwrap();
        assert_eq!(done.outcome, Outcome::Staged);
        let volumes = done.volumes.clone().unwrap();
        assert_eq!((volumes.of, volumes.at_hand.len()), (cut.of(), n + 1));
        assert!(volumes.to_come.contains(&cut.name(1)));
        assert!(!volumes.to_come.contains(&cut.name(*number)));
        let error = done.incomplete().unwrap();
        assert_eq!(error.exit(), Exit::Missing);
        assert!(error.to_string().contains(&cut.name(1)), "{error}");
        assert_eq!(cut.site.totals(), Totals::default(), "something is visible");
        // The same once more changes nothing.
        assert_eq!(cut.import().unwrap().volumes, Some(volumes));
    }
    let waiting = pending(&cut.site.store()).unwrap();
    let [
        Pending {
            stream,
            of,
            staged,
            to_come,
            bytes,
            ..
        },
    ] = &waiting[..]
    else {
        panic!("{waiting:?}")
    };
    assert_eq!((&**stream, *of), ("test", cut.of()));
    assert_eq!(*staged, (2..=cut.of()).collect::<Vec<_>>());
    assert_eq!(*to_come, [cut.name(1)]);
    let all: usize = cut.sealed.more.iter().map(Vec::len).sum();
    assert_eq!(*bytes, all as u64);
    cut.give([1]);
    let done = cut.import();
    cut.is_in(done);
}

#[test]
fn what_a_kill_left_half_copied_is_removed_and_the_rest_stays() {
    let cut = Cut::new();
    cut.give([2]);
    cut.import().unwrap();
    let folder = fs::read_dir(cut.site.store().join("volumes"))
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    fs::write(folder.join(".tmpabc"), b"half a volume").unwrap();
    fs::create_dir(cut.site.store().join("volumes/0123456789abcdef")).unwrap();
    Session::begin(&cut.site.store(), false).unwrap();
    let mut names: Vec<_> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, ["manifest", "of", "v002.tar"]);
    assert_eq!(
        fs::read_dir(cut.site.store().join("volumes"))
            .unwrap()
            .count(),
        1
    );
    // Volumes that a kill behind the commit left go, too.
    let copy = cut.site.dir.path().join("copy");
    fs::create_dir(&copy).unwrap();
    for name in &names {
        fs::copy(folder.join(name), copy.join(name)).unwrap();
    }
    cut.give((1..=cut.of()).filter(|number| *number != 2));
    cut.import().unwrap();
    assert!(!folder.exists());
    fs::rename(copy, &folder).unwrap();
    assert_eq!(cut.import().unwrap().outcome, Outcome::AlreadyImported);
    assert!(!folder.exists());
}

#[test]
fn a_damaged_volume_is_named_and_only_it_is_needed_again() {
    let cut = Cut::new();
    for all_at_once in [true, false] {
        let site = &cut.site;
        if all_at_once {
            cut.give(1..=cut.of());
        } else {
            cut.give([1, 2]);
        }
        // Two entries of it, and the others are whole.
        let mut bytes = cut.bytes(2).to_vec();
        let (a, b) = (bytes.len() - 2000, bytes.len() - 20_000);
        bytes[a] ^= 1;
        bytes[b] ^= 1;
        fs::write(cut.path(2), &bytes).unwrap();
        for refused in [site.verify().unwrap_err(), site.import().unwrap_err()] {
            assert_eq!(refused.exit(), Exit::Damaged);
            let ImportError::BadVolumes { bad, kept, .. } = &refused else {
                panic!("{refused:?}")
            };
            assert_eq!((bad.len(), &bad[0].name), (1, &cut.name(2)));
            assert_eq!(bad[0].what.len(), 2, "{:?}", bad[0].what);
            assert_eq!(
                *kept,
                if all_at_once {
                    cut.of() as usize - 1
                } else {
                    1
                }
            );
            assert_eq!(refused.details().len(), 2);
            let advice = refused.advice().unwrap();
            assert!(advice.contains(&cut.name(2)), "{advice}");
        }
        assert_eq!(site.totals(), Totals::default());
        let staged = match all_at_once {
            true => (1..=cut.of()).filter(|number| *number != 2).collect(),
            false => vec![1],
        };
        assert_eq!(cut.staged(), staged);
        abandon(&crate::store::Store::open(&site.store(), "test", false).unwrap()).unwrap();
        assert!(cut.staged().is_empty());
        if !all_at_once {
            site.import().unwrap_err();
            assert_eq!(cut.staged(), [1]);
        }
    }
    cut.give((2..=cut.of()).filter(|number| *number != 1));
    let done = cut.import();
    cut.is_in(done);
}

#[test]
fn a_staged_volume_that_the_disk_has_lost_is_asked_for_again() {
    let cut = Cut::new();
    cut.give([2]);
    cut.import().unwrap();
    let mut paths = fs::read_dir(cut.site.store().join("volumes")).unwrap();
    let staged = paths.next().unwrap().unwrap().path().join("v002.tar");
    let mut bytes = fs::read(&staged).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&staged, bytes).unwrap();
    cut.give((1..=cut.of()).filter(|number| *number != 2));
    let refused = cut.import().unwrap_err();
    assert_eq!(refused.exit(), Exit::Damaged);
    assert!(refused.to_string().contains(&cut.name(2)), "{refused}");
    cut.give([2]);
    let done = cut.import();
    cut.is_in(done);
}

#[test]
fn a_volume_whose_front_is_damaged_is_named() {
    let cut = Cut::new();
    for at in [0, 600, 1200] {
        cut.give(1..=cut.of());
        cut.give_manifest();
        let mut bytes = cut.bytes(3).to_vec();
        bytes[at] ^= 1;
        fs::write(cut.path(3), &bytes).unwrap();
        let refused = cut.import().unwrap_err();
        assert_eq!(refused.exit(), Exit::Damaged, "{at}: {refused}");
        assert!(
            refused.to_string().contains(&cut.name(3)),
            "{at}: {refused}"
        );
        assert_eq!(cut.site.totals(), Totals::default());
    }
    // It says that it has everything, and is not taken at its word.
    fs::write(cut.path(3), &cut.bytes(3)[..cut.bytes(3).len() - 512]).unwrap();
    assert_eq!(cut.import().unwrap_err().exit(), Exit::Damaged);
    cut.give([3]);
    cut.give_manifest();
    let done = cut.import();
    cut.is_in(done);
}

#[test]
fn a_volume_of_another_bundle_is_refused_by_name_and_never_joined() {
    let cut = Cut::new();
    // An older export of the same number; another stream's, under this one's name; one of this one, called otherwise.
    let mut stale = cut.bundle.clone();
    stale.missing.push(modferry_protocol::bundle::Missing {
        module: "example.com/gone@v1.0.0".parse().unwrap(),
        reason: "404".into(),
    });
    let mut other = cut.bundle.clone();
    other.stream = "other".parse().unwrap();
    let volume = |bundle: &TestBundle, key| bundle.seal_in(&[key], Some(64 << 10)).more[0].clone();
    let untrusted = key("stranger");
    for bytes in [
        volume(&stale, &cut.site.key),
        volume(&other, &cut.site.key),
        volume(&stale, &untrusted),
        cut.bytes(3).to_vec(),
    ] {
        for with_manifest in [true, false] {
            cut.give([1, 3]);
            if with_manifest {
                cut.give_manifest();
            }
            fs::write(cut.path(2), &bytes).unwrap();
            for refused in [cut.site.verify().unwrap_err(), cut.import().unwrap_err()] {
                assert_eq!(refused.exit(), Exit::Damaged, "{refused}");
                let ImportError::BadVolumes { bad, .. } = &refused else {
                    panic!("{refused:?}")
                };
                assert_eq!((bad.len(), &bad[0].name), (1, &cut.name(2)), "{refused}");
            }
            assert_eq!(cut.staged(), [1, 3]);
        }
    }
    cut.give((1..=cut.of()).filter(|number| *number != 1));
    let done = cut.import();
    cut.is_in(done);
}

#[test]
fn a_foreign_volume_beside_a_whole_bundle_is_refused_too() {
    let cut = Cut::new();
    cut.give(1..=cut.of());
    let stranger = cut.path(cut.of() + 1);
    fs::write(&stranger, cut.bytes(1)).unwrap();
    let refused = cut.import().unwrap_err();
    assert_eq!(refused.exit(), Exit::Damaged);
    assert!(refused.to_string().contains(&cut.name(cut.of() + 1)));
    assert!(
        cut.staged().is_empty(),
        "all of it is there: nothing needs a copy"
    );
    fs::remove_file(stranger).unwrap();
    let done = cut.import();
    cut.is_in(done);
}

#[test]
fn volumes_of_two_cuts_are_not_mixed() {
    let cut = Cut::new();
    cut.give([1]);
    cut.import().unwrap();
    let other = cut.bundle.seal_in(&[&cut.site.key], Some(48 << 10));
    assert_ne!(other.more.len(), cut.sealed.more.len());
    cut.give([]);
    fs::write(cut.path(2), &other.more[0]).unwrap();
    let refused = cut.import().unwrap_err();
    assert!(matches!(refused, ImportError::Cuts { .. }), "{refused:?}");
    assert_eq!(cut.staged(), [1]);
    // All of the other cut together are a bundle, whatever waits.
    fs::write(cut.path(1), &other.volume).unwrap();
    for (number, bytes) in (2..).zip(&other.more) {
        fs::write(cut.path(number), bytes).unwrap();
    }
    let done = cut.import();
    cut.is_in(done);
}

#[test]
fn the_first_of_two_signatures_may_come_with_another_volume() {
    let cut = Cut::new();
    let second = key("second");
    let trust = TrustStore::of(&cut.site.store());
    trust
        .add(Kind::Bundle, &second.verifier().to_string())
        .unwrap();
    trust.require(2, None).unwrap();
    cut.give([1]);
    assert_eq!(cut.import().unwrap_err().exit(), Exit::Untrusted);
    assert!(cut.staged().is_empty());
    let both = modferry_protocol::note::add_signature(&cut.sealed.manifest, &second).unwrap();
    let name = cut.bundle.stream.manifest_file(cut.bundle.sequence);
    fs::write(cut.site.incoming().join(name), both).unwrap();
    cut.import().unwrap();
    // The manifest with both came once; the volumes have only the first.
    cut.give(2..=cut.of());
    let done = cut.import().unwrap();
    assert_eq!(done.checks.as_ref().unwrap().signers.len(), 2);
    cut.is_in(Ok(done));
}

#[test]
fn a_manifest_alone_finishes_what_is_staged() {
    let cut = Cut::new();
    cut.give([]);
    cut.give_manifest();
    let refused = cut.import().unwrap_err();
    assert!(matches!(refused, ImportError::NoVolume { .. }), "{refused}");
    assert_eq!(refused.exit(), Exit::Missing);
    assert!(refused.to_string().contains(&cut.name(1)), "{refused}");
    // Staged all, and not imported: as after a bundle that it builds on was missing.
    let opened_by_pipe = |number: u32| {
        cut.give([number]);
        cut.import()
    };
    for number in 1..cut.of() {
        opened_by_pipe(number).unwrap();
    }
    let mut all = fs::read_dir(cut.site.store().join("volumes")).unwrap();
    let folder = all.next().unwrap().unwrap().path();
    let last = folder.join(format!("v{:03}.tar", cut.of()));
    fs::write(last, cut.bytes(cut.of())).unwrap();
    cut.give([]);
    cut.give_manifest();
    let done = cut.import();
    cut.is_in(done);
}

#[test]
fn verify_says_of_each_volume_whether_it_is_whole() {
    let cut = Cut::new();
    cut.give([2, 3]);
    let done = &cut.site.verify().unwrap()[0];
    assert_eq!(done.outcome, Outcome::Verified);
    assert_eq!(done.volumes.as_ref().unwrap().at_hand, [2, 3]);
    assert!(done.checks.is_none());
    cut.give(1..=cut.of());
    let done = &cut.site.verify().unwrap()[0];
    assert!(done.checks.is_some() && done.volumes.is_none());
    assert!(!cut.site.store().join("volumes").exists());
}

#[test]
fn a_manifest_file_that_is_damaged_is_named_and_not_the_volumes() {
    let cut = Cut::new();
    cut.give(1..=cut.of());
    let name = cut.bundle.stream.manifest_file(cut.bundle.sequence);
    let mut manifest = cut.sealed.manifest.clone();
    manifest[30] ^= 1;
    fs::write(cut.site.incoming().join(&name), &manifest).unwrap();
    for refused in [cut.site.verify().unwrap_err(), cut.import().unwrap_err()] {
        assert_eq!(refused.exit(), Exit::Damaged);
        assert!(refused.to_string().contains(&name), "{refused}");
    }
    assert!(cut.staged().is_empty());
    fs::remove_file(cut.site.incoming().join(&name)).unwrap();
    let done = cut.import();
    cut.is_in(done);
}

#[test]
fn the_manifest_beside_them_says_which_of_two_exports_is_meant() {
    let cut = Cut::new();
    let mut stale = cut.bundle.clone();
    stale.missing.push(modferry_protocol::bundle::Missing {
        module: "example.com/gone@v1.0.0".parse().unwrap(),
        reason: "404".into(),
    });
    let first = stale.seal_in(&[&cut.site.key], Some(64 << 10)).volume;
    cut.give([]);
    cut.give_manifest();
    fs::write(cut.path(1), &first).unwrap();
    let Err(ImportError::BadVolumes { bad, .. }) = cut.import() else {
        panic!("the volume of another export was taken")
    };
    assert_eq!(bad[0].name, cut.name(1));
    cut.give([2, 3]);
    cut.give_manifest();
    fs::write(cut.path(1), &first).unwrap();
    let refused = cut.import().unwrap_err();
    let ImportError::BadVolumes { bad, kept, .. } = &refused else {
        panic!("{refused:?}")
    };
    assert_eq!((bad.len(), &bad[0].name, *kept), (1, &cut.name(1), 2));
    assert_eq!(cut.staged(), [2, 3]);
}

#[test]
fn signatures_that_come_later_are_kept_with_what_is_staged() {
    let cut = Cut::new();
    cut.give([1]);
    cut.import().unwrap();
    let second = key("second");
    let trust = TrustStore::of(&cut.site.store());
    trust
        .add(Kind::Bundle, &second.verifier().to_string())
        .unwrap();
    trust.require(2, None).unwrap();
    cut.give([2]);
    let both = modferry_protocol::note::add_signature(&cut.sealed.manifest, &second).unwrap();
    let name = cut.bundle.stream.manifest_file(cut.bundle.sequence);
    fs::write(cut.site.incoming().join(name), both).unwrap();
    cut.import().unwrap();
    cut.give(3..=cut.of());
    let done = cut.import();
    assert_eq!(
        done.as_ref()
            .unwrap()
            .checks
            .as_ref()
            .unwrap()
            .signers
            .len(),
        2
    );
    cut.is_in(done);
}
