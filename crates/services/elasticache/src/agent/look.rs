//! What the catalog says of one member at one moment, and how its record is changed.

use quorate_control::{CatalogError, Stored, Txn};

use crate::agent::host::AgentHost;
use crate::events;
use crate::model::{Cache, Member, MemberNumber, Shard, ShardNumber};

/// How often a change is tried again when another writer came first.
const CHANGE_ATTEMPTS_MAX: u32 = 16;

/// Which member of which cache.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct MemberId {
    pub(crate) resource_id: String,
    pub(crate) shard: ShardNumber,
    pub(crate) member: MemberNumber,
}

/// The name of a member's folder among those of its node's agent.
#[must_use]
pub fn member_folder(resource_id: &str, shard: ShardNumber, member: MemberNumber) -> String {
    format!("{resource_id}-{:04}-{:03}", shard.0, member.0)
}

impl MemberId {
    /// The name of its folder.
    pub(crate) fn folder(&self) -> String {
        member_folder(&self.resource_id, self.shard, self.member)
    }

    /// The member that a folder's name tells of.
    pub(crate) fn of_folder(name: &str) -> Option<MemberId> {
        let mut parts = name.rsplitn(3, '-');
        let member = MemberNumber(parts.next()?.parse().ok()?);
        let shard = ShardNumber(parts.next()?.parse().ok()?);
        let resource_id = parts.next()?.to_owned();
        Some(MemberId {
            resource_id,
            shard,
            member,
        })
    }

    pub(crate) fn in_cache<'a>(&self, cache: &'a Cache) -> Option<(&'a Shard, &'a Member)> {
        let shard = cache.topology.shards.get(&self.shard)?;
        Some((shard, shard.members.get(&self.member)?))
    }

    pub(crate) fn in_cache_mut<'a>(&self, cache: &'a mut Cache) -> Option<&'a mut Member> {
        let shard = cache.topology.shards.get_mut(&self.shard)?;
        shard.members.get_mut(&self.member)
    }
}

impl AgentHost {
    /// The members that are placed here.
    pub(crate) fn placed(&self) -> Result<Vec<MemberId>, CatalogError> {
        let mut placed = Vec::new();
        for cache in self.catalog.view().list::<Cache>()? {
            for (shard, its) in &cache.record.topology.shards {
                for (member, record) in &its.members {
                    if record.node.as_ref() == Some(&self.config.node) {
                        placed.push(MemberId {
                            resource_id: cache.record.resource_id.clone(),
                            shard: *shard,
                            member: *member,
                        });
                    }
                }
            }
        }
        Ok(placed)
    }

    /// The cache of a member, as the local view has it, while the member is placed here.
    pub(crate) fn cache_of(&self, id: &MemberId) -> Result<Option<Stored<Cache>>, CatalogError> {
        let caches = self.catalog.view().list::<Cache>()?;
        Ok(caches.into_iter().find(|cache| self.has(&cache.record, id)))
    }

    /// Whether the record places the member here.
    pub(crate) fn has(&self, cache: &Cache, id: &MemberId) -> bool {
        let member = id.in_cache(cache).map(|(_, member)| member);
        cache.resource_id == id.resource_id
            && member.is_some_and(|member| member.node.as_ref() == Some(&self.config.node))
    }

    /// Changes a cache's record, and tells an event when that changed something. Reads anew and tries again when another
    /// writer came first. Does nothing when the cache is gone.
    pub(crate) async fn change(
        &self,
        cache: &Stored<Cache>,
        told: Option<&str>,
        change: impl Fn(&mut Cache),
    ) -> Result<(), CatalogError> {
        for _ in 0..CHANGE_ATTEMPTS_MAX {
            let read = self.catalog.read::<Cache>(&cache.id).await?;
            let same = |r: &Stored<Cache>| r.record.resource_id == cache.record.resource_id;
            let Some(read) = read.filter(same) else {
                return Ok(());
            };
            let mut record = read.record.clone();
            change(&mut record);
            if record == read.record {
                return Ok(());
            }
            let mut txn = Txn::new().replace(&read, &record);
            if let Some(message) = told {
                let now = quorate_base::UnixMillis::now();
                txn = events::tell(txn, now, &read.id, &record, message);
            }
            match self.catalog.commit(txn).await {
                Err(CatalogError::Conflict { .. }) => {}
                other => return other.map(|_| ()),
            }
        }
        Err(CatalogError::Conflict {
            key: cache.id.clone(),
        })
    }
}
