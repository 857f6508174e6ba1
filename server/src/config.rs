//! What the operator sets: a YAML file, and flags that override it key by key.

use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;
use modferry_cli::{ConfigError, Exit, Fault, load_config};
use serde::Deserialize;

/// Where the server listens if no one says otherwise: only this machine reaches it there.
pub const DEFAULT_LISTEN: &str = "127.0.0.1:8080";

/// How long zips under way may take to finish at shutdown, if no one says otherwise, in seconds.
pub const DEFAULT_SHUTDOWN_TIMEOUT: u64 = 30;

/// What a 404 ends with if no one says otherwise.
pub const DEFAULT_HOW_TO_ASK: &str = "ask this mirror's operators to carry it in";

/// The most that `how-to-ask` may have, in bytes.
pub const MAX_HOW_TO_ASK: usize = 300;

/// The most worker threads.
pub const MAX_WORKERS: usize = 512;

/// Answers the go command from a store: the GOPROXY protocol and the checksum database, offline.
///
/// Point the go command at it with GOPROXY=http://ADDR,off and leave GOSUMDB as it is.
#[derive(Debug, Parser)]
#[command(name = "modferry-server", version)]
pub struct Args {
    /// A YAML file with these settings; flags override it
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The store's folder [default: /var/lib/modferry]
    #[arg(long, value_name = "DIR")]
    pub store: Option<PathBuf>,
    /// Where to listen; may be repeated; port 0 takes a free one [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDR")]
    pub listen: Vec<String>,
    /// Serve HTTPS with this certificate chain (PEM)
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,
    /// The certificate's private key (PEM)
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,
    /// Worker threads [default: one a core]
    #[arg(long, value_name = "N")]
    pub workers: Option<usize>,
    /// Log each request [default: true]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    pub access_log: Option<bool>,
    /// A folder for the reading side's own log [default: under the service's runtime or cache folder, else a
    /// temporary one]
    #[arg(long, value_name = "DIR")]
    pub secondary: Option<PathBuf>,
    /// How long downloads under way may take to finish at shutdown [default: 30]
    #[arg(long, value_name = "SECONDS")]
    pub shutdown_timeout: Option<u64>,
    /// What an answer about a module that is not here ends with
    #[arg(long, value_name = "TEXT")]
    pub how_to_ask: Option<String>,
    /// Tell addresses, logs and failures as JSON, one object a line
    #[arg(long)]
    pub json: bool,
    /// Log warnings and errors only
    #[arg(long)]
    pub quiet: bool,
}

/// The configuration file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
struct File {
    store: Option<PathBuf>,
    listen: Vec<String>,
    tls: Option<Tls>,
    workers: Option<usize>,
    access_log: Option<bool>,
    secondary: Option<PathBuf>,
    shutdown_timeout: Option<u64>,
    how_to_ask: Option<String>,
}

/// Where TLS takes its certificate from.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// The chain, PEM.
    pub cert: PathBuf,
    /// Its key, PEM.
    pub key: PathBuf,
}

/// The settings that are in force.
#[derive(Clone, Debug)]
pub struct Config {
    /// The store's folder.
    pub store: PathBuf,
    /// Host and port of each listener; at least one.
    pub listen: Vec<String>,
    /// HTTPS on all of them, or HTTP.
    pub tls: Option<Tls>,
    /// Worker threads, 1 to [`MAX_WORKERS`].
    pub workers: usize,
    /// Whether each request is logged.
    pub access_log: bool,
    /// The folder for the reading side's own log, if one was named.
    pub secondary: Option<PathBuf>,
    /// How long answers under way may take to finish at shutdown.
    pub shutdown_timeout: Duration,
    /// How a 404 ends.
    pub how_to_ask: String,
}

