//! Bundles in several volumes: the same checks pass, and every error names the volume's file. And one volume by itself.

use super::*;
use crate::MAX_NAMED;
use crate::volume::{Examined, examine};
use modferry_cli::{Exit, Failure};
use modferry_protocol::bundle::MAX_VOLUMES;
use modferry_protocol::trust::Accepted;
use std::io::{Cursor, ErrorKind, Read};

impl World {
    fn seal_in(&self, bundle: &TestBundle, limit: u64) -> Vec<Vec<u8>> {
        let sealed = bundle.seal_in(&[&self.key], Some(limit));
        [vec![sealed.volume], sealed.more].concat()
    }

    pub(super) fn check_volumes(
        &self,
        stage: &mut MemoryStage,
        volumes: &[Vec<u8>],
    ) -> Result<Report, CheckError> {
        let nth = |number: u32| match volumes.get(number as usize - 1) {
            Some(volume) => Ok(volume.as_slice()),
            None => Err(ErrorKind::NotFound.into()),
        };
        check(nth, None, &self.policy, stage, &NoProgress)
    }

    fn accepted(&self, bundle: &TestBundle) -> Accepted {
        self.policy.accept(&self.seal(bundle).manifest).unwrap()
    }
}

/// The manifest and index at the front of each volume, `volume`, and the end.
fn front(volume: &[u8]) -> u64 {
    let file = |at: usize| {
        let digits = std::str::from_utf8(&volume[at + 124..at + 135]).unwrap();
        512 + u64::from_str_radix(digits, 8)
            .unwrap()
            .next_multiple_of(512)
    };
    let manifest = file(0);
    manifest + file(manifest as usize) + 1024 + 1024
}

fn file_name(number: usize) -> String {
    format!("test.000001.v{number:03}.tar")
}

#[test]
fn every_cut_passes_the_same_checks() {
    let world = World::new();
    let bundle = world.bundle();
    let mut whole = MemoryStage::new();
    let report = world.check_on(&mut whole, &bundle).unwrap();
    assert_eq!(report.volumes, 1);
    let volume = world.seal(&bundle).volume;
    let (front, size) = (front(&volume), volume.len() as u64);
    // From the smallest that gives no more volumes than there may be, to one.
    let least = front + 512 + ((size - front) / u64::from(MAX_VOLUMES)).next_multiple_of(512);
    let mut counts = Vec::new();
    for room in 0..9 {
        let limit = least.max(front + 1024) + (size - least) * room * room / 64;
        let volumes = world.seal_in(&bundle, limit);
        let mut stage = MemoryStage::new();
        let cut = world.check_volumes(&mut stage, &volumes).unwrap();
        assert_eq!(cut.volumes, volumes.len() as u64);
        let comparable = |report: &Report| {
            let mut json = serde_json::to_value(report).unwrap();
            for key in ["volumes", "stage_seconds", "prove_seconds"] {
                json.as_object_mut().unwrap().remove(key).unwrap();
            }
            json
        };
        assert_eq!(comparable(&cut), comparable(&report), "{limit} bytes");
        assert!(stage.items().eq(whole.items()));
        for module in &world.modules {
            let zip = |stage: &MemoryStage| *stage.staged_zip(&module.module).unwrap();
            assert_eq!(zip(&stage), zip(&whole));
        }
        counts.push(volumes.len());
    }
    assert!(counts[0] > 30 && counts.last() == Some(&1), "{counts:?}");
}

