//! What people do between an export and an import: a second one signs, volumes are cut for another medium, two
//! compare a fingerprint, and somebody asks what a bundle brings that the store lacks.

#![allow(clippy::unwrap_used)]

use modferry_tests::site::{Site, file_with_suffix};

/// Publishes three modules, the last with 40 kB that do not compress well.
fn publish(site: &Site) {
    let mut state = 1_u64;
    let data: String = std::iter::repeat_with(|| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        char::from(b'!' + (state >> 33) as u8 % 90)
    })
    .take(40_000)
    .collect();
    for (name, more) in [("a", ""), ("b", ""), ("c", &*data)] {
        let text = format!(
            "-- go.mod --\nmodule example.com/{name}\n\ngo 1.21\n-- m.go --\npackage m\n-- data --\n{more}\n"
        );
        site.upstream
            .add(&format!("example.com/{name}@v1.0.0"), &text);
    }
}

#[test]
fn two_people_sign_and_volumes_for_another_medium_are_imported() {
    let mut site = Site::new();
    publish(&site);
    let passphrase = site.path("passphrase");
    std::fs::write(&passphrase, "correct horse battery\n").unwrap();
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(&passphrase, std::fs::Permissions::from_mode(0o600)).unwrap();
    let keys = site.path("keys");
    let args = [
        "keygen",
        "second",
        "--out",
        &keys,
        "--passphrase-file",
        &passphrase,
    ];
    site.bundler(&args).ok();
    site.appliance(&["trust", "add", &site.path("keys/second.pub")])
        .ok();
    site.appliance(&["trust", "require", "2"]).ok();

    let (exported, out) = site.export(&["example.com/a@v1.0.0", "example.com/c@v1.0.0"]);
    exported.ok();
    site.appliance(&["import", &out]).expect(3);

    // The second person gets the manifest alone, on another machine.
    let manifest = file_with_suffix(&out, ".manifest");
    let (there, key) = (site.path("there.manifest"), site.path("keys/second.key"));
    let manifest = manifest.to_str().unwrap();
    let args = [
        "sign",
        manifest,
        "--key",
        &key,
        "--passphrase-file",
        &passphrase,
        "--out",
        &there,
    ];
    let signed = site.bundler(&args).ok();
    std::fs::copy(&there, manifest).unwrap();

    // Cut for a small medium, without a key; the manifest's file is lost on the way.
    let cut = site.path("cut");
    site.bundler(&["volumes", &out, "--volume-size", "24 kB", "--out", &cut])
        .ok();
    std::fs::remove_file(file_with_suffix(&cut, ".manifest")).unwrap();

    // One fingerprint, said on both sides.
    let said = site.bundler(&["inspect", &out, "--fingerprint"]).ok();
    let digits = &said.stdout[..35];
    assert!(digits.split(' ').all(|group| group.len() == 5), "{digits}");
    assert!(signed.stdout.contains(digits), "{}", signed.stdout);
    let heard = site.appliance(&["verify", &cut, "--fingerprint"]).ok();
    assert!(
        heard
            .stdout
            .starts_with(&format!("{digits}  default 1, signed by ")),
        "{}",
        heard.stdout
    );
    let heard = site
        .appliance(&["verify", &cut, "--fingerprint", "--json"])
        .ok();
    assert_eq!(heard.json()["fingerprint"], digits);
    assert_eq!(heard.json()["signers"].as_array().unwrap().len(), 2);

    site.appliance(&["import", &cut]).ok();
    let listed = site.appliance(&["list"]).ok();
    assert_eq!(
        listed.stdout,
        "example.com/a@v1.0.0\nexample.com/c@v1.0.0\n"
    );
    // The whole bundle is the same one: there is nothing left to do.
    site.appliance(&["import", &out]).ok().says("already");
}

#[test]
fn bundles_stores_and_lists_are_compared_on_both_sides() {
    let mut site = Site::new();
    publish(&site);
    // Before anything was imported, the store lacks everything.
    let (exported, first) = site.export(&["example.com/a@v1.0.0", "example.com/b@v1.0.0"]);
    exported.ok();
    let empty = site.appliance(&["diff", &first]).ok();
    assert!(
        empty
            .stdout
            .starts_with("- zip example.com/a@v1.0.0\n- zip example.com/b@v1.0.0\n- head "),
        "{}",
        empty.stdout
    );
    site.appliance(&["import", &first]).ok();

    let args = [
        "example.com/b@v1.0.0",
        "example.com/c@v1.0.0",
        "--stream",
        "other",
    ];
    let (exported, second) = site.export(&args);
    exported.ok();
    let want = ["- zip example.com/c@v1.0.0", "+ zip example.com/a@v1.0.0"];
    let lines = |stdout: &str| -> Vec<String> {
        let modules = |line: &&str| line.contains(" zip ") || line.contains(" mod ");
        let mut lines: Vec<String> = stdout.lines().filter(modules).map(str::to_owned).collect();
        lines.retain(|line| !line.contains("only in"));
        lines.sort_by_key(|line| line.starts_with('+'));
        lines
    };
    let store = site.store();
    let store = store.to_str().unwrap();
    let done = site.appliance(&["diff", &second]).ok();
    assert_eq!(lines(&done.stdout), want, "{}", done.stdout);
    assert!(
        done.stdout.contains(" tiles, 0 tree heads\n"),
        "{}",
        done.stdout
    );
    let done = site.appliance(&["diff", &second, store]).ok();
    assert_eq!(lines(&done.stdout), want, "{}", done.stdout);
    let done = site.appliance(&["diff", &second, &first]).ok();
    assert_eq!(lines(&done.stdout), want, "{}", done.stdout);

    // The same question on the connected side, with the list that was carried back.
    let list = site.path("list.json");
    let printed = site.appliance(&["list", "--all", "--json"]).ok();
    std::fs::write(&list, &printed.stdout).unwrap();
    for done in [
        site.bundler(&["diff", &second, &list]).ok(),
        site.bundler(&["diff", &second, &first]).ok(),
        site.appliance(&["diff", &second, &list]).ok(),
    ] {
        assert_eq!(lines(&done.stdout), want, "{}", done.stdout);
    }
    // A store and its own list are the same, and so is a store with what made it.
    for (a, b) in [(store, list.as_str()), (store, &first)] {
        let done = site.appliance(&["diff", a, b, "--json", "--quiet"]).ok();
        let told = done.json();
        assert_eq!(
            (&told["only_a"]["zips"], &told["only_b"]["zips"]),
            (&0.into(), &0.into())
        );
        assert_eq!(told["same"], 2, "{}", done.stdout);
    }

    // A stranger's bundle is not looked at on the isolated side.
    let stranger = site.path("stranger");
    site.bundler(&["keygen", "stranger", "--out", &stranger])
        .ok();
    let (key, out) = (site.path("stranger/stranger.key"), site.path("strange"));
    let args = [
        "export",
        "example.com/c@v1.0.0",
        "--key",
        &key,
        "--stream",
        "strange",
        "--out",
        &out,
    ];
    site.bundler(&args).ok();
    let refused = site.appliance(&["diff", &out]).expect(3);
    assert!(refused.stdout.is_empty(), "{refused}");
}
