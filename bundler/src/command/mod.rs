//! The command line: flags into settings, a command into a result, a result into words or JSON.

mod flags;
mod tell;

use std::process::ExitCode;

use clap::Parser;
use modferry_cli::{Exit, Failure, Fault};

use crate::error::Error;
use crate::progress::{Mode, Progress};
use crate::settings::Config;
use crate::{bundle, export, inspect, keygen, plan, recut, sign, trust, verify};
use flags::{Cli, Command, PlanFlags, Trust};

const PROGRAM: &str = "modferry-bundler";

/// Runs the command that the process's arguments say, and says how it went.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    modferry_cli::init_tracing(cli.json, cli.quiet);
    match run(&cli) {
        Ok(exit) => exit.into(),
        Err(error) => modferry_cli::report(PROGRAM, cli.json, &error),
    }
}

fn run(cli: &Cli) -> Result<Exit, Error> {
    let progress = Progress::new(match (cli.quiet, cli.json) {
        (true, _) => Mode::Quiet,
        (_, true) => Mode::Json,
        _ => Mode::Auto,
    });
    let outcome = command(cli, &progress);
    progress.finish();
    outcome
}

fn command(cli: &Cli, progress: &Progress) -> Result<Exit, Error> {
    let file = match &cli.config {
        Some(path) => Config::load(path)?,
        None => Config::default(),
    };
    match &cli.command {
        Command::Keygen {
            name,
            out,
            passphrase,
            passphrase_file,
        } => {
            let source =
                (*passphrase || passphrase_file.is_some()).then(|| passphrase_file.clone().into());
            let made = keygen::keygen(name, out, source.as_ref())?;
            tell::keygen(&made, cli.json)?;
        }
        Command::Export(flags) => {
            let config = flags.config()?.or(file);
            let exported = export::export(&config, progress)?;
            progress.finish();
            tell::export(&exported, &config, progress.elapsed(), cli)?;
            if !exported.failures.is_empty() || !exported.unanswered.is_empty() {
                return Err(Error::Unavailable {
                    failures: exported.failures,
                    unanswered: exported.unanswered,
                    written: true,
                });
            }
        }
        Command::Plan(flags) => {
            list_is_a_file(flags)?;
            let config = flags.selection.config()?.or(file);
            let plan = plan::plan(&config, progress)?;
            progress.finish();
            if !flags.why.is_empty() {
                tell::plan_why(&plan, &flags.why, cli)?;
                // Of what a query would have come to nothing is known: that is no answer to it.
                if plan.unanswered.is_empty() {
                    return Ok(Exit::Done);
                }
            } else {
                tell::plan(&plan, &config, flags.each, cli)?;
            }
            if !plan.failures.is_empty() || !plan.unanswered.is_empty() {
                return Err(Error::Unavailable {
                    failures: plan.failures,
                    unanswered: plan.unanswered,
                    written: false,
                });
            }
        }
        Command::Sign {
            file: note,
            key,
            passphrase_file,
            out,
        } => {
            let unsigned = sign::read(note)?;
            if !cli.json && !cli.quiet {
                tell::unsigned(&unsigned)?;
            }
            let told = tell::as_json(&unsigned);
            let flags = Config {
                key: key.clone(),
                passphrase_file: passphrase_file.clone(),
                ..Config::default()
            };
            let signed = unsigned.sign(&flags.or(file).signing_key()?, out.as_deref())?;
            tell::signed(&signed, &told, cli.json)?;
        }
        Command::Diff { a, b } => tell::diff(a, b, cli)?,
        Command::Trust {
            action:
                Trust::New {
                    number,
                    after,
                    add,
                    revoke,
                    require,
                    key,
                    passphrase_file,
                    out,
                },
        } => {
            let change = trust::Change {
                number: *number,
                after: after.clone(),
                add: add.clone(),
                revoke: revoke.clone(),
                require: require.clone(),
            };
            let flags = Config {
                key: key.clone(),
                passphrase_file: passphrase_file.clone(),
                ..Config::default()
            };
            let made = trust::new(&change, &flags.or(file).signing_key()?, out)?;
            tell::trust_note(&made, cli.json)?;
        }
        Command::Volumes { paths, size, out } => {
            let size = size.volume_size.or(file.volume_size);
            for bundle in bundle::find(paths)? {
                let limit = size.map(|size| size.0);
                let recut = recut::recut(&bundle, limit, out, progress)?;
                progress.finish();
                tell::recut(&recut, out, cli.json)?;
            }
        }
        Command::Inspect {
            paths,
            list,
            modules,
            cache,
            fingerprint,
            keys,
        } => {
            let policy = match keys.is_empty() {
                true => None,
                false => Some(verify::policy(keys, 1, Vec::new())?),
            };
            for bundle in bundle::find(paths)? {
                let inspected = inspect::inspect(bundle, policy.as_ref())?;
                match fingerprint {
                    true => tell::inspect_fingerprint(&inspected, cli.json)?,
                    false => {
                        let modules = match (modules, &policy) {
                            (true, Some(policy)) => {
                                let flags = Config {
                                    cache: cache.clone(),
                                    ..Config::default()
                                };
                                let cache = flags.or(file.clone()).cache()?;
                                Some(inspect::modules(&inspected.bundle, policy, &cache)?)
                            }
                            _ => None,
                        };
                        tell::inspect(&inspected, modules.as_deref(), *list, cli.json)?;
                    }
                }
            }
        }
        Command::Verify {
            paths,
            require,
            keys,
            fingerprint,
            sumdbs,
        } => {
            let policy = verify::policy(keys, *require, sumdb_keys(&file, sumdbs)?)?;
            let bundles = bundle::find(paths)?;
            let mut earlier = verify::Earlier::new(&bundles, &policy);
            for bundle in &bundles {
                let verified = verify::verify(bundle, &policy, &mut earlier, progress)?;
                progress.finish();
                tell::verify(bundle, &verified, *fingerprint, cli.json)?;
                if !bundle.volumes_named {
                    bundle.all_are_there()?;
                }
            }
        }
    }
    Ok(Exit::Done)
}

