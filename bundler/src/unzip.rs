//! The content of one entry of a zip, for those who want a few of its files and know how large they may be.

use std::io::{self, Read};

use flate2::Crc;
use flate2::read::DeflateDecoder;
use modferry_protocol::zip::{Place, ReadAt};

/// The content of an entry; `None` where it, or what it is packed into, has more than `limit` bytes.
///
/// Whatever the directory declares, no more than that is read or inflated. Content that is not what was packed (its length
/// or its CRC-32 is another) is an error of kind `InvalidData`.
pub fn content(
    zip: &(impl ReadAt + ?Sized),
    place: &Place,
    limit: u64,
) -> io::Result<Option<Vec<u8>>> {
    let packed = place.data.end.saturating_sub(place.data.start);
    if packed > limit || place.unpacked > limit {
        return Ok(None);
    }
    let mut bytes = vec![0; usize::try_from(packed).map_err(io::Error::other)?];
    zip.read_exact_at(place.data.start, &mut bytes)?;
    let content = match place.method {
        0 => bytes,
        8 => {
            let mut content = Vec::new();
            DeflateDecoder::new(bytes.as_slice())
                .take(place.unpacked + 1)
                .read_to_end(&mut content)?;
            content
        }
        _ => return Err(invalid("it is packed by an unknown method")),
    };
    let mut crc = Crc::new();
    crc.update(&content);
    if content.len() as u64 != place.unpacked || crc.sum() != place.crc32 {
        return Err(invalid(
            "its length or its checksum (CRC-32) is not the declared one",
        ));
    }
    Ok(Some(content))
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use modferry_checker::testing::{Packing, zip_of};
    use modferry_protocol::module::ModuleVersion;
    use modferry_protocol::zip::places;

    use super::*;

    fn zip(packing: Packing) -> Vec<u8> {
        let module: ModuleVersion = "a.test/m@v1.0.0".parse().unwrap();
        zip_of(&module, &[("a", &[b'x'; 1000])], packing)
    }

    #[test]
    fn either_packing_up_to_the_limit() {
        for packing in [Packing::Stored, Packing::Deflated] {
            let zip = zip(packing);
            let place = &places(&zip).unwrap()[0];
            let read = |limit| content(&zip, place, limit).unwrap();
            assert_eq!(read(1000).unwrap(), [b'x'; 1000]);
            assert_eq!(read(999), None);
        }
    }

    #[test]
    fn what_is_not_what_was_declared_is_refused() {
        let zip = zip(Packing::Deflated);
        let place = places(&zip).unwrap().remove(0);
        for wrong in [
            Place {
                unpacked: 999,
                ..place.clone()
            },
            Place {
                unpacked: 1001,
                ..place.clone()
            },
            Place {
                crc32: place.crc32 ^ 1,
                ..place.clone()
            },
            Place {
                method: 12,
                ..place.clone()
            },
            Place { method: 0, ..place },
        ] {
            let error = content(&zip, &wrong, 10_000).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidData, "{wrong:?}");
        }
    }
}
