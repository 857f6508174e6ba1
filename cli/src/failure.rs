//! Exit codes, and how a failure is told: what happened, to what, and what to do next.
//!
//! An error type of a library says what happened (`Display`), why (`source`) and, through [`Failure`], which
//! exit code that is and what the reader can do about it. A command's `main` hands it to [`report`] and
//! exits with what that returns. The text is for one line of a terminal or a journal, so control characters
//! in it (names from a bundle, an upstream's answers) are shown escaped: no error text can move a cursor,
//! colour a screen or forge a second log line.

use std::error::Error;
use std::fmt::Write as _;
use std::io::{self, Write};
use std::process::ExitCode;

use serde::Serialize;

/// What a command's exit code means. The numbers are part of the commands' interface.
#[repr(u8)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Exit {
    /// Done, or there was nothing to do, and that was said.
    Done = 0,
    /// Anything that has no number of its own.
    Other = 1,
    /// Usage or configuration (clap's own exit code, too).
    Usage = 2,
    /// No trusted signature.
    Untrusted = 3,
    /// A bundle is damaged; the volume and the entry are named.
    Damaged = 4,
    /// Something that is needed is missing; it is named, with the command that supplies it.
    Missing = 5,
    /// A checksum database contradicts a module, or itself.
    Sumdb = 6,
    /// Not enough room; how much is needed is said before anything is written.
    NoRoom = 7,
    /// The store is in use; the holder is named.
    InUse = 8,
    /// The upstream failed.
    Upstream = 9,
}

impl Exit {
    /// The number the process exits with.
    pub fn code(self) -> u8 {
        self as u8
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit.code())
    }
}

/// An error that knows its exit code and what its reader can do about it.
pub trait Failure: Error {
    /// The class of failure, for the process's exit code.
    fn exit(&self) -> Exit;

    /// What to do next, in one or more lines; `None` where there is nothing useful to say.
    fn advice(&self) -> Option<String> {
        None
    }

    /// Things the message counts and that deserve a line each: what is missing, what could not be fetched.
    fn details(&self) -> Vec<String> {
        Vec::new()
    }
}

