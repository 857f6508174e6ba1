//! Private modules straight from version control, by the go command: it knows every system and all their credentials.
//!
//! `go mod download` writes a module version into a module cache of this program's own, whose `cache/download` folder is
//! laid out as a proxy serves it: from there it is read like from any `file://` upstream. What the go command may ask is fixed
//! here and not taken from the environment: no proxy and no checksum database, so that the name reaches only the module's
//! own host. The modules are private to it, too: else its GOVCS would allow git and hg only. Credentials for git and its like
//! are the operator's, in their home folder; what the go command says is told without the passwords that a URL may have.
//!
//! A host that is down or a login that fails says nothing of what there is: only where the go command knows that a version
//! is not there it counts as absent. A run that takes longer than [`PATIENCE`] is ended.

use std::fs::File;
use std::io::{self, Read, Seek};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use modferry_protocol::request::Request;
use serde::Deserialize;

use super::goproxy::{GetError, Reason, Unavailable, read_file};
use super::http::Sink;
use super::url::without_user;

/// The most characters of what the go command says, for a message.
const MAX_SAID: usize = 500;
/// The longest that one run of the go command may take: it may have to clone a large repository.
const PATIENCE: Duration = Duration::from_secs(20 * 60);
/// The longest pause between two looks at whether it has ended.
const LONGEST_LOOK: Duration = Duration::from_millis(50);

/// The go command, as a source of modules.
#[derive(Debug)]
pub struct Direct {
    /// The module cache.
    folder: PathBuf,
    /// The modules that it is for, as GOPRIVATE has them.
    patterns: String,
    netrc: Option<PathBuf>,
    /// The go command.
    program: PathBuf,
    /// [`PATIENCE`].
    patience: Duration,
    /// One at a time: it clones whole repositories.
    running: Mutex<()>,
}

/// What `go list -m -json` says.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Listed {
    #[serde(default)]
    version: String,
    #[serde(default)]
    versions: Vec<String>,
}

impl Direct {
    /// For modules of these patterns. Keeps what is fetched in that folder.
    ///
    /// # Errors
    /// When a path is relative and there is no current folder.
    pub(super) fn new(
        folder: &Path,
        patterns: String,
        netrc: Option<PathBuf>,
    ) -> io::Result<Direct> {
        // The go command runs in another folder than this process.
        Ok(Direct {
            folder: std::path::absolute(folder)?,
            patterns,
            netrc: netrc.map(std::path::absolute).transpose()?,
            program: "go".into(),
            patience: PATIENCE,
            running: Mutex::new(()),
        })
    }

    pub(super) fn get_into(
        &self,
        request: &Request,
        limit: u64,
        sink: &mut dyn Sink,
    ) -> Result<u64, GetError> {
        let bytes = match request {
            Request::Info(_) | Request::Mod(_) | Request::Zip(_) => {
                return self.file(request, limit, sink);
            }
            Request::List(path) => {
                // As a proxy lists them: what is retracted is there all the same.
                let listed = self.list(&["-versions", "-retracted", path.as_str()])?;
                let lines = listed.versions.into_iter().map(|version| version + "\n");
                lines.collect::<String>()
            }
            Request::Latest(path) => return self.query(path.as_str(), "latest", limit, sink),
            Request::Query { path, query } => {
                return self.query(path.as_str(), query.as_str(), limit, sink);
            }
            Request::Sumdb { .. } | Request::Files | Request::File(_) | Request::Vulndb { .. } => {
                return Err(failed("version control has modules only".into()).into());
            }
        };
        sink.restart().map_err(GetError::Local)?;
        sink.take(bytes.as_bytes()).map_err(GetError::Local)?;
        Ok(bytes.len() as u64)
    }

    /// The `.info` of the version that the query comes to.
    fn query(
        &self,
        path: &str,
        query: &str,
        limit: u64,
        sink: &mut dyn Sink,
    ) -> Result<u64, GetError> {
        let listed = self.list(&[&format!("{path}@{query}")])?;
        let module = format!("{path}@{}", listed.version).parse();
        let module = module.map_err(|error: modferry_protocol::module::ModuleError| {
            failed(format!(
                "go list -m {path}@{query} names no version: {error}"
            ))
        })?;
        self.file(&Request::Info(module), limit, sink)
    }

