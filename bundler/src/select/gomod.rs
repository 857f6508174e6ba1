//! go.mod files, read as the go command reads them (golang.org/x/mod/modfile): strictly where the file is
//! the main module's, laxly where it is a dependency's, so that what a later Go adds does no harm.
//!
//! Only what selection needs is kept. A dependency's `replace` and `exclude` mean nothing, as for `go`.

use super::lexer::{self, Line, SyntaxError};
use modferry_protocol::module::{canonical_version, match_path_major, split_path_version};

/// What a go.mod file says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GoMod {
    /// The module's own path.
    pub module: Option<String>,
    /// The `go` line's version: `1.21`, `1.22.3`, `1.23rc1`.
    pub go: Option<String>,
    /// The `toolchain` line (main module only).
    pub toolchain: Option<String>,
    /// Requirements in the order of the file.
    pub require: Vec<Require>,
    /// Excluded versions (main module only).
    pub exclude: Vec<(String, String)>,
    /// Replacements (main module only).
    pub replace: Vec<Replace>,
    /// What its authors say of the module as a whole, if they have deprecated it.
    pub deprecated: Option<String>,
    /// Retracted ranges.
    pub retract: Vec<Retract>,
    /// Packages that are built as tools (main module only).
    pub tool: Vec<String>,
    /// Folders that patterns of packages pass over: `./a` in the root, `a` anywhere.
    pub ignore: Vec<String>,
}

/// A requirement: the version is canonical and fits the path's major suffix; the path is as written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Require {
    /// Module path.
    pub path: String,
    /// Canonical version.
    pub version: String,
    /// Marked `// indirect`.
    pub indirect: bool,
}

/// A range of versions that the module's authors have taken back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retract {
    /// The lowest of them.
    pub low: String,
    /// The highest of them.
    pub high: String,
    /// Why, in the authors' words; may be empty.
    pub why: String,
}

/// A replacement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replace {
    /// The module that is replaced.
    pub path: String,
    /// One version of it, or all.
    pub version: Option<String>,
    /// What stands in for it.
    pub with: Replacement,
}

/// What stands in for a replaced module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Replacement {
    /// A module version.
    Module(String, String),
    /// A folder.
    Folder(String),
}

/// What is wrong with a go.mod file, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}")]
pub struct GoModError {
    /// Line, from 1.
    pub line: usize,
    /// What is wrong there.
    pub what: String,
}

impl From<SyntaxError> for GoModError {
    fn from(error: SyntaxError) -> GoModError {
        GoModError {
            line: error.line,
            what: error.what,
        }
    }
}

impl GoMod {
    /// Reads the main module's go.mod: everything must be understood, and it says which module it is. One that was emptied by
    /// mistake would else count as one that requires nothing.
    pub fn parse(text: &[u8]) -> Result<GoMod, GoModError> {
        let file = read(text, true)?;
        match file.module {
            Some(_) => Ok(file),
            None => Err(GoModError {
                line: 1,
                what: "missing module declaration: say module module/path".into(),
            }),
        }
    }

    /// Reads a dependency's go.mod: unknown statements are passed over.
    pub fn parse_lax(text: &[u8]) -> Result<GoMod, GoModError> {
        read(text, false)
    }

    /// Whether the module graph may be pruned behind this module: it says `go 1.17` or later, and so
    /// lists every module that its packages and tests need.
    pub fn is_pruned(&self) -> bool {
        self.go.as_deref().is_some_and(lists_everything)
    }
}

/// Whether a `go` line's version is 1.17 or later.
fn lists_everything(version: &str) -> bool {
    let mut parts = version.split('.').map(|part| {
        let digits = part
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(part.len());
        part[..digits].parse::<u64>().unwrap_or(u64::MAX)
    });
    let (major, minor) = (parts.next().unwrap_or(0), parts.next().unwrap_or(0));
    (major, minor) >= (1, 17)
}

fn read(text: &[u8], strict: bool) -> Result<GoMod, GoModError> {
    let mut file = GoMod::default();
    for line in lexer::lines(text)? {
        let at = line.number;
        add(&mut file, line, strict).map_err(|what| GoModError { line: at, what })?;
    }
    Ok(file)
}

const BLOCKS: [&str; 8] = [
    "module", "godebug", "require", "exclude", "replace", "retract", "tool", "ignore",
];
const OF_DEPENDENCIES: [&str; 5] = ["go", "module", "retract", "require", "ignore"];

