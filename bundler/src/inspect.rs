//! `inspect`: what a bundle says of itself. It proves nothing: `verify` does.

mod kinds;
mod modules;

use modferry_cli::{Exit, Fault};
use modferry_protocol::note;
use modferry_protocol::trust::{Accepted, Policy};

use crate::bundle::Bundle;
use crate::error::Error;

pub use kinds::Kind;
pub use modules::{ModuleBytes, modules};

/// What a bundle says.
#[derive(Debug)]
pub struct Inspected {
    /// Its files, and what is at their front.
    pub bundle: Bundle,
    /// Who signed it, of the keys that were given; `None` if none was given and nothing was checked.
    pub signers: Option<Vec<String>>,
    /// The keys on the signature lines, as NAME+HASH, unchecked.
    pub claimed: Vec<String>,
    /// Where its bytes went.
    pub kinds: Vec<Kind>,
}

/// The bundle's manifest, if the policy accepts the signatures over it.
fn accepted(bundle: &Bundle, policy: &Policy) -> Result<Accepted, Error> {
    policy.accept(&bundle.note).map_err(|source| {
        let what = format!("{}: not signed by the key given", bundle.name());
        Fault::new(Exit::Untrusted, what).because(source).into()
    })
}

/// Checks a bundle's signatures, if there is a policy to check them by.
pub fn inspect(bundle: Bundle, policy: Option<&Policy>) -> Result<Inspected, Error> {
    let signers = match policy {
        None => None,
        Some(policy) => {
            let accepted = accepted(&bundle, policy)?;
            Some(accepted.signers().iter().map(ToString::to_string).collect())
        }
    };
    Ok(Inspected {
        claimed: note::claimed(&bundle.note),
        kinds: kinds::kinds(&bundle)?,
        bundle,
        signers,
    })
}
