//! Replication groups.

use super::world::{GROUP, World};
use crate::model::{Auth, Desired, Engine, MemberNumber, Order, ShardNumber, Status};

/// What follows the group's name in a request, the code, and words of the sentence.
const REFUSALS: &[(&str, &str, &str)] = &[
    ("a&CacheNodeType=x", "MalformedQueryString", ""),
    ("a--b", "InvalidParameterValue", "two consecutive hyphens"),
    ("1a", "InvalidParameterValue", "begin with a letter"),
    (
        "a&NumCacheClusters=7",
        "InvalidParameterValue",
        "between 1 and 6",
    ),
    (
        "a&NumCacheClusters=0",
        "InvalidParameterValue",
        "between 1 and 6",
    ),
    (
        "a&NumNodeGroups=0",
        "InvalidParameterValue",
        "between 1 and 500",
    ),
    (
        "a&NumNodeGroups=501",
        "InvalidParameterValue",
        "between 1 and 500",
    ),
    (
        "a&ReplicasPerNodeGroup=6",
        "InvalidParameterValue",
        "between 0 and 5",
    ),
    (
        "a&AutomaticFailoverEnabled=true",
        "InvalidParameterCombination",
        "at least 2",
    ),
    (
        "a&NumCacheClusters=2&MultiAZEnabled=true",
        "InvalidParameterCombination",
        "Automatic failover",
    ),
    ("a&Engine=oracle", "InvalidParameterValue", "redis, valkey"),
    (
        "a&Engine=memcached",
        "InvalidParameterValue",
        "CreateCacheCluster",
    ),
    (
        "a&Engine=valkey",
        "InsufficientCacheClusterCapacity",
        "valkey-server",
    ),
    (
        "a&EngineVersion=5.0.6",
        "InvalidParameterCombination",
        "7.0.15",
    ),
    (
        "a&AuthToken=0123456789abcdef",
        "InvalidParameterCombination",
        "TransitEncryptionEnabled",
    ),
    (
        "a&TransitEncryptionEnabled=true&AuthToken=short",
        "InvalidParameterValue",
        "AuthToken",
    ),
    (
        "a&UserGroupIds.member.1=g&TransitEncryptionEnabled=true",
        "UserGroupNotFound",
        "g",
    ),
    ("a&SnapshotName=none", "SnapshotNotFoundFault", "none"),
    (
        "a&CacheParameterGroupName=none",
        "CacheParameterGroupNotFound",
        "none",
    ),
    (
        "a&CacheParameterGroupName=default.redis6.x",
        "InvalidParameterCombination",
        "redis7",
    ),
    (
        "a&CacheSubnetGroupName=none",
        "CacheSubnetGroupNotFoundFault",
        "none",
    ),
    (
        "a&PreferredCacheClusterAZs.AvailabilityZone.1=eu-west-1a",
        "InvalidParameterValue",
        "us-east-1a",
    ),
    (
        "a&SnapshotRetentionLimit=36",
        "InvalidParameterValue",
        "SnapshotRetentionLimit",
    ),
    (
        "a&SnapshotWindow=04:00",
        "InvalidParameterValue",
        "SnapshotWindow",
    ),
    ("a&Port=80", "InvalidParameterValue", "Port"),
    (
        "a&NumNodeGroups=2&AutomaticFailoverEnabled=false",
        "InvalidParameterValue",
        "cluster mode",
    ),
    (
        "a&NumNodeGroups=2&EngineVersion=6.2.7",
        "InvalidParameterCombination",
        "version 7.0",
    ),
    (
        "a&TransitEncryptionEnabled=true&TransitEncryptionMode=preferred",
        "InvalidParameterCombination",
        "TLS",
    ),
    (
        "a&PrimaryClusterId=x",
        "InvalidParameterCombination",
        "PrimaryClusterId",
    ),
];

