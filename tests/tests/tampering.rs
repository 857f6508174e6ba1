//! What an attacker does to a bundle on its way, with and without the site's key, and that none of it gets in.
//!
//! Each case runs the built appliance against a store that already serves one good bundle, and checks the exit
//! code, that the damage is named, and that the store answers as before.

#![allow(clippy::unwrap_used)]

use modferry_protocol::{bundle::Item, note::SigningKey};
use modferry_tests::{
    bundle::{Contents, Parts},
    site::{Site, file_with_suffix},
};

/// A site that holds one bundle, and a second one in a folder, ready to be tampered with.
struct Attacked {
    site: Site,
    bundle: String,
    before: String,
    cases: u32,
}

impl Attacked {
    /// The bundle's zips travel as they are: what is done to an item is then done to a member of the tar, or to a pack
    /// that can be written again without its zips.
    #[track_caller]
    fn new() -> Self {
        Self::by("none")
    }

    /// With a bundle that was exported by `--pack`.
    #[track_caller]
    fn by(pack: &str) -> Self {
        let mut site = Site::new();
        for number in 0..300 {
            site.upstream.add(
                &format!("example.com/m{number}@v1.0.0"),
                "-- m.go --\npackage m\n",
            );
        }
        site.carry(&["example.com/m7@v1.0.0"]);
        // After the first bundle, so that the second one's head and tiles are not in the store.
        site.upstream.add(
            "example.com/a@v1.0.0",
            "-- go.mod --\nmodule example.com/a\n-- a.go --\npackage a\n",
        );
        site.upstream.add(
            "example.com/b@v1.0.0",
            "-- go.mod --\nmodule example.com/b\n-- b.go --\npackage b\n",
        );
        let modules = ["example.com/a@v1.0.0", "example.com/b@v1.0.0"];
        let (exported, bundle) = site.export(&[&modules[..], &["--pack", pack]].concat());
        exported.ok();
        let before = site.appliance(&["list", "--json"]).ok().stdout;
        Self {
            site,
            bundle,
            before,
            cases: 0,
        }
    }

    /// The site's signing key, stolen.
    fn key(&self) -> SigningKey {
        std::fs::read_to_string(self.site.path("keys/site.key"))
            .unwrap()
            .trim()
            .parse()
            .unwrap()
    }

    fn contents(&self) -> Contents {
        Contents::read(&self.bundle, &self.key())
    }

    fn parts(&self) -> Parts {
        Parts::read(&self.bundle)
    }

    fn folder(&mut self) -> String {
        self.cases += 1;
        self.site.path(&format!("tampered-{}", self.cases))
    }

    /// Both import and verify refuse `folder` with `exit`, say `text`, and nothing of it is in the store.
    #[track_caller]
    fn refused(&self, folder: &str, exit: i32, text: &str) {
        self.site
            .appliance(&["verify", folder])
            .expect(exit)
            .says(text);
        self.site
            .appliance(&["import", folder])
            .expect(exit)
            .says(text);
        let now = self.site.appliance(&["list", "--json"]).ok().stdout;
        assert_eq!(now, self.before, "the store changed");
    }

    #[track_caller]
    fn refuses_parts(&mut self, parts: &Parts, exit: i32, text: &str) {
        let folder = self.folder();
        parts.write(&folder);
        self.refused(&folder, exit, text);
    }

    #[track_caller]
    fn refuses_signed(&mut self, contents: Contents, exit: i32, text: &str) {
        let folder = self.folder();
        contents.write(&folder, &self.key());
        self.refused(&folder, exit, text);
    }
}

#[test]
fn a_flipped_byte_in_every_kind_of_entry() {
    let kinds = [
        ("none", &[".zst", ".zip"][..]),
        ("fast", &[".zst", ".contents", ".recipes"]),
    ];
    for (pack, kinds) in kinds {
        let mut attacked = Attacked::by(pack);
        let parts = attacked.parts();
        let names: Vec<String> = parts.members.iter().map(|member| member.name()).collect();
        for kind in kinds {
            assert!(names.iter().any(|name| name.ends_with(kind)), "{names:?}");
        }
        for (at, name) in names.iter().enumerate() {
            let mut parts = parts.clone();
            let middle = parts.members[at].data.len() / 2;
            parts.members[at].data[middle] ^= 1;
            // "manifest" and "index" name themselves; the volume's manifest is then not the one beside it.
            attacked.refuses_parts(&parts, 4, name);
        }
    }
}

