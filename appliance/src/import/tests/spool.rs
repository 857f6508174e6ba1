//! Bundles that are dropped, with no one there.

use super::*;
use crate::import::spool;

#[test]
fn the_spool_sorts_what_is_dropped() {
    let (sumdb, modules) = world(600);
    let site = Site::new(&sumdb);
    let spool = site.dir.path().join("spool");
    let incoming = spool.join("incoming");
    fs::create_dir_all(&incoming).unwrap();
    let first = TestBundle::at(&sumdb, 300, &[&modules[0]], &[]);
    let second = TestBundle::of(&sumdb, &[&modules[0], &modules[500]], &[300]).less(&first, 2);
    let mut copying = TestBundle::of(&sumdb, &[&modules[3]], &[300]);
    copying.sequence = modferry_protocol::bundle::Sequence::new(3).unwrap();
    site.drop_into(&incoming, &second);
    site.drop_into(&incoming, &first);
    let sealed = site.drop_into(&incoming, &copying);
    let volume = incoming.join("test.000003.v001.tar");
    fs::write(&volume, &sealed.volume[..sealed.volume.len() - 512]).unwrap();
    // One that nobody trusted signed, and one whose bytes are wrong.
    let mut foreign = first.clone();
    foreign.stream = "foreign".parse().unwrap();
    let foreign_site = Site {
        dir: tempfile::tempdir().unwrap(),
        key: key("site"),
    };
    foreign_site.drop_into(&incoming, &foreign);
    let mut wrong = first.clone();
    wrong.stream = "wrong".parse().unwrap();
    let mut bytes = site.drop_into(&incoming, &wrong).volume;
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(incoming.join("wrong.000001.v001.tar"), bytes).unwrap();
    fs::write(incoming.join("README"), b"not a bundle").unwrap();

    let run = || {
        let session = Session::begin(&site.store(), false).unwrap();
        let mut told = Vec::new();
        spool::run(&session, &spool, &NoProgress, |spooled| {
            told.push(spool::report_text(spooled))
        })
        .unwrap();
        told.sort();
        told
    };
    let told = run();
    assert_eq!(told.len(), 5, "{told:#?}");
    assert!(
        told[0].starts_with("foreign.000001: refused: "),
        "{told:#?}"
    );
    assert!(
        told[1].starts_with("test.000001.v001.tar: imported"),
        "{told:#?}"
    );
    assert!(
        told[2].starts_with("test.000002.v001.tar: imported"),
        "{told:#?}"
    );
    assert!(told[3].starts_with("test.000003: waiting: "), "{told:#?}");
    assert!(told[4].starts_with("wrong.000001: refused: "), "{told:#?}");
    let names = |folder: &str| {
        let mut names: Vec<_> = fs::read_dir(spool.join(folder))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    };
    assert_eq!(
        names("incoming"),
        ["README", "test.000003.manifest", "test.000003.v001.tar"]
    );
    assert_eq!(names("done").len(), 2 * 4);
    assert_eq!(
        names("refused")[..4],
        [
            "foreign.000001.manifest",
            "foreign.000001.report.json",
            "foreign.000001.report.txt",
            "foreign.000001.v001.tar"
        ]
    );
    let report = fs::read(spool.join("refused/wrong.000001.report.json")).unwrap();
    let report: serde_json::Value = serde_json::from_slice(&report).unwrap();
    assert_eq!(
        (report["spool"].as_str(), report["exit"].as_u64()),
        (Some("refused"), Some(4))
    );

    fs::write(&volume, &sealed.volume).unwrap(); // the copy is done
    let told = run();
    assert!(
        told[0].starts_with("test.000003.v001.tar: imported"),
        "{told:#?}"
    );
    assert_eq!(site.totals().imports, 3);
}

#[test]
fn the_spool_keeps_bundles_when_the_fault_is_not_theirs() {
    let (sumdb, modules) = world(3);
    let site = Site::new(&sumdb);
    let spool = site.dir.path().join("spool");
    fs::create_dir_all(spool.join("incoming")).unwrap();
    site.drop_into(
        &spool.join("incoming"),
        &TestBundle::of(&sumdb, &[&modules[0]], &[]),
    );
    let _held = Session::begin(&site.store(), false).unwrap();
    assert!(Session::begin(&site.store(), false).is_err());
    assert_eq!(fs::read_dir(spool.join("incoming")).unwrap().count(), 2);
}

/// A spool of a site.
struct Spool<'s> {
    site: &'s Site,
    folder: PathBuf,
}

