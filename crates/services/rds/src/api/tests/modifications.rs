//! What modifications change at once, and what waits.

use super::world::World;
use crate::model::Status;

const MODIFY: &str = "Action=ModifyDBInstance&DBInstanceIdentifier=one";

async fn world() -> World {
    let world = World::new().await;
    world.available("one", "&EngineVersion=15.17").await;
    world
}

#[tokio::test]
async fn settings_without_engine_work_change_with_the_answer() {
    let world = world().await;
    world
        .ok(&format!(
            "{MODIFY}&BackupRetentionPeriod=7&CopyTagsToSnapshot=true&PubliclyAccessible=true&StorageType=gp3\
             &PreferredBackupWindow=10:00-11:00&VpcSecurityGroupIds.VpcSecurityGroupId.1=sg-2&MaxAllocatedStorage=100"
        ))
        .await;
    let instance = world.instance("one").await;
    assert!(instance.pending.is_empty() && !instance.pending.apply_now);
    assert_eq!(instance.settings.backup_retention_days, 7);
    assert_eq!(instance.settings.storage_type, "gp3");
    assert_eq!(instance.settings.iops, Some(3_000));
    assert_eq!(instance.settings.security_groups, ["sg-2"]);
    assert_eq!(instance.settings.max_allocated_storage_gib, Some(100));
}

#[tokio::test]
async fn work_for_an_engine_waits_and_shows_as_pending() {
    let world = world().await;
    let answer = world
        .ok(&format!(
            "{MODIFY}&DBInstanceClass=db.t3.small&AllocatedStorage=40&MultiAZ=true&EngineVersion=15.18&DBPortNumber=5433"
        ))
        .await;
    assert_eq!(answer.text("DBInstanceStatus"), Some("available"));
    for (path, text) in [
        ("PendingModifiedValues/DBInstanceClass", "db.t3.small"),
        ("PendingModifiedValues/AllocatedStorage", "40"),
        ("PendingModifiedValues/MultiAZ", "true"),
        ("PendingModifiedValues/EngineVersion", "15.18"),
        ("PendingModifiedValues/Port", "5433"),
    ] {
        assert_eq!(answer.text(path), Some(text), "{path}");
    }
    assert!(!world.instance("one").await.pending.apply_now);
    world.ok(&format!("{MODIFY}&ApplyImmediately=true")).await;
    assert!(world.instance("one").await.pending.apply_now);
}

#[tokio::test]
async fn asking_for_what_is_in_force_takes_a_waiting_change_back() {
    let world = world().await;
    world
        .ok(&format!("{MODIFY}&DBInstanceClass=db.t3.small"))
        .await;
    world
        .ok(&format!(
            "{MODIFY}&DBInstanceClass=db.t3.micro&ApplyImmediately=true"
        ))
        .await;
    let pending = world.instance("one").await.pending;
    assert!(pending.is_empty() && !pending.apply_now);
}

#[tokio::test]
async fn a_password_never_waits_and_is_never_shown() {
    let world = world().await;
    let answer = world
        .ok(&format!("{MODIFY}&MasterUserPassword=another-1"))
        .await;
    assert_eq!(
        answer.text("PendingModifiedValues/MasterUserPassword"),
        Some("****")
    );
    assert!(world.instance("one").await.pending.apply_now);
}

#[tokio::test]
async fn a_new_identifier_must_be_free() {
    let world = world().await;
    world.available("two", "").await;
    let (_, code, _) = world
        .refused(&format!("{MODIFY}&NewDBInstanceIdentifier=Two"))
        .await;
    assert_eq!(code, "DBInstanceAlreadyExists");
    world
        .ok(&format!(
            "{MODIFY}&NewDBInstanceIdentifier=Three&ApplyImmediately=true"
        ))
        .await;
    assert_eq!(
        world.instance("one").await.pending.new_id.as_deref(),
        Some("three")
    );
    let taken = world
        .refused(&format!("{}three", super::world::CREATE))
        .await;
    assert_eq!(taken.1, "DBInstanceAlreadyExists");
    world
        .ok(&format!("{MODIFY}&NewDBInstanceIdentifier=one"))
        .await;
    assert_eq!(world.instance("one").await.pending.new_id, None);
}

#[tokio::test]
async fn modifications_that_cannot_be_are_refused() {
    let world = world().await;
    for (change, code, part) in [
        (
            "AllocatedStorage=21",
            "InvalidParameterCombination",
            "10 percent",
        ),
        (
            "AllocatedStorage=10",
            "InvalidParameterCombination",
            "reduced",
        ),
        (
            "EngineVersion=15.16",
            "InvalidParameterCombination",
            "Cannot find upgrade target from 15.17",
        ),
        (
            "EngineVersion=16.9",
            "InvalidParameterCombination",
            "AllowMajorVersionUpgrade",
        ),
        (
            "DBInstanceClass=db.x",
            "InvalidParameterValue",
            "Invalid DB Instance class",
        ),
        (
            "DBParameterGroupName=none",
            "DBParameterGroupNotFound",
            "none",
        ),
        (
            "EnablePerformanceInsights=true",
            "InvalidParameterCombination",
            "EnablePerformanceInsights",
        ),
    ] {
        let (_, found, message) = world.refused(&format!("{MODIFY}&{change}")).await;
        assert_eq!(found, code, "{change}: {message}");
        assert!(message.contains(part), "{message}");
    }
    world
        .change("one", |instance| instance.status = Status::Creating)
        .await;
    let (_, code, message) = world.refused(&format!("{MODIFY}&MultiAZ=true")).await;
    assert_eq!(code, "InvalidDBInstanceState");
    assert_eq!(message, "Database instance is not in available state.");
}
