//! Groups over three hosts: agreement, elections, restarts, reads.

// A test fails where it unwraps.
#![allow(clippy::unwrap_used)]

mod world;

use std::time::Duration;

use quorate_consensus::{GroupError, HostConfig};
use world::{CALL, Trio, World, eventually, is_not_leader, until};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_is_applied_everywhere_and_answered_once() {
    let world = World::start(3, HostConfig::default()).await;
    let trio = Trio::start(&world, 1, 1).await;
    assert_eq!(trio.leader().await, 1, "the preferred one leads");
    let group = trio.group(1);
    assert_eq!(group.propose(b"k=1".to_vec(), CALL).await.unwrap(), b"");
    assert_eq!(group.propose(b"k=2".to_vec(), CALL).await.unwrap(), b"1");
    for at in 0..3 {
        // The followers learn of the last commit without another write.
        trio.until_applied(at, "k", "2").await;
        assert_eq!(trio.machines[at].state().applies["k=1"], 1);
        let applied = trio.group(at).applied_index();
        assert_eq!(applied, group.applied_index());
    }
    let elsewhere = trio.group(0).propose(b"k=3".to_vec(), CALL).await;
    assert_eq!(elsewhere, Err(GroupError::NotLeader(Some(world.voter(1)))));
    let progress = group.progress();
    assert!(
        progress.matched.values().all(|m| *m == progress.last),
        "{progress:?}"
    );
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn proposals_at_a_time_share_entries_and_keep_their_answers() {
    let world = World::start(3, HostConfig::default()).await;
    let trio = Trio::start(&world, 1, 0).await;
    trio.leader().await;
    let before = trio.group(0).applied_index();
    let mut proposals = tokio::task::JoinSet::new();
    for n in 0..500 {
        let group = trio.group(0).clone();
        proposals.spawn(async move {
            group.propose(format!("k{n}=a").into(), CALL).await.unwrap();
            let again = group.propose(format!("k{n}=b{n}").into(), CALL).await;
            assert_eq!(again.unwrap(), b"a");
        });
    }
    while let Some(done) = proposals.join_next().await {
        done.unwrap();
    }
    let entries = trio.group(0).applied_index() - before;
    assert!(entries < 500, "{entries} entries for 1000 commands");
    for n in 0..500 {
        trio.until_applied(2, &format!("k{n}"), &format!("b{n}"))
            .await;
    }
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_leader_is_replaced_and_nothing_acknowledged_is_lost() {
    let mut world = World::start(3, HostConfig::default()).await;
    let mut trio = Trio::start(&world, 1, 0).await;
    assert_eq!(trio.leader().await, 0);
    for n in 0..20 {
        let command = format!("k{n}={n}");
        trio.group(0).propose(command.into(), CALL).await.unwrap();
    }
    trio.crash(&mut world, 0).await;
    let second = trio.write("after=1").await;
    assert_ne!(second, 0);
    for n in 0..20 {
        assert_eq!(
            trio.machines[second].get(&format!("k{n}")).unwrap(),
            n.to_string()
        );
    }
    trio.restart(&mut world, 0).await;
    // No write tells it: it finds its way by the pulse.
    trio.until_applied(0, "after", "1").await;
    until("the old leader follows", || {
        let seen = trio.group(0).leadership();
        !seen.own && seen.leader.is_some()
    })
    .await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_is_formed_without_its_preferred_leader() {
    let mut world = World::start(3, HostConfig::default()).await;
    world.kill(0).await;
    let mut trio = Trio {
        id: quorate_consensus::GroupId(9),
        machines: (0..3).map(|_| std::sync::Arc::default()).collect(),
        groups: vec![None, None, None],
    };
    for at in 1..3 {
        trio.start_replica(&world, at, Some(world.origin(0))).await;
    }
    assert_ne!(trio.write("k=1").await, 0);
    trio.restart(&mut world, 0).await;
    trio.until_applied(0, "k", "1").await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_machine_behind_the_log_applies_from_its_mark() {
    let config = HostConfig {
        flush_every_entries: 10,
        ..HostConfig::default()
    };
    let mut world = World::start(3, config).await;
    let mut trio = Trio::start(&world, 1, 0).await;
    trio.leader().await;
    for n in 0..35 {
        trio.write(&format!("k{n}={n}")).await;
    }
    until("a flush", || {
        trio.machines[2]
            .flushes
            .load(std::sync::atomic::Ordering::SeqCst)
            > 0
    })
    .await;
    trio.until_applied(2, "k34", "34").await;
    let whole = trio.machines[2].state();
    trio.crash(&mut world, 2).await;
    let kept = trio.machines[2].state();
    assert!(
        kept.values.len() < whole.values.len(),
        "the crash lost something"
    );
    assert!(!kept.values.is_empty(), "and not everything");
    trio.restart(&mut world, 2).await;
    trio.until_applied(2, "k34", "34").await;
    let again = trio.machines[2].state();
    assert_eq!(again.values, whole.values);
    assert!(again.applies.values().all(|times| *times == 1), "{again:?}");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_hosts_start_again_and_nothing_is_lost() {
    let mut world = World::start(3, HostConfig::default()).await;
    let mut trio = Trio::start(&world, 1, 0).await;
    trio.leader().await;
    for n in 0..10 {
        trio.write(&format!("k{n}={n}")).await;
    }
    for at in 0..3 {
        trio.crash(&mut world, at).await;
        assert!(
            trio.machines[at].state().values.is_empty(),
            "nothing was flushed"
        );
    }
    for at in 0..3 {
        trio.restart(&mut world, at).await;
    }
    for n in 0..10 {
        assert_eq!(trio.read(&format!("k{n}")).await, Some(n.to_string()));
    }
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_that_is_cut_off_grants_no_reads() {
    let world = World::start(3, HostConfig::default()).await;
    let trio = Trio::start(&world, 1, 0).await;
    assert_eq!(trio.leader().await, 0);
    trio.write("k=old").await;
    let permit = trio.group(0).read_permit(CALL).await.unwrap();
    assert!(permit.still_valid());
    world.isolate(0);
    let another = eventually("another leader", || async {
        (1..3).find(|at| trio.group(*at).leadership().own)
    })
    .await;
    // The first one has heard nothing of it: it still takes itself for the leader.
    assert!(trio.group(0).leadership().own);
    assert!(!permit.still_valid(), "a lease ended before another led");
    trio.group(another)
        .propose(b"k=new".to_vec(), CALL)
        .await
        .unwrap();
    let refused = trio.group(0).read_permit(Duration::from_millis(700)).await;
    assert!(refused.is_err());
    let lost = trio
        .group(0)
        .propose(b"k=lost".to_vec(), Duration::from_millis(300))
        .await;
    assert!(matches!(lost, Err(GroupError::Unavailable(_))), "{lost:?}");

    world.mend();
    trio.until_applied(0, "k", "new").await;
    assert!(is_not_leader(&trio.group(0).read_permit(CALL).await));
    assert_eq!(trio.read("k").await.unwrap(), "new");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reads_share_a_confirmation() {
    let world = World::start(3, HostConfig::default()).await;
    let trio = Trio::start(&world, 1, 0).await;
    trio.leader().await;
    trio.write("k=1").await;
    let before = world.host(0).traffic().messages;
    let mut reads = tokio::task::JoinSet::new();
    for _ in 0..300 {
        let group = trio.group(0).clone();
        reads.spawn(async move { group.read_permit(CALL).await.unwrap() });
    }
    while let Some(permit) = reads.join_next().await {
        permit.unwrap();
    }
    let sent = world.host(0).traffic().messages - before;
    assert!(sent < 100, "{sent} messages for 300 reads");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_permit_runs_out_by_itself() {
    let world = World::start(3, HostConfig::default()).await;
    let trio = Trio::start(&world, 1, 0).await;
    trio.leader().await;
    let permit = trio.group(0).read_permit(CALL).await.unwrap();
    // As after SIGSTOP: time goes by between the read and the question.
    until("the permit ran out", || !permit.still_valid()).await;
    assert!(trio.group(0).leadership().own, "and nobody else leads");
    assert!(trio.group(0).read_permit(CALL).await.unwrap().still_valid());
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn leadership_is_handed_over() {
    let world = World::start(3, HostConfig::default()).await;
    let trio = Trio::start(&world, 1, 0).await;
    trio.leader().await;
    trio.write("k=1").await;
    let permit = trio.group(0).read_permit(CALL).await.unwrap();
    trio.group(2).elect(Duration::from_secs(10)).await.unwrap();
    assert!(!permit.still_valid());
    assert!(trio.group(2).leadership().own);
    trio.group(2).propose(b"k=2".to_vec(), CALL).await.unwrap();
    trio.group(2)
        .step_down(world.voter(1).id(), CALL)
        .await
        .unwrap();
    until("the third leads", || trio.group(1).leadership().own).await;
    trio.group(1).propose(b"k=3".to_vec(), CALL).await.unwrap();
    trio.until_applied(0, "k", "3").await;
    world.stop().await;
}
