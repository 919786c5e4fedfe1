//! Which nodes a region starts with.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use quorate_base::{NodeId, RegionName, ZoneName};

/// One node: its name, and where other processes of the region call it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeInfo {
    /// The node's name, which tells its zone.
    pub id: NodeId,
    /// Its node-to-node address. Engines listen on the same IP address.
    pub address: SocketAddr,
    /// Whether it votes in the catalog: the first node of each zone does.
    pub voter: bool,
}

/// A region and the nodes it was laid out with. Nodes that joined later are in the catalog.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegionMap {
    /// The region.
    pub region: RegionName,
    /// Its nodes.
    pub nodes: Vec<NodeInfo>,
}

impl RegionMap {
    /// The nodes that vote in the catalog, in the order of their names.
    pub fn voters(&self) -> impl Iterator<Item = &NodeInfo> {
        self.nodes.iter().filter(|node| node.voter)
    }

    /// The node of that name.
    #[must_use]
    pub fn node(&self, id: &NodeId) -> Option<&NodeInfo> {
        self.nodes.iter().find(|node| node.id == *id)
    }

    /// The zones, each once, in order.
    #[must_use]
    pub fn zones(&self) -> Vec<ZoneName> {
        let mut zones: Vec<ZoneName> = self.nodes.iter().map(|node| node.id.zone()).collect();
        zones.sort();
        zones.dedup();
        zones
    }
}
