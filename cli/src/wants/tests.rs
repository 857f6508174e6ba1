#![allow(clippy::unwrap_used)]

use std::path::Path;

use modferry_protocol::note::{SigningKey, VerifierKey};
use proptest::prelude::*;

use super::*;
use crate::in_one_line;

const WHOLE: &str = "\
modferry-wants: 1
site: platform north
written: 2026-11-21T09:00:00Z
wants:
  - want: github.com/BurntSushi/toml@v1.2.0
    asked: 14
    first: 2026-11-02T08:12:00Z
    last: 2026-11-20T17:12:44Z
  # struck: example.com/x@v1.0.0
  - want: golang.org/x/exp/slices@latest
    or: [golang.org/x/exp, golang.org/x]
    follow: build
    note: \"the build of: billing\"
  - want: \"a.b/c@>=1.7 <2\"
  - want: corp.example/team/tool@v1.0.0
    or: [corp.example/team]
    private: true
";

fn parse(text: &str) -> Result<Wants, WantsError> {
    Wants::parse(Path::new("w.yaml"), text)
}

fn refusal(text: &str) -> String {
    in_one_line(&parse(text).unwrap_err())
}

fn place(entry: &Entry) -> String {
    entry.place.unwrap().to_string()
}

/// Without what cannot be signed.
fn of_one(text: &str) -> String {
    text.replace(">=1.7 <2", "v1.7")
}

fn key(n: u8) -> SigningKey {
    SigningKey::from_seed("platform", &[n; 32]).unwrap()
}

#[test]
fn everything_is_read_with_its_line() {
    let wants = parse(WHOLE).unwrap();
    assert_eq!(wants.site.as_deref(), Some("platform north"));
    assert_eq!(wants.written.unwrap().to_string(), "2026-11-21T09:00:00Z");
    let [toml, slices, range, tool] = &wants.wants[..] else {
        panic!("{wants:?}")
    };
    assert_eq!(toml.want.path().as_str(), "github.com/BurntSushi/toml");
    assert_eq!(toml.want.query(), "v1.2.0");
    assert_eq!((toml.asked, place(toml)), (Some(14), "5:11".into()));
    assert_eq!(toml.last.unwrap().to_string(), "2026-11-20T17:12:44Z");
    let or: Vec<_> = slices.or.iter().map(ModulePath::as_str).collect();
    assert_eq!(or, ["golang.org/x/exp", "golang.org/x"]);
    assert_eq!(slices.follow, Some(Follow::Build));
    assert_eq!(slices.note.as_deref(), Some("the build of: billing"));
    assert_eq!(
        (place(slices), place(range)),
        ("10:11".into(), "14:11".into())
    );
    assert_eq!(range.want.to_string(), "a.b/c@>=1.7 <2");
    assert!(tool.private && !toml.private && !slices.private);
}

#[test]
fn what_a_hand_types_needs_little() {
    let wants =
        parse("modferry-wants: 1\nwants:\n- want: a.b/c@main\n- note: why\n  want: a.b/d@v1\n");
    let wants = wants.unwrap().wants;
    assert_eq!(wants[0].want.to_string(), "a.b/c@main");
    assert_eq!(
        (place(&wants[0]), place(&wants[1])),
        ("3:9".into(), "5:9".into())
    );
    // In one line, and with Windows' line ends and its mark.
    let wants = parse("\u{feff}modferry-wants: 1\r\nwants: [{want: a.b/c@main}]\r\n").unwrap();
    assert_eq!(wants.wants[0].place, None);
    assert_eq!(wants.wants[0].want.query(), "main");
    // A list within a note or an entry is no entry.
    let wants = parse(
        "modferry-wants: 1\nwants:\n  - want: a.b/c/d@v1\n    or:\n      - a.b/c\n  - want: a.b/e@v1\n",
    );
    assert_eq!(place(&wants.unwrap().wants[1]), "6:11");
    // However far right it stands; where it is not found, the entry's beginning is told.
    let odd = "modferry-wants: 1\nwants:\n  -   want:   a.b/c@v1\n  - {want: a.b/d@v1}\n  - asked: 1\n    \"want\": a.b/e@v1\n";
    let places: Vec<String> = parse(odd).unwrap().wants.iter().map(place).collect();
    assert_eq!(places, ["3:15", "4:3", "5:3"]);
}