#[test]
fn a_flipped_byte_in_the_manifest_beside_a_volume() {
    let mut attacked = Attacked::new();
    let folder = attacked.folder();
    attacked.parts().write(&folder);
    let sidecar = file_with_suffix(&folder, ".manifest");
    let text = std::fs::read_to_string(&sidecar).unwrap();
    std::fs::write(&sidecar, text.replacen("sequence 2", "sequence 3", 1)).unwrap();
    attacked.refused(&folder, 4, "manifest");

    // Without a volume that says otherwise, nobody has signed what it says now.
    std::fs::remove_file(file_with_suffix(&folder, ".tar")).unwrap();
    assert_ne!(attacked.site.appliance(&["import", &folder]).code, 0);
}

#[test]
fn truncation() {
    let mut attacked = Attacked::new();
    let parts = attacked.parts();
    let volume = parts.volume();
    for length in [
        0,
        100,
        512,
        700,
        volume.len() / 3,
        volume.len() / 2,
        volume.len() - 1025,
        volume.len() - 1024,
        volume.len() - 1,
    ] {
        let folder = attacked.folder();
        parts.write_volume(&folder, &volume[..length]);
        attacked.refused(&folder, 4, ".tar");
    }
}

#[test]
fn something_behind_the_end() {
    let mut attacked = Attacked::new();
    let parts = attacked.parts();
    let folder = attacked.folder();
    parts.write_volume(&folder, &[parts.volume(), vec![0; 512]].concat());
    attacked.refused(&folder, 4, ".tar");
}

#[test]
fn swapped_extra_missing_and_doubled_entries() {
    let mut attacked = Attacked::new();
    let parts = attacked.parts();
    let zip = parts.position(".zip");

    let mut swapped = parts.clone();
    swapped.members.swap(zip, zip + 1);
    attacked.refuses_parts(&swapped, 4, &parts.members[zip].name());

    // The names in their order, the contents changed about.
    let mut crossed = parts.clone();
    let (first, second) = (
        parts.members[zip].data.clone(),
        parts.members[zip + 1].data.clone(),
    );
    crossed.members[zip].data = second;
    crossed.members[zip + 1].data = first;
    for at in [zip, zip + 1] {
        let size = crossed.members[at].data.len() as u64;
        crossed.members[at] = crossed.members[at]
            .clone()
            .with_header(|header| header.set_size(size));
    }
    attacked.refuses_parts(&crossed, 4, &parts.members[zip].name());

    let mut extra = parts.clone();
    let more = parts.members[zip]
        .clone()
        .with_header(|header| header.set_path("999999.zip").unwrap());
    extra.members.push(more);
    attacked.refuses_parts(&extra, 4, "999999.zip");

    let mut missing = parts.clone();
    missing.members.remove(zip);
    attacked.refuses_parts(&missing, 4, &parts.members[zip].name());

    let mut doubled = parts.clone();
    doubled.members.insert(zip, parts.members[zip].clone());
    attacked.refuses_parts(&doubled, 4, &parts.members[zip].name());
}

#[test]
fn names_and_types_that_a_careless_unpacker_would_follow() {
    let mut attacked = Attacked::new();
    let parts = attacked.parts();
    let zip = parts.position(".zip");
    let mut with = |change: &dyn Fn(&mut tar::Header), found: &str| {
        let mut parts = parts.clone();
        parts.members[zip] = parts.members[zip].clone().with_header(change);
        attacked.refuses_parts(&parts, 4, found);
    };
    let name = |header: &mut tar::Header, name: &[u8]| {
        let field = &mut header.as_old_mut().name;
        field.fill(0);
        field[..name.len()].copy_from_slice(name);
    };
    with(
        &|header| name(header, b"../../etc/cron.d/evil"),
        "../../etc/cron.d/evil",
    );
    with(
        &|header| name(header, b"/etc/cron.d/evil"),
        "/etc/cron.d/evil",
    );
    with(
        &|header| {
            header.set_entry_type(tar::EntryType::Symlink);
            header.set_link_name("/etc/shadow").unwrap();
        },
        "symbolic link",
    );
    with(
        &|header| header.set_entry_type(tar::EntryType::Link),
        "000002.zip",
    );
    with(
        &|header| header.set_entry_type(tar::EntryType::Directory),
        "000002.zip",
    );
    with(
        &|header| header.set_entry_type(tar::EntryType::XHeader),
        "000002.zip",
    );
    with(
        &|header| header.set_entry_type(tar::EntryType::GNULongName),
        "000002.zip",
    );
    with(&|header| header.set_mode(0o4755), "000002.zip");
    with(&|header| header.set_uid(1000), "000002.zip");
}

