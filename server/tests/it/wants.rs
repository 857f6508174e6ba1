//! What is asked for and not here is kept: by the built server, over real sockets, in real files.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use modferry_appliance::wants::kept::{Kept, PRIVATE, PUBLIC};
use modferry_appliance::wants::{Missed, Part};

use crate::common::*;

/// A server that keeps its misses in that folder, and writes them each second.
fn keeping(fixture: &Fixture, folder: &Path, more: &[&str]) -> Process {
    let mut flags = vec!["--wants", folder.to_str().unwrap(), "--wants-every=1"];
    flags.extend(more);
    Process::start(&fixture.store(), &flags)
}

fn folder(fixture: &Fixture) -> PathBuf {
    fixture.path().join("wants")
}

fn kept(folder: &Path, name: &str) -> Kept {
    Kept::read(&folder.join(name)).unwrap().unwrap_or_default()
}

fn names(folder: &Path, name: &str) -> Vec<String> {
    let wants = kept(folder, name).wants;
    wants.iter().map(|missed| missed.want.to_string()).collect()
}

fn missed(folder: &Path, want: &str) -> Missed {
    let wants = kept(folder, PUBLIC).wants;
    let found = wants
        .into_iter()
        .find(|missed| missed.want.to_string() == want);
    found.unwrap_or_else(|| panic!("{want} is not in {:?}", names(folder, PUBLIC)))
}

/// Stops a server and waits for its end.
fn stop(mut server: Process) {
    server.signal("TERM");
    assert!(server.wait().success());
}

#[test]
fn misses_are_kept_with_their_counts_over_a_restart() {
    let fixture = Fixture::filled();
    let folder = folder(&fixture);
    let server = keeping(&fixture, &folder, &[]);
    // Each from an address of its own: one that asks again within a second counts once.
    let mut last = 1;
    let mut get = |server: &Process, path: &str| {
        last += 1;
        connect_from(Ipv4Addr::new(127, 0, 0, last), server).ask("GET", path, &[])
    };
    let text = get(&server, "/example.com/none/@v/v1.0.0.info");
    assert_eq!(text.status, 404);
    assert_eq!(
        text.text(),
        "not carried: example.com/none@v1.0.0 (noted as wanted; ask this mirror's operators to carry it in)\n"
    );
    for path in [
        "/example.com/none/@v/v1.0.0.info",
        "/sumdb/sum.golang.org/lookup/example.com/none@v1.0.0",
        "/example.com/none/@v/list",
        "/example.com/none/@latest",
        "/example.com/a/@v/v1.9.0.mod",
        "/example.com/a/@v/v1.9.0.zip",
        "/example.com/a/@v/dev.info",
        "/example.com/only/@v/v1.0.0.zip",
        "/github.com/!burnt!sushi/none/@v/list",
    ] {
        let answer = get(&server, path);
        assert_eq!(answer.status, 404, "{path}");
        assert!(answer.text().contains("(noted as wanted; "), "{path}");
    }
    // What is here, what is no name, and what nobody could carry in by its name.
    for path in [
        "/example.com/a/@v/v1.0.0.info",
        "/example.com/a/@v/list",
        "/sumdb/sum.golang.org/tile/8/0/x999/999",
        "/sumdb/other.example/latest",
        "/example.com/A/@v/list",
        "/github.com/owner/@v/list",
        "/nothing",
    ] {
        assert!(!get(&server, path).text().contains("noted"), "{path}");
    }
    let head = server
        .connect()
        .ask("HEAD", "/example.com/head/@v/list", &[]);
    assert_eq!(head.status, 404);
    stop(server);

    assert_eq!(
        names(&folder, PUBLIC),
        [
            "example.com/a@dev",
            "example.com/a@v1.9.0",
            "example.com/none@latest",
            "example.com/none@v1.0.0",
            "example.com/only@v1.0.0",
            "github.com/BurntSushi/none@latest",
        ]
    );
    let none = missed(&folder, "example.com/none@v1.0.0");
    assert_eq!(none.asked, 3, "a lookup behind a miss is the same want");
    assert!(none.parts.has(Part::Info) && none.parts.has(Part::Record));
    assert_eq!(missed(&folder, "example.com/none@latest").asked, 2);
    assert!(missed(&folder, "example.com/a@v1.9.0").parts.has(Part::Zip));

    let server = keeping(&fixture, &folder, &[]);
    get(&server, "/example.com/none/@v/v1.0.0.info");
    stop(server);
    let again = missed(&folder, "example.com/none@v1.0.0");
    assert_eq!((again.asked, again.first), (4, none.first));
    assert!(again.last >= none.last);
}

