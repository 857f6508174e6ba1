//! A software bill of materials: the Go modules that a CycloneDX or an SPDX document in JSON names.
//!
//! Both name a module by its package URL, `pkg:golang/github.com/caddyserver/caddy/v2@v2.11.9`, and that is all that is
//! read. Which of the two a document is, it says itself. Components of other ecosystems, the standard library, and
//! what has no version that could be asked for are passed over, counted, and told. So is what the document describes: that is
//! mostly a site's own program, whose name no upstream needs to hear; its version may even look like one.
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
    let cyclonedx = document.bom_format.as_deref() == Some("CycloneDX");
    let spdx2 = document.spdx_version.is_some();
    let Some(graph) = document.graph.as_ref().filter(|_| !cyclonedx && !spdx2) else {
        if cyclonedx {
            if let Some(described) = document
                .metadata
                .as_ref()
                .and_then(|of| of.component.as_ref())
            {
                found.described.extend(described.purl.clone());
                described
                    .components
                    .iter()
                    .for_each(|it| found.component(it));
            }
            document
                .components
                .iter()
                .for_each(|it| found.component(it));
        } else if spdx2 {
            let described = document.described();
            for package in &document.packages {
                match described.contains(package.id.as_str()) {
                    true => found.described.extend(package.purls().map(str::to_owned)),
                    false => found.package(package),
                }
            }
        } else {
            return Err(SbomError::Neither);
        }
        return found.done();
    };
    let roots = graph.iter().flat_map(|element| &element.root_element);
    let roots: BTreeSet<&str> = roots.map(String::as_str).collect();
    for element in graph {
        let Some(purl) = &element.package_url else {
            continue;
        };
        match roots.contains(element.id.as_str()) {
            true => found.described.push(purl.clone()),
            false => found.purl(purl),
        }
    }
    found.done()
}

/// The error without the place that it ends with.
fn without_place(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let what = text
        .rsplit_once(" at line ")
        .map_or(&*text, |(what, _)| what);
    match error.classify() {
        serde_json::error::Category::Data => what.to_owned(),
        _ => format!("no JSON: {what}"),
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
    #[serde(default)]
    document_describes: Vec<String>,
    #[serde(default)]
    relationships: Vec<Relationship>,
    /// SPDX 3.
    #[serde(rename = "@graph")]
    graph: Option<Vec<Element>>,
}

impl Document {
    /// The identifiers of the packages that an SPDX 2 document is about: it says so in one of two ways.
    fn described(&self) -> BTreeSet<&str> {
        let related = self.relationships.iter();
        let related = related.filter(|it| it.kind == "DESCRIBES");
        let related = related.map(|it| it.related.as_str());
        let listed = self.document_describes.iter().map(String::as_str);
        related.chain(listed).collect()
    }
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
    #[serde(default, rename = "SPDXID")]
    id: String,
    #[serde(default)]
    external_refs: Vec<Reference>,
}

impl Package {
    fn purls(&self) -> impl Iterator<Item = &str> {
        let purls = self.external_refs.iter();
        let purls = purls.filter(|reference| reference.reference_type == "purl");
        purls.map(|reference| reference.reference_locator.as_str())
    }
}

#[derive(Deserialize)]
struct Relationship {
    #[serde(default, rename = "relationshipType")]
    kind: String,
    #[serde(default, rename = "relatedSpdxElement")]
    related: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Reference {
    reference_type: String,
    reference_locator: String,
}

#[derive(Deserialize)]
struct Element {
    #[serde(default, rename = "spdxId")]
    id: String,
    #[serde(rename = "software_packageUrl")]
    package_url: Option<String>,
    /// What a document is about.
    #[serde(default, rename = "rootElement")]
    root_element: Vec<String>,
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
    /// The package URLs of what the document is about.
    described: Vec<String>,
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
        let mut purls = package.purls().peekable();
        if purls.peek().is_none() {
            self.unnamed += 1;
        }
        purls.for_each(|purl| self.purl(purl));
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

    fn done(mut self) -> Result<Listing, SbomError> {
        let mut notes = Vec::new();
        let mut of_itself = Found::default();
        let described = std::mem::take(&mut self.described);
        described.iter().for_each(|purl| of_itself.purl(purl));
        let names = of_itself.modules.iter().map(ToString::to_string);
        let names: BTreeSet<String> = names.chain(of_itself.unversioned).collect();
        if !names.is_empty() {
            notes.push(format!(
                "what it describes is not asked for (name it to have it carried, too): {}",
                some_of(&names)
            ));
        }
        // Some tools list it among its parts as well.
        self.modules
            .retain(|module| !of_itself.modules.contains(module));
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
mod tests;
