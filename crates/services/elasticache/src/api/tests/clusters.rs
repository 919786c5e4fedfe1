//! Cache clusters.

use super::world::{CLUSTER, GROUP, World};
use crate::model::{CacheKind, MemberNumber, Order, ShardNumber, Status};

#[tokio::test]
async fn a_memcached_cluster_has_nodes_and_a_configuration_endpoint() {
    let world = World::new().await;
    world
        .ok(&format!(
            "{CLUSTER}mem&Engine=memcached&NumCacheNodes=3&AZMode=cross-az"
        ))
        .await;
    world.settle("mem").await;
    let answer = world
        .ok("Action=DescribeCacheClusters&CacheClusterId=mem&ShowCacheNodeInfo=true")
        .await;
    assert_eq!(answer.text("ConfigurationEndpoint/Port"), Some("11211"));
    assert_eq!(
        answer.texts("CacheNode/CacheNodeId"),
        ["0001", "0002", "0003"]
    );
    assert_eq!(
        answer.text("CacheCluster/PreferredAvailabilityZone"),
        Some("Multiple")
    );
    assert_eq!(answer.text("CacheCluster/NumCacheNodes"), Some("3"));
    let endpoints = world.endpoints().await;
    let main = endpoints
        .iter()
        .find(|e| e.id == "elasticache:mem")
        .unwrap();
    assert_eq!(main.record.cluster.as_ref().unwrap().version, 1);
    assert_eq!(world.cache("mem").await.kind, CacheKind::Memcached);
    let hidden = world
        .ok("Action=DescribeCacheClusters&CacheClusterId=mem")
        .await;
    assert!(hidden.texts("CacheNode/CacheNodeId").is_empty());
}

#[tokio::test]
async fn nodes_are_added_removed_and_rebooted() {
    let world = World::new().await;
    world
        .ok(&format!("{CLUSTER}mem&Engine=memcached&NumCacheNodes=2"))
        .await;
    world.settle("mem").await;
    let modify = "Action=ModifyCacheCluster&CacheClusterId=mem";
    world
        .refuses(
            &format!("{modify}&NumCacheNodes=41"),
            "InvalidParameterValue",
            "40",
        )
        .await;
    world
        .refuses(
            &format!("{modify}&NumCacheNodes=1"),
            "InvalidParameterCombination",
            "CacheNodeIdsToRemove",
        )
        .await;
    let waits = world.ok(&format!("{modify}&NumCacheNodes=3")).await;
    assert_eq!(waits.text("PendingModifiedValues/NumCacheNodes"), Some("3"));
    assert_eq!(world.endpoints().await.len(), 4);
    world.ok(&format!("{modify}&NumCacheNodes=2")).await;
    assert_eq!(world.endpoints().await.len(), 3);
    assert_eq!(world.cache("mem").await.pending.nodes, None);
    world
        .ok(&format!("{modify}&NumCacheNodes=3&ApplyImmediately=true"))
        .await;
    let cache = world.cache("mem").await;
    assert_eq!(cache.topology.shards[&ShardNumber(1)].members.len(), 3);
    assert_eq!(
        (cache.status, cache.settings.replicas),
        (Status::Modifying, 2)
    );
    world.settle("mem").await;
    let remove = "&NumCacheNodes=2&CacheNodeIdsToRemove.CacheNodeId.1=0001&ApplyImmediately=true";
    world.ok(&format!("{modify}{remove}")).await;
    let order = Order::Remove(ShardNumber(1), vec![MemberNumber(1)]);
    assert_eq!(world.cache("mem").await.orders, [order]);
    world.settle("mem").await;
    let reboot = "Action=RebootCacheCluster&CacheClusterId=mem&CacheNodeIdsToReboot.CacheNodeId.1=";
    world
        .refuses(&format!("{reboot}0009"), "InvalidParameterValue", "0009")
        .await;
    let answer = world.ok(&format!("{reboot}0002")).await;
    assert_eq!(
        answer.text("CacheCluster/CacheClusterStatus"),
        Some("rebooting cluster nodes")
    );
}

#[tokio::test]
async fn a_lone_node_is_reached_by_one_endpoint() {
    let world = World::new().await;
    world.ok(&format!("{CLUSTER}one&Engine=redis")).await;
    world.settle("one").await;
    assert_eq!(world.endpoints().await.len(), 1);
    let answer = world
        .ok("Action=DescribeCacheClusters&CacheClusterId=one&ShowCacheNodeInfo=true")
        .await;
    assert_eq!(answer.text("Endpoint/Port"), Some("6379"));
    assert_eq!(answer.text("CacheCluster/ReplicationGroupId"), None);
    world
        .ok("Action=DeleteCacheCluster&CacheClusterId=one")
        .await;
    let answer = world
        .ok("Action=DescribeCacheClusters&CacheClusterId=one")
        .await;
    assert_eq!(
        answer.text("CacheCluster/CacheClusterStatus"),
        Some("deleting")
    );
}

