//! `inspect` and `verify`: what they say of a bundle, and what two people compare over a telephone.
#![allow(clippy::unwrap_used)]

mod common;

use common::World;
use modferry_checker::testing::{self, TestBundle, TestModule, TestPacking, TestSumdb};
use modferry_protocol::bundle::{Manifest, Recipe, RecipesBuilder, Source, Spoken};
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

#[test]
fn a_bundle_that_builds_on_another_is_whole_and_what_it_needs_is_proven_elsewhere() {
    let world = World::of("m.test/a@v1.0.0 ->\nm.test/b@v1.0.0 ->");
    world.export(&["m.test/a@v1.0.0"]).ok();
    world.export(&["m.test/a@v1.0.0", "m.test/b@v1.0.0"]).ok();
    let first = world.run(&["inspect", "out/default.000001.manifest"]).ok();
    assert!(
        first
            .stdout
            .contains("\n  builds on nothing: whole by itself\n"),
        "{}",
        first.stdout
    );
    let second = "out/default.000002.manifest";
    let inspected = world.run(&["inspect", second]).ok();
    assert!(
        inspected.stdout.contains(
            "\n  builds on bundle 1: needs of what is held 1 module version, takes 0 back\n"
        ),
        "{}",
        inspected.stdout
    );
    let told = world.run(&["--json", "inspect", second]).ok();
    let told: serde_json::Value = serde_json::from_str(&told.stdout).unwrap();
    assert_eq!(
        (&told["basis"], &told["needs"], &told["tombstones"]),
        (&1.into(), &1.into(), &0.into())
    );

    let verify =
        |args: &[&str]| world.run(&[&["verify", second, "--pub", "site.pub"], args].concat());
    let verified = verify(&[]).ok();
    assert!(
        verified.stdout.contains("default.000002.v001.tar: volume 1 of 1, entries 1 to 3: whole\n")
            && verified.stdout.ends_with(
                "that takes what the bundle builds on (1 module version, and tiles), which is where it goes: \
                 modferry-appliance verify proves it there\n"
            ),
        "{}",
        verified.stdout
    );
    let told: serde_json::Value = serde_json::from_str(&verify(&["--json"]).ok().stdout).unwrap();
    assert_eq!(told["contents_proven"], false);
    assert_eq!(told["needs"], 1);
    // All of it is read: a byte of its zip that is wrong is found.
    let volume = world.path("out/default.000002.v001.tar");
    let mut bytes = std::fs::read(&volume).unwrap();
    let zip = bytes
        .windows(4)
        .position(|four| four == b"PK\x03\x04")
        .unwrap();
    bytes[zip + 20] ^= 1;
    std::fs::remove_file(&volume).unwrap();
    std::fs::write(&volume, bytes).unwrap();
    let damaged = verify(&[]).exits(4);
    assert!(
        damaged.stderr.contains("zip m.test/b@v1.0.0"),
        "{}",
        damaged.stderr
    );
}

#[test]
fn where_the_bytes_went_is_told_by_kind() {
    let mut world = World::of("m.test/a@v1.0.0 -> m.test/b@v1.0.0\nm.test/b@v1.0.0 ->");
    world.sumdb.pad(300, "more");
    world.publish();
    world.export(&["m.test/a@v1.0.0"]).ok();
    let told = world.run(&["--json", "inspect", "out"]).ok();
    let told: serde_json::Value = serde_json::from_str(&told.stdout).unwrap();
    let kinds = told["kinds"].as_array().unwrap();
    let of = |name: &str| kinds.iter().find(|kind| kind["kind"] == name).unwrap();
    let carried = |kind: &serde_json::Value| kind["carried_bytes"].as_u64().unwrap();
    for (name, total) in [
        ("records", "records"),
        ("tiles", "tiles"),
        ("infos", "infos"),
        ("go.mod files", "mods"),
        ("tree heads", "volume_count"),
    ] {
        assert_eq!(of(name)["count"], told[total], "{name}");
    }
    // All of the bundle's bytes, and no byte twice.
    let framing = of("manifest, index and tar headers");
    let all: u64 = kinds.iter().map(carried).sum();
    assert_eq!(all, told["volumes"][0]["bytes"].as_u64().unwrap());
    assert_eq!(
        all - carried(framing),
        told["carried_bytes"].as_u64().unwrap()
    );
    let zips = |kind: &&serde_json::Value| kind["kind"].as_str().unwrap().starts_with("zips ");
    let restored = kinds
        .iter()
        .filter(zips)
        .map(|kind| kind["restored_bytes"].as_u64().unwrap());
    assert_eq!(restored.sum::<u64>(), told["zip_bytes"].as_u64().unwrap());
    // Nothing is told of what there is none of.
    let done = world.run(&["inspect", "out"]).ok();
    assert!(
        done.stdout.contains("  records, restored "),
        "{}",
        done.stdout
    );
    assert!(!done.stdout.contains("tombstones"), "{}", done.stdout);
}