    /// A file of the cache, which is made first where it is not there.
    fn file(&self, request: &Request, limit: u64, sink: &mut dyn Sink) -> Result<u64, GetError> {
        let (Request::Info(module) | Request::Mod(module) | Request::Zip(module)) = request else {
            return Err(failed("no file of a module version".into()).into());
        };
        let download = self.folder.join("cache").join("download");
        let file = download.join(request.url_path().trim_start_matches('/'));
        if !file.is_file() {
            self.go(&["mod", "download", "-json", &module.to_string()])?;
        }
        read_file(&file, limit, sink)
    }

    fn list(&self, what: &[&str]) -> Result<Listed, Unavailable> {
        let said = self.go(&[&["list", "-m", "-json", "-mod=mod"], what].concat())?;
        serde_json::from_slice(&said)
            .map_err(|error| failed(format!("go list -m -json does not answer in JSON: {error}")))
    }

    fn go(&self, args: &[&str]) -> Result<Vec<u8>, Unavailable> {
        let _one = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        let no_run = |error: io::Error| failed(format!("go {} cannot be run: {error}", args[0]));
        // In a folder of its own, where no go.mod is above it.
        let work = self.folder.join("work");
        std::fs::create_dir_all(&work).map_err(no_run)?;
        std::fs::write(work.join("go.mod"), "module modferry.invalid/work\n").map_err(no_run)?;
        // Files and no pipes: what it started may hold a pipe open after it was ended.
        let mut out = tempfile::tempfile_in(&work).map_err(no_run)?;
        let mut err = tempfile::tempfile_in(&work).map_err(no_run)?;
        let mut command = Command::new(&self.program);
        command
            .args(args)
            .current_dir(&work)
            .env_clear()
            // What version control finds its credentials by, and its programs.
            .envs(std::env::vars_os().filter(|(name, _)| is_kept(&name.to_string_lossy())))
            .envs(self.fixed())
            .stdin(Stdio::null())
            .stdout(out.try_clone().map_err(no_run)?)
            .stderr(err.try_clone().map_err(no_run)?);
        if let Some(netrc) = &self.netrc {
            command.env("NETRC", netrc);
        }
        let mut child = command.spawn().map_err(no_run)?;
        let ended = ended(&mut child, self.patience).map_err(no_run)?;
        let answer = written(&mut out).map_err(no_run)?;
        let run = format!("go {}", args.join(" "));
        match ended {
            Some(status) if status.success() => Ok(answer),
            Some(_) => {
                let said = said(&answer, &written(&mut err).map_err(no_run)?);
                Err(refusal(format!("{run}: {said}")))
            }
            None => Err(failed(format!(
                "{run} was ended after {} seconds: its host may not answer",
                self.patience.as_secs()
            ))),
        }
    }

