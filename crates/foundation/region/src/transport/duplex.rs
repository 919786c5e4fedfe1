//! Sends and receives frames on one connection.
//!
//! What is to be sent gathers in the outbox while the last bytes are written: calls under way at the same time share
//! system calls and TLS records.

use std::io;
use std::sync::Mutex;
use std::time::Duration;

use bytes::BytesMut;
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::sync::Notify;

use super::MESSAGE_BYTES_MAX;
use super::frame::{self, Frame, Kind};

/// Bytes that may wait to be sent on a connection.
const WAITING_BYTES_MAX: usize = 2 * MESSAGE_BYTES_MAX;
/// Room that a buffer keeps when it is empty.
const KEPT_BYTES_MAX: usize = 256 << 10;
/// Room for what is read at once.
const READ_BYTES: usize = 64 << 10;
/// How long sent bytes may stay unconfirmed before the connection counts as broken: a host that was cut off and comes
/// back is then found by a new connection, and not by the old one's ever longer retransmission timer.
const UNCONFIRMED_MAX: Duration = Duration::from_secs(10);

/// Why a frame is not sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum NotSent {
    #[error("the connection has ended")]
    Ended,
    #[error("too much waits to be sent")]
    Full,
}

#[derive(Default)]
struct Waiting {
    bytes: BytesMut,
    ended: bool,
}

/// What waits to be sent.
#[derive(Default)]
pub(super) struct Outbox {
    waiting: Mutex<Waiting>,
    bell: Notify,
}

impl Outbox {
    /// Puts a frame behind the others.
    pub(super) fn put(&self, call: u64, kind: Kind, parts: &[&[u8]]) -> Result<(), NotSent> {
        let was_empty = {
            let mut waiting = self.waiting.lock().expect("no holder panics");
            if waiting.ended {
                return Err(NotSent::Ended);
            }
            if waiting.bytes.len() > WAITING_BYTES_MAX {
                return Err(NotSent::Full);
            }
            let was_empty = waiting.bytes.is_empty();
            frame::put(&mut waiting.bytes, call, kind, parts);
            was_empty
        };
        if was_empty {
            self.bell.notify_one();
        }
        Ok(())
    }

    /// Takes nothing any more.
    pub(super) fn end(&self) {
        let mut waiting = self.waiting.lock().expect("no holder panics");
        waiting.ended = true;
        waiting.bytes = BytesMut::new();
    }

    pub(super) fn has_ended(&self) -> bool {
        self.waiting.lock().expect("no holder panics").ended
    }

    /// Waits for frames and swaps them for the empty buffer.
    async fn take(&self, empty: &mut BytesMut) {
        loop {
            {
                let mut waiting = self.waiting.lock().expect("no holder panics");
                if !waiting.bytes.is_empty() {
                    std::mem::swap(&mut waiting.bytes, empty);
                    return;
                }
            }
            self.bell.notified().await;
        }
    }
}

/// The socket of a connection, made ready for frames: what TLS reads in small pieces comes out of one buffer.
pub(super) fn prepare(stream: TcpStream) -> io::Result<BufReader<TcpStream>> {
    stream.set_nodelay(true)?;
    SockRef::from(&stream).set_tcp_user_timeout(Some(UNCONFIRMED_MAX))?;
    Ok(BufReader::with_capacity(READ_BYTES, stream))
}

/// Sends the outbox and hands over what arrives, until the connection ends or `on_frame` fails.
pub(super) async fn run<S>(
    stream: S,
    outbox: &Outbox,
    on_frame: impl FnMut(Frame) -> io::Result<()>,
) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite,
{
    let (reader, writer) = tokio::io::split(stream);
    tokio::select! {
        ended = receive(reader, on_frame) => ended,
        ended = send(writer, outbox) => ended,
    }
}

async fn send(mut writer: impl AsyncWrite + Unpin, outbox: &Outbox) -> io::Result<()> {
    let mut bytes = BytesMut::new();
    loop {
        outbox.take(&mut bytes).await;
        writer.write_all(&bytes).await?;
        writer.flush().await?;
        bytes.clear();
        if bytes.capacity() > KEPT_BYTES_MAX {
            bytes = BytesMut::new();
        }
    }
}

async fn receive(
    mut reader: impl AsyncRead + Unpin,
    mut on_frame: impl FnMut(Frame) -> io::Result<()>,
) -> io::Result<()> {
    let mut arrived = BytesMut::with_capacity(READ_BYTES);
    loop {
        while let Some(frame) = frame::take(&mut arrived).map_err(io::Error::other)? {
            on_frame(frame)?;
        }
        arrived.reserve(READ_BYTES / 4);
        if reader.read_buf(&mut arrived).await? == 0 {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn frames_that_wait_go_together() {
        let outbox = Outbox::default();
        outbox.put(1, Kind::Ask, &[b"one"]).unwrap();
        outbox.put(2, Kind::Ask, &[b"two"]).unwrap();
        let mut taken = BytesMut::new();
        outbox.take(&mut taken).await;
        let first = frame::take(&mut taken).unwrap().unwrap();
        let second = frame::take(&mut taken).unwrap().unwrap();
        assert_eq!((first.call, second.call), (1, 2));
    }

    #[tokio::test]
    async fn what_nobody_reads_is_bounded() {
        let outbox = Outbox::default();
        let large = vec![0; MESSAGE_BYTES_MAX];
        for _ in 0..2 {
            outbox.put(1, Kind::Answer, &[&large]).unwrap();
        }
        assert_eq!(outbox.put(2, Kind::Answer, &[b"x"]), Err(NotSent::Full));
        outbox.end();
        assert_eq!(outbox.put(2, Kind::Answer, &[b"x"]), Err(NotSent::Ended));
    }
}
