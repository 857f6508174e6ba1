//! `receipt`: what the store holds, signed, to be carried back.

use super::{failed, print, reader, say, unwritable};
use crate::Failed;
use crate::args::Args;
use modferry_appliance::receipt::receipt as of_store;
use modferry_appliance::store::StoreError;
use modferry_cli::{Exit, Fault, folder_of};
use serde_json::json;
use std::io::Write;
use std::path::Path;

pub fn receipt(
    args: &Args,
    store: &Path,
    out: Option<&Path>,
    name: Option<&str>,
) -> Result<(), Failed> {
    let Some((reader, _log)) = reader(store)? else {
        let store = store.into();
        return Err(failed(StoreError::Empty { store }));
    };
    let signed = of_store(store, &reader, name).map_err(failed)?;
    let text = String::from_utf8_lossy(&signed.note);
    if signed.new_key && !args.quiet {
        // Beside the result, which may go into a pipe.
        eprintln!(
            "the store has a key of its own now; give {}/identity.pub to the bundler once\n  fingerprint {}",
            store.display(),
            signed.key.fingerprint()
        );
    }
    let Some(out) = out else {
        return match args.json {
            true => say(
                args,
                &json!({ "receipt": text, "key": signed.key.to_string() }),
                String::new,
            ),
            false => print(text.trim_end_matches('\n')).map_err(unwritable),
        };
    };
    write(out, &signed.note).map_err(|error| {
        let fault = Fault::new(Exit::Other, format!("cannot write {}", out.display()));
        failed(fault.because(error))
    })?;
    let told =
        json!({ "file": out, "ledger": signed.receipt.ledger.size, "key": signed.key.to_string() });
    say(args, &told, || {
        let ledger = &signed.receipt.ledger;
        format!(
            "{}: what the store holds, ledger head {} {}",
            out.display(),
            ledger.size,
            ledger.hash
        )
    })
}

/// Whole, or not there: a receipt that is half on a stick would be refused where it is carried to.
fn write(path: &Path, note: &[u8]) -> std::io::Result<()> {
    let folder = folder_of(path);
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(note)?;
    let readable = std::os::unix::fs::PermissionsExt::from_mode(0o644);
    file.as_file().set_permissions(readable)?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    Ok(())
}
