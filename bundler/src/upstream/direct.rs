//! Private modules straight from version control, by the go command: it knows every system and all their credentials.
//!
//! `go mod download` writes a module version into a module cache of this program's own, whose `cache/download` folder is
//! laid out as a proxy serves it: from there it is read like from any `file://` upstream. What the go command may ask is fixed
//! here and not taken from the environment: no proxy and no checksum database, so that the name reaches only the module's
//! own host. Credentials for git and its like are the operator's, in their home folder; what the go command says is told
//! without the passwords that a URL may have.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};

use modferry_protocol::request::Request;
use serde::Deserialize;

use super::goproxy::{GetError, Reason, Unavailable, read_file};
use super::http::Sink;

/// The most characters of what the go command says, for a message.
const MAX_SAID: usize = 500;

/// The go command, as a source of modules.
#[derive(Debug)]
pub struct Direct {
    /// The module cache.
    folder: PathBuf,
    netrc: Option<PathBuf>,
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
    /// Keeps what is fetched in that folder.
    pub(super) fn new(folder: &Path, netrc: Option<PathBuf>) -> Direct {
        Direct {
            folder: folder.into(),
            netrc,
            running: Mutex::new(()),
        }
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
                let listed = self.list(&["-versions", path.as_str()])?;
                let lines = listed.versions.into_iter().map(|version| version + "\n");
                lines.collect::<String>()
            }
            Request::Latest(path) => return self.query(path.as_str(), "latest", limit, sink),
            Request::Query { path, query } => {
                return self.query(path.as_str(), query.as_str(), limit, sink);
            }
            Request::Sumdb { .. } | Request::Files | Request::File(_) => {
                return Err(refused("version control has modules only".into()).into());
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
            refused(format!(
                "go list -m {path}@{query} names no version: {error}"
            ))
        })?;
        self.file(&Request::Info(module), limit, sink)
    }

    /// A file of the cache, which is made first where it is not there.
    fn file(&self, request: &Request, limit: u64, sink: &mut dyn Sink) -> Result<u64, GetError> {
        let (Request::Info(module) | Request::Mod(module) | Request::Zip(module)) = request else {
            return Err(refused("no file of a module version".into()).into());
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
            .map_err(|error| refused(format!("go list -m -json does not answer in JSON: {error}")))
    }

    fn go(&self, args: &[&str]) -> Result<Vec<u8>, Unavailable> {
        let _one = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        let failed = |error: io::Error| refused(format!("go {} cannot be run: {error}", args[0]));
        // In a folder of its own, where no go.mod is above it.
        let work = self.folder.join("work");
        std::fs::create_dir_all(&work).map_err(failed)?;
        std::fs::write(work.join("go.mod"), "module modferry.invalid/work\n").map_err(failed)?;
        let mut command = Command::new("go");
        command
            .args(args)
            .current_dir(&work)
            .env_clear()
            // What version control finds its credentials by, and its programs.
            .envs(std::env::vars_os().filter(|(name, _)| is_kept(&name.to_string_lossy())))
            .env("GOMODCACHE", &self.folder)
            .env("GOFLAGS", "-modcacherw")
            .env("GOENV", "off")
            .env("GOWORK", "off")
            .env("GOTOOLCHAIN", "local")
            .env("GO111MODULE", "on")
            .env("GOPROXY", "direct")
            .env("GONOPROXY", "none")
            .env("GOPRIVATE", "")
            .env("GOSUMDB", "off")
            .env("GIT_TERMINAL_PROMPT", "0")
            .stdin(Stdio::null());
        if let Some(netrc) = &self.netrc {
            command.env("NETRC", netrc);
        }
        let output = command.output().map_err(failed)?;
        match output.status.success() {
            true => Ok(output.stdout),
            false => Err(refused(format!("go {}: {}", args.join(" "), said(&output)))),
        }
    }
}

/// Variables that the go command gets from this program's environment.
fn is_kept(name: &str) -> bool {
    const KEPT: [&str; 12] = [
        "PATH",
        "HOME",
        "USER",
        "LOGNAME",
        "TMPDIR",
        "LANG",
        "GOROOT",
        "GOCACHE",
        "GOVCS",
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
fn said(output: &std::process::Output) -> String {
    #[derive(Deserialize)]
    struct Failed {
        #[serde(rename = "Error")]
        error: String,
    }
    let text = match serde_json::from_slice::<Failed>(&output.stdout) {
        Ok(failed) => failed.error,
        Err(_) => String::from_utf8_lossy(&output.stderr).into_owned(),
    };
    let one_line: Vec<String> = text.split_whitespace().map(without_password).collect();
    one_line.join(" ").chars().take(MAX_SAID).collect()
}

/// A word without what stands before the @ of a URL.
fn without_password(word: &str) -> String {
    match word
        .split_once("://")
        .and_then(|(scheme, rest)| Some((scheme, rest.split_once('@')?)))
    {
        Some((scheme, (user, rest))) if !user.contains('/') => format!("{scheme}://{rest}"),
        _ => word.into(),
    }
}

fn refused(text: String) -> Unavailable {
    Unavailable {
        reason: Reason::Direct,
        text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_password_is_told() {
        for (word, told) in [
            ("https://ann:secret@git.test/a", "https://git.test/a"),
            ("'https://token@git.test/a':", "'https://git.test/a':"),
            ("https://git.test/a@v1.0.0", "https://git.test/a@v1.0.0"),
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
            "SSH_AUTH_SOCK",
            "GIT_SSH_COMMAND",
            "HTTPS_PROXY",
            "no_proxy",
        ] {
            assert!(is_kept(name), "{name}");
        }
    }
}
