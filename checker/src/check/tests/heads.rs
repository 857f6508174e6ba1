//! Heads, tiles, and what a destination holds already.

use super::*;
use modferry_cli::{Exit, Failure};
use modferry_protocol::sumdb::{Tile, TreeHead, edge, tiles_of_older};

/// Adds a module to the world, and gives the bundle that brings it on top of what was carried before, for
/// clients with a head of one of these sizes.
fn next_bundle(world: &mut World, carried: &TestBundle, older: &[u64]) -> TestBundle {
    let module = TestModule::numbered(world.modules.len());
    // Far enough behind what was carried that its record has tiles of its own.
    world.sumdb.pad(70_000, "c");
    world.sumdb.add(&module);
    world.modules.push(module);
    let last = world.modules.last().unwrap();
    let sequence = carried.sequence.get() + 1;
    let update = TestBundle::of(&world.sumdb, &[last], older);
    update.less(carried, sequence).on(carried)
}

fn import(world: &World, stage: &mut MemoryStage, bundle: &TestBundle) -> Report {
    let report = world.check_on(stage, bundle).unwrap();
    stage.commit(report.served.clone());
    report
}

#[test]
fn each_tile_is_needed_and_is_missed_by_name() {
    let world = World::new();
    let bundle = world.bundle();
    let tiles: Vec<Item> = bundle
        .items
        .keys()
        .filter(|item| matches!(item, Item::Tile(..)))
        .cloned()
        .collect();
    for tile in tiles {
        let mut bundle = bundle.clone();
        bundle.items.remove(&tile).unwrap();
        let error = world.refused(&bundle);
        assert!(
            matches!(&error, CheckError::Missing { what, .. } if what.contains(&tile.to_string())),
            "{error:?}"
        );
    }
}

#[test]
fn each_tile_is_proven() {
    let world = World::new();
    let bundle = world.bundle();
    let tiles: Vec<Item> = bundle
        .items
        .keys()
        .filter(|item| matches!(item, Item::Tile(..)))
        .cloned()
        .collect();
    for tile in tiles {
        let mut bundle = bundle.clone();
        *bundle.items.get_mut(&tile).unwrap().last_mut().unwrap() ^= 1;
        let error = world.refused(&bundle);
        assert!(
            matches!(error, CheckError::Sumdb { .. }),
            "{tile}: {error:?}"
        );
        assert_eq!(error.exit(), Exit::Sumdb);
    }
}

#[test]
fn a_tile_that_nothing_asks_for_is_proven_too() {
    let world = World::new();
    let db = world.sumdb.db().clone();
    let mut bundle = world.bundle();
    // Narrower than in the tree, beside the whole one; and one beyond the tree.
    let narrow = Tile::new(8, 0, 2, 10).unwrap();
    let good = world.sumdb.tile(&narrow);
    bundle
        .items
        .insert(Item::Tile(db.clone(), narrow), good.clone());
    assert_eq!(world.check(&bundle).unwrap().zips, 3);
    let mut bad = good;
    bad[0] ^= 1;
    bundle.items.insert(Item::Tile(db.clone(), narrow), bad);
    let error = world.refused(&bundle);
    assert!(
        error
            .to_string()
            .ends_with("tile/8/0/002.p/10 is not the one in the signed tree"),
        "{error}"
    );

    for beyond in [
        Tile::new(8, 0, 1000, 1).unwrap(),
        Tile::new(8, 1, 0, 200).unwrap(),
    ] {
        let mut bundle = world.bundle();
        bundle
            .items
            .insert(Item::Tile(db.clone(), beyond), vec![0; beyond.size()]);
        assert_eq!(world.refused(&bundle).exit(), Exit::Sumdb);
    }
}

#[test]
fn a_head_must_be_signed_by_its_database_and_be_the_manifests() {
    let world = World::new();
    let head = Item::Head(world.sumdb.db().clone());
    let stranger = TestSumdb::new("sum.test");
    let mut bundle = world.bundle();
    bundle
        .items
        .insert(head.clone(), stranger.signed(&world.sumdb.head()));
    let error = world.refused(&bundle);
    assert_eq!(error.exit(), Exit::Sumdb);
    assert!(
        error
            .to_string()
            .contains("does not open with the key of sum.test"),
        "{error}"
    );

    bundle
        .items
        .insert(head.clone(), world.sumdb.signed(&world.sumdb.head_at(1000)));
    let error = world.refused(&bundle);
    assert!(
        error
            .to_string()
            .contains("not the one that the bundle's manifest names"),
        "{error}"
    );

    bundle.items.insert(head, b"garbage".to_vec());
    assert_eq!(world.refused(&bundle).exit(), Exit::Sumdb);
}

