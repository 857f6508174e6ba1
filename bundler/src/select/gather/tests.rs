#![allow(clippy::unwrap_used)]
use std::path::PathBuf;

use modferry_cli::in_one_line;

use super::*;
use crate::select::packages::load::{Subject, Task};
use crate::select::packages::zip_packages::MAX_HEADER;

fn ask(what: What, follow: Option<Follow>) -> Ask {
    let options = Options {
        follow,
        ..Options::default()
    };
    Ask {
        options,
        ..Ask::from(what)
    }
}

fn module(text: &str) -> Ask {
    ask(What::Module(text.parse().unwrap()), None)
}

fn of(input: Input, path: &Path, follow: Option<Follow>) -> Result<Asked, Error> {
    gather(
        vec![ask(What::Input(input, path.to_owned()), follow)],
        None,
        &Tags::Any,
    )
}

fn file(name: &str, text: &str) -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(name);
    std::fs::write(&path, text).unwrap();
    (dir, path)
}

/// What is sought: its name, how far it is followed.
fn sought(asked: &Asked) -> Vec<(String, Follow)> {
    let one = |sought: &Sought| (sought.name.clone(), sought.follow);
    asked.sought.iter().map(one).collect()
}

/// What is wanted exactly.
fn exactly(want: &Want) -> Vec<String> {
    let Want::Exactly { modules, .. } = want else {
        panic!("{want:?}");
    };
    assert!(modules.values().all(|level| *level == Level::Whole));
    modules.keys().map(ToString::to_string).collect()
}

#[test]
fn arguments_are_sought_and_followed() {
    let asked = gather(
        vec![module("a.b/c/v2@v2.0.1"), module("a.b/c@latest")],
        None,
        &Tags::Any,
    )
    .unwrap();
    assert_eq!(
        sought(&asked),
        [
            ("a.b/c/v2@v2.0.1".to_owned(), Follow::All),
            ("a.b/c@latest".to_owned(), Follow::All)
        ]
    );
}

#[test]
fn how_one_is_meant_is_kept() {
    let options = Options {
        follow: Some(Follow::None),
        pre_releases: Some(true),
        retracted: Some(true),
    };
    let one = Ask {
        options,
        ..module("a.b/c@^1")
    };
    let asked = gather(vec![one, module("a.b/d@^1")], None, &Tags::Any).unwrap();
    let [one, other] = &asked.sought[..] else {
        panic!("{asked:?}");
    };
    assert!(one.pre_releases && one.retracted && one.follow == Follow::None);
    assert!(!other.pre_releases && !other.retracted && other.follow == Follow::All);
}

#[test]
fn a_list_names_modules_by_its_lines() {
    let (_dir, path) = file("list.txt", "a.b/d@v1.0.0\n# x\na.b/c@latest\n");
    let asked = of(Input::List, &path, Some(Follow::None)).unwrap();
    let line =
        |line: usize, name: &str| (format!("{}:{line}: {name}", path.display()), Follow::None);
    assert_eq!(
        sought(&asked),
        [line(1, "a.b/d@v1.0.0"), line(3, "a.b/c@latest")]
    );

    std::fs::write(&path, "shop@\na.b/d@v1.0.0\nlib@\n").unwrap();
    let asked = of(Input::List, &path, None).unwrap();
    assert_eq!(asked.sought.len(), 1);
    let told = ": 2 lines with no version behind the @ passed over";
    assert!(asked.notes[0].contains(told), "{:?}", asked.notes);
    std::fs::write(&path, "a.b/d@v1.0.0\n a.b/c\n").unwrap();
    let error = of(Input::List, &path, None).unwrap_err().to_string();
    let told = format!("{}:2:2: a.b/c: no version", path.display());
    assert!(error.starts_with(&told), "{error}");
    std::fs::write(&path, "# a.b/d@v1.0.0\n").unwrap();
    let error = of(Input::List, &path, None).unwrap_err().to_string();
    assert!(error.ends_with("names no module"), "{error}");
}

