//! Clusters: creation, description, deletion.

use quorate_control::Endpoint;

use super::world::CREATE;
use crate::api::tests::world::World;
use crate::aurora::model::ClusterStatus;
use crate::model::{Desired, Host};

#[tokio::test]
async fn creation_writes_an_intent_and_two_endpoints_together() {
    let world = World::new().await;
    let answer = world
        .ok(&format!(
            "{CREATE}Orders&EngineVersion=15&DatabaseName=shop&Tags.Tag.1.Key=team&Tags.Tag.1.Value=a"
        ))
        .await;
    assert_eq!(answer.text("DBCluster/Status"), Some("creating"));
    assert_eq!(answer.text("DBCluster/EngineVersion"), Some("15.18"));
    assert_eq!(answer.text("DBCluster/Endpoint"), Some("127.0.0.1"));
    assert_eq!(answer.text("DBCluster/Port"), Some("5432"));
    assert_eq!(
        answer.text("DBCluster/ReaderEndpoint"),
        Some("127.0.0.1:6000")
    );
    assert_eq!(answer.text("TagList/Tag/Value"), Some("a"));
    assert!(!format!("{answer:?}").contains("secret99"));

    let cluster = world.cluster("orders").await.record;
    assert_eq!(cluster.desired, Desired::Running);
    assert_eq!(
        cluster.settings.parameter_group,
        "default.aurora-postgresql15"
    );
    assert!(cluster.resource_id.starts_with("cluster-") && cluster.resource_id.len() == 34);
    for (id, port) in [
        ("rds-cluster:orders", 5432),
        ("rds-cluster-ro:orders", 6000),
    ] {
        let endpoint = world.catalog.read::<Endpoint>(id).await.unwrap().unwrap();
        assert_eq!(endpoint.record.port, port);
    }
    let (status, code, _) = world.refused(&format!("{CREATE}ORDERS")).await;
    assert_eq!(
        (status, code.as_str()),
        (400, "DBClusterAlreadyExistsFault")
    );
}

#[tokio::test]
async fn requests_that_break_a_rule_are_refused_with_awss_code_and_leave_nothing() {
    let world = World::new().await;
    for (change, code) in [
        ("1x", "InvalidParameterValue"),
        ("x&EngineVersion=9.6", "InvalidParameterCombination"),
        ("x&EngineMode=serverless", "InvalidParameterCombination"),
        ("x&AllocatedStorage=20", "InvalidParameterCombination"),
        (
            "x&ServerlessV2ScalingConfiguration.MinCapacity=1",
            "InvalidParameterCombination",
        ),
        ("x&EnableHttpEndpoint=true", "InvalidParameterCombination"),
        ("x&BackupRetentionPeriod=0", "InvalidParameterValue"),
        ("x&DatabaseName=1a", "InvalidParameterValue"),
        (
            "x&DBClusterParameterGroupName=none",
            "DBClusterParameterGroupNotFound",
        ),
        ("x&DBSubnetGroupName=none", "DBSubnetGroupNotFoundFault"),
        (
            "x&AvailabilityZones.AvailabilityZone.1=us-east-1z",
            "InvalidVPCNetworkStateFault",
        ),
    ] {
        let (_, refused, message) = world.refused(&format!("{CREATE}{change}")).await;
        assert_eq!(refused, code, "{change}: {message}");
    }
    let answer = world.ok("Action=DescribeDBClusters").await;
    assert!(answer.all("DBCluster").is_empty());
}

#[tokio::test]
async fn hosts_that_cannot_mount_refuse_with_the_remedy() {
    let world = World::new().await;
    for zone in ["a", "b", "c"] {
        let refuse = |host: &mut Host| {
            host.volumes_refused = Some("/dev/fuse cannot be opened: modprobe fuse".into());
            true
        };
        let id = format!("us-east-1{zone}-1");
        world.catalog.update::<Host>(&id, refuse).await.unwrap();
    }
    let (_, code, message) = world.refused(&format!("{CREATE}x")).await;
    assert_eq!(code, "InsufficientDBInstanceCapacity");
    assert!(message.contains("modprobe fuse"), "{message}");
}

