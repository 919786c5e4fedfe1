//! Hands a client's cancel request on, unless it would break a promise.
//!
//! A backend that is cancelled while it waits for the synchronous standby tells its client that the
//! commit succeeded, with a warning, although the standby may not have it (`SyncRepWaitForLSN`). So
//! a request is dropped while its backend waits for the standby or writes the log before that. It
//! is then as if the request had come a moment too late, which clients must expect anyway.
//!
//! A server with the module that guards commits (see `commit_guard`) keeps that promise itself,
//! whichever way a cancel comes. Without it two gaps are left: the signal is sent a moment after the
//! backend was looked at, which may enter its commit within that moment, and a cancel inside TLS is
//! not seen here.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::probe;
use super::running::RunningPostgres;
use crate::error::EngineError;
use crate::process::millis;

/// Length, code, process id and key, four bytes each, most significant byte first (protocol 3.0 to
/// 3.2 as PostgreSQL 15 to 17 speak it).
const PACKET_BYTES: usize = 16;
const CANCEL_CODE: u32 = 80_877_102;
/// How long the server may take to read a request and close the connection.
const DELIVER_WAIT: Duration = Duration::from_secs(2);

/// What became of a cancel request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CancelOutcome {
    /// The server has it.
    Delivered,
    /// Its backend commits, or is gone, or the packet is none.
    Dropped,
}

impl RunningPostgres {
    /// Hands on one cancel request, as the client sent it.
    ///
    /// # Errors
    /// [`EngineError::Sql`] when the backend could not be looked at, [`EngineError::Io`] or
    /// [`EngineError::Timeout`] when the server could not be reached. The request is then not
    /// repeated.
    pub async fn deliver_cancel(&self, packet: &[u8]) -> Result<CancelOutcome, EngineError> {
        let Some(pid) = backend_of(packet) else {
            return Ok(CancelOutcome::Dropped);
        };
        let listen = self.config.lock().await.listen;
        let admin = self.admin().await?;
        if probe::is_committing(&admin, pid).await?.unwrap_or(true) {
            return Ok(CancelOutcome::Dropped);
        }
        let deliver = async {
            let mut server = TcpStream::connect(listen).await?;
            server.write_all(packet).await?;
            // The server closes the connection when it has sent the signal.
            server.read(&mut [0; 1]).await
        };
        match tokio::time::timeout(DELIVER_WAIT, deliver).await {
            Ok(Ok(_)) => Ok(CancelOutcome::Delivered),
            Ok(Err(error)) => Err(EngineError::io("hand on a cancel request")(error)),
            Err(_) => Err(EngineError::Timeout {
                doing: String::from("hand on a cancel request"),
                waited_ms: millis(DELIVER_WAIT),
            }),
        }
    }
}

fn backend_of(packet: &[u8]) -> Option<i32> {
    let packet: &[u8; PACKET_BYTES] = packet.try_into().ok()?;
    let word = |at: usize| packet[at..at + 4].try_into().map(u32::from_be_bytes).ok();
    if word(0)? as usize != PACKET_BYTES || word(4)? != CANCEL_CODE {
        return None;
    }
    word(8).and_then(|pid| i32::try_from(pid).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_cancel_request_names_a_backend() {
        let mut packet = Vec::new();
        for word in [16_u32, CANCEL_CODE, 4711, 99] {
            packet.extend(word.to_be_bytes());
        }
        assert_eq!(backend_of(&packet), Some(4711));
        assert_eq!(backend_of(&packet[..15]), None);
        packet[7] ^= 1;
        assert_eq!(backend_of(&packet), None);
        assert_eq!(backend_of(&[]), None);
    }
}
