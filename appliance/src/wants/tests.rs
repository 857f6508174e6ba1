#![allow(clippy::unwrap_used)]

use super::kept::{FORMAT, Kept, PRIVATE, PUBLIC};
use super::*;
use crate::store::{Source, Store};
use modferry_checker::testing::{Packing, zip_of};
use modferry_cli::wants::{Follow, MAX_WANTS, MAX_WANTS_FILE, Signer, open};
use modferry_protocol::bundle::{Item, Pin, Query};
use modferry_protocol::h1::H1;
use modferry_protocol::module::ModuleVersion;
use modferry_protocol::note::SigningKey;
use modferry_protocol::zip::ZipFacts;
use sha2::{Digest, Sha256};
use std::fs;
use std::path::Path;
use tempfile::TempDir;

const T: u64 = 1_795_000_000;

fn missed(want: &str, parts: &[Part], asked: u64) -> Missed {
    Missed {
        want: want.parse().unwrap(),
        parts: parts.to_vec().into(),
        asked,
        first: T,
        last: T + asked,
    }
}

fn guessed(want: &str, asked: u64) -> Missed {
    missed(want, &[Part::Versions], asked)
}

/// A folder with a store and what a server has missed.
struct Site(TempDir);

impl Site {
    fn new(public: Vec<Missed>, private: Vec<Missed>) -> Site {
        let site = Site(tempfile::tempdir().unwrap());
        fs::create_dir(site.store()).unwrap();
        fs::create_dir(site.folder()).unwrap();
        site.server_keeps(PUBLIC, public);
        site.server_keeps(PRIVATE, private);
        site
    }

    fn store(&self) -> PathBuf {
        self.0.path().join("store")
    }

    fn folder(&self) -> PathBuf {
        self.0.path().join("wants")
    }

    fn server_keeps(&self, name: &str, wants: Vec<Missed>) {
        let (format, written, left_out) = (FORMAT, T, 7);
        let kept = Kept {
            format,
            written,
            left_out,
            wants,
        };
        let mut file = Vec::new();
        kept.write(&mut file).unwrap();
        fs::write(self.folder().join(name), file).unwrap();
    }

    /// Imports what is said of one module version: `info`, `mod`, and a zip with these files.
    fn import(&self, number: u64, module: &str, info: bool, files: Option<&[&str]>) {
        let store = Store::open_or_create(&self.store(), "test", false).unwrap();
        let mut draft = store.draft(&Sha256::digest([number as u8]).into()).unwrap();
        let module: ModuleVersion = module.parse().unwrap();
        if info {
            let text = format!("{{\"Version\":\"{}\"}}", module.version());
            draft
                .put(&Item::Info(module.clone()), text.as_bytes())
                .unwrap();
        }
        draft
            .put(&Item::Mod(module.clone()), b"module x\n")
            .unwrap();
        if let Some(files) = files {
            let files: Vec<_> = files
                .iter()
                .map(|name| (*name, &b"package x\n"[..]))
                .collect();
            let zip = zip_of(&module, &files, Packing::Stored);
            let facts = ZipFacts {
                h1: H1::of_go_mod(&zip),
                files: files.len() as u32,
                unpacked: 10,
            };
            let sha256 = Sha256::digest(&zip).into();
            draft
                .put_zip(&module, &facts, zip.len() as u64, &sha256, &mut &*zip)
                .unwrap();
        }
        let source = Source {
            stream: "test".into(),
            sequence: number,
            ..Source::default()
        };
        draft.commit(source).unwrap();
    }

    fn list(&self, filter: &Filter) -> Listing {
        let store = Store::open(&self.store(), "test", false).ok();
        list(&self.folder(), &self.store(), store.as_deref(), filter).unwrap()
    }
}

fn names(listing: &Listing) -> Vec<String> {
    let name = |listed: &Listed| {
        let mut name = listed.missed.want.to_string();
        for path in &listed.or {
            name += &format!(" {path}");
        }
        name
    };
    listing.wants.iter().map(name).collect()
}

