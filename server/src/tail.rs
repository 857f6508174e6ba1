//! The bytes behind an answer's head, and how they reach the connection.
//!
//! The HTTP engine is given no bodies: it would copy each into a buffer of its own connection, grow that to the
//! largest body ever sent there, and keep it. It writes the head, which says the length, and believes that
//! nothing follows ([`NoBody`]); the connection ([`crate::gate`]) then sends the [`Tail`] straight from where the
//! bytes are, a small one in the same system call as the head.
//!
//! A zip that is not small is sent chunk by chunk out of the store, with the next chunk read while one is being
//! sent. Between two writes nothing of it is held here, only its place; see [`crate::chunks`]. Chunks are read on a
//! thread for blocking work: one that no page cache holds takes a disk's time, and other requests of the same worker
//! are not to wait for that.
//!
//! A tail writes the access log when it ends, so that its bytes say whether the client took all of it.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use actix_http::body::{BodySize, MessageBody};
use bytes::{Buf as _, Bytes};
use modferry_appliance::store::{CHUNK, PinnedState, Zip};
use tokio::task::JoinHandle;

use crate::access::Access;
use crate::site::Site;

/// The largest zip that an answer holds in memory until it is sent, in bytes. One that is larger, or a part of
/// one, is taken from the cache of chunks again and again.
pub const MAX_HELD: u64 = 128 << 10;

/// What the engine gets for a body. To it this is a stream of unknown length that ends at once: the one body whose
/// framing it leaves alone, whatever method it believes it is answering.
pub struct NoBody;

impl MessageBody for NoBody {
    type Error = std::convert::Infallible;

    fn size(&self) -> BodySize {
        BodySize::Stream
    }

    fn poll_next(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Self::Error>>> {
        Poll::Ready(None)
    }
}

/// The bytes that follow an answer's head. Dropping it ends the answer.
pub struct Tail {
    content: Content,
    sent: u64,
    access: Option<Access>,
}

enum Content {
    Bytes(Bytes),
    Zip(Box<ZipStream>),
}

impl Tail {
    /// These bytes; none, for an answer that is only a head.
    pub fn bytes(bytes: Bytes, access: Option<Access>) -> Tail {
        Tail {
            content: Content::Bytes(bytes),
            sent: 0,
            access,
        }
    }

    /// The bytes of a zip, which was found in that state, from `start` up to, not including, `end`.
    pub fn zip(
        site: Arc<Site>,
        (zip, pin): (Zip, Arc<PinnedState>),
        start: u64,
        end: u64,
        access: Option<Access>,
    ) -> Tail {
        Tail {
            content: Content::Zip(Box::new(ZipStream {
                site,
                zip: Arc::new(zip),
                pin,
                at: start,
                end,
                reading: None,
                ahead: (start / CHUNK as u64) as u32,
            })),
            sent: 0,
            access,
        }
    }

    /// What is to be sent next, if it is in memory already: it can go with the head.
    pub fn at_hand(&self) -> &[u8] {
        match &self.content {
            Content::Bytes(bytes) => bytes,
            Content::Zip(_) => &[],
        }
    }

    /// What is to be sent next; `None` when all has been.
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Option<Bytes>>> {
        match &mut self.content {
            Content::Bytes(bytes) => Poll::Ready(Ok((!bytes.is_empty()).then(|| bytes.clone()))),
            Content::Zip(stream) => stream.poll_next(cx),
        }
    }

    /// So many bytes of it have been sent.
    pub fn advance(&mut self, n: usize) {
        self.sent += n as u64;
        match &mut self.content {
            Content::Bytes(bytes) => bytes.advance(n),
            Content::Zip(stream) => stream.at += n as u64,
        }
    }
}

impl Drop for Tail {
    fn drop(&mut self) {
        if let Some(access) = &self.access {
            access.log(self.sent);
        }
    }
}

struct ZipStream {
    site: Arc<Site>,
    zip: Arc<Zip>,
    /// The state in which it was found: it is sent to its end, also where it is removed meanwhile.
    pin: Arc<PinnedState>,
    /// The next byte to send.
    at: u64,
    /// One past the last byte to send.
    end: u64,
    /// The chunk that `at` lies in is being read.
    reading: Option<JoinHandle<Result<Bytes, String>>>,
    /// Up to which chunk reading was begun.
    ahead: u32,
}

impl ZipStream {
    /// What is left of the chunk that the next byte lies in.
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Option<Bytes>>> {
        if self.at >= self.end {
            return Poll::Ready(Ok(None));
        }
        let number = (self.at / CHUNK as u64) as u32;
        let from = (self.at % CHUNK as u64) as usize;
        let left = usize::try_from(self.end - self.at).unwrap_or(usize::MAX);
        let chunk = ready!(self.poll_chunk(number, cx)).and_then(|chunk| {
            let to = chunk.len().min(from.saturating_add(left));
            if from < to {
                Ok(chunk.slice(from..to))
            } else {
                Err(format!("chunk {number} has {} bytes only", chunk.len()))
            }
        });
        Poll::Ready(match chunk {
            Ok(chunk) => {
                self.read_ahead(number);
                Ok(Some(chunk))
            }
            Err(error) => {
                // The head has been sent, with the length; all that is left is to break off.
                let sha256 = modferry_appliance::store::hex(&self.zip.sha256);
                tracing::error!(%error, sha256, "a zip broke off");
                Err(io::Error::other(error))
            }
        })
    }

    fn poll_chunk(&mut self, number: u32, cx: &mut Context<'_>) -> Poll<Result<Bytes, String>> {
        loop {
            if let Some(reading) = &mut self.reading {
                let read = ready!(Pin::new(reading).poll(cx));
                self.reading = None;
                return Poll::Ready(read.unwrap_or_else(|e| Err(e.to_string())));
            }
            if let Some(chunk) = self.site.chunks.get(&(self.zip.sha256, number)) {
                return Poll::Ready(Ok(chunk));
            }
            self.reading = Some(self.read(number));
        }
    }

    /// Starts to read the chunk after this one, once, so that it is there when this one has been sent.
    fn read_ahead(&mut self, number: u32) {
        let next = number + 1;
        if self.ahead >= next || u64::from(next) * CHUNK as u64 >= self.end {
            return;
        }
        self.ahead = next;
        if self.site.chunks.get(&(self.zip.sha256, next)).is_none() {
            drop(self.read(next)); // goes on by itself, into the cache
        }
    }

    fn read(&self, number: u32) -> JoinHandle<Result<Bytes, String>> {
        let (site, zip, pin) = (self.site.clone(), self.zip.clone(), self.pin.clone());
        tokio::task::spawn_blocking(move || site.chunk(&zip, number, &pin))
    }
}
