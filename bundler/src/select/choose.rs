//! Which versions a query chooses of those that a module has, without any I/O.
//!
//! The rules are the go command's (cmd/go/internal/modload/query.go, filterVersions and queryProxy), for the queries
//! that it knows and for those that it does not: releases count; where there is none, pre-releases; where there
//! is none of those either, the newest commit that upstream names. What is retracted or excluded counts for nothing.
//! `+incompatible` versions count only where the module has not become one before them: whether it has is in the
//! go.mod of its last compatible version, so there are two pure functions around that one read.

use modferry_protocol::module::{ModulePath, Version, match_path_major, pseudo, semver};

use super::gomod::{GoMod, Retract};
use super::query::{Kind, Op, Query};

/// What a choice depends on, besides the versions.
#[derive(Clone, Copy, Debug)]
pub struct Terms<'a> {
    /// The module.
    pub path: &'a ModulePath,
    /// The version that is selected otherwise, for `upgrade` and `patch`.
    pub current: Option<&'a Version>,
}

/// The versions that a query admits, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admitted {
    versions: Vec<Version>,
    /// How many of them are compatible, where that matters.
    compatible: Option<usize>,
}

impl Query {
    /// Whether it admits this version: it is in the range, and not before the one that is selected.
    pub fn admits(&self, version: &Version, terms: &Terms<'_>) -> bool {
        let text = version.as_str();
        let not_before = || {
            terms
                .current
                .is_none_or(|current| semver::compare(text, current.as_str()).is_ge())
        };
        match self.kind() {
            Kind::Latest => true,
            Kind::Upgrade => not_before(),
            Kind::Patch => {
                let same = |current: &Version| {
                    semver::major_minor(current.as_str()) == semver::major_minor(text)
                };
                terms.current.is_some_and(same) && not_before()
            }
            Kind::Named(name) => name.as_str() == text,
            Kind::Prefix(prefix) => prefix.admits(text),
            Kind::Closest(bound) => bound.admits(text),
            Kind::Within(range)
            | Kind::All(range)
            | Kind::Newest(_, range)
            | Kind::Since(_, range) => range.admits(text),
        }
    }

    /// Whether the newest commit counts where no version does.
    pub fn may_use_commit(&self, terms: &Terms<'_>) -> bool {
        match self.kind() {
            Kind::Latest | Kind::All(_) | Kind::Newest(..) | Kind::Since(..) => true,
            Kind::Upgrade => terms.current.is_none_or(Version::is_pseudo),
            Kind::Patch => terms.current.is_some_and(Version::is_pseudo),
            Kind::Named(_) | Kind::Prefix(_) | Kind::Closest(_) | Kind::Within(_) => false,
        }
    }

    /// Whether `upgrade` and `patch` stay where they are rather than go to what was made at this time (RFC 3339, in
    /// UTC): from a commit they never go back in time, as its branch may have another order of versions.
    pub fn stays(&self, terms: &Terms<'_>, time: jiff::Timestamp) -> bool {
        let relative = matches!(self.kind(), Kind::Upgrade | Kind::Patch);
        let since = || terms.current?.pseudo_time()?.parse().ok();
        relative && since().is_some_and(|current: jiff::Timestamp| time < current)
    }

    /// The versions of `all`, which are in order, that it admits and nothing forbids.
    pub fn admitted(
        &self,
        all: &[Version],
        terms: &Terms<'_>,
        allowed: impl Fn(&Version) -> bool,
    ) -> Admitted {
        let versions: Vec<Version> = all
            .iter()
            .filter(|version| self.admits(version, terms) && allowed(version))
            .cloned()
            .collect();
        let compatible = versions.partition_point(|version| !version.is_incompatible());
        let matters = !self.prefers_incompatible(terms) && compatible > 0;
        Admitted {
            compatible: (matters && compatible < versions.len()).then_some(compatible),
            versions,
        }
    }

