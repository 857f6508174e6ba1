//! HEAD, ranges and validators, on zips of every shape and on small things.

use crate::common::*;
use modferry_appliance::store::CHUNK;

#[test]
fn head_has_the_headers_of_get_and_no_body() {
    let fixture = Fixture::filled();
    let server = Process::start(&fixture.store(), &[]);
    let mut client = server.connect();
    for path in [
        "/example.com/a/@v/list",
        "/example.com/only/@v/list",
        "/example.com/a/@latest",
        "/example.com/a/@v/v1.0.0.info",
        "/example.com/a/@v/v1.0.0.mod",
        "/example.com/a/@v/v1.0.0.zip",
        "/example.com/sized/@v/v1.0.0.zip",
        "/example.com/sized/@v/v1.5.0.zip",
        "/example.com/big/@v/v1.0.0.zip",
        "/sumdb/sum.golang.org/supported",
        "/sumdb/sum.golang.org/latest",
        "/sumdb/sum.golang.org/lookup/example.com/a@v1.0.0",
        "/sumdb/sum.golang.org/tile/8/0/000",
        "/example.com/none/@v/list",
        "/example.com/A/@v/list",
        "/healthz",
        "/readyz",
    ] {
        // On one connection: a body after a HEAD would be read as the next answer's head.
        let head = client.ask("HEAD", path, &[]);
        let get = client.ask("GET", path, &[]);
        assert_eq!(head.status, get.status, "{path}");
        assert_eq!(head.lasting_headers(), get.lasting_headers(), "{path}");
    }
}

#[test]
fn a_range_is_a_part_of_the_whole() {
    let fixture = Fixture::filled();
    let server = Process::start(&fixture.store(), &[]);
    let mut client = server.connect();
    let (chunk, last) = (CHUNK as u64, SIZES.len() - 1);
    for (n, size) in SIZES.into_iter().enumerate() {
        let path = format!("/example.com/sized/@v/v1.{n}.0.zip");
        let whole = zip_bytes(&sized(n), size);
        let size = size as u64;
        let mut ranges = vec![(0, 0), (0, size), (size / 2, size)];
        if n == last {
            ranges.extend([
                (chunk - 1, chunk),
                (chunk, chunk),
                (chunk, 2 * chunk - 1),
                (chunk - 1, 3 * chunk + 1),
                (3 * chunk, size - 1),
                (size - 1, size - 1),
            ]);
        }
        for (first, to) in ranges {
            if first >= size {
                continue;
            }
            let response = client.ask("GET", &path, &[&format!("Range: bytes={first}-{to}")]);
            let end = (to + 1).min(size);
            assert_eq!(response.status, 206, "{first}-{to} of {size}");
            assert_eq!(
                response.header("content-range"),
                Some(&*format!("bytes {first}-{}/{size}", end - 1))
            );
            assert!(
                response.body == whole[first as usize..end as usize],
                "{first}-{to} of {size}"
            );
        }
        if size > 0 {
            let response = client.ask("GET", &path, &["Range: bytes=-1"]);
            assert_eq!((response.status, response.body.len()), (206, 1));
            assert_eq!(response.body.last(), whole.last());
            let response = client.ask("GET", &path, &[&format!("Range: bytes={size}-")]);
            assert_eq!(response.status, 416);
            assert_eq!(
                response.header("content-range"),
                Some(&*format!("bytes */{size}"))
            );
        }
    }
}

#[test]
fn small_answers_have_ranges_too() {
    let fixture = Fixture::filled();
    let server = Process::start(&fixture.store(), &[]);
    let mut client = server.connect();
    let response = client.ask("GET", "/example.com/a/@v/list", &["Range: bytes=7-12"]);
    assert_eq!((response.status, response.text()), (206, "v1.1.0"));
    assert_eq!(response.header("content-range"), Some("bytes 7-12/14"));
    let response = client.ask("GET", "/example.com/a/@v/list", &["Range: bytes=14-"]);
    assert_eq!(response.status, 416);
    // Anything but one range is as if it were not there.
    for ignored in ["Range: bytes=0-1,3-4", "Range: lines=1-2", "Range: bytes=x"] {
        let response = client.ask("GET", "/example.com/a/@v/list", &[ignored]);
        assert_eq!(
            (response.status, response.body.len()),
            (200, 14),
            "{ignored}"
        );
    }
    let twice = ["Range: bytes=0-1", "Range: bytes=3-4"];
    assert_eq!(
        client.ask("GET", "/example.com/a/@v/list", &twice).status,
        200
    );
    let response = client.ask("HEAD", "/example.com/a/@v/list", &["Range: bytes=0-1"]);
    assert_eq!(
        (response.status, response.header("content-length")),
        (200, Some("14"))
    );
}

#[test]
fn validators_spare_the_body() {
    let fixture = Fixture::filled();
    let server = Process::start(&fixture.store(), &[]);
    let mut client = server.connect();
    for path in [
        "/example.com/a/@v/list",
        "/example.com/a/@v/v1.0.0.info",
        "/example.com/a/@v/v1.0.0.zip",
        "/example.com/big/@v/v1.0.0.zip",
        "/sumdb/sum.golang.org/tile/8/0/000",
        "/sumdb/sum.golang.org/latest",
    ] {
        let etag = client
            .ask("HEAD", path, &[])
            .header("etag")
            .unwrap()
            .to_owned();
        let fresh = format!("If-None-Match: {etag}");
        for method in ["GET", "HEAD"] {
            let response = client.ask(method, path, &[&fresh]);
            assert_eq!(response.status, 304, "{method} {path}");
            assert_eq!(response.header("etag"), Some(&*etag), "{path}");
            assert!(response.header("cache-control").is_some(), "{path}");
        }
        let stale = client.ask("HEAD", path, &["If-None-Match: \"other\""]);
        assert_eq!(stale.status, 200, "{path}");
        let range = "Range: bytes=1-3";
        let same = client.ask("GET", path, &[range, &format!("If-Range: {etag}")]);
        assert_eq!((same.status, same.body.len()), (206, 3), "{path}");
        if !path.contains("big") {
            let other = client.ask("GET", path, &[range, "If-Range: \"other\""]);
            assert_eq!(other.status, 200, "{path}");
        }
        let response = client.ask("GET", path, &["If-Match: \"other\""]);
        assert_eq!(response.status, 412, "{path}");
    }
    // Different contents have different tags.
    let tag = |client: &mut Client, path: &str| {
        client
            .ask("HEAD", path, &[])
            .header("etag")
            .unwrap()
            .to_owned()
    };
    let one = tag(&mut client, "/example.com/a/@v/v1.0.0.info");
    let two = tag(&mut client, "/example.com/a/@v/v1.1.0.info");
    assert_ne!(one, two);
}
