//! Private modules: from an upstream of their own to the go command behind the gap, and to nobody else.

#![allow(clippy::unwrap_used)]

use modferry_tests::{golang::Go, server::Server, site::Site, upstream::Upstream};
use std::process::Command;

const HELLO: &str = "-- go.mod --\nmodule example.com/hello\n\ngo 1.21\n-- hello.go --\npackage hello\n\nconst Word = \"hello\"\n";
const OURS: &str = "-- go.mod --\nmodule git.corp.test/ours\n\ngo 1.21\n\nrequire example.com/hello v1.0.0\n-- ours.go --\npackage ours\n\nimport \"example.com/hello\"\n\nconst Words = hello.Word + \", colleague\"\n";
const NAME: &str = "git.corp.test/ours@v1.0.0";

/// A site whose configuration has an upstream for private modules.
fn site_with(private: &str) -> Site {
    let site = Site::new();
    site.upstream.add("example.com/hello@v1.0.0", HELLO);
    let config = format!("private:\n  - patterns: [git.corp.test]\n    {private}\n");
    std::fs::write(site.path("modferry.yaml"), config).unwrap();
    site
}

/// A developer's project that uses the private module.
fn developer(site: &Site, server: &Server, name: &str) -> Go {
    let go = site.go(server, name);
    go.file("go.mod", "module example.com/project\n\ngo 1.21\n");
    go.file(
        "main.go",
        "package main\n\nimport ours \"MODULE\"\n\nfunc main() { println(ours.Words) }\n",
    );
    go
}

/// Exports the module by the site's configuration.
fn export(site: &mut Site, module: &str) -> String {
    let config = site.path("modferry.yaml");
    let (exported, out) = site.export(&["--config", &config, module]);
    exported.ok();
    out
}

/// Public hosts were asked for nothing whose path has this in it.
#[track_caller]
fn never_asked(public: &Upstream, name: &str) {
    let asked = public.requests();
    let named: Vec<_> = asked.iter().filter(|path| path.contains(name)).collect();
    assert!(named.is_empty(), "{named:?}");
    assert!(!asked.is_empty());
}

#[test]
fn a_private_module_is_carried_by_its_pin_where_the_site_says_so() {
    let own = Upstream::start();
    own.add(NAME, OURS);
    let mut site = site_with(&format!("goproxy: {}", own.url()));
    let out = export(&mut site, NAME);
    never_asked(&site.upstream, "git.corp.test");

    // Nothing in the bundle makes a name private on the other side.
    let refused = site.appliance(&["import", &out]).expect(3);
    refused
        .says("git.corp.test/ours is private, and no key that signed this bundle may vouch for it here")
        .says("modferry-appliance trust private 'git.corp.test/ours' --key site+");
    site.appliance(&["trust", "private", "*", "--key", "site"])
        .expect(2)
        .says("it would name every module that there is");
    site.appliance(&["trust", "private", "git.corp.test/*", "--key", "nobody"])
        .expect(2);
    site.appliance(&["trust", "private", "git.corp.test/*", "--key", "site"])
        .ok();
    site.appliance(&["trust", "list"])
        .ok()
        .says("private modules of git.corp.test/*: as site+");
    site.appliance(&["import", &out]).ok();
    site.appliance(&["fsck"]).ok();

    let server = site.serve();
    let go = developer(&site, &server, "developer").with("GONOSUMDB", "git.corp.test");
    go.file(
        "main.go",
        &go.read("main.go").replace("MODULE", "git.corp.test/ours"),
    );
    go.run(&["get", NAME]).ok();
    go.run(&["run", "."]).ok().says("hello, colleague");
    go.run(&["mod", "verify"]).ok().says("all modules verified");
    // The same, as GOPRIVATE with the mirror for all.
    let go = developer(&site, &server, "other")
        .with("GOPRIVATE", "git.corp.test")
        .with("GONOPROXY", "none");
    go.run(&["mod", "download", NAME]).ok();
    // Who has set nothing is told what to set.
    let go = developer(&site, &server, "newcomer");
    go.run(&["mod", "download", NAME])
        .expect(1)
        .says("403 Forbidden")
        .says("set GONOSUMDB=git.corp.test/ours");

    // The next bundle needs what is there, and says nothing of it to anybody.
    site.upstream
        .add("example.com/more@v1.0.0", &HELLO.replace("hello", "more"));
    let config = site.path("modferry.yaml");
    let (exported, out) = site.export(&["--config", &config, NAME, "example.com/more@v1.0.0"]);
    exported.ok();
    site.appliance(&["import", &out]).ok();
    never_asked(&site.upstream, "git.corp.test");

    // What came stays when nothing more may come.
    site.appliance(&["trust", "private", "git.corp.test/*", "--remove"])
        .ok();
    site.appliance(&["list", "git.corp.test"]).ok().says(NAME);
    // Nor does it change sides: somebody publishes the name, and a bundle has a record of it that is proven.
    site.upstream.add("git.corp.test/ours@v1.1.0", OURS);
    let (exported, out) = site.export(&["git.corp.test/ours@v1.1.0"]);
    exported.ok();
    site.appliance(&["import", &out])
        .expect(6)
        .says("git.corp.test/ours@v1.1.0 is private by a pin that is held of this module");
}