#[test]
fn what_is_missed_last_is_written_at_the_end() {
    let fixture = Fixture::filled();
    let folder = folder(&fixture);
    let flags = ["--wants", folder.to_str().unwrap(), "--wants-every=3600"];
    let server = Process::start(&fixture.store(), &flags);
    // The next time to write is in an hour.
    eventually("the first writing", || folder.join(PRIVATE).exists());
    get(server.address(), "/example.com/none/@v/list");
    stop(server);
    assert_eq!(names(&folder, PUBLIC), ["example.com/none@latest"]);
}

#[test]
fn a_kill_loses_no_more_than_what_was_not_written_yet() {
    let fixture = Fixture::filled();
    let folder = folder(&fixture);
    let mut server = keeping(&fixture, &folder, &[]);
    for round in 1..=3 {
        let path = format!("/example.com/none{round}/@v/list");
        assert_eq!(get(server.address(), &path).status, 404);
        let want = format!("example.com/none{round}@latest");
        eventually("the file to have it", || {
            names(&folder, PUBLIC).contains(&want)
        });
        // Under load, so that a kill comes in the midst of things.
        let mut client = server.connect();
        for n in 0..200 {
            client.ask("GET", &format!("/example.com/load{n}/@v/list"), &[]);
        }
        server.signal("KILL");
        server.wait();
        for name in [PUBLIC, PRIVATE] {
            assert!(Kept::read(&folder.join(name)).unwrap().is_some(), "{name}");
        }
        server = keeping(&fixture, &folder, &[]);
        assert!(!server.log().contains("lost"), "{}", server.log());
    }
    stop(server);
    let names = names(&folder, PUBLIC);
    for round in 1..=3 {
        assert!(
            names.contains(&format!("example.com/none{round}@latest")),
            "{names:?}"
        );
    }
    let files = std::fs::read_dir(&folder).unwrap().count();
    assert!(
        files <= 5,
        "two files, two beside them at most, a lock: {files}"
    );
}

#[test]
fn without_a_place_misses_are_not_kept_and_that_is_said_once() {
    let fixture = Fixture::filled();
    let unkept = |server: &Process| {
        let answer = get(server.address(), "/example.com/none/@v/list");
        assert_eq!(answer.status, 404);
        assert!(!answer.text().contains("noted"), "{}", answer.text());
        server.log().matches("is not kept").count()
    };
    let server = Process::start(&fixture.store(), &[]);
    assert_eq!(unkept(&server), 1);
    drop(server);
    let below_a_file = fixture.path().join("file/wants");
    std::fs::write(fixture.path().join("file"), "").unwrap();
    let server = keeping(&fixture, &below_a_file, &[]);
    assert_eq!(unkept(&server), 1);
    assert!(
        server.log().contains("cannot make the folder"),
        "{}",
        server.log()
    );
    drop(server);
    let server = keeping(&fixture, &folder(&fixture), &["--wants-most=0"]);
    assert_eq!(unkept(&server), 0);
    assert!(!folder(&fixture).exists());
}

#[test]
fn two_servers_do_not_write_over_each_other() {
    let fixture = Fixture::filled();
    let folder = folder(&fixture);
    let first = keeping(&fixture, &folder, &[]);
    let other = tempfile::tempdir().unwrap();
    let store = fixture.store();
    let link = other.path().join("store");
    std::os::unix::fs::symlink(&store, &link).unwrap();
    let second = Process::start(&link, &["--wants", folder.to_str().unwrap()]);
    assert!(
        second.log().contains("another server keeps its wants in"),
        "{}",
        second.log()
    );
    assert!(
        !get(second.address(), "/example.com/second/@v/list")
            .text()
            .contains("noted")
    );
    assert!(
        get(first.address(), "/example.com/first/@v/list")
            .text()
            .contains("noted")
    );
    stop(second);
    stop(first);
    assert_eq!(names(&folder, PUBLIC), ["example.com/first@latest"]);
}

