//! The rules that an index keeps, in one place for writer and reader: what one may not write, the other refuses.

use super::file::NEEDED_FILE;
use super::item::{Encoding, Entry, Item};
use super::manifest::Totals;
use super::{
    MAX_CONTENTS_RESTORED, MAX_CONTENTS_STORED, MAX_ENTRIES, MAX_ENTRY, MAX_FILE, MAX_FILES,
    MAX_HEADS, MAX_LIST_TEXT, MAX_PACK_ITEMS, MAX_PACK_RESTORED, MAX_PACK_STORED, MAX_QUERIES,
    MAX_SNAPSHOT, MAX_SNAPSHOT_PIECE, MAX_TRUST_NOTES,
};
use crate::sumdb::DbName;
use crate::trust::{MAX_TRUST_NOTE, MAX_TRUST_NUMBER};

/// Why an index is none, and where: the line of it that is wrong, or the entry that a writer was given.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    /// A line is not as the format has it.
    #[error("index line {line}: {what}")]
    Line {
        /// The line's number, from 1.
        line: u64,
        /// What is wrong with it.
        what: String,
    },
    /// A line is well-formed and means nothing to this version.
    #[error(
        "index line {line}: {what}: the bundle was made by a newer modferry; use that version or a newer one"
    )]
    Newer {
        /// The line's number, from 1.
        line: u64,
        /// What is unknown.
        what: String,
    },
    /// An entry breaks a rule.
    #[error("index, {entry}: {what}")]
    Entry {
        /// The entry.
        entry: String,
        /// The rule that it breaks.
        what: String,
    },
    /// The index could not be read or written.
    #[error("index: reading or writing it failed")]
    Io(#[from] std::io::Error),
}

/// Follows an index from its first entry to its last: numbers, order, limits and totals.
#[derive(Default)]
pub(super) struct Rules {
    entries: u32,
    last: Option<Item>,
    totals: Totals,
    heads: Vec<DbName>,
    needs: u32,
    bases: u32,
    tombstones: u32,
    trust_notes: usize,
    vulndb: u32,
    vulndb_bytes: u64,
}

impl Rules {
    /// Takes the next entry in, or says which rule it breaks.
    pub(super) fn admit(&mut self, entry: &Entry) -> Result<(), IndexError> {
        self.try_admit(entry).map_err(|what| IndexError::Entry {
            entry: entry.to_string(),
            what,
        })
    }

    fn try_admit(&mut self, entry: &Entry) -> Result<(), String> {
        if self.entries >= MAX_ENTRIES {
            return Err(format!("more than {MAX_ENTRIES} entries"));
        }
        if entry.number != self.entries + 1 {
            return Err(format!("number {} follows {}", entry.number, self.entries));
        }
        match entry.encoding {
            Encoding::Raw => check_raw(entry)?,
            Encoding::Zstd => check_pack(entry)?,
            Encoding::Contents => check_contents(entry)?,
            Encoding::Recipes => check_recipes(entry)?,
        }
        if entry.encoding != Encoding::Recipes && !entry.zip_sha256.is_empty() {
            return Err("only zips that travel as recipes have a SHA-256 of their own".into());
        }
        for (item, size) in &entry.items {
            if let Some(last) = &self.last
                && item <= last
            {
                return Err(if item == last {
                    format!("{item} is there twice")
                } else {
                    format!("{item} is out of order: it follows {last}")
                });
            }
            self.check_item(item, *size)?;
            self.last = Some(item.clone());
            self.count(item, *size);
        }
        self.entries = entry.number;
        self.totals.carried_bytes += entry.stored;
        Ok(())
    }

