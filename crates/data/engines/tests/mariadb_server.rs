//! Real MariaDB servers below real guards: one that writes, and one over a copy of its files that follows it.

#![allow(clippy::unwrap_used)]

mod support;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use quorate_engines::guard::GuardProgram;
use quorate_engines::mariadb::{
    Bootstrap, MariadbConfig, MariadbHost, MariadbPaths, MariadbRole, MariadbServer, PasswordHash,
    RunningMariadb, Source, bootstrap, find_mariadb, follow, follow_state, install_in_place,
    password_hash, server_id, set_master_password,
};
use quorate_engines::{EngineAccount, ExitKind, Limits};
use support::{Bed, READY, free_port, harness};

const ADMIN: &str = "0123456789abcdef";

struct Member {
    host: MariadbHost,
    paths: MariadbPaths,
    config: MariadbConfig,
}

fn member(bed: &Bed, name: &str, role: MariadbRole) -> Member {
    let host = MariadbHost {
        install: find_mariadb(&[])
            .expect("these tests need MariaDB")
            .remove(0),
        account: EngineAccount::resolve(None).unwrap(),
        guard: GuardProgram::new(harness(), ["guard".into()]),
    };
    let paths = MariadbPaths::new(&bed.root().join(name), &host.account).unwrap();
    paths.prepare(&host.account).unwrap();
    let (server, client) = (bed.certificate("shop"), bed.certificate("rdsrepladmin"));
    paths.write_tls(&host.account, &server, &client).unwrap();
    let parameters = [
        ("innodb_buffer_pool_size", "33554432"),
        ("long_query_time", "2"),
    ];
    Member {
        config: MariadbConfig {
            listen: SocketAddr::from(([127, 0, 0, 1], free_port())),
            server_id: server_id(name),
            parameters: parameters.map(|(n, v)| (n.to_owned(), v.to_owned())).into(),
            role,
        },
        host,
        paths,
    }
}

impl Member {
    async fn start(&self) -> RunningMariadb {
        let server = MariadbServer::new(self.host.clone(), self.paths.clone(), Limits::default());
        let running = server.launch(self.config.clone(), ADMIN).await.unwrap();
        running.wait_ready(READY).await.unwrap();
        running
    }

    /// SQL as the master user, over TLS.
    fn sql(&self, bed: &Bed, password: &str, sql: &str) -> Output {
        Command::new("mariadb")
            .args([
                "--no-defaults",
                "-N",
                "-h",
                "127.0.0.1",
                "-u",
                "app",
                "-e",
                sql,
            ])
            .arg(format!("-P{}", self.config.listen.port()))
            .arg(format!("--ssl-ca={}", bed.ca().display()))
            .arg("--ssl-verify-server-cert")
            .env("MYSQL_PWD", password)
            .output()
            .unwrap()
    }
}

fn said(output: &Output) -> String {
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{words}");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

fn hash(password: &str) -> PasswordHash {
    PasswordHash::parse(&password_hash(password)).unwrap()
}

/// A server that writes, with the master user and a table of one row.
async fn writer(bed: &Bed) -> (Member, RunningMariadb) {
    let member = member(bed, "writer", MariadbRole::Writer { doublewrite: true });
    let data = member.paths.data();
    member.host.account.make_private_dir(&data).unwrap();
    install_in_place(&member.host, &member.paths).await.unwrap();
    let running = member.start().await;
    let want = Bootstrap {
        master_user: String::from("app"),
        master_hash: hash("secret99"),
        follower_subject: String::from("/CN=rdsrepladmin"),
        database: Some(String::from("shop")),
    };
    bootstrap(&running, &want).await.unwrap();
    bootstrap(&running, &want).await.unwrap();
    let table = "create table shop.t (n int primary key); insert into shop.t values (1)";
    said(&member.sql(bed, "secret99", table));
    (member, running)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_master_user_has_what_it_may_have_and_parameters_change() {
    let bed = Bed::new();
    let (member, running) = writer(&bed).await;
    let sql = |sql: &str| member.sql(&bed, "secret99", sql);
    assert_eq!(said(&sql("select user()")), "app@127.0.0.1");
    for refused in [
        "shutdown",
        "select * from shop.t into outfile '/tmp/x'",
        "set global read_only = 1",
    ] {
        assert!(!sql(refused).status.success(), "{refused}");
    }
    assert_eq!(
        said(&sql("select @@innodb_page_size, @@character_set_server")),
        "16384\tutf8mb4"
    );
    set_master_password(&running, "app", &hash("other-secret"))
        .await
        .unwrap();
    assert!(!sql("select 1").status.success());
    let sql = |sql: &str| said(&member.sql(&bed, "other-secret", sql));
    assert_eq!(sql("select @@long_query_time"), "2.000000");
    let wanted: BTreeMap<String, String> = [
        ("max_connections", "77"),
        ("time_zone", "UTC"),
        ("transaction_isolation", "READ-COMMITTED"),
        ("slow_query_log", "1"),
        ("innodb_buffer_pool_size", "33554432"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into();
    running.set_parameters(wanted.clone()).await.unwrap();
    let seen = "select @@long_query_time, @@max_connections, @@global.time_zone, @@global.tx_isolation, @@slow_query_log";
    assert_eq!(sql(seen), "10.000000\t77\t+00:00\tREAD-COMMITTED\t1");
    assert!(!running.pending_restart().await);
    let mut fixed = wanted.clone();
    fixed.insert("innodb_buffer_pool_size".into(), "67108864".into());
    running.set_parameters(fixed).await.unwrap();
    assert!(running.pending_restart().await);
    assert_eq!(running.stop(READY).await.unwrap(), ExitKind::Stopped);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_of_a_killed_writers_files_follows_it_where_they_end() {
    let bed = Bed::new();
    let (first, running) = writer(&bed).await;
    running.kill().await;
    let reader = member(&bed, "reader", MariadbRole::Reader);
    let copied = Command::new("cp")
        .arg("-a")
        .arg(first.paths.data())
        .arg(reader.paths.data())
        .status();
    assert!(copied.unwrap().success());
    let writing = first.start().await;
    said(&first.sql(&bed, "secret99", "insert into shop.t values (2)"));
    let reading = reader.start().await;
    assert_eq!(follow_state(&reading).await.unwrap(), None);
    for _ in 0..2 {
        let address = first.config.listen;
        follow(&reading, Source { address }).await.unwrap();
        let since = Instant::now();
        let rows = || {
            said(&reader.sql(
                &bed,
                "secret99",
                "select group_concat(n order by n) from shop.t",
            ))
        };
        while rows() != "1,2" {
            assert!(
                since.elapsed() < READY,
                "{:?}",
                follow_state(&reading).await
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let state = follow_state(&reading).await.unwrap().unwrap();
        assert!(
            state.streaming && state.caught_up && state.trouble.is_none(),
            "{state:?}"
        );
    }
    let refused = reader.sql(&bed, "secret99", "insert into shop.t values (3)");
    assert!(String::from_utf8_lossy(&refused.stderr).contains("read-only"));
    writing.kill().await;
    reading.kill().await;
}
