//! The command line, and the configuration file that it overrides.

use crate::Failed;
use clap::{Parser, Subcommand};
use modferry_appliance::store::DEFAULT_STORE;
use modferry_appliance::wants::DEFAULT_FOLDER;
use modferry_cli::load_config;
use modferry_cli::wants::Follow;
use modferry_protocol::bundle::StreamName;
use serde::Deserialize;
use std::path::PathBuf;

/// Verifies bundles and loads them into the store that modferry-server serves
#[derive(Debug, Parser)]
#[command(name = "modferry-appliance", version, max_term_width = 100)]
pub struct Args {
    /// The store's folder [default: the configuration's, else /var/lib/modferry]
    #[arg(long, global = true, value_name = "DIR")]
    pub store: Option<PathBuf>,

    /// A configuration file (YAML): `store: DIR`, and `wants: DIR`, the server's folder for what it missed
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// Tell machines: JSON, one object a line; failures on stderr
    #[arg(long, global = true)]
    pub json: bool,

    /// Tell nothing but the result and failures
    #[arg(long, short, global = true)]
    pub quiet: bool,

    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What the command does.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Whose bundles are accepted: add, list and remove keys
    Trust {
        /// What to do with the keys.
        #[command(subcommand)]
        action: Trust,
    },
    /// Verify bundles and make them part of the store
    ///
    /// Either all of a bundle becomes part of the store, at once, or nothing. A run that was
    /// interrupted is finished by running it again; a bundle that is there already is no error.
    /// Volumes of a bundle may come in any order and over several runs: those that are whole are kept
    /// until all are there, and until then the exit code is 5.
    Import(Import),
    /// Make every check of an import, and write nothing
    ///
    /// Keys, and what the bundle builds on, are looked for in the store. Where not all volumes are here,
    /// each that is here is checked by itself.
    Verify {
        /// Folders with bundles, manifests, volumes, patterns of such, or - for a volume on standard input
        #[arg(required = true, value_name = "PATH")]
        paths: Vec<PathBuf>,
        /// Then tell only the fingerprint to compare over a telephone with whoever exported the bundle
        #[arg(long)]
        fingerprint: bool,
    },
    /// Say what bundle A, or store A, has that B lacks, and the other way round
    ///
    /// A line for each module version and tree head that only one of them has: `-` only in A, `+` only in B. Tiles
    /// are counted. A folder of several bundles counts as one that carries what they all carry; bundles must be
    /// signed as this store's trust asks for. With --json an object a line, the last of them the counts; with
    /// --quiet the counts only.
    Diff {
        /// A bundle's folder, volume or manifest; a store's folder; or what `list --all --json` printed
        a: PathBuf,
        /// The same [default: this store]
        b: Option<PathBuf>,
    },
    /// What was kept of refused forks of a checksum database
    Evidence {
        /// What to do with it.
        #[command(subcommand)]
        action: Evidence,
    },
    /// Tell what the store holds, the ledger's head, and what was done last
    Status {
        /// How many of the ledger's last entries to tell
        #[arg(long, value_name = "N", default_value_t = 10)]
        ledger: u64,
    },
    /// Remove what no stream's selection names any more, after showing what, and what keeps what
    ///
    /// Bundles only say that something is no longer selected (export --prune); it is served until this removes
    /// it. What any stream still names stays. It is safe beside a running server: what is being sent is sent to its end.
    Gc(Gc),
    /// Prove that the store is sound, from what was signed down to the bytes that are served
    ///
    /// It changes nothing and can run beside an import. What is damaged is named, all of it in one run.
    Fsck(Fsck),
    /// Write down what the store holds, signed, for whoever exports the next bundle
    ///
    /// The store signs with a key of its own, which is made the first time: STORE/identity.key; give
    /// STORE/identity.pub to the bundler once. With the receipt, the bundler leaves out what is held here.
    Receipt {
        /// Write to this file [default: to standard output]
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
        /// What the store's key is called when it is made [default: receipt]
        #[arg(long)]
        name: Option<String>,
    },
    /// List what clients have asked for and is not here, and write it into a file to carry back
    ///
    /// The server keeps it; what has come in since is left out. The file is for people to read and to edit
    /// before it leaves (then: --sign), and for `modferry-bundler export --wants FILE`. It is signed with the store's own
    /// key, as receipts are. What was written into a file is listed again when somebody asks for it again.
    Wants(Wants),
    /// List module versions
    List {
        /// Only what begins so: a module path's beginning, or PATH@ and a version's
        #[arg(value_name = "PREFIX")]
        prefixes: Vec<String>,
        /// List the versions too that are there as go.mod only, which serve to select versions
        #[arg(long)]
        all: bool,
    },
}

