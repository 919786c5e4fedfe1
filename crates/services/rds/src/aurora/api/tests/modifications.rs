//! Changes, orders, stop and start of clusters and members.

use super::world::CREATE;
use crate::api::tests::world::World;
use crate::aurora::model::{ClusterOrder, ClusterStatus, MemberOrder};
use crate::model::{Desired, MemberState, Status};

const MODIFY: &str = "Action=ModifyDBCluster&DBClusterIdentifier=one";
const MODIFY_MEMBER: &str = "Action=ModifyDBInstance&DBInstanceIdentifier=a";

#[tokio::test]
async fn settings_of_a_cluster_change_at_once() {
    let world = World::new().await;
    world.cluster_with("one", &["a"]).await;
    let answer = world
        .ok(&format!(
            "{MODIFY}&DeletionProtection=true&BackupRetentionPeriod=7&PreferredBackupWindow=02:00-03:00\
             &CopyTagsToSnapshot=true&VpcSecurityGroupIds.VpcSecurityGroupId.1=sg-1"
        ))
        .await;
    for (field, value) in [
        ("Status", "available"),
        ("DeletionProtection", "true"),
        ("BackupRetentionPeriod", "7"),
        ("PreferredBackupWindow", "02:00-03:00"),
        ("CopyTagsToSnapshot", "true"),
    ] {
        assert_eq!(answer.text(&format!("DBCluster/{field}")), Some(value));
    }
    assert_eq!(answer.text("DBCluster/PendingModifiedValues"), None);
    assert_eq!(answer.texts("VpcSecurityGroupId"), ["sg-1"]);
}

#[tokio::test]
async fn a_password_waits_for_the_window_unless_it_is_to_be_applied_at_once() {
    let world = World::new().await;
    world.cluster_with("one", &["a"]).await;
    let call = format!("{MODIFY}&MasterUserPassword=another99");
    let answer = world.ok(&call).await;
    assert_eq!(answer.text("DBCluster/Status"), Some("available"));
    let shown = answer.text("PendingModifiedValues/MasterUserPassword");
    assert_eq!(shown, Some("****"));
    let answer = world.ok(&format!("{call}&ApplyImmediately=true")).await;
    assert_eq!(
        answer.text("DBCluster/Status"),
        Some("resetting-master-credentials")
    );
    let pending = world.cluster("one").await.record.pending;
    assert!(pending.apply_now && pending.master_verifier.is_some());
}

#[tokio::test]
async fn a_new_name_and_a_new_port_must_be_free() {
    let world = World::new().await;
    world.cluster_with("one", &["a"]).await;
    world.cluster_with("two", &[]).await;
    let taken = world.cluster("two").await.record.endpoints.writer_port;
    for (more, code) in [
        (
            "&NewDBClusterIdentifier=two".to_owned(),
            "DBClusterAlreadyExistsFault",
        ),
        (format!("&Port={taken}"), "InvalidParameterValue"),
        ("&Port=80".to_owned(), "InvalidParameterValue"),
        (
            "&EngineVersion=16.9".to_owned(),
            "InvalidParameterCombination",
        ),
        (
            "&DBClusterParameterGroupName=default.aurora-postgresql16".to_owned(),
            "InvalidParameterCombination",
        ),
    ] {
        let (_, refused, message) = world.refused(&format!("{MODIFY}{more}")).await;
        assert_eq!(refused, code, "{more}: {message}");
    }
    let answer = world
        .ok(&format!(
            "{MODIFY}&NewDBClusterIdentifier=three&Port=7001&ApplyImmediately=true&EngineVersion=15"
        ))
        .await;
    assert_eq!(answer.text("DBCluster/Status"), Some("renaming"));
    let pending = world.cluster("one").await.record.pending;
    assert_eq!(
        (pending.port, pending.new_id.as_deref()),
        (Some(7001), Some("three"))
    );
    let (_, code, _) = world.refused(&format!("{CREATE}three")).await;
    assert_eq!(code, "DBClusterAlreadyExistsFault", "the name is promised");
    let (_, code, _) = world
        .refused(&format!("{MODIFY}&DeletionProtection=true"))
        .await;
    assert_eq!(code, "InvalidDBClusterStateFault");
}

#[tokio::test]
async fn a_failover_is_ordered_when_there_is_somebody_to_go_to() {
    let world = World::new().await;
    world.cluster_with("one", &["a", "b"]).await;
    let call = "Action=FailoverDBCluster&DBClusterIdentifier=one";
    for target in ["a", "none"] {
        let (_, code, _) = world
            .refused(&format!("{call}&TargetDBInstanceIdentifier={target}"))
            .await;
        assert_eq!(code, "InvalidDBInstanceState", "{target}");
    }
    let answer = world
        .ok(&format!("{call}&TargetDBInstanceIdentifier=B"))
        .await;
    assert_eq!(answer.text("DBCluster/Status"), Some("failing-over"));
    let to = Some("b".to_owned());
    let order = world.cluster("one").await.record.order;
    assert_eq!(order, Some(ClusterOrder::Failover { to }));
    let (_, code, _) = world.refused(call).await;
    assert_eq!(code, "InvalidDBClusterStateFault", "one at a time");

    world
        .change_cluster("one", |cluster| {
            cluster.status = ClusterStatus::Available;
            cluster.order = None;
            cluster.members.get_mut("b").unwrap().state = MemberState::Building;
        })
        .await;
    let (_, code, _) = world.refused(call).await;
    assert_eq!(code, "InvalidDBClusterStateFault", "no reader runs");
}

