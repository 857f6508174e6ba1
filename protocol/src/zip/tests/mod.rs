//! What the reference's vectors (protocol/tests/zip_vectors.rs) do not reach: limits, how much is read, the shape of errors.
#![allow(clippy::unwrap_used)]

mod build;
mod known;
mod places;
mod random;

use std::error::Error as _;

use build::{Builder, Entry, PREFIX, Watched, deflate, stored, zip_of};

use super::*;

fn module() -> ModuleVersion {
    ModuleVersion::parse("example.com/m", "v1.0.0").unwrap()
}

fn rule(zip: &(impl ReadAt + ?Sized)) -> Option<Rule> {
    match check(&module(), zip) {
        Err(ZipError::Entry { rule, .. }) => Some(rule),
        _ => None,
    }
}

/// A source of this size in which nothing can be read.
struct Unreadable(u64);

impl ReadAt for Unreadable {
    fn size(&self) -> u64 {
        self.0
    }

    fn read_exact_at(&self, _: u64, _: &mut [u8]) -> std::io::Result<()> {
        Err(std::io::ErrorKind::UnexpectedEof.into())
    }
}

#[test]
fn too_large_a_file_is_not_read_at_all() {
    let at_limit = check(&module(), &Unreadable(MAX_ZIP_FILE)).unwrap_err();
    assert!(matches!(at_limit, ZipError::Read { .. }), "{at_limit}");
    let past_limit = check(&module(), &Unreadable(MAX_ZIP_FILE + 1)).unwrap_err();
    assert!(matches!(past_limit, ZipError::TooLarge { size } if size == MAX_ZIP_FILE + 1));
}

#[test]
fn unpacked_sizes_add_up_to_the_limit_and_no_further() {
    let content = vec![0; (MAX_ZIP_FILE / 2) as usize];
    let packed = deflate(&content, 1);
    let half = |name| Entry {
        packed: &packed,
        method: 8,
        ..stored(name, &content)
    };
    let facts = check(
        &module(),
        &zip_of(&[half("a"), half("b"), stored("c", b"")]),
    )
    .unwrap();
    assert_eq!(facts.unpacked, MAX_ZIP_FILE);
    let error = check(
        &module(),
        &zip_of(&[half("a"), half("b"), stored("c", b"x")]),
    )
    .unwrap_err();
    assert!(
        matches!(&error, ZipError::UnpacksTooLarge { name } if name.as_str().ends_with("/c")),
        "{error}"
    );
}

#[test]
fn go_mod_and_license_have_limits_that_others_lack() {
    for (name, limit, broken) in [
        ("go.mod", MAX_GO_MOD, Some(Rule::GoModSize)),
        ("LICENSE", MAX_LICENSE, Some(Rule::LicenseSize)),
        ("sub/LICENSE", MAX_LICENSE, None),
        ("go.sum", MAX_GO_MOD, None),
    ] {
        let content = vec![b'\n'; limit as usize + 1];
        let at_limit = zip_of(&[stored(name, &content[1..])]);
        assert_eq!(check(&module(), &at_limit).unwrap().unpacked, limit);
        let past_limit = zip_of(&[stored(name, &content)]);
        assert_eq!(rule(&past_limit), broken, "{name}");
    }
}

#[test]
fn directory_is_read_up_to_its_limit() {
    let with_directory_of = |bytes: u64| {
        let mut builder = Builder::default();
        builder.local(&stored("0", b""));
        let mut left = bytes;
        for i in 0.. {
            let name = i.to_string();
            let fixed = 46 + PREFIX.len() as u64 + name.len() as u64;
            let comment = (left - fixed).min(65_000);
            builder.header(&stored(&name, b""), 0, comment as u16);
            left -= fixed + comment;
            if left == 0 {
                break;
            }
        }
        assert_eq!(builder.directory.len() as u64, bytes);
        builder.finish()
    };
    let facts = check(&module(), &with_directory_of(MAX_DIRECTORY)).unwrap();
    assert_eq!(facts.files, 516);
    let error = check(&module(), &with_directory_of(MAX_DIRECTORY + 1)).unwrap_err();
    assert!(
        matches!(error, ZipError::Archive(ArchiveError::DirectoryTooLarge)),
        "{error}"
    );
}

#[test]
fn more_entries_than_sixteen_bits_count() {
    let mut builder = Builder::default();
    for i in 0..65_538 {
        builder.add(&stored(&i.to_string(), b""));
    }
    let facts = check(&module(), &builder.finish()).unwrap();
    assert_eq!(facts.files, 65_538);
}

#[test]
fn deep_names_take_linear_time() {
    // The reference would look up 32,000 parents of each, and hash and compare all of their names: minutes.
    let deep = "d/".repeat(32_000);
    let names: Vec<String> = (0..60).map(|i| format!("{deep}{i}")).collect();
    let mut entries: Vec<Entry> = names.iter().map(|name| stored(name, b"")).collect();
    assert_eq!(check(&module(), &zip_of(&entries)).unwrap().files, 60);
    let other_case = format!("{}D/x", &deep[..deep.len() - 2]);
    entries.push(stored(&other_case, b""));
    assert!(matches!(rule(&zip_of(&entries)), Some(Rule::Case { .. })));
}

#[test]
fn content_past_its_declared_size_is_cut_off_at_once() {
    let content = vec![0; 64 << 20];
    let packed = deflate(&content, 9);
    let entry = Entry {
        packed: &packed,
        method: 8,
        unpacked: 10,
        ..stored("bomb", &content)
    };
    let mut checker = Checker::new();
    let error = checker.check(&module(), &zip_of(&[entry])).unwrap_err();
    assert!(
        matches!(
            error,
            ZipError::Entry {
                rule: Rule::Long(10),
                ..
            }
        ),
        "{error}"
    );
    assert_eq!(checker.contents.inflated(), 11);
}

