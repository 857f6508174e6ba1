//! `inspect` and `verify`: what they say of a bundle, and what two people compare over a telephone.
#![allow(clippy::unwrap_used)]

mod common;

use common::World;
use modferry_protocol::bundle::{Manifest, Spoken};
use modferry_protocol::note;

#[test]
fn one_fingerprint_everywhere_before_and_after_a_second_signature() {
    let world = World::of("m.test/a@v1.0.0 ->");
    world.run(&["keygen", "second"]).ok();
    let exported = world
        .export(&["m.test/a@v1.0.0", "--stream", "platform"])
        .ok();
    let file = world.path("out/platform.000001.manifest");
    let bytes = std::fs::read(&file).unwrap();
    let text = note::text(&bytes).unwrap();
    let want = Spoken::of(text).to_string();
    assert_eq!(Manifest::parse(text).unwrap().spoken().to_string(), want);
    assert!(
        exported.stdout.contains(&format!("telephone: {want}\n")),
        "{}",
        exported.stdout
    );

    for _ in 0..2 {
        for args in [
            &["inspect", "out"][..],
            &["inspect", "out", "--fingerprint"],
            &["inspect", "out", "--fingerprint", "--pub", "site.pub"],
            &["--json", "inspect", "out"],
            &["--json", "inspect", "out", "--fingerprint"],
            &["verify", "out", "--pub", "site.pub"],
            &["verify", "out", "--pub", "site.pub", "--fingerprint"],
            &["--json", "verify", "out", "--pub", "site.pub"],
            &[
                "--json",
                "verify",
                "out",
                "--pub",
                "site.pub",
                "--fingerprint",
            ],
        ] {
            let done = world.run(args).ok();
            assert!(done.stdout.contains(&want), "{args:?}: {}", done.stdout);
        }
        let done = world
            .run(&[
                "sign",
                "out/platform.000001.manifest",
                "--key",
                "second.key",
            ])
            .ok();
        assert!(done.stdout.contains(&want), "{}", done.stdout);
    }
    let done = world.run(&["inspect", "out", "--fingerprint"]).ok();
    assert_eq!(
        done.stdout,
        format!("{want}  platform 1, signature NOT CHECKED\n")
    );
    let done = world
        .run(&["verify", "out", "--pub", "site.pub", "--fingerprint"])
        .ok();
    assert!(
        done.stdout
            .starts_with(&format!("{want}  platform 1, signed by site+")),
        "{}",
        done.stdout
    );
    // A verify that fails tells none.
    let done = world.run(&["verify", "out", "--pub", "other.pub", "--fingerprint"]);
    assert!(done.stdout.is_empty() && done.code != Some(0), "{done:?}");
    world.run(&["keygen", "other"]).ok();
    let done = world
        .run(&["verify", "out", "--pub", "other.pub", "--fingerprint"])
        .exits(3);
    assert!(done.stdout.is_empty(), "{}", done.stdout);
}
