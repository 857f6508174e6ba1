//! How long a version has been public, by what can be known of that: a guard against code that was published yesterday
//! and is found to be malicious tomorrow.
//!
//! Two things tell of it, and neither is enough by itself:
//!
//! - The `Time` in a version's info is the upstream's word, and behind it the time of a commit, which its author
//!   can set to anything.
//! - A record's place in the checksum database's log is signed and never changes. A record among the first N was there when
//!   somebody saw a tree of N records. So what is in a tree that this stream shipped long ago is at least as old as that
//!   bundle, whatever anybody says: that is proof, as far as this machine's clock was right. And what stands *behind* the
//!   record of a version of last week was not in the log before last week, however old its commit claims to be.
//!
//! The other way round nothing follows: the log has a record as soon as somebody asks for it, and of a module that nobody
//! uses that may be years after its commit. Such a version counts as young until the days have passed, since
//! nobody has looked at it through the checksum database before.

use jiff::{Timestamp, ToSpan};
use modferry_protocol::module::ModuleVersion;

/// What is known of one version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// Its record's place in the log; `None` for a private module, which has none.
    pub place: Option<u64>,
    /// The time in its info.
    pub time: Option<Timestamp>,
}

/// What ages are judged by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Yardstick {
    /// What was made or seen after that is too young.
    limit: Timestamp,
    now: Timestamp,
    /// All records before this place are old enough.
    old: u64,
    /// The first record in the log of a version that is younger.
    young: Option<(u64, ModuleVersion, Timestamp)>,
}

/// Why a version counts as too young.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Young {
    /// Upstream says so itself.
    #[error("made on {}", date(.0))]
    Time(Timestamp),
    /// The log belies what upstream says.
    #[error(
        "said to be made on {}, but its record stands behind that of {behind} in the checksum database's log, which was \
         made on {}",
        date(time),
        date(of)
    )]
    Behind {
        /// The time in its info.
        time: Timestamp,
        /// The version before it in the log.
        behind: ModuleVersion,
        /// When that was made.
        of: Timestamp,
    },
    /// It has no time.
    #[error("when it was made is not said: its info has no time")]
    Unknown,
}

fn date(time: &Timestamp) -> String {
    time.strftime("%Y-%m-%d").to_string()
}

impl Yardstick {
    /// For so many days before `now`. `seen` are trees that were seen: when, and their sizes.
    pub fn new(
        now: Timestamp,
        days: u16,
        seen: impl IntoIterator<Item = (Timestamp, u64)>,
    ) -> Self {
        // Hours, since a day is no fixed span to the library; no number of days that fits reaches before its first year.
        let limit = now.checked_sub((i64::from(days) * 24).hours());
        let limit = limit.unwrap_or(Timestamp::MIN);
        let old = seen.into_iter().filter(|(time, _)| *time <= limit);
        Yardstick {
            limit,
            now,
            old: old.map(|(_, size)| size).max().unwrap_or(0),
            young: None,
        }
    }

    /// Whether the log alone proves that it is old enough.
    pub fn is_proven_old(&self, place: Option<u64>) -> bool {
        place.is_some_and(|place| place < self.old)
    }

    /// Takes a version into account: what stands behind it in the log is not older.
    ///
    /// A time that is still to come tells nothing of when its record was logged.
    pub fn count(&mut self, module: &ModuleVersion, known: &Known) {
        let (Some(place), Some(time)) = (known.place, known.time) else {
            return;
        };
        let earlier = self.young.as_ref().is_none_or(|(first, ..)| place < *first);
        if earlier && time > self.limit && time <= self.now {
            self.young = Some((place, module.clone(), time));
        }
    }

    /// Why this version is too young, if it is.
    pub fn judge(&self, known: &Known) -> Option<Young> {
        if self.is_proven_old(known.place) {
            return None;
        }
        let Some(time) = known.time else {
            return Some(Young::Unknown);
        };
        if time > self.limit {
            return Some(Young::Time(time));
        }
        match (&self.young, known.place) {
            (Some((first, behind, of)), Some(place)) if place > *first => Some(Young::Behind {
                time,
                behind: behind.clone(),
                of: *of,
            }),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn at(text: &str) -> Timestamp {
        format!("{text}T12:00:00Z").parse().unwrap()
    }

    fn known(place: u64, time: &str) -> Known {
        Known {
            place: Some(place),
            time: Some(at(time)),
        }
    }

    fn yardstick() -> Yardstick {
        let seen = [
            (at("2026-01-01"), 100),
            (at("2026-03-08"), 900),
            (at("2026-02-01"), 50),
        ];
        Yardstick::new(at("2026-03-15"), 14, seen)
    }

    #[test]
    fn upstreams_word_counts_to_the_day() {
        let yardstick = yardstick();
        assert_eq!(yardstick.judge(&known(500, "2026-03-01")), None);
        let late = known(500, "2026-03-02");
        let young = yardstick.judge(&late).unwrap();
        assert_eq!(young, Young::Time(at("2026-03-02")));
        assert_eq!(young.to_string(), "made on 2026-03-02");
    }

    #[test]
    fn what_an_old_enough_tree_has_is_old_enough_whatever_is_said() {
        let yardstick = yardstick();
        assert_eq!(yardstick.judge(&known(99, "2026-03-14")), None);
        assert!(yardstick.judge(&known(100, "2026-03-14")).is_some());
        let no_time = |place| Known { place, time: None };
        assert_eq!(yardstick.judge(&no_time(Some(99))), None);
        assert_eq!(yardstick.judge(&no_time(Some(100))), Some(Young::Unknown));
        assert_eq!(yardstick.judge(&no_time(None)), Some(Young::Unknown));
    }

    #[test]
    fn a_back_dated_version_is_found_out_by_its_place() {
        let mut yardstick = yardstick();
        let recent: ModuleVersion = "a.test/recent@v1.0.0".parse().unwrap();
        yardstick.count(&recent, &known(700, "2026-03-10"));
        yardstick.count(
            &"a.test/later@v1.0.0".parse().unwrap(),
            &known(800, "2026-03-12"),
        );
        assert_eq!(yardstick.judge(&known(699, "2019-01-01")), None);
        let young = yardstick.judge(&known(701, "2019-01-01")).unwrap();
        assert!(matches!(&young, Young::Behind { behind, .. } if *behind == recent));
        assert!(
            young
                .to_string()
                .contains("2019-01-01, but its record stands behind that of a.test/recent@v1.0.0")
        );
        let private = Known {
            place: None,
            time: Some(at("2019-01-01")),
        };
        assert_eq!(yardstick.judge(&private), None);
    }

    #[test]
    fn a_time_to_come_says_nothing_of_others() {
        let mut yardstick = yardstick();
        yardstick.count(
            &"a.test/clock@v1.0.0".parse().unwrap(),
            &known(200, "2031-01-01"),
        );
        assert_eq!(yardstick.judge(&known(300, "2019-01-01")), None);
        assert!(yardstick.judge(&known(200, "2031-01-01")).is_some());
    }
}
