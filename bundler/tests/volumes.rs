//! Bundles in several volumes: exported so, cut anew, joined, looked at one by one, and mixed up.
#![allow(clippy::unwrap_used)]

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use common::{Done, World, write};
use modferry_checker::testing::TestModule;

/// Three modules with zips of about 1, 20 and 60 kB.
fn world() -> World {
    let mut world = World::new();
    for (name, size) in [("a", 0), ("b", 20_000), ("c", 60_000)] {
        // Text that deflate cannot make much smaller.
        let mut state = size as u64 + 1;
        let data: String = std::iter::repeat_with(|| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            char::from(b'!' + (state >> 33) as u8 % 90)
        })
        .take(size)
        .collect();
        let name = format!("m.test/{name}@v1.0.0");
        world.add(&TestModule::new(
            &name,
            &[("a.go", "package a\n"), ("data", &data)],
        ));
    }
    world.publish();
    world
}

const MODULES: [&str; 3] = ["m.test/a@v1.0.0", "m.test/b@v1.0.0", "m.test/c@v1.0.0"];

fn export(world: &World, out: &str, more: &[&str]) -> Done {
    let args = [
        "export", "--key", "site.key", "--stream", "platform", "--out", out,
    ];
    // Each out has a state of its own, so that all are bundle 1.
    let state = format!("state-{out}");
    world.run(&[&args, &MODULES[..], &["--state", &state], more].concat())
}

fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    fs::read_dir(folder)
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            (name, fs::read(path).unwrap())
        })
        .collect()
}

fn verify(world: &World, paths: &[&str]) -> Done {
    world.run(&[&["verify", "--pub", "site.pub"], paths].concat())
}

#[test]
fn an_export_obeys_the_size_to_the_byte() {
    let world = world();
    let done = export(&world, "out", &["--volume-size", "20 kB"]).ok();
    let volumes = files(&world.path("out"));
    assert!(volumes.len() > 4, "{:?}", volumes.keys());
    assert!(volumes.values().all(|bytes| bytes.len() <= 20_000));
    // The manifest beside, and the volumes' names in the output.
    let names: Vec<&str> = volumes.keys().map(String::as_str).collect();
    assert_eq!(names[0], "platform.000001.manifest");
    for (number, name) in (1..).zip(&names[1..]) {
        assert_eq!(*name, format!("platform.000001.v{number:03}.tar"));
        assert!(done.stdout.contains(name), "{}", done.stdout);
    }
    let count = format!("in {} volumes", names.len() - 1);
    assert!(done.stdout.contains(&count), "{}", done.stdout);
    verify(&world, &["out"]).ok();

    // The least size that will do is told, does, and one block less does not.
    let small = export(&world, "small", &["--volume-size", "1 kB"]).exits(2);
    assert!(files(&world.path("small")).is_empty());
    let least = small
        .stderr
        .split(": ")
        .find_map(|part| part.strip_suffix(" bytes will do\n"));
    let least: u64 = least
        .unwrap_or_else(|| panic!("{}", small.stderr))
        .parse()
        .unwrap();
    let less = (least - 512).to_string();
    export(&world, "less", &["--volume-size", &less])
        .exits(2)
        .says("are too small");
    export(&world, "least", &["--volume-size", &least.to_string()]).ok();
    let volumes = files(&world.path("least"));
    assert!(volumes.values().all(|bytes| bytes.len() as u64 <= least));
    verify(&world, &["least"]).ok();

    // By the configuration file, and by a medium's name.
    let config =
        "stream: platform\nkey: site.key\nmodules: [m.test/c@v1.0.0]\nvolume-size: 20 kB\n";
    write(&world.path("m.yaml"), config.as_bytes());
    let args = [
        "export",
        "--config",
        "m.yaml",
        "--out",
        "by-config",
        "--state",
        "s1",
    ];
    world.run(&args).ok();
    assert!(files(&world.path("by-config")).len() > 2);
    let args = [
        "export",
        "--config",
        "m.yaml",
        "--out",
        "on-cd",
        "--state",
        "s2",
        "--volume-size",
        "cd",
    ];
    world.run(&args).ok();
    assert_eq!(files(&world.path("on-cd")).len(), 2);
    world
        .run(&["export", "--config", "m.yaml", "--volume-size", "floppy"])
        .exits(2)
        .says("bd-dl");
}

