#![allow(clippy::unwrap_used)]
use super::*;

fn versions(text: &str) -> Vec<Version> {
    let words = text.split_whitespace();
    let mut versions: Vec<Version> = words.map(|word| word.parse().unwrap()).collect();
    versions.sort();
    versions
}

/// What `query` chooses; `*` behind a version is the one that is selected, `!` forbids it.
struct Case<'a> {
    path: &'a str,
    list: &'a str,
    current: Option<&'a str>,
    forbidden: &'a str,
    is_module: bool,
    pre_releases: bool,
}

const PLAIN: Case<'static> = Case {
    path: "example.com/a",
    list: "v0.9.0 v1.0.0 v1.1.0 v1.1.3 v1.2.0-rc.1 v1.2.0 v1.10.0 v1.11.0-beta",
    current: None,
    forbidden: "",
    is_module: true,
    pre_releases: false,
};

const OLD: Case<'static> = Case {
    list: "v1.0.0 v1.1.0-rc.1 v2.0.0+incompatible v3.0.0+incompatible",
    ..PLAIN
};

impl Case<'_> {
    fn chooses(&self, query: &str) -> String {
        let query = Query::parse(query).unwrap();
        let path = self.path.parse().unwrap();
        let current = self.current.map(|current| current.parse().unwrap());
        let terms = Terms {
            path: &path,
            current: current.as_ref(),
        };
        let forbidden = versions(self.forbidden);
        let admitted = query.admitted(&versions(self.list), &terms, |version| {
            !forbidden.contains(version)
        });
        let chosen = query.choose(admitted, self.is_module, self.pre_releases);
        let chosen: Vec<&str> = chosen.iter().map(Version::as_str).collect();
        chosen.join(" ")
    }
}

#[test]
fn releases_count_before_pre_releases() {
    for (query, want) in [
        ("latest", "v1.10.0"),
        ("upgrade", "v1.10.0"),
        ("v1", "v1.10.0"),
        ("v1.1", "v1.1.3"),
        ("v1.11", ""),
        (">v1.1.3", "v1.2.0"),
        (">=v1.11.0-alpha", "v1.11.0-beta"),
        ("<v1.1", "v1.0.0"),
        ("<=v1.1.0", "v1.1.0"),
        (">=v1.2", "v1.2.0"),
        ("<v0.9.0", ""),
        ("^1.1", "v1.10.0"),
        ("~1.1", "v1.1.3"),
        ("all", "v0.9.0 v1.0.0 v1.1.0 v1.1.3 v1.2.0 v1.10.0"),
        ("all ~1.1", "v1.1.0 v1.1.3"),
        ("newest 2", "v1.2.0 v1.10.0"),
        ("newest 2 <1.2", "v1.1.0 v1.1.3"),
        ("newest 100 ~1.1", "v1.1.0 v1.1.3"),
    ] {
        assert_eq!(PLAIN.chooses(query), want, "{query}");
    }
}

#[test]
fn pre_releases_count_where_they_are_asked_for_or_alone() {
    let all = Case {
        pre_releases: true,
        ..PLAIN
    };
    assert_eq!(all.chooses("latest"), "v1.11.0-beta");
    assert_eq!(all.chooses("newest 2"), "v1.10.0 v1.11.0-beta");
    assert_eq!(all.chooses("~1.2"), "v1.2.0");
    let alone = Case {
        list: "v0.1.0-a v0.1.0-b",
        ..PLAIN
    };
    assert_eq!(alone.chooses("latest"), "v0.1.0-b");
    assert_eq!(alone.chooses("all"), "v0.1.0-a v0.1.0-b");
}

#[test]
fn what_is_forbidden_counts_for_nothing() {
    let case = Case {
        forbidden: "v1.10.0 v1.1.3",
        ..PLAIN
    };
    assert_eq!(case.chooses("latest"), "v1.2.0");
    assert_eq!(case.chooses("newest 2"), "v1.1.0 v1.2.0");
    assert_eq!(case.chooses("v1.1"), "v1.1.0");
}

#[test]
fn relative_to_what_is_selected() {
    let at = |current| Case {
        current: Some(current),
        ..PLAIN
    };
    assert_eq!(at("v1.1.0").chooses("patch"), "v1.1.3");
    assert_eq!(at("v1.1.3").chooses("patch"), "v1.1.3");
    assert_eq!(at("v1.10.4").chooses("patch"), "");
    assert_eq!(at("v1.1.0").chooses("upgrade"), "v1.10.0");
    assert_eq!(at("v1.11.0-alpha").chooses("upgrade"), "v1.11.0-beta");
    assert_eq!(at("v1.12.0").chooses("upgrade"), "");
    assert_eq!(PLAIN.chooses("patch"), "");
}

