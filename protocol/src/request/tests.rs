//! Each form both ways, and each refusal with the text that a developer gets to see.

#![allow(clippy::unwrap_used)]

use super::*;

fn parse(path: &str) -> Request {
    Request::parse(path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn refusal(path: &str) -> String {
    match Request::parse(path) {
        Ok(request) => panic!("{path}: accepted as {request:?}"),
        Err(error) => error.to_string(),
    }
}

fn module(text: &str) -> ModuleVersion {
    text.parse().unwrap()
}

#[test]
fn each_form_and_back() {
    let toml = || ModulePath::new("github.com/BurntSushi/toml").unwrap();
    let sum = |request| Request::Sumdb {
        name: DbName::new("sum.golang.org").unwrap(),
        request,
    };
    let query = |path: &str, query: &str| Request::Query {
        path: path.parse().unwrap(),
        query: query.parse().unwrap(),
    };
    let vulndb = |document: &str, gzip| Request::Vulndb {
        document: document.parse().unwrap(),
        gzip,
    };
    for (path, request) in [
        (
            "/github.com/!burnt!sushi/toml/@v/list",
            Request::List(toml()),
        ),
        (
            "/github.com/!burnt!sushi/toml/@latest",
            Request::Latest(toml()),
        ),
        ("/a.b/@v/v1.0.0.info", Request::Info(module("a.b@v1.0.0"))),
        (
            "/a.b/@v/v1.0.0-!r!c1.mod",
            Request::Mod(module("a.b@v1.0.0-RC1")),
        ),
        (
            "/a.b/c/v2/@v/v2.0.0.zip",
            Request::Zip(module("a.b/c/v2@v2.0.0")),
        ),
        (
            "/a.b/c/@v/v2.0.0+incompatible.zip",
            Request::Zip(module("a.b/c@v2.0.0+incompatible")),
        ),
        ("/vulndb/index/db.json", vulndb("index/db", false)),
        (
            "/vulndb/index/modules.json.gz",
            vulndb("index/modules", true),
        ),
        (
            "/vulndb/ID/GO-2024-0001.json.gz",
            vulndb("ID/GO-2024-0001", true),
        ),
        ("/a.b/@v/main.info", query("a.b", "main")),
        ("/a.b/@v/v1.info", query("a.b", "v1")),
        ("/a.b/@v/list.info", query("a.b", "list")),
        ("/a.b/@v/!main.x.info", query("a.b", "Main.x")),
        ("/a.b/@v/v1.0.0+build.info", query("a.b", "v1.0.0+build")),
        // `go get a.b@v2.0.0` asks, and a proxy that has it answers v2.0.0+incompatible.
        ("/a.b/@v/v2.0.0.info", query("a.b", "v2.0.0")),
        ("/a.b/@v/x%20y%23@z.info", query("a.b", "x y#@z")),
        (
            "/sumdb/sum.golang.org/supported",
            sum(SumdbRequest::Supported),
        ),
        ("/sumdb/sum.golang.org/latest", sum(SumdbRequest::Latest)),
        (
            "/sumdb/sum.golang.org/lookup/github.com/!burnt!sushi/toml@v0.3.1",
            sum(SumdbRequest::Lookup(module(
                "github.com/BurntSushi/toml@v0.3.1",
            ))),
        ),
        (
            "/sumdb/sum.golang.org/lookup/a.b/tile/lookup/latest@v1.0.0",
            sum(SumdbRequest::Lookup(module(
                "a.b/tile/lookup/latest@v1.0.0",
            ))),
        ),
        (
            "/sumdb/sum.golang.org/tile/8/0/x001/234.p/5",
            sum(SumdbRequest::Tile(Tile::new(8, 0, 1234, 5).unwrap())),
        ),
        (
            "/sumdb/localhost:8080/sum/db/tile/8/data/000",
            Request::Sumdb {
                name: DbName::new("localhost:8080/sum/db").unwrap(),
                request: SumdbRequest::Tile(Tile::new_data(8, 0, 256).unwrap()),
            },
        ),
    ] {
        assert_eq!(parse(path), request);
        assert_eq!(request.url_path(), path);
    }
}

#[test]
fn percent_encoding_is_undone_once() {
    for (raw, path) in [
        (
            "/github.com/%21burnt%21sushi/toml/@v/list",
            "/github.com/!burnt!sushi/toml/@v/list",
        ),
        ("/a.b/%40v/v1.0.0.info", "/a.b/@v/v1.0.0.info"),
        ("/a.b/%40latest", "/a.b/@latest"),
        (
            "/a.b/@v/v2.0.0%2Bincompatible.zip",
            "/a.b/@v/v2.0.0+incompatible.zip",
        ),
        (
            "/a.b/@v/v2.0.0%2bincompatible.zip",
            "/a.b/@v/v2.0.0+incompatible.zip",
        ),
        ("/%61.b/@v%2flist", "/a.b/@v/list"),
        (
            "/sumdb/sum.golang.org/lookup/a.b%40v1.0.0",
            "/sumdb/sum.golang.org/lookup/a.b@v1.0.0",
        ),
    ] {
        assert_eq!(parse(raw).url_path(), path);
    }
}

#[test]
fn bad_encodings_are_refused() {
    let twice = "the path is percent-encoded twice: '%' is left after decoding";
    for (raw, message) in [
        ("/a.b/@v/%zz.info", "bad percent-encoding \"%zz\""),
        ("/a.b/@v/list%", "bad percent-encoding \"%\""),
        ("/a.b/@v/list%2", "bad percent-encoding \"%2\""),
        ("/a.b/@v/%+1.info", "bad percent-encoding \"%+1\""),
        ("/a.b/@v/%é.info", "bad percent-encoding \"%é.\""),
        ("/a.b/@v/%2521main.info", twice),
        ("/a.b/@v/100%25.info", twice),
        ("/a.b/@v/%ff.info", "the decoded path is not UTF-8"),
        ("/a.b/@v/list%00", "control character '\\0' in the path"),
        (
            "/a.b/@v/x%0d%0ay.info",
            "control character '\\r' in the path",
        ),
        (
            "/a.b/@v/x\u{1b}y.info",
            "control character '\\u{1b}' in the path",
        ),
        (
            "/a.b/@v/%c2%85.info",
            "control character '\\u{85}' in the path",
        ),
    ] {
        assert_eq!(refusal(raw), message);
    }
}

#[test]
fn other_spellings_are_refused() {
    for path in [
        "",
        "/",
        "//",
        "a.b/@v/list",
        "/a.b/@v/list/",
        "/a.b//@v/list",
        "//a.b/@v/list",
        "/a.b/../c.d/@v/list",
        "/a.b/./@v/list",
        "/a.b/%2e%2e/@v/list",
        "/@v/list",
        "/@latest",
        "/a.b/@latest/",
        "/a.b/@v",
        "/a.b/@v/",
        "/a.b/@v/LIST",
        "/a.b/@v/.info",
        "/a.b/@v/..info",
        "/a.b/@v/v1.0.0",
        "/a.b/@v/v1.0.0.ziphash",
        "/a.b/@v/v1.0.0.INFO",
        "/a.b/@v/v1.0.0.info?x",
        "/a.b/@v/x/v1.0.0.info",
        "/a.b/@v/@v/v1.0.0.info",
        "/a.b/@v/v1.0.0%2finfo",
        "/a.b/@v/v1.0.0-RC1.zip",
        "/a.b/@v/Main.info",
        "/A.b/@v/list",
        "/!a.b/@v/list",
        "/a.b/C/@v/list",
        "/a.b/!/@v/list",
        "/ab/@v/list",
        "/a.b/é/@v/list",
        "/a.b\\c/@v/list",
        "/a.b/v1/@v/list",
        "/a.b/@v/v2.0.0.mod",
        "/a.b/@v/v1.mod",
        "/a.b/@v/main.zip",
        "/sumdb",
        "/sumdb/",
        "/sumdb/latest",
        "/sumdb/lookup/a.b@v1.0.0",
        "/sumdb/sum.golang.org",
        "/sumdb/sum.golang.org/lookup/a.b",
        "/sumdb/sum.golang.org/lookup/a.b@v1",
        "/sumdb/sum.golang.org/lookup/a.b@v1.0.0/go.mod",
        "/sumdb/sum.golang.org/lookup/A.b@v1.0.0",
        "/sumdb/sum.golang.org/tile/8/0/0",
        "/sumdb/sum.golang.org/tile/8/0/000.p/256",
        "/sumdb/sum.golang.org/tile/",
        "/sumdb/sum.golang.org/Latest",
        "/sumdb/sum golang/latest",
    ] {
        let message = refusal(path);
        assert!(!message.is_empty() && !message.contains(char::is_control));
    }
}

#[test]
fn refusals_say_what_to_do() {
    for (path, message) in [
        (
            "/github.com/BurntSushi/toml/@v/list",
            "malformed escaped module path \"github.com/BurntSushi/toml\": upper-case letter 'B' must be written as '!' and its lower case here",
        ),
        (
            "/a.b/@v/main.zip",
            ".zip takes a canonical version: invalid escaped version \"main\": not a semantic version",
        ),
        (
            "/a.b/@v/v1.mod",
            ".mod takes a canonical version: invalid escaped version \"v1\": not canonical, should be \"v1.0.0\"",
        ),
        (
            "/a.b/@v/v2.0.0.mod",
            "a.b@v2.0.0: version should be v0 or v1, not v2",
        ),
        (
            "/a.b/@v/list/",
            "empty element in the path \"/a.b/@v/list/\": a doubled or trailing slash",
        ),
        (
            "/a.b/%2e%2e/c.d/@v/list",
            "dot element in the path \"/a.b/../c.d/@v/list\"",
        ),
        (
            "/favicon.ico",
            "\"favicon.ico\" is no module proxy URL: want MODULE/@v/list, MODULE/@latest, MODULE/@v/VERSION.info, .mod or .zip, or sumdb/NAME/...",
        ),
        (
            "/sumdb/sum.golang.org/lookup/a.b",
            "\"lookup/a.b\" is no checksum database URL: want sumdb/NAME/supported, latest, lookup/MODULE@VERSION or tile/H/L/N",
        ),
    ] {
        assert_eq!(refusal(path), message);
    }
}

#[test]
fn the_length_has_a_limit() {
    let of_length = |n: usize| {
        let rest = "/a.b//@v/list".len();
        format!("/a.b/{}/@v/list", "x".repeat(n - rest))
    };
    assert!(Request::parse(&of_length(MAX_REQUEST_PATH)).is_ok());
    assert_eq!(
        Request::parse(&of_length(MAX_REQUEST_PATH + 1)),
        Err(RequestError::TooLong {
            length: MAX_REQUEST_PATH + 1
        })
    );
}

#[test]
fn what_no_vulnerability_database_has_is_no_request() {
    for path in [
        "/vulndb/x",
        "/vulndb/index.json",
        "/vulndb/index/db",
        "/vulndb/index/db.gz",
        "/vulndb/index/db.json.gz.json",
        "/vulndb/ID/index/db.json",
        "/vulndb/ID/1.json",
        "/vulndb/a.b/@v/list",
    ] {
        let text = refusal(path);
        assert!(text.contains("is no vulnerability database URL"), "{text}");
    }
    assert!(refusal("/vulndb/").contains("empty element"));
    assert!(refusal("/vulndb/ID/../index/db.json").contains("dot element"));
}
