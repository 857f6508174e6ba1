//! Builds whose requirements are resolved: which modules they select is known from one go.mod after the other.

use std::collections::BTreeSet;
use std::sync::Mutex;

use modferry_protocol::module::ModuleVersion;

use super::{Level, Session, gosum_inside, lock};
use crate::pool::Pool;
use crate::select::mvs::{Main, Resolver, Selection};

/// A build at work.
pub(super) struct Build {
    pub(super) name: String,
    pub(super) named: Option<ModuleVersion>,
    /// Of all that is selected, only the zips of these modules and of those above and below them count.
    around: Option<BTreeSet<String>>,
    pub(super) optional: bool,
    pub(super) resolver: Mutex<Resolver>,
    pub(super) first: Mutex<Vec<ModuleVersion>>,
    asked_own_sums: Mutex<bool>,
}

impl Build {
    pub(super) fn new(
        name: String,
        main: Main,
        named: Option<ModuleVersion>,
        around: Option<BTreeSet<String>>,
        optional: bool,
    ) -> Build {
        let (resolver, first) = Resolver::new(main);
        Build {
            name,
            named,
            around,
            optional,
            resolver: Mutex::new(resolver),
            first: Mutex::new(first),
            asked_own_sums: Mutex::new(false),
        }
    }

    /// Whether the zip of what is selected counts. Below `a/b`, the go command looks for packages in `a`, `a/b` and
    /// `a/b/c`, where those are in the build list.
    pub(super) fn has_zip_of(&self, module: &ModuleVersion) -> bool {
        let Some(around) = &self.around else {
            return true;
        };
        let path = module.path().as_str();
        let mut above = path.match_indices('/').map(|(end, _)| &path[..end]);
        let below = format!("{path}/");
        around.contains(path)
            || above.any(|path| around.contains(path))
            || around.iter().any(|path| path.starts_with(&below))
    }
}

impl Session<'_> {
    /// Fetches what a build's selection came to, once it has.
    pub(super) fn selected<'t>(&'t self, pool: &Pool<'t>, index: usize) {
        let build = &self.builds[index];
        let selection = lock(&build.resolver).selection().cloned();
        if let Some(selection) = selection {
            for module in &selection.whole {
                if build.has_zip_of(module) {
                    self.want(pool, module, Level::Whole, None, build.optional);
                }
            }
            for module in &selection.listed {
                self.want(pool, module, Level::Listed, None, true);
            }
            self.own_sums(pool, index, &selection);
        }
    }

    /// A named module's own go.sum tells what its tests and those of its packages need besides: what its
    /// authors' `go mod tidy` wrote. Of that, what the selection agrees with is carried where it can be had.
    fn own_sums<'t>(&'t self, pool: &Pool<'t>, index: usize, selection: &Selection) {
        let build = &self.builds[index];
        let Some(named) = &build.named else { return };
        let zip = self
            .lock()
            .slots
            .get(named)
            .and_then(|slot| slot.zip.clone());
        let Some(zip) = zip else { return };
        if std::mem::replace(&mut *lock(&build.asked_own_sums), true) {
            return;
        }
        match gosum_inside::read(named, &zip.path) {
            Ok(sums) => {
                for (module, sum) in sums {
                    let agreed = selection.selected.get(module.path()) == Some(&module);
                    if sum.zip.is_some() && agreed {
                        self.want(pool, &module, Level::Whole, None, true);
                    }
                }
            }
            Err(error) => {
                let mut state = self.lock();
                state.uncertain = true;
                state
                    .notes
                    .insert(format!("{named}: its go.sum cannot be used: {error}"));
            }
        }
    }
}
