//! A cluster comes to life, stops, starts, changes, goes.

use std::collections::BTreeSet;

use quorate_base::{Epoch, NodeId};
use quorate_control::Stored;

use super::region::{Region, asked, node};
use crate::aurora::fixture::address;
use crate::aurora::model::{Cluster, ClusterStatus, MemberDesired, Volume};
use crate::model::{Desired, PasswordVerifier, Status};

#[tokio::test]
async fn a_new_cluster_is_available_before_it_has_members() {
    let region = Region::running(0).await;
    let volume = region.volume().await.record;
    assert_eq!(volume.groups.len(), 1);
    assert_eq!(volume.groups[0].sets[0].len(), 6);
    assert_eq!(region.told(), ["DB cluster created"]);
    let writer = region.endpoint("rds-cluster:c").unwrap();
    assert!(writer.targets.is_empty());
}

#[tokio::test]
async fn members_spread_over_zones_and_the_first_one_writes() {
    let region = Region::running(3).await;
    let cluster = region.cluster().await.record;
    let nodes = cluster.members.values().map(|m| m.node.as_ref().unwrap());
    let zones: BTreeSet<_> = nodes.map(NodeId::zone).collect();
    assert_eq!(zones.len(), 3);
    assert_eq!(cluster.writer.as_deref(), Some("m1"));
    assert!(cluster.created);
    let mut members = cluster.members.values();
    assert!(members.all(|member| member.status == Status::Available));
    let targets = |id: &str| region.endpoint(id).unwrap().targets;
    assert_eq!(targets("rds-cluster:c"), [address(1)]);
    assert_eq!(targets("rds-cluster-ro:c"), [address(2), address(3)]);
    assert_eq!(targets("rds:m2"), [address(2)]);
}

#[tokio::test]
async fn a_member_goes_to_the_zone_asked_for() {
    let mut cluster = asked(1);
    cluster.members.get_mut("m1").unwrap().zone = Some(node("c-1").zone());
    let region = Region::new(&cluster).await;
    region.settle().await;
    let cluster = region.cluster().await.record;
    assert_eq!(cluster.members["m1"].node, Some(node("c-1")));
}

#[tokio::test]
async fn a_cluster_stops_and_starts_at_an_epoch_of_its_own() {
    let region = Region::running(2).await;
    region
        .change(|cluster| {
            cluster.desired = Desired::Stopped;
            cluster.status = ClusterStatus::Stopping;
            for member in cluster.members.values_mut() {
                member.status = Status::Stopping;
            }
        })
        .await;
    region.settle().await;
    let stopped = region.cluster().await.record;
    assert_eq!(stopped.status, ClusterStatus::Stopped);
    assert_eq!(stopped.members["m1"].status, Status::Stopped);
    assert_eq!(stopped.epoch, Epoch(2));
    assert!(region.endpoint("rds-cluster:c").unwrap().targets.is_empty());
    region
        .change(|cluster| {
            cluster.desired = Desired::Running;
            cluster.status = ClusterStatus::Starting;
            for member in cluster.members.values_mut() {
                member.status = Status::Starting;
            }
        })
        .await;
    region.settle().await;
    let started = region.cluster().await.record;
    assert_eq!(started.status, ClusterStatus::Available);
    assert_eq!(started.members["m2"].status, Status::Available);
    assert_eq!(started.serving, Some(Epoch(2)));
    assert!(region.told().contains(&"DB cluster started".to_owned()));
}

#[tokio::test]
async fn the_writer_hands_over_before_it_is_deleted() {
    let region = Region::running(2).await;
    region
        .change(|cluster| cluster.members.get_mut("m1").unwrap().desired = MemberDesired::Deleted)
        .await;
    region.settle().await;
    let cluster = region.cluster().await.record;
    assert_eq!(cluster.writer.as_deref(), Some("m2"));
    assert!(cluster.is_serving() && cluster.members.len() == 1);
    assert_eq!(region.endpoint("rds:m1"), None);
    assert_eq!(
        region.endpoint("rds-cluster-ro:c").unwrap().targets,
        [address(2)]
    );
}

