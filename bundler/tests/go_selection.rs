//! Version selection against the real go command: the same module graphs as files, the same build lists.
//! Without a go command on PATH there is nothing to compare with, and these tests say so.
#![allow(clippy::unwrap_used)]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use common::{World, go, module, write};
use modferry_bundler::select::gomod::GoMod;
use modferry_bundler::select::mvs::{Main, Resolver, Selection, Summary};
use modferry_protocol::module::ModuleVersion;

/// A go command that knows only the world's upstream, with nothing cached.
fn command(go: &Path, world: &World, goproxy: &str, dir: &Path) -> Command {
    let mut command = Command::new(go);
    command
        .current_dir(dir)
        .env_clear()
        .env("HOME", world.dir.path())
        .env("PATH", go.parent().unwrap())
        .env("GOPATH", world.path("gopath"))
        .env("GOMODCACHE", dir.join("modcache"))
        .env(
            "GOCACHE",
            std::env::temp_dir().join("modferry-test-gocache"),
        )
        .env("GOFLAGS", "-modcacherw")
        .env("GOTOOLCHAIN", "local")
        .env("GOPROXY", format!("{goproxy},off"))
        .env("GOSUMDB", "off");
    command
}

#[track_caller]
fn run(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(
        output.status.success(),
        "{command:?}\n{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

/// The go.mod files that this world's upstream serves.
fn files(graph: &str) -> BTreeMap<ModuleVersion, Arc<Summary>> {
    graph
        .lines()
        .filter(|line| line.contains("->"))
        .map(|line| {
            let (head, requires) = line.split_once("->").unwrap();
            let mut head = head.split_whitespace();
            let name = head.next().unwrap();
            let go = head.next().map(|go| go.trim_start_matches("go"));
            let made = module(name, go, &requires.split_whitespace().collect::<Vec<_>>());
            (
                made.module,
                Arc::new(Summary::of(&GoMod::parse_lax(&made.go_mod).unwrap())),
            )
        })
        .collect()
}

fn resolve(main: Main, files: &BTreeMap<ModuleVersion, Arc<Summary>>) -> Selection {
    let (mut resolver, mut wanted) = Resolver::new(main);
    while let Some(next) = wanted.pop() {
        wanted.extend(resolver.loaded(&next, files.get(&next).cloned()));
    }
    resolver.selection().unwrap().clone()
}

/// A small generator of the same numbers everywhere.
struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % n
    }
}

/// Eight modules in three versions each, with requirements in every direction, or without cycles.
fn random_graph(random: &mut Random, cycles: bool) -> String {
    let mut graph = String::new();
    for (at, name) in "abcdefgh".chars().enumerate() {
        for minor in 0..3 {
            let go = ["", " go1.16", " go1.17", " go1.21"][random.below(4) as usize];
            write!(graph, "m.test/{name}@v1.{minor}.0{go} ->").unwrap();
            let mut required = BTreeSet::new();
            for _ in 0..random.below(4) {
                let other = random.below(8);
                if (other > at as u64 || (cycles && other != at as u64)) && required.insert(other) {
                    let other = char::from(b'a' + other as u8);
                    write!(graph, " m.test/{other}@v1.{}.0", random.below(3)).unwrap();
                }
            }
            graph.push('\n');
        }
    }
    graph
}