fn add(file: &mut GoMod, line: Line, strict: bool) -> Result<(), String> {
    let verb = line.verb.as_str();
    if line.in_block && (line.odd_block || !BLOCKS.contains(&verb)) {
        return if strict {
            Err(format!("unknown block type: {verb}"))
        } else {
            Ok(())
        };
    }
    if !strict && !OF_DEPENDENCIES.contains(&verb) {
        return Ok(());
    }
    let args: Vec<&str> = line.args.iter().map(String::as_str).collect();
    match (verb, args.as_slice()) {
        ("go", args) => go_line(&mut file.go, args, strict)?,
        ("toolchain", args) => toolchain_line(&mut file.toolchain, args)?,
        ("module", [path]) if file.module.is_none() => {
            file.module = Some(string(path)?);
            file.deprecated = deprecation(&line.said);
        }
        ("module", _) => {
            return Err(repeated_or(
                "module",
                file.module.is_some(),
                "module module/path",
            ));
        }
        ("require" | "exclude", [path, version]) => {
            let path = string(path)?;
            let version = module_version(&path, version, strict)?;
            if verb == "exclude" {
                file.exclude.push((path, version));
            } else {
                file.require.push(Require {
                    path,
                    version,
                    indirect: line.comment.as_deref().is_some_and(says_indirect),
                });
            }
        }
        ("require" | "exclude", _) => return Err(format!("usage: {verb} module/path v1.2.3")),
        ("replace", args) => file.replace.push(replacement(args)?),
        ("retract", args) => match interval(args, strict) {
            Ok((low, high)) => file.retract.push(Retract {
                low,
                high,
                why: line.said,
            }),
            Err(what) if strict => return Err(what),
            Err(_) => {}
        },
        ("godebug", [_]) => {}
        ("tool", [path]) => file.tool.push(string(path)?),
        ("ignore", [path]) => file.ignore.push(string(path)?),
        ("godebug" | "tool" | "ignore", _) => {
            return Err(format!("{verb} directive expects exactly one argument"));
        }
        _ => return Err(format!("unknown directive: {verb}")),
    }
    Ok(())
}

/// A `go` line.
pub(super) fn go_line(go: &mut Option<String>, args: &[&str], strict: bool) -> Result<(), String> {
    match args {
        [version] if go.is_none() => {
            *go = Some(go_version(version, strict).ok_or_else(|| {
                format!("invalid go version {version:?}: must match format 1.23.0")
            })?);
            Ok(())
        }
        _ => Err(repeated_or("go", go.is_some(), "go 1.23")),
    }
}

/// A `toolchain` line.
pub(super) fn toolchain_line(toolchain: &mut Option<String>, args: &[&str]) -> Result<(), String> {
    match args {
        [name] if toolchain.is_none() => {
            if *name != "default" && *name != "go1" && !name.starts_with("go1.") {
                return Err(format!("invalid toolchain version {name:?}"));
            }
            *toolchain = Some((*name).to_owned());
            Ok(())
        }
        _ => Err(repeated_or(
            "toolchain",
            toolchain.is_some(),
            "toolchain go1.23.0",
        )),
    }
}

fn repeated_or(verb: &str, repeated: bool, usage: &str) -> String {
    if repeated {
        format!("repeated {verb} statement")
    } else {
        format!("usage: {usage}")
    }
}

fn says_indirect(comment: &str) -> bool {
    let mut words = comment.trim_start_matches("//").split_whitespace();
    matches!(
        (words.next(), words.next()),
        (Some("indirect"), None) | (Some("indirect;"), Some(_))
    )
}

/// An argument's value: a Go string in double quotes, or a word without any quote.
pub(super) fn string(token: &str) -> Result<String, String> {
    if let Some(quoted) = token.strip_prefix('"') {
        return quoted
            .strip_suffix('"')
            .and_then(lexer::unquote)
            .ok_or_else(|| format!("invalid quoted string: {token}"));
    }
    if token.contains(['"', '\'', '`']) {
        return Err("unquoted string cannot contain quote".into());
    }
    Ok(token.to_owned())
}

/// A version that can be used as it stands. Branches, revisions and short versions are queries, which
/// `go mod tidy` turns into versions. In a dependency's file nothing is a query: there the go command fills
/// short versions in (`v1.2` is v1.2.0) and drops build metadata.
fn canonical(token: &str, strict: bool) -> Result<String, String> {
    let version = string(token)?;
    let canonical = canonical_version(&version);
    if !canonical.is_empty() && (canonical == version || !strict) {
        return Ok(canonical);
    }
    if !strict {
        return Err(format!("version {version:?} must be of the form v1.2.3"));
    }
    Err(format!(
        "version {version:?} is a query, not a canonical version (vX.Y.Z): run `go mod tidy` first"
    ))
}

