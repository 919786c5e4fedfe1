//! The controller's plans, carried out on a catalog in memory.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use quorate_base::{Epoch, NodeId, UnixMillis};
use quorate_control::{Catalog, Endpoint, Session, Sessions, Stored, Txn};

use crate::controller::ControllerConfig;
use crate::controller::plan::plan_cache;
use crate::controller::world::World;
use crate::decide::fixture;
use crate::model::{
    Cache, CacheKind, Desired, Engine, EngineState, EngineVersion, Event, Host, Member,
    MemberNumber, MemberReport, MemberState, Order, ReplicationLink, ShardNumber, Snapshot,
    SnapshotStatus, Status, Taker, WATCH_KEY, WatchReport, Watched,
};

const SHARD: ShardNumber = ShardNumber(1);
const REPLACE_AFTER_MS: u64 = 60_000;

/// A region whose engines do what the records say, except on nodes that are away.
struct Region {
    catalog: Catalog,
    away: BTreeMap<NodeId, UnixMillis>,
    down: Vec<MemberNumber>,
}

fn node(letter: char) -> NodeId {
    format!("us-east-1{letter}-1").parse().unwrap()
}

impl Region {
    async fn new(cache: &Cache) -> Region {
        let catalog = Catalog::in_memory();
        let engine = |engine| EngineVersion {
            engine,
            version: String::from("7.0.15"),
        };
        let host = Host {
            engines: vec![engine(Engine::Redis), engine(Engine::Memcached)],
            sentinel: true,
        };
        let hosts = ['a', 'b', 'c'].map(node);
        let txn = hosts
            .iter()
            .fold(Txn::new(), |txn, node| txn.put(node.as_str(), &host));
        catalog.commit(txn.insert("c", cache)).await.unwrap();
        Region {
            catalog,
            away: BTreeMap::new(),
            down: Vec::new(),
        }
    }

    async fn cache(&self) -> Stored<Cache> {
        self.catalog.read("c").await.unwrap().unwrap()
    }

    async fn change(&self, change: impl FnOnce(&mut Cache)) {
        let stored = self.cache().await;
        let mut record = stored.record.clone();
        change(&mut record);
        self.catalog
            .commit(Txn::new().replace(&stored, &record))
            .await
            .unwrap();
    }

    fn report(&self, cache: &Cache, number: MemberNumber, member: &Member) -> MemberReport {
        let leads = cache.topology.shards[&SHARD].primary == Some(number)
            || cache.kind == CacheKind::Memcached;
        MemberReport {
            engine: match (self.down.contains(&number), leads) {
                (true, _) => EngineState::Down,
                (false, true) => EngineState::Leading,
                (false, false) => EngineState::Following,
            },
            epoch: Epoch(1),
            started: member.started,
            link: (!leads).then_some(ReplicationLink {
                up: true,
                copying: false,
                lag_bytes: Some(0),
            }),
            offset: 0,
            memory_bytes: 0,
            primary_lost: false,
            primary_lost_ms: 0,
            detail: None,
        }
    }

    fn sessions(&self, cache: &Cache) -> Sessions {
        let session = |node: NodeId| {
            let mut observed = BTreeMap::new();
            for (number, member) in &cache.topology.shards[&SHARD].members {
                if member.node.as_ref() == Some(&node) && member.state != MemberState::Placed {
                    let report = serde_json::to_vec(&self.report(cache, *number, member)).unwrap();
                    observed.insert(
                        MemberReport::key(&cache.resource_id, SHARD, *number),
                        report,
                    );
                }
            }
            let seen = Watched {
                others: 2,
                replicas: 5,
                down: false,
            };
            let watch = WatchReport {
                caches: BTreeMap::from([(String::from("c"), seen)]),
            };
            observed.insert(WATCH_KEY.to_owned(), serde_json::to_vec(&watch).unwrap());
            Session {
                alive: !self.away.contains_key(&node),
                node,
                silent_ms: None,
                observed,
            }
        };
        Sessions {
            leader: node('a'),
            term: 1,
            sessions: ['a', 'b', 'c'].map(node).into_iter().map(session).collect(),
        }
    }

