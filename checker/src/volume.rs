//! One volume by itself: whether it is whole, and if not, everything in it that is not.
//!
//! For whoever keeps volumes until all of a bundle are there, and for whoever wants to know what became of a disc. A volume
//! that is found whole here is one of the accepted bundle, and each whole entry of it is as it was signed. An extent is as
//! it was written: that it is what was signed shows when all of its entry is read. What the contents are worth,
//! [`check`](crate::check()) says.

use std::io::{Read, Seek, Write};

use modferry_protocol::bundle::{ReadError, Volume};
use modferry_protocol::trust::Accepted;
use serde::Serialize;

use crate::check::from_read;
use crate::{CheckError, MAX_NAMED};

/// A volume that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Examined {
    /// Its number, from 1.
    pub number: u32,
    /// How many volumes the bundle has in this cut.
    pub of: u32,
    /// The first and the last entry of which it has something; `None` where the bundle has no entries.
    pub entries: Option<(u32, u32)>,
    /// What is damaged, in order, at most [`MAX_NAMED`] of it. None: the volume is whole.
    pub damaged: Vec<DamagedPart>,
    /// How many more are.
    pub more: usize,
}

/// A part of a volume that is not as it was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DamagedPart {
    /// The entry, or the extent of it, and what it holds: `entry 000017.zip (zip example.com/a@v1.0.0)`.
    pub part: String,
    /// What is wrong with it.
    pub what: String,
}

impl Examined {
    /// Whether nothing is wrong with it.
    pub fn is_whole(&self) -> bool {
        self.damaged.is_empty()
    }

    /// The error that says what is wrong with the volume of that file name; `None` if nothing is.
    pub fn damage(&self, volume: &str) -> Option<CheckError> {
        (!self.is_whole()).then(|| CheckError::DamagedParts {
            volume: volume.into(),
            parts: self.damaged.clone(),
            more: self.more,
        })
    }
}

/// Reads one volume of the bundle whose manifest was accepted, from its first byte to its last, and finds all that is damaged.
///
/// `name` is what errors call the volume. `spool` is an empty place for the index.
///
/// An error is about the volume as a whole: it is of another bundle, or its front is damaged, so that nobody can say
/// what it has. The reader need not have been read to its end then.
pub fn examine<R: Read, S: Read + Write + Seek>(
    name: &str,
    reader: R,
    accepted: &Accepted,
    spool: S,
) -> Result<Examined, CheckError> {
    let failed = |error: ReadError| from_read(name, error);
    let mut parts = Volume::open(reader)
        .and_then(|volume| volume.trust(accepted))
        .and_then(|volume| volume.index(spool))
        .map_err(failed)?
        .parts();
    let volume = parts.volume();
    let mut examined = Examined {
        number: volume.number,
        of: volume.of,
        entries: volume.entries,
        damaged: Vec::new(),
        more: 0,
    };
    while let Some(part) = parts.next().map_err(failed)? {
        let Err(error) = part.result else { continue };
        if examined.damaged.len() < MAX_NAMED {
            examined.damaged.push(DamagedPart {
                part: part.name,
                what: what_is_wrong(error),
            });
        } else {
            examined.more += 1;
        }
    }
    Ok(examined)
}

/// The same without the part's name, which stands beside it.
fn what_is_wrong(error: ReadError) -> String {
    match error {
        ReadError::Damaged { what, .. } => what,
        ReadError::Truncated { .. } => "the volume ends in it".into(),
        ReadError::Unexpected { found, .. } => format!("{found} is in its place"),
        ReadError::Io { source, .. } => format!("reading it failed: {source}"),
        other => other.to_string(),
    }
}
