//! Promises and leases, in tables and over all clocks within the assumption.

use super::*;
use proptest::prelude::*;

fn at(ms: u64) -> Moment {
    Moment::default() + Duration::from_millis(ms)
}

fn vote(term: u64, voter: u64) -> Vote {
    Vote::new(term, voter)
}

#[test]
fn a_promise_keeps_the_vote_until_it_runs_out() {
    let mut guard = Guard::default();
    let (old, other) = (vote(1, 1), vote(2, 2));
    guard.begin_vote(&old, at(0));
    assert!(guard.promise(old.leader_id, at(1_000)));
    assert_eq!(
        guard.vote_waits(other.leader_id, at(1_100)),
        Duration::from_millis(400)
    );
    assert_eq!(
        guard.begin_vote(&other, at(1_100)),
        Duration::from_millis(400)
    );
    assert_eq!(
        guard.vote_waits(vote(3, 1).leader_id, at(1_500)),
        Duration::ZERO
    );
}

#[test]
fn a_vote_that_is_being_saved_ends_promises_to_lower_ones() {
    let mut guard = Guard::default();
    let (old, other) = (vote(1, 1), vote(2, 2));
    guard.begin_vote(&old, at(0));
    guard.begin_vote(&other, at(10));
    assert!(!guard.promise(old.leader_id, at(20)));
    assert!(guard.promise(other.leader_id, at(20)));
}

#[test]
fn a_committed_vote_does_not_wait() {
    let mut guard = Guard::default();
    guard.begin_vote(&vote(1, 1), at(0));
    guard.promise(vote(1, 1).leader_id, at(0));
    let committed = Vote::new_committed(2, 2);
    assert_eq!(guard.begin_vote(&committed, at(1)), Duration::ZERO);
}

#[test]
fn after_a_start_votes_wait_unless_none_was_ever_given() {
    let seen = Guard::opened(Some(&vote(4, 1)), at(1_000));
    assert_eq!(
        seen.vote_waits(vote(5, 2).leader_id, at(1_200)),
        Duration::from_millis(300)
    );
    assert_eq!(
        seen.vote_waits(vote(5, 2).leader_id, at(1_500)),
        Duration::ZERO
    );
    let fresh = Guard::opened(None, at(1_000));
    assert_eq!(
        fresh.vote_waits(vote(1, 2).leader_id, at(1_000)),
        Duration::ZERO
    );
}

#[test]
fn another_leader_ends_the_lease_and_its_permits() {
    let mut guard = Guard::default();
    let own = vote(1, 1).leader_id;
    guard.begin_vote(&vote(1, 1), at(0));
    guard.extend_lease(own, at(100));
    let (until, epoch) = guard.lease(own, at(200)).unwrap();
    assert_eq!(until, at(500));
    assert!(guard.holds(own, epoch));
    assert!(guard.lease(own, at(500)).is_none(), "a lease has an end");
    guard.begin_vote(&vote(2, 2), at(200));
    assert!(guard.lease(own, at(300)).is_none());
    assert!(!guard.holds(own, epoch));
    guard.extend_lease(own, at(300));
    assert!(
        guard.lease(own, at(301)).is_none(),
        "a late quorum gives no lease"
    );
}

proptest! {
    /// Two clocks that start anywhere and run at 0.91 to 1.09 of real time: when a promise is over, so is the lease.
    #[test]
    fn a_lease_ends_before_the_promise_it_stands_on(
        asked in 0_u64..1_000_000, travel in 0_u64..10_000, later in 0_u64..1_000_000,
        leader_rate in 910_u64..1_090, follower_rate in 910_u64..1_090,
    ) {
        let leader_clock = |real: u64| Moment(real * leader_rate * 1_000);
        let follower_clock = |real: u64| Moment(5_000_000 + real * follower_rate * 1_000);
        let (own, other) = (vote(1, 1), vote(2, 2));
        let mut leader = Guard::default();
        leader.begin_vote(&own, leader_clock(0));
        let mut follower = leader.clone();
        prop_assert!(follower.promise(own.leader_id, follower_clock(asked + travel)));
        leader.extend_lease(own.leader_id, leader_clock(asked));
        let real = asked + travel + later;
        if follower.vote_waits(other.leader_id, follower_clock(real)).is_zero() {
            prop_assert!(leader.lease(own.leader_id, leader_clock(real)).is_none());
        }
    }
}
