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
