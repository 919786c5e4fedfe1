//! PostgreSQL's cancel request: a connection of its own whose first and only packet names a backend.
//!
//! It is not relayed: whether a cancel may reach the backend is the target's node to say (a backend
//! that waits for its standby must not be cancelled).

use std::net::SocketAddr;

use quorate_base::RegionName;
use quorate_control::Boxed;

/// Length of a cancel request, and of what must be seen to know one.
pub(crate) const CANCEL_BYTES: usize = 16;

/// Length 16, then the code 1234.5678 (PostgreSQL, "Message Formats", CancelRequest).
const CANCEL_HEAD: [u8; 8] = [0, 0, 0, 16, 0x04, 0xd2, 0x16, 0x2e];

/// Brings cancel requests to the node of the target.
pub trait CancelHandler: Send + Sync {
    /// Hands on a cancel request that came to an endpoint. As in PostgreSQL nothing is answered,
    /// whether it worked or not.
    fn deliver<'a>(
        &'a self,
        endpoint_id: &'a str,
        region: &'a RegionName,
        target: SocketAddr,
        packet: [u8; CANCEL_BYTES],
    ) -> Boxed<'a, ()>;
}

/// What the first bytes of a connection are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Opening {
    /// Too few to say.
    Unclear,
    /// A session.
    Session,
    /// A cancel request.
    Cancel([u8; CANCEL_BYTES]),
}

/// Says what a connection opens with. Any byte that no cancel request has settles it.
pub(crate) fn classify(first: &[u8]) -> Opening {
    let seen = first.len().min(CANCEL_HEAD.len());
    if first[..seen] != CANCEL_HEAD[..seen] {
        return Opening::Session;
    }
    match first.first_chunk::<CANCEL_BYTES>() {
        Some(packet) if first.len() == CANCEL_BYTES => Opening::Cancel(*packet),
        Some(_) => Opening::Session,
        None => Opening::Unclear,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_whole_cancel_request_is_one() {
        let mut packet = [7u8; CANCEL_BYTES];
        packet[..8].copy_from_slice(&CANCEL_HEAD);
        assert_eq!(80_877_102, u32::from_be_bytes([4, 0xd2, 0x16, 0x2e]));
        assert_eq!(classify(&packet), Opening::Cancel(packet));
        for length in 0..CANCEL_BYTES {
            assert_eq!(classify(&packet[..length]), Opening::Unclear);
        }
        let ssl_request = [0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f];
        assert_eq!(classify(&ssl_request), Opening::Session);
        assert_eq!(classify(&ssl_request[..4]), Opening::Session);
    }
}