#[test]
fn wants_say_themselves_how_far_to_go_and_what_else_may_be_meant() {
    let text = "modferry-wants: 1\nwants:\n  - want: a.b/c/d@latest\n    or: [a.b/c]\n    follow: all\n  - want: a.b/e@v1.0.0\n    private: true\n";
    let (_dir, path) = file("wants.yaml", text);
    let asked = of(Input::Wants, &path, Some(Follow::None)).unwrap();
    let line = |line: usize, name: &str| format!("{}:{line}: {name}", path.display());
    assert_eq!(
        sought(&asked),
        [
            (line(3, "a.b/c/d@latest"), Follow::All),
            (line(6, "a.b/e@v1.0.0"), Follow::None)
        ]
    );
    assert_eq!(asked.sought[0].or[0].as_str(), "a.b/c");
    assert!(!asked.sought[0].private && asked.sought[1].private);
    assert!(
        asked.notes[0].contains("typed by hand"),
        "{:?}",
        asked.notes
    );

    std::fs::write(&path, text.replace("latest", "newest 0")).unwrap();
    let error = of(Input::Wants, &path, None).unwrap_err().to_string();
    assert!(
        error.contains("wants.yaml:3:11: ") && error.contains("newest 0"),
        "{error}"
    );
}

#[test]
fn levels_that_need_packages_are_loaded() {
    let (dir, path) = file("go.mod", "module m\ngo 1.21\nrequire a.b/c v1.0.0\n");
    for follow in [Follow::Build, Follow::Test] {
        // Without its files there are no packages to load, and that is told.
        let _ = std::fs::remove_file(dir.path().join("a.go"));
        let asked = of(Input::GoMod, &path, Some(follow)).unwrap();
        assert!(matches!(
            &asked.wants[..],
            [Want::Build { .. }, Want::Optional(_)]
        ));
        let told = format!(
            "no Go files are beside it, so that what its packages need is not known: follow: {} is taken as all",
            follow.name()
        );
        assert!(asked.notes[0].contains(&told), "{:?}", asked.notes);
        std::fs::write(dir.path().join("a.go"), "package m\n").unwrap();
        let asked = of(Input::GoMod, &path, Some(follow)).unwrap();
        assert!(matches!(&asked.wants[..], [Want::Load { .. }]));
    }
    let asked = of(Input::GoMod, &path, Some(Follow::All)).unwrap();
    assert!(matches!(
        &asked.wants[..],
        [Want::Build { .. }, Want::Optional(_)]
    ));
    let work = path.with_extension("work");
    std::fs::write(&work, "go 1.21\nuse .\n").unwrap();
    let of_work = |follow| of(Input::GoWork, &work, Some(follow)).unwrap();
    assert!(matches!(
        &of_work(Follow::Build).wants[..],
        [Want::Load { .. }]
    ));
    std::fs::remove_file(dir.path().join("a.go")).unwrap();
    let asked = of_work(Follow::Build);
    assert!(asked.notes[0].contains("follow: build is taken as all"));
    assert!(matches!(&asked.wants[..], [Want::Build { .. }]));
    assert!(of_work(Follow::All).notes.is_empty());
}

#[test]
fn files_that_cannot_be_read_stop_only_what_is_made_of_them() {
    let (dir, path) = file("go.mod", "module m\ngo 1.21\nrequire a.b/c v1.0.0\n");
    let folder = dir.path().join("data");
    std::fs::create_dir(&folder).unwrap();
    let header = |bytes| format!("//{}\npackage p\n", "x".repeat(bytes));
    std::fs::write(folder.join("p.go"), header(MAX_HEADER)).unwrap();
    for follow in [Follow::Build, Follow::Test] {
        let error = of(Input::GoMod, &path, Some(follow)).unwrap_err();
        assert!(in_one_line(&error).contains("data/p.go"), "{error:?}");
    }
    for follow in [None, Some(Follow::All)] {
        let asked = of(Input::GoMod, &path, follow).unwrap();
        assert!(
            matches!(&asked.wants[..], [Want::Build { .. }, Want::Optional(_)]),
            "{follow:?}"
        );
        let told =
            |note: &String| note.contains("data/p.go") && note.contains("whatever they may import");
        assert!(asked.notes.iter().any(told), "{:?}", asked.notes);
    }
    // It is the header that is too long, nothing else.
    std::fs::write(folder.join("p.go"), header(1 << 10)).unwrap();
    let asked = of(Input::GoMod, &path, None).unwrap();
    assert!(matches!(
        &asked.wants[..],
        [Want::Build { .. }, Want::Optional(_)]
    ));
}

const SUM: &str = "a.b/c v1.0.0/go.mod h1:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n";

