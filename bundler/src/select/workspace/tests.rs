#![allow(clippy::unwrap_used)]
use std::fs;

use modferry_protocol::module::{ModulePath, ModuleVersion};

use super::*;
use crate::select::mvs::Main;

fn tree(files: &[(&str, &str)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (file, text) in files {
        let path = dir.path().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    dir
}

fn main_of(files: &[(&str, &str)]) -> (tempfile::TempDir, Main) {
    let dir = tree(files);
    let main = read(&dir.path().join("go.work")).unwrap().main;
    (dir, main)
}

fn refusal(files: &[(&str, &str)]) -> String {
    let dir = tree(files);
    let error = read(&dir.path().join("go.work")).unwrap_err();
    let text = modferry_cli::in_one_line(&error);
    text.replace(&format!("{}/", dir.path().display()), "")
}

const WORK: (&str, &str) = ("go.work", "go 1.24\nuse (\n\t./app\n\t./lib/../lib\n)\n");

#[test]
fn all_modules_are_main_modules() {
    let (_dir, main) = main_of(&[
        WORK,
        (
            "app/go.mod",
            "module example.com/app\ngo 1.24\nrequire (\n\texample.com/lib v0.0.0\n\ta.b/c v1.0.0\n\ta.b/x v1.0.0 // indirect\n)\nexclude a.b/x v1.1.0\n",
        ),
        (
            "lib/go.mod",
            "module example.com/lib\ngo 1.16\nrequire a.b/c v1.2.0\n",
        ),
    ]);
    let own: Vec<ModuleVersion> = (["example.com/app@v1.0.0", "example.com/lib@v1.9.0"].iter())
        .map(|name| name.parse().unwrap())
        .collect();
    assert!(own.iter().all(|module| main.fetched(module).is_none()));
    let required: Vec<String> = (main.summary.require.iter())
        .filter_map(|module| main.fetched(module))
        .map(ToString::to_string)
        .collect();
    assert_eq!(required, ["a.b/c@v1.0.0", "a.b/x@v1.0.0", "a.b/c@v1.2.0"]);
    assert_eq!(main.exclude.len(), 1);
    // One of them is from before the graph was pruned, and lists only what it imports itself.
    let unpruned: Vec<String> = main.unpruned.iter().map(ToString::to_string).collect();
    assert_eq!(unpruned, ["a.b/c@v1.2.0"]);
    assert!(main.summary.pruned && !main.lists_everything);
}

#[test]
fn replacements_of_the_workspace_count_first() {
    let app = "module example.com/app\ngo 1.24\nrequire a.b/c v1.0.0\nreplace a.b/c v1.0.0 => ../c\nreplace a.b/d => ../d\nreplace a.b/e => a.b/f v1.0.0\n";
    let lib = "module example.com/lib\ngo 1.24\nreplace a.b/e => a.b/f v1.0.0\n";
    let (dir, main) = main_of(&[
        (
            "go.work",
            "go 1.24\nuse ./app\nuse ./lib\nreplace a.b/c => a.b/g v1.0.0\nreplace a.b/h => ./h\n",
        ),
        ("app/go.mod", app),
        ("lib/go.mod", lib),
    ]);
    let with = |name: &str| {
        let module: ModuleVersion = name.parse().unwrap();
        main.fetched(&module).map(ToString::to_string)
    };
    assert_eq!(with("a.b/c@v1.0.0").unwrap(), "a.b/g@v1.0.0");
    assert_eq!(with("a.b/e@v1.0.0").unwrap(), "a.b/f@v1.0.0");
    assert_eq!((with("a.b/d@v1.0.0"), with("a.b/h@v1.0.0")), (None, None));
    // From where they stand, not from where the go.work stands.
    let folder = |path: &str| With::Folder(dir.path().join(path).display().to_string());
    let all = |path: &str| main.replace_all.get(&path.parse::<ModulePath>().unwrap());
    assert_eq!(
        (all("a.b/d"), all("a.b/h")),
        (Some(&folder("d")), Some(&folder("h")))
    );
}

#[test]
fn a_module_may_have_a_path_that_no_proxy_has() {
    let (_dir, main) = main_of(&[
        WORK,
        ("app/go.mod", "module app\ngo 1.24\nrequire lib v0.0.0\n"),
        ("lib/go.mod", "module lib\ngo 1.24\n"),
    ]);
    assert!(main.summary.require.is_empty() && main.lists_everything);
}

#[test]
fn each_fault_names_its_file() {
    let module = |name: &str, rest: &str| format!("module {name}\ngo 1.24\n{rest}");
    let (app, lib) = (module("a.b/app", ""), module("a.b/lib", ""));
    let of = |app: &str, lib: &str| refusal(&[WORK, ("app/go.mod", app), ("lib/go.mod", lib)]);
    assert!(refusal(&[]).starts_with("cannot read go.work"));
    assert!(refusal(&[WORK]).starts_with("cannot read app/go.mod, which go.work:3 uses"));
    assert!(refusal(&[("go.work", "use (\n")]).starts_with("go.work: line "));
    assert!(of("require\n", &lib).starts_with("app/go.mod: line 1: "));
    assert_eq!(
        of(&app, &app),
        "go.work: module a.b/app is used twice, from app/go.mod and from lib/go.mod"
    );
    assert_eq!(
        of(&app, &module("a.b/lib", "require x v1.0.0\n")),
        "lib/go.mod: x@v1.0.0 is no module version"
    );
    let one = module("a.b/app", "replace a.b/c => a.b/d v1.0.0\n");
    let other = module("a.b/lib", "replace a.b/c => a.b/d v1.1.0\n");
    assert!(of(&one, &other).starts_with("go.work: a.b/c is replaced in two ways"));
    assert!(of(&one, &other).ends_with("see lib/go.mod"));
}

#[test]
fn a_workspace_has_so_many_modules_at_most() {
    let uses = |count: usize| format!("go 1.24\n{}", "use ./a\n".repeat(count));
    assert!(refusal(&[("go.work", &uses(MAX_USES + 1))]).contains("more than 10000 modules"));
    assert!(refusal(&[("go.work", &uses(MAX_USES))]).starts_with("cannot read a/go.mod"));
}