#[tokio::test]
async fn a_cluster_can_be_a_further_replica_with_a_name_of_its_own() {
    let world = World::new().await;
    world.group("shop").await;
    let create = "Action=CreateCacheCluster&ReplicationGroupId=shop&CacheClusterId=extra&PreferredAvailabilityZone=us-east-1b";
    let answer = world.ok(create).await;
    assert_eq!(
        answer.text("CacheCluster/CacheClusterStatus"),
        Some("creating")
    );
    world.settle("shop").await;
    let group = world.ok("Action=DescribeReplicationGroups").await;
    assert_eq!(group.texts("MemberClusters/ClusterId")[3], "extra");
    world
        .refuses(create, "CacheClusterAlreadyExists", "extra")
        .await;
    let modify = "Action=ModifyCacheCluster&CacheClusterId=extra&SnapshotRetentionLimit=1";
    world
        .refuses(
            modify,
            "InvalidParameterCombination",
            "ModifyReplicationGroup",
        )
        .await;
    world
        .refuses(
            "Action=DeleteCacheCluster&CacheClusterId=shop-001",
            "InvalidCacheClusterState",
            "primary",
        )
        .await;
    let answer = world
        .ok("Action=DeleteCacheCluster&CacheClusterId=extra")
        .await;
    assert_eq!(
        answer.text("CacheCluster/CacheClusterStatus"),
        Some("deleting")
    );
    world.ok(&format!("{GROUP}solo")).await;
    world.settle("solo").await;
    world
        .refuses(
            "Action=DeleteCacheCluster&CacheClusterId=solo-001",
            "InvalidCacheClusterState",
            "only member",
        )
        .await;
    world.ok(&format!("{CLUSTER}mem&Engine=memcached")).await;
    let alone = world
        .ok("Action=DescribeCacheClusters&ShowCacheClustersNotInReplicationGroups=true")
        .await;
    assert_eq!(alone.texts("CacheCluster/CacheClusterId"), ["mem"]);
}

#[tokio::test]
async fn bad_clusters_are_refused() {
    let world = World::new().await;
    for (more, code, words) in [
        ("a", "InvalidParameterValue", "Engine"),
        (
            "a&Engine=redis&NumCacheNodes=2",
            "InvalidParameterValue",
            "should be 1",
        ),
        (
            "a&Engine=memcached&NumCacheNodes=41",
            "NodeQuotaForClusterExceeded",
            "40",
        ),
        (
            "a&Engine=memcached&NumCacheNodes=0",
            "InvalidParameterValue",
            "between 1 and 40",
        ),
        (
            "a&Engine=memcached&AZMode=cross-az",
            "InvalidParameterCombination",
            "more than one node",
        ),
        (
            "a&Engine=memcached&SnapshotRetentionLimit=1",
            "SnapshotFeatureNotSupportedFault",
            "memcached",
        ),
        (
            "a&Engine=redis&TransitEncryptionEnabled=true",
            "InvalidParameterCombination",
            "CreateReplicationGroup",
        ),
        (
            "a&ReplicationGroupId=none",
            "ReplicationGroupNotFoundFault",
            "none",
        ),
        (
            "a&Engine=memcached&PreferredAvailabilityZone=x",
            "InvalidParameterValue",
            "us-east-1a",
        ),
    ] {
        world
            .refuses(&format!("{CLUSTER}{more}"), code, words)
            .await;
    }
    world
        .refuses(
            "Action=DescribeCacheClusters&CacheClusterId=x",
            "CacheClusterNotFound",
            "x",
        )
        .await;
    world
        .refuses("Action=DoWhat", "InvalidAction", "DoWhat")
        .await;
}

#[tokio::test]
async fn long_lists_come_in_pages() {
    let world = World::new().await;
    for n in 0..25 {
        world
            .ok(&format!("{CLUSTER}c{n:02}&Engine=memcached"))
            .await;
    }
    let first = world.ok("Action=DescribeCacheClusters&MaxRecords=20").await;
    assert_eq!(first.texts("CacheCluster/CacheClusterId").len(), 20);
    let marker = first.text("DescribeCacheClustersResult/Marker").unwrap();
    let rest = world
        .ok(&format!(
            "Action=DescribeCacheClusters&MaxRecords=20&Marker={marker}"
        ))
        .await;
    assert_eq!(rest.texts("CacheCluster/CacheClusterId").len(), 5);
    world
        .refuses(
            "Action=DescribeCacheClusters&MaxRecords=5",
            "InvalidParameterValue",
            "MaxRecords",
        )
        .await;
}

#[tokio::test]
async fn node_types_go_up_and_down() {
    let world = World::new().await;
    world.group("shop").await;
    let answer = world
        .ok("Action=ListAllowedNodeTypeModifications&ReplicationGroupId=shop")
        .await;
    let up = answer.texts("ScaleUpModifications/member");
    assert!(up.contains(&"cache.r7g.large") && !up.contains(&"cache.t3.micro"));
    world
        .refuses(
            "Action=ListAllowedNodeTypeModifications",
            "InvalidParameterCombination",
            "either",
        )
        .await;
}

#[tokio::test]
async fn a_primary_hands_over_before_it_is_rebooted() {
    let world = World::new().await;
    world.group("shop").await;
    let reboot = |member: &str| {
        format!(
            "Action=RebootCacheCluster&CacheClusterId=shop-{member}&CacheNodeIdsToReboot.CacheNodeId.1=0001"
        )
    };
    let restart = |member| Order::Reboot(ShardNumber(1), vec![MemberNumber(member)]);
    world.ok(&reboot("001")).await;
    let lead = Order::MakePrimary(ShardNumber(1), MemberNumber(2));
    assert_eq!(world.cache("shop").await.orders, [lead, restart(1)]);
    world.change("shop", |cache| cache.orders.clear()).await;
    world.settle("shop").await;
    world.ok(&reboot("002")).await;
    assert_eq!(world.cache("shop").await.orders, [restart(2)]);
}
