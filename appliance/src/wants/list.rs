//! The list of what is wanted: read, checked against the store, put together, filtered.

use super::group::{Group, group, prefixes};
use super::guesses::{Guesses, Look};
use super::kept::{Kept, PRIVATE, PUBLIC};
use super::told::Told;
use super::{Missed, MissedError, Part, here};
use crate::store::{StoreError, View};
use crate::trust::TrustStore;
use modferry_cli::wants::{Entry, Time};
use modferry_protocol::module::ModulePath;
use modferry_protocol::module::pattern::{
    is_well_formed, match_prefix_patterns, match_prefix_patterns_or_above,
};
use std::path::Path;

/// What of it is asked for.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Paths that match one of these, as GOPRIVATE has them, comma-separated; all, if it is empty.
    pub patterns: String,
    /// Asked for since then, in seconds since 1970.
    pub since: u64,
    /// Asked for so often.
    pub at_least: u64,
    /// Private names instead of public ones.
    pub private: bool,
    /// Also what was told before and not asked for since.
    pub again: bool,
    /// Also what was most likely asked for by the way only.
    pub guesses: bool,
}

/// A want that is listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// The want, and when it was asked for.
    pub missed: Missed,
    /// The shorter paths that the module may have instead, longest first.
    pub or: Vec<ModulePath>,
    /// Whether the names are private.
    pub private: bool,
    /// Any version is wanted, and of the module there are only go.mod files here, which its dependents brought. Whoever looks
    /// for updates of everything (`go list -m -u all`) asks for each of these, too.
    pub only_go_mods: bool,
}

impl Listed {
    /// As a wants file has it.
    pub fn entry(&self) -> Entry {
        let note = (self.only_go_mods).then(|| "only go.mod files of it are there".to_owned());
        Entry {
            note,
            or: self.or.clone(),
            private: self.private,
            asked: Some(self.missed.asked),
            first: Time::from_seconds(self.missed.first),
            last: Time::from_seconds(self.missed.last),
            ..Entry::new(self.missed.want.clone())
        }
    }
}

/// What is wanted, and what is not listed, and why.
#[derive(Debug, Default)]
pub struct Listing {
    /// What is listed, in the order of paths.
    pub wants: Vec<Listed>,
    /// How many the filter leaves out.
    pub filtered: usize,
    /// How many were told before, and nobody has asked since.
    pub told_before: usize,
    /// How many have come in meanwhile.
    pub here: usize,
    /// How many were asked for by the way only: what is here answers them.
    pub guesses: usize,
    /// How many are left that nobody should be told of: more than one version each, and no go command asks for that.
    pub not_of_one: usize,
    /// How many the same filter lists of the other kind: private, or with [`Filter::private`] public ones.
    pub others: usize,
    /// How many requests the server did not take down.
    pub left_out: u64,
    /// When the server wrote it; `None` where it has missed nothing yet.
    pub written: Option<Time>,
    /// What was told, and is kept still: to be written again when this listing has been told.
    pub told: Told,
}

/// Lists what the server keeps in `folder` and the store has not: `view` is `None` where nothing was imported yet.
pub fn list(
    folder: &Path,
    store: &Path,
    view: Option<&View>,
    filter: &Filter,
) -> Result<Listing, MissedError> {
    let patterns = filter
        .patterns
        .split(',')
        .filter(|_| !filter.patterns.is_empty());
    for pattern in patterns {
        if !is_well_formed(pattern) {
            let pattern = pattern.into();
            return Err(MissedError::Pattern { pattern });
        }
    }
    if !folder.is_dir() {
        let folder = folder.into();
        return Err(MissedError::NoFolder { folder });
    }
    let public = Kept::read(&folder.join(PUBLIC))?.unwrap_or_default();
    let private = Kept::read(&folder.join(PRIVATE))?.unwrap_or_default();
    let mut told = Told::read(store)?;
    let kept: Vec<&Missed> = public.wants.iter().chain(&private.wants).collect();
    told.keep_only(&kept);
    let left_out = public.left_out.max(private.left_out);
    let written = Time::from_seconds(public.written).filter(|_| public.written > 0);
    let sieve = Sieve {
        filter,
        view,
        apart: Private::of(store, view)?,
        told,
    };
    let (mut asked_for, mut others) = (Vec::new(), Vec::new());
    let wants = public.wants.into_iter().map(|missed| (missed, false));
    for (one, known) in wants.chain(private.wants.into_iter().map(|missed| (missed, true))) {
        match (known || sieve.apart.has(one.want.path())?) == filter.private {
            true => asked_for.push(one),
            false => others.push(one),
        }
    }
    let listing = sieve.listing(asked_for, filter.private)?;
    Ok(Listing {
        others: sieve.listing(others, !filter.private)?.wants.len(),
        left_out,
        written,
        told: sieve.told,
        ..listing
    })
}

