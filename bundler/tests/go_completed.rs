//! Modules whose packages import what nothing requires, against the real go command: made-up modules of all kinds, of which
//! one is exported. A project that uses it is tidied once with all modules and once with what was carried, and has to come
//! to the same requirements and sums.
//!
//! Without a go command on PATH there is nothing to compare with, and this test says so.
#![allow(clippy::unwrap_used)]

mod common;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use common::client::{Client, Random};
use common::{World, go, version, write};
use modferry_checker::testing::TestModule;
use modferry_protocol::module::ModuleVersion;

/// Their paths; one lies below another, so that an import may lead into either. A module imports those behind it.
const PATHS: [&str; 7] = [
    "m.test/a",
    "m.test/b",
    "m.test/c",
    "m.test/c/p",
    "m.test/d",
    "m.test/e",
    "m.test/f",
];

/// The versions of a path; the last one of e takes itself back, and f has no release.
fn versions(path: &str) -> &'static [&'static str] {
    match path {
        "m.test/b" => &["v1.0.0", "v1.1.0", "v1.2.0-rc.1"],
        "m.test/e" => &["v1.0.0", "v1.1.0", "v1.3.0"],
        "m.test/f" => &["v0.1.0-beta.1", "v0.1.0-beta.2"],
        _ => &["v1.0.0", "v1.1.0"],
    }
}

fn random_module(random: &mut Random, at: usize, version: &str) -> TestModule {
    let path = PATHS[at];
    let mut files: Vec<(String, String)> = Vec::new();
    let mut required: BTreeMap<&str, &str> = BTreeMap::new();
    for folder in ["", "p", "q"] {
        // A package that moves into a module of its own, and one that comes with a later version.
        let absent = match folder {
            "p" => path == "m.test/c" && version != "v1.0.0",
            "q" => version == "v1.0.0",
            _ => false,
        };
        if absent {
            continue;
        }
        for (file, clause) in [
            ("a.go", "x"),
            ("a_windows.go", "x"),
            ("a_test.go", "x_test"),
        ] {
            let mut text = format!("package {clause}\n\n");
            for other in &PATHS[at + 1..] {
                if !random.one_in(4) {
                    continue;
                }
                let folder = ["", "", "", "/p", "/q"][random.below(5) as usize];
                writeln!(text, "import _ \"{other}{folder}\"").unwrap();
                // Much of what is imported is not required.
                if random.one_in(2) {
                    let known = versions(other);
                    required.insert(other, known[random.below(known.len() as u64) as usize]);
                }
            }
            let slash = if folder.is_empty() { "" } else { "/" };
            files.push((format!("{folder}{slash}{file}"), text));
        }
    }
    // Some have no go.mod at all.
    if !random.one_in(3) {
        let go = ["", "\ngo 1.16\n", "\ngo 1.21\n"][random.below(3) as usize];
        let mut go_mod = format!("module {path}\n{go}");
        for (path, version) in &required {
            write!(go_mod, "\nrequire {path} {version}\n").unwrap();
        }
        if (path, version) == ("m.test/e", "v1.3.0") {
            go_mod += "\nretract v1.3.0\n";
        }
        files.push(("go.mod".into(), go_mod));
    }
    let files: Vec<(&str, &str)> = files
        .iter()
        .map(|(name, text)| (&**name, &**text))
        .collect();
    TestModule::new(&format!("{path}@{version}"), &files)
}

fn universe(random: &mut Random) -> World {
    let mut world = World::new();
    for (at, path) in PATHS.iter().enumerate() {
        for version in versions(path) {
            world.add(&random_module(random, at, version));
        }
        let list = versions(path).join("\n");
        write(
            &world.path("up").join(path).join("@v/list"),
            list.as_bytes(),
        );
    }
    world.publish();
    world
}

