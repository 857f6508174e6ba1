//! What holds for every name and every request, on generated ones: each has one escaped form and one URL, both lead
//! back to it, and nothing that a client may send makes the parser do anything but answer or say why not.

#![allow(clippy::unwrap_used)]

use modferry_protocol::module::{ModulePath, ModuleVersion, Revision, Version, semver};
use modferry_protocol::request::{MAX_REQUEST_PATH, Request, SumdbRequest};
use modferry_protocol::sumdb::{DbName, Tile};
use proptest::prelude::*;

fn module_path() -> impl Strategy<Value = ModulePath> {
    let host = "[a-z0-9][a-z0-9-]{0,6}(\\.[a-z][a-z0-9-]{0,4}){1,2}|gopkg\\.in";
    let elements = prop::collection::vec("[A-Za-z0-9_~-]{1,6}(\\.[A-Za-z0-9]{1,3})?|v[0-9]", 0..4);
    (host, elements, prop::option::of(0..12u8)).prop_filter_map(
        "not every combination is a module path",
        |(host, elements, major)| {
            let mut path = [&[host][..], &elements].concat().join("/");
            if let Some(major) = major {
                let separator = if path.starts_with("gopkg.in/") {
                    '.'
                } else {
                    '/'
                };
                path.push_str(&format!("{separator}v{major}"));
            }
            ModulePath::new(&path).ok()
        },
    )
}

fn version() -> impl Strategy<Value = Version> {
    (
        prop::array::uniform3(0..12u32),
        prop::option::of(
            "[0-9A-Za-z-]{1,4}(\\.[0-9A-Za-z-]{1,3}){0,2}|0\\.20191109021931-[a-f0-9]{12}",
        ),
        any::<bool>(),
    )
        .prop_filter_map(
            "no leading zeros",
            |([major, minor, patch], prerelease, incompatible)| {
                let prerelease = prerelease.map_or(String::new(), |p| format!("-{p}"));
                let build = if incompatible { "+incompatible" } else { "" };
                Version::new(&format!("v{major}.{minor}.{patch}{prerelease}{build}")).ok()
            },
        )
}

/// A version of the path's own major.
fn module_version() -> impl Strategy<Value = ModuleVersion> {
    (module_path(), version()).prop_filter_map("no such version", |(path, version)| {
        let (_, path_major) = path.split_version();
        let version = match path_major.trim_start_matches(['/', '.']) {
            "" => version.as_str().replacen(version.major(), "v1", 1),
            major => version.as_str().replacen(version.major(), major, 1),
        };
        ModuleVersion::parse(path.as_str(), &version).ok()
    })
}

fn revision() -> impl Strategy<Value = Revision> {
    "[ -~]{1,12}|v[0-9](\\.[0-9])?|[a-f0-9]{12,40}|v2\\.0\\.0|v1\\.0\\.0\\+[a-z]{3}"
        .prop_filter_map("not every text is a revision", |text| {
            Revision::new(&text).ok()
        })
}

/// Without an element `lookup` or `tile`, which end a name.
fn db_name() -> impl Strategy<Value = DbName> {
    "[a-z]{1,5}\\.[a-z]{1,5}(:[1-9][0-9]{0,3})?(/[a-z]{1,3}){0,2}(/latest|/supported)?"
        .prop_map(|name| DbName::new(&name).unwrap())
}

fn tile() -> impl Strategy<Value = Tile> {
    (
        1..=30u8,
        0..=63u8,
        0..1u64 << 40,
        any::<u32>(),
        any::<bool>(),
    )
        .prop_map(|(height, level, index, width, data)| {
            let width = 1 + width % (1 << height);
            if data {
                Tile::new_data(height, index, width).unwrap()
            } else {
                Tile::new(height, level, index, width).unwrap()
            }
        })
}

fn request() -> impl Strategy<Value = Request> {
    let sumdb = prop_oneof![
        Just(SumdbRequest::Supported),
        Just(SumdbRequest::Latest),
        module_version().prop_map(SumdbRequest::Lookup),
        tile().prop_map(SumdbRequest::Tile),
    ];
    prop_oneof![
        module_path().prop_map(Request::List),
        module_path().prop_map(Request::Latest),
        module_version().prop_map(Request::Info),
        module_version().prop_map(Request::Mod),
        module_version().prop_map(Request::Zip),
        (module_path(), revision()).prop_map(|(path, revision)| Request::info(path, revision)),
        (db_name(), sumdb).prop_map(|(name, request)| Request::Sumdb { name, request }),
    ]
}

