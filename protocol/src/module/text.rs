//! Untrusted text in messages: quoted, on one line, without control characters, and of bounded length.
//!
//! Messages of this crate end in HTTP bodies that `go` prints to a terminal, and in logs. A name that was
//! refused is shown, but it cannot move the cursor, forge a second line, or fill the screen.

use std::fmt;

/// The most characters of a refused text that a message shows.
pub(crate) const MAX_SHOWN: usize = 200;

/// Displays a text in double quotes, escaped as Rust escapes a string, cut after [`MAX_SHOWN`] characters.
pub(crate) struct Quoted<'a>(pub(crate) &'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.char_indices().nth(MAX_SHOWN) {
            None => write!(f, "{:?}", self.0),
            Some((end, _)) => write!(f, "{:?}… ({} bytes)", &self.0[..end], self.0.len()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_without_control_characters() {
        let shown = Quoted("a\r\n\0\u{1b}[31m\u{7f}\u{85}\u{2028}\u{202e}b").to_string();
        assert!(!shown.chars().any(|c| c.is_control() || c == '\u{2028}'));
        assert!(shown.starts_with("\"a\\r\\n\\0\\u{1b}[31m"), "{shown}");
    }

    #[test]
    fn cut_after_the_limit() {
        let exact = "é".repeat(MAX_SHOWN);
        assert_eq!(Quoted(&exact).to_string(), format!("\"{exact}\""));
        assert_eq!(
            Quoted(&format!("{exact}é")).to_string(),
            format!("\"{exact}\"… (402 bytes)")
        );
    }
}
