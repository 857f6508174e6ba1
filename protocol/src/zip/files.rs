//! The rules that x/mod/zip's CheckZip has for the directory: prefix, names, places of go.mod, sizes, collisions.
//!
//! It keeps of each entry what its content is checked against; all names stand in one string. That is a fixed number
//! of bytes an entry, and [`MAX_DIRECTORY`](super::MAX_DIRECTORY) bounds the entries.

use super::directory::Header;
use super::error::{EntryName, Rule, ZipError};
use super::names::{self, Collision, FilePathError};
use super::{MAX_GO_MOD, MAX_LICENSE, MAX_ZIP_FILE};

/// An entry that the rules for the directory allow.
pub(super) struct File {
    name_start: u32,
    name_len: u16,
    /// Its name ends with a slash.
    pub(super) is_directory: bool,
    /// A directory that another entry names again further on: like the reference, we look at the last one only.
    pub(super) is_shadowed: bool,
    pub(super) has_descriptor: bool,
    pub(super) method: u16,
    pub(super) crc32: u32,
    pub(super) packed: u64,
    pub(super) unpacked: u64,
    pub(super) header_offset: i64,
    pub(super) sha256: [u8; 32],
}

/// All entries of a zip.
pub(super) struct Files {
    /// `path@version/`
    pub(super) prefix: String,
    /// The names behind the prefix, one after another.
    names: String,
    pub(super) files: Vec<File>,
    /// The sum of the declared sizes.
    pub(super) unpacked: u64,
}

impl Files {
    pub(super) fn new(prefix: String) -> Files {
        Files {
            prefix,
            names: String::new(),
            files: Vec::new(),
            unpacked: 0,
        }
    }

    /// A file's name behind the prefix, with the slash of a directory.
    pub(super) fn name(&self, file: &File) -> &str {
        let start = file.name_start as usize;
        &self.names[start..start + usize::from(file.name_len)]
    }

    /// The error that `file` breaks `rule`.
    pub(super) fn error(&self, file: &File, rule: Rule) -> ZipError {
        ZipError::Entry {
            name: self.entry_name(file),
            rule,
        }
    }

    fn entry_name(&self, file: &File) -> EntryName {
        EntryName::new(format!("{}{}", self.prefix, self.name(file)).as_bytes())
    }

    /// Takes the next entry of the directory.
    pub(super) fn add(&mut self, header: Header<'_>) -> Result<(), ZipError> {
        let refuse = |rule| ZipError::Entry {
            name: EntryName::new(header.name),
            rule,
        };
        let name = header
            .name
            .strip_prefix(self.prefix.as_bytes())
            .ok_or_else(|| refuse(Rule::Prefix(self.prefix.clone())))?;
        let name = std::str::from_utf8(name).map_err(|_| refuse(FilePathError::NotUtf8.into()))?;
        // The entry `path@version/` is the module's own directory, which may be there.
        let is_directory = name.is_empty() || name.ends_with('/');
        if !name.is_empty() {
            let path = name.strip_suffix('/').unwrap_or(name);
            names::check_file_path(path).map_err(|e| refuse(e.into()))?;
        }
        if !is_directory {
            check_special(name, header.unpacked).map_err(refuse)?;
            self.unpacked = self
                .unpacked
                .checked_add(header.unpacked)
                .filter(|&sum| sum <= MAX_ZIP_FILE)
                .ok_or_else(|| ZipError::UnpacksTooLarge {
                    name: EntryName::new(header.name),
                })?;
        }
        self.files.push(File {
            name_start: self.names.len() as u32, // names are part of the directory, which is far shorter than 4 GiB
            name_len: name.len() as u16,         // as the header has it
            is_directory,
            is_shadowed: false,
            has_descriptor: header.descriptor,
            method: header.method,
            crc32: header.crc32,
            packed: header.packed,
            unpacked: header.unpacked,
            header_offset: header.offset,
            sha256: [0; 32],
        });
        self.names.push_str(name);
        Ok(())
    }

    /// Refuses names that collide. To be called once, behind the last [`add`](Files::add).
    ///
    /// Sorting stands for the reference's map of every name and every parent's: a zip's directory may name a hundred
    /// thousand deep paths, whose parents' names would take quadratic memory.
    pub(super) fn check_collisions(&mut self) -> Result<(), ZipError> {
        let path = |i: u32| {
            let file = &self.files[i as usize];
            let name = self.name(file);
            (name.strip_suffix('/').unwrap_or(name), file.is_directory)
        };
        let order = self.order(|&a, &b| names::cmp_folded(path(a).0, path(b).0));
        let mut shadowed = Vec::new();
        for pair in order.windows(2) {
            let (a, b) = (pair[0], pair[1]);
            let other = || self.entry_name(&self.files[a as usize]);
            let rule = match names::collide(path(a), path(b)) {
                None if path(a) == path(b) => {
                    shadowed.push(a);
                    continue;
                }
                None => continue,
                Some(Collision::Case) => Rule::Case { other: other() },
                Some(Collision::Duplicate) => Rule::Duplicate,
                Some(Collision::FileAndDirectory) => Rule::FileAndDirectory { other: other() },
            };
            return Err(self.error(&self.files[b as usize], rule));
        }
        for i in shadowed {
            self.files[i as usize].is_shadowed = true;
        }
        Ok(())
    }

    /// The files' numbers, sorted (stably) by `compare`.
    pub(super) fn order(&self, compare: impl FnMut(&u32, &u32) -> std::cmp::Ordering) -> Vec<u32> {
        let mut order: Vec<u32> = (0..self.files.len() as u32).collect();
        order.sort_by(compare);
        order
    }
}

/// The rules for go.mod and LICENSE.
fn check_special(name: &str, unpacked: u64) -> Result<(), Rule> {
    let base = name.rsplit('/').next().unwrap_or(name);
    if base.eq_ignore_ascii_case("go.mod") {
        if base != name {
            return Err(Rule::NestedGoMod);
        }
        if name != "go.mod" {
            return Err(Rule::GoModCase);
        }
        if unpacked > MAX_GO_MOD {
            return Err(Rule::GoModSize);
        }
    }
    if name == "LICENSE" && unpacked > MAX_LICENSE {
        return Err(Rule::LicenseSize);
    }
    Ok(())
}
