//! Known vulnerabilities of what is selected: which versions have which, by the Go vulnerability database (`vulndb`), and
//! what of that the policy refuses.
//!
//! Only what is carried whole counts. Of a version of which only the go.mod is carried nothing is ever built. Whether a program
//! calls what is vulnerable nobody can tell from a module: that is govulncheck's question, and it can be asked inside.
//!
//! A policy that refuses vulnerable versions needs a database that can be believed: without one, with one that has no reports,
//! or with one that knows less than a bundle before was judged by, it would refuse nothing or too little, and nobody would
//! notice. How old it is by this machine's clock is told and refuses nothing: there are days without a report.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use modferry_cli::{Exit, Fault};
use modferry_protocol::module::ModuleVersion;
use serde::{Deserialize, Serialize};

use super::{Judge, MAX_NOTES, Policy, Rule};
use crate::basis::Parts;
use crate::error::Error;
use crate::fetch::{Fetched, Level};
use crate::state::Exported;
use crate::vulndb::{Database, Finding, is_ahead};

/// A database that was last changed so many days ago is told to be old: reports come in every week.
pub const OLD_AFTER_DAYS: i64 = 30;

/// What is done about versions with known vulnerabilities.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Vulnerable {
    /// They are told.
    Tell,
    /// They are refused.
    Refuse,
}

/// A vulnerability that is accepted, by any of its names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted(Box<str>);

/// What is no name of a vulnerability.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} names no vulnerability: say it as in GO-2024-1234, CVE-2024-12345 or GHSA-abcd-efgh-ijkl"
)]
pub struct NoName(String);

impl std::str::FromStr for Accepted {
    type Err = NoName;

    fn from_str(text: &str) -> Result<Accepted, NoName> {
        let kinds = ["GO-", "CVE-", "GHSA-"];
        let rest = kinds.iter().find_map(|kind| text.strip_prefix(kind));
        let plain = |rest: &str| {
            !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        };
        match rest.is_some_and(plain) {
            true => Ok(Accepted(text.into())),
            false => Err(NoName(text.to_owned())),
        }
    }
}

impl<'de> Deserialize<'de> for Accepted {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Accepted, D::Error> {
        crate::select::text::deserialize(deserializer, "a vulnerability, as in GO-2024-1234")
    }
}

/// What is known to be vulnerable.
#[derive(Clone, Debug, Serialize)]
pub struct Known {
    /// When the database was last changed.
    #[serde(rename = "database", serialize_with = "as_text")]
    pub modified: Timestamp,
    /// How many reports it has.
    pub reports: usize,
    /// The module versions that are selected whole and have known vulnerabilities, in order.
    pub modules: Vec<VulnerableModule>,
    /// Names that are accepted, and that no report has.
    pub accepted_unknown: Vec<String>,
}

/// A module version with known vulnerabilities.
#[derive(Clone, Debug, Serialize)]
pub struct VulnerableModule {
    /// The module version.
    #[serde(serialize_with = "as_text")]
    pub module: ModuleVersion,
    /// What comes of it.
    pub state: State,
    /// Who wants it: what was asked for, then module by module.
    pub chain: Vec<String>,
    /// What it is wanted for.
    pub what: crate::fetch::What,
    /// Its vulnerabilities, by their ids.
    pub vulnerabilities: Vec<Vulnerability>,
}

/// What comes of a vulnerable module version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It would be carried.
    New,
    /// The destination holds it.
    Held,
    /// The policy refuses it, for this or something else.
    Refused,
}

/// A known vulnerability.
#[derive(Clone, Debug, Serialize)]
pub struct Vulnerability {
    /// The report's id.
    pub id: String,
    /// Its names in other databases.
    pub aliases: Vec<String>,
    /// What it is about.
    pub summary: String,
    /// The first later version without it, if there is one.
    pub fixed: Option<String>,
    /// Whether the policy accepts it.
    pub accepted: bool,
}

fn as_text<T: std::fmt::Display, S: serde::Serializer>(
    value: &T,
    to: S,
) -> Result<S::Ok, S::Error> {
    to.collect_str(value)
}

