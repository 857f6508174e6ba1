//! What a bundle builds on, what it takes back, and the trust notes that it brings.

use super::*;
use modferry_cli::{Exit, Failure};
use modferry_protocol::bundle::{Gone, Level, MAX_LIST_TEXT};
use modferry_protocol::note;

/// A world whose three modules are held, and an update that brings one more.
fn update() -> (World, MemoryStage, TestBundle) {
    let mut world = World::new();
    let mut stage = MemoryStage::new();
    let first = world.bundle();
    let report = world.check_on(&mut stage, &first).unwrap();
    stage.commit(report.served);
    world.modules.push(TestModule::numbered(9));
    world.sumdb.add(&world.modules[3]);
    let update = TestBundle::of(&world.sumdb, &[&world.modules[3]], &[]).less(&first, 2);
    let update = update.on(&first);
    (world, stage, update)
}

fn needs(bundle: &mut TestBundle, lines: &[(&TestModule, Level)]) {
    let lines = lines.iter().map(|(m, level)| (m.module.clone(), *level));
    *bundle = bundle.clone().needing(lines);
}

fn tombstones(bundle: &mut TestBundle, lines: &[(&TestModule, Gone)]) {
    let lines = lines.iter().map(|(m, gone)| (m.module.clone(), *gone));
    *bundle = bundle.clone().without(lines);
}

#[test]
fn what_is_held_is_told_to_the_stage() {
    let (world, mut stage, mut update) = update();
    let [a, b, c, _] = &world.modules[..] else {
        unreachable!()
    };
    needs(&mut update, &[(a, Level::Zip), (b, Level::Mod)]);
    tombstones(&mut update, &[(b, Gone::Zip), (c, Gone::All)]);
    let report = world.check_on(&mut stage, &update).unwrap();
    assert_eq!((report.needs, report.tombstones), (2, 2));
    assert_eq!(
        stage.needs(),
        [
            (a.module.clone(), Level::Zip),
            (b.module.clone(), Level::Mod)
        ]
    );
    assert_eq!(
        stage.tombstones(),
        [(b.module.clone(), Gone::Zip), (c.module.clone(), Gone::All)]
    );
    assert!(
        stage
            .items()
            .all(|(item, _)| !matches!(item, Item::Needs(_) | Item::Tombstones(_))),
        "lists are not put"
    );
}

#[test]
fn a_stage_in_a_file_holds_nothing_from_before() {
    let (world, _, mut update) = update();
    needs(&mut update, &[(&world.modules[0], Level::Mod)]);
    let sealed = world.seal(&update);
    let mut stage = SpoolStage::new().unwrap();
    let error = check(
        OneVolume::new(&*sealed.volume),
        None,
        &world.policy,
        &mut stage,
        &NoProgress,
    )
    .unwrap_err();
    let CheckError::Missing { what, .. } = &error else {
        panic!("{error:?}")
    };
    assert!(
        what.contains(&world.first(Item::Mod).to_string()),
        "{what:?}"
    );
    let advice = error.advice().unwrap();
    assert!(
        advice.starts_with("this bundle builds on test.000001.manifest, so check it where")
            && advice.ends_with(": modferry-bundler export --stream test --basis none"),
        "{advice}"
    );
}

#[test]
fn each_part_of_what_is_needed_is_missed_by_name_before_a_zip_is_read() {
    for (level, gone, missed) in [
        (
            Level::Mod,
            Item::Mod as fn(_) -> _,
            Some(Item::Mod as fn(_) -> _),
        ),
        (Level::Mod, Item::Info, None),
        (Level::Mod, Item::Zip, None),
        (Level::Zip, Item::Mod, Some(Item::Mod)),
        (Level::Zip, Item::Info, Some(Item::Info)),
        (Level::Zip, Item::Zip, Some(Item::Zip)),
    ] {
        let (world, mut stage, mut update) = update();
        needs(&mut update, &[(&world.modules[0], level)]);
        let gone = world.first(gone);
        assert!(stage.forget(&gone));
        let result = world.check_on(&mut stage, &update);
        match missed {
            None => assert_eq!(result.unwrap().needs, 1, "{level:?} without {gone}"),
            Some(missed) => {
                let error = result.unwrap_err();
                assert_eq!(error.exit(), Exit::Missing);
                assert!(
                    matches!(&error, CheckError::Missing { what, .. } if *what == [world.first(missed).to_string()]),
                    "{level:?} without {gone}: {error:?}"
                );
                assert!(stage.staged_zip(&world.modules[3].module).is_none());
                assert!(
                    stage.needs().is_empty(),
                    "what is not held is not said to be"
                );
            }
        }
    }
}

