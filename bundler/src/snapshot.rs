//! The vulnerability database in a bundle: whether it is carried, and its text, piece by piece.
//!
//! A destination holds one database. It is carried again when it has changed, and never an older one in the place of a newer
//! one: a mirror that lags behind, or a folder of last year, would take reports back without a word.

use jiff::Timestamp;
use modferry_checker::vulndb::in_seconds;
use modferry_protocol::bundle::{
    Item, Pack, PackBuilder, Snapshot, SnapshotError, SnapshotWriter, Vulndb,
};

use crate::basis::Holdings;
use crate::error::Error;
use crate::vulndb::{Database, is_ahead};

/// A database and what becomes of it.
#[derive(Debug)]
pub struct Carrying<'d> {
    database: &'d Database,
    /// As the manifest names it.
    pub vulndb: Vulndb,
    /// What to tell.
    pub notes: Vec<String>,
}

impl<'d> Carrying<'d> {
    /// What becomes of this one where the destination holds that.
    pub fn of(database: &'d Database, held: Option<&Snapshot>) -> Result<Carrying<'d>, Error> {
        let mut snapshot = text(database, |_| Ok(()))?;
        let mut notes = Vec::new();
        let carried = match held {
            Some(held) if snapshot.modified < held.modified => {
                notes.push(format!(
                    "the vulnerability database at hand is of {}, older than the one that was carried before, of {}: that one stays",
                    snapshot.modified, held.modified
                ));
                snapshot = held.clone();
                false
            }
            Some(held) => snapshot.replaces(held),
            None => true,
        };
        Ok(Carrying {
            database,
            vulndb: Vulndb { carried, snapshot },
            notes,
        })
    }

    /// The same of the one that is at hand, if there is one.
    pub fn at_hand(
        database: Option<&'d Database>,
        holdings: &Holdings,
    ) -> Result<Option<Carrying<'d>>, Error> {
        let carrying = database.map(|database| Carrying::of(database, holdings.vulndb()));
        carrying.transpose()
    }

    /// Calls `f` with each piece of its text, if it is carried.
    pub fn each_piece(&self, f: impl FnMut(Vec<u8>) -> Result<(), Error>) -> Result<(), Error> {
        match self.vulndb.carried {
            true => text(self.database, f).map(drop),
            false => Ok(()),
        }
    }

    /// Bytes of its text as a bundle has it, compressed, if it is carried.
    pub fn carried_bytes(&self) -> Result<u64, Error> {
        let mut packs = PackBuilder::new();
        let mut bytes = 0;
        let mut count = |pack: Option<Pack>| {
            bytes += pack.map_or(0, |pack| pack.into_entry(1).0.stored);
        };
        let mut numbers = 1..;
        self.each_piece(|piece| {
            let item = Item::Vulndb(numbers.next().unwrap_or_default());
            count(packs.push(item, &piece)?);
            Ok(())
        })?;
        count(packs.finish()?);
        Ok(bytes)
    }
}

/// Whether a database that was carried is of a time that has not come by this clock.
pub fn has_not_come(snapshot: &Snapshot, now: Timestamp) -> bool {
    let modified = snapshot.modified.parse();
    modified.is_ok_and(|modified| is_ahead(modified, now))
}

/// Writes the text of a database, and gives each piece to `f`.
fn text(
    database: &Database,
    mut f: impl FnMut(Vec<u8>) -> Result<(), Error>,
) -> Result<Snapshot, Error> {
    let wrong = |error: SnapshotError| Error::usage_because("the vulnerability database", error);
    let mut writer = SnapshotWriter::new();
    for (name, json) in database.documents() {
        if let Some(piece) = writer.document(name, json).map_err(wrong)? {
            f(piece)?;
        }
    }
    let (last, snapshot) = writer.finish(&in_seconds(database.modified));
    f(last)?;
    Ok(snapshot)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use modferry_checker::testing::vulnerability;
    use modferry_protocol::bundle::SnapshotReader;

    use crate::vulndb::testing;

    fn database(reports: usize) -> Database {
        let reports: Vec<_> = (1..=reports)
            .map(|n| {
                vulnerability(
                    &format!("GO-2026-{n:04}"),
                    "example.com/a",
                    &[["0", "1.1.0"]],
                )
            })
            .collect();
        testing::database(&reports)
    }

    #[test]
    fn one_of_a_time_that_has_not_come_is_seen_but_for_a_day() {
        let database = database(1);
        let snapshot = Carrying::of(&database, None).unwrap().vulndb.snapshot;
        for (now, want) in [
            ("2026-11-19T08:29:59Z", true),
            ("2026-11-19T08:30:00Z", false),
            ("2026-11-20T08:30:00Z", false),
        ] {
            assert_eq!(has_not_come(&snapshot, now.parse().unwrap()), want, "{now}");
        }
    }

    #[test]
    fn what_is_carried_is_read_back() {
        let database = database(3);
        let carrying = Carrying::of(&database, None).unwrap();
        assert!(carrying.vulndb.carried && carrying.notes.is_empty());
        let mut reader = SnapshotReader::new();
        let mut documents = Vec::new();
        carrying
            .each_piece(|piece| {
                let of_piece = reader.piece(&piece).unwrap();
                documents.extend(
                    of_piece
                        .iter()
                        .map(|(name, json)| (name.to_string(), json.to_vec())),
                );
                Ok(())
            })
            .unwrap();
        let all: Vec<_> = (database.documents())
            .map(|(name, json)| (name.to_string(), json.to_vec()))
            .collect();
        assert_eq!(documents, all);
        assert_eq!(
            reader.finish(&carrying.vulndb.snapshot.modified),
            carrying.vulndb.snapshot
        );
    }

    #[test]
    fn it_is_carried_again_when_it_has_changed_and_never_an_older_one() {
        let (old, new) = (database(1), database(2));
        let first = Carrying::of(&old, None).unwrap().vulndb.snapshot;
        let again = Carrying::of(&old, Some(&first)).unwrap();
        assert!(!again.vulndb.carried && again.vulndb.snapshot == first);
        again.each_piece(|_| panic!("it is not carried")).unwrap();
        // Of the same time, with a report more.
        assert!(Carrying::of(&new, Some(&first)).unwrap().vulndb.carried);
        let newer = Snapshot {
            modified: "2027-01-01T00:00:00Z".into(),
            ..first.clone()
        };
        let older = Carrying::of(&old, Some(&newer)).unwrap();
        assert_eq!(older.vulndb.snapshot, newer);
        assert!(!older.vulndb.carried);
        assert!(older.notes[0].contains("of 2027-01-01T00:00:00Z: that one stays"));
    }
}
