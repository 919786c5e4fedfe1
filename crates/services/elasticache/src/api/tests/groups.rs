//! Parameter groups, subnet groups, tags, engine versions, events.

use quorate_base::UnixMillis;
use quorate_control::Txn;

use super::world::{GROUP, World};
use crate::model::{Event, EventSource};

const CREATE: &str = "Action=CreateCacheParameterGroup&CacheParameterGroupName=Mine&CacheParameterGroupFamily=redis7&Description=d";
const MODIFY: &str = "Action=ModifyCacheParameterGroup&CacheParameterGroupName=mine";

fn set(name: &str, value: &str) -> String {
    format!(
        "&ParameterNameValues.ParameterNameValue.1.ParameterName={name}\
         &ParameterNameValues.ParameterNameValue.1.ParameterValue={value}"
    )
}

#[tokio::test]
async fn parameters_come_back_as_they_were_set() {
    let world = World::new().await;
    world.ok(CREATE).await;
    world
        .refuses(CREATE, "CacheParameterGroupAlreadyExists", "mine")
        .await;
    world
        .ok(&format!(
            "{MODIFY}{}",
            set("maxmemory-policy", "allkeys-lru")
        ))
        .await;
    let user = "Action=DescribeCacheParameters&CacheParameterGroupName=mine&Source=user";
    let answer = world.ok(user).await;
    assert_eq!(
        answer.texts("Parameter/ParameterName"),
        ["maxmemory-policy"]
    );
    assert_eq!(answer.texts("Parameter/ParameterValue"), ["allkeys-lru"]);
    assert_eq!(answer.texts("Parameter/ChangeType"), ["immediate"]);
    for (name, value, words) in [
        ("maxmemory-policy", "never", "allkeys-lru"),
        ("cluster-enabled", "yes", "cannot be modified"),
        ("dir", "/tmp", "not a parameter"),
    ] {
        let body = format!("{MODIFY}{}", set(name, value));
        world.refuses(&body, "InvalidParameterValue", words).await;
    }
    let default = format!(
        "{}{}",
        MODIFY.replace("mine", "default.redis7"),
        set("timeout", "20")
    );
    world
        .refuses(&default, "InvalidCacheParameterGroupState", "default")
        .await;
    let reset = "Action=ResetCacheParameterGroup&CacheParameterGroupName=mine";
    world
        .refuses(reset, "InvalidParameterCombination", "either")
        .await;
    world.ok(&format!("{reset}&ResetAllParameters=true")).await;
    assert!(
        world
            .ok(user)
            .await
            .texts("Parameter/ParameterName")
            .is_empty()
    );
}

#[tokio::test]
async fn groups_in_use_stay() {
    let world = World::new().await;
    world.ok(CREATE).await;
    let subnets = "Action=CreateCacheSubnetGroup&CacheSubnetGroupName=net&CacheSubnetGroupDescription=d&SubnetIds.SubnetIdentifier.1=subnet-1";
    let answer = world.ok(subnets).await;
    assert_eq!(answer.text("Subnet/SubnetIdentifier"), Some("subnet-1"));
    world
        .refuses(subnets, "CacheSubnetGroupAlreadyExists", "net")
        .await;
    world
        .ok(&format!(
            "{GROUP}a&CacheParameterGroupName=mine&CacheSubnetGroupName=net"
        ))
        .await;
    let delete = "Action=DeleteCacheParameterGroup&CacheParameterGroupName=mine";
    world
        .refuses(delete, "InvalidCacheParameterGroupState", "still members")
        .await;
    let delete_net = "Action=DeleteCacheSubnetGroup&CacheSubnetGroupName=net";
    world
        .refuses(delete_net, "CacheSubnetGroupInUse", "in use")
        .await;
    let names = world.ok("Action=DescribeCacheParameterGroups").await;
    let names = names.texts("CacheParameterGroup/CacheParameterGroupName");
    assert!(names.contains(&"default.redis7.cluster.on") && names.contains(&"mine"));
    let modify =
        "Action=ModifyCacheSubnetGroup&CacheSubnetGroupName=net&CacheSubnetGroupDescription=other";
    assert_eq!(
        world
            .ok(modify)
            .await
            .text("CacheSubnetGroup/CacheSubnetGroupDescription"),
        Some("other")
    );
}

