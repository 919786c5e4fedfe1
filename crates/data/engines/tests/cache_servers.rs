//! Real Redis servers, Sentinels and Memcached below real guards.

#![allow(clippy::unwrap_used)]

mod support;

use std::net::SocketAddr;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use quorate_engines::guard::GuardProgram;
use quorate_engines::memcached::{MemcachedConfig, MemcachedHost, MemcachedServer};
use quorate_engines::redis::{
    ClientUser, RedisConfig, RedisHost, RedisPaths, RedisServer, RedisTls, RunningRedis, acl_file,
};
use quorate_engines::sentinel::{RunningSentinel, SentinelConfig, SentinelServer, Watching};
use quorate_engines::{EngineAccount, EngineError, ExitKind, Limits, find_memcached, find_redis};
use support::{Bed, READY, free_port, harness};

const INNER: &str = "inner-secret";

fn host() -> RedisHost {
    RedisHost {
        install: find_redis(&[])
            .expect("these tests need redis-server")
            .remove(0),
        account: EngineAccount::resolve(None).unwrap(),
        guard: GuardProgram::new(harness(), ["guard".into()]),
    }
}

struct Server {
    server: RedisServer,
    paths: RedisPaths,
    config: RedisConfig,
}

fn server(bed: &Bed, name: &str) -> Server {
    let host = host();
    let paths = RedisPaths::new(&bed.root().join(name), &host.account).unwrap();
    Server {
        server: RedisServer::new(host, paths.clone(), Limits::default()),
        paths,
        config: RedisConfig {
            listen: SocketAddr::from(([127, 0, 0, 1], free_port())),
            tls: RedisTls::Off,
            primary: None,
            cluster: None,
            inner_password: INNER.to_owned(),
            parameters: vec![("maxmemory".to_owned(), "64mb".to_owned())],
        },
    }
}

fn open_to_all() -> String {
    let user = ClientUser {
        name: String::from("default"),
        access: String::from("~* &* +@all"),
        password_digests: Vec::new(),
        no_password: true,
    };
    acl_file(INNER, &[user])
}

async fn start(server: &Server) -> RunningRedis {
    let acl = open_to_all();
    let running = server.server.launch(&server.config, &acl, None);
    let running = running.await.unwrap();
    running.wait_ready(READY).await.unwrap();
    running
}

fn cli(at: SocketAddr, args: &[&str]) -> Output {
    let (ip, port) = (at.ip().to_string(), at.port().to_string());
    let mut command = Command::new("redis-cli");
    command.args(["-h", &ip, "-p", &port, "--no-auth-warning"]);
    command.args(args).output().unwrap()
}

fn said(output: &Output) -> String {
    let both = [output.stdout.as_slice(), output.stderr.as_slice()].concat();
    String::from_utf8_lossy(&both).trim().to_owned()
}

