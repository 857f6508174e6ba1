//! `--pack`: how zips travel, and what each way takes.

use modferry_protocol::bundle::ContentsLevel;
use serde::{Deserialize, Serialize};

/// How zips travel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Packing {
    /// As they are.
    None,
    /// Packed, at about the speed of a download.
    #[default]
    Fast,
    /// Packed as small as memory allows, which takes several times as long.
    Max,
}

/// How contents are compressed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Level {
    /// By zstd.
    pub(super) zstd: ContentsLevel,
    /// The most bytes of a frame as it is restored, its table included.
    pub(super) frame: u64,
}

impl Packing {
    /// How contents are compressed; `None` where zips travel as they are.
    pub(super) fn level(self) -> Option<Level> {
        let zstd = match self {
            Packing::None => return None,
            Packing::Fast => ContentsLevel {
                level: 9,
                hash_log: 21,
                chain_log: 21,
            },
            Packing::Max => ContentsLevel {
                level: 17,
                hash_log: 21,
                chain_log: 22,
            },
        };
        Some(Level {
            zstd,
            frame: 32 << 20,
        })
    }
}
