//! Whose bundles get in, as the years go by: several keys, rotation, revocation, lost and stolen keys, and the notes
//! that an attacker would send.

#![allow(clippy::unwrap_used)]

use std::{
    fs::Permissions,
    os::unix::{
        fs::{MetadataExt as _, PermissionsExt as _, chown},
        process::CommandExt as _,
    },
    path::Path,
    process::Command,
};

use modferry_tests::{
    run::{Finished, run, scrub},
    site::{Site, file_with_suffix},
};

/// A site whose store trusts the bundler's key `site`, and keys by other names; `required` of them must sign.
struct Keys {
    site: Site,
    exports: u32,
}

impl Keys {
    #[track_caller]
    fn new(trusted: &[&str], required: u32) -> Self {
        let keys = Self {
            site: Site::new(),
            exports: 0,
        };
        for n in 0..9 {
            let module = format!("example.com/m{n}@v1.0.0");
            keys.site.upstream.add(&module, "-- m.go --\npackage m\n");
        }
        for name in trusted {
            keys.generate(name);
            keys.appliance(&["trust", "add", &keys.public(name)]).ok();
        }
        keys.appliance(&["trust", "require", &required.to_string()])
            .ok();
        keys
    }

    fn generate(&self, name: &str) {
        let folder = self.site.path("keys");
        self.site.bundler(&["keygen", name, "--out", &folder]).ok();
    }

    fn public(&self, name: &str) -> String {
        self.site.path(&format!("keys/{name}.pub"))
    }

    fn secret(&self, name: &str) -> String {
        self.site.path(&format!("keys/{name}.key"))
    }

    #[track_caller]
    fn appliance(&self, args: &[&str]) -> Finished {
        self.site.appliance(args)
    }

    /// The next module of the stream in a bundle that these keys have signed, with these further words.
    #[track_caller]
    fn export(&mut self, signers: &[&str], words: &[&str]) -> String {
        let module = format!("example.com/m{}@v1.0.0", self.exports);
        self.exports += 1;
        let out = self.site.path(&format!("bundle-of-{}", self.exports));
        let key = self.secret(signers[0]);
        let mut args = vec!["export", &module, "--key", &key, "--out", &out];
        args.extend(words);
        self.site.bundler(&args).ok();
        for signer in &signers[1..] {
            self.sign(
                file_with_suffix(&out, ".manifest").to_str().unwrap(),
                signer,
            );
        }
        out
    }

    #[track_caller]
    fn sign(&self, note: &str, signer: &str) {
        let key = self.secret(signer);
        self.site.bundler(&["sign", note, "--key", &key]).ok();
    }

    /// A trust note of these words that these keys have signed.
    #[track_caller]
    fn note(&self, name: &str, signers: &[&str], words: &[&str]) -> String {
        let path = self.site.path(name);
        let key = self.secret(signers[0]);
        let mut args = vec!["trust", "new", "--key", &key, "--out", &path];
        args.extend(words);
        self.site.bundler(&args).ok();
        for signer in &signers[1..] {
            self.sign(&path, signer);
        }
        path
    }

    /// The names of the trusted keys, without their hashes, and how many must sign.
    #[track_caller]
    fn trusted(&self) -> (Vec<String>, u64) {
        let listed = self.appliance(&["trust", "list", "--json"]).ok().json();
        let keys = listed["keys"].as_array().unwrap().iter();
        let bundle = keys.filter(|key| key["kind"] == "bundle");
        let name = |key: &serde_json::Value| {
            let name = key["name"].as_str().unwrap();
            name.split('+').next().unwrap().to_owned()
        };
        let required = listed["required"].as_u64().unwrap();
        (bundle.map(name).collect(), required)
    }

    /// Everything in trust/, to see that nothing of it changed.
    fn snapshot(&self) -> Vec<(String, Vec<u8>)> {
        let mut files = Vec::new();
        let mut folders = vec![self.site.store().join("trust")];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                match path.is_dir() {
                    true => folders.push(path),
                    false => {
                        files.push((path.display().to_string(), std::fs::read(&path).unwrap()))
                    }
                }
            }
        }
        files.sort();
        files
    }
}