#[test]
fn a_bundle_is_cut_anew_and_joined_without_a_key() {
    let world = world();
    export(&world, "out", &[]).ok();
    let whole = files(&world.path("out"));
    for size in ["16 kB", "33000", "70 kB"] {
        let cut = format!("cut-{}", size.replace(' ', ""));
        world
            .run(&["volumes", "out", "--volume-size", size, "--out", &cut])
            .ok();
        let parts = files(&world.path(&cut));
        assert!(parts.len() > 2);
        verify(&world, &[&cut]).ok();
        // And from these to others, and back to one.
        let other = format!("{cut}-other");
        world
            .run(&["volumes", &cut, "--volume-size", "21 kB", "--out", &other])
            .ok();
        let joined = format!("{cut}-joined");
        let done = world.run(&["volumes", &other, "--out", &joined]).ok();
        assert!(done.stdout.contains("in 1 volume,"), "{}", done.stdout);
        assert_eq!(files(&world.path(&joined)), whole, "{size}");
    }
    // What stands there is not written over, not even a volume that this cut would not have.
    let leftover = world.path("taken/platform.000001.v077.tar");
    write(&leftover, b"x");
    world
        .run(&["volumes", "out", "--out", "taken"])
        .exits(2)
        .says("v077.tar is there already");
    export(&world, "taken", &[])
        .exits(2)
        .says("v077.tar is there already");
    assert_eq!(files(&world.path("taken")).len(), 1);
    world.run(&["volumes", "out", "--out", "out"]).exits(2);
    assert_eq!(files(&world.path("out")), whole);

    // A signature that was added rides in the new volumes.
    world.run(&["keygen", "second"]).ok();
    world
        .run(&[
            "sign",
            "out/platform.000001.manifest",
            "--key",
            "second.key",
        ])
        .ok();
    world
        .run(&[
            "volumes",
            "out",
            "--volume-size",
            "30 kB",
            "--out",
            "signed",
        ])
        .ok();
    fs::remove_file(world.path("signed/platform.000001.manifest")).unwrap();
    let both = [
        "verify",
        "signed",
        "--pub",
        "site.pub",
        "--pub",
        "second.pub",
        "--require",
        "2",
    ];
    world.run(&both).ok();
    let too_many = ["verify", "signed", "--pub", "site.pub", "--require", "2"];
    world
        .run(&too_many)
        .exits(2)
        .says("1 public keys are given");
    fs::remove_file(world.path("out/platform.000001.manifest")).unwrap();
    let both = [
        "verify",
        "out",
        "--pub",
        "site.pub",
        "--pub",
        "second.pub",
        "--require",
        "2",
    ];
    world.run(&both).exits(3);
}

