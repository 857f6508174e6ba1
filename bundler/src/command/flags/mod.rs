//! Flags, each beside its help.

mod help;
mod policy;
mod selection;

use std::path::PathBuf;

use clap::{Parser, Subcommand};

pub use selection::{PlanFlags, Selection, VolumeSizeFlag};

/// The connected side of modferry: fetches Go modules, proves them against the checksum database, and writes
/// signed bundles for the other side of an air gap.
#[derive(Debug, Parser)]
#[command(name = "modferry-bundler", version, max_term_width = 100, after_help = help::EXAMPLES, after_long_help = help::LONG)]
pub struct Cli {
    /// Read settings from this YAML file; every key has a flag that counts before it
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// Results as JSON on stdout; progress, warnings and errors as JSON lines on stderr
    #[arg(long, global = true)]
    pub json: bool,

    /// No progress and no notes; warnings and errors are still told
    #[arg(long, short, global = true)]
    pub quiet: bool,

    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make a signing key: NAME.key (secret) and NAME.pub
    Keygen {
        /// The key's name, which stands in every signature and names the files
        #[arg(default_value = "site")]
        name: String,
        /// The folder for the two files
        #[arg(long, value_name = "DIR", default_value = ".")]
        out: PathBuf,
        /// Encrypt the secret key; the passphrase is asked for, or is in --passphrase-file
        #[arg(long)]
        passphrase: bool,
        /// Encrypt the secret key with the passphrase in this file's first line (/dev/fd/N: of a pipe)
        #[arg(long, value_name = "FILE")]
        passphrase_file: Option<PathBuf>,
    },
    /// Fetch modules, verify them and write a signed bundle
    #[command(after_long_help = help::SELECTION)]
    Export(Selection),
    /// Say what an export would carry; fetches no zip and writes no bundle
    Plan(PlanFlags),
    /// Add a signature to a manifest (its volumes are not needed) or a trust note
    ///
    /// Shows what is signed, with the fingerprint to compare over a telephone with somebody who has the
    /// bundle, and asks nothing. What is not a text of modferry's own is refused. The signatures that are there
    /// stay; a key that has signed already adds nothing.
    Sign {
        /// STREAM.SEQ.manifest, or a trust note
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// Sign with this key
        #[arg(long, value_name = "FILE")]
        key: Option<PathBuf>,
        /// The key's passphrase is this file's first line (/dev/fd/N: a pipe's) [default: asked for]
        #[arg(long, value_name = "FILE")]
        passphrase_file: Option<PathBuf>,
        /// Write the signed file here, instead of over the one given
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Make a signed change of the keys that the other side trusts
    Trust {
        /// What to do.
        #[command(subcommand)]
        action: Trust,
    },
    /// Show what a bundle says of itself; proves nothing without --pub
    Inspect {
        /// Bundles' folders, volumes and manifests
        #[arg(required = true, value_name = "PATH")]
        paths: Vec<PathBuf>,
        /// Every item: its kind, its name, its bytes
        #[arg(long)]
        list: bool,
        /// What each zip takes: reads what is packed, so the signature is checked before (--pub)
        ///
        /// A frame's bytes are shared out by size; what several zips have counts for the first of them. What is packed
        /// against zips that the destination holds is read with those out of the cache.
        #[arg(long, requires = "keys", conflicts_with = "fingerprint")]
        modules: bool,
        /// The cache that it was exported with, for --modules [default: ~/.cache/modferry/download]
        #[arg(long, value_name = "DIR", requires = "modules")]
        cache: Option<PathBuf>,
        /// Only the fingerprint to compare over a telephone with somebody who has the bundle, too
        #[arg(long, conflicts_with = "list")]
        fingerprint: bool,
        /// Check the manifest's signature by this public key first
        #[arg(long = "pub", value_name = "FILE")]
        keys: Vec<PathBuf>,
    },
    /// Cut a bundle into volumes of another size, without signing it again
    ///
    /// No key is needed: what is signed does not depend on the cut. The entries and the signatures stay as they
    /// are, byte for byte. Without --volume-size everything goes into one volume.
    Volumes {
        /// The bundle's folder or manifest, or all its volumes; they may be in several folders
        #[arg(required = true, value_name = "PATH")]
        paths: Vec<PathBuf>,
        #[command(flatten)]
        /// The size.
        size: VolumeSizeFlag,
        /// Write the volumes into this folder
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
    },
    /// Say what bundle A, or store A, has that B lacks, and the other way round
    ///
    /// A line for each module version and tree head that only one of them has: `-` only in A, `+` only in B.
    /// Tiles are counted. A folder of several bundles counts as one that carries what they all carry. A store is
    /// given as what `modferry-appliance list --all --json` printed there. Nothing is proven: verify does that.
    /// With --json an object a line, the last of them the counts; with --quiet the counts only.
    Diff {
        /// A bundle's folder, volume or manifest; or a store's list, - on standard input
        a: PathBuf,
        /// The same
        b: PathBuf,
    },
    /// Check a bundle as an import would: signature, every hash, and every proof
    ///
    /// Several bundles are checked in the order of their stream, each on top of those before it.
    ///
    /// Volumes of a bundle may be in several folders: name them all. If not all are there, each that is is checked
    /// by itself, and what that does not prove is said: exit 0 if just these volumes were named, 5 if a folder or
    /// a manifest was. All damaged volumes are named, with everything in them that is damaged.
    Verify {
        /// Bundles' folders, volumes and manifests
        #[arg(required = true, value_name = "PATH")]
        paths: Vec<PathBuf>,
        /// So many of the keys must have signed
        #[arg(long, value_name = "N", default_value_t = 1)]
        require: usize,
        /// Trust this public key's signature; may be given more than once
        #[arg(long = "pub", value_name = "FILE", required = true)]
        keys: Vec<PathBuf>,
        /// Then tell only the fingerprint to compare over a telephone with somebody who has the bundle, too
        #[arg(long)]
        fingerprint: bool,
        /// Trust this checksum database, besides sum.golang.org [default: as GOSUMDB says]
        #[arg(long = "sumdb", value_name = "SPEC")]
        sumdbs: Vec<String>,
    },
}

/// What to do about trust notes.
#[derive(Debug, Subcommand)]
pub enum Trust {
    /// Write a trust note: keys to add or to revoke, signatures to require
    ///
    /// It counts on the other side once as many of the keys trusted there have signed it as the strictest
    /// stream asks for; `sign` adds signatures. Carry it in bundles (export --trust), or alone
    /// (modferry-appliance trust apply). Numbers to require are never lowered by it, and a revoked key
    /// never comes back.
    New {
        /// The note's place in the row of notes: 1 for the first [default: the one behind --after]
        #[arg(long, value_name = "N")]
        number: Option<u64>,
        /// The note before this one
        #[arg(long, value_name = "NOTE")]
        after: Option<PathBuf>,
        /// A key to trust from now on: its .pub file, or its line
        #[arg(long, value_name = "PUB")]
        add: Vec<String>,
        /// A key never to trust again: its .pub file, or its line
        #[arg(long, value_name = "PUB")]
        revoke: Vec<String>,
        /// So many different keys must sign each bundle from now on, at least, or those of one stream
        #[arg(long, value_name = "N|STREAM=N")]
        require: Vec<String>,
        /// Sign with this key
        #[arg(long, value_name = "FILE")]
        key: Option<PathBuf>,
        /// The key's passphrase is this file's first line (/dev/fd/N: a pipe's) [default: asked for]
        #[arg(long, value_name = "FILE")]
        passphrase_file: Option<PathBuf>,
        /// Write the note here
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_flags_are_consistent() {
        Cli::command().debug_assert();
    }
}
