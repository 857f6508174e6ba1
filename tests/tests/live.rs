//! The second tier, `make test-live`: the demo's job on real modules, through the upstream that the go command of
//! this machine uses. Ignored by default, since it needs that upstream.

#![allow(clippy::unwrap_used)]

use std::{path::Path, process::Command};

use modferry_tests::run::run;
use tempfile::TempDir;

/// The demo, from the export to the refusal of a changed byte, in a folder of its own.
#[test]
#[ignore = "needs the configured GOPROXY: make test-live"]
fn caddy_is_carried_and_built_behind_the_gap() {
    let folder = TempDir::new().unwrap();
    let checkout = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let demo =
        run(Command::new(checkout.join("scripts/demo.sh")).env("MODFERRY_DEMO", folder.path()))
            .ok();
    let demo = demo
        .says("all modules verified")
        .says("v2.11.9")
        .says("exit 4");

    let inside = folder.path().join("inside");
    let go_sum = std::fs::read_to_string(inside.join("project/go.sum")).unwrap();
    let zips: Vec<(&str, &str)> = go_sum
        .lines()
        .filter_map(|line| {
            let mut words = line.split(' ');
            Some((words.next()?, words.next()?))
        })
        .filter(|(_, version)| !version.ends_with("/go.mod"))
        .collect();
    assert!(
        zips.len() > 100,
        "a go.sum of only {} modules\n{demo}",
        zips.len()
    );

    // Bit for bit: what the client behind the gap got is what upstream serves to a client on this side.
    let online = folder.path().join("online");
    std::fs::create_dir_all(&online).unwrap();
    for (path, version) in zips.iter().step_by(zips.len() / 8) {
        let module = format!("{path}@{version}");
        let direct = run(Command::new("go")
            .args(["mod", "download", "-json", &module])
            .env("GOMODCACHE", &online)
            .env("GOFLAGS", "-modcacherw")
            .current_dir(folder.path()))
        .ok()
        .json();
        for kind in ["Info", "GoMod", "Zip"] {
            let upstream = Path::new(direct[kind].as_str().unwrap());
            let carried = inside
                .join("modcache")
                .join(upstream.strip_prefix(&online).unwrap());
            // Behind the gap the go command asks for no .info of a module that go.mod pins.
            if carried.exists() {
                assert!(
                    std::fs::read(&carried).unwrap() == std::fs::read(upstream).unwrap(),
                    "{module}: {kind} differs"
                );
            }
        }
    }
    // The demo's module cache is read-only, as the go command makes it.
    run(Command::new("chmod").args(["-R", "u+w"]).arg(folder.path())).ok();
}