#[test]
fn without_an_upstream_of_its_own_a_private_module_is_asked_for_nowhere() {
    let mut site = Site::new();
    site.upstream.add("example.com/hello@v1.0.0", HELLO);
    site.upstream.add(NAME, OURS);
    let key = site.path("keys/site.key");
    let out = site.path("out");
    let mut command = site.bundler_command(&[
        "export",
        "--key",
        &key,
        "--out",
        &out,
        NAME,
        "example.com/hello@v1.0.0",
    ]);
    command.env("GOPRIVATE", "git.corp.test");
    modferry_tests::run::run(&mut command)
        .expect(2)
        .says("GOPRIVATE names it")
        .says("private, with patterns and a goproxy or direct: true");
    let asked = site.upstream.requests();
    assert!(
        !asked.iter().any(|path| path.contains("git.corp.test")),
        "{asked:?}"
    );
    let (exported, _) = site.export(&["example.com/hello@v1.0.0"]);
    exported.ok();
}

#[test]
fn a_want_that_its_file_marks_as_private_is_named_to_no_public_host() {
    let own = Upstream::start();
    own.add(
        NAME,
        "-- go.mod --\nmodule git.corp.test/ours\n\ngo 1.21\n-- words/words.go --\npackage words\n",
    );
    let site = Site::new();
    site.upstream.add("example.com/hello@v1.0.0", HELLO);
    let file = site.path("wp.yaml");
    std::fs::write(
        &file,
        "modferry-wants: 1\nwants:\n  \
         - want: git.corp.test/ours/words@latest\n    or: [git.corp.test/ours, git.corp.test]\n    private: true\n  \
         - want: git.corp.test/theirs@v1.0.0\n    private: true\n  \
         - want: git.corp.test/alone/inner@latest\n    private: true\n  \
         - want: example.com/hello@v1.0.0\n",
    )
    .unwrap();
    let run = |command: &str, more: &[&str], private: &str| {
        let (key, out) = (site.path("keys/site.key"), site.path("out"));
        let mut words = vec![command, "--wants", &file];
        if command == "export" {
            words.extend(["--key", &key, "--out", &out]);
        }
        words.extend(more);
        let mut command = site.bundler_command(&words);
        let done = modferry_tests::run::run(command.env("GOPRIVATE", private)).ok();
        never_asked(&site.upstream, "git.corp.test");
        done
    };
    // Nothing here knows what is private, or only that it is.
    for private in ["", "git.corp.test"] {
        run("plan", &[], private)
            .says("wp.yaml:3: git.corp.test/ours/words@latest is not asked for: the file says that it is private")
            .says("wp.yaml:6: git.corp.test/theirs@v1.0.0 is not asked for")
            .says("wp.yaml:8: git.corp.test/alone/inner@latest is not asked for")
            .says("modferry.yaml: private, with patterns and a goproxy or direct: true");
    }
    // What has an upstream of its own goes there, and what stands above it goes nowhere.
    let config = site.path("modferry.yaml");
    let patterns = "git.corp.test/ours, git.corp.test/alone/inner";
    own.add(
        "git.corp.test/alone/inner@v1.0.0",
        "-- a.go --\npackage inner\n",
    );
    std::fs::write(
        &config,
        format!(
            "private:\n  - patterns: [{patterns}]\n    goproxy: {}\n",
            own.url()
        ),
    )
    .unwrap();
    run("export", &["--config", &config], "")
        .says("git.corp.test/ours/words is a package of git.corp.test/ours")
        .says("wp.yaml:6: git.corp.test/theirs@v1.0.0 is not asked for");
    let asked = own.requests();
    let of = |path: &str| asked.iter().filter(|it| it.starts_with(path)).count();
    assert_eq!(of("/git.corp.test/ours/@v/v1.0.0.zip"), 1, "{asked:?}");
    assert_eq!(
        of("/git.corp.test/alone/inner/@v/v1.0.0.zip"),
        1,
        "{asked:?}"
    );
    for above in [
        "/git.corp.test/@",
        "/git.corp.test/alone/@",
        "/git.corp.test/theirs",
    ] {
        assert_eq!(of(above), 0, "{asked:?}");
    }
    // Nor where it has none of it, and what stands above could be it.
    let gone = "modferry-wants: 1\nwants:\n  \
         - want: git.corp.test/ours/gone/deep@latest\n    or: [git.corp.test/ours/gone, git.corp.test]\n    private: true\n  \
         - want: git.corp.test/alone/inner/gone@latest\n    private: true\n";
    std::fs::write(&file, gone).unwrap();
    site.bundler(&["plan", "--config", &config, "--wants", &file])
        .expect(9);
    never_asked(&site.upstream, "git.corp.test");
    // Where nothing else is asked for, that is said, and nothing is exported.
    let alone =
        "modferry-wants: 1\nwants:\n  - {want: git.corp.test/theirs@v1.0.0, private: true}\n";
    std::fs::write(&file, alone).unwrap();
    site.bundler(&["plan", "--wants", &file])
        .expect(2)
        .says("nothing to export")
        .says("git.corp.test/theirs@v1.0.0 is not asked for");
    never_asked(&site.upstream, "git.corp.test");
}

