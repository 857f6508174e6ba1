//! Well-known programs of all ages, carried in by each way of selecting, then installed, built, tested and tidied behind
//! the gap by the real go command: what works with a route to upstream has to work without one.
//!
//! `tests/sets/programs.txt` names them. Each is done online first, which says what has to work; then it is exported,
//! imported and done again by `scripts/behind-the-gap.sh`, with nothing but loopback, GOFLAGS empty and GOSUMDB at its
//! default. A step that succeeds online and fails inside fails the test, and so does a `go mod tidy` that writes another
//! go.mod or go.sum than online. By default each program comes in by three of the ways, others for each program;
//! `MODFERRY_LIVE_ALL=1` makes it all of them, and `MODFERRY_LIVE_PROGRAM` names the one to do. The last table says what each
//! case took and carried. Needs the configured GOPROXY: `make test-live`.

#![allow(clippy::unwrap_used)]

use std::{
    collections::BTreeMap,
    env, fs,
    path::{Path, PathBuf},
    process::Command,
    time::Instant,
};

use modferry_tests::{
    online::Online,
    run::{bin_dir, modferry, run},
};
use tempfile::TempDir;

/// How a program is chosen for export.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Argument,
    List,
    Wants,
    GoMod,
    GoSum,
    GoWork,
    Checkouts,
    Modcache,
    Vendor,
    Binary,
    Sbom,
}

const WAYS: [Way; 11] = [
    Way::Argument,
    Way::GoMod,
    Way::Binary,
    Way::Modcache,
    Way::List,
    Way::GoSum,
    Way::Sbom,
    Way::GoWork,
    Way::Wants,
    Way::Vendor,
    Way::Checkouts,
];

/// Of how many ways each program is carried by default, and how far apart in the list they are: as that has no divisor
/// in common with its length, all would come in turn.
const WAYS_EACH: usize = 3;
const APART: usize = 4;

impl Way {
    /// What this way promises to be enough for.
    fn steps(self) -> &'static [&'static str] {
        match self {
            Way::Argument | Way::List | Way::Wants | Way::Modcache => {
                &["install", "list", "build", "vet", "test", "tidy", "verify"]
            }
            Way::GoMod | Way::GoWork | Way::Checkouts => {
                &["list", "build", "vet", "test", "tidy", "verify"]
            }
            // It does not say what is in the build list besides: `go list -m all` wants the times of that.
            Way::GoSum => &["build", "vet", "test", "tidy", "verify"],
            // These name what one program was made of, and neither its tests nor what else its go.mod is about.
            Way::Binary | Way::Sbom => &["install", "build"],
            Way::Vendor => &["build"],
        }
    }

    /// Whether it carries what the module requires, and not the module.
    fn carries_requirements(self) -> bool {
        matches!(
            self,
            Way::GoMod | Way::GoSum | Way::GoWork | Way::Checkouts | Way::Vendor
        )
    }

    /// The ways of a program by its place in the list: each program has others.
    fn of(place: usize, requires: bool) -> impl Iterator<Item = Way> {
        let all = env::var_os("MODFERRY_LIVE_ALL").is_some();
        let in_turn = WAYS.iter().copied().cycle().skip(place).step_by(APART);
        in_turn
            .take(WAYS.len())
            .filter(move |way| requires || !way.carries_requirements())
            .take(if all { WAYS.len() } else { WAYS_EACH })
    }
}

/// A line of the list.
struct Program {
    place: usize,
    module: String,
    package: String,
    tested: Option<String>,
}

impl Program {
    fn path(&self) -> &str {
        self.module.split_once('@').unwrap().0
    }

    fn version(&self) -> &str {
        self.module.split_once('@').unwrap().1
    }

    /// The package to install, as `go install` names it: `path/cmd/x@version`.
    fn installed(&self) -> String {
        let below = self.package.trim_start_matches('.');
        format!("{}{below}@{}", self.path(), self.version())
    }

