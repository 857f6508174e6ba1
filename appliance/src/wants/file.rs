//! What is listed, as a signed wants file.

use super::Listed;
use modferry_cli::wants::{Follow, MAX_WANTS, MAX_WANTS_FILE, Time, Wants, WantsError, sign};
use modferry_protocol::note::SigningKey;
use std::cmp::Reverse;
use std::path::Path;

/// The most bytes of a file's entries: the rest is for its first lines and its signature.
pub const MAX_ENTRIES: usize = MAX_WANTS_FILE - (8 << 10);

/// A signed file.
#[derive(Debug)]
pub struct Written {
    /// Its bytes.
    pub note: Vec<u8>,
    /// What is in it, in its order.
    pub wants: Vec<Listed>,
    /// How many had no room: those that were asked for least often.
    pub without_room: usize,
}

/// Makes the file; `path` is for an error's words.
pub fn file(
    path: &Path,
    mut wants: Vec<Listed>,
    site: Option<&str>,
    follow: Option<Follow>,
    key: &SigningKey,
) -> Result<Written, WantsError> {
    let entry = |listed: &Listed| {
        let mut entry = listed.entry();
        entry.follow = follow;
        entry
    };
    let all = wants.len();
    wants.sort_by_key(|listed| Reverse(listed.missed.asked));
    wants.truncate(MAX_WANTS);
    let mut room = MAX_ENTRIES;
    wants.retain(|listed| {
        let fits = room.checked_sub(entry(listed).encode().len());
        room = fits.unwrap_or(room);
        fits.is_some()
    });
    wants.sort_by(|a, b| a.missed.want.cmp(&b.missed.want));
    let text = Wants {
        site: Some(site.unwrap_or(key.name()).into()),
        written: Some(Time::now()),
        wants: wants.iter().map(entry).collect(),
    }
    .encode();
    // It is read back before it is signed: what cannot be read where it is carried to never leaves.
    let (_, note) = sign(path, text.as_bytes(), key)?;
    Ok(Written {
        note,
        without_room: all - wants.len(),
        wants,
    })
}
