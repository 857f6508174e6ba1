//! The real go command behind the gap: a fresh GOPATH and module cache, and no setting but those named here.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use crate::{
    run::{Finished, run, scrub},
    server::Server,
};

/// A go command with a GOPATH of its own, hence with its own stored tree heads, in a project folder.
pub struct Go {
    folder: PathBuf,
    goproxy: String,
    gosumdb: String,
    set: Vec<(String, String)>,
}

impl Go {
    /// A client with nothing in its caches. `gosumdb` is a verifier key: the test's own database.
    pub fn new(folder: &Path, goproxy: String, gosumdb: String) -> Self {
        std::fs::create_dir_all(folder.join("project")).unwrap();
        Self {
            folder: folder.to_path_buf(),
            goproxy,
            gosumdb,
            set: Vec::new(),
        }
    }

    /// The same client, caches and stored tree heads and all, moved behind the gap: it now asks `server` only.
    /// Its modules are forgotten, so that it has to ask.
    pub fn behind(self, server: &Server) -> Self {
        self.clean_modcache();
        Self {
            goproxy: format!("{},off", server.url()),
            ..self
        }
    }

    /// The same client with one more variable set.
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.set.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The project folder, in which commands run.
    pub fn project(&self) -> PathBuf {
        self.folder.join("project")
    }

    /// Writes a file of the project.
    pub fn file(&self, name: &str, data: &str) -> &Self {
        let path = self.project().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, data).unwrap();
        self
    }

    /// Reads a file of the project.
    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.project().join(name)).unwrap()
    }

    /// Forgets all modules but keeps the checksum database's stored head, as `go clean -modcache` does.
    pub fn clean_modcache(&self) {
        self.run(&["clean", "-modcache"]).ok();
    }

    /// `go ARGS…` in the project folder.
    #[track_caller]
    pub fn run(&self, args: &[&str]) -> Finished {
        let mut command = Command::new("go");
        scrub(&mut command, &self.folder);
        command
            .args(args)
            .env("GOPATH", self.folder.join("gopath"))
            // Shared by all scenarios: the standard library is compiled once, and no module is in it.
            .env("GOCACHE", shared_build_cache())
            .env("GOFLAGS", "-modcacherw") // so that the temporary folder can be removed
            .env("GOPROXY", &self.goproxy)
            .env("GOSUMDB", &self.gosumdb)
            .env("CGO_ENABLED", "0")
            .envs(self.set.iter().map(|(name, value)| (name, value)))
            .current_dir(self.project());
        run(&mut command)
    }
}

fn shared_build_cache() -> PathBuf {
    crate::run::bin_dir().join("go-build-cache")
}