#[test]
fn a_go_sum_beside_it_counts_instead_of_the_go_mod() {
    let go_mod = "module m\ngo 1.21\nrequire a.b/c v1.0.0\nreplace a.b/c => a.b/d v1.1.0\n";
    let (dir, path) = file("go.mod", go_mod);
    let of = |follow| of(Input::GoMod, &path, follow).unwrap();
    let asked = of(None);
    let [Want::Build { named: None, .. }, Want::Optional(completed)] = &asked.wants[..] else {
        panic!("{:?}", asked.wants);
    };
    let Want::Load { loading, .. } = &**completed else {
        panic!("{completed:?}");
    };
    assert_eq!(
        (loading.task, &loading.subject),
        (Task::Tidy, &Subject::Required)
    );
    assert!(
        asked.notes[0].contains("whatever they may import"),
        "{:?}",
        asked.notes
    );
    assert_eq!(asked.lines[0].go.as_deref(), Some("1.21"));
    std::fs::write(dir.path().join("go.sum"), SUM).unwrap();
    let asked = of(None);
    let [Want::Sums { sums, .. }, Want::Optional(graph)] = &asked.wants[..] else {
        panic!("{:?}", asked.wants);
    };
    assert_eq!(sums.len(), 1);
    assert!(matches!(&**graph, Want::Around { modules, .. } if modules.is_empty()));
    // Unless it is said how far to go.
    let asked = of(Some(Follow::All));
    assert!(matches!(
        &asked.wants[..],
        [
            Want::Sums { .. },
            Want::Build { named: None, .. },
            Want::Optional(_)
        ]
    ));
    // Then its hashes count all the same.
    let asked = of(Some(Follow::None));
    assert!(matches!(&asked.wants[0], Want::Pins { sums, .. } if sums.len() == 1));
    assert_eq!(exactly(&asked.wants[1]), ["a.b/d@v1.1.0"]);
    let asked = of(Some(Follow::Build));
    assert!(matches!(
        &asked.wants[..],
        [Want::Pins { .. }, Want::Build { .. }, Want::Optional(_)]
    ));
}

#[test]
fn what_was_emptied_does_not_count_as_nothing_needed() {
    let (dir, path) = file("go.mod", "module m\ngo 1.21\nrequire a.b/c v1.0.0\n");
    // A go.sum that says nothing is none.
    std::fs::write(dir.path().join("go.sum"), "").unwrap();
    let asked = of(Input::GoMod, &path, None).unwrap();
    assert!(matches!(asked.wants[0], Want::Build { .. }));
    let work = path.with_extension("work");
    for (file, told) in [
        (&path, "missing module declaration"),
        (&work, "uses no module"),
    ] {
        std::fs::write(file, "").unwrap();
        let input = if *file == path {
            Input::GoMod
        } else {
            Input::GoWork
        };
        let error = of(input, file, None).unwrap_err();
        assert!(in_one_line(&error).contains(told), "{error:?}");
    }
}

#[test]
fn what_a_go_mod_says_about_itself_counts_where_its_files_are() {
    let wishes = "module m\ngo 1.21\nrequire a.b/c v1.0.0\n";
    let tidied = format!("{wishes}require a.b/d v1.0.0 // indirect\n");
    let (dir, path) = file("go.mod", &tidied);
    let asked = of(Input::GoMod, &path, None).unwrap();
    assert!(matches!(
        &asked.wants[..],
        [Want::Build { .. }, Want::Optional(_)]
    ));
    assert!(asked.notes[0].contains("no Go files"), "{:?}", asked.notes);
    // With files, that it was not tidied is told.
    std::fs::write(dir.path().join("a.go"), "package m\n").unwrap();
    let asked = of(Input::GoMod, &path, None).unwrap();
    assert!(asked.notes.is_empty(), "{:?}", asked.notes);
    assert!(matches!(
        &asked.wants[..],
        [Want::Build { .. }, Want::Optional(_)]
    ));
    std::fs::write(&path, wishes).unwrap();
    let asked = of(Input::GoMod, &path, None).unwrap();
    assert!(
        asked.notes[0].contains("list of wishes"),
        "{:?}",
        asked.notes
    );
}

