//! One request, from its head to its response. There is no router: the raw path is the request.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use actix_http::{Method, Request as HttpRequest, Response, StatusCode};
use bytes::Bytes;
use modferry_protocol::request::{Request, RequestError, SumdbRequest};

use crate::answer::{self, Answer, Kind, Refusal};
use crate::gate::Latch;
use crate::recent::{Recent, Small};
use crate::respond::Exchange;
use crate::site::Site;
use crate::tail::NoBody;

/// Answers one request; `recent` is its worker's memory. Everything but the bytes of a long zip is decided and read before this returns: it
/// is a few microseconds of work from memory, and handing it to another thread would cost more.
pub fn serve(site: &Arc<Site>, recent: &Recent, request: &HttpRequest) -> Response<NoBody> {
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
        return exchange.respond(Answer::Refused(Refusal::Method));
    }
    let path = head.uri.path();
    let imports = site.store.imports();
    if let Some(small) = recent.get(path, imports) {
        return exchange.small(&small);
    }
    match decide(site, path) {
        Answer::Bytes(kind, bytes) => {
            let small = Small::new(kind, bytes);
            if kind != Kind::State {
                recent.put(path, imports, &small);
            }
            exchange.small(&small)
        }
        answer => exchange.respond(answer),
    }
}

fn decide(site: &Site, path: &str) -> Answer {
    match path {
        "/healthz" => return state("ok\n".into()),
        "/readyz" => return ready(site),
        _ => {}
    }
    let request = match Request::parse(path) {
        Ok(request) => request,
        Err(error) => return Answer::Refused(malformed(&error)),
    };
    if let Request::Sumdb {
        request: SumdbRequest::Supported,
        ..
    } = request
    {
        return answer::supported();
    }
    match site.store.reader() {
        Some(reader) => answer::answer(reader, &request, || {
            let so_far = site.ahead.fetch_add(1, Ordering::Relaxed) + 1;
            // The first one, and then ever more rarely: a client repeats itself.
            if so_far.is_power_of_two() {
                tracing::warn!(
                    path,
                    so_far,
                    "a client has seen a newer tree than the store has"
                );
            }
        }),
        None => Answer::Refused(not_ready(site)),
    }
}

fn malformed(error: &RequestError) -> Refusal {
    let why = error.to_string();
    match error {
        RequestError::TooLong { .. } => Refusal::TooLong(why),
        RequestError::Unknown(_) | RequestError::UnknownSumdb(_) => Refusal::NoSuchPath(why),
        _ => Refusal::Malformed(why),
    }
}

fn ready(site: &Site) -> Answer {
    let imports = site.store.imports();
    if imports == 0 {
        return Answer::Refused(not_ready(site));
    }
    let ahead = site.ahead.load(Ordering::Relaxed);
    state(format!(
        "ready: imports {imports}, requests by clients with a newer tree {ahead}\n"
    ))
}

fn not_ready(site: &Site) -> Refusal {
    Refusal::NotReady(format!(
        "nothing has been imported into {} yet",
        site.store.path().display()
    ))
}

fn state(text: String) -> Answer {
    Answer::Bytes(Kind::State, Bytes::from(text))
}
