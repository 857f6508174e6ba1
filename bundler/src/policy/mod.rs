//! What a site refuses to carry, whatever is asked for: `policy` of modferry.yaml.
//!
//! ```yaml
//! policy:
//!   deny:                             # modules or patterns, with or without the versions that it is about
//!     - example.com/legacy/...
//!     - example.com/a@>=1.4 <1.4.3
//!   minimum-age: 14                   # days that a version has been public
//!   licences: [MIT, Apache-2.0, BSD-3-Clause, unknown]   # what is not listed is refused
//!   max-size:
//!     zip: 200 MB                     # of one module
//!     bundle: 4 GiB                   # of all files of a bundle
//!   vulnerable: refuse                # what has vulnerabilities that the vulnerability database (`vulndb`) knows of,
//!   accept: [GO-2024-1234, CVE-2024-12345]   # other than these
//! ```
//!
//! A policy is about code: it judges module versions whose zip would be carried. The go.mod of a refused version may
//! travel all the same, since the versions of everything else are selected by it. What the destination holds already is
//! not judged again; a deny list says in a note that it is there.
//!
//! A refused version is never carried: an export writes nothing, or with `--keep-going` a bundle of the rest, whose
//! manifest names what is missing. If it was only nice to have, as newest versions are, that is no failure, and a note tells of
//! it: a release of yesterday must not keep an old version back that somebody named. Nothing is asked of a module that its own files and the log do not tell.

pub mod age;
pub mod licence;
pub mod vulnerable;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use modferry_cli::{ByteSize, Exit, Fault, bytes};
use modferry_protocol::module::ModuleVersion;
use serde::{Deserialize, Deserializer};

use crate::basis::{Holdings, Parts};
use crate::cache::FileAt;
use crate::error::Error;
use crate::fetch::{Failure, Fatal, Fetched, Level, Module, Part, Sources, info};
use crate::pool::Pool;
use crate::select::exclude::Exclude;
use crate::select::resolve::time_in;
use crate::settings::value;
use crate::state::Exported;
use crate::upstream::goproxy::{GetError, Reason, Unavailable};
use crate::vulndb::Database;
use age::Yardstick;
use licence::Licence;
use vulnerable::{Accepted, Known, Vulnerable};

/// So many refusals of what nobody named are told by name.
const MAX_NOTES: usize = 10;

/// What is refused.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(
    default,
    deny_unknown_fields,
    rename_all = "kebab-case",
    expecting = "what is refused, as in minimum-age: 14"
)]
pub struct Policy {
    /// Modules that are never carried.
    pub deny: Vec<Exclude>,
    /// How many days a version must have been public.
    #[serde(deserialize_with = "days")]
    pub minimum_age: Option<u16>,
    /// The licences that a module may have, all of them; `None`: any.
    pub licences: Option<Vec<Licence>>,
    /// How large things may be.
    pub max_size: MaxSize,
    /// What is done about versions with known vulnerabilities; `None`: they are told.
    pub vulnerable: Option<Vulnerable>,
    /// Vulnerabilities that nothing is refused for.
    pub accept: Vec<Accepted>,
}

/// How large things may be.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(
    default,
    deny_unknown_fields,
    rename_all = "kebab-case",
    expecting = "zip: SIZE or bundle: SIZE, as in {zip: 200 MB}"
)]
pub struct MaxSize {
    /// A zip.
    pub zip: Option<ByteSize>,
    /// All files of a bundle.
    pub bundle: Option<ByteSize>,
}

/// What refuses a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rule {
    /// `deny`
    Deny,
    /// `minimum-age`
    MinimumAge,
    /// `licences`
    Licences,
    /// `max-size: zip`
    MaxSize,
    /// `vulnerable`
    Vulnerable,
}

impl Rule {
    /// The key that says so.
    pub fn name(self) -> &'static str {
        match self {
            Rule::Deny => "deny",
            Rule::MinimumAge => "minimum-age",
            Rule::Licences => "licences",
            Rule::MaxSize => "max-size",
            Rule::Vulnerable => "vulnerable",
        }
    }

    /// As a manifest's `missing` line has it.
    pub fn token(self) -> String {
        format!("policy-{}", self.name())
    }

    /// What to do about it.
    fn advice(self) -> &'static str {
        match self {
            Rule::Deny => "ask for another version, or change deny in the policy",
            Rule::MinimumAge => "ask for an older version, or wait",
            Rule::Licences => "ask for something else, or add to licences in the policy",
            Rule::MaxSize => "ask for something else, or raise max-size in the policy",
            Rule::Vulnerable => "ask for a version that has it mended, or accept it in the policy",
        }
    }
}

/// For `deserialize_with` of `minimum-age`.
fn days<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u16>, D::Error> {
    struct Days(u16);
    impl<'de> Deserialize<'de> for Days {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Days, D::Error> {
            let expected = "a number of days up to 65535, as in 14";
            value::number(deserializer, 0..=u16::MAX, expected).map(Days)
        }
    }
    Ok(Option::<Days>::deserialize(deserializer)?.map(|Days(days)| days))
}

