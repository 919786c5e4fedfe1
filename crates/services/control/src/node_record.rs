//! The region's nodes, as they registered themselves.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use quorate_base::UnixMillis;

use crate::record::Record;

/// A node of the region. Id in the catalog: the node's id. Written by the node at each start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeRecord {
    /// Where it is called.
    pub address: SocketAddr,
    /// Whether it votes in the catalog.
    pub voter: bool,
    /// When it last started.
    pub started_at: UnixMillis,
    /// The version of its program.
    pub version: String,
}

impl Record for NodeRecord {
    const TABLE: &'static str = "region/node";
    const VERSION: u32 = 1;
}
