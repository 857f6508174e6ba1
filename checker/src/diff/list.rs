//! A side of a list: what `modferry-appliance list --all --json` printed, carried back on any way there is.
//!
//! One JSON object a line, sorted by module and version as it is printed. It says nothing of tiles and heads.

use std::io::{BufRead, Read as _};

use modferry_cli::Exit;
use modferry_protocol::bundle::Level;
use modferry_protocol::module::ModuleVersion;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::{DiffError, Held, Side};

/// The most bytes of a list's line: a module's path and version, two hashes and a size take a tenth of it.
pub const MAX_LIST_LINE: usize = 16 << 10;

/// What is read of a line; a later list may say more.
#[derive(Deserialize)]
struct Line {
    module: String,
    version: String,
    /// The zip's bytes; `null` where there is only the go.mod.
    size: Option<u64>,
}

/// What tells the lines that are no module version's: answers to queries, files, and the vulnerability database.
#[derive(Deserialize)]
struct Other {
    query: Option<IgnoredAny>,
    file: Option<IgnoredAny>,
    vulnerability_database: Option<IgnoredAny>,
}

/// What the list says is held.
pub fn list<'a>(name: &str, input: impl BufRead + 'a) -> Side<'a> {
    let mut lines = Lines {
        name: name.to_owned(),
        input,
        line: 0,
    };
    Side {
        name: name.to_owned(),
        held: Box::new(std::iter::from_fn(move || lines.next().transpose())),
        tiles: None,
        heads: None,
    }
}

struct Lines<R> {
    name: String,
    input: R,
    line: u64,
}

impl<R: BufRead> Lines<R> {
    fn next(&mut self) -> Result<Option<Held>, DiffError> {
        loop {
            match self.next_line()? {
                None => return Ok(None),
                Some(line) => match self.held(&line)? {
                    None => {}
                    held => return Ok(held),
                },
            }
        }
    }

    /// What the line says is held; `None` of one that is no module version's.
    fn held(&self, line: &[u8]) -> Result<Option<Held>, DiffError> {
        let malformed = |error: serde_json::Error| self.bad(error.to_string());
        let other: Other = serde_json::from_slice(line).map_err(malformed)?;
        let Other {
            query,
            file,
            vulnerability_database,
        } = other;
        if query.or(file).or(vulnerability_database).is_some() {
            return Ok(None);
        }
        let line: Line = serde_json::from_slice(line).map_err(malformed)?;
        let module = ModuleVersion::parse(&line.module, &line.version)
            .map_err(|error| self.bad(error.to_string()))?;
        let level = match line.size {
            Some(_) => Level::Zip,
            None => Level::Mod,
        };
        Ok(Some((module, level)))
    }

    fn next_line(&mut self) -> Result<Option<Vec<u8>>, DiffError> {
        let mut line = Vec::new();
        let most = MAX_LIST_LINE as u64;
        let read = self.input.by_ref().take(most).read_until(b'\n', &mut line);
        read.map_err(|source| DiffError::Read {
            name: self.name.clone(),
            exit: Exit::Other,
            source: Box::new(source),
        })?;
        if line.is_empty() {
            return Ok(None);
        }
        self.line += 1;
        if line.pop() != Some(b'\n') {
            return Err(self.bad("it is cut short, or too long".into()));
        }
        Ok(Some(line))
    }

    fn bad(&self, what: String) -> DiffError {
        DiffError::Line {
            name: self.name.clone(),
            line: self.line,
            what,
        }
    }
}