    /// Makes the next change that is due, and says what it was.
    async fn step(&self) -> Option<String> {
        let stored = self.cache().await;
        let config = ControllerConfig {
            replace_after_ms: REPLACE_AFTER_MS,
            endpoint_address: IpAddr::V4(Ipv4Addr::LOCALHOST),
        };
        let sessions = self.sessions(&stored.record);
        let world = World::look(&self.catalog, sessions, &self.away, &config).unwrap();
        let plan = plan_cache(&world, &stored)?;
        self.catalog.commit(plan.txn).await.unwrap();
        Some(plan.what)
    }

    async fn settle(&self) -> Vec<String> {
        let mut done = Vec::new();
        while let Some(what) = self.step().await {
            done.push(what);
            assert!(done.len() < 20, "never settles: {done:?}");
        }
        done
    }
}

fn members(cache: &Cache) -> &BTreeMap<MemberNumber, Member> {
    &cache.topology.shards[&SHARD].members
}

#[tokio::test]
async fn a_new_group_is_placed_over_zones_and_available_once_it_runs() {
    let mut cache = fixture::cache(3);
    cache.status = Status::Creating;
    for member in cache
        .topology
        .shards
        .get_mut(&SHARD)
        .unwrap()
        .members
        .values_mut()
    {
        *member = Member::asked(member.endpoint_port, None, UnixMillis(0));
    }
    let region = Region::new(&cache).await;
    region.settle().await;
    let placed = region.cache().await.record;
    let zones: std::collections::BTreeSet<_> =
        members(&placed).values().map(Member::zone).collect();
    assert_eq!(zones.len(), 3);
    assert_eq!(placed.status, Status::Creating);
    region
        .change(|cache| {
            for (number, member) in &mut cache.topology.shards.get_mut(&SHARD).unwrap().members {
                member.state = MemberState::Running;
                member.address = Some(fixture::at(number.0));
            }
        })
        .await;
    region.settle().await;
    assert_eq!(region.cache().await.record.status, Status::Available);
    let primary: Stored<Endpoint> = region.catalog.read("elasticache:c").await.unwrap().unwrap();
    assert_eq!(primary.record.targets, [fixture::at(1)]);
    let reader: Stored<Endpoint> = region
        .catalog
        .read("elasticache:c:reader")
        .await
        .unwrap()
        .unwrap();
    assert_eq!(reader.record.targets, [fixture::at(2), fixture::at(3)]);
    let events = region.catalog.view().list::<Event>().unwrap();
    assert_eq!(events[0].record.message, "Replication group created");
}

#[tokio::test]
async fn a_replica_whose_node_stays_away_is_placed_anew_and_a_primary_is_waited_for() {
    let mut region = Region::new(&fixture::cache(3)).await;
    region.settle().await;
    let long_ago = UnixMillis(UnixMillis::now().0 - REPLACE_AFTER_MS);
    region.away.insert(node('a'), long_ago);
    assert!(
        !region
            .settle()
            .await
            .iter()
            .any(|what| what.contains("anew")),
        "a primary moved"
    );
    region.away.clear();
    region.away.insert(node('c'), UnixMillis::now());
    assert!(
        !region
            .settle()
            .await
            .iter()
            .any(|what| what.contains("anew")),
        "moved too soon"
    );
    region.away.insert(node('c'), long_ago);
    region.settle().await;
    let cache = region.cache().await.record;
    let moved = &members(&cache)[&MemberNumber(3)];
    assert_ne!(moved.node, Some(node('c')));
    assert_eq!(
        (moved.state, moved.address, moved.incarnation),
        (MemberState::Placed, None, 1)
    );
}

