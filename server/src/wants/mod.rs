//! What clients ask for and is not here: kept for whoever decides what comes in next.
//!
//! This process cannot write the store, so it keeps its misses in a folder of its own, in two small files
//! ([`journal`], whose format is `modferry_appliance::wants::kept`). `modferry-appliance wants` reads them.
//!
//! Four duties, apart from one another:
//!
//! - A worker that answers 404 puts the name into a buffer of its own ([`waiting`]): a lock that nobody else wants, a hash, and
//!   no system call. What is asked for again and again is one entry with a count of the addresses that asked, so a client that hammers
//!   one name costs no more than one that asks once, and counts no more.
//! - Whether a new name can be noted is decided at once, for the 404 says it ([`admission`]).
//! - A thread of its own empties the buffers each second into one table ([`keeper`]).
//! - The table ([`table`]) is bounded, and decides what stays.
//!
//! # Limits, and who could abuse what
//!
//! Whoever can reach the server can invent names. They have to be well formed (the typed request is), no longer than
//! [`modferry_cli::wants::MAX_WANT`], and each address can bring in only so many new ones an hour. The table has a limit of entries and one
//! of bytes on disk; when it is full, what is asked for least goes, and what nobody asks for any more counts less each
//! week. What one address brought in is at most a quarter of the table, however often it is asked for. So a flood from one address costs its
//! own names first, and what builds fail on, which is asked for again by each of them, stays.
//!
//! What is lost: at a kill -9, the misses since the files were written last ([`Settings::every`]); at a limit, what was
//! left out is counted in the file.

pub mod admission;
pub mod journal;
pub mod keeper;
pub mod settings;
pub mod table;
pub mod waiting;

use std::net::IpAddr;

use modferry_appliance::wants::Part;
use modferry_cli::wants::{LATEST, Want, is_revision};
use modferry_protocol::module::ModulePath;
use modferry_protocol::request::{Request, SumdbRequest};

pub use admission::Limit;
pub use keeper::Keeper;
pub use settings::Settings;
pub use waiting::Waiting;

/// Hosts of which nothing shorter than host, owner and repository can be a module: the go command asks for such paths
/// while it looks for a package's module.
const HOSTS_OF_REPOSITORIES: [&str; 2] = ["github.com", "bitbucket.org"];

/// Who asks: an IPv4 address, or the network that an IPv6 address is of. One machine has 2^64 of those.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Client {
    /// An address.
    V4(u32),
    /// The first 64 bits of an address.
    V6(u64),
    /// The connection does not tell.
    Unknown,
}

impl Client {
    /// Whoever has that address.
    pub fn at(address: Option<IpAddr>) -> Client {
        match address.map(|address| address.to_canonical()) {
            Some(IpAddr::V4(address)) => Client::V4(address.to_bits()),
            Some(IpAddr::V6(address)) => Client::V6((address.to_bits() >> 64) as u64),
            None => Client::Unknown,
        }
    }
}

/// What is wanted by whoever makes this request; `None` where it is nothing that could be carried in by its name.
pub fn wanted(request: &Request) -> Option<(Want, Part)> {
    let (path, query, part) = match request {
        Request::List(path) | Request::Latest(path) => (path, LATEST, Part::Versions),
        Request::Info(module) => (module.path(), module.version().as_str(), Part::Info),
        Request::Mod(module) => (module.path(), module.version().as_str(), Part::Mod),
        Request::Zip(module) => (module.path(), module.version().as_str(), Part::Zip),
        // What an exporter would read as more than a branch is not noted: one 404 must not ask for every version.
        Request::Query { query, .. } if !is_revision(query.as_str()) => return None,
        Request::Query { path, query } => (path, query.as_str(), Part::Query),
        Request::Sumdb { request, .. } => match request {
            SumdbRequest::Lookup(module) => {
                (module.path(), module.version().as_str(), Part::Record)
            }
            SumdbRequest::Supported | SumdbRequest::Latest | SumdbRequest::Tile(_) => return None,
        },
        // They are no module's.
        Request::Files | Request::File(_) | Request::Vulndb { .. } => return None,
    };
    if !can_be_a_module(path) {
        return None;
    }
    // Nor is a pattern of modules, which a path with three dots would be read as.
    let want = Want::new(path.clone(), query).ok();
    want.filter(Want::is_of_one).map(|want| (want, part))
}