    /// What holds for an item of its kind alone.
    fn check_item(&self, item: &Item, size: u64) -> Result<(), String> {
        let numbered = |number: u32, before: u32, most: u64| {
            if number != before + 1 {
                return Err(format!("{item} comes where number {} is due", before + 1));
            }
            within(item, size, most)
        };
        let text = |number, before| numbered(number, before, MAX_LIST_TEXT as u64);
        match item {
            Item::Needs(number) => text(*number, self.needs),
            Item::Bases(number) => text(*number, self.bases),
            Item::Tombstones(number) => text(*number, self.tombstones),
            Item::NeededFile(_) if self.totals.needed_files >= MAX_FILES => {
                Err(format!("more than {MAX_FILES} files are needed"))
            }
            Item::GoneFile(_) if self.totals.gone_files >= MAX_FILES => {
                Err(format!("more than {MAX_FILES} files are taken back"))
            }
            Item::NeededFile(_) => of_size(item, size, NEEDED_FILE),
            Item::GoneFile(_) => of_size(item, size, 0),
            Item::Trust(number) if !(1..=MAX_TRUST_NUMBER).contains(number) => Err(format!(
                "{item}: want a number from 1 to {MAX_TRUST_NUMBER}"
            )),
            Item::Trust(_) if self.trust_notes >= MAX_TRUST_NOTES => {
                Err(format!("more than {MAX_TRUST_NOTES} trust notes"))
            }
            Item::Trust(_) => within(item, size, MAX_TRUST_NOTE),
            Item::Vulndb(_) if self.vulndb_bytes.saturating_add(size) > MAX_SNAPSHOT => Err(
                format!("a vulnerability database of more than {MAX_SNAPSHOT} bytes"),
            ),
            Item::Vulndb(number) => numbered(*number, self.vulndb, MAX_SNAPSHOT_PIECE as u64),
            Item::Contents(number) => {
                // There are no more frames than entries.
                let before = self.totals.contents as u32;
                numbered(*number, before, MAX_CONTENTS_RESTORED)
            }
            Item::File(_) if self.totals.files >= MAX_FILES => {
                Err(format!("more than {MAX_FILES} files"))
            }
            Item::Query(_) if self.totals.queries >= MAX_QUERIES as u64 => {
                Err(format!("more than {MAX_QUERIES} answered queries"))
            }
            Item::Head(_) if self.heads.len() >= MAX_HEADS => {
                Err(format!("more than {MAX_HEADS} tree heads"))
            }
            _ => Ok(()),
        }
    }

    fn count(&mut self, item: &Item, size: u64) {
        match item {
            Item::Needs(number) => self.needs = *number,
            Item::Bases(number) => self.bases = *number,
            Item::Tombstones(number) => self.tombstones = *number,
            Item::NeededFile(_) => self.totals.needed_files += 1,
            Item::GoneFile(_) => self.totals.gone_files += 1,
            Item::Trust(_) => self.trust_notes += 1,
            Item::Head(db) => self.heads.push(db.clone()),
            Item::Record(..) => self.totals.records += 1,
            Item::Tile(..) => self.totals.tiles += 1,
            Item::Pin(_) => self.totals.pins += 1,
            Item::Info(_) => self.totals.infos += 1,
            Item::Mod(_) => self.totals.mods += 1,
            Item::Query(_) => self.totals.queries += 1,
            Item::Vulndb(number) => {
                self.vulndb = *number;
                self.vulndb_bytes += size;
            }
            Item::Contents(_) => {
                self.totals.contents += 1;
                self.totals.content_bytes += size;
            }
            Item::Zip(_) => {
                self.totals.zips += 1;
                self.totals.zip_bytes += size;
            }
            Item::File(_) => {
                self.totals.files += 1;
                self.totals.file_bytes += size;
            }
        }
    }

    /// The number of the next entry.
    pub(super) fn next_number(&self) -> u32 {
        self.entries + 1
    }

    /// What the entries so far come to.
    pub(super) fn totals(&self) -> Totals {
        self.totals
    }

    /// How many texts of needs there were.
    pub(super) fn needs(&self) -> u32 {
        self.needs
    }

    /// How many texts of bases there were.
    pub(super) fn bases(&self) -> u32 {
        self.bases
    }

    /// How many texts of tombstones there were.
    pub(super) fn tombstones(&self) -> u32 {
        self.tombstones
    }

    /// How many pieces of a vulnerability database there were, and their bytes together.
    pub(super) fn vulndb(&self) -> (u32, u64) {
        (self.vulndb, self.vulndb_bytes)
    }

    /// The databases whose heads were among the entries so far, in order.
    pub(super) fn heads(&self) -> &[DbName] {
        &self.heads
    }
}

fn of_size(item: &Item, size: u64, want: u64) -> Result<(), String> {
    match size == want {
        true => Ok(()),
        false => Err(format!("{item} of {size} bytes: want {want}")),
    }
}

fn within(item: &Item, size: u64, most: u64) -> Result<(), String> {
    if (1..=most).contains(&size) {
        return Ok(());
    }
    Err(format!("{item} of {size} bytes: want 1 to {most}"))
}

fn check_raw(entry: &Entry) -> Result<(), String> {
    let (size, most) = match entry.items.as_slice() {
        [(Item::Zip(_), size)] => (size, MAX_ENTRY),
        [(Item::File(_), size)] => (size, MAX_FILE),
        _ => return Err("a raw entry has one item, a zip or a file".into()),
    };
    if *size != entry.stored {
        return Err(format!(
            "{} bytes are stored for an item of {size}",
            entry.stored
        ));
    }
    if !(1..=most).contains(&entry.stored) {
        return Err(format!("{} bytes: want 1 to {most}", entry.stored));
    }
    Ok(())
}

