//! Every fuzz target over its committed corpus: what fuzzing found stays found, without the nightly toolchain.

#![allow(clippy::unwrap_used)]

#[path = "../../fuzz/src/lib.rs"]
mod targets;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn fuzz() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz")
}

/// The names in a folder, less the ending that all of them have.
fn names(folder: &str, ending: &str) -> BTreeSet<String> {
    let files = fs::read_dir(fuzz().join(folder)).unwrap();
    let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
    names
        .map(|name| name.strip_suffix(ending).unwrap().to_owned())
        .collect()
}

#[test]
fn every_target_survives_its_corpus() {
    for (name, check) in targets::TARGETS {
        let inputs: Vec<_> = fs::read_dir(fuzz().join("corpus").join(name))
            .unwrap()
            .map(|file| file.unwrap().path())
            .collect();
        assert!(inputs.len() > 1, "{name} has {} inputs", inputs.len());
        for input in inputs {
            println!("{}", input.display()); // shown if it fails
            check(&fs::read(input).unwrap());
        }
    }
}

#[test]
fn every_target_is_there_everywhere() {
    let targets: BTreeSet<String> = targets::TARGETS
        .iter()
        .map(|(name, _)| (*name).to_owned())
        .collect();
    assert_eq!(names("corpus", ""), targets);
    assert_eq!(names("fuzz_targets", ".rs"), targets);
    let manifest = fs::read_to_string(fuzz().join("Cargo.toml")).unwrap();
    for name in &targets {
        assert!(
            manifest.contains(&format!("path = \"fuzz_targets/{name}.rs\"")),
            "fuzz/Cargo.toml does not build {name}"
        );
    }
}
