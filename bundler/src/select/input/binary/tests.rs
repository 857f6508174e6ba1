#![allow(clippy::unwrap_used)]

use modferry_checker::testing::TestModule;

use super::image::MAX_TABLE;
use super::record::MAX_TEXT;
use super::*;
use crate::cache::FileAt;
use crate::select::input::testing::Workshop;

fn names(listing: &Listing) -> Vec<String> {
    listing.modules.iter().map(ToString::to_string).collect()
}

fn open(workshop: &Workshop, name: &str) -> FileAt {
    FileAt::new(std::fs::File::open(workshop.path(name)).unwrap()).unwrap()
}

/// Modules, and a program of them that has replacements by a module and by a folder.
fn workshop() -> Workshop {
    let package = |name: &str| format!("package {name}\n\nfunc Do() {{ println(\"{name}\") }}\n");
    let module =
        |name: &str, package_name: &str| TestModule::new(name, &[("p.go", &package(package_name))]);
    let command = "package main\n\nimport \"example.com/Upper/a\"\n\nfunc main() { a.Do() }\n";
    let command_mod =
        "module example.com/command\n\ngo 1.21\n\nrequire example.com/Upper/a v1.1.0\n";
    let workshop = Workshop::new(&[
        module("example.com/Upper/a@v1.1.0", "a"),
        module("example.com/b/v2@v2.0.0-rc.1", "b"),
        module("example.com/c@v3.0.0+incompatible", "c"),
        module("example.com/old@v1.0.0", "old"),
        module("example.com/new@v1.2.3", "old"),
        module("example.com/here@v1.0.0", "here"),
        module("example.com/unused@v1.0.0", "unused"),
        TestModule::new(
            "example.com/command@v1.4.0",
            &[("go.mod", command_mod), ("main.go", command)],
        ),
    ]);
    workshop.write("prog/here/go.mod", "module example.com/here\n");
    workshop.write("prog/here/p.go", package("here"));
    workshop.write(
        "prog/go.mod",
        "module example.com/prog\n\ngo 1.21\n\nrequire (\n\
         \texample.com/Upper/a v1.1.0\n\texample.com/b/v2 v2.0.0-rc.1\n\texample.com/c v3.0.0+incompatible\n\
         \texample.com/old v1.0.0\n\texample.com/here v1.0.0\n\texample.com/unused v1.0.0\n)\n\
         replace example.com/old => example.com/new v1.2.3\nreplace example.com/here => ./here\n",
    );
    workshop.write(
        "prog/main.go",
        "package main\n\nimport (\n\t\"example.com/Upper/a\"\n\t\"example.com/b/v2\"\n\t\"example.com/c\"\n\
         \t\"example.com/old\"\n\t\"example.com/here\"\n)\n\n\
         func main() { a.Do(); b.Do(); c.Do(); old.Do(); here.Do() }\n",
    );
    workshop
}

/// What `go version -m` says of a program: what stands in for what is replaced, and nothing of folders.
fn oracle(workshop: &Workshop, program: &str) -> Vec<String> {
    let told = workshop.go(".", &[], &["version", "-m", program]);
    let mut built: Vec<String> = Vec::new();
    for line in told.lines() {
        match line.trim().split('\t').collect::<Vec<_>>()[..] {
            ["dep", path, version, ..] => built.push(format!("{path}@{version}")),
            ["=>", path, version, ..] => *built.last_mut().unwrap() = format!("{path}@{version}"),
            _ => {}
        }
    }
    built.retain(|name| !name.ends_with("@(devel)"));
    built.sort();
    built
}

