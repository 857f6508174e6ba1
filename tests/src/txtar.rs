//! txtar: a comment, then files between `-- name --` lines (golang.org/x/tools/txtar). Modules are described
//! in it as in cmd/go's `testdata/mod`, so that a scenario's input stands in the test, readable as a whole.

/// One file of an archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// The name between the marker's dashes, trimmed.
    pub name: String,
    /// The contents, each line ended by a newline.
    pub data: String,
}

/// The files of `text`, in order. What stands before the first marker is a comment and is dropped.
pub fn parse(text: &str) -> Vec<File> {
    let mut files: Vec<File> = Vec::new();
    for line in text.lines() {
        let marker = line
            .strip_prefix("-- ")
            .and_then(|rest| rest.trim_end().strip_suffix(" --"));
        match (marker, files.last_mut()) {
            (Some(name), _) => files.push(File {
                name: name.trim().to_owned(),
                data: String::new(),
            }),
            (None, Some(file)) => {
                file.data.push_str(line);
                file.data.push('\n');
            }
            (None, None) => {}
        }
    }
    files
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_and_comment() {
        let files = parse("a comment\n-- go.mod --\nmodule a\n\n-- b/c.go --\npackage c\n");
        assert_eq!(
            files,
            [
                File {
                    name: "go.mod".into(),
                    data: "module a\n\n".into()
                },
                File {
                    name: "b/c.go".into(),
                    data: "package c\n".into()
                },
            ]
        );
    }
}