#[test]
fn a_record_of_any_trusted_database_will_do_and_one_must_be_there() {
    for level in [Level::Mod, Level::Zip] {
        let (mut world, mut stage, mut update) = update();
        needs(&mut update, &[(&world.modules[0], level)]);
        let record = world.first_record();
        assert!(stage.forget(&record));
        let error = world.check_on(&mut stage, &update).unwrap_err();
        assert!(
            matches!(&error, CheckError::Missing { what, .. } if *what == [record.to_string()]),
            "{error:?}"
        );

        // The same record, as another database that is trusted here has it.
        let mut other = TestSumdb::new("other.test");
        other.add(&world.modules[0]);
        world.policy = policy(&[&world.key], &[&world.sumdb, &other]);
        stage.discard();
        stage
            .put(
                &Item::Record(other.db().clone(), world.modules[0].module.clone()),
                &other.record(&world.modules[0].module).unwrap().encode(),
            )
            .unwrap();
        stage.commit([]);
        assert_eq!(world.check_on(&mut stage, &update).unwrap().needs, 1);
    }
}

#[test]
fn all_that_is_needed_and_missing_is_told_at_once() {
    let (world, mut stage, mut update) = update();
    let [a, b, c, _] = &world.modules[..] else {
        unreachable!()
    };
    needs(
        &mut update,
        &[(a, Level::Zip), (b, Level::Zip), (c, Level::Mod)],
    );
    // Of a zip that is not held, its name is enough: the cure carries what belongs to it.
    for item in [
        Item::Zip(a.module.clone()),
        Item::Mod(a.module.clone()),
        Item::Mod(c.module.clone()),
    ] {
        assert!(stage.forget(&item));
    }
    // What the proof misses is told beside it.
    let tile = update
        .items
        .keys()
        .find(|item| matches!(item, Item::Tile(..)))
        .unwrap()
        .clone();
    update.items.remove(&tile);
    let error = world.check_on(&mut stage, &update).unwrap_err();
    assert_eq!(
        error.details(),
        [
            tile.to_string(),
            Item::Mod(c.module.clone()).to_string(),
            Item::Zip(a.module.clone()).to_string(),
        ]
    );
}

#[test]
fn a_fork_is_told_though_something_is_missing() {
    let (world, mut stage, mut update) = update();
    needs(&mut update, &[(&world.modules[0], Level::Zip)]);
    assert!(stage.forget(&world.first(Item::Zip)));
    let mut other = world.sumdb.emptied();
    other.pad(world.sumdb.size(), "z");
    other.add(&world.modules[3]);
    let fork = TestBundle::of(&other, &[&world.modules[3]], &[1000]);
    update.heads = fork.heads.clone();
    update
        .items
        .retain(|item, _| matches!(item, Item::Needs(_)));
    update.items.extend(fork.items);
    let error = world.check_on(&mut stage, &update).unwrap_err();
    assert!(matches!(error, CheckError::Fork { .. }), "{error:?}");
}

#[test]
fn the_manifest_counts_what_the_lists_list() {
    let (world, mut stage, mut update) = update();
    needs(&mut update, &[(&world.modules[0], Level::Zip)]);
    tombstones(&mut update, &[(&world.modules[1], Gone::All)]);
    for (needs, tombstones, want) in [
        (
            Some(2),
            None,
            "needs is damaged: its texts list 1 module versions, and the manifest says 2",
        ),
        (
            None,
            Some(3),
            "tombstones is damaged: its texts list 1 module versions, and the manifest says 3",
        ),
    ] {
        let wrong = TestBundle {
            needs,
            tombstones,
            ..update.clone()
        };
        let error = world.check_on(&mut stage, &wrong).unwrap_err();
        assert_eq!(error.exit(), Exit::Damaged);
        assert!(told(&error).ends_with(want), "{}", told(&error));
        assert!(stage.staged_zip(&world.modules[3].module).is_none());
    }
}

