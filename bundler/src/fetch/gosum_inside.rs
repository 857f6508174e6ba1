//! The go.sum inside a module zip that was verified before.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use modferry_protocol::module::ModuleVersion;

use crate::pack::group::Opened;
use crate::select::gosum::{self, Sums};

/// The largest go.sum that is read, in bytes; the largest known ones have about 1 MB.
pub const MAX_GO_SUM: u64 = 16 << 20;

/// The module's own go.sum; empty where it has none.
pub fn read(module: &ModuleVersion, zip: &Path) -> io::Result<BTreeMap<ModuleVersion, Sums>> {
    let zip = Opened::new(zip)?;
    let name = format!("{module}/go.sum");
    let mut numbered = (0..).zip(&zip.places);
    let Some((entry, place)) = numbered.find(|(_, place)| place.name == name.as_bytes()) else {
        return Ok(BTreeMap::new());
    };
    let invalid = |what: String| io::Error::new(io::ErrorKind::InvalidData, what);
    if place.unpacked > MAX_GO_SUM {
        return Err(invalid(format!("it has more than {MAX_GO_SUM} bytes")));
    }
    let mut text = Vec::new();
    zip.unpack(entry, &mut text)?;
    gosum::parse(&text).map_err(|error| invalid(error.to_string()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use modferry_checker::testing::TestModule;

    fn of(files: &[(&str, &str)]) -> io::Result<BTreeMap<ModuleVersion, Sums>> {
        let module = TestModule::new("a.test/M@v1.0.0", files);
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("m.zip");
        std::fs::write(&path, &module.zip).unwrap();
        read(&module.module, &path)
    }

    const LINE: &str = "b.test/b v1.0.0/go.mod h1:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n";

    #[test]
    fn only_the_one_in_the_root_counts() {
        let sums = of(&[("go.sum", LINE), ("a.go", "package a\n")]).unwrap();
        let names: Vec<String> = sums.keys().map(ToString::to_string).collect();
        assert_eq!(names, ["b.test/b@v1.0.0"]);
        assert!(of(&[("sub/go.sum", LINE)]).unwrap().is_empty());
        let error = of(&[("go.sum", "b.test/b\n")]).unwrap_err();
        assert!(error.to_string().contains("line 1"), "{error}");
    }

    #[test]
    fn it_is_read_up_to_the_limit() {
        let limit = usize::try_from(MAX_GO_SUM).unwrap();
        let fits = format!("{LINE}{}", " ".repeat(limit - LINE.len()));
        assert_eq!(of(&[("go.sum", &fits)]).unwrap().len(), 1);
        let error = of(&[("go.sum", &format!("{fits} "))]).unwrap_err();
        assert!(
            error.to_string().contains("more than 16777216 bytes"),
            "{error}"
        );
    }
}
