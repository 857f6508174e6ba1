//! Writing a wants file's text.

use std::borrow::Cow;
use std::fmt::Write as _;

use super::{Entry, WANTS_FORMAT, Wants};

/// What the file says to whoever opens it.
const HEADER: &str = "\
# What was asked for behind the gap and is not there. It is meant to be read before it leaves: strike what must not
# leave or is not to come in (an entry begins with \"- want:\"), and change nothing else, or say more:
#   follow: none, build, test or all    how far its requirements are followed
#   note: why
#   private: true    no public host is to hear of this name, or of those in its \"or\"
# The signature below then fits no more: sign it again (modferry-appliance wants --sign FILE), or remove its lines;
# the file counts then as typed by hand. \"or\" has the other modules that one import may be in.
";

impl Wants {
    /// The text that is signed.
    pub fn encode(&self) -> String {
        let mut text = format!("{HEADER}modferry-wants: {WANTS_FORMAT}\n");
        // Writing to a String cannot fail.
        if let Some(site) = &self.site {
            let _ = writeln!(text, "site: {}", scalar(site));
        }
        if let Some(written) = self.written {
            let _ = writeln!(text, "written: {written}");
        }
        if self.wants.is_empty() {
            text += "wants: [] # nothing\n";
            return text;
        }
        text += "wants:\n";
        for entry in &self.wants {
            text += &entry.encode();
        }
        text
    }
}

impl Entry {
    /// The entry's lines, as they stand in the file.
    pub fn encode(&self) -> String {
        let mut text = format!("  - want: {}\n", scalar(&self.want.to_string()));
        let mut line = |key, value: Option<String>| {
            if let Some(value) = value {
                let _ = writeln!(text, "    {key}: {value}");
            }
        };
        let or = self.or.iter().map(|path| scalar(path.as_str()));
        let or = or.collect::<Vec<_>>().join(", ");
        line("or", (!or.is_empty()).then(|| format!("[{or}]")));
        line("private", self.private.then(|| "true".into()));
        line("asked", self.asked.map(|asked| asked.to_string()));
        line("first", self.first.map(|time| time.to_string()));
        line("last", self.last.map(|time| time.to_string()));
        line("follow", self.follow.map(|follow| follow.name().into()));
        line("note", self.note.as_deref().map(|note| scalar(note).into()));
        text
    }
}

/// A text that YAML reads as that text: as it is where nothing in it could mean anything else, and else quoted.
fn scalar(text: &str) -> Cow<'_, str> {
    let plain = text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.contains(['.', '/'])
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"./@_~+-".contains(&b));
    if plain {
        return text.into();
    }
    // Whatever is no letter, digit or ASCII is written by its number: YAML has its own idea of what may stand there.
    let quoted: String = text.chars().fold(String::from('"'), |mut quoted, c| {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c.is_ascii_graphic() || c == ' ' || c.is_alphanumeric() => quoted.push(c),
            c if c <= '\u{ffff}' => {
                let _ = write!(quoted, "\\u{:04x}", u32::from(c));
            }
            c => {
                let _ = write!(quoted, "\\U{:08x}", u32::from(c));
            }
        }
        quoted
    });
    (quoted + "\"").into()
}