#[test]
fn an_empty_list_is_a_list_and_an_empty_file_is_none() {
    for text in [
        "modferry-wants: 1\n",
        "modferry-wants: 1\nwants:\n",
        "modferry-wants: 1\nwants: []\n",
    ] {
        assert_eq!(parse(text).unwrap().wants, []);
    }
    for text in ["", "\n\n", "# only words\n"] {
        assert!(refusal(text).contains("is empty"), "{text:?}");
    }
}

#[test]
fn what_is_wrong_is_told_with_its_place() {
    let head = "modferry-wants: 1\nwants:\n";
    for (text, words) in [
        ("wants: []\n", "missing field `modferry-wants`"),
        (
            "modferry-wants: 2\nnew: 1\n",
            "format 2, and this version reads 1",
        ),
        (
            "modferry-wants: one\n",
            "w.yaml:1:17: modferry-wants: invalid type",
        ),
        (
            "- a.b/c@latest\n",
            "w.yaml:1:1: invalid type: sequence, expected a wants file, which begins with modferry-wants: 1",
        ),
        (
            "modferry-wants: 1\nwants: [a.b/c@latest]\n",
            "w.yaml:2:9: wants[0]: invalid type: string \"a.b/c@latest\", expected an entry, as in {want: example.com/a@latest}",
        ),
        (
            "modferry-wants: 1\nwant: []\n",
            "w.yaml:2:1: unknown field `want`",
        ),
        (
            "modferry-wants: 1\nwritten: yesterday\n",
            "w.yaml:2:10: written: \"yesterday\" is no time",
        ),
        (
            "modferry-wants: 1\nwritten: 2026-11-21T09:00:00+01:00\n",
            "is no time",
        ),
        (
            "modferry-wants: 1\nsite: \"a\\nb\"\n",
            "site: want one line of at most 500 bytes",
        ),
        ("modferry-wants: 1\n- want: a.b/c@v1\n", "w.yaml:2:1: "),
    ] {
        assert!(refusal(text).contains(words), "{text}: {}", refusal(text));
    }
    for (entry, words) in [
        (
            "- want: a.b/c\n",
            "w.yaml:3:9: wants[0].want: \"a.b/c\": no version: write MODULE@VERSION",
        ),
        ("- want: a.b/c@\n", "printable ASCII"),
        ("- want: \"a.b/c@ v1\"\n", "printable ASCII"),
        ("- want: \"a.b/c@v\\u00e9\"\n", "printable ASCII"),
        ("- want: nodot@v1\n", "nodot"),
        ("- want: a.b/...@v1\n", "a.b/..."),
        (
            "- want: a.b/c@v1\n  follow: far\n",
            "w.yaml:4:11: wants[0].follow: unknown variant `far`",
        ),
        (
            "- want: a.b/c@v1\n- wnat: a.b/c@v1\n",
            "w.yaml:4:3: wants[1]: unknown field `wnat`",
        ),
        ("- asked: 3\n", "wants[0]: missing field `want`"),
        (
            "- want: a.b/c@v1\n  private: yes, it is\n",
            "w.yaml:4:12: wants[0].private: invalid type",
        ),
        (
            "- want: a.b/c@v1\n  asked: -1\n",
            "w.yaml:4:10: wants[0].asked: invalid type",
        ),
        (
            "- want: a.b/c@v1\n- want: a.b/c/d@v1\n  or: [a.b/e]\n",
            "w.yaml:4:9: wants[1].or: a.b/e is not the beginning of a.b/c/d",
        ),
        ("- want: a.b/c@v1\n  or: [a.b/c]\n", "is not the beginning"),
    ] {
        let text = format!("{head}{entry}");
        assert!(
            refusal(&text).contains(words),
            "{entry}: {}",
            refusal(&text)
        );
    }
}