    /// The steps as a script: each runs, and a line `NAME STATUS` of it comes into `$STEPS`.
    fn script(&self, steps: &[&str]) -> String {
        let mut script = "set -u\n[ -e go.mod ] || go mod init \"$1\" || exit 1\n".to_owned();
        for step in steps {
            let command = match *step {
                "install" => format!("GOBIN=$PWD.bin go install {}", self.installed()),
                "list" => "go list -m all".into(),
                "build" => format!("go build -o built {}", self.package),
                // Compiles every test of the module.
                "vet" => "go test -run '^$' ./...".into(),
                "test" => match &self.tested {
                    Some(packages) => format!("go test -short {packages}"),
                    None => "true".into(),
                },
                "tidy" => "go mod tidy".into(),
                "verify" => "go mod verify".into(),
                other => panic!("no step {other}"),
            };
            script += &format!(
                "echo '$ {}'; {command} && status=0 || status=$?; echo \"{step} $status\" >>\"$STEPS\"\n",
                command.replace('\'', "")
            );
        }
        script
    }
}

fn programs() -> Vec<Program> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("sets/programs.txt");
    let text = fs::read_to_string(file).unwrap();
    let only = env::var("MODFERRY_LIVE_PROGRAM").unwrap_or_default();
    let programs: Vec<Program> = text
        .lines()
        .filter(|line| !line.starts_with('#'))
        .enumerate()
        .filter(|(_, line)| line.contains(&only))
        .map(|(place, line)| {
            let mut words = line.split(' ').map(str::to_owned);
            Program {
                place,
                module: words.next().unwrap(),
                package: words.next().unwrap(),
                tested: words.next().filter(|word| word != "-"),
            }
        })
        .collect();
    assert!(!programs.is_empty(), "no program is called {only}");
    programs
}

#[test]
#[ignore = "needs the configured GOPROXY: make test-live"]
fn programs_are_built_tested_and_tidied_behind_the_gap() {
    let folder = TempDir::new().unwrap();
    let online = Online::new(folder.path());
    online.bundler(&["keygen", "site", "--out", "keys"]).ok();
    let (mut failed, mut table) = (Vec::new(), Vec::new());
    for program in programs() {
        let case = Case::new(&online, folder.path(), &program);
        for way in Way::of(program.place, case.requires) {
            let began = Instant::now();
            let (faults, carried) = case.carry(way);
            let done = if faults.is_empty() {
                "as online"
            } else {
                "NOT as online"
            };
            println!("{} by {way:?}: {done}", program.module);
            table.push(format!(
                "| {} | {way:?} | {:.1} | {carried} | {done} |",
                program.module,
                began.elapsed().as_secs_f32()
            ));
            failed.extend(faults);
        }
    }
    println!("| program | way | s | bytes carried | inside |\n|---|---|--:|--:|---|");
    println!("{}", table.join("\n"));
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    assert!(!table.is_empty(), "nothing was carried");
}

/// A program, and what all of its steps came to online.
struct Case<'a> {
    online: &'a Online,
    program: &'a Program,
    folder: PathBuf,
    requires: bool,
    statuses: BTreeMap<String, String>,
    log: String,
}

impl<'a> Case<'a> {
    fn new(online: &'a Online, folder: &Path, program: &'a Program) -> Self {
        let folder = folder.join(program.module.replace('/', "_"));
        fs::create_dir_all(&folder).unwrap();
        let told = &online.download(std::slice::from_ref(&program.module))[0];
        copy(
            Path::new(told["Dir"].as_str().unwrap()),
            &folder.join("source"),
        );
        copy(&folder.join("source"), &folder.join("online"));
        let go_mod = fs::read_to_string(folder.join("source/go.mod")).unwrap_or_default();
        let requires = go_mod.contains("require");
        let script = program.script(Way::Argument.steps());
        let steps = folder.join("online.steps");
        let words = [
            "env",
            &format!("STEPS={}", steps.display()),
            "bash",
            "-c",
            &script,
            "-",
            program.path(),
        ];
        let finished = online.command(&words, &folder.join("online"));
        let statuses = statuses(&steps);
        for step in ["install", "list", "build", "tidy"] {
            let done = statuses.get(step).is_some_and(|status| status == "0");
            assert!(
                done,
                "{}: {step} fails online, so nothing is shown by it\n{finished}",
                program.module
            );
        }
        Self {
            online,
            program,
            requires,
            statuses,
            log: finished.to_string(),
            folder,
        }
    }

