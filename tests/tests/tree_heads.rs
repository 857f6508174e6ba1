//! Clients that already hold a tree head: from an earlier import, from the time when they were online, from
//! the future. Each goes on working, or is told what to do.

#![allow(clippy::unwrap_used)]

use std::time::{Duration, Instant};

use modferry_tests::{golang::Go, server::Server, site::Site};
use serde_json::json;

fn module(number: u32) -> String {
    format!(
        "-- go.mod --\nmodule example.com/m{number}\n\ngo 1.21\n-- m.go --\npackage m\n\nconst N = {number}\n"
    )
}

/// Publishes `example.com/mN@v1.0.0` for each number.
fn publish(site: &Site, numbers: std::ops::Range<u32>) {
    for number in numbers {
        site.upstream
            .add(&format!("example.com/m{number}@v1.0.0"), &module(number));
    }
}

fn name(number: u32) -> String {
    format!("example.com/m{number}@v1.0.0")
}

/// Waits until the running server shows `name`: an import becomes visible within two seconds.
fn until_served(site: &Site, server: &Server, number: u32) {
    let probe = site.go(server, &format!("probe-{number}"));
    let deadline = Instant::now() + Duration::from_secs(30);
    while probe.run(&["list", "-m", &name(number)]).code != 0 {
        assert!(
            Instant::now() < deadline,
            "{} is not served 30 s after its import",
            name(number)
        );
    }
}

fn download(go: &Go, number: u32) -> modferry_tests::run::Finished {
    go.run(&["mod", "download", &name(number)])
}

#[test]
fn a_second_import_while_the_server_runs_and_a_client_has_the_first_head() {
    let mut site = Site::new();
    publish(&site, 0..300);
    site.carry(&[&name(3), &name(299)]);
    let server = site.serve();
    let go = site.go(&server, "developer");
    download(&go, 3).ok();

    publish(&site, 300..700);
    site.carry(&[&name(650)]);
    until_served(&site, &server, 650);
    download(&go, 650).ok();
    go.clean_modcache();
    download(&go, 299).ok();
    download(&go, 3).ok();
}

#[test]
fn a_client_whose_head_is_older_because_it_once_was_online() {
    let mut site = Site::new();
    publish(&site, 0..257);
    let go = site.online_go("laptop");
    download(&go, 5).ok();
    let head = site.upstream.latest();

    publish(&site, 257..1000);
    std::fs::write(site.path("laptop-latest"), head).unwrap();
    let known = site.path("laptop-latest");
    site.carry(&[&name(900), "--known-head", &known]);
    let server = site.serve();
    let go = go.behind(&server);
    download(&go, 900).ok();
}

#[test]
fn a_client_whose_head_is_newer_is_told_what_to_do() {
    let mut site = Site::new();
    publish(&site, 0..100);
    site.carry(&[&name(7)]);
    let server = site.serve();

    publish(&site, 100..400);
    let go = site.online_go("laptop");
    download(&go, 399).ok();
    let go = go.behind(&server);
    download(&go, 7)
        .expect(1)
        .says("404")
        .never_says("SECURITY ERROR");

    // What the text asks for cures it: a bundle with a tree of at least that size.
    site.carry(&[&name(8)]);
    until_served(&site, &server, 8);
    download(&go, 7).ok();
}

#[test]
fn a_fork_between_two_bundles_is_refused_and_kept_as_evidence() {
    let mut site = Site::new();
    publish(&site, 0..50);
    site.carry(&[&name(1)]);

    // The same database, by key, with another history.
    site.upstream.fork();
    publish(&site, 1000..1100);
    let (exported, _) = site.export(&[&name(1050)]);
    exported.expect(6).says("forked");

    // A bundler that never saw the first history is fooled; the appliance is not.
    std::fs::remove_dir_all(site.path("bundler-state")).unwrap();
    std::fs::remove_dir_all(site.path("bundler-cache")).unwrap();
    let (exported, bundle) = site.export(&[&name(1050)]);
    exported.ok();
    let before = site.appliance(&["status", "--json"]).ok().json();
    assert_eq!(before["unacknowledged_forks"], json!([]));
    site.appliance(&["import", &bundle])
        .expect(6)
        .says("FORKED");
    let mut after = site.appliance(&["status", "--json"]).ok().json();
    let forks = after["unacknowledged_forks"].take();
    after["unacknowledged_forks"] = json!([]);
    assert_eq!(before, after, "the store changed");
    let evidence = std::fs::read_dir(site.store().join("evidence"))
        .unwrap()
        .count();
    assert_eq!(evidence, 1, "no evidence was kept");

    // Everybody is told of it until an operator says that it was seen.
    let name = forks[0]["name"].as_str().unwrap();
    site.appliance(&["status"]).ok().says(name);
    let words = ["evidence", "acknowledge", name, "--reason", "a drill"];
    site.appliance(&words).ok();
    site.appliance(&["evidence", "list"]).ok().says("a drill");
    site.appliance(&["status"]).ok().never_says("FORK");
}
