#![allow(clippy::unwrap_used)]
use super::error::retry_after;
use super::*;
use crate::upstream::testing::{Answer, TestServer};
use crate::upstream::url::Base;
use std::sync::Mutex;
use ureq::http::HeaderMap;

fn client(options: HttpOptions) -> Http {
    Http::new(HttpOptions {
        retry: Retry {
            attempts: 3,
            pause: Duration::from_millis(1),
            ..Retry::default()
        },
        ..options
    })
    .unwrap()
}

fn base(url: &str) -> HttpBase {
    match Base::parse(url).unwrap() {
        Base::Http(base) => base,
        Base::File(_) => unreachable!(),
    }
}

/// A server that answers with these in turn, the last one for ever.
fn scripted(answers: Vec<Answer>) -> TestServer {
    let answers = Mutex::new(answers);
    TestServer::new(move |_| {
        let mut answers = answers.lock().unwrap();
        if answers.len() > 1 {
            answers.remove(0)
        } else {
            answers[0].clone()
        }
    })
}

#[test]
fn what_may_pass_is_tried_again() {
    for passing in [408, 429, 500, 502, 503, 504] {
        let server = scripted(vec![
            Answer::status(passing).header("Retry-After", "0"),
            Answer::ok("body"),
        ]);
        let http = client(HttpOptions::default());
        assert_eq!(
            http.get(&base(&server.url), "/x", 10).unwrap(),
            b"body",
            "{passing}"
        );
        assert_eq!(server.paths().len(), 2);
    }
}

#[test]
fn an_answer_is_an_answer() {
    for status in [400, 401, 403, 404, 410, 501] {
        let server = scripted(vec![Answer::status(status)]);
        let error = client(HttpOptions::default())
            .get(&base(&server.url), "/x", 10)
            .unwrap_err();
        assert!(
            matches!(&error, HttpError::Status { status: got, .. } if *got == status),
            "{error:?}"
        );
        assert!(
            error
                .to_string()
                .ends_with(&format!("/x: {status} (because)")),
            "{error}"
        );
        assert_eq!(server.paths().len(), 1);
    }
}

#[test]
fn tries_end() {
    let server = scripted(vec![Answer::status(503)]);
    let error = client(HttpOptions::default())
        .get(&base(&server.url), "/x", 10)
        .unwrap_err();
    assert!(matches!(error, HttpError::Status { status: 503, .. }));
    assert_eq!(server.paths().len(), 3);
}

#[test]
fn a_body_that_breaks_off_is_fetched_whole() {
    let cut = Answer {
        cut: Some(3),
        ..Answer::ok("whole body")
    };
    let server = scripted(vec![cut.clone(), Answer::ok("whole body")]);
    let http = client(HttpOptions::default());
    assert_eq!(
        http.get(&base(&server.url), "/x", 10).unwrap(),
        b"whole body"
    );

    let server = scripted(vec![cut]);
    let error = http.get(&base(&server.url), "/x", 10).unwrap_err();
    assert!(
        matches!(error, HttpError::Transport { attempts: 3, .. }),
        "{error:?}"
    );
}

#[test]
fn a_small_body_that_takes_too_long_is_given_up() {
    let held = Answer {
        cut: Some(3),
        held: true,
        ..Answer::ok("whole body")
    };
    let http = client(HttpOptions {
        // Silence is allowed: it is the whole time that counts.
        stall_timeout: Duration::from_secs(3600),
        small_body_timeout: Duration::from_millis(300),
        ..HttpOptions::default()
    });
    let server = scripted(vec![held.clone(), Answer::ok("whole body")]);
    let body = http.get(&base(&server.url), "/x", 10).unwrap();
    assert_eq!(body, b"whole body");
    let server = scripted(vec![held]);
    let error = http.get(&base(&server.url), "/x", 10).unwrap_err();
    assert!(
        matches!(error, HttpError::Transport { attempts: 3, .. }),
        "{error:?}"
    );
}

