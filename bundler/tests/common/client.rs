//! The real go command, with nothing but a folder for a module proxy, and random numbers to make modules from.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A small generator of the same numbers everywhere.
pub struct Random(pub u64);

impl Random {
    pub fn below(&mut self, n: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % n
    }

    pub fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }
}

/// A go command with nothing cached.
pub struct Client<'g> {
    pub go: &'g Path,
    pub dir: PathBuf,
    pub goproxy: String,
}

impl Client<'_> {
    pub fn run(&self, args: &[&str]) -> Output {
        Command::new(self.go)
            .args(args)
            .current_dir(&self.dir)
            .env_clear()
            .env("HOME", &self.dir)
            .env("PATH", self.go.parent().unwrap())
            .env("GOPATH", self.dir.join("../gopath"))
            .env("GOMODCACHE", self.modcache())
            .env(
                "GOCACHE",
                std::env::temp_dir().join("modferry-test-gocache"),
            )
            .env("GOFLAGS", "-modcacherw")
            .env("GOTOOLCHAIN", "local")
            .env("GOPROXY", format!("{},off", self.goproxy))
            .env("GOSUMDB", "off")
            .env("CGO_ENABLED", "0")
            .output()
            .unwrap()
    }

    pub fn modcache(&self) -> PathBuf {
        self.dir.with_extension("modcache")
    }

    /// The zips that were downloaded, as the module cache names them.
    pub fn zips(&self) -> BTreeSet<String> {
        let root = self.modcache().join("cache/download");
        let mut found = BTreeSet::new();
        let mut folders = vec![root.clone()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).into_iter().flatten() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else if path.extension().is_some_and(|kind| kind == "zip") {
                    let name = path.with_extension("");
                    let name = name.strip_prefix(&root).unwrap().to_str().unwrap();
                    found.insert(name.replace("/@v/", "@"));
                }
            }
        }
        found
    }
}
