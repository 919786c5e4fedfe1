//! One look at everything that a decision may hang on.

use std::collections::{BTreeMap, BTreeSet};

use quorate_base::{NodeId, UnixMillis};
use quorate_control::{Catalog, CatalogError, Endpoint, Session, Sessions, Stored};
use serde::de::DeserializeOwned;

use crate::aurora::model::{
    AuroraMemberReport, Cluster, ClusterBackup, ClusterSnapshot, SnapshotStatus, Volume,
    VolumeReport,
};
use crate::catalogue::{Program, program_version};
use crate::controller::ControllerConfig;
use crate::decide::placement::NodeFacts;
use crate::model::{Host, Instance, MemberReport, ParameterGroup};

/// The catalog and the sessions at one moment.
pub(crate) struct World {
    pub(crate) now: UnixMillis,
    pub(crate) config: ControllerConfig,
    pub(crate) instances: Vec<Stored<Instance>>,
    pub(crate) clusters: Vec<Stored<Cluster>>,
    pub(crate) snapshots: Vec<Stored<ClusterSnapshot>>,
    pub(crate) backups: Vec<Stored<ClusterBackup>>,
    /// By the resource id of their cluster.
    pub(crate) volumes: BTreeMap<String, Stored<Volume>>,
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
            clusters: view.list()?,
            snapshots: view.list()?,
            backups: view.list()?,
            volumes: view
                .list()?
                .into_iter()
                .map(|v: Stored<Volume>| (v.id.clone(), v))
                .collect(),
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

    /// The cluster with this resource id.
    pub(crate) fn cluster_of(&self, resource_id: &str) -> Option<&Stored<Cluster>> {
        let mut clusters = self.clusters.iter();
        clusters.find(|cluster| cluster.record.resource_id == resource_id)
    }

    /// Whether a DB instance, of its own or of a cluster, has this identifier.
    pub(crate) fn is_instance_id_taken(&self, id: &str) -> bool {
        let mut clusters = self.clusters.iter();
        self.instances.iter().any(|instance| instance.id == id)
            || clusters.any(|cluster| cluster.record.members.contains_key(id))
    }

    /// The automated backups of the cluster with this resource id.
    pub(crate) fn backup_of(&self, resource_id: &str) -> Option<&Stored<ClusterBackup>> {
        self.backups.iter().find(|backup| backup.id == resource_id)
    }

    /// Whether a snapshot is being taken of the cluster with this resource id.
    pub(crate) fn is_snapshotted(&self, resource_id: &str) -> bool {
        let mut snapshots = self.snapshots.iter();
        snapshots.any(|Stored { record, .. }| {
            record.status == SnapshotStatus::Creating && record.cluster_resource_id == resource_id
        })
    }

    /// Whether a snapshot is being taken that somebody has asked for.
    pub(crate) fn is_backing_up(&self, resource_id: &str) -> bool {
        let mut snapshots = self.snapshots.iter();
        snapshots.any(|Stored { record, .. }| {
            let is_of = record.cluster_resource_id == resource_id;
            record.status == SnapshotStatus::Creating && is_of && !record.automated
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

    /// Every node of the region, and whether it may still act on its lease.
    pub(crate) fn nodes(&self) -> impl Iterator<Item = (&NodeId, bool)> {
        self.sessions
            .values()
            .map(|session| (&session.node, session.alive))
    }

    /// The nodes that may still act on their leases.
    pub(crate) fn alive(&self) -> BTreeSet<NodeId> {
        self.nodes()
            .filter(|(_, alive)| *alive)
            .map(|(node, _)| node.clone())
            .collect()
    }

    /// Those of them that are there for sure: this leader has heard of them, and long after it last heard of any node whose
    /// session is over. Who fell silent together with such a node may still be taken for alive when that one no longer is;
    /// renewals come several times in half the life of a session.
    pub(crate) fn heard(&self) -> BTreeSet<NodeId> {
        let sessions = || self.sessions.values();
        let silences = sessions().filter(|session| !session.alive);
        let lost_ms = silences.filter_map(|session| session.silent_ms).min();
        let is_there = |silent_ms: u64| lost_ms.is_none_or(|lost| silent_ms <= lost / 2);
        let heard =
            sessions().filter(|session| session.alive && session.silent_ms.is_some_and(is_there));
        heard.map(|session| session.node.clone()).collect()
    }

    /// The newest report of a member.
    pub(crate) fn report(&self, node: &NodeId, resource_id: &str) -> Option<MemberReport> {
        self.observed(node, &MemberReport::key(resource_id))
    }

    /// The newest report of a cluster's member.
    pub(crate) fn member_report(
        &self,
        node: &NodeId,
        resource_id: &str,
    ) -> Option<AuroraMemberReport> {
        self.observed(node, &AuroraMemberReport::key(resource_id))
    }

    /// The newest report of what a node knows of a volume.
    pub(crate) fn volume_report(&self, node: &NodeId, resource_id: &str) -> Option<VolumeReport> {
        self.observed(node, &VolumeReport::key(resource_id))
    }

    fn observed<T: DeserializeOwned>(&self, node: &NodeId, key: &str) -> Option<T> {
        let observed = &self.sessions.get(node)?.observed;
        serde_json::from_slice(observed.get(key)?).ok()
    }

    /// The nodes as places for a member of this engine version.
    pub(crate) fn places(&self, engine: &str, version: &str) -> Vec<NodeFacts> {
        self.places_where(|host| host.runs(engine, version))
    }

    /// The nodes as places for a cluster's member of this engine version.
    pub(crate) fn mount_places(&self, engine_version: &str) -> Vec<NodeFacts> {
        let program = Program::of_version(engine_version).name();
        let version = program_version(engine_version);
        self.places_where(|host| host.volumes_refused.is_none() && host.runs(program, version))
    }

    fn places_where(&self, able: impl Fn(&Host) -> bool) -> Vec<NodeFacts> {
        self.sessions
            .values()
            .map(|session| NodeFacts {
                node: session.node.clone(),
                alive: session.alive,
                has_engine: self.hosts.get(session.node.as_str()).is_some_and(&able),
                members: self.members_on(&session.node),
            })
            .collect()
    }

    fn members_on(&self, node: &NodeId) -> usize {
        let instances = self.instances.iter();
        let of_instances = instances.filter(|i| i.record.topology.members.contains_key(node));
        let members = self.clusters.iter().flat_map(|c| c.record.members.values());
        let of_clusters = members.filter(|member| member.node.as_ref() == Some(node));
        of_instances.count() + of_clusters.count()
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
