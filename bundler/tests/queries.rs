//! Version queries against the real go command: the same modules as files, the same versions chosen.
//! Without a go command on PATH there is nothing to compare with, and these tests say so.
#![allow(clippy::unwrap_used)]

mod common;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use common::{World, go, write};
use modferry_bundler::cache::Cache;
use modferry_bundler::fetch::Sources;
use modferry_bundler::select::query::Query;
use modferry_bundler::select::resolve::{Oracle, Question};
use modferry_bundler::sumdb::client::Client;
use modferry_bundler::sumdb::spec::SumdbSpec;
use modferry_bundler::upstream::goproxy::{ProxyList, Upstream};
use modferry_bundler::upstream::http::{Http, HttpOptions};
use modferry_checker::testing::TestModule;
use modferry_protocol::module::{ModulePath, Version};

/// `path: version…`; behind a version, in brackets, what its go.mod retracts. `-` before a version: it has no go.mod.
/// What is not tagged is in `commits`.
const MODULES: &str = "
    example.com/plain: v0.9.0 v1.0.0 v1.1.0 v1.1.3 v1.2.0-rc.1 v1.2.0 v1.10.0 v1.11.0-beta
    example.com/pre: v0.1.0-alpha v0.1.0-beta.2 v0.1.0-beta.10
    example.com/old: -v1.0.0 -v1.1.0-rc.1 -v2.0.0+incompatible -v3.0.0+incompatible
    example.com/grown: -v1.0.0 v1.1.0 -v2.0.0+incompatible -v3.0.0-rc.1+incompatible
    example.com/grownpre: -v1.0.0 v1.1.0-rc.1 -v2.0.0+incompatible
    example.com/onlyold: -v2.0.0+incompatible -v2.1.0+incompatible
    example.com/major/v2: v2.0.0 v2.1.0 v2.1.1-rc.1
    example.com/retracts: v1.0.0 v1.0.1 v1.1.0 v1.1.1 v1.2.0[v1.0.1|v1.1.0,v1.1.9] v1.3.0-rc.1
    example.com/self: v1.0.0 v1.0.1 v1.9.9[v1.0.1|v1.9.9]
    example.com/allgone: v1.0.0 v1.0.1[v1.0.0,v1.0.1]
    example.com/preholds: v1.0.0 v1.1.0 v1.2.0-rc.1[v1.1.0]
    gopkg.in/yaml.v2: v2.0.0 v2.1.0
    example.com/commits:
    example.com/nothing:
";

/// Commits, and what they are called. `list`: the module's list names it.
const COMMITS: &str = "
    example.com/plain v1.10.1-0.20260102030405-abcdefabcdef master abcdefabcdef
    example.com/plain v1.0.1-0.20200102030405-aaaaaaaaaaaa old
    example.com/plain v1.10.0 v1.10.0+meta
    example.com/commits v0.0.0-20200102030405-aaaaaaaaaaaa list
    example.com/commits v0.0.0-20260102030405-abcdefabcdef list main
    example.com/old v3.0.0+incompatible v3.0.0
    example.com/onlyold v2.1.1-0.20260102030405-abcdefabcdef+incompatible trunk
";

