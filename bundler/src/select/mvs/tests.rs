#![allow(clippy::unwrap_used)]
use super::*;
use crate::select::gomod::GoMod;
use std::collections::HashMap;
use std::sync::Arc;

/// go.mod files by `path@version`; each `go` line's absence means unpruned.
struct World(HashMap<ModuleVersion, GoMod>);

impl World {
    /// `module [go1.17] -> requirement requirement`, one a line; paths are letters below m.test/.
    fn new(text: &str) -> World {
        let mut files = HashMap::new();
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let (head, requires) = line.split_once("->").unwrap();
            let pruned = head.contains("go1.17");
            let name = head.split_whitespace().next().unwrap();
            let mut mod_text = String::new();
            if pruned {
                mod_text.push_str("go 1.17\n");
            }
            for require in requires.split_whitespace() {
                let require = module(require);
                mod_text.push_str(&format!(
                    "require {} {}\n",
                    require.path(),
                    require.version()
                ));
            }
            files.insert(module(name), GoMod::parse_lax(mod_text.as_bytes()).unwrap());
        }
        World(files)
    }

    /// The selection, and every go.mod that was read.
    fn resolve(&self, main: Main) -> (Selection, BTreeSet<String>, Resolver) {
        let (mut resolver, mut wanted) = Resolver::new(main);
        let mut read = BTreeSet::new();
        while let Some(next) = wanted.pop() {
            assert!(read.insert(short(&next)), "{next} was wanted twice");
            let loaded = self.0.get(&next).map(|file| Arc::new(Summary::of(file)));
            wanted.extend(resolver.loaded(&next, loaded));
        }
        (resolver.selection().unwrap().clone(), read, resolver)
    }
}

/// `a1` is m.test/a@v1.0.0, `a1.2` is m.test/a@v1.2.0.
fn module(short: &str) -> ModuleVersion {
    let (name, version) = short.split_at(1);
    let minor = version.strip_prefix("1").unwrap();
    let minor = minor.strip_prefix('.').unwrap_or("0");
    ModuleVersion::parse(&format!("m.test/{name}"), &format!("v1.{minor}.0")).unwrap()
}

fn short(module: &ModuleVersion) -> String {
    let minor = module
        .version()
        .as_str()
        .split('.')
        .nth(1)
        .unwrap()
        .to_owned();
    let name = module.path().as_str().trim_start_matches("m.test/");
    if minor == "0" {
        format!("{name}1")
    } else {
        format!("{name}1.{minor}")
    }
}

fn shorts<'a>(modules: impl IntoIterator<Item = &'a ModuleVersion>) -> String {
    modules.into_iter().map(short).collect::<Vec<_>>().join(" ")
}

fn main_of(text: &str) -> Main {
    Main::of(&GoMod::parse(text.as_bytes()).unwrap()).unwrap()
}

#[test]
fn the_highest_required_version_is_selected() {
    let world = World::new("a1 -> b1 c1\nb1 -> d1\nc1 -> d1.2\nd1 -> \nd1.2 -> \nd1.3 ->");
    let (selection, read, _) = world.resolve(Main::requiring(module("a1")));
    assert_eq!(shorts(&selection.whole), "a1 b1 c1 d1.2");
    // Unpruned: every go.mod of the graph is read, that of the version not selected too.
    assert_eq!(
        read.into_iter().collect::<Vec<_>>().join(" "),
        "a1 b1 c1 d1 d1.2"
    );
}

#[test]
fn behind_a_pruned_module_nothing_is_needed_but_the_go_mods_of_what_it_lists() {
    let world = World::new(
        "a1 go1.17 -> b1 c1\nb1 go1.17 -> c1 x1\nc1 go1.17 -> y1\nx1 go1.17 -> z1\ny1 go1.17 ->\nz1 go1.17 ->",
    );
    let (selection, read, _) = world.resolve(Main::requiring(module("a1")));
    assert_eq!(shorts(&selection.whole), "a1 b1 c1");
    assert_eq!(read.into_iter().collect::<Vec<_>>().join(" "), "a1 b1 c1");
    assert_eq!(shorts(selection.selected.values()), "a1 b1 c1 x1 y1");
}

