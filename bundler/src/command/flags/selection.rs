//! What to carry, and how: the flags of `export` and `plan`.

use std::error::Error as StdError;
use std::path::PathBuf;
use std::str::FromStr;

use clap::Args;

use modferry_cli::Rate;
use modferry_cli::wants::Follow;
use modferry_protocol::bundle::Sequence;

use super::policy::PolicyFlags;
use crate::error::Error;
use crate::opaque::FileConfig;
use crate::pack::Packing;
use crate::place::Sha256;
use crate::select::ask::Ask;
use crate::select::exclude::Exclude;
use crate::select::platform::Platform;
use crate::select::sought::SoughtError;
use crate::select::steps::Newest;
use crate::select::toolchains::Toolchains;
use crate::settings::{Config, Transfers};
use crate::upstream::private::PrivateConfig;
use crate::volume_size::VolumeSize;
use crate::vulndb::config::VulndbConfig;

/// The flag of `export` and `volumes`.
#[derive(Args, Clone, Copy, Debug)]
pub struct VolumeSizeFlag {
    /// No volume has more bytes: cd, dvd, bd, bd-dl, fat32, or as in 700 MB or 4 GiB [default: one volume]
    ///
    /// cd, dvd, bd and bd-dl leave 4 MiB of the disc to the file system (CD-R of 80 minutes, DVD±R, BD-R of one
    /// and of two layers without spare areas); fat32 is that file system's largest file, 4294967295 bytes.
    #[arg(long, value_name = "SIZE")]
    pub volume_size: Option<VolumeSize>,
}

