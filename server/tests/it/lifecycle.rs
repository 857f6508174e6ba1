//! Starting, catching up and stopping.

use std::net::TcpListener;
use std::os::unix::net::UnixDatagram;
use std::time::{Duration, Instant};

use crate::common::*;

#[test]
fn a_store_that_is_none_is_a_clear_error() {
    let fixture = Fixture::empty();
    let absent = fixture.path().join("absent");
    let (code, out, err) = refused(&["--store", absent.to_str().unwrap()]);
    assert_eq!((code, &*out), (Some(2), ""));
    assert!(
        err.starts_with("modferry-server: there is no store at "),
        "{err}"
    );
    assert!(
        err.contains("absent") && err.contains("to do: give the store's folder with --store"),
        "{err}"
    );

    let other = fixture.path().join("other");
    std::fs::create_dir(&other).unwrap();
    std::fs::write(other.join("photo.jpg"), "").unwrap();
    let (code, _, err) = refused(&["--store", other.to_str().unwrap()]);
    assert_eq!(code, Some(2));
    assert!(
        err.contains("is not a store") && err.contains("to do: "),
        "{err}"
    );

    let file = other.join("photo.jpg");
    let (code, _, err) = refused(&["--json", "--store", file.to_str().unwrap()]);
    assert_eq!(code, Some(2));
    assert!(err.starts_with("{\"error\":{\"exit\":2,"), "{err}");
}

#[test]
fn a_damaged_store_is_a_clear_error() {
    let fixture = Fixture::filled();
    std::fs::write(fixture.store().join("db/CURRENT"), "nonsense\n").unwrap();
    let (code, _, err) = refused(&["--store", fixture.store().to_str().unwrap()]);
    assert_eq!(code, Some(1));
    assert!(
        err.starts_with("modferry-server: cannot open the store "),
        "{err}"
    );
    assert!(!err.contains("panicked"), "{err}");
}

#[test]
fn a_port_in_use_is_a_clear_error() {
    let fixture = Fixture::filled();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let store = fixture.store();
    let (code, out, err) = refused(&["--store", store.to_str().unwrap(), "--listen", &address]);
    assert_eq!((code, &*out), (Some(1), ""));
    assert!(
        err.contains(&format!("cannot listen on {address}")),
        "{err}"
    );
    assert!(
        err.contains("in use") && err.contains("to do: another program listens there"),
        "{err}"
    );
}

#[test]
fn wrong_flags_and_files_are_usage_errors() {
    let fixture = Fixture::filled();
    let config = fixture.path().join("server.yaml");
    std::fs::write(&config, "listen: ['127.0.0.1:0']\nstor: /x\n").unwrap();
    let (code, _, err) = refused(&["--config", config.to_str().unwrap()]);
    assert_eq!(code, Some(2));
    assert!(
        err.contains("server.yaml:2:1: unknown field `stor`"),
        "{err}"
    );
    let store = fixture.store();
    let store = store.to_str().unwrap();
    let absent = fixture.path().join("absent.pem");
    let absent = absent.to_str().unwrap();
    for flags in [
        &["--no-such-flag"][..],
        &["--store", store, "--tls-cert", absent],
        &["--store", store, "--tls-cert", absent, "--tls-key", absent],
        &["--store", store, "--workers", "0"],
    ] {
        assert_eq!(refused(flags).0, Some(2), "{flags:?}");
    }
}

