#![allow(clippy::unwrap_used)]
use super::*;

fn platforms(names: &str) -> Tags {
    Tags::Platforms(names.split(' ').map(|name| name.parse().unwrap()).collect())
}

fn takes(tags: &Tags, expression: &str) -> bool {
    tags.take(
        "a.go",
        format!("//go:build {expression}\n\npackage p\n").as_bytes(),
    )
}

#[test]
fn under_any_platform_all_tags_are_set_and_unset_save_ignore() {
    for expression in [
        "linux",
        "!linux",
        "linux && !linux",
        "mine",
        "!mine && !(a || b)",
        "!ignore",
    ] {
        assert!(takes(&Tags::Any, expression), "{expression}");
    }
    for expression in ["ignore", "linux && ignore", "ignore || (ignore && a)"] {
        assert!(!takes(&Tags::Any, expression), "{expression}");
    }
    assert!(Tags::Any.take("a_windows_arm64_test.go", b"package p\n"));
}

#[test]
fn a_platform_sets_what_it_implies() {
    let linux = platforms("linux/amd64");
    for expression in [
        "linux",
        "amd64",
        "unix",
        "gc",
        "cgo",
        "!cgo",
        "go1.1",
        "!go1.99",
        "!windows",
        "!mine",
        "linux && !arm64 || mine",
        "!ignore",
    ] {
        assert!(takes(&linux, expression), "{expression}");
    }
    for expression in [
        "windows", "arm64", "!unix", "gccgo", "mine", "ignore", "go1", "go1.x", "android",
    ] {
        assert!(!takes(&linux, expression), "{expression}");
    }
    for (platform, also) in [
        ("android/arm64", "linux"),
        ("illumos/amd64", "solaris"),
        ("ios/arm64", "darwin && unix"),
        ("windows/386", "!unix"),
        ("js/wasm", "!unix"),
    ] {
        assert!(takes(&platforms(platform), also), "{platform}: {also}");
    }
    let two = platforms("linux/amd64 windows/arm64");
    assert!(takes(&two, "linux") && takes(&two, "windows"));
    assert!(!takes(&two, "linux && windows") && !takes(&two, "linux && arm64"));
}

#[test]
fn names_have_suffixes() {
    let linux = platforms("linux/amd64");
    for (name, taken) in [
        ("a.go", true),
        ("linux.go", true),
        ("windows.go", true),
        ("a_windows.go", false),
        ("a_linux.go", true),
        ("a_arm64.go", false),
        ("a_linux_arm64.go", false),
        ("a_linux_amd64_test.go", true),
        ("a_windows_test.go", false),
        ("windows_test.go", true),
        ("_windows.go", false),
        ("a_windows_b.go", true),
        ("a_windows.x_linux.go", false),
        ("a_unix.go", true),
        ("a_amd64_linux.go", true),
        ("a_amd64_windows.go", false),
        ("a_windows_linux.go", true),
    ] {
        assert_eq!(linux.take(name, b"package p\n"), taken, "{name}");
    }
    assert!(platforms("android/arm").take("a_linux.go", b"package p\n"));
}

#[test]
fn constraints_stand_where_go_looks_for_them() {
    let windows = platforms("windows/amd64");
    for (header, taken) in [
        ("//go:build linux\npackage p\n", false),
        ("// doc\n//go:build linux\n// more\npackage p\n", false),
        ("/* c */\n//go:build linux\npackage p\n", false),
        ("/*\n//go:build linux\n*/\npackage p\n", true),
        ("package p\n\n//go:build linux\n", true),
        ("//go:build windows\n//go:build windows\npackage p\n", false),
        ("//go:buildlinux\npackage p\n", true),
        ("// go:build linux\npackage p\n", true),
        ("//go:build\n\npackage p\n", false),
        ("\u{feff}//go:build linux\n\npackage p\n", false),
        // The newer line counts alone.
        ("// +build linux\n//go:build windows\n\npackage p\n", true),
        ("// +build linux\n\npackage p\n", false),
        ("//+build linux\n\npackage p\n", false),
        ("// +build linux\npackage p\n", true),
        ("// +build linux\n// doc\npackage p\n", true),
        ("// +build linux\n\n// doc\npackage p\n", false),
        ("/* c */\n// +build linux\n\npackage p\n", true),
        ("// +build linux windows\n\npackage p\n", true),
        ("// +build windows,amd64\n\npackage p\n", true),
        ("// +build windows,arm64 linux\n\npackage p\n", false),
        ("// +build windows\n// +build !amd64\n\npackage p\n", false),
        ("// +build !!windows\n\npackage p\n", false),
        ("// +build !\n\npackage p\n", false),
        ("// +build a+b\n\npackage p\n", false),
        ("// +build !a+b\n\npackage p\n", true),
        ("// +build\n\npackage p\n", false),
        ("// +buildlinux\n\npackage p\n", true),
        ("// +build linux\r\n\r\npackage p\r\n", false),
    ] {
        assert_eq!(windows.take("a.go", header.as_bytes()), taken, "{header:?}");
    }
}

#[test]
fn an_expression_that_is_none_takes_nothing() {
    for expression in [
        "", "a ||", "a b", "!!a", "! ! a", "(a", "a)", "a & b", "a,b", "&& a", "()", "a-b",
    ] {
        assert!(!takes(&Tags::Any, expression), "{expression}");
    }
    for expression in ["!(a)", "( a||b )&&c", "a&&(b)", "386", "a.b_c", "é"] {
        assert!(takes(&Tags::Any, expression), "{expression}");
    }
}

#[test]
fn expressions_are_bounded() {
    let of = |n: usize| vec!["a"; n].join(" || ");
    assert!(takes(&Tags::Any, &of(MAX_OPERATORS)));
    assert!(!takes(&Tags::Any, &of(MAX_OPERATORS + 1)));
    let nested = |n: usize| format!("{}a{}", "(".repeat(n), ")".repeat(n));
    assert!(takes(&Tags::Any, &nested(MAX_OPERATORS - 1)));
    assert!(!takes(&Tags::Any, &nested(MAX_OPERATORS)));
    // Of the older lines, one that is too long demands nothing.
    let windows = platforms("windows/amd64");
    let old = |n: usize| format!("// +build {}\n\npackage p\n", vec!["linux"; n].join(" "));
    assert!(!windows.take("a.go", old(MAX_OLD_OPERATORS + 1).as_bytes()));
    assert!(windows.take("a.go", old(MAX_OLD_OPERATORS + 2).as_bytes()));
}
