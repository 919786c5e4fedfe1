//! Snapshots are taken and volumes filled, by one node at a time.

use quorate_base::{Epoch, UnixMillis};
use quorate_control::{Stored, Txn};

use super::region::{Region, asked};
use crate::aurora::fixture;
use crate::aurora::model::{
    Attempt, ClusterRestore, ClusterSnapshot, ClusterStatus, RestoreSource, RunOf, SnapshotImage,
    SnapshotStatus,
};
use crate::aurora::records;
use crate::model::Desired;

fn snapshot(is_final: bool) -> ClusterSnapshot {
    let cluster = fixture::cluster(0);
    ClusterSnapshot {
        resource_id: "dbcluster-snapshot-TEST".into(),
        cluster: "c".into(),
        cluster_resource_id: cluster.resource_id,
        cluster_created_at: cluster.created_at,
        settings: cluster.settings,
        holds_files: true,
        automated: false,
        is_final,
        created_at: UnixMillis::now(),
        status: SnapshotStatus::Creating,
        attempt: None,
        image: None,
        copied_from: None,
        restorable_by: std::collections::BTreeSet::new(),
        tags: Vec::new(),
    }
}

fn restore() -> ClusterRestore {
    ClusterRestore {
        from: RestoreSource::Snapshot {
            id: "s".into(),
            image: None,
        },
        holds_files: true,
        page_bytes: 4_096,
        pages_per_group: 77,
        asked_at: UnixMillis::now(),
        attempt: None,
    }
}

impl Region {
    async fn snapshot(&self) -> Stored<ClusterSnapshot> {
        self.catalog.read("s").await.unwrap().unwrap()
    }

    async fn ask(&self, snapshot: &ClusterSnapshot) {
        let txn = Txn::new().insert("s", snapshot);
        self.catalog.commit(txn).await.unwrap();
    }

    async fn change_snapshot(&self, change: impl Fn(&mut ClusterSnapshot)) {
        let change = |snapshot: &mut ClusterSnapshot| {
            change(snapshot);
            true
        };
        self.catalog.update("s", change).await.unwrap();
    }

    async fn attempt(&self) -> Attempt {
        self.snapshot().await.record.attempt.unwrap()
    }
}

/// What the agent writes who has taken the attempt on and come to its end.
fn taken(snapshot: &mut ClusterSnapshot) {
    let attempt = snapshot.attempt.clone().unwrap();
    snapshot.attempt = Some(attempt.taken_on(7, fixture::NOW));
    let run = RunOf {
        number: attempt.number,
        run: 7,
    };
    let image = SnapshotImage {
        folder: snapshot.folder(),
        manifest: "m".into(),
        page_bytes: 8_192,
        pages_per_group: 64,
        size_bytes: 1,
        lsn: None,
        complete_at: None,
    };
    *snapshot = records::snapshot_taken(snapshot, run, &image).unwrap();
}

#[tokio::test]
async fn a_snapshot_is_taken_beside_the_writer_and_the_cluster_is_available_again() {
    let region = Region::running(1).await;
    let epoch = region.cluster().await.record.epoch;
    region.change(|c| c.status = ClusterStatus::BackingUp).await;
    region.ask(&snapshot(false)).await;
    region.settle().await;
    let attempt = region.attempt().await;
    assert_eq!((attempt.number, attempt.reading_epoch), (1, None));
    let cluster = region.cluster().await.record;
    assert_ne!(Some(&attempt.node), cluster.members["m1"].node.as_ref());
    assert_eq!(
        (cluster.status, cluster.epoch),
        (ClusterStatus::BackingUp, epoch)
    );
    region.change_snapshot(taken).await;
    region.settle().await;
    let cluster = region.cluster().await.record;
    assert_eq!(cluster.status, ClusterStatus::Available);
}

#[tokio::test]
async fn another_node_goes_on_when_the_first_is_lost_and_what_that_one_does_is_void() {
    let mut region = Region::running(1).await;
    region.ask(&snapshot(false)).await;
    region.settle().await;
    region
        .change_snapshot(|s| {
            let attempt = s.attempt.clone().unwrap();
            s.attempt = Some(attempt.taken_on(7, UnixMillis::now()));
        })
        .await;
    let first = region.attempt().await;
    region.lose(&first.node.as_str()["us-east-1".len()..], 1);
    region.decide().await;
    assert!(!region.attempt().await.is_open());
    // The pause before the next attempt is over.
    region
        .change_snapshot(|s| s.attempt.as_mut().unwrap().since = fixture::NOW)
        .await;
    region.decide().await;
    let second = region.attempt().await;
    assert_eq!(second.number, 2);
    assert_ne!(second.node, first.node);
    let stored = region.snapshot().await.record;
    let run = RunOf { number: 1, run: 7 };
    let image = SnapshotImage {
        folder: String::new(),
        manifest: String::new(),
        page_bytes: 1,
        pages_per_group: 1,
        size_bytes: 1,
        lsn: None,
        complete_at: None,
    };
    assert_eq!(records::snapshot_taken(&stored, run, &image), None);
}

