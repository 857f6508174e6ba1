//! Answers to queries: which of several is served, and what becomes of them.

use super::*;
use modferry_protocol::bundle::{Answer, Gone, Query};
use modferry_protocol::module::Revision;

const MAIN: &str = "main";

pub(in crate::store) fn query(path_of: &str, revision: &str) -> Query {
    Query::new(path(path_of), Revision::new(revision).unwrap()).unwrap()
}

/// Puts the answer that `main` of that module is this version.
pub(in crate::store) fn put_answer(draft: &mut Draft<'_>, named: &str) {
    let named = module(named);
    let answer = Answer {
        asked: "2026-11-21T09:00:00Z",
        info: &info(&named),
    };
    let query = query(named.path().as_str(), MAIN);
    draft.put(&Item::Query(query), &answer.encode()).unwrap();
}

/// What `main` of that module is served as.
pub(in crate::store) fn served(site: &Site, of: &str) -> Option<String> {
    let answer = site
        .reader()
        .answer(&path(of), &Revision::new(MAIN).unwrap());
    answer
        .unwrap()
        .map(|info| String::from_utf8(info.into_vec()).unwrap())
}

fn info_text(name: &str) -> Option<String> {
    Some(String::from_utf8(info(&module(name))).unwrap())
}

const A1: &str = "example.com/a@v1.1.0";
const A2: &str = "example.com/a@v1.2.0";
const A3: &str = "example.com/a@v1.3.0";
const A: &str = "example.com/a";

#[test]
fn a_later_bundle_of_the_stream_answers_anew_and_a_late_one_does_not() {
    let site = Site::new();
    let with = |name: &'static str| {
        move |draft: &mut Draft<'_>| {
            put_whole(draft, &module(name), 10);
            put_answer(draft, name);
        }
    };
    assert_eq!(site.import_of("p", 2, with(A2)).added.queries, 1);
    assert_eq!(served(&site, A), info_text(A2));
    // Number 1 comes late.
    assert_eq!(site.import_of("p", 1, with(A1)).added.queries, 0);
    assert_eq!(served(&site, A), info_text(A2));
    site.import_of("p", 3, with(A3));
    assert_eq!(served(&site, A), info_text(A3));
    // Back to what it was: a branch may be.
    site.import_of("p", 4, with(A2));
    assert_eq!(served(&site, A), info_text(A2));
    assert_eq!(site.reader().totals().unwrap().counts.queries, 1);
}

#[test]
fn of_several_streams_the_answer_that_came_last_is_served() {
    let site = Site::new();
    let answering = |name: &'static str| {
        move |draft: &mut Draft<'_>| {
            put_whole(draft, &module(name), 10);
            put_answer(draft, name);
        }
    };
    site.import_of("p", 7, answering(A1));
    site.import_of("q", 1, answering(A2));
    assert_eq!(served(&site, A), info_text(A2));
    // Late for its own stream, whatever another one has said since.
    site.import_of("p", 6, answering(A3));
    assert_eq!(served(&site, A), info_text(A2));
    site.import_of("p", 8, answering(A3));
    assert_eq!(served(&site, A), info_text(A3));

    let mut told = Vec::new();
    let tell = |answer: Answered| {
        told.push((
            answer.stream.clone(),
            answer.sequence,
            answer.module()?.to_string(),
        ));
        assert_eq!(answer.asked(), "2026-11-21T09:00:00Z");
        Ok(())
    };
    site.reader().each_answer("example.com/a@ma", tell).unwrap();
    assert_eq!(told, [("p".into(), 8, A3.into())]);
    site.reader()
        .each_answer("example.com/a@x", |_| panic!("no such query"))
        .unwrap();
}

#[test]
fn an_answer_goes_with_the_version_that_it_names() {
    let site = Site::new();
    site.import_of("p", 1, |draft| {
        for name in [A1, A2, "example.com/b@v1.0.0"] {
            put_whole(draft, &module(name), 10);
        }
        put_answer(draft, A1);
        put_answer(draft, "example.com/b@v1.0.0");
    });
    site.import_of("q", 1, |draft| put_answer(draft, A2));
    let take_back = |sequence, name: &str, gone| {
        site.import_of("p", sequence, |draft| {
            draft.gone(&module(name), gone).unwrap();
        });
        let store = site.store();
        store.find_gone(|_| Ok(())).unwrap().commit().unwrap()
    };
    assert_eq!(served(&site, A), info_text(A2));
    take_back(2, A2, Gone::Zip);
    assert_eq!(
        served(&site, A),
        info_text(A1),
        "what the other stream was answered"
    );
    assert_eq!(site.reader().totals().unwrap().counts.queries, 2);
    take_back(3, A1, Gone::All);
    assert_eq!(served(&site, A), None);
    assert!(served(&site, "example.com/b").is_some());
    assert_eq!(site.reader().totals().unwrap().counts.queries, 1);
    site.reader()
        .each_answer(A, |answer| panic!("{answer:?}"))
        .unwrap();
}
