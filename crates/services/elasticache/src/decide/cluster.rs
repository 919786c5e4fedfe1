//! What the agent of a member does next in a cache with cluster mode, on what the record says against what its own engine
//! sees.
//!
//! Invariants
//! - Slots are taken only when every member of the record is known here, and has had the time to say what it has, and
//!   nobody has them.
//! - A node with slots is forgotten only when it is gone and the member that is to have them leads elsewhere.
//! - The record follows an election only when its epoch is newer than the last that was followed.
//!
//! Sources: the cluster specification in Redis's documentation; the pages of CLUSTER SET-CONFIG-EPOCH, FORGET, SETSLOT.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use quorate_engines::redis::{ClusterNode, ClusterNodeId, SLOTS};

use crate::decide::slots::{ranges_of, slots_of};
use crate::model::{Member, MemberNumber, MemberState, Shard, ShardNumber, SlotRange, Topology};

/// How long a crashed primary waits for another one to be elected before it leads again.
pub const ELECTION_WAIT_MS: u64 = 30_000;
/// How long all members must be known before slots that nobody seems to have are taken: longer than two rounds of the bus.
pub const KNOWN_MS_MIN: u64 = 3_000;
/// Most slots that are moved between two looks.
const MOVES_MAX: usize = 32;
/// Between the port of an engine and that of its bus: engines of clusters listen from 20000 to 27000, so their buses stay
/// below the ports of nodes and of outgoing connections.
const BUS_BELOW: u16 = 10_000;

/// Where the bus of an engine that listens on `port` is.
#[must_use]
pub fn bus_port(port: u16) -> u16 {
    port.saturating_sub(BUS_BELOW)
}

/// What a step is decided on.
#[derive(Debug, Clone, Copy)]
pub struct ClusterFacts<'a> {
    /// The record's shards.
    pub topology: &'a Topology,
    /// Whether the cache is being made: nobody has slots yet.
    pub forming: bool,
    /// Which member this is.
    pub own: (ShardNumber, MemberNumber),
    /// The cluster as its engine sees it.
    pub nodes: &'a [ClusterNode],
    /// Of a replica: whether its link to the primary is up and no copy is under way.
    pub linked: bool,
    /// How long the engine has known all members.
    pub known_ms: u64,
    /// Whether the engine was told to lead a moment ago.
    pub promoting: bool,
    /// Whether a user's order to fail this shard over is next.
    pub test_failover: bool,
}

/// What is next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClusterStep {
    /// The engine was elected: write that it leads, at this epoch of the cluster.
    Elected(u64),
    /// Give the engine its first epoch.
    SetEpoch(u64),
    /// Meet the engine there.
    Meet(SocketAddr),
    /// Forget a node.
    Forget(ClusterNodeId),
    /// Follow a node.
    Follow(ClusterNodeId),
    /// Take these slots.
    AddSlots(Vec<SlotRange>),
    /// Come to lead without a vote.
    TakeOver,
    /// Come to lead without loss.
    FailOver,
    /// Take the user's order out of the record, then come to lead.
    TestFailover,
    /// Move these slots, in this order, to the node there.
    Move {
        /// The slots.
        slots: Vec<u16>,
        /// Who is to have them.
        to: ClusterNodeId,
        /// Where that one listens.
        address: SocketAddr,
    },
    /// Every slot is where it should be: write that down.
    NoteSlots(Vec<SlotRange>),
}

/// What is next for a member whose engine runs.
#[must_use]
pub fn decide_cluster(facts: &ClusterFacts<'_>) -> Option<ClusterStep> {
    let sight = Picture::new(facts)?;
    sight
        .elected()
        .or_else(|| sight.join())
        .or_else(|| sight.forget())
        .or_else(|| {
            if sight.is_primary() {
                sight.lead()
            } else {
                sight.replicate()
            }
        })
}

/// Whether the engine plays its part: its role is the record's, and it knows who has which slot.
#[must_use]
pub fn is_formed(facts: &ClusterFacts<'_>) -> bool {
    let Some(sight) = Picture::new(facts) else {
        return false;
    };
    let covered: usize = facts.nodes.iter().map(count_slots).sum();
    let has_slots = !sight.own.slots.is_empty() || sight.shard.slots.is_empty();
    let role = if sight.is_primary() {
        sight.own.leads && has_slots
    } else {
        !sight.own.leads
    };
    role && covered == usize::from(SLOTS)
}

