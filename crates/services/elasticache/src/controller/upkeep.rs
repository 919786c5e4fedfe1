//! Keeps the archive at what the snapshots' records say: copies, removes, lets old ones expire. Runs with the controller,
//! beside it, as moving bytes takes time.
//!
//! Each piece of work starts anew from the record and may be done twice: objects have names that are used once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use quorate_archive::{Archive, ArchiveError, ObjectName};
use quorate_base::UnixMillis;
use quorate_control::{CatalogError, Replica, Stored, Txn};

use crate::decide::daily::{Upkeep, decide_upkeep};
use crate::events::tell_of_snapshot;
use crate::model::{Cache, Snapshot, SnapshotStatus};

const LOOK_EVERY: Duration = Duration::from_secs(5);
/// Times that a copy is begun before it has failed.
const COPIES_MAX: u32 = 5;

/// Why a piece of work was not done.
#[derive(Debug, thiserror::Error)]
enum UpkeepError {
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    #[error("no archive is configured on the node that leads the catalog")]
    NoArchive,
    #[error("the snapshot `{0}` that it is copied from is gone")]
    NoSource(String),
}

/// Looks after the snapshots whenever this node's voter leads the catalog; until the future is dropped.
pub async fn run_snapshot_upkeep(replica: Arc<Replica>, archive: Option<Archive>) {
    let mut keeper = Keeper {
        replica,
        archive,
        failures: BTreeMap::new(),
    };
    let mut bell = keeper.replica.catalog().view().subscribe();
    loop {
        bell.mark_unchanged();
        if let Err(e) = keeper.look().await {
            tracing::debug!(error = %e, "snapshots could not be looked after");
        }
        tokio::select! {
            _ = bell.changed(), if keeper.failures.is_empty() => {}
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
    }
}

struct Keeper {
    replica: Arc<Replica>,
    archive: Option<Archive>,
    /// How often work on a snapshot has failed, since this voter leads.
    failures: BTreeMap<String, u32>,
}

impl Keeper {
    async fn look(&mut self) -> Result<(), CatalogError> {
        let Ok(sessions) = self.replica.sessions() else {
            self.failures.clear();
            return Ok(());
        };
        let catalog = self.replica.catalog();
        // First the snapshots: an order that is there with its snapshot is there in the later list, or was carried out.
        let snapshots: Vec<Stored<Snapshot>> = catalog.view().list()?;
        let caches: Vec<Stored<Cache>> = catalog.view().list()?;
        let in_use = names_in_use(&snapshots, &caches);
        self.failures
            .retain(|id, _| snapshots.iter().any(|snapshot| snapshot.id == *id));
        for snapshot in &snapshots {
            let record = &snapshot.record;
            let own = caches
                .iter()
                .find(|c| c.record.resource_id == record.resource_id);
            let own = own.map(|cache| &cache.record);
            let used = in_use.contains(snapshot.id.as_str());
            let upkeep = decide_upkeep(&snapshot.id, record, own, used, UnixMillis::now());
            if upkeep == Upkeep::Keep {
                continue;
            }
            match self.carry_out(sessions.term, snapshot, upkeep).await {
                Ok(()) => {
                    tracing::info!(snapshot = %snapshot.id, ?upkeep, "done");
                    self.failures.remove(&snapshot.id);
                }
                // Somebody else wrote first: the next look sees it.
                Err(UpkeepError::Catalog(CatalogError::Conflict { .. })) => {}
                Err(e) => {
                    self.note_failure(sessions.term, snapshot, upkeep, &e)
                        .await?
                }
            }
        }
        Ok(())
    }

    async fn carry_out(
        &self,
        term: u64,
        snapshot: &Stored<Snapshot>,
        upkeep: Upkeep,
    ) -> Result<(), UpkeepError> {
        let mut next = snapshot.record.clone();
        let txn = match upkeep {
            Upkeep::Keep => return Ok(()),
            Upkeep::Copy => {
                self.copy(snapshot, &mut next).await?;
                next.status = SnapshotStatus::Available;
                Txn::new().replace(snapshot, &next)
            }
            Upkeep::Remove => {
                self.remove(snapshot).await?;
                Txn::new().remove(snapshot)
            }
            Upkeep::Expire => {
                next.status = SnapshotStatus::Deleting;
                Txn::new().replace(snapshot, &next)
            }
            Upkeep::Abandon => {
                next.status = SnapshotStatus::Failed;
                next.takers.clear();
                Txn::new().replace(snapshot, &next)
            }
        };
        self.replica.commit_in_term(term, txn).await?;
        Ok(())
    }

    fn archive(&self) -> Result<&Archive, UpkeepError> {
        self.archive.as_ref().ok_or(UpkeepError::NoArchive)
    }

    async fn copy(
        &self,
        snapshot: &Stored<Snapshot>,
        next: &mut Snapshot,
    ) -> Result<(), UpkeepError> {
        let archive = self.archive()?;
        let name = snapshot.record.copied_from.clone().unwrap_or_default();
        let source = self.replica.catalog().read::<Snapshot>(&name).await?;
        let source = source.ok_or(UpkeepError::NoSource(name))?;
        next.shards.clear();
        for (shard, slots, object, bytes) in &source.record.shards {
            let copy = next.object(&snapshot.id, *shard, 1);
            match archive.copy(&object.parse()?, &copy.parse()?).await {
                Ok(_) | Err(ArchiveError::AlreadyThere { .. }) => {}
                Err(e) => return Err(e.into()),
            }
            next.shards.push((*shard, slots.clone(), copy, *bytes));
        }
        Ok(())
    }

    /// Removes what the record names, and what attempts that failed left behind.
    async fn remove(&self, snapshot: &Stored<Snapshot>) -> Result<(), UpkeepError> {
        let record = &snapshot.record;
        if record.shards.is_empty() && self.archive.is_none() {
            return Ok(());
        }
        let archive = self.archive()?;
        let folder: ObjectName = record.folder(&snapshot.id).parse()?;
        let mut objects = archive.list(Some(&folder)).await?;
        for (_, _, object, _) in &record.shards {
            objects.push(object.parse()?);
        }
        for object in objects {
            archive.remove(&object).await?;
        }
        Ok(())
    }

    /// Notes that work failed. A copy has a bound; removing goes on, as the space is in use until it is done.
    async fn note_failure(
        &mut self,
        term: u64,
        snapshot: &Stored<Snapshot>,
        upkeep: Upkeep,
        error: &UpkeepError,
    ) -> Result<(), CatalogError> {
        tracing::warn!(snapshot = %snapshot.id, ?upkeep, error = %error, "a snapshot could not be worked on");
        let failures = self.failures.entry(snapshot.id.clone()).or_default();
        *failures += 1;
        if upkeep != Upkeep::Copy || *failures < COPIES_MAX {
            return Ok(());
        }
        let mut next = snapshot.record.clone();
        next.status = SnapshotStatus::Failed;
        let message = format!("The copy to snapshot '{}' failed: {error}", snapshot.id);
        let txn = Txn::new().replace(snapshot, &next);
        let txn = tell_of_snapshot(txn, UnixMillis::now(), &next, &message);
        match self.replica.commit_in_term(term, txn).await {
            Ok(_) | Err(CatalogError::Conflict { .. }) => Ok(()),
            Err(e) => Err(e),
        }
    }
}

/// Snapshots that a copy or a new cache is being made from.
fn names_in_use<'a>(
    snapshots: &'a [Stored<Snapshot>],
    caches: &'a [Stored<Cache>],
) -> BTreeSet<&'a str> {
    let copies = snapshots
        .iter()
        .filter(|s| s.record.status == SnapshotStatus::Copying);
    let sources = copies.filter_map(|s| s.record.copied_from.as_deref());
    let restoring = caches
        .iter()
        .filter_map(|c| c.record.restore_from.as_deref());
    sources.chain(restoring).collect()
}