#[test]
fn a_list_is_read_over_all_its_texts() {
    let (world, mut stage, mut update) = update();
    // Of the two texts, the second begins with a module that the first has too.
    let line = |n: usize| format!("mod example.com/m0 v1.{n}.0\n");
    let text = |lines: String| format!("modferry needs v1\n{lines}").into_bytes();
    update
        .items
        .insert(Item::Needs(1), text(line(0) + &line(1)));
    update.items.insert(Item::Needs(2), text(line(1)));
    let error = world.check_on(&mut stage, &update).unwrap_err();
    assert_eq!(error.exit(), Exit::Damaged);
    assert!(
        told(&error).ends_with(
            "needs 2 is damaged: line 2: example.com/m0@v1.1.0 is out of order or there twice"
        ),
        "{}",
        told(&error)
    );
    // A list of more than one text, well.
    let many = (0..40_000).map(|n| {
        let module = ModuleVersion::parse("example.com/gone", &format!("v1.{n}.0")).unwrap();
        (module, Gone::All)
    });
    update
        .items
        .retain(|item, _| !matches!(item, Item::Needs(_)));
    let update = update.without(many);
    assert!(update.items.contains_key(&Item::Tombstones(2)));
    assert!(update.items[&Item::Tombstones(1)].len() <= MAX_LIST_TEXT);
    assert_eq!(
        world.check_on(&mut stage, &update).unwrap().tombstones,
        40_000
    );
    assert_eq!(stage.tombstones().len(), 40_000);
}

#[test]
fn a_bundle_does_not_contradict_itself() {
    let told_of = |change: &dyn Fn(&World, &mut TestBundle)| {
        let (world, mut stage, mut update) = update();
        change(&world, &mut update);
        let result = world.check_on(&mut stage, &update);
        result.map(drop).map_err(|error| {
            assert_eq!(error.exit(), Exit::Damaged);
            told(&error)
        })
    };
    let needed = |level: Level, gone: Gone| {
        told_of(&|world, update| {
            let [a, b, c, _] = &world.modules[..] else {
                unreachable!()
            };
            needs(update, &[(a, Level::Zip), (b, level), (c, Level::Zip)]);
            tombstones(update, &[(b, gone)]);
        })
    };
    assert_eq!(needed(Level::Mod, Gone::Zip), Ok(()));
    for (level, gone, word) in [
        (Level::Zip, Gone::Zip, "zip"),
        (Level::Zip, Gone::All, "all"),
        (Level::Mod, Gone::All, "all"),
    ] {
        let error = needed(level, gone).unwrap_err();
        let want = format!(
            "tombstones is damaged: it takes back {word} of example.com/m1@v1.1.0, and it is needed"
        );
        assert!(error.ends_with(&want), "{error}");
    }

    // The module that the update carries, with tombstones of others on both sides of it.
    let carried = |gone: Gone, without: &[fn(ModuleVersion) -> Item]| {
        told_of(&|world, update| {
            let [_, b, _, d] = &world.modules[..] else {
                unreachable!()
            };
            let last = TestModule::numbered(10).module;
            let mut lines = vec![
                (b.module.clone(), Gone::All),
                (d.module.clone(), gone),
                (last, Gone::All),
            ];
            lines.sort_by(|a, b| a.0.cmp(&b.0));
            *update = update.clone().without(lines);
            for item in without {
                update.items.remove(&item(d.module.clone())).unwrap();
            }
        })
    };
    assert_eq!(carried(Gone::Zip, &[Item::Zip]), Ok(()));
    for (gone, without, kind) in [
        (Gone::Zip, &[][..], "zip"),
        (Gone::All, &[], "info"),
        (Gone::All, &[Item::Info as fn(_) -> _, Item::Zip], "mod"),
        (Gone::All, &[Item::Mod, Item::Zip], "info"),
    ] {
        let error = carried(gone, without).unwrap_err();
        let want =
            format!(" of example.com/m9@v1.9.0, and {kind} example.com/m9@v1.9.0 is carried");
        assert!(error.ends_with(&want), "{error}");
    }
}

