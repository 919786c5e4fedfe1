//! Members: creation, description, deletion, one namespace with other instances.

use quorate_control::Endpoint;

use super::world::MEMBER;
use crate::api::tests::world::{self, World};
use crate::aurora::model::{ClusterStatus, MemberDesired, MemberName};

#[tokio::test]
async fn a_member_is_written_with_its_name_and_endpoint_and_shown_with_its_cluster() {
    let world = World::new().await;
    world.cluster_with("orders", &[]).await;
    let answer = world
        .ok(&format!(
            "{MEMBER}orders&DBInstanceIdentifier=Orders-1&PromotionTier=0&AvailabilityZone=us-east-1b"
        ))
        .await;
    for (field, value) in [
        ("DBInstanceStatus", "creating"),
        ("DBClusterIdentifier", "orders"),
        ("PromotionTier", "0"),
        ("Engine", "aurora-postgresql"),
        ("EngineVersion", "15.18"),
        ("MasterUsername", "app"),
        ("AvailabilityZone", "us-east-1b"),
        ("StorageType", "aurora"),
        ("AllocatedStorage", "1"),
    ] {
        assert_eq!(answer.text(&format!("DBInstance/{field}")), Some(value));
    }
    assert_eq!(answer.text("DBInstance/Endpoint"), None);
    assert_eq!(
        answer.text("OptionGroupMembership/OptionGroupName"),
        Some("default:aurora-postgresql-15")
    );
    let catalog = &world.catalog;
    let name = catalog.read::<MemberName>("orders-1").await.unwrap();
    let cluster = world.cluster("orders").await.record;
    assert_eq!(name.unwrap().record.cluster, cluster.resource_id);
    let endpoint = catalog.read::<Endpoint>("rds:orders-1").await.unwrap();
    let port = cluster.members["orders-1"].endpoint_port;
    assert_eq!(endpoint.unwrap().record.port, port);
}

#[tokio::test]
async fn instances_and_members_share_one_namespace_and_one_list() {
    let world = World::new().await;
    world.available("b", "").await;
    world.cluster_with("orders", &["a", "c"]).await;
    let shown = async |query: &str| {
        let answer = world
            .ok(&format!("Action=DescribeDBInstances{query}"))
            .await;
        answer
            .texts("DBInstances/DBInstance/DBInstanceIdentifier")
            .join(" ")
    };
    assert_eq!(shown("").await, "a b c");
    assert_eq!(shown("&DBInstanceIdentifier=C").await, "c");
    let filter = |name: &str, value: &str| {
        format!("&Filters.Filter.1.Name={name}&Filters.Filter.1.Values.Value.1={value}")
    };
    assert_eq!(shown(&filter("db-cluster-id", "orders")).await, "a c");
    assert_eq!(shown(&filter("engine", "postgres")).await, "b");
    let arn = "arn:aws:rds:us-east-1:123456789012:cluster:orders";
    assert_eq!(shown(&filter("db-cluster-id", arn)).await, "a c");

    let ordinary = world.refused(&format!("{}a", world::CREATE)).await;
    let member = world
        .refused(&format!("{MEMBER}orders&DBInstanceIdentifier=b"))
        .await;
    for (status, code, _) in [ordinary, member] {
        assert_eq!((status, code.as_str()), (400, "DBInstanceAlreadyExists"));
    }
    let renamed = "Action=ModifyDBInstance&DBInstanceIdentifier=b&NewDBInstanceIdentifier=a";
    let (_, code, _) = world.refused(renamed).await;
    assert_eq!(code, "DBInstanceAlreadyExists");
}