#[tokio::test]
async fn an_upgrade_restarts_one_member_after_another_the_primary_last() {
    let region = Region::new(&fixture::cache(3)).await;
    region.settle().await;
    region
        .change(|cache| {
            cache.pending.engine_version = Some(String::from("7.0.15"));
            cache.pending.apply_now = true;
        })
        .await;
    let mut order = Vec::new();
    for _ in 0..20 {
        region.settle().await;
        let cache = region.cache().await.record;
        let shard = &cache.topology.shards[&SHARD];
        if let Some(coordinated) = &shard.coordinated {
            order.push(format!("{} leads", coordinated.to.0));
            region
                .change(|cache| {
                    let shard = cache.topology.shards.get_mut(&SHARD).unwrap();
                    shard.primary = shard.coordinated.take().map(|c| c.to);
                })
                .await;
            continue;
        }
        let restarting = shard.members.iter().filter(|(_, m)| m.started < m.restarts);
        let restarting: Vec<u16> = restarting.map(|(number, _)| number.0).collect();
        assert!(restarting.len() <= 1, "{restarting:?} restart together");
        let Some(number) = restarting.first().copied() else {
            break;
        };
        order.push(format!("{number} restarts"));
        region
            .change(|cache| {
                let shard = cache.topology.shards.get_mut(&SHARD).unwrap();
                let member = shard.members.get_mut(&MemberNumber(number)).unwrap();
                member.started = member.restarts;
            })
            .await;
    }
    assert_eq!(order, ["2 restarts", "3 restarts", "2 leads", "1 restarts"]);
    assert_eq!(region.cache().await.record.status, Status::Available);
}

#[tokio::test]
async fn an_order_waits_for_members_that_are_not_well_unless_it_names_them() {
    let mut region = Region::new(&fixture::cache(3)).await;
    region.settle().await;
    region.down.push(MemberNumber(2));
    region.settle().await;
    let reboot = |number| Order::Reboot(SHARD, vec![MemberNumber(number)]);
    region.change(|cache| cache.orders.push(reboot(3))).await;
    region.settle().await;
    assert_eq!(region.cache().await.record.orders.len(), 1);
    region
        .change(|cache| cache.orders.insert(0, reboot(2)))
        .await;
    region.step().await;
    let cache = region.cache().await.record;
    assert_eq!(members(&cache)[&MemberNumber(2)].restarts, 1);
    assert_eq!(cache.orders, [reboot(3)]);
}

#[tokio::test]
async fn fewer_replicas_keep_the_primary_and_memcached_nodes_come_and_go() {
    let region = Region::new(&fixture::cache(3)).await;
    region.settle().await;
    region
        .change(|cache| {
            cache.status = Status::Modifying;
            let members = vec![MemberNumber(1), MemberNumber(3)];
            cache.orders.push(Order::Remove(SHARD, members));
        })
        .await;
    region.settle().await;
    let cache = region.cache().await.record;
    let states: Vec<MemberState> = members(&cache).values().map(|m| m.state).collect();
    assert_eq!(
        states,
        [
            MemberState::Running,
            MemberState::Running,
            MemberState::Leaving
        ]
    );
    assert_eq!(cache.status, Status::Modifying);

    let region = Region::new(&{
        let mut cache = fixture::memcached(2);
        cache.settings.engine_version = String::from("7.0.15");
        cache
    })
    .await;
    region.settle().await;
    region
        .change(|cache| {
            let added = Member::asked(7200, None, UnixMillis(0));
            let mut nodes = crate::model::PendingNodes::default();
            nodes.add.insert(MemberNumber(3), added);
            nodes.remove.push(MemberNumber(1));
            cache.pending.nodes = Some(nodes);
            cache.pending.apply_now = true;
        })
        .await;
    region.settle().await;
    let cache = region.cache().await.record;
    assert!(members(&cache)[&MemberNumber(3)].node.is_some());
    assert_eq!(
        members(&cache)[&MemberNumber(1)].state,
        MemberState::Leaving
    );
    assert_eq!(cache.topology.shards[&SHARD].last_member, 3);
}

