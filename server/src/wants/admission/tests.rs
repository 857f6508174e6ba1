#![allow(clippy::unwrap_used)]

use std::collections::HashSet;

use super::*;
use crate::wants::Settings;
use crate::wants::waiting::Miss;
use modferry_appliance::wants::Part;

const NOW: u64 = 1_795_000_000;

fn want(n: usize) -> Want {
    format!("a.b/c{n:06}@v1.0.0").parse().unwrap()
}

/// A table and its door, as the keeper has them.
struct Site {
    table: Table,
    admission: Admission,
    /// What was admitted and not taken down.
    waiting: Vec<Miss>,
}

impl Site {
    fn new(settings: Settings) -> Site {
        let new_per_address = settings.new_per_address;
        let table = Table::new(settings, Vec::new(), 0, NOW);
        let admission = Admission::to(&table, new_per_address, NOW);
        Site {
            table,
            admission,
            waiting: Vec::new(),
        }
    }

    /// A worker misses it.
    fn ask(&mut self, want: Want, client: u32) -> Result<bool, Limit> {
        let client = Client::V4(client);
        let new = self.admission.admit(&want, client)?;
        self.waiting.push(Miss {
            want,
            parts: Part::Info.into(),
            clients: HashSet::from([client]),
            by: new.then_some(client),
        });
        Ok(new)
    }

    /// How many of so many new names are admitted; and the first limit.
    fn ask_all(&mut self, names: std::ops::Range<usize>, client: u32) -> (usize, Option<Limit>) {
        let mut limit = None;
        let mut admitted = 0;
        for n in names {
            match self.ask(want(n), client) {
                Ok(_) => admitted += 1,
                Err(reached) => limit = limit.or(Some(reached)),
            }
        }
        (admitted, limit)
    }

    /// The keeper goes round; workers may miss something meanwhile. Returns what is gone.
    fn round(&mut self, now: u64, meanwhile: impl FnOnce(&mut Site)) -> Vec<Want> {
        self.admission.begin(now);
        for miss in std::mem::take(&mut self.waiting) {
            self.table.add(miss, now);
        }
        meanwhile(self);
        let gone = self.table.make_room(now);
        self.admission.renew(self.table.room(now), &gone);
        gone
    }
}

#[test]
fn an_address_brings_in_so_many_new_names_an_hour() {
    let mut site = Site::new(Settings {
        new_per_address: 10,
        ..Settings::default()
    });
    assert_eq!(site.ask_all(0..11, 1), (10, Some(Limit::NewNames)));
    // What is known is noted still, others are not concerned, and the next hour begins anew.
    assert_eq!(site.ask(want(3), 1), Ok(false));
    assert_eq!(site.ask(want(10), 2), Ok(true));
    assert_eq!(site.ask(want(10), 1), Ok(false));
    assert!(site.round(NOW + PERIOD - 1, |_| ()).is_empty());
    assert_eq!(site.ask_all(11..12, 1), (0, Some(Limit::NewNames)));
    site.round(NOW + PERIOD, |_| ());
    assert_eq!(site.ask_all(11..22, 1), (10, Some(Limit::NewNames)));
    // A clock that was put back begins anew, too.
    site.round(NOW - PERIOD, |_| ());
    assert_eq!(site.ask_all(30..31, 1), (1, None));
    site.round(NOW - PERIOD, |_| ());
    assert_eq!(site.table.len(), 22);
}

#[test]
fn many_addresses_are_counted_in_bounded_room() {
    let mut site = Site::new(Settings {
        most: usize::MAX,
        most_bytes: u64::MAX,
        new_per_address: 2,
        ..Settings::default()
    });
    let mut admitted = 0;
    for client in 0..MAX_CLIENTS as u32 + 5 {
        admitted += site.ask_all(client as usize..client as usize + 1, client).0;
    }
    // Those that are not counted one by one have the share of one.
    assert_eq!(admitted, MAX_CLIENTS + 2);
    assert!(site.admission.lock().new.len() <= MAX_CLIENTS + 1);
}