#[test]
fn programs_of_all_formats_name_what_go_version_says() {
    let workshop = workshop();
    for (os, arch, flags) in [
        ("linux", "amd64", &["-trimpath"][..]),
        ("linux", "386", &["-ldflags=-s -w"]),
        ("linux", "s390x", &[]),
        ("windows", "amd64", &["-ldflags=-s -w"]),
        ("darwin", "arm64", &["-ldflags=-s -w"]),
        ("aix", "ppc64", &[]),
        ("plan9", "amd64", &[]),
    ] {
        let program = format!("bin/{os}-{arch}");
        let out = workshop.path(&program);
        let mut args = vec!["build", "-mod=mod", "-o", out.to_str().unwrap()];
        args.extend(flags);
        workshop.go("prog", &[("GOOS", os), ("GOARCH", arch)], &args);
        let listing = read(&open(&workshop, &program)).unwrap();
        let expected = [
            "example.com/Upper/a@v1.1.0",
            "example.com/b/v2@v2.0.0-rc.1",
            "example.com/c@v3.0.0+incompatible",
            "example.com/new@v1.2.3",
        ];
        assert_eq!(names(&listing), expected, "{program}");
        assert_eq!(oracle(&workshop, &program), expected, "{program}");
        assert_eq!(
            listing.notes,
            [
                "built from a checkout, whose own modules are not asked for: example.com/prog@(devel)",
                "built from folders, which cannot be carried: example.com/here => ./here"
            ],
            "{program}"
        );
    }
}

#[test]
fn a_program_installed_by_its_version_names_itself() {
    let workshop = workshop();
    let bin = workshop.path("bin");
    let env = [("GOBIN", bin.to_str().unwrap())];
    workshop.go("prog", &env, &["install", "example.com/command@v1.4.0"]);
    let listing = read(&open(&workshop, "bin/command")).unwrap();
    let expected = ["example.com/Upper/a@v1.1.0", "example.com/command@v1.4.0"];
    assert_eq!(names(&listing), expected);
    assert_eq!(listing.notes, [""; 0]);
}

#[test]
fn a_program_without_modules_is_told_so() {
    let workshop = workshop();
    workshop.write("alone/main.go", "package main\n\nfunc main() {}\n");
    let env = [("GO111MODULE", "off")];
    workshop.go("alone", &env, &["build", "-o", "../bin/alone", "main.go"]);
    let error = read(&open(&workshop, "bin/alone")).unwrap_err();
    assert!(
        matches!(&error, BinaryError::NoModules { go } if go.starts_with("go1.")),
        "{error}"
    );
}

#[test]
fn each_part_of_a_fat_program_counts() {
    let one = macho("dep\ta.b/c\tv1.0.0\n");
    let other = macho("dep\ta.b/d\tv1.0.0\n");
    for (magic, wide) in [(0xcafe_babe_u32, false), (0xcafe_babf, true)] {
        let fat = fat(magic, wide, &[&one, &other]);
        let listing = read(&fat).unwrap();
        assert_eq!(names(&listing), ["a.b/c@v1.0.0", "a.b/d@v1.0.0"]);
    }
    let parts = |n: usize| read(&fat(0xcafe_babe, false, &vec![&*one; n]));
    assert!(parts(headers::MAX_PARTS as usize).is_ok());
    let error = parts(headers::MAX_PARTS as usize + 1).unwrap_err();
    assert!(matches!(error, BinaryError::NoProgram), "{error}");
    // A class of Java: version 52.
    let error = read(&b"\xca\xfe\xba\xbe\0\0\0\x34\0\0\0\0".to_vec()).unwrap_err();
    assert!(matches!(error, BinaryError::NoProgram), "{error}");
    let damaged = "damaged fat Mach-O file: ";
    assert_eq!(
        refusal(&fat(0xcafe_babe, false, &[])),
        format!("{damaged}it has no part")
    );
    let cut = fat(0xcafe_babe, false, &[&one])[..20].to_vec();
    assert_eq!(
        refusal(&cut),
        format!("{damaged}the list of its parts is cut off")
    );
    assert_eq!(
        refusal(&fat(0xcafe_babe, false, &[b"nothing"])),
        "damaged Mach-O file: a part of it is none"
    );
}

