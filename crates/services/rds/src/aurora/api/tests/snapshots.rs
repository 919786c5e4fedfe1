//! Snapshots and restores: asked for, described, copied, shared, deleted, refused.

use quorate_base::UnixMillis;
use quorate_control::{Stored, Txn};
use quorate_volume::protocol::Lsn;

use crate::api::tests::world::World;
use crate::aurora::model::{
    Cluster, ClusterBackup, ClusterSnapshot, ClusterStatus, Group, LogChain, LogRun, RestoreSource,
    SnapshotImage, SnapshotStatus, Volume,
};
use crate::model::Desired;

const TAKE: &str = "Action=CreateDBClusterSnapshot&DBClusterIdentifier=one\
     &DBClusterSnapshotIdentifier=";
const RESTORE: &str =
    "Action=RestoreDBClusterFromSnapshot&Engine=aurora-postgresql&SnapshotIdentifier=";
const LATEST: &str = "Action=RestoreDBClusterToPointInTime&UseLatestRestorableTime=true\
     &SourceDBClusterIdentifier=one&DBClusterIdentifier=";

impl World {
    async fn snapshot(&self, id: &str) -> Stored<ClusterSnapshot> {
        self.catalog.read(id).await.unwrap().unwrap()
    }

    /// Does what controller and agent would: the snapshot is in the archive.
    async fn taken(&self, id: &str) {
        let change = |snapshot: &mut ClusterSnapshot| {
            snapshot.status = SnapshotStatus::Available;
            snapshot.image = Some(SnapshotImage {
                folder: snapshot.folder(),
                manifest: format!("{}/1/manifest.json", snapshot.folder()),
                page_bytes: 8_192,
                pages_per_group: 64,
                size_bytes: 5 << 30,
                lsn: None,
                complete_at: None,
            });
            true
        };
        self.catalog.update(id, change).await.unwrap();
    }

    /// A cluster with a snapshot that is there.
    async fn with_snapshot() -> World {
        let world = World::new().await;
        world.cluster_with("one", &["one-1"]).await;
        world.ok(&format!("{TAKE}Snap")).await;
        world.taken("snap").await;
        world
            .change_cluster("one", |c| c.status = ClusterStatus::Available)
            .await;
        world
    }

    async fn shown(&self, query: &str) -> String {
        let query = format!("Action=DescribeDBClusterSnapshots{query}");
        let answer = self.ok(&query).await;
        let path = "DBClusterSnapshots/DBClusterSnapshot/DBClusterSnapshotIdentifier";
        answer.texts(path).join(" ")
    }
}

#[tokio::test]
async fn a_snapshot_is_an_intent_and_its_cluster_backs_up() {
    let world = World::new().await;
    world.cluster_with("one", &["one-1"]).await;
    let answer = world
        .ok(&format!(
            "{TAKE}Snap&Tags.Tag.1.Key=team&Tags.Tag.1.Value=a"
        ))
        .await;
    assert_eq!(answer.text("DBClusterSnapshot/Status"), Some("creating"));
    assert_eq!(answer.text("DBClusterSnapshot/PercentProgress"), Some("0"));
    assert_eq!(answer.text("TagList/Tag/Value"), Some("a"));
    let snapshot = world.snapshot("snap").await.record;
    assert!(snapshot.holds_files && !snapshot.is_final);
    let cluster = world.cluster("one").await.record;
    assert_eq!(cluster.status, ClusterStatus::BackingUp);
    let (_, code, message) = world.refused(&format!("{TAKE}other")).await;
    assert_eq!(code, "InvalidDBClusterStateFault", "{message}");
    let (_, code, _) = world.refused(&format!("{TAKE}snap")).await;
    assert_eq!(code, "DBClusterSnapshotAlreadyExistsFault");
    let restore = format!("{RESTORE}snap&DBClusterIdentifier=two");
    let (_, code, _) = world.refused(&restore).await;
    assert_eq!(code, "InvalidDBClusterSnapshotStateFault");
}

