//! The loop back: what the go command misses inside is carried in by the next bundle.

#![allow(clippy::unwrap_used)]

use std::path::Path;

use modferry_bundler::select::wants::read;
use modferry_protocol::note::VerifierKey;
use modferry_tests::{golang::Go, server::Server, site::Site};

fn publish(site: &Site) {
    let up = &site.upstream;
    for version in ["v1.0.0", "v1.1.0"] {
        up.add(
            &format!("example.com/hello@{version}"),
            "-- go.mod --\nmodule example.com/hello\n\ngo 1.21\n-- hello.go --\npackage hello\n-- inner/inner.go --\npackage inner\n",
        );
    }
    up.add(
        "example.com/lib@v1.0.0",
        "-- go.mod --\nmodule example.com/lib\n\ngo 1.21\n\nrequire example.com/hello v1.1.0\n-- lib.go --\npackage lib\n\nimport _ \"example.com/hello\"\n",
    );
}

/// A server that keeps what it misses, and a developer whose go command shows what the server says.
fn inside(site: &Site) -> (Server, Go) {
    let wants = site.path("wants");
    let server = Server::start_with(&site.store(), site.root(), |command| {
        command.args([
            "--wants",
            &wants,
            "--wants-every=1",
            "--private=corp.example",
        ]);
    });
    let go = Go::new(
        &site.root().join("developer"),
        server.url().to_owned(),
        site.upstream.verifier_key().to_owned(),
    );
    go.file("go.mod", "module example.com/project\n\ngo 1.21\n");
    (server, go)
}

/// `modferry-appliance wants --json ARGS…`: the wants, and the counts.
fn listed(site: &Site, args: &[&str]) -> (Vec<String>, serde_json::Value) {
    let from = site.path("wants");
    let mut words = vec!["wants", "--json", "--from", &from];
    words.extend(args);
    let told = site.appliance(&words).ok();
    let mut lines: Vec<serde_json::Value> = told
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let counts = lines.pop().unwrap();
    let name = |line: &serde_json::Value| {
        let or = line["or"]
            .as_array()
            .unwrap()
            .iter()
            .map(|path| path.as_str().unwrap());
        let or: Vec<&str> = or.collect();
        [&[line["want"].as_str().unwrap()][..], &or]
            .concat()
            .join(" ")
    };
    (lines.iter().map(name).collect(), counts)
}

/// Ends a server in good order, so that everything is written.
fn end(server: Server) {
    let pid = server.pid().to_string();
    assert!(
        std::process::Command::new("kill")
            .arg(&pid)
            .status()
            .unwrap()
            .success()
    );
    server.wait();
}

fn names(file: &str, key: Option<&VerifierKey>) -> (Vec<String>, Vec<String>) {
    let (wants, notes) = read(Path::new(file), key).unwrap();
    (
        wants.iter().map(|entry| entry.want.to_string()).collect(),
        notes,
    )
}

#[test]
fn what_is_missed_inside_comes_with_the_next_bundle() {
    let mut site = Site::new();
    publish(&site);
    site.carry(&["example.com/hello@v1.0.0"]);
    let (server, go) = inside(&site);
    // What the go command shows a developer who misses something.
    for _ in 0..2 {
        go.run(&["get", "example.com/lib@v1.0.0"])
            .expect(1)
            .says("not carried: example.com/lib@v1.0.0 (noted as wanted; ask this mirror's operators to carry it in)");
    }
    go.run(&["get", "example.com/hello@main"]).expect(1);
    go.run(&["get", "example.com/deep/pkg"]).expect(1);
    go.run(&["get", "corp.example/secret@v1.0.0"]).expect(1);
    // A package of a module that is here: the go command asks for longer and shorter paths, too, and is content.
    go.run(&["get", "example.com/hello/inner"]).ok();
    end(server);

    let (mut wants, counts) = listed(&site, &[]);
    // One address counts once a second, so what was asked for twice is not always before the others.
    wants.sort();
    assert_eq!(
        wants,
        [
            "example.com/deep/pkg@latest example.com/deep example.com",
            "example.com/hello@main example.com",
            "example.com/lib@v1.0.0 example.com",
        ],
        "{counts}"
    );
    let count = |name: &str| counts[name].as_u64().unwrap();
    assert_eq!((count("guesses"), count("others")), (1, 1), "{counts}");
    let (secret, _) = listed(&site, &["--private"]);
    assert_eq!(secret, ["corp.example/secret@v1.0.0 corp.example"]);
    let (from, secret) = (site.path("wants"), site.path("secret.wants"));
    site.appliance(&["wants", "--from", &from])
        .ok()
        .says("  20")
        .says("or example.com/deep, example.com")
        .says("3 wanted")
        .says("kept apart: 1 private want, which --private lists");
    // Private names leave with a mark: where they are carried to, nobody need know that they are.
    site.appliance(&["wants", "--from", &from, "--private", "--out", &secret])
        .ok();
    let asked = site.upstream.requests().len();
    site.bundler(&["plan", "--wants", &secret])
        .says("corp.example/secret@v1.0.0 is not asked for: the file says that it is private");
    let asked = site.upstream.requests().split_off(asked);
    assert!(
        !asked.iter().any(|path| path.contains("corp.example")),
        "{asked:?}"
    );

    // Out, over the gap, and into the next bundle.
    let file = site.path("site.wants");
    let write = |more: &[&str]| {
        let mut words = vec!["wants", "--from", &from, "example.com/lib", "--out", &file];
        words.extend(["--follow", "all"]);
        words.extend(more);
        site.appliance(&words)
    };
    // A file that somebody may be at work on stays, and nothing counts as written.
    std::fs::write(&file, "edited").unwrap();
    write(&[])
        .expect(2)
        .says("site.wants exists: what is wanted is not written over it")
        .says("to do: choose another name; or write over it with --overwrite");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "edited");
    assert_eq!(listed(&site, &["example.com/lib"]).1["told_before"], 0);
    write(&["--overwrite"])
        .ok()
        .says("1 want, signed by receipt+");
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(
        !text.contains("corp.example") && text.contains("follow: all"),
        "{text}"
    );
    let key = std::fs::read_to_string(site.store().join("identity.pub")).unwrap();
    let key: VerifierKey = key.trim_end().parse().unwrap();
    let (wants, notes) = names(&file, Some(&key));
    assert_eq!(
        (wants.join(" "), notes),
        ("example.com/lib@v1.0.0".into(), vec![])
    );
    // It was told, so it is not told again; and it is gone for good when it has come in.
    assert_eq!(listed(&site, &["example.com/lib"]).1["told_before"], 1);
    site.carry(&[&wants[0]]);
    let (wants, counts) = listed(&site, &["--again"]);
    assert!(
        !wants.contains(&"example.com/lib@v1.0.0".into()),
        "{wants:?}"
    );
    assert_eq!(counts["here"], 1);
    let (_server, go) = inside(&site);
    go.run(&["get", "example.com/lib@v1.0.0"]).ok();
}

