//! How far a build goes, against the real go command: made-up modules with packages, and a module proxy that has exactly
//! what was found to be needed. What the go command can do with all modules, it must be able to do with those; and of
//! zips, what is needed for building is no more than it opens.
//!
//! Without a go command on PATH there is nothing to compare with, and these tests say so.
#![allow(clippy::unwrap_used)]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use common::client::{Client, Random};
use common::{go, write};
use modferry_bundler::select::gomod::GoMod;
use modferry_bundler::select::mvs::{Main, Selection, Summary};
use modferry_bundler::select::packages::constraint::Tags;
use modferry_bundler::select::packages::load::{Loader, Subject, Task};
use modferry_bundler::select::packages::{checkout, zip_packages};
use modferry_bundler::select::workspace;
use modferry_checker::testing::TestModule;
use modferry_protocol::module::ModuleVersion;
use modferry_protocol::zip::ReadAt;

/// Modules, in a folder that is a module proxy.
struct Universe {
    dir: tempfile::TempDir,
    modules: BTreeMap<ModuleVersion, TestModule>,
}

/// The paths of the modules; one lies below another, so that an import can lead into either.
const PATHS: [&str; 8] = [
    "m.test/a",
    "m.test/b",
    "m.test/c",
    "m.test/c/p",
    "m.test/d",
    "m.test/e",
    "m.test/f",
    "m.test/g",
];

/// The requirements of what was made so far, and its folders, by path and minor version.
#[derive(Default)]
struct Made {
    modules: BTreeMap<(&'static str, u64), (Required, Vec<&'static str>)>,
    /// Whether some imports lead nowhere, or to what is not required.
    faults: bool,
}

/// Minor versions by path.
type Required = BTreeMap<&'static str, u64>;

impl Made {
    /// Imports of some packages of the modules from this one on, which are required, with rare exceptions.
    fn imports(&self, random: &mut Random, from: usize, required: &mut Required) -> String {
        let mut text = String::new();
        for path in &PATHS[from..] {
            if !random.one_in(4) {
                continue;
            }
            let minor = *required.entry(path).or_insert_with(|| random.below(3));
            let folders = &self.modules[&(*path, minor)].1;
            let folder = match self.faults && random.one_in(60) {
                true => "q",
                false => folders[random.below(folders.len() as u64) as usize],
            };
            let slash = if folder.is_empty() { "" } else { "/" };
            writeln!(text, "import _ \"{path}{slash}{folder}\"").unwrap();
            if self.faults && random.one_in(60) {
                required.remove(path);
            }
        }
        text
    }

    /// Adds what requirements require.
    fn complete(&self, required: &mut Required) {
        for (path, minor) in required.clone() {
            for (path, minor) in &self.modules[&(path, minor)].0 {
                let at = required.entry(path).or_insert(*minor);
                *at = (*at).max(*minor);
            }
        }
    }
}

impl Universe {
    fn new(modules: impl IntoIterator<Item = TestModule>) -> Universe {
        let universe = Universe {
            dir: tempfile::tempdir().unwrap(),
            modules: modules
                .into_iter()
                .map(|module| (module.module.clone(), module))
                .collect(),
        };
        let all = Selection {
            whole: universe.modules.keys().cloned().collect(),
            ..Selection::default()
        };
        universe.proxy("online", &all, &BTreeSet::new());
        universe
    }

