//! What an `.info` says.

use jiff::Timestamp;

#[derive(serde::Deserialize)]
struct Info {
    #[serde(rename = "Version")]
    version: String,
    #[serde(rename = "Time")]
    time: Option<String>,
}

/// The version that an info names.
pub(super) fn version_in(info: &[u8]) -> Option<String> {
    serde_json::from_slice(info)
        .ok()
        .map(|info: Info| info.version)
}

/// When an info says that its version was made.
pub fn time_in(info: &[u8]) -> Option<Timestamp> {
    let info: Info = serde_json::from_slice(info).ok()?;
    info.time?.parse().ok()
}

/// What an answer begins with, in one line.
pub(super) fn excerpt(bytes: &[u8]) -> String {
    const SHOWN: usize = 80;
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(SHOWN)]);
    format!("{text:?}")
}
