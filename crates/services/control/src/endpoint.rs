//! The endpoint table: where a database is reached, written by services, followed by gateways.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use quorate_base::Epoch;

use crate::record::Record;

/// One stable endpoint of a database. Id in the catalog: `SERVICE:RESOURCE`, as in `rds:orders`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoint {
    /// The port that every gateway listens on, for the life of the resource.
    pub port: u16,
    /// Where connections go, each to the next one in turn; empty while nobody serves: new connections then wait, bounded.
    pub targets: Vec<SocketAddr>,
    /// The epoch of the targets. When it changes, all older connections are cut at once; when it stays, those to targets
    /// that are not listed any more.
    pub epoch: Epoch,
    /// How to treat what flows through.
    pub protocol: EndpointProtocol,
    /// What clients of a cache cluster are told of its nodes.
    pub cluster: Option<ClusterConfiguration>,
}

/// What the relay must know of the protocol that it carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum EndpointProtocol {
    /// Bytes are bytes.
    Opaque,
    /// PostgreSQL: a connection that opens with a cancel request is handed to the target's node, which knows
    /// whether the cancel may be delivered.
    Postgres,
    /// Memcached: questions for the cluster's configuration are answered here.
    Memcached,
}

/// The nodes of a cache cluster, as its configuration endpoint tells them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterConfiguration {
    /// Rises with each change of the nodes.
    pub version: u64,
    /// Where clients reach each node.
    pub nodes: Vec<SocketAddr>,
}

impl Record for Endpoint {
    const TABLE: &'static str = "endpoint";
    const VERSION: u32 = 2;

    /// Version 1 had one target or none, and no cluster.
    fn migrate(version: u32, mut old: Value) -> Option<Value> {
        if version != 1 {
            return None;
        }
        let fields = old.as_object_mut()?;
        let targets: Vec<Value> = match fields.remove("target")? {
            Value::Null => Vec::new(),
            target => vec![target],
        };
        fields.insert(String::from("targets"), json!(targets));
        fields.insert(String::from("cluster"), Value::Null);
        Some(old)
    }
}

/// Hands out endpoint ports: the gateway that answers an API call listens before the catalog hears of it.
pub trait EndpointPorts: Send + Sync {
    /// Reserves `wanted` when it is free on the gateway's address, else a port of the configured range.
    /// The listener is held until an endpoint with this port appears in the catalog, or for a bounded
    /// time. None when the whole range is taken.
    fn reserve(&self, wanted: u16) -> Option<u16>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_of_version_1_is_read() {
        let old =
            json!({"port": 5432, "target": "127.0.1.1:20000", "epoch": 3, "protocol": "Postgres"});
        let read = Endpoint::migrate(1, old).unwrap();
        let read: Endpoint = serde_json::from_value(read).unwrap();
        assert_eq!(read.targets, ["127.0.1.1:20000".parse().unwrap()]);
        assert_eq!((read.port, read.epoch), (5432, Epoch(3)));
        let idle = json!({"port": 1, "target": null, "epoch": 1, "protocol": "Opaque"});
        let read: Endpoint = serde_json::from_value(Endpoint::migrate(1, idle).unwrap()).unwrap();
        assert!(read.targets.is_empty());
        assert_eq!(Endpoint::migrate(0, json!({})), None);
    }
}