#[tokio::test]
async fn creation_writes_members_and_endpoints_together() {
    let world = World::new().await;
    let more = "&NumCacheClusters=3&AutomaticFailoverEnabled=true&MultiAZEnabled=true&Tags.Tag.1.Key=a&Tags.Tag.1.Value=b";
    let answer = world.ok(&format!("{GROUP}Shop{more}")).await;
    assert_eq!(answer.text("ReplicationGroup/Status"), Some("creating"));
    assert_eq!(
        answer.texts("MemberClusters/ClusterId"),
        ["shop-001", "shop-002", "shop-003"]
    );
    let cache = world.cache("shop").await;
    assert_eq!((cache.endpoint_port, cache.reader_port), (6379, Some(7000)));
    assert_eq!(cache.settings.parameter_group, "default.redis7");
    assert_eq!(cache.inner_password.len(), 64);
    let ids: Vec<String> = world.endpoints().await.into_iter().map(|e| e.id).collect();
    assert_eq!(
        ids,
        [
            "elasticache:shop",
            "elasticache:shop/0001/001",
            "elasticache:shop/0001/002",
            "elasticache:shop/0001/003",
            "elasticache:shop:reader"
        ]
    );
    world
        .refuses(
            &format!("{GROUP}SHOP"),
            "ReplicationGroupAlreadyExists",
            "already exists",
        )
        .await;
    world
        .refuses(
            &format!("{GROUP}shop-001"),
            "ReplicationGroupAlreadyExists",
            "",
        )
        .await;
}

#[tokio::test]
async fn an_available_group_says_all_that_clients_read() {
    let world = World::new().await;
    world.group("shop").await;
    let answer = world
        .ok("Action=DescribeReplicationGroups&ReplicationGroupId=Shop")
        .await;
    for (path, text) in [
        ("ReplicationGroup/Status", "available"),
        ("PrimaryEndpoint/Port", "6379"),
        ("ReaderEndpoint/Port", "7000"),
        ("ReplicationGroup/AutomaticFailover", "enabled"),
        ("ReplicationGroup/MultiAZ", "enabled"),
        ("ReplicationGroup/ClusterEnabled", "false"),
        ("ReplicationGroup/ClusterMode", "disabled"),
        ("ReplicationGroup/Engine", "redis"),
        ("ReplicationGroup/AuthTokenEnabled", "false"),
        ("NodeGroup/NodeGroupId", "0001"),
        ("NodeGroupMember/CurrentRole", "primary"),
        ("NodeGroupMember/PreferredAvailabilityZone", "us-east-1a"),
        ("ReadEndpoint/Address", "127.0.0.1"),
    ] {
        assert_eq!(answer.text(path), Some(text), "{path}");
    }
    let member = world
        .ok("Action=DescribeCacheClusters&CacheClusterId=shop-002&ShowCacheNodeInfo=true")
        .await;
    assert_eq!(member.text("CacheCluster/EngineVersion"), Some("7.0.15"));
    assert_eq!(member.text("CacheCluster/ReplicationGroupId"), Some("shop"));
    assert_eq!(member.text("CacheNode/CacheNodeId"), Some("0001"));
    assert_eq!(member.texts("Endpoint/Port"), ["7002"]);
    world
        .refuses(
            "Action=DescribeReplicationGroups&ReplicationGroupId=none",
            "ReplicationGroupNotFoundFault",
            "none not found",
        )
        .await;
}

#[tokio::test]
async fn bad_input_is_refused_with_a_sentence() {
    let world = World::new().await;
    let token = "&AuthToken=0123456789abcdef";
    for (more, code, words) in REFUSALS {
        world.refuses(&format!("{GROUP}{more}"), code, words).await;
    }
    let both = format!("{GROUP}a{token}&UserGroupIds.member.1=g&TransitEncryptionEnabled=true");
    world
        .refuses(&both, "InvalidParameterCombination", "both")
        .await;
    let node = GROUP.replace("cache.t3.micro", "cache.t9.huge");
    world
        .refuses(
            &format!("{node}a"),
            "InvalidParameterValue",
            "cache.t9.huge",
        )
        .await;
    assert!(world.endpoints().await.is_empty());
}

#[tokio::test]
async fn hosts_without_sentinel_or_engine_are_named() {
    let redis = [(Engine::Redis, "7.0.15")];
    let world = World::with(&redis, false, false).await;
    let failover = format!("{GROUP}a&NumCacheClusters=2&AutomaticFailoverEnabled=true");
    world
        .refuses(
            &failover,
            "InsufficientCacheClusterCapacity",
            "redis-sentinel",
        )
        .await;
    world.ok(&format!("{GROUP}a&NumCacheClusters=2")).await;
    let cluster = format!("{GROUP}b&NumNodeGroups=2");
    world
        .refuses(
            &cluster,
            "InvalidParameterCombination",
            "not offered here yet",
        )
        .await;
    let empty = World::with(&[], true, true).await;
    empty
        .refuses(
            &format!("{GROUP}a"),
            "InsufficientCacheClusterCapacity",
            "redis-server",
        )
        .await;
    let starting = World::over(quorate_control::Catalog::in_memory(), true);
    starting
        .refuses(&format!("{GROUP}a"), "ServiceUnavailable", "yet")
        .await;
}