fn module_version(path: &str, token: &str, strict: bool) -> Result<String, String> {
    let version = canonical(token, strict)?;
    let (_, path_major) =
        split_path_version(path).ok_or_else(|| format!("malformed module path {path:?}"))?;
    if match_path_major(&version, path_major) {
        return Ok(version);
    }
    let major = version.split('.').next().unwrap_or_default();
    let wanted = match path_major {
        "" => "v0 or v1",
        suffix => suffix.trim_start_matches(['/', '.']),
    };
    Err(format!(
        "{path}: version {version:?} invalid: should be {wanted}, not {major}"
    ))
}

pub(super) fn replacement(args: &[&str]) -> Result<Replace, String> {
    let usage =
        || "usage: replace module/path [v1.2.3] => other/module v1.4 (or => ../folder)".to_owned();
    let arrow = if args.get(1) == Some(&"=>") { 1 } else { 2 };
    if args.get(arrow) != Some(&"=>") || !(arrow + 2..=arrow + 3).contains(&args.len()) {
        return Err(usage());
    }
    let path = string(args[0])?;
    let version = if arrow == 2 {
        Some(module_version(&path, args[1], true)?)
    } else {
        None
    };
    let new = string(args[arrow + 1])?;
    let with = match args.get(arrow + 2) {
        None if is_folder(&new) => Replacement::Folder(new),
        None => {
            return Err(
                "replacement module without version must be directory path (rooted or starting with . or ..)"
                    .into(),
            );
        }
        Some(_) if is_folder(&new) => {
            return Err(format!(
                "replacement module directory path {new:?} cannot have version"
            ));
        }
        Some(version) => Replacement::Module(new, canonical(version, true)?),
    };
    Ok(Replace {
        path,
        version,
        with,
    })
}

fn is_folder(path: &str) -> bool {
    let bytes = path.as_bytes();
    matches!(path, "." | "..")
        || ["./", ".\\", "../", "..\\", "/", "\\"]
            .iter()
            .any(|lead| path.starts_with(lead))
        || (bytes.len() >= 2 && bytes[0].is_ascii_alphabetic() && bytes[1] == b':')
}

fn interval(args: &[&str], strict: bool) -> Result<(String, String), String> {
    match args {
        [version] if *version != "[" && *version != "(" => {
            let version = canonical(version, strict)?;
            Ok((version.clone(), version))
        }
        ["[", low, ",", high, "]"] => Ok((canonical(low, strict)?, canonical(high, strict)?)),
        _ => Err("usage: retract v1.2.3, or retract [v1.2.3, v1.2.9]".into()),
    }
}

/// The paragraph of a comment that begins with `Deprecated:`, without that word.
fn deprecation(said: &str) -> Option<String> {
    let begins = |paragraph: &str| {
        Some(
            paragraph
                .strip_prefix("Deprecated:")?
                .trim_start_matches(' ')
                .to_owned(),
        )
    };
    said.split("\n\n").find_map(begins)
}

fn go_version(text: &str, strict: bool) -> Option<String> {
    if is_go_version(text) {
        return Some(text.to_owned());
    }
    if strict {
        return None;
    }
    // A dependency may say `v1.13` or `1.13.x`: what is recognisable in it counts.
    let text = text.strip_prefix('v').unwrap_or(text);
    let (major, rest) = text.split_once('.')?;
    let minor_end = rest.find(|c: char| !c.is_ascii_digit())?;
    let version = format!("{major}.{}", &rest[..minor_end]);
    (is_go_version(&version) && !rest[minor_end..].contains('\n')).then_some(version)
}

/// `^([1-9][0-9]*)\.(0|[1-9][0-9]*)(\.(0|[1-9][0-9]*))?([a-z]+[0-9]+)?$`
fn is_go_version(text: &str) -> bool {
    let numbers = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (numbers, kind) = text.split_at(numbers);
    let letters = kind
        .find(|c: char| !c.is_ascii_lowercase())
        .unwrap_or(kind.len());
    let kind_fits = kind.is_empty()
        || (letters > 0
            && letters < kind.len()
            && kind[letters..].bytes().all(|b| b.is_ascii_digit()));
    let parts: Vec<&str> = numbers.split('.').collect();
    let plain = |part: &str| !part.is_empty() && (part == "0" || !part.starts_with('0'));
    kind_fits
        && (2..=3).contains(&parts.len())
        && parts[0] != "0"
        && parts.iter().all(|part| plain(part))
}

#[cfg(test)]
#[path = "gomod/tests.rs"]
mod tests;
