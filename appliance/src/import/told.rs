//! What an import tells people.

use super::{Done, Outcome};
use modferry_cli::{bytes, duration};
use std::fmt;
use std::time::Duration;

impl fmt::Display for Done {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.outcome {
            Outcome::Imported => "imported",
            Outcome::AlreadyImported => "already imported, nothing to do",
            Outcome::Verified => "verified, nothing was written",
        };
        write!(
            f,
            "{}: {what} (stream {}, bundle {}, made {})",
            self.bundle, self.stream, self.sequence, self.created
        )?;
        if let Some(checks) = &self.checks {
            for line in checks.to_string().trim_end().lines() {
                write!(f, "\n  {line}")?;
            }
        }
        if let Some(added) = &self.added {
            write!(
                f,
                "\n  new: {} module versions of {} new modules, {} zips ({}), {} go.mod files, {} records, {} tiles, {} tree heads",
                added.versions,
                added.modules,
                added.zips,
                bytes(added.zip_bytes),
                added.mods,
                added.records,
                added.tiles,
                added.heads
            )?;
        }
        if let Some(kept) = &self.kept
            && !kept.names.is_empty()
        {
            let all = kept.infos + kept.mods + kept.zips;
            write!(
                f,
                "\n  note: {all} things are held in other bytes already and stay as they are: {}",
                kept.names.join(", ")
            )?;
        }
        for note in &self.notes {
            write!(f, "\n  note: {note}")?;
        }
        let took = duration(Duration::from_secs_f64(self.seconds));
        match self.import {
            Some(number) => write!(f, "\n  import {number}, {took}"),
            None => write!(f, "\n  {took}"),
        }
    }
}
