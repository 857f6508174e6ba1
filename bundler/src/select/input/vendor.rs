//! vendor/modules.txt: the modules that `go mod vendor` and `go work vendor` have copied from.
//!
//! ```text
//! ## workspace
//! # example.com/a v1.0.0                            a module of the build list
//! ## explicit; go 1.21                              which go.mod names itself
//! example.com/a/pkg                                 and whose packages were copied
//! # example.com/b v1.0.0 => example.com/c v1.2.0    replaced
//! # example.com/d => ../d                           replaced at every version, by a folder
//! ```
//!
//! It is read as the go command reads it (cmd/go/internal/modload/vendor.go). What packages come from, and what go.mod
//! names itself, is wanted whole, so that the same can be built, tidied and vendored again without the folder. Replacements stand
//! at the end once more where no package comes from what they replace: go cannot say whether its graph has them, and of
//! those the go.mod alone is wanted, which it then reads. What stands in for a replaced module counts, and not the module.
//!
//! The file does not say what its modules require. So what it names is meant with the go.mod files that lead to it;
//! where the go.mod beside the folder is at hand, that one says more.

use std::collections::{BTreeMap, BTreeSet};

use modferry_protocol::module::ModuleVersion;
use modferry_protocol::module::semver;

use super::{Levels, Misplaced, lines, some_of};
use crate::fetch::Level;

/// The largest file that is read, in bytes: a line for each package, many times the largest that is known.
pub const MAX_VENDOR: u64 = 16 << 20;

/// Reads a modules.txt.
///
/// # Errors
/// Where a module of it has a name that no proxy answers to, and where it names none at all.
pub fn parse(text: &[u8]) -> Result<Levels, Misplaced> {
    let mut found = Found::default();
    for line in lines(text) {
        let (line, text) = line?;
        found.line(text).map_err(|(at, what)| Misplaced {
            line,
            column: text[..at].chars().count() + 1,
            what,
        })?;
    }
    found.done()
}

/// What was found so far.
#[derive(Default)]
struct Found {
    modules: BTreeMap<ModuleVersion, Level>,
    folders: BTreeSet<String>,
    /// Headings that say neither a version nor a replacement.
    unread: BTreeSet<String>,
    /// Whose packages and remarks the next lines are, if that can be carried.
    current: Option<ModuleVersion>,
}

impl Found {
    /// Takes a line; what is wrong with it comes with the byte at which it stands.
    fn line(&mut self, line: &str) -> Result<(), (usize, String)> {
        if line.starts_with("# ") {
            return self.heading(line);
        }
        let Some(current) = &self.current else {
            return Ok(());
        };
        let counts = match line.strip_prefix("## ") {
            Some(remarks) => remarks.split(';').any(|remark| remark.trim() == "explicit"),
            None => !line.starts_with('#') && line.split_whitespace().count() == 1,
        };
        if counts {
            self.modules.insert(current.clone(), Level::Whole);
        }
        Ok(())
    }

    /// `# PATH [VERSION] [=> PATH [VERSION]]`.
    fn heading(&mut self, line: &str) -> Result<(), (usize, String)> {
        self.current = None;
        let fields: Vec<&str> = line.split_whitespace().skip(1).collect();
        let is_version = |text: &str| semver::is_valid(text);
        let (path, version) = match fields[..] {
            // Replaced at every version.
            [_, "=>", path, version] if is_version(version) => (path, version),
            [_, replaced, "=>", path, version] if is_version(replaced) && is_version(version) => {
                (path, version)
            }
            [replaced, "=>", folder] | [replaced, _, "=>", folder] => {
                self.folders.insert(format!("{replaced} => {folder}"));
                return Ok(());
            }
            [path, version] if is_version(version) => (path, version),
            _ => {
                self.unread.insert(line.to_owned());
                return Ok(());
            }
        };
        let at = path.as_ptr().addr() - line.as_ptr().addr();
        let module = ModuleVersion::parse(path, version)
            .map_err(|error| (at, format!("{path} {version}: {error}")))?;
        self.modules.entry(module.clone()).or_insert(Level::Mod);
        self.current = Some(module);
        Ok(())
    }

