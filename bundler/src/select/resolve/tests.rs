#![allow(clippy::unwrap_used)]
use super::*;

use std::collections::BTreeMap;
use std::sync::Arc;

use modferry_checker::testing::{TestModule, TestSumdb};

use crate::cache::Cache;
use crate::sumdb::client::Client;
use crate::sumdb::spec::SumdbSpec;
use crate::upstream::goproxy::{ProxyList, Upstream};
use crate::upstream::http::{Http, HttpOptions, Retry};
use crate::upstream::testing::{Answer as Reply, TestServer};

const A: &str = "example.com/a";

/// An upstream on loopback: replies by path; 404 at everything else.
struct Site {
    server: TestServer,
    sources: Sources,
    _dir: tempfile::TempDir,
}

impl Site {
    fn new(modules: &[TestModule], replies: &[(&str, Reply)]) -> Site {
        Site::behind("", modules, replies)
    }

    /// Behind other proxies, as `http://…,`.
    fn behind(first: &str, modules: &[TestModule], replies: &[(&str, Reply)]) -> Site {
        let mut sumdb = TestSumdb::new("sum.example.org");
        let mut all: BTreeMap<String, Reply> = BTreeMap::new();
        for module in modules {
            sumdb.add(module);
            let name = module.module.version().escaped();
            for (kind, bytes) in [("mod", &module.go_mod), ("info", &module.info)] {
                all.insert(format!("/{A}/@v/{name}.{kind}"), Reply::ok(bytes.clone()));
            }
        }
        let head = sumdb.signed(&sumdb.head());
        for module in modules {
            let record = sumdb.record(&module.module).unwrap();
            let answer = [record.encode(), head.clone()].concat();
            let path = format!("/sumdb/sum.example.org/lookup/{}", module.module);
            all.insert(path, Reply::ok(answer));
        }
        all.insert("/sumdb/sum.example.org/supported".into(), Reply::ok(""));
        all.extend(
            replies
                .iter()
                .map(|(path, reply)| ((*path).to_owned(), reply.clone())),
        );
        let server = TestServer::new(move |asked| {
            let reply = all.get(&asked.path);
            reply.cloned().unwrap_or_else(|| Reply::status(404))
        });
        let dir = tempfile::tempdir().unwrap();
        let http = Http::new(HttpOptions {
            retry: Retry {
                attempts: 1,
                ..Retry::default()
            },
            ..HttpOptions::default()
        })
        .unwrap();
        let list = ProxyList::parse(&format!("{first}{}", server.url)).unwrap();
        let upstream = Upstream::new(Arc::new(http), list);
        let cache = Cache::open(dir.path()).unwrap();
        let spec = SumdbSpec::parse(&sumdb.key().verifier().to_string()).unwrap();
        let sources = Sources {
            sumdb: Client::new(spec, upstream.clone(), cache.clone()),
            upstream,
            cache,
            private: vec![("GOPRIVATE", "secret.example".into())],
            transfers: 4,
            zips: true,
        };
        Site {
            server,
            sources,
            _dir: dir,
        }
    }

    fn ask(&self, text: &str, exclude: &[&str]) -> Result<Answer, AskError> {
        let exclude: Vec<Exclude> = exclude.iter().map(|e| e.parse().unwrap()).collect();
        Oracle::new(&self.sources, &exclude).ask(&question(text))
    }

    fn refusal(&self, text: &str, exclude: &[&str]) -> String {
        match self.ask(text, exclude) {
            Err(AskError::Unanswered(why)) => why.to_string(),
            other => panic!("{text}: {other:?}"),
        }
    }
}

fn question(text: &str) -> Question {
    let (path, query) = text.split_once('@').unwrap();
    Question {
        query: Query::parse(query).unwrap(),
        ..Question::newest(path.parse().unwrap())
    }
}

fn module(version: &str, go_mod: &str) -> TestModule {
    TestModule::new(&format!("{A}@{version}"), &[("go.mod", go_mod)])
}

fn chosen(answer: &Answer) -> String {
    let names: Vec<String> = answer.chosen.iter().map(ToString::to_string).collect();
    names.join(" ")
}

const LIST: &str = "/example.com/a/@v/list";
const PSEUDO: &str = "v1.0.1-0.20260102030405-abcdefabcdef";

fn info(version: &str) -> Reply {
    Reply::ok(format!("{{\"Time\": null, \"Version\":\"{version}\"}}"))
}