#[test]
fn both_records_are_read_at_both_widths_and_in_both_orders() {
    let lines = "path\tx\nmod\ta.b/main\tv1.0.0\th1:x\ndep\ta.b/c\tv1.0.0\th1:y\n";
    for wide in [false, true] {
        for big in [false, true] {
            for record in [inline("go1.20", &framed(lines)), pointers(wide, big, lines)] {
                for named in [false, true] {
                    let listing = read(&elf(wide, big, &record, named)).unwrap();
                    assert_eq!(names(&listing), ["a.b/c@v1.0.0", "a.b/main@v1.0.0"]);
                }
            }
        }
    }
}

#[test]
fn the_record_is_found_behind_other_data_where_it_may_stand() {
    let record = inline("go1.20", &framed("dep\ta.b/c\tv1.0.0\n"));
    // Behind a mark at an address that 16 does not divide, and behind more than one piece.
    for before in [16, 64 << 10, (200 << 10) + 32] {
        let mut data = vec![b'x'; before];
        data[1..15].copy_from_slice(&record[..14]);
        data.extend(&record);
        assert!(read(&elf(true, false, &data, false)).is_ok(), "{before}");
    }
    let mut askew = vec![0; 8];
    askew.extend(&record);
    let error = read(&elf(true, false, &askew, false)).unwrap_err();
    assert!(matches!(error, BinaryError::NoBuildInfo), "{error}");
}

#[test]
fn what_is_no_program_of_go_is_told() {
    for (bytes, told) in [
        (&b""[..], "no program: "),
        (b"\x7fEL", "no program: "),
        (b"#!/bin/sh\n", "no program: "),
        (b"\x7fELF", "damaged ELF file: cut off in its header"),
        (
            b"\x7fELF\x03\x01\x01\0\0\0\0\0\0\0\0\0",
            "damaged ELF file: neither of 32 nor of 64 bits",
        ),
        (
            b"\x7fELF\x02\x03\x01\0\0\0\0\0\0\0\0\0",
            "damaged ELF file: neither little-endian nor big-endian",
        ),
        (b"MZ\0\0", "damaged PE file: cut off in its header"),
        (
            b"\xcf\xfa\xed\xfe",
            "damaged Mach-O file: cut off in its header",
        ),
        (
            b"\x01\xf7\0\x01",
            "damaged XCOFF file: cut off in its header",
        ),
        (
            b"\0\0\x8a\x97",
            "damaged Plan 9 a.out file: cut off in its header",
        ),
    ] {
        let error = refusal(bytes);
        assert!(error.starts_with(told), "{bytes:?}: {error}");
    }
    let mut dos = vec![0; 256];
    dos[..2].copy_from_slice(b"MZ");
    assert_eq!(
        refusal(&dos),
        "damaged PE file: a program of DOS, not of Windows"
    );
    // A program of another language.
    let error = refusal(&elf(true, false, b"hello", false));
    assert!(error.starts_with("no build information of Go's"), "{error}");
}

#[test]
fn headers_that_lie_are_refused() {
    let good = elf(
        true,
        false,
        &inline("go1.20", &framed("dep\ta.b/c\tv1.0.0\n")),
        true,
    );
    assert!(read(&good).is_ok());
    let with = |at: usize, bytes: &[u8]| {
        let mut bad = good.clone();
        bad[at..at + bytes.len()].copy_from_slice(bytes);
        refusal(&bad)
    };
    let far = u64::MAX.to_le_bytes();
    let cut = "damaged ELF file: its segment headers are cut off";
    assert_eq!(with(32, &far), cut);
    assert_eq!(with(56, &[0xff, 0xff]), cut);
    let cut = "damaged ELF file: its section headers are cut off";
    assert_eq!(with(40, &far), cut);
    assert_eq!(
        with(54, &[1, 0]),
        "damaged ELF file: its segment headers are too small"
    );
    assert_eq!(
        with(58, &[1, 0]),
        "damaged ELF file: its section headers are too small"
    );
    // A segment that ends behind the file's end, or at no address at all: what is there counts.
    let no_record = "no build information";
    for (at, bytes) in [(64 + 8, far), (64 + 16, far), (64 + 32, [0; 8])] {
        let error = with(at, &bytes);
        assert!(error.starts_with(no_record), "{error}");
    }
    let mut longer = good.clone();
    longer[64 + 32..64 + 40].copy_from_slice(&(u64::MAX - ADDRESS).to_le_bytes());
    assert!(read(&longer).is_ok());

    let macho = macho("dep\ta.b/c\tv1.0.0\n");
    let with = |at: usize, bytes: [u8; 4]| {
        let mut bad = macho.clone();
        bad[at..at + 4].copy_from_slice(&bytes);
        refusal(&bad)
    };
    let length = "damaged Mach-O file: a load command's length cannot be";
    assert_eq!(with(36, [7, 0, 0, 0]), length);
    assert_eq!(with(36, [0xff; 4]), length);
    assert_eq!(
        with(16, [9, 0, 0, 0]),
        "damaged Mach-O file: a header is cut off"
    );
    assert_eq!(
        with(20, [0, 0, 1, 0]),
        "damaged Mach-O file: its load commands are cut off"
    );
    assert_eq!(
        with(32 + 64, [0xff; 4]),
        "damaged Mach-O file: a segment has more sections than its load command"
    );
}