#[tokio::test]
async fn a_deleted_cache_goes_once_its_members_are_gone() {
    let region = Region::new(&fixture::cache(2)).await;
    region.settle().await;
    region
        .change(|cache| {
            cache.desired = Desired::Deleted {
                final_snapshot: None,
            }
        })
        .await;
    assert_eq!(region.step().await, None);
    region
        .change(|cache| {
            cache
                .topology
                .shards
                .get_mut(&SHARD)
                .unwrap()
                .members
                .clear()
        })
        .await;
    region.step().await;
    assert!(region.catalog.read::<Cache>("c").await.unwrap().is_none());
    assert!(region.catalog.view().list::<Endpoint>().unwrap().is_empty());
}

/// A region whose cache is to have the snapshot `s` taken, by an order or before it goes.
async fn with_snapshot(is_last: bool) -> Region {
    let region = Region::new(&fixture::cache(2)).await;
    region.settle().await;
    let mut snapshot = fixture::snapshot(&region.cache().await.record);
    snapshot.created_at = UnixMillis::now();
    let txn = Txn::new().insert("s", &snapshot);
    region.catalog.commit(txn).await.unwrap();
    let name = String::from("s");
    let change = move |cache: &mut Cache| {
        if is_last {
            let final_snapshot = Some(name);
            cache.status = Status::Deleting;
            cache.desired = Desired::Deleted { final_snapshot };
        } else {
            cache.status = Status::Snapshotting;
            cache.orders.push(Order::Snapshot { name, member: None });
        }
    };
    region.change(change).await;
    region.settle().await;
    region
}

/// Writes what the agent of the snapshot's taker would.
async fn note_taken(region: &Region, attempts_left: bool) {
    let change = |snapshot: &mut Snapshot| {
        let taker = &snapshot.takers[&SHARD];
        assert_eq!(taker.member, Some(MemberNumber(2)), "a replica takes it");
        if attempts_left {
            let object = snapshot.object("s", SHARD, taker.attempt);
            snapshot.shards.push((SHARD, Vec::new(), object, 9));
            snapshot.takers.clear();
        } else {
            let taker = Taker {
                attempt: crate::decide::snapshot::ATTEMPTS_MAX,
                ..taker.clone()
            };
            let failed = taker.failed(String::from("the disk is full"), UnixMillis(0));
            snapshot.takers.insert(SHARD, failed);
        }
        true
    };
    region
        .catalog
        .update::<Snapshot>("s", change)
        .await
        .unwrap();
    region.step().await;
}

async fn snapshot_status(region: &Region) -> SnapshotStatus {
    let read = region.catalog.read::<Snapshot>("s").await.unwrap();
    read.unwrap().record.status
}

#[tokio::test]
async fn a_snapshot_is_taken_from_a_replica_and_ends_its_order() {
    let region = with_snapshot(false).await;
    note_taken(&region, true).await;
    region.settle().await;
    let cache = region.cache().await.record;
    assert_eq!(snapshot_status(&region).await, SnapshotStatus::Available);
    assert_eq!((cache.status, cache.orders), (Status::Available, vec![]));
}

#[tokio::test]
async fn a_cache_goes_after_its_last_snapshot_and_stays_when_that_fails() {
    let region = with_snapshot(true).await;
    note_taken(&region, true).await;
    let gone = Desired::Deleted {
        final_snapshot: None,
    };
    assert_eq!(region.cache().await.record.desired, gone);

    let region = with_snapshot(true).await;
    note_taken(&region, false).await;
    let cache = region.cache().await.record;
    assert_eq!(snapshot_status(&region).await, SnapshotStatus::Failed);
    assert_eq!(cache.desired, Desired::Running);
    assert_eq!(cache.status, Status::Available);
    let events = region.catalog.view().list::<Event>().unwrap();
    let told = |e: &Stored<Event>| {
        e.record
            .message
            .ends_with("the disk is full. The cache is not deleted")
    };
    assert!(events.iter().any(told), "{events:?}");
}
