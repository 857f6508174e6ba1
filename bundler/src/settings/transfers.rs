//! How many transfers there are at once.

use std::str::FromStr;

use serde::{Deserialize, Deserializer};

use super::value;

/// So many at once: at least one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transfers(usize);

/// Neither a file nor a flag says so many.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("want {EXPECTED}")]
pub struct TransfersError;

/// No more transfers at once than this, whatever is said.
pub const MAX_TRANSFERS: usize = 256;

const EXPECTED: &str = "a number of transfers from 1 to 256, as in 24";

impl Transfers {
    /// The number.
    pub fn get(self) -> usize {
        self.0
    }
}

impl Default for Transfers {
    /// Where nothing else is said.
    fn default() -> Transfers {
        Transfers(24)
    }
}

impl FromStr for Transfers {
    type Err = TransfersError;

    fn from_str(text: &str) -> Result<Transfers, TransfersError> {
        let number = text.parse().map_err(|_| TransfersError)?;
        match (1..=MAX_TRANSFERS).contains(&number) {
            true => Ok(Transfers(number)),
            false => Err(TransfersError),
        }
    }
}

impl<'de> Deserialize<'de> for Transfers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Transfers, D::Error> {
        value::number(deserializer, 1..=MAX_TRANSFERS, EXPECTED).map(Transfers)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_file_and_a_flag_take_the_same_numbers() {
        let file = |text: &str| modferry_cli::parse_config::<Transfers>("y", text);
        for (text, number) in [("1", 1), ("24", 24), ("256", MAX_TRANSFERS)] {
            assert_eq!(text.parse(), Ok(Transfers(number)));
            assert_eq!(file(text).unwrap(), Transfers(number));
        }
        for text in ["0", "257", "-1", "2.5", "many"] {
            assert_eq!(text.parse::<Transfers>(), Err(TransfersError), "{text}");
            let told = file(text).unwrap_err().to_string();
            assert!(told.ends_with(EXPECTED), "{told}");
        }
    }
}
