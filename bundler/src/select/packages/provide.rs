//! Which module would provide a package that none of the build has (cmd/go/internal/modload: queryImport, QueryPattern).
//!
//! What the main module replaces comes first, though nothing requires it yet. Else every module whose path is a prefix of
//! the import path is looked up, and the longest counts whose newest version has the package. What a build has at a
//! newer version already is left as it is: without the package there, there is none.
//!
//! The go command asks its proxy for what lies below the main module's path, too. Here that is asked for nowhere: a project
//! that is named as a file has told nobody its name, and an import of it that is missing is the project's own mistake.

use modferry_protocol::module::{ModulePath, ModuleVersion};

use super::find::{is_standard, prefixes};
use super::world::{Selected, Tree, Wait, World};

/// The module, at the version that is to be required, where these are selected.
pub(super) fn provider(
    world: &mut World,
    path: &str,
    selected: &Selected,
) -> Result<Option<ModuleVersion>, Wait> {
    let beyond = |module: &ModuleVersion| {
        let selected = selected.get(module.path());
        selected.is_none_or(|selected| selected < module)
    };
    for module in world.main().replaced_above(path) {
        if beyond(&module) && has(world, &module, path)? {
            return Ok(Some(module));
        }
    }
    if is_standard(path) || !is_importable(path) {
        return Ok(None);
    }
    let (mut candidates, mut waits) = (Vec::new(), false);
    for prefix in prefixes(path) {
        let Ok(prefix) = ModulePath::new(prefix) else {
            continue;
        };
        if world.main().is_own_name(&prefix) {
            continue;
        }
        match world.newest(&prefix, selected.get(&prefix)) {
            Ok(newest) => candidates.extend(newest),
            Err(Wait) => waits = true,
        }
    }
    if waits {
        return Err(Wait);
    }
    for module in candidates {
        if beyond(&module) && has(world, &module, path)? {
            return Ok(Some(module));
        }
    }
    Ok(None)
}

/// Whether a module has the package; so does one whose packages cannot be known.
fn has(world: &mut World, module: &ModuleVersion, path: &str) -> Result<bool, Wait> {
    let folder = path[module.path().as_str().len()..].trim_start_matches('/');
    Ok(match world.tree(module)? {
        Some(Tree::Packages(packages)) => packages.folder(folder).is_some(),
        Some(Tree::Unknown) => true,
        None => false,
    })
}

/// Whether the go command takes it for an import path at all (module.CheckImportPath): what follows the module's path
/// is made as that is, and may have a `+` besides.
fn is_importable(path: &str) -> bool {
    // The last element is one that any host's modules may end with.
    ModulePath::new(&format!("{}/x.v1", path.replace('+', "-"))).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_import_paths_are_looked_up() {
        for path in [
            "a.test/b",
            "a.test/b/v1",
            "a.test/c++/d",
            "gopkg.in/yaml.v2",
            "gopkg.in/yaml.v2/sub",
            "a.test/Upper/_x",
        ] {
            assert!(is_importable(path), "{path}");
        }
        for path in [
            "a.test/b c",
            "./b",
            "../b",
            "a.test//b",
            "a.test/b/",
            "a.test/é",
        ] {
            assert!(!is_importable(path), "{path}");
        }
    }
}
