//! A region of four nodes, two of them in zone a.

use std::collections::{BTreeMap, BTreeSet};

use quorate_base::{Epoch, NodeId, UnixMillis};
use quorate_control::{Catalog, Endpoint, Session, Sessions, Stored, Txn};
use quorate_volume::protocol::{GroupIndex, Lsn, VolumeEpoch};

use crate::aurora::AuroraConfig;
use crate::aurora::controller::{
    plan_backup, plan_backup_removal, plan_cluster, plan_snapshot, plan_volume,
};
use crate::aurora::fixture;
use crate::aurora::model::{
    AuroraEngineState, AuroraMemberReport, Cluster, ClusterMember, ClusterStatus, Group,
    MemberDesired, SegmentHealth, SegmentReport, Volume, VolumeReport, WriterReport,
};
use crate::aurora::records::{self, At};
use crate::controller::{ControllerConfig, World};
use crate::events::ResourceOwner;
use crate::model::{Desired, EngineVersion, Event, Host, MemberState, Status};

pub(super) const REPLACE_AFTER_MS: u64 = 60_000;
/// How long a node is silent whose session has just ended.
const SESSION_MS: u64 = 2_000;
const NODES: [&str; 4] = [
    "us-east-1a-1",
    "us-east-1a-2",
    "us-east-1b-1",
    "us-east-1c-1",
];

/// What is wrong in the region.
pub(super) struct Region {
    pub(super) catalog: Catalog,
    /// Nodes without a session, and since when.
    pub(super) away: BTreeMap<NodeId, UnixMillis>,
    /// How long these nodes have been silent with a session that lasts; none where the leader has not heard of them.
    pub(super) silent: BTreeMap<NodeId, Option<u64>>,
    /// Members whose engine ended for good at an epoch.
    pub(super) gave_up: BTreeMap<String, Epoch>,
    /// What every member's agent says is wrong.
    pub(super) detail: Option<String>,
    /// Copies of group 0 that are not filled.
    pub(super) filling: BTreeSet<u32>,
    /// Whether clusters are backed up.
    pub(super) backs_up: bool,
}

pub(super) fn node(name: &str) -> NodeId {
    format!("us-east-1{name}").parse().unwrap()
}

/// A cluster as the API writes it, with members that have no place yet.
pub(super) fn asked(members: u16) -> Cluster {
    let mut cluster = fixture::cluster(members);
    cluster.status = ClusterStatus::Creating;
    cluster.epoch = Epoch::FIRST;
    cluster.writer = None;
    cluster.serving = None;
    cluster.created = false;
    cluster.credentials_applied = None;
    for member in cluster.members.values_mut() {
        member.status = Status::Creating;
        member.node = None;
        member.state = MemberState::Placed;
        member.address = None;
        member.following = None;
    }
    cluster
}

impl Region {
    pub(super) async fn new(cluster: &Cluster) -> Region {
        let catalog = Catalog::in_memory();
        let host = Host {
            engines: vec![EngineVersion {
                engine: "postgres".into(),
                version: "15.18".into(),
            }],
            volumes_refused: None,
        };
        let txn = records::insertion(Txn::new(), "c", cluster);
        let txn = NODES.iter().fold(txn, |txn, node| txn.put(node, &host));
        catalog.commit(txn).await.unwrap();
        Region {
            catalog,
            away: BTreeMap::new(),
            silent: BTreeMap::new(),
            gave_up: BTreeMap::new(),
            detail: None,
            filling: BTreeSet::new(),
            backs_up: false,
        }
    }

    /// A region whose cluster has come to life.
    pub(super) async fn running(members: u16) -> Region {
        let region = Region::new(&asked(members)).await;
        region.settle().await;
        let cluster = region.cluster().await.record;
        assert_eq!(cluster.status, ClusterStatus::Available);
        assert!(members == 0 || cluster.is_serving());
        region
    }

    pub(super) async fn cluster(&self) -> Stored<Cluster> {
        let clusters: Vec<Stored<Cluster>> = self.catalog.view().list().unwrap();
        clusters.into_iter().next().unwrap()
    }

    pub(super) async fn volume(&self) -> Stored<Volume> {
        let volume = self.catalog.read("cluster-TEST").await.unwrap();
        volume.unwrap()
    }

