//! Keeps the archive at what the records of cluster snapshots and backups say: removes what none has any more. Runs with the
//! controller, beside it, as that takes time.
//!
//! Each piece of work starts anew from the records and may be done twice: objects have names that are used once.

use std::sync::Arc;
use std::time::Duration;

use quorate_archive::{Archive, ArchiveError, ObjectName};
use quorate_base::UnixMillis;
use quorate_control::{CatalogError, Replica, Stored, Txn};

use crate::aurora::model::{ClusterBackup, ClusterSnapshot, SnapshotStatus};
use crate::events::{ResourceOwner, snapshot_event};
use crate::model::EventCategory;

const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Why a snapshot was not removed.
#[derive(Debug, thiserror::Error)]
enum UpkeepError {
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    #[error("no archive can be used on the node that leads the catalog")]
    NoArchive,
}

/// Removes snapshots that are to go, whenever this node's voter leads the catalog; until the future is dropped.
pub async fn run_snapshot_upkeep(
    replica: Arc<Replica>,
    archive: Option<Archive>,
    owner: ResourceOwner,
) {
    let mut bell = replica.catalog().view().subscribe();
    loop {
        bell.mark_unchanged();
        let all_done = match look(&replica, archive.as_ref(), &owner).await {
            Ok(all_done) => all_done,
            Err(e) => {
                tracing::debug!(error = %e, "cluster snapshots could not be looked after");
                false
            }
        };
        tokio::select! {
            _ = bell.changed(), if all_done => {}
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
    }
}

/// Whether nothing is left to do.
async fn look(
    replica: &Arc<Replica>,
    archive: Option<&Archive>,
    owner: &ResourceOwner,
) -> Result<bool, CatalogError> {
    let Ok(sessions) = replica.sessions() else {
        return Ok(true);
    };
    let mut all_done = true;
    let snapshots: Vec<Stored<ClusterSnapshot>> = replica.catalog().list().await?;
    let going = snapshots
        .iter()
        .filter(|snapshot| snapshot.record.status == SnapshotStatus::Deleting);
    for snapshot in going {
        match remove(replica, archive, owner, sessions.term, snapshot).await {
            Ok(()) => tracing::info!(snapshot = %snapshot.id, "a cluster snapshot is removed"),
            Err(e) => {
                tracing::warn!(snapshot = %snapshot.id, error = %e, "a cluster snapshot could not be removed");
                all_done = false;
            }
        }
    }
    let backups: Vec<Stored<ClusterBackup>> = replica.catalog().list().await?;
    for backup in backups.iter().filter(|b| !b.record.going.is_empty()) {
        if let Err(e) = remove_log(replica, archive, sessions.term, backup).await {
            tracing::warn!(backup = %backup.id, error = %e, "old log could not be removed");
            all_done = false;
        }
    }
    Ok(all_done)
}

/// Removes the files of log that nobody needs, then what the record says of them.
async fn remove_log(
    replica: &Arc<Replica>,
    archive: Option<&Archive>,
    term: u64,
    backup: &Stored<ClusterBackup>,
) -> Result<(), UpkeepError> {
    let archive = archive.ok_or(UpkeepError::NoArchive)?;
    for folder in &backup.record.going {
        remove_below(archive, folder).await?;
    }
    loop {
        let stored = replica.catalog().read::<ClusterBackup>(&backup.id).await?;
        let Some(stored) = stored else {
            return Ok(());
        };
        let mut record = stored.record.clone();
        record
            .going
            .retain(|folder| !backup.record.going.contains(folder));
        let txn = Txn::new().replace(&stored, &record);
        match replica.commit_in_term(term, txn).await {
            // Its archiver came first.
            Err(CatalogError::Conflict { .. }) => {}
            other => return Ok(other.map(|_| ())?),
        }
    }
}

async fn remove_below(archive: &Archive, folder: &str) -> Result<(), UpkeepError> {
    let folder: ObjectName = folder.parse()?;
    for object in archive.list(Some(&folder)).await? {
        archive.remove(&object).await?;
    }
    Ok(())
}

/// Removes a snapshot's objects, unless another one has them, too, then its record.
async fn remove(
    replica: &Arc<Replica>,
    archive: Option<&Archive>,
    owner: &ResourceOwner,
    term: u64,
    snapshot: &Stored<ClusterSnapshot>,
) -> Result<(), UpkeepError> {
    // Read anew: the one before may just have gone.
    let all: Vec<Stored<ClusterSnapshot>> = replica.catalog().list().await?;
    for folder in folders_alone(snapshot, &all) {
        let archive = archive.ok_or(UpkeepError::NoArchive)?;
        remove_below(archive, &folder).await?;
    }
    let (id, event) = snapshot_event(
        UnixMillis::now(),
        owner,
        &snapshot.id,
        &format!("{} cluster snapshot deleted", snapshot.record.word()),
        EventCategory::Deletion,
    );
    let txn = Txn::new().remove(snapshot).put(&id, &event);
    replica.commit_in_term(term, txn).await?;
    Ok(())
}

/// The folders of a snapshot that no other one needs. One that was never taken in any attempt has none.
fn folders_alone(
    snapshot: &Stored<ClusterSnapshot>,
    all: &[Stored<ClusterSnapshot>],
) -> Vec<String> {
    let record = &snapshot.record;
    let folder = match &record.image {
        Some(image) => image.folder.clone(),
        None if record.attempt.is_none() => return Vec::new(),
        None => record.folder(),
    };
    let has = |other: &Stored<ClusterSnapshot>| {
        let image = other.record.image.as_ref();
        other.id != snapshot.id && image.is_some_and(|image| image.folder == folder)
    };
    if all.iter().any(has) {
        return Vec::new();
    }
    vec![folder]
}
