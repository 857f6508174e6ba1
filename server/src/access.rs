//! The access log: one event for each answer, through tracing, under the target `access`.
//!
//! An event has the method, the path as the client sent it, the status, the bytes of the body that were
//! handed to the connection, the microseconds from the request's head to there, and the client's address.
//! A zip that is streamed is logged when it ends, so that its bytes say whether the client took all of it.

use std::net::SocketAddr;
use std::time::Instant;

use actix_http::{Method, StatusCode, Uri};

/// What is known of a request before its answer has been sent.
pub struct Access {
    method: Method,
    uri: Uri,
    client: Option<SocketAddr>,
    status: StatusCode,
    since: Instant,
}

impl Access {
    /// Remembers a request that came `since` then and is answered with `status`.
    pub fn new(head: &actix_http::RequestHead, status: StatusCode, since: Instant) -> Access {
        Access {
            method: head.method.clone(),
            uri: head.uri.clone(),
            client: head.peer_addr,
            status,
            since,
        }
    }

    /// Writes the event: `bytes` of body were sent.
    pub fn log(&self, bytes: u64) {
        log(
            &self.method,
            self.uri.path(),
            self.client,
            self.status,
            bytes,
            self.since,
        );
    }
}

/// Writes the event of an answer that is complete.
pub fn log(
    method: &Method,
    path: &str,
    client: Option<SocketAddr>,
    status: StatusCode,
    bytes: u64,
    since: Instant,
) {
    let micros = u64::try_from(since.elapsed().as_micros()).unwrap_or(u64::MAX);
    match client {
        Some(client) => {
            tracing::info!(target: "access", method = method.as_str(), path, status = status.as_u16(), bytes, micros, %client);
        }
        None => {
            tracing::info!(target: "access", method = method.as_str(), path, status = status.as_u16(), bytes, micros);
        }
    }
}
