#![allow(clippy::unwrap_used)]

use super::super::tests::*;
use super::*;

/// A claim: how much, by which bundle, and which bundle has given any of it up.
type Told = Option<(Extent, u64, u64)>;
/// What one bundle says, in a word's own terms: what it carries, needs and leaves.
type Said = (Option<Extent>, Option<Extent>, Option<Extent>);

const NOTHING: Option<Extent> = Some(Extent::Nothing);
const MOD: Option<Extent> = Some(Extent::Mod);
const ZIP: Option<Extent> = Some(Extent::Zip);

fn after(old: Told, (carries, needs, leaves): Said, sequence: u64) -> Told {
    let old = old.map(|(extent, sequence, given_up)| Claim {
        extent,
        sequence,
        given_up,
    });
    let word = Word {
        carries,
        needs,
        leaves,
    };
    let new = word.after(old, sequence)?;
    assert_eq!(Claim::decode(&new.encode()).unwrap(), new);
    assert_eq!(
        Word::decode(Some(&word.encode())),
        Word {
            carries: None,
            ..word
        }
    );
    Some((new.extent, new.sequence, new.given_up))
}

#[test]
fn only_tombstones_lower_a_claim_and_only_later_bundles_change_it() {
    use Extent::{Mod, Nothing, Zip};
    let table: [(Told, Said, u64, Told); 23] = [
        (None, (MOD, None, None), 1, Some((Mod, 1, 0))),
        (None, (ZIP, None, None), 1, Some((Zip, 1, 0))),
        (None, (None, ZIP, None), 1, Some((Zip, 1, 0))),
        (None, (MOD, ZIP, None), 1, Some((Zip, 1, 0))),
        (None, (None, None, NOTHING), 4, Some((Nothing, 4, 4))),
        (None, (None, None, MOD), 4, Some((Mod, 4, 4))),
        (Some((Zip, 1, 0)), (MOD, None, None), 2, Some((Zip, 1, 0))),
        (Some((Zip, 1, 0)), (None, MOD, None), 2, Some((Zip, 1, 0))),
        (Some((Mod, 1, 0)), (None, ZIP, None), 2, Some((Zip, 2, 0))),
        (Some((Zip, 1, 0)), (None, None, MOD), 2, Some((Mod, 2, 2))),
        (
            Some((Zip, 1, 0)),
            (None, None, NOTHING),
            2,
            Some((Nothing, 2, 2)),
        ),
        (
            Some((Nothing, 2, 2)),
            (ZIP, None, None),
            3,
            Some((Zip, 3, 2)),
        ),
        (
            Some((Nothing, 2, 2)),
            (None, None, MOD),
            3,
            Some((Mod, 3, 3)),
        ),
        // The zip is carried no more and the .mod is needed on: both in one bundle.
        (Some((Zip, 1, 0)), (None, MOD, MOD), 2, Some((Mod, 2, 2))),
        // A late bundle has nothing to say where a later one has given up what it names.
        (
            Some((Nothing, 5, 5)),
            (ZIP, ZIP, None),
            4,
            Some((Nothing, 5, 5)),
        ),
        (Some((Mod, 5, 5)), (ZIP, ZIP, None), 4, Some((Mod, 5, 5))),
        (Some((Mod, 6, 5)), (ZIP, None, None), 4, Some((Mod, 6, 5))),
        (
            Some((Zip, 5, 0)),
            (None, None, NOTHING),
            4,
            Some((Zip, 5, 0)),
        ),
        (
            Some((Zip, 3, 5)),
            (None, None, NOTHING),
            4,
            Some((Zip, 3, 5)),
        ),
        // It has where the later one named less and gave up nothing.
        (Some((Mod, 5, 0)), (ZIP, None, None), 4, Some((Zip, 4, 0))),
        (Some((Mod, 6, 2)), (None, ZIP, None), 4, Some((Zip, 4, 2))),
        // Given up once more: what came between the two counts no more either.
        (
            Some((Nothing, 2, 2)),
            (None, None, NOTHING),
            5,
            Some((Nothing, 2, 5)),
        ),
        (Some((Mod, 2, 2)), (None, None, MOD), 5, Some((Mod, 2, 5))),
    ];
    for (old, said, sequence, new) in table {
        assert_eq!(
            after(old, said, sequence),
            new,
            "{old:?} {said:?} {sequence}"
        );
    }
}

#[test]
fn what_is_no_claim_is_said() {
    for bad in [&[][..], &[0], &[3; 17], &[2; 16], &[2; 18]] {
        assert!(Claim::decode(bad).is_err(), "{bad:?}");
    }
}

fn claims(view: &View, name: &str) -> Vec<(String, Extent, u64)> {
    let claims = view.claims(&module(name)).unwrap().into_iter();
    claims
        .map(|(stream, claim)| (stream, claim.extent, claim.sequence))
        .collect()
}