#[test]
fn what_is_damaged_or_missing_is_told_with_its_volume() {
    let world = World::new();
    let bundle = world.bundle();
    let size = world.seal(&bundle).volume.len() as u64;
    let good = world.seal_in(&bundle, size / 4);
    assert!(good.len() > 3);
    let refused = |volumes: &[Vec<u8>]| {
        let error = world.check_volumes(&mut MemoryStage::new(), volumes);
        error.unwrap_err()
    };
    let accepted = world.accepted(&bundle);
    for n in 0..good.len() {
        // In what it has of an entry.
        let mut bad = good.clone();
        let at = front(&good[n]) as usize - 512;
        bad[n][at] ^= 1;
        let error = refused(&bad);
        let CheckError::Damaged { volume, entry, .. } = &error else {
            panic!("{error:?}")
        };
        assert_eq!(*volume, file_name(n + 1));
        assert!(entry.starts_with("entry 0"), "{entry}");
        assert_eq!(error.exit(), Exit::Damaged);
        let advice = error.advice().unwrap();
        assert!(
            advice.starts_with(&format!("copy {volume} again")),
            "{advice}"
        );

        let examined = examine("given", &*bad[n], &accepted, Cursor::new(Vec::new())).unwrap();
        assert_eq!(
            (examined.number, examined.of),
            (n as u32 + 1, good.len() as u32)
        );
        let [damaged] = &examined.damaged[..] else {
            panic!("{examined:?}")
        };
        assert_eq!(damaged.part, *entry);
        assert!(damaged.what.starts_with("SHA-256 is "), "{damaged:?}");

        // Cut short, or another bundle's, or not there.
        let mut short = good.clone();
        short[n].truncate(good[n].len() - 1024);
        let text = told(&refused(&short));
        let name = file_name(n + 1);
        assert_eq!(
            text,
            format!("{name}: end of the archive is damaged: the volume ends in it")
        );
        if n > 0 {
            let mut later = bundle.clone();
            later.sequence = later.sequence.next().unwrap();
            let mut foreign = good.clone();
            foreign[n] = world.seal_in(&later, size / 4).remove(n);
            let error = refused(&foreign);
            assert_eq!(error.exit(), Exit::Damaged);
            let text = told(&error);
            let want = format!("{name}: manifest is damaged: the volume belongs to another bundle");
            assert!(text.starts_with(&want), "{text}");

            let error = refused(&good[..n]);
            assert_eq!(error.exit(), Exit::Missing);
            assert_eq!(
                error.to_string(),
                format!(
                    "{name}, one of the {} volumes of this bundle, is not there",
                    good.len()
                )
            );
            assert!(
                error
                    .advice()
                    .unwrap()
                    .contains(&format!("copy {name} from"))
            );
        }
    }
}

#[test]
fn a_zip_that_is_none_is_told_with_the_volume_that_it_is_in() {
    let world = World::new();
    let mut bundle = world.bundle();
    let last = Item::Zip(world.modules[2].module.clone());
    bundle.items.insert(last, b"PK, and no more".to_vec());
    let size = world.seal(&bundle).volume.len() as u64;
    let volumes = world.seal_in(&bundle, size / 4);
    let error = world
        .check_volumes(&mut MemoryStage::new(), &volumes)
        .unwrap_err();
    let CheckError::Damaged { volume, entry, .. } = &error else {
        panic!("{error:?}")
    };
    assert_eq!(*volume, file_name(volumes.len()));
    assert!(entry.contains("zip example.com/m2@v1.2.0"), "{entry}");
}

