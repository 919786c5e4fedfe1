//! Snapshots.

use super::world::{CLUSTER, GROUP, World};
use crate::model::{Order, Snapshot, SnapshotStatus, Status};

const CREATE: &str = "Action=CreateSnapshot&SnapshotName=S1";

async fn available(world: &World, id: &str) {
    let change = |snapshot: &mut Snapshot| {
        snapshot.status = SnapshotStatus::Available;
        true
    };
    world.catalog.update::<Snapshot>(id, change).await.unwrap();
}

#[tokio::test]
async fn a_snapshot_is_ordered_copied_restored_and_deleted() {
    let world = World::new().await;
    world.group("shop").await;
    world
        .refuses(CREATE, "InvalidParameterCombination", "either")
        .await;
    world.ok(&format!("{CREATE}&ReplicationGroupId=shop")).await;
    let cache = world.cache("shop").await;
    assert_eq!(cache.status, Status::Snapshotting);
    let name = String::from("s1");
    assert_eq!(cache.orders, [Order::Snapshot { name, member: None }]);
    world.settle("shop").await;
    let again = format!("{CREATE}&ReplicationGroupId=shop");
    world
        .refuses(&again, "SnapshotAlreadyExistsFault", "s1")
        .await;
    let copy = "Action=CopySnapshot&SourceSnapshotName=s1&TargetSnapshotName=s2";
    world
        .refuses(copy, "InvalidSnapshotState", "available")
        .await;
    available(&world, "s1").await;
    let answer = world.ok(copy).await;
    assert_eq!(answer.text("Snapshot/SnapshotStatus"), Some("copying"));
    let delete = "Action=DeleteSnapshot&SnapshotName=s1";
    world.refuses(delete, "InvalidSnapshotState", "s2").await;
    available(&world, "s2").await;

    let restore = GROUP.replace("&CacheNodeType=cache.t3.micro", "");
    world.ok(&format!("{restore}copy&SnapshotName=S1")).await;
    let cache = world.cache("copy").await;
    assert_eq!(cache.restore_from.as_deref(), Some("s1"));
    assert_eq!(cache.settings.node_type, "cache.t3.micro");
    world.refuses(delete, "InvalidSnapshotState", "copy").await;
    world
        .change("copy", |cache| cache.restore_from = None)
        .await;
    let answer = world.ok(delete).await;
    assert_eq!(answer.text("Snapshot/SnapshotStatus"), Some("deleting"));
    let listed = world
        .ok("Action=DescribeSnapshots&ReplicationGroupId=shop&SnapshotSource=user")
        .await;
    assert_eq!(listed.texts("Snapshot/SnapshotName"), ["s1", "s2"]);
    world
        .refuses(
            "Action=DescribeSnapshots&SnapshotName=x",
            "SnapshotNotFoundFault",
            "x",
        )
        .await;
}

#[tokio::test]
async fn memcached_has_no_snapshots() {
    let world = World::new().await;
    world.ok(&format!("{CLUSTER}mem&Engine=memcached")).await;
    world.settle("mem").await;
    let snapshot = format!("{CREATE}&CacheClusterId=mem");
    world
        .refuses(&snapshot, "SnapshotFeatureNotSupportedFault", "memcached")
        .await;
}
