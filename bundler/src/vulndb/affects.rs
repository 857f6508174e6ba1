//! Which versions a report is about, and from which on it is mended: by the same rules as govulncheck, whose
//! internal/semver and internal/vulncheck are the reference, its oddities included.
//!
//! - Versions are compared as semantic versions, and what is none is less than any. Ranges have them without the `v`.
//! - A range of another type than SEMVER counts for nothing; where there is no other, all versions are affected, as they are where there
//!   is no range at all, or one without events.
//! - The events of a range are taken in the order of their versions, however they are listed.
//!
//! Go itself goes by the names `stdlib` (the standard library) and `toolchain` (the go command). Both travel in versions of the
//! module of toolchains, whose `v0.0.1-go1.22rc2.linux-amd64` is the semantic version 1.22.0-rc.2 there.

use std::borrow::Cow;
use std::cmp::Ordering;

use modferry_checker::vulndb::{Affected, Event, Range, Report};
use modferry_protocol::module::{ModuleVersion, semver};

use crate::select::gover::GoVersion;
use crate::select::toolchains;

const SEMVER: &str = "SEMVER";
/// The beginning of time.
const BEGINNING: &str = "0";
const GO: [&str; 2] = ["stdlib", "toolchain"];

/// What a module version goes by in reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject<'m> {
    /// Names of modules.
    pub names: Vec<&'m str>,
    /// The version of all of them.
    pub version: Cow<'m, str>,
    is_go: bool,
}

impl Subject<'_> {
    /// Of a module version.
    pub fn of(module: &ModuleVersion) -> Subject<'_> {
        let of_go = toolchains::version_of(module);
        match of_go.as_ref().and_then(semantic) {
            Some(version) => Subject {
                names: GO.to_vec(),
                version: version.into(),
                is_go: true,
            },
            None => Subject {
                names: vec![module.path().as_str()],
                version: module.version().as_str().into(),
                is_go: false,
            },
        }
    }

    /// What the report says of it, as far as that is about this version.
    pub fn affected<'r>(&'r self, report: &'r Report) -> Vec<&'r Affected> {
        let about = self.names.iter().flat_map(|name| report.about(name));
        about
            .filter(|affected| affects(&affected.ranges, &self.version))
            .collect()
    }

    /// The first version after this one that mends all of it, as somebody would ask for it; `None` where there is none yet.
    pub fn fixed(&self, affected: &[&Affected]) -> Option<String> {
        let fixed = fixed(affected, &self.version)?;
        Some(match self.is_go {
            true => go_name(fixed),
            false => prefixed(fixed).into_owned(),
        })
    }
}

/// Go's version as a semantic version.
fn semantic(version: &GoVersion) -> Option<String> {
    let text = version.as_str();
    let digits = text.find(|c: char| c.is_ascii_lowercase());
    let (numbers, pre) = text.split_at(digits.unwrap_or(text.len()));
    let numbers = match numbers.split('.').count() {
        1 => format!("v{numbers}.0.0"),
        2 => format!("v{numbers}.0"),
        _ => format!("v{numbers}"),
    };
    let at = pre.find(|c: char| c.is_ascii_digit());
    let version = match (pre.is_empty(), at) {
        (true, _) => numbers,
        (false, Some(at)) => format!("{numbers}-{}.{}", &pre[..at], &pre[at..]),
        (false, None) => return None,
    };
    semver::is_valid(&version).then_some(version)
}

/// A semantic version as Go names it: `go1.22rc2`, `go1.22.3`.
pub fn go_name(version: &str) -> String {
    let canonical = semver::canonical(&prefixed(version));
    let (numbers, pre) = canonical.split_once('-').unwrap_or((&canonical, ""));
    let numbers = numbers.strip_prefix('v').unwrap_or(numbers);
    let before_1_21 = semver::compare(&canonical, "v1.21.0") == Ordering::Less;
    let numbers = match before_1_21 || !pre.is_empty() {
        true => numbers.strip_suffix(".0").unwrap_or(numbers),
        false => numbers,
    };
    format!("go{numbers}{}", pre.replacen('.', "", 1))
}

/// Whether these ranges have a version in them.
pub fn affects(ranges: &[Range], version: &str) -> bool {
    let mut of_versions = ranges
        .iter()
        .filter(|range| range.kind == SEMVER)
        .peekable();
    of_versions.peek().is_none() || of_versions.any(|range| contains(range, version))
}

fn contains(range: &Range, version: &str) -> bool {
    if range.kind != SEMVER {
        return false;
    }
    if range.events.is_empty() {
        return true;
    }
    let mut events: Vec<&Event> = range.events.iter().collect();
    events.sort_by(|a, b| in_order(a, b));
    let mut affected = false;
    for event in events {
        if !affected && !event.introduced.is_empty() {
            affected = event.introduced == BEGINNING || !less(version, &event.introduced);
        } else if affected && !event.fixed.is_empty() {
            affected = less(version, &event.fixed);
        }
    }
    affected
}

fn in_order(a: &Event, b: &Event) -> Ordering {
    let first = |event: &Event| event.introduced == BEGINNING;
    let at = |event: &Event| match event.fixed.is_empty() {
        true => prefixed(&event.introduced).into_owned(),
        false => prefixed(&event.fixed).into_owned(),
    };
    match (first(a), first(b)) {
        (true, true) => Ordering::Equal,
        (true, false) => Ordering::Less,
        (false, true) => Ordering::Greater,
        (false, false) => semver::compare(&at(a), &at(b)),
    }
}

/// The first fix behind this version that is itself in no range.
fn fixed<'r>(affected: &[&'r Affected], version: &str) -> Option<&'r str> {
    let ranges = || affected.iter().flat_map(|affected| &affected.ranges);
    let of_versions = ranges().filter(|range| range.kind == SEMVER);
    let events = of_versions.flat_map(|range| &range.events);
    let mut fixes: Vec<&str> = events
        .map(|event| event.fixed.as_str())
        .filter(|fixed| !fixed.is_empty() && less(version, fixed))
        .collect();
    fixes.sort_by(|a, b| semver::compare(&prefixed(a), &prefixed(b)));
    let mut fixes = fixes.into_iter();
    fixes.find(|fix| !ranges().any(|range| contains(range, fix)))
}

fn less(a: &str, b: &str) -> bool {
    semver::compare(&prefixed(a), &prefixed(b)) == Ordering::Less
}

/// The version with a `v` before it, where it had none, or `go`.
fn prefixed(version: &str) -> Cow<'_, str> {
    let bare = version.strip_prefix('v').unwrap_or(version);
    let bare = bare.strip_prefix("go").unwrap_or(bare);
    match bare.starts_with('v') || bare.starts_with("go") {
        true => bare.into(),
        false => format!("v{bare}").into(),
    }
}
