//! A volume grows, and loses segments.

use quorate_control::Txn;
use quorate_volume::protocol::{MembershipEpoch, VolumeId};

use super::region::{REPLACE_AFTER_MS, Region, node};

#[tokio::test]
async fn a_volume_grows_by_the_groups_that_its_writer_wants() {
    let region = Region::running(1).await;
    let stored = region.volume().await;
    let mut record = stored.record.clone();
    record.wanted_groups = 3;
    let txn = Txn::new().replace(&stored, &record);
    region.catalog.commit(txn).await.unwrap();
    region.decide().await;
    let volume = region.volume().await.record;
    assert_eq!(volume.groups.len(), 3);
    let id = VolumeId("cluster-TEST".into());
    assert_eq!(volume.segments_of(&id, &node("b-1")).len(), 6);
    assert_eq!(volume.segments_of(&id, &node("a-2")).len(), 3);
}

#[tokio::test]
async fn a_node_with_the_only_place_in_its_zone_is_waited_for() {
    let mut region = Region::running(0).await;
    region.lose("b-1", 2 * REPLACE_AFTER_MS);
    assert!(region.decide().await.is_empty());
}

#[tokio::test]
async fn a_segment_on_a_lost_node_waits_for_a_place_in_its_zone() {
    let mut region = Region::running(0).await;
    // Both nodes of zone a hold a segment: nobody in the zone is free.
    region.lose("a-2", 2 * REPLACE_AFTER_MS);
    assert!(region.decide().await.is_empty());
    assert_eq!(
        region.volume().await.record.groups[0].epoch,
        MembershipEpoch(1)
    );
}

#[tokio::test]
async fn a_replacement_is_finished_when_it_is_filled() {
    let mut region = Region::running(0).await;
    let stored = region.volume().await;
    let mut record = stored.record.clone();
    // As placed while a-2 was away: both of the zone's segments on a-1.
    for place in &mut record.groups[0].sets[0] {
        if place.node == node("a-2") {
            place.node = node("a-1");
        }
    }
    let txn = Txn::new().replace(&stored, &record);
    region.catalog.commit(txn).await.unwrap();
    region.lose("a-1", REPLACE_AFTER_MS);
    region.filling.insert(6);
    region.decide().await;
    let group = region.volume().await.record.groups[0].clone();
    assert_eq!((group.sets.len(), group.epoch), (2, MembershipEpoch(2)));
    let incoming = group.replacement().unwrap().0.clone();
    assert_eq!((incoming.copy, incoming.node), (6, node("a-2")));

    region.filling.clear();
    region.decide().await;
    let group = region.volume().await.record.groups[0].clone();
    assert_eq!((group.sets.len(), group.epoch), (1, MembershipEpoch(3)));
}