#[test]
fn a_second_bundle_builds_on_the_first() {
    let mut world = World::new();
    let mut stage = MemoryStage::new();
    let first = world.bundle();
    import(&world, &mut stage, &first);
    let old = world.sumdb.size();
    let second = next_bundle(&mut world, &first, &[old]);
    let report = import(&world, &mut stage, &second);
    assert_eq!((report.older_heads, report.records, report.zips), (1, 1, 1));
    assert_eq!(stage.heads_held(world.sumdb.db()).unwrap().len(), 2);

    // The same bundle where the first one never came: what it builds on is missing.
    if second.items.len()
        < TestBundle::of(&world.sumdb, &[&world.modules[3]], &[old])
            .items
            .len()
    {
        assert_eq!(world.refused(&second).exit(), Exit::Missing);
    }
    // A third one, for which every head that was served is continued.
    let third = next_bundle(&mut world, &second, &[old, second.heads[0].1.size]);
    assert_eq!(import(&world, &mut stage, &third).older_heads, 2);
}

#[test]
fn each_tile_that_an_older_head_needs_is_missed() {
    let mut world = World::new();
    let mut stage = MemoryStage::new();
    let first = world.bundle();
    let report = world.check_on(&mut stage, &first).unwrap();
    stage.commit(report.served);
    let old = world.sumdb.size();
    let with = next_bundle(&mut world, &first, &[old]);
    let without = TestBundle::of(&world.sumdb, &[&world.modules[3]], &[]).less(&first, 2);
    let only_for_the_older: Vec<&Item> = with
        .items
        .keys()
        .filter(|item| !without.items.contains_key(item))
        .collect();
    assert!(!only_for_the_older.is_empty());
    for item in only_for_the_older {
        let mut bundle = with.clone();
        bundle.items.remove(item).unwrap();
        let error = world.check_on(&mut stage, &bundle).unwrap_err();
        assert!(
            matches!(&error, CheckError::Missing { what, .. } if *what == [item.to_string()]),
            "{error:?}"
        );
    }
}

#[test]
fn a_record_that_is_held_vouches_for_a_zip_that_comes_later() {
    let world = World::new();
    let mut stage = MemoryStage::new();
    let mut first = world.bundle();
    let zip = first.items.remove(&world.first(Item::Zip)).unwrap();
    import(&world, &mut stage, &first);
    let mut second = world.bundle().less(&first, 2);
    assert_eq!(second.items.len(), 2, "a head and a zip");
    assert_eq!(import(&world, &mut stage, &second).zips, 1);

    let other = TestModule::new("example.com/m0@v1.0.0", &[("m.go", "package evil\n")]);
    second.items.insert(world.first(Item::Zip), other.zip);
    assert_eq!(
        world.check_on(&mut stage, &second).unwrap_err().exit(),
        Exit::Sumdb
    );
    second.items.insert(world.first(Item::Zip), zip);
    assert!(stage.forget(&world.first_record()));
    let error = world.check_on(&mut stage, &second).unwrap_err();
    assert!(
        matches!(&error, CheckError::Missing { what, .. } if *what == [world.first_record().to_string()])
    );
}

