//! What stands between a connection and the HTTP engine: one request at a time, and bodies past the engine.
//!
//! A client may send its next requests before it has the answer to the first (RFC 9112, section 9.3.2).
//! The engine decodes such requests ahead and keeps the facts that an answer's framing depends on (was it
//! a HEAD, is the connection to be closed) only of the one decoded last. A GET answered after a HEAD has
//! been decoded would so lose its body, and the client would read the next answer's head as that body.
//! [`Gate`] hands the engine one request head at a time and nothing more until that answer is finished.
//! What has arrived meanwhile waits here, or in the kernel, where it slows a client that sends too much.
//!
//! The answer's bytes come by [`Latch::answer`], and are sent when the engine writes and flushes the head. The gate
//! opens when the last of them is with the kernel.

use std::cell::RefCell;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker, ready};

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_util::io::poll_read_buf;

use crate::tail::Tail;

/// How much of one answer is sent before other connections of the same worker have their turn, in bytes.
const TURN: usize = 1 << 20;

/// How much is read from a connection at once, in bytes. Request heads are a few hundred.
const READ: usize = 4096;

/// What a connection and its requests share.
#[derive(Default)]
struct Shared {
    /// What is to follow the head that the engine writes; there for as long as the answer is under way.
    tail: RefCell<Option<Tail>>,
    /// Whom to wake when it has been sent.
    waiting: RefCell<Option<Waker>>,
}

/// What a request's handler sees of the connection.
#[derive(Clone)]
pub struct Latch(Rc<Shared>);

impl Latch {
    /// Closes the gate until these bytes have been sent, behind the head that the engine is about to write.
    pub fn answer(&self, tail: Tail) {
        *self.0.tail.borrow_mut() = Some(tail);
    }
}

/// A connection that is read one request head at a time.
pub struct Gate<IO> {
    io: IO,
    shared: Rc<Shared>,
    /// Read, and not yet handed on.
    stash: BytesMut,
    /// Where in the end of a head the last byte handed on stood.
    end: HeadEnd,
    /// A whole head was handed on, and the engine has not been given a turn to answer it.
    handed: bool,
    /// The client has closed its side.
    closed: bool,
}

impl<IO> Gate<IO> {
    /// Wraps a connection.
    pub fn new(io: IO) -> Gate<IO> {
        Gate {
            io,
            shared: Rc::default(),
            stash: BytesMut::new(),
            end: HeadEnd::default(),
            handed: false,
            closed: false,
        }
    }

    /// The handle with which requests on this connection close the gate.
    pub fn latch(&self) -> Latch {
        Latch(self.shared.clone())
    }
}

impl<IO: AsyncRead + Unpin> Gate<IO> {
    /// Reads what there is into the stash.
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.closed {
            return Poll::Ready(Ok(()));
        }
        self.stash.reserve(READ);
        let read = ready!(poll_read_buf(Pin::new(&mut self.io), cx, &mut self.stash))?;
        self.closed = read == 0;
        Poll::Ready(Ok(()))
    }
}

impl<IO: AsyncRead + Unpin> AsyncRead for Gate<IO> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.shared.tail.borrow().is_some() {
            let mut waiting = this.shared.waiting.borrow_mut();
            if !waiting.as_ref().is_some_and(|w| w.will_wake(cx.waker())) {
                *waiting = Some(cx.waker().clone());
            }
            return Poll::Pending;
        }
        if this.handed {
            // The engine reads until there is nothing more; so that it answers first, there is nothing.
            if this.stash.is_empty() {
                ready!(this.poll_fill(cx))?;
            }
            this.handed = false;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        if this.stash.is_empty() {
            ready!(this.poll_fill(cx))?;
        }
        let room = this.stash.len().min(buf.remaining());
        let (length, whole) = this.end.find(&this.stash[..room]);
        this.handed = whole;
        buf.put_slice(&this.stash[..length]);
        this.stash.advance(length);
        if this.stash.is_empty() {
            this.stash.clear();
        }
        Poll::Ready(Ok(()))
    }
}

impl<IO: AsyncWrite + Unpin> Gate<IO> {
    /// Sends what follows the head, as far as the connection takes it.
    fn poll_tail(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut tail = self.shared.tail.borrow_mut();
        let Some(under_way) = &mut *tail else {
            return Poll::Ready(Ok(()));
        };
        let mut turn = 0;
        while let Some(bytes) = ready!(under_way.poll_next(cx))? {
            if turn >= TURN {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            let sent = ready!(Pin::new(&mut self.io).poll_write(cx, &bytes))?;
            if sent == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            under_way.advance(sent);
            turn += sent;
        }
        *tail = None;
        if let Some(waker) = self.shared.waiting.borrow_mut().take() {
            waker.wake();
        }
        Poll::Ready(Ok(()))
    }
}

impl<IO: AsyncWrite + Unpin> AsyncWrite for Gate<IO> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        head: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let mut tail = this.shared.tail.borrow_mut();
        if let Some(tail) = &mut *tail
            && this.io.is_write_vectored()
            && !tail.at_hand().is_empty()
        {
            let both = [IoSlice::new(head), IoSlice::new(tail.at_hand())];
            let sent = ready!(Pin::new(&mut this.io).poll_write_vectored(cx, &both))?;
            let of_head = sent.min(head.len());
            tail.advance(sent - of_head);
            return Poll::Ready(Ok(of_head));
        }
        Pin::new(&mut this.io).poll_write(cx, head)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_tail(cx))?;
        Pin::new(&mut this.io).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_shutdown(cx)
    }
}

/// Finds the empty line that ends a head, over any cutting of the bytes: LF, perhaps CR, LF.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum HeadEnd {
    #[default]
    Within,
    AfterLf,
    AfterLfCr,
}

impl HeadEnd {
    /// How many of the bytes belong to this head, and whether they end it.
    fn find(&mut self, bytes: &[u8]) -> (usize, bool) {
        let mut at = 0;
        while at < bytes.len() {
            *self = match (*self, bytes[at]) {
                (HeadEnd::AfterLf | HeadEnd::AfterLfCr, b'\n') => {
                    *self = HeadEnd::Within;
                    return (at + 1, true);
                }
                (HeadEnd::AfterLf, b'\r') => HeadEnd::AfterLfCr,
                (_, b'\n') => HeadEnd::AfterLf,
                _ => match memchr::memchr(b'\n', &bytes[at..]) {
                    Some(line) => {
                        at += line;
                        HeadEnd::AfterLf
                    }
                    None => {
                        *self = HeadEnd::Within;
                        return (bytes.len(), false);
                    }
                },
            };
            at += 1;
        }
        (bytes.len(), false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_ends_at_its_empty_line_however_it_is_cut() {
        for (text, length) in [
            ("GET / HTTP/1.1\r\nHost: a\r\n\r\nGET /b", 27),
            ("GET / HTTP/1.1\nHost: a\n\nGET /b", 24),
            ("GET / HTTP/1.1\r\nHost: a\n\r\nGET /b", 26),
            ("\r\n\r\nGET /", 4),
            ("GET / HTTP/1.1\r\n\rx\r\n\r\n", 22),
        ] {
            let mut end = HeadEnd::default();
            assert_eq!(end.find(text.as_bytes()), (length, true), "{text:?}");
            for cut in 1..length {
                let mut end = HeadEnd::default();
                assert_eq!(
                    end.find(&text.as_bytes()[..cut]),
                    (cut, false),
                    "{text:?} {cut}"
                );
                assert_eq!(
                    end.find(&text.as_bytes()[cut..]),
                    (length - cut, true),
                    "{text:?} {cut}"
                );
            }
        }
    }
}
