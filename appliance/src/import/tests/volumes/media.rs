//! What media and the store's own disk do to volumes: whatever is wrong has a name, and good copies finish.

use super::*;

impl Cut {
    /// The folder of what is staged.
    fn place(&self) -> PathBuf {
        let mut all = fs::read_dir(self.site.store().join("volumes")).unwrap();
        all.next().unwrap().unwrap().path()
    }

    /// Volumes of another cut into as many.
    fn as_many(&self) -> Vec<Vec<u8>> {
        let of = self.of();
        let mut cuts = (1..64).map(|n| {
            let limit = Some((64 << 10) - n * 512);
            let other = self.bundle.seal_in(&[&self.site.key], limit);
            [vec![other.volume], other.more].concat()
        });
        cuts.find(|volumes| volumes.len() as u32 == of && volumes[1] != self.bytes(2))
            .unwrap()
    }
}

/// One bit of a signature, so that the text is still the accepted one.
fn flip_in_signature(note: &mut [u8]) {
    let end = note.windows(2).position(|two| two == b"\n\n").unwrap() + 1;
    let line = end + 1 + note[end + 1..].iter().position(|b| *b == b'\n').unwrap();
    // Well within the signature, behind its key's hash.
    let at = line - 20;
    note[at] = if note[at] == b'A' { b'B' } else { b'A' };
}

#[test]
fn a_signature_that_is_damaged_is_named_by_the_volume_that_has_it() {
    let cut = Cut::new();
    for number in [1, 2] {
        cut.give(1..=cut.of());
        let mut bytes = cut.bytes(number).to_vec();
        flip_in_signature(&mut bytes);
        fs::write(cut.path(number), &bytes).unwrap();
        for refused in [cut.site.verify().unwrap_err(), cut.import().unwrap_err()] {
            assert_eq!(refused.exit(), Exit::Damaged, "{refused}");
            let ImportError::BadVolumes { bad, .. } = &refused else {
                panic!("{refused:?}")
            };
            assert_eq!((bad.len(), &bad[0].name), (1, &cut.name(number)));
        }
    }
    // The manifest beside them.
    cut.give(1..=cut.of());
    let name = cut.bundle.stream.manifest_file(cut.bundle.sequence);
    let mut manifest = cut.sealed.manifest.clone();
    flip_in_signature(&mut manifest);
    fs::write(cut.site.incoming().join(&name), manifest).unwrap();
    let refused = cut.import().unwrap_err();
    assert_eq!(refused.exit(), Exit::Damaged, "{refused}");
    assert!(refused.to_string().contains(&name), "{refused}");
    fs::remove_file(cut.site.incoming().join(&name)).unwrap();
    let done = cut.import();
    cut.is_in(done);
}

#[test]
fn a_kept_manifest_that_the_disk_has_lost_stops_nothing() {
    let cut = Cut::new();
    cut.give([1]);
    cut.import().unwrap();
    let file = cut.place().join("manifest");
    let mut manifest = fs::read(&file).unwrap();
    flip_in_signature(&mut manifest);
    fs::write(&file, &manifest).unwrap();
    cut.give([2]);
    assert_eq!(cut.import().unwrap().volumes.unwrap().at_hand, [1, 2]);
    // Another text, which is a manifest's still.
    let year = manifest.windows(5).position(|b| b == b" 2026").unwrap();
    manifest[year + 4] = b'5';
    fs::write(&file, &manifest).unwrap();
    cut.give(1..=cut.of() - 1);
    cut.import().unwrap();
    cut.give([cut.of()]);
    let done = cut.import();
    cut.is_in(done);
}

#[test]
fn a_number_of_volumes_that_none_can_have_is_not_believed() {
    let cut = Cut::new();
    cut.give([1]);
    cut.import().unwrap();
    fs::write(cut.place().join("of"), "4294967295\n").unwrap();
    assert_eq!(pending(&cut.site.store()).unwrap()[0].of, 0);
    cut.give(1..=cut.of());
    let done = cut.import();
    cut.is_in(done);
}

#[test]
fn two_cuts_into_as_many_volumes_are_not_joined_and_the_right_volume_finishes() {
    let cut = Cut::new();
    let other = cut.as_many();
    cut.give((1..=cut.of()).filter(|number| *number != 2));
    cut.import().unwrap();
    cut.give([]);
    fs::write(cut.path(2), &other[1]).unwrap();
    let refused = cut.import().unwrap_err();
    assert_eq!(refused.exit(), Exit::Damaged, "{refused}");
    assert_eq!(cut.site.totals(), Totals::default());
    cut.give([2]);
    let done = cut.import();
    cut.is_in(done);
}

#[test]
fn of_two_cuts_into_as_many_volumes_what_is_given_replaces_what_waits() {
    let cut = Cut::new();
    let other = cut.as_many();
    cut.give([]);
    fs::write(cut.path(2), &other[1]).unwrap();
    cut.import().unwrap();
    for number in (1..=cut.of()).rev() {
        cut.give([number]);
        let done = cut.import();
        match number {
            1 => cut.is_in(done),
            _ => assert_eq!(done.unwrap().outcome, Outcome::Staged),
        }
    }
}

#[test]
fn verify_reads_one_volume_from_a_pipe() {
    let cut = Cut::new();
    let pipe = cut.site.dir.path().join("pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.unwrap().success());
    let bytes = cut.bytes(2).to_vec();
    let to = pipe.clone();
    let writer = std::thread::spawn(move || fs::write(to, bytes).unwrap());
    let mut told = Vec::new();
    let bundle = Bundle::pipe(Some(pipe));
    verify(&cut.site.store(), &[bundle], &NoProgress, |done| {
        told.push(done)
    })
    .unwrap();
    writer.join().unwrap();
    let volumes = told[0].volumes.as_ref().unwrap();
    assert_eq!((volumes.of, &*volumes.at_hand), (cut.of(), &[2][..]));
}

#[test]
fn what_another_system_hides_in_a_folder_is_no_volume() {
    let cut = Cut::new();
    cut.give(1..=cut.of());
    for name in [cut.name(1), "test.000001.manifest".into()] {
        fs::write(
            cut.site.incoming().join(format!("._{name}")),
            b"\0\x05\x16\x07",
        )
        .unwrap();
    }
    let done = cut.import();
    cut.is_in(done);
}