#[test]
fn a_zip_is_read_about_once_and_a_small_one_in_one_read() {
    let noise: Vec<u8> = (0..1u32 << 20)
        .map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect();
    let small = zip_of(&[stored("a", &noise[..1000]), stored("b", b"")]);
    let source = Watched::new(&small, usize::MAX);
    check(&module(), &source).unwrap();
    assert_eq!(source.reads.get(), 1);

    let names: Vec<String> = (0..400).map(|i| format!("{i}")).collect();
    let entries: Vec<Entry> = names
        .iter()
        .enumerate()
        .map(|(i, name)| stored(name, &noise[i * 2000..][..i * 131 % 40_000]))
        .collect();
    let large = zip_of(&entries);
    let source = Watched::new(&large, usize::MAX);
    check(&module(), &source).unwrap();
    let capacity = Window::<[u8]>::CAPACITY as u64;
    assert!(
        source.bytes.get() < large.size() + large.size() / 50 + capacity,
        "{}",
        source.bytes.get()
    );
    assert!(
        (source.reads.get() as u64) < large.size() / capacity + 3,
        "{}",
        source.reads.get()
    );

    // Directory in the opposite order of the data: no more.
    let mut builder = Builder::default();
    let offsets: Vec<u32> = entries
        .iter()
        .map(|entry| {
            let offset = builder.zip.len() as u32;
            builder.local(entry);
            offset
        })
        .collect();
    for (entry, offset) in entries.iter().zip(offsets).rev() {
        builder.header(entry, offset, 0);
    }
    let reversed = builder.finish();
    let again = Watched::new(&reversed, usize::MAX);
    check(&module(), &again).unwrap();
    assert_eq!(again.reads.get(), source.reads.get());
}

#[test]
fn a_failing_source_says_where() {
    let noise = vec![7; 1 << 20];
    let zip = zip_of(&[stored("a", &noise)]);
    for fail_at in 0.. {
        let source = Watched::new(&zip, fail_at);
        match check(&module(), &source) {
            Ok(_) => {
                assert!(fail_at > 3);
                break;
            }
            Err(error) => {
                assert!(matches!(error, ZipError::Read { .. }), "{error}");
                assert_eq!(error.source().unwrap().to_string(), "the disk is gone");
            }
        }
    }
}

#[test]
fn errors_name_the_entry_and_the_rule() {
    let said = |zip: &[u8]| check(&module(), zip).unwrap_err().to_string();
    let x = |name| stored(name, b"x");
    assert_eq!(
        said(&zip_of(&[x("sub/go.mod")])),
        r#"zip entry "example.com/m@v1.0.0/sub/go.mod": go.mod outside the module's root"#
    );
    assert_eq!(
        said(&zip_of(&[x("README"), x("a"), x("readme")])),
        r#"zip entry "example.com/m@v1.0.0/readme": differs only in case from "example.com/m@v1.0.0/README""#
    );
    assert_eq!(
        said(&zip_of(&[x("a/b"), x("a")])),
        r#"zip entry "example.com/m@v1.0.0/a/b": both a file and a directory, see "example.com/m@v1.0.0/a""#
    );
    // What a terminal would act on is escaped.
    assert_eq!(
        said(&zip_of(&[x("\x1b[2J\n")])),
        "zip entry \"example.com/m@v1.0.0/\\u{1b}[2J\\n\": name has the character '\\u{1b}'"
    );
    assert_eq!(
        said(&zip_of(&[x("a/CoN.txt")])),
        "zip entry \"example.com/m@v1.0.0/a/CoN.txt\": name has the path element \"CoN\", which is reserved on Windows"
    );
    let long = format!("{}:", "ä".repeat(20_000));
    let long = said(&zip_of(&[stored(&long, b"x")]));
    assert!(long.len() < 500, "{long}");
    let wrong = Entry { crc32: 1, ..x("a") };
    assert_eq!(
        said(&zip_of(&[wrong])),
        r#"zip entry "example.com/m@v1.0.0/a": checksum (CRC-32) mismatch"#
    );
    assert_eq!(said(b"PK"), "not a zip archive: no end-of-directory record");
    let other = ModuleVersion::parse("example.com/other", "v1.0.0").unwrap();
    assert_eq!(
        check(&other, &zip_of(&[x("a")])).unwrap_err().to_string(),
        r#"zip entry "example.com/m@v1.0.0/a": name does not begin with "example.com/other@v1.0.0/""#
    );
}

/// Every rune's fold against the reference's: see sweepFolds in tests/vectors/zip/names.go.
#[test]
fn all_folds() {
    use sha2::{Digest, Sha256};

    let mut folds = Sha256::new();
    for c in (0..=u32::from(char::MAX)).filter_map(char::from_u32) {
        if c.is_ascii() || names::check_file_path(c.encode_utf8(&mut [0; 4])).is_ok() {
            folds.update(names::fold(c).to_le_bytes());
        }
    }
    let hex: String = folds
        .finalize()
        .iter()
        .map(|b| format!("{b:02x}"))
        .collect();
    let expected = include_str!("../../../tests/vectors/zip/names.jsonl")
        .lines()
        .find(|line| line.contains(r#""sweep":"folds""#))
        .unwrap();
    assert!(expected.contains(&hex), "{hex}: {expected}");
}
