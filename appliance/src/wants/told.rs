//! Which wants were written into a file that left, or were turned down.
//!
//! ```text
//! STORE/wants-told.json
//! {"format":1,"told":[{"want":"github.com/BurntSushi/toml@v1.2.0","asked":14,"last":1795194764}]}
//! ```
//!
//! The server's own files are the server's to write, so what a person has done with them stands here. A want is left
//! out of later listings for as long as nobody asks for it again, which is seen by its count and its time. So nothing has
//! to be cleared, nobody loses a want because a stick was lost (`--again` has them all), and what was turned down
//! comes back when somebody still needs it.

use super::{Missed, MissedError};
use crate::store::not_for_another;
use modferry_cli::wants::Want;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

const FORMAT: u64 = 1;

/// The most bytes of the file: entries are of what the server keeps, and smaller.
const MAX_TOLD: u64 = super::kept::MAX_KEPT;

/// What was told of each want.
#[derive(Debug, Default)]
pub struct Told(HashMap<Want, (u64, u64)>);

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    format: u64,
    told: Vec<Line>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    want: Want,
    asked: u64,
    last: u64,
}

impl Told {
    /// What the store in that folder knows of it.
    pub fn read(store: &Path) -> Result<Told, MissedError> {
        let path = file(store);
        let from = match File::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Told::default()),
            opened => opened.map_err(MissedError::io("read", &path))?,
        };
        let mut bytes = Vec::new();
        from.take(MAX_TOLD + 1)
            .read_to_end(&mut bytes)
            .map_err(MissedError::io("read", &path))?;
        let damaged = |what: String| MissedError::Damaged {
            path: path.clone(),
            what,
        };
        if bytes.len() as u64 > MAX_TOLD {
            return Err(damaged(format!("it has more than {MAX_TOLD} bytes")));
        }
        let stored: Stored =
            serde_json::from_slice(&bytes).map_err(|error| damaged(error.to_string()))?;
        if stored.format != FORMAT {
            return Err(damaged(format!(
                "it is of format {}, and this version reads {FORMAT}",
                stored.format
            )));
        }
        let lines = stored.told.into_iter();
        Ok(Told(
            lines
                .map(|line| (line.want, (line.asked, line.last)))
                .collect(),
        ))
    }

    /// Whether it was told, and nobody has asked for it since.
    pub fn has(&self, missed: &Missed) -> bool {
        self.0.get(&missed.want) == Some(&(missed.asked, missed.last))
    }

    /// Notes that it is told now.
    pub fn add(&mut self, missed: &Missed) {
        self.0
            .insert(missed.want.clone(), (missed.asked, missed.last));
    }

    /// Forgets whatever the server keeps no longer, so that this does not grow for ever.
    pub fn keep_only(&mut self, kept: &[&Missed]) {
        let mut left = HashMap::new();
        for missed in kept {
            if let Some((want, told)) = self.0.remove_entry(&missed.want) {
                left.insert(want, told);
            }
        }
        self.0 = left;
    }

    /// Writes it into the store's folder, whole or not at all.
    pub fn write(self, store: &Path) -> Result<(), MissedError> {
        not_for_another(store)?;
        let path = file(store);
        let lines = self
            .0
            .into_iter()
            .map(|(want, (asked, last))| Line { want, asked, last });
        let mut told: Vec<Line> = lines.collect();
        told.sort_by(|a, b| a.want.cmp(&b.want));
        let format = FORMAT;
        let write = || -> io::Result<()> {
            let mut temp = tempfile::NamedTempFile::new_in(store)?;
            serde_json::to_writer(&mut temp, &Stored { format, told })?;
            temp.write_all(b"\n")?;
            (temp.as_file()).set_permissions(fs::Permissions::from_mode(0o640))?;
            temp.as_file().sync_all()?;
            temp.persist(&path)?;
            File::open(store)?.sync_all()
        };
        write().map_err(MissedError::io("write", &path))
    }
}

fn file(store: &Path) -> PathBuf {
    store.join("wants-told.json")
}