    /// Eight modules in three versions. What stands before another one in the list may import it.
    fn random(random: &mut Random, faults: bool) -> (Universe, Made) {
        let mut modules: Vec<TestModule> = Vec::new();
        let mut made = Made {
            faults,
            ..Made::default()
        };
        for (at, path) in PATHS.iter().enumerate().rev() {
            for minor in 0..3 {
                let mut required = BTreeMap::new();
                let mut files: Vec<(String, String)> = Vec::new();
                let mut folders = Vec::new();
                for folder in ["", "p", "q"] {
                    // A package that comes with a later version, and one that goes: mostly into a module of its own.
                    let moved = *path == "m.test/c" && minor > 0;
                    let absent = match folder {
                        "p" => moved != (faults && random.one_in(15)),
                        "q" => minor == 0,
                        _ => false,
                    };
                    if absent {
                        continue;
                    }
                    folders.push(folder);
                    let below = |file: &str| match folder {
                        "" => file.to_owned(),
                        folder => format!("{folder}/{file}"),
                    };
                    let imports = made.imports(random, at + 1, &mut required);
                    files.push((below("a.go"), format!("package x\n\n{imports}")));
                    for (file, clause) in [("a_windows.go", "x"), ("a_test.go", "x_test")] {
                        if random.one_in(2) {
                            let imports = made.imports(random, at + 1, &mut required);
                            files.push((below(file), format!("package {clause}\n\n{imports}")));
                        }
                    }
                }
                let go =
                    ["", "\ngo 1.16\n", "\ngo 1.17\n", "\ngo 1.21\n"][random.below(4) as usize];
                if go.contains("1.17") || go.contains("1.21") {
                    // As `go mod tidy` leaves it, mostly: what requirements require is listed too.
                    made.complete(&mut required);
                    if faults && random.one_in(6) {
                        required.pop_first();
                    }
                }
                let mut go_mod = format!("module {path}\n{go}");
                for (path, minor) in &required {
                    write!(go_mod, "\nrequire {path} v1.{minor}.0\n").unwrap();
                }
                made.modules.insert((path, minor), (required, folders));
                files.push(("go.mod".into(), go_mod));
                let files: Vec<(&str, &str)> = files
                    .iter()
                    .map(|(name, text)| (&**name, &**text))
                    .collect();
                modules.push(TestModule::new(&format!("{path}@v1.{minor}.0"), &files));
            }
        }
        (Universe::new(modules), made)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The module proxy that has everything.
    fn online(&self) -> String {
        format!("file://{}", self.path("online").display())
    }

    /// A module proxy of what was selected; returns its URL.
    fn proxy(&self, name: &str, selection: &Selection, mods: &BTreeSet<ModuleVersion>) -> String {
        let root = self.path(name);
        let mut lists: BTreeMap<PathBuf, String> = BTreeMap::new();
        for (version, module) in &self.modules {
            let folder = root.join(version.path().escaped()).join("@v");
            let file = |kind: &str| folder.join(format!("{}.{kind}", version.version()));
            let whole = selection.whole.contains(version);
            let listed = whole || selection.listed.contains(version);
            if listed || mods.contains(version) {
                write(&file("mod"), &module.go_mod);
            }
            if listed {
                write(&file("info"), &module.info);
            }
            if whole {
                write(&file("zip"), &module.zip);
                writeln!(
                    lists.entry(folder.join("list")).or_default(),
                    "{}",
                    version.version()
                )
                .unwrap();
            }
        }
        for (file, text) in lists {
            write(&file, text.as_bytes());
        }
        format!("file://{}", root.display())
    }

    /// What a loader comes to, and the go.mod files it read.
    fn load(
        &self,
        mut loader: Loader,
        task: Task,
        tags: &Tags,
    ) -> (Selection, BTreeSet<ModuleVersion>) {
        let tags = Loader::tags(task, tags);
        let mut mods = BTreeSet::new();
        loop {
            let wanted = loader.wanted();
            if wanted.is_empty() {
                return (loader.selection().unwrap().clone(), mods);
            }
            for module in wanted.go_mods {
                let summary = self
                    .modules
                    .get(&module)
                    .map(|made| Arc::new(Summary::of(&GoMod::parse_lax(&made.go_mod).unwrap())));
                loader.loaded(&module, summary);
                mods.insert(module);
            }
            for module in wanted.zips {
                let packages = self.modules.get(&module).map(|made| {
                    let zip: &[u8] = &made.zip;
                    assert!(zip.size() > 0);
                    Arc::new(zip_packages::read(&module, zip, &tags).unwrap())
                });
                loader.opened(&module, packages);
            }
            for (path, _) in wanted.newest {
                let newest = self.modules.keys().rfind(|module| *module.path() == path);
                loader.looked_up(&path, newest.cloned());
            }
        }
    }
}

/// A project, copied for each client so that one does not see what another wrote.
struct Project {
    files: Vec<(String, String)>,
}

impl Project {
    fn in_folder(&self, dir: &Path) {
        for (name, text) in &self.files {
            write(&dir.join(name), text.as_bytes());
        }
    }
}

/// What comparing came to.
#[derive(Debug, Default)]
struct Tally {
    /// Commands that succeeded on both sides.
    same: usize,
    /// Those that cannot succeed with all modules either.
    refused: usize,
    /// Zips that were needed and opened, and those that were needed and not opened.
    opened: usize,
    unopened: usize,
}

/// How many of the commands, in this order, succeed with all modules.
fn succeed_online(
    go: &Path,
    universe: &Universe,
    project: &Project,
    commands: &[&[&str]],
) -> usize {
    let dir = universe.path("all");
    fs::remove_dir_all(&dir).ok();
    project.in_folder(&dir);
    let goproxy = universe.online();
    let client = Client { go, dir, goproxy };
    let succeeds = |args: &&&[&str]| {
        let done = client.run(args);
        // What nobody requires is not what a build list can have: the newest version of what an import names.
        let said = String::from_utf8_lossy(&done.stderr);
        done.status.success() && !said.contains("finding module for package")
    };
    commands.iter().take_while(succeeds).count()
}

/// Runs the commands with what was selected, and gives the zips that were opened.
#[track_caller]
fn succeed_inside(
    go: &Path,
    universe: &Universe,
    project: &Project,
    name: &str,
    goproxy: String,
    commands: &[&[&str]],
) -> BTreeSet<String> {
    let dir = universe.path(&format!("{name}-inside"));
    project.in_folder(&dir);
    let client = Client { go, dir, goproxy };
    for args in commands {
        let done = client.run(args);
        assert!(
            done.status.success(),
            "{name}: go {args:?}\n{}\n{}",
            String::from_utf8_lossy(&done.stderr),
            universe.dump(project),
        );
    }
    client.zips()
}

impl Universe {
    fn dump(&self, project: &Project) -> String {
        let mut out = String::new();
        for (name, text) in &project.files {
            writeln!(out, "== {name}\n{text}").unwrap();
        }
        for (name, module) in &self.modules {
            writeln!(
                out,
                "== {name}\n{}",
                String::from_utf8_lossy(&module.go_mod)
            )
            .unwrap();
            let packages = zip_packages::read(name, &*module.zip, &Tags::Any).unwrap();
            writeln!(out, "{packages:?}").unwrap();
        }
        out
    }
}

fn project(universe: &Universe, made: &Made, random: &mut Random) -> Project {
    let go = ["1.16", "1.17", "1.21"][random.below(3) as usize];
    let mut go_mod = format!("module main.test/main\n\ngo {go}\n");
    let mut required = BTreeMap::new();
    let mut files = Vec::new();
    for (name, clause) in [
        ("a.go", "main"),
        ("a_test.go", "main_test"),
        ("sub/b.go", "sub"),
    ] {
        let imports = made.imports(random, 0, &mut required);
        let end = if clause == "main" {
            "\nfunc main() {}\n"
        } else {
            ""
        };
        files.push((
            name.to_owned(),
            format!("package {clause}\n\n{imports}{end}"),
        ));
    }
    for (path, minor) in &required {
        write!(go_mod, "\nrequire {path} v1.{minor}.0\n").unwrap();
    }
    files.push(("go.mod".into(), go_mod));
    let project = Project { files };
    // Mostly as tidy as projects are.
    if !random.one_in(4)
        && let Some(go) = common::go()
    {
        let dir = universe.path("tidied");
        fs::remove_dir_all(&dir).ok();
        project.in_folder(&dir);
        let client = Client {
            go: &go,
            dir: dir.clone(),
            goproxy: universe.online(),
        };
        if client.run(&["mod", "tidy"]).status.success() {
            let mut files = project.files;
            for (name, text) in &mut files {
                if name == "go.mod" {
                    *text = fs::read_to_string(dir.join("go.mod")).unwrap();
                }
            }
            return Project { files };
        }
    }
    project
}

const BUILD: &[&[&str]] = &[
    &["build", "-mod=mod", "./..."],
    &["build", "./..."],
    &["list", "-mod=mod", "-m", "all"],
    &["mod", "graph"],
];
const TEST: &[&[&str]] = &[&["vet", "-mod=mod", "./..."], &["vet", "./..."]];
const TIDY: &[&[&str]] = &[
    &["mod", "tidy"],
    &["build", "./..."],
    &["vet", "./..."],
    &["list", "-m", "all"],
    &["mod", "graph"],
    &["mod", "vendor"],
];

#[test]
fn a_project_finds_what_it_needs() {
    let Some(go) = go() else {
        return eprintln!("no go command on PATH: nothing compared");
    };
    let mut random = Random(5);
    let mut tally = Tally::default();
    let this = Tags::Platforms(vec!["linux/amd64".parse().unwrap()]);
    for round in 0..12 {
        let (universe, made) = Universe::random(&mut random, true);
        let project = project(&universe, &made, &mut random);
        let dir = universe.path("read");
        project.in_folder(&dir);
        let all = [BUILD, TEST, TIDY].concat();
        let online = succeed_online(&go, &universe, &project, &all);
        tally.refused += all.len() - online;
        for (task, commands) in [
            (Task::Build, BUILD.len()),
            (Task::Test, BUILD.len() + TEST.len()),
            (Task::Tidy, all.len()),
        ] {
            let commands = &all[..commands.min(online)];
            let tags = Loader::tags(task, &this);
            let file = GoMod::parse(&fs::read(dir.join("go.mod")).unwrap()).unwrap();
            let mut main = Main::of(&file).unwrap();
            main.tree = Some(Arc::new(checkout::read(&dir, &tags).unwrap()));
            let loader = Loader::new(main, Subject::Main, task);
            let (selection, mods) = universe.load(loader, task, &this);
            let name = format!("{round}-{task:?}");
            let goproxy = universe.proxy(&name, &selection, &mods);
            let opened = succeed_inside(&go, &universe, &project, &name, goproxy, commands);
            tally.same += commands.len();
            if task == Task::Build && commands.len() == BUILD.len() {
                let needed: BTreeSet<String> =
                    selection.whole.iter().map(ToString::to_string).collect();
                tally.opened += needed.intersection(&opened).count();
                tally.unopened += needed.difference(&opened).count();
            }
        }
    }
    eprintln!("{tally:?}");
    assert_eq!(tally.unopened, 0, "zips that building did not open");
    assert!(
        tally.opened > 0 && tally.same > 2 * tally.refused,
        "too little was compared"
    );
}

#[test]
fn a_workspace_finds_what_its_modules_need() {
    let Some(go) = go() else {
        return eprintln!("no go command on PATH: nothing compared");
    };
    let mut random = Random(13);
    let mut tally = Tally::default();
    let this = Tags::Platforms(vec!["linux/amd64".parse().unwrap()]);
    for round in 0..8 {
        let (universe, made) = Universe::random(&mut random, false);
        // Of Go before and after graphs were pruned; app imports lib, which nothing but go.work says where to find.
        let mut files: Vec<(String, String)> = Vec::new();
        for (name, import) in [("app", "import _ \"work.test/lib/sub\"\n"), ("lib", "")] {
            let go = ["1.16", "1.17", "1.21"][random.below(3) as usize];
            let mut required = BTreeMap::new();
            for (file, clause) in [("a.go", "x"), ("a_test.go", "x_test"), ("sub/b.go", "sub")] {
                let imports = made.imports(&mut random, 0, &mut required);
                let import = if file == "a.go" { import } else { "" };
                files.push((
                    format!("{name}/{file}"),
                    format!("package {clause}\n\n{import}{imports}"),
                ));
            }
            if go != "1.16" {
                made.complete(&mut required);
            }
            let mut go_mod = format!("module work.test/{name}\n\ngo {go}\n");
            for (path, minor) in &required {
                write!(go_mod, "\nrequire {path} v1.{minor}.0\n").unwrap();
            }
            files.push((format!("{name}/go.mod"), go_mod));
        }
        files.push((
            "go.work".into(),
            "go 1.21\n\nuse (\n\t./app\n\t./lib\n)\n".into(),
        ));
        let project = Project { files };
        let dir = universe.path("read");
        project.in_folder(&dir);
        let commands: &[&[&str]] = &[
            &["build", "work.test/app/...", "work.test/lib/..."],
            &["list", "-m", "all"],
            &["mod", "graph"],
            &["vet", "work.test/app/...", "work.test/lib/..."],
        ];
        let online = succeed_online(&go, &universe, &project, commands);
        tally.refused += commands.len() - online;
        for (task, count) in [(Task::Build, 3), (Task::Test, 4)] {
            let commands = &commands[..count.min(online)];
            let mut workspace = workspace::read(&dir.join("go.work")).unwrap();
            workspace.read_files(&Loader::tags(task, &this)).unwrap();
            let loader = Loader::new(workspace.main, Subject::Main, task);
            let (selection, mods) = universe.load(loader, task, &this);
            let name = format!("{round}-{task:?}");
            let goproxy = universe.proxy(&name, &selection, &mods);
            let opened = succeed_inside(&go, &universe, &project, &name, goproxy, commands);
            tally.same += commands.len();
            if commands.len() == 3 {
                let needed: BTreeSet<String> =
                    selection.whole.iter().map(ToString::to_string).collect();
                tally.opened += needed.intersection(&opened).count();
                tally.unopened += needed.difference(&opened).count();
            }
        }
    }
    eprintln!("{tally:?}");
    assert_eq!(tally.unopened, 0, "zips that building did not open");
    assert!(
        tally.opened > 0 && tally.same > 2 * tally.refused,
        "too little was compared"
    );
}

/// A project that imports packages of this module, and requires nothing else.
fn client_of(
    made: &Made,
    (path, minor): (&'static str, u64),
    only: Option<u64>,
) -> (Project, Vec<String>) {
    let folders = &made.modules[&(path, minor)].1;
    let packages: Vec<String> = folders
        .iter()
        .map(|folder| match *folder {
            "" => path.to_owned(),
            folder => format!("{path}/{folder}"),
        })
        .collect();
    let mut text = "package user\n\n".to_owned();
    for (at, package) in packages.iter().enumerate() {
        if only.is_none_or(|only| only as usize % packages.len() == at) {
            writeln!(text, "import _ \"{package}\"").unwrap();
        }
    }
    let files = vec![
        ("u.go".to_owned(), text),
        (
            "go.mod".to_owned(),
            "module user.test/user\n\ngo 1.21\n".to_owned(),
        ),
    ];
    (Project { files }, packages)
}

#[test]
fn whoever_requires_a_module_finds_what_it_needs() {
    let Some(go) = go() else {
        return eprintln!("no go command on PATH: nothing compared");
    };
    let mut random = Random(21);
    let mut tally = Tally::default();
    let this = Tags::Platforms(vec!["linux/amd64".parse().unwrap()]);
    for round in 0..10 {
        let (universe, made) = Universe::random(&mut random, false);
        let named = (PATHS[random.below(3) as usize], random.below(3));
        let name = format!("{}@v1.{}.0", named.0, named.1);
        let module: ModuleVersion = name.parse().unwrap();
        for only in [None, Some(random.below(3))] {
            let (project, packages) = client_of(&made, named, only);
            let with = |args: &[&'static str]| -> Vec<String> {
                let args = args.iter().map(|arg| (*arg).to_owned());
                args.chain(packages.iter().cloned()).collect()
            };
            let text = |args: &[&str]| args.iter().map(|arg| (*arg).to_owned()).collect();
            let mut all: Vec<Vec<String>> = vec![
                text(&["get", &name]),
                text(&["build", "-mod=mod", "./..."]),
                text(&["build", "./..."]),
                with(&["build", "-mod=mod"]),
                text(&["list", "-mod=mod", "-m", "all"]),
                text(&["mod", "graph"]),
            ];
            let build = all.len();
            all.push(with(&["vet", "-mod=mod"]));
            let test = all.len();
            all.extend([
                text(&["mod", "tidy"]),
                text(&["build", "./..."]),
                text(&["vet", "./..."]),
            ]);
            let all: Vec<Vec<&str>> = all
                .iter()
                .map(|args| args.iter().map(String::as_str).collect())
                .collect();
            let all: Vec<&[&str]> = all.iter().map(Vec::as_slice).collect();
            let online = succeed_online(&go, &universe, &project, &all);
            tally.refused += all.len() - online;
            for (task, commands) in [
                (Task::Build, build),
                (Task::Test, test),
                (Task::Tidy, all.len()),
            ] {
                let commands = &all[..commands.min(online)];
                let subject = Subject::Module(module.clone());
                let loader = Loader::new(Main::requiring(module.clone()), subject, task);
                let (selection, mods) = universe.load(loader, task, &this);
                let name = format!("{round}-{task:?}-{}", only.is_some());
                let goproxy = universe.proxy(&name, &selection, &mods);
                succeed_inside(&go, &universe, &project, &name, goproxy, commands);
                tally.same += commands.len();
            }
        }
    }
    eprintln!("{tally:?}");
    assert!(
        tally.same > 4 * tally.refused,
        "too little was compared: {tally:?}"
    );
}
