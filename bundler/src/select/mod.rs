//! What goes into a bundle: arguments and go.mod files, and the modules that they come to.

pub mod args;
pub mod choose;
pub mod exclude;
pub mod gomod;
pub mod gosum;
pub mod gover;
mod graph;
pub mod input;
mod lexer;
mod main_module;
pub mod mvs;
pub mod packages;
pub mod pattern;
pub mod query;
pub mod resolve;
pub mod sought;
pub mod steps;
mod text;
pub mod toolchains;
pub mod wants;
pub mod withdrawn;