    /// What is fixed here of the go command's environment.
    fn fixed(&self) -> [(&'static str, &std::ffi::OsStr); 12] {
        [
            ("GOMODCACHE", self.folder.as_os_str()),
            ("GOPRIVATE", self.patterns.as_ref()),
            ("GOFLAGS", "-modcacherw".as_ref()),
            ("GOENV", "off".as_ref()),
            ("GOWORK", "off".as_ref()),
            ("GOTOOLCHAIN", "local".as_ref()),
            ("GO111MODULE", "on".as_ref()),
            ("GOPROXY", "direct".as_ref()),
            ("GONOPROXY", "none".as_ref()),
            ("GOSUMDB", "off".as_ref()),
            ("GIT_TERMINAL_PROMPT", "0".as_ref()),
            // What git says is read here, too.
            ("LC_MESSAGES", "C".as_ref()),
        ]
    }
}

/// How the child ended; `None`: it had not within that time, and was ended.
fn ended(child: &mut Child, patience: Duration) -> io::Result<Option<ExitStatus>> {
    let began = Instant::now();
    let mut pause = Duration::from_millis(1);
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if began.elapsed() >= patience {
            child.kill()?;
            child.wait()?;
            return Ok(None);
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(LONGEST_LOOK);
    }
}

/// All that somebody wrote to the file.
fn written(file: &mut File) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.rewind()?;
    file.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Variables that the go command gets from this program's environment.
fn is_kept(name: &str) -> bool {
    const KEPT: [&str; 13] = [
        "PATH",
        "HOME",
        "USER",
        "LOGNAME",
        "TMPDIR",
        "LANG",
        "GOROOT",
        "GOCACHE",
        "GOVCS",
        "GOAUTH",
        "GOINSECURE",
        "SSL_CERT_FILE",
        "SSL_CERT_DIR",
    ];
    KEPT.contains(&name)
        || ["GIT_", "SSH_", "XDG_"]
            .iter()
            .any(|prefix| name.starts_with(prefix))
        || ["http_proxy", "https_proxy", "no_proxy"].contains(&name.to_ascii_lowercase().as_str())
}

/// What went wrong, as the go command words it: `go mod download -json` says it in its answer.
fn said(answer: &[u8], stderr: &[u8]) -> String {
    #[derive(Deserialize)]
    struct Failed {
        #[serde(rename = "Error")]
        error: String,
    }
    let text = match serde_json::from_slice::<Failed>(answer) {
        Ok(failed) => failed.error,
        Err(_) => String::from_utf8_lossy(stderr).into_owned(),
    };
    let one_line: Vec<String> = text.split_whitespace().map(without_password).collect();
    one_line.join(" ")
}

/// A word without the user and password of a URL in it.
fn without_password(word: &str) -> String {
    // Quotes and brackets may stand before the URL; `path@version` is none.
    match word.split_once("://") {
        Some((before, _)) => {
            let scheme = before.rfind(|c: char| !c.is_ascii_alphanumeric() && !"+-.".contains(c));
            let (quote, url) = word.split_at(scheme.map_or(0, |at| at + 1));
            format!("{quote}{}", without_user(url))
        }
        None => word.into(),
    }
}

/// What the go command's words come to. It has no exit code or field for what is not there, so its own words have to do
/// (modfetch/codehost, modload/query.go and internal/web say them), and git's of an HTTP 404.
fn refusal(text: String) -> Unavailable {
    let is_absent = text.contains(": unknown revision ")
        || text.contains(": no matching versions for query ")
        || text.contains("reading https://") && text.contains(": 404 Not Found")
        || text.contains("reading https://") && text.contains(": 410 Gone")
        || text.contains("fatal: repository '") && text.contains("' not found");
    let reason = match is_absent {
        true => Reason::Status(404),
        false => Reason::VersionControl,
    };
    let text = text.chars().take(MAX_SAID).collect();
    Unavailable { reason, text }
}

fn failed(text: String) -> Unavailable {
    Unavailable {
        reason: Reason::VersionControl,
        text,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// Version control by a program that does this instead of the go command.
    fn doing(script: &str) -> (tempfile::TempDir, Direct) {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("go");
        // Written by a child: no file that is open for writing here can be run, and another thread may start a program now.
        let wrote = Command::new("sh")
            .args([
                "-c",
                "printf '#!/bin/sh\\n%s\\n' \"$1\" >\"$2\" && chmod 755 \"$2\"",
                "sh",
                script,
            ])
            .arg(&program)
            .status();
        assert!(wrote.unwrap().success());
        let direct = Direct {
            program,
            ..Direct::new(folder.path(), "git.test,*.corp.test".into(), None).unwrap()
        };
        (folder, direct)
    }

    fn asked(direct: &Direct, request: &Request) -> Result<String, Unavailable> {
        let mut body = Vec::new();
        let got = direct.get_into(request, 1000, &mut body);
        got.map_err(GetError::refused)?;
        Ok(String::from_utf8(body).unwrap())
    }

    #[test]
    fn what_it_keeps_does_not_depend_on_where_it_runs() {
        let relative = Path::new("cache/direct");
        let netrc = Some(PathBuf::from("netrc"));
        let direct = Direct::new(relative, "git.test".into(), netrc).unwrap();
        assert!(direct.folder.is_absolute() && direct.folder.ends_with(relative));
        assert!(direct.netrc.unwrap().is_absolute());
    }

    #[test]
    fn only_what_go_knows_not_to_be_there_is_absent() {
        let list = Request::List("git.test/a".parse().unwrap());
        for (words, reason) in [
            (
                "go: git.test/a@x: invalid version: unknown revision x",
                Reason::Status(404),
            ),
            (
                "go: module git.test/a: no matching versions for query \"v1.9\"",
                Reason::Status(404),
            ),
            (
                "go: git.test/a: reading https://git.test/a?go-get=1: 404 Not Found",
                Reason::Status(404),
            ),
            (
                "go: git.test/a: git ls-remote: exit status 128: fatal: repository 'https://git.test/a/' not found",
                Reason::Status(404),
            ),
            (
                "go: git.test/a: reading https://git.test/a?go-get=1: 502 Bad Gateway",
                Reason::VersionControl,
            ),
            (
                "fatal: could not read Username for 'https://git.test': terminal prompts disabled",
                Reason::VersionControl,
            ),
            (
                "go: no secure protocol found for repository",
                Reason::VersionControl,
            ),
            (
                "dial tcp: lookup git.test: no such host",
                Reason::VersionControl,
            ),
            ("sh: git: not found", Reason::VersionControl),
        ] {
            let (_folder, direct) = doing(&format!("cat >&2 <<'END'\n{words}\nEND\nexit 1"));
            let refused = asked(&direct, &list).unwrap_err();
            assert_eq!(refused.reason, reason, "{words}");
            assert!(refused.text.contains(words), "{}", refused.text);
        }
        let (folder, direct) = doing("");
        std::fs::remove_file(folder.path().join("go")).unwrap();
        let refused = asked(&direct, &list).unwrap_err();
        assert_eq!(refused.reason, Reason::VersionControl);
    }

    #[test]
    fn a_run_that_does_not_end_is_ended() {
        let list = Request::List("git.test/a".parse().unwrap());
        let (folder, mut direct) = doing("echo $$ > ../ran; exec sleep 600");
        direct.patience = Duration::from_secs(1);
        let refused = asked(&direct, &list).unwrap_err();
        assert_eq!(refused.reason, Reason::VersionControl);
        assert!(
            refused.text.contains("was ended after 1 seconds"),
            "{refused}"
        );
        let ran = std::fs::read_to_string(folder.path().join("ran")).unwrap();
        assert!(!Path::new("/proc").join(ran.trim()).exists());
        // One that ends in time is waited for.
        let (_folder, mut direct) = doing("sleep 0.2; echo '{\"Versions\":[\"v1.0.0\"]}'");
        direct.patience = Duration::from_secs(60);
        assert_eq!(asked(&direct, &list).unwrap(), "v1.0.0\n");
    }

    #[test]
    fn the_go_command_lists_what_is_retracted_and_takes_the_modules_as_private() {
        let list = Request::List("git.test/a".parse().unwrap());
        let (_folder, direct) = doing("echo \"$GOPRIVATE $GONOPROXY $GOPROXY\" >&2; exit 1");
        let refused = asked(&direct, &list).unwrap_err();
        let said = "go list -m -json -mod=mod -versions -retracted git.test/a: \
                    git.test,*.corp.test none direct";
        assert_eq!(refused.text, said);
    }

    #[test]
    fn no_password_is_told() {
        for (word, told) in [
            ("https://ann:secret@git.test/a", "https://git.test/a"),
            ("'https://token@git.test/a':", "'https://git.test/a':"),
            ("https://ann:p@ss/w@rd@git.test/a", "https://git.test/a"),
            ("(git+ssh://ann:p/w@git.test/a)", "(git+ssh://git.test/a)"),
            ("https://git.test/a:", "https://git.test/a:"),
            ("git.test/a@v1.0.0:", "git.test/a@v1.0.0:"),
        ] {
            assert_eq!(without_password(word), told);
        }
    }

    #[test]
    fn what_the_go_command_may_ask_is_not_taken_from_the_environment() {
        for name in [
            "GOPROXY",
            "GONOPROXY",
            "GOPRIVATE",
            "GOSUMDB",
            "GONOSUMDB",
            "GOFLAGS",
            "GOENV",
        ] {
            assert!(!is_kept(name), "{name}");
        }
        for name in [
            "PATH",
            "HOME",
            "GOAUTH",
            "SSH_AUTH_SOCK",
            "GIT_SSH_COMMAND",
            "HTTPS_PROXY",
            "no_proxy",
        ] {
            assert!(is_kept(name), "{name}");
        }
    }
}
