#![allow(clippy::unwrap_used)]
use super::*;

fn requires(file: &GoMod) -> Vec<String> {
    file.require
        .iter()
        .map(|r| {
            format!(
                "{} {}{}",
                r.path,
                r.version,
                if r.indirect { " indirect" } else { "" }
            )
        })
        .collect()
}

const MAIN: &str = r#"// A comment before
module "example.com/m" // Deprecated: no

go 1.21.3
toolchain go1.22.0

require example.com/one v1.0.0
require ( // opens
	example.com/two/v2 v2.1.0 // indirect
	"example.com/\x74hree" v0.0.0-20200101000000-abcdefabcdef // indirect; with words
	gopkg.in/yaml.v2 v2.4.0
	example.com/four v4.0.0+incompatible // not indirect

)
exclude example.com/one v1.1.0
replace (
	example.com/one v1.0.0 => example.com/fork v1.2.3
	example.com/local => ../local
)
retract [v1.0.0, v1.0.5] // bad
retract v1.9.0
godebug default=go1.21
tool example.com/cmd
ignore ./x
require ()
"#;

#[test]
fn a_main_module_is_read_whole() {
    let file = GoMod::parse(MAIN.as_bytes()).unwrap();
    assert_eq!(file.module.as_deref(), Some("example.com/m"));
    assert_eq!(file.go.as_deref(), Some("1.21.3"));
    assert_eq!(file.toolchain.as_deref(), Some("go1.22.0"));
    assert_eq!(
        requires(&file),
        [
            "example.com/one v1.0.0",
            "example.com/two/v2 v2.1.0 indirect",
            "example.com/three v0.0.0-20200101000000-abcdefabcdef indirect",
            "gopkg.in/yaml.v2 v2.4.0",
            "example.com/four v4.0.0+incompatible",
        ]
    );
    assert_eq!(file.exclude, [("example.com/one".into(), "v1.1.0".into())]);
    assert_eq!(
        file.replace,
        [
            Replace {
                path: "example.com/one".into(),
                version: Some("v1.0.0".into()),
                with: Replacement::Module("example.com/fork".into(), "v1.2.3".into())
            },
            Replace {
                path: "example.com/local".into(),
                version: None,
                with: Replacement::Folder("../local".into())
            },
        ]
    );
    assert_eq!(file.retract.len(), 2);
    assert!(file.is_pruned());
}

#[test]
fn a_dependency_is_read_laxly() {
    let text = MAIN.to_owned()
        + "future thing\nfuture (\n a b\n)\nodd block (\n x\n)\nretract (v1.0.0, v2.0.0)\nreplace bad\n";
    let file = GoMod::parse_lax(text.as_bytes()).unwrap();
    assert_eq!(file.require.len(), 5);
    assert!(file.replace.is_empty() && file.exclude.is_empty() && file.toolchain.is_none());
    assert_eq!(file.retract.len(), 2);
    assert!(GoMod::parse(text.as_bytes()).is_err());

    for (go, read) in [
        ("v1.13.5", "1.13"),
        ("1.13.x", "1.13"),
        ("1.16-beta", "1.16"),
    ] {
        let text = format!("module m\ngo {go}\n");
        assert_eq!(
            GoMod::parse_lax(text.as_bytes()).unwrap().go.as_deref(),
            Some(read)
        );
        assert!(GoMod::parse(text.as_bytes()).is_err());
    }
}

#[test]
fn a_dependencys_versions_are_made_canonical() {
    let text = b"module m\nrequire (\n\ta.b/c v1.2\n\ta.b/d v1\n\ta.b/e v1.2.3+meta\n\ta.b/f v4.0.0+incompatible\n\
        )\nretract [v1, v1.1]\n";
    let file = GoMod::parse_lax(text).unwrap();
    assert_eq!(
        requires(&file),
        [
            "a.b/c v1.2.0",
            "a.b/d v1.0.0",
            "a.b/e v1.2.3",
            "a.b/f v4.0.0+incompatible"
        ]
    );
    let [retract] = file.retract.as_slice() else {
        panic!("{:?}", file.retract);
    };
    assert_eq!((&*retract.low, &*retract.high), ("v1.0.0", "v1.1.0"));
    // The main module's are queries.
    assert_eq!(GoMod::parse(text).unwrap_err().line, 3);
    for version in ["master", "v2", "v2.0.0+meta", "1.2"] {
        let text = format!("module m\nrequire a.b/c {version}\n");
        assert!(GoMod::parse_lax(text.as_bytes()).is_err(), "{version}");
    }
}

