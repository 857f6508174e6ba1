//! A set of a stream's bundles, as texts write it: `1-4,6-7`.
//!
//! Streams grow for years and a lost bundle is rare, so a set is kept as its ranges: small, whatever they span.
//! There is one spelling of a set: ranges in order, with a gap between two, each bundle alone without a hyphen.

use std::fmt;
use std::str::FromStr;

use super::names::Sequence;
use crate::text;

/// The most ranges of a set that is read: as many losses as nobody has in a lifetime.
pub const MAX_SEQUENCE_RANGES: usize = 10_000;

/// A set of bundles of one stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sequences {
    /// First and last, in order, with at least one number between two ranges.
    ranges: Vec<(u64, u64)>,
}

/// Why a text is no set of bundles.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SequencesError {
    /// It is spelled in another way.
    #[error("bundles {0}: want ranges in order, such as 1-4,6-7")]
    Spelling(String),
    /// More than [`MAX_SEQUENCE_RANGES`].
    #[error("more than {MAX_SEQUENCE_RANGES} ranges of bundles")]
    TooMany,
}

impl Sequences {
    /// Of no bundle.
    pub fn new() -> Self {
        Self::default()
    }

    /// Of all bundles up to this one.
    pub fn up_to(last: Sequence) -> Self {
        Self {
            ranges: vec![(1, last.get())],
        }
    }

    /// Adds a bundle; whether it is in already does not matter.
    pub fn insert(&mut self, sequence: Sequence) {
        let n = sequence.get();
        // The first range that reaches it, or its lower neighbour, or lies behind it.
        let at = self
            .ranges
            .partition_point(|&(_, last)| last < n.saturating_sub(1));
        match self.ranges.get_mut(at) {
            Some((first, last)) if *first <= n.saturating_add(1) => {
                *first = n.min(*first);
                *last = n.max(*last);
            }
            _ => return self.ranges.insert(at, (n, n)),
        }
        if let Some(&(first, last)) = self.ranges.get(at + 1)
            && first <= self.ranges[at].1.saturating_add(1)
        {
            self.ranges[at].1 = last;
            self.ranges.remove(at + 1);
        }
    }

    /// Whether it has this bundle.
    pub fn contains(&self, sequence: Sequence) -> bool {
        let n = sequence.get();
        let at = self.ranges.partition_point(|&(_, last)| last < n);
        self.ranges.get(at).is_some_and(|&(first, _)| first <= n)
    }

    /// The newest bundle; `None` of an empty set.
    pub fn last(&self) -> Option<Sequence> {
        self.ranges
            .last()
            .and_then(|&(_, last)| Sequence::new(last))
    }

    /// The first bundle that it lacks. `None` if it has every one there can be.
    pub fn first_missing(&self) -> Option<Sequence> {
        match self.ranges.first() {
            Some(&(1, last)) => last.checked_add(1).and_then(Sequence::new),
            _ => Some(Sequence::FIRST),
        }
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// First and last of each range, in order.
    pub fn ranges(&self) -> impl Iterator<Item = (u64, u64)> {
        self.ranges.iter().copied()
    }
}

impl FromIterator<Sequence> for Sequences {
    fn from_iter<I: IntoIterator<Item = Sequence>>(sequences: I) -> Self {
        let mut set = Self::new();
        for sequence in sequences {
            set.insert(sequence);
        }
        set
    }
}

/// `1-4,6-7`; of an empty set `none`.
impl fmt::Display for Sequences {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.ranges.is_empty() {
            return f.write_str("none");
        }
        for (at, (first, last)) in self.ranges().enumerate() {
            let comma = if at == 0 { "" } else { "," };
            match first == last {
                true => write!(f, "{comma}{first}")?,
                false => write!(f, "{comma}{first}-{last}")?,
            }
        }
        Ok(())
    }
}

impl FromStr for Sequences {
    type Err = SequencesError;

