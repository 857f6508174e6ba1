//! Names are resolved once, not for every request of every transfer: the HTTP client asks its resolver even
//! for a connection that it has open, and dozens of equal questions at once are more than some resolvers answer.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use ureq::Error;
use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;

/// How long an answer counts.
const GOOD_FOR: Duration = Duration::from_secs(60);
/// How long a failure counts for those who waited for the same answer; they try again with the rest of their request.
const FAILED_FOR: Duration = Duration::from_millis(500);

/// The system's resolver, asked by one thread at a time for each name.
#[derive(Default)]
pub struct CachingResolver {
    system: DefaultResolver,
    names: Mutex<HashMap<String, Arc<Mutex<Answer>>>>,
}

#[derive(Default)]
enum Answer {
    #[default]
    None,
    Failed(Instant),
    Good(Instant, Box<ResolvedSocketAddrs>),
}

impl fmt::Debug for CachingResolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CachingResolver")
    }
}

impl CachingResolver {
    fn cached(
        &self,
        name: String,
        ask: impl FnOnce() -> Result<ResolvedSocketAddrs, Error>,
    ) -> Result<ResolvedSocketAddrs, Error> {
        let slot = {
            let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(names.entry(name).or_default())
        };
        let mut answer = slot.lock().unwrap_or_else(PoisonError::into_inner);
        match &*answer {
            Answer::Good(at, addresses) if at.elapsed() < GOOD_FOR => {
                return Ok((**addresses).clone());
            }
            Answer::Failed(at) if at.elapsed() < FAILED_FOR => return Err(Error::HostNotFound),
            _ => {}
        }
        let asked = ask();
        *answer = match &asked {
            Ok(addresses) => Answer::Good(Instant::now(), Box::new(addresses.clone())),
            Err(_) => Answer::Failed(Instant::now()),
        };
        asked
    }
}

impl Resolver for CachingResolver {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, Error> {
        let name = match (uri.scheme(), uri.authority()) {
            (Some(scheme), Some(authority)) => DefaultResolver::host_and_port(scheme, authority),
            _ => None,
        };
        match name {
            Some(name) => self.cached(name, || self.system.resolve(uri, config, timeout)),
            None => self.system.resolve(uri, config, timeout),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn many_who_ask_at_once_are_one_question() {
        let resolver = CachingResolver::default();
        let asked = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    let addresses = resolver.cached("h:1".into(), || {
                        asked.fetch_add(1, Ordering::Relaxed);
                        let mut addresses = resolver.empty();
                        addresses.push("127.0.0.1:1".parse().unwrap());
                        Ok(addresses)
                    });
                    assert_eq!(addresses.unwrap().len(), 1);
                });
            }
        });
        assert_eq!(asked.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn a_failure_is_told_and_soon_forgotten() {
        let resolver = CachingResolver::default();
        assert!(
            resolver
                .cached("h:1".into(), || Err(Error::ConnectionFailed))
                .is_err()
        );
        let slot = Arc::clone(&resolver.names.lock().unwrap()["h:1"]);
        assert!(matches!(*slot.lock().unwrap(), Answer::Failed(_)));
        *slot.lock().unwrap() = Answer::Failed(Instant::now() - FAILED_FOR);
        assert!(
            resolver
                .cached("h:1".into(), || Ok(resolver.empty()))
                .is_ok()
        );
    }
}