#[test]
fn tables_are_bounded() {
    let sized = |size: u64| {
        let mut file = macho("dep\ta.b/c\tv1.0.0\n");
        file.resize(MAX_TABLE as usize + 100, 0);
        file[20..24].copy_from_slice(&u32::try_from(size).unwrap().to_le_bytes());
        read(&file)
    };
    assert!(sized(MAX_TABLE).is_ok());
    let error = sized(MAX_TABLE + 1).unwrap_err().to_string();
    assert!(error.contains("larger than any known"), "{error}");
}

#[test]
fn texts_are_bounded() {
    let of = |size: u64| {
        let mut text = framed("dep\ta.b/c\tv1.0.0\n");
        let padding = size as usize - text.len();
        text.splice(16..16, std::iter::repeat_n(b'\n', padding));
        read(&elf(true, false, &inline("go1.20", &text), true))
    };
    assert!(of(MAX_TEXT).is_ok());
    let error = of(MAX_TEXT + 1).unwrap_err();
    assert!(
        matches!(error, BinaryError::TooLong { size } if size == MAX_TEXT + 1),
        "{error}"
    );
}

#[test]
fn records_that_lie_are_refused() {
    let whole = inline("go1.20", &framed("dep\ta.b/c\tv1.0.0\n"));
    let is_none = |record: &[u8]| {
        let error = refusal(&elf(true, false, record, false));
        assert!(error.starts_with("no build information"), "{error}");
    };
    for cut in [13, 20, 32, 35, whole.len() - 1] {
        is_none(&whole[..cut]);
    }
    // Lengths that are no numbers, and a version that is none.
    let with_length = |bytes: &[u8]| {
        let mut record = whole[..32].to_vec();
        record.extend(bytes);
        record
    };
    is_none(&with_length(&[0xff; 12]));
    is_none(&with_length(&[
        0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 2,
    ]));
    is_none(&with_length(&[0, 0]));
    // Pointers of no known size, to nowhere, and longer than what is there.
    let lines = "dep\ta.b/c\tv1.0.0\n";
    let with = |at: usize, byte: u8| {
        let mut record = pointers(true, false, lines);
        record[at] = byte;
        record
    };
    is_none(&with(14, 3));
    is_none(&with(23, 0xff));
    is_none(&with(31, 0xff));
    is_none(&with(48 + 9, 0xff));
    // Before modules the second pointer was null.
    let mut without = pointers(true, false, lines);
    without[24..32].fill(0);
    let error = refusal(&elf(true, false, &without, false));
    assert!(
        error.starts_with("built by go1.13 without modules"),
        "{error}"
    );
    // Without its frame, the text does not count.
    let error = refusal(&elf(
        true,
        false,
        &inline("go1.20", lines.as_bytes()),
        false,
    ));
    assert!(
        error.starts_with("built by go1.20 without modules"),
        "{error}"
    );
}

