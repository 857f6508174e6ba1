//! A bundle in volumes of another size.

use std::path::Path;

use modferry_cli::{bytes, print_json};
use serde_json::json;

use super::say;
use crate::command::stdout;
use crate::error::Error;
use crate::recut::Recut;

/// `volumes`
pub fn recut(recut: &Recut, out: &Path, json: bool) -> Result<(), Error> {
    let manifest = &recut.manifest;
    let count = recut.files.len() - 1;
    if json {
        return print_json(&json!({
            "stream": manifest.stream.to_string(), "sequence": manifest.sequence.get(),
            "fingerprint": manifest.spoken().to_string(),
            "volumes": count, "files": recut.files, "bytes": recut.bytes,
        }))
        .map_err(stdout);
    }
    let mut text = format!(
        "bundle {} {} in {}, {}; the signatures are those that it had\n",
        manifest.stream,
        manifest.sequence,
        super::volumes(count),
        bytes(recut.bytes),
    );
    for file in &recut.files {
        text += &format!("  {}\n", file.display());
    }
    say(&format!(
        "{text}next, on the other side: modferry-appliance import {}\n",
        out.display()
    ))
}