impl Policy {
    /// What the flags say counts before what the file says; but what the file denies stays denied, and what it accepts
    /// accepted.
    #[must_use]
    pub fn or(self, file: Policy) -> Policy {
        Policy {
            deny: [file.deny, self.deny].concat(),
            minimum_age: self.minimum_age.or(file.minimum_age),
            licences: self.licences.or(file.licences),
            max_size: MaxSize {
                zip: self.max_size.zip.or(file.max_size.zip),
                bundle: self.max_size.bundle.or(file.max_size.bundle),
            },
            vulnerable: self.vulnerable.or(file.vulnerable),
            accept: [file.accept, self.accept].concat(),
        }
    }

    /// An error, if a bundle of so many bytes is too large.
    pub fn admit_bundle(&self, size: u64) -> Result<(), Error> {
        match self.max_size.bundle {
            Some(ByteSize(limit)) if size > limit => Err(Fault::new(
                Exit::Usage,
                format!(
                    "the bundle would have {}, and the policy (max-size: bundle) allows {}; nothing was written",
                    bytes(size),
                    bytes(limit)
                ),
            )
            .advise("ask for less at once, or raise the limit")
            .into()),
            _ => Ok(()),
        }
    }
}

/// What the judgement came to.
#[derive(Debug, Default)]
pub struct Judged {
    /// How many of the modules that were judged have which licence.
    pub licences: BTreeMap<&'static str, usize>,
    /// Of how many the licences are not known, since their zips are not in the cache.
    pub unread_licences: usize,
    /// What is known to be vulnerable; `None` where there is no database to ask.
    pub known: Option<Known>,
    /// Worth telling.
    pub notes: Vec<String>,
}

/// Who judges.
pub struct Judge<'j> {
    /// By what.
    pub policy: &'j Policy,
    /// Where infos and zips are.
    pub sources: &'j Sources,
    /// What the destination holds.
    pub holdings: &'j Holdings,
    /// The vulnerability database, if it is at hand.
    pub vulndb: Option<&'j Database>,
    /// The stream's earlier bundles, whose trees tell of ages.
    pub exported: &'j [Exported],
    /// The time.
    pub now: Timestamp,
}

