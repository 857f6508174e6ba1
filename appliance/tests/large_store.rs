//! A store of a million module versions against one of a thousand: start-up, lookups, the import of the
//! same small bundle, and of one that needs what is held, and memory. It takes minutes and gigabytes, so it is run by hand:
//!
//! ```text
//! cargo test --release -p modferry-appliance --test large_store -- --ignored --nocapture
//! ```

#![allow(clippy::unwrap_used)]

use modferry_appliance::store::{Reader, Source, Store, hex};
use modferry_protocol::bundle::{Item, Level};
use modferry_protocol::h1::H1;
use modferry_protocol::module::ModuleVersion;
use modferry_protocol::sumdb::{DbName, Tile};
use modferry_protocol::zip::ZipFacts;
use sha2::{Digest, Sha256};
use std::path::Path;
use std::time::{Duration, Instant};

const SMALL: u64 = 1_000;
const LARGE: u64 = 1_000_000;
const AN_IMPORT: u64 = 100_000;
const VERSIONS_A_MODULE: u64 = 10;

fn module(n: u64) -> ModuleVersion {
    let (m, v) = (n / VERSIONS_A_MODULE, n % VERSIONS_A_MODULE);
    format!("example.com/organisation-{}/module-{m}@v1.{v}.0", m % 997)
        .parse()
        .unwrap()
}

fn db() -> DbName {
    "sum.example.com".parse().unwrap()
}

/// One import of the module versions in the range, and of their tiles.
fn import(store: &Store, from: u64, to: u64) -> Duration {
    let begun = Instant::now();
    let manifest: [u8; 32] = Sha256::digest(format!("{from} {to}")).into();
    let mut draft = store.draft(&manifest).unwrap();
    for n in from..to {
        let module = module(n);
        let text = hex(&Sha256::digest(n.to_be_bytes()));
        let info = format!(
            "{{\"Version\":\"{}\",\"Time\":\"2020-01-02T03:04:05Z\"}}",
            module.version()
        );
        let go_mod = format!(
            "module {}\n\ngo 1.20\n\nrequire example.com/{text} v1.0.0\n",
            module.path()
        );
        let record = format!("{n}\n{module} h1:{text}\n{module}/go.mod h1:{text}\n");
        draft
            .put(&Item::Info(module.clone()), info.as_bytes())
            .unwrap();
        draft
            .put(&Item::Mod(module.clone()), go_mod.as_bytes())
            .unwrap();
        draft
            .put(&Item::Record(db(), module), record.as_bytes())
            .unwrap();
    }
    for index in from / 256..to / 256 {
        let hashes = Sha256::digest(index.to_be_bytes()).repeat(256);
        let tile = Tile::new(8, 0, index, 256).unwrap();
        draft.put(&Item::Tile(db(), tile), &hashes).unwrap();
    }
    let mut zip = vec![0; 700];
    for n in from..to {
        zip[..8].copy_from_slice(&n.to_be_bytes());
        let sha256 = Sha256::digest(&zip).into();
        let facts = ZipFacts {
            h1: H1::of_go_mod(&zip),
            files: 3,
            unpacked: 2000,
        };
        draft
            .put_zip(&module(n), &facts, zip.len() as u64, &sha256, &mut &zip[..])
            .unwrap();
    }
    let entry = draft.commit(Source {
        stream: "large".into(),
        sequence: from + 1,
        ..Source::default()
    });
    assert_eq!(entry.unwrap().added.versions, to - from);
    store.tidy();
    begun.elapsed()
}

/// One import that brings nothing and needs the first `needs` module versions, as each bundle of a stream needs its
/// selection.
fn import_needing(store: &Store, needs: u64) -> Duration {
    let begun = Instant::now();
    let manifest: [u8; 32] = Sha256::digest(format!("{:?} {needs}", store.ledger_head())).into();
    let mut draft = store.draft(&manifest).unwrap();
    for n in 0..needs {
        let module = module(n);
        assert!(store.has_go_mod(&module).unwrap() && store.zip(&module).unwrap().is_some());
        draft.needed(&module, Level::Zip).unwrap();
    }
    let source = Source {
        stream: "large".into(),
        sequence: 2 * LARGE,
        ..Source::default()
    };
    assert_eq!(draft.commit(source).unwrap().added.versions, 0);
    begun.elapsed()
}