#[test]
fn a_go_sum_is_enough_by_itself() {
    let (_dir, path) = file("any.sum", SUM);
    let asked = of(Input::GoSum, &path, None).unwrap();
    assert!(matches!(&asked.wants[..], [Want::Sums { file, .. }] if *file == path));
    std::fs::write(&path, "").unwrap();
    let error = of(Input::GoSum, &path, None).unwrap_err().to_string();
    assert!(error.ends_with("names no module"), "{error}");
    std::fs::write(&path, "a.b/c v1.0.0\n").unwrap();
    let error = of(Input::GoSum, &path, None).unwrap_err();
    let source = std::error::Error::source(&error).unwrap().to_string();
    assert!(source.starts_with("line 1"), "{source}");
    let error = of(Input::GoSum, Path::new("no/such/go.sum"), None).unwrap_err();
    assert_eq!(error.to_string(), "cannot read no/such/go.sum");
}

#[test]
fn a_faulty_file_is_told_by_name_and_line() {
    let (_dir, path) = file("go.mod", "module m\nrequire a.b/c master\n");
    let error = of(Input::GoMod, &path, None).unwrap_err();
    let source = std::error::Error::source(&error).unwrap().to_string();
    assert!(
        error.to_string().ends_with("go.mod") && source.starts_with("line 2"),
        "{error}: {source}"
    );
}

const BILL: &str = "{\"bomFormat\": \"CycloneDX\", \"specVersion\": \"1.5\", \"components\": [\
    {\"type\": \"library\", \"purl\": \"pkg:golang/a.b/c@v1.0.0\"}, {\"type\": \"library\", \"purl\": \"pkg:npm/x@1.0.0\"}]}";

#[test]
fn what_something_was_built_from_is_wanted_with_its_module_graph() {
    let (_dir, path) = file("bill.json", BILL);
    let of = |follow| of(Input::Sbom, &path, follow).unwrap();
    let asked = of(None);
    assert_eq!(exactly(&asked.wants[0]), ["a.b/c@v1.0.0"]);
    assert!(matches!(&asked.wants[1], Want::Around { modules, .. } if modules.len() == 1));
    let told = format!("{}: ", path.display());
    assert!(asked.notes.iter().all(|note| note.starts_with(&told)) && !asked.notes.is_empty());
    let asked = of(Some(Follow::None));
    assert_eq!((exactly(&asked.wants[0]).len(), asked.wants.len()), (1, 1));
    let asked = of(Some(Follow::All));
    assert!(asked.wants.is_empty());
    let name = format!("{}: a.b/c@v1.0.0", path.display());
    assert_eq!(sought(&asked), [(name, Follow::All)]);
}

#[test]
fn a_workspace_counts_what_stands_beside_it() {
    let (dir, path) = file("go.work", "go 1.24\ntoolchain go1.25.0\nuse ./app\n");
    let write = |name: &str, text: &str| {
        let path = dir.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    write(
        "app/go.mod",
        "module a.b/app\ngo 1.23\nrequire a.b/c v1.0.0\n",
    );
    let of = |follow| of(Input::GoWork, &path, follow).unwrap();
    assert!(matches!(
        &of(None).wants[..],
        [Want::Build { named: None, .. }]
    ));
    write("app/go.sum", SUM);
    write("go.work.sum", SUM);
    let asked = of(None);
    let [
        Want::Sums { file: one, .. },
        Want::Sums { file: other, .. },
        Want::Build { .. },
    ] = &asked.wants[..]
    else {
        panic!("{:?}", asked.wants);
    };
    assert!(one.ends_with("go.work.sum") && other.ends_with("app/go.sum"));
    assert_eq!(asked.lines[0].toolchain.as_deref(), Some("go1.25.0"));
    assert_eq!(asked.lines[1].go.as_deref(), Some("1.23"));
    // At every other level the go.sum files ask for nothing, and what is carried is held against them.
    let asked = of(Some(Follow::None));
    let [Want::Pins { .. }, Want::Pins { .. }, exact] = &asked.wants[..] else {
        panic!("{:?}", asked.wants);
    };
    assert_eq!(exactly(exact), ["a.b/c@v1.0.0"]);
    let asked = of(Some(Follow::Build));
    assert!(asked.notes[0].contains("its modules have no Go files"));
    assert!(matches!(asked.wants[2], Want::Build { .. }));
    write("app/app.go", "package app\n");
    let asked = of(Some(Follow::Test));
    assert!(asked.notes.is_empty(), "{:?}", asked.notes);
    assert!(matches!(&asked.wants[2], Want::Load { loading, .. } if loading.task == Task::Test));
}
