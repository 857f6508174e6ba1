//! What one bundle or store has that another lacks.
//!
//! Both sides of the gap ask this, `modferry-bundler diff` of bundles and `modferry-appliance diff` of bundles and
//! stores, so it is here, where both reach it. It knows neither files' names nor RocksDB: a [`Side`] is some
//! sorted streams, and the two are compared as they pass, in the memory of a few lines, however large a bundle,
//! a store or a list is. [`bundles`] makes a side of bundles' indexes, [`list`] one of what `modferry-appliance
//! list --all --json` printed; the appliance makes one of its store.
//!
//! It proves nothing: whoever opens the bundles decides whether they are to be believed.

mod index;
mod list;
mod streams;

use std::collections::BTreeSet;
use std::fmt;
use std::io;

use modferry_cli::{Exit, Failure, count};
use modferry_protocol::bundle::Level;
use modferry_protocol::module::ModuleVersion;
use modferry_protocol::sumdb::{DbName, Tile, TreeHead};
use serde::Serialize;

pub use index::{IndexFile, bundles};
pub use list::{MAX_LIST_LINE, list};
pub use streams::Sorted;

/// A module version, and what of it is held.
pub type Held = (ModuleVersion, Level);

/// One of the two that are compared.
pub struct Side<'a> {
    /// How people call it.
    pub name: String,
    /// The module versions, in their order, each once.
    pub held: Sorted<'a, Held>,
    /// The tiles, in their order; `None` where that is not known.
    pub tiles: Option<Sorted<'a, (DbName, Tile)>>,
    /// The tree heads; `None` where that is not known.
    pub heads: Option<BTreeSet<Head>>,
}

/// A checksum database's tree head.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Head {
    /// The database.
    pub database: String,
    /// Records of the tree.
    pub size: u64,
    /// Its root hash.
    pub hash: String,
}

impl Head {
    /// That database's tree head.
    pub fn new(db: &DbName, head: &TreeHead) -> Self {
        Self {
            database: db.to_string(),
            size: head.size,
            hash: head.hash.to_string(),
        }
    }
}

/// Which of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Which {
    /// The first.
    A,
    /// The second.
    B,
}

impl Which {
    fn at(self) -> usize {
        self as usize
    }
}

/// What of a module version is held, in words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum What {
    /// The `.mod`.
    Mod,
    /// The `.zip`, too.
    Zip,
}

impl From<Level> for What {
    fn from(level: Level) -> Self {
        match level {
            Level::Mod => What::Mod,
            Level::Zip => What::Zip,
        }
    }
}

/// Something that only one of the two has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Difference {
    /// Of a module version.
    Module {
        /// Who has it.
        only_in: Which,
        /// The module's path.
        module: String,
        /// Its version.
        version: String,
        /// What of it that side has.
        what: What,
        /// What the other has of it: the `.mod`, where this side has the zip.
        other: Option<What>,
    },
    /// A tree head.
    Head {
        /// Who has it.
        only_in: Which,
        /// The head.
        #[serde(flatten)]
        head: Head,
    },
}

/// A line of `diff`: `-` what only the first has, `+` what only the second has.
impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = |only_in: &Which| match only_in {
            Which::A => '-',
            Which::B => '+',
        };
        match self {
            Difference::Module {
                only_in,
                module,
                version,
                what,
                other,
            } => {
                let kind = match what {
                    What::Mod => "mod",
                    What::Zip => "zip",
                };
                write!(f, "{} {kind} {module}@{version}", sign(only_in))?;
                match other {
                    Some(_) => write!(f, " (the other has its go.mod)"),
                    None => Ok(()),
                }
            }
            Difference::Head { only_in, head } => write!(
                f,
                "{} head {} {} {}",
                sign(only_in),
                head.database,
                head.size,
                head.hash
            ),
        }
    }
}

/// How many things only one side has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Only {
    /// Module versions of which it has the zip, and the other not.
    pub zips: u64,
    /// Module versions of which it has the go.mod, and the other nothing.
    pub mods: u64,
    /// Tiles, by their place in the tree, that the other has not at this width; `None` where one side does not say.
    pub tiles: Option<u64>,
    /// Tree heads; `None` where one side does not say.
    pub heads: Option<u64>,
}

/// What the comparison comes to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// How the first is called.
    pub a: String,
    /// How the second is called.
    pub b: String,
    /// Module versions of which both have the same.
    pub same: u64,
    /// What only the first has.
    pub only_a: Only,
    /// What only the second has.
    pub only_b: Only,
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (sign, name, only) in [('-', &self.a, &self.only_a), ('+', &self.b, &self.only_b)] {
            write!(
                f,
                "{sign} only in {name}: {}, {}",
                count(only.zips, "zip"),
                count(only.mods, "go.mod file")
            )?;
            for (number, what) in [(only.tiles, "tile"), (only.heads, "tree head")] {
                match number {
                    Some(number) => write!(f, ", {}", count(number, what))?,
                    None => write!(f, ", {what}s not known")?,
                }
            }
            writeln!(f)?;
        }
        let same = count(self.same, "module version");
        let are = if self.same == 1 { "is" } else { "are" };
        write!(f, "{same} {are} the same in both")
    }
}

