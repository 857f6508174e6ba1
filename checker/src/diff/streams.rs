//! Sorted streams: united, thinned, held against each other. Each keeps one item of a stream in memory, not more.

use std::iter::Peekable;

use modferry_protocol::module::ModuleVersion;

use super::{DiffError, Held};

/// Items in their order, as they are read.
pub type Sorted<'a, T> = Box<dyn Iterator<Item = Result<T, DiffError>> + 'a>;

/// Several sorted streams as one. What is in two of them comes twice.
pub fn merge<'a, T: Ord + 'a>(streams: Vec<Sorted<'a, T>>) -> Sorted<'a, T> {
    let mut streams: Vec<Peekable<Sorted<'a, T>>> =
        streams.into_iter().map(Iterator::peekable).collect();
    Box::new(std::iter::from_fn(move || {
        let mut least: Option<(usize, &T)> = None;
        let mut failed = None;
        for (at, stream) in streams.iter_mut().enumerate() {
            match stream.peek() {
                Some(Err(_)) => {
                    failed = Some(at);
                    break;
                }
                Some(Ok(item)) if least.is_none_or(|(_, least)| item < least) => {
                    least = Some((at, item));
                }
                _ => {}
            }
        }
        let at = failed.or(least.map(|(at, _)| at))?;
        streams[at].next()
    }))
}

/// Of each run of items with the same key, the last, which is the greatest.
pub fn last_of_each<'a, T: 'a, K: PartialEq>(
    stream: Sorted<'a, T>,
    key: impl Fn(&T) -> K + 'a,
) -> Sorted<'a, T> {
    let mut stream = stream.peekable();
    Box::new(std::iter::from_fn(move || {
        loop {
            let item = match stream.next()? {
                Ok(item) => item,
                error => return Some(error),
            };
            match stream.peek() {
                Some(Ok(next)) if key(next) == key(&item) => {}
                _ => return Some(Ok(item)),
            }
        }
    }))
}

/// The stream, if it is in strictly increasing order: one that is not would be compared wrongly.
pub fn increasing<'a>(name: &'a str, mut stream: Sorted<'a, Held>) -> Sorted<'a, Held> {
    let mut last: Option<ModuleVersion> = None;
    Box::new(std::iter::from_fn(move || {
        let (module, level) = match stream.next()? {
            Ok(held) => held,
            error => return Some(error),
        };
        if last.as_ref().is_some_and(|last| module <= *last) {
            return Some(Err(DiffError::Order {
                name: name.to_owned(),
                item: module.to_string(),
            }));
        }
        last = Some(module.clone());
        Some(Ok((module, level)))
    }))
}

/// Two streams side by side: what has the same key comes as a pair.
pub struct Both<'a, T, K> {
    a: Peekable<Sorted<'a, T>>,
    b: Peekable<Sorted<'a, T>>,
    key: fn(&T) -> K,
}

/// What the two have of one key.
type Pair<T> = (Option<T>, Option<T>);

impl<'a, T, K: Ord> Both<'a, T, K> {
    pub fn new(a: Sorted<'a, T>, b: Sorted<'a, T>, key: fn(&T) -> K) -> Self {
        Self {
            a: a.peekable(),
            b: b.peekable(),
            key,
        }
    }

    /// The next key's items; `None` when both streams have ended.
    pub fn next(&mut self) -> Result<Option<Pair<T>>, DiffError> {
        // A failure is taken at once: it has no place in the order.
        for stream in [&mut self.a, &mut self.b] {
            if let Some(Err(error)) = stream.next_if(Result::is_err) {
                return Err(error);
            }
        }
        let key = self.key;
        let of = |item: Option<&Result<T, DiffError>>| match item {
            Some(Ok(item)) => Some(key(item)),
            _ => None,
        };
        let (takes_a, takes_b) = match (of(self.a.peek()), of(self.b.peek())) {
            (None, None) => return Ok(None),
            (Some(a), Some(b)) => (a <= b, b <= a),
            (a, b) => (a.is_some(), b.is_some()),
        };
        let a = if takes_a { self.a.next() } else { None };
        let b = if takes_b { self.b.next() } else { None };
        Ok(Some((a.transpose()?, b.transpose()?)))
    }
}