#[test]
fn two_of_three_keys() {
    let mut keys = Keys::new(&["b", "c"], 2);
    keys.generate("stranger");
    let one = keys.export(&["site"], &[]);
    keys.appliance(&["import", &one])
        .expect(3)
        .says("1 of the 2 trusted signatures");
    let manifest = file_with_suffix(&one, ".manifest");
    keys.sign(manifest.to_str().unwrap(), "stranger");
    keys.appliance(&["import", &one])
        .expect(3)
        .says("1 of the 2 trusted signatures");
    keys.sign(manifest.to_str().unwrap(), "c");
    keys.appliance(&["verify", &one]).ok();
    keys.appliance(&["import", &one]).ok().says("site+");

    // One stream may ask for more, another for less.
    for (stream, number) in [("strict", "3"), ("canary", "1")] {
        keys.appliance(&["trust", "require", number, "--stream", stream])
            .ok();
    }
    keys.appliance(&["trust", "require", "4", "--stream", "strict"])
        .expect(3)
        .says("4 signatures are required, and 3 keys");
    let strict = keys.export(&["site", "b"], &["--stream", "strict"]);
    keys.appliance(&["import", &strict])
        .expect(3)
        .says("2 of the 3 trusted signatures");
    let canary = keys.export(&["b"], &["--stream", "canary"]);
    keys.appliance(&["import", &canary]).ok();
    keys.sign(
        file_with_suffix(&strict, ".manifest").to_str().unwrap(),
        "c",
    );
    keys.appliance(&["import", &strict]).ok();
    keys.appliance(&["trust", "list"])
        .ok()
        .says("to sign stream strict: 3 of them");
    keys.appliance(&["trust", "require", "default", "--stream", "canary"])
        .ok();
    let canary = keys.export(&["b"], &["--stream", "canary"]);
    keys.appliance(&["import", &canary]).expect(3);
}

#[test]
fn a_rotation_rides_in_a_bundle() {
    let mut keys = Keys::new(&[], 1);
    keys.generate("new");
    let before = keys.export(&["site"], &[]);
    keys.appliance(&["import", &before]).ok();
    let [new, old] = [keys.public("new"), keys.public("site")];
    let words = ["--number", "1", "--add", &new, "--revoke", &old];
    let note = keys.note("rotation.note", &["site"], &words);

    let turning = keys.export(&["site"], &["--trust", &note]);
    keys.appliance(&["verify", &turning])
        .ok()
        .says("would apply trust note 1");
    assert_eq!(keys.trusted().0, ["site"]);
    keys.appliance(&["import", &turning])
        .ok()
        .says("trust note 1 is applied")
        .says("imports signed by revoked keys: 2");
    assert_eq!(keys.trusted(), (vec!["new".into()], 1));
    // The bundle that was signed by the key that it revoked is in, and stays in.
    for bundle in [&turning, &before] {
        keys.appliance(&["import", bundle])
            .ok()
            .says("already imported");
    }
    keys.appliance(&["verify", &turning]).expect(3);
    // It counts no more, whatever it signs.
    let stolen = keys.export(&["site"], &[]);
    let state = keys.snapshot();
    keys.appliance(&["import", &stolen]).expect(3);
    keys.appliance(&["trust", "add", &old])
        .expect(2)
        .says("was revoked here");
    assert_eq!(keys.snapshot(), state);
    // All bundles in one folder: those that are in already do not stand in the way.
    let next = keys.export(&["new"], &["--trust", &note]);
    keys.appliance(&["import", &before, &turning, &next])
        .ok()
        .says("already imported")
        .never_says("trust note 1");
    keys.appliance(&["trust", "list"])
        .ok()
        .says("imports signed by revoked keys: 2")
        .says("trust notes applied");
    let status = keys.appliance(&["status", "--json"]).ok().json();
    let imports = status["revoked_keys_imports"].as_array().unwrap();
    assert_eq!(imports.len(), 2, "{status}");
    keys.appliance(&["status"])
        .ok()
        .says("trust note 1 applied");

    let server = keys.site.serve();
    let go = keys.site.go(&server, "client");
    go.run(&["mod", "download", "example.com/m3@v1.0.0"]).ok();
}

