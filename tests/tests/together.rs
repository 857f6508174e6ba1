//! Several at once: clients that download while bundles are imported and removed, without one failed request.

#![allow(clippy::unwrap_used)]

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use modferry_tests::{
    answers::paths,
    faults::{Row, tries},
    halfway::sound,
    http,
    run::run,
    site::Site,
    upstream::noise,
};

/// How many clients download at the same time.
const CLIENTS: usize = 16;

/// Publishes that many modules of about 150 kB, more than one chunk as stored; their names begin with `name`.
fn publish(site: &Site, name: &str, modules: usize) -> Vec<String> {
    let names: Vec<String> = (0..modules)
        .map(|n| format!("example.com/{name}{n}@v1.0.0"))
        .collect();
    for (number, module) in names.iter().enumerate() {
        let seed = number as u64 * 7919 + name.len() as u64;
        let noise = noise(seed, 300_000);
        site.upstream.add(
            module,
            &format!("-- m.go --\npackage m\n-- data.txt --\n{noise}"),
        );
    }
    names
}

/// Downloads what `kept` names over and over by [`CLIENTS`] clients while `busy` runs: every answer must be 200, and
/// what upstream's is. Gives the number of requests.
fn clients_beside(site: &Site, kept: &[String], busy: impl FnOnce()) -> u64 {
    let server = site.serve();
    let asked: Vec<String> = paths(site.upstream.sumdb(), kept);
    let (over, requests) = (AtomicBool::new(false), AtomicU64::new(0));
    let download = |first: usize| {
        let mut client = http::Client::connect(server.address());
        for path in asked.iter().cycle().skip(first) {
            let answer = client.ask("GET", path, &[]);
            requests.fetch_add(1, Relaxed);
            assert_eq!(
                answer.status,
                200,
                "{path}: {}",
                String::from_utf8_lossy(&answer.body)
            );
            // Lists and heads may change; artefacts never.
            if let Some((module, file)) = path.strip_prefix('/').unwrap().split_once("/@v/")
                && let Some((version, kind @ ("info" | "mod" | "zip"))) = file.rsplit_once('.')
            {
                let want = site.upstream.artifact(&format!("{module}@{version}"), kind);
                assert!(answer.body == want, "{path}: other bytes than upstream's");
            }
            if over.load(Relaxed) {
                return;
            }
        }
    };
    std::thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|number| {
                let download = &download;
                scope.spawn(move || download(number * 5))
            })
            .collect();
        busy();
        over.store(true, Relaxed);
        for client in clients {
            client.join().unwrap();
        }
    });
    requests.into_inner()
}

#[test]
fn imports_beside_clients() {
    let mut site = Site::new();
    let kept = publish(&site, "kept", 4);
    site.carry(&kept.iter().map(String::as_str).collect::<Vec<_>>());
    let mut bundles = Vec::new();
    for number in 0..tries(2, 12) {
        let modules = publish(&site, &format!("new{number}x"), 4);
        let (exported, out) = site.export(&modules.iter().map(String::as_str).collect::<Vec<_>>());
        exported.ok();
        bundles.push(out);
    }
    let mut row = Row::new("imports beside 16 clients that download");
    let mut requests = 0;
    row.fault(|| {
        requests = clients_beside(&site, &kept, || {
            for bundle in &bundles {
                site.appliance(&["import", bundle]).ok();
            }
        });
    });
    assert!(requests >= CLIENTS as u64);
    row.note(format!(
        "{} imports, {requests} requests, none failed",
        bundles.len()
    ));
}

/// Exports what `stays` and lets go of all else, as a bundle that is not imported yet.
fn prune_to(site: &mut Site, stays: &[String]) -> String {
    let mut args = vec!["--prune"];
    args.extend(stays.iter().map(String::as_str));
    let (exported, out) = site.export(&args);
    exported.ok();
    out
}

#[test]
fn imports_and_gc_beside_clients() {
    let mut site = Site::new();
    let kept = publish(&site, "kept", 4);
    let mut row = Row::new("imports and gc at once, beside 16 clients that download");
    let mut requests = 0;
    let rounds = tries(1, 8);
    // Each round brings modules, and lets those of the round before go.
    site.carry(&kept.iter().map(String::as_str).collect::<Vec<_>>());
    let mut bundles = Vec::new();
    for round in 0..rounds {
        let more = publish(&site, &format!("round{round}x"), 3);
        bundles.push(prune_to(&mut site, &[kept.clone(), more].concat()));
    }
    bundles.push(prune_to(&mut site, &kept));
    row.fault(|| {
        requests = clients_beside(&site, &kept, || {
            for bundle in &bundles {
                // Each waits for the other, whichever comes first.
                let mut import = site.appliance_command(&["import", bundle, "--wait"]);
                let mut gc = site.appliance_command(&["gc", "--yes", "--wait"]);
                std::thread::scope(|scope| {
                    let gc = scope.spawn(|| run(&mut gc));
                    run(&mut import).ok();
                    gc.join().unwrap().ok();
                });
            }
        });
    });
    site.appliance(&["gc", "--yes"]).ok();
    sound(&site);
    let listed = site.appliance(&["list", "--all"]).ok();
    assert_eq!(
        listed.stdout.matches("example.com/").count(),
        kept.len(),
        "{listed}"
    );
    row.note(format!(
        "{} of each, {requests} requests, none failed",
        bundles.len()
    ));
}
