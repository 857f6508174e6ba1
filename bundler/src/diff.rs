//! `diff`: what one bundle, or several, have that others lack; or the other side's store, by the list it printed.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;

use modferry_checker::diff::{Difference, Side, Summary, bundles, compare, list};

use crate::bundle;
use crate::error::Error;

/// Compares what the two paths name: bundles (a folder of several counts as one), or what
/// `modferry-appliance list --all --json` printed; `-` is such a list on standard input.
pub fn diff(
    a: &Path,
    b: &Path,
    each: &mut dyn FnMut(&Difference) -> io::Result<()>,
) -> Result<Summary, Error> {
    if [a, b].iter().all(|path| path.as_os_str() == "-") {
        return Err(Error::usage("only one of the two can be standard input"));
    }
    Ok(compare(side(a)?, side(b)?, each)?)
}

fn side(path: &Path) -> Result<Side<'static>, Error> {
    let name = path.display().to_string();
    if path.as_os_str() == "-" {
        return Ok(list("standard input", io::stdin().lock()));
    }
    if path.is_file() {
        let mut file = BufReader::new(File::open(path).map_err(Error::file("read", path))?);
        // A volume begins with a tar header's name, a manifest with its first line; an empty store's list is empty.
        let begins = file.fill_buf().map_err(Error::file("read", path))?;
        if begins.first().is_none_or(|byte| *byte == b'{') {
            return Ok(list(&name, file));
        }
    }
    let mut fronts = Vec::new();
    for bundle in bundle::find(&[path.to_owned()])? {
        fronts.push((bundle.manifest, bundle.index));
    }
    Ok(bundles(&name, &fronts))
}
