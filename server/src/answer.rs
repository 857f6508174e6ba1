//! From a typed request to what the store has for it: no HTTP in here.
//!
//! Which status and which headers it becomes is respond.rs's table. What is said to a client
//! that cannot be served is worded here, where it is known why: `go` prints these texts.

use modferry_appliance::store::{Reader, StoreError, Value, hex};
use modferry_cli::count;
use modferry_protocol::bundle::DocumentName;
use modferry_protocol::module::ModuleVersion;
use modferry_protocol::module::pattern::match_prefix_patterns;
use modferry_protocol::request::{Request, SumdbRequest};
use modferry_protocol::sumdb::{DbName, Tile};

use crate::found::{Found, Kind, Small};
use crate::wants::Limit;

/// The height of tiles that cmd/go asks for, in levels of the tree, and the only one that is carried.
const GO_HEIGHT: u8 = 8;

/// Why a request is not served.
#[derive(Debug)]
pub enum Refusal {
    /// Not in this store. The text says what, and in words for the operator.
    NotCarried(String),
    /// The same, and it was noted that somebody wants it.
    Noted(String),
    /// The same, and it was not noted, by a limit.
    NotNoted(String, Limit),
    /// A checksum database is asked for a private module. The text says what to set.
    Private(String),
    /// No request of the protocol.
    Malformed(String),
    /// No path of the protocol at all.
    NoSuchPath(String),
    /// The path is longer than any that could be meant.
    TooLong(String),
    /// Neither GET nor HEAD.
    Method,
    /// The store has nothing yet.
    NotReady(String),
    /// The server's own failure; the text is for the log, not for the client.
    Fault(String),
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Refusal {
        Refusal::Fault(modferry_cli::in_one_line(&error))
    }
}

/// Looks up the answer. `private` has the patterns of private names; `ahead` is called for a tile past the newest tree.
pub fn answer(
    reader: &Reader,
    request: &Request,
    private: &str,
    ahead: impl FnOnce(),
) -> Result<Found, Refusal> {
    let small = |kind, value: Option<Value>, what: &dyn Fn() -> String| match value {
        Some(value) => Ok(found(kind, value.into_vec())),
        None => Err(Refusal::NotCarried(what())),
    };
    match request {
        Request::List(path) => small(Kind::List, reader.list(path)?, &|| {
            format!("no version of {path}")
        }),
        Request::Latest(path) => small(Kind::Latest, reader.latest(path)?, &|| {
            format!("no version of {path}")
        }),
        Request::Info(module) => small(Kind::Info, reader.info(module)?, &|| module.to_string()),
        Request::Mod(module) => small(Kind::Mod, reader.go_mod(module)?, &|| {
            format!("the go.mod of {module}")
        }),
        Request::Zip(module) => match reader.zip(module)? {
            Some(zip) => Ok(Found::Large(Kind::Zip, zip)),
            None => Err(Refusal::NotCarried(format!("the zip of {module}"))),
        },
        Request::Query { path, query } => small(Kind::Query, reader.answer(path, query)?, &|| {
            format!(
                "{path}@{query} is a query that no bundle answers, and only a module's origin can resolve it; ask for a version that go list -m -versions {path} names"
            )
        }),
        Request::Files => files(reader),
        Request::File(name) => match reader.file(name)? {
            Some(file) => Ok(Found::Large(Kind::File, file)),
            None => Err(Refusal::NotCarried(format!("the file {name}"))),
        },
        Request::Vulndb { document, gzip } => match reader.document(document, *gzip)? {
            Some(value) => {
                let kind = if *gzip { Kind::Gzip } else { Kind::Json };
                Ok(found(kind, value.into_vec()))
            }
            None => Err(no_document(reader, document)?),
        },
        Request::Sumdb { name, request } => match request {
            SumdbRequest::Supported => Ok(supported()),
            SumdbRequest::Latest => small(Kind::Head, reader.head(name)?, &|| {
                format!("no tree head of {name}")
            }),
            SumdbRequest::Lookup(module) => lookup(reader, name, module, private),
            SumdbRequest::Tile(tile) => read_tile(reader, name, tile, ahead),
        },
    }
}

