//! Answers to queries that a bundle carries: which version a branch or a commit stood for when upstream was asked.
//!
//! An answer rides along in every bundle that is written while its query is selected, since it says anew how old it is.
//! It is a reason to write one only where it names another version than the destination was told last.

use modferry_checker::answered;
use modferry_protocol::bundle::{Answer, Level, Query, QueryError};
use modferry_protocol::module::{ModuleVersion, Revision};

use crate::basis::{Holdings, Portion};
use crate::select::resolve::QueryAnswer;

/// An answer that a bundle carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Carried {
    /// What was asked.
    pub query: Query,
    /// What it came to.
    pub module: ModuleVersion,
    /// The answer, as the bundle has it.
    pub bytes: Vec<u8>,
}

/// Why an answer is not carried.
#[derive(Debug, thiserror::Error)]
enum Unfit {
    #[error(transparent)]
    Query(#[from] QueryError),
    #[error("{0}")]
    Answer(String),
    #[error("{0} is not carried whole")]
    NotWhole(ModuleVersion),
}

impl Carried {
    fn of(answer: &QueryAnswer, portion: &Portion) -> Result<Carried, Unfit> {
        let query = Query::new(answer.path.clone(), answer.query.clone())?;
        let asked = answer.asked.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        let bytes = Answer {
            asked: &asked,
            info: &answer.info,
        }
        .encode();
        let module = answered(&query, &bytes).map_err(Unfit::Answer)?;
        let share = portion.modules.get(&module);
        match share.is_some_and(|share| share.zip || share.needed == Some(Level::Zip)) {
            true => Ok(Carried {
                query,
                module,
                bytes,
            }),
            false => Err(Unfit::NotWhole(module)),
        }
    }
}

/// The answers that are carried with this portion, in the order of a bundle, and what to tell of the others: they name
/// what the destination would not have, and an importer refuses those.
pub fn carried(answers: &[QueryAnswer], portion: &Portion) -> (Vec<Carried>, Vec<String>) {
    let (mut carried, mut notes) = (Vec::new(), Vec::new());
    for answer in answers {
        match Carried::of(answer, portion) {
            Ok(fit) => carried.push(fit),
            Err(why) => notes.push(format!(
                "the answer to {}@{} is not carried: {why}",
                answer.path, answer.query
            )),
        }
    }
    carried.sort_by(|a, b| a.query.cmp(&b.query));
    carried.dedup_by(|a, b| a.query == b.query);
    (carried, notes)
}

/// Whether the destination was told the same to each of these queries.
pub fn are_known(carried: &[Carried], holdings: &Holdings) -> bool {
    (carried.iter()).all(|answer| holdings.answer(&answer.query) == Some(answer.module.version()))
}

/// What the state keeps of a bundle's answers: a line each.
pub fn encode(carried: &[Carried]) -> String {
    let line = |answer: &Carried| {
        let (path, revision) = (answer.query.path(), answer.query.revision());
        format!("{path} {revision} {}\n", answer.module.version())
    };
    carried.iter().map(line).collect()
}

/// Reads a line of what the state keeps; `None` of any other.
pub fn decode(line: &str) -> Option<(Query, ModuleVersion)> {
    let fields: Vec<&str> = line.split(' ').collect();
    let [path, revision, version] = fields[..] else {
        return None;
    };
    let module = ModuleVersion::parse(path, version).ok()?;
    let query = Query::new(module.path().clone(), Revision::new(revision).ok()?).ok()?;
    Some((query, module))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::basis::Share;
    use std::collections::{BTreeMap, BTreeSet};

    const VERSION: &str = "v0.0.0-20260102030405-abcdefabcdef";

    fn answer(query: &str, info: &str) -> QueryAnswer {
        QueryAnswer {
            path: "a.test/a".parse().unwrap(),
            query: query.parse().unwrap(),
            info: info.into(),
            asked: "2026-11-21T09:00:00.5Z".parse().unwrap(),
        }
    }

    fn portion(share: Share) -> Portion {
        let module = format!("a.test/a@{VERSION}").parse().unwrap();
        Portion {
            modules: BTreeMap::from([(module, share)]),
            tiles: Vec::new(),
            tombstones: BTreeMap::new(),
            gone_files: BTreeSet::new(),
            notes: Vec::new(),
        }
    }

    #[test]
    fn an_answer_is_carried_where_what_it_names_is_carried_or_held_whole() {
        let info = format!(r#"{{"Version":"{VERSION}"}}"#);
        let asked = [answer("main", &info), answer("dev", &info)];
        let zip = Share {
            zip: true,
            ..Share::default()
        };
        let held = Share {
            needed: Some(Level::Zip),
            ..Share::default()
        };
        for share in [zip, held] {
            let (carried, notes) = carried(&asked, &portion(share));
            assert_eq!(notes, Vec::<String>::new());
            let names: Vec<String> = carried.iter().map(|a| a.query.to_string()).collect();
            assert_eq!(names, ["a.test/a@dev", "a.test/a@main"]);
            let want = format!("asked 2026-11-21T09:00:00Z\n{info}");
            assert_eq!(carried[0].bytes, want.as_bytes());
            let lines: Vec<_> = encode(&carried).lines().map(decode).collect();
            let again = (carried.iter()).map(|a| Some((a.query.clone(), a.module.clone())));
            assert_eq!(lines, again.collect::<Vec<_>>());
        }
    }

    #[test]
    fn what_an_importer_would_refuse_is_told_and_left_out() {
        let info = format!(r#"{{"Version":"{VERSION}"}}"#);
        let only_mod = Share {
            for_selection: true,
            needed: Some(Level::Mod),
            ..Share::default()
        };
        let whole = Share {
            zip: true,
            ..Share::default()
        };
        for (asked, share, why) in [
            (answer("main", &info), only_mod, "is not carried whole"),
            (answer("main", "{}"), whole, "it has no Version"),
            (answer("v1.0.0", &info), whole, "which is no query"),
        ] {
            let (carried, notes) = carried(&[asked], &portion(share));
            assert!(carried.is_empty());
            assert!(notes.len() == 1 && notes[0].contains(why), "{notes:?}");
        }
    }
}
