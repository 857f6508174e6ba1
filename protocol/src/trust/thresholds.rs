//! How many different trusted keys must have signed: one number for every stream, and others for some.

use std::collections::BTreeMap;

use super::TrustNote;
use crate::bundle::StreamName;

/// The most signatures that may be asked for. A note carries at most [100](crate::note::MAX_SIGNATURES).
pub const MAX_REQUIRED: usize = 99;

/// How many different trusted keys must have signed a stream's manifests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Thresholds {
    default: usize,
    streams: BTreeMap<StreamName, usize>,
}

impl Thresholds {
    /// `default` signatures, but for the streams that have a number of their own.
    pub fn new(default: usize, streams: BTreeMap<StreamName, usize>) -> Self {
        Self { default, streams }
    }

    /// What is asked of a stream that has no number of its own.
    pub fn default(&self) -> usize {
        self.default
    }

    /// The streams that have a number of their own, by name.
    pub fn streams(&self) -> &BTreeMap<StreamName, usize> {
        &self.streams
    }

    /// What is asked of this stream.
    pub fn of(&self, stream: &StreamName) -> usize {
        self.streams.get(stream).copied().unwrap_or(self.default)
    }

    /// The lowest of all: whoever has fewer signatures has not enough for any stream.
    pub fn least(&self) -> usize {
        self.all().min().unwrap_or(self.default)
    }

    /// The highest of all: what a change of the trusted keys needs, since it changes them for every stream.
    pub fn largest(&self) -> usize {
        self.all().max().unwrap_or(self.default)
    }

    fn all(&self) -> impl Iterator<Item = usize> {
        std::iter::once(self.default).chain(self.streams.values().copied())
    }

    /// What is asked once the note is applied: for no stream less than before.
    ///
    /// `require N` is for every stream, also for one whose own number is lower; `require STREAM N` for that one. A
    /// number that is not above what is asked already changes nothing, so that applying a note again, or to the
    /// half of what it made, gives the same.
    #[must_use]
    pub fn raised_by(&self, note: &TrustNote) -> Self {
        let for_all = note.require.unwrap_or(0);
        let mut raised = self.clone();
        raised.default = raised.default.max(for_all);
        for own in raised.streams.values_mut() {
            *own = (*own).max(for_all);
        }
        for (stream, number) in &note.streams {
            if raised.of(stream) < *number {
                raised.streams.insert(stream.clone(), *number);
            }
        }
        raised
    }
}

/// The same number for every stream.
impl From<usize> for Thresholds {
    fn from(default: usize) -> Self {
        Self::new(default, BTreeMap::new())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn stream(name: &str) -> StreamName {
        StreamName::new(name).unwrap()
    }

    #[test]
    fn a_stream_has_its_own_number_or_the_default() {
        let own = [(stream("prod"), 3), (stream("test"), 1)];
        let thresholds = Thresholds::new(2, own.into());
        assert_eq!(thresholds.of(&stream("prod")), 3);
        assert_eq!(thresholds.of(&stream("test")), 1);
        assert_eq!(thresholds.of(&stream("other")), 2);
        assert_eq!((thresholds.least(), thresholds.largest()), (1, 3));
        let plain = Thresholds::from(4);
        assert_eq!((plain.least(), plain.largest()), (4, 4));
        assert_eq!(plain.of(&stream("prod")), 4);
    }
}
