//! Each kind of answer: its status, type, cache lifetime and bytes, and the words of those that are refused.

use crate::common::*;
use modferry_appliance::store::CHUNK;
use modferry_protocol::sumdb::Tile;
use sha2::{Digest as _, Sha256};

const TEXT: &str = "text/plain; charset=UTF-8";
const JSON: &str = "application/json";
const OCTETS: &str = "application/octet-stream";
const YEAR: &str = "public, max-age=31536000, immutable";
const BRIEF: &str = "public, max-age=60";

/// What `sha256sum -c` reads.
fn file_list() -> Vec<u8> {
    let line = |name: &str, size| {
        let digest = Sha256::digest(zip_bytes(name, size));
        let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("{hex}  {name}\n")
    };
    (line("large.tar", 3 * CHUNK + 17) + &line("small.txt", 5)).into_bytes()
}

#[test]
fn what_is_carried_is_served_bit_for_bit() {
    let fixture = Fixture::filled();
    let server = Process::start(&fixture.store(), &[]);
    let tile = |level, index, width| tile_bytes(&Tile::new(8, level, index, width).unwrap());
    let a = "example.com/a@v1.0.0";
    let mut lookup = b"7\nexample.com/a v1.0.0 h1:x\n\n".to_vec();
    lookup.extend(head_of(TREE));
    let upper = "github.com/BurntSushi/toml@v1.2.0";
    let cases: &[(&str, &str, &str, Vec<u8>)] = &[
        (
            "/example.com/a/@v/list",
            TEXT,
            BRIEF,
            b"v1.0.0\nv1.1.0\n".into(),
        ),
        (
            "/example.com/a/@latest",
            JSON,
            BRIEF,
            info("example.com/a@v1.1.0"),
        ),
        ("/example.com/a/@v/v1.0.0.info", JSON, YEAR, info(a)),
        ("/files/small.txt", OCTETS, YEAR, zip_bytes("small.txt", 5)),
        (
            "/files/large.tar",
            OCTETS,
            YEAR,
            zip_bytes("large.tar", 3 * CHUNK + 17),
        ),
        ("/files/", TEXT, BRIEF, file_list()),
        (
            "/example.com/a/@v/main.info",
            JSON,
            BRIEF,
            info("example.com/a@v1.1.0"),
        ),
        (
            "/example.com/a/@v/v1.0.0.mod",
            TEXT,
            YEAR,
            b"module example.com/a\n".into(),
        ),
        (
            "/example.com/a/@v/v1.0.0.zip",
            "application/zip",
            YEAR,
            zip_bytes(a, 1000),
        ),
        (
            "/github.com/!burnt!sushi/toml/@v/v1.2.0.zip",
            "application/zip",
            YEAR,
            zip_bytes(upper, 1000),
        ),
        (
            "/github.com/%21burnt%21sushi/toml/@v/v1.2.0.info",
            JSON,
            YEAR,
            info(upper),
        ),
        (
            "/example.com/%61/%40v/v1.0.0%2emod",
            TEXT,
            YEAR,
            b"module example.com/a\n".into(),
        ),
        (
            "/example.com/a/@v/list?query=ignored",
            TEXT,
            BRIEF,
            b"v1.0.0\nv1.1.0\n".into(),
        ),
        (
            "/example.com/only/@v/v1.0.0.mod",
            TEXT,
            YEAR,
            b"module example.com/only\n".into(),
        ),
        ("/example.com/only/@v/list", TEXT, BRIEF, b"".into()),
        ("/sumdb/sum.golang.org/supported", TEXT, BRIEF, b"".into()),
        ("/sumdb/sum.golang.org/latest", TEXT, BRIEF, head_of(TREE)),
        (
            "/sumdb/sum.golang.org/lookup/example.com/a@v1.0.0",
            TEXT,
            BRIEF,
            lookup,
        ),
        (
            "/sumdb/sum.golang.org/tile/8/0/000",
            OCTETS,
            YEAR,
            tile(0, 0, 256),
        ),
        (
            "/sumdb/sum.golang.org/tile/8/0/000.p/17",
            OCTETS,
            BRIEF,
            tile(0, 0, 17),
        ),
        (
            "/sumdb/sum.golang.org/tile/8/0/273.p/112",
            OCTETS,
            BRIEF,
            tile(0, 273, 112),
        ),
        (
            "/sumdb/sum.golang.org/tile/8/2/000.p/1",
            OCTETS,
            BRIEF,
            tile(2, 0, 1),
        ),
        ("/healthz", TEXT, "no-store", b"ok\n".into()),
    ];
    let mut client = server.connect();
    for (path, content_type, cache, body) in cases {
        let response = client.ask("GET", path, &[]);
        assert_eq!(response.status, 200, "{path}: {response:?}");
        assert_eq!(
            response.header("content-type"),
            Some(*content_type),
            "{path}"
        );
        assert_eq!(response.header("cache-control"), Some(*cache), "{path}");
        assert_eq!(
            response.header("content-length"),
            Some(&*body.len().to_string()),
            "{path}"
        );
        assert_eq!(response.header("accept-ranges"), Some("bytes"), "{path}");
        assert!(response.header("etag").unwrap().starts_with('"'), "{path}");
        assert!(response.body == *body, "{path}: {response:?}");
    }
    for (n, size) in SIZES.into_iter().enumerate() {
        let response = client.ask("GET", &format!("/example.com/sized/@v/v1.{n}.0.zip"), &[]);
        assert_eq!(response.status, 200);
        assert!(
            response.body == zip_bytes(&sized(n), size),
            "a zip of {size} bytes"
        );
    }
}

