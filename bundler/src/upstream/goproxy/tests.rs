#![allow(clippy::unwrap_used)]
use super::*;
use crate::upstream::http::{HttpOptions, Retry};
use crate::upstream::testing::{Answer, TestServer};
use modferry_protocol::module::ModuleVersion;

fn upstream(list: &str) -> Upstream {
    let http = Http::new(HttpOptions {
        retry: Retry {
            attempts: 1,
            ..Retry::default()
        },
        ..HttpOptions::default()
    })
    .unwrap();
    Upstream::new(Arc::new(http), ProxyList::parse(list).unwrap())
}

fn request() -> Request {
    Request::Mod(ModuleVersion::parse("example.com/Up", "v1.0.0").unwrap())
}

fn server(status: u16) -> TestServer {
    TestServer::new(move |asked| match status {
        200 => Answer::ok(asked.path.clone()),
        status => Answer::status(status),
    })
}

#[test]
fn lists_are_read_as_the_go_command_reads_them() {
    let list = ProxyList::parse(" proxy.example/x , |https://b.example|direct,ignored").unwrap();
    let shown: Vec<String> = list
        .entries()
        .iter()
        .map(|entry| {
            let name = match &entry.proxy {
                Proxy::At(base) => base.to_string(),
                other => format!("{other:?}"),
            };
            format!("{name} {}", entry.after_any_failure)
        })
        .collect();
    assert_eq!(
        shown,
        [
            "https://proxy.example/x false",
            "https://b.example true",
            "Direct false"
        ]
    );
    assert_eq!(ProxyList::parse(" , "), Err(ListError::Empty));
    assert!(matches!(
        ProxyList::parse("off"),
        Err(ListError::NoProxy(_))
    ));
    assert!(matches!(
        ProxyList::parse("direct"),
        Err(ListError::NoProxy(_))
    ));
    assert!(matches!(
        ProxyList::parse("ftp://x/"),
        Err(ListError::Element(_))
    ));
    assert!(matches!(
        ProxyList::parse("word"),
        Err(ListError::Element(_))
    ));
}

#[test]
fn a_list_that_is_refused_shows_no_password() {
    for list in [
        "off,https://u:secret@h",
        "direct|https://u:secret@h",
        "https://u:se/cret@h",
        "https:/u:secret@h",
    ] {
        let error = ProxyList::parse(list).unwrap_err();
        let shown = format!("{error} {error:?} {:?}", std::error::Error::source(&error));
        assert!(!shown.contains("cret"), "{shown}");
    }
}

#[test]
fn a_comma_passes_on_absence_only_a_bar_passes_on_anything() {
    let answer = server(200);
    for (status, separator, passes) in [
        (404, ",", true),
        (410, ",", true),
        (403, ",", false),
        (500, ",", false),
        (403, "|", true),
        (500, "|", true),
    ] {
        let first = server(status);
        let got = upstream(&format!("{}{separator}{}", first.url, answer.url)).get(&request(), 100);
        match got {
            Ok(body) => {
                assert!(passes, "{status}{separator}");
                assert_eq!(body, b"/example.com/!up/@v/v1.0.0.mod");
            }
            Err(refused) => {
                assert!(!passes, "{status}{separator}");
                assert_eq!(refused.reason, Reason::Status(status));
            }
        }
    }
}

#[test]
fn the_refusal_that_says_most_is_told() {
    let (forbidden, absent) = (server(403), server(404));
    let refused = upstream(&format!("{}|{},off", forbidden.url, absent.url))
        .get(&request(), 100)
        .unwrap_err();
    assert_eq!(refused.reason, Reason::Status(403));
    let refused = upstream(&format!("{},direct", absent.url))
        .get(&request(), 100)
        .unwrap_err();
    assert_eq!(refused.reason, Reason::Status(404));
    assert!(
        refused
            .text
            .contains("404 (because); modferry does not fetch"),
        "{}",
        refused.text
    );
}

#[test]
fn a_folder_is_a_proxy() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("example.com/!up/@v/v1.0.0.mod");
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    let from = upstream(&format!("file://{}", dir.path().display()));
    assert_eq!(
        from.get(&request(), 100).unwrap_err().reason,
        Reason::Status(404)
    );
    std::fs::write(&file, "module example.com/Up\n").unwrap();
    assert_eq!(
        from.get(&request(), 22).unwrap(),
        b"module example.com/Up\n"
    );
    assert_eq!(
        from.get(&request(), 21).unwrap_err().reason,
        Reason::TooLarge
    );
    assert_eq!(from.size(&request()).unwrap(), Some(22));
}

#[test]
fn the_checksum_database_is_reached_as_the_go_command_reaches_it() {
    let (yes, no, broken) = (server(200), server(404), server(500));
    let base = |list: &str| upstream(list).sumdb_base("sum.example.com");
    let through = base(&format!("{},{}", no.url, yes.url)).unwrap().unwrap();
    assert_eq!(
        through.to_string(),
        format!("{}/sumdb/sum.example.com", yes.url)
    );
    assert_eq!(base(&no.url).unwrap(), None);
    assert_eq!(base(&format!("{},direct", no.url)).unwrap(), None);
    assert_eq!(
        base(&format!("{}|off", broken.url)).unwrap_err().reason,
        Reason::Status(500)
    );
    assert!(base(&broken.url).is_err());
    for refusing in [server(403), broken] {
        assert_eq!(base(&format!("{}|direct", refusing.url)).unwrap(), None);
        assert!(base(&format!("{},direct", refusing.url)).is_err());
    }
}

/// A sink on a disk that is full.
struct Full;

impl Sink for Full {
    fn restart(&mut self) -> io::Result<()> {
        Ok(())
    }
    fn take(&mut self, _: &[u8]) -> io::Result<()> {
        Err(io::ErrorKind::StorageFull.into())
    }
}

#[test]
fn what_cannot_be_kept_here_is_not_laid_on_the_upstream() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("example.com/!up/@v/v1.0.0.mod");
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::write(&file, "module example.com/Up\n").unwrap();
    let first = server(200);
    for list in [
        first.url.clone(),
        format!("file://{}", dir.path().display()),
    ] {
        let next = server(200);
        let error = upstream(&format!("{list}|{}", next.url))
            .get_into(&request(), 100, &mut Full)
            .unwrap_err();
        assert!(
            matches!(&error, GetError::Local(source) if source.kind() == io::ErrorKind::StorageFull),
            "{error:?}"
        );
        assert_eq!(next.paths(), [""; 0]);
    }
}