#[test]
fn a_claim_is_of_one_stream_and_the_highest_counts() {
    use Extent::{Mod, Nothing, Zip};
    let site = Site::new();
    let [a, b] = ["example.com/a@v1.0.0", "example.com/a@v1.0.0-rc.1"];
    site.import_of("platform", 1, |draft| {
        put_whole(draft, &module(a), 10);
        put_small(draft, &module(b));
    });
    let reader = site.reader();
    assert_eq!(claims(&reader, a), [("platform".into(), Zip, 1)]);
    assert_eq!(claims(&reader, b), [("platform".into(), Mod, 1)]);
    assert_eq!(
        (
            reader.extent(&module(a)).unwrap(),
            reader.extent(&module(b)).unwrap()
        ),
        (Zip, Mod)
    );
    let gone = |site: &Site| site.reader().totals().unwrap().gone;

    // Another stream names it too, and the first gives it up: nothing is gone.
    site.import_of("edge", 1, |draft| {
        draft.needed(&module(a), Level::Zip).unwrap()
    });
    site.import_of("platform", 2, |draft| {
        draft.gone(&module(a), Gone::All).unwrap();
        draft.gone(&module(b), Gone::All).unwrap();
    });
    let reader = site.reader();
    assert_eq!(
        claims(&reader, a),
        [("edge".into(), Zip, 1), ("platform".into(), Nothing, 2)]
    );
    assert_eq!(claims(&reader, b), [("platform".into(), Nothing, 2)]);
    assert_eq!(gone(&site), 1);
    // The other gives up the zip only: the zip is gone, the rest is not.
    site.import_of("edge", 2, |draft| {
        draft.gone(&module(a), Gone::Zip).unwrap()
    });
    assert_eq!((claims(&site.reader(), a)[0].1, gone(&site)), (Mod, 2));
    // It was served all the time.
    assert_eq!(
        read_zip(&site.reader(), &module(a)),
        zip_bytes(&module(a), 10)
    );
    // A later bundle wants it back, and finds it held.
    site.import_of("platform", 3, |draft| {
        draft.needed(&module(a), Level::Zip).unwrap()
    });
    assert_eq!(gone(&site), 1);
    // An older one that comes late brings it again, and changes nothing.
    site.import_of("edge", 1, |draft| put_whole(draft, &module(b), 10));
    assert_eq!(
        claims(&site.reader(), b),
        [("edge".into(), Zip, 1), ("platform".into(), Nothing, 2)]
    );
    assert_eq!(gone(&site), 0);
}

#[test]
fn what_comes_late_and_was_given_up_is_gone_as_soon_as_it_is_held() {
    let site = Site::new();
    let a = module("example.com/a@v1.0.0");
    site.import_of("platform", 2, |draft| draft.gone(&a, Gone::All).unwrap());
    assert_eq!(site.reader().totals().unwrap().gone, 0);
    site.import_of("platform", 1, |draft| put_whole(draft, &a, 10));
    assert_eq!(site.reader().totals().unwrap().gone, 1);
    // Once more changes nothing, and a zip on top of what is gone already is not gone twice.
    site.import_of("platform", 1, |draft| put_whole(draft, &a, 10));
    assert_eq!(site.reader().totals().unwrap().gone, 1);
}

#[test]
fn a_zip_that_comes_late_stays_where_later_bundles_gave_up_nothing() {
    let site = Site::new();
    let a = module("example.com/a@v1.0.0");
    // Bundle 3 was exported as if 2 were lost, and needs no more than the go.mod. Then 2 comes after all.
    site.import_of("platform", 3, |draft| put_small(draft, &a));
    site.import_of("platform", 2, |draft| put_whole(draft, &a, 10));
    assert_eq!(site.reader().totals().unwrap().gone, 0);
    assert_eq!(
        claims(&site.reader(), "example.com/a@v1.0.0"),
        [("platform".into(), Extent::Zip, 2)]
    );
}

#[test]
fn what_was_given_up_twice_is_not_brought_back_by_what_came_between() {
    let site = Site::new();
    let a = module("example.com/a@v1.0.0");
    site.import_of("platform", 1, |draft| put_whole(draft, &a, 10));
    site.import_of("platform", 2, |draft| draft.gone(&a, Gone::All).unwrap());
    // 3 named it again, was lost, and comes behind 4, which gave it up again.
    site.import_of("platform", 4, |draft| draft.gone(&a, Gone::All).unwrap());
    site.import_of("platform", 3, |draft| put_whole(draft, &a, 10));
    assert_eq!(site.reader().totals().unwrap().gone, 1);
}

#[test]
fn a_claim_that_says_nothing_new_is_not_written() {
    let site = Site::new();
    let a = module("example.com/a@v1.0.0");
    site.import_of("platform", 1, |draft| put_whole(draft, &a, 10));
    site.import_of("platform", 2, |draft| draft.needed(&a, Level::Zip).unwrap());
    assert_eq!(
        claims(&site.reader(), "example.com/a@v1.0.0"),
        [("platform".into(), Extent::Zip, 1)]
    );
}