/// Why there are no settings.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The file is wrong.
    #[error(transparent)]
    File(#[from] ConfigError),
    /// A value is wrong.
    #[error(transparent)]
    Value(#[from] Fault),
}

impl modferry_cli::Failure for SettingsError {
    fn exit(&self) -> Exit {
        Exit::Usage
    }

    fn advice(&self) -> Option<String> {
        match self {
            SettingsError::File(error) => error.advice(),
            SettingsError::Value(error) => error.advice(),
        }
    }
}

impl Config {
    /// The settings that the flags and the file they name make.
    pub fn load(args: &Args) -> Result<Config, SettingsError> {
        let file: File = match &args.config {
            Some(path) => load_config(path)?,
            None => File::default(),
        };
        let tls = match (&args.tls_cert, &args.tls_key) {
            (Some(cert), Some(key)) => Some(Tls {
                cert: cert.clone(),
                key: key.clone(),
            }),
            _ => file.tls,
        };
        let mut listen = if args.listen.is_empty() {
            file.listen
        } else {
            args.listen.clone()
        };
        if listen.is_empty() {
            listen.push(DEFAULT_LISTEN.into());
        }
        let workers = args.workers.or(file.workers).unwrap_or_else(|| {
            std::thread::available_parallelism().map_or(1, |n| n.get().min(MAX_WORKERS))
        });
        if !(1..=MAX_WORKERS).contains(&workers) {
            return Err(value(format!(
                "workers is {workers}, not 1 to {MAX_WORKERS}"
            )));
        }
        let how_to_ask = args
            .how_to_ask
            .clone()
            .or(file.how_to_ask)
            .unwrap_or_else(|| DEFAULT_HOW_TO_ASK.into());
        if how_to_ask.len() > MAX_HOW_TO_ASK || how_to_ask.chars().any(char::is_control) {
            return Err(value(format!(
                "how-to-ask must be one line of at most {MAX_HOW_TO_ASK} bytes: go prints it"
            )));
        }
        Ok(Config {
            store: args
                .store
                .clone()
                .or(file.store)
                .unwrap_or_else(|| modferry_appliance::store::DEFAULT_STORE.into()),
            listen,
            tls,
            workers,
            access_log: args.access_log.or(file.access_log).unwrap_or(true),
            secondary: args.secondary.clone().or(file.secondary),
            shutdown_timeout: Duration::from_secs(
                args.shutdown_timeout
                    .or(file.shutdown_timeout)
                    .unwrap_or(DEFAULT_SHUTDOWN_TIMEOUT),
            ),
            how_to_ask,
        })
    }
}

fn value(what: String) -> SettingsError {
    SettingsError::Value(Fault::new(Exit::Usage, what))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use clap::CommandFactory;

    fn load(file: &str, flags: &[&str]) -> Result<Config, SettingsError> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("server.yaml");
        std::fs::write(&path, file).unwrap();
        let mut argv = vec!["modferry-server", "--config", path.to_str().unwrap()];
        argv.extend(flags);
        Config::load(&Args::try_parse_from(argv).unwrap())
    }

    const WHOLE: &str = "\
store: /srv/modferry
listen: ['10.0.0.1:80', '[::1]:80']
tls: {cert: /c.pem, key: /k.pem}
workers: 3
access-log: false
secondary: /run/x
shutdown-timeout: 7
how-to-ask: write to mirror@example.com
";

    #[test]
    fn the_flags_parse() {
        Args::command().debug_assert();
    }

    #[test]
    fn nothing_set_is_the_defaults() {
        let config = load("", &[]).unwrap();
        assert_eq!(config.store, PathBuf::from("/var/lib/modferry"));
        assert_eq!(config.listen, [DEFAULT_LISTEN]);
        assert_eq!(config.tls, None);
        assert!(config.access_log);
        assert_eq!(config.shutdown_timeout, Duration::from_secs(30));
        assert!((1..=MAX_WORKERS).contains(&config.workers));
    }

    #[test]
    fn the_file_sets_every_key() {
        let config = load(WHOLE, &[]).unwrap();
        assert_eq!(config.store, PathBuf::from("/srv/modferry"));
        assert_eq!(config.listen, ["10.0.0.1:80", "[::1]:80"]);
        assert_eq!(config.tls.unwrap().key, PathBuf::from("/k.pem"));
        assert_eq!(config.workers, 3);
        assert!(!config.access_log);
        assert_eq!(config.secondary, Some("/run/x".into()));
        assert_eq!(config.shutdown_timeout, Duration::from_secs(7));
        assert_eq!(config.how_to_ask, "write to mirror@example.com");
    }

    #[test]
    fn a_flag_overrides_each_key() {
        let flags = [
            "--store=/s",
            "--listen=a:1",
            "--listen=b:2",
            "--tls-cert=/c",
            "--tls-key=/k",
            "--workers=1",
            "--access-log",
            "--secondary=/x",
            "--shutdown-timeout=1",
            "--how-to-ask=ask",
        ];
        let config = load(WHOLE, &flags).unwrap();
        assert_eq!(config.store, PathBuf::from("/s"));
        assert_eq!(config.listen, ["a:1", "b:2"]);
        assert_eq!(config.tls.unwrap().cert, PathBuf::from("/c"));
        assert_eq!(config.workers, 1);
        assert!(config.access_log);
        assert_eq!(config.secondary, Some("/x".into()));
        assert_eq!(config.shutdown_timeout, Duration::from_secs(1));
        assert_eq!(config.how_to_ask, "ask");
    }

    #[test]
    fn wrong_values_are_refused() {
        for (file, words) in [
            ("workers: 0", "workers is 0"),
            ("workers: 513", "workers is 513"),
            ("how-to-ask: \"a\\nb\"", "one line"),
            ("stor: /x", "unknown field `stor`"),
            ("tls: {cert: /c}", "missing field `key`"),
        ] {
            let error = load(file, &[]).unwrap_err().to_string();
            assert!(error.contains(words), "{file}: {error}");
        }
        let most = "x".repeat(MAX_HOW_TO_ASK);
        assert!(load(&format!("how-to-ask: {most}"), &[]).is_ok());
        assert!(load(&format!("how-to-ask: {most}x"), &[]).is_err());
        assert!(load("workers: 512", &[]).is_ok());
    }
}
