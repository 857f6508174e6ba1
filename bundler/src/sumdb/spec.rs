//! GOSUMDB in the forms that the go command knows (cmd/go/internal/modfetch/sumdb.go, dbDial):
//! `name`, `name+hash+key`, either with a URL behind it, and `sum.golang.google.cn`.

use modferry_protocol::note::{KeyError, SUM_GOLANG_ORG, VerifierKey};
use modferry_protocol::sumdb::{DbName, DbNameError};

use crate::upstream::url::{Base, BaseError, without_user};

/// Which checksum database, with which key, reached how.
#[derive(Clone, Debug)]
pub struct SumdbSpec {
    /// Its name.
    pub name: DbName,
    /// The key that signs its tree heads.
    pub key: VerifierKey,
    /// Where it is reached if that was said; no proxy is asked then.
    pub at: Option<Base>,
}

/// Why a GOSUMDB value was not accepted.
#[derive(Debug, thiserror::Error)]
pub enum SpecError {
    /// `off`.
    #[error("GOSUMDB=off: modferry carries nothing that a checksum database does not vouch for")]
    Off,
    /// Nothing in it.
    #[error("GOSUMDB is empty")]
    Empty,
    /// More than a key and a URL.
    #[error("GOSUMDB has {0} fields: more than a key and a URL")]
    Fields(usize),
    /// The key is none.
    #[error(
        "GOSUMDB: {name:?} is neither a known checksum database nor a verifier key (NAME+HASH+KEY)"
    )]
    Key {
        /// What stands there.
        name: String,
        /// What is wrong with it.
        source: KeyError,
    },
    /// The key's name is no database's name.
    #[error("GOSUMDB: the key's name cannot be a checksum database's (host[/path])")]
    Name(#[from] DbNameError),
    /// The URL is none.
    #[error("GOSUMDB: unusable URL")]
    Url(#[from] BaseError),
}

impl SumdbSpec {
    /// Parses GOSUMDB's value.
    pub fn parse(text: &str) -> Result<SumdbSpec, SpecError> {
        let text = match text.trim() {
            // An alias of the go command's, reachable where the other is not.
            "sum.golang.google.cn" => "sum.golang.org https://sum.golang.google.cn",
            other => other,
        };
        if text == "off" {
            return Err(SpecError::Off);
        }
        let fields: Vec<&str> = text.split_whitespace().collect();
        let (key, at) = match fields[..] {
            [] => return Err(SpecError::Empty),
            [key] => (key, None),
            [key, url] => (key, Some(Base::parse(url)?)),
            _ => return Err(SpecError::Fields(fields.len())),
        };
        let known = SUM_GOLANG_ORG.split('+').next() == Some(key);
        let key: VerifierKey =
            if known { SUM_GOLANG_ORG } else { key }
                .parse()
                .map_err(|source| SpecError::Key {
                    name: without_user(key), // it may be a URL by mistake
                    source,
                })?;
        Ok(SumdbSpec {
            name: DbName::new(key.name())?,
            key,
            at,
        })
    }

    /// Where it is when no proxy passes it on and no URL was given.
    pub fn direct(&self) -> Result<Base, BaseError> {
        Base::parse(&format!("https://{}", self.name))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn every_form_is_read() {
        let spec = SumdbSpec::parse("sum.golang.org").unwrap();
        assert_eq!(spec.key.to_string(), SUM_GOLANG_ORG);
        assert!(spec.at.is_none());
        assert_eq!(spec.direct().unwrap().to_string(), "https://sum.golang.org");

        let spec = SumdbSpec::parse("sum.golang.google.cn").unwrap();
        assert_eq!(spec.name.as_str(), "sum.golang.org");
        assert_eq!(spec.at.unwrap().to_string(), "https://sum.golang.google.cn");

        let spec = SumdbSpec::parse(&format!(" {SUM_GOLANG_ORG}  http://127.0.0.1:1/x ")).unwrap();
        assert_eq!(spec.at.unwrap().to_string(), "http://127.0.0.1:1/x");
        assert!(SumdbSpec::parse("sum.golang.org file:///c/sumdb/sum.golang.org").is_ok());
    }

    #[test]
    fn other_things_are_refused_with_the_reason() {
        for (text, words) in [
            ("off", "vouch"),
            ("", "is empty"),
            ("sum.example.org", "neither a known"),
            ("a b c", "more than"),
            ("sum.golang.org gopher://x/", "unusable URL"),
        ] {
            let error = SumdbSpec::parse(text).unwrap_err().to_string();
            assert!(error.contains(words), "{text:?}: {error}");
        }
    }

    #[test]
    fn passwords_are_never_shown() {
        for text in [
            "sum.golang.org https://user:secret@x y",
            "sum.golang.org https://user:se/cret@x",
            "sum.golang.org https:/user:secret@x",
            "https://user:secret@x",
        ] {
            let error = SumdbSpec::parse(text).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("cret"), "{error:?}");
        }
    }
}
