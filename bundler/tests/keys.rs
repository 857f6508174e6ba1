//! Signing keys as operators handle them: under a passphrase, open to others, on two machines.
#![allow(clippy::unwrap_used)]

mod common;

use std::fs::{self, Permissions};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use common::{Done, Killed, World, write};
use modferry_protocol::note::{self, SigningKey, VerifierKey};
use modferry_protocol::trust::TrustNote;

const PASSPHRASE: &str = "correct horse battery";

fn world() -> World {
    World::of("m.test/a@v1.0.0 ->")
}

/// A file that only its owner may read.
fn secret(world: &World, name: &str, text: &str) {
    write(&world.path(name), text.as_bytes());
    fs::set_permissions(world.path(name), Permissions::from_mode(0o600)).unwrap();
}

#[test]
fn a_key_under_a_passphrase_signs_with_it_only() {
    let world = world();
    secret(&world, "pass", &format!("{PASSPHRASE}\n"));
    secret(&world, "wrong", "correct horse batters\n");
    let made = world
        .run(&["keygen", "safe", "--passphrase-file", "pass"])
        .ok();
    let key = fs::read_to_string(world.path("safe.key")).unwrap();
    assert!(key.starts_with("modferry signing key safe+"), "{key}");
    assert!(!key.contains("PRIVATE+KEY+"));
    let mode = fs::metadata(world.path("safe.key"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);

    let export = |more: &[&str]| {
        let args = [
            "export",
            "m.test/a@v1.0.0",
            "--key",
            "safe.key",
            "--out",
            "out",
        ];
        world.run(&[&args, more].concat())
    };
    let wrong = export(&["--passphrase-file", "wrong"]).exits(2);
    let wrong = wrong.says("the passphrase is wrong, or the file is damaged");
    // No terminal to ask on; stdin is none.
    let none = export(&[]).exits(2).says("--passphrase-file FILE");
    assert!(world.out().is_empty(), "{:?}", world.out());
    let exported = export(&["--passphrase-file", "pass"]).ok();
    world.run(&["verify", "out", "--pub", "safe.pub"]).ok();

    // A pipe, as a password manager gives it.
    let mut command = world.command(&[
        "sign",
        "out/default.000001.manifest",
        "--key",
        "safe.key",
        "--passphrase-file",
        "/dev/stdin",
    ]);
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    writeln!(child.stdin.take().unwrap(), "{PASSPHRASE}").unwrap();
    let piped = Done::from(child.wait_with_output().unwrap()).ok();

    for done in [made, wrong, none, exported, piped] {
        for secret in [
            PASSPHRASE,
            "PRIVATE+KEY",
            "correct horse",
            key.lines().nth(2).unwrap(),
        ] {
            assert!(!done.stdout.contains(secret), "{}", done.stdout);
            assert!(!done.stderr.contains(secret), "{}", done.stderr);
        }
    }
}

#[test]
fn a_passphrase_is_asked_for_on_the_terminal_and_not_shown() {
    let world = world();
    let made = at_a_terminal(
        &world,
        &["keygen", "safe", "--passphrase"],
        &[
            ("Passphrase for the new key safe: ", PASSPHRASE),
            ("The same again: ", PASSPHRASE),
        ],
    );
    made.ok();
    let differ = at_a_terminal(
        &world,
        &["keygen", "no", "--passphrase"],
        &[
            ("Passphrase for the new key no: ", PASSPHRASE),
            ("The same again: ", "other horse"),
        ],
    );
    let differ = differ.exits(2);
    assert!(
        differ.stdout.contains("the two passphrases differ"),
        "{}",
        differ.stdout
    );
    assert!(!world.path("no.key").exists());

    let args = [
        "export",
        "m.test/a@v1.0.0",
        "--key",
        "safe.key",
        "--out",
        "out",
    ];
    let prompt = "Passphrase of the key safe (safe.key): ";
    at_a_terminal(&world, &args, &[(prompt, "wrong horse")]).exits(2);
    at_a_terminal(&world, &args, &[(prompt, PASSPHRASE)]).ok();
    world.run(&["verify", "out", "--pub", "safe.pub"]).ok();
}

/// Runs the command on a terminal of its own, which util-linux's `script` makes, and answers each prompt once it
/// stands there. Nothing that is typed may be shown.
fn at_a_terminal(world: &World, args: &[&str], answers: &[(&str, &str)]) -> Done {
    let plain = world.command(args);
    let line: Vec<String> = std::iter::once(plain.get_program())
        .chain(plain.get_args())
        .map(|word| format!("'{}'", word.to_str().unwrap()))
        .collect();
    let mut command = Command::new("script");
    command
        .args(["-qec", &line.join(" "), "/dev/null"])
        .current_dir(world.dir.path())
        .env_clear()
        .env("SHELL", "/bin/sh")
        .env("HOME", world.dir.path())
        .env("GOPROXY", world.goproxy())
        .env("GOSUMDB", world.sumdb.key().verifier().to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = Killed(command.spawn().expect("util-linux's script"));
    let mut stdin = child.0.stdin.take().unwrap();
    let mut stdout = child.0.stdout.take().unwrap();
    let mut seen = Vec::new();
    let mut byte = [0];
    for (prompt, answer) in answers {
        while !seen.ends_with(prompt.as_bytes()) {
            let n = stdout.read(&mut byte).unwrap();
            assert_eq!(
                n,
                1,
                "no {prompt:?} in {:?}",
                String::from_utf8_lossy(&seen)
            );
            seen.push(byte[0]);
        }
        writeln!(stdin, "{answer}").unwrap();
    }
    stdout.read_to_end(&mut seen).unwrap();
    let status = child.0.wait().unwrap();
    let done = Done {
        code: status.code(),
        stdout: String::from_utf8(seen).unwrap(),
        stderr: String::new(),
    };
    for (_, answer) in answers {
        assert!(!done.stdout.contains(answer), "{}", done.stdout);
    }
    done
}

#[test]
fn a_key_that_others_may_read_signs_nothing() {
    let world = world();
    fs::set_permissions(world.path("site.key"), Permissions::from_mode(0o644)).unwrap();
    world
        .export(&["m.test/a@v1.0.0"])
        .exits(2)
        .says("site.key is open to others (mode 0644)")
        .says("chmod 600 site.key");
    assert!(world.out().is_empty());
    fs::set_permissions(world.path("site.key"), Permissions::from_mode(0o600)).unwrap();
    world.export(&["m.test/a@v1.0.0"]).ok();
}

#[test]
fn a_second_person_signs_the_manifest_alone() {
    let world = world();
    world.run(&["keygen", "second"]).ok();
    world
        .export(&["m.test/a@v1.0.0", "--stream", "platform"])
        .ok();
    // To another machine goes the manifest, and it comes back.
    let there = world.path("there");
    fs::create_dir(&there).unwrap();
    let name = "platform.000001.manifest";
    let original = fs::read(world.path("out").join(name)).unwrap();
    fs::write(there.join(name), &original).unwrap();
    let manifest = format!("there/{name}");
    let done = world.run(&["sign", &manifest, "--key", "second.key"]).ok();
    for words in [
        "the manifest of bundle platform 1",
        "1 zip (",
        "fingerprint ",
        "signed already, unchecked, by site+",
        "signed by second+",
        "has 2 signatures",
    ] {
        assert!(
            done.stdout.contains(words),
            "no {words:?} in\n{}",
            done.stdout
        );
    }
    let signed = fs::read(there.join(name)).unwrap();
    assert!(signed.starts_with(&original));
    fs::write(world.path("out").join(name), &signed).unwrap();
    let done = world
        .run(&["inspect", "out", "--pub", "site.pub", "--pub", "second.pub"])
        .ok();
    assert!(done.stdout.contains("signed by site+"), "{}", done.stdout);
    assert!(done.stdout.contains(", second+"), "{}", done.stdout);
    world.run(&["verify", "out", "--pub", "second.pub"]).ok();

    // Once is enough, and JSON says the same.
    let done = world
        .run(&["--json", "sign", &manifest, "--key", "second.key"])
        .ok();
    let told: serde_json::Value = serde_json::from_str(&done.stdout).unwrap();
    assert_eq!(told["added"], false);
    assert_eq!(told["signed"]["stream"], "platform");
    assert_eq!(told["claimed_signers"].as_array().unwrap().len(), 2);
    assert_eq!(fs::read(there.join(name)).unwrap(), signed);

    // A volume is no manifest, and a text that is not ours is not signed, whatever its name.
    let volume = "out/platform.000001.v001.tar";
    let done = world.run(&["sign", volume, "--key", "second.key"]).exits(4);
    done.says("nothing that this program signs");
    write(
        &there.join("x.manifest"),
        b"I owe you 1000 euros\n\n\xe2\x80\x94 site AAAAAAAA\n",
    );
    world
        .run(&["sign", "there/x.manifest", "--key", "second.key"])
        .exits(4)
        .says("nothing that this program signs");
}

#[test]
fn a_trust_note_is_signed_like_a_manifest() {
    let world = world();
    world.run(&["keygen", "second"]).ok();
    let read = |name: &str| fs::read_to_string(world.path(name)).unwrap();
    let added: VerifierKey = read("second.pub").trim().parse().unwrap();
    let note = TrustNote {
        number: 1,
        after: None,
        created: "2026-11-21T09:00:00Z".into(),
        add: vec![added.clone()],
        revoke: Vec::new(),
        require: Some(2),
        streams: Vec::new(),
    };
    let first: SigningKey = read("site.key").trim().parse().unwrap();
    let signed = note::sign(&note.encode(), &[&first]).unwrap();
    write(&world.path("1.note"), &signed);
    let done = world.run(&["sign", "1.note", "--key", "second.key"]).ok();
    for words in [
        "trust note 1",
        "trusts second+",
        &added.fingerprint(),
        "requires 2 signatures",
    ] {
        assert!(
            done.stdout.contains(words),
            "no {words:?} in\n{}",
            done.stdout
        );
    }
    let keys = [first.verifier(), added];
    let both = fs::read(world.path("1.note")).unwrap();
    assert_eq!(note::open(&both, &keys).unwrap().signers.len(), 2);
}