    fn done(self) -> Result<Levels, Misplaced> {
        if self.modules.is_empty() && self.folders.is_empty() {
            return Err(Misplaced {
                line: 1,
                column: 1,
                what: "names no module: this is no modules.txt of `go mod vendor`".into(),
            });
        }
        let told = [
            ("copied from folders, which cannot be carried", self.folders),
            ("not understood, passed over", self.unread),
        ];
        let notes = (told.iter())
            .filter(|(_, names)| !names.is_empty())
            .map(|(what, names)| format!("{what}: {}", some_of(names)))
            .collect();
        Ok(Levels {
            modules: self.modules,
            notes,
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::select::input::testing::{Workshop, levels};
    use modferry_checker::testing::TestModule;

    fn workshop() -> Workshop {
        let package = "package p\n";
        let module = |name: &str| TestModule::new(name, &[("p.go", package), ("q/q.go", package)]);
        let requires = "module example.com/Upper/a\n\nrequire example.com/deep v1.0.0\n";
        let a = TestModule::new(
            "example.com/Upper/a@v1.1.0",
            &[("go.mod", requires), ("p.go", package)],
        );
        let workshop = Workshop::new(&[
            a,
            module("example.com/b/v2@v2.0.0-rc.1"),
            module("example.com/deep@v1.0.0"),
            module("example.com/deep@v1.0.1"),
            module("example.com/old@v1.0.0"),
            module("example.com/new@v1.2.3"),
            module("example.com/other@v1.0.0"),
        ]);
        workshop.write("here/go.mod", "module example.com/here\n");
        workshop.write("here/p.go", package);
        let main = |name: &str, requires: &[&str]| {
            let imports: String = (requires.iter())
                .map(|line| format!("import _ \"{}\"\n", line.split(' ').next().unwrap()))
                .collect();
            workshop.write(
                &format!("{name}/main.go"),
                format!("package main\n\n{imports}\nfunc main() {{}}\n"),
            );
            let requires: String = requires
                .iter()
                .map(|line| format!("require {line}\n"))
                .collect();
            let module = format!("module example.com/{name}\n\ngo 1.21\n\n{requires}");
            let replaces = "require example.com/other v1.0.0\n\
                replace example.com/old => example.com/new v1.2.3\n\
                replace example.com/here => ../here\n\
                replace example.com/deep v1.0.0 => example.com/deep v1.0.1\n";
            workshop.write(&format!("{name}/go.mod"), module + replaces);
        };
        main(
            "one",
            &[
                "example.com/Upper/a v1.1.0",
                "example.com/old v1.0.0",
                "example.com/here v1.0.0",
            ],
        );
        main("two", &["example.com/b/v2 v2.0.0-rc.1"]);
        workshop
    }

    #[test]
    fn what_go_mod_vendor_writes_is_read() {
        let workshop = workshop();
        // This writes go.sum.
        workshop.go("one", &[], &["list", "-mod=mod", "-deps", "."]);
        workshop.go("one", &[], &["mod", "vendor"]);
        let text = std::fs::read(workshop.path("one/vendor/modules.txt")).unwrap();
        let listing = parse(&text).unwrap();
        let expected = [
            "example.com/Upper/a@v1.1.0 Whole",
            // Nothing of it was copied, and its go.mod counts in the graph.
            "example.com/deep@v1.0.1 Mod",
            "example.com/new@v1.2.3 Whole",
            // No package of it is imported; go.mod names it.
            "example.com/other@v1.0.0 Whole",
        ];
        assert_eq!(
            levels(&listing),
            expected,
            "{}",
            String::from_utf8_lossy(&text)
        );
        assert_eq!(
            listing.notes,
            ["copied from folders, which cannot be carried: example.com/here => ../here"]
        );
        // The go command itself: what is in its build list.
        let format = "{{with .Replace}}{{.Path}}@{{.Version}}{{else}}{{.Path}}@{{.Version}}{{end}}";
        let all = workshop.go("one", &[], &["list", "-mod=mod", "-m", "-f", format, "all"]);
        let mut all: Vec<&str> = all.lines().filter(|line| !line.ends_with('@')).collect();
        all.sort();
        let names: Vec<String> = listing.modules.keys().map(ToString::to_string).collect();
        assert_eq!(names, all);
    }

    #[test]
    fn what_go_work_vendor_writes_is_read() {
        let workshop = workshop();
        workshop.write("go.work", "go 1.22\n\nuse ./one\nuse ./two\n");
        workshop.go("one", &[], &["work", "vendor"]);
        let text = std::fs::read(workshop.path("vendor/modules.txt")).unwrap();
        assert!(text.starts_with(b"## workspace\n"));
        let listing = parse(&text).unwrap();
        let expected = [
            "example.com/Upper/a@v1.1.0 Whole",
            "example.com/b/v2@v2.0.0-rc.1 Whole",
            "example.com/deep@v1.0.1 Mod",
            "example.com/new@v1.2.3 Whole",
            "example.com/other@v1.0.0 Whole",
        ];
        assert_eq!(
            levels(&listing),
            expected,
            "{}",
            String::from_utf8_lossy(&text)
        );
    }

    #[test]
    fn lines_are_taken_as_go_takes_them() {
        let listing = parse(
            b"lost/package\n## explicit\n# a.b/c v1.0.0\n## go 1.21;explicit\n# a.b/d v1.0.0\n## new; in 2030\n\
              # a.b/e v1.0.0\na.b/e/p\r\n# a.b/f is what?\na.b/f/p\n# a.b/g v1.0.0 => x y\n#### remark\n",
        )
        .unwrap();
        let expected = [
            "a.b/c@v1.0.0 Whole",
            "a.b/d@v1.0.0 Mod",
            "a.b/e@v1.0.0 Whole",
        ];
        assert_eq!(levels(&listing), expected);
        assert_eq!(
            listing.notes,
            ["not understood, passed over: # a.b/f is what?, # a.b/g v1.0.0 => x y"]
        );
        // All from folders: nothing is asked for, and that is told.
        let listing = parse(b"# a.b/c => ../c\n").unwrap();
        assert!(listing.modules.is_empty() && listing.notes.len() == 1);
    }

    #[test]
    fn what_is_wrong_has_its_place() {
        for (text, told) in [
            (&b""[..], "1:1: names no module"),
            (
                b"module m\n\nrequire a.b/c v1.0.0\n",
                "1:1: names no module",
            ),
            (b"# a.b/c v1.0.0\n# a.b/c v2.0.0\n", "2:3: a.b/c v2.0.0: "),
            (b"# a.b/c v1\n", "1:3: a.b/c v1: "),
            (b"# a.b/c v1.0.0 => A:b/c v1.0.0\n", "1:19: A:b/c v1.0.0: "),
            (b"# a.b/c v1.0.0\n\xc3\xa4\xff", "2:2: not UTF-8 text"),
        ] {
            let error = parse(text).unwrap_err().to_string();
            assert!(error.starts_with(told), "{error}");
        }
    }
}
