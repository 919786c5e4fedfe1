//! Changes of writer, from the cause to the endpoints.

use std::collections::BTreeMap;

use quorate_base::Epoch;

use super::region::{REPLACE_AFTER_MS, Region, node};
use crate::aurora::fixture::address;
use crate::aurora::model::{ClusterOrder, ClusterStatus};
use crate::model::MemberState;

#[tokio::test]
async fn a_lost_writer_is_replaced_by_a_reader_at_the_next_epoch() {
    let mut region = Region::running(3).await;
    region.lose("a-1", 0);
    region.decide().await;
    let deciding = region.cluster().await.record;
    assert_eq!(deciding.writer.as_deref(), Some("m2"));
    assert_eq!(deciding.epoch, Epoch(2));
    assert_eq!(deciding.status, ClusterStatus::FailingOver);
    let writer = region.endpoint("rds-cluster:c").unwrap();
    assert!(writer.targets.is_empty() && writer.epoch == Epoch(2));

    region.settle().await;
    let cluster = region.cluster().await.record;
    assert_eq!(cluster.status, ClusterStatus::Available);
    assert_eq!(cluster.failover, None);
    let targets = |id: &str| region.endpoint(id).unwrap().targets;
    assert_eq!(targets("rds-cluster:c"), [address(2)]);
    assert_eq!(targets("rds-cluster-ro:c"), [address(3)]);
    assert!(targets("rds:m1").is_empty());
    let told = region.told();
    for message in [
        "Started cross AZ failover to DB instance: m2",
        "Completed failover to DB instance: m2",
    ] {
        assert!(told.contains(&message.to_owned()), "{told:?}");
    }

    region.away.clear();
    region.settle().await;
    let readers = region.endpoint("rds-cluster-ro:c").unwrap();
    assert_eq!(readers.targets, [address(1), address(3)]);
}

#[tokio::test]
async fn a_lost_writer_without_readers_comes_up_in_another_zone() {
    let mut region = Region::running(1).await;
    region.lose("a-1", 0);
    region.settle().await;
    let cluster = region.cluster().await.record;
    let member = &cluster.members["m1"];
    assert_ne!(member.node.as_ref().unwrap().zone(), node("a-1").zone());
    assert_eq!(cluster.serving, Some(Epoch(2)));
    assert_eq!(cluster.status, ClusterStatus::Available);
}

#[tokio::test]
async fn a_dead_engine_without_readers_is_mounted_again_where_it_was() {
    let mut region = Region::running(1).await;
    region.gave_up.insert("m1".into(), Epoch(1));
    region.settle().await;
    let cluster = region.cluster().await.record;
    assert_eq!(cluster.members["m1"].node, Some(node("a-1")));
    assert_eq!(cluster.serving, Some(Epoch(2)));
    let told = region.told();
    assert!(told.contains(&"Promoting previous primary again: m1".to_owned()));
}

#[tokio::test]
async fn a_report_of_an_older_epoch_changes_nothing() {
    let mut region = Region::running(2).await;
    region.gave_up.insert("m1".into(), Epoch(0));
    assert!(region.settle().await.is_empty());
}

#[tokio::test]
async fn an_ordered_failover_goes_to_its_target() {
    let region = Region::running(3).await;
    let to = Some("m3".to_owned());
    region
        .change(|cluster| cluster.order = Some(ClusterOrder::Failover { to }))
        .await;
    region.settle().await;
    let cluster = region.cluster().await.record;
    assert_eq!(
        (cluster.writer.as_deref(), cluster.order),
        (Some("m3"), None)
    );
    let readers = region.endpoint("rds-cluster-ro:c").unwrap();
    assert_eq!(readers.targets, [address(1), address(2)]);
}

#[tokio::test]
async fn a_new_writer_that_dies_too_is_replaced_at_yet_another_epoch() {
    let mut region = Region::running(3).await;
    region.lose("a-1", 0);
    region.decide().await;
    // Without either of the two, three segments are left, and nobody could open the volume.
    region.away.clear();
    region.lose("b-1", 0);
    region.settle().await;
    let cluster = region.cluster().await.record;
    assert_eq!(cluster.writer.as_deref(), Some("m1"));
    assert_eq!(cluster.serving, Some(Epoch(3)));
}

#[tokio::test]
async fn endpoints_lead_away_from_a_reader_that_is_silent_and_it_moves_when_it_stays_so() {
    let mut region = Region::running(3).await;
    region.lose("b-1", 0);
    region.decide().await;
    let readers = region.endpoint("rds-cluster-ro:c").unwrap();
    assert_eq!(readers.targets, [address(3)]);
    let cluster = region.cluster().await.record;
    assert_eq!(cluster.members["m2"].state, MemberState::Building);
    assert_eq!(cluster.epoch, Epoch(1), "the writer goes on");

    region.lose("b-1", REPLACE_AFTER_MS);
    region.settle().await;
    let cluster = region.cluster().await.record;
    assert_ne!(cluster.members["m2"].node, Some(node("b-1")));
    let readers = region.endpoint("rds-cluster-ro:c").unwrap();
    assert_eq!(readers.targets, [address(2), address(3)]);
}

#[tokio::test]
async fn an_ordered_failover_whose_target_is_lost_is_dropped() {
    let mut region = Region::running(2).await;
    region
        .change(|cluster| {
            cluster.status = ClusterStatus::FailingOver;
            cluster.order = Some(ClusterOrder::Failover { to: None });
        })
        .await;
    region.lose("b-1", 0);
    region.decide().await;
    let cluster = region.cluster().await.record;
    assert_eq!(
        (cluster.writer.as_deref(), cluster.epoch),
        (Some("m1"), Epoch(1))
    );
    assert_eq!(cluster.status, ClusterStatus::Available);
    assert!(region.told().iter().any(|m| m.contains("failover failed")));
}

