#![allow(clippy::unwrap_used)]

use super::super::tests::*;
use super::*;

/// A claim: how much, and by which bundle.
type Told = Option<(Extent, u64)>;
/// What one bundle says, in a word's own terms: what it carries, needs and leaves.
type Said = (Option<Extent>, Option<Extent>, Option<Extent>);

const NOTHING: Option<Extent> = Some(Extent::Nothing);
const MOD: Option<Extent> = Some(Extent::Mod);
const ZIP: Option<Extent> = Some(Extent::Zip);

fn after(old: Told, (carries, needs, leaves): Said, sequence: u64) -> Told {
    let old = old.map(|(extent, sequence)| Claim { extent, sequence });
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
    Some((new.extent, new.sequence))
}

#[test]
fn only_tombstones_lower_a_claim_and_only_later_bundles_change_it() {
    use Extent::{Mod, Nothing, Zip};
    let table: [(Told, Said, u64, Told); 16] = [
        (None, (MOD, None, None), 1, Some((Mod, 1))),
        (None, (ZIP, None, None), 1, Some((Zip, 1))),
        (None, (None, ZIP, None), 1, Some((Zip, 1))),
        (None, (MOD, ZIP, None), 1, Some((Zip, 1))),
        (None, (None, None, NOTHING), 4, Some((Nothing, 4))),
        (None, (None, None, MOD), 4, Some((Mod, 4))),
        (Some((Zip, 1)), (MOD, None, None), 2, Some((Zip, 1))),
        (Some((Zip, 1)), (None, MOD, None), 2, Some((Zip, 1))),
        (Some((Mod, 1)), (None, ZIP, None), 2, Some((Zip, 2))),
        (Some((Zip, 1)), (None, None, MOD), 2, Some((Mod, 2))),
        (Some((Zip, 1)), (None, None, NOTHING), 2, Some((Nothing, 2))),
        (Some((Nothing, 2)), (ZIP, None, None), 3, Some((Zip, 3))),
        (Some((Nothing, 2)), (None, None, MOD), 3, Some((Mod, 3))),
        // The zip is carried no more and the .mod is needed on: both in one bundle.
        (Some((Zip, 1)), (None, MOD, MOD), 2, Some((Mod, 2))),
        // A late bundle has nothing to say where a later one has spoken.
        (Some((Nothing, 5)), (ZIP, ZIP, None), 4, Some((Nothing, 5))),
        (Some((Zip, 5)), (None, None, NOTHING), 4, Some((Zip, 5))),
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
    for bad in [
        &[][..],
        &[0],
        &[3, 0, 0, 0, 0, 0, 0, 0, 1],
        &[2; 8],
        &[2; 10],
    ] {
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
