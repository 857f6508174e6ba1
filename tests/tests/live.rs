//! The second tier, `make test-live`: real modules, through the upstream that the go command of this machine uses.
//! Ignored by default, since it needs that upstream.
//!
//! - The demo's job, from the export to a program that is built behind the gap.
//! - Byte identity: a set of modules is carried verbatim and packed, and every zip that the server then gives is
//!   compared with the one that the go command got from upstream. `MODFERRY_LIVE_SET` names a file of `module@version`
//!   lines, without it `tests/sets/small.txt`; `MODFERRY_LIVE_MODCACHE` a module cache that is kept, so that a large set
//!   is downloaded once.

#![allow(clippy::unwrap_used)]

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

use modferry_protocol::{module::ModuleVersion, request::Request};
use modferry_tests::{
    http,
    online::Online,
    run::{modferry, run},
    server::Server,
};
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

/// However a set is carried, what comes out at the other end is upstream's, byte for byte, every zip of it.
#[test]
#[ignore = "needs the configured GOPROXY: make test-live"]
fn every_zip_of_a_set_is_served_as_upstream_serves_it() {
    let folder = TempDir::new().unwrap();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (list, set) = set();
    let online = Online::new(folder.path());
    let upstream = upstream(&online, &set);

    let key = at("keys/site.key");
    online
        .bundler(&["keygen", "site", "--out", &at("keys")])
        .ok();
    for pack in ["none", "fast", "max"] {
        let (out, store) = (at(&format!("bundle-{pack}")), at(&format!("store-{pack}")));
        let state = at(&format!("state-{pack}"));
        let mut words = vec!["export", "--pack", pack, "--key", &key];
        words.extend(["--out", &out, "--state", &state]);
        words.extend(["--list", list.to_str().unwrap(), "--follow", "none"]);
        online.bundler(&words).ok();
        for args in [
            ["trust", "add", &at("keys/site.pub")].as_slice(),
            &["import", &out],
        ] {
            let mut appliance = modferry("modferry-appliance", folder.path());
            run(appliance.args(args).args(["--store", &store])).ok();
        }

        let server = Server::start(Path::new(&store), folder.path());
        let mut client = http::Client::connect(server.address());
        let mut differ = Vec::new();
        for (request, file) in &upstream {
            let (path, bytes) = (request.url_path(), std::fs::read(file).unwrap());
            let answer = client.ask("GET", &path, &[]);
            if (answer.status, &answer.body) != (200, &bytes) {
                let got = format!("{}, {} bytes", answer.status, answer.body.len());
                differ.push(format!("{path}: {got}, not upstream's {}", bytes.len()));
            }
        }
        assert!(differ.is_empty(), "--pack {pack}: {differ:#?}");
        let carried: u64 = std::fs::read_dir(&out)
            .unwrap()
            .map(|file| file.unwrap().metadata().unwrap().len())
            .sum();
        println!(
            "--pack {pack}: {} modules as upstream serves them, {carried} bytes carried",
            set.len()
        );
    }
}

/// The modules that are to be carried, and the file that lists them.
fn set() -> (PathBuf, Vec<String>) {
    let small = || Path::new(env!("CARGO_MANIFEST_DIR")).join("sets/small.txt");
    let file = env::var_os("MODFERRY_LIVE_SET").map_or_else(small, PathBuf::from);
    let text = std::fs::read_to_string(&file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let set: Vec<String> = lines.map(str::to_owned).collect();
    assert!(!set.is_empty(), "{} names no module", file.display());
    (file, set)
}

/// What is to be asked of a server, and the file with upstream's answer, as the go command downloaded it.
fn upstream(online: &Online, set: &[String]) -> Vec<(Request, PathBuf)> {
    let mut upstream = Vec::new();
    for module in online.download(set) {
        let text = |field: &str| module[field].as_str().unwrap().to_owned();
        let name = format!("{}@{}", text("Path"), text("Version"));
        let name: ModuleVersion = name.parse().unwrap();
        upstream.extend([
            (Request::Info(name.clone()), text("Info").into()),
            (Request::Mod(name.clone()), text("GoMod").into()),
            (Request::Zip(name), text("Zip").into()),
        ]);
    }
    upstream
}
