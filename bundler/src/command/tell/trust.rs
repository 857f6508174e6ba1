//! What `trust new` tells.

use modferry_cli::print_json;
use serde_json::json;

use super::{say, stdout};
use crate::error::Error;
use crate::trust::Made;

/// `trust new`
pub fn trust_note(made: &Made, json: bool) -> Result<(), Error> {
    let note = &made.note;
    let sha256: String = note.sha256().iter().map(|b| format!("{b:02x}")).collect();
    if json {
        return print_json(&json!({
            "note": made.path, "number": note.number, "sha256": sha256,
            "fingerprint": made.spoken.to_string(), "signers": [made.signer.short_name()],
        }))
        .map_err(stdout);
    }
    let path = made.path.display();
    say(&format!(
        "{path}: trust note {}, signed by {}\n\n{}\n\
         fingerprint {}\n\
         next: further signatures, as many as the other side asks for: modferry-bundler sign {path} --key KEY\n\
         then: modferry-bundler export --trust {path} …, or on the other side: modferry-appliance trust apply {path}\n",
        note.number,
        made.signer.short_name(),
        note.encode(),
        made.spoken
    ))
}
