//! Calls between the processes of a region: frames of many calls on one connection, over mutual TLS.
//!
//! A method has a name, its question and answer are postcard. Both sides prove with a certificate of the
//! region's CA that they belong to it; without one a connection ends in the handshake.
//!
//! Must not know what any method means.

mod answering;
mod client;
mod duplex;
mod frame;
mod link;
mod peer;
mod server;
mod tls;

pub use client::{CallError, Caller};
pub use server::{Requester, Router, RpcServer};

/// Largest question or answer. Raft snapshots go in smaller pieces.
pub const MESSAGE_BYTES_MAX: usize = 64 << 20;
