//! Two real servers: copy, follow, wait for the standby, promote, rewind.

#![allow(clippy::unwrap_used)]

mod support;

use std::path::Path;
use std::time::Duration;

use quorate_engines::EngineError;
use quorate_engines::postgres::{
    CancelOutcome, RewindOutcome, RunningPostgres, StopMode, TimelineId, create_slot, drop_slot,
    follower_lag, replication_peers, server_state, slots, sync_waiters,
};
use support::{Bed, Member, READY, psql, stdout};

const SHORT: Duration = Duration::from_secs(2);

#[tokio::test(flavor = "multi_thread")]
async fn commits_wait_for_the_standby_which_can_be_promoted_and_the_old_primary_rewound() {
    let bed = Bed::new();
    let ca = bed.ca();
    let (first, primary) = bed.primary("m1").await;
    let (second, follower) = bed.standby(&first, &primary, "m2").await;
    stdout(&first.psql(&ca, "CREATE TABLE t (id int PRIMARY KEY)"));

    let began = std::time::Instant::now();
    let barrier = primary.establish_sync_standby("m2", READY).await.unwrap();
    println!("the barrier took {:?}", began.elapsed());
    let admin = primary.admin().await.unwrap();
    let peer = replication_peers(&admin).await.unwrap().remove(0);
    assert_eq!(
        (peer.application_name.as_str(), peer.sync_state.as_str()),
        ("m2", "sync")
    );
    assert!(peer.flush.unwrap() >= barrier);
    stdout(&first.psql(&ca, "INSERT INTO t VALUES (1)"));
    let lag = follower_lag(&follower.admin().await.unwrap())
        .await
        .unwrap()
        .unwrap();
    assert!(lag.streaming);

    a_commit_waits_while_the_standby_hangs(&ca, &first, &primary, &second).await;

    // The old primary diverges: it is let go and writes what the new one never sees.
    primary.release_sync_standby(READY).await.unwrap();
    follower.promote(READY).await.unwrap();
    follower.promote(READY).await.unwrap();
    follower.checkpoint().await.unwrap();
    let state = server_state(&follower.admin().await.unwrap())
        .await
        .unwrap();
    assert!(!state.in_recovery);
    assert_eq!(
        (state.timeline, state.checkpoint_timeline),
        (TimelineId(2), TimelineId(2))
    );
    stdout(&first.psql(&ca, "INSERT INTO t VALUES (100)"));
    stdout(&second.psql(&ca, "INSERT INTO t VALUES (3)"));
    primary.kill().await;

    the_old_primary_rejoins(&ca, &first, &second, &follower).await;
}

