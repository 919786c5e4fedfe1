//! The copy loop between a client and its database: one task, both directions, no locks.
//!
//! Bytes are read into a buffer that belongs to the thread and written on at once, without asking
//! whether the other side is ready to take them: it nearly always is. Only what it did not take is
//! kept, in a buffer of the connection, and nothing more is read in that direction until it is gone.
//!
//! Invariants
//! - A connection holds no buffer while both sides keep up, and at most one read of each
//!   direction (`READ_BYTES_MAX`) when they do not.
//! - The end of one direction is passed on as the end of that direction only (half-close).

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// Bytes that one read takes at most.
pub(crate) const READ_BYTES_MAX: usize = 64 * 1024;

thread_local! {
    /// Used within one poll only, so all connections of a thread share it and it stays in the cache.
    static SCRATCH: RefCell<Box<[u8]>> = RefCell::new(vec![0; READ_BYTES_MAX].into_boxed_slice());
}

/// One direction of a connection.
#[derive(Default)]
struct Flow {
    /// Bytes read and not taken by the other side; empty while it keeps up.
    spill: Vec<u8>,
    /// How much of `spill` the other side has taken.
    sent: usize,
    /// The sender has ended its direction.
    ended: bool,
    /// The end has been passed on.
    closed: bool,
}

/// Copies both ways until both directions have ended, counting bytes as they are written.
///
/// # Errors
/// The first error of either side; the connection is then of no more use.
pub(crate) async fn pump(
    client: &mut TcpStream,
    backend: &mut TcpStream,
    to_backend: &AtomicU64,
    to_client: &AtomicU64,
) -> io::Result<()> {
    let (mut up, mut down) = (Flow::default(), Flow::default());
    poll_fn(|cx| {
        SCRATCH.with_borrow_mut(|scratch| {
            let sent = up.poll(cx, client, backend, scratch, to_backend)?;
            let received = down.poll(cx, backend, client, scratch, to_client)?;
            if sent.is_ready() && received.is_ready() {
                Poll::Ready(Ok(()))
            } else {
                Poll::Pending
            }
        })
    })
    .await
}

impl Flow {
    /// Moves what can be moved; ready when the end of this direction has been passed on. The
    /// runtime's cooperative budget bounds how long one call goes on.
    fn poll(
        &mut self,
        cx: &mut Context<'_>,
        from: &mut TcpStream,
        to: &mut TcpStream,
        scratch: &mut [u8],
        count: &AtomicU64,
    ) -> Poll<io::Result<()>> {
        while !self.closed {
            ready!(self.poll_spill(cx, to, count))?;
            if self.ended {
                // A peer that is gone already needs no end passed on.
                let _ = ready!(Pin::new(&mut *to).poll_shutdown(cx));
                self.closed = true;
                break;
            }
            let mut read = ReadBuf::new(scratch);
            ready!(Pin::new(&mut *from).poll_read(cx, &mut read))?;
            if read.filled().is_empty() {
                self.ended = true;
                continue;
            }
            let mut rest = read.filled();
            while !rest.is_empty() {
                match Pin::new(&mut *to).poll_write(cx, rest)? {
                    Poll::Ready(taken) => {
                        count.fetch_add(taken as u64, Ordering::Relaxed);
                        rest = &rest[taken..];
                    }
                    Poll::Pending => {
                        self.spill.extend_from_slice(rest);
                        return Poll::Pending;
                    }
                }
            }
        }
        Poll::Ready(Ok(()))
    }

    fn poll_spill(
        &mut self,
        cx: &mut Context<'_>,
        to: &mut TcpStream,
        count: &AtomicU64,
    ) -> Poll<io::Result<()>> {
        while self.sent < self.spill.len() {
            let taken = ready!(Pin::new(&mut *to).poll_write(cx, &self.spill[self.sent..]))?;
            count.fetch_add(taken as u64, Ordering::Relaxed);
            self.sent += taken;
        }
        if self.sent > 0 {
            // Given back whole: an idle connection that was once slow must not keep its memory.
            *self = Flow {
                ended: self.ended,
                ..Flow::default()
            };
        }
        Poll::Ready(Ok(()))
    }
}
