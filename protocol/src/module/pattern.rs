//! Glob lists over module paths: the form of GOPRIVATE, GONOPROXY and GONOSUMDB.
//!
//! `*.corp.example,github.com/ours` matches a path when one of its globs matches as many leading elements of the
//! path as the glob itself has (module.MatchPrefixPatterns over path.Match). Empty and malformed globs match
//! nothing, as in the reference: `go` reads the same variable, and the two must agree about what is private.

/// Whether some prefix of `target` matches one of the comma-separated `globs`.
pub fn match_prefix_patterns(globs: &str, target: &str) -> bool {
    globs
        .split(',')
        .map(|glob| glob.strip_suffix('/').unwrap_or(glob))
        .filter(|glob| !glob.is_empty())
        .any(|glob| {
            leading_elements(target, glob.matches('/').count() + 1)
                .is_some_and(|prefix| match_path(glob, prefix))
        })
}

/// The same, or `target` has fewer elements than one of the globs and matches the glob's first ones: while the go command looks for the module of
/// `git.corp.example/team/x`, it asks for `git.corp.example/team` and `git.corp.example`, too, and with the globs
/// `git.corp.example/team/*` these names are as secret as what is below them.
pub fn match_prefix_patterns_or_above(globs: &str, target: &str) -> bool {
    let elements = target.matches('/').count() + 1;
    let is_above = |glob: &str| {
        let glob = glob.strip_suffix('/').unwrap_or(glob);
        glob.matches('/').count() + 1 > elements
            && is_well_formed(glob)
            && leading_elements(glob, elements).is_some_and(|begin| match_path(begin, target))
    };
    match_prefix_patterns(globs, target) || globs.split(',').any(is_above)
}

/// Whether `glob` can match anything at all: [`match_prefix_patterns`] passes over one that is malformed.
pub fn is_well_formed(glob: &str) -> bool {
    !glob.is_empty() && parse(glob).is_some()
}

/// The first `n` elements of a path, or `None` if it has fewer.
fn leading_elements(path: &str, n: usize) -> Option<&str> {
    match path.match_indices('/').nth(n - 1) {
        Some((end, _)) => Some(&path[..end]),
        None => (path.matches('/').count() + 1 == n).then_some(path),
    }
}

/// What one character of a name may be.
enum One {
    Literal(char),
    /// Any but a slash.
    Any,
    /// In one of the ranges, or in none of them. Unlike `*` and `?` this may match a slash.
    Class {
        negated: bool,
        ranges: Vec<(char, char)>,
    },
}

impl One {
    fn matches(&self, c: char) -> bool {
        match self {
            One::Literal(literal) => *literal == c,
            One::Any => c != '/',
            One::Class { negated, ranges } => {
                ranges.iter().any(|(low, high)| (*low..=*high).contains(&c)) != *negated
            }
        }
    }
}

/// A run of single-character operators, and whether a `*` stands before it.
struct Chunk {
    star: bool,
    ones: Vec<One>,
}

/// Whether the whole of `name` matches `glob` (path.Match). A malformed glob matches nothing.
///
/// Each chunk is taken at the first place where it fits, and a `*` never grows again once the next has begun: linear
/// in the number of stars, where trying everything would be exponential.
pub fn match_path(glob: &str, name: &str) -> bool {
    let Some(chunks) = parse(glob) else {
        return false;
    };
    let mut rest = name;
    for (i, chunk) in chunks.iter().enumerate() {
        let last = i + 1 == chunks.len();
        if last && chunk.star && chunk.ones.is_empty() {
            return !rest.contains('/');
        }
        let mut from = rest;
        let after = loop {
            match match_chunk(&chunk.ones, from) {
                Some(after) if !last || after.is_empty() => break Some(after),
                _ if !chunk.star => break None,
                _ => {}
            }
            let mut chars = from.chars();
            match chars.next() {
                None | Some('/') => break None,
                Some(_) => from = chars.as_str(),
            }
        };
        match after {
            Some(after) => rest = after,
            None => return false,
        }
    }
    rest.is_empty()
}

fn match_chunk<'n>(ones: &[One], name: &'n str) -> Option<&'n str> {
    let mut chars = name.chars();
    ones.iter()
        .all(|one| chars.next().is_some_and(|c| one.matches(c)))
        .then_some(chars.as_str())
}

