//! What the server's tests have in common: a store filled by the appliance's writer, the built server as a
//! process, and a client that sends exactly the bytes it is told to.

mod client;
mod fixture;
mod process;

pub use client::{Client, Response, get};
pub use fixture::{
    BIG, Fixture, SIZES, TREE, head_of, info, module, put_whole, sized, tile_bytes, zip_bytes,
};
pub use process::{Process, eventually, refused};
