#![allow(clippy::unwrap_used)]

use std::collections::HashSet;

use super::*;
use modferry_appliance::wants::kept::{FORMAT, Kept};
use modferry_appliance::wants::{Part, Parts};

const NOW: u64 = 1_795_000_000;
const DAY: u64 = 86_400;

fn miss(want: &str, client: u32) -> Miss {
    Miss {
        want: want.parse().unwrap(),
        parts: Part::Info.into(),
        clients: HashSet::from([Client::V4(client)]),
        by: Some(Client::V4(client)),
    }
}

fn table(settings: Settings) -> Table {
    Table::new(settings, Vec::new(), 0, NOW)
}

fn names(table: &Table) -> Vec<String> {
    let kept = table.kept(false);
    kept.iter().map(|missed| missed.want.to_string()).collect()
}

fn name(n: usize) -> String {
    format!("a.b/c{n:05}@v1.0.0")
}

#[test]
fn a_name_is_held_once_with_its_parts_count_and_times() {
    let mut table = table(Settings::default());
    table.add(miss("a.b/c@v1.0.0", 1), NOW);
    let mut zip = miss("a.b/c@v1.0.0", 2);
    zip.parts = Part::Record.into();
    zip.clients = (10..15).map(Client::V4).collect();
    table.add(zip, NOW + 7);
    table.add(miss("a.b/c@latest", 1), NOW + 7);
    let kept = table.kept(false);
    assert_eq!(names(&table), ["a.b/c@latest", "a.b/c@v1.0.0"]);
    let both = &kept[1];
    assert_eq!((both.asked, both.first, both.last), (6, NOW, NOW + 7));
    assert!(both.parts.has(Part::Info) && both.parts.has(Part::Record));
    assert!(both.parts.is_certain() && !kept[0].parts.is_certain());
    // A clock that is put back neither panics nor keeps an entry for ever.
    table.add(miss("a.b/c@latest", 1), NOW - DAY);
    assert_eq!(table.kept(false)[0].last, NOW - DAY);
}

#[test]
fn when_it_is_full_what_is_asked_for_least_goes() {
    let most = 100;
    let mut table = table(Settings {
        most,
        ..Settings::default()
    });
    for n in 0..most {
        table.add(miss(&name(n), n as u32 % 4), NOW + n as u64);
    }
    assert!(table.make_room(NOW + most as u64).is_empty());
    assert_eq!(table.len(), most);
    // One that a build fails on again and again, and one more than fits.
    table.add(miss(&name(0), 1), NOW);
    table.add(miss(&name(most), 5), NOW + most as u64);
    assert!(!table.make_room(NOW + most as u64).is_empty());
    let left = names(&table);
    assert_eq!(left.len(), most);
    assert!(left.contains(&name(0)) && left.contains(&name(most)));
    assert!(
        !left.contains(&name(1)),
        "of those asked for once, the oldest goes"
    );
    assert_eq!(table.left_out(), 1);
}

#[test]
fn what_is_asked_for_no_more_counts_less_each_week_and_goes_after_some_days() {
    let settings = Settings {
        most: 1,
        days: 30,
        ..Settings::default()
    };
    let mut old = miss("a.b/old@v1.0.0", 1);
    old.clients = (1..4).map(Client::V4).collect();
    for (days, stays) in [(10, "a.b/old@v1.0.0"), (12, "a.b/new@v1.0.0")] {
        let mut table = table(settings.clone());
        table.add(
            Miss {
                want: old.want.clone(),
                clients: old.clients.clone(),
                ..old
            },
            NOW,
        );
        table.add(miss("a.b/new@v1.0.0", 1), NOW + days * DAY);
        table.make_room(NOW + days * DAY);
        assert_eq!(names(&table), [stays], "{days}");
    }
    let mut table = table(settings);
    table.add(old, NOW);
    assert!(table.make_room(NOW + 30 * DAY).is_empty());
    assert!(!table.make_room(NOW + 30 * DAY + 1).is_empty());
    assert!(table.is_empty());
}

#[test]
fn an_address_holds_no_more_than_its_share_however_often_it_asks() {
    let most = 400;
    let settings = Settings {
        most,
        new_per_address: 100,
        ..Settings::default()
    };
    let mut table = table(settings);
    for n in 0..most / 2 {
        table.add(miss(&format!("a.b/real{n}@v1.0.0"), n as u32 + 2), NOW);
    }
    // For ten hours, as many new names as an address may bring in, each asked for again and again.
    for hour in 0..10 {
        let now = NOW + hour * PERIOD;
        for _ in 0..20 {
            for n in 0..100 {
                table.add(miss(&name(hour as usize * 100 + n), 1), now);
            }
            table.make_room(now);
        }
    }
    let names = names(&table);
    let real = names.iter().filter(|name| name.contains("real")).count();
    assert_eq!((real, names.len()), (most / 2, most / 2 + most / SHARES));
    // What goes of it counts as left out, and with its last name it is forgotten.
    assert!(table.left_out() > 0);
    assert!(!table.make_room(NOW + 365 * DAY).is_empty());
    assert!(table.is_empty() && table.brought.is_empty());
}