#[test]
fn lines_are_read_as_go_reads_them() {
    let of = |lines: &str| read(&elf(true, false, &inline("go1.20", &framed(lines)), true));
    let listing = of(
        "path\ta.b/main/cmd\nmod\ta.b/main\tv0.0.0-20240101000000-abcdefabcdef+dirty\t\n\
         dep\ta.b/c\tv1.0.0\n=>\ta.b/d\tv1.1.0\th1:x\ndep\ta.b/e\t(devel)\t\ndep\ta.b/f\tv1.0\th1:y\n\
         dep\ta.b/g\tv1.0.0\n=>\t../g\t(devel)\t\nbuild\t-compiler=gc\nnew\tin a later Go\n",
    )
    .unwrap();
    assert_eq!(names(&listing), ["a.b/d@v1.1.0"]);
    assert_eq!(
        listing.notes,
        [
            "built from a checkout, whose own modules are not asked for: \
             a.b/main@v0.0.0-20240101000000-abcdefabcdef+dirty",
            "built from folders, which cannot be carried: a.b/e@(devel), a.b/g => ../g",
            "no module versions, passed over: a.b/f@v1.0"
        ]
    );
    for (lines, told) in [
        (
            "mod\ta.b/c\n",
            "line 1 of its build information: 1 fields behind mod",
        ),
        (
            "path\tx\ndep\ta\tb\tc\td\n",
            "line 2 of its build information: 4 fields behind dep",
        ),
        (
            "dep\ta.b/c\tv1.0.0\n=>\ta.b/d\tv1.0.0\n",
            "line 2 of its build information: 2 fields behind =>",
        ),
        (
            "=>\ta.b/d\tv1.0.0\t\n",
            "line 1 of its build information: a replacement of nothing",
        ),
    ] {
        assert_eq!(of(lines).unwrap_err().to_string(), told);
    }
}

fn refusal(file: &[u8]) -> String {
    read(&file).unwrap_err().to_string()
}

/// Where the data of the programs below is in memory, and in their files.
const ADDRESS: u64 = 0x1_0000;
const OFFSET: u64 = 0x400;

fn framed(lines: &str) -> Vec<u8> {
    [&[1; 16][..], lines.as_bytes(), &[2; 16]].concat()
}

fn varint(mut n: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while n >= 0x80 {
        bytes.push(n as u8 | 0x80);
        n >>= 7;
    }
    bytes.push(n as u8);
    bytes
}

fn mark(pointer: u8, flags: u8) -> Vec<u8> {
    let mut record = b"\xff Go buildinf:".to_vec();
    record.extend([pointer, flags]);
    record
}

/// A record of Go 1.18 and later.
fn inline(go: &str, modules: &[u8]) -> Vec<u8> {
    let mut record = mark(8, 2);
    record.resize(32, 0);
    for text in [go.as_bytes(), modules] {
        record.extend(varint(text.len()));
        record.extend(text);
    }
    record
}

/// A number as a file has it.
fn number(n: u64, size: usize, big: bool) -> Vec<u8> {
    match big {
        true => n.to_be_bytes()[8 - size..].to_vec(),
        false => n.to_le_bytes()[..size].to_vec(),
    }
}

/// A record of Go 1.13, to stand at [`ADDRESS`]: the two strings are at 32 and 48, the texts at 64.
fn pointers(wide: bool, big: bool, lines: &str) -> Vec<u8> {
    let size = if wide { 8 } else { 4 };
    let modules = framed(lines);
    let go = b"go1.13";
    let mut record = mark(size as u8, u8::from(big));
    record.extend(number(ADDRESS + 32, size, big));
    record.extend(number(ADDRESS + 48, size, big));
    record.resize(32, 0);
    record.extend(number(ADDRESS + 64, size, big));
    record.extend(number(go.len() as u64, size, big));
    record.resize(48, 0);
    record.extend(number(ADDRESS + 64 + go.len() as u64, size, big));
    record.extend(number(modules.len() as u64, size, big));
    record.resize(64, 0);
    record.extend(go);
    record.extend(modules);
    record
}

