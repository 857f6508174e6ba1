//! Contents for the writers of deflate streams, which a fuzzer can make large without large inputs.
//!
//! A writer's decisions hang on bytes that come again, near or far, and on sizes of several windows. So the input is a
//! row of instructions, any bytes of which are good for something: take some bytes as they are, or repeat what is so far back.

use flate2::{Decompress, FlushDecompress, Status};

/// No content is larger, in bytes: a buffer of two windows moves on twice, and the writer with blocks of 64 KiB has three.
const MOST: usize = 140_000;
/// Instructions up to this take so many bytes as they are; those above repeat.
const LITERALS: u8 = 0x9f;

/// The content that instructions make.
pub(crate) fn grown(mut seed: &[u8]) -> Vec<u8> {
    let mut content = Vec::new();
    while let Some((&instruction, behind)) = seed.split_first() {
        if instruction <= LITERALS {
            let (literals, behind) = behind.split_at(behind.len().min(instruction.into()));
            content.extend_from_slice(literals);
            seed = behind;
        } else {
            let (back, behind) = (behind.split_first_chunk()).unwrap_or((&[0, 0], &[]));
            seed = behind;
            // By 96 steps up to a length of 9,217, the most of them short.
            let length = usize::from(instruction - LITERALS).pow(2) + 1;
            let back = usize::from(u16::from_le_bytes(*back)) + 1;
            for _ in 0..length {
                let earlier = content.len().checked_sub(back);
                content.push(earlier.map_or(b'0', |earlier| content[earlier]));
            }
        }
        if content.len() > MOST {
            content.truncate(MOST);
            break;
        }
    }
    content
}

/// Whether a deflate stream, and nothing behind it, inflates to that.
pub(crate) fn inflates(stream: &[u8], content: &[u8]) -> bool {
    let mut inflate = Decompress::new(false);
    // One byte more, so that a stream which goes on is seen.
    let mut inflated = vec![0; content.len() + 1];
    let status = inflate.decompress(stream, &mut inflated, FlushDecompress::Finish);
    matches!(status, Ok(Status::StreamEnd))
        && inflate.total_in() == stream.len() as u64
        && inflated[..inflate.total_out() as usize] == *content
}