async fn a_commit_waits_while_the_standby_hangs(
    ca: &Path,
    first: &Member,
    primary: &RunningPostgres,
    second: &Member,
) {
    let admin = primary.admin().await.unwrap();
    // The standby hangs: a commit waits, and is not cancelled meanwhile.
    second.signal_all(nix::sys::signal::Signal::SIGSTOP);
    let (port, authority) = (first.port, ca.to_path_buf());
    let writer =
        tokio::task::spawn_blocking(move || psql(port, &authority, "INSERT INTO t VALUES (2)"));
    let waiter = loop {
        if let Some(pid) = sync_waiters(&admin).await.unwrap().first() {
            break *pid;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    };
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(
        !writer.is_finished(),
        "a commit returned without its standby"
    );
    let mut packet = Vec::new();
    for word in [16, 80_877_102, u32::try_from(waiter).unwrap(), 0] {
        packet.extend(word.to_be_bytes());
    }
    assert_eq!(
        primary.deliver_cancel(&packet).await.unwrap(),
        CancelOutcome::Dropped
    );
    let refused = first.psql(ca, &format!("SELECT rds_tools.cancel_backend({waiter})"));
    assert_eq!(stdout(&refused), "f");
    second.signal_all(nix::sys::signal::Signal::SIGCONT);
    stdout(&writer.await.unwrap());
}

async fn the_old_primary_rejoins(
    ca: &Path,
    first: &Member,
    second: &Member,
    follower: &RunningPostgres,
) {
    create_slot(&follower.admin().await.unwrap(), "m1")
        .await
        .unwrap();
    let config = first.following(second);
    let outcome = first
        .tools
        .rewind(&first.upstream(second), &config)
        .await
        .unwrap();
    assert_eq!(outcome, RewindOutcome::Rewound);
    let rejoined = first
        .server
        .start(config.clone(), None, READY)
        .await
        .unwrap();
    follower.establish_sync_standby("m1", READY).await.unwrap();
    assert_eq!(
        stdout(&first.psql(ca, "SELECT string_agg(id::text, ',' ORDER BY id) FROM t")),
        "1,2,3"
    );
    assert!(!first.psql(ca, "INSERT INTO t VALUES (4)").status.success());

    rejoined.stop(StopMode::Fast, READY).await.unwrap();
    let again = first
        .tools
        .rewind(&first.upstream(second), &config)
        .await
        .unwrap();
    assert_eq!(again, RewindOutcome::NotNeeded);

    follower.release_sync_standby(READY).await.unwrap();
    let admin = follower.admin().await.unwrap();
    drop_slot(&admin, "m1").await.unwrap();
    assert_eq!(
        slots(&admin)
            .await
            .unwrap()
            .iter()
            .filter(|s| s.name == "m1")
            .count(),
        0
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_barrier_that_fails_leaves_commits_as_they_were() {
    let bed = Bed::new();
    let (first, primary) = bed.primary("m1").await;
    stdout(&first.psql(&bed.ca(), "CREATE TABLE t (id int PRIMARY KEY)"));
    match primary.establish_sync_standby("nobody", SHORT).await {
        Err(EngineError::Timeout { .. }) => {}
        other => panic!("a barrier without a standby: {other:?}"),
    }
    stdout(&first.psql(&bed.ca(), "INSERT INTO t VALUES (1)"));

    // A standby that hangs in the middle: its name is taken back, writers go on.
    let (second, _follower) = bed.standby(&first, &primary, "m2").await;
    let admin = primary.admin().await.unwrap();
    while replication_peers(&admin)
        .await
        .unwrap()
        .iter()
        .all(|p| p.state != "streaming")
    {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    second.signal_all(nix::sys::signal::Signal::SIGSTOP);
    assert!(primary.establish_sync_standby("m2", SHORT).await.is_err());
    assert_eq!(primary.config().await.synchronous_standby, None);
    stdout(&first.psql(&bed.ca(), "INSERT INTO t VALUES (2)"));
    second.signal_all(nix::sys::signal::Signal::SIGCONT);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_without_a_certificate_or_source_leaves_nothing_that_looks_whole() {
    let bed = Bed::new();
    let (first, primary) = bed.primary("m1").await;
    let second = bed.member("m2");
    let mut upstream = second.upstream(&first);
    upstream.slot = None;
    // The server's certificate proves another name than the replication role's.
    upstream.tls = second.paths.server_tls();
    match second.tools.base_backup(&upstream).await {
        Err(EngineError::Tool { detail, .. }) => {
            assert!(detail.contains("certificate"), "{detail}")
        }
        other => panic!("a copy without the right certificate: {other:?}"),
    }
    primary.kill().await;
    match second.tools.base_backup(&second.upstream(&first)).await {
        Err(EngineError::Tool { .. }) => {}
        other => panic!("a copy without a source: {other:?}"),
    }
    assert_eq!(
        second.paths.data_state(),
        quorate_engines::postgres::DataState::Missing
    );
    let rewind = first
        .tools
        .rewind(&first.upstream(&second), &first.config())
        .await;
    assert!(
        matches!(rewind, Err(EngineError::Tool { .. })),
        "{rewind:?}"
    );
    assert_eq!(
        first.paths.data_state(),
        quorate_engines::postgres::DataState::Whole
    );
}
