//! Semantic versions as Go writes them, on plain strings: golang.org/x/mod/semver.
//!
//! The form is `vMAJOR[.MINOR[.PATCH[-PRERELEASE][+BUILD]]]`: Semantic Versioning 2.0.0 with a leading `v`, and
//! with `v1` and `v1.2` standing for `v1.0.0` and `v1.2.0`. Numbers are compared as decimal text, so
//! none is too large. Build metadata takes no part in the order.
//!
//! Functions that pick a part answer `""` for a string that is no semantic version, as the reference does:
//! the callers have mixed lists to sort and filter, and an error each would only be thrown away.

use std::cmp::Ordering;

/// The parts of a valid version, borrowed from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Parts<'a> {
    major: &'a str,
    minor: &'a str,
    patch: &'a str,
    /// What is left out at the end: `".0.0"` for `v1`, `".0"` for `v1.2`, else nothing.
    left_out: &'static str,
    /// With its `-`, or empty.
    prerelease: &'a str,
    /// With its `+`, or empty.
    build: &'a str,
}

fn parse(v: &str) -> Option<Parts<'_>> {
    let (major, rest) = number(v.strip_prefix('v')?)?;
    let mut parts = Parts {
        major,
        minor: "0",
        patch: "0",
        left_out: ".0.0",
        prerelease: "",
        build: "",
    };
    if rest.is_empty() {
        return Some(parts);
    }
    let (minor, rest) = number(rest.strip_prefix('.')?)?;
    parts.minor = minor;
    parts.left_out = ".0";
    if rest.is_empty() {
        return Some(parts);
    }
    let (patch, rest) = number(rest.strip_prefix('.')?)?;
    parts.patch = patch;
    parts.left_out = "";
    let (prerelease, build) = rest.split_at(rest.find('+').unwrap_or(rest.len()));
    if !prerelease.is_empty() {
        let mut identifiers = prerelease.strip_prefix('-')?.split('.');
        if !identifiers.all(|id| is_identifier(id) && !has_leading_zero(id)) {
            return None;
        }
    }
    if !build.is_empty() && !build[1..].split('.').all(is_identifier) {
        return None;
    }
    Some(Parts {
        prerelease,
        build,
        ..parts
    })
}

/// A decimal number without extra leading zeros, and what follows it.
fn number(s: &str) -> Option<(&str, &str)> {
    let end = s
        .bytes()
        .position(|b| !b.is_ascii_digit())
        .unwrap_or(s.len());
    let (digits, rest) = s.split_at(end);
    (!digits.is_empty() && !has_leading_zero(digits)).then_some((digits, rest))
}

