//! Bundles that build on others: what they need, what they take back, and how a lost one is made up for.

use super::*;
use modferry_protocol::bundle::{Gone, Level, StreamName};

/// A checksum database that grows by a module a week, and the stream's weekly bundles.
struct Weeks {
    sumdb: TestSumdb,
    modules: Vec<TestModule>,
    /// All of the stream so far, as one bundle: what the next one need not carry.
    carried: TestBundle,
    bundles: Vec<TestBundle>,
}

impl Weeks {
    fn new(count: usize) -> Self {
        let mut sumdb = TestSumdb::new("sum.example.com");
        let modules = vec![TestModule::numbered(0)];
        sumdb.add(&modules[0]);
        let first = TestBundle::of(&sumdb, &[&modules[0]], &[]);
        let mut weeks = Self {
            sumdb,
            modules,
            carried: first.clone(),
            bundles: vec![first],
        };
        (1..count).for_each(|_| weeks.next());
        weeks
    }

    /// One module more; all before it is needed, and the tree has grown by hundreds of records.
    fn next(&mut self) {
        let older: Vec<u64> = self.bundles.iter().map(|b| b.heads[0].1.size).collect();
        let module = TestModule::numbered(self.modules.len());
        self.sumdb.pad(700, "w");
        self.sumdb.add(&module);
        let mut needs: Vec<_> = (self.modules.iter())
            .map(|m| (m.module.clone(), Level::Zip))
            .collect();
        needs.sort_by(|a, b| a.0.cmp(&b.0));
        self.modules.push(module);
        let all: Vec<&TestModule> = self.modules.iter().collect();
        let whole = TestBundle::of(&self.sumdb, &all, &older);
        let last = self.bundles.last().unwrap();
        let update = whole.clone().less(&self.carried, last.sequence.get() + 1);
        self.bundles.push(update.on(last).needing(needs));
        self.carried = whole;
    }
}

fn advice(error: &ImportError) -> String {
    assert_eq!(error.exit(), Exit::Missing, "{error:?}");
    error.advice().unwrap()
}

#[test]
fn what_a_bundle_needs_and_takes_back_becomes_its_streams_claims() {
    let mut weeks = Weeks::new(2);
    let site = Site::new(&weeks.sumdb);
    site.import_one(&weeks.bundles[0]).unwrap();
    let [a, b] = [0, 1].map(|n| weeks.modules[n].module.clone());
    let done = site.import_one(&weeks.bundles[1]).unwrap();
    assert_eq!(done.checks.unwrap().needs, 1);
    // The third week's selection names the first module no more.
    weeks.next();
    let mut third = weeks.bundles.pop().unwrap();
    third.items.remove(&Item::Needs(1)).unwrap();
    let third = third
        .needing([(b.clone(), Level::Mod)])
        .without([(a.clone(), Gone::All), (b.clone(), Gone::Zip)]);
    let done = site.import_one(&third).unwrap();
    assert_eq!(done.checks.unwrap().tombstones, 2);
    let view = site.reader();
    let claim = |module| {
        let claims = view.claims(module).unwrap();
        let [(stream, claim)] = &claims[..] else {
            panic!("{claims:?}")
        };
        assert_eq!(stream, "test");
        (format!("{:?}", claim.extent), claim.sequence)
    };
    assert_eq!(claim(&a), ("Nothing".into(), 3));
    assert_eq!(claim(&b), ("Mod".into(), 3));
    assert_eq!(claim(&weeks.modules[2].module), ("Zip".into(), 3));
    // Only marked: it goes on being served.
    assert_served(&view, &weeks.sumdb, &weeks.modules[0]);
}

#[test]
fn a_lost_bundle_is_told_with_the_command_that_makes_up_for_it() {
    let weeks = Weeks::new(4);
    let site = Site::new(&weeks.sumdb);
    site.import_one(&weeks.bundles[0]).unwrap();
    let before = site.totals();
    for (late, lost) in [(2, "bundle 2"), (3, "bundles 2 to 3")] {
        let error = site.import_one(&weeks.bundles[late]).unwrap_err();
        assert_eq!(
            advice(&error),
            format!(
                "{lost} of stream test never came here: import what there is of that first, or make up for it on the \
                 connected side: modferry-bundler export --stream test --cumulative-from 2"
            )
        );
        assert!(
            error
                .details()
                .iter()
                .any(|what| *what == Item::Zip(weeks.modules[1].module.clone()).to_string()),
            "{:?}",
            error.details()
        );
        let verified = site.verify().unwrap_err();
        assert_eq!(advice(&verified), advice(&error), "verify says the same");
    }
    assert_eq!(site.totals(), before, "nothing changed");
    // It was only late.
    for bundle in &weeks.bundles[1..] {
        site.import_one(bundle).unwrap();
    }
    for module in &weeks.modules {
        assert_served(&site.reader(), &weeks.sumdb, module);
    }
}

#[test]
fn a_store_that_never_had_the_stream_is_told_to_begin_it() {
    let weeks = Weeks::new(2);
    let site = Site::new(&weeks.sumdb);
    let error = site.import_one(&weeks.bundles[1]).unwrap_err();
    assert_eq!(
        advice(&error),
        "nothing of stream test ever came here: import it from its first bundle on, or begin it again on the \
         connected side: modferry-bundler export --stream test --basis none"
    );
    // A verification that finds no store knows even less.
    let verified = advice(&site.verify().unwrap_err());
    assert!(
        verified.ends_with(": modferry-bundler export --stream test --basis none"),
        "{verified}"
    );
}

#[test]
fn a_head_that_another_stream_has_shipped_is_named() {
    let mut weeks = Weeks::new(2);
    let site = Site::new(&weeks.sumdb);
    for bundle in &weeks.bundles {
        site.import_one(bundle).unwrap();
    }
    // Another stream comes by with a head between two of this one's.
    weeks.sumdb.pad(300, "o");
    let other = TestModule::numbered(90);
    weeks.sumdb.add(&other);
    let older: Vec<u64> = weeks.bundles.iter().map(|b| b.heads[0].1.size).collect();
    let foreign = weeks.sumdb.size();
    let mut bundle = TestBundle::of(&weeks.sumdb, &[&other], &older);
    bundle.stream = StreamName::new("other").unwrap();
    site.import_one(&bundle).unwrap();

    weeks.next();
    let error = site.import_one(&weeks.bundles[2]).unwrap_err();
    assert!(
        error.details().iter().all(|what| what.starts_with("tile ")),
        "{:?}",
        error.details()
    );
    assert_eq!(
        advice(&error),
        format!(
            "on the connected side: modferry-bundler export --stream test --cumulative-from 3 --known-head {foreign}"
        )
    );
    // What that command makes: the same on the same basis, for clients that may hold that head.
    let older: Vec<u64> = older.into_iter().chain([foreign]).collect();
    let all: Vec<&TestModule> = weeks.modules.iter().collect();
    let whole = TestBundle::of(&weeks.sumdb, &all, &older);
    let mut cure = weeks.bundles[2].clone();
    cure.sequence = modferry_protocol::bundle::Sequence::new(4).unwrap();
    let tiles = whole
        .items
        .into_iter()
        .filter(|(item, _)| matches!(item, Item::Tile(..)));
    cure.items.extend(tiles);
    let done = site.import_one(&cure).unwrap();
    assert_eq!(done.checks.unwrap().needs, 2);
    assert_served(&site.reader(), &weeks.sumdb, &weeks.modules[2]);
    assert_served(&site.reader(), &weeks.sumdb, &other);
}