#[tokio::test]
async fn replicas_come_with_ports_and_go_by_orders() {
    let world = World::new().await;
    world.group("shop").await;
    let increase = "Action=IncreaseReplicaCount&ReplicationGroupId=shop&ApplyImmediately=true&NewReplicaCount=";
    let decrease = "Action=DecreaseReplicaCount&ReplicationGroupId=shop&ApplyImmediately=true&NewReplicaCount=";
    world
        .refuses(
            &format!("{increase}6"),
            "InvalidParameterValue",
            "between 0 and 5",
        )
        .await;
    world
        .refuses(&format!("{increase}2"), "NoOperationFault", "2 replica(s)")
        .await;
    world
        .refuses(
            &format!("{increase}1"),
            "InvalidParameterCombination",
            "not more",
        )
        .await;
    world
        .refuses(
            &format!("{decrease}0"),
            "InvalidParameterCombination",
            "at least 2",
        )
        .await;
    let answer = world.ok(&format!("{increase}3")).await;
    assert_eq!(answer.text("ReplicationGroup/Status"), Some("modifying"));
    assert_eq!(answer.texts("MemberClusters/ClusterId").len(), 4);
    assert_eq!(world.endpoints().await.len(), 6);
    world
        .refuses(
            &format!("{increase}4"),
            "InvalidReplicationGroupState",
            "available state",
        )
        .await;
    world.settle("shop").await;
    world.ok(&format!("{decrease}1")).await;
    let cache = world.cache("shop").await;
    let going = vec![MemberNumber(3), MemberNumber(4)];
    assert_eq!(cache.orders, [Order::Remove(ShardNumber(1), going)]);
    assert_eq!(cache.settings.replicas, 1);
    let gone = world
        .ok("Action=DescribeCacheClusters&CacheClusterId=shop-004")
        .await;
    assert_eq!(
        gone.text("CacheCluster/CacheClusterStatus"),
        Some("deleting")
    );
}

#[tokio::test]
async fn a_test_of_failover_needs_failover() {
    let world = World::new().await;
    world.group("shop").await;
    world.ok(&format!("{GROUP}plain")).await;
    world.settle("plain").await;
    let test = "Action=TestFailover&NodeGroupId=0001&ReplicationGroupId=";
    world
        .refuses(
            &format!("{test}plain"),
            "TestFailoverNotAvailableFault",
            "plain",
        )
        .await;
    world
        .refuses(
            "Action=TestFailover&NodeGroupId=0009&ReplicationGroupId=shop",
            "NodeGroupNotFoundFault",
            "0009",
        )
        .await;
    world.ok(&format!("{test}shop")).await;
    assert_eq!(
        world.cache("shop").await.orders,
        [Order::TestFailover(ShardNumber(1))]
    );
}

#[tokio::test]
async fn modifications_take_effect_or_wait() {
    let world = World::new().await;
    world
        .ok(&format!("{GROUP}shop&NumCacheClusters=2&EngineVersion=6.x"))
        .await;
    let modify = "Action=ModifyReplicationGroup&ReplicationGroupId=shop";
    world
        .refuses(modify, "InvalidReplicationGroupState", "creating")
        .await;
    world.settle("shop").await;
    world
        .ok(&format!(
            "{modify}&CacheNodeType=cache.m6g.large&SnapshotRetentionLimit=3"
        ))
        .await;
    let cache = world.cache("shop").await;
    assert_eq!(cache.pending.node_type.as_deref(), Some("cache.m6g.large"));
    assert!(!cache.pending.apply_now && cache.status == Status::Available);
    assert_eq!(cache.settings.snapshot_retention_days, 3);
    let more = "&EngineVersion=7.0&AutomaticFailoverEnabled=true&ApplyImmediately=true&CacheNodeType=cache.t3.micro";
    let answer = world.ok(&format!("{modify}{more}")).await;
    assert_eq!(answer.text("ReplicationGroup/Status"), Some("modifying"));
    assert_eq!(
        answer.text("ReplicationGroup/AutomaticFailover"),
        Some("enabling")
    );
    let cache = world.cache("shop").await;
    assert_eq!(cache.pending.node_type, None);
    assert_eq!(cache.pending.engine_version.as_deref(), Some("7.0.15"));
    assert_eq!(cache.settings.parameter_group, "default.redis7");
    world.settle("shop").await;
    world
        .ok(&format!("{modify}&PrimaryClusterId=shop-002"))
        .await;
    let order = Order::MakePrimary(ShardNumber(1), MemberNumber(2));
    assert_eq!(world.cache("shop").await.orders, [order]);
}