#[test]
fn a_file_that_is_edited_is_signed_again_or_counts_as_typed_by_hand() {
    let mut site = Site::new();
    publish(&site);
    // Without the newest version, which would come along.
    site.carry(&["--newest", "none", "example.com/hello@v1.0.0"]);
    let (server, go) = inside(&site);
    go.run(&["get", "example.com/lib@v1.0.0"]).expect(1);
    go.run(&["get", "example.com/hello@v1.1.0"]).expect(1);
    end(server);
    let (from, file) = (site.path("wants"), site.path("site.wants"));
    site.appliance(&[
        "wants", "--from", &from, "--out", &file, "--name", "north", "--site", "plant 7",
    ])
    .ok()
    .says("2 wants, signed by north+")
    .says("give ");
    let key = std::fs::read_to_string(site.store().join("identity.pub")).unwrap();
    let key: VerifierKey = key.trim_end().parse().unwrap();

    // The security officer strikes one.
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(text.contains("site: \"plant 7\"\n"), "{text}");
    let at = text.find("  - want: example.com/lib").unwrap();
    let signature = text.rfind("\n\u{2014} ").unwrap();
    std::fs::write(&file, format!("{}{}", &text[..at], &text[signature..])).unwrap();
    let error = read(Path::new(&file), Some(&key)).unwrap_err();
    assert_eq!(
        modferry_cli::Failure::exit(&error),
        modferry_cli::Exit::Untrusted
    );
    site.appliance(&["wants", "--sign", &file])
        .ok()
        .says("1 want, signed by north+");
    let (wants, notes) = names(&file, Some(&key));
    assert_eq!(
        (wants, notes),
        (vec!["example.com/hello@v1.1.0".to_owned()], vec![])
    );
    std::fs::write(&file, &text[..signature]).unwrap();
    let (wants, notes) = names(&file, Some(&key));
    assert_eq!(wants.len(), 2);
    assert!(notes[0].ends_with("taken as typed by hand"), "{notes:?}");

    // One that is wrong is not signed.
    std::fs::write(
        &file,
        "modferry-wants: 1\nwants:\n  - want: example.com/lib\n",
    )
    .unwrap();
    site.appliance(&["wants", "--sign", &file])
        .expect(2)
        .says("site.wants:3:11: wants[0].want: \"example.com/lib\": no version");
}

#[test]
fn nothing_wanted_is_said() {
    let mut site = Site::new();
    publish(&site);
    site.carry(&["example.com/hello@v1.0.0"]);
    let from = site.path("wants");
    site.appliance(&["wants", "--from", &from])
        .expect(2)
        .says("the server keeps no wants in")
        .says("to do: say where it keeps them: --from DIR");
    let (server, go) = inside(&site);
    go.run(&["get", "example.com/hello@v1.0.0"]).ok();
    go.run(&["get", "example.com/lib@v1.0.0"]).expect(1);
    end(server);
    site.appliance(&["wants", "--from", &from, "--forget"])
        .ok()
        .says("1 want is left out from now on");
    // The configuration names the folder as well.
    std::fs::write(site.path("appliance.yaml"), format!("wants: {from}\n")).unwrap();
    site.appliance(&["wants", "--config", &site.path("appliance.yaml")])
        .ok()
        .says("nothing is wanted\n")
        .says("left out: 1 written out or turned down before");
    site.appliance(&["wants", "--from", &from, "github.com/["])
        .expect(2)
        .says("\"github.com/[\" is no pattern of module paths");
    let file = site.path("site.wants");
    site.appliance(&["wants", "--from", &from, "--out", &file])
        .ok()
        .says("empty, nothing is wanted, signed by");
    let (wants, notes) = names(&file, None);
    assert!(wants.is_empty());
    assert!(
        notes.iter().any(|note| note.contains("asks for nothing")),
        "{notes:?}"
    );
}
