//! Of the second tier, `make test-live`: a real Go toolchain is carried, and the go command switches to it behind the
//! gap, with the real checksum database. About 70 MB are fetched; `MODFERRY_LIVE_CACHE` names a folder that keeps them.

#![allow(clippy::unwrap_used)]

use std::{env, path::Path, process::Command};

use modferry_tests::{
    golang::Go,
    run::{bin_dir, modferry, run},
    server::Server,
};
use tempfile::TempDir;

#[test]
#[ignore = "needs the configured GOPROXY: make test-live"]
fn the_newest_go_is_carried_and_switched_to() {
    let folder = TempDir::new().unwrap();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let cache = env::var("MODFERRY_LIVE_CACHE").unwrap_or_else(|_| at("cache"));
    let of_go = |name: &str| {
        let value = run(Command::new("go").args(["env", name])).ok().stdout;
        value.trim().to_owned()
    };
    let platform = format!("{}/{}", of_go("GOOS"), of_go("GOARCH"));
    let bundler = |args: &[&str]| {
        run(Command::new(bin_dir().join("modferry-bundler"))
            .args(args)
            .env("XDG_STATE_HOME", at("state"))
            .current_dir(folder.path()))
        .ok()
    };
    bundler(&["keygen", "site", "--out", &at("keys")]);
    let key = at("keys/site.key");
    let mut words = vec![
        "export",
        "golang.org/x/text@v0.14.0",
        "--toolchains",
        "latest",
    ];
    words.extend(["--platforms", &platform, "--key", &key, "--out"]);
    let out = at("bundle");
    words.extend([out.as_str(), "--cache", &cache, "--newest", "none"]);
    let exported = bundler(&words);
    for args in [
        ["trust", "add", &at("keys/site.pub")].as_slice(),
        &["import", &out],
    ] {
        let mut appliance = modferry("modferry-appliance", folder.path());
        run(appliance.args(args).args(["--store", &at("store")])).ok();
    }
    let server = Server::start(Path::new(&at("store")), folder.path());
    // `off` behind the mirror: what is not there is nowhere. The database's name is GOSUMDB's default.
    let goproxy = format!("{},off", server.url());
    let go = Go::new(
        &folder.path().join("inside"),
        goproxy,
        "sum.golang.org".into(),
    )
    .with("GOTOOLCHAIN", "auto");

    go.file("go.mod", "module example.com/project\n\ngo 1.21\n");
    let listed = go.run(&["list", "-m", "-versions", "go"]).ok().stdout;
    let newest = listed.split_whitespace().last().unwrap().to_owned();
    assert!(
        exported.stdout.contains(&newest) || exported.stderr.contains(&newest),
        "{exported}"
    );
    go.run(&["get", &format!("toolchain@go{newest}")]).ok();
    assert!(go.read("go.mod").contains(&format!("toolchain go{newest}")));

    go.file(
        "go.mod",
        &format!("module example.com/project\n\ngo {newest}\n"),
    );
    go.run(&["version"])
        .ok()
        .says(&format!("go version go{newest}"));
    go.file(
        "main.go",
        "package main\n\nimport (\n\t\"fmt\"\n\t\"runtime\"\n\n\t\"golang.org/x/text/language\"\n)\n\nfunc main() { fmt.Println(runtime.Version(), language.English) }\n",
    );
    go.run(&["get", "golang.org/x/text@v0.14.0"]).ok();
    go.run(&["run", "."]).ok().says(&format!("go{newest} en"));
    run(Command::new("chmod").args(["-R", "u+w"]).arg(folder.path())).ok();
}