#[test]
fn what_is_refused_says_why_in_one_line() {
    let fixture = Fixture::filled();
    let server = Process::start(
        &fixture.store(),
        &["--how-to-ask", "write to mirror@example.com"],
    );
    let ask = "(write to mirror@example.com)";
    let long = format!("/example.com/{}/@v/list", "a".repeat(5000));
    let cases: &[(&str, u16, &[&str])] = &[
        (
            "/example.com/none/@v/list",
            404,
            &["not carried: ", "example.com/none", ask],
        ),
        (
            "/example.com/none/@latest",
            404,
            &["not carried: ", "example.com/none", ask],
        ),
        (
            "/example.com/only/@latest",
            404,
            &["not carried: ", "example.com/only", ask],
        ),
        (
            "/example.com/a/@v/v1.9.0.info",
            404,
            &["not carried: ", "example.com/a@v1.9.0", ask],
        ),
        (
            "/example.com/a/@v/v1.9.0.mod",
            404,
            &["not carried: ", "go.mod of example.com/a@v1.9.0", ask],
        ),
        (
            "/example.com/a/@v/v1.9.0.zip",
            404,
            &["not carried: ", "zip of example.com/a@v1.9.0", ask],
        ),
        ("/example.com/only/@v/v1.0.0.zip", 404, &["not carried: "]),
        (
            "/example.com/a/@v/dev.info",
            404,
            &["not carried: ", "example.com/a@dev is a query", ask],
        ),
        (
            "/files/nothing.tar",
            404,
            &["not carried: the file nothing.tar", ask],
        ),
        ("/files/%2e%2e", 400, &["dot element"]),
        ("/files/..%2fsmall.txt", 400, &["dot element"]),
        ("/files/.hidden", 400, &["file name"]),
        ("/files/a/b", 400, &["file name"]),
        ("/files", 404, &["not found: "]),
        (
            "/sumdb/sum.golang.org/lookup/git.corp.test/ours@v1.0.0",
            403,
            &["private: ", "set GONOSUMDB=git.corp.test/ours here"],
        ),
        (
            "/sumdb/sum.golang.org/lookup/git.corp.test/ours@v1.9.0",
            403,
            &["private: "],
        ),
        (
            "/sumdb/sum.golang.org/lookup/example.com/a@v1.9.0",
            404,
            &["not carried: ", "example.com/a@v1.9.0", ask],
        ),
        (
            "/sumdb/sum.example.com/latest",
            404,
            &["not carried: ", "sum.example.com", ask],
        ),
        (
            "/sumdb/sum.golang.org/tile/8/data/000",
            404,
            &["not carried: ", "tile/8/data/000"],
        ),
        (
            "/sumdb/sum.golang.org/tile/4/0/000",
            404,
            &["not carried: ", "height 8"],
        ),
        // In the tree, but not among what was carried.
        (
            "/sumdb/sum.golang.org/tile/8/0/100",
            404,
            &[
                "not carried: ",
                "tile/8/0/100",
                "only records that are not carried",
            ],
        ),
        // Past the tree: 70,000 records end in tile 273.
        (
            "/sumdb/sum.golang.org/tile/8/0/273",
            404,
            &[
                "not carried: ",
                "newer tree",
                "at least 70144 records",
                "sumdb/sum.golang.org/latest",
                ask,
            ],
        ),
        (
            "/sumdb/sum.golang.org/tile/8/1/001.p/18",
            404,
            &["newer tree", "at least 70144 records"],
        ),
        (
            "/sumdb/sum.golang.org/tile/8/7/000.p/1",
            404,
            &["newer tree", "at least 72057594037927936 records"],
        ),
        ("/", 404, &["not found: "]),
        ("/favicon.ico", 404, &["not found: "]),
        ("/sumdb/sum.golang.org/other", 404, &["not found: "]),
        ("/example.com/A/@v/list", 400, &["malformed request: "]),
        ("/example.com/a/@v/v1.zip", 400, &["malformed request: "]),
        ("/example.com//a/@v/list", 400, &["malformed request: "]),
        ("/example.com/../a/@v/list", 400, &["malformed request: "]),
        ("/example.com/%2521a/@v/list", 400, &["malformed request: "]),
        ("/example.com/%0a/@v/list", 400, &["malformed request: "]),
        ("/example.com/%zz/@v/list", 400, &["malformed request: "]),
        (
            "/sumdb/sum.golang.org/tile/8/0/0",
            400,
            &["malformed request: "],
        ),
        (
            "/sumdb/sum.golang.org/lookup/example.com/a@v1",
            400,
            &["malformed request: "],
        ),
        (&long, 414, &["path too long: "]),
    ];
    let mut client = server.connect();
    for (path, status, words) in cases {
        let response = client.ask("GET", path, &[]);
        assert_eq!(response.status, *status, "{path}: {response:?}");
        assert_eq!(response.header("content-type"), Some(TEXT), "{path}");
        assert_eq!(response.header("cache-control"), Some("no-store"), "{path}");
        let text = response.text();
        for word in *words {
            assert!(text.contains(word), "{path}: no {word:?} in {text:?}");
        }
        let line = text.strip_suffix('\n').unwrap();
        assert!(!line.contains(char::is_control), "{path}: {text:?}");
        assert!(line.chars().count() <= 1001, "{path}: {text:?}");
    }
}

