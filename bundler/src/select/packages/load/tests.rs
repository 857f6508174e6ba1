#![allow(clippy::unwrap_used)]
use std::collections::BTreeMap;

use super::*;
use crate::select::gomod::GoMod;
use crate::select::main_module::{Local, Summary};
use crate::select::packages::folders::Collector;
use crate::select::packages::imports::Header;
use crate::select::packages::world::MAX_LOOKED_UP;

/// `import`s of a folder's files, and of its test files.
type Folders<'a> = &'a [(&'a str, &'a str, &'a str)];

fn packages(folders: Folders<'_>) -> Arc<Packages> {
    let mut collector = Collector::new(&Tags::Any);
    for (folder, imports, test_imports) in folders {
        for (name, imports) in [("a.go", imports), ("a_test.go", test_imports)] {
            let header = Header {
                imports: imports.split_whitespace().map(str::to_owned).collect(),
                len: 0,
            };
            collector.add(folder, name, Some((&header, b""))).unwrap();
        }
    }
    Arc::new(collector.finish())
}

/// Modules by name: their requirements, and their packages if these can be known.
#[derive(Default)]
struct World(BTreeMap<ModuleVersion, (Arc<Summary>, Option<Arc<Packages>>)>);

fn summary(go_mod: &str) -> Arc<Summary> {
    Arc::new(Summary::of(&GoMod::parse_lax(go_mod.as_bytes()).unwrap()))
}

impl World {
    fn with(mut self, name: &str, go_mod: &str, folders: Option<Folders<'_>>) -> World {
        let module = name.parse().unwrap();
        self.0
            .insert(module, (summary(go_mod), folders.map(packages)));
        self
    }

    /// The zips that are needed, and the go.mod files that were read besides.
    fn load(&self, main: Main, subject: Subject, task: Task) -> (String, String) {
        // In the order of versions, so that the last one is the newest.
        let newest =
            |path: &ModulePath| self.0.keys().rfind(|module| module.path() == path).cloned();
        self.load_with(&mut Loader::new(main, subject, task), newest)
    }

    /// The same, where these versions are the newest.
    fn load_with(
        &self,
        loader: &mut Loader,
        mut newest: impl FnMut(&ModulePath) -> Option<ModuleVersion>,
    ) -> (String, String) {
        let mut read = BTreeSet::new();
        loop {
            let wanted = loader.wanted();
            if wanted == Needs::default() {
                break;
            }
            for module in wanted.go_mods {
                let summary = self.0.get(&module).map(|(summary, _)| summary.clone());
                loader.loaded(&module, summary);
                assert!(read.insert(module), "wanted twice");
            }
            for module in wanted.zips {
                let known = self.0.get(&module).and_then(|(_, it)| it.clone());
                loader.opened(&module, known);
            }
            for (path, _) in wanted.newest {
                loader.looked_up(&path, newest(&path));
            }
        }
        let whole = &loader.selection().unwrap().whole;
        let names = |modules: Vec<&ModuleVersion>| {
            let names = modules.iter().map(|module| {
                let name = module.to_string();
                let (path, version) = name.split_once("@v1.").unwrap();
                format!(
                    "{}{}",
                    path.trim_start_matches("m.test/"),
                    version.trim_end_matches(".0")
                )
            });
            names.collect::<Vec<_>>().join(" ")
        };
        let besides = read.difference(whole).collect();
        (names(whole.iter().collect()), names(besides))
    }
}

fn main(go_mod: &str, folders: Folders<'_>) -> Main {
    let mut main = Main::of(&GoMod::parse(go_mod.as_bytes()).unwrap()).unwrap();
    main.tree = Some(packages(folders));
    main
}

/// a imports b; b's test imports t; x is required and never imported.
fn chain() -> World {
    World::default()
        .with(
            "m.test/a@v1.0.0",
            "go 1.17\nrequire m.test/b v1.1.0\nrequire m.test/x v1.0.0\n",
            Some(&[("", "fmt m.test/b/p", ""), ("cmd", "m.test/a", "m.test/u")]),
        )
        .with("m.test/b@v1.0.0", "", Some(&[]))
        .with(
            "m.test/b@v1.1.0",
            "go 1.17\nrequire m.test/t v1.0.0\n",
            Some(&[("p", "", "m.test/t")]),
        )
        .with("m.test/t@v1.0.0", "", Some(&[("", "", "m.test/v")]))
        .with("m.test/u@v1.0.0", "", Some(&[("", "", "")]))
        .with("m.test/x@v1.0.0", "", Some(&[("", "", "")]))
}

const PROJECT: &str = "module my/project\ngo 1.17\nrequire m.test/a v1.0.0\nrequire m.test/b v1.1.0 // indirect\n\
                       require m.test/u v1.0.0\n";

#[test]
fn building_opens_what_is_imported_and_testing_what_tests_import() {
    let project = || {
        main(
            PROJECT,
            &[("", "m.test/a os", "m.test/u"), ("sub", "my/project", "")],
        )
    };
    let load = |task| chain().load(project(), Subject::Main, task).0;
    assert_eq!(load(Task::Build), "a0 b1");
    assert_eq!(load(Task::Test), "a0 b1 u0");
    // Tests of what is imported, and no further.
    assert_eq!(load(Task::Tidy), "a0 b1 t0 u0");
    let (_, read) = chain().load(project(), Subject::Main, Task::Build);
    assert_eq!(read, "u0", "the graph behind what is pruned is not read");
}

#[test]
fn a_module_that_is_named_is_built_by_itself_and_imported() {
    let named: ModuleVersion = "m.test/a@v1.0.0".parse().unwrap();
    let load = |task| {
        let subject = Subject::Module(named.clone());
        chain().load(Main::requiring(named.clone()), subject, task)
    };
    let (zips, read) = load(Task::Build);
    assert_eq!(zips, "a0 b1");
    // b is a root once it is imported, and what it requires is in the graph then.
    assert_eq!(read, "");
    // u, which a test of its imports, is required by nothing.
    assert_eq!(load(Task::Test).0, "a0 b1 u0");
    assert_eq!(load(Task::Tidy).0, "a0 b1 t0 u0");
}

#[test]
fn what_only_might_have_a_package_is_opened_too() {
    let world = World::default()
        .with("m.test/a@v1.0.0", "", Some(&[("", "", "")]))
        .with("m.test/a/b@v1.0.0", "", Some(&[("c", "", "")]))
        .with("m.test/a/b/c/d@v1.0.0", "", Some(&[("", "", "")]));
    let go_mod = "module main\ngo 1.17\nrequire m.test/a v1.0.0\nrequire m.test/a/b v1.0.0\n\
                  require m.test/a/b/c/d v1.0.0\n";
    let main = main(go_mod, &[("", "m.test/a/b/c", "")]);
    let (zips, _) = world.load(main, Subject::Main, Task::Build);
    assert_eq!(zips, "a0 a/b0");
}

#[test]
fn where_packages_cannot_be_known_all_that_is_required_is_needed() {
    let world = World::default()
        .with(
            "m.test/a@v1.0.0",
            "go 1.17\nrequire m.test/b v1.0.0\n",
            None,
        )
        .with(
            "m.test/b@v1.0.0",
            "require m.test/c v1.2.0\n",
            Some(&[("", "", "")]),
        )
        .with("m.test/c@v1.2.0", "", Some(&[("", "", "")]))
        .with("m.test/d@v1.0.0", "", Some(&[("", "", "")]));
    let go_mod = "module main\ngo 1.17\nrequire m.test/a v1.0.0\nrequire m.test/d v1.0.0\n";
    let main = main(go_mod, &[("", "m.test/a/any", "")]);
    let (zips, _) = world.load(main, Subject::Main, Task::Build);
    assert_eq!(zips, "a0 b0 c2");
}

#[test]
fn what_a_new_root_raises_is_opened_at_both_versions() {
    // c is not listed, as it should be; once it is a root, what it requires counts.
    let world = World::default()
        .with(
            "m.test/a@v1.0.0",
            "go 1.17\nrequire m.test/b v1.0.0\nrequire m.test/c v1.0.0\n",
            Some(&[("", "m.test/b m.test/c", "")]),
        )
        .with("m.test/b@v1.0.0", "go 1.17\n", Some(&[("", "", "")]))
        .with("m.test/b@v1.3.0", "go 1.17\n", Some(&[("", "", "")]))
        .with(
            "m.test/c@v1.0.0",
            "go 1.17\nrequire m.test/b v1.3.0\n",
            Some(&[("", "", "")]),
        );
    let main = main(
        "module main\ngo 1.17\nrequire m.test/a v1.0.0\n",
        &[("", "m.test/a", "")],
    );
    let (zips, _) = world.load(main, Subject::Main, Task::Build);
    assert_eq!(zips, "a0 b0 b3 c0");
}

#[test]
fn folders_stand_in_for_modules() {
    let go_mod = "module main\ngo 1.17\nrequire m.test/a v1.0.0\nrequire lib v0.0.0\n\
                  replace m.test/a => ./a\nreplace lib => ./lib\n";
    let mut main = main(go_mod, &[("", "m.test/a lib/x", "")]);
    let local = |go_mod: &str, folders: Folders<'_>| {
        Arc::new(Local {
            summary: summary(go_mod),
            packages: packages(folders),
        })
    };
    let a = local("require m.test/b v1.0.0\n", &[("", "m.test/b", "")]);
    let lib = local(
        "go 1.17\nrequire m.test/c v1.0.0\n",
        &[("x", "m.test/c", "")],
    );
    main.locals = [("./a".into(), a), ("./lib".into(), lib.clone())].into();
    main.nameless = [("lib".into(), lib)].into();
    let world = World::default()
        .with("m.test/b@v1.0.0", "", Some(&[("", "", "")]))
        .with("m.test/c@v1.0.0", "", Some(&[("", "", "")]));
    let (zips, _) = world.load(main, Subject::Main, Task::Build);
    assert_eq!(zips, "b0 c0");
}

/// a, which requires nothing, imports packages of n, which requires b, and of x.
fn incomplete() -> World {
    World::default()
        .with(
            "m.test/a@v1.0.0",
            "",
            Some(&[("", "m.test/n/p", "m.test/x/y")]),
        )
        .with("m.test/b@v1.0.0", "", Some(&[("", "", "")]))
        .with("m.test/b@v1.5.0", "", Some(&[("", "", "")]))
        .with("m.test/n@v1.0.0", "", Some(&[("p", "", "")]))
        .with(
            "m.test/n@v1.1.0",
            "go 1.17\nrequire m.test/b v1.0.0\n",
            Some(&[("p", "m.test/b", "")]),
        )
        .with("m.test/x@v1.0.0", "", Some(&[("", "", "")]))
        .with("m.test/x/y@v1.0.0", "", Some(&[("", "", "")]))
}

#[test]
fn what_packages_import_and_nothing_requires_is_looked_up() {
    let module: ModuleVersion = "m.test/a@v1.0.0".parse().unwrap();
    let named = |task| {
        let subject = Subject::Module(module.clone());
        incomplete()
            .load(Main::requiring(module.clone()), subject, task)
            .0
    };
    assert_eq!(named(Task::Build), "a0 b0 n1");
    assert_eq!(named(Task::Test), "a0 b0 n1 x/y0");
    assert_eq!(named(Task::Complete), "a0 b0 n1 x/y0");
    let project = |go: &str, task| {
        let go_mod = format!("module main\n{go}require m.test/a v1.0.0\n");
        let main = main(&go_mod, &[("", "m.test/a", "")]);
        incomplete().load(main, Subject::Main, task).0
    };
    // What is built there has the requirements that it has.
    assert_eq!(project("go 1.17\n", Task::Build), "a0");
    for go in ["", "go 1.17\n"] {
        assert_eq!(project(go, Task::Tidy), "a0 b0 n1 x/y0", "{go}");
    }
}

#[test]
fn the_longest_path_counts_that_has_the_package_and_no_version_before_the_selected_one() {
    let world = World::default()
        .with(
            "m.test/a@v1.0.0",
            "",
            Some(&[("", "m.test/n/p/q m.test/o/p m.test/s/p", "")]),
        )
        // No package q here, so that it is looked into, and passed over.
        .with("m.test/n/p@v1.3.0", "", Some(&[("", "", "")]))
        .with("m.test/n@v1.0.0", "", Some(&[("p/q", "", "")]))
        .with("m.test/o/p@v1.2.0", "", Some(&[("", "", "")]))
        .with("m.test/o@v1.0.0", "", Some(&[("p", "", "")]));
    let load = |go_mod: &str, newest: &str, selected: &str| {
        let world = World(world.0.clone())
            .with(newest, "", Some(&[("p", "", "")]))
            .with(selected, "", Some(&[("", "", "")]));
        let main = main(go_mod, &[("", "m.test/a", "")]);
        let mut loader = Loader::new(main, Subject::Main, Task::Tidy);
        let newest: ModuleVersion = newest.parse().unwrap();
        let whole = world.load_with(&mut loader, |path| {
            let newest = (newest.path() == path).then(|| newest.clone());
            newest.or_else(|| {
                world
                    .0
                    .keys()
                    .rfind(|module| module.path() == path)
                    .cloned()
            })
        });
        (
            whole.0,
            loader
                .completed()
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join(" "),
        )
    };
    let go_mod = "module main\ngo 1.17\nrequire m.test/a v1.0.0\nrequire m.test/s v1.1.0\n";
    let (whole, added) = load(go_mod, "m.test/s@v1.2.0", "m.test/s@v1.1.0");
    assert_eq!(whole, "a0 n0 n/p3 o/p2 s1 s2");
    assert_eq!(added, "m.test/n@v1.0.0 m.test/o/p@v1.2.0 m.test/s@v1.2.0");
    let (whole, added) = load(go_mod, "m.test/s@v1.0.0", "m.test/s@v1.1.0");
    assert_eq!(whole, "a0 n0 n/p3 o/p2 s1");
    assert_eq!(added, "m.test/n@v1.0.0 m.test/o/p@v1.2.0");
}

#[test]
fn what_a_project_replaces_comes_before_what_upstream_has() {
    let go_mod = "module main\ngo 1.17\nreplace m.test/n => ./n\nreplace m.test/x/y v1.4.0 => m.test/z v1.0.0\n\
                  replace m.test/x => m.test/z v1.0.0\nreplace m.test/v/v2 => ./n\n";
    let mut main = main(go_mod, &[("", "m.test/n/p m.test/x/y/q m.test/v/v2/p", "")]);
    let local = Local {
        summary: summary("require m.test/b v1.5.0\n"),
        packages: packages(&[("p", "m.test/b", "")]),
    };
    main.locals = [("./n".into(), Arc::new(local))].into();
    let world = incomplete().with(
        "m.test/z@v1.0.0",
        "",
        Some(&[("q", "", ""), ("y/q", "", "")]),
    );
    let mut loader = Loader::new(main, Subject::Main, Task::Tidy);
    let (whole, _) = world.load_with(&mut loader, |path| panic!("{path} is looked up"));
    assert_eq!(whole, "b5 z0");
    let added: Vec<String> = loader.completed().iter().map(ToString::to_string).collect();
    assert_eq!(
        added.join(" "),
        "m.test/n@v0.0.0-00010101000000-000000000000 m.test/v/v2@v2.0.0-00010101000000-000000000000 m.test/x/y@v1.4.0"
    );
}

#[test]
fn how_much_is_looked_up_is_bounded() {
    let asked = |imports: usize| {
        // Each of them may be in a module of its own, and all of them in m.test.
        let imports: String = (1..imports).map(|n| format!("m.test/x{n} ")).collect();
        let main = main("module main\ngo 1.17\n", &[("", &imports, "")]);
        let mut loader = Loader::new(main, Subject::Main, Task::Tidy);
        let mut asked = 0;
        World::default().load_with(&mut loader, |_| {
            asked += 1;
            None
        });
        (asked, loader.has_too_many())
    };
    assert_eq!(asked(MAX_LOOKED_UP), (MAX_LOOKED_UP, false));
    assert_eq!(asked(MAX_LOOKED_UP + 1), (MAX_LOOKED_UP, true));
}

#[test]
fn a_project_without_files_may_import_whatever_its_graph_has() {
    // While b is not what a makes it, p is newer than it is then.
    let world = World::default()
        .with(
            "m.test/a@v1.0.0",
            "require m.test/b v1.1.0\nrequire m.test/p v1.0.0\n",
            Some(&[("", "m.test/b m.test/late", "m.test/t")]),
        )
        .with(
            "m.test/b@v1.0.0",
            "go 1.21\nrequire m.test/p v1.1.0\n",
            Some(&[("", "", "")]),
        )
        .with("m.test/b@v1.1.0", "", Some(&[("", "", "")]))
        .with("m.test/p@v1.0.0", "", Some(&[("", "", "")]))
        .with("m.test/p@v1.1.0", "", Some(&[("", "", "")]))
        .with("m.test/late@v1.0.0", "", Some(&[("", "", "")]))
        .with("m.test/t@v1.0.0", "", Some(&[("", "", "")]));
    let go_mod = "module m\ngo 1.21\nrequire m.test/a v1.0.0\nrequire m.test/b v1.0.0\n";
    let main = Main::of(&GoMod::parse(go_mod.as_bytes()).unwrap()).unwrap();
    let (zips, _) = world.load(main, Subject::Required, Task::Tidy);
    assert_eq!(zips, "a0 b0 b1 late0 p0 p1 t0");
}