#[test]
fn a_lost_key_is_replaced_by_the_others() {
    let mut keys = Keys::new(&["b", "c"], 2);
    keys.generate("d");
    std::fs::remove_file(keys.secret("c")).unwrap();
    let [lost, fresh] = [keys.public("c"), keys.public("d")];
    let words = ["--number", "1", "--revoke", &lost, "--add", &fresh];
    let note = keys.note("lost.note", &["site", "b"], &words);
    // Alone, without any bundle.
    keys.appliance(&["trust", "apply", &note])
        .ok()
        .says("trust note 1 is applied")
        .says("no import here was signed by a revoked key");
    keys.appliance(&["trust", "apply", &note])
        .ok()
        .says("applied before");
    assert_eq!(
        keys.trusted(),
        (vec!["b".into(), "d".into(), "site".into()], 2)
    );
    let bundle = keys.export(&["d", "b"], &[]);
    keys.appliance(&["import", &bundle]).ok();
    // Nobody can be locked out by a note, however rightly it is signed.
    let [b, site] = [keys.public("b"), keys.public("site")];
    let words = ["--after", &note, "--revoke", &b, "--revoke", &site];
    let all = keys.note("all.note", &["site", "b"], &words);
    keys.appliance(&["trust", "apply", &all])
        .expect(1)
        .says("nobody could sign any more");
}

#[test]
fn a_stolen_key_alone_changes_no_keys() {
    let mut keys = Keys::new(&["b", "c"], 2);
    keys.generate("attacker");
    keys.appliance(&["trust", "require", "1", "--stream", "canary"])
        .ok();
    let [attacker, b] = [keys.public("attacker"), keys.public("b")];
    let words = ["--number", "1", "--add", &attacker, "--revoke", &b];
    let note = keys.note("attack.note", &["site"], &words);
    keys.sign(&note, "attacker");
    let state = keys.snapshot();
    keys.appliance(&["trust", "apply", &note])
        .expect(3)
        .says("1 of the 2 trusted signatures");
    // One signature is enough for a bundle of this stream, and not for what rides in it.
    let bundle = keys.export(&["site"], &["--stream", "canary", "--trust", &note]);
    let imported = keys.appliance(&["import", &bundle]).ok();
    imported
        .says("WARNING: trust note 1 was NOT applied")
        .says("1 of the 2");
    assert_eq!(keys.snapshot(), state);
    // It is told until something else comes.
    keys.appliance(&["status"])
        .ok()
        .says("WARNING: trust note 1 was NOT applied");
    let next = keys.export(&["site"], &["--stream", "canary"]);
    keys.appliance(&["import", &next]).ok();
    keys.appliance(&["status"]).ok().never_says("WARNING");
}

#[test]
fn notes_that_come_again_or_twice_change_nothing() {
    let mut keys = Keys::new(&["b"], 1);
    for name in ["c", "d", "e"] {
        keys.generate(name);
    }
    let [c, d, e] = ["c", "d", "e"].map(|name| keys.public(name));
    let first = keys.note("1.note", &["site"], &["--number", "1", "--add", &c]);
    let second = keys.note(
        "2.note",
        &["b"],
        &["--after", &first, "--revoke", &c, "--add", &d],
    );
    let early = keys.export(&["site"], &["--trust", &second]);
    keys.appliance(&["import", &early])
        .ok()
        .says("trust note 2 was NOT applied")
        .says("comes after trust note 1, which was not applied here");
    let row = keys.export(&["site"], &["--trust", &second, "--trust", &first]);
    keys.appliance(&["import", &row])
        .ok()
        .says("trust note 1 is applied")
        .says("trust note 2 is applied");
    let state = keys.snapshot();
    // The first again, which would bring back the key that the second revoked.
    keys.appliance(&["trust", "apply", &first])
        .ok()
        .says("applied before");
    let old = keys.export(&["site"], &["--trust", &first]);
    keys.appliance(&["import", &old])
        .ok()
        .never_says("trust note 1");
    // Another note of a number that was used.
    let other = keys.note("other.note", &["site"], &["--number", "1", "--add", &e]);
    keys.appliance(&["trust", "apply", &other])
        .expect(1)
        .says("two different ones of this number");
    let fork = keys.export(&["site"], &["--trust", &other]);
    keys.appliance(&["import", &fork])
        .ok()
        .says("WARNING: trust note 1 was NOT applied")
        .says("two different ones");
    assert_eq!(keys.snapshot(), state);
}

