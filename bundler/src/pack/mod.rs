//! Packs zips: their files' contents once, compressed together, and of each zip a recipe that rebuilds it bit for bit.

pub mod base;
