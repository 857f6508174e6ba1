//! What became of trust notes, in words.

use super::{Change, Taken};
use std::fmt;

/// A line or two for people.
impl fmt::Display for Taken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Applied(change) => change.fmt(f),
            Self::Pending {
                number, command, ..
            } => write!(
                f,
                "trust note {number} waits for an administrator, and the keys are as before until then: {command}"
            ),
            Self::Ignored {
                number,
                why,
                advice,
            } => {
                write!(f, "WARNING: trust note {number} was NOT applied: {why}")?;
                match advice {
                    Some(advice) => write!(f, "; to do: {advice}"),
                    None => Ok(()),
                }
            }
        }
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "trust note {} is applied, signed by {}",
            self.number,
            self.signers.join(", ")
        )?;
        if !self.added.is_empty() {
            write!(f, "; trusted from now on: {}", self.added.join(", "))?;
        }
        if !self.revoked.is_empty() {
            write!(f, "; revoked: {}", self.revoked.join(", "))?;
        }
        write!(f, "; signatures required: {}", self.required)?;
        for (stream, number) in &self.streams {
            write!(f, ", stream {stream}: {number}")?;
        }
        Ok(())
    }
}
