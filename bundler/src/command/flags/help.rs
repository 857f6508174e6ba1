//! The texts that a flag has no room for: what `--help` ends with.

pub(super) const EXAMPLES: &str = "\
First use:
  modferry-bundler keygen site
  modferry-bundler export github.com/caddyserver/caddy/v2@v2.11.9 --key site.key --out bundle";

pub(super) const LONG: &str = "\
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

Configuration (--config FILE), in YAML; relative paths are relative to the file, ~/ is the home folder:
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
  vulndb: vulndb.zip               # --vulndb, --vulndb-sha256
  files:                           # --file
    - {name: ca.pem, path: ca.pem}
    - {name: go.tgz, url: https://dl.corp.example/go.tgz}   # and sha256: HEX
  private:                         # --private; what has more than one pattern, or credentials, only here
    - {patterns: [git.corp.example], goproxy: https://athens.corp.example, netrc: private.netrc}
    - {patterns: [code.corp.example/*], direct: true}
  policy:                          # what is refused, whatever is asked for
    deny: [example.com/b/...]      # --deny
    minimum-age: 14                # --minimum-age, in days
    licences: [MIT, Apache-2.0]    # --licences
    max-size: {zip: 200 MB, bundle: 4 GiB}   # --max-zip-size, --max-bundle-size
    vulnerable: refuse             # --vulnerable
    accept: [GO-2024-1234]         # --accept

Exit codes: 0 done; 1 anything else; 2 usage or configuration; 3 no trusted signature; 4 damaged;
5 something needed is missing; 6 checksum-database failure or fork; 7 no room; 9 upstream failure.";

pub(super) const SELECTION: &str = "\
What is carried:
  MODULE@VERSION    The module and every module that building it needs, by minimal version selection over a
                    module graph that is pruned as the go command prunes it: as it is for whoever runs
                    `go install`, or requires it in a go.mod. Besides, what its own go.sum names for its tests,
                    and the go.mod and info of everything else in the build list.
  --go-mod FILE     With a go.sum beside it: exactly what the go.sum names. Without: what the file lists, and what
                    tidying needs by the Go files beside it; if it was not tidied (no // indirect line), also what that
                    requires; if there are no Go files, whatever they may import. Replacements by module
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::command::flags::Cli;
    use crate::settings::{Config, Transfers};
    use clap::CommandFactory;

    /// The lines of the configuration that `--help` shows.
    fn documented() -> impl Iterator<Item = &'static str> {
        LONG.lines()
            .skip_while(|line| !line.starts_with("Configuration"))
            .skip(1)
            .take_while(|line| !line.is_empty())
            .map(|line| line.strip_prefix("  ").unwrap_or(line))
    }

    #[test]
    fn each_key_is_documented_with_flags_that_there_are() {
        let unknown = modferry_cli::parse_config::<Config>("help", "no-such-key: 1").unwrap_err();
        let unknown = unknown.to_string();
        let keys: Vec<&str> = unknown.split('`').skip(3).step_by(2).collect();
        assert!(keys.len() > 30, "{unknown}");
        for key in keys {
            let is_key = |line: &&str| line.split(':').next() == Some(key);
            assert!(documented().any(|line| is_key(&line)), "{key}");
        }
        let mut command = Cli::command();
        let export = command.find_subcommand_mut("export").unwrap();
        let flags: Vec<&str> = export
            .get_arguments()
            .filter_map(|arg| arg.get_long())
            .collect();
        let named = documented().filter_map(|line| line.split_once('#'));
        let named = named.flat_map(|(_, comment)| comment.split("--").skip(1));
        let named: Vec<&str> = named
            .filter_map(|name| {
                name.split(|c: char| c != '-' && !c.is_ascii_lowercase() && !c.is_ascii_digit())
                    .next()
            })
            .collect();
        assert!(named.len() > 30, "{named:?}");
        for name in named {
            assert!(flags.contains(&name), "--{name}");
        }
    }

    #[test]
    fn the_documented_configuration_is_one() {
        let yaml: String = documented().map(|line| format!("{line}\n")).collect();
        let config: Config =
            modferry_cli::parse_config("help", &yaml).unwrap_or_else(|e| panic!("{e}\n{yaml}"));
        assert_eq!(config.stream.as_deref(), Some("platform"));
        assert_eq!(config.transfers, Some(Transfers::default()));
        assert_eq!(config.known_head, ["41234567"]);
        assert_eq!((config.files.len(), config.private.len()), (2, 2));
    }
}
