//! Every URL of a module proxy and of a checksum-database proxy, as one typed value.
//!
//! The server parses a URL's path once, here, and everything behind it works on names that are known to be
//! valid. The bundler writes its URLs with the same type, so the two cannot differ.
//!
//! Parsing is strict, because a path that two programs read differently is a way past one of them. The path
//! is percent-decoded exactly once (`go` sends `%21` for `!`). After that each request has one spelling: no
//! empty or dotted element, no upper-case letter where the `!` escape belongs, no trailing slash, nothing left to
//! decode. [`Request::url_path`] gives that spelling back. What `go` sends is in cmd/go/internal/modfetch/proxy.go and
//! sumdb.go, and in x/mod/sumdb/client.go.
//!
//! ```text
//! /example.com/a/@v/list                                       versions that are carried
//! /example.com/a/@latest
//! /example.com/a/@v/v1.0.0.info  .mod  .zip
//! /example.com/a/@v/main.info                                  a query: which version is that?
//! /sumdb/sum.golang.org/supported  /latest
//! /sumdb/sum.golang.org/lookup/example.com/a@v1.0.0
//! /sumdb/sum.golang.org/tile/8/0/x001/234.p/5
//! /files/  /files/go1.26.0.linux-amd64.tar.gz                  what a site carries beside modules
//! /vulndb/index/modules.json.gz  /vulndb/ID/GO-2024-0001.json  what govulncheck -db …/vulndb asks for
//! ```

mod percent;
#[cfg(test)]
mod tests;

use crate::bundle::{DocumentName, FileName, FileNameError};
use crate::module::{
    ModuleError, ModulePath, ModuleVersion, PathError, Quoted, Revision, RevisionError, Version,
    VersionError,
};
use crate::sumdb::{DbName, DbNameError, Tile, TilePathError};
use std::fmt;
use std::str::FromStr;

/// The longest raw path that is parsed, in bytes: many times the longest of any module in the public index, and
/// half of what HTTP servers commonly take for a whole request line.
pub const MAX_REQUEST_PATH: usize = 4096;

/// What a client asks for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Request {
    /// The versions of a module, one a line.
    List(ModulePath),
    /// The `.info` of the version that `go get module@latest` falls back to.
    Latest(ModulePath),
    /// The `.info` of a version.
    Info(ModuleVersion),
    /// The go.mod of a version.
    Mod(ModuleVersion),
    /// The zip of a version.
    Zip(ModuleVersion),
    /// The `.info` of whatever version this revision stands for. [`Request::info`] makes these; it never gives a
    /// query for what names a version of the module itself.
    Query {
        /// Of which module.
        path: ModulePath,
        /// A branch, a commit, a short version, or a version that cannot be one of this module.
        query: Revision,
    },
    /// Something of a checksum database.
    Sumdb {
        /// Of which. A name with an element `lookup` or `tile` cannot be asked for: those end the name.
        name: DbName,
        /// What.
        request: SumdbRequest,
    },
    /// The names of the opaque files, with their SHA-256.
    Files,
    /// An opaque file.
    File(FileName),
    /// A document of the vulnerability database.
    Vulndb {
        /// Which.
        document: DocumentName,
        /// Whether it is asked for compressed, as `.json.gz`.
        gzip: bool,
    },
}

/// What a client asks of a checksum database.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum SumdbRequest {
    /// Whether this proxy answers for the database at all.
    Supported,
    /// The newest signed tree head.
    Latest,
    /// The record of a module version, and the newest signed tree head.
    Lookup(ModuleVersion),
    /// A tile of the tree.
    Tile(Tile),
}

