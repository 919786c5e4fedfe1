//! Which nodes run a cache's members, and who leads each shard.
//!
//! Invariants
//! - A shard's `epoch` grows with each change of its primary, and with nothing else.
//! - With automatic failover `primary` follows what Sentinel (or the cluster) elected; `elected` is the newest of its
//!   epochs that was taken over.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use quorate_base::{Epoch, NodeId, UnixMillis, ZoneName};

/// A shard's number, from 1: `0001` at the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ShardNumber(pub u16);

/// A member's number in its shard, from 1: `001` at the API. Not given again to a later member of the shard while the
/// cache lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MemberNumber(pub u16);

/// A cache's shards.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Topology {
    /// By number. A Memcached cluster has one.
    pub shards: BTreeMap<ShardNumber, Shard>,
}

/// One shard.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shard {
    /// The slots that it serves, of a cache with cluster mode.
    pub slots: Vec<SlotRange>,
    /// Everything that runs for it.
    pub members: BTreeMap<MemberNumber, Member>,
    /// The member that takes writes: the first one, from creation on; always none for Memcached.
    pub primary: Option<MemberNumber>,
    /// Raised with each change of primary; 1 at creation.
    pub epoch: Epoch,
    /// Sentinel's configuration epoch, or the cluster's, at which `primary` was elected; 0 before the first election.
    pub elected: u64,
    /// The highest number given to a member.
    pub last_member: u16,
    /// A change of primary without loss that is under way.
    pub coordinated: Option<Coordinated>,
    /// With cluster mode: the replica that is to lead without a vote, as too many primaries are gone for one.
    #[serde(default)]
    pub takeover: Option<MemberNumber>,
    /// With cluster mode: the slots that it is to serve in the end, while slots move between shards.
    #[serde(default)]
    pub slots_wanted: Option<Vec<SlotRange>>,
}

/// A change of primary without loss: Sentinels let go, then the primary hands over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Coordinated {
    /// Who is to lead.
    pub to: MemberNumber,
    /// The nodes whose Sentinels have let go.
    pub released: BTreeSet<NodeId>,
    /// When it began.
    pub since: UnixMillis,
}

/// Slots from `first` to `last`, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SlotRange {
    /// 0 to 16383.
    pub first: u16,
    /// 0 to 16383.
    pub last: u16,
}

/// One engine process on one node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// The cache cluster's identifier, where a user chose one (`CreateCacheCluster` into a group); else it is made of the
    /// numbers.
    pub cluster_id: Option<String>,
    /// Where it runs; none until the controller has placed it.
    pub node: Option<NodeId>,
    /// The zone that was asked for it, if any.
    pub zone_asked: Option<ZoneName>,
    /// When it was asked for.
    pub created_at: UnixMillis,
    /// How far it is.
    pub state: MemberState,
    /// Where its engine listens, chosen by its node at its first start and kept.
    pub address: Option<SocketAddr>,
    /// The port of its own endpoint.
    pub endpoint_port: u16,
    /// Raised to have the node throw away what it has and begin anew.
    pub incarnation: u32,
    /// Raised to have its engine restarted with the settings of the moment.
    pub restarts: u32,
    /// The `restarts` that its engine was last started at.
    pub started: u32,
    /// When the controller placed it, or its state last changed.
    pub since: UnixMillis,
}

/// How far a member is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MemberState {
    /// Asked for, or placed; its engine has not run yet.
    Placed,
    /// Its engine has answered as what the topology says it is.
    Running,
    /// It is on its way out: its node ends it and removes its data, then the record loses it.
    Leaving,
    /// The node reports that it cannot run; events say why.
    Failed,
}

impl Member {
    /// A member that was just asked for, with a port of its own.
    #[must_use]
    pub fn asked(endpoint_port: u16, zone_asked: Option<ZoneName>, now: UnixMillis) -> Member {
        Member {
            cluster_id: None,
            node: None,
            zone_asked,
            created_at: now,
            state: MemberState::Placed,
            address: None,
            endpoint_port,
            incarnation: 0,
            restarts: 0,
            started: 0,
            since: now,
        }
    }

    /// The zone that it is in, once it is placed.
    #[must_use]
    pub fn zone(&self) -> Option<ZoneName> {
        self.node.as_ref().map(NodeId::zone)
    }
}

impl Shard {
    /// The primary's member.
    #[must_use]
    pub fn primary_member(&self) -> Option<&Member> {
        self.members.get(&self.primary?)
    }

    /// The members that are not the primary.
    pub fn replicas(&self) -> impl Iterator<Item = (MemberNumber, &Member)> {
        let members = self
            .members
            .iter()
            .map(|(number, member)| (*number, member));
        members.filter(|(number, _)| Some(*number) != self.primary)
    }

    /// The member whose engine listens there.
    #[must_use]
    pub fn member_at(&self, address: SocketAddr) -> Option<MemberNumber> {
        let at = |member: &Member| member.address == Some(address);
        let found = self.members.iter().find(|(_, member)| at(member));
        found.map(|(number, _)| *number)
    }

    /// The zone of the primary.
    #[must_use]
    pub fn primary_zone(&self) -> Option<ZoneName> {
        self.primary_member()?.zone()
    }
}