/// The chunks of a glob; `None` when it is malformed anywhere.
fn parse(glob: &str) -> Option<Vec<Chunk>> {
    let mut chunks = Vec::new();
    let mut chunk = Chunk {
        star: false,
        ones: Vec::new(),
    };
    let mut chars = glob.chars();
    while let Some(c) = chars.next() {
        let one = match c {
            '*' => {
                if !chunk.ones.is_empty() {
                    chunks.push(chunk);
                    chunk = Chunk {
                        star: false,
                        ones: Vec::new(),
                    };
                }
                chunk.star = true;
                continue;
            }
            '?' => One::Any,
            '[' => parse_class(&mut chars)?,
            '\\' => One::Literal(chars.next()?),
            c => One::Literal(c),
        };
        chunk.ones.push(one);
    }
    chunks.push(chunk);
    Some(chunks)
}

/// A character class from behind its `[` to behind its `]`.
fn parse_class(chars: &mut std::str::Chars<'_>) -> Option<One> {
    let rest = chars.as_str();
    let negated = rest.starts_with('^');
    if negated {
        chars.next();
    }
    let mut ranges = Vec::new();
    loop {
        let low = match chars.next()? {
            ']' if !ranges.is_empty() => return Some(One::Class { negated, ranges }),
            c => class_char(c, chars)?,
        };
        let high = if chars.as_str().starts_with('-') {
            chars.next();
            class_char(chars.next()?, chars)?
        } else {
            low
        };
        ranges.push((low, high));
    }
}

fn class_char(c: char, chars: &mut std::str::Chars<'_>) -> Option<char> {
    match c {
        '-' | ']' => None,
        '\\' => chars.next(),
        c => Some(c),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_of_as_many_elements() {
        let globs = "*.corp.example,,github.com/ours/,[bad,rsc.io/private";
        for private in [
            "git.corp.example",
            "git.corp.example/x/y",
            "github.com/ours/z",
            "rsc.io/private",
        ] {
            assert!(match_prefix_patterns(globs, private), "{private}");
        }
        for public in [
            "corp.example/x",
            "github.com/oursx/z",
            "github.com",
            "rsc.io/privatex",
            "",
        ] {
            assert!(!match_prefix_patterns(globs, public), "{public}");
        }
        assert!(!match_prefix_patterns("", "a.b"));
    }

    #[test]
    fn what_stands_above_a_match() {
        let globs = "git.corp.example/*,*.host.example/ours/team/,[bad/x,ok.example/[bad";
        for private in [
            "git.corp.example",
            "git.corp.example/x/y",
            "a.host.example",
            "a.host.example/ours",
            "a.host.example/ours/team/x",
        ] {
            assert!(match_prefix_patterns_or_above(globs, private), "{private}");
        }
        for public in [
            "corp.example",
            "host.example",
            "a.host.example/theirs",
            "a.host.example/ours/other",
            "b.a",
            "ok.example",
            "",
        ] {
            assert!(!match_prefix_patterns_or_above(globs, public), "{public}");
        }
        assert!(!match_prefix_patterns_or_above("", "a.b"));
    }

    #[test]
    fn globs() {
        for (glob, name) in [
            ("a*b*c", "a1b2b3c"),
            ("*", "abc"),
            ("a?c", "abc"),
            ("[a-c]x", "bx"),
            ("[^a-c]x", "dx"),
            ("\\*", "*"),
            ("a*/b", "axx/b"),
            ("", ""),
            ("**", ""),
            ("[[]", "["),
            ("[\\]]", "]"),
        ] {
            assert!(match_path(glob, name), "{glob} {name}");
        }
        for glob in ["[a", "a\\", "[]a]", ""] {
            assert!(!is_well_formed(glob), "{glob}");
        }
        assert!(is_well_formed("*.corp.example/[a-z]*"));
        for (glob, name) in [
            ("a*", "a/b"),
            ("?", "/"),
            ("[]a]", "a"),
            ("[-a]", "a"),
            ("[a-]", "a"),
            ("[a", "a"),
            ("a\\", "a"),
            ("[]", "]"),
            ("[^]", "a"),
            ("*b", "bc"),
            ("a", ""),
        ] {
            assert!(!match_path(glob, name), "{glob} {name}");
        }
    }

    #[test]
    fn many_stars_end() {
        let glob = "*a".repeat(64) + "b";
        assert!(!match_path(&glob, &"a".repeat(4096)));
    }
}