/// What to do with keys.
#[derive(Debug, Subcommand)]
pub enum Trust {
    /// Trust a key; shows its fingerprint, to be compared with its owner's
    Add {
        /// The .pub file that `modferry-bundler keygen` wrote, or its line NAME+HASH+KEY
        #[arg(value_name = "KEYFILE|KEY")]
        key: String,
        /// It is a checksum database's key, not one for bundles
        #[arg(long)]
        sumdb: bool,
    },
    /// List the trusted keys
    List,
    /// Trust a key no more
    Remove {
        /// NAME+HASH, or NAME if only one key is called so
        name: String,
    },
    /// Set how many different bundle keys must have signed a bundle
    Require {
        /// How many; `default` with --stream: as many as for other streams
        #[arg(value_name = "N", value_parser = parse_required)]
        number: Required,
        /// Of this stream only
        #[arg(long, value_name = "NAME")]
        stream: Option<StreamName>,
    },
    /// Let a key bring private modules, which no checksum database knows
    ///
    /// Without this, nothing comes in that no checksum database vouches for. The pattern is as in GOPRIVATE: it covers
    /// each module whose leading path elements match. For these modules the key's owner decides what comes.
    Private {
        /// Such as 'git.corp.example/*' or 'github.com/ours'
        pattern: String,
        /// The trusted bundle key: NAME+HASH, or NAME if only one is called so
        #[arg(long, value_name = "NAME", required_unless_present = "remove")]
        key: Option<String>,
        /// Let nobody bring them any more; what came stays
        #[arg(long, conflicts_with = "key")]
        remove: bool,
    },
    /// Apply trust notes: signed changes of the trusted keys; without any, those that bundles brought
    ///
    /// A note is accepted if it is the next in its row and as many of the keys trusted now have signed
    /// it as the strictest stream asks for. Either all of its changes are made or none. Notes that a
    /// bundle brought are applied by the import itself, where its user may change trust/; else they wait in
    /// STORE/trust-pending for this command.
    Apply {
        /// Trust notes, in the order of their numbers
        #[arg(value_name = "NOTE")]
        notes: Vec<PathBuf>,
    },
    /// Say which trust note the keys here, which were set by hand, go with: the next one then continues it
    Begin {
        /// The newest trust note that was applied elsewhere
        note: PathBuf,
    },
}

/// How many signatures to require.
#[derive(Clone, Copy, Debug)]
pub enum Required {
    /// So many.
    Number(usize),
    /// As many as of other streams.
    Default,
}

fn parse_required(given: &str) -> Result<Required, String> {
    match given {
        "default" => Ok(Required::Default),
        number => number
            .parse()
            .map(Required::Number)
            .map_err(|_| "want a number, or `default`".into()),
    }
}

/// What to do with evidence.
#[derive(Debug, Subcommand)]
pub enum Evidence {
    /// List the forks that were refused, and whether they are acknowledged
    List,
    /// Say that a fork was seen and looked into
    ///
    /// Until then, `status` and the server's readiness page tell of it. Nothing else changes: the store serves
    /// what it served before the fork, and the signed heads stay where they are.
    Acknowledge {
        /// Its name, as `evidence list` has it
        name: String,
        /// What was found out, in one line
        #[arg(long, value_name = "TEXT", default_value = "")]
        reason: String,
        /// Wait for an import to end, instead of failing
        #[arg(long)]
        wait: bool,
    },
}

/// What to import.
#[derive(Debug, clap::Args)]
pub struct Import {
    /// Folders with bundles, manifests, volumes, patterns of such, or - for a volume on standard input
    #[arg(required_unless_present = "spool", value_name = "PATH")]
    pub paths: Vec<PathBuf>,

    /// Take each whole bundle in DIR/incoming; it goes to DIR/done or DIR/refused with its report
    #[arg(long, value_name = "DIR", conflicts_with = "paths")]
    pub spool: Option<PathBuf>,

    /// Wait for another import to end, instead of failing
    #[arg(long)]
    pub wait: bool,
}

/// What to prove.
#[derive(Debug, clap::Args)]
pub struct Fsck {
    /// Leave the zips' bytes out: their chunks, hashes and rules
    #[arg(long)]
    pub quick: bool,

    /// Prove that the ledger of that day, as `status` or a receipt showed its head, is the beginning of today's
    #[arg(long, value_name = "SIZE ROOT")]
    pub ledger_head: Option<String>,
}

/// How to remove what is gone.
#[derive(Debug, clap::Args)]
pub struct Gc {
    /// Remove staged volumes instead, whose bundles' other volumes will never come
    #[arg(long)]
    pub volumes: bool,

