//! Answers to queries: what they name is whole with the bundle, or the bundle is refused.

use super::*;
use modferry_cli::{Exit, Failure};
use modferry_protocol::bundle::{Answer, Query};

fn query(module: &TestModule, revision: &str) -> Item {
    let path = module.module.path().clone();
    Item::Query(Query::new(path, revision.parse().unwrap()).unwrap())
}

fn answer(info: &[u8]) -> Vec<u8> {
    let asked = "2026-11-21T09:00:00Z";
    Answer { asked, info }.encode()
}

/// The world's bundle, and an answer that names its first module's version.
fn answering(world: &World) -> TestBundle {
    let mut bundle = world.bundle();
    let first = &world.modules[0];
    bundle
        .items
        .insert(query(first, "main"), answer(&first.info));
    bundle
}

#[test]
fn an_answer_may_name_what_the_bundle_brings_or_what_is_held() {
    let world = World::new();
    let bundle = answering(&world);
    let mut stage = MemoryStage::new();
    let report = world.check_on(&mut stage, &bundle).unwrap();
    assert_eq!(report.queries, 1);
    assert!(
        report
            .to_string()
            .contains("        1  answer to a query names a version that is whole here\n"),
        "{report}"
    );
    let item = query(&world.modules[0], "main");
    assert_eq!(
        stage.staged(&item).unwrap(),
        bundle.items.get(&item).cloned()
    );
    stage.commit(report.served);

    let mut later = answering(&world).less(&world.bundle(), 2).on(&bundle);
    later
        .items
        .retain(|item, _| matches!(item, Item::Head(_) | Item::Query(_)));
    assert_eq!(world.check_on(&mut stage, &later).unwrap().queries, 1);
}

#[test]
fn an_answer_that_names_what_is_not_whole_is_missing_it() {
    let world = World::new();
    let zip = world.first(Item::Zip);
    let mut without_zip = answering(&world);
    without_zip.items.remove(&zip);
    let mut of_nothing = world.bundle();
    of_nothing.items.insert(
        query(&world.modules[0], "main"),
        answer(br#"{"Version":"v1.9.0"}"#),
    );
    for (bundle, missing) in [
        (without_zip, zip.to_string()),
        (of_nothing, "zip example.com/m0@v1.9.0".into()),
    ] {
        let error = world.refused(&bundle);
        assert_eq!(error.exit(), Exit::Missing);
        let CheckError::Missing { what, .. } = &error else {
            panic!("{error:?}")
        };
        assert_eq!(what, &[missing]);
    }
}

#[test]
fn what_is_no_answer_is_refused_before_anything_is_proven() {
    let world = World::new();
    for bytes in [
        world.modules[0].info.clone(),
        answer(b"{}"),
        answer(br#"{"Version":"main"}"#),
        answer(br#"{"Version":"v1.0.0","version":"v1.1.0"}"#),
    ] {
        let mut bundle = world.bundle();
        bundle.items.insert(query(&world.modules[0], "main"), bytes);
        let error = world.refused(&bundle);
        assert_eq!(error.exit(), Exit::Damaged, "{error:?}");
        assert!(
            told(&error).contains("query example.com/m0@main"),
            "{}",
            told(&error)
        );
    }
}
