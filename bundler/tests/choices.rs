//! Queries of exports and plans, through the built command: what they are about, what is told, and how they fail.
#![allow(clippy::unwrap_used)]

mod common;

use common::{World, write};

const GRAPH: &str = "
    example.com/app@v1.0.0 go1.17 -> example.com/lib@v1.1.0
    example.com/lib@v1.0.0 ->
    example.com/lib@v1.1.0 ->
    example.com/lib@v1.1.5 ->
    example.com/lib@v1.2.0 ->
    example.com/lib@v1.3.0-rc.1 ->
    example.org/other@v1.0.0 ->
    example.org/other@v1.1.0 ->
";

/// An upstream that lists what it has.
fn world() -> World {
    let world = World::of(GRAPH);
    for (path, versions) in [
        ("example.com/app", "v1.0.0"),
        ("example.com/lib", "v1.0.0 v1.1.0 v1.1.5 v1.2.0 v1.3.0-rc.1"),
        ("example.org/other", "v1.0.0 v1.1.0"),
    ] {
        let list = versions.replace(' ', "\n") + "\n";
        write(&world.path(&format!("up/{path}/@v/list")), list.as_bytes());
    }
    world
}

/// What an export of these, and of no newest version besides, carries whole.
fn exported(world: &World, args: &[&str]) -> (String, String) {
    let args = [&["--newest", "none"], args].concat();
    let done = world.export(&args).ok();
    let newest = world
        .out()
        .into_iter()
        .filter(|name| name.ends_with(".manifest"))
        .max();
    let bundle = world.path("out").join(newest.unwrap());
    (
        world.carried(bundle.to_str().unwrap(), "zip"),
        done.stderr + &done.stdout,
    )
}

#[test]
fn upgrade_and_patch_are_about_the_rest_or_the_stream() {
    let world = world();
    let (zips, told) = exported(&world, &["example.com/app@v1.0.0", "example.com/lib@patch"]);
    assert_eq!(
        zips,
        "example.com/app@v1.0.0 example.com/lib@v1.1.0 example.com/lib@v1.1.5"
    );
    assert!(told.contains("example.com/lib@patch is v1.1.5"), "{told}");

    // Now nothing else names it, but the stream has carried it.
    let done = world
        .export(&["example.com/lib@patch", "--newest", "none"])
        .ok();
    let told = done.stderr + &done.stdout;
    let words = "example.com/lib@patch is v1.1.5: the destination holds that, nothing changes";
    assert!(told.contains(words), "{told}");
    let (zips, told) = exported(&world, &["example.com/lib@upgrade"]);
    assert_eq!(zips, "example.com/lib@v1.2.0");
    assert!(told.contains("example.com/lib@upgrade is v1.2.0"), "{told}");
    let done = world
        .export(&["example.com/lib@upgrade", "--newest", "none"])
        .ok();
    let told = done.stderr + &done.stdout;
    let words = "example.com/lib@upgrade is v1.2.0: the destination holds that, nothing changes";
    assert!(told.contains(words), "{told}");

    world
        .export(&["example.org/other@patch"])
        .exits(2)
        .says("nothing else that is selected, and nothing that the stream has carried, has a version of it");
}

#[test]
fn patterns_pick_among_what_is_known() {
    let world = world();
    let (zips, told) = exported(
        &world,
        &["example.com/app@v1.0.0", "example.com/...@latest"],
    );
    assert_eq!(
        zips,
        "example.com/app@v1.0.0 example.com/lib@v1.1.0 example.com/lib@v1.2.0"
    );
    assert!(told.contains("example.com/lib@latest is v1.2.0"), "{told}");
    assert!(!told.contains("example.org/other"), "{told}");

    // The stream has carried it, and nothing is selected besides.
    let (zips, _) = exported(
        &world,
        &["...lib@v1.0", "...@v1.1.5", "--exclude", "example.com/app"],
    );
    assert_eq!(zips, "example.com/lib@v1.0.0 example.com/lib@v1.1.5");
    let (zips, told) = exported(
        &world,
        &["example.org/other@v1.0.0", "example.net/...@latest"],
    );
    assert_eq!(zips, "example.org/other@v1.0.0");
    assert!(
        told.contains("example.net/...@latest matches nothing"),
        "{told}"
    );
}

