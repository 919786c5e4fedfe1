//! What an attempt writes into the catalog on its way.

use quorate_base::UnixMillis;
use quorate_control::{CatalogError, Stored, Txn};

use crate::aurora::agent::host::AuroraHost;
use crate::aurora::agent::transfer::error::TransferError;
use crate::aurora::model::{Attempt, Cluster, ClusterSnapshot, RunOf};
use crate::aurora::records;

/// How often a change is tried again when another writer came first.
const CHANGE_ATTEMPTS_MAX: u32 = 16;

/// What is copied for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Subject {
    /// A snapshot, by its identifier and its resource id.
    Snapshot(String, String),
    /// A cluster that is restored, by its resource id.
    Restore(String),
}

impl AuroraHost {
    /// Changes the attempt at something, where `change` gives another one; the attempt as it then is, if this node still is
    /// at it.
    pub(super) async fn change_attempt(
        &self,
        subject: &Subject,
        change: impl Fn(&Attempt) -> Option<Attempt>,
    ) -> Result<Option<Attempt>, CatalogError> {
        for _ in 0..CHANGE_ATTEMPTS_MAX {
            let node = &self.base.config.node;
            let (attempt, txn) = match subject {
                Subject::Snapshot(id, resource_id) => {
                    let Some(stored) = self.read_snapshot(id, resource_id).await? else {
                        return Ok(None);
                    };
                    let next = records::snapshot_attempt(&stored.record, node, &change);
                    let txn = next.as_ref().map(|next| Txn::new().replace(&stored, next));
                    (next.unwrap_or(stored.record).attempt, txn)
                }
                Subject::Restore(resource_id) => {
                    let Some(stored) = self.read_cluster(resource_id).await? else {
                        return Ok(None);
                    };
                    let next = records::restore_attempt(&stored.record, node, &change);
                    let txn = next.as_ref().map(|next| records::change(&stored, next));
                    let restore = next.unwrap_or(stored.record).restore;
                    (restore.and_then(|restore| restore.attempt), txn)
                }
            };
            let Some(txn) = txn else {
                return Ok(attempt);
            };
            match self.base.catalog.commit(txn).await {
                Err(CatalogError::Conflict { .. }) => {}
                other => return other.map(|_| attempt),
            }
        }
        Err(CatalogError::Conflict {
            key: format!("{subject:?}"),
        })
    }

    /// The snapshot, unless another one has its identifier.
    pub(super) async fn read_snapshot(
        &self,
        id: &str,
        resource_id: &str,
    ) -> Result<Option<Stored<ClusterSnapshot>>, CatalogError> {
        let stored = self.base.catalog.read::<ClusterSnapshot>(id).await?;
        Ok(stored.filter(|stored| stored.record.resource_id == resource_id))
    }

    /// The cluster with this resource id.
    pub(super) async fn read_cluster(
        &self,
        resource_id: &str,
    ) -> Result<Option<Stored<Cluster>>, CatalogError> {
        let clusters = self.base.catalog.list::<Cluster>().await?;
        let mut clusters = clusters.into_iter();
        Ok(clusters.find(|stored| stored.record.resource_id == resource_id))
    }

    /// Notes how much is copied; an error once the attempt was overruled.
    pub(super) async fn note_progress(
        &self,
        subject: &Subject,
        run: RunOf,
        done: u64,
        total: u64,
    ) -> Result<(), TransferError> {
        let percent = (done.saturating_mul(100)).checked_div(total).unwrap_or(100);
        let percent = u8::try_from(percent.min(99)).unwrap_or(99);
        let change = |attempt: &Attempt| records::attempt_progress(attempt, run, percent);
        let attempt = self.change_attempt(subject, change).await?;
        match attempt.filter(|attempt| attempt.is_of(run)) {
            Some(_) => Ok(()),
            None => Err(TransferError::Overruled),
        }
    }

    /// Notes that the run has failed.
    pub(super) async fn note_failure(
        &self,
        subject: &Subject,
        run: RunOf,
        why: &TransferError,
    ) -> Result<(), CatalogError> {
        let why = why.to_string();
        let change =
            |attempt: &Attempt| records::attempt_failed(attempt, run, &why, UnixMillis::now());
        self.change_attempt(subject, change).await.map(|_| ())
    }
}