#[test]
fn one_volume_is_read_by_itself() {
    let world = world();
    export(&world, "out", &["--volume-size", "20 kB"]).ok();
    let count = files(&world.path("out")).len() - 1;
    let second = "out/platform.000001.v002.tar";
    let done = world.run(&["inspect", second]).ok();
    assert!(
        done.stdout.contains(&format!("volume 2 of {count}")),
        "{}",
        done.stdout
    );
    assert!(
        done.stdout.contains("not here: platform.000001.v001.tar"),
        "{}",
        done.stdout
    );
    assert!(
        done.stdout.contains("zip m.test/c@v1.0.0"),
        "{}",
        done.stdout
    );

    let done = verify(&world, &[second]).ok();
    for words in [
        ": whole\n",
        "\nproven: ",
        "\nnot proven: ",
        "not here: platform.000001.v001.tar, ",
    ] {
        assert!(
            done.stdout.contains(words),
            "no {words:?} in\n{}",
            done.stdout
        );
    }
    assert!(!done.stdout.contains("verified"), "{}", done.stdout);
    let done = world
        .run(&["--json", "verify", second, "--pub", "site.pub"])
        .ok();
    let told: serde_json::Value = serde_json::from_str(&done.stdout).unwrap();
    assert_eq!(told["contents_proven"], false);
    assert_eq!(told["volumes"][0]["examined"]["number"], 2);
    world.run(&["keygen", "other"]).ok();
    world
        .run(&["verify", second, "--pub", "other.pub"])
        .exits(3);

    // Of a folder or a manifest, all volumes are meant.
    fs::create_dir(world.path("elsewhere")).unwrap();
    let moved = world.path("elsewhere/platform.000001.v001.tar");
    fs::rename(world.path("out/platform.000001.v001.tar"), &moved).unwrap();
    for path in ["out", "out/platform.000001.manifest"] {
        let done = verify(&world, &[path])
            .exits(5)
            .says("1 of them are not here: platform.000001.v001.tar");
        assert!(done.stdout.contains("not proven"), "{}", done.stdout);
        world.run(&["volumes", path, "--out", "no"]).exits(5);
    }
    // In several folders they are all there.
    verify(&world, &["out", "elsewhere"]).ok();
    world
        .run(&["volumes", "out", "elsewhere", "--out", "together"])
        .ok();
    verify(&world, &["together"]).ok();
}

#[test]
fn all_that_is_damaged_is_named() {
    let world = world();
    export(&world, "out", &["--volume-size", "20 kB", "--pack", "none"]).ok();
    let damage = |name: &str| {
        let path = world.path("out").join(name);
        let mut bytes = fs::read(&path).unwrap();
        let at = bytes.len() - 3000;
        bytes[at] ^= 1;
        fs::write(path, bytes).unwrap();
    };
    let (one, other) = ("platform.000001.v002.tar", "platform.000001.v004.tar");
    damage(one);
    let done = verify(&world, &["out"])
        .exits(4)
        .says(one)
        .says("(zip m.test/");
    assert!(!done.stderr.contains(other), "{}", done.stderr);
    damage(other);
    let done = verify(&world, &["out"])
        .exits(4)
        .says("2 volumes are damaged");
    let done = done.says(one).says(other);
    assert!(!done.stderr.contains("v003"), "{}", done.stderr);
    verify(&world, &["out/platform.000001.v003.tar"]).ok();
    verify(&world, &["out/platform.000001.v004.tar"])
        .exits(4)
        .says(other);

    // Cutting it anew finds it, too, and leaves nothing.
    world
        .run(&["volumes", "out", "--out", "no"])
        .exits(4)
        .says(one)
        .says("was exported to");
    assert!(
        files(&world.path("no")).is_empty(),
        "{:?}",
        files(&world.path("no")).keys()
    );
    // Cut short.
    let path = world.path("out").join(other);
    let bytes = fs::read(&path).unwrap();
    fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    verify(&world, &["out"]).exits(4).says(other);
}