#[test]
fn settings_widen_and_narrow_the_choice() {
    let world = world();
    let (zips, _) = exported(&world, &["example.com/lib@newest 2", "--pre-releases"]);
    assert_eq!(zips, "example.com/lib@v1.2.0 example.com/lib@v1.3.0-rc.1");
    write(
        &world.path("modferry.yaml"),
        b"key: site.key\nout: out\nstate: other\nnewest: none\nmodules: ['example.com/lib@^1.1', example.org/other@all]\n\
          exclude: ['example.com/lib@>=1.2', example.org/other@v1.0.0]\n",
    );
    let done = world
        .run(&["plan", "--config", "modferry.yaml", "--each"])
        .ok();
    for named in ["example.com/lib@v1.1.5", "example.org/other@v1.1.0"] {
        assert!(done.stdout.contains(named), "{}", done.stdout);
    }
    for other in ["v1.2.0", "other@v1.0.0"] {
        assert!(!done.stdout.contains(other), "{}", done.stdout);
    }
}

#[test]
fn a_query_that_comes_to_nothing_is_told_and_the_rest_is_exported_if_that_is_wanted() {
    let world = world();
    let asked = [
        "example.com/lib@v1.0.0",
        "example.com/lib@>=3",
        "example.net/gone@latest",
        "example.com/lib@main",
    ];
    let done = world.export(&asked).exits(9);
    assert!(world.out().is_empty(), "{:?}", world.out());
    for told in [
        "example.com/lib@>=3: no version of it fits: upstream lists 5, the highest v1.3.0-rc.1",
        "example.net/gone@latest: file://",
        "example.com/lib@main: file://",
        "--keep-going",
    ] {
        assert!(done.stderr.contains(told), "{}", done.stderr);
    }
    let all = [&asked[..], &["--keep-going", "--newest", "none"]].concat();
    let done = world.export(&all).exits(9).says("the bundle has the rest");
    assert!(
        done.stderr.contains("example.com/lib@>=3: no version"),
        "{}",
        done.stderr
    );
    let bundle = world.text("out");
    assert_eq!(world.carried(&bundle, "zip"), "example.com/lib@v1.0.0");
    world.run(&[&["plan"], &asked[..]].concat()).exits(9);
    world
        .export(&["example.com/lib@v1.0.0", "--exclude", "example.com/..."])
        .exits(2)
        .says("v1.0.0 is excluded by example.com/...");
}

#[test]
fn each_malformed_query_is_a_usage_error_and_nothing_is_asked() {
    let world = world();
    for (asked, told) in [
        ("example.com/lib", "no version: say example.com/lib@latest"),
        ("example.com/lib@", "an empty query"),
        ("example.com/lib@>=x", "is no version"),
        ("example.com/lib@<=1.2", "may mean"),
        ("example.com/lib@newest", "say how many"),
        ("example.com/lib@since never", "say a date"),
        ("example.com/lib@all master", "belongs to no query"),
        (
            "example.com/lib@feature/x",
            "no module proxy can be asked for it",
        ),
        ("Example.com/lib@latest", "Example.com/lib@latest: "),
        ("lib@latest", "lib@latest: "),
    ] {
        let goproxy = "http://127.0.0.1:9";
        world
            .run(&["plan", asked, "--goproxy", goproxy])
            .exits(2)
            .says(told);
    }
    for (key, told) in [
        (
            "newest: some",
            "modferry.yaml:1:9: newest: unknown variant `some`",
        ),
        (
            "exclude: [example.com/lib@latest]",
            "modferry.yaml:1:11: exclude[0]: \"example.com/lib@latest\": say versions",
        ),
        (
            "toolchains: newest",
            "modferry.yaml:1:13: toolchains: \"newest\" is no version of Go",
        ),
        (
            "platforms: [linux]",
            "modferry.yaml:1:13: platforms[0]: \"linux\" is no platform",
        ),
        (
            "follow: test\nplatforms: [linux/adm64]",
            "modferry.yaml:2:13: platforms[0]: \"linux/adm64\" is no platform: Go knows no GOARCH \"adm64\" (perhaps amd64?)",
        ),
    ] {
        write(&world.path("modferry.yaml"), key.as_bytes());
        world
            .run(&["plan", "--config", "modferry.yaml"])
            .exits(2)
            .says(told);
    }
}