    /// Exports by that way, imports, and does the steps inside. What differs from online comes back, and how many bytes
    /// the bundle has.
    fn carry(&self, way: Way) -> (Vec<String>, u64) {
        let folder = self.folder.join(format!("{way:?}"));
        let at = |name: &str| folder.join(name).to_str().unwrap().to_owned();
        fs::create_dir_all(&folder).unwrap();
        let top = self.folder.parent().unwrap();
        let (key, public) = (top.join("keys/site.key"), top.join("keys/site.pub"));
        let mut words = vec![
            "export".to_owned(),
            "--key".into(),
            key.to_str().unwrap().into(),
        ];
        words.extend(["--out".into(), at("bundle"), "--state".into(), at("state")]);
        words.extend(self.selected(way, &folder));
        let exported = self.online.bundler(&words);
        if exported.code != 0 {
            let fault = format!("{} by {way:?}: {exported}", self.program.module);
            return (vec![fault], 0);
        }
        let carried = size(&folder.join("bundle"));
        for args in [
            ["trust", "add", public.to_str().unwrap()].as_slice(),
            &["import", &at("bundle")],
        ] {
            let mut appliance = modferry("modferry-appliance", &folder);
            run(appliance.args(args).args(["--store", &at("store")])).ok();
        }

        // A workspace is worked in where it is; the others in a folder that no go.work is above.
        let project = match way {
            Way::GoWork => "checkouts/one",
            _ => "project",
        };
        if way != Way::GoWork {
            copy(&self.folder.join("source"), &folder.join(project));
        }
        let script = format!(
            "cd '{}'\nSTEPS='{}'\n{}",
            at(project),
            at("steps"),
            self.program.script(way.steps())
        );
        let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts");
        let inside = run(Command::new(scripts.join("behind-the-gap.sh"))
            .arg(bin_dir())
            .args([at("store"), at("inside")])
            .args(["bash", "-c", &script, "-", self.program.path()])
            .env("GOCACHE", bin_dir().join("go-build-cache"))
            .current_dir(&folder));

        let name = format!("{} by {way:?}", self.program.module);
        let got = statuses(&folder.join("steps"));
        let mut faults = Vec::new();
        for step in way.steps() {
            let (online, got) = (self.statuses.get(*step), got.get(*step));
            if got != online && online.is_some_and(|status| status == "0") || got.is_none() {
                faults.push(format!("{name}: {step}: {got:?} inside\n{inside}"));
            } else if online.is_some_and(|status| status != "0") {
                println!("{name}: {step} fails online, too\n{}", self.log);
            }
        }
        if way.steps().contains(&"tidy") && faults.is_empty() {
            for file in ["go.mod", "go.sum"] {
                let read = |from: PathBuf| fs::read_to_string(from.join(file)).unwrap_or_default();
                let (online, got) = (read(self.folder.join("online")), read(folder.join(project)));
                if online != got {
                    faults.push(format!(
                        "{name}: tidied, {file} is not what it is online:\n{got}\nonline:\n{online}\n{inside}"
                    ));
                }
            }
        }
        run(Command::new("chmod").args(["-R", "u+w"]).arg(&folder)).ok();
        fs::remove_dir_all(&folder).unwrap();
        (faults, carried)
    }