#[test]
fn what_is_admitted_is_held_and_what_is_held_is_known() {
    for (most, most_bytes) in [(40, 8 << 20), (20_000, 40 * size(&want(0)) + 399)] {
        let mut site = Site::new(Settings {
            most,
            most_bytes,
            ..Settings::default()
        });
        // Beside the entries, the files have some bytes, too.
        let most = most.min(39);
        // Four addresses have their quarter each, in names or in bytes, and there is no room for a fifth.
        let mut admitted = 0;
        for client in 0..3 {
            let first = 1000 * client as usize;
            let (its, limit) = site.ask_all(first..first + 20, client);
            assert!((9..=10).contains(&its), "{its}");
            assert_eq!(limit, Some(Limit::Share));
            admitted += its;
        }
        let (its, _) = site.ask_all(3000..3020, 3);
        admitted += its;
        for client in 4..10 {
            let first = 1000 * client as usize;
            let (its, limit) = site.ask_all(first..first + 20, client);
            admitted += its;
            assert_eq!(limit, Some(Limit::Full));
        }
        assert!((most - 1..=most + 1).contains(&admitted), "{admitted}");
        assert!(site.round(NOW, |_| ()).is_empty(), "all that was admitted");
        assert_eq!(site.table.len(), admitted);
        assert_eq!(site.ask(want(0), 77), Ok(false));

        // A second later each is worth less than what is asked for now, but for those that somebody has asked for again.
        for n in 0..5 {
            site.ask(want(n), 78).unwrap();
        }
        site.round(NOW + 1, |_| ());
        let mut new = 0;
        for client in 100..200 {
            let n = client as usize * 1000;
            new += usize::from(site.ask(want(n), client) == Ok(true));
        }
        assert_eq!(new, admitted - 5);
        let gone = site.round(NOW + 1, |_| ());
        assert_eq!(gone.len(), new);
        assert_eq!(site.table.len(), admitted);
        assert!(site.table.wants().all(|want| site.admission.is_known(want)));
        assert!(!gone.iter().any(|want| site.admission.is_known(want)));
    }
}

#[test]
fn what_is_admitted_while_the_keeper_looks_takes_its_room() {
    let mut site = Site::new(Settings {
        most: 20,
        ..Settings::default()
    });
    for client in 0..4 {
        let first = 100 * client as usize;
        site.round(NOW, |site| {
            assert_eq!(site.ask_all(first..first + 5, client), (5, None));
        });
    }
    assert_eq!(site.ask_all(900..901, 9), (0, Some(Limit::Full)));
    assert!(site.round(NOW, |_| ()).is_empty());
    assert_eq!(site.table.len(), 20);
}

#[test]
fn a_first_name_is_within_the_share_of_its_address() {
    let long: Want = format!("a.b/{}@v1.0.0", "x".repeat(900)).parse().unwrap();
    let mut site = Site::new(Settings {
        most: 2,
        most_bytes: 2000,
        ..Settings::default()
    });
    assert_eq!(site.ask(long, 1), Ok(true));
    assert_eq!(site.ask(want(1), 1), Err(Limit::Share));
    assert!(site.round(NOW, |_| ()).is_empty());
    assert_eq!(site.table.len(), 1);
}

#[test]
fn what_was_kept_before_is_known() {
    let mut before = Site::new(Settings::default());
    before.ask_all(0..3, 1);
    before.round(NOW, |_| ());
    let kept = before.table.kept(false);
    let table = Table::new(Settings::default(), kept, 0, NOW);
    let admission = Admission::to(&table, 1, NOW);
    assert_eq!(admission.admit(&want(2), Client::V4(5)), Ok(false));
    assert_eq!(admission.admit(&want(4), Client::V4(5)), Ok(true));
    assert_eq!(
        admission.admit(&want(5), Client::V4(5)),
        Err(Limit::NewNames)
    );
}