#[tokio::test]
async fn the_last_member_leaves_its_data_to_the_next_one() {
    let region = Region::running(1).await;
    region
        .change(|cluster| cluster.members.get_mut("m1").unwrap().desired = MemberDesired::Deleted)
        .await;
    region.settle().await;
    let empty = region.cluster().await.record;
    assert_eq!((empty.members.len(), &empty.writer), (0, &None));
    assert!(empty.created);
    assert_eq!(empty.epoch, Epoch(2), "nobody mounts at epoch 1 again");
    region
        .change(|cluster| {
            let member = asked(1).members.remove("m1").unwrap();
            cluster.members.insert("m1".into(), member);
        })
        .await;
    region.settle().await;
    assert_eq!(region.cluster().await.record.serving, Some(Epoch(2)));
}

#[tokio::test]
async fn a_deleted_cluster_goes_with_its_volume_and_endpoints() {
    let region = Region::running(1).await;
    region
        .change(|cluster| {
            cluster.desired = Desired::Deleted;
            cluster.status = ClusterStatus::Deleting;
            cluster.members.get_mut("m1").unwrap().desired = MemberDesired::Deleted;
        })
        .await;
    region.settle().await;
    let clusters: Vec<Stored<Cluster>> = region.catalog.view().list().unwrap();
    let volumes: Vec<Stored<Volume>> = region.catalog.view().list().unwrap();
    assert!(clusters.is_empty() && volumes.is_empty());
    for id in ["rds-cluster:c", "rds-cluster-ro:c", "rds:m1"] {
        assert_eq!(region.endpoint(id), None, "{id}");
    }
    assert!(region.told().contains(&"DB cluster deleted".to_owned()));
}

#[tokio::test]
async fn a_new_password_is_in_force_when_the_writer_has_it() {
    let region = Region::running(1).await;
    let verifier = PasswordVerifier::scram("another99");
    region
        .change(|cluster| {
            cluster.pending.master_verifier = Some(verifier.clone());
            cluster.pending.apply_now = true;
        })
        .await;
    region.decide().await;
    let resetting = region.cluster().await.record;
    assert_eq!(resetting.status, ClusterStatus::ResettingMasterCredentials);
    region.settle().await;
    let cluster = region.cluster().await.record;
    assert_eq!(cluster.status, ClusterStatus::Available);
    assert_eq!(cluster.credentials_applied, Some(verifier.fingerprint()));
}

#[tokio::test]
async fn a_renamed_cluster_keeps_its_members_and_moves_its_endpoints() {
    let region = Region::running(1).await;
    region
        .change(|cluster| {
            cluster.pending.new_id = Some("d".into());
            cluster.pending.apply_now = true;
        })
        .await;
    region.settle().await;
    assert_eq!(region.cluster().await.id, "d");
    assert_eq!(region.endpoint("rds-cluster:c"), None);
    assert_eq!(
        region.endpoint("rds-cluster:d").unwrap().targets,
        [address(1)]
    );
}

#[tokio::test]
async fn a_renamed_member_stays_the_writer() {
    let region = Region::running(2).await;
    region
        .change(|cluster| {
            let pending = &mut cluster.members.get_mut("m1").unwrap().pending;
            pending.new_id = Some("m9".into());
            pending.apply_now = true;
        })
        .await;
    region.decide().await;
    let cluster = region.cluster().await.record;
    assert_eq!(cluster.writer.as_deref(), Some("m9"));
    assert_eq!(region.endpoint("rds:m1"), None);
    assert_eq!(region.endpoint("rds:m9").unwrap().targets, [address(1)]);
}

#[tokio::test]
async fn another_class_restarts_the_member() {
    let region = Region::running(1).await;
    region
        .change(|cluster| {
            let pending = &mut cluster.members.get_mut("m1").unwrap().pending;
            pending.class = Some("db.r6g.xlarge".into());
            pending.apply_now = true;
        })
        .await;
    region.decide().await;
    let member = region.cluster().await.record.members["m1"].clone();
    assert_eq!(
        (member.status, member.order.is_some()),
        (Status::Modifying, true)
    );
    region.settle().await;
    let member = region.cluster().await.record.members["m1"].clone();
    assert_eq!(member.status, Status::Available);
    assert_eq!(member.class, "db.r6g.xlarge");
}
