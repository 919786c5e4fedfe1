//! Finding the snapshot that a request means.

use quorate_control::Stored;

use crate::api::context::Context;
use crate::api::error::RdsError;
use crate::api::identifier;
use crate::api::instance::fleet::id_of_kind;
use crate::aurora::model::{ClusterSnapshot, SnapshotStatus};

/// The identifier that a request means: a name in any case, or the ARN of a snapshot of this region.
pub(super) fn id_of(context: &Context<'_>, name: &str) -> String {
    id_of_kind(context, "cluster-snapshot:", name)
}

/// The snapshot with this identifier, or with this ARN.
pub(crate) async fn find(
    context: &Context<'_>,
    name: &str,
) -> Result<Stored<ClusterSnapshot>, RdsError> {
    let stored = context.read(&id_of(context, name)).await?;
    stored.ok_or_else(|| RdsError::ClusterSnapshotNotFound(name.to_owned()))
}

/// Refuses snapshots that are not in the archive.
pub(crate) fn require_available(stored: &Stored<ClusterSnapshot>) -> Result<(), RdsError> {
    if stored.record.status == SnapshotStatus::Available {
        return Ok(());
    }
    Err(RdsError::InvalidClusterSnapshotState(format!(
        "DB cluster snapshot {} is in {} state but expected it to be available.",
        stored.id,
        stored.record.status.as_str()
    )))
}

/// Checks an identifier for a new snapshot: its form, and that it is free.
pub(super) async fn free_id(
    context: &Context<'_>,
    parameter: &str,
    text: &str,
) -> Result<String, RdsError> {
    let id = identifier::cluster_id(parameter, text)?;
    if context.read::<ClusterSnapshot>(&id).await?.is_some() {
        return Err(RdsError::ClusterSnapshotAlreadyExists(id));
    }
    Ok(id)
}
