//! The files in which the server keeps what it missed.
//!
//! ```text
//! wants.json     public names
//! private.json   names that the server's `private` patterns match: apart, so that no copy of the other has them
//! ```
//!
//! Each is one JSON object, an entry a line:
//!
//! ```text
//! {"format":1,"written":1795253130,"left_out":0,"wants":[
//! {"want":"github.com/BurntSushi/toml@v1.2.0","parts":["info"],"asked":14,"first":1793607120,"last":1795194764}
//! ]}
//! ```
//!
//! The server replaces a file whole (another one, synced, renamed over it), so that a reader finds the one before or
//! the one after, whatever happens to the server.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;

use super::{Missed, MissedError};
use serde::{Deserialize, Serialize};

/// The format that is written and read.
pub const FORMAT: u64 = 1;

/// Public names.
pub const PUBLIC: &str = "wants.json";

/// Private names.
pub const PRIVATE: &str = "private.json";

/// The most bytes of such a file that are read.
pub const MAX_KEPT: u64 = 64 << 20;

/// The most bytes that an entry has beside its name, with the line's end.
pub const BESIDE_THE_NAME: usize = 200;

/// The most bytes that a file has beside its entries.
pub const BESIDE_THE_ENTRIES: usize = 200;

/// What such a file says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kept {
    /// [`FORMAT`].
    pub format: u64,
    /// When it was written, in seconds since 1970, by the server's clock.
    pub written: u64,
    /// How many requests for something that is not here were not taken down since the file was begun: by limits.
    pub left_out: u64,
    /// What was missed.
    pub wants: Vec<Missed>,
}

impl Kept {
    /// Writes it.
    pub fn write(&self, mut to: impl Write) -> io::Result<()> {
        let Kept {
            format,
            written,
            left_out,
            wants,
        } = self;
        write!(
            to,
            "{{\"format\":{format},\"written\":{written},\"left_out\":{left_out},\"wants\":["
        )?;
        for (number, missed) in wants.iter().enumerate() {
            to.write_all(if number == 0 { b"\n" } else { b",\n" })?;
            serde_json::to_writer(&mut to, missed)?;
        }
        to.write_all(b"\n]}\n")
    }

    /// Reads such a file; `None` where there is none.
    pub fn read(path: &Path) -> Result<Option<Kept>, MissedError> {
        let file = match File::open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            opened => opened.map_err(MissedError::io("read", path))?,
        };
        let mut bytes = Vec::new();
        file.take(MAX_KEPT + 1)
            .read_to_end(&mut bytes)
            .map_err(MissedError::io("read", path))?;
        let damaged = |what: String| MissedError::Damaged {
            path: path.into(),
            what,
        };
        if bytes.len() as u64 > MAX_KEPT {
            return Err(damaged(format!("it has more than {MAX_KEPT} bytes")));
        }
        let format = |bytes: &[u8]| {
            let format: Format = serde_json::from_slice(bytes)?;
            Ok(format.format)
        };
        match format(&bytes).map_err(|error: serde_json::Error| damaged(error.to_string()))? {
            FORMAT => {}
            format => {
                return Err(MissedError::Newer {
                    path: path.into(),
                    format,
                });
            }
        }
        let kept = serde_json::from_slice(&bytes);
        kept.map(Some).map_err(|error| damaged(error.to_string()))
    }
}

/// What every format begins with.
#[derive(Deserialize)]
struct Format {
    format: u64,
}
