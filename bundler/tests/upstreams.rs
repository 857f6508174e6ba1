//! What is laid on an upstream and what is not, by the exit code and the words of the built command.
#![allow(clippy::unwrap_used)]

mod common;

use std::fs;

use common::{World, version};

const GRAPH: &str = "
    m.test/a@v1.0.0 -> m.test/b@v1.0.0
    m.test/b@v1.0.0 ->
";

#[test]
fn what_cannot_be_kept_in_the_cache_stops_the_run_although_it_may_keep_going() {
    let world = World::of(GRAPH);
    let b = version("m.test/b@v1.0.0");
    let folder = world
        .path(".cache/modferry/download")
        .join(b.path().escaped())
        .join("@v");
    // A folder where the file has to go: nobody can write it, not even root.
    fs::create_dir_all(folder.join("v1.0.0.info/x")).unwrap();
    world
        .export(&["m.test/a@v1.0.0", "--keep-going"])
        .exits(1)
        .says("cannot use the cache for m.test/b@v1.0.0");
    assert_eq!(world.out(), [""; 0]);
}
