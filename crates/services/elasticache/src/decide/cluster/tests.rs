//! What a member of two shards does, case by case.

use quorate_base::{Epoch, UnixMillis};

use super::*;
use crate::decide::fixture;
use crate::model::Coordinated;

/// Two shards of two members: 1/1, 1/2, 2/1, 2/2, at the fixture's addresses 1, 2, 11, 12. Their engines agree.
struct World {
    topology: Topology,
    nodes: Vec<ClusterNode>,
    own: (u16, u16),
    forming: bool,
    linked: bool,
    known_ms: u64,
    promoting: bool,
    test_failover: bool,
}

const HALF: u16 = 8_191;

fn id(shard: u16, member: u16) -> ClusterNodeId {
    ClusterNodeId::parse(&format!("{:040x}", shard * 10 + member)).unwrap()
}

fn address(shard: u16, member: u16) -> SocketAddr {
    fixture::at((shard - 1) * 10 + member)
}

fn node(shard: u16, member: u16) -> ClusterNode {
    let leads = member == 1;
    let (first, last) = [(0, HALF), (HALF + 1, SLOTS - 1)][usize::from(shard - 1)];
    ClusterNode {
        id: id(shard, member),
        address: Some(address(shard, member)),
        myself: false,
        leads,
        handshake: false,
        suspected: false,
        failed: false,
        follows: (!leads).then(|| id(shard, 1)),
        config_epoch: u64::from(shard),
        linked: true,
        slots: if leads {
            vec![(first, last)]
        } else {
            Vec::new()
        },
        migrating: Vec::new(),
        importing: Vec::new(),
    }
}

impl World {
    fn new(own: (u16, u16)) -> World {
        let mut topology = Topology::default();
        for number in 1..=2 {
            let mut shard = fixture::cache(2).topology.shards[&ShardNumber(1)].clone();
            for (member, record) in &mut shard.members {
                record.address = Some(address(number, member.0));
            }
            let (first, last) = node(number, 1).slots[0];
            shard.slots = vec![SlotRange { first, last }];
            topology.shards.insert(ShardNumber(number), shard);
        }
        let nodes = [(1, 1), (1, 2), (2, 1), (2, 2)].map(|(shard, member)| node(shard, member));
        World {
            topology,
            nodes: nodes.into(),
            own,
            forming: false,
            linked: true,
            known_ms: KNOWN_MS_MIN,
            promoting: false,
            test_failover: false,
        }
    }

    fn with(own: (u16, u16), change: impl FnOnce(&mut World)) -> World {
        let mut world = World::new(own);
        change(&mut world);
        world
    }

    fn node(&mut self, shard: u16, member: u16) -> &mut ClusterNode {
        let mut nodes = self.nodes.iter_mut();
        nodes.find(|n| n.id == id(shard, member)).unwrap()
    }

    fn shard(&mut self, number: u16) -> &mut Shard {
        self.topology.shards.get_mut(&ShardNumber(number)).unwrap()
    }