#[test]
fn limits_hold_on_both_sides() {
    let of = |count| "modferry-wants: 1\nwants:\n".to_owned() + &"- want: a.b/c@v1\n".repeat(count);
    assert_eq!(parse(&of(MAX_WANTS)).unwrap().wants.len(), MAX_WANTS);
    assert!(refusal(&of(MAX_WANTS + 1)).contains("has 10001 wants, and at most 10000 are read"));

    let want = |length: usize| format!("a.b/c@{}", "x".repeat(length - 6)).parse::<Want>();
    assert!(want(MAX_WANT).is_ok());
    assert_eq!(want(MAX_WANT + 1), Err(WantError::TooLong(MAX_WANT + 1)));

    let site = |length: usize| {
        parse(&format!(
            "modferry-wants: 1\nsite: {}\n",
            "x".repeat(length)
        ))
    };
    assert!(site(MAX_WORDS).is_ok());
    assert!(site(MAX_WORDS + 1).is_err());

    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("w.yaml");
    std::fs::write(&path, vec![b'#'; MAX_WANTS_FILE]).unwrap();
    assert_eq!(read(&path).unwrap().len(), MAX_WANTS_FILE);
    std::fs::write(&path, vec![b'#'; MAX_WANTS_FILE + 1]).unwrap();
    assert!(matches!(read(&path), Err(WantsError::TooLarge { .. })));
    std::fs::write(&path, b"\xff\n").unwrap();
    let error = open(&path, &read(&path).unwrap(), &[]).unwrap_err();
    assert!(matches!(error, WantsError::NotText { .. }));
    let error = read(&dir.path().join("none")).unwrap_err();
    assert!(matches!(error, WantsError::Read { .. }));
}

#[test]
fn what_is_written_is_read_again() {
    let mut wants = parse(WHOLE).unwrap();
    wants.site = Some("a \"quoted\" \\ site: \u{2028}\u{feff}\u{fffe}\u{1f600}ä".into());
    for odd in [
        "1.5@v1",
        "a.b/c@x #y",
        "a.b/c@true",
        "a.b/c@a: b",
        "a.b/c@{x}",
        "a.b/c@'",
    ] {
        wants.wants.push(Entry::new(odd.parse().unwrap()));
    }
    wants.wants[3].or = Vec::new();
    assert!(wants.encode().contains("\n    private: true\n"));
    let again = parse(&wants.encode()).unwrap();
    let bare = |wants: &Wants| {
        let mut wants = wants.clone();
        wants.wants.iter_mut().for_each(|entry| entry.place = None);
        wants
    };
    assert_eq!(bare(&again), bare(&wants), "{}", wants.encode());
    assert!(again.wants.iter().all(|entry| entry.place.is_some()));
    let none = Wants::default();
    assert_eq!(parse(&none.encode()).unwrap(), none);
    assert!(none.encode().ends_with("wants: [] # nothing\n"));
}

#[test]
fn a_signature_is_checked_where_there_is_one_and_a_key_is_known() {
    let path = Path::new("w.yaml");
    let keys = [key(1).verifier()];
    let (_, note) = sign(path, of_one(WHOLE).as_bytes(), &key(1)).unwrap();
    let known = open(path, &note, &keys).unwrap();
    assert!(matches!(&known.signer, Signer::Known(by) if by[0].name == "platform"));
    assert_eq!(known.wants, parse(&of_one(WHOLE)).unwrap());
    let unknown = open(path, &note, &[]).unwrap();
    assert_eq!(
        unknown.signer,
        Signer::Unknown(vec![key(1).verifier().short_name()])
    );
    let by_hand = open(path, WHOLE.as_bytes(), &keys).unwrap();
    assert_eq!(by_hand.signer, Signer::Nobody);

    let refused = |bytes: &[u8], keys: &[VerifierKey]| {
        let error = open(path, bytes, keys).unwrap_err();
        assert_eq!(error.exit(), Exit::Untrusted);
        assert!(error.advice().unwrap().contains("wants --sign w.yaml"));
    };
    let edited = String::from_utf8(note.clone())
        .unwrap()
        .replace("v1.2.0", "v1.2.1");
    refused(edited.as_bytes(), &keys);
    refused(&note, &[key(2).verifier()]);
    refused(
        String::from_utf8(note.clone())
            .unwrap()
            .replace('\n', "\r\n")
            .as_bytes(),
        &keys,
    );
    refused(format!("{WHOLE}\u{2014} platform AAAA\n").as_bytes(), &keys);
    refused(format!("{WHOLE}\n\u{2014}\n").as_bytes(), &keys);

    // Whoever removes the lines, or signs again, has a file that is good as what it then is.
    let cut = edited.split('\u{2014}').next().unwrap();
    assert_eq!(
        open(path, cut.as_bytes(), &keys).unwrap().signer,
        Signer::Nobody
    );
    let (_, again) = sign(path, edited.as_bytes(), &key(1)).unwrap();
    let again = open(path, &again, &keys).unwrap();
    assert_eq!(again.wants.wants[0].want.query(), "v1.2.1");
}