#[test]
fn the_service_managers_folder_is_the_default_and_its_group_reads_it() {
    let fixture = Fixture::filled();
    let state = fixture.path().join("state");
    std::fs::create_dir(&state).unwrap();
    let env = [("STATE_DIRECTORY", state.to_str().unwrap())];
    let server = Process::start_with(&fixture.store(), &[], &env);
    get(server.address(), "/example.com/none/@v/list");
    stop(server);
    let folder = state.join("wants");
    assert_eq!(names(&folder, PUBLIC), ["example.com/none@latest"]);
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&folder), 0o750);
    assert_eq!(
        (mode(&folder.join(PUBLIC)), mode(&folder.join(PRIVATE))),
        (0o640, 0o640)
    );
}

#[test]
fn a_damaged_file_is_set_aside_and_told() {
    let fixture = Fixture::filled();
    let folder = folder(&fixture);
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join(PUBLIC), "{\"format\":1,\"writ").unwrap();
    std::fs::write(folder.join(PRIVATE), "{\"format\":2}").unwrap();
    let server = keeping(&fixture, &folder, &["--private=example.com/secret"]);
    assert_eq!(
        server.log().matches("set aside").count(),
        2,
        "{}",
        server.log()
    );
    get(server.address(), "/example.com/none/@v/list");
    get(server.address(), "/example.com/secret/@v/list");
    stop(server);
    assert_eq!(names(&folder, PUBLIC), ["example.com/none@latest"]);
    assert_eq!(names(&folder, PRIVATE), ["example.com/secret@latest"]);
    let aside = std::fs::read_to_string(folder.join("wants.json.damaged")).unwrap();
    assert_eq!(aside, "{\"format\":1,\"writ");
}

#[test]
fn private_names_are_kept_apart() {
    let fixture = Fixture::filled();
    let folder = folder(&fixture);
    let server = keeping(
        &fixture,
        &folder,
        &["--private=*.corp.example,example.com/ours"],
    );
    for module in [
        "git.corp.example/x",
        "example.com/ours/y",
        "example.com/theirs",
    ] {
        get(server.address(), &format!("/{module}/@v/v1.0.0.mod"));
    }
    stop(server);
    assert_eq!(names(&folder, PUBLIC), ["example.com/theirs@v1.0.0"]);
    let private = ["example.com/ours/y@v1.0.0", "git.corp.example/x@v1.0.0"];
    assert_eq!(names(&folder, PRIVATE), private);
    let public = std::fs::read_to_string(folder.join(PUBLIC)).unwrap();
    assert!(
        !public.contains("ours") && !public.contains("corp"),
        "{public}"
    );

    // A pattern that comes later counts for what was kept before it, as soon as the server runs.
    let server = keeping(&fixture, &folder, &["--private=example.com"]);
    eventually("the files to be sorted anew", || {
        names(&folder, PRIVATE) == ["example.com/ours/y@v1.0.0", "example.com/theirs@v1.0.0"]
    });
    stop(server);
    assert_eq!(names(&folder, PUBLIC), ["git.corp.example/x@v1.0.0"]);
}

#[test]
fn a_lookup_of_a_private_name_is_refused_and_nobodys_want() {
    let fixture = Fixture::filled();
    let folder = folder(&fixture);
    let server = keeping(
        &fixture,
        &folder,
        &["--private=*.corp.example,example.com/ours"],
    );
    for (module, status) in [
        ("git.corp.example/x", 403),
        ("example.com/ours/y", 403),
        ("example.com/theirs", 404),
    ] {
        let path = format!("/sumdb/sum.golang.org/lookup/{module}@v1.0.0");
        let answer = get(server.address(), &path);
        assert_eq!(answer.status, status, "{module}");
        let told = answer
            .text()
            .contains(&format!("set GONOSUMDB={module} here"));
        assert_eq!(told, status == 403, "{}", answer.text());
    }
    stop(server);
    assert_eq!(names(&folder, PUBLIC), ["example.com/theirs@v1.0.0"]);
    assert!(names(&folder, PRIVATE).is_empty());
}

