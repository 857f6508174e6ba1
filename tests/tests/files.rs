//! Opaque files: from the connected side's disk or a URL to whoever asks the mirror.

#![allow(clippy::unwrap_used)]

use modferry_tests::site::Site;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::Command;

/// Head and body of the answer to a GET with these headers.
fn get(address: &str, path: &str, headers: &str) -> (String, Vec<u8>) {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: mirror\r\nConnection: close\r\n{headers}\r\n"
    )
    .unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let end = answer
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .unwrap();
    let head = String::from_utf8(answer[..end].to_vec())
        .unwrap()
        .to_ascii_lowercase();
    (head, answer[end + 4..].to_vec())
}

#[test]
fn files_are_carried_and_served_with_their_hashes() {
    let mut site = Site::new();
    let large: Vec<u8> = (0..3_000_000_u32).map(|n| (n % 251) as u8).collect();
    std::fs::write(site.path("tool.tar"), &large).unwrap();
    site.upstream.add(
        "example.com/hello@v1.0.0",
        "-- go.mod --\nmodule example.com/hello\n",
    );
    let url = format!("{}/example.com/hello/%40v/v1.0.0.mod", site.upstream.url());
    std::fs::write(
        site.path("modferry.yaml"),
        format!("files:\n  - {{name: tool.tar, path: tool.tar}}\n  - {{name: hello.mod, url: '{url}'}}\n"),
    )
    .unwrap();
    let config = site.path("modferry.yaml");
    // In volumes that are smaller than the file, which is cut.
    let (exported, out) = site.export(&["--config", &config, "--volume-size", "1 MB"]);
    exported.ok();
    site.appliance(&["verify", &out]).ok();
    site.appliance(&["import", &out]).ok().says("opaque file");
    site.appliance(&["fsck"]).ok();
    site.appliance(&["list"]).ok().says("file tool.tar (");

    let server = site.serve();
    let (_, list) = get(server.address(), "/files/", "");
    let folder = site.path("downloaded");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(format!("{folder}/SHA256SUMS"), &list).unwrap();
    for name in ["tool.tar", "hello.mod"] {
        let (head, bytes) = get(server.address(), &format!("/files/{name}"), "");
        assert!(head.starts_with("http/1.1 200"), "{head}");
        assert!(
            head.contains(&format!("content-length: {}", bytes.len())),
            "{head}"
        );
        assert!(
            head.contains("etag: ") && head.contains("accept-ranges: bytes"),
            "{head}"
        );
        std::fs::write(format!("{folder}/{name}"), bytes).unwrap();
    }
    let mut check = Command::new("sha256sum");
    let checked = check
        .args(["-c", "SHA256SUMS"])
        .current_dir(&folder)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&checked.stdout);
    assert_eq!(said, "hello.mod: OK\ntool.tar: OK\n");
    let range = "Range: bytes=1048570-1048585\r\n";
    let (head, part) = get(server.address(), "/files/tool.tar", range);
    assert!(head.starts_with("http/1.1 206"), "{head}");
    assert_eq!(part, large[1_048_570..=1_048_585]);

    // Nothing new: nothing is written. Another file of the name: refused, on this side already.
    let (again, _) = site.export(&["--config", &config]);
    again.ok().says("nothing new");
    std::fs::write(site.path("tool.tar"), b"changed").unwrap();
    let (changed, _) = site.export(&["--config", &config]);
    changed
        .expect(2)
        .says("tool.tar was carried before with other bytes");
}

#[test]
fn files_that_are_taken_back_are_removed_by_gc() {
    let mut site = Site::new();
    let module = "example.com/hello@v1.0.0";
    site.upstream
        .add(module, "-- go.mod --\nmodule example.com/hello\n");
    let config = site.path("modferry.yaml");
    let name = |site: &Site, names: &[&str]| {
        let files: Vec<String> = (names.iter())
            .map(|name| format!("  - {{name: {name}, path: {name}}}\n"))
            .collect();
        let text = format!("files:\n{}", files.concat());
        std::fs::write(site.path("modferry.yaml"), text).unwrap();
    };
    for file in ["a.pem", "b.pem"] {
        std::fs::write(site.path(file), file).unwrap();
    }
    name(&site, &["a.pem", "b.pem"]);
    site.carry(&[module, "--config", &config]);
    // Not selected, and not taken back: it stays.
    name(&site, &["a.pem"]);
    let (same, _) = site.export(&[module, "--config", &config]);
    same.ok().says("nothing new");
    let out = site.carry(&[module, "--config", &config, "--prune"]);
    site.bundler(&["inspect", &out])
        .ok()
        .says("files taken back")
        .says("needed files");
    site.appliance(&["status"]).ok().says("gone files       1");
    site.appliance(&["fsck"]).ok();
    site.appliance(&["gc"])
        .expect(2)
        .says("goes: the file b.pem");
    site.appliance(&["gc", "--yes"]).ok().says("1 file (5 B)");
    site.appliance(&["status"])
        .ok()
        .says("0 zips removed, 0 B; 1 opaque file, 5 B");
    site.appliance(&["fsck"]).ok();
    let server = site.serve();
    let (_, list) = get(server.address(), "/files/", "");
    let list = String::from_utf8(list).unwrap();
    assert!(
        list.ends_with("  a.pem\n") && list.lines().count() == 1,
        "{list}"
    );
    let (head, _) = get(server.address(), "/files/b.pem", "");
    assert!(head.starts_with("http/1.1 404"), "{head}");
    site.appliance(&["gc", "--yes"]).ok().says("nothing to do");

    // The name keeps its bytes for good, also where it is gone; with them it can come again.
    name(&site, &["a.pem", "b.pem"]);
    std::fs::write(site.path("b.pem"), "other").unwrap();
    let (changed, _) = site.export(&[module, "--config", &config]);
    changed
        .expect(2)
        .says("b.pem was carried before with other bytes");
    std::fs::write(site.path("b.pem"), "b.pem").unwrap();
    site.carry(&[module, "--config", &config]);
    site.appliance(&["fsck"]).ok();
    let (head, _) = get(server.address(), "/files/a.pem", "");
    assert!(head.starts_with("http/1.1 200"), "{head}");
    let again = site.serve();
    assert_eq!(get(again.address(), "/files/b.pem", "").1, b"b.pem");
}

#[test]
fn a_lost_bundle_with_a_file_is_missed() {
    let mut site = Site::new();
    let module = "example.com/hello@v1.0.0";
    site.upstream
        .add(module, "-- go.mod --\nmodule example.com/hello\n");
    site.upstream.add(
        "example.com/other@v1.0.0",
        "-- go.mod --\nmodule example.com/other\n",
    );
    site.carry(&[module]);
    std::fs::write(site.path("a.pem"), "a").unwrap();
    let config = site.path("modferry.yaml");
    std::fs::write(&config, "files: [{name: a.pem, path: a.pem}]\n").unwrap();
    site.export(&[module, "--config", &config]).0.ok();
    let words = [module, "example.com/other@v1.0.0", "--config", &config];
    let (exported, out) = site.export(&words);
    exported.ok();
    site.appliance(&["import", &out])
        .expect(5)
        .says("file a.pem")
        .says("modferry-bundler export --stream default --cumulative-from 2");
    let (cured, out) = site.export(&[&words[..], &["--cumulative-from", "2"]].concat());
    cured.ok();
    site.appliance(&["import", &out]).ok();
    site.appliance(&["list"]).ok().says("file a.pem");
}