#[test]
fn a_branch_is_one_request_and_its_answer_is_kept_as_it_came() {
    let site = Site::new(&[], &[("/example.com/a/@v/!main.info", info(PSEUDO))]);
    let before = Timestamp::now();
    let answer = site.ask("example.com/a@Main", &[]).unwrap();
    assert_eq!(chosen(&answer), format!("{A}@{PSEUDO}"));
    let carried = answer.carried.unwrap();
    assert_eq!((carried.path.as_str(), carried.query.as_str()), (A, "Main"));
    assert_eq!(Reply::ok(carried.info).body, info(PSEUDO).body);
    assert!((before..=Timestamp::now()).contains(&carried.asked));
    assert_eq!(site.server.paths(), ["/example.com/a/@v/!main.info"]);
}

#[test]
fn a_version_is_not_asked_for_and_no_answer_is_carried_of_it() {
    let site = Site::new(&[], &[("/example.com/a/@v/v1.0.0.info", info("v1.0.0"))]);
    let answer = site.ask("example.com/a@v1.0.0", &[]).unwrap();
    assert_eq!(
        (chosen(&answer).as_str(), answer.carried),
        ("example.com/a@v1.0.0", None)
    );
    assert!(site.server.paths().is_empty());
    // Build metadata is no part of a version: the go command asks for both, and so do we.
    let answer = site.ask("example.com/a@v1.0.0+meta", &[]).unwrap();
    assert_eq!(
        (chosen(&answer).as_str(), answer.carried),
        ("example.com/a@v1.0.0", None)
    );
}

#[test]
fn refusals_say_what_to_do() {
    let site = Site::new(
        &[],
        &[
            ("/example.com/a/@v/main.info", Reply::status(403)),
            ("/example.com/a/@v/other.info", info("v2.0.0")),
            ("/example.com/a/@v/html.info", Reply::ok("<html>\nlogin")),
            ("/example.com/a/@v/good.info", info(PSEUDO)),
            (LIST, Reply::status(403)),
        ],
    );
    for (text, exclude, told) in [
        ("example.com/a@main", "x", "403"),
        (
            "example.com/a@main",
            "x",
            "it does not look at branches and commits for others; say a version",
        ),
        ("example.com/a@gone", "x", "404"),
        (
            "example.com/a@other",
            "x",
            "upstream's answer names no version of this module",
        ),
        (
            "example.com/a@html",
            "x",
            "names no version of this module: \"<html>\\nlogin\"",
        ),
        ("example.com/a@latest", "x", "403"),
        (
            "example.com/a@good",
            "example.com/...",
            "is excluded by example.com/...",
        ),
        (
            "example.com/a@v1.4.0",
            "example.com/a@v1.4",
            "v1.4.0 is excluded by example.com/a@v1.4",
        ),
        (
            "secret.example/a@latest",
            "x",
            "GOPRIVATE names it as private",
        ),
        (
            "secret.example/a@main",
            "x",
            "GOPRIVATE names it as private",
        ),
    ] {
        let refusal = site.refusal(text, &[exclude]);
        assert!(
            refusal.starts_with(text) && refusal.contains(told),
            "{refusal}"
        );
        assert!(!refusal.contains('\n'), "{refusal}");
    }
    assert!(
        !site
            .refusal("example.com/a@latest", &[])
            .contains("branches")
    );
    assert!(
        !site
            .server
            .paths()
            .iter()
            .any(|path| path.contains("secret"))
    );
}

#[test]
fn what_fits_and_may_not_be_chosen_is_told_by_its_reason() {
    let newest = module(
        "v1.2.0",
        "module example.com/a\nretract v1.0.0\nretract v1.1.0\n",
    );
    let site = Site::new(&[newest], &[(LIST, Reply::ok("v1.0.0\nv1.1.0\nv1.2.0\n"))]);
    for (text, exclude, told) in [
        (
            "example.com/a@<v1.2.0",
            "x",
            "fits: 2 that would are retracted (`retracted: true` takes such)",
        ),
        (
            "example.com/a@latest",
            "example.com/...",
            "fits: 3 that would are excluded",
        ),
        (
            "example.com/a@<v1.2.0",
            "example.com/a@v1.0.0",
            "fits: 1 that would is excluded, 1 that would is retracted (`retracted: true` takes such)",
        ),
        (
            "example.com/a@^2",
            "x",
            "fits: upstream lists 3, the highest v1.2.0",
        ),
    ] {
        let refusal = site.refusal(text, &[exclude]);
        assert!(refusal.ends_with(told), "{refusal}");
    }
}

#[test]
fn a_list_is_bounded() {
    let line = "v1.0.0\n";
    let fits = line.repeat(MAX_LIST as usize / line.len());
    let pad = " ".repeat(MAX_LIST as usize - fits.len());
    let fits = fits + &pad;
    let newest = module("v1.0.0", "module example.com/a\n");
    let site = Site::new(
        std::slice::from_ref(&newest),
        &[(LIST, Reply::ok(fits.clone()))],
    );
    let answer = site.ask("example.com/a@latest", &[]).unwrap();
    assert_eq!(chosen(&answer), "example.com/a@v1.0.0");
    let site = Site::new(&[newest], &[(LIST, Reply::ok(fits + " "))]);
    let refusal = site.refusal("example.com/a@latest", &[]);
    assert!(refusal.contains(&MAX_LIST.to_string()), "{refusal}");
}

