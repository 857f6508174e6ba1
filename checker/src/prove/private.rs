//! Private modules: what no checksum database vouches for, and may come all the same.
//!
//! A pin counts only where this machine's own policy lets a key that signed the bundle vouch for that module path. Else a
//! stolen key, or a careless one, could bring any public name as a private one, with other bytes.
//!
//! A name does not change sides by a bundle. What a checksum database ever vouched for here is never private, and what the
//! policy names as private, or a pin was ever held of, has no record. A pin that is held stays: the same version never has
//! other bytes.

use modferry_protocol::bundle::{Item, Pin};
use modferry_protocol::module::ModuleVersion;

use super::{Prover, find, required};
use crate::{CheckError, Report, Stage};

/// The pin of a module version, from the bundle or else from what is held.
pub(super) fn pin_of<S: Stage>(
    stage: &S,
    module: &ModuleVersion,
) -> Result<Option<Pin>, CheckError> {
    let bytes = find(stage, &Item::Pin(module.clone()))?;
    Ok(bytes.and_then(|bytes| Pin::parse(&bytes, module)))
}

impl Prover<'_> {
    /// A staged pin is of a module that may come so, and says what the held one does.
    pub(super) fn may_be_private<S: Stage>(
        &self,
        stage: &S,
        module: &ModuleVersion,
        report: &mut Report,
    ) -> Result<(), CheckError> {
        let path = module.path();
        if !self.policy.admits_private(path, self.signers) {
            return Err(CheckError::NotPrivate {
                module: path.clone(),
                signers: self.signers.iter().map(ToString::to_string).collect(),
            });
        }
        if stage.is_vouched(path).map_err(CheckError::stage)? {
            return Err(CheckError::OtherWord {
                module: module.clone(),
                was: "was vouched for by a checksum database",
                brings: "brings it as a private module".into(),
            });
        }
        let item = Item::Pin(module.clone());
        let held = stage.held(&item).map_err(CheckError::stage)?;
        if held.is_some_and(|held| required(stage, &item).is_ok_and(|new| new != held)) {
            return Err(CheckError::OtherWord {
                module: module.clone(),
                was: "is private and held",
                brings: "pins other bytes".into(),
            });
        }
        report.pins += 1;
        Ok(())
    }

    /// A staged record is of a module that is not private here: neither by the policy of today nor by a pin that is
    /// held, which goes on being served after the policy has changed.
    pub(super) fn is_public<S: Stage>(
        &self,
        stage: &S,
        module: &ModuleVersion,
    ) -> Result<(), CheckError> {
        let path = module.path();
        let was = if self.policy.names_private(path) {
            "is private by this machine's own policy"
        } else if stage.is_private(path).map_err(CheckError::stage)? {
            "is private by a pin that is held of this module"
        } else {
            return Ok(());
        };
        Err(CheckError::OtherWord {
            module: module.clone(),
            was,
            brings: "brings a checksum database's record of it".into(),
        })
    }
}