#[test]
fn a_note_lowers_no_threshold() {
    let keys = Keys::new(&["b", "c"], 2);
    keys.appliance(&["trust", "require", "3", "--stream", "strict"])
        .ok();
    let words = ["--number", "1", "--require", "1", "--require", "strict=1"];
    let note = keys.note("lower.note", &["site", "b", "c"], &words);
    keys.appliance(&["trust", "apply", &note])
        .ok()
        .says("signatures required: 2, stream strict: 3");
    let words = ["--after", &note, "--require", "3"];
    let note = keys.note("raise.note", &["site", "b", "c"], &words);
    keys.appliance(&["trust", "apply", &note]).ok();
    assert_eq!(keys.trusted().1, 3);
}

#[test]
fn a_note_that_was_altered_refuses_its_bundle() {
    let mut keys = Keys::new(&["b"], 1);
    keys.generate("c");
    let add = keys.public("c");
    let note = keys.note(
        "good.note",
        &["site", "b"],
        &["--number", "1", "--add", &add],
    );
    let altered = keys.site.path("altered.note");
    let text = std::fs::read_to_string(&note).unwrap();
    let at = text.find("created ").unwrap() + "created ".len();
    std::fs::write(&altered, format!("{}1999{}", &text[..at], &text[at + 4..])).unwrap();
    let state = keys.snapshot();
    keys.appliance(&["trust", "apply", &altered])
        .expect(3)
        .says("a signature on it is false");
    let bundle = keys.export(&["site"], &["--trust", &altered]);
    keys.appliance(&["verify", &bundle])
        .expect(3)
        .says("a signature on it is false");
    keys.appliance(&["import", &bundle])
        .expect(3)
        .says("a signature on it is false");
    assert_eq!(keys.snapshot(), state);
    keys.appliance(&["list"]).ok().never_says("example.com");
}

/// The user that imports, where that is not the one who decides whom to trust: another one if root runs this, and else
/// the same one, from whom the right to write trust/ is taken.
struct Importer {
    program: std::path::PathBuf,
    root: bool,
    trust: std::path::PathBuf,
}

/// `nobody`, on every system.
const NOBODY: u32 = 65534;

impl Importer {
    fn new(keys: &Keys) -> Self {
        let root = keys.site.root();
        let is_root = std::fs::metadata(root).unwrap().uid() == 0;
        let importer = Self {
            program: root.join("importer"),
            root: is_root,
            trust: keys.site.store().join("trust"),
        };
        // Where the program was built, another user may not be let in.
        let built = modferry_tests::run::bin_dir().join("modferry-appliance");
        std::fs::hard_link(&built, &importer.program)
            .or_else(|_| std::fs::copy(&built, &importer.program).map(drop))
            .unwrap();
        if is_root {
            std::fs::set_permissions(root, Permissions::from_mode(0o755)).unwrap();
            for folder in ["store", "tmp", "home"] {
                give(&root.join(folder), false);
            }
        }
        importer.forbid();
        importer
    }

    fn forbid(&self) {
        if !self.root {
            each_folder(&self.trust, &mut |folder| {
                std::fs::set_permissions(folder, Permissions::from_mode(0o555)).unwrap();
            });
        }
    }

