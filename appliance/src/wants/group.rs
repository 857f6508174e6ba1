//! What is one want, although it was asked for as several.
//!
//! To find the module of a package `a.b/c/d`, the go command asks for `a.b/c/d`, `a.b/c` and `a.b` at once, for all three
//! with the same query. It names no more than one of them in a go.mod afterwards, so what was asked for as
//! a go.mod, a zip or a record is certainly a module's and stands for itself. All else is put together: the longest path
//! with the shorter ones behind it. A shorter one that was asked for more often than everything below it together was
//! asked for by itself, too, and is also told by itself.

use super::Missed;
use modferry_protocol::module::ModulePath;
use std::collections::HashMap;

/// A want, with the other modules that it may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// The longest of the paths.
    pub missed: Missed,
    /// The others, longest first.
    pub or: Vec<ModulePath>,
}

/// Puts together what was asked for as one. The order stays.
pub fn group(missed: Vec<Missed>) -> Vec<Group> {
    let names = missed.iter().enumerate().map(|(at, missed)| {
        let (path, query) = (missed.want.path().as_str(), missed.want.query());
        ((path, query), at)
    });
    let places: HashMap<(&str, &str), usize> = names.collect();
    let above: Vec<Vec<usize>> = missed
        .iter()
        .map(|of| match of.parts.is_certain() {
            true => Vec::new(),
            false => prefixes(of.want.path().as_str())
                .filter_map(|path| places.get(&(path, of.want.query())).copied())
                .filter(|at| !missed[*at].parts.is_certain())
                .collect(),
        })
        .collect();
    let mut has_below = vec![false; missed.len()];
    for at in above.iter().flatten() {
        has_below[*at] = true;
    }
    let mut asked_below = vec![0_u64; missed.len()];
    for (leaf, above) in above.iter().enumerate().filter(|(at, _)| !has_below[*at]) {
        for at in above {
            asked_below[*at] = asked_below[*at].saturating_add(missed[leaf].asked);
        }
    }
    let or: Vec<Vec<ModulePath>> = above
        .iter()
        .map(|above| above.iter().map(|at| missed[*at].want.path().clone()))
        .map(Iterator::collect)
        .collect();
    missed
        .into_iter()
        .zip(or)
        .enumerate()
        .filter(|(at, (missed, _))| !has_below[*at] || missed.asked > asked_below[*at])
        .map(|(_, (missed, or))| Group { missed, or })
        .collect()
}

/// What a path begins with, element by element, longest first, without itself.
pub(super) fn prefixes(path: &str) -> impl Iterator<Item = &str> {
    path.rmatch_indices('/').map(|(slash, _)| &path[..slash])
}
