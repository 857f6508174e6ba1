//! A zstd frame that is looked at before it is decompressed (RFC 8878, 3.1.1.1).
//!
//! zstd's own one-call decoder takes several frames, skips others, and knows no limit of the window. What is decoded
//! here is one frame that declares its size, and its header says before that how much memory it wants.

use zstd::zstd_safe;

/// What a zstd frame begins with; a skippable frame begins otherwise.
const MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// How many bytes a frame says that it restores to, or what is wrong with its header.
pub(super) fn declared(frame: &[u8]) -> Result<u64, String> {
    Header::of(frame).map(|header| header.declared)
}

/// The bytes of a frame that must restore to exactly `size` behind that prefix, or what is wrong with it. They take
/// that much memory, so `size` has to be one that is let in. The window may have `2^window_log` bytes.
pub(super) fn restore(
    frame: &[u8],
    prefix: &[u8],
    size: u64,
    window_log: u32,
) -> Result<Vec<u8>, String> {
    let Header { window, declared } = Header::of(frame)?;
    if declared != size {
        return Err(format!(
            "the frame declares {declared} bytes, the index {size}"
        ));
    }
    if window > 1 << window_log {
        return Err(format!(
            "a window of {window} bytes: want at most 2^{window_log}"
        ));
    }
    let named = |code| {
        format!(
            "not to be decompressed: {}",
            zstd_safe::get_error_name(code)
        )
    };
    let end = zstd_safe::find_frame_compressed_size(frame).map_err(named)?;
    if end != frame.len() {
        return Err(format!("{} bytes behind the frame", frame.len() - end));
    }
    // Whoever calls has bounded it, so it is no number of a stranger's any more.
    let mut bytes = Vec::with_capacity(size as usize);
    let mut context = zstd_safe::DCtx::create();
    context.ref_prefix(prefix).map_err(named)?;
    context.decompress(&mut bytes, frame).map_err(named)?;
    if bytes.len() as u64 != size {
        return Err(format!("the frame restores to other than its {size} bytes"));
    }
    Ok(bytes)
}

/// What a frame's header says.
struct Header {
    window: u64,
    declared: u64,
}

impl Header {
    fn of(frame: &[u8]) -> Result<Header, String> {
        let rest = frame.strip_prefix(&MAGIC).ok_or("not a zstd frame")?;
        let short = "the frame ends in its header";
        let (&descriptor, mut rest) = rest.split_first().ok_or(short)?;
        let single_segment = descriptor & 0x20 != 0;
        if descriptor & 0x03 != 0 {
            return Err("the frame names a dictionary".into());
        }
        let mut window = None;
        if !single_segment {
            let (&byte, behind) = rest.split_first().ok_or(short)?;
            let base = 1u64 << (10 + (byte >> 3));
            window = Some(base + base / 8 * u64::from(byte & 7));
            rest = behind;
        }
        let declared = match (descriptor >> 6, single_segment) {
            (0, false) => None,
            (0, true) => rest.first().map(|byte| u64::from(*byte)),
            (1, _) => number::<2>(rest).map(|size| size + 256),
            (2, _) => number::<4>(rest),
            (_, _) => number::<8>(rest),
        };
        let declared = declared.ok_or("the frame does not declare its size")?;
        Ok(Header {
            window: window.unwrap_or(declared),
            declared,
        })
    }
}

/// The number that so many bytes at the front are.
fn number<const N: usize>(bytes: &[u8]) -> Option<u64> {
    let mut all = [0; 8];
    all[..N].copy_from_slice(bytes.first_chunk::<N>()?);
    Some(u64::from_le_bytes(all))
}