struct Measured {
    import: Duration,
    needing: Duration,
    open: Duration,
    catch_up: Duration,
    lookups: f64,
    misses: f64,
}

fn measure(folder: &Path, held: u64) -> Measured {
    let path = folder.join("store");
    {
        let store = Store::open_or_create(&path, "fill", false).unwrap();
        for from in (0..held).step_by(AN_IMPORT as usize) {
            let to = held.min(from + AN_IMPORT);
            println!(
                "  {from}..{to} in {:?}; peak memory {} MB",
                import(&store, from, to),
                peak()
            );
        }
    }
    // The median of several small imports, each with the opening of the store.
    let mut imports: Vec<_> = (0..9)
        .map(|n| {
            let begun = Instant::now();
            let store = Store::open(&path, "import", false).unwrap();
            import(&store, LARGE + n * 100, LARGE + (n + 1) * 100);
            drop(store);
            begun.elapsed()
        })
        .collect();
    imports.sort();
    let store = Store::open(&path, "import", false).unwrap();
    let needing = import_needing(&store, SMALL);
    println!("  needing all of it: {:?}", import_needing(&store, held));
    drop(store);
    let begun = Instant::now();
    let reader = Reader::open(&path, &folder.join("log")).unwrap();
    assert_eq!(reader.totals().unwrap().counts.versions, held + 900);
    let open = begun.elapsed();
    let begun = Instant::now();
    reader.catch_up().unwrap();
    let catch_up = begun.elapsed();
    const LOOKUPS: u64 = 200_000;
    let mut seed = 1_u64;
    let mut next = || {
        seed = seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (seed >> 20) % held
    };
    let begun = Instant::now();
    for _ in 0..LOOKUPS {
        assert!(reader.info(&module(next())).unwrap().is_some());
    }
    let lookups = LOOKUPS as f64 / begun.elapsed().as_secs_f64();
    let begun = Instant::now();
    for _ in 0..LOOKUPS {
        assert!(reader.info(&module(next() + 2 * LARGE)).unwrap().is_none());
    }
    let misses = LOOKUPS as f64 / begun.elapsed().as_secs_f64();
    Measured {
        import: imports[4],
        needing,
        open,
        catch_up,
        lookups,
        misses,
    }
}

/// This process's highest resident memory so far, in megabytes.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmHWM:"))
        .unwrap();
    line.split_whitespace()
        .nth(1)
        .unwrap()
        .parse::<u64>()
        .unwrap()
        / 1000
}

#[test]
#[ignore = "minutes and gigabytes"]
fn a_million_versions_are_nearly_as_quick_as_a_thousand() {
    let folder =
        tempfile::tempdir_in(std::env::var_os("TMPDIR").unwrap_or("/var/tmp".into())).unwrap();
    let measured: Vec<_> = [SMALL, LARGE]
        .into_iter()
        .map(|held| {
            let folder = folder.path().join(held.to_string());
            std::fs::create_dir(&folder).unwrap();
            let measured = measure(&folder, held);
            println!(
                "{held} versions: open {:?}, catch up {:?}, import of 100 {:?}, of one that needs {SMALL} {:?}, {:.0} lookups/s, {:.0} misses/s, peak memory {} MB",
                measured.open, measured.catch_up, measured.import, measured.needing, measured.lookups, measured.misses, peak()
            );
            measured
        })
        .collect();
    let [small, large] = measured.as_slice() else {
        unreachable!()
    };
    assert!(large.open < Duration::from_secs(2));
    assert!(peak() <= 256, "{} MB", peak());
    println!(
        "lookups {:.2}, misses {:.2}, import {:.2}",
        large.lookups / small.lookups,
        large.misses / small.misses,
        large.import.as_secs_f64() / small.import.as_secs_f64()
    );
}