    pub(super) async fn change(&self, change: impl FnOnce(&mut Cluster)) {
        let stored = self.cluster().await;
        let mut record = stored.record.clone();
        change(&mut record);
        let txn = records::change(&stored, &record);
        self.catalog.commit(txn).await.unwrap();
    }

    pub(super) fn lose(&mut self, name: &str, ago_ms: u64) {
        let since = UnixMillis(UnixMillis::now().0 - ago_ms);
        self.away.insert(node(name), since);
    }

    pub(super) fn endpoint(&self, id: &str) -> Option<Endpoint> {
        let stored: Option<Stored<Endpoint>> = self.catalog.view().read(id).unwrap();
        stored.map(|stored| stored.record)
    }

    pub(super) fn told(&self) -> Vec<String> {
        let events: Vec<Stored<Event>> = self.catalog.view().list().unwrap();
        events.into_iter().map(|e| e.record.message).collect()
    }

    fn sessions(&self, cluster: &Cluster, volume: Option<&Volume>) -> Sessions {
        let session = |name: &&str| {
            let node: NodeId = name.parse().unwrap();
            let mut observed = BTreeMap::new();
            for (id, member) in &cluster.members {
                if member.node.as_ref() == Some(&node) {
                    let report = self.report(cluster, id);
                    let key = AuroraMemberReport::key(&member.resource_id);
                    observed.insert(key, serde_json::to_vec(&report).unwrap());
                }
            }
            if let Some(volume) = volume {
                let report = self.volume_report(cluster, volume, &node);
                let key = VolumeReport::key(&cluster.resource_id);
                observed.insert(key, serde_json::to_vec(&report).unwrap());
            }
            Session {
                alive: !self.away.contains_key(&node),
                silent_ms: self.silent_ms(&node),
                node,
                observed,
            }
        };
        Sessions {
            leader: node("a-1"),
            term: 1,
            sessions: NODES.iter().map(session).collect(),
        }
    }

    fn silent_ms(&self, node: &NodeId) -> Option<u64> {
        if self.away.contains_key(node) {
            return Some(SESSION_MS);
        }
        self.silent.get(node).copied().unwrap_or(Some(0))
    }

    fn report(&self, cluster: &Cluster, id: &str) -> AuroraMemberReport {
        AuroraMemberReport {
            engine: AuroraEngineState::Reading,
            epoch: self.gave_up.get(id).copied().unwrap_or(cluster.epoch),
            gave_up: self.gave_up.contains_key(id),
            lag_ms: None,
            detail: self.detail.clone(),
        }
    }

    fn volume_report(&self, cluster: &Cluster, volume: &Volume, node: &NodeId) -> VolumeReport {
        let mut report = VolumeReport::default();
        if node.as_str().ends_with("b-1") {
            report.writer = Some(self.writer_report(cluster, volume));
        }
        for (index, group) in (0..).zip(&volume.groups) {
            let here = group.segments().into_iter().filter(|p| p.node == *node);
            report.segments.extend(here.map(|place| SegmentReport {
                group: GroupIndex(index),
                copy: place.copy,
                membership: group.epoch,
                scl: Lsn(1),
                bytes: 0,
                health: if self.filling.contains(&place.copy) {
                    SegmentHealth::Filling
                } else {
                    SegmentHealth::Sound
                },
                repair: None,
            }));
        }
        report
    }

    /// The writer counts by the present membership, and every incoming copy is filled that is not said to be filling.
    fn writer_report(&self, cluster: &Cluster, volume: &Volume) -> WriterReport {
        let is_filled = |group: &Group| {
            let incoming = group.replacement().map(|(incoming, _)| incoming.copy);
            incoming.is_some_and(|copy| !self.filling.contains(&copy))
        };
        let filled = (0..)
            .zip(&volume.groups)
            .filter(|(_, group)| is_filled(group));
        WriterReport {
            epoch: VolumeEpoch(cluster.epoch.0),
            vcl: Lsn(1),
            vdl: Lsn(1),
            filled: filled
                .map(|(index, group)| (GroupIndex(index), group.epoch))
                .collect(),
            last: Lsn(1),
            payload_bytes: 0,
            sent_bytes: 0,
            at_ms: 0,
        }
    }

