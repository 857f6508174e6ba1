//! Values of modferry.yaml that have rules, each checked by the visitor that reads it: what another place finds wrong has
//! lost line, column and key. Texts that become a type of their own are read by [`text`](crate::select::text).

use std::error::Error as StdError;
use std::fmt;
use std::marker::PhantomData;
use std::ops::RangeInclusive;

use modferry_cli::in_one_line;
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error, MapAccess, Unexpected, Visitor};

/// A whole number of this range. `expected` says the range, and what to write.
pub fn number<'de, D, T>(
    deserializer: D,
    range: RangeInclusive<T>,
    expected: &'static str,
) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: TryFrom<u64> + PartialOrd,
{
    deserializer.deserialize_u64(Number { range, expected })
}

struct Number<T> {
    range: RangeInclusive<T>,
    expected: &'static str,
}

impl<T: TryFrom<u64> + PartialOrd> Visitor<'_> for Number<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.expected)
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<T, E> {
        let fits = T::try_from(number).ok();
        let fits = fits.filter(|fits| self.range.contains(fits));
        fits.ok_or_else(|| E::invalid_value(Unexpected::Unsigned(number), &self))
    }
}

/// A text that may be left out and is kept as it is written, once `parse` takes it: what it becomes depends on more.
pub fn kept<'de, D, T, P>(
    deserializer: D,
    parse: fn(&str) -> Result<T, P>,
    expected: &'static str,
) -> Result<Option<String>, D::Error>
where
    D: Deserializer<'de>,
    P: StdError + 'static,
{
    deserializer.deserialize_option(Kept { parse, expected })
}

struct Kept<T, P> {
    parse: fn(&str) -> Result<T, P>,
    expected: &'static str,
}

impl<'de, T, P: StdError + 'static> Visitor<'de> for Kept<T, P> {
    type Value = Option<String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.expected)
    }

    fn visit_unit<E: Error>(self) -> Result<Option<String>, E> {
        Ok(None)
    }

    fn visit_none<E: Error>(self) -> Result<Option<String>, E> {
        Ok(None)
    }

    fn visit_some<D: Deserializer<'de>>(self, value: D) -> Result<Option<String>, D::Error> {
        value.deserialize_str(self)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Option<String>, E> {
        let parsed = (self.parse)(text);
        parsed.map_err(|error| E::custom(in_one_line(&error)))?;
        Ok(Some(text.to_owned()))
    }
}

/// A mapping with rules between its keys, which `M` reads and `make` checks.
pub fn mapping<'de, D, M, T, P>(
    deserializer: D,
    expected: &'static str,
    make: impl FnOnce(M) -> Result<T, P>,
) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    M: Deserialize<'de>,
    P: StdError + 'static,
{
    deserializer.deserialize_map(Mapping {
        expected,
        make,
        of: PhantomData,
    })
}

struct Mapping<M, F> {
    expected: &'static str,
    make: F,
    of: PhantomData<M>,
}

impl<'de, M, T, P, F> Visitor<'de> for Mapping<M, F>
where
    M: Deserialize<'de>,
    P: StdError + 'static,
    F: FnOnce(M) -> Result<T, P>,
{
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.expected)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
        let mapping = M::deserialize(MapAccessDeserializer::new(map))?;
        (self.make)(mapping).map_err(|error| A::Error::custom(in_one_line(&error)))
    }
}
