//! What packages a build needs, and which modules provide them: read from the headers of Go files, as the go command
//! reads them.
//!
//! [`load`] goes through what the go command does; [`zip_packages`] reads what there is to import.

pub mod checkout;
mod closure;
pub mod constraint;
mod find;
pub mod folders;
pub mod imports;
pub mod load;
mod provide;
mod requirements;
mod roots;
pub mod world;
pub mod zip_packages;
