//! go.work files, read as the go command reads them (golang.org/x/mod/modfile/work.go): everything must be understood.

use super::gomod::{self, GoModError, Replace};
use super::lexer::{self, Line};

/// What a go.work file says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GoWork {
    /// The `go` line's version.
    pub go: Option<String>,
    /// The `toolchain` line.
    pub toolchain: Option<String>,
    /// The folders of the modules that are in the workspace, as written, each with its line.
    pub uses: Vec<(usize, String)>,
    /// Replacements, which count before those of the modules.
    pub replace: Vec<Replace>,
}

impl GoWork {
    /// Reads a go.work file.
    pub fn parse(text: &[u8]) -> Result<GoWork, GoModError> {
        let mut file = GoWork::default();
        for line in lexer::lines(text)? {
            let at = line.number;
            file.add(line)
                .map_err(|what| GoModError { line: at, what })?;
        }
        Ok(file)
    }

    fn add(&mut self, line: Line) -> Result<(), String> {
        let verb = line.verb.as_str();
        if line.in_block && (line.odd_block || !["godebug", "use", "replace"].contains(&verb)) {
            return Err(format!("unknown block type: {verb}"));
        }
        let args: Vec<&str> = line.args.iter().map(String::as_str).collect();
        match (verb, args.as_slice()) {
            ("go", args) => gomod::go_line(&mut self.go, args, true)?,
            ("toolchain", args) => gomod::toolchain_line(&mut self.toolchain, args)?,
            ("use", [folder]) => self.uses.push((line.number, gomod::string(folder)?)),
            ("use", _) => return Err("usage: use local/dir".into()),
            ("replace", args) => self.replace.push(gomod::replacement(args)?),
            ("godebug", [_]) => {}
            ("godebug", _) => return Err("godebug directive expects exactly one argument".into()),
            _ => return Err(format!("unknown directive: {verb}")),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::select::gomod::Replacement;

    #[test]
    fn a_file_is_read() {
        let text = "// ours\ngo 1.24.1\n\ntoolchain go1.25.0\ngodebug default=go1.21\nuse ./app // the program\n\
                    use (\n\t./lib\n\t\"./with space\"\n)\nreplace (\n\ta.b/c => ../c\n\ta.b/d v1.0.0 => a.b/e v1.1.0\n)\n";
        let file = GoWork::parse(text.as_bytes()).unwrap();
        assert_eq!(file.go.as_deref(), Some("1.24.1"));
        assert_eq!(file.toolchain.as_deref(), Some("go1.25.0"));
        let uses: Vec<_> = file
            .uses
            .iter()
            .map(|(n, dir)| (*n, dir.as_str()))
            .collect();
        assert_eq!(uses, [(6, "./app"), (8, "./lib"), (9, "./with space")]);
        assert_eq!(file.replace[0].with, Replacement::Folder("../c".into()));
        assert_eq!(file.replace[1].version.as_deref(), Some("v1.0.0"));
    }

    #[test]
    fn each_fault_is_told_with_its_line() {
        for (text, told) in [
            ("go 1.24\ngo 1.25\n", "line 2: repeated go statement"),
            ("go one\n", "line 1: invalid go version \"one\""),
            ("toolchain go2\n", "line 1: invalid toolchain version"),
            ("use\n", "line 1: usage: use local/dir"),
            ("go 1.24\nuse ./a ./b\n", "line 2: usage: use local/dir"),
            (
                "require a.b/c v1.0.0\n",
                "line 1: unknown directive: require",
            ),
            (
                "require (\n\ta.b/c v1.0.0\n)\n",
                "line 2: unknown block type: require",
            ),
            (
                "replace a.b/c => a.b/d\n",
                "line 1: replacement module without version",
            ),
            ("godebug a=1 b=2\n", "line 1: godebug directive expects"),
            ("use (\n./a\n", "line "),
        ] {
            let error = GoWork::parse(text.as_bytes()).unwrap_err().to_string();
            assert!(error.starts_with(told), "{text:?}: {error}");
        }
    }
}