#[test]
fn an_address_holds_no_more_than_its_share_of_bytes_and_at_least_one_name() {
    let name = |n: usize| format!("a.b/{}{n}@v1.0.0", "x".repeat(300));
    let each = size(&name(0).parse().unwrap());
    let mut some = table(Settings {
        most_bytes: 40 * each,
        ..Settings::default()
    });
    for n in 0..10 {
        some.add(miss(&name(n), 1), NOW);
    }
    assert!(some.make_room(NOW).is_empty());
    some.add(miss(&name(9).replace("x9", "y9"), 1), NOW);
    assert!(!some.make_room(NOW).is_empty());
    assert_eq!(some.len(), 10);
    let mut few = table(Settings {
        most: 2,
        ..Settings::default()
    });
    few.add(miss(&name(0), 1), NOW);
    assert!(few.make_room(NOW).is_empty());
    few.add(miss(&name(1), 1), NOW + 1);
    assert!(!few.make_room(NOW + 1).is_empty());
    assert_eq!(few.len(), 1);
}

#[test]
fn files_are_never_larger_than_they_may_be() {
    let most_bytes = 100_000;
    let settings = Settings {
        most_bytes,
        new_per_address: u32::MAX,
        private: "private.example".into(),
        ..Settings::default()
    };
    let all = [
        Part::Info,
        Part::Mod,
        Part::Zip,
        Part::Record,
        Part::Versions,
        Part::Query,
    ];
    let missed = |n: usize| {
        let host = ["a.b", "private.example"][n % 2];
        let want = format!("{host}/{}@v1.0.0-{n}", "x".repeat(n % 300 + 1));
        // The most that any number has digits.
        let time = u64::MAX - n as u64;
        Missed {
            want: want.parse().unwrap(),
            parts: Parts::from(all.to_vec()),
            asked: u64::MAX,
            first: time,
            last: time,
        }
    };
    let table = Table::new(settings, (0..2000).map(missed).collect(), 0, u64::MAX);
    assert!(table.len() < 2000);
    let mut bytes = 0;
    for private in [false, true] {
        let kept = Kept {
            format: FORMAT,
            written: u64::MAX,
            left_out: u64::MAX,
            wants: table.kept(private),
        };
        assert!(kept.wants.len() > 50);
        let mut file = Vec::new();
        kept.write(&mut file).unwrap();
        bytes += file.len() as u64;
    }
    assert!(bytes <= most_bytes, "{bytes}");
    assert!(
        bytes > most_bytes / 2,
        "{bytes}: the estimate is too careful"
    );
}

#[test]
fn what_stands_above_a_private_name_is_as_private() {
    let mut table = table(Settings {
        private: "git.corp.example/*,host.example/ours/team/x".into(),
        ..Settings::default()
    });
    for want in [
        "git.corp.example@latest",
        "host.example/ours/team@latest",
        "host.example@latest",
        "host.example/theirs@latest",
    ] {
        table.add(miss(want, 1), NOW);
    }
    assert_eq!(names(&table), ["host.example/theirs@latest"]);
    assert_eq!(table.kept(true).len(), 3);
}

#[test]
fn what_was_kept_and_is_noted_no_more_goes() {
    let kept = ["a.b/c@all", "a.b/c@latest", "a.b/c@main"].map(|want| Missed {
        want: want.parse().unwrap(),
        parts: Part::Query.into(),
        asked: 1,
        first: NOW,
        last: NOW,
    });
    let table = Table::new(Settings::default(), kept.into(), 0, NOW);
    assert_eq!(names(&table), ["a.b/c@latest", "a.b/c@main"]);
}

#[test]
fn private_names_are_apart_and_sorted_anew_with_other_patterns() {
    let settings = |private: &str| Settings {
        private: private.into(),
        ..Settings::default()
    };
    let mut first = table(settings("*.corp.example"));
    for want in [
        "a.b/c@v1.0.0",
        "git.corp.example/x@v1.0.0",
        "github.com/ours/y@v1.0.0",
    ] {
        first.add(miss(want, 1), NOW);
    }
    assert_eq!(first.kept(true).len(), 1);
    let kept = [first.kept(false), first.kept(true)].concat();
    let then = Table::new(settings("*.corp.example,github.com/ours"), kept, 0, NOW);
    assert_eq!(names(&then), ["a.b/c@v1.0.0"]);
    assert_eq!(then.kept(true).len(), 2);
}
