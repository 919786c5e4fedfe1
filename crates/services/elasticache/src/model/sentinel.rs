//! The Sentinels of a region.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use quorate_control::Record;

/// The Sentinels on one node. Id in the catalog: the node's id. Written by its agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sentinel {
    /// Where the one listens that watches caches without transit encryption.
    pub plain: Option<SocketAddr>,
    /// Where the one listens that watches caches with it.
    pub tls: Option<SocketAddr>,
    /// The password of the account `client`, which may ask where primaries and replicas are.
    pub client_password: String,
}

impl Record for Sentinel {
    const TABLE: &'static str = "elasticache/sentinel";
    const VERSION: u32 = 1;
}

/// The passwords that all Sentinels of the region share. Id in the catalog: `region`. Written once, by the first agent
/// that needs them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SentinelPasswords {
    /// Of agents, and of Sentinels among themselves.
    pub inner: String,
    /// Of clients that ask where primaries and replicas are.
    pub client: String,
}

impl Record for SentinelPasswords {
    const TABLE: &'static str = "elasticache/sentinel-passwords";
    const VERSION: u32 = 1;
}