#[tokio::test]
async fn a_cluster_is_stopped_and_started_with_its_members() {
    let world = World::new().await;
    world.cluster_with("one", &["a", "b"]).await;
    let answer = world
        .ok("Action=StopDBCluster&DBClusterIdentifier=one")
        .await;
    assert_eq!(answer.text("DBCluster/Status"), Some("available"));
    let cluster = world.cluster("one").await.record;
    assert_eq!(
        (cluster.desired, cluster.status, cluster.members["b"].status),
        (Desired::Stopped, ClusterStatus::Stopping, Status::Stopping)
    );
    for action in ["StopDBCluster", "StartDBCluster", "FailoverDBCluster"] {
        let (_, code, _) = world
            .refused(&format!("Action={action}&DBClusterIdentifier=one"))
            .await;
        assert_eq!(code, "InvalidDBClusterStateFault", "{action}");
    }
    world
        .change_cluster("one", |c| c.status = ClusterStatus::Stopped)
        .await;
    let answer = world
        .ok("Action=StartDBCluster&DBClusterIdentifier=one")
        .await;
    assert_eq!(answer.text("DBCluster/Status"), Some("starting"));
    let cluster = world.cluster("one").await.record;
    assert_eq!(
        (cluster.desired, cluster.members["a"].status),
        (Desired::Running, Status::Starting)
    );
}

#[tokio::test]
async fn members_reboot_one_by_one_and_never_with_failover() {
    let world = World::new().await;
    world.cluster_with("one", &["a"]).await;
    let (_, code, _) = world
        .refused("Action=RebootDBCluster&DBClusterIdentifier=one")
        .await;
    assert_eq!(code, "InvalidDBClusterStateFault");
    let call = "Action=RebootDBInstance&DBInstanceIdentifier=a";
    let (_, code, _) = world.refused(&format!("{call}&ForceFailover=true")).await;
    assert_eq!(code, "InvalidParameterCombination");
    let answer = world.ok(call).await;
    assert_eq!(
        answer.text("DBInstance/DBInstanceStatus"),
        Some("rebooting")
    );
    let member = world.cluster("one").await.record.members["a"].clone();
    assert_eq!(member.order, Some(MemberOrder::Reboot));
    let (_, code, _) = world.refused(call).await;
    assert_eq!(code, "InvalidDBInstanceState");
}

#[tokio::test]
async fn a_members_own_settings_change_and_the_clusters_are_refused() {
    let world = World::new().await;
    world.cluster_with("one", &["a", "b"]).await;
    let answer = world
        .ok(&format!(
            "{MODIFY_MEMBER}&PromotionTier=3&AutoMinorVersionUpgrade=false&DBInstanceClass=db.r6g.xlarge"
        ))
        .await;
    for (field, value) in [
        ("PromotionTier", "3"),
        ("AutoMinorVersionUpgrade", "false"),
        ("DBInstanceClass", "db.r6g.large"),
        ("PendingModifiedValues/DBInstanceClass", "db.r6g.xlarge"),
    ] {
        assert_eq!(answer.text(&format!("DBInstance/{field}")), Some(value));
    }
    for (more, code) in [
        ("&BackupRetentionPeriod=3", "InvalidParameterCombination"),
        (
            "&MasterUserPassword=another99",
            "InvalidParameterCombination",
        ),
        ("&AllocatedStorage=30", "InvalidParameterCombination"),
        ("&DeletionProtection=true", "InvalidParameterCombination"),
        ("&EngineVersion=16.9", "InvalidParameterCombination"),
        ("&NewDBInstanceIdentifier=b", "DBInstanceAlreadyExists"),
        ("&PromotionTier=99", "InvalidParameterValue"),
        ("&DBParameterGroupName=none", "DBParameterGroupNotFound"),
    ] {
        let (_, refused, message) = world.refused(&format!("{MODIFY_MEMBER}{more}")).await;
        assert_eq!(refused, code, "{more}: {message}");
    }
    let answer = world
        .ok(&format!(
            "{MODIFY_MEMBER}&NewDBInstanceIdentifier=c&ApplyImmediately=true"
        ))
        .await;
    assert_eq!(answer.text("DBInstance/DBInstanceStatus"), Some("renaming"));
    let pending = world.cluster("one").await.record.members["a"]
        .pending
        .clone();
    assert!(pending.apply_now && pending.new_id.as_deref() == Some("c"));
}
