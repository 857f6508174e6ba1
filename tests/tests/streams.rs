//! A stream over months: small bundles, one that is lost, a store that is made anew, receipts that come back. Each
//! cure is the command that the appliance prints, run as it stands.

#![allow(clippy::unwrap_used)]

use modferry_tests::{run::Finished, site::Site};

fn publish(site: &Site, numbers: std::ops::Range<u32>) {
    for number in numbers {
        let txtar = format!(
            "-- go.mod --\nmodule example.com/m{number}\n\ngo 1.21\n-- m.go --\npackage m\n\nconst N = {number}\n"
        );
        site.upstream.add(&name(number), &txtar);
    }
}

fn name(number: u32) -> String {
    format!("example.com/m{number}@v1.0.0")
}

/// Exports, and says into which folder and how many zips.
fn export(site: &mut Site, args: &[&str]) -> (String, u64) {
    let (exported, out) = site.export(&[args, &["--stream", "platform", "--json"]].concat());
    let zips = exported.ok().json()["modules"].as_u64().unwrap_or(0);
    (out, zips)
}

/// The export that a refused import asks for, less the program's name.
fn cure(refused: &Finished) -> Vec<String> {
    let from = refused
        .stderr
        .find("modferry-bundler export ")
        .unwrap_or_else(|| panic!("no cure: {refused}"));
    let words = refused.stderr[from..].lines().next().unwrap().split(' ');
    words.skip(2).map(str::to_owned).collect()
}

/// Runs that export, with this site's key, and imports what comes of it.
fn cured(site: &mut Site, refused: &Finished) {
    let words = cure(refused);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let (exported, out) = site.export(&words);
    exported.ok();
    site.appliance(&["import", &out]).ok();
}

fn downloads(site: &Site, client: &str, numbers: &[u32]) {
    let server = site.serve();
    let go = site.go(&server, client);
    for number in numbers {
        go.run(&["mod", "download", &name(*number)]).ok();
    }
}

#[test]
fn a_lost_bundle_is_named_and_made_up_for() {
    let mut site = Site::new();
    publish(&site, 0..300);
    let (first, _) = export(&mut site, &[&name(3)]);
    site.appliance(&["import", &first]).ok();
    publish(&site, 300..400);
    let (_lost, zips) = export(&mut site, &[&name(3), &name(310)]);
    assert_eq!(zips, 1);
    publish(&site, 400..900);
    let (third, zips) = export(&mut site, &[&name(3), &name(310), &name(850)]);
    assert_eq!(zips, 1);
    let before = site.appliance(&["status", "--json"]).ok().json();
    let refused = site
        .appliance(&["import", &third])
        .expect(5)
        .says(&name(310));
    assert_eq!(before, site.appliance(&["status", "--json"]).ok().json());
    assert_eq!(cure(&refused)[..2], ["--stream", "platform"]);
    assert!(
        cure(&refused).contains(&"--cumulative-from".into()),
        "{refused}"
    );
    cured(&mut site, &refused);
    downloads(&site, "developer", &[3, 310, 850]);
    // What was refused is of use now, and adds nothing.
    site.appliance(&["import", &third]).ok();
    let (_, zips) = export(&mut site, &[&name(3), &name(310), &name(850)]);
    assert_eq!(zips, 0, "the stream goes on from what was made up for");
}

#[test]
fn a_new_store_is_filled_by_the_cure_that_it_prints() {
    let mut site = Site::new();
    publish(&site, 0..100);
    site.carry(&[&name(1), "--stream", "platform"]);
    publish(&site, 100..200);
    site.carry(&[&name(1), &name(150), "--stream", "platform"]);
    std::fs::rename(site.store(), site.path("burned")).unwrap();
    site.appliance(&["trust", "add", &site.path("keys/site.pub")])
        .ok();
    let sumdb = site.upstream.verifier_key().to_owned();
    site.appliance(&["trust", "add", "--sumdb", &sumdb]).ok();
    publish(&site, 200..300);
    let (third, _) = export(&mut site, &[&name(1), &name(150), &name(250)]);
    let refused = site.appliance(&["import", &third]).expect(5);
    cured(&mut site, &refused);
    downloads(&site, "developer", &[1, 150, 250]);
}

#[test]
fn a_receipt_tells_the_next_export_what_has_arrived() {
    let mut site = Site::new();
    publish(&site, 0..100);
    let (first, _) = export(&mut site, &[&name(1)]);
    site.appliance(&["import", &first]).ok();
    let (_lost, _) = export(&mut site, &[&name(1), &name(2)]);
    let receipt = site.path("platform.receipt");
    site.appliance(&["receipt", "--out", &receipt]).ok();
    let key = site.store().join("identity.pub");
    let key = key.to_str().unwrap();
    publish(&site, 100..300);
    let names = [1, 2, 250].map(name);
    let words: Vec<&str> = names.iter().map(String::as_str).collect();
    let with_receipt = [&words[..], &["--receipt", &receipt, "--receipt-key", key]].concat();
    // Whoever has no key for it takes no receipt.
    let (refused, _) =
        site.export(&[&words[..], &["--stream", "platform", "--receipt", &receipt]].concat());
    refused.expect(2).says("--receipt-key");
    let (third, zips) = export(&mut site, &with_receipt);
    assert_eq!(zips, 2, "the lost one's and the new one");
    site.appliance(&["import", &third]).ok();
    downloads(&site, "developer", &[1, 2, 250]);
    // An older receipt than one that was used is refused.
    let newer = site.path("newer.receipt");
    site.appliance(&["receipt", "--out", &newer]).ok();
    let (_, zips) = export(&mut site, &[&words[..], &["--receipt", &newer]].concat());
    assert_eq!(zips, 0);
    let stale = [&words[..], &["--stream", "platform", "--receipt", &receipt]].concat();
    site.export(&stale)
        .0
        .expect(2)
        .says("older than one that was used before");
}

#[test]
fn what_is_selected_no_more_goes_and_comes_back_when_it_is_selected_again() {
    let mut site = Site::new();
    publish(&site, 0..100);
    let (first, _) = export(&mut site, &[&name(1), &name(2), &name(3)]);
    site.appliance(&["import", &first]).ok();
    publish(&site, 100..200);
    let (pruned, zips) = export(&mut site, &[&name(1), "--prune"]);
    assert_eq!(zips, 0);
    site.appliance(&["import", &pruned]).ok();
    // Marked, and served still.
    downloads(&site, "before", &[1, 2, 3]);
    site.appliance(&["gc", "--yes"]).ok();
    let server = site.serve();
    let go = site.go(&server, "after");
    go.run(&["mod", "download", &name(1)]).ok();
    for number in [2, 3] {
        go.run(&["mod", "download", &name(number)]).expect(1);
    }
    drop(server);
    let (again, zips) = export(&mut site, &[&name(1), &name(2), "--prune"]);
    assert_eq!(zips, 1);
    site.appliance(&["import", &again]).ok();
    downloads(&site, "again", &[1, 2]);
}