/// Has git find a private module's repository at that address.
fn git_finds(site: &Site, address: &str) {
    let config = format!("[url \"{address}\"]\n\tinsteadOf = https://git.corp.test/direct\n");
    std::fs::write(site.path("home/.gitconfig"), config).unwrap();
}

/// A repository of a module, with a version that its authors have taken back.
fn repository(site: &Site) -> String {
    let repository = site.path("repository");
    let git = |args: &[&str]| {
        let mut git = Command::new("git");
        modferry_tests::run::scrub(&mut git, site.root());
        git.args([
            "-C",
            &repository,
            "-c",
            "user.name=x",
            "-c",
            "user.email=x@corp.test",
        ]);
        modferry_tests::run::run(git.args(args)).ok();
    };
    std::fs::create_dir_all(&repository).unwrap();
    let write =
        |name: &str, text: &str| std::fs::write(format!("{repository}/{name}"), text).unwrap();
    write("go.mod", "module git.corp.test/direct.git\n\ngo 1.21\n");
    write(
        "direct.go",
        "package direct\n\nconst Words = \"straight\"\n",
    );
    git(&["init", "-q"]);
    git(&["add", "."]);
    git(&["commit", "-q", "-m", "first"]);
    git(&["tag", "v1.0.0"]);
    write(
        "go.mod",
        "module git.corp.test/direct.git\n\ngo 1.21\n\nretract v1.1.0 // too early\n",
    );
    git(&["commit", "-q", "-a", "-m", "second"]);
    git(&["tag", "v1.1.0"]);
    repository
}

