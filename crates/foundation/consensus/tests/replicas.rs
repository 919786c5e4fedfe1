//! Replicas that come, go, fall behind and fail.

// A test fails where it unwraps.
#![allow(clippy::unwrap_used)]

mod world;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use quorate_consensus::{GroupId, HostConfig};
use world::{CALL, Map, Trio, World, eventually, is_not_leader, until};

fn files(folder: &std::path::Path) -> usize {
    std::fs::read_dir(folder).unwrap().count()
}

/// A log that is cut soon.
fn short_log() -> HostConfig {
    HostConfig {
        flush_every_entries: 10,
        keep_entries: 5,
        ..HostConfig::default()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_that_was_away_past_the_purge_gets_a_snapshot() {
    let mut world = World::start(3, short_log()).await;
    let mut trio = Trio::start(&world, 1, 0).await;
    trio.leader().await;
    trio.write("early=1").await;
    trio.until_applied(2, "early", "1").await;
    trio.crash(&mut world, 2).await;
    // More than one piece of it.
    let large = "x".repeat(300_000);
    for n in 0..60 {
        trio.write(&format!("k{n}={n}")).await;
    }
    for n in 0..5 {
        trio.write(&format!("large{n}={large}")).await;
    }
    trio.restart(&mut world, 2).await;
    trio.write("late=1").await;
    trio.until_applied(2, "late", "1").await;
    let leader = trio.leader().await;
    let state = trio.machines[2].state();
    assert!(
        trio.machines[2].snapshots_read.load(Ordering::SeqCst) > 0,
        "by snapshot"
    );
    assert_eq!(state.values, trio.machines[leader].state().values);
    assert!(state.applies.values().all(|times| *times == 1));

    // What came by snapshot is there after a crash, and goes on from its mark.
    trio.crash(&mut world, 2).await;
    trio.write("later=1").await;
    trio.restart(&mut world, 2).await;
    trio.until_applied(2, "later", "1").await;
    let state = trio.machines[2].state();
    assert!(state.applies.values().all(|times| *times == 1));
    for at in 0..3 {
        let folder = world.host_folder(at).join("snapshots");
        until("no snapshot's file stays", || files(&folder) == 0).await;
    }
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_node_is_replaced_by_another() {
    let mut world = World::start(4, short_log()).await;
    let mut trio = Trio::start(&world, 1, 0).await;
    trio.leader().await;
    for n in 0..40 {
        trio.write(&format!("k{n}={n}")).await;
    }
    trio.crash(&mut world, 1).await;
    trio.start_replica(&world, 3, None).await;
    eventually("the voters are changed", || async {
        let leader = trio.leader().await;
        let changed = trio
            .group(leader)
            .change_voters(world.voters([0, 2, 3]), CALL);
        changed.await.ok()
    })
    .await;
    trio.write("after=1").await;
    trio.until_applied(3, "after", "1").await;
    assert_eq!(
        trio.machines[3].state().values,
        trio.machines[0].state().values
    );
    // The newcomer votes: with it two are enough.
    trio.crash(&mut world, 2).await;
    trio.write("alone=1").await;
    trio.until_applied(3, "alone", "1").await;
    world.stop().await;
}

/// Has the leader make these the voters, again until it is done.
async fn change(trio: &Trio, world: &World, voters: &[usize]) {
    eventually("the voters are changed", || async {
        let leader = trio.leader().await;
        let voters = world.voters(voters.iter().copied());
        let changed = trio.group(leader).change_voters(voters, CALL);
        changed.await.ok()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_newcomer_gets_the_state_though_the_log_has_all_entries() {
    let world = World::start(4, HostConfig::default()).await;
    let mut trio = Trio::start(&world, 1, 0).await;
    trio.leader().await;
    for machine in &trio.machines {
        machine.put("born", "1");
    }
    trio.write("k=1").await;
    trio.start_replica(&world, 3, None).await;
    change(&trio, &world, &[0, 1, 2, 3]).await;
    trio.until_applied(3, "k", "1").await;
    assert_eq!(trio.machines[3].get("born").as_deref(), Some("1"));
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_that_cannot_end_gives_way_to_another() {
    let mut world = World::start(5, HostConfig::default()).await;
    let mut trio = Trio::start(&world, 1, 0).await;
    trio.leader().await;
    trio.write("k=1").await;
    trio.crash(&mut world, 2).await;
    // Its node is up, and its replica never starts.
    let never = trio
        .group(0)
        .change_voters(world.voters([0, 1, 3]), Duration::from_millis(500));
    assert!(never.await.is_err());
    trio.start_replica(&world, 4, None).await;
    change(&trio, &world, &[0, 1, 4]).await;
    let members = trio.group(0).members();
    assert_eq!(members, world.voters([0, 1, 4]), "no learner is left over");
    trio.write("k=2").await;
    trio.until_applied(4, "k", "2").await;
    world.stop().await;
}

/// A replica that has lost its log has forgotten what it voted for and acknowledged: it has to leave before it comes anew.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wiped_host_is_refilled_after_its_replica_has_left() {
    let mut world = World::start(3, short_log()).await;
    let mut trio = Trio::start(&world, 1, 0).await;
    trio.leader().await;
    for n in 0..40 {
        trio.write(&format!("k{n}={n}")).await;
    }
    trio.groups[2] = None;
    world.wipe(2).await;
    trio.machines[2] = Arc::default();
    world.start_host(2).await;
    trio.write("while=away").await;
    change(&trio, &world, &[0, 1]).await;
    trio.start_replica(&world, 2, None).await;
    change(&trio, &world, &[0, 1, 2]).await;
    trio.write("after=1").await;
    trio.until_applied(2, "after", "1").await;
    assert_eq!(
        trio.machines[2].state().values,
        trio.machines[0].state().values
    );
    // It votes and acknowledges again.
    trio.crash(&mut world, 0).await;
    trio.write("alone=1").await;
    trio.until_applied(2, "alone", "1").await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_killed_while_a_snapshot_is_loaded_loads_it_at_its_start() {
    let mut world = World::start(3, short_log()).await;
    let mut trio = Trio::start(&world, 1, 0).await;
    trio.leader().await;
    trio.write("early=1").await;
    trio.until_applied(2, "early", "1").await;
    trio.crash(&mut world, 2).await;
    for n in 0..60 {
        trio.write(&format!("k{n}={n}")).await;
    }
    // Once while it arrives, once more at the next start.
    trio.machines[2].loads_to_tear.store(2, Ordering::SeqCst);
    trio.restart(&mut world, 2).await;
    trio.write("late=1").await;
    let why = tokio::time::timeout(world::DEADLINE, world.host(2).stopped()).await;
    assert!(why.unwrap().contains("cut short"));
    assert!(trio.machines[2].state().torn);
    // Nobody else is there to send it again; and what it voted for and acknowledged still counts.
    trio.crash(&mut world, 1).await;
    trio.crash(&mut world, 0).await;
    trio.crash(&mut world, 2).await;
    world.start_host(2).await;
    let (id, machine, origin) = (trio.id, trio.machines[2].clone(), world.origin(0));
    let torn = world
        .on(2, |host| async move {
            host.start_group(id, machine, Some(origin)).await.err()
        })
        .await;
    assert!(torn.is_some(), "it does not run without a state");
    trio.start_replica(&world, 2, Some(world.origin(0))).await;
    assert_eq!(trio.machines[2].get("k59").as_deref(), Some("59"));
    trio.restart(&mut world, 1).await;
    trio.write("again=1").await;
    trio.until_applied(1, "again", "1").await;
    trio.until_applied(2, "again", "1").await;
    let state = trio.machines[2].state();
    assert_eq!(state.values, trio.machines[1].state().values);
    assert!(state.applies.values().all(|times| *times == 1));
    let kept = world.host_folder(2).join("kept");
    assert_eq!(
        files(&kept),
        0,
        "nothing is kept for longer than it is needed"
    );
    world.stop().await;
}

/// As a crash between the loading and the note of it: the machine is ahead of a log that knows nothing of that.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_machine_ahead_of_its_log_starts() {
    let mut world = World::start(3, short_log()).await;
    let mut trio = Trio::start(&world, 1, 0).await;
    trio.leader().await;
    trio.write("early=1").await;
    trio.until_applied(2, "early", "1").await;
    trio.crash(&mut world, 2).await;
    for n in 0..60 {
        trio.write(&format!("k{n}={n}")).await;
    }
    let (bytes, mark) = trio.machines[0].snapshot();
    trio.machines[2].load(&bytes, &mark);
    trio.restart(&mut world, 2).await;
    trio.write("late=1").await;
    trio.until_applied(2, "late", "1").await;
    let state = trio.machines[2].state();
    assert_eq!(state.values, trio.machines[0].state().values);
    assert!(state.applies.values().all(|times| *times == 1));
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_that_is_left_out_stops_leading() {
    let world = World::start(4, HostConfig::default()).await;
    let mut trio = Trio::start(&world, 1, 0).await;
    trio.leader().await;
    trio.write("k=1").await;
    trio.start_replica(&world, 3, None).await;
    let permit = trio.group(0).read_permit(CALL).await.unwrap();
    let left = trio
        .group(0)
        .change_voters(world.voters([1, 2, 3]), world::DEADLINE);
    left.await.unwrap();
    assert!(!permit.still_valid(), "its lease stood on other voters");
    assert!(is_not_leader(
        &trio.group(0).propose(b"k=lost".to_vec(), CALL).await
    ));
    assert_ne!(trio.write("k=2").await, 0);
    trio.until_applied(3, "k", "2").await;
    let removed = world.on(0, |host| async move { host.remove_group(GroupId(1)).await });
    removed.await.unwrap();
    assert!(world.host(0).group(GroupId(1)).is_none());
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_that_is_stopped_leaves_the_group_to_others() {
    let world = World::start(3, HostConfig::default()).await;
    let mut trio = Trio::start(&world, 1, 0).await;
    trio.leader().await;
    trio.write("k=1").await;
    trio.groups[0] = None;
    // Its host lives on and pulses.
    world
        .on(0, |host| async move { host.stop_group(GroupId(1)).await })
        .await;
    assert_ne!(trio.write("k=2").await, 0);
    trio.start_replica(&world, 0, None).await;
    trio.until_applied(0, "k", "2").await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_removed_group_leaves_no_log() {
    let world = World::start(3, HostConfig::default()).await;
    let mut trio = Trio::start(&world, 1, 0).await;
    trio.leader().await;
    trio.write("k=1").await;
    for at in 0..3 {
        trio.groups[at] = None;
        let removed = world.on(
            at,
            |host| async move { host.remove_group(GroupId(1)).await },
        );
        removed.await.unwrap();
    }
    // The same number is another group then, with its log from the start.
    let again = Trio::start(&world, 1, 2).await;
    assert_eq!(again.leader().await, 2);
    again.write("other=1").await;
    assert!(again.machines[0].get("k").is_none());
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_sync_stops_the_host_and_acknowledges_nothing() {
    let world = World::start(3, HostConfig::default()).await;
    let trio = Trio::start(&world, 1, 0).await;
    let other = Trio::start(&world, 2, 0).await;
    trio.leader().await;
    other.leader().await;
    trio.write("k=1").await;
    let permit = other.group(0).read_permit(CALL).await.unwrap();
    world.faults[0].fail_syncs();
    let failed = trio.group(0).propose(b"k=2".to_vec(), CALL).await;
    assert!(failed.is_err(), "{failed:?}");
    let why = tokio::time::timeout(world::DEADLINE, world.host(0).stopped()).await;
    assert!(why.unwrap().contains("sync"));
    // Its other groups end with it, and reads too.
    assert!(other.group(0).propose(b"k=2".to_vec(), CALL).await.is_err());
    assert!(other.group(0).read_permit(CALL).await.is_err());
    assert!(!permit.still_valid());
    // The others go on without it.
    eventually("another leads", || async {
        let group = trio.group(1).propose(b"k=3".to_vec(), CALL).await;
        let third = trio.group(2).propose(b"k=3".to_vec(), CALL).await;
        (group.is_ok() || third.is_ok()).then_some(())
    })
    .await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_machine_that_fails_stops_the_host() {
    let world = World::start(3, HostConfig::default()).await;
    let trio = Trio::start(&world, 1, 0).await;
    trio.leader().await;
    trio.write("k=1").await;
    trio.machines[0].fails.store(true, Ordering::SeqCst);
    let failed = trio.group(0).propose(b"k=2".to_vec(), CALL).await;
    assert!(failed.is_err(), "{failed:?}");
    let why = tokio::time::timeout(world::DEADLINE, world.host(0).stopped()).await;
    assert!(why.unwrap().contains("machine"));
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_starts_once() {
    let world = World::start(3, HostConfig::default()).await;
    let trio = Trio::start(&world, 1, 0).await;
    trio.leader().await;
    let twice = world.on(0, |host| async move {
        let machine = Arc::new(Map::default());
        host.start_group(GroupId(1), machine, None).await.is_err()
    });
    assert!(twice.await);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn idle_groups_say_nothing() {
    const GROUPS: u64 = 300;
    let world = World::start(3, HostConfig::default()).await;
    let mut trios = Vec::new();
    for id in 0..GROUPS {
        trios.push(Trio::start(&world, id, (id % 3) as usize).await);
    }
    for trio in &trios {
        trio.leader().await;
        trio.write("k=1").await;
        for at in 0..3 {
            trio.until_applied(at, "k", "1").await;
        }
    }
    let traffic = |at: usize| world.host(at).traffic();
    // All notices have gone out once a whole pulse brought none.
    let quiet = eventually("quiet", || async {
        let before: Vec<_> = (0..3).map(traffic).collect();
        until("a pulse", || traffic(0).pulses > before[0].pulses + 3).await;
        let after: Vec<_> = (0..3).map(traffic).collect();
        let same = (0..3).all(|at| before[at].messages == after[at].messages);
        same.then_some(after)
    })
    .await;
    let pulses = quiet[0].pulses;
    until("pulses go on", || traffic(0).pulses > pulses + 20).await;
    for (at, quiet) in quiet.iter().enumerate() {
        assert_eq!(
            traffic(at).messages,
            quiet.messages,
            "host {at} spoke for a group"
        );
    }
    for (id, trio) in trios.iter().enumerate() {
        assert_eq!(trio.leader_now(), Some(id % 3), "nobody asked for votes");
    }
    drop(trios);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_groups_of_a_killed_host_find_leaders() {
    const GROUPS: u64 = 60;
    let mut world = World::start(3, HostConfig::default()).await;
    let mut trios = Vec::new();
    for id in 0..GROUPS {
        trios.push(Trio::start(&world, id, 0).await);
    }
    for trio in &trios {
        trio.leader().await;
        trio.write("k=1").await;
    }
    for trio in &mut trios {
        trio.groups[0] = None;
    }
    world.kill(0).await;
    for trio in &trios {
        trio.write("k=2").await;
    }
    world.start_host(0).await;
    for trio in &mut trios {
        trio.machines[0].crash();
        trio.start_replica(&world, 0, None).await;
    }
    for trio in &trios {
        trio.until_applied(0, "k", "2").await;
    }
    drop(trios);
    world.stop().await;
}

/// A permit's time is what keeps reads right, so a vote within it would show here as a second leader.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_is_elected_while_a_lease_holds() {
    let world = World::start(3, HostConfig::default()).await;
    let trio = Trio::start(&world, 1, 0).await;
    trio.leader().await;
    for _ in 0..5 {
        let leader = trio.leader().await;
        let (next, group) = ((leader + 1) % 3, trio.group(leader).clone());
        let heir = trio.group(next).clone();
        let permit = eventually("a permit", || async { group.read_permit(CALL).await.ok() }).await;
        world.isolate(leader);
        let elect = tokio::spawn(async move { heir.elect(Duration::from_secs(10)).await });
        let mut watch = trio.group(next).watch_leadership();
        watch.wait_for(|seen| seen.own).await.unwrap();
        assert!(!permit.still_valid(), "two could read at one time");
        elect.await.unwrap().unwrap();
        world.mend();
        trio.write("k=1").await;
    }
    world.stop().await;
}
