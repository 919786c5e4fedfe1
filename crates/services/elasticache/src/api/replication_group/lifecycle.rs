//! `DescribeReplicationGroups`, `TestFailover`, `DeleteReplicationGroup`.

use quorate_control::{Stored, Txn};
use quorate_wire::page::PageRequest;
use quorate_wire::xml::Element;

use crate::api::cache::Caches;
use crate::api::context::{Context, retry};
use crate::api::error::{ElastiCacheError, Kind};
use crate::api::replication_group::shape;
use crate::api::snapshot;
use crate::model::{Cache, Desired, Order, ShardNumber, Status};

/// `DescribeReplicationGroups`.
pub(crate) async fn describe(context: &Context<'_>) -> Result<Vec<Element>, ElastiCacheError> {
    let page = PageRequest::read(&context.params)?;
    let caches = Caches::read(context).await?;
    let groups: Vec<&Stored<Cache>> = match context.params.text("ReplicationGroupId") {
        Some(name) => vec![caches.group(name)?],
        None => caches.groups().collect(),
    };
    let page = page.cut(groups, |group| group.id.clone());
    Ok(page.into_result("ReplicationGroups", |group| {
        shape::to_element(context, group)
    }))
}

/// `TestFailover`.
pub(crate) async fn test_failover(context: &Context<'_>) -> Result<Vec<Element>, ElastiCacheError> {
    let shard_name = context.params.required("NodeGroupId")?;
    change(context, |cache| {
        require_available(cache)?;
        let group = &cache.record;
        let shard = shard_number(group, shard_name)?;
        let replicas = group.topology.shards.get(&shard).map_or(0, |s| s.replicas().count());
        if !group.settings.automatic_failover || replicas == 0 {
            return Err(ElastiCacheError::TestFailoverNotAvailable(format!(
                "Replication group {} has no automatic failover, or no replica: there is nothing to test.",
                cache.id
            )));
        }
        let mut changed = group.clone();
        changed.orders.push(Order::TestFailover(shard));
        changed.status = Status::Modifying;
        Ok((Txn::new(), changed))
    })
    .await
}

/// `DeleteReplicationGroup`.
pub(crate) async fn delete(context: &Context<'_>) -> Result<Vec<Element>, ElastiCacheError> {
    if context.flag("RetainPrimaryCluster")? {
        return Err(ElastiCacheError::InvalidCombination(String::from(
            "RetainPrimaryCluster is not offered here: take a snapshot with FinalSnapshotIdentifier instead.",
        )));
    }
    let name = context.params.required("ReplicationGroupId")?;
    let stored = retry(|| async {
        let caches = Caches::read(context).await?;
        let stored = caches.group(name)?;
        let (txn, cache) = deleted(context, Kind::ReplicationGroup, stored).await?;
        commit(context, txn, stored, cache).await
    })
    .await?;
    Ok(vec![shape::to_element(context, &stored)])
}

/// A cache that is to go, with the record of its last snapshot when one is asked for.
pub(crate) async fn deleted(
    context: &Context<'_>,
    kind: Kind,
    stored: &Stored<Cache>,
) -> Result<(Txn, Cache), ElastiCacheError> {
    if matches!(
        stored.record.status,
        Status::Deleting | Status::Snapshotting
    ) {
        let what = match kind {
            Kind::ReplicationGroup => "Replication group",
            _ => "Cache cluster",
        };
        let why = format!(
            "{what} {} has status {} which is not valid for deletion.",
            stored.id,
            stored.record.status.of_group()
        );
        return Err(ElastiCacheError::InvalidState(kind, why));
    }
    let mut txn = Txn::new();
    let name = context.params.text("FinalSnapshotIdentifier");
    let final_snapshot = match name {
        None => None,
        Some(name) => {
            let (id, snapshot) = snapshot::intent(context, stored, kind, name).await?;
            txn = txn.insert(&id, &snapshot);
            Some(id)
        }
    };
    let mut cache = stored.record.clone();
    cache.desired = Desired::Deleted { final_snapshot };
    cache.status = Status::Deleting;
    Ok((txn, cache))
}

/// The shard that a `NodeGroupId` names.
pub(super) fn shard_number(cache: &Cache, name: &str) -> Result<ShardNumber, ElastiCacheError> {
    let shards = cache.topology.shards.keys();
    let found = shards
        .copied()
        .find(|shard| format!("{:04}", shard.0) == name);
    found.ok_or_else(|| ElastiCacheError::NodeGroupNotFound(name.to_owned()))
}

/// Refuses groups with something under way.
pub(super) fn require_available(stored: &Stored<Cache>) -> Result<(), ElastiCacheError> {
    if stored.record.status == Status::Available {
        return Ok(());
    }
    Err(ElastiCacheError::InvalidState(
        Kind::ReplicationGroup,
        format!(
            "Replication group {} must be in available state to modify; it is {}.",
            stored.id,
            stored.record.status.of_group()
        ),
    ))
}

/// Reads the group that the request names, writes what `decide` makes of it, and describes it.
pub(super) async fn change(
    context: &Context<'_>,
    decide: impl Fn(&Stored<Cache>) -> Result<(Txn, Cache), ElastiCacheError> + Sync,
) -> Result<Vec<Element>, ElastiCacheError> {
    let name = context.params.required("ReplicationGroupId")?;
    let stored = retry(|| async {
        let caches = Caches::read(context).await?;
        let stored = caches.group(name)?;
        let (txn, cache) = decide(stored)?;
        commit(context, txn, stored, cache).await
    })
    .await?;
    Ok(vec![shape::to_element(context, &stored)])
}

/// Writes a changed cache, and gives it as it is stored.
pub(crate) async fn commit(
    context: &Context<'_>,
    txn: Txn,
    stored: &Stored<Cache>,
    cache: Cache,
) -> Result<Stored<Cache>, ElastiCacheError> {
    let revision = context
        .catalog()
        .commit(txn.replace(stored, &cache))
        .await?;
    Ok(Stored {
        id: stored.id.clone(),
        revision,
        record: cache,
    })
}