#[test]
fn the_limit_is_kept_with_and_without_a_length() {
    let server = scripted(vec![Answer::ok("0123456789")]);
    let http = client(HttpOptions::default());
    assert_eq!(http.get(&base(&server.url), "/x", 10).unwrap().len(), 10);
    let error = http.get(&base(&server.url), "/x", 9).unwrap_err();
    assert!(
        matches!(error, HttpError::TooLarge { limit: 9, .. }),
        "{error:?}"
    );

    // Compressed: the length of what is sent says nothing about what comes out.
    let packed = {
        use std::io::Write;
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(&[b'x'; 10_000]).unwrap();
        encoder.finish().unwrap()
    };
    assert!(packed.len() < 1000);
    for coding in ["gzip", "x-gzip"] {
        let answer = Answer::ok(packed.clone()).header("Content-Encoding", coding);
        let server = scripted(vec![answer]);
        let got = http.get(&base(&server.url), "/x", 10_000).unwrap();
        assert_eq!(got.len(), 10_000, "{coding}");
    }
    let server = scripted(vec![Answer::ok(packed).header("Content-Encoding", "GZip")]);
    assert_eq!(
        http.get(&base(&server.url), "/x", 10_000).unwrap().len(),
        10_000
    );
    let error = http.get(&base(&server.url), "/x", 9_999).unwrap_err();
    assert!(matches!(error, HttpError::TooLarge { .. }), "{error:?}");
    let asked = server.asked.lock().unwrap();
    assert_eq!(asked[0].headers["accept-encoding"], "gzip");
}

#[test]
fn a_file_that_counts_byte_for_byte_comes_under_no_coding() {
    let packed = {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(b"plain").unwrap();
        encoder.finish().unwrap()
    };
    let http = client(HttpOptions::default());
    let verbatim = |server: &TestServer| {
        let mut body = Vec::new();
        let got = http.get_verbatim_into(&base(&server.url), "/a.tar.gz", 1000, &mut body);
        got.map(|_| body)
    };
    for coding in ["gzip", "GZIP", "x-gzip", "br"] {
        let server = scripted(vec![
            Answer::ok(packed.clone()).header("Content-Encoding", coding),
        ]);
        let error = verbatim(&server).unwrap_err();
        assert!(
            matches!(&error, HttpError::Encoded { coding: said, .. } if *said == coding.to_ascii_lowercase()),
            "{error:?}"
        );
        assert_eq!(server.paths().len(), 1, "it is asked for once");
    }
    for labels in [&[][..], &[("Content-Encoding", "identity")]] {
        let mut answer = Answer::ok(packed.clone());
        for (name, value) in labels {
            answer = answer.header(name, value);
        }
        let server = scripted(vec![answer]);
        assert_eq!(verbatim(&server).unwrap(), packed);
        let asked = server.asked.lock().unwrap();
        assert_eq!(asked[0].headers["accept-encoding"], "identity");
    }
}

#[test]
fn connections_are_kept() {
    let server = scripted(vec![Answer::ok("x")]);
    let http = client(HttpOptions::default());
    for _ in 0..5 {
        http.get(&base(&server.url), "/x", 10).unwrap();
    }
    assert_eq!(*server.connections.lock().unwrap(), 1);
}

#[test]
fn head_tells_the_size() {
    let server = scripted(vec![Answer::ok("0123456789")]);
    let http = client(HttpOptions::default());
    assert_eq!(http.size(&base(&server.url), "/x.zip").unwrap(), Some(10));
    assert_eq!(server.asked.lock().unwrap()[0].method, "HEAD");
}

#[test]
fn where_head_is_denied_the_first_byte_tells_the_size() {
    let part = |range: &str| Answer {
        status: 206,
        ..Answer::ok("0").header("Content-Range", range)
    };
    let http = client(HttpOptions::default());
    for (answer, size) in [
        (Answer::ok("0123456789"), Ok(Some(10))),
        (part("bytes 0-0/1234"), Ok(Some(1234))),
        (part("bytes 0-0/*"), Ok(None)),
        (Answer::status(410), Err("410 (because)")),
        (Answer::status(403), Err("403 (because)")),
    ] {
        let server = scripted(vec![Answer::status(403), answer]);
        let got = http.size(&base(&server.url), "/x.zip");
        match (got, size) {
            (Ok(got), Ok(size)) => assert_eq!(got, size),
            (Err(error), Err(words)) => assert!(error.to_string().ends_with(words), "{error}"),
            other => panic!("{other:?}"),
        }
        let asked = server.asked.lock().unwrap();
        let of = |at: usize| {
            (
                asked[at].method.clone(),
                asked[at].headers.get("range").cloned(),
            )
        };
        assert_eq!(of(0), ("HEAD".into(), None));
        assert_eq!(of(1), ("GET".into(), Some("bytes=0-0".into())));
    }
}

