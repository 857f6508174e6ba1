//! The header of a Go source file: what it imports, and how far into the file that stands.
//!
//! The go command decides which modules a build needs by the headers alone, and reads them with a tiny scanner of its
//! own (cmd/go/internal/imports/read.go) that knows comments, strings and the words `package` and `import`. This is the
//! same scanner over bytes that come in pieces: a header is read from as much of a file as it takes, no further.
//!
//! What is wrong behind some imports does not undo those: the go command, depending on where the file lies, counts them
//! or not, and what is carried must suffice for both.

use crate::select::lexer::unquote;

/// What stands at the beginning of a Go file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Header {
    /// Import paths in the order of the file, with repetitions; `C` among them for cgo.
    pub imports: Vec<String>,
    /// Where the header ends, in bytes: build constraints stand before that.
    pub len: usize,
}

/// Why a header cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a zero byte in a Go source file")]
pub struct ZeroByte;

impl Header {
    /// The header of the file that begins with these bytes; `None` where it may go on behind them. `whole`: there are
    /// no others.
    pub fn read(bytes: &[u8], whole: bool) -> Result<Option<Header>, ZeroByte> {
        let skipped = match bytes.strip_prefix(b"\xef\xbb\xbf") {
            Some(_) => 3,
            None => 0,
        };
        let mut scanner = Scanner {
            bytes,
            at: skipped,
            whole,
        };
        let mut imports = Vec::new();
        match scanner.header(&mut imports) {
            Ok(()) => {}
            Err(Stop::More) => return Ok(None),
            Err(Stop::Zero) => return Err(ZeroByte),
            // The rest is not looked at: what the imports before it say holds.
            Err(Stop::Syntax) => {}
        }
        Ok(Some(Header {
            imports,
            len: scanner.at,
        }))
    }
}

enum Stop {
    /// It may go on behind the bytes that are there.
    More,
    Syntax,
    Zero,
}

struct Scanner<'b> {
    bytes: &'b [u8],
    at: usize,
    whole: bool,
}

impl Scanner<'_> {
    fn header(&mut self, imports: &mut Vec<String>) -> Result<(), Stop> {
        self.word(b"package")?;
        self.identifier()?;
        while self.next_token()? == Some(b'i') {
            self.word(b"import")?;
            if self.next_token()? == Some(b'(') {
                self.at += 1;
                while self.next_token()? != Some(b')') {
                    self.import(imports)?;
                }
                self.at += 1;
            } else {
                self.import(imports)?;
            }
        }
        Ok(())
    }

    /// An optional name and a quoted path.
    fn import(&mut self, imports: &mut Vec<String>) -> Result<(), Stop> {
        match self.next_token()? {
            Some(b'.') => self.at += 1,
            Some(byte) if is_identifier(byte) => self.identifier()?,
            _ => {}
        }
        if let Some(path) = self.string()? {
            imports.push(path);
        }
        Ok(())
    }

    /// The byte here; `None` at the file's end.
    fn peek(&self) -> Result<Option<u8>, Stop> {
        match self.bytes.get(self.at) {
            Some(0) => Err(Stop::Zero),
            Some(byte) => Ok(Some(*byte)),
            None if self.whole => Ok(None),
            None => Err(Stop::More),
        }
    }

    fn take(&mut self) -> Result<Option<u8>, Stop> {
        let byte = self.peek()?;
        self.at += usize::from(byte.is_some());
        Ok(byte)
    }

    /// Goes on to what is neither space nor comment; semicolons are taken for spaces, they change nothing here.
    fn next_token(&mut self) -> Result<Option<u8>, Stop> {
        loop {
            match self.peek()? {
                Some(b' ' | b'\x0c' | b'\t' | b'\r' | b'\n' | b';') => self.at += 1,
                Some(b'/') => {
                    self.at += 1;
                    match self.take()? {
                        Some(b'/') => while !matches!(self.take()?, None | Some(b'\n')) {},
                        Some(b'*') => self.comment()?,
                        _ => return Err(Stop::Syntax),
                    }
                }
                other => return Ok(other),
            }
        }
    }

    fn comment(&mut self) -> Result<(), Stop> {
        let mut last = 0;
        loop {
            match self.take()? {
                None => return Err(Stop::Syntax),
                Some(b'/') if last == b'*' => return Ok(()),
                Some(byte) => last = byte,
            }
        }
    }

    fn word(&mut self, word: &[u8]) -> Result<(), Stop> {
        self.next_token()?;
        for expected in word {
            if self.take()? != Some(*expected) {
                return Err(Stop::Syntax);
            }
        }
        match self.peek()? {
            Some(byte) if is_identifier(byte) => Err(Stop::Syntax),
            _ => Ok(()),
        }
    }

    fn identifier(&mut self) -> Result<(), Stop> {
        if !self.next_token()?.is_some_and(is_identifier) {
            return Err(Stop::Syntax);
        }
        while self.peek()?.is_some_and(is_identifier) {
            self.at += 1;
        }
        Ok(())
    }

    /// The value of a string literal; `None` of one that is none in Go, which the go command passes over too.
    fn string(&mut self) -> Result<Option<String>, Stop> {
        let quote = self.next_token()?;
        self.at += 1;
        let begin = self.at;
        match quote {
            Some(b'`') => {
                loop {
                    match self.take()? {
                        Some(b'`') => break,
                        Some(_) => {}
                        None => return Err(Stop::Syntax),
                    }
                }
                let inside = std::str::from_utf8(&self.bytes[begin..self.at - 1]);
                Ok(inside.ok().map(|text| text.replace('\r', "")))
            }
            Some(b'"') => {
                loop {
                    match self.take()? {
                        Some(b'"') => break,
                        Some(b'\\') => {
                            self.take()?;
                        }
                        Some(b'\n') | None => return Err(Stop::Syntax),
                        Some(_) => {}
                    }
                }
                let inside = std::str::from_utf8(&self.bytes[begin..self.at - 1]);
                Ok(inside.ok().and_then(unquote))
            }
            _ => {
                self.at -= 1;
                Err(Stop::Syntax)
            }
        }
    }
}