impl<'s> Spool<'s> {
    fn of(site: &'s Site) -> Self {
        let folder = site.dir.path().join("spool");
        fs::create_dir_all(folder.join("incoming")).unwrap();
        Self { site, folder }
    }

    fn incoming(&self, name: &str) -> PathBuf {
        self.folder.join("incoming").join(name)
    }

    fn drop_in(&self, bundle: &TestBundle) -> Sealed {
        self.site.drop_into(&self.folder.join("incoming"), bundle)
    }

    /// The exit code, and what is told, sorted.
    fn run(&self) -> (u8, Vec<String>) {
        let session = Session::begin(&self.site.store(), false).unwrap();
        let mut told = Vec::new();
        let exit = spool::run(&session, &self.folder, &NoProgress, |spooled| {
            told.push(spool::report_text(spooled))
        })
        .unwrap();
        told.sort();
        (exit, told)
    }

    #[track_caller]
    fn tells(&self, exit: u8, beginnings: &[&str]) {
        let (found, told) = self.run();
        assert_eq!((found, told.len()), (exit, beginnings.len()), "{told:#?}");
        for (told, beginning) in told.iter().zip(beginnings) {
            assert!(told.starts_with(beginning), "{told}");
        }
    }

    fn names(&self, folder: &str) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(self.folder.join(folder))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }
}

#[test]
fn what_builds_on_a_later_arrival_or_lacks_a_signature_waits() {
    let (sumdb, modules) = world(600);
    let site = Site::new(&sumdb);
    let spool = Spool::of(&site);
    let first = TestBundle::at(&sumdb, 300, &[&modules[0]], &[]);
    let second = TestBundle::of(&sumdb, &[&modules[0], &modules[1]], &[300]).less(&first, 2);
    spool.drop_in(&second);
    spool.tells(5, &["test.000002: waiting: "]);
    assert_eq!(spool.names("incoming").len(), 2);
    spool.drop_in(&first);
    spool.tells(
        0,
        &[
            "test.000001.v001.tar: imported",
            "test.000002.v001.tar: imported",
        ],
    );

    let trust = TrustStore::of(&site.store());
    let second = key("second");
    trust
        .add(Kind::Bundle, &second.verifier().to_string())
        .unwrap();
    trust.require(2, None).unwrap();
    let mut third = TestBundle::of(&sumdb, &[&modules[3]], &[300]);
    third.sequence = modferry_protocol::bundle::Sequence::new(3).unwrap();
    let sealed = spool.drop_in(&third);
    spool.tells(3, &["test.000003: waiting: "]);
    let both = modferry_protocol::note::add_signature(&sealed.manifest, &second).unwrap();
    fs::write(spool.incoming("test.000003.manifest"), both).unwrap();
    spool.tells(0, &["test.000003.v001.tar: imported"]);
}

#[test]
fn nothing_that_was_sorted_before_is_replaced() {
    let (sumdb, modules) = world(3);
    let site = Site::new(&sumdb);
    let spool = Spool::of(&site);
    for (n, module) in modules.iter().enumerate() {
        spool.drop_in(&TestBundle::of(&sumdb, &[module], &[]));
        spool.tells(0, &["test.000001.v001.tar: imported"]);
        assert_eq!(spool.names("done").len(), (n + 1) * 4);
    }
    assert!(
        spool
            .names("done")
            .contains(&"test.000001.3.report.txt".into())
    );
    let volumes = ["test.000001", "test.000001.2", "test.000001.3"]
        .map(|name| fs::read(spool.folder.join(format!("done/{name}.v001.tar"))).unwrap());
    assert!(volumes[0] != volumes[1] && volumes[1] != volumes[2]);
}

#[test]
fn what_is_still_being_copied_waits() {
    let (sumdb, modules) = world(3);
    let site = Site::new(&sumdb);
    let spool = Spool::of(&site);
    let sealed = spool.drop_in(&TestBundle::of(&sumdb, &[&modules[0]], &[]));
    let manifest = spool.incoming("test.000001.manifest");
    let volume = spool.incoming("test.000001.v001.tar");
    for length in [0, 100, sealed.manifest.len() - 10] {
        fs::write(&manifest, &sealed.manifest[..length]).unwrap();
        spool.tells(0, &["test.000001: waiting: its manifest is still"]);
    }
    fs::remove_file(&manifest).unwrap();
    spool.tells(0, &["test.000001: waiting: its manifest is not there yet"]);
    fs::write(&manifest, &sealed.manifest).unwrap();
    // Its place was made before its bytes came.
    let mut bytes = sealed.volume.clone();
    let written = bytes.len() - 4096;
    bytes[written..].fill(0);
    fs::write(&volume, &bytes).unwrap();
    spool.tells(0, &["test.000001: waiting: the end of one"]);
    fs::write(&volume, &sealed.volume).unwrap();
    spool.tells(0, &["test.000001.v001.tar: imported"]);
}

