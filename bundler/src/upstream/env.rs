//! What the go command is configured to use: GOPROXY, GOSUMDB, GOPRIVATE, GONOPROXY and GONOSUMDB.
//!
//! A variable of the environment counts first; what it leaves open is what `go env` says where a go
//! command is on PATH, so that settings of `go env -w` and a distribution's own defaults count too.
//! No upstream's name stands in this program's code.

use std::collections::HashMap;
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
    pub fn from_system() -> GoEnv {
        let environment = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        GoEnv::from_parts(environment, go_env)
    }

    fn from_parts(
        environment: impl Fn(&str) -> Option<String>,
        go: impl FnOnce() -> HashMap<String, String>,
    ) -> GoEnv {
        // Private patterns may be set with `go env -w` alone: not asking for them could leak a name.
        let said = if NAMES.iter().any(|name| environment(name).is_none()) {
            go()
        } else {
            HashMap::new()
        };
        let value = |name: &str| {
            environment(name).or_else(|| said.get(name).filter(|value| !value.is_empty()).cloned())
        };
        GoEnv {
            goproxy: value("GOPROXY"),
            gosumdb: value("GOSUMDB"),
            private: ["GOPRIVATE", "GONOPROXY", "GONOSUMDB"]
                .into_iter()
                .filter_map(|name| Some((name, value(name)?)))
                .collect(),
            goauth: value("GOAUTH"),
        }
    }
}

/// `go env -json NAMES`, or nothing where that cannot be had.
fn go_env() -> HashMap<String, String> {
    Command::new("go")
        .args(["env", "-json"])
        .args(NAMES)
        // A go.mod in the current folder could ask for another toolchain, which `go` would then fetch.
        .env("GOTOOLCHAIN", "local")
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()
        .filter(|output| output.status.success())
        .and_then(|output| serde_json::from_slice(&output.stdout).ok())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn go() -> HashMap<String, String> {
        [
            ("GOPROXY", "https://said.example,direct"),
            ("GOSUMDB", "sum.example"),
            ("GONOSUMDB", ""),
            ("GOPRIVATE", "corp.example"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into()
    }

    #[test]
    fn the_environment_counts_before_the_go_command() {
        let env = GoEnv::from_parts(
            |name| (name == "GOPROXY").then(|| "file:///x".to_owned()),
            go,
        );
        assert_eq!(env.goproxy.as_deref(), Some("file:///x"));
        assert_eq!(env.gosumdb.as_deref(), Some("sum.example"));
        assert_eq!(env.private, [("GOPRIVATE", "corp.example".to_owned())]);
    }

    #[test]
    fn private_patterns_of_the_go_command_count_although_the_upstreams_are_set() {
        let env = GoEnv::from_parts(
            |name| matches!(name, "GOPROXY" | "GOSUMDB").then(|| "set".to_owned()),
            go,
        );
        assert_eq!(env.private, [("GOPRIVATE", "corp.example".to_owned())]);
    }

    #[test]
    fn without_a_go_command_only_the_environment_counts() {
        let env = GoEnv::from_parts(|_| None, HashMap::new);
        assert_eq!(env, GoEnv::default());
    }

    #[test]
    fn a_whole_environment_asks_no_go_command() {
        let env = GoEnv::from_parts(
            |name| Some(format!("{name} value")),
            || panic!("the go command was asked"),
        );
        assert_eq!(env.private.len(), 3);
    }
}