impl Policy {
    /// An error, if vulnerable versions are refused and nothing that can be believed tells which they are: no database, one
    /// without reports, or one that is older than the newest that a bundle of this stream named.
    pub fn needs_vulndb(
        &self,
        vulndb: Option<&Database>,
        exported: &[Exported],
    ) -> Result<(), Error> {
        if self.vulnerable != Some(Vulnerable::Refuse) {
            return Ok(());
        }
        let (what, advice) = match vulndb {
            None => (
                "no vulnerability database is at hand that tells which they are".to_owned(),
                "name one: vulndb in modferry.yaml, or --vulndb",
            ),
            Some(database) if database.reports().is_empty() => (
                format!(
                    "the vulnerability database at hand, of {}, has no reports: it would refuse nothing",
                    database.modified
                ),
                "name a copy that has them: vulndb in modferry.yaml, or --vulndb",
            ),
            Some(database) => match newest_before(exported) {
                Some(before) if database.modified < before => (
                    format!(
                        "the vulnerability database at hand is of {}, older than the one that a bundle of this stream was made \
                         with, of {before}: what was reported between them would be carried",
                        database.modified
                    ),
                    "name a newer copy: vulndb in modferry.yaml, or --vulndb",
                ),
                _ => return Ok(()),
            },
        };
        let refuses = "the policy refuses versions with known vulnerabilities (vulnerable: refuse)";
        Err(Fault::new(Exit::Usage, format!("{refuses}, and {what}"))
            .advise(format!("{advice}; or say --vulnerable tell"))
            .into())
    }

    fn accepts(&self, finding: &Finding<'_>) -> bool {
        let names = || std::iter::once(finding.report.id()).chain(aliases(finding));
        let accepted = |Accepted(accepted): &Accepted| names().any(|name| **accepted == *name);
        self.accept.iter().any(accepted)
    }
}

/// Of the databases that the stream's bundles name, when the newest was changed last. One of a time that has not come says nothing of
/// which is the newer.
fn newest_before(exported: &[Exported]) -> Option<Timestamp> {
    let now = Timestamp::now();
    let named = (exported.iter()).filter_map(|bundle| bundle.manifest.vulndb.as_ref());
    let times = named.filter_map(|vulndb| vulndb.snapshot.modified.parse().ok());
    times.filter(|time| !is_ahead(*time, now)).max()
}

fn aliases<'f>(finding: &'f Finding<'_>) -> impl Iterator<Item = &'f str> {
    finding.report.aliases().iter().map(String::as_str)
}

/// What is known of all that is selected whole; `None` without a database.
pub(super) fn known(judge: &Judge<'_>, fetched: &Fetched) -> Result<Option<Known>, Error> {
    (judge.policy).needs_vulndb(judge.vulndb, judge.exported)?;
    let Some(database) = judge.vulndb else {
        return Ok(None);
    };
    let mut modules = Vec::new();
    for (module, entry) in &fetched.modules {
        let findings = match entry.level {
            Level::Whole => database.findings(module, judge.now),
            Level::Mod | Level::Listed => continue,
        };
        if findings.is_empty() {
            continue;
        }
        let because = fetched.because.get(module).cloned().unwrap_or_default();
        modules.push(VulnerableModule {
            module: module.clone(),
            state: match judge.holdings.parts(module).has(Parts::WHOLE) {
                true => State::Held,
                false => State::New,
            },
            chain: because.chain,
            what: because.what,
            vulnerabilities: findings
                .iter()
                .map(|finding| Vulnerability {
                    id: finding.report.id().to_owned(),
                    aliases: finding.report.aliases().to_vec(),
                    summary: finding.report.summary().to_owned(),
                    fixed: finding.fixed.clone(),
                    accepted: judge.policy.accepts(finding),
                })
                .collect(),
        });
    }
    let reports = database.reports();
    let names = reports.iter().flat_map(|report| {
        let aliases = report.aliases().iter().map(String::as_str);
        std::iter::once(report.id()).chain(aliases)
    });
    let names: BTreeSet<&str> = names.collect();
    let accept = judge.policy.accept.iter().map(|Accepted(name)| &**name);
    Ok(Some(Known {
        modified: database.modified,
        reports: reports.len(),
        modules,
        accepted_unknown: accept
            .filter(|name| !names.contains(name))
            .map(str::to_owned)
            .collect(),
    }))
}

