//! Making a cache's record: ports, members, slots, endpoints.

use std::collections::BTreeMap;

use quorate_base::{Epoch, Revision, UnixMillis, ZoneName};
use quorate_control::{Stored, Txn};
use rand::Rng;

use crate::api::cache::Caches;
use crate::api::context::{Context, retry};
use crate::api::error::{ElastiCacheError, Kind};
use crate::api::{parameter_group, subnet_group, user};
use crate::decide::endpoints::{Sights, decide_endpoints};
use crate::model::{
    Auth, Cache, CacheKind, Desired, Member, MemberNumber, PendingChanges, Settings, Shard,
    ShardNumber, SlotRange, Snapshot, SnapshotStatus, Status, Tag, Topology,
};

const RESOURCE_ID_LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const RESOURCE_ID_LENGTH: usize = 20;
const PASSWORD_BYTES: usize = 32;

/// One shard that is to be made: its slots, and the zone asked for each member.
pub(crate) struct ShardPlan {
    pub(crate) slots: Vec<SlotRange>,
    pub(crate) zones: Vec<Option<ZoneName>>,
}

/// A cache that is to be made.
pub(crate) struct Plan {
    pub(crate) kind: CacheKind,
    pub(crate) settings: Settings,
    pub(crate) shards: Vec<ShardPlan>,
    pub(crate) restore_from: Option<String>,
    pub(crate) tags: Vec<Tag>,
}

/// Reserves a port: the wanted one when it is free, else one of the range for endpoints.
pub(crate) fn reserve(context: &Context<'_>, wanted: u16) -> Result<u16, ElastiCacheError> {
    context.region.ports.reserve(wanted).ok_or_else(|| {
        ElastiCacheError::InsufficientCapacity(format!(
            "Port {wanted} is in use, and so is every port of the range for endpoints. Delete a cache or widen the range."
        ))
    })
}

impl Plan {
    fn cache(self, context: &Context<'_>) -> Result<Cache, ElastiCacheError> {
        let now = UnixMillis::now();
        let wanted = self.settings.port_asked;
        let endpoint_port = reserve(context, wanted)?;
        let grouped = self.kind == CacheKind::ReplicationGroup;
        let reader_port = (grouped && !self.settings.cluster_mode)
            .then(|| reserve(context, wanted))
            .transpose()?;
        let mut shards = BTreeMap::new();
        for (shard_number, planned) in (1..).zip(self.shards) {
            let mut shard = Shard {
                slots: planned.slots,
                primary: (self.kind != CacheKind::Memcached).then_some(MemberNumber(1)),
                epoch: Epoch::FIRST,
                ..Shard::default()
            };
            for (number, zone) in (1..).zip(planned.zones) {
                // A lone node is reached by the main endpoint.
                let port = match self.kind {
                    CacheKind::LoneNode => endpoint_port,
                    _ => reserve(context, wanted)?,
                };
                let member = Member::asked(port, zone, now);
                shard.members.insert(MemberNumber(number), member);
                shard.last_member = number;
            }
            shards.insert(ShardNumber(shard_number), shard);
        }
        Ok(Cache {
            kind: self.kind,
            resource_id: resource_id(),
            created_at: now,
            settings: self.settings,
            pending: PendingChanges::default(),
            orders: Vec::new(),
            desired: Desired::Running,
            status: Status::Creating,
            status_detail: None,
            topology: Topology { shards },
            endpoint_port,
            reader_port,
            inner_password: hex::encode(rand::rng().random::<[u8; PASSWORD_BYTES]>()),
            restore_from: self.restore_from,
            configuration_version: 1,
            parameters_applied: String::new(),
            pending_reboot: false,
            tags: self.tags,
        })
    }
}

/// Writes a new cache with its endpoints, in one transaction.
pub(crate) async fn write_new(
    context: &Context<'_>,
    id: &str,
    plan: Plan,
) -> Result<Stored<Cache>, ElastiCacheError> {
    require_free(context, id, plan.kind).await?;
    let cache = plan.cache(context)?;
    let address = context.region.endpoint_address;
    let endpoints = decide_endpoints(id, &cache, &Sights::new(), &BTreeMap::new(), address);
    let revision: Revision = retry(|| async {
        require_free(context, id, cache.kind).await?;
        let mut txn = hold_references(context, &cache).await?.insert(id, &cache);
        for (endpoint_id, endpoint) in &endpoints {
            txn = txn.insert(endpoint_id, endpoint);
        }
        Ok(context.catalog().commit(txn).await?)
    })
    .await?;
    Ok(Stored {
        id: id.to_owned(),
        revision,
        record: cache,
    })
}

async fn require_free(
    context: &Context<'_>,
    id: &str,
    kind: CacheKind,
) -> Result<(), ElastiCacheError> {
    if !Caches::read(context).await?.is_taken(id) {
        return Ok(());
    }
    let kind = match kind {
        CacheKind::ReplicationGroup => Kind::ReplicationGroup,
        CacheKind::LoneNode | CacheKind::Memcached => Kind::CacheCluster,
    };
    Err(ElastiCacheError::AlreadyExists(kind, id.to_owned()))
}

/// Groups and the snapshot that a new cache refers to are written again, unchanged, with the cache: whoever deletes one
/// at the same moment then reads again and finds the cache.
async fn hold_references(context: &Context<'_>, cache: &Cache) -> Result<Txn, ElastiCacheError> {
    let mut txn = Txn::new();
    let parameters = parameter_group::find(context, &cache.settings.parameter_group).await?;
    if let Some(group) = parameters.stored {
        txn = txn.replace(&group, &group.record);
    }
    let (_, subnets) = subnet_group::find(context, &cache.settings.subnet_group).await?;
    if let Some(group) = subnets {
        txn = txn.replace(&group, &group.record);
    }
    if let Auth::Users(groups) = &cache.settings.auth {
        for group in groups {
            let group = user::find_group(context, group).await?;
            txn = txn.replace(&group, &group.record);
        }
    }
    if let Some(name) = &cache.restore_from {
        let read = context.read::<Snapshot>(name).await?;
        let snapshot = read
            .filter(|snapshot| snapshot.record.status == SnapshotStatus::Available)
            .ok_or_else(|| ElastiCacheError::NotFound(Kind::Snapshot, name.clone()))?;
        txn = txn.replace(&snapshot, &snapshot.record);
    }
    Ok(txn)
}

fn resource_id() -> String {
    let mut random = rand::rng();
    let letters = (0..RESOURCE_ID_LENGTH).map(|_| {
        char::from(RESOURCE_ID_LETTERS[random.random_range(0..RESOURCE_ID_LETTERS.len())])
    });
    format!("cache-{}", letters.collect::<String>())
}