/// Goes on copying when the bundle's entries are read.
struct Copying(PathBuf);

impl Progress for Copying {
    fn step(&self, _: &str) {
        let mut file = fs::OpenOptions::new().append(true).open(&self.0).unwrap();
        std::io::Write::write_all(&mut file, &[0; 512]).unwrap();
    }
}

#[test]
fn what_changes_while_it_is_looked_at_waits() {
    let (sumdb, modules) = world(3);
    let site = Site::new(&sumdb);
    let spool = Spool::of(&site);
    let mut bytes = spool
        .drop_in(&TestBundle::of(&sumdb, &[&modules[0]], &[]))
        .volume;
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    let volume = spool.incoming("test.000001.v001.tar");
    fs::write(&volume, &bytes).unwrap();
    let session = Session::begin(&site.store(), false).unwrap();
    let mut told = Vec::new();
    let exit = spool::run(
        &session,
        &spool.folder,
        &Copying(volume.clone()),
        |spooled| told.push(spool::report_text(spooled)),
    );
    assert_eq!(exit.unwrap(), 0);
    assert_eq!(
        told,
        ["test.000001: waiting: it changed while it was looked at"]
    );
    drop(session);
    fs::write(&volume, &bytes).unwrap();
    spool.tells(4, &["test.000001: refused: "]);
}