    fn from_str(s: &str) -> Result<Self, SequencesError> {
        if s == "none" {
            return Ok(Self::new());
        }
        let spelling = || SequencesError::Spelling(text::shown(s.as_bytes()));
        let mut ranges: Vec<(u64, u64)> = Vec::new();
        for range in s.split(',') {
            if ranges.len() >= MAX_SEQUENCE_RANGES {
                return Err(SequencesError::TooMany);
            }
            let number = |s| text::number(s).filter(|n| *n > 0);
            let (first, last) = match range.split_once('-') {
                None => (number(range), number(range)),
                Some((first, last)) => (number(first), number(last)),
            };
            let (Some(first), Some(last)) = (first, last) else {
                return Err(spelling());
            };
            let alone = !range.contains('-');
            let apart = ranges
                .last()
                .is_none_or(|&(_, before)| before.checked_add(1).is_some_and(|n| n < first));
            if !apart || last < first || (first == last) != alone {
                return Err(spelling());
            }
            ranges.push((first, last));
        }
        Ok(Self { ranges })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::collections::BTreeSet;

    fn of(numbers: impl IntoIterator<Item = u64>) -> Sequences {
        numbers.into_iter().filter_map(Sequence::new).collect()
    }

    #[test]
    fn every_set_of_seven_in_two_orders_is_what_a_plain_set_is() {
        for bits in 0u32..128 {
            let numbers: Vec<u64> = (1..=7).filter(|n| bits >> (n - 1) & 1 == 1).collect();
            let set = of(numbers.clone());
            assert_eq!(set, of(numbers.iter().rev().copied()), "{numbers:?}");
            let plain: BTreeSet<u64> = numbers.into_iter().collect();
            for n in 1..=8 {
                assert_eq!(
                    set.contains(Sequence::new(n).unwrap()),
                    plain.contains(&n),
                    "{n} in {set}"
                );
            }
            assert_eq!(set.last().map(Sequence::get), plain.last().copied());
            let missing = (1..).find(|n| !plain.contains(n));
            assert_eq!(set.first_missing().map(Sequence::get), missing);
            assert_eq!(set.to_string().parse(), Ok(set.clone()), "{set}");
            assert_eq!(set.is_empty(), plain.is_empty());
        }
    }

    #[test]
    fn a_set_has_one_spelling() {
        assert_eq!(of([4, 1, 2, 3, 7, 6, 9]).to_string(), "1-4,6-7,9");
        assert_eq!(Sequences::new().to_string(), "none");
        assert_eq!(
            "1-18446744073709551615".parse(),
            Ok(Sequences::up_to(Sequence::new(u64::MAX).unwrap()))
        );
        for bad in [
            "",
            ",",
            "0",
            "0-2",
            "1-",
            "-2",
            "01",
            "1-1",
            "2-1",
            "1,2",
            "1-3,4",
            "1-3,3",
            "3,1",
            "1-2-3",
            "1, 3",
            "1;3",
            "18446744073709551616",
            "18446744073709551615,1",
            "none,1",
        ] {
            assert!(bad.parse::<Sequences>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn the_ends_of_what_can_be_counted() {
        let last = Sequence::new(u64::MAX).unwrap();
        let mut set = of([u64::MAX - 1]);
        set.insert(last);
        assert_eq!(set.to_string(), "18446744073709551614-18446744073709551615");
        assert_eq!(Sequences::up_to(last).first_missing(), None);
    }

    #[test]
    fn a_set_has_10_000_ranges_at_most() {
        let text = |ranges: usize| {
            let numbers: Vec<String> = (0..ranges).map(|n| (2 * n + 1).to_string()).collect();
            numbers.join(",")
        };
        text(MAX_SEQUENCE_RANGES).parse::<Sequences>().unwrap();
        assert_eq!(
            text(MAX_SEQUENCE_RANGES + 1).parse::<Sequences>(),
            Err(SequencesError::TooMany)
        );
    }
}