#[tokio::test]
async fn tags_hang_on_every_resource() {
    let world = World::new().await;
    world.group("shop").await;
    world.ok(CREATE).await;
    for resource in [
        "replicationgroup:shop",
        "cluster:shop-002",
        "parametergroup:mine",
    ] {
        let name = format!("&ResourceName=arn:aws:elasticache:us-east-1:123456789012:{resource}");
        let add = format!("Action=AddTagsToResource{name}&Tags.Tag.1.Key=k&Tags.Tag.1.Value=v");
        assert_eq!(world.ok(&add).await.texts("Tag/Key"), ["k"]);
        let list = world.ok(&format!("Action=ListTagsForResource{name}")).await;
        assert_eq!(list.texts("Tag/Value"), ["v"]);
        let remove = format!("Action=RemoveTagsFromResource{name}&TagKeys.member.1=k");
        assert!(world.ok(&remove).await.texts("Tag/Key").is_empty());
        world.refuses(&remove, "TagNotFound", "k").await;
    }
    let list = "Action=ListTagsForResource&ResourceName=";
    world.refuses(&format!("{list}x"), "InvalidARN", "x").await;
    let absent = format!("{list}arn:aws:elasticache:us-east-1:123456789012:cluster:none");
    world.refuses(&absent, "CacheClusterNotFound", "none").await;
}

#[tokio::test]
async fn versions_are_those_that_hosts_have() {
    let world = World::new().await;
    let answer = world
        .ok("Action=DescribeCacheEngineVersions&Engine=redis")
        .await;
    assert_eq!(
        answer.texts("CacheEngineVersion/EngineVersion"),
        ["6.2.7", "7.0.15"]
    );
    let families = answer.texts("CacheEngineVersion/CacheParameterGroupFamily");
    assert_eq!(families, ["redis6.x", "redis7"]);
    let newest = world
        .ok("Action=DescribeCacheEngineVersions&Engine=redis&DefaultOnly=true")
        .await;
    assert_eq!(newest.texts("CacheEngineVersion/EngineVersion"), ["7.0.15"]);
    let defaults = "Action=DescribeEngineDefaultParameters&CacheParameterGroupFamily=";
    let answer = world.ok(&format!("{defaults}memcached1.6")).await;
    assert!(
        answer
            .texts("Parameter/ParameterName")
            .contains(&"max_item_size")
    );
    world
        .refuses(
            &format!("{defaults}redis9"),
            "InvalidParameterValue",
            "redis7",
        )
        .await;
}

#[tokio::test]
async fn events_are_found_by_source_and_time() {
    let world = World::new().await;
    let now = UnixMillis::now();
    for (id, at, source_id) in [
        ("a", now, "shop"),
        ("b", UnixMillis(1), "shop"),
        ("c", now, "other"),
    ] {
        let event = Event {
            at,
            source: EventSource::ReplicationGroup,
            source_id: source_id.into(),
            message: "Failover complete".into(),
        };
        world
            .catalog
            .commit(Txn::new().insert(id, &event))
            .await
            .unwrap();
    }
    let ask = "Action=DescribeEvents&SourceType=replication-group&SourceIdentifier=shop";
    let answer = world.ok(ask).await;
    assert_eq!(answer.texts("Event/Message"), ["Failover complete"]);
    let all = world
        .ok(&format!("{ask}&StartTime=1970-01-01T00:00:00Z"))
        .await;
    assert_eq!(all.texts("Event/Message").len(), 2);
    world
        .refuses(
            "Action=DescribeEvents&SourceType=x",
            "InvalidParameterValue",
            "cache-cluster",
        )
        .await;
}

#[tokio::test]
async fn groups_that_nobody_uses_go() {
    let world = World::new().await;
    world.ok(CREATE).await;
    world
        .ok("Action=DeleteCacheParameterGroup&CacheParameterGroupName=mine")
        .await;
    let gone = "Action=DescribeCacheParameters&CacheParameterGroupName=mine";
    world
        .refuses(gone, "CacheParameterGroupNotFound", "mine")
        .await;
    world
        .ok("Action=CreateCacheSubnetGroup&CacheSubnetGroupName=net&CacheSubnetGroupDescription=d&SubnetIds.member.1=s")
        .await;
    let answer = world.ok("Action=DescribeCacheSubnetGroups").await;
    let names = answer.texts("CacheSubnetGroup/CacheSubnetGroupName");
    assert_eq!(names, ["default", "net"]);
    let delete = "Action=DeleteCacheSubnetGroup&CacheSubnetGroupName=";
    world.ok(&format!("{delete}net")).await;
    world
        .refuses(
            &format!("{delete}net"),
            "CacheSubnetGroupNotFoundFault",
            "net",
        )
        .await;
    world
        .refuses(
            &format!("{delete}default"),
            "CacheSubnetGroupInUse",
            "default",
        )
        .await;
}