#[test]
fn a_module_is_looked_at_once() {
    let newest = module(
        "v1.1.0",
        "module example.com/a\n\ngo 1.20\n\nretract v1.0.0\n",
    );
    let site = Site::new(&[newest], &[(LIST, Reply::ok("v1.0.0\nv1.1.0\n"))]);
    let oracle = Oracle::new(&site.sources, &[]);
    let questions: Vec<Question> = ["latest", "v1", "all", "newest 2", "<v1.1.0", "latest"]
        .iter()
        .map(|query| question(&format!("{A}@{query}")))
        .collect();
    let answers = oracle.ask_all(&questions).unwrap();
    let chosen: Vec<String> = answers
        .iter()
        .map(|answer| answer.as_ref().map(chosen).unwrap_or_default())
        .collect();
    let newest = "example.com/a@v1.1.0";
    assert_eq!(chosen, [newest, newest, newest, newest, "", newest]);
    assert_eq!(
        answers[0]
            .as_ref()
            .unwrap()
            .newest
            .as_ref()
            .unwrap()
            .to_string(),
        newest
    );
    let refusal = answers[4].as_ref().unwrap_err().to_string();
    assert!(
        refusal.contains("1 that would is retracted (`retracted: true`"),
        "{refusal}"
    );
    let mut asked = site.server.paths();
    asked.sort();
    assert_eq!(
        asked,
        [
            "/example.com/a/@v/list",
            "/example.com/a/@v/v1.1.0.mod",
            "/sumdb/sum.example.org/lookup/example.com/a@v1.1.0",
            "/sumdb/sum.example.org/supported",
        ]
    );
    let retracted = Question {
        retracted: true,
        ..question("example.com/a@<v1.1.0")
    };
    let answer = oracle.ask(&retracted).unwrap();
    assert_eq!(answer.chosen[0].to_string(), "example.com/a@v1.0.0");
}

#[test]
fn retractions_that_cannot_be_read_forbid_nothing_and_are_told() {
    let old = module("v1.0.0", "module example.com/a\n");
    let list = [(LIST, Reply::ok("v1.0.0\nv1.1.0\n"))];
    let answer = Site::new(&[old], &list)
        .ask("example.com/a@latest", &[])
        .unwrap();
    assert_eq!(chosen(&answer), "example.com/a@v1.1.0");
    let note = answer.note.unwrap();
    assert!(
        note.contains("what its authors have retracted is not known"),
        "{note}"
    );
}

#[test]
fn a_go_mod_that_is_not_the_recorded_one_stops_everything() {
    let newest = module("v1.1.0", "module example.com/a\n");
    let replies = [
        (LIST, Reply::ok("v1.0.0\nv1.1.0\n")),
        (
            "/example.com/a/@v/v1.1.0.mod",
            Reply::ok("module example.com/a\nretract v1.0.0\n"),
        ),
    ];
    let site = Site::new(&[newest], &replies);
    let fatal = Oracle::new(&site.sources, &[])
        .ask_all(&[question("example.com/a@latest")])
        .unwrap_err();
    assert!(matches!(fatal, Fatal::Mismatch { .. }), "{fatal}");
}

#[test]
fn the_proxy_that_lists_a_module_also_says_its_newest_commit() {
    let empty = TestServer::new(|asked| match asked.path.as_str() {
        "/example.com/a/@v/list" => Reply::ok(""),
        _ => Reply::status(404),
    });
    let latest = ("/example.com/a/@latest", info(PSEUDO));
    let before = format!("{},", empty.url);
    let replies = [latest.clone(), (LIST, Reply::ok(""))];
    let site = Site::behind(&before, &[], &replies);
    let refusal = site.refusal("example.com/a@latest", &[]);
    assert!(
        refusal.contains("does not tell the newest commit"),
        "{refusal}"
    );
    let absent = TestServer::new(|_| Reply::status(404));
    let site = Site::behind(&format!("{},", absent.url), &[], &replies);
    let answer = site.ask("example.com/a@latest", &[]).unwrap();
    assert_eq!(chosen(&answer), format!("{A}@{PSEUDO}"));
    // An answer that is no absence counts, and no older commit of the list.
    let replies = [
        ("/example.com/a/@latest", Reply::status(403)),
        (LIST, Reply::ok(format!("{PSEUDO}\n"))),
    ];
    let refusal = Site::new(&[], &replies).refusal("example.com/a@latest", &[]);
    assert!(refusal.contains("403"), "{refusal}");
}
