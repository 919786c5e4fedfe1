//! `RestoreDBClusterToPointInTime`: of the latest point alone, as a copy of the source's volume.

use quorate_base::UnixMillis;
use quorate_control::{Stored, Txn};
use quorate_wire::xml::Element;

use crate::api::context::Context;
use crate::api::error::RdsError;
use crate::aurora::api::cluster;
use crate::aurora::api::restore::settings;
use crate::aurora::model::{Cluster, ClusterRestore, RestoreSource, Volume};
use crate::model::Desired;

/// The types that are taken. Both copy everything.
const TYPES: [&str; 2] = ["full-copy", "copy-on-write"];

/// `RestoreDBClusterToPointInTime`.
pub(crate) async fn restore_to_point_in_time(
    context: &Context<'_>,
) -> Result<Vec<Element>, RdsError> {
    check_point(context)?;
    let id = settings::new_id(context).await?;
    let tags = context.tags()?;
    let stored = source(context).await?;
    require_readable(&stored)?;
    let settings = settings::settings(context, &stored.record.settings).await?;
    let volume = context
        .read::<Volume>(&stored.record.resource_id)
        .await?
        .ok_or_else(|| not_readable(&stored))?;
    let restore = ClusterRestore {
        from: RestoreSource::Cluster {
            id: stored.id.clone(),
            resource_id: stored.record.resource_id.clone(),
        },
        holds_files: stored.record.created,
        page_bytes: volume.record.page_bytes,
        pages_per_group: volume.record.pages_per_group,
        asked_at: UnixMillis::now(),
        attempt: None,
    };
    // Who deletes the source at the same moment waits for the copy: it may not be on its way already.
    let held = || async {
        let now = source(context).await?;
        if now.record.resource_id != stored.record.resource_id {
            return Err(not_readable(&stored));
        }
        require_readable(&now)?;
        Ok(Txn::new().require(&now))
    };
    settings::begin(context, &id, settings, tags, restore, held).await
}

fn check_point(context: &Context<'_>) -> Result<(), RdsError> {
    let params = &context.params;
    if let Some(kind) = params.text("RestoreType")
        && !TYPES.contains(&kind)
    {
        return Err(RdsError::InvalidValue(format!(
            "Invalid value '{kind}' for RestoreType. Must be one of: {}",
            TYPES.join(", ")
        )));
    }
    let latest = params.boolean("UseLatestRestorableTime")?.unwrap_or(false);
    match (params.text("RestoreToTime"), latest) {
        (Some(_), true) => Err(RdsError::InvalidCombination(String::from(
            "RestoreToTime cannot be specified when UseLatestRestorableTime is specified.",
        ))),
        (Some(_), false) => Err(RdsError::InvalidRestore(String::from(
            "Logs are not archived here, so a DB cluster can be restored to the latest point alone: pass \
             UseLatestRestorableTime instead of RestoreToTime.",
        ))),
        (None, false) => Err(RdsError::InvalidCombination(String::from(
            "Either RestoreToTime or UseLatestRestorableTime must be specified.",
        ))),
        (None, true) => Ok(()),
    }
}

async fn source(context: &Context<'_>) -> Result<Stored<Cluster>, RdsError> {
    let params = &context.params;
    match (
        params.text("SourceDBClusterIdentifier"),
        params.text("SourceDbClusterResourceId"),
    ) {
        (Some(name), None) => cluster::find(context, name).await,
        (None, Some(resource_id)) => {
            let clusters: Vec<Stored<Cluster>> = context.list().await?;
            let mut clusters = clusters.into_iter();
            clusters
                .find(|cluster| cluster.record.resource_id == resource_id)
                .ok_or_else(|| RdsError::ClusterNotFound(resource_id.to_owned()))
        }
        _ => Err(RdsError::InvalidCombination(String::from(
            "Either SourceDBClusterIdentifier or SourceDbClusterResourceId must be specified.",
        ))),
    }
}

fn require_readable(stored: &Stored<Cluster>) -> Result<(), RdsError> {
    let cluster = &stored.record;
    if cluster.desired == Desired::Deleted || cluster.restore.is_some() {
        return Err(not_readable(stored));
    }
    Ok(())
}

fn not_readable(stored: &Stored<Cluster>) -> RdsError {
    RdsError::InvalidClusterState(format!(
        "DbCluster {} is in {} state and cannot be restored from.",
        stored.id, stored.record.status
    ))
}
