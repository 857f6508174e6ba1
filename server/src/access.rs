//! The access log: one event for each answer, through tracing, under the target `access`.
//!
//! An event has the method, the path as the client sent it, the status, the bytes of the body that the kernel
//! took for the client, the microseconds from the request's head to then, and the client's address.

use std::net::SocketAddr;
use std::time::Instant;

use crate::logging::ACCESS;
use actix_http::{Method, RequestHead, StatusCode, Uri};

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
    pub fn new(head: &RequestHead, status: StatusCode, since: Instant) -> Access {
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
        let (method, path, status) = (self.method.as_str(), self.uri.path(), self.status.as_u16());
        let micros = u64::try_from(self.since.elapsed().as_micros()).unwrap_or(u64::MAX);
        match self.client {
            Some(client) => {
                tracing::info!(target: ACCESS, method, path, status, bytes, micros, %client);
            }
            None => tracing::info!(target: ACCESS, method, path, status, bytes, micros),
        }
    }
}
