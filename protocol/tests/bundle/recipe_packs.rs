//! Packs of recipes.

#![allow(clippy::unwrap_used)]

use modferry_protocol::bundle::{
    Digest, Encoding, Entry, Item, MAX_PACK_ITEMS, MAX_PACK_RESTORED, MAX_RECIPE_WEIGHT, PackError,
    Recipe, RecipesBuilder, Source, StoredRecipes,
};
use modferry_protocol::module::ModuleVersion;

use super::recipe::{module, recipe, usual};
use super::recipe_hostile::{varint, with};
use super::zips::{Entry as Zipped, Zip};

fn digest(n: u8) -> Digest {
    Digest {
        size: u64::from(n) + 1,
        sha256: [n; 32],
    }
}

fn version(n: usize) -> ModuleVersion {
    format!("example.com/m@v1.0.{n}").parse().unwrap()
}

/// The recipes of a pack.
fn unpacked(entry: &Entry, stored: &[u8]) -> Result<Vec<(ModuleVersion, Digest, Recipe)>, String> {
    let mut recipes = StoredRecipes::restore(entry, stored).map_err(|error| error.to_string())?;
    let mut all = Vec::new();
    while let Some(next) = recipes.next().map_err(|error| error.to_string())? {
        all.push(next);
    }
    Ok(all)
}

#[test]
fn recipes_travel_in_packs() {
    let recipe = recipe(&usual().build()).unwrap().unwrap();
    let mut builder = RecipesBuilder::new();
    assert!(builder.close().unwrap().is_none());
    for n in 0..9 {
        assert!(
            builder
                .push(&version(n), digest(n as u8), &recipe)
                .unwrap()
                .is_none()
        );
    }
    let (entry, stored) = builder.close().unwrap().unwrap().into_entry(1);
    assert_eq!(entry.encoding, Encoding::Recipes);
    assert_eq!(entry.file_name(), "000001.recipes");
    assert!(
        entry.zips().eq((0..9)
            .map(|n| (version(n), digest(n as u8)))
            .collect::<Vec<_>>()
            .iter()
            .map(|(m, d)| (m, *d)))
    );
    let all = unpacked(&entry, &stored).unwrap();
    assert!(
        all.into_iter()
            .eq((0..9).map(|n| (version(n), digest(n as u8), recipe.clone())))
    );
    assert!(builder.close().unwrap().is_none(), "it was closed");

    // Fewer or more recipes than the index has zips.
    let mut fewer = entry.clone();
    fewer.items.pop();
    fewer.zip_sha256.pop();
    assert!(
        unpacked(&fewer, &stored)
            .unwrap_err()
            .contains("bytes behind the last one")
    );
    let mut more = entry.clone();
    more.items.push((Item::Zip(version(9)), 1));
    more.zip_sha256.push([9; 32]);
    assert!(
        unpacked(&more, &stored)
            .unwrap_err()
            .contains("recipe: it ends")
    );
    let mut other = entry;
    other.encoding = Encoding::Zstd;
    assert!(unpacked(&other, &stored).is_err());
    let mut recipes = StoredRecipes::restore(&more, &stored).unwrap();
    while let Ok(Some(_)) = recipes.next() {}
}

#[test]
fn a_pack_of_recipes_closes_at_8_mib_and_has_16384_at_most() {
    let literal = |len: usize| {
        with(0, |p| {
            p.front = [varint(len as u64), vec![b'f'; len]].concat()
        })
        .unwrap()
    };
    let mut builder = RecipesBuilder::new();
    let half = literal((4 << 20) - 20);
    assert!(
        builder
            .push(&version(0), digest(0), &half)
            .unwrap()
            .is_none()
    );
    assert!(
        builder
            .push(&version(1), digest(1), &half)
            .unwrap()
            .is_none()
    );
    let (entry, stored) = builder
        .push(&version(2), digest(2), &half)
        .unwrap()
        .unwrap()
        .into_entry(1);
    assert_eq!(unpacked(&entry, &stored).unwrap().len(), 2);
    let (entry, stored) = builder.close().unwrap().unwrap().into_entry(1);
    assert_eq!(
        unpacked(&entry, &stored).unwrap(),
        [(version(2), digest(2), half)]
    );

    let small = literal(1);
    for n in 0..MAX_PACK_ITEMS {
        assert!(
            builder
                .push(&version(n), digest(0), &small)
                .unwrap()
                .is_none()
        );
    }
    let (entry, stored) = builder
        .push(&version(MAX_PACK_ITEMS), digest(0), &small)
        .unwrap()
        .unwrap()
        .into_entry(1);
    assert_eq!(unpacked(&entry, &stored).unwrap().len(), MAX_PACK_ITEMS);
}

