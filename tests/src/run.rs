//! Running a command to its end, with everything that a person needs to see when it went wrong.

use std::{
    env,
    ffi::OsStr,
    fmt,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

/// A finished command.
pub struct Finished {
    shown: String,
    folder: PathBuf,
    /// Its exit code; -1 when a signal ended it.
    pub code: i32,
    /// What it wrote to standard output.
    pub stdout: String,
    /// What it wrote to standard error.
    pub stderr: String,
}

impl Finished {
    /// Fails the test unless the exit code is `code`.
    #[track_caller]
    pub fn expect(self, code: i32) -> Self {
        assert!(self.code == code, "expected exit {code}\n{self}");
        self
    }

    /// Fails the test unless the command succeeded.
    #[track_caller]
    pub fn ok(self) -> Self {
        self.expect(0)
    }

    /// Fails the test unless standard output or standard error holds `text`.
    #[track_caller]
    pub fn says(self, text: &str) -> Self {
        assert!(
            self.stdout.contains(text) || self.stderr.contains(text),
            "expected it to say {text:?}\n{self}"
        );
        self
    }

    /// Fails the test if standard output or standard error holds `text`.
    #[track_caller]
    pub fn never_says(self, text: &str) -> Self {
        assert!(
            !self.stdout.contains(text) && !self.stderr.contains(text),
            "expected it never to say {text:?}\n{self}"
        );
        self
    }

    /// Standard output as JSON.
    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("stdout is no JSON: {error}\n{self}"))
    }
}

impl fmt::Display for Finished {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "command: {}", self.shown)?;
        writeln!(f, "folder:  {}", self.folder.display())?;
        for entry in std::fs::read_dir(&self.folder)
            .into_iter()
            .flatten()
            .flatten()
        {
            writeln!(f, "         {}", entry.file_name().to_string_lossy())?;
        }
        writeln!(f, "exit:    {}", self.code)?;
        writeln!(f, "stdout:\n{}", self.stdout)?;
        writeln!(f, "stderr:\n{}", self.stderr)
    }
}

/// Runs `command` to its end.
#[track_caller]
pub fn run(command: &mut Command) -> Finished {
    run_with_input(command, b"")
}

/// Runs `command` to its end with `input` on its standard input. A command that stops reading early is fine.
#[track_caller]
pub fn run_with_input(command: &mut Command, input: &[u8]) -> Finished {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{command:?} does not start: {error}"));
    let mut stdin = child.stdin.take().unwrap();
    let output = std::thread::scope(|scope| {
        scope.spawn(move || {
            let _ = stdin.write_all(input);
        });
        child.wait_with_output().unwrap()
    });
    finished(command, output)
}

/// Runs a command to its end with no input, and looks at nothing but its exit code: `None` when a signal ended it.
pub fn finished_quietly(command: &mut Command) -> Option<i32> {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .unwrap_or_else(|error| panic!("{command:?} does not start: {error}"))
        .code()
}

fn finished(command: &Command, output: Output) -> Finished {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    Finished {
        shown: words
            .map(OsStr::to_string_lossy)
            .collect::<Vec<_>>()
            .join(" "),
        folder: command
            .get_current_dir()
            .map_or_else(|| env::current_dir().unwrap(), Path::to_path_buf),
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// The folder of the built binaries: the profile's folder that this test binary was built into.
pub fn bin_dir() -> PathBuf {
    let test = env::current_exe().unwrap();
    let dir = test.ancestors().nth(2).unwrap(); // target/PROFILE/deps/TEST
    dir.to_path_buf()
}

/// The built binary `name`, to be run in a scrubbed environment: nothing of the caller's but PATH.
#[track_caller]
pub fn modferry(name: &str, folder: &Path) -> Command {
    let path = bin_dir().join(name);
    assert!(
        path.exists(),
        "{} is not built: run `make test`",
        path.display()
    );
    let mut command = Command::new(path);
    scrub(&mut command, folder);
    command
}

/// Leaves a command nothing of the caller's environment but PATH, and `folder` as HOME and temporary
/// folder: no GO* variable, netrc, proxy or configuration of the machine can help or hinder a scenario.
pub fn scrub(command: &mut Command, folder: &Path) {
    let home = folder.join("home");
    let temporary = folder.join("tmp");
    std::fs::create_dir_all(&home).unwrap();
    std::fs::create_dir_all(&temporary).unwrap();
    command
        .env_clear()
        .env("PATH", env::var_os("PATH").unwrap_or_default())
        .env("HOME", home)
        .env("TMPDIR", temporary)
        .env("GOENV", "off")
        .env("GOTOOLCHAIN", "local")
        .env("GOTELEMETRY", "off")
        .current_dir(folder);
}