#[tokio::test]
async fn snapshots_are_found_by_name_arn_type_and_filter() {
    let world = World::with_snapshot().await;
    let arn = "arn:aws:rds:us-east-1:123456789012:cluster-snapshot:snap";
    let resource_id = world.cluster("one").await.record.resource_id;
    for (query, found) in [
        ("", "snap"),
        ("&DBClusterSnapshotIdentifier=SNAP", "snap"),
        (&format!("&DBClusterSnapshotIdentifier={arn}"), "snap"),
        ("&DBClusterIdentifier=one", "snap"),
        ("&DBClusterIdentifier=two", ""),
        ("&SnapshotType=manual", "snap"),
        ("&SnapshotType=automated", ""),
        (&format!("&DbClusterResourceId={resource_id}"), "snap"),
    ] {
        assert_eq!(world.shown(query).await, found, "{query}");
    }
    for (filter, value, found) in [
        ("db-cluster-id", "one", "snap"),
        ("db-cluster-snapshot-id", arn, "snap"),
        ("snapshot-type", "automated", ""),
        ("engine", "aurora-mysql", ""),
    ] {
        let query =
            format!("&Filters.Filter.1.Name={filter}&Filters.Filter.1.Values.Value.1={value}");
        assert_eq!(world.shown(&query).await, found, "{filter}");
    }
    let describe = "Action=DescribeDBClusterSnapshots&DBClusterSnapshotIdentifier=none";
    let (status, code, _) = world.refused(describe).await;
    assert_eq!(
        (status, code.as_str()),
        (404, "DBClusterSnapshotNotFoundFault")
    );
    let answer = world.ok("Action=DescribeDBClusterSnapshots").await;
    assert_eq!(answer.text("DBClusterSnapshot/AllocatedStorage"), Some("5"));
    assert!(!format!("{answer:?}").contains("SCRAM"));
}

#[tokio::test]
async fn a_copy_has_what_its_source_has_and_tags_of_its_own() {
    let world = World::with_snapshot().await;
    let arn = "arn:aws:rds:us-east-1:123456789012:cluster-snapshot:snap";
    world
        .ok(&format!(
            "Action=AddTagsToResource&ResourceName={arn}&Tags.Tag.1.Key=team&Tags.Tag.1.Value=a"
        ))
        .await;
    let copy = "Action=CopyDBClusterSnapshot&SourceDBClusterSnapshotIdentifier=snap\
         &TargetDBClusterSnapshotIdentifier=";
    let answer = world.ok(&format!("{copy}twin&CopyTags=true")).await;
    let source = answer.text("DBClusterSnapshot/SourceDBClusterSnapshotArn");
    assert_eq!(source, Some(arn));
    assert_eq!(answer.text("TagList/Tag/Value"), Some("a"));
    let (twin, snap) = (world.snapshot("twin").await, world.snapshot("snap").await);
    assert_eq!(twin.record.image, snap.record.image);
    assert_ne!(twin.record.resource_id, snap.record.resource_id);
    let (_, code, _) = world.refused(&format!("{copy}twin")).await;
    assert_eq!(code, "DBClusterSnapshotAlreadyExistsFault");
    let (_, code, _) = world.refused(&format!("{copy}third&KmsKeyId=k")).await;
    assert_eq!(code, "InvalidParameterCombination");
}

#[tokio::test]
async fn who_may_restore_a_snapshot_is_recorded() {
    let world = World::with_snapshot().await;
    let modify = "Action=ModifyDBClusterSnapshotAttribute&DBClusterSnapshotIdentifier=snap\
         &AttributeName=";
    let add = "restore&ValuesToAdd.AttributeValue.1=111122223333&ValuesToAdd.AttributeValue.2=all";
    world.ok(&format!("{modify}{add}")).await;
    let remove = "restore&ValuesToRemove.AttributeValue.1=all";
    world.ok(&format!("{modify}{remove}")).await;
    let describe = "Action=DescribeDBClusterSnapshotAttributes&DBClusterSnapshotIdentifier=snap";
    let answer = world.ok(describe).await;
    let path = "DBClusterSnapshotAttribute/AttributeValues/AttributeValue";
    assert_eq!(answer.texts(path), ["111122223333"]);
    for wrong in ["other", "restore&ValuesToAdd.AttributeValue.1=you"] {
        let (_, code, _) = world.refused(&format!("{modify}{wrong}")).await;
        assert_eq!(code, "InvalidParameterValue");
    }
}

#[tokio::test]
async fn a_restored_cluster_waits_for_its_volume_with_the_snapshots_master_user() {
    let world = World::with_snapshot().await;
    let answer = world
        .ok(&format!(
            "{RESTORE}snap&DBClusterIdentifier=Two&Port=7000&DeletionProtection=true"
        ))
        .await;
    assert_eq!(answer.text("DBCluster/Status"), Some("creating"));
    assert_eq!(answer.text("DBCluster/MasterUsername"), Some("app"));
    assert_eq!(answer.text("DBCluster/Port"), Some("7000"));
    assert_eq!(answer.text("DBCluster/PercentProgress"), Some("0"));
    let cluster = world.cluster("two").await.record;
    let source = world.cluster("one").await.record;
    assert_eq!(
        cluster.settings.master_verifier,
        source.settings.master_verifier
    );
    assert!(!cluster.created && cluster.settings.deletion_protection);
    let restore = cluster.restore.unwrap();
    assert_eq!((restore.page_bytes, restore.pages_per_group), (8_192, 64));
    let delete = "Action=DeleteDBClusterSnapshot&DBClusterSnapshotIdentifier=snap";
    let (_, code, message) = world.refused(delete).await;
    assert_eq!(code, "InvalidDBClusterSnapshotStateFault", "{message}");
    world.change_cluster("two", |c| c.restore = None).await;
    let answer = world.ok(delete).await;
    assert_eq!(answer.text("DBClusterSnapshot/Status"), Some("deleting"));
    let restore = format!("{RESTORE}snap&DBClusterIdentifier=three");
    let (_, code, _) = world.refused(&restore).await;
    assert_eq!(code, "InvalidDBClusterSnapshotStateFault");
}

