//! What holds for every writer: its streams inflate to the content, `makes` knows them and no other, `most` is kept, and nothing
//! is left of the content before.

mod contents;

use std::io::Read;

use contents::{SHAPES, content};
use modferry_deflate::{Deflater, TooLong, Writer};
use proptest::prelude::*;

fn inflated(stream: &[u8]) -> Vec<u8> {
    let mut decoder = flate2::bufread::DeflateDecoder::new(stream);
    let mut content = Vec::new();
    decoder.read_to_end(&mut content).expect("a deflate stream");
    assert_eq!(decoder.total_in(), stream.len() as u64, "nothing behind it");
    content
}

fn deflated(deflater: &mut Deflater, writer: Writer, content: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    deflater
        .deflate(writer, content, usize::MAX, &mut out)
        .expect("no limit");
    out
}

/// Pieces of which real files are made: letters, runs, copies.
fn any_content() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..200),
        prop::collection::vec(b'a'..b'e', 0..2000),
        (any::<u8>(), 0..3000usize).prop_map(|(byte, count)| vec![byte; count]),
        (0..SHAPES.len(), 0..50_000usize).prop_map(|(shape, size)| content(SHAPES[shape], size)),
    ];
    prop::collection::vec((piece, 1..3usize), 0..5).prop_map(|pieces| {
        let repeated = pieces
            .into_iter()
            .flat_map(|(piece, times)| std::iter::repeat_n(piece, times));
        repeated.flatten().collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn every_stream_inflates_to_its_content(content in any_content()) {
        let mut deflater = Deflater::new();
        for writer in Writer::ALL {
            let stream = deflated(&mut deflater, writer, &content);
            prop_assert!(inflated(&stream) == content);
            prop_assert!(deflater.makes(writer, &content, &stream));
        }
    }

    #[test]
    fn the_content_before_leaves_no_trace(before in any_content(), content in any_content()) {
        let mut used = Deflater::new();
        for writer in Writer::ALL {
            deflated(&mut used, writer, &before);
            used.makes(writer, &before, b"\x04");
            let again = deflated(&mut used, writer, &content);
            prop_assert!(again == deflated(&mut Deflater::new(), writer, &content));
        }
    }
}

#[test]
fn a_stream_with_any_change_is_not_made() {
    let mut deflater = Deflater::new();
    for writer in Writer::ALL {
        for (shape, size) in [("words", 700), ("random", 100), ("same", 900), ("two", 40)] {
            let content = content(shape, size);
            let stream = deflated(&mut deflater, writer, &content);
            for bit in 0..stream.len() * 8 {
                let mut changed = stream.clone();
                changed[bit / 8] ^= 1 << (bit % 8);
                assert!(
                    !deflater.makes(writer, &content, &changed),
                    "{shape}: bit {bit}"
                );
            }
            for length in 0..stream.len() {
                assert!(
                    !deflater.makes(writer, &content, &stream[..length]),
                    "{shape}: {length} bytes"
                );
            }
            let longer = [&stream[..], &[0]].concat();
            assert!(!deflater.makes(writer, &content, &longer), "{shape}");
            assert!(deflater.makes(writer, &content, &stream), "{shape}");
        }
    }
}

#[test]
fn a_stream_has_as_many_bytes_as_there_is_room_for_and_not_one_more() {
    let mut deflater = Deflater::new();
    for writer in Writer::ALL {
        for (shape, size) in [("words", 300_000), ("random", 70_000), ("same", 5)] {
            let content = content(shape, size);
            let stream = deflated(&mut deflater, writer, &content);
            let most = stream.len();
            let mut out = vec![7; 3];
            let short = deflater.deflate(writer, &content, most - 1, &mut out);
            assert_eq!(short, Err(TooLong { most: most - 1 }));
            assert_eq!(out, [7; 3], "as it was");
            assert_eq!(
                deflater.deflate(writer, &content, 0, &mut out),
                Err(TooLong { most: 0 })
            );
            deflater
                .deflate(writer, &content, most, &mut out)
                .expect("room enough");
            assert!(out[3..] == stream);
        }
    }
}