#[test]
fn what_does_not_belong_is_refused_by_name() {
    let world = world();
    export(&world, "out", &["--volume-size", "20 kB"]).ok();
    world
        .run(&["volumes", "out", "--volume-size", "30 kB", "--out", "cut"])
        .ok();
    // Another bundle 1 of the stream, as a lost state makes one.
    let args = "export m.test/b@v1.0.0 m.test/c@v1.0.0 --key site.key --stream platform --out other --state other-state";
    let args: Vec<&str> = args.split(' ').chain(["--volume-size", "20 kB"]).collect();
    world.run(&args).ok();
    let put = |from: &str, to: &str| {
        fs::create_dir_all(world.path("mixed")).unwrap();
        for (name, bytes) in files(&world.path("out")) {
            fs::write(world.path("mixed").join(name), bytes).unwrap();
        }
        fs::copy(world.path(from), world.path("mixed").join(to)).unwrap();
    };
    let third = "platform.000001.v003.tar";
    for (from, to, words) in [
        (
            format!("other/{third}"),
            third,
            "its manifest is not that of",
        ),
        (format!("cut/{third}"), third, "the bundle was cut twice"),
        (
            "out/platform.000001.v002.tar".to_owned(),
            third,
            "it is platform.000001.v002.tar by what is in it",
        ),
        (
            format!("out/{third}"),
            "other.000001.v003.tar",
            "it is platform.000001.v003.tar by what is in it",
        ),
    ] {
        put(&from, to);
        for args in [
            &["inspect", "mixed"][..],
            &["verify", "mixed", "--pub", "site.pub"],
            &["volumes", "mixed", "--out", "no"],
            &["diff", "mixed", "out"],
        ] {
            world.run(args).exits(4).says(to).says(words);
        }
        assert!(!world.path("no").exists());
        fs::remove_dir_all(world.path("mixed")).unwrap();
    }
    // Another cut, into as many volumes: nothing in a name or a count tells, and what they have does.
    let close = ["volumes", "out", "--volume-size", "19500", "--out", "close"];
    world.run(&close).ok();
    assert_eq!(
        files(&world.path("close")).len(),
        files(&world.path("out")).len()
    );
    put(&format!("close/{third}"), third);
    verify(&world, &["mixed"]).exits(4).says(third);
    world
        .run(&["volumes", "mixed", "--out", "no"])
        .exits(4)
        .says(third)
        .says("does not fit what the other volumes have");
    assert!(files(&world.path("no")).is_empty());
    // The same volume from two places.
    world
        .run(&["inspect", "out", "cut"])
        .exits(4)
        .says("does not belong to this bundle");
}

#[test]
fn a_run_killed_among_the_renames_leaves_nothing_that_stands_in_the_way() {
    let world = world();
    let size = ["--volume-size", "20 kB", "--basis", "none"];
    export(&world, "out", &size).ok();
    let whole = files(&world.path("out"));
    let bundles = world.path("state-out/bundles");
    let manifest = bundles.join("platform.000001.manifest");
    let pending = bundles.join("platform.000001.pending");
    // The volumes get their names from the last to the first, then the manifest gets its own; the state comes last.
    let names: Vec<&String> = whole.keys().collect();
    for named in 0..=names.len() {
        fs::remove_dir_all(world.path("out")).unwrap();
        fs::create_dir(world.path("out")).unwrap();
        for name in names.iter().rev().take(named) {
            write(&world.path("out").join(name), &whole[*name]);
        }
        if manifest.exists() {
            fs::rename(&manifest, &pending).unwrap();
            let out = world.path("out").canonicalize().unwrap();
            fs::write(pending.with_extension("folder"), out.to_str().unwrap()).unwrap();
        }
        fs::remove_file(bundles.join("platform.000002.manifest")).ok();
        let done = export(&world, "out", &size).ok();
        let (finished, last) = match named {
            // The first volume is there: so are all.
            n if n >= names.len() - 1 => (true, 2),
            _ => (false, 1),
        };
        let told = format!("exported platform {last}:");
        assert!(done.stdout.contains(&told), "{named}: {}", done.stdout);
        assert_eq!(
            done.stdout.contains("was interrupted"),
            finished,
            "{named}: {}",
            done.stdout
        );
        let after = files(&world.path("out"));
        assert!(
            after.keys().all(|name| !name.starts_with('.')),
            "{:?}",
            after.keys()
        );
        assert_eq!(
            after.len(),
            names.len() * last,
            "{named}: {:?}",
            after.keys()
        );
        verify(&world, &["out"]).ok();
        if finished {
            assert!(
                whole.iter().all(|(name, bytes)| after[name] == *bytes),
                "{named}"
            );
        } else {
            // What is there now is another bundle 1: go back to the one that the names above are of.
            fs::write(&manifest, &whole["platform.000001.manifest"]).unwrap();
        }
    }
}
