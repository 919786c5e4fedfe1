//! The changes of records that agents make who copy a volume's pages.

use quorate_base::{NodeId, UnixMillis};

use crate::aurora::model::{
    Attempt, Cluster, ClusterRestore, ClusterSnapshot, RunOf, SnapshotImage, SnapshotStatus,
};
use crate::model::Desired;

/// What a restored engine's master password counts as until its writer has given it the one of the record: that of the
/// snapshot may be another one, when it was changed at that moment.
const CREDENTIALS_OF_SOURCE: &str = "of the source";

/// A snapshot whose attempt was changed by the node that is at it. None when another one is, or nothing changes.
#[must_use]
pub fn snapshot_attempt(
    snapshot: &ClusterSnapshot,
    node: &NodeId,
    change: impl Fn(&Attempt) -> Option<Attempt>,
) -> Option<ClusterSnapshot> {
    let attempt = open_attempt(snapshot.attempt.as_ref(), node)?;
    if snapshot.status != SnapshotStatus::Creating {
        return None;
    }
    Some(ClusterSnapshot {
        attempt: Some(change(attempt)?),
        ..snapshot.clone()
    })
}

/// A snapshot that has been taken by this run. None when it was overruled.
#[must_use]
pub fn snapshot_taken(
    snapshot: &ClusterSnapshot,
    run: RunOf,
    image: &SnapshotImage,
) -> Option<ClusterSnapshot> {
    let attempt = snapshot.attempt.as_ref()?;
    if snapshot.status != SnapshotStatus::Creating || !attempt.is_of(run) {
        return None;
    }
    Some(ClusterSnapshot {
        status: SnapshotStatus::Available,
        image: Some(image.clone()),
        ..snapshot.clone()
    })
}

/// A cluster whose restore was changed by the node that is at it. None when another one is, or nothing changes.
#[must_use]
pub fn restore_attempt(
    cluster: &Cluster,
    node: &NodeId,
    change: impl Fn(&Attempt) -> Option<Attempt>,
) -> Option<Cluster> {
    let restore = cluster.restore.as_ref()?;
    let attempt = open_attempt(restore.attempt.as_ref(), node)?;
    if cluster.desired != Desired::Running {
        return None;
    }
    let restore = ClusterRestore {
        attempt: Some(change(attempt)?),
        ..restore.clone()
    };
    Some(Cluster {
        restore: Some(restore),
        ..cluster.clone()
    })
}

/// A cluster whose volume has been filled by this run: a writer may open it from here on. None when it was overruled.
#[must_use]
pub fn restored(cluster: &Cluster, run: RunOf) -> Option<Cluster> {
    let restore = cluster.restore.as_ref()?;
    let is_own = restore.attempt.as_ref().is_some_and(|a| a.is_of(run));
    if !is_own || cluster.desired != Desired::Running {
        return None;
    }
    let credentials = restore
        .holds_files
        .then(|| CREDENTIALS_OF_SOURCE.to_owned());
    Some(Cluster {
        restore: None,
        created: restore.holds_files,
        credentials_applied: credentials,
        ..cluster.clone()
    })
}

pub(super) fn open_attempt<'a>(attempt: Option<&'a Attempt>, node: &NodeId) -> Option<&'a Attempt> {
    attempt.filter(|attempt| attempt.is_open() && attempt.node == *node)
}

/// What an attempt becomes when its run has come so far. None when it is not this run's, or says so already.
#[must_use]
pub fn attempt_progress(attempt: &Attempt, run: RunOf, percent: u8) -> Option<Attempt> {
    (attempt.is_of(run) && attempt.percent < percent).then(|| Attempt {
        percent,
        ..attempt.clone()
    })
}

/// What an attempt becomes when its run has failed. None when it is not this run's.
#[must_use]
pub fn attempt_failed(
    attempt: &Attempt,
    run: RunOf,
    why: &str,
    now: UnixMillis,
) -> Option<Attempt> {
    attempt
        .is_of(run)
        .then(|| attempt.failed(why.to_owned(), now))
}