#[test]
fn what_one_import_asked_for_is_one_want() {
    let group = |missed: Vec<Missed>| {
        let groups = group::group(missed).into_iter();
        let listing = Listing {
            wants: groups
                .map(|group| Listed {
                    missed: group.missed,
                    or: group.or,
                    private: false,
                    only_go_mods: false,
                })
                .collect(),
            ..Listing::default()
        };
        names(&listing)
    };
    // Two imports of one module, and its host, asked for twice each as a candidate.
    assert_eq!(
        group(vec![
            guessed("a.b@latest", 3),
            guessed("a.b/c@latest", 3),
            guessed("a.b/c/d@latest", 1),
            guessed("a.b/c/e@latest", 2),
            guessed("a.b/c/f@v1.0.0", 2),
        ]),
        [
            "a.b/c/d@latest a.b/c a.b",
            "a.b/c/e@latest a.b/c a.b",
            "a.b/c/f@v1.0.0"
        ]
    );
    // Once more than as a candidate: by itself, too.
    assert_eq!(
        group(vec![
            guessed("a.b/c@latest", 2),
            guessed("a.b/c/d@latest", 1)
        ]),
        ["a.b/c@latest", "a.b/c/d@latest a.b/c"]
    );
    // A path that begins with the same letters is no prefix.
    assert_eq!(
        group(vec![
            guessed("a.b/c@latest", 1),
            guessed("a.b/cd@latest", 1)
        ]),
        ["a.b/c@latest", "a.b/cd@latest"]
    );
}

#[test]
fn modules_that_a_go_mod_names_stand_for_themselves() {
    // Two modules of one repository are released with one version.
    let certain = |want: &str, part| missed(want, &[Part::Info, part], 1);
    let groups = group::group(vec![
        certain("go.example/otel@v1.20.0", Part::Mod),
        certain("go.example/otel/trace@v1.20.0", Part::Zip),
        certain("go.example/otel/metric@v1.20.0", Part::Record),
    ]);
    assert!(groups.iter().all(|group| group.or.is_empty()));
    assert_eq!(groups.len(), 3);
}

#[test]
fn what_came_in_meanwhile_is_wanted_no_more() {
    let all = vec![
        missed("a.b/c@v1.0.0", &[Part::Info, Part::Mod, Part::Zip], 1),
        missed("a.b/c@v1.1.0", &[Part::Mod], 1),
        missed("a.b/c@v1.2.0", &[Part::Info], 1),
        missed("a.b/c@v2.0.0", &[Part::Query], 1),
        missed("a.b/c@v1", &[Part::Query], 1),
        missed("a.b/c@main", &[Part::Query], 1),
        guessed("a.b/c@latest", 1),
        missed("a.b/c@v1.3.0", &[Part::Record], 1),
    ];
    let site = Site::new(all.clone(), Vec::new());
    assert_eq!(site.list(&Filter::default()).wants.len(), all.len());
    site.import(1, "a.b/c@v1.1.0", false, None);
    let listing = site.list(&Filter::default());
    assert_eq!((listing.here, listing.wants.len()), (1, 7));
    let only = |listed: &&Listed| listed.only_go_mods;
    let only: Vec<_> = listing
        .wants
        .iter()
        .filter(only)
        .map(Listed::entry)
        .collect();
    assert_eq!(only.len(), 1);
    assert_eq!(only[0].want.to_string(), "a.b/c@latest");
    assert!(
        only[0]
            .note
            .as_deref()
            .is_some_and(|note| note.contains("go.mod"))
    );
    site.import(2, "a.b/c@v1.0.0", true, Some(&["c.go"]));
    let listing = site.list(&Filter::default());
    assert_eq!(
        names(&listing),
        ["a.b/c@main", "a.b/c@v1.2.0", "a.b/c@v1.3.0", "a.b/c@v2.0.0"]
    );
    assert_eq!(listing.here, 4);
    assert_eq!(listing.left_out, 7);
    // A branch is answered once a bundle has brought what it stands for.
    let store = Store::open(&site.store(), "test", false).unwrap();
    let mut draft = store.draft(&[3; 32]).unwrap();
    let main = Query::new("a.b/c".parse().unwrap(), "main".parse().unwrap()).unwrap();
    let answer = b"asked 2026-11-21T09:00:00Z\n{\"Version\":\"v1.0.0\"}\n";
    draft.put(&Item::Query(main), answer).unwrap();
    let source = Source {
        stream: "test".into(),
        sequence: 3,
        ..Source::default()
    };
    draft.commit(source).unwrap();
    drop(store);
    assert_eq!(site.list(&Filter::default()).here, 5);
}

#[test]
fn a_zip_is_wanted_until_it_is_there_whatever_else_is() {
    let site = Site::new(
        vec![missed("a.b/d@v1.0.0", &[Part::Mod, Part::Zip], 1)],
        Vec::new(),
    );
    site.import(1, "a.b/d@v1.0.0", true, None);
    let listing = site.list(&Filter::default());
    assert_eq!(names(&listing), ["a.b/d@v1.0.0"]);
    assert_eq!(listing.here, 0);
    site.import(2, "a.b/d@v1.0.0", true, Some(&["d.go"]));
    let listing = site.list(&Filter::default());
    assert_eq!((listing.here, listing.wants.len()), (1, 0));
}

