#![allow(clippy::unwrap_used)]
use super::*;

fn lines(go: &str, toolchain: &str) -> Lines {
    let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    Lines {
        go: some(go),
        toolchain: some(toolchain),
    }
}

fn shown<'v>(versions: impl IntoIterator<Item = &'v GoVersion>) -> String {
    let shown: Vec<&str> = versions.into_iter().map(GoVersion::as_str).collect();
    shown.join(" ")
}

fn had() -> BTreeSet<GoVersion> {
    let had = "1.24.0 1.24.9 1.24.10 1.25.0 1.25.3 1.26rc1 1.26rc2";
    had.split(' ').map(|v| v.parse().unwrap()).collect()
}

#[test]
fn a_main_module_names_its_toolchain_exactly() {
    for (go, toolchain, wanted) in [
        ("1.25", "", "1.25.0"),
        ("1.25.2", "", "1.25.2"),
        ("1.25.2", "go1.25.3", "1.25.3"),
        ("1.25.3", "go1.25.2", "1.25.3"),
        ("1.26rc1", "", "1.26rc1"),
        ("1.25", "default", ""),
        ("1.25.2", "go1.25.3-corp", "1.25.2"),
        ("1.20", "", ""),
        ("1.21", "", ""),
        ("1.21.0", "", ""),
        ("1.21.1", "", "1.21.1"),
        ("", "", ""),
        ("nonsense", "", ""),
    ] {
        let lines = lines(go, toolchain);
        assert_eq!(shown(&lines.wants()), wanted, "{lines:?}");
    }
}

#[test]
fn dependencies_are_content_with_what_is_new_enough() {
    let mains = [lines("1.23.0", ""), lines("1.25", "go1.25.3")];
    let auto = |mains: &[Lines], modules: &[&str]| shown(&auto(mains, modules.iter().copied()));
    assert_eq!(auto(&mains, &["1.24.2", "1.25.3"]), "1.23.0 1.25.3");
    assert_eq!(auto(&mains, &["1.24.2", "1.26"]), "1.23.0 1.25.3 1.26.0");
    assert_eq!(auto(&[], &["1.13", "1.24", "1.9"]), "1.24.0");
    assert_eq!(auto(&[], &["1.13", "1.21", "x"]), "");
}

#[test]
fn versions_that_are_named_are_found_among_those_that_upstream_has() {
    for (word, found) in [
        ("1.25", "1.25.3"),
        ("1.24", "1.24.10"),
        ("go1.24.9", "1.24.9"),
        ("1.26", "1.26rc2"),
        ("1.26rc1", "1.26rc1"),
        ("latest", "1.25.3"),
        ("1.23", ""),
        ("1.25.4", ""),
    ] {
        let toolchains: Toolchains = word.parse().unwrap();
        assert_eq!(shown(toolchains.named[0].among(&had())), found, "{word}");
    }
    let list = [
        "v0.0.1-go1.25.3.linux-amd64",
        "v0.0.1-go1.25.3.darwin-arm64",
        "v0.0.1-go1.26rc1.windows-386",
        "v0.0.1-go1.25.3",
        "v0.0.2",
    ];
    let list: Vec<Version> = list.iter().map(|v| v.parse().unwrap()).collect();
    assert_eq!(shown(&listed(list.iter())), "1.25.3 1.26rc1");
}

#[test]
fn the_one_for_linux_amd64_is_asked_for_on_every_platform() {
    let versions = BTreeSet::from(["1.25.3".parse().unwrap()]);
    let of = |platforms: &[&str]| {
        let platforms: Vec<Platform> = platforms.iter().map(|p| p.parse().unwrap()).collect();
        let shown = modules(&versions, &platforms)
            .into_iter()
            .map(|(module, level)| format!("{} {level:?}", module.version()));
        shown.collect::<Vec<_>>().join(", ")
    };
    assert_eq!(of(&["linux/amd64"]), "v0.0.1-go1.25.3.linux-amd64 Whole");
    assert_eq!(
        of(&["darwin/arm64"]),
        "v0.0.1-go1.25.3.darwin-arm64 Whole, v0.0.1-go1.25.3.linux-amd64 Listed"
    );
}

#[derive(Debug, serde::Deserialize)]
struct Keys {
    toolchains: Toolchains,
    #[serde(default)]
    platforms: Vec<Platform>,
}

fn keys(text: &str) -> Result<Keys, String> {
    modferry_cli::parse_config("m.yaml", text).map_err(|error| error.to_string())
}

#[test]
fn flags_and_files_say_the_same() {
    let some: Toolchains = "auto,1.25.3".parse().unwrap();
    assert!(some.auto && some.named.len() == 1);
    assert_eq!(keys("toolchains: [auto, 1.25.3]").unwrap().toolchains, some);
    assert_eq!(keys("toolchains: auto,1.25.3").unwrap().toolchains, some);
    let zero = keys("toolchains: [1.20]").unwrap().toolchains;
    assert_eq!(zero, "1.20".parse().unwrap());
    assert_eq!("none".parse(), Ok(Toolchains::default()));
    let keys = keys("toolchains: none\nplatforms: [linux/amd64, windows/arm64]").unwrap();
    assert_eq!(keys.platforms[1].to_string(), "windows/arm64");
    for (text, told) in [
        ("", "say auto, none, or versions"),
        ("1.25,,1.24", "say auto, none, or versions"),
        ("none,auto", "none stands alone"),
        (
            "newest",
            "\"newest\" is no version of Go: say it as in 1.25.3 or go1.25.3; or auto, none, latest",
        ),
        ("1.25.x", "\"1.25.x\" is no version of Go"),
    ] {
        let error = text.parse::<Toolchains>().unwrap_err().to_string();
        assert!(error.contains(told), "{text}: {error}");
    }
    for (text, told) in [
        (
            "toolchains: 1.20",
            "m.yaml:1:13: toolchains: invalid type: floating point `1.2`, expected auto, none or a list of versions in quotes",
        ),
        (
            "toolchains: none\nplatforms: [linux]",
            "\"linux\" is no platform",
        ),
        (
            "toolchains: none\nplatforms: [linux-amd64]",
            "is no platform",
        ),
        (
            "toolchains: none\nplatforms: [Linux/amd64]",
            "is no platform",
        ),
        (
            "toolchains: none\nplatforms: [linux/amd64/v3]",
            "is no platform",
        ),
    ] {
        let error = keys_error(text);
        assert!(error.contains(told), "{text}: {error}");
    }
}

fn keys_error(text: &str) -> String {
    keys(text).unwrap_err()
}
