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
    site.appliance(&["import", &out]).ok().says("opaque files");
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
