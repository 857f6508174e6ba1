//! What gc removes while the server serves it.

use crate::common::*;
use modferry_appliance::store::CHUNK;

const PATHS: [&str; 4] = [".info", ".mod", ".zip", ""];

fn target(name: &str, what: &str) -> String {
    let (path, version) = name.split_once('@').unwrap();
    match what {
        "" => format!("/{path}/@v/list"),
        what => format!("/{path}/@v/{version}{what}"),
    }
}

#[test]
fn zips_that_slow_clients_are_fetching_are_sent_to_their_end() {
    let fixture = Fixture::filled();
    // More than all sockets and the server's cache of chunks hold together.
    let (large, size) = ("example.com/large@v1.0.0", 100 * CHUNK + 17);
    let body: Vec<u8> = (0..size).map(|n| (n / CHUNK) as u8).collect();
    fixture.import(9, |draft| put_whole(draft, &module(large), &body));
    let server = Process::start(&fixture.store(), &[]);
    // Several, at different places, one of them a part: all far from their end when the zip goes.
    let mut clients: Vec<_> = [(0, size), (0, size), (5 * CHUNK + 17, size - 3)]
        .into_iter()
        .enumerate()
        .map(|(n, (start, end))| {
            let mut client = server.connect();
            client.send(format!(
                "GET {} HTTP/1.1\r\nHost: localhost\r\nRange: bytes={start}-{}\r\n\r\n",
                target(large, ".zip"),
                end - 1
            ));
            assert_eq!(client.receive_head().status, 206);
            let some = 1000 + n * CHUNK;
            assert_eq!(client.receive_bytes(some), body[start..start + some]);
            (client, start + some, end)
        })
        .collect();
    fixture.remove(10, &[large]);
    eventually("the removal to be seen", || {
        get(server.address(), &target(large, ".zip")).status == 404
    });
    for what in PATHS {
        assert_eq!(
            get(server.address(), &target(large, what)).status,
            404,
            "{what}"
        );
    }
    // Also after further states, of which some change nothing but files.
    for number in 11..14 {
        fixture.import_module(number, &format!("example.com/new@v1.{number}.0"));
        let new = target(&format!("example.com/new@v1.{number}.0"), ".zip");
        eventually("an import to be seen", || {
            get(server.address(), &new).status == 200
        });
    }
    assert!(server.removed_files() > 0, "nothing was there to be kept");
    for (client, at, end) in &mut clients {
        assert!(
            client.receive_bytes(*end - *at) == body[*at..*end],
            "other bytes than the zip's"
        );
    }
    // And then its room is given back, although nothing further is imported.
    eventually("removed files to be let go", || server.removed_files() == 0);
    assert!(!server.log().contains("ERROR"), "{}", server.log());
}

#[test]
fn no_request_fails_while_things_come_and_go() {
    use std::sync::atomic::{AtomicBool, Ordering};
    let fixture = Fixture::filled();
    let server = Process::start(&fixture.store(), &[]);
    // Of every way in which a zip is sent: small, of one chunk, of several.
    let names = || (0..SIZES.len()).map(sized);
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let clients: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    let mut client = server.connect();
                    let (mut found, mut missed) = (0_u64, 0_u64);
                    while !done.load(Ordering::SeqCst) {
                        for (name, size) in names().zip(SIZES) {
                            let answer = client.ask("GET", &target(&name, ".zip"), &[]);
                            match answer.status {
                                200 => {
                                    assert!(answer.body == zip_bytes(&name, size), "{name}");
                                    found += 1;
                                }
                                404 => missed += 1,
                                other => panic!("{name}: {other} {}", answer.text()),
                            }
                        }
                    }
                    (found, missed)
                })
            })
            .collect();
        let all: Vec<String> = names().collect();
        let all: Vec<&str> = all.iter().map(String::as_str).collect();
        for round in 0..6 {
            fixture.remove(2 * round + 2, &all);
            server.signal("HUP");
            eventually("the removal to be seen", || {
                get(server.address(), &target(all[3], ".zip")).status == 404
            });
            fixture.import(2 * round + 3, |draft| {
                for (name, size) in names().zip(SIZES) {
                    put_whole(draft, &module(&name), &zip_bytes(&name, size));
                }
            });
            server.signal("HUP");
            eventually("the import to be seen", || {
                get(server.address(), &target(all[3], ".zip")).status == 200
            });
        }
        done.store(true, Ordering::SeqCst);
        for client in clients {
            let (found, missed) = client.join().unwrap();
            assert!(found > 10 && missed > 10, "{found} found, {missed} missed");
        }
    });
    assert!(!server.log().contains("ERROR"), "{}", server.log());
}
