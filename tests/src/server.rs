//! A running `modferry-server`: started on a free port, stopped when dropped.

use std::{
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
};

use crate::run::modferry;

/// A server process of the scenario.
pub struct Server {
    child: Child,
    url: String,
}

impl Server {
    /// Starts the built server over `store`, and waits for the line in which it says where it listens.
    #[track_caller]
    pub fn start(store: &Path, folder: &Path) -> Self {
        Self::start_with(store, folder, |_| {})
    }

    /// The same, with something changed in the command.
    #[track_caller]
    pub fn start_with(store: &Path, folder: &Path, change: impl FnOnce(&mut Command)) -> Self {
        let log = std::fs::File::create(folder.join("server.log")).unwrap();
        let mut command = modferry("modferry-server", folder);
        change(&mut command);
        let mut child = command
            .args(["--listen", "127.0.0.1:0", "--store"])
            .arg(store)
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let url = lines
            .by_ref()
            .map_while(Result::ok)
            .find_map(|line| line.find("http://").map(|at| line[at..].trim().to_owned()))
            .unwrap_or_else(|| {
                let log = std::fs::read_to_string(folder.join("server.log")).unwrap_or_default();
                panic!("the server ended before it listened:\n{log}")
            });
        Self { child, url }
    }

    /// `http://127.0.0.1:PORT`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// `127.0.0.1:PORT`.
    pub fn address(&self) -> &str {
        self.url.strip_prefix("http://").unwrap()
    }

    /// Waits for the process to end by itself, as after a signal.
    #[track_caller]
    pub fn wait(mut self) {
        let ended = self.child.wait().unwrap();
        assert!(ended.success(), "the server ended with {ended}");
    }

    /// The process id, for signals.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