    /// The flags that choose the program.
    fn selected(&self, way: Way, folder: &Path) -> Vec<String> {
        let write = |name: &str, text: &str| {
            let file = folder.join(name);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(&file, text).unwrap();
            file.to_str().unwrap().to_owned()
        };
        let checkout = || {
            let checkout = folder.join("checkouts/one");
            copy(&self.folder.join("source"), &checkout);
            checkout
        };
        let path = |path: PathBuf| path.to_str().unwrap().to_owned();
        let module = &self.program.module;
        match way {
            Way::Argument => vec![module.clone()],
            Way::List => vec![
                "--list".into(),
                write("list.txt", &format!("# wished\n{module}\n")),
            ],
            Way::Wants => {
                let text = format!("modferry-wants: 1\nwants:\n  - want: {module}\n");
                vec!["--wants".into(), write("wants.yaml", &text)]
            }
            Way::GoMod => {
                let go_mod = fs::read_to_string(self.folder.join("source/go.mod")).unwrap();
                vec!["--go-mod".into(), write("alone/go.mod", &go_mod)]
            }
            // What `go mod tidy` made of it: a program's own may lack what its tidying asks for.
            Way::GoSum => vec!["--go-sum".into(), path(self.folder.join("online/go.sum"))],
            Way::GoWork => {
                checkout();
                // No module of a workspace may want a newer Go than its go.work.
                let version = self.online.go(&["env", "GOVERSION"], folder).ok().stdout;
                let version = version.trim().trim_start_matches("go");
                let text = format!("go {version}\n\nuse ./checkouts/one\n");
                vec!["--go-work".into(), write("go.work", &text)]
            }
            Way::Checkouts => {
                checkout();
                vec!["--checkouts".into(), path(folder.join("checkouts"))]
            }
            Way::Modcache => {
                let modcache = path(folder.join("modcache"));
                let script = self.program.script(way.steps());
                let (project, steps) = (folder.join("seen"), folder.join("seen.steps"));
                copy(&self.folder.join("source"), &project);
                let words = [
                    "env",
                    &format!("GOMODCACHE={modcache}"),
                    &format!("STEPS={}", steps.display()),
                    &format!("GOPROXY={}", self.online.proxies()),
                    "bash",
                    "-c",
                    &script,
                    "-",
                    self.program.path(),
                ];
                let seen = self.online.command(&words, &project).ok();
                assert_eq!(statuses(&steps), self.statuses, "{seen}");
                vec!["--modcache".into(), modcache]
            }
            Way::Vendor => {
                let checkout = checkout();
                self.online.go(&["mod", "vendor"], &checkout).ok();
                vec!["--vendor".into(), path(checkout.join("vendor/modules.txt"))]
            }
            Way::Binary => vec!["--binary".into(), self.binary()],
            Way::Sbom => {
                let info = self
                    .online
                    .go(&["version", "-m", &self.binary()], folder)
                    .ok();
                vec![
                    "--sbom".into(),
                    write("sbom.json", &cyclonedx(&info.stdout)),
                ]
            }
        }
    }

    /// The program as `go install` makes it online.
    fn binary(&self) -> String {
        let bin = self.folder.join("online.bin");
        let file = fs::read_dir(&bin).unwrap().next().unwrap().unwrap();
        file.path().to_str().unwrap().to_owned()
    }
}

/// A bill of materials of what `go version -m` tells.
fn cyclonedx(info: &str) -> String {
    let components: Vec<serde_json::Value> = info
        .lines()
        .filter_map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            let ["mod" | "dep" | "=>", path, version, ..] = words[..] else {
                return None;
            };
            let purl = format!("pkg:golang/{path}@{version}");
            Some(serde_json::json!({ "type": "library", "name": path, "version": version, "purl": purl }))
        })
        .collect();
    serde_json::json!({ "bomFormat": "CycloneDX", "specVersion": "1.6", "components": components })
        .to_string()
}

/// Bytes of the files of a folder.
fn size(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).unwrap();
    entries
        .map(|entry| entry.unwrap().metadata().unwrap().len())
        .sum()
}

fn statuses(file: &Path) -> BTreeMap<String, String> {
    let text = fs::read_to_string(file).unwrap_or_default();
    text.lines()
        .filter_map(|line| line.split_once(' '))
        .map(|(step, status)| (step.to_owned(), status.to_owned()))
        .collect()
}

/// Copies a tree, and makes it writable.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to.parent().unwrap()).unwrap();
    run(Command::new("cp").arg("-r").args([from, to])).ok();
    run(Command::new("chmod").args(["-R", "u+w"]).arg(to)).ok();
}
