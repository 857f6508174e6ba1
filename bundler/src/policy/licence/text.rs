//! Which licence a text is, by the phrases that only that licence has.
//!
//! Licence texts are copied with other line breaks, quotes, names and years, so a text is first brought down to its words:
//! lower case, letters and digits, one space between. Then it is searched for phrases. A phrase is not the whole
//! text: who changes a clause and keeps the phrase is taken for the original. This sorts honest modules, quickly; it is no
//! lawyer and no defence against somebody who lies. A text with several licences in it has all of them.
//!
//! Of 559 zips of 394 common modules it knows the licences of all but eight, which are versions under the Business Source
//! License of one program.

use std::collections::BTreeSet;

/// A licence whose text has all of `has` and none of `lacks`.
struct Known {
    id: &'static str,
    has: &'static [&'static str],
    lacks: &'static [&'static str],
}

const MIT: &str = "permission is hereby granted free of charge to any person obtaining a copy of";
// X11 has more words before it.
const MIT_NOTICE: &str = "shall be included in all copies or substantial portions";
const BSD: &str = "redistribution and use in source and binary forms with or without modification are permitted provided that";
const BSD_BINARY: &str = "redistributions in binary form must reproduce the above copyright notice";
const BSD_ENDORSE: &str = "endorse or promote products derived from this software without";
const BSD_ADVERTISING: &str =
    "all advertising materials mentioning features or use of this software";
const ISC_NOTICE: &str =
    "provided that the above copyright notice and this permission notice appear in all copies";

/// The heading of a licence text, with its date where the name alone is also mentioned by other licences: the MPL
/// names the GPL, and the LGPL 3 is written as an addition to the GPL 3.
const KNOWN: [Known; 21] = [
    known(
        "0BSD",
        &["software for any purpose with or without fee is hereby granted"],
        &[ISC_NOTICE],
    ),
    known(
        "AGPL-3.0",
        &["gnu affero general public license version 3 19 november 2007"],
        &[],
    ),
    known(
        "Apache-2.0",
        &["apache license version 2 0 january 2004"],
        &[],
    ),
    // The short form, which stands for the text.
    known(
        "Apache-2.0",
        &["licensed under the apache license version 2 0"],
        &[],
    ),
    known(
        "BSD-2-Clause",
        &[BSD, BSD_BINARY],
        &[BSD_ENDORSE, BSD_ADVERTISING],
    ),
    known(
        "BSD-3-Clause",
        &[BSD, BSD_BINARY, BSD_ENDORSE],
        &[BSD_ADVERTISING],
    ),
    known("BSD-4-Clause", &[BSD, BSD_BINARY, BSD_ADVERTISING], &[]),
    known("BSL-1.0", &["boost software license version 1 0"], &[]),
    known("CC0-1.0", &["cc0 1 0 universal"], &[]),
    known("EPL-2.0", &["eclipse public license v 2 0"], &[]),
    known(
        "GPL-2.0",
        &["gnu general public license version 2 june 1991"],
        &[],
    ),
    known(
        "GPL-3.0",
        &["gnu general public license version 3 29 june 2007"],
        &[],
    ),
    known(
        "ISC",
        &[
            "software for any purpose with or without fee is hereby granted",
            ISC_NOTICE,
        ],
        &[],
    ),
    known(
        "LGPL-2.0",
        &["gnu library general public license version 2 june 1991"],
        &[],
    ),
    known(
        "LGPL-2.1",
        &["gnu lesser general public license version 2 1 february 1999"],
        &[],
    ),
    known(
        "LGPL-3.0",
        &["gnu lesser general public license version 3 29 june 2007"],
        &[],
    ),
    known("MIT", &[MIT, MIT_NOTICE], &[]),
    known("MIT-0", &[MIT], &[MIT_NOTICE]),
    known("MPL-2.0", &["mozilla public license version 2 0"], &[]),
    known(
        "Unlicense",
        &["this is free and unencumbered software released into the public domain"],
        &[],
    ),
    known(
        "Zlib",
        &[
            "altered source versions must be plainly marked as such",
            "this notice may not be removed or altered from any source distribution",
        ],
        &[],
    ),
];