/// Why a path is no request. Displays whole, as one line without control characters, for the person who
/// reads the answer in a terminal.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// Longer than [`MAX_REQUEST_PATH`].
    #[error("the path has {length} bytes, more than the {MAX_REQUEST_PATH} that are read")]
    TooLong {
        /// Its length in bytes, before decoding.
        length: usize,
    },
    /// A `%` without two hexadecimal digits behind it.
    #[error("bad percent-encoding {}", Quoted(.0))]
    BadEscape(String),
    /// A `%` is left after decoding.
    #[error("the path is percent-encoded twice: '%' is left after decoding")]
    EncodedTwice,
    /// The decoded path is not UTF-8.
    #[error("the decoded path is not UTF-8")]
    NotUtf8,
    /// A control character, encoded or not.
    #[error("control character {0:?} in the path")]
    Control(char),
    /// No slash at the start.
    #[error("the path {} does not start with a slash", Quoted(.0))]
    NotAbsolute(String),
    /// Two slashes in a row, or one at the end.
    #[error("empty element in the path {}: a doubled or trailing slash", Quoted(.0))]
    EmptyElement(String),
    /// `.` or `..`.
    #[error("dot element in the path {}", Quoted(.0))]
    DotElement(String),
    /// No URL of a module proxy.
    #[error(
        "{} is no module proxy URL: want MODULE/@v/list, MODULE/@latest, MODULE/@v/VERSION.info, .mod or .zip, or sumdb/NAME/...",
        Quoted(.0)
    )]
    Unknown(String),
    /// No URL of a checksum-database proxy.
    #[error(
        "{} is no checksum database URL: want sumdb/NAME/supported, latest, lookup/MODULE@VERSION or tile/H/L/N",
        Quoted(.0)
    )]
    UnknownSumdb(String),
    /// No URL of a vulnerability database.
    #[error(
        "{} is no vulnerability database URL: want vulndb/index/db, index/modules, index/vulns or ID/REPORT, and .json or .json.gz",
        Quoted(.0)
    )]
    UnknownVulndb(String),
    /// The module path is invalid.
    #[error(transparent)]
    Path(#[from] PathError),
    /// A `.mod`, a `.zip` or a lookup is asked for by something else than a canonical version.
    #[error("{what} takes a canonical version: {reason}")]
    Version {
        /// What was asked for: `.mod`, `.zip` or `lookup`.
        what: &'static str,
        /// What is wrong with the version.
        reason: VersionError,
    },
    /// An `.info` is asked for by something that is no version or revision.
    #[error(transparent)]
    Revision(#[from] RevisionError),
    /// The version cannot be one of the module.
    #[error(transparent)]
    Module(#[from] ModuleError),
    /// The name of the checksum database is invalid.
    #[error(transparent)]
    DbName(#[from] DbNameError),
    /// The tile is none.
    #[error(transparent)]
    Tile(#[from] TilePathError),
    /// The name of a file is invalid.
    #[error(transparent)]
    FileName(#[from] FileNameError),
}

impl Request {
    /// Parses the raw path of a URL, without a query, as it came in.
    ///
    /// # Errors
    /// Whatever is not exactly one of the forms above.
    pub fn parse(raw_path: &str) -> Result<Request, RequestError> {
        if raw_path.len() > MAX_REQUEST_PATH {
            return Err(RequestError::TooLong {
                length: raw_path.len(),
            });
        }
        let decoded = percent::decode(raw_path)?;
        let Some(path) = decoded.strip_prefix('/') else {
            return Err(RequestError::NotAbsolute(decoded.into_owned()));
        };
        // A module path starts with a host name, which has a dot: `files` is none.
        if path == "files/" {
            return Ok(Request::Files);
        }
        if path.split('/').any(str::is_empty) && !path.is_empty() {
            return Err(RequestError::EmptyElement(decoded.into_owned()));
        }
        if path.split('/').any(|element| matches!(element, "." | "..")) {
            return Err(RequestError::DotElement(decoded.into_owned()));
        }
        // A module path starts with a host name, which has a dot: `sumdb` is none.
        if path == "sumdb" || path.starts_with("sumdb/") {
            return parse_sumdb(path);
        }
        if let Some(name) = path.strip_prefix("files/") {
            return Ok(Request::File(FileName::new(name)?));
        }
        if let Some(rest) = path.strip_prefix("vulndb/") {
            return parse_vulndb(rest).ok_or_else(|| RequestError::UnknownVulndb(path.to_owned()));
        }
        if let Some((module, file)) = path.split_once("/@v/") {
            return parse_version_file(path, module, file);
        }
        match path.strip_suffix("/@latest") {
            Some(module) => Ok(Request::Latest(ModulePath::from_escaped(module)?)),
            None => Err(RequestError::Unknown(path.to_owned())),
        }
    }

    /// The request for the `.info` of `revision`: [`Request::Info`] when that is a version of this module,
    /// else [`Request::Query`].
    pub fn info(path: ModulePath, revision: Revision) -> Request {
        Version::new(revision.as_str())
            .ok()
            .and_then(|version| ModuleVersion::new(path.clone(), version).ok())
            .map_or(
                Request::Query {
                    path,
                    query: revision,
                },
                Request::Info,
            )
    }

    /// The path of the request's URL, from its leading slash: with the `!` escape, and percent-encoded where a
    /// revision has a character that a URL's path cannot have.
    pub fn url_path(&self) -> String {
        let of_version = |m: &ModuleVersion, extension: &str| {
            let (path, version) = (m.path().escaped(), m.version().escaped());
            format!("/{path}/@v/{version}.{extension}")
        };
        match self {
            Request::List(path) => format!("/{}/@v/list", path.escaped()),
            Request::Latest(path) => format!("/{}/@latest", path.escaped()),
            Request::Info(module) => of_version(module, "info"),
            Request::Mod(module) => of_version(module, "mod"),
            Request::Zip(module) => of_version(module, "zip"),
            Request::Query { path, query } => {
                let query = percent::encode(&query.escaped());
                format!("/{}/@v/{query}.info", path.escaped())
            }
            Request::Files => "/files/".to_owned(),
            Request::File(name) => format!("/files/{name}"),
            Request::Vulndb { document, gzip } => {
                let extension = if *gzip { "json.gz" } else { "json" };
                format!("/vulndb/{document}.{extension}")
            }
            Request::Sumdb { name, request } => format!("/sumdb/{name}/{}", request.url_path()),
        }
    }
}

impl SumdbRequest {
    /// Parses what follows the database's own URL and a slash, percent-decoded.
    fn parse(path: &str) -> Result<SumdbRequest, RequestError> {
        match path.split_once('/') {
            None if path == "supported" => Ok(SumdbRequest::Supported),
            None if path == "latest" => Ok(SumdbRequest::Latest),
            Some(("tile", _)) => Ok(SumdbRequest::Tile(Tile::parse(path)?)),
            Some(("lookup", module)) => {
                let (path, version) = module
                    .split_once('@')
                    .ok_or_else(|| RequestError::UnknownSumdb(path.to_owned()))?;
                Ok(SumdbRequest::Lookup(module_version(
                    path, version, "lookup",
                )?))
            }
            _ => Err(RequestError::UnknownSumdb(path.to_owned())),
        }
    }

    /// The path below the database's own URL, without a leading slash. The same under a proxy's `/sumdb/NAME/` and
    /// on the database's host, but `supported`, which only a proxy has.
    pub fn url_path(&self) -> String {
        match self {
            SumdbRequest::Supported => "supported".to_owned(),
            SumdbRequest::Latest => "latest".to_owned(),
            SumdbRequest::Lookup(module) => {
                let (path, version) = (module.path().escaped(), module.version().escaped());
                format!("lookup/{path}@{version}")
            }
            SumdbRequest::Tile(tile) => tile.path(),
        }
    }
}

/// What follows `vulndb/`. golang.org/x/vuln's internal/client asks for all of it as `.json.gz`.
fn parse_vulndb(rest: &str) -> Option<Request> {
    let (name, gzip) = match rest.strip_suffix(".json.gz") {
        Some(name) => (name, true),
        None => (rest.strip_suffix(".json")?, false),
    };
    let document = DocumentName::new(name).ok()?;
    Some(Request::Vulndb { document, gzip })
}

/// `file` is what follows the first `/@v/`.
fn parse_version_file(path: &str, module: &str, file: &str) -> Result<Request, RequestError> {
    let unknown = || RequestError::Unknown(path.to_owned());
    if file == "list" {
        return Ok(Request::List(ModulePath::from_escaped(module)?));
    }
    let (version, extension) = file.rsplit_once('.').ok_or_else(unknown)?;
    match extension {
        "info" => {
            let path = ModulePath::from_escaped(module)?;
            Ok(Request::info(path, Revision::from_escaped(version)?))
        }
        "mod" => Ok(Request::Mod(module_version(module, version, ".mod")?)),
        "zip" => Ok(Request::Zip(module_version(module, version, ".zip")?)),
        _ => Err(unknown()),
    }
}

fn module_version(
    escaped_path: &str,
    escaped_version: &str,
    what: &'static str,
) -> Result<ModuleVersion, RequestError> {
    let path = ModulePath::from_escaped(escaped_path)?;
    let version = Version::from_escaped(escaped_version)
        .map_err(|reason| RequestError::Version { what, reason })?;
    Ok(ModuleVersion::new(path, version)?)
}

/// A database's name may have several elements; the first `lookup` or `tile` behind its host ends it, and `latest` and
/// `supported` do as the last element. What a lookup names may contain any of these words.
fn parse_sumdb(path: &str) -> Result<Request, RequestError> {
    let unknown = || RequestError::UnknownSumdb(path.to_owned());
    let (_, rest) = path.split_once('/').ok_or_else(unknown)?;
    let ends = |(slash, _): &(usize, &str)| {
        let behind = &rest[slash + 1..];
        behind.starts_with("lookup/")
            || behind.starts_with("tile/")
            || matches!(behind, "latest" | "supported")
    };
    let (slash, _) = rest.match_indices('/').find(ends).ok_or_else(unknown)?;
    Ok(Request::Sumdb {
        name: DbName::new(&rest[..slash])?,
        request: SumdbRequest::parse(&rest[slash + 1..])?,
    })
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.url_path())
    }
}

impl FromStr for Request {
    type Err = RequestError;

    fn from_str(raw_path: &str) -> Result<Request, RequestError> {
        Request::parse(raw_path)
    }
}
