//! Several checksum databases, by name and key, side by side in one store and behind one server.

#![allow(clippy::unwrap_used)]

use modferry_tests::{golang::Go, run::run, server::Server, site::Site, upstream::Upstream};

fn module(name: &str, says: &str) -> String {
    let path = name.split('@').next().unwrap();
    let package = path.rsplit('/').next().unwrap();
    format!(
        "-- go.mod --\nmodule {path}\n\ngo 1.21\n-- p.go --\npackage {package}\n\nconst Says = {says:?}\n"
    )
}

/// A site, and a second upstream that has a checksum database of its own.
fn two_databases() -> (Site, Upstream) {
    let site = Site::new();
    let other = Upstream::named("sum.other.test");
    for (upstream, own) in [
        (&site.upstream, "example.com/first@v1.0.0"),
        (&other, "example.com/second@v1.0.0"),
    ] {
        for name in [own, "example.com/both@v1.0.0"] {
            upstream.add(name, &module(name, "hello"));
        }
    }
    (site, other)
}

/// Exports from the second upstream, and gives the bundle's folder.
fn export_from(site: &Site, other: &Upstream, number: u32, modules: &[&str]) -> String {
    let out = site.path(&format!("other-{number}"));
    let key = site.path("keys/site.key");
    let config = site.path("other.yaml");
    let text = format!(
        "stream: other\ngoproxy: {}\ngosumdb: {}\n",
        other.url(),
        other.verifier_key()
    );
    std::fs::write(&config, text).unwrap();
    let words = ["export", "--config", &config, "--key", &key, "--out", &out];
    run(&mut site.bundler_command(&[&words[..], modules].concat())).ok();
    out
}

fn client(site: &Site, server: &Server, database: &Upstream, name: &str) -> Go {
    let go = Go::new(
        &site.root().join(name),
        format!("{},off", server.url()),
        database.verifier_key().to_owned(),
    );
    go.file("go.mod", "module example.com/project\n\ngo 1.21\n");
    go
}

#[test]
fn each_client_verifies_by_its_own_database() {
    let (mut site, other) = two_databases();
    site.carry(&["example.com/first@v1.0.0", "example.com/both@v1.0.0"]);
    let modules = ["example.com/second@v1.0.0", "example.com/both@v1.0.0"];
    let bundle = export_from(&site, &other, 1, &modules);

    // A database counts once its key is trusted, and not because a bundle brings it.
    site.appliance(&["import", &bundle])
        .expect(3)
        .says("no key is trusted for the checksum database sum.other.test");
    site.appliance(&["trust", "add", "--sumdb", other.verifier_key()])
        .ok();
    site.appliance(&["import", &bundle]).ok();
    site.appliance(&["fsck"]).ok();

    let server = site.serve();
    for (database, has, lacks) in [
        (&site.upstream, "example.com/first", "example.com/second"),
        (&other, "example.com/second", "example.com/first"),
    ] {
        let go = client(&site, &server, database, &has.replace('/', "-"));
        go.run(&["mod", "download", &format!("{has}@v1.0.0")]).ok();
        go.run(&["mod", "download", "example.com/both@v1.0.0"]).ok();
        // The other database's modules are there, and this one does not vouch for them.
        go.run(&["mod", "download", &format!("{lacks}@v1.0.0")])
            .expect(1)
            .says(&format!(
                "the {} record of {lacks}@v1.0.0",
                database.sumdb()
            ));
    }
}

#[test]
fn databases_that_contradict_each_other_are_not_both_taken_in() {
    let (mut site, other) = two_databases();
    site.carry(&["example.com/first@v1.0.0"]);
    site.appliance(&["trust", "add", "--sumdb", other.verifier_key()])
        .ok();
    let name = "example.com/first@v1.0.0";
    other.add(name, &module(name, "something else"));
    let bundle = export_from(&site, &other, 1, &[name]);
    let before = site.appliance(&["list", "--json"]).ok().stdout;
    site.appliance(&["import", &bundle])
        .expect(6)
        .says("another record, of sum.example.com");
    assert_eq!(site.appliance(&["list", "--json"]).ok().stdout, before);
}