#[test]
fn what_was_asked_for_by_the_way_is_no_want() {
    let site = Site::new(
        vec![
            guessed("a.b@latest", 3),
            guessed("a.b/c/d@latest", 1),
            guessed("a.b/c/none@latest", 1),
            guessed("a.b/c/testonly@latest", 1),
            missed("a.b/c/d@v1.0.0", &[Part::Info], 1),
            missed("a.b/c/d@v1.5.0", &[Part::Info], 1),
            missed("a.b/c/d@v1.6.0", &[Part::Mod], 1),
            missed("a.b@v1.0.0", &[Part::Info], 1),
            missed("a.b@v1.7.0", &[Part::Info], 1),
            missed("a.b/c@v1.8.0", &[Part::Info], 1),
            guessed("x.y@latest", 1),
            missed("x.y@v1.0.0", &[Part::Info], 1),
        ],
        Vec::new(),
    );
    site.import(
        1,
        "a.b/c@v1.0.0",
        true,
        Some(&["c.go", "d/d.go", "testonly/x_test.go"]),
    );
    site.import(2, "x.y/z@v1.0.0", false, None);
    let listing = site.list(&Filter::default());
    assert_eq!(listing.guesses, 4);
    assert_eq!(
        names(&listing),
        [
            "a.b@v1.7.0",
            "a.b/c@v1.8.0",
            // The module is here, but not with that package or in that version: a newer one may have it.
            "a.b/c/d@v1.5.0 a.b/c",
            "a.b/c/d@v1.6.0",
            "a.b/c/none@latest a.b/c a.b",
            "a.b/c/testonly@latest a.b/c a.b",
        ]
    );
    let all = site.list(&Filter {
        guesses: true,
        ..Filter::default()
    });
    assert_eq!((all.wants.len(), all.guesses), (10, 0));
}

#[test]
fn filters_leave_out_and_say_so() {
    let site = Site::new(
        vec![
            guessed("a.b/c@latest", 1),
            guessed("a.b/d@latest", 9),
            guessed("x.y/z@latest", 5),
        ],
        vec![guessed("corp.example/p@latest", 2)],
    );
    let with = |change: fn(&mut Filter)| {
        let mut filter = Filter::default();
        change(&mut filter);
        let listing = site.list(&filter);
        (names(&listing), listing.filtered, listing.others)
    };
    let name = |n: &str| format!("{n}@latest");
    assert_eq!(with(|_| {}).2, 1);
    assert_eq!(
        with(|f| f.patterns = "a.*/d,x.y".into()),
        (vec![name("a.b/d"), name("x.y/z")], 1, 0)
    );
    assert_eq!(with(|f| f.since = T + 5).0, [name("a.b/d"), name("x.y/z")]);
    assert_eq!(with(|f| f.since = T + 6).0, [name("a.b/d")]);
    assert_eq!(with(|f| f.at_least = 5).1, 1);
    assert_eq!(
        with(|f| f.private = true),
        (vec![name("corp.example/p")], 0, 3)
    );
    // As many as the other listing has, with the same filter.
    assert_eq!(with(|f| f.since = T + 2).2, 1);
    assert_eq!(with(|f| f.since = T + 3).2, 0);
    let both = |f: &mut Filter| (f.private, f.at_least) = (true, 5);
    assert_eq!((with(both).0.len(), with(both).2), (0, 2));
    for pattern in ["github.com/[", "a.b,", "a.b,c\\"] {
        let filter = Filter {
            patterns: pattern.into(),
            ..Filter::default()
        };
        let refused = list(&site.folder(), &site.store(), None, &filter).unwrap_err();
        assert_eq!(refused.exit(), Exit::Usage, "{pattern}");
        assert!(refused.to_string().contains("is no pattern"), "{refused}");
    }
}

#[test]
fn what_is_more_than_one_version_is_told_by_its_number_only() {
    let wants = ["a.b/c@all", "a.b/c@main", "a.b/c@newest 3"];
    let query = |want: &&str| missed(want, &[Part::Query], 1);
    let site = Site::new(wants.iter().map(query).collect(), vec![]);
    let listing = site.list(&Filter::default());
    assert_eq!(names(&listing), ["a.b/c@main"]);
    assert_eq!((listing.not_of_one, listing.others), (2, 0));
}