#[test]
fn incompatible_versions_count_where_no_module_is_before_them() {
    let legacy = Case {
        is_module: false,
        ..OLD
    };
    for (query, of_module, of_legacy) in [
        ("latest", "v1.0.0", "v3.0.0+incompatible"),
        (
            "all",
            "v1.0.0",
            "v1.0.0 v2.0.0+incompatible v3.0.0+incompatible",
        ),
        (
            "newest 2",
            "v1.0.0",
            "v2.0.0+incompatible v3.0.0+incompatible",
        ),
        ("v2", "v2.0.0+incompatible", "v2.0.0+incompatible"),
        ("^2", "v2.0.0+incompatible", "v2.0.0+incompatible"),
        ("<v3", "v2.0.0+incompatible", "v2.0.0+incompatible"),
        (">=v1", "v1.0.0", "v1.0.0"),
        (">v1.0.0", "v1.1.0-rc.1", "v2.0.0+incompatible"),
    ] {
        assert_eq!(OLD.chooses(query), of_module, "{query} of a module");
        assert_eq!(legacy.chooses(query), of_legacy, "{query} of none");
    }
    let current = Case {
        current: Some("v2.0.0+incompatible"),
        ..OLD
    };
    assert_eq!(current.chooses("upgrade"), "v3.0.0+incompatible");
}

#[test]
fn only_where_it_matters_is_the_go_mod_read() {
    let path = "example.com/a".parse().unwrap();
    let terms = Terms {
        path: &path,
        current: None,
    };
    let hinge = |query: &str, list: &str| {
        let query = Query::parse(query).unwrap();
        let admitted = query.admitted(&versions(list), &terms, |_| true);
        admitted.hinge().map(ToString::to_string)
    };
    assert_eq!(hinge("latest", OLD.list).as_deref(), Some("v1.1.0-rc.1"));
    assert_eq!(hinge("latest", PLAIN.list), None);
    assert_eq!(hinge("latest", "v2.0.0+incompatible"), None);
    assert_eq!(hinge("v2", OLD.list), None);
    let mut admitted = Query::latest().admitted(&versions(OLD.list), &terms, |_| true);
    admitted.retain(|version| version.as_str() != "v1.1.0-rc.1");
    assert_eq!(admitted.hinge().unwrap().as_str(), "v1.0.0");
    admitted.retain(|version| version.is_incompatible());
    assert_eq!(admitted.hinge(), None);
}

#[test]
fn a_commit_counts_where_nothing_else_does_and_never_goes_back() {
    let path = "example.com/a".parse().unwrap();
    let current: Version = "v1.2.4-0.20240203040506-abcdefabcdef".parse().unwrap();
    let release: Version = "v1.2.3".parse().unwrap();
    let terms = |current| Terms {
        path: &path,
        current,
    };
    let query = |text: &str| Query::parse(text).unwrap();
    for (text, alone, at_commit, at_release) in [
        ("latest", true, true, true),
        ("all", true, true, true),
        ("upgrade", true, true, false),
        ("patch", false, true, false),
        ("v1", false, false, false),
        ("^1", false, false, false),
        (">=v0.0.0", false, false, false),
    ] {
        let query = query(text);
        assert_eq!(query.may_use_commit(&terms(None)), alone, "{text}");
        assert_eq!(
            query.may_use_commit(&terms(Some(&current))),
            at_commit,
            "{text}"
        );
        assert_eq!(
            query.may_use_commit(&terms(Some(&release))),
            at_release,
            "{text}"
        );
    }
    let time = |text: &str| text.parse().unwrap();
    let terms = terms(Some(&current));
    assert!(query("upgrade").stays(&terms, time("2024-02-03T04:05:05Z")));
    assert!(!query("upgrade").stays(&terms, time("2024-02-03T04:05:06Z")));
    assert!(!query("latest").stays(&terms, time("2020-01-01T00:00:00Z")));
}

#[test]
fn retractions_are_ranges_with_both_ends() {
    let file =
        GoMod::parse_lax(b"module example.com/a\nretract v1.0.0\nretract [v1.1.0, v1.1.9]\n")
            .unwrap();
    let retractions = Retractions::of(&file);
    for (version, covered) in [
        ("v1.0.0", true),
        ("v1.0.1", false),
        ("v1.1.0-rc.1", false),
        ("v1.1.0", true),
        ("v1.1.9", true),
        ("v1.1.10", false),
    ] {
        assert_eq!(
            retractions.cover(&version.parse().unwrap()),
            covered,
            "{version}"
        );
    }
}

#[test]
fn a_go_mod_that_only_names_its_module_is_nobodys() {
    let path = "example.com/a".parse().unwrap();
    assert!(!is_own_go_mod(&path, b"module example.com/a\n"));
    assert!(is_own_go_mod(&path, b"module example.com/a\n\ngo 1.12\n"));
    assert!(is_own_go_mod(&path, b"module example.com/a"));
}

#[test]
fn the_newest_commit_of_a_list() {
    let old = "v0.0.0-20200101000000-abcdefabcdef";
    let new = "v0.0.0-20210101000000-abcdefabcdef";
    assert_eq!(
        newest_in_list(&format!("{new}\n{old}\nv1.0.0\n")),
        Some(new)
    );
    assert_eq!(
        newest_in_list(&format!("{new}\n{old} 2022-01-01T00:00:00Z\n")),
        Some(old)
    );
    assert_eq!(
        newest_in_list("v1.0.0 2022-01-01T00:00:00Z\nnonsense 2030-01-01T00:00:00Z\n"),
        Some("v1.0.0")
    );
    assert_eq!(newest_in_list("v1.0.0\n\n"), None);
}
