//! Answers to queries: what they name, who brought them, and which of them is served.

use super::{Run, keys};
use crate::store::{Answered, Counts, Extent, StoreError};

impl Run<'_> {
    /// Checks each stream's answers, and each that is served, and counts the latter.
    pub(super) fn queries(&mut self, counts: &mut Counts) {
        let mut given = 0;
        let mut newest: Option<Answered> = None;
        self.each(
            &keys::queries_from(""),
            "answers to queries",
            |run, key, value| {
                given += 1;
                let Some(keys::Named::Query(query, stream)) = keys::parse(key) else {
                    return run.found("an answer's key that names no query");
                };
                let what = format!("the answer to {query} of stream {stream}");
                let decoded = Answered::decode(query, stream, value);
                let Some(answer) = run.sound(|| what.clone(), decoded) else {
                    return;
                };
                run.given(&what, &answer);
                match &newest {
                    Some(last) if last.query == answer.query && last.entry > answer.entry => {}
                    Some(last) if last.query == answer.query => newest = Some(answer),
                    _ => {
                        if let Some(last) = newest.replace(answer) {
                            run.served(&last);
                        }
                    }
                }
            },
        );
        if let Some(last) = newest {
            self.served(&last);
        }
        let mut served = 0;
        self.each(
            &keys::all_answers(),
            "answers that are served",
            |run, key, _| {
                served += 1;
                // The name of the one, and behind it a stream's.
                let mut of_streams = keys::queries_from("");
                of_streams.extend_from_slice(&key[1..]);
                of_streams.push(0);
                let any = run.view.any(&of_streams);
                if run.sound(|| "an answer that is served".into(), any) == Some(false) {
                    run.found("an answer is served that no stream was given");
                }
            },
        );
        counts.queries = served;
        self.checked("answers to queries name versions that are whole", given);
        self.checked("answers that are served are those that came last", served);
    }

    /// A stream's answer names what is whole, and the bundle that the ledger has at its place brought it.
    fn given(&mut self, what: &str, answer: &Answered) {
        let whole = || -> Result<bool, StoreError> {
            let module = answer.module()?;
            Ok(self.view.extent(&module)? == Extent::Zip
                && self.view.has_info(&module)?
                && self.view.has_go_mod(&module)?)
        };
        let whole = whole();
        if self.sound(|| what.into(), whole) == Some(false) {
            self.found(format!("{what}: it names a version that is not whole"));
        }
        let entry = self.view.ledger(answer.entry);
        let Some(entry) = self.sound(|| what.into(), entry) else {
            return;
        };
        let import = entry.as_ref().and_then(|entry| entry.import());
        let brought = import.is_some_and(|import| {
            import.source.stream == answer.stream && import.source.sequence == answer.sequence
        });
        if !brought {
            self.found(format!(
                "{what}: the ledger's entry {} is not the import of bundle {}",
                answer.entry, answer.sequence
            ));
        }
    }

    /// The answer that came last is the one that is served.
    fn served(&mut self, answer: &Answered) {
        let key = keys::answer(answer.query.path(), answer.query.revision());
        let served = self
            .view
            .pinned(&key)
            .map(|value| value.map(|value| value.to_vec()));
        let what = || format!("the answer to {}", answer.query);
        if let Some(served) = self.sound(what, served)
            && served.as_deref() != Some(&answer.bytes[..])
        {
            self.found(format!("{}: it is not the one that came last", what()));
        }
    }
}
