//! The bodies of answers, as the HTTP engine pulls them.
//!
//! Small answers are one piece. A zip that does not fit one chunk is streamed in pieces of [`PIECE`] bytes,
//! chunk by chunk out of the store, with the next chunk read while one is being sent. Reading happens on a
//! thread for blocking work, because a chunk that no page cache holds takes a disk's time, and other
//! requests of the same worker are not to wait for that; for whole answers of one chunk at most, the
//! hand-over would cost more than the read.
//!
//! A body also closes its connection's gate and, for streams, writes the access log when it ends.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use actix_http::body::{BodySize, MessageBody};
use bytes::Bytes;
use modferry_appliance::store::{CHUNK, Zip};
use tokio::task::JoinHandle;

use crate::access::Access;
use crate::gate::InFlight;
use crate::site::Site;

/// How much of a chunk is handed on at once, in bytes: what a socket takes at a time, small enough to be
/// still in the processor's cache when the kernel copies it.
pub const PIECE: usize = 64 << 10;

/// An answer's body. Dropping it ends the answer.
pub struct Body {
    content: Content,
    _in_flight: Option<InFlight>,
}

enum Content {
    /// All of it, taken when it is handed on.
    Bytes { length: u64, bytes: Option<Bytes> },
    /// Nothing, of any status: the headers say what length there is.
    Absent,
    /// A long zip, or a long part of one.
    Zip(Box<ZipStream>),
}

impl Body {
    /// These bytes.
    pub fn bytes(bytes: Bytes, in_flight: Option<InFlight>) -> Body {
        Body {
            content: Content::Bytes {
                length: bytes.len() as u64,
                bytes: Some(bytes),
            },
            _in_flight: in_flight,
        }
    }

    /// No body, as a HEAD's answer has none. The answer's head must say `Content-Length` itself.
    ///
    /// To the engine it is a stream of unknown length that ends at once: that is the one body whose framing
    /// it leaves alone, whatever method it believes it is answering.
    pub fn absent(in_flight: Option<InFlight>) -> Body {
        Body {
            content: Content::Absent,
            _in_flight: in_flight,
        }
    }

    /// A zip's bytes, chunk by chunk.
    pub fn zip(stream: ZipStream, in_flight: Option<InFlight>) -> Body {
        Body {
            content: Content::Zip(Box::new(stream)),
            _in_flight: in_flight,
        }
    }
}

impl MessageBody for Body {
    type Error = Box<dyn std::error::Error>;

    fn size(&self) -> BodySize {
        match &self.content {
            Content::Bytes { length, .. } => BodySize::Sized(*length),
            Content::Absent => BodySize::Stream,
            Content::Zip(stream) => BodySize::Sized(stream.length),
        }
    }

    fn poll_next(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Self::Error>>> {
        match &mut self.get_mut().content {
            Content::Bytes { bytes, .. } => Poll::Ready(bytes.take().map(Ok)),
            Content::Absent => Poll::Ready(None),
            Content::Zip(stream) => stream.poll_next(cx),
        }
    }
}

/// A zip's bytes from one place to another.
pub struct ZipStream {
    site: Arc<Site>,
    zip: Arc<Zip>,
    /// The next byte to hand on.
    at: u64,
    /// One past the last byte to hand on.
    end: u64,
    /// How many bytes there are in all.
    length: u64,
    /// The chunk that `at` lies in is being read.
    reading: Option<JoinHandle<Result<Bytes, String>>>,
    /// The chunk after it is being read ahead; up to which chunk that was begun.
    ahead: u32,
    access: Option<Access>,
}

impl ZipStream {
    /// The bytes from `start` up to, not including, `end`.
    pub fn new(
        site: Arc<Site>,
        zip: Zip,
        start: u64,
        end: u64,
        access: Option<Access>,
    ) -> ZipStream {
        ZipStream {
            site,
            zip: Arc::new(zip),
            at: start,
            end,
            length: end - start,
            reading: None,
            ahead: (start / CHUNK as u64) as u32,
            access,
        }
    }

    fn poll_next(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Box<dyn std::error::Error>>>> {
        if self.at >= self.end {
            return Poll::Ready(None);
        }
        let number = (self.at / CHUNK as u64) as u32;
        let chunk = match ready!(self.poll_chunk(number, cx)) {
            Ok(chunk) => chunk,
            Err(error) => {
                // The head is gone with its length; all that is left is to break off.
                tracing::error!(%error, sha256 = %hex(&self.zip.sha256), "a zip broke off");
                return Poll::Ready(Some(Err(error.into())));
            }
        };
        let from = (self.at % CHUNK as u64) as usize;
        let left = usize::try_from(self.end - self.at).unwrap_or(usize::MAX);
        let to = chunk.len().min(from + PIECE.min(left));
        if from >= to {
            let error = format!("chunk {number} has {} bytes only", chunk.len());
            return Poll::Ready(Some(Err(error.into())));
        }
        self.at += (to - from) as u64;
        self.read_ahead(number);
        Poll::Ready(Some(Ok(chunk.slice(from..to))))
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
        let (site, zip) = (self.site.clone(), self.zip.clone());
        tokio::task::spawn_blocking(move || site.chunk(&zip, number))
    }
}

impl Drop for ZipStream {
    fn drop(&mut self) {
        if let Some(access) = self.access.take() {
            access.log(self.length - (self.end - self.at));
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