/// `plan --list` once listed every module version, as --each does now; whoever still means that gets told, whether the
/// list would be a module's name or a file that is not there.
fn list_is_a_file(flags: &PlanFlags) -> Result<(), Error> {
    let not_there = |path: &&std::path::PathBuf| matches!(path.try_exists(), Ok(false));
    match flags.selection.list.iter().find(not_there) {
        None => Ok(()),
        Some(path) => Err(Fault::new(
            Exit::Usage,
            format!("--list {}: there is no such file", path.display()),
        )
        .advise("--list names a file of module@version lines; every module version of a plan is listed by --each")
        .into()),
    }
}

/// The checksum databases' keys that a verify trusts: those named, or the one that an export would use.
fn sumdb_keys(
    file: &Config,
    named: &[String],
) -> Result<Vec<modferry_protocol::note::VerifierKey>, Error> {
    let specs: Vec<String> = if !named.is_empty() {
        named.to_vec()
    } else {
        let of_go = || {
            std::env::var("GOSUMDB")
                .ok()
                .filter(|text| !text.is_empty() && text != "off")
        };
        file.gosumdb.clone().or_else(of_go).into_iter().collect()
    };
    let mut keys = Vec::new();
    for text in specs {
        let config = Config {
            gosumdb: Some(text),
            ..Config::default()
        };
        let key = config.sumdb(None)?.key;
        if key.to_string() != modferry_protocol::note::SUM_GOLANG_ORG {
            keys.push(key);
        }
    }
    Ok(keys)
}

/// A result that cannot be told is a failure like any other.
fn stdout(error: std::io::Error) -> Error {
    modferry_cli::Fault::new(Exit::Other, "cannot write the result")
        .because(error)
        .into()
}

/// The exit code of an error, for tests of the library.
pub fn exit_of(error: &Error) -> Exit {
    error.exit()
}
