//! `CreateSnapshot`, `DescribeSnapshots`, `CopySnapshot`, `DeleteSnapshot`.

use std::collections::BTreeMap;

use quorate_base::UnixMillis;
use quorate_control::{Stored, Txn};
use quorate_wire::page::PageRequest;
use quorate_wire::xml::Element;

use crate::api::cache::Caches;
use crate::api::context::{Context, retry};
use crate::api::error::{ElastiCacheError, Kind};
use crate::api::replication_group::commit;
use crate::api::snapshot::shape;
use crate::api::{check, tags};
use crate::model::{Cache, CacheKind, Order, Snapshot, SnapshotSource, SnapshotStatus, Status};

/// A segment of an object's name in the archive.
const SNAPSHOT_NAME_CHARS_MAX: usize = 128;

/// `CreateSnapshot`.
pub(crate) async fn create(context: &Context<'_>) -> Result<Vec<Element>, ElastiCacheError> {
    let params = &context.params;
    let name = params.required("SnapshotName")?;
    let tags = tags::from_params(params)?;
    let (id, snapshot) = retry(|| async {
        let caches = Caches::read(context).await?;
        let (kind, stored, member) = match (
            params.text("ReplicationGroupId"),
            params.text("CacheClusterId"),
        ) {
            (Some(group), None) => (Kind::ReplicationGroup, caches.group(group)?, None),
            (None, Some(cluster)) => {
                let cluster = caches.cluster(cluster)?;
                (Kind::CacheCluster, cluster.stored, cluster.member)
            }
            _ => {
                return Err(ElastiCacheError::InvalidCombination(String::from(
                    "Give either ReplicationGroupId or CacheClusterId.",
                )));
            }
        };
        let (id, mut snapshot) = intent(context, stored, kind, name).await?;
        snapshot.tags.clone_from(&tags);
        if stored.record.status != Status::Available {
            let why = format!("Cache {} is not in available state.", stored.id);
            return Err(ElastiCacheError::InvalidState(kind, why));
        }
        let mut cache = stored.record.clone();
        cache.orders.push(Order::Snapshot {
            name: id.clone(),
            member,
        });
        cache.status = Status::Snapshotting;
        let txn = Txn::new().insert(&id, &snapshot);
        commit(context, txn, stored, cache).await?;
        Ok((id, snapshot))
    })
    .await?;
    Ok(vec![shape::to_element(context, &id, &snapshot, true)])
}

/// The record of a snapshot that is to be taken, with its id.
pub(crate) async fn intent(
    context: &Context<'_>,
    stored: &Stored<Cache>,
    kind: Kind,
    name: &str,
) -> Result<(String, Snapshot), ElastiCacheError> {
    let cache = &stored.record;
    if cache.kind == CacheKind::Memcached {
        return Err(ElastiCacheError::SnapshotNotSupported);
    }
    if matches!(
        cache.status,
        Status::Creating | Status::CreateFailed | Status::RestoreFailed
    ) {
        return Err(ElastiCacheError::InvalidState(
            kind,
            format!("Cache {} has nothing to take a snapshot of yet.", stored.id),
        ));
    }
    let id = free_name(context, "SnapshotName", name).await?;
    let snapshot = Snapshot {
        cache: stored.id.clone(),
        resource_id: cache.resource_id.clone(),
        kind: cache.kind,
        settings: cache.settings.clone(),
        copied_from: None,
        source: SnapshotSource::Manual,
        status: SnapshotStatus::Creating,
        created_at: UnixMillis::now(),
        shards: Vec::new(),
        takers: BTreeMap::new(),
        tags: Vec::new(),
    };
    Ok((id, snapshot))
}

/// `DescribeSnapshots`.
pub(crate) async fn describe(context: &Context<'_>) -> Result<Vec<Element>, ElastiCacheError> {
    let params = &context.params;
    let page = PageRequest::read(params)?;
    let with_groups = context.flag("ShowNodeGroupConfig")?;
    let mut snapshots: Vec<Stored<Snapshot>> = context.list().await?;
    if let Some(name) = params.text("SnapshotName") {
        snapshots.retain(|snapshot| snapshot.id.eq_ignore_ascii_case(name));
        if snapshots.is_empty() {
            return Err(ElastiCacheError::NotFound(Kind::Snapshot, name.to_owned()));
        }
    }
    match params.text("SnapshotSource") {
        None => {}
        Some("user" | "manual") => {
            snapshots.retain(|snapshot| snapshot.record.source == SnapshotSource::Manual);
        }
        Some("system" | "automated") => {
            snapshots.retain(|snapshot| snapshot.record.source == SnapshotSource::Automated);
        }
        Some(other) => {
            return Err(ElastiCacheError::InvalidValue(format!(
                "Invalid value '{other}' for SnapshotSource. Valid values are: user, system."
            )));
        }
    }
    if let Some(group) = params.text("ReplicationGroupId") {
        snapshots.retain(|Stored { record, .. }| {
            record.kind == CacheKind::ReplicationGroup && record.cache.eq_ignore_ascii_case(group)
        });
    }
    if let Some(cluster) = params.text("CacheClusterId") {
        snapshots.retain(|Stored { record, .. }| {
            record.kind == CacheKind::LoneNode && record.cache.eq_ignore_ascii_case(cluster)
        });
    }
    let page = page.cut(snapshots, |snapshot| snapshot.id.clone());
    Ok(page.into_result("Snapshots", |snapshot| {
        shape::to_element(context, &snapshot.id, &snapshot.record, with_groups)
    }))
}

