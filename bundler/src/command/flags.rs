//! Flags, each beside its help.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use modferry_cli::wants::Follow;
use modferry_cli::{ByteSize, Rate};
use modferry_protocol::bundle::Sequence;

use crate::error::Error;
use crate::pack::Packing;
use crate::policy::licence::Licence;
use crate::policy::{MaxSize, Policy};
use crate::select::ask::Ask;
use crate::select::exclude::Exclude;
use crate::select::sought::SoughtError;
use crate::select::steps::Newest;
use crate::select::toolchains::{Platform, Toolchains};
use crate::settings::Config;
use crate::volume_size::VolumeSize;

/// The connected side of modferry: fetches Go modules, proves them against the checksum database, and writes
/// signed bundles for the other side of an air gap.
#[derive(Debug, Parser)]
#[command(name = "modferry-bundler", version, max_term_width = 100, after_help = EXAMPLES, after_long_help = LONG)]
pub struct Cli {
    /// Read settings from this YAML file; every key has a flag that counts before it
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// Results as JSON on stdout; progress, warnings and errors as JSON lines on stderr
    #[arg(long, global = true)]
    pub json: bool,

    /// No progress; warnings and errors are still told
    #[arg(long, short, global = true)]
    pub quiet: bool,

    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

const EXAMPLES: &str = "\
First use:
  modferry-bundler keygen site
  modferry-bundler export github.com/caddyserver/caddy/v2@v2.11.9 --key site.key --out bundle";

const LONG: &str = "\
First use:
  modferry-bundler keygen site
  modferry-bundler export github.com/caddyserver/caddy/v2@v2.11.9 --key site.key --out bundle

and on the other side, with bundle/ and site.pub carried there:
  modferry-appliance trust add site.pub
  modferry-appliance import bundle

Modules come from where the go command takes them: GOPROXY, GOSUMDB, GOPRIVATE, GONOPROXY and GONOSUMDB
are read from the environment, or else from `go env`; HTTPS_PROXY, HTTP_PROXY, NO_PROXY, the netrc file,
SSL_CERT_FILE and SSL_CERT_DIR count as they do for go; through HTTP_PROXY an http:// upstream is reached
by CONNECT, which the proxy must allow for its port. A checksum database is always used.

Configuration (--config FILE), in YAML; relative paths are relative to the file:
  stream: platform                 # --stream
  key: site.key                    # --key
  passphrase-file: /run/keys/site  # --passphrase-file
  out: bundles                     # --out
  modules:                         # arguments of export and plan
    - github.com/caddyserver/caddy/v2@v2.11.9
    - {module: golang.org/x/tools@latest, follow: none}
  go-mod: [app/go.mod]             # --go-mod
  go-sum: [tool/go.sum]            # --go-sum
  go-work: [~/src/shop/go.work]    # --go-work
  checkouts: [~/src/*]             # --checkouts
  vendor: [shop/vendor/modules.txt]   # --vendor
  binary: [/usr/local/bin/shop]    # --binary
  sbom: [shop.cdx.json]            # --sbom
  modcache: [~/go/pkg/mod]         # --modcache
  list: [wished.txt]               # --list
  wants: [platform.wants]          # --wants
  follow: all                      # --follow; each entry above may have its own: {path: FILE, follow: none}
  exclude: [example.com/a@<1.8]    # --exclude
  pre-releases: false              # --pre-releases
  retracted: false                 # --retracted
  newest: named                    # --newest
  toolchains: auto                 # --toolchains
  platforms: [linux/amd64]         # --platforms
  known-head: [41234567]           # --known-head
  trust: [trust-2.note]            # --trust
  keep-going: false                # --keep-going
  goproxy: https://proxy.corp.example,direct   # --goproxy
  gosumdb: sum.golang.org          # --gosumdb
  cache: /var/cache/modferry       # --cache
  state: /var/lib/modferry-state   # --state
  transfers: 24                    # --transfers
  volume-size: dvd                 # --volume-size
  media-rate: 10 MB/s              # --media-rate
  pack: fast                       # --pack
  deltas: true                     # false: --no-deltas
  receipt-key: identity.pub        # --receipt-key
  prune: false                     # --prune
  policy:                          # what is refused, whatever is asked for
    deny: [example.com/b/...]      # --deny
    minimum-age: 14                # --minimum-age, in days
    licences: [MIT, Apache-2.0]    # --licences
    max-size: {zip: 200 MB, bundle: 4 GiB}   # --max-zip-size, --max-bundle-size

Exit codes: 0 done; 1 anything else; 2 usage or configuration; 3 no trusted signature; 4 damaged;
5 something needed is missing; 6 checksum-database failure or fork; 7 no room; 9 upstream failure.";

const SELECTION: &str = "\
What is carried:
  MODULE@VERSION    The module and every module that building it needs, by minimal version selection over a
                    module graph that is pruned as the go command prunes it: as it is for whoever runs
                    `go install`, or requires it in a go.mod. Besides, what its own go.sum names for its tests,
                    and the go.mod and info of everything else in the build list.
  --go-mod FILE     With a go.sum beside it: exactly what the go.sum names. Without: what the file lists; if
                    it was not tidied (no // indirect line), also what that requires. Replacements by module
                    versions and exclusions count; replacements by folders are skipped and told.
  --go-sum FILE     Exactly what the go.sum names, whosever it is.
  --go-work FILE    What the go.sum files of its modules and its go.work.sum name, and what building the modules together
                    comes to.
  --checkouts DIR   Each go.mod and go.work below, as if each were named; not in testdata, vendor, or folders that begin
                    with _ or a dot; links are not followed. DIR may be a glob, as in '/srv/src/*'.
  --binary FILE, --sbom FILE, --vendor FILE
                    The modules that something was built from, by what the program, a bill of materials or a
                    vendor/modules.txt says; the go.mod files of their module graph; and of that the zips of modules
                    whose paths lie above or below, for the go command looks into those, too.
  --modcache DIR    Of each module what the cache has of it: its zip, or only its go.mod.
  --list FILE       What its lines name, as arguments do; a # begins a comment. --follow none: just that.
  --wants FILE      What was asked for behind the gap and not there: a file that the appliance wrote, or somebody typed. It
                    comes on top of what modferry.yaml selects, while all else here counts instead of that.
  MODULE@QUERY      The same of the versions that the query comes to: latest, upgrade, patch, v1, v1.2, <v1.2.3 and
                    the like mean what they mean to the go command; a branch or a commit is resolved to its
                    pseudo-version. ^1.8, ~1.8 and '>=1.7 <2' give the newest version within; all, 'newest 3' and
                    'since 2025-01-31' give several, of a range if one follows: 'newest 3 ^1.8'. Pre-releases count
                    where there is no release, retracted versions do not. upgrade and patch go on from what else
                    is selected, or else from what the stream has carried.
  PATTERN@QUERY     The query for each module that matches and is known otherwise (... is any text): selected by
                    something else, or carried before. No upstream can be asked which modules there are.
Several are resolved each for itself, and united. Every zip and go.mod must have the hash of its record in
the checksum database, and every record must be in the newest signed tree; that tree must continue every
tree seen before. A hash or a head that contradicts stops the export with exit code 6, --keep-going or not.

What is left out: all that the destination is known to hold. Known is, in this order:
  --basis, --cumulative-from   what you say for this export
  --receipt FILE               what the destination says; the newest receipt goes on counting for later exports.
                               What was exported since is carried again, until a receipt tells of it.
  otherwise                    the bundles exported so far: where nothing may come back, they count as arrived
An import refuses a bundle that builds on what is not there, and prints the export that cures it. A bundle
that got lost: --cumulative-from its number. A new store: --basis none. Neither needs to name modules:
if nothing is named, what the stream has carried so far is selected. `plan` says what an export would build
on, and what it would carry. If the destination holds all of it already, nothing is written.

What is fetched is kept in the cache, verified again at each use, and an interrupted export goes on from
there. The state remembers the stream's bundles and the newest tree head: give --state where your home
folder does not outlive the machine.";

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
    #[command(after_long_help = SELECTION)]
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
    /// Carry what this go.mod needs; a go.sum beside it names that exactly
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
    pub transfers: Option<usize>,
}

/// What is refused.
#[derive(Args, Clone, Debug)]
pub struct PolicyFlags {
    /// Refuse these: a module or a pattern, with or without versions, besides those that modferry.yaml denies
    #[arg(long, value_name = "PATTERN[@RANGE]")]
    pub deny: Vec<Exclude>,
    /// Refuse versions that have been public for fewer days, as far as that is known
    #[arg(long, value_name = "DAYS")]
    pub minimum_age: Option<u16>,
    /// Refuse modules with another licence than these, in SPDX's identifiers; `unknown` is what is not recognised
    #[arg(long, value_name = "ID,…", value_delimiter = ',')]
    pub licences: Option<Vec<Licence>>,
    /// Refuse larger zips, as in 200 MB
    #[arg(long, value_name = "SIZE")]
    pub max_zip_size: Option<ByteSize>,
    /// Refuse to write a larger bundle, as in 4 GiB
    #[arg(long, value_name = "SIZE")]
    pub max_bundle_size: Option<ByteSize>,
}

impl PolicyFlags {
    fn policy(self) -> Policy {
        Policy {
            deny: self.deny,
            minimum_age: self.minimum_age,
            licences: self.licences,
            max_size: MaxSize {
                zip: self.max_zip_size,
                bundle: self.max_bundle_size,
            },
        }
    }
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
            files: Vec::new(),
            private: Vec::new(),
            prune: flags.prune.then_some(true),
            policy: flags.policy.policy(),
            receipt: flags.receipt,
            basis: flags.basis,
            cumulative_from: flags.cumulative_from,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_flags_are_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_documented_configuration_is_one() {
        let yaml: String = LONG
            .lines()
            .skip_while(|line| !line.starts_with("Configuration"))
            .skip(1)
            .take_while(|line| !line.is_empty())
            .map(|line| format!("{}\n", line.strip_prefix("  ").unwrap_or(line)))
            .collect();
        let config: Config =
            modferry_cli::parse_config("help", &yaml).unwrap_or_else(|e| panic!("{e}\n{yaml}"));
        assert_eq!(config.stream.as_deref(), Some("platform"));
        assert_eq!(config.transfers, Some(24));
        assert_eq!(config.known_head, ["41234567"]);
    }
}