fn is_identifier(id: &str) -> bool {
    !id.is_empty() && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

fn is_numeric(id: &str) -> bool {
    id.bytes().all(|b| b.is_ascii_digit())
}

fn has_leading_zero(id: &str) -> bool {
    id.len() > 1 && id.starts_with('0') && is_numeric(id)
}

/// Whether `v` is a semantic version.
pub fn is_valid(v: &str) -> bool {
    parse(v).is_some()
}

/// `v` with what was left out filled in and without build metadata; `""` for an invalid one.
pub fn canonical(v: &str) -> String {
    match parse(v) {
        None => String::new(),
        Some(parts) => format!("{}{}", &v[..v.len() - parts.build.len()], parts.left_out),
    }
}

/// `"v2"` of `"v2.1.0"`; `""` for an invalid one.
pub fn major(v: &str) -> &str {
    parse(v).map_or("", |parts| &v[..1 + parts.major.len()])
}

/// `"v2.1"` of `"v2.1.0"`, and `"v2.0"` of `"v2"`; `""` for an invalid one.
pub fn major_minor(v: &str) -> String {
    parse(v).map_or(String::new(), |parts| {
        format!("v{}.{}", parts.major, parts.minor)
    })
}

/// `"-pre"` of `"v2.1.0-pre+meta"`; `""` when there is none or the version is invalid.
pub fn prerelease(v: &str) -> &str {
    parse(v).map_or("", |parts| parts.prerelease)
}

/// `"+meta"` of `"v2.1.0-pre+meta"`; `""` when there is none or the version is invalid.
pub fn build(v: &str) -> &str {
    parse(v).map_or("", |parts| parts.build)
}

/// The order of two versions. Build metadata is ignored; invalid versions are less than valid ones and
/// equal to each other.
pub fn compare(v: &str, w: &str) -> Ordering {
    match (parse(v), parse(w)) {
        (None, None) => Ordering::Equal,
        (None, Some(_)) => Ordering::Less,
        (Some(_), None) => Ordering::Greater,
        (Some(v), Some(w)) => compare_numbers(v.major, w.major)
            .then_with(|| compare_numbers(v.minor, w.minor))
            .then_with(|| compare_numbers(v.patch, w.patch))
            .then_with(|| compare_prereleases(v.prerelease, w.prerelease)),
    }
}

/// [`compare`], and bytewise where that finds no difference: a total order, in which `list` is sorted.
pub fn compare_total(v: &str, w: &str) -> Ordering {
    compare(v, w).then_with(|| v.cmp(w))
}

/// Decimal text without leading zeros: the longer is the larger.
fn compare_numbers(x: &str, y: &str) -> Ordering {
    x.len().cmp(&y.len()).then_with(|| x.cmp(y))
}

fn compare_prereleases(x: &str, y: &str) -> Ordering {
    match (x.strip_prefix('-'), y.strip_prefix('-')) {
        (None, None) => Ordering::Equal,
        (None, Some(_)) => Ordering::Greater,
        (Some(_), None) => Ordering::Less,
        // Identifier by identifier, and a longer list is the larger: what Iterator::cmp_by would do.
        (Some(x), Some(y)) => {
            let (mut x, mut y) = (x.split('.'), y.split('.'));
            loop {
                match (x.next(), y.next()) {
                    (None, None) => return Ordering::Equal,
                    (None, Some(_)) => return Ordering::Less,
                    (Some(_), None) => return Ordering::Greater,
                    (Some(x), Some(y)) => match compare_identifiers(x, y) {
                        Ordering::Equal => {}
                        unequal => return unequal,
                    },
                }
            }
        }
    }
}

fn compare_identifiers(x: &str, y: &str) -> Ordering {
    match (is_numeric(x), is_numeric(y)) {
        (true, true) => compare_numbers(x, y),
        (true, false) => Ordering::Less,
        (false, true) => Ordering::Greater,
        (false, false) => x.cmp(y),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_forms_and_parts() {
        assert_eq!(canonical("v1"), "v1.0.0");
        assert_eq!(canonical("v1.2"), "v1.2.0");
        assert_eq!(canonical("v1.2.3-pre+meta"), "v1.2.3-pre");
        assert_eq!(major_minor("v2"), "v2.0");
        assert_eq!(prerelease("v1.2.3-pre.1+meta"), "-pre.1");
        assert_eq!(build("v1.2.3+meta-a.b"), "+meta-a.b");
        for bad in [
            "",
            "v",
            "1.0.0",
            "v01.0.0",
            "v1.0.0-01",
            "v1-pre",
            "v1.0.0-",
            "v1.0.0+a..b",
            "v1.0.0 ",
        ] {
            assert!(!is_valid(bad), "{bad:?}");
            assert_eq!(major(bad), "");
        }
    }

    #[test]
    fn order_is_that_of_semver_org() {
        let ordered = [
            "bad",
            "v0.9.0",
            "v1.0.0-1",
            "v1.0.0-2",
            "v1.0.0-10",
            "v1.0.0-alpha",
            "v1.0.0-alpha.1",
            "v1.0.0-alpha.beta",
            "v1.0.0-beta",
            "v1.0.0-rc.1",
            "v1.0.0",
            "v1.0.1",
            "v1.10.0",
            "v18446744073709551616.0.0",
        ];
        for (i, v) in ordered.iter().enumerate() {
            for (j, w) in ordered.iter().enumerate() {
                assert_eq!(compare(v, w), i.cmp(&j), "{v} {w}");
            }
        }
        assert_eq!(compare("v1", "v1.0.0+meta"), Ordering::Equal);
        assert_eq!(
            compare_total("v1.0.0", "v1.0.0+incompatible"),
            Ordering::Less
        );
    }
}