/// Whether the engine of a replica holds its primary for gone.
#[must_use]
pub fn is_primary_lost(nodes: &[ClusterNode]) -> bool {
    let own = nodes.iter().find(|node| node.myself);
    let Some(follows) = own.and_then(|own| own.follows.as_ref()) else {
        return false;
    };
    let primary = nodes.iter().find(|node| node.id == *follows);
    primary.is_none_or(|primary| primary.suspected || primary.failed)
}

/// Whether the engine knows every member that has one.
#[must_use]
pub fn knows_all(topology: &Topology, nodes: &[ClusterNode]) -> bool {
    let mut members = members_with_engine(topology);
    members.all(|at| nodes.iter().any(|n| n.address == Some(at) && !n.handshake))
}

/// What a stopped engine waits for before it starts, if for anything.
#[must_use]
pub fn wait_to_start(
    shard: &Shard,
    own: MemberNumber,
    may_lack: bool,
    down_ms: u64,
) -> Option<&'static str> {
    if down_ms >= ELECTION_WAIT_MS {
        return None;
    }
    if shard.takeover.is_some_and(|to| to != own) {
        return Some("another member is about to lead");
    }
    let mut replicas = shard.replicas();
    let electable = replicas.any(|(_, member)| member.state == MemberState::Running);
    let lacks = shard.primary == Some(own) && may_lack && electable;
    lacks.then_some("the cluster may elect another primary")
}

/// The facts, looked up.
struct Picture<'a> {
    facts: &'a ClusterFacts<'a>,
    shard: &'a Shard,
    own: &'a ClusterNode,
}

