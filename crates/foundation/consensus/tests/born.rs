//! Groups that begin with a state that their voters have already, as after a split.

// A test fails where it unwraps.
#![allow(clippy::unwrap_used)]

mod world;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use quorate_consensus::{DurableMachine, GroupId, HostConfig, Origin, Voter, voters_at};
use world::{Map, Trio, World};

/// Voters 0 and 1 have the state and no entry; 2 has nothing.
async fn two_born(world: &World) -> Trio {
    let mut trio = Trio {
        id: GroupId(7),
        machines: (0..3).map(|_| Arc::default()).collect(),
        groups: vec![None, None, None],
    };
    for at in 0..2 {
        trio.machines[at].put("born", "1");
        start_born(&mut trio, world, at).await;
    }
    trio
}

async fn start_born(trio: &mut Trio, world: &World, at: usize) {
    let (id, origin) = (trio.id, world.origin(0));
    let machine: Arc<Map> = trio.machines[at].clone();
    let started = world
        .on(at, |host| async move {
            host.start_born_group(id, machine, origin).await
        })
        .await;
    trio.groups[at] = Some(started.unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_without_the_state_gets_it_and_not_the_entries_alone() {
    let world = World::start(3, HostConfig::default()).await;
    let mut trio = two_born(&world).await;
    trio.write("early=1").await;
    assert_eq!(trio.read("born").await.as_deref(), Some("1"));
    trio.start_replica(&world, 2, None).await;
    trio.until_applied(2, "early", "1").await;
    assert_eq!(trio.machines[2].get("born").as_deref(), Some("1"));
    assert!(trio.machines[2].snapshots_read.load(Ordering::SeqCst) > 0);
    // It counts as a voter from then on.
    trio.write("late=1").await;
    trio.until_applied(2, "late", "1").await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_born_replica_goes_on_after_a_crash() {
    let mut world = World::start(3, HostConfig::default()).await;
    let mut trio = two_born(&world).await;
    trio.write("early=1").await;
    trio.crash(&mut world, 1).await;
    world.start_host(1).await;
    // What was not flushed is gone; the state that it was born with is flushed.
    start_born(&mut trio, &world, 1).await;
    trio.write("late=1").await;
    trio.until_applied(1, "late", "1").await;
    let state = trio.machines[1].state();
    assert_eq!(state.values.get("born").map(String::as_str), Some("1"));
    assert_eq!(state.values.get("early").map(String::as_str), Some("1"));
    assert!(state.applies.values().all(|times| *times == 1));
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_state_that_no_entry_was_applied_to_says_what_it_stands_for() {
    let world = World::start(1, HostConfig::default()).await;
    let machine: Arc<Map> = Arc::default();
    machine.put("born", "1");
    let origin = Origin {
        // The other voters are not there, so that nothing is committed.
        voters: ["us-east-1a-1", "us-east-1b-1", "us-east-1c-1"]
            .map(|node| Voter {
                node: node.parse().unwrap(),
                address: world.voter(0).address,
            })
            .to_vec(),
        preferred_leader: world.voter(0).id(),
    };
    let started = machine.clone();
    world
        .on(0, |host| async move {
            host.start_born_group(GroupId(7), started, origin).await
        })
        .await
        .unwrap();
    let mut bytes = Vec::new();
    let mark = machine.write_snapshot(&mut bytes).unwrap();
    assert_eq!(voters_at(&mark).unwrap().len(), 3);
    world.stop().await;
}