/// A module of many files, of which all but one are the same in each version.
fn versioned(world: &mut World, name: &str, version: &str) {
    let text = |file: u32| {
        let lines =
            (0..200).map(|line| format!("func F{line}_{}() {{}}\n", file * 7919 * (line + 1)));
        lines.collect::<String>()
    };
    let mut files: Vec<(String, String)> = (0..30)
        .map(|file| (format!("f{file}.go"), format!("package p\n{}", text(file))))
        .collect();
    files.push((
        "version.go".into(),
        format!("package p\n// {version}\n{}", text(99)),
    ));
    let files: Vec<(&str, &str)> = files
        .iter()
        .map(|(name, text)| (name.as_str(), text.as_str()))
        .collect();
    world.add(&TestModule::new(&format!("{name}@{version}"), &files));
}

fn by_module(world: &World, args: &[&str]) -> Vec<serde_json::Value> {
    let inspect = ["--json", "inspect", "--modules", "--pub", "site.pub"];
    let told = world.run(&[&inspect, args].concat()).ok();
    let told: serde_json::Value = serde_json::from_str(&told.stdout).unwrap();
    let kinds = told["kinds"].as_array().unwrap().iter().filter(|kind| {
        let name = kind["kind"].as_str().unwrap();
        name.starts_with("zips ") || name == "frames of contents"
    });
    let carried = |of: &serde_json::Value| of["carried_bytes"].as_u64().unwrap();
    let modules = told["by_module"].as_array().unwrap().clone();
    // All that zips take is some module's, but for what rounding leaves.
    let all: u64 = kinds.map(carried).sum();
    let shared_out: u64 = modules.iter().map(carried).sum();
    assert!(
        shared_out <= all && shared_out + 300 >= all,
        "{shared_out} of {all}"
    );
    modules
}

#[test]
fn where_the_bytes_went_is_told_by_module() {
    let mut world = World::new();
    for (name, version) in [
        ("m.test/a", "v1.0.0"),
        ("m.test/a", "v1.1.0"),
        ("m.test/a", "v1.2.0"),
    ] {
        versioned(&mut world, name, version);
    }
    world.publish();
    let number = |of: &serde_json::Value, key: &str| of[key].as_u64().unwrap();
    let two = ["m.test/a@v1.0.0", "m.test/a@v1.1.0"];
    world.export(&[&two[..], &["--pack", "fast"]].concat()).ok();
    let modules = by_module(&world, &["out"]);
    let names: Vec<_> = modules
        .iter()
        .map(|of| of["module"].as_str().unwrap())
        .collect();
    assert_eq!(names, two);
    // What the second version shares counts for the first: its go.mod, too.
    assert_eq!(
        (number(&modules[0], "files"), number(&modules[0], "shared")),
        (32, 0)
    );
    assert_eq!(
        (number(&modules[1], "files"), number(&modules[1], "shared")),
        (32, 31)
    );
    assert!(number(&modules[1], "carried_bytes") < number(&modules[0], "carried_bytes") / 5);
    let told = world
        .run(&["inspect", "out", "--modules", "--pub", "site.pub"])
        .ok();
    // What shares nothing says so by saying nothing.
    assert!(
        !told.stdout.contains("m.test/a@v1.0.0: of"),
        "{}",
        told.stdout
    );
    assert!(
        told.stdout.contains(
            "m.test/a@v1.1.0: of 32 files 31 are an earlier zip's here, 0 one's that is held\n"
        ),
        "{}",
        told.stdout
    );

    // What the destination holds costs nothing; with the cache, what is packed against it can be read.
    world.export(&["m.test/a@v1.2.0", "--pack", "fast"]).ok();
    let second = "out/default.000002.manifest";
    let modules = by_module(&world, &[second]);
    assert_eq!(
        (number(&modules[0], "held"), number(&modules[0], "shared")),
        (31, 0)
    );
    let inspect = ["inspect", second, "--modules", "--pub", "site.pub"];
    world
        .run(&[&inspect[..], &["--cache", "empty"]].concat())
        .exits(5)
        .says("is packed against m.test/a@v1.1.0, which is not in the cache");
}