impl<'a> Picture<'a> {
    fn new(facts: &'a ClusterFacts<'a>) -> Option<Picture<'a>> {
        Some(Picture {
            facts,
            shard: facts.topology.shards.get(&facts.own.0)?,
            own: facts.nodes.iter().find(|node| node.myself)?,
        })
    }

    fn me(&self) -> MemberNumber {
        self.facts.own.1
    }

    fn is_primary(&self) -> bool {
        self.shard.primary == Some(self.me())
    }

    /// Whether the record asked for this member to lead.
    fn is_asked(&self) -> bool {
        let coordinated = self.shard.coordinated.as_ref().map(|c| c.to);
        self.shard.takeover == Some(self.me()) || coordinated == Some(self.me())
    }

    fn node_of(&self, member: &Member) -> Option<&'a ClusterNode> {
        let at = member.address?;
        let mut nodes = self.facts.nodes.iter();
        nodes.find(|node| node.address == Some(at) && !node.handshake)
    }

    /// The node of the shard's recorded primary, if it leads and answers.
    fn leader_of(&self, shard: &Shard) -> Option<&'a ClusterNode> {
        let node = self.node_of(shard.primary_member()?)?;
        (node.leads && !node.suspected && !node.failed).then_some(node)
    }

    fn elected(&self) -> Option<ClusterStep> {
        let rightful = !self.own.slots.is_empty() || self.is_asked();
        let news = self.own.config_epoch > self.shard.elected;
        (self.own.leads && !self.is_primary() && rightful && news)
            .then_some(ClusterStep::Elected(self.own.config_epoch))
    }

    fn join(&self) -> Option<ClusterStep> {
        let alone = self.facts.nodes.len() == 1;
        if alone && self.is_primary() && self.own.leads && self.own.config_epoch == 0 {
            let epoch = u64::from(self.facts.own.0.0);
            return Some(ClusterStep::SetEpoch(epoch));
        }
        let known = |at: &SocketAddr| self.facts.nodes.iter().any(|n| n.address == Some(*at));
        let mut others = members_with_engine(self.facts.topology);
        let stranger = others.find(|at| !known(at));
        stranger.map(ClusterStep::Meet)
    }

    fn forget(&self) -> Option<ClusterStep> {
        let mut nodes = self.facts.nodes.iter();
        let gone = nodes.find(|node| {
            !node.myself
                && !node.handshake
                && !node.linked
                && self.own.follows.as_ref() != Some(&node.id)
                && !self.is_member(node)
                && (node.slots.is_empty() || (node.failed && self.is_succeeded(node)))
        });
        gone.map(|node| ClusterStep::Forget(node.id.clone()))
    }

    fn is_member(&self, node: &ClusterNode) -> bool {
        let mut shards = self.facts.topology.shards.values();
        let found = node
            .address
            .map(|at| shards.any(|s| s.member_at(at).is_some()));
        found == Some(true)
    }

    /// Whether the shard of a node's slots has a primary that leads without them.
    fn is_succeeded(&self, node: &ClusterNode) -> bool {
        let mut shards = self.facts.topology.shards.values();
        let owner = shards.find(|shard| {
            let mut ranges = shard.slots.iter();
            ranges.any(|range| node.has_slot(range.first))
        });
        owner.is_some_and(|shard| self.leader_of(shard).is_some())
    }

    fn replicate(&self) -> Option<ClusterStep> {
        if let Some(step) = self.promote() {
            return Some(step);
        }
        let leader = self.leader_of(self.shard)?;
        if self.own.leads {
            let empty = self.own.slots.is_empty();
            return empty.then(|| ClusterStep::Follow(leader.id.clone()));
        }
        if self.own.follows.as_ref() == Some(&leader.id) || leader.slots.is_empty() {
            return None;
        }
        // Redis turns replicas by itself after an election: what it has not turned follows somebody who leads no more.
        let mut nodes = self.facts.nodes.iter();
        let followed = nodes.find(|node| self.own.follows.as_ref() == Some(&node.id));
        let idle = followed.is_none_or(|node| node.slots.is_empty());
        idle.then(|| ClusterStep::Follow(leader.id.clone()))
    }

    fn promote(&self) -> Option<ClusterStep> {
        if self.own.leads || self.facts.promoting {
            return None;
        }
        if self.shard.takeover == Some(self.me()) && is_primary_lost(self.facts.nodes) {
            return Some(ClusterStep::TakeOver);
        }
        let coordinated = self.shard.coordinated.as_ref();
        let ordered = coordinated.is_some_and(|c| c.to == self.me());
        match self.facts.linked {
            true if ordered => Some(ClusterStep::FailOver),
            true if self.facts.test_failover => Some(ClusterStep::TestFailover),
            _ => None,
        }
    }

    fn lead(&self) -> Option<ClusterStep> {
        if !self.own.leads {
            return None;
        }
        self.claim().or_else(|| self.reshard())
    }

    fn claim(&self) -> Option<ClusterStep> {
        let sure = self.facts.forming || self.facts.known_ms >= KNOWN_MS_MIN;
        if !sure || !knows_all(self.facts.topology, self.facts.nodes) {
            return None;
        }
        let mut free = slots_of(&self.shard.slots);
        for node in self.facts.nodes {
            for (first, last) in &node.slots {
                free.retain(|slot| !(first..=last).contains(&slot));
            }
        }
        (!free.is_empty()).then(|| ClusterStep::AddSlots(ranges_of(&free)))
    }

    fn reshard(&self) -> Option<ClusterStep> {
        let wanted = self.shard.slots_wanted.as_ref()?;
        let keeps = slots_of(wanted);
        let has = self
            .own
            .slots
            .iter()
            .flat_map(|(first, last)| *first..=*last);
        let has: BTreeSet<u16> = has.collect();
        if has == keeps {
            let noted = self.shard.slots == *wanted;
            return (!noted).then(|| ClusterStep::NoteSlots(wanted.clone()));
        }
        // A slot that is half over goes first: its keys are in two places.
        let open: Vec<u16> = self.own.migrating.iter().map(|(slot, _)| *slot).collect();
        let going = has.difference(&keeps).copied();
        let mut going: Vec<u16> = open.into_iter().chain(going).collect();
        going.retain(|slot| has.contains(slot) && !keeps.contains(slot));
        let first = *going.first()?;
        let shards = self.facts.topology.shards.values();
        let target = shards
            .filter(|s| takes(s, first))
            .find_map(|s| self.leader_of(s))?;
        let its: Vec<&Shard> = self.facts.topology.shards.values().collect();
        let to_same = |slot: &u16| {
            let taker = its.iter().find(|shard| takes(shard, *slot));
            taker.is_some_and(|shard| takes(shard, first))
        };
        let mut slots: Vec<u16> = Vec::new();
        for slot in going.into_iter().take_while(to_same) {
            if slots.len() < MOVES_MAX && !slots.contains(&slot) {
                slots.push(slot);
            }
        }
        Some(ClusterStep::Move {
            slots,
            to: target.id.clone(),
            address: target.address?,
        })
    }
}

fn takes(shard: &Shard, slot: u16) -> bool {
    let wanted = shard.slots_wanted.iter().flatten();
    wanted
        .into_iter()
        .any(|range| (range.first..=range.last).contains(&slot))
}

fn count_slots(node: &ClusterNode) -> usize {
    let ranges = node.slots.iter();
    ranges
        .map(|(first, last)| usize::from(last - first) + 1)
        .sum()
}

/// Where members listen that have an engine and stay.
fn members_with_engine(topology: &Topology) -> impl Iterator<Item = SocketAddr> {
    let members = topology.shards.values().flat_map(|s| s.members.values());
    let stay = members.filter(|member| member.state != MemberState::Leaving);
    stay.filter_map(|member| member.address)
}

#[cfg(test)]
mod tests;
