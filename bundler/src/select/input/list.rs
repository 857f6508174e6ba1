//! A list: a `module@version` a line, or a `module@query`. What stands behind a `#` at a line's beginning, or behind a space, is a comment.
//!
//! It is what `go list -m -f '{{.Path}}@{{.Version}}' all` prints, or what somebody typed. The go command prints the main
//! modules too, which have no version, as `path@`: those lines are counted, for whoever forgot a version, and name nothing.

use super::{Misplaced, lines};
use crate::select::sought::Sought;

/// The largest list that is read, in bytes.
pub const MAX_LIST: u64 = 16 << 20;

const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// What a list says.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct List {
    /// What the lines name, each with its line, from 1.
    pub names: Vec<(usize, Sought)>,
    /// The lines with nothing behind the `@`, from 1.
    pub main_modules: Vec<usize>,
}

/// Reads a list.
pub fn parse(text: &[u8]) -> Result<List, Misplaced> {
    let mut list = List::default();
    // Some editors begin a text with this mark.
    let text = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text);
    for line in lines(text) {
        let (line, text) = line?;
        let said = uncommented(text).trim_end();
        let name = said.trim_start();
        if name.is_empty() {
            continue;
        }
        if is_main_module(name) {
            list.main_modules.push(line);
            continue;
        }
        let column = said[..said.len() - name.len()].chars().count() + 1;
        let named = name.parse().map_err(|error| Misplaced {
            line,
            column,
            what: format!("{error}"),
        })?;
        list.names.push((line, named));
    }
    Ok(list)
}

/// Whether this is how the go command prints a module without a version.
fn is_main_module(name: &str) -> bool {
    let path = name.strip_suffix('@');
    path.is_some_and(|path| {
        !path.is_empty() && !path.contains(|c: char| c == '@' || c.is_whitespace())
    })
}

/// The line without its comment.
fn uncommented(line: &str) -> &str {
    let begins = |(at, _): &(usize, &str)| {
        line[..*at]
            .chars()
            .next_back()
            .is_none_or(char::is_whitespace)
    };
    match line.match_indices('#').find(begins) {
        Some((at, _)) => &line[..at],
        None => line,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn lines_name_modules() {
        let text = "# what the site needs\n\na.b/c@v1.0.0\r\n  a.b/d@v1.2.0-rc.1  # for Dan\n#a.b/e@v1.0.0\na.b/f@v1.0.0";
        let names: Vec<(usize, String)> = parse(text.as_bytes())
            .unwrap()
            .names
            .into_iter()
            .map(|(line, named)| (line, named.to_string()))
            .collect();
        let expected = [
            (3, "a.b/c@v1.0.0"),
            (4, "a.b/d@v1.2.0-rc.1"),
            (6, "a.b/f@v1.0.0"),
        ];
        assert_eq!(names, expected.map(|(line, name)| (line, name.to_owned())));
        assert_eq!(parse(b"\n# nothing\n").unwrap(), List::default());
        assert_eq!(
            parse("\u{feff}a.b/c@v1.0.0\n".as_bytes()).unwrap().names,
            parse(b"a.b/c@v1.0.0").unwrap().names
        );
        // A `#` inside a word is no comment.
        assert_eq!(
            parse(b"a.b/c@v1#x").unwrap().names[0].1.to_string(),
            "a.b/c@v1#x"
        );
    }

    #[test]
    fn main_modules_are_passed_over() {
        let list = parse(b"shop@\na.b/lib@ # mine\r\na.b/c@v1.0.0\n").unwrap();
        assert_eq!(list.main_modules, [1, 2]);
        assert_eq!(list.names.len(), 1);
        for text in ["@", "a.b/c v1@"] {
            assert!(parse(text.as_bytes()).is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_wrong_has_its_place() {
        for (text, told) in [
            (
                &b"a.b/c@v1.0.0\n  a.b/d v1.0.0 # x\n"[..],
                "2:3: a.b/d v1.0.0: no version",
            ),
            (b"\n\nx\n", "3:1: x: no version"),
            (b"a.b/c@v1.0.0\n\xc3\xa4\xff", "2:2: not UTF-8 text"),
        ] {
            let error = parse(text).unwrap_err().to_string();
            assert!(error.starts_with(told), "{error}");
        }
    }
}