/// Every byte that is no slash as `%XX`.
fn encode_all(path: &str) -> String {
    path.bytes()
        .map(|byte| match byte {
            b'/' => "/".to_owned(),
            byte => format!("%{byte:02x}"),
        })
        .collect()
}

proptest! {
    #[test]
    fn paths_have_one_escaped_form(path in module_path()) {
        let escaped = path.escaped();
        prop_assert!(!escaped.contains(|c: char| c.is_ascii_uppercase()));
        prop_assert_eq!(ModulePath::from_escaped(&escaped), Ok(path.clone()));
        let (prefix, major) = path.split_version();
        prop_assert_eq!(format!("{prefix}{major}"), path.as_str());
    }

    #[test]
    fn whatever_unescapes_escapes_back(text in "[a-zA-Z.!/~0-9-]{0,16}") {
        if let Ok(path) = ModulePath::from_escaped(&text) {
            prop_assert_eq!(path.escaped(), text.clone());
        }
        if let Ok(revision) = Revision::from_escaped(&text) {
            prop_assert_eq!(revision.escaped(), text);
        }
    }

    #[test]
    fn versions_have_one_escaped_form(version in version()) {
        prop_assert_eq!(Version::from_escaped(&version.escaped()), Ok(version));
    }

    #[test]
    fn the_order_is_total_and_that_of_semver(a in version(), b in version(), c in version()) {
        prop_assert_eq!(a.cmp(&b), b.cmp(&a).reverse());
        prop_assert_eq!(a == b, a.cmp(&b).is_eq());
        let by_semver = semver::compare(a.as_str(), b.as_str());
        prop_assert!(by_semver.is_eq() || a.cmp(&b) == by_semver);
        if a <= b && b <= c {
            prop_assert!(a <= c);
        }
    }

    #[test]
    fn module_versions_are_read_as_they_are_shown(module in module_version()) {
        prop_assert_eq!(module.to_string().parse(), Ok(module));
    }

    #[test]
    fn requests_are_read_as_they_are_written(request in request()) {
        let path = request.url_path();
        prop_assert!(path.bytes().all(|b| b.is_ascii_graphic() && !b"?#\"<>\\".contains(&b)), "{}", path);
        prop_assert_eq!(Request::parse(&path), Ok(request.clone()));
        let encoded = encode_all(&path);
        if encoded.len() <= MAX_REQUEST_PATH && !path.contains('%') {
            prop_assert_eq!(Request::parse(&encoded), Ok(request));
        }
    }

    #[test]
    fn a_changed_request_has_another_url_or_is_refused(
        request in request(), at in any::<prop::sample::Index>(), c in "[ -~]|/\\.|%2e|%25|\\.\\./|\n|é",
    ) {
        let mut path = request.url_path();
        path.insert_str(at.index(path.len() + 1), &c);
        match Request::parse(&path) {
            // What was accepted is the one spelling, but for the percent-encoding.
            Ok(other) => {
                prop_assert_ne!(&other, &request);
                prop_assert_eq!(Request::parse(&other.url_path()), Ok(other));
            }
            Err(error) => prop_assert!(!error.to_string().contains(char::is_control)),
        }
    }

    #[test]
    fn no_input_is_too_odd(path in "(/|@v/|@latest|sumdb/|tile/|lookup/|\\.info|%[0-9a-f]{2}|\\PC|[\\x00-\\x7f]|a\\.b){0,12}") {
        for path in [path.clone(), format!("/a.b/@v/{path}"), format!("/sumdb/a.b/{path}")] {
            match Request::parse(&path) {
                Ok(request) => prop_assert_eq!(Request::parse(&request.url_path()), Ok(request)),
                Err(error) => {
                    let message = error.to_string();
                    prop_assert!(!message.is_empty() && !message.contains(char::is_control), "{:?}", message);
                }
            }
        }
    }
}
