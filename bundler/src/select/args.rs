//! From what was asked for to what is fetched.

use std::io;
use std::path::Path;

use modferry_protocol::zip::MAX_GO_MOD;

use super::gomod::GoMod;
use super::mvs::Main;
use super::sought::Sought;
use super::toolchains::Lines;
use super::{gosum, mvs};
use crate::asked::Asked;
use crate::error::Error;
use crate::fetch::Want;
use crate::files;
use crate::settings::Config;

/// The largest go.sum file that is read, in bytes.
pub const MAX_GO_SUM: u64 = 64 << 20;

/// What the settings ask for.
pub fn asked(config: &Config) -> Result<Asked, Error> {
    if config.modules.is_empty() && config.go_mod.is_empty() {
        return Err(Error::usage(
            "nothing to export: name modules (path@version), or go.mod files with --go-mod",
        ));
    }
    let mut asked = Asked::default();
    for argument in &config.modules {
        let sought = Sought::parse(argument).map_err(|error| Error::usage(error.to_string()))?;
        asked.sought.push(Sought {
            pre_releases: config.pre_releases.unwrap_or(false),
            retracted: config.retracted.unwrap_or(false),
            ..sought
        });
    }
    for path in &config.go_mod {
        of_file(path, &mut asked)?;
    }
    Ok(asked)
}

fn of_file(path: &Path, asked: &mut Asked) -> Result<(), Error> {
    let text = files::read_bounded(path, MAX_GO_MOD).map_err(Error::file("read", path))?;
    let file = GoMod::parse(&text)
        .map_err(|source| Error::usage_because(path.display().to_string(), source))?;
    asked.lines.push(Lines {
        go: file.go.clone(),
        toolchain: file.toolchain.clone(),
    });
    let sum_path = path.with_extension("sum");
    let sum = match files::read_bounded(&sum_path, MAX_GO_SUM) {
        Ok(text) => Some(text),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(Error::file("read", &sum_path)(error)),
    };
    if let Some(text) = sum {
        let sums = gosum::parse(&text)
            .map_err(|source| Error::usage_because(sum_path.display().to_string(), source))?;
        asked.wants.push(Want::Sums {
            file: sum_path,
            sums,
        });
        return Ok(());
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
        asked.notes.push(format!(
            "{} has no go.sum and lists no indirect requirement: taken as a list of wishes, with all that they require",
            path.display()
        ));
    }
    asked.wants.push(Want::Build {
        name: path.display().to_string(),
        main: Box::new(main),
        named: None,
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::path::PathBuf;

    fn of(modules: &[&str], go_mod: &[PathBuf]) -> Result<Asked, Error> {
        asked(&Config {
            modules: modules.iter().map(|name| (*name).to_owned()).collect(),
            go_mod: go_mod.to_vec(),
            ..Config::default()
        })
    }

    #[test]
    fn arguments_are_sought() {
        let asked = of(&["example.com/a/v2@v2.0.1", "a.b/c@latest"], &[]).unwrap();
        let names: Vec<String> = asked.sought.iter().map(ToString::to_string).collect();
        assert_eq!(names, ["example.com/a/v2@v2.0.1", "a.b/c@latest"]);
        let refusal = |names: &[&str]| of(names, &[]).unwrap_err().to_string();
        assert!(refusal(&["a.b/c"]).contains("say a.b/c@latest"));
        assert!(refusal(&["a.b/c@newest 0"]).contains("say how many"));
        assert!(refusal(&[]).contains("nothing to export"));
    }

    #[test]
    fn a_go_sum_beside_it_counts_instead_of_the_go_mod() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("go.mod");
        std::fs::write(&path, "module m\ngo 1.21\nrequire a.b/c v1.0.0\n").unwrap();
        let found = of(&[], std::slice::from_ref(&path)).unwrap();
        assert!(matches!(&found.wants[0], Want::Build { named: None, .. }));
        assert!(
            found.notes[0].contains("list of wishes"),
            "{:?}",
            found.notes
        );
        assert_eq!(found.lines[0].go.as_deref(), Some("1.21"));
        let line = "a.b/c v1.0.0/go.mod h1:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n";
        std::fs::write(dir.path().join("go.sum"), line).unwrap();
        let found = of(&[], &[path]).unwrap();
        assert!(matches!(&found.wants[0], Want::Sums { sums, .. } if sums.len() == 1));
    }

    #[test]
    fn a_faulty_file_is_told_by_name_and_line() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("go.mod");
        std::fs::write(&path, "module m\nrequire a.b/c master\n").unwrap();
        let error = of(&[], &[path]).unwrap_err();
        let source = std::error::Error::source(&error).unwrap().to_string();
        assert!(
            error.to_string().ends_with("go.mod") && source.starts_with("line 2"),
            "{error}: {source}"
        );
    }
}
