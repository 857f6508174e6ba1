//! The module of a package: what is typed as for `go install` may be a package's path, and the module is the longest
//! beginning of it that has the package.
//!
//! A path that is a module's own is taken as that, and nothing is fetched to find it out. No host is asked for a beginning
//! that is private, or that begins the names of private modules.

use std::fs::File;

use modferry_protocol::h1::H1;
use modferry_protocol::module::{ModulePath, ModuleVersion};
use modferry_protocol::zip::Checker;

use super::{Answer, AskError, Oracle, Question, Unanswered};
use crate::cache::FileAt;
use crate::fetch::zip::{self, ZipError};
use crate::fetch::{Fatal, Part};
use crate::select::packages::constraint::Tags;
use crate::select::packages::zip_packages;
use crate::select::query::Kind;
use crate::sumdb::client::LookupError;
use crate::upstream::goproxy::Unavailable;

impl Oracle<'_> {
    /// The answer about the path itself, or about the first of the others that has a package of that path. Where none has,
    /// it is what the path itself comes to.
    pub(super) fn ask_above(&self, question: &Question) -> Result<Answer, AskError> {
        let about = |path: &ModulePath| Question {
            path: path.clone(),
            or: Vec::new(),
            looks: true,
            ..question.clone()
        };
        let refusal = match self.ask_one(&about(&question.path)) {
            Err(AskError::Unanswered(why)) => why,
            answer => return answer,
        };
        let mut reached = !refusal.is_trouble();
        for path in &question.or {
            if !reached {
                break;
            }
            if self.sources.is_above_private(path) || self.sources.private_path_by(path).is_some() {
                continue;
            }
            match self.ask_one(&about(path)) {
                Ok(answer) => {
                    // Of several versions the newest tells.
                    let has = |module| self.has_package(module, question);
                    if answer.chosen.last().map(has).transpose()?.unwrap_or(false) {
                        return Ok(answer);
                    }
                }
                Err(AskError::Unanswered(why)) => reached = !why.is_trouble(),
                fatal => return fatal,
            }
        }
        // Whoever fetches a version that was named says why it is not there.
        match question.query.kind() {
            Kind::Named(name) if !question.looks => {
                let exact = ModuleVersion::parse(question.path.as_str(), name.as_str());
                let refused = matches!(*refusal, Unanswered::Excluded { .. });
                match exact {
                    Ok(module) if !refused => Ok(Answer {
                        chosen: vec![module],
                        ..Answer::default()
                    }),
                    _ => Err(AskError::Unanswered(refusal)),
                }
            }
            _ => Err(AskError::Unanswered(refusal)),
        }
    }

    /// Whether a module has the package that is asked about. A plan fetches no zip, and takes one that is not in the cache to have
    /// it. What cannot be had for another reason than that there is none ends the search, as it ends the go command's: another
    /// module would be taken instead, without a word.
    fn has_package(&self, module: &ModuleVersion, question: &Question) -> Result<bool, AskError> {
        let sources = self.sources;
        let refused = |why: Unavailable| match why.is_absence() {
            true => Ok(false),
            false => Err(AskError::Unanswered(Box::new(Unanswered::Unavailable {
                module: module.path().clone(),
                query: question.query.clone(),
                why,
            }))),
        };
        let of_cache = |source| {
            let module = module.clone();
            AskError::from(Fatal::Cache { module, source })
        };
        let path = match sources.zips {
            false => sources.cache.path(module, "zip"),
            true => {
                let recorded = match sources.record(module) {
                    Ok(looked) => looked.record.zip(),
                    Err(LookupError::Unavailable(why)) => return refused(why),
                    Err(error) => return Err(Fatal::Lookup(error).into()),
                };
                let renewed = |got: H1| {
                    let again = sources.record_again(module);
                    again
                        .is_some_and(|looked| looked.is_ok_and(|looked| looked.record.zip() == got))
                };
                let mut checker = Checker::default();
                match zip::of(sources, module, recorded, &mut checker, |_| {}, renewed) {
                    Ok(zip) => zip.path,
                    Err(ZipError::Refused(why)) => return refused(why),
                    Err(ZipError::Local(source)) => return Err(of_cache(source)),
                    Err(ZipError::Mismatch(got)) => {
                        sources.sumdb.forget_lookup(module);
                        let module = module.clone();
                        return Err(Fatal::Mismatch {
                            module,
                            part: Part::Zip,
                            got,
                            recorded,
                        }
                        .into());
                    }
                }
            }
        };
        let Ok(zip) = File::open(path).and_then(FileAt::new) else {
            return Ok(true);
        };
        let folder = question.path.as_str().strip_prefix(module.path().as_str());
        let folder = folder.unwrap_or_default().trim_start_matches('/');
        Ok(match zip_packages::read(module, &zip, &Tags::Any) {
            Ok(packages) => packages.folder(folder).is_some(),
            Err(_) => true,
        })
    }
}
