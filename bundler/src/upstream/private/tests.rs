#![allow(clippy::unwrap_used)]
use super::*;
use crate::upstream::goproxy::ProxyList;
use crate::upstream::http::Retry;
use crate::upstream::testing::{Answer, TestServer};
use std::time::Duration;

/// Each kind of request that names a module.
fn requests(path: &str) -> Vec<Request> {
    let module: ModulePath = path.parse().unwrap();
    let version = || format!("{path}@v1.0.0").parse().unwrap();
    vec![
        Request::List(module.clone()),
        Request::Latest(module.clone()),
        Request::Info(version()),
        Request::Mod(version()),
        Request::Zip(version()),
        Request::Query {
            path: module,
            query: "main".parse().unwrap(),
        },
    ]
}

fn options() -> HttpOptions {
    HttpOptions {
        retry: Retry {
            attempts: 2,
            pause: Duration::from_millis(1),
            ..Retry::default()
        },
        ..HttpOptions::default()
    }
}

/// An upstream whose private modules are asked for as `config` says.
fn upstream(public: &TestServer, config: PrivateConfig) -> Upstream {
    let route = config.route(&options(), Path::new("/nonexistent")).unwrap();
    let http = Http::new(options()).unwrap();
    let list = ProxyList::parse(&public.url).unwrap();
    Upstream::new(Arc::new(http), list).with_private(vec![route])
}

fn at(private: &TestServer) -> PrivateConfig {
    with(private, "")
}

/// With more keys.
fn with(private: &TestServer, more: &str) -> PrivateConfig {
    let text = format!(
        "patterns: ['*.corp.test', code.test/ours]\ngoproxy: {}\n{more}",
        private.url
    );
    modferry_cli::parse_config("test", &text).unwrap()
}

fn public() -> TestServer {
    TestServer::new(|asked| Answer::ok(asked.path.clone()))
}

#[test]
fn a_private_name_reaches_its_own_upstream_and_no_other() {
    let elsewhere = public();
    // How often for what there is, and how often for its size: HEAD, and after a denial the first byte.
    let asked = [
        (200, [1, 1]),
        (404, [1, 2]),
        (410, [1, 2]),
        (403, [1, 2]),
        (500, [2, 2]),
        (302, [1, 1]),
    ];
    for (status, [got, sized]) in asked {
        let public = public();
        let leads_to = elsewhere.url.clone();
        let private = TestServer::new(move |asked| match status {
            200 => Answer::ok(asked.path.clone()),
            302 => Answer::status(302).header("Location", &format!("{leads_to}{}", asked.path)),
            status => Answer::status(status),
        });
        let upstream = upstream(&public, at(&private));
        for path in ["git.corp.test/a", "code.test/ours/b/v2"] {
            let path = path.trim_end_matches("/v2");
            for request in requests(path) {
                let answer = upstream.get(&request, 1000);
                assert_eq!(answer.is_ok(), status == 200, "{request}: {answer:?}");
                let size = upstream.size(&request);
                assert_eq!(size.is_ok(), status == 200, "{request}: {size:?}");
            }
        }
        assert_eq!(public.paths(), Vec::<String>::new(), "after {status}");
        assert_eq!(
            private.paths().len(),
            2 * 6 * (got + sized),
            "after {status}"
        );
    }
    assert_eq!(elsewhere.paths(), Vec::<String>::new());
}

#[test]
fn a_public_name_reaches_the_public_upstream_only() {
    let (public, private) = (public(), public());
    let upstream = upstream(&public, at(&private));
    for path in ["corp.test/a", "code.test/oursx", "code.test/theirs"] {
        for request in requests(path) {
            upstream.get(&request, 1000).unwrap();
        }
    }
    assert_eq!(private.paths(), Vec::<String>::new());
    assert_eq!(public.paths().len(), 18);
}

#[test]
fn each_proxy_alone_keeps_private_names_to_their_own_upstream() {
    let (public, private) = (public(), public());
    let upstream = upstream(&public, at(&private));
    let path: ModulePath = "git.corp.test/a".parse().unwrap();
    let request = Request::List(path.clone());
    let got = upstream.each_alone(&path, |alone| alone.get(&request, 1000));
    assert_eq!(got.unwrap(), b"/git.corp.test/a/@v/list");
    assert_eq!(public.paths(), Vec::<String>::new());

    // However many public proxies there are, its own upstream is asked once, and its refusal is its own.
    let list = ProxyList::parse(&format!("{0}/a|{0}/b,direct", public.url)).unwrap();
    let absent = TestServer::new(|_| Answer::status(404));
    let route = at(&absent).route(&options(), Path::new("/nonexistent"));
    let http = Arc::new(Http::new(options()).unwrap());
    let upstream = Upstream::new(http, list).with_private(vec![route.unwrap()]);
    let refused = upstream.each_alone(&path, |alone| alone.get(&request, 1000));
    let said = refused.unwrap_err().to_string();
    assert!(!said.contains("does not fetch"), "{said}");
    assert_eq!(absent.paths().len(), 1);
    assert_eq!(public.paths(), Vec::<String>::new());
}

