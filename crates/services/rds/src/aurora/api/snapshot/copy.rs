//! `CopyDBClusterSnapshot`. Objects in the archive never change, so a copy has those of its source; they go with the last
//! snapshot that has them.

use quorate_base::UnixMillis;
use quorate_control::Txn;
use quorate_wire::xml::Element;

use crate::api::context::{Context, retry};
use crate::api::error::RdsError;
use crate::api::identifier;
use crate::aurora::api::snapshot::read::{find, free_id, require_available};
use crate::aurora::api::snapshot::shape;
use crate::aurora::model::ClusterSnapshot;
use crate::events::snapshot_event;
use crate::model::{EventCategory, Tag};

/// What AWS has for copies between regions and under keys.
const NOT_OFFERED: [&str; 3] = ["KmsKeyId", "PreSignedUrl", "SourceRegion"];

/// `CopyDBClusterSnapshot`.
pub(crate) async fn copy(context: &Context<'_>) -> Result<Vec<Element>, RdsError> {
    const TARGET: &str = "TargetDBClusterSnapshotIdentifier";
    let params = &context.params;
    let source = params.required("SourceDBClusterSnapshotIdentifier")?;
    let target = params.required(TARGET)?;
    if let Some(name) = NOT_OFFERED.iter().find(|name| params.text(name).is_some()) {
        return Err(RdsError::InvalidCombination(format!(
            "{name} isn't supported here: snapshots are copied within their region, without keys."
        )));
    }
    let with_tags = params.boolean("CopyTags")?.unwrap_or(false);
    let tags = context.tags()?;
    retry(|| async {
        let stored = find(context, source).await?;
        require_available(&stored)?;
        let id = free_id(context, TARGET, target).await?;
        let mut all_tags = tags.clone();
        if with_tags {
            let given = |tag: &&Tag| !tags.iter().any(|own| own.key == tag.key);
            all_tags.extend(stored.record.tags.iter().filter(given).cloned());
        }
        let now = UnixMillis::now();
        let snapshot = ClusterSnapshot {
            resource_id: identifier::resource_id("dbcluster-snapshot"),
            created_at: now,
            automated: false,
            is_final: false,
            attempt: None,
            copied_from: Some(context.arn("cluster-snapshot", &stored.id)),
            restorable_by: std::collections::BTreeSet::new(),
            tags: all_tags,
            ..stored.record.clone()
        };
        let message = "Manual cluster snapshot created";
        let (event_id, event) =
            snapshot_event(now, &context.owner(), &id, message, EventCategory::Backup);
        // Whoever deletes the source at the same moment reads again and finds the copy.
        let txn = Txn::new()
            .replace(&stored, &stored.record)
            .insert(&id, &snapshot)
            .put(&event_id, &event);
        context.catalog().commit(txn).await?;
        Ok(vec![shape::snapshot(context, &id, &snapshot)])
    })
    .await
}