fn world() -> World {
    let mut world = World::new();
    let mut lists: BTreeMap<String, String> = BTreeMap::new();
    let lines = |text: &'static str| text.lines().map(str::trim).filter(|line| !line.is_empty());
    for line in lines(MODULES) {
        let (path, versions) = line.split_once(':').unwrap();
        lists.entry(path.to_owned()).or_default();
        for version in versions.split_whitespace() {
            let (version, retract) = version.split_once('[').unwrap_or((version, ""));
            let (version, is_module) = match version.strip_prefix('-') {
                Some(version) => (version, false),
                None => (version, true),
            };
            let mut go_mod = format!("module {path}\n");
            if is_module {
                go_mod += "\ngo 1.20\n";
            }
            for range in retract
                .trim_end_matches(']')
                .split('|')
                .filter(|r| !r.is_empty())
            {
                go_mod += &match range.contains(',') {
                    true => format!("\nretract [{range}]\n"),
                    false => format!("\nretract {range}\n"),
                };
            }
            add(&mut world, path, version, &go_mod);
            *lists.get_mut(path).unwrap() += &format!("{version}\n");
        }
    }
    for line in lines(COMMITS) {
        let mut words = line.split_whitespace();
        let (path, version) = (words.next().unwrap(), words.next().unwrap());
        if !lists[path].lines().any(|listed| listed == version) {
            add(
                &mut world,
                path,
                version,
                &format!("module {path}\n\ngo 1.20\n"),
            );
        }
        for name in words {
            if name == "list" {
                *lists.get_mut(path).unwrap() += &format!("{version}\n");
                continue;
            }
            let info = format!(
                "{{\"Version\":\"{version}\",\"Time\":\"{}\"}}",
                time_of(version)
            );
            write(
                &file(&world, path, &format!("{name}.info")),
                info.as_bytes(),
            );
        }
    }
    for (path, list) in &lists {
        // As upstreams have them: in no order.
        let mut lines: Vec<&str> = list.lines().rev().collect();
        lines.push("");
        write(&file(&world, path, "list"), lines.join("\n").as_bytes());
    }
    world.publish();
    world
}

fn add(world: &mut World, path: &str, version: &str, go_mod: &str) {
    let name = format!("{path}@{version}");
    let mut module = TestModule::new(&name, &[("go.mod", go_mod), ("a.go", "package a\n")]);
    module.info = format!(
        "{{\"Version\":\"{version}\",\"Time\":\"{}\"}}",
        time_of(version)
    )
    .into_bytes();
    world.add(&module);
}

/// The time in a pseudo-version; v1.Y.Z is from the month Y+1 of 2024, v0.Y.Z of 2023.
fn time_of(version: &str) -> String {
    let version: Version = version.parse().unwrap();
    version.pseudo_time().unwrap_or_else(|| {
        let minor = version.as_str().split('.').nth(1).unwrap();
        let year = if version.major() == "v0" { 2023 } else { 2024 };
        format!(
            "{year}-{:02}-01T00:00:00Z",
            minor.parse::<u32>().unwrap() + 1
        )
    })
}

fn file(world: &World, path: &str, name: &str) -> std::path::PathBuf {
    world.path("up").join(path).join("@v").join(name)
}

fn sources(world: &World) -> Sources {
    let http = Arc::new(Http::new(HttpOptions::default()).unwrap());
    let list = ProxyList::parse(&world.goproxy()).unwrap();
    let upstream = Upstream::new(http, list);
    let cache = Cache::open(&world.path("cache")).unwrap();
    let spec = SumdbSpec::parse(&world.sumdb.key().verifier().to_string()).unwrap();
    Sources {
        sumdb: Client::new(spec, upstream.clone(), cache.clone()),
        upstream,
        cache,
        private: Vec::new(),
        transfers: 4,
        zips: false,
    }
}

/// What modferry chooses: a version, or nothing.
fn ours(
    sources: &Sources,
    path: &str,
    query: &str,
    current: Option<&str>,
) -> Result<String, String> {
    let question = Question {
        query: Query::parse(query).map_err(|error| error.to_string())?,
        current: current.map(|current| current.parse().unwrap()),
        ..Question::newest(ModulePath::new(path).unwrap())
    };
    let answers = Oracle::new(sources, &[]).ask_all(&[question]).unwrap();
    match answers.into_iter().next().unwrap() {
        Ok(answer) => {
            let chosen: Vec<&str> = answer.chosen.iter().map(|m| m.version().as_str()).collect();
            Ok(chosen.join(" "))
        }
        Err(why) => Err(why.to_string()),
    }
}

