//! `RestoreDBClusterFromSnapshot`.

use quorate_base::UnixMillis;
use quorate_control::Txn;
use quorate_wire::xml::Element;

use crate::api::context::Context;
use crate::api::error::RdsError;
use crate::aurora::api::restore::settings;
use crate::aurora::api::snapshot;
use crate::aurora::model::{ClusterRestore, RestoreSource};

/// `RestoreDBClusterFromSnapshot`. Master user and password are those of the snapshot.
pub(crate) async fn restore_from_snapshot(context: &Context<'_>) -> Result<Vec<Element>, RdsError> {
    let params = &context.params;
    let name = params.required("SnapshotIdentifier")?;
    params.required("Engine")?;
    let id = settings::new_id(context).await?;
    let tags = context.tags()?;
    let stored = snapshot::find(context, name).await?;
    snapshot::require_available(&stored)?;
    let settings = settings::settings(context, &stored.record.settings).await?;
    let image = stored.record.image.clone();
    let missing = || RdsError::InvalidClusterSnapshotState(format!("{} is not there.", stored.id));
    let shape = image.as_ref().ok_or_else(missing)?;
    let restore = ClusterRestore {
        page_bytes: shape.page_bytes,
        pages_per_group: shape.pages_per_group,
        holds_files: stored.record.holds_files,
        from: RestoreSource::Snapshot {
            id: stored.id.clone(),
            image,
        },
        asked_at: UnixMillis::now(),
        attempt: None,
    };
    // Written again, unchanged: who deletes the snapshot at the same moment reads again and finds the cluster.
    let held = || async {
        let now = snapshot::find(context, name).await?;
        if now.record.resource_id != stored.record.resource_id {
            return Err(RdsError::ClusterSnapshotNotFound(name.to_owned()));
        }
        snapshot::require_available(&now)?;
        Ok(Txn::new().replace(&now, &now.record))
    };
    settings::begin(context, &id, settings, tags, restore, held).await
}
