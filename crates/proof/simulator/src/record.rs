//! The one database of a world, as its catalog holds it.

use std::collections::BTreeMap;

use quorate_base::{Epoch, NodeId, RegionName, UnixMillis};
use quorate_control::{Record, Store, Stored};
use quorate_rds::model::{Member, MemberState, Order, Topology};
use serde::{Deserialize, Serialize};

/// Id of the database, and its resource id.
pub(crate) const ID: &str = "db";
/// Nodes, one a zone.
pub(crate) const NODES: usize = 3;

/// What `rds::Instance` holds as far as decisions about members hang on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Database {
    pub(crate) topology: Topology,
    pub(crate) order: Option<Order>,
}

impl Record for Database {
    const TABLE: &'static str = "rds/instance";
    const VERSION: u32 = 1;
}

impl Database {
    /// A database that was just placed: primary in zone a, no standby yet.
    pub(crate) fn placed() -> Database {
        let members = BTreeMap::from([(node_id(0), placed_member(0))]);
        let topology = Topology {
            epoch: Epoch::FIRST,
            primary: Some(node_id(0)),
            members,
            ..Topology::default()
        };
        Database {
            topology,
            order: None,
        }
    }
}

/// A member that its node has not heard of yet.
pub(crate) fn placed_member(now: u64) -> Member {
    Member {
        state: MemberState::Placed,
        address: None,
        incarnation: u32::try_from(now).unwrap_or(u32::MAX),
        since: UnixMillis(now),
    }
}

/// The node of the zone with this index.
pub(crate) fn node_id(index: usize) -> NodeId {
    let region: RegionName = "us-east-1".parse().expect("a region's name");
    region.zone(['a', 'b', 'c'][index]).node(1)
}

/// The index of a node's zone.
pub(crate) fn index_of(node: &NodeId) -> usize {
    node.zone().letter() as usize - 'a' as usize
}

/// Reads the database out of a view.
pub(crate) fn database(view: &Store) -> Option<Stored<Database>> {
    view.read(ID).expect("the world writes what it can read")
}