#[tokio::test]
async fn clusters_are_found_by_name_arn_and_filter() {
    let world = World::new().await;
    world.cluster_with("one", &["one-1", "one-2"]).await;
    world.cluster_with("two", &[]).await;
    let shown = async |query: &str| {
        let answer = world.ok(&format!("Action=DescribeDBClusters{query}")).await;
        let found = answer.texts("DBClusters/DBCluster/DBClusterIdentifier");
        found.join(" ")
    };
    let resource_id = world.cluster("two").await.record.resource_id;
    let arn = "arn:aws:rds:us-east-1:123456789012:cluster:two";
    assert_eq!(shown("").await, "one two");
    assert_eq!(shown("&DBClusterIdentifier=TWO").await, "two");
    assert_eq!(shown(&format!("&DBClusterIdentifier={arn}")).await, "two");
    for (filter, value, found) in [
        ("db-cluster-id", "one", "one"),
        ("db-cluster-resource-id", resource_id.as_str(), "two"),
        ("engine", "aurora-postgresql", "one two"),
        ("engine", "aurora-mysql", ""),
    ] {
        let query =
            format!("&Filters.Filter.1.Name={filter}&Filters.Filter.1.Values.Value.1={value}");
        assert_eq!(shown(&query).await, found, "{filter}");
    }
    let answer = world
        .ok("Action=DescribeDBClusters&DBClusterIdentifier=one")
        .await;
    assert_eq!(
        answer.texts("DBClusterMember/DBInstanceIdentifier"),
        ["one-1", "one-2"]
    );
    assert_eq!(
        answer.texts("DBClusterMember/IsClusterWriter"),
        ["true", "false"]
    );
    assert_eq!(answer.text("DBCluster/MultiAZ"), Some("true"));
    let (status, code, _) = world
        .refused("Action=DescribeDBClusters&DBClusterIdentifier=none")
        .await;
    assert_eq!((status, code.as_str()), (404, "DBClusterNotFoundFault"));
}

#[tokio::test]
async fn a_cluster_is_deleted_when_nothing_stands_against_it() {
    let world = World::new().await;
    world.cluster_with("one", &["one-1"]).await;
    let delete = "Action=DeleteDBCluster&DBClusterIdentifier=one";
    for (more, code) in [
        ("", "InvalidParameterCombination"),
        (
            "&FinalDBSnapshotIdentifier=s&SkipFinalSnapshot=true",
            "InvalidParameterCombination",
        ),
        ("&FinalDBSnapshotIdentifier=s", "InvalidDBClusterStateFault"),
        ("&SkipFinalSnapshot=true", "InvalidDBClusterStateFault"),
    ] {
        let (_, refused, message) = world.refused(&format!("{delete}{more}")).await;
        assert_eq!(refused, code, "{more}: {message}");
    }
    world
        .ok("Action=DeleteDBInstance&DBInstanceIdentifier=one-1")
        .await;
    world
        .change_cluster("one", |c| c.settings.deletion_protection = true)
        .await;
    let (_, code, _) = world
        .refused(&format!("{delete}&SkipFinalSnapshot=true"))
        .await;
    assert_eq!(code, "InvalidParameterCombination");
    world
        .change_cluster("one", |c| c.settings.deletion_protection = false)
        .await;
    let answer = world.ok(&format!("{delete}&SkipFinalSnapshot=true")).await;
    assert_eq!(answer.text("DBCluster/Status"), Some("deleting"));
    let cluster = world.cluster("one").await.record;
    assert_eq!(
        (cluster.desired, cluster.status),
        (Desired::Deleted, ClusterStatus::Deleting)
    );
}

#[tokio::test]
async fn what_is_not_there_is_an_empty_list_or_a_clear_refusal() {
    let world = World::new().await;
    let filter = "&Filters.Filter.1.Name=db-cluster-id&Filters.Filter.1.Values.Value.1=arn:x";
    for action in ["DescribeGlobalClusters", "DescribeDBClusterSnapshots"] {
        let answer = world.ok(&format!("Action={action}{filter}")).await;
        assert!(answer.all("GlobalClusterMember").is_empty());
        assert!(answer.all("DBClusterSnapshot").is_empty());
    }
    let (status, code, message) = world
        .refused("Action=RestoreDBClusterFromS3&DBClusterIdentifier=x")
        .await;
    assert_eq!((status, code.as_str()), (400, "InvalidAction"));
    assert!(message.contains("not offered yet"), "{message}");
}
