//! Who copies a volume's pages, for a snapshot or for a restore.
//!
//! Invariants
//! - One node at a time is at it, and each attempt has a number of its own: what a node does that was overruled counts for
//!   nothing.
//! - Attempts and waiting have bounds: each copy ends, in success or with a reason.

use std::collections::BTreeSet;

use quorate_base::{NodeId, UnixMillis};

use crate::aurora::model::{Attempt, Cluster, ClusterStatus};

/// Attempts at one copy.
pub const ATTEMPTS_MAX: u32 = 5;
/// Pause after an attempt that failed, for each attempt that there was.
pub const RETRY_AFTER_MS: u64 = 1_000;
/// How long is waited for what the copy needs.
pub const READY_WAIT_MS: u64 = 600_000;

/// One look at a copy.
#[derive(Debug, Clone)]
pub struct TransferFacts<'a> {
    /// The present or last attempt.
    pub attempt: Option<&'a Attempt>,
    /// When the copy was asked for.
    pub asked_at: UnixMillis,
    /// The nodes that could do it, the best first; alive or not.
    pub nodes: &'a [NodeId],
    /// The nodes that renew their sessions.
    pub alive: &'a BTreeSet<NodeId>,
    /// What it has to wait for, if anything.
    pub waits_for: Option<&'static str>,
    /// When this is looked at.
    pub now: UnixMillis,
}

/// What is next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TransferDecision {
    /// A node is at it, or something is waited for.
    Wait,
    /// The attempt is over; why.
    Over(String),
    /// This node makes this attempt.
    Begin {
        /// The node.
        node: NodeId,
        /// The attempt's number.
        number: u32,
    },
    /// There will be no copy; why.
    Fail(String),
}

/// Decides what is next.
#[must_use]
pub fn decide_transfer(facts: &TransferFacts<'_>) -> TransferDecision {
    if let Some(attempt) = facts.attempt.filter(|attempt| attempt.is_open()) {
        if facts.alive.contains(&attempt.node) {
            return TransferDecision::Wait;
        }
        return TransferDecision::Over(format!("node {} does not answer", attempt.node));
    }
    let attempts = facts.attempt.map_or(0, |attempt| attempt.number);
    let failure = facts.attempt.and_then(|attempt| attempt.failure.clone());
    if attempts >= ATTEMPTS_MAX {
        return TransferDecision::Fail(failure.unwrap_or_default());
    }
    let since = facts.attempt.map_or(facts.asked_at, |a| a.since);
    let waited_ms = facts.now.millis_since(since);
    if waited_ms < RETRY_AFTER_MS * u64::from(attempts) {
        return TransferDecision::Wait;
    }
    let alive = facts.nodes.iter().filter(|n| facts.alive.contains(*n));
    let alive: Vec<&NodeId> = alive.collect();
    // Another one at each attempt: what stands in the way of one node may not stand in the way of the next.
    let turn = (attempts as usize).checked_rem(alive.len());
    match (facts.waits_for, turn) {
        (None, Some(turn)) => TransferDecision::Begin {
            node: alive[turn].clone(),
            number: attempts + 1,
        },
        _ if waited_ms <= READY_WAIT_MS => TransferDecision::Wait,
        (Some(why), _) => TransferDecision::Fail(why.to_owned()),
        (None, None) => TransferDecision::Fail(String::from("no node that could do it answers")),
    }
}

/// How a cluster's volume can be read with all that was acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReadingWay {
    /// Beside its writer, which tells segments what is complete.
    BesideWriter,
    /// Nobody writes, so whoever reads opens the volume at an epoch of its own first.
    AtOwnEpoch,
    /// Not at the moment.
    NotYet,
}

/// Decides how a cluster's volume can be read.
#[must_use]
pub fn decide_reading(cluster: &Cluster) -> ReadingWay {
    if cluster.is_serving() && cluster.failover.is_none() {
        ReadingWay::BesideWriter
    } else if cluster.members.is_empty() || cluster.status == ClusterStatus::Stopped {
        ReadingWay::AtOwnEpoch
    } else {
        ReadingWay::NotYet
    }
}

