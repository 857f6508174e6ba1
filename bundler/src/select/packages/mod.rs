//! What packages a build needs, and which modules provide them: read from the headers of Go files, as the go command
//! reads them.

pub mod constraint;
pub mod folders;
pub mod imports;
pub mod zip_packages;
