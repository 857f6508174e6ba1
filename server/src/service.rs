//! One request, from its head to its response. There is no router: the raw path is the request.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use actix_http::{Method, Request as HttpRequest, RequestHead, Response, StatusCode};
use bytes::Bytes;
use modferry_appliance::store::{CHUNK, PinnedState, Zip};
use modferry_protocol::request::{Request, RequestError, SumdbRequest};

use crate::answer::{self, Refusal};
use crate::conditional::Etag;
use crate::found::{Answer, Found, Kind, Small};
use crate::gate::Latch;
use crate::recent::Recent;
use crate::respond::Exchange;
use crate::site::Site;
use crate::tail::{MAX_HELD, NoBody};
use crate::wants::{Client, Limit, Waiting};

/// What a worker has of its own.
pub struct Worker {
    /// What it answered lately.
    pub recent: Recent,
    /// Where it notes what is not here; `None` where nobody keeps that.
    pub waiting: Option<Arc<Waiting>>,
}

/// Answers one request, in that worker. Everything but the bytes of a long zip is decided and read before this returns: it
/// is a few microseconds of work from memory, and handing it to another thread would cost more.
pub fn serve(site: &Arc<Site>, worker: &Worker, request: &HttpRequest) -> Response<NoBody> {
    let head = request.head();
    let Some(latch) = request.conn_data::<Latch>() else {
        // Each connection is given one when it is accepted, so this is no request's fault.
        tracing::error!("a connection without a latch");
        return Response::with_body(StatusCode::INTERNAL_SERVER_ERROR, NoBody);
    };
    let exchange = Exchange {
        site,
        head,
        latch,
        since: Instant::now(),
    };
    if head.method != Method::GET && head.method != Method::HEAD {
        return exchange.respond(Err(Refusal::Method));
    }
    let path = head.uri.path();
    let state = site.store.state();
    let found = match worker.recent.get(path, state) {
        Some(found) => Ok(found),
        None => decide(site, path, |request| note(worker, head, request))
            .inspect(|found| worker.recent.put(path, state, found)),
    };
    exchange.respond(found.and_then(|found| match found {
        Found::Small(small) => Ok(Answer::Small(small)),
        Found::Large(kind, zip) => pinned(site, path, state, (kind, zip)),
    }))
}

/// A zip that takes a while to send, with a state of the store that has it. `zip` was found after the store was in
/// `state`.
fn pinned(
    site: &Site,
    path: &str,
    state: Option<u64>,
    (kind, zip): (Kind, Zip),
) -> Result<Answer, Refusal> {
    let pin = site.store.pin().ok_or_else(|| not_ready(site))?;
    if state == Some(pin.generation()) && site.store.state() == state {
        return Ok(Answer::Large(kind, zip, pin));
    }
    // The store has moved on meanwhile, or is just moving: asked once more, in the state that stays.
    match zip_in(&pin, path)? {
        Some(zip) => Ok(Answer::Large(kind, zip, pin)),
        None => Err(not_carried(path)),
    }
}

/// Where the zip or the file is that the path asks for, in that state.
fn zip_in(pin: &PinnedState, path: &str) -> Result<Option<Zip>, Refusal> {
    match Request::parse(path) {
        Ok(Request::Zip(module)) => Ok(pin.zip(&module)?),
        Ok(Request::File(name)) => Ok(pin.file(&name)?),
        _ => Ok(None),
    }
}

/// Notes that this was asked for and is not here. Says whether it was noted; `None` where it is nothing that could be: only a
/// GET is somebody's want.
fn note(worker: &Worker, head: &RequestHead, request: &Request) -> Option<Result<(), Limit>> {
    let waiting = worker.waiting.as_ref()?;
    if head.method != Method::GET {
        return None;
    }
    let client = Client::at(head.peer_addr.map(|address| address.ip()));
    waiting.note(head.uri.path(), request, client)
}

fn not_carried(path: &str) -> Refusal {
    Refusal::NotCarried(format!("{path} any more"))
}