/// What holds for a pack, of small things as of recipes.
fn check_size(entry: &Entry) -> Result<(), String> {
    if !(1..=MAX_PACK_ITEMS).contains(&entry.items.len()) {
        return Err(format!(
            "{} items: want 1 to {MAX_PACK_ITEMS} in a pack",
            entry.items.len()
        ));
    }
    if !(1..=MAX_PACK_STORED).contains(&entry.stored) {
        return Err(format!(
            "{} bytes stored: want 1 to {MAX_PACK_STORED} in a pack",
            entry.stored
        ));
    }
    Ok(())
}

fn check_contents(entry: &Entry) -> Result<(), String> {
    let [(Item::Contents(_), _)] = entry.items.as_slice() else {
        return Err("an entry of contents has one item, a frame of them".into());
    };
    if !(1..=MAX_CONTENTS_STORED).contains(&entry.stored) {
        return Err(format!(
            "{} bytes stored: want 1 to {MAX_CONTENTS_STORED} of contents",
            entry.stored
        ));
    }
    Ok(())
}

/// How large the recipes are, which the index does not say, is checked when they are restored.
fn check_recipes(entry: &Entry) -> Result<(), String> {
    check_size(entry)?;
    for (item, size) in &entry.items {
        if !matches!(item, Item::Zip(_)) {
            return Err(format!("{item} among recipes: they are for zips"));
        }
        within(item, *size, MAX_ENTRY)?;
    }
    if entry.zip_sha256.len() != entry.items.len() {
        return Err("a zip that travels as a recipe has a size and a SHA-256".into());
    }
    Ok(())
}

