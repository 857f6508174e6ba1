//! `receipt`: what the store holds, signed, to be carried back.

use super::{failed, print, reader, say, tell_new_key, unwritable, write_note};
use crate::Failed;
use crate::args::Args;
use modferry_appliance::receipt::receipt as of_store;
use modferry_appliance::store::StoreError;
use serde_json::json;
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
    if signed.new_key {
        tell_new_key(args, store, &signed.key);
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
    write_note(out, &signed.note)?;
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