fn is_identifier(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn imports(text: &str) -> String {
        let header = Header::read(text.as_bytes(), true).unwrap().unwrap();
        header.imports.join(" ")
    }

    #[test]
    fn imports_are_read_as_the_go_command_reads_them() {
        for (text, paths) in [
            ("package p", ""),
            (
                "\u{feff}package p;import \"a\";import(\"b\";c \"d\")",
                "a b d",
            ),
            (
                "// x\n/* y */package/**/p\nimport . \"a\"\nimport _ `b`\n",
                "a b",
            ),
            (
                "package p\nimport (\n\t// c\n\t\"a/b\" // d\n\tx /* e */ \"c\"\n)\nvar v = \"d\"\n",
                "a/b c",
            ),
            ("package p\nimport \"C\"\nfunc f() {}\nimport \"z\"\n", "C"),
            ("package p\nimport ()\nimport \"a\"\n", "a"),
            ("package π\nimport é \"a\"\n", "a"),
            // Escapes count; what they make that is no text does not.
            (
                "package p\nimport \"a\\u002fb\"\nimport \"\\xff\"\nimport \"c\"",
                "a/b c",
            ),
            ("package p\nimport `a\r`\n", "a"),
            // What is wrong behind imports does not undo them.
            ("package p\nimport \"a\"\nimport b\n", "a"),
            ("package p\nimport (\"a\"\n\"b\n\")", "a"),
            ("package p\nimport \"a\"\nimport (\"b\"", "a b"),
            ("package p\nimport \"a\" /* open", "a"),
            ("package p\nimport \"a\"\nimportant()", "a"),
            ("package p / import \"a\"", ""),
            ("packages p\nimport \"a\"", ""),
            ("", ""),
        ] {
            assert_eq!(imports(text), paths, "{text}");
        }
    }

    #[test]
    fn a_header_is_read_from_no_more_than_it_takes() {
        let header = "// c\npackage p\n\nimport (\n\t\"a\"\n\t`b`\n)\n\n";
        let text = format!("{header}func f() {{}}\n\0");
        let bytes = text.as_bytes();
        for len in 0..=header.len() {
            assert_eq!(Header::read(&bytes[..len], false), Ok(None), "{len}");
        }
        let read = Header::read(&bytes[..=header.len()], false)
            .unwrap()
            .unwrap();
        assert_eq!((read.len, read.imports.len()), (header.len(), 2));
        assert_eq!(Header::read(bytes, true).unwrap().unwrap(), read);
    }

    #[test]
    fn a_zero_byte_in_it_is_an_error() {
        assert_eq!(
            Header::read(b"package p\n\0import \"a\"", true),
            Err(ZeroByte)
        );
    }
}