/// A module proxy of what a bundle carries; returns its URL.
fn inside(world: &World, out: &str, name: &str) -> String {
    let root = world.path(name);
    let mut lists: BTreeMap<String, String> = BTreeMap::new();
    for item in world.items(out) {
        let Some((kind @ ("info" | "mod" | "zip"), module)) = item.split_once(' ') else {
            continue;
        };
        let module: ModuleVersion = version(module);
        let bytes = fs::read(world.file(&module, kind)).unwrap();
        let folder = format!("{}/@v", module.path());
        write(
            &root
                .join(&folder)
                .join(format!("{}.{kind}", module.version())),
            &bytes,
        );
        if kind == "zip" {
            let list = lists.entry(format!("{folder}/list")).or_default();
            writeln!(list, "{}", module.version()).unwrap();
        }
    }
    for (file, list) in lists {
        write(&root.join(file), list.as_bytes());
    }
    format!("file://{}", root.display())
}

/// A project: its go.mod, and its one package.
struct Project<'p> {
    go_mod: &'p str,
    source: &'p str,
}

impl Project<'_> {
    /// Its go.mod and go.sum after each of these commands; `None` from the first on that fails.
    fn outcome(
        &self,
        go: &Path,
        world: &World,
        name: &str,
        goproxy: String,
        commands: &[&[&str]],
    ) -> Vec<Option<String>> {
        let dir = world.path(name);
        let client = Client { go, dir, goproxy };
        write(&client.dir.join("u.go"), self.source.as_bytes());
        write(&client.dir.join("go.mod"), self.go_mod.as_bytes());
        let mut outcomes = Vec::new();
        for args in commands {
            let done = client.run(args);
            if !done.status.success() {
                outcomes.push(None);
                eprintln!(
                    "{name}: go {args:?}: {}",
                    String::from_utf8_lossy(&done.stderr)
                );
                break;
            }
            let read = |file: &str| fs::read_to_string(client.dir.join(file)).unwrap_or_default();
            outcomes.push(Some([read("go.mod"), read("go.sum")].concat()));
        }
        outcomes
    }
}

/// What is done with a project that has its requirements.
const USED: &[&[&str]] = &[
    &["mod", "tidy"],
    &["build", "./..."],
    &["vet", "./..."],
    &["list", "-m", "all"],
];

/// Of how many commands that do well online the outcome is the same.
#[track_caller]
fn compare(online: &[Option<String>], got: &[Option<String>], told: &str) -> usize {
    let online = online.iter().map_while(Option::as_ref);
    let both = online.zip(got.iter().map(Option::as_ref));
    both.map(|(online, got)| assert_eq!(Some(online), got, "{told}"))
        .count()
}

const GO_MOD: &str = "module user.test/user\n\ngo 1.21\n";

#[test]
fn what_nothing_requires_is_found_as_online() {
    let Some(go) = go() else {
        return eprintln!("no go command on PATH: nothing compared");
    };
    let mut random = Random(8);
    let (mut same, mut completed, mut refused) = (0, 0, 0);
    for round in 0..12 {
        let world = universe(&mut random);
        let path = PATHS[random.below(3) as usize];
        let known = versions(path);
        let named = format!(
            "{path}@{}",
            known[random.below(known.len() as u64) as usize]
        );
        let out = format!("out{round}");
        world.export_into(&out, &[&named, "--newest", "none"]).ok();
        let carried = inside(&world, &out, &format!("inside{round}"));
        // Whoever uses all of its packages, and whoever uses one of them, needs different modules besides.
        for (user, folders) in [("all", &["", "/p", "/q"][..]), ("one", &[""])] {
            let mut source = "package user\n\n".to_owned();
            for folder in folders {
                let there = format!("{}/a.go", folder.trim_start_matches('/'));
                let has = TestFiles(&world, &named).has(there.trim_start_matches('/'));
                if has {
                    writeln!(source, "import _ \"{path}{folder}\"").unwrap();
                }
            }
            let at = |side: &str| format!("{side}-{round}-{user}");
            let project = Project {
                go_mod: GO_MOD,
                source: &source,
            };
            let commands = [&["get", &*named][..]];
            let commands = [&commands, USED].concat();
            let come_to =
                |side, goproxy| project.outcome(&go, &world, &at(side), goproxy, &commands);
            let online = come_to("online", world.goproxy());
            let got = come_to("inside", carried.clone());
            refused += online.iter().filter(|it| it.is_none()).count();
            same += compare(&online, &got, &format!("{round} {user} {named}\n{source}"));
            let first = |outcomes: &[Option<String>]| outcomes.get(1).cloned().flatten();
            completed +=
                usize::from(first(&online).is_some_and(|it| it.matches("// indirect").count() > 0));
        }
    }
    eprintln!("{same} as online, {completed} with more than was named, {refused} refused online");
    assert!(
        same > 4 * refused && completed > 6,
        "too little was compared"
    );
}