/// What the go command chooses in a module that requires `current` of it: `path@query` by `path@query`.
fn theirs(
    go: &Path,
    world: &World,
    name: &str,
    current: Option<(&str, &str)>,
    queries: &[String],
) -> Vec<Result<String, String>> {
    let dir = world.path(name);
    let require = match current {
        Some((path, version)) => format!("\nrequire {path} {version}\n"),
        None => String::new(),
    };
    let text = format!("module main.test/main\n\ngo 1.20\n{require}");
    write(&dir.join("go.mod"), text.as_bytes());
    let output = Command::new(go)
        .current_dir(&dir)
        .env_clear()
        .env("HOME", world.dir.path())
        .env("PATH", go.parent().unwrap())
        .env("GOPATH", world.path("gopath"))
        .env("GOMODCACHE", dir.join("modcache"))
        .env("GOFLAGS", "-modcacherw -mod=mod")
        .env("GOTOOLCHAIN", "local")
        .env("GOPROXY", world.goproxy())
        .env("GOSUMDB", "off")
        .args([
            "list",
            "-m",
            "-e",
            "-f",
            "{{.Version}} {{with .Error}}! {{.Err}}{{end}}",
        ])
        .args(queries)
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let answers: Vec<Result<String, String>> = text
        .lines()
        .filter(|line| !line.starts_with('\t'))
        .map(|line| match line.split_once(" ! ") {
            Some((_, error)) => Err(error.to_owned()),
            None => Ok(line.trim().to_owned()),
        })
        .collect();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(
        answers.len(),
        queries.len(),
        "{queries:?}\n{text}\n{stderr}"
    );
    answers
}

const QUERIES: &str = "latest upgrade v0 v1 v2 v1.0 v1.1 v1.2 v1.3 v0.1 <v1.1.0 <v1.1 <v2 <v3 <v0.0.1 <=v1.1.3 <=v1.0.0 \
    <=v1.2 >v1.1.0 >v1 >v1.10.0 >v9.0.0 >=v1 >=v1.0.1 >=v1.1.0 >=v2 >=v3.0.0-a v1.0.0 v1.0.1 v1.1.0 v1.10.0+meta v2.0.0 \
    v3.0.0 v7.7.7 v1.2.0-rc.1 master main old trunk abcdefabcdef nosuch v1.x <x";

#[test]
fn the_go_commands_own_queries_choose_what_it_chooses() {
    let Some(go) = go() else {
        return eprintln!("no go command on PATH: nothing compared");
    };
    let world = world();
    let sources = sources(&world);
    let mut asked = Vec::new();
    for line in MODULES
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
    {
        let (path, _) = line.split_once(':').unwrap();
        asked.extend(QUERIES.split_whitespace().map(|query| (path, query)));
    }
    let names: Vec<String> = asked
        .iter()
        .map(|(path, query)| format!("{path}@{query}"))
        .collect();
    let theirs = theirs(&go, &world, "alone", None, &names);
    let mut chosen = 0;
    for ((path, query), theirs) in asked.iter().zip(theirs) {
        let ours = ours(&sources, path, query, None);
        match (&ours, &theirs) {
            (Ok(ours), Ok(theirs)) => assert_eq!(ours, theirs, "{path}@{query}"),
            // What is a version of the module is asked for when it is fetched, and not before.
            (Ok(ours), Err(_)) if ours == query => {}
            (Err(_), Err(_)) => {}
            _ => panic!("{path}@{query}: ours {ours:?}, theirs {theirs:?}"),
        }
        chosen += usize::from(ours.is_ok());
    }
    assert!(
        chosen > 150,
        "only {chosen} of {} queries chose",
        names.len()
    );
}