#[test]
fn what_the_store_knows_as_private_is_private_whatever_the_server_says() {
    let certain = |want: &str| missed(want, &[Part::Mod], 1);
    let site = Site::new(
        vec![
            certain("git.corp.example/x@v1.0.0"),
            certain("came.example/so@v1.9.0"),
            missed("came.example/so@v1.0.0", &[Part::Record], 1),
            certain("a.b/c@v1.0.0"),
            // What the go command asks for on its way to these.
            guessed("git.corp.example/team@latest", 1),
            guessed("came.example@latest", 1),
            guessed("came.example/so/package@latest", 1),
            guessed("deep.example@latest", 1),
            guessed("deep.example/ours@latest", 1),
            // A public one, which may be in a module that is here and stands above a private one.
            guessed("deep.example/package@latest", 1),
        ],
        vec![certain("github.com/ours/y@v1.0.0")],
    );
    fs::create_dir(site.store().join("trust")).unwrap();
    let rule = "site+00000000 *.corp.example\nsite+00000000 deep.example/ours/*\n";
    fs::write(site.store().join("trust/private"), rule).unwrap();
    let store = Store::open_or_create(&site.store(), "test", false).unwrap();
    let mut draft = store.draft(&[1; 32]).unwrap();
    let pinned: ModuleVersion = "came.example/so@v1.0.0".parse().unwrap();
    let pin = Pin {
        zip: H1::of_go_mod(b"zip"),
        go_mod: H1::of_go_mod(b"mod"),
    };
    let pin = pin.encode(&pinned);
    draft.put(&Item::Pin(pinned), &pin).unwrap();
    let source = Source {
        stream: "test".into(),
        sequence: 1,
        ..Source::default()
    };
    draft.commit(source).unwrap();
    drop(store);
    site.import(2, "deep.example@v1.0.0", true, Some(&["x.go"]));
    let public = site.list(&Filter::default());
    assert_eq!(
        names(&public),
        ["a.b/c@v1.0.0", "deep.example/package@latest"]
    );
    let private = site.list(&Filter {
        private: true,
        ..Filter::default()
    });
    assert_eq!(
        names(&private),
        [
            "came.example/so@v1.9.0",
            "came.example/so/package@latest came.example",
            "deep.example/ours@latest deep.example",
            "git.corp.example/team@latest",
            "git.corp.example/x@v1.0.0",
            "github.com/ours/y@v1.0.0"
        ]
    );
    // Whoever carries it to the other side says so of each.
    assert!(private.wants.iter().all(|listed| listed.entry().private));
    assert!(!public.wants.iter().any(|listed| listed.entry().private));
    // No checksum database will ever have a record of it.
    assert_eq!(private.here, 2);
    // Each says how many the other has, and not how many requests that were.
    assert_eq!((public.others, private.others), (6, 2));
    fs::write(site.store().join("trust/private"), "nonsense\n").unwrap();
    let refused = list(&site.folder(), &site.store(), None, &Filter::default()).unwrap_err();
    assert!(matches!(refused, MissedError::Trust(_)), "{refused}");
}

#[test]
fn what_was_told_comes_back_when_somebody_asks_again() {
    let (one, two) = (guessed("a.b/c@latest", 1), guessed("a.b/d@latest", 2));
    let site = Site::new(
        vec![one.clone(), two.clone()],
        vec![guessed("p.q/r@latest", 1)],
    );
    let mut listing = site.list(&Filter::default());
    let mut told = std::mem::take(&mut listing.told);
    told.add(&one);
    told.write(&site.store()).unwrap();
    let listing = site.list(&Filter::default());
    assert_eq!(
        (names(&listing), listing.told_before),
        (vec!["a.b/d@latest".to_owned()], 1)
    );
    let again = Filter {
        again: true,
        ..Filter::default()
    };
    assert_eq!(site.list(&again).wants.len(), 2);
    // Telling of private names keeps what was told of public ones.
    let private = Filter {
        private: true,
        ..Filter::default()
    };
    let mut listing = site.list(&private);
    listing.told.add(&listing.wants[0].missed);
    listing.told.write(&site.store()).unwrap();
    assert_eq!(site.list(&private).told_before, 1);
    assert_eq!(site.list(&Filter::default()).told_before, 1);

    site.server_keeps(PUBLIC, vec![guessed("a.b/c@latest", 2), two.clone()]);
    assert_eq!(site.list(&Filter::default()).wants.len(), 2);
    // What the server keeps no longer is not remembered either.
    site.server_keeps(PUBLIC, vec![two]);
    site.list(&Filter::default())
        .told
        .write(&site.store())
        .unwrap();
    let remembered = fs::read_to_string(site.store().join("wants-told.json")).unwrap();
    assert!(!remembered.contains("a.b/c"), "{remembered}");
}

