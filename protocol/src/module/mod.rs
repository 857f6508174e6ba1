//! Names of modules: paths, versions, and how they stand in URLs and files.
//!
//! Everything that names something in modferry is one of these types, so a string that has rules is checked
//! once, where it comes in, and never again. The rules are those of golang.org/x/mod/module and
//! golang.org/x/mod/semver, because a name that `go` accepts and we refuse is a broken build, and a name that
//! we accept and `go` refuses is a way in. `protocol/tests/module_vectors.rs` replays the reference's answers.
//!
//! - [`ModulePath`]: `github.com/BurntSushi/toml`, escaped `github.com/!burnt!sushi/toml`
//! - [`Version`]: canonical, `v1.2.3-rc.1` or `v2.0.0+incompatible`
//! - [`ModuleVersion`]: both, and that they belong together (`…/v2` has only `v2.x.y`)
//! - [`Revision`]: what a person may ask for instead of a version: a branch, a commit, `v1`
//! - [`semver`], [`pseudo`], [`escape`], [`pattern`]: the same rules on plain strings

pub mod escape;
mod module_version;
mod path;
pub mod pattern;
pub mod pseudo;
mod revision;
pub mod semver;
mod text;
mod version;

pub use module_version::{ModuleError, ModuleVersion, match_path_major};
pub use path::{ModulePath, PathError, PathReason, split_path_version};
pub use revision::{Revision, RevisionError};
pub(crate) use text::Quoted;
pub use version::{Version, VersionError, VersionReason, canonical_version};
