//! The second tier, `make test-live`: real modules, through the upstream that the go command of this machine uses. Our
//! build list against `go list -m all`, our graph against `go mod graph`, our zips against what `go mod download`
//! fetches, and the zips that loading packages opens against those that the go command opens when it lists the same
//! packages. There should be no difference, and the table says what there is.
//!
//! Ignored by default, since it needs that upstream: `make test-live`. `MODFERRY_LIVE_MODCACHE` names a module cache that
//! is kept, so that all is downloaded once; `MODFERRY_LIVE_SELECTION` a file of `module@version` lines instead of
//! tests/sets/selection.txt.
#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use modferry_bundler::cache::FileAt;
use modferry_bundler::select::gomod::GoMod;
use modferry_bundler::select::mvs::{Main, Resolver, Selection, Summary};
use modferry_bundler::select::packages::constraint::Tags;
use modferry_bundler::select::packages::load::{Loader, Subject, Task};
use modferry_bundler::select::packages::{checkout, zip_packages};
use modferry_protocol::module::{ModulePath, ModuleVersion};

/// What is kept from run to run, and served to clients that have nothing.
struct Kept {
    modcache: PathBuf,
    upstream: String,
}

impl Kept {
    /// A go command in this folder, with this module cache.
    fn go(
        &self,
        dir: &Path,
        modcache: &Path,
        goproxy: &str,
        args: &[&str],
    ) -> Result<String, String> {
        let output = Command::new("go")
            .args(args)
            .current_dir(dir)
            .env("GOMODCACHE", modcache)
            .env("GOPROXY", goproxy)
            .env("GOFLAGS", "-modcacherw -mod=mod")
            .env("GOWORK", "off")
            .env("GOTOOLCHAIN", "local")
            .env("CGO_ENABLED", "1")
            .env("GOOS", "linux")
            .env("GOARCH", "amd64")
            .output()
            .unwrap();
        let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
        match output.status.success() {
            true => Ok(text(&output.stdout)),
            false => Err(format!("go {args:?}: {}", text(&output.stderr))),
        }
    }

    /// With what is kept, which grows.
    fn online(&self, dir: &Path, args: &[&str]) -> Result<String, String> {
        self.go(dir, &self.modcache, &self.upstream, args)
    }

    fn file(&self, module: &ModuleVersion, kind: &str) -> PathBuf {
        let folder = self.modcache.join("cache/download");
        let folder = folder.join(module.path().escaped()).join("@v");
        folder.join(format!("{}.{kind}", module.version().escaped()))
    }

    /// Has a file of a module, from upstream if it was not kept; `None` where upstream does not have it.
    fn has(&self, module: &ModuleVersion, kind: &str, elsewhere: &Path) -> Option<PathBuf> {
        let path = self.file(module, kind);
        if !path.exists() {
            self.online(elsewhere, &["mod", "download", &module.to_string()])
                .ok()?;
        }
        path.exists().then_some(path)
    }

    fn summary(&self, module: &ModuleVersion, elsewhere: &Path) -> Option<Arc<Summary>> {
        let text = fs::read(self.has(module, "mod", elsewhere)?).unwrap();
        Some(Arc::new(Summary::of(&GoMod::parse_lax(&text).unwrap())))
    }
}

/// One module's figures and differences.
#[derive(Default)]
struct Row {
    list: usize,
    graph: usize,
    download: usize,
    /// Carried besides those.
    besides: usize,
    build: usize,
    test: usize,
    tidy: usize,
    spent: Duration,
    differences: Vec<String>,
}

impl Row {
    fn compare<T: Ord + std::fmt::Display>(
        &mut self,
        what: &str,
        ours: &BTreeSet<T>,
        theirs: &BTreeSet<T>,
    ) {
        let shown = |of: Vec<&T>| {
            let names: Vec<String> = of.iter().take(5).map(ToString::to_string).collect();
            format!("{} ({})", of.len(), names.join(", "))
        };
        let (more, less): (Vec<&T>, Vec<&T>) = (
            ours.difference(theirs).collect(),
            theirs.difference(ours).collect(),
        );
        if !more.is_empty() {
            self.differences
                .push(format!("{what}: only ours {}", shown(more)));
        }
        if !less.is_empty() {
            self.differences
                .push(format!("{what}: only theirs {}", shown(less)));
        }
    }
}