#[test]
fn a_redirect_on_the_same_host_is_followed_and_not_for_ever() {
    let public = public();
    let private = TestServer::new(|asked| match asked.path.strip_prefix("/store") {
        Some("/loop") => Answer::status(302).header("Location", "/store/loop"),
        Some(path) => Answer::ok(path),
        None if asked.path.ends_with("/list") => {
            Answer::status(307).header("Location", "/store/loop")
        }
        None => Answer::status(301).header("Location", &format!("/store{}", asked.path)),
    });
    let upstream = upstream(&public, at(&private));
    let all = requests("git.corp.test/a");
    let got = upstream.get(&all[1], 1000).unwrap();
    assert_eq!(got, b"/git.corp.test/a/@latest");
    let error = upstream.get(&all[0], 1000).unwrap_err();
    assert!(error.text.contains("it redirects elsewhere"), "{error}");
    assert_eq!(public.paths(), Vec::<String>::new());
}

#[test]
fn credentials_go_to_the_private_upstream_and_are_never_shown() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("header"), "Private-Token: s3cret\n").unwrap();
    let (public, private) = (public(), TestServer::new(|_| Answer::status(401)));
    let mut config = with(&private, "header-file: header");
    config.in_folder(folder.path());
    let upstream = upstream(&public, config);
    let error = upstream
        .get(&requests("git.corp.test/a")[0], 1000)
        .unwrap_err();
    for shown in [
        error.to_string(),
        format!("{error:?}"),
        format!("{upstream:?}"),
    ] {
        assert!(!shown.contains("s3cret"), "{shown}");
    }
    upstream
        .get(&requests("code.test/theirs")[0], 1000)
        .unwrap();
    let sent = |server: &TestServer| {
        let asked = server.asked.lock().unwrap();
        asked[0].headers.get("private-token").cloned()
    };
    assert_eq!(sent(&private).as_deref(), Some("s3cret"));
    assert_eq!(sent(&public), None);
}

#[test]
fn what_says_not_where_a_module_comes_from_is_refused() {
    let of = |text: &str| {
        let config = modferry_cli::parse_config::<PrivateConfig>("test", text);
        match config.map_err(|error| error.to_string()) {
            Err(told) => told,
            Ok(config) => config
                .route(&options(), Path::new("/nonexistent"))
                .unwrap_err()
                .to_string(),
        }
    };
    for (text, what) in [
        ("goproxy: https://a.test", "needs patterns"),
        (
            "patterns: [a.test]",
            "want either goproxy: URL or direct: true",
        ),
        (
            "{patterns: [a.test], goproxy: 'https://a.test', direct: true}",
            "want either",
        ),
        (
            "{patterns: ['*'], direct: true}",
            "is no pattern of module paths",
        ),
        (
            "{patterns: ['[a'], direct: true}",
            "is no pattern of module paths",
        ),
        (
            "{patterns: ['a.test,b.test'], direct: true}",
            "is no pattern of module paths",
        ),
        (
            "{patterns: [a.test], direct: true, header-env: X}",
            "a header is for a goproxy",
        ),
        (
            "{patterns: [a.test], goproxy: 'https://a.test', header-env: MODFERRY_NO_SUCH}",
            "is not set",
        ),
        (
            "{patterns: [a.test], goproxy: 'https://a.test', header-env: X, header-file: x}",
            "a.test: want header-file or header-env, not both",
        ),
        (
            "{patterns: [a.test], goproxy: 'off'}",
            "test:1:31: goproxy: GOPROXY begins with off",
        ),
    ] {
        assert!(of(text).contains(what), "{text}: {}", of(text));
    }
}

#[test]
fn a_header_goes_to_one_upstream_that_nobody_overhears() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("header");
    std::fs::write(&file, "Private-Token: s3cret\n").unwrap();
    let route = |goproxy: &str, header: bool| {
        let header = match header {
            true => format!("header-file: {}", file.display()),
            false => String::new(),
        };
        let text = format!("patterns: [a.test]\ngoproxy: {goproxy}\n{header}");
        let config: PrivateConfig =
            modferry_cli::parse_config("test", &text).map_err(|error| error.to_string())?;
        let route = config.route(&options(), Path::new("/nonexistent"));
        route.map_err(|error| error.to_string())
    };
    for taken in [
        "https://a.test",
        "https://a.test,off",
        "http://127.0.0.1:8080",
        "http://localhost",
        "http://[::1]:80/go",
    ] {
        assert!(route(taken, true).is_ok(), "{taken}");
    }
    for refused in [
        "http://a.test",
        "http://192.0.2.1",
        "https://a.test,https://b.test",
        "https://a.test|https://b.test",
        "https://a.test,http://127.0.0.1",
        "file:///srv/modules",
    ] {
        let error = route(refused, true).unwrap_err();
        assert!(
            error.contains("a header is a secret of one upstream") && !error.contains("s3cret"),
            "{refused}: {error}"
        );
        // Without one it is a list like any other.
        assert!(route(refused, false).is_ok(), "{refused}");
    }
}
