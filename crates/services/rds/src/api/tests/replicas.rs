//! Read replicas: creation, limits, promotion.

use super::world::World;
use crate::model::Order;

fn replica(id: &str, source: &str) -> String {
    format!(
        "Action=CreateDBInstanceReadReplica&DBInstanceIdentifier={id}&SourceDBInstanceIdentifier={source}"
    )
}

#[tokio::test]
async fn a_replica_takes_its_sources_settings_over() {
    let world = World::new().await;
    world.available("main", "&MultiAZ=true&DBName=shop").await;
    let arn = "arn:aws:rds:us-east-1:123456789012:db:main";
    let answer = world
        .ok(&format!(
            "{}&DBInstanceClass=db.t3.small&AvailabilityZone=us-east-1c",
            replica("copy", arn)
        ))
        .await;
    assert_eq!(
        answer.text("ReadReplicaSourceDBInstanceIdentifier"),
        Some("main")
    );
    let (main, copy) = (world.instance("main").await, world.instance("copy").await);
    assert_eq!(copy.settings.master_verifier, main.settings.master_verifier);
    assert_eq!(copy.settings.class, "db.t3.small");
    assert!(!copy.settings.multi_az);
    assert_eq!(copy.settings.backup_retention_days, 0);
    world.settle("copy").await;
    let answer = world.ok("Action=DescribeDBInstances").await;
    assert_eq!(answer.texts("ReadReplicaDBInstanceIdentifier"), ["copy"]);
    assert_eq!(
        answer.text("DBInstanceStatusInfo/Status"),
        Some("replicating")
    );
}

#[tokio::test]
async fn replicas_need_backups_and_an_available_source() {
    let world = World::new().await;
    world.ok(&format!("{}main", super::world::CREATE)).await;
    assert_eq!(
        world.refused(&replica("copy", "main")).await.1,
        "InvalidDBInstanceState"
    );
    world.settle("main").await;
    world
        .ok("Action=ModifyDBInstance&DBInstanceIdentifier=main&BackupRetentionPeriod=0")
        .await;
    let (_, code, message) = world.refused(&replica("copy", "main")).await;
    assert_eq!(code, "InvalidDBInstanceState");
    assert!(
        message.starts_with("Automated backups are not enabled"),
        "{message}"
    );
    for (request, code) in [
        (replica("copy", "none"), "DBInstanceNotFound"),
        (
            replica("copy", "arn:aws:rds:eu-west-1:123456789012:db:main"),
            "InvalidParameterValue",
        ),
        (
            String::from("Action=CreateDBInstanceReadReplica&DBInstanceIdentifier=x"),
            "MissingParameter",
        ),
    ] {
        assert_eq!(world.refused(&request).await.1, code, "{request}");
    }
}

#[tokio::test]
async fn three_replicas_may_follow_one_another() {
    let world = World::new().await;
    world.available("r0", "").await;
    for depth in 1..=3 {
        let id = format!("r{depth}");
        world.ok(&replica(&id, &format!("r{}", depth - 1))).await;
        world.settle(&id).await;
        world
            .change(&id, |instance| instance.settings.backup_retention_days = 1)
            .await;
    }
    let (_, code, message) = world.refused(&replica("r4", "r3")).await;
    assert_eq!(code, "InvalidDBInstanceState");
    assert!(message.contains("at most 3"), "{message}");
}

#[tokio::test]
async fn a_source_has_fifteen_replicas_at_most() {
    let world = World::new().await;
    world.available("main", "").await;
    for n in 0..15 {
        world.ok(&replica(&format!("copy{n}"), "main")).await;
    }
    assert_eq!(
        world.refused(&replica("copy15", "main")).await.1,
        "InstanceQuotaExceeded"
    );
}

#[tokio::test]
async fn promotion_is_an_order_for_replicas_alone() {
    let world = World::new().await;
    world.available("main", "").await;
    let (_, code, message) = world
        .refused("Action=PromoteReadReplica&DBInstanceIdentifier=main")
        .await;
    assert_eq!(
        (code.as_str(), message.as_str()),
        (
            "InvalidDBInstanceState",
            "DB Instance is not a read replica."
        )
    );
    world.ok(&replica("copy", "main")).await;
    world.settle("copy").await;
    assert_eq!(
        world
            .refused("Action=StopDBInstance&DBInstanceIdentifier=main")
            .await
            .1,
        "InvalidDBInstanceState"
    );
    let answer = world
        .ok("Action=PromoteReadReplica&DBInstanceIdentifier=copy&BackupRetentionPeriod=3")
        .await;
    assert_eq!(answer.text("DBInstanceStatus"), Some("modifying"));
    let copy = world.instance("copy").await;
    assert_eq!(copy.order, Some(Order::Promote));
    assert_eq!(copy.settings.backup_retention_days, 3);
}
