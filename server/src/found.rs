//! What the store has for a request.

use std::sync::Arc;

use actix_http::header::HeaderValue;
use bytes::Bytes;
use modferry_appliance::store::{PinnedState, Zip};

use crate::conditional::Etag;

/// What kind of thing is answered: decides its type and for how long it may be cached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `@v/list`.
    List,
    /// `@latest`.
    Latest,
    /// `.info`.
    Info,
    /// The `.info` that answers a query.
    Query,
    /// `.mod`.
    Mod,
    /// `.zip`.
    Zip,
    /// The names of the opaque files.
    Files,
    /// An opaque file.
    File,
    /// A document of the vulnerability database.
    Json,
    /// The same, compressed.
    Gzip,
    /// Whether a checksum database is proxied here.
    Supported,
    /// A checksum database's newest signed head.
    Head,
    /// A record and the newest head.
    Lookup,
    /// A tile that has all of its hashes.
    FullTile,
    /// A tile that will have more when the tree has grown.
    PartialTile,
    /// Health and readiness.
    State,
}

/// What the store has for a request.
#[derive(Clone)]
pub enum Found {
    /// All of it.
    Small(Small),
    /// A zip or a file that is too large to be held whole, by its place in the store.
    Large(Kind, Zip),
}

/// What is answered: what was found, and for a large zip the state in which it is read on.
pub enum Answer {
    /// All of it.
    Small(Small),
    /// A zip or a file, and a state of the store that has it.
    Large(Kind, Zip, Arc<PinnedState>),
}

/// Bytes that are there, with their tag.
#[derive(Clone)]
pub struct Small {
    /// What they are.
    pub kind: Kind,
    /// All of them.
    pub bytes: Bytes,
    /// Their tag.
    pub etag: Etag,
    /// The tag as a header.
    pub etag_header: HeaderValue,
}

impl Small {
    /// These bytes, with the tag of their hash.
    pub fn new(kind: Kind, bytes: Bytes) -> Small {
        let etag = Etag::of_bytes(&bytes);
        Small::tagged(kind, bytes, etag)
    }

    /// These bytes, whose tag is known.
    pub fn tagged(kind: Kind, bytes: Bytes, etag: Etag) -> Small {
        Small {
            kind,
            bytes,
            etag_header: etag.header(),
            etag,
        }
    }
}