fn check_pack(entry: &Entry) -> Result<(), String> {
    check_size(entry)?;
    let mut restored = 0u64;
    for (item, size) in &entry.items {
        if matches!(item, Item::Contents(_) | Item::Zip(_) | Item::File(_)) {
            return Err(format!("{item} in a pack: it has an entry of its own"));
        }
        restored = restored.saturating_add(*size);
    }
    if restored > MAX_PACK_RESTORED {
        return Err(format!(
            "{restored} bytes restored: want at most {MAX_PACK_RESTORED} in a pack"
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::file::FileName;
    use super::super::query::Query;
    use super::*;

    #[test]
    fn a_bundle_has_4_000_000_entries_at_most() {
        let mut rules = Rules {
            entries: MAX_ENTRIES - 1,
            ..Rules::default()
        };
        let zip = |number: u32, version: &str| Entry {
            number,
            encoding: Encoding::Raw,
            stored: 1,
            sha256: [0; 32],
            items: vec![(
                Item::Zip(format!("example.com/a@{version}").parse().unwrap()),
                1,
            )],
            zip_sha256: vec![],
        };
        rules.admit(&zip(MAX_ENTRIES, "v1.0.0")).unwrap();
        let error = rules.admit(&zip(MAX_ENTRIES + 1, "v1.1.0")).unwrap_err();
        assert_eq!(
            error.to_string(),
            "index, entry 4000001.zip (zip example.com/a@v1.1.0): more than 4000000 entries"
        );
    }
    #[test]
    fn a_bundle_answers_65_536_queries_at_most() {
        let pack = |number: u32, queries: std::ops::Range<usize>| Entry {
            number,
            encoding: Encoding::Zstd,
            stored: 1,
            sha256: [0; 32],
            items: queries
                .map(|n| {
                    let path = "example.com/a".parse().unwrap();
                    let revision = format!("b{n:06}").parse().unwrap();
                    (Item::Query(Query::new(path, revision).unwrap()), 1)
                })
                .collect(),
            zip_sha256: vec![],
        };
        let mut rules = Rules::default();
        let packs = MAX_QUERIES.div_ceil(MAX_PACK_ITEMS);
        for n in 0..packs {
            let end = MAX_QUERIES.min((n + 1) * MAX_PACK_ITEMS);
            rules
                .admit(&pack(n as u32 + 1, n * MAX_PACK_ITEMS..end))
                .unwrap();
        }
        assert_eq!(rules.totals().queries, MAX_QUERIES as u64);
        let next = pack(packs as u32 + 1, MAX_QUERIES..MAX_QUERIES + 1);
        let error = rules.admit(&next).unwrap_err();
        assert!(
            error
                .to_string()
                .ends_with(": more than 65536 answered queries"),
            "{error}"
        );
    }

    #[test]
    fn pieces_of_a_vulnerability_database_are_numbered_and_have_a_limit_together() {
        let pack = |number: u32, piece: u32, size: u64| Entry {
            number,
            encoding: Encoding::Zstd,
            stored: 1,
            sha256: [0; 32],
            items: vec![(Item::Vulndb(piece), size)],
            zip_sha256: vec![],
        };
        let admit = |packs: &[Entry]| {
            let mut rules = Rules::default();
            packs
                .iter()
                .try_for_each(|pack| rules.admit(pack))
                .map_err(|error| error.to_string())
        };
        let most = MAX_SNAPSHOT_PIECE as u64;
        admit(&[pack(1, 1, most), pack(2, 2, 1)]).unwrap();
        for (packs, what) in [
            (vec![pack(1, 1, most + 1)], "want 1 to 12582912"),
            (vec![pack(1, 1, 0)], "want 1 to 12582912"),
            (vec![pack(1, 2, 1)], "where number 1 is due"),
            (vec![pack(1, 1, 1), pack(2, 3, 1)], "where number 2 is due"),
        ] {
            let error = admit(&packs).unwrap_err();
            assert!(error.contains(what), "{error}");
        }
        let mut packs: Vec<Entry> = (1..=5).map(|n| pack(n, n, most)).collect();
        packs.push(pack(6, 6, MAX_SNAPSHOT - 5 * most));
        admit(&packs).unwrap();
        packs.push(pack(7, 7, 1));
        let error = admit(&packs).unwrap_err();
        assert!(error.ends_with("of more than 75497472 bytes"), "{error}");
    }

    #[test]
    fn a_bundle_needs_and_takes_back_4096_files_at_most() {
        type Of = fn(FileName) -> Item;
        let kinds: [(Of, u64, &str); 2] = [
            (Item::NeededFile, 64, "files are needed"),
            (Item::GoneFile, 0, "files are taken back"),
        ];
        for (item, size, what) in kinds {
            let pack = |number: u32, files: std::ops::Range<u64>| Entry {
                number,
                encoding: Encoding::Zstd,
                stored: 1,
                sha256: [0; 32],
                items: files
                    .map(|n| (item(format!("f{n:06}").parse().unwrap()), size))
                    .collect(),
                zip_sha256: vec![],
            };
            let mut rules = Rules::default();
            rules.admit(&pack(1, 0..MAX_FILES)).unwrap();
            let error = rules.admit(&pack(2, MAX_FILES..MAX_FILES + 1)).unwrap_err();
            let want = format!(": more than 4096 {what}");
            assert!(error.to_string().ends_with(&want), "{error}");
        }
    }

    #[test]
    fn only_zips_of_recipes_have_a_sha256_of_their_own() {
        let zip = |encoding, zip_sha256: &[[u8; 32]]| Entry {
            number: 1,
            encoding,
            stored: 1,
            sha256: [0; 32],
            items: vec![(Item::Zip("example.com/a@v1.0.0".parse().unwrap()), 1)],
            zip_sha256: zip_sha256.to_vec(),
        };
        let admit = |encoding, zip_sha256: &[[u8; 32]]| {
            let admitted = Rules::default().admit(&zip(encoding, zip_sha256));
            admitted.map_err(|error| error.to_string())
        };
        admit(Encoding::Raw, &[]).unwrap();
        admit(Encoding::Recipes, &[[0; 32]]).unwrap();
        let error = admit(Encoding::Raw, &[[0; 32]]).unwrap_err();
        assert!(
            error.contains("only zips that travel as recipes"),
            "{error}"
        );
        for wrong in [&[][..], &[[0; 32]; 2]] {
            let error = admit(Encoding::Recipes, wrong).unwrap_err();
            assert!(error.contains("has a size and a SHA-256"), "{error}");
        }
    }

    #[test]
    fn a_bundle_has_100_heads_at_most() {
        // In several packs, since it is not one pack's items that are limited here.
        let pack = |number: u32, databases: std::ops::Range<usize>| Entry {
            number,
            encoding: Encoding::Zstd,
            stored: 1,
            sha256: [0; 32],
            items: databases
                .map(|n| {
                    (
                        Item::Head(DbName::new(&format!("sum{n:03}.test")).unwrap()),
                        1,
                    )
                })
                .collect(),
            zip_sha256: vec![],
        };
        let mut rules = Rules::default();
        rules.admit(&pack(1, 0..60)).unwrap();
        rules.admit(&pack(2, 60..MAX_HEADS)).unwrap();
        assert_eq!(rules.heads().len(), MAX_HEADS);
        let error = rules.admit(&pack(3, MAX_HEADS..MAX_HEADS + 1)).unwrap_err();
        assert!(
            error.to_string().ends_with(": more than 100 tree heads"),
            "{error}"
        );
        assert_eq!(rules.heads().len(), MAX_HEADS);
    }
}