#[test]
fn an_unpruned_module_is_followed_to_its_ends_from_where_it_is_a_root() {
    let world = World::new("a1 go1.17 -> b1\nb1 -> c1\nc1 go1.17 -> d1\nd1 -> e1\ne1 ->");
    let (selection, read, _) = world.resolve(Main::requiring(module("a1")));
    // As dependency of a pruned root b is not followed; once it is a root itself, it is.
    assert_eq!(shorts(&selection.whole), "a1 b1");
    assert_eq!(
        read.into_iter().collect::<Vec<_>>().join(" "),
        "a1 b1 c1 d1 e1"
    );
}

#[test]
fn what_a_root_raises_is_carried_at_both_versions() {
    // b, once it is a root, asks for a newer c than a lists: untidy, but the go command copes.
    let world =
        World::new("a1 go1.17 -> b1 c1\nb1 go1.17 -> c1.1\nc1 go1.17 ->\nc1.1 go1.17 -> d1\nd1 ->");
    let (selection, read, _) = world.resolve(Main::requiring(module("a1")));
    assert_eq!(shorts(&selection.whole), "a1 b1 c1 c1.1");
    assert_eq!(
        read.into_iter().collect::<Vec<_>>().join(" "),
        "a1 b1 c1 c1.1"
    );
}

#[test]
fn cycles_end() {
    let world = World::new("a1 -> b1\nb1 -> a1.1\na1.1 -> b1\n");
    let (selection, read, _) = world.resolve(Main::requiring(module("a1")));
    assert_eq!(shorts(&selection.whole), "a1.1 b1");
    assert_eq!(read.len(), 3);
}

#[test]
fn a_tidy_main_module_needs_what_it_lists() {
    let world = World::new("a1 go1.17 -> b1 x1\nb1 go1.17 -> y1\nx1 go1.17 ->\ny1 go1.17 ->");
    let text = "module m.test/m\ngo 1.17\nrequire m.test/a v1.0.0\nrequire m.test/b v1.0.0";
    let (tidy, ..) = world.resolve(main_of(&format!("{text} // indirect\n")));
    assert_eq!(shorts(&tidy.whole), "a1 b1");
    // Without one indirect line it is a list of wishes.
    let (wishes, ..) = world.resolve(main_of(text));
    assert_eq!(shorts(&wishes.whole), "a1 b1 x1 y1");
    let (old, ..) = world.resolve(main_of(
        "module m.test/m\ngo 1.16\nrequire m.test/a v1.0.0 // indirect\n",
    ));
    assert_eq!(shorts(&old.whole), "a1 b1 x1 y1");
}

#[test]
fn replacements_and_exclusions_of_the_main_module_count() {
    let world = World::new("a1 -> b1 c1\nb1 ->\nc1 -> \nf1 -> g1\ng1 ->\nh1 ->");
    let (selection, read, resolver) = world.resolve(main_of(
        "module m.test/m\nrequire m.test/a v1.0.0\n\
         replace m.test/b v1.0.0 => m.test/f v1.0.0\n\
         replace m.test/h => ../h\n\
         exclude m.test/c v1.0.0\n",
    ));
    assert_eq!(shorts(&selection.whole), "a1 f1 g1");
    assert_eq!(read.into_iter().collect::<Vec<_>>().join(" "), "a1 f1 g1");
    assert_eq!(shorts(&resolver.chain(&module("f1"))), "a1 f1");

    let (local, read, _) = world.resolve(main_of(
        "module m.test/m\nrequire m.test/a v1.0.0\nreplace m.test/a => ./a\n",
    ));
    assert_eq!(shorts(&local.whole), "");
    assert_eq!(local.folders.into_iter().collect::<Vec<_>>(), ["./a"]);
    assert!(read.is_empty());
}

#[test]
fn what_cannot_be_had_is_still_selected_and_has_its_chain() {
    let world = World::new("a1 -> b1\nb1 -> c1\n");
    let (selection, _, resolver) = world.resolve(Main::requiring(module("a1")));
    assert_eq!(shorts(&selection.whole), "a1 b1 c1");
    assert_eq!(shorts(&resolver.chain(&module("c1"))), "a1 b1 c1");
}