/// What to carry, and how.
#[derive(Args, Clone, Debug)]
pub struct Selection {
    /// Modules to carry with all that building them needs, as path@version or path@query
    #[arg(value_name = "MODULE@VERSION")]
    pub modules: Vec<String>,
    /// Carry what this go.mod needs; a go.sum beside it names its zips
    #[arg(long, value_name = "FILE")]
    pub go_mod: Vec<PathBuf>,
    /// Carry exactly what this go.sum names
    #[arg(long, value_name = "FILE")]
    pub go_sum: Vec<PathBuf>,
    /// Carry what the modules of this go.work need, built together; their go.sum files name the rest
    #[arg(long, value_name = "FILE")]
    pub go_work: Vec<PathBuf>,
    /// Carry what every go.mod and go.work below this folder needs, or below those that a glob matches
    #[arg(long, value_name = "DIR")]
    pub checkouts: Vec<PathBuf>,
    /// Carry the modules that this vendor/modules.txt names, and what building from them reads
    #[arg(long, value_name = "FILE")]
    pub vendor: Vec<PathBuf>,
    /// Carry the modules that this Go program was built from, and what building from them reads
    #[arg(long, value_name = "FILE")]
    pub binary: Vec<PathBuf>,
    /// Carry the modules that this bill of materials names (CycloneDX or SPDX, in JSON), and what builds from them read
    #[arg(long, value_name = "FILE")]
    pub sbom: Vec<PathBuf>,
    /// Carry exactly what this module cache has (a GOMODCACHE, or a folder that is served as a GOPROXY)
    #[arg(long, value_name = "DIR")]
    pub modcache: Vec<PathBuf>,
    /// Carry what the lines of this file name, module@version or module@query, as if they stood here
    #[arg(long, value_name = "FILE")]
    pub list: Vec<PathBuf>,
    /// Carry what this wants file from behind the gap names, besides what modferry.yaml selects
    #[arg(long, value_name = "FILE")]
    pub wants: Vec<PathBuf>,
    /// Follow requirements: not at all, as far as building or testing packages needs them, or all of them [default: all
    /// of what is named]
    #[arg(long, value_name = "none|build|test|all")]
    pub follow: Option<Follow>,
    /// Never choose these: a module or a pattern, with or without versions, as in example.com/a@<1.8
    ///
    /// Queries, patterns and newest versions pass over them. What a build requires is carried all the same.
    #[arg(long, value_name = "PATTERN[@RANGE]")]
    pub exclude: Vec<Exclude>,
    /// Let pre-releases count like releases, for queries
    #[arg(long)]
    pub pre_releases: bool,
    /// Let queries choose versions that their authors have retracted
    #[arg(long)]
    pub retracted: bool,
    /// Carry the newest version too, for go list -u and retractions inside: of modules that are named, all or none
    /// [default: named]
    #[arg(long, value_name = "named|all|none", hide_possible_values = true)]
    pub newest: Option<Newest>,
    /// Carry Go toolchains: those that the selection's go.mod files want (auto), or versions as in 1.25.3,latest
    /// [default: none]
    #[arg(long, value_name = "auto|none|VERSION,…")]
    pub toolchains: Option<Toolchains>,
    /// Carry toolchains for these platforms [default: linux/amd64], and for --follow build and test what builds there
    /// [default: anywhere]
    #[arg(long, value_name = "OS/ARCH,…", value_delimiter = ',')]
    pub platforms: Vec<Platform>,
    /// Sign with this key
    #[arg(long, value_name = "FILE")]
    pub key: Option<PathBuf>,
    /// The key's passphrase is this file's first line (/dev/fd/N: a pipe's) [default: asked for]
    #[arg(long, value_name = "FILE")]
    pub passphrase_file: Option<PathBuf>,
    /// Write the bundle into this folder
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// The stream that the bundle belongs to [default: default]
    #[arg(long, value_name = "NAME")]
    pub stream: Option<String>,
    /// Write a bundle of the rest if something cannot be had; its manifest names what is missing
    #[arg(long)]
    pub keep_going: bool,
    /// A tree head that a machine on the other side holds: its `latest` file, or the tree's size
    #[arg(long, value_name = "FILE|SIZE")]
    pub known_head: Vec<String>,
    /// Carry this trust note, a signed change of the keys that the other side trusts
    #[arg(long, value_name = "NOTE")]
    pub trust: Vec<PathBuf>,
    /// Build on this receipt of the destination, and keep it for later exports
    #[arg(long, value_name = "FILE", conflicts_with_all = ["basis", "cumulative_from"])]
    pub receipt: Option<PathBuf>,
    /// The key of the appliance whose receipts come back (its store's identity.pub): needed once
    #[arg(long, value_name = "FILE")]
    pub receipt_key: Option<PathBuf>,
    /// Build this bundle on: nothing; what a bundle of that number left behind; or a manifest's or receipt's file
    #[arg(long, value_name = "none|SEQ|FILE", conflicts_with = "cumulative_from")]
    pub basis: Option<String>,
    /// Carry again what this bundle and later ones carried, as one of them got lost
    #[arg(long, value_name = "SEQ")]
    pub cumulative_from: Option<Sequence>,
    /// Take back what the stream carried and is not selected now: the destination's gc then removes it
    #[arg(long)]
    pub prune: bool,
    /// Carry this copy of the Go vulnerability database (some MB each time it has changed), and ask it about what is carried: its zip
    /// or folder, or a server that has it
    #[arg(long, value_name = "PATH|URL", value_parser = word::<VulndbConfig>)]
    pub vulndb: Option<VulndbConfig>,
    /// The SHA-256 that its zip must have, in hexadecimal
    #[arg(long, value_name = "HEX", requires = "vulndb")]
    pub vulndb_sha256: Option<Sha256>,
    /// Carry this file too, under this name; with the SHA-256 that it must have, if one is known: over plain http it is needed
    #[arg(long = "file", value_name = "NAME=PATH|URL[,sha256=HEX]", value_parser = word::<FileConfig>)]
    pub files: Vec<FileConfig>,
    /// Fetch what matches from these proxies only, in GOPROXY's form, or from version control, besides what modferry.yaml says;
    /// credentials (netrc, header) are for entries there
    #[arg(long, value_name = "PATTERN=URL|direct", value_parser = word::<PrivateConfig>)]
    pub private: Vec<PrivateConfig>,
    #[command(flatten)]
    /// What is refused.
    pub policy: PolicyFlags,
    /// Fetch from these proxies, in GOPROXY's form [default: as the go command]
    #[arg(long, value_name = "LIST")]
    pub goproxy: Option<String>,
    /// Verify against this checksum database, in GOSUMDB's form [default: as the go command]
    #[arg(long, value_name = "SPEC")]
    pub gosumdb: Option<String>,
    /// Keep downloads here [default: ~/.cache/modferry/download]
    #[arg(long, value_name = "DIR")]
    pub cache: Option<PathBuf>,
    /// Keep the stream's state here [default: ~/.local/state/modferry/STREAM]
    #[arg(long, value_name = "DIR")]
    pub state: Option<PathBuf>,
    #[command(flatten)]
    /// How large volumes are.
    pub volume_size: VolumeSizeFlag,
    /// Say how long it takes to carry at this rate, as in 10 MB/s or 2 Mbit/s
    #[arg(long, value_name = "RATE")]
    pub media_rate: Option<Rate>,
    /// How zips travel: as they are; or packed, each content once, at the speed of a download or as small as can be
    /// [default: fast]
    ///
    /// A packed zip is rebuilt on the other side, bit for bit, from the contents of its files; what cannot be rebuilt
    /// travels as it is. Each rebuild is proven before the bundle is signed.
    #[arg(long, value_name = "none|fast|max", hide_possible_values = true)]
    pub pack: Option<Packing>,
    /// Pack zips against nothing that the destination holds: for one that holds zips in other bytes than this stream's
    #[arg(long)]
    pub no_deltas: bool,
    /// So many transfers at once [default: 24]
    #[arg(long, value_name = "N")]
    pub transfers: Option<Transfers>,
}