/// The volume with another manifest at its front.
fn with_manifest(sealed: &Sealed, note: &[u8]) -> Vec<u8> {
    let padded = |length: usize| length.next_multiple_of(512);
    let mut header = sealed.volume[..512].to_vec();
    header[124..136].copy_from_slice(format!("{:011o}\0", note.len()).as_bytes());
    header[148..156].fill(b' ');
    let sum: u32 = header.iter().map(|&byte| u32::from(byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:07o}\0").as_bytes());
    let mut content = note.to_vec();
    content.resize(padded(note.len()), 0);
    let rest = &sealed.volume[512 + padded(sealed.manifest.len())..];
    [&header, &content, rest].concat()
}

#[test]
fn one_odd_file_keeps_nothing_else_waiting() {
    let (sumdb, modules) = world(3);
    let site = Site::new(&sumdb);
    let spool = Spool::of(&site);
    let pipe = |name: &str| {
        let mode = rustix::fs::Mode::from(0o600);
        let pipe = rustix::fs::FileType::Fifo;
        rustix::fs::mknodat(rustix::fs::CWD, spool.incoming(name), pipe, mode, 0).unwrap();
    };
    pipe("a.000001.manifest");
    fs::write(spool.incoming("a.000001.v001.tar"), b"").unwrap();
    let mut bundle = TestBundle::of(&sumdb, &[&modules[0]], &[]);
    for (stream, volume_is_pipe) in [("b", false), ("c", true)] {
        bundle.stream = stream.parse().unwrap();
        spool.drop_in(&bundle);
        let volume = format!("{stream}.000001.v001.tar");
        fs::remove_file(spool.incoming(&volume)).unwrap();
        match volume_is_pipe {
            true => pipe(&volume),
            false => fs::create_dir(spool.incoming(&volume)).unwrap(),
        }
    }
    // No disk has room for this one.
    let mut large = bundle.clone();
    large.stream = "large".parse().unwrap();
    let sealed = spool.drop_in(&large);
    let text = String::from_utf8(sealed.manifest.clone()).unwrap();
    let mut manifest = Manifest::parse(&text[..text.find("\n\n").unwrap() + 1]).unwrap();
    manifest.totals.tiles = 1 << 45;
    let note = modferry_protocol::note::sign(&manifest.encode(), &[&site.key]).unwrap();
    fs::write(spool.incoming("large.000001.manifest"), &note).unwrap();
    let volume = with_manifest(&sealed, &note);
    fs::write(spool.incoming("large.000001.v001.tar"), volume).unwrap();
    spool.drop_in(&TestBundle::of(&sumdb, &[&modules[1]], &[]));
    spool.tells(
        7,
        &[
            "a.000001: waiting: cannot read",
            "b.000001: waiting: cannot read",
            "c.000001: waiting: cannot read",
            "large.000001: waiting: large.000001.v001.tar needs about",
            "test.000001.v001.tar: imported",
        ],
    );
    assert_eq!(spool.names("incoming").len(), 8);
}

/// A bundle of several volumes, dropped into the spool.
fn drop_volumes(spool: &Spool<'_>, bundle: &TestBundle) -> Vec<Vec<u8>> {
    let sealed = bundle.seal_in(&[&spool.site.key], Some(64 << 10));
    let volumes = [vec![sealed.volume], sealed.more].concat();
    assert!(volumes.len() > 2);
    for (number, bytes) in (1..).zip(&volumes) {
        let name = bundle.stream.volume_file(bundle.sequence, number);
        fs::write(spool.incoming(&name), bytes).unwrap();
    }
    fs::write(spool.incoming("test.000001.manifest"), sealed.manifest).unwrap();
    volumes
}

#[test]
fn a_bundle_of_several_volumes_waits_for_all_of_them() {
    let (sumdb, modules) = world(120);
    let site = Site::new(&sumdb);
    let spool = Spool::of(&site);
    let all: Vec<_> = modules.iter().collect();
    let volumes = drop_volumes(&spool, &TestBundle::of(&sumdb, &all, &[]));
    let third = spool.incoming("test.000001.v003.tar");
    fs::remove_file(&third).unwrap();
    spool.tells(
        0,
        &["test.000001: waiting: still to come: test.000001.v003.tar"],
    );
    assert!(!site.store().join("volumes").exists(), "nothing is copied");
    fs::write(&third, &volumes[2][..volumes[2].len() - 512]).unwrap();
    spool.tells(0, &["test.000001: waiting: a volume is still being copied"]);
    fs::write(&third, &volumes[2]).unwrap();
    spool.tells(0, &["test.000001: imported"]);
    assert_eq!(spool.names("incoming").len(), 0);
    assert_eq!(spool.names("done").len(), volumes.len() + 3);
    assert_served(&site.reader(), &sumdb, &modules[100]);
}

#[test]
fn a_damaged_volume_is_refused_alone_and_the_others_wait_for_a_good_copy() {
    let (sumdb, modules) = world(120);
    let site = Site::new(&sumdb);
    let spool = Spool::of(&site);
    let all: Vec<_> = modules.iter().collect();
    let volumes = drop_volumes(&spool, &TestBundle::of(&sumdb, &all, &[]));
    let second = spool.incoming("test.000001.v002.tar");
    let mut bytes = volumes[1].clone();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&second, &bytes).unwrap();
    spool.tells(4, &["test.000001.v002.tar: refused: "]);
    assert_eq!(
        spool.names("refused"),
        [
            "test.000001.report.json",
            "test.000001.report.txt",
            "test.000001.v002.tar"
        ]
    );
    assert_eq!(spool.names("incoming").len(), volumes.len());
    spool.tells(0, &["test.000001: waiting: still to come"]);
    // A foreign one is no better.
    fs::write(&second, &volumes[2]).unwrap();
    spool.tells(4, &["test.000001.v002.tar: refused: "]);
    fs::write(&second, &volumes[1]).unwrap();
    spool.tells(0, &["test.000001: imported"]);
    assert_eq!(spool.names("incoming").len(), 0);
}

#[test]
fn a_move_that_was_interrupted_is_finished() {
    let (sumdb, modules) = world(3);
    let site = Site::new(&sumdb);
    let spool = Spool::of(&site);
    let bundle = TestBundle::of(&sumdb, &[&modules[0]], &[]);
    spool.drop_in(&bundle);
    spool.tells(0, &["test.000001.v001.tar: imported"]);
    let done = spool.names("done");
    // As a kill leaves it: between the two renames, and before the first.
    for moved in [1, 0] {
        let names = ["test.000001.v001.tar", "test.000001.manifest"];
        for name in &names[moved..] {
            fs::rename(spool.folder.join("done").join(name), spool.incoming(name)).unwrap();
        }
        let moving: Vec<_> = names
            .iter()
            .map(|name| (name, Path::new("done").join(name)))
            .collect();
        let json = serde_json::to_vec(&moving).unwrap();
        fs::write(spool.folder.join("moving"), json).unwrap();
        spool.tells(0, &[]);
        assert_eq!(spool.names("done"), done);
        assert!(!spool.folder.join("moving").exists());
    }
    // Without that file, too, the manifest of an imported bundle does not wait for volumes that are gone.
    let name = "test.000001.manifest";
    fs::rename(spool.folder.join("done").join(name), spool.incoming(name)).unwrap();
    spool.tells(0, &["test.000001.manifest: already imported"]);
    assert_eq!(spool.names("incoming").len(), 0);
}
