//! Which nodes hold an instance's data, who leads, and at which epoch.
//!
//! Invariants
//! - `epoch` grows by one with each change of primary, and with nothing else.
//! - `in_sync` is true only while every commit that the primary acknowledges waits for the standby.
//!   Only the primary's agent sets it, and clears it before PostgreSQL stops waiting.
//! - A member other than the primary becomes primary only by a transaction that saw `in_sync`.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use quorate_base::{Epoch, NodeId, UnixMillis, ZoneName};

/// An instance's members and who leads them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Topology {
    /// Raised by each promotion; 1 at creation.
    pub epoch: Epoch,
    /// The node that leads at `epoch`: for a read replica, the node that endpoint and standby hang on.
    /// None until the controller has placed the instance.
    pub primary: Option<NodeId>,
    /// The epoch at which the primary's agent last reported that its engine accepts what it should.
    pub serving: Option<Epoch>,
    /// The epoch at which the primary has written the checkpoint that copies and rewinds of others start from.
    pub followable: Option<Epoch>,
    /// Whether the standby has every acknowledged commit and so may be promoted.
    pub in_sync: bool,
    /// Whether the primary's agent knows that its engine is dead and promised not to start it again at this epoch.
    pub primary_down: bool,
    /// Everything this instance has on disk, the primary included.
    pub members: BTreeMap<NodeId, Member>,
    /// The failover under way, from decision to the first report of the new primary.
    pub failover: Option<Failover>,
}

/// One node's copy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// How far the copy is.
    pub state: MemberState,
    /// Where its engine listens, chosen by its node.
    pub address: Option<SocketAddr>,
    /// Raised to have the node throw its copy away and make a fresh one.
    pub incarnation: u32,
    /// When the controller placed it, or its state last changed.
    pub since: UnixMillis,
}

/// How far a member's copy is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MemberState {
    /// Placed; its node has not made a copy yet.
    Placed,
    /// A copy is being made, or brought in line with a new primary.
    Building,
    /// The engine runs, as what the topology says it is.
    Running,
    /// The engine is stopped on request.
    Stopped,
    /// The node reports that the copy cannot run; events say why.
    Failed,
}

/// What a member is at the moment, derived from the topology.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Leads.
    Primary,
    /// Follows the primary of its own instance.
    Standby,
}

/// A failover under way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failover {
    /// The node that led before.
    pub from: NodeId,
    /// Why, in the words of the event.
    pub reason: String,
    /// When it was decided.
    pub started_at: UnixMillis,
}

impl Topology {
    /// What a node is in this topology; none when it holds no member.
    #[must_use]
    pub fn role_of(&self, node: &NodeId) -> Option<Role> {
        self.members.get(node)?;
        Some(if self.primary.as_ref() == Some(node) {
            Role::Primary
        } else {
            Role::Standby
        })
    }

    /// The member that is not the primary, if there is one.
    #[must_use]
    pub fn standby(&self) -> Option<(&NodeId, &Member)> {
        self.members
            .iter()
            .find(|(node, _)| self.primary.as_ref() != Some(node))
    }

    /// The primary's member.
    #[must_use]
    pub fn primary_member(&self) -> Option<&Member> {
        self.members.get(self.primary.as_ref()?)
    }

    /// Whether the primary has reported that it serves at the current epoch.
    #[must_use]
    pub fn is_serving(&self) -> bool {
        self.serving == Some(self.epoch)
    }

    /// Whether others may copy from the primary, rewind to it and follow it.
    #[must_use]
    pub fn is_followable(&self) -> bool {
        self.followable == Some(self.epoch)
    }

    /// The zone of the primary.
    #[must_use]
    pub fn primary_zone(&self) -> Option<ZoneName> {
        self.primary.as_ref().map(NodeId::zone)
    }
}
