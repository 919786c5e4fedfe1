//! The endpoint table: where a database is reached, written by services, followed by gateways.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use quorate_base::Epoch;

use crate::record::Record;

/// One stable endpoint of a database. Id in the catalog: `SERVICE:RESOURCE`, as in `rds:orders`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoint {
    /// The port that every gateway listens on, for the life of the resource.
    pub port: u16,
    /// Where connections go; none while nobody serves: new connections then wait, bounded.
    pub target: Option<SocketAddr>,
    /// The epoch of the target. When it changes, connections to the older one are cut at once.
    pub epoch: Epoch,
    /// How to treat what flows through.
    pub protocol: EndpointProtocol,
}

/// What the relay must know of the protocol that it carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum EndpointProtocol {
    /// Bytes are bytes.
    Opaque,
    /// PostgreSQL: a connection that opens with a cancel request is handed to the target's node, which knows
    /// whether the cancel may be delivered.
    Postgres,
}

impl Record for Endpoint {
    const TABLE: &'static str = "endpoint";
    const VERSION: u32 = 1;
}

/// Hands out endpoint ports: the gateway that answers an API call listens before the catalog hears of it.
pub trait EndpointPorts: Send + Sync {
    /// Reserves `wanted` when it is free on the gateway's address, else a port of the configured range.
    /// The listener is held until an endpoint with this port appears in the catalog, or for a bounded
    /// time. None when the whole range is taken.
    fn reserve(&self, wanted: u16) -> Option<u16>;
}