/// `CopySnapshot`.
pub(crate) async fn copy(context: &Context<'_>) -> Result<Vec<Element>, ElastiCacheError> {
    let params = &context.params;
    let source = params.required("SourceSnapshotName")?;
    let target = params.required("TargetSnapshotName")?;
    if params.text("TargetBucket").is_some() {
        return Err(ElastiCacheError::InvalidCombination(String::from(
            "TargetBucket is not offered here: snapshots are in the region's archive.",
        )));
    }
    let tags = tags::from_params(params)?;
    let (id, snapshot) = retry(|| async {
        let stored = find(context, source).await?;
        require_available(&stored)?;
        let id = free_name(context, "TargetSnapshotName", target).await?;
        let mut snapshot = stored.record.clone();
        snapshot.copied_from = Some(stored.id.clone());
        snapshot.source = SnapshotSource::Manual;
        snapshot.status = SnapshotStatus::Copying;
        snapshot.created_at = UnixMillis::now();
        // Whoever copies reads the shards of the source.
        snapshot.shards.clear();
        snapshot.tags.clone_from(&tags);
        // Whoever deletes the source at the same moment reads again and finds the copy.
        let txn = Txn::new()
            .replace(&stored, &stored.record)
            .insert(&id, &snapshot);
        context.catalog().commit(txn).await?;
        Ok((id, snapshot))
    })
    .await?;
    Ok(vec![shape::to_element(context, &id, &snapshot, true)])
}

/// `DeleteSnapshot`.
pub(crate) async fn delete(context: &Context<'_>) -> Result<Vec<Element>, ElastiCacheError> {
    let name = context.params.required("SnapshotName")?;
    let (id, snapshot) = retry(|| async {
        let stored = find(context, name).await?;
        if stored.record.status != SnapshotStatus::Failed {
            require_available(&stored)?;
        }
        let copies: Vec<Stored<Snapshot>> = context.list().await?;
        let is_copy = |copy: &&Stored<Snapshot>| {
            copy.record.status == SnapshotStatus::Copying
                && copy.record.copied_from.as_ref() == Some(&stored.id)
        };
        let caches = Caches::read(context).await?;
        let restoring = caches.find(|cache| cache.restore_from.as_ref() == Some(&stored.id));
        let user = copies.iter().find(is_copy).map(|copy| &copy.id);
        if let Some(user) = user.or(restoring.map(|cache| &cache.id)) {
            return Err(ElastiCacheError::InvalidState(
                Kind::Snapshot,
                format!("Snapshot {} is being read for {user}.", stored.id),
            ));
        }
        let mut snapshot = stored.record.clone();
        snapshot.status = SnapshotStatus::Deleting;
        let txn = Txn::new().replace(&stored, &snapshot);
        context.catalog().commit(txn).await?;
        Ok((stored.id, snapshot))
    })
    .await?;
    Ok(vec![shape::to_element(context, &id, &snapshot, true)])
}

async fn find(context: &Context<'_>, name: &str) -> Result<Stored<Snapshot>, ElastiCacheError> {
    let read = context.read(&name.to_ascii_lowercase()).await?;
    read.ok_or_else(|| ElastiCacheError::NotFound(Kind::Snapshot, name.to_owned()))
}

fn require_available(stored: &Stored<Snapshot>) -> Result<(), ElastiCacheError> {
    if stored.record.status == SnapshotStatus::Available {
        return Ok(());
    }
    Err(ElastiCacheError::InvalidState(
        Kind::Snapshot,
        format!("Snapshot {} is not in available state.", stored.id),
    ))
}

async fn free_name(
    context: &Context<'_>,
    parameter: &str,
    name: &str,
) -> Result<String, ElastiCacheError> {
    let id = check::name(parameter, name)?;
    if id.len() > SNAPSHOT_NAME_CHARS_MAX {
        return Err(ElastiCacheError::InvalidValue(format!(
            "The parameter {parameter} is longer than {SNAPSHOT_NAME_CHARS_MAX} characters."
        )));
    }
    if context.read::<Snapshot>(&id).await?.is_some() {
        return Err(ElastiCacheError::AlreadyExists(Kind::Snapshot, id));
    }
    Ok(id)
}
