//! `CreateDBClusterSnapshot`, and the last snapshot of a cluster that is deleted.

use std::collections::BTreeSet;

use quorate_base::UnixMillis;
use quorate_control::{Stored, Txn};
use quorate_wire::xml::Element;

use crate::api::context::{Context, retry};
use crate::api::error::RdsError;
use crate::api::identifier;
use crate::aurora::api::cluster;
use crate::aurora::api::cluster::lifecycle::require_available;
use crate::aurora::api::snapshot::read::free_id;
use crate::aurora::api::snapshot::shape;
use crate::aurora::model::{Cluster, ClusterSnapshot, ClusterStatus, SnapshotStatus};
use crate::aurora::records;
use crate::events::snapshot_event;
use crate::model::{EventCategory, Tag};

/// `CreateDBClusterSnapshot`.
pub(crate) async fn create(context: &Context<'_>) -> Result<Vec<Element>, RdsError> {
    let params = &context.params;
    const NAME: &str = "DBClusterSnapshotIdentifier";
    let name = params.required(NAME)?;
    let cluster_name = params.required("DBClusterIdentifier")?;
    let tags = context.tags()?;
    retry(|| async {
        let stored = cluster::find(context, cluster_name).await?;
        let (id, snapshot, txn) = intent(context, &stored, (NAME, name), &tags, false).await?;
        require_available(&stored)?;
        let record = Cluster {
            status: ClusterStatus::BackingUp,
            ..stored.record.clone()
        };
        let txn = records::change_in(txn, &stored, &record);
        context.catalog().commit(txn).await?;
        Ok(vec![shape::snapshot(context, &id, &snapshot)])
    })
    .await
}

/// The record of a snapshot that is to be taken, with its identifier and a transaction that writes it.
pub(crate) async fn intent(
    context: &Context<'_>,
    stored: &Stored<Cluster>,
    (parameter, name): (&str, &str),
    tags: &[Tag],
    is_final: bool,
) -> Result<(String, ClusterSnapshot, Txn), RdsError> {
    let cluster = &stored.record;
    let id = free_id(context, parameter, name).await?;
    let mut all_tags = tags.to_vec();
    if cluster.settings.copy_tags_to_snapshot {
        let given = |tag: &&Tag| !tags.iter().any(|own| own.key == tag.key);
        all_tags.extend(cluster.tags.iter().filter(given).cloned());
    }
    let now = UnixMillis::now();
    let snapshot = ClusterSnapshot {
        resource_id: identifier::resource_id("dbcluster-snapshot"),
        cluster: stored.id.clone(),
        cluster_resource_id: cluster.resource_id.clone(),
        cluster_created_at: cluster.created_at,
        settings: cluster.settings.clone(),
        holds_files: cluster.created,
        automated: false,
        is_final,
        created_at: now,
        status: SnapshotStatus::Creating,
        attempt: None,
        image: None,
        copied_from: None,
        restorable_by: BTreeSet::new(),
        tags: all_tags,
    };
    let owner = context.owner();
    let message = "Creating manual cluster snapshot";
    let (event_id, event) = snapshot_event(now, &owner, &id, message, EventCategory::Backup);
    let txn = Txn::new().insert(&id, &snapshot).put(&event_id, &event);
    Ok((id, snapshot, txn))
}
