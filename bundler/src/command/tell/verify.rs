//! What a verify proved; and, of volumes that are not all there, what that does not prove.

use modferry_cli::{count, print_json};
use serde_json::json;

use super::{fingerprint, say};
use crate::bundle::Bundle;
use crate::command::stdout;
use crate::error::Error;
use crate::verify::{Verified, Volumes};

/// `verify`, with `--fingerprint` only that.
pub fn verify(bundle: &Bundle, verified: &Verified, only: bool, json: bool) -> Result<(), Error> {
    let (manifest, signers) = match verified {
        Verified::Whole(report) => (&report.manifest, &report.signers),
        Verified::Volumes(volumes) => (&volumes.manifest, &volumes.signers),
    };
    match verified {
        _ if only => fingerprint(manifest, Some(signers), json),
        Verified::Whole(report) if json => print_json(report).map_err(stdout),
        Verified::Whole(report) => say(&format!("{}: verified\n{report}", bundle.name())),
        Verified::Volumes(volumes) if json => as_json(volumes),
        Verified::Volumes(volumes) => say(&text(volumes)),
    }
}

fn as_json(volumes: &Volumes) -> Result<(), Error> {
    let manifest = &volumes.manifest;
    let examined: Vec<_> = volumes
        .examined
        .iter()
        .map(|(path, volume)| json!({ "file": path, "examined": volume }))
        .collect();
    print_json(&json!({
        "stream": manifest.stream.to_string(), "sequence": manifest.sequence.get(),
        "fingerprint": manifest.spoken().to_string(), "signers": volumes.signers,
        "volumes": examined, "missing_volumes": volumes.missing, "needs": manifest.needs, "bases": manifest.bases, "contents_proven": false,
    }))
    .map_err(stdout)
}

fn text(volumes: &Volumes) -> String {
    let manifest = &volumes.manifest;
    let mut text = format!(
        "bundle {} {} of {}, signed by {}\nfingerprint {}\n",
        manifest.stream,
        manifest.sequence,
        manifest.created,
        volumes.signers.join(", "),
        manifest.spoken(),
    );
    for (path, volume) in &volumes.examined {
        text += &format!(
            "{}: volume {} of {}",
            path.display(),
            volume.number,
            volume.of
        );
        text += &match volume.entries {
            Some((first, last)) if first == last => format!(", entry {first}"),
            Some((first, last)) => format!(", entries {first} to {last}"),
            None => ", no entries".into(),
        };
        text += ": whole\n";
    }
    text += "proven: these volumes are of this bundle; the index, and each entry that is whole in them, is as it was \
             signed, and parts of entries are as they were written\n\
             not proven: that the checksum database vouches for the contents; ";
    if !volumes.missing.is_empty() {
        let missing = volumes.missing.join(", ");
        return text + &format!("that takes all volumes, and not here: {missing}\n");
    }
    let bases = match manifest.bases {
        0 => String::new(),
        bases => format!(", {} that it is packed against", count(bases, "zip")),
    };
    text + &format!(
        "that takes what the bundle builds on ({}{bases}, and tiles), which is where it goes: \
         modferry-appliance verify proves it there\n",
        count(manifest.needs, "module version")
    )
}
