//! The header in front of a frame: which entries of bases are its prefix.

use super::{BaseEntry, ContentsError, MAX_PREFIX_PARTS, malformed};
use crate::bundle::varint;

/// Appends the header of a frame with that prefix.
pub(super) fn put(out: &mut Vec<u8>, prefix: &[BaseEntry]) -> Result<(), ContentsError> {
    check_count(prefix.len() as u64)?;
    varint::put(out, prefix.len() as u64);
    for part in prefix {
        varint::put(out, part.base.into());
        varint::put(out, part.entry.into());
    }
    Ok(())
}

/// Takes the header from the front.
pub(super) fn take(bytes: &mut &[u8]) -> Result<Vec<BaseEntry>, ContentsError> {
    let count = varint::take(bytes).ok_or_else(|| malformed("the header has no count"))?;
    check_count(count)?;
    let mut number = || {
        varint::take(bytes)
            .and_then(|number| u32::try_from(number).ok())
            .ok_or_else(|| malformed("the header has not as many entries of bases as it counts"))
    };
    // Not more than MAX_PREFIX_PARTS, whatever the bytes say.
    (0..count)
        .map(|_| {
            let (base, entry) = (number()?, number()?);
            Ok(BaseEntry { base, entry })
        })
        .collect()
}

fn check_count(count: u64) -> Result<(), ContentsError> {
    if count > MAX_PREFIX_PARTS as u64 {
        return Err(malformed(format!(
            "a prefix of {count} parts: want at most {MAX_PREFIX_PARTS}"
        )));
    }
    Ok(())
}