/// A failure without a type of its own: for what a command's `main` finds out by itself.
#[derive(Debug)]
pub struct Fault {
    exit: Exit,
    message: String,
    advice: Option<String>,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl Fault {
    /// A failure of the class `exit`, which `message` describes.
    pub fn new(exit: Exit, message: impl Into<String>) -> Fault {
        Fault {
            exit,
            message: message.into(),
            advice: None,
            source: None,
        }
    }

    /// The same, saying what to do next.
    #[must_use]
    pub fn advise(mut self, advice: impl Into<String>) -> Fault {
        self.advice = Some(advice.into());
        self
    }

    /// The same, with the error that led to it.
    #[must_use]
    pub fn because(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Fault {
        self.source = Some(source.into());
        self
    }
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for Fault {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|e| e as _)
    }
}

impl Failure for Fault {
    fn exit(&self) -> Exit {
        self.exit
    }
    fn advice(&self) -> Option<String> {
        self.advice.clone()
    }
}

/// Tells the failure on stderr, for people or (`json`) for machines, and gives the code to exit with.
///
/// A stderr that cannot be written to changes nothing: the exit code still tells.
pub fn report(program: &str, json: bool, error: &dyn Failure) -> ExitCode {
    let text = if json {
        as_json(error)
    } else {
        as_text(program, error)
    };
    let _ = io::stderr().lock().write_all(text.as_bytes());
    error.exit().into()
}

/// Writes a command's result to stdout, as one JSON object on a line of its own.
pub fn print_json<T: Serialize + ?Sized>(value: &T) -> io::Result<()> {
    let mut line = serde_json::to_vec(value)?;
    line.push(b'\n');
    let mut out = io::stdout().lock();
    out.write_all(&line)?;
    out.flush()
}

/// The messages from the error down to its root, less those that the message before already ends with:
/// some foreign errors repeat their source.
pub fn causes(error: &dyn Error) -> Vec<String> {
    let mut messages = vec![error.to_string()];
    let mut source = error.source();
    while let Some(cause) = source {
        let text = cause.to_string();
        if !text.is_empty()
            && !messages
                .last()
                .is_some_and(|before| before.ends_with(&text))
        {
            messages.push(text);
        }
        source = cause.source();
    }
    messages
}

/// An error and what led to it, in one line.
pub fn in_one_line(error: &dyn Error) -> String {
    causes(error).join(": ")
}

fn as_text(program: &str, error: &dyn Failure) -> String {
    let mut out = format!("{program}: {}\n", printable(&in_one_line(error)));
    for detail in error.details() {
        let _ = writeln!(out, "  - {}", printable(&detail));
    }
    for (i, line) in error.advice().unwrap_or_default().lines().enumerate() {
        let lead = if i == 0 { "  to do: " } else { "         " };
        let _ = writeln!(out, "{lead}{}", printable(line));
    }
    out
}

#[derive(Serialize)]
struct Told {
    error: ToldError,
}

#[derive(Serialize)]
struct ToldError {
    exit: u8,
    message: String,
    causes: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    details: Vec<String>,
    advice: Option<String>,
}

fn as_json(error: &dyn Failure) -> String {
    let mut causes = causes(error);
    let message = causes.remove(0);
    let told = ToldError {
        exit: error.exit().code(),
        message,
        causes,
        details: error.details(),
        advice: error.advice(),
    };
    // Strings and a number: this cannot fail; if it ever did, the text is better than silence.
    let mut line =
        serde_json::to_string(&Told { error: told }).unwrap_or_else(|_| as_text("error", error));
    line.push('\n');
    line
}

/// The text with control characters (and those that reorder text) as escapes.
pub fn printable(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        let reorders = matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        if c.is_control() || reorders {
            out.extend(c.escape_default());
        } else {
            out.push(c);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn deep() -> Fault {
        let root = Fault::new(Exit::Other, "permission denied");
        let middle = Fault::new(Exit::Other, "opening /x").because(root);
        Fault::new(Exit::Damaged, "cannot read the bundle").because(middle)
    }

    #[test]
    fn a_failure_is_one_line_of_causes_and_then_what_to_do() {
        let error = deep().advise("copy it again\nor export it again");
        assert_eq!(
            as_text("prog", &error),
            "prog: cannot read the bundle: opening /x: permission denied\n  \
             to do: copy it again\n         or export it again\n"
        );
    }

    #[test]
    fn a_source_that_a_message_repeats_is_told_once() {
        let error = Fault::new(Exit::Other, "a: b").because(Fault::new(Exit::Other, "b"));
        assert_eq!(as_text("prog", &error), "prog: a: b\n");
    }

    #[test]
    fn json_has_the_same_in_fields() {
        let told: serde_json::Value = serde_json::from_str(&as_json(&deep().advise("do"))).unwrap();
        assert_eq!(
            told,
            serde_json::json!({"error": {"exit": 4, "message": "cannot read the bundle",
                "causes": ["opening /x", "permission denied"], "advice": "do"}})
        );
        let told: serde_json::Value = serde_json::from_str(&as_json(&deep())).unwrap();
        assert_eq!(told["error"]["advice"], serde_json::Value::Null);
    }

    #[test]
    fn details_have_a_line_each() {
        #[derive(Debug, thiserror::Error)]
        #[error("2 things are missing")]
        struct Two;
        impl Failure for Two {
            fn exit(&self) -> Exit {
                Exit::Missing
            }
            fn details(&self) -> Vec<String> {
                vec!["mod a@v1.0.0".into(), "mod b@v1.0.0".into()]
            }
        }
        assert_eq!(
            as_text("p", &Two),
            "p: 2 things are missing\n  - mod a@v1.0.0\n  - mod b@v1.0.0\n"
        );
        assert!(as_json(&Two).contains(r#""details":["mod a@v1.0.0","mod b@v1.0.0"]"#));
    }

    #[test]
    fn no_text_can_drive_the_terminal() {
        let error = Fault::new(Exit::Other, "bad \x1b[2J\r\n\u{202e}name é");
        assert_eq!(
            as_text("p", &error),
            "p: bad \\u{1b}[2J\\r\\n\\u{202e}name é\n"
        );
    }

    #[test]
    fn the_numbers_are_the_interface() {
        let all = [
            Exit::Done,
            Exit::Other,
            Exit::Usage,
            Exit::Untrusted,
            Exit::Damaged,
            Exit::Missing,
            Exit::Sumdb,
            Exit::NoRoom,
            Exit::InUse,
            Exit::Upstream,
        ];
        assert_eq!(all.map(Exit::code), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    }
}
