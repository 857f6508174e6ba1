//! What is laid on an upstream and what is not, by the exit code and the words of the built command.
#![allow(clippy::unwrap_used)]

mod common;

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};

use common::{Done, World, version};

/// Serves a folder's files; HEAD is answered with this status. Returns the URL.
fn serve(folder: PathBuf, head: u16) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let folder = folder.clone();
            std::thread::spawn(move || answer(stream.unwrap(), &folder, head));
        }
    });
    url
}

/// One request a connection.
fn answer(mut stream: TcpStream, folder: &Path, head: u16) {
    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
    let Some(Ok(first)) = lines.next() else {
        return;
    };
    let mut words = first.split(' ');
    let (method, path) = (words.next().unwrap(), words.next().unwrap());
    while lines.next().is_some_and(|line| !line.unwrap().is_empty()) {}
    let (status, body) = match (method, fs::read(folder.join(&path[1..]))) {
        ("HEAD", _) => (head, Vec::new()),
        (_, Ok(body)) => (200, body),
        _ => (404, Vec::new()),
    };
    let length = body.len();
    let text =
        format!("HTTP/1.1 {status} X\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n");
    let _ = stream.write_all(&[text.as_bytes(), &body].concat());
}

const GRAPH: &str = "
    m.test/a@v1.0.0 -> m.test/b@v1.0.0
    m.test/b@v1.0.0 ->
";

#[test]
fn what_cannot_be_kept_in_the_cache_stops_the_run_although_it_may_keep_going() {
    let world = World::of(GRAPH);
    let b = version("m.test/b@v1.0.0");
    let folder = world
        .path(".cache/modferry/download")
        .join(b.path().escaped())
        .join("@v");
    // A folder where the file has to go: nobody can write it, not even root.
    fs::create_dir_all(folder.join("v1.0.0.info/x")).unwrap();
    world
        .export(&["m.test/a@v1.0.0", "--keep-going"])
        .exits(1)
        .says("cannot use the cache for m.test/b@v1.0.0");
    assert_eq!(world.out(), [""; 0]);
}

#[test]
fn a_plan_does_not_need_head() {
    let world = World::of(GRAPH);
    for (head, code) in [(405, 0), (501, 0), (403, 0), (400, 0), (404, 9), (410, 9)] {
        let mut command = world.command(&["plan", "m.test/a@v1.0.0"]);
        command.env("GOPROXY", serve(world.path("up"), head));
        let done = Done::of(&mut command).exits(code);
        if code == 0 {
            assert!(
                done.stdout.contains("2 zips whose size"),
                "{head}: {}",
                done.stdout
            );
        }
    }
}

#[test]
fn netrc_is_read_only_where_goauth_names_it() {
    let world = World::of(GRAPH);
    fs::create_dir(world.path(".netrc")).unwrap();
    for (goauth, code) in [("", 2), ("netrc", 2), ("off", 0), ("git /repo", 0)] {
        let mut command = world.command(&["plan", "m.test/a@v1.0.0"]);
        Done::of(command.env("GOAUTH", goauth)).exits(code);
    }
}
