//! What is planned for a cache of two shards of three members, as agents report them.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use quorate_base::{NodeId, UnixMillis};
use quorate_control::{Catalog, Session, Sessions, Txn};

use super::*;
use crate::controller::ControllerConfig;
use crate::decide::fixture;
use crate::model::{Member, MemberReport, ReplicationLink, Status};

const FIRST: ShardNumber = ShardNumber(1);

struct Region {
    cache: Cache,
    /// Members whose engines are down.
    down: Vec<(u16, u16)>,
    /// Bytes that members have of the replication stream; 0 where nothing is said.
    offsets: BTreeMap<(u16, u16), u64>,
    /// Replicas that hold their primary for gone.
    losing: Vec<(u16, u16)>,
    /// For how long they have.
    lost_ms: u64,
}

fn range(first: u16, last: u16) -> Vec<SlotRange> {
    vec![SlotRange { first, last }]
}

impl Region {
    fn new(shards: u16) -> Region {
        let mut cache = fixture::cache(3);
        cache.settings.cluster_mode = true;
        let one = cache.topology.shards[&FIRST].clone();
        let numbers = (1..=shards).map(ShardNumber);
        let mut has: BTreeMap<_, _> = numbers.map(|number| (number, Vec::new())).collect();
        has.insert(FIRST, range(0, 16_383));
        for (number, slots) in decide_slots(&has, &[]) {
            let shard = Shard {
                slots,
                ..one.clone()
            };
            cache.topology.shards.insert(number, shard);
        }
        Region {
            cache,
            down: Vec::new(),
            offsets: BTreeMap::new(),
            losing: Vec::new(),
            lost_ms: 0,
        }
    }

    fn shard(&mut self, number: u16) -> &mut Shard {
        let shards = &mut self.cache.topology.shards;
        shards.get_mut(&ShardNumber(number)).unwrap()
    }

    fn report(&self, at: (u16, u16), member: &Member) -> MemberReport {
        let shard = &self.cache.topology.shards[&ShardNumber(at.0)];
        let leads = shard.primary == Some(MemberNumber(at.1));
        let lost = self.losing.contains(&at);
        MemberReport {
            engine: match (self.down.contains(&at), leads) {
                (true, _) => EngineState::Down,
                (false, true) => EngineState::Leading,
                (false, false) => EngineState::Following,
            },
            epoch: shard.epoch,
            started: member.started,
            link: (!leads).then_some(ReplicationLink {
                up: !lost,
                copying: false,
                lag_bytes: None,
            }),
            offset: self.offsets.get(&at).copied().unwrap_or(0),
            memory_bytes: 0,
            primary_lost: lost,
            primary_lost_ms: if lost { self.lost_ms } else { 0 },
            detail: None,
        }
    }

    /// Makes the next change that is due; what it was.
    async fn step(&mut self) -> Option<String> {
        let catalog = Catalog::in_memory();
        let txn = Txn::new().insert("c", &self.cache);
        catalog.commit(txn).await.unwrap();
        let stored = catalog.read::<Cache>("c").await.unwrap().unwrap();
        let mut sessions: BTreeMap<NodeId, Session> = BTreeMap::new();
        for (number, shard) in &self.cache.topology.shards {
            for (member, record) in &shard.members {
                let node = record.node.clone().unwrap();
                let session = sessions.entry(node.clone()).or_insert(Session {
                    node,
                    alive: true,
                    silent_ms: None,
                    observed: BTreeMap::new(),
                });
                let key = MemberReport::key(&self.cache.resource_id, *number, *member);
                let report = self.report((number.0, member.0), record);
                let bytes = serde_json::to_vec(&report).unwrap();
                session.observed.insert(key, bytes);
            }
        }
        let sessions = Sessions {
            leader: "us-east-1a-1".parse().unwrap(),
            term: 1,
            sessions: sessions.into_values().collect(),
        };
        let config = ControllerConfig {
            replace_after_ms: 60_000,
            endpoint_address: IpAddr::V4(Ipv4Addr::LOCALHOST),
        };
        let silent_since: BTreeMap<NodeId, UnixMillis> = BTreeMap::new();
        let world = World::look(&catalog, sessions, &silent_since, &config).unwrap();
        let plan = plan_cluster(&world, &stored)?;
        catalog.commit(plan.txn).await.unwrap();
        self.cache = catalog.read::<Cache>("c").await.unwrap().unwrap().record;
        Some(plan.what)
    }
}

