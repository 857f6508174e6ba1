//! Opaque files: where they are, and which streams name them.

use super::zips::Owner;
use super::{Run, keys};
use crate::store::scratch::Scratch;
use crate::store::{Claim, Counts, Extent, Zip};
use modferry_protocol::h1::H1;

impl Run<'_> {
    /// Each file has a place, and its chunks belong to it.
    pub(super) fn files(&mut self, zips: Option<&Scratch>, counts: &mut Counts) {
        self.each(&keys::all_files(), "files' places", |run, key, locator| {
            counts.files += 1;
            let Some(keys::Named::File(name)) = keys::parse(key) else {
                return run.found("a file's key that names none");
            };
            let owner = Owner::File(name);
            let Some(file) = run.sound(|| owner.to_string(), Zip::decode(locator)) else {
                return;
            };
            counts.file_bytes += file.size;
            let nothing_else = Zip {
                h1: H1::from_bytes([0; 32]),
                files: 0,
                unpacked: 0,
                ..file.clone()
            };
            if file != nothing_else {
                run.found(format!("{owner}: it has what only zips have"));
            }
            if let Some(zips) = zips {
                let noted = super::zips::note(zips, &owner, &file);
                run.sound(|| owner.to_string(), noted);
            }
        });
        self.checked("files have a place", counts.files);
    }

    /// Checks each claim on files, and that each file has one; counts those that are gone.
    pub(super) fn file_claims(&mut self) -> u64 {
        let streams = self.view.totals().map(|totals| totals.streams);
        let streams = streams.unwrap_or_default();
        let mut claims = 0;
        self.each(
            &keys::all_file_claims(),
            "claims on files",
            |run, key, value| {
                claims += 1;
                let Some(keys::Named::FileClaim(name, stream)) = keys::parse(key) else {
                    return run.found("a claim's key that names no file");
                };
                let what = format!("the claim of stream {stream} on the file {name}");
                if let Some(claim) = run.sound(|| what.clone(), Claim::decode(value)) {
                    run.claim_is_sound(&streams, &stream, &claim, &what);
                    if claim.extent == Extent::Mod {
                        run.found(format!("{what}: it is of a go.mod"));
                    }
                }
            },
        );
        // In a store of a schema before, the next import makes them.
        let with_claims = self.view.knows_file_claims();
        let with_claims = self.sound(|| "the schema".into(), with_claims) == Some(true);
        let mut gone = 0;
        self.each(&keys::all_files(), "files' places", |run, key, _| {
            let Some(keys::Named::File(name)) = keys::parse(key) else {
                return; // told where the places are checked
            };
            let claims = run.view.file_claims(&name);
            let Some(claims) = run.sound(|| format!("the claims on the file {name}"), claims)
            else {
                return;
            };
            if claims.is_empty() && with_claims {
                run.found(format!("no stream ever named the file {name}"));
            }
            let named = |(_, claim): &(String, Claim)| claim.extent > Extent::Nothing;
            gone += u64::from(!claims.is_empty() && !claims.iter().any(named));
        });
        self.checked("claims on files are of bundles that were imported", claims);
        gone
    }
}
