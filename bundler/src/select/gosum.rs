//! go.sum files: which files of which modules a build needs, and their hashes.

use std::collections::BTreeMap;

use modferry_protocol::h1::H1;
use modferry_protocol::module::ModuleVersion;

/// What a go.sum says of one module version. Without a zip's hash only the go.mod file is needed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    /// The zip's hash.
    pub zip: Option<H1>,
    /// The go.mod file's hash.
    pub go_mod: Option<H1>,
}

/// What is wrong with a go.sum file, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}")]
pub struct GoSumError {
    /// Line, from 1.
    pub line: usize,
    /// What is wrong there.
    pub what: String,
}

/// The hash of an empty go.mod. Old Go versions wrote it for what is no module; the go command drops such lines.
const EMPTY_GO_MOD: &str = "h1:G7mAYYxgmS0lVkHyy2hEOLQCFB0DlQFTMLWggykrydY=";

/// Reads a go.sum file. Hashes of kinds other than `h1:` are passed over, as the go command does.
pub fn parse(text: &[u8]) -> Result<BTreeMap<ModuleVersion, Sums>, GoSumError> {
    let text = String::from_utf8_lossy(text);
    let mut sums: BTreeMap<ModuleVersion, Sums> = BTreeMap::new();
    for (index, line) in text.lines().enumerate() {
        let error = |what: String| GoSumError {
            line: index + 1,
            what,
        };
        let fields: Vec<&str> = line.split_whitespace().collect();
        let [path, version, hash] = fields[..] else {
            if fields.is_empty() {
                continue;
            }
            return Err(error(format!("wrong number of fields {}", fields.len())));
        };
        if !hash.starts_with("h1:") || hash == EMPTY_GO_MOD {
            continue;
        }
        let (version, of_go_mod) = match version.strip_suffix("/go.mod") {
            Some(version) => (version, true),
            None => (version, false),
        };
        let module = ModuleVersion::parse(path, version)
            .map_err(|cause| error(format!("{path} {version}: {cause}")))?;
        let hash: H1 = hash
            .parse()
            .map_err(|_| error(format!("{path} {version}: malformed hash {hash:?}")))?;
        let entry = sums.entry(module).or_default();
        let slot = if of_go_mod {
            &mut entry.go_mod
        } else {
            &mut entry.zip
        };
        match slot {
            Some(before) if *before != hash => {
                return Err(error(format!("{path} {version} has two different hashes")));
            }
            _ => *slot = Some(hash),
        }
    }
    Ok(sums)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const A: &str = "h1:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
    const B: &str = "h1:LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=";

    #[test]
    fn levels_are_told_apart() {
        let text = format!(
            "example.com/a v1.0.0 {A}\nexample.com/a v1.0.0/go.mod {B}\n\nexample.com/b v1.0.0/go.mod {A}\n\
             example.com/b v1.0.0 h9:future\nexample.com/a v1.0.0/go.mod {EMPTY_GO_MOD}\n\
             example.com/no-module v1.0.0/go.mod {EMPTY_GO_MOD}\n"
        );
        let sums = parse(text.as_bytes()).unwrap();
        let of = |path: &str| &sums[&ModuleVersion::parse(path, "v1.0.0").unwrap()];
        assert_eq!(of("example.com/a").zip.as_ref().unwrap().to_string(), A);
        assert_eq!(of("example.com/a").go_mod.as_ref().unwrap().to_string(), B);
        assert_eq!(of("example.com/b").zip, None);
        assert_eq!(sums.len(), 2);
    }

    #[test]
    fn faults_are_told_with_their_line() {
        for (text, what) in [
            ("a".to_owned(), "wrong number of fields 1"),
            (format!("example.com/a v1 {A}"), "v1"),
            ("example.com/a v1.0.0 h1:x".to_owned(), "malformed hash"),
            (
                format!("example.com/a v1.0.0 {A}\nexample.com/a v1.0.0 {B}"),
                "two different",
            ),
        ] {
            let error = parse(text.as_bytes()).unwrap_err().to_string();
            assert!(
                error.contains(what) && error.starts_with("line "),
                "{error}"
            );
        }
    }
}