#[test]
fn upgrade_and_patch_go_on_from_what_is_selected() {
    let Some(go) = go() else {
        return eprintln!("no go command on PATH: nothing compared");
    };
    let world = world();
    let sources = sources(&world);
    for (round, (path, current, upgrade, patch)) in [
        ("example.com/plain", "v1.1.0", "v1.10.0", "v1.1.3"),
        ("example.com/plain", "v1.1.3", "v1.10.0", "v1.1.3"),
        (
            "example.com/plain",
            "v1.11.0-beta",
            "v1.11.0-beta",
            "v1.11.0-beta",
        ),
        ("example.com/plain", "v1.2.0-rc.1", "v1.10.0", "v1.2.0"),
        // From a commit nothing goes back in time, be it to a higher version.
        (
            "example.com/plain",
            "v1.10.1-0.20260102030405-abcdefabcdef",
            "v1.10.1-0.20260102030405-abcdefabcdef",
            "v1.10.1-0.20260102030405-abcdefabcdef",
        ),
        (
            "example.com/plain",
            "v1.0.1-0.20200102030405-aaaaaaaaaaaa",
            "v1.10.0",
            "v1.0.1-0.20200102030405-aaaaaaaaaaaa",
        ),
        (
            "example.com/commits",
            "v0.0.0-20200102030405-aaaaaaaaaaaa",
            "v0.0.0-20260102030405-abcdefabcdef",
            "v0.0.0-20260102030405-abcdefabcdef",
        ),
        ("example.com/retracts", "v1.0.0", "v1.2.0", "v1.0.0"),
        ("example.com/retracts", "v1.1.1", "v1.2.0", ""),
        ("example.com/self", "v1.0.0", "v1.0.0", "v1.0.0"),
        ("example.com/grown", "v1.0.0", "v1.1.0", "v1.0.0"),
        (
            "example.com/grown",
            "v2.0.0+incompatible",
            "v2.0.0+incompatible",
            "v2.0.0+incompatible",
        ),
        (
            "example.com/old",
            "v2.0.0+incompatible",
            "v3.0.0+incompatible",
            "v2.0.0+incompatible",
        ),
    ]
    .into_iter()
    .enumerate()
    {
        let names = [format!("{path}@upgrade"), format!("{path}@patch")];
        let theirs = theirs(
            &go,
            &world,
            &format!("at{round}"),
            Some((path, current)),
            &names,
        );
        for ((query, want), theirs) in [("upgrade", upgrade), ("patch", patch)].iter().zip(theirs) {
            let ours = ours(&sources, path, query, Some(current));
            let what = format!("{path}@{query} from {current}: {ours:?}, {theirs:?}");
            assert_eq!(ours.unwrap_or_default(), *want, "{what}");
            assert_eq!(theirs.unwrap_or_default(), *want, "{what}");
        }
    }
}

#[test]
fn modferrys_own_queries_choose_by_the_same_rules() {
    let world = world();
    let sources = sources(&world);
    for (path, query, want) in [
        ("example.com/plain", "^1.1", "v1.10.0"),
        ("example.com/plain", "~1.1", "v1.1.3"),
        ("example.com/plain", ">=1.1 <1.2", "v1.1.3"),
        ("example.com/plain", "newest 2", "v1.2.0 v1.10.0"),
        ("example.com/plain", "since 2024-03-01", "v1.2.0 v1.10.0"),
        ("example.com/plain", "since 2024-03-01 <1.10", "v1.2.0"),
        (
            "example.com/pre",
            "all",
            "v0.1.0-alpha v0.1.0-beta.2 v0.1.0-beta.10",
        ),
        ("example.com/retracts", "all", "v1.0.0 v1.2.0"),
        ("example.com/grown", "all", "v1.0.0 v1.1.0"),
        (
            "example.com/old",
            "newest 2",
            "v2.0.0+incompatible v3.0.0+incompatible",
        ),
        ("example.com/old", "^2", "v2.0.0+incompatible"),
        (
            "example.com/commits",
            "newest 3",
            "v0.0.0-20260102030405-abcdefabcdef",
        ),
        (
            "example.com/commits",
            "since 2026-01-01",
            "v0.0.0-20260102030405-abcdefabcdef",
        ),
    ] {
        assert_eq!(
            ours(&sources, path, query, None).as_deref(),
            Ok(want),
            "{path}@{query}"
        );
    }
    for (path, query, told) in [
        (
            "example.com/plain",
            "since 2027-01-01",
            "no version of it fits: upstream lists 8, the highest v1.11.0-beta",
        ),
        ("example.com/plain", ">=3 <4", "no version of it fits"),
        (
            "example.com/commits",
            "since 2026-02-01",
            "no version of it fits",
        ),
        (
            "example.com/nothing",
            "all",
            "lists no version, and does not tell the newest commit",
        ),
        (
            "example.com/allgone",
            "latest",
            "2 that would are retracted",
        ),
        (
            "example.com/unknown",
            "latest",
            "/example.com/unknown/@v/list: ",
        ),
        (
            "example.com/plain",
            "patch",
            "nothing else that is selected",
        ),
    ] {
        let error = ours(&sources, path, query, None).unwrap_err();
        assert!(error.starts_with(&format!("{path}@{query}: ")), "{error}");
        assert!(error.contains(told), "{path}@{query}: {error}");
    }
}
