//! Weekly bundles of a stream, of which some are lost, late or doubled, and another stream beside it. Whatever is
//! lost, the command that a refused import prints makes a bundle that imports, and then everything is served.

#![allow(clippy::unwrap_used)]

use std::{fs, path::Path};

use modferry_tests::{
    run::Finished,
    site::{Site, file_with_suffix},
};

/// How many weeks there are.
const WEEKS: u32 = 4;

/// The module that is new in a week; the other modules of the week only make the tree grow.
fn new_in(week: u32) -> String {
    name(200 * week)
}

fn name(number: u32) -> String {
    format!("example.com/m{number}@v1.0.0")
}

fn publish(site: &Site, numbers: std::ops::RangeInclusive<u32>) {
    for number in numbers {
        let txtar = format!(
            "-- go.mod --\nmodule example.com/m{number}\n\ngo 1.21\n-- m.go --\npackage m{number}\n\nconst N = {number}\n"
        );
        site.upstream.add(&name(number), &txtar);
    }
}

/// Everything up to a week is selected in it.
fn selection(week: u32) -> Vec<String> {
    (1..=week).map(new_in).collect()
}

fn words(words: &[String]) -> Vec<&str> {
    words.iter().map(String::as_str).collect()
}

/// Publishes a week's modules, and exports all that is selected by then; the bundle's folder.
#[track_caller]
fn next_week(site: &mut Site, week: u32) -> String {
    publish(site, 200 * week - 199..=200 * week);
    let selected = selection(week);
    let args = [&words(&selected)[..], &["--stream", "platform"]].concat();
    let (exported, out) = site.export(&args);
    exported.ok();
    out
}

/// A site, and the bundles of all weeks.
fn weeks() -> (Site, Vec<String>) {
    let mut site = Site::new();
    let bundles = (1..=WEEKS).map(|week| next_week(&mut site, week)).collect();
    (site, bundles)
}

#[track_caller]
fn import(site: &Site, bundle: &str) -> Finished {
    let done = site.appliance(&["import", bundle]);
    assert!(matches!(done.code, 0 | 5), "{done}");
    done
}

/// The command that a refused import tells to run, word by word, as it stands in what it wrote.
#[track_caller]
fn command_in(refused: &Finished) -> Vec<String> {
    let at = refused.stderr.find("modferry-bundler export ");
    let from = at.unwrap_or_else(|| panic!("no command to run\n{refused}"));
    let line = refused.stderr[from..].lines().next().unwrap();
    line.split(' ').skip(2).map(str::to_owned).collect()
}

/// Runs that command, to which only the key and the folder are added; the bundle's folder.
#[track_caller]
fn run_the_cure(site: &mut Site, refused: &Finished) -> String {
    let (exported, out) = site.export(&words(&command_in(refused)));
    exported.ok();
    out
}

