//! One look at everything that a decision may hang on.

use std::collections::BTreeMap;

use quorate_base::{NodeId, UnixMillis};
use quorate_control::{Catalog, CatalogError, Endpoint, Session, Sessions, Stored};

use crate::controller::ControllerConfig;
use crate::decide::placement::NodeFacts;
use crate::model::{Host, Instance, MemberReport, ParameterGroup};

/// The catalog and the sessions at one moment.
pub(crate) struct World {
    pub(crate) now: UnixMillis,
    pub(crate) config: ControllerConfig,
    pub(crate) instances: Vec<Stored<Instance>>,
    pub(crate) endpoints: BTreeMap<String, Stored<Endpoint>>,
    pub(crate) groups: BTreeMap<String, ParameterGroup>,
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
        let by_id =
            |hosts: Vec<Stored<Host>>| hosts.into_iter().map(|h| (h.id, h.record)).collect();
        Ok(World {
            now: UnixMillis::now(),
            config: config.clone(),
            instances: view.list()?,
            endpoints: view
                .list()?
                .into_iter()
                .map(|e: Stored<Endpoint>| (e.id.clone(), e))
                .collect(),
            groups: view
                .list()?
                .into_iter()
                .map(|g: Stored<ParameterGroup>| (g.id, g.record))
                .collect(),
            sessions: sessions
                .sessions
                .into_iter()
                .map(|s| (s.node.clone(), s))
                .collect(),
            hosts: by_id(view.list()?),
            silent_since: silent_since.clone(),
        })
    }

    pub(crate) fn is_alive(&self, node: &NodeId) -> bool {
        self.sessions.get(node).is_some_and(|session| session.alive)
    }

    /// How long the node has been without a session.
    pub(crate) fn silent_ms(&self, node: &NodeId) -> u64 {
        self.silent_since
            .get(node)
            .map_or(0, |since| self.now.millis_since(*since))
    }

    /// The newest report of a member.
    pub(crate) fn report(&self, node: &NodeId, resource_id: &str) -> Option<MemberReport> {
        let observed = &self.sessions.get(node)?.observed;
        serde_json::from_slice(observed.get(&MemberReport::key(resource_id))?).ok()
    }

    /// The nodes as places for a member of this engine version.
    pub(crate) fn places(&self, engine: &str, version: &str) -> Vec<NodeFacts> {
        self.sessions
            .values()
            .map(|session| NodeFacts {
                node: session.node.clone(),
                alive: session.alive,
                has_engine: self.hosts.get(session.node.as_str()).is_some_and(|host| {
                    host.engines
                        .iter()
                        .any(|e| e.engine == engine && e.version == version)
                }),
                members: self
                    .instances
                    .iter()
                    .filter(|i| i.record.topology.members.contains_key(&session.node))
                    .count(),
            })
            .collect()
    }

    /// The replicas of an instance.
    pub(crate) fn replicas<'a>(
        &'a self,
        id: &'a str,
    ) -> impl Iterator<Item = &'a Stored<Instance>> {
        self.instances
            .iter()
            .filter(move |i| i.record.source.as_deref() == Some(id))
    }
}
