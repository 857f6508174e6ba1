#![allow(clippy::unwrap_used)]
use super::*;
use crate::vulndb::config::Place;

#[test]
fn a_file_is_read_with_its_own_folder() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("modferry.yaml");
    std::fs::write(
        &path,
        "stream: platform\nkey: site.key\ngo-mod: [app/go.mod, /abs/go.mod]\nknown-head: [177, latest]\ntransfers: 8\nreceipt-key: back/identity.pub\nvulndb: vulndb.zip\n",
    )
    .unwrap();
    let config = Config::load(&path).unwrap();
    assert_eq!(config.key, Some(dir.path().join("site.key")));
    let go_mods = config.go_mod.iter().map(|ask| ask.what.clone());
    assert_eq!(
        go_mods.collect::<Vec<_>>(),
        [dir.path().join("app/go.mod"), "/abs/go.mod".into()]
    );
    let origin = config.go_mod[1].origin.to_string();
    assert_eq!(origin, format!("{}: go-mod[1]", path.display()));
    assert_eq!(
        config.known_head,
        [
            "177".to_owned(),
            dir.path().join("latest").display().to_string()
        ]
    );
    assert_eq!(config.stream().unwrap().as_str(), "platform");
    let key = dir.path().join("back/identity.pub");
    assert_eq!(config.receipt_key, Some(key));
    let vulndb = Place::Path(dir.path().join("vulndb.zip"));
    assert_eq!(config.vulndb.unwrap().place, vulndb);
}

#[test]
fn a_tilde_is_the_home_folder_in_every_key_that_has_a_path() {
    let home = PathBuf::from(std::env::var_os("HOME").unwrap());
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("modferry.yaml");
    let text = "
key: ~/x
passphrase-file: ~/x
out: ~/x
cache: ~/x
state: ~/x
receipt-key: ~/x
trust: [~/x]
known-head: [~/x]
go-mod: [~/x, {path: ~/x}]
go-sum: [~/x]
go-work: [~/x]
checkouts: [~/x]
vendor: [~/x]
binary: [~/x]
sbom: [~/x]
modcache: [~/x]
list: [~/x]
wants: [~/x]
vulndb: ~/x
files:
  - {name: a, path: ~/x}
private:
  - {patterns: [a.test], goproxy: 'https://a.test', netrc: ~/x, header-file: ~/x}
";
    std::fs::write(&path, text).unwrap();
    let mut config = Config::load(&path).unwrap();
    let told = format!("{config:?}");
    assert_eq!(told.matches('~').count(), 0, "{told}");
    let expanded = home.join("x");
    let expanded = format!("{:?}", expanded.display().to_string());
    assert_eq!(
        told.matches(&expanded).count(),
        text.matches("~/x").count(),
        "{told}"
    );
    for (_, asks) in config.inputs_mut() {
        assert_eq!(asks[0].what, home.join("x"));
    }
    std::fs::write(&path, "vulndb: {path: ~/x}").unwrap();
    let place = Config::load(&path).unwrap().vulndb.unwrap().place;
    assert_eq!(place, Place::Path(home.join("x")));
}

#[test]
fn what_is_no_path_is_told_with_its_place() {
    for (text, told) in [
        (
            "out: x\nkey: ~me/x\n",
            ":2:6: key: \"~me/x\": only ~/ is expanded",
        ),
        ("trust:\n  - ~me/x\n", ":2:5: trust[0]: \"~me/x\": only"),
        (
            "go-mod:\n  - path: ~me/x\n",
            ":2:11: go-mod[0].path: \"~me/x\": only",
        ),
        (
            "known-head: [177, ~me/x]\n",
            ":1:19: known-head[1]: \"~me/x\": only",
        ),
        ("vulndb: ~me/x\n", ":1:9: vulndb: \"~me/x\": only"),
        ("out: ''\n", ":1:6: out: an empty path"),
    ] {
        let error = refusal(text);
        assert!(error.starts_with(told), "{text}: {error}");
    }
}

/// What is said of this text, without the file's name.
fn refusal(text: &str) -> String {
    let error = modferry_cli::parse_config::<Config>("", text).unwrap_err();
    error.to_string()
}

#[test]
fn what_is_for_one_export_is_not_for_a_file() {
    for key in ["receipt: r", "basis: none", "cumulative-from: 3"] {
        let error = modferry_cli::parse_config::<Config>("test", key).unwrap_err();
        assert!(error.to_string().contains("unknown field"), "{error}");
    }
}

#[test]
fn an_unknown_key_is_told_with_its_place() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("modferry.yaml");
    std::fs::write(&path, "stream: x\nkeep_going: true\n").unwrap();
    let text = Config::load(&path).unwrap_err().to_string();
    assert!(
        text.contains("modferry.yaml:2:1") && text.contains("keep_going"),
        "{text}"
    );
}

#[test]
fn flags_count_before_the_file() {
    let flags = Config {
        stream: Some("flag".into()),
        modules: vec![Ask::from("a.b/c@v1.0.0".parse::<Sought>().unwrap())],
        ..Config::default()
    };
    let file = Config {
        stream: Some("file".into()),
        go_mod: vec![Ask::from(PathBuf::from("go.mod"))],
        transfers: Some(3),
        ..Config::default()
    };
    let config = flags.or(file);
    assert_eq!(config.stream.as_deref(), Some("flag"));
    assert!(config.go_mod.is_empty());
    assert_eq!(config.transfers, Some(3));
}

#[test]
fn the_files_prune_goes_with_the_files_selection() {
    let file = Config {
        go_mod: vec![Ask::from(PathBuf::from("go.mod"))],
        prune: Some(true),
        ..Config::default()
    };
    assert_eq!(Config::default().or(file.clone()).prune, Some(true));
    let named = Config {
        modules: vec![Ask::from("a.b/c@v1.0.0".parse::<Sought>().unwrap())],
        ..Config::default()
    };
    assert_eq!(named.clone().or(file.clone()).prune, None);
    let said = Config {
        prune: Some(true),
        ..named
    };
    assert_eq!(said.or(file).prune, Some(true));
}

#[test]
fn wants_come_on_top_of_the_files_selection() {
    let wants = |name: &str| vec![Ask::from(PathBuf::from(name))];
    let flags = Config {
        wants: wants("flag"),
        ..Config::default()
    };
    let file = Config {
        go_mod: vec![Ask::from(PathBuf::from("go.mod"))],
        wants: wants("file"),
        prune: Some(true),
        ..Config::default()
    };
    let both = flags.clone().or(file.clone());
    assert_eq!(both.go_mod, file.go_mod);
    assert_eq!(both.wants, [wants("file"), wants("flag")].concat());
    // The file's selection is whole, so its prune holds.
    assert_eq!(both.prune, Some(true));
    // Where the file selects nothing, the wants alone are no selection to prune by.
    let nothing = Config {
        prune: Some(true),
        ..Config::default()
    };
    assert_eq!(flags.clone().or(nothing).prune, None);
    // With anything else on the command line, that is what is asked for.
    let named = Config {
        modules: vec![Ask::from("a.b/c@v1.0.0".parse::<Sought>().unwrap())],
        ..flags
    };
    let named = named.or(file);
    assert!(named.go_mod.is_empty());
    assert_eq!((named.wants, named.prune), (wants("flag"), None));
}

#[test]
fn a_stream_name_has_rules() {
    let config = Config {
        stream: Some("No Such".into()),
        ..Config::default()
    };
    assert!(config.stream().is_err());
    assert_eq!(Config::default().stream().unwrap().as_str(), "default");
}