#[test]
fn files_that_are_wrong_are_told() {
    let site = Site::new(vec![guessed("a.b/c@latest", 1)], Vec::new());
    let error = |folder: &Path| {
        let error = list(folder, &site.store(), None, &Filter::default()).unwrap_err();
        (
            error.exit(),
            error.to_string(),
            error.advice().unwrap_or_default(),
        )
    };
    let (exit, text, advice) = error(&site.0.path().join("none"));
    assert_eq!(exit, Exit::Usage);
    assert!(text.contains("keeps no wants in") && advice.contains("--from DIR"));
    fs::write(site.folder().join(PRIVATE), "{\"format\":1}").unwrap();
    let (exit, text, _) = error(&site.folder());
    assert_eq!(exit, Exit::Damaged);
    assert!(
        text.contains("private.json is damaged: missing field"),
        "{text}"
    );
    fs::write(site.folder().join(PRIVATE), "{\"format\":2,\"new\":1}").unwrap();
    assert!(
        error(&site.folder())
            .1
            .contains("is of format 2, and this version reads 1")
    );
    // A name that is none, although it stands there.
    let text = "{\"format\":1,\"written\":1,\"left_out\":0,\"wants\":[{\"want\":\"x\\u001b@v1\",\"parts\":[],\"asked\":1,\"first\":1,\"last\":1}]}";
    fs::write(site.folder().join(PRIVATE), text).unwrap();
    assert_eq!(error(&site.folder()).0, Exit::Damaged);
    fs::remove_file(site.folder().join(PRIVATE)).unwrap();
    fs::write(site.store().join("wants-told.json"), "{}").unwrap();
    assert!(
        error(&site.folder())
            .1
            .contains("wants-told.json is damaged")
    );
    // Nothing missed at all is no error.
    fs::remove_file(site.store().join("wants-told.json")).unwrap();
    fs::remove_file(site.folder().join(PUBLIC)).unwrap();
    let listing = site.list(&Filter::default());
    assert!(listing.wants.is_empty() && listing.written.is_none());
}

#[test]
fn a_kept_file_is_read_up_to_its_limit() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("w.json");
    let file = fs::File::create(&path).unwrap();
    file.set_len(kept::MAX_KEPT).unwrap();
    let what = |path: &Path| Kept::read(path).unwrap_err().to_string();
    assert!(!what(&path).contains("more than"));
    file.set_len(kept::MAX_KEPT + 1).unwrap();
    assert!(what(&path).contains("more than 67108864 bytes"));
}

#[test]
fn a_file_has_what_there_is_room_for_those_asked_for_most() {
    let key = SigningKey::from_seed("north", &[1; 32]).unwrap();
    let path = Path::new("w.yaml");
    let listed = |n: usize, length: usize| Listed {
        missed: guessed(
            &format!("a.b/{n:06}{}@latest", "x".repeat(length)),
            n as u64,
        ),
        or: Vec::new(),
        private: n == 2,
        only_go_mods: false,
    };
    let few = (0..3).map(|n| listed(n, 0)).collect();
    let written = file(path, few, None, Some(Follow::Build), &key).unwrap();
    let opened = open(path, &written.note, &[key.verifier()]).unwrap();
    assert!(matches!(opened.signer, Signer::Known(_)));
    assert_eq!(opened.wants.site.as_deref(), Some("north"));
    let first = &opened.wants.wants[0];
    assert_eq!((first.asked, first.follow), (Some(0), Some(Follow::Build)));
    let marked: Vec<bool> = opened.wants.wants.iter().map(|it| it.private).collect();
    assert_eq!(marked, [false, false, true]);
    assert_eq!(first.last.unwrap().to_string(), "2026-11-18T11:06:40Z");

    for (length, most) in [(0, MAX_WANTS), (800, MAX_ENTRIES / 900)] {
        let many = (0..MAX_WANTS + 5).map(|n| listed(n, length)).collect();
        let written = file(path, many, Some("a b"), None, &key).unwrap();
        assert!(written.note.len() <= MAX_WANTS_FILE);
        let count = written.wants.len();
        assert!(count <= most && count > most * 9 / 10, "{count}");
        assert_eq!(written.without_room, MAX_WANTS + 5 - count);
        assert!(written.wants.iter().all(|listed| listed.missed.asked > 4));
        let opened = open(path, &written.note, &[]).unwrap();
        assert_eq!(opened.wants.wants.len(), count);
    }
    let none = file(path, Vec::new(), None, None, &key).unwrap();
    assert_eq!(open(path, &none.note, &[]).unwrap().wants.wants, []);
}
