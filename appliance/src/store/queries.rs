//! Answers to queries: which version a branch or a commit stood for when the connected side asked.
//!
//! Each stream has its own answer to a query, and a later bundle of the stream replaces it. A bundle that comes late replaces
//! nothing that a later one of its stream has said. Between streams there is no such number, and the clocks of two
//! connected sides decide nothing: the answer that came in last is served, by the ledger, which is the one order that there is
//! here.
//!
//! What is answered names a version that is whole: the check of the bundle has seen to it, and where `gc` removes the
//! version, the answer goes with it.

use super::{Counts, Draft, StoreError, Value, View, keys};
use modferry_checker::answered;
use modferry_protocol::bundle::{Answer, Query};
use modferry_protocol::module::{ModulePath, ModuleVersion, Revision};

/// What one stream's answer to a query is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answered {
    /// What was asked.
    pub query: Query,
    /// The stream whose bundle brought the answer.
    pub stream: String,
    /// The bundle, by its number in the stream.
    pub sequence: u64,
    /// The ledger's entry of its import.
    pub entry: u64,
    /// The answer, as the bundle had it.
    pub(super) bytes: Vec<u8>,
}

impl Answered {
    /// Reads what is stored for that stream.
    pub(super) fn decode(query: Query, stream: String, value: &[u8]) -> Result<Self, StoreError> {
        let numbers = value.split_first_chunk::<8>().and_then(|(sequence, rest)| {
            let (entry, bytes) = rest.split_first_chunk::<8>()?;
            Some((sequence, entry, bytes))
        });
        let Some((sequence, entry, bytes)) = numbers else {
            let what = format!("an answer of {} bytes", value.len());
            return Err(StoreError::damaged(what));
        };
        Ok(Self {
            query,
            stream,
            sequence: u64::from_be_bytes(*sequence),
            entry: u64::from_be_bytes(*entry),
            bytes: bytes.to_vec(),
        })
    }

    fn encode(&self) -> Vec<u8> {
        let mut value = self.sequence.to_be_bytes().to_vec();
        value.extend_from_slice(&self.entry.to_be_bytes());
        value.extend_from_slice(&self.bytes);
        value
    }

    /// The version that it names.
    pub fn module(&self) -> Result<ModuleVersion, StoreError> {
        answered(&self.query, &self.bytes)
            .map_err(|what| StoreError::damaged(format!("the answer to {}: {what}", self.query)))
    }

    /// When it was asked, by the connected side's clock.
    pub fn asked(&self) -> &str {
        Answer::parse(&self.bytes).map_or("", |answer| answer.asked)
    }
}

impl View {
    /// The `.info` that answers a query, as upstream served it.
    pub fn answer(
        &self,
        path: &ModulePath,
        revision: &Revision,
    ) -> Result<Option<Value>, StoreError> {
        let Some(value) = self.pinned(&keys::answer(path, revision))? else {
            return Ok(None);
        };
        match Answer::parse(&value) {
            Some(answer) => Ok(Some(Value::from(answer.info))),
            None => Err(StoreError::damaged(format!(
                "the answer to {path}@{revision}"
            ))),
        }
    }

    /// Calls `f` with the answer that is served to each query of the modules whose paths begin with `prefix` (or, with an
    /// `@` in it, of the module that stands before, where the query begins with what stands behind), by path and query.
    pub fn each_answer(
        &self,
        prefix: &str,
        mut f: impl FnMut(Answered) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let mut newest: Option<Answered> = None;
        self.each_given(&keys::queries_from(prefix), |given| {
            match &newest {
                Some(last) if last.query == given.query => {
                    if given.entry > last.entry {
                        newest = Some(given);
                    }
                }
                _ => {
                    if let Some(last) = newest.replace(given) {
                        f(last)?;
                    }
                }
            }
            Ok(())
        })?;
        newest.map_or(Ok(()), f)
    }

    /// Calls `f` with each stream's answers whose keys begin so.
    pub(super) fn each_given(
        &self,
        prefix: &[u8],
        mut f: impl FnMut(Answered) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        self.scan(prefix, |key, value| match keys::parse(key) {
            Some(keys::Named::Query(query, stream)) => f(Answered::decode(query, stream, value)?),
            _ => Err(StoreError::damaged("an answer's key that names no query")),
        })
    }
}

impl Draft<'_> {
    /// Takes an answer as its stream's, unless a later bundle has answered already, and has it served from now on.
    pub(super) fn give_answer(
        &self,
        query: Query,
        bytes: &[u8],
        (stream, sequence): (&str, u64),
        added: &mut Counts,
    ) -> Result<(), StoreError> {
        let held: &View = self.store;
        let key = keys::query(&query, stream);
        if let Some(old) = held.pinned(&key)? {
            let old = Answered::decode(query.clone(), stream.into(), &old)?;
            if old.sequence > sequence {
                return Ok(());
            }
        }
        let served = keys::answer(query.path(), query.revision());
        added.queries += u64::from(held.pinned(&served)?.is_none());
        self.scratch.put(&served, bytes)?;
        let given = Answered {
            query,
            stream: stream.into(),
            sequence,
            entry: held.ledger_size()? + 1,
            bytes: bytes.to_vec(),
        };
        self.scratch.put(&key, &given.encode())
    }
}