#[test]
#[ignore = "needs the configured GOPROXY: make test-live"]
fn selection_is_the_go_commands_for_real_modules() {
    let folder = tempfile::tempdir().unwrap();
    let modcache = env::var_os("MODFERRY_LIVE_MODCACHE")
        .map_or_else(|| folder.path().join("modcache"), PathBuf::from);
    fs::create_dir_all(&modcache).unwrap();
    let asked = Command::new("go")
        .args(["env", "GOPROXY"])
        .output()
        .unwrap();
    let kept = Kept {
        modcache: modcache.canonicalize().unwrap(),
        upstream: String::from_utf8(asked.stdout).unwrap().trim().to_owned(),
    };
    let set = env::var_os("MODFERRY_LIVE_SELECTION").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/sets/selection.txt"),
        PathBuf::from,
    );
    let set = fs::read_to_string(set).unwrap();
    let (mut rows, mut unlike) = (0, 0);
    println!(
        "| module | list | graph | download | besides | build | test | tidy | ms | differences |"
    );
    println!("|---|--:|--:|--:|--:|--:|--:|--:|--:|---|");
    for name in set.lines().filter(|line| !line.starts_with('#')) {
        let dir = folder.path().join(format!("{rows}"));
        match row(&kept, name, &dir) {
            Ok(row) => {
                let told = match row.differences.is_empty() {
                    true => "none".to_owned(),
                    false => row.differences.join("; "),
                };
                unlike += usize::from(!row.differences.is_empty());
                println!(
                    "| {name} | {} | {} | {} | {} | {} | {} | {} | {} | {told} |",
                    row.list,
                    row.graph,
                    row.download,
                    row.besides,
                    row.build,
                    row.test,
                    row.tidy,
                    row.spent.as_millis()
                );
            }
            Err(why) => {
                unlike += 1;
                let why: Vec<&str> = why.lines().take(3).collect();
                println!(
                    "| {name} | | | | | | | | the go command fails: {} |",
                    why.join(" ")
                );
            }
        }
        rows += 1;
    }
    assert!(rows >= 30, "only {rows} modules");
    assert_eq!(unlike, 0, "{unlike} of {rows} modules differ");
}

/// A writable copy of the module as it is in the module cache, with a go.mod.
fn checked_out(kept: &Kept, name: &str, dir: &Path) -> Result<(), String> {
    fs::create_dir_all(dir).unwrap();
    let info = kept.online(dir, &["mod", "download", "-json", name])?;
    let info: serde_json::Value = serde_json::from_str(&info).unwrap();
    copy(Path::new(info["Dir"].as_str().unwrap()), dir);
    if !dir.join("go.mod").exists() {
        fs::copy(info["GoMod"].as_str().unwrap(), dir.join("go.mod")).unwrap();
    }
    // What it names in folders of its repository is not in its zip; it is built as others build it.
    let go_mod = fs::read_to_string(dir.join("go.mod")).unwrap();
    let file = GoMod::parse(go_mod.as_bytes()).map_err(|error| error.to_string())?;
    for replace in &file.replace {
        let old = match &replace.version {
            Some(version) => format!("{}@{version}", replace.path),
            None => replace.path.clone(),
        };
        kept.online(dir, &["mod", "edit", &format!("-dropreplace={old}")])?;
    }
    Ok(())
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &target),
            false => fs::write(target, fs::read(entry.path()).unwrap()).unwrap(),
        }
    }
}