    /// Makes the next change that is due to the cluster or its volume, and says what it was.
    pub(super) async fn step(&self) -> Option<String> {
        let clusters: Vec<Stored<Cluster>> = self.catalog.view().list().unwrap();
        let stored = clusters.into_iter().next()?;
        let volume: Option<Stored<Volume>> =
            self.catalog.read(&stored.record.resource_id).await.unwrap();
        let sessions = self.sessions(&stored.record, volume.as_ref().map(|v| &v.record));
        let world = World::look(&self.catalog, sessions, &self.away, &self.config()).unwrap();
        let mut snapshots = world.snapshots.iter();
        let plan = plan_cluster(&world, &stored)
            .or_else(|| snapshots.find_map(|snapshot| plan_snapshot(&world, snapshot)))
            .or_else(|| plan_backup(&world, &stored))
            .or_else(|| volume.as_ref().and_then(|v| plan_volume(&world, v)))?;
        self.catalog.commit(plan.txn).await.unwrap();
        Some(plan.what)
    }

    /// Makes every change that is due to backups of clusters that are gone.
    pub(super) async fn decide_removals(&self) {
        loop {
            let sessions = Sessions {
                leader: node("a-1"),
                term: 1,
                sessions: Vec::new(),
            };
            let world = World::look(&self.catalog, sessions, &self.away, &self.config()).unwrap();
            let mut backups = world.backups.iter();
            match backups.find_map(|backup| plan_backup_removal(&world, backup)) {
                Some(plan) => drop(self.catalog.commit(plan.txn).await.unwrap()),
                None => return,
            }
        }
    }

    fn config(&self) -> ControllerConfig {
        ControllerConfig {
            owner: ResourceOwner {
                region: "us-east-1".parse().unwrap(),
                account: quorate_base::AccountId::default(),
            },
            standby_replace_after_ms: REPLACE_AFTER_MS,
            aurora: AuroraConfig {
                replace_after_ms: REPLACE_AFTER_MS,
                backs_up: self.backs_up,
                ..AuroraConfig::default()
            },
        }
    }

    /// Makes every change that is due, of the controller alone.
    pub(super) async fn decide(&self) -> Vec<String> {
        let mut done = Vec::new();
        while let Some(what) = self.step().await {
            done.push(what);
            assert!(done.len() < 40, "never settles: {done:?}");
        }
        done
    }

    /// Makes every change that is due, of the controller and of the agents in turn.
    pub(super) async fn settle(&self) -> Vec<String> {
        let mut done = self.decide().await;
        while self.agents_act().await {
            done.extend(self.decide().await);
            assert!(done.len() < 80, "never settles: {done:?}");
        }
        done
    }

    /// Has the first agent with something to do write it; whether there was one.
    async fn agents_act(&self) -> bool {
        let clusters: Vec<Stored<Cluster>> = self.catalog.view().list().unwrap();
        let Some(stored) = clusters.into_iter().next() else {
            return false;
        };
        let cluster = &stored.record;
        let next = cluster
            .members
            .iter()
            .find_map(|(id, member)| self.agent_acts(cluster, id, member));
        let Some(record) = next.filter(|record| record != cluster) else {
            return false;
        };
        let txn = records::change(&stored, &record);
        self.catalog.commit(txn).await.unwrap();
        true
    }

    /// What the agent of a member writes next, if anything.
    pub(super) fn agent_acts(
        &self,
        cluster: &Cluster,
        id: &str,
        member: &ClusterMember,
    ) -> Option<Cluster> {
        let node = member.node.as_ref()?;
        if self.away.contains_key(node) {
            return None;
        }
        let at = At {
            member: id,
            node,
            epoch: cluster.epoch,
            now: fixture::NOW,
        };
        if member.desired == MemberDesired::Deleted {
            return records::member_let_go(cluster, id, node);
        }
        if cluster.desired != Desired::Running {
            return records::member_stopped(cluster, &at);
        }
        if self.gave_up.get(id) == Some(&cluster.epoch) {
            return None;
        }
        let runs = cluster.runs(member) && (!cluster.is_writer(id) || cluster.is_serving());
        if runs {
            let fingerprint = cluster.settings.master_verifier.fingerprint();
            return records::member_rebooted(cluster, &at)
                .or_else(|| records::credentials_taken(cluster, &at, &fingerprint));
        }
        let address = fixture::address(id[1..].parse().unwrap());
        if cluster.is_writer(id) {
            records::writer_serves(cluster, &at, address)
        } else if cluster.is_serving() || cluster.unwritable.is_some() {
            records::reader_runs(cluster, &at, address)
        } else {
            None
        }
    }
}