#[test]
fn addresses_are_told_as_json_too() {
    let fixture = Fixture::filled();
    let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_modferry-server"))
        .args([
            "--json",
            "--listen=127.0.0.1:0",
            "--listen=127.0.0.1:0",
            "--store",
        ])
        .arg(fixture.store())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let mut out = std::io::BufReader::new(child.stdout.take().unwrap());
    std::io::BufRead::read_line(&mut out, &mut line).unwrap();
    let told: serde_json::Value = serde_json::from_str(&line).unwrap();
    let urls = told["listening"].as_array().unwrap();
    assert_eq!(urls.len(), 2);
    for url in urls {
        let address = url.as_str().unwrap().strip_prefix("http://").unwrap();
        assert_eq!(get(address, "/healthz").status, 200);
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_fresh_store_is_not_ready_until_its_first_import() {
    let fixture = Fixture::empty();
    std::fs::create_dir_all(fixture.store().join("trust/bundle")).unwrap();
    let server = Process::start(&fixture.store(), &[]);
    let path = "/example.com/x/@v/v1.0.0.mod";
    assert_eq!(get(server.address(), "/healthz").status, 200);
    for path in ["/readyz", path, "/sumdb/sum.golang.org/latest"] {
        let response = get(server.address(), path);
        assert_eq!(response.status, 503, "{path}");
        assert!(
            response
                .text()
                .starts_with("not ready: nothing has been imported into "),
            "{path}"
        );
        assert!(response.header("retry-after").is_some(), "{path}");
    }
    assert_eq!(get(server.address(), "/example.com/A/@v/list").status, 400);
    fixture.import_module(1, "example.com/x@v1.0.0");
    eventually("the first import", || {
        get(server.address(), "/readyz").status == 200
    });
    assert_eq!(get(server.address(), path).status, 200);
    assert!(
        get(server.address(), "/readyz")
            .text()
            .starts_with("ready: imports 1,")
    );
}

#[test]
fn a_new_import_is_visible_within_two_seconds() {
    let fixture = Fixture::filled();
    let server = Process::start(&fixture.store(), &[]);
    let mut client = server.connect();
    for n in 2..5 {
        let path = format!("/example.com/new/@v/v1.{n}.0.info");
        assert_eq!(client.ask("GET", &path, &[]).status, 404);
        fixture.import_module(n, &format!("example.com/new@v1.{n}.0"));
        let imported = Instant::now();
        eventually("the import", || client.ask("GET", &path, &[]).status == 200);
        let took = imported.elapsed();
        assert!(took < Duration::from_secs(2), "visible after {took:?}");
        // What a worker has answered lately is not what it answers now; each connection has one worker.
        for client in [&mut client, &mut server.connect(), &mut server.connect()] {
            for _ in 0..2 {
                let list = client.ask("GET", "/example.com/new/@v/list", &[]);
                assert_eq!(
                    list.text().lines().count(),
                    usize::from(n) - 1,
                    "{}",
                    list.text()
                );
            }
        }
    }
}

#[test]
fn sighup_shows_an_import_at_once() {
    let fixture = Fixture::filled();
    let server = Process::start(&fixture.store(), &[]);
    let mut client = server.connect();
    let mut spans = Vec::new();
    for n in 2..8 {
        let path = format!("/example.com/new/@v/v1.{n}.0.info");
        fixture.import_module(n, &format!("example.com/new@v1.{n}.0"));
        let imported = Instant::now();
        server.signal("HUP");
        eventually("the import", || client.ask("GET", &path, &[]).status == 200);
        spans.push(imported.elapsed());
    }
    // By the second hand alone, half a second would be the average.
    let total: Duration = spans.iter().sum();
    assert!(total < Duration::from_millis(1500), "{spans:?}");
}

#[test]
fn sigterm_finishes_the_zips_under_way() {
    for signal in ["TERM", "INT"] {
        let fixture = Fixture::filled();
        let mut server = Process::start(&fixture.store(), &[]);
        let whole = &*BIG;
        let mut idle = server.connect();
        assert_eq!(idle.ask("GET", "/healthz", &[]).status, 200);
        let mut client = server.connect();
        client.send("GET /example.com/big/@v/v1.0.0.zip HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_eq!(client.receive_head().status, 200);
        let mut body = client.receive_bytes(1 << 20);
        server.signal(signal);
        // It has heard: an idle connection is closed, and no new one is accepted.
        assert!(idle.is_closed());
        eventually("the listener to close", || {
            std::net::TcpStream::connect(server.address()).is_err()
        });
        assert!(!server.ended());
        body.extend(client.receive_bytes(whole.len() - body.len()));
        assert!(body == *whole);
        assert!(client.is_closed());
        assert_eq!(server.wait().code(), Some(0), "{signal}");
    }
}

#[test]
fn a_client_that_never_finishes_delays_the_end_only_so_long() {
    let fixture = Fixture::filled();
    let mut server = Process::start(&fixture.store(), &["--shutdown-timeout", "1"]);
    let mut client = server.connect();
    client.send("GET /example.com/big/@v/v1.0.0.zip HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(client.receive_head().status, 200);
    server.signal("TERM");
    let told = Instant::now();
    assert_eq!(server.wait().code(), Some(0));
    assert!(
        told.elapsed() < Duration::from_secs(10),
        "{:?}",
        told.elapsed()
    );
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let fixture = Fixture::filled();
    let mut server = Process::start(&fixture.store(), &["--shutdown-timeout", "600"]);
    let mut client = server.connect();
    client.send("GET /example.com/big/@v/v1.0.0.zip HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(client.receive_head().status, 200);
    server.signal("TERM");
    eventually("the first signal to be heard", || {
        server.log().contains("stopping: ")
    });
    server.signal("TERM");
    assert_eq!(server.wait().code(), Some(0));
}

#[test]
fn the_service_manager_is_told() {
    let fixture = Fixture::filled();
    let path = fixture.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket
        .set_read_timeout(Some(Duration::from_secs(30)))
        .unwrap();
    let heard = || {
        let mut buffer = [0; 512];
        let length = socket.recv(&mut buffer).unwrap();
        String::from_utf8_lossy(&buffer[..length]).into_owned()
    };
    let mut server = Process::start_with(
        &fixture.store(),
        &[],
        &[
            ("NOTIFY_SOCKET", path.to_str().unwrap()),
            ("WATCHDOG_USEC", "2000000"),
        ],
    );
    assert_eq!(heard(), "READY=1");
    // The watchdog is fed for as long as the store is followed: more often than twice.
    for _ in 0..3 {
        assert_eq!(heard(), "WATCHDOG=1");
    }
    server.signal("TERM");
    eventually("the last word", || heard() == "STOPPING=1");
    assert_eq!(server.wait().code(), Some(0));
}

#[test]
fn the_reading_side_writes_nothing_into_the_store() {
    let fixture = Fixture::filled();
    let list = || {
        let mut files: Vec<_> = std::fs::read_dir(fixture.store().join("db"))
            .unwrap()
            .map(|entry| {
                let entry = entry.unwrap();
                (entry.file_name(), entry.metadata().unwrap().len())
            })
            .collect();
        files.sort();
        files
    };
    let before = list();
    let secondary = fixture.path().join("own");
    let mut server = Process::start(
        &fixture.store(),
        &["--secondary", secondary.to_str().unwrap()],
    );
    assert_eq!(get(server.address(), "/example.com/a/@v/list").status, 200);
    server.signal("TERM");
    assert_eq!(server.wait().code(), Some(0));
    assert_eq!(list(), before);
    assert!(secondary.is_dir());
}

#[test]
fn a_fork_that_no_one_has_acknowledged_is_told_and_changes_nothing_else() {
    let fixture = Fixture::filled();
    let server = Process::start(&fixture.store(), &[]);
    let ready = || get(server.address(), "/readyz");
    assert!(!ready().text().contains("FORK"), "{}", ready().text());
    let fork = fixture
        .store()
        .join("evidence/sum.golang.org-10-20-0123456789abcdef");
    std::fs::create_dir_all(&fork).unwrap();
    eventually("the fork to be told", || {
        ready().text().contains("not acknowledged: 1 ")
    });
    assert_eq!(ready().status, 200);
    assert!(ready().text().starts_with("ready: imports 1,"));
    let served = get(server.address(), "/example.com/a/@v/v1.0.0.mod");
    assert_eq!(served.status, 200);
    std::fs::write(fork.join("acknowledged"), "{}").unwrap();
    eventually("the acknowledgement to be seen", || {
        !ready().text().contains("FORK")
    });
    std::fs::remove_dir_all(fixture.store().join("evidence")).unwrap();
    std::fs::write(fixture.store().join("evidence"), "no folder").unwrap();
    eventually("the trouble to be told", || {
        ready().text().contains("evidence folder cannot be read")
    });
    assert_eq!(ready().status, 200);
}