#[test]
fn a_file_that_windows_saved_can_be_signed_and_one_that_is_wrong_cannot() {
    let path = Path::new("w.yaml");
    let whole = of_one(WHOLE);
    let text = format!("\u{feff}{}", whole.replace('\n', "\r\n"));
    let (_, note) = sign(path, text.trim_end().as_bytes(), &key(1)).unwrap();
    let opened = open(path, &note, &[key(1).verifier()]).unwrap();
    assert_eq!(opened.wants, parse(&whole).unwrap());
    let error = sign(path, b"modferry-wants: 1 # a\ttab\n", &key(1)).unwrap_err();
    assert!(matches!(error, WantsError::Sign { .. }), "{error}");
    assert!(error.advice().unwrap().contains("no tabs"));
    assert!(sign(path, b"modferry-wants: 1\nwant: x\n", &key(1)).is_err());
}

#[test]
fn what_is_more_than_one_version_is_typed_and_never_signed() {
    let path = Path::new("w.yaml");
    for more in [
        "all",
        "newest 10000",
        "newest",
        "since 2001-01-01",
        "upgrade",
        "patch",
        "all ^1.8",
        "all,v1",
        "^1.8",
        "~1.8",
        "<v2",
        ">=v1",
        "=v1",
    ] {
        let text = format!("modferry-wants: 1\nwants:\n  - want: \"a.b/c@{more}\"\n");
        assert_eq!(parse(&text).unwrap().wants[0].want.query(), more);
        let error = sign(path, text.as_bytes(), &key(1)).unwrap_err();
        assert!(matches!(error, WantsError::NotOfOne { .. }), "{error}");
        assert!(error.to_string().contains(more), "{error}");
        assert!(error.advice().unwrap().contains("typed by hand"));
    }
    assert!(is_revision(&"x".repeat(MAX_QUERY)) && !is_revision(&"x".repeat(MAX_QUERY + 1)));
    let text = "modferry-wants: 1\nwants:\n  - want: a.b/c...d@latest\n";
    let error = sign(path, text.as_bytes(), &key(1)).unwrap_err();
    assert!(matches!(error, WantsError::NotOfOne { .. }), "{error}");
    for one in [
        "latest",
        "v1",
        "v1.2",
        "v1.2.3",
        "v2.0.0+incompatible",
        "main",
        "all-in",
        "newest-3",
        "release=1",
        "daa7c04131f5",
    ] {
        let text = format!("modferry-wants: 1\nwants:\n  - want: a.b/c@{one}\n");
        assert!(sign(path, text.as_bytes(), &key(1)).is_ok(), "{one}");
    }
}

#[test]
fn aliases_do_not_multiply() {
    // Each line is ten times the one before: read one by one, that would never end.
    let mut text = "modferry-wants: 1\nx0: &x0 [a.b/c]\n".to_owned();
    for n in 1..30 {
        let before = format!("*x{}", n - 1);
        text += &format!("x{n}: &x{n} [{}]\n", [&before[..]; 10].join(", "));
    }
    assert!(parse(&text).is_err());
    text += "wants:\n- want: a.b/c/d@v1\n  or: *x29\n";
    assert!(parse(&text).is_err());
}

proptest! {
    #[test]
    fn whatever_stands_in_an_entry_is_read_again(
        query in "[ -~]{1,40}", note in "\\PC{0,60}", site in "\\PC{0,60}", asked: u64, seconds in 0..4_000_000_000_u64,
    ) {
        let Ok(want) = Want::new("a.b/c".parse().unwrap(), &query) else {
            return Ok(());
        };
        let mut entry = Entry::new(want);
        (entry.note, entry.asked) = (Some(note), Some(asked));
        (entry.first, entry.last) = (Time::from_seconds(seconds), Time::from_seconds(seconds));
        let wants = Wants { site: Some(site), written: entry.last, wants: vec![entry] };
        let mut again = parse(&wants.encode()).unwrap();
        prop_assert!(again.wants[0].place.is_some());
        again.wants[0].place = None;
        prop_assert_eq!(again, wants);
    }

    #[test]
    fn no_text_panics(at in 0..WHOLE.len(), cut in 0..20_usize, put in "[-\\[\\]{}:,&*!|>'\"#@%`a-z \\n\u{2014}]{0,12}") {
        let end = (at + cut).min(WHOLE.len());
        let text = format!("{}{put}{}", &WHOLE[..at], &WHOLE[end..]);
        let path = Path::new("w.yaml");
        if let Ok(opened) = open(path, text.as_bytes(), &[]) {
            prop_assert!(parse(&opened.wants.encode()).is_ok());
        }
        let _ = sign(path, text.as_bytes(), &key(1));
    }
}
