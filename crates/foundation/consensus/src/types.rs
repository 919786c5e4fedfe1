//! openraft's types, filled in.

use std::fmt;
use std::io::Cursor;
use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use quorate_base::NodeId;

/// A voter's number in Raft messages: the rank of its zone's letter, since each zone has one voter.
pub type VoterId = u64;

/// Where a voter is called.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Voter {
    /// The node.
    pub node: NodeId,
    /// Its node-to-node address.
    pub address: SocketAddr,
}

impl Voter {
    /// The voter's number in Raft messages.
    #[must_use]
    pub fn id(&self) -> VoterId {
        u64::from(u32::from(self.node.zone().letter()) - u32::from('a') + 1)
    }
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
