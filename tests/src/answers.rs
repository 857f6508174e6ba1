//! What a client hears: every answer of a server about some modules, to be compared byte for byte.

use std::collections::BTreeMap;

use crate::{halfway::GOES, http, server::Server, vulndb};

/// Answers by the path of their requests: status and body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answers(BTreeMap<String, (u16, Vec<u8>)>);

impl Answers {
    /// Asks a running server about each of `modules` (`path@version`) the vulnerability database and files, whatever it answers.
    pub fn of(server: &Server, sumdb: &str, modules: &[String]) -> Self {
        let mut client = http::Client::connect(server.address());
        let paths = paths(sumdb, modules).into_iter();
        let files = ["/files/".to_owned(), format!("/files/{GOES}")];
        let paths = paths.chain(vulndb::paths_of_two()).chain(files);
        let answers = paths.map(|path| {
            let answer = client.ask("GET", &path, &[]);
            (path, (answer.status, answer.body))
        });
        Self(answers.collect())
    }

    /// How many of the answers have this status.
    pub fn with_status(&self, status: u16) -> usize {
        self.0.values().filter(|(it, _)| *it == status).count()
    }

    /// Fails unless these are the answers of `other`, and says which differ.
    #[track_caller]
    pub fn assert_eq(&self, other: &Self, what: &str) {
        let differ: Vec<String> = self
            .0
            .iter()
            .filter(|(path, answer)| other.0.get(*path) != Some(answer))
            .map(|(path, (status, body))| {
                let other = other
                    .0
                    .get(path)
                    .map(|(status, body)| (*status, body.len()));
                format!("{path}: {status}, {} bytes; was {other:?}", body.len())
            })
            .collect();
        assert!(differ.is_empty(), "{what}: {differ:#?}");
        assert_eq!(self.0.len(), other.0.len(), "{what}");
    }
}

/// Every path that the go command asks for about these modules, and the database's head.
pub fn paths(sumdb: &str, modules: &[String]) -> Vec<String> {
    let mut paths = vec![format!("/sumdb/{sumdb}/latest")];
    for module in modules {
        let (path, version) = module.split_once('@').unwrap();
        paths.extend(["info", "mod", "zip"].map(|kind| format!("/{path}/@v/{version}.{kind}")));
        paths.push(format!("/{path}/@v/list"));
        paths.push(format!("/{path}/@latest"));
        paths.push(format!("/sumdb/{sumdb}/lookup/{module}"));
    }
    paths
}
