//! The `.info` of a version: out of the cache, else from upstream. It must name the version that was asked for.

use modferry_protocol::module::ModuleVersion;
use modferry_protocol::request::Request;

use super::Sources;
use crate::cache::MAX_INFO;
use crate::upstream::goproxy::{GetError, Reason, Unavailable};

/// Its bytes, which are in the cache now.
pub fn of(sources: &Sources, module: &ModuleVersion) -> Result<Vec<u8>, GetError> {
    match sources.cache.info(module) {
        Ok(Some(bytes)) if names_version(&bytes, module) => return Ok(bytes),
        Ok(_) => {}
        Err(error) => tracing::warn!(%module, %error, "info in the cache cannot be read"),
    }
    let request = Request::Info(module.clone());
    let bytes = sources.upstream.get(&request, MAX_INFO)?;
    if !names_version(&bytes, module) {
        return Err(GetError::Refused(Unavailable {
            reason: Reason::Malformed,
            text: format!("its info does not name version {}", module.version()),
        }));
    }
    let written = sources.cache.write_info(module, &bytes);
    written.map_err(GetError::Local)?;
    Ok(bytes)
}

/// Whether the info is of this version, as every reader of it sees it: Go takes keys in any case, so there
/// must be no second key that is `Version` in another one and says something else.
fn names_version(info: &[u8], module: &ModuleVersion) -> bool {
    #[derive(serde::Deserialize)]
    struct Info {
        #[serde(rename = "Version")]
        version: String,
    }
    let version = module.version().as_str();
    let exact = serde_json::from_slice::<Info>(info).is_ok_and(|info| info.version == version);
    let keys = serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(info);
    exact
        && keys.is_ok_and(|keys| {
            keys.iter()
                .filter(|(key, _)| key.replace('\u{17f}', "s").eq_ignore_ascii_case("version"))
                .all(|(_, value)| value.as_str() == Some(version))
        })
}