    /// Gives the administrator the right back that root never loses.
    fn allow(&self) {
        if !self.root {
            each_folder(&self.trust, &mut |folder| {
                std::fs::set_permissions(folder, Permissions::from_mode(0o755)).unwrap();
            });
        }
    }

    #[track_caller]
    fn appliance(&self, keys: &Keys, args: &[&str]) -> Finished {
        let mut command = Command::new(&self.program);
        scrub(&mut command, keys.site.root());
        command.args(args).arg("--store").arg(keys.site.store());
        if self.root {
            command.uid(NOBODY).gid(NOBODY);
        }
        run(&mut command)
    }
}

fn give(path: &Path, with_contents: bool) {
    chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
    if with_contents && path.is_dir() {
        for entry in std::fs::read_dir(path).unwrap() {
            give(&entry.unwrap().path(), true);
        }
    }
}

fn each_folder(folder: &Path, change: &mut impl FnMut(&Path)) {
    change(folder);
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            each_folder(&path, change);
        }
    }
}

/// A site whose next bundle brings a rotation, and the user that imports it there.
fn rotation_for_an_importer() -> (Keys, Importer, String) {
    let mut keys = Keys::new(&[], 1);
    keys.generate("new");
    let [new, old] = [keys.public("new"), keys.public("site")];
    let words = ["--number", "1", "--add", &new, "--revoke", &old];
    let note = keys.note("rotation.note", &["site"], &words);
    let bundle = keys.export(&["site"], &["--trust", &note]);
    let importer = Importer::new(&keys);
    (keys, importer, bundle)
}

#[test]
fn a_note_waits_for_who_may_change_trust() {
    let (mut keys, importer, bundle) = rotation_for_an_importer();
    let state = keys.snapshot();
    let refused = importer.appliance(&keys, &["trust", "require", "1"]);
    assert_ne!(refused.code, 0, "the importer may change trust/: {refused}");
    importer
        .appliance(&keys, &["import", &bundle])
        .ok()
        .says("trust note 1 waits for an administrator")
        .says("trust apply");
    assert_eq!(keys.snapshot(), state);
    assert_eq!(keys.trusted().0, ["site"]);
    importer
        .appliance(&keys, &["status"])
        .ok()
        .says("waiting for an administrator");
    // Until it is applied, the old key counts.
    let next = keys.export(&["site"], &[]);
    importer.appliance(&keys, &["import", &next]).ok();

    importer.allow();
    keys.appliance(&["trust", "apply"])
        .ok()
        .says("trust note 1 is applied")
        .says("imports signed by revoked keys: 2");
    keys.appliance(&["trust", "apply"])
        .ok()
        .says("nothing to do");
    assert_eq!(keys.trusted().0, ["new"]);
    importer.forbid();
    let late = keys.export(&["site"], &[]);
    importer.appliance(&keys, &["import", &late]).expect(3);
    let rightly = keys.export(&["new"], &[]);
    importer.appliance(&keys, &["import", &rightly]).ok();
    // The ledger has learnt of it, from the one who may write the store.
    keys.appliance(&["status"])
        .ok()
        .says("trust note 1 applied")
        .never_says("waiting");
    importer.allow();
}

/// What a kill between the commit of an import and the change of the keys leaves: the note is in the ledger, and
/// nowhere else.
#[test]
fn killed_before_the_keys_change_the_same_import_changes_them() {
    let (keys, importer, bundle) = rotation_for_an_importer();
    importer.appliance(&keys, &["import", &bundle]).ok();
    std::fs::remove_dir_all(keys.site.store().join("trust-pending")).unwrap();
    importer.allow();
    if importer.root {
        give(&importer.trust, true);
    }
    assert_eq!(keys.trusted().0, ["site"]);
    // Signed by the key that is revoked before it is looked at again.
    importer
        .appliance(&keys, &["import", &bundle])
        .ok()
        .says("already imported");
    assert_eq!(keys.trusted().0, ["new"]);
    keys.appliance(&["status"])
        .ok()
        .says("trust note 1 applied");
}
