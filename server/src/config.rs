//! What the operator sets: a YAML file, and flags that override it key by key.

use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;
use modferry_cli::{ByteSize, ConfigError, Exit, Fault, load_config};
use modferry_protocol::module::pattern::is_well_formed;
use serde::Deserialize;

use crate::wants::Settings;
use crate::wants::settings::{MAX_MOST, MAX_MOST_BYTES, MIN_MOST_BYTES};

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
    /// A folder for what is asked for and is not here [default: wants/ below the service's state folder, if it has one]
    #[arg(long, value_name = "DIR")]
    pub wants: Option<PathBuf>,
    /// The most names that are kept there; 0 keeps none [default: 20000]
    #[arg(long, value_name = "N")]
    pub wants_most: Option<usize>,
    /// The most bytes that they take on disk [default: 8 MiB]
    #[arg(long, value_name = "SIZE")]
    pub wants_most_bytes: Option<ByteSize>,
    /// How many new names an address may bring in within an hour [default: 2000]
    #[arg(long, value_name = "N")]
    pub wants_new_per_address: Option<u32>,
    /// For how long a name is kept that nobody asks for any more [default: 90]
    #[arg(long, value_name = "DAYS")]
    pub wants_days: Option<u32>,
    /// How often they are written [default: 10]
    #[arg(long, value_name = "SECONDS")]
    pub wants_every: Option<u64>,
    /// Module paths that are private, as in GOPRIVATE; may be repeated: what is missed of them is kept apart, and their lookups
    /// are refused
    #[arg(long, value_name = "PATTERN")]
    pub private: Vec<String>,
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
    wants: Wants,
    private: Vec<String>,
}

/// What is kept of what is not here.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
struct Wants {
    folder: Option<PathBuf>,
    most: Option<usize>,
    most_bytes: Option<ByteSize>,
    new_per_address: Option<u32>,
    days: Option<u32>,
    every: Option<u64>,
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
    /// What is kept of what is not here.
    pub wants: Settings,
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
        let wants = wants(args, file.wants, file.private)?;
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
            wants,
        })
    }
}

/// What is kept of what is not here, within its limits.
fn wants(args: &Args, file: Wants, private: Vec<String>) -> Result<Settings, SettingsError> {
    let default = Settings::default();
    let most_bytes = args.wants_most_bytes.or(file.most_bytes);
    let every = args.wants_every.or(file.every);
    let private = match args.private.is_empty() {
        true => private,
        false => args.private.clone(),
    };
    for pattern in private.iter().flat_map(|patterns| patterns.split(',')) {
        if !is_well_formed(pattern) {
            return Err(value(format!(
                "private: {pattern:?} is no pattern and would match nothing"
            )));
        }
    }
    let settings = Settings {
        folder: args.wants.clone().or(file.folder),
        most: args.wants_most.or(file.most).unwrap_or(default.most),
        most_bytes: most_bytes.map_or(default.most_bytes, |size| size.0),
        new_per_address: (args.wants_new_per_address.or(file.new_per_address))
            .unwrap_or(default.new_per_address),
        days: args.wants_days.or(file.days).unwrap_or(default.days),
        every: every.map_or(default.every, Duration::from_secs),
        private: private.join(","),
    };
    // A limit that lets nothing in is no way to say that nothing is to be kept.
    if settings.most > 0 {
        let least = MIN_MOST_BYTES;
        let keeps_nothing = if settings.most_bytes < least {
            Some(format!(
                "most-bytes is {}, and one name may take {least} bytes",
                settings.most_bytes
            ))
        } else if settings.new_per_address == 0 {
            Some("new-per-address is 0: no name would ever be new".into())
        } else if settings.days == 0 {
            Some("days is 0: each name would be forgotten at once".into())
        } else {
            None
        };
        if let Some(what) = keeps_nothing {
            let advice = "to keep none at all, write `wants: {most: 0}` (--wants-most 0)";
            let fault = Fault::new(Exit::Usage, format!("wants: {what}"));
            return Err(SettingsError::Value(fault.advise(advice)));
        }
    }
    if settings.most > MAX_MOST {
        return Err(value(format!(
            "wants: most is {}, more than {MAX_MOST}",
            settings.most
        )));
    }
    if settings.most_bytes > MAX_MOST_BYTES {
        return Err(value(format!(
            "wants: most-bytes is {}, more than {MAX_MOST_BYTES}",
            settings.most_bytes
        )));
    }
    Ok(settings)
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
wants: {folder: /w, most: 5, most-bytes: 1 MiB, new-per-address: 7, days: 3, every: 2}
private: ['*.corp.example', github.com/ours]
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
        assert_eq!(config.wants, Settings::default());
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
        let wants = Settings {
            folder: Some("/w".into()),
            most: 5,
            most_bytes: 1 << 20,
            new_per_address: 7,
            days: 3,
            every: Duration::from_secs(2),
            private: "*.corp.example,github.com/ours".into(),
        };
        assert_eq!(config.wants, wants);
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
            "--wants=/v",
            "--wants-most=0",
            "--wants-most-bytes=2 kB",
            "--wants-new-per-address=1",
            "--wants-days=1",
            "--wants-every=1",
            "--private=a.b,c.d",
            "--private=e.f",
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
        let wants = Settings {
            folder: Some("/v".into()),
            most: 0,
            most_bytes: 2000,
            new_per_address: 1,
            days: 1,
            every: Duration::from_secs(1),
            private: "a.b,c.d,e.f".into(),
        };
        assert_eq!(config.wants, wants);
    }

    #[test]
    fn wrong_values_are_refused() {
        for (file, words) in [
            ("workers: 0", "workers is 0"),
            ("workers: 513", "workers is 513"),
            ("how-to-ask: \"a\\nb\"", "one line"),
            ("stor: /x", "unknown field `stor`"),
            ("tls: {cert: /c}", "missing field `key`"),
            ("wants: {most: 200001}", "most is 200001"),
            ("wants: {most-bytes: 65 MiB}", "most-bytes is 68157440"),
            (
                "wants: {most-bytes: 1599}",
                "most-bytes is 1599, and one name may take 1600 bytes",
            ),
            ("wants: {new-per-address: 0}", "new-per-address is 0"),
            ("wants: {days: 0}", "days is 0"),
            ("wants: {size: 1}", "unknown field `size`"),
            ("private: ['[a']", "\"[a\" is no pattern"),
        ] {
            let error = load(file, &[]).unwrap_err().to_string();
            assert!(error.contains(words), "{file}: {error}");
        }
        let most = "x".repeat(MAX_HOW_TO_ASK);
        assert!(load(&format!("how-to-ask: {most}"), &[]).is_ok());
        assert!(load(&format!("how-to-ask: {most}x"), &[]).is_err());
        for nothing in ["most-bytes: 1", "new-per-address: 0", "days: 0"] {
            let error = load(&format!("wants: {{{nothing}}}"), &[]).unwrap_err();
            let advice = modferry_cli::Failure::advice(&error).unwrap();
            assert!(
                advice.contains("`wants: {most: 0}` (--wants-most 0)"),
                "{advice}"
            );
            assert!(load(&format!("wants: {{most: 0, {nothing}}}"), &[]).is_ok());
        }
        let least = "wants: {most-bytes: 1600, new-per-address: 1, days: 1}";
        assert!(load(least, &[]).is_ok());
        assert!(load("workers: 512", &[]).is_ok());
        assert!(load("wants: {most: 200000, most-bytes: 64 MiB}", &[]).is_ok());
    }
}