#[test]
fn an_older_tree_than_the_one_held_is_proven_in_the_one_held() {
    let mut world = World::new();
    let first = world.bundle();
    let small = world.sumdb.size();
    let mut stage = MemoryStage::new();
    // The newer one first, with one of the modules and what clients of the older head need. The records of the
    // other modules are then proven in the newer tree with tiles that the older bundle brings.
    world.sumdb.pad(1000, "d");
    let newer = TestBundle::of(&world.sumdb, &[&world.modules[0]], &[small]);
    import(&world, &mut stage, &newer);
    let report = import(&world, &mut stage, &first);
    assert_eq!(
        report.served,
        [(world.sumdb.db().clone(), world.sumdb.head())],
        "it never goes back"
    );
    assert_eq!((report.older_heads, report.records), (1, 3));
    assert_eq!(
        stage.heads_held(world.sumdb.db()).unwrap(),
        [world.sumdb.head()]
    );
    let note = stage
        .held(&Item::Head(world.sumdb.db().clone()))
        .unwrap()
        .unwrap();
    assert_eq!(note, world.sumdb.signed(&world.sumdb.head()));

    // Without those tiles it cannot be told, and is not believed.
    let mut bare = MemoryStage::new();
    let bundle = TestBundle::of(&world.sumdb, &[], &[]);
    import(&world, &mut bare, &bundle);
    assert_eq!(
        world.check_on(&mut bare, &first).unwrap_err().exit(),
        Exit::Missing
    );
}

/// The same database with the same key, and another history from the first record on.
fn forked(world: &World, size: u64) -> World {
    let mut sumdb = world.sumdb.emptied();
    sumdb.pad(700, "another history");
    for module in &world.modules {
        sumdb.add(module);
        sumdb.pad(300, "b");
    }
    sumdb.pad(size - sumdb.size(), "b");
    World {
        sumdb,
        modules: world.modules.clone(),
        key: world.key.clone(),
        policy: world.policy.clone(),
    }
}

fn assert_fork(error: &CheckError, held: TreeHead, offered: TreeHead) {
    let CheckError::Fork {
        held: was,
        offered: is,
        ..
    } = error
    else {
        panic!("{error:?}")
    };
    assert_eq!((was.head, is.head), (held, offered));
    assert_eq!(error.exit(), Exit::Sumdb);
    // Both notes are there, as evidence.
    for side in [was, is] {
        assert!(
            String::from_utf8_lossy(&side.note).contains(&side.head.encode()),
            "{error:?}"
        );
    }
}

#[test]
fn a_fork_is_found_at_any_size() {
    let world = World::new();
    let mut stage = MemoryStage::new();
    let bundle = world.bundle();
    import(&world, &mut stage, &bundle);
    let held = world.sumdb.head();
    // Of the same size, and larger with all the tiles for the older head.
    for size in [
        held.size,
        held.size + 1,
        held.size + 500,
        held.size + 70_000,
    ] {
        let fork = forked(&world, size);
        let modules: Vec<&TestModule> = fork.modules.iter().collect();
        let bundle = TestBundle::of(&fork.sumdb, &modules, &[held.size]);
        let error = world.check_on(&mut stage, &bundle).unwrap_err();
        assert_fork(&error, held, fork.sumdb.head());
        // An export on top of what is held, as if it were the same history.
        let bundle = bundle.less(&world.bundle(), 2);
        let error = world.check_on(&mut stage, &bundle).unwrap_err();
        assert_fork(&error, held, fork.sumdb.head());
    }
}

#[test]
fn a_fork_is_found_when_the_one_held_is_newer() {
    let mut world = World::new();
    let small = forked(&world, world.sumdb.size());
    world.sumdb.pad(1000, "d");
    let modules: Vec<&TestModule> = world.modules.iter().collect();
    let bundle = TestBundle::of(&world.sumdb, &modules, &[small.sumdb.size()]);
    let mut stage = MemoryStage::new();
    import(&world, &mut stage, &bundle);
    let error = world.check_on(&mut stage, &small.bundle()).unwrap_err();
    assert_fork(&error, world.sumdb.head(), small.sumdb.head());
}

#[test]
fn the_evidence_is_the_head_that_is_contradicted_though_it_is_not_the_newest() {
    let mut world = World::new();
    let mut stage = MemoryStage::new();
    let first = world.bundle();
    import(&world, &mut stage, &first);
    let old = world.sumdb.head();
    let fork = forked(&world, old.size);
    let second = next_bundle(&mut world, &first, &[old.size]);
    import(&world, &mut stage, &second);
    // Of the size of a head that was served before the newest.
    let error = world.check_on(&mut stage, &fork.bundle()).unwrap_err();
    assert_fork(&error, old, fork.sumdb.head());

    // The tiles to compare it with the newest head are missing; those for an older one are there.
    let newest = world.sumdb.head();
    let fork = forked(&world, newest.size + 70_000);
    let mut bundle = TestBundle::of(&fork.sumdb, &[&fork.modules[0]], &[old.size]);
    let only = tiles_of_older(fork.sumdb.size(), newest.size);
    let needed = tiles_of_older(fork.sumdb.size(), old.size);
    for tile in only.into_iter().filter(|tile| !needed.contains(tile)) {
        let tile = Item::Tile(world.sumdb.db().clone(), tile);
        bundle.items.remove(&tile);
        stage.forget(&tile);
    }
    let error = world.check_on(&mut stage, &bundle).unwrap_err();
    assert_fork(&error, old, fork.sumdb.head());
}