#[tokio::test]
async fn a_deleted_cluster_goes_when_its_final_snapshot_is_there() {
    let region = Region::running(0).await;
    let epoch = region.cluster().await.record.epoch;
    region.ask(&snapshot(true)).await;
    region
        .change(|cluster| {
            cluster.desired = Desired::Deleted;
            cluster.status = ClusterStatus::Deleting;
        })
        .await;
    region.settle().await;
    let reading = region.attempt().await.reading_epoch.unwrap();
    let after = region.cluster().await.record.epoch;
    assert!(epoch < reading && reading < after, "an epoch for itself");
    region.change_snapshot(taken).await;
    region.settle().await;
    assert!(region.told().contains(&"DB cluster deleted".to_owned()));
}

#[tokio::test]
async fn a_deleted_cluster_stays_when_its_final_snapshot_fails() {
    let region = Region::running(0).await;
    region.ask(&snapshot(true)).await;
    region
        .change(|cluster| cluster.desired = Desired::Deleted)
        .await;
    for _ in 0..5 {
        region.settle().await;
        region
            .change_snapshot(|s| {
                let attempt = s.attempt.as_ref().unwrap();
                s.attempt = Some(attempt.failed("no room".into(), fixture::NOW));
            })
            .await;
    }
    region.settle().await;
    assert_eq!(
        region.snapshot().await.record.status,
        SnapshotStatus::Failed
    );
    let cluster = region.cluster().await.record;
    assert_eq!(cluster.desired, Desired::Running);
    assert_eq!(cluster.status, ClusterStatus::Available);
    let told = region.told().join(" ");
    assert!(told.contains("was not deleted: its final snapshot s failed: no room"));
}

#[tokio::test]
async fn a_restored_cluster_has_no_writer_before_its_volume_is_filled() {
    let mut cluster = asked(1);
    cluster.restore = Some(restore());
    let region = Region::new(&cluster).await;
    region.settle().await;
    let volume = region.volume().await.record;
    assert_eq!((volume.page_bytes, volume.pages_per_group), (4_096, 77));
    let filling = region.cluster().await.record;
    assert_eq!(
        (filling.status, &filling.writer),
        (ClusterStatus::Creating, &None)
    );
    let attempt = filling.restore.clone().unwrap().attempt.unwrap();
    assert_eq!(attempt.filling_epoch, Some(Epoch::FIRST));
    assert!(
        filling.epoch > Epoch::FIRST,
        "the writer's epoch is another one"
    );
    region
        .change(|cluster| {
            let taken = records::restore_attempt(cluster, &attempt.node, |attempt| {
                Some(attempt.taken_on(7, fixture::NOW))
            });
            let run = RunOf { number: 1, run: 7 };
            *cluster = records::restored(&taken.unwrap(), run).unwrap();
        })
        .await;
    region.settle().await;
    let cluster = region.cluster().await.record;
    assert!(cluster.created && cluster.is_serving());
    assert_eq!(cluster.status, ClusterStatus::Available);
    let fingerprint = cluster.settings.master_verifier.fingerprint();
    assert_eq!(cluster.credentials_applied, Some(fingerprint));
}

#[tokio::test]
async fn a_restore_that_cannot_be_made_ends_with_its_reason() {
    let mut cluster = asked(0);
    cluster.restore = Some(restore());
    let region = Region::new(&cluster).await;
    for number in 1..=5_u64 {
        region.settle().await;
        region
            .change(|cluster| {
                assert_eq!(cluster.epoch, Epoch(number + 1), "each attempt has its own");
                let restore = cluster.restore.as_mut().unwrap();
                let attempt = restore.attempt.as_ref().unwrap();
                restore.attempt = Some(attempt.failed("damaged".into(), fixture::NOW));
            })
            .await;
    }
    region.settle().await;
    let cluster = region.cluster().await.record;
    assert_eq!(cluster.status, ClusterStatus::IncompatibleRestore);
    assert_eq!(cluster.status_detail.as_deref(), Some("damaged"));
}