    fn ask<T>(&self, ask: impl FnOnce(&ClusterFacts<'_>) -> T) -> T {
        let mut nodes = self.nodes.clone();
        for node in &mut nodes {
            node.myself = node.id == id(self.own.0, self.own.1);
        }
        ask(&ClusterFacts {
            topology: &self.topology,
            forming: self.forming,
            own: (ShardNumber(self.own.0), MemberNumber(self.own.1)),
            nodes: &nodes,
            linked: self.linked,
            known_ms: self.known_ms,
            promoting: self.promoting,
            test_failover: self.test_failover,
        })
    }

    fn step(&self) -> Option<ClusterStep> {
        self.ask(decide_cluster)
    }
}

fn fresh(world: &mut World, shard: u16, member: u16) {
    let node = world.node(shard, member);
    node.slots.clear();
    node.leads = true;
    node.follows = None;
    node.config_epoch = 0;
}

#[test]
fn members_that_are_what_the_record_says_do_nothing() {
    for own in [(1, 1), (1, 2), (2, 1), (2, 2)] {
        let world = World::new(own);
        assert_eq!(world.step(), None, "{own:?}");
        assert!(world.ask(is_formed), "{own:?}");
    }
}

#[test]
fn a_primary_takes_an_epoch_of_its_own_then_meets_all_then_takes_slots() {
    let mut world = World::with((2, 1), |w| {
        w.forming = true;
        for (shard, member) in [(1, 1), (1, 2), (2, 1), (2, 2)] {
            fresh(w, shard, member);
        }
        w.nodes.retain(|n| n.id == id(2, 1));
    });
    assert!(!world.ask(is_formed));
    assert_eq!(world.step(), Some(ClusterStep::SetEpoch(2)));
    world.node(2, 1).config_epoch = 2;
    assert_eq!(world.step(), Some(ClusterStep::Meet(address(1, 1))));
    for (shard, member) in [(1, 1), (1, 2), (2, 2)] {
        world.nodes.push(node(shard, member));
        fresh(&mut world, shard, member);
    }
    world.node(2, 2).handshake = true;
    assert_eq!(world.step(), None, "one is still being met");
    world.node(2, 2).handshake = false;
    let (first, last) = (HALF + 1, SLOTS - 1);
    let takes = ClusterStep::AddSlots(vec![SlotRange { first, last }]);
    assert_eq!(world.step(), Some(takes));
}

#[test]
fn slots_are_not_taken_while_somebody_has_them_or_may_not_have_said_so() {
    let lost = |known_ms| {
        World::with((1, 1), |w| {
            fresh(w, 1, 1);
            w.known_ms = known_ms;
        })
    };
    assert_eq!(lost(KNOWN_MS_MIN - 1).step(), None);
    let takes = lost(KNOWN_MS_MIN).step();
    assert!(matches!(takes, Some(ClusterStep::AddSlots(_))), "{takes:?}");
    let mut kept = lost(KNOWN_MS_MIN);
    kept.node(1, 2).slots = vec![(0, HALF)];
    assert_eq!(kept.step(), None, "the replica was elected");
}

#[test]
fn a_fresh_replica_follows_its_shards_primary_and_a_stray_one_comes_back() {
    let fresh = World::with((2, 2), |w| fresh(w, 2, 2));
    assert_eq!(fresh.step(), Some(ClusterStep::Follow(id(2, 1))));
    let stray = World::with((2, 2), |w| w.node(2, 2).follows = Some(id(1, 2)));
    assert_eq!(stray.step(), Some(ClusterStep::Follow(id(2, 1))));
    let turned = World::with((2, 2), |w| w.node(2, 2).follows = Some(id(1, 1)));
    assert_eq!(turned.step(), None, "it follows somebody with slots");
    let away = World::with((2, 2), |w| {
        fresh_at(w);
        w.node(2, 1).failed = true;
    });
    assert_eq!(away.step(), None, "nobody to follow");
}

fn fresh_at(world: &mut World) {
    fresh(world, 2, 2);
}

#[test]
fn an_election_is_written_once_and_only_when_it_is_news() {
    let elected = |epoch| {
        World::with((1, 2), |w| {
            w.shard(1).elected = 4;
            let node = w.node(1, 2);
            (node.leads, node.follows) = (true, None);
            node.slots = vec![(0, HALF)];
            node.config_epoch = epoch;
            w.node(1, 1).slots.clear();
        })
    };
    assert_eq!(elected(5).step(), Some(ClusterStep::Elected(5)));
    assert_eq!(elected(4).step(), None, "the epoch of an older election");
    let empty = World::with((1, 2), |w| {
        fresh(w, 1, 2);
        w.node(1, 2).config_epoch = 9;
    });
    let follows = Some(ClusterStep::Follow(id(1, 1)));
    assert_eq!(empty.step(), follows, "who has no slots leads nothing");
    let mut written = elected(5);
    written.shard(1).primary = Some(MemberNumber(2));
    assert_eq!(written.step(), None);
}

#[test]
fn who_is_gone_is_forgotten_but_not_with_slots_that_nobody_can_take() {
    let stranger = |slots: Vec<(u16, u16)>, failed| {
        World::with((1, 2), |w| {
            let mut gone = node(1, 1);
            gone.id = ClusterNodeId::parse(&"f".repeat(40)).unwrap();
            gone.address = Some(fixture::at(99));
            (gone.linked, gone.failed, gone.slots) = (false, failed, slots);
            w.nodes.push(gone);
        })
    };
    let gone = ClusterNodeId::parse(&"f".repeat(40)).unwrap();
    let forgets = Some(ClusterStep::Forget(gone));
    assert_eq!(stranger(Vec::new(), false).step(), forgets);
    assert_eq!(stranger(vec![(0, HALF)], false).step(), None);
    assert_eq!(stranger(vec![(0, HALF)], true).step(), forgets);
    let mut unled = stranger(vec![(0, HALF)], true);
    unled.node(1, 1).failed = true;
    assert_eq!(unled.step(), None);
    let down = World::with((1, 2), |w| w.node(2, 1).linked = false);
    assert_eq!(down.step(), None, "a member is down, not gone");
}

#[test]
fn a_replica_leads_when_it_is_named_and_its_primary_is_lost_or_when_it_is_told_to_without_loss() {
    let named = |lost| {
        World::with((1, 2), |w| {
            w.shard(1).takeover = Some(MemberNumber(2));
            w.node(1, 1).suspected = lost;
        })
    };
    assert_eq!(named(true).step(), Some(ClusterStep::TakeOver));
    assert_eq!(named(false).step(), None, "the primary is back");
    let told = |linked, promoting| {
        World::with((1, 2), |w| {
            w.shard(1).coordinated = Some(Coordinated {
                to: MemberNumber(2),
                released: BTreeSet::new(),
                since: UnixMillis(0),
            });
            (w.linked, w.promoting) = (linked, promoting);
        })
    };
    assert_eq!(told(true, false).step(), Some(ClusterStep::FailOver));
    assert_eq!(told(false, false).step(), None);
    assert_eq!(told(true, true).step(), None, "it was told a moment ago");
    let test = |own| World::with(own, |w| w.test_failover = true).step();
    assert_eq!(test((1, 2)), Some(ClusterStep::TestFailover));
    assert_eq!(test((1, 1)), None);
}

#[test]
fn slots_go_to_who_is_to_have_them_an_open_one_first_and_the_end_is_written() {
    let range = |first, last| Some(vec![SlotRange { first, last }]);
    let mut world = World::with((1, 1), |w| {
        w.shard(1).slots_wanted = range(0, HALF - 2);
        w.shard(2).slots_wanted = range(HALF - 1, SLOTS - 1);
    });
    let moves = |slots: &[u16]| ClusterStep::Move {
        slots: slots.to_vec(),
        to: id(2, 1),
        address: address(2, 1),
    };
    assert_eq!(world.step(), Some(moves(&[HALF - 1, HALF])));
    world.node(1, 1).migrating = vec![(HALF, id(2, 1))];
    assert_eq!(world.step(), Some(moves(&[HALF, HALF - 1])));
    world.node(2, 1).failed = true;
    assert_eq!(world.step(), None, "nobody takes them");
    world.node(1, 1).slots = vec![(0, HALF - 2)];
    world.node(2, 1).slots = vec![(HALF - 1, SLOTS - 1)];
    world.node(2, 1).failed = false;
    let written = ClusterStep::NoteSlots(range(0, HALF - 2).unwrap());
    assert_eq!(world.step(), Some(written));
    world.shard(1).slots = range(0, HALF - 2).unwrap();
    assert_eq!(world.step(), None);
}

#[test]
fn a_crashed_primary_waits_for_an_election_and_a_named_successor() {
    let mut world = World::new((1, 1));
    let shard = world.shard(1).clone();
    let wait = |shard: &Shard, own, may_lack, down_ms| {
        wait_to_start(shard, MemberNumber(own), may_lack, down_ms).is_some()
    };
    assert!(wait(&shard, 1, true, 0));
    assert!(!wait(&shard, 1, true, ELECTION_WAIT_MS));
    assert!(!wait(&shard, 1, false, 0), "it has everything");
    assert!(!wait(&shard, 2, true, 0), "a replica copies");
    let mut named = shard.clone();
    named.takeover = Some(MemberNumber(2));
    assert!(wait(&named, 1, false, 0) && !wait(&named, 2, false, 0));
    let mut alone = shard;
    alone.members.remove(&MemberNumber(2));
    alone.epoch = Epoch(1);
    assert!(!wait(&alone, 1, true, 0), "nobody else has anything");
}