#[test]
fn a_tar_that_declares_more_than_it_has() {
    let mut attacked = Attacked::new();
    let parts = attacked.parts();
    for (member, size) in [
        ("manifest", 0o77_777_777_777u64),
        ("index", 0o77_777_777_777),
        (".zip", 0o77_777_777_777),
    ] {
        let at = parts.position(member);
        let folder = attacked.folder();
        let mut bomb = parts.clone();
        bomb.members[at] = bomb.members[at]
            .clone()
            .with_header(|header| header.set_size(size));
        bomb.write(&folder);
        attacked.refused(&folder, 4, ".tar");
    }
}

#[test]
fn no_key_and_an_unknown_key() {
    let mut attacked = Attacked::new();
    let contents = attacked.contents();

    let stranger = SigningKey::generate("site", &mut rand_core::OsRng).unwrap();
    let folder = attacked.folder();
    contents.clone().write(&folder, &stranger);
    attacked.refused(&folder, 3, "no trusted");

    let nobody = Site::distrusting();
    let import = nobody.appliance(&["import", &attacked.bundle]);
    import.expect(3).says("trust add");
}

#[test]
fn other_contents_correctly_signed_are_caught_by_the_checksum_database() {
    let mut attacked = Attacked::new();
    let contents = attacked.contents();

    let mut zip = contents.clone();
    *zip.item("zip example.com/a@v1.0.0") = modferry_tests::module::Module::new(
        "example.com/a@v1.0.0",
        "-- go.mod --\nmodule example.com/a\n-- a.go --\npackage evil\n",
    )
    .zip;
    attacked.refuses_signed(zip, 6, "example.com/a@v1.0.0");

    let mut go_mod = contents.clone();
    go_mod
        .item("mod example.com/a@v1.0.0")
        .extend(b"require example.com/evil v1.0.0\n");
    attacked.refuses_signed(go_mod, 6, "example.com/a@v1.0.0");

    // A record that says so too: then the record is not in the tree.
    let mut record = contents.clone();
    let text = modferry_tests::module::Module::new(
        "example.com/a@v1.0.0",
        "-- go.mod --\nmodule example.com/a\n-- a.go --\npackage evil\n",
    );
    let evil = text.record("-- go.mod --\nmodule example.com/a\n-- a.go --\npackage evil\n");
    let id = String::from_utf8(
        record
            .item("record sum.example.com example.com/a@v1.0.0")
            .clone(),
    )
    .unwrap();
    let id = id.lines().next().unwrap().to_owned();
    *record.item("record sum.example.com example.com/a@v1.0.0") =
        format!("{id}\n{evil}\n").into_bytes();
    *record.item("zip example.com/a@v1.0.0") = text.zip;
    attacked.refuses_signed(record, 6, "example.com/a@v1.0.0");

    // An .info of another version.
    let mut info = contents.clone();
    *info.item("info example.com/a@v1.0.0") = br#"{"Version":"v9.9.9"}"#.to_vec();
    attacked.refuses_signed(info, 4, "example.com/a@v1.0.0");
}

#[test]
fn a_head_that_the_database_never_signed() {
    let mut attacked = Attacked::new();
    let mut contents = attacked.contents();
    let own_key = signed_note::generate_key(&mut rand_core::OsRng, "sum.example.com").0;
    let mut log = modferry_tests::log::Log::new(&own_key);
    for number in 0..500 {
        log.append(format!("example.com/x{number} v1.0.0 h1:x\n"));
    }
    *contents.item("head sum.example.com") = log.latest();
    attacked.refuses_signed(contents, 6, "sum.example.com");
}