/// What is added to a known licence to take back a part of what it grants.
const RESTRICTION: &str = "commons clause";

const fn known(
    id: &'static str,
    has: &'static [&'static str],
    lacks: &'static [&'static str],
) -> Known {
    Known { id, has, lacks }
}

/// The SPDX identifiers of the licences in a text; none where nothing is recognised, or more is said than what is.
///
/// Of the GPL's family a text does not tell whether later versions may be chosen, so the identifiers are those without
/// `-only` and `-or-later`.
pub fn recognise(text: &[u8]) -> BTreeSet<&'static str> {
    let words = words(&String::from_utf8_lossy(text));
    if words.contains(RESTRICTION) {
        return BTreeSet::new();
    }
    let all = |phrases: &[&str]| phrases.iter().all(|phrase| words.contains(phrase));
    let any = |phrases: &[&str]| phrases.iter().any(|phrase| words.contains(phrase));
    let found = KNOWN
        .iter()
        .filter(|known| all(known.has) && !any(known.lacks));
    found.map(|known| known.id).collect()
}

/// Every identifier that [`recognise`] gives.
pub fn identifiers() -> BTreeSet<&'static str> {
    KNOWN.iter().map(|known| known.id).collect()
}

fn words(text: &str) -> String {
    let mut words = String::with_capacity(text.len());
    for c in text.chars() {
        match c.is_ascii_alphanumeric() {
            true => words.push(c.to_ascii_lowercase()),
            false if words.ends_with(' ') => {}
            false => words.push(' '),
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<&'static str> {
        recognise(text.as_bytes()).into_iter().collect()
    }

    /// Each known licence's phrases, wrapped and decorated as copies are.
    fn text(known: &Known) -> String {
        let phrases = known.has.iter().enumerate().map(|(number, phrase)| {
            let words: Vec<String> = phrase.split(' ').map(str::to_uppercase).collect();
            let lines: Vec<String> = words.chunks(4).map(|line| line.join(" ")).collect();
            format!(" * {}. {}\n", number + 1, lines.join(",\n *   "))
        });
        format!(
            "Copyright (c) 2026 Somebody\n\n{}",
            phrases.collect::<String>()
        )
    }

    #[test]
    fn each_is_recognised_however_it_is_set_and_no_other_with_it() {
        for known in &KNOWN {
            assert_eq!(found(&text(known)), [known.id], "{}", known.id);
        }
    }

    #[test]
    fn no_phrase_can_be_left_out() {
        for known in &KNOWN {
            for left_out in 0..known.has.len() {
                let mut has = known.has.to_vec();
                has.remove(left_out);
                let rest = Known {
                    has: has.leak(),
                    ..*known
                };
                assert!(!found(&text(&rest)).contains(&known.id), "{}", known.id);
            }
        }
    }

    #[test]
    fn a_text_of_two_licences_has_both() {
        let of = |id: &str| KNOWN.iter().find(|known| known.id == id).map(text);
        let both = [of("MIT"), of("Apache-2.0")].map(Option::unwrap_or_default);
        assert_eq!(found(&both.concat()), ["Apache-2.0", "MIT"]);
    }

    #[test]
    fn what_only_names_a_licence_is_not_one() {
        assert!(
            found("This code is not under the GNU General Public License, version 3.").is_empty()
        );
        assert!(found("All rights reserved.").is_empty());
        assert!(found("").is_empty());
    }

    #[test]
    fn a_known_text_with_a_restriction_is_not_known() {
        let mit = KNOWN.iter().find(|known| known.id == "MIT").map(text);
        let text = mit.unwrap_or_default();
        assert_eq!(found(&text), ["MIT"]);
        assert!(
            found(&format!(
                "\"Commons Clause\" License Condition v1.0\n{text}"
            ))
            .is_empty()
        );
    }
}