/// Asks again and again until the answer is the one wanted.
async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) -> Duration {
    let since = Instant::now();
    while !holds().await {
        assert!(since.elapsed() < READY, "{what}: not within {READY:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    since.elapsed()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_follows_refuses_writes_takes_over_by_hand_and_keeps_its_data() {
    let bed = Bed::new();
    let (one, mut two) = (server(&bed, "one"), server(&bed, "two"));
    two.config.primary = Some(one.config.listen);
    let first = start(&one).await;
    assert_eq!(said(&cli(one.config.listen, &["SET", "k", "v"])), "OK");
    let second = start(&two).await;
    until("the replica follows", async || {
        let info = second.client().info().await.unwrap();
        info.replica.is_some_and(|r| r.linked && !r.copying)
    })
    .await;
    assert_eq!(said(&cli(two.config.listen, &["GET", "k"])), "v");
    let refused = said(&cli(two.config.listen, &["SET", "k", "w"]));
    assert!(refused.starts_with("READONLY"), "{refused}");
    // What the product rests on is kept from clients.
    for forbidden in [
        &["CONFIG", "SET", "maxmemory", "1"][..],
        &["REPLICAOF", "NO", "ONE"],
        &["SHUTDOWN"],
        &["ACL", "SETUSER", "x"],
        &["FAILOVER"],
        &["BGREWRITEAOF"],
    ] {
        let refused = said(&cli(two.config.listen, forbidden));
        assert!(refused.starts_with("NOPERM"), "{forbidden:?}: {refused}");
    }
    // A hand-over loses nothing and turns the roles.
    let within = Duration::from_secs(10);
    first
        .client()
        .hand_over(two.config.listen, within)
        .await
        .unwrap();
    until("the roles have turned", async || {
        let old = first.client().info().await.unwrap();
        let new = second.client().info().await.unwrap();
        old.replica
            .is_some_and(|r| r.primary == Some(two.config.listen))
            && new.replica.is_none()
    })
    .await;
    assert_eq!(said(&cli(two.config.listen, &["SET", "k", "w"])), "OK");
    assert_eq!(second.stop(READY).await.unwrap(), ExitKind::Stopped);
    two.config.primary = None;
    let second = start(&two).await;
    assert_eq!(said(&cli(two.config.listen, &["GET", "k"])), "w");
    match two.server.launch(&two.config, &open_to_all(), None).await {
        Err(EngineError::AlreadyServed { .. }) => {}
        other => panic!("a second server on one folder: {other:?}"),
    }
    assert_eq!(second.kill().await, ExitKind::Killed);
    let arguments = std::fs::read_to_string(format!("/proc/{}/cmdline", first.pid().unwrap()));
    assert!(!arguments.unwrap().contains(INNER));
    drop(first);
    two.paths.remove_all().unwrap();
    assert!(!two.paths.root().exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn without_its_password_nobody_comes_in_and_accounts_change_while_it_runs() {
    let bed = Bed::new();
    let one = server(&bed, "one");
    let user = |access: &str| ClientUser {
        name: String::from("app"),
        access: access.to_owned(),
        // SHA-256 of "letmein".
        password_digests: vec![
            "1c8bfe8f801d79745c4631d09fff36c82aa37fc4cce4fc946683d7b336b63032".to_owned(),
        ],
        no_password: false,
    };
    let acl = acl_file(INNER, &[user("~app:* +@all")]);
    let running = one.server.launch(&one.config, &acl, None).await.unwrap();
    running.wait_ready(READY).await.unwrap();
    let at = one.config.listen;
    let app = ["--user", "app", "--pass", "letmein"];
    assert!(said(&cli(at, &["PING"])).starts_with("NOAUTH"));
    let wrong = said(&cli(at, &["--user", "quorate", "--pass", "", "PING"]));
    assert!(
        wrong.contains("NOAUTH") || wrong.contains("WRONGPASS"),
        "{wrong}"
    );
    let set = |key: &str| said(&cli(at, &[&app[..], &["SET", key, "1"]].concat()));
    assert_eq!(set("app:1"), "OK");
    assert!(set("other").starts_with("NOPERM"));
    let wider = acl_file(INNER, &[user("~* +@all")]);
    running.set_accounts(&wider).await.unwrap();
    assert_eq!(set("other"), "OK");
    let broken = acl_file(INNER, &[user("~* +nonsense")]);
    assert!(running.set_accounts(&broken).await.is_err());
    assert_eq!(set("other"), "OK");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_with_transit_encryption_talks_tls_alone_for_replication_too() {
    let bed = Bed::new();
    let (mut one, mut two) = (server(&bed, "one"), server(&bed, "two"));
    two.config.primary = Some(one.config.listen);
    for server in [&mut one, &mut two] {
        server.config.tls = RedisTls::Only;
        let account = host().account;
        server.paths.prepare(&account).unwrap();
        server
            .paths
            .write_tls(&account, &bed.certificate("orders"))
            .unwrap();
    }
    let _first = start(&one).await;
    let second = start(&two).await;
    let ca = bed.ca().display().to_string();
    let at = one.config.listen;
    assert_eq!(
        said(&cli(at, &["--tls", "--cacert", &ca, "SET", "k", "v"])),
        "OK"
    );
    let plain = said(&cli(at, &["PING"]));
    assert!(!plain.contains("PONG"), "{plain}");
    until("the replica follows", async || {
        let info = second.client().info().await.unwrap();
        info.replica.is_some_and(|r| r.linked && !r.copying)
    })
    .await;
}

async fn sentinel(bed: &Bed, number: u8) -> RunningSentinel {
    let host = host();
    let root = bed.root().join(format!("sentinel-{number}"));
    let paths = RedisPaths::new(&root, &host.account).unwrap();
    let config = SentinelConfig {
        identity: format!("us-east-1{number}"),
        listen: SocketAddr::from(([127, 0, 0, 1], free_port())),
        tls: RedisTls::Off,
        inner_password: String::from("between-sentinels"),
        client_password: String::from("for-clients"),
        epoch: 0,
    };
    SentinelServer::new(host, paths)
        .start(config, READY)
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn three_sentinels_promote_the_replica_of_a_killed_primary() {
    let bed = Bed::new();
    let (one, mut two) = (server(&bed, "one"), server(&bed, "two"));
    two.config.primary = Some(one.config.listen);
    let (first, second) = (start(&one).await, start(&two).await);
    let mut sentinels = Vec::new();
    for number in 1..=3 {
        let sentinel = sentinel(&bed, number).await;
        let watching = Watching {
            name: String::from("orders"),
            primary: one.config.listen,
            quorum: 2,
            password: INNER.to_owned(),
        };
        sentinel.client().watch(&watching).await.unwrap();
        sentinels.push(sentinel);
    }
    until(
        "the Sentinels know each other and the replica",
        async || {
            let mut all = true;
            for sentinel in &sentinels {
                let masters = sentinel.client().watched().await.unwrap();
                let replicas = sentinel.client().watched_replicas("orders").await.unwrap();
                all &= masters[0].other_sentinels == 2 && masters[0].config_epoch == 0;
                all &= replicas.iter().any(|r| r.linked && !r.down);
            }
            all
        },
    )
    .await;
    first.kill().await;
    let took = until("a Sentinel names the other primary", async || {
        let masters = sentinels[0].client().watched().await.unwrap();
        masters[0].address == two.config.listen && masters[0].config_epoch > 0
    })
    .await;
    println!("elected after {} ms", took.as_millis());
    assert!(second.client().info().await.unwrap().replica.is_none());
    assert_eq!(said(&cli(two.config.listen, &["SET", "k", "v"])), "OK");
    sentinels[0].client().unwatch("orders").await.unwrap();
    assert!(sentinels[0].client().watched().await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn memcached_answers_and_ends_with_its_owner() {
    let bed = Bed::new();
    let host = MemcachedHost {
        install: find_memcached(&[])
            .expect("this test needs memcached")
            .remove(0),
        account: EngineAccount::resolve(None).unwrap(),
        guard: GuardProgram::new(harness(), ["guard".into()]),
    };
    let server = MemcachedServer::new(host, &bed.root().join("m")).unwrap();
    let mut config = MemcachedConfig {
        listen: SocketAddr::from(([127, 0, 0, 1], free_port())),
        memory_mb: 64,
        connections_max: 1_000_000_000,
        arguments: vec![String::from("-c"), String::from("100")],
    };
    let running = server.start(&config, READY).await.unwrap();
    assert_eq!(running.stats().await.unwrap().items, 0);
    let taken = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    assert_eq!(running.stop(READY).await.unwrap(), ExitKind::Stopped);
    config.listen = taken.local_addr().unwrap();
    match server.start(&config, READY).await {
        Err(EngineError::PortInUse { .. }) => {}
        other => panic!("expected the port to be in use: {other:?}"),
    }
    server.remove_all().unwrap();
}
