//! Faults, orders, decisions and agents in any order: what must hold at each moment, and that all ends well.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use quorate_base::{Epoch, NodeId, UnixMillis};

use super::region::{Region, asked, node};
use crate::aurora::fixture::address;
use crate::aurora::model::{Cluster, ClusterOrder, ClusterStatus, MemberDesired};
use crate::aurora::records;
use crate::model::{Desired, Status};

const NODES: [&str; 4] = ["a-1", "a-2", "b-1", "c-1"];
const MEMBERS: [&str; 3] = ["m1", "m2", "m3"];
/// Rounds of decisions and agents after which every walk has ended.
const ENDINGS_MAX: usize = 16;

#[derive(Debug, Clone)]
enum Act {
    Decide,
    Agent(usize),
    Lose(usize),
    Return(usize),
    GiveUp,
    Failover(usize),
    Stop,
    Start,
    Delete(usize),
    Add(usize),
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        8 => Just(Act::Decide),
        8 => (0..MEMBERS.len()).prop_map(Act::Agent),
        2 => (0..NODES.len()).prop_map(Act::Lose),
        2 => (0..NODES.len()).prop_map(Act::Return),
        2 => Just(Act::GiveUp),
        1 => (0..MEMBERS.len()).prop_map(Act::Failover),
        1 => Just(Act::Stop),
        2 => Just(Act::Start),
        1 => (0..MEMBERS.len()).prop_map(Act::Delete),
        1 => (0..MEMBERS.len()).prop_map(Act::Add),
    ]
}

/// A region with what has happened in it.
struct Walk {
    region: Region,
    /// Who mounted at each epoch.
    mounted: BTreeMap<Epoch, (String, NodeId)>,
    epoch: Epoch,
}

impl Walk {
    async fn act(&mut self, act: &Act) {
        let cluster = self.region.cluster().await.record;
        match act {
            Act::Decide => {
                self.region.step().await;
            }
            Act::Agent(n) => self.agent(MEMBERS[*n]).await,
            Act::Lose(n) => {
                self.region.lose(NODES[*n], 0);
                // The lease ends the engine; a writer's mount is not made again at its epoch.
                let lost = node(NODES[*n]);
                let writer = cluster.writer_member().and_then(|m| m.node.as_ref());
                if writer == Some(&lost) {
                    self.give_up(&cluster);
                }
            }
            Act::Return(n) => {
                self.region.away.remove(&node(NODES[*n]));
            }
            Act::GiveUp => self.give_up(&cluster),
            Act::Failover(n) if cluster.status == ClusterStatus::Available => {
                let to = Some(MEMBERS[*n].to_owned());
                let order = Some(ClusterOrder::Failover { to });
                self.region
                    .change(|cluster| {
                        cluster.order = order;
                        cluster.status = ClusterStatus::FailingOver;
                    })
                    .await;
            }
            Act::Stop if cluster.status == ClusterStatus::Available => {
                self.order(Desired::Stopped, ClusterStatus::Stopping, Status::Stopping)
                    .await;
            }
            Act::Start if cluster.status == ClusterStatus::Stopped => {
                self.order(Desired::Running, ClusterStatus::Starting, Status::Starting)
                    .await;
            }
            Act::Delete(n) if cluster.desired == Desired::Running => {
                let delete = |cluster: &mut Cluster| {
                    if let Some(member) = cluster.members.get_mut(MEMBERS[*n]) {
                        member.desired = MemberDesired::Deleted;
                        member.status = Status::Deleting;
                    }
                };
                self.region.change(delete).await;
            }
            Act::Add(n) if cluster.desired == Desired::Running => {
                let id = MEMBERS[*n];
                let added = asked(3).members.remove(id).unwrap();
                let add = |cluster: &mut Cluster| {
                    cluster.members.entry(id.to_owned()).or_insert(added);
                };
                self.region.change(add).await;
            }
            _ => {}
        }
        self.check().await;
    }

    fn give_up(&mut self, cluster: &Cluster) {
        if let Some(writer) = &cluster.writer
            && self.mounted.contains_key(&cluster.epoch)
        {
            self.region.gave_up.insert(writer.clone(), cluster.epoch);
        }
    }

    async fn order(&self, desired: Desired, status: ClusterStatus, of_members: Status) {
        let change = |cluster: &mut Cluster| {
            cluster.desired = desired;
            cluster.status = status;
            let members = cluster.members.values_mut();
            for member in members.filter(|m| m.desired == MemberDesired::Running) {
                member.status = of_members;
            }
        };
        self.region.change(change).await;
    }

    async fn agent(&mut self, id: &str) {
        let stored = self.region.cluster().await;
        let Some(member) = stored.record.members.get(id) else {
            return;
        };
        let Some(record) = self.region.agent_acts(&stored.record, id, member) else {
            return;
        };
        if record.is_serving() && !stored.record.is_serving() {
            let place = (id.to_owned(), member.node.clone().unwrap());
            let before = self.mounted.insert(record.epoch, place);
            assert_eq!(before, None, "a second mount at epoch {}", record.epoch);
        }
        let txn = records::change(&stored, &record);
        self.region.catalog.commit(txn).await.unwrap();
    }

    async fn check(&mut self) {
        let cluster = self.region.cluster().await.record;
        assert!(cluster.epoch >= self.epoch, "the epoch fell");
        self.epoch = cluster.epoch;
        let endpoint = self.region.endpoint("rds-cluster:c").unwrap();
        assert_eq!(endpoint.epoch, cluster.epoch);
        if let Some(target) = endpoint.targets.first() {
            let writer = cluster.writer.as_ref().expect("somebody serves");
            assert_eq!(*target, address(writer[1..].parse().unwrap()));
            assert!(cluster.is_serving());
        }
        let expected: BTreeSet<String> = records::endpoints("c", &cluster).into_keys().collect();
        let members = MEMBERS.map(records::member_endpoint_id);
        for id in members.iter().filter(|id| !expected.contains(*id)) {
            assert_eq!(self.region.endpoint(id), None, "left behind");
        }
    }

    /// Every node returns; whoever should run does in the end.
    async fn end(mut self) {
        self.region.away.clear();
        for _ in 0..ENDINGS_MAX {
            self.region.decide().await;
            for member in MEMBERS {
                self.agent(member).await;
            }
            let waits = |cluster: &mut Cluster| {
                if let Some(failover) = &mut cluster.failover {
                    failover.started_at = UnixMillis(0);
                }
            };
            self.region.change(waits).await;
        }
        self.check().await;
        let cluster = self.region.cluster().await.record;
        match cluster.desired {
            Desired::Stopped => assert_eq!(cluster.status, ClusterStatus::Stopped),
            _ => assert_eq!(cluster.status, ClusterStatus::Available),
        }
        let members = || cluster.members.values();
        assert!(members().all(|m| m.desired == MemberDesired::Running));
        if cluster.desired == Desired::Running && !cluster.members.is_empty() {
            assert!(cluster.is_serving() && members().all(|m| cluster.runs(m)));
            assert!(members().all(|m| m.status == Status::Available));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn each_epoch_has_one_mount_and_every_walk_ends_well(
        acts in proptest::collection::vec(act(), 0..80),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let mut walk = Walk {
                region: Region::running(3).await,
                mounted: BTreeMap::from([(Epoch::FIRST, ("m1".into(), node("a-1")))]),
                epoch: Epoch::FIRST,
            };
            for act in &acts {
                walk.act(act).await;
            }
            walk.end().await;
        });
    }
}
