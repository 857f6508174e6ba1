#![allow(clippy::unwrap_used)]
use super::*;
use crate::upstream::http::{HttpOptions, Retry};
use crate::upstream::testing::{Answer, TestServer};
use modferry_cli::Failure as _;

/// The value of `files`.
#[derive(serde::Deserialize)]
struct Files(#[serde(deserialize_with = "config::files")] Vec<FileConfig>);

struct Site {
    dir: tempfile::TempDir,
    cache: Cache,
    http: Http,
}

impl Site {
    fn new() -> Site {
        let dir = tempfile::tempdir().unwrap();
        let cache = Cache::open(&dir.path().join("cache")).unwrap();
        let http = Http::new(HttpOptions {
            retry: Retry {
                attempts: 1,
                ..Retry::default()
            },
            ..HttpOptions::default()
        });
        std::fs::write(dir.path().join("a.tar"), b"archive").unwrap();
        Site {
            dir,
            cache,
            http: http.unwrap(),
        }
    }

    fn configs(&self, text: &str) -> Result<Vec<FileConfig>, String> {
        let Files(mut configs) =
            modferry_cli::parse_config("test", text).map_err(|error| error.to_string())?;
        for config in &mut configs {
            config.in_folder(self.dir.path());
        }
        Ok(configs)
    }

    fn gather(&self, text: &str) -> Result<Vec<Opaque>, String> {
        let (configs, held) = (self.configs(text)?, Holdings::default());
        let selected = gather(&configs, &self.http, &self.cache, &held);
        selected
            .map(|selected| selected.carried)
            .map_err(|error| error.to_string())
    }
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

#[test]
fn a_file_of_this_machine_is_hashed() {
    let site = Site::new();
    let want = hex(&sha256(b"archive"));
    for text in [
        "[{name: tool.tar, path: a.tar}]".into(),
        format!("[{{name: tool.tar, path: a.tar, sha256: {want}}}]"),
        format!(
            "[{{name: tool.tar, path: a.tar, sha256: {}}}]",
            want.to_uppercase()
        ),
    ] {
        let files = site.gather(&text).unwrap();
        assert_eq!((files[0].name.as_str(), files[0].size), ("tool.tar", 7));
        assert_eq!(files[0].sha256, sha256(b"archive"));
    }
}

#[test]
fn a_file_is_fetched_once_where_its_hash_is_known() {
    let site = Site::new();
    let server = TestServer::new(|asked| match asked.path.as_str() {
        "/dl/go.tgz" => Answer::ok("go"),
        _ => Answer::status(404),
    });
    let entry = |more: &str| format!("[{{name: go.tgz, url: '{}/dl/go.tgz'{more}}}]", server.url);
    let known = entry(&format!(", sha256: {}", hex(&sha256(b"go"))));
    for text in [&known, &known] {
        let files = site.gather(text).unwrap();
        assert_eq!(std::fs::read(&files[0].path).unwrap(), b"go");
    }
    assert_eq!(server.paths(), ["/dl/go.tgz"]);
    // Without one it may have changed.
    site.gather(&entry("")).unwrap();
    assert_eq!(server.paths().len(), 2);
    let absent = format!("[{{name: go.tgz, url: '{}/dl/other'}}]", server.url);
    let error = site.gather(&absent).unwrap_err();
    assert!(error.contains("404"), "{error}");
}

#[test]
fn a_plan_refuses_what_an_export_would_without_fetching_it() {
    let site = Site::new();
    std::fs::create_dir(site.dir.path().join("folder")).unwrap();
    std::fs::write(site.dir.path().join("empty"), b"").unwrap();
    let server = TestServer::new(|asked| match asked.path.trim_start_matches('/').parse() {
        Ok(status) => Answer::status(status),
        Err(_) => Answer::ok("go"),
    });
    let (http, file) = (&server.url, format!("file://{}", site.dir.path().display()));
    let other = hex(&sha256(b"other"));
    let held = Holdings::default();
    for (entry, exit) in [
        ("path: folder".into(), Exit::Usage),
        ("path: nothing".into(), Exit::Usage),
        ("path: empty".into(), Exit::Usage),
        (format!("path: a.tar, sha256: {other}"), Exit::Damaged),
        (format!("url: '{file}/nothing'"), Exit::Upstream),
        (format!("url: '{file}/folder'"), Exit::Upstream),
        (
            format!("url: '{file}/a.tar', sha256: {other}"),
            Exit::Damaged,
        ),
        (format!("url: '{http}/401'"), Exit::Upstream),
        (format!("url: '{http}/403'"), Exit::Upstream),
        (
            format!("url: '{http}/404', sha256: {other}"),
            Exit::Upstream,
        ),
        (format!("url: '{http}/410'"), Exit::Upstream),
    ] {
        let configs = site.configs(&format!("[{{name: a, {entry}}}]")).unwrap();
        let planned = count(&configs, &site.http, &site.cache, &held).unwrap_err();
        let error = gather(&configs, &site.http, &site.cache, &held).unwrap_err();
        assert_eq!(planned.to_string(), error.to_string(), "{entry}");
        assert_eq!((planned.exit(), error.exit()), (exit, exit), "{entry}");
    }
    // What a server says of HEAD only is no word about the file.
    for (path, size) in [("405", None), ("501", None), ("go", Some(2))] {
        let configs = site
            .configs(&format!("[{{name: a, url: '{http}/{path}'}}]"))
            .unwrap();
        let counted = count(&configs, &site.http, &site.cache, &held).unwrap();
        assert_eq!(
            (counted.new, counted.new_bytes),
            (1, size.unwrap_or(0)),
            "{path}"
        );
        assert_eq!(counted.unknown_sizes, usize::from(size.is_none()), "{path}");
    }
}

#[test]
fn over_plain_http_a_file_needs_its_hash() {
    let site = Site::new();
    let entry = |url: &str, more: &str| format!("[{{name: go.tgz, url: '{url}'{more}}}]");
    let error = site
        .gather(&entry("http://files.invalid/go.tgz", ""))
        .unwrap_err();
    assert!(
        error.contains("files: go.tgz: http://files.invalid/go.tgz: over plain http"),
        "{error}"
    );
    // With one it is asked for: nobody has that name.
    let hash = format!(", sha256: {}", hex(&sha256(b"go")));
    let error = site
        .gather(&entry("http://files.invalid/go.tgz", &hash))
        .unwrap_err();
    assert!(error.contains("no usable answer"), "{error}");
}

#[test]
fn a_file_that_the_server_calls_coded_is_refused() {
    let site = Site::new();
    let server = TestServer::new(|_| Answer::ok("\x1f\u{8b}").header("Content-Encoding", "gzip"));
    let entry = format!("[{{name: go.tgz, url: '{}/go.tgz'}}]", server.url);
    let error = site.gather(&entry).unwrap_err();
    assert!(error.contains("Content-Encoding \"gzip\""), "{error}");
    let asked = server.asked.lock().unwrap();
    assert_eq!(asked[0].headers["accept-encoding"], "identity");
}

#[test]
fn what_is_not_what_was_said_is_refused() {
    let site = Site::new();
    std::fs::write(site.dir.path().join("empty"), b"").unwrap();
    let other = hex(&sha256(b"other"));
    for (text, what) in [
        ("[{name: ../a, path: a.tar}]".into(), "file name"),
        ("[{name: a}]".into(), "want either path or url"),
        (
            "[{name: a, path: a.tar, url: 'https://a.test/a'}]".into(),
            "want either path or url",
        ),
        ("[{name: a, path: nothing}]".into(), "nothing"),
        ("[{name: a, path: empty}]".into(), "it has 0 bytes"),
        (
            "[{name: a, path: a.tar, sha256: abc}]".into(),
            "64 hexadecimal digits",
        ),
        (
            format!("[{{name: a, path: a.tar, sha256: {other}}}]"),
            "is what was asked for",
        ),
        (
            "[{name: a, path: a.tar}, {name: a, path: a.tar}]".into(),
            "a is there twice",
        ),
    ] {
        let error = site.gather(&text).unwrap_err();
        assert!(error.contains(what), "{text}: {error}");
    }
}