#[test]
fn a_checksum_database_is_supported_whatever_is_held_of_it() {
    let fixture = Fixture::empty();
    std::fs::create_dir_all(fixture.store().join("trust")).unwrap();
    let server = Process::start(&fixture.store(), &[]);
    for name in ["sum.golang.org", "sum.example.com"] {
        let response = get(server.address(), &format!("/sumdb/{name}/supported"));
        assert_eq!((response.status, response.text()), (200, ""));
    }
}

#[test]
fn other_methods_are_not_allowed() {
    let fixture = Fixture::filled();
    let server = Process::start(&fixture.store(), &[]);
    for method in ["POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "BREW"] {
        let mut client = server.connect();
        let response = client.ask(method, "/example.com/a/@v/list", &["Content-Length: 0"]);
        assert_eq!(response.status, 405, "{method}");
        assert_eq!(response.header("allow"), Some("GET, HEAD"), "{method}");
        assert!(
            response.text().starts_with("method not allowed"),
            "{method}"
        );
    }
    let mut client = server.connect();
    let response = client.ask("POST", "/example.com/a/@v/list", &["Content-Length: 5"]);
    assert_eq!(response.status, 405);
}

#[test]
fn clients_that_are_ahead_are_counted() {
    let fixture = Fixture::filled();
    let server = Process::start(&fixture.store(), &[]);
    let ready = |server: &Process| get(server.address(), "/readyz").text().to_owned();
    assert!(
        ready(&server).contains("newer tree 0"),
        "{}",
        ready(&server)
    );
    for path in [
        "/sumdb/sum.golang.org/tile/8/0/999",
        "/sumdb/sum.golang.org/tile/8/0/100",
    ] {
        assert_eq!(get(server.address(), path).status, 404);
    }
    assert!(
        ready(&server).contains("newer tree 1"),
        "{}",
        ready(&server)
    );
    assert!(server.log().contains("a client has seen a newer tree"));
}