#[test]
fn one_wrong_tile_is_no_fork_where_the_head_is_the_one_held() {
    let world = World::new();
    let mut stage = MemoryStage::new();
    let bundle = world.bundle();
    import(&world, &mut stage, &bundle);
    let again = bundle.clone().less(&bundle, 2);
    let edge = edge(world.sumdb.size());
    assert!(edge.len() > 1);
    for tile in edge {
        let item = Item::Tile(world.sumdb.db().clone(), tile);
        let mut wrong = again.clone();
        let mut bytes = bundle.items[&item].clone();
        bytes[0] ^= 1;
        wrong.items.insert(item.clone(), bytes);
        let error = world.check_on(&mut stage, &wrong).unwrap_err();
        assert!(matches!(error, CheckError::Sumdb { .. }), "{error:?}");
        let text = error.to_string();
        assert!(
            text.ends_with(&format!("{item} is not the one in the signed tree")),
            "{text}"
        );

        // Even where what is held cannot show which it is.
        let mut torn = MemoryStage::new();
        import(&world, &mut torn, &bundle);
        assert!(torn.forget(&item));
        let error = world.check_on(&mut torn, &wrong).unwrap_err();
        assert!(matches!(error, CheckError::Sumdb { .. }), "{error:?}");
    }
}

#[test]
fn a_fork_shows_in_a_tile_that_is_held() {
    let world = World::new();
    let mut stage = MemoryStage::new();
    import(&world, &mut stage, &world.bundle());
    let held = world.sumdb.head();
    let db = world.sumdb.db().clone();
    let tile =
        |level, index, width| Item::Tile(db.clone(), Tile::new(8, level, index, width).unwrap());

    // A tile of the edge is as wide in both trees, and not brought: with the one held, the edge does not fit.
    let fork = forked(&world, held.size + 1);
    let mut bundle = TestBundle::of(&fork.sumdb, &[&fork.modules[0]], &[held.size]);
    bundle.items.remove(&tile(1, 0, 6)).unwrap();
    let error = world.check_on(&mut stage, &bundle).unwrap_err();
    assert_fork(&error, held, fork.sumdb.head());

    // What would show it in the heads is not brought, but a record leads to a tile of the other history.
    let fork = forked(&world, held.size + 500);
    let mut bundle = TestBundle::of(&fork.sumdb, &[&fork.modules[0]], &[held.size]);
    bundle.items.remove(&tile(0, held.size >> 8, 256)).unwrap();
    let id = fork.sumdb.record(&fork.modules[0].module).unwrap().id();
    bundle.items.remove(&tile(0, id >> 8, 256)).unwrap();
    let error = world.check_on(&mut stage, &bundle).unwrap_err();
    assert_fork(&error, held, fork.sumdb.head());
}

#[test]
fn all_tiles_on_the_way_to_a_record_are_missed_at_once() {
    let mut world = World::new();
    world.sumdb.pad(140_000, "d");
    let bundle = TestBundle::of(&world.sumdb, &[&world.modules[0]], &[]);
    let mut less = bundle.clone();
    let edge = edge(world.sumdb.size());
    less.items
        .retain(|item, _| !matches!(item, Item::Tile(_, tile) if !edge.contains(tile)));
    let gone: Vec<String> = bundle
        .items
        .keys()
        .filter(|item| !less.items.contains_key(item))
        .map(Item::to_string)
        .collect();
    assert_eq!(gone.len(), 2, "of level 0 and of level 1");
    let error = world.refused(&less);
    assert!(
        matches!(&error, CheckError::Missing { what, .. } if *what == gone),
        "{error:?}"
    );
}
