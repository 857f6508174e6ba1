//! A store that a command is about to change: what is interrupted, starved and cut off. Mostly that command is the import
//! of a second bundle.
//!
//! Before anything goes wrong the command is run once in peace, so that both states are known byte for byte as
//! clients see them. After a fault there are only these two. Anything between is a failure, and so is a store
//! that does not open, a `fsck` that finds something, and a repeated command that does not end in the new state.

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use crate::{
    answers::Answers,
    run::{Finished, run},
    site::{Site, file_with_suffix},
    upstream::noise,
    vulndb,
};

/// The file that goes where one does.
pub const GOES: &str = "goes.bin";

/// Which of the two states a store is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// As before the command.
    Old,
    /// With all that the command does.
    New,
}

/// What a store says and serves in one state.
struct Known {
    answers: Answers,
    listed: String,
}

/// A site whose store is half way between two bundles.
pub struct HalfWay {
    /// The site. Its store is in the old state at first, and after [`HalfWay::restore`].
    pub site: Site,
    /// The folder of the bundle that is imported; empty where the command is no import.
    pub bundle: String,
    /// The modules that clients ask for, those that only one of the two states has among them.
    pub modules: Vec<String>,
    /// How long the command takes when nothing happens to it.
    pub whole: Duration,
    /// The appliance's command that leads from the old state to the new one.
    args: Vec<String>,
    /// What it says when there is nothing left to do.
    nothing_left: &'static str,
    template: PathBuf,
    old: Known,
    new: Known,
}

impl HalfWay {
    /// A site with a second bundle of that many modules of about `bytes` each, in one volume.
    #[track_caller]
    pub fn new(modules: usize, bytes: usize) -> Self {
        Self::exported_with(modules, bytes, &[])
    }

    /// The same, with more words for the export of the second bundle.
    #[track_caller]
    pub fn exported_with(modules: usize, bytes: usize, words: &[&str]) -> Self {
        let mut site = Site::new();
        let hello = "-- hello.go --\npackage hello\n";
        let first: Vec<String> = (0..3)
            .map(|n| format!("example.com/first{n}@v1.0.0"))
            .collect();
        for module in &first {
            site.upstream.add(module, hello);
        }
        let second: Vec<String> = (0..modules)
            .map(|n| format!("example.com/second{n}@v1.0.0"))
            .collect();
        for (number, module) in second.iter().enumerate() {
            let noise = noise(number as u64, bytes);
            site.upstream
                .add(module, &format!("{hello}-- data.txt --\n{noise}"));
        }
        // Each bundle has a vulnerability database, so that one takes the other's place.
        let folder = site.path("vulndb");
        let [before, after] = vulndb::two();
        vulndb::write(Path::new(&folder), &before);
        let mut args: Vec<&str> = first.iter().map(String::as_str).collect();
        args.extend(["--vulndb", &folder]);
        site.carry(&args);
        vulndb::write(Path::new(&folder), &after);
        let mut args = words.to_vec();
        args.extend(["--vulndb", &folder]);
        args.extend(second.iter().map(String::as_str));
        let (exported, bundle) = site.export(&args);
        exported.ok();

        let args = vec!["import".into(), bundle.clone()];
        let modules = [first, second].concat();
        let mut half_way = Self::before(site, modules, args, "already imported");
        half_way.bundle = bundle;
        half_way
    }

    /// A store that is about to lose what its stream no longer names: most of a bundle's modules, and a file.
    #[track_caller]
    pub fn before_gc() -> Self {
        let mut site = Site::new();
        let hello = "-- hello.go --\npackage hello\n";
        let modules: Vec<String> = (0..8).map(|n| format!("example.com/m{n}@v1.0.0")).collect();
        for (number, module) in modules.iter().enumerate() {
            let noise = noise(number as u64, 120_000);
            site.upstream
                .add(module, &format!("{hello}-- data.txt --\n{noise}"));
        }
        let words: Vec<&str> = modules.iter().map(String::as_str).collect();
        // And an opaque file of several chunks.
        let config = site.path("modferry.yaml");
        std::fs::write(site.path(GOES), noise(8, 2_500_000)).unwrap();
        std::fs::write(
            &config,
            format!("files: [{{name: {GOES}, path: {GOES}}}]\n"),
        )
        .unwrap();
        site.carry(&[&words[..], &["--config", &config]].concat());
        site.carry(&["--prune", words[0], words[1], words[2]]);
        let args = vec!["gc".into(), "--yes".into()];
        Self::before(site, modules, args, "nothing")
    }

    /// A site whose store is as it is now, and the appliance's command that changes it.
    #[track_caller]
    pub fn before(
        site: Site,
        modules: Vec<String>,
        args: Vec<String>,
        nothing_left: &'static str,
    ) -> Self {
        let template = PathBuf::from(site.path("template"));
        copy_folder(&site.store(), &template);
        let old = known(&site, &modules);
        let words: Vec<&str> = args.iter().map(String::as_str).collect();
        let started = Instant::now();
        site.appliance(&words).ok();
        let whole = started.elapsed();
        let new = known(&site, &modules);
        assert_ne!(new.answers, old.answers, "the command changes nothing");
        let half_way = Self {
            site,
            bundle: String::new(),
            modules,
            whole,
            args,
            nothing_left,
            template,
            old,
            new,
        };
        half_way.restore();
        half_way
    }

    /// The second bundle's only volume.
    pub fn volume(&self) -> Vec<u8> {
        std::fs::read(file_with_suffix(&self.bundle, ".tar")).unwrap()
    }

    /// Makes the store again as it was before the command.
    pub fn restore(&self) {
        let store = self.site.store();
        if store.exists() {
            std::fs::remove_dir_all(&store).unwrap();
        }
        copy_folder(&self.template, &store);
    }

    /// Makes `folder` such a store, too.
    pub fn copy_old_store(&self, folder: &Path) {
        copy_folder(&self.template, folder);
    }

    /// The command, not started yet.
    pub fn command(&self) -> Command {
        let words: Vec<&str> = self.args.iter().map(String::as_str).collect();
        self.site.appliance_command(&words)
    }

    /// The store opens, is found whole, and serves one of the two states, byte for byte.
    #[track_caller]
    pub fn state(&self) -> State {
        sound(&self.site);
        let now = known(&self.site, &self.modules);
        if now.listed == self.new.listed {
            now.answers
                .assert_eq(&self.new.answers, "half of the new state");
            return State::New;
        }
        assert_eq!(
            now.listed, self.old.listed,
            "neither the old list nor the new one"
        );
        now.answers
            .assert_eq(&self.old.answers, "not quite the old state");
        State::Old
    }

    /// The old state is served, and nothing else.
    #[track_caller]
    pub fn assert_old(&self) {
        assert_eq!(
            self.state(),
            State::Old,
            "something of the second bundle is there"
        );
    }

    /// The same command again ends as if nothing had happened before it, and once more finds nothing left to do.
    #[track_caller]
    pub fn finishes(&self) {
        run(&mut self.command()).ok();
        assert_eq!(self.state(), State::New);
        run(&mut self.command()).ok().says(self.nothing_left);
    }
}

fn known(site: &Site, modules: &[String]) -> Known {
    let server = site.serve();
    Known {
        answers: Answers::of(&server, site.upstream.sumdb(), modules),
        listed: site.appliance(&["list", "--all"]).ok().stdout,
    }
}

/// The store opens, and a check of all that is in it finds nothing.
#[track_caller]
pub fn sound(site: &Site) -> Finished {
    site.appliance(&["fsck"]).ok()
}

/// Copies a folder with all that is in it.
pub fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_folder(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}
