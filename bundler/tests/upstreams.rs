//! What is laid on an upstream and what is not, by the exit code and the words of the built command.
#![allow(clippy::unwrap_used)]

mod common;

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};

use common::{Done, World, version};
use serde_json::Value;

/// Serves a folder's files, but answers with the status that `refuses` says of a method and a path. Returns the URL.
fn serve(
    folder: PathBuf,
    refuses: impl Fn(&str, &str) -> Option<u16> + Clone + Send + 'static,
) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (folder, refuses) = (folder.clone(), refuses.clone());
            std::thread::spawn(move || answer(stream.unwrap(), &folder, refuses));
        }
    });
    url
}

/// The same, and HEAD is answered with this status.
fn serve_but_head(folder: PathBuf, status: u16) -> String {
    serve(folder, move |method, _| {
        (method == "HEAD").then_some(status)
    })
}

/// The same, and this file cannot be had.
fn serve_but(folder: PathBuf, file: &'static str, status: u16) -> String {
    serve(folder, move |_, path| {
        path.ends_with(file).then_some(status)
    })
}

/// One request a connection.
fn answer(mut stream: TcpStream, folder: &Path, refuses: impl Fn(&str, &str) -> Option<u16>) {
    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
    let Some(Ok(first)) = lines.next() else {
        return;
    };
    let mut words = first.split(' ');
    let (method, path) = (words.next().unwrap(), words.next().unwrap());
    while lines.next().is_some_and(|line| !line.unwrap().is_empty()) {}
    let (status, mut body) = match (refuses(method, path), fs::read(folder.join(&path[1..]))) {
        (Some(status), _) => (status, b"because".to_vec()),
        (_, Ok(body)) => (200, body),
        _ => (404, Vec::new()),
    };
    let length = body.len();
    if method == "HEAD" {
        body.clear();
    }
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
    let planned = |head: u16| {
        let mut command = world.command(&["plan", "m.test/a@v1.0.0", "--json"]);
        command.env("GOPROXY", serve_but_head(world.path("up"), head));
        let done = Done::of(&mut command).ok();
        serde_json::from_str::<Value>(&done.stdout).unwrap()
    };
    for head in [405, 501, 400] {
        assert_eq!(planned(head)["unsized_zips"], 2, "{head}");
    }
    // That may be about HEAD, or about the zip: a GET tells.
    for head in [401, 403, 404, 410] {
        let plan = planned(head);
        assert_eq!(plan["unsized_zips"], 0, "{head}");
        assert!(plan["new_zip_bytes"].as_u64().unwrap() > 0, "{head}");
    }
}

#[test]
fn a_zip_that_upstream_does_not_give_is_missing_in_the_plan_as_in_the_export() {
    let world = World::of(GRAPH);
    for status in [401, 403, 404, 410] {
        let proxy = serve_but(world.path("up"), "m.test/b/@v/v1.0.0.zip", status);
        let run = |args: &[&str]| {
            let mut command = world.command(&[args, &["m.test/a@v1.0.0"]].concat());
            Done::of(command.env("GOPROXY", &proxy)).exits(9)
        };
        let line =
            format!("m.test/b/@v/v1.0.0.zip: {status} (because) (required by m.test/a@v1.0.0)");
        let planned = run(&["plan"]).says("1 thing cannot be had").says(&line);
        let kind = format!("({status})");
        assert!(planned.stdout.contains(&kind), "{}", planned.stdout);
        planned.tells("1  modules with zips, of 1 selected");
        let plan: Value = serde_json::from_str(&run(&["plan", "--json"]).stdout).unwrap();
        let missing = &plan["missing"][0];
        assert_eq!(
            (&missing["module"], &missing["part"], &missing["reason"]),
            (
                &"m.test/b@v1.0.0".into(),
                &"zip".into(),
                &status.to_string().into()
            )
        );
        assert_eq!(
            (&plan["new_modules"], &plan["unsized_zips"]),
            (&1.into(), &0.into())
        );
        let _ = fs::remove_dir_all(world.path(".cache"));
        run(&["export", "--key", "site.key", "--out", "out"]).says(&line);
        let _ = fs::remove_dir_all(world.path(".cache"));
    }
}

#[test]
fn what_cannot_be_had_is_not_counted_as_new_week_after_week() {
    let world = World::of(
        "m.test/a@v1.0.0 ->
         m.test/a@v1.1.0 -> m.test/b@v1.0.0
         m.test/b@v1.0.0 ->",
    );
    common::write(&world.path("up/m.test/a/@v/list"), b"v1.0.0\nv1.1.0\n");
    let proxy = serve_but(world.path("up"), "m.test/b/@v/v1.0.0.zip", 403);
    let run = |args: &[&str]| {
        let mut command =
            world.command(&[args, &["m.test/a@latest", "m.test/a@v1.0.0", "--json"]].concat());
        Done::of(command.env("GOPROXY", &proxy))
    };
    let json = |done: Done| serde_json::from_str::<Value>(&done.stdout).unwrap();
    // Asked for itself it has to be there; as the newest version of what is asked for it need not.
    run(&["plan"]).exits(9);
    let run = |args: &[&str]| {
        let follow = ["m.test/a@<v1.1.0", "--json"];
        let mut command = world.command(&[args, &follow].concat());
        Done::of(command.env("GOPROXY", &proxy)).ok()
    };
    let export = ["export", "--key", "site.key", "--out", "out"];
    let plan = json(run(&["plan"]));
    let exported = json(run(&export));
    assert_eq!(plan["nothing_new"], false);
    assert_eq!(
        (&plan["new_modules"], &exported["modules"]),
        (&2.into(), &2.into())
    );
    for _ in 0..2 {
        let plan = json(run(&["plan"]));
        assert_eq!(
            (&plan["nothing_new"], &plan["new_modules"]),
            (&true.into(), &0.into())
        );
        assert_eq!(
            (&plan["new_go_mods"], &plan["unsized_zips"]),
            (&0.into(), &0.into())
        );
        assert_eq!(json(run(&export))["nothing_new"], true);
    }
}

#[test]
fn an_answer_that_the_destination_was_not_told_is_new_in_the_plan_as_in_the_export() {
    const PSEUDO: &str = "v0.0.0-20260102030405-abcdefabcdef";
    let world = World::of(&format!("m.test/a@{PSEUDO} ->"));
    world.export(&[&format!("m.test/a@{PSEUDO}")]).ok();
    let info = fs::read(world.file(&version(&format!("m.test/a@{PSEUDO}")), "info")).unwrap();
    common::write(&world.path("up/m.test/a/@v/main.info"), &info);
    for nothing_new in [false, true] {
        let new = |args: &[&str]| {
            let done = world
                .run(&[args, &["m.test/a@main", "--json"]].concat())
                .ok();
            serde_json::from_str::<Value>(&done.stdout).unwrap()["nothing_new"].clone()
        };
        assert_eq!(new(&["plan"]), nothing_new);
        assert_eq!(
            new(&["export", "--key", "site.key", "--out", "out"]),
            nothing_new
        );
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