#[test]
fn a_volume_examined_by_itself_tells_all_that_is_damaged() {
    let world = World::new();
    let bundle = world.bundle();
    let sealed = world.seal(&bundle);
    let accepted = world.accepted(&bundle);
    let examined = |volume: &[u8]| examine("given", volume, &accepted, Cursor::new(Vec::new()));
    let whole = examined(&sealed.volume).unwrap();
    let entries = sealed.entries.len() as u32;
    assert_eq!(
        whole,
        Examined {
            number: 1,
            of: 1,
            entries: Some((1, entries)),
            damaged: Vec::new(),
            more: 0
        }
    );
    assert!(whole.is_whole() && whole.damage("given").is_none());

    // Each entry's last byte, and one behind the end.
    let mut bad = sealed.volume.clone();
    let mut at = bad.len() - 1024;
    for entry in sealed.entries.iter().rev() {
        at -= (entry.stored as usize).next_multiple_of(512);
        bad[at + entry.stored as usize - 1] ^= 1;
        at -= 512;
    }
    bad.push(0);
    let found = examined(&bad).unwrap();
    let parts: Vec<&str> = found.damaged.iter().map(|part| &*part.part).collect();
    let mut want: Vec<String> = sealed.entries.iter().map(ToString::to_string).collect();
    want.push("end of the archive".into());
    assert_eq!(parts, want);
    let error = found.damage("given.tar").unwrap();
    assert_eq!(error.exit(), Exit::Damaged);
    assert_eq!(
        error.to_string(),
        format!("given.tar is damaged in {} places", want.len())
    );
    assert_eq!(error.details().len(), want.len());
    for (line, part) in error.details().iter().zip(&want) {
        assert!(line.starts_with(&format!("{part}: ")), "{line}");
    }
    assert!(error.advice().unwrap().starts_with("copy given.tar again"));

    // The volume as a whole: its front, another bundle.
    let mut front = sealed.volume.clone();
    front[600] ^= 1;
    assert!(matches!(
        examined(&front),
        Err(CheckError::Damaged { volume, .. }) if volume == "given"
    ));
    let mut later = bundle.clone();
    later.sequence = later.sequence.next().unwrap();
    let text = told(&examined(&world.seal(&later).volume).unwrap_err());
    assert!(text.contains("belongs to another bundle"), "{text}");
}

/// Gives some bytes, and then an error: a disc with a bad sector.
struct BadSector<'a>(&'a [u8]);

impl Read for BadSector<'_> {
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
        match self.0.read(buf)? {
            0 => Err(std::io::Error::other("bad sector")),
            n => Ok(n),
        }
    }
}

#[test]
fn what_lies_behind_a_bad_sector_is_told_as_lost() {
    let world = World::new();
    let bundle = world.bundle();
    let sealed = world.seal(&bundle);
    let accepted = world.accepted(&bundle);
    // In the first of three zips, which lie at the end.
    let zips = &sealed.entries[sealed.entries.len() - 3..];
    let size: u64 = zips
        .iter()
        .map(|zip| 512 + zip.stored.next_multiple_of(512))
        .sum();
    let at = sealed.volume.len() - 1024 - size as usize + 600;
    let reader = BadSector(&sealed.volume[..at]);
    let found = examine("given", reader, &accepted, Cursor::new(Vec::new())).unwrap();
    let lines: Vec<(&str, &str)> = found
        .damaged
        .iter()
        .map(|part| (&*part.part, &*part.what))
        .collect();
    let names: Vec<String> = zips.iter().map(ToString::to_string).collect();
    let behind = format!("the volume cannot be read behind {}", names[0]);
    assert_eq!(
        lines,
        [
            (&*names[0], "reading it failed: bad sector"),
            (&*names[1], &*behind),
            (&*names[2], &*behind),
            ("end of the archive", &*behind)
        ]
    );
}

#[test]
fn only_so_many_damaged_parts_are_named() {
    let mut world = World::new();
    let modules: Vec<TestModule> = (10..MAX_NAMED + 20).map(TestModule::numbered).collect();
    modules.iter().for_each(|module| world.sumdb.add(module));
    let bundle = TestBundle::of(&world.sumdb, &modules.iter().collect::<Vec<_>>(), &[]);
    let sealed = world.seal(&bundle);
    let accepted = world.accepted(&bundle);
    let damaged = |count: usize| {
        let mut bad = sealed.volume.clone();
        let mut at = bad.len() - 1024;
        for entry in sealed.entries.iter().rev().take(count) {
            at -= (entry.stored as usize).next_multiple_of(512);
            bad[at] ^= 1;
            at -= 512;
        }
        let found = examine("given", &*bad, &accepted, Cursor::new(Vec::new())).unwrap();
        let details = found.damage("given").unwrap().details();
        (
            found.damaged.len(),
            found.more,
            details.last().unwrap().clone(),
        )
    };
    let (named, more, last) = damaged(MAX_NAMED);
    assert_eq!((named, more), (MAX_NAMED, 0));
    assert!(last.contains("SHA-256 is"), "{last}");
    assert_eq!(damaged(MAX_NAMED + 2), (MAX_NAMED, 2, "and 2 more".into()));
}
