//! Volumes under hidden names: what is being written, until all of the bundle is and its files get their names.

use std::io::{self, BufWriter};
use std::path::Path;

use modferry_protocol::bundle::{VolumeFiles, VolumePlan};
use tempfile::NamedTempFile;

use crate::files;

/// The volumes of one bundle in their folder, in order, each under a hidden name.
pub(crate) struct HiddenVolumes<'f> {
    folder: &'f Path,
    /// Those that are whole.
    pub(crate) done: Vec<NamedTempFile>,
}

impl<'f> HiddenVolumes<'f> {
    /// None yet.
    pub(crate) fn new(folder: &'f Path) -> Self {
        Self {
            folder,
            done: Vec::new(),
        }
    }
}

impl VolumeFiles for HiddenVolumes<'_> {
    type File = BufWriter<NamedTempFile>;

    fn create(&mut self, _: &VolumePlan) -> io::Result<Self::File> {
        let temp = files::held_temp_in(self.folder)?;
        Ok(BufWriter::with_capacity(1 << 20, temp))
    }

    fn done(&mut self, _: &VolumePlan, file: Self::File) -> io::Result<()> {
        let temp = file.into_inner().map_err(io::IntoInnerError::into_error)?;
        self.done.push(temp);
        Ok(())
    }
}