#[test]
fn a_go_mod_alone_is_worked_with_as_online() {
    let Some(go) = go() else {
        return eprintln!("no go command on PATH: nothing compared");
    };
    let mut random = Random(34);
    let (mut same, mut besides, mut refused) = (0, 0, 0);
    for round in 0..20 {
        let world = universe(&mut random);
        let mut source = "package user\n\n".to_owned();
        // Its go.mod says what is imported; mostly that is tidied.
        let go_line = ["1.16", "1.17", "1.21"][random.below(3) as usize];
        let mut go_mod = GO_MOD.replace("1.21", go_line);
        for path in PATHS {
            let known = versions(path);
            let version = known[random.below(known.len() as u64) as usize];
            let named = format!("{path}@{version}");
            let mut required = false;
            for (folder, file) in [("", "a.go"), ("/p", "p/a.go"), ("/q", "q/a.go")] {
                if random.one_in(5) && TestFiles(&world, &named).has(file) {
                    writeln!(source, "import _ \"{path}{folder}\"").unwrap();
                    required = true;
                }
            }
            if required {
                writeln!(go_mod, "\nrequire {path} {version}").unwrap();
            }
        }
        let at = |side: &str| format!("{side}-{round}");
        if !random.one_in(4) {
            let project = Project {
                go_mod: &go_mod,
                source: &source,
            };
            let tidy: &[&[&str]] = &[&["mod", "tidy"]];
            project.outcome(&go, &world, &at("tidied"), world.goproxy(), tidy);
            go_mod = fs::read_to_string(world.path(&at("tidied")).join("go.mod")).unwrap();
        }
        if !go_mod.contains("require") {
            continue;
        }
        let project = Project {
            go_mod: &go_mod,
            source: &source,
        };
        write(&world.path(&at("alone")).join("go.mod"), go_mod.as_bytes());
        let alone = format!("alone-{round}/go.mod");
        let out = at("out");
        let args = ["--go-mod", &*alone, "--newest", "none"];
        world.export_into(&out, &args).ok();
        let carried = inside(&world, &out, &at("carried"));
        let come_to = |side, goproxy| project.outcome(&go, &world, &at(side), goproxy, USED);
        let online = come_to("online", world.goproxy());
        let got = come_to("inside", carried);
        refused += online.iter().filter(|it| it.is_none()).count();
        same += compare(&online, &got, &format!("{round}\n{go_mod}\n{source}"));
        // What tidying opened, and the go.mod does not tell.
        let sums = fs::read_to_string(world.path(&at("online")).join("go.sum")).unwrap_or_default();
        let zips = sums.lines().filter(|line| !line.contains("/go.mod "));
        besides += zips
            .filter(|line| !go_mod.contains(line.split(' ').next().unwrap()))
            .count();
    }
    eprintln!("{same} as online, {besides} zips besides, {refused} refused online");
    assert!(same > 4 * refused && besides > 6, "too little was compared");
}

/// The files of a module upstream.
struct TestFiles<'w>(&'w World, &'w str);

impl TestFiles<'_> {
    fn has(&self, file: &str) -> bool {
        let bytes = fs::read(self.0.file(&version(self.1), "zip")).unwrap();
        let places = modferry_protocol::zip::places(bytes.as_slice()).unwrap();
        let name = format!("{}/{file}", self.1);
        places.iter().any(|place| place.name == name.as_bytes())
    }
}
