//! What a member's agent does next with its copy and its engine.
//!
//! Invariants
//! - An engine is started as leader only at the topology's epoch, by a node that holds its lease, on a copy that
//!   led at this epoch before or is new.
//! - A copy that led at an older epoch, or followed an older lineage, is realigned before it follows.

use std::net::SocketAddr;

use quorate_base::Epoch;

use crate::model::Desired;

/// Whose history a copy continues: an instance (by resource id) at one of its epochs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lineage {
    /// Resource id of the instance whose primary is followed, or of the own one.
    pub resource_id: String,
    /// The epoch of that primary.
    pub epoch: Epoch,
}

/// The primary that a follower should follow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpstreamFacts {
    /// Where its engine listens.
    pub address: SocketAddr,
    /// What it leads.
    pub lineage: Lineage,
}

/// What lies on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CopyFacts {
    /// Nothing, or what an interrupted copy left.
    None,
    /// A whole copy of another incarnation than the topology asks for.
    Outdated,
    /// A whole copy that last led at this lineage.
    Led(Lineage),
    /// A whole copy that last followed this lineage.
    Followed(Lineage),
}

/// What runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EngineFacts {
    /// Nothing.
    Down,
    /// An engine that leads.
    Leads,
    /// An engine that follows.
    Follows,
}

/// All that the decision hangs on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberFacts {
    /// Whether engines should run.
    pub desired: Desired,
    /// Whether this member should lead: it is the primary of an instance that is no replica.
    pub leads: bool,
    /// The instance's own lineage: its resource id at its present epoch.
    pub own: Lineage,
    /// Whether the instance ever served: a primary without a copy has lost it then.
    pub ever_served: bool,
    /// Whether the agent has promised not to start the engine as leader at this epoch.
    pub primary_down: bool,
    /// Whether the instance has a standby that could be promoted in place of this member.
    pub in_sync: bool,
    /// Whom a follower should follow; none while that primary does not serve.
    pub upstream: Option<UpstreamFacts>,
    /// What lies on disk.
    pub copy: CopyFacts,
    /// What runs.
    pub engine: EngineFacts,
    /// Whether the engine ended by itself since it was last started.
    pub crashed: bool,
    /// Whether the node holds its lease.
    pub lease_held: bool,
}

/// The agent's next step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MemberStep {
    /// Stop the engine.
    Stop,
    /// Stop the engine and remove the copy.
    Remove,
    /// Make an empty database.
    Initialize,
    /// Copy the upstream's data.
    Copy(UpstreamFacts),
    /// Stop the engine, bring the copy in line with the upstream.
    Realign(UpstreamFacts),
    /// Start the engine as leader.
    StartLeader,
    /// Start the engine as follower; of nobody, when it is about to be promoted.
    StartFollower(Option<UpstreamFacts>),
    /// Promote the running follower.
    Promote,
    /// Tell the catalog that the engine is dead and will not be started at this epoch.
    ReportDown,
    /// Look after the running engine.
    Supervise,
    /// Nothing can be done until something changes; the sentence says what.
    Wait(&'static str),
    /// The copy is gone for good; the sentence says why.
    Lost(&'static str),
}

/// Decides the next step.
#[must_use]
pub fn decide_member(facts: &MemberFacts) -> MemberStep {
    match facts.desired {
        Desired::Deleted => return MemberStep::Remove,
        Desired::Stopped if facts.engine != EngineFacts::Down => return MemberStep::Stop,
        Desired::Stopped => return MemberStep::Wait("the instance is stopped"),
        Desired::Running => {}
    }
    if facts.leads {
        decide_leader(facts)
    } else {
        decide_follower(facts)
    }
}

fn decide_leader(facts: &MemberFacts) -> MemberStep {
    match (&facts.copy, facts.engine) {
        (_, EngineFacts::Follows) if facts.lease_held => MemberStep::Promote,
        (CopyFacts::Led(lineage), EngineFacts::Leads) if *lineage == facts.own => {
            MemberStep::Supervise
        }
        // It led an older epoch, and the catalog moved on and back: realigning is for followers.
        (_, EngineFacts::Leads) => MemberStep::Stop,
        (_, _) if facts.primary_down => MemberStep::Wait("the standby is about to be promoted"),
        (CopyFacts::Led(lineage), EngineFacts::Down)
            if facts.crashed && facts.in_sync && *lineage == facts.own =>
        {
            MemberStep::ReportDown
        }
        (_, _) if !facts.lease_held => MemberStep::Wait("the node does not hold its lease"),
        (CopyFacts::None | CopyFacts::Outdated, _) if facts.ever_served => {
            MemberStep::Lost("the primary's data is not there")
        }
        (CopyFacts::None, _) => MemberStep::Initialize,
        (CopyFacts::Outdated, _) => MemberStep::Remove,
        (CopyFacts::Led(lineage), _) if *lineage == facts.own => MemberStep::StartLeader,
        (CopyFacts::Led(_), _) => MemberStep::Lost("the primary's data is of an older epoch"),
        (CopyFacts::Followed(_), _) => MemberStep::StartFollower(None),
    }
}

fn decide_follower(facts: &MemberFacts) -> MemberStep {
    let Some(upstream) = &facts.upstream else {
        return match facts.engine {
            // A leader of an older epoch: it must not serve another moment.
            EngineFacts::Leads => MemberStep::Stop,
            EngineFacts::Follows => MemberStep::Supervise,
            EngineFacts::Down => MemberStep::Wait("there is no primary to follow"),
        };
    };
    match (&facts.copy, facts.engine) {
        (CopyFacts::Followed(lineage), engine) if *lineage == upstream.lineage => match engine {
            EngineFacts::Down => MemberStep::StartFollower(Some(upstream.clone())),
            EngineFacts::Follows => MemberStep::Supervise,
            EngineFacts::Leads => MemberStep::Stop,
        },
        (_, EngineFacts::Leads) => MemberStep::Stop,
        (CopyFacts::None, _) => MemberStep::Copy(upstream.clone()),
        (CopyFacts::Outdated, _) => MemberStep::Remove,
        (CopyFacts::Led(_) | CopyFacts::Followed(_), _) => MemberStep::Realign(upstream.clone()),
    }
}

#[cfg(test)]
#[path = "member_tests.rs"]
mod tests;
