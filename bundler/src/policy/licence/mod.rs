//! The licences of a module, found in its zip: the texts that lie in its root folder and are called LICENSE, LICENCE,
//! COPYING or UNLICENSE, with whatever behind it.
//!
//! A licence deeper inside is of what lies there: copied code, test data. It is passed over, as the go command's own
//! documentation site does for the module as a whole.

pub mod text;

use std::collections::BTreeSet;
use std::io;

use modferry_protocol::module::ModuleVersion;
use modferry_protocol::zip::{ReadAt, ZipError, places};
use serde::de::{Deserialize, Deserializer};

use crate::unzip;

/// A licence that is not recognised, and a module that has no licence text.
pub const UNKNOWN: &str = "unknown";

/// The largest licence text that is read, in bytes; what is larger is unknown. The longest known one has 35 kB, and
/// files that collect those of copied code a few hundred.
pub const MAX_TEXT: u64 = 1 << 20;

/// No more licence texts than this are read of a module; if it has more, that is unknown.
pub const MAX_TEXTS: usize = 32;

/// Licences that may be carried: an entry of the `licences` list.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Licence(Box<str>);

/// A name that no text is ever found to be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no licence that is recognised: say {UNKNOWN}, or one of {known}", known = known())]
pub struct NoLicence(String);

fn known() -> String {
    let known: Vec<&str> = text::identifiers().into_iter().collect();
    known.join(", ")
}

impl Licence {
    /// As it is found in a module.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::str::FromStr for Licence {
    type Err = NoLicence;

    fn from_str(text: &str) -> Result<Licence, NoLicence> {
        // Whether a later version may be chosen is not in the text of a licence.
        let plain = text
            .strip_suffix("-only")
            .or(text.strip_suffix("-or-later"));
        let plain = plain.filter(|plain| plain.contains("GPL-")).unwrap_or(text);
        match plain == UNKNOWN || text::identifiers().contains(plain) {
            true => Ok(Licence(plain.into())),
            false => Err(NoLicence(text.to_owned())),
        }
    }
}

impl<'de> Deserialize<'de> for Licence {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Licence, D::Error> {
        crate::select::text::deserialize(deserializer, "a licence, as in MIT or Apache-2.0")
    }
}

/// Why a zip's licences cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// Its directory.
    #[error(transparent)]
    Zip(#[from] ZipError),
    /// A text in it.
    #[error("{name} cannot be unpacked")]
    File {
        /// The entry.
        name: String,
        /// Why not.
        source: io::Error,
    },
}

/// The licences of this module, whose zip it is: [`UNKNOWN`] is among them where a text is not recognised, or there is
/// none.
pub fn of_zip(
    module: &ModuleVersion,
    zip: &(impl ReadAt + ?Sized),
) -> Result<BTreeSet<&'static str>, Unreadable> {
    let prefix = format!("{module}/");
    let mut found = BTreeSet::new();
    let mut texts = 0;
    for place in places(zip)? {
        let name = String::from_utf8_lossy(&place.name).into_owned();
        if !name.strip_prefix(&prefix).is_some_and(is_licence) {
            continue;
        }
        texts += 1;
        if texts > MAX_TEXTS {
            found.insert(UNKNOWN);
            break;
        }
        let text = unzip::content(zip, &place, MAX_TEXT)
            .map_err(|source| Unreadable::File { name, source })?;
        let licences = text.map(|text| text::recognise(&text)).unwrap_or_default();
        match licences.is_empty() {
            true => drop(found.insert(UNKNOWN)),
            false => found.extend(licences),
        }
    }
    if texts == 0 {
        found.insert(UNKNOWN);
    }
    Ok(found)
}

/// Whether a file of the root folder is a licence text by its name.
fn is_licence(name: &str) -> bool {
    const NAMES: [&str; 4] = ["license", "licence", "copying", "unlicense"];
    let name = name.to_ascii_lowercase();
    let begins = |word: &str| {
        let rest = name.strip_prefix(word);
        rest.is_some_and(|rest| !rest.starts_with(|c: char| c.is_ascii_alphanumeric()))
    };
    // license.go is a program.
    !name.contains('/') && !name.ends_with(".go") && NAMES.into_iter().any(begins)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use modferry_checker::testing::TestModule;

    const ISC: &str = "Permission to use, copy, modify, and/or distribute this software for any purpose with or without \
         fee is hereby granted, provided that the above copyright notice and this permission notice appear in all copies.";

    fn of(files: &[(&str, &str)]) -> Vec<&'static str> {
        let module = TestModule::new("a.test/m@v1.0.0", files);
        let found = of_zip(&module.module, module.zip.as_slice()).unwrap();
        found.into_iter().collect()
    }

    #[test]
    fn texts_in_the_root_folder_count_by_their_names() {
        for name in [
            "LICENSE",
            "Licence.md",
            "COPYING",
            "LICENSE-ISC",
            "license.txt",
            "COPYING.LESSER",
        ] {
            assert_eq!(
                of(&[("go.mod", "module a.test/m\n"), (name, ISC)]),
                ["ISC"],
                "{name}"
            );
        }
        for name in [
            "licenses.txt",
            "sub/LICENSE",
            "license.go",
            "README",
            "vendored/COPYING",
        ] {
            assert_eq!(
                of(&[("go.mod", "module a.test/m\n"), (name, ISC)]),
                [UNKNOWN],
                "{name}"
            );
        }
        assert_eq!(
            of(&[("LICENSE", ISC), ("COPYING", "mine")]),
            ["ISC", UNKNOWN]
        );
    }

    #[test]
    fn a_text_is_read_up_to_the_limit() {
        let limit = usize::try_from(MAX_TEXT).unwrap();
        let fits = format!("{ISC}{}", " ".repeat(limit - ISC.len()));
        assert_eq!(of(&[("LICENSE", &fits)]), ["ISC"]);
        assert_eq!(of(&[("LICENSE", &format!("{fits} "))]), [UNKNOWN]);
    }

    #[test]
    fn so_many_texts_are_read_and_no_more() {
        let names: Vec<String> = (0..=MAX_TEXTS).map(|n| format!("LICENSE-{n}")).collect();
        let files: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), ISC)).collect();
        assert_eq!(of(&files[..MAX_TEXTS]), ["ISC"]);
        assert_eq!(of(&files), ["ISC", UNKNOWN]);
    }

    #[test]
    fn a_list_names_what_can_be_found() {
        let parse = |text: &str| {
            text.parse::<Licence>()
                .map(|licence| licence.0.into_string())
        };
        assert_eq!(parse("MIT").unwrap(), "MIT");
        assert_eq!(parse("unknown").unwrap(), UNKNOWN);
        assert_eq!(parse("GPL-3.0-or-later").unwrap(), "GPL-3.0");
        assert_eq!(parse("LGPL-2.1-only").unwrap(), "LGPL-2.1");
        for wrong in ["mit", "MIT-only", "Apache", ""] {
            let error = parse(wrong).unwrap_err().to_string();
            assert!(error.contains("Apache-2.0, BSD-2-Clause"), "{error}");
        }
    }
}