/// The files and their hashes, as `sha256sum -c` reads them.
fn files(reader: &Reader) -> Result<Found, Refusal> {
    let mut lines = String::new();
    reader.each_file(|name, file| {
        lines += &format!("{}  {name}\n", hex(&file.sha256));
        Ok(())
    })?;
    Ok(found(Kind::Files, lines.into_bytes()))
}

/// Why a document of the vulnerability database is not there.
fn no_document(reader: &Reader, document: &DocumentName) -> Result<Refusal, Refusal> {
    Ok(Refusal::NotCarried(match reader.vulndb()? {
        Some(held) => format!(
            "{document}: the vulnerability database of {} has no such document",
            held.snapshot.modified
        ),
        None => "no bundle has brought a vulnerability database; whoever exports one names it (vulndb: in modferry.yaml)"
            .into(),
    }))
}

fn found(kind: Kind, bytes: Vec<u8>) -> Found {
    Found::Small(Small::new(kind, bytes.into()))
}

/// The answer to whether a checksum database is reached through here: always, and before the first import too.
/// Anything else would send the client to the internet.
pub fn supported() -> Found {
    found(Kind::Supported, Vec::new())
}

/// The record as stored and the newest head, one behind the other, as x/mod/sumdb/server.go joins them.
///
/// The head is read after the record: an import that lands in between can then only make the head newer, and
/// the record is in that tree too. The other way round a record could be newer than its head.
///
/// A private name's lookup is refused as what it is before any version of it has come, too: whoever is told that a record is missing
/// waits for one that no database will ever have.
fn lookup(
    reader: &Reader,
    name: &DbName,
    module: &ModuleVersion,
    private: &str,
) -> Result<Found, Refusal> {
    let Some(record) = reader.record(name, module)? else {
        if match_prefix_patterns(private, module.path().as_str())
            || reader.is_private(module.path())?
        {
            return Err(Refusal::Private(format!(
                "{} is private, and no checksum database knows it: set GONOSUMDB={} here",
                module.path(),
                module.path()
            )));
        }
        return Err(Refusal::NotCarried(format!(
            "the {name} record of {module}"
        )));
    };
    let Some(head) = reader.head(name)? else {
        return Err(Refusal::Fault(format!(
            "{name} has a record of {module} and no head"
        )));
    };
    let mut answer = record.into_vec();
    answer.extend_from_slice(head.as_ref());
    Ok(found(Kind::Lookup, answer))
}

fn read_tile(
    reader: &Reader,
    name: &DbName,
    tile: &Tile,
    ahead: impl FnOnce(),
) -> Result<Found, Refusal> {
    if tile.is_data() {
        return Err(Refusal::NotCarried(format!(
            "{name} {tile}: records are answered by lookup, tiles of them are not kept"
        )));
    }
    if tile.height() != GO_HEIGHT {
        return Err(Refusal::NotCarried(format!(
            "{name} {tile}: only tiles of height {GO_HEIGHT} are kept, those that the go command asks for"
        )));
    }
    if let Some(hashes) = reader.tile(name, tile)? {
        let kind = if tile.is_full() {
            Kind::FullTile
        } else {
            Kind::PartialTile
        };
        return Ok(found(kind, hashes.into_vec()));
    }
    let size = reader.head_size(name)?.unwrap_or(0);
    let needed = smallest_tree(tile);
    if needed > u128::from(size) {
        ahead();
        return Err(Refusal::NotCarried(format!(
            "{name} {tile} lies past the newest tree here, which has {}: this client has seen a newer tree; \
             import a bundle with a tree of at least {}, or remove the client's stored head, \
             the file GOPATH/pkg/sumdb/{name}/latest",
            count(size, "record"),
            count(needed, "record")
        )));
    }
    Err(Refusal::NotCarried(format!(
        "{name} {tile}: it proves only records that are not carried"
    )))
}

/// The smallest tree that has this tile at this width, in records.
fn smallest_tree(tile: &Tile) -> u128 {
    let hashes = (u128::from(tile.index()) << tile.height()) + u128::from(tile.width());
    let each = u32::from(tile.level()) * u32::from(tile.height());
    // A tile that no tree of 2^64 records could have is past every tree; the number only has to say so.
    if each >= 64 {
        u128::from(u64::MAX)
    } else {
        hashes << each
    }
}
