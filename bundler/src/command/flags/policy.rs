//! What is refused, whatever is asked for.

use clap::Args;

use modferry_cli::ByteSize;

use crate::policy::licence::Licence;
use crate::policy::vulnerable::{Accepted, Vulnerable};
use crate::policy::{MaxSize, Policy};
use crate::select::exclude::Exclude;

/// What is refused.
#[derive(Args, Clone, Debug)]
pub struct PolicyFlags {
    /// Refuse these: a module or a pattern, with or without versions, besides those that modferry.yaml denies
    #[arg(long, value_name = "PATTERN[@RANGE]")]
    pub deny: Vec<Exclude>,
    /// Refuse versions that have been public for fewer days, as far as that is known
    #[arg(long, value_name = "DAYS")]
    pub minimum_age: Option<u16>,
    /// Refuse modules with another licence than these, in SPDX's identifiers; `unknown` is what is not recognised
    #[arg(long, value_name = "ID,…", value_delimiter = ',')]
    pub licences: Option<Vec<Licence>>,
    /// Refuse larger zips, as in 200 MB
    #[arg(long, value_name = "SIZE")]
    pub max_zip_size: Option<ByteSize>,
    /// Refuse to write a larger bundle, as in 4 GiB
    #[arg(long, value_name = "SIZE")]
    pub max_bundle_size: Option<ByteSize>,
    /// What to do about versions with known vulnerabilities (see --vulndb) [default: tell]
    #[arg(long, value_name = "tell|refuse", hide_possible_values = true)]
    pub vulnerable: Option<Vulnerable>,
    /// Carry what has these vulnerabilities, besides those that modferry.yaml accepts: GO-2024-1234, CVE-2024-12345
    #[arg(long, value_name = "ID,…", value_delimiter = ',')]
    pub accept: Vec<Accepted>,
}

impl PolicyFlags {
    /// The flags as a policy.
    pub fn policy(self) -> Policy {
        Policy {
            deny: self.deny,
            minimum_age: self.minimum_age,
            licences: self.licences,
            max_size: MaxSize {
                zip: self.max_zip_size,
                bundle: self.max_bundle_size,
            },
            vulnerable: self.vulnerable,
            accept: self.accept,
        }
    }
}
