//! Opaque files, as they come: straight to the stage, hashed on the way.

use std::io::{self, Read};

use modferry_protocol::bundle::{Incoming, Item, ReadError, Volumes};

use super::{Intake, from_volume};
use crate::{CheckError, Progress, Stage};

impl<S: Stage> Intake<'_, S> {
    /// Takes a file. A name has the same bytes for good.
    pub(super) fn file<V: Volumes>(&mut self, incoming: Incoming<'_, V>) -> Result<(), CheckError> {
        let entry = incoming.entry();
        let (size, sha256) = (entry.stored, entry.sha256);
        let [(Item::File(name), _)] = entry.items.as_slice() else {
            let volume = self.manifest.volume_file_name(incoming.volume());
            return Err(CheckError::damaged(
                &volume,
                entry.to_string(),
                "it is not one file",
            ));
        };
        let name = name.clone();
        let held = self.stage.held_file(&name).map_err(CheckError::stage)?;
        if held.is_some_and(|held| held != sha256) {
            return Err(CheckError::OtherFile { name });
        }
        let mut body = Body {
            incoming,
            progress: self.progress,
            failed: None,
        };
        let kept = self.stage.put_file(&name, size, &sha256, &mut body);
        let named = |error| from_volume(self.manifest, error);
        if let Some(error) = body.failed {
            return Err(named(error));
        }
        kept.map_err(CheckError::stage)?;
        body.incoming.finish().map_err(named)?;
        self.report.files += 1;
        self.report.file_bytes += size;
        Ok(())
    }
}

/// An entry's bytes, for a stage; what goes wrong with them is the entry's fault and not the stage's.
struct Body<'p, 'v, V: Volumes> {
    incoming: Incoming<'v, V>,
    progress: &'p dyn Progress,
    failed: Option<ReadError>,
}

impl<V: Volumes> Read for Body<'_, '_, V> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match self.incoming.read(buf) {
            Ok(n) => {
                self.progress.advance(n as u64);
                Ok(n)
            }
            Err(error) => {
                self.failed = Some(error);
                Err(io::Error::other("the volume cannot be read on"))
            }
        }
    }
}
