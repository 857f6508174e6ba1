//! Which bundles of a stream: a set of sequence numbers, as ranges, in one spelling: `1-4,6-7,9`.
//!
//! A stream is mostly one range with a gap now and then, so years of bundles fit on a line.

use std::fmt;
use std::str::FromStr;

use crate::text;

/// A set of sequence numbers, each from 1.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ranges(
    /// First and last of each range: ascending, and with at least one number between two ranges.
    Vec<(u64, u64)>,
);

/// Not a set of sequence numbers in its one spelling.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("want ranges of sequence numbers such as 1-4,6: from 1, ascending, none beside another")]
pub struct RangesError;

impl Ranges {
    /// The empty set. It has no spelling.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a number, if it is not there. 0 is no sequence number, and is not added.
    pub fn insert(&mut self, number: u64) {
        if number == 0 || self.contains(number) {
            return;
        }
        let at = self.0.partition_point(|&(first, _)| first < number);
        self.0.insert(at, (number, number));
        self.join(at);
        if let Some(before) = at.checked_sub(1) {
            self.join(before);
        }
    }

    /// Makes one of the range there and the next, if they touch.
    fn join(&mut self, at: usize) {
        if let (Some(&(first, last)), Some(&(next, end))) = (self.0.get(at), self.0.get(at + 1))
            && last.checked_add(1) == Some(next)
        {
            self.0[at] = (first, end);
            self.0.remove(at + 1);
        }
    }

    /// Whether the number is in the set.
    pub fn contains(&self, number: u64) -> bool {
        let at = self.0.partition_point(|&(_, last)| last < number);
        self.0.get(at).is_some_and(|&(first, _)| first <= number)
    }

    /// The largest number; `None` of the empty set.
    pub fn last(&self) -> Option<u64> {
        self.0.last().map(|&(_, last)| last)
    }

    /// How many numbers there are.
    pub fn count(&self) -> u64 {
        let each = self.0.iter().map(|(first, last)| last - first + 1);
        each.fold(0, u64::saturating_add)
    }

    /// The lowest number from 1 on that is not in the set.
    pub fn first_missing(&self) -> u64 {
        match self.0.first() {
            Some(&(1, last)) => last.saturating_add(1),
            _ => 1,
        }
    }

    /// The first and last number of each range, ascending.
    pub fn iter(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        self.0.iter().copied()
    }
}

impl fmt::Display for Ranges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, (first, last)) in self.0.iter().enumerate() {
            if n > 0 {
                f.write_str(",")?;
            }
            match first == last {
                true => write!(f, "{first}")?,
                false => write!(f, "{first}-{last}")?,
            }
        }
        Ok(())
    }
}

impl FromStr for Ranges {
    type Err = RangesError;

    fn from_str(s: &str) -> Result<Self, RangesError> {
        let mut ranges: Vec<(u64, u64)> = Vec::new();
        for part in s.split(',') {
            let range = match part.split_once('-') {
                None => text::number(part).map(|number| (number, number)),
                Some((first, last)) => text::number(first)
                    .zip(text::number(last))
                    .filter(|(first, last)| first < last),
            };
            // The least first number that leaves a gap to the range before.
            let least = match ranges.last() {
                None => Some(1),
                Some(&(_, last)) => last.checked_add(2),
            };
            match (range, least) {
                (Some(range), Some(least)) if range.0 >= least => ranges.push(range),
                _ => return Err(RangesError),
            }
        }
        Ok(Self(ranges))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    #[test]
    fn one_spelling() {
        for good in [
            "1",
            "7",
            "1-2",
            "1-4,6-7,9",
            "1,3,5",
            "18446744073709551615",
        ] {
            assert_eq!(good.parse::<Ranges>().unwrap().to_string(), good);
        }
        for bad in [
            "",
            "0",
            "0-3",
            "1-1",
            "2-1",
            "1-",
            "-1",
            "1,",
            ",1",
            "1,2",
            "1-3,4",
            "1-3,2",
            "3,1",
            "1-3,3-5",
            "01",
            "1-03",
            "1 -3",
            "1-3, 5",
            "+1",
            "1--3",
            "1-2-3",
            "18446744073709551616",
            "1-18446744073709551615,1",
        ] {
            assert_eq!(bad.parse::<Ranges>(), Err(RangesError), "{bad:?}");
        }
    }

    #[test]
    fn the_first_missing_is_where_a_stream_has_its_first_gap() {
        let missing = |s: &str| s.parse::<Ranges>().unwrap().first_missing();
        assert_eq!(Ranges::new().first_missing(), 1);
        assert_eq!((missing("1-4,6"), missing("2-4"), missing("1")), (5, 1, 2));
    }

    proptest! {
        #[test]
        fn it_is_a_set(numbers in proptest::collection::vec(0_u64..40, 0..60)) {
            let mut ranges = Ranges::new();
            numbers.iter().for_each(|&number| ranges.insert(number));
            let set: BTreeSet<u64> = numbers.into_iter().filter(|&number| number > 0).collect();
            for number in 0..45 {
                prop_assert_eq!(ranges.contains(number), set.contains(&number));
            }
            prop_assert_eq!(ranges.count(), set.len() as u64);
            prop_assert_eq!(ranges.last(), set.last().copied());
            if !set.is_empty() {
                prop_assert_eq!(ranges.to_string().parse::<Ranges>().unwrap(), ranges);
            }
        }
    }
}