/// Of a word that says several things: what is wrong with one of them, too.
fn word<T: FromStr<Err: StdError>>(text: &str) -> Result<T, String> {
    text.parse()
        .map_err(|error: T::Err| modferry_cli::in_one_line(&error))
}

/// Flags of `plan`.
#[derive(Args, Clone, Debug)]
pub struct PlanFlags {
    #[command(flatten)]
    /// What to carry.
    pub selection: Selection,
    /// Every module version: what of it, whether it is new, its bytes
    ///
    /// This was --list in earlier versions; now --list names a file of modules to carry.
    #[arg(long)]
    pub each: bool,
    /// Say only why these are carried: the shortest chain of requirements to each; a module or a pattern, with or
    /// without versions
    #[arg(long, value_name = "PATTERN[@RANGE]", conflicts_with = "each")]
    pub why: Vec<Exclude>,
}

impl Selection {
    /// The flags as settings.
    pub fn config(&self) -> Result<Config, Error> {
        fn asks<T>(flags: Vec<T>) -> Vec<Ask<T>> {
            flags.into_iter().map(Ask::from).collect()
        }
        let flags = self.clone();
        let modules: Result<Vec<_>, SoughtError> =
            flags.modules.iter().map(|name| name.parse()).collect();
        let modules = modules.map_err(|error| Error::usage(error.to_string()))?;
        Ok(Config {
            stream: flags.stream,
            key: flags.key,
            passphrase_file: flags.passphrase_file,
            out: flags.out,
            cache: flags.cache,
            state: flags.state,
            goproxy: flags.goproxy,
            gosumdb: flags.gosumdb,
            modules: asks(modules),
            go_mod: asks(flags.go_mod),
            go_sum: asks(flags.go_sum),
            go_work: asks(flags.go_work),
            checkouts: asks(flags.checkouts),
            vendor: asks(flags.vendor),
            binary: asks(flags.binary),
            sbom: asks(flags.sbom),
            modcache: asks(flags.modcache),
            list: asks(flags.list),
            wants: asks(flags.wants),
            follow: flags.follow,
            exclude: flags.exclude,
            pre_releases: flags.pre_releases.then_some(true),
            retracted: flags.retracted.then_some(true),
            newest: flags.newest,
            toolchains: flags.toolchains,
            platforms: flags.platforms,
            known_head: flags.known_head,
            trust: flags.trust,
            keep_going: flags.keep_going.then_some(true),
            transfers: flags.transfers,
            volume_size: flags.volume_size.volume_size,
            media_rate: flags.media_rate,
            pack: flags.pack,
            deltas: flags.no_deltas.then_some(false),
            receipt_key: flags.receipt_key,
            files: flags.files,
            vulndb: flags.vulndb.map(|vulndb| VulndbConfig {
                sha256: flags.vulndb_sha256.map(|Sha256(hash)| hash),
                ..vulndb
            }),
            private: flags.private,
            prune: flags.prune.then_some(true),
            policy: flags.policy.policy(),
            receipt: flags.receipt,
            basis: flags.basis,
            cumulative_from: flags.cumulative_from,
        })
    }
}
