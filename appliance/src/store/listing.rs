//! Which versions `list` and `@latest` name, of those that are whole.
//!
//! The rules are the module proxy protocol's (`go help goproxy`; cmd/go's `modfetch/proxy.go` is a
//! client of them): `list` has the tagged versions, which a pseudo-version is not; `@latest` is the
//! highest release, else the highest pre-release, else the newest commit, which a pseudo-version's
//! time says. Like the proxies, `list` has `+incompatible` versions too: cmd/go itself decides when
//! those are wanted.

use modferry_protocol::module::Version;

/// The `list` answer: a line a version, in semver order.
pub fn list(whole: &mut [Version]) -> String {
    whole.sort();
    let mut text = String::new();
    for version in whole.iter().filter(|version| !version.is_pseudo()) {
        text.push_str(version.as_str());
        text.push('\n');
    }
    text
}

/// The version that `@latest` answers with; `None` where none is whole.
pub fn latest(whole: &[Version]) -> Option<&Version> {
    let releases = || whole.iter().filter(|version| !version.is_prerelease());
    let tagged = || whole.iter().filter(|version| !version.is_pseudo());
    releases().max().or_else(|| tagged().max()).or_else(|| {
        whole
            .iter()
            .max_by_key(|version| (version.pseudo_time(), *version))
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn versions(text: &str) -> Vec<Version> {
        text.split_whitespace()
            .map(|version| Version::new(version).unwrap())
            .collect()
    }

    fn latest_of(text: &str) -> String {
        latest(&versions(text)).map_or_else(String::new, |version| version.as_str().into())
    }

    #[test]
    fn the_list_is_sorted_by_semver_and_has_no_pseudo_version() {
        let mut whole = versions(
            "v1.10.0 v1.9.0 v1.10.0-rc.1 v0.0.0-20200101000000-abcdefabcdef v2.0.0+incompatible",
        );
        assert_eq!(
            list(&mut whole),
            "v1.9.0\nv1.10.0-rc.1\nv1.10.0\nv2.0.0+incompatible\n"
        );
        assert_eq!(
            list(&mut versions("v0.0.0-20200101000000-abcdefabcdef")),
            ""
        );
    }

    #[test]
    fn latest_is_a_release_then_a_pre_release_then_the_newest_commit() {
        assert_eq!(latest_of("v1.9.0 v1.10.0 v1.11.0-rc.1"), "v1.10.0");
        assert_eq!(
            latest_of("v1.0.0-rc.1 v1.0.0-rc.2 v1.0.1-0.20300101000000-abcdefabcdef"),
            "v1.0.0-rc.2"
        );
        assert_eq!(
            latest_of("v1.2.4-0.20200101000000-abcdefabcdef v0.0.0-20210101000000-abcdefabcdef"),
            "v0.0.0-20210101000000-abcdefabcdef"
        );
        assert_eq!(latest_of(""), "");
    }
}
