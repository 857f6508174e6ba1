//! What the go command is configured to use: GOPROXY, GOSUMDB, GOPRIVATE, GONOPROXY and GONOSUMDB.
//!
//! A variable of the environment counts first; what it leaves open is what `go env` says where a go
//! command is on PATH, so that settings of `go env -w` and a distribution's own defaults count too.
//! No upstream's name stands in this program's code.

use std::collections::HashMap;
use std::env::VarError;
use std::ffi::OsStr;
use std::io;
use std::process::{Command, Stdio};

/// The go command's settings that say where modules come from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GoEnv {
    /// GOPROXY's list; `None` where neither the environment nor a go command says.
    pub goproxy: Option<String>,
    /// GOSUMDB; `None` as above.
    pub gosumdb: Option<String>,
    /// Every pattern that keeps a module off the public proxy or checksum database: GOPRIVATE,
    /// GONOPROXY and GONOSUMDB, with the variable's name for the message.
    pub private: Vec<(&'static str, String)>,
    /// GOAUTH; the default is `netrc`.
    pub goauth: Option<String>,
}

/// Why it is not known what the go command is configured to use. Going on would be a guess, and could name a
/// private module to a public upstream.
#[derive(Debug, thiserror::Error)]
pub enum GoEnvError {
    /// A variable that is not UTF-8.
    #[error("{0} in the environment is not UTF-8")]
    NotText(&'static str),
    /// There is a go command, and it does not start.
    #[error("go env cannot be run")]
    Run(#[source] io::Error),
    /// It failed.
    #[error("go env failed ({status}){}", if said.is_empty() { String::new() } else { format!(": {said}") })]
    Failed {
        /// How it ended.
        status: std::process::ExitStatus,
        /// The first line of what it said.
        said: String,
    },
    /// Its answer cannot be read.
    #[error("go env -json does not answer with its settings in JSON")]
    Answer(#[source] serde_json::Error),
}

const NAMES: [&str; 6] = [
    "GOPROXY",
    "GOSUMDB",
    "GOPRIVATE",
    "GONOPROXY",
    "GONOSUMDB",
    "GOAUTH",
];

impl GoEnv {
    /// Reads the environment, and asks the go command for what is not in it.
    pub fn from_system() -> Result<GoEnv, GoEnvError> {
        let mut environment = HashMap::new();
        for name in NAMES {
            match std::env::var(name) {
                Ok(value) if value.is_empty() => {}
                Ok(value) => drop(environment.insert(name, value)),
                Err(VarError::NotPresent) => {}
                Err(VarError::NotUnicode(_)) => return Err(GoEnvError::NotText(name)),
            }
        }
        GoEnv::from_parts(
            |name| environment.get(name).cloned(),
            || go_env(OsStr::new("go")),
        )
    }

    fn from_parts(
        environment: impl Fn(&str) -> Option<String>,
        go: impl FnOnce() -> Result<HashMap<String, String>, GoEnvError>,
    ) -> Result<GoEnv, GoEnvError> {
        // Private patterns may be set with `go env -w` alone: not asking for them could leak a name.
        let said = if NAMES.iter().any(|name| environment(name).is_none()) {
            go()?
        } else {
            HashMap::new()
        };
        let value = |name: &str| {
            environment(name).or_else(|| said.get(name).filter(|value| !value.is_empty()).cloned())
        };
        Ok(GoEnv {
            goproxy: value("GOPROXY"),
            gosumdb: value("GOSUMDB"),
            private: ["GOPRIVATE", "GONOPROXY", "GONOSUMDB"]
                .into_iter()
                .filter_map(|name| Some((name, value(name)?)))
                .collect(),
            goauth: value("GOAUTH"),
        })
    }
}

/// `go env -json NAMES`, or nothing where there is no such program.
fn go_env(go: &OsStr) -> Result<HashMap<String, String>, GoEnvError> {
    let answer = Command::new(go)
        .args(["env", "-json"])
        .args(NAMES)
        // A go.mod in the current folder could ask for another toolchain, which `go` would then fetch.
        .env("GOTOOLCHAIN", "local")
        .stdin(Stdio::null())
        .output();
    let output = match answer {
        Ok(output) => output,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(HashMap::new()),
        Err(error) => return Err(GoEnvError::Run(error)),
    };
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let line = said.lines().next().unwrap_or_default();
        return Err(GoEnvError::Failed {
            status: output.status,
            said: line.chars().filter(|c| !c.is_control()).take(200).collect(),
        });
    }
    serde_json::from_slice(&output.stdout).map_err(GoEnvError::Answer)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn go() -> Result<HashMap<String, String>, GoEnvError> {
        Ok([
            ("GOPROXY", "https://said.example,direct"),
            ("GOSUMDB", "sum.example"),
            ("GONOSUMDB", ""),
            ("GOPRIVATE", "corp.example"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into())
    }

    #[test]
    fn the_environment_counts_before_the_go_command() {
        let env = GoEnv::from_parts(
            |name| (name == "GOPROXY").then(|| "file:///x".to_owned()),
            go,
        )
        .unwrap();
        assert_eq!(env.goproxy.as_deref(), Some("file:///x"));
        assert_eq!(env.gosumdb.as_deref(), Some("sum.example"));
        assert_eq!(env.private, [("GOPRIVATE", "corp.example".to_owned())]);
    }

    #[test]
    fn private_patterns_of_the_go_command_count_although_the_upstreams_are_set() {
        let env = GoEnv::from_parts(
            |name| matches!(name, "GOPROXY" | "GOSUMDB").then(|| "set".to_owned()),
            go,
        )
        .unwrap();
        assert_eq!(env.private, [("GOPRIVATE", "corp.example".to_owned())]);
    }

    #[test]
    fn without_a_go_command_only_the_environment_counts() {
        let env = GoEnv::from_parts(|_| None, || go_env(OsStr::new("/no/such/go"))).unwrap();
        assert_eq!(env, GoEnv::default());
    }

    #[test]
    fn a_whole_environment_asks_no_go_command() {
        let env = GoEnv::from_parts(
            |name| Some(format!("{name} value")),
            || panic!("the go command was asked"),
        )
        .unwrap();
        assert_eq!(env.private.len(), 3);
    }

    #[test]
    fn a_go_command_that_gives_no_answer_is_not_passed_over() {
        let dir = tempfile::tempdir().unwrap();
        let go = dir.path().join("go");
        let asked = |script: &str, mode: u32| {
            std::fs::write(&go, script).unwrap();
            std::fs::set_permissions(&go, PermissionsExt::from_mode(mode)).unwrap();
            GoEnv::from_parts(|_| None, || go_env(go.as_os_str()))
        };
        let good = "#!/bin/sh\necho '{\"GOPRIVATE\":\"corp.example\"}'\n";
        assert_eq!(
            asked(good, 0o755).unwrap().private,
            [("GOPRIVATE", "corp.example".to_owned())]
        );
        assert!(matches!(asked(good, 0o644), Err(GoEnvError::Run(_))));
        assert!(matches!(
            asked("#!/bin/sh\necho broken\n", 0o755),
            Err(GoEnvError::Answer(_))
        ));
        let failed = asked("#!/bin/sh\necho no home >&2\nexit 3\n", 0o755).unwrap_err();
        assert!(failed.to_string().ends_with("no home"), "{failed}");
    }
}
