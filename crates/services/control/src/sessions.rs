//! Node sessions as the catalog's leader keeps them, in memory.
//!
//! Invariants
//! - A renewal counts from the moment it was received, and only after a quorum confirmed the
//!   leadership later than that: so no later leader's term began before it.
//! - A new leader counts every node as renewed at the start of its term.
//! - A leader that was itself stopped for a while counts every node as renewed when it goes on.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;

use quorate_base::NodeId;

use crate::config::LeaseConfig;
use crate::messages::{Observations, Session};

/// A pause of the leader's own loop beyond this is its own, not the nodes' silence.
const OWN_PAUSE_MAX: Duration = Duration::from_millis(400);

/// The sessions of one term of one leader.
#[derive(Debug)]
pub struct SessionTable {
    lease: LeaseConfig,
    grace_from: Instant,
    last_look: Instant,
    renewed: HashMap<NodeId, (Instant, Observations)>,
}

impl SessionTable {
    /// A table in which every node counts as renewed at `now`, the start of the term.
    #[must_use]
    pub fn new(lease: LeaseConfig, now: Instant) -> SessionTable {
        SessionTable {
            lease,
            grace_from: now,
            last_look: now,
            renewed: HashMap::new(),
        }
    }

    /// Notes a renewal that was received at `at`.
    pub fn renew(&mut self, node: NodeId, at: Instant, observed: Observations) {
        let newest = self
            .renewed
            .get(&node)
            .is_none_or(|(earlier, _)| *earlier <= at);
        if newest {
            self.renewed.insert(node, (at, observed));
        }
    }

    /// Notes that the leader's loop runs; to be called more often than `OWN_PAUSE_MAX`.
    pub fn look(&mut self, now: Instant) {
        if now.saturating_duration_since(self.last_look) > OWN_PAUSE_MAX {
            self.grace_from = now;
        }
        self.last_look = now;
    }

    /// The session of a registered node.
    #[must_use]
    pub fn session(&self, node: &NodeId, now: Instant) -> Session {
        let renewed = self.renewed.get(node);
        let counts_from = renewed.map_or(self.grace_from, |(at, _)| (*at).max(self.grace_from));
        Session {
            node: node.clone(),
            alive: now.saturating_duration_since(counts_from) <= self.lease.expiry(),
            silent_ms: renewed.map(|(at, _)| {
                u64::try_from(now.saturating_duration_since(*at).as_millis()).unwrap_or(u64::MAX)
            }),
            observed: renewed
                .map(|(_, observed)| observed.clone())
                .unwrap_or_default(),
        }
    }

    /// When the session of a node that stays silent is over.
    #[must_use]
    pub fn ends_at(&self, node: &NodeId) -> Instant {
        let counts_from = self
            .renewed
            .get(node)
            .map_or(self.grace_from, |(at, _)| (*at).max(self.grace_from));
        counts_from + self.lease.expiry()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node() -> NodeId {
        "us-east-1a-1".parse().unwrap()
    }

    fn table(now: Instant) -> SessionTable {
        SessionTable::new(
            LeaseConfig {
                lease_ms: 1_000,
                margin_ms: 100,
            },
            now,
        )
    }

    #[test]
    fn a_session_lasts_a_lease_and_the_margin() {
        let start = Instant::now();
        let mut table = table(start);
        table.renew(
            node(),
            start + Duration::from_millis(500),
            Observations::new(),
        );
        assert!(
            table
                .session(&node(), start + Duration::from_millis(1_600))
                .alive
        );
        assert!(
            !table
                .session(&node(), start + Duration::from_millis(1_601))
                .alive
        );
    }

    #[test]
    fn a_new_leader_gives_every_node_a_whole_lease() {
        let start = Instant::now();
        let table = table(start);
        assert!(
            table
                .session(&node(), start + Duration::from_millis(1_100))
                .alive
        );
        assert!(
            !table
                .session(&node(), start + Duration::from_millis(1_101))
                .alive
        );
    }

    #[test]
    fn a_leader_that_was_stopped_starts_all_leases_again() {
        let start = Instant::now();
        let mut table = table(start);
        table.renew(node(), start, Observations::new());
        let resumed = start + Duration::from_secs(60);
        table.look(resumed);
        assert!(
            table
                .session(&node(), resumed + Duration::from_millis(1_100))
                .alive
        );
    }

    #[test]
    fn a_late_renewal_does_not_undo_a_newer_one() {
        let start = Instant::now();
        let mut table = table(start);
        table.renew(
            node(),
            start + Duration::from_millis(900),
            Observations::new(),
        );
        table.renew(
            node(),
            start + Duration::from_millis(100),
            Observations::new(),
        );
        assert!(
            table
                .session(&node(), start + Duration::from_millis(1_900))
                .alive
        );
    }
}
