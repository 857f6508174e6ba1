//! Who may write a bundle's files, and what a run that ends at the wrong moment leaves to the next.
#![allow(clippy::unwrap_used)]

mod common;

use std::fs;
use std::io::Read;
use std::net::{TcpListener, TcpStream};
use std::process::Stdio;

use common::{Done, Killed, World, write};

const GRAPH: &str = "
    m.test/a@v1.0.0 -> m.test/b@v1.0.0
    m.test/b@v1.0.0 ->
";
const VOLUME: &str = "out/default.000001.v001.tar";
const SIDECAR: &str = "out/default.000001.manifest";
const STATE: &str = ".local/state/modferry/default/bundles";

/// An export that has begun and waits for its upstream until the connection is dropped.
fn waiting(world: &World, listener: &TcpListener) -> (Killed, TcpStream) {
    let mut command = world.command(&[
        "export",
        "m.test/b@v1.0.0",
        "--key",
        "site.key",
        "--out",
        "out",
    ]);
    let address = listener.local_addr().unwrap();
    command
        .env("GOPROXY", format!("http://{address}|{}", world.goproxy()))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let running = Killed(command.spawn().unwrap());
    let (mut asked, _) = listener.accept().unwrap();
    asked.read_exact(&mut [0; 4]).unwrap();
    (running, asked)
}

fn end(mut running: Killed) -> Done {
    let mut stderr = String::new();
    let mut pipe = running.0.stderr.take().unwrap();
    pipe.read_to_string(&mut stderr).unwrap();
    Done {
        code: running.0.wait().unwrap().code(),
        stdout: String::new(),
        stderr,
    }
}

#[test]
fn of_two_exports_to_one_name_the_second_is_refused() {
    let world = World::of(GRAPH);
    for only_the_manifest in [false, true] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (running, asked) = waiting(&world, &listener);
        if only_the_manifest {
            write(&world.path(SIDECAR), b"another's");
        } else {
            world.export(&["m.test/a@v1.0.0", "--state", "other"]).ok();
        }
        let before = (fs::read(world.path(VOLUME)).ok(), world.out());
        drop((asked, listener));
        end(running).exits(2).says("is there already");
        assert_eq!(before, (fs::read(world.path(VOLUME)).ok(), world.out()));
        for file in [VOLUME, SIDECAR] {
            let _ = fs::remove_file(world.path(file));
        }
    }
    world.export(&["m.test/a@v1.0.0"]).ok();
}

#[test]
fn what_was_written_but_not_remembered_is_finished() {
    let world = World::of(GRAPH);
    let remembered = world.path(STATE).join("default.000001.manifest");
    let pending = remembered.with_extension("pending");
    world.export(&["m.test/a@v1.0.0"]).ok();
    assert!(remembered.exists() && !pending.exists());
    let (volume, note) = (
        fs::read(world.path(VOLUME)).unwrap(),
        fs::read(world.path(SIDECAR)).unwrap(),
    );
    let interrupt = || {
        fs::rename(&remembered, &pending).unwrap();
        let out = world.path("out").canonicalize().unwrap();
        let folder = remembered.with_extension("folder");
        fs::write(folder, out.to_str().unwrap()).unwrap();
    };
    // Killed after the second name was given, and after the first.
    for files in [&[][..], &[SIDECAR]] {
        interrupt();
        for file in files {
            fs::remove_file(world.path(file)).unwrap();
        }
        let done = world.export(&["m.test/b@v1.0.0", "--basis", "none"]).ok();
        assert!(
            done.stdout.contains("a run that was interrupted"),
            "{}",
            done.stdout
        );
        assert_eq!(fs::read(world.path(VOLUME)).unwrap(), volume);
        assert_eq!(fs::read(world.path(SIDECAR)).unwrap(), note);
        assert!(!pending.exists());
        assert_eq!(world.out().len(), 4, "{:?}", world.out());
        world.run(&["verify", "out", "--pub", "site.pub"]).ok();
        for name in ["default.000002.manifest", "default.000002.v001.tar"] {
            fs::remove_file(world.path("out").join(name)).unwrap();
        }
        fs::remove_file(world.path(STATE).join("default.000002.manifest")).unwrap();
    }
    // Killed before any: the number is free.
    interrupt();
    for file in [VOLUME, SIDECAR] {
        fs::remove_file(world.path(file)).unwrap();
    }
    world.export(&["m.test/b@v1.0.0"]).ok();
    assert_eq!(world.out().len(), 2, "{:?}", world.out());
    // Another's bundle of that name is none of ours, whatever was about to be written.
    interrupt();
    fs::write(&pending, &note).unwrap();
    world
        .export(&["m.test/a@v1.0.0"])
        .exits(2)
        .says("is there already");
}
