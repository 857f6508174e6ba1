//! A compiled Go program: the modules that its build information names (`go version -m PROGRAM` prints the same).
//!
//! The linker leaves a short record in every program that go builds, also in a stripped one (debug/buildinfo is the
//! reference). From 1.18 on its two texts, Go's version and the modules, stand right behind a 32-byte header; before, the
//! header points at them. So three things are done, each in a place of its own: `headers` finds where the addresses of
//! the program lie in the file, `record` finds the record and its texts, and what is here reads the modules out of them. The reference's answer is had by the same steps, so what `go version -m` reads is read here. Of a program for
//! several processors (a fat Mach-O file) each part is read, while the go command looks at the first alone.
//!
//! It is read in place and in small pieces: programs are large, and nothing that one says of its own sizes is believed
//! further than the file is long. The `object` crate was looked at for the headers. It knows no more of Go than where a
//! section is, and keeps in memory whatever it has read through its cache; all that is needed of five formats is a table
//! of addresses each.
//!
//! A program names the versions that its packages came from, and not the requirements that chose them. So what it names
//! is meant with the go.mod files that lead to it, so that it builds. What stands in for a replaced module counts, and
//! not the module. The main module counts where it has a hash, for then it came from a proxy (`go install …@v1.2.3`);
//! without one it was built from a checkout, whose version says nothing of what a proxy has.

mod headers;
mod image;
mod record;

use std::collections::BTreeSet;
use std::io;

use modferry_protocol::module::ModuleVersion;
use modferry_protocol::zip::ReadAt;

use super::{Listing, some_of};

/// Why a program is not read. Displays whole, in one line.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BinaryError {
    /// The file cannot be read.
    #[error("cannot be read")]
    Read(#[from] io::Error),
    /// It begins like nothing that go builds.
    #[error("no program: neither ELF, PE, Mach-O, XCOFF nor Plan 9's a.out")]
    NoProgram,
    /// Its headers do not hold together.
    #[error("damaged {format} file: {what}")]
    Damaged {
        /// Which format it has.
        format: &'static str,
        /// What is wrong.
        what: &'static str,
    },
    /// There is no record in it, or none that can be read.
    #[error(
        "no build information of Go's: not a Go program, or packed or obfuscated after it was built; \
         name its go.mod or an SBOM of it instead"
    )]
    NoBuildInfo,
    /// The record is there, without modules.
    #[error(
        "built by {go} without modules: its build information names none; name its go.mod instead"
    )]
    NoModules {
        /// Go's version.
        go: String,
    },
    /// A text is longer than any that go writes.
    #[error("its build information has a text of {size} bytes, more than {limit}", limit = record::MAX_TEXT)]
    TooLong {
        /// In bytes.
        size: u64,
    },
    /// The modules are not written as go writes them.
    #[error("line {line} of its build information: {what}")]
    Line {
        /// Line, from 1.
        line: usize,
        /// What is wrong there.
        what: String,
    },
}

/// Reads the modules that a program was built from, and what of it cannot be carried.
pub fn read(file: &dyn ReadAt) -> Result<Listing, BinaryError> {
    let mut found = Found::default();
    for image in headers::images(file)? {
        let record = record::of(&image)?;
        found.lines(&record.modules)?;
        found.go = record.go;
    }
    found.done()
}

/// What was found so far.
#[derive(Default)]
struct Found {
    /// Go's version.
    go: String,
    modules: BTreeSet<ModuleVersion>,
    /// The main module, built from a checkout.
    checkout: BTreeSet<String>,
    /// Replacements by folders, and modules of a workspace.
    folders: BTreeSet<String>,
    /// What no proxy can have.
    unknown: BTreeSet<String>,
}

/// A module as a line has it.
struct Built<'a> {
    path: &'a str,
    version: &'a str,
    sum: &'a str,
    is_main: bool,
    /// It stands in for this one.
    instead_of: Option<&'a str>,
}

impl Found {
    /// Takes the text, tab-separated lines of which the first field is `mod` (the main module), `dep` or `=>` (what
    /// stands in for the one above); all others say how it was built. (runtime/debug.ParseBuildInfo)
    fn lines(&mut self, text: &str) -> Result<(), BinaryError> {
        let mut before: Option<Built<'_>> = None;
        for (index, line) in text.lines().enumerate() {
            let wrong = |what: String| BinaryError::Line {
                line: index + 1,
                what,
            };
            let mut fields = line.split('\t');
            let word = fields.next().unwrap_or_default();
            if !matches!(word, "mod" | "dep" | "=>") {
                continue;
            }
            let fields: Vec<&str> = fields.collect();
            let (path, version, sum) = match (&fields[..], word) {
                (&[path, version], "mod" | "dep") => (path, version, ""),
                (&[path, version, sum], _) => (path, version, sum),
                _ => return Err(wrong(format!("{} fields behind {word}", fields.len()))),
            };
            let (is_main, instead_of) = match word {
                "=>" => match before.take() {
                    Some(replaced) if replaced.instead_of.is_none() => {
                        (replaced.is_main, Some(replaced.path))
                    }
                    _ => return Err(wrong("a replacement of nothing".into())),
                },
                word => (word == "mod", None),
            };
            let built = Built {
                path,
                version,
                sum,
                is_main,
                instead_of,
            };
            if let Some(whole) = before.replace(built) {
                self.module(&whole);
            }
        }
        if let Some(last) = before {
            self.module(&last);
        }
        Ok(())
    }

    fn module(&mut self, built: &Built<'_>) {
        let Built { path, version, .. } = built;
        let name = match (built.instead_of, *version) {
            (Some(replaced), "(devel)" | "") => format!("{replaced} => {path}"),
            (Some(replaced), version) => format!("{replaced} => {path}@{version}"),
            (None, version) => format!("{path}@{version}"),
        };
        if built.is_main && built.sum.is_empty() {
            self.checkout.insert(name);
            return;
        }
        if matches!(*version, "(devel)" | "") {
            self.folders.insert(name);
            return;
        }
        match ModuleVersion::parse(path, version) {
            Ok(module) => {
                self.modules.insert(module);
            }
            Err(_) => {
                self.unknown.insert(name);
            }
        }
    }

    fn done(self) -> Result<Listing, BinaryError> {
        let nothing_is_named =
            self.checkout.is_empty() && self.folders.is_empty() && self.unknown.is_empty();
        if self.modules.is_empty() && nothing_is_named {
            return Err(BinaryError::NoModules { go: self.go });
        }
        let told = [
            (
                "built from a checkout, whose own modules are not asked for",
                &self.checkout,
            ),
            ("built from folders, which cannot be carried", &self.folders),
            ("no module versions, passed over", &self.unknown),
        ];
        let notes = (told.iter())
            .filter(|(_, names)| !names.is_empty())
            .map(|(what, names)| format!("{what}: {}", some_of(names)))
            .collect();
        Ok(Listing {
            modules: self.modules,
            notes,
        })
    }
}

#[cfg(test)]
mod tests;
