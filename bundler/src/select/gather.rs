//! Puts together what the settings ask for: files that name modules are read, and each ask becomes what it wants, or
//! what is to be sought upstream first.
//!
//! How far requirements are followed by default depends on what says it: what somebody types is followed all the way, and
//! what is exact by itself, as a go.sum, is taken as it is.

mod builds;
mod projects;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use modferry_cli::wants::Follow;
use modferry_protocol::module::ModuleVersion;
use modferry_protocol::note::VerifierKey;

use super::ask::{Ask, Input, Options, Origin, What};
use super::input::Misplaced;
use super::input::list::{self, List};
use super::packages::constraint::Tags;
use super::sought::Sought;
use super::wants;
use crate::asked::Asked;
use crate::error::Error;
use crate::fetch::{Level, Want};
use crate::files;

/// What these asks come to. `receipt_key` is the key of the destination's receipts, if it is known: it signs wants
/// files too; `tags` say which files count where packages are loaded.
pub fn gather(
    asks: Vec<Ask>,
    receipt_key: Option<&VerifierKey>,
    tags: &Tags,
) -> Result<Asked, Error> {
    let mut gathering = Gathering {
        asked: Asked::default(),
        receipt_key,
        tags,
    };
    for ask in asks {
        gathering.add(ask)?;
    }
    Ok(gathering.asked)
}

struct Gathering<'k> {
    asked: Asked,
    receipt_key: Option<&'k VerifierKey>,
    /// Which files count where packages are loaded.
    tags: &'k Tags,
}

impl Gathering<'_> {
    fn add(&mut self, ask: Ask) -> Result<(), Error> {
        match &ask.what {
            What::Module(sought) => self.sought(ask.options, ask.name(), sought.clone()),
            What::Input(input, path) => match input {
                Input::GoMod => self.go_mod(&ask, path)?,
                Input::GoSum => self.go_sum(&ask, path)?,
                Input::GoWork => self.go_work(&ask, path)?,
                Input::Checkouts => self.checkouts(&ask, path)?,
                Input::Vendor => self.vendor(&ask, path)?,
                Input::Binary => self.binary(&ask, path)?,
                Input::Sbom => self.sbom(&ask, path)?,
                Input::Modcache => self.modcache(&ask, path)?,
                Input::List => self.list(&ask, path)?,
                Input::Wants => self.wants(&ask, path)?,
            },
        }
        Ok(())
    }

    fn sought(&mut self, options: Options, name: String, sought: Sought) {
        self.asked.sought.push(Sought {
            name,
            follow: options.follow.unwrap_or(Follow::All),
            tags: self.tags.clone(),
            pre_releases: options.pre_releases.unwrap_or(false),
            retracted: options.retracted.unwrap_or(false),
            ..sought
        });
    }

    fn list(&mut self, ask: &Ask, path: &Path) -> Result<(), Error> {
        let List {
            names,
            main_modules,
        } = list::parse(&read(path, list::MAX_LIST)?).map_err(at(path))?;
        if let Some(first) = main_modules.first() {
            self.asked.notes.push(format!(
                "{}: {} with no version behind the @ passed over, as the go command prints main modules: the first is line {first}",
                path.display(),
                match main_modules.len() {
                    1 => "1 line".to_owned(),
                    lines => format!("{lines} lines"),
                }
            ));
        }
        if names.is_empty() {
            return Err(Error::usage(format!("{}: names no module", path.display())));
        }
        let file: Arc<Path> = path.into();
        for (line, sought) in names {
            self.add(Ask {
                origin: Origin::Line {
                    file: file.clone(),
                    line,
                },
                what: What::Module(sought),
                options: ask.options,
            })?;
        }
        Ok(())
    }

    fn wants(&mut self, ask: &Ask, path: &Path) -> Result<(), Error> {
        let (entries, notes) = wants::read(path, self.receipt_key)?;
        self.asked.notes.extend(notes);
        let file: Arc<Path> = path.into();
        for (index, entry) in entries.into_iter().enumerate() {
            let origin = match entry.place {
                Some(place) => Origin::Line {
                    file: file.clone(),
                    line: place.line,
                },
                None => Origin::Key {
                    file: file.clone(),
                    key: "wants",
                    index,
                },
            };
            let sought = entry.want.to_string().parse::<Sought>();
            let sought = sought.map_err(|error| {
                let column = entry.place.map(|place| format!(":{}", place.column));
                let column = column.unwrap_or_default();
                Error::usage(format!("{origin}{column}: {error}"))
            })?;
            let mut options = ask.options;
            options.follow = entry.follow.or(options.follow);
            let what = What::Module(Sought {
                or: entry.or,
                wanted: true,
                private: entry.private,
                ..sought
            });
            self.add(Ask {
                origin,
                what,
                options,
            })?;
        }
        Ok(())
    }

    /// Each of these as if it were an argument.
    fn each(
        &mut self,
        ask: &Ask,
        modules: impl IntoIterator<Item = ModuleVersion>,
    ) -> Result<(), Error> {
        for module in modules {
            let name = format!("{}: {module}", ask.name());
            let sought = module.to_string().parse::<Sought>();
            let sought = sought.map_err(|error| Error::usage_because(name.clone(), error))?;
            self.sought(ask.options, name, sought);
        }
        Ok(())
    }

    /// So much of these, and nothing of what they require.
    fn exactly(&mut self, ask: &Ask, modules: BTreeMap<ModuleVersion, Level>) {
        self.asked.wants.push(Want::Exactly {
            name: ask.name(),
            modules,
        });
    }
}

fn read(path: &Path, limit: u64) -> Result<Vec<u8>, Error> {
    files::read_bounded(path, limit).map_err(Error::file("read", path))
}

/// For `map_err`: the file is not what it should be, because.
fn in_file<E>(path: &Path) -> impl FnOnce(E) -> Error
where
    E: std::error::Error + Send + Sync + 'static,
{
    move |source| Error::usage_because(path.display().to_string(), source)
}

/// For `map_err`: `FILE:LINE:COLUMN: why`.
fn at(path: &Path) -> impl FnOnce(Misplaced) -> Error {
    move |misplaced| Error::usage(format!("{}:{misplaced}", path.display()))
}

#[cfg(test)]
#[path = "gather/tests.rs"]
mod tests;