#[tokio::test]
async fn restores_that_break_a_rule_are_refused_with_awss_code() {
    let world = World::with_snapshot().await;
    for (query, code) in [
        (
            "none&DBClusterIdentifier=two",
            "DBClusterSnapshotNotFoundFault",
        ),
        (
            "snap&DBClusterIdentifier=one",
            "DBClusterAlreadyExistsFault",
        ),
        ("snap&DBClusterIdentifier=1x", "InvalidParameterValue"),
        (
            "snap&DBClusterIdentifier=two&EngineVersion=16",
            "InvalidParameterCombination",
        ),
        (
            "snap&DBClusterIdentifier=two&DBSubnetGroupName=none",
            "DBSubnetGroupNotFoundFault",
        ),
    ] {
        let (_, refused, message) = world.refused(&format!("{RESTORE}{query}")).await;
        assert_eq!(refused, code, "{query}: {message}");
    }
}

#[tokio::test]
async fn the_latest_point_is_a_copy_of_the_volume() {
    let world = World::with_snapshot().await;
    let source = world.cluster("one").await.record;
    let volume = Volume {
        page_bytes: 8_192,
        pages_per_group: 32,
        groups: Vec::<Group>::new(),
        wanted_groups: 1,
        origin: None,
    };
    let txn = Txn::new().insert(&source.resource_id, &volume);
    world.catalog.commit(txn).await.unwrap();
    world
        .ok(&format!("{LATEST}two&RestoreType=copy-on-write"))
        .await;
    let restore = world.cluster("two").await.record.restore.unwrap();
    let from = |shares_pages| RestoreSource::Cluster {
        id: "one".into(),
        resource_id: source.resource_id.clone(),
        shares_pages,
    };
    assert_eq!((restore.from, restore.pages_per_group), (from(true), 32));
    world.ok(&format!("{LATEST}copied")).await;
    let restore = world.cluster("copied").await.record.restore.unwrap();
    assert_eq!(restore.from, from(false), "as in AWS, unless asked for");
    let at = "Action=RestoreDBClusterToPointInTime&SourceDBClusterIdentifier=one\
         &DBClusterIdentifier=three";
    for (more, code) in [
        ("", "InvalidParameterCombination"),
        ("&RestoreToTime=2026-01-01T00:00:00Z", "InvalidRestoreFault"),
        ("&RestoreToTime=yesterday", "InvalidParameterValue"),
        (
            "&RestoreToTime=2026-01-01T00:00:00Z&UseLatestRestorableTime=true",
            "InvalidParameterCombination",
        ),
        (
            "&RestoreToTime=2026-01-01T00:00:00Z&RestoreType=copy-on-write",
            "InvalidParameterCombination",
        ),
        (
            "&UseLatestRestorableTime=true&RestoreType=slow",
            "InvalidParameterValue",
        ),
    ] {
        let (_, refused, message) = world.refused(&format!("{at}{more}")).await;
        assert_eq!(refused, code, "{more}: {message}");
    }
    let (_, code, _) = world
        .refused(&format!("{LATEST}three").replace("=one", "=two"))
        .await;
    assert_eq!(
        code, "InvalidDBClusterStateFault",
        "it is not filled itself"
    );
}

#[tokio::test]
async fn a_final_snapshot_is_written_with_the_deletion() {
    let world = World::new().await;
    world.cluster_with("one", &[]).await;
    let delete = "Action=DeleteDBCluster&DBClusterIdentifier=one&FinalDBSnapshotIdentifier=";
    let keep = "last&DeleteAutomatedBackups=false";
    let (_, code, _) = world.refused(&format!("{delete}{keep}")).await;
    assert_eq!(code, "InvalidParameterCombination");
    let (_, code, _) = world.refused(&format!("{delete}1x")).await;
    assert_eq!(code, "InvalidParameterValue");
    assert_eq!(world.cluster("one").await.record.desired, Desired::Running);
    world.ok(&format!("{delete}last")).await;
    assert_eq!(world.cluster("one").await.record.desired, Desired::Deleted);
    let last = world.snapshot("last").await.record;
    assert!(last.is_final && last.status == SnapshotStatus::Creating);
    assert!(last.created_at <= UnixMillis::now());
    let clusters: Vec<Stored<Cluster>> = world.catalog.list().await.unwrap();
    assert_eq!(clusters.len(), 1, "it goes when the snapshot is taken");
}

