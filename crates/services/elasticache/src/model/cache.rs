//! One cache: what was asked of it and where it stands.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use quorate_base::UnixMillis;
use quorate_control::Record;

use crate::model::{Member, MemberNumber, Settings, ShardNumber, Status, Tag, Topology};

/// A replication group, or a cache cluster that is in none. Id in the catalog: its identifier, in lower case.
///
/// API handlers write `settings`, `pending`, `orders`, `desired`, `tags`, the status that the answer must show, and members
/// that are asked for: their numbers and ports, not yet their nodes. The controller and the agents write the rest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cache {
    /// What the API shows it as.
    pub kind: CacheKind,
    /// As in `cache-ABCDEFGHIJKLMNOPQRST`; never used again for another cache: folders on nodes are named by it.
    pub resource_id: String,
    /// When its creation was answered.
    pub created_at: UnixMillis,
    /// What is in force.
    pub settings: Settings,
    /// What waits for the maintenance window, or (with `apply_now`) for the controller.
    pub pending: PendingChanges,
    /// What users ordered that is no setting, oldest first, until it is carried out.
    pub orders: Vec<Order>,
    /// Whether engines should run or be gone.
    pub desired: Desired,
    /// `Status` of the group, `CacheClusterStatus` of a cluster.
    pub status: Status,
    /// Why the status is not `available`, where there is more to say than the status.
    pub status_detail: Option<String>,
    /// Shards, members, primaries, epochs.
    pub topology: Topology,
    /// The port of the primary endpoint, of the configuration endpoint, or of a lone node: for the life of the cache.
    pub endpoint_port: u16,
    /// The port of the reader endpoint, of a group without cluster mode.
    pub reader_port: Option<u16>,
    /// The password of the accounts that agents, replicas and Sentinels use.
    pub inner_password: String,
    /// The snapshot that it begins with, until the first member has loaded it.
    pub restore_from: Option<String>,
    /// Raised with each change of a Memcached cluster's nodes.
    pub configuration_version: u64,
    /// A digest of the parameters that all engines were last given.
    pub parameters_applied: String,
    /// Whether a parameter waits for a restart.
    pub pending_reboot: bool,
    /// Tags.
    pub tags: Vec<Tag>,
}

/// What the API shows a cache as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CacheKind {
    /// A replication group; each member is a cache cluster, too.
    ReplicationGroup,
    /// A Redis or Valkey cluster of one node, in no group.
    LoneNode,
    /// A Memcached cluster.
    Memcached,
}

/// Changes that were accepted and are not in force (`PendingModifiedValues`).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PendingChanges {
    /// Whether the controller carries them out at once rather than in the maintenance window.
    pub apply_now: bool,
    /// `CacheNodeType`.
    pub node_type: Option<String>,
    /// `EngineVersion`.
    pub engine_version: Option<String>,
    /// `AutomaticFailoverEnabled`.
    pub automatic_failover: Option<bool>,
    /// Nodes of a Memcached cluster that are to come and to go.
    pub nodes: Option<PendingNodes>,
}

/// A change of a Memcached cluster's nodes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PendingNodes {
    /// Members that go into the topology, unplaced. Their endpoints are in the endpoint table already.
    pub add: BTreeMap<MemberNumber, Member>,
    /// Members that go.
    pub remove: Vec<MemberNumber>,
}

impl PendingChanges {
    /// Whether nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self
            == PendingChanges {
                apply_now: self.apply_now,
                ..PendingChanges::default()
            }
    }
}

/// What a user ordered once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Order {
    /// `RebootCacheCluster`: these members' engines restart.
    Reboot(ShardNumber, Vec<MemberNumber>),
    /// `TestFailover` of a shard.
    TestFailover(ShardNumber),
    /// `CreateSnapshot`, under this name, of this shard's member; of replicas where none is named.
    Snapshot {
        /// The snapshot's record.
        name: String,
        /// The member to take it from.
        member: Option<(ShardNumber, MemberNumber)>,
    },
    /// Another member is to lead, without loss (`FAILOVER TO`).
    MakePrimary(ShardNumber, MemberNumber),
    /// These members go (`DecreaseReplicaCount` that names them).
    Remove(ShardNumber, Vec<MemberNumber>),
    /// These shards go, once their slots are elsewhere (`ModifyReplicationGroupShardConfiguration`). Shards that come are
    /// in the topology at once, unplaced and without slots.
    RemoveShards(Vec<ShardNumber>),
}

/// Whether engines should run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Desired {
    /// Engines run.
    Running,
    /// Engines and data go, then the record; first a last snapshot of this name, if one was asked for.
    Deleted {
        /// `FinalSnapshotIdentifier`.
        final_snapshot: Option<String>,
    },
}

impl Record for Cache {
    const TABLE: &'static str = "elasticache/cache";
    const VERSION: u32 = 1;
}