#[test]
fn a_recipe_is_no_heavier_than_readers_take() {
    // Each file has a kind of its own: its bytes, 256 for the kind, 100 for the file, and one for the name.
    let of_files = |count: u16, extra: usize| {
        let entries = (0..count).map(|n| {
            let mut local_extra = [[0xfe, 0xca], (extra as u16 - 4).to_le_bytes()].concat();
            local_extra.extend(n.to_le_bytes());
            local_extra.resize(extra, 0);
            Zipped {
                local_extra,
                name: format!("{n:04}").into(),
                ..usual().entries[0].clone()
            }
        });
        let zip = Zip {
            entries: entries.collect(),
            ..usual()
        };
        let zip = zip.build();
        let source = &mut |n: usize, _: &_| Source::Deflated(n as u32);
        Recipe::of_zip(&module(), &zip, source).unwrap().unwrap()
    };
    let most = MAX_RECIPE_WEIGHT as usize / 600 - (4 + 100 + 256);
    let mut builder = RecipesBuilder::new();
    let heavy = of_files(600, most + 1);
    assert!(heavy.weight() > MAX_RECIPE_WEIGHT);
    let error = builder.push(&version(0), digest(0), &heavy).unwrap_err();
    assert!(matches!(error, PackError::TooHeavy { .. }), "{error}");
    let right = of_files(600, most);
    assert!(right.weight() + 600 > MAX_RECIPE_WEIGHT);
    builder.push(&version(1), digest(1), &right).unwrap();
    let (entry, stored) = builder.close().unwrap().unwrap().into_entry(1);
    assert_eq!(unpacked(&entry, &stored).unwrap().len(), 1);
}

#[test]
fn a_recipe_is_no_larger_than_a_pack_may_be() {
    let of_size = |size: usize| {
        // All but the length and the bytes of the front are 6 bytes; the length has 4.
        let len = size - 6 - 4;
        with(0, |p| {
            p.front = [varint(len as u64), vec![b'f'; len]].concat()
        })
        .unwrap()
    };
    let most = MAX_PACK_RESTORED as usize;
    let mut builder = RecipesBuilder::new();
    builder
        .push(&version(0), digest(0), &of_size(1_000_000))
        .unwrap();
    let error = builder
        .push(&version(1), digest(1), &of_size(most + 1))
        .unwrap_err();
    assert!(matches!(error, PackError::TooLarge { .. }), "{error}");
    let (entry, stored) = builder
        .push(&version(1), digest(1), &of_size(most))
        .unwrap()
        .unwrap()
        .into_entry(1);
    assert_eq!(
        unpacked(&entry, &stored).unwrap().len(),
        1,
        "the one that was too large left nothing"
    );
    let (entry, stored) = builder.close().unwrap().unwrap().into_entry(1);
    assert_eq!(unpacked(&entry, &stored).unwrap().len(), 1);

    // What a frame will take is known before it is restored.
    assert_eq!(StoredRecipes::restored_size(&stored).unwrap(), most as u64);

    // A frame that restores to more is refused by what it declares.
    let mut bytes = Vec::new();
    of_size(most + 1).encode(&mut bytes);
    let stored = zstd::bulk::compress(&bytes, 1).unwrap();
    assert!(
        unpacked(&entry, &stored)
            .unwrap_err()
            .contains("declares 33554433 bytes: want at most 33554432")
    );
}
