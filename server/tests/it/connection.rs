//! What HTTP/1.1 asks of a server beyond single requests: kept connections, pipelining, slow and broken clients.

use std::net::Shutdown;

use crate::common::*;

const LIST: &str = "/example.com/a/@v/list";

fn request(method: &str, target: &str) -> String {
    format!("{method} {target} HTTP/1.1\r\nHost: localhost\r\n\r\n")
}

#[test]
fn a_connection_is_kept_open() {
    let fixture = Fixture::filled();
    let server = Process::start(&fixture.store(), &[]);
    let mut client = server.connect();
    for _ in 0..100 {
        assert_eq!(client.ask("GET", LIST, &[]).status, 200);
        assert_eq!(
            client.ask("GET", "/example.com/none/@v/list", &[]).status,
            404
        );
    }
    assert_eq!(client.ask("GET", LIST, &["Connection: close"]).status, 200);
    assert!(client.is_closed());
}

/// The engine alone answers the second GET here without its body, because a HEAD comes after it.
#[test]
fn pipelined_requests_are_answered_in_order_each_by_its_own_rules() {
    let fixture = Fixture::filled();
    let server = Process::start(&fixture.store(), &[]);
    let big_zip = "/example.com/sized/@v/v1.5.0.zip";
    let sequence = [
        ("GET", LIST),
        ("GET", "/example.com/a/@v/v1.0.0.info"),
        ("HEAD", big_zip),
        ("GET", big_zip),
        ("HEAD", LIST),
        ("GET", "/example.com/none/@v/list"),
        ("GET", "/example.com/a/@v/v1.0.0.mod"),
        ("HEAD", "/example.com/none/@v/list"),
        ("GET", LIST),
    ];
    let alone: Vec<Response> = sequence
        .iter()
        .map(|(method, target)| server.connect().ask(method, target, &[]))
        .collect();
    let bytes: Vec<u8> = sequence
        .iter()
        .flat_map(|(method, target)| request(method, target).into_bytes())
        .collect();
    // All at once, and cut into two at every place: heads arrive in any pieces.
    let cuts = (1..bytes.len()).step_by(7);
    for cut in std::iter::once(bytes.len()).chain(cuts) {
        let mut client = server.connect();
        client.send(&bytes[..cut]);
        client.send(&bytes[cut..]);
        for ((method, target), alone) in sequence.iter().zip(&alone) {
            let response = client.receive(*method == "HEAD");
            assert_eq!(
                response.lasting_headers(),
                alone.lasting_headers(),
                "{method} {target} cut {cut}"
            );
            assert!(response.body == alone.body, "{method} {target} cut {cut}");
        }
    }
}

#[test]
fn many_pipelined_requests_and_then_the_end_of_the_stream() {
    let fixture = Fixture::filled();
    let server = Process::start(&fixture.store(), &[]);
    let mut client = server.connect();
    client.send(request("GET", LIST).repeat(200));
    client.stream().shutdown(Shutdown::Write).unwrap();
    for _ in 0..200 {
        assert_eq!(client.receive(false).text(), "v1.0.0\nv1.1.0\n");
    }
    assert!(client.is_closed());
}

#[test]
fn a_head_may_come_byte_by_byte() {
    let fixture = Fixture::filled();
    let server = Process::start(&fixture.store(), &[]);
    let mut client = server.connect();
    client.stream().set_nodelay(true).unwrap();
    for byte in request("GET", LIST).bytes() {
        client.send([byte]);
    }
    assert_eq!(client.receive(false).status, 200);
}

#[test]
fn a_client_that_does_not_read_keeps_no_one_waiting() {
    let fixture = Fixture::filled();
    let server = Process::start(&fixture.store(), &["--workers", "1"]);
    // More of them than there are readers of chunks, and each of them more than a socket buffers.
    let mut idle: Vec<Client> = (0..8).map(|_| server.connect()).collect();
    for client in &mut idle {
        client.send(request("GET", "/example.com/big/@v/v1.0.0.zip"));
        assert_eq!(client.receive_head().status, 200);
    }
    for _ in 0..20 {
        assert_eq!(get(server.address(), LIST).status, 200);
        assert_eq!(
            get(server.address(), "/example.com/sized/@v/v1.5.0.zip").status,
            200
        );
    }
    // And they still get all of it.
    let whole = &*BIG;
    for client in &mut idle {
        assert!(client.receive_bytes(whole.len()) == *whole);
    }
}

#[test]
fn clients_that_leave_in_the_middle_do_no_harm() {
    let fixture = Fixture::filled();
    let server = Process::start(&fixture.store(), &[]);
    for n in 0..50_usize {
        let mut client = server.connect();
        client.send(request("GET", "/example.com/big/@v/v1.0.0.zip"));
        if n.is_multiple_of(2) {
            client.receive_head();
            client.receive_bytes(n * 10_000);
        }
    }
    assert_eq!(get(server.address(), LIST).status, 200);
    // What was sent of each is logged when it ends.
    eventually("the log of broken downloads", || {
        server
            .log()
            .matches("big/@v/v1.0.0.zip\" status=200")
            .count()
            == 50
    });
    assert!(!server.log().contains("panicked"));
}

#[test]
fn what_is_no_http_is_refused() {
    let fixture = Fixture::filled();
    let server = Process::start(&fixture.store(), &[]);
    let many_headers = format!(
        "GET {LIST} HTTP/1.1\r\nHost: a\r\n{}\r\n",
        "X: y\r\n".repeat(200)
    );
    let long_header = format!(
        "GET {LIST} HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n",
        "y".repeat(200_000)
    );
    let long_path = format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "y".repeat(60_000));
    let cases: &[(&str, u16)] = &[
        ("nonsense\r\n\r\n", 400),
        ("GET /example.com/a/@v/list HTTP/1.1\r\n\r\n", 400), // no Host
        ("GET /\u{1} HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (
            "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
            400,
        ),
        (&many_headers, 431),
        (&long_header, 431),
        (&long_path, 414),
    ];
    for (bytes, status) in cases {
        let mut client = server.connect();
        // The server may answer and close before all of it is sent.
        let _ = std::io::Write::write_all(&mut client.stream(), bytes.as_bytes());
        let response = client.receive(false);
        assert_eq!(response.status, *status, "{:.60?}", bytes);
    }
    assert_eq!(get(server.address(), LIST).status, 200);
}

#[test]
fn http_1_0_is_answered() {
    let fixture = Fixture::filled();
    let server = Process::start(&fixture.store(), &[]);
    let mut client = server.connect();
    client.send(format!("GET {LIST} HTTP/1.0\r\n\r\n"));
    assert_eq!(client.receive(false).status, 200);
    assert!(client.is_closed());
}

#[test]
fn the_access_log_can_be_switched_off() {
    let fixture = Fixture::filled();
    let server = Process::start(&fixture.store(), &[]);
    assert_eq!(get(server.address(), LIST).status, 200);
    eventually("the access log", || server.log().contains(LIST));
    let log = server.log();
    let line = log.lines().find(|line| line.contains(LIST)).unwrap();
    for word in [
        "access",
        "method=\"GET\"",
        "status=200",
        "bytes=14",
        "micros=",
        "client=127.0.0.1",
    ] {
        assert!(line.contains(word), "no {word} in {line}");
    }
    drop(server);
    let server = Process::start(&fixture.store(), &["--access-log", "false"]);
    assert_eq!(get(server.address(), LIST).status, 200);
    assert_eq!(
        get(server.address(), "/example.com/big/@v/v1.0.0.zip").status,
        200
    );
    assert!(!server.log().contains("/@v/"), "{}", server.log());
}
