//! `RestoreDBClusterToPointInTime`: the latest point is a copy of the source's volume, any other one comes out of the archive.

use quorate_base::UnixMillis;
use quorate_control::{Stored, Txn};
use quorate_wire::xml::Element;

use crate::api::context::Context;
use crate::api::error::RdsError;
use crate::aurora::api::backup::Backups;
use crate::aurora::api::cluster;
use crate::aurora::api::restore::settings;
use crate::aurora::model::{Cluster, ClusterBackup, ClusterRestore, RestoreSource, Volume};
use crate::model::Desired;

/// The types that are taken.
const TYPES: [&str; 2] = ["full-copy", COPY_ON_WRITE];
/// The new cluster shares its source's pages, and copies those that either one changes.
const COPY_ON_WRITE: &str = "copy-on-write";

/// `RestoreDBClusterToPointInTime`.
pub(crate) async fn restore_to_point_in_time(
    context: &Context<'_>,
) -> Result<Vec<Element>, RdsError> {
    let to = point(context)?;
    let id = settings::new_id(context).await?;
    let tags = context.tags()?;
    let stored = source(context).await?;
    require_readable(&stored)?;
    let settings = settings::settings(context, &stored.record.settings).await?;
    match to {
        None => {
            let restore = of_volume(context, &stored).await?;
            // Who deletes the source at the same moment waits for the copy: it may not be on its way already.
            let held = || async { Ok(Txn::new().require(&same(context, &stored).await?)) };
            settings::begin(context, &id, settings, tags, restore, held).await
        }
        Some(to) => {
            let restore = of_archive(context, &stored, to).await?;
            // Written again, unchanged: who removes old backups at the same moment reads again and finds the cluster.
            let held = || async {
                let now = same(context, &stored).await?;
                of_archive(context, &now, to).await?;
                let backup = context
                    .read::<ClusterBackup>(&now.record.resource_id)
                    .await?;
                let backup = backup.ok_or_else(|| not_readable(&now))?;
                Ok(Txn::new().replace(&backup, &backup.record).require(&now))
            };
            settings::begin(context, &id, settings, tags, restore, held).await
        }
    }
}

/// The restore of all that a cluster's volume has.
async fn of_volume(
    context: &Context<'_>,
    stored: &Stored<Cluster>,
) -> Result<ClusterRestore, RdsError> {
    let volume = context
        .read::<Volume>(&stored.record.resource_id)
        .await?
        .ok_or_else(|| not_readable(stored))?;
    Ok(ClusterRestore {
        from: RestoreSource::Cluster {
            id: stored.id.clone(),
            resource_id: stored.record.resource_id.clone(),
            shares_pages: context.params.text("RestoreType") == Some(COPY_ON_WRITE),
        },
        holds_files: stored.record.created,
        page_bytes: volume.record.page_bytes,
        pages_per_group: volume.record.pages_per_group,
        asked_at: UnixMillis::now(),
        attempt: None,
    })
}

/// The restore of what the archive has of a moment.
async fn of_archive(
    context: &Context<'_>,
    stored: &Stored<Cluster>,
    to: UnixMillis,
) -> Result<ClusterRestore, RdsError> {
    let backups = Backups::read(context).await?;
    let (from, base) = backups.source(stored, to)?;
    let image = base.record.image.as_ref();
    let shape = image.ok_or_else(|| not_readable(stored))?;
    Ok(ClusterRestore {
        from,
        holds_files: base.record.holds_files,
        page_bytes: shape.page_bytes,
        pages_per_group: shape.pages_per_group,
        asked_at: UnixMillis::now(),
        attempt: None,
    })
}

/// The source as it is now, unless another cluster has its identifier.
async fn same(
    context: &Context<'_>,
    stored: &Stored<Cluster>,
) -> Result<Stored<Cluster>, RdsError> {
    let now = source(context).await?;
    if now.record.resource_id != stored.record.resource_id {
        return Err(not_readable(stored));
    }
    require_readable(&now)?;
    Ok(now)
}

/// The moment that is asked for; none is the latest one.
fn point(context: &Context<'_>) -> Result<Option<UnixMillis>, RdsError> {
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
    if params.text("RestoreType") == Some(COPY_ON_WRITE) && params.text("RestoreToTime").is_some() {
        return Err(RdsError::InvalidCombination(String::from(
            "RestoreToTime cannot be specified when RestoreType is copy-on-write.",
        )));
    }
    match (params.text("RestoreToTime"), latest) {
        (Some(_), true) => Err(RdsError::InvalidCombination(String::from(
            "RestoreToTime cannot be specified when UseLatestRestorableTime is specified.",
        ))),
        (Some(text), false) => match UnixMillis::from_iso8601(text) {
            Some(to) => Ok(Some(to)),
            None => Err(RdsError::InvalidValue(format!(
                "Invalid value '{text}' for RestoreToTime: it must be a time in UTC, as in 2026-11-24T23:45:00Z."
            ))),
        },
        (None, false) => Err(RdsError::InvalidCombination(String::from(
            "Either RestoreToTime or UseLatestRestorableTime must be specified.",
        ))),
        (None, true) => Ok(None),
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
