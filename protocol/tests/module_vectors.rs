//! Replays what golang.org/x/mod answered, against our own module, semver and pattern code.
//!
//! `tests/vectors/module/` is the program that wrote `vectors/module_*.jsonl`: each line is one call of the reference
//! with its arguments, whether it succeeded, and its answer. A difference is an error of ours; the only one that
//! is wanted is named in [`answer`].

#![allow(clippy::unwrap_used)]

use modferry_protocol::module::{
    ModulePath, ModuleVersion, Revision, Version, canonical_version, escape, match_path_major,
    pattern::match_prefix_patterns, pseudo, semver, split_path_version,
};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;

#[derive(serde::Deserialize)]
struct Vector {
    f: String,
    #[serde(rename = "in")]
    arguments: Vec<String>,
    ok: bool,
    #[serde(default)]
    out: Value,
}

/// What we say: `None` for a failure or "no", else the answer (null where the reference has only "yes").
fn answer(f: &str, arguments: &[&str]) -> Option<Value> {
    let yes = |yes: bool| yes.then_some(Value::Null);
    match (f, arguments) {
        ("CheckPath", [path]) => yes(ModulePath::new(path).is_ok()),
        ("SplitPathVersion", [path]) => {
            split_path_version(path).map(|(prefix, major)| json!([prefix, major]))
        }
        ("EscapePath", [path]) => ModulePath::new(path).ok().map(|path| json!(path.escaped())),
        ("UnescapePath", [escaped]) => ModulePath::from_escaped(escaped)
            .ok()
            .map(|path| json!(path.as_str())),
        ("EscapeVersion", [version]) => {
            let escaped = escape::escape_version(version).ok();
            // Revision is the same but for '%', which it refuses: see there.
            let revision = Revision::new(version)
                .ok()
                .map(|revision| revision.escaped());
            assert_eq!(revision, escaped.clone().filter(|_| !version.contains('%')));
            escaped.map(Value::from)
        }
        ("UnescapeVersion", [escaped]) => escape::unescape_version(escaped).ok().map(Value::from),
        ("CanonicalVersion", [version]) => {
            let canonical = canonical_version(version);
            // A Version is what is its own canonical form.
            let ours = Version::new(version)
                .ok()
                .map(|version| version.to_string());
            assert_eq!(
                ours.as_deref(),
                Some(*version).filter(|v| !v.is_empty() && canonical == *v)
            );
            Some(json!(canonical))
        }
        ("semver", [v]) => semver::is_valid(v).then(|| {
            json!([
                semver::canonical(v),
                semver::major(v),
                semver::major_minor(v),
                semver::prerelease(v),
                semver::build(v)
            ])
        }),
        ("Compare", [v, w]) => Some(json!(semver::compare(v, w) as i8)),
        ("IsPseudoVersion", [version]) => yes(pseudo::is_pseudo_version(version)),
        ("PseudoVersionTime", [version]) => pseudo::time(version).ok().map(Value::from),
        ("PseudoVersionRev", [version]) => pseudo::revision(version).ok().map(Value::from),
        ("PseudoVersionBase", [version]) => pseudo::base(version).ok().map(Value::from),
        ("MatchPathMajor", [version, major]) => yes(match_path_major(version, major)),
        // module.Check takes any semantic version; ours are canonical besides.
        ("Check", [path, version]) if canonical_version(version) == *version => {
            yes(ModuleVersion::parse(path, version).is_ok())
        }
        ("Check", [path, version]) => {
            assert!(ModuleVersion::parse(path, version).is_err());
            let major = split_path_version(path).map(|(_, major)| major);
            yes(ModulePath::new(path).is_ok()
                && semver::is_valid(version)
                && major.is_some_and(|major| match_path_major(version, major)))
        }
        ("Sort", list) => {
            let mut list: Vec<ModuleVersion> = list.iter().map(|m| m.parse().unwrap()).collect();
            list.sort();
            Some(list.iter().map(ToString::to_string).collect())
        }
        ("MatchPrefixPatterns", [globs, target]) => yes(match_prefix_patterns(globs, target)),
        _ => panic!("no such function: {f}{arguments:?}"),
    }
}

/// Replays a file and says how many of each function succeeded and failed there.
fn replay(file: &str) -> BTreeMap<(String, bool), usize> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/vectors")
        .join(file);
    let text = std::fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut counts = BTreeMap::new();
    let mut differences = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let vector: Vector = serde_json::from_str(line).unwrap();
        let arguments: Vec<&str> = vector.arguments.iter().map(String::as_str).collect();
        let theirs = vector.ok.then_some(&vector.out);
        let ours = answer(&vector.f, &arguments);
        if ours.as_ref() != theirs {
            differences.push(format!("{file}:{}: {line}\n    ours: {ours:?}", number + 1));
        }
        *counts.entry((vector.f, vector.ok)).or_default() += 1;
    }
    assert!(
        differences.is_empty(),
        "{}\n{} differ",
        differences.join("\n"),
        differences.len()
    );
    counts
}

/// Asserts that there are at least so many of each: a file that was cut or generated wrongly proves nothing.
fn at_least(counts: &BTreeMap<(String, bool), usize>, minimum: &[(&str, usize, usize)]) {
    for (f, yes, no) in minimum {
        let count = |ok| counts.get(&((*f).to_owned(), ok)).copied().unwrap_or(0);
        assert!(
            count(true) >= *yes && count(false) >= *no,
            "{f}: only {} and {}",
            count(true),
            count(false)
        );
    }
    let named = |f: &String| minimum.iter().any(|(name, ..)| name == f);
    assert!(
        counts.keys().all(|(f, _)| named(f)),
        "not in the list: {counts:?}"
    );
}

#[test]
fn paths() {
    at_least(
        &replay("module_path.jsonl"),
        &[
            ("CheckPath", 300, 800),
            ("SplitPathVersion", 1000, 140),
            ("EscapePath", 80, 0),
            ("UnescapePath", 200, 350),
        ],
    );
}

#[test]
fn versions() {
    at_least(
        &replay("module_version.jsonl"),
        &[
            ("CanonicalVersion", 900, 0),
            ("semver", 350, 550),
            ("Compare", 590, 0),
            ("EscapeVersion", 600, 300),
            ("UnescapeVersion", 600, 350),
            ("IsPseudoVersion", 75, 140),
            ("PseudoVersionTime", 65, 10),
            ("PseudoVersionRev", 75, 0),
            ("PseudoVersionBase", 60, 15),
        ],
    );
}

#[test]
fn paths_with_versions() {
    at_least(
        &replay("module_check.jsonl"),
        &[
            ("Check", 150, 550),
            ("MatchPathMajor", 46, 190),
            ("Sort", 8, 0),
        ],
    );
}

#[test]
fn patterns() {
    at_least(
        &replay("module_pattern.jsonl"),
        &[("MatchPrefixPatterns", 550, 2100)],
    );
}
