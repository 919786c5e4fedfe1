//! A real server: made, started, entered, stopped.

#![allow(clippy::unwrap_used)]

mod support;

use std::time::{Duration, Instant};

use quorate_engines::EngineError;
use quorate_engines::postgres::{
    ExitKind, StopMode, bootstrap, describe_settings, pending_restart, server_state,
};
use support::{Bed, READY, processes_in, stdout};

#[tokio::test(flavor = "multi_thread")]
async fn the_master_user_comes_in_with_scram_over_tls_and_is_no_superuser() {
    let bed = Bed::new();
    let (member, running) = bed.primary("m1").await;
    // Bootstrapping again changes nothing and fails nowhere.
    bootstrap(&running, &bed.wanted()).await.unwrap();

    let sql =
        "SELECT current_user, rolsuper, rolcreaterole FROM pg_roles WHERE rolname = current_user";
    assert_eq!(stdout(&member.psql(&bed.ca(), sql)), "app|f|t");
    let tls = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
    assert_eq!(stdout(&member.psql(&bed.ca(), tls)), "t");
    stdout(&member.psql(
        &bed.ca(),
        "CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)",
    ));

    for forbidden in [
        "GRANT pg_execute_server_program TO app",
        "GRANT rdsadmin TO app",
        "GRANT rdsrepladmin TO app",
        "SELECT pg_cancel_backend(pg_backend_pid())",
        "ALTER SYSTEM SET fsync = off",
        "COPY t TO '/tmp/quorate-must-not-exist'",
    ] {
        let refused = member.psql(&bed.ca(), forbidden);
        assert!(!refused.status.success(), "{forbidden} was allowed");
    }
    let guarded = "SELECT rds_tools.cancel_backend(-1)";
    assert_eq!(stdout(&member.psql(&bed.ca(), guarded)), "f");

    // Without TLS nobody comes in when it is forced.
    let plain = std::process::Command::new(bed.host.install.program("psql"))
        .args(["-X", "-d"])
        .arg(format!(
            "host=127.0.0.1 port={} user=app dbname=orders sslmode=disable",
            member.port
        ))
        .args(["-c", "SELECT 1"])
        .env("PGPASSWORD", support::PASSWORD)
        .output()
        .unwrap();
    assert!(
        String::from_utf8_lossy(&plain.stderr).contains("no encryption"),
        "{plain:?}"
    );

    let state = server_state(&running.admin().await.unwrap()).await.unwrap();
    assert!(!state.in_recovery);
    let settings = describe_settings(&running.admin().await.unwrap())
        .await
        .unwrap();
    let find = |name: &str| settings.iter().find(|s| s.name == name).unwrap();
    assert_eq!(find("max_connections").default.as_deref(), Some("100"));
    assert_eq!(find("shared_buffers").unit.as_deref(), Some("8kB"));
    assert!(
        find("wal_level")
            .enum_values
            .contains(&String::from("logical"))
    );
    assert!(state.flush.is_some());
    assert_eq!(
        running.stop(StopMode::Fast, READY).await.unwrap(),
        ExitKind::Stopped
    );
    assert!(processes_in(&member.paths.data()).is_empty());
    assert!(member.tools.controldata().await.unwrap().shut_down());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_reloads_stops_at_once_recovers_and_refuses_a_second_one() {
    let bed = Bed::new();
    let (member, running) = bed.primary("m1").await;

    let mut config = running.config().await;
    config.parameters.insert("work_mem".into(), "7MB".into());
    config
        .parameters
        .insert("max_connections".into(), "50".into());
    running.reload(config.clone()).await.unwrap();
    let since = Instant::now();
    loop {
        let admin = running.admin().await.unwrap();
        let value: String = admin.query_one("SHOW work_mem", &[]).await.unwrap().get(0);
        if value == "7MB" {
            assert_eq!(pending_restart(&admin).await.unwrap(), ["max_connections"]);
            break;
        }
        assert!(since.elapsed() < READY, "the reload was not seen");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }

    match member.server.launch(config.clone(), None).await {
        Err(EngineError::AlreadyServed { .. }) => {}
        other => panic!("a second server on one folder: {other:?}"),
    }

    stdout(&member.psql(&bed.ca(), "CREATE TABLE kept AS SELECT 42 AS answer"));
    assert_eq!(
        running.stop(StopMode::Immediate, READY).await.unwrap(),
        ExitKind::Stopped
    );
    let running = member
        .server
        .start(config.clone(), None, READY)
        .await
        .unwrap();
    assert_eq!(
        stdout(&member.psql(&bed.ca(), "SELECT answer FROM kept")),
        "42"
    );
    assert_eq!(running.kill().await, ExitKind::Killed);
    assert!(processes_in(&member.paths.data()).is_empty());

    // Another program on the port is told apart.
    let taken = std::net::TcpListener::bind(config.listen).unwrap();
    match member.server.start(config, None, READY).await {
        Err(EngineError::PortInUse { address }) => assert_eq!(address, taken.local_addr().unwrap()),
        other => panic!("expected the port to be in use: {other:?}"),
    }
}
