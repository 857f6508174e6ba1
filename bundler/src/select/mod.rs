//! What goes into a bundle: what is asked for ([`ask`]), read out of settings ([`entry`]) and out of the files that they
//! name ([`input`]), put together ([`gather`]), and the modules that it comes to ([`steps`], [`mvs`]).

pub mod ask;
pub mod choose;
pub mod entry;
pub mod exclude;
pub mod gather;
pub mod gomod;
pub mod gosum;
pub mod gover;
pub mod gowork;
mod graph;
pub mod input;
pub mod levels;
mod lexer;
mod main_module;
pub mod mvs;
pub mod packages;
pub mod pattern;
pub mod platform;
pub mod query;
pub mod resolve;
pub mod sought;
pub mod steps;
pub(crate) mod text;
pub mod toolchains;
pub mod wants;
pub mod withdrawn;
pub mod workspace;
