//! Finding caches and members by the names that the API shows.

use quorate_control::Stored;

use crate::api::context::Context;
use crate::api::error::{ElastiCacheError, Kind};
use crate::model::{Cache, CacheKind, Member, MemberNumber, ShardNumber};

/// All caches of the region at one moment.
pub(crate) struct Caches(Vec<Stored<Cache>>);

/// A cache cluster: a member of a group, or a cache of its own.
#[derive(Clone, Copy)]
pub(crate) struct ClusterRef<'c> {
    pub(crate) stored: &'c Stored<Cache>,
    /// None for a cache of its own.
    pub(crate) member: Option<(ShardNumber, MemberNumber)>,
}

impl Caches {
    pub(crate) async fn read(context: &Context<'_>) -> Result<Caches, ElastiCacheError> {
        Ok(Caches(context.list().await?))
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &Stored<Cache>> {
        self.0.iter()
    }

    /// The first cache that fits.
    pub(crate) fn find(&self, fits: impl Fn(&Cache) -> bool) -> Option<&Stored<Cache>> {
        self.0.iter().find(|cache| fits(&cache.record))
    }

    /// The replication groups.
    pub(crate) fn groups(&self) -> impl Iterator<Item = &Stored<Cache>> {
        let is_group = |cache: &&Stored<Cache>| cache.record.kind == CacheKind::ReplicationGroup;
        self.0.iter().filter(is_group)
    }

    /// The replication group with this identifier.
    pub(crate) fn group(&self, name: &str) -> Result<&Stored<Cache>, ElastiCacheError> {
        let mut groups = self.groups();
        let found = groups.find(|group| group.id.eq_ignore_ascii_case(name));
        found.ok_or_else(|| ElastiCacheError::NotFound(Kind::ReplicationGroup, name.to_owned()))
    }

    /// The cache clusters.
    pub(crate) fn clusters(&self) -> impl Iterator<Item = (String, ClusterRef<'_>)> {
        self.0.iter().flat_map(clusters_of)
    }

    /// The cache cluster with this identifier.
    pub(crate) fn cluster(&self, name: &str) -> Result<ClusterRef<'_>, ElastiCacheError> {
        let mut clusters = self.clusters();
        let found = clusters.find(|(id, _)| id.eq_ignore_ascii_case(name));
        found
            .map(|(_, cluster)| cluster)
            .ok_or_else(|| ElastiCacheError::NotFound(Kind::CacheCluster, name.to_owned()))
    }

    /// Whether a cache or a cache cluster has this identifier.
    pub(crate) fn is_taken(&self, id: &str) -> bool {
        self.0.iter().any(|cache| cache.id == id) || self.clusters().any(|(taken, _)| taken == id)
    }
}

fn clusters_of(stored: &Stored<Cache>) -> Vec<(String, ClusterRef<'_>)> {
    let cache = &stored.record;
    if cache.kind != CacheKind::ReplicationGroup {
        let whole = ClusterRef {
            stored,
            member: None,
        };
        return vec![(stored.id.clone(), whole)];
    }
    let mut clusters = Vec::new();
    for (shard_number, shard) in &cache.topology.shards {
        for (number, member) in &shard.members {
            let cluster = ClusterRef {
                stored,
                member: Some((*shard_number, *number)),
            };
            let id = member_id(stored, *shard_number, *number, member);
            clusters.push((id, cluster));
        }
    }
    clusters
}

/// The identifier of a group's member as a cache cluster.
pub(crate) fn member_id(
    group: &Stored<Cache>,
    shard: ShardNumber,
    number: MemberNumber,
    member: &Member,
) -> String {
    match &member.cluster_id {
        Some(id) => id.clone(),
        None if group.record.settings.cluster_mode => {
            format!("{}-{:04}-{:03}", group.id, shard.0, number.0)
        }
        None => format!("{}-{:03}", group.id, number.0),
    }
}