/// A shard's primary is down, and its replicas have noticed.
fn lose(region: &mut Region, shard: u16) {
    region.down.push((shard, 1));
    region.losing.extend([(shard, 2), (shard, 3)]);
}

#[tokio::test]
async fn most_primaries_vote_and_the_controller_names_nobody() {
    let mut region = Region::new(3);
    lose(&mut region, 1);
    assert_eq!(region.step().await, None);
    lose(&mut region, 2);
    assert!(region.step().await.is_some(), "one of three cannot vote");
}

#[tokio::test]
async fn a_vote_that_comes_to_nothing_is_not_waited_for() {
    let mut region = Region::new(3);
    lose(&mut region, 1);
    region.lost_ms = VOTE_WAIT_MS - 1;
    assert_eq!(region.step().await, None);
    region.lost_ms = VOTE_WAIT_MS;
    assert!(region.step().await.is_some());
    assert_eq!(region.shard(1).takeover, Some(MemberNumber(2)));
}

#[tokio::test]
async fn without_a_vote_the_replica_that_is_furthest_is_named() {
    let mut region = Region::new(2);
    region.down.push((1, 1));
    assert_eq!(region.step().await, None, "no replica has noticed");
    region.losing.extend([(1, 2), (1, 3)]);
    region.offsets.extend([((1, 2), 90), ((1, 3), 100)]);
    assert!(region.step().await.is_some());
    assert_eq!(region.shard(1).takeover, Some(MemberNumber(3)));
    assert_eq!(region.shard(1).primary, Some(MemberNumber(1)), "not yet");
    assert_eq!(region.step().await, None);
    region.down.push((1, 3));
    assert!(region.step().await.is_some(), "the named one is gone, too");
    assert_eq!(region.shard(1).takeover, Some(MemberNumber(2)));
    region.down.clear();
    region.losing.clear();
    assert!(region.step().await.is_some());
    assert_eq!(region.shard(1).takeover, None, "the primary is back");
}

#[tokio::test]
async fn a_replica_that_lacks_something_is_not_named() {
    let mut region = Region::new(1);
    region.down.push((1, 1));
    region.losing.push((1, 2));
    region.offsets.insert((1, 3), 1_000);
    assert!(region.step().await.is_some());
    assert_eq!(region.shard(1).takeover, Some(MemberNumber(2)));
}

#[tokio::test]
async fn slots_are_spread_once_the_members_of_a_new_shard_run() {
    let mut region = Region::new(2);
    let new = Shard {
        slots: Vec::new(),
        ..region.shard(1).clone()
    };
    region.cache.topology.shards.insert(ShardNumber(3), new);
    region.cache.status = Status::Modifying;
    region.down.push((3, 2));
    assert_eq!(region.step().await, None, "one of its engines is down");
    region.down.clear();
    assert!(region.step().await.is_some());
    let wanted = region.shard(3).slots_wanted.clone().unwrap();
    let count: u16 = wanted.iter().map(|r| r.last - r.first + 1).sum();
    assert_eq!(count, 5_461);
    assert_eq!(region.step().await, None, "the agents move them");
    for number in 1..=3 {
        let shard = region.shard(number);
        shard.slots = shard.slots_wanted.clone().unwrap();
    }
    assert!(region.step().await.is_some());
    let mut shards = region.cache.topology.shards.values();
    assert!(shards.all(|shard| shard.slots_wanted.is_none() && !shard.slots.is_empty()));
    assert_eq!(region.step().await, None);
}

#[tokio::test]
async fn a_shard_goes_only_without_slots_and_its_order_with_it() {
    let mut region = Region::new(2);
    region.cache.orders = vec![Order::RemoveShards(vec![ShardNumber(2)])];
    assert!(region.step().await.is_some());
    assert_eq!(region.shard(2).slots_wanted, Some(Vec::new()));
    assert_eq!(region.shard(1).slots_wanted, Some(range(0, 16_383)));
    assert_eq!(region.step().await, None);
    region.shard(1).slots = range(0, 16_383);
    assert_eq!(
        region.step().await,
        None,
        "the record still has slots there"
    );
    region.shard(2).slots.clear();
    assert!(region.step().await.is_some());
    assert!(region.shard(2).slots_wanted.is_none());
    assert!(region.step().await.is_some());
    let mut members = region.shard(2).members.values();
    assert!(members.all(|member| member.state == MemberState::Leaving));
    assert_eq!(region.step().await, None, "they are still there");
    region.shard(2).members.clear();
    assert!(region.step().await.is_some());
    assert_eq!(region.cache.topology.shards.len(), 1);
    assert!(region.cache.orders.is_empty());
}
