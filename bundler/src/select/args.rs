//! From what was asked for to what is fetched.

use std::io;
use std::path::{Path, PathBuf};

use modferry_protocol::module::{ModuleVersion, Revision};
use modferry_protocol::zip::MAX_GO_MOD;

use super::gomod::GoMod;
use super::mvs::Main;
use super::{gosum, mvs};
use crate::error::Error;
use crate::fetch::Want;
use crate::files;

/// The largest go.sum file that is read, in bytes.
pub const MAX_GO_SUM: u64 = 64 << 20;

/// What to fetch for these arguments and go.mod files, and what to tell about it.
pub fn wants(modules: &[String], go_mods: &[PathBuf]) -> Result<(Vec<Want>, Vec<String>), Error> {
    if modules.is_empty() && go_mods.is_empty() {
        return Err(Error::usage(
            "nothing to export: name modules (path@version), or go.mod files with --go-mod",
        ));
    }
    let (mut wants, mut notes) = (Vec::new(), Vec::new());
    for argument in modules {
        let module = module_version(argument)?;
        wants.push(Want::Build {
            name: argument.clone(),
            main: Box::new(Main::requiring(module.clone())),
            named: Some(module),
        });
    }
    for path in go_mods {
        wants.push(of_file(path, &mut notes)?);
    }
    Ok((wants, notes))
}

/// `path@version`. Queries (`@latest`, a branch) have their place here and come later.
fn module_version(argument: &str) -> Result<ModuleVersion, Error> {
    let Some((path, version)) = argument.split_once('@') else {
        return Err(Error::usage(format!(
            "{argument}: no version: say {argument}@vX.Y.Z (queries come later: give a version)"
        )));
    };
    if path.contains("...") {
        return Err(Error::usage(format!(
            "{argument}: patterns come later: name one module"
        )));
    }
    ModuleVersion::parse(path, version).map_err(|source| {
        let looks_like_query = !version.starts_with('v') || version.split('.').count() < 3;
        if looks_like_query && Revision::new(version).is_ok() {
            Error::usage(format!(
                "{argument}: queries come later: give a version (vX.Y.Z)"
            ))
        } else {
            Error::usage_because(format!("{argument}: not a module version"), source)
        }
    })
}

fn of_file(path: &Path, notes: &mut Vec<String>) -> Result<Want, Error> {
    let text = files::read_bounded(path, MAX_GO_MOD).map_err(Error::file("read", path))?;
    let file = GoMod::parse(&text)
        .map_err(|source| Error::usage_because(path.display().to_string(), source))?;
    let sum_path = path.with_extension("sum");
    let sum = match files::read_bounded(&sum_path, MAX_GO_SUM) {
        Ok(text) => Some(text),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(Error::file("read", &sum_path)(error)),
    };
    if let Some(text) = sum {
        let sums = gosum::parse(&text)
            .map_err(|source| Error::usage_because(sum_path.display().to_string(), source))?;
        return Ok(Want::Sums {
            file: sum_path,
            sums,
        });
    }
    let main = Main::of(&file)
        .map_err(|source| Error::usage_because(path.display().to_string(), source))?;
    let mvs::Main {
        summary,
        lists_everything,
        ..
    } = &main;
    if let Some(name) = summary.malformed.first() {
        return Err(Error::usage(format!(
            "{}: {name} is no module version",
            path.display()
        )));
    }
    if summary.pruned && !lists_everything && !summary.require.is_empty() {
        notes.push(format!(
            "{} has no go.sum and lists no indirect requirement: taken as a list of wishes, with all that they require",
            path.display()
        ));
    }
    Ok(Want::Build {
        name: path.display().to_string(),
        main: Box::new(main),
        named: None,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn refusal(argument: &str) -> String {
        wants(&[argument.to_owned()], &[]).unwrap_err().to_string()
    }

    #[test]
    fn arguments_are_module_versions() {
        let (wants, _) = wants(&["example.com/a/v2@v2.0.1".into()], &[]).unwrap();
        assert!(
            matches!(&wants[0], Want::Build { named: Some(named), .. } if named.to_string() == "example.com/a/v2@v2.0.1")
        );
        for query in [
            "a.b/c@latest",
            "a.b/c@master",
            "a.b/c@v1",
            "a.b/c@v1.2",
            "a.b/c@abcdef",
            "a.b/c",
        ] {
            assert!(
                refusal(query).contains("queries come later"),
                "{}",
                refusal(query)
            );
        }
        assert!(refusal("a.b/...@v1.0.0").contains("patterns come later"));
        assert!(refusal("a.b/c@v2.0.0").contains("not a module version"));
        assert!(wants_nothing().contains("nothing to export"));
    }

    fn wants_nothing() -> String {
        wants(&[], &[]).unwrap_err().to_string()
    }

    #[test]
    fn a_go_sum_beside_it_counts_instead_of_the_go_mod() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("go.mod");
        std::fs::write(&path, "module m\ngo 1.21\nrequire a.b/c v1.0.0\n").unwrap();
        let (found, notes) = wants(&[], std::slice::from_ref(&path)).unwrap();
        assert!(matches!(&found[0], Want::Build { named: None, .. }));
        assert!(notes[0].contains("list of wishes"), "{notes:?}");
        let line = "a.b/c v1.0.0/go.mod h1:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n";
        std::fs::write(dir.path().join("go.sum"), line).unwrap();
        let (found, _) = wants(&[], &[path]).unwrap();
        assert!(matches!(&found[0], Want::Sums { sums, .. } if sums.len() == 1));
    }

    #[test]
    fn a_faulty_file_is_told_by_name_and_line() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("go.mod");
        std::fs::write(&path, "module m\nrequire a.b/c master\n").unwrap();
        let error = wants(&[], &[path]).unwrap_err();
        let source = std::error::Error::source(&error).unwrap().to_string();
        assert!(
            error.to_string().ends_with("go.mod") && source.starts_with("line 2"),
            "{error}: {source}"
        );
    }
}
