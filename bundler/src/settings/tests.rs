#![allow(clippy::unwrap_used)]
use super::*;
use crate::place::Place;

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

#[test]
fn each_wrong_value_is_told_with_its_place_and_key() {
    for (text, told) in [
        (
            "stream: x\n\n\nmedia-rate: fast\n",
            ":4:13: media-rate: \"fast\" is not a rate",
        ),
        (
            "transfers: 0\n",
            ":1:12: transfers: invalid value: integer `0`, expected a number of transfers from 1 to 256",
        ),
        (
            "transfers: many\n",
            ":1:12: transfers: invalid type: string \"many\", expected a number of transfers",
        ),
        ("out: x\nstream: A B\n", ":2:9: stream: "),
        (
            "goproxy: ftp://a.test\n",
            ":1:10: goproxy: GOPROXY has an element that is no proxy: ",
        ),
        ("goproxy: off\n", ":1:10: goproxy: GOPROXY begins with off"),
        ("gosumdb: off\n", ":1:10: gosumdb: "),
        (
            "vulndb: {path: a, url: b}\n",
            ":1:9: vulndb: want either path or url",
        ),
        (
            "vulndb:\n  path: a\n  sha256: 0a\n",
            ":3:11: vulndb.sha256: want 64 hexadecimal digits",
        ),
        (
            "policy:\n  minimum-age: 14 days\n",
            ":2:16: policy.minimum-age: invalid type: string \"14 days\", expected a number of days",
        ),
        (
            "policy:\n  minimum-age: 65536\n",
            ":2:16: policy.minimum-age: invalid value",
        ),
        (
            "policy:\n  licences: [MIT, My-1]\n",
            ":2:19: policy.licences[1]: \"My-1\"",
        ),
        (
            "policy:\n  max-size: 4 GB\n",
            ":2:13: policy.max-size: invalid type: string \"4 GB\", expected zip: SIZE",
        ),
        (
            "files:\n  - name: a\n",
            ":2:5: files[0]: a: want either path or url",
        ),
        (
            "files:\n  - {name: a, path: x, url: 'https://y'}\n",
            ":2:5: files[0]: a: want either",
        ),
        (
            "files:\n  - name: a\n    url: y\n",
            ":2:5: files[0]: a: unusable URL: \"y\" is no URL",
        ),
        (
            "files:\n  - name: ../a\n    path: x\n",
            ":2:11: files[0].name: ",
        ),
        (
            "files:\n  - path: x\n",
            ":2:5: files[0]: missing field `name`",
        ),
        (
            "files:\n  - name: a\n    path: x\n    sha256: abc\n",
            ":4:13: files[0].sha256: want 64",
        ),
        (
            "files:\n  - {name: a, path: x}\n  - {name: a, path: y}\n",
            ":3:5: files[1]: a is there twice",
        ),
        (
            "files:\n  - a\n",
            ":2:5: files[0]: invalid type: string \"a\", expected a mapping with name",
        ),
        (
            "private:\n  - patterns: [x.test]\n",
            ":2:5: private[0]: x.test: want either goproxy: URL or direct: true",
        ),
        (
            "private:\n  - direct: true\n",
            ":2:5: private[0]: an entry needs patterns",
        ),
        (
            "private:\n  - patterns: ['*']\n    direct: true\n",
            ":2:16: private[0].patterns[0]: \"*\" is no pattern",
        ),
        (
            "private:\n  - patterns: [x.test]\n    goproxy: x\n",
            ":3:14: private[0].goproxy: GOPROXY has",
        ),
        (
            "- a\n",
            ":1:1: invalid type: sequence, expected settings, as in stream: platform",
        ),
        (
            "policy: [a]\n",
            ":1:9: policy: invalid type: sequence, expected what is refused",
        ),
        ("exclude:\n  - a\nexclude: []\n", ": duplicate field"),
    ] {
        let error = refusal(text);
        match told.strip_prefix(": ") {
            Some(told) => assert!(error.contains(told), "{text}: {error}"),
            None => assert!(error.starts_with(told), "{text}: {error}"),
        }
    }
}

#[test]
fn no_type_of_the_program_is_told() {
    // Each key with each kind of value: most are wrong, and what is said of them is for people.
    let unknown = refusal("no-such-key: 1");
    let keys: Vec<&str> = unknown.split('`').skip(3).step_by(2).collect();
    assert!(keys.contains(&"stream") && keys.len() > 30, "{unknown}");
    let of_policy = refusal("policy: {no-such-key: 1}");
    let policy = of_policy.split('`').skip(3).step_by(2);
    let policy: Vec<String> = policy.map(|key| format!("policy: {{{key}")).collect();
    let keys = keys.into_iter().chain(policy.iter().map(String::as_str));
    let mut wrong = 0;
    for key in keys {
        for value in [
            "true", "x y", "-1", "1.5", "[1]", "[[a]]", "[{x: 1}]", "{x: 1}", "{x: [1]}",
        ] {
            let close = if key.contains('{') { "}" } else { "" };
            let text = format!("{key}: {value}{close}");
            let Err(error) = modferry_cli::parse_config::<Config>("y", &text) else {
                continue;
            };
            wrong += 1;
            let error = error.to_string();
            assert!(error.starts_with("y:1:"), "{text}: {error}");
            for word in ["struct ", "enum ", "u16", "u64", "usize", "i64", "newtype"] {
                assert!(!error.contains(word), "{text}: {error}");
            }
        }
    }
    assert!(wrong > 100, "{wrong}");
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
        transfers: Some(Transfers::default()),
        ..Config::default()
    };
    let config = flags.or(file);
    assert_eq!(config.stream.as_deref(), Some("flag"));
    assert!(config.go_mod.is_empty());
    assert_eq!(config.transfers, Some(Transfers::default()));
}

#[test]
fn what_the_file_calls_private_stays_so_whatever_flags_say() {
    let private = |text: &str| vec![text.parse::<PrivateConfig>().unwrap()];
    let flags = Config {
        private: private("a.test=direct"),
        ..Config::default()
    };
    let file = Config {
        private: private("b.test=direct"),
        ..Config::default()
    };
    let both = [private("a.test=direct"), private("b.test=direct")].concat();
    assert_eq!(flags.or(file).private, both);
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
