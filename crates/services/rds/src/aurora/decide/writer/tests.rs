//! Who becomes the writer, case by case.

use quorate_base::Epoch;
use quorate_volume::protocol::GroupIndex;

use super::*;
use crate::aurora::fixture;
use crate::model::MemberState;

/// Decides with the nodes of these zones alive.
fn decide(cluster: &Cluster, alive: &str, writer_gave_up: bool) -> WriterDecision {
    let alive = alive.chars().map(fixture::node).collect();
    decide_writer(&WriterFacts {
        cluster,
        alive: &alive,
        writer_gave_up,
        writable: true,
    })
}

/// The same, where too few segments are on nodes that are alive.
fn decide_unwritable(cluster: &Cluster, alive: &str, writer_gave_up: bool) -> WriterDecision {
    let alive = alive.chars().map(fixture::node).collect();
    decide_writer(&WriterFacts {
        cluster,
        alive: &alive,
        writer_gave_up,
        writable: false,
    })
}

fn promoted(decision: &WriterDecision) -> Option<&str> {
    match decision {
        WriterDecision::Promote { to, .. } => Some(to),
        _ => None,
    }
}

fn order(to: Option<&str>) -> Option<ClusterOrder> {
    Some(ClusterOrder::Failover {
        to: to.map(str::to_owned),
    })
}

#[test]
fn a_healthy_writer_stays_whatever_happens_to_readers() {
    let cluster = fixture::cluster(3);
    for alive in ["abc", "ab", "a"] {
        assert_eq!(decide(&cluster, alive, false), WriterDecision::Stay);
    }
}

#[test]
fn the_member_asked_for_first_becomes_the_first_writer() {
    let mut cluster = fixture::cluster(3);
    cluster.writer = None;
    cluster.members.get_mut("m1").unwrap().created_at.0 += 1;
    let begin = |member: &str| WriterDecision::Begin {
        member: member.into(),
    };
    assert_eq!(decide(&cluster, "abc", false), begin("m2"));
    assert_eq!(decide(&cluster, "ac", false), begin("m3"));
    assert_eq!(decide(&cluster, "", false), WriterDecision::Stay);
}

#[test]
fn the_lowest_tier_then_the_largest_class_takes_over_from_a_lost_node() {
    let mut cluster = fixture::cluster(3);
    assert_eq!(promoted(&decide(&cluster, "bc", false)), Some("m2"));
    cluster.members.get_mut("m3").unwrap().class = "db.r6g.xlarge".into();
    assert_eq!(promoted(&decide(&cluster, "bc", false)), Some("m3"));
    cluster.members.get_mut("m2").unwrap().promotion_tier = 0;
    assert_eq!(promoted(&decide(&cluster, "bc", false)), Some("m2"));
    assert_eq!(promoted(&decide(&cluster, "c", false)), Some("m3"));
}

#[test]
fn a_reader_that_runs_goes_before_one_that_does_not_whatever_its_tier() {
    let mut cluster = fixture::cluster(3);
    let m2 = cluster.members.get_mut("m2").unwrap();
    m2.promotion_tier = 0;
    m2.state = MemberState::Building;
    assert_eq!(promoted(&decide(&cluster, "bc", false)), Some("m3"));
    assert_eq!(promoted(&decide(&cluster, "b", false)), Some("m2"));
}

#[test]
fn a_lost_writer_without_readers_is_placed_anew() {
    let reason = SILENT;
    assert_eq!(
        decide(&fixture::cluster(1), "bc", false),
        WriterDecision::PlaceAnew { reason }
    );
    assert_eq!(
        decide(&fixture::cluster(2), "c", false),
        WriterDecision::PlaceAnew { reason }
    );
}

#[test]
fn a_dead_engine_is_replaced_by_a_reader_that_runs_or_mounted_again() {
    let mut cluster = fixture::cluster(2);
    assert_eq!(promoted(&decide(&cluster, "ab", true)), Some("m2"));
    cluster.members.get_mut("m2").unwrap().following = Some(Epoch(2));
    assert_eq!(
        decide(&cluster, "ab", true),
        WriterDecision::Remount { reason: GAVE_UP }
    );
}

#[test]
fn an_ordered_failover_goes_to_its_target_or_is_dropped() {
    let mut cluster = fixture::cluster(3);
    cluster.order = order(None);
    assert_eq!(promoted(&decide(&cluster, "abc", false)), Some("m2"));
    cluster.order = order(Some("m3"));
    assert_eq!(promoted(&decide(&cluster, "abc", false)), Some("m3"));
    assert_eq!(decide(&cluster, "ab", false), WriterDecision::DropOrder);
    cluster.order = order(Some("m1"));
    assert_eq!(decide(&cluster, "abc", false), WriterDecision::DropOrder);
    cluster.writer = None;
    assert_eq!(decide(&cluster, "abc", false), WriterDecision::DropOrder);
}

#[test]
fn a_writer_that_is_deleted_hands_over_while_there_is_somebody() {
    let mut cluster = fixture::cluster(2);
    cluster.members.get_mut("m1").unwrap().desired = MemberDesired::Deleted;
    assert_eq!(promoted(&decide(&cluster, "ab", false)), Some("m2"));
    cluster.members.get_mut("m2").unwrap().desired = MemberDesired::Deleted;
    assert_eq!(decide(&cluster, "ab", false), WriterDecision::Stay);
    assert_eq!(decide(&cluster, "b", false), WriterDecision::Stay);
}

#[test]
fn a_cluster_that_should_not_run_gets_no_new_writer() {
    let mut cluster = fixture::cluster(3);
    cluster.order = order(None);
    for desired in [Desired::Stopped, Desired::Deleted] {
        cluster.desired = desired;
        assert_eq!(decide(&cluster, "bc", true), WriterDecision::Stay);
    }
}

#[test]
fn nobody_becomes_the_writer_of_a_volume_that_cannot_be_opened() {
    let lost = fixture::cluster(2);
    let alone = fixture::cluster(1);
    let mut without = fixture::cluster(2);
    without.writer = None;
    let mut deleted = fixture::cluster(2);
    deleted.members.get_mut("m1").unwrap().desired = MemberDesired::Deleted;
    let cases = [
        ("a writer that is silent", &lost, "b", false),
        ("the same without a reader", &alone, "b", false),
        ("a writer whose engine ended", &lost, "ab", true),
        ("the same without a reader", &alone, "ab", true),
        ("no writer", &without, "ab", false),
        ("a writer that is deleted", &deleted, "ab", false),
    ];
    for (what, cluster, alive, gave_up) in cases {
        let decision = decide_unwritable(cluster, alive, gave_up);
        assert_eq!(decision, WriterDecision::Stay, "{what}");
        let decision = decide(cluster, alive, gave_up);
        assert_ne!(decision, WriterDecision::Stay, "{what}, with four segments");
    }
}

#[test]
fn a_failover_that_was_ordered_is_dropped_where_the_volume_cannot_be_opened() {
    let mut cluster = fixture::cluster(2);
    cluster.order = order(Some("m2"));
    let decision = decide_unwritable(&cluster, "ab", false);
    assert_eq!(
        decision,
        WriterDecision::Stay,
        "it may be a matter of a moment"
    );
    cluster.unwritable = Some(GroupIndex(0));
    let decision = decide_unwritable(&cluster, "ab", false);
    assert_eq!(decision, WriterDecision::DropOrder);
}