fn can_be_a_module(path: &ModulePath) -> bool {
    let mut elements = path.as_str().split('/');
    let host = elements.next().unwrap_or_default();
    !HOSTS_OF_REPOSITORIES.contains(&host) || elements.count() >= 2
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use modferry_cli::wants::{MAX_QUERY, MAX_WANT};

    fn of(path: &str) -> Option<(String, Part)> {
        wanted(&Request::parse(path).unwrap()).map(|(want, part)| (want.to_string(), part))
    }

    #[test]
    fn what_is_missing_by_name_is_wanted() {
        for (path, want, part) in [
            ("/a.b/c/@v/list", "a.b/c@latest", Part::Versions),
            ("/a.b/c/@latest", "a.b/c@latest", Part::Versions),
            ("/a.b/!c/@v/v1.0.0.info", "a.b/C@v1.0.0", Part::Info),
            ("/a.b/c/@v/v1.0.0.mod", "a.b/c@v1.0.0", Part::Mod),
            ("/a.b/c/@v/v1.0.0.zip", "a.b/c@v1.0.0", Part::Zip),
            ("/a.b/c/@v/main.info", "a.b/c@main", Part::Query),
            ("/a.b/c/@v/all-in.info", "a.b/c@all-in", Part::Query),
            ("/a.b/c/@v/v1.info", "a.b/c@v1", Part::Query),
            (
                "/sumdb/sum.golang.org/lookup/a.b/c@v1.0.0",
                "a.b/c@v1.0.0",
                Part::Record,
            ),
            (
                "/github.com/a/b/@v/list",
                "github.com/a/b@latest",
                Part::Versions,
            ),
            ("/gioui.org/@v/list", "gioui.org@latest", Part::Versions),
        ] {
            assert_eq!(of(path), Some((want.into(), part)), "{path}");
        }
        for path in [
            "/sumdb/sum.golang.org/supported",
            "/sumdb/sum.golang.org/latest",
            "/sumdb/sum.golang.org/tile/8/0/001",
            "/github.com/a/@v/list",
            "/github.com/@v/list",
            "/bitbucket.org/a/@latest",
            "/a.b/c...d/@v/list",
            "/a.b/c...d/@v/v1.0.0.mod",
            "/a.b/c/@v/all.info",
            "/a.b/c/@v/newest%2010000.info",
            "/a.b/c/@v/since%202001-01-01.info",
            "/a.b/c/@v/all,v1.info",
            "/a.b/c/@v/^1.8.info",
            "/a.b/c/@v/~1.8.info",
            "/a.b/c/@v/latest.info",
            "/a.b/c/@v/upgrade.info",
            "/a.b/c/@v/patch.info",
        ] {
            assert_eq!(of(path), None, "{path}");
        }
    }

    #[test]
    fn a_name_has_a_longest_length() {
        let of_length = |length: usize| {
            let name = "x".repeat(length - "a.b/@v1.0.0".len());
            of(&format!("/a.b/{name}/@v/v1.0.0.mod"))
        };
        assert_eq!(of_length(MAX_WANT).unwrap().0.len(), MAX_WANT);
        assert_eq!(of_length(MAX_WANT + 1), None);
        let version = |length: usize| format!("/a.b/c/@v/v1.0.0-{}.mod", "x".repeat(length - 7));
        assert!(of(&version(MAX_QUERY)).is_some());
        assert_eq!(of(&version(MAX_QUERY + 1)), None);
    }

    #[test]
    fn a_client_is_an_address_or_a_network() {
        let client = |text: &str| Client::at(Some(text.parse().unwrap()));
        assert_ne!(client("10.0.0.1"), client("10.0.0.2"));
        assert_eq!(client("10.0.0.1"), client("::ffff:10.0.0.1"));
        assert_eq!(client("2001:db8::1"), client("2001:db8::ffff:2"));
        assert_ne!(client("2001:db8::1"), client("2001:db8:0:1::1"));
    }
}