/// `missed` is called with what is not here, and says whether it was noted.
fn decide(
    site: &Site,
    path: &str,
    missed: impl FnOnce(&Request) -> Option<Result<(), Limit>>,
) -> Result<Found, Refusal> {
    match path {
        "/healthz" => return Ok(state("ok\n".into())),
        "/readyz" => return ready(site),
        _ => {}
    }
    let request = Request::parse(path).map_err(|error| malformed(&error))?;
    if let Request::Sumdb {
        request: SumdbRequest::Supported,
        ..
    } = request
    {
        return Ok(answer::supported());
    }
    let reader = site.store.reader().ok_or_else(|| not_ready(site))?;
    let found = answer::answer(reader, &request, &site.private, || {
        let so_far = site.ahead.fetch_add(1, Ordering::Relaxed) + 1;
        // The first one, and then ever more rarely: a client repeats itself.
        if so_far.is_power_of_two() {
            tracing::warn!(
                path,
                so_far,
                "a client has seen a newer tree than the store has"
            );
        }
    });
    let found = found.map_err(|refusal| match refusal {
        Refusal::NotCarried(what) => match missed(&request) {
            Some(Ok(())) => Refusal::Noted(what),
            Some(Err(limit)) => Refusal::NotNoted(what, limit),
            None => Refusal::NotCarried(what),
        },
        refusal => refusal,
    })?;
    match found {
        Found::Large(kind, zip) if zip.size <= CHUNK as u64 => {
            read_at_once(site, path, (kind, zip))
        }
        found => Ok(found),
    }
}

/// A zip of one chunk is read here and now: it costs less than handing it to another thread, and a failure
/// still has a status. A HEAD reads it too, and so says whether a GET would get it.
///
/// It may be removed between the two reads. Then it is looked for once more, in a state that stays.
fn read_at_once(site: &Site, path: &str, (kind, zip): (Kind, Zip)) -> Result<Found, Refusal> {
    let pin = site.store.pin().ok_or_else(|| not_ready(site))?;
    let (zip, chunk) = match site.chunk(&zip, 0, &pin) {
        Ok(chunk) => (zip, chunk),
        Err(_) => {
            let zip = zip_in(&pin, path)?.ok_or_else(|| not_carried(path))?;
            let chunk = site.chunk(&zip, 0, &pin).map_err(Refusal::Fault)?;
            (zip, chunk)
        }
    };
    if chunk.len() as u64 != zip.size {
        let what = format!("a zip has {} bytes, not {}", chunk.len(), zip.size);
        return Err(Refusal::Fault(what));
    }
    Ok(if zip.size <= MAX_HELD {
        let etag = Etag::of_hash(&zip.sha256);
        Found::Small(Small::tagged(kind, chunk, etag))
    } else {
        Found::Large(kind, zip)
    })
}

fn malformed(error: &RequestError) -> Refusal {
    let why = error.to_string();
    match error {
        RequestError::TooLong { .. } => Refusal::TooLong(why),
        RequestError::Unknown(_)
        | RequestError::UnknownSumdb(_)
        | RequestError::UnknownVulndb(_) => Refusal::NoSuchPath(why),
        _ => Refusal::Malformed(why),
    }
}

fn ready(site: &Site) -> Result<Found, Refusal> {
    let imports = site.store.imports();
    if imports == 0 {
        return Err(not_ready(site));
    }
    let ahead = site.ahead.load(Ordering::Relaxed);
    let mut text =
        format!("ready: imports {imports}, requests by clients with a newer tree {ahead}\n");
    // Still ready: what is served is the good state from before the fork. But a person has to look at it.
    match site.store.forks() {
        Some(0) => {}
        Some(forks) => text.push_str(&format!(
            "FORKS of a checksum database that were refused and are not acknowledged: {forks} \
             (modferry-appliance evidence list)\n"
        )),
        None => text.push_str("forks: the store's evidence folder cannot be read\n"),
    }
    Ok(state(text))
}

fn not_ready(site: &Site) -> Refusal {
    Refusal::NotReady(format!(
        "nothing has been imported into {} yet",
        site.store.path().display()
    ))
}

fn state(text: String) -> Found {
    Found::Small(Small::new(Kind::State, Bytes::from(text)))
}