#[cfg(test)]
mod tests {
    use quorate_base::Epoch;

    use super::*;
    use crate::aurora::fixture::{NOW, cluster, node};

    fn attempt(number: u32, letter: char, failure: Option<&str>) -> Attempt {
        Attempt {
            number,
            node: node(letter),
            since: NOW,
            reading_epoch: None,
            filling_epoch: None,
            run: None,
            failure: failure.map(str::to_owned),
            percent: 0,
        }
    }

    fn decide(attempt: Option<&Attempt>, alive: &str, later_ms: u64) -> TransferDecision {
        decide_waiting(attempt, alive, later_ms, None)
    }

    fn decide_waiting(
        attempt: Option<&Attempt>,
        alive: &str,
        later_ms: u64,
        waits_for: Option<&'static str>,
    ) -> TransferDecision {
        decide_transfer(&TransferFacts {
            attempt,
            asked_at: NOW,
            nodes: &[node('c'), node('a'), node('b')],
            alive: &alive.chars().map(node).collect(),
            waits_for,
            now: UnixMillis(NOW.0 + later_ms),
        })
    }

    fn begin(number: u32, letter: char) -> TransferDecision {
        let node = node(letter);
        TransferDecision::Begin { node, number }
    }

    #[test]
    fn the_best_node_that_answers_begins() {
        assert_eq!(decide(None, "abc", 0), begin(1, 'c'));
        assert_eq!(decide(None, "ab", 0), begin(1, 'a'));
        assert_eq!(decide(None, "", 0), TransferDecision::Wait);
    }

    #[test]
    fn a_node_that_is_at_it_is_left_alone_while_it_answers() {
        let open = attempt(1, 'c', None);
        assert_eq!(
            decide(Some(&open), "abc", 9_999_999),
            TransferDecision::Wait
        );
        let lost = decide(Some(&open), "ab", 0);
        assert!(matches!(lost, TransferDecision::Over(_)), "{lost:?}");
    }

    #[test]
    fn another_node_goes_on_after_a_pause() {
        let failed = attempt(1, 'c', Some("no room"));
        assert_eq!(decide(Some(&failed), "abc", 999), TransferDecision::Wait);
        assert_eq!(decide(Some(&failed), "abc", 1_000), begin(2, 'a'));
        assert_eq!(decide(Some(&failed), "c", 1_000), begin(2, 'c'));
    }

    #[test]
    fn attempts_and_waiting_end_with_a_reason() {
        let last = attempt(ATTEMPTS_MAX, 'c', Some("no room"));
        let fail = |why: &str| TransferDecision::Fail(why.to_owned());
        assert_eq!(decide(Some(&last), "abc", 60_000), fail("no room"));
        let waiting = |ms| decide_waiting(None, "abc", ms, Some("no writer"));
        assert_eq!(waiting(READY_WAIT_MS), TransferDecision::Wait);
        assert_eq!(waiting(READY_WAIT_MS + 1), fail("no writer"));
    }

    #[test]
    fn another_run_of_an_agent_does_not_go_on() {
        let open = attempt(1, 'c', None);
        let taken = open.taken_on(7, NOW);
        assert_eq!((taken.run, taken.is_open()), (Some(7), true));
        assert_eq!(taken.taken_on(7, NOW), taken);
        assert!(!taken.taken_on(8, NOW).is_open());
    }

    #[test]
    fn a_volume_is_read_beside_its_writer_or_by_whoever_opens_it() {
        let mut cluster = cluster(1);
        assert_eq!(decide_reading(&cluster), ReadingWay::BesideWriter);
        cluster.serving = Some(Epoch(2));
        assert_eq!(decide_reading(&cluster), ReadingWay::NotYet);
        cluster.status = ClusterStatus::Stopped;
        assert_eq!(decide_reading(&cluster), ReadingWay::AtOwnEpoch);
        cluster.status = ClusterStatus::Available;
        cluster.members.clear();
        assert_eq!(decide_reading(&cluster), ReadingWay::AtOwnEpoch);
    }
}
