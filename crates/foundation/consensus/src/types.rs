//! openraft's types, filled in.

use std::fmt;
use std::io::Cursor;
use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use quorate_base::NodeId;

/// A voter's number in Raft messages, unique to its node within the region.
pub type VoterId = u64;

/// Distance between the numbers of two nodes of one zone; above it, the rank of the last letter.
const IDS_PER_ORDINAL: u64 = 100;

/// Where a voter is called.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Voter {
    /// The node.
    pub node: NodeId,
    /// Its node-to-node address.
    pub address: SocketAddr,
}

impl Voter {
    /// The voter's number in Raft messages: the rank of its zone's letter for a zone's first node, 100 more for each
    /// one after it. It is in logs on disk, so it never changes for a node.
    #[must_use]
    pub fn id(&self) -> VoterId {
        voter_id(&self.node)
    }
}

/// The number of a node's voter in Raft messages.
#[must_use]
pub fn voter_id(node: &NodeId) -> VoterId {
    let letter = u64::from(u32::from(node.zone().letter()) - u32::from('a') + 1);
    letter + IDS_PER_ORDINAL * (u64::from(node.number()) - 1)
}

impl Default for Voter {
    /// Openraft asks for one; it is never called.
    fn default() -> Voter {
        let node = "nowhere-0a-1".parse().expect("a node's name");
        Voter {
            node,
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
        }
    }
}

impl fmt::Display for Voter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {}", self.node, self.address)
    }
}

openraft::declare_raft_types!(
    /// A command and its answer are bytes to Raft.
    pub(crate) Types:
        D = Vec<u8>,
        R = Vec<u8>,
        NodeId = VoterId,
        Node = Voter,
        Entry = openraft::Entry<Types>,
        SnapshotData = Cursor<Vec<u8>>,
);

pub(crate) type Entry = openraft::Entry<Types>;
pub(crate) type LogId = openraft::LogId<VoterId>;
pub(crate) type Vote = openraft::Vote<VoterId>;
pub(crate) type StorageError = openraft::StorageError<VoterId>;
pub(crate) type StoredMembership = openraft::StoredMembership<VoterId, Voter>;
pub(crate) type SnapshotMeta = openraft::SnapshotMeta<VoterId, Voter>;
pub(crate) type Raft = openraft::Raft<Types>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_node_of_a_region_has_its_own_number() {
        let id = |name: &str| {
            let address = SocketAddr::from(([127, 0, 0, 1], 0));
            let node = name.parse().unwrap();
            Voter { node, address }.id()
        };
        assert_eq!(id("us-east-1a-1"), 1);
        assert_eq!(id("us-east-1z-1"), 26);
        assert_eq!(id("us-east-1a-2"), 101);
        assert_eq!(id("us-east-1c-12"), 1_103);
    }
}
