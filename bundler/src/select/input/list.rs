//! A list: a `module@version` a line, or a `module@query`. What stands behind a `#` at a line's beginning, or behind a space, is a comment.
//!
//! It is what `go list -m -f '{{.Path}}@{{.Version}}' all` prints, or what somebody typed.

use super::Misplaced;
use crate::select::sought::Sought;

/// The largest list that is read, in bytes.
pub const MAX_LIST: u64 = 16 << 20;

/// What the lines name, each with its line, from 1.
pub fn parse(text: &[u8]) -> Result<Vec<(usize, Sought)>, Misplaced> {
    let mut names = Vec::new();
    for (index, line) in text.split(|byte| *byte == b'\n').enumerate() {
        let misplaced = |column: usize, what: String| Misplaced {
            line: index + 1,
            column,
            what,
        };
        let line = std::str::from_utf8(line).map_err(|error| {
            let before = String::from_utf8_lossy(&line[..error.valid_up_to()]);
            misplaced(before.chars().count() + 1, "not UTF-8 text".into())
        })?;
        let said = uncommented(line).trim_end();
        let name = said.trim_start();
        if name.is_empty() {
            continue;
        }
        let column = said[..said.len() - name.len()].chars().count() + 1;
        let named = name
            .parse()
            .map_err(|error| misplaced(column, format!("{error}")))?;
        names.push((index + 1, named));
    }
    Ok(names)
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
            .into_iter()
            .map(|(line, named)| (line, named.to_string()))
            .collect();
        let expected = [
            (3, "a.b/c@v1.0.0"),
            (4, "a.b/d@v1.2.0-rc.1"),
            (6, "a.b/f@v1.0.0"),
        ];
        assert_eq!(names, expected.map(|(line, name)| (line, name.to_owned())));
        assert_eq!(parse(b"\n# nothing\n").unwrap(), []);
        // A `#` inside a word is no comment.
        assert_eq!(parse(b"a.b/c@v1#x").unwrap()[0].1.to_string(), "a.b/c@v1#x");
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