#[track_caller]
fn assert_all_served(site: &Site, client: &str, modules: &[String]) {
    let server = site.serve();
    let go = site.go(&server, client);
    for module in modules {
        go.run(&["mod", "download", module]).ok();
        let (path, version) = module.split_once('@').unwrap();
        go.run(&["list", "-m", "-versions", path])
            .ok()
            .says(version);
    }
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_folder(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// Puts the bundler's memory and the store back to what they were in folders that `keep` has made.
struct Restart {
    kept: String,
}

impl Restart {
    fn keep(site: &Site) -> Self {
        let kept = site.path("kept");
        for part in ["store", "bundler-state"] {
            copy_folder(Path::new(&site.path(part)), &Path::new(&kept).join(part));
        }
        Self { kept }
    }

    fn again(&self, site: &Site) {
        for part in ["store", "bundler-state"] {
            fs::remove_dir_all(site.path(part)).unwrap();
            copy_folder(
                &Path::new(&self.kept).join(part),
                Path::new(&site.path(part)),
            );
        }
    }
}

/// Imports the weeks that are not lost. Where one is refused, the cure is run at once, or only for the last.
fn follow(site: &mut Site, bundles: &[String], lost: &[u32], at_once: bool) -> u32 {
    let mut cures = 0;
    for (week, bundle) in (1..).zip(bundles) {
        if lost.contains(&week) {
            continue;
        }
        let done = import(site, bundle);
        if done.code == 5 && (at_once || week == WEEKS) {
            let cure = run_the_cure(site, &done);
            site.appliance(&["import", &cure]).ok();
            cures += 1;
        }
    }
    cures
}

#[test]
fn whatever_is_lost_one_command_makes_up_for_it() {
    let (mut site, bundles) = weeks();
    let restart = Restart::keep(&site);
    // Every set of the weeks before the last.
    for set in 0..1 << (WEEKS - 1) {
        let lost: Vec<u32> = (1..WEEKS)
            .filter(|week| set >> (week - 1) & 1 == 1)
            .collect();
        for at_once in [true, false] {
            restart.again(&site);
            let cures = follow(&mut site, &bundles, &lost, at_once);
            assert_eq!(cures == 0, lost.is_empty(), "lost {lost:?}: {cures} cures");
            let client = format!("lost-{set}-{at_once}");
            assert_all_served(&site, &client, &selection(WEEKS));
            // The stream goes on as if nothing had happened, without any of it again.
            let (exported, out) = site.export(&[&*new_in(1), "--stream", "platform", "--json"]);
            let exported = exported.ok().json();
            assert_eq!(exported["modules"].as_u64().unwrap_or(0), 0, "{exported}");
            if exported["sequence"].is_u64() && Path::new(&out).read_dir().unwrap().count() > 0 {
                site.appliance(&["import", &out]).ok();
            }
        }
    }
}

#[test]
fn the_cure_carries_no_more_than_what_was_lost() {
    let (mut site, bundles) = weeks();
    import(&site, &bundles[0]);
    import(&site, &bundles[1]);
    // Of 4 weeks, the third is lost: the first two are not carried again.
    let refused = import(&site, &bundles[3]).expect(5);
    assert_eq!(
        command_in(&refused),
        ["--stream", "platform", "--cumulative-from", "3"]
    );
    refused
        .says("bundle 3 of stream platform never came here")
        .says(&new_in(3));
    // A verification says the same.
    let verified = site.appliance(&["verify", &bundles[3]]).expect(5);
    assert_eq!(command_in(&verified)[2..], ["--cumulative-from", "3"]);
    let cure = run_the_cure(&mut site, &verified);
    let inspected = site.bundler(&["inspect", &cure, "--json"]).ok().json();
    assert_eq!(inspected["zips"], 2, "{inspected}");
    site.appliance(&["import", &cure]).ok();
    // The next loss goes back to this cure, and not behind it.
    let lost = next_week(&mut site, 5);
    let next = next_week(&mut site, 6);
    let refused = import(&site, &next).expect(5);
    assert_eq!(command_in(&refused)[2..], ["--cumulative-from", "6"]);
    // It was not lost, after all.
    site.appliance(&["import", &lost]).ok();
    site.appliance(&["import", &next]).ok();
    assert_all_served(&site, "developer", &selection(6));
}

#[test]
fn late_and_doubled_bundles_do_no_harm() {
    let (mut site, bundles) = weeks();
    import(&site, &bundles[0]).expect(0);
    import(&site, &bundles[2]).expect(5);
    let before = site.appliance(&["status", "--json"]).ok().json();
    import(&site, &bundles[3]).expect(5);
    assert_eq!(
        before,
        site.appliance(&["status", "--json"]).ok().json(),
        "what is refused changes nothing"
    );
    import(&site, &bundles[1]).expect(0);
    for _ in 0..2 {
        import(&site, &bundles[1])
            .expect(0)
            .says("already imported");
    }
    import(&site, &bundles[2]).expect(0);
    import(&site, &bundles[3]).expect(0);
    let done = site.appliance(&["status", "--json"]).ok().json();
    for bundle in &bundles {
        import(&site, bundle).expect(0).says("already imported");
    }
    assert_eq!(done, site.appliance(&["status", "--json"]).ok().json());
    assert_all_served(&site, "developer", &selection(WEEKS));

    // All of them in one folder, of which one is there twice under another name.
    let heap = site.path("heap");
    fs::create_dir(&heap).unwrap();
    for bundle in &bundles {
        copy_folder(Path::new(bundle), Path::new(&heap));
    }
    site.appliance(&["import", &heap]).ok();
    assert_eq!(done, site.appliance(&["status", "--json"]).ok().json());

    // A late one that only adds, after a newer one that needs nothing of it.
    let beside = 200 * WEEKS + 1;
    publish(&site, beside..=beside);
    let (exported, late) = site.export(&[&name(beside), "--stream", "platform"]);
    exported.ok();
    publish(&site, beside + 1..=beside + 1);
    let (exported, sooner) = site.export(&[&name(beside + 1), "--stream", "platform"]);
    exported.ok();
    import(&site, &sooner)
        .expect(0)
        .says("never came here before this one");
    import(&site, &late).expect(0);
    assert_all_served(&site, "later", &[name(beside), name(beside + 1)]);
}

#[test]
fn two_streams_feed_one_store() {
    let mut site = Site::new();
    let mut selected: [Vec<String>; 2] = Default::default();
    let mut cures = 0;
    for week in 1..=WEEKS {
        // Each stream has modules of its own, and one that both name.
        publish(&site, 200 * week - 199..=200 * week);
        for (stream, own) in [("platform", 50), ("tools", 150)] {
            let of = usize::from(stream == "tools");
            selected[of].push(name(200 * week - own));
            selected[of].push(new_in(week));
            // The tree grows by more than a tile between the two, so what one has to carry for its own heads
            // is not what it takes for the other's.
            publish(
                &site,
                10_000 * week + 10 * own..=10_000 * week + 10 * own + 300,
            );
            let args = [&words(&selected[of])[..], &["--stream", stream]].concat();
            let (exported, bundle) = site.export(&args);
            exported.ok();
            let done = import(&site, &bundle);
            if done.code == 5 {
                // What the other stream has shipped is what it does not know, and nothing else.
                let command = command_in(&done);
                assert_eq!(command[..2], ["--stream", stream], "{done}");
                assert!(command.contains(&"--known-head".into()), "{done}");
                let cure = run_the_cure(&mut site, &done);
                site.appliance(&["import", &cure]).ok();
                cures += 1;
            }
        }
    }
    assert!(
        cures > 0,
        "the test makes streams that have to be told of each other's heads"
    );
    assert_all_served(&site, "developer", &selected.concat());
    // One of the two streams is given up: what the other names stays.
    let (exported, pruned) = site.export(&[&selected[0][0], "--stream", "platform", "--prune"]);
    exported.ok();
    let done = import(&site, &pruned);
    if done.code == 5 {
        let cure = run_the_cure(&mut site, &done);
        site.appliance(&["import", &cure]).ok();
    }
    site.appliance(&["gc", "--yes"]).ok();
    let mut stays = selected[1].clone();
    stays.push(selected[0][0].clone());
    assert_all_served(&site, "afterwards", &stays);
}

#[test]
fn an_update_of_nothing_but_the_tree_is_small_and_serves_old_and_new_clients() {
    let mut site = Site::new();
    publish(&site, 1..=700);
    let all: Vec<String> = (1..=700).step_by(7).map(name).collect();
    let args = [&words(&all)[..], &["--stream", "platform"]].concat();
    let (exported, first) = site.export(&args);
    exported.ok();
    site.appliance(&["import", &first]).ok();
    let server = site.serve();
    let old_client = site.go(&server, "old");
    old_client.run(&["mod", "download", &all[3]]).ok();
    drop(server);

    // Nothing is new at all: nothing is written.
    let (exported, nothing) = site.export(&args);
    exported.ok();
    assert_eq!(fs::read_dir(&nothing).unwrap().count(), 0);

    // The tree has grown, and nothing else.
    publish(&site, 701..=1900);
    let (exported, update) = site.export(&args);
    exported.ok();
    let size = fs::metadata(file_with_suffix(&update, ".tar"))
        .unwrap()
        .len();
    assert!(size < 64 << 10, "{size} bytes for an update of no module");
    let inspected = site.bundler(&["inspect", &update, "--json"]).ok().json();
    assert_eq!(inspected["zips"], 0, "{inspected}");
    site.appliance(&["import", &update]).ok();
    let server = site.serve();
    old_client.clean_modcache();
    let old_client = old_client.behind(&server);
    let new_client = site.go(&server, "new");
    for module in &all {
        new_client.run(&["mod", "download", module]).ok();
    }
    old_client.run(&["mod", "download", &all[3], &all[70]]).ok();
}
