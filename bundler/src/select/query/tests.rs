#![allow(clippy::unwrap_used)]
use super::*;

fn kind(text: &str) -> Kind {
    Query::parse(text).unwrap().kind
}

fn error(text: &str) -> String {
    let error = Query::parse(text).unwrap_err();
    match std::error::Error::source(&error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

/// Which of these a range admits.
fn admitted<'v>(text: &str, versions: &'v str) -> Vec<&'v str> {
    let Kind::Within(range) = kind(text) else {
        panic!("{text} is no range");
    };
    let all = versions.split_whitespace();
    all.filter(|version| range.admits(version)).collect()
}

#[test]
fn what_the_go_command_knows() {
    assert_eq!(kind("latest"), Kind::Latest);
    assert_eq!(kind("upgrade"), Kind::Upgrade);
    assert_eq!(kind("patch"), Kind::Patch);
    for short in ["v1", "v1.2", "v0", "v0.0"] {
        assert!(matches!(kind(short), Kind::Prefix(prefix) if prefix.as_str() == short));
    }
    for (text, op, version) in [
        ("<v1.2.3", Op::Less, "v1.2.3"),
        ("<=v1.2.3", Op::LessOrEqual, "v1.2.3"),
        (">v1.2.3-rc.1", Op::Greater, "v1.2.3-rc.1"),
        (">=v1", Op::GreaterOrEqual, "v1"),
        ("<v1.2", Op::Less, "v1.2"),
        (">= 1.2", Op::GreaterOrEqual, "v1.2"),
    ] {
        let version = version.into();
        assert_eq!(kind(text), Kind::Closest(Bound { op, version }), "{text}");
    }
    for name in [
        "v1.2.3",
        "v1.2.3+meta",
        "master",
        "1.8",
        "daa7c04131f5",
        "v",
        "v1.2.3.4",
    ] {
        assert!(
            matches!(kind(name), Kind::Named(revision) if revision.as_str() == name),
            "{name}"
        );
    }
}

#[test]
fn ranges() {
    let versions =
        "v0.3.0 v0.3.9 v0.4.0 v1.0.0 v1.7.9 v1.8.0-rc.1 v1.8.0 v1.8.7 v1.9.1 v2.0.0+incompatible";
    for (range, want) in [
        ("^1.8", "v1.8.0 v1.8.7 v1.9.1"),
        ("^v1.8.7", "v1.8.7 v1.9.1"),
        ("^1", "v1.0.0 v1.7.9 v1.8.0-rc.1 v1.8.0 v1.8.7 v1.9.1"),
        ("^0.3", "v0.3.0 v0.3.9"),
        ("^0.3.1", "v0.3.9"),
        ("^0", "v0.3.0 v0.3.9 v0.4.0"),
        ("^2", "v2.0.0+incompatible"),
        ("~1.8", "v1.8.0 v1.8.7"),
        ("~1.8.1", "v1.8.7"),
        ("~1", "v1.0.0 v1.7.9 v1.8.0-rc.1 v1.8.0 v1.8.7 v1.9.1"),
        ("^1.8.0-rc.1", "v1.8.0-rc.1 v1.8.0 v1.8.7 v1.9.1"),
        (">=1.7 <2", "v1.7.9 v1.8.0-rc.1 v1.8.0 v1.8.7 v1.9.1"),
        (">=v1.7, <v1.8.7", "v1.7.9 v1.8.0-rc.1 v1.8.0"),
        ("> 0.3.9 , <= 1.0.0", "v0.4.0 v1.0.0"),
        ("v1.8 >v1.8.0", "v1.8.7"),
        (">=2 <1", ""),
    ] {
        assert_eq!(admitted(range, versions).join(" "), want, "{range}");
    }
    assert_eq!(
        admitted("^0.0.3", "v0.0.2 v0.0.3 v0.0.4").join(" "),
        "v0.0.3"
    );
}

#[test]
fn several() {
    assert_eq!(kind("all"), Kind::All(Range::default()));
    assert_eq!(kind(" newest  3 "), Kind::Newest(3, Range::default()));
    let Kind::Newest(2, range) = kind("newest 2 ^1.8") else {
        panic!("newest 2 is not narrowed");
    };
    assert!(range.admits("v1.9.0") && !range.admits("v1.7.0"));
    assert_eq!(range.versions().collect::<Vec<_>>(), ["v1.8", "v1"]);
    let midnight: Timestamp = "2025-01-31T00:00:00Z".parse().unwrap();
    assert_eq!(
        kind("since 2025-01-31"),
        Kind::Since(midnight, Range::default())
    );
    assert_eq!(
        kind("since 2025-01-31T01:00:00+01:00"),
        kind("since 2025-01-31")
    );
    assert!(
        matches!(kind("since 2025-01-31, <2"), Kind::Since(_, range) if range.admits("v1.9.9"))
    );
}

#[test]
fn each_malformed_query_is_told_apart() {
    for (text, words) in [
        ("", "an empty query"),
        (" , ", "an empty query"),
        (">=", "\"\" in \">=\" is no version"),
        (">=master", "\"master\" in \">=master\" is no version"),
        ("^", "\"\" in \"^\" is no version"),
        ("~1.8.x", "\"1.8.x\" in \"~1.8.x\" is no version"),
        ("^01.8", "is no version"),
        (
            ">v1.2",
            "\"v1.2\" in \">v1.2\" may mean v1.2.0 or all of v1.2: say all three numbers, or >=v1.2",
        ),
        (
            "<=1",
            "\"v1\" in \"<=1\" may mean v1.0.0 or all of v1: say all three numbers, or <v1",
        ),
        (">=1.7 <=2", "may mean"),
        ("newest", "newest \"\": say how many"),
        ("newest 0", "newest \"0\": say how many"),
        ("newest -1", "newest \"-1\": say how many"),
        ("newest 10001", "newest \"10001\": say how many"),
        ("newest three", "newest \"three\": say how many"),
        ("since", "since \"\": say a date"),
        ("since 2025", "since \"2025\": say a date"),
        ("since 2025-02-30", "since \"2025-02-30\": say a date"),
        ("since yesterday", "since \"yesterday\": say a date"),
        (
            "all master",
            "\"master\" in \"all master\" belongs to no query",
        ),
        (
            "latest patch",
            "\"latest\" in \"latest patch\" belongs to no query",
        ),
        (
            "newest 3 1.8",
            "\"1.8\" in \"newest 3 1.8\" belongs to no query",
        ),
        (
            "feature/x",
            "no module proxy can be asked for it: invalid version or revision \"feature/x\"",
        ),
        ("a!b", "no module proxy can be asked for it"),
        ("100%", "no module proxy can be asked for it"),
    ] {
        let error = error(text);
        assert!(error.contains(words), "{text}: {error}");
        assert!(!error.contains('\n'), "{error}");
    }
}

#[test]
fn the_limits_are_exact() {
    assert!(Query::parse(&"a".repeat(MAX_QUERY)).is_ok());
    assert!(error(&"a".repeat(MAX_QUERY + 1)).contains("257 bytes"));
    assert!(Query::parse(&format!("newest {MAX_NEWEST}")).is_ok());
    assert!(Query::parse(&format!("newest {}", MAX_NEWEST + 1)).is_err());
}

proptest::proptest! {
    #[test]
    fn no_text_is_too_odd(text in "[ -~\\t\u{e9}]{0,40}") {
        if let Ok(query) = Query::parse(&text) {
            // What it shows of itself is the same query.
            proptest::prop_assert_eq!(Query::parse(&query.to_string()), Ok(query));
        }
    }
}
