//! The loop: a task for each log that is this node's to archive.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use quorate_base::UnixMillis;
use quorate_control::{CatalogError, Stored, Txn};
use tokio::task::JoinSet;

use crate::aurora::agent::backup::archiver::archive_log;
use crate::aurora::agent::host::AuroraHost;
use crate::aurora::agent::transfer::TransferError;
use crate::aurora::model::{Attempt, ClusterBackup, RunOf};
use crate::aurora::records;

/// Longest time between two looks at the catalog.
const LOOK_EVERY: Duration = Duration::from_secs(1);
const ENDED: &str = "the archiver ended";

/// Makes this node's attempts, for ever. Attempts that were overruled are ended.
pub(in crate::aurora::agent) async fn run(host: Arc<AuroraHost>) {
    let mut bell = host.base.catalog.view().subscribe();
    let mut running: BTreeMap<(String, u32), JoinSet<()>> = BTreeMap::new();
    loop {
        bell.mark_unchanged();
        match host.base.catalog.view().list::<ClusterBackup>() {
            Ok(backups) => {
                let wanted: Vec<_> = backups.iter().filter_map(|b| own(&host, b)).collect();
                running.retain(|key, _| wanted.contains(key));
                for key in wanted {
                    let (resource_id, number) = key.clone();
                    let host = host.clone();
                    match running.get_mut(&key) {
                        Some(task) => {
                            // It has ended and the catalog does not say so, as after a panic.
                            if task.try_join_next().is_some() {
                                task.spawn(end(host, resource_id, number, ENDED));
                            }
                        }
                        None => {
                            let mut task = JoinSet::new();
                            task.spawn(attempt(host, resource_id, number));
                            running.insert(key, task);
                        }
                    }
                }
            }
            Err(e) => tracing::warn!(error = %e, "logs to archive cannot be looked for"),
        }
        tokio::select! {
            _ = bell.changed() => {}
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
    }
}

fn own(host: &AuroraHost, backup: &Stored<ClusterBackup>) -> Option<(String, u32)> {
    let attempt = backup.record.archiver.as_ref()?;
    let is_own = attempt.is_open() && attempt.node == host.base.config.node;
    is_own.then(|| (backup.id.clone(), attempt.number))
}

async fn attempt(host: Arc<AuroraHost>, resource_id: String, number: u32) {
    let run = RunOf {
        number,
        run: host.run,
    };
    let take_on = |attempt: &Attempt| {
        let next = attempt.taken_on(run.run, UnixMillis::now());
        (attempt.number == number && next != *attempt).then_some(next)
    };
    let taken_on = host.change_archiver(&resource_id, take_on).await;
    if !taken_on.is_some_and(|attempt| attempt.is_of(run)) {
        return;
    }
    let error = match archive_log(&host, &resource_id, run).await {
        Err(error) => error,
        Ok(never) => match never {},
    };
    if matches!(error, TransferError::Overruled) {
        tracing::info!(volume = %resource_id, number, "another one archives the log");
    } else {
        tracing::warn!(volume = %resource_id, number, %error, "the log cannot be archived here");
    }
    // Also when it was overruled: a transaction whose answer was lost looks like that.
    end(host, resource_id, number, &error.to_string()).await;
}

/// Notes that this run's attempt is over, unless it was overruled.
async fn end(host: Arc<AuroraHost>, resource_id: String, number: u32, why: &str) {
    let run = RunOf {
        number,
        run: host.run,
    };
    let failed = |attempt: &Attempt| records::attempt_failed(attempt, run, why, UnixMillis::now());
    host.change_archiver(&resource_id, failed).await;
}

impl AuroraHost {
    /// Changes this node's attempt, where `change` gives another one, however long that takes; the attempt as it then is.
    async fn change_archiver(
        &self,
        resource_id: &str,
        change: impl Fn(&Attempt) -> Option<Attempt>,
    ) -> Option<Attempt> {
        loop {
            let node = &self.base.config.node;
            let changed = self
                .change_backup(resource_id, |backup| {
                    records::archiver_attempt(backup, node, &change)
                })
                .await;
            match changed {
                Ok(backup) => return backup?.archiver,
                Err(e) => tracing::debug!(error = %e, "an attempt cannot be changed yet"),
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Changes a backup's record, where `change` gives another one; the record as it then is, if it is there.
    pub(super) async fn change_backup(
        &self,
        resource_id: &str,
        change: impl Fn(&ClusterBackup) -> Option<ClusterBackup>,
    ) -> Result<Option<ClusterBackup>, CatalogError> {
        loop {
            let stored = self.base.catalog.read::<ClusterBackup>(resource_id).await?;
            let Some(stored) = stored else {
                return Ok(None);
            };
            let Some(next) = change(&stored.record) else {
                return Ok(Some(stored.record));
            };
            let txn = Txn::new().replace(&stored, &next);
            match self.base.catalog.commit(txn).await {
                // The controller came first.
                Err(CatalogError::Conflict { .. }) => {}
                other => return other.map(|_| Some(next)),
            }
        }
    }
}