fn row(kept: &Kept, name: &str, dir: &Path) -> Result<Row, String> {
    checked_out(kept, name, dir)?;
    let elsewhere = dir.with_extension("elsewhere");
    fs::create_dir_all(&elsewhere).unwrap();
    let mut row = Row::default();

    // As it is before any command writes to it.
    let text = fs::read(dir.join("go.mod")).unwrap();
    let file = GoMod::parse(&text).map_err(|error| error.to_string())?;
    let main = Main::of(&file).map_err(|error| error.to_string())?;

    // Commands write to it; each finds it as it was.
    let restore = || fs::write(dir.join("go.mod"), &text).unwrap();
    let began = Instant::now();
    let (ours, mods) = load(kept, main.clone(), Task::Build, &Tags::Any, &elsewhere);
    let resolved = resolve(kept, main.clone(), &elsewhere);
    row.spent = began.elapsed();

    let listed = kept.online(
        dir,
        &[
            "list",
            "-m",
            "-f",
            "{{if not .Main}}{{.Path}}@{{.Version}}{{end}}",
            "all",
        ],
    )?;
    let theirs: BTreeSet<String> = lines(&listed);
    let selected = ours.selected.values().map(ToString::to_string).collect();
    row.list = theirs.len();
    row.compare("list", &selected, &theirs);

    restore();
    let theirs: BTreeSet<String> = kept
        .online(dir, &["mod", "graph"])?
        .lines()
        .filter(|line| {
            !line.contains(" go@") && !line.contains(" toolchain@") && !line.starts_with("go@")
        })
        .map(|line| line.trim_start_matches("toolchain@").to_owned())
        .collect();
    let path = main.name.clone();
    let edges = |from: &str, summary: &Summary| {
        let required = summary
            .require
            .iter()
            .filter(|module| !main.exclude.contains(module));
        required
            .map(|to| format!("{from} {to}"))
            .collect::<Vec<_>>()
    };
    let mut graph: BTreeSet<String> = edges(&path, &main.summary).into_iter().collect();
    for (module, summary) in &mods {
        graph.extend(edges(&module.to_string(), summary));
    }
    row.graph = theirs.len();
    row.compare("graph", &graph, &theirs);

    // What it downloads into a cache that has nothing, out of the one that is kept.
    let proxy = format!(
        "file://{}/cache/download,{}",
        kept.modcache.display(),
        kept.upstream
    );
    let fetched = |what: &str, args: &[&str]| -> Result<BTreeSet<String>, String> {
        restore();
        let fresh = dir.with_extension(what);
        kept.go(dir, &fresh, &proxy, args)?;
        let zips = zips(&fresh);
        fs::remove_dir_all(fresh).ok();
        Ok(zips)
    };
    let theirs = fetched("download", &["mod", "download"])?;
    row.download = theirs.len();
    let mut downloaded = names(&resolved);
    // `go mod download` gives a go.mod that has no go line one of the newest Go, before it looks what to download.
    let pruned = main.summary.pruned || file.go.is_none();
    if pruned && !main.lists_everything {
        // Without an indirect line it counts as a list of wishes, and all that they require is carried besides.
        row.besides = downloaded.difference(&theirs).count();
        downloaded.retain(|name| theirs.contains(name));
    }
    row.compare("download", &downloaded, &theirs);

    // The same packages, listed with all that they need.
    let linux = Tags::Platforms(vec!["linux/amd64".parse().unwrap()]);
    let with_tree = |task| {
        let mut main = main.clone();
        main.tree = Some(Arc::new(
            checkout::read(dir, &Loader::tags(task, &linux)).unwrap(),
        ));
        names(&load(kept, main, task, &linux, &elsewhere).0)
    };
    let (build, test) = (with_tree(Task::Build), with_tree(Task::Test));
    let tidy = with_tree(Task::Tidy);
    let theirs = fetched("build", &["list", "-e", "-deps", "./..."])?;
    row.build = theirs.len();
    row.compare("build", &build, &theirs);
    let theirs = fetched("test", &["list", "-e", "-deps", "-test", "./..."])?;
    row.test = theirs.len();
    row.compare("test", &test, &theirs);
    // Whatever tidying opens is there. A package that no module of the graph has is looked for elsewhere, and the newest
    // version of what has it is opened: that is no part of a build list.
    let theirs = fetched("tidy", &["mod", "tidy"])?;
    row.tidy = theirs.len();
    let known: BTreeSet<&str> = ours.selected.keys().map(ModulePath::as_str).collect();
    let of_graph = theirs.into_iter().filter(|name| {
        let (path, _) = name.split_once('@').unwrap();
        known.contains(path)
    });
    let lacking = of_graph.filter(|name| !tidy.contains(name)).collect();
    row.compare("tidy", &BTreeSet::new(), &lacking);
    Ok(row)
}

fn lines(text: &str) -> BTreeSet<String> {
    text.lines()
        .filter(|line| !line.is_empty())
        .map(str::to_owned)
        .collect()
}

fn names(selection: &Selection) -> BTreeSet<String> {
    selection.whole.iter().map(ToString::to_string).collect()
}

type Mods = BTreeMap<ModuleVersion, Arc<Summary>>;

fn load(kept: &Kept, main: Main, task: Task, tags: &Tags, elsewhere: &Path) -> (Selection, Mods) {
    let mut loader = Loader::new(main, Subject::Main, task);
    let tags = Loader::tags(task, tags);
    let mut mods = Mods::new();
    loop {
        let wanted = loader.wanted();
        if wanted.is_empty() {
            return (loader.selection().unwrap().clone(), mods);
        }
        // What no module of the graph has is left out of the comparison.
        for path in wanted.newest.keys() {
            loader.looked_up(path, None);
        }
        for module in wanted.go_mods {
            let summary = kept.summary(&module, elsewhere);
            loader.loaded(&module, summary.clone());
            mods.extend(summary.map(|summary| (module, summary)));
        }
        for module in wanted.zips {
            let zip = kept.has(&module, "zip", elsewhere);
            let packages = zip.map(|zip| {
                let zip = FileAt::new(fs::File::open(zip).unwrap()).unwrap();
                Arc::new(zip_packages::read(&module, &zip, &tags).unwrap())
            });
            loader.opened(&module, packages);
        }
    }
}

fn resolve(kept: &Kept, main: Main, elsewhere: &Path) -> Selection {
    let (mut resolver, mut wanted) = Resolver::new(main);
    while let Some(module) = wanted.pop() {
        wanted.extend(resolver.loaded(&module, kept.summary(&module, elsewhere)));
    }
    resolver.selection().unwrap().clone()
}

/// The zips in a module cache.
fn zips(modcache: &Path) -> BTreeSet<String> {
    let root = modcache.join("cache/download");
    let (mut found, mut folders) = (BTreeSet::new(), vec![root.clone()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|kind| kind == "zip") {
                let name = path.with_extension("");
                let (module, version) = name
                    .strip_prefix(&root)
                    .unwrap()
                    .to_str()
                    .unwrap()
                    .rsplit_once("/@v/")
                    .unwrap();
                found.insert(format!("{}@{}", unescaped(module), unescaped(version)));
            }
        }
    }
    found
}

/// `!a` stands for `A`.
fn unescaped(escaped: &str) -> String {
    let mut parts = escaped.split('!');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| {
        let (upper, rest) = part.split_at(1);
        text + &upper.to_uppercase() + rest
    })
}