/// An ELF program with one writable segment, which a section names if `named`.
fn elf(wide: bool, big: bool, data: &[u8], named: bool) -> Vec<u8> {
    let word = if wide { 8 } else { 4 };
    let two = |n: usize| number(n as u64, 2, big);
    let four = |n: u64| number(n, 4, big);
    let long = |n: u64| number(n, word, big);
    let (header, segment, section) = if wide { (64, 56, 64) } else { (52, 32, 40) };
    let size = data.len() as u64;
    let names = b"\0.shstrtab\0.go.buildinfo\0";
    let (names_at, sections_at) = (OFFSET + size, OFFSET + size + names.len() as u64);

    let mut file = b"\x7fELF".to_vec();
    file.extend([1 + u8::from(wide), 1 + u8::from(big), 1]);
    file.resize(16, 0);
    file.extend([two(2), two(62), four(1), long(ADDRESS), long(header as u64)].concat());
    file.extend(
        [
            long(if named { sections_at } else { 0 }),
            four(0),
            two(header),
        ]
        .concat(),
    );
    file.extend([two(segment), two(1), two(section)].concat());
    file.extend([two(if named { 2 } else { 0 }), two(0)].concat());
    assert_eq!(file.len(), header);
    let (loaded, flags) = (four(1), four(6));
    let place = [
        long(OFFSET),
        long(ADDRESS),
        long(ADDRESS),
        long(size),
        long(size),
    ]
    .concat();
    file.extend(match wide {
        true => [loaded, flags, place, long(16)].concat(),
        false => [loaded, place, flags, long(16)].concat(),
    });
    assert_eq!(file.len(), header + segment);
    file.resize(OFFSET as usize, 0);
    file.extend(data);
    if named {
        file.extend(names);
        for (name, address, offset, size) in [
            (1, 0, names_at, names.len() as u64),
            (11, ADDRESS, OFFSET, size),
        ] {
            let start = file.len();
            file.extend([four(name), four(1), long(0), long(address), long(offset)].concat());
            file.extend(long(size));
            file.resize(start + section, 0);
        }
    }
    file
}

/// A Mach-O program of 64 bits whose one segment has one section, for the record.
fn macho(lines: &str) -> Vec<u8> {
    let data = inline("go1.20", &framed(lines));
    let four = |n: u32| n.to_le_bytes();
    let long = |n: u64| n.to_le_bytes();
    let size = long(data.len() as u64);
    let name = |text: &str| {
        let mut name = [0; 16];
        name[..text.len()].copy_from_slice(text.as_bytes());
        name
    };
    let header = [0xfeed_facf, 0x100_000c, 0, 2, 1, 72 + 80, 0, 0].map(four);
    let mut file = header.concat();
    file.extend([four(0x19), four(72 + 80)].concat());
    file.extend(name("__DATA"));
    file.extend([long(ADDRESS), size, long(OFFSET), size].concat());
    file.extend([3, 3, 1, 0].map(four).concat());
    file.extend([name("__go_buildinfo"), name("__DATA")].concat());
    file.extend([long(ADDRESS), size].concat());
    file.resize(OFFSET as usize, 0);
    file.extend(data);
    file
}

fn fat(magic: u32, wide: bool, parts: &[&[u8]]) -> Vec<u8> {
    let word = if wide { 8 } else { 4 };
    let mut file = magic.to_be_bytes().to_vec();
    file.extend((parts.len() as u32).to_be_bytes());
    let mut at = 0x1000;
    for part in parts {
        let place = [
            number(at, word, true),
            number(part.len() as u64, word, true),
        ]
        .concat();
        file.extend([&[0; 8][..], &place, &vec![0; word]].concat());
        at += 0x1000;
    }
    for (n, part) in parts.iter().enumerate() {
        file.resize(0x1000 * (n + 1), 0);
        file.extend(*part);
    }
    file
}