#[tokio::test]
async fn what_belongs_to_the_cluster_is_refused_of_a_member() {
    let world = World::new().await;
    world.cluster_with("orders", &[]).await;
    for (change, code) in [
        ("&AllocatedStorage=20", "InvalidParameterCombination"),
        ("&MasterUsername=app", "InvalidParameterCombination"),
        ("&MultiAZ=true", "InvalidParameterCombination"),
        ("&StorageType=gp3", "InvalidParameterCombination"),
        ("&EngineVersion=16.9", "InvalidParameterCombination"),
        ("&StorageEncrypted=true", "InvalidParameterCombination"),
        ("&PromotionTier=16", "InvalidParameterValue"),
        ("&DBInstanceClass=db.none", "InvalidParameterValue"),
        (
            "&DBParameterGroupName=default.postgres15",
            "InvalidParameterCombination",
        ),
        ("&Engine=postgres", "InvalidParameterCombination"),
        ("&DBClusterIdentifier=none", "DBClusterNotFoundFault"),
    ] {
        // A parameter is given once: the change takes the place of what it changes.
        let (name, _) = change[1..].split_once('=').unwrap();
        let base: Vec<&str> = MEMBER
            .split('&')
            .filter(|part| !part.starts_with(&format!("{name}=")))
            .collect();
        let base = base.join("&");
        let base = if base.ends_with("DBClusterIdentifier=") {
            format!("{base}orders")
        } else {
            base
        };
        let (_, refused, message) = world
            .refused(&format!("{base}&DBInstanceIdentifier=x{change}"))
            .await;
        assert_eq!(refused, code, "{change}: {message}");
    }
    let alone = "Action=CreateDBInstance&Engine=aurora-postgresql&DBInstanceClass=db.r6g.large&DBInstanceIdentifier=x";
    let (_, code, message) = world.refused(alone).await;
    assert_eq!(code, "InvalidParameterCombination");
    assert!(message.contains("DBClusterIdentifier"), "{message}");
    assert!(world.cluster("orders").await.record.members.is_empty());
}

#[tokio::test]
async fn clients_may_say_what_is_so_anyway() {
    let world = World::new().await;
    world.cluster_with("orders", &[]).await;
    world
        .ok(&format!(
            "{MEMBER}orders&DBInstanceIdentifier=x&StorageType=aurora&MultiAZ=false&MonitoringInterval=0&EngineVersion=15&StorageEncrypted=false"
        ))
        .await;
}

#[tokio::test]
async fn a_deleted_member_is_deleting_and_is_deleted_once() {
    let world = World::new().await;
    world.cluster_with("orders", &["a", "b"]).await;
    let delete = "Action=DeleteDBInstance&DBInstanceIdentifier=a";
    let (_, code, _) = world
        .refused(&format!("{delete}&FinalDBSnapshotIdentifier=s"))
        .await;
    assert_eq!(code, "InvalidParameterCombination");
    let answer = world.ok(delete).await;
    assert_eq!(answer.text("DBInstance/DBInstanceStatus"), Some("deleting"));
    let cluster = world.cluster("orders").await.record;
    assert_eq!(cluster.members["a"].desired, MemberDesired::Deleted);
    let (_, code, _) = world.refused(delete).await;
    assert_eq!(code, "InvalidDBInstanceState");
}

#[tokio::test]
async fn a_stopped_cluster_neither_gains_nor_loses_members() {
    let world = World::new().await;
    world.cluster_with("orders", &["a"]).await;
    world
        .change_cluster("orders", |c| c.status = ClusterStatus::Stopped)
        .await;
    for call in [
        format!("{MEMBER}orders&DBInstanceIdentifier=b"),
        "Action=DeleteDBInstance&DBInstanceIdentifier=a".to_owned(),
    ] {
        let (_, code, _) = world.refused(&call).await;
        assert_eq!(code, "InvalidDBClusterStateFault");
    }
    let replica =
        "Action=CreateDBInstanceReadReplica&SourceDBInstanceIdentifier=a&DBInstanceIdentifier=r";
    let (_, code, message) = world.refused(replica).await;
    assert_eq!(code, "InvalidDBInstanceState");
    assert!(message.contains("member of a DB cluster"), "{message}");
    let (_, code, message) = world
        .refused("Action=StopDBInstance&DBInstanceIdentifier=a")
        .await;
    assert_eq!(code, "InvalidDBInstanceState");
    assert!(message.contains("StopDBCluster"), "{message}");
}