/// Why two could not be compared.
#[derive(Debug, thiserror::Error)]
pub enum DiffError {
    /// One of the two cannot be read.
    #[error("{name} cannot be read")]
    Read {
        /// How it is called.
        name: String,
        /// Which class of failure that is.
        exit: Exit,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// It is not sorted, so what it lacks cannot be said.
    #[error("{name}: {item} is out of order or there twice")]
    Order {
        /// How it is called.
        name: String,
        /// What is out of order.
        item: String,
    },
    /// A line of a list is none.
    #[error("{name}, line {line}: {what}")]
    Line {
        /// How it is called.
        name: String,
        /// The line's number, from 1.
        line: u64,
        /// What is wrong with it.
        what: String,
    },
    /// The result could not be told.
    #[error("cannot write the result")]
    Tell(#[source] io::Error),
}

impl Failure for DiffError {
    fn exit(&self) -> Exit {
        match self {
            DiffError::Read { exit, .. } => *exit,
            DiffError::Order { .. } | DiffError::Line { .. } => Exit::Damaged,
            DiffError::Tell(_) => Exit::Other,
        }
    }

    fn advice(&self) -> Option<String> {
        match self {
            DiffError::Order { .. } | DiffError::Line { .. } => Some(
                "a list is what `modferry-appliance list --all --json` prints, as it is".into(),
            ),
            _ => None,
        }
    }
}

/// Compares the two and gives `each` what only one of them has: module versions first, then heads. Tiles are counted.
pub fn compare(
    a: Side<'_>,
    b: Side<'_>,
    each: &mut dyn FnMut(&Difference) -> io::Result<()>,
) -> Result<Summary, DiffError> {
    let mut summary = Summary {
        a: a.name.clone(),
        b: b.name.clone(),
        same: 0,
        only_a: Only::default(),
        only_b: Only::default(),
    };
    let mut only = [Only::default(); 2];

    let mut both = streams::Both::new(
        streams::increasing(&a.name, a.held),
        streams::increasing(&b.name, b.held),
        |held: &Held| held.0.clone(),
    );
    while let Some((a, b)) = both.next()? {
        let (only_in, (module, level), other) = match (a, b) {
            (Some(a), Some(b)) if a.1 == b.1 => {
                summary.same += 1;
                continue;
            }
            (Some(a), Some(b)) if a.1 > b.1 => (Which::A, a, Some(b.1)),
            (Some(a), Some(b)) => (Which::B, b, Some(a.1)),
            (Some(a), None) => (Which::A, a, None),
            (None, Some(b)) => (Which::B, b, None),
            (None, None) => continue,
        };
        match level {
            Level::Zip => only[only_in.at()].zips += 1,
            Level::Mod => only[only_in.at()].mods += 1,
        }
        let difference = Difference::Module {
            only_in,
            module: module.path().to_string(),
            version: module.version().to_string(),
            what: level.into(),
            other: other.map(What::from),
        };
        each(&difference).map_err(DiffError::Tell)?;
    }

    if let (Some(a), Some(b)) = (a.tiles, b.tiles) {
        // The widest at each place: it has the hashes of the narrower ones.
        let place = |(db, tile): &(DbName, Tile)| (db.clone(), tile.full());
        let mut both = streams::Both::new(
            streams::last_of_each(a, place),
            streams::last_of_each(b, place),
            place,
        );
        let mut counts = [0; 2];
        while let Some((a, b)) = both.next()? {
            let width = |tile: &Option<(DbName, Tile)>| tile.as_ref().map_or(0, |t| t.1.width());
            let (a, b) = (width(&a), width(&b));
            counts[0] += u64::from(a > b);
            counts[1] += u64::from(b > a);
        }
        [only[0].tiles, only[1].tiles] = counts.map(Some);
    }

    if let (Some(a), Some(b)) = (&a.heads, &b.heads) {
        for (only_in, here, there) in [(Which::A, a, b), (Which::B, b, a)] {
            let mut count = 0;
            for head in here.difference(there) {
                count += 1;
                let head = head.clone();
                each(&Difference::Head { only_in, head }).map_err(DiffError::Tell)?;
            }
            only[only_in.at()].heads = Some(count);
        }
    }
    [summary.only_a, summary.only_b] = only;
    Ok(summary)
}

#[cfg(test)]
mod tests;