#[test]
fn a_full_table_keeps_what_is_asked_for_again() {
    let fixture = Fixture::filled();
    let folder = folder(&fixture);
    let server = keeping(&fixture, &folder, &["--wants-most=10"]);
    // Among equals its name would go first.
    for last in 10..13 {
        let mut client = connect_from(Ipv4Addr::new(127, 0, 0, last), &server);
        client.ask("GET", "/example.com/again/@v/v1.0.0.info", &[]);
    }
    for last in 100..150 {
        let mut client = connect_from(Ipv4Addr::new(127, 0, 0, last), &server);
        for n in 0..2 {
            client.ask(
                "GET",
                &format!("/example.com/invented{last}-{n}/@v/list"),
                &[],
            );
        }
    }
    stop(server);
    let names = names(&folder, PUBLIC);
    assert_eq!(names.len(), 10);
    assert!(
        names.contains(&"example.com/again@v1.0.0".into()),
        "{names:?}"
    );
    assert_eq!(kept(&folder, PUBLIC).left_out, 91);
}

/// A connection from an address of this machine's own.
fn connect_from(source: Ipv4Addr, server: &Process) -> Client {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()
        .unwrap();
    let to = server.address().parse().unwrap();
    let stream = runtime.block_on(async {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind(SocketAddr::new(IpAddr::V4(source), 0)).unwrap();
        socket.connect(to).await.unwrap().into_std().unwrap()
    });
    stream.set_nonblocking(false).unwrap();
    Client::over(stream)
}

#[test]
fn whoever_invents_names_takes_the_room_of_one_address() {
    let fixture = Fixture::filled();
    let folder = folder(&fixture);
    let server = keeping(&fixture, &folder, &["--wants-new-per-address=20"]);
    let mut inventor = connect_from(Ipv4Addr::new(127, 0, 0, 9), &server);
    for n in 0..500 {
        let path = format!("/example.com/invented{n}/@v/list");
        let answer = inventor.ask("GET", &path, &[]);
        assert_eq!(answer.text().contains("(noted as wanted; "), n < 20, "{n}");
    }
    for last in 10..40 {
        let mut client = connect_from(Ipv4Addr::new(127, 0, 0, last), &server);
        client.ask(
            "GET",
            &format!("/example.com/needed{last}/@v/v1.0.0.info"),
            &[],
        );
    }
    // It is told what was not noted, and what somebody else has brought in is.
    let mut ask = |name: &str| {
        let path = format!("/example.com/{name}/@v/v1.0.0.info");
        inventor.ask("GET", &path, &[]).text().to_owned()
    };
    assert_eq!(
        ask("more"),
        "not carried: example.com/more@v1.0.0 (not noted as wanted: this address has asked for too many new names \
         within an hour; ask this mirror's operators to carry it in)\n"
    );
    assert!(ask("needed10").contains("(noted as wanted; "));
    eventually("the limit to be told", || {
        server.log().contains("what is missed is not noted")
    });
    let log = server.log();
    assert!(log.contains("wants: new-per-address"), "{log}");
    assert_eq!(
        log.matches("what is missed is not noted").count(),
        1,
        "{log}"
    );
    stop(server);
    let names = names(&folder, PUBLIC);
    let count = |prefix: &str| names.iter().filter(|name| name.contains(prefix)).count();
    assert_eq!((count("invented"), count("needed")), (20, 30), "{names:?}");
    assert!(kept(&folder, PUBLIC).left_out >= 480);
}

#[test]
fn a_folder_that_goes_away_stops_nothing() {
    let fixture = Fixture::filled();
    let folder = folder(&fixture);
    let server = keeping(&fixture, &folder, &[]);
    eventually("the first writing", || folder.join(PRIVATE).exists());
    std::fs::remove_dir_all(&folder).unwrap();
    get(server.address(), "/example.com/none/@v/list");
    eventually("the trouble to be told", || {
        server.log().contains("cannot write what is missed")
    });
    assert_eq!(
        get(server.address(), "/example.com/a/@v/v1.0.0.info").status,
        200
    );
    std::fs::create_dir(&folder).unwrap();
    eventually("it to be written again", || {
        names(&folder, PUBLIC) == ["example.com/none@latest"]
    });
    stop(server);
}