#[test]
fn where_the_bytes_of_a_packed_bundle_went_is_told_by_kind() {
    let mut world = World::new();
    for version in ["v1.0.0", "v1.1.0"] {
        versioned(&mut world, "m.test/a", version);
    }
    // Bytes in front of the files, more than a recipe has: it travels as it is.
    let mut odd = TestModule::new("m.test/odd@v1.0.0", &[("a.go", "package odd\n")]);
    odd.zip.splice(0..0, vec![0; 5 << 20]);
    world.add(&odd);
    world.publish();
    let of = |told: &serde_json::Value, name: &str, key: &str| {
        let kinds = told["kinds"].as_array().unwrap();
        let kind = kinds.iter().find(|kind| kind["kind"] == name);
        kind.map_or(0, |kind| kind[key].as_u64().unwrap())
    };
    let inspect = |bundle: &str| -> serde_json::Value {
        let told = world.run(&["--json", "inspect", bundle]).ok();
        serde_json::from_str(&told.stdout).unwrap()
    };
    let zips = ["m.test/a@v1.0.0", "m.test/odd@v1.0.0", "--pack", "fast"];
    world.export(&zips).ok();
    let first = inspect("out/default.000001.manifest");
    assert_eq!(of(&first, "frames of contents", "count"), 1);
    assert_eq!(of(&first, "lists of bases", "count"), 0);
    assert_eq!(of(&first, "zips as recipes", "count"), 1);
    assert_eq!(of(&first, "zips as they are", "count"), 1);
    assert_eq!(
        of(&first, "zips as they are", "carried_bytes"),
        odd.zip.len() as u64
    );
    assert_eq!(
        of(&first, "zips as recipes", "restored_bytes") + odd.zip.len() as u64,
        first["zip_bytes"].as_u64().unwrap()
    );
    let kinds = first["kinds"].as_array().unwrap();
    let all: u64 = kinds
        .iter()
        .map(|kind| kind["carried_bytes"].as_u64().unwrap())
        .sum();
    assert_eq!(all, first["volumes"][0]["bytes"].as_u64().unwrap());

    world.export(&["m.test/a@v1.1.0", "--pack", "fast"]).ok();
    let second = inspect("out/default.000002.manifest");
    assert_eq!(second["bases"], 1);
    assert_eq!(of(&second, "lists of bases", "count"), 1);
    let contents = |told| of(told, "frames of contents", "carried_bytes");
    assert!(contents(&second) * 10 < contents(&first));
    // By name, each zip is listed like one that travels as it is.
    assert_eq!(
        world.carried("out/default.000001.manifest", "zip"),
        zips[..2].join(" ")
    );
}

