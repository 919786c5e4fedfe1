//! One look at everything that a decision may hang on.

use std::collections::BTreeMap;

use quorate_base::{NodeId, UnixMillis};
use quorate_control::{Catalog, CatalogError, Endpoint, Session, Sessions, Stored};

use crate::controller::ControllerConfig;
use crate::decide::endpoints::{Sight, Sights};
use crate::decide::placement::NodeFacts;
use crate::model::{
    Cache, Engine, Host, Member, MemberNumber, MemberReport, ShardNumber, Snapshot, WATCH_KEY,
    WatchReport, Watched,
};

/// The catalog and the sessions at one moment.
pub(crate) struct World {
    pub(crate) now: UnixMillis,
    pub(crate) config: ControllerConfig,
    pub(crate) caches: Vec<Stored<Cache>>,
    pub(crate) endpoints: BTreeMap<String, Stored<Endpoint>>,
    pub(crate) snapshots: BTreeMap<String, Stored<Snapshot>>,
    sessions: BTreeMap<NodeId, Session>,
    hosts: BTreeMap<String, Host>,
    /// When each node that is silent was first seen to be so, by this controller.
    silent_since: BTreeMap<NodeId, UnixMillis>,
}

impl World {
    pub(crate) fn look(
        catalog: &Catalog,
        sessions: Sessions,
        silent_since: &BTreeMap<NodeId, UnixMillis>,
        config: &ControllerConfig,
    ) -> Result<World, CatalogError> {
        let view = catalog.view();
        let endpoints: Vec<Stored<Endpoint>> = view.list()?;
        let hosts: Vec<Stored<Host>> = view.list()?;
        let snapshots: Vec<Stored<Snapshot>> = view.list()?;
        let sessions = sessions.sessions.into_iter();
        Ok(World {
            now: UnixMillis::now(),
            config: config.clone(),
            caches: view.list()?,
            endpoints: endpoints.into_iter().map(|e| (e.id.clone(), e)).collect(),
            snapshots: snapshots.into_iter().map(|s| (s.id.clone(), s)).collect(),
            sessions: sessions.map(|s| (s.node.clone(), s)).collect(),
            hosts: hosts.into_iter().map(|h| (h.id, h.record)).collect(),
            silent_since: silent_since.clone(),
        })
    }

    pub(crate) fn is_alive(&self, node: &NodeId) -> bool {
        self.sessions.get(node).is_some_and(|session| session.alive)
    }

    /// How long the node has been without a session.
    pub(crate) fn silent_ms(&self, node: &NodeId) -> u64 {
        let since = self.silent_since.get(node);
        since.map_or(0, |since| self.now.millis_since(*since))
    }

    /// What a member's agent reports of it, while its node is alive.
    pub(crate) fn report(
        &self,
        cache: &Cache,
        shard: ShardNumber,
        number: MemberNumber,
        member: &Member,
    ) -> Option<MemberReport> {
        let session = self.sessions.get(member.node.as_ref()?)?;
        let key = MemberReport::key(&cache.resource_id, shard, number);
        let bytes = session.observed.get(&key).filter(|_| session.alive)?;
        serde_json::from_slice(bytes).ok()
    }

    /// What is known of a cache's members.
    pub(crate) fn sights(&self, cache: &Cache) -> Sights {
        let mut sights = Sights::new();
        for (number, shard) in &cache.topology.shards {
            for (member_number, member) in &shard.members {
                let at = (*number, *member_number);
                let Some(node) = &member.node else {
                    continue;
                };
                let report = self.report(cache, at.0, at.1, member);
                let sight = match report {
                    _ if !self.is_alive(node) => Sight::Away,
                    Some(report) => Sight::of(&report),
                    None => Sight::Down,
                };
                sights.insert(at, sight);
            }
        }
        sights
    }

    /// What the Sentinels of live nodes say of a cache.
    pub(crate) fn watched(&self, cache: &str) -> Vec<Watched> {
        let alive = self.sessions.values().filter(|session| session.alive);
        let reports = alive.filter_map(|session| {
            let bytes = session.observed.get(WATCH_KEY)?;
            serde_json::from_slice::<WatchReport>(bytes).ok()
        });
        reports
            .filter_map(|report| report.caches.get(cache).copied())
            .collect()
    }

    /// The nodes as places for a member of this engine version.
    pub(crate) fn places(&self, engine: Engine, version: &str) -> Vec<NodeFacts> {
        let nodes = self.sessions.values();
        nodes
            .map(|session| NodeFacts {
                node: session.node.clone(),
                alive: session.alive,
                has_engine: self.hosts.get(session.node.as_str()).is_some_and(|host| {
                    let mut engines = host.engines.iter();
                    engines.any(|e| e.engine == engine && e.version == version)
                }),
                members: self.members_on(&session.node),
            })
            .collect()
    }

    fn members_on(&self, node: &NodeId) -> usize {
        let shards = self
            .caches
            .iter()
            .flat_map(|c| c.record.topology.shards.values());
        let members = shards.flat_map(|shard| shard.members.values());
        members
            .filter(|member| member.node.as_ref() == Some(node))
            .count()
    }
}