/// Nobody public heard of a private name.
#[track_caller]
fn nobody_heard(site: &Site) {
    let asked = site.upstream.requests();
    assert!(
        !asked.iter().any(|path| path.contains("git.corp.test")),
        "{asked:?}"
    );
}

#[test]
fn a_private_module_comes_straight_from_version_control() {
    let mut site = site_with("direct: true");
    let repository = repository(&site);
    git_finds(&site, &format!("file://{repository}"));
    let out = export(&mut site, "git.corp.test/direct.git@v1.0.0");
    nobody_heard(&site);
    site.appliance(&["trust", "private", "git.corp.test", "--key", "site"])
        .ok();
    site.appliance(&["import", &out]).ok();
    let server = site.serve();
    let go = developer(&site, &server, "developer").with("GONOSUMDB", "git.corp.test");
    go.file(
        "main.go",
        &go.read("main.go")
            .replace("MODULE", "git.corp.test/direct.git"),
    );
    go.run(&["get", "git.corp.test/direct.git@v1.0.0"]).ok();
    go.run(&["run", "."]).ok().says("straight");
}

#[test]
fn what_version_control_has_retracted_is_carried_to_whoever_asks_for_it() {
    let mut site = site_with("direct: true");
    let repository = repository(&site);
    git_finds(&site, &format!("file://{repository}"));
    let config = site.path("modferry.yaml");
    // Of itself, a query passes over it; asked for, it is there, although its authors do not have it listed.
    let every = "git.corp.test/direct.git@all";
    let (plan, retracted) = (["plan", "--config", &config, every], "--retracted");
    site.bundler(&plan)
        .ok()
        .says("git.corp.test/direct.git@all is v1.0.0\n");
    let plan = [&plan[..], &[retracted]].concat();
    site.bundler(&plan)
        .ok()
        .says("git.corp.test/direct.git@all is v1.0.0 v1.1.0\n");
    let (exported, out) = site.export(&["--config", &config, every, retracted]);
    exported.ok();
    nobody_heard(&site);

    site.appliance(&["trust", "private", "git.corp.test", "--key", "site"])
        .ok();
    site.appliance(&["import", &out]).ok();
    let server = site.serve();
    let go = developer(&site, &server, "developer").with("GONOSUMDB", "git.corp.test");
    go.run(&["list", "-m", "-versions", "git.corp.test/direct.git"])
        .ok()
        .says("git.corp.test/direct.git v1.0.0\n");
    go.run(&["get", "git.corp.test/direct.git@v1.1.0"])
        .ok()
        .says("retracted by module author: too early");
}

#[test]
fn a_dead_host_of_version_control_is_a_failure_and_no_absence() {
    let mut site = site_with("direct: true");
    let repository = repository(&site);
    let config = site.path("modferry.yaml");
    // It hangs up on everybody.
    let host = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = host.local_addr().unwrap();
    std::thread::spawn(move || host.incoming().for_each(drop));
    git_finds(&site, &format!("http://{address}/direct"));
    let named = "git.corp.test/direct.git@v1.0.0";
    let plan = |module: &str| {
        site.bundler(&["plan", "--config", &config, module])
            .expect(9)
    };
    plan(named)
        .says("version control cannot be asked")
        .never_says("not there (404)");
    plan("git.corp.test/direct.git@latest").says("git.corp.test/direct.git@latest: go list");
    let (exported, out) = site.export(&["--config", &config, named]);
    exported.expect(9).says(named);
    assert!(!std::path::Path::new(&out).exists() || std::fs::read_dir(&out).unwrap().count() == 0);
    nobody_heard(&site);
    // It is back, and has that version.
    git_finds(&site, &format!("file://{repository}"));
    export(&mut site, "git.corp.test/direct.git@v1.0.0");
    // What it does not have is missing, and no failure of the host.
    site.bundler(&[
        "plan",
        "--config",
        &config,
        "git.corp.test/direct.git@v1.7.0",
    ])
    .expect(9)
    .says("not there (404)")
    .never_says("version control cannot be asked");
}