    /// What it chooses of those, once it is known whether the module of [`Admitted::hinge`] has a go.mod of its own.
    /// Nothing: the newest commit may count.
    pub fn choose(
        &self,
        admitted: Admitted,
        hinge_has_go_mod: bool,
        pre_releases: bool,
    ) -> Vec<Version> {
        let Admitted {
            mut versions,
            compatible,
        } = admitted;
        if let Some(compatible) = compatible
            && hinge_has_go_mod
        {
            versions.truncate(compatible);
        }
        if !pre_releases && versions.iter().any(|version| !version.is_prerelease()) {
            versions.retain(|version| !version.is_prerelease());
        }
        let kept = match self.kind() {
            Kind::All(_) | Kind::Since(..) => versions.len(),
            Kind::Newest(count, _) => *count,
            Kind::Closest(bound) if matches!(bound.op, Op::Greater | Op::GreaterOrEqual) => {
                versions.truncate(1);
                1
            }
            _ => 1,
        };
        versions.split_off(versions.len().saturating_sub(kept))
    }

    /// Whether it asks for `+incompatible` versions by itself.
    fn prefers_incompatible(&self, terms: &Terms<'_>) -> bool {
        let (_, major) = terms.path.split_version();
        let other = |version: &str| !match_path_major(version, major);
        let relative = terms.current.is_some_and(Version::is_incompatible);
        relative
            || match self.kind() {
                Kind::Latest | Kind::Upgrade | Kind::Patch | Kind::Named(_) => false,
                Kind::Prefix(prefix) => other(prefix.as_str()),
                Kind::Closest(bound) => other(&bound.version),
                Kind::Within(range)
                | Kind::All(range)
                | Kind::Newest(_, range)
                | Kind::Since(_, range) => range.versions().any(other),
            }
    }
}

impl Admitted {
    /// The version whose go.mod says whether `+incompatible` versions count; `None` where nothing depends on it.
    pub fn hinge(&self) -> Option<&Version> {
        let last = self.compatible?.checked_sub(1)?;
        self.versions.get(last)
    }

    /// Whether there is no version.
    pub fn is_empty(&self) -> bool {
        self.versions.is_empty()
    }

    /// Those that `keep` keeps.
    pub fn retain(&mut self, keep: impl Fn(&Version) -> bool) {
        self.versions.retain(keep);
        let compatible = self
            .versions
            .partition_point(|version| !version.is_incompatible());
        let matters = self.compatible.is_some() && (1..self.versions.len()).contains(&compatible);
        self.compatible = matters.then_some(compatible);
    }

    /// The versions.
    pub fn versions(&self) -> &[Version] {
        &self.versions
    }
}

/// The versions that a module's authors have taken back, as the go.mod of its newest version says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Retractions(Vec<Retract>);

impl Retractions {
    /// Of that go.mod.
    pub fn of(file: &GoMod) -> Retractions {
        Retractions(file.retract.clone())
    }

    /// Whether a version is taken back.
    pub fn cover(&self, version: &Version) -> bool {
        self.why(version).is_some()
    }

    /// Why a version is taken back, in its authors' words, which may be none.
    pub fn why(&self, version: &Version) -> Option<&str> {
        let version = version.as_str();
        let covers = |retract: &&Retract| {
            semver::compare(&retract.low, version).is_le()
                && semver::compare(version, &retract.high).is_le()
        };
        self.0
            .iter()
            .find(covers)
            .map(|retract| retract.why.as_str())
    }
}

/// Whether a go.mod is the module's own: for what has none, proxies serve one that only names the module.
pub fn is_own_go_mod(path: &ModulePath, go_mod: &[u8]) -> bool {
    go_mod != format!("module {path}\n").as_bytes()
}

/// The newest commit that a `list` answer tells of, as cmd/go/internal/modfetch/proxy.go (latestFromList) finds
/// it: by the time behind a version, or the one in a pseudo-version.
pub fn newest_in_list(list: &str) -> Option<&str> {
    let mut newest: Option<(jiff::Timestamp, &str)> = None;
    for line in list.lines() {
        let mut fields = line.split_whitespace();
        let Some(version) = fields.next().filter(|version| semver::is_valid(version)) else {
            continue;
        };
        let time = match fields.next() {
            Some(time) => time.parse().ok(),
            None => pseudo::time(version)
                .ok()
                .and_then(|time| time.parse().ok()),
        };
        if let Some(time) = time
            && newest.is_none_or(|(before, _)| before < time)
        {
            newest = Some((time, version));
        }
    }
    newest.map(|(_, version)| version)
}

#[cfg(test)]
#[path = "choose/tests.rs"]
mod tests;