#[test]
fn who_asks_and_with_which_password() {
    let server = scripted(vec![Answer::ok("x")]);
    let http = client(HttpOptions {
        netrc: Netrc::parse("machine 127.0.0.1 login n password p"),
        ..HttpOptions::default()
    });
    http.get(&base(&server.url), "/x", 10).unwrap();
    http.get(&base(&server.url.replace("://", "://user:pw@")), "/x", 10)
        .unwrap();
    let asked = server.asked.lock().unwrap();
    assert!(asked[0].headers["user-agent"].starts_with("modferry-bundler/"));
    // As the go command does: netrc passwords travel over TLS only.
    assert_eq!(asked[0].headers.get("authorization"), None);
    assert_eq!(asked[1].headers["authorization"], "Basic dXNlcjpwdw==");
}

#[test]
fn a_password_follows_a_redirect_on_its_own_host_only() {
    let other = scripted(vec![Answer::ok("other")]);
    // The same server by another name.
    let elsewhere = other.url.replace("127.0.0.1", "localhost") + "/b";
    let server = TestServer::new(move |asked| match asked.path.as_str() {
        "/same" => Answer::status(302).header("Location", "/b"),
        "/other" => Answer::status(302).header("Location", &elsewhere),
        _ => Answer::ok("same"),
    });
    let http = client(HttpOptions::default());
    let base = base(&server.url.replace("://", "://user:pw@"));
    assert_eq!(http.get(&base, "/same", 10).unwrap(), b"same");
    assert_eq!(http.get(&base, "/other", 10).unwrap(), b"other");
    let asked = server.asked.lock().unwrap();
    assert_eq!(asked[1].path, "/b");
    assert_eq!(asked[1].headers["authorization"], "Basic dXNlcjpwdw==");
    let asked = other.asked.lock().unwrap();
    assert_eq!(asked[0].headers.get("authorization"), None);
}

#[test]
fn nobody_there_is_told_with_the_reason() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let error = client(HttpOptions::default())
        .get(&base(&url), "/x", 10)
        .unwrap_err();
    assert!(matches!(error, HttpError::Transport { .. }), "{error:?}");
    assert!(
        error
            .to_string()
            .ends_with("no usable answer after 3 tries"),
        "{error}"
    );
}

#[test]
fn retry_after_in_both_forms() {
    let headers = |value: &str| {
        let mut headers = HeaderMap::new();
        headers.insert(header::RETRY_AFTER, value.parse().unwrap());
        headers
    };
    assert_eq!(retry_after(&headers("7")), Some(Duration::from_secs(7)));
    assert_eq!(
        retry_after(&headers("Wed, 21 Oct 2015 07:28:00 GMT")),
        Some(Duration::ZERO)
    );
    assert!(
        retry_after(&headers("Fri, 21 Oct 2050 07:28:00 GMT")).unwrap()
            > Duration::from_secs(1 << 20)
    );
    assert_eq!(retry_after(&headers("soon")), None);
}

#[test]
fn a_proxy_of_the_environment_is_used_for_what_it_is_for() {
    let server = scripted(vec![Answer::ok(""), Answer::ok("through it")]);
    let http = client(HttpOptions {
        proxies: ProxyEnv {
            http: Some(server.url.replace("://", "://user:pw@")),
            ..ProxyEnv::default()
        },
        ..HttpOptions::default()
    });
    // Nobody but the proxy could find this host.
    let base_ = base("http://upstream.invalid/goproxy");
    assert_eq!(http.get(&base_, "/x", 100).unwrap(), b"through it");
    let asked = server.asked.lock().unwrap();
    assert_eq!(
        (asked[0].method.as_str(), asked[0].path.as_str()),
        ("CONNECT", "upstream.invalid:80")
    );
    assert_eq!(
        asked[0].headers["proxy-authorization"],
        "basic dXNlcjpwdw==".replace("basic", "Basic")
    );
    assert_eq!(asked[1].path, "/goproxy/x");
    drop(asked);
    // Loopback never goes through a proxy.
    let direct = scripted(vec![Answer::ok("direct")]);
    assert_eq!(http.get(&base(&direct.url), "/x", 100).unwrap(), b"direct");
}