#[test]
fn carriage_returns_and_missing_ends_do_no_harm() {
    let file =
        GoMod::parse(b"module m\r\ngo 1.20\r\nrequire (\r\n\ta.b/c v1.0.0 // indirect\r\n)\r\n");
    assert_eq!(requires(&file.unwrap()), ["a.b/c v1.0.0 indirect"]);
    assert_eq!(
        GoMod::parse(b"module m").unwrap().module.as_deref(),
        Some("m")
    );
    assert_eq!(GoMod::parse_lax(b"").unwrap(), GoMod::default());
}

#[test]
fn faults_are_told_with_their_line() {
    for (text, line, what) in [
        ("", 1, "missing module declaration"),
        ("// module a\ngo 1.21\n", 1, "missing module declaration"),
        ("module a\nmodule b", 2, "repeated module"),
        ("go 1", 1, "invalid go version"),
        ("go 1.21\ngo 1.22", 2, "repeated go"),
        ("require a.b/c", 1, "usage: require"),
        ("require a.b/c v1", 1, "is a query"),
        ("require a.b/c master", 1, "is a query"),
        ("require a.b/c v2.0.0", 1, "should be v0 or v1, not v2"),
        ("require a.b/c/v3 v2.0.0", 1, "should be v3, not v2"),
        ("require (\na.b/c v1.0.0", 1, "unterminated block"),
        ("require (\n) x", 2, "expected newline"),
        ("x y", 1, "unknown directive"),
        ("x (\n y\n)", 2, "unknown block"),
        ("/* c */", 1, "must use //"),
        ("module \"a", 1, "unexpected newline in string"),
        ("module 'a'", 1, "cannot contain quote"),
        ("module `a`", 1, "cannot contain quote"),
        ("replace a.b/c => d.e/f", 1, "must be directory path"),
        ("replace a.b/c => ./f v1.0.0", 1, "cannot have version"),
        ("replace a.b/c", 1, "usage: replace"),
        ("retract [v1.0.0]", 1, "usage: retract"),
        ("toolchain 1.2", 1, "invalid toolchain"),
    ] {
        let error = GoMod::parse(text.as_bytes()).unwrap_err();
        assert_eq!(error.line, line, "{text:?}: {error}");
        assert!(error.what.contains(what), "{text:?}: {error}");
    }
}

#[test]
fn pruning_begins_with_go_1_17() {
    for (version, pruned) in [
        ("1.16", false),
        ("1.17", true),
        ("1.9", false),
        ("1.21rc1", true),
        ("1.16.9", false),
        ("1.17beta1", true),
        ("2.0", true),
    ] {
        let file = GoMod::parse_lax(format!("go {version}").as_bytes()).unwrap();
        assert_eq!(file.is_pruned(), pruned, "{version}");
    }
    assert!(!GoMod::default().is_pruned());
}

#[test]
fn what_authors_say_of_a_module_and_of_versions() {
    let read = |text: &str| GoMod::parse_lax(text.as_bytes()).unwrap();
    let deprecated = |text: &str| read(text).deprecated;
    assert_eq!(
        deprecated("// Deprecated: use b.\nmodule a.b/c\n").unwrap(),
        "use b."
    );
    assert_eq!(
        deprecated("module a.b/c // Deprecated: gone\n").unwrap(),
        "gone"
    );
    assert_eq!(
        deprecated(
            "// About it.\n//\n// Deprecated: use b,\n// or c.\n//\n// More.\nmodule a.b/c\n"
        )
        .unwrap(),
        "use b,\nor c."
    );
    assert_eq!(deprecated("// Deprecated:\nmodule a.b/c\n").unwrap(), "");
    for not in [
        "// Deprecated: of something else\n\nmodule a.b/c\n",
        "// About it.\n// Deprecated: no paragraph of its own\nmodule a.b/c\n",
        "// deprecated: in small letters\nmodule a.b/c\n",
        "module a.b/c\n// Deprecated: behind\ngo 1.20\n",
    ] {
        assert_eq!(deprecated(not), None, "{not}");
    }

    let text = "module a.b/c\n\n// Leaks.\nretract v1.0.0\nretract v1.1.0 // Panics.\n\n// All bad.\nretract (\n\tv1.2.0\n\
         \t// Worse.\n\n\tv1.3.0\n\t[v1.4.0, v1.4.9] // Worst.\n\tv1.6.0\n\n\tv1.7.0\n)\nretract v1.5.0\n";
    let whys: Vec<String> = read(text)
        .retract
        .into_iter()
        .map(|retract| retract.why)
        .collect();
    assert_eq!(
        whys,
        [
            "Leaks.", "Panics.", "All bad.", "Worse.", "Worst.", "All bad.", "", ""
        ]
    );
}
