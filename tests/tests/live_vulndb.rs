//! The real govulncheck behind the gap: carried in like any program, built there, and asked about programs that use a version
//! with a vulnerability and one without, as sources and as binaries.
//!
//! The database is of our own making, since what the public one says changes by the day: one report, on functions of a real
//! module that the program calls. Needs the configured GOPROXY: `make test-live`.

#![allow(clippy::unwrap_used)]

use std::{fs, path::Path, process::Command};

use modferry_tests::{
    online::Online,
    run::{bin_dir, modferry, run},
    vulndb::{Report, documents, write},
};
use tempfile::TempDir;

/// Not the newest: what v1.9.0 requires is not to be had from every proxy.
const GOVULNCHECK: &str = "golang.org/x/vuln@v1.8.0";

/// What the real database says of this module is much the same: fixed in v0.3.7.
const REPORT: Report = Report {
    id: "GO-2021-0113",
    module: "golang.org/x/text",
    package: "golang.org/x/text/language",
    symbols: &["Parse", "MatchStrings", "ParseAcceptLanguage"],
    fixed: "0.3.7",
};

const PROGRAM: &str = r#"package main

import (
	"fmt"

	"golang.org/x/text/language"
)

func main() {
	fmt.Println(language.Parse("en-US"))
}
"#;

/// Each ends with a line `NAME STATUS`, which follows what govulncheck said.
const STEPS: &str = r#"set -u
GOBIN=$PWD/bin go install golang.org/x/vuln/cmd/govulncheck@v1.8.0 || exit 1
for version in vulnerable fixed; do
    (cd $version && go mod tidy && go build -o program .) || exit 1
    (cd $version && ../bin/govulncheck -db "$MIRROR/vulndb" ./...) && status=0 || status=$?
    echo "$version source $status"
    bin/govulncheck -db "$MIRROR/vulndb" -mode binary $version/program && status=0 || status=$?
    echo "$version binary $status"
done
bin/govulncheck -db "$MIRROR/vulndb" -version
"#;

#[test]
#[ignore = "needs the configured GOPROXY: make test-live"]
fn govulncheck_finds_behind_the_gap_what_is_vulnerable() {
    let folder = TempDir::new().unwrap();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let online = Online::new(folder.path());
    online.bundler(&["keygen", "site", "--out", "keys"]).ok();
    for (name, version) in [("vulnerable", "v0.3.5"), ("fixed", "v0.3.8")] {
        fs::create_dir_all(at(name)).unwrap();
        fs::write(at(&format!("{name}/main.go")), PROGRAM).unwrap();
        let go_mod = format!(
            "module example.com/{name}\n\ngo 1.21\n\nrequire golang.org/x/text {version}\n"
        );
        fs::write(at(&format!("{name}/go.mod")), go_mod).unwrap();
    }
    write(
        Path::new(&at("db")),
        &documents("2026-11-20T12:00:00Z", &[REPORT]),
    );
    let words = [
        "export",
        "--key",
        &at("keys/site.key"),
        "--out",
        &at("bundle"),
        "--state",
        &at("state"),
        "--vulndb",
        &at("db"),
        "--go-mod",
        &at("vulnerable/go.mod"),
        "--go-mod",
        &at("fixed/go.mod"),
        GOVULNCHECK,
    ];
    online.bundler(&words).ok();
    for args in [
        ["trust", "add", &at("keys/site.pub")].as_slice(),
        &["import", &at("bundle")],
    ] {
        let mut appliance = modferry("modferry-appliance", folder.path());
        run(appliance.args(args).args(["--store", &at("store")])).ok();
    }

    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts");
    let inside = run(Command::new(scripts.join("behind-the-gap.sh"))
        .arg(bin_dir())
        .args([at("store"), at("inside")])
        .args(["bash", "-c", STEPS])
        .env("GOCACHE", bin_dir().join("go-build-cache"))
        .current_dir(folder.path()))
    .ok();
    println!("{inside}");
    for line in [
        "vulnerable source 3",
        "vulnerable binary 3",
        "fixed source 0",
        "fixed binary 0",
        // It has seen the call, and not only the module.
        "calls language.Parse",
        "DB updated: 2026-11-20 12:00:00 +0000 UTC",
    ] {
        assert!(inside.stdout.contains(line), "no {line:?}\n{inside}");
    }
    assert_eq!(
        inside
            .stdout
            .matches("Vulnerability #1: GO-2021-0113")
            .count(),
        2,
        "{inside}"
    );
    run(Command::new("chmod").args(["-R", "u+w"]).arg(folder.path())).ok();
}
