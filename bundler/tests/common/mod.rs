//! A connected side in a temporary folder: modules and their checksum database as files, served by
//! `file://` or over loopback, and the built command run with a clean environment.
#![allow(dead_code, clippy::unwrap_used)]

pub mod client;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use modferry_checker::testing::{TestModule, TestSumdb};
use modferry_protocol::module::ModuleVersion;
use modferry_protocol::sumdb::{Height, Tile};

pub const DB: &str = "sum.example.org";

/// A connected side.
pub struct World {
    pub dir: tempfile::TempDir,
    pub sumdb: TestSumdb,
    modules: Vec<ModuleVersion>,
}

impl World {
    pub fn new() -> World {
        let world = World {
            dir: tempfile::tempdir().unwrap(),
            sumdb: TestSumdb::new(DB),
            modules: Vec::new(),
        };
        world.run(&["keygen", "site"]).ok();
        world
    }

    /// `path@version -> requirement…`, one a line; `go1.17` before the arrow makes it pruned. Every module
    /// has one package, named by its path's last element.
    pub fn of(graph: &str) -> World {
        let mut world = World::new();
        for line in graph.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let (head, requires) = line.split_once("->").unwrap();
            let mut head = head.split_whitespace();
            let name = head.next().unwrap();
            let go = head.next().map(|go| go.trim_start_matches("go"));
            world.add(&module(
                name,
                go,
                &requires.split_whitespace().collect::<Vec<_>>(),
            ));
        }
        world.publish();
        world
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn text(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    /// Puts a module upstream and its record into the database.
    pub fn add(&mut self, module: &TestModule) {
        self.sumdb.add(module);
        self.modules.push(module.module.clone());
        self.serve(module);
    }

    /// Puts a module upstream, whatever the database says of it.
    pub fn serve(&self, module: &TestModule) {
        for (kind, bytes) in [
            ("info", &module.info),
            ("mod", &module.go_mod),
            ("zip", &module.zip),
        ] {
            write(&self.file(&module.module, kind), bytes);
        }
    }

    /// A module's file upstream.
    pub fn file(&self, module: &ModuleVersion, kind: &str) -> PathBuf {
        let folder = self.path("up").join(module.path().escaped()).join("@v");
        folder.join(format!("{}.{kind}", module.version().escaped()))
    }

    /// Writes the checksum database as it is now: lookups, every tile, the newest head.
    pub fn publish(&self) {
        let (db, folder) = (&self.sumdb, self.path("up/sumdb").join(DB));
        let head = db.signed(&db.head());
        write(&folder.join("supported"), b"");
        write(&folder.join("latest"), &head);
        for module in &self.modules {
            let Some(record) = db.record(module) else {
                continue;
            };
            let (path, version) = (module.path().escaped(), module.version().escaped());
            let answer = [record.encode(), head.clone()].concat();
            write(&folder.join(format!("lookup/{path}@{version}")), &answer);
        }
        for level in 0.. {
            let mut index = 0;
            while let Some(tile) = Tile::in_tree(Height::GO, level, index, db.size()) {
                write(&folder.join(tile.path()), &db.tile(&tile));
                index += 1;
            }
            if index == 0 {
                break;
            }
        }
    }

    pub fn goproxy(&self) -> String {
        format!("file://{}", self.text("up"))
    }

    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_modferry-bundler"));
        command
            .args(args)
            .current_dir(self.dir.path())
            .env_clear()
            .env("HOME", self.dir.path())
            .env("GOPROXY", self.goproxy())
            .env("GOSUMDB", self.sumdb.key().verifier().to_string())
            .stdin(Stdio::null());
        command
    }

    pub fn run(&self, args: &[&str]) -> Done {
        Done::of(&mut self.command(args))
    }

    /// `export ARGS…` with the site's key, into `out`.
    pub fn export(&self, args: &[&str]) -> Done {
        self.export_into("out", args)
    }

    /// The same into another folder.
    pub fn export_into(&self, out: &str, args: &[&str]) -> Done {
        self.run(&[&["export", "--key", "site.key", "--out", out], args].concat())
    }

    /// Every file in `out`, hidden ones too.
    pub fn out(&self) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(self.path("out"))
            .map(|dir| {
                dir.map(|e| e.unwrap().file_name().into_string().unwrap())
                    .collect()
            })
            .unwrap_or_default();
        names.sort();
        names
    }

    /// `inspect --list` without the sizes.
    pub fn items(&self, bundle: &str) -> Vec<String> {
        let done = self.run(&["inspect", bundle, "--list"]).ok();
        done.stdout
            .lines()
            .filter(|line| !line.starts_with(' ') && !line.contains("NOT CHECKED"))
            .map(|line| line.rsplit_once(' ').unwrap().0.to_owned())
            .collect()
    }

    /// The names of one kind of item.
    pub fn carried(&self, bundle: &str, kind: &str) -> String {
        let names: Vec<String> = self
            .items(bundle)
            .iter()
            .filter_map(|item| item.strip_prefix(&format!("{kind} ")).map(str::to_owned))
            .collect();
        names.join(" ")
    }
}

/// A finished command.
#[derive(Debug)]
pub struct Done {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Done {
    pub fn of(command: &mut Command) -> Done {
        command.output().unwrap().into()
    }

    #[track_caller]
    pub fn ok(self) -> Done {
        self.exits(0)
    }

    #[track_caller]
    pub fn exits(self, code: i32) -> Done {
        assert_eq!(
            self.code,
            Some(code),
            "stdout:\n{}\nstderr:\n{}",
            self.stdout,
            self.stderr
        );
        self
    }

    #[track_caller]
    pub fn tells(self, words: &str) -> Done {
        assert!(
            self.stdout.contains(words),
            "stdout without {words:?}:\n{}",
            self.stdout
        );
        self
    }

    #[track_caller]
    pub fn says(self, words: &str) -> Done {
        assert!(
            self.stderr.contains(words),
            "stderr without {words:?}:\n{}",
            self.stderr
        );
        self
    }
}

impl From<Output> for Done {
    fn from(output: Output) -> Done {
        Done {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

/// A module with these requirements and one small package.
pub fn module(name: &str, go: Option<&str>, requires: &[&str]) -> TestModule {
    let (path, _) = name.split_once('@').unwrap();
    let mut go_mod = format!("module {path}\n");
    if let Some(go) = go {
        go_mod += &format!("\ngo {go}\n");
    }
    for require in requires {
        let (path, version) = require.split_once('@').unwrap();
        go_mod += &format!("\nrequire {path} {version}\n");
    }
    let package = path.rsplit('/').find(|element| !is_major(element)).unwrap();
    let package: String = package
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .collect();
    TestModule::new(
        name,
        &[
            ("go.mod", &go_mod),
            ("a.go", &format!("package {}\n", package.to_lowercase())),
        ],
    )
}

fn is_major(element: &str) -> bool {
    element
        .strip_prefix('v')
        .is_some_and(|n| n.parse::<u32>().is_ok())
}

pub fn version(name: &str) -> ModuleVersion {
    name.parse().unwrap()
}

pub fn write(path: &Path, bytes: &[u8]) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

/// A child that is killed when the test is done with it.
pub struct Killed(pub Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The go command, if this machine has one.
pub fn go() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|dir| dir.join("go"))
        .find(|go| go.is_file())
}
