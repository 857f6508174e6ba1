//! What goes into a bundle: arguments and go.mod files, and the modules that they come to.

pub mod args;
pub mod gomod;
pub mod gosum;
mod lexer;
pub mod mvs;
pub mod wants;