/// What controller and archiver write of a cluster whose backups reach from an hour ago to now.
async fn with_backups(world: &World) -> UnixMillis {
    let cluster = world.cluster("one").await.record;
    let now = UnixMillis::now();
    let run = LogRun {
        folder: "log".into(),
        after: Lsn(10),
        end: Lsn(90),
        files: 3,
    };
    let backup = ClusterBackup {
        chains: vec![LogChain {
            since: UnixMillis(now.0 - 3_700_000),
            until: now,
            groups: 2,
            runs: vec![run],
            ended: None,
        }],
        ..ClusterBackup::default()
    };
    let base = ClusterSnapshot {
        automated: true,
        cluster: "one".into(),
        cluster_resource_id: cluster.resource_id.clone(),
        image: world
            .snapshot("snap")
            .await
            .record
            .image
            .map(|image| SnapshotImage {
                lsn: Some(Lsn(20)),
                complete_at: Some(UnixMillis(now.0 - 3_600_000)),
                ..image
            }),
        ..world.snapshot("snap").await.record
    };
    let txn = Txn::new()
        .insert(&cluster.resource_id, &backup)
        .insert("rds:one-2026-01-01-04-00", &base);
    world.catalog.commit(txn).await.unwrap();
    now
}

#[tokio::test]
async fn a_moment_within_the_backups_is_restored_and_others_are_refused() {
    let world = World::with_snapshot().await;
    let latest = with_backups(&world).await;
    let earliest = UnixMillis(latest.0 - 3_600_000);
    let shown = world.ok("Action=DescribeDBClusters").await;
    for (name, moment) in [
        ("EarliestRestorableTime", earliest),
        ("LatestRestorableTime", latest),
    ] {
        let told = shown.text(&format!("DBClusters/DBCluster/{name}"));
        assert_eq!(told, Some(moment.to_iso8601().as_str()), "{name}");
    }
    let at = |moment: u64, id: &str| {
        let moment = UnixMillis(moment);
        format!(
            "Action=RestoreDBClusterToPointInTime&SourceDBClusterIdentifier=one\
             &DBClusterIdentifier={id}&RestoreToTime={moment}"
        )
    };
    world.ok(&at(latest.0 - 60_000, "two")).await;
    let restore = world.cluster("two").await.record.restore.unwrap();
    assert_eq!((restore.page_bytes, restore.pages_per_group), (8_192, 64));
    let RestoreSource::Time {
        base,
        runs,
        to,
        groups,
        ..
    } = restore.from
    else {
        panic!("it is restored from the archive");
    };
    assert_eq!(
        (base.as_str(), runs.len(), groups),
        ("rds:one-2026-01-01-04-00", 1, 2)
    );
    assert_eq!(to, UnixMillis(latest.0 - 60_000));
    for (moment, words) in [
        (earliest.0 - 1, format!("to a time earlier than {earliest}")),
        (latest.0 + 1, format!("to a time later than {latest}")),
    ] {
        let (status, code, message) = world.refused(&at(moment, "three")).await;
        assert_eq!((status, code.as_str()), (400, "InvalidParameterValue"));
        assert!(message.contains(&words), "{message}");
    }
}

#[tokio::test]
async fn automated_snapshots_are_found_by_their_type_and_are_not_for_users_to_delete() {
    let world = World::with_snapshot().await;
    with_backups(&world).await;
    let automated = "rds:one-2026-01-01-04-00";
    assert_eq!(world.shown("&SnapshotType=automated").await, automated);
    assert_eq!(world.shown("&SnapshotType=manual").await, "snap");
    assert_eq!(world.shown("").await, format!("{automated} snap"));
    let arn = format!("arn:aws:rds:us-east-1:123456789012:cluster-snapshot:{automated}");
    let by_arn = format!("&DBClusterSnapshotIdentifier={arn}");
    assert_eq!(world.shown(&by_arn).await, automated);
    let (_, code, _) = world.refused(&format!("{TAKE}rds:mine")).await;
    assert_eq!(
        code, "InvalidParameterValue",
        "names of that form are not for users"
    );
    let delete = "Action=DeleteDBClusterSnapshot&DBClusterSnapshotIdentifier=";
    let (_, code, _) = world.refused(&format!("{delete}{automated}")).await;
    assert_eq!(code, "InvalidDBClusterSnapshotStateFault");
    world
        .ok(&format!(
            "Action=CopyDBClusterSnapshot&SourceDBClusterSnapshotIdentifier={automated}\
             &TargetDBClusterSnapshotIdentifier=kept"
        ))
        .await;
    assert!(!world.snapshot("kept").await.record.automated);
    let restore = format!("{RESTORE}{automated}&DBClusterIdentifier=two");
    world.ok(&restore).await;
}