#[test]
fn what_contents_give_is_counted_no_further_than_the_manifest_says() {
    let world = World::new();
    let (key, mut sumdb) = (testing::key("other"), TestSumdb::new("sum.test"));
    let modules = [0, 1].map(TestModule::numbered);
    modules.iter().for_each(|module| sumdb.add(module));
    let all: Vec<&TestModule> = modules.iter().collect();
    let inspect = |change: i64, frame: usize| {
        let mut bundle = TestBundle::of(&sumdb, &all, &[]).packed(TestPacking::frames_of(frame));
        let entries: Vec<_> = bundle
            .entries()
            .into_iter()
            .map(|(entry, _)| entry)
            .collect();
        let mut deflated = bundle.manifest(&entries, b"").deflated;
        // Each go.mod and source, and the licence once.
        assert_eq!(deflated.streams, 5);
        deflated.streams = deflated.streams.saturating_add_signed(change);
        bundle.deflated = Some(deflated);
        let sealed = bundle.seal(&[&key]);
        common::write(&world.path("signed/test.000001.manifest"), &sealed.manifest);
        common::write(&world.path("signed/test.000001.v001.tar"), &sealed.volume);
        world.run(&["inspect", "signed", "--modules", "--pub", "other.pub"])
    };
    common::write(
        &world.path("other.pub"),
        format!("{}\n", key.verifier()).as_bytes(),
    );
    for frame in [1, 1000] {
        inspect(0, frame).ok();
        inspect(-1, frame)
            .exits(4)
            .says("they give more deflate streams than the manifest has");
    }
}

#[test]
fn what_a_recipe_names_is_there_and_is_looked_at_once() {
    let world = World::new();
    let (key, mut sumdb) = (testing::key("other"), TestSumdb::new("sum.test"));
    let module = TestModule::numbered(0);
    sumdb.add(&module);
    common::write(
        &world.path("other.pub"),
        format!("{}\n", key.verifier()).as_bytes(),
    );
    let inspect = |pieces: &[(u32, u32)]| {
        let bundle = TestBundle::of(&sumdb, &[&module], &[]).packed(TestPacking::frames_of(9));
        let mut entries = bundle.entries();
        let mut next = pieces.iter();
        let recipe = Recipe::of_zip(&module.module, &module.zip, &mut |_, place| {
            let (first, count) = *next.next().unwrap();
            Source::Pieces {
                first,
                count,
                crc32: place.crc32,
                unpacked: place.unpacked,
            }
        });
        let digest = entries.last().unwrap().0.zips().next().unwrap().1;
        let mut builder = RecipesBuilder::new();
        builder
            .push(&module.module, digest, &recipe.unwrap().unwrap())
            .unwrap();
        let pack = builder.close().unwrap().unwrap();
        *entries.last_mut().unwrap() = pack.into_entry(entries.len() as u32);
        let sealed = bundle.seal_entries(&entries, &[&key], None);
        common::write(&world.path("signed/test.000001.manifest"), &sealed.manifest);
        common::write(&world.path("signed/test.000001.v001.tar"), &sealed.volume);
        world.run(&["inspect", "signed", "--modules", "--pub", "other.pub"])
    };
    // Three files and three deflate streams: a recipe may look at six in all.
    inspect(&[(0, 1), (1, 1), (2, 1)]).ok();
    inspect(&[(0, 3), (0, 2), (2, 1)]).ok();
    let too_often = "or it is used too often";
    inspect(&[(0, 3), (0, 2), (1, 2)]).exits(4).says(too_often);
    inspect(&[(0, 3), (0, 3), (0, 3)]).exits(4).says(too_often);
    inspect(&[(0, 1), (1, 1), (3, 1)])
        .exits(4)
        .says("there is no deflate stream 3");
    inspect(&[(0, u32::MAX), (1, 1), (2, 1)])
        .exits(4)
        .says("there is no deflate stream 3");
}

#[test]
fn a_zip_that_travels_as_it_is_takes_its_own_bytes() {
    let mut world = World::new();
    versioned(&mut world, "m.test/b", "v1.0.0");
    world.publish();
    world.export(&["m.test/b@v1.0.0", "--pack", "none"]).ok();
    let modules = by_module(&world, &["out"]);
    assert_eq!(modules[0]["carried_bytes"], modules[0]["zip_bytes"]);
    // Nothing is read that nobody has signed.
    world.run(&["inspect", "out", "--modules"]).exits(2);
    world.run(&["keygen", "other"]).ok();
    world
        .run(&["inspect", "out", "--modules", "--pub", "other.pub"])
        .exits(3);
}
