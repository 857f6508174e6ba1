//! Which file names a module zip may have: x/mod/module's CheckFilePath, and which names collide.
//!
//! Names are checked for every system at once: what is valid on Linux but not on Windows or macOS is refused everywhere,
//! so that a module extracts to the same files wherever it is used.

use std::cmp::Ordering;

use super::unicode::{FOLDS, LETTERS};

/// Why a text is no valid file path (slash-separated, relative).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FilePathError {
    /// Not UTF-8.
    #[error("name is not UTF-8")]
    NotUtf8,
    /// Empty, or with an empty element: a slash at its start or end, or two in a row.
    #[error("name has an empty path element")]
    EmptyElement,
    /// An element of dots only: `.`, `..`, `...`.
    #[error("name has the path element {0:?}")]
    Dots(String),
    /// An element that ends with a dot.
    #[error("name has a path element with a dot at its end")]
    TrailingDot,
    /// A character that is neither a letter nor an ASCII digit nor among the allowed punctuation.
    #[error("name has the character {0:?}")]
    Char(char),
    /// An element that is, up to its first dot, reserved on Windows: `CON`, `aux.go`, `LPT1`.
    #[error("name has the path element {0:?}, which is reserved on Windows")]
    WindowsReserved(String),
}

/// Checks a path within a module, as x/mod/module's CheckFilePath does.
pub fn check_file_path(path: &str) -> Result<(), FilePathError> {
    path.split('/').try_for_each(check_element)
}

fn check_element(element: &str) -> Result<(), FilePathError> {
    if element.is_empty() {
        return Err(FilePathError::EmptyElement);
    }
    if element.bytes().all(|b| b == b'.') {
        return Err(FilePathError::Dots(element.into()));
    }
    if element.ends_with('.') {
        return Err(FilePathError::TrailingDot);
    }
    if let Some(bad) = element.chars().find(|&c| !is_allowed(c)) {
        return Err(FilePathError::Char(bad));
    }
    let short = element.split('.').next().unwrap_or(element);
    if is_windows_reserved(short) {
        return Err(FilePathError::WindowsReserved(short.into()));
    }
    Ok(())
}

fn is_allowed(c: char) -> bool {
    match c {
        '0'..='9' | 'A'..='Z' | 'a'..='z' => true,
        '\0'..='\x7f' => "!#$%&()+,-.=@[]^_{}~ ".contains(c),
        _ => is_letter(c),
    }
}

fn is_letter(c: char) -> bool {
    let c = u32::from(c);
    let after = LETTERS.partition_point(|&(first, _)| first <= c);
    after > 0 && c <= LETTERS[after - 1].1
}

/// CON, PRN, AUX, NUL, COM1 to COM9, LPT1 to LPT9, in any case.
fn is_windows_reserved(name: &str) -> bool {
    let mut upper = [0; 4];
    let Some(upper) = upper.get_mut(..name.len()) else {
        return false;
    };
    upper.copy_from_slice(name.as_bytes());
    upper.make_ascii_uppercase();
    match &*upper {
        b"CON" | b"PRN" | b"AUX" | b"NUL" => true,
        [b'C', b'O', b'M', digit] | [b'L', b'P', b'T', digit] => (b'1'..=b'9').contains(digit),
        _ => false,
    }
}

/// How two paths of one zip collide.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Collision {
    /// They, or directories that they are in, differ in case only.
    Case,
    /// Two files.
    Duplicate,
    /// A file and a directory of the same name.
    FileAndDirectory,
}

/// Whether two valid paths, each with whether it is a directory, collide. For paths sorted by [`cmp_folded`], it is
/// enough to compare neighbours: what has a directory in common, in any case, stands together, just behind that directory.
pub(super) fn collide(a: (&str, bool), b: (&str, bool)) -> Option<Collision> {
    let (mut left, mut right) = (a.0.split('/'), b.0.split('/'));
    loop {
        let (a_is_directory, b_is_directory) = match (left.next(), right.next()) {
            (Some(x), Some(y)) if x == y => continue,
            (Some(x), Some(y)) => {
                return (cmp_folded(x, y) == Ordering::Equal).then_some(Collision::Case);
            }
            // One that goes on makes a directory of the other.
            (None, None) => (a.1, b.1),
            (None, Some(_)) => (a.1, true),
            (Some(_), None) => (true, b.1),
        };
        return match (a_is_directory, b_is_directory) {
            (true, true) => None,
            (false, false) => Some(Collision::Duplicate),
            _ => Some(Collision::FileAndDirectory),
        };
    }
}

/// Orders paths by their case-folded characters, slashes first. Equal means equal under Unicode simple folding
/// (Go's strings.EqualFold), which is what x/mod/zip calls a collision.
pub(super) fn cmp_folded(mut a: &str, mut b: &str) -> Ordering {
    fn rank(c: char) -> u32 {
        if c == '/' { 0 } else { fold(c) }
    }
    loop {
        let mut same = common_prefix(a.as_bytes(), b.as_bytes());
        while !a.is_char_boundary(same) {
            same -= 1;
        }
        let (mut left, mut right) = (a[same..].chars(), b[same..].chars());
        match (left.next(), right.next()) {
            (None, None) => return Ordering::Equal,
            (None, Some(_)) => return Ordering::Less,
            (Some(_), None) => return Ordering::Greater,
            (Some(x), Some(y)) => match rank(x).cmp(&rank(y)) {
                Ordering::Equal => (a, b) = (left.as_str(), right.as_str()),
                unequal => return unequal,
            },
        }
    }
}

/// How many bytes are the same at the start of both; by words, since a zip's neighbouring names share most of theirs.
fn common_prefix(a: &[u8], b: &[u8]) -> usize {
    let words = a.chunks_exact(8).zip(b.chunks_exact(8));
    let start = 8 * words.take_while(|(x, y)| x == y).count();
    let rest = a[start..].iter().zip(&b[start..]);
    start + rest.take_while(|(x, y)| x == y).count()
}

/// The least character of `c`'s case-folding orbit, ASCII letters in lower case (x/mod/zip's strToFold).
pub(super) fn fold(c: char) -> u32 {
    let c = u32::from(c.to_ascii_lowercase());
    if c < 0x80 {
        return c;
    }
    let after = FOLDS.partition_point(|&(first, ..)| first <= c);
    match after.checked_sub(1).map(|i| FOLDS[i]) {
        Some((first, last, stride, delta)) if c <= last && (c - first) % stride == 0 => {
            c.wrapping_add_signed(delta)
        }
        _ => c,
    }
}