#[tokio::test]
async fn attempts_to_mount_again_have_a_pause_between_them() {
    let mut region = Region::running(1).await;
    region.gave_up.insert("m1".into(), Epoch(1));
    region.decide().await;
    region.gave_up.insert("m1".into(), Epoch(2));
    assert!(region.decide().await.is_empty());
    region
        .change(|cluster| cluster.failover.as_mut().unwrap().started_at.0 -= 2_000)
        .await;
    region.decide().await;
    assert_eq!(region.cluster().await.record.epoch, Epoch(3));
}

#[tokio::test]
async fn with_three_segments_readers_serve_and_nobody_is_promoted_before_the_fourth() {
    let mut region = Region::running(3).await;
    region.lose("a-1", 0);
    region.lose("c-1", 0);
    region.settle().await;
    let cluster = region.cluster().await.record;
    assert_eq!(cluster.writer.as_deref(), Some("m1"));
    assert_eq!((cluster.epoch, cluster.failover), (Epoch(1), None));
    let few = "storage: fewer than four segments of protection group 0 answer";
    assert_eq!(cluster.status_detail.as_deref(), Some(few));
    let targets = |region: &Region, id: &str| region.endpoint(id).unwrap().targets;
    assert!(targets(&region, "rds-cluster:c").is_empty());
    assert_eq!(targets(&region, "rds-cluster-ro:c"), [address(2)]);
    assert_eq!(targets(&region, "rds:m2"), [address(2)]);

    // Its node was away, too: it reads again without anybody to follow.
    region.lose("b-1", 0);
    region.decide().await;
    assert_eq!(targets(&region, "rds-cluster-ro:c"), []);
    region.away.remove(&node("b-1"));
    region.settle().await;
    assert_eq!(targets(&region, "rds-cluster-ro:c"), [address(2)]);
    assert_eq!(region.cluster().await.record.epoch, Epoch(1));

    region.away.remove(&node("c-1"));
    region.settle().await;
    let cluster = region.cluster().await.record;
    assert_eq!(cluster.writer.as_deref(), Some("m2"));
    assert_eq!(cluster.serving, Some(Epoch(2)));
    assert_eq!((cluster.unwritable, cluster.status_detail), (None, None));
    assert_eq!(targets(&region, "rds-cluster:c"), [address(2)]);
    assert_eq!(targets(&region, "rds-cluster-ro:c"), [address(3)]);
}

#[tokio::test]
async fn a_writer_that_gave_up_with_three_segments_is_not_followed() {
    let mut region = Region::running(2).await;
    region.lose("c-1", 0);
    region.lose("a-2", 0);
    region.gave_up.insert("m1".into(), Epoch(1));
    region.decide().await;
    let cluster = region.cluster().await.record;
    assert_eq!((cluster.serving, cluster.epoch), (None, Epoch(1)));
    assert!(!cluster.writer_runs());
    let writer = region.endpoint("rds-cluster:c").unwrap();
    assert!(writer.targets.is_empty());
    region.away.clear();
    region.settle().await;
    let cluster = region.cluster().await.record;
    assert_eq!(cluster.serving, Some(Epoch(2)));
}

#[tokio::test]
async fn a_leader_that_has_not_heard_of_four_segments_promotes_nobody() {
    let mut region = Region::running(2).await;
    region.gave_up.insert("m1".into(), Epoch(1));
    region.silent = ["a-2", "c-1"].map(|name| (node(name), None)).into();
    assert!(region.decide().await.is_empty());
    region.silent.remove(&node("a-2"));
    region.settle().await;
    let cluster = region.cluster().await.record;
    assert_eq!(cluster.writer.as_deref(), Some("m2"));
    assert_eq!(cluster.serving, Some(Epoch(2)));
}

#[tokio::test]
async fn nodes_that_fell_silent_with_the_writers_do_not_count_for_its_successor() {
    let mut region = Region::running(2).await;
    region.lose("a-1", 0);
    region.silent = BTreeMap::from([(node("c-1"), Some(1_700))]);
    region.decide().await;
    let cluster = region.cluster().await.record;
    assert_eq!(cluster.epoch, Epoch(1));
    assert_eq!(cluster.unwritable, None, "it is not missed yet");
    region.silent = BTreeMap::from([(node("c-1"), Some(600))]);
    region.settle().await;
    let cluster = region.cluster().await.record;
    assert_eq!(cluster.writer.as_deref(), Some("m2"));
}

#[tokio::test]
async fn a_failover_that_lost_its_fourth_segment_tells_what_it_waits_for() {
    let mut region = Region::running(2).await;
    region.lose("a-1", 0);
    region.decide().await;
    let reason = region.cluster().await.record.status_detail;
    region.lose("c-1", 0);
    region.decide().await;
    let detail = region.cluster().await.record.status_detail.unwrap();
    assert!(detail.starts_with("storage: "), "{detail}");
    region.away.remove(&node("c-1"));
    region.decide().await;
    assert_eq!(region.cluster().await.record.status_detail, reason);
}

#[tokio::test]
async fn storage_that_takes_no_writes_is_told_while_it_does_not() {
    let mut region = Region::running(2).await;
    let detail = Some("storage: no write quorum".to_owned());
    region.detail.clone_from(&detail);
    region.decide().await;
    assert_eq!(region.cluster().await.record.status_detail, detail);
    region.detail = None;
    region.decide().await;
    assert_eq!(region.cluster().await.record.status_detail, None);
}