#[test]
fn build_lists_are_the_go_commands() {
    let Some(go) = go() else {
        return eprintln!("no go command on PATH: nothing compared");
    };
    let mut random = Random(3);
    for round in 0..24 {
        let graph = random_graph(&mut random, true);
        let world = World::of(&graph);
        let files = files(&graph);
        for version in ["1.16", "1.17", "1.21"] {
            let mut text = format!("module main.test/main\n\ngo {version}\n");
            for (i, name) in ["a", "b", "c"].iter().enumerate() {
                // One indirect line: a go.mod that was tidied, so that its list is taken as whole.
                let indirect = if i == 2 { " // indirect" } else { "" };
                writeln!(
                    text,
                    "\nrequire m.test/{name} v1.{}.0{indirect}",
                    random.below(3)
                )
                .unwrap();
            }
            writeln!(
                text,
                "\nexclude m.test/d v1.2.0\nreplace m.test/e v1.1.0 => m.test/f v1.0.0"
            )
            .unwrap();
            let dir = world.path(&format!("main-{version}"));
            write(&dir.join("go.mod"), text.as_bytes());
            let main = Main::of(&GoMod::parse(text.as_bytes()).unwrap()).unwrap();
            let ours = resolve(main, &files);
            let listed = run(command(&go, &world, &world.goproxy(), &dir).args([
                "list",
                "-mod=mod",
                "-m",
                "-f",
                "{{.Path}}@{{.Version}}",
                "all",
            ]));
            let theirs: BTreeSet<&str> = listed
                .lines()
                .filter(|line| !line.starts_with("main.test/main"))
                .collect();
            let ours: BTreeSet<String> = ours.selected.values().map(ToString::to_string).collect();
            let ours: BTreeSet<&str> = ours.iter().map(String::as_str).collect();
            assert_eq!(ours, theirs, "round {round}, go {version}\n{text}\n{graph}");
        }
    }
}

#[test]
fn loose_versions_of_dependencies_are_read_as_the_go_command_reads_them() {
    let Some(go) = go() else {
        return eprintln!("no go command on PATH: nothing compared");
    };
    let graph = "
        m.test/a@v1.0.0 -> m.test/b@v1.2 m.test/c@v1.1.0+meta m.test/d@v1
        m.test/b@v1.2.0 -> m.test/e@v1.0.0
        m.test/c@v1.1.0 ->
        m.test/d@v1.0.0 ->
        m.test/e@v1.0.0 ->
    ";
    let world = World::of(graph);
    let text = "module main.test/main\n\ngo 1.16\n\nrequire m.test/a v1.0.0\n";
    let dir = world.path("main");
    write(&dir.join("go.mod"), text.as_bytes());
    let main = Main::of(&GoMod::parse(text.as_bytes()).unwrap()).unwrap();
    let ours = resolve(main, &files(graph));
    let ours: Vec<String> = ours.selected.values().map(ToString::to_string).collect();
    let listed = run(command(&go, &world, &world.goproxy(), &dir).args([
        "list",
        "-mod=mod",
        "-m",
        "-f",
        "{{if not .Main}}{{.Path}}@{{.Version}}{{end}}",
        "all",
    ]));
    let theirs: Vec<&str> = listed.lines().filter(|line| !line.is_empty()).collect();
    assert_eq!(ours, theirs);
    assert_eq!(ours.len(), 5);
}

#[test]
fn what_an_export_fetched_is_all_that_the_go_command_asks_for() {
    let Some(go) = go() else {
        return eprintln!("no go command on PATH: nothing compared");
    };
    let mut random = Random(11);
    for round in 0..8 {
        let graph = random_graph(&mut random, false);
        let world = World::of(&graph);
        world.export(&["m.test/a@v1.1.0", "--quiet"]).ok();
        // The cache is itself an upstream; what is not in it cannot be had.
        let cache = format!("file://{}", world.text(".cache/modferry/download"));
        for version in ["1.16", "1.21"] {
            let dir: PathBuf = world.path(&format!("user-{version}"));
            write(
                &dir.join("go.mod"),
                format!("module user.test/user\n\ngo {version}\n").as_bytes(),
            );
            write(
                &dir.join("u.go"),
                b"package user\n\nimport _ \"m.test/a\"\n",
            );
            for args in [
                &["get", "m.test/a@v1.1.0"][..],
                &["build", "./..."],
                &["mod", "tidy"],
                &["list", "-m", "all"],
                &["mod", "graph"],
                &["mod", "download"],
                &["mod", "verify"],
                &["build", "./..."],
            ] {
                let output = command(&go, &world, &cache, &dir)
                    .args(args)
                    .output()
                    .unwrap();
                assert!(
                    output.status.success(),
                    "round {round}, go {version}: go {args:?}: {}\n{}\n{graph}",
                    String::from_utf8_lossy(&output.stderr),
                    fs::read_to_string(dir.join("go.mod")).unwrap()
                );
            }
        }
        let elsewhere = world.path("elsewhere");
        fs::create_dir(&elsewhere).unwrap();
        run(command(&go, &world, &cache, &elsewhere).args(["mod", "download", "m.test/a@v1.1.0"]));
    }
}
