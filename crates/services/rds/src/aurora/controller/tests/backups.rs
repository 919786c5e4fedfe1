//! Logs are archived by one node, bases taken, old ones removed.

use quorate_base::UnixMillis;
use quorate_control::{Stored, Txn};
use quorate_volume::protocol::Lsn;

use super::region::Region;
use crate::aurora::model::{
    Attempt, ClusterBackup, ClusterSnapshot, LogChain, LogRun, RunOf, SnapshotImage, SnapshotStatus,
};
use crate::aurora::records;
use crate::model::Desired;

const ID: &str = "cluster-TEST";
const DAY_MS: u64 = 86_400_000;

impl Region {
    async fn backup(&self) -> Stored<ClusterBackup> {
        self.catalog.read(ID).await.unwrap().unwrap()
    }

    fn bases(&self) -> Vec<Stored<ClusterSnapshot>> {
        self.catalog.view().list().unwrap()
    }

    async fn change_backup(&self, change: impl Fn(&mut ClusterBackup)) {
        let change = |backup: &mut ClusterBackup| {
            change(backup);
            true
        };
        self.catalog.update(ID, change).await.unwrap();
    }

    async fn archiver(&self) -> Attempt {
        self.backup().await.record.archiver.unwrap()
    }

    /// A region whose cluster is backed up, and whose archiver has begun a chain.
    async fn backed_up() -> Region {
        let mut region = Region::running(1).await;
        region.backs_up = true;
        region.decide().await;
        region
            .change_backup(|backup| backup.chains.push(chain(0)))
            .await;
        region
    }

    /// Does what an agent does that takes a snapshot: as of this LSN, complete so many days ago.
    async fn take(&self, id: &str, lsn: u64, days_ago: u64) {
        let change = |snapshot: &mut ClusterSnapshot| {
            snapshot.status = SnapshotStatus::Available;
            snapshot.created_at = ago(days_ago);
            snapshot.image = Some(SnapshotImage {
                folder: snapshot.folder(),
                manifest: "m".into(),
                page_bytes: 8_192,
                pages_per_group: 64,
                size_bytes: 1,
                lsn: Some(Lsn(lsn)),
                complete_at: Some(ago(days_ago)),
            });
            true
        };
        self.catalog.update(id, change).await.unwrap();
    }
}

fn ago(days: u64) -> UnixMillis {
    UnixMillis(UnixMillis::now().0 - days * DAY_MS)
}

fn chain(days_ago: u64) -> LogChain {
    let run = |folder: &str, after: u64, end: u64| LogRun {
        folder: folder.into(),
        after: Lsn(after),
        end: Lsn(end),
        files: 1,
    };
    LogChain {
        since: ago(days_ago),
        until: UnixMillis::now(),
        groups: 1,
        runs: vec![run("x", 0, 100), run("y", 100, 200)],
        ended: None,
    }
}

#[tokio::test]
async fn a_node_beside_the_writers_archives_and_another_one_when_it_is_lost() {
    let mut region = Region::backed_up().await;
    let first = region.archiver().await;
    let writer = region.cluster().await.record.members["m1"].node.clone();
    assert_eq!((first.number, first.run), (1, None));
    assert_ne!(Some(&first.node), writer.as_ref());
    region
        .change_backup(|backup| {
            let attempt = backup.archiver.clone().unwrap();
            backup.archiver = Some(attempt.taken_on(7, UnixMillis::now()));
        })
        .await;
    region.lose(&first.node.as_str()["us-east-1".len()..], 1);
    region.decide().await;
    let second = region.archiver().await;
    assert_eq!((second.number, second.is_open()), (2, true));
    assert_ne!(second.node, first.node);
    let late = RunOf { number: 1, run: 7 };
    let backup = region.backup().await.record;
    assert_eq!(records::log_idle(&backup, late, UnixMillis::now()), None);
}

#[tokio::test]
async fn a_base_is_taken_once_log_is_archived_and_the_cluster_stays_available() {
    let region = Region::backed_up().await;
    region.decide().await;
    let bases = region.bases();
    let [base] = bases.as_slice() else {
        panic!("{bases:?}");
    };
    assert!(base.id.starts_with("rds:c-") && base.record.automated);
    assert!(
        base.record
            .folder()
            .starts_with("rds/cluster-backup/cluster-TEST/")
    );
    let cluster = region.cluster().await.record;
    assert_eq!(cluster.status.to_string(), "available");
    region.take(&base.id, 50, 0).await;
    assert_eq!(region.decide().await, [] as [String; 0]);
}

#[tokio::test]
async fn old_bases_and_their_log_go_by_the_clusters_retention() {
    let region = Region::backed_up().await;
    region.decide().await;
    let first = region.bases().remove(0);
    region
        .change_backup(|backup| backup.chains = vec![chain(3)])
        .await;
    region.take(&first.id, 50, 3).await;
    let second = ClusterSnapshot {
        resource_id: "dbcluster-snapshot-SECOND".into(),
        ..first.record.clone()
    };
    region
        .catalog
        .commit(Txn::new().insert("second", &second))
        .await
        .unwrap();
    region.take("second", 120, 2).await;
    let third = Txn::new().insert("third", &second);
    region.catalog.commit(third).await.unwrap();
    region.take("third", 180, 0).await;
    region.decide().await;
    let status = |id: &str| {
        let bases = region.bases();
        bases
            .into_iter()
            .find(|base| base.id == id)
            .unwrap()
            .record
            .status
    };
    assert_eq!(status(&first.id), SnapshotStatus::Deleting);
    assert_eq!(
        status("second"),
        SnapshotStatus::Available,
        "a day ago needs it"
    );
    let backup = region.backup().await.record;
    assert_eq!(backup.going.into_iter().collect::<Vec<_>>(), ["x"]);
    assert_eq!(backup.chains[0].after(), Lsn(100));
}

#[tokio::test]
async fn automated_backups_go_when_their_cluster_is_gone() {
    let region = Region::backed_up().await;
    region.decide().await;
    region
        .change(|cluster| {
            cluster.desired = Desired::Deleted;
            cluster.members.clear();
        })
        .await;
    region.decide().await;
    assert!(region.told().contains(&"DB cluster deleted".to_owned()));
    region.decide_removals().await;
    let backup = region.backup().await;
    assert_eq!(backup.record.archiver, None);
    assert_eq!(backup.record.going.len(), 2);
    let bases = region.bases();
    assert_eq!(bases[0].record.status, SnapshotStatus::Deleting);
    // What the archive's upkeep does.
    let txn = Txn::new().remove(&bases[0]);
    region.catalog.commit(txn).await.unwrap();
    region.change_backup(|backup| backup.going.clear()).await;
    region.decide_removals().await;
    let left: Vec<Stored<ClusterBackup>> = region.catalog.view().list().unwrap();
    assert!(left.is_empty());
}

#[tokio::test]
async fn nothing_is_archived_where_it_is_switched_off() {
    let mut region = Region::backed_up().await;
    region.backs_up = false;
    region.decide().await;
    assert!(!region.archiver().await.is_open());
    assert_eq!(region.bases(), []);
}