#[test]
fn a_forked_database_correctly_signed() {
    let attacked = Attacked::new();
    // Everything of the second bundle is true in another history of the same database.
    let other = Site::new();
    let mut log = modferry_tests::log::Log::new(&attacked.site.upstream.signing_key());
    let text = "-- go.mod --\nmodule example.com/evil\n-- a.go --\npackage evil\n";
    let evil = modferry_tests::module::Module::new("example.com/evil@v1.0.0", text);
    for number in 0..400 {
        log.append(format!("example.com/x{number} v1.0.0 h1:{number}\n"));
    }
    let id = log.append(evil.record(text));
    other.upstream.replace_log(log, evil, id);
    other.appliance(&["trust", "list"]).ok();
    std::fs::copy(
        attacked.site.path("keys/site.key"),
        other.path("keys/stolen.key"),
    )
    .unwrap();
    let out = other.path("forged");
    let (key, verifier) = (
        other.path("keys/stolen.key"),
        attacked.site.upstream.verifier_key().to_owned(),
    );
    other
        .bundler(&[
            "export",
            "example.com/evil@v1.0.0",
            "--key",
            &key,
            "--out",
            &out,
            "--gosumdb",
            &verifier,
        ])
        .ok();
    attacked.refused(&out, 6, "FORKED");
    let kept = std::fs::read_dir(attacked.site.store().join("evidence"))
        .unwrap()
        .count();
    assert!(kept > 0, "no evidence");
}

#[test]
fn what_is_needed_and_was_left_out_is_named() {
    let mut attacked = Attacked::new();
    let contents = attacked.contents();
    for left_out in [
        "record sum.example.com example.com/a@v1.0.0",
        "mod example.com/a@v1.0.0",
        "info example.com/a@v1.0.0",
    ] {
        attacked.refuses_signed(
            contents.clone().without(left_out),
            5,
            "example.com/a@v1.0.0",
        );
    }
    attacked.refuses_signed(
        contents.without("tile sum.example.com tile/8/0/001"),
        5,
        "tile/8/0/001",
    );
}

#[test]
fn bombs() {
    let mut attacked = Attacked::new();
    let contents = attacked.contents();

    // A zip whose one entry says 40 bytes and inflates to 40 MB: correctly signed, as if the key were stolen.
    let mut zip = contents.clone();
    *zip.item("zip example.com/a@v1.0.0") =
        modferry_tests::module::bomb("example.com/a@v1.0.0/a.go", 40, 40_000_000);
    attacked.refuses_signed(zip, 4, "example.com/a@v1.0.0");

    // A pack that says it restores to its items' sizes, and goes on for a gigabyte.
    let parts = attacked.parts();
    let pack = parts.position(".zst");
    let mut bomb = parts.clone();
    bomb.members[pack].data = zstd::bulk::compress(&vec![0; 64 << 20], 19).unwrap();
    let size = bomb.members[pack].data.len() as u64;
    bomb.members[pack] = bomb.members[pack]
        .clone()
        .with_header(|header| header.set_size(size));
    attacked.refuses_parts(&bomb, 4, &parts.members[pack].name());
}

#[test]
fn the_untouched_bundle_is_taken() {
    // Without this, every refusal above could have another cause.
    let mut attacked = Attacked::new();
    let folder = attacked.folder();
    attacked.contents().write(&folder, &attacked.key());
    attacked.site.appliance(&["verify", &folder]).ok();
    attacked.site.appliance(&["import", &folder]).ok();
    let list = attacked.site.appliance(&["list"]).ok();
    assert!(
        list.stdout.contains("example.com/a") && list.stdout.contains("example.com/b"),
        "{list}"
    );
    let parts = attacked.parts();
    let folder = attacked.folder();
    parts.write(&folder);
    attacked.site.appliance(&["import", &folder]).ok();
    assert!(
        attacked
            .contents()
            .items
            .iter()
            .any(|(item, _)| matches!(item, Item::Head(_)))
    );
}