/// What makes a listing of what was missed.
struct Sieve<'v> {
    filter: &'v Filter,
    view: Option<&'v View>,
    apart: Private<'v>,
    told: Told,
}

impl Sieve<'_> {
    /// Lists these, which are all private, or all public; what of that is not about them stays as it is by default.
    fn listing(&self, missed: Vec<Missed>, private: bool) -> Result<Listing, MissedError> {
        let (filter, view) = (self.filter, self.view);
        let all = missed.len();
        let of_one = missed.into_iter().filter(|one| one.want.is_of_one());
        let mut missed: Vec<Missed> = of_one.collect();
        let mut listing = Listing {
            not_of_one: all - missed.len(),
            ..Listing::default()
        };
        missed.sort_by(|a, b| a.want.cmp(&b.want));
        if let Some(view) = view {
            missed = lacking(view, missed, &mut listing.here)?;
        }
        let mut groups = group(missed);
        if let Some(view) = view
            && !filter.guesses
        {
            groups = without_guesses(view, groups, &mut listing.guesses)?;
        }
        for Group { missed, mut or } in groups {
            if !private {
                or = self.apart.without(or)?;
            }
            let path = missed.want.path().as_str();
            let chosen =
                filter.patterns.is_empty() || match_prefix_patterns(&filter.patterns, path);
            if !chosen || missed.last < filter.since || missed.asked < filter.at_least {
                listing.filtered += 1;
            } else if !filter.again && self.told.has(&missed) {
                listing.told_before += 1;
            } else {
                let only_go_mods = match view {
                    Some(view) if missed.parts == Part::Versions.into() => {
                        view.list(missed.want.path())?.is_some()
                    }
                    _ => false,
                };
                listing.wants.push(Listed {
                    missed,
                    or,
                    private,
                    only_go_mods,
                });
            }
        }
        Ok(listing)
    }
}

/// Which names are private by what the store knows, whatever the server's own patterns say: those that the administrator
/// lets come as private modules, those that came so, and the packages of these; and what stands above any of them, which
/// the go command asks for on its way to them.
struct Private<'v> {
    patterns: String,
    view: Option<&'v View>,
}

impl<'v> Private<'v> {
    fn of(store: &Path, view: Option<&'v View>) -> Result<Private<'v>, MissedError> {
        let rules = TrustStore::of(store).private()?;
        let patterns: Vec<String> = rules.into_iter().map(|rule| rule.pattern).collect();
        Ok(Private {
            patterns: patterns.join(","),
            view,
        })
    }

    fn has(&self, path: &ModulePath) -> Result<bool, StoreError> {
        if match_prefix_patterns_or_above(&self.patterns, path.as_str()) {
            return Ok(true);
        }
        let Some(view) = self.view else {
            return Ok(false);
        };
        if view.is_private(path)? || view.has_private_below(path)? {
            return Ok(true);
        }
        for module in prefixes(path.as_str()).filter_map(|module| ModulePath::new(module).ok()) {
            if view.is_private(&module)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Those paths that are not private.
    fn without(&self, paths: Vec<ModulePath>) -> Result<Vec<ModulePath>, StoreError> {
        let mut public = Vec::with_capacity(paths.len());
        for path in paths {
            if !self.has(&path)? {
                public.push(path);
            }
        }
        Ok(public)
    }
}

/// Those of which something is not here still.
fn lacking(view: &View, missed: Vec<Missed>, here: &mut usize) -> Result<Vec<Missed>, StoreError> {
    let mut lacking = Vec::with_capacity(missed.len());
    for missed in missed {
        match here::is_here(view, &missed)? {
            true => *here += 1,
            false => lacking.push(missed),
        }
    }
    Ok(lacking)
}

/// Those that were not asked for by the way only; where a module is here that a want may be in, it is one of those that
/// the want may be.
fn without_guesses(
    view: &View,
    groups: Vec<Group>,
    by_the_way: &mut usize,
) -> Result<Vec<Group>, StoreError> {
    let mut guesses = Guesses::new(view);
    let mut left = Vec::with_capacity(groups.len());
    for mut group in groups {
        if group.missed.parts.is_certain() {
            left.push(group);
            continue;
        }
        match guesses.look(&group.missed)? {
            Look::Guess => *by_the_way += 1,
            Look::Want(modules) => {
                group.or.extend(modules);
                // All of them begin the same path: the longer, the later in bytes.
                group.or.sort();
                group.or.dedup();
                group.or.reverse();
                left.push(group);
            }
        }
    }
    Ok(left)
}