impl Known {
    /// What the policy refuses of it, and in which words.
    pub(super) fn refused(&self, judge: &Judge<'_>) -> Vec<(ModuleVersion, Rule, String)> {
        if judge.policy.vulnerable != Some(Vulnerable::Refuse) {
            return Vec::new();
        }
        let new = self.modules.iter().filter(|of| of.state == State::New);
        let refused = new.filter_map(|of| {
            let words = of.unaccepted()?;
            Some((of.module.clone(), Rule::Vulnerable, words))
        });
        refused.collect()
    }

    /// Now that all rules have judged: what is not carried whole any more is refused.
    pub(super) fn settle(&mut self, fetched: &Fetched) {
        for of in &mut self.modules {
            let level = fetched.modules.get(&of.module).map(|entry| entry.level);
            if of.state == State::New && level < Some(Level::Whole) {
                of.state = State::Refused;
            }
        }
    }

    /// What is worth telling besides.
    pub(super) fn notes(&self, policy: &Policy, now: Timestamp) -> Vec<String> {
        let mut notes: Vec<String> = Vec::new();
        let age = now.duration_since(self.modified);
        if age > SignedDuration::from_hours(24 * OLD_AFTER_DAYS) {
            notes.push(format!(
                "the vulnerability database is of {}, {} days old: what was reported since is not known",
                self.modified,
                age.as_hours() / 24
            ));
        }
        if policy.vulnerable == Some(Vulnerable::Refuse) {
            let held = self.modules.iter().filter(|of| of.state == State::Held);
            let held: Vec<(&ModuleVersion, String)> = held
                .filter_map(|of| Some((&of.module, of.unaccepted()?)))
                .collect();
            let told = held.iter().take(MAX_NOTES);
            notes.extend(told.map(|(module, words)| {
                format!("the destination holds {module} already, which has known vulnerabilities: {words}")
            }));
            if held.len() > MAX_NOTES {
                let more = held.len() - MAX_NOTES;
                notes.push(format!(
                    "the destination holds {more} modules more that have known vulnerabilities"
                ));
            }
        }
        let unknown = self.accepted_unknown.iter();
        notes.extend(unknown.map(|name| {
            format!("the policy accepts {name}, and the vulnerability database has no such report")
        }));
        notes
    }

    /// How many vulnerabilities, and in how many module versions, of those in one of these states.
    pub fn count(&self, states: &[State]) -> (usize, usize) {
        let modules = self.modules.iter().filter(|of| states.contains(&of.state));
        let counts = modules.map(|of| of.vulnerabilities.len());
        counts.fold((0, 0), |(all, modules), count| (all + count, modules + 1))
    }
}

impl VulnerableModule {
    /// The vulnerabilities that are not accepted, in one line; `None` where there are none.
    fn unaccepted(&self) -> Option<String> {
        let all = self.vulnerabilities.iter().filter(|one| !one.accepted);
        let words: Vec<String> = all.map(Vulnerability::in_short).collect();
        (!words.is_empty()).then(|| words.join("; "))
    }
}

impl Vulnerability {
    /// Its names and what mends it: `GO-2024-1234 (CVE-2024-12345), fixed in v1.4.2`.
    pub fn in_short(&self) -> String {
        let aliases = match self.aliases.is_empty() {
            true => String::new(),
            false => format!(" ({})", self.aliases.join(", ")),
        };
        let fixed = match &self.fixed {
            Some(fixed) => format!("fixed in {fixed}"),
            None => "not fixed yet".into(),
        };
        format!("{}{aliases}, {fixed}", self.id)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_database_is_told_to_be_old_after_so_many_days_and_not_before() {
        let known = Known {
            modified: "2026-10-01T12:00:00Z".parse().unwrap(),
            reports: 1,
            modules: Vec::new(),
            accepted_unknown: Vec::new(),
        };
        let notes = |now: &str| known.notes(&Policy::default(), now.parse().unwrap());
        // As one whose clock is behind has it, and to the very day.
        for now in ["2026-09-30T00:00:00Z", "2026-10-31T12:00:00Z"] {
            assert_eq!(notes(now), Vec::<String>::new(), "{now}");
        }
        let note = "the vulnerability database is of 2026-10-01T12:00:00Z, 30 days old: what was reported since is not known";
        assert_eq!(notes("2026-10-31T12:00:01Z"), [note]);
    }
}
