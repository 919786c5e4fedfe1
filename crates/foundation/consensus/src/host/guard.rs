//! Who this replica follows, what it promised, and the lease it reads on when it leads. Pure: time comes in.
//!
//! Invariants
//! - While a promise holds, this replica gives its vote to no other leader, itself included.
//! - A promise is made only to the leader of the highest vote that is saved or about to be.
//! - A lease ends before the promises that a quorum made for it, as long as two clocks differ in rate by less than
//!   10 %: it is 400 ms from before the question, a promise is 500 ms from after it, and 400 × 1.1 < 500 × 0.9.

use std::time::Duration;

use crate::host::clock::Moment;
use crate::host::config::{LEASE, PROMISE};
use crate::host::types::{LeaderId, Vote};

/// A group's promises and lease at one replica.
#[derive(Debug, Clone, Default)]
pub(crate) struct Guard {
    following: Option<LeaderId>,
    promised_until: Moment,
    lease: Option<(LeaderId, Moment)>,
    /// Raised when a lease is given up before its time, so that permits drawn from it are void.
    epoch: u64,
}

impl Guard {
    /// After a start. Promises are not on disk: whoever has voted before may have promised, just before it ended.
    pub(crate) fn opened(vote: Option<&Vote>, now: Moment) -> Guard {
        Guard {
            following: vote.map(|vote| vote.leader_id),
            promised_until: vote.map_or(Moment::default(), |_| now + PROMISE),
            lease: None,
            epoch: 0,
        }
    }

    /// Promises `leader` to vote for nobody else, if it is the one that is followed.
    pub(crate) fn promise(&mut self, leader: LeaderId, now: Moment) -> bool {
        if self.following != Some(leader) {
            return false;
        }
        self.promised_until = self.promised_until.max(now + PROMISE);
        true
    }

    /// How long a vote for `candidate` has to wait for a promise to run out.
    pub(crate) fn vote_waits(&self, candidate: LeaderId, now: Moment) -> Duration {
        if self.following == Some(candidate) {
            return Duration::ZERO;
        }
        self.promised_until.since(now)
    }

    /// Before `vote` is saved: from here on nobody below it is promised anything. Returns how long the saving has to
    /// wait. A committed vote does not wait: a quorum gave it already, and that quorum held no promise.
    pub(crate) fn begin_vote(&mut self, vote: &Vote, now: Moment) -> Duration {
        let wait = if vote.committed {
            Duration::ZERO
        } else {
            self.vote_waits(vote.leader_id, now)
        };
        if self.following != Some(vote.leader_id) {
            self.following = Some(vote.leader_id);
            self.drop_lease();
        }
        wait
    }

    /// A quorum promised itself to `leader`, which is this replica and asked at `asked`.
    pub(crate) fn extend_lease(&mut self, leader: LeaderId, asked: Moment) {
        if self.following != Some(leader) {
            return;
        }
        let until = asked + LEASE;
        match &mut self.lease {
            Some((holder, end)) if *holder == leader => *end = (*end).max(until),
            lease => *lease = Some((leader, until)),
        }
    }

    /// Until when `leader`, which is this replica, may read, and the epoch of that right.
    pub(crate) fn lease(&self, leader: LeaderId, now: Moment) -> Option<(Moment, u64)> {
        match self.lease {
            Some((holder, until)) if holder == leader && now < until => Some((until, self.epoch)),
            _ => None,
        }
    }

    /// Ends the lease and voids all permits.
    pub(crate) fn drop_lease(&mut self) {
        self.lease = None;
        self.epoch += 1;
    }

    /// Whether a permit of this leadership and epoch is not void.
    pub(crate) fn holds(&self, leader: LeaderId, epoch: u64) -> bool {
        self.following == Some(leader) && self.epoch == epoch
    }

    /// The epoch that a permit without a lease is bound to.
    pub(crate) fn epoch(&self) -> u64 {
        self.epoch
    }
}

#[cfg(test)]
mod tests;
