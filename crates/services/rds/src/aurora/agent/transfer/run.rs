//! The loop: a task for each attempt that is this node's.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use quorate_base::UnixMillis;
use quorate_control::{CatalogError, Stored};
use tokio::task::JoinSet;

use crate::aurora::agent::host::AuroraHost;
use crate::aurora::agent::transfer::error::TransferError;
use crate::aurora::agent::transfer::progress::Subject;
use crate::aurora::model::{Attempt, Cluster, ClusterSnapshot, RunOf, SnapshotStatus};
use crate::model::Desired;

/// Longest time between two looks at the catalog.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What an attempt works by.
#[derive(Debug, Clone)]
enum Work {
    Snapshot(Box<Stored<ClusterSnapshot>>),
    Restore(Box<Stored<Cluster>>),
}

/// Makes this node's attempts, for ever. Attempts that were overruled are ended.
pub(in crate::aurora::agent) async fn run(host: Arc<AuroraHost>) {
    clear(&host);
    let mut bell = host.base.catalog.view().subscribe();
    let mut running: BTreeMap<(Subject, u32), JoinSet<()>> = BTreeMap::new();
    loop {
        bell.mark_unchanged();
        match wanted(&host) {
            Ok(wanted) => {
                running.retain(|key, _| wanted.contains_key(key));
                for (key, work) in wanted {
                    let (subject, number) = key.clone();
                    let host = host.clone();
                    running.entry(key).or_insert_with(|| {
                        let mut task = JoinSet::new();
                        task.spawn(attempt(host, subject, number, work));
                        task
                    });
                }
            }
            Err(e) => tracing::warn!(error = %e, "copies of volumes cannot be looked for"),
        }
        tokio::select! {
            _ = bell.changed() => {}
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
    }
}

/// Makes an empty folder for files on their way: what an earlier run has left there is of no use.
fn clear(host: &AuroraHost) {
    let folder = &host.config.transfers;
    let cleared = match std::fs::remove_dir_all(folder) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(e),
        _ => std::fs::create_dir_all(folder),
    };
    if let Err(e) = cleared {
        tracing::error!(folder = %folder.display(), error = %e, "no place for files on their way to the archive");
    }
}

/// The attempts that are this node's.
fn wanted(host: &AuroraHost) -> Result<BTreeMap<(Subject, u32), Work>, CatalogError> {
    let view = host.base.catalog.view();
    let own = |attempt: Option<&Attempt>| {
        let own = |a: &&Attempt| a.is_open() && a.node == host.base.config.node;
        attempt.filter(own).map(|attempt| attempt.number)
    };
    let mut wanted = BTreeMap::new();
    for stored in view.list::<ClusterSnapshot>()? {
        let is_open = stored.record.status == SnapshotStatus::Creating;
        if let Some(number) = own(stored.record.attempt.as_ref()).filter(|_| is_open) {
            let resource_id = stored.record.resource_id.clone();
            let subject = Subject::Snapshot(stored.id.clone(), resource_id);
            wanted.insert((subject, number), Work::Snapshot(Box::new(stored)));
        }
    }
    for stored in view.list::<Cluster>()? {
        let is_open = stored.record.desired == Desired::Running;
        let restore = stored.record.restore.as_ref().filter(|_| is_open);
        if let Some(number) = own(restore.and_then(|r| r.attempt.as_ref())) {
            let subject = Subject::Restore(stored.record.resource_id.clone());
            wanted.insert((subject, number), Work::Restore(Box::new(stored)));
        }
    }
    Ok(wanted)
}

async fn attempt(host: Arc<AuroraHost>, subject: Subject, number: u32, work: Work) {
    let run = RunOf {
        number,
        run: host.run,
    };
    let taken_on = loop {
        match host.take_on(&subject, run).await {
            Ok(taken_on) => break taken_on,
            Err(e) => tracing::debug!(error = %e, "an attempt cannot be taken on yet"),
        }
        tokio::time::sleep(LOOK_EVERY).await;
    };
    let Some(attempt) = taken_on else {
        return;
    };
    match host.copy(&subject, &work, &attempt, run).await {
        Ok(()) => tracing::info!(?subject, number, "a volume's pages are copied"),
        Err(TransferError::Overruled) => {
            tracing::info!(?subject, number, "a copy of a volume was overruled");
        }
        Err(e) => {
            tracing::warn!(?subject, number, error = %e, "a volume's pages could not be copied");
            host.tell_failure(&subject, run, &e).await;
        }
    }
}

impl AuroraHost {
    /// Takes the attempt on; none when it is over, or another run had it.
    async fn take_on(
        &self,
        subject: &Subject,
        run: RunOf,
    ) -> Result<Option<Attempt>, CatalogError> {
        let change = |attempt: &Attempt| {
            let next = attempt.taken_on(run.run, UnixMillis::now());
            (attempt.number == run.number && next != *attempt).then_some(next)
        };
        let attempt = self.change_attempt(subject, change).await?;
        Ok(attempt.filter(|attempt| attempt.is_of(run)))
    }

    async fn copy(
        self: &Arc<Self>,
        subject: &Subject,
        work: &Work,
        attempt: &Attempt,
        run: RunOf,
    ) -> Result<(), TransferError> {
        match work {
            Work::Snapshot(snapshot) => {
                self.take_snapshot(subject, &snapshot.id, &snapshot.record, attempt, run)
                    .await
            }
            Work::Restore(cluster) => {
                let restore = cluster.record.restore.as_ref();
                let restore = restore.ok_or(TransferError::Overruled)?;
                self.fill_volume(subject, restore, attempt, run).await
            }
        }
    }

    /// Notes a failure, however long that takes: nobody else can say that this run goes on no more.
    async fn tell_failure(&self, subject: &Subject, run: RunOf, why: &TransferError) {
        while let Err(e) = self.note_failure(subject, run, why).await {
            tracing::debug!(error = %e, "a failure cannot be noted yet");
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
}