    /// Drop the vulnerability database instead, so that any other one can come in
    ///
    /// A newer one takes its place by itself. This is for one that says a time far ahead, and so keeps all others out.
    #[arg(long, conflicts_with = "volumes")]
    pub vulndb: bool,

    /// Remove it without asking
    #[arg(long)]
    pub yes: bool,

    /// Wait for an import to end, instead of failing
    #[arg(long)]
    pub wait: bool,
}

/// What is wanted, and what to do with it.
#[derive(Debug, clap::Args)]
pub struct Wants {
    /// Only modules whose path begins so; `*` stands for anything within an element, as in GOPRIVATE
    #[arg(value_name = "PATTERN")]
    pub patterns: Vec<String>,

    /// Only what was asked for since that day, or that time (2026-11-01T08:00:00Z)
    #[arg(long, value_name = "DAY", value_parser = parse_since)]
    pub since: Option<u64>,

    /// Only what was asked for so many times
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub at_least: u64,

    /// Private names instead of public ones: those that the server's `private` patterns match; a file marks each as that
    #[arg(long)]
    pub private: bool,

    /// Also what was written out or turned down before, and not asked for since
    #[arg(long)]
    pub again: bool,

    /// Also what the go command asked for by the way only: packages of modules that are here, and paths above such
    #[arg(long)]
    pub guesses: bool,

    /// Write what is listed into this file, signed; one that is there already is left as it is
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,

    /// Write over the file of --out: what only it has is not listed again without --again
    #[arg(long, requires = "out")]
    pub overwrite: bool,

    /// What the file calls this site [default: the name of the store's key]
    #[arg(long, value_name = "NAME", requires = "out")]
    pub site: Option<String>,

    /// Say in the file how far requirements are to be followed
    #[arg(long, value_name = "none|build|test|all", requires = "out", value_parser = parse_follow)]
    pub follow: Option<Follow>,

    /// Turn down what is listed: it is left out until somebody asks for it again
    #[arg(long, conflicts_with = "out")]
    pub forget: bool,

    /// Sign this file, which a person has changed or typed, instead of listing anything
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with_all = ["patterns", "since", "private", "again", "guesses", "out", "overwrite", "forget"]
    )]
    pub sign: Option<PathBuf>,

    /// What the store's key is called when it is made [default: receipt]
    #[arg(long)]
    pub name: Option<String>,

    /// Where the server keeps what it missed [default: the configuration's, else /var/lib/modferry-server/wants]
    #[arg(long, value_name = "DIR")]
    pub from: Option<PathBuf>,
}

fn parse_since(given: &str) -> Result<u64, String> {
    let time = match given.parse::<jiff::civil::Date>() {
        Ok(day) if given.len() == "2026-11-01".len() => format!("{day}T00:00:00Z"),
        _ => given.into(),
    };
    let time: jiff::Timestamp = time
        .parse()
        .map_err(|_| "want a day, as in 2026-11-01, or a time, as in 2026-11-01T08:00:00Z")?;
    u64::try_from(time.as_second()).map_err(|_| "want a day after 1970 began".into())
}

fn parse_follow(given: &str) -> Result<Follow, String> {
    Follow::ALL
        .into_iter()
        .find(|follow| follow.name() == given)
        .ok_or_else(|| "want none, build, test or all".into())
}

/// The configuration file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Config {
    store: Option<PathBuf>,
    wants: Option<PathBuf>,
}

impl Args {
    /// The store's folder: the flag's, else the configuration's, else the default.
    pub fn store(&self) -> Result<PathBuf, Failed> {
        let store = self.store.clone().or(self.file()?.store);
        Ok(store.unwrap_or_else(|| DEFAULT_STORE.into()))
    }

    /// Where the server keeps what it missed: as with [`Args::store`].
    pub fn wants(&self, wants: &Wants) -> Result<PathBuf, Failed> {
        let from = wants.from.clone().or(self.file()?.wants);
        Ok(from.unwrap_or_else(|| DEFAULT_FOLDER.into()))
    }

    fn file(&self) -> Result<Config, Failed> {
        match &self.config {
            Some(file) => load_config(file).map_err(|error| Box::new(error) as Failed),
            None => Ok(Config::default()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::parse_since;

    #[test]
    fn a_day_or_a_time_is_a_moment() {
        assert_eq!(parse_since("1970-01-02"), Ok(86_400));
        assert_eq!(parse_since("1970-01-02T01:00:00+01:00"), Ok(86_400));
        for wrong in [
            "",
            "yesterday",
            "2026-13-01",
            "2026-1-1",
            "20261101",
            "1969-12-31",
        ] {
            assert!(parse_since(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_command_line_is_well_formed() {
        use clap::CommandFactory;
        super::Args::command().debug_assert();
    }
}
