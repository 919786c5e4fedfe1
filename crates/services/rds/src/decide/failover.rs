//! Who leads an instance.
//!
//! Invariants
//! - Only a member that the catalog calls in sync is promoted.
//! - It is promoted only after the primary's lease has run out, or its agent has reported the engine dead and
//!   promised not to start it at this epoch, or a user ordered the change.

use quorate_base::NodeId;

use crate::model::{Desired, Order, Topology};

/// What the decision is made of: one consistent look at the catalog and at the leader's sessions.
#[derive(Debug, Clone)]
pub struct FailoverFacts<'a> {
    /// The instance's topology.
    pub topology: &'a Topology,
    /// Whether engines should run.
    pub desired: Desired,
    /// What the user last ordered.
    pub order: Option<&'a Order>,
    /// Whether the primary's node may still act on its lease.
    pub primary_alive: bool,
    /// Whether the standby's node renews its session.
    pub standby_alive: bool,
    /// Whether no room is left where the primary's data lies, while there is where the standby's does.
    pub only_standby_has_room: bool,
}

/// What to do about the primary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FailoverDecision {
    /// Nothing.
    Stay,
    /// Make this node the primary, at the next epoch.
    Promote {
        /// The standby's node.
        to: NodeId,
        /// Why, as the event tells it.
        reason: &'static str,
    },
    /// Let the primary's agent start its engine again at the same epoch: nobody else can lead.
    RestartPrimary,
}

/// Decides who leads.
#[must_use]
pub fn decide_failover(facts: &FailoverFacts<'_>) -> FailoverDecision {
    let FailoverFacts {
        topology,
        desired,
        order,
        primary_alive,
        standby_alive,
        only_standby_has_room,
    } = facts;
    if *desired != Desired::Running || topology.primary.is_none() {
        return FailoverDecision::Stay;
    }
    let promotable = topology
        .standby()
        .filter(|_| topology.in_sync && *standby_alive)
        .map(|(node, _)| node.clone());
    let reason = if topology.primary_down && *primary_alive {
        Some("the database engine of the primary stopped")
    } else if !primary_alive {
        Some("the primary's zone does not answer")
    } else if matches!(order, Some(Order::RebootWithFailover)) {
        Some("a user asked for it")
    } else if *only_standby_has_room && topology.is_serving() {
        Some("the primary has no storage left")
    } else {
        None
    };
    match (reason, promotable) {
        (Some(reason), Some(to)) => FailoverDecision::Promote { to, reason },
        (Some(_), None) if topology.primary_down && *primary_alive => {
            FailoverDecision::RestartPrimary
        }
        _ => FailoverDecision::Stay,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use quorate_base::{Epoch, UnixMillis};

    use super::*;
    use crate::model::{Member, MemberState};

    fn node(letter: char) -> NodeId {
        format!("us-east-1{letter}-1").parse().unwrap()
    }

    fn topology(in_sync: bool, primary_down: bool) -> Topology {
        let member = Member {
            state: MemberState::Running,
            address: None,
            incarnation: 0,
            since: UnixMillis(0),
        };
        Topology {
            epoch: Epoch(7),
            primary: Some(node('a')),
            serving: Some(Epoch(7)),
            followable: Some(Epoch(7)),
            in_sync,
            primary_down,
            members: BTreeMap::from([(node('a'), member.clone()), (node('b'), member)]),
            failover: None,
        }
    }

    /// Columns: in sync, engine reported dead, primary's node alive, standby's node alive, failover ordered.
    fn decide(row: [bool; 5]) -> FailoverDecision {
        let [in_sync, primary_down, primary_alive, standby_alive, ordered] = row;
        decide_failover(&FailoverFacts {
            topology: &topology(in_sync, primary_down),
            desired: Desired::Running,
            order: ordered.then_some(&Order::RebootWithFailover),
            primary_alive,
            standby_alive,
            only_standby_has_room: false,
        })
    }

    fn promotes(row: [bool; 5]) -> bool {
        matches!(decide(row), FailoverDecision::Promote { to, .. } if to == node('b'))
    }

    #[test]
    fn a_healthy_primary_stays() {
        assert_eq!(
            decide([true, false, true, true, false]),
            FailoverDecision::Stay
        );
        assert_eq!(
            decide([true, false, true, false, false]),
            FailoverDecision::Stay
        );
        assert_eq!(
            decide([false, false, true, false, false]),
            FailoverDecision::Stay
        );
    }

    #[test]
    fn the_standby_in_sync_takes_over_from_a_lost_zone_a_dead_engine_or_on_request() {
        assert!(promotes([true, false, false, true, false]));
        assert!(promotes([true, true, true, true, false]));
        assert!(promotes([true, true, false, true, false]));
        assert!(promotes([true, false, true, true, true]));
    }

    #[test]
    fn a_standby_that_is_not_in_sync_is_never_promoted() {
        for bits in 0..16_u8 {
            let bit = |n: u8| bits & (1 << n) != 0;
            assert!(
                !promotes([false, bit(0), bit(1), bit(2), bit(3)]),
                "row {bits}"
            );
        }
    }

    #[test]
    fn a_primary_without_room_hands_over_to_a_standby_that_has_some() {
        for (in_sync, standby_alive) in [(true, true), (false, true), (true, false)] {
            let facts = FailoverFacts {
                topology: &topology(in_sync, false),
                desired: Desired::Running,
                order: None,
                primary_alive: true,
                standby_alive,
                only_standby_has_room: true,
            };
            let promotes = matches!(decide_failover(&facts), FailoverDecision::Promote { .. });
            assert_eq!(promotes, in_sync && standby_alive);
        }
    }

    #[test]
    fn a_dead_engine_without_a_promotable_standby_is_started_again() {
        assert_eq!(
            decide([true, true, true, false, false]),
            FailoverDecision::RestartPrimary
        );
        assert_eq!(
            decide([false, true, true, true, false]),
            FailoverDecision::RestartPrimary
        );
        assert_eq!(
            decide([false, true, false, true, false]),
            FailoverDecision::Stay
        );
    }

    #[test]
    fn an_instance_that_should_not_run_has_no_failover() {
        let topology = topology(true, true);
        for desired in [Desired::Stopped, Desired::Deleted] {
            let facts = FailoverFacts {
                topology: &topology,
                desired,
                order: Some(&Order::RebootWithFailover),
                primary_alive: false,
                standby_alive: true,
                only_standby_has_room: true,
            };
            assert_eq!(decide_failover(&facts), FailoverDecision::Stay);
        }
    }
}
