//! Linearizable reads: a lease that a quorum confirms, and the read index where a lease cannot be had.
//!
//! A permit is given when this replica leads, has applied an entry of its own term, and either holds a lease or has
//! just been confirmed by a quorum that was asked after the call. Whatever was acknowledged before the call is then
//! applied here: by this leader, because it acknowledges what it has applied; by earlier ones, because it lies below
//! the entry of this term.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::task::JoinSet;

use crate::group::GroupError;
use crate::host::cell::Cell;
use crate::host::clock::Moment;
use crate::host::config::{CONFIRM_TIMEOUT, LEASE, LEASE_RENEWED_BELOW};
use crate::host::messages::{Answer, Ask};
use crate::host::types::{LeaderId, StoredMembership};
use crate::types::VoterId;

/// Pause after a round that no quorum answered.
const ROUND_PAUSE: Duration = Duration::from_millis(25);

/// The right to read a leader's machine. What was read counts only if the permit is still valid afterwards.
#[derive(Clone)]
pub struct ReadPermit {
    cell: Arc<Cell>,
    leader: LeaderId,
    epoch: u64,
    until: Moment,
}

impl ReadPermit {
    /// Whether what was read up to here may be answered. A process that was stopped between reading and asking finds
    /// its permit run out.
    #[must_use]
    pub fn still_valid(&self) -> bool {
        Moment::now() < self.until
            && !self.cell.poison.is_set()
            && self.cell.log.guard().holds(self.leader, self.epoch)
    }
}

/// Whether `granted` has a majority of each set of voters.
fn is_quorum(membership: &StoredMembership, granted: &BTreeSet<VoterId>) -> bool {
    let sets = membership.membership().get_joint_config();
    !sets.is_empty()
        && sets
            .iter()
            .all(|set| 2 * set.intersection(granted).count() > set.len())
}

impl Cell {
    /// Waits for a permit; the caller bounds the wait.
    pub(crate) async fn read_permit(self: &Arc<Self>) -> Result<ReadPermit, GroupError> {
        loop {
            let leader = self.leading()?;
            if !self.reach_own_term(leader).await {
                continue;
            }
            if let Some(permit) = self.permit_by_lease(leader) {
                return Ok(permit);
            }
            let _turn = self.round.lock().await;
            if let Some(permit) = self.permit_by_lease(leader) {
                return Ok(permit);
            }
            if let Some(permit) = self.confirm(leader).await {
                return Ok(permit);
            }
            // Another leads, or the network is bad.
            self.leading()?;
            tokio::time::sleep(ROUND_PAUSE).await;
        }
    }

    fn permit_by_lease(self: &Arc<Self>, leader: LeaderId) -> Option<ReadPermit> {
        let now = Moment::now();
        let (until, epoch) = self.log.guard().lease(leader, now)?;
        if until.since(now) < LEASE_RENEWED_BELOW && !self.renewing.swap(true, Ordering::AcqRel) {
            let cell = self.clone();
            tokio::spawn(async move {
                if let Ok(_turn) = cell.round.try_lock() {
                    cell.confirm(leader).await;
                }
                cell.renewing.store(false, Ordering::Release);
            });
        }
        Some(self.permit(leader, epoch, until))
    }

    fn permit(self: &Arc<Self>, leader: LeaderId, epoch: u64, until: Moment) -> ReadPermit {
        ReadPermit {
            cell: self.clone(),
            leader,
            epoch,
            until,
        }
    }

    /// Waits until an entry of this leadership is applied here; false when it ended first.
    async fn reach_own_term(&self, leader: LeaderId) -> bool {
        let reached = |last: &Option<_>| {
            last.is_some_and(|last: crate::host::types::LogId| last.leader_id == leader)
        };
        if reached(&self.applied.borrow()) {
            return true;
        }
        let (mut applied, mut server) = (self.applied.subscribe(), self.server());
        tokio::select! {
            reached = applied.wait_for(reached) => reached.is_ok(),
            _ = server.wait_for(|server| server.vote.leader_id != leader) => false,
            _ = self.poison.wait() => false,
        }
    }

    /// Asks all voters to promise themselves to this leadership. With a quorum of them it holds a lease from before
    /// the question, unless voters are being changed or the answers took too long: then the permit stands on its own,
    /// as the read index does, and is bounded all the same.
    async fn confirm(self: &Arc<Self>, leader: LeaderId) -> Option<ReadPermit> {
        let membership = self.server().borrow().membership_config.clone();
        let asked = Moment::now();
        let epoch = {
            let mut guard = self.log.guard();
            if !guard.promise(leader, asked) {
                return None;
            }
            guard.epoch()
        };
        self.gather_promises(leader, &membership).await?;
        let same_voters = self.server().borrow().membership_config.log_id() == membership.log_id();
        if !same_voters || self.leading().ok() != Some(leader) {
            return None;
        }
        let now = Moment::now();
        let mut guard = self.log.guard();
        if self.changes.load(Ordering::Acquire) == 0 && guard.holds(leader, epoch) {
            guard.extend_lease(leader, asked);
        }
        if let Some((until, epoch)) = guard.lease(leader, now) {
            return Some(self.permit(leader, epoch, until));
        }
        let held = guard.holds(leader, epoch);
        held.then(|| self.permit(leader, epoch, now + LEASE))
    }

    async fn gather_promises(
        &self,
        leader: LeaderId,
        membership: &StoredMembership,
    ) -> Option<BTreeSet<VoterId>> {
        let mut granted = BTreeSet::from([self.own()]);
        let mut asked = JoinSet::new();
        for (id, voter) in membership.nodes() {
            if *id != self.own() && membership.voter_ids().any(|voter| voter == *id) {
                let (id, group, post) = (*id, self.id, self.hub.post(voter));
                asked.spawn(async move {
                    let answer = post.ask(group, Ask::Confirm(leader)).await;
                    matches!(answer, Ok(Answer::Done)).then_some(id)
                });
            }
        }
        let enough = async {
            while !is_quorum(membership, &granted) {
                let answer = asked.join_next().await?;
                granted.extend(answer.ok().flatten());
            }
            Some(())
        };
        tokio::time::timeout(CONFIRM_TIMEOUT, enough).await.ok()??;
        Some(granted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use openraft::Membership;

    #[test]
    fn a_quorum_has_a_majority_of_each_set() {
        let nodes = || {
            (1..=6)
                .map(|id| (id, crate::types::Voter::default()))
                .collect::<std::collections::BTreeMap<_, _>>()
        };
        let of = |sets: Vec<BTreeSet<VoterId>>| {
            StoredMembership::new(None, Membership::new(sets, nodes()))
        };
        let one = of(vec![BTreeSet::from([1, 2, 3])]);
        assert!(is_quorum(&one, &BTreeSet::from([1, 2])));
        assert!(!is_quorum(&one, &BTreeSet::from([1, 4, 5])));
        let joint = of(vec![BTreeSet::from([1, 2, 3]), BTreeSet::from([1, 4, 5])]);
        assert!(is_quorum(&joint, &BTreeSet::from([1, 2, 4])));
        assert!(!is_quorum(&joint, &BTreeSet::from([1, 2, 3])));
        assert!(!is_quorum(
            &StoredMembership::default(),
            &BTreeSet::from([1])
        ));
    }
}
