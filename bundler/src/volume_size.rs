//! `--volume-size`: the most bytes of a volume, by the name of a medium or as a number with a unit.

use std::fmt;
use std::str::FromStr;

use modferry_cli::{ByteSize, UnitError};
use serde::{Deserialize, Deserializer, de};

/// Bytes of a disc's sector that hold data: ECMA-130 (mode 1), ECMA-359, the Blu-ray Disc white paper.
const SECTOR: u64 = 2048;

/// What a disc keeps for the file system around a volume and the manifest's file beside it: 2048 sectors.
///
/// ISO 9660 with Joliet and Rock Ridge takes about 40 sectors for so few files, and 150 more of padding; UDF has its
/// second anchor at sector 256 and its last at the end, and takes about 300. A manifest has a million bytes at most,
/// which are 489 sectors.
const FILE_SYSTEM: u64 = 2048 * SECTOR;

/// The media that have a name, and the most bytes of a volume for each.
pub const PRESETS: [(&str, u64); 5] = [
    // 80 minutes of 60 seconds of 75 frames: 360,000 sectors, 737,280,000 bytes.
    ("cd", 80 * 60 * 75 * SECTOR - FILE_SYSTEM),
    // DVD-R for General, 4.7 GB: 2,298,496 sectors; DVD+R has fewer, 2,295,104, which are 4,700,372,992 bytes.
    ("dvd", 2_295_104 * SECTOR - FILE_SYSTEM),
    // BD-R, one layer, no spare areas: 12,219,392 sectors, 25,025,314,816 bytes.
    ("bd", 12_219_392 * SECTOR - FILE_SYSTEM),
    // BD-R DL: twice as many, 50,050,629,632 bytes.
    ("bd-dl", 24_438_784 * SECTOR - FILE_SYSTEM),
    // The largest file: a directory entry has 32 bits for its size. (Microsoft's FAT specification, section 6)
    ("fat32", u32::MAX as u64),
];

/// The most bytes of a volume.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VolumeSize(pub u64);

/// Neither a medium nor a size.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{source}; or the name of a medium: {}", names())]
pub struct VolumeSizeError {
    source: UnitError,
}

fn names() -> String {
    PRESETS.map(|(name, _)| name).join(", ")
}

impl FromStr for VolumeSize {
    type Err = VolumeSizeError;

    fn from_str(text: &str) -> Result<Self, VolumeSizeError> {
        if let Some((_, bytes)) = PRESETS.iter().find(|(name, _)| *name == text) {
            return Ok(Self(*bytes));
        }
        match text.parse() {
            Ok(ByteSize(bytes)) => Ok(Self(bytes)),
            Err(source) => Err(VolumeSizeError { source }),
        }
    }
}

impl fmt::Display for VolumeSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match PRESETS.iter().find(|(_, bytes)| *bytes == self.0) {
            Some((name, bytes)) => write!(f, "{name} ({bytes} bytes)"),
            None => write!(f, "{} bytes", self.0),
        }
    }
}

impl<'de> Deserialize<'de> for VolumeSize {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = VolumeSize;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "a size, as in 700 MB or 4 GiB, or {}", names())
            }
            fn visit_u64<E: de::Error>(self, bytes: u64) -> Result<VolumeSize, E> {
                Ok(VolumeSize(bytes))
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<VolumeSize, E> {
                text.parse().map_err(E::custom)
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn media_have_names_and_bytes_have_units() {
        // What is printed on the box, less the file system.
        for (text, capacity) in [
            ("cd", 737_280_000),
            ("dvd", 4_700_372_992),
            ("bd", 25_025_314_816),
            ("bd-dl", 50_050_629_632),
        ] {
            assert_eq!(text.parse(), Ok(VolumeSize(capacity - 4_194_304)), "{text}");
        }
        for (text, bytes) in [
            ("fat32", 4_294_967_295),
            ("700 MB", 700_000_000),
            ("4GiB", 4 << 30),
            ("12345", 12345),
        ] {
            assert_eq!(text.parse(), Ok(VolumeSize(bytes)), "{text}");
        }
        for bad in ["CD", "floppy", "4G", "-1", ""] {
            let text = bad.parse::<VolumeSize>().unwrap_err().to_string();
            assert!(text.ends_with("cd, dvd, bd, bd-dl, fat32"), "{text}");
        }
        assert_eq!(
            "cd".parse::<VolumeSize>().unwrap().to_string(),
            "cd (733085696 bytes)"
        );
    }
}