impl Judge<'_> {
    /// Judges what would be carried with its zip. What is refused becomes a failure, or a note where it is only nice to have,
    /// and only its go.mod stays selected.
    pub fn judge(&self, fetched: &mut Fetched) -> Result<Judged, Error> {
        let mut judged = Judged::default();
        let mut refused: Vec<(ModuleVersion, Rule, String)> = Vec::new();
        let mut carried: Vec<(&ModuleVersion, &Module)> = Vec::new();
        for (module, entry) in &fetched.modules {
            if entry.level < Level::Whole {
                continue;
            }
            let deny = self.denied_by(module);
            if self.holdings.parts(module).has(Parts::WHOLE) {
                judged.notes.extend(deny.map(|deny| {
                    format!("the destination holds {module} already, which deny {deny} is about")
                }));
                continue;
            }
            carried.push((module, entry));
            if let Some(deny) = deny {
                refused.push((module.clone(), Rule::Deny, format!("deny {deny}")));
            }
            let size = entry.zip.as_ref().map(|zip| zip.size).or(entry.zip_size);
            if let (Some(size), Some(ByteSize(limit))) = (size, self.policy.max_size.zip)
                && size > limit
            {
                let (size, limit) = (bytes(size), bytes(limit));
                let text = format!("its zip has {size}, max-size is {limit}");
                refused.push((module.clone(), Rule::MaxSize, text));
            }
        }
        let mut known = vulnerable::known(self, fetched)?;
        refused.extend(known.iter().flat_map(|known| known.refused(self)));
        refused.extend(self.too_young(&carried)?);
        refused.extend(self.of_other_licences(&carried, &mut judged)?);
        refused.sort();
        let mut unneeded = 0;
        for (module, rule, text) in refused {
            let entry = fetched.modules.get_mut(&module);
            let optional = entry.as_ref().is_some_and(|entry| entry.optional);
            if let Some(entry) = entry {
                entry.level = Level::Mod;
                entry.zip = None;
            }
            if optional {
                unneeded += 1;
                if unneeded <= MAX_NOTES {
                    judged.notes.push(format!(
                        "not carried, and nothing that was asked for needs it: {module}: refused by policy: {text}"
                    ));
                }
                continue;
            }
            let why = Unavailable {
                reason: Reason::Policy(rule),
                text: format!("refused by policy: {text}: {}", rule.advice()),
            };
            fetched.fail(module, Part::Zip, why);
        }
        if let Some(known) = &mut known {
            known.settle(fetched);
            judged.notes.extend(known.notes(self.policy, self.now));
        }
        judged.known = known;
        if unneeded > MAX_NOTES {
            judged.notes.push(format!(
                "not carried, and nothing that was asked for needs it: {} refusals by policy more",
                unneeded - MAX_NOTES
            ));
        }
        Ok(judged)
    }

    fn denied_by(&self, module: &ModuleVersion) -> Option<&Exclude> {
        let covers = |deny: &&Exclude| deny.covers(module.path(), module.version());
        self.policy.deny.iter().find(covers)
    }

    fn too_young(
        &self,
        carried: &[(&ModuleVersion, &Module)],
    ) -> Result<Vec<(ModuleVersion, Rule, String)>, Error> {
        let Some(days) = self.policy.minimum_age else {
            return Ok(Vec::new());
        };
        let mut yardstick = Yardstick::new(self.now, days, self.trees());
        let known = self.known(carried, &yardstick)?;
        for (module, known) in &known {
            yardstick.count(module, known);
        }
        let judged = known.into_iter().filter_map(|(module, known)| {
            let young = yardstick.judge(&known)?;
            let text = format!("minimum-age is {days} days: {young}");
            Some((module, Rule::MinimumAge, text))
        });
        Ok(judged.collect())
    }

    /// The trees that earlier bundles shipped, and when.
    fn trees(&self) -> impl Iterator<Item = (Timestamp, u64)> {
        let db = &self.sources.sumdb.spec().name;
        self.exported.iter().filter_map(move |bundle| {
            let heads = &bundle.manifest.heads;
            let (_, head) = heads.iter().find(|(name, _)| name == db)?;
            Some((bundle.manifest.created.parse().ok()?, head.size))
        })
    }

    /// What is known of their ages. Of what the log proves to be old nobody is asked.
    fn known(
        &self,
        carried: &[(&ModuleVersion, &Module)],
        yardstick: &Yardstick,
    ) -> Result<Vec<(ModuleVersion, age::Known)>, Error> {
        let found: Mutex<Vec<Result<(ModuleVersion, age::Known), Fatal>>> = Mutex::default();
        Pool::run(self.sources.transfers, |pool| {
            for (module, entry) in carried {
                let private = self.sources.is_private(module);
                let place = (!private).then(|| entry.record.id());
                let found = &found;
                pool.spawn(move |_| {
                    let time = match yardstick.is_proven_old(place) {
                        true => Ok(None),
                        false => self.time(module),
                    };
                    let known = time.map(|time| ((*module).clone(), age::Known { place, time }));
                    let mut found = found.lock().unwrap_or_else(PoisonError::into_inner);
                    found.push(known);
                });
            }
        });
        let found = found.into_inner().unwrap_or_else(PoisonError::into_inner);
        let mut found: Vec<_> = found.into_iter().collect::<Result<_, _>>()?;
        found.sort_by(|(a, _), (b, _)| a.cmp(b));
        Ok(found)
    }

    fn time(&self, module: &ModuleVersion) -> Result<Option<Timestamp>, Fatal> {
        match info::of(self.sources, module) {
            Ok(bytes) => Ok(time_in(&bytes)),
            Err(GetError::Refused(_)) => Ok(None),
            Err(GetError::Local(source)) => Err(Fatal::Cache {
                module: module.clone(),
                source,
            }),
        }
    }

    fn of_other_licences(
        &self,
        carried: &[(&ModuleVersion, &Module)],
        judged: &mut Judged,
    ) -> Result<Vec<(ModuleVersion, Rule, String)>, Error> {
        let mut refused = Vec::new();
        for (module, entry) in carried {
            let Some(licences) = self.licences(module, entry)? else {
                judged.unread_licences += 1;
                continue;
            };
            for licence in &licences {
                *judged.licences.entry(licence).or_default() += 1;
            }
            let Some(allowed) = &self.policy.licences else {
                continue;
            };
            let is_allowed = |licence: &str| allowed.iter().any(|other| other.as_str() == licence);
            let others: Vec<&str> = licences
                .iter()
                .copied()
                .filter(|licence| !is_allowed(licence))
                .collect();
            if !others.is_empty() {
                let text = format!("licence {}", others.join(", "));
                refused.push(((*module).clone(), Rule::Licences, text));
            }
        }
        Ok(refused)
    }

    /// The licences of a module whose zip is in the cache.
    fn licences(
        &self,
        module: &ModuleVersion,
        entry: &Module,
    ) -> Result<Option<BTreeSet<&'static str>>, Error> {
        let path = match &entry.zip {
            Some(zip) => zip.path.clone(),
            None => self.sources.cache.path(module, "zip"),
        };
        let file = match File::open(&path).and_then(FileAt::new) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(Error::file("read", &path)(source)),
        };
        match licence::of_zip(module, &file) {
            Ok(licences) => Ok(Some(licences)),
            // A plan reads zips that it has not verified: what is damaged will be fetched again.
            Err(error) if entry.zip.is_none() => {
                tracing::debug!(%module, %error, "its licences cannot be read");
                Ok(None)
            }
            Err(error) => {
                tracing::warn!(%module, %error, "its licences cannot be read");
                Ok(Some(BTreeSet::from([licence::UNKNOWN])))
            }
        }
    }
}

/// Whether all of it is what a policy refuses.
pub fn is_refusal(failure: &Failure) -> bool {
    matches!(failure.why.reason, Reason::Policy(_))
}
