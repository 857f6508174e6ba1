//! A software bill of materials: the Go modules that a CycloneDX or an SPDX document in JSON names.
//!
//! Both name a module by its package URL, `pkg:golang/github.com/caddyserver/caddy/v2@v2.11.9`, and that is all that is
//! read. Which of the two a document is, it says itself. Components of other ecosystems, the standard library, and
//! what has no version that could be asked for (a program's own `(devel)`) are passed over, counted, and told.
//!
//! A bill says what was in a program, not what building it takes: versions of what is named are meant with the go.mod
//! files that lead to them, so that they build.
//!
//! CycloneDX: <https://cyclonedx.org/docs/1.6/json/>; SPDX: <https://spdx.github.io/spdx-spec/v2.3/> and its version 3;
//! package URLs: <https://github.com/package-url/purl-spec>. That page wants Go's names in lower case; the tools that
//! write bills leave them as they are, and a proxy knows only those, so they are taken as they are written.

use std::collections::{BTreeMap, BTreeSet};

use modferry_protocol::module::ModuleVersion;
use percent_encoding::percent_decode_str;
use serde::Deserialize;

use super::{Listing, Misplaced, some_of};

/// The largest document that is read, in bytes.
pub const MAX_SBOM: u64 = 64 << 20;

/// Why a document is not read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SbomError {
    /// It is no JSON, or not of the shape that it says.
    #[error("{0}")]
    Misplaced(#[from] Misplaced),
    /// It is neither kind.
    #[error("neither a CycloneDX nor an SPDX document in JSON: convert it to one")]
    Neither,
    /// It names no Go module at all.
    #[error("names no Go module (package URLs that begin with pkg:golang/){}", .0.iter().map(|note| format!("; {note}")).collect::<String>())]
    NoModule(Vec<String>),
}

/// Reads a document.
pub fn parse(text: &[u8]) -> Result<Listing, SbomError> {
    let document: Document = serde_json::from_slice(text).map_err(|error| Misplaced {
        line: error.line().max(1),
        column: error.column().max(1),
        what: without_place(&error),
    })?;
    let mut found = Found::default();
    let cyclonedx = document
        .bom_format
        .is_some_and(|format| format == "CycloneDX");
    let spdx2 = document.spdx_version.is_some();
    let Some(graph) = document.graph.filter(|_| !cyclonedx && !spdx2) else {
        if cyclonedx {
            document
                .metadata
                .and_then(|of| of.component)
                .iter()
                .for_each(|it| found.component(it));
            document
                .components
                .iter()
                .for_each(|it| found.component(it));
        } else if spdx2 {
            document.packages.iter().for_each(|it| found.package(it));
        } else {
            return Err(SbomError::Neither);
        }
        return found.done();
    };
    for element in graph {
        if let Some(purl) = element.package_url {
            found.purl(&purl);
        }
    }
    found.done()
}

/// The error without the place that it ends with.
fn without_place(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match text.rsplit_once(" at line ") {
        Some((what, _)) => what.to_owned(),
        None => text,
    }
}

/// As much of all formats as is read.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    bom_format: Option<String>,
    metadata: Option<Metadata>,
    #[serde(default)]
    components: Vec<Component>,
    spdx_version: Option<String>,
    #[serde(default)]
    packages: Vec<Package>,
    /// SPDX 3.
    #[serde(rename = "@graph")]
    graph: Option<Vec<Element>>,
}

#[derive(Deserialize)]
struct Metadata {
    component: Option<Component>,
}