#[tokio::test]
async fn tokens_are_set_rotated_and_deleted() {
    let world = World::new().await;
    let more = "&TransitEncryptionEnabled=true&AuthToken=first-token-0123456";
    world.ok(&format!("{GROUP}shop{more}")).await;
    world.settle("shop").await;
    let modify = "Action=ModifyReplicationGroup&ReplicationGroupId=shop&ApplyImmediately=true";
    let count = |auth: &Auth| match auth {
        Auth::Token { accepted, .. } => accepted.len(),
        _ => 0,
    };
    for (more, tokens) in [
        ("&AuthToken=second-token-0123456", 2),
        (
            "&AuthToken=third-token-01234567&AuthTokenUpdateStrategy=ROTATE",
            2,
        ),
        (
            "&AuthToken=third-token-01234567&AuthTokenUpdateStrategy=SET",
            1,
        ),
        ("&AuthTokenUpdateStrategy=DELETE", 0),
        (
            "&AuthToken=third-token-01234567&AuthTokenUpdateStrategy=SET",
            1,
        ),
    ] {
        let answer = world.ok(&format!("{modify}{more}")).await;
        let cache = world.cache("shop").await;
        assert_eq!(count(&cache.settings.auth), tokens, "{more}");
        assert!(!format!("{answer:?}{cache:?}").contains("token-0123"));
    }
}

#[tokio::test]
async fn after_deletion_the_next_answer_says_deleting() {
    let world = World::new().await;
    world.group("shop").await;
    let delete = "Action=DeleteReplicationGroup&ReplicationGroupId=shop";
    world
        .refuses(
            &format!("{delete}&RetainPrimaryCluster=true"),
            "InvalidParameterCombination",
            "FinalSnapshot",
        )
        .await;
    world
        .ok(&format!("{delete}&FinalSnapshotIdentifier=last"))
        .await;
    let answer = world
        .ok("Action=DescribeReplicationGroups&ReplicationGroupId=shop")
        .await;
    assert_eq!(answer.text("ReplicationGroup/Status"), Some("deleting"));
    let desired = world.cache("shop").await.desired;
    let final_snapshot = Some(String::from("last"));
    assert_eq!(desired, Desired::Deleted { final_snapshot });
    let snapshot = world.ok("Action=DescribeSnapshots&SnapshotName=last").await;
    assert_eq!(snapshot.text("Snapshot/SnapshotStatus"), Some("creating"));
    world
        .refuses(
            delete,
            "InvalidReplicationGroupState",
            "has status deleting",
        )
        .await;
}

#[tokio::test]
async fn cluster_mode_has_shards_with_slots() {
    let world = World::new().await;
    let answer = world
        .ok(&format!(
            "{GROUP}big&NumNodeGroups=3&ReplicasPerNodeGroup=1"
        ))
        .await;
    assert_eq!(answer.texts("MemberClusters/ClusterId")[1], "big-0001-002");
    world.settle("big").await;
    let answer = world
        .ok("Action=DescribeReplicationGroups&ReplicationGroupId=big")
        .await;
    assert_eq!(
        answer.texts("NodeGroup/Slots"),
        ["0-5460", "5461-10921", "10922-16383"]
    );
    assert_eq!(answer.text("ConfigurationEndpoint/Port"), Some("6379"));
    assert_eq!(answer.text("PrimaryEndpoint/Port"), None);
    let reshard = "Action=ModifyReplicationGroupShardConfiguration&ReplicationGroupId=big&ApplyImmediately=true&NodeGroupCount=";
    world
        .refuses(
            &format!("{reshard}0"),
            "InvalidParameterValue",
            "between 1 and 500",
        )
        .await;
    world
        .refuses(&format!("{reshard}3"), "NoOperationFault", "as many")
        .await;
    world
        .refuses(
            &format!("{reshard}2"),
            "InvalidParameterCombination",
            "NodeGroupsToRemove",
        )
        .await;
    world.ok(&format!("{reshard}4")).await;
    let cache = world.cache("big").await;
    assert_eq!(cache.topology.shards[&ShardNumber(4)].members.len(), 2);
    assert_eq!(world.endpoints().await.len(), 9);
    world.settle("big").await;
    world
        .ok(&format!(
            "{reshard}3&NodeGroupsToRemove.NodeGroupToRemove.1=0002"
        ))
        .await;
    let order = Order::RemoveShards(vec![ShardNumber(2)]);
    assert_eq!(world.cache("big").await.orders, [order]);
}
