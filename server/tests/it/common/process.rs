//! The built server as a process.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use super::client::Client;

/// How long a test waits for something that is bound to happen.
const PATIENCE: Duration = Duration::from_secs(30);

/// A running server, killed when dropped.
pub struct Process {
    child: Child,
    url: String,
    log: PathBuf,
}

impl Process {
    /// Starts the server on a free port and waits for the line that says which.
    #[track_caller]
    pub fn start(store: &Path, flags: &[&str]) -> Process {
        Process::start_with(store, flags, &[])
    }

    /// The same, with more in its environment.
    #[track_caller]
    pub fn start_with(store: &Path, flags: &[&str], env: &[(&str, &str)]) -> Process {
        let log = store.parent().unwrap().join("server.log");
        let mut child = command()
            .args(["--listen", "127.0.0.1:0", "--store"])
            .arg(store)
            .args(flags)
            .envs(env.iter().copied())
            .stdout(Stdio::piped())
            .stderr(std::fs::File::create(&log).unwrap())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let Some(url) = line.trim_end().strip_prefix("listening on ") else {
            let status = child.wait();
            let said = std::fs::read_to_string(&log).unwrap();
            panic!("the server said {line:?} on stdout and ended with {status:?}:\n{said}");
        };
        Process {
            child,
            url: url.into(),
            log,
        }
    }

    /// HOST:PORT.
    pub fn address(&self) -> &str {
        self.url.split_once("//").unwrap().1
    }

    /// A new connection.
    pub fn connect(&self) -> Client {
        Client::connect(self.address())
    }

    /// What the server has logged so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }

    /// How many of the database's files this keeps open although they are removed.
    pub fn removed_files(&self) -> usize {
        let open = std::fs::read_dir(format!("/proc/{}/fd", self.child.id())).unwrap();
        open.filter_map(|file| std::fs::read_link(file.ok()?.path()).ok())
            .filter(|file| file.to_string_lossy().ends_with(".sst (deleted)"))
            .count()
    }

    /// Sends a signal, by its name without SIG.
    pub fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        let status = Command::new("kill")
            .args(["-s", name, &pid])
            .status()
            .unwrap();
        assert!(status.success());
    }

    /// Waits for the process to end by itself.
    #[track_caller]
    pub fn wait(&mut self) -> ExitStatus {
        let mut ended = None;
        eventually("the server to end", || {
            ended = self.child.try_wait().unwrap();
            ended.is_some()
        });
        ended.unwrap()
    }

    /// Whether the process has ended.
    pub fn ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("the server's log:\n{}", self.log());
        }
    }
}

/// Runs the server with flags that it cannot serve with: its exit code, stdout and stderr.
#[track_caller]
pub fn refused(flags: &[&str]) -> (Option<i32>, String, String) {
    let mut child = command()
        .args(flags)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let deadline = Instant::now() + PATIENCE;
    while child.try_wait().unwrap().is_none() && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(5));
    }
    // One that runs on is ended, and has then no exit code.
    let _ = child.kill();
    let status = child.wait().unwrap();
    let (mut out, mut err) = (String::new(), String::new());
    child
        .stdout
        .take()
        .unwrap()
        .read_to_string(&mut out)
        .unwrap();
    child
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut err)
        .unwrap();
    (status.code(), out, err)
}

/// Polls until `done`, and fails when that takes too long.
#[track_caller]
pub fn eventually(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !done() {
        assert!(Instant::now() < deadline, "waited too long for {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The server with nothing of the caller's environment in it.
fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_modferry-server"));
    command
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("TMPDIR", std::env::temp_dir());
    command
}