#[test]
fn a_stage_that_fails_at_a_list_keeps_its_own_exit_code() {
    struct Full(MemoryStage);
    // Only what is asked of it before anything is put.
    impl Stage for Full {
        type HeldZip = crate::NoZip;
        type Error = modferry_cli::Fault;
        fn put(&mut self, _: &Item, _: &[u8]) -> Result<(), Self::Error> {
            unreachable!()
        }
        fn put_zip(
            &mut self,
            _: &ModuleVersion,
            _: &modferry_protocol::zip::ZipFacts,
            _: u64,
            _: &[u8; 32],
            _: &mut dyn Read,
        ) -> Result<(), Self::Error> {
            unreachable!()
        }
        fn staged(&self, _: &Item) -> Result<Option<Vec<u8>>, Self::Error> {
            unreachable!()
        }
        fn held(&self, _: &Item) -> Result<Option<Vec<u8>>, Self::Error> {
            unreachable!()
        }
        fn holds(&self, item: &Item) -> Result<bool, Self::Error> {
            Ok(self.0.holds(item).unwrap())
        }
        fn needed(&mut self, _: &ModuleVersion, _: Level) -> Result<(), Self::Error> {
            Err(modferry_cli::Fault::new(Exit::NoRoom, "no room").advise("make some"))
        }
        fn held_zip(
            &self,
            _: &ModuleVersion,
            _: &[u8; 32],
        ) -> Result<crate::HeldZip<crate::NoZip>, Self::Error> {
            unreachable!()
        }
        fn put_file(
            &mut self,
            _: &modferry_protocol::bundle::FileName,
            _: u64,
            _: &[u8; 32],
            _: &mut dyn Read,
        ) -> Result<(), Self::Error> {
            unreachable!()
        }
        fn held_vulndb(&self) -> Result<Option<modferry_protocol::bundle::Snapshot>, Self::Error> {
            unreachable!()
        }
        fn held_file(
            &self,
            _: &modferry_protocol::bundle::FileName,
        ) -> Result<Option<[u8; 32]>, Self::Error> {
            unreachable!()
        }
        fn is_vouched(
            &self,
            _: &modferry_protocol::module::ModulePath,
        ) -> Result<bool, Self::Error> {
            unreachable!()
        }
        fn is_private(
            &self,
            _: &modferry_protocol::module::ModulePath,
        ) -> Result<bool, Self::Error> {
            unreachable!()
        }
        fn each_staged(
            &self,
            _: &mut dyn FnMut(Item) -> Result<(), CheckError>,
        ) -> Result<(), CheckError> {
            unreachable!()
        }
        fn heads_held(
            &self,
            _: &DbName,
        ) -> Result<Vec<modferry_protocol::sumdb::TreeHead>, Self::Error> {
            unreachable!()
        }
        fn head_note(&self, _: &DbName, _: u64) -> Result<Option<Vec<u8>>, Self::Error> {
            unreachable!()
        }
    }
    let (world, stage, mut update) = update();
    needs(&mut update, &[(&world.modules[0], Level::Zip)]);
    let sealed = world.seal(&update);
    let error = check(
        OneVolume::new(&*sealed.volume),
        None,
        &world.policy,
        &mut Full(stage),
        &NoProgress,
    )
    .unwrap_err();
    assert_eq!(error.exit(), Exit::NoRoom);
    assert_eq!(error.advice().as_deref(), Some("make some"));
}

fn trust_note(number: u64) -> Vec<u8> {
    let after = match number {
        1 => "none".into(),
        _ => "00".repeat(32),
    };
    let text = format!(
        "modferry trust v1\nnumber {number}\nafter {after}\ncreated 2026-11-21T09:00:00Z\nrequire 2\n"
    );
    note::sign(&text, &[&key("site")]).unwrap()
}

#[test]
fn trust_notes_are_handed_on_as_they_are() {
    let (world, mut stage, mut update) = update();
    let notes: Vec<(u64, Vec<u8>)> = [1, 2, 7].map(|number| (number, trust_note(number))).into();
    for (number, note) in &notes {
        update.items.insert(Item::Trust(*number), note.clone());
    }
    assert_eq!(world.check_on(&mut stage, &update).unwrap().trust_notes, 3);
    assert_eq!(stage.trust_notes(), notes);
}

#[test]
fn what_is_no_trust_note_of_its_number_is_damaged() {
    let unsigned = String::from_utf8(trust_note(1)).unwrap();
    let unsigned = unsigned.split_once("\n\n").unwrap().0.to_owned() + "\n";
    for (number, note, want) in [
        (2, trust_note(1), "its number is 1"),
        (1, unsigned.into_bytes(), "it is not signed"),
        (1, vec![0xff; 10], "invalid utf-8"),
        (
            1,
            String::from_utf8(trust_note(1))
                .unwrap()
                .replace("require 2", "require two")
                .into(),
            "trust note line 5",
        ),
    ] {
        let (world, mut stage, mut update) = update();
        update.items.insert(Item::Trust(number), note);
        let error = world.check_on(&mut stage, &update).unwrap_err();
        assert_eq!(error.exit(), Exit::Damaged);
        let told = told(&error);
        assert!(
            told.contains(&format!("trust {number}: not a trust note of this number"))
                && told.contains(want),
            "{told}"
        );
    }
}