#[derive(Deserialize)]
struct Component {
    purl: Option<String>,
    /// What it is made of.
    #[serde(default)]
    components: Vec<Component>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Package {
    #[serde(default)]
    external_refs: Vec<Reference>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Reference {
    reference_type: String,
    reference_locator: String,
}

#[derive(Deserialize)]
struct Element {
    #[serde(rename = "software_packageUrl")]
    package_url: Option<String>,
}

/// What was found so far.
#[derive(Default)]
struct Found {
    modules: BTreeSet<ModuleVersion>,
    /// How many of which other ecosystem.
    others: BTreeMap<String, usize>,
    /// Go's, without a version that can be asked for.
    unversioned: BTreeSet<String>,
    unnamed: usize,
}

impl Found {
    fn component(&mut self, component: &Component) {
        match &component.purl {
            Some(purl) => self.purl(purl),
            None => self.unnamed += 1,
        }
        // The parser has bounded how deep it goes.
        component
            .components
            .iter()
            .for_each(|it| self.component(it));
    }

    fn package(&mut self, package: &Package) {
        let mut purls = (package.external_refs.iter())
            .filter(|reference| reference.reference_type == "purl")
            .peekable();
        if purls.peek().is_none() {
            self.unnamed += 1;
        }
        purls.for_each(|reference| self.purl(&reference.reference_locator));
    }

    fn purl(&mut self, purl: &str) {
        let Some((kind, rest)) = purl
            .strip_prefix("pkg:")
            .and_then(|rest| rest.trim_start_matches('/').split_once('/'))
        else {
            self.unnamed += 1;
            return;
        };
        if !kind.eq_ignore_ascii_case("golang") {
            *self.others.entry(kind.to_ascii_lowercase()).or_default() += 1;
            return;
        }
        // From the right: subpath, qualifiers, version.
        let rest = rest.split_once('#').map_or(rest, |(rest, _)| rest);
        let rest = rest.split_once('?').map_or(rest, |(rest, _)| rest);
        let (path, version) = rest.rsplit_once('@').unwrap_or((rest, ""));
        let decoded = |text: &str| {
            percent_decode_str(text)
                .decode_utf8()
                .ok()
                .map(String::from)
        };
        let (Some(path), Some(version)) = (decoded(path.trim_matches('/')), decoded(version))
        else {
            self.unversioned.insert(rest.to_owned());
            return;
        };
        if matches!(path.as_str(), "std" | "stdlib" | "cmd" | "toolchain") {
            return;
        }
        match ModuleVersion::parse(&path, &version) {
            Ok(module) => {
                self.modules.insert(module);
            }
            Err(_) => {
                self.unversioned
                    .insert(format!("{path}@{version}").trim_end_matches('@').into());
            }
        }
    }

    fn done(self) -> Result<Listing, SbomError> {
        let mut notes = Vec::new();
        if !self.unversioned.is_empty() {
            notes.push(format!(
                "without a version that can be asked for, passed over: {}",
                some_of(&self.unversioned)
            ));
        }
        let others: usize = self.others.values().sum();
        if others > 0 {
            let by_kind: Vec<String> = self
                .others
                .iter()
                .map(|(kind, count)| format!("{kind} {count}"))
                .collect();
            notes.push(format!(
                "of other ecosystems, passed over: {}",
                by_kind.join(", ")
            ));
        }
        if self.unnamed > 0 {
            notes.push(format!(
                "without a package URL, passed over: {}",
                self.unnamed
            ));
        }
        match self.modules.is_empty() {
            true => Err(SbomError::NoModule(notes)),
            false => Ok(Listing {
                modules: self.modules,
                notes,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn names(bill: &Listing) -> Vec<String> {
        bill.modules.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn cyclonedx_names_modules_by_package_urls() {
        let bill = parse(
            br#"{
              "bomFormat": "CycloneDX", "specVersion": "1.6",
              "metadata": {"component": {"type": "application", "name": "billing", "purl": "pkg:golang/corp.example/billing@(devel)"}},
              "components": [
                {"type": "library", "name": "a", "purl": "pkg:golang/example.com/Upper/a@v1.2.3?type=module&goos=linux#sub/folder",
                 "components": [{"type": "library", "purl": "pkg:golang/example.com/in%2Eside@v0.1.0"}]},
                {"type": "library", "purl": "pkg:golang/github.com/old/thing@v2.0.0%2Bincompatible"},
                {"type": "library", "purl": "pkg:golang/std@1.22.0"},
                {"type": "library", "purl": "pkg:npm/%40angular/core@12.3.1"},
                {"type": "library", "purl": "pkg:golang/example.com/none"},
                {"type": "file", "name": "README"}
              ]}"#,
        )
        .unwrap();
        assert_eq!(
            names(&bill),
            [
                "example.com/Upper/a@v1.2.3",
                "example.com/in.side@v0.1.0",
                "github.com/old/thing@v2.0.0+incompatible"
            ]
        );
        assert_eq!(
            bill.notes,
            [
                "without a version that can be asked for, passed over: corp.example/billing@(devel), example.com/none",
                "of other ecosystems, passed over: npm 1",
                "without a package URL, passed over: 1"
            ]
        );
    }

    #[test]
    fn spdx_names_modules_by_external_references() {
        let bill = parse(
            br#"{"spdxVersion": "SPDX-2.3", "packages": [
              {"name": "a", "externalRefs": [
                {"referenceCategory": "SECURITY", "referenceType": "cpe23Type", "referenceLocator": "cpe:2.3:a:b"},
                {"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl", "referenceLocator": "pkg:golang/example.com/a@v1.0.0"}]},
              {"name": "document"}]}"#,
        )
        .unwrap();
        assert_eq!(names(&bill), ["example.com/a@v1.0.0"]);
        assert_eq!(bill.notes, ["without a package URL, passed over: 1"]);
        let bill = parse(
            br#"{"@context": "https://spdx.org/rdf/3.0.1/spdx-context.jsonld", "@graph": [
              {"type": "SpdxDocument"},
              {"type": "software_Package", "software_packageUrl": "pkg:golang/example.com/b/v3@v3.1.0"}]}"#,
        )
        .unwrap();
        assert_eq!(names(&bill), ["example.com/b/v3@v3.1.0"]);
    }

    #[test]
    fn what_is_no_bill_is_told_with_its_place() {
        for (text, told) in [
            (
                "{\"bomFormat\": \"CycloneDX\",\n \"components\": [}",
                "2:17: expected value",
            ),
            (
                "{\"bomFormat\": \"CycloneDX\",\n \"components\": 7}",
                "2:16: invalid type: integer `7`, expected a sequence",
            ),
            ("", "1:1: EOF while parsing a value"),
            (
                "{}",
                "neither a CycloneDX nor an SPDX document in JSON: convert it to one",
            ),
            ("{\"bomFormat\": \"Other\"}", "neither"),
            (
                "{\"spdxVersion\": \"SPDX-2.2\", \"packages\": [{\"externalRefs\": [{\"referenceType\": \"purl\", \"referenceLocator\": \"pkg:deb/debian/tar@1\"}]}]}",
                "names no Go module (package URLs that begin with pkg:golang/); of other ecosystems, passed over: deb 1",
            ),
        ] {
            let error = parse(text.as_bytes()).unwrap_err().to_string();
            assert!(error.starts_with(told), "{text}: {error}");
        }
        // Nested without end: the parser's own limit, and no overflow of the stack.
        let deep = "{\"components\":[".repeat(10_000);
        let error = parse(deep.as_bytes()).unwrap_err().to_string();
        assert!(error.contains("recursion limit exceeded"), "{error}");
    }

    #[test]
    fn a_note_names_only_some() {
        let components: Vec<String> = (0..9)
            .map(|n| format!("{{\"purl\": \"pkg:golang/example.com/m{n}\"}}"))
            .collect();
        let text = format!(
            "{{\"bomFormat\": \"CycloneDX\", \"components\": [{}, {{\"purl\": \"PKG:golang/x\"}}, {{\"purl\": \"pkg:golang/a.b/c@v1.0.0\"}}]}}",
            components.join(", ")
        );
        let bill = parse(text.as_bytes()).unwrap();
        assert!(
            bill.notes[0].ends_with("example.com/m4 and 4 more"),
            "{:?}",
            bill.notes
        );
        assert_eq!(names(&bill), ["a.b/c@v1.0.0"]);
    }
}
